//! The parser as it comes, with its own copy of the metadata: what Izin's answers are held against.

use izin::numbers::{Number, Region};
use rlibphonenumber::{
    NumberLengthType, PHONE_NUMBER_UTIL, ParseError, PhoneNumber, PhoneNumberFormat,
    PhoneNumberType, ValidationError,
};

/// What is known of a number: length, kind and region, as libphonenumber writes them.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Judged {
    length: String,
    kind: String,
    region: Option<String>,
}

impl Judged {
    /// Takes over what Izin says.
    pub(crate) fn of(number: &Number) -> Self {
        Self {
            length: number.length().as_str().to_owned(),
            kind: number.kind().as_str().to_owned(),
            region: number.region().map(|region| region.to_string()),
        }
    }
}

/// Judges international digits. `None` if the parser cannot hold them as a number.
pub(crate) fn judge(digits: &str) -> Option<Judged> {
    let code = PHONE_NUMBER_UTIL
        .get_supported_calling_codes()
        .map(|code| code.to_string())
        .find(|code| digits.starts_with(code))?;
    let national = digits.strip_prefix(&code)?;
    let zeros = national.bytes().take_while(|byte| *byte == b'0').count();
    // It prints no more than ten zeros in front, and reads no more than 17 digits.
    if zeros > 10 || zeros == national.len() || national.len() > 17 {
        return None;
    }
    let number = PhoneNumber {
        country_code: code.parse().ok()?,
        national_number: national.parse().ok()?,
        italian_leading_zero: (zeros > 0).then_some(true),
        number_of_leading_zeros: (zeros > 0).then_some(i32::try_from(zeros).ok()?),
        ..PhoneNumber::default()
    };
    Some(judged(&number))
}

/// A number in E.164 form, what is known of it and whether it has an extension; or the error.
pub(crate) type Answer = Result<(String, Judged, bool), &'static str>;

/// Reads a text. `None` where the parser is known to differ from Google, or to panic.
pub(crate) fn parse(text: &str, region: Option<Region>) -> Option<Answer> {
    let lower = text.to_ascii_lowercase();
    let is_whatsapps = ["wa:", "wa.me", "whatsapp", "@"].iter().any(|form| lower.contains(form));
    let is_beyond = text.chars().count() > 250 || text.contains('\u{FF5E}');
    if is_whatsapps || is_beyond || text.contains(";phone-context=") {
        return None;
    }
    let region = region.and_then(|region| rlibphonenumber::Region::from_code(region.as_str()).ok());
    match PHONE_NUMBER_UTIL.parse(text, region) {
        Ok(number) => {
            // Two digits in front of an extension are no number to Google.
            let is_doubtful = number.extension.is_some() && number.national_number < 1_000;
            let is_doubtful = is_doubtful || number.number_of_leading_zeros() > 10;
            let e164 = PHONE_NUMBER_UTIL.format(&number, PhoneNumberFormat::E164).into_owned();
            (!is_doubtful).then(|| Ok((e164, judged(&number), number.extension.is_some())))
        }
        Err(ParseError::NotANumber(_)) => Some(Err("NOT_A_NUMBER")),
        Err(ParseError::TooLongNsn) => Some(Err("TOO_LONG")),
        // As above, or Google's answer.
        Err(
            ParseError::InvalidCountryCode | ParseError::TooShortNsn | ParseError::TooShortAfterIdd,
        ) => None,
    }
}

fn judged(number: &PhoneNumber) -> Judged {
    let length = match PHONE_NUMBER_UTIL.is_possible_number_with_reason(number) {
        Ok(NumberLengthType::IsPossible) => "IS_POSSIBLE",
        Ok(NumberLengthType::IsPossibleLocalOnly) => "IS_POSSIBLE_LOCAL_ONLY",
        Err(ValidationError::TooShort) => "TOO_SHORT",
        Err(ValidationError::InvalidLength) => "INVALID_LENGTH",
        Err(ValidationError::TooLong) => "TOO_LONG",
        Err(ValidationError::InvalidCountryCode) => "INVALID_COUNTRY_CODE",
    };
    let kind = match PHONE_NUMBER_UTIL.get_number_type(number) {
        PhoneNumberType::FixedLine => "FIXED_LINE",
        PhoneNumberType::Mobile => "MOBILE",
        PhoneNumberType::FixedLineOrMobile => "FIXED_LINE_OR_MOBILE",
        PhoneNumberType::TollFree => "TOLL_FREE",
        PhoneNumberType::PremiumRate => "PREMIUM_RATE",
        PhoneNumberType::SharedCost => "SHARED_COST",
        PhoneNumberType::VoIP => "VOIP",
        PhoneNumberType::PersonalNumber => "PERSONAL_NUMBER",
        PhoneNumberType::Pager => "PAGER",
        PhoneNumberType::UAN => "UAN",
        PhoneNumberType::VoiceMail => "VOICEMAIL",
        PhoneNumberType::Unknown => "UNKNOWN",
    };
    let region = PHONE_NUMBER_UTIL.get_region_for_number(number);
    Judged {
        length: length.to_owned(),
        kind: kind.to_owned(),
        region: region.map(|region| region.as_region_str().to_string()),
    }
}
