//! The hours in which people are left alone.

use super::{
    day::{Day, Days},
    holiday::Holiday,
    window::Window,
};
use crate::limits::{HOLIDAYS_MAX, QUIET_WINDOWS_MAX};

pub(super) const MINUTE_MS: i64 = 60_000;
pub(super) const DAY_MS: i64 = 24 * 60 * MINUTE_MS;
const WEEK_DAYS: i64 = 7;

/// Quiet hours by the recipient's clock: the times in any of the windows. They leave some time of
/// an ordinary week, holidays aside.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "HoursText", into = "HoursText")]
pub struct Hours {
    windows: Box<[Window]>,
    holidays: Box<[Holiday]>,
}

/// Why hours cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotHours {
    /// None, or more than can be looked through.
    #[error("`windows` takes 1 to {QUIET_WINDOWS_MAX} windows")]
    Windows,
    /// More than can be looked through.
    #[error("`holidays` takes {HOLIDAYS_MAX} at most")]
    Holidays,
    /// A window is about holidays, and none is listed.
    #[error("a window is on holidays, and `holidays` lists none")]
    HolidaysMissing,
    /// Holidays that no window is about.
    #[error("`holidays` are listed, and no window is on them")]
    HolidaysUnused,
    /// No moment is left to send at.
    #[error("`windows` leave no minute of the week")]
    NeverOpen,
}

/// Hours as people write them.
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct HoursText {
    windows: Vec<Window>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    holidays: Vec<Holiday>,
}

impl Hours {
    /// Makes quiet hours. The order of windows and of holidays makes no difference.
    ///
    /// # Errors
    ///
    /// [`NotHours`] for too many or no windows, holidays without a use or a use without holidays,
    /// and for hours that never end.
    pub fn new(mut windows: Vec<Window>, mut holidays: Vec<Holiday>) -> Result<Self, NotHours> {
        if windows.is_empty() || windows.len() > QUIET_WINDOWS_MAX {
            return Err(NotHours::Windows);
        }
        if holidays.len() > HOLIDAYS_MAX {
            return Err(NotHours::Holidays);
        }
        let on_holidays = windows.iter().any(|window| window.days().has(Day::Holidays));
        match (on_holidays, holidays.is_empty()) {
            (true, true) => return Err(NotHours::HolidaysMissing),
            (false, false) => return Err(NotHours::HolidaysUnused),
            (true, false) | (false, true) => {}
        }
        windows.sort_unstable();
        windows.dedup();
        holidays.sort_unstable();
        holidays.dedup();
        let week = Self { windows: windows.into(), holidays: Box::new([]) };
        if !week.is_open_in_some_week() {
            return Err(NotHours::NeverOpen);
        }
        Ok(Self { holidays: holidays.into(), ..week })
    }

    /// Returns the windows, in order.
    pub fn windows(&self) -> &[Window] {
        &self.windows
    }

    /// Returns the holidays, in order.
    pub fn holidays(&self) -> &[Holiday] {
        &self.holidays
    }

    /// Returns until when a clock that shows `local_ms` is in a window, or `None` if it is in
    /// none. At the end another window may begin.
    pub(super) fn quiet_until(&self, local_ms: i64) -> Option<i64> {
        let day = local_ms.div_euclid(DAY_MS);
        let minute = local_ms.rem_euclid(DAY_MS) / MINUTE_MS;
        let mut until = None;
        for window in &self.windows {
            let (from, to) = window.minutes();
            // Begun today, or yesterday and still going on.
            for (begun, minute) in [(day, minute), (day - 1, minute + DAY_MS / MINUTE_MS)] {
                if from <= minute && minute < to && self.is_among(window.days(), begun) {
                    until = until.max(Some(begun * DAY_MS + to * MINUTE_MS));
                }
            }
        }
        until
    }

    /// Returns the local time after `local_ms` at which some window may next begin, on whatever
    /// day it is meant for: within a day.
    pub(super) fn next_begin(&self, local_ms: i64) -> Option<i64> {
        let day_ms = local_ms.div_euclid(DAY_MS) * DAY_MS;
        let begins = self.windows.iter().map(|window| {
            let begin_ms = day_ms + window.minutes().0 * MINUTE_MS;
            if begin_ms > local_ms { begin_ms } else { begin_ms + DAY_MS }
        });
        begins.min()
    }

