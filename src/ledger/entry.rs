//! The bytes the ledger commits to: fixed headers that name nobody, chained by hash.
//!
//! Knows nothing of what an entry means; the opening travels beside the header as sealed bytes.

use sha2::{Digest, Sha256};

use crate::domain::{entry::Seq, time::Timestamp};

/// Length of a header in bytes.
pub const HEADER_LEN: usize = 81;

/// SHA-256 over a domain tag and a header: what the next entry builds on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntryHash(pub [u8; 32]);

/// What kind of entry a header announces. Deliberately coarse: whether it is an opt-in or an
/// opt-out is in the opening, so that an erased person leaves no visible history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Anything that happened.
    Entry,
    /// The erasure of other entries' openings.
    Erase,
    /// A change of keys.
    Key,
}

/// The part of an entry that stays for good.
///
/// Layout, big-endian: seq u64, time u64, class u8, commitment 32 bytes, previous hash 32 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Position.
    pub seq: Seq,
    /// Time in milliseconds, rounded down to the minute; the exact one is in the opening.
    pub at: Timestamp,
    /// Kind.
    pub class: Class,
    /// Salted commitment to the payload.
    pub commitment: [u8; 32],
    /// Hash of the entry before.
    pub previous: EntryHash,
}

/// An entry as stored: the header, and the payload sealed for its contact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEntry {
    /// What is chained.
    pub header: Header,
    /// What was committed to, sealed.
    pub opening: Vec<u8>,
}

/// The end of the chain: what the next entry builds on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Position the next entry will have; also how many entries there are.
    pub next: Seq,
    /// Hash of the last entry; zeroes when there is none.
    pub hash: EntryHash,
}

/// A run of entries is not what was written. Names the first bad position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// The header has a class nobody knows.
    #[error("entry {seq} has an unknown class")]
    Class {
        /// Position according to the header.
        seq: u64,
    },
    /// The position is not the next one.
    #[error("expected entry {expected}, found {found}")]
    Seq {
        /// Position that should come.
        expected: u64,
        /// Position that came.
        found: u64,
    },
    /// The header does not build on the entry before.
    #[error("entry {seq} does not build on the entry before it")]
    Previous {
        /// Its position.
        seq: u64,
    },
    /// The time is before 1970, not a whole minute, or earlier than that of the entry before.
    #[error("entry {seq} has a time that cannot follow")]
    Time {
        /// Its position.
        seq: u64,
    },
}

impl Class {
    const fn byte(self) -> u8 {
        match self {
            Self::Entry => 1,
            Self::Erase => 2,
            Self::Key => 3,
        }
    }

    const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Entry),
            2 => Some(Self::Erase),
            3 => Some(Self::Key),
            _ => None,
        }
    }
}

impl Header {
    /// Writes the header in its fixed layout.
    ///
    /// A time before 1970 has no encoding and is written as 1970; [`Chain::extend`] refuses it.
    pub fn encode(&self) -> [u8; HEADER_LEN] {
        let mut bytes = [0; HEADER_LEN];
        let at = self.at.unix_ms().max(0).unsigned_abs();
        let rest = put(&mut bytes, &self.seq.0.to_be_bytes());
        let rest = put(rest, &at.to_be_bytes());
        let rest = put(rest, &[self.class.byte()]);
        let rest = put(rest, &self.commitment);
        put(rest, &self.previous.0);
        bytes
    }

    /// Reads a header. Only one encoding gives one header: encoding it again gives `bytes`.
    ///
    /// # Errors
    ///
    /// [`ChainError::Class`] for a class nobody knows, [`ChainError::Time`] for a time beyond
    /// what a [`Timestamp`] holds; any other bytes are a header, which only the chain can refute.
    pub fn decode(bytes: &[u8; HEADER_LEN]) -> Result<Self, ChainError> {
        let (seq, rest) = take::<8>(bytes);
        let (at, rest) = take::<8>(rest);
        let (class, rest) = take::<1>(rest);
        let (commitment, rest) = take::<32>(rest);
        let (previous, _) = take::<32>(rest);
        let seq = u64::from_be_bytes(seq);
        let class = Class::from_byte(u8::from_be_bytes(class)).ok_or(ChainError::Class { seq })?;
        let at =
            i64::try_from(u64::from_be_bytes(at)).map_err(|_beyond| ChainError::Time { seq })?;
        Ok(Self {
            seq: Seq(seq),
            at: Timestamp::from_unix_ms(at),
            class,
            commitment,
            previous: EntryHash(previous),
        })
    }

