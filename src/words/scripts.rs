//! Finds where one script ends and another begins inside what is written as one word.
//!
//! `STOPしてください` is two words without a space between them: people who write with two scripts
//! leave it out. Says nothing about what the words are.

use std::borrow::Cow;

use icu_properties::{CodePointMapData, props::Script};

use super::inside::is_unspaced;

/// Returns a folded text with a space at each change of script; borrowed if there is none.
///
/// Marks and other characters of no one script go with what is before them, digits between two
/// scripts with what is behind, and all scripts that put no spaces between words count as one. Costs
/// time in proportion to the text.
pub(super) fn apart(spaced: &str) -> Cow<'_, str> {
    if spaced.is_ascii() {
        return Cow::Borrowed(spaced);
    }
    let mut apart = String::new();
    let mut copied = 0;
    let mut before = None;
    let mut digits = None;
    for (at, c) in spaced.char_indices() {
        if c == ' ' {
            before = None;
        }
        let Some(script) = script(c) else {
            if c.is_ascii_digit() {
                digits = digits.or(Some(at));
            }
            continue;
        };
        let end = digits.take().unwrap_or(at);
        if before.replace(script).is_some_and(|before| before != script) {
            apart.push_str(spaced.get(copied..end).unwrap_or_default());
            apart.push(' ');
            copied = end;
        }
    }
    if copied == 0 {
        return Cow::Borrowed(spaced);
    }
    apart.push_str(spaced.get(copied..).unwrap_or_default());
    Cow::Owned(apart)
}

/// Returns the script that only this character's words are written in, or nothing.
fn script(c: char) -> Option<Script> {
    match c {
        'a'..='z' => Some(Script::Latin),
        _ if c.is_ascii() => None,
        // Prolonged sound marks and the like are of no one script to Unicode, and kana here.
        _ if is_unspaced(c) => Some(Script::Han),
        _ => {
            let script = CodePointMapData::<Script>::new().get(c);
            (!matches!(script, Script::Common | Script::Inherited | Script::Unknown))
                .then_some(script)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_two_scripts_come_apart() {
        for (text, expected) in [
            ("stopしてください", "stop してください"),
            ("はもうstopしてください", "はもう stop してください"),
            ("ขอstopครับ", "ขอ stop ครับ"),
            ("stop해주세요 now", "stop 해주세요 now"),
            ("stopকরুন", "stop করুন"),
            ("stopकरो", "stop करो"),
            ("توقفstop", "توقف stop"),
            ("стопplease", "стоп please"),
            ("stopー", "stop ー"),
            ("stop2回", "stop 2回"),
            ("3月stop2", "3月 stop2"),
            ("x2 2月stop", "x2 2月 stop"),
        ] {
            assert_eq!(apart(text), expected);
        }
    }

    #[test]
    fn words_of_one_script_stay_as_they_are() {
        for text in [
            "",
            "stop2",
            "dừng lại",
            "e\u{301}x\u{302}",
            "配信ストップする",
            "रोकें",
            "été 2 ストップ",
            "ค่ะ",
        ] {
            assert!(matches!(apart(text), Cow::Borrowed(same) if same == text), "{text}");
        }
    }
}
