//! Folders: which one is the database, which ones were moved aside, which one is half built.

use std::{
    ffi::OsString,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

/// Returns the path beside `path` whose name ends with `suffix` as well.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_name().map_or_else(OsString::new, OsString::from);
    name.push(suffix);
    path.with_file_name(name)
}

/// Moves a folder to the first free `<name>.damaged-<n>` and returns where it is now.
pub(super) fn move_aside(path: &Path) -> io::Result<PathBuf> {
    let mut n = 1_u32;
    loop {
        let target = beside(path, &format!(".damaged-{n}"));
        if !target.try_exists()? {
            fs::rename(path, &target)?;
            sync_parent(path)?;
            return Ok(target);
        }
        n = n.saturating_add(1);
    }
}

/// Where a rebuild builds.
pub(super) fn fresh(path: &Path) -> PathBuf {
    beside(path, ".new")
}

/// Puts the rebuilt folder in the place of the one there is, and deletes that.
pub(super) fn swap_in_fresh(path: &Path) -> io::Result<()> {
    let (fresh, old) = (fresh(path), beside(path, ".old"));
    remove_folder(&old)?;
    if path.try_exists()? {
        fs::rename(path, &old)?;
    }
    fs::rename(fresh, path)?;
    sync_parent(path)?;
    remove_folder(&old)?;
    unmark(path)
}

/// Finishes or undoes what a crash during a rebuild left behind.
pub(super) fn settle(path: &Path) -> io::Result<()> {
    let old = beside(path, ".old");
    if old.try_exists()? && !path.try_exists()? {
        fs::rename(&old, path)?;
        sync_parent(path)?;
    }
    remove_folder(&old)?;
    remove_folder(&fresh(path))
}

/// Leaves a mark that the database must not be trusted at the next start.
pub(super) fn mark(path: &Path) -> io::Result<()> {
    File::create(beside(path, ".failed"))?.sync_all()?;
    sync_parent(path)
}

/// Returns whether the mark is there.
pub(super) fn is_marked(path: &Path) -> io::Result<bool> {
    beside(path, ".failed").try_exists()
}

/// Takes the mark away.
pub(super) fn unmark(path: &Path) -> io::Result<()> {
    match fs::remove_file(beside(path, ".failed")) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => sync_parent(path),
    }
}

/// Removes a folder that may not be there.
pub(super) fn remove_folder(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => File::open(folder)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}
