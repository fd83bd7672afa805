//! Opening a data directory: lock it, find its secrets, verify the ledger, bring the state up.
//!
//! A directory that lost its journal is refused before anything in it is touched: a new ledger in
//! its place would look whole, and everything recorded would be gone.

use std::{
    fs::{self, DirBuilder},
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    app::{AppError, first, listen},
    config::Config,
    domain::{state::State, time::HOUR_MS},
    ledger::{
        ballast::{self, Ballast},
        journal::{self, Cut, Folder, Journal, Options},
        lock::{DirLock, LockError},
        log::EventLog,
        replay::Replay,
        seal::MaskKey,
        sealer::Sealer,
        vault::{Kek, Vault},
    },
    runtime::random,
    secrets::{ExistingData, Secrets},
    store::{Opened, Store},
};

/// Names of the database's folder and, up to a dot, of what is moved aside from it.
const STORE_NAME: &str = "sled";

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
    config.data_dir.join(STORE_NAME)
}

fn journal_path(dir: &Path) -> PathBuf {
    dir.join("journal")
}

fn vault_path(dir: &Path) -> PathBuf {
    dir.join("vault")
}

/// Refuses a directory in which there is no ledger, for whoever would not begin one. Makes nothing.
pub(super) fn expect_ledger(dir: &Path) -> Result<(), AppError> {
    refuse_lost_journal(dir)?;
    if has_journal(dir)? {
        return Ok(());
    }
    let in_use = |source| AppError::Lock { dir: dir.to_owned(), source };
    match DirLock::is_held(dir) {
        // Somebody is about to begin one.
        Ok(true) => Err(in_use(LockError::Held)),
        Ok(false) => Err(AppError::NoLedger { dir: dir.to_owned() }),
        Err(error) => Err(in_use(error)),
    }
}

/// Refuses a directory with something in it that is only made once there is a journal, and without
/// one. A first start that was cut short leaves no such thing.
fn refuse_lost_journal(dir: &Path) -> Result<(), AppError> {
    // What is made later is looked for first: another process may be making all of it.
    match trace(dir).map_err(AppError::io("look into the data directory"))? {
        Some(trace) if !has_journal(dir)? => {
            Err(AppError::JournalMissing { path: journal_path(dir), trace })
        }
        Some(_) | None => Ok(()),
    }
}

fn has_journal(dir: &Path) -> Result<bool, AppError> {
    journal::is_in(&journal_path(dir)).map_err(AppError::io("look for the journal"))
}

