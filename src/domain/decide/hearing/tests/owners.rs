//! Numbers and user ids that get other owners, and answers to what was asked.

use super::*;
use crate::domain::{
    command::{ContactRef, Merge},
    ticket::TicketState,
    time::DAY_MS,
};

impl Desk {
    /// Says whether a message may be sent, and reserves nothing.
    pub(super) fn may(&mut self, key: u128, kind: MessageKind) -> Result<(), Vec<Reason>> {
        let (state, entries) = (self.state.clone(), self.entries.len());
        let found = self.reserve(key, kind).map(|_| ());
        self.state = state;
        self.entries.truncate(entries);
        found
    }
}

#[expect(clippy::unnecessary_wraps, reason = "as a message has it")]
fn no() -> Option<ConsentAnswer> {
    Some(ConsentAnswer::No { how: how() })
}

#[expect(clippy::unnecessary_wraps, reason = "as a message has it")]
fn okay(question: Option<u128>) -> Option<ConsentAnswer> {
    let question = question.map(MessageKey::from_bits);
    Some(ConsentAnswer::Yes { how: AnswerHow { question, ..how() }, answer_only: true })
}

pub(super) fn join(desk: &mut Desk, from: u128, into: u128) {
    let [from, into] = [from, into].map(|key| ContactRef::Key(ContactKey::from_bits(key)));
    let merge = Merge { from, into, reason: None, evidence: Evidence::new() };
    desk.run(Command::Merge(Box::new(merge))).unwrap();
}

pub(super) fn moves(desk: &mut Desk, ms: i64, old: u128, new: u128) -> Vec<Event> {
    let (old, new) = (desk.person(old), Some(desk.person(new)));
    desk.hear(ms, HeardFact::MovedNumber { old, new })
}

#[test]
fn a_number_given_up_stays_closed_when_its_contact_becomes_part_of_the_one_moved_to() {
    let mut desk = Desk::new();
    desk.opt_in(1, "promotions", None).unwrap();
    let moved = desk.now;
    moves(&mut desk, moved, 1, 2);
    desk.opt_in(2, "promotions", None).unwrap();
    join(&mut desk, 1, 2);
    assert_eq!(desk.may(1, TEMPLATE), Err(vec![Reason::NumberChanged]));
    assert!(desk.may(2, TEMPLATE).is_ok());
    assert!(moves(&mut desk, moved, 1, 2).is_empty(), "a repeat");
    let now = desk.now;
    assert_eq!(moves(&mut desk, now, 1, 2).len(), 1, "another move");
    assert!(desk.may(2, TEMPLATE).is_ok(), "the live number stays open");
    assert_eq!(desk.may(1, TEMPLATE), Err(vec![Reason::NumberChanged]));
    assert!(desk.replayed() == desk.state);
}

#[test]
fn a_number_given_up_stays_closed_when_it_goes_to_a_contact_without_one() {
    let mut desk = Desk::new();
    desk.opt_in(1, "promotions", None).unwrap();
    let moved = desk.now;
    moves(&mut desk, moved, 1, 2);
    let user = user_only(&mut desk, 92);
    let agreed = ConsentAnswer::OptIn {
        topics: vec![topic_id("promotions")],
        statement: None,
        language: None,
        how: how(),
    };
    let before = moved - 1;
    desk.write(user, before, Some(agreed));
    join(&mut desk, 1, 92);
    assert_eq!(desk.may(1, TEMPLATE), Err(vec![Reason::NumberChanged]));
    assert!(desk.may(92, TEMPLATE).is_ok());
    assert!(moves(&mut desk, moved, 1, 2).is_empty(), "a repeat");
    assert!(desk.may(92, TEMPLATE).is_ok());
}

#[test]
fn a_stop_from_a_number_nobody_knew_reaches_its_other_spellings() {
    for is_known in [true, false] {
        let mut desk = Desk::new();
        desk.weak.push((1, 2));
        if is_known {
            desk.opt_in(2, "promotions", None).unwrap();
        }
        let now = desk.now;
        desk.wrote(1, now, stop());
        if !is_known {
            desk.opt_in(2, "promotions", Some(now - 1)).unwrap();
        }
        assert_eq!(desk.status(2, "promotions"), ConsentStatus::Withdrawn);
        assert!(desk.replayed() == desk.state);
    }
}

