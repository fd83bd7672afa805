//! Documents of contacts that are one person by now.
//!
//! Each keeps its own document, folded from its own entries: the one that stays knows where every
//! consent stands, and which part's history holds the act. What proves the act is read there, when
//! somebody wants to see it.

use serde::{Deserialize, Serialize};

use crate::{
    documents::{BlockRecord, ConsentRecord, ContactDocument, FullStopRecord},
    domain::{
        absorbed::{Absorbed, Mark, TopicLeft},
        entry::{Seq, Subject},
        event::Source,
        ids::ContactId,
        phone::PhoneNumber,
        time::Timestamp,
    },
};

/// The source of an act whose history can no longer be read.
const SOURCE_GONE: &str = "merged";

/// Another contact became part of this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartRecord {
    /// Its id.
    pub id: ContactId,
    /// Its place.
    pub place: Subject,
    /// When.
    pub at: Timestamp,
    /// The entry that recorded it.
    pub seq: Seq,
}

/// This contact became part of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MergeRecord {
    /// The contact that stayed.
    pub id: ContactId,
    /// Its place.
    pub place: Subject,
    /// When.
    pub at: Timestamp,
    /// The entry that recorded it.
    pub seq: Seq,
}

/// Under what a part was known before.
#[derive(Clone, PartialEq, Eq)]
pub struct FormerIdentity {
    /// Its id.
    pub id: ContactId,
    /// Its number, canonical.
    pub number: Option<PhoneNumber>,
    /// The number as it was last written, where that differs.
    pub written: Option<Box<str>>,
    /// The number as WhatsApp last wrote it.
    pub wa_id: Option<Box<str>>,
    /// Its business-scoped user id.
    pub user_id: Option<Box<str>>,
    /// When it became part of the contact.
    pub merged_at: Timestamp,
    /// The entry that recorded it.
    pub seq: Seq,
}

impl std::fmt::Debug for FormerIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FormerIdentity").field("id", &self.id).finish_non_exhaustive()
    }
}

impl ContactDocument {
    /// Stands where the entry says the contact stands, now that another is part of it.
    pub(super) fn fold_absorbed(&mut self, seq: Seq, at: Timestamp, event: &Absorbed) {
        let place = event.place;
        self.parts.push(PartRecord { id: event.contact, place, at, seq });
        if event.user_key.is_some() {
            // The one the part brings takes its place.
            self.user_id = None;
        }
        let before = std::mem::take(&mut self.consents);
        for left in &event.topics {
            let known = before.iter().find(|known| known.topic == left.topic);
            let stop = self.full_stop.as_ref();
            self.consents.push(match known {
                Some(known) if known.seq == left.seq => known.clone(),
                known => record_left(left, known, stop, place, at),
            });
        }
        self.full_stop = event.full_stop.map(|mark| match self.full_stop.take() {
            Some(known) if known.seq == mark.seq => known,
            Some(_) | None => full_stop_left(mark, place, at),
        });
        self.blocked = event.blocked.map(|mark| match self.blocked.take() {
            Some(known) if known.seq == mark.seq => known,
            Some(_) | None => {
                BlockRecord { at: mark.at, reason: None, seq: mark.seq, held_by: Some(place) }
            }
        });
    }

    /// Takes over from the document of a part, itself complete, what this one's own entries do
    /// not say: what proves an act, the identifiers it lacks, and the former ones.
    pub fn complete(&mut self, part: PartRecord, other: &Self) {
        for record in &mut self.consents {
            let theirs = other.consent(&record.topic);
            if record.held_by == Some(part.place) {
                prove(record, theirs, other.full_stop.as_ref());
            }
            // A withdrawal leaves what came before it; that may have come before on the other side.
            if let Some(theirs) = theirs {
                record.agreed = record.agreed.or(theirs.agreed);
                record.statement = record.statement.take().or_else(|| theirs.statement.clone());
            }
        }
        if let (Some(stop), Some(theirs)) = (&mut self.full_stop, &other.full_stop)
            && stop.held_by == Some(part.place)
            && stop.seq == theirs.seq
        {
            stop.source.clone_from(&theirs.source);
            stop.recorded_at = theirs.recorded_at;
        }
        if let (Some(block), Some(theirs)) = (&mut self.blocked, &other.blocked)
            && block.held_by == Some(part.place)
            && block.seq == theirs.seq
        {
            block.reason.clone_from(&theirs.reason);
        }
        self.first_seen = self.first_seen.min(other.first_seen);
        self.former.push(FormerIdentity {
            id: other.id,
            number: other.number.clone(),
            written: other.written.clone(),
            wa_id: other.wa_id.clone(),
            user_id: other.user_id.clone(),
            merged_at: part.at,
            seq: part.seq,
        });
        self.former.extend(other.former.iter().cloned());
        if self.number.is_none() && other.number.is_some() {
            self.number.clone_from(&other.number);
            self.number_valid = other.number_valid;
            self.written.clone_from(&other.written);
            self.wa_id = self.wa_id.take().or_else(|| other.wa_id.clone());
        }
        if self.user_id.is_none() {
            self.user_id.clone_from(&other.user_id);
        }
    }
}

/// The record of an act of another contact, as far as it is known here.
fn record_left(
    left: &TopicLeft,
    known: Option<&ConsentRecord>,
    stop: Option<&FullStopRecord>,
    place: Subject,
    at: Timestamp,
) -> ConsentRecord {
    // The act may be this contact's own withdrawal from everything.
    let own = stop.filter(|stop| stop.seq == left.seq);
    ConsentRecord {
        topic: left.topic.clone(),
        act: left.act,
        basis: left.basis,
        at: left.at,
        recorded_at: own.map_or(at, |stop| stop.recorded_at),
        expires_at: left.expires_at,
        source: own.map_or_else(source_gone, |stop| stop.source.clone()),
        statement: known.and_then(|known| known.statement.clone()),
        agreed: known.and_then(|known| known.agreed),
        seq: left.seq,
        held_by: match own {
            Some(stop) => stop.held_by,
            None => Some(place),
        },
    }
}

fn full_stop_left(mark: Mark, place: Subject, recorded_at: Timestamp) -> FullStopRecord {
    let Mark { at, seq } = mark;
    FullStopRecord { at, recorded_at, source: source_gone(), seq, held_by: Some(place) }
}

fn source_gone() -> Source {
    Source { kind: SOURCE_GONE.into(), entry_point: None, url: None, reference: None }
}

/// Fills in what proves an act of a part.
fn prove(
    record: &mut ConsentRecord,
    theirs: Option<&ConsentRecord>,
    stop: Option<&FullStopRecord>,
) {
    if let Some(theirs) = theirs.filter(|theirs| theirs.seq == record.seq) {
        record.source.clone_from(&theirs.source);
        record.recorded_at = theirs.recorded_at;
        record.statement = theirs.statement.clone().or_else(|| record.statement.take());
        record.agreed = theirs.agreed.or(record.agreed);
    } else if let Some(stop) = stop.filter(|stop| stop.seq == record.seq) {
        record.source.clone_from(&stop.source);
        record.recorded_at = stop.recorded_at;
    }
}
