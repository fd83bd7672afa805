//! What a person agreed to, in which order, and where that stands now.

use std::cmp::Ordering;

use smallvec::SmallVec;

use crate::{
    domain::{
        absorbed::Mark,
        entry::Seq,
        event::Evidence,
        identity::{Change, IdentityTag},
        named::{KeyTag, NameTags},
        questions::{Questions, ShownTag},
        time::Timestamp,
    },
    policy::ConsentBasis,
};

/// Place of a topic in the registry, in the order topics were first put. Never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TopicIx(pub u16);

/// Where a consent stands. Stable names: they are part of the API.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum ConsentStatus {
    /// Nothing was ever recorded.
    NeverAsked,
    /// The person was asked to confirm and has not yet.
    Pending,
    /// The person agreed.
    Granted,
    /// The person agreed, and the agreement has run out.
    Expired,
    /// The person took it back.
    Withdrawn,
}

/// What an act of a person says about one topic. Stable names: views store them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// Asked, not yet confirmed.
    Asked,
    /// Agreed.
    Agreed,
    /// Took it back.
    TookBack,
}

/// The act that decides where one consent stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Consent {
    /// About which topic.
    pub topic: TopicIx,
    /// What the person did.
    pub act: Act,
    /// What an agreement rests on.
    pub basis: ConsentBasis,
    /// When the person did it; the order of acts, not of their arrival, decides.
    pub at: Timestamp,
    /// Since when whoever did it was there, as far as the act shows: its own time, or of a mere
    /// answer that of the question, which may have been put to somebody else.
    pub there_since: Timestamp,
    /// When the agreement runs out; [`Timestamp::NEVER`] if it does not.
    pub expires_at: Timestamp,
    /// The entry that recorded it.
    pub seq: Seq,
    /// Who did it: the identity of the device it came from, where that was told along.
    pub by: Option<IdentityTag>,
    /// Under which identifiers it was done.
    pub under: NameTags,
}

/// A consent as seen at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Where it stands.
    pub status: ConsentStatus,
    /// When the deciding act happened; `None` when there was none.
    pub at: Option<Timestamp>,
    /// When the agreement runs out, if it does.
    pub expires_at: Option<Timestamp>,
    /// The entry that recorded the deciding act.
    pub seq: Option<Seq>,
    /// What it rests on, if it is an agreement.
    pub basis: ConsentBasis,
}

/// A withdrawal from everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FullStop {
    /// When the person said so.
    pub at: Timestamp,
    /// The entry that recorded it.
    pub seq: Seq,
}

/// All consents of one contact.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Consents {
    by_topic: SmallVec<[Consent; 1]>,
    full_stop: Option<FullStop>,
    questions: Option<Box<Questions>>,
}

impl Standing {
    /// Returns whether it is in force.
    pub const fn is_granted(&self) -> bool {
        matches!(self.status, ConsentStatus::Granted)
    }

    /// Nothing was ever recorded.
    pub const NEVER_ASKED: Self = Self {
        status: ConsentStatus::NeverAsked,
        at: None,
        expires_at: None,
        seq: None,
        basis: ConsentBasis::Express,
    };
}

impl Consents {
    /// Returns where the consent for `topic` stands at `now`.
    pub fn standing(&self, topic: TopicIx, now: Timestamp) -> Standing {
        match self.by_topic.iter().find(|consent| consent.topic == topic) {
            Some(consent) => consent.standing(now),
            None => self.full_stop.map_or(Standing::NEVER_ASKED, |stop| Standing {
                status: ConsentStatus::Withdrawn,
                at: Some(stop.at),
                expires_at: None,
                seq: Some(stop.seq),
                basis: ConsentBasis::Express,
            }),
        }
    }

    /// Returns the act that decides about `topic`, be it about everything.
    pub fn deciding(&self, topic: TopicIx) -> Option<Consent> {
        let known = self.by_topic.iter().find(|consent| consent.topic == topic).copied();
        known.or_else(|| self.full_stop.map(|stop| stop.about(topic)))
    }