    fn is_among(&self, days: Days, day: i64) -> bool {
        days.has(Day::of_week(day))
            || (days.has(Day::Holidays) && self.holidays.iter().any(|holiday| holiday.is_on(day)))
    }

    fn is_open_in_some_week(&self) -> bool {
        let mut at = 0;
        // A second week, for what wraps from the end of the first into its beginning.
        while at < 2 * WEEK_DAYS * DAY_MS {
            match self.quiet_until(at) {
                Some(until) => at = until,
                None => return true,
            }
        }
        false
    }
}

impl AsRef<Hours> for Hours {
    fn as_ref(&self) -> &Hours {
        self
    }
}

impl TryFrom<HoursText> for Hours {
    type Error = NotHours;

    fn try_from(text: HoursText) -> Result<Self, Self::Error> {
        Self::new(text.windows, text.holidays)
    }
}

impl From<Hours> for HoursText {
    fn from(hours: Hours) -> Self {
        Self { windows: hours.windows.into_vec(), holidays: hours.holidays.into_vec() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(from: &str, to: &str, days: &[Day]) -> Window {
        let days = if days.is_empty() { Days::EVERY } else { Days::of(days) };
        Window::new(from, to, days).unwrap()
    }

    fn at(day: i64, hour: i64) -> i64 {
        day * DAY_MS + hour * 60 * MINUTE_MS
    }

    #[test]
    fn a_night_belongs_to_the_evening_it_begins_on() {
        // Day 1 is a Friday.
        let hours = Hours::new(vec![window("21:00", "08:00", &[Day::Friday])], vec![]).unwrap();
        assert_eq!(hours.quiet_until(at(1, 20)), None);
        assert_eq!(hours.quiet_until(at(1, 21)), Some(at(2, 8)));
        assert_eq!(hours.quiet_until(at(2, 7)), Some(at(2, 8)));
        assert_eq!(hours.quiet_until(at(2, 8)), None);
        assert_eq!(hours.quiet_until(at(2, 22)), None);
        assert_eq!(hours.quiet_until(at(1, 7)), None, "Thursday evening is not meant");
    }

    #[test]
    fn hours_without_an_end_are_refused() {
        let all_day = window("00:00", "24:00", &[]);
        assert_eq!(Hours::new(vec![all_day], vec![]), Err(NotHours::NeverOpen));
        let (day, night) = (window("07:00", "22:00", &[]), window("21:00", "08:00", &[]));
        assert_eq!(Hours::new(vec![day, night], vec![]), Err(NotHours::NeverOpen));
        let (day, night) = (window("08:01", "21:00", &[]), window("21:00", "08:00", &[]));
        Hours::new(vec![day, night], vec![]).unwrap();
    }

    #[test]
    fn holidays_and_their_windows_need_each_other() {
        let christmas = Holiday::parse("12-25").unwrap();
        let on = window("00:00", "24:00", &[Day::Holidays]);
        let night = window("21:00", "08:00", &[]);
        assert_eq!(Hours::new(vec![on], vec![]), Err(NotHours::HolidaysMissing));
        assert_eq!(Hours::new(vec![night], vec![christmas]), Err(NotHours::HolidaysUnused));
        let hours = Hours::new(vec![on, night], vec![christmas]).unwrap();
        // 25 December 1970, and the night into it.
        assert_eq!(hours.quiet_until(at(358, 12)), Some(at(359, 0)));
        assert_eq!(hours.quiet_until(at(359, 0)), Some(at(359, 8)));
        assert_eq!(hours.quiet_until(at(359, 12)), None);
    }

    #[test]
    fn the_order_of_writing_makes_no_difference() {
        let (noon, night) = (window("13:00", "14:00", &[]), window("20:00", "10:00", &[]));
        let one = Hours::new(vec![noon, night, noon], vec![]).unwrap();
        assert_eq!(Ok(&one), Hours::new(vec![night, noon], vec![]).as_ref());
        let text = serde_json::to_string(&one).unwrap();
        assert_eq!(serde_json::from_str::<Hours>(&text).unwrap(), one);
    }
}
