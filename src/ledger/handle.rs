//! How everyone else reaches the writer: a queue with an end, and an answer to wait for.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use crate::{
    domain::{
        command::{Command, Envelope},
        entry::{Seq, Subject},
        event::Record,
        key::ContactKey,
        refusal::Refusal,
    },
    ledger::{
        recent::{Recent, RecentReader},
        views::Views,
    },
};

/// An entry that is durable, as its command's caller sees it.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// Its position.
    pub seq: Seq,
    /// Its leaf in the ledger's tree.
    pub leaf_hash: [u8; 32],
    /// Whom it is about.
    pub subject: Subject,
    /// What happened.
    pub record: Arc<Record>,
}

/// What became of a command.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// These entries are durable; none, when nothing had to change.
    Done(Vec<Recorded>),
    /// It was done before, under the same idempotency key: these positions.
    DoneBefore {
        /// The first entry.
        first: Seq,
        /// How many there are.
        entries: u32,
    },
}

/// Why a command got no outcome.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// The rules say no. Recorded nowhere.
    #[error(transparent)]
    Refused(Box<Refusal>),
    /// The queue is full.
    #[error("the ledger is busy")]
    Busy,
    /// The ledger takes no more entries; this command was certainly not recorded.
    #[error("the ledger is read-only after a storage failure")]
    ReadOnly,
    /// Storage failed under this very command; only opening the ledger again tells whether it
    /// was recorded.
    #[error("storage failed while the command was being recorded")]
    Unknown,
    /// The writer has stopped.
    #[error("the ledger is closed")]
    Closed,
}

pub(super) type Answer = Result<Outcome, SubmitError>;

/// A command that waits for its group.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) envelope: Envelope,
    pub(super) answer: oneshot::Sender<Answer>,
}

/// Submits commands. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Ledger {
    pub(super) queue: mpsc::Sender<Pending>,
    pub(super) views: Arc<Views>,
    pub(super) recent: Recent,
}

impl Ledger {
    /// Submits a command and waits until its entries are durable.
    ///
    /// # Errors
    ///
    /// [`SubmitError`] says whether to correct the request, to retry, or to look first.
    pub async fn submit(&self, envelope: Envelope) -> Answer {
        let stopped = stopped_keys(&envelope.command);
        // By itself, so that what waits holds the command only once.
        let answer = match self.offer(envelope) {
            Ok(outcome) => outcome.await.unwrap_or(Err(SubmitError::Unknown)),
            Err(error) => Err(error),
        };
        let has_failed = match &answer {
            Err(SubmitError::ReadOnly | SubmitError::Unknown | SubmitError::Closed) => true,
            Err(SubmitError::Refused(_) | SubmitError::Busy) | Ok(_) => false,
        };
        if has_failed && !stopped.is_empty() {
            self.views.note_unrecorded_stop(&stopped);
        }
        answer
    }

    fn offer(&self, envelope: Envelope) -> Result<oneshot::Receiver<Answer>, SubmitError> {
        if self.views.is_read_only() {
            return Err(SubmitError::ReadOnly);
        }
        let (answer, outcome) = oneshot::channel();
        let pending = Pending { envelope, answer };
        self.queue.try_send(pending).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => SubmitError::Busy,
            mpsc::error::TrySendError::Closed(_) => SubmitError::Closed,
        })?;
        Ok(outcome)
    }

    /// Begins to hand on what is committed from now on, for one who follows the ledger: see
    /// [`RecentReader`]. At most `bytes_max` bytes of entries, as stored, wait for it.
    pub fn follow(&self, bytes_max: usize) -> RecentReader {
        self.recent.follow(bytes_max)
    }

    /// Returns what readers see.
    pub const fn views(&self) -> &Arc<Views> {
        &self.views
    }

    /// Returns whether the writer still listens.
    pub fn is_open(&self) -> bool {
        !self.queue.is_closed()
    }

    /// Returns how many more commands fit into the queue.
    pub fn room(&self) -> usize {
        self.queue.capacity()
    }
}

/// Returns who must not be written to if this command cannot be recorded: the person by every
/// identifier named, weak spellings included.
fn stopped_keys(command: &Command) -> Vec<ContactKey> {
    let Command::OptOut(opt_out) = command else { return Vec::new() };
    let number = opt_out.person.number.as_ref();
    let weak = number.into_iter().flat_map(|number| number.weak.iter().copied());
    let user = opt_out.person.user.as_ref().map(|user| user.key);
    number.map(|number| number.key).into_iter().chain(user).chain(weak).collect()
}
