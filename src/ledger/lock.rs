//! One process to a data folder.
//!
//! The lock goes with the process, however that ends; nothing has to be cleaned up. It does not
//! protect against programs that do not ask for it.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

/// Name of the file.
const NAME: &str = "lock";

/// The right to use a data folder, for as long as it lives.
#[derive(Debug)]
pub struct DirLock {
    _file: File,
}

/// Why a data folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process uses it.
    #[error("the data folder is in use by another process")]
    Held,
    /// The disk failed.
    #[error("failed to lock the data folder")]
    Storage(#[from] io::Error),
}

impl DirLock {
    /// Takes the lock of a folder that exists.
    ///
    /// # Errors
    ///
    /// [`LockError`]. Never waits.
    pub fn acquire(folder: &Path) -> Result<Self, LockError> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let file = options.open(folder.join(NAME))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(LockError::Held),
            Err(TryLockError::Error(error)) => Err(LockError::Storage(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_locked_once_until_the_lock_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let lock = DirLock::acquire(folder.path()).unwrap();
        assert!(matches!(DirLock::acquire(folder.path()), Err(LockError::Held)));
        drop(lock);
        assert!(DirLock::acquire(folder.path()).is_ok());
    }

    #[test]
    fn a_folder_that_is_not_there_is_not_locked() {
        let folder = tempfile::tempdir().unwrap();
        let missing = DirLock::acquire(&folder.path().join("missing"));
        assert!(matches!(missing, Err(LockError::Storage(_))));
    }
}
