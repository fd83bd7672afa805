//! How often publishable keys may be used: so often per key and per network of callers.
//!
//! Everybody can read such a key out of a page, so nothing about it stops a program from calling
//! as often as it likes. Each key and each network has a token bucket for calls that write and
//! one for calls that read; a call takes one token from the bucket of its key and one from that
//! of its network, or none at all. It does not know what a call is about.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    num::NonZeroU32,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::{domain::access::KeyId, keys::source::Source};

/// How long an empty bucket takes to be full again, in milliseconds.
const REFILL_MS: u64 = 60_000;

/// Buckets kept one by one; networks and keys beyond share one bucket each. About 3 MB.
pub const BUCKETS_MAX: usize = 32_768;

/// Full passes over the memory are this many milliseconds apart at least.
const SWEEP_EVERY_MS: u64 = 1_000;

/// What a call does, as far as limits are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Use {
    /// It reads nothing that is stored and leaves nothing behind.
    Read,
    /// It leaves something behind.
    Write,
}

/// Calls per minute: so many at once, then one more each time a minute's share has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Per network of callers: 256 IPv4 addresses, or a /56 of IPv6.
    pub per_network: NonZeroU32,
    /// Per key.
    pub per_key: NonZeroU32,
}

/// The quotas of both uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ThrottleLimits {
    /// Of calls that read.
    pub reads: Quota,
    /// Of calls that write.
    pub writes: Quota,
}

/// How full one bucket is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Level {
    /// Calls a full bucket allows.
    pub quota: u32,
    /// Calls it allows now.
    pub left: u32,
    /// Seconds until it is full again.
    pub full_in_s: u64,
}

/// How full both buckets of a call are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Levels {
    /// That of the network.
    pub network: Level,
    /// That of the key.
    pub key: Level,
}

/// A call too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many calls; the next is taken in {retry_after_s} s")]
pub struct TooManyCalls {
    /// How full the buckets are.
    pub levels: Levels,
    /// Seconds until both have a token, at least one.
    pub retry_after_s: u64,
}

/// Counts calls. Shared by all workers.
#[derive(Debug)]
pub struct Throttle {
    limits: ThrottleLimits,
    buckets: Mutex<Buckets>,
}

#[derive(Debug, Default)]
struct Buckets {
    used: BTreeMap<(Use, Source), Bucket>,
    swept_ms: u64,
}

/// What was taken and has not flowed back, in tokens times [`REFILL_MS`]: whole numbers stay
/// exact for every quota, because a quota flows back in each refill period.
#[derive(Debug, Clone, Copy, Default)]
struct Bucket {
    taken: u64,
    at_ms: u64,
}

impl Throttle {
    /// Starts with full buckets.
    pub fn new(limits: ThrottleLimits) -> Self {
        Self { limits, buckets: Mutex::default() }
    }

    /// Takes one token from the bucket of the network and one from that of the key.
    ///
    /// `now_ms` is a monotonic reading.
    ///
    /// # Errors
    ///
    /// [`TooManyCalls`] when one of them is empty. Nothing is taken then: waiting as told is
    /// enough, however often somebody asks meanwhile.
    pub fn take(
        &self,
        what: Use,
        caller: IpAddr,
        key: KeyId,
        now_ms: u64,
    ) -> Result<Levels, TooManyCalls> {
        let quota = match what {
            Use::Read => self.limits.reads,
            Use::Write => self.limits.writes,
        };
        let mut buckets = self.lock();
        buckets.make_room(&self.limits, now_ms);
        let network_place = buckets.place(what, Source::network(caller));
        let network = buckets.bucket(network_place).refilled(quota.per_network, now_ms);
        // The network's bucket may take the last room, so the key's place is found after it.
        buckets.used.insert(network_place, network);
        let key_place = buckets.place(what, Source::Key(key));
        let of_key = buckets.bucket(key_place).refilled(quota.per_key, now_ms);
        let wait_ms = network.wait_ms(quota.per_network).max(of_key.wait_ms(quota.per_key));
        let (network, of_key) =
            if wait_ms == 0 { (network.less_one(), of_key.less_one()) } else { (network, of_key) };
        buckets.used.insert(network_place, network);
        buckets.used.insert(key_place, of_key);
        drop(buckets);
        let levels =
            Levels { network: network.level(quota.per_network), key: of_key.level(quota.per_key) };
        if wait_ms == 0 {
            return Ok(levels);
        }
        Err(TooManyCalls { levels, retry_after_s: wait_ms.div_ceil(1_000).max(1) })
    }

