//! What WhatsApp reported about a template, told apart by account, beside what was put.
//!
//! A template of one name and language is another template in each account: one may be paused while
//! the other is sent. What is put is the same for all of them and replaces what was reported before,
//! but for what a put cannot say: how it is received, and what is announced. Of reports about one
//! account the later counts, in whatever order they come, and of two of one moment the stricter. A
//! report that names no account is about any.
//!
//! WhatsApp dates by whole seconds and the ledger by milliseconds: what stops a template may have
//! happened at the end of its second, and where it is heard after a put it counts against it.

use std::{cmp::Reverse, collections::BTreeMap};

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::domain::{
    entry::Seq,
    names::AccountId,
    registry::{Category, Quality, Template, TemplateState},
    time::Timestamp,
};

/// What WhatsApp reported about a template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum TemplateChange {
    /// It has another status.
    Status {
        /// WhatsApp's word, upper case.
        status: Box<str>,
        /// When it ends by itself, if it does.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
        /// Whether that is concluded from a message that failed: how long it lasts is an estimate.
        #[serde(default, skip_serializing_if = "is_false")]
        by_failure: bool,
    },
    /// It is received better or worse.
    Quality {
        /// How.
        quality: Quality,
    },
    /// It will be filed under another category.
    CategoryImpending {
        /// Which.
        category: Category,
        /// From when.
        from: Timestamp,
    },
    /// It is filed under another category.
    Category {
        /// Which.
        category: Category,
    },
}

/// A status a template has, or had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusReport {
    /// Since when.
    pub at: Timestamp,
    /// WhatsApp's word, upper case.
    pub status: Box<str>,
    /// When it ends by itself, if it does.
    pub until: Option<Timestamp>,
    /// The entry that recorded it.
    pub seq: Seq,
}

/// A category a template is filed under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Filed {
    at: Timestamp,
    category: Category,
    seq: Seq,
}

/// A category a template will be filed under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Announced {
    /// When it was announced.
    at: Timestamp,
    /// From when it will be so.
    from: Timestamp,
    category: Category,
    seq: Seq,
}

/// What was reported about a template of one account since it was put.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct AccountReport {
    /// The latest status.
    told: Option<StatusReport>,
    /// The latest pause concluded from a message that failed.
    guessed: Option<StatusReport>,
    quality: Option<(Timestamp, Quality)>,
    filed: Option<Filed>,
    announced: Option<Announced>,
}

/// What was put of a template, and what was reported about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateReport {
    /// The status that was put.
    put: StatusReport,
    /// The category that was put.
    category: Category,
    /// What was reported of an account nobody knows: it counts for all.
    anywhere: AccountReport,
    by_account: BTreeMap<AccountId, AccountReport>,
}

/// How a template stands for somebody who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TemplateView<'a> {
    /// Its status.
    pub status: &'a StatusReport,
    /// How it is received, if that was reported.
    pub quality: Option<Quality>,
    /// What WhatsApp files it under.
    pub category: Category,
    /// Since when, by which entry, WhatsApp files it under marketing against what was put.
    pub marketing_since: Option<(Timestamp, Seq)>,
    /// Whether it may be filed under authentication, which goes to numbers only.
    pub needs_number: bool,
}

impl StatusReport {
    /// Returns what the status means.
    pub fn state(&self) -> TemplateState {
        TemplateState::of(&self.status)
    }

    /// Returns whether it lets nothing be sent at `now`.
    pub fn stops(&self, now: Timestamp) -> bool {
        self.state() != TemplateState::Sendable && now < self.ends_at()
    }

    /// What was told: only a pause ends by itself.
    fn told(status: &str, until: Option<Timestamp>, (at, seq): (Timestamp, Seq)) -> Self {
        let until = until.filter(|_| TemplateState::of(status) == TemplateState::Paused);
        Self { at, status: status.into(), until, seq }
    }

    /// Returns when it ends by itself.
    fn ends_at(&self) -> Timestamp {
        self.until.unwrap_or(Timestamp::NEVER)
    }

    /// Orders statuses by what they stop: what can be sent is last, a stop that ends later is ahead
    /// of one that ends sooner.
    fn strictness(&self) -> impl Ord + use<'_> {
        let is_stopped = self.state() != TemplateState::Sendable;
        (is_stopped, self.ends_at(), self.at, &self.status)
    }

    /// Orders statuses by when they were reported, and those of one moment by what they stop.
    fn order(&self) -> impl Ord + use<'_> {
        let rank = match self.state() {
            TemplateState::Sendable => 0,
            TemplateState::Paused => 1,
            TemplateState::NotApproved => 2,
            TemplateState::Disabled => 3,
        };
        (self.at, rank, self.ends_at(), &self.status)
    }
}

