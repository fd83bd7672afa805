//! Sealing: everything personal is encrypted with a key of its contact before it is stored.
//!
//! XChaCha20-Poly1305 throughout. Destroying a contact's key makes all of it unreadable while the
//! chain, which only holds commitments, still verifies.

use std::fmt;

use rand::CryptoRng;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::{
    domain::entry::{Seq, Subject},
    ledger::{
        cipher::{self, NONCE_LEN, Refused, TAG_LEN},
        entry::{StoredEntry, commitment},
    },
};

const FORMAT: u8 = 1;
const SALT_LEN: usize = 32;

/// A data encryption key: one per contact, and one for the service itself.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Dek([u8; 32]);

/// Hides whose entry an entry is from anyone without this key.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct MaskKey([u8; 32]);

/// Something sealed cannot be opened. Never says what was in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The bytes are not in a form this version knows.
    #[error("the sealed bytes have an unknown form")]
    Form,
    /// Another key, another place, or changed bytes.
    #[error("the sealed bytes do not open with this key at this place")]
    Key,
    /// What was sealed is not what the header commits to.
    #[error("the opening is not what the header commits to")]
    Commitment,
}

impl Dek {
    /// Wraps key bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Draws a new key.
    pub fn generate(random: &mut impl CryptoRng) -> Self {
        let mut bytes = [0; 32];
        random.fill_bytes(&mut bytes);
        Self(bytes)
    }

    pub(super) const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Seals a document that is stored at `place`; it opens nowhere else.
    ///
    /// The result is the plaintext's length plus 41 bytes.
    ///
    /// # Errors
    ///
    /// [`OpenError::Form`] for a plaintext longer than the cipher allows (256 GiB).
    pub fn seal(
        &self,
        place: &[u8],
        plaintext: &[u8],
        random: &mut impl CryptoRng,
    ) -> Result<Vec<u8>, OpenError> {
        let mut bytes = Vec::with_capacity(1 + NONCE_LEN + plaintext.len() + TAG_LEN);
        self.seal_onto(place, [plaintext], &mut bytes, random)?;
        Ok(bytes)
    }

    /// As [`Self::seal`], for a plaintext in parts, and behind what `bytes` already holds. The
    /// plaintext is nowhere but in `bytes`, and there only until it is sealed.
    fn seal_onto<const N: usize>(
        &self,
        place: &[u8],
        plaintext: [&[u8]; N],
        bytes: &mut Vec<u8>,
        random: &mut impl CryptoRng,
    ) -> Result<(), OpenError> {
        let mut nonce = [0; NONCE_LEN];
        random.fill_bytes(&mut nonce);
        bytes.push(FORMAT);
        bytes.extend_from_slice(&nonce);
        let from = bytes.len();
        for part in plaintext {
            bytes.extend_from_slice(part);
        }
        cipher::seal(&self.0, &nonce, place, bytes, from).map_err(|Refused| OpenError::Form)
    }

    /// Opens what [`Self::seal`] sealed for the same place.
    ///
    /// # Errors
    ///
    /// [`OpenError::Form`] or [`OpenError::Key`].
    pub fn open(&self, place: &[u8], sealed: &[u8]) -> Result<Vec<u8>, OpenError> {
        let (format, rest) = sealed.split_first().ok_or(OpenError::Form)?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_LEN>().ok_or(OpenError::Form)?;
        if *format != FORMAT {
            return Err(OpenError::Form);
        }
        let mut bytes = sealed.to_vec();
        let text = cipher::open(&self.0, nonce, place, &mut bytes);
        let len = text.map_err(|Refused| OpenError::Key)?.len();
        bytes.truncate(len);
        Ok(bytes)
    }
}

impl MaskKey {
    /// Wraps key bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    fn mask(&self, seq: Seq, commitment: &[u8; 32]) -> u32 {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        hasher.update(&seq.0.to_be_bytes()).update(commitment);
        let hash = hasher.finalize();
        hash.as_bytes().first_chunk::<4>().map_or(0, |bytes| u32::from_be_bytes(*bytes))
    }
}

/// Seals an entry's payload: masked subject, then salt and payload under the contact's key.
///
/// # Errors
///
/// [`OpenError::Form`] for a payload longer than the cipher allows.
pub fn seal_opening(
    mask: &MaskKey,
    dek: &Dek,
    subject: Subject,
    seq: Seq,
    salt: &[u8; SALT_LEN],
    payload: &[u8],
    random: &mut impl CryptoRng,
) -> Result<(Vec<u8>, [u8; 32]), OpenError> {
    let commitment = commitment(salt, payload);
    let masked = subject.0 ^ mask.mask(seq, &commitment);
    let len = 4 + 1 + NONCE_LEN + SALT_LEN + payload.len() + TAG_LEN;
    let mut opening = Vec::with_capacity(len);
    opening.extend_from_slice(&masked.to_be_bytes());
    dek.seal_onto(&place(seq, &commitment), [salt, payload], &mut opening, random)?;
    Ok((opening, commitment))
}

