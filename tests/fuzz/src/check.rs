//! What must hold of numbers for every text; the fuzzer and the tests of the project run it.

use izin::numbers::{self, Number, NumberError, Region};

use super::stock;

/// Checks everything about a text as dialled in a region; a panic is a finding.
pub(crate) fn check(text: &str, region: Option<Region>) {
    let answer = numbers::parse(text, region);
    if let Ok(number) = answer {
        check_number(number);
    }
    check_against_stock(text, region, answer);
    if let Some(suggestion) = numbers::suggest(text, region) {
        let meant = numbers::parse(suggestion.e164().as_str(), None);
        assert!(meant.is_ok_and(|number| number.valid()), "a suggestion is a valid number");
    }
    if let Ok(contact) = numbers::from_wa_id(text) {
        assert!(text.contains(contact.wa_id()), "an id is kept as it was given");
    }
}

/// A number is consistent in itself, and what it prints is read as the same number.
fn check_number(number: Number) {
    let e164 = number.e164();
    assert!(number.possible() || !number.valid(), "a valid number is possible");
    assert!(e164.as_str().starts_with('+') && e164.digits().bytes().all(|b| b.is_ascii_digit()));
    let again = numbers::parse(e164.as_str(), None);
    if number.valid() {
        assert_eq!(again.map(|again| again.e164()), Ok(e164), "print and parse give the number");
    }
    let judged = numbers::classify(e164);
    assert_eq!(
        (judged.length(), judged.kind(), judged.region()),
        (number.length(), number.kind(), number.region()),
        "a number is judged by its digits"
    );
}

/// The parser with the metadata it comes with gives the same answer, where it is known to be right.
fn check_against_stock(text: &str, region: Option<Region>, answer: Result<Number, NumberError>) {
    let Some(expected) = stock::parse(text, region) else { return };
    let answer = answer.map(|number| {
        (number.e164().as_str().to_owned(), stock::Judged::of(&number), number.has_extension())
    });
    assert_eq!(answer.map_err(NumberError::code), expected, "{text:?} in {region:?}");
}
