//! The look-up budget: as many look-ups as messages to the people looked up, and a little more to
//! start with. It warns before it is spent: from amber on work in bulk goes slowly, and what is
//! left at red is for single look-ups, which somebody waits for.
//!
//! Source: WhatsApp's On-Premises contacts documentation (the count of checks must not exceed the
//! count of messages sent); an account that verifies numbers it never contacts is banned.

use std::collections::VecDeque;

use crate::domain::{
    lookup_job::LookupJobs,
    time::{DAY_MS, Timestamp},
};

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
    /// How much of the budget may be spent before it warns.
    pub levels: Levels,
}

/// Shares of the budget, in percent of the look-ups allowed, from which on it warns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Levels {
    amber: u8,
    red: u8,
}

/// How much of the budget is spent, in three words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Less than where it warns.
    Green,
    /// So much that work in bulk goes slowly.
    Amber,
    /// So much that the rest is for single look-ups.
    Red,
}

impl Levels {
    /// Amber at 70 %, red at 90 %.
    pub const DEFAULT: Self = Self { amber: 70, red: 90 };

    /// Returns levels at these shares, each 1 to 100 % and amber not above red; `None` otherwise.
    pub const fn new(amber_percent: u8, red_percent: u8) -> Option<Self> {
        if amber_percent == 0 || amber_percent > red_percent || red_percent > 100 {
            return None;
        }
        Some(Self { amber: amber_percent, red: red_percent })
    }

    /// Returns the share at which amber begins, in percent.
    pub const fn amber_percent(self) -> u8 {
        self.amber
    }

    /// Returns the share at which red begins, in percent.
    pub const fn red_percent(self) -> u8 {
        self.red
    }

    /// Returns the level at which `used` of `earned` look-ups are spent.
    fn at(self, used: u64, earned: u64) -> Level {
        let spent = used.saturating_mul(100);
        if spent >= earned.saturating_mul(self.red.into()) {
            Level::Red
        } else if spent >= earned.saturating_mul(self.amber.into()) {
            Level::Amber
        } else {
            Level::Green
        }
    }

    /// Returns how many of `earned` look-ups are kept for single ones: what lies above red.
    fn kept(self, earned: u64) -> u64 {
        earned.saturating_mul(u64::from(100 - self.red.min(100))) / 100
    }
}

impl Level {
    /// Every level.
    pub const ALL: [Self; 3] = [Self::Green, Self::Amber, Self::Red];

    /// Returns the stable name of the level.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Green => "green",
            Self::Amber => "amber",
            Self::Red => "red",
        }
    }
}

/// The marks the budget is counted from. A fold of the ledger; knows no policy.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Governor {
    lookups: VecDeque<Timestamp>,
    messages: VecDeque<Timestamp>,
    uncontacted: u64,
    jobs: LookupJobs,
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
    /// Those of them that may be made by asking for several at once; none at red.
    pub left_for_several: u64,
    /// How much is spent.
    pub level: Level,
    /// People found on WhatsApp and never written to since.
    pub uncontacted: u64,
}

impl Budget {
    /// Returns how many of `wanted` look-ups, asked for together, there is room for.
    pub const fn room_for(&self, wanted: u64) -> u64 {
        if wanted > 1 { self.left_for_several } else { self.left }
    }
}

impl Governor {
    /// Returns what is left at `now`.
    pub fn budget(&self, policy: &LookupPolicy, now: Timestamp) -> Budget {
        let since = now.plus_ms(-policy.window_ms);
        let used = count_after(&self.lookups, since);
        let messages = count_after(&self.messages, since);
        let earned = messages.saturating_add(u64::from(policy.starting_allowance));
        let left = earned.saturating_sub(used);
        let left_for_several = left.saturating_sub(policy.levels.kept(earned));
        let level = policy.levels.at(used, earned);
        Budget { used, earned, left, left_for_several, level, uncontacted: self.uncontacted }
    }

    /// Returns the first moment after `now` at which there would be room for `wanted` look-ups,
    /// asked for together, if nothing else happened; `None` when waiting alone never gets there.
    pub fn frees_at(
        &self,
        policy: &LookupPolicy,
        wanted: u64,
        now: Timestamp,
    ) -> Option<Timestamp> {
        self.first_when(policy, now, |budget| budget.room_for(wanted) >= wanted)
    }

