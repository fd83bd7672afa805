//! What has to be known to ask a provider, each piece checked once.
//!
//! Does not read files or the environment: whoever does hands the texts in. No error repeats what
//! it was given, because an address may hold a secret as well as a token does.

use std::{fmt, time::Duration};

use reqwest::Url;
use zeroize::Zeroizing;

use crate::limits::{PROVIDER_TIMEOUT_MS_MAX, PROVIDER_TIMEOUT_MS_MIN};

const URL_BYTES_MAX: usize = 2_048;
const TOKEN_BYTES_MAX: usize = 4_096;
const SESSION_BYTES_MAX: usize = 64;

/// Everything a provider needs.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Which protocol it speaks.
    pub kind: ProviderKind,
    /// Where it is.
    pub url: ProviderUrl,
    /// What lets us in, where it wants something.
    pub token: Option<Token>,
    /// How long one look-up may take, from the first packet to the last byte of the reply.
    pub timeout: LookupTimeout,
    /// Which of its sessions or instances to ask, where it has several.
    pub session: SessionName,
}

/// A protocol by which providers answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProviderKind {
    /// `POST /v1/contacts`, as WhatsApp's on-premises client defined it and others took over.
    ContactsApi,
    /// `GET /api/contacts/check-exists`, as WAHA has it.
    Waha,
    /// `POST /chat/whatsappNumbers/{instance}`, as Evolution API has it.
    Evolution,
    /// `GET /api/{session}/check-number-status/{phone}`, as wppconnect-server has it.
    Wppconnect,
    /// `POST /contacts`, as Whapi has it.
    Whapi,
    /// `POST /waInstance{id}/checkWhatsapp/{token}`, as GREEN-API has it.
    GreenApi,
}

impl ProviderKind {
    /// Every protocol there is.
    pub const ALL: [Self; 6] = [
        Self::ContactsApi,
        Self::Waha,
        Self::Evolution,
        Self::Wppconnect,
        Self::Whapi,
        Self::GreenApi,
    ];

    /// Returns the name used in settings, logs and the ledger.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ContactsApi => "contacts_api",
            Self::Waha => "waha",
            Self::Evolution => "evolution",
            Self::Wppconnect => "wppconnect",
            Self::Whapi => "whapi",
            Self::GreenApi => "green_api",
        }
    }
}

/// A setting of a provider is of no use. Never repeats the setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// Not an absolute URL, or a very long one.
    #[error("the provider's address is an absolute URL of at most 2048 bytes, without spaces")]
    Url,
    /// Another scheme than `http` or `https`.
    #[error("the provider's address starts with http:// or https://")]
    UrlScheme,
    /// A user name or a password in the URL.
    #[error("the provider's address holds no user name or password; use the token")]
    UrlUserInfo,
    /// A query or a fragment in the URL.
    #[error("the provider's address holds neither a query nor a fragment")]
    UrlQuery,
    /// Not fit for a header.
    #[error("the provider's token is 1 to 4096 visible ASCII characters, without spaces")]
    Token,
    /// Too short or too long.
    #[error("the provider's time-out is {PROVIDER_TIMEOUT_MS_MIN} to {PROVIDER_TIMEOUT_MS_MAX} ms")]
    Timeout,
    /// Not a plain name.
    #[error("the provider's session is 1 to 64 letters, digits, `-`, `_` or `.`, not dots alone")]
    Session,
}

/// The address of a provider: `http` or `https`, a host, perhaps a port and a path, nothing else.
///
/// `Debug` shows scheme, host and port only: some providers put an account's secret in the path.
#[derive(Clone, PartialEq, Eq)]
pub struct ProviderUrl(Url);