#[test]
fn a_number_that_comes_with_another_user_id_is_not_its_former_owners_any_more() {
    let mut desk = Desk::new();
    desk.opt_in(1, "promotions", None).unwrap();
    let owner = Wrote { identity_hash: Some("A".into()), ..wrote(desk.both(1, 91), None) };
    let now = desk.now;
    desk.hear(now, HeardFact::Wrote(owner));
    let ticket = desk.reserve(1, TEMPLATE).unwrap();
    let next = Wrote { identity_hash: Some("B".into()), ..wrote(desk.both(1, 99), None) };
    let now = desk.now;
    desk.hear(now, HeardFact::Wrote(next.clone()));
    assert_eq!(desk.may(1, TEMPLATE), Err(vec![Reason::IdentityChanged]));
    let cause = VoidCause::IdentityChanged;
    assert_eq!(desk.state.ticket(ticket).unwrap().state, TicketState::Voided { cause });
    assert!(desk.hear(now, HeardFact::Wrote(next)).is_empty(), "a repeat");
    assert!(desk.replayed() == desk.state);
}

#[test]
fn whoever_had_the_number_somebody_moves_to_is_in_doubt_by_their_user_id_as_well() {
    let mut desk = Desk::new();
    desk.opt_in(1, "promotions", None).unwrap();
    desk.opt_in(2, "promotions", None).unwrap();
    let ticket = desk.reserve(2, TEMPLATE).unwrap();
    let (old, new, now) = (desk.person(1), Some(desk.both(2, 92)), desk.now);
    let fact = HeardFact::MovedNumber { old, new };
    desk.hear(now, fact.clone());
    assert_eq!(desk.may(2, TEMPLATE), Err(vec![Reason::IdentityChanged]));
    let cause = VoidCause::IdentityChanged;
    assert_eq!(desk.state.ticket(ticket).unwrap().state, TicketState::Voided { cause });
    assert_eq!(desk.may(92, TEMPLATE), Err(vec![Reason::IdentityChanged]));
    assert!(desk.hear(now, fact).is_empty(), "a repeat");
}

#[test]
fn a_yes_from_before_the_question_confirms_nothing() {
    let mut desk = Desk::new();
    let said = desk.now;
    desk.now += 10;
    desk.ask(1, "promotions");
    desk.wrote(1, said, yes());
    assert_eq!(desk.status(1, "promotions"), ConsentStatus::Pending);
}

#[test]
fn a_word_that_is_a_yes_only_as_an_answer_must_answer_something() {
    for (later, question, expected) in [
        (1_000, None, ConsentStatus::Granted),
        (DAY_MS + 1_000, None, ConsentStatus::Pending),
        (DAY_MS + 1_000, Some(7), ConsentStatus::Granted),
    ] {
        let mut desk = Desk::new();
        desk.ask(1, "promotions");
        desk.now += later;
        desk.wrote(1, desk.now, okay(question));
        assert_eq!(desk.status(1, "promotions"), expected);
        let is_open = expected == ConsentStatus::Pending;
        assert_eq!(desk.reviews().len(), usize::from(is_open));
    }
    let mut desk = Desk::new();
    desk.opt_out(1, None).unwrap();
    desk.now += 10;
    desk.wrote(1, desk.now, okay(None));
    assert!(desk.reviews().is_empty(), "talk");
}

#[test]
fn a_no_takes_back_what_was_asked_and_nothing_that_was_agreed() {
    let mut desk = Desk::new();
    desk.opt_in(1, "orders", None).unwrap();
    let before = desk.now - 1;
    desk.ask(1, "promotions");
    desk.wrote(1, before, no());
    assert_eq!(desk.status(1, "promotions"), ConsentStatus::Pending, "said before it was asked");
    let first = desk.now;
    desk.wrote(1, first, no());
    assert_eq!(desk.status(1, "promotions"), ConsentStatus::Withdrawn);
    assert_eq!(desk.status(1, "orders"), ConsentStatus::Granted);
    desk.now += 10;
    let (between, last) = (desk.now - 5, desk.now);
    assert_eq!(desk.wrote(1, last, no()).len(), 2, "said again, and that they wrote");
    for told_again in [last, first] {
        let again = desk.wrote(1, told_again, no());
        assert!(again.is_empty(), "{again:?}");
    }
    desk.opt_in(1, "promotions", Some(between)).unwrap();
    assert_eq!(desk.status(1, "promotions"), ConsentStatus::Withdrawn, "said between the two");
}