/// Returns whom an entry is about. Needs no key of theirs.
///
/// # Errors
///
/// [`OpenError::Form`] when the opening is too short to say.
pub fn subject_of(mask: &MaskKey, entry: &StoredEntry) -> Result<Subject, OpenError> {
    let (masked, _) = entry.opening.split_first_chunk::<4>().ok_or(OpenError::Form)?;
    let mask = mask.mask(entry.header.seq, &entry.header.commitment);
    Ok(Subject(u32::from_be_bytes(*masked) ^ mask))
}

/// An opened entry: what the header commits to, in full. Personal data; `Debug` redacts it.
#[derive(Clone, PartialEq, Eq)]
pub struct Opened {
    /// The salt of the commitment.
    pub salt: [u8; SALT_LEN],
    /// What was recorded.
    pub payload: Vec<u8>,
}

/// Opens an entry and holds it against its header.
///
/// # Errors
///
/// [`OpenError`].
pub fn open_opening(dek: &Dek, entry: &StoredEntry) -> Result<Opened, OpenError> {
    let (_, sealed) = entry.opening.split_first_chunk::<4>().ok_or(OpenError::Form)?;
    let header = &entry.header;
    let mut plaintext = dek.open(&place(header.seq, &header.commitment), sealed)?;
    let (salt, payload) = plaintext.split_first_chunk::<SALT_LEN>().ok_or(OpenError::Form)?;
    if commitment(salt, payload) != header.commitment {
        return Err(OpenError::Commitment);
    }
    let salt = *salt;
    plaintext.drain(..SALT_LEN);
    Ok(Opened { salt, payload: plaintext })
}

fn place(seq: Seq, commitment: &[u8; 32]) -> [u8; 40] {
    let mut place = [0; 40];
    let source = seq.0.to_be_bytes().into_iter().chain(*commitment);
    for (target, byte) in place.iter_mut().zip(source) {
        *target = byte;
    }
    place
}

impl fmt::Debug for Dek {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Dek(redacted)")
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Opened(redacted)")
    }
}

impl fmt::Debug for MaskKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MaskKey(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng, rngs::StdRng};

    use super::*;
    use crate::{
        domain::time::Timestamp,
        ledger::entry::{Class, EntryHash, Header},
    };

    fn sealed(subject: Subject, payload: &[u8]) -> (MaskKey, Dek, StoredEntry) {
        let mut random = StdRng::seed_from_u64(1);
        let (mask, dek) = (MaskKey([9; 32]), Dek::generate(&mut random));
        let seq = Seq(4);
        let (opening, commitment) =
            seal_opening(&mask, &dek, subject, seq, &[5; 32], payload, &mut random).unwrap();
        let header = Header {
            seq,
            at: Timestamp::from_unix_ms(0),
            class: Class::Entry,
            commitment,
            previous: EntryHash([0; 32]),
        };
        (mask, dek, StoredEntry { header, opening })
    }

    #[test]
    fn what_is_sealed_opens_with_its_key_and_tells_its_subject_without() {
        let (mask, dek, entry) = sealed(Subject(77), b"hello");
        assert_eq!(subject_of(&mask, &entry), Ok(Subject(77)));
        assert_eq!(open_opening(&dek, &entry).unwrap().payload, b"hello");
        assert_ne!(subject_of(&MaskKey([8; 32]), &entry), Ok(Subject(77)));
    }

    #[test]
    fn the_bytes_of_an_opening_are_fixed_for_good() {
        let (_, _, entry) = sealed(Subject(77), b"hello");
        assert_eq!(
            hex::encode(&entry.opening),
            "e745027a0154743dc5e24d2a413b159584c1226df6eccfc4caa8cd7b63806c30303c8d73fd8a384640ca\
             ab948edbc1a5cd92385416b53a65b53c9e7702d4488fb01fb8673c86051550089804b53b0c0c49cb"
        );
    }

    #[test]
    fn no_single_changed_byte_of_an_opening_goes_unnoticed() {
        let (mask, dek, entry) = sealed(Subject(77), b"hello");
        for place in 0..entry.opening.len() {
            let mut other = entry.clone();
            other.opening[place] ^= 1;
            let same_subject = subject_of(&mask, &other) == Ok(Subject(77));
            assert!(!same_subject || open_opening(&dek, &other).is_err(), "byte {place}");
        }
    }

    #[test]
    fn an_opening_does_not_open_at_another_place() {
        let (_, dek, mut entry) = sealed(Subject(1), b"hello");
        entry.header.seq = Seq(5);
        assert_eq!(open_opening(&dek, &entry), Err(OpenError::Key));
    }

    #[test]
    fn an_opened_entry_is_not_printed() {
        let (_, dek, entry) = sealed(Subject(1), b"+12025550123");
        let opened = open_opening(&dek, &entry);
        assert_eq!(format!("{opened:?}"), "Ok(Opened(redacted))");
    }

    #[test]
    fn an_opening_holds_nothing_readable() {
        let (_, _, entry) = sealed(Subject(1), b"+12025550123");
        assert!(!entry.opening.windows(6).any(|window| window == b"202555"));
    }
}
