//! Rules about messages from people.

use crate::domain::{
    decide::{
        Events,
        hearing::{Hearing, pair::writer},
        person::Found,
    },
    event::{CountsFor, Event, TrafficKind},
    hearing::{ConsentAnswer, Wrote},
    refusal::Refusal,
};

impl Hearing<'_, '_> {
    /// A message from a person: who it is, what it says about consent, who is behind the number,
    /// and that they are there.
    pub(super) fn wrote(&self, wrote: &Wrote, events: &mut Events) -> Result<(), Refusal> {
        let person = writer(wrote);
        let is_silent = matches!(wrote.answer, Some(ConsentAnswer::OptOut { .. }));
        let found = self.everyone(&person, is_silent, events)?;
        let Some((main, others)) = found.split_first() else { return Ok(()) };
        // Another hash suspends what was agreed before; what this message says comes after that.
        let hash = wrote.identity_hash.as_deref();
        let is_known_hash = hash.is_some_and(|hash| self.sight(main, hash, events));
        if self.is_former(&person) {
            return self.answer_of_former(wrote, main, events);
        }
        self.answer(wrote, (main, others), events)?;
        self.keep_answer(wrote, main, events);
        let identity_hash = wrote.identity_hash.clone().filter(|_| is_known_hash);
        self.seen(main, wrote, identity_hash, events);
        self.unsettle(&person, hash, events);
        Ok(())
    }

    /// Traffic is recorded where it says something new.
    fn seen(
        &self,
        found: &Found<'_>,
        wrote: &Wrote,
        identity_hash: Option<Box<str>>,
        events: &mut Events,
    ) {
        let sender = self.heard.sender.as_ref().filter(|_| wrote.opens_window);
        let place = sender.and_then(|sender| self.draft.registry().sender(sender));
        let traffic = found.known.map(|known| &known.details().traffic);
        let window = traffic.zip(place).and_then(|(known, (place, _))| known.last_inbound(place));
        let reached_at = traffic.and_then(|known| known.reached_at);
        let renews = place.is_some() && window.is_none_or(|known| known < self.past);
        if !renews && reached_at.is_some_and(|known| self.past <= known) && identity_hash.is_none()
        {
            return;
        }
        let event = Event::TrafficSeen {
            kind: TrafficKind::Inbound,
            sender: sender.cloned(),
            happened_at: self.past,
            identity_hash,
            message: Some(wrote.kind.clone()),
            counts_for: CountsFor::Person,
        };
        events.push((found.subject, event));
    }
}
