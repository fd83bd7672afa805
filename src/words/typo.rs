//! Finds the word that a text is one slip of the finger away from.
//!
//! Symmetric deletion: each word is known by itself and by itself without any one letter, and a
//! text asks in the same ways. That finds all candidates in time that depends on the text alone;
//! each is then compared for good.

use std::hash::BuildHasherDefault;

use hashbrown::HashMap;
use smallvec::SmallVec;

use super::{
    lists::Table,
    word::{Entry, Inside},
};

/// Shortest word that can be mistyped, in letters: three letters are one slip away from too much.
const LETTERS_MIN: usize = 4;

/// Longest spelling that is compared, in characters.
const CHARS_MAX: usize = 64;

/// Letters held down: from this many in a row they count as one.
const RUN_MIN: usize = 3;

type Chars = SmallVec<[char; CHARS_MAX]>;

/// Opt-out words by what is left of them after a slip.
#[derive(Debug)]
pub(super) struct TypoIndex {
    by_rest: HashMap<u64, SmallVec<[usize; 1]>, BuildHasherDefault<Identity>>,
    spellings: HashMap<usize, Box<str>, BuildHasherDefault<Identity>>,
}

/// Takes a number that is a hash already.
#[derive(Debug, Default)]
struct Identity(u64);

impl std::hash::Hasher for Identity {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, n: u64) {
        self.0 = mixed(self.0.rotate_left(5) ^ n);
    }

    fn write_usize(&mut self, n: usize) {
        self.write_u64(u64::try_from(n).unwrap_or(u64::MAX));
    }
}

impl TypoIndex {
    pub(super) fn of(keys: &Table<usize>, entries: &[Entry]) -> Self {
        let mut index = Self { by_rest: HashMap::default(), spellings: HashMap::default() };
        for (key, id) in keys {
            let is_opt_out = entries.get(*id).is_some_and(|e| e.meaning.opt_out().is_some());
            let letters = key.chars().filter(|c| c.is_alphabetic()).count();
            let chars: Chars = key.chars().collect();
            if !is_opt_out || letters < LETTERS_MIN || chars.len() > CHARS_MAX {
                continue;
            }
            for rest in rests(&chars) {
                let ids = index.by_rest.entry(rest).or_default();
                if !ids.contains(id) {
                    ids.push(*id);
                }
            }
            index.spellings.insert(*id, key.clone());
        }
        index
    }

    /// Returns the word that `text` is a slip away from; of several, one that is worth a look
    /// everywhere.
    pub(super) fn find(&self, text: &str, entries: &[Entry]) -> Option<usize> {
        let mut chars: Chars = text.chars().take(CHARS_MAX + 2).collect();
        if has_run(&chars) {
            chars = squeezed(&chars);
        }
        if chars.len() > CHARS_MAX + 1 {
            return None;
        }
        let mut best: Option<usize> = None;
        for rest in rests(&chars) {
            for id in self.by_rest.get(&rest).into_iter().flatten() {
                let Some(spelling) = self.spellings.get(id) else { continue };
                let word: Chars = spelling.chars().collect();
                if is_one_slip(&word, &chars)
                    && best.is_none_or(|best| rank(*id, entries) < rank(best, entries))
                {
                    best = Some(*id);
                }
            }
        }
        best
    }
}

/// Puts words that are worth a look everywhere before others.
fn rank(id: usize, entries: &[Entry]) -> (bool, usize) {
    let is_common = entries.get(id).is_none_or(|entry| entry.inside != Inside::Anywhere);
    (is_common, id)
}

