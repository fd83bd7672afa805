//! The ledger of the simulation: decides, folds, and keeps a second fold as a replay makes it.

use crate::domain::{
    command::Command,
    decide::{Events, Rules, decide},
    eligibility::SessionPolicy,
    entry::{Seq, Subject},
    event::{Actor, Record},
    governor::{Levels, LookupPolicy},
    refusal::Refusal,
    state::{Draft, State},
    time::{DAY_MS, MINUTE_MS, Timestamp},
};

/// Entries that are folded a second time at once, as a replay does.
const REPLAYED_AT_ONCE: usize = 1_024;

/// How long before its end a window is treated as closed, in milliseconds.
pub(super) const MARGIN_MS: i64 = MINUTE_MS;

/// Look-ups that need not be earned.
pub(super) const ALLOWANCE: u32 = 10;

/// How long a look-up is waited for, and how long its answer and its mark count, in milliseconds.
pub(super) const LAPSE_MS: i64 = 10 * MINUTE_MS;
pub(super) const LOOKUP_WINDOW_MS: i64 = 7 * DAY_MS;

const RULES: Rules = Rules {
    session: SessionPolicy { margin_ms: MARGIN_MS },
    lookup: LookupPolicy {
        window_ms: LOOKUP_WINDOW_MS,
        starting_allowance: ALLOWANCE,
        cache_ms: LOOKUP_WINDOW_MS,
        requires_opt_in: true,
        lapse_ms: LAPSE_MS,
        levels: Levels::DEFAULT,
    },
    skew_ms: 5 * MINUTE_MS,
};

/// A ledger in memory.
#[derive(Debug)]
pub(super) struct Desk {
    rules: Rules,
    state: State,
    /// The same, folded later and many entries at a time.
    replayed: State,
    waiting: Vec<(Seq, Subject, Record)>,
    /// Commands that were decided.
    pub(super) decided: u64,
}

impl Desk {
    /// A ledger on which nothing happened yet; with `is_loose` it knows no budget of look-ups.
    pub(super) fn new(is_loose: bool) -> Self {
        let mut rules = RULES;
        if is_loose {
            rules.lookup.starting_allowance = u32::MAX;
        }
        let (state, replayed) = (State::default(), State::default());
        Self { rules, state, replayed, waiting: Vec::new(), decided: 0 }
    }

    /// Decides a command at a moment and folds what follows.
    pub(super) fn submit(&mut self, command: &Command, now: Timestamp) -> Result<Events, Refusal> {
        self.decided += 1;
        let mut draft = Draft::new(&self.state);
        let events = decide(&draft, &self.rules, command, now)?;
        for (subject, event) in &events {
            let (by, event) = (Actor::System, event.clone());
            let record = Record { at: now, by, command: None, event };
            let seq = draft.next();
            draft.fold(seq, *subject, &record);
            self.waiting.push((seq, *subject, record));
        }
        let changes = draft.into_changes();
        self.state.apply(changes);
        if self.waiting.len() >= REPLAYED_AT_ONCE {
            self.replay();
        }
        Ok(events)
    }

    /// Returns whether a replay comes to the same state.
    pub(super) fn replays_alike(&mut self) -> bool {
        self.replay();
        self.state == self.replayed
    }

    fn replay(&mut self) {
        let mut draft = Draft::new(&self.replayed);
        for (seq, subject, record) in self.waiting.drain(..) {
            draft.fold(seq, subject, &record);
        }
        let changes = draft.into_changes();
        self.replayed.apply(changes);
    }

    /// Returns what decisions rest on.
    pub(super) const fn state(&self) -> &State {
        &self.state
    }

    /// Returns how windows are judged.
    pub(super) const fn session() -> SessionPolicy {
        RULES.session
    }
}
