//! `/v1/senders`: business phone numbers that send.

use std::num::NonZeroU32;

use actix_web::HttpResponse;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{ListBody, PutBody, id, list, put, show, status_word};
use crate::{
    domain::{
        command::RegistryCommand,
        entry::Seq,
        names::{AccountId, PortfolioId, SenderId},
        registry::{Quality, Registry, Sender},
    },
    http::{
        edge::Ask,
        page::Page,
        person,
        problem::{BODY_INVALID, Problem},
        v1::shown::SenderShown,
        wire,
    },
    limits::THROUGHPUT_MAX,
};

/// A business phone number that sends.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SenderBody {
    /// Who owns the messaging limit it shares.
    portfolio: String,
    /// Its number, in any written form with `+`.
    number: String,
    /// WhatsApp's word; only `CONNECTED` can send.
    #[schema(example = "CONNECTED")]
    status: String,
    /// How well it is received.
    #[schema(value_type = String, example = "GREEN")]
    quality: Quality,
    /// Whether you stopped it yourself.
    #[serde(default)]
    halted: bool,
    /// How many messages a second its tickets are spaced for, 1 to 1000; 80, if left out.
    throughput: Option<u32>,
    /// The id of its WhatsApp Business Account. Left out, what WhatsApp forbids any account is
    /// taken as forbidden to this sender too.
    account: Option<String>,
}

fn sender(registry: &Registry, id: &SenderId) -> Option<(String, SenderShown, Seq)> {
    registry.sender(id).map(|(_, put)| (id.to_string(), SenderShown::from(&put.value), put.seq))
}

fn throughput(given: Option<u32>) -> Result<Option<NonZeroU32>, Problem> {
    let Some(given) = given else { return Ok(None) };
    let throughput = NonZeroU32::new(given).filter(|given| given.get() <= THROUGHPUT_MAX);
    let refused = || {
        Problem::at(BODY_INVALID, "/throughput", format!("1 to {THROUGHPUT_MAX} messages a second"))
    };
    throughput.map(Some).ok_or_else(refused)
}

/// Puts a sender; the id is its `phone_number_id`.
#[utoipa::path(put, path = "/v1/senders/{id}", tag = "registry",
    request_body = SenderBody,
    params(("id" = String, Path)),
    responses((status = 200, body = PutBody<SenderShown>),
    (status = 201, body = PutBody<SenderShown>)))]
pub(crate) async fn put_sender(mut ask: Ask) -> Result<HttpResponse, Problem> {
    let id = id(&ask, "id", SenderId::parse)?;
    let (body, bytes) = ask.json::<SenderBody>().await?;
    let number = person::person(&ask.edge, Some(&body.number), None, None)?.number;
    let number = number.ok_or_else(|| Problem::at(BODY_INVALID, "/number", "name a number"))?;
    let value = Sender {
        portfolio: wire::name(&body.portfolio, "/portfolio", PortfolioId::parse)?,
        number: number.number,
        status: status_word(&body.status)?,
        quality: body.quality,
        halted: body.halted,
        throughput: throughput(body.throughput)?,
        account: body
            .account
            .map(|account| wire::name(&account, "/account", AccountId::parse))
            .transpose()?,
    };
    let existed = ask.edge.views().state().registry().sender(&id).is_some();
    let command = RegistryCommand::PutSender { id: id.clone(), sender: value };
    put(&ask, command, &bytes, existed, |registry| sender(registry, &id)).await
}

/// Shows a sender.
#[utoipa::path(get, path = "/v1/senders/{id}", tag = "registry", params(("id" = String, Path)),
    responses((status = 200, body = PutBody<SenderShown>)))]
pub(crate) async fn get_sender(ask: Ask) -> Result<HttpResponse, Problem> {
    let id = id(&ask, "id", SenderId::parse)?;
    show(sender(ask.edge.views().state().registry(), &id))
}

/// Lists all senders.
#[utoipa::path(get, path = "/v1/senders", tag = "registry", params(
    ("limit" = Option<usize>, Query, description = "1 to 200; 50, if left out"),
    ("cursor" = Option<String>, Query, description = "next_cursor of the page before")),
    responses((status = 200, body = ListBody<PutBody<SenderShown>>)))]
pub(crate) async fn list_senders(ask: Ask) -> Result<HttpResponse, Problem> {
    let page = Page::read(&ask.req, "senders")?;
    let state = ask.edge.views().state();
    let registry = state.registry();
    list(&page, registry.senders().filter_map(|(id, _)| sender(registry, id)))
}
