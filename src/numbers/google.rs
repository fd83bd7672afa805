//! The one door to the numbering metadata, where the engine's known differences are closed.
//!
//! Adds no leniency of its own: what comes out is what Google's libphonenumber answers.

use std::{borrow::Cow, sync::LazyLock};

use rlibphonenumber::{ParseError, PhoneNumber, PhoneNumberUtil, interfaces::AsOriginal};

use super::{
    automaton,
    e164::E164,
    number::{Number, NumberError},
    plain, plans,
    region::Region,
};
use crate::limits;

#[expect(clippy::expect_used, reason = "a test reads every plan, and they are in the binary")]
static ENGINE: LazyLock<PhoneNumberUtil> = LazyLock::new(|| {
    let plans = plans::collection().expect("every line of the plans is as described");
    PhoneNumberUtil::new_for_metadata(plans).expect("the engine knows every region of the plans")
});

/// Builds what the parser needs of every region, so that no number has to wait for it.
pub(super) fn prepare() {
    for region in automaton::regions().filter_map(to_engine) {
        let Some(code) = ENGINE.get_country_code_for_region(region) else { continue };
        // As if dialled with the calling code, so that every pattern of the region is asked.
        drop(ENGINE.parse(format!("{code}2345678"), Some(region)));
    }
}

/// Reads a text exactly as Google does and judges the number found.
pub(super) fn read(text: &str, region: Option<Region>) -> Result<Number, NumberError> {
    let text = guarded(text)?;
    let parsed = match ENGINE.parse(text.as_ref(), region.and_then(to_engine)) {
        Ok(parsed) if parsed.extension.is_none() => parsed,
        _ if is_two_digits_with_extension(&text) => return Err(NumberError::NotANumber),
        Ok(parsed) => parsed,
        Err(error) => return Err(to_number_error(&error)),
    };
    let e164 = to_e164(&parsed)?;
    // The parser and the automaton know the same calling codes, so there is a judgement.
    let judgement = automaton::judge(e164.digit_bytes()).ok_or(NumberError::InvalidCountryCode)?;
    Ok(plain::number(e164, judgement, parsed.extension.is_some()))
}

/// Returns the decimal digits of a text in ASCII, whatever script they were written in.
pub(super) fn ascii_digits(text: &str) -> String {
    ENGINE.normalize_digits_only(text)
}

/// Refuses what the engine must not see and repairs what it reads differently.
///
/// Source: libphonenumber's Java, JavaScript and Python editions stop at 250 characters and take
/// U+FF5E for punctuation; the C++ edition, which the engine ports, does neither.
fn guarded(text: &str) -> Result<Cow<'_, str>, NumberError> {
    let chars_max = limits::NUMBER_TEXT_CHARS_MAX;
    if text.len() > chars_max && text.chars().count() > chars_max {
        return Err(NumberError::TooLong);
    }
    // With `tel:` behind the context the engine would cut from the end to the start, and panic.
    if let Some(context) = text.find(";phone-context=")
        && text.find("tel:").is_some_and(|scheme| scheme > context)
    {
        return Err(NumberError::NotANumber);
    }
    if text.is_ascii() || !text.contains('\u{FF5E}') {
        return Ok(Cow::Borrowed(text));
    }
    Ok(Cow::Owned(text.replace('\u{FF5E}', "~")))
}

/// Returns whether a text is two digits and an extension, which Google does not call a number.
///
/// The engine groups the alternatives of Google's pattern differently and lets it through. Google
/// asks for a third digit with only punctuation before it.
fn is_two_digits_with_extension(text: &str) -> bool {
    // What is left when a scheme, a context and whatever is in front have been taken off.
    let Ok(text) = ENGINE.as_original().build_national_number_for_parsing(text) else {
        return false;
    };
    let mut chars = text.chars();
    let starts_with_two = chars.next().is_some_and(is_digit) && chars.next().is_some_and(is_digit);
    starts_with_two && chars.take_while(|&c| !is_digit(c)).any(|c| !is_punctuation(c))
}

/// Returns whether a character is a decimal digit of any script.
fn is_digit(c: char) -> bool {
    c.is_ascii_digit() || (c.is_numeric() && !ascii_digits(c.encode_utf8(&mut [0; 4])).is_empty())
}

