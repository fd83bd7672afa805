//! Whatever changes in a journal's files is noticed when it is opened.

use std::collections::BTreeMap;

use izin::ledger::{
    entry::{Head, StoredEntry},
    journal::{Cut, OpenError, Options, open, verify},
    log::EventLog,
};

use crate::{
    fault_disk::FaultDisk,
    log_conformance::SMALL,
    sample::{entry, group},
};

type Files = BTreeMap<String, Vec<u8>>;

const RECOVERING: Options = Options { recovers_to_verified_prefix: true, ..SMALL };

/// A journal of three segments, and the same one before its last group was anchored.
struct Sample {
    files: Files,
    unanchored: Files,
    entries: Vec<StoredEntry>,
    last_group: usize,
}

/// What opening found.
#[derive(Debug)]
struct Opened {
    entries: Vec<StoredEntry>,
    cut: Option<Cut>,
    is_anchor_torn: bool,
    epoch: u64,
}

fn sample() -> Sample {
    let disk = FaultDisk::default();
    let mut log = open(disk.clone(), SMALL, &mut |_| Ok(())).unwrap().journal;
    let (mut head, mut entries, mut anchor) = (Head::EMPTY, Vec::new(), Vec::new());
    let mut last_group = 0;
    for len in [2, 6, 5, 6, 4, 2, 3] {
        anchor.clone_from(&disk.files()["anchor"]);
        let group = group(head, len);
        head = log.append(head, &group).unwrap();
        last_group = group.len();
        entries.extend(group);
    }
    log.close().unwrap();
    let files = disk.files();
    assert_eq!(segments(&files).len(), 3);
    let mut unanchored = files.clone();
    unanchored.insert("anchor".into(), anchor);
    Sample { files, unanchored, entries, last_group }
}

fn segments(files: &Files) -> Vec<String> {
    files.keys().filter(|name| has_ending(name, ".seg")).cloned().collect()
}

fn has_ending(name: &str, ending: &str) -> bool {
    name.strip_suffix(ending).is_some()
}

fn try_open(files: &Files, options: Options) -> (FaultDisk, Result<Opened, OpenError>) {
    let disk = FaultDisk::with_files(files);
    let mut entries = Vec::new();
    let found = open(disk.clone(), options, &mut |entry: &StoredEntry| {
        entries.push(entry.clone());
        Ok(())
    });
    let opened = found.map(|found| Opened {
        entries,
        cut: found.cut,
        is_anchor_torn: found.is_anchor_torn,
        epoch: found.journal.epoch(),
    });
    (disk, opened)
}

fn opens(files: &Files) -> Result<Opened, OpenError> {
    let (disk, opened) = try_open(files, SMALL);
    if opened.is_err() {
        assert_eq!(disk.files(), *files, "a refusal changes nothing");
    }
    opened
}

/// Where each frame of a segment starts and ends.
fn frames(segment: &[u8]) -> Vec<std::ops::Range<usize>> {
    let mut frames = Vec::new();
    let mut start = 0;
    while segment.get(start..start + 4) == Some(b"IZF1") {
        let len = u32::from_be_bytes(*segment[start + 28..].first_chunk().unwrap());
        let end = start + 36 + usize::try_from(len).unwrap();
        frames.push(start..end);
        start = end;
    }
    frames
}

/// Makes a frame's checksum right again after a change.
fn reseal(frame: &mut [u8]) {
    let crc = crc32c::crc32c_append(crc32c::crc32c(&frame[..32]), &frame[36..]);
    frame[32..36].copy_from_slice(&crc.to_be_bytes());
}

#[test]
fn the_sample_is_whole_and_verifying_it_changes_nothing() {
    let sample = sample();
    for files in [&sample.files, &sample.unanchored] {
        let opened = opens(files).unwrap();
        assert_eq!(opened.entries, sample.entries);
        assert_eq!((opened.cut, opened.is_anchor_torn, opened.epoch), (None, false, 0));
        let disk = FaultDisk::with_files(files);
        let mut count = 0;
        let verified = verify(&disk, &mut |_| {
            count += 1;
            Ok(())
        });
        assert_eq!(count, sample.entries.len());
        assert_eq!(usize::try_from(verified.unwrap().head.next.0).unwrap(), count);
        assert_eq!((disk.files(), disk.writes_and_syncs()), (files.clone(), (0, 0)));
    }
}

