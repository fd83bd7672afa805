//! What a person probably meant by a number that cannot be used as it was written.
//!
//! Never changes an answer: a suggestion stands beside the problem, and whoever accepts it keeps
//! the assumption as evidence.

use super::{
    e164::E164,
    google,
    number::{Number, NumberError},
    parse::parse,
    region::Region,
    spelling::spellings,
    whatsapp_form,
};

/// A valid number that a text probably means, and what has to be assumed for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Suggestion {
    e164: E164,
    assumption: Assumption,
}

impl Suggestion {
    /// Returns the number to ask about. Personal data.
    pub fn e164(&self) -> E164 {
        self.e164
    }

    /// Returns what is assumed if the suggestion is accepted.
    pub fn assumption(&self) -> Assumption {
        self.assumption
    }
}

/// What was assumed in making a number of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Assumption {
    /// The spelling is from before a renumbering that is complete.
    Renumbered,
    /// A prefix once dialled inside the country, dead today, stands before the number.
    LegacyPrefix,
    /// Argentina's `15` before a mobile was kept although the `9` from abroad is there.
    MobilePrefix15,
    /// What follows a WhatsApp prefix is a national number of the region given.
    NationalDigits,
    /// `00` stands for `+`, although it is not the region's international prefix.
    IddGuess,
    /// The digits are an international number without its `+`.
    MissingPlus,
}

impl Assumption {
    /// Returns the stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Renumbered => "renumbered",
            Self::LegacyPrefix => "legacy_prefix",
            Self::MobilePrefix15 => "mobile_prefix_15",
            Self::NationalDigits => "national_digits",
            Self::IddGuess => "idd_guess",
            Self::MissingPlus => "missing_plus",
        }
    }
}

/// Returns the valid number a text probably means, if the text itself does not give one.
///
/// The first assumption that leads to a valid number is taken, the closest to the text first.
/// The country of bare national digits is never guessed.
pub fn suggest(input: &str, region: Option<Region>) -> Option<Suggestion> {
    let answer = parse(input, region);
    if answer.is_ok_and(|number| number.valid()) {
        return None;
    }
    let of_number =
        answer.ok().and_then(|number| renumbered(number).or_else(|| without_mobile_15(number)));
    of_number
        .or_else(|| national_behind_whatsapp(input, region, answer))
        .or_else(|| of_bare_digits(input, region))
}

fn renumbered(number: Number) -> Option<Suggestion> {
    let canonical = spellings(number.e164()).canonical();
    if canonical == number.e164() {
        return None;
    }
    valid(canonical.as_str(), Assumption::Renumbered)
}

/// `+54 9 area 15 local`: Google drops the `15` only where the `9` is missing.
///
/// Source: libphonenumber's metadata for AR: area codes have 2 to 4 digits, and area and local
/// number together 10.
fn without_mobile_15(number: Number) -> Option<Suggestion> {
    const AREA_AND_LOCAL_LEN: usize = 10;
    let national = number.e164();
    let national = national.digits().strip_prefix("549")?;
    if national.len() != AREA_AND_LOCAL_LEN + 2 {
        return None;
    }
    let mut candidates = (2..=4).filter_map(|area_len| {
        let (area, rest) = national.split_at_checked(area_len)?;
        let local = rest.strip_prefix("15")?;
        valid(&format!("+549{area}{local}"), Assumption::MobilePrefix15)
    });
    let first = candidates.next()?;
    // Two areas could be meant: asking about one of them would be guessing.
    candidates.all(|other| other == first).then_some(first)
}

/// `WA: 0812…`: no international number begins with 0, so the region's form may be meant.
fn national_behind_whatsapp(
    input: &str,
    region: Option<Region>,
    answer: Result<Number, NumberError>,
) -> Option<Suggestion> {
    if answer != Err(NumberError::InvalidCountryCode) {
        return None;
    }
    let text = whatsapp_form::international(input)?;
    let text = whatsapp_form::with_plus(&text);
    let national = text.strip_prefix('+').filter(|digits| digits.starts_with('0'))?;
    valid_in(national, Some(region?), Assumption::NationalDigits)
}

fn of_bare_digits(input: &str, region: Option<Region>) -> Option<Suggestion> {
    let digits = bare_digits(input)?;
    if let Some(region) = region
        && let Some(found) = without_legacy_prefix(&digits, region)
    {
        return Some(found);
    }
    if let Some(rest) = digits.strip_prefix("00") {
        return valid(&format!("+{rest}"), Assumption::IddGuess);
    }
    valid(&format!("+{digits}"), Assumption::MissingPlus)
}

