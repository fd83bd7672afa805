//! Where the service of a data directory listens: a file that holds only as long as its writer.
//!
//! Whoever wrote it keeps it locked. What a killed process left behind is nobody's address, or by
//! now a stranger's, and no key is ever sent there.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Read, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
};

const NAME: &str = "listen.addr";
const UNFINISHED_NAME: &str = "listen.addr.new";

/// The address as told to others, until this is dropped.
#[derive(Debug)]
pub(super) struct Told {
    path: PathBuf,
    _locked: File,
}

impl Told {
    /// Tells where the service of `dir` listens. The file has its name only once it is whole and
    /// locked.
    pub(super) fn write(dir: &Path, addr: SocketAddr) -> io::Result<Self> {
        let (unfinished, path) = (dir.join(UNFINISHED_NAME), dir.join(NAME));
        let mut file = File::create(&unfinished)?;
        file.try_lock()?;
        writeln!(file, "{addr}")?;
        fs::rename(&unfinished, &path)?;
        Ok(Self { path, _locked: file })
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::debug!(%error, "the address file was not there any more");
        }
    }
}

/// Removes what a killed process left behind. Only whoever has the directory's lock may.
pub(super) fn forget(dir: &Path) -> io::Result<()> {
    match fs::remove_file(dir.join(NAME)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Returns where the service of `dir` listens, if one does.
pub(super) fn address(dir: &Path) -> io::Result<Option<String>> {
    let mut file = match File::open(dir.join(NAME)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    match file.try_lock_shared() {
        Ok(()) => return Ok(None),
        Err(TryLockError::WouldBlock) => {}
        Err(TryLockError::Error(error)) => return Err(error),
    }
    let mut addr = String::new();
    file.read_to_string(&mut addr)?;
    // A service that listens everywhere is asked on this machine.
    let addr = addr.trim().replace("0.0.0.0:", "127.0.0.1:").replace("[::]:", "[::1]:");
    Ok(Some(addr))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_holds_as_long_as_whoever_told_it() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path();
        assert_eq!(address(dir).unwrap(), None);
        let told = Told::write(dir, ([0, 0, 0, 0], 8_080).into()).unwrap();
        assert_eq!(address(dir).unwrap().as_deref(), Some("127.0.0.1:8080"));
        assert_eq!(fs::read_to_string(dir.join(NAME)).unwrap(), "0.0.0.0:8080\n");
        drop(told);
        assert!(!dir.join(NAME).exists());
    }

    #[test]
    fn what_a_killed_process_left_behind_is_no_address() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path();
        fs::write(dir.join(NAME), "127.0.0.1:8080\n").unwrap();
        assert_eq!(address(dir).unwrap(), None);
        let told = Told::write(dir, ([127, 0, 0, 1], 9).into()).unwrap();
        assert_eq!(address(dir).unwrap().as_deref(), Some("127.0.0.1:9"));
        drop(told);
        fs::write(dir.join(NAME), "127.0.0.1:8080\n").unwrap();
        forget(dir).unwrap();
        forget(dir).unwrap();
        assert!(!dir.join(NAME).exists());
    }
}