    fn lock(&self) -> MutexGuard<'_, Buckets> {
        // Counting never panics half way through something that must hold together.
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Buckets {
    /// Forgets full buckets, when there is no room left, and not more often than useful.
    fn make_room(&mut self, limits: &ThrottleLimits, now_ms: u64) {
        let since_ms = now_ms.saturating_sub(self.swept_ms);
        let is_due =
            since_ms >= REFILL_MS || (self.used.len() >= BUCKETS_MAX && since_ms >= SWEEP_EVERY_MS);
        if !is_due {
            return;
        }
        self.swept_ms = now_ms;
        self.used.retain(|(what, source), bucket| {
            let quota = match what {
                Use::Read => limits.reads,
                Use::Write => limits.writes,
            };
            let quota = match source {
                Source::V4Network(_) | Source::V6Network(_) | Source::OtherNetworks => {
                    quota.per_network
                }
                Source::Key(_) | Source::OtherKeys => quota.per_key,
            };
            bucket.refilled(quota, now_ms).taken > 0
        });
    }

    /// Returns where to count: under the source itself, or with all others when there is no room.
    fn place(&self, what: Use, source: Source) -> (Use, Source) {
        let has_room = self.used.len() < BUCKETS_MAX || self.used.contains_key(&(what, source));
        (what, if has_room { source } else { source.others() })
    }

    fn bucket(&self, place: (Use, Source)) -> Bucket {
        self.used.get(&place).copied().unwrap_or_default()
    }
}

impl Bucket {
    /// Returns the bucket with what flowed back until now.
    fn refilled(self, quota: NonZeroU32, now_ms: u64) -> Self {
        let passed_ms = now_ms.saturating_sub(self.at_ms);
        let back = passed_ms.saturating_mul(u64::from(quota.get()));
        Self { taken: self.taken.saturating_sub(back), at_ms: self.at_ms.max(now_ms) }
    }

    const fn less_one(self) -> Self {
        Self { taken: self.taken + REFILL_MS, at_ms: self.at_ms }
    }

    /// Returns how long until there is a token; zero when there is one.
    fn wait_ms(self, quota: NonZeroU32) -> u64 {
        let quota = u64::from(quota.get());
        (self.taken + REFILL_MS).saturating_sub(quota * REFILL_MS).div_ceil(quota)
    }

