//! Reading documents. Every call here may wait on a disk.

use std::time::Duration;

use crate::{
    documents::ContactDocument,
    domain::entry::{Seq, Subject},
    ledger::{seal::Dek, sealer::Sealer},
    store::{Store, StoreError, WaitError, keys, page::Cell, progress, seals},
};

/// Times a long document is read again that changed while it was being read.
const TRIES: usize = 8;

/// Reads documents. Cheap to clone.
#[derive(Debug, Clone)]
pub struct StoreReader {
    store: Store,
    sealer: Sealer,
}

impl StoreReader {
    pub(super) const fn new(store: Store, sealer: Sealer) -> Self {
        Self { store, sealer }
    }

    /// Returns the next entry to apply: everything before it is in the documents.
    pub fn applied(&self) -> Seq {
        self.store.progress().applied
    }

    /// Waits until the entry at `seq` is in the documents, so that whoever wrote it reads it.
    ///
    /// # Errors
    ///
    /// [`WaitError`].
    pub async fn wait_for(&self, seq: Seq, within: Duration) -> Result<(), WaitError> {
        progress::wait_for(self.store.watch(), seq, within).await
    }

    /// Returns a contact's document; `None` when it is unknown or erased. Blocks.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn document(&self, subject: Subject) -> Result<Option<ContactDocument>, StoreError> {
        let Some((number, place)) = keys::place(subject) else { return Ok(None) };
        let page = self.store.page(number)?;
        if *page.cell(place) == Cell::Absent {
            return Ok(None);
        }
        let Some(dek) = self.sealer.vault().dek(subject)? else { return Ok(None) };
        self.open(&dek, subject, place, page.cell(place))
    }

    /// Returns the entries about a contact before `before`, newest first, at most `limit`. Blocks.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn history_seqs(
        &self,
        subject: Subject,
        before: Option<Seq>,
        limit: usize,
    ) -> Result<Vec<Seq>, StoreError> {
        let Some(document) = self.document(subject)? else { return Ok(Vec::new()) };
        let is_wanted = |seq: &Seq| before.is_none_or(|before| *seq < before);
        let newest = document.entries.newest().iter().rev().copied();
        let mut seqs: Vec<Seq> = newest.filter(is_wanted).take(limit).collect();
        let mut chunk = document.entries.chunks();
        if seqs.len() < limit && chunk > 0 {
            let Some(dek) = self.sealer.vault().dek(subject)? else { return Ok(Vec::new()) };
            while seqs.len() < limit && chunk > 0 {
                chunk -= 1;
                let older = self.store.chunk(&dek, subject, chunk)?;
                let room = limit - seqs.len();
                seqs.extend(older.into_iter().rev().filter(is_wanted).take(room));
            }
        }
        Ok(seqs)
    }

    /// Returns how many pages there are to read; they are numbered from 0. Blocks.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn pages(&self) -> Result<u32, StoreError> {
        Ok(self.store.last_page()?.map_or(0, |last| last.saturating_add(1)))
    }

    /// Returns the documents of one page in the order their contacts were added, without those of
    /// erased contacts. Blocks.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn page(&self, number: u32) -> Result<Vec<(Subject, ContactDocument)>, StoreError> {
        let page = self.store.page(number)?;
        let mut documents = Vec::new();
        for (place, cell) in page.cells() {
            let Some(subject) = keys::subject(number, place) else { continue };
            if *cell == Cell::Absent {
                continue;
            }
            let Some(dek) = self.sealer.vault().dek(subject)? else { continue };
            if let Some(document) = self.open(&dek, subject, place, cell)? {
                documents.push((subject, document));
            }
        }
        Ok(documents)
    }

    /// Returns the database behind.
    pub(super) const fn store(&self) -> &Store {
        &self.store
    }

    /// Returns what opens the documents.
    pub(super) const fn sealer(&self) -> &Sealer {
        &self.sealer
    }

    /// Opens the document a cell stands for. A long one may be replaced between the reading of
    /// two of its parts; then the parts do not fit, and it is read again from its page on.
    fn open(
        &self,
        dek: &Dek,
        subject: Subject,
        place: usize,
        cell: &Cell,
    ) -> Result<Option<ContactDocument>, StoreError> {
        let mut cell = cell.clone();
        let mut tries = 0;
        loop {
            let before = self.applied();
            let read = self.store.sealed(subject, &cell).and_then(|sealed| {
                sealed.map(|sealed| seals::open_document(dek, subject, &sealed)).transpose()
            });
            tries += 1;
            let is_long = matches!(cell, Cell::Elsewhere { .. });
            if read.is_ok() || !is_long || tries == TRIES {
                return read;
            }
            if self.applied() == before && tries > 1 {
                return read;
            }
            let Some((number, _)) = keys::place(subject) else { return Ok(None) };
            cell = self.store.page(number)?.cell(place).clone();
        }
    }
}
