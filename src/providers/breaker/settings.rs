//! When a breaker opens and for how long.
//!
//! Does not hold any state.

use std::num::NonZeroU32;

/// When a breaker opens and for how long. Invariant: `0 < backoff_ms_min <= backoff_ms_max`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerSettings {
    failures_max: NonZeroU32,
    backoff_ms_min: u32,
    backoff_ms_max: u32,
}

/// The pauses of a breaker do not make sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the breaker's first pause is at least 1 ms and not longer than its longest")]
pub struct BreakerSettingsError;

impl BreakerSettings {
    /// Returns settings: failures in a row that open the breaker, its first pause in
    /// milliseconds, and the pause at which doubling ends.
    ///
    /// # Errors
    ///
    /// [`BreakerSettingsError`] when the first pause is zero or longer than the last.
    pub const fn new(
        failures_max: NonZeroU32,
        backoff_ms_min: u32,
        backoff_ms_max: u32,
    ) -> Result<Self, BreakerSettingsError> {
        if backoff_ms_min == 0 || backoff_ms_min > backoff_ms_max {
            return Err(BreakerSettingsError);
        }
        Ok(Self { failures_max, backoff_ms_min, backoff_ms_max })
    }

    /// Returns how many failures in a row open the breaker.
    pub const fn failures_max(&self) -> NonZeroU32 {
        self.failures_max
    }

    /// Returns the pause after the breaker opened `times` times in a row, in milliseconds.
    pub(super) fn pause_ms(&self, times: u32) -> u64 {
        let doublings = times.saturating_sub(1).min(u32::BITS);
        let pause = u64::from(self.backoff_ms_min) << doublings;
        pause.min(u64::from(self.backoff_ms_max))
    }
}

impl Default for BreakerSettings {
    /// Three failures; half a minute, doubling to a quarter of an hour.
    fn default() -> Self {
        Self {
            failures_max: NonZeroU32::MIN.saturating_add(2),
            backoff_ms_min: 30_000,
            backoff_ms_max: 15 * 60 * 1_000,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_and_end_at_the_longest() {
        let settings = BreakerSettings::default();
        let pauses: Vec<_> = (1..=7).map(|times| settings.pause_ms(times) / 1_000).collect();
        assert_eq!(pauses, [30, 60, 120, 240, 480, 900, 900]);
        assert_eq!(settings.pause_ms(u32::MAX), 900_000);
    }

    #[test]
    fn the_widest_settings_do_not_overflow() {
        let widest = BreakerSettings::new(NonZeroU32::MIN, u32::MAX, u32::MAX).unwrap();
        assert_eq!(widest.pause_ms(u32::MAX), u64::from(u32::MAX));
        assert_eq!(widest.pause_ms(0), u64::from(u32::MAX));
    }

    #[test]
    fn pauses_that_make_no_sense_are_refused() {
        assert_eq!(BreakerSettings::new(NonZeroU32::MIN, 0, 1), Err(BreakerSettingsError));
        assert_eq!(BreakerSettings::new(NonZeroU32::MIN, 2, 1), Err(BreakerSettingsError));
        assert!(BreakerSettings::new(NonZeroU32::MIN, 1, 1).is_ok());
    }
}
