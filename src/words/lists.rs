//! The words by what people type: built once, then only asked.

use std::{
    collections::BTreeMap,
    hash::{BuildHasherDefault, DefaultHasher},
    sync::LazyLock,
};

use hashbrown::{HashMap, HashSet};

use super::{
    data::{self, Conflict, List},
    fold::{Folded, bare},
    inside::{InsideIndex, is_unspaced},
    language::Language,
    scripts::apart,
    typo::TypoIndex,
    word::{Entry, Inside, Meaning},
};
use crate::limits::CONSENT_WORD_BYTES_MAX;

/// The keys are fixed when the table is built, so nobody outside can choose them to collide.
type Hasher = BuildHasherDefault<DefaultHasher>;
pub(super) type Table<V> = HashMap<Box<str>, V, Hasher>;

/// A word an operator adds. It wins over what is built in.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Addition {
    /// The word or phrase, in any case.
    pub word: String,
    /// What it means alone.
    pub means: Meaning,
    /// Its language; `und` if not said.
    #[serde(default = "Language::undetermined")]
    pub language: Language,
    /// Where else an opt-out word is worth a look; anywhere if not said.
    #[serde(default)]
    pub inside: Inside,
}

/// Why words cannot be added or removed. Shows the word, which is a setting.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WordError {
    /// Not a list of words to add and to remove.
    #[error("it does not say which words to `add` and to `remove`: {0}")]
    NotChanges(String),
    /// Only punctuation, signs or invisible characters.
    #[error("the consent word {0:?} has no letter or digit")]
    Empty(String),
    /// Longer than a message can be that is read as a word.
    #[error("the consent word {0:?} is longer than {CONSENT_WORD_BYTES_MAX} bytes")]
    TooLong(String),
    /// Added twice, to mean two things.
    #[error("the consent word {0:?} is added with two meanings")]
    TwoMeanings(String),
    /// Removed, but not there: a slip of the pen would otherwise leave the word in force.
    #[error("the consent word {0:?} cannot be removed, since no list has it")]
    NotListed(String),
    /// Removed and added.
    #[error("the consent word {0:?} is both added and removed")]
    AddedAndRemoved(String),
}

/// The word lists, ready to be asked. Never changes.
#[derive(Debug)]
pub struct Words {
    entries: Vec<Entry>,
    keys: Table<usize>,
    /// Opt-out words without their diacritics, also where a list does not take them so.
    bare: Table<usize>,
    courtesies: HashSet<Box<str>, Hasher>,
    negations: Vec<Box<str>>,
    typos: TypoIndex,
    inside: InsideIndex,
    no_language: [Language; 1],
}

static BUILT_IN: LazyLock<Words> = LazyLock::new(|| Builder::built_in().finish());

