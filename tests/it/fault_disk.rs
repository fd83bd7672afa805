//! A disk in memory that fails, tears, forgets and counts on demand.
//!
//! It keeps apart what a process sees and what would survive a power cut, as a kernel does.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use izin::ledger::journal::{Disk, DiskFile};
use rand::{Rng, SeedableRng, rngs::StdRng};

/// A disk; clones are the same disk.
#[derive(Debug, Clone, Default)]
pub(crate) struct FaultDisk {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Clone)]
pub(crate) struct FaultFile {
    disk: FaultDisk,
    id: usize,
}

/// What goes wrong, and at which operation, counted from 1.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fault {
    pub(crate) at: u64,
    pub(crate) lasts: Lasts,
    pub(crate) effect: Effect,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lasts {
    /// The operations after it work.
    Once,
    /// Nothing works from then on.
    Forever,
}

/// What an operation that reports an error did all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Nothing. A failed sync also gives up what it should have written, and later syncs do not
    /// speak of it; the process goes on seeing it.
    Lost,
    /// All of it.
    Landed,
    /// The power is cut in the middle of it: see [`FaultDisk::after_power_cut`].
    PowerCut,
}

/// What a disk that lost power holds of what was written and not synced.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Survives {
    Nothing,
    Everything,
    /// Any part of it, in pieces of this many bytes, by chance.
    Pieces {
        len: usize,
        seed: u64,
    },
}

#[derive(Debug, Clone, Default)]
struct State {
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    /// Each list of names since the last durable one, in order.
    pending_names: Vec<BTreeMap<String, usize>>,
    files: Vec<Contents>,
    operations: u64,
    writes: u64,
    syncs: u64,
    fault: Option<Fault>,
}

#[derive(Debug, Clone, Default)]
struct Contents {
    seen: Vec<u8>,
    durable: Vec<u8>,
    pending: Vec<(usize, Vec<u8>)>,
}

impl FaultDisk {
    /// A disk that holds these files, durably.
    pub(crate) fn with_files(files: &BTreeMap<String, Vec<u8>>) -> Self {
        let mut state = State::default();
        for (name, bytes) in files {
            state.names.insert(name.clone(), state.files.len());
            let (seen, durable) = (bytes.clone(), bytes.clone());
            state.files.push(Contents { seen, durable, pending: Vec::new() });
        }
        state.durable_names = state.names.clone();
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// Returns every file as a process sees it.
    pub(crate) fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let state = self.state();
        let file = |(name, id): (&String, &usize)| (name.clone(), state.files[*id].seen.clone());
        state.names.iter().map(file).collect()
    }

    pub(crate) fn set_fault(&self, fault: Option<Fault>) {
        let mut state = self.state();
        state.operations = 0;
        state.fault = fault;
    }

    /// Returns how many operations there were since the last [`Self::set_fault`].
    pub(crate) fn operations(&self) -> u64 {
        self.state().operations
    }

    /// Returns how many writes and syncs of files there were.
    pub(crate) fn writes_and_syncs(&self) -> (u64, u64) {
        let state = self.state();
        (state.writes, state.syncs)
    }

    /// Returns the disk as it is found after a power cut now.
    pub(crate) fn after_power_cut(&self, survives: Survives) -> Self {
        let state = self.state();
        let mut files = BTreeMap::new();
        let mut chance = StdRng::seed_from_u64(match survives {
            Survives::Pieces { seed, .. } => seed,
            Survives::Nothing | Survives::Everything => 0,
        });
        let names = match survives {
            Survives::Nothing => &state.durable_names,
            Survives::Everything => &state.names,
            Survives::Pieces { .. } => {
                let lists = state.pending_names.len();
                let landed = chance.random_range(0..=lists);
                landed.checked_sub(1).map_or(&state.durable_names, |at| &state.pending_names[at])
            }
        };
        for (name, id) in names {
            let file = &state.files[*id];
            let mut bytes = file.durable.clone();
            for (offset, written) in &file.pending {
                match survives {
                    Survives::Nothing => {}
                    Survives::Everything => put(&mut bytes, *offset, written),
                    Survives::Pieces { len, .. } => {
                        for (place, at) in pieces(*offset, written.len(), len) {
                            if chance.random() {
                                put(
                                    &mut bytes,
                                    place,
                                    &written[at..at + (len - place % len).min(written.len() - at)],
                                );
                            }
                        }
                    }
                }
            }
            files.insert(name.clone(), bytes);
        }
        Self::with_files(&files)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts an operation and says whether it fails, and what it does then.
    fn begin(&self) -> (MutexGuard<'_, State>, Option<Effect>) {
        let mut state = self.state();
        state.operations += 1;
        let Some(fault) = state.fault else { return (state, None) };
        let effect = match state.operations.cmp(&fault.at) {
            std::cmp::Ordering::Less => None,
            std::cmp::Ordering::Equal => Some(fault.effect),
            std::cmp::Ordering::Greater => match (fault.effect, fault.lasts) {
                // Without power nothing is done and nothing is given up.
                (Effect::PowerCut, _) => Some(Effect::PowerCut),
                (_, Lasts::Once) => None,
                (Effect::Lost | Effect::Landed, Lasts::Forever) => Some(Effect::Lost),
            },
        };
        (state, effect)
    }
}

impl State {
    fn is_after_cut(&self) -> bool {
        self.fault
            .is_some_and(|fault| fault.effect == Effect::PowerCut && self.operations > fault.at)
    }

