//! One process to a data folder.
//!
//! The lock goes with the process, however that ends; nothing has to be cleaned up. It does not
//! protect against programs that do not ask for it.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    os::unix::fs::OpenOptionsExt,
    path::Path,
    thread,
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
    /// [`LockError`]. Waits for nobody but those who only look ([`Self::is_held`]).
    pub fn acquire(folder: &Path) -> Result<Self, LockError> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let file = options.open(folder.join(NAME))?;
        while !is_free(file.try_lock())? {
            // Those who look share it, and are gone at once; its owner shares it with nobody.
            if !is_free(file.try_lock_shared())? {
                return Err(LockError::Held);
            }
            file.unlock()?;
            thread::yield_now();
        }
        Ok(Self { _file: file })
    }

    /// Returns whether a process has the lock of a folder. Makes nothing, and takes nothing from
    /// whoever wants it at the same moment.
    ///
    /// # Errors
    ///
    /// [`LockError::Storage`]; a folder that is not there is nobody's.
    pub fn is_held(folder: &Path) -> Result<bool, LockError> {
        match File::open(folder.join(NAME)) {
            Ok(file) => Ok(!is_free(file.try_lock_shared())?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// Tells a lock that others have from one that failed.
fn is_free(tried: Result<(), TryLockError>) -> io::Result<bool> {
    match tried {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        sync::atomic::{AtomicBool, Ordering},
    };

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
        assert!(!DirLock::is_held(&folder.path().join("missing")).unwrap());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn looking_tells_and_turns_nobody_away() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!DirLock::is_held(folder.path()).unwrap());
        assert!(!folder.path().join(NAME).exists());
        let is_done = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !is_done.load(Ordering::Relaxed) {
                    DirLock::is_held(folder.path()).unwrap();
                }
            });
            for _ in 0..2_000 {
                let lock = DirLock::acquire(folder.path());
                let is_held = DirLock::is_held(folder.path());
                if lock.is_err() || !is_held.is_ok_and(|is_held| is_held) {
                    is_done.store(true, Ordering::Relaxed);
                }
                assert!(!is_done.load(Ordering::Relaxed), "{lock:?}");
            }
            is_done.store(true, Ordering::Relaxed);
        });
        assert!(!DirLock::is_held(folder.path()).unwrap());
    }
}
