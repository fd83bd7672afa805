//! For how long something that WhatsApp says is taken to hold, where it names no end: what the rules
//! go by and the table of error codes shows.

use crate::domain::time::DAY_MS;

/// How long a word that somebody is in a group that gets no marketing (130472) is taken to hold, in
/// milliseconds: WhatsApp names no end, and tells again if it still is so. A choice of Izin's.
pub const EXPERIMENT_MS: i64 = 30 * DAY_MS;

/// How long WhatsApp asks to send no marketing to a person at least, in milliseconds.
/// Source: Meta, "Per-user marketing template message limits" (wait 24 hours after 131049).
pub const HELD_BACK_MS: i64 = DAY_MS;

/// The longest that is made of it by repeats, and how far they count, in milliseconds. WhatsApp asks
/// for longer pauses and names none; this is a choice of Izin's: who gets less than one marketing
/// message a month is not held back for what was before the last.
pub const HELD_BACK_MAX_MS: i64 = 30 * DAY_MS;

/// So many doublings of the first make the longest.
pub const HELD_BACK_DOUBLINGS_MAX: u32 = 5;

/// Returns how long marketing is held back, in milliseconds, if the first time asks for `first_ms`
/// and on so many days before it was as well: twice as long for each of them, up to
/// [`HELD_BACK_MAX_MS`].
pub fn held_back_ms(first_ms: i64, earlier: u32) -> i64 {
    let longer = first_ms.saturating_mul(1 << earlier.min(HELD_BACK_DOUBLINGS_MAX));
    longer.min(HELD_BACK_MAX_MS.max(first_ms))
}
