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
    keys: Keys,
    waiting: Vec<(Seq, Subject, Box<Record>)>,
    highest: Subject,
}

/// Where keys come from.
#[derive(Debug)]
enum Keys {
    /// From the vault in long runs, for a replay that meets most of them.
    Ahead(Vec<Option<Dek>>),
    /// From the vault one by one, for a replay of a few entries: the last one.
    Single(Option<Dek>),
}

impl Replay {
    /// Starts from `state`, which knows no entry yet.
    pub fn new(sealer: Sealer, state: State) -> Self {
        Self::with_keys(sealer, state, Keys::Ahead(Vec::new()))
    }

    /// Goes on from `state`, which knows all entries before the first that will come.
    pub fn going_on(sealer: Sealer, state: State) -> Self {
        Self::with_keys(sealer, state, Keys::Single(None))
    }

    fn with_keys(sealer: Sealer, state: State, keys: Keys) -> Self {
        let waiting = Vec::with_capacity(BATCH);
        Self { state, sealer, keys, waiting, highest: Subject::SYSTEM }
    }

    /// Takes the next entry.
    ///
    /// # Errors
    ///
    /// [`SealError`] when the entry cannot be read: the ledger or the vault is damaged.
    pub fn take(&mut self, entry: &StoredEntry) -> Result<(), SealError> {
        let content = self.read(entry)?;
        self.accept(entry.header.seq, content);
        Ok(())
    }

    /// Reads the next entry without taking it.
    ///
    /// # Errors
    ///
    /// As [`Self::take`].
    pub fn read(&mut self, entry: &StoredEntry) -> Result<Content, SealError> {
        let subject = self.sealer.subject_of(entry)?;
        match self.key(subject)? {
            Some(dek) => Sealer::read_with(subject, dek, entry),
            None => Ok(Content::Erased { subject }),
        }
    }

    /// Takes the next entry, which was read.
    pub fn accept(&mut self, seq: Seq, content: Content) {
        match content {
            Content::Open { subject, record } => {
                self.highest = self.highest.max(subject);
                self.waiting.push((seq, subject, record));
                if self.waiting.len() >= BATCH {
                    self.fold();
                }
            }
            Content::Erased { subject } => {
                self.highest = self.highest.max(subject);
                self.fold();
                self.state.skip_erased(subject, seq);
            }
        }
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
        let vault = self.sealer.vault();
        match &mut self.keys {
            Keys::Single(key) => {
                *key = vault.dek(subject)?;
                Ok(key.as_ref())
            }
            Keys::Ahead(keys) => {
                let place = usize::try_from(subject.0).unwrap_or(usize::MAX);
                if place >= keys.len() {
                    // Refuses a slot that was never made before reading up to it.
                    vault.dek(subject)?;
                    let ahead = Subject(subject.0.saturating_add(KEYS_AHEAD));
                    vault.load_more(keys, ahead)?;
                }
                Ok(keys.get(place).and_then(Option::as_ref))
            }
        }
    }
}