    /// Returns the acts that decide, topic by topic.
    pub fn acts(&self) -> impl Iterator<Item = &Consent> + '_ {
        self.by_topic.iter()
    }

    /// Returns whether nothing was ever recorded.
    pub fn is_empty(&self) -> bool {
        self.by_topic.is_empty() && self.full_stop.is_none()
    }

    /// Returns the topics anything was recorded about, in the order they came.
    pub fn topics(&self) -> impl Iterator<Item = TopicIx> + '_ {
        self.by_topic.iter().map(|consent| consent.topic)
    }

    /// Returns what the person was asked, when, and whether they did not say since that they agree:
    /// one that was put again and again is one each time, in order.
    pub fn questions(&self) -> impl Iterator<Item = (TopicIx, Timestamp, bool)> + '_ {
        self.questions.iter().flat_map(|questions| questions.all())
    }

    /// Returns the same as it stood at a moment, of each topic the last one: what is said then is
    /// no answer to what was asked later.
    pub fn questions_by(
        &self,
        moment: Timestamp,
    ) -> impl Iterator<Item = (TopicIx, Timestamp, bool)> + '_ {
        self.questions.iter().flat_map(move |questions| questions.by(moment))
    }

    /// Returns when the person was asked last about a topic, if that is unanswered.
    pub fn question(&self, topic: TopicIx) -> Option<Timestamp> {
        self.question_by(topic, Timestamp::NEVER)
    }

    /// Returns when the person had been asked last about a topic by a moment, if that is unanswered.
    pub fn question_by(&self, topic: TopicIx, moment: Timestamp) -> Option<Timestamp> {
        let mut asked = self.questions_by(moment);
        asked.find(|(known, _, is_open)| *known == topic && *is_open).map(|(_, at, _)| at)
    }

    /// Returns when the person last said that they agree to what they were asked.
    pub fn answers(&self) -> impl Iterator<Item = (TopicIx, Timestamp)> + '_ {
        self.questions.iter().flat_map(|questions| questions.answers())
    }

    /// Returns whether any of this was not sent along with a question about a topic that is
    /// unanswered.
    pub fn is_news(&self, topic: TopicIx, evidence: &Evidence) -> bool {
        let was_shown =
            |tag| self.questions.as_ref().is_some_and(|questions| questions.was_shown(topic, tag));
        evidence.iter().any(|(name, text)| !was_shown(ShownTag::of(name, text)))
    }

    /// Returns what stands for what was sent along with unanswered questions, and when they were put.
    pub fn shown(&self) -> impl Iterator<Item = (TopicIx, Timestamp, &[ShownTag])> + '_ {
        self.questions.iter().flat_map(|questions| questions.shown())
    }

    /// Returns the withdrawal from everything, if there ever was one.
    pub const fn full_stop(&self) -> Option<FullStop> {
        self.full_stop
    }

    /// Returns from when a withdrawal counts that is dated so, from everything that `is_meant`, and
    /// was recorded by the entry `seq`. A whole second stands for any moment within it: whatever had
    /// been agreed or asked in that second, and was known by then, came first.
    pub fn withdrawn_at(
        &self,
        (at, seq): (Timestamp, Seq),
        is_meant: impl Fn(TopicIx) -> bool,
    ) -> Timestamp {
        let is_agreed = |act: &&Consent| act.act == Act::Agreed && act.seq < seq;
        let agreed = self.by_topic.iter().filter(is_agreed).map(|act| (act.topic, act.at));
        let asked = self.questions().map(|(topic, asked_at, _)| (topic, asked_at));
        let came_first = agreed.chain(asked).filter(|(topic, _)| is_meant(*topic));
        let came_first = came_first.map(|(_, first)| first);
        came_first.filter(|first| at.may_be_after(*first)).fold(at, Timestamp::max)
    }

    /// Returns whether somebody who came after `since` said that they agree under this identifier,
    /// and did not take that back: to `topic`, or to any. An agreement that has run out since was
    /// one all the same; one that is implied was never said.
    pub fn has_agreed_under(&self, tag: KeyTag, topic: Option<TopicIx>, since: Mark) -> bool {
        self.acts_on(topic).any(|consent| consent.is_agreed_under(tag, since))
    }

    /// Returns whether whoever was there from `change` on agreed and did not take that back: to
    /// `topic`, or to any.
    pub fn has_registered_since(&self, topic: Option<TopicIx>, change: Change) -> bool {
        self.acts_on(topic).any(|consent| consent.is_registration_since(change))
    }

    fn acts_on(&self, topic: Option<TopicIx>) -> impl Iterator<Item = &Consent> + '_ {
        let is_meant = move |consent: &&Consent| topic.is_none_or(|topic| consent.topic == topic);
        self.by_topic.iter().filter(is_meant)
    }

    /// Returns whether the person withdrew from everything and agreed to nothing since.
    pub fn has_left(&self) -> bool {
        let has_agreed = |stop: FullStop| {
            self.by_topic.iter().any(|consent| consent.is_said() && consent.at > stop.at)
        };
        self.full_stop.is_some_and(|stop| !has_agreed(stop))
    }

    /// Returns whether an act would decide where its topic stands.
    ///
    /// The later act wins, whatever the order of arrival; of two at the same moment the
    /// withdrawal. Being asked is no act of the person: it counts only where there is none, so it
    /// neither takes away what was agreed nor hides a withdrawal. What is implied counts only as
    /// long as the person said neither yes nor no, whenever that was: it lifts no withdrawal, and
    /// gives no end to what was said without one. Of two that are implied the one that lasts
    /// longer counts; how long they last is not known here, so whoever asks has compared them.
    pub fn would_decide(&self, act: &Consent) -> bool {
        let Some(before) = self.deciding(act.topic) else { return true };
        match act.weight().cmp(&before.weight()) {
            Ordering::Less => false,
            Ordering::Greater => true,
            Ordering::Equal if act.is_implied() => true,
            Ordering::Equal if (before.act, act.act) == (Act::TookBack, Act::Agreed) => {
                act.at > before.at
            }
            Ordering::Equal => act.at >= before.at,
        }
    }

    /// Takes consents as an entry says they stand.
    pub(crate) fn standing_at(
        acts: impl Iterator<Item = Consent>,
        full_stop: Option<FullStop>,
        [questions, answers]: [&[(TopicIx, Timestamp)]; 2],
    ) -> Self {
        let mut standing = Self { by_topic: acts.collect(), full_stop, questions: None };
        for (topic, at) in questions {
            standing.fold_question(*topic, *at);
        }
        for (topic, at) in answers {
            standing.fold_answer(*topic, *at);
        }
        standing
    }

    /// Folds in that the person was asked, whether that decides anything or not.
    pub(crate) fn fold_question(&mut self, topic: TopicIx, at: Timestamp) {
        let known = self.by_topic.iter().find(|known| known.topic == topic);
        let agreed_at = known.filter(|known| known.is_said()).map(|known| known.at);
        self.questions.get_or_insert_default().fold_question(topic, at, agreed_at);
    }

    /// Folds in what was sent along with a question that is known, whoever put it at that moment.
    pub(crate) fn fold_shown(
        &mut self,
        topic: TopicIx,
        at: Timestamp,
        tags: impl Iterator<Item = ShownTag>,
    ) {
        if let Some(questions) = &mut self.questions {
            questions.fold_shown(topic, at, tags);
        }
    }

    /// Folds in that the person said that they agree, where that decides nothing.
    pub(crate) fn fold_answer(&mut self, topic: TopicIx, at: Timestamp) {
        let is_withdrawn = self.deciding(topic).is_some_and(|act| act.act == Act::TookBack);
        let is_known = self.questions.as_ref().is_some_and(|questions| questions.has(topic));
        if is_withdrawn || is_known {
            self.questions.get_or_insert_default().fold_answer(topic, at);
        }
    }

    /// Forgets an agreement that a withdrawal had taken the place of: a later one decides now.
    fn forget_unasked(&mut self, topic: TopicIx) {
        if self.questions.as_mut().is_some_and(|questions| questions.forget_unasked(topic)) {
            self.questions = None;
        }
    }

    /// Forgets what was agreed to about a topic: nobody it counts for said so.
    pub(crate) fn forget(&mut self, topic: TopicIx) {
        self.by_topic.retain(|known| known.topic != topic || known.act == Act::TookBack);
    }

    /// Forgets what was agreed to, asked and answered from a moment on. What was taken back stays.
    pub(crate) fn forget_from(&mut self, since: Timestamp) {
        self.by_topic.retain(|known| known.act == Act::TookBack || known.at < since);
        if self.questions.as_mut().is_some_and(|questions| questions.forget_from(since)) {
            self.questions = None;
        }
    }

    /// Folds one act in, if it decides.
    pub(crate) fn fold_act(&mut self, consent: Consent) {
        let topic = consent.topic;
        if consent.act == Act::Asked {
            self.fold_question(topic, consent.at);
        }
        if !self.would_decide(&consent) {
            if consent.is_said() {
                self.fold_answer(topic, consent.at);
            }
            self.fold_topic(topic);
            return;
        }
        let known = self.by_topic.iter_mut().find(|known| known.topic == topic);
        let before = known.map(|known| std::mem::replace(known, consent));
        if before.is_none() {
            self.by_topic.push(consent);
        }
        if consent.is_said() {
            self.forget_unasked(topic);
            self.fold_answer(topic, consent.at);
        } else if let Some(before) = before.filter(Consent::is_said) {
            self.fold_answer(topic, before.at);
        }
    }

    /// Folds in that something was said about a topic that decides nothing: what the person withdrew
    /// from everything by is known to be about that, too, as if it had been heard later.
    pub(crate) fn fold_topic(&mut self, topic: TopicIx) {
        if let Some(stop) = self.full_stop.filter(|_| self.topics().all(|known| known != topic)) {
            self.by_topic.push(stop.about(topic));
        }
    }

    /// Folds a withdrawal from everything in: every consent given before it ends.
    pub(crate) fn fold_full_stop(&mut self, stop: FullStop) {
        let mut said: SmallVec<[(TopicIx, Timestamp); 1]> = SmallVec::new();
        for known in &mut self.by_topic {
            if known.is_ended_by(stop) {
                said.extend(known.is_said().then_some((known.topic, known.at)));
                *known = stop.about(known.topic);
            }
        }
        for (topic, at) in said {
            self.fold_answer(topic, at);
        }
        if self.full_stop.is_none_or(|known| stop.at >= known.at) {
            self.full_stop = Some(stop);
        }
    }
}

