//! Given a ticket without data that comes back, when its message is told of before anybody said which
//! that is, then it comes to the same as after.

use super::{
    Delivery, Desk, Event, Failure, FailureEffect, HeardFact, Reason, Step, TEMPLATE, delivery,
};
use crate::domain::{
    command::{Command, ContactRef, Merge},
    decide::tests::sender_id,
    event::Evidence,
    ids::TicketId,
    key::{ContactKey, MessageKey},
    ticket::{Ticket, TicketState, VoidCause},
    time::{DAY_MS, Timestamp},
};

/// What becomes of the message of a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Committed,
    Status(Step),
}

const MESSAGE: u128 = 700;

impl Desk {
    /// A status of message 700 to somebody, without the ticket's data.
    fn bare_status(&mut self, key: u128, step: Step, ms: i64) -> Vec<Event> {
        let failure = Failure {
            code: 132_016,
            effect: FailureEffect::TemplateDisabled,
            pause_ms: None,
            country: None,
        };
        let failure = (step == Step::Failed).then_some(failure);
        let status = delivery(self, key, MESSAGE, step);
        self.hear(ms, HeardFact::Delivery(Delivery { failure, ..status }))
    }

    fn tell_ticket(&mut self, ticket: TicketId, told: Told, start: i64) {
        match told {
            Told::Committed => drop(self.commit(ticket, MESSAGE)),
            Told::Status(step) => {
                let after = match step {
                    Step::Sent => 10,
                    Step::Delivered => 20,
                    Step::Read | Step::Failed => 30,
                };
                self.bare_status(1, step, start + after);
            }
        }
    }
}

fn orders(all: &[Told]) -> Vec<Vec<Told>> {
    let Some((first, rest)) = all.split_first() else { return vec![Vec::new()] };
    let place_first = |order: Vec<Told>| {
        (0..=order.len()).map(move |place| {
            let mut order = order.clone();
            order.insert(place, *first);
            order
        })
    };
    orders(rest).into_iter().flat_map(place_first).collect()
}

fn reserved() -> (Desk, TicketId, i64) {
    let mut desk = Desk::new();
    desk.opt_in(1, "promotions", None).unwrap();
    let ticket = desk.reserve(1, TEMPLATE).unwrap();
    desk.now += 100;
    let start = desk.now - 90;
    (desk, ticket, start)
}

/// How a ticket stands, but for when who committed it said so.
fn stands(ticket: &Ticket) -> (TicketState, Option<Step>, Option<Timestamp>) {
    (ticket.state, ticket.step, ticket.taken_at)
}

#[test]
fn what_is_told_of_a_message_before_its_commit_counts_as_after_it() {
    use Told::{Committed, Status};
    let histories: [&[Told]; 3] = [
        &[Committed, Status(Step::Sent), Status(Step::Delivered), Status(Step::Read)],
        &[Committed, Status(Step::Sent), Status(Step::Failed)],
        &[Committed, Status(Step::Failed)],
    ];
    for history in histories {
        let mut expected = None;
        for order in orders(history) {
            let (mut desk, ticket, start) = reserved();
            for told in &order {
                desk.tell_ticket(ticket, *told, start);
            }
            let found = (stands(desk.state.ticket(ticket).unwrap()), desk.used());
            assert_eq!(&found, expected.get_or_insert(found), "{order:?}");
            let has_failed = history.contains(&Status(Step::Failed));
            assert_eq!(found.1, u64::from(!has_failed), "{order:?}");
            let refused = desk.may(1, TEMPLATE).err().unwrap_or_default();
            assert_eq!(refused.contains(&Reason::TemplateDisabled), has_failed, "{order:?}");
            for told in &order {
                let entries = desk.entries.len();
                desk.tell_ticket(ticket, *told, start);
                assert_eq!(desk.entries.len(), entries, "{order:?}: {told:?} again");
            }
            assert!(desk.replayed() == desk.state, "{order:?}");
        }
    }
}

#[test]
fn a_message_that_went_out_on_a_ticket_taken_back_is_known_with_what_became_of_it() {
    let (mut desk, ticket, start) = reserved();
    desk.bare_status(1, Step::Failed, start + 30);
    desk.opt_out(1, None).unwrap();
    assert!(desk.commit(ticket, MESSAGE).is_err());
    let known = desk.state.ticket(ticket).unwrap();
    assert_eq!(known.state, TicketState::Voided { cause: VoidCause::Withdrawn });
    assert_eq!((known.step, desk.used()), (Some(Step::Failed), 0));
    assert!(desk.replayed() == desk.state);
}

#[test]
fn a_failure_before_the_commit_takes_other_tickets_of_the_template_back_with_it() {
    let (mut desk, ticket, start) = reserved();
    desk.opt_in(2, "promotions", None).unwrap();
    let other = desk.reserve(2, TEMPLATE).unwrap();
    desk.bare_status(1, Step::Failed, start + 30);
    let state = |desk: &Desk| desk.state.ticket(other).unwrap().state;
    assert_eq!(state(&desk), TicketState::Reserved, "nobody knows which template it was");
    desk.commit(ticket, MESSAGE).unwrap();
    assert_eq!(state(&desk), TicketState::Voided { cause: VoidCause::TemplateStopped });
}

#[test]
fn only_messages_that_may_be_on_a_ticket_wait_and_only_the_latest_of_them() {
    let is_kept = |events: &[Event]| events.iter().any(|it| matches!(it, Event::StatusKept(_)));
    let (mut desk, ticket, start) = reserved();
    let now = desk.now;
    desk.wrote(2, now, None);
    assert!(!is_kept(&desk.bare_status(2, Step::Sent, start)), "no ticket for them");
    let after = 4 * DAY_MS;
    desk.now += after;
    assert!(!is_kept(&desk.bare_status(1, Step::Sent, start + after)), "long after the last");
    assert!(is_kept(&desk.bare_status(1, Step::Sent, start)));
    let sent = |desk: &mut Desk, message: u128| {
        let status = delivery(desk, 1, message, Step::Sent);
        let ms = start + i64::try_from(message).unwrap();
        desk.hear(ms, HeardFact::Delivery(status))
    };
    for message in 1_000..1_040 {
        assert!(is_kept(&sent(&mut desk, message)), "{message}");
    }
    for message in 1_000..1_040 {
        assert!(!is_kept(&sent(&mut desk, message)), "{message} again");
    }
    desk.commit(ticket, 1_039).unwrap();
    let known = desk.state.ticket(ticket).unwrap();
    assert_eq!(known.taken_at, Some(super::at(start + 1_039)));
    assert_eq!(known.sender, sender_id());
    assert!(desk.replayed() == desk.state);
}

#[test]
fn what_waits_goes_along_with_a_merge() {
    let (mut desk, _, start) = reserved();
    desk.opt_in(2, "promotions", None).unwrap();
    desk.bare_status(1, Step::Sent, start + 10);
    let [from, into] = [1, 2].map(|key| ContactRef::Key(ContactKey::from_bits(key)));
    let (reason, evidence) = (None, Evidence::new());
    desk.run(Command::Merge(Box::new(Merge { from, into, reason, evidence }))).unwrap();
    let place = desk.state.contacts().find(ContactKey::from_bits(2)).unwrap();
    let told = desk.state.contacts().get(place).unwrap().details().told();
    assert_eq!(told.early(MessageKey::from_bits(MESSAGE)).count(), 1);
    assert!(desk.replayed() == desk.state);
}
