//! What WhatsApp says about the business itself: its account, numbers and limits.
//!
//! Source: Meta, webhook references `account_update`, `account_alerts`,
//! `phone_number_quality_update`, `business_capability_update`, `business_username_updates`;
//! read November 2026.

use crate::domain::time::Timestamp;

/// How many people may be written to first in a moving 24 hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessagingLimit {
    /// So many.
    People(u32),
    /// Any number.
    Unlimited,
    /// WhatsApp has not set one yet.
    NotSet,
}

/// Who shares a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitScope {
    /// All numbers of the portfolio together: how it is since October 2025.
    Portfolio,
    /// Each number has its own: how it was before, in webhooks of version 23.0 and older.
    EachNumber,
}

/// A limit as it is from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortfolioLimit {
    /// How many.
    pub limit: MessagingLimit,
    /// Who shares it.
    pub scope: LimitScope,
}

/// What the account may not do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountRestriction {
    /// Each restriction in force.
    pub restrictions: Vec<Restriction>,
    /// The one number concerned, as older webhooks have it; otherwise it is the whole account.
    pub number: Option<Box<str>>,
}

/// One thing the account may not do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restriction {
    /// Which.
    pub kind: RestrictionKind,
    /// Until when. Nothing means until WhatsApp says otherwise.
    pub until: Option<Timestamp>,
}

/// What can be forbidden.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RestrictionKind {
    /// To write first. Whether a template inside an open window counts, Meta does not say.
    BusinessInitiated,
    /// To answer.
    CustomerInitiated,
    /// To make utility templates. Sending is not concerned.
    UtilityTemplates,
    /// To send utility messages without a template of one's own. Ordinary sending is not concerned.
    DirectSendUtility,
    /// To add numbers.
    AddNumber,
    /// Something else, such as calls, by WhatsApp's word for it.
    Other(Box<str>),
}

impl RestrictionKind {
    /// Returns the kind of this word.
    pub(in crate::whatsapp) fn of_word(word: &str) -> Self {
        match word.to_ascii_uppercase().as_str() {
            "RESTRICTED_BIZ_INITIATED_MESSAGING" => Self::BusinessInitiated,
            "RESTRICTED_CUSTOMER_INITIATED_MESSAGING" => Self::CustomerInitiated,
            "RESTRICTED_UTILITY_TEMPLATES" => Self::UtilityTemplates,
            "RESTRICTED_DIRECT_SEND_UTILITY_TEMPLATES" => Self::DirectSendUtility,
            "RESTRICTED_ADD_PHONE_NUMBER_ACTION" => Self::AddNumber,
            _ => Self::Other(word.into()),
        }
    }
}

/// An app's access to an account ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartnerRemoved {
    /// The account left. The account of the fact can be the partner's own.
    pub account: Option<Box<str>>,
    /// The portfolio that owns it.
    pub owner: Option<Box<str>>,
    /// Why, such as `USER_RE_REGISTERED`.
    pub reason: Option<Box<str>>,
    /// `SYSTEM` or `USER`.
    pub by: Option<Box<str>>,
}

/// WhatsApp wants attention.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountAlert {
    /// What it is about, such as `INCREASED_CAPABILITIES_ELIGIBILITY_DEFERRED`.
    pub kind: Option<Box<str>>,
    /// `CRITICAL`, `WARNING` or `INFORMATIONAL`.
    pub severity: Option<Box<str>>,
    /// `ACTIVE` or `NONE`.
    pub status: Option<Box<str>>,
    /// `BUSINESS`, `PHONE_NUMBER` or another kind of thing it concerns.
    pub entity_kind: Option<Box<str>>,
    /// The id of what it concerns.
    pub entity: Option<Box<str>>,
}

/// A number's throughput or, in old webhooks, its quality or limit changed.
///
/// No webhook tells a number's green, yellow or red.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberQuality {
    /// What happened.
    pub event: NumberEvent,
    /// The business's number in digits; this webhook has no id for it.
    pub number: Option<Box<str>>,
    /// The number's own limit before, in webhooks until February 2026.
    pub limit_before: Option<MessagingLimit>,
    /// The number's own limit now, in webhooks until February 2026.
    pub limit_now: Option<MessagingLimit>,
}

