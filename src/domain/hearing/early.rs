//! What came before what it is about is known: statuses of messages before anybody said on which
//! tickets those were sent, and answers before the number and the user id that was asked are known to
//! be one person's.

use crate::domain::{
    event::{AnswerKept, EarlyStatus},
    hearing::Told,
    key::MessageKey,
    time::Timestamp,
};

/// So many statuses of messages to one person wait for their tickets: the latest.
const EARLY_MAX: usize = 32;

/// So many answers of one person wait: the latest.
const ANSWERS_MAX: usize = 4;

impl Told {
    /// Returns whether an answer is none of those kept, nor older than all of them.
    pub fn is_kept_news(&self, answer: &AnswerKept) -> bool {
        let is_full = self.answers.len() >= ANSWERS_MAX;
        let is_older = |first: &AnswerKept| answer.happened_at < first.happened_at;
        let is_past = is_full && self.answers.first().is_some_and(is_older);
        let is_same = |known: &AnswerKept| {
            (known.happened_at, known.is_yes) == (answer.happened_at, answer.is_yes)
        };
        !is_past && !self.answers.iter().any(is_same)
    }

    /// Folds an answer in.
    pub(crate) fn fold_kept(&mut self, answer: &AnswerKept) {
        if self.is_kept_news(answer) {
            self.answers.push(answer.clone());
            self.answers.sort_by_key(|one| (one.happened_at, one.is_yes));
            if self.answers.len() > ANSWERS_MAX {
                self.answers.remove(0);
            }
        }
    }

    /// Returns whether a status says more than what waits: of each step of a message the earliest.
    pub fn is_early_news(&self, status: &EarlyStatus) -> bool {
        let is_full = self.early.len() >= EARLY_MAX;
        let is_older = |first: &EarlyStatus| status.happened_at < first.happened_at;
        let is_past = is_full && self.early.first().is_some_and(is_older);
        let is_known =
            |known: &EarlyStatus| is_same(known, status) && known.happened_at <= status.happened_at;
        !is_past && !self.early.iter().any(is_known)
    }

    /// Returns what is known of a message that waits for its ticket, in the order of its steps.
    pub fn early(&self, message: MessageKey) -> impl Iterator<Item = &EarlyStatus> {
        let mut found: Vec<_> = self.early.iter().filter(|one| one.message == message).collect();
        found.sort_by_key(|one| one.step);
        found.into_iter()
    }

    /// Folds a status in.
    pub(crate) fn fold_early(&mut self, status: &EarlyStatus) {
        if !self.is_early_news(status) {
            return;
        }
        self.early.retain(|known| !is_same(known, status));
        self.early.push(status.clone());
        self.early.sort_by_key(|one| (one.happened_at, one.message, one.step));
        if self.early.len() > EARLY_MAX {
            self.early.remove(0);
        }
    }

    /// Forgets a message whose ticket is known now.
    pub(crate) fn drop_early(&mut self, message: MessageKey) {
        self.early.retain(|known| known.message != message);
    }
}

impl EarlyStatus {
    /// Returns when it happened, never ahead of `now`.
    pub fn at_by(&self, now: Timestamp) -> Timestamp {
        self.happened_at.min(now)
    }
}

fn is_same(one: &EarlyStatus, other: &EarlyStatus) -> bool {
    one.message == other.message && one.step == other.step
}