/// Returns something that shows that a ledger was begun here.
fn trace(dir: &Path) -> io::Result<Option<PathBuf>> {
    let files = match fs::read_dir(dir) {
        Ok(files) => files,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    for file in files {
        let file = file?;
        let name = file.file_name();
        let name = name.to_string_lossy();
        let is_store = name.split('.').next() == Some(STORE_NAME);
        if is_store || name == first::ADMIN_KEY_FILE {
            return Ok(Some(file.path()));
        }
    }
    let vault = vault_path(dir);
    Ok(Vault::is_settled(&vault)?.then_some(vault))
}

/// Makes the data directory, readable to its owner alone, and locks it.
fn lock(dir: &Path) -> Result<DirLock, AppError> {
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
    refuse_lost_journal(dir)?;
    let lock = lock(dir)?;
    listen::forget(dir).map_err(AppError::io("remove the address of an earlier service"))?;
    match ballast::settle(dir) {
        Ok(Ballast::Kept) => {}
        Ok(Ballast::GivenUp) => tracing::warn!("the disk is full: the ballast file was given up"),
        Ok(Ballast::None) => tracing::warn!("the disk has no room for the ballast file"),
        Err(error) => tracing::warn!(%error, "failed to set the ballast file aside"),
    }
    let (secrets, sealer, journal, state) = given_room(dir, || replay(config, recovers))?;
    Ok(OpenedLedger { lock, secrets, sealer, journal, state })
}

/// Opens the database of an opened ledger, or an empty one.
pub(super) fn open_store(
    config: &Config,
    journal: &Journal<Folder>,
) -> Result<(Store, Opened), AppError> {
    let log = journal.reader();
    given_room(&config.data_dir, || {
        Ok(Store::open(&store_path(config), config.store.cache_bytes, &*log)?)
    })
}

/// Does `work`, once more if the disk was full and the ballast could be given up for it.
fn given_room<T>(dir: &Path, mut work: impl FnMut() -> Result<T, AppError>) -> Result<T, AppError> {
    let error = match work() {
        Err(error) if error.is_disk_full() => error,
        done => return done,
    };
    match ballast::release(dir) {
        Ok(true) => {
            tracing::warn!(%error, "the disk is full: the ballast file was given up");
            work()
        }
        Ok(false) => Err(error),
        Err(failed) => {
            tracing::warn!(error = %failed, "failed to give the ballast file up");
            Err(error)
        }
    }
}

type Replayed = (Secrets, Sealer, Journal<Folder>, State);

/// Opens secrets, vault and journal, and folds the ledger.
fn replay(config: &Config, recovers: bool) -> Result<Replayed, AppError> {
    let dir = &config.data_dir;
    let mut chance = random::from_os()?;
    let data = ExistingData::in_dir(dir).map_err(AppError::io("look into the data directory"))?;
    let secrets = Secrets::open_or_create(&config.secrets_dir, data, &mut chance)?;
    let vault_path = vault_path(dir);
    if has_journal(dir)? && !vault_path.exists() {
        return Err(AppError::VaultMissing { path: vault_path });
    }
    let kek = Kek::from_bytes(secrets.vault().expose());
    let vault = Arc::new(Vault::open(&vault_path, kek, &mut chance)?);
    let mask = MaskKey::from_bytes(*secrets.mask().expose());
    let sealer = Sealer::new(mask, vault);
    let kept_ms = i64::from(config.idempotency.keep_hours) * HOUR_MS;
    let mut replay = Replay::new(sealer.clone(), State::keeping_commands(kept_ms));
    let folder = Folder::open(journal_path(dir)).map_err(AppError::io("open the journal"))?;
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
    Ok((secrets, sealer, found.journal, state))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory with the ballast file in it, however full the disk of the tests is.
    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("ballast"), "").unwrap();
        folder
    }

    /// What the journal says of a full disk, as deep down as it says it.
    fn full() -> AppError {
        let source = io::Error::from(io::ErrorKind::StorageFull);
        AppError::Journal(journal::OpenError::Storage(source))
    }

    #[test]
    fn a_full_disk_is_given_the_ballast_and_tried_once_more() {
        let folder = folder();
        let mut tries = 0;
        let done = given_room(folder.path(), || {
            tries += 1;
            if folder.path().join("ballast").exists() { Err(full()) } else { Ok(tries) }
        });
        assert_eq!(done.unwrap(), 2);
        tries = 0;
        let again = given_room(folder.path(), || {
            tries += 1;
            Err::<(), _>(full())
        });
        assert!(again.is_err_and(|error| error.is_disk_full()));
        assert_eq!(tries, 1, "there is nothing left to give up");
    }

    #[test]
    fn other_failures_cost_no_ballast() {
        let folder = folder();
        let mut tries = 0;
        let failed = given_room(folder.path(), || {
            tries += 1;
            Err::<(), _>(AppError::NoLedger { dir: PathBuf::new() })
        });
        assert!(failed.is_err_and(|error| !error.is_disk_full()));
        assert_eq!(tries, 1);
        assert!(folder.path().join("ballast").exists());
    }

    #[test]
    fn what_is_made_after_the_journal_shows_that_there_was_one() {
        for name in ["sled", "sled.damaged-1", "sled.failed", "admin.key"] {
            let folder = folder();
            assert!(refuse_lost_journal(folder.path()).is_ok());
            fs::write(folder.path().join(name), "").unwrap();
            let refused = refuse_lost_journal(folder.path()).unwrap_err();
            assert!(matches!(refused, AppError::JournalMissing { .. }), "{name}: {refused}");
            // The place where the journal would be mounted is no journal.
            fs::create_dir_all(folder.path().join("journal/lost+found")).unwrap();
            assert!(refuse_lost_journal(folder.path()).is_err(), "{name}");
            fs::write(folder.path().join("journal/anchor"), "").unwrap();
            assert!(refuse_lost_journal(folder.path()).is_ok(), "{name}");
        }
    }
}
