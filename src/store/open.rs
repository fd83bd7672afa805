//! Opening: the database as it is, or an empty one when anything about it is doubtful.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio::sync::{Notify, watch};

use crate::{
    domain::entry::{Seq, Subject},
    ledger::{entry::Head, log::LogReader, seal::Dek, sealer::Sealer},
    store::{
        Lag, Progress, StoreError, StoreReader, aside,
        batch::Batch,
        database::{Changes, Database},
        keys, meta,
        page::{Cell, Page},
        seals,
    },
};

/// The database. Clones share it.
#[derive(Debug, Clone)]
pub struct Store {
    pub(super) shared: Arc<Shared>,
}

#[derive(Debug)]
pub(super) struct Shared {
    database: Database,
    path: PathBuf,
    progress: watch::Sender<Progress>,
    wanted: Notify,
}

/// How the database was found.
#[derive(Debug)]
pub struct Opened {
    /// The head of the ledger it has followed up to.
    pub applied: Head,
    /// Set when what was there could not be used.
    pub moved_aside: Option<MovedAside>,
}

/// A database that could not be used.
#[derive(Debug)]
pub struct MovedAside {
    /// Where it is now. Nothing readable is in it; it may be deleted.
    pub to: PathBuf,
    /// Why.
    pub why: Why,
}

/// Why a database could not be used.
#[derive(Debug)]
pub enum Why {
    /// It says so, or it does not belong to this ledger.
    Unusable(StoreError),
    /// It failed while the program ran before.
    FailedBefore,
}

impl Store {
    /// Opens the database at `path` as a view of `log`, with a cache of `cache_bytes`.
    ///
    /// Whatever is damaged, of another format or of another ledger is moved aside and an empty
    /// database takes its place; the one who follows the log then fills it again.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when not even an empty database can be made: the disk is full, forbidden or
    /// failing, another process has it open, or the log cannot be read.
    pub fn open(
        path: &Path,
        cache_bytes: u64,
        log: &dyn LogReader,
    ) -> Result<(Self, Opened), StoreError> {
        aside::settle(path).map_err(StoreError::Folder)?;
        let why = if aside::is_marked(path).map_err(StoreError::Folder)? {
            Why::FailedBefore
        } else {
            match Self::open_as_is(path, cache_bytes, log) {
                Ok((store, applied)) => return Ok((store, Opened { applied, moved_aside: None })),
                Err(error) if error.is_damage() => Why::Unusable(error),
                Err(error) => return Err(error),
            }
        };
        let moved_aside = if path.try_exists().map_err(StoreError::Folder)? {
            let to = aside::move_aside(path).map_err(StoreError::Folder)?;
            tracing::warn!(why = ?why, to = %to.display(), "the database was moved aside");
            Some(MovedAside { to, why })
        } else {
            None
        };
        aside::unmark(path).map_err(StoreError::Folder)?;
        let (store, applied) = Self::open_as_is(path, cache_bytes, log)?;
        Ok((store, Opened { applied, moved_aside }))
    }

