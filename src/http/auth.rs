//! Who asks: API keys from the `Authorization` header, and nothing else.

use std::net::IpAddr;

use actix_web::{HttpRequest, http::header};
use subtle::ConstantTimeEq;

use crate::{
    domain::{
        access::{KeyKind, ScopeSet},
        event::Actor,
        state::State,
        time::Timestamp,
    },
    http::{
        edge::Caller,
        problem::{KEY_INVALID, KEY_MISSING, ORIGIN_REFUSED, Problem, TOO_MANY_GUESSES},
        quota::Quota,
    },
    keys::{
        guard::{GuessGuard, TooManyGuesses, WINDOW_MS},
        hash::KeyHasher,
        text::ApiKey,
    },
};

/// Checks keys.
#[derive(Debug)]
pub struct Gate {
    hasher: KeyHasher,
    guard: GuessGuard,
    operator: Option<OperatorKey>,
}

/// SHA-256 of the admin key the environment gives, so that comparing takes the same time always.
pub struct OperatorKey([u8; 32]);

impl OperatorKey {
    /// Takes the key's text.
    pub fn new(text: &str) -> Self {
        Self(digest(text))
    }
}

impl std::fmt::Debug for OperatorKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OperatorKey(redacted)")
    }
}

fn digest(text: &str) -> [u8; 32] {
    use sha2::{Digest, Sha256};
    Sha256::digest(text.as_bytes()).into()
}

impl Gate {
    /// Makes a gate.
    pub const fn new(hasher: KeyHasher, guard: GuessGuard, operator: Option<OperatorKey>) -> Self {
        Self { hasher, guard, operator }
    }

    /// Returns what hashes keys for storage.
    pub const fn hasher(&self) -> &KeyHasher {
        &self.hasher
    }

    /// Finds out who asks.
    ///
    /// # Errors
    ///
    /// [`KEY_MISSING`], [`KEY_INVALID`], [`ORIGIN_REFUSED`], or [`TOO_MANY_GUESSES`] for a wrong
    /// key too many.
    pub fn admit(
        &self,
        req: &HttpRequest,
        peer: IpAddr,
        state: &State,
        now: Timestamp,
        monotonic_ms: u64,
    ) -> Result<Caller, Problem> {
        let text = bearer(req)?;
        let key = ApiKey::parse(text).ok();
        let record = key.as_ref().and_then(|key| state.registry().key(&key.id()));
        let usable = record.filter(|record| record.is_usable(now));
        let hashes = usable.into_iter().flat_map(|record| record.hashes(now));
        let fits = key.as_ref().and_then(|key| self.hasher.verify(key, hashes));
        if let (Some(record), Some(_)) = (usable, fits) {
            check_origin(req, record)?;
            let scopes = limit(record.scopes, record.kind);
            return Ok(Caller { actor: Actor::Key(record.id), scopes, kind: record.kind });
        }
        // A key that people chose can be guessed, and whoever guesses too often must not learn
        // that this one is right.
        if let Some(operator) = &self.operator {
            self.guard.check(peer, None, monotonic_ms).map_err(|error| too_many(&error))?;
            if bool::from(digest(text).ct_eq(&operator.0)) {
                let scopes = KeyKind::Secret.may_hold();
                return Ok(Caller { actor: Actor::Operator, scopes, kind: KeyKind::Secret });
            }
        }
        match self.guard.failed(peer, key.map(|key| key.id()), monotonic_ms) {
            Ok(()) => Err(Problem::new(KEY_INVALID, "the key is unknown or does not work")),
            Err(error) => Err(too_many(&error)),
        }
    }

    /// Returns whether the environment gives the operator a key.
    pub const fn has_operator(&self) -> bool {
        self.operator.is_some()
    }
}

fn too_many(error: &TooManyGuesses) -> Problem {
    let quota = Quota {
        name: "wrong-keys",
        quota: u64::from(error.limit),
        window_s: WINDOW_MS / 1_000,
        left: 0,
        reset_s: Some(error.retry_after_s),
    };
    Problem::new(TOO_MANY_GUESSES, "too many wrong keys")
        .retry_after_s(error.retry_after_s)
        .limited_by(quota)
}

/// A stored key never does more than its kind may, whatever was stored.
fn limit(scopes: ScopeSet, kind: KeyKind) -> ScopeSet {
    scopes.minus(scopes.minus(kind.may_hold()))
}

fn check_origin(
    req: &HttpRequest,
    record: &crate::domain::registry::KeyRecord,
) -> Result<(), Problem> {
    if record.kind == KeyKind::Secret {
        return Ok(());
    }
    let origin = req.headers().get(header::ORIGIN).and_then(|value| value.to_str().ok());
    let is_listed =
        origin.is_some_and(|given| record.origins.iter().any(|known| **known == *given));
    if is_listed {
        return Ok(());
    }
    Err(Problem::new(ORIGIN_REFUSED, "the key does not work from this origin"))
}

fn bearer(req: &HttpRequest) -> Result<&str, Problem> {
    let missing = || Problem::new(KEY_MISSING, "send `Authorization: Bearer <key>`");
    let value = req.headers().get(header::AUTHORIZATION).ok_or_else(missing)?;
    let (scheme, text) =
        value.to_str().ok().and_then(|value| value.split_once(' ')).ok_or_else(missing)?;
    if scheme.eq_ignore_ascii_case("bearer") { Ok(text.trim()) } else { Err(missing()) }
}
