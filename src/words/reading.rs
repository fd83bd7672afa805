//! What a text means: the answer, and how it is reached.

use super::{
    fold::{Folded, bare, visible},
    inside::{LETTERS_MIN, Sentence},
    language::Language,
    lists::Words,
    look_alike::read_as_latin,
    word::{Entry, Inside, Meaning, Scope},
};
use crate::limits::{CONSENT_TEXT_BYTES_MAX, CONSENT_WORD_BYTES_MAX};

/// What a text means for consent. Borrows from the word lists, never from the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading<'w> {
    /// The person opts out. Nobody has to have asked.
    OptOut {
        /// Out of what.
        scope: Scope,
        /// The languages that list the word.
        languages: &'w [Language],
        /// The word as listed.
        word: &'w str,
        /// Whether nobody says the word about anything else: in any text it is worth a look.
        unmistakable: bool,
    },
    /// The person opts in, or says yes.
    OptIn {
        /// The languages that list the word.
        languages: &'w [Language],
        /// The word as listed.
        word: &'w str,
        /// Only a yes: it counts for nothing unless it answers a question that asked for it.
        answer_only: bool,
    },
    /// The person says no. It counts for nothing unless it answers a question.
    Decline {
        /// The languages that list the word.
        languages: &'w [Language],
        /// The word as listed.
        word: &'w str,
    },
    /// May be an opt-out, or an opt-in that is not certain: a person has to look.
    NearMiss {
        /// What keeps it from being certain.
        why: Doubt,
        /// The word it may be, as listed.
        word: &'w str,
        /// The languages that list the word.
        languages: &'w [Language],
        /// What the opt-out would be about; nothing if the word is not one.
        scope: Option<Scope>,
    },
    /// Nothing about consent.
    None,
}

/// Why a text is not certain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// The word has other uses, in its language or in another one.
    Ambiguous,
    /// The word with other diacritics than it should have.
    Diacritics,
    /// The word and courtesies that are not listed with it.
    Polite,
    /// One letter too many, too few, wrong or swapped, or one held down.
    Typo,
    /// A short sentence with the word in it.
    InSentence,
    /// A longer text with the word in it.
    InText,
    /// The word, alone or in a text, in letters of other scripts that look like its own.
    LookAlike,
    /// A sign of refusal and no word.
    Sign,
    /// An opt-in word with a question mark or a sign that contradicts it, or an opt-out word that
    /// is said of other things too, with a question mark.
    Contradicted,
}

impl Words {
    /// Decides what a text means.
    ///
    /// Costs time in proportion to the text, of which no more than
    /// [`CONSENT_TEXT_BYTES_MAX`] bytes are read; what is longer than
    /// [`CONSENT_WORD_BYTES_MAX`] is never a word, only possibly a text with one in it.
    pub fn read(&self, text: &str) -> Reading<'_> {
        self.read_from(text, None)
    }

    /// As [`Self::read`], of somebody with a number of this country, by its two letters: some words
    /// are an opt-out everywhere but there.
    pub fn read_from(&self, text: &str, country: Option<&str>) -> Reading<'_> {
        let text = beginning(text);
        let folded = Folded::of(text);
        if folded.is_empty() {
            return self.of_signs(&folded);
        }
        if text.len() <= CONSENT_WORD_BYTES_MAX
            && let Some(entry) = self.exact(&folded)
        {
            let is_doubt = entry.review_in.iter().any(|there| Some(&**there) == country);
            if is_doubt && entry.meaning.opt_out().is_some() {
                return doubtful(Doubt::Ambiguous, entry);
            }
            return certain(entry, &folded);
        }
        self.near(text, &folded)
    }

    /// Returns the word that the whole text is, also if it is an opt-out said over and over, or
    /// spelt out.
    fn exact(&self, folded: &Folded) -> Option<&Entry> {
        let found = self.find(&folded.joined).or_else(|| self.find(&folded.spaced));
        let is_out = |entry: &&Entry| entry.meaning.opt_out().is_some();
        found
            .or_else(|| self.find(once(&folded.spaced)?).filter(is_out))
            .or_else(|| self.find(&spelt_out(&folded.spaced)?).filter(is_out))
    }

    fn of_signs(&self, folded: &Folded) -> Reading<'_> {
        if folded.signs.is_stop() {
            return Reading::OptOut {
                scope: Scope::Everything,
                languages: self.no_language(),
                word: "🛑",
                unmistakable: true,
            };
        }
        if folded.signs.stop || folded.signs.refusal {
            return Reading::NearMiss {
                why: Doubt::Sign,
                word: "🛑",
                languages: self.no_language(),
                scope: Some(Scope::Everything),
            };
        }
        Reading::None
    }

    fn near(&self, text: &str, folded: &Folded) -> Reading<'_> {
        if folded.joined.len() <= CONSENT_WORD_BYTES_MAX {
            let misaccented = self.find_bare(&bare(&folded.joined));
            let doubt = misaccented
                .map(|entry| (Doubt::Diacritics, entry))
                .or_else(|| Some((Doubt::Polite, self.without_courtesies(&folded.spaced)?)))
                .or_else(|| Some((Doubt::Typo, self.typo(&folded.joined)?)));
            if let Some((why, entry)) = doubt {
                return doubtful(why, entry);
            }
        }
        match self.inside(folded) {
            Some((Sentence::Short, entry)) => doubtful(Doubt::InSentence, entry),
            Some((Sentence::Long, entry)) => doubtful(Doubt::InText, entry),
            None => self.look_alike(text),
        }
    }

    /// What a text is in the Latin letters that its letters look like: never more than a doubt.
    fn look_alike(&self, text: &str) -> Reading<'_> {
        let is_listed = |word: &str| self.exact(&Folded::of(word)).is_some();
        let Some(latin) = read_as_latin(&visible(text), is_listed) else { return Reading::None };
        let latin = Folded::of(&latin);
        let whole = self.exact(&latin).filter(|entry| entry.meaning.opt_out().is_some());
        let found = whole.or_else(|| Some(self.inside(&latin)?.1));
        found.map_or(Reading::None, |entry| doubtful(Doubt::LookAlike, entry))
    }

    /// Returns the word that is left when courtesies are taken away, if there were any.
    fn without_courtesies(&self, spaced: &str) -> Option<&Entry> {
        let mut words = spaced.split(' ').filter(|word| !self.is_courtesy(word));
        let mut left = String::with_capacity(spaced.len());
        left.push_str(words.next()?);
        for word in words {
            left.push(' ');
            left.push_str(word);
        }
        let entry = if left.len() < spaced.len() { self.find(&left) } else { None };
        let is_one =
            |entry: &&Entry| entry.meaning.opt_out().is_some() || entry.meaning == Meaning::Review;
        entry.filter(is_one)
    }
}

