//! What WhatsApp reported about accounts and senders, beside what was put.
//!
//! A report is dated by WhatsApp and what is put by the ledger: the later of the two counts, in
//! whatever order they come. Statuses, qualities and limits themselves replace what was put; here
//! is when they were so, and what has no place there. What is reported about templates differs by
//! account and replaces nothing: it is kept beside what was put.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    domain::{
        absorbed::Mark,
        entry::Seq,
        names::{AccountId, PortfolioId, SenderId},
        registry::{Portfolio, Quality, Sender, TemplateRef, TemplateReport, items::CONNECTED},
        time::Timestamp,
    },
    policy::Country,
};

/// What a hold stops. Stable names: the ledger stores them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldScope {
    /// Everything.
    All,
    /// Templates: what starts a conversation.
    Templates,
    /// Answers inside a window.
    Sessions,
    /// Marketing templates.
    Marketing,
    /// Utility templates.
    Utility,
}

impl HoldScope {
    /// All there are.
    pub const ALL: [Self; 5] =
        [Self::All, Self::Templates, Self::Sessions, Self::Marketing, Self::Utility];
}

/// Why something is stopped. Stable names: the ledger stores them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldCause {
    /// WhatsApp restricted the account for a while.
    Restricted,
    /// WhatsApp disabled the account.
    Disabled,
    /// The account is gone.
    Deleted,
    /// The account's number was registered elsewhere.
    Offboarded,
    /// Our access to the account was taken away.
    PartnerRemoved,
    /// Messages failed, for the reason their code says.
    Failed,
}

/// What one hold is known by: another reason is another hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct HoldKey {
    /// What it stops.
    pub scope: HoldScope,
    /// Why.
    pub cause: HoldCause,
    /// WhatsApp's code, where one says why.
    pub code: Option<i64>,
}

impl HoldKey {
    /// Returns what a hold is known by that may have been stored without its reason.
    pub fn stored(scope: HoldScope, cause: Option<HoldCause>, code: Option<i64>) -> Self {
        let otherwise = if code.is_some() { HoldCause::Failed } else { HoldCause::Disabled };
        Self { scope, cause: cause.unwrap_or(otherwise), code }
    }
}

/// WhatsApp stopped something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hold {
    /// Since when.
    pub at: Timestamp,
    /// Until when; [`Timestamp::NEVER`] where time alone does not end it.
    pub until: Timestamp,
    /// The entry that recorded it.
    pub seq: Seq,
}

/// All that is stopped of one account or one sender.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Holds {
    by_key: BTreeMap<HoldKey, Hold>,
    /// When everything was last lifted.
    lifted_at: Option<Timestamp>,
    /// When that was last lifted which has one reason.
    lifted_by_cause: BTreeMap<HoldCause, Timestamp>,
}

/// What WhatsApp reported about a sender.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum SenderChange {
    /// It is received better or worse.
    Quality {
        /// How.
        quality: Quality,
    },
    /// It has another status.
    Status {
        /// WhatsApp's word, upper case.
        status: Box<str>,
    },
}

/// When what is known of a sender was so.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SenderReport {
    /// When it was last put.
    pub put_at: Timestamp,
    /// When its status was reported.
    pub status_at: Option<Timestamp>,
    /// When its quality was reported.
    pub quality_at: Option<Timestamp>,
    /// What WhatsApp stopped of it.
    pub holds: Holds,
    /// The account it belongs to, and when that was heard.
    pub account: Option<(AccountId, Timestamp)>,
}

/// Everything reported.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reported {
    pub(super) accounts: BTreeMap<AccountId, Holds>,
    pub(super) senders: BTreeMap<SenderId, SenderReport>,
    pub(super) templates: BTreeMap<TemplateRef, TemplateReport>,
    /// When the limit was put, and when it was reported.
    pub(super) limits: BTreeMap<PortfolioId, (Timestamp, Option<Timestamp>)>,
    /// By messages of which senders WhatsApp said that their business may not write to a country,
    /// when last, and by which entry.
    countries: BTreeMap<(SenderId, Country), Mark>,
}

