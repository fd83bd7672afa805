//! The breaker's states and what moves it from one to the next.
//!
//! ```text
//!            failures in a row, or throttled
//!   closed ───────────────────────────────────► open ◄───────────┐
//!     ▲                                           │ pause over   │ failed or
//!     └──────────── answered ◄──── half open ◄────┘              │ throttled
//!                                     └──────────────────────────┘
//! ```
//!
//! Is neither shared nor timed: [`super::SharedBreaker`] does the first, the caller the second.

use std::time::Duration;

use crate::{limits::PROVIDER_PAUSE_MS_MAX, providers::breaker::settings::BreakerSettings};

/// Shortest pause a provider can order, in milliseconds: `Retry-After: 0` with a refusal is no
/// invitation to ask in a loop.
const PAUSE_MS_MIN: u64 = 1_000;

/// How long to wait while somebody else's probe is under way, in milliseconds.
const PROBE_WAIT_MS: u64 = 1_000;

/// What a permitted question led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The provider answered the question.
    Healthy,
    /// It did not.
    Failed,
    /// It asked for fewer questions, and perhaps said for how long.
    Throttled {
        /// The pause it named.
        retry_after: Option<Duration>,
    },
}

/// The right to ask one question. Given back by [`Breaker::report`] or [`Breaker::abandon`].
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a permit that is not given back keeps a half-open breaker waiting"]
pub struct Permit {
    round: u64,
}

/// No question may be asked before this time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the look-up provider is given a pause")]
pub struct OpenUntil {
    /// Monotonic milliseconds of the clock that was passed in.
    pub until_ms: u64,
}

/// Where a breaker stands, for people and metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerState {
    /// Questions are asked.
    Closed,
    /// No question is asked.
    Open {
        /// Until when, in monotonic milliseconds.
        until_ms: u64,
    },
    /// One question decides what comes next.
    HalfOpen,
}

impl BreakerState {
    /// Returns the stable name of the state.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open { .. } => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

/// A circuit breaker for one provider.
#[derive(Debug)]
pub struct Breaker {
    settings: BreakerSettings,
    phase: Phase,
    /// How often it opened since the last answer: what the next pause depends on.
    opened_in_a_row: u32,
    /// Grows with each opening, so that a permit from before is known as late.
    round: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Closed { failures: u32 },
    Open { until_ms: u64 },
    HalfOpen { is_probing: bool },
}

impl Breaker {
    /// Returns a closed breaker.
    pub const fn new(settings: BreakerSettings) -> Self {
        Self { settings, phase: Phase::Closed { failures: 0 }, opened_in_a_row: 0, round: 0 }
    }

    /// Returns the right to ask one question at `now_ms`.
    ///
    /// # Errors
    ///
    /// [`OpenUntil`] while the provider is given a pause, or while a probe is under way.
    pub fn allows(&mut self, now_ms: u64) -> Result<Permit, OpenUntil> {
        match self.phase {
            Phase::Closed { .. } => Ok(Permit { round: self.round }),
            Phase::Open { until_ms } if now_ms < until_ms => Err(OpenUntil { until_ms }),
            Phase::HalfOpen { is_probing: true } => {
                Err(OpenUntil { until_ms: now_ms.saturating_add(PROBE_WAIT_MS) })
            }
            Phase::Open { .. } | Phase::HalfOpen { is_probing: false } => {
                self.phase = Phase::HalfOpen { is_probing: true };
                Ok(Permit { round: self.round })
            }
        }
    }

    /// Takes a permit back with what came of it.
    ///
    /// The outcome of a permit from before the last opening moves nothing, except that a pause the
    /// provider names is honoured while the breaker is open.
    pub fn report(&mut self, Permit { round }: Permit, outcome: Outcome, now_ms: u64) {
        if round == self.round {
            self.judge(outcome, now_ms);
        } else if let (Phase::Open { until_ms }, Outcome::Throttled { retry_after: Some(pause) }) =
            (self.phase, outcome)
        {
            let until_ms = until_ms.max(now_ms.saturating_add(named_pause_ms(pause)));
            self.phase = Phase::Open { until_ms };
        }
    }

