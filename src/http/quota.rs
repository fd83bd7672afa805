//! How much of a quota is left, as the `RateLimit` and `RateLimit-Policy` headers.
//!
//! Source: draft-ietf-httpapi-ratelimit-headers-11: a policy has `q` calls per window of `w`
//! seconds; of it `r` are left, and after `t` seconds there is more.

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};

use crate::{
    domain::access::Scope,
    http::problem::{Problem, RATE_LIMITED},
    keys::throttle::{Level, Levels, TooManyCalls, Use},
};

/// A quota and what is left of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Its stable name.
    pub name: &'static str,
    /// How much the window allows.
    pub quota: u64,
    /// Length of the window in seconds.
    pub window_s: u64,
    /// What is left.
    pub left: u64,
    /// In how many seconds there is more, where waiting alone gets there.
    pub reset_s: Option<u64>,
}

/// Returns what a call does that needs this scope.
pub fn use_of(scope: Scope) -> Use {
    if scope.text().ends_with(":read") { Use::Read } else { Use::Write }
}

/// Returns the problem of a call too many.
pub fn refuse(error: &TooManyCalls) -> Problem {
    let TooManyCalls { levels, retry_after_s } = error;
    let violated: Vec<&str> =
        of_key(levels).iter().filter(|quota| quota.left == 0).map(|quota| quota.name).collect();
    Problem::new(RATE_LIMITED, error.to_string())
        .with("violated-policies", violated)
        .retry_after_s(*retry_after_s)
}

/// Returns the quotas of a publishable key.
pub fn of_key(levels: &Levels) -> [Quota; 2] {
    let Levels { network, key } = levels;
    [("network", network), ("key", key)].map(|(name, level)| {
        let Level { quota, left, full_in_s } = *level;
        let (quota, left) = (u64::from(quota), u64::from(left));
        Quota { name, quota, window_s: 60, left, reset_s: Some(full_in_s) }
    })
}

/// Puts the headers on.
pub fn show(quotas: &[Quota], headers: &mut HeaderMap) {
    let policies = quotas.iter().map(|quota| {
        let Quota { name, quota, window_s, .. } = quota;
        format!("\"{name}\";q={quota};w={window_s}")
    });
    let limits = quotas.iter().map(|quota| {
        let Quota { name, left, reset_s, .. } = quota;
        let reset = reset_s.map(|reset_s| format!(";t={reset_s}")).unwrap_or_default();
        format!("\"{name}\";r={left}{reset}")
    });
    let (policies, limits) = (policies.collect::<Vec<_>>(), limits.collect::<Vec<_>>());
    for (name, value) in
        [("ratelimit-policy", policies.join(", ")), ("ratelimit", limits.join(", "))]
    {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_headers_name_each_quota_and_the_wait_only_where_there_is_one() {
        let mut headers = HeaderMap::new();
        let quota = Quota { name: "lookups", quota: 20, window_s: 60, left: 3, reset_s: None };
        show(&[quota], &mut headers);
        assert_eq!(headers.get("ratelimit-policy").unwrap(), "\"lookups\";q=20;w=60");
        assert_eq!(headers.get("ratelimit").unwrap(), "\"lookups\";r=3");
        show(&[quota, Quota { name: "key", left: 0, reset_s: Some(7), ..quota }], &mut headers);
        let policies = "\"lookups\";q=20;w=60, \"key\";q=20;w=60";
        assert_eq!(headers.get("ratelimit-policy").unwrap(), policies);
        assert_eq!(headers.get("ratelimit").unwrap(), "\"lookups\";r=3, \"key\";r=0;t=7");
    }
}
