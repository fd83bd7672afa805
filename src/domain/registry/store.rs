//! The registry itself: what is put replaces what was, and places are never reused.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    domain::{
        absorbed::Mark,
        access::{KeyId, Scope},
        consent::TopicIx,
        contact::SenderIx,
        entry::Seq,
        names::{
            AccountId, EntryPointId, Language, PortfolioId, SenderId, StatementId, TemplateName,
            TopicId,
        },
        registry::{
            Category, EntryCode, EntryPoint, Hold, HoldCause, HoldKey, KeyRecord, LiveHash,
            Portfolio, Reported, Sender, SenderChange, Statement, Template, TemplateAnswer,
            TemplateChange, TemplateReport, TemplateView, Topic,
        },
        time::Timestamp,
    },
    policy::{Country, Overrides, Policy},
};

/// Something that was put, and the entry that recorded it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Put<T> {
    /// What was put.
    pub value: T,
    /// By which entry.
    pub seq: Seq,
}

/// One version of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementVersion {
    /// SHA-256 of the statement's canonical JSON, in hexadecimal.
    pub digest: Box<str>,
    /// The statement.
    pub value: Statement,
    /// The entry that recorded it.
    pub seq: Seq,
}

/// Names a template in one language.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct TemplateRef {
    /// Its name.
    pub name: TemplateName,
    /// Its language.
    pub language: Language,
}

/// Everything that was put.
#[derive(Debug, Clone, Default)]
pub struct Registry {
    topics: BTreeMap<TopicId, (TopicIx, Put<Topic>)>,
    topic_ids: Vec<TopicId>,
    statements: BTreeMap<StatementId, StatementVersion>,
    templates: BTreeMap<TemplateRef, Put<Template>>,
    senders: BTreeMap<SenderId, (SenderIx, Put<Sender>)>,
    sender_ids: Vec<SenderId>,
    portfolios: BTreeMap<PortfolioId, Put<Portfolio>>,
    entry_points: BTreeMap<EntryPointId, Put<EntryPoint>>,
    entry_codes: BTreeMap<EntryCode, EntryPointId>,
    keys: BTreeMap<KeyId, KeyRecord>,
    reported: Reported,
    policy: PolicyInForce,
}

/// The policy that counts.
#[derive(Debug, Clone, Default)]
pub struct PolicyInForce {
    /// What the business chose.
    pub overrides: Arc<Overrides>,
    /// What follows.
    pub policy: Arc<Policy>,
    /// The entry that put it; `None` while nobody did.
    pub seq: Option<Seq>,
}

impl Registry {
    /// Returns a topic and its place.
    pub fn topic(&self, id: &TopicId) -> Option<(TopicIx, &Put<Topic>)> {
        self.topics.get(id).map(|(ix, put)| (*ix, put))
    }

    /// Returns the id of the topic at a place.
    pub fn topic_id(&self, ix: TopicIx) -> Option<&TopicId> {
        self.topic_ids.get(usize::from(ix.0))
    }

    /// Returns all topics in the order of their ids.
    pub fn topics(&self) -> impl Iterator<Item = (&TopicId, &Put<Topic>)> {
        self.topics.iter().map(|(id, (_, put))| (id, put))
    }

    /// Returns a statement's current version.
    pub fn statement(&self, id: &StatementId) -> Option<&StatementVersion> {
        self.statements.get(id)
    }

    /// Returns all statements in the order of their ids.
    pub fn statements(&self) -> impl Iterator<Item = (&StatementId, &StatementVersion)> {
        self.statements.iter()
    }

    /// Returns a template as it was put.
    pub fn template(&self, template: &TemplateRef) -> Option<&Put<Template>> {
        self.templates.get(template)
    }

