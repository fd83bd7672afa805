//! Whom a fact is about, and how what names or quotes a person is kept from view.

use std::fmt;

/// Text that names a person or may do so: digits, user ids, message ids, hashes.
///
/// `Debug` redacts it and there is no `Display`: whoever needs the text calls [`Private::expose`]
/// and can be found by searching for that name. Message ids are among it because WhatsApp's hold
/// the phone number, encoded.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Private(Box<str>);

impl Private {
    /// Takes a text into custody.
    pub(in crate::whatsapp) fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// Returns the text exactly as WhatsApp gave it. Every call site handles personal data.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Private {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Private(redacted)")
    }
}

/// What a person wrote or chose, to be compared and then let go.
///
/// Only what turns out to be an answer about consent may be kept, and only as evidence. `Debug`
/// redacts it; [`Spoken::read`] is the one way to the text.
#[derive(Clone, PartialEq, Eq)]
pub struct Spoken(Box<str>);

impl Spoken {
    /// Takes a text into custody.
    pub(in crate::whatsapp) fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// Returns the text exactly as WhatsApp gave it. Every call site handles a person's words.
    pub fn read(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Spoken {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Spoken(redacted)")
    }
}

/// A person by the identifiers that one event itself carries; any of them can be missing.
///
/// Two identifiers in one fact are evidence that they belong together.
///
/// Source: Meta, "Business-scoped user IDs"; read November 2026.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Person {
    /// WhatsApp's spelling of the number: digits without `+`. Not always the E.164 number.
    pub wa_id: Option<Private>,
    /// The business-scoped user id: opaque, upper and lower case matter. Changes with the number.
    pub user_id: Option<Private>,
    /// The same over all portfolios of a parent business.
    pub parent_user_id: Option<Private>,
    /// The username, without `@`. People change it as they like, so it links nothing.
    pub username: Option<Private>,
}

impl Person {
    /// Returns whether nothing names the person.
    pub const fn is_nobody(&self) -> bool {
        self.wa_id.is_none() && self.user_id.is_none() && self.parent_user_id.is_none()
    }

    /// Returns the identifier that tells this person from others best: the user id, else the
    /// number, else the parent's user id.
    pub fn identifier(&self) -> Option<&Private> {
        self.user_id.as_ref().or(self.wa_id.as_ref()).or(self.parent_user_id.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_neither_identifiers_nor_words() {
        let person = Person {
            wa_id: Some(Private::new("12025550123")),
            user_id: Some(Private::new("US.1")),
            ..Person::default()
        };
        let shown = format!("{person:?} {:?}", Spoken::new("stop"));
        assert!(!shown.contains("1202") && !shown.contains("US.1") && !shown.contains("stop"));
        assert!(!person.is_nobody());
        assert_eq!(person.identifier().map(Private::expose), Some("US.1"));
    }

    #[test]
    fn a_username_alone_is_nobody() {
        let person = Person { username: Some(Private::new("ana")), ..Person::default() };
        assert!(person.is_nobody());
    }
}
