//! What each of WhatsApp's error codes means and asks for: one table, with its sources.
//!
//! Says what a code is about, what to do and for how long. Doing it is for others. Titles and
//! texts of errors change without notice and are never looked at; only codes are.
//!
//! `docs/errors-whatsapp.md` is this table as a page.

mod page;
mod table;

use crate::domain::{spans::held_back_ms, time::SECOND_MS};

pub use page::document;
pub use table::RULES;

/// What an error is about. Only what is about the contact may ever count against one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// One person.
    Contact,
    /// One person and one sender, together.
    Pair,
    /// One business phone number.
    Sender,
    /// The WhatsApp Business Account, or the app's access to it.
    Account,
    /// The portfolio with all its numbers.
    Portfolio,
    /// One template.
    Template,
    /// The request that was made.
    Request,
    /// Nothing that can be named, or WhatsApp itself.
    None,
}

/// What to do about an error. The names are stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// Suspect that the person cannot be reached on WhatsApp. Not a withdrawal.
    Unreachable,
    /// Take the window for closed; send a template instead. Not a withdrawal.
    WindowClosed,
    /// Send the person no marketing for a while. Not a withdrawal.
    MarketingCooldown,
    /// Send the person no marketing until they resume it.
    MarketingStopped,
    /// Send the person marketing only inside an open window.
    Experiment,
    /// Let this pair rest, longer each time.
    PairBackoff,
    /// Send the person nothing until the business unblocks them.
    BlockedByBusiness,
    /// Never send to this number from this sender.
    RefuseForever,
    /// Suspend the person's consents until they register again; drop the stored hash.
    Identity,
    /// Send nobody in this country anything, from no sender of the business.
    CountryBlocked,
    /// Send this message to a phone number rather than a user id.
    NeedsPhone,
    /// Stop the sender, or what it sends first.
    HaltSender,
    /// Stop everything of the account.
    HaltAccount,
    /// Stop templates; answers go on.
    HaltTemplates,
    /// Stop marketing; the rest goes on.
    HaltMarketing,
    /// Refuse the template until it is back.
    TemplatePaused,
    /// Refuse the template for good.
    TemplateDisabled,
    /// Refuse the template until it is known and approved.
    TemplateUnknown,
    /// Send more slowly, then go on.
    Backoff,
    /// Correct the request; repeating it is no use.
    CallerError,
    /// Send again after a pause, longer each time.
    Retry,
    /// Nothing.
    None,
}

/// For how long an action holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lasts {
    /// It is over at once: only this message is concerned.
    Once,
    /// At least so many milliseconds.
    AtLeastMs(i64),
    /// So many milliseconds the first time, and twice as many for each day with one within the longest
    /// before it, up to the longest; for good where the country's pause holds (numbers with an area
    /// code of the United States).
    DoublingMsOrLastingInUs {
        /// The first time.
        first: i64,
        /// The longest.
        longest: i64,
    },
    /// Four to the power of the failures before, in seconds: 1, 4, 16, …
    PowersOfFourS,
    /// Until what lifts it happens, and at most so many milliseconds.
    UntilLiftedAtMostMs(i64),
    /// Until what lifts it happens.
    UntilLifted,
    /// For good.
    Forever,
}

impl Lasts {
    /// Returns the pause in milliseconds after so many earlier failures in a row, if time alone
    /// ends it. `in_us` says whether the number has an area code of the United States.
    pub fn pause_ms(self, earlier_failures: u32, in_us: bool) -> Option<i64> {
        match self {
            Self::Once => Some(0),
            Self::AtLeastMs(ms) | Self::UntilLiftedAtMostMs(ms) => Some(ms),
            Self::DoublingMsOrLastingInUs { first, longest } => {
                (!in_us).then(|| held_back_ms(first, earlier_failures).min(longest))
            }
            Self::PowersOfFourS => {
                let seconds = 4_i64.saturating_pow(earlier_failures.min(POWER_MAX));
                Some(seconds * SECOND_MS)
            }
            Self::UntilLifted | Self::Forever => None,
        }
    }
}

/// Where the powers of four stop growing: 4^10 seconds are twelve days.
const POWER_MAX: u32 = 10;

/// The codes of one row: from the first to the last, mostly the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Codes {
    /// The lowest.
    pub first: i64,
    /// The highest.
    pub last: i64,
}

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// Which codes.
    pub codes: Codes,
    /// What they mean, for people.
    pub meaning: &'static str,
    /// What they are about.
    pub subject: Subject,
    /// What to do.
    pub action: Action,
    /// For how long.
    pub lasts: Lasts,
    /// What ends it, for people; empty where nothing does or needs to.
    pub lifted_by: &'static str,
    /// Where it is written.
    pub source: &'static str,
}

/// What holds for a code that is not in the table: the message failed, it says nothing about the
/// person, the sender or the template, and it is not repeated by itself. It still counts towards
/// noticing that an unusual share of messages fails alike.
pub const UNKNOWN_CODE: Rule = Rule {
    codes: Codes { first: i64::MIN, last: i64::MAX },
    meaning: "a code this table does not have",
    subject: Subject::None,
    action: Action::None,
    lasts: Lasts::Once,
    lifted_by: "",
    source: "none",
};

/// Returns what a code means and asks for; [`UNKNOWN_CODE`] for one that is not in the table.
pub fn rule(code: i64) -> &'static Rule {
    static UNKNOWN: Rule = UNKNOWN_CODE;
    let after = RULES.partition_point(|rule| rule.codes.first <= code);
    let candidate = after.checked_sub(1).and_then(|at| RULES.get(at));
    candidate.filter(|rule| code <= rule.codes.last).unwrap_or(&UNKNOWN)
}

