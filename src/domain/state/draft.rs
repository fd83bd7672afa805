//! What a group of commands has changed so far, on top of what is durable.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    domain::{
        command::ContactRef,
        consent::Consents,
        contact::Contact,
        entry::{Seq, Subject},
        event::{Actor, Event, Record},
        governor::Governor,
        hearing::Review,
        ids::{ContactId, LookupId, TicketId},
        incident::Incidents,
        key::{CommandId, ContactKey, MessageKey},
        named::KeyTag,
        names::SenderId,
        pace::{MomentsDelta, PacedUs, UsageKey},
        registry::Registry,
        state::{Done, OpenLookup, State, contacts::follow},
        ticket::Ticket,
        time::Timestamp,
    },
    limits::TICKET_TTL_MS_MAX,
};

/// A draft on top of a [`State`].
#[derive(Debug, Clone)]
pub struct Draft<'a> {
    pub(super) base: &'a State,
    pub(super) changes: Changes,
    added: BTreeMap<ContactKey, Subject>,
    added_ids: BTreeMap<ContactId, Subject>,
    next_contact: Subject,
}

/// What a draft changed, ready to be applied.
#[derive(Debug, Clone)]
pub struct Changes {
    pub(super) next: Seq,
    pub(super) last_at: Timestamp,
    pub(super) contacts: BTreeMap<Subject, Contact>,
    pub(super) registry: Arc<Registry>,
    pub(super) governor: Arc<Governor>,
    pub(super) incidents: Arc<Incidents>,
    pub(super) usage: BTreeMap<UsageKey, MomentsDelta>,
    pub(super) paces: BTreeMap<SenderId, PacedUs>,
    pub(super) tickets: BTreeMap<TicketId, Ticket>,
    pub(super) lookups: BTreeMap<LookupId, Option<OpenLookup>>,
    pub(super) shadows: BTreeMap<ContactKey, Option<Consents>>,
    pub(super) commands: BTreeMap<CommandId, Done>,
    pub(super) reviews: BTreeMap<Seq, Option<Review>>,
    pub(super) messages: BTreeMap<MessageKey, TicketId>,
}

impl<'a> Draft<'a> {
    /// Starts a draft that has changed nothing.
    pub fn new(base: &'a State) -> Self {
        Self {
            base,
            changes: Changes {
                next: base.next,
                last_at: base.last_at,
                contacts: BTreeMap::new(),
                registry: Arc::clone(&base.registry),
                governor: Arc::clone(&base.governor),
                incidents: Arc::clone(&base.incidents),
                usage: BTreeMap::new(),
                paces: BTreeMap::new(),
                tickets: BTreeMap::new(),
                lookups: BTreeMap::new(),
                shadows: BTreeMap::new(),
                commands: BTreeMap::new(),
                reviews: BTreeMap::new(),
                messages: BTreeMap::new(),
            },
            added: BTreeMap::new(),
            added_ids: BTreeMap::new(),
            next_contact: base.contacts.next(),
        }
    }

    /// Returns the draft as it will be once these events are recorded.
    pub(in crate::domain) fn foresee(&self, events: &[(Subject, Event)], now: Timestamp) -> Self {
        let mut foreseen = self.clone();
        for (subject, event) in events {
            let by = Actor::System;
            let record = Record { at: now, by, command: None, event: event.clone() };
            foreseen.fold(foreseen.next(), *subject, &record);
        }
        foreseen
    }

    /// Ends the draft and hands out what it changed.
    pub fn into_changes(self) -> Changes {
        self.changes
    }

    /// Returns the position the next entry will have.
    pub const fn next(&self) -> Seq {
        self.changes.next
    }

    /// Returns the position of the last entry; 0 also when there is none.
    pub const fn last(&self) -> Seq {
        Seq(self.changes.next.0.saturating_sub(1))
    }

    /// Returns the time of the last entry.
    pub const fn last_at(&self) -> Timestamp {
        self.changes.last_at
    }

    /// Returns the place the next new contact takes.
    pub const fn next_contact(&self) -> Subject {
        self.next_contact
    }

    /// Returns the registry.
    pub fn registry(&self) -> &Registry {
        &self.changes.registry
    }

    /// Returns the look-up budget's marks.
    pub fn governor(&self) -> &Governor {
        &self.changes.governor
    }

    /// Returns what came of each sender's messages lately.
    pub fn incidents(&self) -> &Incidents {
        &self.changes.incidents
    }

    /// Returns a contact by place.
    pub fn contact(&self, subject: Subject) -> Option<&Contact> {
        self.changes.contacts.get(&subject).or_else(|| self.base.contacts.get(subject))
    }

    /// Returns the place of the contact this key leads to: of the one that stayed, if the one with
    /// the key became part of another.
    pub fn find(&self, key: ContactKey) -> Option<Subject> {
        self.find_ref(ContactRef::Key(key))
    }

    /// Returns the place of the contact a reference leads to.
    pub fn find_ref(&self, contact: ContactRef) -> Option<Subject> {
        self.place_of(contact).map(|place| self.resolve(place))
    }

