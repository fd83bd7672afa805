//! The fold: a draft and an entry become the next draft. Knows no rules and cannot fail.
//!
//! Whatever was once accepted is folded, whether or not today's rules would accept it again.

use std::sync::Arc;

use crate::domain::{
    absorbed::Mark,
    consent::{Act, Consent, ConsentStatus, FullStop},
    contact::Contact,
    entry::{Seq, Subject},
    event::{Event, OptedIn, OptedOut, Record, TicketReserved, TrafficKind},
    hearing::Step,
    home::Home,
    identity::{Identity, IdentityTag},
    ids::TicketId,
    key::{ContactKey, MessageKey},
    lookup_job::JobAnswer,
    questions::ShownTag,
    registry::{Put, Registry, StatementVersion},
    state::{Done, Draft, hearing::fold_reported},
    ticket::{Ticket, TicketState},
    time::Timestamp,
};

impl Draft<'_> {
    /// Folds one entry in.
    pub fn fold(&mut self, seq: Seq, subject: Subject, record: &Record) {
        self.changes.next = seq.next();
        self.changes.last_at = record.at.max(self.changes.last_at);
        if let Some(mark) = record.command {
            let done = Done {
                fingerprint: mark.fingerprint,
                first: seq,
                entries: mark.entries,
                at: record.at,
                kept: mark.kept,
            };
            self.changes.commands.insert(mark.id, done);
        }
        self.fold_outcome(seq, subject, &record.event);
        if subject.is_contact() {
            self.fold_contact(seq, subject, record);
        } else {
            self.fold_registry(seq, record);
        }
    }

    #[expect(clippy::too_many_lines, reason = "a line for each kind of entry")]
    fn fold_registry(&mut self, seq: Seq, record: &Record) {
        let registry: &mut Registry = Arc::make_mut(&mut self.changes.registry);
        match &record.event {
            Event::TopicPut { id, topic } => {
                registry.fold_topic(id, Put { value: topic.clone(), seq });
            }
            Event::StatementPut { id, digest, statement } => {
                let (digest, value) = (digest.clone(), statement.clone());
                registry.fold_statement(id, StatementVersion { digest, value, seq });
            }
            Event::TemplatePut { id, template } => {
                registry.fold_template(id, Put { value: template.clone(), seq }, record.at);
            }
            Event::SenderPut { id, sender } => {
                registry.fold_sender(id, Put { value: sender.clone(), seq }, record.at);
            }
            Event::PortfolioPut { id, portfolio } => {
                registry.fold_portfolio(id, Put { value: portfolio.clone(), seq }, record.at);
            }
            Event::EntryPointPut { id, entry_point } => {
                registry.fold_entry_point(id, Put { value: entry_point.clone(), seq });
            }
            Event::PolicyPut { overrides, policy } => {
                registry.fold_policy(overrides, policy, seq);
            }
            Event::KeyCreated { key } => registry.fold_key(key.clone()),
            Event::KeyRotated { id, live, replaces_newest: true, .. } => {
                registry.fold_key_replacement(id, live.clone());
            }
            Event::KeyRotated { id, live, old_until, replaces_newest: false } => {
                registry.fold_key_rotation(id, live.clone(), *old_until);
            }
            Event::KeyRevoked { id } => registry.fold_key_revocation(id, record.at),
            Event::SenderLearned(_)
            | Event::AccountHeld { .. }
            | Event::AccountLifted { .. }
            | Event::SenderHalted { .. }
            | Event::SenderReported { .. }
            | Event::TemplateReported { .. }
            | Event::LimitReported(_)
            | Event::CountryBlocked { .. } => {
                fold_reported(registry, &self.changes.incidents, seq, &record.event);
            }
            Event::LookupJobStarted { .. } | Event::LookupJobEnded { .. } => {
                self.fold_job(seq, record);
            }
            Event::LedgerOpened { .. }
            | Event::NothingChanged
            | Event::OutcomeSeen(_)
            | Event::PairSeen(_)
            | Event::AnswerKept(_)
            | Event::StatusKept(_)
            | Event::ContactAdded { .. }
            | Event::IdentifierLinked { .. }
            | Event::ContactMerged { .. }
            | Event::ContactAbsorbed(_)
            | Event::OptedIn(_)
            | Event::OptedOut(_)
            | Event::IdentityObserved { .. }
            | Event::IdentityChanged { .. }
            | Event::IdentityConfirmed { .. }
            | Event::ContactBlocked { .. }
            | Event::ContactUnblocked
            | Event::TrafficSeen { .. }
            | Event::IdentityPredated { .. }
            | Event::IdentityDoubted { .. }
            | Event::MarketingPreferenceSeen { .. }
            | Event::MarketingHeldBack { .. }
            | Event::ExperimentSeen { .. }
            | Event::PairSlowed { .. }
            | Event::Barred { .. }
            | Event::WindowEnded { .. }
            | Event::FailureSpared { .. }
            | Event::IncidentOpened { .. }
            | Event::IncidentClosed { .. }
            | Event::NumberMoved { .. }
            | Event::ConsentsFollowed { .. }
            | Event::SeenTogether { .. }
            | Event::UserMoved { .. }
            | Event::ReviewOpened(_)
            | Event::ReviewRepeated { .. }
            | Event::ReviewDecided { .. }
            | Event::TicketStepped { .. }
            | Event::TicketReserved(_)
            | Event::TicketCommitted { .. }
            | Event::TicketReleased { .. }
            | Event::TicketVoided { .. }
            | Event::LookupRequested { .. }
            | Event::LookupConcluded { .. } => {}
        }
    }

    #[expect(clippy::too_many_lines, reason = "a line for each kind of entry")]
    fn fold_contact(&mut self, seq: Seq, subject: Subject, record: &Record) {
        match &record.event {
            Event::ContactAdded {
                contact,
                number_key,
                user_key,
                weak_keys,
                country,
                zone,
                seen_at,
                ..
            } => {
                let mut contact = Contact::new(*contact, *number_key, *user_key);
                contact.add_weak(weak_keys);
                contact.home = Home::stored(*country, zone.as_deref());
                contact.pair_since(seen_at.map(|at| Mark { at, seq }));
                self.add_contact(subject, contact);
            }
            Event::IdentifierLinked {
                number_key,
                user_key,
                weak_keys,
                country,
                zone,
                seen_at,
                ..
            } => {
                let seen = seen_at.map(|at| Mark { at, seq });
                self.fold_identifiers(subject, (*number_key, *user_key), weak_keys, seen);
                if let Some(contact) = self.contact_mut(subject).filter(|_| country.is_some()) {
                    contact.home = Home::stored(*country, zone.as_deref());
                }
            }
            Event::PairSeen(seen) => self.fold_pair_seen(subject, seen, seq),
            Event::ContactMerged { place, .. } => self.fold_merge(seq, subject, *place),
            Event::ContactAbsorbed(event) => self.fold_absorbed(seq, subject, event),
            Event::OptedIn(event) => self.fold_opt_in(seq, subject, event),
            Event::OptedOut(event) => self.fold_opt_out(seq, subject, event),
            Event::TicketReserved(event) => {
                self.fold_reservation(seq, subject, record.at, event);
            }
            Event::TicketCommitted { ticket, message, failed, .. } => {
                let state = TicketState::Committed { message: *message };
                self.fold_ticket_end(subject, *ticket, state);
                self.changes.messages.insert(*message, *ticket);
                self.drop_early(subject, *message);
                if !failed {
                    self.fold_dated(subject, *ticket, (Step::Delivered, record.at));
                    self.fold_message_sent(subject, *ticket, record.at);
                }
            }
            Event::TicketStepped { ticket, step, message, happened_at, .. } => {
                let times = (*happened_at, record.at);
                self.fold_ticket_step(subject, *ticket, (*step, *message), times);
            }
            Event::TicketReleased { ticket } => self.fold_release(subject, *ticket),
            Event::TicketVoided { ticket, cause } => {
                self.fold_ticket_end(subject, *ticket, TicketState::Voided { cause: *cause });
                if let Some(voided) = self.ticket(*ticket).cloned() {
                    self.fold_sent_at(subject, &voided);
                }
            }
            Event::LookupRequested(request) => {
                self.fold_lookup_request(subject, request, record.at);
            }
            Event::LookupConcluded { lookup, state, wa_key, was_asked, cause, .. } => {
                let (cause, at, was_asked) = (cause.clone(), record.at, *was_asked);
                let answer = JobAnswer { state: *state, cause, at, was_asked };
                self.fold_job_answer(*lookup, &answer);
                let state = was_asked.then_some(*state);
                self.fold_lookup_end(subject, *lookup, state, record.at);
                if let Some(key) = wa_key {
                    self.fold_wa_key(subject, *key);
                }
            }
            Event::IdentityObserved { .. }
            | Event::IdentityChanged { .. }
            | Event::IdentityConfirmed { .. }
            | Event::ContactBlocked { .. }
            | Event::ContactUnblocked
            | Event::TrafficSeen { .. } => self.fold_details(seq, subject, record),
            Event::IdentityPredated { .. }
            | Event::IdentityDoubted { .. }
            | Event::MarketingPreferenceSeen { .. }
            | Event::MarketingHeldBack { .. }
            | Event::ExperimentSeen { .. }
            | Event::PairSlowed { .. }
            | Event::Barred { .. }
            | Event::WindowEnded { .. }
            | Event::CountryBlocked { .. }
            | Event::FailureSpared { .. }
            | Event::NumberMoved { .. }
            | Event::ConsentsFollowed { .. }
            | Event::SeenTogether { .. }
            | Event::UserMoved { .. }
            | Event::AnswerKept(_)
            | Event::StatusKept(_)
            | Event::ReviewOpened(_)
            | Event::ReviewRepeated { .. }
            | Event::ReviewDecided { .. } => self.fold_told(seq, subject, record),
            Event::LedgerOpened { .. }
            | Event::NothingChanged
            | Event::OutcomeSeen(_)
            | Event::SenderLearned(_)
            | Event::AccountHeld { .. }
            | Event::AccountLifted { .. }
            | Event::SenderHalted { .. }
            | Event::SenderReported { .. }
            | Event::TemplateReported { .. }
            | Event::LimitReported(_)
            | Event::IncidentOpened { .. }
            | Event::IncidentClosed { .. }
            | Event::TopicPut { .. }
            | Event::StatementPut { .. }
            | Event::TemplatePut { .. }
            | Event::SenderPut { .. }
            | Event::PortfolioPut { .. }
            | Event::EntryPointPut { .. }
            | Event::PolicyPut { .. }
            | Event::KeyCreated { .. }
            | Event::KeyRotated { .. }
            | Event::KeyRevoked { .. }
            | Event::LookupJobStarted { .. }
            | Event::LookupJobEnded { .. } => {}
        }
    }

    fn fold_opt_in(&mut self, seq: Seq, subject: Subject, event: &OptedIn) {
        if event.by_former {
            return;
        }
        let act = if event.awaits_confirmation { Act::Asked } else { Act::Agreed };
        let (basis, at) = (event.basis, event.captured_at);
        let own = self.contact(subject).map(Contact::own).unwrap_or_default();
        let under = event.under.unwrap_or(own).tags();
        let shown = || event.evidence.iter().map(|(name, text)| ShownTag::of(name, text));
        for outcome in &event.topics {
            // An act that decided nothing is in the ledger, and changes nothing here but that a
            // question may be answered later.
            let Some((topic, _)) = self.registry().topic(&outcome.topic) else { continue };
            if outcome.seq.is_some() {
                if let Some(contact) = self.contact_mut(subject) {
                    match act {
                        Act::Asked => {
                            contact.consents.fold_question(topic, at);
                            contact.consents.fold_shown(topic, at, shown());
                        }
                        Act::Agreed if basis.is_express() => {
                            contact.consents.fold_answer(topic, at);
                        }
                        Act::Agreed | Act::TookBack => {}
                    }
                    contact.consents.fold_topic(topic);
                }
                continue;
            }
            let expires_at = outcome.expires_at.unwrap_or(Timestamp::NEVER);
            let by = event.identity_hash.as_deref().map(IdentityTag::of);
            let there_since = outcome.asked_at.unwrap_or(at);
            let consent =
                Consent { topic, act, basis, at, there_since, expires_at, seq, by, under };
            if let Some(contact) = self.contact_mut(subject) {
                contact.consents.fold_act(consent);
                if act == Act::Asked {
                    contact.consents.fold_shown(topic, at, shown());
                }
            }
        }
    }

    fn fold_opt_out(&mut self, seq: Seq, subject: Subject, event: &OptedOut) {
        let at = event.captured_at;
        for key in &event.weak_keys {
            self.fold_shadow(seq, *key, event);
        }
        if event.everything {
            if let Some(contact) = self.contact_mut(subject) {
                contact.consents.fold_full_stop(FullStop { at, seq });
            }
            return;
        }
        for outcome in &event.topics {
            let Some((topic, _)) = self.registry().topic(&outcome.topic) else { continue };
            let consent = FullStop { at, seq }.about(topic);
            if outcome.status == ConsentStatus::Withdrawn
                && let Some(contact) = self.contact_mut(subject)
            {
                contact.consents.fold_act(consent);
            }
        }
    }

    /// Nobody is known by this spelling: what its person withdrew from waits for them.
    fn fold_shadow(&mut self, seq: Seq, key: ContactKey, event: &OptedOut) {
        let stop = FullStop { at: event.captured_at, seq };
        if event.everything {
            self.shadow_mut(key).fold_full_stop(stop);
            return;
        }
        for outcome in &event.topics {
            let Some((topic, _)) = self.registry().topic(&outcome.topic) else { continue };
            self.shadow_mut(key).fold_act(stop.about(topic));
        }
    }

    fn fold_details(&mut self, seq: Seq, subject: Subject, record: &Record) {
        let sender_ix = if let Event::TrafficSeen { sender: Some(sender), .. } = &record.event {
            self.registry().sender(sender).map(|(ix, _)| ix)
        } else {
            None
        };
        let Some(contact) = self.contact_mut(subject) else { return };
        let details = contact.details_mut();
        if let Event::IdentityObserved { hash, observed_at, .. } = &record.event {
            Identity::fold_sighting(&mut details.identity, hash, *observed_at);
        } else if let Event::IdentityChanged { hash, observed_at } = &record.event {
            details
                .identity
                .get_or_insert_with(|| Identity::first(hash.clone(), *observed_at))
                .fold_change(hash.clone(), *observed_at, seq);
        } else if let Event::IdentityConfirmed { confirmed_at, .. } = &record.event {
            if let Some(identity) = &mut details.identity {
                identity.fold_confirmation(*confirmed_at, seq);
            }
        } else if let Event::ContactBlocked { .. } = &record.event {
            details.blocked = Some((record.at, seq));
        } else if let Event::ContactUnblocked = &record.event {
            details.blocked = None;
            details.told_mut().fold_unbarred(record.at);
        } else if let Event::TrafficSeen { kind, happened_at, identity_hash, .. } = &record.event {
            if identity_hash.is_some()
                && let Some(identity) = &mut details.identity
            {
                identity.fold_again(*happened_at);
            }
            match kind {
                TrafficKind::Inbound => match sender_ix {
                    Some(sender) => details.traffic.fold_inbound(sender, *happened_at),
                    None => details.traffic.fold_reached(*happened_at),
                },
                TrafficKind::Delivered | TrafficKind::Read => {
                    details.traffic.fold_reached(*happened_at);
                }
                TrafficKind::Undeliverable => details.traffic.fold_failed(*happened_at, seq),
            }
        }
    }

    fn fold_reservation(
        &mut self,
        seq: Seq,
        contact: Subject,
        reserved_at: Timestamp,
        event: &TicketReserved,
    ) {
        let topic = event.topic.as_ref().and_then(|id| self.registry().topic(id)).map(|(ix, _)| ix);
        let ticket = Ticket {
            id: event.ticket,
            contact,
            sender: event.sender.clone(),
            kind: event.kind,
            template: event.template.clone(),
            topic,
            reserved_at,
            category: event.category,
            counts_for: event.counts_for.clone(),
            to: event.to,
            expires_at: event.expires_at,
            state: TicketState::Reserved,
            step: None,
            stray: None,
            was_sent: false,
            earned_at: None,
            taken_at: None,
            known_at: None,
            is_given_back: false,
            seq,
        };
        // Whenever it is sent, it is sent by then.
        self.fold_sent(contact, &ticket);
        if let Some(until) = event.sender_paced_us {
            self.fold_sender_paced(&event.sender, until);
        }
        let sender = self.registry().sender(&event.sender).map(|(ix, _)| ix);
        if let Some((sender, until)) = sender.zip(event.paced_until)
            && let Some(contact) = self.contact_mut(contact)
        {
            contact.details_mut().fold_paced(sender, until);
        }
        self.changes.tickets.insert(event.ticket, ticket);
        let listed = self.contact(contact).map(|contact| contact.details().tickets.iter());
        // Tickets run out by themselves; nobody else takes them off the list.
        let has_run_out =
            |id: &&TicketId| self.ticket(**id).is_none_or(|ticket| !ticket.is_open(reserved_at));
        let run_out: Vec<_> = listed.into_iter().flatten().filter(has_run_out).copied().collect();
        if let Some(contact) = self.contact_mut(contact) {
            let tickets = &mut contact.details_mut().tickets;
            for id in &run_out {
                tickets.remove(id);
            }
            tickets.insert(event.ticket);
        }
    }

    /// Nothing was sent on a ticket. One that was taken back stays that.
    fn fold_release(&mut self, subject: Subject, id: TicketId) {
        let Some(known) = self.ticket(id).cloned() else { return };
        self.fold_unsent(subject, &known);
        if let TicketState::Voided { .. } = known.state {
            if let Some(ticket) = self.ticket_mut(id) {
                ticket.is_given_back = true;
            }
        } else {
            self.fold_ticket_end(subject, id, TicketState::Released);
        }
    }

    /// What was taken back stays counted: its message may be on its way.
    fn fold_ticket_end(&mut self, subject: Subject, id: TicketId, state: TicketState) {
        if let Some(ticket) = self.ticket_mut(id) {
            ticket.state = state;
        }
        if let Some(contact) = self.contact_mut(subject) {
            contact.details_mut().tickets.remove(&id);
        }
    }

    /// The message of a ticket got somewhere. What was sent is not taken back by what failed.
    fn fold_ticket_step(
        &mut self,
        subject: Subject,
        id: TicketId,
        (step, message): (Step, Option<MessageKey>),
        (happened_at, at): (Timestamp, Timestamp),
    ) {
        let Some(known) = self.ticket(id).cloned() else { return };
        if known.step < Some(step) {
            self.fold_step(subject, &known, step);
        }
        self.fold_dated(subject, id, (step, happened_at.min(at)));
        if let Some(ticket) = self.ticket_mut(id) {
            ticket.step = ticket.step.max(Some(step));
            ticket.stray = ticket.stray.or(message);
        }
        if let Some(message) = message {
            self.changes.messages.insert(message, id);
            self.drop_early(subject, message);
        }
        match step {
            // That it was handed over is no word of WhatsApp's that it was sent.
            Step::Failed if known.step.is_none() => self.fold_message_unsent(id),
            Step::Failed => {}
            Step::Sent | Step::Delivered | Step::Read => self.fold_message_sent(subject, id, at),
        }
    }

    /// Nothing waits any more for a ticket that is known.
    fn drop_early(&mut self, subject: Subject, message: MessageKey) {
        let waits = |contact: &Contact| contact.details().told().early(message).next().is_some();
        if self.contact(subject).is_some_and(waits)
            && let Some(contact) = self.contact_mut(subject)
        {
            contact.details_mut().told_mut().drop_early(message);
        }
    }

    /// The message of a ticket had got so far at a moment, and so was sent by then.
    fn fold_dated(&mut self, subject: Subject, id: TicketId, (step, at): (Step, Timestamp)) {
        let Some(dated) = self.ticket(id).map(|known| known.dated(step, at)) else { return };
        self.fold_sent_at(subject, &dated);
        self.changes.tickets.insert(id, dated);
    }

    /// The message of a ticket was sent, which is so once.
    fn fold_message_sent(&mut self, subject: Subject, id: TicketId, at: Timestamp) {
        match self.ticket_mut(id) {
            Some(ticket) if ticket.was_sent => return,
            Some(ticket) => ticket.was_sent = true,
            None => {}
        }
        let earned_at = self.fold_contacted(subject, at).then_some(at);
        if let Some(ticket) = self.ticket_mut(id) {
            ticket.earned_at = earned_at;
        }
    }

    /// The message of a ticket only failed: what it had earned is taken back.
    fn fold_message_unsent(&mut self, id: TicketId) {
        let Some(ticket) = self.ticket_mut(id).filter(|ticket| ticket.was_sent) else { return };
        ticket.was_sent = false;
        if let Some(at) = ticket.earned_at.take() {
            Arc::make_mut(&mut self.changes.governor).fold_unearned(at);
        }
    }
}
