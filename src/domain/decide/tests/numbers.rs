//! Given a person with two numbers, when both are written to or looked up, then each is one: WhatsApp
//! knows numbers, not customers.

use super::{Desk, opt_in_of};
use crate::domain::{
    command::{Command, ContactRef, Merge, Person, RegistryCommand, UserIdentifier},
    event::Evidence,
    hearing::Step,
    ids::{ContactId, TicketId},
    key::ContactKey,
    names::PortfolioId,
    pace::UsageKey,
    reason::Reason,
    ticket::{MessageKind, TicketState},
    time::{DAY_MS, Timestamp},
};

const TEMPLATE: MessageKind = MessageKind::Template;

fn portfolio() -> PortfolioId {
    PortfolioId::parse("p1").unwrap()
}

impl Desk {
    /// Agreeing people with these numbers, and a limit of so many.
    fn with_numbers(keys: std::ops::RangeInclusive<u128>, limit: u32) -> Self {
        let mut desk = Self::new();
        for key in keys {
            desk.opt_in(key, "promotions", None).unwrap();
        }
        let id = portfolio();
        let mut portfolio = desk.state.registry().portfolio(&id).unwrap().value.clone();
        portfolio.messaging_limit = Some(limit);
        desk.put(RegistryCommand::PutPortfolio { id, portfolio });
        desk
    }

    fn are_one(&mut self, from: u128, into: u128) {
        let [from, into] = [from, into].map(|key| ContactRef::Key(ContactKey::from_bits(key)));
        let merge = Merge { from, into, reason: None, evidence: Evidence::new() };
        self.run(Command::Merge(Box::new(merge))).unwrap();
    }

    fn of_limit(&self) -> u64 {
        let counted = self.state.counted(&UsageKey::Portfolio(portfolio()));
        counted.within(Timestamp::from_unix_ms(self.now))
    }

    fn written_to(&mut self, key: u128) -> TicketId {
        let ticket = self.reserve(key, TEMPLATE).unwrap();
        self.commit(ticket, ticket.as_uuid().as_u128()).unwrap();
        ticket
    }
}

#[test]
fn two_numbers_that_become_one_persons_give_no_room_back() {
    let mut desk = Desk::with_numbers(1..=5, 3);
    desk.written_to(1);
    desk.written_to(2);
    desk.are_one(1, 2);
    assert_eq!(desk.of_limit(), 2, "WhatsApp counted both");
    // Each goes on as it was counted.
    desk.written_to(1);
    desk.written_to(2);
    assert_eq!(desk.of_limit(), 2);
    desk.written_to(3);
    assert_eq!(desk.reserve(4, TEMPLATE), Err(vec![Reason::MessagingLimit]));
    // Once more, into a third.
    desk.are_one(2, 4);
    assert_eq!(desk.of_limit(), 3);
    assert_eq!(desk.reserve(4, TEMPLATE), Err(vec![Reason::MessagingLimit]));
    for key in 1..=3 {
        desk.written_to(key);
    }
    assert_eq!(desk.of_limit(), 3);
    desk.now += DAY_MS;
    assert_eq!(desk.of_limit(), 0);
    assert!(desk.replayed() == desk.state);
}

#[test]
fn each_number_of_a_person_takes_room_of_its_own() {
    let mut desk = Desk::with_numbers(1..=3, 1);
    desk.are_one(1, 2);
    let ticket = desk.reserve(1, TEMPLATE).unwrap();
    desk.written_to(1);
    assert_eq!(desk.reserve(2, TEMPLATE), Err(vec![Reason::MessagingLimit]));
    assert_eq!(desk.of_limit(), 1);
    desk.run(Command::ReleaseSend { ticket }).unwrap();
    assert_eq!(desk.of_limit(), 1, "another message went to it");
    desk.now += DAY_MS;
    let ticket = desk.reserve(2, TEMPLATE).unwrap();
    assert_eq!(desk.reserve(1, TEMPLATE), Err(vec![Reason::MessagingLimit]));
    desk.run(Command::ReleaseSend { ticket }).unwrap();
    assert_eq!(desk.of_limit(), 0);
    desk.written_to(1);
    assert!(desk.replayed() == desk.state);
}

#[test]
fn a_message_heard_of_after_the_merge_counts_for_the_number_it_went_to() {
    let mut desk = Desk::with_numbers(1..=2, 2);
    let ticket = desk.reserve(1, TEMPLATE).unwrap();
    desk.are_one(1, 2);
    assert!(matches!(desk.state.ticket(ticket).unwrap().state, TicketState::Voided { .. }));
    desk.run(Command::ReleaseSend { ticket }).unwrap();
    assert_eq!(desk.of_limit(), 0);
    desk.written_to(2);
    desk.steps((Some(ticket), 7), Step::Sent, desk.now);
    assert_eq!(desk.of_limit(), 2, "it had gone out all the same");
    desk.written_to(1);
    assert_eq!(desk.of_limit(), 2);
    assert!(desk.replayed() == desk.state);
}

#[test]
fn a_number_and_the_user_id_of_its_person_count_once() {
    let mut desk = Desk::with_numbers(1..=1, 2);
    let user = UserIdentifier { user_id: "US.1".into(), key: ContactKey::from_bits(90) };
    let new_id = ContactId::from_uuid(desk.id());
    let opt_in = opt_in_of(Person { number: None, user: Some(user), new_id }, "promotions");
    desk.run(Command::OptIn(Box::new(opt_in))).unwrap();
    desk.written_to(1);
    desk.written_to(90);
    assert_eq!(desk.of_limit(), 2, "as far as anybody knows");
    desk.are_one(90, 1);
    assert_eq!(desk.of_limit(), 1, "a user id and a number are one account of WhatsApp");
    desk.written_to(90);
    desk.written_to(1);
    assert_eq!(desk.of_limit(), 1);
    assert!(desk.replayed() == desk.state);
}
