//! Giving, keeping and destroying keys.
//!
//! Whatever is given is durable first; what is destroyed is gone when that returns.

use std::{
    fs::{self, File, OpenOptions},
    io,
    num::NonZeroU32,
    os::unix::fs::OpenOptionsExt,
    path::Path,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};

use rand::CryptoRng;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::{
    domain::entry::Subject,
    ledger::{
        cipher::{self, KEY_LEN, NONCE_LEN, Refused},
        journal::DiskFile,
        seal::Dek,
        vault::{
            fresh::Fresh,
            layout::{
                BLOCK, COUNTS_AT, EPOCH, SECRET, SECTOR, SLOTS_IN_SECTOR, State, block,
                count_sector, header_sector, is_header, offset, place, read_block, read_count,
            },
        },
    },
};

/// Sectors read at a time by [`Vault::load`].
const LOAD_SECTORS: u32 = 512;

/// Slots made ahead of need in one go, unless told otherwise: about 0.4 MB and three syncs.
pub const RESERVE: NonZeroU32 = NonZeroU32::new(4_096).unwrap();

/// The master key that wraps the contacts' keys.
pub struct Kek {
    bytes: Zeroizing<[u8; KEY_LEN]>,
    check: [u8; 32],
}

/// The vault, readable from any thread.
#[derive(Debug)]
pub struct Vault<F = File> {
    file: F,
    kek: Kek,
    reserve: NonZeroU32,
    /// Slots that are durable. Only these may be used.
    made: AtomicU32,
    /// Held from each write to the end of its sync: the kernel tells of a failed write-back only
    /// once, and it must be told to whoever wrote.
    writing: Mutex<()>,
    /// Keys made lately, durable, by this process.
    fresh: Mutex<Fresh>,
}

/// Why the vault cannot give or take a key.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The disk failed.
    #[error("failed to use the key vault")]
    Storage(#[from] io::Error),
    /// The file is not a vault of this version, or its first sectors are damaged.
    #[error("the key vault has an unknown format or is damaged at its start")]
    Format,
    /// The vault was made under another master key.
    #[error("the master key is not the one of this key vault")]
    WrongKey,
    /// A slot does not hold what was written.
    #[error("slot {slot} of the key vault is damaged")]
    Damaged {
        /// Which slot.
        slot: u32,
    },
    /// Without the service's own key nothing can be read any more.
    #[error("the service's own key is never destroyed")]
    Own,
    /// A slot was never made.
    #[error("slot {slot} of the key vault was never made")]
    Missing {
        /// Which slot.
        slot: u32,
    },
}

impl Kek {
    /// Takes key bytes.
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        let check = Sha256::new().chain_update(b"izin/kek-check/v1\0").chain_update(bytes);
        Self { bytes: Zeroizing::new(*bytes), check: check.finalize().into() }
    }
}

impl std::fmt::Debug for Kek {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Kek(redacted)")
    }
}

