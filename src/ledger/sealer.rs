//! Everything between a record and a stored entry: encode, salt, commit, seal; and back.

use std::sync::Arc;

use rand::CryptoRng;

use crate::{
    domain::{entry::Subject, event::Record},
    ledger::{
        codec::{self, CodecError},
        entry::{Class, Head, Header, StoredEntry},
        seal::{Dek, MaskKey, OpenError, Opened, open_opening, seal_opening, subject_of},
        vault::{Vault, VaultError},
    },
};

/// Seals records into entries and opens them again. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Sealer {
    mask: MaskKey,
    vault: Arc<Vault>,
}

/// An entry as far as it can be read.
#[derive(Debug)]
pub enum Content {
    /// All of it.
    Open {
        /// Whom it is about.
        subject: Subject,
        /// What happened.
        record: Box<Record>,
    },
    /// Its contact's key was destroyed.
    Erased {
        /// Whom it was about.
        subject: Subject,
    },
}

/// Why a record cannot be sealed or an entry not be read.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The key vault failed.
    #[error("failed to get the key of an entry")]
    Vault(#[from] VaultError),
    /// The contact was erased.
    #[error("the contact's key was destroyed")]
    Erased,
    /// The sealed bytes do not open.
    #[error("failed to open an entry")]
    Open(#[from] OpenError),
    /// The payload is no record.
    #[error("failed to read what an entry holds")]
    Codec(#[from] CodecError),
}

impl Sealer {
    /// Makes a sealer over a vault.
    pub const fn new(mask: MaskKey, vault: Arc<Vault>) -> Self {
        Self { mask, vault }
    }

    /// Returns the vault.
    pub const fn vault(&self) -> &Arc<Vault> {
        &self.vault
    }

    /// Returns a contact's key.
    ///
    /// # Errors
    ///
    /// [`SealError::Erased`] when it was destroyed; [`SealError::Vault`].
    pub fn dek(&self, subject: Subject) -> Result<Dek, SealError> {
        self.vault.dek(subject)?.ok_or(SealError::Erased)
    }

    /// Seals a record as the entry that follows `head`.
    ///
    /// # Errors
    ///
    /// [`SealError`]; nothing was written.
    pub fn seal(
        &self,
        head: Head,
        subject: Subject,
        record: &Record,
        random: &mut impl CryptoRng,
    ) -> Result<StoredEntry, SealError> {
        let payload = codec::encode(record)?;
        let dek = self.dek(subject)?;
        let mut salt = [0; 32];
        random.fill_bytes(&mut salt);
        let seq = head.next;
        let (opening, commitment) =
            seal_opening(&self.mask, &dek, subject, seq, &salt, &payload, random)?;
        let class = if record.event.is_about_keys() { Class::Key } else { Class::Entry };
        let at = record.at.floor_minute();
        let header = Header { seq, at, class, commitment, previous: head.hash };
        Ok(StoredEntry { header, opening })
    }

    /// Returns whom an entry is about.
    ///
    /// # Errors
    ///
    /// [`SealError::Open`] for an opening that is too short to say.
    pub fn subject_of(&self, entry: &StoredEntry) -> Result<Subject, SealError> {
        Ok(subject_of(&self.mask, entry)?)
    }

    /// Reads an entry and holds it against its header.
    ///
    /// # Errors
    ///
    /// [`SealError`].
    pub fn read(&self, entry: &StoredEntry) -> Result<Content, SealError> {
        let subject = self.subject_of(entry)?;
        match self.vault.dek(subject)? {
            Some(dek) => Self::read_with(subject, &dek, entry),
            None => Ok(Content::Erased { subject }),
        }
    }

    /// As [`Self::read`], with a key at hand.
    ///
    /// # Errors
    ///
    /// [`SealError`].
    pub fn read_with(
        subject: Subject,
        dek: &Dek,
        entry: &StoredEntry,
    ) -> Result<Content, SealError> {
        let opened = open_opening(dek, entry)?;
        let record = Box::new(codec::decode(&opened.payload)?);
        Ok(Content::Open { subject, record })
    }

    /// Opens an entry to its salt and payload, or `None` if its contact was erased.
    ///
    /// # Errors
    ///
    /// [`SealError`].
    pub fn open(&self, entry: &StoredEntry) -> Result<Option<(Subject, Opened)>, SealError> {
        let subject = self.subject_of(entry)?;
        match self.vault.dek(subject)? {
            Some(dek) => Ok(Some((subject, open_opening(&dek, entry)?))),
            None => Ok(None),
        }
    }
}