/// Source: libphonenumber, `VALID_PUNCTUATION` and `STAR_SIGN`.
fn is_punctuation(c: char) -> bool {
    matches!(c, '-' | 'x' | 'X' | ' ' | '(' | ')' | '.' | '[' | ']' | '/' | '~' | '*')
        || matches!(c, '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{30FC}' | '\u{FF0D}'..='\u{FF0F}')
        || matches!(c, '\u{A0}' | '\u{AD}' | '\u{200B}' | '\u{2060}' | '\u{3000}')
        || matches!(c, '\u{FF08}' | '\u{FF09}' | '\u{FF3B}' | '\u{FF3D}' | '\u{2053}' | '\u{223C}')
}

fn to_engine(region: Region) -> Option<rlibphonenumber::Region> {
    rlibphonenumber::Region::from_code(region.as_str()).ok()
}

fn to_e164(parsed: &PhoneNumber) -> Result<E164, NumberError> {
    let zeros = if parsed.italian_leading_zero() {
        usize::try_from(parsed.number_of_leading_zeros()).unwrap_or_default()
    } else {
        0
    };
    let code = u64::try_from(parsed.country_code).unwrap_or_default();
    // The parser holds calling codes to 3 digits and national numbers to 17, so this fits.
    E164::from_parts(code, zeros, parsed.national_number).map_err(|_too_long| NumberError::TooLong)
}

fn to_number_error(error: &ParseError) -> NumberError {
    match error {
        ParseError::InvalidCountryCode => NumberError::InvalidCountryCode,
        ParseError::NotANumber(_) => NumberError::NotANumber,
        ParseError::TooShortAfterIdd => NumberError::TooShortAfterIdd,
        ParseError::TooShortNsn => NumberError::TooShortNsn,
        ParseError::TooLongNsn => NumberError::TooLong,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numbers::{LengthCheck, spelling::calling_code_len};

    fn error(text: &str, region: &str) -> Option<NumberError> {
        read(text, Region::parse(region).ok()).err()
    }

    #[test]
    fn a_scheme_behind_the_context_is_an_error_and_no_panic() {
        assert_eq!(error("1;phone-context=a;tel:", "GB"), Some(NumberError::NotANumber));
        assert_eq!(error("tel:7700900456;phone-context=+44", "ID"), None);
    }

    #[test]
    fn length_is_counted_in_characters() {
        let wide = format!("+447700900456{}", "\u{3000}".repeat(237));
        assert_eq!(wide.chars().count(), 250);
        assert_eq!(error(&wide, "GB"), None);
        assert_eq!(error(&format!("{wide}\u{3000}"), "GB"), Some(NumberError::TooLong));
    }

    #[test]
    fn the_full_width_tilde_is_punctuation() {
        let number = read("+44\u{FF5E}7700900456", None).unwrap();
        assert_eq!(number.e164().as_str(), "+447700900456");
    }

    #[test]
    fn two_digits_with_an_extension_are_not_a_number() {
        assert_eq!(error("51 доб 02550", "GY"), Some(NumberError::NotANumber));
        assert_eq!(error("51 x 02550", "GY"), None, "x is punctuation between digits");
    }

    #[test]
    fn lengths_say_what_is_wrong() {
        let check = |text: &str| read(text, None).unwrap().length();
        assert_eq!(check("+12025550123"), LengthCheck::Possible);
        assert_eq!(check("+15550123"), LengthCheck::LocalOnly);
        assert_eq!(check("+1202555"), LengthCheck::TooShort);
        assert_eq!(check("+120255501234"), LengthCheck::TooLong);
        assert_eq!(check("+650000000"), LengthCheck::TooShort);
    }

    #[test]
    fn two_digits_with_an_extension_are_no_number_whatever_else_is_wrong() {
        for text in
            ["51 ext 025", "(51) ext 025", "51 ext 025;isub=1", "51 ext 025;phone-context=a.b"]
        {
            assert_eq!(read(text, None), Err(NumberError::NotANumber), "{text}");
        }
        assert_eq!(error("51;phone-context=+44", "GY"), None, "the context has the other digits");
    }

    #[test]
    fn every_calling_code_of_the_metadata_is_split_off_whole() {
        let codes: Vec<_> = ENGINE.get_supported_calling_codes().collect();
        assert!(codes.len() > 200, "the metadata knows the world");
        for code in codes {
            let digits = format!("{code}2025550123");
            assert_eq!(calling_code_len(digits.as_bytes()), code.to_string().len(), "{code}");
            let judgement = automaton::judge(digits.as_bytes()).unwrap();
            assert_eq!(judgement.national_len, 10);
        }
    }
}
