//! Rules about statuses that came before anybody said on which ticket their message was sent: they
//! wait with the person, and are told of the ticket as soon as it is known.

use crate::domain::{
    contact::Contact,
    decide::{Events, template},
    event::{EarlyStatus, Event},
    hearing::Step,
    key::MessageKey,
    names::SenderId,
    state::Draft,
    ticket::Ticket,
    time::{DAY_MS, Timestamp},
};

/// How long after its end a ticket may still hear of its message, which was sent by then.
const WAITING_MS: i64 = 2 * DAY_MS;

/// Returns whether a sender's message to a person of which something became at a moment may be one
/// sent on a ticket that waits for it.
pub(super) fn may_wait(
    draft: &Draft<'_>,
    contact: &Contact,
    (sender, at): (&SenderId, Timestamp),
) -> bool {
    let details = contact.details();
    let sent = details.sent.iter().map(|sent| &sent.ticket);
    let mut tickets = details.tickets.iter().chain(sent).filter_map(|id| draft.ticket(*id));
    tickets.any(|ticket| {
        ticket.sender == *sender
            && ticket.message().is_none()
            && at.may_be_after(ticket.reserved_at)
            && at <= ticket.expires_at.plus_ms(WAITING_MS)
    })
}

/// Returns what waits for a ticket whose message is known now, in the order of its steps.
pub(super) fn waiting<'a>(
    draft: &'a Draft<'_>,
    ticket: &Ticket,
    message: MessageKey,
) -> Vec<&'a EarlyStatus> {
    let contact = draft.contact(draft.resolve(ticket.contact));
    let early = contact.into_iter().flat_map(|contact| contact.details().told().early(message));
    early.filter(|status| status.sender == ticket.sender).collect()
}

/// Returns whether all that waits is that the message failed: then nothing was sent.
pub(super) fn has_only_failed(waiting: &[&EarlyStatus]) -> bool {
    !waiting.is_empty() && waiting.iter().all(|status| status.step == Step::Failed)
}

/// Tells what waits of the ticket, and of its template.
pub(super) fn catch_up(
    draft: &Draft<'_>,
    ticket: &Ticket,
    waiting: &[&EarlyStatus],
    now: Timestamp,
    events: &mut Events,
) {
    let place = draft.resolve(ticket.contact);
    for status in waiting {
        let stepped = Event::TicketStepped {
            ticket: ticket.id,
            step: status.step,
            happened_at: status.happened_at,
            code: status.code,
            message_id: None,
            message: None,
        };
        events.push((place, stepped));
    }
    for status in waiting {
        if let (Some(id), Some(change)) = (&ticket.template, &status.template) {
            let of_sender = || draft.registry().account_of(&ticket.sender);
            let about = (id, status.account.as_ref().or_else(of_sender));
            let times = (status.at_by(now), now);
            template::change(draft, about, [change.clone()], times, events);
        }
    }
}
