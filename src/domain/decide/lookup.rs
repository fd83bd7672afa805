//! Rules about look-ups: traffic first, then the cache, then a provider, and only within budget.

use std::borrow::Cow;

use crate::domain::{
    command::RequestLookups,
    contact::{Contact, LookupState},
    decide::{Events, Rules, spelling},
    event::Event,
    governor::LookupPolicy,
    ids::LookupId,
    key::ContactKey,
    refusal::Refusal,
    state::Draft,
    time::Timestamp,
};

/// How a number can be answered for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LookupPlan {
    /// Traffic has shown it.
    Traffic {
        /// Whether the number is on WhatsApp.
        state: LookupState,
        /// When it showed.
        at: Timestamp,
    },
    /// A look-up has shown it, not long ago.
    Cached {
        /// What it said.
        state: LookupState,
        /// When.
        at: Timestamp,
    },
    /// A look-up is under way.
    UnderWay,
    /// Nobody may ask: the person has not opted in.
    NotOptedIn,
    /// A provider must be asked.
    Ask,
}

/// Plans how to answer for one contact at `now`; `None` is a person nothing is known of.
pub fn plan_lookup(contact: Option<&Contact>, policy: &LookupPolicy, now: Timestamp) -> LookupPlan {
    let Some(contact) = contact else { return LookupPlan::NotOptedIn };
    let details = contact.details();
    if let Some((at, _)) = details.traffic.unreachable() {
        // A failure has several causes: it makes "not on WhatsApp" likely, never certain.
        return LookupPlan::Traffic { state: LookupState::Unknown, at };
    }
    if let Some(at) = details.traffic.reached_at {
        return LookupPlan::Traffic { state: LookupState::Registered, at };
    }
    if let Some(lookup) = &details.lookup {
        if lookup.pending.is_some() {
            return LookupPlan::UnderWay;
        }
        match lookup.answer {
            Some((state @ (LookupState::Registered | LookupState::NotRegistered), at))
                if now.ms_since(at) < policy.cache_ms =>
            {
                return LookupPlan::Cached { state, at };
            }
            Some(_) | None => {}
        }
    }
    if policy.requires_opt_in && !contact.consents.has_granted(now) {
        return LookupPlan::NotOptedIn;
    }
    LookupPlan::Ask
}

/// Reserves every look-up that is needed, or none.
pub(super) fn request(
    draft: &Draft<'_>,
    rules: &Rules,
    request: &RequestLookups,
    now: Timestamp,
) -> Result<Events, Refusal> {
    let mut events: Events = Vec::new();
    for (key, lookup) in &request.numbers {
        let Some(subject) = draft.find(*key) else { continue };
        let plan = plan_lookup(draft.contact(subject), &rules.lookup, now);
        let is_new = events.iter().all(|(known, _)| *known != subject);
        if plan == LookupPlan::Ask && request.has_provider && is_new {
            events.push((subject, Event::LookupRequested { lookup: *lookup }));
        }
    }
    let wanted = u64::try_from(events.len()).unwrap_or(u64::MAX);
    let left = draft.governor().budget(&rules.lookup, now).left;
    if wanted > left {
        let frees_at = draft.governor().frees_at(&rules.lookup, wanted, now);
        return Err(Refusal::LookupBudget { wanted, left, frees_at });
    }
    Ok(events)
}

/// What a provider said, as the command tells it.
pub(super) struct Said<'a> {
    pub(super) state: LookupState,
    pub(super) cause: &'a Option<Box<str>>,
    pub(super) wa_id: &'a Option<Box<str>>,
    pub(super) wa_key: Option<ContactKey>,
}

/// Ends a look-up once. A number WhatsApp answered with that is nobody's finds the contact from
/// then on; one that is somebody's makes the two possible duplicates and no more.
pub(super) fn conclude(
    draft: &Draft<'_>,
    lookup: LookupId,
    said: &Said<'_>,
    now: Timestamp,
) -> Result<Events, Refusal> {
    let subject = draft.lookup(lookup).ok_or(Refusal::LookupUnknown)?;
    let wa_key = said.wa_key.filter(|key| draft.find(*key).is_none());
    let mut events = Vec::with_capacity(1);
    if let (Some(key), Some(contact)) = (wa_key, draft.contact(subject)) {
        let mut consents = Cow::Borrowed(&contact.consents);
        spelling::take_over(draft, subject, key, &mut consents, now, &mut events);
    }
    let Said { state, cause, wa_id, .. } = *said;
    let (cause, wa_id) = (cause.clone(), wa_id.clone());
    events.push((subject, Event::LookupConcluded { lookup, state, cause, wa_id, wa_key }));
    Ok(events)
}
