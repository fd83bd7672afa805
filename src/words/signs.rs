//! Signs that speak without a word.
//!
//! Folding removes signs as it removes punctuation, so that `STOP 🙏` is `STOP`. They count only
//! where a text has no letter or digit, and where they contradict an opt-in.

/// Read as an opt-out from everything when nothing else but such signs is there. Its Unicode name
/// in CLDR is *stop sign*, and most fonts draw the word STOP on it: it is the word, in a picture.
pub(super) const STOP: char = '🛑';

/// Signs of refusal: alone a doubt, because they answer many things besides being written to; with
/// an opt-in word they make that a doubt too. Raised hand, no entry, prohibited, no bell, no
/// phones, cross mark, thumbs down, and a person who crosses the arms.
pub(super) const REFUSAL: &[char] = &['✋', '⛔', '🚫', '🔕', '📵', '❌', '👎', '🙅'];

/// Which signs a text holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "a text may hold any of them together")]
pub(super) struct Signs {
    /// There is a [`STOP`].
    pub(super) stop: bool,
    /// There is one of [`REFUSAL`].
    pub(super) refusal: bool,
    /// There is a question mark of any script.
    pub(super) question: bool,
    /// There is a sign, other than punctuation and those above.
    pub(super) other: bool,
}

impl Signs {
    /// Takes note of a sign: a symbol that is no punctuation.
    pub(super) fn note(&mut self, sign: char) {
        match sign {
            STOP => self.stop = true,
            _ if REFUSAL.contains(&sign) => self.refusal = true,
            // Skin tones belong to the sign before them.
            '\u{1F3FB}'..='\u{1F3FF}' => {}
            _ => self.other = true,
        }
    }

    /// Takes note of punctuation.
    pub(super) fn note_punctuation(&mut self, mark: char) {
        self.question |= matches!(mark, '?' | '¿' | '؟' | '՞');
    }

    /// Returns whether the text says stop by sign alone.
    pub(super) fn is_stop(self) -> bool {
        self.stop && !self.refusal && !self.question && !self.other
    }
}
