//! What the database says of itself: its format, and how far it has followed the ledger.
//!
//! Written in the same batch as what it is about, so that it is never ahead or behind.

use crate::{
    domain::entry::Seq,
    ledger::{
        entry::{EntryHash, Head},
        log::LogReader,
    },
    store::StoreError,
};

/// Version of everything this folder stores, documents included. Another version is no error:
/// the database is folded again.
pub(super) const FORMAT: u8 = 3;

const LEN: usize = 45;

/// Writes it: format u8, next entry to apply u64, hash of the entry before 32 bytes, CRC-32C.
pub(super) fn encode(applied: Head) -> Vec<u8> {
    let body = [&[FORMAT][..], &applied.next.0.to_be_bytes(), &applied.hash.0].concat();
    let crc = crc32c::crc32c(&body).to_be_bytes();
    [&body[..], &crc].concat()
}

/// Reads it.
///
/// # Errors
///
/// [`StoreError::Format`] for a format of another version; [`StoreError::Damaged`].
pub(super) fn decode(bytes: &[u8]) -> Result<Head, StoreError> {
    let damaged = || StoreError::Damaged { what: "how far it followed the ledger" };
    let (format, _) = bytes.split_first().ok_or_else(damaged)?;
    if *format != FORMAT {
        return Err(StoreError::Format { format: *format });
    }
    let bytes: &[u8; LEN] = bytes.try_into().map_err(|_length| damaged())?;
    let (body, crc) = bytes.split_last_chunk::<4>().ok_or_else(damaged)?;
    if crc32c::crc32c(body).to_be_bytes() != *crc {
        return Err(damaged());
    }
    let (_, numbers) = body.split_first().ok_or_else(damaged)?;
    let (next, hash) = numbers.split_first_chunk::<8>().ok_or_else(damaged)?;
    let hash: [u8; 32] = hash.try_into().map_err(|_length| damaged())?;
    Ok(Head { next: Seq(u64::from_be_bytes(*next)), hash: EntryHash(hash) })
}

/// Holds what was followed against a ledger.
///
/// # Errors
///
/// [`StoreError::OtherLedger`] when the ledger is shorter or has another entry at that place;
/// [`StoreError::Log`].
pub(super) fn verify(applied: Head, log: &dyn LogReader) -> Result<(), StoreError> {
    let Some(last) = applied.next.0.checked_sub(1) else { return Ok(()) };
    let entry = log.entry(Seq(last))?.ok_or(StoreError::OtherLedger)?;
    let is_same = entry.header.entry_hash() == applied.hash;
    if is_same { Ok(()) } else { Err(StoreError::OtherLedger) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_no_flipped_bit_goes_unnoticed() {
        let head = Head { next: Seq(77), hash: EntryHash([5; 32]) };
        let bytes = encode(head);
        assert_eq!(decode(&bytes).unwrap(), head);
        for bit in 0..bytes.len() * 8 {
            let mut other = bytes.clone();
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(decode(&other).is_err(), "bit {bit}");
        }
        assert!(decode(&[]).is_err());
    }
}
