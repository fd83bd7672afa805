//! Keyed hashes of everything that is looked up by its text: numbers, user ids, message ids.
//!
//! Without the key a stored hash says nothing about the text, however small the space of phone
//! numbers is. The key never enters the ledger.

use std::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::domain::{
    event::Actor,
    key::{CommandId, ContactKey, Fingerprint, MessageKey},
};

/// Makes keyed hashes. One kind's hash is never another kind's.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Indexer([u8; 32]);

impl Indexer {
    /// Wraps key bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns the key of a number's match key: equal for spellings of one number.
    pub fn number(&self, match_key: &str) -> ContactKey {
        ContactKey::from_bits(self.hash("number", &[match_key.as_bytes()]))
    }

    /// Returns the key of a business-scoped user id, which is opaque and case-sensitive.
    pub fn user(&self, user_id: &str) -> ContactKey {
        ContactKey::from_bits(self.hash("user", &[user_id.as_bytes()]))
    }

    /// Returns the key of a message id. The id itself contains a phone number.
    pub fn message(&self, message_id: &str) -> MessageKey {
        MessageKey::from_bits(self.hash("message", &[message_id.as_bytes()]))
    }

    /// Returns the id of a command: the caller's idempotency key, for this caller and call.
    pub fn command(&self, actor: &Actor, call: &str, key: &str) -> CommandId {
        let actor = match actor {
            Actor::System => "system",
            Actor::Operator => "operator",
            Actor::Key(id) => id.as_str(),
        };
        let parts = [actor.as_bytes(), call.as_bytes(), key.as_bytes()];
        CommandId::from_bits(self.hash("command", &parts))
    }

    /// Returns the fingerprint of a request's body.
    pub fn fingerprint(&self, body: &[u8]) -> Fingerprint {
        Fingerprint::from_bits(self.hash("fingerprint", &[body]))
    }

    fn hash(&self, kind: &str, parts: &[&[u8]]) -> u128 {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        hasher.update(kind.as_bytes());
        for part in parts {
            // The length keeps `ab|c` and `a|bc` apart.
            let len = u64::try_from(part.len()).unwrap_or(u64::MAX);
            hasher.update(&len.to_be_bytes()).update(part);
        }
        let hash = hasher.finalize();
        hash.as_bytes().first_chunk::<16>().map_or(0, |bytes| u128::from_be_bytes(*bytes))
    }
}

impl fmt::Debug for Indexer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Indexer(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_parts_and_keys_are_kept_apart() {
        let indexer = Indexer::from_bytes([1; 32]);
        assert_ne!(indexer.number("1"), indexer.user("1"));
        assert_ne!(
            indexer.command(&Actor::System, "ab", "c"),
            indexer.command(&Actor::System, "a", "bc")
        );
        assert_ne!(indexer.number("1"), Indexer::from_bytes([2; 32]).number("1"));
        assert_eq!(indexer.number("1"), indexer.number("1"));
    }
}
