//! What can be asked of the ledger. Imperative names.
//!
//! A command arrives complete: parsed, with its identifiers already hashed and its new ids already
//! drawn, so that deciding needs neither a secret nor chance.

use std::sync::Arc;

use uuid::Uuid;

use crate::{
    domain::{
        access::KeyId,
        contact::LookupState,
        event::{Actor, Evidence, MarkKept, Source, TrafficKind},
        hearing::{DecideReview, Heard},
        home::Home,
        ids::{ContactId, JobId, LookupId, TicketId},
        key::{CommandId, ContactKey, Fingerprint, MessageKey},
        lookup_job::JobEnd,
        names::{
            EntryPointId, Language, PortfolioId, SenderId, StatementId, TemplateName, TopicId,
        },
        phone::PhoneNumber,
        registry::{
            EntryPoint, KeyRecord, LiveHash, Portfolio, Sender, Statement, Template, TemplateRef,
            Topic,
        },
        ticket::MessageKind,
        time::Timestamp,
    },
    policy::{ConsentBasis, Overrides, Policy},
};

/// A command and who asks.
#[derive(Debug, Clone)]
pub struct Envelope {
    /// Who asks.
    pub actor: Actor,
    /// The caller's idempotency key, if there is one.
    pub once: Option<Once>,
    /// What is asked.
    pub command: Command,
}

/// "Do this once, however often I ask."
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Once {
    /// Keyed hash of caller, call and idempotency key.
    pub id: CommandId,
    /// Keyed hash of the request's body.
    pub fingerprint: Fingerprint,
    /// How long a repeat is told from the first.
    pub kept: MarkKept,
}

/// A number as an identifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberIdentifier {
    /// The canonical spelling.
    pub number: PhoneNumber,
    /// Its keyed hash, equal for all strong spellings.
    pub key: ContactKey,
    /// Whether it has the shape of a number in use.
    pub is_valid: bool,
    /// As the caller wrote it, where that differs.
    pub written: Option<Box<str>>,
    /// Where its owner is at home.
    pub home: Home,
    /// The keyed hashes of its weak spellings: numbers that may be the same person's and may be
    /// another's. Mostly none.
    pub weak: Vec<ContactKey>,
}

/// A business-scoped user id as an identifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserIdentifier {
    /// The id.
    pub user_id: Box<str>,
    /// Its keyed hash.
    pub key: ContactKey,
}

/// A person by what the caller knows of them; becomes a new contact if nobody fits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Their number.
    pub number: Option<NumberIdentifier>,
    /// Their user id.
    pub user: Option<UserIdentifier>,
    /// The id to use for a new contact.
    pub new_id: ContactId,
}

/// A contact that must already be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContactRef {
    /// By number or user id.
    Key(ContactKey),
    /// By id.
    Id(ContactId),
}

impl ContactRef {
    /// Returns the number or user id, where it is one.
    pub const fn key(self) -> Option<ContactKey> {
        match self {
            Self::Key(key) => Some(key),
            Self::Id(_) => None,
        }
    }
}

/// Records that a person agreed.
#[derive(Debug, Clone)]
pub struct OptIn {
    /// Who.
    pub person: Person,
    /// To what; at least one.
    pub topics: Vec<TopicId>,
    /// Where it came from.
    pub source: Source,
    /// What was shown.
    pub statement: Option<StatementId>,
    /// In which language.
    pub language: Option<Language>,
    /// How we know.
    pub evidence: Evidence,
    /// When; `None` is now.
    pub captured_at: Option<Timestamp>,
    /// Whether it only counts once the person confirms.
    pub awaits_confirmation: bool,
    /// What it rests on.
    pub basis: ConsentBasis,
}

/// Records that a person withdrew.
#[derive(Debug, Clone)]
pub struct OptOut {
    /// Who.
    pub person: Person,
    /// From what; `None` is everything.
    pub topics: Option<Vec<TopicId>>,
    /// Where it came from.
    pub source: Source,
    /// Why.
    pub reason: Option<Box<str>>,
    /// When; `None` is now.
    pub captured_at: Option<Timestamp>,
}

/// Joins two contacts that turned out to be one person.
#[derive(Debug, Clone)]
pub struct Merge {
    /// The contact that becomes part of the other.
    pub from: ContactRef,
    /// The contact that stays.
    pub into: ContactRef,
    /// Why.
    pub reason: Option<Box<str>>,
    /// How we know.
    pub evidence: Evidence,
}

/// Reserves the right to send one message.
#[derive(Debug, Clone)]
pub struct ReserveSend {
    /// The ticket's id.
    pub ticket: TicketId,
    /// To whom.
    pub recipient: ContactRef,
    /// The number asked about, for the reply.
    pub number: Option<PhoneNumber>,
    /// The user id asked about, for the reply.
    pub user_id: Option<Box<str>>,
    /// In which form.
    pub kind: MessageKind,
    /// Which template.
    pub template: Option<TemplateName>,
    /// In which language; may be left out where there is only one.
    pub language: Option<Language>,
    /// From whom.
    pub sender: SenderId,
    /// How long sending may start, in milliseconds.
    pub ttl_ms: i64,
}

/// Asks providers about numbers, all or none.
#[derive(Debug, Clone)]
pub struct RequestLookups {
    /// Whom, with the ids for the look-ups that turn out to be needed.
    pub numbers: Vec<(ContactKey, LookupId)>,
    /// Whether anyone is there to be asked.
    pub has_provider: bool,
    /// The job they are for, which takes nothing of what is kept for single look-ups.
    pub job: Option<JobId>,
}

