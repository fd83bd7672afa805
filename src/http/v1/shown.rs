//! The things of the registry as they are shown: what was put, in one spelling.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::{
    names::{Language, TopicId},
    registry::{
        AnswerAct, Category, EntryPoint, Portfolio, Quality, Sender, Statement, StatementVersion,
        THROUGHPUT_DEFAULT, Template, TemplateAnswer, TemplateReport, TemplateView, Topic,
    },
    time::Timestamp,
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
    /// What WhatsApp files it under; the strictest of all accounts.
    #[schema(value_type = String)]
    category: Category,
    /// From when WhatsApp files it under marketing, which is not how it was put; in any account.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    marketing_since: Option<String>,
    /// WhatsApp's word, in capitals; the strictest of all accounts.
    status: Box<str>,
    /// What the payloads of its buttons stand for.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    answers: BTreeMap<Box<str>, AnswerShown>,
    /// How it stands in each account WhatsApp reported of since it was put, by the account's id.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    accounts: BTreeMap<String, TemplateInAccount>,
}

/// How a template stands in one account.
#[derive(Debug, Serialize, ToSchema)]
pub struct TemplateInAccount {
    /// What WhatsApp files it under.
    #[schema(value_type = String)]
    category: Category,
    /// From when WhatsApp files it under marketing, which is not how it was put.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    marketing_since: Option<String>,
    /// WhatsApp's word, in capitals.
    status: Box<str>,
    /// When the status ends by itself; absent if it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    until: Option<String>,
    /// How it is received; absent if WhatsApp did not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    quality: Option<Quality>,
}

/// What the payload of a button or of a list's row stands for.
#[derive(Debug, Serialize, ToSchema)]
pub struct AnswerShown {
    /// `opt_in` or `opt_out`.
    #[schema(value_type = String)]
    act: AnswerAct,
    /// About what; an opt-out of nothing in particular is one from everything.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>)]
    topics: Vec<TopicId>,
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
    /// How many messages a second its tickets are spaced for.
    throughput: u32,
    /// The WhatsApp Business Account it belongs to, as it was put.
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<String>,
}

/// A place where people are asked.
#[derive(Debug, Serialize, ToSchema)]
pub struct EntryPointShown {
    /// For people.
    name: Box<str>,
    /// What writing from there agrees to.
    #[schema(value_type = Vec<String>)]
    topics: Vec<TopicId>,
    /// The statement that is shown there.
    #[serde(skip_serializing_if = "Option::is_none")]
    statement: Option<String>,
    /// What its texts are recognised by.
    #[schema(example = "K7WX2M0A")]
    code: String,
    /// The language of what is shown there.
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<String>,
    /// The one sender its links lead to.
    #[serde(skip_serializing_if = "Option::is_none")]
    sender: Option<String>,
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

impl TemplateShown {
    /// Returns a template as it was put, with how it stands for whoever sends by any account.
    pub(super) fn of(template: &Template, report: &TemplateReport, view: TemplateView<'_>) -> Self {
        let Template { topic, category: _, status: _, answers } = template.clone();
        let shown = |TemplateAnswer { act, topics }| AnswerShown { act, topics };
        let answers = answers.into_iter().map(|(payload, answer)| (payload, shown(answer)));
        let accounts = report.accounts().map(|(id, view)| (id.to_string(), view.into()));
        Self {
            topic,
            category: view.category,
            marketing_since: view.marketing_since.map(|(since, _)| since.to_rfc3339()),
            status: view.status.status.clone(),
            answers: answers.collect(),
            accounts: accounts.collect(),
        }
    }
}

impl From<TemplateView<'_>> for TemplateInAccount {
    fn from(view: TemplateView<'_>) -> Self {
        let TemplateView { status, quality, category, marketing_since, needs_number: _ } = view;
        let until = status.until.map(Timestamp::to_rfc3339);
        let marketing_since = marketing_since.map(|(since, _)| since.to_rfc3339());
        Self { category, marketing_since, status: status.status.clone(), until, quality }
    }
}

impl From<&Sender> for SenderShown {
    fn from(sender: &Sender) -> Self {
        let Sender { portfolio, number, status, quality, halted, throughput, account } =
            sender.clone();
        let (portfolio, number) = (portfolio.to_string(), number.as_e164().to_owned());
        let account = account.map(|account| account.to_string());
        let throughput = throughput.unwrap_or(THROUGHPUT_DEFAULT).get();
        Self { portfolio, number, status, quality, halted, throughput, account }
    }
}

impl From<&EntryPoint> for EntryPointShown {
    fn from(point: &EntryPoint) -> Self {
        let EntryPoint { name, topics, statement, code, language, sender } = point.clone();
        Self {
            name,
            topics,
            statement: statement.map(|statement| statement.to_string()),
            code: code.as_str().to_owned(),
            language: language.map(|language| language.to_string()),
            sender: sender.map(|sender| sender.to_string()),
        }
    }
}

impl From<&Portfolio> for PortfolioShown {
    fn from(portfolio: &Portfolio) -> Self {
        let Portfolio { name, messaging_limit, restricted } = portfolio.clone();
        Self { name, messaging_limit, restricted }
    }
}
