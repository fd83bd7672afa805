//! What happened. Past-tense names. Never edited, only added to.
//!
//! The serde form of these types is the stored form: renaming a member or giving one another
//! meaning makes history unreadable. New members are optional with a default.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::{
    absorbed::Absorbed,
    access::KeyId,
    consent::ConsentStatus,
    contact::LookupState,
    entry::{Seq, Subject},
    ids::{ContactId, JobId, LookupId, TicketId},
    key::{CommandId, ContactKey, Fingerprint, MessageKey},
    lookup_job::{ForJob, JobEnd},
    names::{Language, PortfolioId, SenderId, StatementId, TopicId},
    phone::PhoneNumber,
    registry::{KeyRecord, LiveHash, Portfolio, Sender, Statement, Template, TemplateRef, Topic},
    ticket::{MessageKind, VoidCause},
    time::Timestamp,
};

/// An event with what every event has: what an entry of the ledger commits to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Record {
    /// Ledger time: never steps back.
    pub at: Timestamp,
    /// Who asked for it.
    pub by: Actor,
    /// The command it belongs to, on the first event of a command that can be repeated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<CommandMark>,
    /// What happened.
    pub event: Event,
}

/// Marks the events of one command, so that a repeated request finds them again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandMark {
    /// The command.
    pub id: CommandId,
    /// What was asked.
    pub fingerprint: Fingerprint,
    /// How many entries it made, this one included.
    pub entries: u32,
}

/// Who asked for a change.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "type", content = "id", rename_all = "snake_case")]
pub enum Actor {
    /// The service itself.
    System,
    /// Whoever holds the admin key given by the environment.
    Operator,
    /// The holder of an API key.
    Key(KeyId),
}

/// Where an act came from, as the caller tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The kind of place: `web_form`, `qr`, `keyword`, `in_store`, …
    #[serde(rename = "type")]
    pub kind: Box<str>,
    /// Which poster, counter or form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry_point: Option<Box<str>>,
    /// Which page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<Box<str>>,
    /// The caller's own name for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<Box<str>>,
}

/// How we know: whatever the caller recorded beside the act.
pub type Evidence = BTreeMap<Box<str>, Box<str>>;

/// The version of a statement that was in force when a person agreed to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatementShown {
    /// Which statement.
    pub id: StatementId,
    /// Its content.
    pub digest: Box<str>,
    /// In which language, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<Language>,
}

/// What an act left one topic at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicOutcome {
    /// Which topic.
    pub topic: TopicId,
    /// Where the consent stands after the act.
    pub status: ConsentStatus,
    /// When the deciding act happened; for an older act that changed nothing, that of another.
    pub at: Timestamp,
    /// When the agreement runs out, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// The entry of the deciding act; `None` is this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<Seq>,
}

/// What traffic showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrafficKind {
    /// The person wrote to a sender.
    Inbound,
    /// A message was delivered to the person, or read.
    Delivered,
    /// WhatsApp could not deliver to the number.
    Undeliverable,
}

/// A person agreed, or was asked to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OptedIn {
    /// The number the person gave, canonical.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<PhoneNumber>,
    /// The number as it was written, where that differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written: Option<Box<str>>,
    /// What it left each topic at.
    pub topics: Vec<TopicOutcome>,
    /// When the person did it.
    pub captured_at: Timestamp,
    /// Whether it only counts once the person confirms.
    #[serde(default)]
    pub awaits_confirmation: bool,
    /// Where it came from.
    pub source: Source,
    /// What was shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statement: Option<StatementShown>,
    /// How we know.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub evidence: Evidence,
}

/// A person withdrew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OptedOut {
    /// The number the person gave, canonical.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<PhoneNumber>,
    /// The number as it was written, where that differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written: Option<Box<str>>,
    /// Whether the person withdrew from everything, present and future topics alike.
    pub everything: bool,
    /// What it left each topic at.
    pub topics: Vec<TopicOutcome>,
    /// When the person did it.
    pub captured_at: Timestamp,
    /// Where it came from.
    pub source: Source,
    /// Why, in the person's or the operator's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Box<str>>,
    /// Weak spellings of the number that nobody is known by yet: whoever turns up under one of
    /// them has withdrawn too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub weak_keys: Vec<ContactKey>,
    /// Set where the person withdrew under another spelling of the number: the entry of that act.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub derived_from: Option<Seq>,
}

