//! What a provider's answer says about one number, in words that do not depend on the provider.
//!
//! Does not read anything off the wire: the adapters do, each for its own format.

use std::{fmt, time::Duration};

use crate::{domain::phone::PhoneNumber, providers::breaker::Outcome};

/// One answer about one number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookupAnswer {
    /// What is known now.
    pub state: NumberState,
    /// How long the provider asked to be left alone, where it said so.
    pub retry_after: Option<Duration>,
}

/// Whether a number is on WhatsApp, as far as the provider could tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NumberState {
    /// The number is on WhatsApp.
    Registered {
        /// The digits WhatsApp knows it by, where the provider gave them. They may differ from the
        /// number, in Brazil and Mexico by design.
        wa_id: Option<WaId>,
    },
    /// The provider said in so many words that the number is not on WhatsApp.
    NotRegistered,
    /// The provider is still looking.
    InProgress,
    /// Nothing was learnt.
    Unknown {
        /// Why not.
        cause: UnknownCause,
    },
}

/// Why an answer says nothing about the number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum UnknownCause {
    /// No complete answer came in time.
    Timeout,
    /// No connection: refused, no such host, or TLS did not come about.
    Unreachable,
    /// The connection broke off, or what came was not HTTP.
    Interrupted,
    /// Status 429.
    RateLimited,
    /// Status 402 or 466, with which some providers say that the paid quota is used up.
    QuotaExceeded,
    /// Status 5xx, or one that HTTP does not define.
    ProviderFault,
    /// Any other 4xx: the provider did not accept the question.
    Rejected,
    /// Status 401 or 403: the token is wrong or lacks a right.
    Unauthorized,
    /// Status 3xx. Redirects are never followed: they could take the number anywhere.
    Redirected,
    /// The reply is longer than [`crate::limits::PROVIDER_BODY_BYTES_MAX`].
    TooLarge,
    /// The reply is not JSON, or only the beginning of it.
    NotJson,
    /// The reply is JSON, but not what this provider documents.
    WrongShape,
    /// The reply is well formed and says nothing about any number.
    NoAnswer,
    /// The reply is about some other number.
    AnotherNumber,
    /// The reply says two things that cannot both be true.
    Contradictory,
    /// The provider says that it tried and could not tell.
    Undecided,
}

impl NumberState {
    /// Returns the stable name of the state, the one the API and the ledger use.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Registered { .. } => "registered",
            Self::NotRegistered => "not_registered",
            Self::InProgress => "in_progress",
            Self::Unknown { .. } => "unknown",
        }
    }

    pub(super) const fn unknown(cause: UnknownCause) -> Self {
        Self::Unknown { cause }
    }
}

impl UnknownCause {
    /// Every cause there is.
    pub const ALL: [Self; 16] = [
        Self::Timeout,
        Self::Unreachable,
        Self::Interrupted,
        Self::RateLimited,
        Self::QuotaExceeded,
        Self::ProviderFault,
        Self::Rejected,
        Self::Unauthorized,
        Self::Redirected,
        Self::TooLarge,
        Self::NotJson,
        Self::WrongShape,
        Self::NoAnswer,
        Self::AnotherNumber,
        Self::Contradictory,
        Self::Undecided,
    ];

    /// Returns the stable name of the cause, fit for the ledger, logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Unreachable => "unreachable",
            Self::Interrupted => "interrupted",
            Self::RateLimited => "rate_limited",
            Self::QuotaExceeded => "quota_exceeded",
            Self::ProviderFault => "provider_fault",
            Self::Rejected => "rejected",
            Self::Unauthorized => "unauthorized",
            Self::Redirected => "redirected",
            Self::TooLarge => "too_large",
            Self::NotJson => "not_json",
            Self::WrongShape => "wrong_shape",
            Self::NoAnswer => "no_answer",
            Self::AnotherNumber => "another_number",
            Self::Contradictory => "contradictory",
            Self::Undecided => "undecided",
        }
    }

    /// Returns whether the provider asked for fewer questions.
    const fn is_throttling(self) -> bool {
        matches!(self, Self::RateLimited | Self::QuotaExceeded)
    }
}

impl LookupAnswer {
    /// Returns what this answer tells a circuit breaker.
    ///
    /// Every unknown counts as a failure: whatever its cause, asking on would spend budget and
    /// learn nothing. A named pause counts as throttling, with whichever status it came.
    pub const fn outcome(&self) -> Outcome {
        match &self.state {
            NumberState::Registered { .. }
            | NumberState::NotRegistered
            | NumberState::InProgress => Outcome::Healthy,
            NumberState::Unknown { cause } => {
                if cause.is_throttling() || self.retry_after.is_some() {
                    Outcome::Throttled { retry_after: self.retry_after }
                } else {
                    Outcome::Failed
                }
            }
        }
    }
}

/// The digits by which WhatsApp knows a number: 4 to 20 of them, the first not `0`.
///
/// Personal data. `Debug` redacts it and there is no `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct WaId(Box<str>);

impl WaId {
    /// Returns the text as an id when it is digits of a plausible length, and nothing otherwise.
    pub fn parse(text: &str) -> Option<Self> {
        let is_shaped = (4..=20).contains(&text.len())
            && !text.starts_with('0')
            && text.bytes().all(|byte| byte.is_ascii_digit());
        is_shaped.then(|| Self(text.into()))
    }

