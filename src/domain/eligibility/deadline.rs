//! By when people decide what may be a STOP, and what waits for them beyond that.

use crate::{
    domain::{
        absorbed::Mark,
        contact::Contact,
        home::Home,
        time::{HOUR_MS, Timestamp},
    },
    policy::{Policy, RuleRef},
};

/// Returns by when a message written at `wrote_at` is decided, and the rule that says so. Counted
/// from when the person wrote: that is when they said stop, if they did.
pub fn stop_due(policy: &Policy, home: Home, wrote_at: Timestamp) -> (Timestamp, RuleRef) {
    let limit = policy.stop_within_hours(home.country);
    (wrote_at.plus_ms(i64::from(limit.amount).saturating_mul(HOUR_MS)), limit.rule)
}

/// What may be a STOP and is undecided at its deadline.
pub(super) struct Overdue {
    /// When that is.
    pub since: Timestamp,
    /// The review.
    pub review: Mark,
    /// The rule that sets the deadline.
    pub rule: RuleRef,
}

/// Returns what holds marketing to a contact back at `now`, if policy lets it.
pub(super) fn overdue(policy: &Policy, contact: &Contact, now: Timestamp) -> Option<Overdue> {
    first_due(policy, contact).filter(|due| due.since <= now)
}

/// Returns what will hold it back first as long as nobody decides, if policy lets it.
pub(super) fn first_due(policy: &Policy, contact: &Contact) -> Option<Overdue> {
    if !policy.settings().overdue_stop_holds {
        return None;
    }
    let oldest = contact.details().told().stops.iter().min_by_key(|mark| (mark.at, mark.seq))?;
    let (since, rule) = stop_due(policy, contact.home, oldest.at);
    Some(Overdue { since, review: *oldest, rule })
}
