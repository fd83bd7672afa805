//! From what a caller wrote to identifiers: the only place of the edge that reads numbers.

use std::borrow::Cow;

use crate::{
    domain::{
        command::{ContactRef, NumberIdentifier, Person, UserIdentifier},
        ids::ContactId,
        key::ContactKey,
        phone::PhoneNumber,
    },
    http::{
        edge::Edge,
        problem::{BODY_INVALID, NUMBER_AMBIGUOUS, NUMBER_INVALID, Problem},
    },
    limits::{NUMBER_BYTES_MAX, USER_ID_BYTES_MAX},
    numbers::{self, LengthCheck, NumberError, Region},
};

/// Why a text names nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotANumber {
    /// There is no number in it, or one nobody could have.
    Invalid(&'static str),
    /// It has no `+` and no region was named.
    Ambiguous,
}

impl NotANumber {
    /// Returns what to tell people.
    pub const fn detail(self) -> &'static str {
        match self {
            Self::Invalid(detail) => detail,
            Self::Ambiguous => {
                "the number has no + and no region was named; write it internationally or name \
                 the region it was written in"
            }
        }
    }

    fn problem(self, pointer: &'static str) -> Problem {
        let code = match self {
            Self::Invalid(_) => NUMBER_INVALID,
            Self::Ambiguous => NUMBER_AMBIGUOUS,
        };
        Problem::at(code, pointer, self.detail())
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
    if text.len() > NUMBER_BYTES_MAX {
        return Err(NotANumber::Invalid("the text is too long to be a number"));
    }
    let parsed = numbers::parse(text, region).map_err(|error| explain(error, text, region))?;
    match parsed.length() {
        LengthCheck::Possible => {}
        LengthCheck::TooShort => return Err(NotANumber::Invalid("the number is too short")),
        LengthCheck::TooLong => return Err(NotANumber::Invalid("the number is too long")),
        LengthCheck::LocalOnly | LengthCheck::InvalidLength | LengthCheck::NoSuchCallingCode => {
            return Err(NotANumber::Invalid("no number of its country has this length"));
        }
    }
    let canonical = numbers::spellings(parsed.e164()).canonical();
    let number = PhoneNumber::parse(canonical.as_str())
        .map_err(|_shape| NotANumber::Invalid("no number in use has this shape"))?;
    let written = (text != canonical.as_str()).then(|| Box::from(text));
    let key = edge.indexer.number(canonical.as_str());
    let is_valid = parsed.valid() || canonical.as_str() != parsed.e164().as_str();
    Ok(NumberIdentifier { number, key, is_valid, written })
}

fn explain(error: NumberError, text: &str, region: Option<Region>) -> NotANumber {
    match error {
        NumberError::InvalidCountryCode if region.is_none() && !text.contains('+') => {
            NotANumber::Ambiguous
        }
        NumberError::InvalidCountryCode => NotANumber::Invalid("no country has this calling code"),
        NumberError::NotANumber => NotANumber::Invalid("there is no phone number in the text"),
        NumberError::TooShortAfterIdd | NumberError::TooShortNsn => {
            NotANumber::Invalid("the number is too short")
        }
        NumberError::TooLong => NotANumber::Invalid("the number is too long"),
    }
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
        Some(text) => Some(number(edge, text, region).map_err(|error| error.problem("/number"))?),
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
    let is_bare = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let text = if is_bare { Cow::Owned(format!("+{text}")) } else { Cow::Borrowed(text) };
    let found = number(edge, &text, edge.settings.default_region);
    let found = found.map_err(|error| error.problem("/ref"))?;
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
