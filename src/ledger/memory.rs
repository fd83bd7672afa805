//! The log without a disk: what every other log is compared with, and what tests run on.

use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::watch;

use crate::{
    domain::entry::Seq,
    ledger::{
        entry::{Chain, Head, StoredEntry, stored_len},
        log::{AppendError, Entries, EventLog, LogReader},
    },
    limits::FRAME_BYTES_MAX,
};

/// A log in memory. Clones share the entries.
#[derive(Debug, Clone)]
pub struct MemoryLog {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    stored: RwLock<Stored>,
    head: watch::Sender<Head>,
}

#[derive(Debug)]
struct Stored {
    chain: Chain,
    entries: Vec<StoredEntry>,
}

impl MemoryLog {
    /// Makes an empty log.
    pub fn new() -> Self {
        let head = watch::Sender::new(Head::EMPTY);
        let stored = RwLock::new(Stored { chain: Chain::EMPTY, entries: Vec::new() });
        Self { shared: Arc::new(Shared { stored, head }) }
    }
}

impl Default for MemoryLog {
    fn default() -> Self {
        Self::new()
    }
}

impl EventLog for MemoryLog {
    fn append(&mut self, expected: Head, entries: &[StoredEntry]) -> Result<Head, AppendError> {
        let mut stored = self.shared.stored.write().unwrap_or_else(PoisonError::into_inner);
        if stored.chain.head() != expected {
            return Err(AppendError::HeadMoved);
        }
        let bytes = stored_len(entries);
        if bytes > FRAME_BYTES_MAX {
            return Err(AppendError::TooLarge { bytes });
        }
        stored.chain.extend_all(entries).map_err(AppendError::Chain)?;
        stored.entries.extend_from_slice(entries);
        let head = stored.chain.head();
        self.shared.head.send_replace(head);
        Ok(head)
    }

    fn close(&mut self) -> std::io::Result<()> {
        Ok(())
    }

    fn reader(&self) -> Arc<dyn LogReader> {
        Arc::new(self.clone())
    }
}

impl LogReader for MemoryLog {
    fn head(&self) -> Head {
        *self.shared.head.borrow()
    }

    fn watch(&self) -> watch::Receiver<Head> {
        self.shared.head.subscribe()
    }

    fn read(&self, from: Seq) -> Entries {
        let end = usize::try_from(self.head().next.0).unwrap_or(usize::MAX);
        let start = usize::try_from(from.0).unwrap_or(usize::MAX);
        let shared = Arc::clone(&self.shared);
        Box::new((start..end).map_while(move |place| {
            let stored = shared.stored.read().unwrap_or_else(PoisonError::into_inner);
            stored.entries.get(place).cloned().map(Ok)
        }))
    }
}
