//! The country a recipient's number belongs to.

use std::fmt;

use crate::zones;

/// How many pairs of letters there are.
pub(super) const PAIRS: usize = 26 * 26;

/// A country or territory by its two capital letters.
///
/// Source: ISO 3166-1 alpha-2 as the time zone database lists it, with libphonenumber's `AC`,
/// `TA` and `XK`. So `UK` and `EL` are refused: they are `GB` and `GR`.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(try_from = "String", into = "String")]
pub struct Country([u8; 2]);

/// Not a country's letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a country is two capital letters of ISO 3166-1, such as ID or GB")]
pub struct NotACountry;

impl Country {
    /// Parses two capital letters.
    ///
    /// # Errors
    ///
    /// [`NotACountry`] for any other text and for letters no country has.
    pub fn parse(code: &str) -> Result<Self, NotACountry> {
        match <[u8; 2]>::try_from(code.as_bytes()) {
            Ok(letters) if zones::is_region(code) => Ok(Self(letters)),
            Ok(_) | Err(_) => Err(NotACountry),
        }
    }

    /// Returns the two letters.
    pub fn as_str(&self) -> &str {
        // Only ASCII gets in.
        str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Returns whether clocks in the country stand differently.
    pub fn has_several_zones(&self) -> bool {
        zones::of_region(self.as_str()).len() > 1
    }

    /// Returns a number below [`PAIRS`], another for every country.
    pub(super) fn place(self) -> usize {
        let [first, second] = self.0.map(|letter| usize::from(letter.saturating_sub(b'A')));
        first * 26 + second
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Country({self})")
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl TryFrom<String> for Country {
    type Error = NotACountry;

    fn try_from(code: String) -> Result<Self, Self::Error> {
        Self::parse(&code)
    }
}

impl From<Country> for String {
    fn from(country: Country) -> Self {
        country.as_str().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn only_countries_are_countries() {
        for code in ["ID", "GB", "US", "XK"] {
            assert_eq!(Country::parse(code).unwrap().to_string(), code);
        }
        for code in ["", "id", "UK", "EL", "IDN", "*", "ZZ", "É", "I D"] {
            assert_eq!(Country::parse(code), Err(NotACountry), "{code}");
        }
    }

    #[test]
    fn every_country_has_a_place_of_its_own() {
        let letters = || b'A'..=b'Z';
        let codes = letters().flat_map(|a| letters().map(move |b| [a, b]));
        let all: Vec<_> =
            codes.filter_map(|code| Country::parse(str::from_utf8(&code).unwrap()).ok()).collect();
        assert!(all.len() > 245, "{}", all.len());
        let places: BTreeSet<_> = all.iter().map(|country| country.place()).collect();
        assert_eq!(places.len(), all.len());
        assert!(places.iter().all(|place| *place < PAIRS));
    }
}