/// A right to send was reserved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TicketReserved {
    /// The ticket.
    pub ticket: TicketId,
    /// From whom.
    pub sender: SenderId,
    /// In which form.
    pub kind: MessageKind,
    /// Which template, for a template message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<TemplateRef>,
    /// About what, for a template message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<TopicId>,
    /// The number to send to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipient: Option<PhoneNumber>,
    /// The business-scoped user id to send to, where the sender named that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<Box<str>>,
    /// The identity hash to send along.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity_hash: Option<Box<str>>,
    /// Until when sending may start.
    pub expires_at: Timestamp,
}

/// A fact the ledger keeps forever.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", remote = "Self")]
pub enum Event {
    /// The ledger began. Always entry 0, and never again.
    LedgerOpened {
        /// The ledger's own id.
        ledger: Uuid,
    },
    /// A command that may be repeated had nothing to change. Carries its mark and nothing else.
    NothingChanged,
    /// A topic was put.
    TopicPut {
        /// Which.
        id: TopicId,
        /// As what.
        topic: Topic,
    },
    /// A statement was put.
    StatementPut {
        /// Which.
        id: StatementId,
        /// SHA-256 of its canonical JSON, in hexadecimal.
        digest: Box<str>,
        /// As what.
        statement: Statement,
    },
    /// A template was put.
    TemplatePut {
        /// Which.
        id: TemplateRef,
        /// As what.
        template: Template,
    },
    /// A sender was put.
    SenderPut {
        /// Which.
        id: SenderId,
        /// As what.
        sender: Sender,
    },
    /// A portfolio was put.
    PortfolioPut {
        /// Which.
        id: PortfolioId,
        /// As what.
        portfolio: Portfolio,
    },
    /// An API key was made.
    KeyCreated {
        /// The key, without its secret.
        key: KeyRecord,
    },
    /// An API key got another secret; the old one lives on for a while.
    KeyRotated {
        /// Which.
        id: KeyId,
        /// What opens it from now on.
        live: LiveHash,
        /// Until when the one before works.
        old_until: Timestamp,
        /// Whether it takes the newest secret's place at once, because an older one still works:
        /// that one keeps its time.
        #[serde(default, skip_serializing_if = "is_ordinary")]
        replaces_newest: bool,
    },
    /// An API key ended.
    KeyRevoked {
        /// Which.
        id: KeyId,
    },
    /// A contact became known. Always its first entry.
    ContactAdded {
        /// Its id.
        contact: ContactId,
        /// Its number, canonical.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        number: Option<PhoneNumber>,
        /// Finds it by number.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        number_key: Option<ContactKey>,
        /// Whether the number has the shape of one that is in use in its country.
        #[serde(default)]
        number_valid: bool,
        /// Its business-scoped user id.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        user_id: Option<Box<str>>,
        /// Finds it by user id.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        user_key: Option<ContactKey>,
        /// Weak spellings of its number: what may be the same person.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        weak_keys: Vec<ContactKey>,
    },
    /// A contact that was known by one identifier got the other one.
    IdentifierLinked {
        /// Its number, canonical.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        number: Option<PhoneNumber>,
        /// Finds it by number.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        number_key: Option<ContactKey>,
        /// Whether the number has the shape of one that is in use in its country.
        #[serde(default)]
        number_valid: bool,
        /// Its business-scoped user id.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        user_id: Option<Box<str>>,
        /// Finds it by user id.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        user_key: Option<ContactKey>,
        /// Weak spellings of its number: what may be the same person.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        weak_keys: Vec<ContactKey>,
    },
    /// The contact turned out to be the same person as another one, which stays. Its last entry.
    ContactMerged {
        /// The contact that stays.
        into: ContactId,
        /// Its place.
        place: Subject,
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<Box<str>>,
        /// How we know.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        evidence: Evidence,
    },
    /// Another contact turned out to be the same person and became part of this one.
    ContactAbsorbed(Box<Absorbed>),
    /// A person agreed, or was asked to.
    OptedIn(Box<OptedIn>),
    /// A person withdrew.
    OptedOut(Box<OptedOut>),
    /// An identity hash was seen for the first time, or again and later than before.
    IdentityObserved {
        /// The hash.
        hash: Box<str>,
        /// When.
        observed_at: Timestamp,
        /// Whether it was known already.
        #[serde(default, skip_serializing_if = "is_false")]
        again: bool,
    },
    /// Another identity hash than the known one was seen.
    IdentityChanged {
        /// The hash.
        hash: Box<str>,
        /// When.
        observed_at: Timestamp,
    },
    /// Someone vouched that the changed identity is still the same person.
    IdentityConfirmed {
        /// The hash.
        hash: Box<str>,
        /// From when on agreements count again.
        confirmed_at: Timestamp,
        /// How we know.
        evidence: Evidence,
    },
    /// An operator blocked the contact.
    ContactBlocked {
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<Box<str>>,
    },
    /// An operator lifted the block.
    ContactUnblocked,
    /// Traffic with the contact showed something.
    TrafficSeen {
        /// What.
        kind: TrafficKind,
        /// With which sender.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sender: Option<SenderId>,
        /// When it happened.
        happened_at: Timestamp,
    },
    /// A right to send was reserved.
    TicketReserved(Box<TicketReserved>),
    /// A message was sent on a ticket.
    TicketCommitted {
        /// The ticket.
        ticket: TicketId,
        /// The message, as WhatsApp named it.
        message_id: Box<str>,
        /// Finds the message.
        message: MessageKey,
    },
    /// A ticket was given back unused.
    TicketReleased {
        /// The ticket.
        ticket: TicketId,
    },
    /// A ticket was taken back.
    TicketVoided {
        /// The ticket.
        ticket: TicketId,
        /// Why.
        cause: VoidCause,
    },
    /// A look-up was asked of a provider.
    LookupRequested {
        /// Which.
        lookup: LookupId,
        /// The job it was made for, if it was for one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        job: Option<ForJob>,
    },
    /// Many numbers are to be looked up, one after the other.
    LookupJobStarted {
        /// The job.
        job: JobId,
        /// The numbers, as keyed hashes; what was no number is `null`.
        rows: Vec<Option<ContactKey>>,
    },
    /// A job ended.
    LookupJobEnded {
        /// Which.
        job: JobId,
        /// How.
        how: JobEnd,
    },
    /// A look-up ended.
    LookupConcluded {
        /// Which.
        lookup: LookupId,
        /// What the provider said.
        state: LookupState,
        /// Why nobody knows, where nobody does.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cause: Option<Box<str>>,
        /// The number as WhatsApp writes it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        wa_id: Option<Box<str>>,
        /// Finds the contact by what WhatsApp wrote, where that is no spelling of its number and
        /// nobody else's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        wa_key: Option<ContactKey>,
        /// Whether a provider was, or may have been, asked. If not, it costs nothing.
        #[serde(default = "asked", skip_serializing_if = "is_asked")]
        was_asked: bool,
    },
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
const fn is_false(truth: &bool) -> bool {
    !*truth
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out a reference")]
const fn is_ordinary(replaces_newest: &bool) -> bool {
    !*replaces_newest
}

const fn asked() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out a reference")]
const fn is_asked(was_asked: &bool) -> bool {
    *was_asked
}

impl Event {
    /// Returns whether the event changes who may use the service.
    pub const fn is_about_keys(&self) -> bool {
        matches!(self, Self::KeyCreated { .. } | Self::KeyRotated { .. } | Self::KeyRevoked { .. })
    }
}
