//! The head anchor: where the journal must at least reach, kept beside it.
//!
//! It is what makes a journal that was cut short different from one that never was longer. Not
//! part of the commit point: it follows the journal and may fall behind it in a power cut.
//!
//! Layout: two slots of 64 bytes, each at the start of a 512-byte sector of its own. A slot,
//! big-endian: magic 4, format u16, zero u16, epoch u64, entries u64, hash of the last one 32,
//! zero 4, CRC-32C u32.

use std::io;

use crate::{
    domain::entry::Seq,
    ledger::{
        entry::{EntryHash, Head},
        journal::disk::{Disk, DiskFile},
    },
};

/// Name of the file.
pub(super) const NAME: &str = "anchor";
const UNFINISHED_NAME: &str = "anchor.new";
const SLOT_LEN: usize = 64;
const SECTOR_LEN: usize = 512;
const MAGIC: [u8; 4] = *b"IZAN";
/// The newest format this version reads, and the one it writes.
pub(super) const FORMAT: u16 = 1;

/// Notes between two syncs of the anchor. In between, a power cut (not a crash of the process)
/// sets it back by at most this many groups; no entry depends on it.
const SYNC_EVERY: u32 = 64;

/// What a slot says: the journal reached this head in this epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) epoch: u64,
    pub(super) head: Head,
}

/// A slot as read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Slot {
    Whole(Mark),
    /// Whole, and written by a newer version.
    Newer(u16),
    /// Begins like a slot and is not one.
    Damaged,
    /// Nothing of ours.
    Foreign,
}

/// What an anchor file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Contents {
    /// A mark; one of the two slots may be unreadable, as after a power cut.
    Mark {
        mark: Mark,
        is_torn: bool,
    },
    Newer(u16),
    Damaged,
    Foreign,
}

/// The anchor file.
#[derive(Debug)]
pub(super) struct Anchor<F> {
    file: F,
    /// The slot that is written until the next sync; the other one is durable.
    turn: usize,
    unsynced: u32,
}

impl<F: DiskFile> Anchor<F> {
    /// Reads an anchor file.
    pub(super) fn open(file: F) -> io::Result<(Self, Contents)> {
        let mut bytes = [0; SECTOR_LEN * 2];
        file.read_at(&mut bytes, 0)?;
        let (first, second) = bytes.split_at(SECTOR_LEN);
        let slots = [decode(first), decode(second)];
        let (turn, contents) = match slots {
            [Slot::Newer(format), _] | [_, Slot::Newer(format)] => (0, Contents::Newer(format)),
            [Slot::Whole(first), Slot::Whole(second)] => {
                let is_second_newer = rank(&second) > rank(&first);
                let mark = if is_second_newer { second } else { first };
                (usize::from(!is_second_newer), Contents::Mark { mark, is_torn: false })
            }
            [Slot::Whole(mark), _] => (1, Contents::Mark { mark, is_torn: true }),
            [_, Slot::Whole(mark)] => (0, Contents::Mark { mark, is_torn: true }),
            [Slot::Foreign, Slot::Foreign] => (0, Contents::Foreign),
            [Slot::Damaged | Slot::Foreign, Slot::Damaged | Slot::Foreign] => {
                (0, Contents::Damaged)
            }
        };
        Ok((Self { file, turn, unsynced: 0 }, contents))
    }

    /// Makes an anchor that is whole and durable before it has its name, in place of any other.
    pub(super) fn create<D: Disk<File = F>>(disk: &D, mark: Mark) -> io::Result<Self> {
        let file = disk.create(UNFINISHED_NAME)?;
        let mut bytes = [0; SECTOR_LEN * 2];
        let slot = encode(mark);
        for sector in bytes.as_chunks_mut::<SECTOR_LEN>().0 {
            *sector = padded(slot);
        }
        file.write_all_at(&bytes, 0)?;
        file.sync_data()?;
        disk.rename(UNFINISHED_NAME, NAME)?;
        disk.sync()?;
        Ok(Self { file, turn: 0, unsynced: 0 })
    }

    /// Notes a head that is durable, and now and then makes the note durable.
    pub(super) fn write(&mut self, mark: Mark) -> io::Result<()> {
        let offset = u64::try_from(self.turn * SECTOR_LEN).map_err(io::Error::other)?;
        self.file.write_all_at(&encode(mark), offset)?;
        self.unsynced += 1;
        if self.unsynced >= SYNC_EVERY { self.sync() } else { Ok(()) }
    }

