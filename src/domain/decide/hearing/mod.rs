//! Rules about what WhatsApp says. Nothing here is refused for being late, repeated or in doubt.
//!
//! An entry is made only where something changes, so that traffic needs no list of what was heard
//! already. What may be a mistake falls on the silent side.

mod answer;
mod business;
mod delivery;
mod follow;
mod identity;
mod kept;
mod pair;
mod person;
mod review;
#[cfg(test)]
mod tests;
mod together;
mod wrote;

pub(super) use follow::followers;
pub(super) use review::decide as decide_review;
pub(super) use together::same_person;

use smallvec::SmallVec;

use self::person::Parts;
use crate::domain::{
    absorbed::Mark,
    command::{ContactRef, Person, UserIdentifier},
    consent::Consent,
    decide::{Events, Rules, person::Found, void_tickets},
    entry::Subject,
    event::Event,
    hearing::{Heard, HeardFact, Preference},
    identity::{Change, IdentityTag},
    ids::ContactId,
    key::ContactKey,
    named::{KeyTag, Named},
    refusal::Refusal,
    registry::Category,
    state::Draft,
    ticket::{Ticket, VoidCause},
    time::Timestamp,
};

/// What every rule about what was heard looks at.
#[derive(Clone, Copy)]
struct Hearing<'a, 'd> {
    draft: &'a Draft<'d>,
    rules: &'a Rules,
    heard: &'a Heard,
    /// When it happened, for what keeps silent: ahead of `now` by no more than clocks differ.
    at: Timestamp,
    /// When it happened, for what permits: never later than `now`, so that it beats nothing that
    /// comes after it.
    past: Timestamp,
    now: Timestamp,
}

/// Decides what one thing WhatsApp said changes.
pub(super) fn hear(
    draft: &Draft<'_>,
    rules: &Rules,
    heard: &Heard,
    now: Timestamp,
) -> Result<Events, Refusal> {
    let at = heard.at.min(now.plus_ms(rules.skew_ms));
    let hearing = Hearing { draft, rules, heard, at, past: at.min(now), now };
    // Who is one person is settled before what is said of them, but for who is one from then on.
    let mut events = hearing.pair_before()?;
    if events.is_empty() {
        events = hearing.told()?;
    } else {
        events.extend(Hearing { draft: &draft.foresee(&events, now), ..hearing }.told()?);
    }
    if let HeardFact::MovedUser { .. } | HeardFact::MovedNumber { .. } = &heard.fact {
        events.extend(Hearing { draft: &draft.foresee(&events, now), ..hearing }.pair_after()?);
    }
    Ok(events)
}

impl Hearing<'_, '_> {
    /// Decides what the fact itself says.
    fn told(&self) -> Result<Events, Refusal> {
        let mut events = Events::new();
        match &self.heard.fact {
            HeardFact::Wrote(wrote) => self.wrote(wrote, &mut events)?,
            HeardFact::Delivery(delivery) => self.delivery(delivery, &mut events)?,
            HeardFact::MarketingPreference { person, is_stopped } => {
                self.preference(person, *is_stopped, &mut events)?;
            }
            HeardFact::MovedNumber { old, new } => {
                self.moved_number(old, new.as_ref(), &mut events)?;
            }
            HeardFact::MovedUser { previous, new, new_id, number: _ } => {
                let (number, user) = (None, Some(previous.clone()));
                let previous = Person { number, user, new_id: *new_id };
                self.close(
                    &previous,
                    |closed_key| user_moved(new, self.at, closed_key),
                    &mut events,
                )?;
            }
            HeardFact::IdentityChanged { person, hash } => {
                self.identity_changed(person, hash.as_deref(), &mut events)?;
            }
            HeardFact::Account(fact) => self.account(fact, &mut events),
            HeardFact::Template(fact) => self.template(fact, &mut events),
            HeardFact::SenderNumber(fact) => self.sender(fact, &mut events),
            HeardFact::Limit { limit } => self.limit(*limit, &mut events),
        }
        self.learn(&mut events);
        self.pass_on(&mut events);
        Ok(events)
    }

    /// Returns whether a person is named by nothing but a user id that somebody else's number had
    /// before.
    fn is_former(&self, person: &Person) -> bool {
        let user = person.user.as_ref().filter(|_| person.number.is_none());
        let contact = |key| self.draft.contact(self.draft.find(key)?);
        user.is_some_and(|user| contact(user.key).is_some_and(|it| it.is_former(user.key, self.at)))
    }

