//! `GET /v1/portfolios/{id}/capacity`: how many people may still be written to, and when more.

use std::sync::Arc;

use actix_web::HttpResponse;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    domain::{
        eligibility::marketing_left,
        entry::{Seq, Subject},
        names::PortfolioId,
        pace::UsageKey,
        state::State,
        time::{DAY_MS, HOUR_MS, Timestamp},
    },
    http::{
        edge::{Ask, Edge},
        problem::{Problem, THING_UNKNOWN},
        v1::registry::id,
        wire::Moment,
    },
    limits::DECISIONS_AT_ONCE,
};

/// The levels of the messaging limit. Source: Meta, "Messaging limits".
const LEVELS: [u32; 4] = [250, 2_000, 10_000, 100_000];

/// How many unique people in 30 days take a portfolio from the first level to the second, without a
/// verification of the business. Source: as above.
const FIRST_STEP: u64 = 2_000;

/// How long Meta takes to raise a limit, at most. Source: as above (within 6 hours).
const RAISED_WITHIN_MS: i64 = 6 * HOUR_MS;

/// Steps of the series: hours of a day.
const STEPS: usize = 24;

/// How much of a portfolio's limit is used.
#[derive(Debug, Serialize, ToSchema)]
pub struct CapacityBody {
    /// The portfolio.
    portfolio: String,
    /// Unique people in a moving 24 hours; `null` is unlimited.
    limit: Option<u32>,
    /// People who count now: written to outside their windows within 24 hours, tickets not yet
    /// used with them.
    used: u64,
    /// How many more may be written to now; `null` is unlimited.
    left: Option<u64>,
    /// How many people marketing may begin with now: what is left, if a sender is good; else what
    /// policy lets the senders of yellow quality send together. None by those that are of red
    /// quality, halted, not connected, or held or restricted by WhatsApp. `null` is unlimited.
    safe_new_recipients: Option<u64>,
    /// When the next one frees up, if any counts.
    frees_at: Option<Moment>,
    /// How many free up in each of the next 24 hours.
    frees: Vec<FreeingBody>,
    /// What the next level takes; `null` where there is none.
    next_level: Option<NextLevelBody>,
    /// The last entry this takes into account.
    #[schema(value_type = u64)]
    as_of: Seq,
}

/// People who count no more after an hour.
#[derive(Debug, Serialize, ToSchema)]
pub struct FreeingBody {
    /// When the hour ends.
    until: Moment,
    /// How many free up within it.
    count: u64,
    /// How many are used at its end if nobody is written to.
    used: u64,
}

/// What the next level takes.
#[derive(Debug, Serialize, ToSchema)]
pub struct NextLevelBody {
    /// The next limit; `null` is unlimited.
    limit: Option<u32>,
    /// Over how many days people are counted.
    days: u32,
    /// How many unique people count within them so far.
    reached: u64,
    /// How many it takes.
    needed: u64,
    /// How many are missing.
    missing: u64,
    /// What else it takes.
    also: &'static str,
    /// The earliest it can come, if as many are written to as the limit allows and quality holds.
    earliest_at: Moment,
}

/// Shows how much of a portfolio's limit is used and when it frees up.
#[utoipa::path(get, path = "/v1/portfolios/{id}/capacity", tag = "registry",
    params(("id" = String, Path)), responses((status = 200, body = CapacityBody)))]
pub(crate) async fn show(ask: Ask) -> Result<HttpResponse, Problem> {
    let portfolio = id(&ask, "id", PortfolioId::parse)?;
    let edge = Arc::clone(&ask.edge);
    let body = ask.edge.blocking.run(move || capacity(&edge, &portfolio)).await??;
    Ok(HttpResponse::Ok().json(body))
}

fn capacity(edge: &Edge, portfolio: &PortfolioId) -> Result<CapacityBody, Problem> {
    let now = edge.clock.now();
    let reached = Reached::count(edge, portfolio, now);
    let state = edge.views().state();
    let unknown = || Problem::new(THING_UNKNOWN, "nothing was put under this id");
    let put = state.registry().portfolio(portfolio).ok_or_else(unknown)?;
    let limit = put.value.messaging_limit;
    let counted = state.counted(&UsageKey::Portfolio(portfolio.clone()));
    let used = counted.within(now);
    let left = limit.map(|limit| u64::from(limit).saturating_sub(used));
    let leaving = counted.leaving(now, HOUR_MS, STEPS);
    Ok(CapacityBody {
        portfolio: portfolio.to_string(),
        limit,
        used,
        left,
        safe_new_recipients: safe(&state, portfolio, left, now),
        frees_at: counted.freed_at(1, now).map(Moment),
        frees: series(&leaving, used, now),
        next_level: limit.map(|limit| next_level(limit, &leaving, used, &reached, now)),
        as_of: state.last(),
    })
}

/// Returns how many of those who are left its senders may begin marketing with; `None` is unlimited.
fn safe(state: &State, portfolio: &PortfolioId, left: Option<u64>, now: Timestamp) -> Option<u64> {
    let of_it = state.registry().senders().filter(|(_, put)| put.value.portfolio == *portfolio);
    let allowed = of_it.map(|(id, _)| marketing_left(state, id, now));
    let allowed = allowed.fold(0_u64, u64::saturating_add);
    let bounds = [left, (allowed != u64::MAX).then_some(allowed)];
    bounds.into_iter().flatten().min()
}

