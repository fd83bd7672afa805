//! Makes texts comparable: what people see as the same word becomes the same bytes.
//!
//! Order: invisible characters go, styled letters become plain, NFKC (width, ligatures, more
//! styles), full case folding, NFKC again, then what one script needs. Diacritics stay; [`bare`]
//! takes them off where a word list asks for it.

use std::borrow::Cow;

use icu_casemap::CaseMapper;
use icu_normalizer::{ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed};
use icu_properties::{
    CodePointMapData, CodePointSetData,
    props::{DefaultIgnorableCodePoint, GeneralCategory},
};

use super::{
    signs::Signs,
    styled::{plain, small},
};

const NFKC: ComposingNormalizerBorrowed<'static> = ComposingNormalizerBorrowed::new_nfkc();
const NFD: DecomposingNormalizerBorrowed<'static> = DecomposingNormalizerBorrowed::new_nfd();

/// A text, folded in the two ways in which people leave out punctuation.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Folded {
    /// Punctuation is not there at all: `S.T.O.P.` is `stop`, `don't` is `dont`.
    pub(super) joined: String,
    /// Punctuation is a space: `stop,please` is `stop please`, `opt-out` is `opt out`.
    pub(super) spaced: String,
    /// What was taken away and may still say something.
    pub(super) signs: Signs,
}

/// What becomes of a character.
enum Part {
    Letter(char),
    Mark(char),
    Space,
    Punctuation,
    Sign,
    Nothing,
}

/// Returns a text as words are compared: without case, width, punctuation, signs, invisible
/// characters and doubled spaces. Folding twice changes nothing.
pub fn fold(text: &str) -> String {
    Folded::of(text).joined
}

impl Folded {
    /// Folds a text; costs time and memory in proportion to its length.
    pub(super) fn of(text: &str) -> Self {
        let mut folded = Self {
            joined: String::with_capacity(text.len()),
            spaced: String::with_capacity(text.len()),
            signs: Signs::default(),
        };
        for c in normalise(text).chars() {
            folded.push(c);
        }
        for form in [&mut folded.joined, &mut folded.spaced] {
            form.truncate(form.trim_end_matches(' ').len());
            // What stood between two characters may have kept them from composing.
            if !form.is_ascii() && !NFKC.is_normalized(form) {
                *form = NFKC.normalize(form).into_owned();
            }
        }
        folded
    }

    /// Returns whether nothing is left that could be a word.
    pub(super) fn is_empty(&self) -> bool {
        self.joined.is_empty()
    }

    fn push(&mut self, c: char) {
        match part(c) {
            Part::Letter(letter) => {
                self.joined.push(letter);
                self.spaced.push(letter);
            }
            Part::Mark(mark) => {
                for form in [&mut self.joined, &mut self.spaced] {
                    push_mark(form, mark);
                }
            }
            Part::Space => {
                for form in [&mut self.joined, &mut self.spaced] {
                    push_space(form);
                }
            }
            Part::Punctuation => {
                self.signs.note_punctuation(c);
                push_space(&mut self.spaced);
            }
            Part::Sign => {
                self.signs.note(c);
                push_space(&mut self.spaced);
            }
            Part::Nothing => {}
        }
    }
}

fn push_space(form: &mut String) {
    if !form.is_empty() && !form.ends_with(' ') {
        form.push(' ');
    }
}

/// A mark belongs to the character before it and goes if that went.
fn push_mark(form: &mut String, mark: char) {
    let is_dot_of_i = mark == '\u{307}' && form.ends_with('i');
    if !form.is_empty() && !form.ends_with(' ') && !is_dot_of_i {
        form.push(mark);
    }
}

fn normalise(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let visible = visible(text);
    let folded = CaseMapper::new().fold_string(&visible);
    Cow::Owned(NFKC.normalize(&folded).into_owned())
}

/// Returns a text as people see it: without invisible characters, and each of the others in its
/// plain width and style. Case and punctuation stay.
pub fn visible(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let ignorable = CodePointSetData::new::<DefaultIgnorableCodePoint>();
    let visible: String = text.chars().filter(|c| !ignorable.contains(*c)).collect();
    Cow::Owned(NFKC.normalize(&plain(&visible)).into_owned())
}

fn part(c: char) -> Part {
    match c {
        'a'..='z' | '0'..='9' => Part::Letter(c),
        'A'..='Z' => Part::Letter(c.to_ascii_lowercase()),
        // Apostrophes that Unicode calls letters.
        'ʼ' | 'ʻ' => Part::Punctuation,
        _ if c.is_whitespace() => Part::Space,
        _ if c.is_ascii_punctuation() => Part::Punctuation,
        // Turkish: I, İ, ı and i are one letter here, since phones and people mix them.
        'ı' => Part::Letter('i'),
        _ if is_arabic(c) => arabic(c),
        // Raised small capitals become small ones.
        _ => small(c).map_or_else(|| by_category(c), Part::Letter),
    }
}

