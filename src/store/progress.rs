//! How far the database has come, for everyone who waits for it or watches it.

use std::time::Duration;

use tokio::sync::watch;

use crate::{domain::entry::Seq, ledger::entry::Head};

/// How far the database has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The next entry to apply: everything before it is in the documents.
    pub applied: Seq,
    /// Whether it comes no further until the program starts again.
    pub is_failed: bool,
}

/// Why waiting for an entry ended without it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WaitError {
    /// It has not been applied in time; it will be.
    #[error("the database has not caught up in time")]
    TimedOut,
    /// It will not be applied before the program starts again.
    #[error("the database has failed")]
    Failed,
}

/// Tells how far the database is behind the ledger. Cheap to clone and to ask.
#[derive(Debug, Clone)]
pub struct Lag {
    head: watch::Receiver<Head>,
    progress: watch::Receiver<Progress>,
}

impl Lag {
    pub(super) const fn new(
        head: watch::Receiver<Head>,
        progress: watch::Receiver<Progress>,
    ) -> Self {
        Self { head, progress }
    }

    /// Returns how many durable entries are not applied yet.
    pub fn entries(&self) -> u64 {
        let applied = self.progress.borrow().applied;
        self.head.borrow().next.0.saturating_sub(applied.0)
    }

    /// Returns whether the database comes no further until the program starts again.
    pub fn is_failed(&self) -> bool {
        self.progress.borrow().is_failed
    }
}

/// Waits until the entry at `seq` is applied.
pub(super) async fn wait_for(
    mut progress: watch::Receiver<Progress>,
    seq: Seq,
    within: Duration,
) -> Result<(), WaitError> {
    let reached = progress.wait_for(|progress| progress.applied > seq || progress.is_failed);
    match tokio::time::timeout(within, reached).await {
        Ok(Ok(progress)) if progress.applied > seq => Ok(()),
        // An error means that nobody is left who could apply anything.
        Ok(Ok(_) | Err(_)) => Err(WaitError::Failed),
        Err(tokio::time::error::Elapsed { .. }) => Err(WaitError::TimedOut),
    }
}
