//! Facts as they are handed to the rules: parsed, hashed, words read, payloads looked up.

use crate::domain::{
    command::{NumberIdentifier, Person, UserIdentifier},
    entry::Seq,
    ids::{ContactId, TicketId},
    key::MessageKey,
    names::{AccountId, Language, SenderId, StatementId, TopicId},
    registry::{Category, HoldScope, Quality, TemplateRef},
    time::Timestamp,
};

/// One thing WhatsApp said.
#[derive(Debug, Clone)]
pub struct Heard {
    /// When it happened, as WhatsApp dates it. What lies ahead of the ledger counts as now.
    pub at: Timestamp,
    /// The account it was said about.
    pub account: Option<AccountId>,
    /// The business number it was said about.
    pub sender: Option<SenderId>,
    /// What was said.
    pub fact: HeardFact,
}

/// What WhatsApp can say.
#[derive(Debug, Clone)]
pub enum HeardFact {
    /// A person wrote to the sender.
    Wrote(Wrote),
    /// What became of a message to a person.
    Delivery(Delivery),
    /// A person stopped or resumed marketing inside WhatsApp.
    MarketingPreference {
        /// Who.
        person: Person,
        /// Whether they stopped it.
        is_stopped: bool,
    },
    /// A person moved to another number.
    MovedNumber {
        /// Who they were.
        old: Person,
        /// Who they are.
        new: Option<Person>,
    },
    /// A person got another user id, which comes with another number.
    MovedUser {
        /// The id before.
        previous: UserIdentifier,
        /// The id now.
        new: UserIdentifier,
        /// The number that was named with it.
        number: Option<NumberIdentifier>,
        /// The id of the contact of the one before, should nobody be known by it.
        new_id: ContactId,
    },
    /// The identity behind a number changed, or may have.
    IdentityChanged {
        /// Whose.
        person: Person,
        /// The hash from now on, where it was said.
        hash: Option<Box<str>>,
    },
    /// Something about the account named.
    Account(AccountFact),
    /// Something about a template.
    Template(TemplateFact),
    /// Something about the sender named.
    SenderNumber(SenderFact),
    /// How many people the business may write to in a day, outside open windows.
    Limit {
        /// How many; `None` is unlimited.
        limit: Option<u32>,
    },
}

/// What was said about an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccountFact {
    /// It may not do some things, until a moment or until further notice.
    Restricted {
        /// What.
        kinds: Vec<(RestrictionKind, Option<Timestamp>)>,
    },
    /// It may do nothing.
    Disabled,
    /// It may go on.
    Reinstated,
    /// It is gone.
    Deleted,
    /// Its number was registered elsewhere.
    Offboarded,
    /// Its number is back.
    Reconnected,
    /// Our access to it was taken away.
    PartnerRemoved,
}

/// What an account may not do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestrictionKind {
    /// Begin conversations.
    BusinessInitiated,
    /// Answer people.
    CustomerInitiated,
    /// It may send no utility templates.
    UtilityTemplates,
    /// Something that stops no message.
    Other,
}

/// What was said about a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TemplateFact {
    /// It has another status.
    Status {
        /// Which template.
        template: TemplateRef,
        /// WhatsApp's word, upper case.
        status: Box<str>,
        /// How long it is paused, in milliseconds, where that is known.
        pause_ms: Option<i64>,
        /// What it is filed under, where that was said along with it.
        category: Option<Category>,
    },
    /// It is received better or worse.
    Quality {
        /// Which template.
        template: TemplateRef,
        /// How.
        quality: Quality,
    },
    /// It will be filed under another category.
    CategoryImpending {
        /// Which template.
        template: TemplateRef,
        /// Which category.
        category: Category,
        /// From when.
        from: Timestamp,
    },
    /// It is filed under another category.
    Category {
        /// Which template.
        template: TemplateRef,
        /// Which category.
        category: Category,
    },
}

/// What was said about the business number named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SenderFact {
    /// It is received better or worse.
    Quality(Quality),
    /// It has another status: WhatsApp's word, upper case.
    Status(Box<str>),
    /// It may send faster or slower.
    Throughput(Box<str>),
    /// It may not do some things, until a moment or until further notice.
    Restricted {
        /// What.
        kinds: Vec<(RestrictionKind, Option<Timestamp>)>,
    },
}

/// A message from a person.
#[derive(Debug, Clone)]
pub struct Wrote {
    /// Who wrote.
    pub person: Person,
    /// The keyed hash of the message's id.
    pub message: MessageKey,
    /// The message's id.
    pub message_id: Box<str>,
    /// What kind of message: `text`, `button`, `image`, …
    pub kind: Box<str>,
    /// Whether it opens the window.
    pub opens_window: bool,
    /// The identity hash that came with it.
    pub identity_hash: Option<Box<str>>,
    /// What it says about consent, if anything.
    pub answer: Option<ConsentAnswer>,
    /// The person's own number, shared in this very message.
    pub shared_number: Option<NumberIdentifier>,
}

/// What a message says about consent.
#[derive(Debug, Clone)]
pub enum ConsentAnswer {
    /// The person withdraws.
    OptOut {
        /// From what; `None` is everything.
        topics: Option<Vec<TopicId>>,
        /// How it was said.
        how: AnswerHow,
    },
    /// The person agrees to what they were asked, or came from a place that says so.
    OptIn {
        /// To what.
        topics: Vec<TopicId>,
        /// What was shown.
        statement: Option<StatementId>,
        /// In which language.
        language: Option<Language>,
        /// How it was said.
        how: AnswerHow,
    },
    /// The person says yes: to what they were asked to confirm, if they were.
    Yes {
        /// How it was said.
        how: AnswerHow,
        /// Whether the words say so only as the answer to a question.
        answer_only: bool,
    },
    /// The person says no: to what they were asked to confirm, if they were.
    No {
        /// How it was said.
        how: AnswerHow,
    },
    /// It may be a withdrawal or an agreement; people must look.
    Review {
        /// Why: a stable word.
        why: Box<str>,
        /// The word of the lists it is close to.
        word: Option<Box<str>>,
        /// What that word would mean.
        scope: Option<Box<str>>,
    },
}