impl Words {
    /// Returns the lists as shipped.
    pub fn built_in() -> &'static Self {
        &BUILT_IN
    }

    /// Returns the shipped lists without the words removed and with those added.
    ///
    /// # Errors
    ///
    /// [`WordError`], if a word cannot be one, or the two lists contradict themselves or each
    /// other.
    pub fn customised(additions: &[Addition], removals: &[String]) -> Result<Self, WordError> {
        let mut builder = Builder::built_in();
        let mut removed = HashSet::<_, Hasher>::default();
        for word in removals {
            let keys = spellings(&checked(word)?);
            if !keys.iter().any(|key| builder.keys.remove(key).is_some()) {
                return Err(WordError::NotListed(word.clone()));
            }
            removed.extend(keys);
        }
        let mut added = BTreeMap::new();
        for Addition { word, means, language, inside } in additions {
            for key in spellings(&checked(word)?) {
                if removed.contains(&key) {
                    return Err(WordError::AddedAndRemoved(word.clone()));
                }
                if added.insert(key.clone(), means).is_some_and(|before| before != means) {
                    return Err(WordError::TwoMeanings(word.clone()));
                }
                builder.keys.insert(
                    key,
                    Entry {
                        word: word.as_str().into(),
                        languages: vec![language.clone()],
                        meaning: *means,
                        inside: *inside,
                        review_in: Vec::new(),
                    },
                );
            }
        }
        Ok(builder.finish())
    }

    /// Returns what is known of a folded text.
    pub(super) fn find(&self, folded: &str) -> Option<&Entry> {
        self.entries.get(*self.keys.get(folded)?)
    }

    /// Returns the opt-out word that is this without its diacritics.
    pub(super) fn find_bare(&self, plain: &str) -> Option<&Entry> {
        self.entries.get(*self.bare.get(plain)?)
    }

    pub(super) fn is_courtesy(&self, folded_word: &str) -> bool {
        self.courtesies.contains(folded_word)
    }

    /// Returns whether a text says no to something. What it says no to, it does not tell.
    pub fn negates(&self, text: &str) -> bool {
        let folded = Folded::of(text);
        let joined = format!(" {} ", folded.joined);
        let spaced = format!(" {} ", apart(&folded.spaced));
        self.negations.iter().any(|one| joined.contains(&**one) || spaced.contains(&**one))
    }

    /// Returns the opt-out word that is one slip of the finger away.
    pub(super) fn typo(&self, joined: &str) -> Option<&Entry> {
        self.entries.get(self.typos.find(joined, &self.entries)?)
    }

    /// Returns an opt-out word that the text holds.
    pub(super) fn inside(&self, folded: &Folded) -> Option<(super::inside::Sentence, &Entry)> {
        let (sentence, id) = self.inside.find(folded, &self.entries, &self.keys)?;
        Some((sentence, self.entries.get(id)?))
    }

    /// Returns the language of signs.
    pub(super) fn no_language(&self) -> &[Language] {
        &self.no_language
    }
}

/// Returns a word folded, if it can be one.
fn checked(word: &str) -> Result<Folded, WordError> {
    let folded = Folded::of(word);
    if folded.is_empty() {
        return Err(WordError::Empty(word.to_owned()));
    }
    if word.len().max(folded.spaced.len()) > CONSENT_WORD_BYTES_MAX {
        return Err(WordError::TooLong(word.to_owned()));
    }
    Ok(folded)
}

/// Returns what people type for a word, apart from diacritics: one or two texts.
pub(super) fn spellings(folded: &Folded) -> Vec<Box<str>> {
    let mut keys = vec![Box::from(folded.joined.as_str())];
    if folded.spaced != folded.joined {
        keys.push(folded.spaced.as_str().into());
    }
    keys
}

/// The words by spelling, while lists are still being put together.
pub(super) struct Builder {
    keys: BTreeMap<Box<str>, Entry>,
    courtesies: HashSet<Box<str>, Hasher>,
    /// What makes a no of a sentence, between spaces where it is a word of its own.
    negations: Vec<Box<str>>,
    /// Spellings on which lists disagree and nobody decided.
    #[cfg_attr(not(test), expect(dead_code, reason = "the lists shipped have none: a test asks"))]
    pub(super) undecided: Vec<Box<str>>,
    /// Decisions that no disagreement needs.
    #[cfg_attr(not(test), expect(dead_code, reason = "the lists shipped have none: a test asks"))]
    pub(super) unneeded: Vec<String>,
}

impl Builder {
    pub(super) fn built_in() -> Self {
        Self::of(&data::lists(), &data::conflicts())
    }