#[test]
fn a_flipped_bit_in_any_byte_is_noticed_and_no_anchored_entry_is_lost() {
    let sample = sample();
    for (name, bytes) in &sample.files {
        // One bit of every byte, another one each time: all places, an eighth of the time.
        for bit in (0..bytes.len()).map(|byte| byte * 8 + byte % 8) {
            let mut files = sample.files.clone();
            files.get_mut(name).unwrap()[bit / 8] ^= 1 << (bit % 8);
            match opens(&files) {
                Err(OpenError::Storage(_) | OpenError::Visit { .. }) => panic!("{name}, bit {bit}"),
                Err(_) => {}
                Ok(opened) => {
                    assert_eq!(opened.entries, sample.entries, "{name}, bit {bit}");
                    let is_noticed = opened.cut.is_some() || opened.is_anchor_torn;
                    assert!(is_noticed, "{name}, bit {bit}");
                }
            }
        }
    }
}

#[test]
fn a_flipped_bit_behind_the_anchor_is_cut_and_before_it_refused() {
    let sample = sample();
    let name = segments(&sample.files).pop().unwrap();
    let kept = sample.entries.len() - sample.last_group;
    let frames = frames(&sample.files[&name]);
    let (last, before) = frames.split_last().unwrap();
    for bit in (0..last.end).map(|byte| byte * 8 + byte % 8) {
        let mut files = sample.unanchored.clone();
        files.get_mut(&name).unwrap()[bit / 8] ^= 1 << (bit % 8);
        match opens(&files) {
            Ok(opened) => {
                assert!(bit / 8 >= last.start, "bit {bit}");
                assert_eq!(opened.entries, sample.entries[..kept], "bit {bit}");
                assert!(matches!(opened.cut, Some(Cut::Unacknowledged { .. })), "bit {bit}");
            }
            Err(OpenError::Damaged { file, offset, .. }) => {
                let offset = usize::try_from(offset).unwrap();
                let hit = before.iter().find(|frame| frame.contains(&(bit / 8))).unwrap();
                assert_eq!((&file, offset), (&name, hit.start), "bit {bit}");
            }
            Err(error) => panic!("bit {bit}: {error:?}"),
        }
    }
}

#[test]
fn damage_that_whole_frames_follow_is_refused_however_far_behind_the_anchor_is() {
    let sample = sample();
    let new = FaultDisk::default();
    open(new.clone(), SMALL, &mut |_| Ok(())).unwrap();
    let mut stale = sample.files.clone();
    stale.insert("anchor".into(), new.files()["anchor"].clone());
    let name = segments(&stale).pop().unwrap();
    let frames = frames(&stale[&name]);
    let (last, before) = frames.split_last().unwrap();
    assert!(!before.is_empty());
    for at in 0..last.start {
        let mut files = stale.clone();
        files.get_mut(&name).unwrap()[at] ^= 0x08;
        let start = before.iter().find(|frame| frame.contains(&at)).unwrap().start;
        match opens(&files) {
            Err(OpenError::Damaged { offset, .. }) => {
                assert_eq!(usize::try_from(offset).unwrap(), start, "byte {at}");
            }
            other => panic!("byte {at}: {other:?}"),
        }
    }
}

#[test]
fn a_file_cut_short_anywhere_is_noticed() {
    let sample = sample();
    for (name, bytes) in &sample.files {
        let needed = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
        for len in 0..bytes.len() {
            let mut files = sample.files.clone();
            files.get_mut(name).unwrap().truncate(len);
            match opens(&files) {
                Ok(opened) => {
                    assert_eq!(opened.entries, sample.entries, "{name} at {len}");
                    let is_noticed = opened.cut.is_some() || opened.is_anchor_torn;
                    assert!(is_noticed || len >= needed, "{name} at {len}");
                }
                Err(OpenError::Storage(_) | OpenError::Visit { .. }) => panic!("{name} at {len}"),
                Err(_) => assert!(len < needed || name == "anchor", "{name} at {len}"),
            }
        }
    }
}

#[test]
fn a_zeroed_range_is_noticed_wherever_it_is() {
    let sample = sample();
    for name in segments(&sample.files) {
        let end = frames(&sample.files[&name]).last().unwrap().end;
        for start in (0..end).step_by(13) {
            for len in [1, 36, 400, 5_000] {
                let mut files = sample.files.clone();
                let bytes = files.get_mut(&name).unwrap();
                let stop = bytes.len().min(start + len);
                if bytes[start..stop].iter().all(|byte| *byte == 0) {
                    continue;
                }
                bytes[start..stop].fill(0);
                assert!(opens(&files).is_err(), "{name}, {len} from {start}");
            }
        }
    }
}

/// Rebuilds a segment from some of its frames.
fn rebuilt(segment: &[u8], order: &[usize]) -> Vec<u8> {
    let frames = frames(segment);
    let mut bytes: Vec<u8> =
        order.iter().flat_map(|place| segment[frames[*place].clone()].to_vec()).collect();
    bytes.resize(segment.len().max(bytes.len()), 0);
    bytes
}

