//! Rules about what became of messages: tickets, and what a failure says about the person.

use crate::{
    domain::{
        absorbed::Mark,
        command::Person,
        contact::Contact,
        decide::{
            Events, early,
            hearing::Hearing,
            incident::{Failed, close_over, weigh_unmarked},
            person::Found,
            void_tickets,
        },
        entry::Subject,
        event::{CountsFor, EarlyStatus, Event, OutcomeSeen, TrafficKind},
        hearing::{About, Barred, Delivery, Failure, FailureEffect, Preference, Rest, Step, Told},
        incident::IncidentKind,
        names::SenderId,
        refusal::Refusal,
        ticket::{Ticket, TicketState, VoidCause},
        time::Timestamp,
    },
    policy::Country,
};

impl Hearing<'_, '_> {
    /// What became of a message: the ticket it was sent on is used, and whom it went to is there
    /// or is not.
    pub(super) fn delivery(&self, delivery: &Delivery, events: &mut Events) -> Result<(), Refusal> {
        let ticket = self.ticket(delivery);
        let sender = self.heard.sender.as_ref().or_else(|| ticket.map(|ticket| &ticket.sender));
        let is_new = self.is_new_outcome(delivery, ticket, sender);
        let found = self.person_of_delivery(delivery, (ticket, sender, is_new), events)?;
        if let Some(sender) = sender.filter(|_| is_new) {
            self.count(delivery, sender, found, events);
        }
        Ok(())
    }

    /// Returns whether this is the first that became of a message of ours, within its hour.
    fn is_new_outcome(
        &self,
        delivery: &Delivery,
        ticket: Option<&Ticket>,
        sender: Option<&SenderId>,
    ) -> bool {
        let known = sender.and_then(|id| self.draft.registry().sender(id));
        let Some((place, _)) = known.filter(|_| delivery.is_message) else { return false };
        let is_known = ticket.is_some_and(|ticket| ticket.step >= Some(Step::Failed));
        let outcomes = self.draft.incidents().of(place);
        let is_new = outcomes.is_none_or(|known| known.is_new(delivery.message, self.at));
        delivery.step != Step::Sent && !is_known && is_new
    }

    /// Counts what became of a message: by the sign of life it is, or else by an entry of its own.
    fn count(
        &self,
        delivery: &Delivery,
        sender: &SenderId,
        found: Option<Subject>,
        events: &mut Events,
    ) {
        let failure = delivery.failure.as_ref().filter(|_| delivery.step == Step::Failed);
        let kind = failure.map(incident_kind);
        close_over(self.draft, sender, (kind, self.at), events);
        let is_sign = |event: &&mut Event| {
            matches!(
                event,
                Event::TrafficSeen { kind: TrafficKind::Delivered | TrafficKind::Read, .. }
            )
        };
        let sign = events.iter_mut().map(|(_, event)| event).find(is_sign);
        if let Some(Event::TrafficSeen { counts_for, .. }) = sign {
            *counts_for = CountsFor::Message(delivery.message);
            return;
        }
        let is_marked = failure.is_some_and(|failure| self.may_mark(failure, sender));
        let (stranger, to) = (found.is_none(), found.filter(|_| kind.is_some() && !is_marked));
        if let Some(kind) = kind.filter(|_| stranger || to.is_some()) {
            weigh_unmarked(self.draft, sender, (kind, self.at, to), events);
        }
        let (sender, message, happened_at) = (sender.clone(), delivery.message, self.at);
        let failed = delivery.step == Step::Failed;
        let seen = OutcomeSeen { sender, message, happened_at, failed, kind, stranger, to };
        events.push((Subject::SYSTEM, Event::OutcomeSeen(Box::new(seen))));
    }

    /// Returns whether a failure marks the person, unless too many fail so.
    fn may_mark(&self, failure: &Failure, sender: &SenderId) -> bool {
        let is_of_country = || self.of_country(failure, Some(sender)).is_some();
        match incident_kind(failure) {
            IncidentKind::Unreachable | IncidentKind::Experiment | IncidentKind::Barred => true,
            IncidentKind::CountryBlocked => !is_of_country(),
            IncidentKind::Code(_) => false,
        }
    }

