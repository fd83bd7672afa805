//! Moves, merges, questions and look-ups as they happen.

use rand::Rng;

use crate::domain::{
    command::{Command, Merge, RequestLookups},
    contact::LookupState,
    event::{Event, Evidence},
    hearing::HeardFact,
    ids::LookupId,
    refusal::Refusal,
    time::{MINUTE_MS, SECOND_MS},
};

use super::{
    commands::{self, MadeUpError, contact, someone},
    plan::Sabotage,
    schedule::Happening,
    world::World,
};

impl World {
    /// Somebody moves to a number nobody had.
    pub(super) fn moved(&mut self, person: u32) -> Result<(), MadeUpError> {
        self.numbers += 1;
        let new = self.numbers.is_multiple_of(2).then(|| someone(self.numbers)).transpose()?;
        let fact = HeardFact::MovedNumber { old: someone(person)?, new };
        let is_lost = self.plan.is_sabotaged(Sabotage::LostMoves);
        self.witness.moved(person, self.now);
        if is_lost { Ok(()) } else { self.hear(Some(0), fact) }
    }

    /// Two contacts turn out to be one person.
    pub(super) fn merged(&mut self, from: u32, into: u32) {
        let contacts = self.desk.state().contacts();
        let is_known = |person| contacts.find(commands::key(person)).is_some();
        if !is_known(from) || !is_known(into) || self.witness.root(from) == self.witness.root(into)
        {
            return;
        }
        let (reason, evidence) = (None, Evidence::new());
        let merge = Merge { from: contact(from), into: contact(into), reason, evidence };
        if self.plan.is_sabotaged(Sabotage::LostMerges) {
            self.witness.merged(from, into, self.now);
            return;
        }
        let events = self.submit(&Command::Merge(Box::new(merge)));
        if events.as_ref().is_ok_and(|events| !events.is_empty()) {
            self.witness.merged(from, into, self.now);
        }
        self.settle(events);
    }

    /// Somebody asks a provider about some people, all or none.
    pub(super) fn look_up(&mut self, people: &[u32]) {
        let first = self.lookups.len();
        self.lookups.extend(people);
        let named = people.iter().zip(first..);
        let numbers = named.map(|(person, place)| (commands::key(*person), lookup_id(place)));
        let request = RequestLookups { numbers: numbers.collect(), has_provider: true, job: None };
        let events = match self.submit(&Command::RequestLookups(request)) {
            Ok(events) => events,
            Err(Refusal::LookupBudget { .. }) => {
                self.tally.refuse("lookup_budget");
                return;
            }
            Err(_) => return,
        };
        for (_, event) in events {
            let Event::LookupRequested(made) = event else { continue };
            let place = place_of(made.lookup);
            let Some(person) = self.lookups.get(place).copied() else { continue };
            self.witness.looked_up(person, place, self.now);
            // Some answers come late, and some never.
            let after = self.random.random_range(SECOND_MS..15 * MINUTE_MS);
            if self.random.random_range(0..10) > 0 {
                let answer = Happening::Answer { lookup: place };
                self.calendar.plan(self.now + after, answer);
            }
        }
    }

    /// A provider answers.
    pub(super) fn answered(&mut self, place: usize) {
        let state = match self.random.random_range(0..10) {
            0..7 => LookupState::Registered,
            7..9 => LookupState::NotRegistered,
            _ => LookupState::Unknown,
        };
        let command = Command::ConcludeLookup {
            lookup: lookup_id(place),
            state,
            cause: (state == LookupState::Unknown).then(|| "timeout".into()),
            wa_id: None,
            wa_key: None,
            was_asked: true,
        };
        let is_news = self.submit(&command).is_ok_and(|events| !events.is_empty());
        if let Some(person) = self.lookups.get(place).copied().filter(|_| is_news) {
            let is_certain = state != LookupState::Unknown;
            self.witness.answered(person, place, is_certain, self.now);
        }
    }
}

fn lookup_id(place: usize) -> LookupId {
    LookupId::from_uuid(uuid::Uuid::from_u128(u128::try_from(place).unwrap_or_default() + 1))
}

fn place_of(lookup: LookupId) -> usize {
    usize::try_from(lookup.as_uuid().as_u128().saturating_sub(1)).unwrap_or(usize::MAX)
}
