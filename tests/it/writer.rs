//! An answer is a promise: none before its group is durable, none after storage failed, and what
//! was promised is there again after replay.
#![expect(clippy::expect_used, reason = "helpers of tests say what went wrong by failing")]

use std::{
    collections::BTreeMap,
    future::Future,
    io,
    num::NonZeroU32,
    pin::Pin,
    sync::{Arc, Mutex},
};

use futures_util::FutureExt as _;
use izin::{
    domain::{
        command::{Command, Envelope, Once, OptIn, RegistryCommand},
        consent::ConsentStatus,
        event::{Actor, MarkKept},
        key::{CommandId, Fingerprint},
        refusal::Refusal,
        registry::{Category, Topic},
        state::State,
    },
    ledger::{
        entry::{Head, StoredEntry},
        handle::{Ledger, Outcome, SubmitError},
        log::{AppendError, EventLog, LogReader},
        memory::MemoryLog,
        past::Past,
        replay::Replay,
        seal::MaskKey,
        sealer::Sealer,
        vault::{Kek, Vault},
        views::Views,
        writer::{Parts, Writer},
    },
    runtime::clock::{Clock as _, ManualClock},
};
use proptest::{prelude::*, test_runner::TestRunner};
use rand::{SeedableRng as _, rngs::StdRng};
use uuid::Uuid;

use crate::{
    business::{START, contact, key, opt_in, opt_in_of, opt_out, person, rules, topic},
    documents::{self, act},
};

const TOPICS: [&str; 2] = ["promotions", "orders"];
const PEOPLE: u32 = 4;

pub(crate) type Answer = Result<Outcome, SubmitError>;
pub(crate) type Waiting = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// Answers that nobody may have got yet while a group is being appended.
pub(crate) type Unanswered = Arc<Mutex<Vec<Waiting>>>;

/// What storage does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The bytes are gone.
    Lost,
    /// The bytes are there and nobody knows.
    Landed,
    /// The group does not fit; nothing was written, and the log goes on.
    TooLarge,
    /// The thread dies.
    Panics,
}

/// A log that watches for early answers, and fails one append and all after it.
#[derive(Debug)]
pub(crate) struct WatchedLog {
    inner: MemoryLog,
    unanswered: Watch,
    fails: Option<(usize, Fault)>,
    appends: usize,
    is_closed: bool,
}

#[derive(Clone)]
struct Watch(Unanswered);

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Watch")
    }
}

impl Watch {
    fn nobody_is_answered(&self) {
        for answer in self.0.lock().expect("no panic before").iter_mut() {
            assert!(answer.now_or_never().is_none(), "an answer before its group is durable");
        }
    }
}

impl EventLog for WatchedLog {
    fn append(&mut self, expected: Head, entries: &[StoredEntry]) -> Result<Head, AppendError> {
        if self.is_closed {
            return Err(AppendError::Closed);
        }
        self.unanswered.nobody_is_answered();
        self.appends += 1;
        let fault = self.fails.filter(|(at, _)| *at == self.appends).map(|(_, fault)| fault);
        match fault {
            Some(Fault::TooLarge) => return Err(AppendError::TooLarge { bytes: usize::MAX }),
            Some(Fault::Panics) => panic!("the log is gone"),
            Some(Fault::Lost | Fault::Landed) | None => self.is_closed = fault.is_some(),
        }
        if fault != Some(Fault::Lost) {
            self.inner.append(expected, entries)?;
        }
        self.unanswered.nobody_is_answered();
        match fault {
            Some(_) => Err(AppendError::Storage(io::Error::other("the disk is gone"))),
            None => Ok(self.inner.reader().head()),
        }
    }

    fn close(&mut self) -> io::Result<()> {
        self.inner.close()
    }

    fn reader(&self) -> Arc<dyn LogReader> {
        self.inner.reader()
    }
}

/// Returns what seals, over a vault with few keys: making them takes a while.
pub(crate) fn sealer() -> Sealer {
    sealer_over(tempfile::tempfile().expect("a file"))
}

