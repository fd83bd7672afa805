//! `/v1/exports`: long answers, streamed in constant memory.

use std::sync::Arc;

use actix_web::{HttpResponse, http::header};

use crate::{
    domain::{
        consent::ConsentStatus, eligibility::seen_at_home, entry::Seq, names::TopicId,
        time::Timestamp,
    },
    export::{ConsentFilter, Consents, Format, LedgerEntries, Seen, Sink},
    http::{
        edge::{Ask, Edge},
        problem::{Problem, TOPIC_UNKNOWN},
        query::Query,
    },
};

fn status(text: &str) -> Result<ConsentStatus, &'static str> {
    match text {
        "pending" => Ok(ConsentStatus::Pending),
        "granted" => Ok(ConsentStatus::Granted),
        "expired" => Ok(ConsentStatus::Expired),
        "withdrawn" => Ok(ConsentStatus::Withdrawn),
        _ => Err("pending, granted, expired or withdrawn"),
    }
}

fn format(text: &str) -> Result<Format, &'static str> {
    match text {
        "csv" => Ok(Format::Csv),
        "ndjson" => Ok(Format::Ndjson),
        _ => Err("csv or ndjson"),
    }
}

/// A topic nobody put is a slip: an export without rows would be taken for "nobody agreed".
fn known_topic(edge: &Edge, topic: Option<TopicId>) -> Result<Option<TopicId>, Problem> {
    let Some(topic) = topic else { return Ok(None) };
    if edge.views().state().registry().topic(&topic).is_none() {
        return Err(Problem::at(TOPIC_UNKNOWN, "?topic", "the topic is not known"));
    }
    Ok(Some(topic))
}

/// Where a consent stands, with what the policy in force says about how long it lasts.
fn seen(edge: Arc<Edge>) -> Seen {
    Box::new(move |subject, record, now| {
        let state = edge.views().state();
        let home = state.contacts().get(subject).map(|contact| contact.home).unwrap_or_default();
        seen_at_home(record.standing(now), home, (state.registry(), &record.topic), now)
    })
}

/// Exports where every consent stands, one row each.
#[utoipa::path(get, path = "/v1/exports/consents", tag = "exports", params(
    ("format" = Option<String>, Query, description = "csv, the default, or ndjson"),
    ("status" = Option<String>, Query, description = "pending, granted, expired or withdrawn"),
    ("topic" = Option<String>, Query), ("source" = Option<String>, Query, description = "The source's type"),
    ("from" = Option<String>, Query, description = "The deciding act happened then or later"),
    ("to" = Option<String>, Query, description = "The deciding act happened before")),
    responses((status = 200, content((String = "text/csv"), (String = "application/x-ndjson")),
    headers(("izin-as-of" = u64, description = "The last entry it knows")))))]
pub(crate) async fn consents(ask: Ask) -> Result<HttpResponse, Problem> {
    let known = ["format", "status", "topic", "source", "from", "to"];
    let query = Query::read(&ask.req, &known)?.without_blanks()?;
    let format = query.parse("format", format)?.unwrap_or(Format::Csv);
    let filter = ConsentFilter {
        status: query.parse("status", status)?,
        topic: known_topic(&ask.edge, query.parse("topic", TopicId::parse)?)?,
        source_type: query.get("source").map(Box::from),
        from: query.parse("from", Timestamp::parse_rfc3339)?,
        to: query.parse("to", Timestamp::parse_rfc3339)?,
    };
    super::contacts::caught_up(&ask.edge).await?;
    let (reader, now) = (ask.edge.store.clone(), ask.edge.clock.now());
    let export = Consents::new(reader, seen(Arc::clone(&ask.edge)), filter, now);
    let as_of = export.as_of();
    let (media, name) = match format {
        Format::Csv => ("text/csv; charset=utf-8", "consents.csv"),
        Format::Ndjson => ("application/x-ndjson", "consents.ndjson"),
    };
    stream(&ask, media, name, as_of, move |sink| export.run(format, sink))
}

/// Exports the ledger, entry by entry, with what is needed to verify it.
#[utoipa::path(get, path = "/v1/exports/ledger", tag = "exports", params(
    ("from" = Option<u64>, Query, description = "First entry, 0 if left out"),
    ("until" = Option<u64>, Query, description = "The entry to end before")),
    responses((status = 200, body = String, content_type = "application/x-ndjson",
    headers(("izin-as-of" = u64, description = "The last entry it knows")))))]
pub(crate) async fn ledger(ask: Ask) -> Result<HttpResponse, Problem> {
    let query = Query::read(&ask.req, &["format", "from", "until"])?.without_blanks()?;
    query.parse("format", |text| (text == "ndjson").then_some(()).ok_or("ndjson"))?;
    let seq = |text: &str| text.parse::<u64>().map(Seq);
    let from = query.parse("from", seq)?.unwrap_or(Seq(0));
    let until = query.parse("until", seq)?;
    let edge = &ask.edge;
    let (log, sealer) = (Arc::clone(&edge.log), edge.sealer.clone());
    let views = Arc::clone(edge.ledger.views());
    let export = LedgerEntries::new(log, sealer, views, from, until);
    let as_of = export.until();
    stream(&ask, "application/x-ndjson", "ledger.ndjson", as_of, move |sink| export.run(sink))
}

/// Runs an export and hands its chunks to the connection. `until` is the position it ends before.
fn stream(
    ask: &Ask,
    media: &'static str,
    name: &str,
    until: Seq,
    run: impl FnOnce(Sink) -> u64 + Send + 'static,
) -> Result<HttpResponse, Problem> {
    let body = ask.edge.downloads.begin(&ask.edge.blocking, run)?;
    let disposition = format!("attachment; filename=\"{name}\"");
    // As everywhere: the last entry the answer knows.
    let as_of = until.0.saturating_sub(1);
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_DISPOSITION, disposition))
        .insert_header(("izin-as-of", as_of.to_string()))
        .content_type(media)
        .streaming(body))
}
