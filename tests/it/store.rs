//! The database behind the ledger: always a prefix of the ledger, never readable, never trusted.
#![expect(clippy::unwrap_used, reason = "a helper of tests fails the test it helps")]

use std::{
    fs,
    os::unix::fs::FileExt as _,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use izin::{
    documents::{CHUNK_LEN, NEWEST_MAX},
    domain::{
        command::Command,
        entry::{Seq, Subject},
    },
    ledger::{
        entry::Head,
        log::{Entries, EventLog as _, LogReader},
        memory::MemoryLog,
    },
    store::{Applier, CheckReport, Difference, Opened, Store, StoreError, Why, check, rebuild},
};
use proptest::prelude::*;
use rand::{SeedableRng as _, rngs::StdRng};
use tokio::sync::watch;

use crate::business::{Business, TOPICS, number, opt_in, opt_in_of, opt_out, person_with_user};
use crate::documents::{Act, act, agree};

const CACHE: u64 = 1 << 20;

fn open(business: &Business) -> (Store, Opened) {
    Store::open(&business.database(), CACHE, business.reader().as_ref()).unwrap()
}

fn applier(business: &Business, store: &Store, batch_len: usize) -> Applier {
    let random = StdRng::seed_from_u64(2);
    let sealer = business.sealer.clone();
    Applier::new(store.clone(), business.reader(), sealer, random, batch_len).unwrap()
}

fn catch_up(business: &Business, store: &Store, batch_len: usize) {
    applier(business, store, batch_len).catch_up(|| false).unwrap();
    assert_eq!(store.progress().applied, business.reader().head().next);
}

/// A log that counts how often it is read.
#[derive(Debug)]
struct CountedLog {
    log: Arc<dyn LogReader>,
    reads: AtomicUsize,
}

impl LogReader for CountedLog {
    fn head(&self) -> Head {
        self.log.head()
    }

    fn watch(&self) -> watch::Receiver<Head> {
        self.log.watch()
    }

    fn read(&self, from: Seq) -> Entries {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.log.read(from)
    }
}

fn checked(business: &Business, store: &Store) -> CheckReport {
    let reader = store.reader(business.sealer.clone());
    check(&reader, business.reader().as_ref()).unwrap()
}

/// Every consent of every contact stands in the documents where it stands in memory.
fn agrees_with_memory(business: &Business, store: &Store) {
    let reader = store.reader(business.sealer.clone());
    agree(&business.views.state(), |subject| reader.document(subject).unwrap());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn documents_are_what_the_ledger_says_whatever_the_groups_and_batches(
        groups in prop::collection::vec(prop::collection::vec(act(20), 1..12), 1..12),
        batch_len in 1_usize..40,
        stops in prop::collection::vec(any::<bool>(), 12),
        erased in prop::collection::vec(0_u32..20, 0..3),
    ) {
        let mut business = Business::new();
        let (mut store, _) = open(&business);
        for (group, stop) in groups.iter().zip(stops.iter().cycle()) {
            business.run(group.iter().map(Act::command).collect());
            applier(&business, &store, batch_len).step().unwrap();
            if *stop {
                drop(store);
                let opened;
                (store, opened) = open(&business);
                prop_assert!(opened.moved_aside.is_none());
            }
        }
        catch_up(&business, &store, batch_len);
        let report = checked(&business, &store);
        prop_assert_eq!(report.different, 0, "{:?}", report.listed);
        let contacts = u64::try_from(business.views.state().contacts().len()).unwrap();
        prop_assert_eq!(report.compared, contacts);
        agrees_with_memory(&business, &store);

        let reader = store.reader(business.sealer.clone());
        for person in erased {
            let Some(subject) = business.subject(person) else { continue };
            business.erase(person);
            prop_assert!(reader.document(subject).unwrap().is_none());
        }
        prop_assert_eq!(checked(&business, &store).different, 0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn documents_are_the_same_whether_entries_come_from_the_writer_or_from_the_log(
        groups in prop::collection::vec(prop::collection::vec(act(20), 1..12), 1..20),
        batch_len in 1_usize..40,
        bytes_max in prop_oneof![Just(0_usize), 1_000_usize..8_000, Just(usize::MAX)],
        steps in prop::collection::vec(0_usize..4, 20),
    ) {
        let mut business = Business::new();
        let (store, _) = open(&business);
        let mut following = applier(&business, &store, batch_len).beside(business.follow(bytes_max));
        for (group, steps) in groups.iter().zip(steps) {
            business.run(group.iter().map(Act::command).collect());
            for _ in 0..steps {
                following.step().unwrap();
            }
        }
        following.catch_up(|| false).unwrap();
        prop_assert_eq!(store.progress().applied, business.reader().head().next);
        drop((following, store));
        // The head it stopped at is one of the ledger's, or it would be moved aside now.
        let (store, opened) = open(&business);
        prop_assert!(opened.moved_aside.is_none());
        prop_assert_eq!(opened.applied, business.reader().head());
        let report = checked(&business, &store);
        prop_assert_eq!(report.different, 0, "{:?}", report.listed);
        agrees_with_memory(&business, &store);
    }
}

#[test]
fn a_follower_reads_the_log_only_for_what_it_was_too_late_for() {
    let mut business = Business::new();
    let (store, _) = open(&business);
    let log = Arc::new(CountedLog { log: business.reader(), reads: AtomicUsize::new(0) });
    let reads = || log.reads.load(Ordering::Relaxed);
    let recent = business.follow(20_000);
    let (random, sealer) = (StdRng::seed_from_u64(2), business.sealer.clone());
    let shared = Arc::<CountedLog>::clone(&log);
    let applier = Applier::new(store.clone(), shared, sealer, random, 30).unwrap();
    let mut applier = applier.beside(recent);
    // What the ledger began with was recorded before anyone followed it.
    applier.catch_up(|| false).unwrap();
    assert_eq!(reads(), 1);
    let people =
        |range: std::ops::Range<u32>| range.map(|p| opt_in(p, &["orders"], None)).collect();
    for first in [0, 10, 20] {
        business.run(people(first..first + 10));
        applier.catch_up(|| false).unwrap();
    }
    assert_eq!(reads(), 1, "it kept up");
    // 400 entries of some 400 bytes each: only the last 20,000 bytes of them wait.
    business.run(people(30..230));
    applier.catch_up(|| false).unwrap();
    assert_eq!(reads(), 2, "once for all it missed, and then no more");
    business.run(people(0..10));
    applier.catch_up(|| false).unwrap();
    assert_eq!(reads(), 2, "it has caught up");
    assert_eq!(store.progress().applied, business.reader().head().next);
    let report = checked(&business, &store);
    assert_eq!((report.compared, report.different), (230, 0));
    // Started again it has only the log.
    drop(applier);
    business.run(people(230..240));
    catch_up(&business, &store, 30);
    assert_eq!(checked(&business, &store).different, 0);
}

#[test]
fn what_the_writer_hands_on_of_an_erased_contact_is_in_no_document() {
    let mut business = Business::new();
    let (store, _) = open(&business);
    let mut applier = applier(&business, &store, 100).beside(business.follow(usize::MAX));
    applier.catch_up(|| false).unwrap();
    business.run(vec![opt_in(1, &["orders"], None), opt_in(2, &["orders"], None)]);
    let subject = business.subject(1).unwrap();
    business.erase(1);
    applier.catch_up(|| false).unwrap();
    let reader = store.reader(business.sealer.clone());
    assert!(reader.document(subject).unwrap().is_none());
    assert_eq!(checked(&business, &store).different, 0);
}

#[test]
fn a_reopened_database_goes_on_where_its_last_whole_batch_ended() {
    let mut business = Business::new();
    business.run((0..50).map(|person| opt_in(person, &["orders"], None)).collect());
    let (store, _) = open(&business);
    let mut first = applier(&business, &store, 7);
    assert_eq!((first.step().unwrap(), first.step().unwrap()), (7, 7));
    drop((first, store));
    let (store, opened) = open(&business);
    assert_eq!(opened.applied.next, Seq(14));
    assert!(opened.moved_aside.is_none());
    catch_up(&business, &store, 7);
    assert_eq!(checked(&business, &store).different, 0);
    assert_eq!(applier(&business, &store, 7).step().unwrap(), 0);
}

#[test]
fn an_entry_that_cannot_be_applied_changes_nothing_of_its_batch() {
    let mut business = Business::new();
    business.run((0..4).map(|person| opt_in(person, &["orders"], None)).collect());
    let (store, _) = open(&business);
    let before = store.progress();
    // A vault of other keys cannot open the entries.
    let other = Business::with_chance(9);
    let random = StdRng::seed_from_u64(2);
    let sealer = other.sealer.clone();
    let mut applier = Applier::new(store.clone(), business.reader(), sealer, random, 100).unwrap();
    assert!(matches!(applier.step(), Err(StoreError::Entry(_))));
    assert_eq!(store.progress(), before);
    catch_up(&business, &store, 100);
    assert_eq!(checked(&business, &store).different, 0);
}

#[test]
fn a_long_history_leaves_the_document_in_chunks_and_is_read_back_whole() {
    let mut business = Business::new();
    let rounds = NEWEST_MAX + 3 * CHUNK_LEN;
    for _ in 0..=rounds / 50 {
        business.run((0..50).map(|_| opt_in(1, &["orders", "news"], None)).collect());
    }
    business.run(vec![opt_in(2, &["orders"], None)]);
    let (store, _) = open(&business);
    catch_up(&business, &store, 33);
    let reader = store.reader(business.sealer.clone());
    let subject = business.subject(1).unwrap();
    let document = reader.document(subject).unwrap().unwrap();
    assert!(document.entries.chunks() >= 2);
    let all = reader.history_seqs(subject, None, usize::MAX).unwrap();
    assert_eq!(u64::try_from(all.len()).unwrap(), document.entries.count());
    assert!(all.is_sorted_by(|a, b| a > b), "newest first");
    // Page by page, as a caller with a cursor reads it.
    let mut paged = Vec::new();
    let mut before = None;
    loop {
        let page = reader.history_seqs(subject, before, 60).unwrap();
        let Some(last) = page.last() else { break };
        before = Some(*last);
        paged.extend(page);
    }
    assert_eq!(paged, all);
    assert_eq!(checked(&business, &store).different, 0);

    business.erase(1);
    business.run(vec![opt_in(1, &["orders"], None)]);
    assert_eq!(checked(&business, &store).different, 0);
}

#[test]
fn a_document_moves_out_of_its_page_when_it_grows_and_its_neighbours_stay() {
    let mut business = Business::new();
    business.run((0..40).map(|person| opt_in(person, &["orders"], None)).collect());
    let (store, _) = open(&business);
    catch_up(&business, &store, 10);
    let mut long = opt_in_of(crate::business::person(3), &TOPICS, None);
    long.source.url = Some(format!("https://example.com/{}", "x".repeat(20_000)).into());
    business.run(vec![Command::OptIn(Box::new(long))]);
    catch_up(&business, &store, 10);
    assert_eq!(checked(&business, &store).different, 0);
    let reader = store.reader(business.sealer.clone());
    let subject = business.subject(3).unwrap();
    let url = reader.document(subject).unwrap().unwrap().consents[0].source.url.clone();
    assert!(url.unwrap().len() > 20_000);
    business.run(vec![opt_out(3, None, None)]);
    catch_up(&business, &store, 10);
    assert_eq!(checked(&business, &store).different, 0);
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

#[test]
fn nothing_readable_is_in_any_file() {
    let mut business = Business::new();
    let who = |person| person_with_user(person, "readable-user-id");
    let commands = (0..30).map(|person| {
        let who = if person == 0 { who(0) } else { crate::business::person(person) };
        let mut command = opt_in_of(who, &["orders"], None);
        command.source.reference = Some("readable-reference".into());
        Command::OptIn(Box::new(command))
    });
    business.run(commands.collect());
    let (store, _) = open(&business);
    catch_up(&business, &store, 9);
    drop(store);
    let files = files(&business.database());
    assert!(!files.is_empty());
    for file in files {
        let bytes = fs::read(&file).unwrap();
        let holds = |text: &str| bytes.windows(text.len()).any(|part| part == text.as_bytes());
        for person in 0..30 {
            let number = number(person);
            assert!(!holds(number.trim_start_matches('+')), "{}", file.display());
        }
        for text in ["readable-user-id", "readable-reference", "web_form", "orders"] {
            assert!(!holds(text), "{text} in {}", file.display());
        }
    }
}

fn filled() -> Business {
    let mut business = Business::new();
    business.run((0..200).map(|person| opt_in(person, &["orders"], None)).collect());
    let (store, _) = open(&business);
    catch_up(&business, &store, 20);
    business
}

#[test]
fn a_damaged_file_is_moved_aside_and_everything_folded_again() {
    let business = filled();
    let db = business.database().join("db");
    let len = fs::metadata(&db).unwrap().len();
    let file = fs::OpenOptions::new().write(true).open(&db).unwrap();
    file.write_all_at(&vec![0xa5; usize::try_from(len).unwrap()], 0).unwrap();
    drop(file);
    fs::remove_dir_all(business.database().join("snap")).ok();
    for entry in fs::read_dir(business.database()).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap().to_string_lossy().starts_with("snap.") {
            fs::write(path, b"nonsense").unwrap();
        }
    }
    let (store, opened) = open(&business);
    let aside = opened.moved_aside.unwrap();
    assert!(aside.to.ends_with("sled.damaged-1") && aside.to.exists());
    assert!(matches!(aside.why, Why::Unusable(_)));
    assert_eq!(opened.applied, Head::EMPTY);
    catch_up(&business, &store, 20);
    assert_eq!(checked(&business, &store).different, 0);
}

#[test]
fn whatever_a_flipped_byte_does_the_documents_are_right_in_the_end() {
    let business = filled();
    let db = fs::read(business.database().join("db")).unwrap();
    let before = fs::read_dir(business.folder.path()).unwrap().count();
    let used = db.iter().rposition(|byte| *byte != 0).unwrap();
    for round in 0..12 {
        let mut bytes = db.clone();
        bytes[used * round / 12] ^= 0x10;
        fs::write(business.database().join("db"), &bytes).unwrap();
        let (store, _) = open(&business);
        let reader = store.reader(business.sealer.clone());
        let caught_up = applier(&business, &store, 20).catch_up(|| false);
        let report = check(&reader, business.reader().as_ref());
        // A byte may have hit nothing in use, or be noticed; it is never believed.
        let is_right = caught_up.is_ok() && report.is_ok_and(|report| report.different == 0);
        drop((store, reader));
        if !is_right {
            let log = business.reader();
            let random = StdRng::seed_from_u64(4);
            rebuild(&business.database(), CACHE, &log, &business.sealer, random, 50).unwrap();
        }
        let (store, _) = open(&business);
        assert_eq!(checked(&business, &store).different, 0, "round {round}");
        drop(store);
    }
    assert!(fs::read_dir(business.folder.path()).unwrap().count() >= before);
}

#[test]
fn a_database_of_another_ledger_or_ahead_of_this_one_is_not_believed() {
    let business = filled();
    let mut other = Business::new();
    other.run((0..300).map(|person| opt_in(person, &["news"], None)).collect());
    let opened = Store::open(&business.database(), CACHE, other.reader().as_ref()).unwrap().1;
    let why = opened.moved_aside.unwrap().why;
    assert!(matches!(why, Why::Unusable(StoreError::OtherLedger)));

    let business = filled();
    let log = MemoryLog::new();
    let opened = Store::open(&business.database(), CACHE, log.reader().as_ref()).unwrap().1;
    let why = opened.moved_aside.unwrap().why;
    assert!(matches!(why, Why::Unusable(StoreError::OtherLedger)));
    assert_eq!(opened.applied, Head::EMPTY);
}

#[test]
fn a_second_one_is_refused_and_the_first_is_not_moved() {
    let business = filled();
    let (store, _) = open(&business);
    let second = Store::open(&business.database(), CACHE, business.reader().as_ref());
    assert!(matches!(second, Err(StoreError::Locked)));
    assert_eq!(checked(&business, &store).different, 0);
}

#[test]
fn a_rebuilt_database_is_the_same_and_replaces_the_old_one() {
    let mut business = filled();
    business.run(vec![opt_out(7, None, None)]);
    let log = business.reader();
    let random = StdRng::seed_from_u64(4);
    let reached = rebuild(&business.database(), CACHE, &log, &business.sealer, random, 50).unwrap();
    assert_eq!(reached, log.head());
    let (store, opened) = open(&business);
    assert_eq!(opened.applied, log.head());
    assert_eq!(checked(&business, &store).different, 0);
    let names = fs::read_dir(business.folder.path()).unwrap();
    let names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "the vault and the database: {names:?}");
}

#[test]
fn a_crash_between_the_renames_of_a_rebuild_leaves_a_database() {
    let business = filled();
    let (path, folder) = (business.database(), business.folder.path());
    fs::rename(&path, folder.join("sled.old")).unwrap();
    fs::create_dir(folder.join("sled.new")).unwrap();
    let (store, opened) = open(&business);
    assert_eq!(opened.applied, business.reader().head());
    assert_eq!(checked(&business, &store).different, 0);
    assert!(!folder.join("sled.new").exists() && !folder.join("sled.old").exists());
}

#[test]
fn a_check_names_the_contact_whose_document_is_not_what_the_ledger_says() {
    let mut business = filled();
    let (store, _) = open(&business);
    assert_eq!(checked(&business, &store), CheckReport { compared: 200, ..CheckReport::default() });
    drop(store);
    let db = business.bare_database();
    let key = [b"p".as_slice(), &0_u32.to_be_bytes()].concat();
    let earlier = db.get([b"p".as_slice(), &1_u32.to_be_bytes()].concat()).unwrap().unwrap();
    db.insert(key, earlier).unwrap();
    drop(db);
    let (store, _) = open(&business);
    let report = checked(&business, &store);
    assert_eq!(report.different, 16);
    assert_eq!(report.listed[0], (Subject(1), Difference::Unreadable));
    business.run(vec![opt_in(0, &["news"], None)]);
    assert!(matches!(applier(&business, &store, 5).step(), Err(StoreError::Sealed { .. })));
}

#[test]
fn the_thread_follows_tells_and_ends_and_a_failure_is_marked_for_the_next_start() {
    let mut business = Business::new();
    let (store, _) = open(&business);
    let lag = store.lag(business.reader().as_ref());
    assert_eq!(lag.entries(), 4);
    let following = applier(&business, &store, 16).spawn().unwrap();
    let reader = store.reader(business.sealer.clone());
    let waiting = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    for round in 0..20 {
        business.run((0..10).map(|n| opt_in(round * 10 + n, &["orders"], None)).collect());
        let last = Seq(business.reader().head().next.0 - 1);
        waiting.block_on(reader.wait_for(last, Duration::from_mins(1))).unwrap();
        assert_eq!(lag.entries(), 0);
        let subject = business.subject(round * 10 + 9).unwrap();
        assert!(reader.document(subject).unwrap().is_some());
    }
    following.stop();
    business.run(vec![opt_in(1, &["news"], None)]);
    assert_eq!(lag.entries(), 1);
    let wait = reader.wait_for(Seq(business.reader().head().next.0 - 1), Duration::ZERO);
    assert!(waiting.block_on(wait).is_err());
    drop((store, reader));

    let db = business.bare_database();
    db.insert([b"p".as_slice(), &0_u32.to_be_bytes()].concat(), b"nonsense".as_slice()).unwrap();
    drop(db);
    let (store, _) = open(&business);
    let reader = store.reader(business.sealer.clone());
    let following = applier(&business, &store, 16).spawn().unwrap();
    let last = Seq(business.reader().head().next.0 - 1);
    let wait = waiting.block_on(reader.wait_for(last, Duration::from_mins(1)));
    assert_eq!(wait, Err(izin::store::WaitError::Failed));
    assert!(store.progress().is_failed);
    following.stop();
    drop((store, reader));
    let (store, opened) = open(&business);
    assert!(matches!(opened.moved_aside.unwrap().why, Why::FailedBefore));
    catch_up(&business, &store, 16);
    assert_eq!(checked(&business, &store).different, 0);
    assert!(open_again_is_clean(&business, store));
}

fn open_again_is_clean(business: &Business, store: Store) -> bool {
    drop(store);
    open(business).1.moved_aside.is_none()
}

#[test]
fn an_unknown_contact_and_the_service_itself_have_no_document() {
    let business = filled();
    let (store, _) = open(&business);
    let reader = store.reader(business.sealer.clone());
    for subject in [Subject::SYSTEM, Subject(100_000), Subject(u32::MAX)] {
        assert!(reader.document(subject).unwrap().is_none());
        assert!(reader.history_seqs(subject, None, 10).unwrap().is_empty());
    }
}
