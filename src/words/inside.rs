//! Finds opt-out words inside longer texts.
//!
//! Where a script puts spaces between words, only whole words count; where it does not, and in
//! Korean, which glues endings on, any place counts. A word also ends where its script does.

use std::borrow::Cow;

use aho_corasick::{AhoCorasick, MatchKind};

use super::{
    fold::Folded,
    lists::Table,
    scripts::apart,
    word::{Entry, Inside},
};

/// Most words of a short sentence.
const SENTENCE_WORDS_MAX: usize = 8;

/// Most characters of a short sentence in a script without spaces: about as much as eight words.
const SENTENCE_CHARS_MAX: usize = 24;

/// Fewest single letters in a row that may spell a word: two are an answer to something else.
pub(super) const LETTERS_MIN: usize = 3;

/// How many letters at the ends of a row may be words themselves: `I s t o p a`.
const RUN_ENDS: [(usize, usize); 4] = [(0, 0), (1, 0), (0, 1), (1, 1)];

/// How long a text is that holds a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sentence {
    /// Up to eight words.
    Short,
    /// Longer.
    Long,
}

/// Opt-out words by how they begin, and those of scripts without spaces.
#[derive(Debug)]
pub(super) struct InsideIndex {
    /// How many words the longest entry has that begins with this word.
    firsts: Table<usize>,
    /// Nothing, if there are no such words.
    unspaced: Option<AhoCorasick>,
    /// What each pattern of `unspaced` is.
    patterns: Vec<usize>,
}

impl InsideIndex {
    pub(super) fn of(keys: &Table<usize>, entries: &[Entry]) -> Self {
        let mut firsts = Table::<usize>::default();
        let mut unspaced = Vec::new();
        for (key, id) in keys {
            let is_sought = entries
                .get(*id)
                .is_some_and(|e| e.meaning.opt_out().is_some() && e.inside != Inside::Nowhere);
            if !is_sought {
                continue;
            }
            if key.chars().any(is_unspaced) {
                unspaced.push((&**key, *id));
            }
            let first = key.split(' ').next().unwrap_or(key);
            let words = firsts.entry(first.into()).or_default();
            *words = (*words).max(key.split(' ').count());
        }
        unspaced.sort_unstable();
        let searcher = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(unspaced.iter().map(|(key, _)| key));
        Self {
            firsts,
            unspaced: searcher.ok().filter(|_| !unspaced.is_empty()),
            patterns: unspaced.into_iter().map(|(_, id)| id).collect(),
        }
    }

    /// Returns the first word in the text that is worth a look in a text of its length.
    pub(super) fn find(
        &self,
        folded: &Folded,
        entries: &[Entry],
        keys: &Table<usize>,
    ) -> Option<(Sentence, usize)> {
        let sentence = length(folded);
        let is_sought = |id: &usize| {
            entries.get(*id).is_some_and(|entry| {
                entry.meaning.opt_out().is_some()
                    && match entry.inside {
                        Inside::Nowhere => false,
                        Inside::Sentence => sentence == Sentence::Short,
                        Inside::Anywhere => true,
                    }
            })
        };
        let found = self
            .whole_words(&folded.spaced, keys, &is_sought)
            .or_else(|| self.anywhere(&folded.joined, &is_sought))
            .or_else(|| {
                let apart = apart(&folded.spaced);
                let glued = match &apart {
                    Cow::Owned(apart) => self.whole_words(apart, keys, &is_sought),
                    Cow::Borrowed(_) => None,
                };
                let mut spelt = RUN_ENDS.iter().map_while(|ends| spelt(&apart, *ends));
                glued.or_else(|| spelt.find_map(|spelt| self.whole_words(&spelt, keys, &is_sought)))
            })?;
        Some((sentence, found))
    }

