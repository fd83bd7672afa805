//! The look-up budget: as many look-ups as messages to the people looked up, and a little more to
//! start with.
//!
//! Source: WhatsApp's On-Premises contacts documentation (the count of checks must not exceed the
//! count of messages sent); an account that verifies numbers it never contacts is banned.

use std::collections::VecDeque;

use crate::domain::time::{DAY_MS, Timestamp};

/// Longest window a policy may ask about; older marks are forgotten.
pub const WINDOW_MS_MAX: i64 = 31 * DAY_MS;

/// The rule the budget is judged by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LookupPolicy {
    /// Length of the moving window in milliseconds, at most [`WINDOW_MS_MAX`].
    pub window_ms: i64,
    /// Look-ups that need no message.
    pub starting_allowance: u32,
    /// How long an answer is good for, in milliseconds.
    pub cache_ms: i64,
    /// Whether only people who opted in may be looked up.
    pub requires_opt_in: bool,
    /// After how long a look-up that nobody ended counts as lost, in milliseconds. Longer than the
    /// longest one takes.
    pub lapse_ms: i64,
}

/// The marks the budget is counted from. A fold of the ledger; knows no policy.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Governor {
    lookups: VecDeque<Timestamp>,
    messages: VecDeque<Timestamp>,
    uncontacted: u64,
}

/// What is left at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Look-ups in the window.
    pub used: u64,
    /// Messages in the window to people looked up, plus the starting allowance.
    pub earned: u64,
    /// Look-ups that may be made now.
    pub left: u64,
    /// People found on WhatsApp and never written to since.
    pub uncontacted: u64,
}

impl Governor {
    /// Returns what is left at `now`.
    pub fn budget(&self, policy: &LookupPolicy, now: Timestamp) -> Budget {
        let since = now.plus_ms(-policy.window_ms);
        let used = count_after(&self.lookups, since);
        let messages = count_after(&self.messages, since);
        let earned = messages.saturating_add(u64::from(policy.starting_allowance));
        let left = earned.saturating_sub(used);
        Budget { used, earned, left, uncontacted: self.uncontacted }
    }

    /// Returns the first moment after `now` at which `wanted` look-ups would be left if nothing
    /// else happened; `None` when waiting alone never gets there.
    pub fn frees_at(
        &self,
        policy: &LookupPolicy,
        wanted: u64,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let since = now.plus_ms(-policy.window_ms);
        let leaving = self.lookups.iter().filter(|at| **at > since);
        leaving
            .map(|at| at.plus_ms(policy.window_ms))
            .find(|then| self.budget(policy, *then).left >= wanted)
    }

    pub(crate) fn fold_lookup(&mut self, at: Timestamp) {
        push(&mut self.lookups, at);
    }

    /// Takes the mark of a look-up requested at `at` back: no provider was asked.
    pub(crate) fn fold_unasked(&mut self, at: Timestamp) {
        if let Ok(place) = self.lookups.binary_search(&at) {
            self.lookups.remove(place);
        }
    }

    pub(crate) fn fold_message(&mut self, at: Timestamp) {
        push(&mut self.messages, at);
    }

    pub(crate) const fn fold_uncontacted(&mut self, is_added: bool) {
        self.uncontacted = if is_added {
            self.uncontacted.saturating_add(1)
        } else {
            self.uncontacted.saturating_sub(1)
        };
    }
}

/// Entries come in the order of ledger time, so the marks are sorted and the oldest leave first.
fn push(marks: &mut VecDeque<Timestamp>, at: Timestamp) {
    let horizon = at.plus_ms(-WINDOW_MS_MAX);
    while marks.front().is_some_and(|oldest| *oldest <= horizon) {
        marks.pop_front();
    }
    marks.push_back(at);
}

fn count_after(marks: &VecDeque<Timestamp>, since: Timestamp) -> u64 {
    let inside = marks.len() - marks.partition_point(|at| *at <= since);
    u64::try_from(inside).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: LookupPolicy = LookupPolicy {
        window_ms: 100,
        starting_allowance: 2,
        cache_ms: 50,
        requires_opt_in: true,
        lapse_ms: 10,
    };

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_unix_ms(ms)
    }

    #[test]
    fn a_message_to_a_person_looked_up_earns_one_more_look_up() {
        let mut governor = Governor::default();
        governor.fold_lookup(at(1));
        governor.fold_lookup(at(2));
        assert_eq!(governor.budget(&POLICY, at(3)).left, 0);
        governor.fold_message(at(4));
        assert_eq!(governor.budget(&POLICY, at(5)).left, 1);
    }

    #[test]
    fn a_look_up_leaves_the_window_exactly_at_its_end() {
        let mut governor = Governor::default();
        governor.fold_lookup(at(1));
        governor.fold_lookup(at(2));
        assert_eq!(governor.budget(&POLICY, at(100)).left, 0);
        assert_eq!(governor.budget(&POLICY, at(101)).left, 1);
        assert_eq!(governor.frees_at(&POLICY, 1, at(3)), Some(at(101)));
        assert_eq!(governor.frees_at(&POLICY, 2, at(3)), Some(at(102)));
        assert_eq!(governor.frees_at(&POLICY, 3, at(3)), None);
    }

    #[test]
    fn a_look_up_nobody_was_asked_for_gives_its_mark_back_once() {
        let mut governor = Governor::default();
        for ms in [1, 1, 2] {
            governor.fold_lookup(at(ms));
        }
        governor.fold_unasked(at(1));
        assert_eq!(governor.budget(&POLICY, at(3)).used, 2);
        governor.fold_unasked(at(7));
        assert_eq!(governor.budget(&POLICY, at(3)).used, 2);
    }

    #[test]
    fn marks_older_than_any_window_are_forgotten() {
        let mut governor = Governor::default();
        governor.fold_lookup(at(0));
        governor.fold_lookup(at(WINDOW_MS_MAX + 1));
        assert_eq!(governor.lookups.len(), 1);
    }
}