pub(crate) fn sealer_over(file: std::fs::File) -> Sealer {
    let reserve = NonZeroU32::new(32).expect("a number that is not zero");
    let kek = Kek::from_bytes(&[7; 32]);
    let vault = Vault::make(file, kek, reserve, &mut StdRng::seed_from_u64(1)).expect("a vault");
    Sealer::new(MaskKey::from_bytes([8; 32]), Arc::new(vault))
}

/// As [`sealer_over`], for a vault that is there: none of its keys is at hand yet.
pub(crate) fn sealer_reopened(file: std::fs::File) -> Sealer {
    let reserve = NonZeroU32::new(32).expect("a number that is not zero");
    let vault = Vault::with_file(file, Kek::from_bytes(&[7; 32]), reserve).expect("a vault");
    Sealer::new(MaskKey::from_bytes([8; 32]), Arc::new(vault))
}

/// A writer whose groups the test chooses.
pub(crate) struct Desk {
    sealer: Sealer,
    pub(crate) views: Arc<Views>,
    pub(crate) clock: Arc<ManualClock>,
    log: MemoryLog,
    pub(crate) unanswered: Unanswered,
    pub(crate) ledger: Ledger,
    pub(crate) writer: Writer<WatchedLog>,
}

impl Desk {
    /// Makes a writer with two topics; the first group with entries after them is append 2.
    pub(crate) fn new(sealer: &Sealer, fails: Option<(usize, Fault)>) -> Self {
        let sealer = sealer.clone();
        let (log, views) = (MemoryLog::new(), Arc::new(Views::default()));
        let clock = Arc::new(ManualClock::at(START));
        let unanswered = Unanswered::default();
        let watch = Watch(Arc::clone(&unanswered));
        let (ledger, writer) = Writer::new(Parts {
            log: WatchedLog {
                inner: log.clone(),
                unanswered: watch,
                fails,
                appends: 0,
                is_closed: false,
            },
            views: Arc::clone(&views),
            sealer: sealer.clone(),
            rules: rules(),
            clock: Arc::<ManualClock>::clone(&clock),
            random: StdRng::seed_from_u64(2),
            group_len_max: 64,
            queue_len: 128,
        });
        let mut desk = Self { sealer, views, clock, log, unanswered, ledger, writer };
        let open = RegistryCommand::OpenLedger { ledger: Uuid::from_u128(1) };
        let topics = TOPICS.map(|id| RegistryCommand::PutTopic {
            id: topic(id),
            topic: Topic {
                name: id.into(),
                category: Category::Marketing,
                description: None,
                expires_after_days: None,
            },
        });
        let commands = std::iter::once(open).chain(topics);
        desk.group(commands.map(|command| Command::Registry(Box::new(command))).collect());
        desk
    }

    /// Queues a command; the answer comes with its group.
    pub(crate) fn queue(&self, command: Command) {
        self.queue_once(command, None);
    }

    fn queue_once(&self, command: Command, once: Option<Once>) {
        let ledger = self.ledger.clone();
        let envelope = Envelope { actor: Actor::Operator, once, command };
        let mut answer: Waiting = Box::pin(async move { ledger.submit(envelope).await });
        assert!((&mut answer).now_or_never().is_none(), "it waits for its group");
        self.unanswered.lock().expect("no panic before").push(answer);
    }

    /// Commits one group and returns its answers.
    pub(crate) fn step(&mut self) -> Vec<Answer> {
        assert!(self.writer.step());
        self.clock.advance_ms(1_000);
        let mut unanswered = self.unanswered.lock().expect("no panic before");
        let mut answers = Vec::new();
        for mut waiting in std::mem::take(&mut *unanswered) {
            match (&mut waiting).now_or_never() {
                Some(answer) => answers.push(answer),
                None => unanswered.push(waiting),
            }
        }
        answers
    }

    /// Commits commands as one group and returns all their answers.
    pub(crate) fn group(&mut self, commands: Vec<Command>) -> Vec<Answer> {
        self.group_once(commands.into_iter().map(|command| (command, None)).collect())
    }

