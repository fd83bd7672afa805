//! Asks WhatsApp itself, by the Graph API, how senders and templates stand.
//!
//! One question is one request: no redirect, no repeat, no pause of its own; when to ask again is
//! for whoever asks. The token goes into a header and nowhere else.

use std::time::Duration;

use reqwest::{
    Method, StatusCode,
    header::{AUTHORIZATION, HeaderValue},
};

use crate::{
    domain::names::{AccountId, SenderId},
    limits::{PLATFORM_ANSWER_BYTES_MAX, PLATFORM_PAGE},
    providers::{
        answer::UnknownCause,
        http::{Http, Whole},
        provider::{BuildError, secret_header},
        retry_after,
        settings::{LookupTimeout, ProviderUrl, Token},
        usage,
    },
    whatsapp::{Action, GraphFault, NotAnAnswer, NumberRead, TemplatesRead},
};

/// What is asked of a number. Its health is not: what stands against sending comes by webhook.
const OF_NUMBER: &str =
    "id,quality_rating,status,throughput,whatsapp_business_manager_messaging_limit";

/// What is asked of templates.
const OF_TEMPLATES: &str = "name,language,status,category,quality_score";

/// Codes that say that too much was asked, beside those of the table of message errors.
///
/// Source: Meta, "Graph API: rate limits"; 80008 in the reference of message templates.
const TOO_MUCH: [i64; 5] = [17, 32, 613, 80_007, 80_008];

/// Everything needed to ask.
#[derive(Debug, Clone)]
pub struct GraphSettings {
    /// Where the API is, with its version.
    pub url: ProviderUrl,
    /// What lets us in.
    pub token: Token,
    /// How long one question may take.
    pub timeout: LookupTimeout,
}

/// The Graph API, with its connections. Meant to be built once.
#[derive(Debug)]
pub struct Graph {
    http: Http,
    url: ProviderUrl,
    token: Option<HeaderValue>,
}

/// Why a question brought no answer. The names are stable: they are labels of `/metrics`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum GraphFailure {
    /// The token is wrong or has run out: nothing can be asked with it any more.
    Token,
    /// The token lacks a right for what was asked.
    Permission,
    /// Too much was asked.
    RateLimited,
    /// WhatsApp does not know what was asked for, or not like this.
    Rejected,
    /// WhatsApp has trouble of its own.
    PlatformFault,
    /// What came is no answer of WhatsApp's, or one about something else.
    Unreadable,
    /// The answer is longer than [`PLATFORM_ANSWER_BYTES_MAX`].
    TooLarge,
    /// No complete answer came in time.
    Timeout,
    /// No connection.
    Unreachable,
    /// The connection broke off, or what came was not HTTP.
    Interrupted,
    /// Status 3xx. Redirects are never followed: they could take the token anywhere.
    Redirected,
}

/// What a question brought.
#[derive(Debug, PartialEq, Eq)]
pub struct Told<T> {
    /// The answer, or why there is none.
    pub answer: Result<T, GraphFailure>,
    /// How long WhatsApp wants to be left alone from now on: a day at most.
    pub pause: Option<Duration>,
}

impl GraphFailure {
    /// Every one of them.
    pub const ALL: [Self; 11] = [
        Self::Token,
        Self::Permission,
        Self::RateLimited,
        Self::Rejected,
        Self::PlatformFault,
        Self::Unreadable,
        Self::TooLarge,
        Self::Timeout,
        Self::Unreachable,
        Self::Interrupted,
        Self::Redirected,
    ];

    /// Returns the stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Permission => "permission",
            Self::RateLimited => "rate_limited",
            Self::Rejected => "rejected",
            Self::PlatformFault => "platform_fault",
            Self::Unreadable => "unreadable",
            Self::TooLarge => "too_large",
            Self::Timeout => "timeout",
            Self::Unreachable => "unreachable",
            Self::Interrupted => "interrupted",
            Self::Redirected => "redirected",
        }
    }

    fn of_cause(cause: UnknownCause) -> Self {
        match cause {
            UnknownCause::Timeout => Self::Timeout,
            UnknownCause::Unreachable => Self::Unreachable,
            UnknownCause::Interrupted => Self::Interrupted,
            UnknownCause::TooLarge => Self::TooLarge,
            UnknownCause::Redirected => Self::Redirected,
            UnknownCause::RateLimited | UnknownCause::QuotaExceeded => Self::RateLimited,
            UnknownCause::ProviderFault => Self::PlatformFault,
            UnknownCause::Rejected => Self::Rejected,
            UnknownCause::Unauthorized => Self::Token,
            UnknownCause::NotJson
            | UnknownCause::WrongShape
            | UnknownCause::NoAnswer
            | UnknownCause::AnotherNumber
            | UnknownCause::Contradictory
            | UnknownCause::Undecided => Self::Unreadable,
        }
    }

    fn of_fault(fault: &GraphFault) -> Self {
        let code = fault.fault.code;
        if matches!(code, 0 | 190) {
            return Self::Token;
        }
        if fault.rule().action == Action::Backoff || TOO_MUCH.contains(&code) {
            return Self::RateLimited;
        }
        if matches!(code, 3 | 10 | 200..=299 | 131_005) {
            return Self::Permission;
        }
        let is_passing = fault.is_transient || fault.rule().action == Action::Retry;
        if is_passing { Self::PlatformFault } else { Self::Rejected }
    }

    /// What a status says where the body says nothing.
    fn of_status(status: StatusCode) -> Self {
        match status.as_u16() {
            200..=299 => Self::Unreadable,
            300..=399 => Self::Redirected,
            401 => Self::Token,
            403 => Self::Permission,
            429 => Self::RateLimited,
            400..=499 => Self::Rejected,
            _ => Self::PlatformFault,
        }
    }
}

