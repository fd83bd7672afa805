//! What reading a text as a phone number answers: a number with its judgement, or an error.
//!
//! Does not read anything itself.

use std::fmt;

use super::{e164::E164, region::Region};

/// A text that was read as a number, with everything the metadata says about it.
///
/// Reading is not believing: a number may be impossible or invalid, and the caller decides what
/// to do with it (send only to valid ones). Personal data: `Debug` is redacted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Number {
    pub(super) e164: E164,
    pub(super) length: LengthCheck,
    pub(super) kind: NumberType,
    pub(super) region: Option<Region>,
    pub(super) has_extension: bool,
}

impl Number {
    /// Returns the number in E.164 form, without any extension.
    pub fn e164(&self) -> E164 {
        self.e164
    }

    /// Returns whether the length fits the calling code. Cheaper and weaker than [`Self::valid`].
    pub fn possible(&self) -> bool {
        self.length.is_possible()
    }

    /// Returns how the length compares with the lengths in use under the calling code.
    pub fn length(&self) -> LengthCheck {
        self.length
    }

    /// Returns whether the number lies in a range that is in use.
    ///
    /// Source: libphonenumber calls a number valid exactly when its type is known.
    pub fn valid(&self) -> bool {
        self.kind != NumberType::Unknown
    }

    /// Returns what kind of line the range is for; `Unknown` for every invalid number.
    pub fn kind(&self) -> NumberType {
        self.kind
    }

    /// Returns the region, if the number decides between those sharing its calling code.
    pub fn region(&self) -> Option<Region> {
        self.region
    }

    /// Returns whether the text named an extension. It is not kept: WhatsApp has none.
    pub fn has_extension(&self) -> bool {
        self.has_extension
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { e164: _, length, kind, region, has_extension: _ } = self;
        f.debug_struct("Number")
            .field("length", length)
            .field("kind", kind)
            .field("region", region)
            .finish_non_exhaustive()
    }
}

/// How the length of a number compares with the lengths in use under its calling code.
///
/// Source: libphonenumber, `ValidationResult`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LengthCheck {
    /// A full number has this length.
    Possible,
    /// Only a number dialled inside one area has this length; it counts as possible.
    LocalOnly,
    /// Shorter than every number in use.
    TooShort,
    /// Between the shortest and the longest, and no number has it.
    InvalidLength,
    /// Longer than every number in use.
    TooLong,
    /// No numbers are known under the calling code.
    NoSuchCallingCode,
}

impl LengthCheck {
    /// Returns whether such a number can be dialled, in its area at least.
    pub fn is_possible(self) -> bool {
        match self {
            Self::Possible | Self::LocalOnly => true,
            Self::TooShort | Self::InvalidLength | Self::TooLong | Self::NoSuchCallingCode => false,
        }
    }

    /// Returns the stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Possible => "IS_POSSIBLE",
            Self::LocalOnly => "IS_POSSIBLE_LOCAL_ONLY",
            Self::TooShort => "TOO_SHORT",
            Self::InvalidLength => "INVALID_LENGTH",
            Self::TooLong => "TOO_LONG",
            Self::NoSuchCallingCode => "INVALID_COUNTRY_CODE",
        }
    }
}

/// What kind of line a range of numbers is for.
///
/// Source: libphonenumber, `PhoneNumberType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NumberType {
    /// A landline.
    FixedLine,
    /// A mobile.
    Mobile,
    /// Either; the region does not tell them apart (North America).
    FixedLineOrMobile,
    /// Free for the caller.
    TollFree,
    /// Paid above the usual rate.
    PremiumRate,
    /// Paid by both sides.
    SharedCost,
    /// Voice over IP.
    Voip,
    /// Follows a person between lines.
    PersonalNumber,
    /// A pager.
    Pager,
    /// One number for a company's offices.
    Uan,
    /// A voicemail box.
    Voicemail,
    /// In no range that is in use: the number is invalid.
    Unknown,
}

impl NumberType {
    /// Returns the stable name, as libphonenumber writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FixedLine => "FIXED_LINE",
            Self::Mobile => "MOBILE",
            Self::FixedLineOrMobile => "FIXED_LINE_OR_MOBILE",
            Self::TollFree => "TOLL_FREE",
            Self::PremiumRate => "PREMIUM_RATE",
            Self::SharedCost => "SHARED_COST",
            Self::Voip => "VOIP",
            Self::PersonalNumber => "PERSONAL_NUMBER",
            Self::Pager => "PAGER",
            Self::Uan => "UAN",
            Self::Voicemail => "VOICEMAIL",
            Self::Unknown => "UNKNOWN",
        }
    }
}

impl serde::Serialize for NumberType {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// Why a text is not a phone number. Never carries the text itself.
///
/// Source: libphonenumber, `NumberParseException.ErrorType`; the five kinds and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NumberError {
    /// Nothing in the text reads as a number.
    #[error("the text is not a phone number")]
    NotANumber,
    /// The calling code does not exist, or there is neither a `+` nor a region to read it in.
    #[error("the country calling code is unknown, or neither it nor a region was given")]
    InvalidCountryCode,
    /// Too few digits follow the international prefix.
    #[error("the number is too short after its international prefix")]
    TooShortAfterIdd,
    /// Too few digits follow the calling code.
    #[error("the number is too short")]
    TooShortNsn,
    /// Too many characters or digits.
    #[error("the number is too long")]
    TooLong,
}

impl NumberError {
    /// Returns the stable name, as libphonenumber writes it.
    pub fn code(self) -> &'static str {
        match self {
            Self::NotANumber => "NOT_A_NUMBER",
            Self::InvalidCountryCode => "INVALID_COUNTRY_CODE",
            Self::TooShortAfterIdd => "TOO_SHORT_AFTER_IDD",
            Self::TooShortNsn => "TOO_SHORT_NSN",
            Self::TooLong => "TOO_LONG",
        }
    }
}
