//! The one door to the numbering metadata, where the engine's known differences are closed.
//!
//! Adds no leniency of its own: what comes out is what Google's libphonenumber answers.

use std::borrow::Cow;

use rlibphonenumber::{
    NumberLengthType, PHONE_NUMBER_UTIL, ParseError, PhoneNumber, PhoneNumberType, ValidationError,
};

use super::{
    e164::E164,
    number::{LengthCheck, Number, NumberError, NumberType},
    region::Region,
};
use crate::limits;

/// Returns whether numbers can be read as dialled in this region.
pub(super) fn has_numbering(region: Region) -> bool {
    to_engine(region)
        .is_some_and(|code| PHONE_NUMBER_UTIL.get_country_code_for_region(code).is_some())
}

/// Reads a text exactly as Google does and judges the number found.
pub(super) fn read(text: &str, region: Option<Region>) -> Result<Number, NumberError> {
    let text = guarded(text)?;
    let parsed = PHONE_NUMBER_UTIL
        .parse(text.as_ref(), region.and_then(to_engine))
        .map_err(|error| to_number_error(&error))?;
    let has_extension = parsed.extension.is_some();
    if has_extension && is_two_digits_with_extension(&text) {
        return Err(NumberError::NotANumber);
    }
    let e164 = to_e164(&parsed)?;
    let (region, kind) = classify(&parsed);
    Ok(Number { e164, length: length_check(&parsed), kind, region, has_extension })
}

/// Returns the decimal digits of a text in ASCII, whatever script they were written in.
pub(super) fn ascii_digits(text: &str) -> String {
    PHONE_NUMBER_UTIL.normalize_digits_only(text)
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
    if text.contains(";phone-context=") || text.contains(";isub=") {
        return false;
    }
    let mut rest = text.chars().skip_while(|&c| !c.is_numeric() && !is_plus(c));
    let starts_with_two =
        rest.next().is_some_and(char::is_numeric) && rest.next().is_some_and(char::is_numeric);
    starts_with_two && rest.take_while(|c| !c.is_numeric()).any(|c| !is_punctuation(c))
}

fn is_plus(c: char) -> bool {
    matches!(c, '+' | '\u{FF0B}')
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

/// Returns the region and the type. A number without a region has no type.
fn classify(parsed: &PhoneNumber) -> (Option<Region>, NumberType) {
    let Some(region) = PHONE_NUMBER_UTIL.get_region_for_number(parsed) else {
        return (None, NumberType::Unknown);
    };
    let kind = match PHONE_NUMBER_UTIL.get_number_type(parsed) {
        PhoneNumberType::FixedLine => NumberType::FixedLine,
        PhoneNumberType::Mobile => NumberType::Mobile,
        PhoneNumberType::FixedLineOrMobile => NumberType::FixedLineOrMobile,
        PhoneNumberType::TollFree => NumberType::TollFree,
        PhoneNumberType::PremiumRate => NumberType::PremiumRate,
        PhoneNumberType::SharedCost => NumberType::SharedCost,
        PhoneNumberType::VoIP => NumberType::Voip,
        PhoneNumberType::PersonalNumber => NumberType::PersonalNumber,
        PhoneNumberType::Pager => NumberType::Pager,
        PhoneNumberType::UAN => NumberType::Uan,
        PhoneNumberType::VoiceMail => NumberType::Voicemail,
        PhoneNumberType::Unknown => NumberType::Unknown,
    };
    (Region::from_engine(&region.as_region_str()), kind)
}

fn length_check(parsed: &PhoneNumber) -> LengthCheck {
    match PHONE_NUMBER_UTIL.is_possible_number_with_reason(parsed) {
        Ok(NumberLengthType::IsPossible) => LengthCheck::Possible,
        Ok(NumberLengthType::IsPossibleLocalOnly) => LengthCheck::LocalOnly,
        Err(ValidationError::TooShort) => LengthCheck::TooShort,
        Err(ValidationError::InvalidLength) => LengthCheck::InvalidLength,
        Err(ValidationError::TooLong) => LengthCheck::TooLong,
        Err(ValidationError::InvalidCountryCode) => LengthCheck::NoSuchCallingCode,
    }
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
    use crate::numbers::spelling::split_calling_code;

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
    fn every_calling_code_of_the_metadata_is_split_off_whole() {
        let codes: Vec<_> = PHONE_NUMBER_UTIL.get_supported_calling_codes().collect();
        assert!(codes.len() > 200, "the metadata knows the world");
        for code in codes {
            let digits = format!("{code}2025550123");
            assert_eq!(split_calling_code(&digits), (code.to_string().as_str(), "2025550123"));
        }
    }
}
