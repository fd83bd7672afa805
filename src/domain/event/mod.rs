//! What happened. Past-tense names. Never edited, only added to.
//!
//! The serde form of these types is the stored form: renaming a member or giving one another
//! meaning makes history unreadable. New members are optional with a default.

mod parts;
mod record;
mod skip;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    domain::{
        absorbed::Absorbed,
        access::KeyId,
        contact::LookupState,
        entry::{Seq, Subject},
        hearing::{ReviewDecision, Step},
        ids::{ContactId, JobId, LookupId, TicketId},
        incident::IncidentKind,
        key::{ContactKey, MessageKey},
        names::{AccountId, EntryPointId, PortfolioId, SenderId, StatementId, TopicId},
        phone::PhoneNumber,
        registry::{
            EntryPoint, HoldCause, HoldScope, KeyRecord, LiveHash, Portfolio, Sender, SenderChange,
            Statement, Template, TemplateChange, TemplateRef, Topic,
        },
        ticket::VoidCause,
        time::Timestamp,
    },
    policy::{Country, Overrides, Policy},
};

pub use parts::{
    AnswerKept, CountsFor, EarlyStatus, Evidence, LimitReported, LookupJobEnded, LookupRequested,
    OptedIn, OptedOut, OutcomeSeen, PairSeen, ReviewOpened, SeenTogether, SenderLearned, Source,
    StatementShown, TicketReserved, TopicOutcome, TrafficKind,
};
pub use record::{Actor, CommandMark, MarkKept, Record};

