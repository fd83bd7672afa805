//! What browsers ask before, and look for after, a page calls with a publishable key.
//!
//! A preflight carries no key, so it is answered for every origin that some key which works now
//! lists for the call. The reply itself is opened to the key's own origin alone. No wildcard, and
//! no credentials: the key travels in a header that the page sets itself. Which origin a program
//! without a browser claims is up to it, so an origin is never proof of anything.
//!
//! Source: WHATWG Fetch, "CORS protocol".

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{
        ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
        ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD,
        HeaderMap, HeaderValue, ORIGIN, VARY,
    },
};

use crate::{
    domain::{
        access::{KeyKind, ScopeSet},
        registry::KeyRecord,
        time::Timestamp,
    },
    http::{
        edge::Edge,
        problem::{METHOD_NOT_ALLOWED, ORIGIN_REFUSED, Problem},
    },
};

/// Headers a page may set.
const REQUEST_HEADERS: &str =
    "authorization, content-type, idempotency-key, traceparent, x-request-id";

/// Headers a page may read.
const REPLY_HEADERS: &str =
    "Idempotent-Replayed, RateLimit, RateLimit-Policy, Retry-After, X-Request-Id";

/// How long a browser may remember the answer, in seconds.
const MAX_AGE_S: &str = "600";

/// What a publishable key may call at one path.
#[derive(Debug, Clone, Copy)]
pub struct Callable<'a> {
    /// The methods, separated by commas.
    pub methods: &'a str,
    /// The scopes of which a key needs one.
    pub scopes: ScopeSet,
}

/// Answers a browser that asks whether a page may call.
///
/// # Errors
///
/// [`ORIGIN_REFUSED`] for an origin that no key lists; [`METHOD_NOT_ALLOWED`] for a request that
/// asks nothing.
pub fn preflight(
    req: &HttpRequest,
    edge: &Edge,
    callable: Callable<'_>,
) -> Result<HttpResponse, Problem> {
    let headers = req.headers();
    let origin =
        headers.get(ORIGIN).filter(|_| headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD));
    let Some(origin) = origin else {
        return Err(Problem::new(METHOD_NOT_ALLOWED, "OPTIONS is only for browsers' preflights"));
    };
    let is_listed = origin.to_str().is_ok_and(|origin| is_listed(edge, origin, callable.scopes));
    if !is_listed {
        return Err(Problem::new(ORIGIN_REFUSED, "no publishable key works from this origin"));
    }
    let mut response = HttpResponse::NoContent();
    response
        .insert_header((ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone()))
        .insert_header((ACCESS_CONTROL_ALLOW_METHODS, callable.methods))
        .insert_header((ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS))
        .insert_header((ACCESS_CONTROL_MAX_AGE, MAX_AGE_S));
    Ok(response.finish())
}

fn is_listed(edge: &Edge, origin: &str, scopes: ScopeSet) -> bool {
    let now = edge.clock.now();
    let registry = std::sync::Arc::clone(edge.views().state().registry());
    registry.keys().any(|record| opens(record, origin, scopes, now))
}

fn opens(record: &KeyRecord, origin: &str, scopes: ScopeSet, now: Timestamp) -> bool {
    record.kind == KeyKind::Publishable
        && record.scopes.iter().any(|scope| scopes.contains(scope))
        && record.origins.iter().any(|known| **known == *origin)
        && record.is_usable(now)
}

/// Marks an answer as one that differs by origin, as caches have to know.
pub fn vary(headers: &mut HeaderMap) {
    headers.insert(VARY, HeaderValue::from_static("Origin"));
}

/// Opens a reply to the origin its key was admitted from.
pub fn open(headers: &mut HeaderMap, origin: HeaderValue) {
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(REPLY_HEADERS));
    vary(headers);
}
