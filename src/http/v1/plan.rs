//! Over how many days a campaign goes out: as fast as the limit and the quality of the sender let it.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    domain::{
        eligibility::{Hit, Resolved, Spared},
        pace::{Counted, UsageKey},
        reason::Reason,
        state::State,
        time::{DAY_MS, HOUR_MS, MINUTE_MS, Timestamp},
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
    /// How many people may be written to on it. Those who take no room of the limit come first,
    /// and of them who would take some soonest. Somebody who is counted already takes no more room,
    /// but keeps it for 24 hours from when they are written to.
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

    /// Plans for those who wait.
    ///
    /// Goes through the hours: each lets out as many as there is room for, and they take that room
    /// for a day.
    pub(super) fn plan(&self, queue: &Queue, now: Timestamp) -> PlanBody {
        let hours = usize::try_from(PLAN_DAYS * 24).unwrap_or(usize::MAX);
        let limit = self.limit.as_ref().map(|(limit, counted)| (u64::from(*limit), counted));
        let mut limit = limit.map(|(limit, counted)| Room::of(limit, counted, now));
        let mut share = self.share.as_ref().map(|(share, counted)| Room::of(*share, counted, now));
        let mut waiting = Waiting::of(queue, now);
        let mut out: Vec<u64> = Vec::new();
        for hour in 0..hours {
            let of_share = share.as_mut().map_or(u64::MAX, |room| room.open(hour));
            let of_limit = limit.as_mut().map_or(u64::MAX, |room| room.open(hour));
            let spared = waiting.let_out_spared(hour, of_share, limit.as_mut());
            let new = waiting.new.min(of_limit).min(of_share.saturating_sub(spared));
            waiting.new = waiting.new.saturating_sub(new);
            let sent = spared.saturating_add(new);
            if let Some(room) = &mut limit {
                room.take(new);
            }
            if let Some(room) = &mut share {
                room.take(sent);
            }
            out.push(sent);
            if waiting.count() == 0 {
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
            unplanned: waiting.count(),
        }
    }
}

/// People to be written to, by what spares them the room of the limit.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// Those who take none anyway.
    free: u64,
    /// The others; by nothing are those spared who take room now.
    by_spared: BTreeMap<Spared, u64>,
}

impl Queue {
    /// Adds somebody.
    pub(super) fn add(&mut self, spared: Option<Spared>) {
        let Some(spared) = spared else {
            self.free += 1;
            return;
        };
        // To the minute: windows close at any moment, and a plan goes by hours.
        let to_minute = |at: Timestamp| at.plus_ms(-at.unix_ms().rem_euclid(MINUTE_MS));
        let spared = Spared { window_until: spared.window_until.map(to_minute), ..spared };
        *self.by_spared.entry(spared).or_default() += 1;
    }

    /// Returns how many take room if they are written to now.
    pub(super) fn new_recipients(&self) -> u64 {
        self.by_spared.get(&Spared::default()).copied().unwrap_or_default()
    }
}

/// Those of a queue who were not let out yet.
struct Waiting {
    /// Those who take no room, whenever they are written to.
    free: u64,
    /// Those who take room.
    new: u64,
    /// Those who take none for some hours.
    spared: BTreeMap<Hours, u64>,
}

/// Up to which hour of a plan somebody is spared room. The order is that in which they go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Hours {
    /// By the one or the other.
    until: usize,
    /// By an open window.
    window: usize,
    /// Because they are counted.
    counted: usize,
}

impl Waiting {
    fn of(queue: &Queue, now: Timestamp) -> Self {
        // The first hour at whose start it is over.
        let hour = |until: Option<Timestamp>| {
            let left_ms = until.map_or(0, |until| until.ms_since(now).max(0));
            let begun = i64::from(left_ms % HOUR_MS != 0);
            usize::try_from(left_ms / HOUR_MS + begun).unwrap_or(usize::MAX)
        };
        let mut waiting = Self { free: queue.free, new: 0, spared: BTreeMap::new() };
        for (spared, count) in &queue.by_spared {
            let (window, counted) = (hour(spared.window_until), hour(spared.counted_until));
            let hours = Hours { until: window.max(counted), window, counted };
            *waiting.spared.entry(hours).or_default() += count;
        }
        waiting
    }

    fn count(&self) -> u64 {
        self.spared.values().sum::<u64>().saturating_add(self.free).saturating_add(self.new)
    }

