//! The things of the registry, as they were put.

use std::{collections::BTreeMap, num::NonZeroU32};

use serde::{Deserialize, Serialize};

use crate::{
    domain::{
        names::{AccountId, Language, PortfolioId, TopicId},
        phone::PhoneNumber,
        registry::{HoldScope, SenderChange, TemplateAnswer},
    },
    policy,
};

/// What a message is for, in WhatsApp's words. Source: Meta, "Template categorisation".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// Offers, news, anything mixed or unclear.
    Marketing,
    /// About something the person did or has.
    Utility,
    /// One-time codes.
    Authentication,
}

impl From<Category> for policy::Category {
    fn from(category: Category) -> Self {
        match category {
            Category::Marketing => Self::Marketing,
            Category::Utility => Self::Utility,
            Category::Authentication => Self::Authentication,
        }
    }
}

/// Something a person can agree to hear about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Topic {
    /// For people.
    pub name: Box<str>,
    /// What its messages are for.
    pub category: Category,
    /// For people; what exactly is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<Box<str>>,
    /// Days after which an agreement runs out; `None` if it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_after_days: Option<u32>,
}

/// The exact words shown when people are asked, naming the business.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    /// The business as it was named to the person.
    pub business_name: Box<str>,
    /// The words, per language.
    pub texts: BTreeMap<Language, Box<str>>,
    /// What agreeing to them means.
    pub topics: Vec<TopicId>,
}

/// How well a sender's messages are received, as WhatsApp rates it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Quality {
    /// Good.
    Green,
    /// Middling.
    Yellow,
    /// Bad.
    Red,
    /// Not rated.
    Unknown,
}

/// How many messages a second a sender may send where nothing else is said. Source: Meta, "Throughput".
pub const THROUGHPUT_DEFAULT: NonZeroU32 = NonZeroU32::new(80).unwrap();

/// A business phone number that sends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sender {
    /// Who owns the messaging limit it shares.
    pub portfolio: PortfolioId,
    /// Its number.
    pub number: PhoneNumber,
    /// WhatsApp's word, upper case; only `CONNECTED` can send. An open set.
    pub status: Box<str>,
    /// How well it is received.
    pub quality: Quality,
    /// Whether the business itself stopped it.
    #[serde(default)]
    pub halted: bool,
    /// How many messages a second it may send; [`THROUGHPUT_DEFAULT`] if it was not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub throughput: Option<NonZeroU32>,
    /// The WhatsApp Business Account it belongs to, if it was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountId>,
}

/// A template message as registered at WhatsApp, in one language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Template {
    /// What people must have agreed to before it is sent to them.
    pub topic: TopicId,
    /// What WhatsApp files it under.
    pub category: Category,
    /// WhatsApp's word, upper case; only `APPROVED` can be sent. An open set.
    pub status: Box<str>,
    /// What the payloads of its buttons stand for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub answers: BTreeMap<Box<str>, TemplateAnswer>,
}

/// What a template's status means for sending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TemplateState {
    /// It can be sent.
    Sendable,
    /// It is paused and may come back by itself.
    Paused,
    /// It is disabled for good.
    Disabled,
    /// It is not approved, or not any more.
    NotApproved,
}

/// Who shares a messaging limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Portfolio {
    /// For people.
    pub name: Box<str>,
    /// Unique people in a moving 24 hours outside open windows; `None` is unlimited.
    pub messaging_limit: Option<u32>,
    /// Whether WhatsApp has restricted the account.
    #[serde(default)]
    pub restricted: bool,
}

impl TemplateState {
    /// Returns what a status means. Source: Meta, `message_template_status_update`.
    pub(super) fn of(status: &str) -> Self {
        match status {
            "APPROVED" | "REINSTATED" => Self::Sendable,
            "PAUSED" => Self::Paused,
            "DISABLED" => Self::Disabled,
            _ => Self::NotApproved,
        }
    }
}

impl Sender {
    /// Returns whether WhatsApp lets it send. Source: Meta, "Business phone numbers".
    pub fn is_connected(&self) -> bool {
        &*self.status == CONNECTED
    }

    /// Folds in what WhatsApp reported about it.
    pub(crate) fn fold(&mut self, change: &SenderChange) {
        match change {
            SenderChange::Quality { quality } => self.quality = *quality,
            SenderChange::Status { status } => self.status.clone_from(status),
        }
    }

    /// Returns what it must not send as it stands, if there is anything.
    pub fn stops(&self) -> Option<HoldScope> {
        if self.halted || !self.is_connected() {
            return Some(HoldScope::All);
        }
        (self.quality == Quality::Red).then_some(HoldScope::Marketing)
    }
}

/// WhatsApp's word for a sender that can send.
pub(super) const CONNECTED: &str = "CONNECTED";

impl Quality {
    /// Returns how bad it is, among all there are.
    pub(super) const fn badness(self) -> u8 {
        match self {
            Self::Unknown => 0,
            Self::Green => 1,
            Self::Yellow => 2,
            Self::Red => 3,
        }
    }
}
