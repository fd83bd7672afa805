//! Folding what came of messages, and the incidents that shows.

use std::sync::Arc;

use crate::{
    domain::{
        absorbed::Mark,
        contact::{Details, SenderIx},
        entry::{Seq, Subject},
        event::{CountsFor, Event, TrafficKind},
        hearing::Barred,
        incident::{Before, Incident, IncidentKind, Incidents, WINDOW_MINUTES, failure},
        names::SenderId,
        state::Draft,
        time::{MINUTE_MS, Timestamp},
    },
    policy::Country,
};

impl Draft<'_> {
    /// Counts an entry that says what became of a sender's message.
    pub(super) fn fold_outcome(&mut self, seq: Seq, subject: Subject, event: &Event) {
        if let Event::TrafficSeen { kind, sender: Some(sender), happened_at, counts_for, .. } =
            event
        {
            self.fold_heard(sender, *happened_at);
            match kind {
                TrafficKind::Inbound | TrafficKind::Undeliverable => {}
                TrafficKind::Read | TrafficKind::Delivered => {
                    let counted = (*kind, *happened_at, *counts_for);
                    self.fold_reached(subject, sender, counted);
                }
            }
        } else if let Event::OutcomeSeen(seen) = event {
            self.count(&seen.sender, |incidents, sender| incidents.fold_outcome(sender, seen));
        }
        if let Some((kind, Some(sender), happened_at)) = failure(event)
            && subject.is_contact()
        {
            let only = Barred::only_by(event);
            self.fold_blamed(sender, (kind, only), (subject, happened_at, seq));
        } else if let Event::FailureSpared { sender, kind, happened_at, .. } = event {
            let told = self.contact(subject).map(|known| known.details().told());
            let counted = told.and_then(|told| told.spared(sender, *kind));
            // One person whose messages fail again and again is one person.
            if counted.is_none_or(|mark| !is_lately(mark.at, *happened_at)) {
                self.count(sender, |incidents, sender| {
                    incidents.fold_spared(sender, *kind, *happened_at);
                });
            }
        } else if let Event::IncidentOpened {
            sender,
            kind,
            happened_at,
            failed,
            outcomes,
            absolved,
        } = event
        {
            let found = Incident { at: *happened_at, seq, failed: *failed, outcomes: *outcomes };
            let place = self.registry().sender(sender).map(|(place, _)| place);
            let outcomes = place.and_then(|place| self.incidents().of(place));
            let before = |at: &(Subject, Seq)| outcomes.and_then(|known| known.before(*kind, *at));
            let absolved: Vec<_> = absolved.iter().map(|one| (*one, before(one))).collect();
            self.count(sender, |incidents, sender| incidents.fold_opened(sender, *kind, found));
            // Of two marks of one person the earlier is what was before the later.
            for (marked, before) in absolved.into_iter().rev() {
                self.fold_absolved((sender, *kind), marked, before);
            }
        } else if let Event::IncidentClosed { sender, kind, .. } = event {
            self.count(sender, |incidents, sender| incidents.fold_closed(sender, *kind));
        }
    }

    /// Keeps when a sender's latest message was.
    fn fold_heard(&mut self, sender: &SenderId, at: Timestamp) {
        let place = self.registry().sender(sender).map(|(place, _)| place);
        let known = place.and_then(|place| self.incidents().heard_at(place));
        if known.is_none_or(|known| known < at) {
            self.count(sender, |incidents, sender| incidents.fold_heard(sender, at));
        }
    }

    /// Counts a message that arrived, unless it is counted.
    fn fold_reached(
        &mut self,
        subject: Subject,
        sender: &SenderId,
        (kind, at, counts_for): (TrafficKind, Timestamp, CountsFor),
    ) {
        let message = match counts_for {
            // What was read was delivered, and is counted so, unless it just was.
            CountsFor::Person
                if kind == TrafficKind::Read && self.is_reached_lately(subject, at) =>
            {
                return;
            }
            CountsFor::Person => None,
            CountsFor::Message(message) => Some(message),
            CountsFor::Nothing => return self.fold_country_open(subject, sender, at),
        };
        self.fold_country_open(subject, sender, at);
        self.count(sender, |incidents, sender| incidents.fold_reached(sender, at, message));
    }

    /// A message that arrived shows that the business may write to its country.
    fn fold_country_open(&mut self, subject: Subject, sender: &SenderId, at: Timestamp) {
        let Some(country) = self.contact(subject).and_then(|known| known.home.country) else {
            return;
        };
        let arrived_at = self.arrived_in(sender, country);
        if arrived_at.is_none_or(|known| known < at) {
            self.count(sender, |incidents, sender| incidents.fold_arrived(sender, country, at));
        }
        let known = self.registry().reported().country(sender, country);
        if known.is_some_and(|known| known.at < at) {
            let registry = Arc::make_mut(&mut self.changes.registry);
            registry.fold_country_open(sender, country, at);
        }
    }

    /// Returns when a message of a sender last arrived in a country: what it says about it is
    /// later than that, or over.
    pub(in crate::domain) fn arrived_in(
        &self,
        sender: &SenderId,
        country: Country,
    ) -> Option<Timestamp> {
        let (place, _) = self.registry().sender(sender)?;
        self.incidents().of(place)?.arrived(country)
    }

    fn count(&mut self, sender: &SenderId, fold: impl FnOnce(&mut Incidents, SenderIx)) {
        if let Some((sender, _)) = self.registry().sender(sender) {
            fold(Arc::make_mut(&mut self.changes.incidents), sender);
        }
    }

    fn is_reached_lately(&self, subject: Subject, at: Timestamp) -> bool {
        let known = self.contact(subject).and_then(|known| known.details().traffic.reached_at);
        known.is_some_and(|known| is_lately(known, at))
    }

    /// Counts a failure that marks a person, and keeps the mark that was there before it.
    fn fold_blamed(
        &mut self,
        sender: &SenderId,
        (kind, only): (IncidentKind, Option<&SenderId>),
        failure: (Subject, Timestamp, Seq),
    ) {
        let known = self.contact(failure.0);
        let before = known.and_then(|known| mark_of(known.details(), (kind, only)));
        self.count(sender, |incidents, sender| {
            incidents.fold_blamed(sender, kind, failure, before);
        });
    }

    /// Takes a mark off a contact, if it still is the one that this entry made: what was there
    /// before it is there again.
    fn fold_absolved(
        &mut self,
        (sender, kind): (&SenderId, IncidentKind),
        (subject, seq): (Subject, Seq),
        before: Option<Before>,
    ) {
        let subject = self.resolve(subject);
        let marked = self.contact(subject).and_then(|known| {
            let of = |only| mark_of(known.details(), (kind, only)).map(|mark| (only, mark));
            let marks = [of(None), of(Some(sender))].into_iter().flatten();
            marks.into_iter().find(|(_, marked)| marked.mark.seq == seq)
        });
        let Some((only, Before { mark, .. })) = marked else { return };
        let Some(contact) = self.contact_mut(subject) else { return };
        let details = contact.details_mut();
        let known = before.map(|before| before.mark);
        match kind {
            IncidentKind::Unreachable => {
                details.traffic.failed = known.map(|mark| (mark.at, mark.seq));
            }
            IncidentKind::Experiment => details.told_mut().experiment = known,
            IncidentKind::Barred => {
                let barred = before.map(|Before { mark, code }| Barred { code, mark });
                details.told_mut().put_bar(only, barred);
            }
            IncidentKind::CountryBlocked => details.told_mut().country_blocked = known,
            IncidentKind::Code(_) => return,
        }
        details.told_mut().fold_spared(sender, kind, mark);
    }
}

/// Returns whether two moments lie within the time failures are counted over.
fn is_lately(one: Timestamp, other: Timestamp) -> bool {
    one.ms_since(other).abs() < WINDOW_MINUTES * MINUTE_MS
}

/// Returns the mark of a kind; of a bar, the one for this sender alone, or else for the business.
fn mark_of(details: &Details, (kind, only): (IncidentKind, Option<&SenderId>)) -> Option<Before> {
    let bare = |mark| Before { mark, code: 0 };
    match kind {
        IncidentKind::Unreachable => details.traffic.failed.map(|(at, seq)| bare(Mark { at, seq })),
        IncidentKind::Experiment => details.told().experiment.map(bare),
        IncidentKind::Barred => {
            details.told().bar(only).map(|Barred { code, mark }| Before { mark, code })
        }
        IncidentKind::CountryBlocked => details.told().country_blocked.map(bare),
        IncidentKind::Code(_) => None,
    }
}