    /// Takes a permit back unused: nothing was learnt, and the next question may be the probe.
    pub fn abandon(&mut self, Permit { round }: Permit) {
        if round == self.round && self.phase == (Phase::HalfOpen { is_probing: true }) {
            self.phase = Phase::HalfOpen { is_probing: false };
        }
    }

    /// Returns where the breaker stands at `now_ms`.
    pub const fn state(&self, now_ms: u64) -> BreakerState {
        match self.phase {
            Phase::Closed { .. } => BreakerState::Closed,
            Phase::Open { until_ms } if now_ms < until_ms => BreakerState::Open { until_ms },
            Phase::Open { .. } | Phase::HalfOpen { .. } => BreakerState::HalfOpen,
        }
    }

    fn judge(&mut self, outcome: Outcome, now_ms: u64) {
        match outcome {
            Outcome::Healthy => {
                self.phase = Phase::Closed { failures: 0 };
                self.opened_in_a_row = 0;
            }
            Outcome::Failed => match self.phase {
                Phase::Closed { failures }
                    if failures.saturating_add(1) < self.settings.failures_max().get() =>
                {
                    self.phase = Phase::Closed { failures: failures + 1 };
                }
                Phase::Closed { .. } | Phase::Open { .. } | Phase::HalfOpen { .. } => {
                    self.open(None, now_ms);
                }
            },
            Outcome::Throttled { retry_after } => self.open(retry_after, now_ms),
        }
    }

