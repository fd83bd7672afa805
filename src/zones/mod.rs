//! Where a recipient's clock may stand, and whether it is a time at which to leave people alone.
//!
//! Knows no contact, no consent and no rule of any country: digits in, zones out; hours and a
//! moment in, the moment to wait for out. Never guesses one zone where there may be several: a
//! number that says nothing stands for every zone of its country. Reads no clock.
//!
//! Source: the time zone database (through chrono-tz), and libphonenumber's `map_data.txt`;
//! `scripts/time-zones` renews the tables.

mod day;
mod holiday;
mod hours;
mod quiet;
mod table;
#[cfg(test)]
mod tests;
mod window;
mod zone;

pub use day::{Day, Days};
pub use holiday::{Holiday, NotAHoliday};
pub use hours::{Hours, NotHours};
pub use quiet::{Quiet, Until, quiet, quiet_begins};
pub use table::{Line, is_region, of_region, possible};
pub use window::{NotAWindow, Window};
pub use zone::{UnknownZone, Zone, database_version};
