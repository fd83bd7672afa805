//! The writer when storage fails: who withdrew is not written to, and nothing else is promised.

#![expect(clippy::expect_used, reason = "helpers of tests say what went wrong by failing")]

use std::time::Duration;

use futures_util::FutureExt;
use izin::{
    domain::{
        command::{Command, Envelope, OptOut, Person},
        consent::ConsentStatus,
        event::Actor,
        hearing::{AnswerHow, ConsentAnswer, Heard, HeardFact, Wrote},
        key::{ContactKey, MessageKey},
        time::Timestamp,
    },
    ledger::handle::{Outcome, SubmitError},
};

use crate::{
    business::{
        START, key, opt_in, opt_in_of, opt_out, opt_out_of, person, person_beside,
        person_with_user, source,
    },
    writer::{Desk, Fault, sealer, sealer_over, sealer_reopened},
};

#[test]
fn a_stop_that_could_not_be_recorded_holds_for_whatever_leads_to_the_person() {
    let mut desk = Desk::new(&sealer(), Some((3, Fault::Lost)));
    let user = person_with_user(0, "user-0");
    let linked = Command::OptIn(Box::new(opt_in_of(user.clone(), &["orders"], None)));
    desk.group(vec![linked, opt_in(1, &["orders"], None), opt_in(2, &["orders"], None)]);
    let by_user = Person { number: None, ..user };
    desk.group(vec![opt_out_of(by_user, None, None)]);
    assert!(desk.views.is_read_only());
    let stopped = |desk: &Desk, person| {
        let subject = desk.views.state().contacts().find(key(person));
        desk.views.has_unrecorded_stop(key(person), subject)
    };
    assert!(stopped(&desk, 0), "the stop named the user id alone");
    assert!(!stopped(&desk, 2));
    assert!(desk.at_once(opt_out_of(person_beside(1), None, None)).is_err());
    assert!(stopped(&desk, 1));
    assert!(desk.at_once(opt_out_of(person_beside(3), None, None)).is_err());
    assert!(stopped(&desk, 2), "the stop reaches the other spelling");
}

#[test]
fn what_queued_behind_a_failed_group_is_refused_and_stops_are_remembered() {
    let mut desk = Desk::new(&sealer(), Some((2, Fault::Lost)));
    for _ in 0..64 {
        desk.queue(opt_in(0, &["orders"], None));
    }
    desk.queue(opt_out(1, None, None));
    desk.queue(opt_in(2, &["orders"], None));
    let failed = desk.step();
    assert_eq!(failed.len(), 64, "as many as a group holds");
    assert!(desk.views.is_read_only());
    let behind = desk.step();
    assert_eq!(behind.len(), 2);
    assert!(failed.iter().all(|answer| matches!(answer, Err(SubmitError::Unknown))));
    assert!(behind.iter().all(|answer| matches!(answer, Err(SubmitError::ReadOnly))));
    assert!(desk.views.has_unrecorded_stop(key(1), None));
    assert!(!desk.views.has_unrecorded_stop(key(2), None));
    assert!(matches!(desk.at_once(opt_out(3, None, None)), Err(SubmitError::ReadOnly)));
    assert!(desk.views.has_unrecorded_stop(key(3), None));
}

#[test]
fn a_group_the_log_cannot_take_is_not_recorded_and_the_ledger_goes_on() {
    let mut desk = Desk::new(&sealer(), Some((2, Fault::TooLarge)));
    let before = desk.views.state().clone();
    let answers = desk.group(vec![opt_in(0, &["orders"], None), opt_out(1, None, None)]);
    assert!(answers.iter().all(|answer| matches!(answer, Err(SubmitError::Busy))));
    assert!(!desk.views.is_read_only());
    assert!(before == *desk.views.state());
    assert!(desk.group(vec![opt_in(0, &["orders"], None)])[0].is_ok());
    assert_eq!(desk.status(0, "orders"), ConsentStatus::Granted);
}

