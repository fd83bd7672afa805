//! How much was sent lately: to whom, by which sender, and out of which portfolio's limit.
//!
//! What was counted is in the entry that reserved a ticket; nothing here is a rule.

mod moments;
mod sent;

pub use moments::{COUNTED_MS, Counted, Moments, MomentsDelta};
pub use sent::{SENT_KEPT_MS, SENT_MAX, Sent};
pub(crate) use sent::{add as remember, capped_until, is_counted, last_of};

use crate::domain::names::{PortfolioId, SenderId};

/// What messages are counted for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum UsageKey {
    /// People written to outside their windows, out of a portfolio's limit. Each counts once: when
    /// they were last written to.
    Portfolio(PortfolioId),
    /// Marketing templates of one sender.
    Marketing(SenderId),
}

/// When the messages of a sender so far will all have gone out at its throughput, in microseconds
/// since 1970.
pub type PacedUs = i64;
