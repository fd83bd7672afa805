//! The bytes of the vault's file, in sectors of 512 because a disk writes a sector whole or not at
//! all: a slot that is being destroyed is never half of each.
//!
//! Big-endian. Sector 0: magic 8, format u32, epoch u32, check value of the master key 32, zeroes,
//! CRC-32C. Sectors 1 and 2, each: how many slots are durable u64, CRC-32C over it, zeroes. Then
//! five slots of 96 bytes to a sector: slot u32, state u8, epoch of the master key u32, nonce 24,
//! wrapped key 48, zeroes, CRC-32C. A destroyed slot holds, in place of the key, one nobody has.
//!
//! Encrypts nothing and touches no file.

/// Length of a slot in bytes.
pub(super) const BLOCK: usize = 96;
/// Length of a sector in bytes.
pub(super) const SECTOR: usize = 512;
/// Whole slots in a sector.
pub(super) const SLOTS_IN_SECTOR: u32 = 5;
/// Length of a nonce and a wrapped key.
pub(super) const SECRET: usize = 72;
/// The epoch of the only master key there has been.
pub(super) const EPOCH: u32 = 1;

/// Where the two counts are, in the order in which they are written.
pub(super) const COUNTS_AT: [u64; 2] = [512, 1_024];

const SECTORS_BEFORE: u64 = 3;
const MAGIC: [u8; 8] = *b"IZINVLT\0";
const FORMAT: u32 = 1;

/// Whether a slot's key is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// It opens what its contact's entries hold.
    Live,
    /// It took the place of one that did, and opens nothing.
    Destroyed,
}

/// A slot as stored. Only the master key tells whether its state is the one that was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slot<'a> {
    pub(super) state: State,
    /// Which master key wraps the key.
    pub(super) epoch: u32,
    pub(super) nonce: &'a [u8; 24],
    pub(super) wrapped: &'a [u8; 48],
}

impl State {
    const fn byte(self) -> u8 {
        match self {
            Self::Live => 1,
            Self::Destroyed => 2,
        }
    }

    const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Live),
            2 => Some(Self::Destroyed),
            _ => None,
        }
    }
}

/// Returns where a slot is: never across two sectors.
pub(super) fn offset(slot: u32) -> u64 {
    let sector = SECTORS_BEFORE + u64::from(slot / SLOTS_IN_SECTOR);
    sector * 512 + u64::from(slot % SLOTS_IN_SECTOR) * 96
}

/// Returns how a slot begins, which is also what its wrapped key is bound to.
pub(super) fn place(slot: u32, state: State, epoch: u32) -> [u8; 9] {
    let fields = [&slot.to_be_bytes()[..], &[state.byte()], &epoch.to_be_bytes()];
    let mut place = [0; 9];
    for (target, byte) in place.iter_mut().zip(fields.into_iter().flatten()) {
        *target = *byte;
    }
    place
}

/// Returns the bytes of a slot around a nonce and the key that was wrapped with it.
pub(super) fn block(slot: u32, state: State, secret: &[u8; SECRET]) -> [u8; BLOCK] {
    let place = place(slot, state, EPOCH);
    let mut block = [0; BLOCK];
    for (target, byte) in block.iter_mut().zip(place.iter().chain(secret)) {
        *target = *byte;
    }
    if let Some((body, crc)) = block.split_last_chunk_mut::<4>() {
        *crc = crc32c::crc32c(body).to_be_bytes();
    }
    block
}

/// Reads a slot; `None` if it is not what was written there.
pub(super) fn read_block(slot: u32, block: &[u8; BLOCK]) -> Option<Slot<'_>> {
    let (body, crc) = block.split_last_chunk::<4>()?;
    let (stored, rest) = body.split_first_chunk::<4>()?;
    let (state, rest) = rest.split_first()?;
    let (epoch, rest) = rest.split_first_chunk::<4>()?;
    let (nonce, rest) = rest.split_first_chunk::<24>()?;
    let (wrapped, _) = rest.split_first_chunk::<48>()?;
    let is_whole = u32::from_be_bytes(*crc) == crc32c::crc32c(body);
    if !is_whole || *stored != slot.to_be_bytes() {
        return None;
    }
    let state = State::from_byte(*state)?;
    Some(Slot { state, epoch: u32::from_be_bytes(*epoch), nonce, wrapped })
}

/// Returns the first sector of a vault whose master key has this check value.
pub(super) fn header_sector(check: &[u8; 32]) -> [u8; SECTOR] {
    let mut sector = [0; SECTOR];
    let fields = [&MAGIC[..], &FORMAT.to_be_bytes(), &EPOCH.to_be_bytes(), check];
    for (target, byte) in sector.iter_mut().zip(fields.into_iter().flatten()) {
        *target = *byte;
    }
    if let Some((body, crc)) = sector.split_last_chunk_mut::<4>() {
        *crc = crc32c::crc32c(body).to_be_bytes();
    }
    sector
}

/// Returns whether a sector is a header of this format, whatever its key.
pub(super) fn is_header(sector: &[u8; SECTOR]) -> bool {
    let check = sector.get(16..48).and_then(<[u8]>::first_chunk);
    check.is_some_and(|check| *sector == header_sector(check))
}

pub(super) fn count_sector(made: u32) -> [u8; SECTOR] {
    let mut sector = [0; SECTOR];
    let body = u64::from(made).to_be_bytes();
    let crc = crc32c::crc32c(&body).to_be_bytes();
    for (target, byte) in sector.iter_mut().zip(body.iter().chain(&crc)) {
        *target = *byte;
    }
    sector
}

/// Reads a count; `None` if it is not what was written there.
pub(super) fn read_count(sector: &[u8; SECTOR]) -> Option<u32> {
    let (body, _) = sector.split_first_chunk::<8>()?;
    let made = u32::try_from(u64::from_be_bytes(*body)).ok()?;
    (count_sector(made) == *sector).then_some(made)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_never_lies_across_two_sectors() {
        for slot in (0..2_000).chain(u32::MAX - 9..=u32::MAX) {
            let at = offset(slot) % 512;
            assert!(at + 96 <= 512, "slot {slot}");
        }
    }

    #[test]
    fn a_flipped_bit_anywhere_in_a_slot_is_damage_and_not_a_destroyed_key() {
        for state in [State::Live, State::Destroyed] {
            let block = block(3, state, &[9; SECRET]);
            assert!(read_block(3, &block).is_some());
            assert!(read_block(4, &block).is_none(), "another slot's bytes");
            for bit in 0..BLOCK * 8 {
                let mut other = block;
                other[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(read_block(3, &other), None, "bit {bit}");
            }
        }
    }

    #[test]
    fn a_flipped_bit_anywhere_in_the_first_sectors_is_noticed() {
        let (header, count) = (header_sector(&[4; 32]), count_sector(8_192));
        assert!(is_header(&header));
        assert_eq!(read_count(&count), Some(8_192));
        for bit in 0..SECTOR * 8 {
            let (mut header, mut count) = (header, count);
            header[bit / 8] ^= 1 << (bit % 8);
            count[bit / 8] ^= 1 << (bit % 8);
            assert!(!is_header(&header) && read_count(&count).is_none(), "bit {bit}");
        }
    }

    #[test]
    fn a_sector_of_zeroes_is_no_count_and_no_slot() {
        assert_eq!(read_count(&[0; SECTOR]), None);
        assert_eq!(read_block(0, &[0; BLOCK]), None);
    }
}