#[test]
fn what_a_failure_says_of_somebody_nobody_knew_holds_once_they_agree_and_is_no_news_then() {
    for (code, effect, pause_ms, reason) in [
        (131_050, FailureEffect::MarketingStopped, None, Reason::MarketingStopped),
        (130_403, FailureEffect::BlockedByBusiness, None, Reason::Blocked),
        (131_021, FailureEffect::RefuseForever, None, Reason::Blocked),
        (131_049, FailureEffect::MarketingCooldown, Some(60_000), Reason::MarketingCooldown),
        (130_472, FailureEffect::Experiment, None, Reason::ExperimentGroup),
        (131_056, FailureEffect::PairBackoff, Some(60_000), Reason::PairRate),
        (131_026, FailureEffect::Unreachable, None, Reason::Unreachable),
    ] {
        let mut desk = Desk::new();
        let now = desk.now;
        fail(&mut desk, now, code, effect, pause_ms);
        desk.opt_in(1, "promotions", None).unwrap();
        assert_eq!(desk.may(1, TEMPLATE), Err(vec![reason]), "{code}");
        assert!(fail(&mut desk, now, code, effect, pause_ms).is_empty(), "{code}");
        assert!(desk.replayed() == desk.state);
    }
}

#[test]
fn every_contact_old_identifiers_lead_to_is_closed_and_whom_nobody_knew_is_known_then() {
    let mut desk = Desk::new();
    let (now, fact) = (desk.now, desk.moved_user(91, 92));
    desk.hear(now, fact);
    let late = Wrote { message_id: "wamid.late".into(), ..wrote(user_only(&mut desk, 91), None) };
    desk.hear(now - 5, HeardFact::Wrote(late));
    let refused = desk.may(91, TEMPLATE).unwrap_err();
    assert!(refused.contains(&Reason::NumberChanged), "{refused:?}");

    let mut desk = Desk::new();
    let user = user_only(&mut desk, 91);
    desk.write(user.clone(), desk.now, None);
    let now = desk.now;
    desk.hear(now, HeardFact::MovedNumber { old: user, new: None });
    let refused = desk.may(91, TEMPLATE).unwrap_err();
    assert!(refused.contains(&Reason::NumberChanged), "{refused:?}");

    let mut desk = Desk::new();
    desk.opt_in(1, "promotions", None).unwrap();
    let user = user_only(&mut desk, 91);
    desk.write(user, desk.now, None);
    let (now, old) = (desk.now, desk.both(1, 91));
    desk.hear(now, HeardFact::MovedNumber { old, new: None });
    for key in [1, 91] {
        let refused = desk.may(key, TEMPLATE).unwrap_err();
        assert!(refused.contains(&Reason::NumberChanged), "{key}: {refused:?}");
    }
}

#[test]
fn another_user_id_or_spelling_of_the_same_number_does_not_close_it() {
    let mut desk = Desk::new();
    desk.opt_in(1, "promotions", None).unwrap();
    let now = desk.now;
    assert!(moves(&mut desk, now, 1, 1).is_empty(), "two spellings of one number");
    assert!(desk.may(1, TEMPLATE).is_ok());
}

#[test]
fn a_confirmation_on_one_side_of_a_merge_does_not_lift_the_others_doubt() {
    for (from, into) in [(1, 2), (2, 1)] {
        let mut desk = Desk::new();
        desk.opt_in(1, "promotions", None).unwrap();
        desk.opt_in(2, "promotions", None).unwrap();
        let (person, now) = (desk.person(1), desk.now);
        desk.hear(now, HeardFact::IdentityChanged { person, hash: None });
        let now = desk.now;
        desk.identity(2, "A", now).unwrap();
        desk.identity(2, "B", now + 1).unwrap();
        desk.confirm(2, "B").unwrap();
        assert!(desk.may(2, TEMPLATE).is_ok());
        join(&mut desk, from, into);
        assert_eq!(desk.may(2, TEMPLATE), Err(vec![Reason::IdentityChanged]));
    }
}

#[test]
fn a_clock_that_is_behind_lets_no_repeated_resume_beat_a_later_stop() {
    let mut desk = Desk::new();
    desk.opt_in(1, "promotions", None).unwrap();
    let true_now = desk.now + 5_000;
    desk.prefers(1, true_now, false);
    desk.prefers(1, true_now + 10, true);
    desk.now += 100;
    desk.prefers(1, true_now, false);
    assert_eq!(desk.may(1, TEMPLATE), Err(vec![Reason::MarketingStopped]));
    desk.wrote(1, true_now + 20, stop());
    let topics = vec![topic_id("promotions")];
    let agreed = ConsentAnswer::OptIn { topics, statement: None, language: None, how: how() };
    desk.now += 100;
    desk.wrote(1, true_now + 15, Some(agreed));
    assert_eq!(desk.status(1, "promotions"), ConsentStatus::Withdrawn);
}

