//! Folding what changes who a contact is: further identifiers, and two contacts that became one.

use std::sync::Arc;

use crate::domain::{
    absorbed::{Absorbed, IdentityLeft, LookupLeft, Mark, ShownLeft},
    consent::{Consents, FullStop},
    contact::{Contact, Lookup, PendingLookup},
    entry::{Seq, Subject},
    event::PairSeen,
    identity::{Change, Identity},
    key::ContactKey,
    named::{NameTags, Named},
    names::TopicId,
    state::Draft,
    time::Timestamp,
};

impl Draft<'_> {
    /// A contact got further identifiers, or another user id; the ones it has lead to it still.
    pub(super) fn fold_identifiers(
        &mut self,
        subject: Subject,
        (number_key, user_key): (Option<ContactKey>, Option<ContactKey>),
        weak_keys: &[ContactKey],
        seen: Option<Mark>,
    ) {
        if let Some(contact) = self.contact_mut(subject) {
            contact.identify(number_key, user_key, seen);
            contact.add_weak(weak_keys);
        }
        self.index(subject, number_key);
        self.index(subject, user_key);
        if let Some(key) = number_key {
            self.drop_shadow(key);
        }
    }

    /// A user id was named with the number of a contact, and leads there from now on.
    pub(super) fn fold_pair_seen(&mut self, subject: Subject, seen: &PairSeen, seq: Seq) {
        let unsaid = seen.unsaid.iter().filter_map(|id| self.registry().topic(id));
        let unsaid: Vec<_> = unsaid.map(|(topic, _)| topic).collect();
        if let Some(contact) = self.contact_mut(subject) {
            match seen.happened_at {
                Some(at) => contact.see_pair(seen.user_key, Mark { at, seq }),
                None => contact.add_user(seen.user_key),
            }
            for topic in unsaid {
                contact.consents.forget(topic);
            }
        }
        if self.find(seen.user_key).is_none() {
            self.index(subject, Some(seen.user_key));
        }
    }

    /// A contact is also known by the number WhatsApp answered with.
    pub(super) fn fold_wa_key(&mut self, subject: Subject, key: ContactKey) {
        if let Some(contact) = self.contact_mut(subject) {
            contact.set_wa_key(key);
        }
        self.index(subject, Some(key));
        self.drop_shadow(key);
    }

    /// A contact became part of another: its names lead there, and the rest is the other's.
    pub(super) fn fold_merge(&mut self, seq: Seq, subject: Subject, into: Subject) {
        self.fold_sent_of(subject, into);
        let Some(contact) = self.contact_mut(subject) else { return };
        // What was not taken back goes to the one it is part of now.
        let tickets = std::mem::take(&mut contact.details_mut().tickets);
        if let Some(contact) = self.contact_mut(into).filter(|_| !tickets.is_empty()) {
            contact.details_mut().tickets.extend(tickets);
        }
        let Some(contact) = self.contact_mut(subject) else { return };
        let was_waiting = is_uncontacted(contact);
        contact.hand_over(into, seq);
        if was_waiting {
            Arc::make_mut(&mut self.changes.governor).fold_uncontacted(false);
        }
    }

    /// A contact stands where the entry says it stands, now that another is part of it.
    pub(super) fn fold_absorbed(&mut self, seq: Seq, subject: Subject, event: &Absorbed) {
        let own = self.contact(subject).map(Contact::own).unwrap_or_default();
        let brought = Named { number_key: event.number_key, user_key: event.user_key };
        let consents = self.consents_left(event, brought.or(own).tags());
        let registry = self.registry();
        let inbound = event
            .inbound
            .iter()
            .filter_map(|left| registry.sender(&left.sender).map(|(ix, _)| (ix, left.at)));
        let inbound = inbound.collect();
        // The part has kept its names.
        let user = self.contact(event.place).and_then(|part| part.user_key);
        let Some(contact) = self.contact_mut(subject) else { return };
        let was_waiting = is_uncontacted(contact);
        // The keys lead here already, by way of the contact that brought them.
        contact.number_key = contact.number_key.or(event.number_key);
        contact.replace_user(event.user_key);
        if let Some(user) = user.filter(|user| contact.user_key != Some(*user)) {
            contact.add_user(user);
        }
        contact.add_weak(&event.weak_keys);
        contact.consents = consents;
        let details = contact.details_mut();
        details.pair = event.pair.clone().or_else(|| details.pair.take());
        details.identity = event.identity.as_ref().map(|left| identity_left(left, seq));
        details.blocked = event.blocked.map(|mark| (mark.at, mark.seq));
        details.traffic.inbound = inbound;
        details.traffic.reached_at = event.reached_at;
        details.traffic.failed = event.failed.map(|mark| (mark.at, mark.seq));
        details.lookup = event.lookup.as_ref().map(lookup_left);
        if let Some(told) = &event.told {
            details.told_mut().clone_from(told);
        }
        let is_waiting = is_uncontacted(contact);
        if is_waiting != was_waiting {
            Arc::make_mut(&mut self.changes.governor).fold_uncontacted(is_waiting);
        }
    }

    fn consents_left(&self, event: &Absorbed, own: NameTags) -> Consents {
        let registry = self.registry();
        let acts = event.topics.iter().filter_map(|left| {
            let (topic, _) = registry.topic(&left.topic)?;
            Some(left.about(topic, own))
        });
        let full_stop = event.full_stop.map(|Mark { at, seq }| FullStop { at, seq });
        let known = |(topic, at): &(TopicId, Timestamp)| Some((registry.topic(topic)?.0, *at));
        let asked: Vec<_> = event.questions.iter().filter_map(known).collect();
        let answers: Vec<_> = event.answers.iter().filter_map(known).collect();
        let mut consents = Consents::standing_at(acts, full_stop, [&asked, &answers]);
        for ShownLeft { topic, at, tags } in &event.shown {
            if let Some((topic, _)) = registry.topic(topic) {
                consents.fold_shown(topic, *at, tags.iter().copied());
            }
        }
        consents
    }
}

/// Returns whether a person was found on WhatsApp and not written to since.
fn is_uncontacted(contact: &Contact) -> bool {
    contact.details().lookup.as_ref().is_some_and(Lookup::is_uncontacted)
}

/// What one side vouched for was vouched for by the entry that made the two one, at the latest.
fn identity_left(left: &IdentityLeft, by: Seq) -> Identity {
    let IdentityLeft { hash, observed_at, change, confirmed_at, tag, first_at, before_at } = left;
    let change = change.map(|Mark { at, seq }| Change::of(at, seq, *tag));
    let since = (first_at.unwrap_or(*observed_at), *before_at);
    let confirmed = confirmed_at.map(|at| Mark { at, seq: by });
    Identity::joined((hash.clone(), *observed_at), change, confirmed, since)
}

fn lookup_left(left: &LookupLeft) -> Lookup {
    let LookupLeft { pending, pending_since, pending_contacted, state, answered_at, .. } = *left;
    // Without its time it lapses at once, and the number may be asked about again.
    let since = pending_since.unwrap_or_default();
    let pending =
        pending.map(|id| PendingLookup { id, at: since, was_contacted: pending_contacted });
    let (others, was_contacted) = (left.others.clone(), left.was_contacted);
    Lookup { pending, answer: state.zip(answered_at), others, was_contacted }
}