    /// As [`Self::group`], for commands that may be repeated.
    pub(crate) fn group_once(&mut self, commands: Vec<(Command, Option<Once>)>) -> Vec<Answer> {
        let len = commands.len();
        for (command, once) in commands {
            self.queue_once(command, once);
        }
        let answers = self.step();
        assert_eq!(answers.len(), len, "the whole group is answered");
        answers
    }

    /// Submits without a writer that steps: the answer must be there at once.
    pub(crate) fn at_once(&self, command: Command) -> Answer {
        let envelope = Envelope { actor: Actor::Operator, once: None, command };
        self.ledger.submit(envelope).now_or_never().expect("an answer at once")
    }

    /// Looks into the past of the log.
    pub(crate) fn past(&self) -> Past {
        Past::new(self.log.reader(), self.sealer.clone())
    }

    /// Brings a new state up from the log alone.
    pub(crate) fn replayed(&self) -> State {
        let mut replay = Replay::new(self.sealer.clone(), State::default());
        for entry in self.log.read(izin::domain::entry::Seq(0)) {
            replay.take(&entry.expect("an entry")).expect("an entry that opens");
        }
        replay.finish().0
    }

    pub(crate) fn status(&self, person: u32, name: &str) -> ConsentStatus {
        let state = self.views.state();
        let Some(subject) = state.contacts().find(key(person)) else {
            return ConsentStatus::NeverAsked;
        };
        let (ix, _) = state.registry().topic(&topic(name)).expect("a topic");
        let contact = state.contacts().get(subject).expect("a contact");
        contact.consents.standing(ix, self.clock.now()).status
    }
}

/// Something a person does, or an operator about them.
#[derive(Debug, Clone)]
enum Act {
    In { person: u32, topic: usize, at: Option<i64> },
    Out { person: u32, topic: Option<usize>, at: Option<i64> },
    Block { person: u32 },
}

impl Act {
    fn command(&self) -> Command {
        match self {
            Self::In { person, topic, at } => opt_in(*person, &[TOPICS[*topic]], *at),
            Self::Out { person, topic: Some(topic), at } => {
                opt_out(*person, Some(&[TOPICS[*topic]]), *at)
            }
            Self::Out { person, topic: None, at } => opt_out(*person, None, *at),
            Self::Block { person } => Command::Block { contact: contact(*person), reason: None },
        }
    }
}

/// When a person last agreed to and last withdrew from a topic, as the answers promised.
#[derive(Debug, Default)]
struct Promised(BTreeMap<(u32, usize), (Option<i64>, Option<i64>)>);

impl Promised {
    fn note(&mut self, act: &Act, now: i64) {
        match act {
            Act::In { person, topic, at } => {
                let (agreed, _) = self.0.entry((*person, *topic)).or_default();
                *agreed = (*agreed).max(Some(at.unwrap_or(now).min(now)));
            }
            Act::Out { person, topic, at } => {
                for place in 0..TOPICS.len() {
                    if topic.is_none_or(|topic| topic == place) {
                        let (_, withdrew) = self.0.entry((*person, place)).or_default();
                        *withdrew = (*withdrew).max(Some(at.unwrap_or(now).min(now)));
                    }
                }
            }
            Act::Block { .. } => {}
        }
    }

    /// The later act counts, and of two at once the withdrawal.
    pub(crate) fn status(&self, person: u32, topic: usize) -> ConsentStatus {
        match self.0.get(&(person, topic)) {
            None => ConsentStatus::NeverAsked,
            Some((agreed, withdrew)) if agreed > withdrew => ConsentStatus::Granted,
            Some(_) => ConsentStatus::Withdrawn,
        }
    }
}

fn acts() -> impl Strategy<Value = Vec<Vec<Act>>> {
    // Some lie ahead of the clock, by less than clocks may differ.
    let at = || prop::option::of((0..200_i64).prop_map(|seconds| START + seconds * 1_000));
    let topic = 0..TOPICS.len();
    let act = prop_oneof![
        (0..PEOPLE, topic.clone(), at()).prop_map(|(person, topic, at)| Act::In {
            person,
            topic,
            at
        }),
        (0..PEOPLE, prop::option::of(topic), at()).prop_map(|(person, topic, at)| Act::Out {
            person,
            topic,
            at
        }),
        (0..PEOPLE).prop_map(|person| Act::Block { person }),
    ];
    prop::collection::vec(prop::collection::vec(act, 1..6), 1..6)
}

