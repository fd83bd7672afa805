//! Given a person with two numbers, when both are written to or looked up, then each is one: WhatsApp
//! knows numbers, not customers.

use super::{Desk, RULES, opt_in_of};
use crate::domain::{
    command::{Command, ContactRef, Merge, Person, RegistryCommand, UserIdentifier},
    contact::LookupState,
    decide::{LookupPlan, plan_lookup},
    event::Evidence,
    hearing::{Heard, HeardFact, Step},
    ids::{ContactId, LookupId, TicketId},
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

impl Desk {
    fn plan_of(&self, key: u128) -> LookupPlan {
        let (contacts, key) = (self.state.contacts(), ContactKey::from_bits(key));
        let contact = contacts.find(key).and_then(|subject| contacts.get(subject));
        let now = Timestamp::from_unix_ms(self.now);
        plan_lookup((contact, key), self.state.registry(), &RULES.lookup, now)
    }

    fn is_answered(&mut self, lookup: LookupId, state: LookupState, wa_key: Option<u128>) {
        let wa_key = wa_key.map(ContactKey::from_bits);
        let (cause, wa_id, was_asked) = (None, wa_key.map(|_| "12025550199".into()), true);
        let ends = Command::ConcludeLookup { lookup, state, cause, wa_id, wa_key, was_asked };
        self.run(ends).unwrap();
    }

    /// Looks a number up, and writes to it so that the next one may be.
    fn is_found(&mut self, key: u128, state: LookupState) {
        let lookup = self.look_up(key).unwrap();
        self.is_answered(lookup, state, None);
        self.written_to(key);
    }

    fn of_budget(&self) -> u64 {
        let now = Timestamp::from_unix_ms(self.now);
        self.state.governor().budget(&RULES.lookup, now).earned
    }
}

const fn told(plan: LookupPlan) -> Option<LookupState> {
    match plan {
        LookupPlan::Cached { state, .. } => Some(state),
        LookupPlan::Traffic { .. }
        | LookupPlan::UnderWay
        | LookupPlan::NotOptedIn
        | LookupPlan::Ask => None,
    }
}

#[test]
fn an_answer_is_given_for_the_number_it_was_about_and_for_no_other_of_the_person() {
    use LookupState::{NotRegistered, Registered};
    for (from, into) in [(1, 2), (2, 1)] {
        let mut desk = Desk::with_numbers(1..=3, 10);
        desk.is_found(1, Registered);
        desk.are_one(from, into);
        assert_eq!(told(desk.plan_of(1)), Some(Registered));
        assert_eq!(desk.plan_of(2), LookupPlan::Ask, "nobody asked about it");
        desk.is_found(2, NotRegistered);
        assert_eq!(
            [1, 2].map(|key| told(desk.plan_of(key))),
            [Some(Registered), Some(NotRegistered)]
        );
        // Both stay when there are three.
        desk.are_one(into, 3);
        let plans = [1, 2, 3].map(|key| desk.plan_of(key));
        assert_eq!(plans.map(told), [Some(Registered), Some(NotRegistered), None]);
        assert_eq!(plans[2], LookupPlan::Ask);
        // Nor does a message from the one show where the other is.
        desk.inbound(3, None).unwrap();
        assert!(matches!(desk.plan_of(3), LookupPlan::Traffic { .. }));
        assert_eq!(told(desk.plan_of(2)), Some(NotRegistered));
        assert!(desk.replayed() == desk.state);
    }
}

#[test]
fn an_answer_that_comes_after_the_merge_is_about_the_number_that_was_asked_about() {
    let mut desk = Desk::with_numbers(1..=2, 10);
    let lookup = desk.look_up(1).unwrap();
    desk.are_one(1, 2);
    assert_eq!(desk.plan_of(2), LookupPlan::UnderWay);
    desk.is_answered(lookup, LookupState::Registered, Some(99));
    assert_eq!(told(desk.plan_of(1)), Some(LookupState::Registered));
    assert_eq!(desk.plan_of(2), LookupPlan::Ask);
    let found = desk.state.contacts().find(ContactKey::from_bits(99));
    assert!(found.is_none(), "what the other number is called is no name of this one");
    assert!(desk.replayed() == desk.state);
}

#[test]
fn nobody_is_looked_up_who_is_blocked_or_may_be_somebody_else() {
    let mut desk = Desk::with_numbers(1..=4, 10);
    let whom = ContactRef::Key(ContactKey::from_bits(1));
    desk.run(Command::Block { contact: whom, reason: None }).unwrap();
    for hash in ["A", "B"] {
        desk.now += 1;
        desk.identity(2, hash, desk.now).unwrap();
    }
    let fact = HeardFact::MovedNumber { old: desk.person(3), new: None };
    let at = Timestamp::from_unix_ms(desk.now);
    let heard = Heard { at, account: None, sender: Some(super::sender_id()), fact };
    desk.run(Command::Hear(Box::new(heard))).unwrap();
    for key in 1..=3 {
        assert_eq!(desk.plan_of(key), LookupPlan::NotOptedIn, "{key}");
        desk.look_up(key).unwrap();
    }
    assert_eq!(desk.state.lookups().count(), 0);
    assert_eq!(desk.plan_of(4), LookupPlan::Ask);
    // Whoever has them now agrees, or is let in again.
    desk.run(Command::Unblock { contact: whom }).unwrap();
    for key in [2, 3] {
        desk.now += 10;
        desk.opt_in(key, "orders", None).unwrap();
    }
    assert_eq!([1, 2, 3].map(|key| desk.plan_of(key)), [LookupPlan::Ask; 3]);
}

#[test]
fn what_was_handed_over_and_only_failed_earns_no_look_up_whichever_is_heard_first() {
    for steps in [
        &[Step::Failed][..],
        &[Step::Failed, Step::Sent][..],
        &[Step::Sent, Step::Failed][..],
        &[Step::Failed, Step::Delivered][..],
    ] {
        for commits_first in [true, false] {
            let mut desk = Desk::with_numbers(1..=1, 10);
            let lookup = desk.look_up(1).unwrap();
            desk.is_answered(lookup, LookupState::Registered, None);
            let ticket = desk.reserve(1, TEMPLATE).unwrap();
            let before = desk.of_budget();
            if commits_first {
                desk.commit(ticket, 7).unwrap();
                assert_eq!(desk.of_budget(), before + 1, "as long as nobody says otherwise");
            }
            for step in steps {
                desk.steps((Some(ticket), 7), *step, desk.now);
            }
            if !commits_first {
                desk.commit(ticket, 7).unwrap();
            }
            let expected = before + u64::from(steps.len() > 1);
            assert_eq!(desk.of_budget(), expected, "{steps:?} {commits_first}");
            assert!(desk.replayed() == desk.state);
        }
    }
}
