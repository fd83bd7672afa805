//! What the journal costs, beside what the disk itself costs: run it on the disk that matters.
//!
//! `append` writes groups of entries; `bare` writes as many bytes to a file and syncs it, ahead of
//! whose end zeroes were written or not. `seal`, `scan` and `vault` are what an entry costs the
//! processor on its way in, at start-up, and to find its key.

#![expect(clippy::unwrap_used, reason = "a benchmark that fails should stop")]

use std::{cell::RefCell, fs::File, hint::black_box, os::unix::fs::FileExt};

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use izin::{
    domain::{
        entry::{Seq, Subject},
        time::Timestamp,
    },
    ledger::{
        entry::{Class, Head, Header, StoredEntry},
        journal::{Folder, Options, open},
        log::EventLog,
        seal::{Dek, MaskKey, open_opening, seal_opening, subject_of},
        vault::{Kek, Vault},
    },
};
use rand::{SeedableRng, rngs::StdRng};

const OPENING_LEN: usize = 300;
const GROUPS: [usize; 4] = [1, 16, 128, 1_024];

fn group(mut head: Head, len: usize) -> Vec<StoredEntry> {
    let make = |_| {
        let header = Header {
            seq: head.next,
            at: Timestamp::from_unix_ms(0),
            class: Class::Entry,
            commitment: [7; 32],
            previous: head.hash,
        };
        head = head.extend(&header).unwrap();
        StoredEntry { header, opening: vec![0x5A; OPENING_LEN] }
    };
    (0..len).map(make).collect()
}

fn append(c: &mut Criterion) {
    let mut group_of = c.benchmark_group("append");
    for len in GROUPS {
        let folder = tempfile::tempdir().unwrap();
        let disk = Folder::open(folder.path().join("journal")).unwrap();
        let log = open(disk, Options::default(), &mut |_| Ok(())).unwrap().journal;
        let log = RefCell::new(log);
        group_of.throughput(Throughput::Elements(u64::try_from(len).unwrap()));
        group_of.bench_function(format!("{len}"), |bencher| {
            let next = || {
                let head = log.borrow().reader().head();
                (head, group(head, len))
            };
            let append = |(head, entries): (Head, Vec<_>)| log.borrow_mut().append(head, &entries);
            bencher.iter_batched(next, append, BatchSize::PerIteration);
        });
    }
    group_of.finish();
}

fn bare(c: &mut Criterion) {
    let mut group_of = c.benchmark_group("bare");
    for ahead in [0, 1024 * 1024, 4 * 1024 * 1024, 8 * 1024 * 1024] {
        for len in GROUPS {
            let folder = tempfile::tempdir().unwrap();
            let file = File::create(folder.path().join("file")).unwrap();
            let bytes = vec![0x5A; 36 + len * (85 + OPENING_LEN)];
            let (mut end, mut written) = (0_u64, 0_u64);
            group_of.throughput(Throughput::Elements(u64::try_from(len).unwrap()));
            group_of.bench_function(format!("{} KiB ahead/{len}", ahead / 1024), |bencher| {
                bencher.iter(|| {
                    let next = end + u64::try_from(bytes.len()).unwrap();
                    if ahead > 0 && next > written {
                        let until = next.div_ceil(ahead) * ahead;
                        let zeroes = vec![0; usize::try_from(until - written).unwrap()];
                        file.write_all_at(&zeroes, written).unwrap();
                        written = until;
                    }
                    file.write_all_at(&bytes, end).unwrap();
                    file.sync_data().unwrap();
                    end = next;
                });
            });
        }
    }
    group_of.finish();
}

fn seal(c: &mut Criterion) {
    let mut random = StdRng::seed_from_u64(1);
    let (mask, dek) = (MaskKey::from_bytes([1; 32]), Dek::generate(&mut random));
    let payload = [0x5A; 200];
    let mut group_of = c.benchmark_group("seal");
    group_of.throughput(Throughput::Elements(1));
    group_of.bench_function("one entry", |bencher| {
        bencher.iter(|| {
            let salt = &[2; 32];
            let sealed =
                seal_opening(&mask, &dek, Subject(9), Seq(4), salt, &payload, &mut random).unwrap();
            let (opening, commitment) = sealed;
            let previous = Head::EMPTY.hash;
            let at = Timestamp::from_unix_ms(0);
            let header = Header { seq: Seq(4), at, class: Class::Entry, commitment, previous };
            (header.entry_hash(), opening)
        });
    });
    let (opening, commitment) =
        seal_opening(&mask, &dek, Subject(9), Seq(0), &[2; 32], &payload, &mut random).unwrap();
    let mut entry = group(Head::EMPTY, 1).remove(0);
    (entry.header.commitment, entry.opening) = (commitment, opening);
    group_of.bench_function("open one entry", |bencher| {
        bencher.iter(|| (subject_of(&mask, &entry).unwrap(), open_opening(&dek, &entry).unwrap()));
    });
    group_of.finish();
}

fn scan(c: &mut Criterion) {
    let mut group_of = c.benchmark_group("scan");
    group_of.sample_size(10);
    for len in [1, 128] {
        const ENTRIES: usize = 102_400;
        let folder = tempfile::tempdir().unwrap();
        let disk = Folder::open(folder.path().join("journal")).unwrap();
        let mut log = open(disk.clone(), Options::default(), &mut |_| Ok(())).unwrap().journal;
        for _ in 0..ENTRIES / len {
            let head = log.reader().head();
            log.append(head, &group(head, len)).unwrap();
        }
        log.close().unwrap();
        group_of.throughput(Throughput::Elements(u64::try_from(ENTRIES).unwrap()));
        group_of.bench_function(format!("open, groups of {len}"), |bencher| {
            bencher.iter(|| open(disk.clone(), Options::default(), &mut |_| Ok(())).unwrap());
        });
        let reader = log.reader();
        group_of.bench_function(format!("read, groups of {len}"), |bencher| {
            bencher.iter(|| {
                reader.read(Seq(0)).map(|entry| entry.unwrap().opening.len()).sum::<usize>()
            });
        });
        group_of.throughput(Throughput::Elements(1));
        let mut at = 1;
        group_of.bench_function(format!("one entry, groups of {len}"), |bencher| {
            bencher.iter(|| {
                at = (at * 48_271) % 102_399;
                reader.entry(Seq(at)).unwrap()
            });
        });
    }
    group_of.finish();
}

fn vault(c: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let mut random = StdRng::seed_from_u64(1);
    let path = folder.path().join("vault");
    let vault = Vault::open(&path, Kek::from_bytes(&[1; 32]), &mut random).unwrap();
    vault.settle(Subject::SYSTEM, &mut random).unwrap();
    let mut group_of = c.benchmark_group("vault");
    group_of.throughput(Throughput::Elements(1));
    group_of.bench_function("one key", |bencher| {
        bencher.iter(|| vault.dek(black_box(Subject(1_234))).unwrap());
    });
    group_of.throughput(Throughput::Elements(4_096));
    group_of.bench_function("load", |bencher| bencher.iter(|| vault.load(Subject(4_095)).unwrap()));
    let mut used = 0;
    group_of.sample_size(10);
    group_of.bench_function("make a reserve", |bencher| {
        bencher.iter(|| {
            used += 4_096;
            vault.ensure(Subject(used), &mut random).unwrap();
        });
    });
    group_of.finish();
}

criterion_group!(benches, append, bare, seal, scan, vault);
criterion_main!(benches);