fn certain<'w>(entry: &'w Entry, folded: &Folded) -> Reading<'w> {
    let (languages, word): (&[Language], &str) = (&entry.languages, &entry.word);
    let signs = folded.signs;
    let is_contradicted = signs.question || signs.refusal || signs.stop;
    let unmistakable = entry.inside == Inside::Anywhere;
    let out = |scope| Reading::OptOut { scope, languages, word, unmistakable };
    match entry.meaning {
        // "cancelar?" asks whether something can be cancelled.
        Meaning::OptOutEverything | Meaning::OptOutMarketing if signs.question && !unmistakable => {
            doubtful(Doubt::Contradicted, entry)
        }
        Meaning::OptOutEverything => out(Scope::Everything),
        Meaning::OptOutMarketing => out(Scope::Marketing),
        Meaning::Review => doubtful(Doubt::Ambiguous, entry),
        Meaning::Ordinary => Reading::None,
        Meaning::AnswerNo => Reading::Decline { languages, word },
        Meaning::OptIn if is_contradicted => doubtful(Doubt::Contradicted, entry),
        // "ok?" is talk, and no answer.
        Meaning::AnswerYes if is_contradicted => Reading::None,
        Meaning::OptIn => Reading::OptIn { languages, word, answer_only: false },
        Meaning::AnswerYes => Reading::OptIn { languages, word, answer_only: true },
    }
}

fn doubtful(why: Doubt, entry: &Entry) -> Reading<'_> {
    let Entry { word, languages, meaning, inside: _, review_in: _ } = entry;
    Reading::NearMiss { why, word, languages, scope: meaning.opt_out() }
}

/// Returns as much of a text as is read.
fn beginning(text: &str) -> &str {
    text.get(..text.floor_char_boundary(CONSENT_TEXT_BYTES_MAX)).unwrap_or(text)
}

/// Returns the word that a text says over and over: `stop stop stop`.
fn once(spaced: &str) -> Option<&str> {
    let (first, rest) = spaced.split_once(' ')?;
    rest.split(' ').all(|word| word == first).then_some(first)
}

/// Returns the word whose letters a text has one by one: `s t o p`.
fn spelt_out(spaced: &str) -> Option<String> {
    let letters: Option<Vec<char>> = spaced
        .split(' ')
        .map(|word| {
            let mut letters = word.chars();
            letters.next().filter(|_| letters.next().is_none())
        })
        .collect();
    letters.filter(|letters| letters.len() >= LETTERS_MIN).map(|all| all.into_iter().collect())
}
