//! A number and a user id that WhatsApp names together are one person's.
//!
//! What was known of them apart is joined by its own dates, as if they had been named together from
//! the start. Of two user ids that were named with one number the later has it: whoever had the
//! other is gone, and what was agreed to before the later one came is suspended.

use crate::domain::{
    absorbed::Mark,
    command::{ContactRef, NumberIdentifier, Person, UserIdentifier},
    contact::Contact,
    decide::{
        Events,
        hearing::{
            Hearing,
            follow::{doubted, movers},
        },
        merge,
        person::Found,
        spelling::Stop,
        void_tickets,
    },
    entry::Subject,
    event::{Event, PairSeen},
    hearing::{HeardFact, Wrote},
    key::ContactKey,
    names::TopicId,
    pair::Paired,
    refusal::Refusal,
    registry::Category,
    state::Draft,
    ticket::{Ticket, VoidCause},
    time::Timestamp,
};

/// Why two contacts became one: WhatsApp named an identifier of each as one person's.
const NAMED_TOGETHER: &str = "named_together";

impl Hearing<'_, '_> {
    /// Returns what it changes that a fact names a number and a user id together, before anything
    /// else that the fact says.
    pub(super) fn pair_before(&self) -> Result<Events, Refusal> {
        let Some((number, user)) = self.named_both() else { return Ok(Events::new()) };
        let mut paired = self.pair_of(number, user, Some(self.at));
        self.leave(number, user, &mut paired);
        self.with_fallen(paired)
    }

    /// Returns what it changes that a number is named with the user id somebody got with it, after what
    /// they had before is given up.
    pub(super) fn pair_after(&self) -> Result<Events, Refusal> {
        let (person, seen_at) = match &self.heard.fact {
            HeardFact::MovedUser { number, new, new_id, .. } => {
                let (number, user) = (number.clone(), Some(new.clone()));
                (Person { number, user, new_id: *new_id }, None)
            }
            HeardFact::MovedNumber { new: Some(new), .. } => (new.clone(), Some(self.at)),
            HeardFact::MovedNumber { new: None, .. }
            | HeardFact::Wrote(_)
            | HeardFact::Delivery(_)
            | HeardFact::MarketingPreference { .. }
            | HeardFact::IdentityChanged { .. }
            | HeardFact::Account(_)
            | HeardFact::Template(_)
            | HeardFact::SenderNumber(_)
            | HeardFact::Limit { .. } => return Ok(Events::new()),
        };
        let (Some(number), Some(user)) = (&person.number, &person.user) else {
            return Ok(Events::new());
        };
        let mut paired = self.pair_of(number, user, seen_at);
        let is_known = person.number.as_ref().is_some_and(|it| self.draft.find(it.key).is_some());
        if paired.is_empty() && is_known && self.parts(&person).other.is_none() {
            self.find_or_add(&person, &mut paired)?;
        }
        self.with_fallen(paired)
    }

    /// Adds what is taken back since people are known to be others than they were known as, and what
    /// they answered before that was known.
    fn with_fallen(&self, mut paired: Events) -> Result<Events, Refusal> {
        if paired.is_empty() {
            return Ok(paired);
        }
        let foreseen = self.draft.foresee(&paired, self.now);
        let fallen = Hearing { draft: &foreseen, ..*self }.after_pairing(self.draft, &paired);
        let joined = paired.iter().find_map(|(place, event)| {
            let Event::ContactAbsorbed(absorbed) = event else { return None };
            Some((*place, absorbed.place))
        });
        paired.extend(fallen);
        let Some((place, from)) = joined else { return Ok(paired) };
        let told = [place, from].into_iter().filter_map(|place| self.draft.contact(place));
        let kept = told.flat_map(|contact| contact.details().told().answers.iter().cloned());
        let kept: Vec<_> = kept.collect();
        if !kept.is_empty() {
            let foreseen = self.draft.foresee(&paired, self.now);
            let mut answered = Events::new();
            Hearing { draft: &foreseen, ..*self }.answers_of(place, kept, &mut answered)?;
            paired.extend(answered);
        }
        Ok(paired)
    }

    /// Returns the number and the user id a fact names as one person's.
    fn named_both(&self) -> Option<(&NumberIdentifier, &UserIdentifier)> {
        let person = match &self.heard.fact {
            HeardFact::Wrote(wrote) => return number_of(wrote).zip(wrote.person.user.as_ref()),
            HeardFact::Delivery(delivery) => delivery.person.as_ref()?,
            HeardFact::MarketingPreference { person, .. }
            | HeardFact::MovedNumber { old: person, .. }
            | HeardFact::IdentityChanged { person, .. } => person,
            HeardFact::MovedUser { .. }
            | HeardFact::Account(_)
            | HeardFact::Template(_)
            | HeardFact::SenderNumber(_)
            | HeardFact::Limit { .. } => return None,
        };
        person.number.as_ref().zip(person.user.as_ref())
    }

