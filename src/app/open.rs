//! Opening a data directory: lock it, find its secrets, verify the ledger, bring the state up.

use std::{
    fs::{self, DirBuilder},
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    app::AppError,
    config::Config,
    domain::{state::State, time::HOUR_MS},
    ledger::{
        ballast,
        journal::{self, Cut, Folder, Journal, Options},
        lock::DirLock,
        replay::Replay,
        seal::MaskKey,
        sealer::Sealer,
        vault::{Kek, Vault},
    },
    runtime::random,
    secrets::{ExistingData, Secrets},
};

/// A data directory, opened and verified.
#[derive(Debug)]
pub(super) struct OpenedLedger {
    /// Held as long as the directory is used.
    pub(super) lock: DirLock,
    pub(super) secrets: Secrets,
    pub(super) sealer: Sealer,
    pub(super) journal: Journal<Folder>,
    pub(super) state: State,
}

/// Where the database is.
pub(super) fn store_path(config: &Config) -> PathBuf {
    config.data_dir.join("sled")
}

/// Makes the data directory, readable to its owner alone, and locks it.
pub(super) fn lock(dir: &Path) -> Result<DirLock, AppError> {
    let is_missing = |path: &&Path| !path.as_os_str().is_empty() && !path.is_dir();
    let missing: Vec<_> = dir.ancestors().take_while(is_missing).collect();
    if !missing.is_empty() {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(dir);
        made.map_err(AppError::io("make the data directory"))?;
    }
    for made in missing {
        // Synced files are of no use in a directory that a power cut takes away.
        sync_parent(made).map_err(AppError::io("keep the data directory"))?;
    }
    DirLock::acquire(dir).map_err(|source| AppError::Lock { dir: dir.to_owned(), source })
}

fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    fs::File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

/// Opens the ledger and replays it; every byte of it is verified on the way.
pub(super) fn open(config: &Config, recovers: bool) -> Result<OpenedLedger, AppError> {
    let dir = &config.data_dir;
    let lock = lock(dir)?;
    if let Err(error) = ballast::keep(dir) {
        tracing::warn!(%error, "the disk has no room for the ballast file");
        ballast::release(dir).map_err(AppError::io("release the ballast file"))?;
    }
    let mut chance = random::from_os()?;
    let data = ExistingData::in_dir(dir).map_err(AppError::io("look into the data directory"))?;
    let secrets = Secrets::open_or_create(&config.secrets_dir, data, &mut chance)?;
    let vault_path = dir.join("vault");
    let has_journal =
        fs::read_dir(dir.join("journal")).is_ok_and(|mut files| files.next().is_some());
    if has_journal && !vault_path.exists() {
        return Err(AppError::VaultMissing { path: vault_path });
    }
    let kek = Kek::from_bytes(secrets.vault().expose());
    let vault = Arc::new(Vault::open(&vault_path, kek, &mut chance)?);
    let mask = MaskKey::from_bytes(*secrets.mask().expose());
    let sealer = Sealer::new(mask, vault);
    let kept_ms = i64::from(config.idempotency.keep_hours) * HOUR_MS;
    let mut replay = Replay::new(sealer.clone(), State::keeping_commands(kept_ms));
    let folder = Folder::open(dir.join("journal")).map_err(AppError::io("open the journal"))?;
    let options = Options {
        segment_len: config.ledger.segment_bytes,
        recovers_to_verified_prefix: recovers,
        ..Options::default()
    };
    let found = journal::open(folder, options, &mut |entry| Ok(replay.take(entry)?))?;
    match found.cut {
        Some(Cut::Unacknowledged { bytes }) => tracing::warn!(
            journal.cut_bytes = bytes,
            "the journal ended in a group that was never acknowledged; it was cut off"
        ),
        Some(Cut::Damaged { lost }) => tracing::error!(
            ledger.lost = lost,
            "the journal was cut at its first damage, as asked; acknowledged entries are lost"
        ),
        None => {}
    }
    let (state, used) = replay.finish();
    sealer.vault().settle(used, &mut chance)?;
    Ok(OpenedLedger { lock, secrets, sealer, journal: found.journal, state })
}
