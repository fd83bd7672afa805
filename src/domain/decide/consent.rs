//! Rules about agreeing and withdrawing.

use crate::domain::{
    command::{OptIn, OptOut, Person},
    consent::{Act, ConsentStatus, TopicIx},
    contact::Contact,
    decide::{Events, Rules, not_future, void_tickets},
    entry::Subject,
    event::{Event, OptedIn, OptedOut, StatementShown, TopicOutcome},
    names::TopicId,
    refusal::Refusal,
    state::Draft,
    ticket::VoidCause,
    time::{DAY_MS, Timestamp},
};

/// An opt-in is always recorded; what it changes depends on what came after it.
pub(super) fn opt_in(
    draft: &Draft<'_>,
    rules: &Rules,
    opt_in: &OptIn,
    now: Timestamp,
) -> Result<Events, Refusal> {
    let captured_at = not_future(opt_in.captured_at, rules, now)?;
    let topics = find_topics(draft, &opt_in.topics)?;
    let statement = match &opt_in.statement {
        Some(id) => {
            let version = draft.registry().statement(id).ok_or(Refusal::StatementUnknown)?;
            let language = opt_in.language.clone();
            Some(StatementShown { id: id.clone(), digest: version.digest.clone(), language })
        }
        None => None,
    };
    let mut events = Vec::with_capacity(2);
    let (subject, known) = find_or_add(draft, &opt_in.person, &mut events)?;
    let act = if opt_in.awaits_confirmation { Act::Asked } else { Act::Agreed };
    let outcomes = topics.iter().map(|(id, ix, expires_after_days)| {
        let expires_at = expires_after_days
            .filter(|_| act == Act::Agreed)
            .map(|days| captured_at.plus_ms(i64::from(days).saturating_mul(DAY_MS)));
        outcome(known, id, *ix, act, captured_at, expires_at, now)
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

/// An opt-out is always recorded, also of people nobody knew, and takes back their tickets.
pub(super) fn opt_out(
    draft: &Draft<'_>,
    rules: &Rules,
    opt_out: &OptOut,
    now: Timestamp,
) -> Result<Events, Refusal> {
    let captured_at = not_future(opt_out.captured_at, rules, now)?;
    let named = match &opt_out.topics {
        Some(topics) => Some(find_topics(draft, topics)?),
        None => None,
    };
    let mut events = Vec::with_capacity(2);
    let (subject, known) = find_or_add(draft, &opt_out.person, &mut events)?;
    let topics = match &named {
        Some(named) => named.iter().map(|(id, ix, _)| (id.clone(), *ix)).collect(),
        None => known_topics(draft, known),
    };
    let outcomes = topics
        .iter()
        .map(|(id, ix)| outcome(known, id, *ix, Act::TookBack, captured_at, None, now));
    let event = OptedOut {
        number: opt_out.person.number.as_ref().map(|number| number.number.clone()),
        written: opt_out.person.number.as_ref().and_then(|number| number.written.clone()),
        everything: named.is_none(),
        topics: outcomes.collect(),
        captured_at,
        source: opt_out.source.clone(),
        reason: opt_out.reason.clone(),
    };
    events.push((subject, Event::OptedOut(Box::new(event))));
    let covers = |topic: Option<TopicIx>| match &named {
        Some(named) => named.iter().any(|(_, ix, _)| Some(*ix) == topic),
        None => true,
    };
    let applies = |ticket: &crate::domain::ticket::Ticket| covers(ticket.topic);
    void_tickets(draft, subject, VoidCause::Withdrawn, now, applies, &mut events);
    Ok(events)
}

/// What `act` leaves one topic at, without changing anything.
fn outcome(
    known: Option<&Contact>,
    topic: &TopicId,
    ix: TopicIx,
    act: Act,
    at: Timestamp,
    expires_at: Option<Timestamp>,
    now: Timestamp,
) -> TopicOutcome {
    let topic = topic.clone();
    if let Some(known) = known
        && !known.consents.would_decide(ix, act, at)
    {
        let standing = known.consents.standing(ix, now);
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

fn known_topics(draft: &Draft<'_>, known: Option<&Contact>) -> Vec<(TopicId, TopicIx)> {
    let Some(known) = known else { return Vec::new() };
    let topics = known.consents.topics();
    topics.filter_map(|ix| Some((draft.registry().topic_id(ix)?.clone(), ix))).collect()
}

/// Finds the person, links an identifier that is new, or adds them.
fn find_or_add<'a>(
    draft: &'a Draft<'_>,
    person: &Person,
    events: &mut Events,
) -> Result<(Subject, Option<&'a Contact>), Refusal> {
    let by_number = person.number.as_ref().and_then(|number| draft.find(number.key));
    let by_user = person.user.as_ref().and_then(|user| draft.find(user.key));
    let subject = match (by_number, by_user) {
        (Some(number), Some(user)) if number != user => return Err(Refusal::IdentifiersConflict),
        (Some(subject), _) | (None, Some(subject)) => subject,
        (None, None) => return add(draft, person, events).map(|subject| (subject, None)),
    };
    let known = draft.contact(subject).ok_or(Refusal::ContactUnknown)?;
    let new_number = person.number.as_ref().filter(|number| {
        by_number.is_none() && {
            // A contact keeps its number: another one would be another person's claim.
            known.number_key.is_none() || known.number_key == Some(number.key)
        }
    });
    let new_user = person.user.as_ref().filter(|_| by_user.is_none() && known.user_key.is_none());
    let lost_number = person.number.is_some() && by_number.is_none() && new_number.is_none();
    let lost_user = person.user.is_some() && by_user.is_none() && new_user.is_none();
    if lost_number || lost_user {
        return Err(Refusal::IdentifiersConflict);
    }
    if new_number.is_some() || new_user.is_some() {
        let event = Event::IdentifierLinked {
            number: new_number.map(|number| number.number.clone()),
            number_key: new_number.map(|number| number.key),
            number_valid: new_number.is_some_and(|number| number.is_valid),
            user_id: new_user.map(|user| user.user_id.clone()),
            user_key: new_user.map(|user| user.key),
        };
        events.push((subject, event));
    }
    Ok((subject, Some(known)))
}

fn add(draft: &Draft<'_>, person: &Person, events: &mut Events) -> Result<Subject, Refusal> {
    let subject = draft.next_contact();
    if person.number.is_none() && person.user.is_none() {
        return Err(Refusal::PersonUnnamed);
    }
    if subject.0 >= crate::domain::state::CONTACTS_MAX {
        return Err(Refusal::ContactsFull);
    }
    let number = person.number.as_ref();
    let user = person.user.as_ref();
    let event = Event::ContactAdded {
        contact: person.new_id,
        number: number.map(|number| number.number.clone()),
        number_key: number.map(|number| number.key),
        number_valid: number.is_some_and(|number| number.is_valid),
        user_id: user.map(|user| user.user_id.clone()),
        user_key: user.map(|user| user.key),
    };
    events.push((subject, event));
    Ok(subject)
}
