//! Which entries of the ledger are about one contact.
//!
//! The newest stay in the document; older ones leave it in chunks of fixed length that never
//! change again, so that a contact with a long history does not make its document long.

use serde::{Deserialize, Serialize};

use crate::domain::entry::Seq;

/// Most entries a document lists itself.
pub const NEWEST_MAX: usize = 256;

/// Entries that leave the document at once.
pub const CHUNK_LEN: usize = 128;

const _: () = assert!(CHUNK_LEN < NEWEST_MAX, "the newest entries stay in the document");

/// The entries of one contact, oldest first: chunks that left, then the newest.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct EntryList {
    newest: Vec<Seq>,
    #[serde(default, skip_serializing_if = "is_zero")]
    chunks: u32,
}

impl EntryList {
    /// Returns the newest entries, oldest of them first.
    pub fn newest(&self) -> &[Seq] {
        &self.newest
    }

    /// Returns how many chunks of [`CHUNK_LEN`] entries left the document. They are numbered from
    /// 0, the oldest.
    pub const fn chunks(&self) -> u32 {
        self.chunks
    }

    /// Returns how many entries there are, those in chunks included.
    pub fn count(&self) -> u64 {
        let wide = |len: usize| u64::try_from(len).unwrap_or(u64::MAX);
        wide(self.newest.len()) + u64::from(self.chunks) * wide(CHUNK_LEN)
    }

    /// Adds the newest entry.
    pub(super) fn push(&mut self, seq: Seq) {
        self.newest.push(seq);
    }

    /// Takes the oldest entries out when there are more than [`NEWEST_MAX`]: the number of their
    /// chunk and the entries. Whoever folds must keep them.
    pub fn take_chunk(&mut self) -> Option<(u32, Vec<Seq>)> {
        if self.newest.len() <= NEWEST_MAX {
            return None;
        }
        let chunk = self.chunks;
        self.chunks += 1;
        Some((chunk, self.newest.drain(..CHUNK_LEN).collect()))
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
const fn is_zero(count: &u32) -> bool {
    *count == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_and_newest_together_are_every_entry_in_order() {
        let mut list = EntryList::default();
        let mut left = Vec::new();
        for seq in 0..1_000 {
            list.push(Seq(seq));
            if let Some((chunk, mut entries)) = list.take_chunk() {
                assert_eq!(usize::try_from(chunk).unwrap(), left.len() / CHUNK_LEN);
                assert_eq!(entries.len(), CHUNK_LEN);
                left.append(&mut entries);
            }
            assert!(list.newest().len() <= NEWEST_MAX);
            assert_eq!(list.count(), seq + 1);
        }
        left.extend_from_slice(list.newest());
        assert_eq!(left, (0..1_000).map(Seq).collect::<Vec<_>>());
    }
}