/// Runs a property over many histories.
fn for_all<S: Strategy>(inputs: &S, property: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let mut runner = TestRunner::new(ProptestConfig::with_cases(48));
    if let Err(error) = runner.run(inputs, property) {
        panic!("{error}");
    }
}

#[test]
fn answers_are_promises_whatever_is_grouped_with_them() {
    let sealer = sealer();
    for_all(&acts(), |groups| {
        let mut desk = Desk::new(&sealer, None);
        let mut promised = Promised::default();
        for group in &groups {
            let now = desk.clock.now().unix_ms();
            let answers = desk.group(group.iter().map(Act::command).collect());
            let durable = desk.log.reader().head().next;
            for (act, answer) in group.iter().zip(answers) {
                match answer {
                    Ok(Outcome::Done(entries)) => {
                        prop_assert!(entries.iter().all(|entry| entry.seq < durable));
                        promised.note(act, now);
                    }
                    Err(SubmitError::Refused(_)) => {
                        let is_block = matches!(act, Act::Block { .. });
                        prop_assert!(is_block, "an act of a person was refused");
                    }
                    other => prop_assert!(false, "{other:?}"),
                }
            }
            for person in 0..PEOPLE {
                for (place, name) in TOPICS.into_iter().enumerate() {
                    prop_assert_eq!(desk.status(person, name), promised.status(person, place));
                }
            }
        }
        prop_assert!(desk.replayed() == *desk.views.state(), "replay gives another state");
        Ok(())
    });
}

#[test]
fn other_spellings_and_merges_are_there_again_after_replay() {
    let sealer = sealer();
    let groups = prop::collection::vec(prop::collection::vec(act(6), 1..6), 1..8);
    for_all(&groups, |groups| {
        let mut desk = Desk::new(&sealer, None);
        for group in &groups {
            for answer in desk.group(group.iter().map(documents::Act::command).collect()) {
                let is_answer = matches!(answer, Ok(_) | Err(SubmitError::Refused(_)));
                prop_assert!(is_answer, "{:?}", answer);
            }
        }
        prop_assert!(desk.replayed() == *desk.views.state(), "replay gives another state");
        Ok(())
    });
}

#[test]
fn after_a_failed_append_nothing_is_promised_any_more() {
    let sealer = sealer();
    for_all(&(acts(), 2..6_usize, any::<bool>()), |(groups, failing, lands)| {
        let fault = if lands { Fault::Landed } else { Fault::Lost };
        let mut desk = Desk::new(&sealer, Some((failing, fault)));
        let mut promised = desk.views.state().clone();
        for group in &groups {
            let answers = desk.group(group.iter().map(Act::command).collect());
            if desk.views.is_read_only() {
                let is_unknown = |answer: &Answer| matches!(answer, Err(SubmitError::Unknown));
                prop_assert!(answers.iter().all(is_unknown), "{:?}", answers);
                for act in group {
                    if let Act::Out { person, .. } = act {
                        prop_assert!(desk.views.has_unrecorded_stop(key(*person), None));
                    }
                }
                break;
            }
            promised = desk.views.state().clone();
        }
        prop_assert!(promised == *desk.views.state(), "readers see what is not durable");
        if desk.views.is_read_only() {
            let answer = desk.at_once(opt_in(0, &["orders"], None));
            prop_assert!(matches!(answer, Err(SubmitError::ReadOnly)));
            let replayed = desk.replayed();
            prop_assert_eq!(replayed.next() > promised.next(), lands);
            prop_assert!(lands || replayed == promised, "what was promised is not all there");
        }
        Ok(())
    });
}