fn mixed(n: u64) -> u64 {
    (n ^ (n >> 32)).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

const BASE: u64 = 0x0000_0100_0000_01B3;

fn step(hash: u64, c: char) -> u64 {
    hash.wrapping_mul(BASE).wrapping_add(mixed(u64::from(u32::from(c)) + 1))
}

fn hash(chars: &[char]) -> u64 {
    chars.iter().fold(0, |hash, c| step(hash, *c))
}

/// Returns the hashes of a text and of it without each of its characters, in one pass each way.
fn rests(chars: &[char]) -> SmallVec<[u64; CHARS_MAX]> {
    let whole = hash(chars);
    let mut found = SmallVec::new();
    found.push(whole);
    // Going backwards: `after` is the hash of what follows, `power` what it was shifted by.
    let mut before = SmallVec::<[u64; CHARS_MAX]>::new();
    let mut so_far = 0;
    for c in chars {
        before.push(so_far);
        so_far = step(so_far, *c);
    }
    let (mut after, mut power) = (0_u64, 1_u64);
    for (c, before) in chars.iter().zip(&before).rev() {
        found.push(before.wrapping_mul(power).wrapping_add(after));
        after = after.wrapping_add(mixed(u64::from(u32::from(*c)) + 1).wrapping_mul(power));
        power = power.wrapping_mul(BASE);
    }
    found
}

fn has_run(chars: &[char]) -> bool {
    chars.windows(RUN_MIN).any(|run| run.iter().all(|c| run.first() == Some(c)))
}

/// Returns a text in which letters held down are there once.
fn squeezed(chars: &[char]) -> Chars {
    let runs = chars.chunk_by(|one, next| one == next);
    runs.flat_map(|run| if run.len() >= RUN_MIN { run.get(..1).unwrap_or(run) } else { run })
        .copied()
        .collect()
}

/// Returns whether one letter too many, too few, wrong, or swapped with the next separates two
/// texts, or nothing does.
fn is_one_slip(one: &[char], other: &[char]) -> bool {
    let same_start = one.iter().zip(other).take_while(|(a, b)| a == b).count();
    let one = one.get(same_start..).unwrap_or_default();
    let other = other.get(same_start..).unwrap_or_default();
    match (one, other) {
        ([], []) => true,
        ([_, rest @ ..], []) | ([], [_, rest @ ..]) => rest.is_empty(),
        ([_, one_rest @ ..], [_, other_rest @ ..]) => {
            one_rest == other_rest
                || one_rest == other
                || one == other_rest
                || is_swapped(one, other)
        }
    }
}

/// Returns whether two texts differ in the order of their first two letters alone.
fn is_swapped(one: &[char], other: &[char]) -> bool {
    match (one.split_at_checked(2), other.split_at_checked(2)) {
        (Some(([first, second], one_rest)), Some(([third, fourth], other_rest))) => {
            first == fourth && second == third && one_rest == other_rest
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn chars(text: &str) -> Chars {
        text.chars().collect()
    }

    #[test]
    fn one_slip_is_one_letter() {
        for near in ["stop", "sto", "top", "stoop", "stpo", "tsop", "stap", "stops", "xstop"] {
            assert!(is_one_slip(&chars("stop"), &chars(near)), "{near}");
            assert!(is_one_slip(&chars(near), &chars("stop")), "{near}");
        }
        for far in ["", "st", "shot", "tops", "stoppt", "pots", "spto"] {
            assert!(!is_one_slip(&chars("stop"), &chars(far)), "{far}");
        }
    }

    #[test]
    fn held_letters_count_as_one() {
        assert_eq!(squeezed(&chars("stooooop")), chars("stop"));
        assert_eq!(squeezed(&chars("stopp")), chars("stopp"));
        assert!(has_run(&chars("stoppp")) && !has_run(&chars("stopp")));
    }

    proptest! {
        #[test]
        fn a_rest_is_the_hash_without_one_letter(text in "\\PC{0,12}") {
            let all = chars(&text);
            let mut expected = vec![hash(&all)];
            for at in (0..all.len()).rev() {
                let mut without = all.clone();
                without.remove(at);
                expected.push(hash(&without));
            }
            prop_assert_eq!(rests(&all).to_vec(), expected);
        }

        #[test]
        fn one_slip_shares_a_rest(text in "[a-f]{4,9}", at in 0_usize..9, c in "[a-f]", kind in 0..4) {
            let mut slipped = chars(&text);
            let at = at % slipped.len();
            let c = c.chars().next().unwrap();
            match kind {
                0 => slipped.insert(at, c),
                1 => { slipped.remove(at); }
                2 => slipped[at] = c,
                _ if at + 1 < slipped.len() => slipped.swap(at, at + 1),
                _ => {}
            }
            prop_assert!(is_one_slip(&chars(&text), &slipped));
            let known = rests(&chars(&text));
            prop_assert!(rests(&slipped).iter().any(|rest| known.contains(rest)));
        }
    }
}