    fn level(self, quota: NonZeroU32) -> Level {
        let per_ms = u64::from(quota.get());
        let left = (per_ms * REFILL_MS).saturating_sub(self.taken) / REFILL_MS;
        Level {
            quota: quota.get(),
            left: u32::try_from(left).unwrap_or(u32::MAX),
            full_in_s: self.taken.div_ceil(per_ms).div_ceil(1_000),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    fn quota(per_network: u32, per_key: u32) -> Quota {
        Quota {
            per_network: NonZeroU32::new(per_network).unwrap(),
            per_key: NonZeroU32::new(per_key).unwrap(),
        }
    }

    fn throttle() -> Throttle {
        Throttle::new(ThrottleLimits { reads: quota(60, 100), writes: quota(10, 15) })
    }

    fn key() -> KeyId {
        KeyId::parse("abcabcabcabc").unwrap()
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_full_bucket_is_emptied_at_once_and_fills_drop_by_drop() {
        let throttle = throttle();
        for left in (0..10).rev() {
            let levels = throttle.take(Use::Write, HERE, key(), 1_000).unwrap();
            assert_eq!((levels.network.quota, levels.network.left), (10, left));
        }
        let late = throttle.take(Use::Write, HERE, key(), 1_000).unwrap_err();
        assert_eq!((late.retry_after_s, late.levels.network.left), (6, 0));
        assert_eq!((late.levels.network.full_in_s, late.levels.key.left), (60, 5));
        assert!(throttle.take(Use::Write, HERE, key(), 6_999).is_err());
        assert!(throttle.take(Use::Write, HERE, key(), 7_000).is_ok());
        assert!(throttle.take(Use::Write, HERE, key(), 7_000).is_err());
        let full = throttle.take(Use::Write, HERE, key(), 200_000).unwrap();
        assert_eq!((full.network.left, full.key.left), (9, 14));
    }

    #[test]
    fn the_key_is_limited_wherever_its_calls_come_from() {
        let throttle = throttle();
        for network in 0..15 {
            let caller = address(&format!("198.51.{network}.7"));
            throttle.take(Use::Write, caller, key(), 0).unwrap();
        }
        let late = throttle.take(Use::Write, HERE, key(), 0).unwrap_err();
        assert_eq!((late.levels.key.left, late.levels.network.left), (0, 10));
        let another = KeyId::parse("xyzxyzxyzxyz").unwrap();
        assert!(throttle.take(Use::Write, HERE, another, 0).is_ok());
    }

    #[test]
    fn reads_and_writes_do_not_use_each_other_up() {
        let throttle = throttle();
        for _ in 0..10 {
            throttle.take(Use::Write, HERE, key(), 0).unwrap();
        }
        assert!(throttle.take(Use::Write, HERE, key(), 0).is_err());
        assert_eq!(throttle.take(Use::Read, HERE, key(), 0).unwrap().network.left, 59);
    }

    #[test]
    fn neighbours_in_a_network_share_its_bucket() {
        let throttle = throttle();
        for host in 0..10 {
            let caller = address(&format!("2001:db8:0:0a{host:02}::1"));
            throttle.take(Use::Write, caller, key(), 0).unwrap();
        }
        assert!(throttle.take(Use::Write, address("2001:db8:0:aff::2"), key(), 0).is_err());
        assert!(throttle.take(Use::Write, address("2001:db8:0:bff::2"), key(), 0).is_ok());
    }

    #[test]
    fn memory_is_bounded_and_strangers_then_share_one_bucket() {
        let throttle = Throttle::new(ThrottleLimits {
            reads: quota(1, 1_000_000),
            writes: quota(10, 1_000_000),
        });
        for network in 0..u32::try_from(BUCKETS_MAX).unwrap() + 100 {
            let [_, a, b, c] = network.to_be_bytes();
            let caller = IpAddr::from([10 + a, b, c, 1]);
            // Refusals of the strangers' shared bucket are part of the point.
            let taken = throttle.take(Use::Write, caller, key(), 500);
            assert!(taken.is_ok() || network >= 30_000);
        }
        assert!(throttle.lock().used.len() <= BUCKETS_MAX + 2);
        assert!(throttle.take(Use::Write, address("172.16.0.1"), key(), 500).is_err());
        assert!(throttle.take(Use::Write, address("172.16.0.1"), key(), 60_501).is_ok());
        assert!(throttle.lock().used.len() <= 2, "full buckets are forgotten");
    }

    proptest! {
        #[test]
        fn no_stretch_of_time_sees_more_than_a_burst_and_its_share(
            steps in proptest::collection::vec(0_u64..9_000, 1..200),
        ) {
            let throttle = throttle();
            let mut now = 0;
            let mut taken: Vec<u64> = Vec::new();
            for step in steps {
                now += step;
                match throttle.take(Use::Write, HERE, key(), now) {
                    Ok(levels) => {
                        taken.push(now);
                        prop_assert!(levels.network.left < 10);
                    }
                    Err(refused) => {
                        let then = now + refused.retry_after_s * 1_000;
                        prop_assert!((1..=6).contains(&refused.retry_after_s));
                        prop_assert!(then > now);
                    }
                }
                for first in &taken {
                    let stretch = taken.iter().filter(|at| *at >= first).count();
                    let share = (now - first) * 10 / REFILL_MS + 1;
                    prop_assert!(u64::try_from(stretch).unwrap() <= 10 + share);
                }
            }
        }
    }
}
