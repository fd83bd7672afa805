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
    pub(super) fn tie(
        &self,
        one: &mut Found<'_>,
        other: &mut Found<'_>,
        events: &mut Events,
    ) -> bool {
        let (Some(first), Some(second)) = (one.known, other.known) else { return false };
        let is_known = tied(self.draft, one.subject, first, self.at)
            .any(|place| self.draft.resolve(place) == other.subject);
        if one.subject == other.subject || !may_be_one(first, second) || is_known {
            return false;
        }
        for (subject, with) in [(one.subject, other.subject), (other.subject, one.subject)] {
            let seen = SeenTogether { with, happened_at: self.at };
            events.push((subject, Event::SeenTogether(seen)));
        }
        let until = (end(first, second, self.at).unwrap_or(Timestamp::NEVER), SAME_PERSON);
        self.let_restrictions_go_along(first, until, other, events);
        self.let_restrictions_go_along(second, until, one, events);
        for (from, to) in [(first, other.subject), (second, one.subject)] {
            let moved = from.details().told().moved.filter(|mark| self.at < mark.at);
            if let Some(mark) = moved {
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
        let holds = end(contact, other, tie.at).is_none_or(|end| at <= end);
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

/// Returns when two who were one person at `at` stopped being that: one of the two moved away.
fn end(one: &Contact, other: &Contact, at: Timestamp) -> Option<Timestamp> {
    let moved = [one, other].map(|contact| contact.details().told().moved.map(|mark| mark.at));
    moved.into_iter().flatten().filter(|moved| at < *moved).min()
}
