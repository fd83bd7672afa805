//! One breaker for all who ask the same provider.
//!
//! Does not wait: a question that may not be asked is refused at once.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::providers::breaker::{
    machine::{Breaker, BreakerState, OpenUntil, Outcome, Permit},
    settings::BreakerSettings,
};

/// A breaker that can be cloned and asked from any thread. Clones share their state.
#[derive(Debug, Clone)]
pub struct SharedBreaker(Arc<Mutex<Breaker>>);

/// The right to ask one question. Dropping it without a report, as a cancelled request does,
/// gives it back unused.
#[derive(Debug)]
#[must_use = "dropping a permit gives it back unused"]
pub struct HeldPermit {
    breaker: SharedBreaker,
    permit: Option<Permit>,
}

impl SharedBreaker {
    /// Returns a closed breaker.
    pub fn new(settings: BreakerSettings) -> Self {
        Self(Arc::new(Mutex::new(Breaker::new(settings))))
    }

    /// Returns the right to ask one question at `now_ms`, in monotonic milliseconds.
    ///
    /// # Errors
    ///
    /// [`OpenUntil`], as [`Breaker::allows`].
    pub fn allows(&self, now_ms: u64) -> Result<HeldPermit, OpenUntil> {
        let permit = self.lock().allows(now_ms)?;
        Ok(HeldPermit { breaker: self.clone(), permit: Some(permit) })
    }

    /// Returns where the breaker stands at `now_ms`.
    pub fn state(&self, now_ms: u64) -> BreakerState {
        self.lock().state(now_ms)
    }

    fn lock(&self) -> MutexGuard<'_, Breaker> {
        // Every change is one assignment after all that could fail: a panic leaves no half state.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HeldPermit {
    /// Gives the permit back with what came of it.
    pub fn report(mut self, outcome: Outcome, now_ms: u64) {
        if let Some(permit) = self.permit.take() {
            self.breaker.lock().report(permit, outcome, now_ms);
        }
    }
}

impl Drop for HeldPermit {
    fn drop(&mut self) {
        if let Some(permit) = self.permit.take() {
            self.breaker.lock().abandon(permit);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Barrier, thread};

    use super::*;

    #[test]
    fn clones_share_one_state() {
        let breaker = SharedBreaker::new(BreakerSettings::default());
        let permit = breaker.clone().allows(0).unwrap();
        permit.report(Outcome::Throttled { retry_after: None }, 0);
        assert_eq!(breaker.state(0), BreakerState::Open { until_ms: 30_000 });
    }

    #[test]
    fn a_dropped_probe_does_not_block_the_next() {
        let breaker = SharedBreaker::new(BreakerSettings::default());
        breaker.allows(0).unwrap().report(Outcome::Throttled { retry_after: None }, 0);
        let probe = breaker.allows(30_000).unwrap();
        assert!(breaker.allows(30_000).is_err());
        drop(probe);
        assert!(breaker.allows(30_000).is_ok());
    }

    #[test]
    fn of_many_threads_at_once_one_gets_the_probe() {
        let breaker = SharedBreaker::new(BreakerSettings::default());
        breaker.allows(0).unwrap().report(Outcome::Throttled { retry_after: None }, 0);
        let start = Barrier::new(8);
        let permits: Vec<_> = thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        start.wait();
                        breaker.allows(30_000)
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(permits.iter().filter(|permit| permit.is_ok()).count(), 1);
    }
}
