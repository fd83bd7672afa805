//! Answers that are heard before what they are about is known, or long after.

use super::{
    AnswerHow, ConsentAnswer, Delivery, Desk, HeardFact, Reason, SESSION, Step, TEMPLATE, Wrote,
    at, delivery, how, wrote,
};
use crate::domain::{
    command::RegistryCommand,
    consent::ConsentStatus,
    decide::tests::topic_id,
    key::{ContactKey, MessageKey},
    names::{Language, TemplateName},
    registry::{AnswerAct, Category, Template, TemplateAnswer, TemplateRef},
    ticket::MessageKind,
    time::DAY_MS,
};

fn yes(answer_only: bool, question: Option<u128>) -> ConsentAnswer {
    let question = question.map(MessageKey::from_bits);
    ConsentAnswer::Yes { how: AnswerHow { question, ..how() }, answer_only }
}

fn tap(payload: &str, question: u128) -> ConsentAnswer {
    let (text, question) = (Some(payload.into()), Some(MessageKey::from_bits(question)));
    let how = AnswerHow { kind: "button".into(), text, question, ..how() };
    let topics = vec![topic_id("promotions")];
    ConsentAnswer::OptIn { topics, statement: None, language: None, how }
}

/// Puts the template that is sent, about a topic, with what a payload of it stands for.
fn put(desk: &mut Desk, topic: &str, payload: Option<&str>) {
    let topics = vec![topic_id("promotions")];
    let answer = TemplateAnswer { act: AnswerAct::OptIn, topics };
    let answers = payload.map(|payload| (payload.into(), answer)).into_iter().collect();
    let (topic, status, category) = (topic_id(topic), "APPROVED".into(), Category::Utility);
    let template = Template { topic, category, status, answers };
    let name = TemplateName::parse("sale").unwrap();
    let id = TemplateRef { name, language: Language::parse("id").unwrap() };
    desk.put(RegistryCommand::PutTemplate { id, template });
}

/// A template about a topic goes out to 1, and 1 answers it, heard in either order.
fn answered(
    topic: &str,
    payload: Option<&str>,
    (is_asked, is_late): (bool, bool),
    answer: ConsentAnswer,
) -> Desk {
    let mut desk = Desk::new();
    put(&mut desk, topic, payload);
    if is_asked {
        desk.ask(1, "promotions");
    }
    desk.opt_in(1, "orders", None).unwrap();
    if topic == "promotions" {
        // So that it may be sent: what ran out, or was agreed to before, can be asked again.
        desk.opt_in(1, "promotions", Some(desk.now - 1_000)).unwrap();
    }
    let ticket = desk.reserve(1, TEMPLATE).unwrap();
    desk.now += 10;
    let now = desk.now;
    let status = |desk: &mut Desk| {
        let delivery = delivery(desk, 1, 77, Step::Delivered);
        desk.hear(now, HeardFact::Delivery(Delivery { ticket: Some(ticket), ..delivery }));
    };
    if is_late {
        status(&mut desk);
    }
    desk.wrote(1, now, Some(answer));
    if !is_late {
        status(&mut desk);
    }
    assert!(desk.replayed() == desk.state);
    desk
}

#[test]
fn an_ok_below_a_message_that_is_not_known_yet_confirms_no_more_than_below_a_known_one() {
    for is_late in [true, false] {
        for answer_only in [true, false] {
            let answer = yes(answer_only, Some(77));
            let desk = answered("orders", None, (true, is_late), answer.clone());
            assert_eq!(desk.status(1, "promotions"), ConsentStatus::Pending, "{is_late}");
            assert_eq!(desk.reviews().len(), 1, "{is_late}");
            assert_eq!(desk.reviews()[0].1, "yes_late");
            let desk = answered("promotions", None, (true, is_late), answer);
            assert!(desk.reviews().is_empty(), "what was sent was about that");
            // What answers no message is no answer to that one.
            let desk = answered("orders", None, (true, is_late), yes(answer_only, None));
            assert_eq!(desk.status(1, "promotions"), ConsentStatus::Granted, "{is_late}");
        }
    }
}

