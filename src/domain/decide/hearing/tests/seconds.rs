//! WhatsApp dates by whole seconds and callers by milliseconds: what restricts may have happened at
//! the end of its second, and where it is heard after an act it counts against it.

use super::*;
use crate::domain::{command::OptOut, event::OptedOut};

/// A whole second.
const SECOND: i64 = 2_000_000;

const IDENTITY: FailureEffect = FailureEffect::Identity;

/// Somebody agrees 300 ms into the second, and a ticket is reserved for them.
fn agreed() -> (Desk, crate::domain::ids::TicketId) {
    let mut desk = Desk::new();
    desk.seen_with(1, SECOND - 50_000, "A");
    desk.now = SECOND + 299;
    desk.opt_in(1, "promotions", None).unwrap();
    let ticket = desk.reserve(1, TEMPLATE).unwrap();
    desk.now = SECOND + 500;
    (desk, ticket)
}

fn is_open(desk: &Desk, ticket: crate::domain::ids::TicketId) -> bool {
    desk.state.ticket(ticket).unwrap().is_open(at(desk.now))
}

#[expect(clippy::unnecessary_wraps, reason = "as a message has it")]
fn topics() -> Option<Vec<crate::domain::names::TopicId>> {
    Some(vec![topic_id("promotions")])
}

fn opt_out(desk: &mut Desk, topics: Option<Vec<crate::domain::names::TopicId>>, ms: i64) {
    let (person, captured_at) = (desk.person(1), Some(at(ms)));
    let opt_out = OptOut { person, topics, source: source("crm"), reason: None, captured_at };
    desk.run(Command::OptOut(Box::new(opt_out))).unwrap();
}

/// Withdraws as of a moment, in one of the ways there are.
fn withdraw(desk: &mut Desk, way: u8, ms: i64) {
    match way {
        0 => {
            desk.wrote(1, ms, stop());
            assert!(ms != SECOND || desk.wrote(1, ms, stop()).is_empty(), "a repeat");
        }
        1 => {
            let answer = || Some(ConsentAnswer::OptOut { topics: topics(), how: how() });
            desk.wrote(1, ms, answer());
            assert!(ms != SECOND || desk.wrote(1, ms, answer()).is_empty(), "a repeat");
        }
        2 => opt_out(desk, None, ms),
        3 => opt_out(desk, topics(), ms),
        _ => {
            let near = ConsentAnswer::Review { why: "near_miss".into(), word: None, scope: None };
            desk.wrote(1, ms, Some(near));
            let [(review, _)] = desk.reviews()[..] else { panic!() };
            let (decision, topics, note) = (ReviewDecision::OptOut, None, None);
            let decided = DecideReview { review, decision, topics, note };
            desk.run(Command::DecideReview(Box::new(decided))).unwrap();
        }
    }
}

#[test]
fn a_withdrawal_of_the_second_of_an_agreement_counts_if_it_is_heard_after_it() {
    for way in 0..5 {
        let (mut desk, ticket) = agreed();
        withdraw(&mut desk, way, SECOND);
        assert_eq!(desk.status(1, "promotions"), ConsentStatus::Withdrawn, "{way}");
        assert!(!is_open(&desk, ticket), "{way}");
        // They come back within the second.
        desk.opt_in(1, "promotions", None).unwrap();
        assert!(desk.reserve(1, TEMPLATE).is_ok(), "{way}");
        assert!(desk.replayed() == desk.state, "{way}");
    }
}

#[test]
fn a_withdrawal_dated_to_the_millisecond_or_of_the_second_before_counts_from_then() {
    for way in 0..5 {
        for ms in [SECOND + 1, SECOND + 299, SECOND - 1_000] {
            let (mut desk, ticket) = agreed();
            withdraw(&mut desk, way, ms);
            assert_eq!(desk.status(1, "promotions"), ConsentStatus::Granted, "{way} {ms}");
            assert!(is_open(&desk, ticket));
        }
    }
}

#[test]
fn a_withdrawal_that_counts_from_later_keeps_the_date_it_was_told_with() {
    let (mut desk, _) = agreed();
    let events = desk.wrote(1, SECOND, stop());
    let Event::OptedOut(stopped) = &events[0] else { panic!("{events:?}") };
    let OptedOut { captured_at, evidence, .. } = &**stopped;
    assert_eq!(*captured_at, at(SECOND + 300));
    assert_eq!(evidence.get("told_at").map(|it| &**it), Some("1970-01-01T00:33:20Z"));
    let mut desk = Desk::new();
    let events = desk.wrote(1, SECOND / 2, stop());
    let is_plain = events.iter().any(|event| {
        matches!(event, Event::OptedOut(stopped) if !stopped.evidence.contains_key("told_at"))
    });
    assert!(is_plain, "{events:?}");
}

