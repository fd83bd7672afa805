//! What a person was asked to confirm, and until when they said that they agree.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::domain::{consent::TopicIx, time::Timestamp};

/// So often a person is remembered to have been asked the same: the first time and the last ones.
const ASKED_MAX: usize = 8;

/// What the person was asked to confirm, whatever they did before or since, and agreements that a
/// withdrawal took the place of: those may have been the answer to a question that is heard late.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Questions(SmallVec<[Question; 1]>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Question {
    topic: TopicIx,
    /// When the person was asked, in order: last before they agreed, and every time since.
    asked: SmallVec<[Timestamp; 1]>,
    /// What was sent along with those, in order, where anything was.
    shown: Vec<(Timestamp, Box<[ShownTag]>)>,
    /// When the person last said that they agree.
    agreed_at: Option<Timestamp>,
}

/// Stands for a member of the evidence that was sent along with a question, where only sameness
/// matters: 32 bits of its name and its text. The serde form is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ShownTag(NonZeroU32);

impl ShownTag {
    /// Returns what stands for a member with this name and this text.
    ///
    /// Source: Fowler, Noll, Vo, FNV-1a with 32 bits.
    pub fn of(name: &str, text: &str) -> Self {
        let mix = |mixed: u32, byte: u8| (mixed ^ u32::from(byte)).wrapping_mul(0x0100_0193);
        // No text has a byte 0xFF: it tells where the name ends.
        let bytes = name.bytes().chain([0xff]).chain(text.bytes());
        let mixed = bytes.fold(0x811c_9dc5, mix);
        Self(NonZeroU32::new(mixed).unwrap_or(NonZeroU32::MIN))
    }
}

impl Questions {
    /// Returns what was asked, when, and whether the person did not say since that they agree.
    pub(super) fn all(&self) -> impl Iterator<Item = (TopicIx, Timestamp, bool)> + '_ {
        self.0.iter().flat_map(|question| {
            let Question { topic, asked, agreed_at, .. } = question;
            asked.iter().map(|at| (*topic, *at, *agreed_at < Some(*at)))
        })
    }

    /// Returns the same as it stood at a moment, of each topic the last one.
    pub(super) fn by(
        &self,
        moment: Timestamp,
    ) -> impl Iterator<Item = (TopicIx, Timestamp, bool)> + '_ {
        self.0.iter().filter_map(move |Question { topic, asked, agreed_at, .. }| {
            let at = asked.iter().rfind(|at| **at <= moment)?;
            Some((*topic, *at, *agreed_at < Some(*at)))
        })
    }

    /// Returns when the person last said that they agree, where anything is kept about a topic.
    pub(super) fn answers(&self) -> impl Iterator<Item = (TopicIx, Timestamp)> + '_ {
        self.0.iter().filter_map(|known| Some((known.topic, known.agreed_at?)))
    }

    /// Returns what was sent along with questions that are unanswered.
    pub(super) fn shown(&self) -> impl Iterator<Item = (TopicIx, Timestamp, &[ShownTag])> + '_ {
        self.0.iter().flat_map(|Question { topic, shown, agreed_at, .. }| {
            let open = shown.iter().filter(|(at, _)| *agreed_at < Some(*at));
            open.map(|(at, tags)| (*topic, *at, &**tags))
        })
    }

    /// Returns whether this was sent along with an unanswered question about a topic.
    pub(super) fn was_shown(&self, topic: TopicIx, tag: ShownTag) -> bool {
        let mut shown = self.shown().filter(|(known, ..)| *known == topic);
        shown.any(|(_, _, tags)| tags.binary_search(&tag).is_ok())
    }

    /// Returns whether anything is kept about a topic.
    pub(super) fn has(&self, topic: TopicIx) -> bool {
        self.0.iter().any(|known| known.topic == topic)
    }

    /// Folds in that the person was asked, and when they had last said that they agree.
    pub(super) fn fold_question(
        &mut self,
        topic: TopicIx,
        at: Timestamp,
        agreed_at: Option<Timestamp>,
    ) {
        self.change(topic, |question| {
            question.agreed_at = question.agreed_at.max(agreed_at);
            if let Err(place) = question.asked.binary_search(&at) {
                question.asked.insert(place, at);
            }
        });
    }

    /// Folds in what was sent along with a question, if that is kept.
    pub(super) fn fold_shown(
        &mut self,
        topic: TopicIx,
        at: Timestamp,
        tags: impl Iterator<Item = ShownTag>,
    ) {
        let known = self.0.iter_mut().find(|known| known.topic == topic);
        let Some(known) = known.filter(|known| known.asked.contains(&at)) else { return };
        let place = known.shown.partition_point(|(shown_at, _)| *shown_at < at);
        let before = known.shown.get(place).filter(|(shown_at, _)| *shown_at == at);
        let before = before.map(|(_, tags)| tags.to_vec());
        let is_kept = before.is_some();
        let mut all: Vec<ShownTag> = before.unwrap_or_default();
        all.extend(tags);
        all.sort_unstable();
        all.dedup();
        let all = all.into_boxed_slice();
        if is_kept {
            known.shown.splice(place..=place, [(at, all)]);
        } else if !all.is_empty() {
            known.shown.insert(place, (at, all));
        }
    }

    /// Folds in that the person said that they agree.
    pub(super) fn fold_answer(&mut self, topic: TopicIx, at: Timestamp) {
        self.change(topic, |question| question.agreed_at = question.agreed_at.max(Some(at)));
    }

    /// Forgets an agreement to what nobody asked; says whether nothing is left.
    pub(super) fn forget_unasked(&mut self, topic: TopicIx) -> bool {
        self.0.retain(|known| known.topic != topic || !known.asked.is_empty());
        self.0.is_empty()
    }

    /// Forgets what was asked and answered from a moment on; says whether nothing is left.
    pub(super) fn forget_from(&mut self, since: Timestamp) -> bool {
        for known in &mut self.0 {
            known.asked.retain(|at| *at < since);
            known.shown.retain(|(at, _)| *at < since);
            known.agreed_at.take_if(|at| since <= *at);
        }
        self.0.retain(|known| !known.asked.is_empty() || known.agreed_at.is_some());
        self.0.is_empty()
    }

    fn change(&mut self, topic: TopicIx, change: impl FnOnce(&mut Question)) {
        if let Some(known) = self.0.iter_mut().find(|known| known.topic == topic) {
            change(known);
            known.forget_answered();
            return;
        }
        let mut question =
            Question { topic, asked: SmallVec::new(), shown: Vec::new(), agreed_at: None };
        change(&mut question);
        question.forget_answered();
        self.0.push(question);
        self.0.sort_unstable_by_key(|known| known.topic);
    }
}

impl Question {
    /// Keeps no more than what a yes or a no may still be the answer to.
    fn forget_answered(&mut self) {
        let answered = self.asked.partition_point(|at| Some(*at) <= self.agreed_at);
        self.asked.drain(..answered.saturating_sub(1));
        // Of many the first says since when whoever answers may have been there.
        if self.asked.len() > ASKED_MAX {
            self.asked.remove(1);
        }
        let Self { asked, shown, .. } = self;
        shown.retain(|(at, _)| asked.contains(at));
    }
}
