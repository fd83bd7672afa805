//! How long marketing to a person is held back, and longer the more often WhatsApp had to.
//!
//! A hold is as long as the number of days before it on which there was one makes it, whenever they are
//! told: several of one day were on their way together and are one, the last. The latest ten days are
//! kept, which is as many as can make a difference. Whatever is older than the last six of those either
//! has them all within the longest hold after it, so that the last is held as long as can be, or is
//! over before the last begins.

use serde::{Deserialize, Serialize};

use crate::domain::{
    absorbed::Mark,
    hearing::Told,
    spans::{HELD_BACK_DOUBLINGS_MAX, HELD_BACK_MAX_MS, HELD_BACK_MS, held_back_ms},
    time::{DAY_MS, Timestamp},
};

/// So many days are remembered. Two times what makes the longest: see above.
const HELD_MAX: usize = 10;

const _: () = assert!(2 * HELD_BACK_DOUBLINGS_MAX <= 10, "what is forgotten makes no difference");

/// WhatsApp holds marketing back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldBack {
    /// Until when; [`Timestamp::NEVER`] where time alone does not end it.
    pub until: Timestamp,
    /// When it last said so, and the entry that recorded it.
    pub mark: Mark,
}

impl Told {
    /// Returns until when marketing is held back after WhatsApp did so at `at`, if the first time
    /// asks for `first_ms`, or for good; `None` where that is known.
    pub fn held_until(&self, first_ms: Option<i64>, at: Timestamp) -> Option<Timestamp> {
        let Some(first_ms) = first_ms else {
            let is_known = |held: HeldBack| held.until == Timestamp::NEVER && at <= held.mark.at;
            return (!self.held_back.is_some_and(is_known)).then_some(Timestamp::NEVER);
        };
        let is_full = self.held_at.len() >= HELD_MAX;
        let is_older = self.held_at.first().is_some_and(|first| day(at) < day(*first));
        let is_known = self.held_at.iter().any(|known| day(at) == day(*known) && at <= *known);
        if is_known || (is_full && is_older) {
            return None;
        }
        let mut all = self.held_at.clone();
        insert(&mut all, at);
        grown_until(&all, first_ms)
    }

    /// Folds a hold in: the longest stays, and when the last was.
    pub(crate) fn fold_hold(&mut self, until: Timestamp, mark: Mark) {
        if until != Timestamp::NEVER {
            insert(&mut self.held_at, mark.at);
        }
        let known = self.held_back.get_or_insert(HeldBack { until, mark });
        known.until = known.until.max(until);
        if Mark::is_news(Some(known.mark), mark.at) {
            known.mark = mark;
        }
    }

    /// Folds in what was told of another contact that is this person: what was held back of either is
    /// as long as if it had been told of one.
    pub(super) fn join_holds(&mut self, theirs: &Self) {
        for at in &theirs.held_at {
            insert(&mut self.held_at, *at);
        }
        if let Some(HeldBack { until, mark }) = theirs.held_back {
            let known = self.held_back.get_or_insert(HeldBack { until, mark });
            known.until = known.until.max(until);
            known.mark = Mark::later(Some(known.mark), Some(mark)).unwrap_or(mark);
        }
        let grown = grown_until(&self.held_at, HELD_BACK_MS);
        if let (Some(known), Some(until)) = (&mut self.held_back, grown) {
            known.until = known.until.max(until);
        }
    }
}

/// Returns until when marketing is held back that was at all of these times.
fn grown_until(all: &[Timestamp], first_ms: i64) -> Option<Timestamp> {
    let ends = all.iter().enumerate().map(|(place, one)| {
        let before = all.iter().take(place);
        let days = |before: &Timestamp| day(*one).saturating_sub(day(*before));
        let earlier = before.filter(|before| days(before) <= HELD_BACK_MAX_MS / DAY_MS);
        let earlier = u32::try_from(earlier.count()).unwrap_or(u32::MAX);
        one.plus_ms(held_back_ms(first_ms, earlier))
    });
    ends.max()
}

/// Keeps the last of each of the latest days, in order.
fn insert(all: &mut Vec<Timestamp>, at: Timestamp) {
    match all.binary_search_by_key(&day(at), |known| day(*known)) {
        Ok(place) => {
            if let Some(known) = all.get_mut(place) {
                *known = at.max(*known);
            }
        }
        Err(place) => {
            all.insert(place, at);
            if all.len() > HELD_MAX {
                all.remove(0);
            }
        }
    }
}

