//! What a person says last counts, in whatever order it is heard.

use super::{Desk, TEMPLATE, at, how, wrote};
use crate::domain::{
    command::{Command, OptIn, RegistryCommand},
    consent::{Act, ConsentStatus},
    decide::tests::topic_id,
    event::Event,
    hearing::{ConsentAnswer, HeardFact, Wrote},
    key::ContactKey,
    reason::Reason,
    ticket::{MessageKind, TicketState, VoidCause},
    time::DAY_MS,
};
use crate::policy::ConsentBasis;

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

#[derive(Debug, Clone, Copy)]
enum Said {
    Asked,
    Yes,
    No,
    Stop,
    Express,
    Implied,
}

fn by_crm(desk: &mut Desk, basis: ConsentBasis, ms: i64) {
    let said = crate::domain::decide::tests::opt_in_of(desk.person(1), "promotions");
    let said = OptIn { basis, captured_at: Some(at(ms)), ..said };
    desk.run(Command::OptIn(Box::new(said))).unwrap();
}

/// Person 1 after all of that, each said at its moment and told in this order.
fn after(told: &[(Said, i64)]) -> Desk {
    let mut desk = Desk::new();
    let start = desk.now;
    desk.now += 1_000;
    for (said, ms) in told {
        let ms = start + ms;
        match said {
            Said::Asked => desk.ask_at(1, "promotions", ms),
            Said::Yes => tell_yes(&mut desk, Yes::Word, ms),
            Said::No => drop(desk.wrote(1, ms, Some(ConsentAnswer::No { how: how() }))),
            Said::Stop => tell_stop(&mut desk, Stop::Everything, ms),
            Said::Express => by_crm(&mut desk, ConsentBasis::Express, ms),
            Said::Implied => by_crm(&mut desk, ConsentBasis::ImpliedPurchase, ms),
        }
    }
    assert!(desk.replayed() == desk.state, "{told:?}");
    desk
}

#[test]
fn an_answer_counts_by_its_own_date_whatever_stood_there_before() {
    use ConsentStatus::{Granted, Withdrawn};
    use Said::{Asked, Express, Implied, No, Stop, Yes};
    for (told, status) in [
        // A no to a question is one beside an agreement as well.
        (&[(Implied, 0), (Asked, 60), (No, 120)][..], Withdrawn),
        (&[(Asked, 60), (Implied, 180), (No, 120)], Withdrawn),
        (&[(Asked, 60), (No, 120), (Implied, 180)], Withdrawn),
        (&[(Express, 0), (Asked, 60), (No, 70)], Withdrawn),
        (&[(Asked, 60), (Yes, 240), (No, 300)], Withdrawn),
        (&[(Asked, 60), (No, 300), (Yes, 240)], Withdrawn),
        (&[(Asked, 60), (No, 240), (Yes, 300)], Granted),
        (&[(Asked, 60), (Yes, 300), (No, 240)], Granted),
        // A question is answered once, also by a yes that is heard too late to count.
        (&[(Asked, 20), (Yes, 25), (Stop, 30), (Yes, 40)], Withdrawn),
        (&[(Asked, 20), (Stop, 30), (Yes, 25), (Yes, 40)], Withdrawn),
        (&[(Asked, 20), (Stop, 30), (Yes, 40)], Granted),
        // A yes says more than what is implied.
        (&[(Implied, 0), (Asked, 60), (Yes, 120)], Granted),
        (&[(Asked, 60), (Yes, 120), (Implied, 0)], Granted),
    ] {
        let desk = after(told);
        assert_eq!(desk.status(1, "promotions"), status, "{told:?}");
        let subject = desk.state.contacts().find(ContactKey::from_bits(1)).unwrap();
        let contact = desk.state.contacts().get(subject).unwrap();
        let mut agreed = contact.consents.acts().filter(|act| act.act == Act::Agreed);
        assert!(agreed.all(|act| act.basis.is_express()), "{told:?}");
    }
}

#[test]
fn whose_agreement_has_run_out_can_say_yes_again() {
    let mut desk = Desk::new();
    let topic = crate::domain::registry::Topic {
        name: "Promotions".into(),
        category: crate::domain::registry::Category::Marketing,
        description: None,
        expires_after_days: Some(1),
    };
    let id = topic_id("promotions");
    desk.put(RegistryCommand::PutTopic { id, topic });
    desk.opt_in(1, "promotions", None).unwrap();
    desk.now += DAY_MS + 1;
    assert_eq!(desk.status(1, "promotions"), ConsentStatus::Expired);
    desk.ask(1, "promotions");
    desk.now += 10;
    let now = desk.now;
    tell_yes(&mut desk, Yes::Word, now);
    assert_eq!(desk.status(1, "promotions"), ConsentStatus::Granted);
    assert!(desk.replayed() == desk.state);
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

/// Person 1 was seen with this hash, and asked since.
fn asked_with(hash: &str) -> Desk {
    let mut desk = Desk::new();
    let now = desk.now;
    desk.seen_with(1, now, hash);
    desk.now += 10;
    desk.ask(1, "promotions");
    desk.now += 10;
    desk
}

#[test]
fn a_question_to_whoever_was_there_before_is_answered_by_nobody_else() {
    for (asked_again, status, reviews) in
        [(false, ConsentStatus::Pending, 1), (true, ConsentStatus::Granted, 0)]
    {
        let mut desk = asked_with("A");
        let now = desk.now;
        desk.seen_with(1, now, "B");
        if asked_again {
            desk.now += 10;
            desk.ask(1, "promotions");
        }
        desk.now += 10;
        let now = desk.now;
        tell_yes(&mut desk, Yes::Word, now);
        assert_eq!(desk.status(1, "promotions"), status);
        assert_eq!(desk.reviews().len(), reviews);
    }
    // The very message that says yes shows the change.
    let mut desk = asked_with("A");
    let answer = ConsentAnswer::Yes { how: how(), answer_only: false };
    let wrote = wrote(desk.person(1), Some(answer));
    let now = desk.now;
    desk.hear(now, HeardFact::Wrote(Wrote { identity_hash: Some("B".into()), ..wrote }));
    assert_eq!(desk.status(1, "promotions"), ConsentStatus::Pending);
}

/// How somebody else comes to be behind the number of person 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Other {
    Device,
    Owner,
}