/// How an answer was given: what proves it.
#[derive(Debug, Clone, Default)]
pub struct AnswerHow {
    /// `keyword`, `button`, `list`, `entry_point` or `pending_reply`.
    pub kind: Box<str>,
    /// The word of the lists.
    pub word: Option<Box<str>>,
    /// The language of that word.
    pub language: Option<Box<str>>,
    /// The entry point whose code it was.
    pub entry_point: Option<Box<str>>,
    /// The message it answers.
    pub question: Option<MessageKey>,
    /// The answer itself, at most 100 bytes. Evidence, and for nothing else.
    pub text: Option<Box<str>>,
}

/// What became of a message to a person.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// To whom it went, where that was said.
    pub person: Option<Person>,
    /// The keyed hash of the message's id.
    pub message: MessageKey,
    /// The message's id.
    pub message_id: Box<str>,
    /// Whether that is a message of ours: errors can come without one.
    pub is_message: bool,
    /// The ticket it was sent on, from the data that came back with it.
    pub ticket: Option<TicketId>,
    /// How far it got.
    pub step: Step,
    /// The identity hash of whoever got it.
    pub identity_hash: Option<Box<str>>,
    /// Why it failed, if it did.
    pub failure: Option<Failure>,
}

/// How far a message got. The order is that of what is known for sure: what was delivered did not
/// fail, whatever else is said of it. Stable names: the ledger stores them.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// WhatsApp took it.
    Sent,
    /// It was not delivered, and will not be.
    Failed,
    /// It reached a device of the person.
    Delivered,
    /// The person saw it.
    Read,
}

/// Why a message failed, and what follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// WhatsApp's code.
    pub code: i64,
    /// What follows from it.
    pub effect: FailureEffect,
    /// For how long, in milliseconds, where time alone ends it.
    pub pause_ms: Option<i64>,
    /// The person's country, where it is known and matters.
    pub country: Option<Box<str>>,
}

/// What follows from a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureEffect {
    /// The person may not be reachable on WhatsApp.
    Unreachable,
    /// The window with the sender is closed.
    WindowClosed,
    /// No marketing to the person for a while.
    MarketingCooldown,
    /// No marketing to the person until they resume it.
    MarketingStopped,
    /// Marketing to the person only inside an open window.
    Experiment,
    /// Nothing from this sender to this person for a while.
    PairBackoff,
    /// Nothing to the person: the business blocked them at WhatsApp.
    BlockedByBusiness,
    /// Nothing from this sender to the person, for good.
    RefuseForever,
    /// The identity hash sent along is not the person's any more.
    Identity,
    /// Nothing to the person's country.
    CountryBlocked,
    /// Nothing from the sender.
    HaltSender,
    /// No templates from the sender; answers go on.
    HaltSenderTemplates,
    /// Nothing from the account.
    HaltAccount,
    /// No templates from the account.
    HaltTemplates,
    /// No marketing from the account.
    HaltMarketing,
    /// The template is paused.
    TemplatePaused,
    /// The template is disabled.
    TemplateDisabled,
    /// The template is not there, or not approved.
    TemplateUnknown,
    /// Nothing beyond this message.
    Nothing,
}

/// What a failure is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// The person the message was meant for.
    Person,
    /// The template of the message, which has this status since: WhatsApp's word, or ours.
    Template(&'static str),
    /// What of the sender is stopped.
    Sender(HoldScope),
    /// What of the account is stopped.
    Account(HoldScope),
    /// This message alone.
    Nothing,
}

impl FailureEffect {
    /// Returns what it is about.
    pub const fn about(self) -> About {
        match self {
            Self::Unreachable
            | Self::WindowClosed
            | Self::MarketingCooldown
            | Self::MarketingStopped
            | Self::Experiment
            | Self::PairBackoff
            | Self::BlockedByBusiness
            | Self::RefuseForever
            | Self::Identity
            | Self::CountryBlocked => About::Person,
            Self::HaltSender => About::Sender(HoldScope::All),
            Self::HaltSenderTemplates => About::Sender(HoldScope::Templates),
            Self::HaltAccount => About::Account(HoldScope::All),
            Self::HaltTemplates => About::Account(HoldScope::Templates),
            Self::HaltMarketing => About::Account(HoldScope::Marketing),
            Self::TemplatePaused => About::Template("PAUSED"),
            Self::TemplateDisabled => About::Template("DISABLED"),
            // What a template that WhatsApp does not know counts as: a status of ours.
            Self::TemplateUnknown => About::Template("NOT_FOUND"),
            Self::Nothing => About::Nothing,
        }
    }
}

/// Decides a review.
#[derive(Debug, Clone)]
pub struct DecideReview {
    /// Which: the entry that opened it.
    pub review: Seq,
    /// What the message meant.
    pub decision: ReviewDecision,
    /// About what: everything for a withdrawal without any, at least one for an agreement.
    pub topics: Option<Vec<TopicId>>,
    /// Why, in the words of whoever decided.
    pub note: Option<Box<str>>,
}

/// What a message under review meant. Stable names: they are part of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReviewDecision {
    /// The person withdrew.
    OptOut,
    /// The person agreed.
    OptIn,
    /// Neither.
    Nothing,
}
