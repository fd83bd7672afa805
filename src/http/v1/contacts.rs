//! `/v1/contacts/{ref}`: one person, their state, their history, and what operators report.

use std::{sync::Arc, time::Duration};

use actix_web::HttpResponse;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    domain::{
        command::{Command, ContactRef, Person},
        entry::{Seq, Subject},
        event::{Event, TrafficKind},
        ids::ContactId,
        names::SenderId,
    },
    http::{
        edge::{Ask, Edge, Submitted, internal},
        members::{Members, Plain},
        person::{self, Named},
        problem::{BODY_INVALID, CONTACT_UNKNOWN, CURSOR_INVALID, Problem, VIEW_BEHIND},
        query::Query,
        v1::{
            contact_body::{ContactBody, IdentityBody, describe, show},
            history, opt_ins,
        },
        wire::{self, Moment, NothingBody, ReceiptBody},
    },
    ledger::sealer::Content,
    limits::{HASH_BYTES_MAX, PAGE_DEFAULT, PAGE_MAX},
};

/// How long a reader waits for sled to catch up with what was just written.
const VIEW_WAIT: Duration = Duration::from_secs(10);

/// Reads under way are given up after this long: a stuck store must not stick its readers.
pub(crate) const READ_WITHIN: Duration = Duration::from_secs(10);

fn unknown() -> Problem {
    Problem::new(CONTACT_UNKNOWN, "nothing was ever recorded about this person")
}

fn find(edge: &Edge, contact: ContactRef) -> Result<Subject, Problem> {
    let state = edge.views().state();
    let found = match contact {
        ContactRef::Key(key) => state.contacts().find(key),
        ContactRef::Id(id) => state.contacts().find_id(id),
    };
    found.ok_or_else(unknown)
}

/// Waits until sled knows everything that was durable when the question came.
pub(crate) async fn caught_up(edge: &Edge) -> Result<(), Problem> {
    let last = edge.views().state().last();
    edge.store.wait_for(last, VIEW_WAIT).await.map_err(|error| {
        tracing::warn!(%error, "a reader gave up waiting for the database");
        Problem::new(VIEW_BEHIND, "reading is catching up with writing").retry_after_s(2)
    })
}

/// Shows one person.
#[utoipa::path(get, path = "/v1/contacts/{ref}", tag = "contacts",
    params(("ref" = String, Path, description = "+62…, digits, a contact id, or user:<id>")),
    responses((status = 200, body = ContactBody)))]
pub(crate) async fn get(ask: Ask) -> Result<HttpResponse, Problem> {
    let named = person::named(&ask.edge, &ask.segment("ref"))?;
    let subject = find(&ask.edge, named.contact)?;
    caught_up(&ask.edge).await?;
    let store = ask.edge.store.clone();
    let read = move || store.person(subject);
    let document = ask.edge.blocking.run_within(READ_WITHIN, read).await?;
    let document = document.map_err(|error| internal(&error))?;
    let body = {
        let state = ask.edge.views().state();
        if state.contacts().resolve(subject) != subject {
            let detail = "the contact became part of another one just now";
            return Err(Problem::new(VIEW_BEHIND, detail).retry_after_s(1));
        }
        show(&state, subject, (named.contact.key(), document), ask.edge.clock.now())
            .ok_or_else(unknown)?
    };
    Ok(HttpResponse::Ok().json(body))
}

/// One page of a history, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct HistoryBody {
    /// The contact.
    #[schema(value_type = String, format = Uuid)]
    contact: ContactId,
    /// Its entries, newest first.
    entries: Vec<EntryBody>,
    /// Where the next page begins; `null` on the last one.
    next_cursor: Option<String>,
}

/// One entry of the ledger.
#[derive(Debug, Serialize, ToSchema)]
pub struct EntryBody {
    /// Its position.
    #[schema(value_type = u64)]
    seq: Seq,
    /// When it was recorded.
    recorded_at: Moment,
    /// Who asked for it.
    #[schema(value_type = Object)]
    by: crate::domain::event::Actor,
    /// What happened, with the `type` of event and what belongs to it.
    #[schema(value_type = Object)]
    event: serde_json::Value,
    /// The entry's leaf in the ledger's tree, in hexadecimal.
    leaf_hash: String,
}