/// What happened to a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NumberEvent {
    /// It was registered.
    Onboarding,
    /// It may send more messages a second.
    ThroughputUpgrade,
    /// Its limit rose. Not sent any more.
    Upgrade,
    /// Its limit fell. Not sent any more.
    Downgrade,
    /// Its quality is low. Not sent any more.
    Flagged,
    /// Its quality recovered. Not sent any more.
    Unflagged,
    /// Something else, by WhatsApp's word for it.
    Other(Box<str>),
}

impl NumberEvent {
    /// Returns the event of this word.
    pub(in crate::whatsapp) fn of_word(word: &str) -> Self {
        match word.to_ascii_uppercase().as_str() {
            "ONBOARDING" => Self::Onboarding,
            "THROUGHPUT_UPGRADE" => Self::ThroughputUpgrade,
            "UPGRADE" => Self::Upgrade,
            "DOWNGRADE" => Self::Downgrade,
            "FLAGGED" => Self::Flagged,
            "UNFLAGGED" => Self::Unflagged,
            _ => Self::Other(word.into()),
        }
    }
}

/// The review of a number's display name ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DisplayName {
    /// The business's number in digits.
    pub number: Option<Box<str>>,
    /// The name asked for.
    pub name: Option<Box<str>>,
    /// Such as `APPROVED`.
    pub decision: Option<Box<str>>,
}

/// The business's own username changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsernameUpdate {
    /// The business's number in digits.
    pub number: Option<Box<str>>,
    /// The username, without `@`.
    pub username: Option<Box<str>>,
    /// `approved`, `deleted` or `reserved`.
    pub status: Option<Box<str>>,
}

impl MessagingLimit {
    /// Reads a limit in any of its spellings: digits, `TIER_250`, `TIER_2K`, `UNLIMITED`, `-1`.
    pub(in crate::whatsapp) fn of_word(word: &str) -> Option<Self> {
        let word = word.trim().to_ascii_uppercase();
        let tier = word.strip_prefix("TIER_").unwrap_or(&word);
        match tier {
            "UNLIMITED" | "-1" => return Some(Self::Unlimited),
            "NOT_SET" => return Some(Self::NotSet),
            _ => {}
        }
        let (digits, times) = match tier.strip_suffix('K') {
            Some(digits) => (digits, 1_000),
            None => tier.strip_suffix('M').map_or((tier, 1), |digits| (digits, 1_000_000)),
        };
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        digits.parse::<u32>().ok()?.checked_mul(times).map(Self::People)
    }

    /// Reads a limit written as a number.
    pub(in crate::whatsapp) fn of_number(number: i64) -> Option<Self> {
        if number == -1 {
            return Some(Self::Unlimited);
        }
        u32::try_from(number).ok().map(Self::People)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_read_in_every_spelling() {
        let people = |count| Some(MessagingLimit::People(count));
        for (word, expected) in [
            ("TIER_50", people(50)),
            ("TIER_250", people(250)),
            ("TIER_1K", people(1_000)),
            ("TIER_2K", people(2_000)),
            ("TIER_10K", people(10_000)),
            ("TIER_100K", people(100_000)),
            ("tier_100k", people(100_000)),
            ("TIER_1M", people(1_000_000)),
            ("2000", people(2_000)),
            (" 2000 ", people(2_000)),
            ("TIER_UNLIMITED", Some(MessagingLimit::Unlimited)),
            ("UNLIMITED", Some(MessagingLimit::Unlimited)),
            ("-1", Some(MessagingLimit::Unlimited)),
            ("TIER_NOT_SET", Some(MessagingLimit::NotSet)),
            ("", None),
            ("TIER_", None),
            ("K", None),
            ("+5", None),
            ("TIER_LOW", None),
            ("99999999999", None),
            ("5000000K", None),
        ] {
            assert_eq!(MessagingLimit::of_word(word), expected, "{word:?}");
        }
        assert_eq!(MessagingLimit::of_number(2_000), people(2_000));
        assert_eq!(MessagingLimit::of_number(-1), Some(MessagingLimit::Unlimited));
        assert_eq!(MessagingLimit::of_number(-2), None);
    }
}
