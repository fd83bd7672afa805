//! Frames: one group of entries as bytes in a segment.
//!
//! Layout, big-endian: magic 4, format u16, zero u16, epoch u64, first seq u64, count u32, body
//! length u32, CRC-32C u32 over all of it but itself; then the body: `count` headers of 81 bytes,
//! `count` opening lengths u32, the openings. Magic, format, body length and checksum keep their
//! places and meaning in every later format, so that an older version refuses what it cannot read
//! instead of cutting it, and takes damage to the format for what it is.

use crate::{
    domain::entry::Seq,
    ledger::entry::{HEADER_LEN, StoredEntry, stored_len},
    limits::FRAME_BYTES_MAX,
};

/// Length of a frame before its body.
pub(super) const PREFIX_LEN: usize = 36;
/// First bytes of every frame.
pub(super) const MAGIC: [u8; 4] = *b"IZF1";
/// The newest format this version reads, and the one it writes.
pub(super) const FORMAT: u16 = 1;

/// What stands before a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Prefix {
    pub(super) format: u16,
    pub(super) epoch: u64,
    pub(super) first: Seq,
    pub(super) count: usize,
    pub(super) body_len: usize,
    crc: u32,
    checked: [u8; PREFIX_LEN - 4],
}

/// A body whose parts add up.
#[derive(Debug, Clone, Copy)]
pub(super) struct Body<'a> {
    headers: &'a [[u8; HEADER_LEN]],
    lens: &'a [[u8; 4]],
    openings: &'a [u8],
}

/// Appends a frame of `entries` to `bytes`. Returns `None`, with `bytes` half filled, if they do
/// not fit into one frame.
pub(super) fn encode(
    epoch: u64,
    first: Seq,
    entries: &[StoredEntry],
    bytes: &mut Vec<u8>,
) -> Option<()> {
    let start = bytes.len();
    let body_len = stored_len(entries);
    if body_len > FRAME_BYTES_MAX {
        return None;
    }
    bytes.reserve(PREFIX_LEN + body_len);
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&FORMAT.to_be_bytes());
    bytes.extend_from_slice(&[0, 0]);
    bytes.extend_from_slice(&epoch.to_be_bytes());
    bytes.extend_from_slice(&first.0.to_be_bytes());
    bytes.extend_from_slice(&u32::try_from(entries.len()).ok()?.to_be_bytes());
    bytes.extend_from_slice(&u32::try_from(body_len).ok()?.to_be_bytes());
    let crc_at = bytes.len();
    bytes.extend_from_slice(&[0; 4]);
    for entry in entries {
        bytes.extend_from_slice(&entry.header.encode());
    }
    for entry in entries {
        bytes.extend_from_slice(&u32::try_from(entry.opening.len()).ok()?.to_be_bytes());
    }
    for entry in entries {
        bytes.extend_from_slice(&entry.opening);
    }
    let crc = crc32c::crc32c(bytes.get(start..crc_at)?);
    let crc = crc32c::crc32c_append(crc, bytes.get(crc_at + 4..)?);
    bytes.get_mut(crc_at..crc_at + 4)?.copy_from_slice(&crc.to_be_bytes());
    Some(())
}

