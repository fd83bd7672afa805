//! Failures that an unusual share of a sender's messages has in common: an incident of the sender's,
//! which says nothing about the people the messages were meant for.
//!
//! Counted by the events' own time, to the minute, from what the ledger records: every message that
//! arrived or failed, once, and the people whose messages failed alike. Every way to fail can be an
//! incident: by what it says of the person where it would mark them until something else happens,
//! and by WhatsApp's code everywhere else. Only marks of the first sort are spared and taken back:
//! what ends by itself, and what the person did, always counts.

mod counted;
mod kind;

pub use counted::{
    ABSOLVED_MAX, Before, FAILED_MIN, FailedNow, Incident, Incidents, Outcomes, SHARE_PERCENT,
    Tally, WINDOW_MINUTES,
};
pub use kind::IncidentKind;
pub(crate) use kind::failure;
