//! What a webhook says, as types: one fact for each conclusion that can be drawn from it.
//!
//! A fact is as given: identifiers are not normalised, nothing is looked up, nothing is decided.
//! `Debug` shows no personal data.

mod account;
mod message;
mod person;
mod status;
mod template;

use sha2::{Digest as _, Sha256};

use crate::domain::{names::SenderId, time::Timestamp};

pub use account::{
    AccountAlert, AccountRestriction, DisplayName, LimitScope, MessagingLimit, NumberEvent,
    NumberQuality, PartnerRemoved, PortfolioLimit, Restriction, RestrictionKind, UsernameUpdate,
};
pub use message::{
    Answer, Context, Forwarded, IdentityChanged, Inbound, MessageKind, NumberChanged, Preference,
    PreferenceChoice, Referral, SharedNumber, UserIdChanged,
};
pub use person::{Person, Private, Spoken};
pub use status::{
    Conversation, DeliveryState, Fault, IdentityMismatch, Pricing, Status, WindowProof,
};
pub use template::{
    PauseKind, TemplateCategory, TemplateEvent, TemplateKey, TemplateQuality, TemplateStatus,
};

/// One thing WhatsApp said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// When it happened, by WhatsApp's clock. Nothing if the webhook does not say so readably; the
    /// moment of arrival may then stand in for it where that errs towards not sending, and nowhere
    /// else: a webhook can be seven days late.
    pub at: Option<Timestamp>,
    /// The WhatsApp Business Account it came through (`entry.id`); the On-Premises API names none.
    pub account: Option<Box<str>>,
    /// The business phone number it is about; nothing where it is about more than one number, and
    /// in the On-Premises API.
    pub sender: Option<SenderId>,
    /// What a repeat of this fact has in common with it. Nothing if the webhook gives too little to
    /// tell a repeat from a second, equal event: such a fact has to be taken as new.
    pub key: Option<DedupeKey>,
    /// What every fact that says the same has in common, a repeat or a second event. Only what is
    /// not about one message or person has it.
    pub content: Option<DedupeKey>,
    /// What follows from it.
    pub conclusion: Conclusion,
}

/// Tells a fact from others: equal for every delivery of one fact, however they are batched.
///
/// Made of message ids, states, identifiers and times without a secret, so someone with a list of
/// all phone numbers could find the number behind it. Keep it only under a keyed hash.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct DedupeKey([u8; 32]);

impl DedupeKey {
    /// Makes the key of what has these parts in common, in this order.
    pub(in crate::whatsapp) fn of(parts: &[&[u8]]) -> Self {
        let mut digest = Sha256::new();
        for part in parts {
            digest.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            digest.update(part);
        }
        Self(digest.finalize().into())
    }

    /// Returns the bytes, to be hashed under a key.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl std::fmt::Debug for DedupeKey {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("DedupeKey(redacted)")
    }
}

