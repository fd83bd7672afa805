//! Appending: one write and one sync per group, and never a second try.

use std::{
    io,
    sync::{Arc, PoisonError},
};

use crate::{
    domain::entry::Seq,
    ledger::{
        entry::{Chain, Head, StoredEntry, stored_len},
        journal::{
            anchor::{Anchor, Mark},
            disk::{Disk, DiskFile},
            frame,
            read::{Reader, Segment, Shared},
        },
        log::{AppendError, EventLog, LogReader},
    },
};

/// An opened journal: the one that appends.
#[derive(Debug)]
pub struct Journal<D: Disk> {
    pub(super) disk: D,
    pub(super) shared: Arc<Shared<D::File>>,
    pub(super) tail: Segment<D::File>,
    /// Where the next frame goes in the last segment.
    pub(super) offset: u64,
    /// Up to where the last segment is already written, with zeroes at least.
    pub(super) allocated: u64,
    pub(super) chain: Chain,
    pub(super) epoch: u64,
    pub(super) anchor: Anchor<D::File>,
    pub(super) segment_len: u64,
    pub(super) ahead: u64,
    pub(super) is_closed: bool,
    pub(super) buffer: Vec<u8>,
}

/// What is written ahead, a piece at a time.
static ZEROES: [u8; 64 * 1024] = [0; 64 * 1024];

/// How the name of a segment ends.
pub(super) const SEGMENT_ENDING: &str = ".seg";
/// Length of the name of a segment.
pub(super) const SEGMENT_NAME_LEN: usize = 24;

/// Returns the name of the segment whose first entry is `first`.
pub(super) fn segment_name(first: Seq) -> String {
    format!("{:020}{SEGMENT_ENDING}", first.0)
}

impl<D: Disk> EventLog for Journal<D> {
    fn append(&mut self, expected: Head, entries: &[StoredEntry]) -> Result<Head, AppendError> {
        if self.is_closed {
            return Err(AppendError::Closed);
        }
        if expected != self.chain.head() {
            return Err(AppendError::HeadMoved);
        }
        let mut chain = self.chain;
        chain.extend_all(entries).map_err(AppendError::Chain)?;
        if entries.is_empty() {
            return Ok(expected);
        }
        self.buffer.clear();
        if frame::encode(self.epoch, expected.next, entries, &mut self.buffer).is_none() {
            return Err(AppendError::TooLarge { bytes: stored_len(entries) });
        }
        // Until the sync has returned, nobody knows what the disk holds.
        self.is_closed = true;
        self.write().map_err(AppendError::Storage)?;
        self.is_closed = false;
        let offset = self.offset;
        self.offset = offset.saturating_add(len(&self.buffer));
        self.chain = chain;
        let head = chain.head();
        {
            let mut index = self.shared.index.write().unwrap_or_else(PoisonError::into_inner);
            index.note(expected.next, offset);
        }
        self.shared.head.send_replace(head);
        if let Err(error) = self.anchor.write(Mark { epoch: self.epoch, head }) {
            // The group is durable; a later one is not tried on a disk that fails.
            tracing::error!(%error, "failed to write the head anchor");
            self.is_closed = true;
        }
        Ok(head)
    }

    fn close(&mut self) -> io::Result<()> {
        if self.is_closed {
            return Ok(());
        }
        self.is_closed = true;
        self.anchor.sync()
    }

    fn reader(&self) -> Arc<dyn LogReader> {
        Arc::new(Reader { shared: Arc::clone(&self.shared) })
    }
}

impl<D: Disk> Journal<D> {
    /// Returns how many times acknowledged entries were cut away on request.
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Writes the buffer behind the last frame and syncs it.
    fn write(&mut self) -> io::Result<()> {
        if self.offset >= self.segment_len && self.offset > 0 {
            self.rotate()?;
        }
        let end = self.offset.saturating_add(len(&self.buffer));
        if end > self.allocated {
            let ahead = self.ahead.max(1);
            let allocated = end.div_ceil(ahead).saturating_mul(ahead);
            write_zeroes(&*self.tail.file, self.allocated, allocated)?;
            self.allocated = allocated;
        }
        self.tail.file.write_all_at(&self.buffer, self.offset)?;
        self.tail.file.sync_data()
    }

    /// Starts the next segment; the entry it starts with is not written yet.
    fn rotate(&mut self) -> io::Result<()> {
        self.anchor.sync()?;
        self.tail = new_segment(&self.disk, self.chain.head().next, self.ahead)?;
        self.offset = 0;
        self.allocated = self.tail.file.size()?;
        let mut index = self.shared.index.write().unwrap_or_else(PoisonError::into_inner);
        index.add_segment(self.tail.clone());
        Ok(())
    }
}

/// Makes an empty segment that a crash cannot take away again.
pub(super) fn new_segment<D: Disk>(
    disk: &D,
    first: Seq,
    ahead: u64,
) -> io::Result<Segment<D::File>> {
    let file = disk.create(&segment_name(first))?;
    write_zeroes(&file, 0, ahead)?;
    file.sync_data()?;
    disk.sync()?;
    Ok(Segment { first, file: Arc::new(file) })
}

/// Writes zeroes from one offset to another.
///
/// In pieces, because the kernel keeps what one call writes in pages as large as that, and goes
/// over all of a page for each group that is later written and synced inside of it. With pieces
/// of 4 MiB a group cost twice the processor time.
fn write_zeroes(file: &impl DiskFile, mut from: u64, to: u64) -> io::Result<()> {
    while from < to {
        let left = usize::try_from(to - from).unwrap_or(usize::MAX);
        let piece = ZEROES.get(..left).unwrap_or(&ZEROES);
        file.write_all_at(piece, from)?;
        from = from.saturating_add(len(piece));
    }
    Ok(())
}

fn len(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}
