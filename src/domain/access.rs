//! Who may do what: the kinds of API key, what a key may be allowed, and what is stored of a key.
//!
//! Pure data. Nothing here makes, reads or compares a key; `crate::keys` does, because that needs
//! chance, a secret and constant time.

use std::fmt::{Debug, Display, Formatter};

use serde::{Deserialize, Serialize};

/// Characters in the public part of a key that names it.
pub const KEY_ID_CHARS: usize = 12;

/// What a key is for. Part of its text, so that a leaked one is recognised for what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyKind {
    /// Held by a server; may be given any scope.
    Secret,
    /// Shipped to browsers; may capture and have a number explained, and reads nothing stored.
    Publishable,
}

impl KeyKind {
    /// Every kind.
    pub const ALL: [Self; 2] = [Self::Secret, Self::Publishable];

    /// Returns the two letters that stand for the kind in a key's text.
    pub const fn letters(self) -> &'static str {
        match self {
            Self::Secret => "sk",
            Self::Publishable => "pk",
        }
    }

    /// Returns every scope that a key of this kind may be given.
    pub const fn may_hold(self) -> ScopeSet {
        let mut held = ScopeSet::EMPTY;
        let mut left: &[Scope] = &Scope::ALL;
        while let [scope, rest @ ..] = left {
            let allowed = match (self, scope.held_by()) {
                (Self::Secret, HeldBy::SecretKeys | HeldBy::AnyKey)
                | (Self::Publishable, HeldBy::AnyKey) => true,
                (Self::Publishable, HeldBy::SecretKeys) => false,
            };
            if allowed {
                held = held.with(*scope);
            }
            left = rest;
        }
        held
    }
}

/// Whether a key works on real contacts or on rehearsals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyEnv {
    /// Real contacts.
    Live,
    /// Rehearsals.
    Test,
}

impl KeyEnv {
    /// Every environment.
    pub const ALL: [Self; 2] = [Self::Live, Self::Test];

    /// Returns the word that stands for the environment in a key's text.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Test => "test",
        }
    }
}

/// Which kinds of key may be given a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeldBy {
    /// Secret keys alone.
    SecretKeys,
    /// Secret and publishable keys.
    AnyKey,
}

/// Declares the scopes, so that the type, the list and the table cannot disagree.
///
/// Each row: variant, bit, text, who may hold it, what it allows.
macro_rules! scopes {
    ($($name:ident, $bit:literal, $text:literal, $held_by:ident, $about:literal;)+) => {
        /// One thing a key may be allowed, written `resource:action`.
        ///
        /// Scopes are stored with the keys they were given to: rows are added, never taken away.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Scope {
            $(
                #[doc = $about]
                #[serde(rename = $text)]
                $name,
            )+
        }

        impl Scope {
            /// Every scope, in the order in which they are shown.
            pub const ALL: [Self; [$($bit),+].len()] = [$(Self::$name),+];

            /// Returns the scope as keys are given it: `resource:action`.
            pub const fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }

            /// Returns what the scope allows, in a sentence for people.
            pub const fn about(self) -> &'static str {
                match self { $(Self::$name => $about,)+ }
            }

            /// Returns which kinds of key may be given it.
            pub const fn held_by(self) -> HeldBy {
                match self { $(Self::$name => HeldBy::$held_by,)+ }
            }

            const fn bit(self) -> u32 {
                match self { $(Self::$name => 1 << $bit,)+ }
            }
        }
    };
}

