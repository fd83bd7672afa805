//! What most inputs look like asks for no memory: numbers in E.164 form and WhatsApp's ids.

use std::hint::black_box;

use allocation_counter::measure;
use izin::numbers::{E164, from_wa_id, parse};

use super::rows::corpus;

/// Valid numbers of the whole world in E.164 form.
fn valid_numbers() -> Vec<E164> {
    let rows = corpus().into_iter().filter(|row| row.valid);
    rows.map(|row| E164::parse(&row.e164.unwrap()).unwrap()).collect()
}

/// Returns those of the numbers for which `read` asks for memory.
fn asking(numbers: &[E164], read: impl Fn(&E164)) -> Vec<E164> {
    let is_asking = |number: &&E164| measure(|| read(number)).count_total > 0;
    numbers.iter().filter(is_asking).copied().collect()
}

#[test]
fn an_allocation_is_counted() {
    let numbers = valid_numbers();
    let found = asking(&numbers, |number| drop(black_box(number.as_str().to_owned())));
    assert_eq!(found, numbers);
}

#[test]
fn e164_form_is_read_without_allocating_unless_a_prefix_has_to_be_thought_of() {
    let numbers = valid_numbers();
    assert!(numbers.len() > 2_000);
    let found = asking(&numbers, |number| {
        black_box(parse(black_box(number.as_str()), None).unwrap());
    });
    // The parser decides where a national prefix could be replaced by other digits, as dialled in
    // Argentina, Brazil, Gabon, Japan, Madagascar and on Norfolk Island.
    let rewriting = ["+54", "+55", "+241", "+261", "+672", "+81"];
    assert!(found.len() * 100 < numbers.len(), "{} of {}", found.len(), numbers.len());
    for number in found {
        assert!(rewriting.iter().any(|code| number.as_str().starts_with(code)), "{number:?}");
    }
}

#[test]
fn ids_of_whatsapp_are_read_without_allocating() {
    let numbers = valid_numbers();
    let found = asking(&numbers, |number| {
        let person = from_wa_id(black_box(number.digits())).unwrap();
        black_box((person.number(), person.match_key(), person.spellings()));
    });
    assert_eq!(found, []);
}