    /// Lets as many as there is room for out of those who take none of the limit at an hour, who
    /// are spared longest last. Who is counted counts a day from then on.
    fn let_out_spared(&mut self, hour: usize, room: u64, mut limit: Option<&mut Room>) -> u64 {
        let mut left = room;
        for (hours, count) in std::mem::take(&mut self.spared) {
            if hours.until <= hour {
                self.new = self.new.saturating_add(count);
                continue;
            }
            let out = count.min(left);
            left -= out;
            if out < count {
                self.spared.insert(hours, count - out);
            }
            if hours.window <= hour
                && let Some(limit) = &mut limit
            {
                limit.renew(out, hours.counted, hour);
            }
        }
        let out = self.free.min(left);
        self.free -= out;
        room - (left - out)
    }
}

/// Room for so many in any 24 hours, from hour to hour.
struct Room {
    size: u64,
    used: u64,
    /// How many leave within each of the next hours.
    leaving: Vec<u64>,
    /// How many begin to count in each hour, be it once more.
    out: Vec<u64>,
    /// How many count once more from this hour on.
    renewed: u64,
}

impl Room {
    fn of(size: u64, counted: &Counted<'_>, now: Timestamp) -> Self {
        // A ticket that is open ends within a day, and counts a day longer.
        let leaving = counted.leaving(now, HOUR_MS, 2 * 24);
        Self { size, used: counted.within(now), leaving, out: Vec::new(), renewed: 0 }
    }

    /// Returns how much there is at the start of an hour.
    fn open(&mut self, hour: usize) -> u64 {
        // What left within the hour before makes room at the start of this one.
        let freed = hour.checked_sub(1).and_then(|before| self.leaving.get(before)).unwrap_or(&0);
        let own = hour.checked_sub(24).and_then(|day| self.out.get(day)).unwrap_or(&0);
        self.used = self.used.saturating_sub(*freed).saturating_sub(*own);
        self.size.saturating_sub(self.used)
    }

    /// Writes to people in an hour who are counted already: those who would leave at the start of
    /// another one leave a day from now instead, unless that is sooner.
    fn renew(&mut self, count: u64, leave_at: usize, hour: usize) {
        if leave_at < hour.saturating_add(24)
            && let Some(leaving) = leave_at.checked_sub(1).and_then(|at| self.leaving.get_mut(at))
        {
            let moved = count.min(*leaving);
            *leaving -= moved;
            self.renewed = self.renewed.saturating_add(moved);
        }
    }