    pub(super) fn of(lists: &[List], conflicts: &[Conflict]) -> Self {
        let mut claims: BTreeMap<Box<str>, Vec<Entry>> = BTreeMap::new();
        let mut courtesies = HashSet::default();
        let mut negations = Vec::new();
        for list in lists {
            negations.extend(list.negations.iter().flat_map(|text| negation(text)));
            courtesies.extend(
                list.courtesies
                    .iter()
                    .flat_map(|text| spellings(&Folded::of(text)))
                    .flat_map(|text| text.split(' ').map(Box::from).collect::<Vec<_>>()),
            );
            for (key, entry) in claims_of(list) {
                claims.entry(key).or_default().push(entry);
            }
        }
        let mut decided: BTreeMap<String, (&Conflict, bool)> = conflicts
            .iter()
            .map(|conflict| (Folded::of(&conflict.word).joined, (conflict, false)))
            .collect();
        let mut undecided = Vec::new();
        let mut keys = BTreeMap::new();
        for (key, claims) in claims {
            let is_conflict = claims
                .windows(2)
                .any(|pair| matches!(pair, [one, other] if one.meaning != other.meaning));
            let decision = decided.get_mut(&*key).filter(|_| is_conflict).map(|decision| {
                decision.1 = true;
                decision.0
            });
            if is_conflict && decision.is_none() {
                undecided.push(key.clone());
            }
            if let Some(entry) = merged(claims, decision) {
                keys.insert(key, entry);
            }
        }
        let unneeded = decided
            .into_iter()
            .filter_map(|(word, (_, is_needed))| (!is_needed).then_some(word))
            .collect();
        Self { keys, courtesies, negations, undecided, unneeded }
    }

    pub(super) fn finish(self) -> Words {
        let Self { keys: words, courtesies, negations, undecided: _, unneeded: _ } = self;
        let mut entries = Vec::with_capacity(words.len());
        let mut keys = Table::default();
        let mut plain = Table::default();
        for (id, (key, entry)) in words.into_iter().enumerate() {
            if entry.meaning.opt_out().is_some() {
                plain.entry(bare(&key).into()).or_insert(id);
            }
            keys.insert(key, id);
            entries.push(entry);
        }
        let typos = TypoIndex::of(&keys, &entries);
        let inside = InsideIndex::of(&keys, &entries);
        let no_language = [Language::undetermined()];
        Words { entries, keys, bare: plain, courtesies, negations, typos, inside, no_language }
    }
}

/// Returns every spelling that a list gives a meaning to.
fn claims_of(list: &List) -> Vec<(Box<str>, Entry)> {
    let mut claims = Vec::new();
    for group in &list.words {
        for word in &group.list {
            let mut keys = spellings(&Folded::of(word));
            if group.bare.unwrap_or(list.bare) {
                let plain: Vec<Box<str>> = keys.iter().map(|key| bare(key).into()).collect();
                keys.extend(plain);
                keys.sort();
                keys.dedup();
            }
            claims.extend(keys.into_iter().map(|key| {
                let entry = Entry {
                    word: word.as_str().into(),
                    languages: vec![list.language.clone()],
                    meaning: group.means,
                    inside: group.inside,
                    review_in: Vec::new(),
                };
                (key, entry)
            }));
        }
    }
    claims
}

/// Puts together what the lists say of one spelling: the decision, or the most silent meaning; the
/// languages that agree with it, or all if none does; the narrowest place.
fn merged(claims: Vec<Entry>, decision: Option<&Conflict>) -> Option<Entry> {
    let decided = decision.map(|decision| decision.means);
    let meaning = decided.or_else(|| claims.iter().map(|claim| claim.meaning).min())?;
    let review_in = decision.into_iter().flat_map(|decision| &decision.review_in);
    let review_in = review_in.map(|country| country.as_str().into()).collect();
    let inside = claims.iter().map(|claim| claim.inside).min()?;
    let (agreeing, others): (Vec<_>, Vec<_>) =
        claims.into_iter().partition(|claim| claim.meaning == meaning);
    let mut speaking = if agreeing.is_empty() { others } else { agreeing };
    let mut languages: Vec<Language> =
        speaking.iter_mut().flat_map(|claim| std::mem::take(&mut claim.languages)).collect();
    languages.dedup();
    let word = speaking.into_iter().next()?.word;
    Some(Entry { word, languages, meaning, inside, review_in })
}

/// Returns how a negation is sought: between spaces, or anywhere in a script that has none.
fn negation(text: &str) -> Vec<Box<str>> {
    spellings(&Folded::of(text))
        .into_iter()
        .map(|key| if key.chars().any(is_unspaced) { key } else { format!(" {key} ").into() })
        .collect()
}
