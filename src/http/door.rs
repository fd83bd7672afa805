//! The one door: every request gets an id, is authorised before its body is read, cannot take the
//! worker down, and leaves with the headers all answers have.

use std::{
    future::Future,
    net::{IpAddr, Ipv4Addr},
    panic::AssertUnwindSafe,
    pin::Pin,
    sync::Arc,
};

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{self, HeaderName, HeaderValue},
    web::Payload,
};
use futures_util::FutureExt;

use crate::{
    domain::access::{KeyKind, Scope},
    http::{
        edge::{Ask, Caller, Edge, require},
        problem::{INTERNAL, Problem},
    },
    runtime::ids::RequestIds,
};

/// Longest request id of a caller that is taken over.
const REQUEST_ID_BYTES_MAX: usize = 64;

/// Who may come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anyone.
    Open,
    /// Whoever holds a key with this scope.
    Scope(Scope),
}

/// What handlers return.
pub type Reply = Pin<Box<dyn Future<Output = Result<HttpResponse, Problem>>>>;

/// A handler.
pub type Handler = fn(Ask) -> Reply;

/// Lets a request in, or says why not.
pub async fn enter(
    req: HttpRequest,
    payload: Payload,
    edge: Arc<Edge>,
    request_ids: Arc<RequestIds>,
    access: Access,
    handler: Handler,
) -> HttpResponse {
    let own = request_ids.next();
    let id = callers_id(&req).unwrap_or_else(|| own.as_str().to_owned());
    let trace = req.headers().get("traceparent").filter(|value| is_traceparent(value)).cloned();
    let reply = match admit(&req, &edge, access) {
        Ok((caller, peer)) => {
            let ask = Ask::new(req, payload, edge, caller, peer);
            let work = AssertUnwindSafe(async move { handler(ask).await });
            work.catch_unwind().await.unwrap_or_else(|_panic| {
                Err(Problem::new(INTERNAL, "the service met a failure of its own"))
            })
        }
        Err(problem) => Err(problem),
    };
    let mut response = reply.unwrap_or_else(|problem| problem.response(&id));
    finish(&mut response, &id, trace);
    response
}

/// Puts the headers on that every answer has.
pub fn finish(response: &mut HttpResponse, id: &str, trace: Option<HeaderValue>) {
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(HeaderName::from_static("x-request-id"), id);
    }
    if let Some(trace) = trace {
        headers.insert(HeaderName::from_static("traceparent"), trace);
    }
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
}

fn admit(req: &HttpRequest, edge: &Edge, access: Access) -> Result<(Caller, IpAddr), Problem> {
    let peer = req.peer_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |addr| addr.ip());
    match access {
        Access::Open => {
            let actor = crate::domain::event::Actor::System;
            let scopes = crate::domain::access::ScopeSet::EMPTY;
            Ok((Caller { actor, scopes, kind: KeyKind::Publishable }, peer))
        }
        Access::Scope(scope) => {
            let now = edge.clock.now();
            let caller = edge.gate.admit(
                req,
                peer,
                &edge.views().state(),
                now,
                edge.clock.monotonic().ms(),
            )?;
            require(caller.scopes, scope)?;
            Ok((caller, peer))
        }
    }
}

/// Takes over a caller's request id if it is short and plain.
fn callers_id(req: &HttpRequest) -> Option<String> {
    let id = req.headers().get("x-request-id")?.to_str().ok()?;
    let is_plain = (1..=REQUEST_ID_BYTES_MAX).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    is_plain.then(|| id.to_owned())
}

/// Source: W3C Trace Context, 3.2: `00-<32 hex>-<16 hex>-<2 hex>`.
fn is_traceparent(value: &HeaderValue) -> bool {
    let bytes = value.as_bytes();
    bytes.len() == 55
        && bytes.iter().enumerate().all(|(place, byte)| match place {
            2 | 35 | 52 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}
