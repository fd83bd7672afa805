//! Rules about tickets: judged and reserved in one step.

use crate::{
    domain::{
        command::ReserveSend,
        contact::Contact,
        decide::{Events, Rules, early},
        eligibility::{Question, Resolved, Verdict, paced_until},
        event::{Event, TicketReserved},
        hearing::Step,
        ids::TicketId,
        key::{ContactKey, MessageKey},
        names::SenderId,
        refusal::{Refusal, RefusedSend},
        registry::THROUGHPUT_DEFAULT,
        state::Draft,
        ticket::{MessageKind, TicketState},
        time::Timestamp,
    },
    limits::TICKETS_OPEN_MAX,
};

/// Reserves if the message may be sent at this very moment, and when it is to be sent; for as long
/// as it may be, as far as is known by now.
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
    let resolved = question.resolve(draft, now)?;
    let subject = draft.find_ref(reserve.recipient);
    let contact = subject.and_then(|subject| draft.contact(subject));
    let key = reserve.recipient.key();
    let verdict = resolved.judge((contact, key), rules.session, now);
    let (Some(subject), Some(contact), true) = (subject, contact, verdict.is_eligible()) else {
        return Err(refused(draft, rules, (resolved, verdict, now), (contact, key)));
    };
    check_room(draft, contact, &reserve.sender, now)?;
    let (send_at, sender_paced_us) = turn(draft, reserve, now)?;
    let verdict = if now < send_at {
        resolved.judge((Some(contact), key), rules.session, send_at)
    } else {
        verdict
    };
    if !verdict.is_eligible() {
        return Err(refused(draft, rules, (resolved, verdict, send_at), (Some(contact), key)));
    }
    let judged = (contact, &verdict, rules.session);
    let expires_at = resolved.lasts_until(judged, (send_at, now.plus_ms(reserve.ttl_ms)));
    let paced = resolved.sender().and_then(|sender| contact.details().paced(sender));
    let is_counted = reserve.kind == MessageKind::Template && !verdict.window_is_open;
    let event = TicketReserved {
        ticket: reserve.ticket,
        sender: reserve.sender.clone(),
        kind: reserve.kind,
        template: resolved.template().cloned(),
        topic: resolved.topic().cloned(),
        recipient: reserve.number.clone(),
        user_id: reserve.user_id.clone(),
        identity_hash: contact.identity_hash().map(Box::from),
        expires_at,
        category: resolved.category(send_at),
        counts_for: resolved.portfolio().filter(|_| is_counted).cloned(),
        paced_until: Some(paced_until(paced, now)),
        send_at: (now < send_at).then_some(send_at),
        sender_paced_us: Some(sender_paced_us),
        to: contact.other(key),
    };
    Ok(vec![(subject, Event::TicketReserved(Box::new(event)))])
}

/// Explains what a verdict of `at` refuses.
fn refused(
    draft: &Draft<'_>,
    rules: &Rules,
    (resolved, verdict, at): (Resolved, Verdict, Timestamp),
    whom: (Option<&Contact>, Option<ContactKey>),
) -> Refusal {
    let next_eligible_at = resolved.eligible_from(whom, rules.session, (&verdict, at), |_| true);
    let (contact, as_of) = (whom.0.map(|contact| contact.id), draft.last());
    let refused = RefusedSend { resolved, verdict, next_eligible_at, contact, as_of };
    Refusal::SendRefused(Box::new(refused))
}

/// Returns when sending should start so that the sender keeps to its throughput, and when its
/// messages will all have gone out then. A second's messages may go at once.
fn turn(
    draft: &Draft<'_>,
    reserve: &ReserveSend,
    now: Timestamp,
) -> Result<(Timestamp, i64), Refusal> {
    let put = draft.registry().sender(&reserve.sender).map(|(_, put)| &put.value);
    let throughput = put.and_then(|sender| sender.throughput).unwrap_or(THROUGHPUT_DEFAULT);
    let spacing_us = SECOND_US / i64::from(throughput.get());
    let now_us = now.unix_ms().saturating_mul(1_000);
    let paced_us = draft.sender_paced(&reserve.sender).max(now_us).saturating_add(spacing_us);
    let start_us = now_us.max(paced_us.saturating_sub(SECOND_US));
    let send_at = Timestamp::from_unix_ms(start_us.saturating_add(999) / 1_000);
    let ends_at = now.plus_ms(reserve.ttl_ms);
    if send_at < ends_at {
        Ok((send_at, paced_us))
    } else {
        Err(Refusal::SenderBusy { frees_at: send_at.plus_ms(1 - reserve.ttl_ms) })
    }
}

/// A second, in microseconds.
const SECOND_US: i64 = 1_000_000;

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

/// A report that the message went out is a fact: it is taken late too. Of a ticket that was taken
/// back or given back it is noted, and the ticket stays what it is; once it is noted, it is refused.
pub(super) fn commit(
    draft: &Draft<'_>,
    id: TicketId,
    (message_id, message): (&str, MessageKey),
    now: Timestamp,
) -> Result<Events, Refusal> {
    let ticket = draft.ticket(id).ok_or(Refusal::TicketUnknown)?;
    let subject = draft.resolve(ticket.contact);
    let waiting = early::waiting(draft, ticket, message);
    match ticket.state {
        TicketState::Reserved => {
            let (message_id, failed) = (message_id.into(), early::has_only_failed(&waiting));
            let committed = Event::TicketCommitted { ticket: id, message_id, message, failed };
            let mut events = vec![(subject, committed)];
            early::catch_up(draft, ticket, &waiting, now, &mut events);
            Ok(events)
        }
        TicketState::Committed { message: known } if known == message => Ok(Vec::new()),
        TicketState::Committed { .. } => Err(Refusal::TicketCommitted),
        TicketState::Released | TicketState::Voided { .. } if ticket.stray.is_none() => {
            let stepped = Event::TicketStepped {
                ticket: id,
                step: Step::Sent,
                happened_at: now,
                code: None,
                message_id: Some(message_id.into()),
                message: Some(message),
            };
            let mut events = vec![(subject, stepped)];
            early::catch_up(draft, ticket, &waiting, now, &mut events);
            Ok(events)
        }
        TicketState::Released => Err(Refusal::TicketReleased),
        TicketState::Voided { cause } => Err(Refusal::TicketVoided { cause }),
    }
}

/// Gives a ticket back: nothing was sent on it, and nothing will be. A ticket that was taken back
/// stays that; one that is closed already stays as it is unless it was used.
pub(super) fn release(draft: &Draft<'_>, id: TicketId) -> Result<Events, Refusal> {
    let ticket = draft.ticket(id).ok_or(Refusal::TicketUnknown)?;
    let release = || vec![(draft.resolve(ticket.contact), Event::TicketReleased { ticket: id })];
    match ticket.state {
        TicketState::Reserved => Ok(release()),
        TicketState::Voided { .. } if !ticket.is_given_back && ticket.stray.is_none() => {
            Ok(release())
        }
        TicketState::Released | TicketState::Voided { .. } => Ok(Vec::new()),
        TicketState::Committed { .. } => Err(Refusal::TicketCommitted),
    }
}
