//! What deciding looks at: a fold of the ledger, held in memory.
//!
//! [`State`] is what is durable. A [`Draft`] lies on top of it while a group of commands is being
//! decided: commands of the group see each other, readers see none of it until the group is
//! durable and [`State::apply`] takes the draft's changes over.

mod absorb;
mod contacts;
mod draft;
mod fold;
mod hearing;
mod incident;
mod lookup;
mod pace;

use std::{collections::BTreeMap, collections::VecDeque, sync::Arc};

pub use contacts::{CONTACTS_MAX, Contacts};
pub use draft::{Changes, Draft};
pub(in crate::domain) use hearing::IDENTIFIERS_CONFLICT;

use crate::domain::{
    consent::Consents,
    entry::{Seq, Subject},
    event::MarkKept,
    governor::Governor,
    hearing::Review,
    ids::{LookupId, TicketId},
    incident::Incidents,
    key::{CommandId, ContactKey, Fingerprint, MessageKey},
    named::KeyTag,
    names::SenderId,
    pace::{Moments, PacedUs, UsageKey},
    registry::Registry,
    ticket::{Ticket, TicketState},
    time::{DAY_MS, Timestamp},
};

/// How long closed tickets stay known, in milliseconds: WhatsApp repeats webhooks for 7 days.
pub const CLOSED_TICKET_KEPT_MS: i64 = 8 * DAY_MS;

/// How long the outcome of a command stays known to its idempotency key, in milliseconds, where
/// nothing else is said.
pub const COMMAND_KEPT_MS: i64 = 2 * DAY_MS;

/// How long the outcome of a command stays known that is to stay known for long, in milliseconds.
pub const COMMAND_KEPT_LONG_MS: i64 = 31 * DAY_MS;

/// Everything durable that a decision may need.
#[derive(Debug, Clone, Default)]
pub struct State {
    next: Seq,
    last_at: Timestamp,
    contacts: Contacts,
    registry: Arc<Registry>,
    governor: Arc<Governor>,
    incidents: Arc<Incidents>,
    usage: BTreeMap<UsageKey, Moments>,
    paces: BTreeMap<SenderId, PacedUs>,
    tickets: BTreeMap<TicketId, Ticket>,
    lookups: BTreeMap<LookupId, OpenLookup>,
    /// What people withdrew from under other spellings of numbers nobody is known by yet. At most
    /// a few for each contact that withdrew: one for each weak spelling of its number.
    shadows: BTreeMap<ContactKey, Consents>,
    commands: BTreeMap<CommandId, Done>,
    commands_by_age: VecDeque<(Timestamp, CommandId)>,
    long_commands_by_age: VecDeque<(Timestamp, CommandId)>,
    /// What people must look at, by the entry that opened it.
    reviews: BTreeMap<Seq, Review>,
    /// The tickets that messages were sent on.
    messages: BTreeMap<MessageKey, TicketId>,
    command_kept: CommandKept,
}

/// A look-up that nobody has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct OpenLookup {
    /// Whom it was requested for, who may have become part of another contact since.
    subject: Subject,
    requested_at: Timestamp,
    /// Which number it is about, where that was not their own.
    about: Option<KeyTag>,
}

/// How long the outcome of a command stays known, in milliseconds.
#[derive(Debug, Clone, Copy)]
struct CommandKept(i64);

impl Default for CommandKept {
    fn default() -> Self {
        Self(COMMAND_KEPT_MS)
    }
}

/// What became of a command that may be repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Done {
    /// What was asked.
    pub fingerprint: Fingerprint,
    /// Its first entry.
    pub first: Seq,
    /// How many entries it made.
    pub entries: u32,
    /// When.
    pub at: Timestamp,
    /// How long it stays known.
    pub kept: MarkKept,
}

impl State {
    /// Starts from nothing and keeps the outcomes of commands for `kept_ms` milliseconds.
    pub fn keeping_commands(kept_ms: i64) -> Self {
        Self { command_kept: CommandKept(kept_ms), ..Self::default() }
    }

    /// Returns the position the next entry will have.
    pub const fn next(&self) -> Seq {
        self.next
    }

    /// Returns the position of the last entry; 0 also when there is none.
    pub const fn last(&self) -> Seq {
        Seq(self.next.0.saturating_sub(1))
    }

    /// Returns the time of the last entry.
    pub const fn last_at(&self) -> Timestamp {
        self.last_at
    }

    /// Returns the contacts.
    pub const fn contacts(&self) -> &Contacts {
        &self.contacts
    }

    /// Returns the registry.
    pub const fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    /// Returns the look-up budget's marks.
    pub fn governor(&self) -> &Governor {
        &self.governor
    }

    /// Returns what came of each sender's messages lately.
    pub fn incidents(&self) -> &Incidents {
        &self.incidents
    }

    /// Returns the ticket a message was sent on, while it is remembered.
    pub fn ticket_of(&self, message: MessageKey) -> Option<&Ticket> {
        self.ticket(*self.messages.get(&message)?)
    }

