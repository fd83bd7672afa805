//! Which spellings of a number are one contact.
//!
//! Says nothing of validity: a WhatsApp id is WhatsApp's key for a person, and several of them
//! (Mexico's `521…`, Brazil's eight digits) are invalid as phone numbers.

use std::fmt;

use smallvec::SmallVec;

use super::{
    e164::{E164, NotE164, ROOM, WORD, ascii},
    number::Number,
    parse::classify,
    renumbering::{Renumbering, Strength, rules_for},
};

/// The spellings under which one person may be met.
///
/// An opt-out applies to every spelling, weak ones included, an opt-in to the strong ones only:
/// whatever mistake the rules make, it falls on the silent side. Personal data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spellings {
    canonical: E164,
    strong: SmallVec<[E164; 2]>,
    weak: SmallVec<[E164; 2]>,
}

impl Spellings {
    /// Returns the spelling the contact is kept under.
    pub fn canonical(&self) -> E164 {
        self.canonical
    }

    /// Returns the other spellings of the same person.
    pub fn strong(&self) -> &[E164] {
        &self.strong
    }

    /// Returns spellings that may be the same person and may be another: possible duplicates.
    pub fn weak(&self) -> &[E164] {
        &self.weak
    }

    /// Returns the spellings an opt-in holds for: the canonical one first, then the strong ones.
    pub fn certain(&self) -> impl Iterator<Item = E164> + '_ {
        std::iter::once(self.canonical).chain(self.strong.iter().copied())
    }

    /// Returns the spellings an opt-out holds for: all of them.
    pub fn all(&self) -> impl Iterator<Item = E164> + '_ {
        self.certain().chain(self.weak.iter().copied())
    }

    /// Returns the text that is equal for the strong spellings of one person and for no others.
    pub fn match_key(&self) -> MatchKey {
        MatchKey::of(self.canonical)
    }
}

/// Returns every spelling of the person a number reaches. Any strong spelling gives the same
/// answer.
#[inline]
pub fn spellings(number: E164) -> Spellings {
    match rules_for(&number) {
        [] => Spellings { canonical: number, strong: SmallVec::new(), weak: SmallVec::new() },
        rules => spellings_by(rules, number),
    }
}

fn spellings_by(rules: &[Renumbering], number: E164) -> Spellings {
    let canonical = canonical(rules, number);
    let mut strong = SmallVec::new();
    for former in strong_rules(rules).filter_map(|rule| rule.former(&canonical)) {
        if !strong.contains(&former) {
            strong.push(former);
        }
    }
    let mut found = Spellings { canonical, strong, weak: SmallVec::new() };
    // What is a spelling of a weak spelling is a weak spelling too; the families are tiny.
    let mut seen = 0;
    loop {
        let Some(spelling) = found.all().nth(seen) else { return found };
        for neighbour in
            rules.iter().flat_map(|rule| [rule.renewed(&spelling), rule.former(&spelling)])
        {
            if let Some(neighbour) = neighbour
                && !found.all().any(|known| known == neighbour)
            {
                found.weak.push(neighbour);
            }
        }
        seen += 1;
    }
}

/// Returns the newest strong spelling of the same person, most often the number itself.
#[inline]
fn canonical(rules: &[Renumbering], number: E164) -> E164 {
    strong_rules(rules).find_map(|rule| rule.renewed(&number)).unwrap_or(number)
}

fn strong_rules(rules: &[Renumbering]) -> impl Iterator<Item = &Renumbering> {
    rules.iter().filter(|rule| rule.strength == Strength::Strong)
}

/// A text that is equal for the strong spellings of one person and for no others.
///
/// Calling code, `:`, national digits. Brazil's and Argentina's mobiles go without the `9` that
/// clients add and drop; the number that would then read the same but may be another person's
/// has `=` before its digits. Personal data: `Debug` is redacted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MatchKey {
    /// As a number is kept: ASCII, zeros, and the length. `:` is there for the `+`, `=` is one more.
    bytes: [u8; ROOM],
}

impl MatchKey {
    /// Returns the key of the person a number reaches.
    #[inline]
    pub fn of(number: E164) -> Self {
        match rules_for(&number) {
            [] => Self::written(number, false),
            rules => Self::by(rules, canonical(rules, number)),
        }
    }

    fn by(rules: &[Renumbering], canonical: E164) -> Self {
        let mut keyed = rules.iter().filter(|rule| rule.is_known_without_new);
        let short = keyed.clone().find_map(|rule| rule.former(&canonical));
        let is_look_alike = short.is_none() && keyed.any(|rule| rule.renewed(&canonical).is_some());
        Self::written(short.unwrap_or(canonical), is_look_alike)
    }

