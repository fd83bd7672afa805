//! Judging a number by its digits alone: one walk over a table made from the numbering metadata.
//!
//! Reads no text and strips no prefix. The table is in the binary and is read where it lies, so a
//! judgement allocates nothing. `scripts/numbers-metadata` makes it; `layout` says how it looks.

use super::{
    layout::{
        CODE_BYTES, HEADER_BYTES, KIND_MASK, KINDS, LEAP_BYTES, LEAP_LEN, LEAPS, LENGTHS, MARK,
        PREFIXES, RANK_SHIFT, REGION_BYTES, REWRITABLE, STATE_BYTES, TAIL_BYTES, VERSION_BYTES,
    },
    number::{LengthCheck, NumberType},
    region::Region,
};

/// What the metadata says about the digits of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Judgement {
    pub(super) length: LengthCheck,
    pub(super) kind: NumberType,
    pub(super) region: Option<Region>,
    /// Whether the parser can read these digits as another number, by taking a prefix off.
    pub(super) is_rewritable: bool,
    /// Digits behind the calling code.
    pub(super) national_len: usize,
}

/// Judges international digits, without `+`. Returns `None` if no calling code is before them.
pub(super) fn judge(digits: &[u8]) -> Option<Judgement> {
    let [code_len, regions, first_low, first_high, root_low, root_high, _, _, lengths @ ..] =
        code_of(digits)?;
    let national = digits.get(usize::from(*code_len)..)?;
    let label = match digits.split_first_chunk::<LEAP_LEN>() {
        Some((first, rest)) => label_of(leap(*first), rest),
        None => label_of(usize::from(u16::from_le_bytes([*root_low, *root_high])), national),
    };
    let rank = usize::from(label >> RANK_SHIFT);
    // A code of one region says whose every number is, also one that is nobody's.
    let region = rank.max(usize::from(*regions == 1)).checked_sub(1);
    let first_region = usize::from(u16::from_le_bytes([*first_low, *first_high]));
    Some(Judgement {
        length: lengths.get(national.len()).map_or(LengthCheck::TooLong, |at| length_at(*at)),
        kind: kind_at(label & KIND_MASK),
        region: region.and_then(|at| region_at(first_region + at)),
        is_rewritable: label & REWRITABLE != 0,
        national_len: national.len(),
    })
}

/// Returns whether some calling code has this region.
pub(super) fn has_region(region: Region) -> bool {
    regions().any(|known| known == region)
}

/// Returns every region, those of one calling code in a row.
pub(super) fn regions() -> impl Iterator<Item = Region> {
    TABLE.regions.iter().filter_map(|bytes| Region::from_table(*bytes))
}

/// Returns the version of Google's metadata that the table was made from, such as `9.0.42`.
pub(super) fn version() -> &'static str {
    std::str::from_utf8(TABLE.version).unwrap_or_default().trim_end_matches('\0')
}

/// Finds the calling code in front of the digits: no code is the beginning of another.
fn code_of(digits: &[u8]) -> Option<&'static [u8; CODE_BYTES]> {
    let at = usize::from(*TABLE.codes_by_prefix.get(decimal(digits.first_chunk::<3>()?))?);
    TABLE.codes.get(at.checked_sub(1)?)
}

/// Returns where a number with these first digits goes on. Most are decided a digit or two later.
#[inline]
fn leap(first: [u8; LEAP_LEN]) -> usize {
    TABLE.leaps.get(decimal(&first)).map_or(0, |to| usize::from(u16::from_le_bytes(*to)))
}

fn decimal(digits: &[u8]) -> usize {
    digits.iter().fold(0, |sum, digit| sum * 10 + value(*digit))
}

/// Returns what an ASCII digit stands for; something above 9 for other bytes, which leads nowhere.
fn value(digit: u8) -> usize {
    usize::from(digit ^ b'0')
}

