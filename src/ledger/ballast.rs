//! Room set aside while there is some, so that a full disk can still be opened and erased from.
//!
//! Start-up asks for it, and for its release when something found no room all the same.

use std::{
    fs::{self, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use rustix::fs::{FallocateFlags, fallocate, statvfs};

/// Name of the file.
const NAME: &str = "ballast";
/// Its length in bytes.
pub const LEN: u64 = 64 * 1024 * 1024;
/// Free bytes below which the room is given back: a start could fail, or the groups after it.
const SCARCE: u64 = 16 * 1024 * 1024;
/// Free bytes from which on it is set aside: enough that doing so makes nothing scarce, and that a
/// disk which filled up once is not filled again by it.
const PLENTY: u64 = LEN * 5 / 2;

/// What became of the room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ballast {
    /// It is set aside.
    Kept,
    /// It was given back just now: the disk is nearly full.
    GivenUp,
    /// There is none, and not enough free to set it aside.
    None,
}

/// What to do about the room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    SetAside,
    Leave,
    GiveUp,
}

/// Sets the room aside where there is plenty, and gives it back where there is nearly nothing.
///
/// # Errors
///
/// Whatever the disk says; then nothing more is set aside than was before.
pub fn settle(folder: &Path) -> io::Result<Ballast> {
    let disk = statvfs(folder)?;
    // What its owner may use; some file systems keep a part for root.
    settle_with(folder, disk.f_bavail.saturating_mul(disk.f_frsize))
}

fn settle_with(folder: &Path, free: u64) -> io::Result<Ballast> {
    let is_there = match fs::metadata(folder.join(NAME)) {
        Ok(metadata) => metadata.len() >= LEN,
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Err(error) => return Err(error),
    };
    match step(free, is_there) {
        Step::SetAside => set_aside(folder).map(|()| Ballast::Kept),
        Step::Leave if is_there => Ok(Ballast::Kept),
        // One that is too short was being made when the machine stopped.
        Step::Leave => release(folder).map(|_| Ballast::None),
        Step::GiveUp => release(folder).map(|_| Ballast::GivenUp),
    }
}

const fn step(free: u64, is_there: bool) -> Step {
    match is_there {
        true if free < SCARCE => Step::GiveUp,
        false if free >= PLENTY => Step::SetAside,
        true | false => Step::Leave,
    }
}

fn set_aside(folder: &Path) -> io::Result<()> {
    let path = folder.join(NAME);
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600);
    let file = options.open(&path)?;
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
        assert_eq!(settle_with(folder.path(), PLENTY).unwrap(), Ballast::Kept);
        let metadata = fs::metadata(folder.path().join(NAME)).unwrap();
        assert_eq!(metadata.len(), LEN);
        assert!(metadata.blocks() * 512 >= LEN);
        assert_eq!(settle_with(folder.path(), SCARCE).unwrap(), Ballast::Kept);
        assert!(release(folder.path()).unwrap());
        assert!(!release(folder.path()).unwrap());
    }

    #[test]
    fn a_full_disk_gets_its_room_back_and_keeps_it_until_there_is_plenty() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(NAME);
        settle_with(folder.path(), u64::MAX).unwrap();
        assert_eq!(settle_with(folder.path(), 0).unwrap(), Ballast::GivenUp);
        assert!(!path.exists());
        for free in [0, SCARCE, LEN + SCARCE, PLENTY - 1] {
            assert_eq!(settle_with(folder.path(), free).unwrap(), Ballast::None, "{free}");
            assert!(!path.exists(), "{free}");
        }
    }

    #[test]
    fn what_is_set_aside_never_makes_the_rest_scarce() {
        for mib in 0..1_000 {
            let free = mib * 1024 * 1024;
            if step(free, false) == Step::SetAside {
                assert_eq!(step(free - LEN, true), Step::Leave, "{mib} MiB");
            }
            if step(free, true) == Step::GiveUp {
                assert_eq!(step(free + LEN, false), Step::Leave, "{mib} MiB");
            }
        }
        assert_eq!(step(SCARCE - 1, true), Step::GiveUp);
        assert_eq!(step(PLENTY, false), Step::SetAside);
    }

    #[test]
    fn one_that_was_never_finished_is_finished_or_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(NAME);
        fs::write(&path, "").unwrap();
        assert_eq!(settle_with(folder.path(), LEN).unwrap(), Ballast::None);
        assert!(!path.exists());
        fs::write(&path, "").unwrap();
        assert_eq!(settle_with(folder.path(), PLENTY).unwrap(), Ballast::Kept);
        assert_eq!(fs::metadata(&path).unwrap().len(), LEN);
    }

    #[test]
    fn the_disk_is_asked_how_much_is_free() {
        let folder = tempfile::tempdir().unwrap();
        let disk = statvfs(folder.path()).unwrap();
        let total = disk.f_blocks.saturating_mul(disk.f_frsize);
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        assert!(free > 0 && free <= total);
        // Whatever is free, a second look finds what the first one left.
        let first = settle(folder.path()).unwrap();
        assert_eq!(folder.path().join(NAME).exists(), first == Ballast::Kept);
        assert!(settle(&folder.path().join("missing")).is_err());
    }
}