#[test]
fn an_ok_below_a_message_of_somebody_who_uses_no_tickets_confirms() {
    for (sent_before, answer_only, status) in [
        (None, true, ConsentStatus::Granted),
        (None, false, ConsentStatus::Granted),
        (Some(DAY_MS + 20), true, ConsentStatus::Granted),
        (Some(DAY_MS + 20), false, ConsentStatus::Granted),
        (Some(10), true, ConsentStatus::Pending),
        (Some(10), false, ConsentStatus::Pending),
    ] {
        let mut desk = Desk::new();
        put(&mut desk, "orders", None);
        desk.opt_in(1, "orders", None).unwrap();
        if let Some(before) = sent_before {
            desk.reserve(1, TEMPLATE).unwrap();
            desk.now += before;
        }
        desk.ask(1, "promotions");
        desk.now += 10;
        desk.wrote(1, desk.now, Some(yes(answer_only, Some(77))));
        assert_eq!(desk.status(1, "promotions"), status, "{sent_before:?} {answer_only}");
    }
    // What went out on a ticket that is known by its message is not the one.
    let mut desk = Desk::new();
    put(&mut desk, "orders", None);
    desk.opt_in(1, "orders", None).unwrap();
    let ticket = desk.reserve(1, TEMPLATE).unwrap();
    desk.commit(ticket, 76).unwrap();
    desk.ask(1, "promotions");
    desk.now += 10;
    desk.wrote(1, desk.now, Some(yes(true, Some(77))));
    assert_eq!(desk.status(1, "promotions"), ConsentStatus::Granted);
}

#[test]
fn a_tap_below_a_message_that_is_not_known_yet_agrees_only_where_it_is_registered() {
    for is_late in [true, false] {
        let desk = answered("orders", None, (false, is_late), tap("YES1", 77));
        assert_eq!(desk.status(1, "promotions"), ConsentStatus::NeverAsked, "{is_late}");
        assert_eq!(desk.reviews()[0].1, "payload_uncertain");
        let long = "Y".repeat(120);
        let kept = "Y".repeat(100);
        for (payload, said) in [("YES1", "YES1"), (&*long, &*kept)] {
            let desk = answered("orders", Some(payload), (false, is_late), tap(said, 77));
            assert_eq!(desk.status(1, "promotions"), ConsentStatus::Granted, "{is_late}");
            assert!(desk.reviews().is_empty());
        }
        let desk = answered("orders", Some("YES12"), (false, is_late), tap("YES1", 77));
        assert_eq!(desk.status(1, "promotions"), ConsentStatus::NeverAsked, "{is_late}");
    }
    let mut desk = Desk::new();
    desk.wrote(1, desk.now, Some(tap("YES1", 77)));
    assert_eq!(desk.status(1, "promotions"), ConsentStatus::Granted, "nothing else was sent");
}

/// 2 was asked at 0; 1 moves to number 2 at 10; a yes comes from there at 50.
#[test]
fn what_a_former_owner_was_asked_is_not_agreed_to_by_whoever_moves_to_the_number() {
    for is_late in [false, true] {
        let mut desk = Desk::new();
        desk.opt_in(1, "orders", None).unwrap();
        let start = desk.now;
        desk.now += 100;
        desk.ask_at(2, "promotions", start);
        let moves = |desk: &mut Desk| {
            let (old, new) = (desk.person(1), Some(desk.person(2)));
            desk.hear(start + 10, HeardFact::MovedNumber { old, new });
        };
        if !is_late {
            moves(&mut desk);
        }
        desk.wrote(2, start + 50, Some(yes(false, None)));
        if is_late {
            assert!(desk.reserve(2, TEMPLATE).is_ok());
            moves(&mut desk);
        }
        let refused = desk.reserve(2, TEMPLATE).unwrap_err();
        assert!(refused.contains(&Reason::IdentityChanged), "{is_late} {refused:?}");
        assert!(desk.replayed() == desk.state, "{is_late}");
        desk.opt_in(2, "promotions", None).unwrap();
        assert!(desk.reserve(2, TEMPLATE).is_ok(), "{is_late}");
    }
}

#[test]
fn an_open_question_to_a_former_owner_is_one_of_before_the_move() {
    let mut desk = Desk::new();
    desk.opt_in(1, "orders", None).unwrap();
    let start = desk.now;
    desk.now += 100;
    // Left, was asked once more, and has not answered.
    desk.opt_out_at(2, Some(&["promotions"]), Some(start + 20)).unwrap();
    desk.ask_at(2, "promotions", start);
    let (old, new) = (desk.person(1), Some(desk.person(2)));
    desk.hear(start + 10, HeardFact::MovedNumber { old, new });
    let subject = desk.state.contacts().find(ContactKey::from_bits(2)).unwrap();
    let changed = desk.state.contacts().get(subject).unwrap().identity_changed();
    assert_eq!(changed.map(|change| change.at), Some(at(start + 10)));
}

