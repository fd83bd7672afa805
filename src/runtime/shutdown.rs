//! From a signal to an ordered stop.
//!
//! Says that the process shall stop and bounds each step of it; which steps there are, and in
//! which order, is the business of whoever built what is being stopped.

use std::{io, time::Duration};

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
};

/// Tells everyone that the process shall stop. Clones tell the same.
#[derive(Debug, Clone)]
pub struct Shutdown {
    begun: watch::Sender<bool>,
}

impl Default for Shutdown {
    fn default() -> Self {
        Self { begun: watch::Sender::new(false) }
    }
}

impl Shutdown {
    /// Begins the stop. Returns whether this call was the first.
    pub fn begin(&self) -> bool {
        !self.begun.send_replace(true)
    }

    /// Returns whether the stop has begun.
    pub fn has_begun(&self) -> bool {
        *self.begun.borrow()
    }

    /// Returns when the stop begins, at once when it already has.
    pub async fn begun(&self) {
        let mut watcher = self.begun.subscribe();
        // Cannot end with an error: `self` holds the sender.
        if watcher.wait_for(|begun| *begun).await.is_err() {
            tracing::debug!("nobody is left to begin the stop");
        }
    }
}

/// The signals that ask a process to stop: SIGTERM from a supervisor, SIGINT from a keyboard.
#[derive(Debug)]
pub struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

/// Which signal came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopSignal {
    /// SIGTERM.
    Terminate,
    /// SIGINT.
    Interrupt,
}

impl StopSignal {
    /// Returns the status a process ends with that this signal cut short: 128 and its number.
    pub const fn exit_code(self) -> i32 {
        match self {
            Self::Terminate => 128 + 15,
            Self::Interrupt => 128 + 2,
        }
    }
}

impl StopSignals {
    /// Starts to listen. From here on these signals no longer end the process by themselves.
    ///
    /// # Errors
    ///
    /// When the operating system refuses the handlers.
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for the first signal, begins the stop, and returns with the second one: whoever sends
    /// it does not want to wait, and the caller exits with its [`StopSignal::exit_code`].
    ///
    /// Leaving at any moment is safe: what was acknowledged is on disk.
    pub async fn drive(mut self, shutdown: &Shutdown) -> StopSignal {
        let first = self.next().await;
        tracing::info!(signal = ?first, "stopping in order; a second signal stops at once");
        shutdown.begin();
        let second = self.next().await;
        tracing::warn!(signal = ?second, "stopping at once");
        second
    }

    async fn next(&mut self) -> StopSignal {
        tokio::select! {
            _ = self.terminate.recv() => StopSignal::Terminate,
            _ = self.interrupt.recv() => StopSignal::Interrupt,
        }
    }
}

/// Runs one step of the stop, within a bound. Returns `None` when the time was up; the next step
/// is then due all the same.
pub async fn step<T>(
    name: &'static str,
    within: Duration,
    work: impl Future<Output = T>,
) -> Option<T> {
    if let Ok(value) = tokio::time::timeout(within, work).await {
        tracing::debug!(step = name, "step of the stop is done");
        return Some(value);
    }
    let within_ms = u64::try_from(within.as_millis()).unwrap_or(u64::MAX);
    tracing::warn!(step = name, within_ms, "step of the stop took too long and is left behind");
    None
}

#[cfg(test)]
mod tests {
    use std::{future, process::Command};

    use super::*;

    fn send_to_self(signal: &str) {
        // The shell has it built in: a small system has no program of that name.
        let kill = format!("kill {signal} {}", std::process::id());
        assert!(Command::new("/bin/sh").args(["-c", &kill]).status().unwrap().success());
    }

    #[tokio::test]
    async fn the_first_signal_begins_the_stop_and_the_second_ends_the_wait() {
        let signals = StopSignals::listen().unwrap();
        let shutdown = Shutdown::default();
        let told = shutdown.clone();
        let driven = tokio::spawn(async move { signals.drive(&told).await });
        assert!(!shutdown.has_begun());
        send_to_self("-TERM");
        shutdown.begun().await;
        assert!(shutdown.has_begun() && !driven.is_finished());
        send_to_self("-INT");
        assert_eq!(driven.await.unwrap().exit_code(), 130);
    }

    #[tokio::test]
    async fn a_stop_begins_once_and_later_listeners_hear_of_it() {
        let shutdown = Shutdown::default();
        assert!(shutdown.begin());
        assert!(!shutdown.begin());
        shutdown.begun().await;
    }

    #[tokio::test]
    async fn a_step_that_hangs_is_left_behind() {
        assert_eq!(step("quick", Duration::from_mins(1), async { 1 }).await, Some(1));
        assert_eq!(step("stuck", Duration::from_millis(1), future::pending::<()>()).await, None);
    }
}
