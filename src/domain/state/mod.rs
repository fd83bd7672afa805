//! What deciding looks at: a fold of the ledger, held in memory.
//!
//! [`State`] is what is durable. A [`Draft`] lies on top of it while a group of commands is being
//! decided: commands of the group see each other, readers see none of it until the group is
//! durable and [`State::apply`] takes the draft's changes over.

mod absorb;
mod contacts;
mod draft;
mod fold;

use std::{collections::BTreeMap, collections::VecDeque, sync::Arc};

pub use contacts::{CONTACTS_MAX, Contacts};
pub use draft::{Changes, Draft};

use crate::domain::{
    consent::Consents,
    entry::{Seq, Subject},
    governor::Governor,
    ids::{LookupId, TicketId},
    key::{CommandId, ContactKey, Fingerprint},
    registry::Registry,
    ticket::{Ticket, TicketState},
    time::{DAY_MS, Timestamp},
};

/// How long closed tickets stay known, in milliseconds: WhatsApp repeats webhooks for 7 days.
pub const CLOSED_TICKET_KEPT_MS: i64 = 8 * DAY_MS;

/// How long the outcome of a command stays known to its idempotency key, in milliseconds, where
/// nothing else is said.
pub const COMMAND_KEPT_MS: i64 = 2 * DAY_MS;

/// Everything durable that a decision may need.
#[derive(Debug, Clone, Default)]
pub struct State {
    next: Seq,
    last_at: Timestamp,
    contacts: Contacts,
    registry: Arc<Registry>,
    governor: Arc<Governor>,
    tickets: BTreeMap<TicketId, Ticket>,
    lookups: BTreeMap<LookupId, OpenLookup>,
    /// What people withdrew from under other spellings of numbers nobody is known by yet. At most
    /// a few for each contact that withdrew: one for each weak spelling of its number.
    shadows: BTreeMap<ContactKey, Consents>,
    commands: BTreeMap<CommandId, Done>,
    commands_by_age: VecDeque<(Timestamp, CommandId)>,
    command_kept: CommandKept,
}

/// A look-up that nobody has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct OpenLookup {
    /// Whom it was requested for, who may have become part of another contact since.
    subject: Subject,
    requested_at: Timestamp,
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

    /// Returns a ticket.
    pub fn ticket(&self, id: TicketId) -> Option<&Ticket> {
        self.tickets.get(&id)
    }

    /// Returns the look-ups under way.
    pub fn lookups(&self) -> impl Iterator<Item = LookupId> + '_ {
        self.lookups.keys().copied()
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
            tickets,
            lookups,
            shadows,
            commands,
        } = changes;
        self.next = next;
        self.last_at = last_at;
        for (subject, contact) in contacts {
            self.contacts.set(subject, contact);
        }
        self.registry = registry;
        self.governor = governor;
        self.tickets.extend(tickets);
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
        self.commands_by_age.extend(by_age);
        self.commands.extend(commands);
        self.forget_old();
    }

    /// Forgets what nothing asks for any more. By ledger time, so that replay forgets the same.
    fn forget_old(&mut self) {
        let horizon = self.last_at.plus_ms(-self.command_kept.0);
        while let Some((at, id)) = self.commands_by_age.front().copied()
            && at < horizon
        {
            self.commands_by_age.pop_front();
            if self.commands.get(&id).is_some_and(|done| done.at == at) {
                self.commands.remove(&id);
            }
        }
        let horizon = self.last_at.plus_ms(-CLOSED_TICKET_KEPT_MS);
        while let Some(oldest) = self.tickets.first_entry()
            && oldest.get().reserved_at < horizon
        {
            let ticket = oldest.remove();
            if ticket.state == TicketState::Reserved
                && let Some(contact) = self.contacts.get_mut(ticket.contact)
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
            && self.tickets == other.tickets
            && self.lookups == other.lookups
            && self.shadows == other.shadows
            && self.commands == other.commands
    }
}
