//! `/v1/sends`: check and reserve in one step; report back when the message went out.

use actix_web::HttpResponse;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    domain::{
        command::{Command, ContactRef, ReserveSend},
        entry::Seq,
        event::{Event, TicketReserved},
        ids::TicketId,
        names::{Language, SenderId, TemplateName},
        refusal::{Refusal, RefusedSend},
        ticket::{MessageKind, TicketState, VoidCause},
        time::{SECOND_MS, Timestamp},
    },
    http::{
        edge::{Ask, Edge, Submitted, internal},
        person,
        problem::{BODY_INVALID, INTERNAL, Problem, SEND_REFUSED, TICKET_EXPIRED, TICKET_UNKNOWN},
        v1::{batch::MessageKindBody, decision::Rendered},
        wire::{self, Moment, NothingBody, ReceiptBody},
    },
    ledger::handle::{Outcome, SubmitError},
    limits::MESSAGE_ID_BYTES_MAX,
};

/// A message about to be sent.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SendBody {
    /// The number, in any written form.
    number: Option<String>,
    /// The business-scoped user id instead.
    user_id: Option<String>,
    /// The region of a number without `+`.
    region: Option<String>,
    /// The form of the message.
    kind: MessageKindBody,
    /// The template's name.
    template: Option<String>,
    /// Its language, if it has several.
    language: Option<String>,
    /// The sender's `phone_number_id`.
    sender: String,
    /// How long sending may start, in seconds.
    ttl_s: Option<u32>,
}

/// The message of a ticket was sent.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CommitBody {
    /// The id WhatsApp gave the message.
    message_id: String,
}

/// A reserved right to send once.
#[derive(Debug, Serialize, ToSchema)]
pub struct TicketBody<'a> {
    /// The ticket.
    #[schema(value_type = String, format = Uuid)]
    id: TicketId,
    /// When sending should start, so that the sender keeps to its throughput.
    send_at: Moment,
    /// Until when sending may start: `ttl_s` from now, or sooner where what allows it ends sooner
    /// (the window, if the message relies on it, the agreement, the hours before the recipient's
    /// quiet hours, the deadline of an undecided STOP). Do not start later.
    expires_at: Moment,
    /// The number to send to; `null` if you named a user id.
    recipient: Option<&'a str>,
    /// The business-scoped user id to send to, if you named that.
    #[serde(skip_serializing_if = "Option::is_none")]
    recipient_user_id: Option<&'a str>,
    /// The identity hash to send along, so that WhatsApp refuses a changed one.
    #[serde(skip_serializing_if = "Option::is_none")]
    recipient_identity_key_hash: Option<&'a str>,
    /// What to send as `biz_opaque_callback_data`, so that a status finds its ticket.
    biz_opaque_callback_data: String,
    /// Proof that it is in the ledger.
    receipt: ReceiptBody,
}

/// What became of a ticket.
#[derive(Debug, Serialize, ToSchema)]
pub struct ClosedBody {
    /// The ticket.
    #[schema(value_type = String, format = Uuid)]
    id: TicketId,
    /// `committed`, `released`, or `voided` if it was taken back before it could be released.
    status: &'static str,
    /// Why it was taken back: `withdrawn`, `identity_changed`, `number_changed`,
    /// `marketing_stopped`, `sender_halted`, `template_stopped`, `blocked` or `merged`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    cause: Option<VoidCause>,
    /// Proof that it is in the ledger; `null` when it already was.
    receipt: Option<ReceiptBody>,
}

pub(super) fn check(edge: &Edge, body: &SendBody) -> Result<ReserveSend, Problem> {
    let region = body.region.as_deref();
    if body.number.is_some() && body.user_id.is_some() {
        return Err(Problem::at(BODY_INVALID, "/user_id", "name one of number and user_id"));
    }
    let person = person::person(edge, body.number.as_deref(), region, body.user_id.as_deref())?;
    let key = person.number.as_ref().map(|number| number.key);
    let key = key.or_else(|| person.user.as_ref().map(|user| user.key));
    let key = key.ok_or_else(|| Problem::at(BODY_INVALID, "/number", "name a number"))?;
    let ttl_ms = body.ttl_s.map_or(edge.settings.ticket_ttl_ms, |ttl| i64::from(ttl) * SECOND_MS);
    if !(SECOND_MS..=edge.settings.ticket_ttl_ms_max).contains(&ttl_ms) {
        let max = edge.settings.ticket_ttl_ms_max / SECOND_MS;
        return Err(Problem::at(BODY_INVALID, "/ttl_s", format!("1 to {max} seconds")));
    }
    let (template, language) = (body.template.as_deref(), body.language.as_deref());
    Ok(ReserveSend {
        ticket: TicketId::from_uuid(edge.ids.next()),
        recipient: ContactRef::Key(key),
        number: person.number.map(|number| number.number),
        user_id: person.user.map(|user| user.user_id),
        kind: match body.kind {
            MessageKindBody::Template => MessageKind::Template,
            MessageKindBody::Session => MessageKind::Session,
        },
        template: template
            .map(|text| wire::name(text, "/template", TemplateName::parse))
            .transpose()?,
        language: language
            .map(|text| wire::name(text, "/language", Language::parse))
            .transpose()?,
        sender: wire::name(&body.sender, "/sender", SenderId::parse)?,
        ttl_ms,
    })
}