    /// The latest word counts. Whoever is not known becomes known: the stop must find them later.
    fn preference(
        &self,
        person: &Person,
        is_stopped: bool,
        events: &mut Events,
    ) -> Result<(), Refusal> {
        // Who had a number before whoever has it now can only take something back.
        if !is_stopped && self.is_former(person) {
            return Ok(());
        }
        let happened_at = if is_stopped { self.at } else { self.past };
        for found in self.everyone(person, is_stopped, events)? {
            let known = found.known.and_then(|known| known.details().told().preference);
            if Preference::is_news(known, is_stopped, happened_at) {
                let event = Event::MarketingPreferenceSeen { is_stopped, happened_at };
                events.push((found.subject, event));
                if is_stopped {
                    self.void_marketing(found.subject, events);
                }
            }
        }
        Ok(())
    }

    /// Takes back what was to be sent to somebody who takes no marketing any more.
    fn void_marketing(&self, subject: Subject, events: &mut Events) {
        let registry = self.draft.registry();
        let is_marketing = |ticket: &Ticket| {
            let template = ticket.template.as_ref();
            let view = template.and_then(|id| registry.template_for(id, Some(&ticket.sender)));
            ticket.category == Some(Category::Marketing)
                || view.is_some_and(|view| view.is_marketing(self.now))
        };
        let cause = VoidCause::MarketingStopped;
        void_tickets(self.draft, subject, cause, self.now, is_marketing, events);
    }

    /// The number they had is closed. What they agreed to was agreed under that number, and does
    /// not move: the one who has it next must be asked. Whoever we knew by the number they have now
    /// had it before them.
    fn moved_number(
        &self,
        old: &Person,
        new: Option<&Person>,
        events: &mut Events,
    ) -> Result<(), Refusal> {
        let number = new.and_then(|new| new.number.as_ref());
        let number_key = number.map(|number| number.key);
        if number_key.is_some() && number_key == old.number.as_ref().map(|old| old.key) {
            return self.renamed(old, new, events);
        }
        let moved = |closed_key| Event::NumberMoved {
            happened_at: self.at,
            number: number.map(|number| number.number.clone()),
            number_key,
            closed_key,
        };
        let closed = self.close(old, moved, events)?;
        let (Some(new), Some(key)) = (new, number_key) else { return Ok(()) };
        if self.was_heard(&closed, key) {
            return Ok(());
        }
        // A move that is older than the one known closes nothing, and is known from now on.
        let is_moved = |event: &Event| matches!(event, Event::NumberMoved { .. });
        if let Some((subject, contact)) =
            closed.first().and_then(|at| Some((*at, self.draft.contact(*at)?)))
            && !events.iter().any(|(_, event)| is_moved(event))
        {
            let [number, user] =
                [old.number.as_ref().map(|it| it.key), old.user.as_ref().map(|it| it.key)];
            let is_whole = contact.details().told().moved.is_some();
            events.push((subject, moved(number.or(user).filter(|_| !is_whole))));
        }
        if self.draft.find(key).is_some_and(|known| closed.contains(&known)) {
            return Ok(());
        }
        // Whom the old number leads to is closed: the id says nothing of the new one then.
        let is_new = |user: &UserIdentifier| {
            let is_old = old.user.as_ref().is_some_and(|old| old.key == user.key);
            !is_old && self.draft.find(user.key).is_none_or(|known| !closed.contains(&known))
        };
        let user = new.user.clone().filter(is_new);
        self.follow(&closed, &Person { user, ..new.clone() }, events)
    }

    /// Two spellings of one number are no move. Another user id for it closes the one before.
    fn renamed(
        &self,
        old: &Person,
        new: Option<&Person>,
        events: &mut Events,
    ) -> Result<(), Refusal> {
        let users = old.user.as_ref().zip(new.and_then(|new| new.user.as_ref()));
        let Some((previous, new)) = users.filter(|(previous, new)| previous.key != new.key) else {
            return Ok(());
        };
        let (number, user) = (None, Some(previous.clone()));
        let previous = Person { number, user, new_id: old.new_id };
        self.close(&previous, |closed_key| user_moved(new, self.at, closed_key), events)?;
        Ok(())
    }