    /// As [`Self::frees_at`], for the next look-up of a job, which takes nothing of what is kept
    /// for single ones.
    pub fn frees_for_job_at(&self, policy: &LookupPolicy, now: Timestamp) -> Option<Timestamp> {
        self.first_when(policy, now, |budget| budget.left_for_several > 0)
    }

    fn first_when(
        &self,
        policy: &LookupPolicy,
        now: Timestamp,
        is_enough: impl Fn(Budget) -> bool,
    ) -> Option<Timestamp> {
        let since = now.plus_ms(-policy.window_ms);
        let leaving = self.lookups.iter().filter(|at| **at > since);
        leaving
            .map(|at| at.plus_ms(policy.window_ms))
            .find(|then| is_enough(self.budget(policy, *then)))
    }

    /// Returns the jobs that look many numbers up.
    pub const fn jobs(&self) -> &LookupJobs {
        &self.jobs
    }

    pub(crate) const fn jobs_mut(&mut self) -> &mut LookupJobs {
        &mut self.jobs
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

    /// Takes the mark of a message sent at `at` back: it only failed.
    pub(crate) fn fold_unearned(&mut self, at: Timestamp) {
        if let Ok(place) = self.messages.binary_search(&at) {
            self.messages.remove(place);
        }
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
    use proptest::prelude::*;

    use super::*;

    const POLICY: LookupPolicy = LookupPolicy {
        window_ms: 100,
        starting_allowance: 2,
        cache_ms: 50,
        requires_opt_in: true,
        lapse_ms: 10,
        levels: Levels::DEFAULT,
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

    #[test]
    fn levels_have_bounds_and_an_order() {
        assert_eq!(Levels::new(70, 90), Some(Levels::DEFAULT));
        assert!(Levels::new(1, 1).is_some() && Levels::new(100, 100).is_some());
        for (amber, red) in [(0, 90), (91, 90), (50, 101), (101, 101)] {
            assert_eq!(Levels::new(amber, red), None, "{amber} {red}");
        }
    }

    #[test]
    fn the_level_changes_exactly_at_its_share() {
        let policy = LookupPolicy { starting_allowance: 20, ..POLICY };
        let mut governor = Governor::default();
        let mut seen = Vec::new();
        for _ in 0..=20 {
            let Budget { level, left_for_several, .. } = governor.budget(&policy, at(2));
            seen.push((level, left_for_several));
            governor.fold_lookup(at(1));
        }
        let at_level = |level| seen.iter().filter(|(seen, _)| *seen == level).count();
        assert_eq!([14, 4, 3], Level::ALL.map(at_level));
        assert_eq!(seen.first(), Some(&(Level::Green, 18)));
        assert_eq!(seen.get(17), Some(&(Level::Amber, 1)));
        assert_eq!(seen.get(18), Some(&(Level::Red, 0)));
    }

    #[test]
    fn what_is_kept_for_single_look_ups_is_not_there_for_several() {
        let policy = LookupPolicy { starting_allowance: 10, ..POLICY };
        let mut governor = Governor::default();
        for ms in 1..=8 {
            governor.fold_lookup(at(ms));
        }
        let budget = governor.budget(&policy, at(9));
        assert_eq!((budget.left, budget.room_for(1), budget.room_for(2)), (2, 2, 1));
        assert_eq!(governor.frees_at(&policy, 2, at(9)), Some(at(101)));
        // A budget too small to be divided is there for whoever comes.
        let budget = Governor::default().budget(&POLICY, at(1));
        assert_eq!((budget.left, budget.left_for_several), (2, 2));
    }

    proptest! {
        #[test]
        fn red_begins_where_nothing_is_left_for_several(
            used in 0_u64..300,
            allowance in 0_u32..300,
            amber in 1_u8..=100,
            more in 0_u8..=99,
        ) {
            let levels = Levels::new(amber, amber.saturating_add(more).min(100)).unwrap();
            let policy = LookupPolicy { starting_allowance: allowance, levels, ..POLICY };
            let mut governor = Governor::default();
            for _ in 0..used {
                governor.fold_lookup(at(1));
            }
            let budget = governor.budget(&policy, at(2));
            prop_assert_eq!(budget.level == Level::Red, budget.left_for_several == 0);
            prop_assert!(budget.left_for_several <= budget.left);
        }
    }
}
