//! The word lists in the binary, and their form.

use super::{
    language::Language,
    word::{Inside, Meaning},
};

/// The list of one language.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct List {
    pub(super) language: Language,
    /// Its English name.
    pub(super) name: String,
    /// Whether people leave out all diacritics: each word then counts without them too.
    #[serde(default)]
    pub(super) bare: bool,
    /// What people add to a word without changing it: please, thanks, forms of address.
    #[serde(default)]
    pub(super) courtesies: Vec<String>,
    /// What makes a no of a sentence: words, or in scripts without spaces pieces of them.
    #[serde(default)]
    pub(super) negations: Vec<String>,
    pub(super) words: Vec<Group>,
}

/// Words that mean the same for the same reason.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Group {
    pub(super) means: Meaning,
    #[serde(default)]
    pub(super) inside: Inside,
    /// Overrides the list's.
    pub(super) bare: Option<bool>,
    /// Where the words come from, or why they mean this.
    pub(super) because: String,
    pub(super) list: Vec<String>,
}

/// A word to which languages give different meanings, and what it is taken for.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Conflict {
    pub(super) word: String,
    pub(super) means: Meaning,
    /// Countries, by their two letters, where people use the word otherwise every day: an opt-out
    /// by somebody with a number from there goes to review.
    #[serde(default)]
    pub(super) review_in: Vec<String>,
    pub(super) because: String,
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Conflicts {
    conflicts: Vec<Conflict>,
}

/// The lists by the name of their file. Those of no one language come first.
pub(super) const FILES: &[(&str, &str)] = &[
    ("und", include_str!("data/und.toml")),
    ("ar", include_str!("data/ar.toml")),
    ("bn", include_str!("data/bn.toml")),
    ("de", include_str!("data/de.toml")),
    ("en", include_str!("data/en.toml")),
    ("es", include_str!("data/es.toml")),
    ("fr", include_str!("data/fr.toml")),
    ("hi", include_str!("data/hi.toml")),
    ("id", include_str!("data/id.toml")),
    ("it", include_str!("data/it.toml")),
    ("ja", include_str!("data/ja.toml")),
    ("ko", include_str!("data/ko.toml")),
    ("ms", include_str!("data/ms.toml")),
    ("nl", include_str!("data/nl.toml")),
    ("pt", include_str!("data/pt.toml")),
    ("ru", include_str!("data/ru.toml")),
    ("th", include_str!("data/th.toml")),
    ("tl", include_str!("data/tl.toml")),
    ("tr", include_str!("data/tr.toml")),
    ("vi", include_str!("data/vi.toml")),
    ("zh", include_str!("data/zh.toml")),
];

const CONFLICTS: &str = include_str!("data/conflicts.toml");

/// Returns the lists, in the order of [`FILES`].
#[expect(clippy::expect_used, reason = "the files are part of the binary")]
pub(super) fn lists() -> Vec<List> {
    let parse = |(_, text): &(&str, &str)| toml::from_str(text).expect("a test parses every list");
    FILES.iter().map(parse).collect()
}

/// Returns what is decided about words that lists disagree on.
#[expect(clippy::expect_used, reason = "the file is part of the binary")]
pub(super) fn conflicts() -> Vec<Conflict> {
    toml::from_str::<Conflicts>(CONFLICTS).expect("a test parses the conflicts").conflicts
}
