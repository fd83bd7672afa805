//! Rules about failures: about a person, or an incident of the sender's.

use crate::domain::{
    decide::Events,
    entry::Subject,
    event::Event,
    hearing::Told,
    incident::{FailedNow, IncidentKind, Outcomes, Tally, failure},
    names::SenderId,
    state::Draft,
    time::Timestamp,
};

/// A failure that may say something of a person.
pub(super) struct Failed<'a> {
    pub(super) subject: Subject,
    pub(super) told: &'a Told,
    /// Whose message failed, if it is known.
    pub(super) sender: Option<&'a SenderId>,
    pub(super) code: Option<i64>,
    /// When it failed.
    pub(super) at: Timestamp,
    /// Whether a message failed that is not counted yet.
    pub(super) is_new: bool,
}

impl Failed<'_> {
    /// Records what a failure says of the person, and returns whether it says it: what an unusual
    /// share of the sender's messages has in common says nothing.
    pub(super) fn record(&self, draft: &Draft<'_>, event: Event, events: &mut Events) -> bool {
        let at = self.at;
        let Some((kind, ..)) = failure(&event) else {
            events.push((self.subject, event));
            return true;
        };
        let spared = self.sender.and_then(|sender| self.told.spared(sender, kind));
        if spared.is_some_and(|spared| at <= spared.at) {
            return false;
        }
        let known = self.sender.and_then(|id| Some((id, draft.registry().sender(id)?.0)));
        let Some((sender, place)) = known else {
            events.push((self.subject, event));
            return true;
        };
        let outcomes = draft.incidents().of(place);
        let (subject, is_new) = (Some(self.subject), self.is_new);
        let more = FailedNow { kind, at, subject, is_new };
        let tally = outcomes.and_then(|outcomes| outcomes.tally_with(more));
        let unusual = tally.filter(|tally| tally.is_unusual());
        let is_open = outcomes.is_some_and(|outcomes| outcomes.open(kind).is_some());
        let (sender, code) = (sender.clone(), self.code);
        let Some(tally) = unusual else {
            if is_open && tally.is_some() {
                let closed = Event::IncidentClosed { sender, kind, happened_at: at };
                events.push((Subject::SYSTEM, closed));
            }
            events.push((self.subject, event));
            return true;
        };
        if !is_open {
            events.push((Subject::SYSTEM, opened(outcomes, &sender, (kind, at), tally)));
        }
        let spared = Event::FailureSpared { sender, kind, code, happened_at: at };
        events.push((self.subject, spared));
        false
    }
}

/// Records an incident that shows by what failed and marks nobody: for somebody nobody knows, or in
/// a way that says nothing lasting of people; or that it is one no more.
pub(super) fn weigh_unmarked(
    draft: &Draft<'_>,
    sender: &SenderId,
    (kind, at, subject): (IncidentKind, Timestamp, Option<Subject>),
    events: &mut Events,
) {
    let Some(outcomes) = outcomes_of(draft, sender) else { return };
    let more = FailedNow { kind, at, subject, is_new: true };
    let Some(tally) = outcomes.tally_with(more) else { return };
    let event = match (tally.is_unusual(), outcomes.open(kind).is_some()) {
        (true, false) => opened(Some(outcomes), sender, (kind, at), tally),
        (false, true) => Event::IncidentClosed { sender: sender.clone(), kind, happened_at: at },
        (true, true) | (false, false) => return,
    };
    events.push((Subject::SYSTEM, event));
}

/// Records which incidents are over when a message came to something else: nothing failed so for
/// an hour.
pub(super) fn close_over(
    draft: &Draft<'_>,
    sender: &SenderId,
    (now, at): (Option<IncidentKind>, Timestamp),
    events: &mut Events,
) {
    let over = outcomes_of(draft, sender).into_iter().flat_map(|outcomes| outcomes.over_at(at));
    for kind in over.filter(|kind| Some(*kind) != now) {
        let sender = sender.clone();
        events.push((Subject::SYSTEM, Event::IncidentClosed { sender, kind, happened_at: at }));
    }
}

fn outcomes_of<'a>(draft: &'a Draft<'_>, sender: &SenderId) -> Option<&'a Outcomes> {
    let (place, _) = draft.registry().sender(sender)?;
    draft.incidents().of(place)
}

fn opened(
    outcomes: Option<&Outcomes>,
    sender: &SenderId,
    (kind, at): (IncidentKind, Timestamp),
    tally: Tally,
) -> Event {
    Event::IncidentOpened {
        sender: sender.clone(),
        kind,
        happened_at: at,
        failed: tally.failed,
        outcomes: tally.outcomes,
        absolved: outcomes.map(|known| known.blamed(kind, at)).unwrap_or_default(),
    }
}