/// Follows the digits of a national number from a state on.
fn label_of(root: usize, national: &[u8]) -> u16 {
    let (mut at, mut rest) = (root, national);
    while let Some(state) = TABLE.states.get(at) {
        let Some((digit, after)) = rest.split_first() else { return cell(state, 0) };
        at = usize::from(cell(state, 1 + value(*digit)));
        rest = after;
    }
    TABLE.tails.get(at - TABLE.states.len()).map_or(0, |tail| cell(tail, rest.len()))
}

fn region_at(at: usize) -> Option<Region> {
    TABLE.regions.get(at).and_then(|bytes| Region::from_table(*bytes))
}

fn cell(row: &[u8], at: usize) -> u16 {
    let (cells, _) = row.as_chunks::<2>();
    cells.get(at).map_or(0, |cell| u16::from_le_bytes(*cell))
}

/// The same order as [`super::layout::KINDS`].
fn kind_at(value: u16) -> NumberType {
    match value {
        1 => NumberType::FixedLine,
        2 => NumberType::Mobile,
        3 => NumberType::FixedLineOrMobile,
        4 => NumberType::TollFree,
        5 => NumberType::PremiumRate,
        6 => NumberType::SharedCost,
        7 => NumberType::Voip,
        8 => NumberType::PersonalNumber,
        9 => NumberType::Pager,
        10 => NumberType::Uan,
        11 => NumberType::Voicemail,
        _ => NumberType::Unknown,
    }
}

/// The same order as [`LENGTHS`].
fn length_at(value: u8) -> LengthCheck {
    match value {
        0 => LengthCheck::Possible,
        1 => LengthCheck::LocalOnly,
        2 => LengthCheck::TooShort,
        3 => LengthCheck::InvalidLength,
        _ => LengthCheck::TooLong,
    }
}

const _: () = assert!(KINDS.len() == 12 && LENGTHS.len() == 5);

/// The parts of the file, found when Izin is compiled.
struct Table {
    version: &'static [u8],
    regions: &'static [[u8; REGION_BYTES]],
    codes: &'static [[u8; CODE_BYTES]],
    codes_by_prefix: &'static [u8],
    leaps: &'static [[u8; LEAP_BYTES]],
    states: &'static [[u8; STATE_BYTES]],
    tails: &'static [[u8; TAIL_BYTES]],
}

const TABLE: Table = Table::of(include_bytes!("metadata/automaton.bin"));

impl Table {
    const EMPTY: Self = Self {
        version: &[],
        regions: &[],
        codes: &[],
        codes_by_prefix: &[],
        leaps: &[],
        states: &[],
        tails: &[],
    };

    /// Takes the file apart. A file of another shape does not compile.
    const fn of(file: &'static [u8]) -> Self {
        let (header, rest) = file.split_at(HEADER_BYTES);
        let (mark, header) = header.split_at(MARK.len());
        let (version, counts) = header.split_at(VERSION_BYTES);
        let mut at = 0;
        while at < MARK.len() {
            let (_, rest) = mark.split_at(at);
            let (_, expected) = MARK.split_at(at);
            let is_mark = match (rest, expected) {
                ([found, ..], [wanted, ..]) => *found == *wanted,
                _ => false,
            };
            assert!(is_mark, "the table is of another format");
            at += 1;
        }
        let (counts, _) = counts.as_chunks::<2>();
        let [regions_len, codes_len, states_len, tails_len] = counts else {
            return Self::EMPTY;
        };
        let (regions, rest) = rest.split_at(count(*regions_len) * REGION_BYTES);
        let (codes, rest) = rest.split_at(count(*codes_len) * CODE_BYTES);
        let (codes_by_prefix, rest) = rest.split_at(PREFIXES);
        let (leaps, rest) = rest.split_at(LEAPS * LEAP_BYTES);
        let (states, tails) = rest.split_at(count(*states_len) * STATE_BYTES);
        let (regions, _) = regions.as_chunks::<REGION_BYTES>();
        let (codes, _) = codes.as_chunks::<CODE_BYTES>();
        let (leaps, _) = leaps.as_chunks::<LEAP_BYTES>();
        let (states, _) = states.as_chunks::<STATE_BYTES>();
        let (tails, left) = tails.as_chunks::<TAIL_BYTES>();
        assert!(left.is_empty() && tails.len() == count(*tails_len), "the table is cut off");
        Self { version, regions, codes, codes_by_prefix, leaps, states, tails }
    }
}

