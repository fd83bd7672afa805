//! `GET /v1/incidents`: which senders' messages fail alike more often than chance lets them.

use actix_web::HttpResponse;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    domain::{
        entry::Seq,
        incident::{Incident, IncidentKind},
        names::SenderId,
    },
    http::{edge::Ask, problem::Problem, wire::Moment},
};

/// Every incident that goes on.
#[derive(Debug, Serialize, ToSchema)]
pub struct IncidentsBody {
    /// In the order of the senders' registration; of one sender at most one of each kind.
    data: Vec<IncidentBody>,
}

/// Messages of one sender that fail alike. It says nothing about the people they were meant for.
#[derive(Debug, Serialize, ToSchema)]
pub struct IncidentBody {
    /// Whose messages.
    #[schema(value_type = String)]
    sender: SenderId,
    /// What they have in common: `unreachable`, `experiment`, `barred` or `country_blocked`, or, where
    /// none of these is what they would say of the people, `code_` and WhatsApp's code.
    #[schema(value_type = String, example = "unreachable")]
    kind: IncidentKind,
    /// That code, as a number.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<i64>,
    /// When the failure happened that made it one.
    found_at: Moment,
    /// How many had failed so within the hour before.
    failed: u32,
    /// What had become known of messages within that hour, failures of every kind among it.
    outcomes: u32,
    /// The entry that recorded it.
    #[schema(value_type = u64)]
    seq: Seq,
}

/// Lists the incidents that go on. One is over when an hour shows no unusual share of failures.
#[utoipa::path(get, path = "/v1/incidents", tag = "registry",
    responses((status = 200, body = IncidentsBody)))]
pub(crate) async fn list(ask: Ask) -> Result<HttpResponse, Problem> {
    let now = ask.edge.clock.now();
    let state = ask.edge.views().state();
    let shown = state.incidents().open_at(now).filter_map(|(sender, kind, incident)| {
        let sender = state.registry().sender_id(sender)?.clone();
        let Incident { at, seq, failed, outcomes } = incident;
        let (code, found_at) = (kind.code(), Moment(at));
        Some(IncidentBody { sender, kind, code, found_at, failed, outcomes, seq })
    });
    Ok(HttpResponse::Ok().json(IncidentsBody { data: shown.collect() }))
}