fn by_category(c: char) -> Part {
    use GeneralCategory as Is;
    match CodePointMapData::<GeneralCategory>::new().get(c) {
        Is::UppercaseLetter
        | Is::LowercaseLetter
        | Is::TitlecaseLetter
        | Is::ModifierLetter
        | Is::OtherLetter
        | Is::DecimalNumber
        | Is::LetterNumber
        | Is::OtherNumber => Part::Letter(c),
        Is::NonspacingMark | Is::SpacingMark => Part::Mark(c),
        Is::SpaceSeparator | Is::LineSeparator | Is::ParagraphSeparator => Part::Space,
        Is::DashPunctuation
        | Is::OpenPunctuation
        | Is::ClosePunctuation
        | Is::ConnectorPunctuation
        | Is::InitialPunctuation
        | Is::FinalPunctuation
        | Is::OtherPunctuation => Part::Punctuation,
        Is::MathSymbol | Is::CurrencySymbol | Is::ModifierSymbol | Is::OtherSymbol => Part::Sign,
        Is::Unassigned
        | Is::EnclosingMark
        | Is::Control
        | Is::Format
        | Is::PrivateUse
        | Is::Surrogate => Part::Nothing,
    }
}

fn is_arabic(c: char) -> bool {
    ('\u{600}'..='\u{6FF}').contains(&c)
}

/// Arabic is written with and without vowel signs and hamza, stretched, and on phones whose
/// letters look the same and are others.
fn arabic(c: char) -> Part {
    match c {
        // Vowel signs, Koranic signs, tatweel.
        '\u{610}'..='\u{61A}'
        | '\u{640}'
        | '\u{64B}'..='\u{65F}'
        | '\u{670}'
        | '\u{6D6}'..='\u{6DC}'
        | '\u{6DF}'..='\u{6E4}'
        | '\u{6E7}'
        | '\u{6E8}'
        | '\u{6EA}'..='\u{6ED}' => Part::Nothing,
        'أ' | 'إ' | 'آ' | 'ٱ' => Part::Letter('ا'),
        'ؤ' => Part::Letter('و'),
        'ى' | 'ی' | 'ئ' => Part::Letter('ي'),
        'ک' => Part::Letter('ك'),
        'ة' => Part::Letter('ه'),
        _ => by_category(c),
    }
}

/// Returns a folded text without its diacritics, `đ` and `ł` included.
pub(super) fn bare(folded: &str) -> Cow<'_, str> {
    if folded.is_ascii() {
        return Cow::Borrowed(folded);
    }
    let taken_apart = NFD.normalize(folded);
    let plain = taken_apart.chars().filter_map(|c| match c {
        '\u{300}'..='\u{36F}' => None,
        'đ' => Some('d'),
        'ł' => Some('l'),
        'ø' => Some('o'),
        _ => Some(c),
    });
    let plain: String = plain.collect();
    Cow::Owned(NFKC.normalize(&plain).into_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_looks_the_same_is_the_same() {
        for (text, folded) in [
            ("  STOP \n", "stop"),
            ("*S.T.O.P.*", "stop"),
            ("ＳＴＯＰ　ＡＬＬ", "stop all"),
            ("𝐒𝐓𝐎𝐏 ⓢⓣⓞⓟ", "stop stop"),
            ("🆂🅣🇴🇵ᴘ ᶦᴵɪ\u{301} 🇮🇩", "stopp iií"),
            ("\u{FEFF}st\u{AD}o\u{200B}\u{200D}p\u{202C}", "stop"),
            ("stop\u{FE0F}\u{20E3}", "stop"),
            ("Schluß SCHLUSS ẞ", "schluss schluss ss"),
            ("İPTAL IPTAL ıptal iptal", "iptal iptal iptal iptal"),
            ("ΣΤΟΠ στος", "στοπ στοσ"),
            ("e\u{301}te\u{301}", "été"),
            ("ｽﾄｯﾌﾟ", "ストップ"),
            ("إِلْغـــاء", "الغاء"),
            ("توقّف کیف", "توقف كيف"),
            ("dừng\u{a0}lại", "dừng lại"),
            ("🛑 👍🏽 ...", ""),
        ] {
            assert_eq!(fold(text), folded, "{text}");
        }
    }

    #[test]
    fn punctuation_is_nothing_or_a_space() {
        let folded = Folded::of("don't, opt-out");
        assert_eq!((&*folded.joined, &*folded.spaced), ("dont optout", "don t opt out"));
        assert_eq!(Folded::of("--stop--").spaced, "stop");
    }

    #[test]
    fn signs_are_noted() {
        assert!(Folded::of("🛑").signs.is_stop());
        assert!(!Folded::of("🛑👍").signs.is_stop());
        assert!(Folded::of("yes？").signs.question && Folded::of("نعم؟").signs.question);
        assert!(Folded::of("start 🙅🏽").signs.refusal);
        assert_eq!(Folded::of("¡stop! …").signs, Signs::default());
    }

    #[test]
    fn diacritics_come_off_and_nothing_else() {
        for (text, plain) in
            [("dừng lại", "dung lai"), ("đăng ký", "dang ky"), ("रोकें", "रोकें"), ("プ", "プ")]
        {
            assert_eq!(bare(text), plain);
        }
    }

    proptest! {
        #[test]
        fn folding_twice_changes_nothing(text in any::<String>(), printable in "\\PC{0,40}") {
            for text in [text, printable] {
                let once = Folded::of(&text);
                prop_assert_eq!(fold(&once.joined), once.joined.clone());
                prop_assert_eq!(&Folded::of(&once.spaced).spaced, &once.spaced);
            }
        }

        #[test]
        fn marks_and_joiners_fold_twice_too(text in "[a-zᴛɪᶦ🆂🇸🇹🇮🇩أءيｶﾞऀ-ॿ가-각ᄀ-ᇿ\u{300}-\u{345}\u{640}-\u{655}.' \u{200D}]{0,12}") {
            let once = fold(&text);
            prop_assert_eq!(fold(&once), once.clone());
        }
    }
}
