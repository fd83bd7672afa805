//! `[numbers]`: how written phone numbers are understood.
//!
//! Whether a region exists is known to whoever parses numbers, not here.

use std::fmt::{Display, Formatter};

use crate::config::reader::Reader;

/// How written phone numbers are understood.
#[derive(Debug, Clone)]
pub struct Numbers {
    /// The region of a number written without its country code, when the caller names none.
    pub default_region: Option<Region>,
}

/// Two capital letters that stand for a country or territory, such as `ID`.
///
/// Source: ISO 3166-1, alpha-2 codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Region([u8; 2]);

impl Region {
    /// Parses two ASCII letters of either case.
    pub fn parse(text: &str) -> Option<Self> {
        let letters = <[u8; 2]>::try_from(text.as_bytes()).ok()?;
        letters
            .iter()
            .all(u8::is_ascii_alphabetic)
            .then(|| Self(letters.map(|l| l.to_ascii_uppercase())))
    }

    /// Returns the two capital letters.
    pub fn as_str(&self) -> &str {
        // Only ASCII letters get in.
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl Display for Region {
    fn fmt(&self, out: &mut Formatter<'_>) -> std::fmt::Result {
        out.write_str(self.as_str())
    }
}

impl Numbers {
    pub(super) fn read(from: &mut Reader) -> Self {
        let must_be = "the two letters of a country, such as ID";
        let name = "numbers.default_region";
        Self { default_region: from.text(name, None, must_be, Region::to_string, Region::parse) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_is_two_letters_of_either_case() {
        assert_eq!(Region::parse("id").unwrap().as_str(), "ID");
        for bad in ["", "I", "IDN", "62", "É"] {
            assert!(Region::parse(bad).is_none(), "{bad}");
        }
    }
}
