//! `[verification]`: asking a provider whether numbers are on WhatsApp, and how often.
//!
//! Knows neither how providers are asked nor how the budget is kept.

use crate::{
    config::{
        network::BaseUrl,
        reader::{Name, Reader},
        secret::Secret,
    },
    domain::governor::Levels,
};

/// Asking a provider whether numbers are on WhatsApp, and how often.
#[derive(Debug, Clone)]
pub struct Verification {
    /// Who is asked; `None` if nobody, and then every look-up is `unknown`.
    pub provider: Option<Provider>,
    /// How long one look-up may take, in milliseconds.
    pub timeout_ms: u32,
    /// Days over which look-ups and messages sent are weighed against each other.
    pub window_days: u16,
    /// Days for which an answer is not asked for again.
    pub cache_days: u16,
    /// Look-ups allowed before any message was sent.
    pub starting_allowance: u32,
    /// From which share of the look-ups allowed the budget is amber, and from which it is red.
    pub levels: Levels,
    /// Look-ups a job makes in a minute while the budget is green.
    pub bulk_per_minute: u32,
    /// Failures in a row after which the provider is left alone.
    pub breaker_failures: u32,
    /// Seconds for which the provider is left alone the first time. Doubles each time after.
    pub breaker_open_s: u32,
    /// Seconds for which the provider is left alone at most. At least `breaker_open_s`.
    pub breaker_open_s_max: u32,
}

/// Who is asked.
#[derive(Debug, Clone)]
pub struct Provider {
    /// The protocol spoken.
    pub kind: ProviderKind,
    /// Where it listens.
    pub url: BaseUrl,
    /// What it knows us by, if it asks.
    pub token: Option<Secret<String>>,
    /// The session, or the instance, of a provider that has several.
    pub session: String,
}

/// The protocol of a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProviderKind {
    /// `POST /v1/contacts`, as WhatsApp's on-premises API had it and others still do.
    ContactsApi,
    /// `GET /api/contacts/check-exists` of WAHA.
    Waha,
    /// `POST /chat/whatsappNumbers/{instance}` of Evolution API.
    Evolution,
    /// `GET /api/{session}/check-number-status/{phone}` of wppconnect-server.
    Wppconnect,
    /// `POST /contacts` of Whapi.
    Whapi,
    /// `POST /waInstance{id}/checkWhatsapp/{token}` of GREEN-API. Needs a token, and the number of
    /// the instance as session.
    GreenApi,
}

/// The names of the protocols; `whatsapp` is another name for the first.
const KINDS: [(&str, ProviderKind); 7] = [
    ("contacts_api", ProviderKind::ContactsApi),
    ("evolution", ProviderKind::Evolution),
    ("green_api", ProviderKind::GreenApi),
    ("waha", ProviderKind::Waha),
    ("whapi", ProviderKind::Whapi),
    ("whatsapp", ProviderKind::ContactsApi),
    ("wppconnect", ProviderKind::Wppconnect),
];

impl Verification {
    pub(super) fn read(from: &mut Reader) -> Self {
        let read = Self {
            provider: provider(from),
            timeout_ms: from.whole("verification.timeout_ms", 10_000, 100..=60_000),
            window_days: from.whole("verification.window_days", 7, 1..=31),
            cache_days: from.whole("verification.cache_days", 7, 1..=365),
            starting_allowance: from.whole("verification.starting_allowance", 20, 0..=100_000),
            levels: levels(from),
            bulk_per_minute: from.whole("verification.bulk_per_minute", 60, 1..=600),
            breaker_failures: from.whole("verification.breaker_failures", 3, 1..=100),
            breaker_open_s: from.whole("verification.breaker_open_s", 30, 1..=3_600),
            breaker_open_s_max: from.whole("verification.breaker_open_s_max", 900, 1..=86_400),
        };
        if read.breaker_open_s_max < read.breaker_open_s {
            from.rule(
                "verification.breaker_open_s_max",
                "must be at least verification.breaker_open_s",
            );
        }
        read
    }
}

fn levels(from: &mut Reader) -> Levels {
    let default = Levels::DEFAULT;
    let amber = from.whole("verification.amber_percent", default.amber_percent(), 1..=100);
    let red = from.whole("verification.red_percent", default.red_percent(), 1..=100);
    Levels::new(amber, red).unwrap_or_else(|| {
        from.rule("verification.red_percent", "must be at least verification.amber_percent");
        default
    })
}

fn provider(from: &mut Reader) -> Option<Provider> {
    let kind = Name::fixed("verification.provider", "IZIN_VERIFY_PROVIDER");
    let kind = from.word(kind, None, &KINDS);
    let url = Name::fixed("verification.url", "IZIN_VERIFY_URL");
    let show = |url: &BaseUrl| url.as_str().to_owned();
    let url = from.text(url, None, BaseUrl::MUST_BE, show, BaseUrl::parse);
    let token = from.secret(Name::fixed("verification.token", "IZIN_VERIFY_TOKEN"), 1);
    let session = session(from);
    if kind == Some(ProviderKind::GreenApi) {
        if token.is_none() && !from.is_faulty("verification.token") {
            from.rule("verification.token", "is missing: verification.provider is green_api");
        }
        if !session.bytes().all(|byte| byte.is_ascii_digit()) {
            let must_be = "must be the number of the instance: verification.provider is green_api";
            from.rule("verification.session", must_be);
        }
    }
    match (kind, url) {
        (Some(kind), Some(url)) => return Some(Provider { kind, url, token, session }),
        (Some(_), None) if !from.is_faulty("verification.url") => {
            from.rule("verification.url", "is missing: verification.provider is set");
        }
        (None, Some(_)) if !from.is_faulty("verification.provider") => {
            from.rule("verification.provider", "is missing: verification.url is set");
        }
        (Some(_), None) | (None, Some(_) | None) => {}
    }
    None
}

fn session(from: &mut Reader) -> String {
    let default = String::from("default");
    let parse = |text: &str| {
        let good = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        (matches!(text.len(), 1..=64) && text.bytes().all(good)).then(|| text.to_owned())
    };
    let must_be = "1 to 64 letters, digits, - and _";
    from.text("verification.session", Some(default.clone()), must_be, String::clone, parse)
        .unwrap_or(default)
}