#[test]
fn a_yes_to_what_somebody_else_was_asked_counts_for_nobody_in_any_order_of_arrival() {
    for other in [Other::Device, Other::Owner] {
        for is_late in [false, true] {
            let mut desk = Desk::new();
            desk.now += 100;
            let start = desk.now - 50;
            desk.seen_with(1, start, "A");
            desk.ask_at(1, "promotions", start + 10);
            let changes = |desk: &mut Desk| match other {
                Other::Device => drop(desk.seen_with(1, start + 20, "B")),
                Other::Owner => {
                    let (old, new) = (desk.person(1), None);
                    desk.hear(start + 20, HeardFact::MovedNumber { old, new });
                }
            };
            if !is_late {
                changes(&mut desk);
            }
            tell_yes(&mut desk, Yes::Word, start + 30);
            if is_late {
                assert!(desk.reserve(1, TEMPLATE).is_ok(), "nobody knows yet");
                changes(&mut desk);
            }
            let case = format!("{other:?} {is_late}");
            let reason = match other {
                Other::Device => Reason::IdentityChanged,
                Other::Owner => Reason::NumberChanged,
            };
            let refused = desk.reserve(1, TEMPLATE).unwrap_err();
            assert!(refused.contains(&reason), "{case} {refused:?}");
            assert_eq!(desk.reviews().len(), usize::from(!is_late), "{case}");
            assert!(desk.replayed() == desk.state, "{case}");
            // Whoever is there now says to what.
            tell_yes(&mut desk, Yes::Button, start + 40);
            assert!(desk.reserve(1, TEMPLATE).is_ok(), "{case}");
        }
    }
}

/// Person 1 is asked, a message goes to them before or after that, and another device answers it.
fn answered_by_another_device(asked_first: bool, to: u128, kind: MessageKind) -> Desk {
    let mut desk = Desk::new();
    desk.now += 100;
    let start = desk.now - 50;
    desk.seen_with(1, start, "A");
    desk.wrote(2, start, None);
    for key in [1, 2] {
        desk.opt_in(key, "promotions", Some(start)).unwrap();
    }
    if asked_first {
        desk.ask_at(1, "promotions", start + 10);
    }
    let ticket = desk.reserve(to, kind).unwrap();
    desk.commit(ticket, 77).unwrap();
    desk.now += 10;
    if !asked_first {
        desk.ask_at(1, "promotions", desk.now);
    }
    desk.now += 10;
    let question = Some(crate::domain::key::MessageKey::from_bits(77));
    let how = crate::domain::hearing::AnswerHow { question, ..how() };
    let answer = Some(ConsentAnswer::Yes { how, answer_only: true });
    let wrote = wrote(desk.person(1), answer);
    let now = desk.now;
    desk.hear(now, HeardFact::Wrote(Wrote { identity_hash: Some("B".into()), ..wrote }));
    desk
}

#[test]
fn whoever_answers_the_question_that_went_to_them_agrees_themselves() {
    let mut desk = answered_by_another_device(true, 1, TEMPLATE);
    assert!(desk.reserve(1, TEMPLATE).is_ok());
    assert!(desk.reviews().is_empty());
    // What went to them before they were asked, or to somebody else, was no question to them, and
    // what an agent wrote need not have been one.
    for (asked_first, to, kind) in
        [(false, 1, TEMPLATE), (true, 2, TEMPLATE), (true, 1, MessageKind::Session)]
    {
        let mut desk = answered_by_another_device(asked_first, to, kind);
        let refused = desk.reserve(1, TEMPLATE).unwrap_err();
        assert_eq!(refused, [Reason::IdentityChanged], "{asked_first} {to} {kind:?}");
        assert_eq!(desk.reviews().len(), 1, "{asked_first} {to} {kind:?}");
    }
}

#[test]
fn an_ok_to_a_message_about_something_else_answers_no_question() {
    for (topic, status, reviews) in
        [("orders", ConsentStatus::Pending, 1), ("promotions", ConsentStatus::Granted, 0)]
    {
        let mut desk = Desk::new();
        desk.opt_in(1, "orders", None).unwrap();
        desk.opt_in(1, "promotions", None).unwrap();
        desk.put_as(|template| {
            template.topic = topic_id(topic);
            template.category = crate::domain::registry::Category::Utility;
        });
        let ticket = desk.reserve(1, TEMPLATE).unwrap();
        desk.commit(ticket, 77).unwrap();
        desk.opt_in(2, "orders", None).unwrap();
        desk.now += 10;
        desk.ask(2, "promotions");
        desk.now += 10;
        let question = Some(crate::domain::key::MessageKey::from_bits(77));
        let how = crate::domain::hearing::AnswerHow { question, ..how() };
        desk.wrote(2, desk.now, Some(ConsentAnswer::Yes { how, answer_only: true }));
        assert_eq!(desk.status(2, "promotions"), status, "{topic}");
        assert_eq!(desk.reviews().len(), reviews, "{topic}");
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
