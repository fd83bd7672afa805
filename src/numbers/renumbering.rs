//! The countries whose old and new spellings of one number are both still met, as data.
//!
//! Only what WhatsApp's own ids and people's address books bring up. Not here, so every spelling
//! stays its own person: landlines of Vietnam and of Metro Manila (renumbered, but by tables of
//! hundreds of prefixes), and Italy's leading zero, which is part of the number.

use super::e164::E164;

/// How far two spellings may be taken for one person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strength {
    /// The old spelling reaches nobody else: both are one person.
    Strong,
    /// The other spelling can be somebody else's number: a possible duplicate, no more.
    Weak,
}

/// One rule: digits `head old tail` became `head new tail`.
#[derive(Debug)]
pub(super) struct Renumbering {
    /// Calling code and area; `N` stands for a digit from 1 to 9.
    head: &'static str,
    old: &'static str,
    new: &'static str,
    /// The digits allowed at the first places of the tail; every digit is at the others.
    tail: &'static [&'static str],
    tail_len: usize,
    pub(super) strength: Strength,
    /// Whether clients know the person by the digits without `new` (match keys follow them).
    pub(super) is_known_without_new: bool,
}

impl Renumbering {
    const fn strong(
        head: &'static str,
        old: &'static str,
        new: &'static str,
        tail: &'static [&'static str],
        tail_len: usize,
    ) -> Self {
        let strength = Strength::Strong;
        Self { head, old, new, tail, tail_len, strength, is_known_without_new: false }
    }

    const fn weak(
        head: &'static str,
        old: &'static str,
        new: &'static str,
        tail: &'static [&'static str],
        tail_len: usize,
    ) -> Self {
        let strength = Strength::Weak;
        Self { head, old, new, tail, tail_len, strength, is_known_without_new: false }
    }

    const fn known_without_new(self) -> Self {
        Self { is_known_without_new: true, ..self }
    }

    /// Returns the new spelling of an old one.
    pub(super) fn renewed(&self, number: &E164) -> Option<E164> {
        self.replace(number.digit_bytes(), self.old.as_bytes(), self.new.as_bytes())
    }

    /// Returns the old spelling of a new one.
    pub(super) fn former(&self, number: &E164) -> Option<E164> {
        self.replace(number.digit_bytes(), self.new.as_bytes(), self.old.as_bytes())
    }

    fn replace(&self, digits: &[u8], from: &[u8], to: &[u8]) -> Option<E164> {
        // Most rules are out by the length alone.
        if digits.len() != self.head.len() + from.len() + self.tail_len {
            return None;
        }
        let (head, rest) = digits.split_at_checked(self.head.len())?;
        let fits = |(slot, digit): (u8, &u8)| {
            if slot == b'N' { (b'1'..=b'9').contains(digit) } else { slot == *digit }
        };
        if !self.head.bytes().zip(head).all(fits) {
            return None;
        }
        let tail = rest.strip_prefix(from)?;
        let is_allowed = |(class, digit): (&&str, &u8)| class.as_bytes().contains(digit);
        if !self.tail.iter().zip(tail).all(is_allowed) {
            return None;
        }
        E164::join(&[head, to, tail]).ok()
    }
}

/// Returns the rules that can touch a number, none for most countries.
#[inline]
pub(super) fn rules_for(number: &E164) -> &'static [Renumbering] {
    match number.digit_bytes() {
        [b'5', b'2', ..] => MEXICO,
        [b'5', b'4', ..] => ARGENTINA,
        [b'5', b'5', ..] => BRAZIL,
        [b'8', b'4', ..] => VIETNAM,
        [b'2', b'2', b'5', ..] => IVORY_COAST,
        [b'2', b'2', b'9', ..] => BENIN,
        [b'2', b'4', b'1', ..] => GABON,
        [b'9', b'6', b'6', ..] => SAUDI_ARABIA,
        _ => &[],
    }
}

/// The `1` before mobiles is dead since 2019; WhatsApp still answers with it. We take every area,
/// where the source lists those in use.
///
/// Source: libphonenumber, `migrator/src/data/recipes.csv` (read 2026-11-21).
static MEXICO: &[Renumbering] = &[Renumbering::strong("52", "1", "", &["23456789"], 10)];

/// Mobiles got a ninth digit; WhatsApp keeps the id an account began with. The old forms in 6, 8
/// and 9 are invalid today. Eight digits in 7 are still valid mobiles, so they may be another
/// person's. Landlines begin with 2 to 5 and never had a ninth digit. We take every area, where
/// the source begins at 31.
///
/// Source: libphonenumber, `migrator/src/data/recipes.csv` (read 2026-11-21); the metadata for 7.
static BRAZIL: &[Renumbering] = &[
    Renumbering::strong("55NN", "", "9", &["689"], 8).known_without_new(),
    Renumbering::weak("55NN", "", "9", &["7"], 8).known_without_new(),
];

/// Mobiles dialled from abroad carry a `9`; without it the digits are a valid landline of that area,
/// which can be another subscriber's. Some clients strip it all the same.
///
/// Source: libphonenumber's metadata for AR; WhatsApp's help asks for the `9`
/// (faq.whatsapp.com/1294841057948784).
static ARGENTINA: &[Renumbering] =
    &[Renumbering::weak("54", "", "9", &["123"], 10).known_without_new()];