    /// Closes every contact the old identifiers lead to, and adds whom nobody knew: who turns up
    /// under them next is somebody else. Where an identifier only came to a contact by a merge, the
    /// contact stays open by its own.
    fn close(
        &self,
        old: &Person,
        event: impl Fn(Option<ContactKey>) -> Event,
        events: &mut Events,
    ) -> Result<Vec<Subject>, Refusal> {
        let mut closed = Vec::new();
        if old.number.is_none() && old.user.is_none() {
            return Ok(closed);
        }
        let Parts { main, other } = self.parts(old);
        for person in [Some(main), other].into_iter().flatten() {
            let found = self.find_or_add(&person, events)?;
            closed.push(found.subject);
            let number = person.number.as_ref().map(|number| number.key);
            let user = person.user.as_ref().map(|user| user.key);
            let keys: SmallVec<[ContactKey; 2]> = [number, user].into_iter().flatten().collect();
            let is_own = |key: &ContactKey| {
                found.known.is_none_or(|known| {
                    let Named { number_key, user_key } = known.own();
                    let others = [known.aliases().wa_key, known.former_user()];
                    let own = [number_key, user_key].into_iter().chain(others);
                    own.flatten().any(|own| own == *key)
                        || self.draft.place_of(ContactRef::Key(*key)).is_none()
                })
            };
            let told = found.known.map(|known| known.details().told());
            let moved = told.and_then(|told| told.moved);
            let closed_at = |key: &ContactKey| told.and_then(|told| told.closed(*key));
            if keys.iter().any(is_own) {
                let known = keys.iter().filter(|key| is_own(key)).filter_map(closed_at);
                let known = known.chain(moved).max_by_key(|mark| mark.at);
                if Mark::is_news(known, self.at) {
                    events.push((found.subject, event(None)));
                    self.void_closed(&found, (&keys, self.at), events);
                }
                continue;
            }
            for key in keys {
                if Mark::is_news(closed_at(&key), self.at) {
                    events.push((found.subject, event(Some(key))));
                    self.void_closed(&found, (&[key], self.at), events);
                }
            }
        }
        Ok(closed)
    }

    /// As something that happened then and is heard now.
    fn as_of(&self, at: Timestamp) -> Mark {
        Mark { at, seq: self.draft.next() }
    }

    /// Takes back what was reserved, unless that was done on an agreement from after a moment, or
    /// in it by whoever was there from it on.
    fn void_before(
        &self,
        found: &Found<'_>,
        cause: VoidCause,
        (at, tag): (Timestamp, Option<IdentityTag>),
        events: &mut Events,
    ) {
        let since = Change::of(at, self.draft.next(), tag);
        self.void_unless(found, cause, |act| act.is_registration_since(since), events);
    }

    /// Takes back what was reserved, unless that was done on an agreement from after these
    /// identifiers were given up, and under one of them. A ticket does not say to which of several
    /// it goes.
    fn void_closed(
        &self,
        found: &Found<'_>,
        (keys, at): (&[ContactKey], Timestamp),
        events: &mut Events,
    ) {
        let own = |key| found.known.map_or(key, |known| known.as_own(key));
        let tags: SmallVec<[KeyTag; 2]> = keys.iter().map(|key| KeyTag::of(own(*key))).collect();
        let is_good =
            |act: &Consent| tags.iter().any(|tag| act.is_agreed_under(*tag, self.as_of(at)));
        self.void_unless(found, VoidCause::NumberChanged, is_good, events);
    }

    /// Takes back what was reserved, unless a good agreement is behind it.
    fn void_unless(
        &self,
        found: &Found<'_>,
        cause: VoidCause,
        is_good: impl Fn(&Consent) -> bool,
        events: &mut Events,
    ) {
        let is_before = |ticket: &Ticket| {
            let is_behind = |act: &Consent| {
                let is_about = ticket.topic.is_none_or(|topic| act.topic == topic);
                let is_known = act.at <= ticket.reserved_at;
                is_about && is_known && is_good(act)
            };
            !found.known.is_some_and(|known| known.consents.acts().any(is_behind))
        };
        void_tickets(self.draft, found.subject, cause, self.now, is_before, events);
    }
}

fn user_moved(new: &UserIdentifier, at: Timestamp, closed_key: Option<ContactKey>) -> Event {
    let (user_id, user_key) = (new.user_id.clone(), new.key);
    Event::UserMoved { happened_at: at, user_id, user_key, closed_key }
}

/// Nobody: stands where a contact is known already.
fn nobody(new_id: ContactId) -> Person {
    Person { number: None, user: None, new_id }
}