/// Judges and reserves in one step.
#[utoipa::path(post, path = "/v1/sends", tag = "sends", request_body = SendBody,
    responses((status = 201, body = TicketBody<'static>), (status = 409,
    description = "`send_refused`, with every reason, or another conflict",
    body = ref("#/components/schemas/SendConflictBody"), content_type = "application/problem+json")))]
pub(crate) async fn reserve(mut ask: Ask) -> Result<HttpResponse, Problem> {
    let (body, bytes) = ask.json::<SendBody>().await?;
    let command = check(&ask.edge, &body)?;
    let number = command.number.clone();
    let once = ask.once(&bytes)?;
    let envelope = crate::domain::command::Envelope {
        actor: ask.caller.actor.clone(),
        once,
        command: Command::ReserveSend(Box::new(command)),
    };
    let submitted = match ask.edge.ledger.submit(envelope).await {
        Ok(Outcome::Done(entries)) => Submitted { entries, is_replay: false },
        Ok(Outcome::DoneBefore { first, entries }) => reserved_before(&ask, first, entries).await?,
        Err(SubmitError::Refused(refusal)) => {
            let number = number.as_ref().map(crate::domain::phone::PhoneNumber::as_e164);
            return Err(refused(&ask.edge, *refusal, number));
        }
        Err(error) => return Err(error.into()),
    };
    ticket(&submitted)
}

/// Reads what an earlier call with the same key reserved, if it may still be sent on: a ticket that
/// was taken or given back since, was used or ran out is no answer to whoever is about to send.
pub(super) async fn reserved_before(
    ask: &Ask,
    first: Seq,
    entries: u32,
) -> Result<Submitted, Problem> {
    let submitted = ask.reread(first, entries).await?;
    let TicketBody { id, expires_at: Moment(expires_at), .. } = TicketBody::of(&submitted)?;
    match ask.edge.views().state().ticket(id).map(|ticket| ticket.state) {
        Some(TicketState::Voided { cause }) => Err(Refusal::TicketVoided { cause }.into()),
        Some(TicketState::Released) => Err(Refusal::TicketReleased.into()),
        Some(TicketState::Committed { .. }) => Err(Refusal::TicketCommitted.into()),
        Some(TicketState::Reserved) if ask.edge.clock.now() < expires_at => Ok(submitted),
        // A STOP takes back no ticket that had run out, and one that is forgotten ran out long ago.
        Some(TicketState::Reserved) | None => {
            Err(Problem::new(TICKET_EXPIRED, "the ticket of this key was not used in time"))
        }
    }
}

fn ticket(submitted: &Submitted) -> Result<HttpResponse, Problem> {
    let mut response = HttpResponse::Created().json(TicketBody::of(submitted)?);
    submitted.mark(&mut response);
    Ok(response)
}

impl<'a> TicketBody<'a> {
    /// Reads a ticket out of the entries that made it.
    pub(super) fn of(submitted: &'a Submitted) -> Result<Self, Problem> {
        let reserved = submitted.entries.iter().find_map(|entry| {
            let Event::TicketReserved(event) = &entry.record.event else { return None };
            Some((entry, event))
        });
        let Some((entry, event)) = reserved else {
            return Err(Problem::new(INTERNAL, "the entries of this request are gone"));
        };
        let TicketReserved {
            ticket, expires_at, recipient, user_id, identity_hash, send_at, ..
        } = &**event;
        Ok(Self {
            id: *ticket,
            send_at: Moment(send_at.unwrap_or(entry.record.at)),
            expires_at: Moment(*expires_at),
            recipient: recipient.as_ref().map(crate::domain::phone::PhoneNumber::as_e164),
            recipient_user_id: user_id.as_deref(),
            recipient_identity_key_hash: identity_hash.as_deref(),
            biz_opaque_callback_data: format!("izin:{}", ticket.as_uuid()),
            receipt: ReceiptBody::of(entry),
        })
    }

    /// Returns it as JSON.
    pub(super) fn value(&self) -> Result<serde_json::Value, Problem> {
        serde_json::to_value(self).map_err(|error| internal(&error))
    }
}

