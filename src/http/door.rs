//! The one door: every request gets an id, is authorised before its body is read, cannot take the
//! worker down, and leaves with the headers all answers have.

use std::{future::Future, net::IpAddr, panic::AssertUnwindSafe, pin::Pin, rc::Rc, sync::Arc};

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{self, HeaderName, HeaderValue},
    web::Payload,
};
use futures_util::FutureExt;

use crate::{
    domain::{
        access::{KeyKind, Scope},
        event::Actor,
    },
    http::{
        client, cors,
        counters::Counters,
        edge::{Ask, Caller, Edge, require},
        explain,
        problem::{INTERNAL, Problem},
        query::Query,
        quota,
        routes::Row,
    },
    keys::throttle::Levels,
    runtime::ids::RequestIds,
};

/// Longest request id of a caller that is taken over.
const REQUEST_ID_BYTES_MAX: usize = 64;

/// Who may come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anyone.
    Open,
    /// Whoever signed the body with a secret of WhatsApp's app, which the handler has to check.
    Signed,
    /// Whoever holds a key with this scope.
    Scope(Scope),
}

/// What handlers return.
pub type Reply = Pin<Box<dyn Future<Output = Result<HttpResponse, Problem>>>>;

/// A handler.
pub type Handler = fn(Ask) -> Reply;

/// What all requests of one worker share.
#[derive(Debug)]
pub struct Worker {
    /// What handlers may hold.
    pub edge: Arc<Edge>,
    /// Names requests that have no name of their own.
    pub request_ids: Arc<RequestIds>,
    /// Counts answers.
    pub counters: Arc<Counters>,
}

/// What an answer leaves with, beside its status and body.
#[derive(Debug)]
pub struct Outgoing {
    id: String,
    trace: Option<HeaderValue>,
    /// The origin a publishable key was admitted from.
    origin: Option<HeaderValue>,
    levels: Option<Levels>,
}

/// Lets a request in, or says why not. `place` is where its answer is counted.
pub async fn enter(
    req: HttpRequest,
    payload: Payload,
    worker: Rc<Worker>,
    place: usize,
    row: &'static Row,
) -> HttpResponse {
    let mut outgoing = Outgoing::of(&req, &worker.request_ids);
    let reply = match admit(&req, &worker.edge, row, &mut outgoing) {
        Ok((caller, client)) => {
            let ask = Ask::new(req, payload, Arc::clone(&worker.edge), caller, client);
            let work = AssertUnwindSafe(async move { (row.handler)(ask).await });
            work.catch_unwind().await.unwrap_or_else(|_panic| {
                Err(Problem::new(INTERNAL, "the service met a failure of its own"))
            })
        }
        Err(problem) => Err(problem),
    };
    let response = match reply {
        Ok(response) => response,
        Err(problem) => explain::complete(&worker.edge, problem).await.response(&outgoing.id),
    };
    let response = outgoing.finish(response);
    worker.counters.count(place, response.status());
    response
}

impl Outgoing {
    /// Takes from a request what its answer repeats.
    pub fn of(req: &HttpRequest, request_ids: &RequestIds) -> Self {
        let own = request_ids.next();
        let id = callers_id(req).unwrap_or_else(|| own.as_str().to_owned());
        let trace = req.headers().get("traceparent").filter(|value| is_traceparent(value)).cloned();
        Self { id, trace, origin: None, levels: None }
    }

    /// Makes an answer of a problem.
    pub fn refuse(self, problem: &Problem) -> HttpResponse {
        let response = problem.response(&self.id);
        self.finish(response)
    }

    /// Puts the headers on that every answer has, and those its caller needs.
    pub fn finish(self, mut response: HttpResponse) -> HttpResponse {
        let Self { id, trace, origin, levels } = self;
        let headers = response.headers_mut();
        if let Ok(id) = HeaderValue::from_str(&id) {
            headers.insert(HeaderName::from_static("x-request-id"), id);
        }
        if let Some(trace) = trace {
            headers.insert(HeaderName::from_static("traceparent"), trace);
        }
        if !headers.contains_key(header::CACHE_CONTROL) {
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if let Some(origin) = origin {
            cors::open(headers, origin);
        }
        if let Some(levels) = levels {
            quota::show(&quota::of_key(&levels), headers);
        }
        response
    }
}

fn admit(
    req: &HttpRequest,
    edge: &Edge,
    row: &Row,
    outgoing: &mut Outgoing,
) -> Result<(Caller, IpAddr), Problem> {
    let client = client::address(req, &edge.settings.trusted_proxies);
    match row.access {
        Access::Open | Access::Signed => {
            let actor = Actor::System;
            let scopes = crate::domain::access::ScopeSet::EMPTY;
            Ok((Caller { actor, scopes, kind: KeyKind::Publishable }, client))
        }
        Access::Scope(scope) => {
            let now = edge.clock.now();
            let caller = edge.gate.admit(
                req,
                client,
                &edge.views().state(),
                now,
                edge.clock.monotonic().ms(),
            )?;
            match (caller.kind, &caller.actor) {
                (KeyKind::Publishable, Actor::Key(key)) => {
                    outgoing.origin = req.headers().get(header::ORIGIN).cloned();
                    require(caller.scopes, scope)?;
                    let now_ms = edge.clock.monotonic().ms();
                    let taken = edge.throttle.take(quota::use_of(scope), client, *key, now_ms);
                    let (levels, verdict) = match taken {
                        Ok(levels) => (levels, Ok(())),
                        Err(error) => (error.levels, Err(quota::refuse(&error))),
                    };
                    outgoing.levels = Some(levels);
                    verdict?;
                }
                (KeyKind::Publishable | KeyKind::Secret, _) => require(caller.scopes, scope)?,
            }
            if !row.has_query {
                Query::read(req, &[])?;
            }
            Ok((caller, client))
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