    /// Notes a head durably, whatever the process before left of its own notes.
    pub(super) fn renew(&mut self, mark: Mark) -> io::Result<()> {
        // First the slot that stays, then the other: never both at once.
        self.file.sync_data()?;
        self.write(mark)?;
        self.sync()
    }

    /// Makes the last note durable. Only then does the other slot's turn come, so that at any
    /// moment one of them is whole whatever happens to the other.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        if self.unsynced == 0 {
            return Ok(());
        }
        self.file.sync_data()?;
        self.unsynced = 0;
        self.turn = 1 - self.turn;
        Ok(())
    }
}

/// A later epoch may hold fewer entries: it began by cutting some.
fn rank(mark: &Mark) -> (u64, Seq) {
    (mark.epoch, mark.head.next)
}

fn encode(mark: Mark) -> [u8; SLOT_LEN] {
    let mut slot = [0; SLOT_LEN];
    let fields = [
        &MAGIC[..],
        &FORMAT.to_be_bytes(),
        &[0, 0],
        &mark.epoch.to_be_bytes(),
        &mark.head.next.0.to_be_bytes(),
        &mark.head.hash.0,
    ];
    for (target, byte) in slot.iter_mut().zip(fields.into_iter().flatten()) {
        *target = *byte;
    }
    if let Some((body, crc)) = slot.split_last_chunk_mut::<4>() {
        *crc = crc32c::crc32c(body).to_be_bytes();
    }
    slot
}

fn decode(sector: &[u8]) -> Slot {
    let (Some(slot), Some(magic)) = (sector.first_chunk::<SLOT_LEN>(), sector.first_chunk::<4>())
    else {
        return Slot::Foreign;
    };
    if *magic != MAGIC {
        return Slot::Foreign;
    }
    match decode_fields(slot) {
        Some((format, _)) if format > FORMAT => Slot::Newer(format),
        Some((FORMAT, mark)) if sector == padded(encode(mark)) => Slot::Whole(mark),
        _ => Slot::Damaged,
    }
}

fn padded(slot: [u8; SLOT_LEN]) -> [u8; SECTOR_LEN] {
    let mut sector = [0; SECTOR_LEN];
    if let Some(place) = sector.first_chunk_mut::<SLOT_LEN>() {
        *place = slot;
    }
    sector
}

/// Reads the fields of a slot whose checksum is right.
fn decode_fields(slot: &[u8; SLOT_LEN]) -> Option<(u16, Mark)> {
    let (body, crc) = slot.split_last_chunk::<4>()?;
    if crc32c::crc32c(body).to_be_bytes() != *crc {
        return None;
    }
    let (_, rest) = body.split_first_chunk::<4>()?;
    let (format, rest) = rest.split_first_chunk::<2>()?;
    let (_, rest) = rest.split_first_chunk::<2>()?;
    let (epoch, rest) = rest.split_first_chunk::<8>()?;
    let (next, rest) = rest.split_first_chunk::<8>()?;
    let (hash, _) = rest.split_first_chunk::<32>()?;
    let head = Head { next: Seq(u64::from_be_bytes(*next)), hash: EntryHash(*hash) };
    Some((u16::from_be_bytes(*format), Mark { epoch: u64::from_be_bytes(*epoch), head }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(epoch: u64, next: u64) -> Mark {
        Mark { epoch, head: Head { next: Seq(next), hash: EntryHash([3; 32]) } }
    }

    #[test]
    fn no_flipped_bit_of_a_sector_leaves_its_slot_whole() {
        let sector = padded(encode(mark(2, 77)));
        assert_eq!(decode(&sector), Slot::Whole(mark(2, 77)));
        for bit in 0..SECTOR_LEN * 8 {
            let mut other = sector;
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(matches!(decode(&other), Slot::Damaged | Slot::Foreign), "bit {bit}");
        }
    }

    #[test]
    fn a_newer_slot_is_known_as_such() {
        let mut sector = padded(encode(mark(2, 77)));
        sector[5] = 9;
        let crc = crc32c::crc32c(&sector[..60]).to_be_bytes();
        sector[60..64].copy_from_slice(&crc);
        assert_eq!(decode(&sector), Slot::Newer(9));
    }

    #[test]
    fn a_later_epoch_wins_over_more_entries() {
        assert!(rank(&mark(1, 5)) > rank(&mark(0, 50)));
        assert!(rank(&mark(1, 6)) > rank(&mark(1, 5)));
    }
}