    /// Moves the calling code to where the `+` is, which leaves room for the `:` behind it.
    #[inline]
    fn written(number: E164, is_look_alike: bool) -> Self {
        let mut bytes = number.kept();
        let code_len = calling_code_len(number.digit_bytes());
        if let Some(first) = bytes.first_chunk_mut::<WORD>() {
            let text = u64::from_le_bytes(*first);
            let colon = u64::from(b':') << (8 * code_len);
            let code = (text >> 8) & ((1 << (8 * code_len)) - 1);
            let national = text & (u64::MAX << (8 * (code_len + 1)));
            *first = (code | colon | national).to_le_bytes();
        }
        if is_look_alike {
            Self::mark(&mut bytes, code_len);
        }
        Self { bytes }
    }

    /// Puts `=` before the national digits.
    fn mark(bytes: &mut [u8; ROOM], code_len: usize) {
        let [text @ .., len] = bytes;
        if let Some([_colon, national @ ..]) = text.get_mut(code_len..) {
            national.rotate_right(1);
            if let Some(mark) = national.first_mut() {
                *mark = b'=';
            }
            *len += 1;
        }
    }

    /// Returns the text. Every call site handles personal data.
    pub fn as_str(&self) -> &str {
        let [.., len] = self.bytes;
        ascii(self.bytes.get(..usize::from(len)).unwrap_or_default())
    }
}

impl fmt::Debug for MatchKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MatchKey(redacted)")
    }
}

impl serde::Serialize for MatchKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// Returns how many of international digits are the country calling code.
///
/// Zones 1 and 7 have one digit, the codes listed below two, all others three; a test holds the
/// list against every calling code of the metadata.
#[inline]
pub(super) fn calling_code_len(digits: &[u8]) -> usize {
    let Some([first, second]) = digits.first_chunk() else { return digits.len() };
    let at = usize::from(first & 0xF) << 4 | usize::from(second & 0xF);
    usize::from(CODE_LENS.get(at).copied().unwrap_or(3))
}

/// By the first two digits, each in four bits.
static CODE_LENS: [u8; 256] = {
    let mut lens = [3; 256];
    let mut rest: &mut [u8] = &mut lens;
    let mut at = 0;
    while let Some((len, after)) = rest.split_first_mut() {
        *len = match at {
            0x10..=0x1F | 0x70..=0x7F => 1,
            0x20
            | 0x27
            | 0x30..=0x34
            | 0x36
            | 0x39
            | 0x40
            | 0x41
            | 0x43..=0x49
            | 0x51..=0x58
            | 0x60..=0x66
            | 0x81
            | 0x82
            | 0x84
            | 0x86
            | 0x90..=0x95
            | 0x98 => 2,
            _ => 3,
        };
        rest = after;
        at += 1;
    }
    lens
};

/// A person as WhatsApp names them: the id to send to, and what it says of them.
///
/// Keeps the id alone. All else is worked out when it is asked for, in a few tens of nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WaContact {
    wa_id: E164,
}

impl WaContact {
    /// Returns the id's digits as WhatsApp gave them; messages go to these. Personal data.
    pub fn wa_id(&self) -> &str {
        self.wa_id.digits()
    }

    /// Returns what is known of the id's digits as a number. An id need not be a valid one.
    #[inline]
    pub fn number(&self) -> Number {
        classify(self.wa_id)
    }

    /// Returns the text that is equal for the strong spellings of one person and for no others.
    #[inline]
    pub fn match_key(&self) -> MatchKey {
        MatchKey::of(self.wa_id)
    }

    /// Returns the spellings of the same person.
    pub fn spellings(&self) -> Spellings {
        spellings(self.wa_id)
    }
}

/// Why a WhatsApp id is not the number of a person. Never carries the id itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WaIdError {
    /// A group, a hidden identity, a broadcast list or a channel.
    #[error("the id names a group, a list or a hidden identity, not a phone number")]
    NotANumber,
    /// A business-scoped user id (`US.1349…`): opaque, and kept as such elsewhere.
    #[error("the id is a business-scoped user id, not a phone number")]
    BusinessScoped,
    /// Something else.
    #[error("the id is not the digits of a phone number")]
    Malformed,
}

