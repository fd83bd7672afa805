//! A configured provider that can be asked about one number.
//!
//! Does not hold questions back: budget, cache and circuit breaker are the caller's. Reports each
//! unknown to the log by its cause, and a refused token as the mistake in the settings that it is.

use std::time::Duration;

use reqwest::header::HeaderValue;
use tracing::Instrument;
use zeroize::Zeroizing;

use crate::{
    domain::phone::PhoneNumber,
    providers::{
        answer::{LookupAnswer, NumberState, UnknownCause},
        contacts_api::{self, ContactsApi},
        evolution::{self, Evolution},
        green_api::{self, GreenApi},
        http::{Failure, Http},
        settings::{ProviderKind, Settings, Token},
        waha::{self, Waha},
        wppconnect::{self, Wppconnect},
    },
};

/// A provider, with its connections. Meant to be built once and shared.
#[derive(Debug)]
pub struct Provider {
    http: Http,
    kind: ProviderKind,
    adapter: Adapter,
}

#[derive(Debug)]
enum Adapter {
    ContactsApi(ContactsApi),
    Waha(Waha),
    Evolution(Evolution),
    Wppconnect(Wppconnect),
    GreenApi(GreenApi),
}

/// A provider cannot be asked at all.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The client did not come about, most likely for want of root certificates on this machine.
    #[error("failed to build the HTTP client")]
    Client(#[source] reqwest::Error),
    /// The token cannot be put in a header.
    #[error("failed to put the token in a header")]
    Token,
    /// There is no token, and the address is not complete without one.
    #[error("failed to ask a look-up provider of this kind without a token")]
    TokenMissing,
}

impl Provider {
    /// Builds the client. Connects to nothing yet.
    ///
    /// # Errors
    ///
    /// [`BuildError`] when TLS cannot be set up or the token fits in no header.
    pub fn build(settings: Settings) -> Result<Self, BuildError> {
        let Settings { kind, url, token, timeout, session } = settings;
        let adapter = match kind {
            ProviderKind::ContactsApi => {
                Adapter::ContactsApi(ContactsApi::new(&url, secret_header("Bearer ", token)?))
            }
            ProviderKind::Whapi => {
                Adapter::ContactsApi(ContactsApi::whapi(&url, secret_header("Bearer ", token)?))
            }
            ProviderKind::Waha => {
                Adapter::Waha(Waha::new(&url, session, secret_header("", token)?))
            }
            ProviderKind::Evolution => {
                Adapter::Evolution(Evolution::new(&url, &session, secret_header("", token)?))
            }
            ProviderKind::Wppconnect => {
                let authorization = secret_header("Bearer ", token)?;
                Adapter::Wppconnect(Wppconnect::new(url, session, authorization))
            }
            ProviderKind::GreenApi => {
                let token = token.ok_or(BuildError::TokenMissing)?;
                Adapter::GreenApi(GreenApi::new(&url, &session, &token))
            }
        };
        Ok(Self { http: Http::build(timeout).map_err(BuildError::Client)?, kind, adapter })
    }

    /// Returns which protocol is spoken.
    pub const fn kind(&self) -> ProviderKind {
        self.kind
    }

    /// Returns whether this provider can be asked about `number` at all; for one that cannot, a
    /// question would only be refused.
    pub fn takes(&self, number: &PhoneNumber) -> bool {
        match self.adapter {
            Adapter::GreenApi(_) => green_api::takes(number),
            Adapter::ContactsApi(_)
            | Adapter::Waha(_)
            | Adapter::Evolution(_)
            | Adapter::Wppconnect(_) => true,
        }
    }

    /// Asks once whether `number` is on WhatsApp, within the configured time.
    ///
    /// Nothing the network or the provider does is an error: see [`NumberState::Unknown`].
    pub async fn look_up(&self, number: &PhoneNumber) -> LookupAnswer {
        let provider = self.kind().as_str();
        self.ask(number).instrument(tracing::info_span!("providers.look_up", provider)).await
    }