impl Filed {
    /// Orders categories by when they were reported, and those of one moment by what they ask for.
    const fn order(&self) -> (Timestamp, Reverse<Category>) {
        (self.at, Reverse(self.category))
    }
}

impl Announced {
    /// Orders announcements by when they were made, and those of one moment by what they ask for.
    const fn order(&self) -> (Timestamp, Reverse<Category>, Reverse<Timestamp>) {
        (self.at, Reverse(self.category), Reverse(self.from))
    }
}

impl TemplateView<'_> {
    /// Returns whether it is filed under marketing at `now`.
    pub fn is_marketing(&self, now: Timestamp) -> bool {
        self.category == Category::Marketing
            || self.marketing_since.is_some_and(|(since, _)| since <= now)
    }
}

impl AccountReport {
    /// Returns whether a report is later than what is known of the matter, or stricter.
    fn is_news(&self, change: &TemplateChange, at: Timestamp) -> bool {
        let seq = Seq(0);
        match change {
            TemplateChange::Status { status, until, by_failure } => {
                let known = if *by_failure { &self.guessed } else { &self.told };
                let new = StatusReport::told(status, *until, (at, seq));
                known.as_ref().is_none_or(|known| known.order() < new.order())
            }
            TemplateChange::Quality { quality } => {
                let order = |(at, quality): (_, Quality)| (at, quality.badness());
                self.quality.is_none_or(|known| order(known) < order((at, *quality)))
            }
            TemplateChange::Category { category } => {
                let new = Filed { at, category: *category, seq };
                self.filed.is_none_or(|known| known.order() < new.order())
            }
            TemplateChange::CategoryImpending { category, from } => {
                let new = Announced { at, from: *from, category: *category, seq };
                self.announced.is_none_or(|known| known.order() < new.order())
            }
        }
    }

    fn fold(&mut self, change: &TemplateChange, at: Timestamp, seq: Seq) {
        match change {
            TemplateChange::Status { status, until, by_failure } => {
                let new = StatusReport::told(status, *until, (at, seq));
                *(if *by_failure { &mut self.guessed } else { &mut self.told }) = Some(new);
            }
            TemplateChange::Quality { quality } => self.quality = Some((at, *quality)),
            TemplateChange::Category { category } => {
                self.filed = Some(Filed { at, category: *category, seq });
            }
            TemplateChange::CategoryImpending { category, from } => {
                self.announced = Some(Announced { at, from: *from, category: *category, seq });
            }
        }
    }

    /// Returns what is left of it once the template is put. What is of the second of the put counts
    /// no more, and is known when it is told again.
    fn over_put(&self, put_at: Timestamp) -> Self {
        let reaches = |at: Timestamp| put_at <= at.end_of_second();
        Self {
            told: self.told.clone().filter(|told| reaches(told.at)),
            guessed: self.guessed.clone().filter(|guessed| reaches(guessed.at)),
            quality: self.quality,
            filed: self.filed.filter(|filed| reaches(filed.at)),
            announced: self.announced,
        }
    }
}

impl TemplateReport {
    /// Returns what is known once `template` is put.
    pub fn put(known: Option<&Self>, template: &Template, at: Timestamp, seq: Seq) -> Self {
        let put = StatusReport { at, status: template.status.clone(), until: None, seq };
        let mut new = Self {
            put,
            category: template.category,
            anywhere: AccountReport::default(),
            by_account: BTreeMap::new(),
        };
        if let Some(known) = known {
            let left = |own: &AccountReport| own.over_put(at);
            new.anywhere = left(&known.anywhere);
            let all = known.by_account.iter().map(|(account, own)| (account.clone(), left(own)));
            new.by_account = all.filter(|(_, own)| *own != AccountReport::default()).collect();
        }
        new
    }

    /// Returns whether a report about the template of an account would be news, or of any where
    /// nobody knows which.
    pub fn is_news(
        &self,
        account: Option<&AccountId>,
        change: &TemplateChange,
        at: Timestamp,
    ) -> bool {
        let known = match account {
            Some(account) => self.by_account.get(account),
            None => Some(&self.anywhere),
        };
        let is_late = match change {
            TemplateChange::Status { status, .. } => {
                !self.follows_put(at, TemplateState::of(status) != TemplateState::Sendable)
            }
            TemplateChange::Category { category } => {
                !self.follows_put(at, *category == Category::Marketing)
            }
            // What is put says nothing of these.
            TemplateChange::Quality { .. } | TemplateChange::CategoryImpending { .. } => false,
        };
        !is_late && known.is_none_or(|known| known.is_news(change, at))
    }