#[test]
fn a_stop_reaches_whoever_agreed_in_its_second_under_another_identifier_or_spelling() {
    // By what it reaches them: a tie, in both orders, a weak spelling, in both orders.
    for way in 0..4 {
        let mut desk = Desk::new();
        desk.weak.push((1, 2));
        desk.now = SECOND - 100;
        let user = user_only(&mut desk, 91);
        desk.write(user.clone(), SECOND - 60_000, None);
        desk.now = SECOND + 299;
        let both = desk.both(1, 91);
        match way {
            0 | 1 => {
                desk.opt_in(1, "promotions", None).unwrap();
                if way == 0 {
                    desk.write(both.clone(), SECOND - 10_000, None);
                    desk.write(user, SECOND, stop());
                } else {
                    desk.write(user, SECOND, stop());
                    desk.write(both, SECOND - 10_000, None);
                }
            }
            2 => {
                desk.opt_in(1, "promotions", None).unwrap();
                desk.wrote(2, SECOND, stop());
            }
            _ => {
                // The number is known as the person's only after the STOP was heard.
                let agreed = opt_in_at(user.clone(), None);
                desk.run(agreed).unwrap();
                desk.wrote(2, SECOND, stop());
                desk.write(both, SECOND - 10_000, None);
            }
        }
        assert_eq!(desk.status(1, "promotions"), ConsentStatus::Withdrawn, "{way}");
        desk.opt_in(1, "promotions", None).unwrap();
        assert_eq!(desk.status(1, "promotions"), ConsentStatus::Granted, "{way}");
        assert!(desk.replayed() == desk.state, "{way}");
    }
}

fn opt_in_at(person: Person, captured_at: Option<Timestamp>) -> Command {
    let opt_in = crate::domain::decide::tests::opt_in_of(person, "promotions");
    Command::OptIn(Box::new(OptIn { captured_at, ..opt_in }))
}

/// Tells that somebody else may have come, in one of the ways WhatsApp has.
fn change(desk: &mut Desk, way: u8, ms: i64) -> Vec<Event> {
    let person = desk.person(1);
    match way {
        0 => desk.seen_with(1, ms, "B"),
        1 => {
            let failure =
                Failure { code: 137_000, effect: IDENTITY, pause_ms: None, country: None };
            let delivery = Delivery {
                person: Some(person),
                message: MessageKey::from_bits(7),
                message_id: "wamid.out".into(),
                is_message: true,
                ticket: None,
                step: Step::Failed,
                identity_hash: None,
                failure: Some(failure),
            };
            desk.hear(ms, HeardFact::Delivery(delivery))
        }
        2 => desk.hear(ms, HeardFact::IdentityChanged { person, hash: None }),
        3 => desk.hear(ms, HeardFact::IdentityChanged { person, hash: Some("B".into()) }),
        4 => {
            let new = Some(desk.person(3));
            desk.hear(ms, HeardFact::MovedNumber { old: person, new })
        }
        5 => {
            let old = desk.person(3);
            desk.hear(ms, HeardFact::MovedNumber { old, new: Some(person) })
        }
        _ => desk.identity(1, "B", ms).unwrap(),
    }
}

#[test]
fn a_change_of_the_second_of_an_agreement_suspends_it_if_it_is_heard_after_it() {
    for way in 0..7 {
        let (mut desk, ticket) = agreed();
        change(&mut desk, way, SECOND);
        let reason = if way == 4 { Reason::NumberChanged } else { Reason::IdentityChanged };
        assert_eq!(desk.reserve(1, TEMPLATE), Err(vec![reason]), "{way}");
        assert!(!is_open(&desk, ticket), "{way}");
        assert!(change(&mut desk, way, SECOND).is_empty(), "a repeat: {way}");
        // Whoever is there now agrees within the second.
        desk.opt_in(1, "promotions", None).unwrap();
        assert!(desk.reserve(1, TEMPLATE).is_ok(), "{way}");
        assert!(change(&mut desk, way, SECOND).is_empty(), "a repeat: {way}");
        assert!(desk.reserve(1, TEMPLATE).is_ok(), "{way}");
        assert!(desk.replayed() == desk.state, "{way}");
    }
}

#[test]
fn a_change_of_the_second_before_an_agreement_suspends_nothing() {
    for way in 0..6 {
        let (mut desk, ticket) = agreed();
        change(&mut desk, way, SECOND - 1_000);
        assert!(desk.reserve(1, TEMPLATE).is_ok(), "{way}");
        assert!(is_open(&desk, ticket), "{way}");
    }
}