    /// Returns the hash the next entry builds on.
    pub fn entry_hash(&self) -> EntryHash {
        entry_hash(&self.encode())
    }

    /// Returns the hash of this entry as a leaf of the ledger's tree. Source: RFC 6962, 2.1.
    pub fn leaf_hash(&self) -> [u8; 32] {
        Sha256::new().chain_update([0]).chain_update(self.encode()).finalize().into()
    }
}

/// Returns how many bytes of a log entries take: a header, a length and an opening each.
pub fn stored_len(entries: &[StoredEntry]) -> usize {
    let lens = entries.iter().map(|entry| entry.opening.len().saturating_add(HEADER_LEN + 4));
    lens.fold(0, usize::saturating_add)
}

/// Returns the hash of an encoded header.
pub fn entry_hash(header: &[u8; HEADER_LEN]) -> EntryHash {
    let hash = Sha256::new().chain_update(b"izin/entry/v1\0").chain_update(header).finalize();
    EntryHash(hash.into())
}

/// Returns the commitment to a payload under a salt.
pub fn commitment(salt: &[u8; 32], payload: &[u8]) -> [u8; 32] {
    let len = u64::try_from(payload.len()).unwrap_or(u64::MAX);
    Sha256::new()
        .chain_update(b"izin/commit/v1\0")
        .chain_update(salt)
        .chain_update(len.to_be_bytes())
        .chain_update(payload)
        .finalize()
        .into()
}

impl Head {
    /// The head of an empty ledger.
    pub const EMPTY: Self = Self { next: Seq(0), hash: EntryHash([0; 32]) };

    /// Returns the head after `header`. Does not look at its time: see [`Chain`].
    ///
    /// # Errors
    ///
    /// [`ChainError`] when the header does not follow.
    pub fn extend(self, header: &Header) -> Result<Self, ChainError> {
        let seq = header.seq.0;
        if header.seq != self.next {
            return Err(ChainError::Seq { expected: self.next.0, found: seq });
        }
        if header.previous != self.hash {
            return Err(ChainError::Previous { seq });
        }
        Ok(Self { next: self.next.next(), hash: header.entry_hash() })
    }
}

/// Verifies a run of headers from the first entry on: position, previous hash, class and time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chain {
    head: Head,
    at: Timestamp,
}

impl Chain {
    /// The chain before the first entry.
    pub const EMPTY: Self = Self { head: Head::EMPTY, at: Timestamp::from_unix_ms(0) };

    /// Returns the head that was reached.
    pub const fn head(&self) -> Head {
        self.head
    }

    /// Takes the next header; leaves the chain as it was when that does not follow.
    ///
    /// # Errors
    ///
    /// [`ChainError`].
    pub fn extend(&mut self, header: &Header) -> Result<(), ChainError> {
        let is_minute = header.at.floor_minute() == header.at;
        if header.at < self.at || !is_minute {
            return Err(ChainError::Time { seq: header.seq.0 });
        }
        self.head = self.head.extend(header)?;
        self.at = header.at;
        Ok(())
    }

    /// Takes all of `entries`, or none.
    ///
    /// # Errors
    ///
    /// [`ChainError`] of the first entry that does not follow.
    pub fn extend_all(&mut self, entries: &[StoredEntry]) -> Result<(), ChainError> {
        let mut chain = *self;
        for entry in entries {
            chain.extend(&entry.header)?;
        }
        *self = chain;
        Ok(())
    }
}

/// Writes `part` at the start of `bytes` and returns what is left; the layout adds up to its
/// fixed length, so there is always room.
fn put<'a>(bytes: &'a mut [u8], part: &[u8]) -> &'a mut [u8] {
    match bytes.split_at_mut_checked(part.len()) {
        Some((place, rest)) => {
            place.copy_from_slice(part);
            rest
        }
        None => &mut [],
    }
}

