//! What WhatsApp says about the business itself, as facts for the rules: accounts, senders,
//! templates, limits. What decides nothing about sending is only counted; warnings are logged.
//!
//! Without a time of its own a fact counts, as now, only where it stops something.

use crate::{
    domain::{
        hearing::{AccountFact, HeardFact, RestrictionKind, SenderFact, TemplateFact},
        names::{AccountId, SenderId},
        phone::PhoneNumber,
        registry::{Category, Quality, Registry, TemplateRef},
        time::Timestamp,
    },
    numbers,
    whatsapp::{
        self, AccountAlert, AccountRestriction, Conclusion, Fact, LimitScope, MessagingLimit,
        NumberEvent, NumberQuality, PauseKind, PortfolioLimit, TemplateCategory, TemplateEvent,
        TemplateKey, TemplateStatus,
    },
};

/// Something about the business, and whether it can only stop sending.
pub(super) struct Said {
    pub(super) fact: HeardFact,
    pub(super) is_silent: bool,
}

#[expect(clippy::unnecessary_wraps, reason = "what the arms of a match give")]
fn stops(fact: HeardFact) -> Option<Said> {
    Some(Said { fact, is_silent: true })
}

#[expect(clippy::unnecessary_wraps, reason = "what the arms of a match give")]
fn changes(fact: HeardFact) -> Option<Said> {
    Some(Said { fact, is_silent: false })
}

/// Returns what a fact about the business says; nothing for what decides nothing.
pub(super) fn said(registry: &Registry, fact: &Fact) -> Option<Said> {
    match &fact.conclusion {
        Conclusion::PortfolioLimit(limit) => self::limit(limit),
        Conclusion::AccountRestriction(restriction) => {
            let kinds = restricted(restriction);
            // A number that no sender has may still be one of the account's.
            stops(match sender_of(registry, fact) {
                Some(_) => HeardFact::SenderNumber(SenderFact::Restricted { kinds }),
                None => HeardFact::Account(AccountFact::Restricted { kinds }),
            })
        }
        Conclusion::AccountDisabled { day: _ } => stops(HeardFact::Account(AccountFact::Disabled)),
        Conclusion::AccountReinstated => changes(HeardFact::Account(AccountFact::Reinstated)),
        Conclusion::AccountDeleted => stops(HeardFact::Account(AccountFact::Deleted)),
        Conclusion::AccountOffboarded => stops(HeardFact::Account(AccountFact::Offboarded)),
        Conclusion::AccountReconnected => changes(HeardFact::Account(AccountFact::Reconnected)),
        Conclusion::AccountPartnerRemoved(_) => {
            stops(HeardFact::Account(AccountFact::PartnerRemoved))
        }
        Conclusion::TemplateStatus(status) => template_status(registry, status, fact.at.is_some()),
        Conclusion::TemplateQuality(quality) => {
            let template = template(registry, &quality.template)?;
            let fact = TemplateFact::Quality { template, quality: quality.new };
            changes(HeardFact::Template(fact))
        }
        Conclusion::TemplateCategory(category) => template_category(registry, category),
        Conclusion::NumberQuality(quality) => number_quality(quality),
        Conclusion::AccountDisableScheduled { day: _ } => warn("disable_scheduled", None),
        Conclusion::AccountViolation { kind } => warn("violation", kind.as_deref()),
        Conclusion::AccountAlert(alert) => alerted(alert),
        Conclusion::AccountReview { decision } => warn("review", Some(decision)),
        Conclusion::AccountNotice { .. }
        | Conclusion::NameUpdate(_)
        | Conclusion::UsernameUpdate(_)
        | Conclusion::Unknown { .. }
        | Conclusion::Inbound(_)
        | Conclusion::Status(_)
        | Conclusion::Preference(_)
        | Conclusion::NumberChanged(_)
        | Conclusion::UserIdChanged(_)
        | Conclusion::IdentityChanged(_)
        | Conclusion::IdentityMismatch(_)
        | Conclusion::Trouble(_) => None,
    }
}

/// What stops nothing and whoever runs the service should know.
fn warn(about: &'static str, word: Option<&str>) -> Option<Said> {
    tracing::warn!(account.about = about, account.word = word, "WhatsApp warns of an account");
    None
}

fn alerted(alert: &AccountAlert) -> Option<Said> {
    warn("alert", alert.kind.as_deref())
}

/// A limit of each number is how it was in the past, and says nothing of the portfolio's.
fn limit(limit: &PortfolioLimit) -> Option<Said> {
    match (limit.scope, limit.limit) {
        (LimitScope::Portfolio, MessagingLimit::People(count)) => {
            changes(HeardFact::Limit { limit: Some(count) })
        }
        (LimitScope::Portfolio, MessagingLimit::Unlimited) => {
            changes(HeardFact::Limit { limit: None })
        }
        (LimitScope::Portfolio, MessagingLimit::NotSet) | (LimitScope::EachNumber, _) => None,
    }
}

fn restricted(restriction: &AccountRestriction) -> Vec<(RestrictionKind, Option<Timestamp>)> {
    let kinds = restriction.restrictions.iter().map(|one| {
        let kind = match &one.kind {
            whatsapp::RestrictionKind::BusinessInitiated => RestrictionKind::BusinessInitiated,
            whatsapp::RestrictionKind::CustomerInitiated => RestrictionKind::CustomerInitiated,
            whatsapp::RestrictionKind::UtilityTemplates => RestrictionKind::UtilityTemplates,
            whatsapp::RestrictionKind::DirectSendUtility
            | whatsapp::RestrictionKind::AddNumber
            | whatsapp::RestrictionKind::Other(_) => RestrictionKind::Other,
        };
        (kind, one.until)
    });
    kinds.collect()
}