    fn open(&mut self, named: Option<Duration>, now_ms: u64) {
        self.opened_in_a_row = self.opened_in_a_row.saturating_add(1);
        self.round += 1;
        let pause_ms = match named {
            Some(pause) => named_pause_ms(pause),
            None => self.settings.pause_ms(self.opened_in_a_row),
        };
        self.phase = Phase::Open { until_ms: now_ms.saturating_add(pause_ms) };
    }
}

fn named_pause_ms(pause: Duration) -> u64 {
    let ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
    ms.clamp(PAUSE_MS_MIN, PROVIDER_PAUSE_MS_MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const THROTTLED: Outcome = Outcome::Throttled { retry_after: None };

    fn throttled_for_s(seconds: u64) -> Outcome {
        Outcome::Throttled { retry_after: Some(Duration::from_secs(seconds)) }
    }

    fn breaker() -> Breaker {
        Breaker::new(BreakerSettings::default())
    }

    fn ask(breaker: &mut Breaker, outcome: Outcome, now_ms: u64) {
        let permit = breaker.allows(now_ms).expect("the breaker lets this question through");
        breaker.report(permit, outcome, now_ms);
    }

    #[test]
    fn it_opens_after_three_failures_in_a_row_and_not_before() {
        let mut breaker = breaker();
        ask(&mut breaker, Outcome::Failed, 0);
        ask(&mut breaker, Outcome::Failed, 1);
        assert_eq!(breaker.state(1), BreakerState::Closed);
        ask(&mut breaker, Outcome::Failed, 2);
        assert_eq!(breaker.state(2), BreakerState::Open { until_ms: 30_002 });
        assert_eq!(breaker.allows(30_001), Err(OpenUntil { until_ms: 30_002 }));
    }

    #[test]
    fn an_answer_in_between_starts_the_count_again() {
        let mut breaker = breaker();
        for outcome in
            [Outcome::Failed, Outcome::Failed, Outcome::Healthy, Outcome::Failed, Outcome::Failed]
        {
            ask(&mut breaker, outcome, 0);
        }
        assert_eq!(breaker.state(0), BreakerState::Closed);
    }

    #[test]
    fn throttling_opens_at_once_for_as_long_as_the_provider_says() {
        let mut breaker = breaker();
        ask(&mut breaker, throttled_for_s(77), 5);
        assert_eq!(breaker.state(5), BreakerState::Open { until_ms: 77_005 });
    }

    #[test]
    fn throttling_without_a_time_takes_the_own_pause() {
        let mut breaker = breaker();
        ask(&mut breaker, THROTTLED, 5);
        assert_eq!(breaker.state(5), BreakerState::Open { until_ms: 30_005 });
    }

    #[test]
    fn absurd_pauses_are_brought_within_bounds() {
        for (seconds, pause_ms) in [(0, PAUSE_MS_MIN), (u64::MAX, PROVIDER_PAUSE_MS_MAX)] {
            let mut breaker = breaker();
            ask(&mut breaker, throttled_for_s(seconds), 0);
            assert_eq!(breaker.state(0), BreakerState::Open { until_ms: pause_ms });
        }
    }

    #[test]
    fn half_open_lets_one_question_through_and_its_answer_closes() {
        let mut breaker = breaker();
        ask(&mut breaker, THROTTLED, 0);
        assert_eq!(breaker.state(30_000), BreakerState::HalfOpen);
        let probe = breaker.allows(30_000).unwrap();
        assert_eq!(breaker.allows(30_000), Err(OpenUntil { until_ms: 31_000 }));
        assert_eq!(breaker.state(99_000), BreakerState::HalfOpen);
        breaker.report(probe, Outcome::Healthy, 30_400);
        assert_eq!(breaker.state(30_400), BreakerState::Closed);
        ask(&mut breaker, THROTTLED, 30_500);
        assert_eq!(breaker.state(30_500), BreakerState::Open { until_ms: 60_500 });
    }

    #[test]
    fn each_failed_probe_doubles_the_pause_up_to_a_quarter_of_an_hour() {
        let mut breaker = breaker();
        let mut now_ms = 0;
        ask(&mut breaker, THROTTLED, now_ms);
        for pause_s in [30, 60, 120, 240, 480, 900, 900] {
            let until_ms = now_ms + pause_s * 1_000;
            assert_eq!(breaker.state(now_ms), BreakerState::Open { until_ms });
            now_ms = until_ms;
            ask(&mut breaker, Outcome::Failed, now_ms);
        }
    }

    #[test]
    fn an_abandoned_probe_makes_room_for_the_next() {
        let mut breaker = breaker();
        ask(&mut breaker, THROTTLED, 0);
        let probe = breaker.allows(30_000).unwrap();
        breaker.abandon(probe);
        assert_eq!(breaker.state(30_000), BreakerState::HalfOpen);
        assert!(breaker.allows(30_000).is_ok());
        assert!(breaker.allows(30_000).is_err());
    }

    #[test]
    fn late_outcomes_neither_close_nor_prolong() {
        let mut breaker = breaker();
        let (late_1, late_2) = (breaker.allows(0).unwrap(), breaker.allows(0).unwrap());
        ask(&mut breaker, THROTTLED, 0);
        let open = BreakerState::Open { until_ms: 30_000 };
        breaker.report(late_1, Outcome::Healthy, 10);
        assert_eq!(breaker.state(10), open);
        breaker.report(late_2, Outcome::Failed, 20_000);
        assert_eq!(breaker.state(20_000), open);
    }

    #[test]
    fn a_late_named_pause_is_honoured_but_never_shortens() {
        let mut breaker = breaker();
        let (late_1, late_2) = (breaker.allows(0).unwrap(), breaker.allows(0).unwrap());
        ask(&mut breaker, THROTTLED, 0);
        breaker.report(late_1, throttled_for_s(120), 1_000);
        assert_eq!(breaker.state(1_000), BreakerState::Open { until_ms: 121_000 });
        breaker.report(late_2, throttled_for_s(5), 2_000);
        assert_eq!(breaker.state(2_000), BreakerState::Open { until_ms: 121_000 });
    }

    #[test]
    fn time_at_its_end_does_not_overflow() {
        let mut breaker = breaker();
        ask(&mut breaker, throttled_for_s(u64::MAX), u64::MAX - 1);
        assert_eq!(breaker.state(u64::MAX - 1), BreakerState::Open { until_ms: u64::MAX });
        let probe = breaker.allows(u64::MAX).unwrap();
        assert_eq!(breaker.allows(u64::MAX), Err(OpenUntil { until_ms: u64::MAX }));
        breaker.report(probe, Outcome::Healthy, u64::MAX);
    }

    #[derive(Debug, Clone)]
    enum Step {
        Wait(u32),
        Ask,
        Report(usize, Outcome),
        Abandon(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        let outcome = prop_oneof![
            2 => Just(Outcome::Healthy),
            3 => Just(Outcome::Failed),
            1 => prop::option::of(0_u64..200_000).prop_map(|seconds| Outcome::Throttled {
                retry_after: seconds.map(Duration::from_secs)
            }),
        ];
        prop_oneof![
            2 => (0_u32..1_000_000).prop_map(Step::Wait),
            4 => Just(Step::Ask),
            4 => (any::<usize>(), outcome).prop_map(|(which, outcome)| Step::Report(which, outcome)),
            1 => any::<usize>().prop_map(Step::Abandon),
        ]
    }

    fn take(held: &mut Vec<Permit>, which: usize) -> Option<Permit> {
        if held.is_empty() { None } else { Some(held.swap_remove(which % held.len())) }
    }

    proptest! {
        #[test]
        fn whatever_happens_the_breaker_keeps_its_promises(
            steps in prop::collection::vec(step(), 0..120),
        ) {
            let mut breaker = breaker();
            let mut held = Vec::new();
            let mut now_ms = 0_u64;
            for step in steps {
                let before = breaker.state(now_ms);
                match step {
                    Step::Wait(ms) => now_ms += u64::from(ms),
                    Step::Ask => match (before, breaker.allows(now_ms)) {
                        (BreakerState::Closed, Ok(permit)) => held.push(permit),
                        (BreakerState::HalfOpen, Ok(permit)) => {
                            // One probe at a time: a second question is held back.
                            prop_assert!(breaker.allows(now_ms).is_err());
                            held.push(permit);
                        }
                        (BreakerState::HalfOpen, Err(OpenUntil { until_ms })) => {
                            prop_assert!(until_ms > now_ms);
                            prop_assert!(!held.is_empty(), "held back by a probe nobody holds");
                        }
                        (BreakerState::Open { until_ms: seen }, Err(OpenUntil { until_ms })) => {
                            prop_assert!(seen == until_ms && until_ms > now_ms);
                        }
                        (state, answer) => prop_assert!(false, "{state:?} gave {answer:?}"),
                    },
                    Step::Report(which, outcome) => {
                        if let Some(permit) = take(&mut held, which) {
                            let is_late = permit.round != breaker.round;
                            breaker.report(permit, outcome, now_ms);
                            let after = breaker.state(now_ms);
                            match (is_late, outcome) {
                                (false, Outcome::Healthy) => {
                                    prop_assert_eq!(after, BreakerState::Closed);
                                }
                                (false, Outcome::Throttled { .. }) => {
                                    let is_open = matches!(after, BreakerState::Open { .. });
                                    prop_assert!(is_open);
                                }
                                (true, Outcome::Healthy | Outcome::Failed) => {
                                    prop_assert_eq!(after, before);
                                }
                                _ => {}
                            }
                        }
                    }
                    Step::Abandon(which) => {
                        if let Some(permit) = take(&mut held, which) {
                            breaker.abandon(permit);
                            prop_assert_eq!(breaker.state(now_ms), before);
                        }
                    }
                }
                if let BreakerState::Open { until_ms } = breaker.state(now_ms) {
                    prop_assert!(until_ms - now_ms <= PROVIDER_PAUSE_MS_MAX);
                }
            }
            // It is never stuck: once nobody holds a permit, a day's wait lets a question through.
            for permit in held {
                breaker.abandon(permit);
            }
            prop_assert!(breaker.allows(now_ms + PROVIDER_PAUSE_MS_MAX).is_ok());
        }
    }
}
