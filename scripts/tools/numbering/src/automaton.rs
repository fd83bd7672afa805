//! The automaton: for each calling code one machine that is in a single state at a time.
//!
//! The descriptions of all regions that share the code become one machine of many states at once
//! (`nfa`). Following it digit by digit gives a tree; equal parts of it are kept once, across all
//! codes. Lengths are known at every place of the tree, so they are judged here and not later.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use rlibphonenumber::{
    NumberLengthType, PhoneMetadata, PhoneNumber, PhoneNumberDesc, PhoneNumberUtil, ValidationError,
};

use crate::{
    layout::{
        KIND_MASK, KINDS, LEAP_LEN, LEAPS, LENGTHS, LENGTHS_MAX, RANK_SHIFT, REWRITABLE,
        TAIL_LABELS,
    },
    nfa::{Mark, Nfa, States},
    source::{CallingCode, Source, bare},
};

/// Most digits of a national number.
///
/// Source: libphonenumber, `MAX_LENGTH_FOR_NSN`.
const NATIONAL_LEN_MAX: usize = 17;

/// Everything the file holds.
pub(crate) struct Automaton {
    pub(crate) codes: Vec<Root>,
    /// By the first digits of an international number: where it goes on, as in `states`.
    pub(crate) leaps: Vec<u16>,
    /// Each with its label and where the digits lead: to a state or, counted on, to a tail.
    pub(crate) states: Vec<(u16, [u16; 10])>,
    /// Labels by how many more digits there are. The first knows nothing.
    pub(crate) tails: Vec<[u16; TAIL_LABELS]>,
}

/// A calling code.
pub(crate) struct Root {
    pub(crate) code: i32,
    pub(crate) regions: Vec<String>,
    pub(crate) state: u16,
    pub(crate) lengths: [u8; LENGTHS_MAX],
}

/// Builds the automaton of all calling codes.
pub(crate) fn build(source: &Source) -> Result<Automaton> {
    let engine = PhoneNumberUtil::new_for_metadata(source.collection.clone())?;
    let nowhere = (0, [0; 10]);
    let mut pool = Pool { states: vec![nowhere], known: BTreeMap::from([(nowhere, 0)]) };
    let mut codes = Vec::new();
    for code in source.calling_codes() {
        let plan = Plan::of(&code)?;
        let state = plan.follow(&plan.nfa.start(), 0, &mut BTreeMap::new(), &mut pool)?;
        codes.push(Root {
            code: code.code,
            regions: code.regions.iter().map(|region| region.id.clone()).collect(),
            state,
            lengths: lengths(&engine, code.code)?,
        });
    }
    let parted = parted(&pool.states)?;
    let leaps = leaps(&codes, &pool.states);
    let leaps = leaps.into_iter().map(|state| parted.places[usize::from(state)]).collect();
    for root in &mut codes {
        root.state = parted.places[usize::from(root.state)];
    }
    Ok(Automaton { codes, leaps, states: parted.states, tails: parted.tails })
}

/// Follows every possible beginning of a number through the pool.
fn leaps(codes: &[Root], pool: &[(u16, [u16; 10])]) -> Vec<u16> {
    let roots: Vec<_> = codes.iter().map(|root| (root.code.to_string(), root.state)).collect();
    let state_behind = |first: usize| {
        let digits = format!("{first:0LEAP_LEN$}");
        let root = roots.iter().find_map(|(code, root)| Some((digits.strip_prefix(code)?, *root)));
        root.map_or(0, |(national, root)| {
            let digits = national.bytes().map(|digit| usize::from(digit - b'0'));
            digits.fold(root, |state, digit| pool[usize::from(state)].1[digit])
        })
    };
    (0..LEAPS).map(state_behind).collect()
}

/// States apart from tails, and where each state of the pool has gone.
struct Parted {
    states: Vec<(u16, [u16; 10])>,
    tails: Vec<[u16; TAIL_LABELS]>,
    places: Vec<u16>,
}

/// Makes tails of the states behind which all digits are alike.
fn parted(pool: &[(u16, [u16; 10])]) -> Result<Parted> {
    // A state leads only to states before it, so what follows one is known when it is reached.
    let mut tails: Vec<Option<[u16; TAIL_LABELS]>> = vec![Some([0; TAIL_LABELS])];
    for (label, next) in pool.iter().skip(1) {
        let first = usize::from(next[0]);
        let is_alike = next.iter().all(|state| *state == next[0]);
        tails.push(tails[first].filter(|_| is_alike).map(|after| {
            let mut labels = [*label; TAIL_LABELS];
            labels[1..].copy_from_slice(&after[..TAIL_LABELS - 1]);
            labels
        }));
    }
    let states_len = tails.iter().filter(|tail| tail.is_none()).count();
    let (mut states, mut kept, mut places) = (0, Vec::new(), Vec::new());
    for tail in &tails {
        places.push(u16::try_from(match tail {
            None => {
                states += 1;
                states - 1
            }
            Some(tail) => {
                let known = kept.iter().position(|known| known == tail);
                states_len
                    + known.unwrap_or_else(|| {
                        kept.push(*tail);
                        kept.len() - 1
                    })
            }
        })?);
    }
    let states = pool.iter().zip(&tails).filter(|(_, tail)| tail.is_none());
    let moved =
        |(label, next): (u16, [u16; 10])| (label, next.map(|state| places[usize::from(state)]));
    let states = states.map(|(state, _)| moved(*state)).collect();
    Ok(Parted { states, tails: kept, places })
}

