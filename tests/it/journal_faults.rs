//! Every operation of the disk fails once, every way: nothing acknowledged is ever lost, and
//! nothing is acknowledged after a failure.

use izin::ledger::{
    entry::{Head, StoredEntry},
    journal::{Cut, OpenError, open},
    log::{AppendError, EventLog},
};

use crate::{
    fault_disk::{Effect, Fault, FaultDisk, Lasts, Survives},
    log_conformance::SMALL,
    sample::group,
};

/// Lengths of groups that fill several small segments.
const GROUPS: [u64; 12] = [1, 3, 2, 1, 8, 1, 1, 5, 2, 20, 1, 4];

/// What a run of the journal left behind.
#[derive(Debug, Default)]
struct Run {
    /// Entries that were acknowledged.
    acknowledged: usize,
    /// Entries that were given to the log, acknowledged or not.
    submitted: Vec<StoredEntry>,
    /// Whether it got as far as an orderly end.
    has_closed: bool,
}

/// Opens the journal, appends groups until something fails, and closes it.
fn run(disk: &FaultDisk) -> Run {
    let mut run = Run::default();
    let Ok(found) = open(disk.clone(), SMALL, &mut |_| Ok(())) else { return run };
    let mut log = found.journal;
    let mut head = Head::EMPTY;
    for len in GROUPS {
        let entries = group(head, len);
        run.submitted.extend(entries.clone());
        match log.append(head, &entries) {
            Ok(next) => {
                head = next;
                run.acknowledged = run.submitted.len();
            }
            Err(error) => {
                assert!(matches!(error, AppendError::Storage(_) | AppendError::Closed));
                let again = log.append(head, &entries);
                assert!(matches!(again, Err(AppendError::Closed)), "{again:?}");
                return run;
            }
        }
    }
    run.has_closed = log.close().is_ok();
    run
}

/// Opens a journal and returns its entries.
fn entries(disk: &FaultDisk) -> Result<(Vec<StoredEntry>, Option<Cut>), OpenError> {
    let mut seen = Vec::new();
    let found = open(disk.clone(), SMALL, &mut |entry| {
        seen.push(entry.clone());
        Ok(())
    })?;
    Ok((seen, found.cut))
}

/// Holds a disk against what was promised on it, and returns how many entries it has.
fn check(disk: &FaultDisk, run: &Run, what: &str) -> usize {
    let (seen, cut) = entries(disk).unwrap_or_else(|error| panic!("{what}: {error:?}"));
    assert!(seen.len() >= run.acknowledged, "{what}: {} of {}", seen.len(), run.acknowledged);
    assert_eq!(seen, run.submitted.get(..seen.len()).unwrap(), "{what}");
    assert!(!matches!(cut, Some(Cut::Damaged { .. })), "{what}");
    seen.len()
}

/// Appends to what is there and holds that against what is found then.
fn check_it_goes_on(disk: &FaultDisk, what: &str) {
    let mut log = open(disk.clone(), SMALL, &mut |_| Ok(())).unwrap().journal;
    let head = log.reader().head();
    let added = group(head, 2);
    log.append(head, &added).unwrap();
    drop(log);
    let strict = disk.after_power_cut(Survives::Nothing);
    let (seen, cut) = entries(&strict).unwrap_or_else(|error| panic!("{what}: {error:?}"));
    assert_eq!(seen.get(seen.len() - 2..), Some(&added[..]), "{what}");
    assert_eq!(cut, None, "{what}");
}

/// Returns how many operations a run without faults takes.
fn operations() -> u64 {
    let disk = FaultDisk::default();
    let all = run(&disk);
    assert_eq!(all.acknowledged, all.submitted.len());
    assert!(all.has_closed);
    assert!(disk.files().len() > 4, "several segments and an anchor");
    disk.operations()
}

fn survivals(at: u64) -> impl Iterator<Item = Survives> {
    let chance = (0..6).map(move |turn| {
        let len = if turn % 2 == 0 { 512 } else { 16 };
        Survives::Pieces { len, seed: at * 6 + turn }
    });
    [Survives::Nothing, Survives::Everything].into_iter().chain(chance)
}

#[test]
fn a_fault_at_the_very_end_fails_the_closing_and_nothing_else() {
    let disk = FaultDisk::default();
    let at = operations();
    disk.set_fault(Some(Fault { at, lasts: Lasts::Forever, effect: Effect::PowerCut }));
    let run = run(&disk);
    assert_eq!(run.acknowledged, run.submitted.len());
    assert!(!run.has_closed);
}

