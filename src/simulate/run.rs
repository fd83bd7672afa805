//! Runs a simulation, day by day.

use std::io::{self, Write};

use rand::{SeedableRng as _, rngs::StdRng};

use super::{plan::Plan, report::Report, schedule::Day, tally::Tally, world::World};
use crate::{domain::time::DAY_MS, runtime::clock::Clock};

/// 2026-11-02T00:00:00Z, when every simulation begins.
const START_MS: i64 = 1_793_577_600_000;

/// Violations that are printed; all are counted.
const PRINTED: usize = 20;

/// Runs a simulation and prints each day and what it came to in the end.
///
/// # Errors
///
/// When nothing can be printed.
pub fn run(plan: Plan, clock: &dyn Clock, out: &mut impl Write) -> io::Result<Report> {
    let began = clock.monotonic();
    let random = StdRng::seed_from_u64(plan.seed);
    let mut world = World::new(plan, random, START_MS).map_err(io::Error::other)?;
    let mut tickets = 0;
    for day in 0..plan.days {
        let (start, end) =
            (START_MS + i64::from(day) * DAY_MS, START_MS + i64::from(day + 1) * DAY_MS);
        let before = world.witness.violations.len();
        world.tally = Tally { day, ..Tally::default() };
        let World { random, calendar, .. } = &mut world;
        Day { random, calendar, index: day, start, people: plan.contacts }.plan();
        while let Some((at, happening)) = world.calendar.take_before(end) {
            world.happen(at, happening).map_err(io::Error::other)?;
        }
        world.end_day(end).map_err(io::Error::other)?;
        world.tally.violations = world.witness.violations.len() - before;
        tickets += world.tally.tickets;
        for line in world.traced.drain(..) {
            writeln!(out, "{line}")?;
        }
        writeln!(out, "{}", world.tally)?;
    }
    let report = Report {
        decisions: world.desk.decided,
        tickets,
        refusals: world.refusals,
        violations: world.witness.violations,
        took: clock.monotonic().since(began),
    };
    for violation in report.violations.iter().take(PRINTED) {
        writeln!(out, "{violation}")?;
    }
    writeln!(out, "{report}")?;
    Ok(report)
}
