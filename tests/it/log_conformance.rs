//! What every log does, whatever it stores entries on.

use std::thread;

use izin::{
    domain::{entry::Seq, time::Timestamp},
    ledger::{
        entry::{ChainError, EntryHash, Head, StoredEntry, stored_len},
        journal::{Disk, Folder, Journal, Options, open},
        log::{AppendError, EventLog, LogReader},
        memory::MemoryLog,
    },
    limits::FRAME_BYTES_MAX,
};

use crate::{fault_disk::FaultDisk, sample::group};

/// Small segments, so that every case crosses some of them.
pub(crate) const SMALL: Options =
    Options { segment_len: 1_100, ahead: 512, recovers_to_verified_prefix: false };

fn journal<D: Disk>(disk: D) -> Journal<D> {
    open(disk, SMALL, &mut |_| Ok(())).unwrap().journal
}

fn collect(reader: &dyn LogReader, from: u64) -> Vec<StoredEntry> {
    reader.read(Seq(from)).collect::<Result<_, _>>().unwrap()
}

/// Appends groups of these lengths and returns all entries.
fn fill(log: &mut impl EventLog, lens: &[u64]) -> Vec<StoredEntry> {
    let mut all = Vec::new();
    for len in lens {
        let head = log.reader().head();
        let entries = group(head, *len);
        let after = log.append(head, &entries).unwrap();
        assert_eq!(after.next.0, head.next.0 + len);
        all.extend(entries);
    }
    all
}

fn an_empty_log_has_the_empty_head_and_no_entries(mut log: impl EventLog) {
    let reader = log.reader();
    assert_eq!(reader.head(), Head::EMPTY);
    assert!(collect(&*reader, 0).is_empty());
    assert!(reader.entry(Seq(0)).unwrap().is_none());
    assert_eq!(log.append(Head::EMPTY, &[]).unwrap(), Head::EMPTY);
}

fn what_was_appended_is_read_back_from_any_position(mut log: impl EventLog) {
    let all = fill(&mut log, &[1, 16, 3, 40, 1, 1, 1, 9]);
    let reader = log.reader();
    assert_eq!(reader.head().next.0, 72);
    for from in 0..=74_u64 {
        let place = usize::try_from(from).unwrap();
        assert_eq!(collect(&*reader, from), all.get(place..).unwrap_or_default(), "from {from}");
        assert_eq!(reader.entry(Seq(from)).unwrap().as_ref(), all.get(place), "entry {from}");
    }
    assert!(collect(&*reader, u64::MAX).is_empty());
}

fn entries_that_do_not_follow_are_refused_and_change_nothing(mut log: impl EventLog) {
    fill(&mut log, &[2]);
    let head = log.reader().head();
    let good = group(head, 3);
    let spoil = |change: &dyn Fn(&mut StoredEntry)| {
        let mut entries = good.clone();
        change(&mut entries[2]);
        entries
    };
    let gap = spoil(&|entry| entry.header.seq = Seq(9));
    let fork = spoil(&|entry| entry.header.previous = EntryHash([1; 32]));
    let late = spoil(&|entry| entry.header.at = Timestamp::from_unix_ms(0));
    let fails = |log: &mut dyn EventLog, entries: &[StoredEntry]| match log.append(head, entries) {
        Err(AppendError::Chain(error)) => error,
        other => panic!("{other:?}"),
    };
    assert_eq!(fails(&mut log, &gap), ChainError::Seq { expected: 4, found: 9 });
    assert_eq!(fails(&mut log, &fork), ChainError::Previous { seq: 4 });
    assert_eq!(fails(&mut log, &late), ChainError::Time { seq: 4 });
    assert_eq!(log.reader().head(), head);
    assert_eq!(collect(&*log.reader(), 0).len(), 2);
    log.append(head, &good).unwrap();
}

fn time_does_not_step_back_between_groups(mut log: impl EventLog) {
    fill(&mut log, &[7]);
    let head = log.reader().head();
    let mut entries = group(head, 1);
    entries[0].header.at = Timestamp::from_unix_ms(0);
    let refused = log.append(head, &entries);
    assert!(matches!(refused, Err(AppendError::Chain(ChainError::Time { seq: 7 }))));
}

fn a_head_that_moved_is_refused_and_changes_nothing(mut log: impl EventLog) {
    fill(&mut log, &[2]);
    let stale = Head::EMPTY;
    assert!(matches!(log.append(stale, &group(stale, 1)), Err(AppendError::HeadMoved)));
    assert!(matches!(log.append(stale, &[]), Err(AppendError::HeadMoved)));
    let mut forked = log.reader().head();
    forked.hash = EntryHash([9; 32]);
    assert!(matches!(log.append(forked, &group(forked, 1)), Err(AppendError::HeadMoved)));
    assert_eq!(collect(&*log.reader(), 0).len(), 2);
    fill(&mut log, &[1]);
}

fn a_watcher_sees_each_new_head_and_readers_stop_at_theirs(mut log: impl EventLog) {
    let reader = log.reader();
    let mut heads = reader.watch();
    assert_eq!(*heads.borrow_and_update(), Head::EMPTY);
    fill(&mut log, &[4]);
    assert!(heads.has_changed().unwrap());
    assert_eq!(*heads.borrow_and_update(), reader.head());
    let before = reader.read(Seq(1));
    fill(&mut log, &[30]);
    assert_eq!(before.count(), 3);
    assert_eq!(heads.borrow_and_update().next, Seq(34));
}

