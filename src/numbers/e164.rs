//! A number's digits as one small value that is copied, never allocated.
//!
//! Knows the shape only: whether the digits are anybody's number is decided elsewhere.

use std::fmt;

/// Bytes of the longest text: `+`, a calling code of 3 digits and a national number of 17.
///
/// Source: libphonenumber, `MAX_LENGTH_COUNTRY_CODE` and `MAX_LENGTH_FOR_NSN`.
const TEXT_BYTES_MAX: usize = 21;

/// Bytes a number is kept in: its text, zeros, and in the last one how long the text is.
///
/// Whole words, so that a copy of what was just written does not wait for odd pieces of it.
pub(super) const ROOM: usize = 3 * WORD;

/// Bytes that are looked at together.
pub(super) const WORD: usize = 8;

const _: () = assert!(TEXT_BYTES_MAX < ROOM);

/// Digits of the shortest number the parser lets through: a calling code of 1 and 2 more.
const DIGITS_MIN: usize = 3;

/// A number as `+` and 3 to 20 digits, the first not `0`.
///
/// Longer and shorter than ITU-T E.164 allows, because Google's parser answers with such numbers
/// too (as impossible ones) and an answer must hold whatever the parser says.
///
/// Personal data: `Debug` is redacted and there is no `Display`. Serialising it writes the digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct E164 {
    /// ASCII, then zeros, so that order is the order of the texts; see [`ROOM`].
    bytes: [u8; ROOM],
}

/// A text does not have the shape. Never carries the text itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a number in E.164 form is `+` and 3 to 20 digits, the first not 0")]
pub struct NotE164;

impl E164 {
    /// Parses `+` and digits. Nothing is stripped.
    ///
    /// # Errors
    ///
    /// [`NotE164`] for any other text.
    pub fn parse(text: &str) -> Result<Self, NotE164> {
        Self::from_digits(text.strip_prefix('+').ok_or(NotE164)?)
    }

    /// Reads international digits without their `+`.
    ///
    /// # Errors
    ///
    /// [`NotE164`] for anything but 3 to 20 ASCII digits, the first not `0`.
    #[inline]
    pub fn from_digits(digits: &str) -> Result<Self, NotE164> {
        let digits = digits.as_bytes();
        match (digits.first_chunk(), digits.last_chunk()) {
            (Some(first), Some(last)) if digits.len() < 2 * WORD => {
                Self::from_words(*first, *last, digits.len())
            }
            _ => Self::join(&[digits]),
        }
    }

    /// Reads 8 to 15 digits by their first and their last eight, which may overlap.
    ///
    /// Most numbers have so many. There is no loop, and the text is put down in one piece, because
    /// a processor waits when it copies what was just written in several.
    #[inline]
    fn from_words(first: [u8; WORD], last: [u8; WORD], digits_len: usize) -> Result<Self, NotE164> {
        let [leading, ..] = first;
        if !are_digits(first) || !are_digits(last) || leading == b'0' {
            return Err(NotE164);
        }
        let place = |word, bytes| u128::from(u64::from_le_bytes(word)) << (8 * bytes);
        let text = u128::from(b'+') | place(first, 1) | place(last, 1 + digits_len - WORD);
        let len = u8::try_from(1 + digits_len).map_err(|_never| NotE164)?;
        let mut bytes = [0; ROOM];
        if let Some(room) = bytes.first_chunk_mut() {
            *room = text.to_le_bytes();
        }
        if let Some(room) = bytes.last_chunk_mut::<WORD>() {
            *room = u64::from(len).to_be_bytes();
        }
        Ok(Self { bytes })
    }

    /// Joins digit texts, which is how one spelling is made of another.
    pub(super) fn join(parts: &[&[u8]]) -> Result<Self, NotE164> {
        let mut text = Builder::new();
        for digit in parts.iter().copied().flatten() {
            text.push(*digit)?;
        }
        text.finish()
    }

    /// Writes a number the parser took apart: calling code, kept zeros, the rest as an integer.
    pub(super) fn from_parts(code: u64, zeros: usize, national: u64) -> Result<Self, NotE164> {
        let mut text = Builder::new();
        text.push_decimal(code)?;
        for _ in 0..zeros {
            text.push(b'0')?;
        }
        text.push_decimal(national)?;
        text.finish()
    }

    /// Returns the text with its `+`. Every call site handles personal data.
    pub fn as_str(&self) -> &str {
        ascii(self.bytes.get(..self.len()).unwrap_or_default())
    }

    /// Returns the digits without the `+`, as WhatsApp writes ids. Personal data.
    pub fn digits(&self) -> &str {
        ascii(self.digit_bytes())
    }

    /// Returns the text as it is kept; see [`ROOM`]. Personal data.
    #[inline]
    pub(super) fn kept(&self) -> [u8; ROOM] {
        self.bytes
    }