#[test]
fn an_answer_to_what_an_agent_wrote_is_none_to_what_the_owner_before_was_asked() {
    for is_known in [true, false] {
        let mut desk = Desk::new();
        desk.now += 100;
        let start = desk.now - 50;
        desk.seen_with(1, start, "A");
        desk.ask_at(1, "promotions", start + 5);
        let changes = |desk: &mut Desk| desk.seen_with(1, start + 10, "B");
        if is_known {
            changes(&mut desk);
        }
        desk.opt_in(1, "orders", Some(start + 20)).unwrap();
        let ticket = desk.reserve(1, SESSION).unwrap();
        desk.commit(ticket, 77).unwrap();
        desk.now += 10;
        let answer = wrote(desk.person(1), Some(yes(true, Some(77))));
        let now = desk.now;
        let identity_hash = is_known.then(|| "B".into());
        desk.hear(now, HeardFact::Wrote(Wrote { identity_hash, ..answer }));
        if !is_known {
            changes(&mut desk);
        }
        let refused = desk.reserve(1, MessageKind::Template).unwrap_err();
        assert!(refused.contains(&Reason::IdentityChanged), "{is_known} {refused:?}");
        assert_eq!(desk.status(1, "promotions") == ConsentStatus::Pending, is_known);
        assert!(desk.replayed() == desk.state);
    }
}

#[test]
fn a_yes_or_a_no_counts_for_the_question_before_it_however_often_that_was_put_since() {
    for (answer, status) in [
        (yes(false, None), ConsentStatus::Granted),
        (ConsentAnswer::No { how: how() }, ConsentStatus::Withdrawn),
    ] {
        for is_late in [false, true] {
            let mut desk = Desk::new();
            desk.now += 1_000;
            let start = desk.now - 900;
            desk.ask_at(1, "promotions", start);
            if !is_late {
                desk.wrote(1, start + 10, Some(answer.clone()));
            }
            for again in 2..40 {
                desk.ask_at(1, "promotions", start + again * 10);
            }
            if is_late {
                desk.wrote(1, start + 10, Some(answer.clone()));
            }
            assert_eq!(desk.status(1, "promotions"), status, "{is_late}");
            assert!(desk.reviews().is_empty(), "{is_late}");
            assert!(desk.replayed() == desk.state, "{is_late}");
        }
    }
}

#[test]
fn a_question_that_was_answered_and_asked_again_is_open_again_in_any_order() {
    // Asked, agreed, asked again, stopped, and a yes to the second question.
    let steps: [fn(&mut Desk, i64); 5] = [
        |desk, start| desk.ask_at(1, "promotions", start),
        |desk, start| drop(desk.wrote(1, start + 10, Some(yes(false, None)))),
        |desk, start| desk.ask_at(1, "promotions", start + 20),
        |desk, start| drop(desk.wrote(1, start + 30, super::stop())),
        |desk, start| drop(desk.wrote(1, start + 40, Some(yes(false, None)))),
    ];
    for order in
        [[0, 1, 2, 3, 4], [0, 2, 4, 1, 3], [2, 0, 3, 1, 4], [0, 2, 1, 4, 3], [2, 3, 4, 0, 1]]
    {
        let mut desk = Desk::new();
        desk.now += 1_000;
        let start = desk.now - 900;
        for step in order {
            steps[step](&mut desk, start);
        }
        assert_eq!(desk.status(1, "promotions"), ConsentStatus::Granted, "{order:?}");
        assert!(desk.reserve(1, TEMPLATE).is_ok(), "{order:?}");
        assert!(desk.reviews().is_empty(), "{order:?}");
        assert!(desk.replayed() == desk.state, "{order:?}");
    }
}

#[test]
fn a_yes_from_before_another_device_is_suspended_and_vouched_for_whenever_it_is_heard() {
    for (is_late, is_moved) in [(false, false), (true, false), (false, true), (true, true)] {
        let mut desk = Desk::new();
        desk.now += 1_000;
        let start = desk.now - 900;
        desk.ask_at(1, "promotions", start);
        desk.seen_with(1, start + 1, "A");
        let says = |desk: &mut Desk| {
            let wrote = wrote(desk.person(1), Some(yes(false, None)));
            let identity_hash = Some("A".into());
            desk.hear(start + 10, HeardFact::Wrote(Wrote { identity_hash, ..wrote }));
        };
        if !is_late {
            says(&mut desk);
        }
        if is_moved {
            let (old, new) = (desk.person(1), None);
            desk.hear(start + 50, HeardFact::MovedNumber { old, new });
        } else {
            desk.seen_with(1, start + 50, "B");
        }
        if is_late {
            says(&mut desk);
        }
        let case = format!("{is_late} {is_moved}");
        assert_eq!(desk.status(1, "promotions"), ConsentStatus::Granted, "{case}");
        assert!(desk.reviews().is_empty(), "{case}");
        let reason = if is_moved { Reason::NumberChanged } else { Reason::IdentityChanged };
        assert_eq!(desk.reserve(1, TEMPLATE), Err(vec![reason]), "{case}");
        if !is_moved {
            desk.confirm(1, "B").unwrap();
            assert!(desk.reserve(1, TEMPLATE).is_ok(), "{case}");
        }
        assert!(desk.replayed() == desk.state, "{case}");
    }
}
