//! Names of packs and of rules.

use std::fmt;

/// Longest name, in characters.
const LEN_MAX: usize = 64;

/// The name of a pack or of a rule in it, such as `us-marketing-pause`.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(try_from = "String", into = "String")]
pub struct PolicyName(Box<str>);

/// A text cannot be a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a name is 1 to {LEN_MAX} characters of a-z, 0-9 and -, and begins and ends with none of -"
)]
pub struct NotAPolicyName;

impl PolicyName {
    /// Parses a name.
    ///
    /// # Errors
    ///
    /// [`NotAPolicyName`] for an empty or overlong text, or one with other characters.
    pub fn parse(text: &str) -> Result<Self, NotAPolicyName> {
        let is_plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        let is_name = (1..=LEN_MAX).contains(&text.len())
            && text.bytes().all(is_plain)
            && !text.starts_with('-')
            && !text.ends_with('-');
        if is_name { Ok(Self(text.into())) } else { Err(NotAPolicyName) }
    }

    /// Takes over a name that is part of the program.
    pub(super) fn known(name: &'static str) -> Self {
        debug_assert!(Self::parse(name).is_ok(), "{name}");
        Self(name.into())
    }

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PolicyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for PolicyName {
    type Error = NotAPolicyName;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<PolicyName> for String {
    fn from(name: PolicyName) -> Self {
        name.0.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_plain() {
        for text in ["us", "us-marketing-pause", "a1", &"a".repeat(LEN_MAX)] {
            assert_eq!(PolicyName::parse(text).unwrap().as_str(), text);
        }
        for text in ["", "US", "a b", "a_b", "-a", "a-", "ä", &"a".repeat(LEN_MAX + 1)] {
            assert_eq!(PolicyName::parse(text), Err(NotAPolicyName), "{text}");
        }
    }
}
