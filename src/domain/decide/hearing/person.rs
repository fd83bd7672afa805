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
        let (mut found, _) = self.named(person, |_| true, events)?;
        if let [main, _] = &found[..] {
            self.open_conflict(main, events);
        }
        if !is_silent {
            found.truncate(1);
        }
        Ok(found)
    }

    /// Finds whom a status is about, links what it links, and adds whom it `tells` something of.
    /// Where that shows two contacts to be one person, people must look.
    pub(super) fn addressee<'a>(
        &'a self,
        person: &Person,
        tells: bool,
        events: &mut Events,
    ) -> Result<Vec<Found<'a>>, Refusal> {
        let (found, is_news) =
            self.named(person, |person| tells || self.is_known(person), events)?;
        if let ([main, ..], true) = (&found[..], is_news) {
            self.open_conflict(main, events);
        }
        Ok(found)
    }

    /// Finds or adds those a person's name leads to, one or two, of those that `count`. Also says
    /// whether it is news that two of them are one person.
    fn named<'a>(
        &'a self,
        person: &Person,
        counts: impl Fn(&Person) -> bool,
        events: &mut Events,
    ) -> Result<(Vec<Found<'a>>, bool), Refusal> {
        let mut found = Vec::with_capacity(2);
        if person.number.is_none() && person.user.is_none() {
            return Ok((found, false));
        }
        let Parts { main, other } = self.parts(person);
        for person in [Some(main), other].into_iter().flatten().filter(counts) {
            found.push(self.find_or_add(&person, events)?);
        }
        let is_news = match &mut found[..] {
            [main, other] => self.tie(main, other, events),
            _ => false,
        };
        Ok((found, is_news))
    }

    /// Finds or adds one person. Where their number and their user id become one contact's, it is
    /// noted when they were named together.
    pub(super) fn find_or_add<'a>(
        &'a self,
        person: &Person,
        events: &mut Events,
    ) -> Result<Found<'a>, Refusal> {
        let known = events.len();
        let found = find_or_add(self.draft, person, self.now, events)?;
        let is_pair = person.number.is_some() && person.user.is_some();
        for (_, event) in events.iter_mut().skip(known).filter(|_| is_pair) {
            if let Event::ContactAdded { seen_at, .. } | Event::IdentifierLinked { seen_at, .. } =
                event
            {
                *seen_at = Some(self.at);
            }
        }
        Ok(found)
    }

    fn is_known(&self, person: &Person) -> bool {
        let number = person.number.as_ref().map(|number| number.key);
        let user = person.user.as_ref().map(|user| user.key);
        [number, user].into_iter().flatten().any(|key| self.draft.find(key).is_some())
    }

    /// People must look, once, at identifiers that belong to two contacts and came as one.
    fn open_conflict(&self, found: &Found<'_>, events: &mut Events) {
        let told = found.known.map(|known| known.details().told());
        let is_open = told.is_some_and(|told| told.conflict.is_some());
        // Whoever decided it knew of what had happened by then.
        let decided_at = told.and_then(|told| told.conflict_decided_at);
        if is_open || decided_at.is_some_and(|decided_at| self.at <= decided_at) {
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