    /// Takes room in the hour that was opened last.
    fn take(&mut self, count: u64) {
        self.used = self.used.saturating_add(count);
        self.out.push(count.saturating_add(std::mem::take(&mut self.renewed)));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::pace::{COUNTED_MS, Moments, MomentsDelta};

    fn planned(limit: Option<u32>, share: Option<u64>, new: u64, free: u64) -> (Vec<u64>, u64) {
        let now = Timestamp::from_unix_ms(DAY_MS);
        let nothing = Counted::new(None, None);
        let limit = limit.map(|limit| (limit, nothing));
        let share = share.map(|share| (share, nothing));
        let by_spared = BTreeMap::from([(Spared::default(), new)]);
        let plan = Rooms { limit, share }.plan(&Queue { free, by_spared }, now);
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

    const NOW: i64 = 100 * DAY_MS;

    /// Somebody as the rules see them: when they were last written to, or will have been, out of
    /// the limit, and when their window is treated as closed.
    #[derive(Debug, Clone, Copy)]
    struct One {
        last: Option<i64>,
        window: Option<i64>,
        is_asked: bool,
    }

    impl One {
        fn is_counted(&self, at: i64) -> bool {
            self.last.is_some_and(|last| at < last + COUNTED_MS)
        }

        fn is_in_window(&self, at: i64) -> bool {
            self.window.is_some_and(|window| at < window)
        }

        fn spared(&self) -> Spared {
            let moment = |ms: i64| Some(ms).filter(|ms| NOW < *ms).map(Timestamp::from_unix_ms);
            Spared {
                window_until: self.window.and_then(moment),
                counted_until: self.last.and_then(|last| moment(last + COUNTED_MS)),
            }
        }
    }

    fn moments(all: &[i64]) -> Moments {
        let mut delta = MomentsDelta::default();
        for at in all {
            delta.add(Timestamp::from_unix_ms(*at), 1);
        }
        let mut moments = Moments::default();
        moments.apply(delta, Timestamp::from_unix_ms(NOW));
        moments
    }

    /// Sends for real at the start of each hour, one by one, as the rules let: who is spared the
    /// room goes first, who would take some soonest before others.
    fn sent(
        mut people: Vec<One>,
        limit: Option<usize>,
        (share, mut marketing): (Option<usize>, Vec<i64>),
    ) -> (Vec<u64>, u64) {
        let mut days: Vec<u64> = Vec::new();
        let hours =
            |until: Option<i64>| until.map_or(0, |until| (until - NOW + HOUR_MS - 1) / HOUR_MS);
        let order = |one: &One| {
            let window = hours(one.window).max(0);
            let counted = hours(one.last.map(|last| last + COUNTED_MS)).max(0);
            (window.max(counted), window, counted)
        };
        for hour in 0..PLAN_DAYS * 24 {
            let at = NOW + hour * HOUR_MS;
            if hour % 24 == 0 {
                days.push(0);
            }
            let mut asked: Vec<usize> =
                (0..people.len()).filter(|one| people[*one].is_asked).collect();
            asked.sort_by_key(|one| {
                let one = &people[*one];
                (!one.is_counted(at) && !one.is_in_window(at), order(one))
            });
            for place in asked {
                let one = people[place];
                let of_share = marketing.iter().filter(|sent| at < **sent + COUNTED_MS).count();
                let of_limit = people.iter().filter(|one| one.is_counted(at)).count();
                let is_free = one.is_in_window(at) || one.is_counted(at);
                if share.is_some_and(|share| share <= of_share)
                    || !is_free && limit.is_some_and(|limit| limit <= of_limit)
                {
                    continue;
                }
                marketing.push(at);
                people[place].is_asked = false;
                if !one.is_in_window(at) {
                    people[place].last = one.last.max(Some(at));
                }
                *days.last_mut().unwrap() += 1;
            }
            if people.iter().all(|one| !one.is_asked) {
                break;
            }
        }
        let left = people.iter().filter(|one| one.is_asked).count();
        (days, u64::try_from(left).unwrap())
    }

    fn plan_of(
        people: &[One],
        limit: Option<usize>,
        (share, marketing): (Option<usize>, &[i64]),
    ) -> (Vec<u64>, u64) {
        let counted = people.iter().filter_map(|one| one.last).collect::<Vec<_>>();
        let (counted, marketing) = (moments(&counted), moments(marketing));
        let limit = limit.map(|limit| u32::try_from(limit).unwrap());
        let share = share.map(|share| u64::try_from(share).unwrap());
        let rooms = Rooms {
            limit: limit.map(|limit| (limit, Counted::new(Some(&counted), None))),
            share: share.map(|share| (share, Counted::new(Some(&marketing), None))),
        };
        let mut queue = Queue::default();
        people.iter().filter(|one| one.is_asked).for_each(|one| queue.add(Some(one.spared())));
        let plan = rooms.plan(&queue, Timestamp::from_unix_ms(NOW));
        (plan.days.iter().map(|day| day.recipients).collect(), plan.unplanned)
    }

    #[test]
    fn who_is_counted_already_keeps_room_for_a_day_more() {
        let one = |last: Option<i64>| One { last, window: None, is_asked: true };
        let counted = one(Some(NOW - 22 * HOUR_MS - HOUR_MS / 2));
        let people: Vec<_> = (0..250).map(|_| counted).chain((0..250).map(|_| one(None))).collect();
        assert_eq!(plan_of(&people, Some(250), (None, &[])), (vec![250, 250], 0));
    }

    fn people() -> impl Strategy<Value = Vec<One>> {
        let minutes = |range: std::ops::Range<i64>| range.prop_map(|minutes| minutes * MINUTE_MS);
        let last = prop_oneof![
            2 => Just(None),
            2 => (1..DAY_MS).prop_map(|ago| Some(NOW - ago)),
            // The end of a ticket that is open.
            1 => (1..DAY_MS).prop_map(|ahead| Some(NOW + ahead)),
        ];
        let window = prop::option::weighted(0.3, minutes(1..1_440).prop_map(|ahead| NOW + ahead));
        let one = (last, window, prop::bool::weighted(0.8));
        let one = one.prop_map(|(last, window, is_asked)| One { last, window, is_asked });
        prop::collection::vec(one, 1..40)
    }

    proptest! {
        #[test]
        fn a_plan_is_what_goes_out_on_each_day(
            people in people(),
            limit in prop::option::of(0_usize..12),
            share in prop::option::weighted(0.4, 0_usize..12),
            marketing in prop::collection::vec(1..DAY_MS, 0..12),
        ) {
            let marketing: Vec<_> = marketing.into_iter().map(|ago| NOW - ago).collect();
            let planned = plan_of(&people, limit, (share, &marketing));
            prop_assert_eq!(planned, sent(people, limit, (share, marketing)));
        }
    }
}