/// What follows from a webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Conclusion {
    /// A person wrote, tapped or sent something.
    Inbound(Box<Inbound>),
    /// A message of ours got somewhere, or did not.
    Status(Box<Status>),
    /// A person stopped or resumed marketing inside WhatsApp.
    Preference(Preference),
    /// A person moved to another number. The old one may be given to somebody else.
    NumberChanged(NumberChanged),
    /// A person has another user id.
    UserIdChanged(UserIdChanged),
    /// Another device or another person may be behind a number.
    IdentityChanged(IdentityChanged),
    /// A message was held back since the identity hash sent along was not the current one (137000).
    IdentityMismatch(IdentityMismatch),
    /// The number, the account or the app is in trouble; no message is named.
    Trouble(Vec<Fault>),
    /// How many people may be written to first in a day.
    PortfolioLimit(PortfolioLimit),
    /// The account may not do certain things for a while.
    AccountRestriction(AccountRestriction),
    /// The account is disabled, on this day if one is named.
    AccountDisabled {
        /// Start of the day named, in UTC.
        day: Option<Timestamp>,
    },
    /// The account is no longer disabled.
    AccountReinstated,
    /// The account will be disabled, on this day if one is named.
    AccountDisableScheduled {
        /// Start of the day named, in UTC.
        day: Option<Timestamp>,
    },
    /// The account is gone.
    AccountDeleted,
    /// The account was taken off the platform, by a new registration or a change of device.
    AccountOffboarded,
    /// The account is back on the platform.
    AccountReconnected,
    /// An app's access to the account ended.
    AccountPartnerRemoved(PartnerRemoved),
    /// The account broke a policy.
    AccountViolation {
        /// WhatsApp's word for it, such as `SCAM`.
        kind: Option<Box<str>>,
    },
    /// Something about the account that decides nothing.
    AccountNotice {
        /// WhatsApp's word for it, such as `PARTNER_ADDED`.
        event: Box<str>,
    },
    /// The review of the account ended.
    AccountReview {
        /// WhatsApp's word for the outcome, such as `APPROVED`.
        decision: Box<str>,
    },
    /// WhatsApp wants attention.
    AccountAlert(AccountAlert),
    /// A template's state changed.
    TemplateStatus(TemplateStatus),
    /// A template's quality changed.
    TemplateQuality(TemplateQuality),
    /// A template is filed under another category, or soon will be.
    TemplateCategory(TemplateCategory),
    /// A number's throughput or, in old webhooks, its quality or limit changed.
    NumberQuality(NumberQuality),
    /// The review of a number's display name ended.
    NameUpdate(DisplayName),
    /// The business's own username changed.
    UsernameUpdate(UsernameUpdate),
    /// Something this build draws no conclusion from: to be counted, and otherwise let be.
    Unknown {
        /// The name of the field, if there is one.
        field: Option<Box<str>>,
        /// What it looks like: names of members or a word of WhatsApp's, never what they hold.
        shape: Box<str>,
    },
}

impl Conclusion {
    /// Returns a stable name of the kind, for counting and for the log.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Inbound(_) => "inbound",
            Self::Status(_) => "status",
            Self::Preference(_) => "preference",
            Self::NumberChanged(_) => "number_changed",
            Self::UserIdChanged(_) => "user_id_changed",
            Self::IdentityChanged(_) => "identity_changed",
            Self::IdentityMismatch(_) => "identity_mismatch",
            Self::Trouble(_) => "trouble",
            Self::PortfolioLimit(_) => "portfolio_limit",
            Self::AccountRestriction(_) => "account_restriction",
            Self::AccountDisabled { .. } => "account_disabled",
            Self::AccountReinstated => "account_reinstated",
            Self::AccountDisableScheduled { .. } => "account_disable_scheduled",
            Self::AccountDeleted => "account_deleted",
            Self::AccountOffboarded => "account_offboarded",
            Self::AccountReconnected => "account_reconnected",
            Self::AccountPartnerRemoved(_) => "account_partner_removed",
            Self::AccountViolation { .. } => "account_violation",
            Self::AccountNotice { .. } => "account_notice",
            Self::AccountReview { .. } => "account_review",
            Self::AccountAlert(_) => "account_alert",
            Self::TemplateStatus(_) => "template_status",
            Self::TemplateQuality(_) => "template_quality",
            Self::TemplateCategory(_) => "template_category",
            Self::NumberQuality(_) => "number_quality",
            Self::NameUpdate(_) => "name_update",
            Self::UsernameUpdate(_) => "username_update",
            Self::Unknown { .. } => "unknown",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_the_same_bytes_cut_elsewhere_differ() {
        assert_ne!(DedupeKey::of(&[b"ab", b"c"]), DedupeKey::of(&[b"a", b"bc"]));
        assert_ne!(DedupeKey::of(&[b"a"]), DedupeKey::of(&[b"a", b""]));
        assert_eq!(DedupeKey::of(&[b"a", b"b"]), DedupeKey::of(&[b"a", b"b"]));
    }

    #[test]
    fn a_key_is_not_shown() {
        assert_eq!(format!("{:?}", DedupeKey::of(&[b"x"])), "DedupeKey(redacted)");
    }
}