    /// The same of a number and a user id: seen together, or only said to come to be together.
    fn pair_of(
        &self,
        number: &NumberIdentifier,
        user: &UserIdentifier,
        seen_at: Option<Timestamp>,
    ) -> Events {
        let mut events = Events::new();
        let Some(place) = self.draft.find(number.key) else { return events };
        let Some(contact) = self.draft.contact(place) else { return events };
        if contact.number_key.is_none() {
            return events;
        }
        let is_own = contact.number_key == Some(contact.as_own(number.key));
        let seen_at = seen_at.filter(|_| is_own);
        if !is_own {
            self.see_other_number((place, contact), number, user, &mut events);
        }
        let paired = contact.judge_pair(user.key, self.at);
        match self.draft.find(user.key) {
            Some(other) if other != place => {
                self.join((place, contact), other, (user, seen_at), &mut events);
            }
            Some(_) if paired == Paired::NothingNew || seen_at.is_none() => {}
            // Who is known by another id already is found by this one, too, from now on.
            Some(_) | None if contact.user_key.is_some() => {
                let (user_id, user_key) = (user.user_id.clone(), user.key);
                let takes_over = paired == Paired::Newer && seen_at.is_some();
                let unsaid = self.unsaid(contact, (user_key, seen_at));
                let seen = PairSeen { user_id, user_key, happened_at: seen_at, takes_over, unsaid };
                events.push((place, Event::PairSeen(seen)));
            }
            Some(_) | None => {}
        }
        events
    }

    /// Returns the topics that whoever agreed to them had no right to any more, as this shows: they had
    /// the number before whoever has it.
    fn unsaid(
        &self,
        contact: &Contact,
        (key, seen_at): (ContactKey, Option<Timestamp>),
    ) -> Vec<TopicId> {
        let Some(at) = seen_at else { return Vec::new() };
        let mut paired = contact.clone();
        paired.see_pair(key, self.as_of(at));
        let named = |ix| self.draft.registry().topic_id(ix).cloned();
        paired.topics_of_former().filter_map(named).collect()
    }

    /// A number that came to a contact by a merge is another account of the person's and has an id of
    /// its own, which says nothing of the contact's own number. Whoever has yet another one with it is
    /// somebody else.
    fn see_other_number(
        &self,
        (place, contact): (Subject, &Contact),
        number: &NumberIdentifier,
        user: &UserIdentifier,
        events: &mut Events,
    ) {
        // What brought the number has kept its names, the id that was named with it among them.
        let brought = self.draft.place_of(ContactRef::Key(number.key));
        let brought = brought.and_then(|place| self.draft.contact(place)?.user_key);
        let is_first =
            brought.is_none_or(|known| known == user.key) && contact.aliases().users.is_empty();
        let is_known = self.draft.find(user.key) == Some(place);
        let closed = contact.details().told().closed(number.key);
        if !is_first && !is_known && Mark::is_news(closed, self.at) {
            let (happened_at, closed_key) = (self.at, Some(number.key));
            let (number, number_key) = (None, None);
            let moved = Event::NumberMoved { happened_at, number, number_key, closed_key };
            events.push((place, moved));
        }
    }

    /// A user id that WhatsApp named with another number before, or names with one that it had before
    /// the one it has, has left the earlier one: whoever has that now is somebody else.
    fn leave(&self, number: &NumberIdentifier, user: &UserIdentifier, events: &mut Events) {
        let place = self.draft.find(user.key);
        let Some(contact) = place.and_then(|place| self.draft.contact(place)) else { return };
        let known = contact.number_key.filter(|known| *known != number.key);
        let (Some(known), Some(pair)) = (known, &contact.details().pair) else { return };
        if contact.user_key != Some(user.key) || self.draft.find(number.key) == place {
            return;
        }
        let (left, by) =
            if pair.since.at <= self.at { (known, Some(number)) } else { (number.key, None) };
        let happened_at = self.at.max(pair.since.at);
        let place = self.draft.find(left);
        let Some(told) = place.and_then(|place| self.draft.contact(place)) else { return };
        let told = told.details().told();
        // It is known already, and whoever has the number may have agreed to something since.
        if told.closed(left).or(told.moved).is_none()
            && let Some(place) = place
        {
            let moved = Event::NumberMoved {
                happened_at,
                number: by.map(|number| number.number.clone()),
                number_key: Some(by.map_or(known, |number| number.key)),
                closed_key: Some(left),
            };
            events.push((place, moved));
        }
    }

