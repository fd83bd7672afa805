//! The single writer: decides commands in order, commits them in groups.
//!
//! One thread owns the log, the head and the right to change the state. Whatever queued while the
//! last group was being made durable becomes the next one, so a quiet server commits at once and
//! a busy one shares the cost of each sync; there is no timer to tune.

use std::{collections::VecDeque, error::Error, sync::Arc};

use rand::rngs::StdRng;
use tokio::sync::{mpsc, oneshot};

use crate::{
    domain::{
        command::Envelope,
        decide::{Rules, decide},
        entry::Subject,
        event::{CommandMark, Event, Record},
        refusal::Refusal,
        state::{Changes, Draft},
        time::Timestamp,
    },
    ledger::{
        entry::{Head, StoredEntry, stored_len},
        handle::{Answer, Ledger, Outcome, Pending, Recorded, SubmitError},
        log::{AppendError, EventLog},
        recent::{Recent, RecentEntry},
        sealer::{SealError, Sealer},
        vault::VaultError,
        views::Views,
    },
    limits::GROUP_BYTES_MAX,
    runtime::clock::Clock,
};

/// What a writer is made of.
#[derive(Debug)]
pub struct Parts<L> {
    /// The log, opened and replayed.
    pub log: L,
    /// The state, brought up to the log's head.
    pub views: Arc<Views>,
    /// Seals what is written.
    pub sealer: Sealer,
    /// What the rules may be told.
    pub rules: Rules,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Salts and nonces.
    pub random: StdRng,
    /// Most commands in one group: bounds the wait of the first and the memory of all.
    pub group_len_max: usize,
    /// Most commands that wait.
    pub queue_len: usize,
}

/// Owns everything that changes.
#[derive(Debug)]
pub struct Writer<L> {
    queue: mpsc::Receiver<Pending>,
    log: L,
    views: Arc<Views>,
    sealer: Sealer,
    rules: Rules,
    clock: Arc<dyn Clock>,
    random: StdRng,
    head: Head,
    recent: Recent,
    group_len_max: usize,
}

/// A group that has been decided and not yet written.
struct Decided {
    entries: Vec<StoredEntry>,
    recent: Vec<RecentEntry>,
    answers: Vec<(oneshot::Sender<Answer>, Answer)>,
    changes: Changes,
    head: Head,
    /// Whether a command could not be sealed.
    has_failed: bool,
}

/// Tells readers that no more entries are taken when the writer is gone.
struct CloseViews(Arc<Views>);

impl Drop for CloseViews {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl<L: EventLog> Writer<L> {
    /// Makes a writer, and the handle that feeds it.
    pub fn new(parts: Parts<L>) -> (Ledger, Self) {
        let Parts { log, views, sealer, rules, clock, random, group_len_max, queue_len } = parts;
        let (sender, queue) = mpsc::channel(queue_len);
        let head = log.reader().head();
        let recent = Recent::default();
        let ledger = Ledger { queue: sender, views: Arc::clone(&views), recent: recent.clone() };
        let writer =
            Self { queue, log, views, sealer, rules, clock, random, head, recent, group_len_max };
        (ledger, writer)
    }

    /// Runs until every [`Ledger`] is gone, then closes the log. Call it on a thread of its own.
    ///
    /// After a storage failure it goes on answering, always with no.
    ///
    /// Readers see that the ledger takes no more entries however this ends, in a panic too.
    pub fn run(mut self) {
        let _closes = CloseViews(Arc::clone(&self.views));
        while self.step() {}
        if let Err(error) = self.log.close() {
            tracing::error!(%error, "failed to close the log");
        }
    }

    /// Waits for a command, takes whatever queued behind it as one group, commits the group.
    /// Returns whether more can come. Tests call this to choose the groups themselves.
    pub fn step(&mut self) -> bool {
        let mut group = Vec::new();
        if self.queue.blocking_recv_many(&mut group, self.group_len_max) == 0 {
            return false;
        }
        let mut waiting = VecDeque::from(group);
        while !waiting.is_empty() {
            self.commit(&mut waiting);
        }
        true
    }

