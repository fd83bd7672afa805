//! `POST /webhooks/whatsapp`: the way of a webhook from its bytes to its answer.
//!
//! The signature is checked before anything is read. 200 is said only when everything that follows
//! from the webhook is on disk; whatever could not be kept makes it 503, and WhatsApp sends it all
//! again, which changes nothing twice. What was begun is finished, whether or not WhatsApp waits.
//!
//! Source: Meta, "Create a webhook endpoint", validating payloads, delivery and retries; read
//! November 2026.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use actix_web::{HttpResponse, rt};
use futures_util::{StreamExt as _, stream};
use tracing::Instrument as _;

use crate::{
    domain::{command::Envelope, refusal::Refusal},
    http::{
        body::Body,
        edge::{Ask, Edge},
        problem::{
            BODY_MALFORMED, BODY_TOO_LARGE, INTERNAL, Problem, ProblemBody, SIGNATURE_INVALID,
            WEBHOOKS_OFF,
        },
        webhooks::{
            commands, effects,
            log::{self, Row, Signature, WebhookBody, WebhookOutcome},
        },
    },
    ledger::handle::{Outcome, SubmitError},
    limits::{
        WEBHOOK_BYTES_MAX, WEBHOOK_COMMANDS_AT_ONCE, WEBHOOK_INLINE_BYTES_MAX,
        WEBHOOK_QUEUE_WAIT_MS,
    },
    whatsapp::{self, AppSecrets, Conclusion, Fact, Private, ReadError},
};

/// The header with the signature.
const SIGNATURE_HEADER: &str = "x-hub-signature-256";

/// One fact on its way to the ledger.
#[derive(Debug)]
pub(super) struct Work {
    /// The fact's kind.
    pub(super) kind: &'static str,
    /// What it asks of the ledger; nothing for what decides nothing.
    pub(super) envelope: Option<Envelope>,
}

/// What a webhook says.
struct Heard {
    secret: usize,
    works: Vec<Work>,
    /// Answers to messages whose statuses came along: what they mean depends on these.
    late: Vec<Fact>,
    unread: u32,
}

/// Why a webhook was not read.
enum Unheard {
    Unsigned,
    Unreadable { secret: usize, error: ReadError },
}

