//! What of WhatsApp's answers the registry does not say yet, as facts for the rules.
//!
//! An answer tells how things stand, mostly as they stood before, and a fact of its own moment
//! would make an entry each time. Whether what is new is also the latest is for the rules. An answer
//! in the same words as before is new where what was known would have ended by itself.

use crate::{
    domain::{
        hearing::{HeardFact, SenderFact, TemplateFact},
        names::{AccountId, SenderId},
        registry::{Category, Quality, Registry},
        time::Timestamp,
    },
    whatsapp::{MessagingLimit, NumberRead, TemplateRead},
};

/// Words for a template that is sent all the same: warnings, as in webhooks.
const WARNINGS: [&str; 2] = ["FLAGGED", "LIMIT_EXCEEDED"];

/// Returns what is new of a sender and of its portfolio.
pub(super) fn of_sender(
    registry: &Registry,
    sender: &SenderId,
    read: &NumberRead,
) -> Vec<HeardFact> {
    let Some((_, put)) = registry.sender(sender) else { return Vec::new() };
    let mut news = Vec::new();
    if let Some(quality) = read.quality.filter(|quality| *quality != put.value.quality) {
        news.push(HeardFact::SenderNumber(SenderFact::Quality(quality)));
    }
    if let Some(status) = read.status.as_ref().filter(|status| **status != put.value.status) {
        news.push(HeardFact::SenderNumber(SenderFact::Status(status.clone())));
    }
    let limit = match read.limit {
        Some(MessagingLimit::People(people)) => Some(Some(people)),
        Some(MessagingLimit::Unlimited) => Some(None),
        Some(MessagingLimit::NotSet) | None => None,
    };
    let known = registry.portfolio(&put.value.portfolio).map(|put| put.value.messaging_limit);
    if let (Some(limit), Some(known)) = (limit, known)
        && limit != known
    {
        news.push(HeardFact::Limit { limit });
    }
    news
}

/// Returns what is new of an account's template by an answer dated `at`; nothing for one that nobody
/// put.
pub(super) fn of_template(
    registry: &Registry,
    account: &AccountId,
    (read, at): (&TemplateRead, Timestamp),
) -> Vec<HeardFact> {
    let TemplateRead { template, status, category, quality } = read;
    let Some(report) = registry.reported().template(template) else { return Vec::new() };
    let known = report.of(account);
    let mut news = Vec::new();
    let status = status.as_ref().filter(|status| {
        let status: &str = status;
        !report.is_repeated(account, status, at) && !WARNINGS.contains(&status)
    });
    if let Some(status) = status {
        let (template, status) = (template.clone(), status.clone());
        news.push(TemplateFact::Status { template, status, pause_ms: None, category: None });
    }
    // What was to be marketing by now and is not, will not be.
    let has_turned = known.marketing_since.is_some_and(|(since, _)| since < at);
    let is_new = |category: &Category| {
        *category != known.category || has_turned && *category != Category::Marketing
    };
    if let Some(category) = category.filter(is_new) {
        news.push(TemplateFact::Category { template: template.clone(), category });
    }
    let known = known.quality.unwrap_or(Quality::Unknown);
    if let Some(quality) = quality.filter(|quality| *quality != known) {
        news.push(TemplateFact::Quality { template: template.clone(), quality });
    }
    news.into_iter().map(HeardFact::Template).collect()
}
