//! `/livez` and `/readyz`: is the process there, and can it do its job?

use actix_web::HttpResponse;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::{edge::Ask, problem::Problem};

/// Whether the service can do its job, and what keeps it from it.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReadyBody {
    /// Whether everything works.
    ready: bool,
    /// `ok`, or `read_only` after a storage failure: decisions go on, nothing is recorded.
    ledger: &'static str,
    /// `ok`, or `full` while requests are turned away.
    queue: &'static str,
    /// `ok`, or `failed`: decisions go on, reads of single contacts and exports do not.
    database: &'static str,
    /// Entries the database is behind the ledger.
    database_lag: u64,
}

/// Answers while the process lives.
#[utoipa::path(get, path = "/livez", tag = "health",
    responses((status = 200, body = String, content_type = "text/plain")))]
pub(crate) async fn live(_ask: Ask) -> Result<HttpResponse, Problem> {
    Ok(HttpResponse::Ok().content_type("text/plain").body("ok\n"))
}

/// Answers 200 when everything works, 503 with the reason otherwise.
#[utoipa::path(get, path = "/readyz", tag = "health", responses((status = 200, body = ReadyBody),
    (status = 503, body = ReadyBody)))]
pub(crate) async fn ready(ask: Ask) -> Result<HttpResponse, Problem> {
    let edge = &ask.edge;
    let is_read_only = edge.views().is_read_only() || !edge.ledger.is_open();
    let is_full = edge.ledger.room() == 0;
    let has_failed = edge.lag.is_failed();
    let body = ReadyBody {
        ready: !(is_read_only || is_full || has_failed),
        ledger: if is_read_only { "read_only" } else { "ok" },
        queue: if is_full { "full" } else { "ok" },
        database: if has_failed { "failed" } else { "ok" },
        database_lag: edge.lag.entries(),
    };
    let mut response =
        if body.ready { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    Ok(response.json(body))
}
