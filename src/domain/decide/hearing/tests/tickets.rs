//! Given tickets on a template, when the template is stopped or turns marketing, then those it stops
//! are taken back with it, and no others.

use super::{
    Desk, at,
    business::sale,
    templates::{ONE, homeless, other_sender},
};
use crate::domain::{
    command::{Command, RegistryCommand},
    decide::tests::{sender_id, topic_id},
    event::Event,
    hearing::TemplateFact,
    ids::TicketId,
    names::SenderId,
    registry::Category,
    ticket::{TicketState, VoidCause},
};

impl Desk {
    /// A template about orders, and somebody who agreed to them.
    fn of_orders() -> Self {
        let mut desk = Self::of_two_accounts();
        desk.put_as(|template| {
            (template.topic, template.category) = (topic_id("orders"), Category::Utility);
        });
        desk.now += 100;
        desk
    }

    /// A ticket by a sender that is good for a minute.
    fn ticket(&mut self, sender: SenderId) -> TicketId {
        let mut send = self.send(1, super::TEMPLATE);
        send.sender = sender;
        let ticket = send.ticket;
        self.run(Command::ReserveSend(Box::new(send))).unwrap();
        ticket
    }

    /// A ticket by a sender of each account, and by one whose account nobody knows.
    fn tickets(&mut self) -> [TicketId; 3] {
        [sender_id(), other_sender(), homeless()].map(|sender| self.ticket(sender))
    }

    fn cause(&self, ticket: TicketId) -> Option<VoidCause> {
        match self.state.ticket(ticket).unwrap().state {
            TicketState::Voided { cause } => Some(cause),
            TicketState::Reserved | TicketState::Committed { .. } | TicketState::Released => None,
        }
    }

    fn causes(&self, tickets: [TicketId; 3]) -> [Option<VoidCause>; 3] {
        tickets.map(|ticket| self.cause(ticket))
    }
}

const STOPPED: Option<VoidCause> = Some(VoidCause::TemplateStopped);

#[test]
fn a_template_that_is_stopped_takes_the_tickets_of_its_account_back_in_the_same_commit() {
    for status in ["PAUSED", "DISABLED", "REJECTED", "PENDING_DELETION", "IN_APPEAL"] {
        let mut desk = Desk::of_orders();
        let tickets = desk.tickets();
        let events = desk.status_told(desk.now, ONE, status);
        assert!(matches!(events[0], Event::TemplateReported { .. }), "{events:?}");
        // Nobody knows whether the third sender is of this account.
        assert_eq!(desk.causes(tickets), [STOPPED, None, STOPPED], "{status}");
        assert!(desk.commit(tickets[0], 1).is_err());
        assert!(desk.commit(tickets[1], 2).is_ok());
        assert!(desk.replayed() == desk.state);
    }
    let mut desk = Desk::of_orders();
    let tickets = desk.tickets();
    desk.status_told(desk.now, ONE, "APPROVED");
    assert_eq!(desk.causes(tickets), [None; 3], "it goes on");
}

#[test]
fn a_stop_that_is_over_or_overtaken_takes_nothing_back() {
    let mut desk = Desk::of_orders();
    let now = desk.now;
    desk.now += 100;
    let tickets = desk.tickets();
    desk.status_told(now + 20, ONE, "APPROVED");
    desk.status_told(now + 10, ONE, "DISABLED");
    assert_eq!(desk.causes(tickets), [None; 3], "overtaken");
    let over = |pause_ms| TemplateFact::Status {
        template: sale(),
        status: "PAUSED".into(),
        pause_ms: Some(pause_ms),
        category: None,
    };
    desk.template_told(now + 30, ONE, over(20));
    assert_eq!(desk.causes(tickets), [None; 3], "over");
    desk.template_told(now + 40, ONE, over(5_000));
    assert_eq!(desk.causes(tickets), [STOPPED, None, STOPPED]);
}

