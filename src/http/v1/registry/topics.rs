//! `/v1/topics`: what people can agree to hear about.

use actix_web::HttpResponse;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{CategoryBody, ListBody, PutBody, id, list, put, show};
use crate::{
    domain::{
        command::RegistryCommand,
        entry::Seq,
        names::TopicId,
        registry::{Registry, Topic},
    },
    http::{
        edge::Ask,
        page::Page,
        problem::{BODY_INVALID, Problem},
        v1::shown::TopicShown,
        wire,
    },
    limits::EXPIRES_AFTER_DAYS_MAX,
};

/// Something a person can agree to hear about.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TopicBody {
    /// For people.
    #[schema(example = "Order updates")]
    name: String,
    /// `marketing`, `utility` or `authentication`.
    #[schema(value_type = String, example = "utility")]
    category: CategoryBody,
    /// For people; what exactly is sent.
    description: Option<String>,
    /// Days after which an agreement runs out; never, if left out.
    expires_after_days: Option<u32>,
}

fn topic(registry: &Registry, id: &TopicId) -> Option<(String, TopicShown, Seq)> {
    registry.topic(id).map(|(_, put)| (id.to_string(), TopicShown::from(&put.value), put.seq))
}

/// Puts a topic.
#[utoipa::path(put, path = "/v1/topics/{id}", tag = "registry",
    request_body = TopicBody,
    params(("id" = String, Path)),
    responses((status = 200, body = PutBody<TopicShown>),
    (status = 201, body = PutBody<TopicShown>)))]
pub(crate) async fn put_topic(mut ask: Ask) -> Result<HttpResponse, Problem> {
    let id = id(&ask, "id", TopicId::parse)?;
    let (body, bytes) = ask.json::<TopicBody>().await?;
    let value = Topic {
        name: wire::text(body.name, "/name")?,
        category: body.category.into(),
        description: wire::optional_text(body.description, "/description")?,
        expires_after_days: body.expires_after_days,
    };
    let is_bounded = |days: u32| (1..=EXPIRES_AFTER_DAYS_MAX).contains(&days);
    if !value.expires_after_days.is_none_or(is_bounded) {
        let detail = format!("1 to {EXPIRES_AFTER_DAYS_MAX} days; leave it out for never");
        return Err(Problem::at(BODY_INVALID, "/expires_after_days", detail));
    }
    let existed = topic(ask.edge.views().state().registry(), &id).is_some();
    let command = RegistryCommand::PutTopic { id: id.clone(), topic: value };
    put(&ask, command, &bytes, existed, |registry| topic(registry, &id)).await
}

/// Shows a topic.
#[utoipa::path(get, path = "/v1/topics/{id}", tag = "registry", params(("id" = String, Path)),
    responses((status = 200, body = PutBody<TopicShown>)))]
pub(crate) async fn get_topic(ask: Ask) -> Result<HttpResponse, Problem> {
    let id = id(&ask, "id", TopicId::parse)?;
    show(topic(ask.edge.views().state().registry(), &id))
}

/// Lists all topics.
#[utoipa::path(get, path = "/v1/topics", tag = "registry", params(
    ("limit" = Option<usize>, Query, description = "1 to 200; 50, if left out"),
    ("cursor" = Option<String>, Query, description = "next_cursor of the page before")),
    responses((status = 200, body = ListBody<PutBody<TopicShown>>)))]
pub(crate) async fn list_topics(ask: Ask) -> Result<HttpResponse, Problem> {
    let page = Page::read(&ask.req, "topics")?;
    let state = ask.edge.views().state();
    let registry = state.registry();
    list(&page, registry.topics().filter_map(|(id, _)| topic(registry, id)))
}
