//! A page: the sealed documents of 16 contacts that follow each other, in one value.
//!
//! The database's cost is per key rather than per byte, so documents share one; a long document
//! lives under keys of its own and leaves a note. Knows nothing of what is sealed.

use crate::store::{StoreError, keys::PAGE_LEN};

/// Longest sealed document that stays in its page, in bytes. A full page stays below 16 KiB,
/// beyond which the database would keep the value in a file of its own.
pub(super) const INLINE_MAX: usize = 640;

/// Longest part of a document outside its page, in bytes; below 16 KiB for the same reason.
pub(super) const PART_MAX: usize = 12 * 1_024;

const CELLS: usize = 16;
const ABSENT: u8 = 0;
const INLINE: u8 = 1;
const ELSEWHERE: u8 = 2;

const _: () = assert!(CELLS * (INLINE_MAX + 3) + 4 < 16 * 1_024, "a page fits into one value");
const _: () = assert!(PAGE_LEN == 16, "a page has one cell per contact");

/// What a page holds of one contact.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) enum Cell {
    /// Nothing.
    #[default]
    Absent,
    /// Its sealed document.
    Inline(Vec<u8>),
    /// In how many parts its sealed document is stored outside.
    Elsewhere {
        /// How many.
        parts: u32,
    },
}

/// The cells of 16 contacts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Page {
    cells: [Cell; CELLS],
}

impl Page {
    /// Returns the cell at a place; nothing beyond the last.
    pub(super) fn cell(&self, place: usize) -> &Cell {
        self.cells.get(place).unwrap_or(&Cell::Absent)
    }

    /// Puts a cell at a place and returns what was there.
    pub(super) fn put(&mut self, place: usize, cell: Cell) -> Cell {
        self.cells.get_mut(place).map(|known| std::mem::replace(known, cell)).unwrap_or_default()
    }

    /// Returns all cells with their places.
    pub(super) fn cells(&self) -> impl Iterator<Item = (usize, &Cell)> {
        self.cells.iter().enumerate()
    }

    /// Writes the page: per cell a kind u8, then a length u16 and as many bytes, or a number of
    /// parts u32; at the end a CRC-32C.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(CELLS * 512);
        for cell in &self.cells {
            match cell {
                Cell::Absent => bytes.push(ABSENT),
                Cell::Inline(sealed) => {
                    bytes.push(INLINE);
                    let len = u16::try_from(sealed.len()).unwrap_or(u16::MAX);
                    bytes.extend_from_slice(&len.to_be_bytes());
                    bytes.extend_from_slice(sealed);
                }
                Cell::Elsewhere { parts } => {
                    bytes.push(ELSEWHERE);
                    bytes.extend_from_slice(&parts.to_be_bytes());
                }
            }
        }
        let crc = crc32c::crc32c(&bytes);
        bytes.extend_from_slice(&crc.to_be_bytes());
        bytes
    }

    /// Reads a page.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`].
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, StoreError> {
        let damaged = || StoreError::Damaged { what: "a page of documents" };
        let (mut rest, crc) = bytes.split_last_chunk::<4>().ok_or_else(damaged)?;
        if crc32c::crc32c(rest).to_be_bytes() != *crc {
            return Err(damaged());
        }
        let mut page = Self::default();
        for cell in &mut page.cells {
            let (kind, tail) = rest.split_first().ok_or_else(damaged)?;
            rest = tail;
            match *kind {
                ABSENT => {}
                INLINE => {
                    let (len, tail) = rest.split_first_chunk::<2>().ok_or_else(damaged)?;
                    let len = usize::from(u16::from_be_bytes(*len));
                    let (sealed, tail) = tail.split_at_checked(len).ok_or_else(damaged)?;
                    *cell = Cell::Inline(sealed.to_vec());
                    rest = tail;
                }
                ELSEWHERE => {
                    let (parts, tail) = rest.split_first_chunk::<4>().ok_or_else(damaged)?;
                    *cell = Cell::Elsewhere { parts: u32::from_be_bytes(*parts) };
                    rest = tail;
                }
                _ => return Err(damaged()),
            }
        }
        if rest.is_empty() { Ok(page) } else { Err(damaged()) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cells() -> impl Strategy<Value = Vec<Cell>> {
        let cell = prop_oneof![
            Just(Cell::Absent),
            prop::collection::vec(any::<u8>(), 0..INLINE_MAX).prop_map(Cell::Inline),
            any::<u32>().prop_map(|parts| Cell::Elsewhere { parts }),
        ];
        prop::collection::vec(cell, 0..=CELLS)
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_and_a_changed_byte_is_noticed(
            cells in cells(),
            place: prop::sample::Index,
            change in 1_u8..,
        ) {
            let mut page = Page::default();
            for (place, cell) in cells.into_iter().enumerate() {
                page.put(place, cell);
            }
            let mut bytes = page.encode();
            prop_assert_eq!(Page::decode(&bytes).unwrap(), page);
            let place = place.index(bytes.len());
            bytes[place] ^= change;
            prop_assert!(Page::decode(&bytes).is_err());
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(Page::decode(&bytes).is_err());
        }
    }
}
