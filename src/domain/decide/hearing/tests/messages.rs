//! What is heard of one message: to whom it went stays known, and what it earns.

use super::{Desk, TEMPLATE, delivery};
use crate::domain::{
    command::Command,
    contact::LookupState,
    decide::tests::RULES,
    event::Event,
    hearing::{Delivery, Failure, FailureEffect, HeardFact, Step},
    ids::TicketId,
    key::MessageKey,
    reason::Reason,
    ticket::TicketState,
    time::Timestamp,
};

/// What WhatsApp says of a message: of the ticket it was sent on only if that is named.
fn says(desk: &mut Desk, ms: i64, step: Step, ticket: Option<TicketId>) -> Vec<Event> {
    let failure = (step == Step::Failed).then_some(Failure {
        code: 137_000,
        effect: FailureEffect::Identity,
        pause_ms: None,
        country: None,
    });
    let known = delivery(desk, 1, 8, step);
    let person = known.person.clone().filter(|_| ticket.is_some());
    desk.hear(ms, HeardFact::Delivery(Delivery { person, ticket, failure, ..known }))
}

impl Desk {
    fn earned(&self) -> u64 {
        let now = Timestamp::from_unix_ms(self.now);
        self.state.governor().budget(&RULES.lookup, now).earned
    }

    /// Somebody who was looked up, and a ticket for them.
    fn looked_up() -> (Self, TicketId) {
        let mut desk = Self::new();
        desk.opt_in(1, "promotions", None).unwrap();
        let lookup = desk.look_up(1).unwrap();
        let (state, was_asked) = (LookupState::Registered, true);
        let (cause, wa_id, wa_key) = (None, None, None);
        let end = Command::ConcludeLookup { lookup, state, cause, wa_id, wa_key, was_asked };
        desk.run(end).unwrap();
        let ticket = desk.reserve(1, TEMPLATE).unwrap();
        (desk, ticket)
    }
}

#[test]
fn a_message_sent_on_a_ticket_that_was_taken_or_given_back_is_found_again_by_its_id() {
    for is_voided in [true, false] {
        let mut desk = Desk::new();
        desk.opt_in(1, "promotions", None).unwrap();
        let ticket = desk.reserve(1, TEMPLATE).unwrap();
        if is_voided {
            desk.opt_out(1, None).unwrap();
            desk.now += 10;
            desk.opt_in(1, "promotions", None).unwrap();
        } else {
            desk.run(Command::ReleaseSend { ticket }).unwrap();
        }
        let now = desk.now;
        let events = says(&mut desk, now, Step::Sent, Some(ticket));
        assert!(matches!(events[..], [Event::TicketStepped { message: Some(_), .. }]));
        let found = desk.state.ticket_of(MessageKey::from_bits(8)).unwrap();
        assert!(!matches!(found.state, TicketState::Committed { .. }), "{:?}", found.state);
        let events = says(&mut desk, now, Step::Delivered, None);
        let [Event::TicketStepped { .. }, Event::TrafficSeen { sender: Some(_), .. }] = &events[..]
        else {
            panic!("{events:?}")
        };
        assert!(says(&mut desk, now, Step::Delivered, None).is_empty(), "a repeat");
        says(&mut desk, now, Step::Failed, None);
        assert_eq!(desk.reserve(1, TEMPLATE), Err(vec![Reason::IdentityChanged]));
        assert!(desk.replayed() == desk.state);
        // The message is forgotten with its ticket.
        desk.now += 9 * crate::domain::time::DAY_MS;
        desk.opt_in(2, "promotions", None).unwrap();
        assert!(desk.state.ticket_of(MessageKey::from_bits(8)).is_none());
    }
}

#[test]
fn what_failed_earns_no_look_up_and_what_was_sent_earns_one_in_any_order() {
    let (mut desk, ticket) = Desk::looked_up();
    let (before, now) = (desk.earned(), desk.now);
    says(&mut desk, now, Step::Failed, Some(ticket));
    assert_eq!(desk.earned(), before);
    let again = says(&mut desk, now, Step::Failed, Some(ticket));
    assert!(again.is_empty(), "a repeat: {again:?}");
    for order in [
        [Step::Sent, Step::Failed],
        [Step::Failed, Step::Sent],
        [Step::Failed, Step::Delivered],
        [Step::Delivered, Step::Read],
        [Step::Read, Step::Sent],
    ] {
        let (mut desk, ticket) = Desk::looked_up();
        let (before, now) = (desk.earned(), desk.now);
        for step in order {
            says(&mut desk, now, step, Some(ticket));
        }
        assert_eq!(desk.earned(), before + 1, "{order:?}");
        for step in order {
            assert!(says(&mut desk, now, step, Some(ticket)).is_empty(), "{order:?}: told again");
        }
        let counted = desk.state.ticket(ticket).unwrap().step;
        assert_eq!(counted, order.iter().max().copied(), "{order:?}");
        assert!(desk.replayed() == desk.state);
    }
}

#[test]
fn a_message_of_a_ticket_that_was_taken_back_earns_its_look_up_when_it_was_sent() {
    let (mut desk, ticket) = Desk::looked_up();
    let (before, now) = (desk.earned(), desk.now);
    desk.opt_out(1, None).unwrap();
    says(&mut desk, now, Step::Failed, Some(ticket));
    assert_eq!(desk.earned(), before);
    says(&mut desk, now, Step::Delivered, Some(ticket));
    assert_eq!(desk.earned(), before + 1);
}

#[test]
fn a_message_whose_failure_suspends_its_person_keeps_its_ticket() {
    let mut desk = Desk::new();
    desk.opt_in(1, "promotions", None).unwrap();
    let [sent, open] = [(); 2].map(|()| desk.reserve(1, TEMPLATE).unwrap());
    let now = desk.now;
    says(&mut desk, now, Step::Failed, Some(sent));
    let state = |id| desk.state.ticket(id).unwrap().state;
    let message = MessageKey::from_bits(8);
    assert_eq!(state(sent), TicketState::Committed { message });
    assert!(matches!(state(open), TicketState::Voided { .. }));
}
