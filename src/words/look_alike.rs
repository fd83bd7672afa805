//! Reads words in letters of other scripts as the Latin words they look like.
//!
//! `ЅТОР` in Cyrillic letters is STOP to every eye and to no comparison. What comes out is only
//! good for a doubt: a word of another language may look like one of ours by chance.

use icu_properties::{CodePointMapData, props::Script};
use unicode_security::confusable_detection::skeleton;

use super::{inside::is_unspaced, styled::small};

/// Returns a text in which each word that looks Latin from end to end and has a letter that is not
/// is written in Latin letters; nothing if there is no such word, or `is_known` knows all of them.
///
/// Costs time in proportion to the text; a word is left at the first letter that looks like no
/// Latin one.
///
/// Source: Unicode Technical Standard #39, section 4, for what looks alike.
pub(super) fn read_as_latin(visible: &str, is_known: impl Fn(&str) -> bool) -> Option<String> {
    if visible.is_ascii() {
        return None;
    }
    let (mut latin, mut word_in_latin) = (String::new(), String::new());
    let (mut copied, mut end) = (0, 0);
    for word in visible.split_inclusive(char::is_whitespace) {
        let start = end;
        end += word.len();
        word_in_latin.clear();
        if word.is_ascii() || !push_latin(&mut word_in_latin, word) || is_known(word) {
            continue;
        }
        latin.push_str(visible.get(copied..start).unwrap_or_default());
        latin.push_str(&word_in_latin);
        copied = end;
    }
    if copied == 0 {
        return None;
    }
    latin.push_str(visible.get(copied..).unwrap_or_default());
    Some(latin)
}

/// Writes a word in Latin letters; returns whether all of it looks Latin and some of it is not.
fn push_latin(latin: &mut String, word: &str) -> bool {
    let mut is_foreign = false;
    for c in word.chars() {
        if c.is_ascii() || !c.is_alphabetic() {
            latin.push(c);
            continue;
        }
        let Some(letter) = looks_like(c) else { return false };
        is_foreign |= CodePointMapData::<Script>::new().get(c) != Script::Latin;
        latin.push(letter);
    }
    is_foreign
}

/// Returns the ASCII letter that a letter looks like.
fn looks_like(c: char) -> Option<char> {
    if is_unspaced(c) {
        return None;
    }
    let mut buffer = [0; 4];
    let mut prototype = skeleton(c.encode_utf8(&mut buffer));
    let first = prototype.next().filter(|_| prototype.next().is_none())?;
    match small(first).unwrap_or(first) {
        // One prototype stands for the small l, the capital I and the digit.
        'l' if c.is_uppercase() => Some('I'),
        // The Greenlandic letter that Unicode takes for the prototype of к.
        'ĸ' => Some('k'),
        letter => letter.is_ascii_alphabetic().then_some(letter),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_look_latin_are_read_so_and_the_others_stay() {
        for (text, expected) in [
            ("ЅТОР", Some("STOP")),
            ("ѕтор!", Some("stop!")),
            ("да, SТΟР это", Some("да, STOP это")),
            ("ОРТ ОUТ", Some("OPT OUT")),
            ("UΝЅUВЅСRІВЕ", Some("UNSUBSCRIBE")),
            ("stop", None),
            ("štop é", None),
            ("стоп", None),
            ("ストップ ยกเลิก", None),
            ("рот", None),
        ] {
            assert_eq!(read_as_latin(text, |word| word == "рот").as_deref(), expected, "{text}");
        }
    }
}
