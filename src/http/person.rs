//! From what a caller wrote to identifiers.

use std::borrow::Cow;

use crate::{
    domain::{
        command::{ContactRef, NumberIdentifier, Person, UserIdentifier},
        home::Home,
        ids::ContactId,
        key::ContactKey,
        phone::PhoneNumber,
    },
    http::{
        edge::Edge,
        explain::Unread,
        problem::{BODY_INVALID, Code, NUMBER_AMBIGUOUS, NUMBER_INVALID, Problem},
    },
    ledger::index::Indexer,
    limits::{NUMBER_BYTES_MAX, USER_ID_BYTES_MAX},
    numbers::{self, LengthCheck, Number, NumberError, NumberType, Region, Spellings},
    policy::Country,
    zones::{self, Line},
};

/// Why a text names nobody. Cheap, because in a list of recipients many do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotANumber {
    /// It has no `+` and no region was named.
    Ambiguous,
    /// It does not read as a number.
    Unreadable(NumberError),
    /// No number can have this length.
    Length(LengthCheck),
}

impl NotANumber {
    /// Returns the problem it is for a single call.
    pub const fn code(self) -> Code {
        match self {
            Self::Ambiguous => NUMBER_AMBIGUOUS,
            Self::Unreadable(_) | Self::Length(_) => NUMBER_INVALID,
        }
    }

    /// Returns the reason as libphonenumber names it.
    pub fn error(self) -> &'static str {
        match self {
            Self::Ambiguous => NumberError::InvalidCountryCode.code(),
            Self::Unreadable(error) => error.code(),
            Self::Length(length) => length.as_str(),
        }
    }

    /// Returns what to tell people.
    pub const fn detail(self) -> &'static str {
        match self {
            Self::Ambiguous => {
                "the number has no + and no region was named; write it internationally or name \
                 the region it was written in"
            }
            Self::Unreadable(NumberError::InvalidCountryCode)
            | Self::Length(LengthCheck::NoSuchCallingCode) => "no country has this calling code",
            Self::Unreadable(NumberError::NotANumber) => "there is no phone number in the text",
            Self::Unreadable(NumberError::TooShortAfterIdd | NumberError::TooShortNsn)
            | Self::Length(LengthCheck::TooShort) => "the number is too short",
            Self::Unreadable(NumberError::TooLong) | Self::Length(LengthCheck::TooLong) => {
                "the number is too long"
            }
            Self::Length(
                LengthCheck::LocalOnly | LengthCheck::InvalidLength | LengthCheck::Possible,
            ) => "no number of its country has this length",
        }
    }

    fn problem(self, pointer: &'static str, text: &str, region: Option<Region>) -> Problem {
        Problem::at(self.code(), pointer, self.detail())
            .with("error", self.error())
            .about(Unread::new(text, region))
    }
}

/// Reads a region code.
///
/// # Errors
///
/// [`BODY_INVALID`] for a code nobody uses.
pub fn region(edge: &Edge, given: Option<&str>, pointer: &str) -> Result<Option<Region>, Problem> {
    let Some(code) = given else { return Ok(edge.settings.default_region) };
    match Region::parse(code) {
        Ok(region) => Ok(Some(region)),
        Err(_) => Err(Problem::at(
            BODY_INVALID,
            pointer.to_owned(),
            "a region is an ISO 3166 code of two letters, such as ID",
        )),
    }
}

/// Reads a text as a number that names a person: the number in the spelling the person is kept
/// under, and all their spellings.
///
/// An old spelling that stands for the same person is judged by the number it became: it may be
/// longer or shorter than numbers are today. A spelling that may be somebody else's is never
/// replaced.
///
/// # Errors
///
/// [`NotANumber`].
pub fn usable(text: &str, region: Option<Region>) -> Result<(Number, Spellings), NotANumber> {
    if text.len() > NUMBER_BYTES_MAX {
        return Err(NotANumber::Unreadable(NumberError::TooLong));
    }
    let mut number = numbers::parse(text, region).map_err(|error| {
        let lacks_region = error == NumberError::InvalidCountryCode && region.is_none();
        if lacks_region && numbers::needs_region(text) {
            NotANumber::Ambiguous
        } else {
            NotANumber::Unreadable(error)
        }
    })?;
    let spellings = numbers::spellings(number.e164());
    let canonical = spellings.canonical();
    if canonical != number.e164() {
        number = numbers::parse(canonical.as_str(), None).map_err(NotANumber::Unreadable)?;
    }
    match number.length() {
        LengthCheck::Possible => Ok((number, spellings)),
        length @ (LengthCheck::LocalOnly
        | LengthCheck::TooShort
        | LengthCheck::InvalidLength
        | LengthCheck::TooLong
        | LengthCheck::NoSuchCallingCode) => Err(NotANumber::Length(length)),
    }
}

/// Returns where the owner of a number is at home, as far as the number says.
pub fn home(number: &Number) -> Home {
    let region = number.region();
    let country = region.and_then(|region| Country::parse(region.as_str()).ok());
    let line = match number.kind() {
        NumberType::FixedLine => Line::Fixed,
        NumberType::FixedLineOrMobile => Line::FixedOrMobile,
        NumberType::Mobile => Line::Mobile,
        NumberType::TollFree
        | NumberType::PremiumRate
        | NumberType::SharedCost
        | NumberType::Voip
        | NumberType::PersonalNumber
        | NumberType::Pager
        | NumberType::Uan
        | NumberType::Voicemail
        | NumberType::Unknown => Line::Other,
    };
    let e164 = number.e164();
    let possible = zones::possible(e164.as_str(), country.as_ref().map(Country::as_str), line);
    let zone = match possible {
        [only] => Some(*only),
        [] | [..] => None,
    };
    Home { country, zone: zone.filter(|_| country.is_none_or(|one| one.has_several_zones())) }
}

