//! Opening a journal: verify all of it, then cut only what was never acknowledged.
//!
//! Nothing is written before everything has been verified, so a refusal changes nothing.

use std::{
    fs, io,
    path::Path,
    sync::{Arc, RwLock},
};

use tokio::sync::watch;

use crate::{
    domain::entry::Seq,
    ledger::{
        entry::{Chain, Head, StoredEntry},
        journal::{
            anchor::{self, Anchor, Contents, Mark},
            append::{Journal, SEGMENT_ENDING, SEGMENT_NAME_LEN, new_segment},
            disk::{Disk, DiskFile},
            read::{Index, Shared},
            scan::{Fault, Scan, Stop},
        },
    },
};

/// How to open a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Length in bytes after which a segment is followed by another.
    pub segment_len: u64,
    /// Zeroes in bytes written ahead of the end in one go, so that most syncs have no metadata to
    /// write; at least one byte.
    pub ahead: u64,
    /// Cut at the first damage, whatever is lost by it, instead of refusing.
    pub recovers_to_verified_prefix: bool,
}

impl Default for Options {
    /// Returns segments of 64 MiB, written 1 MiB ahead; damage is refused.
    fn default() -> Self {
        let mib = 1024 * 1024;
        Self { segment_len: 64 * mib, ahead: mib, recovers_to_verified_prefix: false }
    }
}

/// What opening cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// A group that was being written when the machine stopped. It was never acknowledged.
    Unacknowledged {
        /// Bytes of it.
        bytes: u64,
    },
    /// Everything behind damage, because the operator asked for it. What was cut is kept in files
    /// whose names end with `.cut`, and the journal's epoch is one higher.
    Damaged {
        /// Entries that had been acknowledged and are gone; a lower bound.
        lost: u64,
    },
}

/// An opened journal and what was found.
#[derive(Debug)]
pub struct Found<D: Disk> {
    /// The journal.
    pub journal: Journal<D>,
    /// What was cut off, if anything.
    pub cut: Option<Cut>,
    /// Whether one of the anchor's two slots was unreadable, as after a power cut. It is whole
    /// again.
    pub is_anchor_torn: bool,
}

/// What verifying found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// The end of the verified entries.
    pub head: Head,
    /// How many times acknowledged entries were cut away on request.
    pub epoch: u64,
    /// What opening would cut off, if anything.
    pub cut: Option<Cut>,
    /// Whether one of the anchor's two slots is unreadable.
    pub is_anchor_torn: bool,
}