#[test]
fn a_stop_that_cannot_be_recorded_counts_for_every_identifier_of_the_person() {
    let user = |ordinal: u32| ContactKey::from_bits((1 << 64) + u128::from(ordinal));
    let out = |person| {
        let source = source("keyword");
        let everything = OptOut { person, topics: None, source, reason: None, captured_at: None };
        Command::OptOut(Box::new(everything))
    };
    let mut desk = Desk::new(&sealer(), Some((3, Fault::Lost)));
    let known = opt_in_of(person_with_user(0, "US.0"), &["orders"], None);
    assert!(desk.group(vec![Command::OptIn(Box::new(known))])[0].is_ok());
    // One names a single identifier of two, the other is not known by either of its two.
    desk.group(vec![opt_out(0, None, None), out(person_with_user(1, "US.1"))]);
    let is_stopped = |key: ContactKey| {
        let subject = desk.views.state().contacts().find(key);
        desk.views.has_unrecorded_stop(key, subject)
    };
    for key in [key(0), user(0), key(1), user(1)] {
        assert!(is_stopped(key), "{key:?}");
    }
    assert!(!is_stopped(key(2)));
}

#[test]
fn a_writer_that_panics_leaves_a_ledger_that_says_so() {
    let desk = Desk::new(&sealer(), Some((2, Fault::Panics)));
    desk.queue(opt_out(1, None, None));
    let Desk { views, unanswered, ledger, writer, .. } = desk;
    assert!(std::thread::spawn(move || writer.run()).join().is_err());
    let answer =
        unanswered.lock().expect("no panic before").pop().and_then(FutureExt::now_or_never);
    assert!(matches!(answer, Some(Err(SubmitError::Unknown))));
    assert!(views.is_read_only() && views.has_unrecorded_stop(key(1), None));
    let envelope = Envelope { actor: Actor::Operator, once: None, command: opt_out(2, None, None) };
    assert!(matches!(ledger.submit(envelope).now_or_never(), Some(Err(SubmitError::ReadOnly))));
    assert!(views.has_unrecorded_stop(key(2), None));
}

#[test]
fn a_stop_that_comes_when_the_writer_is_gone_is_remembered() {
    let desk = Desk::new(&sealer(), None);
    let Desk { views, ledger, writer, .. } = desk;
    drop(writer);
    let envelope = Envelope { actor: Actor::Operator, once: None, command: opt_out(2, None, None) };
    assert!(matches!(ledger.submit(envelope).now_or_never(), Some(Err(SubmitError::Closed))));
    assert!(views.has_unrecorded_stop(key(2), None));
}

#[test]
fn a_vault_that_cannot_be_read_turns_the_ledger_read_only() {
    let file = tempfile::tempfile().expect("a file");
    drop(sealer_over(file.try_clone().expect("the same file")));
    let mut desk = Desk::new(&sealer_reopened(file.try_clone().expect("the same file")), None);
    assert!(desk.group(vec![opt_in(0, &["orders"], None)])[0].is_ok());
    file.set_len(0).expect("a file that shrinks");
    let answers = desk.group(vec![opt_out(0, None, None), opt_out(1, None, None)]);
    assert!(answers.iter().all(|answer| matches!(answer, Err(SubmitError::ReadOnly))));
    assert!(desk.views.is_read_only());
    assert!(
        desk.views.has_unrecorded_stop(key(0), None)
            && desk.views.has_unrecorded_stop(key(1), None)
    );
}

/// A message of one of the people.
fn wrote(ordinal: u32, answer: Option<ConsentAnswer>) -> Envelope {
    let fact = HeardFact::Wrote(Wrote {
        person: person(ordinal),
        message: MessageKey::from_bits(ordinal.into()),
        message_id: "wamid.test".into(),
        kind: "text".into(),
        opens_window: true,
        identity_hash: None,
        answer,
        shared_number: None,
    });
    let heard = Heard { at: Timestamp::from_unix_ms(START), account: None, sender: None, fact };
    let command = Command::Hear(Box::new(heard));
    Envelope { actor: Actor::System, once: None, command }
}