/// Finds the template meant: by name and language, or by the name alone where it has one language.
fn template(registry: &Registry, key: &TemplateKey) -> Option<TemplateRef> {
    let name = key.name.clone()?;
    let language = if let Some(language) = &key.language {
        language.clone()
    } else {
        let mut all = registry.template_languages(&name);
        let only = all.next()?.language.clone();
        if all.next().is_some() {
            return None;
        }
        only
    };
    Some(TemplateRef { name, language })
}

/// What a template is filed under comes along with its status, and counts also beside a warning.
fn template_status(registry: &Registry, status: &TemplateStatus, is_timed: bool) -> Option<Said> {
    let template = template(registry, &status.template)?;
    // Without a time it counts as now, and only marketing stops anything.
    let category = status.category.filter(|it| is_timed || *it == Category::Marketing);
    let warned = || {
        let (template, category) = (template.clone(), category?);
        let fact = HeardFact::Template(TemplateFact::Category { template, category });
        if is_timed { changes(fact) } else { stops(fact) }
    };
    let pause_ms = status.pause.as_ref().and_then(PauseKind::lasts_ms);
    let word = status.event.word().to_ascii_uppercase().into();
    let fact =
        TemplateFact::Status { template: template.clone(), status: word, pause_ms, category };
    let fact = HeardFact::Template(fact);
    match status.event {
        TemplateEvent::Approved | TemplateEvent::Reinstated if is_timed => changes(fact),
        // Warnings: what is flagged or has used up its edits is sent all the same.
        TemplateEvent::Approved
        | TemplateEvent::Reinstated
        | TemplateEvent::Flagged
        | TemplateEvent::LimitExceeded => warned(),
        TemplateEvent::Archived
        | TemplateEvent::Deleted
        | TemplateEvent::Disabled
        | TemplateEvent::InAppeal
        | TemplateEvent::Locked
        | TemplateEvent::Paused
        | TemplateEvent::Pending
        | TemplateEvent::PendingDeletion
        | TemplateEvent::Rejected
        | TemplateEvent::Other(_) => stops(fact),
    }
}

/// A change to come without a day counts at once where it makes marketing of the template.
fn template_category(registry: &Registry, category: &TemplateCategory) -> Option<Said> {
    match category {
        TemplateCategory::Impending { template: key, coming, from, current: _ } => {
            let (template, category) = (template(registry, key)?, (*coming)?);
            match from {
                Some(from) => {
                    let from = *from;
                    let fact = TemplateFact::CategoryImpending { template, category, from };
                    changes(HeardFact::Template(fact))
                }
                None if category == Category::Marketing => {
                    stops(HeardFact::Template(TemplateFact::Category { template, category }))
                }
                None => None,
            }
        }
        TemplateCategory::Done { template: key, current, previous: _ } => {
            let (template, category) = (template(registry, key)?, (*current)?);
            changes(HeardFact::Template(TemplateFact::Category { template, category }))
        }
    }
}

/// Only old webhooks said how a number is received; a recovery says no more than that.
fn number_quality(quality: &NumberQuality) -> Option<Said> {
    match &quality.event {
        NumberEvent::Flagged => stops(HeardFact::SenderNumber(SenderFact::Quality(Quality::Red))),
        NumberEvent::Unflagged => {
            changes(HeardFact::SenderNumber(SenderFact::Quality(Quality::Unknown)))
        }
        NumberEvent::ThroughputUpgrade => {
            changes(HeardFact::SenderNumber(SenderFact::Throughput("UPGRADE".into())))
        }
        NumberEvent::Onboarding
        | NumberEvent::Upgrade
        | NumberEvent::Downgrade
        | NumberEvent::Other(_) => None,
    }
}

/// Returns the sender with a number that WhatsApp writes like this. Of several with this number the
/// one that is meant is of the account that is named, or may be as nobody knows its account.
pub(super) fn sender_of(registry: &Registry, fact: &Fact) -> Option<SenderId> {
    let (Conclusion::NumberQuality(NumberQuality { number: Some(digits), .. })
    | Conclusion::AccountRestriction(AccountRestriction { number: Some(digits), .. })) =
        &fact.conclusion
    else {
        return None;
    };
    let contact = numbers::from_wa_id(digits).ok()?;
    let canonical = contact.spellings().canonical();
    let number = PhoneNumber::parse(canonical.as_str()).ok()?;
    let senders = registry.senders().filter(|(_, put)| put.value.number == number);
    let all: Vec<&SenderId> = senders.map(|(id, _)| id).collect();
    let of_account = |account: Option<&str>| {
        let is_of = |id: &&&SenderId| registry.account_of(id).map(AccountId::as_str) == account;
        all.iter().find(is_of).copied()
    };
    let found = match (&all[..], fact.account.as_deref()) {
        ([only], _) => Some(*only),
        (_, None) => all.first().copied(),
        (_, account) => of_account(account).or_else(|| of_account(None)),
    };
    found.cloned()
}