    /// Returns the digits of an account named as WhatsApp does inside, `digits@c.us` or
    /// `digits@s.whatsapp.net`. A `@lid` has digits too, but they are no number.
    pub(super) fn of_account(name: &str) -> Option<Self> {
        let digits = name.strip_suffix("@c.us").or_else(|| name.strip_suffix("@s.whatsapp.net"))?;
        Self::parse(digits)
    }

    /// Returns the digits. Every call site handles personal data.
    pub fn as_digits(&self) -> &str {
        &self.0
    }

    /// Returns whether these can be the digits of `number`: whether they end alike.
    ///
    /// WhatsApp keeps some numbers with or without a digit that the country once added or dropped
    /// (Mexico, Argentina, Brazil, Benin, Côte d'Ivoire). All of those sit in front of the
    /// subscriber's own digits, so the last six agree, while those of a stranger hardly ever do.
    pub(super) fn can_belong_to(&self, number: &PhoneNumber) -> bool {
        let own = digits_of(number);
        self.0.bytes().rev().take(6).eq(own.bytes().rev().take(6))
    }
}

impl fmt::Debug for WaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WaId(redacted)")
    }
}

/// The countries some of whose numbers WhatsApp knows with a digit more or less than they have.
///
/// Source: see [`WaId::can_belong_to`].
const REWRITTEN: [&str; 5] = ["+52", "+54", "+55", "+225", "+229"];

/// Returns whether WhatsApp may know the number by other digits than its own.
///
/// A provider that does not try both is not to be believed when it finds nobody.
pub(super) fn may_be_rewritten(number: &PhoneNumber) -> bool {
    REWRITTEN.iter().any(|country| number.as_e164().starts_with(country))
}

/// Returns the digits of a number, without its `+`.
pub(super) fn digits_of(number: &PhoneNumber) -> &str {
    number.as_e164().trim_start_matches('+')
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn number(text: &str) -> PhoneNumber {
        PhoneNumber::parse(text).unwrap()
    }

    #[test]
    fn debug_of_an_answer_hides_the_digits() {
        let wa_id = WaId::parse("12025550123");
        let answer = LookupAnswer { state: NumberState::Registered { wa_id }, retry_after: None };
        let shown = format!("{answer:?}");
        assert!(!shown.contains("2025550123"), "{shown}");
        assert!(shown.contains("redacted"), "{shown}");
    }

    #[test]
    fn only_plausible_digits_become_an_id() {
        assert!(WaId::parse("12025550123").is_some());
        for text in ["", "123", "+12025550123", "012025550123", "12025550123@c.us", "１２３４５"]
        {
            assert_eq!(WaId::parse(text), None, "{text}");
        }
        assert_eq!(WaId::parse(&"1".repeat(21)), None);
    }

    #[test]
    fn national_rewrites_belong_to_the_number_and_a_stranger_does_not() {
        for (e164, wa_id) in [
            ("+525500000000", "5215500000000"),
            ("+5531970000000", "553170000000"),
            ("+5491100000000", "541100000000"),
            ("+12025550123", "12025550123"),
        ] {
            assert!(WaId::parse(wa_id).unwrap().can_belong_to(&number(e164)), "{e164}");
        }
        let stranger = WaId::parse("12025550199").unwrap();
        assert!(!stranger.can_belong_to(&number("+12025550123")));
        let short = WaId::parse("1230123").unwrap();
        assert!(!short.can_belong_to(&number("+12025550999")));
    }

    #[test]
    fn an_account_gives_its_digits_and_a_hidden_one_gives_none() {
        for name in ["12025550123@c.us", "12025550123@s.whatsapp.net"] {
            assert_eq!(WaId::of_account(name), WaId::parse("12025550123"), "{name}");
        }
        for name in ["12025550123", "12025550123@lid", "@c.us", "12025550123:1@c.us", ""] {
            assert_eq!(WaId::of_account(name), None, "{name}");
        }
    }

    #[test]
    fn only_countries_that_changed_their_numbers_are_doubted() {
        for e164 in ["+525500000000", "+5491100000000", "+5531970000000", "+2290150000000"] {
            assert!(may_be_rewritten(&number(e164)), "{e164}");
        }
        for e164 in ["+12025550123", "+447700900456", "+62890000000", "+5112345678"] {
            assert!(!may_be_rewritten(&number(e164)), "{e164}");
        }
    }

    #[test]
    fn names_of_causes_are_distinct() {
        let names: BTreeSet<_> = UnknownCause::ALL.iter().map(|cause| cause.as_str()).collect();
        assert_eq!(names.len(), UnknownCause::ALL.len());
    }

    #[test]
    fn limits_and_named_pauses_throttle_while_other_unknowns_fail() {
        for cause in UnknownCause::ALL {
            let mut answer = LookupAnswer { state: NumberState::unknown(cause), retry_after: None };
            let expected =
                if [UnknownCause::RateLimited, UnknownCause::QuotaExceeded].contains(&cause) {
                    Outcome::Throttled { retry_after: None }
                } else {
                    Outcome::Failed
                };
            assert_eq!(answer.outcome(), expected, "{cause:?}");
            let pause = Some(Duration::from_secs(7));
            answer.retry_after = pause;
            assert_eq!(answer.outcome(), Outcome::Throttled { retry_after: pause }, "{cause:?}");
        }
        for state in [NumberState::NotRegistered, NumberState::InProgress] {
            let answer = LookupAnswer { state, retry_after: None };
            assert_eq!(answer.outcome(), Outcome::Healthy);
        }
    }
}