fn large_and_empty_openings_come_back_whole(mut log: impl EventLog) {
    let mut entries = group(Head::EMPTY, 3);
    entries[0].opening = vec![0xA5; 300_000];
    entries[1].opening = Vec::new();
    entries[2].opening = vec![0; 5_000];
    log.append(Head::EMPTY, &entries).unwrap();
    assert_eq!(collect(&*log.reader(), 0), entries);
}

fn a_group_that_is_too_large_is_refused_and_the_log_goes_on(mut log: impl EventLog) {
    let mut entries = group(Head::EMPTY, 1);
    entries[0].opening = vec![1; FRAME_BYTES_MAX];
    assert!(matches!(log.append(Head::EMPTY, &entries), Err(AppendError::TooLarge { .. })));
    assert_eq!(log.reader().head(), Head::EMPTY);
    fill(&mut log, &[1]);
}

fn readers_on_other_threads_see_whole_prefixes_while_it_grows(mut log: impl EventLog) {
    let reader = log.reader();
    thread::scope(|scope| {
        let readers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let mut seen = 0;
                    while seen < 400 {
                        let entries = collect(&*reader, 0);
                        assert!(entries.len() >= seen, "entries never go");
                        seen = entries.len();
                        let mut head = Head::EMPTY;
                        for entry in &entries {
                            head = head.extend(&entry.header).unwrap();
                        }
                    }
                })
            })
            .collect();
        for _ in 0..100 {
            fill(&mut log, &[1, 3]);
        }
        for reader in readers {
            reader.join().unwrap();
        }
    });
}

macro_rules! conformance {
    ($log:ident, $make:expr, [$($case:ident),+ $(,)?]) => {
        mod $log {
            $(
                #[test]
                fn $case() {
                    let (log, _guard) = $make;
                    super::$case(log);
                }
            )+
        }
    };
    ($log:ident, $make:expr) => {
        conformance!($log, $make, [
            an_empty_log_has_the_empty_head_and_no_entries,
            what_was_appended_is_read_back_from_any_position,
            entries_that_do_not_follow_are_refused_and_change_nothing,
            time_does_not_step_back_between_groups,
            a_head_that_moved_is_refused_and_changes_nothing,
            a_watcher_sees_each_new_head_and_readers_stop_at_theirs,
            large_and_empty_openings_come_back_whole,
            a_group_that_is_too_large_is_refused_and_the_log_goes_on,
            readers_on_other_threads_see_whole_prefixes_while_it_grows,
        ]);
    };
}

conformance!(memory, (super::MemoryLog::new(), ()));
conformance!(journal_on_a_disk, {
    let folder = tempfile::tempdir().unwrap();
    let disk = super::Folder::open(folder.path().join("journal")).unwrap();
    (super::journal(disk), folder)
});
conformance!(journal_in_memory, (super::journal(super::FaultDisk::default()), ()));

#[test]
fn a_journal_on_a_disk_is_the_same_after_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Folder::open(folder.path().join("journal")).unwrap();
    let mut all = Vec::new();
    for _ in 0..4 {
        let mut seen = Vec::new();
        let visit = &mut |entry: &StoredEntry| {
            seen.push(entry.clone());
            Ok(())
        };
        let mut log = open(disk.clone(), SMALL, visit).unwrap().journal;
        assert_eq!(seen, all);
        all.extend(fill(&mut log, &[3, 1, 14]));
        assert_eq!(collect(&*log.reader(), 0), all);
        log.close().unwrap();
        assert!(matches!(log.append(log.reader().head(), &[]), Err(AppendError::Closed)));
    }
    assert!(disk.list().unwrap().len() > 4, "several segments and an anchor");
}

#[test]
fn a_group_costs_one_write_and_one_sync_beside_the_anchor() {
    let disk = FaultDisk::default();
    let mut log = open(disk.clone(), Options::default(), &mut |_| Ok(())).unwrap().journal;
    fill(&mut log, &[1]);
    for len in [1, 16, 128] {
        let (writes, syncs) = disk.writes_and_syncs();
        fill(&mut log, &[len]);
        // The second write is the anchor's, which waits for no sync.
        assert_eq!(disk.writes_and_syncs(), (writes + 2, syncs + 1));
    }
}

#[test]
fn a_segment_is_written_ahead_to_the_byte_in_small_pieces() {
    let disk = FaultDisk::default();
    let options = Options { segment_len: 1_000_000, ahead: 150_000, ..SMALL };
    let mut log = open(disk.clone(), options, &mut |_| Ok(())).unwrap().journal;
    let segment = || {
        let files = disk.files();
        files.into_iter().find(|(name, _)| name != "anchor").unwrap().1
    };
    assert_eq!(segment(), vec![0; 150_000]);
    let (writes, syncs) = disk.writes_and_syncs();
    let entries = group(log.reader().head(), 2_000);
    log.append(log.reader().head(), &entries).unwrap();
    // Three pieces of zeroes, the group, the anchor.
    assert_eq!(disk.writes_and_syncs(), (writes + 5, syncs + 1));
    let (bytes, end) = (segment(), 36 + stored_len(&entries));
    assert!(end > 150_000, "{end}");
    assert_eq!(bytes.len(), 300_000);
    assert!(bytes[end - 1] != 0 && bytes[end..].iter().all(|byte| *byte == 0));
}
