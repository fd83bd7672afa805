//! The one door to the blocking pool.
//!
//! Whatever waits on a disk, or computes for more than half a millisecond, goes through here: a
//! worker of the server is one thread, and whoever holds it holds all its connections. The pool's
//! own queue has no end, so the door has: work beyond the bound is refused at once.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tracing::Span;

/// Why work did not run to its end, or not in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BlockingError {
    /// As much work as allowed is under way; nothing of this one was begun.
    #[error("too much blocking work is under way")]
    Busy,
    /// The time was up. The work goes on unheard and counts as in flight until it ends.
    #[error("blocking work did not end within {within_ms} ms")]
    TimedOut {
        /// What it was given, in milliseconds.
        within_ms: u64,
    },
    /// The work panicked, or the process is shutting down.
    #[error("blocking work was dropped")]
    Dropped,
}

/// The door to the pool. Clones share one count.
#[derive(Debug, Clone)]
pub struct BlockingPool {
    in_flight: Arc<AtomicUsize>,
    in_flight_max: usize,
}

impl BlockingPool {
    /// Makes a door that lets this much work be under way at once.
    pub fn new(in_flight_max: usize) -> Self {
        Self { in_flight: Arc::new(AtomicUsize::new(0)), in_flight_max }
    }

    /// Returns whether more work would be refused.
    pub fn is_full(&self) -> bool {
        self.in_flight() >= self.in_flight_max
    }

    /// Returns how much work is waiting or running, including what nobody waits for any more.
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Runs `work` off the event loop, inside the caller's span.
    ///
    /// # Errors
    ///
    /// [`BlockingError::Busy`] when the door is full, [`BlockingError::Dropped`] when the work did
    /// not run to its end.
    #[expect(clippy::disallowed_methods, reason = "this is the door everyone else uses")]
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, BlockingError> {
        let place = self.enter()?;
        let span = Span::current();
        let work = move || {
            // Held by the work itself: a caller that stops waiting does not free the thread.
            let _place = place;
            span.in_scope(work)
        };
        match actix_web::web::block(work).await {
            Ok(value) => Ok(value),
            Err(actix_web::error::BlockingError { .. }) => Err(BlockingError::Dropped),
        }
    }

    /// Runs `work` like [`Self::run`] and stops waiting after `within`.
    ///
    /// # Errors
    ///
    /// As [`Self::run`], and [`BlockingError::TimedOut`] when the time is up.
    pub async fn run_within<T: Send + 'static>(
        &self,
        within: Duration,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, BlockingError> {
        match tokio::time::timeout(within, self.run(work)).await {
            Ok(outcome) => outcome,
            Err(tokio::time::error::Elapsed { .. }) => Err(BlockingError::TimedOut {
                within_ms: u64::try_from(within.as_millis()).unwrap_or(u64::MAX),
            }),
        }
    }

    fn enter(&self) -> Result<Place, BlockingError> {
        let place = Place(Arc::clone(&self.in_flight));
        // A refused place is dropped, which takes it off the count again.
        let before = self.in_flight.fetch_add(1, Ordering::Relaxed);
        if before < self.in_flight_max { Ok(place) } else { Err(BlockingError::Busy) }
    }
}

/// One piece of work on the count, for as long as it lives.
#[derive(Debug)]
struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{Mutex, mpsc},
        thread::ThreadId,
    };

    use tracing::Instrument;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[actix_web::test]
    async fn work_runs_on_another_thread() {
        let here = std::thread::current().id();
        let there = BlockingPool::new(1).run(|| std::thread::current().id()).await.unwrap();
        assert_ne!(here, there);
    }

    /// Keeps on which threads a span was entered.
    #[derive(Debug, Clone, Default)]
    struct EnteredOn(Arc<Mutex<Vec<ThreadId>>>);

    impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for EnteredOn {
        fn on_enter(&self, _: &tracing::span::Id, _: tracing_subscriber::layer::Context<'_, S>) {
            self.0.lock().unwrap().push(std::thread::current().id());
        }
    }

    #[actix_web::test]
    async fn the_caller_s_span_comes_along() {
        let entered = EnteredOn::default();
        let subscriber = tracing_subscriber::registry().with(entered.clone());
        let _guard = tracing::subscriber::set_default(subscriber);
        let pool = BlockingPool::new(1);
        let work = pool.run(|| std::thread::current().id());
        let there = work.instrument(tracing::info_span!("caller")).await.unwrap();
        assert!(entered.0.lock().unwrap().contains(&there));
    }

    #[actix_web::test]
    async fn a_panic_inside_is_an_error_outside_and_leaves_the_count() {
        let pool = BlockingPool::new(1);
        let outcome = pool.run(|| assert_eq!(1, 2, "on purpose")).await;
        assert_eq!(outcome, Err(BlockingError::Dropped));
        assert_eq!(pool.in_flight(), 0);
    }

    #[actix_web::test]
    async fn late_work_is_given_up_counted_and_refuses_more_until_it_ends() {
        let pool = BlockingPool::new(1);
        let (finish, wait) = mpsc::channel::<()>();
        let (ended, has_ended) = tokio::sync::oneshot::channel::<()>();
        let late = pool.run_within(Duration::from_millis(1), move || {
            assert!(wait.recv().is_err(), "the other end is only ever dropped");
            ended
        });
        assert_eq!(late.await.unwrap_err(), BlockingError::TimedOut { within_ms: 1 });
        assert_eq!(pool.in_flight(), 1);
        assert_eq!(pool.run(|| ()).await, Err(BlockingError::Busy));
        assert_eq!(pool.in_flight(), 1);
        drop(finish);
        // The sender is dropped with the unheard result, after the place was given back.
        assert!(has_ended.await.is_err());
        assert_eq!(pool.in_flight(), 0);
        assert_eq!(pool.run(|| 7).await, Ok(7));
    }
}
