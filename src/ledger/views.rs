//! What readers see: the durable state, and nothing of a group that is still being written.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        PoisonError, RwLock, RwLockReadGuard,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::sync::watch;

use crate::domain::{
    entry::{Seq, Subject},
    key::{CommandId, ContactKey},
    state::{Changes, State},
    time::Timestamp,
};

/// The durable state, shared between the writer, which alone changes it, and its readers.
#[derive(Debug, Default)]
pub struct Views {
    state: RwLock<State>,
    /// The position the next entry will have, told after each change.
    next: watch::Sender<Seq>,
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
    /// Those that will be said again, because there was only no room for them.
    waiting: BTreeMap<StopId, Stopped>,
}

/// What a withdrawal and its repeat have in common.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum StopId {
    /// The id of its command.
    Once(CommandId),
    /// When it was said, and by whom.
    Said(Timestamp, Vec<ContactKey>),
}

/// Whom a withdrawal is about.
#[derive(Debug)]
struct Stopped {
    keys: Vec<ContactKey>,
    subjects: BTreeSet<Subject>,
}

impl Views {
    /// Shares a state that was brought up to the head.
    pub fn new(state: State) -> Self {
        let next = watch::Sender::new(state.next());
        Self { state: RwLock::new(state), next, ..Self::default() }
    }

    /// Returns the durable state. Hold it for microseconds: the writer waits for it.
    pub fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Follows the position the next entry will have: everything before it is in the state.
    pub fn watch(&self) -> watch::Receiver<Seq> {
        self.next.subscribe()
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
        let is_known = |place| stops.subjects.contains(&place);
        let is_waiting = |stopped: &Stopped| {
            stopped.keys.contains(&key) || subject.is_some_and(|at| stopped.subjects.contains(&at))
        };
        stops.keys.contains(&key)
            || subject.is_some_and(is_known)
            || stops.waiting.values().any(is_waiting)
    }

    /// Takes over the changes of a group that is durable.
    pub(super) fn apply(&self, changes: Changes) {
        let next = {
            let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
            state.apply(changes);
            state.next()
        };
        self.next.send_replace(next);
    }

    /// Turns read-only, for good.
    pub(super) fn close(&self) {
        self.is_read_only.store(true, Ordering::Release);
    }

    /// Remembers a withdrawal that could not be recorded, of a person by all these keys, and with
    /// them the weak spellings of whoever is known by one.
    pub(super) fn note_unrecorded_stop(&self, keys: &[ContactKey]) {
        let Stopped { keys, subjects } = self.stopped(keys);
        let mut stops = self.unrecorded_stops.write().unwrap_or_else(PoisonError::into_inner);
        stops.keys.extend(keys);
        stops.subjects.extend(subjects);
        self.has_unrecorded_stops.store(true, Ordering::Release);
    }

    /// Remembers a withdrawal there was no room for, until it is said again and recorded.
    pub(super) fn note_waiting_stop(&self, id: StopId, keys: &[ContactKey]) {
        let stopped = self.stopped(keys);
        let mut stops = self.unrecorded_stops.write().unwrap_or_else(PoisonError::into_inner);
        stops.waiting.insert(id, stopped);
        self.has_unrecorded_stops.store(true, Ordering::Release);
    }

    /// Forgets a withdrawal that is recorded now.
    pub(super) fn forget_waiting_stop(&self, id: &StopId) {
        if !self.has_unrecorded_stops.load(Ordering::Acquire) {
            return;
        }
        let mut stops = self.unrecorded_stops.write().unwrap_or_else(PoisonError::into_inner);
        stops.waiting.remove(id);
        let UnrecordedStops { keys, subjects, waiting } = &*stops;
        let is_any = !(keys.is_empty() && subjects.is_empty() && waiting.is_empty());
        self.has_unrecorded_stops.store(is_any, Ordering::Release);
    }

    /// Returns whom these keys lead to.
    fn stopped(&self, keys: &[ContactKey]) -> Stopped {
        let mut subjects = BTreeSet::new();
        let mut weak = Vec::new();
        let state = self.state();
        for key in keys {
            let Some(subject) = state.contacts().find(*key) else { continue };
            subjects.insert(subject);
            let contact = state.contacts().get(subject);
            weak.extend(contact.into_iter().flat_map(|c| c.aliases().weak.iter().copied()));
        }
        subjects.extend(weak.iter().filter_map(|key| state.contacts().find(*key)));
        Stopped { keys: keys.iter().copied().chain(weak).collect(), subjects }
    }
}
