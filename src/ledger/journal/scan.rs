//! Verifying a journal: read all of it, believe nothing, change nothing.

use std::{io, sync::Arc};

use crate::ledger::{
    entry::{Chain, Head, Header, StoredEntry},
    journal::{
        append::segment_name,
        disk::{Disk, DiskFile},
        frame::{self, Body, PREFIX_LEN, Prefix},
        open::{OpenError, Visit},
        read::{Index, Segment},
        window::Window,
    },
};

/// Bytes read at a time.
const AHEAD: usize = 1024 * 1024;

/// Where verification stopped.
#[derive(Debug)]
pub(super) struct Stop {
    /// Where the verified frames of the last indexed segment end.
    pub(super) offset: u64,
    /// The first of the names that no verified frame comes from.
    pub(super) aside: usize,
    /// What is behind the verified frames, if anything.
    pub(super) fault: Option<Fault>,
}

/// What stopped a verification.
#[derive(Debug)]
pub(super) enum Fault {
    /// A frame at the very end that was not finished, of a group nobody was told of.
    Torn { bytes: u64 },
    /// Anything else.
    Damaged(OpenError),
}

/// The end of one segment.
enum SegmentEnd {
    Clean { offset: u64 },
    Torn { offset: u64, bytes: u64 },
    Damaged { offset: u64 },
}

/// A verification under way, and what it has learned.
pub(super) struct Scan<'a, 'v, D: Disk> {
    disk: &'a D,
    anchored: Option<Head>,
    visit: &'a mut Visit<'v>,
    window: Window,
    headers: Vec<Header>,
    pub(super) chain: Chain,
    pub(super) epoch: u64,
    pub(super) index: Index<D::File>,
    /// Where the last verified frame of the last indexed segment starts.
    pub(super) last_frame: u64,
}

impl<'a, 'v, D: Disk> Scan<'a, 'v, D> {
    pub(super) fn new(disk: &'a D, anchored: Option<Head>, visit: &'a mut Visit<'v>) -> Self {
        Self {
            disk,
            anchored,
            visit,
            window: Window::new(0),
            headers: Vec::new(),
            chain: Chain::EMPTY,
            epoch: 0,
            index: Index::new(),
            last_frame: 0,
        }
    }

    /// Verifies the segments of these names, in order, up to the first thing that is wrong.
    pub(super) fn run(&mut self, names: &[String]) -> Result<Stop, OpenError> {
        let mut offset = 0;
        for (place, name) in names.iter().enumerate() {
            let next = self.chain.head().next;
            if *name != segment_name(next) {
                let fault = Some(Fault::Damaged(OpenError::MissingSegment { seq: next.0 }));
                return Ok(Stop { offset, aside: place, fault });
            }
            let is_last = place + 1 == names.len();
            let fault = match self.segment(name)? {
                SegmentEnd::Clean { offset: end } => {
                    offset = end;
                    continue;
                }
                SegmentEnd::Torn { offset: end, bytes } if is_last && !self.is_short() => {
                    offset = end;
                    Fault::Torn { bytes }
                }
                SegmentEnd::Torn { offset: end, .. } | SegmentEnd::Damaged { offset: end } => {
                    offset = end;
                    let (file, seq) = (name.clone(), self.chain.head().next.0);
                    Fault::Damaged(OpenError::Damaged { file, offset, seq })
                }
            };
            return Ok(Stop { offset, aside: place + 1, fault: Some(fault) });
        }
        let fault = self.is_short().then(|| {
            let anchored = self.anchored.map_or(0, |anchored| anchored.next.0);
            let found = self.chain.head().next.0;
            Fault::Damaged(OpenError::MissingTail { found, anchored })
        });
        Ok(Stop { offset, aside: names.len(), fault })
    }

    /// Returns whether entries are missing that were acknowledged.
    fn is_short(&self) -> bool {
        self.anchored.is_some_and(|anchored| anchored.next > self.chain.head().next)
    }

