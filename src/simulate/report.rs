//! What a simulation came to.

use std::{fmt, time::Duration};

use super::Violation;

/// What a simulation came to.
#[derive(Debug)]
pub struct Report {
    /// Commands that were decided, and questions that were answered.
    pub decisions: u64,
    /// Tickets that were given out.
    pub tickets: u64,
    /// Refusals for reasons that people would be told.
    pub refusals: u64,
    /// Every rule that was broken.
    pub violations: Vec<Violation>,
    /// How long it took, the witness's own work included.
    pub took: Duration,
}

impl Report {
    /// Returns so many a second as the whole simulation allowed.
    fn rate(&self, count: u64) -> u64 {
        let took_us = u64::try_from(self.took.as_micros()).unwrap_or(u64::MAX).max(1);
        count.saturating_mul(1_000_000) / took_us
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { decisions, tickets, refusals, violations, took } = self;
        write!(f, "{decisions} decisions ({}/s), {tickets} tickets", self.rate(*decisions))?;
        write!(f, " ({}/s), {refusals} refusals", self.rate(*tickets))?;
        write!(f, " in {} ms, {} violations", took.as_millis(), violations.len())
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rule, at, person, detail } = self;
        write!(f, "violation: {rule}, person {person}, {}: {detail}", at.to_rfc3339())
    }
}
