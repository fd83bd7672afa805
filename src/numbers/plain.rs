//! Reading what needs no parser: a `+`, digits, and the marks people group them by.
//!
//! This is how most numbers come. Whatever else a text holds, or whatever could be read in another
//! way, is left to the parser; nothing is decided here that it would decide otherwise.

use super::{
    automaton::{self, Judgement},
    e164::{Builder, E164},
    number::Number,
};
use crate::limits;

/// Fewest digits of a national number.
///
/// Source: libphonenumber, `MIN_LENGTH_FOR_NSN`; the most are `MAX_LENGTH_FOR_NSN`.
const NATIONAL_LEN_MIN: usize = 2;
const NATIONAL_LEN_MAX: usize = 17;

/// Reads an international number with its `+`; `None` leaves the text to the parser.
#[inline]
pub(super) fn read(text: &str) -> Option<Number> {
    match text.strip_prefix('+').map(E164::from_digits) {
        Some(Ok(e164)) => as_written(e164),
        _ => read_grouped(text),
    }
}

fn read_grouped(text: &str) -> Option<Number> {
    if text.len() > limits::NUMBER_TEXT_CHARS_MAX {
        return None;
    }
    // Everything before the first `+` or digit is nothing to the parser either.
    let mut bytes = text.bytes().skip_while(|byte| matches!(byte, b' ' | b'('));
    if bytes.next() != Some(b'+') {
        return None;
    }
    of_digits(bytes)
}

/// Reads an international number without its `+`; `None` leaves it to the parser.
pub(super) fn read_digits(text: &str) -> Option<Number> {
    if text.len() > limits::NUMBER_TEXT_CHARS_MAX {
        return None;
    }
    of_digits(text.bytes())
}

fn of_digits(bytes: impl Iterator<Item = u8>) -> Option<Number> {
    let mut text = Builder::new();
    for byte in bytes {
        match byte {
            b'0'..=b'9' => text.push(byte).ok()?,
            b' ' | b'-' | b'.' | b'(' | b')' => {}
            _ => return None,
        }
    }
    as_written(text.finish().ok()?)
}

/// Judges a number, if the parser has no other way to read it.
#[inline]
fn as_written(e164: E164) -> Option<Number> {
    let judgement = automaton::judge(e164.digit_bytes())?;
    let is_read_as_written = !judgement.is_rewritable
        && (NATIONAL_LEN_MIN..=NATIONAL_LEN_MAX).contains(&judgement.national_len);
    is_read_as_written.then(|| number(e164, judgement, false))
}

/// Joins a number and what is known of it.
#[inline]
pub(super) fn number(e164: E164, judgement: Judgement, has_extension: bool) -> Number {
    let Judgement { length, kind, region, is_rewritable: _, national_len: _ } = judgement;
    Number { e164, length, kind, region, has_extension }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::numbers::google;

    #[test]
    fn grouped_digits_behind_a_plus_are_read() {
        for text in ["+12025550123", "+1 (202) 555-0123", " (+1) 202.555.0123", "+1-202-555-0123 -"]
        {
            assert_eq!(read(text).unwrap().e164().as_str(), "+12025550123", "{text}");
        }
        assert_eq!(read_digits("12025550123").unwrap().e164().as_str(), "+12025550123");
    }

    #[test]
    fn everything_else_is_left_to_the_parser() {
        for text in [
            "",
            "+",
            "12025550123",
            "++12025550123",
            "tel:+12025550123",
            "+1 202 555 0123 x9",
            "+1202555012３",
            "+62 8", // Too short a national number is an error, and errors are the parser's.
            "+99912345678",
            "+62 0812 3456 7890", // A trunk prefix, to be taken off.
            "+1202555012345678901",
            "+0012025550123",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
        assert_eq!(read(&format!("+12025550123{}", " ".repeat(239))), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]

        #[test]
        fn what_is_read_here_the_parser_reads_the_same(
            text in "[ (]{0,2}\\+[1-9][-0-9 .()]{2,20}",
            with_region: bool,
        ) {
            let region = with_region.then(|| crate::numbers::Region::parse("ID").ok()).flatten();
            if let Some(number) = read(&text) {
                prop_assert_eq!(google::read(&text, region), Ok(number));
            }
        }
    }
}
