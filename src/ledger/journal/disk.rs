//! The few operations the journal asks of a disk, so that tests can fail, tear and forget them.
//!
//! Retries nothing and caches nothing: an error means that nobody knows what the disk holds.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// A folder of files.
pub trait Disk: std::fmt::Debug + Send + Sync + 'static {
    /// A file of this disk, usable from any thread.
    type File: DiskFile;

    /// Returns the names of all files, in no order.
    ///
    /// # Errors
    ///
    /// Whatever the disk says; so for every operation here.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Opens a file that is there.
    ///
    /// # Errors
    ///
    /// As [`Self::list`]; [`io::ErrorKind::NotFound`] if it is not there.
    fn open(&self, name: &str) -> io::Result<Self::File>;

    /// Makes an empty file, or opens the one that is there.
    ///
    /// # Errors
    ///
    /// As [`Self::list`].
    fn create(&self, name: &str) -> io::Result<Self::File>;

    /// Gives a file another name, in place of whatever had that name.
    ///
    /// # Errors
    ///
    /// As [`Self::list`].
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Makes the folder's list of files durable.
    ///
    /// # Errors
    ///
    /// As [`Self::list`].
    fn sync(&self) -> io::Result<()>;
}

/// An open file.
pub trait DiskFile: std::fmt::Debug + Send + Sync + 'static {
    /// Returns the length in bytes.
    ///
    /// # Errors
    ///
    /// Whatever the disk says; so for every operation here.
    fn size(&self) -> io::Result<u64>;

    /// Fills `buffer` from `offset`, or as much of it as the file has; returns how much.
    ///
    /// # Errors
    ///
    /// As [`Self::size`].
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes all of `bytes` at `offset`.
    ///
    /// # Errors
    ///
    /// As [`Self::size`].
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Makes everything written so far survive a power cut.
    ///
    /// # Errors
    ///
    /// As [`Self::size`]. After an error nobody knows what is durable: never try again.
    fn sync_data(&self) -> io::Result<()>;
}

/// A real folder.
#[derive(Debug, Clone)]
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Opens a folder, making it, readable to its owner alone, if it is not there.
    ///
    /// # Errors
    ///
    /// Whatever the disk says.
    pub fn open(path: PathBuf) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(&path)?;
        if let Some(parent) = path.parent().filter(|parent| *parent != Path::new("")) {
            File::open(parent)?.sync_all()?;
        }
        Ok(Self { path })
    }

    fn options() -> OpenOptions {
        let mut options = OpenOptions::new();
        options.read(true).write(true).mode(0o600);
        options
    }
}

impl Disk for Folder {
    type File = File;

    fn list(&self) -> io::Result<Vec<String>> {
        let names = fs::read_dir(&self.path)?
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
        names.collect()
    }

    fn open(&self, name: &str) -> io::Result<File> {
        Self::options().open(self.path.join(name))
    }

    fn create(&self, name: &str) -> io::Result<File> {
        Self::options().create(true).truncate(false).open(self.path.join(name))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path.join(from), self.path.join(to))
    }

    fn sync(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }
}

impl DiskFile for File {
    fn size(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..)
            && !rest.is_empty()
        {
            let at = offset.saturating_add(u64::try_from(filled).unwrap_or(u64::MAX));
            match FileExt::read_at(self, rest, at) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        FileExt::write_all_at(self, bytes, offset)
    }

    fn sync_data(&self) -> io::Result<()> {
        Self::sync_data(self)
    }
}
