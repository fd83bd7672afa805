//! What readers see: the durable state, and nothing of a group that is still being written.

use std::{
    collections::BTreeSet,
    sync::{
        PoisonError, RwLock, RwLockReadGuard,
        atomic::{AtomicBool, Ordering},
    },
};

use crate::domain::{
    entry::Subject,
    key::ContactKey,
    state::{Changes, State},
};

/// The durable state, shared between the writer, which alone changes it, and its readers.
#[derive(Debug, Default)]
pub struct Views {
    state: RwLock<State>,
    is_read_only: AtomicBool,
    has_unrecorded_stops: AtomicBool,
    unrecorded_stops: RwLock<UnrecordedStops>,
}

/// Who withdrew without the ledger being able to record it: by the keys that were named, and by
/// place those who are known, whichever of their keys they are asked about by.
#[derive(Debug, Default)]
struct UnrecordedStops {
    keys: BTreeSet<ContactKey>,
    subjects: BTreeSet<Subject>,
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

    /// Returns whether this person, who is at this place if known, withdrew and the ledger could not
    /// record it. The answer must then be no: better silent than wrong.
    pub fn has_unrecorded_stop(&self, key: ContactKey, subject: Option<Subject>) -> bool {
        if !self.has_unrecorded_stops.load(Ordering::Acquire) {
            return false;
        }
        let stops = self.unrecorded_stops.read().unwrap_or_else(PoisonError::into_inner);
        stops.keys.contains(&key) || subject.is_some_and(|place| stops.subjects.contains(&place))
    }

    /// Takes over the changes of a group that is durable.
    pub(super) fn apply(&self, changes: Changes) {
        self.state.write().unwrap_or_else(PoisonError::into_inner).apply(changes);
    }

    /// Turns read-only, for good.
    pub(super) fn close(&self) {
        self.is_read_only.store(true, Ordering::Release);
    }

    /// Remembers a withdrawal that could not be recorded, of a person by all these keys, and with
    /// them the weak spellings of whoever is known by one.
    pub(super) fn note_unrecorded_stop(&self, keys: &[ContactKey]) {
        let mut known = BTreeSet::new();
        let mut weak = Vec::new();
        {
            let state = self.state();
            for key in keys {
                let Some(subject) = state.contacts().find(*key) else { continue };
                known.insert(subject);
                let contact = state.contacts().get(subject);
                weak.extend(contact.into_iter().flat_map(|c| c.aliases().weak.iter().copied()));
            }
            known.extend(weak.iter().filter_map(|key| state.contacts().find(*key)));
        }
        let mut stops = self.unrecorded_stops.write().unwrap_or_else(PoisonError::into_inner);
        stops.keys.extend(keys.iter().copied().chain(weak));
        stops.subjects.extend(known);
        self.has_unrecorded_stops.store(true, Ordering::Release);
    }
}