    /// Returns a ticket.
    pub fn ticket(&self, id: TicketId) -> Option<&Ticket> {
        self.tickets.get(&id)
    }

    /// Returns the look-ups under way.
    pub fn lookups(&self) -> impl Iterator<Item = LookupId> + '_ {
        self.lookups.keys().copied()
    }

    /// Returns what people must look at, oldest first, from an entry on.
    pub fn reviews_from(&self, from: Seq) -> impl Iterator<Item = (Seq, &Review)> {
        self.reviews.range(from..).map(|(seq, review)| (*seq, review))
    }

    /// Makes room for the key-less remains of erased contacts up to and including `subject`.
    pub fn skip_erased(&mut self, subject: Subject, seq: Seq) {
        self.contacts.skip_to(subject);
        self.next = seq.next();
    }

    /// Takes over what a draft changed. The draft must have been made on this very state.
    pub fn apply(&mut self, changes: Changes) {
        let Changes {
            next,
            last_at,
            contacts,
            registry,
            governor,
            incidents,
            usage,
            paces,
            tickets,
            lookups,
            shadows,
            commands,
            reviews,
            messages,
        } = changes;
        self.next = next;
        self.last_at = last_at;
        for (subject, contact) in contacts {
            self.contacts.set(subject, contact);
        }
        self.registry = registry;
        self.governor = governor;
        self.incidents = incidents;
        self.paces.extend(paces);
        for (key, delta) in usage {
            self.usage.entry(key).or_default().apply(delta, last_at);
        }
        self.tickets.extend(tickets);
        self.messages.extend(messages);
        for (lookup, open) in lookups {
            match open {
                Some(open) => drop(self.lookups.insert(lookup, open)),
                None => drop(self.lookups.remove(&lookup)),
            }
        }
        for (key, stops) in shadows {
            match stops {
                Some(stops) => drop(self.shadows.insert(key, stops)),
                None => drop(self.shadows.remove(&key)),
            }
        }
        // Forgetting looks no further than the oldest, so a draft of many days goes by age too.
        let mut by_age: Vec<_> = commands.iter().map(|(id, done)| (done.at, *id)).collect();
        by_age.sort_unstable();
        for (at, id) in by_age {
            match commands.get(&id).map(|done| done.kept) {
                Some(MarkKept::Days31) => self.long_commands_by_age.push_back((at, id)),
                Some(MarkKept::Usual) | None => self.commands_by_age.push_back((at, id)),
            }
        }
        self.commands.extend(commands);
        for (seq, review) in reviews {
            match review {
                Some(review) => drop(self.reviews.insert(seq, review)),
                None => drop(self.reviews.remove(&seq)),
            }
        }
        self.forget_old();
    }

    /// Forgets what nothing asks for any more. By ledger time, so that replay forgets the same.
    fn forget_old(&mut self) {
        for moments in self.usage.values_mut() {
            moments.forget(self.last_at);
        }
        self.usage.retain(|_, moments| !moments.is_empty());
        let Self { commands, commands_by_age, long_commands_by_age, .. } = self;
        for (by_age, kept_ms) in [
            (commands_by_age, self.command_kept.0),
            (long_commands_by_age, self.command_kept.0.max(COMMAND_KEPT_LONG_MS)),
        ] {
            let horizon = self.last_at.plus_ms(-kept_ms);
            while let Some((at, id)) = by_age.front().copied()
                && at < horizon
            {
                by_age.pop_front();
                if commands.get(&id).is_some_and(|done| done.at == at) {
                    commands.remove(&id);
                }
            }
        }
        let horizon = self.last_at.plus_ms(-CLOSED_TICKET_KEPT_MS);
        while let Some(oldest) = self.tickets.first_entry()
            && oldest.get().reserved_at < horizon
        {
            let ticket = oldest.remove();
            if let Some(message) = ticket.message()
                && self.messages.get(&message) == Some(&ticket.id)
            {
                self.messages.remove(&message);
            }
            // Its contact may have become part of another, which lists it since.
            let holder = self.contacts.resolve(ticket.contact);
            if ticket.state == TicketState::Reserved
                && let Some(contact) = self.contacts.get_mut(holder)
            {
                contact.details_mut().tickets.remove(&ticket.id);
            }
        }
    }
}

/// Two states are equal when every decision on them would be.
impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        self.next == other.next
            && self.last_at == other.last_at
            && self.contacts == other.contacts
            && format!("{:?}", self.registry) == format!("{:?}", other.registry)
            && self.governor == other.governor
            && self.incidents == other.incidents
            && self.usage == other.usage
            && self.paces == other.paces
            && self.tickets == other.tickets
            && self.lookups == other.lookups
            && self.shadows == other.shadows
            && self.commands == other.commands
            && self.reviews == other.reviews
            && self.messages == other.messages
    }
}