/// Changes the registry: what is put replaces what was.
#[derive(Debug, Clone)]
pub enum RegistryCommand {
    /// Begins the ledger.
    OpenLedger {
        /// Its id.
        ledger: Uuid,
    },
    /// Puts a topic.
    PutTopic {
        /// Which.
        id: TopicId,
        /// As what.
        topic: Topic,
    },
    /// Puts a statement.
    PutStatement {
        /// Which.
        id: StatementId,
        /// SHA-256 of its canonical JSON, in hexadecimal.
        digest: Box<str>,
        /// As what.
        statement: Statement,
    },
    /// Puts a template.
    PutTemplate {
        /// Which.
        id: TemplateRef,
        /// As what.
        template: Template,
    },
    /// Puts a sender.
    PutSender {
        /// Which.
        id: SenderId,
        /// As what.
        sender: Sender,
    },
    /// Puts a portfolio.
    PutPortfolio {
        /// Which.
        id: PortfolioId,
        /// As what.
        portfolio: Portfolio,
    },
    /// Puts a policy.
    PutPolicy {
        /// What the business chose.
        overrides: Box<Overrides>,
        /// What follows with the packs there are.
        policy: Box<Policy>,
    },
    /// Puts an entry point.
    PutEntryPoint {
        /// Which.
        id: EntryPointId,
        /// As what.
        entry_point: EntryPoint,
    },
}

/// Changes API keys.
#[derive(Debug, Clone)]
pub enum KeyCommand {
    /// Makes an API key.
    Create {
        /// The key, without its secret; its times are set by the ledger.
        key: KeyRecord,
    },
    /// Gives an API key another secret.
    Rotate {
        /// Which.
        id: KeyId,
        /// What opens it from now on.
        live: LiveHash,
        /// How long the one before lives on, in milliseconds.
        overlap_ms: i64,
    },
    /// Ends an API key.
    Revoke {
        /// Which.
        id: KeyId,
        /// Whether another key that may make keys must remain: nobody else could come in.
        keeps_a_manager: bool,
    },
}

/// What can be asked.
#[derive(Debug, Clone)]
pub enum Command {
    /// Changes the registry.
    Registry(Box<RegistryCommand>),
    /// Changes API keys.
    Keys(Box<KeyCommand>),
    /// Records that a person agreed.
    OptIn(Box<OptIn>),
    /// Records that a person withdrew.
    OptOut(Box<OptOut>),
    /// Joins two contacts that turned out to be one person.
    Merge(Box<Merge>),
    /// Takes in what WhatsApp said.
    Hear(Box<Heard>),
    /// Decides a review.
    DecideReview(Box<DecideReview>),
    /// Reports an identity hash.
    ReportIdentity {
        /// Whose.
        contact: ContactRef,
        /// The hash.
        hash: Box<str>,
        /// When it was seen; `None` is now.
        observed_at: Option<Timestamp>,
    },
    /// Vouches for a changed identity.
    ConfirmIdentity {
        /// Whose.
        contact: ContactRef,
        /// The hash vouched for.
        hash: Box<str>,
        /// How we know.
        evidence: Evidence,
    },
    /// Blocks a contact.
    Block {
        /// Whom.
        contact: ContactRef,
        /// Why.
        reason: Option<Box<str>>,
    },
    /// Lifts a block.
    Unblock {
        /// Whose.
        contact: ContactRef,
    },
    /// Reports what traffic showed.
    ReportTraffic {
        /// With whom.
        contact: ContactRef,
        /// Who that is, where the caller said enough to make them known.
        newcomer: Option<Box<Person>>,
        /// What.
        kind: TrafficKind,
        /// With which sender.
        sender: Option<SenderId>,
        /// When; `None` is now.
        happened_at: Option<Timestamp>,
    },
    /// Reserves the right to send one message.
    ReserveSend(Box<ReserveSend>),
    /// Reports that the message of a ticket was sent.
    CommitSend {
        /// The ticket.
        ticket: TicketId,
        /// The message, as WhatsApp named it.
        message_id: Box<str>,
        /// Its keyed hash.
        message: MessageKey,
    },
    /// Gives a ticket back.
    ReleaseSend {
        /// The ticket.
        ticket: TicketId,
    },
    /// Changes nothing. Submitted with [`Once`], it claims the caller's key for a call that is
    /// several commands, before the first of them.
    ClaimKey,
    /// Asks providers about numbers.
    RequestLookups(RequestLookups),
    /// Starts a job that looks many numbers up.
    StartLookupJob {
        /// Its id.
        job: JobId,
        /// The numbers, in the caller's order; what was no number is `None`.
        rows: Arc<[Option<ContactKey>]>,
    },
    /// Ends a job.
    EndLookupJob {
        /// Which.
        job: JobId,
        /// How.
        how: JobEnd,
    },
    /// Records how a look-up ended.
    ConcludeLookup {
        /// Which.
        lookup: LookupId,
        /// What the provider said.
        state: LookupState,
        /// Why nobody knows.
        cause: Option<Box<str>>,
        /// The number as WhatsApp writes it.
        wa_id: Option<Box<str>>,
        /// The keyed hash of that number.
        wa_key: Option<ContactKey>,
        /// Whether a provider was, or may have been, asked.
        was_asked: bool,
    },
}
