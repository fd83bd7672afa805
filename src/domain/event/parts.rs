//! What events say, where they say much.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    domain::{
        consent::ConsentStatus,
        entry::{Seq, Subject},
        event::skip::is_false,
        hearing::Step,
        ids::{JobId, LookupId, TicketId},
        incident::IncidentKind,
        key::{ContactKey, MessageKey},
        lookup_job::{ForJob, JobEnd, JudgedBy},
        named::{KeyTag, Named},
        names::{AccountId, Language, PortfolioId, SenderId, StatementId, TopicId},
        phone::PhoneNumber,
        registry::{Category, TemplateChange, TemplateRef},
        ticket::MessageKind,
        time::Timestamp,
    },
    policy::ConsentBasis,
};

/// A look-up was asked of a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LookupRequested {
    /// Which.
    pub lookup: LookupId,
    /// The job it was made for, if it was for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<ForJob>,
    /// What stands for the number it is about, where that is not the contact's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<KeyTag>,
}

/// A job that looked many numbers up ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LookupJobEnded {
    /// Which.
    pub job: JobId,
    /// How.
    pub how: JobEnd,
    /// The rules its answers were judged by; entries of before have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judged_by: Option<JudgedBy>,
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
    /// When the question was put, where the act is no more than an answer to one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_at: Option<Timestamp>,
}

/// What traffic showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrafficKind {
    /// The person wrote to a sender.
    Inbound,
    /// A message was delivered to the person.
    Delivered,
    /// A message was read by the person.
    Read,
    /// WhatsApp could not deliver to the number.
    Undeliverable,
}

/// For which message a sign of life counts when failures are weighed against what arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CountsFor {
    /// No message is named: it counts by person and hour.
    #[default]
    Person,
    /// This one, whose first outcome it is.
    Message(MessageKey),
    /// None: the message has been counted, or is too old.
    Nothing,
}

impl CountsFor {
    /// Returns whether nothing is said, as before messages were counted.
    pub(super) const fn is_person(&self) -> bool {
        matches!(self, Self::Person)
    }
}

/// What became of a message, where nothing else in the ledger says it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutcomeSeen {
    /// Whose message.
    pub sender: SenderId,
    /// Which.
    pub message: MessageKey,
    /// When.
    pub happened_at: Timestamp,
    /// Whether it failed; it arrived if not.
    #[serde(default, skip_serializing_if = "is_false")]
    pub failed: bool,
    /// In which way. Entries of before name only ways that mark people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<IncidentKind>,
    /// Whether nobody is known by whom it was meant for.
    #[serde(default, skip_serializing_if = "is_false")]
    pub stranger: bool,
    /// Whom it failed for, where that marks nobody: a person counts once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Subject>,
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
    /// What it rests on.
    #[serde(default, skip_serializing_if = "ConsentBasis::is_unsaid")]
    pub basis: ConsentBasis,
    /// Where it came from.
    pub source: Source,
    /// What was shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statement: Option<StatementShown>,
    /// How we know.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub evidence: Evidence,
    /// The identity hash that came with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity_hash: Option<Box<str>>,
    /// Set where the person agreed under the number they had before: the entry of that act.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub derived_from: Option<Seq>,
    /// Under which identifiers it was done, where those are not all of the contact's own at that
    /// time and no others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub under: Option<Named>,
    /// Whether it was done under nothing but the user id of somebody who had the number before: it
    /// changes nothing for whoever has that.
    #[serde(default, skip_serializing_if = "is_false")]
    pub by_former: bool,
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
    /// How we know.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub evidence: Evidence,
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
    /// What it counts as for caps, for a template message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<Category>,
    /// Out of whose limit it is; absent for one into an open window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counts_for: Option<PortfolioId>,
    /// How far ahead of the pace of the pair it is: when all the messages to this person so far
    /// would have gone out at that pace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paced_until: Option<Timestamp>,
    /// When sending should start, so that the sender keeps to its throughput; at once if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub send_at: Option<Timestamp>,
    /// When the sender's messages so far will all have gone out at its throughput, in
    /// microseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sender_paced_us: Option<i64>,
    /// What stands for the number it goes to, where that is not the contact's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<KeyTag>,
}

/// A yes or a no of somebody of whom one identifier is known: they may have been asked under another.
/// What was written is no part of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnswerKept {
    /// Whether it was a yes.
    pub is_yes: bool,
    /// Whether it says so only as the answer to a question.
    #[serde(default, skip_serializing_if = "is_false")]
    pub answer_only: bool,
    /// When it was written.
    pub happened_at: Timestamp,
    /// The message, as WhatsApp named it.
    pub message_id: Box<str>,
    /// To whom it was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sender: Option<SenderId>,
    /// How it was said: `keyword`, `button`, …
    pub kind: Box<str>,
    /// The word of the lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub word: Option<Box<str>>,
    /// The message it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub question: Option<MessageKey>,
    /// Under which identifiers.
    pub under: Named,
}

/// A user id was named with the number of a contact. Where it is not the one the contact has, it was
/// there before that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairSeen {
    /// The user id.
    pub user_id: Box<str>,
    /// Its keyed hash.
    pub user_key: ContactKey,
    /// When, unless it was only said that it would be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub happened_at: Option<Timestamp>,
    /// Whether it takes the place of the one the contact has: the number has another owner.
    #[serde(default, skip_serializing_if = "is_false")]
    pub takes_over: bool,
    /// Topics of which it shows that whoever agreed had given the number up by then: they did not agree
    /// for whoever has it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unsaid: Vec<TopicId>,
}

/// What became of a message of which nobody knows yet on which ticket it was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EarlyStatus {
    /// Whose message.
    pub sender: SenderId,
    /// Which.
    pub message: MessageKey,
    /// How far it got.
    pub step: Step,
    /// When.
    pub happened_at: Timestamp,
    /// Why it failed, as WhatsApp's code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<i64>,
    /// What that says of its template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<TemplateChange>,
    /// The account of the template, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountId>,
}

/// A sender was named together with the account it belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SenderLearned {
    /// Which sender.
    pub sender: SenderId,
    /// Which account.
    pub account: AccountId,
    /// When.
    pub happened_at: Timestamp,
}

/// WhatsApp reported how many people may be written to in a day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitReported {
    /// Whose limit.
    pub portfolio: PortfolioId,
    /// How many; `None` is unlimited.
    pub limit: Option<u32>,
    /// When.
    pub happened_at: Timestamp,
}

/// Two contacts were named as one person: what restricts the one restricts the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenTogether {
    /// The place of the other contact.
    pub with: Subject,
    /// When.
    pub happened_at: Timestamp,
}

/// Something came up that people must look at. The text of a message is no part of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReviewOpened {
    /// Why: a stable word.
    pub why: Box<str>,
    /// The word of the lists it is close to; the payload, or the entry points, that may mean one
    /// thing or another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub word: Option<Box<str>>,
    /// What that word would mean.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Box<str>>,
    /// When the message was written.
    pub happened_at: Timestamp,
    /// The message, as WhatsApp named it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<Box<str>>,
    /// The sender it was written to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sender: Option<SenderId>,
    /// As in [`OptedIn::under`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub under: Option<Named>,
}