/// What has a timer. The writer steps outside of it, as it does on a thread of its own.
fn runtime() -> tokio::runtime::Runtime {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.expect("a runtime")
}

#[test]
fn a_stop_that_whatsapp_told_and_nobody_could_record_still_holds() {
    let mut desk = Desk::new(&sealer(), Some((2, Fault::Lost)));
    desk.group(vec![opt_in(0, &["orders"], None)]);
    assert!(desk.views.is_read_only());
    let stop = ConsentAnswer::OptOut { topics: None, how: AnswerHow::default() };
    let doubt = ConsentAnswer::Review { why: "typo".into(), word: None, scope: None };
    for (ordinal, answer) in [(0, None), (1, Some(stop)), (2, Some(doubt))] {
        let envelope = wrote(ordinal, answer);
        let submitted = desk.ledger.submit_within(envelope, Duration::from_secs(1));
        let answer = runtime().block_on(submitted);
        assert!(matches!(answer, Err(SubmitError::ReadOnly)));
    }
    let stopped = |person| desk.views.has_unrecorded_stop(key(person), None);
    assert_eq!([stopped(0), stopped(1), stopped(2)], [false, true, true]);
}

#[test]
fn a_stop_there_was_no_room_for_holds_until_it_is_said_again_and_recorded() {
    let mut desk = Desk::new(&sealer(), None);
    desk.group(vec![opt_in(1, &["orders"], None)]);
    for _ in 0..128 {
        desk.queue(opt_in(0, &["orders"], None));
    }
    let stop = || {
        let answer = ConsentAnswer::OptOut { topics: None, how: AnswerHow::default() };
        wrote(1, Some(answer))
    };
    let doubt = || {
        let answer = ConsentAnswer::Review { why: "typo".into(), word: None, scope: None };
        let mut envelope = wrote(1, Some(answer));
        if let Command::Hear(heard) = &mut envelope.command {
            heard.at = heard.at.plus_ms(-1_000);
        }
        envelope
    };
    let runtime = runtime();
    let within = Duration::from_millis(20);
    let busy = runtime.block_on(desk.ledger.submit_within(stop(), within));
    assert!(matches!(busy, Err(SubmitError::Busy)));
    let stopped = |desk: &Desk| desk.views.has_unrecorded_stop(key(1), None);
    assert!(stopped(&desk));
    desk.step();
    desk.step();
    for (envelope, is_stopped) in [(doubt(), true), (stop(), false)] {
        let ledger = desk.ledger.clone();
        let mut again = Box::pin(async move { ledger.submit_within(envelope, within).await });
        assert!(runtime.block_on(async { (&mut again).now_or_never() }).is_none());
        desk.step();
        let answer = runtime.block_on(async { (&mut again).now_or_never() });
        assert!(matches!(answer, Some(Ok(Outcome::Done(_)))), "{answer:?}");
        assert_eq!(stopped(&desk), is_stopped);
    }
}

#[test]
fn a_place_in_the_queue_is_waited_for_no_longer_than_asked() {
    let mut desk = Desk::new(&sealer(), None);
    for _ in 0..128 {
        desk.queue(opt_in(0, &["orders"], None));
    }
    let runtime = runtime();
    let submitted = desk.ledger.submit_within(wrote(1, None), Duration::from_millis(20));
    assert!(matches!(runtime.block_on(submitted), Err(SubmitError::Busy)));
    let ledger = desk.ledger.clone();
    let mut waiting =
        Box::pin(async move { ledger.submit_within(wrote(1, None), Duration::from_mins(1)).await });
    let mut poll = || runtime.block_on(async { (&mut waiting).now_or_never() });
    assert!(poll().is_none());
    desk.step();
    desk.step();
    assert!(poll().is_none(), "it has a place, and no answer yet");
    assert!(desk.writer.step());
    assert!(matches!(poll(), Some(Ok(Outcome::Done(_)))));
}
