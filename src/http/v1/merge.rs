//! `POST /v1/contacts/merge`: two contacts turned out to be one person.

use actix_web::HttpResponse;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    domain::{
        absorbed::{Absorbed, IdentityLeft},
        command::{Command, ContactRef, Merge},
        consent::ConsentStatus,
        entry::Seq,
        event::Event,
        ids::ContactId,
        time::Timestamp,
    },
    http::{
        edge::{Ask, Edge, Submitted},
        members::{Members, Plain},
        person,
        problem::{INTERNAL, Problem},
        v1::opt_ins,
        wire::{self, ConsentAfter, Moment, ReceiptBody},
    },
};

/// Which two contacts are one person, and how you know.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MergeBody {
    /// The contact that becomes part of the other: a number, a contact id, or `user:<id>`.
    #[schema(example = "+5491123456789")]
    from: String,
    /// The contact that stays.
    #[schema(example = "+541123456789")]
    into: String,
    /// Why.
    reason: Option<String>,
    /// How you know: texts, numbers and truth values by name.
    #[serde(default)]
    #[schema(value_type = Object)]
    evidence: Members<Plain>,
}

/// Where the person was left. Whatever either contact was known by leads here from now on.
#[derive(Debug, Serialize, ToSchema)]
pub struct MergedBody<'a> {
    /// The contact that stays.
    #[schema(value_type = String, format = Uuid)]
    contact: ContactId,
    /// The contact that became part of it.
    #[schema(value_type = String, format = Uuid)]
    merged: ContactId,
    /// Where each topic stood after it: of the two, what allows less.
    consents: Vec<ConsentAfter<'a>>,
    /// Since when the person has withdrawn from everything, on either side.
    opted_out_of_all_at: Option<Moment>,
    /// Since when an operator blocked either.
    blocked_since: Option<Moment>,
    /// Whether a change of identity suspends what was agreed before it.
    identity_changed: bool,
    /// Proof that it is in the ledger.
    receipt: ReceiptBody,
}

/// Makes one contact part of another. Both histories are kept and the more restrictive consent
/// counts; the open tickets of both are taken back. Two that are one already stay as they are,
/// and the answer is that of the first time.
#[utoipa::path(post, path = "/v1/contacts/merge", tag = "contacts", request_body = MergeBody,
    responses((status = 200, body = MergedBody<'static>)))]
pub(crate) async fn merge(mut ask: Ask) -> Result<HttpResponse, Problem> {
    let (body, bytes) = ask.json::<MergeBody>().await?;
    let named = |text: &str, pointer| {
        person::named(&ask.edge, text)
            .map(|named| named.contact)
            .map_err(|problem| problem.pointing_at(pointer))
    };
    let (from, into) = (named(&body.from, "/from")?, named(&body.into, "/into")?);
    let command = Merge {
        from,
        into,
        reason: wire::optional_text(body.reason, "/reason")?,
        evidence: opt_ins::evidence(body.evidence)?,
    };
    let once = ask.once(&bytes)?;
    let mut submitted = ask.submit(Command::Merge(Box::new(command)), once).await?;
    if submitted.entries.is_empty()
        && let Some(seq) = merged_by(&ask.edge, from, into)
    {
        let is_replay = submitted.is_replay;
        submitted = Submitted { is_replay, ..ask.reread(seq, 2).await? };
    }
    reply(&ask.edge, &submitted)
}

/// Returns the entry by which one of two contacts became part of the other, or of one both are
/// part of.
fn merged_by(edge: &Edge, from: ContactRef, into: ContactRef) -> Option<Seq> {
    let state = edge.views().state();
    let contacts = state.contacts();
    let merge_of = |contact| {
        let place = match contact {
            ContactRef::Key(key) => contacts.place_of(key),
            ContactRef::Id(id) => contacts.place_of_id(id),
        };
        contacts.get(place?)?.details().merged_into.map(|(_, seq)| seq)
    };
    merge_of(from).or_else(|| merge_of(into))
}

/// Renders what was recorded, from the entries, so that a repeated request gets the same.
fn reply(edge: &Edge, submitted: &Submitted) -> Result<HttpResponse, Problem> {
    let merged = submitted.entries.iter().find_map(|entry| {
        let Event::ContactMerged { into, .. } = &entry.record.event else { return None };
        Some((entry, *into))
    });
    let absorbed = submitted.entries.iter().find_map(|entry| {
        let Event::ContactAbsorbed(absorbed) = &entry.record.event else { return None };
        Some(absorbed)
    });
    let (Some((entry, into)), Some(absorbed)) = (merged, absorbed) else {
        return Err(Problem::new(INTERNAL, "the entries of this request are gone"));
    };
    let now = entry.record.at;
    let mut response = HttpResponse::Ok().json(MergedBody {
        contact: survivor(edge, into),
        merged: absorbed.contact,
        consents: consents(absorbed, now),
        opted_out_of_all_at: absorbed.full_stop.map(|stop| Moment(stop.at)),
        blocked_since: absorbed.blocked.map(|block| Moment(block.at)),
        identity_changed: absorbed.identity.as_ref().is_some_and(IdentityLeft::has_open_change),
        receipt: ReceiptBody::of(entry),
    });
    submitted.mark(&mut response);
    Ok(response)
}

/// Returns the contact an id leads to by now.
fn survivor(edge: &Edge, id: ContactId) -> ContactId {
    let state = edge.views().state();
    let contacts = state.contacts();
    let found = contacts.find_id(id).and_then(|subject| contacts.get(subject));
    found.map_or(id, |contact| contact.id)
}

fn consents(absorbed: &Absorbed, now: Timestamp) -> Vec<ConsentAfter<'_>> {
    let topics = absorbed.topics.iter().map(|left| {
        let status = left.standing(now).status;
        ConsentAfter {
            topic: left.topic.as_str(),
            status,
            granted_at: (status == ConsentStatus::Granted).then_some(Moment(left.at)),
            decided_at: Moment(left.at),
            expires_at: left.expires_at.map(Moment),
            seq: left.seq,
        }
    });
    topics.collect()
}