/// Shows everything that was recorded about one person, newest first.
#[utoipa::path(get, path = "/v1/contacts/{ref}/history", tag = "contacts",
    params(("ref" = String, Path, description = "+62…, digits, a contact id, or user:<id>"),
    ("limit" = Option<usize>, Query, description = "1 to 200, 50 if left out"),
    ("cursor" = Option<String>, Query, description = "next_cursor of the page before")),
    responses((status = 200, body = HistoryBody)))]
pub(crate) async fn history(ask: Ask) -> Result<HttpResponse, Problem> {
    let query = Query::read(&ask.req, &["limit", "cursor"])?;
    let limit = query.limit("limit", PAGE_DEFAULT, PAGE_MAX)?;
    let named = person::named(&ask.edge, &ask.segment("ref"))?;
    let subject = find(&ask.edge, named.contact)?;
    let before = match query.get("cursor") {
        Some(cursor) => Some(parse_cursor(cursor, subject)?),
        None => None,
    };
    caught_up(&ask.edge).await?;
    let edge = Arc::clone(&ask.edge);
    let read = move || read_history(&edge, subject, before, limit);
    let body = ask.edge.blocking.run_within(READ_WITHIN, read).await??;
    Ok(HttpResponse::Ok().json(body))
}

/// A cursor names its contact, so that it cannot be used on another one.
fn parse_cursor(cursor: &str, subject: Subject) -> Result<Seq, Problem> {
    let (whose, seq) = cursor.split_once('-').unwrap_or_default();
    let seq = seq.parse::<u64>().ok().filter(|_| whose == subject.0.to_string());
    seq.map(Seq).ok_or_else(|| Problem::new(CURSOR_INVALID, "the cursor belongs to another list"))
}

fn read_history(
    edge: &Edge,
    subject: Subject,
    before: Option<Seq>,
    limit: usize,
) -> Result<HistoryBody, Problem> {
    let contact = edge.views().state().contacts().get(subject).map(|contact| contact.id);
    let contact = contact.ok_or_else(unknown)?;
    let mut seqs =
        edge.store.history_seqs(subject, before, limit + 1).map_err(|error| internal(&error))?;
    let has_more = seqs.len() > limit;
    seqs.truncate(limit);
    let mut entries = Vec::with_capacity(seqs.len());
    for seq in &seqs {
        let Some(entry) = edge.log.entry(*seq).map_err(|error| internal(&error))? else { continue };
        let leaf_hash = hex::encode(entry.header.leaf_hash());
        match edge.sealer.read(&entry).map_err(|error| internal(&error))? {
            Content::Open { record, .. } => entries.push(EntryBody {
                seq: *seq,
                recorded_at: Moment(record.at),
                by: record.by,
                event: history::shown(&record.event).map_err(|error| internal(&error))?,
                leaf_hash,
            }),
            Content::Erased { .. } => {}
        }
    }
    let last = seqs.last().filter(|_| has_more);
    let next_cursor = last.map(|seq| format!("{}-{}", subject.0, seq.0));
    Ok(HistoryBody { contact, entries, next_cursor })
}

/// A report of an identity hash.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IdentityReport {
    /// The hash, as WhatsApp sends it.
    hash: String,
    /// When it was observed; now, if left out.
    #[schema(format = DateTime)]
    observed_at: Option<String>,
}

/// A confirmation of a changed identity.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IdentityConfirmation {
    /// The hash that is vouched for: the latest one.
    hash: String,
    /// How you know that it is still the same person.
    #[schema(value_type = Object)]
    evidence: Members<Plain>,
}

