//! The one wrapper around the database library: every call into it goes through here.
//!
//! The library panics where it meets damaged files; here that becomes an error. It also syncs
//! less than it says: its flush leaves the file's bytes to the kernel, so a flush here is
//! followed by a sync of our own.

use std::{
    fs::File,
    io,
    panic::{self, AssertUnwindSafe},
    path::Path,
    time::Duration,
};

use rustix::fs::{FlockOperation, flock};

use crate::store::StoreError;

/// How often, and how long apart, a database in use is asked again: 1 s in all.
const LOCK_TRIES: u32 = 100;
const LOCK_PAUSE: Duration = Duration::from_millis(10);

/// The database, open.
#[derive(Debug)]
pub(super) struct Database {
    tree: sled::Db,
    /// The library's file, for syncing it.
    file: File,
}

/// Changes that happen together.
#[derive(Debug, Default)]
pub(super) struct Changes(sled::Batch);

impl Changes {
    pub(super) fn put(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.0.insert(key, value);
    }

    pub(super) fn remove(&mut self, key: Vec<u8>) {
        self.0.remove(key);
    }
}

impl Database {
    /// Returns whether there is a database in a folder, in whatever state.
    pub(super) fn exists(path: &Path) -> io::Result<bool> {
        path.join("db").try_exists()
    }

    /// Opens the database in a folder, or makes an empty one.
    ///
    /// # Errors
    ///
    /// [`StoreError::Locked`], [`StoreError::Database`], [`StoreError::Panicked`].
    pub(super) fn open(path: &Path, cache_bytes: u64) -> Result<Self, StoreError> {
        let db_file = path.join("db");
        wait_for_lock(&db_file)?;
        let config = sled::Config::new()
            .path(path)
            .cache_capacity(cache_bytes)
            .use_compression(false)
            .flush_every_ms(None);
        let tree = guarded(|| config.open())?;
        let file = File::open(db_file).map_err(StoreError::Database)?;
        Ok(Self { tree, file })
    }

    pub(super) fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(guarded(|| self.tree.get(key))?.map(|value| value.to_vec()))
    }

    /// Returns the last key that begins with `prefix`.
    pub(super) fn last_key(&self, prefix: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let last = || self.tree.scan_prefix(prefix).keys().next_back().transpose();
        Ok(guarded(last)?.map(|key| key.to_vec()))
    }

    /// Returns all keys that begin with `prefix`.
    pub(super) fn keys(&self, prefix: &[u8]) -> Result<Vec<Vec<u8>>, StoreError> {
        guarded(|| {
            self.tree.scan_prefix(prefix).keys().map(|key| key.map(|key| key.to_vec())).collect()
        })
    }

    /// Makes changes, all or none, durable when this returns.
    pub(super) fn apply(&self, changes: Changes) -> Result<(), StoreError> {
        guarded(|| {
            self.tree.apply_batch(changes.0)?;
            self.tree.flush()
        })?;
        self.file.sync_data().map_err(StoreError::Database)
    }

    /// Returns the size on disk in bytes.
    pub(super) fn size_on_disk(&self) -> Result<u64, StoreError> {
        guarded(|| self.tree.size_on_disk())
    }
}

/// Waits a moment for whoever has the database open: after closing, the library's own threads
/// hold it a little longer.
fn wait_for_lock(file: &Path) -> Result<(), StoreError> {
    for _ in 0..LOCK_TRIES {
        if !is_locked(file).map_err(StoreError::Database)? {
            return Ok(());
        }
        std::thread::park_timeout(LOCK_PAUSE);
    }
    Err(StoreError::Locked)
}

/// Returns whether another process, or another part of this one, has the database open. The
/// library would only say so in words.
fn is_locked(file: &Path) -> io::Result<bool> {
    match File::open(file) {
        // Closing the file gives the lock back.
        Ok(file) => match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(false),
            Err(error) if error == rustix::io::Errno::WOULDBLOCK => Ok(true),
            Err(error) => Err(error.into()),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

fn guarded<T>(work: impl FnOnce() -> sled::Result<T>) -> Result<T, StoreError> {
    match panic::catch_unwind(AssertUnwindSafe(work)) {
        Ok(outcome) => outcome.map_err(|error| StoreError::Database(error.into())),
        Err(_) => Err(StoreError::Panicked),
    }
}
