//! The rules: a draft and a command become events or a refusal. Changes nothing itself.
//!
//! Repeating what is already so is no error and makes no event. Rules may change; what was once
//! accepted stays accepted, because the fold never asks again.

#[cfg(test)]
mod clerk;
mod consent;
mod early;
mod hearing;
mod identity;
mod incident;
mod job;
mod lookup;
mod merge;
mod person;
mod registry;
mod send;
mod spelling;
mod template;
#[cfg(test)]
mod tests;

pub use job::{JobRow, judge_row};
pub use lookup::{LookupPlan, plan_lookup};

use std::collections::BTreeMap;

use crate::domain::{
    command::{Command, ContactRef, Person},
    eligibility::SessionPolicy,
    entry::{Seq, Subject},
    event::{CountsFor, Event, TrafficKind},
    governor::LookupPolicy,
    hearing::Told,
    names::SenderId,
    refusal::Refusal,
    registry::{Category, Quality, TemplateRef, TemplateReport, TemplateView},
    state::Draft,
    ticket::{Ticket, VoidCause},
    time::Timestamp,
};

/// What the rules may be told by the operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// About windows.
    pub session: SessionPolicy,
    /// About look-ups.
    pub lookup: LookupPolicy,
    /// How far in the future a caller's clock may be, in milliseconds.
    pub skew_ms: i64,
}

/// Events, each with whom it is about, in the order they happen.
pub type Events = Vec<(Subject, Event)>;

/// Decides one command at `now`.
///
/// # Errors
///
/// [`Refusal`] says what the caller can do about it.
pub fn decide(
    draft: &Draft<'_>,
    rules: &Rules,
    command: &Command,
    now: Timestamp,
) -> Result<Events, Refusal> {
    match command {
        Command::Registry(command) => registry::decide(draft, command, now),
        Command::Keys(command) => registry::decide_key(draft, command, now),
        Command::OptIn(opt_in) => consent::opt_in(draft, rules, opt_in, now),
        Command::OptOut(opt_out) => consent::opt_out(draft, rules, opt_out, now),
        Command::Merge(merge) => merge::merge(draft, merge, now),
        Command::Hear(heard) => hearing::hear(draft, rules, heard, now),
        Command::DecideReview(decision) => hearing::decide_review(draft, rules, decision, now),
        Command::ReportIdentity { contact, hash, observed_at } => {
            let observed_at = not_future(*observed_at, "observed_at", rules, now)?;
            identity::report(draft, *contact, hash, observed_at, now)
        }
        Command::ConfirmIdentity { contact, hash, evidence } => {
            identity::confirm(draft, *contact, hash, evidence, now)
        }
        Command::Block { contact, reason } => block(draft, *contact, reason.as_deref(), now),
        Command::Unblock { contact } => unblock(draft, *contact),
        Command::ReportTraffic { contact, newcomer, kind, sender, happened_at } => {
            let happened_at = not_future(*happened_at, "happened_at", rules, now)?;
            // Who writes is there, whether or not anything was recorded about them before.
            let newcomer = newcomer.as_deref().filter(|_| *kind == TrafficKind::Inbound);
            let contact = (*contact, newcomer);
            traffic(draft, contact, *kind, sender.as_ref(), (happened_at, now))
        }
        Command::ReserveSend(reserve) => send::reserve(draft, rules, reserve, now),
        Command::CommitSend { ticket, message_id, message } => {
            send::commit(draft, *ticket, (message_id, *message), now)
        }
        Command::ReleaseSend { ticket } => send::release(draft, *ticket),
        Command::ClaimKey => Ok(Vec::new()),
        Command::RequestLookups(request) => lookup::request(draft, rules, request, now),
        Command::StartLookupJob { job, rows } => job::start(draft, *job, rows),
        Command::EndLookupJob { job, how } => job::end(draft, rules, *job, *how),
        Command::ConcludeLookup { lookup, state, cause, wa_id, wa_key, was_asked } => {
            let (state, wa_key, was_asked) = (*state, *wa_key, *was_asked);
            let said = lookup::Said { state, cause, wa_id, wa_key, was_asked };
            lookup::conclude(draft, *lookup, &said, now)
        }
    }
}