impl ProviderUrl {
    /// Parses an address.
    ///
    /// # Errors
    ///
    /// [`SettingsError`], saying which rule was broken and never the address.
    pub fn parse(text: &str) -> Result<Self, SettingsError> {
        // The URL standard mends spaces, tabs and backslashes; an operator should know of them.
        let is_clean = !text.chars().any(|c| c.is_whitespace() || c.is_control() || c == '\\');
        if !is_clean || text.len() > URL_BYTES_MAX {
            return Err(SettingsError::Url);
        }
        let Ok(url) = Url::parse(text) else { return Err(SettingsError::Url) };
        if !matches!(url.scheme(), "http" | "https") {
            return Err(SettingsError::UrlScheme);
        }
        // `http:host` and `http:///host` are mended as well, and an empty user name is dropped: all
        // are typing errors.
        let Some((_, after_scheme)) = text.split_once("://") else {
            return Err(SettingsError::Url);
        };
        let authority = after_scheme.split(['/', '?', '#']).next().unwrap_or_default();
        if authority.is_empty() {
            return Err(SettingsError::Url);
        }
        if authority.contains('@') {
            return Err(SettingsError::UrlUserInfo);
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(SettingsError::UrlQuery);
        }
        Ok(Self(url))
    }

    /// Returns the address with `path` behind its own path.
    pub(super) fn join(&self, path: &str) -> Url {
        let mut url = self.0.clone();
        url.set_path(&format!("{}{path}", self.path()));
        url
    }

    /// Returns the address with `parts` behind its own path, each as one part whatever is in it.
    pub(super) fn join_parts(&self, parts: &[&str]) -> Url {
        let mut url = self.join("");
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(parts);
        }
        url
    }

    /// Returns the path without a slash at its end.
    pub(super) fn path(&self) -> &str {
        self.0.path().trim_end_matches('/')
    }
}

impl fmt::Debug for ProviderUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProviderUrl({})", self.0.origin().ascii_serialization())
    }
}

/// A secret that lets us in: visible ASCII. Wiped from memory when dropped; `Debug` redacts it.
#[derive(Clone)]
pub struct Token(Zeroizing<String>);

impl Token {
    /// Parses a token.
    ///
    /// # Errors
    ///
    /// [`SettingsError::Token`] when it does not fit in a header.
    pub fn parse(text: &str) -> Result<Self, SettingsError> {
        let is_shaped = (1..=TOKEN_BYTES_MAX).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_graphic());
        if is_shaped { Ok(Self(text.to_owned().into())) } else { Err(SettingsError::Token) }
    }

    /// Returns the secret.
    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(redacted)")
    }
}

/// How long one look-up may take in all, in milliseconds: [`PROVIDER_TIMEOUT_MS_MIN`] to
/// [`PROVIDER_TIMEOUT_MS_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LookupTimeout(u32);

impl LookupTimeout {
    /// Returns a time-out of so many milliseconds.
    ///
    /// # Errors
    ///
    /// [`SettingsError::Timeout`] outside the bounds.
    pub const fn from_ms(ms: u32) -> Result<Self, SettingsError> {
        if ms < PROVIDER_TIMEOUT_MS_MIN || ms > PROVIDER_TIMEOUT_MS_MAX {
            return Err(SettingsError::Timeout);
        }
        Ok(Self(ms))
    }

    /// Returns the time-out as a duration.
    pub fn duration(self) -> Duration {
        Duration::from_millis(u64::from(self.0))
    }
}

/// The name of a session, or of an instance: 1 to 64 letters, digits, `-`, `_` or `.`, and not
/// dots alone, which mean another place in an address. `default` by default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionName(Box<str>);

