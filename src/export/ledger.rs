//! The ledger itself, entry by entry, with everything needed to verify it elsewhere.
//!
//! What is committed to is given as the exact text that was hashed: nothing is decoded and
//! encoded again on the way.

use std::sync::Arc;

use serde::Serialize;

use crate::{
    domain::{entry::Seq, ids::ContactId},
    export::{ExportError, Sink, ndjson, row::Moment},
    ledger::{
        entry::{Class, StoredEntry},
        log::LogReader,
        seal::Opened,
        sealer::Sealer,
        views::Views,
    },
};

/// An export of the ledger's entries, ready to run.
pub struct LedgerEntries {
    log: Arc<dyn LogReader>,
    sealer: Sealer,
    views: Arc<Views>,
    from: Seq,
    until: Seq,
}

impl std::fmt::Debug for LedgerEntries {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { from, until, .. } = self;
        f.debug_struct("LedgerEntries").field("from", from).field("until", until).finish()
    }
}

/// One entry.
#[derive(Serialize)]
struct Line<'a> {
    seq: Seq,
    /// As in the header: rounded down to the minute.
    at: Moment,
    class: &'static str,
    commitment: String,
    previous: String,
    leaf_hash: String,
    contact_id: Option<ContactId>,
    opening: Option<Opening<'a>>,
    erased: bool,
}

/// What the header commits to.
#[derive(Serialize)]
struct Opening<'a> {
    salt: String,
    payload: &'a str,
}

impl LedgerEntries {
    /// Makes an export of the entries from `from` to before `until`, or to the end as it is now.
    pub fn new(
        log: Arc<dyn LogReader>,
        sealer: Sealer,
        views: Arc<Views>,
        from: Seq,
        until: Option<Seq>,
    ) -> Self {
        let head = log.head().next;
        let until = until.unwrap_or(head).min(head);
        Self { log, sealer, views, from, until }
    }

    /// Returns the position before which the export ends.
    pub const fn until(&self) -> Seq {
        self.until
    }

    /// Writes all entries as JSON lines. Returns how many there were, 0 when it ended early.
    /// Blocks until whoever holds the other end of `sink` has taken everything, or has gone.
    pub fn run(self, sink: Sink) -> u64 {
        sink.produce(|sink| {
            let mut count = 0;
            if self.from >= self.until {
                return Ok(count);
            }
            for entry in self.log.read(self.from) {
                let entry = entry?;
                if entry.header.seq >= self.until {
                    break;
                }
                self.write(sink, &entry)?;
                count += 1;
            }
            Ok(count)
        })
    }

    fn write(&self, sink: &mut Sink, entry: &StoredEntry) -> Result<(), ExportError> {
        let header = &entry.header;
        let opened = self.sealer.open(entry)?;
        let contact_id = opened.as_ref().and_then(|(subject, _)| {
            self.views.state().contacts().get(*subject).map(|contact| contact.id)
        });
        let opening = match &opened {
            Some((_, Opened { salt, payload })) => {
                let payload = std::str::from_utf8(payload)
                    .map_err(|_bytes| ExportError::NoText { seq: header.seq.0 })?;
                Some(Opening { salt: hex::encode(salt), payload })
            }
            None => None,
        };
        let line = Line {
            seq: header.seq,
            at: Moment(header.at),
            class: class_name(header.class),
            commitment: hex::encode(header.commitment),
            previous: hex::encode(header.previous.0),
            leaf_hash: hex::encode(header.leaf_hash()),
            contact_id,
            erased: opening.is_none(),
            opening,
        };
        ndjson::write(sink, &line)
    }
}

const fn class_name(class: Class) -> &'static str {
    match class {
        Class::Entry => "entry",
        Class::Erase => "erase",
        Class::Key => "key",
    }
}
