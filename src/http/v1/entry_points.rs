//! `/v1/entry-points`: where people are asked, and the code that tells from where they wrote.

use actix_web::HttpResponse;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    domain::{
        command::RegistryCommand,
        entry::Seq,
        names::{EntryPointId, Language, SenderId, StatementId},
        registry::{EntryCode, EntryPoint, Registry},
    },
    http::{
        edge::{Ask, Edge},
        page::Page,
        problem::{INTERNAL, Problem},
        v1::{
            opt_ins,
            registry::{ListBody, PutBody, id, list, put, show},
            shown::EntryPointShown,
        },
        wire,
    },
};

/// How often a code is made anew while all that were made are taken or are all digits.
const TRIES: u32 = 64;

/// A place where people are asked.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EntryPointBody {
    /// For people.
    #[schema(example = "Counter, Jakarta")]
    name: String,
    /// What writing from there agrees to; at least one.
    topics: Vec<String>,
    /// The statement that is shown there.
    statement: Option<String>,
    /// 6 to 16 digits and letters (no U; O is read as 0, I and L as 1), with at least one letter and
    /// one digit from 2 to 9, so that no word is a code by chance. Put it into the text that your link or QR code writes. Left out, the code it has stays, and
    /// a new entry point gets one.
    #[schema(example = "K7WX2M0A")]
    code: Option<String>,
    /// The language of what is shown there.
    language: Option<String>,
    /// The one sender its links lead to. Messages with the code to others are left to people.
    sender: Option<String>,
}

fn entry_point(registry: &Registry, id: &EntryPointId) -> Option<(String, EntryPointShown, Seq)> {
    registry.entry_point(id).map(|put| (id.to_string(), (&put.value).into(), put.seq))
}

/// Returns a code that no entry point has.
fn new_code(edge: &Edge) -> Result<EntryCode, Problem> {
    for _ in 0..TRIES {
        // The low bits of an id are random.
        let (_, bits) = edge.ids.next().as_u64_pair();
        let Some(code) = EntryCode::of_bits(bits) else { continue };
        if edge.views().state().registry().entry_point_of_code(&code).is_none() {
            return Ok(code);
        }
    }
    Err(Problem::new(INTERNAL, "no code was found that is free"))
}

fn check(edge: &Edge, id: &EntryPointId, body: EntryPointBody) -> Result<EntryPoint, Problem> {
    let topics = opt_ins::topics(&body.topics)?;
    let known = edge.views().state().registry().entry_point(id).map(|put| put.value.code.clone());
    let code = match (body.code, known) {
        (Some(code), _) => wire::name(&code, "/code", EntryCode::read)?,
        (None, Some(known)) => known,
        (None, None) => new_code(edge)?,
    };
    Ok(EntryPoint {
        name: wire::text(body.name, "/name")?,
        topics,
        statement: body
            .statement
            .map(|text| wire::name(&text, "/statement", StatementId::parse))
            .transpose()?,
        code,
        language: body
            .language
            .map(|text| wire::name(&text, "/language", Language::parse))
            .transpose()?,
        sender: body
            .sender
            .map(|text| wire::name(&text, "/sender", SenderId::parse))
            .transpose()?,
    })
}

/// Puts an entry point.
#[utoipa::path(put, path = "/v1/entry-points/{slug}", tag = "registry",
    request_body = EntryPointBody, params(("slug" = String, Path)),
    responses((status = 200, body = PutBody<EntryPointShown>),
    (status = 201, body = PutBody<EntryPointShown>)))]
pub(crate) async fn put_one(mut ask: Ask) -> Result<HttpResponse, Problem> {
    let slug = id(&ask, "slug", EntryPointId::parse)?;
    let (body, bytes) = ask.json::<EntryPointBody>().await?;
    let value = check(&ask.edge, &slug, body)?;
    let existed = ask.edge.views().state().registry().entry_point(&slug).is_some();
    let command = RegistryCommand::PutEntryPoint { id: slug.clone(), entry_point: value };
    put(&ask, command, &bytes, existed, |registry| entry_point(registry, &slug)).await
}

/// Shows an entry point.
#[utoipa::path(get, path = "/v1/entry-points/{slug}", tag = "registry",
    params(("slug" = String, Path)),
    responses((status = 200, body = PutBody<EntryPointShown>)))]
pub(crate) async fn get(ask: Ask) -> Result<HttpResponse, Problem> {
    let slug = id(&ask, "slug", EntryPointId::parse)?;
    show(entry_point(ask.edge.views().state().registry(), &slug))
}

/// Lists all entry points.
#[utoipa::path(get, path = "/v1/entry-points", tag = "registry",
    params(("limit" = Option<usize>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = ListBody<PutBody<EntryPointShown>>)))]
pub(crate) async fn list_all(ask: Ask) -> Result<HttpResponse, Problem> {
    let page = Page::read(&ask.req, "entry_points")?;
    let state = ask.edge.views().state();
    let registry = state.registry();
    list(&page, registry.entry_points().filter_map(|(slug, _)| entry_point(registry, slug)))
}
