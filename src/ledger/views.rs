//! What readers see: the durable state, and nothing of a group that is still being written.

use std::{
    collections::BTreeSet,
    sync::{
        PoisonError, RwLock, RwLockReadGuard,
        atomic::{AtomicBool, Ordering},
    },
};

use crate::domain::{
    key::ContactKey,
    state::{Changes, State},
};

/// The durable state, shared between the writer, which alone changes it, and its readers.
#[derive(Debug, Default)]
pub struct Views {
    state: RwLock<State>,
    is_read_only: AtomicBool,
    unrecorded_stops: RwLock<BTreeSet<ContactKey>>,
}

impl Views {
    /// Shares a state that was brought up to the head.
    pub fn new(state: State) -> Self {
        Self { state: RwLock::new(state), ..Self::default() }
    }

    /// Returns the durable state. Hold it for microseconds: the writer waits for it.
    pub fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns whether the ledger takes no more entries until it is opened again.
    pub fn is_read_only(&self) -> bool {
        self.is_read_only.load(Ordering::Acquire)
    }

    /// Returns whether this person withdrew and the ledger could not record it. The answer must
    /// then be no: better silent than wrong.
    pub fn has_unrecorded_stop(&self, key: ContactKey) -> bool {
        self.is_read_only()
            && self.unrecorded_stops.read().unwrap_or_else(PoisonError::into_inner).contains(&key)
    }

    /// Takes over the changes of a group that is durable.
    pub(super) fn apply(&self, changes: Changes) {
        self.state.write().unwrap_or_else(PoisonError::into_inner).apply(changes);
    }

    /// Turns read-only, for good.
    pub(super) fn close(&self) {
        self.is_read_only.store(true, Ordering::Release);
    }

    /// Remembers a withdrawal that could not be recorded.
    pub(super) fn note_unrecorded_stop(&self, key: ContactKey) {
        let mut stops = self.unrecorded_stops.write().unwrap_or_else(PoisonError::into_inner);
        stops.insert(key);
    }
}
