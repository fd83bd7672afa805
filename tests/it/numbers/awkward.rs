//! A fixed number of awkward texts through everything the fuzzer checks.
//!
//! The fuzzer itself (`scripts/fuzz`) runs as long as it is let, and also measures.

use izin::numbers::Region;
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom as _};

use super::rows::{Row, corpus};
use crate::numbers_fuzz::check::check;

/// Texts checked in a run of the tests.
const CASES: usize = 10_000;

/// What parsers trip over.
const TOKENS: &[&str] = &[
    "tel:",
    ";phone-context=",
    ";phone-context=+62",
    ";ext=",
    ";isub=",
    "+",
    "++",
    "\u{FF0B}",
    "x",
    "X",
    "#",
    "ext. 12",
    "доб ",
    "anexo",
    ",,",
    ";",
    "0",
    "00",
    "011",
    "8~10",
    "(",
    ")",
    "-",
    ".",
    "/",
    " / x",
    "\\ x",
    "*",
    "~",
    "\u{FF5E}",
    "\u{2053}",
    "\u{AD}",
    "\u{200B}",
    "\u{200F}",
    "\u{202A}",
    "\u{A0}",
    "\u{3000}",
    "\n",
    "\t",
    "\u{661}\u{662}\u{663}",
    "\u{FF11}\u{FF12}",
    "\u{1D7D8}\u{1D7D9}",
    "\u{966}",
    "½",
    "Ⅷ",
    "FLOWERS",
    "a",
    "wa.me/",
    "https://wa.me/",
    "whatsapp:",
    "wa:",
    "?phone=",
    "@c.us",
    "@s.whatsapp.net",
    ":12",
    "%2B",
    "%",
    "@g.us",
];

fn text(rows: &[Row], random: &mut StdRng) -> String {
    let mut chars: Vec<char> = rows.choose(random).unwrap().input.chars().collect();
    for _ in 0..random.random_range(0..4) {
        let at = random.random_range(0..=chars.len());
        let digit = char::from(random.random_range(b'0'..=b'9'));
        match random.random_range(0..8) {
            0 if at < chars.len() => drop(chars.remove(at)),
            1 if at < chars.len() => chars[at] = digit,
            2 => chars.insert(at, digit),
            3 => chars.truncate(at),
            4 => chars.insert(at, random.random()),
            5 => {
                let again: Vec<_> = chars[at..].to_vec();
                chars.extend(again);
            }
            _ => {
                let token: Vec<_> = TOKENS.choose(random).unwrap().chars().collect();
                chars.splice(at..at, token);
            }
        }
    }
    chars.into_iter().take(random.random_range(200..260)).collect()
}

#[test]
fn awkward_texts_get_the_answers_of_the_parser_or_an_error() {
    let rows = corpus();
    let mut random = StdRng::seed_from_u64(250);
    for _ in 0..CASES {
        let text = text(&rows, &mut random);
        let hint = rows.choose(&mut random).unwrap().region_hint.as_deref();
        check(&text, hint.and_then(|code| Region::parse(code).ok()));
    }
}