    /// Decides, appends, applies, answers; in that order, for as much of the group as fits into
    /// one append, which is nearly always all of it.
    fn commit(&mut self, waiting: &mut VecDeque<Pending>) {
        let refuse = |waiting: &mut VecDeque<Pending>| {
            refuse_all(waiting.drain(..).map(|pending| pending.answer), || SubmitError::ReadOnly);
        };
        if self.views.is_read_only() {
            refuse(waiting);
            return;
        }
        if let Err(error) = self.reserve_keys(waiting.len()) {
            let cause = in_full(&error);
            tracing::error!(error = cause, "the ledger is read-only: the key vault cannot grow");
            self.views.close();
            refuse(waiting);
            return;
        }
        let decided = self.decide_some(waiting);
        if !decided.entries.is_empty() {
            match self.log.append(self.head, &decided.entries) {
                Ok(durable) => {
                    assert_eq!(
                        durable, decided.head,
                        "the log and the writer chain the same bytes"
                    );
                }
                Err(error) => {
                    self.fail(&error, decided.answers);
                    return;
                }
            }
            self.head = decided.head;
            self.views.apply(decided.changes);
            self.recent.put(decided.recent);
        }
        if decided.has_failed {
            self.views.close();
        }
        // Refusals waited too: they may rest on events of this very group.
        for (answer, outcome) in decided.answers {
            if answer.send(outcome).is_err() {
                tracing::debug!("a caller stopped waiting; what it asked for stands");
            }
        }
    }

    /// Answers a group that was not appended. Nothing of one that is too large was written, so
    /// the ledger goes on; after any other error only opening it again tells.
    fn fail(&self, error: &AppendError, answers: Vec<(oneshot::Sender<Answer>, Answer)>) {
        let answers = answers.into_iter().map(|(answer, _)| answer);
        if let AppendError::TooLarge { bytes } = error {
            tracing::error!(group.bytes = bytes, "a group was too large for the log");
            refuse_all(answers, || SubmitError::Busy);
        } else {
            let cause = in_full(error);
            tracing::error!(error = cause, "the ledger is read-only: an append failed");
            self.views.close();
            refuse_all(answers, || SubmitError::Unknown);
        }
    }

    /// Makes sure that every command of the group could add a contact. Mostly a look at a number:
    /// keys are made thousands at a time.
    fn reserve_keys(&mut self, commands: usize) -> Result<(), VaultError> {
        let next = self.views.state().contacts().next();
        let commands = u32::try_from(commands).unwrap_or(u32::MAX);
        let last = Subject(next.0.saturating_add(commands));
        self.sealer.vault().ensure(last, &mut self.random)
    }

    /// Decides from the front until the entries are as many bytes as a group may have.
    fn decide_some(&mut self, waiting: &mut VecDeque<Pending>) -> Decided {
        let Self { views, sealer, rules, clock, random, head, .. } = self;
        let state = views.state();
        let mut desk = Desk {
            draft: Draft::new(&state),
            sealer,
            rules,
            random,
            head: *head,
            entries: Vec::with_capacity(waiting.len()),
            recent: Vec::with_capacity(waiting.len()),
            bytes: 0,
            has_failed: false,
        };
        let mut answers = Vec::with_capacity(waiting.len());
        while desk.bytes < GROUP_BYTES_MAX
            && let Some(Pending { envelope, answer }) = waiting.pop_front()
        {
            // Machine clocks step back; the ledger's does not.
            let now = clock.now().max(desk.draft.last_at());
            let outcome = desk.decide(&envelope, now);
            answers.push((answer, outcome));
        }
        let Desk { draft, head, entries, recent, has_failed, .. } = desk;
        Decided { entries, recent, answers, changes: draft.into_changes(), head, has_failed }
    }
}

/// Decides commands one after the other on one draft.
struct Desk<'a> {
    draft: Draft<'a>,
    sealer: &'a Sealer,
    rules: &'a Rules,
    random: &'a mut StdRng,
    head: Head,
    entries: Vec<StoredEntry>,
    /// The same, for the one who follows.
    recent: Vec<RecentEntry>,
    /// How much of a log the entries take.
    bytes: usize,
    /// Whether keys or sealing failed: nothing more is decided.
    has_failed: bool,
}

