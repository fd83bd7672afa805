//! `/v1/statements`: what people are shown when they are asked.

use std::collections::BTreeMap;

use actix_web::HttpResponse;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use super::{ListBody, PutBody, id, list, put, show};
use crate::{
    domain::{
        command::RegistryCommand,
        entry::Seq,
        names::{Language, StatementId, TopicId},
        registry::{Registry, Statement},
    },
    http::{
        edge::{Ask, internal},
        members::Members,
        page::Page,
        problem::{BODY_INVALID, Problem},
        v1::shown::StatementShown,
        wire,
    },
    limits::{STATEMENT_BYTES_MAX, TOPICS_MAX},
};

/// The words shown when people are asked.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StatementBody {
    /// The business as it is named to the person.
    business_name: String,
    /// The words, per language.
    #[schema(example = json!({"id": "Saya setuju menerima info pesanan dari Toko Contoh."}))]
    #[schema(value_type = std::collections::BTreeMap<String, String>)]
    texts: Members<String>,
    /// What agreeing to them means.
    topics: Vec<String>,
}

fn statement(registry: &Registry, id: &StatementId) -> Option<(String, StatementShown, Seq)> {
    let version = registry.statement(id)?;
    Some((id.to_string(), StatementShown::from(version), version.seq))
}

fn check_statement(body: StatementBody) -> Result<Statement, Problem> {
    let Members(given) = body.texts;
    if given.is_empty() {
        return Err(Problem::at(BODY_INVALID, "/texts", "at least one language"));
    }
    if body.topics.len() > TOPICS_MAX {
        let detail = format!("at most {TOPICS_MAX} topics");
        return Err(Problem::at(BODY_INVALID, "/topics", detail));
    }
    let mut texts = BTreeMap::new();
    for (language, text) in given {
        if text.trim().is_empty() || text.len() > STATEMENT_BYTES_MAX {
            let detail = format!("1 to {STATEMENT_BYTES_MAX} bytes of text");
            return Err(Problem::at(BODY_INVALID, "/texts", detail));
        }
        texts.insert(wire::name(&language, "/texts", Language::parse)?, text.into());
    }
    let parse =
        |(place, id): (usize, &String)| wire::name(id, format!("/topics/{place}"), TopicId::parse);
    Ok(Statement {
        business_name: wire::text(body.business_name, "/business_name")?,
        texts,
        topics: body.topics.iter().enumerate().map(parse).collect::<Result<_, _>>()?,
    })
}

/// Puts a statement: another content is another version, and older opt-ins keep theirs.
#[utoipa::path(put, path = "/v1/statements/{id}", tag = "registry",
    request_body = StatementBody,
    params(("id" = String, Path)),
    responses((status = 200, body = PutBody<StatementShown>),
    (status = 201, body = PutBody<StatementShown>)))]
pub(crate) async fn put_statement(mut ask: Ask) -> Result<HttpResponse, Problem> {
    let id = id(&ask, "id", StatementId::parse)?;
    let (body, bytes) = ask.json::<StatementBody>().await?;
    let value = check_statement(body)?;
    let canonical = serde_json::to_vec(&value).map_err(|error| internal(&error))?;
    let digest = hex::encode(Sha256::digest(&canonical)).into();
    let existed = ask.edge.views().state().registry().statement(&id).is_some();
    let command = RegistryCommand::PutStatement { id: id.clone(), digest, statement: value };
    put(&ask, command, &bytes, existed, |registry| statement(registry, &id)).await
}

/// Shows a statement.
#[utoipa::path(get, path = "/v1/statements/{id}", tag = "registry", params(("id" = String, Path)),
    responses((status = 200, body = PutBody<StatementShown>)))]
pub(crate) async fn get_statement(ask: Ask) -> Result<HttpResponse, Problem> {
    let id = id(&ask, "id", StatementId::parse)?;
    show(statement(ask.edge.views().state().registry(), &id))
}

/// Lists all statements.
#[utoipa::path(get, path = "/v1/statements", tag = "registry", params(
    ("limit" = Option<usize>, Query, description = "1 to 200; 50, if left out"),
    ("cursor" = Option<String>, Query, description = "next_cursor of the page before")),
    responses((status = 200, body = ListBody<PutBody<StatementShown>>)))]
pub(crate) async fn list_statements(ask: Ask) -> Result<HttpResponse, Problem> {
    let page = Page::read(&ask.req, "statements")?;
    let state = ask.edge.views().state();
    let registry = state.registry();
    list(&page, registry.statements().filter_map(|(id, _)| statement(registry, id)))
}
