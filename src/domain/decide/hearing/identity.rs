//! Rules about identity hashes that may come late, and about changes without one.

use crate::domain::{
    absorbed::Mark,
    command::Person,
    decide::{
        Events,
        hearing::{Hearing, person::Parts},
        person::Found,
    },
    event::Event,
    identity::{Identity, IdentityTag, Sighting},
    refusal::Refusal,
    ticket::VoidCause,
};

impl Hearing<'_, '_> {
    /// Says whether the hash is the known one, seen at another time than so far; anything else
    /// that it says is recorded here.
    pub(super) fn sight(&self, found: &Found<'_>, hash: &str, events: &mut Events) -> bool {
        let known = found.known.and_then(|known| known.details().identity.as_ref());
        let (hash, observed_at) = (Box::from(hash), self.at);
        match Identity::judge_sighting(known, &hash, observed_at) {
            Sighting::NothingNew => return false,
            Sighting::Again => return true,
            Sighting::First => {
                events.push((
                    found.subject,
                    Event::IdentityObserved { hash, observed_at, again: false },
                ));
            }
            Sighting::Changed => {
                let since = (self.at, Some(IdentityTag::of(&hash)));
                events.push((found.subject, Event::IdentityChanged { hash, observed_at }));
                self.void_before(found, VoidCause::IdentityChanged, since, events);
            }
            Sighting::Before => {
                // The known hash is the later one: what was agreed since it was last seen is good.
                let later = known.map(|known| IdentityTag::of(known.hash()));
                let since = (known.map_or(self.at, Identity::observed_at), later);
                events.push((found.subject, Event::IdentityPredated { hash, observed_at }));
                self.void_before(found, VoidCause::IdentityChanged, since, events);
                // Of two hashes of one second nobody knows which is the one now.
                if known.is_some_and(|known| known.may_come_before(self.at)) {
                    self.doubt(found, events);
                }
            }
        }
        false
    }

    /// A change suspends, whether or not it says who is there now.
    pub(super) fn identity_changed(
        &self,
        person: &Person,
        hash: Option<&str>,
        events: &mut Events,
    ) -> Result<(), Refusal> {
        for found in self.everyone(person, true, events)? {
            self.doubt(&found, events);
            if let Some(hash) = hash
                && self.sight(&found, hash, events)
            {
                let (hash, observed_at) = (hash.into(), self.at);
                let again = Event::IdentityObserved { hash, observed_at, again: true };
                events.push((found.subject, again));
            }
        }
        Ok(())
    }

    /// The known hash is no use any more, and nobody knows which is.
    pub(super) fn doubt(&self, found: &Found<'_>, events: &mut Events) {
        let known = found.known.and_then(|known| known.details().told().doubted);
        if Mark::is_news(known, self.at) {
            events.push((
                found.subject,
                Event::IdentityDoubted { happened_at: self.at, by_move: false },
            ));
            self.void_before(found, VoidCause::IdentityChanged, (self.at, None), events);
        }
    }

    /// Somebody moved to the number: what was done under it before was another person's, also if it
    /// is heard after this.
    pub(super) fn take(&self, found: &Found<'_>, events: &mut Events) {
        let taken = found.known.and_then(|known| known.details().told().taken);
        if Mark::is_news(taken, self.at) {
            let (happened_at, by_move) = (self.at, true);
            events.push((found.subject, Event::IdentityDoubted { happened_at, by_move }));
            if found.known.is_some_and(|known| known.has_before(self.as_of(self.at))) {
                self.void_before(found, VoidCause::IdentityChanged, (self.at, None), events);
            }
        }
    }

    /// A number that comes with another user id has another owner than the contact we know by it.
    /// The one who has it now is known by the id; of the other nothing is certain any more.
    pub(super) fn unsettle(&self, person: &Person, hash: Option<&str>, events: &mut Events) {
        let Parts { main: _, other: Some(Person { number: Some(number), .. }) } =
            self.parts(person)
        else {
            return;
        };
        let Some(subject) = self.draft.find(number.key) else { return };
        let Some(known) = self.draft.contact(subject) else { return };
        let found = Found::known(subject, known);
        if let Some(hash) = hash
            && self.sight(&found, hash, events)
        {
            let (hash, observed_at) = (hash.into(), self.at);
            events.push((subject, Event::IdentityObserved { hash, observed_at, again: true }));
        }
        // An id that was given up for another one of the same number says nothing.
        let id = known.user_key.filter(|id| known.details().told().closed(*id).is_none());
        if id.is_some() {
            self.doubt(&found, events);
        }
    }
}
