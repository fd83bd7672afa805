//! Where new identifiers come from.
//!
//! Order is never read out of an identifier: that is what `seq` is for.

use std::{
    fmt::{Debug, Display, Formatter},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use rand::RngCore;
use uuid::{Builder, Uuid};

use crate::runtime::clock::Clock;

/// Makes identifiers that nobody has had before. Handed in, never reached for.
pub trait IdSource: Debug + Send + Sync + 'static {
    /// Returns a new UUID.
    fn next(&self) -> Uuid;
}

/// UUID version 7: milliseconds of the clock it was given, then 74 random bits.
///
/// Source: RFC 9562, section 5.7.
#[derive(Debug, Clone)]
pub struct UuidV7Source {
    clock: Arc<dyn Clock>,
}

impl UuidV7Source {
    /// Makes a source that reads this clock.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock }
    }
}

impl IdSource for UuidV7Source {
    fn next(&self) -> Uuid {
        let mut chance = [0; 10];
        rand::rng().fill_bytes(&mut chance);
        let unix_ms = u64::try_from(self.clock.now().unix_ms()).unwrap_or(0);
        Builder::from_unix_timestamp_millis(unix_ms, &chance).into_uuid()
    }
}

/// Counts from one, in the shape of UUID version 7. For tests.
#[derive(Debug, Default)]
pub struct CountingSource(AtomicU64);

impl IdSource for CountingSource {
    fn next(&self) -> Uuid {
        let count = self.0.fetch_add(1, Ordering::SeqCst) + 1;
        let mut chance = [0; 10];
        for (place, byte) in chance.iter_mut().rev().zip(count.to_le_bytes()) {
            *place = byte;
        }
        Builder::from_unix_timestamp_millis(0, &chance).into_uuid()
    }
}

/// Characters in a [`RequestId`]: 64 bits, five to a character.
pub const REQUEST_ID_CHARS: usize = 13;

/// Digits and lower-case letters without `i`, `l`, `o`, `u`, which are misread or misspelt.
///
/// Source: Crockford's base 32.
const BASE32: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Names one request in replies and logs. Costs no allocation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId([u8; REQUEST_ID_CHARS]);

impl RequestId {
    fn of(mut bits: u64) -> Self {
        let mut text = [b'0'; REQUEST_ID_CHARS];
        for place in text.iter_mut().rev() {
            let [.., low] = (bits & 31).to_be_bytes();
            *place = BASE32.get(usize::from(low)).copied().unwrap_or(b'0');
            bits >>= 5;
        }
        Self(text)
    }

    /// Returns the thirteen characters.
    pub fn as_str(&self) -> &str {
        // Only characters of the alphabet get in.
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl Display for RequestId {
    fn fmt(&self, out: &mut Formatter<'_>) -> std::fmt::Result {
        out.write_str(self.as_str())
    }
}

impl Debug for RequestId {
    fn fmt(&self, out: &mut Formatter<'_>) -> std::fmt::Result {
        write!(out, "RequestId({self})")
    }
}

/// Names requests: one atomic addition each, no system call.
///
/// A name is not given twice before 2^64 others, starts somewhere else at every boot, and does
/// not show how many requests there were.
#[derive(Debug)]
pub struct RequestIds(AtomicU64);

impl RequestIds {
    /// An odd number, so that adding it visits every value before any of them again; about
    /// 2^64 divided by the golden ratio, so that neighbours look nothing like each other.
    const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

    /// Starts at a place chosen by chance.
    pub fn start(chance: &mut impl RngCore) -> Self {
        Self(AtomicU64::new(chance.next_u64()))
    }

    /// Returns the next name.
    pub fn next(&self) -> RequestId {
        RequestId::of(self.0.fetch_add(Self::STEP, Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use rand::{SeedableRng, rngs::StdRng};

    use super::*;
    use crate::runtime::clock::ManualClock;

    #[test]
    fn a_uuid_carries_the_time_of_its_clock() {
        let source = UuidV7Source::new(Arc::new(ManualClock::at(1_700_000_000_123)));
        let (first, second) = (source.next(), source.next());
        assert_eq!(first.get_version_num(), 7);
        assert_eq!(first.get_timestamp().unwrap().to_unix(), (1_700_000_000, 123_000_000));
        assert_ne!(first, second);
    }

    #[test]
    fn counting_starts_at_one_and_keeps_the_shape_of_version_7() {
        let source = CountingSource::default();
        assert_eq!(source.next().to_string(), "00000000-0000-7000-8000-000000000001");
        assert_eq!(source.next().to_string(), "00000000-0000-7000-8000-000000000002");
    }

    #[test]
    fn a_million_requests_have_a_million_names() {
        let ids = RequestIds::start(&mut StdRng::seed_from_u64(1));
        let names: BTreeSet<_> = (0..1_000_000).map(|_| ids.next()).collect();
        assert_eq!(names.len(), 1_000_000);
    }

    #[test]
    fn another_boot_names_requests_differently() {
        let first = RequestIds::start(&mut StdRng::seed_from_u64(1)).next();
        assert_ne!(first, RequestIds::start(&mut StdRng::seed_from_u64(2)).next());
    }

    proptest! {
        #[test]
        fn a_name_shows_all_64_bits(bits: u64) {
            let text = RequestId::of(bits).to_string();
            let read = text.bytes().fold(0_u128, |sum, byte| {
                let digit = BASE32.iter().position(|letter| *letter == byte).unwrap();
                sum * 32 + u128::try_from(digit).unwrap()
            });
            prop_assert_eq!(read, u128::from(bits));
        }
    }
}
