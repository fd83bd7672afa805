//! The lists held against themselves, and properties of reading.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::{
    data::{self, List},
    fold::{Folded, bare, fold},
    lists::{Addition, Builder, WordError, Words, spellings},
    reading::{Doubt, Reading},
    word::{Inside, Meaning, Scope},
};
use crate::limits::{CONSENT_TEXT_BYTES_MAX, CONSENT_WORD_BYTES_MAX};

fn read(text: &str) -> Reading<'static> {
    Words::built_in().read(text)
}

/// Returns each word with what its list gives it to mean.
fn listed() -> Vec<(String, Meaning)> {
    let groups = data::lists().into_iter().flat_map(|list| list.words);
    groups.flat_map(|group| group.list.into_iter().map(move |word| (word, group.means))).collect()
}

fn decisions() -> BTreeMap<String, Meaning> {
    data::conflicts().into_iter().map(|c| (fold(&c.word), c.means)).collect()
}

fn meaning(reading: Reading<'_>) -> Option<Meaning> {
    match reading {
        Reading::OptOut { scope: Scope::Everything, .. } => Some(Meaning::OptOutEverything),
        Reading::OptOut { scope: Scope::Marketing, .. } => Some(Meaning::OptOutMarketing),
        Reading::OptIn { answer_only: false, .. } => Some(Meaning::OptIn),
        Reading::OptIn { answer_only: true, .. } => Some(Meaning::AnswerYes),
        Reading::Decline { .. } => Some(Meaning::AnswerNo),
        Reading::NearMiss { why: Doubt::Ambiguous, .. } => Some(Meaning::Review),
        Reading::NearMiss { .. } => None,
        Reading::None => Some(Meaning::Ordinary),
    }
}

#[test]
fn every_file_parses_and_is_of_the_language_it_is_named_after() {
    for (list, (file, _)) in data::lists().iter().zip(data::FILES) {
        assert_eq!(list.language.as_str(), *file);
        assert!(!list.name.is_empty() && list.words.iter().all(|group| group.because.len() > 20));
    }
    assert_eq!(data::FILES.len(), 21);
}

#[test]
fn no_list_has_a_word_twice() {
    let mut twice = Vec::new();
    for List { language, words, .. } in data::lists() {
        let mut seen = BTreeSet::new();
        for word in words.iter().flat_map(|group| &group.list) {
            let keys = spellings(&Folded::of(word));
            if keys.into_iter().filter(|key| !seen.insert(key.clone())).count() > 0 {
                twice.push(format!("{language}: {word}"));
            }
        }
    }
    assert!(twice.is_empty(), "{twice:#?}");
}

#[test]
fn every_disagreement_is_decided_and_every_decision_needed() {
    let Builder { undecided, unneeded, .. } = Builder::built_in();
    assert!(undecided.is_empty(), "lists disagree on {undecided:#?}");
    assert!(unneeded.is_empty(), "no list disagrees on {unneeded:#?}");
}

#[test]
fn a_disagreement_is_seen() {
    let list = |language: &str, means: &str| -> List {
        let text = format!(
            "language = '{language}'\nname = 'X'\n[[words]]\nmeans = '{means}'\nbecause = ''\nlist = ['gaz']"
        );
        toml::from_str(&text).unwrap()
    };
    let lists = [list("aa", "opt_in"), list("bb", "opt_out_marketing")];
    assert_eq!(Builder::of(&lists, &[]).undecided, [Box::from("gaz")]);
    let words = Builder::of(&lists, &[]).finish();
    assert_eq!(meaning(words.read("gaz")), Some(Meaning::OptOutMarketing), "the silent side");
}

