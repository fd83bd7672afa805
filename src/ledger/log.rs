//! What the writer and the readers need from storage.
//!
//! One process appends; any number of threads read. Every implementation passes
//! `tests/it/log_conformance.rs`.

use std::{io, sync::Arc};

use tokio::sync::watch;

use crate::{
    domain::entry::Seq,
    ledger::entry::{ChainError, Head, StoredEntry},
};

/// Storage for entries, as its one writer sees it.
pub trait EventLog: Send {
    /// Appends `entries` after `expected`, all or none.
    ///
    /// When this returns `Ok` the entries survive a power cut. It is the commit point of the
    /// whole system: before it nothing is promised, after it nothing is taken back.
    ///
    /// # Errors
    ///
    /// [`AppendError`]. After [`AppendError::Storage`] nobody knows what the storage holds: every
    /// later append fails too, and only opening the log again tells.
    fn append(&mut self, expected: Head, entries: &[StoredEntry]) -> Result<Head, AppendError>;

    /// Makes everything an orderly stop leaves behind durable.
    ///
    /// # Errors
    ///
    /// Whatever the storage says. Nothing acknowledged depends on it.
    fn close(&mut self) -> io::Result<()>;

    /// Returns the reading side.
    fn reader(&self) -> Arc<dyn LogReader>;
}

/// Entries in order, or the first thing that is wrong with them.
pub type Entries = Box<dyn Iterator<Item = Result<StoredEntry, ReadError>> + Send>;

/// Storage for entries, as readers see it: durable entries only.
pub trait LogReader: std::fmt::Debug + Send + Sync {
    /// Returns the durable end of the log.
    fn head(&self) -> Head;

    /// Follows the durable end of the log.
    fn watch(&self) -> watch::Receiver<Head>;

    /// Streams the entries from `from` to the end as it is now, in constant memory.
    fn read(&self, from: Seq) -> Entries;

    /// Returns one entry, or `None` past the end.
    ///
    /// # Errors
    ///
    /// [`ReadError`].
    fn entry(&self, seq: Seq) -> Result<Option<StoredEntry>, ReadError> {
        if seq >= self.head().next { Ok(None) } else { self.read(seq).next().transpose() }
    }
}

/// Why nothing was appended.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// Someone else appended: `expected` is not the head. There are two writers.
    #[error("the ledger's head moved under the writer")]
    HeadMoved,
    /// The entries do not follow the head.
    #[error("failed to chain the entries")]
    Chain(#[source] ChainError),
    /// The entries do not fit into one group. Nothing was written; the log goes on.
    #[error("the group of {bytes} bytes is too large for the log")]
    TooLarge {
        /// Its size as it would be stored.
        bytes: usize,
    },
    /// Storage failed. Whether the bytes reached the disk is unknown until the log is reopened.
    #[error("failed to append to the log")]
    Storage(#[source] io::Error),
    /// Storage failed before; nothing more is tried.
    #[error("the log is closed after an earlier failure")]
    Closed,
}

/// Why an entry cannot be read back.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Storage failed.
    #[error("failed to read the log")]
    Storage(#[source] io::Error),
    /// What is stored is not what was written.
    #[error("entry {seq} is damaged")]
    Damaged {
        /// The first position that cannot be read.
        seq: u64,
    },
}
