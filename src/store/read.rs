//! Reading documents. Every call here may wait on a disk.

use std::{collections::BTreeSet, time::Duration};

use crate::{
    documents::{ContactDocument, PartRecord},
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

/// The document of a contact that is part of another, or of the one that stayed.
struct Part {
    subject: Subject,
    /// Which of the documents before it is that of the contact it is part of, and since when.
    owner: Option<(usize, PartRecord)>,
    document: ContactDocument,
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
        if self.applied() <= seq {
            self.store.want();
        }
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

    /// Returns a contact's document with what its parts' documents add, those of the contacts that
    /// became part of it. Blocks.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn person(&self, subject: Subject) -> Result<Option<ContactDocument>, StoreError> {
        let document = self.document(subject)?;
        document.map(|document| self.complete(subject, document)).transpose()
    }

    /// As [`Self::person`], with the document at hand.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn complete(
        &self,
        subject: Subject,
        document: ContactDocument,
    ) -> Result<ContactDocument, StoreError> {
        if document.parts.is_empty() {
            return Ok(document);
        }
        let mut parts = self.with_parts(subject, document)?;
        // A part stands behind the contact it is part of: the last is always complete.
        while let Some(Part { owner, document, .. }) = parts.pop() {
            let Some((owner, record)) = owner else { return Ok(document) };
            if let Some(owner) = parts.get_mut(owner) {
                owner.document.complete(record, &document);
            }
        }
        Err(StoreError::Damaged { what: "the parts of a document" })
    }

    /// Reads the documents of a contact and of all its parts, each behind the one it is part of.
    /// Those of erased parts are left out.
    fn with_parts(
        &self,
        subject: Subject,
        document: ContactDocument,
    ) -> Result<Vec<Part>, StoreError> {
        let mut seen = BTreeSet::from([subject]);
        let mut parts = vec![Part { subject, owner: None, document }];
        let mut next = 0;
        while let Some(part) = parts.get(next) {
            for record in part.document.parts.clone() {
                if seen.insert(record.place)
                    && let Some(document) = self.document(record.place)?
                {
                    let owner = Some((next, record));
                    parts.push(Part { subject: record.place, owner, document });
                }
            }
            next += 1;
        }
        Ok(parts)
    }

    /// Returns the entries about a person before `before`, newest first, at most `limit`: those of
    /// the contact and of all its parts. Blocks.
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
        if document.parts.is_empty() {
            return self.own_history_seqs(subject, before, limit);
        }
        let mut seqs = Vec::new();
        for part in self.with_parts(subject, document)? {
            seqs.extend(self.own_history_seqs(part.subject, before, limit)?);
            seqs.sort_unstable_by(|one, other| other.cmp(one));
            seqs.truncate(limit);
        }
        Ok(seqs)
    }

    /// Returns the entries about a contact before `before`, newest first, at most `limit`, without
    /// those of its parts. Blocks.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub(super) fn own_history_seqs(
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

    /// Returns in which page a contact is; `None` for the service itself.
    pub fn page_of(&self, subject: Subject) -> Option<u32> {
        keys::place(subject).map(|(number, _)| number)
    }

    /// Returns the first contact of a page.
    pub fn first_of(&self, number: u32) -> Option<Subject> {
        keys::subject(number, 0)
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