impl Hold {
    /// Returns when time alone ends it.
    pub fn ends_at(&self) -> Option<Timestamp> {
        (self.until != Timestamp::NEVER).then_some(self.until)
    }
}

impl Holds {
    /// Returns whether a hold would be news: the latest counts, and what was lifted later is over.
    pub fn is_news(&self, key: HoldKey, at: Timestamp, until: Timestamp) -> bool {
        let known = self.by_key.get(&key);
        self.lifted(key.cause).is_none_or(|lifted| lifted < at)
            && known.is_none_or(|known| (known.at, known.until) < (at, until))
    }

    /// Returns whether lifting at `at` what has one of these reasons would be news.
    pub fn is_lift_news(&self, causes: &[HoldCause], at: Timestamp) -> bool {
        causes.iter().any(|cause| self.lifted(*cause).is_none_or(|lifted| lifted < at))
    }

    fn lifted(&self, cause: HoldCause) -> Option<Timestamp> {
        self.lifted_at.max(self.lifted_by_cause.get(&cause).copied())
    }

    /// Returns whether anything was stopped and not lifted, be it over by now.
    pub fn is_any(&self) -> bool {
        !self.by_key.is_empty()
    }

    /// Returns the hold on any of `scopes` that ends last.
    pub fn on(&self, scopes: &[HoldScope]) -> Option<Hold> {
        let found = self.by_key.iter().filter(|(key, _)| scopes.contains(&key.scope));
        found.map(|(_, hold)| *hold).max_by_key(|hold| (hold.until, hold.at))
    }

    pub(super) fn fold(&mut self, key: HoldKey, hold: Hold) {
        if self.is_news(key, hold.at, hold.until) {
            self.by_key.insert(key, hold);
        }
    }

    /// Of a hold and its end at the same moment the end counts: it was there to be lifted. Without
    /// causes everything ends.
    pub(super) fn fold_lift(&mut self, causes: Option<&[HoldCause]>, at: Timestamp) {
        match causes {
            None => self.lifted_at = self.lifted_at.max(Some(at)),
            Some(causes) => {
                for cause in causes {
                    let known = self.lifted_by_cause.entry(*cause).or_insert(at);
                    *known = at.max(*known);
                }
            }
        }
        let is_over = |key: &HoldKey| causes.is_none_or(|causes| causes.contains(&key.cause));
        self.by_key.retain(|key, hold| hold.at > at || !is_over(key));
    }
}

impl SenderReport {
    /// Returns whether a report would be news to a sender as it stands: the latest counts, of two of
    /// one moment the worse.
    pub fn is_news(&self, sender: &Sender, change: &SenderChange, at: Timestamp) -> bool {
        let is_bad = |status: &str| status != CONNECTED;
        let (known_at, is_worse) = match change {
            SenderChange::Quality { quality } => {
                (self.quality_at, sender.quality.badness() < quality.badness())
            }
            SenderChange::Status { status } => {
                let known = (is_bad(&sender.status), &sender.status);
                (self.status_at, known < (is_bad(status), status))
            }
        };
        let is_later = |known_at| known_at < at || (known_at == at && is_worse);
        self.put_at < at && known_at.is_none_or(is_later)
    }
}

impl Reported {
    /// Returns what is stopped of an account.
    pub fn account(&self, id: &AccountId) -> Option<&Holds> {
        self.accounts.get(id)
    }

    /// Returns the hold of an account on any of `scopes` that ends last; of any account where nobody
    /// knows which.
    pub fn hold(&self, account: Option<&AccountId>, scopes: &[HoldScope]) -> Option<Hold> {
        if let Some(account) = account {
            return self.account(account).and_then(|holds| holds.on(scopes));
        }
        let found = self.accounts.values().filter_map(|holds| holds.on(scopes));
        found.max_by_key(|hold| hold.until)
    }

    /// Returns whether a hold of exactly this scope stops an account at `now`.
    pub fn is_held(&self, account: Option<&AccountId>, scope: HoldScope, now: Timestamp) -> bool {
        self.hold(account, &[scope]).is_some_and(|hold| now < hold.until)
    }