impl Subject {
    /// Returns the stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Contact => "contact",
            Self::Pair => "pair",
            Self::Sender => "sender",
            Self::Account => "account",
            Self::Portfolio => "portfolio",
            Self::Template => "template",
            Self::Request => "request",
            Self::None => "none",
        }
    }
}

impl Action {
    /// Returns the stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::WindowClosed => "window_closed",
            Self::MarketingCooldown => "marketing_cooldown",
            Self::MarketingStopped => "marketing_stopped",
            Self::Experiment => "experiment",
            Self::PairBackoff => "pair_backoff",
            Self::BlockedByBusiness => "blocked_by_business",
            Self::RefuseForever => "refuse_forever",
            Self::Identity => "identity",
            Self::CountryBlocked => "country_blocked",
            Self::NeedsPhone => "needs_phone",
            Self::HaltSender => "halt_sender",
            Self::HaltAccount => "halt_account",
            Self::HaltTemplates => "halt_templates",
            Self::HaltMarketing => "halt_marketing",
            Self::TemplatePaused => "template_paused",
            Self::TemplateDisabled => "template_disabled",
            Self::TemplateUnknown => "template_unknown",
            Self::Backoff => "backoff",
            Self::CallerError => "caller_error",
            Self::Retry => "retry",
            Self::None => "none",
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::{
        spans::EXPERIMENT_MS,
        time::{DAY_MS, MINUTE_MS},
    };

    #[test]
    fn rows_are_in_order_and_do_not_overlap() {
        for row in RULES {
            assert!(row.codes.first <= row.codes.last, "{row:?}");
            assert!(!row.meaning.is_empty() && !row.source.is_empty(), "{row:?}");
        }
        for pair in RULES.windows(2) {
            assert!(pair[0].codes.last < pair[1].codes.first, "{:?}", pair[1]);
        }
    }

    #[test]
    fn what_ends_only_when_lifted_says_by_what() {
        for row in RULES {
            let is_open = matches!(
                row.lasts,
                Lasts::UntilLifted
                    | Lasts::UntilLiftedAtMostMs(_)
                    | Lasts::DoublingMsOrLastingInUs { .. }
            );
            assert!(!is_open || !row.lifted_by.is_empty(), "{row:?}");
        }
    }

    #[test]
    fn the_codes_that_must_not_be_confused_have_their_own_actions() {
        for (code, subject, action) in [
            (131_026, Subject::Contact, Action::Unreachable),
            (131_047, Subject::Pair, Action::WindowClosed),
            (131_049, Subject::Contact, Action::MarketingCooldown),
            (131_050, Subject::Contact, Action::MarketingStopped),
            (130_472, Subject::Contact, Action::Experiment),
            (131_056, Subject::Pair, Action::PairBackoff),
            (137_000, Subject::Contact, Action::Identity),
            (131_048, Subject::Sender, Action::HaltTemplates),
            (130_429, Subject::Sender, Action::Backoff),
            (368, Subject::Account, Action::HaltAccount),
            (190, Subject::Account, Action::HaltAccount),
            (200, Subject::Account, Action::HaltAccount),
            (299, Subject::Account, Action::HaltAccount),
            (132_015, Subject::Template, Action::TemplatePaused),
            (132_016, Subject::Template, Action::TemplateDisabled),
            (139_102, Subject::None, Action::None),
        ] {
            let found = rule(code);
            assert_eq!((found.subject, found.action), (subject, action), "{code}");
        }
    }

    #[test]
    fn a_code_nobody_knows_says_nothing_about_anybody() {
        for code in [-1, 300, 199, 131_027, 999_999, i64::MAX, i64::MIN] {
            assert_eq!(*rule(code), UNKNOWN_CODE, "{code}");
        }
    }

    #[test]
    fn pauses_are_as_long_as_their_source_says() {
        let pause = |code, before, in_us| rule(code).lasts.pause_ms(before, in_us);
        assert_eq!(pause(131_049, 0, false), Some(DAY_MS));
        assert_eq!(pause(131_049, 3, false), Some(8 * DAY_MS));
        assert_eq!(pause(131_049, u32::MAX, false), Some(30 * DAY_MS));
        assert_eq!(pause(131_049, 0, true), None);
        assert_eq!(pause(131_056, 0, false), Some(1_000));
        assert_eq!(pause(131_056, 3, false), Some(64_000));
        assert_eq!(pause(131_056, u32::MAX, false), pause(131_056, 10, false));
        assert_eq!(pause(131_057, 0, false), Some(MINUTE_MS));
        assert_eq!(pause(130_472, 0, false), Some(EXPERIMENT_MS));
        assert_eq!(pause(131_050, 0, false), None);
        assert_eq!(pause(131_021, 0, false), None);
        assert_eq!(pause(131_062, 0, false), Some(0), "nothing is held");
    }

    proptest! {
        #[test]
        fn every_code_finds_the_one_row_that_holds_it(code in prop_oneof![
            -10..500_i64, 130_000..148_000_i64, any::<i64>()
        ]) {
            let found = RULES.iter().find(|row| (row.codes.first..=row.codes.last).contains(&code));
            prop_assert_eq!(rule(code), found.unwrap_or(&UNKNOWN_CODE));
        }
    }
}
