//! What WhatsApp takes no message for: of one sender, or of the whole business.

use super::{Desk, TEMPLATE, at, delivery, templates::other_sender};
use crate::domain::{
    command::{Command, ContactRef},
    decide::tests::sender_id,
    event::Event,
    hearing::{Delivery, Failure, FailureEffect, Heard, HeardFact, Step},
    key::ContactKey,
    names::SenderId,
    reason::Reason,
    refusal::Refusal,
    ticket::{TicketState, VoidCause},
};

const TO_ITSELF: (i64, FailureEffect) = (131_021, FailureEffect::RefuseForever);
const BLOCKED: (i64, FailureEffect) = (130_403, FailureEffect::BlockedByBusiness);

impl Desk {
    /// People who agreed, and two senders.
    fn of_two_senders() -> Self {
        let mut desk = Self::of_two_accounts();
        for key in 1..=3 {
            desk.opt_in(key, "promotions", None).unwrap();
        }
        desk.now += 10_000;
        desk
    }

    fn fails_through(
        &mut self,
        key: u128,
        ms: i64,
        sender: Option<SenderId>,
        (code, effect): (i64, FailureEffect),
    ) -> Vec<Event> {
        let failure = Some(Failure { code, effect, pause_ms: None, country: None });
        let delivery = delivery(self, key, 700 + key, Step::Failed);
        let fact = HeardFact::Delivery(Delivery { failure, ..delivery });
        let heard = Heard { at: at(ms), account: None, sender, fact };
        super::but_counted(self.run(Command::Hear(Box::new(heard))).unwrap())
    }

    fn refused_through(&mut self, key: u128, sender: SenderId) -> Vec<Reason> {
        let mut send = self.send(key, TEMPLATE);
        (send.sender, send.ttl_ms) = (sender, 1);
        match self.run(Command::ReserveSend(Box::new(send))) {
            Ok(_) => Vec::new(),
            Err(Refusal::SendRefused(refused)) => {
                refused.verdict.hits.iter().map(|hit| hit.reason).collect()
            }
            Err(other) => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_message_of_a_sender_to_itself_bars_that_sender_alone_and_a_block_bars_all() {
    for (how, by_other) in [(TO_ITSELF, vec![]), (BLOCKED, vec![Reason::Blocked])] {
        let mut desk = Desk::of_two_senders();
        let [own, other] = [sender_id(), other_sender()].map(|sender| {
            let mut send = desk.send(1, TEMPLATE);
            send.sender = sender;
            let ticket = send.ticket;
            desk.run(Command::ReserveSend(Box::new(send))).unwrap();
            ticket
        });
        let now = desk.now;
        let events = desk.fails_through(1, now, Some(sender_id()), how);
        assert!(matches!(events[0], Event::Barred { .. }), "{events:?}");
        let is_voided = |desk: &Desk, ticket| {
            let cause = VoidCause::Blocked;
            desk.state.ticket(ticket).unwrap().state == TicketState::Voided { cause }
        };
        assert!(is_voided(&desk, own), "{how:?}");
        assert_eq!(is_voided(&desk, other), !by_other.is_empty(), "{how:?}");
        desk.now += 60_000;
        assert_eq!(desk.refused_through(1, sender_id()), [Reason::Blocked], "{how:?}");
        assert_eq!(desk.refused_through(1, other_sender()), by_other, "{how:?}");
        assert!(desk.fails_through(1, now, Some(sender_id()), how).is_empty(), "a repeat");
        assert!(desk.replayed() == desk.state);
    }
}

#[test]
fn each_sender_is_barred_by_its_own_messages_and_unblocking_lets_all_of_them_go() {
    let mut desk = Desk::of_two_senders();
    let now = desk.now;
    desk.fails_through(1, now, Some(sender_id()), TO_ITSELF);
    desk.now += 10;
    assert_eq!(desk.fails_through(1, now - 5, Some(other_sender()), TO_ITSELF).len(), 1);
    for sender in [sender_id(), other_sender()] {
        assert_eq!(desk.refused_through(1, sender), [Reason::Blocked]);
        assert_eq!(desk.refused_through(2, other_sender()), []);
    }
    let contact = ContactRef::Key(ContactKey::from_bits(1));
    desk.run(Command::Unblock { contact }).unwrap();
    for sender in [sender_id(), other_sender()] {
        assert!(desk.fails_through(1, now, Some(sender.clone()), TO_ITSELF).is_empty());
        assert_eq!(desk.refused_through(1, sender), []);
    }
    assert!(desk.replayed() == desk.state);
}

#[test]
fn without_a_sender_a_message_to_itself_bars_nobody() {
    let mut desk = Desk::of_two_senders();
    let now = desk.now;
    let events = desk.fails_through(1, now, None, TO_ITSELF);
    assert!(events.is_empty(), "{events:?}");
    assert_eq!(desk.refused_through(1, sender_id()), []);
}

#[test]
fn what_bars_one_sender_goes_along_with_no_move() {
    for (how, refused) in [(TO_ITSELF, vec![]), (BLOCKED, vec![Reason::Blocked])] {
        let mut desk = Desk::of_two_senders();
        desk.let_follow(true);
        let now = desk.now;
        let (old, new) = (desk.person(1), Some(desk.person(9)));
        desk.hear(now, HeardFact::MovedNumber { old, new });
        desk.fails_through(1, now - 5, Some(sender_id()), how);
        assert_eq!(desk.refused_through(9, sender_id()), refused, "{how:?}");
        assert!(desk.replayed() == desk.state);
    }
}

#[test]
fn an_incident_takes_each_bar_back_and_leaves_the_one_of_before() {
    let mut desk = Desk::of_two_senders();
    for key in 4..=25 {
        desk.opt_in(key, "promotions", None).unwrap();
    }
    desk.now += 3 * crate::domain::time::HOUR_MS;
    let now = desk.now;
    let earlier = now - 2 * crate::domain::time::HOUR_MS;
    desk.fails_through(1, earlier, Some(sender_id()), TO_ITSELF);
    desk.fails_through(2, earlier, Some(sender_id()), BLOCKED);
    for key in 1..=19 {
        desk.fails_through(key, now, Some(sender_id()), TO_ITSELF);
    }
    assert_eq!(desk.refused_through(3, sender_id()), [Reason::Blocked]);
    let events = desk.fails_through(20, now, Some(sender_id()), TO_ITSELF);
    assert!(matches!(events[..], [Event::IncidentOpened { .. }, Event::FailureSpared { .. }]));
    assert_eq!(desk.refused_through(1, sender_id()), [Reason::Blocked], "as it was before");
    assert_eq!(desk.refused_through(1, other_sender()), []);
    assert_eq!(desk.refused_through(2, other_sender()), [Reason::Blocked], "as it was before");
    for key in 3..=20 {
        assert_eq!(desk.refused_through(key, sender_id()), [], "{key}");
    }
    assert!(desk.replayed() == desk.state);
}