    fn change_names(&mut self, change: impl FnOnce(&mut BTreeMap<String, usize>)) {
        change(&mut self.names);
        self.pending_names.push(self.names.clone());
    }
}

/// Where each piece goes in the file, and where it starts in what was written.
fn pieces(offset: usize, written: usize, len: usize) -> Vec<(usize, usize)> {
    let mut places = Vec::new();
    let mut at = 0;
    while at < written {
        places.push((offset + at, at));
        at += len - (offset + at) % len;
    }
    places
}

fn put(bytes: &mut Vec<u8>, offset: usize, written: &[u8]) {
    let end = offset + written.len();
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    bytes[offset..end].copy_from_slice(written);
}

fn fails(effect: Option<Effect>) -> io::Result<()> {
    match effect {
        None => Ok(()),
        Some(_) => Err(io::Error::other("a fault of the test")),
    }
}

impl Disk for FaultDisk {
    type File = FaultFile;

    fn list(&self) -> io::Result<Vec<String>> {
        let (state, effect) = self.begin();
        fails(effect)?;
        Ok(state.names.keys().cloned().collect())
    }

    fn open(&self, name: &str) -> io::Result<FaultFile> {
        let (state, effect) = self.begin();
        fails(effect)?;
        let id = *state.names.get(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(FaultFile { disk: self.clone(), id })
    }

    fn create(&self, name: &str) -> io::Result<FaultFile> {
        let (mut state, effect) = self.begin();
        if effect != Some(Effect::Lost) && !state.is_after_cut() && !state.names.contains_key(name)
        {
            let id = state.files.len();
            state.files.push(Contents::default());
            state.change_names(|names| {
                names.insert(name.to_owned(), id);
            });
        }
        fails(effect)?;
        let id = *state.names.get(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(FaultFile { disk: self.clone(), id })
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let (mut state, effect) = self.begin();
        if effect != Some(Effect::Lost) && !state.is_after_cut() {
            let id = *state.names.get(from).ok_or(io::ErrorKind::NotFound)?;
            state.change_names(|names| {
                names.remove(from);
                names.insert(to.to_owned(), id);
            });
        }
        fails(effect)
    }

    fn sync(&self) -> io::Result<()> {
        let (mut state, effect) = self.begin();
        if matches!(effect, None | Some(Effect::Landed)) {
            state.durable_names = state.names.clone();
            state.pending_names.clear();
        }
        fails(effect)
    }
}

impl DiskFile for FaultFile {
    fn size(&self) -> io::Result<u64> {
        let (state, effect) = self.disk.begin();
        fails(effect)?;
        Ok(u64::try_from(state.files[self.id].seen.len()).unwrap())
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let (state, effect) = self.disk.begin();
        fails(effect)?;
        let offset = usize::try_from(offset).unwrap();
        let bytes = state.files[self.id].seen.get(offset..).unwrap_or_default();
        let len = bytes.len().min(buffer.len());
        buffer[..len].copy_from_slice(&bytes[..len]);
        Ok(len)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let (mut state, effect) = self.disk.begin();
        if effect != Some(Effect::Lost) && !state.is_after_cut() {
            state.writes += 1;
            let offset = usize::try_from(offset).unwrap();
            let file = &mut state.files[self.id];
            put(&mut file.seen, offset, bytes);
            file.pending.push((offset, bytes.to_vec()));
        }
        fails(effect)
    }

    fn sync_data(&self) -> io::Result<()> {
        let (mut state, effect) = self.disk.begin();
        state.syncs += 1;
        let file = &mut state.files[self.id];
        match effect {
            None | Some(Effect::Landed) => {
                for (offset, bytes) in std::mem::take(&mut file.pending) {
                    put(&mut file.durable, offset, &bytes);
                }
            }
            Some(Effect::Lost) => file.pending.clear(),
            Some(Effect::PowerCut) => {}
        }
        fails(effect)
    }
}
