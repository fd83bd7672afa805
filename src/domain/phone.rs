//! Phone numbers as the ledger knows them: canonical text, already parsed by the edge.
//!
//! Reading what a person typed is the business of `numbers`; here a number only has its shape.

use std::fmt;

/// A phone number in E.164 form: `+`, then 4 to 20 digits, the first not `0`.
///
/// Personal data. `Debug` redacts it and there is no `Display`: whoever needs the digits calls
/// [`PhoneNumber::as_e164`] and can be found by searching for that name.
///
/// Source: ITU-T E.164 knows 15 digits; libphonenumber accepts calling codes of 3 and national
/// numbers of 17 digits, and whatever it calls possible must fit here.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PhoneNumber(Box<str>);

/// A text is not E.164. Never carries the text itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a number in E.164 form is `+` and 4 to 20 digits, the first not 0")]
pub struct NotE164;

impl PhoneNumber {
    /// Parses canonical E.164. Formatting characters are the caller's to strip.
    ///
    /// # Errors
    ///
    /// [`NotE164`] for any other text.
    pub fn parse(text: &str) -> Result<Self, NotE164> {
        let digits = text.strip_prefix('+').ok_or(NotE164)?;
        let is_shaped = (4..=20).contains(&digits.len())
            && !digits.starts_with('0')
            && digits.bytes().all(|byte| byte.is_ascii_digit());
        if is_shaped { Ok(Self(text.into())) } else { Err(NotE164) }
    }

    /// Returns the digits with their `+`. Every call site handles personal data.
    pub fn as_e164(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PhoneNumber(redacted)")
    }
}

impl TryFrom<String> for PhoneNumber {
    type Error = NotE164;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<PhoneNumber> for String {
    fn from(number: PhoneNumber) -> Self {
        number.0.into()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn debug_hides_the_digits() {
        let number = PhoneNumber::parse("+12025550123").unwrap();
        assert_eq!(format!("{number:?}"), "PhoneNumber(redacted)");
    }

    #[test]
    fn a_number_without_a_plus_or_with_a_leading_zero_is_refused() {
        assert_eq!(PhoneNumber::parse("12025550123"), Err(NotE164));
        assert_eq!(PhoneNumber::parse("+02025550123"), Err(NotE164));
        assert_eq!(PhoneNumber::parse("+1202555 0123"), Err(NotE164));
    }

    proptest! {
        #[test]
        fn no_text_makes_parse_panic(text in ".*") {
            let parsed = PhoneNumber::parse(&text);
            prop_assert!(parsed.is_err() || text.starts_with('+'));
        }
    }
}
