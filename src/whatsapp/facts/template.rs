//! What WhatsApp says about templates.
//!
//! Source: Meta, webhook references `message_template_status_update`,
//! `message_template_quality_update`, `template_category_update`, and "Template pausing";
//! read November 2026.

use crate::domain::{
    names,
    registry::{Category, Quality},
    time::{HOUR_MS, Timestamp},
};

/// Which template, in which language. At least one of id and name is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateKey {
    /// Its id at WhatsApp; belongs to one language.
    pub id: Option<u64>,
    /// Its name, shared by all its languages.
    pub name: Option<names::TemplateName>,
    /// The language.
    pub language: Option<names::Language>,
}

/// A template's state changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateStatus {
    /// Which.
    pub template: TemplateKey,
    /// What it is from now on.
    pub event: TemplateEvent,
    /// What it is filed under.
    pub category: Option<Category>,
    /// Why, such as `INVALID_FORMAT`; `NONE` is left out.
    pub reason: Option<Box<str>>,
    /// Which pause, or that it is over.
    pub pause: Option<PauseKind>,
    /// Start of the day on which it is disabled, in UTC.
    pub disabled_on: Option<Timestamp>,
}

/// A template's state. Only `Approved` and `Reinstated` can be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TemplateEvent {
    /// It can be sent.
    Approved,
    /// It was put away.
    Archived,
    /// It is gone.
    Deleted,
    /// It is disabled for good.
    Disabled,
    /// It will be disabled soon. An old word.
    Flagged,
    /// Its rejection is being looked at again.
    InAppeal,
    /// There are too many templates.
    LimitExceeded,
    /// It cannot be edited.
    Locked,
    /// It cannot be sent for a while.
    Paused,
    /// It is being reviewed.
    Pending,
    /// It will be gone soon.
    PendingDeletion,
    /// It can be sent again.
    Reinstated,
    /// It was refused.
    Rejected,
    /// Something else, by WhatsApp's word for it.
    Other(Box<str>),
}

/// Every event with its word.
static EVENTS: [(&str, TemplateEvent); 13] = [
    ("APPROVED", TemplateEvent::Approved),
    ("ARCHIVED", TemplateEvent::Archived),
    ("DELETED", TemplateEvent::Deleted),
    ("DISABLED", TemplateEvent::Disabled),
    ("FLAGGED", TemplateEvent::Flagged),
    ("IN_APPEAL", TemplateEvent::InAppeal),
    ("LIMIT_EXCEEDED", TemplateEvent::LimitExceeded),
    ("LOCKED", TemplateEvent::Locked),
    ("PAUSED", TemplateEvent::Paused),
    ("PENDING", TemplateEvent::Pending),
    ("PENDING_DELETION", TemplateEvent::PendingDeletion),
    ("REINSTATED", TemplateEvent::Reinstated),
    ("REJECTED", TemplateEvent::Rejected),
];

impl TemplateEvent {
    /// Returns WhatsApp's word in upper case; one this build does not know is as it came.
    pub fn word(&self) -> &str {
        if let Self::Other(word) = self {
            return word;
        }
        EVENTS.iter().find(|(_, event)| event == self).map_or("", |(word, _)| *word)
    }

    /// Returns the event of this word, in any case.
    pub(in crate::whatsapp) fn of_word(word: &str) -> Self {
        let known = EVENTS.iter().find(|(known, _)| known.eq_ignore_ascii_case(word));
        known.map_or_else(|| Self::Other(word.into()), |(_, event)| event.clone())
    }
}

/// Which pause a template is in, or that it is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PauseKind {
    /// The first: three hours.
    First,
    /// The second: six hours. The third time it is disabled.
    Second,
    /// Since too many messages were sent too soon; ends only when it is taken back by hand.
    RateLimiting,
    /// It is over.
    Unpause,
    /// It is disabled.
    Disabled,
    /// Something else, by WhatsApp's word for it.
    Other(Box<str>),
}

impl PauseKind {
    /// Returns after how many milliseconds the pause ends by itself, if it does.
    ///
    /// Source: Meta, "Template pausing" (3 hours, then 6); read November 2026.
    pub const fn lasts_ms(&self) -> Option<i64> {
        match self {
            Self::First => Some(3 * HOUR_MS),
            Self::Second => Some(6 * HOUR_MS),
            Self::RateLimiting | Self::Unpause | Self::Disabled | Self::Other(_) => None,
        }
    }

    /// Returns the kind of this word.
    pub(in crate::whatsapp) fn of_word(word: &str) -> Self {
        match word.to_ascii_uppercase().as_str() {
            "FIRST_PAUSE" => Self::First,
            "SECOND_PAUSE" => Self::Second,
            "RATE_LIMITING_PAUSE" => Self::RateLimiting,
            "UNPAUSE" => Self::Unpause,
            "DISABLED" => Self::Disabled,
            _ => Self::Other(word.into()),
        }
    }
}

/// A template's quality changed. Any quality can be sent while the template is approved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateQuality {
    /// Which.
    pub template: TemplateKey,
    /// What it was.
    pub previous: Option<Quality>,
    /// What it is.
    pub new: Quality,
}

/// A template is filed under another category, or will be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TemplateCategory {
    /// It will be, a day from now.
    Impending {
        /// Which.
        template: TemplateKey,
        /// What it is filed under now; WhatsApp calls this one "new".
        current: Option<Category>,
        /// What it will be filed under.
        coming: Option<Category>,
        /// From when on.
        from: Option<Timestamp>,
    },
    /// It is.
    Done {
        /// Which.
        template: TemplateKey,
        /// What it was filed under.
        previous: Option<Category>,
        /// What it is filed under now.
        current: Option<Category>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_in_any_case_and_give_their_word_back() {
        for (word, event) in &EVENTS {
            assert_eq!(TemplateEvent::of_word(&word.to_lowercase()), *event);
            assert_eq!(event.word(), *word);
        }
        let other = TemplateEvent::of_word("Something");
        assert_eq!(other, TemplateEvent::Other("Something".into()));
        assert_eq!(other.word(), "Something");
    }

    #[test]
    fn only_the_first_two_pauses_end_by_themselves() {
        assert_eq!(PauseKind::of_word("first_pause").lasts_ms(), Some(10_800_000));
        assert_eq!(PauseKind::of_word("SECOND_PAUSE").lasts_ms(), Some(21_600_000));
        assert_eq!(PauseKind::of_word("RATE_LIMITING_PAUSE").lasts_ms(), None);
    }
}
