//! Shapes that several answers share.

use actix_web::{
    HttpResponse,
    http::header::{self, HeaderValue},
};
use serde::{Deserialize, Serialize, Serializer, ser::Error as _};
use utoipa::ToSchema;

use crate::{
    domain::{
        consent::ConsentStatus, entry::Seq, event::TopicOutcome, ids::ContactId, time::Timestamp,
    },
    http::{
        edge::{Edge, internal},
        problem::{BODY_INVALID, Problem},
    },
    ledger::handle::Recorded,
    limits::TEXT_BYTES_MAX,
};

/// A moment as RFC 3339 in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment(pub Timestamp);

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.rfc3339().as_str())
    }
}

impl utoipa::PartialSchema for Moment {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .format(Some(utoipa::openapi::SchemaFormat::KnownFormat(
                utoipa::openapi::KnownFormat::DateTime,
            )))
            .into()
    }
}

impl ToSchema for Moment {}

/// Whom an answer is about.
#[derive(Debug, Serialize, ToSchema)]
pub struct ContactName<'a> {
    /// The contact's id; `null` while nothing was ever recorded.
    #[schema(value_type = Option<String>, format = Uuid)]
    pub id: Option<ContactId>,
    /// The number, in E.164.
    pub number: Option<&'a str>,
}

/// Where one consent stands after an act.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConsentAfter<'a> {
    /// About what.
    pub topic: &'a str,
    /// Where it stands.
    #[schema(value_type = String)]
    pub status: ConsentStatus,
    /// When the person agreed, if that is where it stands.
    #[schema(inline)]
    pub granted_at: Option<Moment>,
    /// When the deciding act happened.
    pub decided_at: Moment,
    /// When the agreement runs out, if it does.
    pub expires_at: Option<Moment>,
    /// The entry that decides. Another one than the receipt's means that a later act stands.
    #[schema(value_type = u64)]
    pub seq: Seq,
}

/// Proof that an act is in the ledger.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReceiptBody {
    /// The entry's position.
    #[schema(value_type = u64)]
    pub seq: Seq,
    /// The entry's leaf in the ledger's tree, in hexadecimal.
    #[schema(value_type = String)]
    pub leaf_hash: LeafHash,
}

/// A leaf of the ledger's tree, written in hexadecimal.
#[derive(Debug, Clone, Copy)]
pub struct LeafHash([u8; 32]);

impl Serialize for LeafHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = [0; 64];
        hex::encode_to_slice(self.0, &mut text).map_err(S::Error::custom)?;
        serializer.serialize_str(str::from_utf8(&text).map_err(S::Error::custom)?)
    }
}

impl ReceiptBody {
    /// The receipt for an entry.
    pub fn of(entry: &Recorded) -> Self {
        Self { seq: entry.seq, leaf_hash: LeafHash(entry.leaf_hash) }
    }
}

impl<'a> ConsentAfter<'a> {
    /// What `entry` left a topic at.
    pub fn of(outcome: &'a TopicOutcome, entry: Seq) -> Self {
        let is_granted = outcome.status == ConsentStatus::Granted;
        Self {
            topic: outcome.topic.as_str(),
            status: outcome.status,
            granted_at: is_granted.then_some(Moment(outcome.at)),
            decided_at: Moment(outcome.at),
            expires_at: outcome.expires_at.map(Moment),
            seq: outcome.seq.unwrap_or(entry),
        }
    }
}

/// The body of a call that needs to be told nothing: none, or an empty object.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NothingBody {}

/// Answers 201 with a body as JSON, in memory that is taken once: few bodies are longer.
///
/// # Errors
///
/// [`crate::http::problem::INTERNAL`] for what serde cannot write, which a body never is.
pub fn created(body: &impl Serialize) -> Result<HttpResponse, Problem> {
    let mut bytes = Vec::with_capacity(512);
    serde_json::to_writer(&mut bytes, body).map_err(|error| internal(&error))?;
    let json = (header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(HttpResponse::Created().insert_header(json).body(bytes))
}

/// Returns the id of the contact an entry is about.
pub fn contact_id(edge: &Edge, entry: &Recorded) -> Option<ContactId> {
    edge.views().state().contacts().get(entry.subject).map(|contact| contact.id)
}

/// Refuses a text that is empty or too long.
///
/// # Errors
///
/// [`BODY_INVALID`].
pub fn text(value: String, pointer: &'static str) -> Result<Box<str>, Problem> {
    if value.is_empty() || value.len() > TEXT_BYTES_MAX {
        let detail = format!("1 to {TEXT_BYTES_MAX} bytes of text");
        return Err(Problem::at(BODY_INVALID, pointer, detail));
    }
    Ok(value.into())
}

/// As [`text`], for a member that may be left out.
///
/// # Errors
///
/// [`BODY_INVALID`].
pub fn optional_text(
    value: Option<String>,
    pointer: &'static str,
) -> Result<Option<Box<str>>, Problem> {
    value.map(|value| text(value, pointer)).transpose()
}

/// Reads a moment of a body.
///
/// # Errors
///
/// [`BODY_INVALID`].
pub fn moment(value: Option<&str>, pointer: &'static str) -> Result<Option<Timestamp>, Problem> {
    let Some(value) = value else { return Ok(None) };
    let moment = Timestamp::parse_rfc3339(value);
    moment.map(Some).map_err(|error| Problem::at(BODY_INVALID, pointer, error.to_string()))
}

/// Reads a name of a body.
///
/// # Errors
///
/// [`BODY_INVALID`] with what the name's parser says.
pub fn name<T, E: std::fmt::Display>(
    value: &str,
    pointer: impl Into<std::borrow::Cow<'static, str>>,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Result<T, Problem> {
    parse(value).map_err(|error| Problem::at(BODY_INVALID, pointer, error.to_string()))
}