impl Graph {
    /// Builds the client. Connects to nothing yet.
    ///
    /// # Errors
    ///
    /// [`BuildError`] when TLS cannot be set up or the token fits in no header.
    pub fn build(settings: GraphSettings) -> Result<Self, BuildError> {
        let GraphSettings { url, token, timeout } = settings;
        let http = Http::build(timeout).map_err(BuildError::Client)?;
        Ok(Self { http, url, token: secret_header("Bearer ", Some(token))? })
    }

    /// Asks once how a sender stands.
    pub async fn number(&self, sender: &SenderId) -> Told<NumberRead> {
        let query = [("fields", OF_NUMBER)];
        let about_it = |read: NumberRead| {
            let is_its = read.id.as_deref().is_none_or(|id| id == sender.as_str());
            is_its.then_some(read)
        };
        let told = self.ask(sender.as_str(), &query, NumberRead::parse).await;
        let answer = told.answer.and_then(|read| about_it(read).ok_or(GraphFailure::Unreadable));
        Told { answer, ..told }
    }

    /// Asks once for a page of an account's templates: the first, or the one after `after`.
    pub async fn templates(&self, account: &AccountId, after: Option<&str>) -> Told<TemplatesRead> {
        let (path, limit) = (format!("{account}/message_templates"), PLATFORM_PAGE.to_string());
        let mut query = vec![("fields", OF_TEMPLATES), ("limit", &limit)];
        query.extend(after.map(|after| ("after", after)));
        self.ask(&path, &query, TemplatesRead::parse).await
    }

    async fn ask<T>(
        &self,
        path: &str,
        query: &[(&str, &str)],
        reader: fn(&[u8]) -> Result<T, NotAnAnswer>,
    ) -> Told<T> {
        let mut url = self.url.join(&format!("/{path}"));
        url.query_pairs_mut().extend_pairs(query);
        let mut request = self.http.request(Method::GET, url);
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, token.clone());
        }
        let whole = self.http.whole(request, PLATFORM_ANSWER_BYTES_MAX).await;
        let Whole { status, headers, body } = match whole {
            Ok(whole) => whole,
            Err(cause) => {
                let answer = Err(GraphFailure::of_cause(cause));
                return Told { answer, pause: None };
            }
        };
        let ordered = retry_after::read(&headers).map(|pause| pause.min(usage::PAUSE_MAX));
        let pause = usage::pause(&headers).max(ordered);
        let failed = match reader(&body) {
            Ok(read) if status.is_success() => return Told { answer: Ok(read), pause },
            Err(NotAnAnswer::Refused(fault)) => {
                let (code, trace) = (fault.fault.code, fault.trace.as_deref());
                let http = status.as_u16();
                tracing::debug!(
                    graph.code = code,
                    graph.trace = trace,
                    http.status = http,
                    "refused"
                );
                GraphFailure::of_fault(&fault)
            }
            Ok(_) | Err(NotAnAnswer::WrongShape) => GraphFailure::of_status(status),
        };
        Told { answer: Err(failed), pause }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_body(body: &str) -> GraphFailure {
        match NumberRead::parse(body.as_bytes()) {
            Err(NotAnAnswer::Refused(fault)) => GraphFailure::of_fault(&fault),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_code_says_whether_to_stop_to_wait_or_to_go_on() {
        let of_code = |code: i64| of_body(&format!("{{\"error\":{{\"code\":{code}}}}}"));
        for (codes, expected) in [
            (&[0, 190][..], GraphFailure::Token),
            (&[3, 10, 200, 299, 131_005], GraphFailure::Permission),
            (&[4, 17, 32, 613, 80_007, 80_008, 130_429], GraphFailure::RateLimited),
            (&[1, 2, 131_000, 131_016], GraphFailure::PlatformFault),
            (&[33, 100, 199, 300, 131_008, -1, 999_999], GraphFailure::Rejected),
        ] {
            for code in codes {
                assert_eq!(of_code(*code), expected, "{code}");
            }
        }
        let passing = r#"{"error":{"code":999999,"is_transient":true}}"#;
        assert_eq!(of_body(passing), GraphFailure::PlatformFault);
    }

    #[test]
    fn every_failure_has_a_name_of_its_own() {
        let names: std::collections::BTreeSet<_> =
            GraphFailure::ALL.iter().map(|failure| failure.as_str()).collect();
        assert_eq!(names.len(), GraphFailure::ALL.len());
    }
}
