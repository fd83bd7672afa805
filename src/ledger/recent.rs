//! What was committed last, as it was decided: whoever follows the ledger closely need not read,
//! open and parse again what was only just sealed.
//!
//! A shortcut and never a record: it is empty while nobody follows, forgets the oldest when the
//! follower falls behind, and whatever is not here is in the log.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{
    domain::{
        entry::{Seq, Subject},
        event::Record,
    },
    ledger::entry::Head,
};

/// An entry that is durable.
#[derive(Debug, Clone)]
pub struct RecentEntry {
    /// Its position.
    pub seq: Seq,
    /// The head of the ledger right after it.
    pub head: Head,
    /// Whom it is about.
    pub subject: Subject,
    /// What happened.
    pub record: Arc<Record>,
    /// How many bytes of a log it takes.
    pub stored_len: usize,
}

/// The end the writer fills. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Recent {
    kept: Arc<Mutex<Option<Kept>>>,
}

/// The end the follower empties. Nothing is kept any more when it is dropped.
#[derive(Debug)]
pub struct RecentReader {
    recent: Recent,
}

struct Kept {
    /// Without gaps, oldest first.
    entries: VecDeque<RecentEntry>,
    /// Of all entries, as stored.
    bytes: usize,
    bytes_max: usize,
}

impl Recent {
    /// Begins to keep entries, at most `bytes_max` of them as stored; in memory they take about
    /// three times that. One reader at a time: another one takes the place of the first.
    pub(super) fn follow(&self, bytes_max: usize) -> RecentReader {
        *self.kept() = Some(Kept { entries: VecDeque::new(), bytes: 0, bytes_max });
        RecentReader { recent: self.clone() }
    }

    /// Puts the entries of a group that is durable, which follow those put before.
    pub(super) fn put(&self, entries: Vec<RecentEntry>) {
        let mut kept = self.kept();
        let Some(kept) = &mut *kept else { return };
        kept.bytes += entries.iter().map(|entry| entry.stored_len).sum::<usize>();
        kept.entries.extend(entries);
        while kept.bytes > kept.bytes_max && kept.forget_first() {}
    }

    fn kept(&self) -> MutexGuard<'_, Option<Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn forget_first(&mut self) -> bool {
        let first = self.entries.pop_front();
        self.bytes -= first.as_ref().map_or(0, |entry| entry.stored_len);
        first.is_some()
    }
}

impl RecentReader {
    /// Takes at most `len` entries from `from` on, without gaps; none where the entry at `from` is
    /// not kept. Those before it are forgotten.
    pub fn take(&self, from: Seq, len: usize) -> VecDeque<RecentEntry> {
        let mut kept = self.recent.kept();
        let Some(kept) = &mut *kept else { return VecDeque::new() };
        while kept.entries.front().is_some_and(|entry| entry.seq < from) {
            kept.forget_first();
        }
        if kept.entries.front().is_none_or(|entry| entry.seq != from) {
            return VecDeque::new();
        }
        let len = len.min(kept.entries.len());
        let taken: VecDeque<_> = kept.entries.drain(..len).collect();
        kept.bytes -= taken.iter().map(|entry| entry.stored_len).sum::<usize>();
        taken
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept").field("len", &self.entries.len()).finish_non_exhaustive()
    }
}

impl Drop for RecentReader {
    fn drop(&mut self) {
        *self.recent.kept() = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{
            event::{Actor, Event},
            time::Timestamp,
        },
        ledger::entry::EntryHash,
    };

    fn entries(seqs: std::ops::Range<u64>) -> Vec<RecentEntry> {
        let record = Arc::new(Record {
            at: Timestamp::from_unix_ms(0),
            by: Actor::System,
            command: None,
            event: Event::NothingChanged,
        });
        let entry = |seq| RecentEntry {
            seq: Seq(seq),
            head: Head { next: Seq(seq + 1), hash: EntryHash([0; 32]) },
            subject: Subject::SYSTEM,
            record: Arc::clone(&record),
            stored_len: 100,
        };
        seqs.map(entry).collect()
    }

    fn taken(reader: &RecentReader, from: u64, len: usize) -> Vec<u64> {
        reader.take(Seq(from), len).into_iter().map(|entry| entry.seq.0).collect()
    }

    #[test]
    fn entries_are_taken_in_order_and_once() {
        let recent = Recent::default();
        let reader = recent.follow(10_000);
        recent.put(entries(5..8));
        recent.put(entries(8..12));
        assert_eq!(taken(&reader, 5, 4), [5, 6, 7, 8]);
        assert_eq!(taken(&reader, 5, 4), [0_u64; 0]);
        assert_eq!(taken(&reader, 10, 9), [10, 11]);
        assert_eq!(taken(&reader, 12, 9), [0_u64; 0]);
    }

    #[test]
    fn a_reader_that_is_too_late_or_too_early_gets_nothing_rather_than_a_gap() {
        let recent = Recent::default();
        let reader = recent.follow(300);
        recent.put(entries(0..5));
        assert_eq!(taken(&reader, 0, 9), [0_u64; 0], "the first two made room");
        assert_eq!(taken(&reader, 2, 9), [2, 3, 4]);
        recent.put(entries(5..8));
        assert_eq!(taken(&reader, 5, 9), [5, 6, 7], "what was taken makes room as well");
        recent.put(entries(8..10));
        assert_eq!(taken(&reader, 11, 9), [0_u64; 0]);
        recent.put(entries(10..12));
        assert_eq!(taken(&reader, 11, 9), [11]);
    }

    #[test]
    fn nothing_is_kept_for_nobody() {
        let recent = Recent::default();
        recent.put(entries(0..5));
        let reader = recent.follow(10_000);
        assert_eq!(taken(&reader, 0, 9), [0_u64; 0]);
        drop(reader);
        recent.put(entries(5..6));
        assert!(recent.kept().is_none());
    }
}