#[test]
fn what_a_failure_says_of_the_template_takes_the_other_tickets_of_the_account_back() {
    let mut desk = Desk::of_orders();
    let tickets = desk.tickets();
    desk.failed_through(sender_id(), None, Some(5_000));
    assert_eq!(desk.causes(tickets), [STOPPED, None, STOPPED]);
    assert!(desk.replayed() == desk.state);
}

#[test]
fn a_template_that_is_put_as_stopped_takes_all_its_tickets_back() {
    for status in ["PAUSED", "DISABLED", "PENDING"] {
        let mut desk = Desk::of_orders();
        let tickets = desk.tickets();
        desk.put_as(|template| template.status = status.into());
        assert_eq!(desk.causes(tickets), [STOPPED; 3], "{status}");
        assert!(desk.replayed() == desk.state);
    }
    let mut desk = Desk::of_orders();
    let tickets = desk.tickets();
    desk.put_as(|template| template.status = "REINSTATED".into());
    assert_eq!(desk.causes(tickets), [None; 3], "it goes on");
}

#[test]
fn a_template_that_turns_marketing_takes_back_what_rests_on_an_agreement_to_something_else() {
    let category = Category::Marketing;
    let mut desk = Desk::of_orders();
    let tickets = desk.tickets();
    let now = desk.now;
    desk.template_told(now, ONE, TemplateFact::Category { template: sale(), category });
    assert_eq!(desk.causes(tickets), [STOPPED, None, STOPPED]);
    assert!(desk.replayed() == desk.state);
    // It is announced: what is good beyond that day is taken back.
    for (later_ms, cause) in [(20_000, STOPPED), (100_000, None)] {
        let mut desk = Desk::of_orders();
        let tickets = desk.tickets();
        let (now, from) = (desk.now, at(desk.now + later_ms));
        let template = sale();
        desk.template_told(now, ONE, TemplateFact::CategoryImpending { template, category, from });
        assert_eq!(desk.causes(tickets), [cause, None, cause]);
        // What is reserved from then on ends before.
        let fresh = desk.ticket(sender_id());
        assert!(desk.state.ticket(fresh).unwrap().expires_at <= from);
    }
    // Whoever agreed to marketing agreed to this.
    let mut desk = Desk::of_two_accounts();
    desk.put_as(|template| template.category = Category::Utility);
    desk.now += 100;
    let tickets = desk.tickets();
    let now = desk.now;
    desk.template_told(now, ONE, TemplateFact::Category { template: sale(), category });
    assert_eq!(desk.causes(tickets), [None; 3]);
}

#[test]
fn who_takes_no_marketing_loses_what_turns_marketing_in_any_order() {
    let halted = Some(VoidCause::MarketingStopped);
    for stop_first in [true, false] {
        let mut desk = Desk::of_two_accounts();
        desk.put_as(|template| template.category = Category::Utility);
        desk.now += 100;
        let tickets = desk.tickets();
        let now = desk.now;
        desk.now += 10;
        if stop_first {
            desk.prefers(1, now, true);
        }
        let (template, category) = (sale(), Category::Marketing);
        desk.template_told(now + 1, ONE, TemplateFact::Category { template, category });
        if !stop_first {
            desk.prefers(1, now, true);
        }
        assert_eq!(desk.causes(tickets), [halted, None, halted], "{stop_first}");
        assert!(desk.replayed() == desk.state);
    }
}

#[test]
fn a_report_of_no_account_takes_back_the_tickets_of_every_account() {
    let mut desk = Desk::of_orders();
    let tickets = desk.tickets();
    let status = TemplateFact::Status {
        template: sale(),
        status: "PAUSED".into(),
        pause_ms: None,
        category: None,
    };
    let now = desk.now;
    desk.hear(now, super::HeardFact::Template(status));
    assert_eq!(desk.causes(tickets), [STOPPED; 3]);
    let id = sale();
    let template = desk.state.registry().template(&id).unwrap().value.clone();
    desk.put(RegistryCommand::PutTemplate { id, template });
    let ticket = desk.ticket(sender_id());
    assert_eq!(desk.cause(ticket), None);
}
