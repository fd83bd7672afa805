//! A file read forwards through one buffer, so that small frames cost no system call each.
//!
//! Verifies nothing.

use std::io;

use crate::ledger::journal::disk::DiskFile;

/// The part of a file that is in memory.
#[derive(Debug)]
pub(super) struct Window {
    buffer: Vec<u8>,
    /// Where in the file the buffer starts.
    at: u64,
    filled: usize,
    ahead: usize,
}

impl Window {
    /// Makes an empty window that reads `ahead` bytes at a time, or more for a longer piece.
    pub(super) const fn new(ahead: usize) -> Self {
        Self { buffer: Vec::new(), at: 0, filled: 0, ahead }
    }

    /// Forgets what was read, because the file has changed.
    pub(super) const fn clear(&mut self) {
        self.filled = 0;
    }

    /// Forgets what was read, for another file of which `ahead` bytes are worth reading at a time.
    pub(super) const fn clear_for(&mut self, ahead: usize) {
        self.filled = 0;
        self.ahead = ahead;
    }

    /// Returns `len` bytes of `file` from `offset`, or fewer where the file ends.
    pub(super) fn get(
        &mut self,
        file: &impl DiskFile,
        offset: u64,
        len: usize,
    ) -> io::Result<&[u8]> {
        if !self.has(offset, len) {
            let wanted = len.max(self.ahead);
            if self.buffer.len() < wanted {
                self.buffer.resize(wanted, 0);
            }
            self.filled = 0;
            self.at = offset;
            self.filled = file.read_at(&mut self.buffer, offset)?;
        }
        let start = usize::try_from(offset - self.at).map_err(io::Error::other)?;
        let end = start.saturating_add(len).min(self.filled);
        Ok(self.buffer.get(start..end).unwrap_or_default())
    }

    fn has(&self, offset: u64, len: usize) -> bool {
        let Some(start) = offset.checked_sub(self.at) else { return false };
        usize::try_from(start).is_ok_and(|start| start.saturating_add(len) <= self.filled)
    }
}
