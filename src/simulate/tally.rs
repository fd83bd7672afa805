//! What happened on one day, counted.

use std::{collections::BTreeMap, fmt};

use crate::domain::registry::Quality;

/// One day.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) day: u32,
    pub(super) opt_ins: u64,
    pub(super) opt_outs: u64,
    pub(super) tickets: u64,
    pub(super) committed: u64,
    pub(super) voided: u64,
    /// By the name of a reason; one refusal may have several.
    pub(super) refused: BTreeMap<&'static str, u64>,
    /// How much of each limit is used at the end of the day, and how large it is.
    pub(super) used: Vec<(u64, Option<u32>)>,
    pub(super) quality: Vec<Quality>,
    pub(super) violations: usize,
}

impl Tally {
    /// Counts a refusal.
    pub(super) fn refuse(&mut self, reason: &'static str) {
        *self.refused.entry(reason).or_default() += 1;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { day, opt_ins, opt_outs, tickets, committed, voided, .. } = self;
        write!(f, "day {:>3}  opt-ins {opt_ins}  opt-outs {opt_outs}", day + 1)?;
        write!(f, "  tickets {tickets} (sent {committed}, taken back {voided})  used")?;
        for (used, limit) in &self.used {
            match limit {
                Some(limit) => write!(f, " {used}/{limit}")?,
                None => write!(f, " {used}")?,
            }
        }
        f.write_str("  quality")?;
        for quality in &self.quality {
            let word = match quality {
                Quality::Green => "green",
                Quality::Yellow => "yellow",
                Quality::Red => "red",
                Quality::Unknown => "unknown",
            };
            write!(f, " {word}")?;
        }
        write!(f, "  violations {}\n         refused", self.violations)?;
        if self.refused.is_empty() {
            f.write_str(" none")?;
        }
        for (reason, count) in &self.refused {
            write!(f, " {reason} {count}")?;
        }
        Ok(())
    }
}