/// Mexico's `01` for long distance, `044` and `045` before mobiles. (The `1` from abroad is an
/// old spelling like others.)
///
/// Source: libphonenumber's metadata for MX at 9.0.43 strips none of them and knows national
/// numbers of 10 digits only.
fn without_legacy_prefix(digits: &str, region: Region) -> Option<Suggestion> {
    if region.as_str() != "MX" {
        return None;
    }
    let national = ["044", "045", "01"]
        .iter()
        .find_map(|prefix| digits.strip_prefix(prefix).filter(|national| national.len() == 10))?;
    valid(&format!("+52{national}"), Assumption::LegacyPrefix)
}

/// Returns the digits of a text that holds nothing else but spaces and punctuation.
fn bare_digits(input: &str) -> Option<String> {
    let is_bare = |c: char| {
        c.is_numeric()
            || !(c.is_alphanumeric() || matches!(c, '+' | '\u{FF0B}' | '@' | '*' | '#' | ',' | ';'))
    };
    let is_short = input.len() <= crate::limits::NUMBER_TEXT_CHARS_MAX;
    (is_short && input.chars().all(is_bare)).then(|| google::ascii_digits(input))
}

fn valid(text: &str, assumption: Assumption) -> Option<Suggestion> {
    valid_in(text, None, assumption)
}

/// A text may also lead to a valid number by an old spelling: the person is the same.
fn valid_in(text: &str, region: Option<Region>, assumption: Assumption) -> Option<Suggestion> {
    let number = google::read(text, region).ok()?;
    if number.valid() {
        return Some(Suggestion { e164: number.e164(), assumption });
    }
    let canonical = spellings(number.e164()).canonical();
    let renewed = google::read(canonical.as_str(), None).ok().filter(Number::valid)?;
    Some(Suggestion { e164: renewed.e164(), assumption })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns what is suggested as `number assumption`, nothing as `-`.
    fn meant(input: &str, region: &str) -> String {
        let found = suggest(input, Region::parse(region).ok());
        found.map_or("-".to_owned(), |found| {
            format!("{} {}", found.e164().as_str(), found.assumption().as_str())
        })
    }

    #[test]
    fn a_usable_number_needs_no_suggestion() {
        assert_eq!(meant("+12025550123", ""), "-");
        assert_eq!(meant("(202) 555-0123", "US"), "-");
    }

    #[test]
    fn a_missing_plus_is_offered() {
        assert_eq!(meant("12025550123", ""), "+12025550123 missing_plus");
        assert_eq!(meant("1-202-555-0123", "ID"), "+12025550123 missing_plus");
        assert_eq!(meant("\u{661}\u{662}\u{660}\u{662}5550123", ""), "+12025550123 missing_plus");
        assert_eq!(meant("5215512345678", ""), "+525512345678 missing_plus", "an old spelling");
    }

    #[test]
    fn a_foreign_international_prefix_is_offered() {
        // Indonesia dials 001, 007, 008 … but everybody writes 00.
        assert_eq!(meant("001 202 555 0123", "DE"), "-", "Germany dials 00, nothing to assume");
        assert_eq!(meant("0012025550123", ""), "+12025550123 idd_guess");
        assert_eq!(meant("0012025550123", "BR"), "+12025550123 idd_guess");
    }

    #[test]
    fn dead_prefixes_of_mexico_are_offered_only_there() {
        for written in ["044 55 1234 5678", "045 5512345678", "01 55 1234 5678"] {
            assert_eq!(meant(written, "MX"), "+525512345678 legacy_prefix", "{written}");
        }
        assert_eq!(meant("044 55 1234 5678", "US"), "-");
        assert_eq!(meant("1 5512345678", "MX"), "+525512345678 renumbered");
    }

    #[test]
    fn old_spellings_lead_to_the_new_number() {
        assert_eq!(meant("+5215512345678", ""), "+525512345678 renumbered");
        assert_eq!(meant("+22997123456", ""), "+2290197123456 renumbered");
        assert_eq!(meant("+553188887777", ""), "+5531988887777 renumbered");
    }

    #[test]
    fn the_argentine_15_is_dropped_where_that_is_unambiguous() {
        assert_eq!(meant("+54 9 11 15 2345 6789", ""), "+5491123456789 mobile_prefix_15");
    }

    #[test]
    fn national_digits_behind_a_whatsapp_prefix_use_the_region() {
        assert_eq!(meant("WA: 030 23125000", "DE"), "+493023125000 national_digits");
        assert_eq!(meant("WA: 030 23125000", ""), "-");
    }

    #[test]
    fn bare_national_digits_get_no_country() {
        assert_eq!(meant("0812 3456 7890", ""), "-");
        assert_eq!(meant("call 12025550123", ""), "-", "text around digits is not bare");
        assert_eq!(meant("", ""), "-");
    }
}
