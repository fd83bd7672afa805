//! A brake on guessing keys: how many wrong ones a place or a key id may try in a minute.
//!
//! It does not decide whether a key is right. Callers check the keys we drew first, which costs
//! about a microsecond, and come here with the wrong ones. So a right key always gets in, and
//! nobody can lock somebody out by guessing at the public part of their key. What people chose
//! themselves, a password or the operator's key, is only looked at when [`GuessGuard::check`] lets
//! it.

use std::{
    collections::{BTreeMap, VecDeque},
    net::IpAddr,
    num::NonZeroU32,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use crate::{domain::access::KeyId, keys::source::Source};

/// How long a failure counts, in milliseconds.
pub const WINDOW_MS: u64 = 60_000;

/// Places and key ids remembered one by one; those beyond share one count each.
pub const TRACKED_MAX: usize = 8_192;

/// Full passes over the memory are this many milliseconds apart at least.
const SWEEP_EVERY_MS: u64 = 1_000;

/// How many failures are still answered as such in any minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GuessLimits {
    /// Per network of callers: 256 IPv4 addresses, or a /56 of IPv6.
    pub per_network: NonZeroU32,
    /// Per key id.
    pub per_key: NonZeroU32,
}

/// Too many wrong keys came from there, or were tried under that id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many failed attempts; the next is heard in {retry_after_s} s")]
pub struct TooManyGuesses {
    /// Seconds until the oldest failure stops counting, at least one.
    pub retry_after_s: u64,
    /// Failures that are answered as such in a minute.
    pub limit: u32,
}

/// Counts failures. Shared by all workers; costs one atomic read while nobody fails.
#[derive(Debug)]
pub struct GuessGuard {
    limits: GuessLimits,
    tracked: AtomicUsize,
    failures: Mutex<Failures>,
}

#[derive(Debug, Default)]
struct Failures {
    recent: BTreeMap<Source, VecDeque<u64>>,
    swept_ms: u64,
}

impl GuessGuard {
    /// Starts with no failures.
    pub fn new(limits: GuessLimits) -> Self {
        Self { limits, tracked: AtomicUsize::new(0), failures: Mutex::default() }
    }

    /// Takes note of a wrong key and says how to answer: as a wrong key, or as one too many.
    ///
    /// `key` is absent when the text was no key at all. `now_ms` is a monotonic reading.
    ///
    /// # Errors
    ///
    /// [`TooManyGuesses`] when the network or the key id had its failures of this minute already.
    /// This one is then not counted: waiting as told is enough.
    pub fn failed(
        &self,
        peer: IpAddr,
        key: Option<KeyId>,
        now_ms: u64,
    ) -> Result<(), TooManyGuesses> {
        let mut failures = self.lock();
        failures.make_room(now_ms);
        let network = failures.place(Source::network(peer));
        let key = key.map(|id| failures.place(Source::Key(id)));
        let verdict = self.judge(&mut failures, network, key, now_ms);
        if verdict.is_ok() {
            for source in [Some(network), key].into_iter().flatten() {
                failures.recent.entry(source).or_default().push_back(now_ms);
            }
        }
        self.tracked.store(failures.recent.len(), Ordering::Relaxed);
        verdict
    }

    /// Says whether an attempt may be made at all, for checks that are too dear to make first,
    /// such as a person's password.
    ///
    /// # Errors
    ///
    /// [`TooManyGuesses`] when the network or the key id had its failures of this minute already.
    pub fn check(
        &self,
        peer: IpAddr,
        key: Option<KeyId>,
        now_ms: u64,
    ) -> Result<(), TooManyGuesses> {
        if self.tracked.load(Ordering::Relaxed) == 0 {
            return Ok(());
        }
        let mut failures = self.lock();
        let network = failures.place(Source::network(peer));
        let key = key.map(|id| failures.place(Source::Key(id)));
        self.judge(&mut failures, network, key, now_ms)
    }

