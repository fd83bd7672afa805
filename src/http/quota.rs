//! What is left of a publishable key's limits, as headers.
//!
//! Source: draft-ietf-httpapi-ratelimit-headers-11: a policy has `q` calls per window of `w`
//! seconds; of it `r` are left, and after `t` seconds it is whole again.

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};

use crate::{
    domain::access::Scope,
    http::problem::{Problem, RATE_LIMITED},
    keys::throttle::{Levels, TooManyCalls, Use},
};

/// Returns what a call does that needs this scope.
pub fn use_of(scope: Scope) -> Use {
    if scope.text().ends_with(":read") { Use::Read } else { Use::Write }
}

/// Returns the problem of a call too many.
pub fn refuse(error: &TooManyCalls) -> Problem {
    let TooManyCalls { levels, retry_after_s } = error;
    let violated: Vec<&str> = [("network", levels.network), ("key", levels.key)]
        .into_iter()
        .filter(|(_, level)| level.left == 0)
        .map(|(name, _)| name)
        .collect();
    Problem::new(RATE_LIMITED, error.to_string())
        .with("violated-policies", violated)
        .retry_after_s(*retry_after_s)
}

/// Puts the headers on.
pub fn show(levels: &Levels, headers: &mut HeaderMap) {
    let Levels { network, key } = levels;
    let policy = format!("\"network\";q={};w=60, \"key\";q={};w=60", network.quota, key.quota);
    let left = format!(
        "\"network\";r={};t={}, \"key\";r={};t={}",
        network.left, network.full_in_s, key.left, key.full_in_s
    );
    for (name, value) in [("ratelimit-policy", policy), ("ratelimit", left)] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
}