fn block(
    draft: &Draft<'_>,
    contact: ContactRef,
    reason: Option<&str>,
    now: Timestamp,
) -> Result<Events, Refusal> {
    let (subject, known) = find(draft, contact)?;
    if known.details().blocked.is_some() {
        return Ok(Vec::new());
    }
    let mut events = vec![(subject, Event::ContactBlocked { reason: reason.map(Box::from) })];
    void_tickets(draft, subject, VoidCause::Blocked, now, |_| true, &mut events);
    for (other, reason) in hearing::same_person(draft, subject, known, now) {
        events.push((other, Event::ContactBlocked { reason: Some(reason) }));
        void_tickets(draft, other, VoidCause::Blocked, now, |_| true, &mut events);
    }
    Ok(events)
}

fn unblock(draft: &Draft<'_>, contact: ContactRef) -> Result<Events, Refusal> {
    let (subject, known) = find(draft, contact)?;
    let details = known.details();
    let is_blocked = details.blocked.is_some() || details.told().has_bar();
    Ok(if is_blocked { vec![(subject, Event::ContactUnblocked)] } else { Vec::new() })
}

fn traffic(
    draft: &Draft<'_>,
    (contact, newcomer): (ContactRef, Option<&Person>),
    kind: TrafficKind,
    sender: Option<&SenderId>,
    (happened_at, now): (Timestamp, Timestamp),
) -> Result<Events, Refusal> {
    let mut events = Events::new();
    let subject = match (find(draft, contact), newcomer) {
        (Ok((subject, _)), _) => subject,
        (Err(Refusal::ContactUnknown), Some(person)) => {
            person::find_or_add(draft, person, now, &mut events)?.subject
        }
        (Err(refusal), _) => return Err(refusal),
    };
    if let Some(sender) = sender
        && draft.registry().sender(sender).is_none()
    {
        return Err(Refusal::SenderUnknown);
    }
    let nothing = Told::NOTHING;
    let told = draft.contact(subject).map_or(&nothing, |known| known.details().told());
    let (code, at, is_new) = (None, happened_at, false);
    let failed = incident::Failed { subject, told, sender, code, at, is_new };
    let sender = sender.cloned();
    let (identity_hash, message) = (None, None);
    let counts_for = CountsFor::Person;
    let event =
        Event::TrafficSeen { kind, sender, happened_at, identity_hash, message, counts_for };
    failed.record(draft, event, &mut events);
    Ok(events)
}

/// Takes back what a sender that was stopped has reserved and not sent.
fn void_tickets_of(
    draft: &Draft<'_>,
    sender: &SenderId,
    now: Timestamp,
    applies: impl Fn(&Ticket) -> bool,
    events: &mut Events,
) {
    void_tickets_where(draft, now, |ticket| ticket.sender == *sender && applies(ticket), events);
}

/// The same of senders that were stopped together.
fn void_tickets_where(
    draft: &Draft<'_>,
    now: Timestamp,
    applies: impl Fn(&Ticket) -> bool,
    events: &mut Events,
) {
    for ticket in draft.open_tickets(now).into_iter().filter(|ticket| applies(ticket)) {
        if !is_closed_by(events, ticket) {
            let (subject, cause) = (draft.resolve(ticket.contact), VoidCause::SenderHalted);
            events.push((subject, Event::TicketVoided { ticket: ticket.id, cause }));
        }
    }
}