    /// Returns whether what is told now and dated `at` may have happened after the put: what stops
    /// in the same second.
    fn follows_put(&self, at: Timestamp, is_stop: bool) -> bool {
        self.put.at < at || is_stop && self.put.at <= at.end_of_second()
    }

    /// Returns whether what was reported counts against what was put. What was heard before the put
    /// happened before it.
    fn counts(&self, (at, seq): (Timestamp, Seq), is_stop: bool) -> bool {
        self.put.at < at || self.put.seq < seq && self.follows_put(at, is_stop)
    }

    fn status_counts(&self, report: &StatusReport) -> bool {
        self.counts((report.at, report.seq), report.state() != TemplateState::Sendable)
    }

    /// Returns whether a status WhatsApp answers with at `now` says no more of an account than is
    /// known. What a message that failed lets conclude is not WhatsApp's word on the status: an
    /// answer that repeats that word ends nothing of it.
    pub fn is_repeated(&self, account: &AccountId, status: &str, now: Timestamp) -> bool {
        let own = self.by_account.get(account).unwrap_or(&self.anywhere);
        let told = self.told(own);
        if TemplateState::of(status) != TemplateState::Sendable {
            return told.status.as_ref() == status && now < told.ends_at();
        }
        let guessed = self.guessed(own, told).filter(|guessed| guessed.stops(now));
        told.state() == TemplateState::Sendable || guessed.is_some()
    }

    /// Takes in what is news.
    pub fn fold(
        &mut self,
        account: Option<&AccountId>,
        change: &TemplateChange,
        at: Timestamp,
        seq: Seq,
    ) {
        let own = match account {
            Some(account) => self.by_account.entry(account.clone()).or_default(),
            None => &mut self.anywhere,
        };
        own.fold(change, at, seq);
    }