    /// What it says of whom it went to, and who that is if anybody is known.
    fn person_of_delivery(
        &self,
        delivery: &Delivery,
        (ticket, sender, is_new): (Option<&Ticket>, Option<&SenderId>, bool),
        events: &mut Events,
    ) -> Result<Option<Subject>, Refusal> {
        if let Some(ticket) = ticket {
            self.step(ticket, delivery, events);
        }
        let failure = delivery.failure.as_ref().filter(|_| delivery.step == Step::Failed);
        if let Some(failure) = failure {
            let template = ticket.and_then(|ticket| ticket.template.as_ref());
            self.failed_beyond(failure, sender, template, events);
        }
        let named = match &delivery.person {
            Some(person) => self.addressee(person, tells(delivery), events)?,
            None => Vec::new(),
        };
        if let (None, Some(sender)) = (ticket, sender.filter(|_| delivery.is_message)) {
            self.keep_early(&named, delivery, sender, events);
        }
        let found = named.into_iter().next().or_else(|| {
            let subject = self.draft.resolve(ticket?.contact);
            Some(Found::known(subject, self.draft.contact(subject)?))
        });
        let Some(found) = found else { return Ok(None) };
        if !delivery.person.as_ref().is_some_and(|person| self.is_former(person)) {
            self.reached(&found, delivery, sender, events);
        }
        if let Some(failure) = failure {
            self.failed(&found, failure, (sender, is_new), events);
        }
        if let Some(person) = &delivery.person {
            self.unsettle(person, delivery.identity_hash.as_deref(), events);
        }
        Ok(Some(found.subject))
    }

