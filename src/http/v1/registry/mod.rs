//! `/v1/topics`, `/v1/statements`, `/v1/templates`, `/v1/senders`, `/v1/portfolios`: what the
//! rules read. PUT creates (201) or replaces (200); putting the same again changes nothing. Here is
//! what they have in common.

pub mod portfolios;
pub mod senders;
pub mod statements;
pub mod templates;
pub mod topics;

use actix_web::HttpResponse;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    domain::{
        command::{Command, RegistryCommand},
        entry::Seq,
        event::Event,
        registry::{Category, Registry},
    },
    http::{
        edge::{Ask, Submitted},
        page::Page,
        problem::{BODY_INVALID, Problem, THING_UNKNOWN},
        query::refuse,
        wire::ReceiptBody,
    },
};

/// What was put.
#[derive(Debug, Serialize, ToSchema)]
pub struct PutBody<T> {
    /// Its id.
    id: String,
    /// As it stands now.
    #[serde(flatten)]
    value: T,
    /// The entry that recorded it.
    #[schema(value_type = Option<u64>)]
    seq: Option<Seq>,
    /// Proof that this change is in the ledger; absent when nothing changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    receipt: Option<ReceiptBody>,
}

/// A list, in the order of ids.
#[derive(Debug, Serialize, ToSchema)]
pub struct ListBody<T> {
    /// The items of this page.
    data: Vec<T>,
    /// Where the next page begins; `null` on the last.
    next_cursor: Option<String>,
}

/// A category in either case: platforms write them in capitals.
#[derive(Debug, Clone, Copy, Deserialize)]
enum CategoryBody {
    #[serde(rename = "marketing", alias = "MARKETING")]
    Marketing,
    #[serde(rename = "utility", alias = "UTILITY")]
    Utility,
    #[serde(rename = "authentication", alias = "AUTHENTICATION")]
    Authentication,
}

impl From<CategoryBody> for Category {
    fn from(category: CategoryBody) -> Self {
        match category {
            CategoryBody::Marketing => Self::Marketing,
            CategoryBody::Utility => Self::Utility,
            CategoryBody::Authentication => Self::Authentication,
        }
    }
}

/// An id from the path.
pub(super) fn id<T, E: std::fmt::Display>(
    ask: &Ask,
    segment: &str,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Result<T, Problem> {
    parse(&ask.segment(segment)).map_err(|error| refuse(segment, error.to_string()))
}

fn status_word(text: &str) -> Result<Box<str>, Problem> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if text.is_empty() || text.len() > 64 || !text.bytes().all(is_plain) {
        return Err(Problem::at(BODY_INVALID, "/status", "one word, such as CONNECTED"));
    }
    Ok(text.to_ascii_uppercase().into())
}

pub(super) async fn put<T: Serialize>(
    ask: &Ask,
    command: RegistryCommand,
    bytes: &[u8],
    existed: bool,
    shown: impl FnOnce(&Registry) -> Option<(String, T, Seq)>,
) -> Result<HttpResponse, Problem> {
    let once = ask.once(bytes)?;
    let submitted = ask.submit(Command::Registry(Box::new(command)), once).await?;
    let body = {
        let state = ask.edge.views().state();
        shown(state.registry())
    };
    let Some((id, value, seq)) = body else { return Err(thing_unknown()) };
    let receipt = submitted.entries.first().map(ReceiptBody::of);
    let is_new = !existed && !submitted.entries.is_empty();
    let mut response = if is_new { HttpResponse::Created() } else { HttpResponse::Ok() }
        .json(PutBody { id, value, seq: Some(seq), receipt });
    submitted.mark(&mut response);
    debug_assert!(is_registry(&submitted));
    Ok(response)
}

fn is_registry(submitted: &Submitted) -> bool {
    submitted.entries.iter().all(|entry| {
        matches!(
            entry.record.event,
            Event::TopicPut { .. }
                | Event::StatementPut { .. }
                | Event::TemplatePut { .. }
                | Event::SenderPut { .. }
                | Event::PortfolioPut { .. }
                | Event::EntryPointPut { .. }
                | Event::TicketVoided { .. }
        )
    })
}

fn thing_unknown() -> Problem {
    Problem::new(THING_UNKNOWN, "nothing was put under this id")
}

pub(super) fn show<T: Serialize>(found: Option<(String, T, Seq)>) -> Result<HttpResponse, Problem> {
    let (id, value, seq) = found.ok_or_else(thing_unknown)?;
    Ok(HttpResponse::Ok().json(PutBody { id, value, seq: Some(seq), receipt: None }))
}

pub(super) fn list<T: Serialize>(
    page: &Page,
    found: impl Iterator<Item = (String, T, Seq)>,
) -> Result<HttpResponse, Problem> {
    let items = found
        .map(|(id, value, seq)| (id.clone(), PutBody { id, value, seq: Some(seq), receipt: None }));
    let (data, next_cursor) = page.cut(items)?;
    Ok(HttpResponse::Ok().json(ListBody { data, next_cursor }))
}
