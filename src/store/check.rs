//! Checking: every document is held against one folded from the ledger, from scratch.
//!
//! In bounded memory: contacts are taken in windows, and the ledger is read once per window.

use std::collections::BTreeMap;

use crate::{
    documents::ContactDocument,
    domain::entry::{Seq, Subject},
    ledger::{
        log::LogReader,
        sealer::{Content, Sealer},
    },
    store::{StoreError, StoreReader},
};

/// Contacts folded at once: some 100 MB of documents.
const WINDOW: u32 = 65_536;

/// Differences that are listed; beyond them they are only counted.
const LISTED_MAX: usize = 100;

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CheckReport {
    /// Documents compared.
    pub compared: u64,
    /// How many contacts differ.
    pub different: u64,
    /// The first hundred of them.
    pub listed: Vec<(Subject, Difference)>,
}

/// How a contact differs from what the ledger says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Difference {
    /// It has no document.
    Missing,
    /// It has one and the ledger does not know it.
    Unknown,
    /// Its document says something else.
    Document,
    /// Its older entries are others.
    History,
    /// What is stored of it cannot be read.
    Unreadable,
}

/// A contact folded from scratch: its document and the entries that left it.
#[derive(Debug)]
struct Folded {
    document: ContactDocument,
    older: Vec<Seq>,
}

/// Compares every document with the ledger up to where the database has followed it. Nothing may
/// be applied meanwhile.
///
/// # Errors
///
/// [`StoreError`] when the ledger or the vault cannot be read; what cannot be read of the database
/// itself is a difference.
pub fn check(reader: &StoreReader, log: &dyn LogReader) -> Result<CheckReport, StoreError> {
    let mut report = CheckReport::default();
    let until = reader.store().applied()?.next;
    let mut first = Subject(1);
    loop {
        let end = Subject(first.0.saturating_add(WINDOW));
        let (folded, last) = fold(log, reader.sealer(), first, end, until)?;
        let stored = reader.pages()?.saturating_mul(crate::store::keys::PAGE_LEN);
        let last = last.max(Subject(stored));
        for ordinal in first.0..end.0.min(last.0.saturating_add(1)) {
            let subject = Subject(ordinal);
            compare(reader, subject, folded.get(&subject), &mut report)?;
        }
        if end > last {
            return Ok(report);
        }
        first = end;
    }
}

/// Folds the contacts from `first` to before `end`; also returns the last contact of all.
fn fold(
    log: &dyn LogReader,
    sealer: &Sealer,
    first: Subject,
    end: Subject,
    until: Seq,
) -> Result<(BTreeMap<Subject, Folded>, Subject), StoreError> {
    let mut folded = BTreeMap::<Subject, Folded>::new();
    let mut last = Subject::SYSTEM;
    for entry in log.read(Seq(0)) {
        let entry = entry?;
        let seq = entry.header.seq;
        if seq >= until {
            break;
        }
        let subject = sealer.subject_of(&entry)?;
        last = last.max(subject);
        if subject < first || subject >= end {
            continue;
        }
        let Content::Open { record, .. } = sealer.read(&entry)? else {
            folded.remove(&subject);
            continue;
        };
        match folded.get_mut(&subject) {
            Some(Folded { document, older }) => {
                document.fold(seq, &record);
                older.extend(document.entries.take_chunk().into_iter().flat_map(|(_, seqs)| seqs));
            }
            None => {
                if let Some(document) = ContactDocument::begin(seq, &record) {
                    folded.insert(subject, Folded { document, older: Vec::new() });
                }
            }
        }
    }
    Ok((folded, last))
}

fn compare(
    reader: &StoreReader,
    subject: Subject,
    folded: Option<&Folded>,
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    let difference = match (reader.document(subject), folded) {
        (Err(error), _) if error.is_damage() => Some(Difference::Unreadable),
        (Err(error), _) => return Err(error),
        (Ok(None), None) => return Ok(()),
        (Ok(None), Some(_)) => Some(Difference::Missing),
        (Ok(Some(_)), None) => Some(Difference::Unknown),
        (Ok(Some(stored)), Some(Folded { document, .. })) if stored != *document => {
            Some(Difference::Document)
        }
        (Ok(Some(stored)), Some(Folded { older, .. })) => {
            compare_history(reader, subject, &stored, older)?
        }
    };
    report.compared += 1;
    if let Some(difference) = difference {
        report.different += 1;
        if report.listed.len() < LISTED_MAX {
            report.listed.push((subject, difference));
        }
    }
    Ok(())
}

fn compare_history(
    reader: &StoreReader,
    subject: Subject,
    stored: &ContactDocument,
    older: &[Seq],
) -> Result<Option<Difference>, StoreError> {
    let newest = stored.entries.newest();
    let all = reader.own_history_seqs(subject, None, newest.len() + older.len() + 1);
    let expected = newest.iter().rev().chain(older.iter().rev());
    match all {
        Ok(all) => Ok((!all.iter().eq(expected)).then_some(Difference::History)),
        Err(error) if error.is_damage() => Ok(Some(Difference::Unreadable)),
        Err(error) => Err(error),
    }
}