    /// What is on no ticket that is known may be on one all the same: nobody has said so yet.
    fn keep_early(
        &self,
        named: &[Found<'_>],
        delivery: &Delivery,
        sender: &SenderId,
        events: &mut Events,
    ) {
        let waits = |contact: &Contact| early::may_wait(self.draft, contact, (sender, self.at));
        let waiting = named.iter().filter_map(|found| Some((found.subject, found.known?)));
        let waiting: Vec<_> = waiting.filter(|(_, contact)| waits(contact)).collect();
        if waiting.is_empty() {
            return;
        }
        let failure = delivery.failure.as_ref().filter(|_| delivery.step == Step::Failed);
        let of_sender = || self.draft.registry().account_of(sender);
        let status = EarlyStatus {
            sender: sender.clone(),
            message: delivery.message,
            step: delivery.step,
            happened_at: self.at,
            code: failure.map(|failure| failure.code),
            template: failure.and_then(|failure| self.failed_template(failure)),
            account: self.heard.account.as_ref().or_else(of_sender).cloned(),
        };
        for (place, contact) in waiting {
            if contact.details().told().is_early_news(&status) {
                events.push((place, Event::StatusKept(Box::new(status.clone()))));
            }
        }
    }

    /// Finds the ticket, unless it was used for another message, or the message went to somebody
    /// else.
    fn ticket(&self, delivery: &Delivery) -> Option<&Ticket> {
        let named = delivery.ticket.and_then(|id| self.draft.ticket(id));
        let named = named.filter(|ticket| self.is_to(ticket, delivery.person.as_ref()));
        let ticket = named.or_else(|| self.draft.ticket_of(delivery.message))?;
        let is_other = ticket.message().is_some_and(|message| message != delivery.message);
        (!is_other).then_some(ticket)
    }

    /// Returns whether nothing that is known speaks against a ticket being this person's.
    fn is_to(&self, ticket: &Ticket, person: Option<&Person>) -> bool {
        let number = person.and_then(|person| person.number.as_ref()).map(|number| number.key);
        let user = person.and_then(|person| person.user.as_ref()).map(|user| user.key);
        let mut known = [number, user].into_iter().flatten().filter_map(|key| self.draft.find(key));
        let contact = self.draft.resolve(ticket.contact);
        known.clone().next().is_none() || known.any(|subject| subject == contact)
    }

    /// A message that was heard of went out on the ticket, whoever forgot to say so, or whatever
    /// had become of the ticket before. Steps only go up, but for word that what failed was sent.
    fn step(&self, ticket: &Ticket, delivery: &Delivery, events: &mut Events) {
        let (subject, id) = (self.draft.resolve(ticket.contact), ticket.id);
        let (step, happened_at) = (delivery.step, self.at);
        if ticket.state == TicketState::Reserved {
            let (message_id, message) = (delivery.message_id.clone(), delivery.message);
            let waiting = early::waiting(self.draft, ticket, message);
            let failed =
                step == Step::Failed && (waiting.is_empty() || early::has_only_failed(&waiting));
            let committed = Event::TicketCommitted { ticket: id, message_id, message, failed };
            events.push((subject, committed));
            early::catch_up(self.draft, ticket, &waiting, self.now, events);
        }
        let is_stray = match ticket.state {
            TicketState::Released | TicketState::Voided { .. } => ticket.stray.is_none(),
            TicketState::Reserved | TicketState::Committed { .. } => false,
        };
        let was_sent_after_all = step == Step::Sent && !ticket.was_sent;
        // What is counted is counted from when it was sent, in whatever order that is heard.
        let dated = ticket.dated(step, happened_at.min(self.now));
        let is_dated = ticket.category.is_some() && dated.sent_at() != ticket.sent_at();
        if ticket.step < Some(step) || is_stray || was_sent_after_all || is_dated {
            let stepped = Event::TicketStepped {
                ticket: id,
                step,
                happened_at,
                code: delivery.failure.as_ref().map(|failure| failure.code),
                message_id: is_stray.then(|| delivery.message_id.clone()),
                message: is_stray.then_some(delivery.message),
            };
            events.push((subject, stepped));
        }
    }

    /// A sign of life, and who gave it.
    fn reached(
        &self,
        found: &Found<'_>,
        delivery: &Delivery,
        sender: Option<&SenderId>,
        events: &mut Events,
    ) {
        let hash = delivery.identity_hash.clone();
        let identity_hash = hash.filter(|hash| self.sight(found, hash, events));
        let is_there = matches!(delivery.step, Step::Delivered | Step::Read);
        if !is_there {
            if let Some(hash) = identity_hash {
                let observed_at = self.at;
                let again = Event::IdentityObserved { hash, observed_at, again: true };
                events.push((found.subject, again));
            }
            return;
        }
        let reached_at = found.known.and_then(|known| known.details().traffic.reached_at);
        if reached_at.is_some_and(|known| self.past <= known) && identity_hash.is_none() {
            return;
        }
        let kind = match delivery.step {
            Step::Read => TrafficKind::Read,
            Step::Sent | Step::Failed | Step::Delivered => TrafficKind::Delivered,
        };
        let event = Event::TrafficSeen {
            kind,
            sender: sender.cloned(),
            happened_at: self.past,
            identity_hash,
            message: None,
            counts_for: CountsFor::Nothing,
        };
        events.push((found.subject, event));
    }

    /// What a failure says about the person, if it says anything.
    fn failed(
        &self,
        found: &Found<'_>,
        failure: &Failure,
        (sender, is_new): (Option<&SenderId>, bool),
        events: &mut Events,
    ) {
        let (code, happened_at) = (failure.code, self.at);
        let nothing = Told::NOTHING;
        let told = found.known.map_or(&nothing, |known| known.details().told());
        let event = match failure.effect {
            FailureEffect::Nothing
            | FailureEffect::HaltSender
            | FailureEffect::HaltSenderTemplates
            | FailureEffect::HaltAccount
            | FailureEffect::HaltTemplates
            | FailureEffect::HaltMarketing
            | FailureEffect::TemplatePaused
            | FailureEffect::TemplateDisabled
            | FailureEffect::TemplateUnknown => None,
            FailureEffect::CountryBlocked => {
                if let Some((event, is_news)) = self.of_country(failure, sender) {
                    events.extend(is_news.then_some((Subject::SYSTEM, event)));
                    return;
                }
                let (country, sender) = (failure.country.clone(), sender.cloned());
                Mark::is_news(told.country_blocked, self.at).then_some(Event::CountryBlocked {
                    country,
                    sender,
                    happened_at,
                })
            }
            FailureEffect::Unreachable => self.unreachable(found, sender),
            FailureEffect::WindowClosed => sender
                .filter(|sender| told.window_ended(sender).is_none_or(|known| known < self.at))
                .map(|sender| Event::WindowEnded { sender: sender.clone(), happened_at }),
            FailureEffect::MarketingCooldown => {
                told.held_until(failure.pause_ms, self.at).map(|until| {
                    let until = (until != Timestamp::NEVER).then_some(until);
                    Event::MarketingHeldBack { code, until, happened_at }
                })
            }
            FailureEffect::MarketingStopped => Preference::is_news(told.preference, true, self.at)
                .then_some(Event::MarketingPreferenceSeen { is_stopped: true, happened_at }),
            FailureEffect::Experiment => Mark::is_news(told.experiment, self.at)
                .then(|| Event::ExperimentSeen { sender: sender.cloned(), happened_at }),
            FailureEffect::PairBackoff => sender.zip(failure.pause_ms).and_then(|(sender, ms)| {
                let known = told.rest(sender);
                let is_known = known.is_some_and(|known| known.knows(self.at));
                let (sender, until) = (sender.clone(), Rest::grown_until(known, self.at, ms));
                (!is_known).then_some(Event::PairSlowed { sender, until, happened_at })
            }),
            // Nobody knows which sender it bars.
            FailureEffect::RefuseForever if sender.is_none() => None,
            FailureEffect::BlockedByBusiness | FailureEffect::RefuseForever => {
                let is_news = told.is_barred_anew(Barred::only(code, sender), self.at);
                let sender = sender.cloned();
                is_news.then_some(Event::Barred { code, sender, happened_at })
            }
            FailureEffect::Identity => {
                self.doubt(found, events);
                None
            }
        };
        let Some(event) = event else { return };
        let (subject, code, at) = (found.subject, Some(code), self.at);
        let mark = Failed { subject, told, sender, code, at, is_new };
        match (mark.record(self.draft, event, events), failure.effect) {
            (true, FailureEffect::BlockedByBusiness | FailureEffect::RefuseForever) => {
                let (cause, only) = (VoidCause::Blocked, Barred::only(failure.code, sender));
                let is_of = |ticket: &Ticket| only.is_none_or(|only| ticket.sender == *only);
                void_tickets(self.draft, found.subject, cause, self.now, is_of, events);
            }
            (true, FailureEffect::MarketingStopped) => self.void_marketing(found.subject, events),
            _ => {}
        }
    }

    /// Whoever has a number of that country may not be written to by the sender's business; nothing
    /// is said of the one it failed for. What is older than a message of the sender that arrived
    /// there is over. Also says whether that is news; `None` where nobody knows the country or the
    /// sender.
    fn of_country(&self, failure: &Failure, sender: Option<&SenderId>) -> Option<(Event, bool)> {
        let sender = sender.filter(|id| self.draft.registry().sender(id).is_some())?;
        let country = Country::parse(failure.country.as_deref()?).ok()?;
        let known = self.draft.registry().reported().country(sender, country);
        let arrived_at = self.draft.arrived_in(sender, country);
        let is_over = arrived_at.is_some_and(|arrived| self.at < arrived);
        let event = Event::CountryBlocked {
            country: failure.country.clone(),
            sender: Some(sender.clone()),
            happened_at: self.at,
        };
        Some((event, !is_over && Mark::is_news(known, self.at)))
    }

    fn unreachable(&self, found: &Found<'_>, sender: Option<&SenderId>) -> Option<Event> {
        let failed = found.known.and_then(|known| known.details().traffic.failed);
        failed.is_none_or(|(known, _)| known < self.at).then(|| Event::TrafficSeen {
            kind: TrafficKind::Undeliverable,
            sender: sender.cloned(),
            happened_at: self.at,
            identity_hash: None,
            message: None,
            counts_for: CountsFor::Nothing,
        })
    }
}

/// Returns what failures have in common with this one.
const fn incident_kind(failure: &Failure) -> IncidentKind {
    match failure.effect {
        FailureEffect::Unreachable => IncidentKind::Unreachable,
        FailureEffect::Experiment => IncidentKind::Experiment,
        FailureEffect::BlockedByBusiness | FailureEffect::RefuseForever => IncidentKind::Barred,
        FailureEffect::CountryBlocked => IncidentKind::CountryBlocked,
        FailureEffect::WindowClosed
        | FailureEffect::MarketingCooldown
        | FailureEffect::MarketingStopped
        | FailureEffect::PairBackoff
        | FailureEffect::Identity
        | FailureEffect::HaltSender
        | FailureEffect::HaltSenderTemplates
        | FailureEffect::HaltAccount
        | FailureEffect::HaltTemplates
        | FailureEffect::HaltMarketing
        | FailureEffect::TemplatePaused
        | FailureEffect::TemplateDisabled
        | FailureEffect::TemplateUnknown
        | FailureEffect::Nothing => IncidentKind::Code(failure.code),
    }
}

/// Returns whether a status says anything of the person it names: then they are known from then on,
/// so that it is true of them whatever is heard first.
fn tells(delivery: &Delivery) -> bool {
    let person = delivery.person.as_ref();
    let links = person.is_some_and(|person| person.number.is_some() && person.user.is_some());
    let failure = delivery.failure.as_ref();
    links
        || delivery.identity_hash.is_some()
        || match delivery.step {
            Step::Sent => false,
            Step::Delivered | Step::Read => true,
            Step::Failed => failure.is_some_and(|failure| failure.effect.about() == About::Person),
        }
}
