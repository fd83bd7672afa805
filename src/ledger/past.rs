//! The state of a moment in the past: the ledger up to it, replayed beside the one in force.
//!
//! One replay at a time, in constant memory but for the state it makes. That one is kept for a
//! while: a question about a later moment goes on from it. Forgets nothing by itself.

use std::{sync::Arc, time::Duration};

use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::{
    domain::{
        entry::Seq,
        state::State,
        time::{MINUTE_MS, Timestamp},
    },
    ledger::{
        log::{LogReader, ReadError},
        replay::Replay,
        sealer::{Content, SealError, Sealer},
    },
    limits::{PAST_CONTACTS_KEPT_MAX, PAST_STOP_EVERY},
};

/// Brings states of the past up. Clones share the one that is kept.
#[derive(Debug, Clone)]
pub struct Past {
    log: Arc<dyn LogReader>,
    sealer: Sealer,
    kept: Arc<Mutex<Kept>>,
}

/// What is kept between two questions.
#[derive(Debug, Default)]
struct Kept {
    state: Option<State>,
    /// How often it was asked.
    uses: u64,
}

/// Whoever holds it is the one that replays.
#[derive(Debug)]
pub struct Turn {
    log: Arc<dyn LogReader>,
    sealer: Sealer,
    kept: OwnedMutexGuard<Kept>,
}

/// Why there is no state of a moment.
#[derive(Debug, thiserror::Error)]
pub enum PastError {
    /// Others are replaying, and did not end in time.
    #[error("another look into the past is under way")]
    Busy,
    /// The service is stopping.
    #[error("the service is stopping")]
    Stopped,
    /// The ledger had not begun.
    #[error("the ledger began later")]
    BeforeLedger,
    /// The log cannot be read.
    #[error("failed to read the ledger of the past")]
    Log(#[from] ReadError),
    /// An entry cannot be opened.
    #[error("failed to open an entry of the past")]
    Entry(#[from] SealError),
}

impl Past {
    /// Looks into the past of a log.
    pub fn new(log: Arc<dyn LogReader>, sealer: Sealer) -> Self {
        Self { log, sealer, kept: Arc::default() }
    }

    /// Waits until nobody else replays.
    ///
    /// # Errors
    ///
    /// [`PastError::Busy`] when that takes longer than `within`.
    pub async fn turn(&self, within: Duration) -> Result<Turn, PastError> {
        let (log, sealer) = (Arc::clone(&self.log), self.sealer.clone());
        let lock = Arc::clone(&self.kept).lock_owned();
        match tokio::time::timeout(within, lock).await {
            Ok(kept) => Ok(Turn { log, sealer, kept }),
            Err(tokio::time::error::Elapsed { .. }) => Err(PastError::Busy),
        }
    }

    /// Returns how often the past was asked about: whether a state is still in use.
    pub fn uses(&self) -> Option<u64> {
        self.kept.try_lock().ok().map(|kept| kept.uses)
    }

    /// Hands out the state that is kept if nobody asked for it since `uses`, to be dropped.
    pub fn take_unused(&self, uses: u64) -> Option<State> {
        let mut kept = self.kept.try_lock().ok().filter(|kept| kept.uses == uses)?;
        kept.state.take()
    }
}

impl Turn {
    /// Returns the state after the last entry recorded at `at` or before. Blocks for as long as the
    /// replay takes, or until `is_stopping`.
    ///
    /// When an entry was recorded is in what it holds. Of entries about people who were erased only
    /// the minute is known: in doubt the last ones are left out, which nothing can be told of.
    ///
    /// # Errors
    ///
    /// [`PastError`]; what was replayed so far is kept.
    pub fn state_at(
        &mut self,
        at: Timestamp,
        is_stopping: impl Fn() -> bool,
    ) -> Result<&State, PastError> {
        let Self { log, sealer, kept } = self;
        kept.uses += 1;
        let known = kept.state.take().filter(|state| state.last_at() <= at);
        let from = known.as_ref().map_or(Seq(0), State::next);
        let mut replay = match known {
            Some(state) => Replay::going_on(sealer.clone(), state),
            None => Replay::new(sealer.clone(), State::default()),
        };
        let outcome = replay_until(&mut replay, log.read(from), at, is_stopping);
        let (state, _) = replay.finish();
        let state = kept.state.insert(state);
        outcome?;
        if state.next() == Seq(0) { Err(PastError::BeforeLedger) } else { Ok(state) }
    }
}

/// A state that is too large to be held twice is not kept.
impl Drop for Turn {
    fn drop(&mut self) {
        let places = self.kept.state.as_ref().map_or(0, |state| state.contacts().len());
        if places > PAST_CONTACTS_KEPT_MAX {
            self.kept.state = None;
        }
    }
}

fn replay_until(
    replay: &mut Replay,
    entries: crate::ledger::log::Entries,
    at: Timestamp,
    is_stopping: impl Fn() -> bool,
) -> Result<(), PastError> {
    for (read, entry) in entries.enumerate() {
        if read % PAST_STOP_EVERY == 0 && is_stopping() {
            return Err(PastError::Stopped);
        }
        let entry = entry?;
        // The header says the minute at no cost.
        if at < entry.header.at {
            break;
        }
        let content = replay.read(&entry)?;
        match &content {
            Content::Open { record, .. } if at < record.at => break,
            // It happened within the minute that is running, before or after.
            Content::Erased { .. } if at < entry.header.at.plus_ms(MINUTE_MS - 1) => continue,
            Content::Open { .. } | Content::Erased { .. } => {}
        }
        replay.accept(entry.header.seq, content);
    }
    Ok(())
}