impl Vault {
    /// Opens the vault at `path`, or makes one with the service's own slot alone. A new vault has
    /// its name only once all of it is durable. [`Self::settle`] makes its reserve.
    ///
    /// # Errors
    ///
    /// [`VaultError::Format`] for a file that is no vault, [`VaultError::WrongKey`] for another
    /// master key, [`VaultError::Damaged`] when the first slot does not open.
    pub fn open(path: &Path, kek: Kek, random: &mut impl CryptoRng) -> Result<Self, VaultError> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).mode(0o600);
        match options.open(path) {
            Ok(file) => Self::with_file(file, kek, RESERVE),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let unfinished = path.with_extension("new");
                let file = options.create(true).truncate(true).open(&unfinished)?;
                let mut vault = Self::make(file, kek, NonZeroU32::MIN, random)?;
                vault.reserve = RESERVE;
                fs::rename(&unfinished, path)?;
                if let Some(folder) = path.parent().filter(|parent| *parent != Path::new("")) {
                    File::open(folder)?.sync_all()?;
                }
                Ok(vault)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Returns whether the vault at `path` was ever settled, which happens once there is a
    /// journal. Reads no slot; a vault that is not there was not.
    ///
    /// # Errors
    ///
    /// Whatever the disk says.
    pub fn is_settled(path: &Path) -> io::Result<bool> {
        match fs::metadata(path) {
            Ok(metadata) => Ok(metadata.len() > offset(1)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl<F: DiskFile> Vault<F> {
    /// Makes a vault in an empty file, durable when this returns. It keeps `reserve` slots ahead
    /// of need.
    ///
    /// # Errors
    ///
    /// [`VaultError::Storage`].
    pub fn make(
        file: F,
        kek: Kek,
        reserve: NonZeroU32,
        random: &mut impl CryptoRng,
    ) -> Result<Self, VaultError> {
        file.write_all_at(&header_sector(&kek.check), 0)?;
        let vault = Self::over(file, kek, reserve, 0);
        vault.ensure(Subject::SYSTEM, random)?;
        Ok(vault)
    }

    /// Opens the vault in `file`.
    ///
    /// # Errors
    ///
    /// As [`Vault::open`].
    pub fn with_file(file: F, kek: Kek, reserve: NonZeroU32) -> Result<Self, VaultError> {
        let mut sectors = [0; SECTOR * 3];
        file.read_at(&mut sectors, 0)?;
        let [header, first, second] = sectors.as_chunks::<SECTOR>().0 else {
            return Err(VaultError::Format);
        };
        if *header != header_sector(&kek.check) {
            return Err(if is_header(header) { VaultError::WrongKey } else { VaultError::Format });
        }
        // A power cut may have torn one of them, or come before the second was written.
        let made = read_count(first).max(read_count(second)).ok_or(VaultError::Format)?;
        // The process before may have been stopped by a failed sync: the kernel then shows this
        // count, may have given up writing it, and says of its next sync that all is well.
        write_counts(&file, made)?;
        let vault = Self::over(file, kek, reserve, made);
        vault.dek(Subject::SYSTEM)?;
        Ok(vault)
    }

    fn over(file: F, kek: Kek, reserve: NonZeroU32, made: u32) -> Self {
        let (made, writing) = (AtomicU32::new(made), Mutex::new(()));
        Self { file, kek, reserve, made, writing, fresh: Mutex::new(Fresh::new()) }
    }

    /// Makes sure that slots beyond `used` are durable, at least half a reserve of them.
    ///
    /// # Errors
    ///
    /// [`VaultError::Storage`]; no slot is usable that is not durable.
    pub fn ensure(&self, used: Subject, random: &mut impl CryptoRng) -> Result<(), VaultError> {
        if self.made.load(Ordering::Acquire) > used.0.saturating_add(self.reserve.get() / 2) {
            return Ok(());
        }
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let made = self.made.load(Ordering::Acquire);
        let end = used.0.saturating_add(self.reserve.get());
        if made >= end {
            return Ok(());
        }
        let (mut bytes, mut keys) = (Vec::new(), Vec::new());
        let start = offset(made);
        for slot in made..end {
            let at = usize::try_from(offset(slot) - start).map_err(io::Error::other)?;
            let dek = Dek::generate(random);
            bytes.resize(at, 0);
            bytes.extend_from_slice(&self.new_block(slot, State::Live, &dek, random)?);
            keys.push(dek);
        }
        self.file.write_all_at(&bytes, start)?;
        self.file.sync_data()?;
        // Only now may the count say so, or a power cut could leave slots that were never there.
        write_counts(&self.file, end)?;
        self.fresh().put(made, keys);
        self.made.store(end, Ordering::Release);
        Ok(())
    }

    /// Holds the vault against the highest slot that is in use, and makes its reserve. Call it
    /// once the ledger has told which slots are.
    ///
    /// # Errors
    ///
    /// [`VaultError::Missing`] when a used slot is not in the file; [`VaultError::Storage`].
    pub fn settle(&self, used: Subject, random: &mut impl CryptoRng) -> Result<(), VaultError> {
        if self.made.load(Ordering::Acquire) <= used.0 {
            return Err(VaultError::Missing { slot: used.0 });
        }
        self.ensure(used, random)
    }

    /// Returns a contact's key, or `None` if it was destroyed.
    ///
    /// # Errors
    ///
    /// [`VaultError`] for a slot that was never made or does not hold what was written.
    pub fn dek(&self, subject: Subject) -> Result<Option<Dek>, VaultError> {
        let slot = subject.0;
        if slot >= self.made.load(Ordering::Acquire) {
            return Err(VaultError::Missing { slot });
        }
        if let Some(dek) = self.fresh().get(slot) {
            return Ok(Some(dek));
        }
        let mut block = [0; BLOCK];
        let read = self.file.read_at(&mut block, offset(slot))?;
        if read < BLOCK { Err(VaultError::Damaged { slot }) } else { self.unwrap(slot, &block) }
    }

    /// Reads the keys of all slots up to and including `last`, in order, for replay.
    ///
    /// # Errors
    ///
    /// As [`Self::dek`], for the first slot that fails.
    pub fn load(&self, last: Subject) -> Result<Vec<Option<Dek>>, VaultError> {
        let mut keys = Vec::new();
        self.load_more(&mut keys, last)?;
        Ok(keys)
    }

    /// As [`Self::load`], for those slots that `keys`, which holds the first ones, lacks.
    ///
    /// # Errors
    ///
    /// As [`Self::dek`], for the first slot that fails; `keys` then ends before it.
    pub fn load_more(&self, keys: &mut Vec<Option<Dek>>, last: Subject) -> Result<(), VaultError> {
        let end = self.made.load(Ordering::Acquire).min(last.0.saturating_add(1));
        let mut slot = u32::try_from(keys.len()).unwrap_or(u32::MAX);
        keys.reserve(usize::try_from(end.saturating_sub(slot)).unwrap_or(0));
        let mut buffer = Vec::new();
        while slot < end {
            let run = (end - slot).min(LOAD_SECTORS * SLOTS_IN_SECTOR);
            let start = offset(slot);
            let len = offset(slot + run - 1) - start;
            buffer.resize(usize::try_from(len).map_err(io::Error::other)? + BLOCK, 0);
            let read = self.file.read_at(&mut buffer, start)?;
            for slot in slot..slot + run {
                let at = usize::try_from(offset(slot) - start).map_err(io::Error::other)?;
                let read = buffer.get(..read).and_then(|read| read.get(at..));
                let block = read.and_then(<[u8]>::first_chunk::<BLOCK>);
                let block = block.ok_or(VaultError::Damaged { slot })?;
                keys.push(self.unwrap(slot, block)?);
            }
            slot += run;
        }
        Ok(())
    }

    /// Destroys a contact's key: overwrites it with a new one that nobody has, and syncs.
    ///
    /// The new one is wrapped too: without the master key no slot can be passed off as destroyed.
    ///
    /// # Errors
    ///
    /// [`VaultError::Own`] for the service's own key. [`VaultError::Storage`]: the key may or may
    /// not be gone. Destroy it again, after a restart too, even where it reads as destroyed: that
    /// may be so in memory only.
    pub fn destroy(&self, subject: Subject, random: &mut impl CryptoRng) -> Result<(), VaultError> {
        let slot = subject.0;
        if subject == Subject::SYSTEM {
            return Err(VaultError::Own);
        }
        if slot >= self.made.load(Ordering::Acquire) {
            return Err(VaultError::Missing { slot });
        }
        let block = self.new_block(slot, State::Destroyed, &Dek::generate(random), random)?;
        // Whoever holds this is the only one who could put a key back among the fresh ones.
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        self.fresh().forget(slot);
        self.file.write_all_at(&block, offset(slot))?;
        self.file.sync_data()?;
        Ok(())
    }

    fn fresh(&self) -> MutexGuard<'_, Fresh> {
        self.fresh.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a slot with a key.
    fn new_block(
        &self,
        slot: u32,
        state: State,
        dek: &Dek,
        random: &mut impl CryptoRng,
    ) -> Result<[u8; BLOCK], VaultError> {
        let mut nonce = [0; NONCE_LEN];
        random.fill_bytes(&mut nonce);
        let mut secret = Vec::with_capacity(SECRET);
        secret.extend_from_slice(&nonce);
        secret.extend_from_slice(dek.bytes());
        let place = place(slot, state, EPOCH);
        cipher::seal(&self.kek.bytes, &nonce, &place, &mut secret, NONCE_LEN)
            .map_err(|Refused| VaultError::Damaged { slot })?;
        let secret = secret.first_chunk().ok_or(VaultError::Damaged { slot })?;
        Ok(block(slot, state, secret))
    }

    fn unwrap(&self, slot: u32, block: &[u8; BLOCK]) -> Result<Option<Dek>, VaultError> {
        let damaged = || VaultError::Damaged { slot };
        let stored = read_block(slot, block).ok_or_else(damaged)?;
        let aad = place(slot, stored.state, stored.epoch);
        let mut wrapped = Zeroizing::new(*stored.wrapped);
        let dek = cipher::open(&self.kek.bytes, stored.nonce, &aad, &mut *wrapped);
        let dek = dek.map_err(|Refused| damaged())?;
        let dek = Dek::from_bytes(*dek.first_chunk().ok_or_else(damaged)?);
        match stored.state {
            State::Live => Ok(Some(dek)),
            State::Destroyed => Ok(None),
        }
    }
}

/// Writes both counts, one after the other, so that one of them is whole at any moment.
fn write_counts(file: &impl DiskFile, made: u32) -> io::Result<()> {
    for offset in COUNTS_AT {
        file.write_all_at(&count_sector(made), offset)?;
        file.sync_data()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng, rngs::StdRng};

    use super::*;

    fn open(path: &Path, kek: u8) -> Result<Vault, VaultError> {
        let mut random = StdRng::seed_from_u64(3);
        let vault = Vault::open(path, Kek::from_bytes(&[kek; 32]), &mut random)?;
        vault.settle(Subject::SYSTEM, &mut random)?;
        Ok(vault)
    }

    #[test]
    fn a_new_vault_has_one_slot_until_it_is_settled() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vault");
        assert!(!Vault::is_settled(&path).unwrap());
        let mut random = StdRng::seed_from_u64(3);
        for _ in 0..2 {
            let vault = Vault::open(&path, Kek::from_bytes(&[1; 32]), &mut random).unwrap();
            assert!(vault.dek(Subject::SYSTEM).unwrap().is_some());
            assert!(matches!(vault.dek(Subject(1)), Err(VaultError::Missing { slot: 1 })));
            assert!(!Vault::is_settled(&path).unwrap());
        }
        open(&path, 1).unwrap();
        assert!(Vault::is_settled(&path).unwrap());
    }

    #[test]
    fn a_key_is_the_same_after_reopening_and_gone_after_destroying() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vault");
        let vault = open(&path, 1).unwrap();
        let before = *vault.dek(Subject(5)).unwrap().unwrap().bytes();
        drop(vault);
        let vault = open(&path, 1).unwrap();
        assert_eq!(*vault.dek(Subject(5)).unwrap().unwrap().bytes(), before);
        vault.destroy(Subject(5), &mut StdRng::seed_from_u64(9)).unwrap();
        drop(vault);
        let vault = open(&path, 1).unwrap();
        assert!(vault.dek(Subject(5)).unwrap().is_none());
        assert!(vault.dek(Subject(6)).unwrap().is_some());
        let keys = vault.load(Subject(6)).unwrap();
        assert_eq!(keys.len(), 7);
        assert!(keys[5].is_none() && keys[6].is_some());
    }

    #[test]
    fn a_key_that_was_only_just_made_is_gone_as_well_when_it_is_destroyed() {
        let folder = tempfile::tempdir().unwrap();
        let vault = open(&folder.path().join("vault"), 1).unwrap();
        assert!(vault.fresh().get(5).is_some());
        vault.destroy(Subject(5), &mut StdRng::seed_from_u64(9)).unwrap();
        assert!(vault.fresh().get(5).is_none());
        assert!(vault.dek(Subject(5)).unwrap().is_none());
        assert!(vault.dek(Subject(6)).unwrap().is_some());
    }

    #[test]
    fn a_wrong_master_key_is_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vault");
        open(&path, 1).unwrap();
        assert!(matches!(open(&path, 2), Err(VaultError::WrongKey)));
        assert!(open(&path, 1).is_ok());
    }

    #[test]
    fn damage_to_the_first_sectors_is_refused_or_made_good_by_the_other_count() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vault");
        open(&path, 1).unwrap();
        let clean = fs::read(&path).unwrap();
        for byte in (0..SECTOR * 3).step_by(7) {
            let mut bytes = clean.clone();
            bytes[byte] ^= 0x10;
            fs::write(&path, &bytes).unwrap();
            match open(&path, 1) {
                Ok(vault) => {
                    assert!(byte >= SECTOR, "byte {byte}");
                    assert_eq!(vault.made.load(Ordering::Acquire), RESERVE.get(), "byte {byte}");
                }
                Err(VaultError::Format) => assert!(byte < SECTOR, "byte {byte}"),
                Err(error) => panic!("byte {byte}: {error:?}"),
            }
        }
    }

    #[test]
    fn nothing_of_a_destroyed_key_is_left_in_its_slot() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vault");
        let vault = open(&path, 1).unwrap();
        let range =
            usize::try_from(offset(7)).unwrap() + 9..usize::try_from(offset(7)).unwrap() + 81;
        let before = fs::read(&path).unwrap()[range.clone()].to_vec();
        vault.destroy(Subject(7), &mut StdRng::seed_from_u64(9)).unwrap();
        let after = fs::read(&path).unwrap()[range].to_vec();
        let same = before.iter().zip(&after).filter(|(old, new)| old == new).count();
        assert!(same < 8, "{same} of 72 bytes are as they were");
        let neighbours = [vault.dek(Subject(6)), vault.dek(Subject(8))];
        assert!(neighbours.into_iter().all(|dek| dek.unwrap().is_some()));
    }

    #[test]
    fn a_used_slot_that_is_not_there_is_missing_and_never_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let vault = open(&folder.path().join("vault"), 1).unwrap();
        let lost = vault.settle(Subject(1_000_000), &mut StdRng::seed_from_u64(5));
        assert!(matches!(lost, Err(VaultError::Missing { slot: 1_000_000 })));
        assert!(matches!(vault.dek(Subject(1_000_000)), Err(VaultError::Missing { .. })));
    }

    #[test]
    fn loading_in_parts_gives_the_same_keys_as_one_by_one() {
        let folder = tempfile::tempdir().unwrap();
        let vault = open(&folder.path().join("vault"), 1).unwrap();
        let mut keys = vault.load(Subject(2)).unwrap();
        for last in [3, 3, 2_700, 1_000_000] {
            vault.load_more(&mut keys, Subject(last)).unwrap();
        }
        assert_eq!(keys.len(), usize::try_from(RESERVE.get()).unwrap());
        for (slot, key) in keys.iter().enumerate() {
            let one = vault.dek(Subject(u32::try_from(slot).unwrap())).unwrap();
            assert_eq!(key.as_ref().map(Dek::bytes), one.as_ref().map(Dek::bytes));
        }
    }

    #[test]
    fn a_slot_beyond_the_reserve_is_not_given_and_growing_makes_it() {
        let folder = tempfile::tempdir().unwrap();
        let vault = open(&folder.path().join("vault"), 1).unwrap();
        let far = Subject(RESERVE.get());
        assert!(matches!(vault.dek(far), Err(VaultError::Missing { .. })));
        vault.ensure(Subject(RESERVE.get() - 1), &mut StdRng::seed_from_u64(4)).unwrap();
        assert!(vault.dek(far).unwrap().is_some());
    }

    #[test]
    fn nobody_without_the_master_key_can_pass_a_key_off_as_destroyed_or_bring_one_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vault");
        let vault = open(&path, 1).unwrap();
        vault.destroy(Subject(7), &mut StdRng::seed_from_u64(9)).unwrap();
        drop(vault);
        let clean = fs::read(&path).unwrap();
        for (slot, state) in [(5, State::Destroyed), (7, State::Live)] {
            let mut bytes = clean.clone();
            let at = usize::try_from(offset(slot)).unwrap();
            let stored = &mut bytes[at..at + BLOCK];
            let secret = stored[9..81].first_chunk().unwrap();
            let edited = block(slot, state, secret);
            assert_ne!(*stored, edited);
            stored.copy_from_slice(&edited);
            fs::write(&path, &bytes).unwrap();
            let read = open(&path, 1).unwrap().dek(Subject(slot));
            assert!(matches!(read, Err(VaultError::Damaged { slot: it }) if it == slot), "{slot}");
        }
    }

    #[test]
    fn the_services_own_key_cannot_be_destroyed() {
        let folder = tempfile::tempdir().unwrap();
        let vault = open(&folder.path().join("vault"), 1).unwrap();
        let destroyed = vault.destroy(Subject::SYSTEM, &mut StdRng::seed_from_u64(9));
        assert!(matches!(destroyed, Err(VaultError::Own)));
        assert!(vault.dek(Subject::SYSTEM).unwrap().is_some());
    }
}
