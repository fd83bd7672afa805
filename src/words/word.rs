//! What a listed word stands for.

use super::language::Language;

/// What a person who opts out no longer wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Any message at all.
    Everything,
    /// Advertising; other messages may go on.
    Marketing,
}

/// What a text means if it is the word and nothing else.
///
/// Ordered from the most to the least silent: where nobody decided between two, the smaller holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Meaning {
    /// The person wants no message at all.
    OptOutEverything,
    /// The person wants no advertising.
    OptOutMarketing,
    /// May be an opt-out and may be anything else: a person has to look.
    Review,
    /// An everyday word. Listed because another language gives it a meaning, or because it is one
    /// letter away from a word that has one.
    Ordinary,
    /// No, if there was a question.
    AnswerNo,
    /// Yes, if there was a question.
    AnswerYes,
    /// The person wants messages, asked or not.
    OptIn,
}

impl Meaning {
    /// Returns what an opt-out is about, and nothing for all other meanings.
    pub fn opt_out(self) -> Option<Scope> {
        match self {
            Self::OptOutEverything => Some(Scope::Everything),
            Self::OptOutMarketing => Some(Scope::Marketing),
            Self::Review | Self::Ordinary | Self::AnswerNo | Self::AnswerYes | Self::OptIn => None,
        }
    }
}

/// Where, apart from standing alone, an opt-out word is worth a look.
///
/// Ordered from the narrowest to the widest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Inside {
    /// Nowhere: the language uses it in every other sentence (`para`).
    Nowhere,
    /// In a short sentence: longer ones use it about other things (`cancel`).
    Sentence,
    /// In any text.
    #[default]
    Anywhere,
}

/// A way of writing a word, folded, and all that is known of it.
#[derive(Debug)]
pub(super) struct Entry {
    /// The word as its list writes it.
    pub(super) word: Box<str>,
    /// The languages that list it with this meaning, in order of their files.
    pub(super) languages: Vec<Language>,
    /// What it means alone.
    pub(super) meaning: Meaning,
    /// Where else it is worth a look.
    pub(super) inside: Inside,
    /// The countries where it only is a doubt.
    pub(super) review_in: Vec<Box<str>>,
}
