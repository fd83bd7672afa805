//! `GET /v1/changes`: every entry of the ledger in order and without gaps, to keep a copy by.
//!
//! One answer holds so many entries; whoever has read all may wait for the next. Waiting holds a
//! connection and no thread.

use std::{sync::Arc, time::Duration};

use actix_web::HttpResponse;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    domain::{
        entry::{Seq, Subject},
        event::Actor,
        ids::ContactId,
    },
    http::{
        edge::{Ask, Edge, internal},
        problem::{CURSOR_INVALID, Problem},
        query::{Query, refuse},
        v1::{contacts::READ_WITHIN, history},
        wire::Moment,
    },
    ledger::{entry::StoredEntry, sealer::Content},
    limits::{CHANGES_BYTES_MAX, CHANGES_DEFAULT, CHANGES_MAX, CHANGES_WAIT_S_MAX},
};

/// Some changes, oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChangesBody {
    /// The entries after `after`, with no entry left out between two of them.
    changes: Vec<ChangeBody>,
    /// What to send as `after` next; `null` while the ledger is empty.
    #[schema(value_type = Option<u64>)]
    next: Option<Seq>,
    /// Whether there are more already.
    has_more: bool,
}

/// One entry of the ledger.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChangeBody {
    /// Its position.
    #[schema(value_type = u64)]
    seq: Seq,
    /// When it was recorded; to the minute, if it was erased.
    recorded_at: Moment,
    /// Whom it is about; `null` if nobody, or somebody who was erased.
    #[schema(value_type = Option<String>, format = Uuid)]
    contact: Option<ContactId>,
    /// Who asked for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    by: Option<Actor>,
    /// What happened, as in a history; `null` if it was erased.
    #[schema(value_type = Option<Object>)]
    event: Option<serde_json::Value>,
    /// Whether nobody can read it any more, because its person was erased.
    #[serde(skip_serializing_if = "is_false")]
    erased: bool,
    /// The entry's leaf in the ledger's tree, in hexadecimal.
    leaf_hash: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
const fn is_false(truth: &bool) -> bool {
    !*truth
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<u64>().ok().filter(|seconds| *seconds <= CHANGES_WAIT_S_MAX);
    seconds.map(Duration::from_secs).ok_or_else(|| format!("0 to {CHANGES_WAIT_S_MAX} seconds"))
}

/// Lists what happened after an entry, in order; waits for it, if asked to.
///
/// An answer without changes says that nothing happened while it waited, or that the service is
/// stopping: ask again with the same `after`.
#[utoipa::path(get, path = "/v1/changes", tag = "ledger", params(
    ("after" = Option<u64>, Query, description = "The last entry you know; from the first, if left out"),
    ("wait" = Option<u64>, Query, description = "How long to wait for a change, 0 to 60 seconds"),
    ("limit" = Option<usize>, Query, description = "1 to 1,000, 100 if left out")),
    responses((status = 200, body = ChangesBody)))]
pub(crate) async fn list(ask: Ask) -> Result<HttpResponse, Problem> {
    let query = Query::read(&ask.req, &["after", "wait", "limit"])?;
    let after = query.parse("after", |text| text.parse::<u64>().map(Seq))?;
    let wait = query.parse("wait", seconds)?.unwrap_or(Duration::ZERO);
    let limit = query.limit("limit", CHANGES_DEFAULT, CHANGES_MAX)?;
    let from = match after {
        Some(Seq(u64::MAX)) => return Err(refuse("after", "no entry has this position")),
        Some(after) => after.next(),
        None => Seq(0),
    };
    let known = ask.edge.views().state().next();
    if known < from {
        let detail =
            format!("the ledger ends before entry {}; it is not the one you know", known.0);
        return Err(Problem::at(CURSOR_INVALID, "?after", detail));
    }
    let until = if known == from { something_new(&ask.edge, from, wait).await } else { known };
    let edge = Arc::clone(&ask.edge);
    let read = move || read(&edge, (from, until), limit);
    let changes = ask.edge.blocking.run_within(READ_WITHIN, read).await??;
    let next = changes.last().map(|last| last.seq).or(after);
    let has_more = next.map_or(Seq(0), Seq::next) < until;
    Ok(HttpResponse::Ok().json(ChangesBody { changes, next, has_more }))
}

/// Waits until readers see an entry at `from`, the time is up or the service stops. Returns where
/// the entries end.
async fn something_new(edge: &Edge, from: Seq, wait: Duration) -> Seq {
    let mut seen = edge.views().watch();
    let come = async {
        tokio::select! {
            _ = seen.wait_for(|next| from < *next) => {}
            () = edge.stopping.begun() => {}
        }
    };
    if tokio::time::timeout(wait, come).await.is_err() {
        tracing::debug!("nothing changed while a reader waited");
    }
    edge.views().state().next()
}

/// Reads entries, up to so many or so large. Blocks.
fn read(edge: &Edge, (from, until): (Seq, Seq), limit: usize) -> Result<Vec<ChangeBody>, Problem> {
    let mut changes = Vec::new();
    let mut bytes = 0;
    if until <= from {
        return Ok(changes);
    }
    for entry in edge.log.read(from).take(limit) {
        let entry = entry.map_err(|error| internal(&error))?;
        bytes += entry.opening.len();
        let is_full = bytes > CHANGES_BYTES_MAX && !changes.is_empty();
        // The log may already hold what readers do not see yet.
        if is_full || until <= entry.header.seq {
            break;
        }
        changes.push(shown(edge, &entry)?);
    }
    Ok(changes)
}

fn shown(edge: &Edge, entry: &StoredEntry) -> Result<ChangeBody, Problem> {
    let (seq, leaf_hash) = (entry.header.seq, hex::encode(entry.header.leaf_hash()));
    let contact =
        |subject: Subject| edge.views().state().contacts().get(subject).map(|contact| contact.id);
    Ok(match edge.sealer.read(entry).map_err(|error| internal(&error))? {
        Content::Open { subject, record } => ChangeBody {
            seq,
            recorded_at: Moment(record.at),
            contact: contact(subject),
            event: Some(history::shown(&record.event).map_err(|error| internal(&error))?),
            by: Some(record.by),
            erased: false,
            leaf_hash,
        },
        Content::Erased { .. } => ChangeBody {
            seq,
            recorded_at: Moment(entry.header.at),
            contact: None,
            by: None,
            event: None,
            erased: true,
            leaf_hash,
        },
    })
}
