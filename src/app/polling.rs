//! A thread that asks WhatsApp how senders and templates stand, if a token is set.

use std::{
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use crate::{
    app::AppError,
    config,
    effects::polls::{PollLog, PollSettings, Poller},
    ledger::handle::Ledger,
    limits::PLATFORM_TIMEOUT_MS,
    providers::{Graph, GraphSettings, LookupTimeout, ProviderUrl, Token},
    runtime::{clock::Clock, random, shutdown::Shutdown},
};

/// Between two questions. Far below what a busy account is granted.
const PACE: Duration = Duration::from_secs(1);

/// The first pause after a failure, and the longest: what is granted is counted by the hour.
const BACKOFF: Duration = Duration::from_secs(10);
const BACKOFF_MAX: Duration = Duration::from_hours(1);

/// A thread that asks. It holds the ledger until it is stopped.
#[derive(Debug)]
pub(super) struct Polling {
    stop: Shutdown,
    thread: JoinHandle<()>,
}

impl Polling {
    /// Begins to ask.
    ///
    /// # Errors
    ///
    /// [`AppError`] for settings that make no sense, or when there is no thread.
    pub(super) fn start(
        settings: &config::Graph,
        ledger: Ledger,
        clock: Arc<dyn Clock>,
        log: PollLog,
    ) -> Result<Self, AppError> {
        let graph = Graph::build(GraphSettings {
            url: ProviderUrl::parse(settings.url.as_str()).map_err(AppError::GraphSettings)?,
            token: Token::parse(settings.token.expose()).map_err(AppError::GraphSettings)?,
            timeout: LookupTimeout::from_ms(PLATFORM_TIMEOUT_MS)
                .map_err(AppError::GraphSettings)?,
        });
        let graph = graph.map_err(AppError::Graph)?;
        let pacing = PollSettings {
            interval: Duration::from_secs(u64::from(settings.interval_s)),
            pace: PACE,
            backoff: BACKOFF,
            backoff_max: BACKOFF_MAX,
        };
        let poller = Poller::new(ledger, graph, clock, random::from_os()?, pacing, log);
        let stop = Shutdown::default();
        let told = stop.clone();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(AppError::io("prepare the asking of WhatsApp"))?;
        let work = move || runtime.block_on(poller.run(told));
        let thread = thread::Builder::new().name("polls".into()).spawn(work);
        Ok(Self { stop, thread: thread.map_err(AppError::io("begin to ask WhatsApp"))? })
    }

    /// Stops in the middle of whatever is under way: what was not recorded is asked again.
    pub(super) fn stop(self) {
        self.stop.begin();
        if self.thread.join().is_err() {
            tracing::error!("the asking of WhatsApp ended in a panic");
        }
    }
}