impl FullStop {
    /// Returns what it says about one topic.
    pub const fn about(&self, topic: TopicIx) -> Consent {
        let Self { at, seq } = *self;
        let (act, basis) = (Act::TookBack, ConsentBasis::Express);
        let (there_since, expires_at) = (at, Timestamp::NEVER);
        let (by, under) = (None, NameTags::NONE);
        Consent { topic, act, basis, at, there_since, expires_at, seq, by, under }
    }
}

impl Consent {
    /// Returns what it weighs beside another: what was asked, what is implied, what was said.
    const fn weight(&self) -> u8 {
        match (self.act, self.basis.is_express()) {
            (Act::Asked, _) => 0,
            (Act::Agreed, false) => 1,
            (Act::Agreed, true) | (Act::TookBack, _) => 2,
        }
    }

    /// Returns whether the person said that they agree.
    fn is_said(&self) -> bool {
        self.act == Act::Agreed && self.basis.is_express()
    }

    /// Returns whether it is an agreement that nobody said.
    pub fn is_implied(&self) -> bool {
        self.act == Act::Agreed && !self.basis.is_express()
    }

    /// Returns whether it is an agreement of somebody who came after `since`.
    fn is_agreed_by_other(&self, since: Mark) -> bool {
        self.is_said() && since.is_before(self.there_since, self.seq)
    }

