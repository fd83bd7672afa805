//! Time as a value.

use chrono::{DateTime, SecondsFormat, Utc};

/// A moment in UTC, in whole milliseconds since 1970-01-01T00:00:00Z.
///
/// On the wire it is RFC 3339 with `Z`; inside the ledger it is the bare number of milliseconds.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    serde::Serialize,
    serde::Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(i64);

/// Milliseconds in a second.
pub const SECOND_MS: i64 = 1_000;
/// Milliseconds in a minute.
pub const MINUTE_MS: i64 = 60 * SECOND_MS;
/// Milliseconds in an hour.
pub const HOUR_MS: i64 = 60 * MINUTE_MS;
/// Milliseconds in a day of 24 hours.
pub const DAY_MS: i64 = 24 * HOUR_MS;

/// A text is not a moment in RFC 3339 with an offset, such as `2026-11-20T09:00:00Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an RFC 3339 moment with an offset, such as 2026-11-20T09:00:00Z")]
pub struct NotATimestamp;

impl Timestamp {
    /// A moment that never comes: stands for "does not run out" where memory is tight.
    pub const NEVER: Self = Self(i64::MAX);

    /// Makes a timestamp from milliseconds since the Unix epoch.
    pub const fn from_unix_ms(unix_ms: i64) -> Self {
        Self(unix_ms)
    }

    /// Returns milliseconds since the Unix epoch.
    pub const fn unix_ms(self) -> i64 {
        self.0
    }

    /// Returns the moment `ms` milliseconds later, or the last representable one.
    #[must_use]
    pub const fn plus_ms(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Returns the milliseconds from `earlier` to `self`; negative when `self` comes first.
    pub const fn ms_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Returns the start of the minute this moment lies in.
    #[must_use]
    pub const fn floor_minute(self) -> Self {
        Self(self.0 - self.0.rem_euclid(MINUTE_MS))
    }

    /// Parses RFC 3339 with an offset; fractions below a millisecond are dropped.
    ///
    /// # Errors
    ///
    /// [`NotATimestamp`] for anything else, a date without a time or an offset included.
    pub fn parse_rfc3339(text: &str) -> Result<Self, NotATimestamp> {
        match DateTime::parse_from_rfc3339(text) {
            Ok(moment) => Ok(Self(moment.timestamp_millis())),
            Err(_) => Err(NotATimestamp),
        }
    }

    /// Returns RFC 3339 in UTC with milliseconds only where there are any.
    ///
    /// A moment outside the years chrono can name is shown as the Unix epoch; no clock and no
    /// parser of ours produces one.
    pub fn to_rfc3339(self) -> String {
        let moment = DateTime::<Utc>::from_timestamp_millis(self.0).unwrap_or_default();
        moment.to_rfc3339_opts(SecondsFormat::AutoSi, true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_is_converted_to_utc() {
        let moment = Timestamp::parse_rfc3339("2026-11-20T16:00:00+07:00").unwrap();
        assert_eq!(moment.to_rfc3339(), "2026-11-20T09:00:00Z");
    }

    #[test]
    fn a_date_without_an_offset_is_not_a_moment() {
        assert_eq!(Timestamp::parse_rfc3339("2026-11-20T16:00:00"), Err(NotATimestamp));
        assert_eq!(Timestamp::parse_rfc3339("2026-11-20"), Err(NotATimestamp));
    }

    #[test]
    fn flooring_to_the_minute_also_works_before_1970() {
        assert_eq!(Timestamp::from_unix_ms(-1).floor_minute().unix_ms(), -MINUTE_MS);
        assert_eq!(Timestamp::from_unix_ms(61_000).floor_minute().unix_ms(), MINUTE_MS);
    }
}