#[test]
fn a_power_cut_at_any_operation_loses_nothing_acknowledged() {
    for at in 1..=operations() {
        let disk = FaultDisk::default();
        disk.set_fault(Some(Fault { at, lasts: Lasts::Forever, effect: Effect::PowerCut }));
        let run = run(&disk);
        for survives in survivals(at) {
            let what = format!("cut at {at}, {survives:?}");
            let survivor = disk.after_power_cut(survives);
            check(&survivor, &run, &what);
            check_it_goes_on(&survivor, &what);
        }
    }
}

#[test]
fn a_second_power_cut_while_opening_loses_nothing_either() {
    for at in 1..=operations() {
        let disk = FaultDisk::default();
        disk.set_fault(Some(Fault { at, lasts: Lasts::Forever, effect: Effect::PowerCut }));
        let run = run(&disk);
        let first = disk.after_power_cut(Survives::Pieces { len: 16, seed: at });
        let mut again = 0;
        loop {
            again += 1;
            let second = FaultDisk::with_files(&first.files());
            second.set_fault(Some(Fault {
                at: again,
                lasts: Lasts::Forever,
                effect: Effect::PowerCut,
            }));
            let is_cut = entries(&second).is_err();
            for survives in [Survives::Nothing, Survives::Pieces { len: 16, seed: again }] {
                let what = format!("cut at {at} and, opening, at {again}, {survives:?}");
                check(&second.after_power_cut(survives), &run, &what);
            }
            if !is_cut {
                break;
            }
        }
    }
}

#[test]
fn a_kill_and_then_a_power_cut_lose_nothing_that_was_shown_in_between() {
    for at in 1..=operations() {
        let disk = FaultDisk::default();
        disk.set_fault(Some(Fault { at, lasts: Lasts::Forever, effect: Effect::PowerCut }));
        let mut run = run(&disk);
        // The process is gone, the kernel is not: all that was written is seen.
        disk.set_fault(None);
        run.acknowledged = check(&disk, &run, &format!("killed at {at}"));
        for survives in survivals(at) {
            check(&disk.after_power_cut(survives), &run, &format!("killed at {at}, {survives:?}"));
        }
    }
}

#[test]
fn a_fault_at_any_operation_loses_nothing_acknowledged_and_ends_the_acknowledging() {
    for effect in [Effect::Lost, Effect::Landed] {
        for lasts in [Lasts::Once, Lasts::Forever] {
            for at in 1..=operations() {
                let what = format!("{effect:?} {lasts:?} at {at}");
                let disk = FaultDisk::default();
                disk.set_fault(Some(Fault { at, lasts, effect }));
                let mut run = run(&disk);
                disk.set_fault(None);
                run.acknowledged = check(&disk, &run, &what);
                // What was shown after the restart is as good as acknowledged.
                let cut = disk.after_power_cut(Survives::Nothing);
                check(&cut, &run, &what);
                check_it_goes_on(&disk, &what);
            }
        }
    }
}

#[test]
fn a_fault_while_opening_is_told_and_leaves_a_journal_that_opens() {
    let disk = FaultDisk::default();
    let all = run(&disk);
    let torn = {
        let mut files = disk.files();
        let last = files.keys().rfind(|name| *name != "anchor").unwrap().clone();
        let bytes = files.get_mut(&last).unwrap();
        let end = bytes.iter().rposition(|byte| *byte != 0).unwrap();
        // Half a frame behind the last whole one.
        let head = bytes[..40].to_vec();
        bytes.splice(end + 1.., head);
        files
    };
    for effect in [Effect::Lost, Effect::Landed] {
        for lasts in [Lasts::Once, Lasts::Forever] {
            for at in 1.. {
                let disk = FaultDisk::with_files(&torn);
                disk.set_fault(Some(Fault { at, lasts, effect }));
                let opened = entries(&disk);
                let is_over = disk.operations() < at;
                assert!(is_over == opened.is_ok(), "{effect:?} {lasts:?} at {at}");
                disk.set_fault(None);
                let count = check(&disk, &all, "after a fault while opening");
                assert_eq!(count, all.submitted.len());
                if is_over {
                    break;
                }
            }
        }
    }
}
