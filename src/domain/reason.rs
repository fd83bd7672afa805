//! The vocabulary of "no": every reason, in the order answers list them, from one table.

/// Why a message may not be sent. The order of the variants is the order in every answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// The text is not a phone number, or none is known and the message needs one.
    InvalidNumber,
    /// WhatsApp restricted the account.
    AccountRestricted,
    /// Nobody put the sender.
    SenderUnknown,
    /// WhatsApp does not let the sender send.
    SenderNotConnected,
    /// The business stopped the sender.
    SenderHalted,
    /// The person was erased and must not come back by import.
    Erased,
    /// An operator blocked the contact.
    Blocked,
    /// The number may belong to someone else now.
    IdentityChanged,
    /// The person moved to another number.
    NumberChanged,
    /// WhatsApp could not deliver to the number.
    Unreachable,
    /// Nothing was ever recorded for the topic.
    NeverAsked,
    /// The person has not confirmed yet.
    Pending,
    /// The agreement ran out.
    Expired,
    /// The person took it back.
    Withdrawn,
    /// The person stopped marketing inside WhatsApp.
    MarketingStopped,
    /// Nobody put the template.
    TemplateUnknown,
    /// WhatsApp has not approved the template.
    TemplateNotApproved,
    /// WhatsApp paused the template.
    TemplatePaused,
    /// WhatsApp disabled the template.
    TemplateDisabled,
    /// The person has not written in the last 24 hours.
    SessionWindowClosed,
    /// The country takes no such messages.
    CountryBlocked,
    /// WhatsApp held back a marketing message a short while ago.
    MarketingCooldown,
    /// The person is in an experiment group without marketing.
    ExperimentGroup,
    /// The person got enough of these already.
    FrequencyCap,
    /// It is night where the person is.
    QuietHours,
    /// The sender's quality is too low for this.
    QualityBrake,
    /// Too many messages to this person just now.
    PairRate,
    /// The portfolio's limit is used up.
    MessagingLimit,
}

/// Whom a reason is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The request itself.
    Request,
    /// The account and everything in it.
    Account,
    /// One sender.
    Sender,
    /// One person.
    Contact,
    /// One person and one topic.
    Consent,
    /// One template.
    Template,
}

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// The reason.
    pub reason: Reason,
    /// Its stable name.
    pub code: &'static str,
    /// Whom it is about.
    pub scope: Scope,
    /// What would change the answer.
    pub fix: &'static str,
    /// Whether waiting can be enough.
    pub time_cures: bool,
}

const fn row(
    reason: Reason,
    code: &'static str,
    scope: Scope,
    fix: &'static str,
    time_cures: bool,
) -> Row {
    Row { reason, code, scope, fix, time_cures }
}

