//! The days a rule is about: days of the week, and public holidays.

use serde::{Deserialize, Serialize};

/// A kind of day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Day {
    /// Monday.
    Monday,
    /// Tuesday.
    Tuesday,
    /// Wednesday.
    Wednesday,
    /// Thursday.
    Thursday,
    /// Friday.
    Friday,
    /// Saturday.
    Saturday,
    /// Sunday.
    Sunday,
    /// A public holiday of those the rule lists, whatever day of the week it falls on.
    Holidays,
}

const WEEK: [Day; 7] = [
    Day::Monday,
    Day::Tuesday,
    Day::Wednesday,
    Day::Thursday,
    Day::Friday,
    Day::Saturday,
    Day::Sunday,
];

impl Day {
    fn bit(self) -> u8 {
        match self {
            Self::Monday => 1,
            Self::Tuesday => 2,
            Self::Wednesday => 4,
            Self::Thursday => 8,
            Self::Friday => 16,
            Self::Saturday => 32,
            Self::Sunday => 64,
            Self::Holidays => 128,
        }
    }

    /// Returns the name, as settings write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Monday => "monday",
            Self::Tuesday => "tuesday",
            Self::Wednesday => "wednesday",
            Self::Thursday => "thursday",
            Self::Friday => "friday",
            Self::Saturday => "saturday",
            Self::Sunday => "sunday",
            Self::Holidays => "holidays",
        }
    }

    /// Returns the day of the week of a day counted from 1970-01-01, a Thursday.
    pub(super) fn of_week(day: i64) -> Self {
        match (day + 3).rem_euclid(7) {
            0 => Self::Monday,
            1 => Self::Tuesday,
            2 => Self::Wednesday,
            3 => Self::Thursday,
            4 => Self::Friday,
            5 => Self::Saturday,
            _ => Self::Sunday,
        }
    }
}

/// A set of kinds of days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Days(u8);

impl Days {
    /// The whole week, holidays with it: they fall on some day of it.
    pub const EVERY: Self = Self(127);

    /// Returns the set of these days.
    pub fn of(days: &[Day]) -> Self {
        Self(days.iter().fold(0, |bits, day| bits | day.bit()))
    }

    /// Returns whether a kind of day is in the set.
    pub fn has(self, day: Day) -> bool {
        self.0 & day.bit() != 0
    }

    /// Returns whether nothing is in the set.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Returns the days from Monday on, holidays last.
    pub fn iter(self) -> impl Iterator<Item = Day> {
        WEEK.into_iter().chain([Day::Holidays]).filter(move |day| self.has(*day))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_epoch_was_a_thursday() {
        let week: Vec<_> = (-3..4).map(Day::of_week).collect();
        assert_eq!(week, WEEK);
    }

    #[test]
    fn a_set_holds_what_was_put_in() {
        let days = Days::of(&[Day::Holidays, Day::Sunday]);
        assert_eq!(days.iter().collect::<Vec<_>>(), [Day::Sunday, Day::Holidays]);
        assert_eq!(Days::of(&WEEK), Days::EVERY);
        assert!(Days::of(&[]).is_empty());
    }
}
