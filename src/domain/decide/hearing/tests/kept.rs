//! A bare answer counts for what the person was asked under an identifier that is only later known to
//! be theirs.

use super::{
    ConsentAnswer, Desk, Event, HeardFact, TEMPLATE, how,
    pair::{Heard, orders, tell},
    user_only, wrote, yes,
};
use crate::domain::{consent::ConsentStatus, key::ContactKey, names::SenderId};

#[test]
fn an_answer_under_the_user_id_is_one_to_what_the_number_was_asked_once_they_are_one() {
    #[derive(Debug, Clone, Copy)]
    enum Done {
        Asked,
        Answered,
        Joined,
    }
    use Done::{Answered, Asked, Joined};
    let orders = [
        [Asked, Answered, Joined],
        [Asked, Joined, Answered],
        [Answered, Asked, Joined],
        [Joined, Asked, Answered],
    ];
    let no = || Some(ConsentAnswer::No { how: how() });
    for order in orders {
        for (answer, expected) in
            [(yes(), ConsentStatus::Granted), (no(), ConsentStatus::Withdrawn)]
        {
            let mut desk = Desk::new();
            desk.now += 100;
            let start = desk.now - 90;
            let user = user_only(&mut desk, 91);
            for done in order {
                match done {
                    Asked => desk.ask_at(1, "promotions", start + 10),
                    Answered => drop(desk.write(user.clone(), start + 20, answer.clone())),
                    Joined => drop(tell(&mut desk, Heard::Both, start + 30)),
                }
            }
            assert_eq!(desk.status(1, "promotions"), expected, "{order:?}");
            let place = desk.state.contacts().find(ContactKey::from_bits(1)).unwrap();
            let told = desk.state.contacts().get(place).unwrap().details().told();
            assert!(told.answers.is_empty(), "{order:?}");
            assert!(desk.replayed() == desk.state, "{order:?}");
        }
    }
}

#[test]
fn answers_wait_for_a_question_only_as_long_as_one_identifier_is_known_and_the_latest_do() {
    let is_kept = |events: &[Event]| events.iter().any(|it| matches!(it, Event::AnswerKept(_)));
    let mut desk = Desk::new();
    desk.now += 100;
    let start = desk.now - 90;
    let user = user_only(&mut desk, 91);
    for after in 0..8 {
        assert!(is_kept(&desk.write(user.clone(), start + after, yes())), "{after}");
    }
    for after in 0..8 {
        assert!(!is_kept(&desk.write(user.clone(), start + after, yes())), "{after} again");
    }
    let whole = desk.both(2, 92);
    assert!(!is_kept(&desk.write(whole, start, yes())), "both are known");
    desk.ask_at(1, "promotions", start + 50);
    tell(&mut desk, Heard::Both, start + 60);
    assert_eq!(desk.status(1, "promotions"), ConsentStatus::Pending, "they said so before");
}

#[test]
fn an_answer_of_whoever_had_the_number_before_permits_nothing_in_any_order() {
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Done {
        Answered,
        Joined,
        Taken,
    }
    for order in orders(&[Done::Answered, Done::Joined, Done::Taken]) {
        let mut desk = Desk::new();
        desk.now += 100;
        let start = desk.now - 90;
        desk.ask_at(1, "promotions", start + 40);
        let user = user_only(&mut desk, 91);
        for done in &order {
            match done {
                Done::Answered => drop(desk.write(user.clone(), start + 50, yes())),
                Done::Joined => drop(tell(&mut desk, Heard::Both, start + 10)),
                Done::Taken => drop(tell(&mut desk, Heard::Next, start + 30)),
            }
        }
        for key in [1, 91, 92] {
            assert!(desk.may(key, TEMPLATE).is_err(), "{order:?} {key}");
        }
        let place = |done| order.iter().position(|it| *it == done);
        if place(Done::Taken) < place(Done::Answered) {
            assert_eq!(desk.status(1, "promotions"), ConsentStatus::Pending, "{order:?}");
            assert_eq!(desk.reviews().len(), 1, "{order:?}");
        }
        assert!(desk.replayed() == desk.state, "{order:?}");
    }
}

#[test]
fn a_review_of_an_answer_that_waited_names_whom_it_was_written_to() {
    let mut desk = Desk::new();
    desk.now += 100;
    let start = desk.now - 90;
    desk.ask_at(1, "promotions", start + 40);
    tell(&mut desk, Heard::Next, start + 30);
    let other = Some(SenderId::parse("700100200300502").unwrap());
    let answer = HeardFact::Wrote(wrote(user_only(&mut desk, 91), yes()));
    desk.told(start + 50, ("a1", other.clone()), answer);
    let joined = tell(&mut desk, Heard::Both, start + 10);
    let opened = joined.into_iter().find_map(|event| {
        let Event::ReviewOpened(opened) = event else { return None };
        Some(opened.sender)
    });
    assert_eq!(opened, Some(other));
}
