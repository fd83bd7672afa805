//! Time as a value.

use chrono::{DateTime, SecondsFormat, Utc};
use smallvec::SmallVec;

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

    /// Returns the start of the second this moment lies in.
    #[must_use]
    pub const fn floor_second(self) -> Self {
        Self(self.0 - self.0.rem_euclid(SECOND_MS))
    }

    /// Returns the latest moment this may stand for: a whole second may stand for any within it.
    #[must_use]
    pub const fn end_of_second(self) -> Self {
        let is_whole = self.0.rem_euclid(SECOND_MS) == 0;
        if is_whole { self.plus_ms(SECOND_MS - 1) } else { self }
    }

    /// Returns whether this may stand for `other` or a moment after it.
    #[must_use]
    pub const fn may_be_after(self, other: Self) -> bool {
        other.0 <= self.end_of_second().0
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
        self.rfc3339().as_str().to_owned()
    }

    /// As [`Self::to_rfc3339`], without an allocation for the years 0 to 9999.
    pub fn rfc3339(self) -> Rfc3339 {
        if let Some(text) = self.laid_out() {
            return text;
        }
        let moment = DateTime::<Utc>::from_timestamp_millis(self.0).unwrap_or_default();
        Rfc3339(SmallVec::from_slice(
            moment.to_rfc3339_opts(SecondsFormat::AutoSi, true).as_bytes(),
        ))
    }

    /// Lays the text out by hand; `None` outside the years 0 to 9999.
    fn laid_out(self) -> Option<Rfc3339> {
        let (day, ms) = (self.0.div_euclid(DAY_MS), self.0.rem_euclid(DAY_MS));
        // Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days.
        // Years begin in March there, so that the leap day is a year's last.
        let day = day.checked_add(719_468)?;
        let (era, day) = (day.div_euclid(146_097), day.rem_euclid(146_097));
        let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
        let day = day - (365 * year + year / 4 - year / 100);
        let month = (5 * day + 2) / 153;
        let day = day - (153 * month + 2) / 5 + 1;
        let month = if month < 10 { month + 3 } else { month - 9 };
        let year = year + era * 400 + i64::from(month <= 2);
        if !(0..=9_999).contains(&year) {
            return None;
        }
        let mut text = SmallVec::new();
        put(&mut text, [year / 1_000, year / 100, year / 10, year], b'-');
        put(&mut text, [month / 10, month], b'-');
        put(&mut text, [day / 10, day], b'T');
        let minute = ms / MINUTE_MS;
        put(&mut text, [minute / 600, minute / 60], b':');
        put(&mut text, [minute % 60 / 10, minute], b':');
        let second = ms % MINUTE_MS / SECOND_MS;
        let rest = ms % SECOND_MS;
        if rest == 0 {
            put(&mut text, [second / 10, second], b'Z');
        } else {
            put(&mut text, [second / 10, second], b'.');
            put(&mut text, [rest / 100, rest / 10, rest], b'Z');
        }
        Some(Rfc3339(text))
    }
}

/// A moment as RFC 3339, such as `2026-11-20T09:00:00.123Z`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rfc3339(SmallVec<[u8; 32]>);

impl Rfc3339 {
    /// Returns the text.
    pub fn as_str(&self) -> &str {
        // Only ASCII gets in.
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// Writes the last digit of each number, then what ends them.
fn put<const N: usize>(text: &mut SmallVec<[u8; 32]>, numbers: [i64; N], end: u8) {
    for number in numbers {
        let digit = u8::try_from(number % 10).unwrap_or_default();
        text.push(b'0' + digit);
    }
    text.push(end);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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

    fn by_the_library(ms: i64) -> String {
        let moment = DateTime::<Utc>::from_timestamp_millis(ms).unwrap_or_default();
        moment.to_rfc3339_opts(SecondsFormat::AutoSi, true)
    }

    #[test]
    fn every_day_of_eight_centuries_is_written_as_the_library_writes_it() {
        for day in -150_000..150_000_i64 {
            let ms = day * DAY_MS + day.rem_euclid(86_400_000);
            assert_eq!(Timestamp::from_unix_ms(ms).to_rfc3339(), by_the_library(ms), "day {day}");
        }
    }

    proptest! {
        #[test]
        fn any_moment_is_written_as_the_library_writes_it(
            ms in prop_oneof![any::<i64>(), -70_000_000_000_000_i64..260_000_000_000_000],
        ) {
            prop_assert_eq!(Timestamp::from_unix_ms(ms).to_rfc3339(), by_the_library(ms));
        }

        #[test]
        fn what_is_written_reads_back(ms in -62_000_000_000_000_i64..250_000_000_000_000) {
            let moment = Timestamp::from_unix_ms(ms);
            prop_assert_eq!(Timestamp::parse_rfc3339(moment.rfc3339().as_str()), Ok(moment));
        }
    }
}
