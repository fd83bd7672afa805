//! API keys as the ledger knows them: never the key, only its keyed hash.

use serde::{Deserialize, Serialize};

use crate::domain::{
    access::{KeyHash, KeyId, KeyKind, ScopeSet},
    time::Timestamp,
};

/// A secret that opens a key, while it lives.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LiveHash {
    /// Keyed hash of the whole key text.
    pub hash: KeyHash,
    /// When it stops working; `None` for the current one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// One API key.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct KeyRecord {
    /// The public part of the key.
    pub id: KeyId,
    /// For people.
    pub name: Box<str>,
    /// Secret or publishable.
    pub kind: KeyKind,
    /// What it may do.
    pub scopes: ScopeSet,
    /// The only origins a publishable key works from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub origins: Vec<Box<str>>,
    /// What opens it: the current secret, and during a rotation the one before.
    pub live: Vec<LiveHash>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends; `None` if it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
}

impl KeyRecord {
    /// Returns whether the key works at `now`.
    pub fn is_usable(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|at| now < at)
    }

    /// Returns the hashes that open the key at `now`.
    pub fn hashes(&self, now: Timestamp) -> impl Iterator<Item = &KeyHash> {
        let lives = move |live: &&LiveHash| live.until.is_none_or(|until| now < until);
        self.live.iter().filter(lives).map(|live| &live.hash)
    }
}
