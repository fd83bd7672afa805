//! The registry itself: what is put replaces what was, and places are never reused.

use std::collections::BTreeMap;

use crate::domain::{
    access::{KeyId, Scope},
    consent::TopicIx,
    contact::SenderIx,
    entry::Seq,
    names::{Language, PortfolioId, SenderId, StatementId, TemplateName, TopicId},
    registry::{KeyRecord, LiveHash, Portfolio, Sender, Statement, Template, Topic},
    time::Timestamp,
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
    keys: BTreeMap<KeyId, KeyRecord>,
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

    /// Returns a template.
    pub fn template(&self, template: &TemplateRef) -> Option<&Put<Template>> {
        self.templates.get(template)
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

    /// Returns a portfolio.
    pub fn portfolio(&self, id: &PortfolioId) -> Option<&Put<Portfolio>> {
        self.portfolios.get(id)
    }

    /// Returns all portfolios in the order of their ids.
    pub fn portfolios(&self) -> impl Iterator<Item = (&PortfolioId, &Put<Portfolio>)> {
        self.portfolios.iter()
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

    pub(crate) fn fold_template(&mut self, template: &TemplateRef, put: Put<Template>) {
        self.templates.insert(template.clone(), put);
    }

    pub(crate) fn fold_sender(&mut self, id: &SenderId, put: Put<Sender>) {
        if let Some((_, known)) = self.senders.get_mut(id) {
            *known = put;
            return;
        }
        let ix = SenderIx(place(self.sender_ids.len()));
        self.sender_ids.push(id.clone());
        self.senders.insert(id.clone(), (ix, put));
    }

    pub(crate) fn fold_portfolio(&mut self, id: &PortfolioId, put: Put<Portfolio>) {
        self.portfolios.insert(id.clone(), put);
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
