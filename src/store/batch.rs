//! One batch: entries become changes of documents, grouped by contact, written at once.
//!
//! A document is read, opened, sealed and written once per batch however many entries of the
//! batch are about it; a page likewise.

use std::collections::BTreeMap;

use rand::CryptoRng;

use crate::{
    documents::ContactDocument,
    domain::{
        entry::{Seq, Subject},
        event::Record,
    },
    ledger::{
        entry::{Head, StoredEntry},
        recent::RecentEntry,
        seal::Dek,
        sealer::{Content, Sealer},
    },
    store::{
        Store, StoreError,
        database::Changes,
        keys, meta,
        page::{Cell, INLINE_MAX, PART_MAX, Page},
        seals,
    },
};

/// Pages in one batch: up to 16 KiB each, and the database keeps several times that in memory
/// until it has flushed.
const PAGES_MAX: usize = 64;

/// A batch being made.
#[derive(Debug)]
pub(super) struct Batch<'a> {
    store: &'a Store,
    sealer: &'a Sealer,
    contacts: BTreeMap<Subject, Known>,
    pages: BTreeMap<u32, Page>,
}

/// A contact as far as the batch has come.
#[derive(Debug)]
enum Known {
    /// Its key was destroyed.
    Erased,
    /// What is stored of it can be read.
    Open(Box<Contact>),
}

/// A contact whose key is there.
#[derive(Debug)]
struct Contact {
    dek: Dek,
    /// Its document; none before its first entry.
    document: Option<ContactDocument>,
    /// What left the document during this batch.
    chunks: Vec<(u32, Vec<Seq>)>,
}

impl Contact {
    fn fold(&mut self, seq: Seq, record: &Record) -> Result<(), StoreError> {
        if let Some(document) = &mut self.document {
            document.fold(seq, record);
            self.chunks.extend(document.entries.take_chunk());
        } else {
            let begun = ContactDocument::begin(seq, record);
            // A contact's first entry makes its document; where there is none it was lost.
            self.document = Some(begun.ok_or(StoreError::Damaged { what: "a missing document" })?);
        }
        Ok(())
    }
}

impl<'a> Batch<'a> {
    pub(super) const fn new(store: &'a Store, sealer: &'a Sealer) -> Self {
        Self { store, sealer, contacts: BTreeMap::new(), pages: BTreeMap::new() }
    }

    /// Returns whether the batch should be committed before it takes another entry.
    pub(super) fn is_full(&self) -> bool {
        self.pages.len() >= PAGES_MAX
    }

    /// Takes the next entry.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; nothing of the batch is written then.
    pub(super) fn take(&mut self, entry: &StoredEntry) -> Result<(), StoreError> {
        let subject = self.sealer.subject_of(entry)?;
        let Some(contact) = self.contact(subject)? else { return Ok(()) };
        let content = Sealer::read_with(subject, &contact.dek, entry)?;
        let Content::Open { record, .. } = content else { return Ok(()) };
        contact.fold(entry.header.seq, &record)
    }

    /// As [`Self::take`], for an entry whose record is at hand.
    ///
    /// # Errors
    ///
    /// As [`Self::take`].
    pub(super) fn take_recent(&mut self, entry: &RecentEntry) -> Result<(), StoreError> {
        let Some(contact) = self.contact(entry.subject)? else { return Ok(()) };
        contact.fold(entry.seq, &entry.record)
    }

    /// Returns what is known of a contact; nothing of one that was erased, and of the service
    /// itself, which is none.
    fn contact(&mut self, subject: Subject) -> Result<Option<&mut Contact>, StoreError> {
        if !subject.is_contact() {
            return Ok(None);
        }
        if !self.contacts.contains_key(&subject) {
            let known = self.load(subject)?;
            self.contacts.insert(subject, known);
        }
        match self.contacts.get_mut(&subject) {
            Some(Known::Open(contact)) => Ok(Some(contact)),
            Some(Known::Erased) | None => Ok(None),
        }
    }

    /// Makes the batch durable: every entry before `applied` is then in the documents.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; the database then holds all of the batch or nothing of it.
    pub(super) fn commit(
        mut self,
        applied: Head,
        random: &mut impl CryptoRng,
    ) -> Result<(), StoreError> {
        let mut changes = Changes::default();
        for (subject, known) in std::mem::take(&mut self.contacts) {
            let sealed = match known {
                Known::Open(contact) => seal(subject, *contact, &mut changes, random)?,
                Known::Erased => {
                    for key in self.store.database().keys(&keys::chunks(subject))? {
                        changes.remove(key);
                    }
                    None
                }
            };
            self.place(subject, sealed, &mut changes)?;
        }
        for (number, page) in &self.pages {
            changes.put(keys::page(*number), page.encode());
        }
        changes.put(keys::META.to_vec(), meta::encode(applied));
        self.store.commit(changes, applied)
    }

    fn load(&mut self, subject: Subject) -> Result<Known, StoreError> {
        let Some(dek) = self.sealer.vault().dek(subject)? else { return Ok(Known::Erased) };
        let Some((number, place)) = keys::place(subject) else { return Ok(Known::Erased) };
        let store = self.store;
        let cell = self.page(number)?.cell(place).clone();
        let sealed = store.sealed(subject, &cell)?;
        let document =
            sealed.map(|sealed| seals::open_document(&dek, subject, &sealed)).transpose()?;
        Ok(Known::Open(Box::new(Contact { dek, document, chunks: Vec::new() })))
    }

    /// Puts a sealed document where it belongs and clears what it leaves behind.
    fn place(
        &mut self,
        subject: Subject,
        sealed: Option<Vec<u8>>,
        changes: &mut Changes,
    ) -> Result<(), StoreError> {
        let Some((number, place)) = keys::place(subject) else { return Ok(()) };
        let cell = match sealed {
            None => Cell::Absent,
            Some(sealed) if sealed.len() <= INLINE_MAX => Cell::Inline(sealed),
            Some(sealed) => {
                let mut parts = 0_u32;
                for bytes in sealed.chunks(PART_MAX) {
                    changes.put(keys::part(subject, parts), bytes.to_vec());
                    parts = parts.saturating_add(1);
                }
                Cell::Elsewhere { parts }
            }
        };
        let parts_of = |cell: &Cell| match cell {
            Cell::Elsewhere { parts } => *parts,
            Cell::Absent | Cell::Inline(_) => 0,
        };
        let kept = parts_of(&cell);
        let before = self.page(number)?.put(place, cell);
        for part in kept..parts_of(&before) {
            changes.remove(keys::part(subject, part));
        }
        Ok(())
    }

    fn page(&mut self, number: u32) -> Result<&mut Page, StoreError> {
        if !self.pages.contains_key(&number) {
            let page = self.store.page(number)?;
            self.pages.insert(number, page);
        }
        Ok(self.pages.entry(number).or_default())
    }
}

/// Seals a contact's document and what left it.
fn seal(
    subject: Subject,
    contact: Contact,
    changes: &mut Changes,
    random: &mut impl CryptoRng,
) -> Result<Option<Vec<u8>>, StoreError> {
    let Contact { dek, document, chunks } = contact;
    for (chunk, entries) in chunks {
        let sealed = seals::seal_chunk(&dek, subject, chunk, &entries, random)?;
        changes.put(keys::chunk(subject, chunk), sealed);
    }
    document.map(|document| seals::seal_document(&dek, subject, &document, random)).transpose()
}
