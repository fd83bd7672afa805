//! Texts that are no number until a region is named, and the regions in which they would be one.
//!
//! Chooses none of them: the list is for people to pick from.

use std::sync::LazyLock;

use super::{number::NumberType, parse::parse, region::Region, whatsapp_form};
use crate::limits::{REGIONLESS_BYTES_MAX, VALID_IN_MAX};

/// The regions most people live in, the largest first.
///
/// Source: United Nations, World Population Prospects 2024, total population in mid-2024.
const MOST_PEOPLE: [&str; 30] = [
    "IN", "CN", "US", "ID", "PK", "NG", "BR", "BD", "RU", "ET", "MX", "JP", "EG", "PH", "CD", "VN",
    "IR", "TR", "DE", "TH", "GB", "TZ", "FR", "ZA", "IT", "KE", "MM", "CO", "KR", "SD",
];

/// Every region with its own numbering, those with the most people first, the others by code.
static REGIONS: LazyLock<Vec<Region>> = LazyLock::new(|| {
    let letters = || 'A'..='Z';
    let codes = letters().flat_map(|one| letters().map(move |two| format!("{one}{two}")));
    let mut regions: Vec<_> = codes.filter_map(|code| Region::parse(&code).ok()).collect();
    regions.sort_by_key(|region| {
        MOST_PEOPLE.iter().position(|code| *code == region.as_str()).unwrap_or(MOST_PEOPLE.len())
    });
    regions
});

/// Returns whether a text that was not read without a region could be read with one: it begins
/// with a digit, not with a `+`, and is none of WhatsApp's forms, which are international.
pub fn needs_region(text: &str) -> bool {
    let is_plus = |c: char| matches!(c, '+' | '\u{FF0B}');
    let first = text.chars().find(|c| is_plus(*c) || c.is_numeric());
    first.is_some_and(|first| !is_plus(first))
        && !text.contains(";phone-context=+")
        && whatsapp_form::international(text).is_none()
}

/// Returns the regions in which a text without `+` is a valid number of that very region, the
/// most plausible first and at most [`VALID_IN_MAX`]: those where it is a mobile before those
/// where it is another line, and among each the regions with the most people first.
///
/// Reads the text once per region, which takes about a millisecond, and more the first time: for
/// one text that somebody waits for, never for rows of a list. Empty for texts longer than
/// [`REGIONLESS_BYTES_MAX`] and for texts that no region helps.
pub fn valid_in(text: &str) -> Vec<Region> {
    if text.len() > REGIONLESS_BYTES_MAX || !needs_region(text) {
        return Vec::new();
    }
    let (mut mobile, mut other) = (Vec::new(), Vec::new());
    for region in REGIONS.iter().copied() {
        let Ok(number) = parse(text, Some(region)) else { continue };
        if !number.valid() || number.region() != Some(region) {
            continue;
        }
        match number.kind() {
            NumberType::Mobile | NumberType::FixedLineOrMobile => mobile.push(region),
            NumberType::FixedLine
            | NumberType::TollFree
            | NumberType::PremiumRate
            | NumberType::SharedCost
            | NumberType::Voip
            | NumberType::PersonalNumber
            | NumberType::Pager
            | NumberType::Uan
            | NumberType::Voicemail
            | NumberType::Unknown => other.push(region),
        }
    }
    mobile.append(&mut other);
    mobile.truncate(VALID_IN_MAX);
    mobile
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numbers::NumberError;

    fn codes(text: &str) -> Vec<String> {
        valid_in(text).iter().map(|region| region.as_str().to_owned()).collect()
    }

    #[test]
    fn every_region_listed_by_people_is_known_and_listed_once() {
        assert!(REGIONS.len() > 200, "the metadata knows the world");
        for (place, code) in MOST_PEOPLE.iter().enumerate() {
            assert_eq!(REGIONS[place].as_str(), *code);
        }
        let mut sorted = REGIONS.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted.len(), REGIONS.len());
    }

    #[test]
    fn a_text_needs_a_region_exactly_when_one_could_help() {
        for text in ["0812 3456 7890", "12025550123", "(202) 555-0123", "call 0812", "\u{661}2 3"] {
            assert!(needs_region(text), "{text}");
            assert_eq!(parse(text, None), Err(NumberError::InvalidCountryCode), "{text}");
        }
        for text in ["+999 1234567", "\u{FF0B}999 123456", "wa.me/0812345678", "hello", ""] {
            assert!(!needs_region(text), "{text}");
        }
        assert!(!needs_region("tel:123456;phone-context=+999"));
    }

    #[test]
    fn every_region_of_the_list_makes_a_valid_number_of_its_own() {
        for text in ["0812 3456 7890", "07700 900456", "2025550123", "0201234567", "55 1234 5678"] {
            let found = valid_in(text);
            assert!(!found.is_empty() && found.len() <= VALID_IN_MAX, "{text}: {found:?}");
            for region in found {
                let number = parse(text, Some(region)).unwrap();
                assert!(number.valid(), "{text} {region}");
                assert_eq!(number.region(), Some(region), "{text}");
            }
        }
    }

    #[test]
    fn the_most_plausible_region_comes_first() {
        assert_eq!(codes("0812 3456 7890").first().map(String::as_str), Some("ID"));
        // An Indian mobile dialled with its trunk 0, as far as digits can tell.
        let both = codes("07400 123456");
        assert_eq!(both.first().map(String::as_str), Some("IN"));
        assert!(both.contains(&"GB".to_owned()), "{both:?}");
        let american = codes("2025550123");
        assert!(american.contains(&"US".to_owned()), "{american:?}");
        assert!(!american.contains(&"CA".to_owned()), "an area of another country");
    }

    #[test]
    fn mobiles_come_before_other_lines() {
        let is_mobile = |region: &Region| {
            let kind = parse("0201234567", Some(*region)).unwrap().kind();
            matches!(kind, NumberType::Mobile | NumberType::FixedLineOrMobile)
        };
        let found = valid_in("0201234567");
        let others = found.iter().skip_while(|region| is_mobile(region)).collect::<Vec<_>>();
        assert!(!others.is_empty() && others.len() < found.len(), "both kinds: {found:?}");
        assert!(!others.into_iter().any(is_mobile), "{found:?}");
    }

    #[test]
    fn nothing_is_listed_where_no_region_helps() {
        for text in ["+12025550123", "wa.me/0812345678", "hello", "", "1"] {
            assert!(valid_in(text).is_empty(), "{text}");
        }
        let long = "0812 3456 7890".to_owned() + &" ".repeat(REGIONLESS_BYTES_MAX);
        assert!(valid_in(&long).is_empty());
    }
}
