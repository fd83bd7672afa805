//! The automaton held against the parser's own metadata, number by number.
//!
//! The parser judges by the patterns it comes with, the automaton by the table made of them: if one
//! was renewed without the other, or the table was made wrongly, numbers near the edges of ranges
//! are judged differently.

use std::{collections::BTreeSet, fs, path::Path};

use izin::numbers::{self, E164, LengthCheck};
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom as _};

use super::rows::corpus;
use crate::numbers_fuzz::stock;

/// Numbers judged in a run of the tests; `IZIN_NUMBERS_CASES` sets another count.
const CASES: usize = 20_000;

/// Changes one to three digits, adds some at the end or takes some away.
fn mutated(digits: &str, random: &mut StdRng) -> String {
    let mut digits = digits.as_bytes().to_vec();
    for _ in 0..random.random_range(1..=3) {
        let digit = random.random_range(b'0'..=b'9');
        match random.random_range(0..10) {
            0 => digits.push(digit),
            1 if digits.len() > 2 => drop(digits.pop()),
            2 => digits.insert(random.random_range(1..=digits.len()), digit),
            _ => {
                let at = random.random_range(1..digits.len());
                digits[at] = digit;
            }
        }
    }
    String::from_utf8(digits).unwrap()
}

#[expect(clippy::disallowed_methods, reason = "how long a test runs is no setting of the product")]
fn cases() -> usize {
    std::env::var("IZIN_NUMBERS_CASES").map_or(CASES, |count| count.parse().unwrap())
}

#[test]
fn every_judgement_is_that_of_the_parsers_metadata() {
    let known: Vec<String> =
        corpus().into_iter().filter_map(|row| Some(row.e164?.replace('+', ""))).collect();
    let mut random = StdRng::seed_from_u64(9_042);
    let (mut judged, mut valid, mut unread) = (0, 0, 0);
    let mut regions = BTreeSet::new();
    while judged < cases() {
        let digits = mutated(known.choose(&mut random).unwrap(), &mut random);
        let Ok(number) = E164::from_digits(&digits) else { continue };
        let answer = numbers::classify(number);
        if answer.length() == LengthCheck::NoSuchCallingCode {
            assert_eq!(stock::judge(&digits), None, "{digits}");
            continue;
        }
        // More zeros in front than the parser writes back, or more digits than it reads.
        let Some(expected) = stock::judge(&digits) else {
            unread += 1;
            continue;
        };
        assert_eq!(stock::Judged::of(&answer), expected, "{digits}");
        judged += 1;
        valid += usize::from(answer.valid());
        regions.extend(answer.region());
    }
    assert!(valid > judged / 5 && judged - valid > judged / 5, "{valid} of {judged} are valid");
    assert!(unread < judged / 100, "{unread} were not compared");
    assert!(judged < CASES || regions.len() > 230, "{} regions", regions.len());
}

#[test]
fn the_tables_are_made_of_what_the_parser_in_the_lock_file_comes_with() {
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    let plans = fs::read_to_string(project.join("src/numbers/metadata/plans.tsv")).unwrap();
    let lock = fs::read_to_string(project.join("Cargo.lock")).unwrap();
    let lock: toml::Table = lock.parse().unwrap();
    let packages = lock["package"].as_array().unwrap();
    let parser =
        packages.iter().find(|package| package["name"].as_str() == Some("rlibphonenumber"));
    let parser = parser.unwrap()["version"].as_str().unwrap();
    let metadata = numbers::metadata_version();
    let source = format!(" metadata {metadata} of rlibphonenumber {parser}");
    let first = plans.lines().next().unwrap();
    assert!(first.ends_with(&source), "run scripts/numbers-metadata: {first}");
}
