//! Rules about tickets: judged and reserved in one step.

use crate::{
    domain::{
        command::ReserveSend,
        contact::Contact,
        decide::{Events, Rules},
        eligibility::Question,
        event::{Event, TicketReserved},
        ids::TicketId,
        key::MessageKey,
        names::SenderId,
        refusal::{Refusal, RefusedSend},
        state::Draft,
        ticket::TicketState,
        time::Timestamp,
    },
    limits::TICKETS_OPEN_MAX,
};

/// Reserves if, at this very moment, the message may be sent.
pub(super) fn reserve(
    draft: &Draft<'_>,
    rules: &Rules,
    reserve: &ReserveSend,
    now: Timestamp,
) -> Result<Events, Refusal> {
    let question = Question {
        kind: reserve.kind,
        template: reserve.template.clone(),
        language: reserve.language.clone(),
        topic: None,
        sender: Some(reserve.sender.clone()),
    };
    let resolved = question.resolve(draft.registry())?;
    let subject = draft.find_ref(reserve.recipient);
    let contact = subject.and_then(|subject| draft.contact(subject));
    let verdict = resolved.judge(contact, rules.session, now);
    let contact_id = contact.map(|contact| contact.id);
    let (Some(subject), Some(contact), true) = (subject, contact, verdict.is_eligible()) else {
        let as_of = draft.last();
        let refused = RefusedSend { resolved, verdict, contact: contact_id, as_of };
        return Err(Refusal::SendRefused(Box::new(refused)));
    };
    check_room(draft, contact, &reserve.sender, now)?;
    let identity = contact.details().identity.as_ref();
    let event = TicketReserved {
        ticket: reserve.ticket,
        sender: reserve.sender.clone(),
        kind: reserve.kind,
        template: resolved.template().cloned(),
        topic: resolved.topic().cloned(),
        recipient: reserve.number.clone(),
        user_id: reserve.user_id.clone(),
        identity_hash: identity.map(|identity| identity.hash().into()),
        expires_at: now.plus_ms(reserve.ttl_ms),
    };
    Ok(vec![(subject, Event::TicketReserved(Box::new(event)))])
}

/// So many tickets at once are a loop and not a conversation.
fn check_room(
    draft: &Draft<'_>,
    contact: &Contact,
    sender: &SenderId,
    now: Timestamp,
) -> Result<(), Refusal> {
    let listed = contact.details().tickets.iter().filter_map(|id| draft.ticket(*id));
    let open = listed.filter(|ticket| ticket.sender == *sender && ticket.is_open(now));
    let ends: Vec<Timestamp> = open.map(|ticket| ticket.expires_at).collect();
    match ends.iter().min() {
        Some(frees_at) if ends.len() >= TICKETS_OPEN_MAX => {
            Err(Refusal::TicketsOpen { frees_at: *frees_at })
        }
        Some(_) | None => Ok(()),
    }
}

/// A report that the message went out is a fact: it is taken late too, but not for a ticket that
/// was taken back or given back.
pub(super) fn commit(
    draft: &Draft<'_>,
    id: TicketId,
    message_id: &str,
    message: MessageKey,
) -> Result<Events, Refusal> {
    let ticket = draft.ticket(id).ok_or(Refusal::TicketUnknown)?;
    match ticket.state {
        TicketState::Reserved => {
            let message_id = message_id.into();
            let subject = draft.resolve(ticket.contact);
            Ok(vec![(subject, Event::TicketCommitted { ticket: id, message_id, message })])
        }
        TicketState::Committed { message: known } if known == message => Ok(Vec::new()),
        TicketState::Committed { .. } => Err(Refusal::TicketCommitted),
        TicketState::Released => Err(Refusal::TicketReleased),
        TicketState::Voided { cause } => Err(Refusal::TicketVoided { cause }),
    }
}

/// Gives a ticket back; a ticket that is closed already stays as it is unless it was used.
pub(super) fn release(draft: &Draft<'_>, id: TicketId) -> Result<Events, Refusal> {
    let ticket = draft.ticket(id).ok_or(Refusal::TicketUnknown)?;
    match ticket.state {
        TicketState::Reserved => {
            let subject = draft.resolve(ticket.contact);
            Ok(vec![(subject, Event::TicketReleased { ticket: id })])
        }
        TicketState::Released | TicketState::Voided { .. } => Ok(Vec::new()),
        TicketState::Committed { .. } => Err(Refusal::TicketCommitted),
    }
}
