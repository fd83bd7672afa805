//! Text that is not quite Unicode, made so: one half emoji must not cost a thousand updates.
//!
//! Phones cut names and messages in the middle of a surrogate pair, and strict readers refuse the
//! whole body for it. Only what cannot be a character is replaced, by U+FFFD.

/// Returns the text with every byte that is not UTF-8, and every escape that is half of a
/// surrogate pair, replaced by U+FFFD.
pub(super) fn mended(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let mut whole = String::with_capacity(text.len());
    let mut rest = &*text;
    while let Some((before, from)) = split_at_escape(rest) {
        whole.push_str(before);
        rest = from;
        let Some(unit) = unit(rest) else {
            rest = pass(rest, 2, &mut whole);
            continue;
        };
        let after = rest.get(6..).unwrap_or_default();
        let is_pair =
            (0xD800..0xDC00).contains(&unit) && matches!(self::unit(after), Some(0xDC00..=0xDFFF));
        if is_pair {
            rest = pass(rest, 12, &mut whole);
        } else if (0xD800..0xE000).contains(&unit) {
            whole.push_str("\\ufffd");
            rest = after;
        } else {
            rest = pass(rest, 6, &mut whole);
        }
    }
    whole.push_str(rest);
    whole
}

/// Splits before the next backslash.
fn split_at_escape(text: &str) -> Option<(&str, &str)> {
    text.split_at_checked(text.find('\\')?)
}

/// Returns the code unit of an escape such as `\ud83d` at the front.
fn unit(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_hex { u16::from_str_radix(digits, 16).ok() } else { None }
}

/// Copies `len` bytes, or one character after the backslash where that would cut one.
fn pass<'t>(text: &'t str, len: usize, whole: &mut String) -> &'t str {
    let second = text.chars().nth(1).map_or(0, char::len_utf8);
    let (head, tail) = text
        .split_at_checked(len)
        .or_else(|| text.split_at_checked(1 + second))
        .unwrap_or((text, ""));
    whole.push_str(head);
    tail
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &[u8]) -> String {
        serde_json::from_str::<String>(&mended(text)).unwrap()
    }

    #[test]
    fn a_half_pair_becomes_the_replacement_character_and_the_rest_stays() {
        for (text, meant) in [
            (&br#""\ud83d\ude00""#[..], "\u{1f600}"),
            (br#""a\ud83d""#, "a\u{fffd}"),
            (br#""\ude00b""#, "\u{fffd}b"),
            (br#""\ud83d\ud83d\ude00""#, "\u{fffd}\u{1f600}"),
            (br#""\ud83d\u0041""#, "\u{fffd}A"),
            (br#""\\ud83d""#, "\\ud83d"),
            (br#""\\\ud83d\n""#, "\\\u{fffd}\n"),
            (b"\"caf\xe9\"", "caf\u{fffd}"),
        ] {
            assert_eq!(read(text), meant);
        }
    }

    proptest! {
        #[test]
        fn sound_json_is_left_as_it_is(text in any::<String>()) {
            let json = serde_json::to_string(&text).unwrap();
            prop_assert_eq!(mended(json.as_bytes()), json);
        }

        #[test]
        fn no_bytes_make_it_panic(text in prop::collection::vec(any::<u8>(), 0..100)) {
            drop(mended(&text));
        }

        #[test]
        fn every_backslash_may_be_followed_by_anything(text in r"(\\|u|d8|dc|00|é|😀){0,20}") {
            drop(mended(text.as_bytes()));
        }
    }
}
