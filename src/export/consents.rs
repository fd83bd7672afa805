//! All consents of all contacts, filtered, as they stand at one moment.

use crate::{
    documents::{ConsentRecord, ContactDocument},
    domain::{
        consent::{ConsentStatus, Standing},
        entry::{Seq, Subject},
        names::TopicId,
        time::Timestamp,
    },
    export::{ExportError, Sink, csv, ndjson, row::ConsentRow},
    store::StoreReader,
};

/// Which consents are wanted. What is not named is not asked about.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConsentFilter {
    /// Where it stands.
    pub status: Option<ConsentStatus>,
    /// About which topic. A withdrawal from everything counts as one about it.
    pub topic: Option<TopicId>,
    /// The kind of place the deciding act came from.
    pub source_type: Option<Box<str>>,
    /// The deciding act happened then or later.
    pub from: Option<Timestamp>,
    /// The deciding act happened before.
    pub to: Option<Timestamp>,
}

/// How an export is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated values with a header row, safe to open in a spreadsheet.
    Csv,
    /// One JSON object per line.
    Ndjson,
}

/// Says where a consent of a contact stands at a moment: what the policy in force makes of it is
/// no part of a document.
pub type Seen = Box<dyn Fn(Subject, &ConsentRecord, Timestamp) -> Standing + Send>;

/// An export of consents, ready to run.
pub struct Consents {
    reader: StoreReader,
    seen: Seen,
    filter: ConsentFilter,
    now: Timestamp,
    as_of: Seq,
}

impl std::fmt::Debug for Consents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Consents").field("filter", &self.filter).finish_non_exhaustive()
    }
}

impl Consents {
    /// Makes an export of the consents as they stand at `now`.
    pub fn new(reader: StoreReader, seen: Seen, filter: ConsentFilter, now: Timestamp) -> Self {
        let as_of = reader.applied();
        Self { reader, seen, filter, now, as_of }
    }

    /// Returns the position up to which every entry is in the export. Later ones may be, where
    /// they were recorded before their contact's turn came.
    pub const fn as_of(&self) -> Seq {
        self.as_of
    }

    /// Writes all rows. Returns how many there were, 0 when it ended early. Blocks until whoever
    /// holds the other end of `sink` has taken everything, or has gone.
    pub fn run(self, format: Format, sink: Sink) -> u64 {
        sink.produce(|sink| match format {
            Format::Csv => {
                let mut rows = csv::Rows::begin(sink)?;
                let count = self.visit(|row| rows.write(row))?;
                rows.finish()?;
                Ok(count)
            }
            Format::Ndjson => self.visit(|row| ndjson::write(sink, row)),
        })
    }

    fn visit(
        &self,
        mut write: impl FnMut(&ConsentRow<'_>) -> Result<(), ExportError>,
    ) -> Result<u64, ExportError> {
        let mut count = 0;
        for number in 0..self.reader.pages()? {
            for (subject, document) in self.reader.page(number)? {
                // The person is a row of the contact that stayed.
                if document.merged_into.is_some() {
                    continue;
                }
                let document = self.reader.complete(subject, document)?;
                self.rows_of(subject, &document, |row| {
                    count += 1;
                    write(row)
                })?;
            }
        }
        Ok(count)
    }

    fn rows_of(
        &self,
        subject: Subject,
        document: &ContactDocument,
        mut write: impl FnMut(&ConsentRow<'_>) -> Result<(), ExportError>,
    ) -> Result<(), ExportError> {
        let topic = self.filter.topic.as_ref();
        let mut names_topic = false;
        for consent in &document.consents {
            if topic.is_some_and(|topic| *topic != consent.topic) {
                continue;
            }
            names_topic = true;
            let standing = (self.seen)(subject, consent, self.now);
            let row = ConsentRow::of(document, (consent, &standing));
            if self.is_wanted(&row) {
                write(&row)?;
            }
        }
        // Where the topic asked about was recorded, its own row already says what the stop did.
        if let Some(stop) = &document.full_stop
            && !(names_topic && topic.is_some())
        {
            let topic = topic.map(TopicId::as_str);
            let row = ConsentRow::of_full_stop(document, stop, topic);
            if self.is_wanted(&row) {
                write(&row)?;
            }
        }
        Ok(())
    }

    fn is_wanted(&self, row: &ConsentRow<'_>) -> bool {
        let ConsentFilter { status, topic: _, source_type, from, to } = &self.filter;
        let at = row.decided_at.0;
        status.is_none_or(|status| status == row.status)
            && source_type.as_deref().is_none_or(|kind| kind == row.source_type)
            && from.is_none_or(|from| at >= from)
            && to.is_none_or(|to| at < to)
    }
}
