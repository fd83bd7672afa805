//! Countries and territories, by the code the numbering metadata knows them by.
//!
//! Not a list of the world's countries: only what a number can belong to.

use std::fmt;

use super::{automaton, e164::ascii, layout};

/// A region a number belongs to, or is read as being dialled in.
///
/// Source: ISO 3166-1 alpha-2, with libphonenumber's additions (`AC`, `TA`, `XK`) and its `001`
/// for calling codes that belong to no country. `001` is only ever an answer, never a hint.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Region(Code);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Code {
    Country([u8; 2]),
    World,
}

/// A region code nobody numbers by: the caller's mistake, not the number's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a region is the two-letter code of a country with its own numbering, such as ID or GB")]
pub struct UnknownRegion;

impl Region {
    /// Parses a two-letter code in either case.
    ///
    /// # Errors
    ///
    /// [`UnknownRegion`] for any other text and for letters no country uses.
    pub fn parse(code: &str) -> Result<Self, UnknownRegion> {
        let Ok(letters) = <[u8; 2]>::try_from(code.as_bytes()) else { return Err(UnknownRegion) };
        if !letters.iter().all(u8::is_ascii_alphabetic) {
            return Err(UnknownRegion);
        }
        let region = Self(Code::Country(letters.map(|letter| letter.to_ascii_uppercase())));
        if automaton::has_region(region) { Ok(region) } else { Err(UnknownRegion) }
    }

    /// Takes over a code from the automaton's table.
    pub(super) fn from_table(bytes: [u8; layout::REGION_BYTES]) -> Option<Self> {
        match bytes {
            [first, second, 0, 0] => Some(Self(Code::Country([first, second]))),
            [b'0', b'0', b'1', 0] => Some(Self(Code::World)),
            _ => None,
        }
    }

    /// Returns the code: two capital letters, or `001`.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Code::Country(letters) => ascii(letters),
            Code::World => "001",
        }
    }
}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Region({})", self.as_str())
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Region {
    type Err = UnknownRegion;

    fn from_str(code: &str) -> Result<Self, UnknownRegion> {
        Self::parse(code)
    }
}

impl serde::Serialize for Region {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_cases_name_the_same_region() {
        assert_eq!(Region::parse("id"), Region::parse("ID"));
        assert_eq!(Region::parse("ID").unwrap().to_string(), "ID");
    }

    #[test]
    fn codes_without_numbering_are_unknown() {
        for code in ["", "I", "IDN", "QQ", "ZZ", "001", "62", "i\u{307}", "AQ"] {
            assert_eq!(Region::parse(code), Err(UnknownRegion), "{code}");
        }
    }
}
