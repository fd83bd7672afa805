//! How many of what happened lies within the last 24 hours, exact at the boundary.

use std::collections::BTreeMap;

use crate::domain::time::{DAY_MS, Timestamp};

/// How long a message counts, in milliseconds. Source: Meta, "Messaging limits" (a moving 24-hour
/// period).
pub const COUNTED_MS: i64 = DAY_MS;

/// Moments, some more than once. Of those that are older than a day some may be forgotten.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Moments {
    by_time: BTreeMap<Timestamp, u32>,
    total: u64,
}

/// What is to be added to and taken from [`Moments`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MomentsDelta {
    by_time: BTreeMap<Timestamp, i64>,
    total: i64,
}

/// Moments as they are with a draft's changes.
#[derive(Debug, Clone, Copy)]
pub struct Counted<'a> {
    base: Option<&'a Moments>,
    delta: Option<&'a MomentsDelta>,
}

impl Moments {
    /// Takes over what a draft changed, and forgets what no question at `now` or later counts.
    pub(crate) fn apply(&mut self, delta: MomentsDelta, now: Timestamp) {
        for (at, change) in delta.by_time {
            let known = self.by_time.get(&at).copied().unwrap_or_default();
            let new = u32::try_from(i64::from(known).saturating_add(change).max(0));
            let new = new.unwrap_or(u32::MAX);
            self.total = self.total.saturating_sub(known.into()).saturating_add(new.into());
            if new == 0 {
                self.by_time.remove(&at);
            } else {
                self.by_time.insert(at, new);
            }
        }
        self.forget(now);
    }

    /// Forgets what no question at `now` or later counts.
    pub(crate) fn forget(&mut self, now: Timestamp) {
        let horizon = now.plus_ms(-COUNTED_MS);
        while let Some(oldest) = self.by_time.first_entry()
            && *oldest.key() <= horizon
        {
            self.total = self.total.saturating_sub(oldest.remove().into());
        }
    }

    /// Returns whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_time.is_empty()
    }
}

impl MomentsDelta {
    /// Adds to, or with -1 takes from, how often something happened at `at`.
    pub(crate) fn add(&mut self, at: Timestamp, change: i64) {
        let known = self.by_time.entry(at).or_default();
        *known = known.saturating_add(change);
        self.total = self.total.saturating_add(change);
    }
}

impl<'a> Counted<'a> {
    /// Lays a draft's changes over what is durable.
    pub const fn new(base: Option<&'a Moments>, delta: Option<&'a MomentsDelta>) -> Self {
        Self { base, delta }
    }

    /// Returns how many moments lie in the 24 hours before `now`: one exactly 24 hours ago does
    /// not any more.
    pub fn within(&self, now: Timestamp) -> u64 {
        let horizon = now.plus_ms(-COUNTED_MS);
        let base = self.base.map_or(0, |base| {
            let gone = base.by_time.range(..=horizon).map(|(_, count)| u64::from(*count));
            base.total.saturating_sub(gone.sum())
        });
        let delta = self.delta.map_or(0, |delta| {
            delta
                .total
                .saturating_sub(delta.by_time.range(..=horizon).map(|(_, count)| count).sum())
        });
        base.saturating_add_signed(delta)
    }

    /// Returns when so many of them, counted from the oldest, will have left; `None` if there are
    /// fewer.
    pub fn freed_at(&self, wanted: u64, now: Timestamp) -> Option<Timestamp> {
        let mut freed = 0;
        for (at, count) in self.in_order(now) {
            freed += count;
            if freed >= wanted {
                return Some(at.plus_ms(COUNTED_MS));
            }
        }
        None
    }

    /// Returns how many leave within each of the steps to come, the first one beginning `now`.
    pub fn leaving(&self, now: Timestamp, step_ms: i64, steps: usize) -> Vec<u64> {
        let mut leaving = vec![0; steps];
        for (at, count) in self.in_order(now) {
            let after = at.plus_ms(COUNTED_MS).ms_since(now).max(1) - 1;
            let step = usize::try_from(after / step_ms.max(1)).unwrap_or(usize::MAX);
            if let Some(known) = leaving.get_mut(step) {
                *known += count;
            }
        }
        leaving
    }

