//! Public holidays that a calendar can compute: on a date, moved to a Monday, or by Easter.
//!
//! Holidays by the moon, by decree or of one province are not here: a rule that needs them must
//! not claim to know them.

use std::fmt;

use chrono::{DateTime, Datelike, NaiveDate};

/// A public holiday, every year.
///
/// Written as `12-25`; as `01-06 on monday` for the Monday on or after that date; as
/// `12-16 or monday` when the Monday after counts too if the date is a Sunday; and as `easter`,
/// `easter-2` or `easter+39` for days from the western Easter Sunday.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(try_from = "String", into = "String")]
pub struct Holiday(Rule);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rule {
    On(MonthDay),
    MondayFrom(MonthDay),
    OnOrMonday(MonthDay),
    Easter(i16),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct MonthDay {
    month: u8,
    day: u8,
}

/// A text is not a holiday.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a holiday is a date such as 12-25, `01-06 on monday`, `12-16 or monday`, or days from Easter \
     such as easter-2"
)]
pub struct NotAHoliday;

/// Furthest from Easter a holiday may be, in days.
const EASTER_DAYS_MAX: i16 = 100;

impl Holiday {
    /// Reads a holiday.
    ///
    /// # Errors
    ///
    /// [`NotAHoliday`] for any other text, a date no year has, and 29 February.
    pub fn parse(text: &str) -> Result<Self, NotAHoliday> {
        if let Some(days) = text.strip_prefix("easter") {
            let number: i16 =
                if days.is_empty() { 0 } else { days.parse().or(Err(NotAHoliday))? };
            let is_signed = days.is_empty() || days.starts_with(['+', '-']);
            if !is_signed || number.abs() > EASTER_DAYS_MAX {
                return Err(NotAHoliday);
            }
            return Ok(Self(Rule::Easter(number)));
        }
        let (date, rule) = text.split_once(' ').unwrap_or((text, ""));
        let date = MonthDay::parse(date).ok_or(NotAHoliday)?;
        match rule {
            "" if !text.ends_with(' ') => Ok(Self(Rule::On(date))),
            "on monday" => Ok(Self(Rule::MondayFrom(date))),
            "or monday" => Ok(Self(Rule::OnOrMonday(date))),
            _ => Err(NotAHoliday),
        }
    }

    /// Returns whether a day, counted from 1970-01-01, is the holiday of its year.
    pub(super) fn is_on(self, day: i64) -> bool {
        let is_monday = (day + 3).rem_euclid(7) == 0;
        match self.0 {
            Rule::On(date) => date.is_on(day),
            Rule::MondayFrom(date) => is_monday && (0..7).any(|before| date.is_on(day - before)),
            Rule::OnOrMonday(date) => date.is_on(day) || (is_monday && date.is_on(day - 1)),
            Rule::Easter(after) => {
                let sunday = civil(day - i64::from(after));
                easter(sunday.year()) == Some(sunday)
            }
        }
    }
}

impl MonthDay {
    fn parse(text: &str) -> Option<Self> {
        let (month, day) = text.split_once('-')?;
        let number = |part: &str| {
            let is_plain = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
            if is_plain { part.parse::<u8>().ok() } else { None }
        };
        let (month, day) = (number(month)?, number(day)?);
        // A year without a leap day.
        NaiveDate::from_ymd_opt(2027, month.into(), day.into())?;
        Some(Self { month, day })
    }

    fn is_on(self, day: i64) -> bool {
        let date = civil(day);
        date.month() == u32::from(self.month) && date.day() == u32::from(self.day)
    }
}

/// Returns the date of a day counted from 1970-01-01.
fn civil(day: i64) -> NaiveDate {
    DateTime::from_timestamp(day.saturating_mul(86_400), 0).unwrap_or_default().date_naive()
}

