//! Performs look-ups: one call to the provider each, never more than the budget reserved.
//!
//! Decides nothing: whether a number may be looked up was decided before, and what the answer
//! means is decided when it comes back as a command.

use std::{sync::Arc, time::Duration};

use futures_util::{StreamExt, stream};
use tokio::task::JoinHandle;
use tracing::Instrument;

use crate::{
    domain::{
        command::{Command, Envelope},
        contact::LookupState,
        event::Actor,
        ids::LookupId,
        key::ContactKey,
        phone::PhoneNumber,
    },
    ledger::{
        handle::{Ledger, SubmitError},
        index::Indexer,
    },
    limits::{LOOKUP_CALLS_AT_ONCE, LOOKUP_RECORD_MS},
    numbers,
    providers::{BreakerState, LookupAnswer, NumberState, OpenUntil, Provider, SharedBreaker},
    runtime::clock::Clock,
};

/// How long to wait before an answer is offered to a busy ledger again: at first, and at most.
const RECORD_AGAIN_MS: u64 = 20;
const RECORD_AGAIN_MS_MAX: u64 = 1_000;

/// Why a look-up that a crash cut short has no answer.
const INTERRUPTED: &str = "interrupted";

/// Performs look-ups, if a provider is configured.
#[derive(Debug, Clone)]
pub struct Lookups {
    ledger: Ledger,
    indexer: Indexer,
    clock: Arc<dyn Clock>,
    provider: Option<Asked>,
}

#[derive(Debug, Clone)]
struct Asked {
    provider: Arc<Provider>,
    breaker: SharedBreaker,
}

/// How one look-up ended.
#[derive(Debug, Clone)]
pub struct Concluded {
    /// Which.
    pub lookup: LookupId,
    /// What the provider said.
    pub state: LookupState,
    /// Why nobody knows, where nobody does.
    pub cause: Option<&'static str>,
    /// The number as WhatsApp writes it.
    pub wa_id: Option<Box<str>>,
    /// Whether the provider was, or may have been, asked.
    pub was_asked: bool,
}

impl Concluded {
    /// Nobody knows, though the provider was asked.
    const fn unknown(lookup: LookupId, cause: &'static str) -> Self {
        let state = LookupState::Unknown;
        Self { lookup, state, cause: Some(cause), wa_id: None, was_asked: true }
    }

    /// Nobody was asked.
    fn not_asked(lookup: LookupId, cause: &'static str) -> Self {
        Self { was_asked: false, ..Self::unknown(lookup, cause) }
    }
}

impl Lookups {
    /// Makes a performer; without a provider it has nobody to ask.
    pub fn new(
        ledger: Ledger,
        indexer: Indexer,
        clock: Arc<dyn Clock>,
        provider: Option<(Provider, SharedBreaker)>,
    ) -> Self {
        let provider =
            provider.map(|(provider, breaker)| Asked { provider: Arc::new(provider), breaker });
        Self { ledger, indexer, clock, provider }
    }

    /// Returns whether anyone is there to be asked at all.
    pub const fn has_provider(&self) -> bool {
        self.provider.is_some()
    }