#[test]
fn a_late_word_about_who_is_there_takes_back_no_ticket_that_a_later_agreement_is_behind() {
    let mut desk = Desk::new();
    desk.opt_in(1, "promotions", None).unwrap();
    let changed = desk.now;
    desk.now += 10;
    desk.opt_in(1, "promotions", None).unwrap();
    let ticket = desk.reserve(1, TEMPLATE).unwrap();
    let person = desk.person(1);
    desk.hear(changed, HeardFact::IdentityChanged { person, hash: None });
    moves(&mut desk, changed, 1, 2);
    assert_eq!(desk.state.ticket(ticket).unwrap().state, TicketState::Reserved);
}

#[test]
fn a_status_that_names_somebody_else_leaves_the_ticket_alone() {
    let mut desk = Desk::new();
    desk.opt_in(1, "promotions", None).unwrap();
    desk.opt_in(2, "promotions", None).unwrap();
    let ticket = desk.reserve(1, TEMPLATE).unwrap();
    let other = Delivery { ticket: Some(ticket), ..delivery(&mut desk, 2, 8, Step::Delivered) };
    let now = desk.now;
    desk.hear(now, HeardFact::Delivery(other));
    assert_eq!(desk.state.ticket(ticket).unwrap().state, TicketState::Reserved);
}

#[test]
fn the_first_of_many_refusals_told_again_is_no_news() {
    let mut desk = Desk::new();
    desk.opt_in(1, "promotions", None).unwrap();
    let start = desk.now;
    desk.now += 100;
    for after in 0..12 {
        fail(&mut desk, start + after, 131_056, FailureEffect::PairBackoff, Some(1_000));
    }
    let again = fail(&mut desk, start, 131_056, FailureEffect::PairBackoff, Some(1_000));
    assert!(again.is_empty(), "{again:?}");
}

#[test]
fn a_conflict_that_was_decided_is_opened_again_when_it_comes_again() {
    let mut desk = Desk::new();
    desk.opt_in(1, "promotions", None).unwrap();
    let other = desk.both(2, 92);
    desk.write(other, desk.now, None);
    let person = desk.both(1, 92);
    desk.write(person.clone(), desk.now, None);
    let [(review, _)] = desk.reviews()[..] else { panic!() };
    let (decision, topics, note) = (ReviewDecision::Nothing, None, None);
    let decided = DecideReview { review, decision, topics, note };
    desk.run(Command::DecideReview(Box::new(decided))).unwrap();
    desk.write(person, desk.now + 1, None);
    assert_eq!(desk.reviews().len(), 1);
}

#[test]
fn a_message_told_again_after_a_merge_does_not_date_the_change_between_two_devices_back() {
    let mut desk = Desk::new();
    let start = desk.now;
    desk.now += 1_000;
    desk.opt_in(1, "promotions", Some(start + 60)).unwrap();
    let user = user_only(&mut desk, 92);
    let seen = |desk: &mut Desk, person: &Person, after: i64, hash: &str| {
        let identity_hash = Some(hash.into());
        let wrote = Wrote { identity_hash, ..wrote(person.clone(), None) };
        desk.hear(start + after, HeardFact::Wrote(wrote))
    };
    let number = desk.person(1);
    seen(&mut desk, &number, 100, "A");
    seen(&mut desk, &user, 50, "B");
    seen(&mut desk, &user, 200, "B");
    join(&mut desk, 92, 1);
    assert_eq!(desk.may(1, TEMPLATE), Err(vec![Reason::IdentityChanged]));
    for (person, after, hash) in [(&user, 50, "B"), (&number, 100, "A"), (&user, 200, "B")] {
        let again = seen(&mut desk, person, after, hash);
        assert!(again.is_empty(), "{hash} at {after}: {again:?}");
    }
    // What nobody had heard of, between the two and about either device.
    for (person, after, hash) in [(&user, 150, "B"), (&number, 170, "A"), (&user, 180, "B")] {
        seen(&mut desk, person, after, hash);
        assert_eq!(desk.may(1, TEMPLATE), Err(vec![Reason::IdentityChanged]), "{after}");
    }
    assert!(desk.replayed() == desk.state);
}