/// Asks the parser what each length of a national number is; it looks at nothing but the length.
fn lengths(engine: &PhoneNumberUtil, code: i32) -> Result<[u8; LENGTHS_MAX]> {
    let mut found = [0; LENGTHS_MAX];
    for (len, place) in found.iter_mut().enumerate() {
        let digits = u32::try_from(len.saturating_sub(1))?;
        let number = PhoneNumber {
            country_code: code,
            national_number: 10_u64.checked_pow(digits).context("too many digits")?,
            ..PhoneNumber::default()
        };
        let name = match engine.is_possible_number_with_reason(&number) {
            Ok(NumberLengthType::IsPossible) => "IS_POSSIBLE",
            Ok(NumberLengthType::IsPossibleLocalOnly) => "IS_POSSIBLE_LOCAL_ONLY",
            Err(ValidationError::TooShort) => "TOO_SHORT",
            Err(ValidationError::InvalidLength) => "INVALID_LENGTH",
            Err(ValidationError::TooLong) => "TOO_LONG",
            Err(ValidationError::InvalidCountryCode) => "INVALID_COUNTRY_CODE",
        };
        *place = u8::try_from(place_of(name, &LENGTHS)?)?;
    }
    // No digits at all are as short as one, which no plan has.
    ensure!(LENGTHS[usize::from(found[1])] == "TOO_SHORT", "numbers of one digit under {code}");
    Ok(found)
}

fn place_of(name: &str, names: &[&str]) -> Result<usize> {
    names.iter().position(|known| *known == name).with_context(|| format!("unknown {name}"))
}

/// States of all codes, each once.
struct Pool {
    states: Vec<(u16, [u16; 10])>,
    known: BTreeMap<(u16, [u16; 10]), u16>,
}

impl Pool {
    fn state(&mut self, state: (u16, [u16; 10])) -> Result<u16> {
        if let Some(known) = self.known.get(&state) {
            return Ok(*known);
        }
        let place = u16::try_from(self.states.len()).context("more states than fit 16 bits")?;
        self.states.push(state);
        self.known.insert(state, place);
        Ok(place)
    }
}

/// The kinds in the order in which libphonenumber asks for them. Landlines and mobiles follow.
///
/// Source: libphonenumber, `GetNumberTypeHelper`.
const SPECIAL_KINDS: [&str; 8] = [
    "PREMIUM_RATE",
    "TOLL_FREE",
    "SHARED_COST",
    "VOIP",
    "PERSONAL_NUMBER",
    "PAGER",
    "UAN",
    "VOICEMAIL",
];

/// What a mark stands for: one of a region's descriptions, in this order.
const GENERAL: Mark = 0;
const FIRST_SPECIAL: Mark = 1;
const FIXED_LINE: Mark = FIRST_SPECIAL + SPECIAL_KINDS.len();
const MOBILE: Mark = FIXED_LINE + 1;
const LEADING_DIGITS: Mark = MOBILE + 1;
const NATIONAL_PREFIX: Mark = LEADING_DIGITS + 1;
const VIABLE_BEHIND_PREFIX: Mark = NATIONAL_PREFIX + 1;
const MARKS: usize = VIABLE_BEHIND_PREFIX + 1;

/// The descriptions of a calling code's regions.
struct Plan<'a> {
    nfa: Nfa,
    regions: Vec<Region<'a>>,
    /// Whether taking a national prefix off is all that it leads to.
    has_plain_prefix: bool,
}

struct Region<'a> {
    metadata: &'a PhoneMetadata,
    /// By mark: the lengths it holds for. Nothing where there are no such numbers.
    lengths: Vec<Option<&'a [i32]>>,
    has_leading_digits: bool,
}

impl<'a> Plan<'a> {
    #[expect(deprecated, reason = "deprecated for readers of the parser's own copy; this is ours")]
    fn of(code: &CallingCode<'a>) -> Result<Self> {
        let mut nfa = Nfa::new();
        let mut regions = Vec::new();
        for (rank, metadata) in code.regions.iter().enumerate() {
            let mark = |mark| rank * MARKS + mark;
            let mut lengths = vec![None; MARKS];
            for (place, description) in descriptions(metadata).into_iter().enumerate() {
                let Some(description) = description else { continue };
                let pattern = bare(description.national_number_pattern.as_deref())?;
                if !pattern.is_empty() {
                    nfa.add_whole(pattern, mark(place))?;
                    lengths[place] = Some(description.possible_length.as_slice());
                }
            }
            let leading = bare(metadata.leading_digits.as_deref())?;
            if !leading.is_empty() {
                nfa.add_prefix(leading, mark(LEADING_DIGITS))?;
            }
            let prefix = bare(metadata.national_prefix_for_parsing.as_deref())?;
            if rank == 0 && !prefix.is_empty() {
                nfa.add_prefix(prefix, mark(NATIONAL_PREFIX))?;
                let viable = metadata.general_desc.as_ref();
                let viable = bare(viable.and_then(|of| of.national_number_pattern.as_deref()))?;
                let behind = format!("(?:{prefix})(?:{viable})");
                nfa.add_whole(&behind, mark(VIABLE_BEHIND_PREFIX))?;
            }
            regions.push(Region { metadata, lengths, has_leading_digits: !leading.is_empty() });
        }
        let main = code.regions.first();
        let rule = main.and_then(|main| main.national_prefix_transform_rule.as_deref());
        Ok(Self { nfa, regions, has_plain_prefix: rule.unwrap_or_default().is_empty() })
    }