    /// Returns how the template stands for whoever sends by an account.
    pub fn of(&self, account: &AccountId) -> TemplateView<'_> {
        self.view(self.by_account.get(account).unwrap_or(&self.anywhere))
    }

    /// Returns how the template stands in each account something was reported of, in the order of
    /// their ids.
    pub fn accounts(&self) -> impl Iterator<Item = (&AccountId, TemplateView<'_>)> {
        self.by_account.iter().map(|(account, own)| (account, self.view(own)))
    }

    /// Returns whether it stands everywhere and for good as it would be put at `now`, so that
    /// putting it ends nothing.
    pub fn is_as_put(&self, template: &Template, now: Timestamp) -> bool {
        let mut all = self.by_account.values().chain([&self.anywhere]).map(|own| self.view(own));
        all.all(|view| {
            let has_turned = view.marketing_since.is_some_and(|(since, _)| since < now);
            view.status.status == template.status
                && view.status.until.is_none()
                && view.category == template.category
                && (template.category == Category::Marketing || !has_turned)
        })
    }

    /// Returns how it stands in one account. Of its own report and one of any account the later
    /// counts; of both at the same moment the stricter.
    fn view<'a>(&'a self, own: &'a AccountReport) -> TemplateView<'a> {
        let (category, marketing_since) = self.filing(own);
        let quality = self.quality(own).map(|(_, quality)| quality);
        let needs_number = category == Category::Authentication;
        TemplateView { status: self.status(own), quality, category, marketing_since, needs_number }
    }

    /// Returns how the template stands for whoever sends by nobody knows which account: the strictest
    /// of any, each of status, quality and category for itself. `accounts` are those that senders
    /// belong to: one that said nothing of a matter stands in it as it was put. Any other that said
    /// nothing does not count.
    pub fn strictest<'b>(&self, accounts: impl Iterator<Item = &'b AccountId>) -> TemplateView<'_> {
        if self.by_account.is_empty() {
            return self.view(&self.anywhere);
        }
        // Many senders belong to few accounts: each is looked at once.
        let mut known: SmallVec<[&AccountReport; 4]> = SmallVec::new();
        for account in accounts {
            let own = self.by_account.get(account).unwrap_or(&self.anywhere);
            if !known.iter().any(|one| std::ptr::eq(*one, own)) {
                known.push(own);
            }
        }
        let said = self.by_account.values().chain([&self.anywhere]);
        let about = |is_about: fn(&Self, &AccountReport) -> bool| {
            said.clone().filter(move |own| is_about(self, own)).chain(known.iter().copied())
        };
        let statuses = about(Self::is_about_status).map(|own| self.status(own));
        let status = statuses.max_by(|one, other| one.strictness().cmp(&other.strictness()));
        let qualities = about(|_, own| own.quality.is_some()).filter_map(|own| self.quality(own));
        let quality = qualities.map(|(_, quality)| quality);
        let filings = || about(Self::is_about_filing).map(|own| self.filing(own));
        let categories = || filings().map(|(category, _)| category);
        let category = categories().min().unwrap_or(self.category);
        TemplateView {
            status: status.unwrap_or(&self.put),
            quality: quality.max_by_key(|quality| quality.badness()),
            category,
            marketing_since: filings().filter_map(|(_, since)| since).min(),
            needs_number: categories().chain([category]).any(|one| one == Category::Authentication),
        }
    }

    /// Returns whether a status was reported of an account, or concluded, since it was put.
    fn is_about_status(&self, own: &AccountReport) -> bool {
        let mut both = [&own.told, &own.guessed].into_iter().flatten();
        both.any(|report| self.status_counts(report))
    }

    /// Returns whether a category was reported of an account since it was put, or is announced.
    fn is_about_filing(&self, own: &AccountReport) -> bool {
        let is_coming = own.announced.is_some_and(|coming| self.put.at <= coming.from);
        is_coming || own.filed.is_some_and(|filed| self.filing_counts(filed))
    }

    fn filing_counts(&self, filed: Filed) -> bool {
        self.counts((filed.at, filed.seq), filed.category == Category::Marketing)
    }

    /// Returns the status that counts.
    fn status<'a>(&'a self, own: &'a AccountReport) -> &'a StatusReport {
        let told = self.told(own);
        self.guessed(own, told).unwrap_or(told)
    }

    fn later<'a>(&self, reports: [&'a Option<StatusReport>; 2]) -> Option<&'a StatusReport> {
        let reports = reports.into_iter().flatten().filter(|report| self.status_counts(report));
        reports.max_by(|one, other| one.order().cmp(&other.order()))
    }

    /// Returns the status by WhatsApp's own word, or as it was put: the later one.
    fn told<'a>(&'a self, own: &'a AccountReport) -> &'a StatusReport {
        self.later([&self.anywhere.told, &own.told]).unwrap_or(&self.put)
    }

    /// Returns what a message that failed lets conclude, if it counts beside what was told. It
    /// neither replaces nor shortens a stop that was put or reported and that went on then.
    fn guessed<'a>(
        &'a self,
        own: &'a AccountReport,
        told: &StatusReport,
    ) -> Option<&'a StatusReport> {
        let guessed = self.later([&self.anywhere.guessed, &own.guessed]);
        guessed.filter(|guessed| {
            let is_put = told.seq == self.put.seq;
            let was_over = told.state() == TemplateState::Sendable || told.ends_at() <= guessed.at;
            (is_put || told.at <= guessed.at) && was_over
        })
    }

    fn quality(&self, own: &AccountReport) -> Option<(Timestamp, Quality)> {
        let both = [self.anywhere.quality, own.quality].into_iter().flatten();
        both.max_by_key(|(at, quality)| (*at, quality.badness()))
    }

    fn filed(&self, own: &AccountReport) -> Option<Filed> {
        let both = [self.anywhere.filed, own.filed].into_iter().flatten();
        both.filter(|filed| self.filing_counts(*filed)).max_by_key(Filed::order)
    }

    /// Returns the category, and since when that is marketing against what was put. What is
    /// announced ends when it is announced otherwise, and where it is put or reported otherwise
    /// after the day it was to come.
    fn filing(&self, own: &AccountReport) -> (Category, Option<(Timestamp, Seq)>) {
        let filed = self.filed(own);
        let category = filed.map_or(self.category, |filed| filed.category);
        if category == Category::Marketing {
            return (category, filed.map(|filed| (filed.at, filed.seq)));
        }
        let both = [self.anywhere.announced, own.announced].into_iter().flatten();
        let coming = both.max_by_key(Announced::order).filter(|coming| {
            let is_open =
                self.put.at <= coming.from && filed.is_none_or(|filed| filed.at <= coming.from);
            coming.category == Category::Marketing && is_open
        });
        (category, coming.map(|coming| (coming.from, coming.seq)))
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
const fn is_false(truth: &bool) -> bool {
    !*truth
}