/// Why a journal is refused. Names the file and the position, so that people can look.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The disk failed.
    #[error("failed to use the journal's files")]
    Storage(#[from] io::Error),
    /// There is no journal, or its files are something else.
    #[error("there is no journal here")]
    NotALedger,
    /// Segments without an anchor: how far they must reach is unknown.
    #[error("the journal's head anchor is missing")]
    MissingAnchor,
    /// Bytes are not what was written.
    #[error("{file} is damaged at byte {offset}: entry {seq} cannot be verified")]
    Damaged {
        /// Which file.
        file: String,
        /// Where in it.
        offset: u64,
        /// The first entry that cannot be verified.
        seq: u64,
    },
    /// Fewer entries than were acknowledged.
    #[error("the journal ends at entry {found}, but {anchored} entries were acknowledged")]
    MissingTail {
        /// Entries found.
        found: u64,
        /// Entries the anchor knows of.
        anchored: u64,
    },
    /// The journal is whole in itself, and is not the one the anchor knows.
    #[error("entry {seq} is not the one that was acknowledged: the journal was replaced")]
    HeadMismatch {
        /// The last entry the anchor knows.
        seq: u64,
    },
    /// A segment is missing.
    #[error("the journal has no segment that starts with entry {seq}")]
    MissingSegment {
        /// The first entry it would hold.
        seq: u64,
    },
    /// A newer version wrote this.
    #[error("{file} has format {found}; this version reads up to {supported}")]
    NewerFormat {
        /// Which file.
        file: String,
        /// Its format.
        found: u16,
        /// The newest format that can be read.
        supported: u16,
    },
    /// Reading what was found failed.
    #[error("failed to take in entry {seq}")]
    Visit {
        /// Which entry.
        seq: u64,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// What is done with each entry once it has been verified, in order.
pub type Visit<'a> =
    dyn FnMut(&StoredEntry) -> Result<(), Box<dyn std::error::Error + Send + Sync>> + 'a;

/// A journal that has been read from end to end, and not been touched.
struct Survey<F> {
    names: Vec<String>,
    anchor: Option<Anchor<F>>,
    /// What the anchor says, where it says anything.
    mark: Option<Mark>,
    is_anchor_torn: bool,
    chain: Chain,
    epoch: u64,
    index: Index<F>,
    last_frame: u64,
    stop: Stop,
}

/// Returns whether a folder holds anything of a journal, so that [`open`] would not begin one. A
/// folder that is not there holds nothing, and is not made.
///
/// # Errors
///
/// Whatever the disk says.
pub fn is_in(folder: &Path) -> io::Result<bool> {
    let files = match fs::read_dir(folder) {
        Ok(files) => files,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    for file in files {
        let name = file?.file_name();
        if name.to_str().is_some_and(|name| name == anchor::NAME || is_segment(name)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Opens the journal on `disk`, or begins one; every entry is verified and handed to `visit`.
///
/// # Errors
///
/// [`OpenError`]. Unless it is [`OpenError::Storage`], nothing was changed on the disk.
pub fn open<D: Disk>(
    disk: D,
    options: Options,
    visit: &mut Visit<'_>,
) -> Result<Found<D>, OpenError> {
    let recovers = options.recovers_to_verified_prefix;
    let mut survey = match survey(&disk, recovers, visit)? {
        Some(survey) => survey,
        None => begin(&disk)?,
    };
    let cut = survey.cut(recovers)?;
    let is_anchor_torn = survey.is_anchor_torn;
    let journal = settle(disk, survey, cut, options)?;
    Ok(Found { journal, cut, is_anchor_torn })
}

/// Verifies the journal on `disk` without changing anything; entries are handed to `visit`.
///
/// # Errors
///
/// [`OpenError`]; [`OpenError::NotALedger`] also where [`open`] would begin one.
pub fn verify<D: Disk>(disk: &D, visit: &mut Visit<'_>) -> Result<Verified, OpenError> {
    let mut survey = survey(disk, false, visit)?.ok_or(OpenError::NotALedger)?;
    let cut = survey.cut(false)?;
    let (head, epoch, is_anchor_torn) = (survey.chain.head(), survey.epoch, survey.is_anchor_torn);
    Ok(Verified { head, epoch, cut, is_anchor_torn })
}

fn is_segment(name: &str) -> bool {
    name.len() == SEGMENT_NAME_LEN && name.ends_with(SEGMENT_ENDING)
}

/// Reads everything; `None` where there is nothing.
fn survey<D: Disk>(
    disk: &D,
    recovers: bool,
    visit: &mut Visit<'_>,
) -> Result<Option<Survey<D::File>>, OpenError> {
    let files = disk.list()?;
    let has_anchor = files.iter().any(|name| name == anchor::NAME);
    let mut names: Vec<_> = files.into_iter().filter(|name| is_segment(name)).collect();
    names.sort();
    let (anchor, mark, is_anchor_torn) = if has_anchor {
        let (anchor, contents) = Anchor::open(disk.open(anchor::NAME)?)?;
        match contents {
            Contents::Mark { mark, is_torn } => (Some(anchor), Some(mark), is_torn),
            Contents::Newer(found) => {
                let (file, supported) = (anchor::NAME.to_owned(), anchor::FORMAT);
                return Err(OpenError::NewerFormat { file, found, supported });
            }
            Contents::Damaged | Contents::Foreign if recovers => (None, None, true),
            Contents::Damaged => {
                let file = anchor::NAME.to_owned();
                return Err(OpenError::Damaged { file, offset: 0, seq: 0 });
            }
            Contents::Foreign => return Err(OpenError::NotALedger),
        }
    } else if names.is_empty() {
        return Ok(None);
    } else if recovers {
        (None, None, true)
    } else {
        return Err(OpenError::MissingAnchor);
    };
    let mut scan = Scan::new(disk, mark.map(|mark| mark.head), visit);
    let stop = scan.run(&names)?;
    let epoch = scan.epoch.max(mark.map_or(0, |mark| mark.epoch));
    let Scan { chain, index, last_frame, .. } = scan;
    Ok(Some(Survey { names, anchor, mark, is_anchor_torn, chain, epoch, index, last_frame, stop }))
}

/// Begins a journal: first the anchor, so that segments without one are always a loss.
fn begin<D: Disk>(disk: &D) -> Result<Survey<D::File>, OpenError> {
    let mark = Mark { epoch: 0, head: Head::EMPTY };
    Ok(Survey {
        names: Vec::new(),
        anchor: Some(Anchor::create(disk, mark)?),
        mark: Some(mark),
        is_anchor_torn: false,
        chain: Chain::EMPTY,
        epoch: 0,
        index: Index::new(),
        last_frame: 0,
        stop: Stop { offset: 0, aside: 0, fault: None },
    })
}

impl<F> Survey<F> {
    /// Returns what has to be cut off, if that is allowed.
    fn cut(&mut self, recovers: bool) -> Result<Option<Cut>, OpenError> {
        match self.stop.fault.take() {
            None if self.anchor.is_some() => Ok(None),
            Some(Fault::Torn { bytes }) => Ok(Some(Cut::Unacknowledged { bytes })),
            Some(Fault::Damaged(error)) if !recovers => Err(error),
            // Without an anchor nobody knows that nothing is missing.
            Some(Fault::Damaged(_)) | None => Ok(Some(Cut::Damaged { lost: self.lost() })),
        }
    }

    /// Returns how many entries were once there, as far as the anchor and names tell, and are not.
    fn lost(&self) -> u64 {
        let anchored = self.mark.map_or(0, |mark| mark.head.next.0);
        let named = self.names.last().and_then(|name| name.strip_suffix(SEGMENT_ENDING));
        let named = named.and_then(|digits| digits.parse().ok()).unwrap_or(0);
        anchored.max(named).saturating_sub(self.chain.head().next.0)
    }
}

/// Makes the disk hold what was verified and nothing else, durably, and then the anchor.
fn settle<D: Disk>(
    disk: D,
    survey: Survey<D::File>,
    cut: Option<Cut>,
    options: Options,
) -> Result<Journal<D>, OpenError> {
    let Survey { names, anchor, chain, epoch, mut index, last_frame, stop, .. } = survey;
    let aside = names.get(stop.aside..).unwrap_or_default();
    let epoch = match cut {
        Some(Cut::Damaged { .. }) => {
            set_aside(&disk, aside)?;
            // Whoever knows the entries that are gone must see that these are others.
            epoch.saturating_add(1)
        }
        Some(Cut::Unacknowledged { .. }) | None => epoch,
    };
    if let (Some(tail), Some(cut)) = (index.segments().last(), cut) {
        let name = names.get(..stop.aside).and_then(<[String]>::last);
        clear_from(&disk, &*tail.file, stop.offset, name.filter(|_| cut.is_damage()))?;
    }
    if let Some(tail) = index.segments().last() {
        write_again(&*tail.file, last_frame, stop.offset)?;
    }
    for segment in index.segments() {
        segment.file.sync_data()?;
    }
    disk.sync()?;
    let tail = if let Some(tail) = index.segments().last() {
        tail.clone()
    } else {
        let first = new_segment(&disk, Seq(0), options.ahead)?;
        index.add_segment(first.clone());
        first
    };
    let head = chain.head();
    let reached = Mark { epoch, head };
    let anchor = match anchor {
        Some(mut anchor) => {
            anchor.renew(reached)?;
            anchor
        }
        None => Anchor::create(&disk, reached)?,
    };
    let allocated = tail.file.size()?;
    let shared = Arc::new(Shared { index: RwLock::new(index), head: watch::Sender::new(head) });
    Ok(Journal {
        disk,
        shared,
        tail,
        offset: stop.offset,
        allocated,
        chain,
        epoch,
        anchor,
        segment_len: options.segment_len,
        ahead: options.ahead,
        is_closed: false,
        buffer: Vec::new(),
    })
}

impl Cut {
    const fn is_damage(self) -> bool {
        match self {
            Self::Damaged { .. } => true,
            Self::Unacknowledged { .. } => false,
        }
    }
}

/// Writes the last frame once more. It may be one whose sync failed, or never came: the kernel
/// then shows it, may have given up writing it, and says of its next sync that all is well.
fn write_again(file: &impl DiskFile, start: u64, end: u64) -> io::Result<()> {
    let len = usize::try_from(end.saturating_sub(start)).map_err(io::Error::other)?;
    let mut bytes = vec![0; len];
    if file.read_at(&mut bytes, start)? < len {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    file.write_all_at(&bytes, start)
}

/// Gives segments a name under which they are kept and not read. The last comes first, so that
/// stopping half way leaves no gap that was not there before.
fn set_aside<D: Disk>(disk: &D, names: &[String]) -> io::Result<()> {
    for name in names.iter().rev() {
        disk.rename(name, &free_name(disk, name)?)?;
    }
    disk.sync()
}

/// Writes zeroes over a segment from `offset` on, after keeping what is there if it has a name.
fn clear_from<D: Disk>(
    disk: &D,
    file: &D::File,
    offset: u64,
    keep_as: Option<&String>,
) -> io::Result<()> {
    let rest = file.size()?.saturating_sub(offset);
    let mut bytes = vec![0; usize::try_from(rest).map_err(io::Error::other)?];
    file.read_at(&mut bytes, offset)?;
    let Some(last) = bytes.iter().rposition(|byte| *byte != 0) else { return Ok(()) };
    if let Some(name) = keep_as {
        let kept = disk.create(&free_name(disk, name)?)?;
        kept.write_all_at(bytes.get(..=last).unwrap_or_default(), 0)?;
        kept.sync_data()?;
        disk.sync()?;
    }
    bytes.fill(0);
    file.write_all_at(&bytes, offset)
}

/// Returns a name that no file has, so that keeping never overwrites what was kept before.
fn free_name<D: Disk>(disk: &D, name: &str) -> io::Result<String> {
    let taken = disk.list()?;
    let mut free = format!("{name}.cut");
    let mut turn = 1_u32;
    while taken.contains(&free) {
        turn = turn.saturating_add(1);
        free = format!("{name}.{turn}.cut");
    }
    Ok(free)
}