/// Mobiles of ten national digits became nine.
///
/// Source: libphonenumber, `migrator/src/data/recipes.csv` (read 2026-11-21).
static VIETNAM: &[Renumbering] = &[
    Renumbering::strong("84", "12", "7", &["068"], 8),
    Renumbering::strong("84", "12", "8", &["345"], 8),
    Renumbering::strong("84", "121", "79", &[], 7),
    Renumbering::strong("84", "122", "77", &[], 7),
    Renumbering::strong("84", "127", "81", &[], 7),
    Renumbering::strong("84", "129", "82", &[], 7),
    Renumbering::strong("84", "16", "3", &["23456789"], 8),
    Renumbering::strong("84", "18", "5", &["68"], 8),
    Renumbering::strong("84", "199", "59", &[], 7),
];

/// Eight digits became ten. The second old digit named a mobile's operator, and the operator gave
/// the new prefix. Landlines and 60, 61, 69 are left alone: their mapping is not certain.
///
/// Source: libphonenumber's carrier data 8.12.10 for the operators, its metadata for the prefixes.
static IVORY_COAST: &[Renumbering] = &[
    Renumbering::strong("225", "", "01", &["045789", "0123"], 8),
    Renumbering::strong("225", "", "01", &["6", "23"], 8),
    Renumbering::strong("225", "", "05", &["0456789", "456"], 8),
    Renumbering::strong("225", "", "07", &["045789", "789"], 8),
    Renumbering::strong("225", "", "07", &["6", "78"], 8),
];

/// Every number of eight digits got `01` in front on 30 November 2024.
///
/// Source: libphonenumber's metadata for BJ, which knows ten digits only.
static BENIN: &[Renumbering] = &[Renumbering::strong("229", "", "01", &[], 8)];

/// Seven digits became eight, and the trunk `0` before eight went. Google still calls the older
/// forms valid.
///
/// Source: libphonenumber, `migrator/src/data/recipes.csv` (read 2026-11-21).
static GABON: &[Renumbering] = &[
    Renumbering::weak("241", "01", "11", &[], 6),
    Renumbering::weak("241", "0", "6", &["256"], 7),
    Renumbering::weak("241", "0", "7", &["47"], 7),
    Renumbering::weak("241", "", "6", &["256"], 7),
    Renumbering::weak("241", "", "7", &["47"], 7),
];

/// Landlines got a `1` before the area code.
///
/// Source: libphonenumber, `migrator/src/data/recipes.csv` (read 2026-11-21).
static SAUDI_ARABIA: &[Renumbering] = &[
    Renumbering::strong("966", "", "1", &["1"], 8),
    Renumbering::strong("966", "", "1", &["2", "245678"], 8),
    Renumbering::strong("966", "", "1", &["3", "35678"], 8),
    Renumbering::strong("966", "", "1", &["4", "34568"], 8),
    Renumbering::strong("966", "", "1", &["6", "2345"], 8),
    Renumbering::strong("966", "", "1", &["7", "23567"], 8),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numbers::parse;

    /// A number every place of which the rule allows, its free digits taken from `seed`.
    fn example(rule: &Renumbering, middle: &str, seed: u64) -> E164 {
        let mut free = seed.to_string().into_bytes().into_iter().cycle();
        let mut next = || char::from(free.next().unwrap());
        let mut digits: String =
            rule.head.chars().map(|slot| if slot == 'N' { '3' } else { slot }).collect();
        digits.push_str(middle);
        for place in 0..rule.tail_len {
            let class = rule.tail.get(place).copied().unwrap_or("0123456789");
            let pick = next().to_digit(10).unwrap();
            let pick = usize::try_from(pick).unwrap() % class.len();
            digits.push(char::from(class.as_bytes()[pick]));
        }
        E164::from_digits(&digits).unwrap()
    }

    fn every_rule() -> impl Iterator<Item = &'static Renumbering> {
        [MEXICO, ARGENTINA, BRAZIL, VIETNAM, IVORY_COAST, BENIN, GABON, SAUDI_ARABIA]
            .into_iter()
            .flatten()
    }

    #[test]
    fn every_rule_is_its_own_way_back() {
        for rule in every_rule() {
            for seed in [271_828_182, 314_159_265, 161_803_398] {
                let old = example(rule, rule.old, seed);
                let new = rule.renewed(&old).unwrap();
                assert_eq!(new, example(rule, rule.new, seed));
                assert_eq!(rule.former(&new), Some(old));
                assert!(rules_for(&old).iter().any(|other| std::ptr::eq(other, rule)));
            }
        }
    }

    #[test]
    fn no_old_spelling_of_a_strong_rule_is_a_valid_number() {
        for rule in every_rule().filter(|rule| rule.strength == Strength::Strong) {
            for seed in 1_357_900..1_358_100 {
                let old = example(rule, rule.old, seed);
                let read = parse(old.as_str(), None);
                assert!(!read.is_ok_and(|number| number.valid()), "{rule:?} {}", old.as_str());
            }
        }
    }

    #[test]
    fn no_digits_are_new_by_one_strong_rule_and_old_by_another() {
        for rule in every_rule().filter(|rule| rule.strength == Strength::Strong) {
            for seed in 1_357_900..1_358_100 {
                let new = example(rule, rule.new, seed);
                let is_old = |other: &&Renumbering| {
                    other.strength == Strength::Strong && other.renewed(&new).is_some()
                };
                assert!(rules_for(&new).iter().find(is_old).is_none(), "{rule:?}");
            }
        }
    }
}
