//! The only place that reads a clock.
//!
//! Two readings, never mixed: the time of day, which people may set and which is what gets
//! stored, and a monotonic one for everything that waits or measures.

use std::{
    fmt::Debug,
    sync::atomic::{AtomicI64, AtomicU64, Ordering},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use crate::domain::time::Timestamp;

/// Knows what time it is. Handed in, never reached for.
pub trait Clock: Debug + Send + Sync + 'static {
    /// Returns the time of day. May step in either direction when somebody sets the clock.
    fn now(&self) -> Timestamp;

    /// Returns a reading that never steps back. For waiting and measuring, never for storing.
    fn monotonic(&self) -> Monotonic;
}

/// A reading of a clock that never steps back, in whole microseconds since the clock was made.
///
/// Readings of two clocks have nothing to do with each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Monotonic(u64);

impl Monotonic {
    /// Makes a reading from microseconds since the clock was made.
    pub const fn from_us(us: u64) -> Self {
        Self(us)
    }

    /// Returns microseconds since the clock was made.
    pub const fn us(self) -> u64 {
        self.0
    }

    /// Returns whole milliseconds since the clock was made.
    pub const fn ms(self) -> u64 {
        self.0 / 1_000
    }

    /// Returns how long after `earlier` this reading was taken; zero when it was not.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }

    /// Returns the reading a while later, or the last one there is.
    #[must_use]
    pub fn plus(self, wait: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(wait.as_micros()).unwrap_or(u64::MAX)))
    }
}

/// The machine's clocks.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    made: Instant,
}

impl SystemClock {
    /// Starts the monotonic reading at zero.
    pub fn start() -> Self {
        Self { made: Instant::now() }
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock everyone else asks")]
    fn now(&self) -> Timestamp {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_unix_ms(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
    }

    fn monotonic(&self) -> Monotonic {
        Monotonic::default().plus(self.made.elapsed())
    }
}

/// A clock that moves only when told to. For tests.
#[derive(Debug)]
pub struct ManualClock {
    unix_ms: AtomicI64,
    monotonic_us: AtomicU64,
}

impl ManualClock {
    /// Stops the time of day at `unix_ms` and the monotonic reading at zero.
    pub const fn at(unix_ms: i64) -> Self {
        Self { unix_ms: AtomicI64::new(unix_ms), monotonic_us: AtomicU64::new(0) }
    }

    /// Lets time pass: both readings move.
    pub fn advance_ms(&self, ms: u32) {
        self.unix_ms.fetch_add(i64::from(ms), Ordering::SeqCst);
        self.monotonic_us.fetch_add(u64::from(ms) * 1_000, Ordering::SeqCst);
    }

    /// Sets the time of day, as an operator might; the monotonic reading stays.
    pub fn set_unix_ms(&self, unix_ms: i64) {
        self.unix_ms.store(unix_ms, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_ms(self.unix_ms.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Monotonic {
        Monotonic(self.monotonic_us.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_that_passes_moves_both_readings() {
        let clock = ManualClock::at(1_000);
        clock.advance_ms(250);
        assert_eq!(clock.now().unix_ms(), 1_250);
        assert_eq!(clock.monotonic().ms(), 250);
    }

    #[test]
    fn setting_the_time_of_day_leaves_waits_alone() {
        let clock = ManualClock::at(1_000);
        let before = clock.monotonic();
        clock.set_unix_ms(-5);
        assert_eq!(clock.now().unix_ms(), -5);
        assert_eq!(clock.monotonic().since(before), Duration::ZERO);
    }

    #[test]
    fn the_machine_knows_that_it_is_past_2025_and_does_not_step_back() {
        let clock = SystemClock::start();
        let first = clock.monotonic();
        assert!(clock.now() > Timestamp::parse_rfc3339("2025-01-01T00:00:00Z").unwrap());
        assert!(clock.monotonic() >= first);
    }

    #[test]
    fn a_wait_without_end_saturates() {
        assert_eq!(Monotonic::from_us(7).plus(Duration::MAX).us(), u64::MAX);
        assert_eq!(Monotonic::default().since(Monotonic::from_us(7)), Duration::ZERO);
    }
}
