//! Whom WhatsApp takes no message to: from anybody of the business, or from one sender.

use serde::{Deserialize, Serialize};

use crate::domain::{
    absorbed::Mark, event::Event, hearing::Told, names::SenderId, time::Timestamp,
};

/// The sender wrote to its own number: that says nothing of other senders.
///
/// Source: Meta, Error codes.
const TO_ITSELF: i64 = 131_021;

/// WhatsApp takes no message to the person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Barred {
    /// WhatsApp's code.
    pub code: i64,
    /// Since when, and the entry that recorded it.
    pub mark: Mark,
}

/// WhatsApp takes no message of one sender to the person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BarredBy {
    /// Whose.
    pub sender: SenderId,
    /// Why and since when.
    pub barred: Barred,
}

impl Barred {
    /// Returns the one sender that a failure of its message bars; `None` where it bars the business.
    pub fn only(code: i64, sender: Option<&SenderId>) -> Option<&SenderId> {
        sender.filter(|_| code == TO_ITSELF)
    }

    /// Returns the same of an entry.
    pub(crate) fn only_by(event: &Event) -> Option<&SenderId> {
        if let Event::Barred { code, sender, .. } = event {
            Self::only(*code, sender.as_ref())
        } else {
            None
        }
    }
}

impl Told {
    /// Returns what bars messages of a sender to the person, or of anybody.
    pub fn barred_for(&self, sender: Option<&SenderId>) -> Option<Barred> {
        self.barred.or_else(|| self.bar(Some(sender?)))
    }

    /// Returns whether anything does, for whichever sender.
    pub const fn has_bar(&self) -> bool {
        self.barred.is_some() || !self.barred_by.is_empty()
    }

    /// Returns what bars the messages of this sender alone, or else of the business.
    pub(crate) fn bar(&self, only: Option<&SenderId>) -> Option<Barred> {
        let Some(sender) = only else { return self.barred };
        self.barred_by.iter().find(|by| by.sender == *sender).map(|by| by.barred)
    }

    /// Puts that.
    pub(crate) fn put_bar(&mut self, only: Option<&SenderId>, barred: Option<Barred>) {
        let Some(sender) = only else {
            self.barred = barred;
            return;
        };
        self.barred_by.retain(|by| by.sender != *sender);
        if let Some(barred) = barred {
            self.barred_by.push(BarredBy { sender: sender.clone(), barred });
            self.barred_by.sort_unstable_by(|one, other| one.sender.cmp(&other.sender));
        }
    }

    /// Returns whether being barred at `at` is news.
    pub fn is_barred_anew(&self, only: Option<&SenderId>, at: Timestamp) -> bool {
        Mark::is_news(self.bar(only).map(|barred| barred.mark), at)
            && self.unbarred_at.is_none_or(|lifted| lifted < at)
    }

    /// Folds being barred in.
    pub(crate) fn fold_barred(&mut self, only: Option<&SenderId>, code: i64, mark: Mark) {
        if self.is_barred_anew(only, mark.at) {
            self.put_bar(only, Some(Barred { code, mark }));
        }
    }

    /// Folds in that somebody lifted it.
    pub(crate) fn fold_unbarred(&mut self, at: Timestamp) {
        self.barred = None;
        self.barred_by.clear();
        self.unbarred_at = self.unbarred_at.max(Some(at));
    }

    /// Takes over what bars another contact that is part of this one from now on.
    pub(super) fn join_bars(&mut self, theirs: &Self) {
        self.barred = self.barred.or(theirs.barred);
        for BarredBy { sender, barred } in &theirs.barred_by {
            if self.bar(Some(sender)).is_none() {
                self.put_bar(Some(sender), Some(*barred));
            }
        }
    }
}
