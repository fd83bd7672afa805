//! `/v1/exports`: long answers, streamed in constant memory.

use std::sync::Arc;

use actix_web::{HttpResponse, http::header, web::Bytes};
use tokio::sync::mpsc;

use crate::{
    domain::{consent::ConsentStatus, entry::Seq, names::TopicId, time::Timestamp},
    export::{self, ConsentFilter, Consents, ExportError, Format, LedgerEntries, Sink},
    http::{
        edge::Ask,
        problem::{OVERLOADED, Problem},
        query::Query,
    },
    runtime::blocking::BlockingError,
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

/// Exports where every consent stands, one row each.
#[utoipa::path(get, path = "/v1/exports/consents", tag = "exports", params(
    ("format" = Option<String>, Query, description = "csv, the default, or ndjson"),
    ("status" = Option<String>, Query, description = "pending, granted, expired or withdrawn"),
    ("topic" = Option<String>, Query), ("source" = Option<String>, Query, description = "The source's type"),
    ("from" = Option<String>, Query, description = "The deciding act happened then or later"),
    ("to" = Option<String>, Query, description = "The deciding act happened before")),
    responses((status = 200)))]
pub(crate) async fn consents(ask: Ask) -> Result<HttpResponse, Problem> {
    let known = ["format", "status", "topic", "source", "from", "to"];
    let query = Query::read(&ask.req, &known)?;
    let format = query.parse("format", format)?.unwrap_or(Format::Csv);
    let filter = ConsentFilter {
        status: query.parse("status", status)?,
        topic: query.parse("topic", TopicId::parse)?,
        source_type: query.get("source").map(Box::from),
        from: query.parse("from", Timestamp::parse_rfc3339)?,
        to: query.parse("to", Timestamp::parse_rfc3339)?,
    };
    super::contacts::caught_up(&ask.edge).await?;
    let export = Consents::new(ask.edge.store.clone(), filter, ask.edge.clock.now());
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
    responses((status = 200)))]
pub(crate) async fn ledger(ask: Ask) -> Result<HttpResponse, Problem> {
    let query = Query::read(&ask.req, &["format", "from", "until"])?;
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

/// Runs an export on the blocking pool and hands its chunks to the connection.
fn stream(
    ask: &Ask,
    media: &'static str,
    name: &str,
    as_of: Seq,
    run: impl FnOnce(Sink) -> u64 + Send + 'static,
) -> Result<HttpResponse, Problem> {
    let (sink, chunks) = export::channel();
    let pool = ask.edge.blocking.clone();
    if pool.is_full() {
        return Err(Problem::new(OVERLOADED, "too much is being read").retry_after_s(2));
    }
    actix_web::rt::spawn(async move {
        match pool.run(move || run(sink)).await {
            Ok(count) => tracing::info!(export.rows = count, "an export ended"),
            Err(
                error @ (BlockingError::Busy
                | BlockingError::TimedOut { .. }
                | BlockingError::Dropped),
            ) => {
                tracing::warn!(%error, "an export did not run");
            }
        }
    });
    let body = futures_util::stream::unfold(Some(chunks), next_chunk);
    let disposition = format!("attachment; filename=\"{name}\"");
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_DISPOSITION, disposition))
        .insert_header(("izin-as-of", as_of.0.to_string()))
        .content_type(media)
        .streaming(body))
}

type Chunks = Option<mpsc::Receiver<Result<Vec<u8>, ExportError>>>;

/// An export that fails breaks the connection off: a reader must not take a part for the whole.
async fn next_chunk(chunks: Chunks) -> Option<(Result<Bytes, ExportError>, Chunks)> {
    let mut chunks = chunks?;
    match chunks.recv().await? {
        Ok(bytes) => Some((Ok(Bytes::from(bytes)), Some(chunks))),
        Err(error) => {
            tracing::error!(%error, "an export ended early");
            Some((Err(error), None))
        }
    }
}
