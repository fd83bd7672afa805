//! Room set aside while there is some, so that a full disk can still be opened and erased from.
//!
//! Decides nothing: start-up asks for it, and gives it up when the disk is full.

use std::{
    fs::{self, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use rustix::fs::{FallocateFlags, fallocate};

/// Name of the file.
const NAME: &str = "ballast";
/// Its length in bytes.
pub const LEN: u64 = 64 * 1024 * 1024;

/// Sets the room aside, unless it already is.
///
/// # Errors
///
/// Whatever the disk says; then nothing is set aside.
pub fn keep(folder: &Path) -> io::Result<()> {
    let path = folder.join(NAME);
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600);
    let file = options.open(&path)?;
    if file.metadata()?.len() >= LEN {
        return Ok(());
    }
    let kept = fallocate(&file, FallocateFlags::empty(), 0, LEN).map_err(io::Error::from);
    if kept.is_err() {
        fs::remove_file(&path)?;
    }
    kept
}

/// Gives the room back; returns whether there was any.
///
/// # Errors
///
/// Whatever the disk says.
pub fn release(folder: &Path) -> io::Result<bool> {
    match fs::remove_file(folder.join(NAME)) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn the_room_is_really_taken_and_given_back_once() {
        let folder = tempfile::tempdir().unwrap();
        keep(folder.path()).unwrap();
        keep(folder.path()).unwrap();
        let metadata = fs::metadata(folder.path().join(NAME)).unwrap();
        assert_eq!(metadata.len(), LEN);
        assert!(metadata.blocks() * 512 >= LEN);
        assert!(release(folder.path()).unwrap());
        assert!(!release(folder.path()).unwrap());
    }
}
