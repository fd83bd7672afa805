//! Replay: the log becomes the state again, in bounded memory and many entries at a time.

use crate::{
    domain::{
        entry::{Seq, Subject},
        event::Record,
        state::{Draft, State},
    },
    ledger::{
        entry::StoredEntry,
        seal::Dek,
        sealer::{Content, SealError, Sealer},
    },
};

/// Entries folded on one draft before the state takes them over.
const BATCH: usize = 1_024;

/// Keys read from the vault at a time when a replay runs into new contacts.
const KEYS_AHEAD: u32 = 65_536;

/// Brings a state up to the entries it is given, in order.
#[derive(Debug)]
pub struct Replay {
    state: State,
    sealer: Sealer,
    keys: Vec<Option<Dek>>,
    waiting: Vec<(Seq, Subject, Box<Record>)>,
    highest: Subject,
}

impl Replay {
    /// Starts from `state`, which knows no entry yet.
    pub fn new(sealer: Sealer, state: State) -> Self {
        Self {
            state,
            sealer,
            keys: Vec::new(),
            waiting: Vec::with_capacity(BATCH),
            highest: Subject::SYSTEM,
        }
    }

    /// Takes the next entry.
    ///
    /// # Errors
    ///
    /// [`SealError`] when the entry cannot be read: the ledger or the vault is damaged.
    pub fn take(&mut self, entry: &StoredEntry) -> Result<(), SealError> {
        let subject = self.sealer.subject_of(entry)?;
        self.highest = self.highest.max(subject);
        let content = match self.key(subject)? {
            Some(dek) => Sealer::read_with(subject, dek, entry)?,
            None => Content::Erased { subject },
        };
        match content {
            Content::Open { subject, record } => {
                self.waiting.push((entry.header.seq, subject, record));
                if self.waiting.len() >= BATCH {
                    self.fold();
                }
            }
            Content::Erased { subject } => {
                self.fold();
                self.state.skip_erased(subject, entry.header.seq);
            }
        }
        Ok(())
    }

    /// Returns the state, and the highest vault slot any entry used.
    pub fn finish(mut self) -> (State, Subject) {
        self.fold();
        (self.state, self.highest)
    }

    fn fold(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        let mut draft = Draft::new(&self.state);
        for (seq, subject, record) in self.waiting.drain(..) {
            draft.fold(seq, subject, &record);
        }
        let changes = draft.into_changes();
        self.state.apply(changes);
    }

    fn key(&mut self, subject: Subject) -> Result<Option<&Dek>, SealError> {
        let place = usize::try_from(subject.0).unwrap_or(usize::MAX);
        if place >= self.keys.len() {
            // Refuses a slot that was never made before reading up to it.
            self.sealer.vault().dek(subject)?;
            let ahead = Subject(subject.0.saturating_add(KEYS_AHEAD));
            self.sealer.vault().load_more(&mut self.keys, ahead)?;
        }
        Ok(self.keys.get(place).and_then(Option::as_ref))
    }
}