/// Reads an id as WhatsApp's webhooks and clients write it: digits, also with `+`, behind
/// `whatsapp:`, or as an address with a device.
///
/// Never refuses digits because they are no valid number: the person is there, writing to us.
///
/// # Errors
///
/// [`WaIdError`], if the id is not made of a person's digits.
#[inline]
pub fn from_wa_id(id: &str) -> Result<WaContact, WaIdError> {
    E164::from_digits(id).map_or_else(|NotE164| from_other_id(id), |wa_id| Ok(WaContact { wa_id }))
}

/// Reads an id that is more than digits.
fn from_other_id(id: &str) -> Result<WaContact, WaIdError> {
    let id = id.strip_prefix("whatsapp:").unwrap_or(id);
    let user = match id.split_once('@') {
        None => id,
        Some((user, "c.us" | "s.whatsapp.net")) => user
            .split_once(':')
            .filter(|(_, device)| is_digits(device))
            .map_or(user, |(user, _)| user),
        Some((_, "g.us" | "lid" | "broadcast" | "newsletter")) => {
            return Err(WaIdError::NotANumber);
        }
        Some(_) => return Err(WaIdError::Malformed),
    };
    if is_business_scoped(user) {
        return Err(WaIdError::BusinessScoped);
    }
    let digits = user.strip_prefix('+').unwrap_or(user);
    let wa_id = E164::from_digits(digits).map_err(|NotE164| WaIdError::Malformed)?;
    Ok(WaContact { wa_id })
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Source: Meta, "Business-scoped user IDs": a country's two letters, a dot, an opaque rest.
fn is_business_scoped(user: &str) -> bool {
    user.split_once('.').is_some_and(|(country, rest)| {
        country.len() == 2 && country.bytes().all(|b| b.is_ascii_alphabetic()) && !rest.is_empty()
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(digits: &str) -> Spellings {
        spellings(E164::from_digits(digits).unwrap())
    }

    fn key(digits: &str) -> String {
        of(digits).match_key().as_str().to_owned()
    }

    fn digits(list: &[E164]) -> Vec<&str> {
        list.iter().map(E164::digits).collect()
    }

    #[test]
    fn strong_spellings_are_one_person() {
        for (old, new) in [
            ("5215500000000", "525500000000"),
            ("553160000000", "5531960000000"),
            ("551190000000", "5511990000000"),
            ("841200000000", "84700000000"),
            ("841990000000", "84590000000"),
            ("22507000000", "2250707000000"),
            ("22541000000", "2250141000000"),
            ("22564000000", "2250564000000"),
            ("22990000000", "2290190000000"),
            ("96610000000", "966110000000"),
        ] {
            let (by_old, by_new) = (of(old), of(new));
            assert_eq!(by_old, by_new, "{old}");
            assert_eq!(by_old.canonical().digits(), new);
            assert_eq!((digits(by_old.strong()), digits(by_old.weak())), (vec![old], vec![]));
            assert_eq!(key(old), key(new));
        }
    }

    #[test]
    fn weak_spellings_stay_two_people_who_share_an_opt_out() {
        for (one, other) in [
            ("553170000000", "5531970000000"),
            ("541100000000", "5491100000000"),
            ("24106000000", "24166000000"),
        ] {
            for (this, that) in [(one, other), (other, one)] {
                let found = of(this);
                assert_eq!(found.canonical().digits(), this);
                assert!(!found.certain().any(|spelling| spelling.digits() == that), "{this}");
                assert!(found.all().any(|spelling| spelling.digits() == that), "{this}");
            }
            assert_ne!(key(one), key(other));
        }
    }

    #[test]
    fn a_gabonese_number_has_two_older_forms() {
        let found = of("24166000000");
        assert_eq!(digits(found.weak()), ["24106000000", "2416000000"]);
        let found = of("24106000000");
        assert_eq!(digits(found.weak()), ["24166000000", "2416000000"], "by way of the new form");
    }

    #[test]
    fn other_digits_are_only_themselves() {
        for alone in [
            "553133334444",  // A Brazilian landline never had a ninth digit.
            "5531933334444", // Nor does dropping one lead to its owner.
            "558000000000",  // Toll-free, not an area.
            "390331000000",  // Italy's zero is part of the number,
            "39331000000",   // and this is somebody else.
            "12025550123",
            "447700900456",
            "525500000",     // Too short to say.
            "5211500000000", // No Mexican number begins with 1.
            "22561000000",   // Its new form is not certain.
            "22520000000",
        ] {
            let found = of(alone);
            assert_eq!(found.canonical().digits(), alone);
            assert_eq!(found.all().count(), 1, "{alone}");
        }
    }

    #[test]
    fn keys_read_as_clients_know_the_people() {
        assert_eq!(key("5215500000000"), "52:5500000000");
        assert_eq!(key("5491100000000"), "54:1100000000");
        assert_eq!(key("541100000000"), "54:=1100000000");
        assert_eq!(key("5531970000000"), "55:3170000000");
        assert_eq!(key("553170000000"), "55:=3170000000");
        assert_eq!(key("5511970000000"), "55:1170000000");
        assert_eq!(key("447700900456"), "44:7700900456");
        assert_eq!(key("12025550123"), "1:2025550123");
        assert_eq!(key("2290190000000"), "229:0190000000");
        assert_eq!(key("12345678901234567890"), "1:2345678901234567890");
        assert_eq!((key("123"), key("999")), ("1:23".to_owned(), "999:".to_owned()));
    }

    #[test]
    fn ids_are_read_in_every_form_and_kept_as_given() {
        for id in [
            "5215500000000",
            "+5215500000000",
            "whatsapp:+5215500000000",
            "5215500000000@c.us",
            "5215500000000:12@s.whatsapp.net",
        ] {
            let contact = from_wa_id(id).unwrap();
            assert_eq!(contact.wa_id(), "5215500000000", "{id}");
            assert_eq!(contact.spellings().canonical().as_str(), "+525500000000");
            assert!(!contact.number().valid(), "Mexico's 1 is no part of a number any more");
        }
    }

    #[test]
    fn ids_without_a_persons_digits_are_refused_by_kind() {
        for (id, error) in [
            ("120363000000000000@g.us", WaIdError::NotANumber),
            ("12025550123@lid", WaIdError::NotANumber),
            ("US.90000000000000000123", WaIdError::BusinessScoped),
            ("", WaIdError::Malformed),
            ("0202555", WaIdError::Malformed),
            ("12025550123@example.com", WaIdError::Malformed),
            ("12025550123:x@c.us", WaIdError::Malformed),
            ("+1 202 555 0123", WaIdError::Malformed),
        ] {
            assert_eq!(from_wa_id(id), Err(error), "{id}");
        }
    }

    #[test]
    fn debug_never_shows_a_digit() {
        let shown =
            format!("{:?} {:?}", from_wa_id("5531970000000"), of("12025550123").match_key());
        assert!(!shown.replace("E164", "").chars().any(|c| c.is_ascii_digit()), "{shown}");
    }

    /// Digits under the codes that have rules, at the lengths where the rules meet.
    fn likely_digits() -> impl Strategy<Value = String> {
        let code = prop::sample::select(vec![
            "52", "521", "55", "5531", "55319", "54", "549", "84", "841", "225", "22501", "229",
            "22901", "241", "2410", "966", "9661", "39", "1", "62",
        ]);
        (code, "[0-9]{6,11}").prop_map(|(code, rest)| format!("{code}{rest}"))
    }

    proptest! {
        #[test]
        fn canonical_is_canonical(digits in likely_digits()) {
            let found = of(&digits);
            prop_assert_eq!(spellings(found.canonical()).canonical(), found.canonical());
        }

        #[test]
        fn every_strong_spelling_gives_the_same_answer(digits in likely_digits()) {
            let found = of(&digits);
            prop_assert!(found.certain().any(|spelling| spelling.digits() == digits));
            for spelling in found.certain() {
                prop_assert_eq!(&spellings(spelling), &found);
            }
        }

        #[test]
        fn a_weak_spelling_is_one_in_both_directions(digits in likely_digits()) {
            let found = of(&digits);
            for weak in found.weak() {
                let back = spellings(*weak);
                prop_assert!(back.all().any(|spelling| spelling.digits() == digits));
                prop_assert!(!back.certain().any(|spelling| spelling.digits() == digits));
            }
        }

        #[test]
        fn keys_are_equal_for_strong_spellings_only(one in likely_digits(), other in likely_digits()) {
            let (one, other) = (of(&one), of(&other));
            prop_assert_eq!(one.match_key() == other.match_key(), one.canonical() == other.canonical());
            for weak in one.weak() {
                let is_same_person = spellings(*weak).canonical() == one.canonical();
                prop_assert!(is_same_person || spellings(*weak).match_key() != one.match_key());
            }
        }

        #[test]
        fn a_brazilian_landline_is_never_given_a_ninth_digit(area in "[1-9][1-9]", local in "[2-5][0-9]{7}") {
            prop_assert_eq!(of(&format!("55{area}{local}")).all().count(), 1);
        }
    }
}