    /// Returns whether it is an agreement of somebody who came after `since` and has this identifier.
    pub fn is_agreed_under(&self, tag: KeyTag, since: Mark) -> bool {
        self.under.has(tag) && self.is_agreed_by_other(since)
    }

    /// Returns whether it is an agreement of whoever was there from `change` on: a later one, or
    /// one that came in the very message that showed the change.
    pub fn is_registration_since(&self, change: Change) -> bool {
        let is_same =
            change.tag.is_some() && self.by == change.tag && self.there_since == change.at;
        let is_named = change.names == NameTags::NONE || change.names.has_any(self.under);
        is_named && (self.is_agreed_by_other(change.mark()) || (self.is_said() && is_same))
    }

    /// Returns whether a withdrawal from everything takes the place of this act.
    pub fn is_ended_by(&self, stop: FullStop) -> bool {
        self.weight() < stop.about(self.topic).weight() || stop.at >= self.at
    }

    /// Returns how this act is seen at `now`.
    pub fn standing(&self, now: Timestamp) -> Standing {
        let status = match self.act {
            Act::Asked => ConsentStatus::Pending,
            Act::Agreed if self.expires_at <= now => ConsentStatus::Expired,
            Act::Agreed => ConsentStatus::Granted,
            Act::TookBack => ConsentStatus::Withdrawn,
        };
        Standing {
            status,
            at: Some(self.at),
            expires_at: (self.expires_at != Timestamp::NEVER).then_some(self.expires_at),
            seq: Some(self.seq),
            basis: self.basis,
        }
    }
}

#[cfg(test)]
mod tests;
