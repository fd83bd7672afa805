//! Reading a journal that has been opened: by position, or in order to its end.

use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::watch;

use crate::{
    domain::entry::Seq,
    ledger::{
        entry::{Head, Header, StoredEntry},
        journal::{
            disk::DiskFile,
            frame::{Body, PREFIX_LEN, Prefix},
            window::Window,
        },
        log::{Entries, LogReader, ReadError},
    },
};

/// Bytes between two points of the index: a look-up reads at most this much and one frame.
const POINT_EVERY: u64 = 64 * 1024;
/// Bytes read at a time.
const AHEAD: usize = 64 * 1024;

/// One segment file and where its first entry is.
#[derive(Debug)]
pub(super) struct Segment<F> {
    pub(super) first: Seq,
    pub(super) file: Arc<F>,
}

impl<F> Clone for Segment<F> {
    fn clone(&self) -> Self {
        Self { first: self.first, file: Arc::clone(&self.file) }
    }
}

/// A known start of a frame.
#[derive(Debug, Clone, Copy)]
struct Point {
    first: Seq,
    segment: usize,
    offset: u64,
}

/// Where frames are: every segment, and a point about every 64 KiB.
#[derive(Debug)]
pub(super) struct Index<F> {
    segments: Vec<Segment<F>>,
    points: Vec<Point>,
}

impl<F> Index<F> {
    pub(super) const fn new() -> Self {
        Self { segments: Vec::new(), points: Vec::new() }
    }

    pub(super) fn segments(&self) -> &[Segment<F>] {
        &self.segments
    }

    pub(super) fn add_segment(&mut self, segment: Segment<F>) {
        self.segments.push(segment);
    }

    /// Notes a frame of the last segment, if it is far enough from the last noted one.
    pub(super) fn note(&mut self, first: Seq, offset: u64) {
        let Some(segment) = self.segments.len().checked_sub(1) else { return };
        let is_near = self.points.last().is_some_and(|point| {
            point.segment == segment && offset < point.offset.saturating_add(POINT_EVERY)
        });
        if !is_near {
            self.points.push(Point { first, segment, offset });
        }
    }

    /// Returns the last noted frame that starts at or before `seq`.
    fn before(&self, seq: Seq) -> Option<Point> {
        let after = self.points.partition_point(|point| point.first <= seq);
        self.points.get(after.checked_sub(1)?).copied()
    }
}

/// What the appending and the reading side share.
#[derive(Debug)]
pub(super) struct Shared<F> {
    pub(super) index: RwLock<Index<F>>,
    pub(super) head: watch::Sender<Head>,
}

/// The reading side of a journal.
#[derive(Debug)]
pub(super) struct Reader<F> {
    pub(super) shared: Arc<Shared<F>>,
}

impl<F: DiskFile> LogReader for Reader<F> {
    fn head(&self) -> Head {
        *self.shared.head.borrow()
    }

    fn watch(&self) -> watch::Receiver<Head> {
        self.shared.head.subscribe()
    }

    fn read(&self, from: Seq) -> Entries {
        let end = self.head().next;
        let cursor = Cursor {
            shared: Arc::clone(&self.shared),
            place: None,
            next: from,
            end,
            frame: Vec::new().into_iter(),
            window: Window::new(AHEAD),
            is_broken: false,
        };
        Box::new(cursor)
    }
}

/// Walks frames; holds one in memory.
struct Cursor<F> {
    shared: Arc<Shared<F>>,
    place: Option<(usize, u64)>,
    next: Seq,
    end: Seq,
    frame: std::vec::IntoIter<StoredEntry>,
    window: Window,
    is_broken: bool,
}

impl<F: DiskFile> Iterator for Cursor<F> {
    type Item = Result<StoredEntry, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if self.is_broken || self.next >= self.end {
                return None;
            }
            if let Some(entry) = self.frame.next() {
                if entry.header.seq < self.next {
                    continue;
                }
                if entry.header.seq != self.next {
                    return Some(self.damaged());
                }
                self.next = self.next.next();
                return Some(Ok(entry));
            }
            if let Err(error) = self.read_frame() {
                self.is_broken = true;
                return Some(Err(error));
            }
        }
    }
}

impl<F: DiskFile> Cursor<F> {
    fn damaged(&mut self) -> Result<StoredEntry, ReadError> {
        self.is_broken = true;
        Err(ReadError::Damaged { seq: self.next.0 })
    }

    /// Reads the next frame that holds an entry that is wanted.
    fn read_frame(&mut self) -> Result<(), ReadError> {
        let damaged = || ReadError::Damaged { seq: self.next.0 };
        let (mut segment, mut offset) = self.place.or_else(|| self.start()).ok_or_else(damaged)?;
        loop {
            let (mut file, following) = self.files(segment);
            if following.is_some_and(|first| self.next >= first) {
                (segment, offset) = (segment + 1, 0);
                (file, _) = self.files(segment);
                self.window.clear();
            }
            let file = file.ok_or_else(damaged)?;
            let bytes = self.window.get(&*file, offset, PREFIX_LEN).map_err(ReadError::Storage)?;
            let prefix = Prefix::decode(bytes).ok_or_else(damaged)?;
            let end = offset.saturating_add(prefix.frame_len());
            if prefix.next() <= self.next {
                offset = end;
                continue;
            }
            let body_at = offset.saturating_add(36);
            let body = self.window.get(&*file, body_at, prefix.body_len);
            let body = body.map_err(ReadError::Storage)?;
            let body = prefix.matches(body).then(|| prefix.body(body)).flatten();
            let entries = body.and_then(|body| entries(&body)).ok_or_else(damaged)?;
            self.place = Some((segment, end));
            self.frame = entries.into_iter();
            return Ok(());
        }
    }

    /// Returns where to start looking for the first entry.
    fn start(&self) -> Option<(usize, u64)> {
        let index = self.shared.index.read().unwrap_or_else(PoisonError::into_inner);
        index.before(self.next).map(|point| (point.segment, point.offset))
    }

    /// Returns a segment's file, and where the next one starts.
    fn files(&self, segment: usize) -> (Option<Arc<F>>, Option<Seq>) {
        let index = self.shared.index.read().unwrap_or_else(PoisonError::into_inner);
        let file = index.segments.get(segment).map(|segment| Arc::clone(&segment.file));
        (file, index.segments.get(segment + 1).map(|segment| segment.first))
    }
}

fn entries(body: &Body<'_>) -> Option<Vec<StoredEntry>> {
    let entry = |(header, opening): (&[u8; 81], &[u8])| {
        let header = Header::decode(header).ok()?;
        Some(StoredEntry { header, opening: opening.to_vec() })
    };
    body.headers().iter().zip(body.openings()).map(entry).collect()
}