use skip::{asked, is_asked, is_false, is_ordinary};

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
    /// An entry point was put.
    EntryPointPut {
        /// Which.
        id: EntryPointId,
        /// As what.
        entry_point: EntryPoint,
    },
    /// A policy was put.
    PolicyPut {
        /// What the business chose.
        overrides: Box<Overrides>,
        /// Every rule that counts from now on, whatever packs come later.
        policy: Box<Policy>,
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
        /// The country of its number.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        country: Option<Country>,
        /// The one time zone its number stands for, where that is not every one of its country.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        zone: Option<Box<str>>,
        /// When WhatsApp named its number and its user id together, where it did.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seen_at: Option<Timestamp>,
    },
    /// A contact that was known by one identifier got the other one, or another user id.
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
        /// The country of its number.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        country: Option<Country>,
        /// The one time zone its number stands for, where that is not every one of its country.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        zone: Option<Box<str>>,
        /// When WhatsApp named the two together, where it did.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seen_at: Option<Timestamp>,
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
        /// The identity hash that came with it: the one that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        identity_hash: Option<Box<str>>,
        /// What kind of message it was: `text`, `button`, `image`, …
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<Box<str>>,
        /// For which message of the sender it counts.
        #[serde(default, skip_serializing_if = "CountsFor::is_person")]
        counts_for: CountsFor,
    },
    /// WhatsApp named a user id with the number at a time that says more of since when, or of who
    /// was there before.
    PairSeen(PairSeen),
    /// The person said yes or no to something they are not known to have been asked.
    AnswerKept(Box<AnswerKept>),
    /// A status of a message came before anybody said on which ticket that was sent.
    StatusKept(Box<EarlyStatus>),
    /// Something became of a message, and nothing else follows.
    OutcomeSeen(Box<OutcomeSeen>),
    /// A late report showed that another identity hash was there before the known one.
    IdentityPredated {
        /// The other hash.
        hash: Box<str>,
        /// When it was seen.
        observed_at: Timestamp,
    },
    /// WhatsApp said that the identity is another one, and not which: the known hash is no use.
    IdentityDoubted {
        /// When.
        happened_at: Timestamp,
        /// Whether that is so because somebody moved to the number: only what is older is in doubt.
        #[serde(default, skip_serializing_if = "is_false")]
        by_move: bool,
    },
    /// The person stopped or resumed marketing inside WhatsApp.
    MarketingPreferenceSeen {
        /// Whether they stopped it.
        is_stopped: bool,
        /// When.
        happened_at: Timestamp,
    },
    /// The person moved to another number; this one is closed.
    NumberMoved {
        /// When.
        happened_at: Timestamp,
        /// The number they moved to, canonical.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        number: Option<PhoneNumber>,
        /// Its keyed hash.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        number_key: Option<ContactKey>,
        /// Set where only this identifier is closed: one of several the contact is known by.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        closed_key: Option<ContactKey>,
    },
    /// What the person agreed to and withdrew from goes along to the number they moved to.
    ConsentsFollowed {
        /// The place of the contact of that number.
        to: Subject,
        /// When the person moved.
        happened_at: Timestamp,
    },
    /// WhatsApp named an identifier of this contact and one of another as one person's.
    SeenTogether(SeenTogether),
    /// The person got another user id, which comes with another number; this contact is closed.
    UserMoved {
        /// When.
        happened_at: Timestamp,
        /// The id they got.
        user_id: Box<str>,
        /// Its keyed hash.
        user_key: ContactKey,
        /// Set where only this identifier is closed: one of several the contact is known by.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        closed_key: Option<ContactKey>,
    },
    /// WhatsApp held a marketing message back, and will others.
    MarketingHeldBack {
        /// WhatsApp's code.
        code: i64,
        /// Until when, if time alone ends it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
        /// When.
        happened_at: Timestamp,
    },
    /// The person turned out to be in a group that gets no marketing.
    ExperimentSeen {
        /// By a message of which sender.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sender: Option<SenderId>,
        /// When.
        happened_at: Timestamp,
    },
    /// A sender wrote to the person too often in a short while.
    PairSlowed {
        /// Which sender.
        sender: SenderId,
        /// Until when it must let the person rest.
        until: Timestamp,
        /// When.
        happened_at: Timestamp,
    },
    /// WhatsApp takes no message to the person from this business, or from this sender (131021).
    Barred {
        /// WhatsApp's code.
        code: i64,
        /// By a message of which sender.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sender: Option<SenderId>,
        /// When.
        happened_at: Timestamp,
    },
    /// WhatsApp said that the window is closed.
    WindowEnded {
        /// With which sender.
        sender: SenderId,
        /// When.
        happened_at: Timestamp,
    },
    /// WhatsApp said that the business may not write to the person's country.
    CountryBlocked {
        /// Which country, where it is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        country: Option<Box<str>>,
        /// By a message of which sender.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sender: Option<SenderId>,
        /// When.
        happened_at: Timestamp,
    },
    /// A message failed as an unusual share of its sender's did: that says nothing of the person.
    FailureSpared {
        /// Whose message.
        sender: SenderId,
        /// How it failed.
        kind: IncidentKind,
        /// WhatsApp's code, where it is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<i64>,
        /// When.
        happened_at: Timestamp,
    },
    /// An unusual share of a sender's messages failed in the same way.
    IncidentOpened {
        /// Whose messages.
        sender: SenderId,
        /// How they failed.
        kind: IncidentKind,
        /// When that showed.
        happened_at: Timestamp,
        /// How many failed so within an hour.
        failed: u32,
        /// How many messages anything became of within that hour.
        outcomes: u32,
        /// Of whom it was believed so far that it was about them, and by which entries.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        absolved: Vec<(Subject, Seq)>,
    },
    /// What a sender's messages come to is usual again.
    IncidentClosed {
        /// Whose messages.
        sender: SenderId,
        /// How they had failed.
        kind: IncidentKind,
        /// When that showed.
        happened_at: Timestamp,
    },
    /// A sender was named together with the account it belongs to.
    SenderLearned(SenderLearned),
    /// WhatsApp stopped an account, or some of what it does.
    AccountHeld {
        /// Which.
        account: AccountId,
        /// What of it.
        scope: HoldScope,
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cause: Option<HoldCause>,
        /// WhatsApp's code, where an error said so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<i64>,
        /// Until when, if time alone ends it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
        /// When.
        happened_at: Timestamp,
    },
    /// WhatsApp let an account go on.
    AccountLifted {
        /// Which.
        account: AccountId,
        /// What is over; everything if absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        causes: Option<Vec<HoldCause>>,
        /// When.
        happened_at: Timestamp,
    },
    /// WhatsApp stopped a sender, or some of what it does.
    SenderHalted {
        /// Which.
        sender: SenderId,
        /// What of it.
        scope: HoldScope,
        /// WhatsApp's code.
        code: i64,
        /// Until when, if time alone ends it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
        /// When.
        happened_at: Timestamp,
    },
    /// WhatsApp reported something about a sender.
    SenderReported {
        /// Which.
        sender: SenderId,
        /// What.
        change: SenderChange,
        /// When.
        happened_at: Timestamp,
    },
    /// WhatsApp reported something about a template.
    TemplateReported {
        /// Which.
        template: TemplateRef,
        /// Of which account; if nobody knows, of any.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        account: Option<AccountId>,
        /// What.
        change: TemplateChange,
        /// When.
        happened_at: Timestamp,
    },
    /// WhatsApp reported how many people may be written to in a day.
    LimitReported(LimitReported),
    /// The message of a ticket got further, or failed.
    TicketStepped {
        /// The ticket.
        ticket: TicketId,
        /// How far.
        step: Step,
        /// When.
        happened_at: Timestamp,
        /// Why it failed, as WhatsApp's code.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<i64>,
        /// The message, where it was sent although the ticket had been given or taken back.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message_id: Option<Box<str>>,
        /// Finds that message.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<MessageKey>,
    },
    /// Something came up that people must look at.
    ReviewOpened(Box<ReviewOpened>),
    /// More came up of a person who has many reviews open already: the newest of them stands for it.
    ReviewRepeated {
        /// The entry that opened that one.
        review: Seq,
        /// What came up.
        again: Box<ReviewOpened>,
    },
    /// Somebody decided a review.
    ReviewDecided {
        /// The entry that opened it.
        review: Seq,
        /// What was decided.
        decision: ReviewDecision,
        /// About what; `None` is everything.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        topics: Option<Vec<TopicId>>,
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<Box<str>>,
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
        /// Whether all that was heard of the message is that it failed: then nothing was sent.
        #[serde(default, skip_serializing_if = "is_false")]
        failed: bool,
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
    LookupRequested(LookupRequested),
    /// Many numbers are to be looked up, one after the other.
    LookupJobStarted {
        /// The job.
        job: JobId,
        /// The numbers, as keyed hashes; what was no number is `null`.
        rows: Vec<Option<ContactKey>>,
    },
    /// A job ended.
    LookupJobEnded(LookupJobEnded),
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
        /// Finds the contact by what WhatsApp wrote: no spelling of its number, nobody else's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        wa_key: Option<ContactKey>,
        /// Whether a provider was, or may have been, asked. If not, it costs nothing.
        #[serde(default = "asked", skip_serializing_if = "is_asked")]
        was_asked: bool,
    },
}

impl Event {
    /// Returns whether the event changes who may use the service.
    pub const fn is_about_keys(&self) -> bool {
        matches!(self, Self::KeyCreated { .. } | Self::KeyRotated { .. } | Self::KeyRevoked { .. })
    }
}