    fn judge(
        &self,
        failures: &mut Failures,
        network: Source,
        key: Option<Source>,
        now_ms: u64,
    ) -> Result<(), TooManyGuesses> {
        let mut wait = |source, limit: NonZeroU32| {
            failures.wait_ms(source, limit, now_ms).map(|wait_ms| (wait_ms, limit.get()))
        };
        let by_network = wait(network, self.limits.per_network);
        let by_key = key.and_then(|key| wait(key, self.limits.per_key));
        match by_network.max(by_key) {
            Some((wait_ms, limit)) => {
                Err(TooManyGuesses { retry_after_s: wait_ms.div_ceil(1_000).max(1), limit })
            }
            None => Ok(()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Failures> {
        // Counting never panics half way through something that must hold together.
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Failures {
    /// Forgets what no longer counts, when the memory is full, and not more often than useful.
    fn make_room(&mut self, now_ms: u64) {
        let full = self.recent.len() >= TRACKED_MAX;
        if full || now_ms.saturating_sub(self.swept_ms) >= WINDOW_MS {
            if now_ms.saturating_sub(self.swept_ms) < SWEEP_EVERY_MS {
                return;
            }
            self.swept_ms = now_ms;
            self.recent.retain(|_, times| times.back().is_some_and(|last| counts(*last, now_ms)));
        }
    }

    /// Returns where to count: under the source itself, or with all others when there is no room.
    fn place(&self, source: Source) -> Source {
        let room = self.recent.len() < TRACKED_MAX || self.recent.contains_key(&source);
        if room { source } else { source.others() }
    }

    /// Returns how long to wait until one more failure is within the limit; `None` when it is.
    fn wait_ms(&mut self, source: Source, limit: NonZeroU32, now_ms: u64) -> Option<u64> {
        let times = self.recent.get_mut(&source)?;
        while times.front().is_some_and(|first| !counts(*first, now_ms)) {
            times.pop_front();
        }
        if times.len() < usize::try_from(limit.get()).unwrap_or(usize::MAX) {
            return None;
        }
        times.front().map(|first| first.saturating_add(WINDOW_MS).saturating_sub(now_ms))
    }
}

const fn counts(failed_ms: u64, now_ms: u64) -> bool {
    now_ms.saturating_sub(failed_ms) < WINDOW_MS
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    fn guard() -> GuessGuard {
        GuessGuard::new(GuessLimits {
            per_network: NonZeroU32::new(20).unwrap(),
            per_key: NonZeroU32::new(10).unwrap(),
        })
    }

    fn id(text: &str) -> KeyId {
        KeyId::parse(text).unwrap()
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_twenty_first_failure_of_a_minute_from_one_network_is_one_too_many() {
        let guard = guard();
        for ms in 0..20 {
            assert_eq!(guard.failed(HERE, None, ms), Ok(()));
        }
        let late = guard.failed(HERE, None, 20_000).unwrap_err();
        assert_eq!(late.retry_after_s, 40);
        assert_eq!(guard.check(HERE, None, 20_000), Err(late));
    }

    #[test]
    fn the_eleventh_failure_under_one_key_id_is_one_too_many_wherever_it_comes_from() {
        let guard = guard();
        for network in 0..10 {
            let peer = address(&format!("198.51.{network}.7"));
            assert_eq!(guard.failed(peer, Some(id("abcabcabcabc")), 5), Ok(()));
        }
        assert!(guard.failed(HERE, Some(id("abcabcabcabc")), 6).is_err());
        assert_eq!(guard.failed(HERE, Some(id("xyzxyzxyzxyz")), 6), Ok(()));
    }

    #[test]
    fn waiting_as_told_is_enough_and_refused_attempts_do_not_make_it_longer() {
        let guard = guard();
        for _ in 0..20 {
            guard.failed(HERE, None, 1_000).unwrap();
        }
        for ms in 2_000..3_000 {
            assert!(guard.failed(HERE, None, ms).is_err());
        }
        let wait = guard.failed(HERE, None, 3_000).unwrap_err().retry_after_s;
        assert_eq!(guard.failed(HERE, None, 3_000 + wait * 1_000), Ok(()));
    }

    #[test]
    fn neighbours_in_a_network_share_its_count() {
        let guard = guard();
        for host in 0..20 {
            guard.failed(address(&format!("203.0.113.{host}")), None, 0).unwrap();
        }
        assert!(guard.failed(address("203.0.113.250"), None, 0).is_err());
        assert!(guard.failed(address("::ffff:203.0.113.250"), None, 0).is_err());
        assert!(guard.failed(address("203.0.114.1"), None, 0).is_ok());

        for host in 0..20 {
            guard.failed(address(&format!("2001:db8:0:0a{host:02}::1")), None, 0).unwrap();
        }
        assert!(guard.failed(address("2001:db8:0:aff:1:2:3:4"), None, 0).is_err());
        assert!(guard.failed(address("2001:db8:0:bff::1"), None, 0).is_ok());
    }

    #[test]
    fn memory_is_bounded_and_strangers_then_share_one_count() {
        let guard = guard();
        for (network, at) in (0..u32::try_from(TRACKED_MAX).unwrap()).zip(1_u64..) {
            let [_, a, b, c] = (network << 8).to_be_bytes();
            guard.failed(IpAddr::from([10 + a, b, c, 1]), None, at / 1_000).unwrap();
        }
        for stranger in 0..20 {
            let peer = address(&format!("172.16.{stranger}.1"));
            assert_eq!(guard.failed(peer, None, 9), Ok(()));
        }
        assert!(guard.failed(address("172.16.99.1"), None, 9).is_err());
        assert!(guard.lock().recent.len() <= TRACKED_MAX + 2);

        assert_eq!(guard.failed(address("172.16.99.1"), None, WINDOW_MS + 10), Ok(()));
        assert_eq!(guard.lock().recent.len(), 1);
    }

    #[test]
    fn nothing_is_locked_while_nobody_fails() {
        let guard = guard();
        let held = guard.lock();
        assert_eq!(guard.check(HERE, None, 0), Ok(()));
        drop(held);
    }

    proptest! {
        #[test]
        fn in_no_minute_are_more_than_the_limit_answered(
            steps in proptest::collection::vec(0_u64..9_000, 1..200),
        ) {
            let guard = guard();
            let mut now = 0;
            let mut answered: Vec<u64> = Vec::new();
            for step in steps {
                now += step;
                match guard.failed(HERE, None, now) {
                    Ok(()) => answered.push(now),
                    Err(refused) => prop_assert!((1..=60).contains(&refused.retry_after_s)),
                }
                let in_window = answered.iter().filter(|at| now - **at < WINDOW_MS).count();
                prop_assert!(in_window <= 20);
            }
        }
    }
}