    /// Opens the database at `path` and never moves it.
    pub(super) fn open_as_is(
        path: &Path,
        cache_bytes: u64,
        log: &dyn LogReader,
    ) -> Result<(Self, Head), StoreError> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(StoreError::Folder)?;
        }
        let existed = Database::exists(path).map_err(StoreError::Folder)?;
        let database = Database::open(path, cache_bytes)?;
        let applied = match database.get(&keys::META)? {
            Some(bytes) => meta::decode(&bytes)?,
            None if existed => {
                return Err(StoreError::Damaged { what: "how far it followed the ledger" });
            }
            None => {
                // So that a file in which this is missing is known to have lost it.
                let mut changes = Changes::default();
                changes.put(keys::META.to_vec(), meta::encode(Head::EMPTY));
                database.apply(changes)?;
                Head::EMPTY
            }
        };
        meta::verify(applied, log)?;
        let progress = Progress { applied: applied.next, is_failed: false };
        let (progress, path) = (watch::Sender::new(progress), path.to_owned());
        let shared = Arc::new(Shared { database, path, progress, wanted: Notify::new() });
        Ok((Self { shared }, applied))
    }

    /// Returns a reader that opens documents with the keys of `sealer`.
    pub fn reader(&self, sealer: Sealer) -> StoreReader {
        StoreReader::new(self.clone(), sealer)
    }

    /// Returns how far the database has come.
    pub fn progress(&self) -> Progress {
        *self.shared.progress.borrow()
    }

    /// Follows how far the database has come.
    pub fn watch(&self) -> watch::Receiver<Progress> {
        self.shared.progress.subscribe()
    }

    /// Says that somebody waits for entries to be applied.
    pub(super) fn want(&self) {
        self.shared.wanted.notify_one();
    }

    /// Waits until somebody waits for entries to be applied.
    pub(super) async fn wanted(&self) {
        self.shared.wanted.notified().await;
    }

    /// Returns what tells how far the database is behind a log.
    pub fn lag(&self, log: &dyn LogReader) -> Lag {
        Lag::new(log.watch(), self.watch())
    }

    /// Returns the size on disk in bytes.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn size_on_disk(&self) -> Result<u64, StoreError> {
        self.shared.database.size_on_disk()
    }

    /// Returns the head of the ledger the documents stand for.
    pub(super) fn applied(&self) -> Result<Head, StoreError> {
        match self.shared.database.get(&keys::META)? {
            Some(bytes) => meta::decode(&bytes),
            None => Ok(Head::EMPTY),
        }
    }

    pub(super) fn database(&self) -> &Database {
        &self.shared.database
    }

    /// Makes a batch durable and tells everyone.
    pub(super) fn commit(&self, changes: Changes, applied: Head) -> Result<(), StoreError> {
        self.shared.database.apply(changes)?;
        self.shared.progress.send_modify(|progress| progress.applied = applied.next);
        Ok(())
    }

    /// Turns failed, for good, and for the next start too when the files are to blame.
    pub(super) fn fail(&self, error: &StoreError) {
        self.shared.progress.send_modify(|progress| progress.is_failed = true);
        if error.is_damage()
            && let Err(error) = aside::mark(&self.shared.path)
        {
            tracing::error!(%error, "failed to mark the database as damaged");
        }
    }

    /// Returns page `number`, empty where there is none yet.
    pub(super) fn page(&self, number: u32) -> Result<Page, StoreError> {
        match self.database().get(&keys::page(number))? {
            Some(bytes) => Page::decode(&bytes),
            None => Ok(Page::default()),
        }
    }

    /// Returns the number of the last page, if there is one.
    pub(super) fn last_page(&self) -> Result<Option<u32>, StoreError> {
        let Some(key) = self.database().last_key(&keys::PAGES)? else { return Ok(None) };
        let number =
            keys::page_of(&key).ok_or(StoreError::Damaged { what: "the key of a page" })?;
        Ok(Some(number))
    }

    /// Returns the sealed document a cell stands for.
    pub(super) fn sealed(
        &self,
        subject: Subject,
        cell: &Cell,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let parts = match cell {
            Cell::Absent => return Ok(None),
            Cell::Inline(sealed) => return Ok(Some(sealed.clone())),
            Cell::Elsewhere { parts } => *parts,
        };
        let mut sealed = Vec::new();
        for part in 0..parts {
            let bytes = self.database().get(&keys::part(subject, part))?;
            let bytes = bytes.ok_or(StoreError::Damaged { what: "a part of a document" })?;
            sealed.extend_from_slice(&bytes);
        }
        Ok(Some(sealed))
    }

    /// Returns a chunk of a contact's older entries.
    pub(super) fn chunk(
        &self,
        dek: &Dek,
        subject: Subject,
        chunk: u32,
    ) -> Result<Vec<Seq>, StoreError> {
        let sealed = self.database().get(&keys::chunk(subject, chunk))?;
        let sealed = sealed.ok_or(StoreError::Damaged { what: "a chunk of older entries" })?;
        seals::open_chunk(dek, subject, chunk, &sealed)
    }

    /// Begins a batch.
    pub(super) fn batch<'a>(&'a self, sealer: &'a Sealer) -> Batch<'a> {
        Batch::new(self, sealer)
    }
}