scopes! {
    OptinsWrite, 0, "optins:write", AnyKey, "Record opt-ins with their evidence.";
    OptoutsWrite, 1, "optouts:write", SecretKeys, "Record opt-outs.";
    ContactsRead, 2, "contacts:read", SecretKeys,
        "Read contacts, their history, dossiers and receipts.";
    ContactsWrite, 3, "contacts:write", SecretKeys,
        "Report and confirm identities; block, merge and erase contacts.";
    EligibilityRead, 4, "eligibility:read", SecretKeys, "Ask whether a message may be sent.";
    SendsWrite, 5, "sends:write", SecretKeys, "Reserve, commit and release sends.";
    VerificationsWrite, 6, "verifications:write", SecretKeys,
        "Ask whether numbers are on WhatsApp, within the look-up budget.";
    VerificationsRead, 7, "verifications:read", SecretKeys,
        "Read the look-up budget and past look-ups.";
    RegistryRead, 8, "registry:read", SecretKeys,
        "Read topics, statements, templates, senders, portfolios, entry points and policy.";
    RegistryWrite, 9, "registry:write", SecretKeys,
        "Change topics, statements, templates, senders, portfolios, entry points and policy.";
    ExportsRead, 10, "exports:read", SecretKeys, "Export consents, contacts and the ledger.";
    LedgerRead, 11, "ledger:read", SecretKeys,
        "Follow the change feed; fetch checkpoints and receipts.";
    KeysManage, 12, "keys:manage", SecretKeys, "Create, rotate and revoke keys.";
    ImportsWrite, 13, "imports:write", SecretKeys, "Import consent records.";
    WebhooksManage, 14, "webhooks:manage", SecretKeys,
        "Manage the endpoints to which changes are pushed.";
    NumbersRead, 15, "numbers:read", AnyKey,
        "Have a written number explained, without learning whether anybody is known by it.";
    MetricsRead, 16, "metrics:read", SecretKeys, "Read the service's own measurements.";
    WebhooksRead, 17, "webhooks:read", SecretKeys,
        "Read which webhooks came from WhatsApp and what followed from them.";
    ReviewsRead, 18, "reviews:read", SecretKeys,
        "Read what people wrote that may be an answer about consent and is not certain.";
    ReviewsWrite, 19, "reviews:write", SecretKeys, "Decide what such an answer means.";
}

impl Scope {
    /// Returns the scope a text names.
    ///
    /// # Errors
    ///
    /// [`UnknownScope`] when no scope is written like that.
    pub fn parse(text: &str) -> Result<Self, UnknownScope> {
        Self::ALL.into_iter().find(|scope| scope.text() == text).ok_or(UnknownScope)
    }
}

impl Display for Scope {
    fn fmt(&self, out: &mut Formatter<'_>) -> std::fmt::Result {
        out.write_str(self.text())
    }
}

/// A text names no scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no scope is written like that")]
pub struct UnknownScope;

/// What one key may do. Stored and shown as a list of scopes in the order of [`Scope::ALL`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(from = "Vec<Scope>", into = "Vec<Scope>")]
pub struct ScopeSet(u32);

impl ScopeSet {
    /// Nothing.
    pub const EMPTY: Self = Self(0);

    /// Returns the set of these scopes.
    pub const fn of(scopes: &[Scope]) -> Self {
        let mut set = Self::EMPTY;
        let mut left = scopes;
        while let [scope, rest @ ..] = left {
            set = set.with(*scope);
            left = rest;
        }
        set
    }

    /// Returns the set with one more scope.
    #[must_use]
    pub const fn with(self, scope: Scope) -> Self {
        Self(self.0 | scope.bit())
    }

    /// Returns whether the set holds the scope.
    pub const fn contains(self, scope: Scope) -> bool {
        self.0 & scope.bit() != 0
    }

    /// Returns whether everything in this set is in the other as well. A key may only hand on
    /// what it may do itself.
    pub const fn is_subset_of(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }

    /// Returns what is in this set and not in the other.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Returns whether there is nothing in it.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Returns the scopes in the order of [`Scope::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(move |scope| self.contains(*scope))
    }
}

impl Debug for ScopeSet {
    fn fmt(&self, out: &mut Formatter<'_>) -> std::fmt::Result {
        out.debug_set().entries(self.iter().map(Scope::text)).finish()
    }
}

impl From<Vec<Scope>> for ScopeSet {
    fn from(scopes: Vec<Scope>) -> Self {
        Self::of(&scopes)
    }
}

impl From<ScopeSet> for Vec<Scope> {
    fn from(set: ScopeSet) -> Self {
        set.iter().collect()
    }
}

impl FromIterator<Scope> for ScopeSet {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        scopes.into_iter().fold(Self::EMPTY, Self::with)
    }
}

