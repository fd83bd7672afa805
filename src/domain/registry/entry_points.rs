//! Where people answer: entry points with their codes, and what buttons of templates stand for.

use serde::{Deserialize, Serialize};

use crate::domain::names::{Language, SenderId, StatementId, TopicId};

/// Characters of the shortest code of an entry point.
const CODE_CHARS_MIN: usize = 6;
/// Characters of the longest.
const CODE_CHARS_MAX: usize = 16;
/// Digits of base 32 without letters that look like digits. Source: Crockford, "Base 32".
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// What a person does by tapping a button.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnswerAct {
    /// Agrees.
    OptIn,
    /// Withdraws.
    OptOut,
}

/// What the payload of a button or a list row stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateAnswer {
    /// What the person does.
    pub act: AnswerAct,
    /// About what. A withdrawal from nothing in particular is one from everything.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub topics: Vec<TopicId>,
}

/// A place where people are asked: a poster, a page, an advertisement. Whoever comes from there
/// brings its code along in the text that a link had put into their message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryPoint {
    /// For people.
    pub name: Box<str>,
    /// What writing from there agrees to.
    pub topics: Vec<TopicId>,
    /// What is shown there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statement: Option<StatementId>,
    /// What it is recognised by. No other entry point has it.
    pub code: EntryCode,
    /// The language of what is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<Language>,
    /// The one sender its links lead to, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sender: Option<SenderId>,
}

/// The code of an entry point, in capitals: digits and letters of which none looks like another.
///
/// It has at least one letter, and one digit that no letter looks like, so that neither a number
/// nor a word anybody writes is one by chance: DISKON would be D1SK0N.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EntryCode(Box<str>);

/// A text is not the code of an entry point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "{CODE_CHARS_MIN} to {CODE_CHARS_MAX} digits and letters without U, with at least one letter \
     and one digit from 2 to 9; O is read as 0, I and L as 1"
)]
pub struct NotACode;

impl EntryCode {
    /// Reads a code as people write it: in any case, with letters for the digits they look like.
    ///
    /// # Errors
    ///
    /// [`NotACode`].
    pub fn read(text: &str) -> Result<Self, NotACode> {
        let code = Self::spelt(text)?;
        let is_plain_digit = |byte: &u8| matches!(byte, b'2'..=b'9');
        if code.0.as_bytes().iter().any(is_plain_digit) { Ok(code) } else { Err(NotACode) }
    }

    /// Reads a code that was taken once, whatever is taken now.
    fn spelt(text: &str) -> Result<Self, NotACode> {
        if !(CODE_CHARS_MIN..=CODE_CHARS_MAX).contains(&text.len()) {
            return Err(NotACode);
        }
        let mut code = String::with_capacity(text.len());
        for byte in text.bytes() {
            let digit = match byte.to_ascii_uppercase() {
                b'O' => b'0',
                b'I' | b'L' => b'1',
                other => other,
            };
            if !ALPHABET.contains(&digit) {
                return Err(NotACode);
            }
            code.push(char::from(digit));
        }
        let has = |kind: fn(&u8) -> bool| code.as_bytes().iter().any(kind);
        if has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic) {
            Ok(Self(code.into()))
        } else {
            Err(NotACode)
        }
    }

    /// Makes a code of 8 characters from 40 random bits; nothing for the few that no code may be
    /// like.
    pub fn of_bits(bits: u64) -> Option<Self> {
        let character = |place: u32| {
            let digit = usize::try_from((bits >> (5 * place)) & 31).unwrap_or_default();
            ALPHABET.get(digit).copied().map_or('0', char::from)
        };
        Self::read(&(0..8).map(character).collect::<String>()).ok()
    }

    /// Returns the code.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for EntryCode {
    type Error = NotACode;

    fn try_from(text: String) -> Result<Self, NotACode> {
        Self::spelt(&text)
    }
}

impl From<EntryCode> for String {
    fn from(code: EntryCode) -> Self {
        code.0.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_however_it_is_written() {
        let code = EntryCode::read("K7WX2M0A").unwrap();
        for text in ["k7wx2m0a", "K7WX2MOA", "k7wx2moA"] {
            assert_eq!(EntryCode::read(text), Ok(code.clone()), "{text}");
        }
        assert_eq!(EntryCode::read("AB12DE"), EntryCode::read("abL2de"));
        for text in ["", "AB2CD", "ABCDEFG", "123456", "AB2CDU", "AB2 CDE", "AB2CDEFGHJKMNPQRS"] {
            assert_eq!(EntryCode::read(text), Err(NotACode), "{text}");
        }
    }

    #[test]
    fn a_word_is_no_code() {
        for word in ["DISKON", "follow", "Coffee", "SIGNIN", "loyalty", "hello1", "D1SK0N"] {
            assert_eq!(EntryCode::read(word), Err(NotACode), "{word}");
        }
    }

    #[test]
    fn what_was_taken_once_stays_a_code() {
        let code: EntryCode = serde_json::from_str("\"D1SK0N\"").unwrap();
        assert_eq!(code.as_str(), "D1SK0N");
    }

    #[test]
    fn a_code_made_of_bits_is_one() {
        assert_eq!(EntryCode::of_bits(0), None);
        assert_eq!(EntryCode::of_bits(10), None, "a word could be read so");
        assert_eq!(EntryCode::of_bits((7 << 5) + 10).unwrap().as_str(), "A7000000");
        let highest = EntryCode::of_bits(u64::MAX);
        assert_eq!(highest, None, "all letters");
    }
}