#[expect(clippy::as_conversions, reason = "a constant cannot call `From`, and this only widens")]
const fn count(bytes: [u8; 2]) -> usize {
    u16::from_le_bytes(bytes) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(digits: &str) -> (&'static str, &'static str, Option<String>, bool) {
        let Judgement { length, kind, region, is_rewritable, .. } =
            judge(digits.as_bytes()).unwrap();
        (length.as_str(), kind.as_str(), region.map(|region| region.to_string()), is_rewritable)
    }

    #[test]
    fn names_stand_where_the_file_counts_them() {
        for (value, name) in (0..).zip(KINDS) {
            assert_eq!(kind_at(value).as_str(), name);
        }
        for (value, name) in (0..).zip(LENGTHS) {
            assert_eq!(length_at(value).as_str(), name);
        }
    }

    #[test]
    fn valid_numbers_have_a_kind_and_a_region() {
        let region = |code: &str| Some(code.to_owned());
        assert_eq!(
            judged("12025550123"),
            ("IS_POSSIBLE", "FIXED_LINE_OR_MOBILE", region("US"), false)
        );
        assert_eq!(judged("5531988887777"), ("IS_POSSIBLE", "MOBILE", region("BR"), false));
        assert_eq!(judged("80012345678"), ("IS_POSSIBLE", "TOLL_FREE", region("001"), false));
    }

    #[test]
    fn invalid_numbers_keep_what_can_be_said_of_them() {
        let region = |code: &str| Some(code.to_owned());
        assert_eq!(judged("6281"), ("TOO_SHORT", "UNKNOWN", region("ID"), false));
        assert_eq!(judged("1202555"), ("TOO_SHORT", "UNKNOWN", None, false));
        assert_eq!(judged("12420000000"), ("IS_POSSIBLE", "UNKNOWN", region("BS"), false));
        assert_eq!(judged("1202555012345"), ("TOO_LONG", "UNKNOWN", None, false));
        assert_eq!(judged("628123456789012345678").0, "TOO_LONG");
    }

    #[test]
    fn a_trunk_prefix_marks_the_number_even_where_no_number_goes_on() {
        assert!(judged("6208123456789").3);
        assert!(judged("62099999999999").3);
        assert!(!judged("628123456789").3);
    }

    #[test]
    fn a_valid_number_is_not_marked_if_no_viable_one_is_behind_its_prefix() {
        let region = Some("RU".to_owned());
        assert_eq!(judged("78001234567"), ("IS_POSSIBLE", "TOLL_FREE", region, false));
        assert!(judged("788001234567").3, "Russia's 8, dialled behind its 7");
    }

    #[test]
    fn the_shortest_numbers_end_within_the_first_step() {
        for digits in ["120", "1202", "12025"] {
            let judgement = judge(digits.as_bytes()).unwrap();
            assert_eq!(judgement.length, LengthCheck::TooShort, "{digits}");
            assert_eq!(judgement.national_len, digits.len() - 1);
        }
    }

    #[test]
    fn digits_of_no_calling_code_are_not_judged() {
        for digits in ["", "62", "0", "012345", "99912345678", "2101234567"] {
            assert_eq!(judge(digits.as_bytes()), None, "{digits}");
        }
        assert_eq!(judge(b"6x812345678"), None);
    }

    #[test]
    fn the_version_is_one_of_googles() {
        let parts: Vec<_> = version().split('.').map(str::parse::<u16>).collect();
        assert!(parts.len() == 3 && parts.iter().all(Result::is_ok), "{}", version());
    }
}