/// What an operator's act changed.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChangedBody {
    /// The contact.
    #[schema(value_type = Option<String>, format = Uuid)]
    contact: Option<ContactId>,
    /// Whether anything changed. That a known identity was seen again is recorded, and changes
    /// nothing.
    changed: bool,
    /// Who is behind the number at the moment of this answer.
    identity: Option<IdentityBody>,
    /// Proof that it is in the ledger; `null` if nothing was recorded.
    receipt: Option<ReceiptBody>,
}

fn check_hash(hash: String) -> Result<Box<str>, Problem> {
    if hash.is_empty() || hash.len() > HASH_BYTES_MAX {
        let detail = format!("1 to {HASH_BYTES_MAX} bytes");
        return Err(Problem::at(BODY_INVALID, "/hash", detail));
    }
    Ok(hash.into())
}

fn is_change(event: &Event) -> bool {
    !matches!(event, Event::IdentityObserved { again: true, .. })
}

fn changed(edge: &Edge, contact: ContactRef, submitted: &Submitted) -> HttpResponse {
    let state = edge.views().state();
    let subject = match contact {
        ContactRef::Key(key) => state.contacts().find(key),
        ContactRef::Id(id) => state.contacts().find_id(id),
    };
    let known = subject.and_then(|subject| state.contacts().get(subject));
    let now = edge.clock.now();
    let described =
        known.map(|known| describe((known, contact.key()), state.registry(), now, state.last()));
    let mut response = HttpResponse::Ok().json(ChangedBody {
        contact: known.map(|known| known.id),
        changed: submitted.entries.iter().any(|entry| is_change(&entry.record.event)),
        identity: described.map(|body| body.identity),
        receipt: submitted.entries.first().map(ReceiptBody::of),
    });
    submitted.mark(&mut response);
    response
}

/// Reports an identity hash. Another one than the known suspends every consent at once.
#[utoipa::path(put, path = "/v1/contacts/{ref}/identity", tag = "contacts",
    request_body = IdentityReport,
    params(("ref" = String, Path, description = "+62…, digits, a contact id, or user:<id>")),
    responses((status = 200, body = ChangedBody)))]
pub(crate) async fn report_identity(mut ask: Ask) -> Result<HttpResponse, Problem> {
    let Named { contact, .. } = person::named(&ask.edge, &ask.segment("ref"))?;
    let (body, bytes) = ask.json::<IdentityReport>().await?;
    let observed_at = wire::moment(body.observed_at.as_deref(), "/observed_at")?;
    let hash = check_hash(body.hash)?;
    let once = ask.once(&bytes)?;
    let submitted =
        ask.submit(Command::ReportIdentity { contact, hash, observed_at }, once).await?;
    Ok(changed(&ask.edge, contact, &submitted))
}

/// Vouches for a changed identity, with evidence.
#[utoipa::path(post, path = "/v1/contacts/{ref}/identity/confirm", tag = "contacts",
    request_body = IdentityConfirmation,
    params(("ref" = String, Path, description = "+62…, digits, a contact id, or user:<id>")),
    responses((status = 200, body = ChangedBody)))]
pub(crate) async fn confirm_identity(mut ask: Ask) -> Result<HttpResponse, Problem> {
    let Named { contact, .. } = person::named(&ask.edge, &ask.segment("ref"))?;
    let (body, bytes) = ask.json::<IdentityConfirmation>().await?;
    let evidence = opt_ins::evidence(body.evidence)?;
    if evidence.is_empty() {
        let detail = "say how you know that it is still the same person";
        return Err(Problem::at(BODY_INVALID, "/evidence", detail));
    }
    let hash = check_hash(body.hash)?;
    let once = ask.once(&bytes)?;
    let submitted = ask.submit(Command::ConfirmIdentity { contact, hash, evidence }, once).await?;
    Ok(changed(&ask.edge, contact, &submitted))
}

/// Why an operator blocks a contact.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BlockBody {
    /// Why.
    reason: Option<String>,
}

/// Blocks a contact: nothing may be sent to it.
#[utoipa::path(post, path = "/v1/contacts/{ref}/block", tag = "contacts",
    request_body = Option<BlockBody>,
    params(("ref" = String, Path, description = "+62…, digits, a contact id, or user:<id>")),
    responses((status = 200, body = ChangedBody)))]
