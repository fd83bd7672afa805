//! Contacts that WhatsApp named as one person, one by a number and one by a user id.
//!
//! They stay two until somebody merges them: what was agreed to under the one is no agreement under
//! the other. What restricts the one restricts the other, whichever of it is heard first.

use crate::domain::{
    contact::Contact,
    decide::{
        Events,
        hearing::{Hearing, follow::doubted},
        person::Found,
    },
    entry::Subject,
    event::{Event, SeenTogether},
    state::Draft,
    time::Timestamp,
};

/// The source of a withdrawal that was given under another identifier of the person.
pub(super) const SAME_PERSON: &str = "same_person";

impl Hearing<'_, '_> {
    /// Whoever gives one of their identifiers up is not known to be behind the other any more.
    pub(super) fn part(&self, moved: &(Subject, Event), events: &Events, more: &mut Events) {
        let (subject, event) = moved;
        let (Event::NumberMoved { happened_at, closed_key: None, .. }
        | Event::UserMoved { happened_at, closed_key: None, .. }) = event
        else {
            return;
        };
        let is_moved_too = |place: Subject| {
            let is_move = |event: &Event| {
                matches!(event, Event::NumberMoved { .. } | Event::UserMoved { .. })
            };
            events.iter().any(|(known, event)| *known == place && is_move(event))
        };
        let Some(contact) = self.draft.contact(*subject) else { return };
        for (place, seen_at) in ties(self.draft, *subject, contact, *happened_at) {
            if seen_at < *happened_at && !is_moved_too(place) {
                self.restrict(place, doubted(*happened_at), more);
            }
        }
    }

    /// Notes that two contacts were named as one person, and lets go along to each what restricts
    /// the other. Returns whether that is news. Whoever has a user id of their own is somebody else.
    pub(super) fn tie<'p>(
        &self,
        one: &mut Found<'p>,
        other: &mut Found<'p>,
        events: &mut Events,
    ) -> bool {
        let is_known = one.known.is_some_and(|known| {
            tied(self.draft, one.subject, known, self.at)
                .any(|place| self.draft.resolve(place) == other.subject)
        });
        let has_own_id = |found: &Found<'_>| {
            found.known.and_then(|known| known.user_key).or(found.named.user_key).is_some()
        };
        if one.subject == other.subject || (has_own_id(one) && has_own_id(other)) || is_known {
            return false;
        }
        for (subject, with) in [(one.subject, other.subject), (other.subject, one.subject)] {
            let seen = SeenTogether { with, happened_at: self.at };
            events.push((subject, Event::SeenTogether(seen)));
        }
        let (first, second) = (one.known, other.known);
        let until = end([first, second].into_iter().flatten(), self.at);
        let until = (until.unwrap_or(Timestamp::NEVER), SAME_PERSON);
        for (from, to) in [(first, &mut *other), (second, &mut *one)] {
            if let Some(from) = from {
                self.let_restrictions_go_along(from, until, to, events);
            }
        }
        for (from, to) in [(first, other.subject), (second, one.subject)] {
            let moved = from.and_then(|from| from.details().told().moved);
            if let Some(mark) = moved.filter(|mark| self.at < mark.at) {
                self.restrict(to, doubted(mark.at), events);
            }
        }
        true
    }
}

/// Returns the places of those a contact is known to be one person with, as of a moment.
pub(super) fn tied<'a>(
    draft: &'a Draft<'_>,
    subject: Subject,
    contact: &'a Contact,
    at: Timestamp,
) -> impl Iterator<Item = Subject> + 'a {
    ties(draft, subject, contact, at).map(|(place, _)| place)
}

/// Returns the same, with when the two were named together.
fn ties<'a>(
    draft: &'a Draft<'_>,
    subject: Subject,
    contact: &'a Contact,
    at: Timestamp,
) -> impl Iterator<Item = (Subject, Timestamp)> + 'a {
    contact.details().told().together.iter().filter_map(move |tie| {
        let place = draft.resolve(tie.place);
        let other = draft.contact(place).filter(|_| place != subject)?;
        let holds = end([contact, other], tie.at).is_none_or(|end| at <= end);
        (holds && may_be_one(contact, other)).then_some((place, tie.at))
    })
}

/// Returns whom these events show to be one person with a contact.
pub(super) fn tied_now(events: &Events, subject: Subject) -> impl Iterator<Item = Subject> + '_ {
    events.iter().filter_map(move |(place, event)| {
        if let Event::SeenTogether(SeenTogether { with, .. }) = event {
            Some(*with).filter(|_| *place == subject)
        } else {
            None
        }
    })
}

/// Returns those who are known to be one person with a contact that is being blocked and are not
/// blocked yet, and what to note there.
pub(in crate::domain::decide) fn same_person(
    draft: &Draft<'_>,
    subject: Subject,
    contact: &Contact,
    now: Timestamp,
) -> Vec<(Subject, Box<str>)> {
    let is_free = |place: &Subject| {
        draft.contact(*place).is_some_and(|other| other.details().blocked.is_none())
    };
    let mut others: Vec<Subject> = tied(draft, subject, contact, now).filter(is_free).collect();
    others.sort_unstable();
    others.dedup();
    let reason = || format!("{SAME_PERSON}: {}", contact.id.as_uuid()).into();
    others.into_iter().map(|place| (place, reason())).collect()
}

/// Returns whether nothing that is known speaks against two contacts being one person: WhatsApp
/// gives each of its accounts one user id.
const fn may_be_one(one: &Contact, other: &Contact) -> bool {
    one.user_key.is_none() || other.user_key.is_none()
}

/// Returns when those who were one person at `at` stopped being that: one of them moved away.
fn end<'a>(people: impl IntoIterator<Item = &'a Contact>, at: Timestamp) -> Option<Timestamp> {
    let moved = people.into_iter().filter_map(|known| known.details().told().moved);
    moved.map(|mark| mark.at).filter(|moved| at < *moved).min()
}