/// Every reason there is, in the order of [`Reason`].
pub const TABLE: [Row; 28] = {
    use Reason as R;
    use Scope::{Account, Consent, Contact, Request, Sender, Template};
    [
        row(
            R::InvalidNumber,
            "invalid_number",
            Request,
            "Correct the number, name the region it was written in, or ask for the number where only a user id is known.",
            false,
        ),
        row(
            R::AccountRestricted,
            "account_restricted",
            Account,
            "Resolve the restriction with WhatsApp, then put the portfolio without it.",
            true,
        ),
        row(
            R::SenderUnknown,
            "sender_unknown",
            Sender,
            "Put the sender, or correct its id.",
            false,
        ),
        row(
            R::SenderNotConnected,
            "sender_not_connected",
            Sender,
            "Connect the number at WhatsApp, then put the sender as CONNECTED.",
            false,
        ),
        row(R::SenderHalted, "sender_halted", Sender, "Put the sender without the halt.", true),
        row(
            R::Erased,
            "erased",
            Contact,
            "Only the person can come back, by opting in again.",
            false,
        ),
        row(R::Blocked, "blocked", Contact, "Unblock the contact.", false),
        row(
            R::IdentityChanged,
            "identity_changed",
            Contact,
            "Record a new opt-in from this person, or confirm the new identity.",
            false,
        ),
        row(
            R::NumberChanged,
            "number_changed",
            Contact,
            "Record an opt-in that whoever has the number or user id now gave under it.",
            false,
        ),
        row(
            R::Unreachable,
            "unreachable",
            Contact,
            "Reach the person another way; a message from them lifts it.",
            false,
        ),
        row(R::NeverAsked, "never_asked", Consent, "Ask the person, and record the opt-in.", false),
        row(R::Pending, "pending", Consent, "Wait for the person to confirm.", false),
        row(
            R::Expired,
            "expired",
            Consent,
            "Ask the person again, and record the new opt-in.",
            false,
        ),
        row(
            R::Withdrawn,
            "withdrawn",
            Consent,
            "Only a later opt-in by the person changes this.",
            false,
        ),
        row(
            R::MarketingStopped,
            "marketing_stopped",
            Contact,
            "The person must resume marketing inside WhatsApp.",
            false,
        ),
        row(
            R::TemplateUnknown,
            "template_unknown",
            Template,
            "Put the template, or correct its name and language.",
            false,
        ),
        row(
            R::TemplateNotApproved,
            "template_not_approved",
            Template,
            "Wait for WhatsApp's approval, then put the template as APPROVED.",
            false,
        ),
        row(
            R::TemplatePaused,
            "template_paused",
            Template,
            "Wait until WhatsApp lifts the pause, or use another template.",
            true,
        ),
        row(R::TemplateDisabled, "template_disabled", Template, "Use another template.", false),
        row(
            R::SessionWindowClosed,
            "session_window_closed",
            Contact,
            "Send a template, or wait for the person to write.",
            false,
        ),
        row(
            R::CountryBlocked,
            "country_blocked",
            Contact,
            "Use another channel for this country.",
            false,
        ),
        row(
            R::MarketingCooldown,
            "marketing_cooldown",
            Contact,
            "Wait; WhatsApp is holding back marketing to this person.",
            true,
        ),
        row(
            R::ExperimentGroup,
            "experiment_group",
            Contact,
            "Wait for the person to write, or use another channel.",
            false,
        ),
        row(R::FrequencyCap, "frequency_cap", Contact, "Wait until the cap frees up.", true),
        row(R::QuietHours, "quiet_hours", Contact, "Wait until the quiet hours end.", true),
        row(
            R::QualityBrake,
            "quality_brake",
            Sender,
            "Send less marketing until the sender's quality recovers.",
            true,
        ),
        row(
            R::PairRate,
            "pair_rate",
            Contact,
            "Wait a few seconds before the next message to this person.",
            true,
        ),
        row(
            R::MessagingLimit,
            "messaging_limit",
            Account,
            "Wait until the moving 24 hours free up a place.",
            true,
        ),
    ]
};

impl Reason {
    /// Returns the reason's row.
    pub const fn row(self) -> &'static Row {
        #[expect(clippy::as_conversions, reason = "a fieldless enum has no other way to its place")]
        #[expect(
            clippy::indexing_slicing,
            reason = "the table has a row per variant: see the test"
        )]
        &TABLE[self as usize]
    }

    /// Returns the stable name.
    pub const fn code(self) -> &'static str {
        self.row().code
    }
}

impl Scope {
    /// Returns the stable name.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Account => "account",
            Self::Sender => "sender",
            Self::Contact => "contact",
            Self::Consent => "consent",
            Self::Template => "template",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_finds_its_own_row() {
        for (place, row) in TABLE.iter().enumerate() {
            assert_eq!(row.reason.row(), row, "row {place}");
            assert!(!row.fix.is_empty());
        }
        assert_eq!(Reason::MessagingLimit.row(), TABLE.last().unwrap());
    }

    #[test]
    fn names_are_unique_and_the_order_is_the_contract() {
        let codes: Vec<_> = TABLE.iter().map(|row| row.code).collect();
        let mut unique = codes.clone();
        unique.sort_unstable();
        unique.dedup();
        assert_eq!(unique.len(), codes.len());
        assert_eq!(codes.first(), Some(&"invalid_number"));
        assert!(TABLE.is_sorted_by_key(|row| row.reason));
    }
}