    fn whole_words(
        &self,
        spaced: &str,
        keys: &Table<usize>,
        is_sought: &impl Fn(&usize) -> bool,
    ) -> Option<usize> {
        let mut rest = spaced;
        loop {
            let (first, after) = rest.split_once(' ').unwrap_or((rest, ""));
            if let Some(most) = self.firsts.get(first) {
                let ends = rest.match_indices(' ').map(|(at, _)| at).chain([rest.len()]);
                let longest = ends
                    .take(*most)
                    .filter_map(|end| keys.get(rest.get(..end)?))
                    .filter(|id| is_sought(id))
                    .last();
                if longest.is_some() {
                    return longest.copied();
                }
            }
            if after.is_empty() {
                return None;
            }
            rest = after;
        }
    }

    fn anywhere(&self, joined: &str, is_sought: &impl Fn(&usize) -> bool) -> Option<usize> {
        if joined.is_ascii() {
            return None;
        }
        let found = self.unspaced.as_ref()?.find_iter(joined);
        found
            .filter_map(|m| self.patterns.get(m.pattern().as_usize()))
            .find(|id| is_sought(id))
            .copied()
    }
}

/// Returns a text with its single letters in a row as one word each, so many of them left out
/// before and behind; nothing if it has no such row. Two letters are no row.
fn spelt(spaced: &str, (before, behind): (usize, usize)) -> Option<String> {
    let is_letter = |word: &&str| word.chars().nth(1).is_none();
    let words = || spaced.split(' ');
    let mut row = 0;
    let is_spelt = |word: &str| {
        row = if is_letter(&word) { row + 1 } else { 0 };
        row >= LETTERS_MIN
    };
    if !words().any(is_spelt) {
        return None;
    }
    let words: Vec<&str> = words().collect();
    let mut spelt = String::with_capacity(spaced.len());
    for row in words.chunk_by(|one, next| is_letter(one) && is_letter(next)) {
        let joined = before + 1..row.len().saturating_sub(behind);
        for (at, word) in row.iter().enumerate() {
            let is_joined = row.len() >= LETTERS_MIN && joined.contains(&at);
            if !spelt.is_empty() && !is_joined {
                spelt.push(' ');
            }
            spelt.push_str(word);
        }
    }
    Some(spelt)
}

fn length(folded: &Folded) -> Sentence {
    let words = folded.spaced.split(' ').take(SENTENCE_WORDS_MAX + 1).count();
    let is_long = words > SENTENCE_WORDS_MAX
        || folded.joined.chars().filter(|c| is_unspaced(*c)).nth(SENTENCE_CHARS_MAX).is_some();
    if is_long { Sentence::Long } else { Sentence::Short }
}

/// Returns whether a character is of a script that puts no spaces between words, or glues endings
/// to them.
///
/// Source: Unicode blocks of Thai, Hangul, kana and Han.
pub(super) fn is_unspaced(c: char) -> bool {
    matches!(c,
        '\u{E00}'..='\u{E7F}'
        | '\u{1100}'..='\u{11FF}'
        | '\u{3040}'..='\u{31FF}'
        | '\u{3400}'..='\u{9FFF}'
        | '\u{AC00}'..='\u{D7FF}'
        | '\u{F900}'..='\u{FAFF}'
        | '\u{20000}'..='\u{3FFFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_letters_in_a_row_are_put_together() {
        for (text, ends, expected) in [
            ("s t o p please", (0, 0), Some("stop please")),
            ("now s t o p", (0, 0), Some("now stop")),
            ("i s t o p a bus a b c", (0, 0), Some("istopa bus abc")),
            ("i s t o p a bus", (1, 0), Some("i stopa bus")),
            ("i s t o p a bus", (0, 1), Some("istop a bus")),
            ("i s t o p a bus", (1, 1), Some("i stop a bus")),
            ("a b c", (1, 1), Some("a b c")),
            ("a b size c d", (0, 0), None),
            ("", (0, 0), None),
        ] {
            assert_eq!(spelt(text, ends).as_deref(), expected, "{text} {ends:?}");
        }
    }
}