impl Desk<'_> {
    fn decide(&mut self, envelope: &Envelope, now: Timestamp) -> Answer {
        if self.has_failed {
            return Err(SubmitError::ReadOnly);
        }
        if let Some(once) = envelope.once
            && let Some(done) = self.draft.done(once.id)
        {
            return if done.fingerprint == once.fingerprint {
                Ok(Outcome::DoneBefore { first: done.first, entries: done.entries })
            } else {
                Err(SubmitError::Refused(Box::new(Refusal::OnceReused)))
            };
        }
        let mut events = decide(&self.draft, self.rules, &envelope.command, now)
            .map_err(|refusal| SubmitError::Refused(Box::new(refusal)))?;
        if events.is_empty() && envelope.once.is_some() {
            // Repeated after something else changed, it would have something to change.
            events.push((Subject::SYSTEM, Event::NothingChanged));
        }
        let count = u32::try_from(events.len()).unwrap_or(u32::MAX);
        let mut mark = envelope.once.map(|once| CommandMark {
            id: once.id,
            fingerprint: once.fingerprint,
            entries: count,
            kept: once.kept,
        });
        let mut records = Vec::with_capacity(events.len());
        for (subject, event) in events {
            let by = envelope.actor.clone();
            records.push((subject, Record { at: now, by, command: mark.take(), event }));
        }
        self.seal(records).map_err(|error| {
            // Nothing of this command was folded or will be written.
            let cause = in_full(&error);
            tracing::error!(error = cause, "failed to seal a command's entries");
            // One contact's missing key is no failure of the vault.
            self.has_failed |= !matches!(error, SealError::Erased);
            SubmitError::ReadOnly
        })
    }

    /// Seals all of a command's records before folding any: all of them happen, or none.
    fn seal(&mut self, records: Vec<(Subject, Record)>) -> Result<Outcome, SealError> {
        let (mut head, mut sealed) = (self.head, Vec::with_capacity(records.len()));
        let mut recent = Vec::with_capacity(records.len());
        for (subject, record) in records {
            let entry = self.sealer.seal(head, subject, &record, self.random)?;
            let seq = entry.header.seq;
            head = Head { next: seq.next(), hash: entry.header.entry_hash() };
            let stored_len = stored_len(std::slice::from_ref(&entry));
            recent.push(RecentEntry { seq, head, subject, record: Arc::new(record), stored_len });
            sealed.push(entry);
        }
        self.head = head;
        let mut recorded = Vec::with_capacity(recent.len());
        for (RecentEntry { seq, subject, record, stored_len, .. }, entry) in
            recent.iter().zip(&sealed)
        {
            self.draft.fold(*seq, *subject, record);
            self.bytes = self.bytes.saturating_add(*stored_len);
            let leaf_hash = entry.header.leaf_hash();
            let record = Arc::clone(record);
            recorded.push(Recorded { seq: *seq, leaf_hash, subject: *subject, record });
        }
        self.entries.append(&mut sealed);
        self.recent.append(&mut recent);
        Ok(Outcome::Done(recorded))
    }
}

/// Returns an error with what caused it. The log's and the vault's name places and what the
/// operating system said, never what was to be recorded.
fn in_full(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

fn refuse_all(
    answers: impl Iterator<Item = oneshot::Sender<Answer>>,
    error: impl Fn() -> SubmitError,
) {
    for answer in answers {
        if answer.send(Err(error())).is_err() {
            tracing::debug!("a caller stopped waiting; nothing was recorded");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn the_log_names_what_kept_the_disk_from_taking_a_group() {
        let source = io::Error::from_raw_os_error(28);
        let named = in_full(&AppendError::Storage(source));
        assert!(named.contains("No space left on device"), "{named}");
        let vault = VaultError::Storage(io::ErrorKind::StorageFull.into());
        assert_ne!(in_full(&vault), vault.to_string());
    }
}
