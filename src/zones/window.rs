//! A stretch of the local day, on some days.

use std::fmt;

use super::day::{Day, Days};

const DAY_MINUTES: u16 = 24 * 60;

/// From one time on the local clock to another, on some days. It belongs to the day on which it
/// begins: `21:00` to `08:00` on Friday ends on Saturday morning. The end is not part of it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(try_from = "WindowText", into = "WindowText")]
pub struct Window {
    /// Minutes from midnight, below a day.
    from: u16,
    /// Minutes from the midnight before `from`; more than a day if it ends on the next.
    to: u16,
    days: Days,
}

/// Why a window cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAWindow {
    /// Not a time.
    #[error("`{0}` is a time of day such as 08:00; only `to` may be 24:00")]
    Time(&'static str),
    /// No length, or a whole day's by accident.
    #[error("`from` and `to` are the same time; a whole day is 00:00 to 24:00")]
    Empty,
    /// On no day.
    #[error("`on` is empty; leave it out for every day")]
    NoDay,
}

/// A window as people write it.
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct WindowText {
    from: String,
    to: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    on: Option<Vec<Day>>,
}

impl Window {
    /// Makes a window from times such as `21:00`.
    ///
    /// # Errors
    ///
    /// [`NotAWindow`] for other texts, for no length, and for no day.
    pub fn new(from: &str, to: &str, days: Days) -> Result<Self, NotAWindow> {
        let start = minutes(from).filter(|start| *start < DAY_MINUTES);
        let start = start.ok_or(NotAWindow::Time("from"))?;
        let end = minutes(to).ok_or(NotAWindow::Time("to"))?;
        if start == end {
            return Err(NotAWindow::Empty);
        }
        if days.is_empty() {
            return Err(NotAWindow::NoDay);
        }
        let to = if end > start { end } else { end + DAY_MINUTES };
        Ok(Self { from: start, to, days })
    }

    /// Returns the days on which it begins.
    pub fn days(self) -> Days {
        self.days
    }

    /// Returns minutes after midnight at which it begins, and at which it ends: more than 1,440
    /// on the next day.
    pub(super) fn minutes(self) -> (i64, i64) {
        (self.from.into(), self.to.into())
    }

    fn time(minutes: u16) -> String {
        let minutes = if minutes > DAY_MINUTES { minutes - DAY_MINUTES } else { minutes };
        format!("{:02}:{:02}", minutes / 60, minutes % 60)
    }
}

/// Reads `HH:MM` from 00:00 to 24:00.
fn minutes(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let number = |part: &str| {
        let is_plain = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        if is_plain { part.parse::<u16>().ok() } else { None }
    };
    let (hour, minute) = (number(hour)?, number(minute)?);
    let all = hour * 60 + minute;
    (minute < 60 && all <= DAY_MINUTES).then_some(all)
}

impl TryFrom<WindowText> for Window {
    type Error = NotAWindow;

    fn try_from(text: WindowText) -> Result<Self, Self::Error> {
        let WindowText { from, to, on } = text;
        Self::new(&from, &to, on.map_or(Days::EVERY, |days| Days::of(&days)))
    }
}

impl From<Window> for WindowText {
    fn from(window: Window) -> Self {
        let Window { from, to, days } = window;
        let on = (days != Days::EVERY).then(|| days.iter().collect());
        Self { from: Window::time(from), to: Window::time(to), on }
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", Self::time(self.from), Self::time(self.to))?;
        if self.days != Days::EVERY {
            let days: Vec<_> = self.days.iter().map(Day::name).collect();
            write!(f, " on {}", days.join(", "))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_wraps_midnight_ends_on_the_next_day() {
        let night = Window::new("21:00", "08:00", Days::EVERY).unwrap();
        assert_eq!(night.minutes(), (21 * 60, 32 * 60));
        let day = Window::new("00:00", "24:00", Days::EVERY).unwrap();
        assert_eq!(day.minutes(), (0, 24 * 60));
        let until_midnight = Window::new("20:00", "00:00", Days::EVERY).unwrap();
        assert_eq!(until_midnight.minutes(), (20 * 60, 24 * 60));
    }

    #[test]
    fn nothing_else_is_a_time() {
        for time in ["", "8:00", "08:60", "24:01", "25:00", "08-00", "08:00 ", "+8:00", "aa:bb"] {
            let wrong = Window::new("01:00", time, Days::EVERY);
            assert_eq!(wrong, Err(NotAWindow::Time("to")), "{time}");
        }
        assert_eq!(Window::new("24:00", "08:00", Days::EVERY), Err(NotAWindow::Time("from")));
        assert_eq!(Window::new("08:00", "08:00", Days::EVERY), Err(NotAWindow::Empty));
        assert_eq!(Window::new("07:00", "08:00", Days::of(&[])), Err(NotAWindow::NoDay));
    }

    #[test]
    fn it_is_written_as_it_was_read() {
        for text in [
            r#"{"from":"21:00","to":"08:00"}"#,
            r#"{"from":"00:00","to":"24:00","on":["sunday","holidays"]}"#,
        ] {
            let window: Window = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&window).unwrap(), text);
        }
        assert!(serde_json::from_str::<Window>(r#"{"from":"21:00","to":"08:00","x":1}"#).is_err());
    }
}
