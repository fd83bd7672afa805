//! The shape of the file that holds the automaton, shared with the program that writes it.
//!
//! Names sizes and numbers only. In the file, one after the other, integers little-endian:
//!
//! 1. header: the mark, the metadata's version padded with zeros, and as `u16` how many regions,
//!    calling codes, states and tails follow;
//! 2. regions, 4 bytes each: the code padded with zeros, those of a calling code in a row, its
//!    main region first;
//! 3. calling codes, 28 bytes each: digits in the code, how many regions it has and, as `u16`, the
//!    place of the first; the state to begin in as `u16`; then for each length of the national
//!    number from 0 on a byte out of [`LENGTHS`];
//! 4. for every first three digits of an international number a byte: 0 or the place of the calling
//!    code, counted from 1;
//! 5. for every first four digits of an international number a `u16`: where it goes on;
//! 6. states, 22 bytes each: the label of a number that ends here and, for each digit, where to go
//!    on, all `u16`: the place of a state or, counted on from the last state, of a tail;
//! 7. tails, 36 bytes each: where no further digit matters, only how many there are. The label, as
//!    `u16`, of a number with none, one, two … more. Tail 0 is where nothing is known any more.
//!
//! A label is a kind out of [`KINDS`], [`REWRITABLE`], and from bit [`RANK_SHIFT`] on the region
//! counted from 1 among those of its calling code, 0 for none.

/// What the file begins with; the last digit is the format.
pub(super) const MARK: &[u8; 8] = b"izinnum2";

/// Bytes of the metadata's version.
pub(super) const VERSION_BYTES: usize = 16;

/// Bytes of the header.
pub(super) const HEADER_BYTES: usize = MARK.len() + VERSION_BYTES + 4 * 2;

/// Bytes of a region.
pub(super) const REGION_BYTES: usize = 4;

/// Lengths of national numbers that are told apart; longer ones are too long.
///
/// Source: libphonenumber's `MAX_LENGTH_FOR_NSN` is 17.
pub(super) const LENGTHS_MAX: usize = 20;

/// Bytes of a calling code.
pub(super) const CODE_BYTES: usize = 8 + LENGTHS_MAX;

/// First three digits that an international number can have.
pub(super) const PREFIXES: usize = 1_000;

/// First digits of an international number that are followed in one step.
pub(super) const LEAP_LEN: usize = 4;

/// First digits of that length, `0000` to `9999`.
pub(super) const LEAPS: usize = 10_000;

/// Bytes of where they lead.
pub(super) const LEAP_BYTES: usize = 2;

/// Bytes of a state.
pub(super) const STATE_BYTES: usize = 2 + 10 * 2;

/// Labels of a tail: a national number has at most 17 digits.
pub(super) const TAIL_LABELS: usize = 18;

/// Bytes of a tail.
pub(super) const TAIL_BYTES: usize = TAIL_LABELS * 2;

/// Kinds of number by the value of a label's low four bits, as libphonenumber writes them.
pub(super) const KINDS: [&str; 12] = [
    "UNKNOWN",
    "FIXED_LINE",
    "MOBILE",
    "FIXED_LINE_OR_MOBILE",
    "TOLL_FREE",
    "PREMIUM_RATE",
    "SHARED_COST",
    "VOIP",
    "PERSONAL_NUMBER",
    "PAGER",
    "UAN",
    "VOICEMAIL",
];

/// The bits of a label that hold the kind.
pub(super) const KIND_MASK: u16 = 0b1111;

/// The bit of a label that says that the parser may take a national prefix off this number.
pub(super) const REWRITABLE: u16 = 0b1_0000;

/// How far up a label's region is.
pub(super) const RANK_SHIFT: u32 = 5;

/// Judgements of a length by the value of its byte, as libphonenumber writes them.
pub(super) const LENGTHS: [&str; 5] =
    ["IS_POSSIBLE", "IS_POSSIBLE_LOCAL_ONLY", "TOO_SHORT", "INVALID_LENGTH", "TOO_LONG"];
