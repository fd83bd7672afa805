//! Reading one number in any written form.
//!
//! Guesses nothing: leniency beyond Google's is offered by `suggest`, never taken.

use super::{
    automaton,
    e164::E164,
    google,
    number::{LengthCheck, Number, NumberError, NumberType},
    plain,
    region::Region,
    whatsapp_form,
};

/// Reads a text as a phone number, national forms as dialled in `region`.
///
/// Answers exactly as Google's libphonenumber, with one rule on top: what WhatsApp itself writes
/// (`wa.me/…`, `whatsapp:…`, `…@s.whatsapp.net` and their like) holds international digits, with
/// or without `+`, whatever the region.
///
/// # Errors
///
/// [`NumberError`], if no number can be read. An unlikely number is not an error: look at
/// [`Number::possible`] and [`Number::valid`].
pub fn parse(input: &str, region: Option<Region>) -> Result<Number, NumberError> {
    if let Some(number) = plain::read(input) {
        return Ok(number);
    }
    parse_other(input, region)
}

/// Reads what is more than a `+` and digits.
fn parse_other(input: &str, region: Option<Region>) -> Result<Number, NumberError> {
    let Some(international) = whatsapp_form::international(input) else {
        return google::read(input, region);
    };
    plain::read(&international)
        .or_else(|| plain::read_digits(&international))
        .map_or_else(|| google::read(&whatsapp_form::with_plus(&international), None), Ok)
}

/// Judges the digits of a number as they are, without reading them as text.
///
/// For digits that are somebody's whatever anyone calls them, such as a `wa_id`: a number under no
/// calling code has a judgement as well. [`parse`] reads a national prefix behind the calling code
/// as what it is; this takes it for a part of the number.
#[inline]
pub fn classify(e164: E164) -> Number {
    automaton::judge(e164.digit_bytes()).map_or(
        Number {
            e164,
            length: LengthCheck::NoSuchCallingCode,
            kind: NumberType::Unknown,
            region: None,
            has_extension: false,
        },
        |judgement| plain::number(e164, judgement, false),
    )
}

/// Builds what reading other forms than the plain one needs, for every region.
///
/// Takes some tens of milliseconds. Without it the first number of each region waits for its part.
pub fn prepare() {
    google::prepare();
}

/// Returns the version of Google's numbering metadata in use, such as `9.0.42`.
pub fn metadata_version() -> &'static str {
    automaton::version()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::numbers::{LengthCheck, NumberType};

    #[test]
    fn a_number_comes_with_all_that_is_known_of_it() {
        let number = parse("07700 900456", Region::parse("GB").ok()).unwrap();
        assert_eq!(number.e164().as_str(), "+447700900456");
        assert_eq!((number.possible(), number.length()), (true, LengthCheck::Possible));
        assert!(!number.has_extension());
        let number = parse("(202) 555-0123", Region::parse("US").ok()).unwrap();
        assert!(number.valid());
        assert_eq!(number.kind(), NumberType::FixedLineOrMobile);
        assert_eq!(number.region(), Region::parse("US").ok());
    }

    #[test]
    fn debug_never_shows_a_digit() {
        let number = parse("+1 202 555 0123 ext. 9", None).unwrap();
        assert!(number.has_extension());
        let shown = format!("{number:?}");
        assert!(!shown.chars().any(|c| c.is_ascii_digit()), "{shown}");
    }

    #[test]
    fn without_a_plus_or_a_region_there_is_no_country() {
        assert_eq!(parse("2025550123", None), Err(NumberError::InvalidCountryCode));
        assert_eq!(parse("12025550123", None), Err(NumberError::InvalidCountryCode));
    }

    #[test]
    fn whatsapp_forms_ignore_the_region() {
        let region = Region::parse("ID").ok();
        for form in ["https://wa.me/12025550123?text=Hi", "whatsapp:+1 202-555-0123"] {
            assert_eq!(parse(form, region).unwrap().e164().as_str(), "+12025550123", "{form}");
        }
        let dialled = parse("whatsapp:01112025550123", Region::parse("US").ok());
        assert_eq!(
            dialled,
            Err(NumberError::InvalidCountryCode),
            "no 011 of the region is stripped"
        );
    }

    #[test]
    fn digits_are_judged_as_they_are() {
        let judged = |digits: &str| classify(E164::from_digits(digits).unwrap());
        for text in ["+447700900456", "+12025550123", "+1202555", "+12420000000"] {
            let digits = text.strip_prefix('+').unwrap();
            assert_eq!(Ok(judged(digits)), parse(text, None), "{text}");
        }
        assert_eq!(judged("5215500000000").length(), LengthCheck::TooLong);
        assert_eq!(judged("99912345678").length(), LengthCheck::NoSuchCallingCode);
        assert!(!judged("99912345678").possible());
        assert!(!judged("6208123456789").valid(), "the 0 is not taken off");
    }

    /// Text built of what parsers trip over: schemes, parameters, digits of several scripts.
    fn awkward_text() -> impl Strategy<Value = String> {
        let token = prop_oneof![
            prop::sample::select(vec![
                "tel:",
                ";phone-context=",
                ";ext=",
                ";isub=",
                "+",
                "\u{FF0B}",
                "\u{FF5E}",
                "x",
                "#",
                "00",
                "wa.me/",
                "whatsapp:",
                "?phone=",
                "@c.us",
                ":12",
                "%2B",
                "%",
                " / ",
                "\u{661}\u{662}\u{663}",
                "\u{FF11}\u{FF12}",
                "\u{1D7D8}\u{1D7D9}",
                "\u{200F}",
                "доб",
            ])
            .prop_map(str::to_owned),
            "[0-9]{1,12}",
            any::<char>().prop_map(String::from),
        ];
        prop::collection::vec(token, 0..40)
            .prop_map(|tokens| tokens.concat().chars().take(300).collect())
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in awkward_text(), with_region: bool) {
            let region = with_region.then(|| Region::parse("BR").ok()).flatten();
            if let Ok(number) = parse(&text, region) {
                prop_assert!(number.possible() || !number.valid());
                prop_assert!(number.e164().as_str().starts_with('+'));
            }
        }

        #[test]
        fn a_valid_number_reads_back_the_same(
            code in prop::sample::select(vec!["1", "44", "62", "91", "49"]),
            rest in "[2-9][0-9]{8,9}",
        ) {
            if let Ok(number) = parse(&format!("+{code}{rest}"), None)
                && number.valid()
            {
                prop_assert_eq!(parse(number.e164().as_str(), None), Ok(number));
            }
        }
    }
}