    /// Returns what was reported about a sender.
    pub fn sender(&self, id: &SenderId) -> Option<&SenderReport> {
        self.senders.get(id)
    }

    /// Returns what was put of a template and what was reported about it; nothing if nobody put it.
    pub fn template(&self, id: &TemplateRef) -> Option<&TemplateReport> {
        self.templates.get(id)
    }

    /// Returns by messages of which senders WhatsApp said which countries their business may not
    /// write to, and when last.
    pub fn all_countries(&self) -> impl Iterator<Item = (&SenderId, Country, Mark)> {
        self.countries.iter().map(|((sender, country), mark)| (sender, *country, *mark))
    }

    /// Returns when last that was said of a country by a message of a sender.
    pub fn country(&self, id: &SenderId, country: Country) -> Option<Mark> {
        self.countries.get(&(id.clone(), country)).copied()
    }

    pub(super) fn fold_country(&mut self, id: &SenderId, country: Country, mark: Mark) {
        let known = self.countries.entry((id.clone(), country)).or_insert(mark);
        if Mark::is_news(Some(*known), mark.at) {
            *known = mark;
        }
    }

    /// A message of the sender that arrived there later shows that it may.
    pub(super) fn fold_country_open(&mut self, id: &SenderId, country: Country, at: Timestamp) {
        let key = (id.clone(), country);
        if self.countries.get(&key).is_some_and(|known| known.at < at) {
            self.countries.remove(&key);
        }
    }

    /// Returns whether a limit reported at `at` would be news to a portfolio as it stands: the latest
    /// counts, of two of one moment the lower.
    pub fn is_limit_news(
        &self,
        (id, portfolio): (&PortfolioId, &Portfolio),
        limit: Option<u32>,
        at: Timestamp,
    ) -> bool {
        let Some((put, reported)) = self.limits.get(id) else { return true };
        let size = |limit: Option<u32>| limit.map_or(u64::MAX, u64::from);
        let is_lower = size(limit) < size(portfolio.messaging_limit);
        let is_later = |known: Timestamp| known < at || (known == at && is_lower);
        *put < at && reported.is_none_or(is_later)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hold(at: i64, until: i64) -> Hold {
        let moment = Timestamp::from_unix_ms;
        Hold { at: moment(at), until: moment(until), seq: Seq(0) }
    }

    fn key(cause: HoldCause) -> HoldKey {
        HoldKey { scope: HoldScope::All, cause, code: None }
    }

    #[test]
    fn the_latest_hold_counts_and_one_that_was_lifted_since_does_not_in_any_order() {
        let banned = key(HoldCause::Disabled);
        let steps: [&dyn Fn(&mut Holds); 3] = [
            &|holds| holds.fold(banned, hold(10, 50)),
            &|holds| holds.fold(banned, hold(30, 40)),
            &|holds| holds.fold_lift(None, Timestamp::from_unix_ms(20)),
        ];
        for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2], [1, 2, 0]] {
            let mut holds = Holds::default();
            for place in order {
                steps[place](&mut holds);
            }
            assert_eq!(holds.on(&[HoldScope::All]), Some(hold(30, 40)), "{order:?}");
            holds.fold_lift(None, Timestamp::from_unix_ms(30));
            assert!(!holds.is_any());
        }
    }

    #[test]
    fn a_lift_ends_what_it_answers_and_nothing_else_in_any_order() {
        let (disabled, offboarded) = (key(HoldCause::Disabled), key(HoldCause::Offboarded));
        for is_late in [false, true] {
            let mut holds = Holds::default();
            let lift = |holds: &mut Holds| {
                holds.fold_lift(Some(&[HoldCause::Offboarded]), Timestamp::from_unix_ms(20));
            };
            if is_late {
                lift(&mut holds);
            }
            holds.fold(disabled, hold(10, 50));
            holds.fold(offboarded, hold(11, 60));
            if !is_late {
                lift(&mut holds);
            }
            assert_eq!(holds.on(&[HoldScope::All]), Some(hold(10, 50)));
        }
    }
}
