//! Who is meant, where a fact names a number and a user id that may lead to two contacts.

use crate::domain::{
    command::Person,
    decide::{
        Events,
        hearing::Hearing,
        person::{Found, find_or_add},
    },
    event::{Event, ReviewOpened},
    refusal::Refusal,
    state::IDENTIFIERS_CONFLICT,
};

/// A person as a fact names them, taken apart so that each part leads to one contact at most.
pub(super) struct Parts {
    /// Whom the fact is about.
    pub(super) main: Person,
    /// Who else may be meant: what keeps silent is true of them too.
    pub(super) other: Option<Person>,
}

impl Hearing<'_, '_> {
    /// Takes a person apart. A number and a user id in one fact are one person's, unless one of
    /// the two is known to be somebody else's; then the user id says who it is.
    pub(super) fn parts(&self, person: &Person) -> Parts {
        let one = Parts { main: person.clone(), other: None };
        let (Some(number), Some(user)) = (&person.number, &person.user) else { return one };
        let by_number = self.draft.find(number.key);
        let by_user = self.draft.find(user.key);
        let is_conflict = match (by_number, by_user) {
            (Some(number), Some(user)) => number != user,
            (Some(subject), None) => {
                self.draft.contact(subject).is_some_and(|known| known.user_key.is_some())
            }
            (None, Some(subject)) => {
                let known = self.draft.contact(subject).and_then(|known| known.number_key);
                known.is_some_and(|known| known != number.key)
            }
            (None, None) => false,
        };
        if !is_conflict {
            return one;
        }
        Parts {
            main: Person { number: None, ..person.clone() },
            other: Some(Person { user: None, ..person.clone() }),
        }
    }

    /// Finds or adds whom a fact is about, and where it keeps silent everyone it may be about.
    pub(super) fn everyone<'a>(
        &'a self,
        person: &Person,
        is_silent: bool,
        events: &mut Events,
    ) -> Result<Vec<Found<'a>>, Refusal> {
        if person.number.is_none() && person.user.is_none() {
            return Ok(Vec::new());
        }
        let Parts { main, other } = self.parts(person);
        let mut main = find_or_add(self.draft, &main, self.now, events)?;
        let Some(other) = other else { return Ok(vec![main]) };
        self.open_conflict(&main, events);
        let mut other = if is_silent || self.is_known(&other) {
            find_or_add(self.draft, &other, self.now, events)?
        } else {
            return Ok(vec![main]);
        };
        self.tie(&mut main, &mut other, events);
        Ok([Some(main), Some(other).filter(|_| is_silent)].into_iter().flatten().collect())
    }

    /// Finds whom a fact is about, links what the fact links, and adds nobody. Where that shows two
    /// contacts to be one person, people must look.
    pub(super) fn find_known<'a>(
        &'a self,
        person: &Person,
        events: &mut Events,
    ) -> Result<Option<Found<'a>>, Refusal> {
        let Parts { main, other } = self.parts(person);
        let named = [Some(main), other].into_iter().flatten();
        let mut found = Vec::with_capacity(2);
        for known in named.filter(|person| self.is_known(person)) {
            found.push(find_or_add(self.draft, &known, self.now, events)?);
        }
        if let [main, other] = &mut found[..]
            && self.tie(main, other, events)
        {
            self.open_conflict(main, events);
        }
        Ok(found.into_iter().next())
    }

    fn is_known(&self, person: &Person) -> bool {
        let number = person.number.as_ref().map(|number| number.key);
        let user = person.user.as_ref().map(|user| user.key);
        [number, user].into_iter().flatten().any(|key| self.draft.find(key).is_some())
    }

    /// People must look, once, at identifiers that belong to two contacts and came as one.
    fn open_conflict(&self, found: &Found<'_>, events: &mut Events) {
        let is_open = found.known.is_some_and(|known| known.details().told().conflict.is_some());
        if is_open {
            return;
        }
        let opened = ReviewOpened {
            why: IDENTIFIERS_CONFLICT.into(),
            word: None,
            scope: None,
            happened_at: self.at,
            message_id: None,
            sender: self.heard.sender.clone(),
            under: found.under(),
        };
        events.push((found.subject, Event::ReviewOpened(Box::new(opened))));
    }
}