    /// Moments that count at `now`, the oldest first.
    fn in_order(&self, now: Timestamp) -> impl Iterator<Item = (Timestamp, u64)> + 'a {
        let from = now.plus_ms(1 - COUNTED_MS);
        let mut base = self.base.map(|base| base.by_time.range(from..)).into_iter().flatten();
        let mut delta = self.delta.map(|delta| delta.by_time.range(from..)).into_iter().flatten();
        let (mut known, mut changed) = (base.next(), delta.next());
        std::iter::from_fn(move || {
            let at = match (known, changed) {
                (Some((at, _)), Some((other, _))) => *at.min(other),
                (Some((at, _)), None) | (None, Some((at, _))) => *at,
                (None, None) => return None,
            };
            let mut count = 0_u64;
            if let Some((_, here)) = known.filter(|(known, _)| **known == at) {
                count = u64::from(*here);
                known = base.next();
            }
            if let Some((_, change)) = changed.filter(|(changed, _)| **changed == at) {
                count = count.saturating_add_signed(*change);
                changed = delta.next();
            }
            Some((at, count))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_unix_ms(ms)
    }

    fn delta(changes: &[(i64, i64)]) -> MomentsDelta {
        let mut delta = MomentsDelta::default();
        for (ms, change) in changes {
            delta.add(at(*ms), *change);
        }
        delta
    }

    #[test]
    fn a_moment_counts_for_a_day_and_not_a_millisecond_more() {
        let mut moments = Moments::default();
        moments.apply(delta(&[(10, 2), (20, 1)]), at(20));
        let counted = Counted::new(Some(&moments), None);
        assert_eq!(counted.within(at(COUNTED_MS + 9)), 3);
        assert_eq!(counted.within(at(COUNTED_MS + 10)), 1);
        assert_eq!(counted.within(at(COUNTED_MS + 20)), 0);
        assert_eq!(counted.freed_at(1, at(20)), Some(at(COUNTED_MS + 10)));
        assert_eq!(counted.freed_at(3, at(20)), Some(at(COUNTED_MS + 20)));
        assert_eq!(counted.freed_at(4, at(20)), None);
    }

    #[test]
    fn what_leaves_is_told_by_the_step_in_which_it_is_free_again() {
        let mut moments = Moments::default();
        moments.apply(delta(&[(1, 1), (100, 2), (101, 4)]), at(101));
        let leaving = Counted::new(Some(&moments), None).leaving(at(COUNTED_MS), 100, 3);
        assert_eq!(leaving, [3, 4, 0], "those of the first 100 ms are free at its end");
    }

    proptest::proptest! {
        #[test]
        fn a_draft_counts_what_its_application_counts(
            before in proptest::collection::vec(0_i64..50, 0..20),
            taken in proptest::collection::vec(0_usize..20, 0..8),
            added in proptest::collection::vec(50_i64..99, 0..8),
            later in 99_i64..200,
        ) {
            let mut moments = Moments::default();
            let before: Vec<_> = before.into_iter().map(|ms| (ms, 1)).collect();
            moments.apply(delta(&before), at(50));
            let mut changes = MomentsDelta::default();
            let mut left = before.clone();
            for place in taken {
                if place < left.len() {
                    changes.add(at(left.swap_remove(place).0), -1);
                }
            }
            for ms in added {
                changes.add(at(ms), 1);
            }
            let now = at(later - 99 + COUNTED_MS);
            let drafted = Counted::new(Some(&moments), Some(&changes));
            let (within, first) = (drafted.within(now), drafted.freed_at(1, now));
            let leaving = drafted.leaving(now, 10, 30);
            let mut applied = moments.clone();
            applied.apply(changes.clone(), at(99));
            let applied = Counted::new(Some(&applied), None);
            proptest::prop_assert_eq!(applied.within(now), within);
            proptest::prop_assert_eq!(applied.freed_at(1, now), first);
            proptest::prop_assert_eq!(leaving.iter().sum::<u64>(), within);
            proptest::prop_assert_eq!(applied.leaving(now, 10, 30), leaving);
        }
    }
}