    fn segment(&mut self, name: &str) -> Result<SegmentEnd, OpenError> {
        let file = Arc::new(self.disk.open(name)?);
        let first = self.chain.head().next;
        self.index.add_segment(Segment { first, file: Arc::clone(&file) });
        let mut window = std::mem::replace(&mut self.window, Window::new(0));
        window.clear_for(usize::try_from(file.size()?).map_or(AHEAD, |len| len.min(AHEAD)));
        self.last_frame = 0;
        let end = self.frames(name, &*file, &mut window);
        self.window = window;
        end
    }

    fn frames(
        &mut self,
        name: &str,
        file: &D::File,
        window: &mut Window,
    ) -> Result<SegmentEnd, OpenError> {
        let mut offset = 0;
        loop {
            let bytes = window.get(file, offset, PREFIX_LEN)?;
            let Some(prefix) = Prefix::decode(bytes) else { return end(file, offset) };
            let body = window.get(file, offset.saturating_add(36), prefix.body_len)?;
            // Before its format: a flipped bit must not pass for a newer version.
            if !prefix.matches(body) {
                return end(file, offset);
            }
            if prefix.format > frame::FORMAT {
                let (file, found) = (name.to_owned(), prefix.format);
                return Err(OpenError::NewerFormat { file, found, supported: frame::FORMAT });
            }
            // Its checksum is right, so anything wrong with it was written that way.
            let is_next = prefix.format == frame::FORMAT
                && prefix.first == self.chain.head().next
                && prefix.epoch >= self.epoch;
            let Some(body) = prefix.body(body).filter(|_| is_next) else {
                return Ok(SegmentEnd::Damaged { offset });
            };
            if !self.frame(&body)? {
                return Ok(SegmentEnd::Damaged { offset });
            }
            self.epoch = prefix.epoch;
            self.index.note(prefix.first, offset);
            self.last_frame = offset;
            offset = offset.saturating_add(prefix.frame_len());
        }
    }

    /// Verifies all of a frame, then visits its entries; returns whether it follows.
    fn frame(&mut self, body: &Body<'_>) -> Result<bool, OpenError> {
        let mut chain = self.chain;
        self.headers.clear();
        for bytes in body.headers() {
            let Ok(header) = Header::decode(bytes) else { return Ok(false) };
            if chain.extend(&header).is_err() {
                return Ok(false);
            }
            let head = chain.head();
            if self.anchored.is_some_and(|it| it.next == head.next && it.hash != head.hash) {
                return Err(OpenError::HeadMismatch { seq: header.seq.0 });
            }
            self.headers.push(header);
        }
        self.chain = chain;
        let mut opening = Vec::new();
        for (header, bytes) in self.headers.iter().zip(body.openings()) {
            opening.clear();
            opening.extend_from_slice(bytes);
            let entry = StoredEntry { header: *header, opening };
            let seq = header.seq.0;
            (self.visit)(&entry).map_err(|source| OpenError::Visit { seq, source })?;
            opening = entry.opening;
        }
        Ok(true)
    }
}

/// Tells a clean end from a torn one, and that from one behind which whole frames follow.
fn end(file: &impl DiskFile, offset: u64) -> Result<SegmentEnd, OpenError> {
    let rest = file.size()?.saturating_sub(offset);
    let mut bytes = vec![0; usize::try_from(rest).map_err(io::Error::other)?];
    file.read_at(&mut bytes, offset)?;
    let Some(last) = bytes.iter().rposition(|byte| *byte != 0) else {
        return Ok(SegmentEnd::Clean { offset });
    };
    let is_frame = |bytes: &[u8]| {
        Prefix::decode(bytes).is_some_and(|prefix| {
            let body = bytes.get(PREFIX_LEN..PREFIX_LEN + prefix.body_len);
            body.is_some_and(|body| prefix.matches(body))
        })
    };
    let magics = bytes.windows(4).enumerate().filter(|(_, window)| *window == frame::MAGIC);
    let mut frames = magics.filter_map(|(at, _)| bytes.get(at..));
    if frames.any(is_frame) {
        return Ok(SegmentEnd::Damaged { offset });
    }
    let bytes = u64::try_from(last + 1).map_err(io::Error::other)?;
    Ok(SegmentEnd::Torn { offset, bytes })
}