impl Prefix {
    /// Reads what stands before a body; `None` for bytes that are no frame.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (bytes, _) = bytes.split_first_chunk::<PREFIX_LEN>()?;
        let (checked, crc) = bytes.split_first_chunk::<{ PREFIX_LEN - 4 }>()?;
        let (magic, rest) = checked.split_first_chunk::<4>()?;
        let (format, rest) = rest.split_first_chunk::<2>()?;
        let (_, rest) = rest.split_first_chunk::<2>()?;
        let (epoch, rest) = rest.split_first_chunk::<8>()?;
        let (first, rest) = rest.split_first_chunk::<8>()?;
        let (count, rest) = rest.split_first_chunk::<4>()?;
        let (body_len, _) = rest.split_first_chunk::<4>()?;
        let body_len = usize::try_from(u32::from_be_bytes(*body_len)).ok()?;
        if *magic != MAGIC || body_len > FRAME_BYTES_MAX {
            return None;
        }
        Some(Self {
            format: u16::from_be_bytes(*format),
            epoch: u64::from_be_bytes(*epoch),
            first: Seq(u64::from_be_bytes(*first)),
            count: usize::try_from(u32::from_be_bytes(*count)).ok()?,
            body_len,
            crc: u32::from_be_bytes(crc.first_chunk::<4>().copied()?),
            checked: *checked,
        })
    }

    /// Returns whether `body` is what was written behind this prefix.
    pub(super) fn matches(&self, body: &[u8]) -> bool {
        let crc = crc32c::crc32c(&self.checked);
        body.len() == self.body_len && crc32c::crc32c_append(crc, body) == self.crc
    }

    /// Splits a body that [`Self::matches`]; `None` if it is empty or does not add up.
    pub(super) fn body<'a>(&self, bytes: &'a [u8]) -> Option<Body<'a>> {
        let (headers, rest) = bytes.split_at_checked(self.count.checked_mul(HEADER_LEN)?)?;
        let (lens, openings) = rest.split_at_checked(self.count.checked_mul(4)?)?;
        let (headers, lens) = (headers.as_chunks().0, lens.as_chunks().0);
        let total = lens.iter().map(|len| u64::from(u32::from_be_bytes(*len))).sum::<u64>();
        let adds_up = usize::try_from(total).is_ok_and(|total| total == openings.len());
        (adds_up && self.count > 0).then_some(Body { headers, lens, openings })
    }

    /// Returns the length of the whole frame.
    pub(super) fn frame_len(&self) -> u64 {
        u64::try_from(PREFIX_LEN + self.body_len).unwrap_or(u64::MAX)
    }

    /// Returns the position after the frame's last entry, as far as its prefix tells.
    pub(super) fn next(&self) -> Seq {
        Seq(self.first.0.saturating_add(u64::try_from(self.count).unwrap_or(u64::MAX)))
    }
}

impl<'a> Body<'a> {
    /// Returns the headers as they are stored.
    pub(super) const fn headers(&self) -> &'a [[u8; HEADER_LEN]] {
        self.headers
    }

    /// Returns the openings, one for each header.
    pub(super) fn openings(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut rest = self.openings;
        self.lens.iter().map_while(move |len| {
            let len = usize::try_from(u32::from_be_bytes(*len)).ok()?;
            let (opening, behind) = rest.split_at_checked(len)?;
            rest = behind;
            Some(opening)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::time::Timestamp,
        ledger::entry::{Class, EntryHash, Header},
    };

    fn frame() -> Vec<u8> {
        let header = |seq| Header {
            seq: Seq(seq),
            at: Timestamp::from_unix_ms(0),
            class: Class::Entry,
            commitment: [1; 32],
            previous: EntryHash([2; 32]),
        };
        let entry =
            |seq, opening: &[u8]| StoredEntry { header: header(seq), opening: opening.to_vec() };
        let mut bytes = Vec::new();
        encode(4, Seq(9), &[entry(9, b"one"), entry(10, b"")], &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn a_frame_is_read_back_as_it_was_written() {
        let bytes = frame();
        let prefix = Prefix::decode(&bytes).unwrap();
        assert_eq!((prefix.epoch, prefix.first, prefix.next()), (4, Seq(9), Seq(11)));
        assert_eq!(prefix.frame_len(), u64::try_from(bytes.len()).unwrap());
        assert!(prefix.matches(&bytes[PREFIX_LEN..]));
        let body = prefix.body(&bytes[PREFIX_LEN..]).unwrap();
        assert_eq!(body.headers().len(), 2);
        assert_eq!(body.openings().collect::<Vec<_>>(), [&b"one"[..], b""]);
    }

    #[test]
    fn no_flipped_bit_leaves_a_frame_whole() {
        let bytes = frame();
        for bit in 0..bytes.len() * 8 {
            let mut other = bytes.clone();
            other[bit / 8] ^= 1 << (bit % 8);
            let is_whole =
                Prefix::decode(&other).is_some_and(|prefix| prefix.matches(&other[PREFIX_LEN..]));
            assert!(!is_whole, "bit {bit}");
        }
    }

    #[test]
    fn the_layout_is_fixed_for_good() {
        let bytes = frame();
        assert_eq!(bytes[..8], *b"IZF1\0\x01\0\0");
        assert_eq!(bytes[8..24], [0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 9]);
        assert_eq!(bytes[24..32], [0, 0, 0, 2, 0, 0, 0, 173]);
        assert_eq!(bytes.len(), PREFIX_LEN + 173);
    }
}
