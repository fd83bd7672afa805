//! The keyed hash that is stored of a key, and the only comparison of keys there is.
//!
//! Plain HMAC rather than a slow password hash: a key holds 256 random bits, so there is nothing
//! to try out, and a check costs about a microsecond instead of a tenth of a second. People's
//! passwords are another matter and are not handled here.

use std::fmt::{Debug, Formatter};

use hmac::{Hmac, Mac};
use sha2::Sha256;
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

use crate::{domain::access::KeyHash, keys::text::ApiKey};

/// Hashes keys under the pepper: a secret kept apart from the data and its backups.
#[derive(Clone)]
pub struct KeyHasher {
    /// HMAC with the pepper already taken in, which saves half of the work per key.
    peppered: Hmac<Sha256>,
}

impl KeyHasher {
    /// Takes the pepper in.
    ///
    /// # Panics
    ///
    /// Never: HMAC takes keys of any length.
    pub fn new(pepper: &[u8; 32]) -> Self {
        #[expect(clippy::expect_used, reason = "the library's signature allows for other MACs")]
        let peppered = Hmac::new_from_slice(pepper).expect("HMAC takes keys of any length");
        Self { peppered }
    }

    /// Returns what to store of a key: HMAC-SHA-256 of its whole text.
    pub fn hash(&self, key: &ApiKey) -> KeyHash {
        let mut mac = self.peppered.clone();
        mac.update(key.expose().as_bytes());
        KeyHash::from_bytes(mac.finalize().into_bytes().into())
    }

    /// Returns the place of the stored hash that belongs to the key, if any does.
    ///
    /// A key being rotated has two. Takes the same time whichever fits and however nearly, and
    /// hashes also when nothing is stored, so that an unknown id cannot be told from a wrong
    /// secret by the clock.
    pub fn verify<'hash>(
        &self,
        key: &ApiKey,
        stored: impl IntoIterator<Item = &'hash KeyHash>,
    ) -> Option<usize> {
        let presented = self.hash(key);
        let mut fits = Choice::from(0);
        let mut place = 0_u64;
        for (at, hash) in (0_u64..).zip(stored) {
            let same = same(presented.as_bytes(), hash.as_bytes());
            place.conditional_assign(&at, same & !fits);
            fits |= same;
        }
        if bool::from(fits) { usize::try_from(place).ok() } else { None }
    }
}

/// Compares eight bytes at a time: byte by byte the library spends longer on hiding its steps from
/// the compiler than on comparing.
fn same(one: &[u8; 32], other: &[u8; 32]) -> Choice {
    let words = |bytes: &[u8; 32]| {
        let (words, _) = bytes.as_chunks::<8>();
        words.first_chunk::<4>().map_or([0; 4], |words| words.map(u64::from_ne_bytes))
    };
    words(one).as_slice().ct_eq(words(other).as_slice())
}

impl Debug for KeyHasher {
    fn fmt(&self, out: &mut Formatter<'_>) -> std::fmt::Result {
        out.write_str("KeyHasher(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng, rngs::StdRng};

    use super::*;
    use crate::domain::access::{KeyEnv, KeyKind};

    fn key(seed: u64) -> ApiKey {
        ApiKey::generate(KeyKind::Secret, KeyEnv::Live, &mut StdRng::seed_from_u64(seed))
    }

    struct Any;
    struct Comparable;

    /// Holds once for every type, and once more for types with `==`: naming it for one of the
    /// latter is ambiguous and does not compile.
    trait WithoutEquality<Marker> {
        fn holds() {}
    }
    impl<T: ?Sized> WithoutEquality<Any> for T {}
    impl<T: ?Sized + PartialEq> WithoutEquality<Comparable> for T {}

    #[test]
    fn neither_a_key_nor_its_hash_can_be_compared_with_the_usual_operator() {
        <ApiKey as WithoutEquality<_>>::holds();
        <KeyHash as WithoutEquality<_>>::holds();
    }

    #[test]
    fn the_hash_is_hmac_sha_256_of_the_whole_text() {
        let mut mac = Hmac::<Sha256>::new_from_slice(&[7; 32]).unwrap();
        mac.update(key(1).expose().as_bytes());
        let expected: [u8; 32] = mac.finalize().into_bytes().into();
        assert_eq!(KeyHasher::new(&[7; 32]).hash(&key(1)).as_bytes(), &expected);
    }

    #[test]
    fn a_key_fits_its_own_hash_and_no_other() {
        let hasher = KeyHasher::new(&[7; 32]);
        let (mine, other) = (hasher.hash(&key(1)), hasher.hash(&key(2)));
        assert_eq!(hasher.verify(&key(1), [&mine]), Some(0));
        assert_eq!(hasher.verify(&key(1), [&other]), None);
        assert_eq!(hasher.verify(&key(1), []), None);
    }

    #[test]
    fn while_a_key_is_rotated_both_fit() {
        let hasher = KeyHasher::new(&[7; 32]);
        let stored = [hasher.hash(&key(1)), hasher.hash(&key(2))];
        assert_eq!(hasher.verify(&key(1), &stored), Some(0));
        assert_eq!(hasher.verify(&key(2), &stored), Some(1));
        assert_eq!(hasher.verify(&key(3), &stored), None);
        let twice = [hasher.hash(&key(1)), hasher.hash(&key(1))];
        assert_eq!(hasher.verify(&key(1), &twice), Some(0));
    }

    #[test]
    fn one_flipped_bit_anywhere_in_the_hash_is_noticed() {
        let hasher = KeyHasher::new(&[7; 32]);
        let hash = *hasher.hash(&key(1)).as_bytes();
        for bit in 0..256 {
            let mut flipped = hash;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(hasher.verify(&key(1), [&KeyHash::from_bytes(flipped)]), None, "{bit}");
        }
    }

    #[test]
    fn under_another_pepper_nothing_fits() {
        let stored = KeyHasher::new(&[7; 32]).hash(&key(1));
        assert_eq!(KeyHasher::new(&[8; 32]).verify(&key(1), [&stored]), None);
    }
}
