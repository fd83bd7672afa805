//! One row: where one consent of one contact stands, and what proves it.
//!
//! Personal data throughout: rows are written and never printed.

use serde::{Serialize, Serializer};

use crate::{
    documents::{ConsentRecord, ContactDocument, FullStopRecord},
    domain::{
        consent::{Act, ConsentStatus, Standing},
        entry::Seq,
        event::{Source, StatementShown},
        ids::ContactId,
        names::Language,
        phone::PhoneNumber,
        time::Timestamp,
    },
};

/// Names of the columns, in the order of [`ConsentRow`]'s members.
pub(super) const COLUMNS: [&str; 18] = [
    "contact_id",
    "number",
    "user_id",
    "topic",
    "status",
    "granted_at",
    "decided_at",
    "recorded_at",
    "expires_at",
    "source_type",
    "entry_point",
    "url",
    "reference",
    "statement_id",
    "statement_digest",
    "statement_language",
    "seq",
    "basis",
];

/// A moment that is written as RFC 3339.
#[derive(Clone, Copy)]
pub(super) struct Moment(pub(super) Timestamp);

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.to_rfc3339())
    }
}

/// One consent of one contact.
#[derive(Serialize)]
pub(super) struct ConsentRow<'a> {
    /// The contact's id.
    pub(super) contact_id: ContactId,
    /// Its number in E.164.
    pub(super) number: Option<&'a str>,
    /// Its business-scoped user id.
    pub(super) user_id: Option<&'a str>,
    /// About which topic; none for a withdrawal from everything, which also covers topics that
    /// never came up.
    pub(super) topic: Option<&'a str>,
    /// Where it stands.
    pub(super) status: ConsentStatus,
    /// When the person last agreed, if ever; stays after a withdrawal.
    pub(super) granted_at: Option<Moment>,
    /// When the act that decides happened.
    pub(super) decided_at: Moment,
    /// When the ledger recorded it.
    pub(super) recorded_at: Moment,
    /// When the agreement runs out, if it does.
    pub(super) expires_at: Option<Moment>,
    /// Where the act came from.
    pub(super) source_type: &'a str,
    /// Which poster, counter or form.
    pub(super) entry_point: Option<&'a str>,
    /// Which page.
    pub(super) url: Option<&'a str>,
    /// The caller's own name for it.
    pub(super) reference: Option<&'a str>,
    /// The statement the person was shown last.
    pub(super) statement_id: Option<&'a str>,
    /// Its content.
    pub(super) statement_digest: Option<&'a str>,
    /// Its language.
    pub(super) statement_language: Option<&'a str>,
    /// The entry of the act.
    pub(super) seq: Seq,
    /// What the agreement rests on, if one decides.
    pub(super) basis: Option<&'a str>,
}

impl<'a> ConsentRow<'a> {
    /// Makes the row of a consent, which stands like this.
    pub(super) fn of(
        document: &'a ContactDocument,
        (consent, standing): (&'a ConsentRecord, &Standing),
    ) -> Self {
        let ConsentRecord {
            topic,
            act: _,
            basis,
            at,
            recorded_at,
            expires_at: _,
            source,
            statement,
            agreed,
            seq,
            held_by: _,
        } = consent;
        let base = Self::bare(document, source, *at, *recorded_at, *seq);
        let StatementCells { id, digest, language } = statement_cells(statement.as_ref());
        Self {
            topic: Some(topic.as_str()),
            status: standing.status,
            granted_at: agreed.map(|agreed| Moment(agreed.at)),
            expires_at: standing.expires_at.map(Moment),
            statement_id: id,
            statement_digest: digest,
            statement_language: language,
            basis: (consent.act == Act::Agreed).then(|| basis.name()),
            ..base
        }
    }

    /// Makes the row of a withdrawal from everything, for a topic that was never recorded.
    pub(super) fn of_full_stop(
        document: &'a ContactDocument,
        stop: &'a FullStopRecord,
        topic: Option<&'a str>,
    ) -> Self {
        let FullStopRecord { at, recorded_at, source, seq, held_by: _ } = stop;
        Self { topic, ..Self::bare(document, source, *at, *recorded_at, *seq) }
    }

    fn bare(
        document: &'a ContactDocument,
        source: &'a Source,
        at: Timestamp,
        recorded_at: Timestamp,
        seq: Seq,
    ) -> Self {
        let Source { kind, entry_point, url, reference } = source;
        Self {
            contact_id: document.id,
            number: document.number.as_ref().map(PhoneNumber::as_e164),
            user_id: document.user_id.as_deref(),
            topic: None,
            status: ConsentStatus::Withdrawn,
            granted_at: None,
            decided_at: Moment(at),
            recorded_at: Moment(recorded_at),
            expires_at: None,
            source_type: kind,
            entry_point: entry_point.as_deref(),
            url: url.as_deref(),
            reference: reference.as_deref(),
            statement_id: None,
            statement_digest: None,
            statement_language: None,
            seq,
            basis: None,
        }
    }
}

#[derive(Default)]
struct StatementCells<'a> {
    id: Option<&'a str>,
    digest: Option<&'a str>,
    language: Option<&'a str>,
}

fn statement_cells(statement: Option<&StatementShown>) -> StatementCells<'_> {
    statement.map_or_else(StatementCells::default, |StatementShown { id, digest, language }| {
        StatementCells {
            id: Some(id.as_str()),
            digest: Some(digest),
            language: language.as_ref().map(Language::as_str),
        }
    })
}

/// Returns a status as the API names it.
pub(super) const fn status_name(status: ConsentStatus) -> &'static str {
    match status {
        ConsentStatus::NeverAsked => "never_asked",
        ConsentStatus::Pending => "pending",
        ConsentStatus::Granted => "granted",
        ConsentStatus::Expired => "expired",
        ConsentStatus::Withdrawn => "withdrawn",
    }
}
