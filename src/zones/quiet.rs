//! Whether it is quiet hours anywhere the recipient may be, and when that ends.

use super::{
    hours::{DAY_MS, Hours},
    zone::Zone,
};
use crate::limits::QUIET_DAYS_MAX;

/// It is quiet hours for the recipient, or may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quiet {
    /// When to try again, in milliseconds since 1970: the first moment of its kind.
    pub until_ms: i64,
    /// What is so at that moment.
    pub until: Until,
}

/// What is so when waiting is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// It is quiet hours in none of the zones.
    AllOpen,
    /// It is still quiet hours in some zones, but in fewer than at any earlier moment, and in no
    /// more than at any moment of the week: the zones are so far apart, or the hours so long,
    /// that no moment suits all. Sending then is the least bad, and asking then answers that it
    /// is not quiet.
    MostOpen,
    /// Nothing: the hours of several rules together leave no moment of the week in any zone.
    NoneOpen,
}

/// Moments count up to here, some 250,000 years from 1970: what lies further is as far.
const MOMENT_MS_MAX: i64 = 8_000_000_000_000_000;

/// Tells whether the recipient's clock may stand in quiet hours: in any of these zones, and by
/// any of these rules. `None` means it does not, or that nothing is known about the clock.
///
/// The moment waited for is exact, also where clocks are set or an hour comes twice. Looks ahead
/// for [`QUIET_DAYS_MAX`] days; only when no moment of those suits every zone does
/// [`Until::MostOpen`] count, at `now_ms` too.
pub fn quiet<H: AsRef<Hours>>(zones: &[Zone], hours: &[H], now_ms: i64) -> Option<Quiet> {
    let now_ms = now_ms.clamp(-MOMENT_MS_MAX, MOMENT_MS_MAX);
    let search = Search { zones, hours, now_ms, end_ms: now_ms + QUIET_DAYS_MAX * DAY_MS };
    if search.quiet_zones(now_ms) == 0 {
        return None;
    }
    match search.all_open() {
        Some(until_ms) => Some(Quiet { until_ms, until: Until::AllOpen }),
        None => search.most_open(),
    }
}

/// Tells at which moment after `from_ms`, at which it is not quiet, it first is, as [`quiet`] would
/// tell then; `None` if that is not before `end_ms`.
pub fn quiet_begins<H: AsRef<Hours>>(
    zones: &[Zone],
    hours: &[H],
    (from_ms, end_ms): (i64, i64),
) -> Option<i64> {
    let now_ms = from_ms.clamp(-MOMENT_MS_MAX, MOMENT_MS_MAX);
    let search = Search { zones, hours, now_ms, end_ms };
    let mut at_ms = now_ms;
    loop {
        at_ms = zones.iter().map(|zone| search.next_turn(*zone, at_ms)).min()?;
        if at_ms >= end_ms {
            return None;
        }
        if quiet(zones, hours, at_ms).is_some() {
            return Some(at_ms);
        }
    }
}

struct Search<'a, H> {
    zones: &'a [Zone],
    hours: &'a [H],
    now_ms: i64,
    end_ms: i64,
}

impl<H: AsRef<Hours>> Search<'_, H> {
    /// Returns the local time at which the longest running rule ends, if one holds.
    fn quiet_until(&self, local_ms: i64) -> Option<i64> {
        self.hours.iter().filter_map(|hours| hours.as_ref().quiet_until(local_ms)).max()
    }

    fn quiet_zones(&self, at_ms: i64) -> usize {
        let is_quiet = |zone: &&Zone| self.quiet_until(zone.local_ms(at_ms)).is_some();
        self.zones.iter().filter(is_quiet).count()
    }

    /// Returns the first moment from `at_ms` on that is not quiet in a zone, or the end.
    fn open_from(&self, zone: Zone, mut at_ms: i64) -> i64 {
        while at_ms < self.end_ms {
            let local_ms = zone.local_ms(at_ms);
            let Some(local_end_ms) = self.quiet_until(local_ms) else { return at_ms };
            // If the clock runs on; it may be set on the way, and then only as far as that.
            let end_ms = at_ms + (local_end_ms - local_ms);
            at_ms = zone.first_change_ms(at_ms, end_ms).unwrap_or(end_ms);
        }
        self.end_ms
    }

    /// Returns the first moment that is not quiet in any zone.
    ///
    /// Before the latest of the moments at which each zone opens, one of them is quiet: so that
    /// is the next moment worth a look, until nothing moves.
    fn all_open(&self) -> Option<i64> {
        let mut at_ms = self.now_ms;
        while at_ms < self.end_ms {
            let opens = self.zones.iter().map(|zone| self.open_from(*zone, at_ms));
            let latest_ms = opens.max().unwrap_or(at_ms);
            if latest_ms == at_ms {
                return Some(at_ms);
            }
            at_ms = latest_ms;
        }
        None
    }

    /// Returns the first moment at which the fewest zones are quiet, unless that is now.
    ///
    /// Their number only falls where a zone opens, so only those moments are compared.
    fn most_open(&self) -> Option<Quiet> {
        let mut best = (self.quiet_zones(self.now_ms), self.now_ms);
        for zone in self.zones {
            let mut at_ms = self.now_ms;
            while at_ms < self.end_ms {
                at_ms = self.open_from(*zone, at_ms);
                if at_ms < self.end_ms {
                    best = best.min((self.quiet_zones(at_ms), at_ms));
                    at_ms = self.quiet_from(*zone, at_ms);
                }
            }
        }
        let (quiet_zones, until_ms) = best;
        if quiet_zones == self.zones.len() {
            return Some(Quiet { until_ms: self.end_ms, until: Until::NoneOpen });
        }
        (until_ms > self.now_ms).then_some(Quiet { until_ms, until: Until::MostOpen })
    }

    /// Returns the next moment at which a zone opens, or may be quiet, or its clock has been set;
    /// or the end.
    fn next_turn(&self, zone: Zone, at_ms: i64) -> i64 {
        match self.quiet_until(zone.local_ms(at_ms)) {
            Some(_) => self.open_from(zone, at_ms),
            None => self.quiet_from(zone, at_ms),
        }
    }

    /// Returns a moment after `at_ms`, at which a zone is open, from which on it is quiet or the
    /// clock has been set; or the end. Never one beyond the next opening.
    fn quiet_from(&self, zone: Zone, at_ms: i64) -> i64 {
        let local_ms = zone.local_ms(at_ms);
        let next = self.hours.iter().filter_map(|hours| hours.as_ref().next_begin(local_ms)).min();
        let Some(local_next_ms) = next else { return self.end_ms };
        let next_ms = at_ms + (local_next_ms - local_ms);
        zone.first_change_ms(at_ms, next_ms).unwrap_or(next_ms).min(self.end_ms)
    }
}