/// Returns the western Easter Sunday of a year.
///
/// Source: J. Meeus, "Astronomical Algorithms", chapter 8, Gregorian Easter.
fn easter(year: i32) -> Option<NaiveDate> {
    let golden = year.rem_euclid(19);
    let (century, of_century) = (year.div_euclid(100), year.rem_euclid(100));
    let correction = (century + 8) / 25;
    let shift = (century - correction + 1) / 3;
    let epact = (19 * golden + century - century / 4 - shift + 15).rem_euclid(30);
    let weekday =
        (32 + 2 * (century % 4) + 2 * (of_century / 4) - epact - of_century % 4).rem_euclid(7);
    let late = (golden + 11 * epact + 22 * weekday) / 451;
    let sum = epact + weekday - 7 * late + 114;
    let (month, day) = (u32::try_from(sum / 31).ok()?, u32::try_from(sum % 31 + 1).ok()?);
    NaiveDate::from_ymd_opt(year, month, day)
}

impl fmt::Display for MonthDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}-{:02}", self.month, self.day)
    }
}

impl fmt::Display for Holiday {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Rule::On(date) => date.fmt(f),
            Rule::MondayFrom(date) => write!(f, "{date} on monday"),
            Rule::OnOrMonday(date) => write!(f, "{date} or monday"),
            Rule::Easter(0) => f.write_str("easter"),
            Rule::Easter(days) => write!(f, "easter{days:+}"),
        }
    }
}

impl TryFrom<String> for Holiday {
    type Error = NotAHoliday;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<Holiday> for String {
    fn from(holiday: Holiday) -> Self {
        holiday.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> i64 {
        let date: NaiveDate = text.parse().unwrap();
        date.and_time(chrono::NaiveTime::MIN).and_utc().timestamp() / 86_400
    }

    /// The days of a year on which a holiday falls.
    fn days_of(holiday: &str, year: i32) -> Vec<String> {
        let holiday = Holiday::parse(holiday).unwrap();
        let first = day(&format!("{year}-01-01"));
        (first..first + 366)
            .filter(|day| holiday.is_on(*day) && civil(*day).year() == year)
            .map(|day| civil(day).to_string())
            .collect()
    }

    #[test]
    fn easter_is_where_calendars_have_it() {
        for (year, date) in [
            (1818, "1818-03-22"),
            (1943, "1943-04-25"),
            (2024, "2024-03-31"),
            (2025, "2025-04-20"),
            (2026, "2026-04-05"),
            (2027, "2027-03-28"),
            (2038, "2038-04-25"),
        ] {
            assert_eq!(easter(year), date.parse().ok(), "{year}");
        }
    }

    #[test]
    fn each_rule_finds_its_day() {
        assert_eq!(days_of("12-25", 2026), ["2026-12-25"]);
        assert_eq!(days_of("easter+39", 2026), ["2026-05-14"]);
        assert_eq!(days_of("easter-2", 2027), ["2027-03-26"]);
        // 6 January 2027 was a Wednesday, 29 June 2026 a Monday.
        assert_eq!(days_of("01-06 on monday", 2027), ["2027-01-11"]);
        assert_eq!(days_of("06-29 on monday", 2026), ["2026-06-29"]);
        // 21 March 2027 was a Sunday.
        assert_eq!(days_of("03-21 or monday", 2027), ["2027-03-21", "2027-03-22"]);
        assert_eq!(days_of("03-21 or monday", 2026), ["2026-03-21"]);
    }

    #[test]
    fn only_the_written_forms_are_read() {
        for text in
            ["12-25", "01-06 on monday", "12-16 or monday", "easter", "easter-2", "easter+50"]
        {
            assert_eq!(Holiday::parse(text).unwrap().to_string(), text);
        }
        for text in [
            "",
            "25-12-",
            "13-01",
            "02-30",
            "02-29",
            "1-1",
            "12-25 ",
            "12-25 on tuesday",
            "easter2",
            "easter+",
            "easter+101",
            "easter+x",
            "+1-+1",
            "12-25  on monday",
        ] {
            assert_eq!(Holiday::parse(text), Err(NotAHoliday), "{text}");
        }
    }
}
