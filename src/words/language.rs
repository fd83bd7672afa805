//! The language a word belongs to.

use std::fmt;

/// A language by its code in small letters: `id`, `fil`, or `und` for signs and words of no one
/// language. At most [`Language::LEN_MAX`] bytes.
///
/// Source: BCP 47 (RFC 5646), primary language subtags only; `und` as in section 4.1.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Deserialize)]
#[serde(try_from = "String")]
pub struct Language(Box<str>);

/// The text is not the code of a language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a language is two or three small letters, such as id, or und for none in particular")]
pub struct NotALanguage;

impl Language {
    /// Longest code in bytes.
    pub const LEN_MAX: usize = 3;

    /// Parses a code of two or three small letters.
    ///
    /// # Errors
    ///
    /// [`NotALanguage`] for any other text. Whether such a language exists is not asked.
    pub fn parse(code: &str) -> Result<Self, NotALanguage> {
        let is_code = matches!(code.len(), 2..=Self::LEN_MAX)
            && code.bytes().all(|byte| byte.is_ascii_lowercase());
        if is_code { Ok(Self(code.into())) } else { Err(NotALanguage) }
    }

    /// Returns the language of what belongs to none in particular: `und`.
    pub fn undetermined() -> Self {
        Self("und".into())
    }

    /// Returns the code.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Language {
    type Error = NotALanguage;

    fn try_from(code: String) -> Result<Self, NotALanguage> {
        Self::parse(&code)
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_codes_are_languages() {
        for code in ["id", "fil", "und"] {
            assert_eq!(Language::parse(code).unwrap().to_string(), code);
        }
        for text in ["", "i", "ID", "indo", "i1", "zh-TW", "é"] {
            assert_eq!(Language::parse(text), Err(NotALanguage), "{text}");
        }
    }
}
