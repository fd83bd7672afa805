//! The business of the simulation: what it sends, from where, and to whom it may.

use serde::de::Error as _;
use serde_json::{Error, Value, json};

use crate::{
    domain::{
        command::RegistryCommand,
        names::{Language, NotAName, PortfolioId, SenderId, TemplateName, TopicId},
        phone::PhoneNumber,
        registry::{Category, Portfolio, Quality, Sender, Template, TemplateRef, Topic},
    },
    policy::{self, Overrides, Policy},
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

/// What a policy asks for about marketing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    /// How many in so many days.
    pub(super) caps: &'a [(u32, u32)],
    /// Whether it waits for the morning, from 21:00 to 8:00.
    pub(super) is_quiet: bool,
    /// Whether people in the United States confirm.
    pub(super) is_twice: bool,
}

/// Returns the policy that asks for this. The settings take one cap of a category; all others
/// are rules.
pub(super) fn put_policy(asked: Asked<'_>) -> Result<RegistryCommand, Error> {
    let Asked { caps, is_quiet, is_twice } = asked;
    let cap = |(count, days): &(u32, u32)| json!({"count": count, "days": days});
    let of_settings = caps.first().map(|first| json!({"category": "marketing", "cap": cap(first)}));
    let rule = |id: &str, countries: &[&str], member: &str, asks: Value| {
        let mut rule = json!({"id": id, "countries": countries, "categories": ["marketing"],
            "why": "The simulation wants it."});
        rule.as_object_mut()
            .into_iter()
            .for_each(|rule| drop(rule.insert(member.into(), asks.clone())));
        rule
    };
    let night = json!({"windows": [{"from": "21:00", "to": "08:00"}]});
    let mut rules = Vec::new();
    rules.extend(is_quiet.then(|| rule("night", &["ID", "US"], "quiet_hours", night)));
    rules.extend(is_twice.then(|| rule("twice", &["US"], "double_opt_in", true.into())));
    let others = caps.iter().enumerate().skip(1);
    rules.extend(
        others.map(|(at, one)| rule(&format!("cap-{at}"), &["*"], "frequency_cap", cap(one))),
    );
    let settings = json!({"frequency_caps": of_settings.into_iter().collect::<Vec<_>>()});
    let overrides = json!({"rules": rules, "settings": settings});
    let overrides: Overrides = serde_json::from_value(overrides)?;
    let policy = Policy::effective(policy::packs(), &overrides).map_err(Error::custom)?;
    Ok(RegistryCommand::PutPolicy { overrides: Box::new(overrides), policy: Box::new(policy) })
}