/// Splits `N` bytes off; callers pass slices of known length.
fn take<const N: usize>(bytes: &[u8]) -> ([u8; N], &[u8]) {
    bytes.split_first_chunk::<N>().map_or(([0; N], &[][..]), |(head, tail)| (*head, tail))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn header(seq: u64, previous: EntryHash) -> Header {
        Header {
            seq: Seq(seq),
            at: Timestamp::from_unix_ms(60_000),
            class: Class::Entry,
            commitment: commitment(&[7; 32], b"payload"),
            previous,
        }
    }

    #[test]
    fn a_header_survives_its_encoding() {
        let header = header(9, EntryHash([3; 32]));
        assert_eq!(Header::decode(&header.encode()), Ok(header));
    }

    #[test]
    fn the_chain_refuses_gaps_repeats_and_forks() {
        let first = header(0, EntryHash([0; 32]));
        let head = Head::EMPTY.extend(&first).unwrap();
        assert!(matches!(head.extend(&first), Err(ChainError::Seq { expected: 1, found: 0 })));
        let fork = header(1, EntryHash([9; 32]));
        assert_eq!(head.extend(&fork), Err(ChainError::Previous { seq: 1 }));
        assert!(head.extend(&header(1, head.hash)).is_ok());
    }

    #[test]
    fn a_time_that_steps_back_or_tells_seconds_or_comes_before_1970_is_refused() {
        let mut chain = Chain::EMPTY;
        chain.extend(&header(0, chain.head().hash)).unwrap();
        for ms in [-60_000, 0, 60_001] {
            let at = Timestamp::from_unix_ms(ms);
            let late = Header { at, ..header(1, chain.head().hash) };
            assert_eq!(chain.extend(&late), Err(ChainError::Time { seq: 1 }), "{ms} ms");
        }
        chain.extend(&header(1, chain.head().hash)).unwrap();
    }

    #[test]
    fn a_chain_takes_all_of_a_group_or_none() {
        let first = StoredEntry { header: header(0, EntryHash([0; 32])), opening: Vec::new() };
        let mut chain = Chain::EMPTY;
        let group = [first.clone(), first.clone()];
        assert!(matches!(chain.extend_all(&group), Err(ChainError::Seq { .. })));
        assert_eq!(chain, Chain::EMPTY);
        chain.extend_all(&group[..1]).unwrap();
        assert_eq!(chain.head().next, Seq(1));
    }

    #[test]
    fn the_encoding_of_a_header_is_fixed_for_good() {
        let bytes = header(258, EntryHash([3; 32])).encode();
        assert_eq!(bytes[..17], [0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0, 0, 0xEA, 0x60, 1]);
        assert_eq!(
            hex::encode(entry_hash(&bytes).0),
            "eb0d47dafb3df216eaa3ddb30e501e1151443229637a4bdc01b8f5939022169d"
        );
        assert_eq!(
            hex::encode(Header::decode(&bytes).unwrap().leaf_hash()),
            "bb31842a11b1c4550c0f52db4385b325d4e37c84b6a83588a2201c540b2e1ee9"
        );
    }

    #[test]
    fn the_length_is_part_of_the_commitment() {
        assert_ne!(commitment(&[0; 32], b""), commitment(&[0; 32], b"\0"));
    }

    proptest! {
        #[test]
        fn whatever_decodes_encodes_to_the_same_bytes(
            mut bytes in prop::array::uniform32(any::<u8>()).prop_map(|seed| {
                let mut bytes = [0; HEADER_LEN];
                for (place, byte) in bytes.iter_mut().enumerate() {
                    *byte = seed[place % 32];
                }
                bytes
            }),
            class in 1_u8..=3,
        ) {
            bytes[16] = class;
            if let Ok(header) = Header::decode(&bytes) {
                prop_assert_eq!(header.encode(), bytes);
            } else {
                prop_assert!(bytes[8] >= 0x80);
            }
        }

        #[test]
        fn one_flipped_bit_changes_the_hash_or_is_refused(bit in 0_usize..HEADER_LEN * 8) {
            let header = header(5, EntryHash([1; 32]));
            let mut bytes = header.encode();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let noticed = Header::decode(&bytes)
                .map_or(true, |other| other.entry_hash() != header.entry_hash());
            prop_assert!(noticed);
        }
    }
}