#[test]
fn refusals_wait_for_their_group_and_a_group_of_them_appends_nothing() {
    let mut desk = Desk::new(&sealer(), None);
    let before = desk.log.reader().head();
    let block = |person| Command::Block { contact: contact(person), reason: None };
    let answers = desk.group(vec![block(0), block(1)]);
    assert!(answers.iter().all(|answer| matches!(answer, Err(SubmitError::Refused(_)))));
    assert_eq!(desk.log.reader().head(), before);
    // The block rests on the opt-in of its own group.
    let answers = desk.group(vec![opt_in(0, &["orders"], None), block(0), block(1)]);
    let is_done: Vec<_> = answers.iter().map(Result::is_ok).collect();
    assert_eq!(is_done, [true, true, false]);
}

#[test]
fn a_full_queue_turns_the_next_command_away_at_once() {
    let mut desk = Desk::new(&sealer(), None);
    for _ in 0..128 {
        desk.queue(opt_in(0, &["orders"], None));
    }
    assert_eq!(desk.ledger.room(), 0);
    assert!(matches!(desk.at_once(opt_in(1, &["orders"], None)), Err(SubmitError::Busy)));
    for _ in 0..2 {
        assert_eq!(desk.step().into_iter().flatten().count(), 64);
    }
    assert_eq!(desk.status(1, "orders"), ConsentStatus::NeverAsked);
}

/// Everything one person said, on many pages.
fn long_opt_in(ordinal: u32) -> Command {
    let evidence = [("letter".into(), "x".repeat(1 << 20).into())].into();
    Command::OptIn(Box::new(OptIn { evidence, ..opt_in_of(person(ordinal), &["orders"], None) }))
}

#[test]
fn a_group_of_long_commands_is_appended_in_parts_a_log_can_take() {
    let mut desk = Desk::new(&sealer(), Some((3, Fault::Lost)));
    for person in 0..20 {
        desk.queue(long_opt_in(person));
    }
    // The first part may be answered before the second is durable, so nobody watches.
    let waiting = std::mem::take(&mut *desk.unanswered.lock().expect("no panic before"));
    assert!(desk.writer.step());
    let answers: Vec<_> =
        waiting.into_iter().map(|answer| answer.now_or_never().expect("an answer")).collect();
    let done = answers.iter().take_while(|answer| answer.is_ok()).count();
    assert_eq!(done, 16, "16 MiB are reached");
    assert!(answers[done..].iter().all(|answer| matches!(answer, Err(SubmitError::Unknown))));
}

#[test]
fn a_command_that_changed_nothing_is_not_carried_out_when_it_is_repeated_later() {
    let mut desk = Desk::new(&sealer(), None);
    let block = || Command::Block { contact: contact(0), reason: None };
    let once = |id: u128| {
        let (id, fingerprint) = (CommandId::from_bits(id), Fingerprint::from_bits(1));
        Some(Once { id, fingerprint, kept: MarkKept::Usual })
    };
    desk.group(vec![opt_in(0, &["orders"], None), block()]);
    let first = desk.group_once(vec![(block(), once(7))]);
    assert!(matches!(&first[0], Ok(Outcome::Done(entries)) if entries.len() == 1));
    assert!(matches!(&desk.group(vec![block()])[0], Ok(Outcome::Done(none)) if none.is_empty()));
    desk.group(vec![Command::Unblock { contact: contact(0) }]);
    let again = desk.group_once(vec![(block(), once(7))]);
    assert!(matches!(again[0], Ok(Outcome::DoneBefore { entries: 1, .. })), "{again:?}");
    let subject = desk.views.state().contacts().find(key(0)).expect("a contact");
    assert_eq!(desk.views.state().contacts().get(subject).map(|c| c.details().blocked), Some(None));
    let other = Some(Once { fingerprint: Fingerprint::from_bits(2), ..once(7).expect("one") });
    let reused = desk.group_once(vec![(block(), other)]);
    assert!(matches!(&reused[0], Err(SubmitError::Refused(refusal))
        if matches!(**refusal, Refusal::OnceReused)));
    assert!(desk.replayed() == *desk.views.state());
}
