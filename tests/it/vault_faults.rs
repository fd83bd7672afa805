//! The key vault on a failing disk: no key that was given is lost, none that was destroyed returns.

use std::num::NonZeroU32;

use izin::{
    domain::entry::Subject,
    ledger::{
        journal::{Disk, DiskFile},
        vault::{Kek, Vault, VaultError},
    },
};
use rand::{SeedableRng, rngs::StdRng};

use crate::fault_disk::{Effect, Fault, FaultDisk, FaultFile, Lasts, Survives};

/// Slots made ahead of need: not a whole number of sectors.
const RESERVE: u32 = 42;

/// A slot of the second reserve.
const LATE: u32 = RESERVE + 10;
const DESTROYED: [u32; 2] = [3, LATE];

/// What the vault has promised.
#[derive(Debug, Default)]
struct Promised {
    /// Slots whose key was given, and something that only this key opens.
    given: Vec<(u32, Vec<u8>)>,
    destroyed: Vec<u32>,
    /// What it was doing when it failed.
    destroying: Option<u32>,
}

fn kek() -> Kek {
    Kek::from_bytes(&[7; 32])
}

fn reserve() -> NonZeroU32 {
    NonZeroU32::new(RESERVE).unwrap()
}

fn new_vault() -> FaultDisk {
    let disk = FaultDisk::default();
    let file = disk.create("vault").unwrap();
    Vault::make(file, kek(), reserve(), &mut StdRng::seed_from_u64(1)).unwrap();
    disk.sync().unwrap();
    disk
}

fn open(disk: &FaultDisk) -> Result<Vault<FaultFile>, VaultError> {
    Vault::with_file(disk.open("vault")?, kek(), reserve())
}

/// Uses a vault until it fails.
fn run(disk: &FaultDisk) -> Promised {
    let mut promised = Promised::default();
    let mut random = StdRng::seed_from_u64(2);
    let Ok(vault) = open(disk) else { return promised };
    let give = |promised: &mut Promised, slot: u32| {
        let Ok(Some(dek)) = vault.dek(Subject(slot)) else { return false };
        let sealed = dek.seal(b"here", b"secret", &mut StdRng::seed_from_u64(3)).unwrap();
        promised.given.push((slot, sealed));
        true
    };
    for slot in [0, 3, 4, RESERVE - 1] {
        if !give(&mut promised, slot) {
            return promised;
        }
    }
    if vault.ensure(Subject(RESERVE), &mut random).is_err() {
        assert!(matches!(vault.dek(Subject(LATE)), Err(VaultError::Missing { .. })));
        return promised;
    }
    for slot in [RESERVE, LATE] {
        if !give(&mut promised, slot) {
            return promised;
        }
    }
    for slot in DESTROYED {
        promised.destroying = Some(slot);
        if vault.destroy(Subject(slot), &mut random).is_err() {
            return promised;
        }
        promised.destroying = None;
        promised.destroyed.push(slot);
    }
    promised
}

fn check(disk: &FaultDisk, promised: &Promised, what: &str) {
    let vault = open(disk).unwrap_or_else(|error| panic!("{what}: {error:?}"));
    let used = promised.given.iter().map(|(slot, _)| *slot).max().unwrap_or(0);
    vault.settle(Subject(used), &mut StdRng::seed_from_u64(4)).unwrap();
    for (slot, sealed) in &promised.given {
        let dek = vault.dek(Subject(*slot)).unwrap_or_else(|error| panic!("{what}: {error:?}"));
        let is_right = dek.as_ref().is_some_and(|dek| dek.open(b"here", sealed).is_ok());
        assert!(is_right || dek.is_none(), "{what}: slot {slot} has another key");
        if promised.destroyed.contains(slot) {
            assert!(dek.is_none(), "{what}: slot {slot} is back");
        } else if promised.destroying != Some(*slot) {
            assert!(is_right, "{what}: slot {slot} is gone");
        }
    }
    let last = promised.given.iter().map(|(slot, _)| *slot).max().unwrap_or(0) + RESERVE / 2;
    assert!(vault.load(Subject(last)).is_ok(), "{what}: all that may be used can be read");
}

fn operations() -> u64 {
    let disk = new_vault();
    disk.set_fault(None);
    let promised = run(&disk);
    assert_eq!(promised.destroyed, DESTROYED);
    check(&disk, &promised, "without faults");
    let disk = new_vault();
    disk.set_fault(None);
    run(&disk);
    disk.operations()
}

#[test]
fn a_power_cut_at_any_operation_keeps_given_keys_and_takes_no_destroyed_one_back() {
    for at in 1..=operations() {
        let disk = new_vault();
        disk.set_fault(Some(Fault { at, lasts: Lasts::Forever, effect: Effect::PowerCut }));
        let promised = run(&disk);
        let chance = (0..4).map(|turn| Survives::Pieces { len: 512, seed: at * 4 + turn });
        for survives in [Survives::Nothing, Survives::Everything].into_iter().chain(chance) {
            let survivor = disk.after_power_cut(survives);
            check(&survivor, &promised, &format!("cut at {at}, {survives:?}"));
        }
    }
}

#[test]
fn a_fault_and_a_restart_and_then_a_power_cut_keep_given_keys() {
    for effect in [Effect::Lost, Effect::Landed, Effect::PowerCut] {
        for at in 1..=operations() {
            let what = format!("{effect:?} at {at}");
            let disk = new_vault();
            disk.set_fault(Some(Fault { at, lasts: Lasts::Once, effect }));
            let mut promised = run(&disk);
            disk.set_fault(None);
            // Whatever the next process finds and gives must outlast a power cut.
            let vault = open(&disk).unwrap_or_else(|error| panic!("{what}: {error:?}"));
            if let Ok(Some(dek)) = vault.dek(Subject(LATE)) {
                let sealed = dek.seal(b"here", b"secret", &mut StdRng::seed_from_u64(5)).unwrap();
                promised.given.push((LATE, sealed));
            }
            check(&disk.after_power_cut(Survives::Nothing), &promised, &what);
        }
    }
}

#[test]
fn a_vault_cut_short_is_refused_or_names_the_slot() {
    let disk = new_vault();
    let whole = disk.files()["vault"].clone();
    for len in [0, 1, 511, 512, 1_000, 1_536, 1_600, whole.len() - 96, whole.len() - 1] {
        let files = [("vault".to_owned(), whole[..len].to_vec())].into_iter().collect();
        let disk = FaultDisk::with_files(&files);
        let slot = match open(&disk) {
            Err(VaultError::Format | VaultError::Damaged { slot: 0 }) => continue,
            Err(error) => panic!("{len}: {error:?}"),
            Ok(vault) => vault.load(Subject(RESERVE)).unwrap_err(),
        };
        assert!(matches!(slot, VaultError::Damaged { .. }), "{len}: {slot:?}");
    }
    let size = disk.open("vault").unwrap().size().unwrap();
    assert_eq!(usize::try_from(size).unwrap(), whole.len());
}