/// In both orders: somebody moves to number 2 at `moved`, and what else happens.
fn in_both_orders(moved: i64, other: impl Fn(&mut Desk, i64)) -> [Desk; 2] {
    [false, true].map(|is_late| {
        let mut desk = Desk::new();
        desk.opt_in(1, "promotions", None).unwrap();
        let start = desk.now;
        desk.now += 1_000;
        if is_late {
            other(&mut desk, start);
            moves(&mut desk, start + moved, 1, 2);
        } else {
            moves(&mut desk, start + moved, 1, 2);
            other(&mut desk, start);
        }
        assert!(desk.replayed() == desk.state, "{is_late}");
        desk
    })
}

#[test]
fn what_a_former_holder_agreed_to_is_in_doubt_whether_it_or_the_move_is_heard_first() {
    let agree = |desk: &mut Desk, start: i64| {
        desk.opt_in(2, "promotions", Some(start + 60)).unwrap();
    };
    for mut desk in in_both_orders(120, agree) {
        assert_eq!(desk.may(2, TEMPLATE), Err(vec![Reason::IdentityChanged]));
        desk.opt_in(2, "promotions", None).unwrap();
        assert!(desk.may(2, TEMPLATE).is_ok(), "the new holder agreed");
    }
    let write = |desk: &mut Desk, start: i64| {
        desk.wrote(2, start + 60, None);
    };
    for mut desk in in_both_orders(120, write) {
        assert_eq!(desk.may(2, SESSION), Err(vec![Reason::IdentityChanged]), "their window");
    }
}

#[test]
fn what_the_new_holder_did_is_not_in_doubt_whether_it_or_the_move_is_heard_first() {
    let write = |desk: &mut Desk, start: i64| {
        desk.wrote(2, start + 120, None);
    };
    for mut desk in in_both_orders(60, write) {
        assert!(desk.may(2, SESSION).is_ok());
    }
    let ask = |desk: &mut Desk, start: i64| {
        desk.wrote(2, start + 120, None);
        desk.reserve(2, SESSION).unwrap();
    };
    for desk in in_both_orders(60, ask) {
        let subject = desk.state.contacts().find(ContactKey::from_bits(2)).unwrap();
        assert_eq!(desk.state.contacts().get(subject).unwrap().details().tickets.len(), 1);
    }
}

#[test]
fn a_stop_by_the_user_id_that_came_with_a_move_reaches_the_number() {
    for is_old_known in [false, true] {
        let mut desk = Desk::new();
        if is_old_known {
            desk.opt_in(1, "promotions", None).unwrap();
        }
        let (old, new, moved) = (desk.person(1), Some(desk.both(2, 92)), desk.now);
        let fact = HeardFact::MovedNumber { old, new };
        desk.hear(moved, fact.clone());
        desk.opt_in(2, "promotions", None).unwrap();
        assert!(desk.may(2, TEMPLATE).is_ok());
        let (user, now) = (user_only(&mut desk, 92), desk.now);
        desk.write(user, now, stop());
        assert_eq!(desk.status(2, "promotions"), ConsentStatus::Withdrawn);
        let again = desk.hear(moved, fact);
        assert!(again.is_empty(), "a repeat: {again:?}");
        assert!(desk.replayed() == desk.state);
    }
}

#[test]
fn a_code_to_log_in_with_goes_to_a_number_only() {
    use crate::domain::{decide::tests::topic_id, registry::Category};
    for (category, refused) in [
        (Category::Authentication, Err(vec![Reason::InvalidNumber])),
        (Category::Utility, Ok(())),
        (Category::Marketing, Ok(())),
    ] {
        let mut desk = Desk::new();
        desk.put_as(|template| {
            (template.topic, template.category) = (topic_id("orders"), category);
        });
        let topics = vec![topic_id("orders")];
        let agreed = || ConsentAnswer::OptIn {
            topics: topics.clone(),
            statement: None,
            language: None,
            how: how(),
        };
        let (now, known) = (desk.now, user_only(&mut desk, 9));
        desk.write(known, now, Some(agreed()));
        assert_eq!(desk.may(9, TEMPLATE), refused, "{category:?}");
        // What is named is what it is sent to.
        let (now, both) = (desk.now, desk.both(2, 10));
        desk.write(both, now, Some(agreed()));
        assert_eq!(desk.may(10, TEMPLATE), refused, "{category:?}");
        assert_eq!(desk.may(2, TEMPLATE), Ok(()), "{category:?}");
    }
}