    /// Returns how a template stands for a sender: by the account it belongs to, or the strictest of
    /// all accounts where no sender is named or nobody knows its account.
    pub fn template_for(
        &self,
        template: &TemplateRef,
        sender: Option<&SenderId>,
    ) -> Option<TemplateView<'_>> {
        Some(self.view_for(self.reported.template(template)?, sender))
    }

    /// The same by a report other than the one that is known.
    pub fn view_for<'a>(
        &self,
        report: &'a TemplateReport,
        sender: Option<&SenderId>,
    ) -> TemplateView<'a> {
        match sender.and_then(|sender| self.account_of(sender)) {
            Some(account) => report.of(account),
            None => report.strictest(self.senders().filter_map(|(id, _)| self.account_of(id))),
        }
    }

    /// Returns the languages a template exists in.
    pub fn template_languages(&self, name: &TemplateName) -> impl Iterator<Item = &TemplateRef> {
        self.templates.keys().filter(move |template| template.name == *name)
    }

    /// Returns all templates in the order of name and language.
    pub fn templates(&self) -> impl Iterator<Item = (&TemplateRef, &Put<Template>)> {
        self.templates.iter()
    }

    /// Returns a sender and its place.
    pub fn sender(&self, id: &SenderId) -> Option<(SenderIx, &Put<Sender>)> {
        self.senders.get(id).map(|(ix, put)| (*ix, put))
    }

    /// Returns the id of the sender at a place.
    pub fn sender_id(&self, ix: SenderIx) -> Option<&SenderId> {
        self.sender_ids.get(usize::from(ix.0))
    }

    /// Returns all senders in the order of their ids.
    pub fn senders(&self) -> impl Iterator<Item = (&SenderId, &Put<Sender>)> {
        self.senders.iter().map(|(id, (_, put))| (id, put))
    }

    /// Returns the policy that counts.
    pub const fn policy(&self) -> &PolicyInForce {
        &self.policy
    }

    pub(crate) fn fold_policy(&mut self, overrides: &Overrides, policy: &Policy, seq: Seq) {
        let (overrides, policy) = (Arc::new(overrides.clone()), Arc::new(policy.clone()));
        self.policy = PolicyInForce { overrides, policy, seq: Some(seq) };
    }

    pub(crate) fn fold_country(&mut self, sender: &SenderId, country: Country, mark: Mark) {
        self.reported.fold_country(sender, country, mark);
    }

    pub(crate) fn fold_country_open(&mut self, sender: &SenderId, country: Country, at: Timestamp) {
        self.reported.fold_country_open(sender, country, at);
    }

    /// Returns a portfolio.
    pub fn portfolio(&self, id: &PortfolioId) -> Option<&Put<Portfolio>> {
        self.portfolios.get(id)
    }

    /// Returns all portfolios in the order of their ids.
    pub fn portfolios(&self) -> impl Iterator<Item = (&PortfolioId, &Put<Portfolio>)> {
        self.portfolios.iter()
    }

    /// Returns what templates have registered a payload for, once for each that has.
    pub fn answers_to(&self, payload: &str) -> impl Iterator<Item = &TemplateAnswer> {
        self.templates.values().filter_map(move |put| put.value.answers.get(payload))
    }

    /// Returns every topic of marketing, in the order of their ids.
    pub fn marketing_topics(&self) -> impl Iterator<Item = &TopicId> {
        let is_marketing = |put: &Put<Topic>| put.value.category == Category::Marketing;
        self.topics().filter(move |(_, put)| is_marketing(put)).map(|(id, _)| id)
    }

    /// Returns an entry point.
    pub fn entry_point(&self, id: &EntryPointId) -> Option<&Put<EntryPoint>> {
        self.entry_points.get(id)
    }

    /// Returns all entry points in the order of their ids.
    pub fn entry_points(&self) -> impl Iterator<Item = (&EntryPointId, &Put<EntryPoint>)> {
        self.entry_points.iter()
    }

    /// Returns the entry point that is recognised by a code.
    pub fn entry_point_of_code(&self, code: &EntryCode) -> Option<(&EntryPointId, &EntryPoint)> {
        let (id, put) = self.entry_points.get_key_value(self.entry_codes.get(code)?)?;
        Some((id, &put.value))
    }

    /// Returns an API key.
    pub fn key(&self, id: &KeyId) -> Option<&KeyRecord> {
        self.keys.get(id)
    }

    /// Returns all API keys in the order of their ids.
    pub fn keys(&self) -> impl Iterator<Item = &KeyRecord> {
        self.keys.values()
    }

    /// Returns whether a key other than `beside` works at `now` and may make other keys.
    pub fn has_manager_beside(&self, beside: Option<KeyId>, now: Timestamp) -> bool {
        self.keys.values().any(|key| {
            Some(key.id) != beside && key.is_usable(now) && key.scopes.contains(Scope::KeysManage)
        })
    }

    /// Returns what WhatsApp reported beside what was put.
    pub const fn reported(&self) -> &Reported {
        &self.reported
    }

    /// Returns whether another topic still has a place.
    pub fn has_room_for_topic(&self) -> bool {
        self.topic_ids.len() < usize::from(u16::MAX)
    }

    /// Returns whether another sender still has a place.
    pub fn has_room_for_sender(&self) -> bool {
        self.sender_ids.len() < usize::from(u16::MAX)
    }

    pub(crate) fn fold_topic(&mut self, id: &TopicId, put: Put<Topic>) {
        if let Some((_, known)) = self.topics.get_mut(id) {
            *known = put;
            return;
        }
        let ix = TopicIx(place(self.topic_ids.len()));
        self.topic_ids.push(id.clone());
        self.topics.insert(id.clone(), (ix, put));
    }

    pub(crate) fn fold_statement(&mut self, id: &StatementId, version: StatementVersion) {
        self.statements.insert(id.clone(), version);
    }

    pub(crate) fn fold_template(
        &mut self,
        template: &TemplateRef,
        put: Put<Template>,
        put_at: Timestamp,
    ) {
        let known = self.reported.templates.get(template);
        let report = TemplateReport::put(known, &put.value, put_at, put.seq);
        self.reported.templates.insert(template.clone(), report);
        self.templates.insert(template.clone(), put);
    }

    /// What is put lifts what WhatsApp stopped of the sender if it says how that stands: by another
    /// status, or by saying the same once more.
    pub(crate) fn fold_sender(&mut self, id: &SenderId, put: Put<Sender>, put_at: Timestamp) {
        let is_wish = self.senders.get(id).is_none_or(|(_, known)| {
            let (known, new) = (&known.value, &put.value);
            (known.status != new.status) || (known.halted != new.halted) || known == new
        });
        let report = self.reported.senders.entry(id.clone()).or_default();
        report.put_at = put_at;
        (report.status_at, report.quality_at) = (None, None);
        if is_wish {
            report.holds.fold_lift(None, put_at);
        }
        if let Some(account) = &put.value.account {
            report.account = Some((account.clone(), put_at));
        }
        if let Some((_, known)) = self.senders.get_mut(id) {
            *known = put;
            return;
        }
        let ix = SenderIx(place(self.sender_ids.len()));
        self.sender_ids.push(id.clone());
        self.senders.insert(id.clone(), (ix, put));
    }

    /// What is put lifts what WhatsApp stopped of the accounts in it if it says how that stands: by
    /// restricting it or no more, or by saying the same once more.
    pub(crate) fn fold_portfolio(
        &mut self,
        id: &PortfolioId,
        put: Put<Portfolio>,
        put_at: Timestamp,
    ) {
        let is_wish = self.portfolios.get(id).is_none_or(|known| {
            known.value.restricted != put.value.restricted || known.value == put.value
        });
        self.portfolios.insert(id.clone(), put);
        self.reported.limits.insert(id.clone(), (put_at, None));
        if !is_wish {
            return;
        }
        for account in self.accounts_in(id) {
            self.fold_account_lift(&account, None, put_at);
        }
    }

    /// Returns the account a sender belongs to: as traffic showed it, else as it was put.
    pub fn account_of(&self, id: &SenderId) -> Option<&AccountId> {
        let shown = self.reported.sender(id).and_then(|report| report.account.as_ref());
        let put = || self.senders.get(id)?.1.value.account.as_ref();
        shown.map(|(account, _)| account).or_else(put)
    }

    /// Returns the accounts that are known to be of senders in a portfolio.
    fn accounts_in(&self, id: &PortfolioId) -> Vec<AccountId> {
        let is_of = |account: &&AccountId| {
            let is_its = |sender: &SenderId| self.account_of(sender) == Some(account);
            let mut senders = self.senders.iter().filter(|(sender, _)| is_its(sender));
            senders.any(|(_, (_, put))| put.value.portfolio == *id)
        };
        self.reported.accounts.keys().filter(is_of).cloned().collect()
    }

    /// Returns whether WhatsApp stopped anything of the accounts in a portfolio.
    pub fn is_held(&self, id: &PortfolioId) -> bool {
        let accounts = self.accounts_in(id);
        let holds = accounts.iter().filter_map(|account| self.reported.account(account));
        holds.into_iter().any(super::Holds::is_any)
    }

    pub(crate) fn fold_account_hold(&mut self, id: &AccountId, key: HoldKey, hold: Hold) {
        self.reported.accounts.entry(id.clone()).or_default().fold(key, hold);
    }

    pub(crate) fn fold_account_lift(
        &mut self,
        id: &AccountId,
        causes: Option<&[HoldCause]>,
        at: Timestamp,
    ) {
        self.reported.accounts.entry(id.clone()).or_default().fold_lift(causes, at);
    }

    pub(crate) fn fold_sender_hold(&mut self, id: &SenderId, key: HoldKey, hold: Hold) {
        self.reported.senders.entry(id.clone()).or_default().holds.fold(key, hold);
    }

    pub(crate) fn fold_sender_account(&mut self, id: &SenderId, account: AccountId, at: Timestamp) {
        self.reported.senders.entry(id.clone()).or_default().account = Some((account, at));
    }

    pub(crate) fn fold_sender_report(
        &mut self,
        id: &SenderId,
        change: &SenderChange,
        at: Timestamp,
        seq: Seq,
    ) {
        let report = self.reported.senders.entry(id.clone()).or_default();
        let Some((_, put)) = self.senders.get_mut(id) else { return };
        put.seq = seq;
        put.value.fold(change);
        match change {
            SenderChange::Quality { .. } => report.quality_at = Some(at),
            SenderChange::Status { .. } => report.status_at = Some(at),
        }
    }

    pub(crate) fn fold_template_report(
        &mut self,
        (id, account): (&TemplateRef, Option<&AccountId>),
        change: &TemplateChange,
        at: Timestamp,
        seq: Seq,
    ) {
        if let Some(report) = self.reported.templates.get_mut(id) {
            report.fold(account, change, at, seq);
        }
    }

    pub(crate) fn fold_limit(
        &mut self,
        id: &PortfolioId,
        limit: Option<u32>,
        at: Timestamp,
        seq: Seq,
    ) {
        let Some(put) = self.portfolios.get_mut(id) else { return };
        put.value.messaging_limit = limit;
        put.seq = seq;
        if let Some((_, reported)) = self.reported.limits.get_mut(id) {
            *reported = Some(at);
        }
    }

    /// A code that is replaced is nobody's any more.
    pub(crate) fn fold_entry_point(&mut self, id: &EntryPointId, put: Put<EntryPoint>) {
        if let Some(before) = self.entry_points.get(id) {
            self.entry_codes.remove(&before.value.code);
        }
        self.entry_codes.insert(put.value.code.clone(), id.clone());
        self.entry_points.insert(id.clone(), put);
    }

    pub(crate) fn fold_key(&mut self, record: KeyRecord) {
        self.keys.insert(record.id, record);
    }

    pub(crate) fn fold_key_rotation(&mut self, id: &KeyId, new: LiveHash, old_until: Timestamp) {
        if let Some(record) = self.keys.get_mut(id) {
            record.live.retain(|live| live.until.is_none());
            for live in &mut record.live {
                live.until = Some(old_until);
            }
            record.live.push(new);
        }
    }

    /// The newest secret gives way at once; the one before it keeps its time.
    pub(crate) fn fold_key_replacement(&mut self, id: &KeyId, new: LiveHash) {
        if let Some(record) = self.keys.get_mut(id) {
            record.live.retain(|live| live.until.is_some());
            record.live.push(new);
        }
    }

    pub(crate) fn fold_key_revocation(&mut self, id: &KeyId, at: Timestamp) {
        if let Some(record) = self.keys.get_mut(id) {
            record.revoked_at = record.revoked_at.or(Some(at));
        }
    }
}

/// Places are 16 bits wide; `decide` refuses the put that would need one more.
fn place(taken: usize) -> u16 {
    u16::try_from(taken).unwrap_or(u16::MAX)
}
