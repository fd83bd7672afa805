//! What WhatsApp reported about a template, told apart by account, beside what was put.
//!
//! A template of one name and language is another template in each account: one may be paused while
//! the other is sent. What is put is the same for all of them and replaces what was reported before;
//! of reports about one account the later counts, in whatever order they come. A report that names
//! no account is about any.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

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

    /// Orders statuses by what they stop: what can be sent is last, a stop that ends later is ahead
    /// of one that ends sooner.
    fn strictness(&self) -> impl Ord + use<'_> {
        let state = self.state();
        let until = self.until.filter(|_| state == TemplateState::Paused);
        let is_stopped = state != TemplateState::Sendable;
        (is_stopped, until.unwrap_or(Timestamp::NEVER), self.at, &self.status)
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
    const fn is_about_status(&self) -> bool {
        self.told.is_some() || self.guessed.is_some()
    }

    const fn is_about_filing(&self) -> bool {
        self.filed.is_some() || self.announced.is_some()
    }

    /// Returns whether a report would be news.
    fn is_news(&self, change: &TemplateChange, at: Timestamp) -> bool {
        match change {
            TemplateChange::Status { status: new, until: _, by_failure } => {
                let known = if *by_failure { &self.guessed } else { &self.told };
                known.as_ref().is_none_or(|known| (known.at, &known.status) < (at, new))
            }
            TemplateChange::Quality { .. } => self.quality.is_none_or(|(known, _)| known < at),
            TemplateChange::Category { .. } => self.filed.is_none_or(|known| known.at < at),
            TemplateChange::CategoryImpending { .. } => {
                self.announced.is_none_or(|known| known.at < at)
            }
        }
    }

    fn fold(&mut self, change: &TemplateChange, at: Timestamp, seq: Seq) {
        match change {
            TemplateChange::Status { status, until, by_failure } => {
                let new = StatusReport { at, status: status.clone(), until: *until, seq };
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
}

impl TemplateReport {
    /// Returns what is known once `template` is put. What was announced stays announced until it
    /// has come, whatever else is put.
    pub(super) fn put(known: Option<&Self>, template: &Template, at: Timestamp, seq: Seq) -> Self {
        let put = StatusReport { at, status: template.status.clone(), until: None, seq };
        let mut new = Self {
            put,
            category: template.category,
            anywhere: AccountReport::default(),
            by_account: BTreeMap::new(),
        };
        let Some(known) = known else { return new };
        let is_ahead = |own: &AccountReport, coming: &Announced| {
            coming.category != template.category
                && known.filed(own).is_none_or(|filed| filed.at < coming.at)
        };
        for (account, own) in &known.by_account {
            if let Some(coming) = own.announced.filter(|coming| is_ahead(own, coming)) {
                let own = AccountReport { announced: Some(coming), ..AccountReport::default() };
                new.by_account.insert(account.clone(), own);
            }
        }
        // What is announced of any account has come once it has for each that is known.
        new.anywhere.announced = known.anywhere.announced.filter(|coming| {
            let mut accounts = known.by_account.values();
            let is_any = accounts.any(|own| is_ahead(own, coming));
            is_any || known.by_account.is_empty() && is_ahead(&known.anywhere, coming)
        });
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
        self.put.at < at && known.is_none_or(|known| known.is_news(change, at))
    }

    pub(super) fn fold(
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

    /// Returns whether it stands everywhere and for good as it would be put.
    pub fn is_as_put(&self, template: &Template) -> bool {
        let mut all = self.by_account.values().chain([&self.anywhere]).map(|own| self.view(own));
        all.all(|TemplateView { status, category, .. }| {
            status.status == template.status
                && status.until.is_none()
                && category == template.category
        })
    }

    /// Returns how it stands in one account. Of its own report and one of any account the later
    /// counts; of both at the same moment its own.
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
    pub fn strictest<'b, Accounts>(&self, accounts: impl Fn() -> Accounts) -> TemplateView<'_>
    where
        Accounts: Iterator<Item = &'b AccountId>,
    {
        let known =
            || accounts().map(|account| self.by_account.get(account).unwrap_or(&self.anywhere));
        let said = self.by_account.values().chain([&self.anywhere]);
        let about = |is_about: fn(&AccountReport) -> bool| {
            said.clone().filter(move |own| is_about(own)).chain(known())
        };
        let statuses = about(AccountReport::is_about_status).map(|own| self.status(own));
        let status = statuses.max_by(|one, other| one.strictness().cmp(&other.strictness()));
        let qualities = about(|own| own.quality.is_some()).filter_map(|own| self.quality(own));
        let quality = qualities.map(|(_, quality)| quality);
        let filings = || about(AccountReport::is_about_filing).map(|own| self.filing(own));
        let categories = || filings().map(|(category, _)| category);
        let category = categories().min().unwrap_or(self.category);
        TemplateView {
            status: status.unwrap_or(&self.put),
            quality: quality.max_by_key(|quality| badness(*quality)),
            category,
            marketing_since: filings().filter_map(|(_, since)| since).min(),
            needs_number: categories().chain([category]).any(|one| one == Category::Authentication),
        }
    }

    /// Returns the status that counts: the later one. What a message that failed lets conclude
    /// neither replaces nor shortens a stop that was put or reported and that went on then.
    fn status<'a>(&'a self, own: &'a AccountReport) -> &'a StatusReport {
        let later = |reports: [&'a Option<StatusReport>; 2]| {
            let reports = reports.into_iter().flatten();
            reports.max_by(|one, other| (one.at, &one.status).cmp(&(other.at, &other.status)))
        };
        let told = later([&self.anywhere.told, &own.told]).unwrap_or(&self.put);
        let guessed = later([&self.anywhere.guessed, &own.guessed]).filter(|guessed| {
            let was_over = told.until.is_some_and(|until| until <= guessed.at);
            told.at < guessed.at && (told.state() == TemplateState::Sendable || was_over)
        });
        guessed.unwrap_or(told)
    }

    fn quality(&self, own: &AccountReport) -> Option<(Timestamp, Quality)> {
        let both = [self.anywhere.quality, own.quality].into_iter().flatten();
        both.max_by_key(|(at, _)| *at)
    }

    fn filed(&self, own: &AccountReport) -> Option<Filed> {
        let both = [self.anywhere.filed, own.filed].into_iter().flatten();
        both.max_by_key(|filed| filed.at)
    }

    /// Returns the category, and since when that is marketing against what was put.
    fn filing(&self, own: &AccountReport) -> (Category, Option<(Timestamp, Seq)>) {
        let filed = self.filed(own);
        let category = filed.map_or(self.category, |filed| filed.category);
        if category == Category::Marketing {
            return (category, filed.map(|filed| (filed.at, filed.seq)));
        }
        let both = [self.anywhere.announced, own.announced].into_iter().flatten();
        let coming = both.max_by_key(|coming| coming.at).filter(|coming| {
            coming.category == Category::Marketing && filed.is_none_or(|filed| filed.at < coming.at)
        });
        (category, coming.map(|coming| (coming.from, coming.seq)))
    }
}

const fn badness(quality: Quality) -> u8 {
    match quality {
        Quality::Unknown => 0,
        Quality::Green => 1,
        Quality::Yellow => 2,
        Quality::Red => 3,
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
const fn is_false(truth: &bool) -> bool {
    !*truth
}