#[test]
fn every_word_reads_back_as_itself() {
    let decisions = decisions();
    let mut wrong = Vec::new();
    for (word, means) in listed() {
        let expected = decisions.get(&fold(&word)).copied().unwrap_or(means);
        let found = read(&word);
        let is_itself = match found {
            Reading::OptOut { word: found, .. }
            | Reading::OptIn { word: found, .. }
            | Reading::Decline { word: found, .. }
            | Reading::NearMiss { word: found, .. } => {
                bare(&fold(found)) == bare(&fold(&word))
                    || Folded::of(found).spaced == Folded::of(&word).spaced
            }
            Reading::None => true,
        };
        if meaning(found) != Some(expected) || !is_itself {
            wrong.push(format!("{word}: {expected:?}, but {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn words_of_bare_lists_count_without_diacritics() {
    let decisions = decisions();
    let mut wrong = Vec::new();
    for list in data::lists() {
        for group in list.words.iter().filter(|group| group.bare.unwrap_or(list.bare)) {
            for word in &group.list {
                let plain = bare(&fold(word)).into_owned();
                let expected = decisions.get(&plain).copied().unwrap_or(group.means);
                if meaning(read(&plain)) != Some(expected) {
                    wrong.push(format!("{word}: {expected:?}, but {:?}", read(&plain)));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_listed_word_is_short_enough_to_be_decorated() {
    for (word, _) in listed() {
        assert!(word.len() * 3 <= CONSENT_WORD_BYTES_MAX, "{word}");
    }
}

#[test]
fn an_answer_says_which_languages_and_which_word() {
    let Reading::OptOut { languages, word, scope, unmistakable: true } = read("berhenti!") else {
        panic!()
    };
    let languages: Vec<_> = languages.iter().map(ToString::to_string).collect();
    assert_eq!(
        (languages.join(" ").as_str(), word, scope),
        ("id ms", "berhenti", Scope::Everything)
    );
}

#[test]
fn a_doubt_says_why() {
    for (text, expected) in [
        ("basta", Doubt::Ambiguous),
        ("cancélar", Doubt::Diacritics),
        ("aufhoren", Doubt::Diacritics),
        ("stop pls kak", Doubt::Polite),
        ("unsubcribe", Doubt::Typo),
        ("unsubscirbe", Doubt::Typo),
        ("stoooop", Doubt::Typo),
        ("bus stop where?", Doubt::InSentence),
        ("请问怎么退订", Doubt::InSentence),
        ("the bus does not stop here on days when there is snow", Doubt::InText),
        ("🚫", Doubt::Sign),
        ("subscribe?", Doubt::Contradicted),
        ("subscribe 👎", Doubt::Contradicted),
    ] {
        let Reading::NearMiss { why, .. } = read(text) else { panic!("{text}: {:?}", read(text)) };
        assert_eq!(why, expected, "{text}");
    }
}

#[test]
fn a_message_too_long_for_a_word_is_only_searched() {
    let padded = |spaces: usize| format!("stop{}", " ".repeat(spaces));
    assert!(matches!(read(&padded(CONSENT_WORD_BYTES_MAX - 4)), Reading::OptOut { .. }));
    assert!(matches!(read(&padded(CONSENT_WORD_BYTES_MAX)), Reading::NearMiss { .. }));
    let far = |bytes: usize| format!("{} stop", "a".repeat(bytes));
    assert!(matches!(read(&far(CONSENT_TEXT_BYTES_MAX - 5)), Reading::NearMiss { .. }));
    assert_eq!(read(&far(CONSENT_TEXT_BYTES_MAX)), Reading::None);
    assert_eq!(read(&"é".repeat(CONSENT_TEXT_BYTES_MAX)), Reading::None, "cut between characters");
}

fn addition(word: &str, means: Meaning) -> Addition {
    serde_json::from_value(serde_json::json!({ "word": word, "means": "review" }))
        .map(|addition| Addition { means, ..addition })
        .unwrap()
}

#[test]
fn operators_add_and_remove_words() {
    let additions = [
        addition("Sumi-masu", Meaning::OptOutMarketing),
        addition("T", Meaning::OptOutEverything),
        addition("basta", Meaning::OptOutEverything),
    ];
    let words = Words::customised(&additions, &["STOP".into(), "opt out".into()]).unwrap();
    for (text, expected) in [
        ("sumi masu", Meaning::OptOutMarketing),
        ("SUMIMASU.", Meaning::OptOutMarketing),
        ("t", Meaning::OptOutEverything),
        ("basta", Meaning::OptOutEverything),
        ("unsubscribe", Meaning::OptOutEverything),
        ("hello", Meaning::Ordinary),
    ] {
        assert_eq!(meaning(words.read(text)), Some(expected), "{text}");
    }
    assert!(matches!(words.read("please sumimasu"), Reading::NearMiss { why: Doubt::Polite, .. }));
    assert!(!matches!(words.read("stop"), Reading::OptOut { .. }));
    assert_eq!(words.read("bus stop where?"), Reading::None);
    let Reading::OptOut { languages, .. } = words.read("t") else { panic!() };
    assert_eq!(languages.iter().map(ToString::to_string).collect::<Vec<_>>(), ["und"]);
}

#[test]
fn words_that_cannot_be_are_refused() {
    let add = |word: &str| Words::customised(&[addition(word, Meaning::OptIn)], &[]).err();
    assert_eq!(add("?!"), Some(WordError::Empty("?!".into())));
    let long = "x".repeat(CONSENT_WORD_BYTES_MAX + 1);
    assert_eq!(add(&long), Some(WordError::TooLong(long)));
    let two = [addition("hop", Meaning::OptIn), addition("HOP", Meaning::AnswerNo)];
    assert_eq!(Words::customised(&two, &[]).err(), Some(WordError::TwoMeanings("HOP".into())));
    let removals = ["stopp it".to_owned()];
    let error = Words::customised(&[], &removals).err();
    assert_eq!(error, Some(WordError::NotListed("stopp it".into())));
    let both = Words::customised(&[addition("Stop", Meaning::OptIn)], &["stop".into()]).err();
    assert_eq!(both, Some(WordError::AddedAndRemoved("Stop".into())));
}

#[test]
fn additions_are_read_from_settings() {
    let text = "word = 'nyet'\nmeans = 'opt_out_marketing'\nlanguage = 'ru'\ninside = 'nowhere'";
    let addition: Addition = toml::from_str(text).unwrap();
    assert_eq!((addition.language.as_str(), addition.inside), ("ru", Inside::Nowhere));
    assert!(toml::from_str::<Addition>("word = 'x'\nmeans = 'stop'").is_err());
}

fn any_word() -> impl Strategy<Value = (String, Meaning)> {
    prop::sample::select(listed())
}

/// Writes a word as `dice` have it: in other letters of the same meaning, with nothing visible
/// between them.
fn disguised(word: &str, dice: &[u8]) -> String {
    const INVISIBLE: &[char] = &[
        '\u{200B}', '\u{200C}', '\u{200D}', '\u{AD}', '\u{FEFF}', '\u{202E}', '\u{FE0F}',
        '\u{2060}',
    ];
    let mut text = String::new();
    for (c, die) in word.chars().zip(dice.iter().cycle()) {
        match (die % 4, c) {
            (1, c) => text.extend(c.to_uppercase()),
            (2, '!'..='~') => text.extend(char::from_u32(u32::from(c) + 0xFEE0)),
            (3, ' ') => text.push_str(" \u{a0}\t "),
            _ => text.push(c),
        }
        if die % 8 > 4 {
            text.push(INVISIBLE[usize::from(die / 8) % INVISIBLE.len()]);
        }
    }
    text
}

proptest! {
    #[test]
    fn a_disguised_word_is_the_word(
        (word, _) in any_word(),
        dice in prop::collection::vec(any::<u8>(), 1..20),
        before in "[ .,!*_~\"(«¡…-]{0,5}",
        after in "[ .,!*_~\")»。！،।-]{0,5}",
    ) {
        let text = format!("{before}{}{after}", disguised(&word, &dice));
        prop_assert_eq!(read(&text), read(&word), "{}", text);
    }

    #[test]
    fn dots_between_letters_change_nothing(word in prop::sample::select(vec!["stop", "baja", "iptal", "yes", "стоп", "退订"])) {
        let dotted: String = word.chars().flat_map(|c| [c, '.']).collect();
        prop_assert_eq!(read(&dotted), read(word));
    }

    #[test]
    fn a_slip_is_never_lost((word, means) in any_word(), at in any::<prop::sample::Index>()) {
        let letters: Vec<char> = word.chars().collect();
        prop_assume!(letters.iter().filter(|c| c.is_alphabetic()).count() >= 4);
        prop_assume!(means.opt_out().is_some());
        let mut slipped = letters.clone();
        slipped.insert(at.index(letters.len()), 'q');
        let text: String = slipped.into_iter().collect();
        prop_assert!(!matches!(read(&text), Reading::None), "{} for {}", text, word);
    }

    #[test]
    fn what_holds_a_plain_opt_out_is_never_lost(
        before in "[a-z]{1,9}( [a-z]{1,9}){0,20}",
        after in "( [a-z]{1,9}){0,20}",
    ) {
        for word in ["stop", "unsubscribe", "berhenti", "退订", "수신거부", "отписаться"] {
            let text = format!("{before} {word}{after}");
            prop_assert!(!matches!(read(&text), Reading::None), "{}", text);
        }
    }

    #[test]
    fn no_text_panics(text in any::<String>(), pieces in prop::collection::vec(any_word(), 0..8)) {
        read(&text);
        let sentence: Vec<_> = pieces.into_iter().map(|(word, _)| word).collect();
        read(&sentence.join(&text));
    }
}
