//! Looking back: whatever happened since, the past stays what it was.
#![expect(clippy::expect_used, reason = "helpers of tests say what went wrong by failing")]

use std::time::Duration;

use izin::{
    domain::{
        eligibility::{Question, SessionPolicy, Verdict},
        state::State,
        ticket::MessageKind,
        time::Timestamp,
    },
    ledger::past::{Past, PastError, Turn},
    runtime::clock::Clock as _,
};
use proptest::prelude::*;
use rand::{SeedableRng as _, rngs::StdRng};

use crate::{
    business::{key, rules, topic},
    replay::{Life, PEOPLE, TOPICS, for_all, sender, template},
    writer::sealer,
};

/// A moment, all that was known then, and what was answered.
struct Then {
    at: Timestamp,
    state: State,
    verdicts: Vec<Verdict>,
}

/// Answers every question about everybody.
fn verdicts(state: &State, session: SessionPolicy, now: Timestamp) -> Vec<Verdict> {
    let bare = Question {
        kind: MessageKind::Template,
        template: None,
        language: None,
        topic: None,
        sender: Some(sender()),
    };
    let mut questions = vec![
        Question { kind: MessageKind::Session, ..bare.clone() },
        Question { template: Some(template()), ..bare.clone() },
    ];
    questions.extend(TOPICS.map(|id| Question { topic: Some(topic(id)), ..bare.clone() }));
    let mut verdicts = Vec::new();
    for question in questions {
        let resolved = question.resolve(state, now).expect("a question that makes sense");
        for person in 0..PEOPLE {
            let found = state.contacts().find(key(person));
            let contact = found.and_then(|subject| state.contacts().get(subject));
            verdicts.push(resolved.judge((contact, Some(key(person))), session, now));
        }
    }
    verdicts
}

fn turn(past: &Past, within: Duration) -> Result<Turn, PastError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.expect("a runtime").block_on(past.turn(within))
}

fn look(past: &Past) -> Turn {
    turn(past, Duration::from_secs(5)).expect("nobody else is looking")
}

#[test]
fn at_each_recorded_moment_the_past_is_what_was_known_and_answered_then() {
    let sealer = sealer();
    for_all(16, 1..20, |steps| {
        let mut life = Life::new(&sealer);
        let session = rules().session;
        let mut lived = Vec::new();
        for step in steps {
            life.live(std::slice::from_ref(step));
            let (at, state) = (life.desk.clock.now(), life.desk.views.state().clone());
            lived.push(Then { at, verdicts: verdicts(&state, session, at), state });
            // What happens next happens later.
            life.desk.clock.advance_ms(1);
        }
        let past = life.desk.past();
        let forwards = 0..lived.len();
        let criss_cross = (0..lived.len()).map(|place| place * 7 % lived.len());
        for place in forwards.clone().chain(forwards.rev()).chain(criss_cross) {
            let then = &lived[place];
            let mut turn = look(&past);
            let state = turn.state_at(then.at, || false).expect("a state of then");
            prop_assert!(*state == then.state, "another state at {}", then.at.to_rfc3339());
            prop_assert_eq!(&verdicts(state, session, then.at), &then.verdicts);
        }
        Ok(())
    });
}

/// A life with somebody in it, and when it began.
fn life() -> (Life, Timestamp) {
    let mut life = Life::new(&sealer());
    let began = life.desk.clock.now();
    life.desk.group(vec![crate::business::opt_in(1, &["orders"], None)]);
    (life, began)
}

#[test]
fn only_one_looks_at_a_time_and_what_nobody_needs_is_let_go() {
    let (life, began) = life();
    let past = life.desk.past();
    let mut first = look(&past);
    assert!(matches!(turn(&past, Duration::from_millis(1)), Err(PastError::Busy)));
    assert_eq!(past.uses(), None, "it is in use");
    first.state_at(began, || false).expect("a state");
    drop(first);
    let uses = past.uses().expect("nobody looks");
    look(&past).state_at(began, || false).expect("a state");
    assert!(past.take_unused(uses).is_none(), "it was used since");
    let uses = past.uses().expect("nobody looks");
    assert!(past.take_unused(uses).is_some());
    assert!(past.take_unused(uses).is_none(), "it is gone");
    look(&past).state_at(began, || false).expect("a state made anew");
}

#[test]
fn nothing_is_known_before_the_beginning_and_a_stop_ends_the_look() {
    let (life, began) = life();
    let past = life.desk.past();
    let before = Timestamp::from_unix_ms(crate::business::START - 1);
    assert!(matches!(look(&past).state_at(before, || false), Err(PastError::BeforeLedger)));
    assert!(matches!(look(&past).state_at(began, || true), Err(PastError::Stopped)));
    assert!(look(&past).state_at(began, || false).is_ok());
}

#[test]
fn what_was_erased_since_is_unknown_and_all_the_rest_stays() {
    let sealer = sealer();
    let mut life = Life::new(&sealer);
    for person in [1, 2] {
        life.desk.group(vec![crate::business::opt_in(person, &["orders"], None)]);
    }
    let now = life.desk.clock.now();
    let place = life.desk.views.state().contacts().find(key(1)).expect("a contact");
    let mut random = StdRng::seed_from_u64(3);
    sealer.vault().destroy(place, &mut random).expect("a key that goes");
    let past = life.desk.past();
    let mut turn = look(&past);
    let state = turn.state_at(now, || false).expect("a state");
    assert!(state.contacts().find(key(1)).is_none());
    let other = life.desk.views.state().contacts().find(key(2));
    assert_eq!(state.contacts().find(key(2)), other);
    assert_eq!(state.last(), life.desk.views.state().last());
}