    /// Makes the contact of a user id part of the one of its number, unless it has a number itself.
    fn join(
        &self,
        (place, contact): (Subject, &Contact),
        other: Subject,
        (user, seen_at): (&UserIdentifier, Option<Timestamp>),
        events: &mut Events,
    ) {
        let Some(lost) = self.draft.contact(other) else { return };
        let is_other_person = lost.number_key.is_some() || lost.user_key != Some(user.key);
        if is_other_person {
            return;
        }
        let (kept, lost) = ((place, contact), (other, lost));
        let why = (NAMED_TOGETHER, seen_at);
        events.extend(merge::join_by_time(self.draft, kept, lost, why, self.now));
    }

    /// Takes back what must not be sent any more to people of whom these events changed who they are,
    /// and lets a change of owner go along with what they agreed to. `self` knows the events, `before`
    /// does not.
    fn after_pairing(&self, before: &Draft<'_>, paired: &Events) -> Events {
        let mut events = Events::new();
        let mut places: Vec<Subject> = paired.iter().map(|(place, _)| *place).collect();
        places.sort_unstable();
        places.dedup();
        for place in places {
            let Some(contact) = self.draft.contact(place) else { continue };
            if contact.details().merged_into.is_some() {
                continue;
            }
            let found = Found::known(place, contact);
            let known = before.contact(place);
            // What was reserved for whoever had the number before may be addressed to their id. That
            // who has it now has had it for longer takes nothing back.
            let taken_before = known.and_then(Contact::taken_over);
            let is_news = |mark: &Mark| taken_before.is_none_or(|before| before.at < mark.at);
            if contact.taken_over().as_ref().is_some_and(is_news) {
                let cause = VoidCause::IdentityChanged;
                void_tickets(self.draft, place, cause, self.now, |_| true, &mut events);
            }
            let changed_at = |contact: &Contact| contact.identity_changed().map(|change| change.at);
            if let Some(change) = contact.identity_changed()
                && known.and_then(changed_at) != Some(change.at)
            {
                let since = (change.at, change.tag);
                self.void_before(&found, VoidCause::IdentityChanged, since, &mut events);
                for (mover, _) in movers(self.draft, place, change.at) {
                    self.restrict(mover, doubted(change.at), &mut events);
                }
            }
            // The number was left, alone or with everything else that is theirs.
            let left_at = |contact: &Contact| {
                let told = contact.details().told();
                let closed = contact.number_key.and_then(|key| told.closed(key));
                told.moved.into_iter().chain(closed).map(|mark| mark.at).max()
            };
            if let Some(left) = left_at(contact).filter(|at| known.and_then(left_at) != Some(*at)) {
                let keys = [contact.number_key, contact.user_key].into_iter().flatten();
                let keys: Vec<_> = keys.collect();
                self.void_closed(&found, (&keys, left), &mut events);
            }
            self.void_fallen(place, contact, &mut events);
        }
        events
    }

    /// Takes back what the person, as they are known now, is not to get.
    fn void_fallen(&self, place: Subject, contact: &Contact, events: &mut Events) {
        let (details, now) = (contact.details(), self.now);
        let is_blocked = details.blocked.is_some() || details.told().barred.is_some();
        let takes_no_marketing = details.told().marketing_stopped().is_some();
        let is_marketing = |ticket: &Ticket| ticket.category == Some(Category::Marketing);
        let bars = &details.told().barred_by;
        let is_barred = |ticket: &Ticket| bars.iter().any(|bar| bar.sender == ticket.sender);
        let applies = |ticket: &Ticket| is_blocked || is_barred(ticket);
        void_tickets(self.draft, place, VoidCause::Blocked, now, applies, events);
        // Whatever the two withdrew from, the one they are has withdrawn from.
        let (seq, via) = (self.draft.last(), NAMED_TOGETHER);
        let stop = Stop { topics: None, at: self.at, seq, via };
        stop.void_tickets(self.draft, (place, &contact.consents), now, events);
        let applies = |ticket: &Ticket| takes_no_marketing && is_marketing(ticket);
        void_tickets(self.draft, place, VoidCause::MarketingStopped, now, applies, events);
    }
}

/// Returns the number of whoever wrote a message: one the person shares as their own is as good as one
/// the message came from.
fn number_of(wrote: &Wrote) -> Option<&NumberIdentifier> {
    wrote.person.number.as_ref().or(wrote.shared_number.as_ref())
}

/// Returns who wrote a message.
pub(super) fn writer(wrote: &Wrote) -> Person {
    Person { number: number_of(wrote).cloned(), ..wrote.person.clone() }
}