#[test]
fn frames_swapped_dropped_or_repeated_are_refused() {
    let sample = sample();
    let names = segments(&sample.files);
    let mut tried = 0;
    for files in [&sample.files, &sample.unanchored] {
        for name in &names {
            let count = frames(&files[name]).len();
            let whole: Vec<_> = (0..count).collect();
            for place in 0..count {
                let mut orders = Vec::new();
                let mut repeated = whole.clone();
                repeated.insert(place, place);
                orders.push(repeated);
                // Dropping the last group of all before it is anchored leaves a journal that
                // never had it.
                let is_last = Some(name) == names.last() && place + 1 == count;
                if !is_last || files == &sample.files {
                    let mut dropped = whole.clone();
                    dropped.remove(place);
                    orders.push(dropped);
                }
                if place > 0 {
                    let mut swapped = whole.clone();
                    swapped.swap(place - 1, place);
                    orders.push(swapped);
                }
                for order in orders {
                    let mut other = files.clone();
                    other.insert(name.clone(), rebuilt(&files[name], &order));
                    assert!(opens(&other).is_err(), "{name}: {order:?}");
                    tried += 1;
                }
            }
        }
    }
    assert!(tried > 30);
}

#[test]
fn a_missing_swapped_or_repeated_segment_is_refused() {
    let sample = sample();
    let names = segments(&sample.files);
    for name in &names {
        let mut files = sample.files.clone();
        let bytes = files.remove(name).unwrap();
        let refused = opens(&files);
        let is_told = matches!(
            refused,
            Err(OpenError::MissingSegment { .. } | OpenError::MissingTail { .. })
        );
        assert!(is_told, "{name}: {refused:?}");
        files.insert("00000000000000000099.seg".into(), bytes);
        assert!(opens(&files).is_err(), "{name}");
    }
    let mut files = sample.files.clone();
    let (first, second) = (files[&names[0]].clone(), files[&names[1]].clone());
    files.insert(names[0].clone(), second);
    files.insert(names[1].clone(), first);
    assert!(matches!(opens(&files), Err(OpenError::Damaged { offset: 0, seq: 0, .. })));
}

#[test]
fn an_entry_changed_with_its_checksum_made_right_breaks_the_chain() {
    let sample = sample();
    let name = &segments(&sample.files)[0];
    let frame = frames(&sample.files[name])[1].clone();
    for at in [0, 8, 16, 17, 49] {
        let mut files = sample.files.clone();
        let bytes = &mut files.get_mut(name).unwrap()[frame.clone()];
        bytes[36 + at] ^= 1;
        reseal(bytes);
        let refused = opens(&files);
        assert!(matches!(refused, Err(OpenError::Damaged { .. })), "byte {at}: {refused:?}");
    }
}

#[test]
fn a_history_written_anew_is_not_the_one_that_is_anchored() {
    let sample = sample();
    let disk = FaultDisk::default();
    let mut log = open(disk.clone(), SMALL, &mut |_| Ok(())).unwrap().journal;
    let mut head = Head::EMPTY;
    for _ in 0..sample.entries.len() + 4 {
        head = log.append(head, &[entry(head, b"another history")]).unwrap();
    }
    let mut files = disk.files();
    files.insert("anchor".into(), sample.files["anchor"].clone());
    let seq = u64::try_from(sample.entries.len()).unwrap() - 1;
    assert!(matches!(opens(&files), Err(OpenError::HeadMismatch { seq: s }) if s == seq));
    let (_, recovering) = try_open(&files, RECOVERING);
    assert!(matches!(recovering, Err(OpenError::HeadMismatch { .. })), "recovery does not help");
}

#[test]
fn the_anchor_is_needed_and_cannot_be_another_file() {
    let sample = sample();
    let mut files = sample.files.clone();
    files.remove("anchor");
    assert!(matches!(opens(&files), Err(OpenError::MissingAnchor)));
    files.insert("anchor".into(), b"[ship]\nname = \"Mayflower\"\n".to_vec());
    assert!(matches!(opens(&files), Err(OpenError::NotALedger)));
    let mut damaged = sample.files["anchor"].clone();
    damaged[20] ^= 1;
    damaged[532] ^= 1;
    files.insert("anchor".into(), damaged);
    assert!(matches!(opens(&files), Err(OpenError::Damaged { .. })));
    let only = BTreeMap::from([("anchor".to_owned(), sample.files["anchor"].clone())]);
    assert!(matches!(opens(&only), Err(OpenError::MissingTail { found: 0, anchored: 28 })));
}

#[test]
fn a_newer_format_is_named_and_never_cut_or_recovered() {
    let sample = sample();
    for name in segments(&sample.files) {
        for frame in frames(&sample.files[&name]) {
            let mut files = sample.unanchored.clone();
            let bytes = &mut files.get_mut(&name).unwrap()[frame.clone()];
            bytes[5] = 2;
            reseal(bytes);
            for options in [SMALL, RECOVERING] {
                let (disk, refused) = try_open(&files, options);
                let newer =
                    matches!(refused, Err(OpenError::NewerFormat { found: 2, supported: 1, .. }));
                assert!(newer, "{name} {frame:?}");
                assert_eq!(disk.files(), files);
            }
        }
    }
}

