//! What could not be read: counted by place, never quoted.

use std::{cell::RefCell, collections::BTreeMap};

/// A part of a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The whole.
    Body,
    /// One account's updates.
    Entry,
    /// One update.
    Change,
    /// What an update is about.
    Value,
    /// A person named beside messages.
    Contact,
    /// A message from a person.
    Message,
    /// A status of a message of ours.
    Status,
    /// A wish about marketing.
    Preference,
    /// An error.
    Fault,
    /// An answer of the Graph API.
    Answer,
}

/// How often which member of which part could not be read. There is a fixed number of both, so this
/// stays small whatever comes.
#[derive(Debug, Default)]
pub(in crate::whatsapp) struct Defects(RefCell<BTreeMap<(Part, &'static str), u32>>);

impl Defects {
    /// Counts one more.
    pub(in crate::whatsapp) fn note(&self, part: Part, member: &'static str) {
        let mut counts = self.0.borrow_mut();
        let count = counts.entry((part, member)).or_default();
        *count = count.saturating_add(1);
    }

    /// Returns the counts.
    pub(super) fn into_counts(self) -> BTreeMap<(Part, &'static str), u32> {
        self.0.into_inner()
    }
}