/// Hears what WhatsApp says. Answers 200 when everything that follows is recorded.
#[utoipa::path(post, path = "/webhooks/whatsapp", tag = "webhooks",
    params(("X-Hub-Signature-256" = String, Header)), request_body = Object,
    responses((status = 200, body = WebhookBody),
    (status = 401, description = "No app secret gives the signature, or there is none",
    body = ProblemBody<'static>, content_type = "application/problem+json"),
    (status = 503, description = "No app secret is set, or not everything that follows could be \
    recorded: WhatsApp sends it again, which counts once",
    body = ProblemBody<'static>, content_type = "application/problem+json")))]
pub(crate) async fn receive(mut ask: Ask) -> Result<HttpResponse, Problem> {
    let edge = Arc::clone(&ask.edge);
    let webhooks = &edge.webhooks;
    if webhooks.secrets.is_empty() {
        return Err(Problem::new(WEBHOOKS_OFF, "no app secret is set"));
    }
    let received_at = edge.clock.now();
    let row = |signature, outcome| Row::unread(received_at, signature, outcome);
    let header = signature(&ask).map_err(|(signature, problem)| {
        webhooks.log.take(row(signature, WebhookOutcome::Unsigned));
        problem
    })?;
    let unread = |problem: Problem| {
        let is_large = problem.code() == BODY_TOO_LARGE;
        let outcome = if is_large { WebhookOutcome::TooLarge } else { WebhookOutcome::Unread };
        webhooks.log.take(row(Signature::Unchecked, outcome));
        problem
    };
    let body = ask.body_within(WEBHOOK_BYTES_MAX, &webhooks.bodies).await.map_err(unread)?;
    let heard = if body.len() > WEBHOOK_INLINE_BYTES_MAX {
        let hearing = Arc::clone(&edge);
        let hear = move || hear(&hearing, &header, &body);
        edge.blocking.run(hear).await.map_err(|error| unread(error.into()))?
    } else {
        hear(&edge, &header, &body)
    };
    match heard {
        Ok(heard) => {
            let row = row(Signature::Valid(heard.secret), WebhookOutcome::NothingNew);
            let recording = finish(Arc::clone(&edge), heard, row).in_current_span();
            let told = rt::spawn(recording).await;
            let told = told.map_err(|error| Problem::new(INTERNAL, error.to_string()))??;
            Ok(HttpResponse::Ok().json(told))
        }
        Err(Unheard::Unsigned) => {
            webhooks.log.take(row(Signature::Wrong, WebhookOutcome::Unsigned));
            Err(Problem::new(SIGNATURE_INVALID, "none of the app secrets gives this signature"))
        }
        Err(Unheard::Unreadable { secret, error }) => {
            webhooks.log.take(row(Signature::Valid(secret), WebhookOutcome::Unreadable));
            let code = match error {
                ReadError::TooLong | ReadError::TooMuch => BODY_TOO_LARGE,
                ReadError::NotJson | ReadError::NotAnObject => BODY_MALFORMED,
            };
            Err(Problem::new(code, error.to_string()))
        }
    }
}

/// Returns the signature a request claims. What cannot be one is refused before its body is read.
fn signature(ask: &Ask) -> Result<Vec<u8>, (Signature, Problem)> {
    let header = ask.req.headers().get(SIGNATURE_HEADER).map(|value| value.as_bytes().to_vec());
    let invalid = |detail| Problem::new(SIGNATURE_INVALID, detail);
    match header {
        None => Err((Signature::Missing, invalid("there is no X-Hub-Signature-256"))),
        Some(header) if AppSecrets::is_signature(&header) => Ok(header),
        Some(_) => {
            let detail = "X-Hub-Signature-256 is `sha256=` and 64 hexadecimal digits";
            Err((Signature::Wrong, invalid(detail)))
        }
    }
}

/// Checks, reads and understands a webhook, in this order.
fn hear(edge: &Edge, header: &[u8], body: &Body) -> Result<Heard, Unheard> {
    let secret = edge.webhooks.secrets.signer(header, body).ok_or(Unheard::Unsigned)?;
    let reading = whatsapp::read(body).map_err(|error| Unheard::Unreadable { secret, error })?;
    let unread = reading.unread_total();
    let (late, now) = apart(reading.facts);
    let works = now.iter().map(|fact| commands::work(edge, fact)).collect();
    Ok(Heard { secret, works, late, unread })
}

/// Sets answers apart whose questions have a status in the same webhook: only that may tell on
/// which ticket, and so with which template, the question was sent.
fn apart(facts: Vec<Fact>) -> (Vec<Fact>, Vec<Fact>) {
    let message = |fact: &Fact| {
        let Conclusion::Status(status) = &fact.conclusion else { return None };
        status.message.as_ref().map(|id| Box::from(id.expose()))
    };
    let sent: BTreeSet<Box<str>> = facts.iter().filter_map(message).collect();
    if sent.is_empty() {
        return (Vec::new(), facts);
    }
    facts.into_iter().partition(|fact| {
        let Conclusion::Inbound(inbound) = &fact.conclusion else { return false };
        let question = inbound.context.message.as_ref().map(Private::expose);
        inbound.answer.is_some() && question.is_some_and(|question| sent.contains(question))
    })
}

/// Records everything a webhook says, and notes what followed.
async fn finish(edge: Arc<Edge>, heard: Heard, mut row: Row) -> Result<WebhookBody, Problem> {
    let Heard { secret: _, works, late, unread } = heard;
    row.unread = unread;
    let mut problem = record(&edge, works, &mut row).await.map(Problem::from);
    if !late.is_empty() {
        let kinds: Vec<_> = late.iter().map(|fact| fact.conclusion.name()).collect();
        let hearing = Arc::clone(&edge);
        let work = move || late.iter().map(|fact| commands::work(&hearing, fact)).collect();
        let second = match edge.blocking.run::<Vec<Work>>(work).await {
            Ok(works) => record(&edge, works, &mut row).await.map(Problem::from),
            Err(error) => {
                for kind in kinds {
                    row.count(kind);
                    row.note(kind, "not_recorded");
                }
                Some(error.into())
            }
        };
        problem = problem.or(second);
    }
    row.outcome = match (&problem, row.entries) {
        (Some(_), _) => WebhookOutcome::NotRecorded,
        (None, Some(_)) => WebhookOutcome::Recorded,
        (None, None) => WebhookOutcome::NothingNew,
    };
    let told = log::told(row.clone());
    edge.webhooks.log.take(row);
    problem.map_or(Ok(told), Err)
}

/// Submits everything, waits for all of it, and notes what followed. Returns the first reason why
/// something is not on disk. Everything else was tried all the same: a withdrawal that could not be
/// recorded is remembered by the ledger.
async fn record(edge: &Edge, works: Vec<Work>, row: &mut Row) -> Option<SubmitError> {
    let wait = Duration::from_millis(WEBHOOK_QUEUE_WAIT_MS);
    let submit = |Work { kind, envelope }: Work| async move {
        let outcome = match envelope {
            Some(envelope) => Some(edge.ledger.submit_within(envelope, wait).await),
            None => None,
        };
        (kind, outcome)
    };
    let mut outcomes = stream::iter(works).map(submit).buffered(WEBHOOK_COMMANDS_AT_ONCE);
    let mut first_problem = None;
    while let Some((kind, outcome)) = outcomes.next().await {
        row.count(kind);
        let entries = match outcome {
            None | Some(Ok(Outcome::DoneBefore { .. })) => Vec::new(),
            Some(Ok(Outcome::Done(entries))) => entries,
            Some(Err(SubmitError::Refused(refusal))) if matches!(*refusal, Refusal::OnceReused) => {
                Vec::new()
            }
            Some(Err(error)) => {
                if let SubmitError::Refused(refusal) = &error {
                    tracing::error!(webhook.kind = kind, %refusal, "a webhook was not recorded");
                }
                row.note(kind, "not_recorded");
                first_problem = first_problem.or(Some(error));
                continue;
            }
        };
        if entries.is_empty() {
            row.note(kind, "nothing_new");
        }
        for entry in &entries {
            row.note(kind, effects::name(&entry.record.event));
            row.made(entry.seq);
        }
    }
    first_problem
}
