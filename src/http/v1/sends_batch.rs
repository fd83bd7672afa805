//! `POST /v1/sends/batch`: many tickets in one call, each judged and reserved by itself.

use std::{sync::Arc, time::Duration};

use actix_web::HttpResponse;
use futures_util::{StreamExt as _, stream};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    domain::{
        command::{Command, Envelope, Once},
        event::MarkKept,
        key::Fingerprint,
    },
    http::{
        body,
        edge::{Ask, Submitted},
        idempotency,
        problem::{BODY_INVALID, Problem},
        v1::sends::{SendBody, TicketBody, check, refused, reserved_before},
    },
    ledger::handle::{Outcome, SubmitError},
    limits::{SENDS_AT_ONCE, SENDS_MAX, SENDS_QUEUE_WAIT_MS},
};

/// How long a message of a call waits for room in the queue.
const QUEUE_WAIT: Duration = Duration::from_millis(SENDS_QUEUE_WAIT_MS);

/// Many messages.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SendsBody {
    /// At most 1,000, each as for `POST /v1/sends`.
    sends: Vec<SendBody>,
}

/// What became of each, in their order.
#[derive(Debug, Serialize, ToSchema)]
pub struct SendsAnswer {
    /// How many got a ticket.
    reserved: usize,
    /// How many got none. The two add up to the number of messages.
    refused: usize,
    /// How many of the tickets were given by an earlier call with the same `Idempotency-Key`. All
    /// others were judged by this call: a refusal is no entry of the ledger and is not remembered.
    replayed: usize,
    /// A ticket or a problem for each.
    results: Vec<SendResult>,
}

/// A ticket, or why there is none.
#[derive(Debug, Serialize, ToSchema)]
pub struct SendResult {
    /// What `POST /v1/sends` would have answered: 201, or the problem's status.
    status: u16,
    /// The ticket.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<TicketBody<'static>>)]
    ticket: Option<Value>,
    /// The problem, with all reasons where the message may not be sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    problem: Option<Value>,
}

/// Judges and reserves many. Others may be decided in between; none is undone for another. With an
/// `Idempotency-Key`, what was reserved is answered again and reserved once only; a ticket that was
/// taken back, given back or used since, or ran out, is answered with its problem instead. A refusal is not
/// remembered, here as in `POST /v1/sends`: the same call judges it anew, and may give a ticket
/// where time or a change cured it. `replayed` says how many were answered again, and
/// `Idempotent-Replayed` stands where all were. The key belongs to the whole body, whatever became of
/// the messages: with another body nothing is judged or reserved.
#[utoipa::path(post, path = "/v1/sends/batch", tag = "sends", request_body = SendsBody,
    responses((status = 200, body = SendsAnswer)))]
pub(crate) async fn reserve_many(mut ask: Ask) -> Result<HttpResponse, Problem> {
    body::expect_media(&ask.req, "application/json")?;
    let bytes = ask.body(ask.edge.settings.batch_bytes_max).await?;
    let body: SendsBody = body::parse(&bytes)?;
    if body.sends.len() > SENDS_MAX {
        let detail = format!("at most {SENDS_MAX} messages");
        return Err(Problem::at(BODY_INVALID, "/sends", detail));
    }
    let key = idempotency::key(&ask.req)?;
    let fingerprint = ask.edge.indexer.fingerprint(&bytes);
    if let Some(key) = &key {
        claim(&ask, key, fingerprint).await?;
    }
    let each = body.sends.iter().enumerate().map(|(place, send)| {
        let once = key.as_deref().map(|key| once(&ask, key, Some(place), fingerprint));
        reserve(&ask, send, once)
    });
    let outcomes: Vec<_> = stream::iter(each).buffered(SENDS_AT_ONCE).collect().await;
    let replayed = outcomes.iter().filter(|outcome| matches!(outcome, Ok((_, true)))).count();
    let is_replay = outcomes.iter().all(|outcome| matches!(outcome, Ok((_, true))));
    let mut results = Vec::with_capacity(outcomes.len());
    for outcome in outcomes {
        results.push(SendResult::of(outcome.map(|(ticket, _)| ticket)));
    }
    let reserved = results.iter().filter(|result| result.ticket.is_some()).count();
    let refused = results.len() - reserved;
    let mut response =
        HttpResponse::Ok().json(SendsAnswer { reserved, refused, replayed, results });
    let entries = Vec::new();
    Submitted { entries, is_replay: is_replay && reserved > 0 }.mark(&mut response);
    Ok(response)
}

/// Claims the key for the whole call, as an entry of its own before those of its messages: whoever
/// comes with another body, at the same time or after a restart, is refused before anything is done.
async fn claim(ask: &Ask, key: &str, fingerprint: Fingerprint) -> Result<(), Problem> {
    let once = Some(once(ask, key, None, fingerprint));
    let envelope = Envelope { actor: ask.caller.actor.clone(), once, command: Command::ClaimKey };
    ask.edge.ledger.submit_within(envelope, QUEUE_WAIT).await?;
    Ok(())
}

/// The whole call has one mark, and each message of it, done once by itself, one of its own.
fn once(ask: &Ask, key: &str, place: Option<usize>, fingerprint: Fingerprint) -> Once {
    let place = place.map(|place| format!(" {place}")).unwrap_or_default();
    let call = format!("{} {}{place}", ask.req.method(), ask.req.path());
    let id = ask.edge.indexer.command(&ask.caller.actor, &call, key);
    Once { id, fingerprint, kept: MarkKept::Usual }
}

async fn reserve(ask: &Ask, send: &SendBody, once: Option<Once>) -> Result<(Value, bool), Problem> {
    let edge = Arc::clone(&ask.edge);
    let command = check(&edge, send)?;
    let number = command.number.clone();
    let actor = ask.caller.actor.clone();
    let envelope = Envelope { actor, once, command: Command::ReserveSend(Box::new(command)) };
    let submitted = match edge.ledger.submit_within(envelope, QUEUE_WAIT).await {
        Ok(Outcome::Done(entries)) => Submitted { entries, is_replay: false },
        Ok(Outcome::DoneBefore { first, entries }) => reserved_before(ask, first, entries).await?,
        Err(SubmitError::Refused(refusal)) => {
            let number = number.as_ref().map(crate::domain::phone::PhoneNumber::as_e164);
            return Err(refused(&edge, *refusal, number));
        }
        Err(error) => return Err(error.into()),
    };
    Ok((TicketBody::of(&submitted)?.value()?, submitted.is_replay))
}

impl SendResult {
    fn of(outcome: Result<Value, Problem>) -> Self {
        match outcome {
            Ok(ticket) => Self { status: 201, ticket: Some(ticket), problem: None },
            Err(problem) => {
                Self { status: problem.code().status, ticket: None, problem: Some(problem.value()) }
            }
        }
    }
}