    #[inline]
    fn len(&self) -> usize {
        let [.., len] = self.bytes;
        usize::from(len)
    }

    /// Returns the digits without the `+`, in ASCII. Personal data.
    #[inline]
    pub(super) fn digit_bytes(&self) -> &[u8] {
        self.bytes.get(1..self.len()).unwrap_or_default()
    }
}

/// Returns whether all of these bytes are ASCII digits.
#[inline]
fn are_digits(bytes: [u8; WORD]) -> bool {
    let word = u64::from_ne_bytes(bytes);
    let high = u64::from_ne_bytes([0xF0; WORD]);
    let threes = u64::from_ne_bytes([b'0'; WORD]);
    // `0` to `9` have 3 in their upper half, and still have it when 6 is added.
    word & high == threes && word.wrapping_add(u64::from_ne_bytes([6; WORD])) & high == threes
}

/// Shows bytes that were checked or joined from text when they were stored.
#[expect(clippy::expect_used, reason = "nothing but ASCII is ever stored")]
pub(super) fn ascii(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("numbers, regions and keys are ASCII")
}

/// Digits being collected behind a `+`.
pub(super) struct Builder {
    bytes: [u8; ROOM],
    len: u8,
}

impl Builder {
    pub(super) fn new() -> Self {
        let mut bytes = [0; ROOM];
        if let Some(first) = bytes.first_mut() {
            *first = b'+';
        }
        Self { bytes, len: 1 }
    }

    /// Adds a digit in ASCII.
    pub(super) fn push(&mut self, digit: u8) -> Result<(), NotE164> {
        let is_leading_zero = self.len == 1 && digit == b'0';
        if !digit.is_ascii_digit() || is_leading_zero {
            return Err(NotE164);
        }
        let (text, _) = self.bytes.split_at_mut(TEXT_BYTES_MAX);
        *text.get_mut(usize::from(self.len)).ok_or(NotE164)? = digit;
        self.len += 1;
        Ok(())
    }

    fn push_decimal(&mut self, value: u64) -> Result<(), NotE164> {
        if value >= 10 {
            self.push_decimal(value / 10)?;
        }
        let digit = u8::try_from(value % 10).map_err(|_never| NotE164)?;
        self.push(b'0' + digit)
    }

    /// Returns the number, if enough digits came.
    pub(super) fn finish(self) -> Result<E164, NotE164> {
        let Self { mut bytes, len } = self;
        let [.., place] = &mut bytes;
        *place = len;
        if usize::from(len) <= DIGITS_MIN { Err(NotE164) } else { Ok(E164 { bytes }) }
    }
}

impl fmt::Debug for E164 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("E164(redacted)")
    }
}

impl serde::Serialize for E164 {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_never_shows_a_digit() {
        let number = E164::parse("+12025550123").unwrap();
        assert_eq!(format!("{number:?}"), "E164(redacted)");
        assert_eq!((number.as_str(), number.digits()), ("+12025550123", "12025550123"));
    }

    #[test]
    fn other_shapes_are_refused() {
        for text in
            ["", "+", "+12", "12025550123", "+0123456", "+1 202", "+1٢3", "+12345678901234567890 1"]
        {
            assert_eq!(E164::parse(text), Err(NotE164), "{text}");
        }
        assert_eq!(E164::from_digits("123456789012345678901"), Err(NotE164));
        assert!(E164::from_digits("12345678901234567890").is_ok());
    }

    #[test]
    fn every_length_reads_back_and_nothing_but_digits_gets_in() {
        for len in 0..=24 {
            let digits: String = "1234567890".chars().cycle().take(len).collect();
            let read = E164::from_digits(&digits);
            assert_eq!(read.is_ok(), (3..=20).contains(&len), "{len}");
            assert!(read.is_ok_and(|number| number.digits() == digits) || read.is_err(), "{len}");
            for at in 0..len {
                for other in ["/", ":", "?", "p", "\u{B0}"] {
                    let mut text = digits.clone();
                    text.replace_range(at..=at, other);
                    assert_eq!(E164::from_digits(&text), Err(NotE164), "{text}");
                }
            }
        }
    }

    #[test]
    fn parts_keep_the_zeros_of_the_national_number() {
        assert_eq!(E164::from_parts(39, 1, 66_982).unwrap().as_str(), "+39066982");
        assert_eq!(E164::from_parts(1, 2, 0).unwrap().as_str(), "+1000");
        assert_eq!(E164::from_parts(999, 0, u64::MAX), Err(NotE164));
    }

    #[test]
    fn order_is_the_order_of_the_texts() {
        let mut texts = ["+4477009001", "+44770090", "+12025550123", "+5"].map(str::to_owned);
        texts.sort();
        let mut numbers: Vec<_> = texts.iter().filter_map(|text| E164::parse(text).ok()).collect();
        let sorted = numbers.clone();
        numbers.reverse();
        numbers.sort();
        assert_eq!(numbers, sorted);
    }
}