    /// Adds what follows a place of the tree to the pool; returns that place's state.
    fn follow(
        &self,
        at: &States,
        len: usize,
        done: &mut BTreeMap<(States, usize), u16>,
        pool: &mut Pool,
    ) -> Result<u16> {
        if at.is_empty() {
            return Ok(0);
        }
        let key = (at.clone(), len);
        if let Some(state) = done.get(&key) {
            return Ok(*state);
        }
        let mut next = [0; 10];
        if len < NATIONAL_LEN_MAX {
            for (digit, place) in (0..).zip(&mut next) {
                *place = self.follow(&self.nfa.step(at, digit), len + 1, done, pool)?;
            }
        }
        let state = pool.state((self.label(&self.nfa.marks(at), len)?, next))?;
        done.insert(key, state);
        Ok(state)
    }

    /// Says of a number of `len` digits with these marks what the file says of it.
    fn label(&self, marks: &BTreeSet<Mark>, len: usize) -> Result<u16> {
        let mut region = None;
        for (rank, candidate) in self.regions.iter().enumerate() {
            let is_here = if candidate.has_leading_digits {
                marks.contains(&(rank * MARKS + LEADING_DIGITS))
            } else {
                candidate.kind(rank, marks, len)? != "UNKNOWN"
            };
            if is_here || self.regions.len() == 1 {
                region = Some((rank, candidate.kind(rank, marks, len)?));
                break;
            }
        }
        let mut label = if self.is_rewritable(marks) { REWRITABLE } else { 0 };
        if let Some((rank, kind)) = region {
            let kind = u16::try_from(place_of(kind, &KINDS)?)?;
            ensure!(kind & !KIND_MASK == 0, "a kind beyond its bits");
            label |= kind;
            // The only region of a code needs no naming, so that codes can share their states.
            if self.regions.len() > 1 {
                label |= u16::try_from(rank + 1)? << RANK_SHIFT;
            }
        }
        Ok(label)
    }

    /// Returns whether the parser may take a national prefix off a number with these marks. It lets
    /// a viable number be if nothing viable would be left of it. In doubt it may.
    ///
    /// Source: libphonenumber, `MaybeStripNationalPrefixAndCarrierCode`, by the main region.
    fn is_rewritable(&self, marks: &BTreeSet<Mark>) -> bool {
        let is_let_be = self.has_plain_prefix
            && marks.contains(&GENERAL)
            && !marks.contains(&VIABLE_BEHIND_PREFIX);
        marks.contains(&NATIONAL_PREFIX) && !is_let_be
    }
}

/// By mark, up to [`MOBILE`].
#[expect(deprecated, reason = "deprecated for readers of the parser's own copy; this is ours")]
fn descriptions(of: &PhoneMetadata) -> [Option<&PhoneNumberDesc>; LEADING_DIGITS] {
    [
        of.general_desc.as_ref(),
        of.premium_rate.as_ref(),
        of.toll_free.as_ref(),
        of.shared_cost.as_ref(),
        of.voip.as_ref(),
        of.personal_number.as_ref(),
        of.pager.as_ref(),
        of.uan.as_ref(),
        of.voicemail.as_ref(),
        of.fixed_line.as_ref(),
        of.mobile.as_ref(),
    ]
}

impl Region<'_> {
    /// Source: libphonenumber, `GetNumberTypeHelper`.
    fn kind(&self, rank: usize, marks: &BTreeSet<Mark>, len: usize) -> Result<&'static str> {
        let len = i32::try_from(len)?;
        let is = |mark: Mark| {
            marks.contains(&(rank * MARKS + mark))
                && self.lengths[mark].is_some_and(|all| all.is_empty() || all.contains(&len))
        };
        if !is(GENERAL) {
            return Ok("UNKNOWN");
        }
        for (place, kind) in SPECIAL_KINDS.into_iter().enumerate() {
            if is(FIRST_SPECIAL + place) {
                return Ok(kind);
            }
        }
        let is_one_pattern = self.metadata.same_mobile_and_fixed_line_pattern();
        Ok(match (is(FIXED_LINE), is(MOBILE)) {
            (true, is_mobile) if is_one_pattern || is_mobile => "FIXED_LINE_OR_MOBILE",
            (true, _) => "FIXED_LINE",
            (false, true) if !is_one_pattern => "MOBILE",
            (false, _) => "UNKNOWN",
        })
    }
}