#[test]
fn a_flipped_bit_in_a_format_is_damage_with_a_place_and_recovery_cuts_there() {
    let sample = sample();
    let mut kept = 0;
    for name in segments(&sample.files) {
        for frame in frames(&sample.files[&name]) {
            let count =
                u32::from_be_bytes(*sample.files[&name][frame.start + 24..].first_chunk().unwrap());
            for (byte, bit) in [(4, 0x80), (5, 0x02)] {
                let mut files = sample.files.clone();
                files.get_mut(&name).unwrap()[frame.start + byte] ^= bit;
                let (at, first) = (frame.start.try_into().unwrap(), kept.try_into().unwrap());
                let refused = opens(&files);
                let is_placed = matches!(
                    &refused,
                    Err(OpenError::Damaged { file, offset, seq })
                        if *file == name && (*offset, *seq) == (at, first)
                );
                assert!(is_placed, "{name} {frame:?}: {refused:?}");
                let (disk, recovered) = try_open(&files, RECOVERING);
                let recovered = recovered.unwrap();
                let lost = u64::try_from(sample.entries.len() - kept).unwrap();
                assert_eq!(recovered.cut, Some(Cut::Damaged { lost }), "{name} {frame:?}");
                assert_eq!(recovered.entries, sample.entries[..kept]);
                assert_eq!(opens(&disk.files()).unwrap().entries.len(), kept);
            }
            kept += usize::try_from(count).unwrap();
        }
    }
    assert_eq!(kept, sample.entries.len());
}

#[test]
fn recovery_keeps_the_verified_prefix_and_what_it_cuts_and_counts_the_loss() {
    let sample = sample();
    let total = sample.entries.len();
    for (name, bytes) in &sample.files {
        for at in (0..bytes.len()).step_by(29) {
            let mut files = sample.files.clone();
            files.get_mut(name).unwrap()[at] ^= 0xFF;
            let is_refused = opens(&files).is_err();
            let (disk, recovered) = try_open(&files, RECOVERING);
            let recovered = recovered.unwrap_or_else(|error| panic!("{name} at {at}: {error:?}"));
            let kept = recovered.entries.len();
            assert_eq!(recovered.entries, sample.entries[..kept], "{name} at {at}");
            assert_eq!(recovered.epoch, u64::from(is_refused), "{name} at {at}");
            if is_refused {
                let lost = u64::try_from(total - kept).unwrap();
                assert_eq!(recovered.cut, Some(Cut::Damaged { lost }), "{name} at {at}");
                assert!(disk.files().keys().any(|name| has_ending(name, ".cut")));
            }
            let again = opens(&disk.files()).unwrap();
            assert_eq!((again.entries.len(), again.cut), (kept, None), "{name} at {at}");
            assert_eq!(again.epoch, recovered.epoch);
        }
    }
}

#[test]
fn recovery_copes_with_missing_files_and_the_journal_goes_on_in_a_new_epoch() {
    let sample = sample();
    for name in sample.files.keys() {
        let mut files = sample.files.clone();
        files.remove(name);
        let (disk, recovered) = try_open(&files, RECOVERING);
        let recovered = recovered.unwrap();
        assert!(matches!(recovered.cut, Some(Cut::Damaged { .. })), "{name}");
        let mut log = open(disk.clone(), SMALL, &mut |_| Ok(())).unwrap().journal;
        let head = log.reader().head();
        log.append(head, &group(head, 9)).unwrap();
        drop(log);
        let again = opens(&disk.files()).unwrap();
        assert_eq!(again.entries.len(), recovered.entries.len() + 9, "{name}");
        assert_eq!(again.epoch, 1, "{name}");
    }
}

#[test]
fn frames_of_an_earlier_epoch_are_refused_behind_a_later_one() {
    let sample = sample();
    let mut files = sample.files.clone();
    let name = &segments(&files)[0];
    let frames = frames(&files[name]);
    let bytes = &mut files.get_mut(name).unwrap()[frames[0].clone()];
    bytes[15] = 7;
    reseal(bytes);
    let refused = opens(&files);
    let offset = u64::try_from(frames[1].start).unwrap();
    assert!(matches!(refused, Err(OpenError::Damaged { offset: at, .. }) if at == offset));
}

#[test]
fn nothing_at_all_is_no_ledger_to_verify_and_a_new_one_to_open() {
    let disk = FaultDisk::default();
    assert!(matches!(verify(&disk, &mut |_| Ok(())), Err(OpenError::NotALedger)));
    assert!(disk.files().is_empty());
    assert!(opens(&BTreeMap::new()).unwrap().entries.is_empty());
}
