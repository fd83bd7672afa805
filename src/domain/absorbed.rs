//! Where the contact that stays stands when two turned out to be one person.
//!
//! The outcome in full, as the rules found it when the two became one, so that folding it needs
//! no rule and nothing of the other contact, and a rule that changes later changes no history.
//! The serde form is stored: members are only ever added.

use serde::{Deserialize, Serialize};

use crate::domain::{
    consent::{Act, Consent, Standing, TopicIx},
    contact::LookupState,
    entry::{Seq, Subject},
    ids::{ContactId, LookupId},
    key::ContactKey,
    names::{SenderId, TopicId},
    time::Timestamp,
};

/// Where a contact stands after another became part of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Absorbed {
    /// The contact that became part of this one.
    pub contact: ContactId,
    /// Its place: where its history is.
    pub place: Subject,
    /// Finds the contact by number from now on, where it had none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number_key: Option<ContactKey>,
    /// Finds the contact by user id from now on, where it had none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_key: Option<ContactKey>,
    /// Weak spellings of the other contact's numbers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub weak_keys: Vec<ContactKey>,
    /// The act that decides about each topic that came up on either side.
    #[serde(default)]
    pub topics: Vec<TopicLeft>,
    /// The latest withdrawal from everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub full_stop: Option<Mark>,
    /// Since when an operator blocks either.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocked: Option<Mark>,
    /// Who is behind the contact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<IdentityLeft>,
    /// The last message from the person to each sender.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inbound: Vec<InboundLeft>,
    /// The last sign of life.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reached_at: Option<Timestamp>,
    /// The last sign that a number is not on WhatsApp.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<Mark>,
    /// What look-ups said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lookup: Option<LookupLeft>,
}

/// A moment and the entry that recorded it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// When.
    pub at: Timestamp,
    /// The entry.
    pub seq: Seq,
}

/// The act that decides about one topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicLeft {
    /// Which topic.
    pub topic: TopicId,
    /// What the person did.
    pub act: Act,
    /// When.
    pub at: Timestamp,
    /// When the agreement runs out, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// The entry of the act, in the history of either.
    pub seq: Seq,
}

/// What is known of the identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdentityLeft {
    /// The hash observed last.
    pub hash: Box<str>,
    /// When.
    pub observed_at: Timestamp,
    /// The last change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<Mark>,
    /// When a change was last vouched for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed_at: Option<Timestamp>,
}

impl TopicLeft {
    /// Returns where the consent stands at `now`.
    pub fn standing(&self, now: Timestamp) -> Standing {
        let Self { topic: _, act, at, expires_at, seq } = *self;
        let expires_at = expires_at.unwrap_or(Timestamp::NEVER);
        Consent { topic: TopicIx(0), act, at, expires_at, seq }.standing(now)
    }
}

impl IdentityLeft {
    /// Returns whether a change awaits re-registration.
    pub fn has_open_change(&self) -> bool {
        let confirmed_at = self.confirmed_at;
        self.change.is_some_and(|change| confirmed_at.is_none_or(|at| at < change.at))
    }
}

/// The last message from the person to one sender.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InboundLeft {
    /// The sender.
    pub sender: SenderId,
    /// When.
    pub at: Timestamp,
}

/// What look-ups said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LookupLeft {
    /// The look-up under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<LookupId>,
    /// The last answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<LookupState>,
    /// When it came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered_at: Option<Timestamp>,
    /// Whether a message was sent since a number was first looked up.
    #[serde(default)]
    pub was_contacted: bool,
}
