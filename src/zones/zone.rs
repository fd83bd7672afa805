//! One time zone: where its clock stands at a moment, and when that changes.

use std::fmt;

use chrono::{DateTime, Offset, TimeZone};
use chrono_tz::Tz;

/// A zone of the time zone database, such as `Asia/Jakarta`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Zone(Tz);

/// A name that the time zone database does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a time zone is a name of the time zone database, such as Asia/Jakarta")]
pub struct UnknownZone;

/// Returns the version of the time zone database, such as `2025b`.
pub fn database_version() -> &'static str {
    chrono_tz::IANA_TZDB_VERSION
}

impl Zone {
    /// Finds a zone by its exact name.
    ///
    /// # Errors
    ///
    /// [`UnknownZone`] for any other text.
    pub fn parse(name: &str) -> Result<Self, UnknownZone> {
        match name.parse() {
            Ok(zone) => Ok(Self(zone)),
            Err(_) => Err(UnknownZone),
        }
    }

    /// Returns the name.
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// Returns what the clock on the wall shows at a moment, as if it were a moment in UTC; both
    /// in milliseconds since 1970.
    pub fn local_ms(self, at_ms: i64) -> i64 {
        at_ms.saturating_add(self.offset_ms(at_ms))
    }

    /// Returns how far the clock is ahead of UTC at a moment, in milliseconds.
    ///
    /// A moment outside the years chrono can name counts as 1970.
    pub(super) fn offset_ms(self, at_ms: i64) -> i64 {
        let at = DateTime::from_timestamp_millis(at_ms).unwrap_or_default().naive_utc();
        i64::from(self.0.offset_from_utc_datetime(&at).fix().local_minus_utc()) * 1_000
    }

    /// Returns the first moment in `(from_ms, to_ms]` at which the clock no longer runs as at
    /// `from_ms`, if it runs differently at `to_ms`.
    ///
    /// Misses a change that is undone before `to_ms`: the spans asked about are a day and less,
    /// and no clock has been set twice within one.
    pub(super) fn first_change_ms(self, from_ms: i64, to_ms: i64) -> Option<i64> {
        let before = self.offset_ms(from_ms);
        if self.offset_ms(to_ms) == before {
            return None;
        }
        let (mut same, mut changed) = (from_ms, to_ms);
        while changed - same > 1 {
            let middle = same + (changed - same) / 2;
            if self.offset_ms(middle) == before {
                same = middle;
            } else {
                changed = middle;
            }
        }
        Some(changed)
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(text: &str) -> i64 {
        DateTime::parse_from_rfc3339(text).unwrap().timestamp_millis()
    }

    #[test]
    fn names_are_exact() {
        assert_eq!(Zone::parse("Asia/Jakarta").unwrap().name(), "Asia/Jakarta");
        for name in ["", "Jakarta", "asia/jakarta", "+07:00"] {
            assert_eq!(Zone::parse(name), Err(UnknownZone), "{name}");
        }
    }

    #[test]
    fn a_clock_is_set_at_the_exact_moment() {
        let zone = Zone::parse("America/New_York").unwrap();
        let (before, after) = (ms("2027-03-14T00:00:00Z"), ms("2027-03-15T00:00:00Z"));
        assert_eq!(zone.first_change_ms(before, after), Some(ms("2027-03-14T07:00:00Z")));
        assert_eq!(zone.first_change_ms(after, after + 1_000), None);
    }

    #[test]
    fn moments_nobody_can_name_do_not_panic() {
        let zone = Zone::parse("Asia/Kolkata").unwrap();
        for at in [i64::MIN, i64::MAX] {
            zone.local_ms(at);
        }
    }
}