/// Reads a number in any written form; spellings of one number get one key.
///
/// # Errors
///
/// [`NotANumber`].
pub fn number(
    edge: &Edge,
    text: &str,
    region: Option<Region>,
) -> Result<NumberIdentifier, NotANumber> {
    let (found, spellings) = usable(text, region)?;
    let canonical = spellings.canonical();
    let number = PhoneNumber::parse(canonical.as_str())
        .map_err(|_shape| NotANumber::Length(LengthCheck::InvalidLength))?;
    let written = (text != canonical.as_str()).then(|| Box::from(text));
    let key = edge.indexer.number(canonical.as_str());
    let weak = weak_keys(&edge.indexer, &spellings);
    let home = home(&found);
    Ok(NumberIdentifier { number, key, is_valid: found.valid(), written, home, weak })
}

/// Returns the keys of a number's weak spellings, of each as the contact it would be kept under.
pub fn weak_keys(indexer: &Indexer, spellings: &Spellings) -> Vec<ContactKey> {
    let mut keys = Vec::new();
    for weak in spellings.weak() {
        let key = indexer.number(numbers::spellings(*weak).canonical().as_str());
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    keys
}

/// Reads a person from the members of a body.
///
/// # Errors
///
/// A problem that points at the member.
pub fn person(
    edge: &Edge,
    given: Option<&str>,
    region_code: Option<&str>,
    user_id: Option<&str>,
) -> Result<Person, Problem> {
    let region = region(edge, region_code, "/region")?;
    let number = match given {
        Some(text) => Some(
            number(edge, text, region).map_err(|error| error.problem("/number", text, region))?,
        ),
        None => None,
    };
    let user = match user_id {
        Some(text) if is_user_id(text) => {
            Some(UserIdentifier { user_id: text.into(), key: edge.indexer.user(text) })
        }
        Some(_) => {
            return Err(Problem::at(
                BODY_INVALID,
                "/user_id",
                "a user id is a country code, a dot, and letters and digits",
            ));
        }
        None => None,
    };
    if number.is_none() && user.is_none() {
        return Err(Problem::at(BODY_INVALID, "/number", "name a number or a user_id"));
    }
    Ok(Person { number, user, new_id: ContactId::from_uuid(edge.ids.next()) })
}

/// Source: Meta, "Business-scoped user IDs": `CC.` and letters, digits, dots. Opaque otherwise.
fn is_user_id(text: &str) -> bool {
    let (country, rest) = text.split_once('.').unwrap_or(("", ""));
    text.len() <= USER_ID_BYTES_MAX
        && country.len() == 2
        && country.bytes().all(|byte| byte.is_ascii_uppercase())
        && !rest.is_empty()
        && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.')
}

/// A contact as a path names it.
#[derive(Debug)]
pub struct Named {
    /// How to find it.
    pub contact: ContactRef,
    /// The number it was named by.
    pub number: Option<PhoneNumber>,
}

/// Reads the `{ref}` of a path: `+62…`, digits as WhatsApp writes them, a UUID, or `user:<id>`.
///
/// # Errors
///
/// [`NUMBER_INVALID`].
pub fn named(edge: &Edge, text: &str) -> Result<Named, Problem> {
    if let Some(user_id) = text.strip_prefix("user:") {
        let contact = ContactRef::Key(edge.indexer.user(user_id));
        return Ok(Named { contact, number: None });
    }
    if let Ok(id) = text.parse::<uuid::Uuid>()
        && text.contains('-')
    {
        let contact = ContactRef::Id(ContactId::from_uuid(id));
        return Ok(Named { contact, number: None });
    }
    // Bare digits are an id as WhatsApp writes it, which is never doubted for its length.
    let is_bare = text.bytes().all(|byte| byte.is_ascii_digit());
    if is_bare && let Ok(contact) = numbers::from_wa_id(text) {
        let canonical = contact.spellings().canonical();
        if let Ok(found) = PhoneNumber::parse(canonical.as_str()) {
            let key = edge.indexer.number(canonical.as_str());
            return Ok(Named { contact: ContactRef::Key(key), number: Some(found) });
        }
    }
    let text = if is_bare { Cow::Owned(format!("+{text}")) } else { Cow::Borrowed(text) };
    let text = &*text;
    let region = edge.settings.default_region;
    let found = number(edge, text, region).map_err(|error| error.problem("/ref", text, region))?;
    Ok(Named { contact: ContactRef::Key(found.key), number: Some(found.number) })
}

/// Returns the key of a number that is written exactly as it is kept, without reading it.
///
/// Most questions are asked about known people by their canonical number, and a number somebody
/// is found under needs no parsing to be a number.
pub fn canonical_key(edge: &Edge, text: &str) -> Option<ContactKey> {
    let digits = text.strip_prefix('+')?;
    let is_plain =
        (7..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_plain.then(|| edge.indexer.number(text))
}