    async fn ask(&self, number: &PhoneNumber) -> LookupAnswer {
        let question = match &self.adapter {
            Adapter::ContactsApi(api) => api.question(&self.http, number),
            Adapter::Waha(api) => api.question(&self.http, number),
            Adapter::Evolution(api) => api.question(&self.http, number),
            Adapter::Wppconnect(api) => api.question(&self.http, number),
            Adapter::GreenApi(api) => api.question(&self.http, number),
        };
        let (state, status, retry_after) = match self.http.exchange(question).await {
            Ok(body) => (self.read(&body, number), None, None),
            Err(Failure { cause, status, retry_after }) => {
                (NumberState::unknown(cause), status, retry_after)
            }
        };
        report(&state, status, retry_after);
        LookupAnswer { state, retry_after }
    }

    fn read(&self, body: &[u8], number: &PhoneNumber) -> NumberState {
        match &self.adapter {
            Adapter::ContactsApi(_) => contacts_api::read(body, number),
            Adapter::Waha(_) => waha::read(body, number),
            Adapter::Evolution(_) => evolution::read(body, number),
            Adapter::Wppconnect(_) => wppconnect::read(body, number),
            Adapter::GreenApi(_) => green_api::read(body, number),
        }
    }
}

fn report(state: &NumberState, http_status: Option<u16>, retry_after: Option<Duration>) {
    let retry_after_s = retry_after.map(|pause| pause.as_secs());
    match state {
        NumberState::Registered { .. } | NumberState::NotRegistered | NumberState::InProgress => {
            tracing::debug!(lookup.state = state.as_str(), "the provider answered");
        }
        NumberState::Unknown { cause: UnknownCause::Unauthorized } => tracing::error!(
            http.status = http_status,
            "the look-up provider refuses our token: check the settings of section verification"
        ),
        NumberState::Unknown { cause } => tracing::warn!(
            lookup.cause = cause.as_str(),
            http.status = http_status,
            retry_after_s,
            "a look-up brought no answer: {}",
            cause.as_str()
        ),
    }
}

pub(super) fn secret_header(
    prefix: &str,
    token: Option<Token>,
) -> Result<Option<HeaderValue>, BuildError> {
    let Some(token) = token else { return Ok(None) };
    let text = Zeroizing::new(format!("{prefix}{}", token.expose()));
    let Ok(mut value) = HeaderValue::from_str(&text) else { return Err(BuildError::Token) };
    value.set_sensitive(true);
    Ok(Some(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers::settings::{LookupTimeout, ProviderUrl, SessionName};

    fn settings(kind: ProviderKind) -> Settings {
        Settings {
            kind,
            url: ProviderUrl::parse("http://127.0.0.1:9").unwrap(),
            token: Some(Token::parse("t0ken-s3cret").unwrap()),
            timeout: LookupTimeout::from_ms(1_000).unwrap(),
            session: SessionName::default(),
        }
    }

    #[test]
    fn debug_of_a_provider_hides_its_token() {
        for kind in ProviderKind::ALL {
            let provider = Provider::build(settings(kind)).unwrap();
            assert_eq!(provider.kind(), kind);
            assert!(!format!("{provider:?}").contains("s3cret"), "{kind:?}");
        }
    }

    #[test]
    fn only_a_provider_with_the_token_in_its_address_needs_one() {
        for kind in ProviderKind::ALL {
            let built = Provider::build(Settings { token: None, ..settings(kind) });
            assert_eq!(built.is_err(), kind == ProviderKind::GreenApi, "{kind:?}");
        }
    }

    #[test]
    fn one_provider_takes_no_short_numbers() {
        let short = PhoneNumber::parse("+6591234567").unwrap();
        for kind in ProviderKind::ALL {
            let provider = Provider::build(settings(kind)).unwrap();
            assert_eq!(provider.takes(&short), kind != ProviderKind::GreenApi, "{kind:?}");
        }
    }
}
