//! Performs look-ups: one call to the provider each, never more than the budget reserved.
//!
//! Decides nothing: whether a number may be looked up was decided before, and what the answer
//! means is decided when it comes back as a command.

use std::sync::Arc;

use futures_util::{StreamExt, stream};

use crate::{
    domain::{
        command::{Command, Envelope},
        contact::LookupState,
        event::Actor,
        ids::LookupId,
        key::ContactKey,
        phone::PhoneNumber,
    },
    ledger::{handle::Ledger, index::Indexer},
    numbers,
    providers::{BreakerState, LookupAnswer, NumberState, OpenUntil, Provider, SharedBreaker},
    runtime::clock::Clock,
};

/// Calls to a provider at the same time, so that one request does not look like an attack.
const CALLS_AT_ONCE: usize = 4;

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
    pub async fn perform(&self, wanted: Vec<(LookupId, PhoneNumber)>) -> Vec<Concluded> {
        let one = |(lookup, number): (LookupId, PhoneNumber)| async move {
            let concluded = self.ask(lookup, &number).await;
            self.record(&concluded).await;
            concluded
        };
        stream::iter(wanted).map(one).buffered(CALLS_AT_ONCE).collect().await
    }

    /// Ends the look-ups that a crash cut short: asking again would be a second look-up.
    pub async fn conclude_interrupted(&self) {
        let pending: Vec<_> = self.ledger.views().state().lookups().collect();
        for lookup in pending {
            let state = LookupState::Unknown;
            let cause = Some(INTERRUPTED);
            self.record(&Concluded { lookup, state, cause, wa_id: None }).await;
        }
    }

    async fn ask(&self, lookup: LookupId, number: &PhoneNumber) -> Concluded {
        let unknown = |cause| Concluded {
            lookup,
            state: LookupState::Unknown,
            cause: Some(cause),
            wa_id: None,
        };
        let Some(Asked { provider, breaker }) = &self.provider else {
            return unknown("no_provider");
        };
        let permit = match breaker.allows(self.clock.monotonic().ms()) {
            Ok(permit) => permit,
            Err(OpenUntil { .. }) => return unknown("breaker_open"),
        };
        let answer = provider.look_up(number).await;
        permit.report(answer.outcome(), self.clock.monotonic().ms());
        let LookupAnswer { state, retry_after: _ } = answer;
        match state {
            NumberState::Registered { wa_id } => Concluded {
                lookup,
                state: LookupState::Registered,
                cause: None,
                wa_id: wa_id.map(|wa_id| wa_id.as_digits().into()),
            },
            NumberState::NotRegistered => {
                Concluded { lookup, state: LookupState::NotRegistered, cause: None, wa_id: None }
            }
            NumberState::InProgress => {
                Concluded { lookup, state: LookupState::InProgress, cause: None, wa_id: None }
            }
            NumberState::Unknown { cause } => unknown(cause.as_str()),
        }
    }

    /// Returns the key of the number a provider answered with, as the contact it is kept under.
    fn wa_key(&self, wa_id: &str) -> Option<ContactKey> {
        let person = numbers::from_wa_id(wa_id).ok()?;
        Some(self.indexer.number(person.spellings().canonical().as_str()))
    }

    async fn record(&self, concluded: &Concluded) {
        let command = Command::ConcludeLookup {
            lookup: concluded.lookup,
            state: concluded.state,
            cause: concluded.cause.map(Box::from),
            wa_id: concluded.wa_id.clone(),
            wa_key: concluded.wa_id.as_deref().and_then(|wa_id| self.wa_key(wa_id)),
        };
        let envelope = Envelope { actor: Actor::System, once: None, command };
        if let Err(error) = self.ledger.submit(envelope).await {
            // It stays pending and is ended when the service starts again.
            tracing::warn!(%error, "failed to record how a look-up ended");
        }
    }
}
