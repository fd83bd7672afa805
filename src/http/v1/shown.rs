//! The things of the registry as they are shown: what was put, in one spelling.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::{
    names::{Language, TopicId},
    registry::{
        Category, Portfolio, Quality, Sender, Statement, StatementVersion, Template, Topic,
    },
};

/// Something a person can agree to hear about.
#[derive(Debug, Serialize, ToSchema)]
pub struct TopicShown {
    /// For people.
    name: Box<str>,
    /// `marketing`, `utility` or `authentication`.
    #[schema(value_type = String)]
    category: Category,
    /// For people; what exactly is sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<Box<str>>,
    /// Days after which an agreement runs out; never, if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_after_days: Option<u32>,
}

/// The words shown when people are asked.
#[derive(Debug, Serialize, ToSchema)]
pub struct StatementShown {
    /// The business as it is named to the person.
    business_name: Box<str>,
    /// The words, per language.
    #[schema(value_type = BTreeMap<String, String>)]
    texts: BTreeMap<Language, Box<str>>,
    /// What agreeing to them means.
    #[schema(value_type = Vec<String>)]
    topics: Vec<TopicId>,
    /// SHA-256 of this version, in hexadecimal: what opt-ins refer to.
    digest: Box<str>,
}

/// A template message as registered at WhatsApp.
#[derive(Debug, Serialize, ToSchema)]
pub struct TemplateShown {
    /// What people must have agreed to.
    #[schema(value_type = String)]
    topic: TopicId,
    /// What WhatsApp files it under.
    #[schema(value_type = String)]
    category: Category,
    /// WhatsApp's word, in capitals.
    status: Box<str>,
}

/// A business phone number that sends.
#[derive(Debug, Serialize, ToSchema)]
pub struct SenderShown {
    /// Who owns the messaging limit it shares.
    portfolio: String,
    /// Its number, in E.164.
    number: String,
    /// WhatsApp's word, in capitals.
    status: Box<str>,
    /// How well it is received.
    #[schema(value_type = String)]
    quality: Quality,
    /// Whether you stopped it yourself.
    halted: bool,
}

/// Who shares a messaging limit.
#[derive(Debug, Serialize, ToSchema)]
pub struct PortfolioShown {
    /// For people.
    name: Box<str>,
    /// Unique people in a moving 24 hours; `null` is unlimited.
    messaging_limit: Option<u32>,
    /// Whether WhatsApp has restricted the account.
    restricted: bool,
}

impl From<&Topic> for TopicShown {
    fn from(topic: &Topic) -> Self {
        let Topic { name, category, description, expires_after_days } = topic.clone();
        Self { name, category, description, expires_after_days }
    }
}

impl From<&StatementVersion> for StatementShown {
    fn from(version: &StatementVersion) -> Self {
        let Statement { business_name, texts, topics } = version.value.clone();
        Self { business_name, texts, topics, digest: version.digest.clone() }
    }
}

impl From<&Template> for TemplateShown {
    fn from(template: &Template) -> Self {
        let Template { topic, category, status } = template.clone();
        Self { topic, category, status }
    }
}

impl From<&Sender> for SenderShown {
    fn from(sender: &Sender) -> Self {
        let Sender { portfolio, number, status, quality, halted } = sender.clone();
        let (portfolio, number) = (portfolio.to_string(), number.as_e164().to_owned());
        Self { portfolio, number, status, quality, halted }
    }
}

impl From<&Portfolio> for PortfolioShown {
    fn from(portfolio: &Portfolio) -> Self {
        let Portfolio { name, messaging_limit, restricted } = portfolio.clone();
        Self { name, messaging_limit, restricted }
    }
}
