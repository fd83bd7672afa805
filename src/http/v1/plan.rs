//! Over how many days a campaign goes out: as fast as the limit and the quality of the sender let it.

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    domain::{
        eligibility::{Hit, Resolved},
        pace::{Counted, UsageKey},
        reason::Reason,
        state::State,
        time::{DAY_MS, HOUR_MS, Timestamp},
    },
    http::wire::Moment,
};

/// How far a plan looks ahead, in days: a campaign that takes longer needs another limit.
const PLAN_DAYS: i64 = 31;

/// A campaign over days.
#[derive(Debug, Serialize, ToSchema)]
pub struct PlanBody {
    /// The limit it is planned under; `null` is unlimited.
    limit: Option<u32>,
    /// How much marketing the sender goes on with in 24 hours, being of yellow quality. People who
    /// take no room of the limit take some of this too. `null` where quality bounds nothing.
    share: Option<u64>,
    /// What may go out on each day, beginning now.
    days: Vec<DayBody>,
    /// How many do not fit into a month.
    unplanned: u64,
}

/// One day of a plan.
#[derive(Debug, Serialize, ToSchema)]
pub struct DayBody {
    /// When it begins: 24 hours after the one before.
    from: Moment,
    /// How many people may be written to on it. Those who take no room of the limit come first.
    recipients: u64,
}

/// Returns whether the plan takes care of a reason: it is about how many, not about whom. A brake
/// that waiting does not lift is none.
pub(super) fn is_planned(hit: &Hit) -> bool {
    let is_lifted = hit.reason == Reason::QualityBrake && hit.retry_at.is_some();
    is_lifted || hit.reason == Reason::MessagingLimit
}

/// What bounds how many go out within a day, each with what was counted for it lately.
pub(super) struct Rooms<'a> {
    /// The portfolio's limit: people who are not counted yet.
    limit: Option<(u32, Counted<'a>)>,
    /// The share of a yellow sender: every message of marketing.
    share: Option<(u64, Counted<'a>)>,
}

impl<'a> Rooms<'a> {
    pub(super) fn of(state: &'a State, resolved: &Resolved, now: Timestamp) -> Option<Self> {
        let limit = resolved.portfolio().and_then(|id| {
            let limit = state.registry().portfolio(id)?.value.messaging_limit?;
            Some((limit, state.counted(&UsageKey::Portfolio(id.clone()))))
        });
        let share = resolved.share(state, now);
        let share =
            share.map(|(id, share)| (share, state.counted(&UsageKey::Marketing(id.clone()))));
        (limit.is_some() || share.is_some()).then_some(Self { limit, share })
    }

    /// Plans for so many who take room of the limit, and so many who do not.
    ///
    /// Goes through the hours: each lets out as many as there is room for, and they take that room
    /// for a day.
    pub(super) fn plan(&self, (mut new, mut free): (u64, u64), now: Timestamp) -> PlanBody {
        let hours = usize::try_from(PLAN_DAYS * 24).unwrap_or(usize::MAX);
        let limit = self.limit.as_ref().map(|(limit, counted)| (u64::from(*limit), counted));
        let mut limit = limit.map(|(limit, counted)| Room::of(limit, counted, now));
        let mut share = self.share.as_ref().map(|(share, counted)| Room::of(*share, counted, now));
        let mut out: Vec<u64> = Vec::new();
        for hour in 0..hours {
            let of_share = share.as_mut().map_or(u64::MAX, |room| room.open(hour));
            let of_limit = limit.as_mut().map_or(u64::MAX, |room| room.open(hour));
            let sent_free = free.min(of_share);
            let sent_new = new.min(of_limit).min(of_share.saturating_sub(sent_free));
            let sent = sent_free.saturating_add(sent_new);
            if let Some(room) = &mut limit {
                room.take(sent_new);
            }
            if let Some(room) = &mut share {
                room.take(sent);
            }
            (new, free) = (new.saturating_sub(sent_new), free.saturating_sub(sent_free));
            out.push(sent);
            if new == 0 && free == 0 {
                break;
            }
        }
        let mut from = now;
        let mut days = Vec::new();
        for day in out.chunks(24) {
            days.push(DayBody { from: Moment(from), recipients: day.iter().sum() });
            from = from.plus_ms(DAY_MS);
        }
        let (limit, share) = (self.limit.as_ref(), self.share.as_ref());
        PlanBody {
            limit: limit.map(|(limit, _)| *limit),
            share: share.map(|(share, _)| *share),
            days,
            unplanned: new.saturating_add(free),
        }
    }
}

/// Room for so many in any 24 hours, from hour to hour.
struct Room {
    size: u64,
    used: u64,
    /// How many leave within each of the next hours.
    leaving: Vec<u64>,
    /// How many were let out in each hour.
    out: Vec<u64>,
}

impl Room {
    fn of(size: u64, counted: &Counted<'_>, now: Timestamp) -> Self {
        // A ticket that is open ends within a day, and counts a day longer.
        let leaving = counted.leaving(now, HOUR_MS, 2 * 24);
        Self { size, used: counted.within(now), leaving, out: Vec::new() }
    }

    /// Returns how much there is at the start of an hour.
    fn open(&mut self, hour: usize) -> u64 {
        // What left within the hour before makes room at the start of this one.
        let freed = hour.checked_sub(1).and_then(|before| self.leaving.get(before)).unwrap_or(&0);
        let own = hour.checked_sub(24).and_then(|day| self.out.get(day)).unwrap_or(&0);
        self.used = self.used.saturating_sub(*freed).saturating_sub(*own);
        self.size.saturating_sub(self.used)
    }

    fn take(&mut self, count: u64) {
        self.used = self.used.saturating_add(count);
        self.out.push(count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(limit: Option<u32>, share: Option<u64>, new: u64, free: u64) -> (Vec<u64>, u64) {
        let now = Timestamp::from_unix_ms(DAY_MS);
        let nothing = Counted::new(None, None);
        let limit = limit.map(|limit| (limit, nothing));
        let share = share.map(|share| (share, nothing));
        let plan = Rooms { limit, share }.plan((new, free), now);
        (plan.days.iter().map(|day| day.recipients).collect(), plan.unplanned)
    }

    fn days(limit: u32, new: u64, free: u64) -> (Vec<u64>, u64) {
        planned(Some(limit), None, new, free)
    }

    #[test]
    fn each_day_takes_as_many_as_the_limit_and_those_without_room_go_first() {
        assert_eq!(days(250, 600, 40), (vec![290, 250, 100], 0));
        assert_eq!(days(250, 0, 7), (vec![7], 0));
        assert_eq!(days(250, 250, 0), (vec![250], 0));
    }

    #[test]
    fn of_limit_and_share_the_narrower_one_counts_and_everybody_takes_of_the_share() {
        let each = |limit, share, new, free| planned(limit, Some(share), new, free);
        assert_eq!(each(Some(250), 25, 60, 0), (vec![25, 25, 10], 0));
        assert_eq!(each(Some(10), 25, 30, 30), (vec![25, 15, 10, 10], 0));
        assert_eq!(each(None, 25, 0, 30), (vec![25, 5], 0));
        assert_eq!(each(Some(250), 0, 3, 4), (vec![0; 31], 7));
    }

    #[test]
    fn what_does_not_fit_into_a_month_is_said() {
        let (planned, unplanned) = days(250, 250 * 31 + 5, 0);
        assert_eq!((planned.len(), unplanned), (31, 5));
        assert!(planned.iter().all(|day| *day == 250));
    }
}