/// Returns the day of UTC a moment lies in, counted from 1970.
const fn day(at: Timestamp) -> i64 {
    at.unix_ms().div_euclid(DAY_MS)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::{entry::Seq, time::HOUR_MS};

    /// Tells of holds, each as it is news, and returns what is left of them.
    fn told(all: &[i64]) -> Told {
        let mut told = Told::default();
        for at in all {
            let at = Timestamp::from_unix_ms(*at);
            if let Some(until) = told.held_until(Some(HELD_BACK_MS), at) {
                told.fold_hold(until, Mark { at, seq: Seq(0) });
            }
            assert_eq!(told.held_until(Some(HELD_BACK_MS), at), None, "told again");
        }
        told
    }

    /// How many days after the last of these marketing is held back.
    fn days_after_last(all: &[i64]) -> i64 {
        let until = told(all).held_back.unwrap().until.unix_ms();
        (until - all.iter().max().unwrap()) / DAY_MS
    }

    #[test]
    fn each_within_a_month_of_others_doubles_the_hold_up_to_a_month() {
        let daily: Vec<i64> = (0..8).map(|place| place * 25 * HOUR_MS).collect();
        let days: Vec<i64> = (1..=8).map(|count| days_after_last(&daily[..count])).collect();
        assert_eq!(days, [1, 2, 4, 8, 16, 30, 30, 30]);
        assert_eq!(days_after_last(&[0, 30 * DAY_MS]), 2);
        assert_eq!(days_after_last(&[0, 31 * DAY_MS]), 1, "too long ago");
        assert_eq!(days_after_last(&[0, 1, 2, 23 * HOUR_MS]), 1, "on their way together");
    }

    #[test]
    fn what_time_does_not_end_stays_beside_what_it_does() {
        for order in [[true, false], [false, true]] {
            let mut told = Told::default();
            for is_lasting in order {
                let (first_ms, at) = if is_lasting { (None, 7) } else { (Some(HELD_BACK_MS), 9) };
                let at = Timestamp::from_unix_ms(at);
                let until = told.held_until(first_ms, at).unwrap();
                told.fold_hold(until, Mark { at, seq: Seq(0) });
                assert_eq!(told.held_until(first_ms, at), None);
            }
            let held = told.held_back.unwrap();
            assert_eq!((held.until, held.mark.at.unix_ms()), (Timestamp::NEVER, 9));
        }
    }

    #[test]
    fn what_was_stored_before_repeats_were_remembered_is_read() {
        let text = r#"{"held_back":{"until":86400007,"mark":{"at":7,"seq":3}}}"#;
        let told: Told = serde_json::from_str(text).unwrap();
        assert_eq!(told.held_back.unwrap().until.unix_ms(), DAY_MS + 7);
        assert_eq!(serde_json::to_string(&told).unwrap(), text);
    }

    proptest! {
        #[test]
        fn the_end_is_the_same_in_any_order_and_however_often_it_is_told(
            (all, mixed) in prop::collection::vec(0_i64..400, 1..60).prop_flat_map(|days| {
                let mut all: Vec<i64> = days.iter().map(|day| day * DAY_MS / 4).collect();
                let twice = all.iter().chain(&all).copied().collect::<Vec<_>>();
                all.sort_unstable();
                (Just(all), Just(twice).prop_shuffle())
            }),
        ) {
            let (one, other) = (told(&all), told(&mixed));
            prop_assert_eq!(one.held_back, other.held_back);
            prop_assert_eq!(&one.held_at, &other.held_at);
            // Told of two that are one person, each of the half.
            let (even, odd): (Vec<_>, Vec<_>) = all.iter().enumerate().partition(|it| it.0 % 2 == 0);
            let of = |half: Vec<(usize, &i64)>| told(&half.iter().map(|it| *it.1).collect::<Vec<_>>());
            let mut joined = of(even);
            joined.join_holds(&of(odd));
            prop_assert_eq!(one.held_back.map(|it| it.until), joined.held_back.map(|it| it.until));
        }
    }
}
