//! What a person says last counts, in whatever order it is heard.

use super::{Desk, TEMPLATE, at, how, wrote};
use crate::domain::{
    consent::ConsentStatus,
    decide::tests::topic_id,
    event::Event,
    hearing::{ConsentAnswer, HeardFact, Wrote},
    key::ContactKey,
    reason::Reason,
    ticket::{TicketState, VoidCause},
    time::DAY_MS,
};

/// How somebody stops something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    Topic,
    Marketing,
    Everything,
}

/// How somebody agrees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Yes {
    /// To what they were asked.
    Word,
    /// By a button or an entry point, which says to what.
    Button,
}

fn agreed() -> ConsentAnswer {
    let topics = vec![topic_id("promotions")];
    ConsentAnswer::OptIn { topics, statement: None, language: None, how: how() }
}

/// Tells one thing about person 1, as of a moment.
fn tell_stop(desk: &mut Desk, stop: Stop, ms: i64) {
    let topics = vec![topic_id("promotions")];
    match stop {
        Stop::Topic => {
            let answer = ConsentAnswer::OptOut { topics: Some(topics), how: how() };
            desk.wrote(1, ms, Some(answer));
        }
        Stop::Everything => {
            desk.wrote(1, ms, Some(ConsentAnswer::OptOut { topics: None, how: how() }));
        }
        Stop::Marketing => {
            desk.prefers(1, ms, true);
        }
    }
}

fn tell_yes(desk: &mut Desk, yes: Yes, ms: i64) {
    let answer = match yes {
        Yes::Word => ConsentAnswer::Yes { how: how(), answer_only: false },
        Yes::Button => agreed(),
    };
    desk.wrote(1, ms, Some(answer));
}

#[test]
fn of_a_yes_and_a_stop_the_later_one_counts_in_any_order_of_arrival() {
    for stop in [Stop::Topic, Stop::Marketing, Stop::Everything] {
        for yes in [Yes::Word, Yes::Button] {
            for (yes_at, stop_at) in [(10, 20), (30, 20), (20, 20)] {
                for (asked_last, yes_first) in
                    [(false, false), (false, true), (true, false), (true, true)]
                {
                    let mut desk = Desk::new();
                    desk.now += 100;
                    let start = desk.now - 50;
                    // What is asked after the stop was heard must be answered like what was before.
                    let asks = |desk: &mut Desk| desk.ask_at(1, "promotions", start + 5);
                    if !asked_last {
                        asks(&mut desk);
                    }
                    if yes_first {
                        if asked_last {
                            asks(&mut desk);
                        }
                        tell_yes(&mut desk, yes, start + yes_at);
                        tell_stop(&mut desk, stop, start + stop_at);
                    } else {
                        tell_stop(&mut desk, stop, start + stop_at);
                        if asked_last {
                            asks(&mut desk);
                        }
                        tell_yes(&mut desk, yes, start + yes_at);
                    }
                    let case = format!("{stop:?} {yes:?} {yes_at} {yes_first} {asked_last}");
                    let refused = desk.reserve(1, TEMPLATE).err();
                    let expected = match stop {
                        // What was stopped inside WhatsApp is resumed there, and nowhere else.
                        Stop::Marketing => Some(vec![Reason::MarketingStopped]),
                        Stop::Topic | Stop::Everything if yes_at > stop_at => None,
                        Stop::Topic | Stop::Everything => Some(vec![Reason::Withdrawn]),
                    };
                    assert_eq!(refused, expected, "{case}");
                    assert!(desk.reviews().is_empty(), "{case}");
                    assert!(desk.replayed() == desk.state, "{case}");
                }
            }
        }
    }
}

#[test]
fn whoever_left_and_is_asked_again_can_say_yes() {
    let mut desk = Desk::new();
    desk.opt_in(1, "promotions", None).unwrap();
    desk.opt_out(1, None).unwrap();
    desk.ask(1, "promotions");
    assert_eq!(desk.status(1, "promotions"), ConsentStatus::Withdrawn, "asking is no answer");
    desk.now += 10;
    let now = desk.now;
    tell_yes(&mut desk, Yes::Word, now);
    assert_eq!(desk.status(1, "promotions"), ConsentStatus::Granted);
    assert_eq!(desk.status(1, "orders"), ConsentStatus::Withdrawn);
    assert!(desk.replayed() == desk.state);
}

