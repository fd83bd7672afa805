//! `/v1/portfolios`: who shares a messaging limit.

use actix_web::HttpResponse;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{ListBody, PutBody, id, list, put, show};
use crate::{
    domain::{
        command::RegistryCommand,
        entry::Seq,
        names::PortfolioId,
        registry::{Portfolio, Registry},
    },
    http::{
        edge::Ask,
        page::Page,
        problem::{BODY_INVALID, Problem},
        v1::shown::PortfolioShown,
        wire,
    },
};

/// Who shares a messaging limit.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PortfolioBody {
    /// For people.
    name: String,
    /// 250, 2000, 10000, 100000, or `null` for unlimited.
    #[serde(deserialize_with = "present")]
    messaging_limit: Option<u32>,
    /// Whether WhatsApp has restricted the account.
    #[serde(default)]
    restricted: bool,
}

/// `null` means unlimited; leaving it out does not.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    Option::deserialize(deserializer)
}

fn portfolio(registry: &Registry, id: &PortfolioId) -> Option<(String, PortfolioShown, Seq)> {
    registry.portfolio(id).map(|put| (id.to_string(), PortfolioShown::from(&put.value), put.seq))
}

/// Puts a portfolio.
#[utoipa::path(put, path = "/v1/portfolios/{id}", tag = "registry",
    request_body = PortfolioBody,
    params(("id" = String, Path)),
    responses((status = 200, body = PutBody<PortfolioShown>),
    (status = 201, body = PutBody<PortfolioShown>)))]
pub(crate) async fn put_portfolio(mut ask: Ask) -> Result<HttpResponse, Problem> {
    let id = id(&ask, "id", PortfolioId::parse)?;
    let (body, bytes) = ask.json::<PortfolioBody>().await?;
    if !matches!(body.messaging_limit, None | Some(250 | 2_000 | 10_000 | 100_000)) {
        let detail = "250, 2000, 10000, 100000, or null for unlimited";
        return Err(Problem::at(BODY_INVALID, "/messaging_limit", detail));
    }
    let value = Portfolio {
        name: wire::text(body.name, "/name")?,
        messaging_limit: body.messaging_limit,
        restricted: body.restricted,
    };
    let existed = ask.edge.views().state().registry().portfolio(&id).is_some();
    let command = RegistryCommand::PutPortfolio { id: id.clone(), portfolio: value };
    put(&ask, command, &bytes, existed, |registry| portfolio(registry, &id)).await
}

/// Shows a portfolio.
#[utoipa::path(get, path = "/v1/portfolios/{id}", tag = "registry", params(("id" = String, Path)),
    responses((status = 200, body = PutBody<PortfolioShown>)))]
pub(crate) async fn get_portfolio(ask: Ask) -> Result<HttpResponse, Problem> {
    let id = id(&ask, "id", PortfolioId::parse)?;
    show(portfolio(ask.edge.views().state().registry(), &id))
}

/// Lists all portfolios.
#[utoipa::path(get, path = "/v1/portfolios", tag = "registry", params(
    ("limit" = Option<usize>, Query, description = "1 to 200; 50, if left out"),
    ("cursor" = Option<String>, Query, description = "next_cursor of the page before")),
    responses((status = 200, body = ListBody<PutBody<PortfolioShown>>)))]
pub(crate) async fn list_portfolios(ask: Ask) -> Result<HttpResponse, Problem> {
    let page = Page::read(&ask.req, "portfolios")?;
    let state = ask.edge.views().state();
    let registry = state.registry();
    list(&page, registry.portfolios().filter_map(|(id, _)| portfolio(registry, id)))
}