    /// Returns the name of the provider's shape.
    pub fn provider_name(&self) -> Option<&'static str> {
        self.provider.as_ref().map(|asked| asked.provider.kind().as_str())
    }

    /// Returns whether the provider may be asked now.
    pub fn breaker(&self) -> Option<BreakerState> {
        self.provider.as_ref().map(|asked| asked.breaker.state(self.clock.monotonic().ms()))
    }

    /// Performs look-ups that the ledger has already reserved, and records how each ended.
    ///
    /// They go on when nobody waits for them any more: an answer that was asked for is paid for.
    pub async fn perform(&self, wanted: Vec<(LookupId, PhoneNumber)>) -> Vec<Concluded> {
        self.start(wanted).await.unwrap_or_else(|error| {
            tracing::error!(%error, "look-ups were cut short; they lapse after a while");
            Vec::new()
        })
    }

    /// As [`Self::perform`], at once and without waiting for them.
    pub fn start(&self, wanted: Vec<(LookupId, PhoneNumber)>) -> JoinHandle<Vec<Concluded>> {
        let lookups = self.clone();
        let work = async move { lookups.perform_all(wanted).await }.in_current_span();
        tokio::spawn(work)
    }

    async fn perform_all(&self, wanted: Vec<(LookupId, PhoneNumber)>) -> Vec<Concluded> {
        let one = |(lookup, number): (LookupId, PhoneNumber)| async move {
            let concluded = self.ask(lookup, &number).await;
            self.record(&concluded).await;
            concluded
        };
        stream::iter(wanted).map(one).buffered(LOOKUP_CALLS_AT_ONCE).collect().await
    }

    /// Ends the look-ups that a crash cut short: asking again would be a second look-up.
    pub async fn conclude_interrupted(&self) {
        let pending: Vec<_> = self.ledger.views().state().lookups().collect();
        for lookup in pending {
            self.record(&Concluded::unknown(lookup, INTERRUPTED)).await;
        }
    }

    async fn ask(&self, lookup: LookupId, number: &PhoneNumber) -> Concluded {
        let Some(Asked { provider, breaker }) = &self.provider else {
            return Concluded::not_asked(lookup, "no_provider");
        };
        if !provider.takes(number) {
            return Concluded::not_asked(lookup, "unsupported_number");
        }
        let permit = match breaker.allows(self.clock.monotonic().ms()) {
            Ok(permit) => permit,
            Err(OpenUntil { .. }) => return Concluded::not_asked(lookup, "breaker_open"),
        };
        let answer = provider.look_up(number).await;
        permit.report(answer.outcome(), self.clock.monotonic().ms());
        let LookupAnswer { state, retry_after: _ } = answer;
        let known = |state, wa_id| Concluded { lookup, state, cause: None, wa_id, was_asked: true };
        match state {
            NumberState::Registered { wa_id } => {
                let wa_id = wa_id.map(|wa_id| wa_id.as_digits().into());
                known(LookupState::Registered, wa_id)
            }
            NumberState::NotRegistered => known(LookupState::NotRegistered, None),
            NumberState::InProgress => known(LookupState::InProgress, None),
            NumberState::Unknown { cause } => Concluded::unknown(lookup, cause.as_str()),
        }
    }

    /// Returns the key of the number a provider answered with, as the contact it is kept under.
    fn wa_key(&self, wa_id: &str) -> Option<ContactKey> {
        let person = numbers::from_wa_id(wa_id).ok()?;
        Some(self.indexer.number(person.spellings().canonical().as_str()))
    }

    /// Records how a look-up ended. While the ledger is busy it is offered again and again, for
    /// [`LOOKUP_RECORD_MS`] at most.
    async fn record(&self, concluded: &Concluded) {
        let (mut wait_ms, mut waited_ms) = (RECORD_AGAIN_MS, 0);
        loop {
            let Err(error) = self.ledger.submit(self.conclusion(concluded)).await else { return };
            if !matches!(error, SubmitError::Busy) || waited_ms >= LOOKUP_RECORD_MS {
                // It lapses, or is ended when the service starts again.
                tracing::warn!(%error, "failed to record how a look-up ended");
                return;
            }
            tokio::time::sleep(Duration::from_millis(wait_ms)).await;
            waited_ms += wait_ms;
            wait_ms = (wait_ms * 2).min(RECORD_AGAIN_MS_MAX);
        }
    }

    fn conclusion(&self, concluded: &Concluded) -> Envelope {
        let command = Command::ConcludeLookup {
            lookup: concluded.lookup,
            state: concluded.state,
            cause: concluded.cause.map(Box::from),
            wa_id: concluded.wa_id.clone(),
            wa_key: concluded.wa_id.as_deref().and_then(|wa_id| self.wa_key(wa_id)),
            was_asked: concluded.was_asked,
        };
        Envelope { actor: Actor::System, once: None, command }
    }
}