/// A named bundle of scopes for a usual job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// A sign-up form in a browser: captures, has numbers explained, and reads nothing stored.
    Publisher,
    /// A campaign tool: asks, reserves and reports back.
    Sender,
    /// A CRM: captures, imports, asks, sends and mirrors changes.
    Integrator,
    /// Somebody who checks: reads and exports, changes nothing.
    Auditor,
    /// Everything.
    Admin,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 5] =
        [Self::Publisher, Self::Sender, Self::Integrator, Self::Auditor, Self::Admin];

    /// Returns the role's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Publisher => "publisher",
            Self::Sender => "sender",
            Self::Integrator => "integrator",
            Self::Auditor => "auditor",
            Self::Admin => "admin",
        }
    }

    /// Returns the kind of key the role is meant for.
    pub const fn kind(self) -> KeyKind {
        match self {
            Self::Publisher => KeyKind::Publishable,
            Self::Sender | Self::Integrator | Self::Auditor | Self::Admin => KeyKind::Secret,
        }
    }

    /// Returns what the role may do.
    pub const fn scopes(self) -> ScopeSet {
        match self {
            Self::Publisher => ScopeSet::of(&[Scope::OptinsWrite, Scope::NumbersRead]),
            Self::Sender => ScopeSet::of(&[
                Scope::EligibilityRead,
                Scope::SendsWrite,
                Scope::VerificationsRead,
                Scope::RegistryRead,
                Scope::NumbersRead,
            ]),
            Self::Integrator => ScopeSet::of(&[
                Scope::OptinsWrite,
                Scope::OptoutsWrite,
                Scope::ContactsRead,
                Scope::ContactsWrite,
                Scope::EligibilityRead,
                Scope::SendsWrite,
                Scope::VerificationsWrite,
                Scope::VerificationsRead,
                Scope::RegistryRead,
                Scope::LedgerRead,
                Scope::ImportsWrite,
                Scope::NumbersRead,
                Scope::WebhooksRead,
                Scope::ReviewsRead,
                Scope::ReviewsWrite,
            ]),
            Self::Auditor => ScopeSet::of(&[
                Scope::ContactsRead,
                Scope::EligibilityRead,
                Scope::VerificationsRead,
                Scope::RegistryRead,
                Scope::ExportsRead,
                Scope::LedgerRead,
                Scope::NumbersRead,
                Scope::WebhooksRead,
                Scope::ReviewsRead,
            ]),
            Self::Admin => ScopeSet::of(&Scope::ALL),
        }
    }
}

/// The public part of a key: twelve letters and digits that name it in lists and logs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyId([u8; KEY_ID_CHARS]);

/// A text is not the name of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a key id is 12 letters and digits")]
pub struct NotAKeyId;

impl KeyId {
    /// Parses twelve ASCII letters and digits.
    ///
    /// # Errors
    ///
    /// [`NotAKeyId`] for anything else.
    pub fn parse(text: &str) -> Result<Self, NotAKeyId> {
        let Ok(chars) = <[u8; KEY_ID_CHARS]>::try_from(text.as_bytes()) else {
            return Err(NotAKeyId);
        };
        if chars.iter().all(u8::is_ascii_alphanumeric) { Ok(Self(chars)) } else { Err(NotAKeyId) }
    }