pub(crate) async fn block(mut ask: Ask) -> Result<HttpResponse, Problem> {
    let Named { contact, .. } = person::named(&ask.edge, &ask.segment("ref"))?;
    let (body, once) = ask.optional_json::<BlockBody>().await?;
    let reason = wire::optional_text(body.reason, "/reason")?;
    let submitted = ask.submit(Command::Block { contact, reason }, once).await?;
    Ok(changed(&ask.edge, contact, &submitted))
}

/// Lifts a block.
#[utoipa::path(post, path = "/v1/contacts/{ref}/unblock", tag = "contacts",
    request_body = Option<NothingBody>,
    params(("ref" = String, Path, description = "+62…, digits, a contact id, or user:<id>")),
    responses((status = 200, body = ChangedBody)))]
pub(crate) async fn unblock(mut ask: Ask) -> Result<HttpResponse, Problem> {
    let Named { contact, .. } = person::named(&ask.edge, &ask.segment("ref"))?;
    let (NothingBody {}, once) = ask.optional_json().await?;
    let submitted = ask.submit(Command::Unblock { contact }, once).await?;
    Ok(changed(&ask.edge, contact, &submitted))
}

/// Returns what the path says of somebody nobody may know yet; an id names only known contacts.
fn newcomer(edge: &Edge, reference: &str) -> Option<Person> {
    if let Some(user_id) = reference.strip_prefix("user:") {
        return person::person(edge, None, None, Some(user_id)).ok();
    }
    let is_bare = reference.bytes().all(|byte| byte.is_ascii_digit());
    let number = if is_bare { format!("+{reference}") } else { reference.to_owned() };
    person::person(edge, Some(&number), None, None).ok()
}

/// What traffic with a contact showed, for businesses whose webhooks go elsewhere.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TrafficBody {
    /// What was seen.
    kind: TrafficKindBody,
    /// The sender's `phone_number_id`; needed for `inbound`, which opens its window.
    sender: Option<String>,
    /// When it happened; now, if left out.
    #[schema(format = DateTime)]
    happened_at: Option<String>,
}

/// What was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TrafficKindBody {
    /// The person wrote to a sender.
    Inbound,
    /// A message was delivered or read.
    Delivered,
    /// WhatsApp could not deliver to the number (error 131026).
    Undeliverable,
}

/// Reports what traffic showed: it opens windows and spares look-ups. An inbound message makes
/// its writer known, if you name them by number or user id.
#[utoipa::path(post, path = "/v1/contacts/{ref}/traffic", tag = "contacts",
    request_body = TrafficBody,
    params(("ref" = String, Path, description = "+62…, digits, a contact id, or user:<id>")),
    responses((status = 200, body = ChangedBody)))]
pub(crate) async fn traffic(mut ask: Ask) -> Result<HttpResponse, Problem> {
    let reference = ask.segment("ref").into_owned();
    let Named { contact, .. } = person::named(&ask.edge, &reference)?;
    let (body, bytes) = ask.json::<TrafficBody>().await?;
    let kind = match body.kind {
        TrafficKindBody::Inbound => TrafficKind::Inbound,
        TrafficKindBody::Delivered => TrafficKind::Delivered,
        TrafficKindBody::Undeliverable => TrafficKind::Undeliverable,
    };
    if kind == TrafficKind::Inbound && body.sender.is_none() {
        return Err(Problem::at(BODY_INVALID, "/sender", "whose window does the message open?"));
    }
    let sender = body
        .sender
        .as_deref()
        .map(|text| wire::name(text, "/sender", SenderId::parse))
        .transpose()?;
    let happened_at = wire::moment(body.happened_at.as_deref(), "/happened_at")?;
    let once = ask.once(&bytes)?;
    let newcomer = newcomer(&ask.edge, &reference).map(Box::new);
    let command = Command::ReportTraffic { contact, newcomer, kind, sender, happened_at };
    let submitted = ask.submit(command, once).await?;
    Ok(changed(&ask.edge, contact, &submitted))
}