    /// Returns the place of the contact a reference names itself.
    pub fn place_of(&self, contact: ContactRef) -> Option<Subject> {
        match contact {
            ContactRef::Key(key) => {
                self.added.get(&key).copied().or_else(|| self.base.contacts.place_of(key))
            }
            ContactRef::Id(id) => {
                self.added_ids.get(&id).copied().or_else(|| self.base.contacts.place_of_id(id))
            }
        }
    }

    /// Returns the place of the contact that stayed where the one at `place` became part of it.
    pub fn resolve(&self, place: Subject) -> Subject {
        follow(place, |place| self.contact(place))
    }

    /// Returns what people withdrew from under other spellings of a number nobody is known by yet.
    pub fn shadow(&self, key: ContactKey) -> Option<&Consents> {
        match self.changes.shadows.get(&key) {
            Some(changed) => changed.as_ref(),
            None => self.base.shadows.get(&key),
        }
    }

    /// Returns a ticket.
    pub fn ticket(&self, id: TicketId) -> Option<&Ticket> {
        self.changes.tickets.get(&id).or_else(|| self.base.tickets.get(&id))
    }

    /// Returns the tickets that are reserved and good at `now`. Looks at those of the last day: no
    /// ticket is good for longer.
    pub fn open_tickets(&self, now: Timestamp) -> Vec<&Ticket> {
        let since = now.plus_ms(-TICKET_TTL_MS_MAX);
        let durable = self.base.tickets.values().rev();
        let durable = durable.take_while(|ticket| since <= ticket.reserved_at);
        let durable = durable.filter(|ticket| !self.changes.tickets.contains_key(&ticket.id));
        let all = durable.chain(self.changes.tickets.values());
        all.filter(|ticket| ticket.is_open(now)).collect()
    }

    /// Returns the ticket a message was sent on.
    pub fn ticket_of(&self, message: MessageKey) -> Option<&Ticket> {
        let known = self.changes.messages.get(&message);
        self.ticket(*known.or_else(|| self.base.messages.get(&message))?)
    }

    /// Returns what people must look at.
    pub fn review(&self, opened: Seq) -> Option<&Review> {
        match self.changes.reviews.get(&opened) {
            Some(changed) => changed.as_ref(),
            None => self.base.reviews.get(&opened),
        }
    }

    /// Returns whom a look-up under way is about.
    pub fn lookup(&self, id: LookupId) -> Option<Subject> {
        self.open_lookup(id).map(|open| self.resolve(open.subject))
    }

    /// Returns which number a look-up under way is about, where that is not the own one of whoever
    /// it is about now.
    pub fn looked_up(&self, id: LookupId) -> Option<KeyTag> {
        let OpenLookup { subject, about, .. } = self.open_lookup(id)?;
        let merged = || {
            let number = self.contact(subject)?.number_key;
            self.contact(self.resolve(subject))?.other(number)
        };
        about.or_else(merged)
    }

    /// Returns a look-up under way.
    pub(super) fn open_lookup(&self, id: LookupId) -> Option<OpenLookup> {
        match self.changes.lookups.get(&id) {
            Some(changed) => *changed,
            None => self.base.lookups.get(&id).copied(),
        }
    }

    /// Returns what became of a command.
    pub fn done(&self, id: CommandId) -> Option<Done> {
        self.changes.commands.get(&id).or_else(|| self.base.commands.get(&id)).copied()
    }

    /// Returns a contact to be changed, as it is in this draft.
    pub(super) fn contact_mut(&mut self, subject: Subject) -> Option<&mut Contact> {
        if !self.changes.contacts.contains_key(&subject) {
            let known = self.base.contacts.get(subject)?.clone();
            self.changes.contacts.insert(subject, known);
        }
        self.changes.contacts.get_mut(&subject)
    }

    /// Returns what people withdrew from under other spellings of a number, to be changed.
    pub(super) fn shadow_mut(&mut self, key: ContactKey) -> &mut Consents {
        let base = self.base;
        let known = || base.shadows.get(&key).cloned();
        let changed = self.changes.shadows.entry(key).or_insert_with(known);
        changed.get_or_insert_default()
    }

    /// Forgets the same: somebody is known by the number now, and has it on record.
    pub(super) fn drop_shadow(&mut self, key: ContactKey) {
        if self.shadow(key).is_some() {
            self.changes.shadows.insert(key, None);
        }
    }

    /// Returns a ticket to be changed, as it is in this draft.
    pub(super) fn ticket_mut(&mut self, id: TicketId) -> Option<&mut Ticket> {
        if !self.changes.tickets.contains_key(&id) {
            let known = self.base.tickets.get(&id)?.clone();
            self.changes.tickets.insert(id, known);
        }
        self.changes.tickets.get_mut(&id)
    }

    /// Adds a contact at its place.
    pub(super) fn add_contact(&mut self, subject: Subject, contact: Contact) {
        self.added_ids.insert(contact.id, subject);
        self.index(subject, contact.number_key);
        self.index(subject, contact.user_key);
        if let Some(key) = contact.number_key {
            self.drop_shadow(key);
        }
        self.changes.contacts.insert(subject, contact);
        self.next_contact = self.next_contact.max(Subject(subject.0.saturating_add(1)));
    }

    /// Makes a contact found by a key it just got.
    pub(super) fn index(&mut self, subject: Subject, key: Option<ContactKey>) {
        if let Some(key) = key {
            self.added.insert(key, subject);
        }
    }
}
