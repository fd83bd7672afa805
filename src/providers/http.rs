//! One request and the whole of its reply, within a time and a size.
//!
//! Does not read replies beyond their status and headers. Follows no redirect, uses no proxy from
//! the environment and never asks twice: each question costs something.

use std::time::Duration;

use reqwest::{
    Client, Method, RequestBuilder, Response, StatusCode, Url, header::HeaderMap, redirect, retry,
};

use crate::{
    limits::PROVIDER_BODY_BYTES_MAX,
    providers::{answer::UnknownCause, retry_after, settings::LookupTimeout},
};

/// Longest wait for a connection. A provider that has not accepted one by then is down.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long an unused connection is kept. Servers on Node close theirs after five seconds, and a
/// question that meets the closing is lost.
const IDLE_TIMEOUT: Duration = Duration::from_secs(4);

/// Unused connections kept at most. Look-ups are few: the budget sees to that.
const IDLE_CONNECTIONS_MAX: usize = 2;

/// Status by which some providers say that a paid quota is used up. Not in any standard.
///
/// Source: GREEN-API, "Common errors", `QUOTE_EXCEEDED`, read November 2026.
const QUOTA_EXCEEDED: u16 = 466;

/// Status by which others say so: what was paid for, or given for trial, is used up.
///
/// Source: RFC 9110, 15.5.3 (reserved), which providers of this kind use for that.
const PAYMENT_REQUIRED: u16 = 402;

/// A client that asks one provider.
#[derive(Debug)]
pub(super) struct Http {
    client: Client,
}

/// A request that brought no reply worth reading.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) cause: UnknownCause,
    pub(super) status: Option<u16>,
    pub(super) retry_after: Option<Duration>,
}

/// A whole reply, whatever its status.
pub(super) struct Whole {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Failure {
    const fn of(cause: UnknownCause) -> Self {
        Self { cause, status: None, retry_after: None }
    }
}

/// Gives outgoing connections their TLS. Call it before building a client; twice is no harm.
pub fn install_tls() {
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        tracing::trace!("a TLS provider was installed before");
    }
}

impl Http {
    pub(super) fn build(timeout: LookupTimeout) -> Result<Self, reqwest::Error> {
        install_tls();
        let client = Client::builder()
            .timeout(timeout.duration())
            .connect_timeout(timeout.duration().min(CONNECT_TIMEOUT))
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .referer(false)
            .no_proxy()
            .user_agent(concat!("izin/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { client })
    }

    pub(super) fn request(&self, method: Method, url: Url) -> RequestBuilder {
        self.client.request(method, url)
    }

    /// Returns the body of a successful reply.
    pub(super) async fn exchange(&self, request: RequestBuilder) -> Result<Vec<u8>, Failure> {
        let reply = request.send().await.map_err(|error| Failure::of(cause_of(&error)))?;
        let status = reply.status();
        if let Some(cause) = cause_of_status(status) {
            return Err(Failure {
                cause,
                status: Some(status.as_u16()),
                retry_after: may_name_a_pause(status)
                    .then(|| retry_after::read(reply.headers()))
                    .flatten(),
            });
        }
        body_of(reply, PROVIDER_BODY_BYTES_MAX).await.map_err(Failure::of)
    }

    /// Returns a reply with its body of at most `bytes_max`, whatever its status.
    pub(super) async fn whole(
        &self,
        request: RequestBuilder,
        bytes_max: usize,
    ) -> Result<Whole, UnknownCause> {
        let reply = request.send().await.map_err(|error| cause_of(&error))?;
        let (status, headers) = (reply.status(), reply.headers().clone());
        let body = body_of(reply, bytes_max).await?;
        Ok(Whole { status, headers, body })
    }
}

async fn body_of(mut reply: Response, bytes_max: usize) -> Result<Vec<u8>, UnknownCause> {
    let announced = reply.content_length().unwrap_or(0);
    if usize::try_from(announced).unwrap_or(usize::MAX) > bytes_max {
        return Err(UnknownCause::TooLarge);
    }
    let mut body = Vec::new();
    while let Some(chunk) = reply.chunk().await.map_err(|error| cause_of(&error))? {
        if body.len() + chunk.len() > bytes_max {
            return Err(UnknownCause::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Returns what went wrong. The error itself holds the URL, and with it the number: it stops here.
fn cause_of(error: &reqwest::Error) -> UnknownCause {
    if error.is_timeout() {
        UnknownCause::Timeout
    } else if error.is_connect() {
        UnknownCause::Unreachable
    } else {
        UnknownCause::Interrupted
    }
}

fn cause_of_status(status: StatusCode) -> Option<UnknownCause> {
    match status.as_u16() {
        200..=299 => None,
        300..=399 => Some(UnknownCause::Redirected),
        401 | 403 => Some(UnknownCause::Unauthorized),
        429 => Some(UnknownCause::RateLimited),
        QUOTA_EXCEEDED | PAYMENT_REQUIRED => Some(UnknownCause::QuotaExceeded),
        400..=499 => Some(UnknownCause::Rejected),
        _ => Some(UnknownCause::ProviderFault),
    }
}

/// Returns whether `Retry-After` means a pause with this status. With a redirect it would not.
fn may_name_a_pause(status: StatusCode) -> bool {
    matches!(status.as_u16(), 429 | QUOTA_EXCEEDED | 503)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn building_a_second_client_finds_the_tls_provider_of_the_first() {
        let timeout = LookupTimeout::from_ms(1_000).unwrap();
        assert!(Http::build(timeout).is_ok());
        assert!(Http::build(timeout).is_ok());
    }

    #[test]
    fn every_status_has_its_cause_and_only_success_has_none() {
        for code in 100..=999_u16 {
            let status = StatusCode::from_u16(code).unwrap();
            let cause = cause_of_status(status);
            assert_eq!(cause.is_none(), (200..=299).contains(&code), "{code}");
            match code {
                300..=399 => assert_eq!(cause, Some(UnknownCause::Redirected)),
                401 | 403 => assert_eq!(cause, Some(UnknownCause::Unauthorized)),
                429 => assert_eq!(cause, Some(UnknownCause::RateLimited)),
                402 | 466 => assert_eq!(cause, Some(UnknownCause::QuotaExceeded)),
                500..=599 => assert_eq!(cause, Some(UnknownCause::ProviderFault)),
                _ => {}
            }
        }
    }
}