#[test]
fn of_two_hashes_of_one_second_the_one_heard_later_may_be_the_one_now() {
    for by_put in [true, false] {
        let mut desk = Desk::new();
        desk.now = SECOND + 50;
        desk.inbound(1, Some(SECOND - 9_000)).unwrap();
        desk.identity(1, "B", SECOND + 100).unwrap();
        desk.now = SECOND + 299;
        desk.opt_in(1, "promotions", None).unwrap();
        let ticket = desk.reserve(1, TEMPLATE).unwrap();
        let tell = |desk: &mut Desk| {
            if by_put {
                desk.identity(1, "A", SECOND).unwrap()
            } else {
                desk.seen_with(1, SECOND, "A")
            }
        };
        tell(&mut desk);
        assert_eq!(desk.reserve(1, TEMPLATE), Err(vec![Reason::IdentityChanged]), "{by_put}");
        assert!(!is_open(&desk, ticket), "{by_put}");
        desk.opt_in(1, "promotions", None).unwrap();
        assert!(tell(&mut desk).is_empty(), "a repeat");
        assert!(desk.reserve(1, TEMPLATE).is_ok(), "{by_put}");
    }
}

#[test]
fn whoever_vouched_before_a_change_of_that_second_was_heard_did_not_vouch_for_it() {
    for is_heard_before in [true, false] {
        let (mut desk, _) = agreed();
        desk.seen_with(1, SECOND - 20_000, "B");
        if is_heard_before {
            change(&mut desk, 3, SECOND);
        }
        desk.confirm(1, "B").unwrap();
        if !is_heard_before {
            change(&mut desk, 3, SECOND);
        }
        let subject = desk.state.contacts().find(ContactKey::from_bits(1)).unwrap();
        let known = desk.state.contacts().get(subject).unwrap();
        assert_eq!(known.identity_changed().is_some(), !is_heard_before);
    }
}

#[expect(clippy::unnecessary_wraps, reason = "as a message has it")]
fn no() -> Option<ConsentAnswer> {
    Some(ConsentAnswer::No { how: how() })
}

#[test]
fn an_answer_of_the_second_of_its_question_is_one() {
    for (answer, status) in [(yes(), ConsentStatus::Granted), (no(), ConsentStatus::Withdrawn)] {
        let mut desk = Desk::new();
        desk.now = SECOND + 299;
        desk.ask(1, "promotions");
        desk.now = SECOND + 500;
        desk.wrote(1, SECOND - 1_000, answer.clone());
        assert_eq!(desk.status(1, "promotions"), ConsentStatus::Pending, "of the second before");
        desk.wrote(1, SECOND, answer.clone());
        assert_eq!(desk.status(1, "promotions"), status);
        assert!(desk.wrote(1, SECOND, answer).is_empty(), "a repeat");
        let subject = desk.state.contacts().find(ContactKey::from_bits(1)).unwrap();
        let consents = &desk.state.contacts().get(subject).unwrap().consents;
        let is_answered = consents.questions().all(|(_, _, is_open)| !is_open);
        assert_eq!(is_answered, status == ConsentStatus::Granted);
        assert!(desk.replayed() == desk.state);
    }
}

#[test]
fn of_a_yes_and_a_no_or_a_stop_of_the_second_of_a_question_the_yes_loses_in_any_order() {
    for (one, other) in [(yes(), no()), (no(), yes()), (yes(), stop()), (stop(), yes())] {
        let mut desk = Desk::new();
        desk.now = SECOND + 299;
        desk.ask(1, "promotions");
        desk.now = SECOND + 500;
        desk.wrote(1, SECOND, one);
        desk.wrote(1, SECOND, other);
        assert_eq!(desk.status(1, "promotions"), ConsentStatus::Withdrawn);
    }
}

#[test]
fn a_yes_is_no_answer_to_what_may_have_been_put_to_somebody_else_in_its_second() {
    for is_changed_first in [true, false] {
        let mut desk = Desk::new();
        desk.seen_with(1, SECOND - 50_000, "A");
        desk.now = SECOND + 299;
        desk.ask(1, "promotions");
        desk.now = SECOND + 5_000;
        let tell = |desk: &mut Desk, is_change: bool| {
            if is_change {
                change(desk, 2, SECOND);
            } else {
                desk.wrote(1, SECOND + 2_000, yes());
            }
        };
        tell(&mut desk, is_changed_first);
        tell(&mut desk, !is_changed_first);
        assert!(desk.reserve(1, TEMPLATE).is_err(), "{is_changed_first}");
    }
}

#[test]
fn a_stop_goes_along_with_a_move_of_its_second() {
    for is_stopped_first in [true, false] {
        let (mut desk, _) = agreed();
        desk.let_follow(true);
        let tell = |desk: &mut Desk, is_stop: bool| {
            if is_stop {
                desk.wrote(1, SECOND, stop());
            } else {
                change(desk, 4, SECOND);
            }
        };
        tell(&mut desk, is_stopped_first);
        tell(&mut desk, !is_stopped_first);
        assert_eq!(desk.status(3, "promotions"), ConsentStatus::Withdrawn, "{is_stopped_first}");
    }
}