/// Takes back what was reserved of a template that must not be sent on it any more, as the template
/// stands by a report. A ticket that is good beyond the day on which the template turns marketing is
/// taken back now.
fn void_tickets_by(
    draft: &Draft<'_>,
    (template, report): (&TemplateRef, &TemplateReport),
    now: Timestamp,
    events: &mut Events,
) {
    let registry = draft.registry();
    let mut views: BTreeMap<&SenderId, TemplateView<'_>> = BTreeMap::new();
    for ticket in draft.open_tickets(now) {
        if ticket.template.as_ref() != Some(template) || is_closed_by(events, ticket) {
            continue;
        }
        let of_sender = || registry.view_for(report, Some(&ticket.sender));
        let view = views.entry(&ticket.sender).or_insert_with(of_sender);
        if let Some(cause) = stopped_by(draft, ticket, view, now) {
            let subject = draft.resolve(ticket.contact);
            events.push((subject, Event::TicketVoided { ticket: ticket.id, cause }));
        }
    }
}

/// Returns why a ticket is good no more with its template as it stands, if it is not.
fn stopped_by(
    draft: &Draft<'_>,
    ticket: &Ticket,
    view: &TemplateView<'_>,
    now: Timestamp,
) -> Option<VoidCause> {
    let registry = draft.registry();
    let topic = ticket.topic.and_then(|topic| registry.topic(registry.topic_id(topic)?));
    let is_covered = topic.is_some_and(|(_, put)| put.value.category == Category::Marketing);
    let turns = view.marketing_since.is_some_and(|(since, _)| since < ticket.expires_at);
    if view.status.stops(now) || turns && !is_covered {
        return Some(VoidCause::TemplateStopped);
    }
    let contact = draft.contact(draft.resolve(ticket.contact))?;
    let takes_none = contact.details().told().marketing_stopped().is_some();
    let is_marketing = turns || view.category == Category::Marketing;
    if is_marketing && view.quality == Some(Quality::Red) {
        return Some(VoidCause::TemplateStopped);
    }
    (is_marketing && takes_none).then_some(VoidCause::MarketingStopped)
}

/// Finds a contact that must be known.
fn find<'a>(
    draft: &'a Draft<'_>,
    contact: ContactRef,
) -> Result<(Subject, &'a crate::domain::contact::Contact), Refusal> {
    let subject = draft.find_ref(contact).ok_or(Refusal::ContactUnknown)?;
    let known = draft.contact(subject).ok_or(Refusal::ContactUnknown)?;
    Ok((subject, known))
}

/// Takes a caller's moment, or now; refuses what lies further ahead than clocks may differ.
///
/// A moment a little ahead is one that has just come: kept as it is, it would beat whatever the
/// person does in the minutes after it, a withdrawal included.
fn not_future(
    moment: Option<Timestamp>,
    member: &'static str,
    rules: &Rules,
    now: Timestamp,
) -> Result<Timestamp, Refusal> {
    match moment {
        Some(moment) if moment.ms_since(now) > rules.skew_ms => {
            Err(Refusal::InTheFuture { member, allowed_ms: rules.skew_ms })
        }
        Some(moment) => Ok(moment.min(now)),
        None => Ok(now),
    }
}

/// Returns the position the next of `events` will have.
fn upcoming(draft: &Draft<'_>, events: &Events) -> Seq {
    let len = u64::try_from(events.len()).unwrap_or(u64::MAX);
    Seq(draft.next().0.saturating_add(len))
}

/// Returns whether one of these events closes a ticket: what was taken back is not again, and what
/// was sent is not at all.
fn is_closed_by(events: &Events, ticket: &Ticket) -> bool {
    events.iter().any(|(_, event)| {
        matches!(event,
            Event::TicketVoided { ticket: id, .. } | Event::TicketCommitted { ticket: id, .. }
                if *id == ticket.id)
    })
}

/// Takes back every open ticket of a contact that `applies`, once.
fn void_tickets(
    draft: &Draft<'_>,
    subject: Subject,
    cause: VoidCause,
    now: Timestamp,
    applies: impl Fn(&Ticket) -> bool,
    events: &mut Events,
) {
    let Some(contact) = draft.contact(subject) else { return };
    let open = contact.details().tickets.iter().filter_map(|id| draft.ticket(*id));
    for ticket in open.filter(|ticket| ticket.is_open(now) && applies(ticket)) {
        if !is_closed_by(events, ticket) {
            events.push((subject, Event::TicketVoided { ticket: ticket.id, cause }));
        }
    }
}