#[test]
fn after_a_withdrawal_a_mere_answer_must_come_soon_after_the_question() {
    for (later, status, reviews) in
        [(1_000, ConsentStatus::Granted, 0), (DAY_MS + 1_000, ConsentStatus::Withdrawn, 1)]
    {
        let mut desk = Desk::new();
        desk.ask(1, "promotions");
        desk.opt_out(1, None).unwrap();
        desk.now += later;
        let answer = ConsentAnswer::Yes { how: how(), answer_only: true };
        desk.wrote(1, desk.now, Some(answer));
        assert_eq!(desk.status(1, "promotions"), status);
        assert_eq!(desk.reviews().len(), reviews);
    }
}

/// Somebody agrees with the device of this hash.
fn agrees_with(desk: &mut Desk, ms: i64, hash: &str) -> Vec<Event> {
    let wrote = wrote(desk.person(1), Some(agreed()));
    let identity_hash = Some(hash.into());
    desk.hear(ms, HeardFact::Wrote(Wrote { identity_hash, ..wrote }))
}

#[test]
fn a_yes_in_the_message_that_shows_a_new_device_is_the_new_persons_for_its_topic_only() {
    for late in [false, true] {
        let mut desk = Desk::new();
        desk.opt_in(1, "promotions", None).unwrap();
        desk.opt_in(1, "orders", None).unwrap();
        desk.now += 100;
        let start = desk.now - 50;
        let ticket = desk.reserve(1, TEMPLATE).unwrap();
        if late {
            agrees_with(&mut desk, start + 20, "B");
            desk.seen_with(1, start + 10, "A");
        } else {
            desk.seen_with(1, start + 10, "A");
            let events = agrees_with(&mut desk, start + 20, "B");
            let [Event::IdentityChanged { .. }, Event::TicketVoided { .. }, Event::OptedIn(_), ..] =
                &events[..]
            else {
                panic!("{events:?}")
            };
            assert!(agrees_with(&mut desk, start + 20, "B").is_empty(), "a repeat");
        }
        let voided = TicketState::Voided { cause: VoidCause::IdentityChanged };
        // Heard late, the change is older than the agreement and the ticket.
        let expected = if late { TicketState::Reserved } else { voided };
        assert_eq!(desk.state.ticket(ticket).unwrap().state, expected);
        let subject = desk.state.contacts().find(ContactKey::from_bits(1)).unwrap();
        let contact = desk.state.contacts().get(subject).unwrap();
        let change = contact.identity_changed().unwrap();
        let registered = ["promotions", "orders"].map(|topic| {
            let (ix, _) = desk.state.registry().topic(&topic_id(topic)).unwrap();
            contact.consents.has_registered_since(Some(ix), change)
        });
        assert_eq!(registered, [true, false], "{late}");
        assert!(desk.reserve(1, TEMPLATE).is_ok(), "{late}");
        assert!(desk.replayed() == desk.state);
    }
}

#[test]
fn a_yes_from_an_older_message_or_another_device_of_that_moment_is_not_the_new_persons() {
    // When it was said and with which hash; the new device shows at 20.
    for (said, hash) in [(15, "A"), (15, "B"), (20, "A")] {
        for late in [false, true] {
            let mut desk = Desk::new();
            desk.opt_in(1, "promotions", None).unwrap();
            desk.now += 100;
            let start = desk.now - 50;
            desk.seen_with(1, start + 10, "A");
            if !late {
                agrees_with(&mut desk, start + said, hash);
            }
            desk.seen_with(1, start + 20, "B");
            if late {
                agrees_with(&mut desk, start + said, hash);
            }
            // What B said at 15 shows that B was there at 15 already: then it is the new person's.
            let expected = if hash == "B" { None } else { Some(vec![Reason::IdentityChanged]) };
            assert_eq!(desk.reserve(1, TEMPLATE).err(), expected, "{said} {hash} {late}");
        }
    }
}

#[test]
fn a_change_nobody_knows_the_hash_of_is_not_answered_by_a_yes_of_its_own_moment() {
    let mut desk = Desk::new();
    desk.opt_in(1, "promotions", None).unwrap();
    desk.now += 100;
    let now = desk.now;
    agrees_with(&mut desk, now, "B");
    let person = desk.person(1);
    desk.hear(now, HeardFact::IdentityChanged { person, hash: None });
    assert_eq!(desk.reserve(1, TEMPLATE), Err(vec![Reason::IdentityChanged]));
    assert!(at(now) < at(desk.now));
}