fn series(leaving: &[u64], used: u64, now: Timestamp) -> Vec<FreeingBody> {
    let (mut until, mut left) = (now, used);
    let steps = leaving.iter().map(|&count| {
        until = until.plus_ms(HOUR_MS);
        left = left.saturating_sub(count);
        FreeingBody { until: Moment(until), count, used: left }
    });
    steps.collect()
}

/// Unique people written to outside their windows.
#[derive(Debug, Default)]
struct Reached {
    week: u64,
    month: u64,
}

impl Reached {
    /// Looks at every contact, in runs.
    fn count(edge: &Edge, portfolio: &PortfolioId, now: Timestamp) -> Self {
        let (week, month) = (now.plus_ms(-7 * DAY_MS), now.plus_ms(-30 * DAY_MS));
        let (mut reached, mut next) = (Self::default(), Subject(0));
        loop {
            let state = edge.views().state();
            let mut last = None;
            for (subject, contact) in state.contacts().from(next).take(DECISIONS_AT_ONCE) {
                last = Some(subject);
                let sent = contact.details().sent.iter();
                let of_it = sent.filter(|sent| sent.portfolio.as_ref() == Some(portfolio));
                let Some(at) = of_it.map(|sent| sent.at).max() else { continue };
                reached.week += u64::from(at > week);
                reached.month += u64::from(at > month);
            }
            let Some(last) = last else { return reached };
            next = Subject(last.0.saturating_add(1));
        }
    }
}

/// Returns after how long so many more have had their turn, if each place is taken as it frees up:
/// those that are free now at once, the others hour by hour, and all of them again each day.
fn room_after_ms(limit: u32, leaving: &[u64], used: u64, missing: u64) -> i64 {
    let limit = u64::from(limit).max(1);
    let Some(before_last) = missing.checked_sub(1) else { return 0 };
    let (days, mut rest) = (before_last / limit, before_last % limit + 1);
    rest = rest.saturating_sub(limit.saturating_sub(used));
    let mut hours = 0_i64;
    for count in leaving {
        if rest == 0 {
            break;
        }
        rest = rest.saturating_sub(*count);
        hours += 1;
    }
    // What a ticket holds longer than a day frees up some time in the day after.
    let days = i64::try_from(days).unwrap_or(i64::MAX).saturating_add(i64::from(rest > 0));
    days.saturating_mul(DAY_MS).saturating_add(hours * HOUR_MS)
}

fn next_level(
    limit: u32,
    leaving: &[u64],
    used: u64,
    reached: &Reached,
    now: Timestamp,
) -> NextLevelBody {
    let is_first = limit < FIRST_STEP.try_into().unwrap_or(u32::MAX);
    let (days, count, needed, also) = if is_first {
        let also = "or verify the business; templates of high quality, and WhatsApp's review";
        (30, reached.month, FIRST_STEP, also)
    } else {
        let also = "high quality of all numbers and templates";
        (7, reached.week, u64::from(limit).div_ceil(2), also)
    };
    let missing = needed.saturating_sub(count);
    let earliest = now.plus_ms(room_after_ms(limit, leaving, used, missing));
    let earliest = earliest.plus_ms(RAISED_WITHIN_MS);
    NextLevelBody {
        limit: LEVELS.into_iter().find(|level| *level > limit),
        days,
        reached: count,
        needed,
        missing,
        also,
        earliest_at: Moment(earliest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All that are used free up within the fifth hour.
    fn level(limit: u32, used: u64, week: u64, month: u64) -> NextLevelBody {
        let (now, mut leaving) = (Timestamp::from_unix_ms(0), vec![0; STEPS]);
        leaving[4] = used;
        next_level(limit, &leaving, used, &Reached { week, month }, now)
    }

    #[test]
    fn the_first_level_takes_two_thousand_people_in_thirty_days() {
        let next = level(250, 50, 100, 1_000);
        assert_eq!(
            (next.limit, next.days, next.needed, next.missing),
            (Some(2_000), 30, 2_000, 1_000)
        );
        // 200 at once and 50 when those free up, on each of four days.
        let after = 3 * DAY_MS + 5 * HOUR_MS + RAISED_WITHIN_MS;
        assert_eq!(next.earliest_at, Moment(Timestamp::from_unix_ms(after)));
    }

    #[test]
    fn what_is_full_can_begin_when_it_frees_up_and_not_a_day_later() {
        let after = |missing| room_after_ms(250, &[0, 250, 0], 250, missing);
        assert_eq!(
            [0, 1, 250, 251].map(after),
            [0, 2 * HOUR_MS, 2 * HOUR_MS, DAY_MS + 2 * HOUR_MS]
        );
        // A ticket holds five of them for longer than a day.
        let after = |missing| room_after_ms(250, &[245], 250, missing);
        assert_eq!([245, 246].map(after), [HOUR_MS, DAY_MS + HOUR_MS]);
    }

    #[test]
    fn every_other_level_takes_half_the_limit_within_a_week() {
        let next = level(10_000, 0, 5_000, 5_000);
        assert_eq!((next.limit, next.needed, next.missing), (Some(100_000), 5_000, 0));
        assert_eq!(next.earliest_at, Moment(Timestamp::from_unix_ms(RAISED_WITHIN_MS)));
        assert_eq!(level(100_000, 0, 0, 0).limit, None, "unlimited");
    }
}