impl SessionName {
    /// Parses a name.
    ///
    /// # Errors
    ///
    /// [`SettingsError::Session`] for any other text.
    pub fn parse(text: &str) -> Result<Self, SettingsError> {
        let is_shaped = (1..=SESSION_BYTES_MAX).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
            && text.bytes().any(|byte| byte != b'.');
        if is_shaped { Ok(Self(text.into())) } else { Err(SettingsError::Session) }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for SessionName {
    fn default() -> Self {
        Self("default".into())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn plain_addresses_are_accepted_with_and_without_a_path() {
        for (text, joined) in [
            ("http://127.0.0.1:3000", "http://127.0.0.1:3000/x"),
            ("https://provider.example/", "https://provider.example/x"),
            ("https://provider.example/a/b/", "https://provider.example/a/b/x"),
            ("http://[::1]:8080", "http://[::1]:8080/x"),
        ] {
            assert_eq!(ProviderUrl::parse(text).unwrap().join("/x").as_str(), joined);
        }
    }

    #[test]
    fn each_part_of_a_path_stays_one_part() {
        for base in ["http://127.0.0.1:3000", "http://127.0.0.1:3000/"] {
            let url = ProviderUrl::parse(base).unwrap().join_parts(&["a", "b/c?d#e%2e", "f"]);
            assert_eq!(url.as_str(), "http://127.0.0.1:3000/a/b%2Fc%3Fd%23e%252e/f");
        }
        let url = ProviderUrl::parse("https://provider.example/own/").unwrap().join_parts(&["a"]);
        assert_eq!(url.as_str(), "https://provider.example/own/a");
    }

    #[test]
    fn addresses_that_hide_something_are_refused() {
        for (text, expected) in [
            ("ftp://provider.example", SettingsError::UrlScheme),
            ("file:///etc/passwd", SettingsError::UrlScheme),
            ("https://me:secret@provider.example", SettingsError::UrlUserInfo),
            ("https://@provider.example", SettingsError::UrlUserInfo),
            ("https://provider.example/?token=secret", SettingsError::UrlQuery),
            ("https://provider.example/?", SettingsError::UrlQuery),
            ("https://provider.example/#a", SettingsError::UrlQuery),
            ("provider.example", SettingsError::Url),
            ("http:provider.example", SettingsError::Url),
            ("https://", SettingsError::Url),
            ("https:///provider.example", SettingsError::Url),
            ("https:///me@provider.example", SettingsError::Url),
            ("", SettingsError::Url),
            (" https://provider.example", SettingsError::Url),
            ("https://provider.example\\@evil.example", SettingsError::Url),
            ("https://provider.example/\r\nHost: x", SettingsError::Url),
        ] {
            assert_eq!(ProviderUrl::parse(text), Err(expected), "{text}");
        }
        let long = format!("https://provider.example/{}", "a".repeat(URL_BYTES_MAX));
        assert_eq!(ProviderUrl::parse(&long), Err(SettingsError::Url));
    }

    #[test]
    fn debug_of_settings_shows_neither_the_token_nor_the_path() {
        let settings = Settings {
            kind: ProviderKind::Waha,
            url: ProviderUrl::parse("https://provider.example/instance-s3cret").unwrap(),
            token: Some(Token::parse("t0ken-s3cret").unwrap()),
            timeout: LookupTimeout::from_ms(1_000).unwrap(),
            session: SessionName::default(),
        };
        let shown = format!("{settings:?}");
        assert!(!shown.contains("s3cret"), "{shown}");
        assert!(shown.contains("provider.example"), "{shown}");
    }

    #[test]
    fn a_token_that_could_break_a_header_is_refused() {
        for text in ["", "two words", "line\r\nbreak", "schlüssel", "tab\t"] {
            assert_eq!(Token::parse(text).unwrap_err(), SettingsError::Token);
        }
        assert!(Token::parse(&"a".repeat(TOKEN_BYTES_MAX + 1)).is_err());
        assert!(Token::parse("abc.DEF-123_~+/=").is_ok());
    }

    #[test]
    fn time_outs_and_sessions_have_bounds() {
        assert!(LookupTimeout::from_ms(PROVIDER_TIMEOUT_MS_MIN).is_ok());
        assert!(LookupTimeout::from_ms(PROVIDER_TIMEOUT_MS_MAX).is_ok());
        assert!(LookupTimeout::from_ms(PROVIDER_TIMEOUT_MS_MIN - 1).is_err());
        assert!(LookupTimeout::from_ms(PROVIDER_TIMEOUT_MS_MAX + 1).is_err());
        for text in ["", ".", "..", "a b", "a/b", "a&b=c", "sitzung-ä", &"a".repeat(65)] {
            assert_eq!(SessionName::parse(text), Err(SettingsError::Session), "{text}");
        }
    }

    proptest! {
        #[test]
        fn an_accepted_address_has_only_scheme_host_and_path(text in "\\PC{0,80}") {
            for text in [text.clone(), format!("http://{text}")] {
                if let Ok(url) = ProviderUrl::parse(&text) {
                    let url = url.join("/x");
                    prop_assert!(url.username().is_empty() && url.password().is_none());
                    prop_assert!(url.query().is_none() && url.fragment().is_none());
                    prop_assert!(url.path().ends_with("/x"));
                }
            }
        }
    }
}
