//! The keys made last: whoever uses one first need not open again what was only just wrapped.
//!
//! Knows no file. A key is here or not; that it is not says nothing about it.

use std::{collections::VecDeque, fmt};

use crate::ledger::seal::Dek;

/// Keys kept at most: 320 KiB, and a few reserves, so that the one who follows the ledger finds
/// most of them as well.
const LEN_MAX: usize = 8_192;

/// The keys of the last slots, in order.
pub(super) struct Fresh {
    first: u32,
    keys: VecDeque<Option<Dek>>,
}

impl Fresh {
    pub(super) const fn new() -> Self {
        Self { first: 0, keys: VecDeque::new() }
    }

    /// Puts the keys of the slots from `first` on; the oldest make room for them.
    pub(super) fn put(&mut self, first: u32, keys: Vec<Dek>) {
        let end = u32::try_from(self.keys.len()).ok().and_then(|len| self.first.checked_add(len));
        if end != Some(first) {
            self.keys.clear();
            self.first = first;
        }
        self.keys.extend(keys.into_iter().map(Some));
        while self.keys.len() > LEN_MAX {
            self.keys.pop_front();
            self.first = self.first.saturating_add(1);
        }
    }

    /// Returns the key of a slot, if it is here.
    pub(super) fn get(&self, slot: u32) -> Option<Dek> {
        self.keys.get(self.place(slot)?)?.clone()
    }

    /// Wipes the key of a slot, if it is here.
    pub(super) fn forget(&mut self, slot: u32) {
        if let Some(key) = self.place(slot).and_then(|place| self.keys.get_mut(place)) {
            *key = None;
        }
    }

    fn place(&self, slot: u32) -> Option<usize> {
        usize::try_from(slot.checked_sub(self.first)?).ok()
    }
}

impl fmt::Debug for Fresh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fresh").field("len", &self.keys.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(slots: std::ops::Range<u32>) -> Vec<Dek> {
        slots.map(key).collect()
    }

    fn key(slot: u32) -> Dek {
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(&slot.to_be_bytes());
        Dek::from_bytes(bytes)
    }

    fn has(fresh: &Fresh, slot: u32) -> bool {
        let found = fresh.get(slot);
        assert!(found.as_ref().is_none_or(|dek| dek.bytes() == key(slot).bytes()), "{slot}");
        found.is_some()
    }

    #[test]
    fn a_key_is_its_slots_own_until_it_is_forgotten() {
        let mut fresh = Fresh::new();
        fresh.put(5, keys(5..10));
        fresh.put(10, keys(10..12));
        fresh.forget(7);
        fresh.forget(4);
        fresh.forget(12);
        let here: Vec<u32> = (0..20).filter(|slot| has(&fresh, *slot)).collect();
        assert_eq!(here, [5, 6, 8, 9, 10, 11]);
    }

    #[test]
    fn the_oldest_make_room_and_a_gap_drops_all() {
        let mut fresh = Fresh::new();
        fresh.put(0, keys(0..8_000));
        fresh.put(8_000, keys(8_000..9_000));
        assert_eq!(fresh.keys.len(), LEN_MAX);
        assert!(!has(&fresh, 807) && has(&fresh, 808) && has(&fresh, 8_999));
        fresh.put(20_000, keys(20_000..20_001));
        assert!(!has(&fresh, 8_999) && has(&fresh, 20_000));
    }
}