    /// Returns the twelve characters.
    pub fn as_str(&self) -> &str {
        // Only ASCII letters and digits get in.
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl Debug for KeyId {
    fn fmt(&self, out: &mut Formatter<'_>) -> std::fmt::Result {
        write!(out, "KeyId({})", self.as_str())
    }
}

impl Display for KeyId {
    fn fmt(&self, out: &mut Formatter<'_>) -> std::fmt::Result {
        out.write_str(self.as_str())
    }
}

impl TryFrom<String> for KeyId {
    type Error = NotAKeyId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<KeyId> for String {
    fn from(id: KeyId) -> Self {
        id.as_str().to_owned()
    }
}

/// What is stored of a key: its keyed hash, from which the key cannot be found again.
///
/// There is no `==`, which would tell by its duration how much of a guess was right.
/// `crate::keys` compares in constant time.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyHash([u8; 32]);

/// A text is not 64 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a key hash is 64 hexadecimal digits")]
pub struct NotAKeyHash;

impl KeyHash {
    /// Wraps a hash that was already worked out.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes, for storing and for comparing in constant time.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl Debug for KeyHash {
    fn fmt(&self, out: &mut Formatter<'_>) -> std::fmt::Result {
        out.write_str("KeyHash(redacted)")
    }
}

impl TryFrom<String> for KeyHash {
    type Error = NotAKeyHash;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let mut bytes = [0; 32];
        match hex::decode_to_slice(text, &mut bytes) {
            Ok(()) => Ok(Self(bytes)),
            Err(_) => Err(NotAKeyHash),
        }
    }
}

impl From<KeyHash> for String {
    fn from(hash: KeyHash) -> Self {
        hex::encode(hash.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scope_has_a_bit_and_a_text_of_its_own() {
        let all = ScopeSet::of(&Scope::ALL);
        assert_eq!(all.iter().count(), Scope::ALL.len());
        assert_eq!(usize::try_from(all.0.count_ones()), Ok(Scope::ALL.len()));
        for scope in Scope::ALL {
            assert_eq!(Scope::parse(scope.text()), Ok(scope));
            assert_eq!(serde_json::to_value(scope).unwrap(), scope.text());
            assert_eq!(scope.text().split(':').count(), 2);
        }
    }

    #[test]
    fn a_publishable_key_may_capture_and_have_numbers_explained_and_nothing_else() {
        let held: Vec<_> = KeyKind::Publishable.may_hold().iter().collect();
        assert_eq!(held, [Scope::OptinsWrite, Scope::NumbersRead]);
        assert_eq!(KeyKind::Secret.may_hold(), ScopeSet::of(&Scope::ALL));
    }

    #[test]
    fn no_role_holds_what_its_kind_of_key_may_not() {
        for role in Role::ALL {
            assert!(role.scopes().is_subset_of(role.kind().may_hold()), "{role:?}");
            assert!(role.scopes().is_subset_of(Role::Admin.scopes()), "{role:?}");
        }
    }

    #[test]
    fn an_auditor_changes_nothing() {
        for scope in Role::Auditor.scopes().iter() {
            assert!(scope.text().ends_with(":read"), "{scope}");
        }
    }

    #[test]
    fn a_set_is_stored_as_a_list_of_texts() {
        let set = ScopeSet::of(&[Scope::KeysManage, Scope::OptinsWrite]);
        let stored = serde_json::to_string(&set).unwrap();
        assert_eq!(stored, r#"["optins:write","keys:manage"]"#);
        assert_eq!(serde_json::from_str::<ScopeSet>(&stored).unwrap(), set);
        assert!(serde_json::from_str::<ScopeSet>(r#"["optins:everything"]"#).is_err());
    }

    #[test]
    fn a_subset_is_not_bettered_by_one_scope_more() {
        let few = ScopeSet::of(&[Scope::ContactsRead]);
        let more = few.with(Scope::ContactsWrite);
        assert!(few.is_subset_of(more) && few.is_subset_of(few) && !more.is_subset_of(few));
        assert_eq!(more.minus(few), ScopeSet::of(&[Scope::ContactsWrite]));
    }

    #[test]
    fn a_key_id_is_twelve_letters_and_digits() {
        assert_eq!(KeyId::parse("abcDEF012345").unwrap().as_str(), "abcDEF012345");
        for bad in ["", "abcDEF01234", "abcDEF0123456", "abcDEF01234_", "abcDEF0123é"] {
            assert_eq!(KeyId::parse(bad), Err(NotAKeyId), "{bad}");
        }
    }

    #[test]
    fn a_hash_is_stored_as_hex_and_never_shown() {
        let hash = KeyHash::from_bytes([0xab; 32]);
        let stored = serde_json::to_string(&hash).unwrap();
        assert_eq!(stored, format!("\"{}\"", "ab".repeat(32)));
        let read: KeyHash = serde_json::from_str(&stored).unwrap();
        assert_eq!(read.as_bytes(), hash.as_bytes());
        assert!(serde_json::from_str::<KeyHash>("\"abab\"").is_err());
        assert_eq!(format!("{hash:?}"), "KeyHash(redacted)");
    }
}
