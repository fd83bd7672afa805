//! Why the database cannot do what it was asked.

use std::io;

use crate::{
    domain::entry::Subject,
    ledger::{
        entry::ChainError, log::ReadError, seal::OpenError, sealer::SealError, vault::VaultError,
    },
};

/// The database failed. The ledger did not: nothing recorded is lost.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process uses it.
    #[error("the database is in use by another process")]
    Locked,
    /// The database said so.
    #[error("failed to use the database")]
    Database(#[source] io::Error),
    /// The database panicked, which it does on damaged files.
    #[error("the database panicked")]
    Panicked,
    /// The disk failed beside the database.
    #[error("failed to prepare the database's folder")]
    Folder(#[source] io::Error),
    /// What is stored is not what was written.
    #[error("the database is damaged: {what}")]
    Damaged {
        /// What does not hold.
        what: &'static str,
    },
    /// A newer version of the program wrote it.
    #[error("the database has format {format}, which this version does not know")]
    Format {
        /// The format.
        format: u8,
    },
    /// It follows another ledger, or one that has lost entries since.
    #[error("the database does not belong to this ledger")]
    OtherLedger,
    /// What is stored of a contact does not open.
    #[error("failed to open what is stored of contact {subject}")]
    Sealed {
        /// Which contact, by its place.
        subject: u32,
        /// Why.
        #[source]
        source: OpenError,
    },
    /// What is stored of a contact is no document.
    #[error("failed to read the document of contact {subject}")]
    Document {
        /// Which contact, by its place.
        subject: u32,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// The key vault failed.
    #[error("failed to get the key of a contact")]
    Vault(#[from] VaultError),
    /// An entry cannot be opened.
    #[error("failed to open an entry of the ledger")]
    Entry(#[from] SealError),
    /// The ledger cannot be read.
    #[error("failed to read the ledger")]
    Log(#[from] ReadError),
    /// The ledger's entries do not follow each other.
    #[error("failed to follow the ledger")]
    Chain(#[from] ChainError),
    /// A fresh database did not reach the head of the ledger.
    #[error("the rebuilt database ends before the ledger does")]
    Unfinished,
}

impl StoreError {
    /// Returns whether the files are to blame, so that folding the ledger again helps.
    pub(super) fn is_damage(&self) -> bool {
        match self {
            Self::Panicked
            | Self::Damaged { .. }
            | Self::Format { .. }
            | Self::OtherLedger
            | Self::Sealed { .. }
            | Self::Document { .. } => true,
            // A full or forbidden disk would take a fresh database no better.
            Self::Database(error) => !matches!(
                error.kind(),
                io::ErrorKind::StorageFull
                    | io::ErrorKind::QuotaExceeded
                    | io::ErrorKind::ReadOnlyFilesystem
                    | io::ErrorKind::PermissionDenied
                    | io::ErrorKind::OutOfMemory
            ),
            Self::Locked
            | Self::Folder(_)
            | Self::Vault(_)
            | Self::Entry(_)
            | Self::Log(_)
            | Self::Chain(_)
            | Self::Unfinished => false,
        }
    }

    pub(super) const fn sealed(subject: Subject, source: OpenError) -> Self {
        Self::Sealed { subject: subject.0, source }
    }

    pub(super) const fn document(subject: Subject, source: serde_json::Error) -> Self {
        Self::Document { subject: subject.0, source }
    }
}