/// Explains a refused send as a decision does.
pub(super) fn refused(edge: &Edge, refusal: Refusal, number: Option<&str>) -> Problem {
    let now = edge.clock.now();
    let wait_s = |at: Timestamp| {
        let wait_ms = u64::try_from(at.ms_since(now).max(0)).unwrap_or(0);
        wait_ms.div_ceil(1_000).max(1)
    };
    if let Refusal::TicketsOpen { frees_at } | Refusal::SenderBusy { frees_at } = refusal {
        return Problem::from(refusal).retry_after_s(wait_s(frees_at));
    }
    let Refusal::SendRefused(refused) = refusal else { return Problem::from(refusal) };
    let RefusedSend { resolved, verdict, next_eligible_at, contact, as_of } = *refused;
    let rendered = Rendered {
        resolved: &resolved,
        verdict: &verdict,
        next_eligible_at,
        id: contact,
        number,
        reference: None,
        hash: None,
        as_of,
    };
    let decision = rendered.body();
    let codes: Vec<_> = decision.reasons.iter().map(|reason| reason.code).collect();
    let mut problem = Problem::new(SEND_REFUSED, codes.join(", "));
    if let Ok(serde_json::Value::Object(members)) = serde_json::to_value(&decision) {
        for (name, value) in members {
            problem = problem.with(&name, value);
        }
    }
    match next_eligible_at {
        Some(at) => problem.retry_after_s(wait_s(at)),
        None => problem,
    }
}

fn ticket_id(ask: &Ask) -> Result<TicketId, Problem> {
    let id = ask.segment("id").parse::<uuid::Uuid>();
    id.map(TicketId::from_uuid)
        .map_err(|_shape| Problem::new(TICKET_UNKNOWN, "a ticket's id is a UUID"))
}

/// Reports that the message of a ticket was sent.
#[utoipa::path(post, path = "/v1/sends/{id}/commit", tag = "sends", request_body = CommitBody,
    params(("id" = String, Path, description = "The ticket")),
    responses((status = 200, body = ClosedBody)))]
pub(crate) async fn commit(mut ask: Ask) -> Result<HttpResponse, Problem> {
    let id = ticket_id(&ask)?;
    let (body, bytes) = ask.json::<CommitBody>().await?;
    if body.message_id.is_empty() || body.message_id.len() > MESSAGE_ID_BYTES_MAX {
        let detail = format!("1 to {MESSAGE_ID_BYTES_MAX} bytes");
        return Err(Problem::at(BODY_INVALID, "/message_id", detail));
    }
    let message = ask.edge.indexer.message(&body.message_id);
    let command = Command::CommitSend { ticket: id, message_id: body.message_id.into(), message };
    let once = ask.once(&bytes)?;
    let submitted = ask.submit(command, once).await?;
    // Of a ticket that was taken or given back it is noted that the message went out, no more.
    let mut events = submitted.entries.iter().map(|entry| &entry.record.event);
    if !events.any(|event| matches!(event, Event::TicketStepped { message: Some(_), .. })) {
        return Ok(closed(id, ("committed", None), &submitted));
    }
    Err(match ask.edge.views().state().ticket(id).map(|ticket| ticket.state) {
        Some(TicketState::Voided { cause }) => Refusal::TicketVoided { cause }.into(),
        Some(_) => Refusal::TicketReleased.into(),
        None => Refusal::TicketUnknown.into(),
    })
}

/// Gives a ticket back unused.
#[utoipa::path(post, path = "/v1/sends/{id}/release", tag = "sends",
    request_body = Option<NothingBody>, params(("id" = String, Path, description = "The ticket")),
    responses((status = 200, body = ClosedBody)))]
pub(crate) async fn release(mut ask: Ask) -> Result<HttpResponse, Problem> {
    let id = ticket_id(&ask)?;
    let (NothingBody {}, once) = ask.optional_json().await?;
    let submitted = ask.submit(Command::ReleaseSend { ticket: id }, once).await?;
    // A closed ticket stays as it is, so a repeated request finds the same.
    let state = ask.edge.views().state().ticket(id).map(|ticket| ticket.state);
    let status = match state {
        Some(TicketState::Voided { cause }) => ("voided", Some(cause)),
        Some(TicketState::Reserved | TicketState::Released | TicketState::Committed { .. })
        | None => ("released", None),
    };
    Ok(closed(id, status, &submitted))
}

fn closed(
    id: TicketId,
    (status, cause): (&'static str, Option<VoidCause>),
    submitted: &Submitted,
) -> HttpResponse {
    let receipt = submitted.entries.first().map(ReceiptBody::of);
    let mut response = HttpResponse::Ok().json(ClosedBody { id, status, cause, receipt });
    submitted.mark(&mut response);
    response
}
