//! Why the program cannot do what it was started for, and how it ends then.

use std::{error::Error, io, path::PathBuf};

use crate::{
    domain::refusal::Refusal,
    ledger::{
        handle::SubmitError, journal::OpenError, lock::LockError, sealer::SealError,
        vault::VaultError,
    },
    providers::{BreakerSettingsError, BuildError, SettingsError},
    runtime::random::NoEntropy,
    secrets::SecretsError,
    store::StoreError,
    words::WordError,
};

/// Why the program cannot do what it was started for.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// A file or a socket failed.
    #[error("failed to {doing}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// The data directory cannot be locked, mostly because another process has it.
    #[error("failed to take the data directory {}", dir.display())]
    Lock {
        /// Which.
        dir: PathBuf,
        /// Why.
        #[source]
        source: LockError,
    },
    /// The secrets cannot be used.
    #[error("failed to read the secrets")]
    Secrets(#[from] SecretsError),
    /// The operating system gave no chance.
    #[error("failed to draw random bytes")]
    NoEntropy(#[from] NoEntropy),
    /// The key vault cannot be used.
    #[error("failed to open the key vault")]
    Vault(#[from] VaultError),
    /// There is a journal and no vault.
    #[error("the journal is there and the key vault {} is not: nothing in it can be read", path.display())]
    VaultMissing {
        /// Where it should be.
        path: PathBuf,
    },
    /// There was a journal, and it is gone.
    #[error(
        "the journal is missing: there is none in {}, and {} shows that a ledger was begun; bring \
         the journal back, or begin anew in an empty directory",
        path.display(),
        trace.display()
    )]
    JournalMissing {
        /// Where it should be.
        path: PathBuf,
        /// What is only made once there is one.
        trace: PathBuf,
    },
    /// There is no ledger, and the command begins none.
    #[error("there is no ledger in {}; izin serve begins one", dir.display())]
    NoLedger {
        /// Where it was looked for.
        dir: PathBuf,
    },
    /// A process has the data directory, and none listens for it.
    #[error(
        "another process has the data directory {} and does not listen: it is starting, stopping \
         or checking; try again",
        dir.display()
    )]
    NotListening {
        /// Which.
        dir: PathBuf,
    },
    /// No process has the data directory.
    #[error("no service runs on the data directory {}", dir.display())]
    NoService {
        /// Which.
        dir: PathBuf,
    },
    /// The journal is refused.
    #[error("refused to open the ledger")]
    Journal(#[from] OpenError),
    /// An entry cannot be read.
    #[error("failed to read the ledger")]
    Entry(#[from] SealError),
    /// The database cannot be used.
    #[error("failed to open the database")]
    Store(#[from] StoreError),
    /// The database does not say what the ledger says.
    #[error("{different} of {compared} contacts differ between the ledger and the database")]
    Differs {
        /// Contacts that differ.
        different: u64,
        /// Contacts compared.
        compared: u64,
    },
    /// A provider's setting makes no sense.
    #[error("failed to set the look-up provider up")]
    ProviderSettings(#[from] SettingsError),
    /// The breaker's settings make no sense.
    #[error("failed to set the look-up provider's breaker up")]
    Breaker(#[from] BreakerSettingsError),
    /// A provider cannot be built.
    #[error("failed to build the look-up provider")]
    Provider(#[from] BuildError),
    /// A setting of the Graph API makes no sense.
    #[error("failed to prepare the asking of WhatsApp")]
    GraphSettings(#[source] SettingsError),
    /// The Graph API cannot be asked.
    #[error("failed to prepare the asking of WhatsApp")]
    Graph(#[source] BuildError),
    /// The ledger took no entry.
    #[error("failed to record")]
    Submit(#[source] SubmitError),
    /// The rules said no.
    #[error("refused")]
    Refused(#[source] Box<Refusal>),
    /// The service answered with a problem.
    #[error("the service answered {status}: {body}")]
    Answer {
        /// HTTP status.
        status: u16,
        /// The problem.
        body: String,
    },
    /// The service's answer is not what it should be.
    #[error("failed to read the service's answer")]
    Unreadable(#[source] serde_json::Error),
    /// The service could not be asked.
    #[error("failed to ask the service at {addr}")]
    Ask {
        /// Where it was asked.
        addr: String,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// The default region is none.
    #[error("numbers.default_region: there is no region {code}; {hint}")]
    Region {
        /// What was set.
        code: String,
        /// What was probably meant.
        hint: &'static str,
    },
    /// What the operator changes of the consent words cannot be read.
    #[error("words.file: failed to read {}", path.display())]
    WordsFile {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// What the operator changes of the consent words cannot be.
    #[error("words.file: {0}")]
    Words(WordError),
    /// There is nothing to sign webhooks with.
    #[error("there is no app secret; set IZIN_WHATSAPP_APP_SECRET to the one of the server")]
    NoAppSecret,
    /// Some webhooks were not taken, or could not be read.
    #[error(
        "{webhooks} webhooks were not taken, and {files} files were not read to their end; the \
         lines above say why"
    )]
    NotReplayed {
        /// How many were not taken.
        webhooks: usize,
        /// How many files were not read to their end.
        files: usize,
    },
    /// Nobody knows the admin key.
    #[error("the admin key is neither in IZIN_ADMIN_KEY nor in {}", path.display())]
    NoAdminKey {
        /// Where it was looked for.
        path: PathBuf,
    },
}

impl AppError {
    /// Names a failed operation.
    pub(super) const fn io(doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { doing, source }
    }

    /// Returns whether the disk had no room left for something.
    pub(super) fn is_disk_full(&self) -> bool {
        let mut cause: Option<&(dyn Error + 'static)> = Some(self);
        while let Some(error) = cause {
            let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
            if let Some(io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) = kind {
                return true;
            }
            cause = error.source();
        }
        false
    }

    /// Returns the exit status. Source: `sysexits.h`: 64 is bad usage, 65 is bad data, 75 is "try
    /// again later".
    pub const fn exit_code(&self) -> u8 {
        match self {
            // A disk that fails says nothing about what is on it.
            Self::Journal(OpenError::Storage(_)) | Self::Vault(VaultError::Storage(_)) => 1,
            Self::Journal(_)
            | Self::JournalMissing { .. }
            | Self::NoLedger { .. }
            | Self::Vault(_)
            | Self::VaultMissing { .. }
            | Self::Entry(_)
            | Self::Differs { .. } => 65,
            Self::Secrets(error) if error.is_lost() => 65,
            Self::Lock { source: LockError::Held, .. } | Self::NotListening { .. } => 75,
            Self::Region { .. } | Self::Words(_) | Self::WordsFile { .. } => 64,
            Self::Io { .. }
            | Self::Lock { source: LockError::Storage(_), .. }
            | Self::NoService { .. }
            | Self::Secrets(_)
            | Self::NoEntropy(_)
            | Self::Store(_)
            | Self::ProviderSettings(_)
            | Self::Breaker(_)
            | Self::Provider(_)
            | Self::GraphSettings(_)
            | Self::Graph(_)
            | Self::Submit(_)
            | Self::Refused(_)
            | Self::Answer { .. }
            | Self::Unreadable(_)
            | Self::Ask { .. }
            | Self::NoAppSecret
            | Self::NotReplayed { .. }
            | Self::NoAdminKey { .. } => 1,
        }
    }
}

impl From<SubmitError> for AppError {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::Refused(refusal) => Self::Refused(refusal),
            error @ (SubmitError::Busy
            | SubmitError::ReadOnly
            | SubmitError::Unknown
            | SubmitError::Closed) => Self::Submit(error),
        }
    }
}
