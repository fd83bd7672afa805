//! The business of the simulation: what it sends, from where, and to whom it may.

use std::num::NonZeroU32;

use crate::{
    domain::{
        command::RegistryCommand,
        names::{Language, NotAName, PortfolioId, SenderId, TemplateName, TopicId},
        phone::PhoneNumber,
        registry::{Category, Portfolio, Quality, Sender, Template, TemplateRef, Topic},
    },
    policy::{self, Cap, CategoryCap, Overrides, Policy, Settings},
};

/// What people agree to: name, category, and days until it runs out.
pub(super) const TOPICS: [(&str, Category, Option<u32>); 3] = [
    ("promotions", Category::Marketing, None),
    ("news", Category::Marketing, Some(20)),
    ("orders", Category::Utility, None),
];

/// What is sent, each about the topic at the same place.
pub(super) const TEMPLATES: [&str; 3] = ["sale", "letter", "shipped"];

/// Who sends, and whose limit it is.
pub(super) const SENDERS: [(&str, usize); 3] = [("1001", 0), ("1002", 0), ("2001", 1)];

/// Who shares a limit.
pub(super) const PORTFOLIOS: [&str; 2] = ["p1", "p2"];

/// CRMs, each by the sender it uses. Two share a sender, three a portfolio.
pub(super) const CRMS: [usize; 4] = [0, 0, 1, 2];

/// Caps of marketing where nothing else is said: how many in so many days.
pub(super) const CAPS: [(u32, u32); 1] = [(1, 14)];

/// Percent of its limit a sender of yellow quality goes on with.
pub(super) const YELLOW_PERCENT: u64 = 50;

/// Returns whether the template at this place is marketing.
pub(super) fn is_marketing(template: usize) -> bool {
    TOPICS.get(template).is_some_and(|(_, category, _)| *category == Category::Marketing)
}

/// Returns whose limit a sender's messages are out of.
pub(super) fn portfolio_of(sender: usize) -> usize {
    SENDERS.get(sender).map_or(0, |(_, portfolio)| *portfolio)
}

pub(super) fn topic_id(place: usize) -> Result<TopicId, NotAName> {
    TopicId::parse(TOPICS.get(place).map_or("", |(id, ..)| id))
}

pub(super) fn sender_id(place: usize) -> Result<SenderId, NotAName> {
    SenderId::parse(SENDERS.get(place).map_or("", |(id, _)| id))
}

pub(super) fn portfolio_id(place: usize) -> Result<PortfolioId, NotAName> {
    PortfolioId::parse(PORTFOLIOS.get(place).copied().unwrap_or_default())
}

pub(super) fn template_ref(place: usize) -> Result<TemplateRef, NotAName> {
    let name = TemplateName::parse(TEMPLATES.get(place).copied().unwrap_or_default())?;
    Ok(TemplateRef { name, language: Language::parse("en")? })
}

pub(super) fn put_topic(place: usize) -> Result<RegistryCommand, NotAName> {
    let (name, category, expires_after_days) =
        TOPICS.get(place).copied().unwrap_or(("", Category::Marketing, None));
    let topic = Topic { name: name.into(), category, description: None, expires_after_days };
    Ok(RegistryCommand::PutTopic { id: topic_id(place)?, topic })
}

pub(super) fn put_portfolio(
    place: usize,
    messaging_limit: Option<u32>,
) -> Result<RegistryCommand, NotAName> {
    let portfolio = Portfolio { name: "Toko".into(), messaging_limit, restricted: false };
    Ok(RegistryCommand::PutPortfolio { id: portfolio_id(place)?, portfolio })
}

pub(super) fn put_sender(
    place: usize,
    number: PhoneNumber,
    quality: Quality,
    halted: bool,
) -> Result<RegistryCommand, NotAName> {
    let sender = Sender {
        portfolio: portfolio_id(portfolio_of(place))?,
        number,
        status: "CONNECTED".into(),
        quality,
        halted,
        throughput: None,
        account: None,
    };
    Ok(RegistryCommand::PutSender { id: sender_id(place)?, sender })
}

pub(super) fn put_template(place: usize, status: &str) -> Result<RegistryCommand, NotAName> {
    let category = TOPICS.get(place).map_or(Category::Marketing, |(_, category, _)| *category);
    let template = Template {
        topic: topic_id(place)?,
        category,
        status: status.into(),
        answers: std::collections::BTreeMap::new(),
    };
    Ok(RegistryCommand::PutTemplate { id: template_ref(place)?, template })
}

/// Returns the policy with these caps of marketing. Nothing that cannot be is asked for.
pub(super) fn put_policy(caps: &[(u32, u32)]) -> Option<RegistryCommand> {
    let caps = caps.iter().map(|(count, days)| {
        let cap = Cap { count: NonZeroU32::new(*count)?, days: NonZeroU32::new(*days)? };
        Some(CategoryCap { category: policy::Category::Marketing, cap })
    });
    let settings = Settings { frequency_caps: caps.collect::<Option<_>>()?, ..Settings::default() };
    let overrides = Overrides { settings, ..Overrides::default() };
    let policy = Policy::effective(policy::packs(), &overrides).ok()?;
    Some(RegistryCommand::PutPolicy { overrides: Box::new(overrides), policy: Box::new(policy) })
}
