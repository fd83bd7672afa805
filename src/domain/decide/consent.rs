//! Rules about agreeing and withdrawing.

use std::borrow::Cow;

use crate::domain::{
    command::{OptIn, OptOut},
    consent::{Act, ConsentStatus, Consents, TopicIx},
    decide::{
        Events, Rules, not_future,
        person::{Found, claimed, find_or_add},
        spelling::{self, Stop},
        upcoming, void_tickets,
    },
    event::{Event, OptedIn, OptedOut, StatementShown, TopicOutcome},
    names::TopicId,
    refusal::Refusal,
    registry::Statement,
    state::Draft,
    ticket::{Ticket, VoidCause},
    time::{DAY_MS, Timestamp},
};

/// An opt-in is always recorded; what it changes depends on what came after it.
pub(super) fn opt_in(
    draft: &Draft<'_>,
    rules: &Rules,
    opt_in: &OptIn,
    now: Timestamp,
) -> Result<Events, Refusal> {
    let captured_at = not_future(opt_in.captured_at, "captured_at", rules, now)?;
    let topics = find_topics(draft, &opt_in.topics)?;
    let statement = shown(draft, opt_in)?;
    let mut events = Vec::with_capacity(2);
    let person = claimed(opt_in);
    let Found { subject, consents, .. } = find_or_add(draft, &person, now, &mut events)?;
    let act = if opt_in.awaits_confirmation { Act::Asked } else { Act::Agreed };
    let outcomes = topics.iter().map(|(id, ix, expires_after_days)| {
        let expires_at = expires_after_days
            .filter(|_| act == Act::Agreed)
            .map(|days| captured_at.plus_ms(i64::from(days).saturating_mul(DAY_MS)));
        outcome(&consents, id, *ix, act, captured_at, expires_at, now)
    });
    let event = OptedIn {
        number: opt_in.person.number.as_ref().map(|number| number.number.clone()),
        written: opt_in.person.number.as_ref().and_then(|number| number.written.clone()),
        topics: outcomes.collect(),
        captured_at,
        awaits_confirmation: opt_in.awaits_confirmation,
        source: opt_in.source.clone(),
        statement,
        evidence: opt_in.evidence.clone(),
    };
    events.push((subject, Event::OptedIn(Box::new(event))));
    Ok(events)
}

/// Finds the words that were shown. They prove nothing about a topic they do not name, and nobody
/// was shown them in a language they do not have.
fn shown(draft: &Draft<'_>, opt_in: &OptIn) -> Result<Option<StatementShown>, Refusal> {
    let language = opt_in.language.clone();
    let Some(id) = &opt_in.statement else {
        return language.map_or(Ok(None), |_| Err(Refusal::StatementMissing));
    };
    let version = draft.registry().statement(id).ok_or(Refusal::StatementUnknown)?;
    let Statement { business_name: _, texts, topics } = &version.value;
    if language.as_ref().is_some_and(|language| !texts.contains_key(language)) {
        return Err(Refusal::StatementLanguage);
    }
    let is_missing = |topic: &TopicId| !topics.is_empty() && !topics.contains(topic);
    if let Some(place) = opt_in.topics.iter().position(is_missing) {
        return Err(Refusal::StatementTopic { place });
    }
    Ok(Some(StatementShown { id: id.clone(), digest: version.digest.clone(), language }))
}

/// An opt-out is always recorded, also of people nobody knew, and takes back their tickets.
pub(super) fn opt_out(
    draft: &Draft<'_>,
    rules: &Rules,
    opt_out: &OptOut,
    now: Timestamp,
) -> Result<Events, Refusal> {
    let captured_at = not_future(opt_out.captured_at, "captured_at", rules, now)?;
    let named = match &opt_out.topics {
        Some(topics) => Some(find_topics(draft, topics)?),
        None => None,
    };
    let mut events = Vec::with_capacity(2);
    let found = find_or_add(draft, &opt_out.person, now, &mut events)?;
    let Found { subject, known, consents } = found;
    let named: Option<Vec<_>> =
        named.map(|named| named.into_iter().map(|(id, ix, _)| (id, ix)).collect());
    let topics = match &named {
        Some(named) => named.clone(),
        None => known_topics(draft, &consents),
    };
    let outcomes = topics
        .iter()
        .map(|(id, ix)| outcome(&consents, id, *ix, Act::TookBack, captured_at, None, now));
    let spellings = spelling::weak_of(draft, subject, known, opt_out.person.number.as_ref());
    let seq = upcoming(draft, &events);
    let event = OptedOut {
        number: opt_out.person.number.as_ref().map(|number| number.number.clone()),
        written: opt_out.person.number.as_ref().and_then(|number| number.written.clone()),
        everything: named.is_none(),
        topics: outcomes.collect(),
        captured_at,
        source: opt_out.source.clone(),
        reason: opt_out.reason.clone(),
        weak_keys: spellings.unknown,
        derived_from: None,
    };
    events.push((subject, Event::OptedOut(Box::new(event))));
    let stop = Stop { topics: named.as_deref(), at: captured_at, seq };
    let applies = |ticket: &Ticket| stop.covers(ticket.topic);
    void_tickets(draft, subject, VoidCause::Withdrawn, now, applies, &mut events);
    for (other, contact) in spellings.known {
        let mut consents = Cow::Borrowed(&contact.consents);
        stop.reach(draft, other, &mut consents, now, &mut events);
    }
    Ok(events)
}

/// What `act` leaves one topic at, without changing anything.
pub(super) fn outcome(
    consents: &Consents,
    topic: &TopicId,
    ix: TopicIx,
    act: Act,
    at: Timestamp,
    expires_at: Option<Timestamp>,
    now: Timestamp,
) -> TopicOutcome {
    let topic = topic.clone();
    if !consents.would_decide(ix, act, at) {
        let standing = consents.standing(ix, now);
        return TopicOutcome {
            topic,
            status: standing.status,
            at: standing.at.unwrap_or(at),
            expires_at: standing.expires_at,
            seq: standing.seq,
        };
    }
    let status = match act {
        Act::Asked => ConsentStatus::Pending,
        Act::Agreed if expires_at.is_some_and(|end| end <= now) => ConsentStatus::Expired,
        Act::Agreed => ConsentStatus::Granted,
        Act::TookBack => ConsentStatus::Withdrawn,
    };
    TopicOutcome { topic, status, at, expires_at, seq: None }
}

type FoundTopic = (TopicId, TopicIx, Option<u32>);

fn find_topics(draft: &Draft<'_>, ids: &[TopicId]) -> Result<Vec<FoundTopic>, Refusal> {
    let mut found: Vec<FoundTopic> = Vec::with_capacity(ids.len());
    for (place, id) in ids.iter().enumerate() {
        let (ix, put) =
            draft.registry().topic(id).ok_or(Refusal::TopicUnknown { place: Some(place) })?;
        // The same topic named twice is one topic.
        if found.iter().all(|(_, known, _)| *known != ix) {
            found.push((id.clone(), ix, put.value.expires_after_days));
        }
    }
    Ok(found)
}

/// Returns the topics anything was recorded about.
pub(super) fn known_topics(draft: &Draft<'_>, consents: &Consents) -> Vec<(TopicId, TopicIx)> {
    let named = |ix| Some((draft.registry().topic_id(ix)?.clone(), ix));
    consents.topics().filter_map(named).collect()
}
