//! `/v1/templates`: messages as registered at WhatsApp, and what answers to them mean.

use std::collections::BTreeMap;

use actix_web::HttpResponse;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{CategoryBody, ListBody, PutBody, id, list, put, show, status_word};
use crate::{
    domain::{
        command::RegistryCommand,
        entry::Seq,
        names::{Language, TemplateName, TopicId},
        registry::{AnswerAct, Registry, Template, TemplateAnswer, TemplateRef},
    },
    http::{
        edge::Ask,
        page::Page,
        problem::{BODY_INVALID, Problem},
        v1::shown::TemplateShown,
        wire,
    },
    limits::{ANSWERS_MAX, TOPICS_MAX},
};

/// What payloads stand for.
type Answers = BTreeMap<Box<str>, TemplateAnswer>;

/// A template message as registered at WhatsApp.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TemplateBody {
    /// What people must have agreed to.
    topic: String,
    /// What WhatsApp files it under.
    #[schema(value_type = String)]
    category: CategoryBody,
    /// WhatsApp's word; only `APPROVED` can be sent.
    #[schema(example = "APPROVED")]
    status: String,
    /// What the payloads of its quick-reply buttons stand for. A button without a payload of its
    /// own has its label as payload.
    #[serde(default)]
    #[schema(value_type = Object)]
    answers: BTreeMap<String, AnswerBody>,
}

/// What the payload of a button stands for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AnswerBody {
    /// `opt_in` or `opt_out`.
    #[schema(value_type = String, example = "opt_out")]
    act: AnswerAct,
    /// About what. Left out, an opt-out is from everything; an opt-in needs at least one.
    #[serde(default)]
    topics: Vec<String>,
}

fn template(registry: &Registry, id: &TemplateRef) -> Option<(String, TemplateShown, Seq)> {
    let (put, report) = (registry.template(id)?, registry.reported().template(id)?);
    let view = registry.template_for(id, None)?;
    let name = format!("{}/{}", id.name, id.language);
    Some((name, TemplateShown::of(&put.value, report, view), view.status.seq))
}

fn template_ref(ask: &Ask) -> Result<TemplateRef, Problem> {
    Ok(TemplateRef {
        name: id(ask, "name", TemplateName::parse)?,
        language: id(ask, "language", Language::parse)?,
    })
}

fn answers(given: BTreeMap<String, AnswerBody>) -> Result<Answers, Problem> {
    if given.len() > ANSWERS_MAX {
        let detail = format!("at most {ANSWERS_MAX} answers");
        return Err(Problem::at(BODY_INVALID, "/answers", detail));
    }
    let mut answers = Answers::new();
    for (payload, AnswerBody { act, topics }) in given {
        if act == AnswerAct::OptIn && topics.is_empty() {
            let detail = "an opt-in is to at least one topic";
            return Err(Problem::at(BODY_INVALID, "/answers", detail));
        }
        if topics.len() > TOPICS_MAX {
            let detail = format!("at most {TOPICS_MAX} topics");
            return Err(Problem::at(BODY_INVALID, "/answers", detail));
        }
        let parse = |id: &String| wire::name(id, "/answers", TopicId::parse);
        let topics = topics.iter().map(parse).collect::<Result<_, _>>()?;
        answers.insert(wire::text(payload, "/answers")?, TemplateAnswer { act, topics });
    }
    Ok(answers)
}

/// Puts a template.
#[utoipa::path(put, path = "/v1/templates/{name}/{language}", tag = "registry",
    request_body = TemplateBody, params(("name" = String, Path), ("language" = String, Path)),
    responses((status = 200, body = PutBody<TemplateShown>),
    (status = 201, body = PutBody<TemplateShown>)))]
pub(crate) async fn put_template(mut ask: Ask) -> Result<HttpResponse, Problem> {
    let id = template_ref(&ask)?;
    let (body, bytes) = ask.json::<TemplateBody>().await?;
    let value = Template {
        topic: wire::name(&body.topic, "/topic", TopicId::parse)?,
        category: body.category.into(),
        status: status_word(&body.status)?,
        answers: answers(body.answers)?,
    };
    let existed = ask.edge.views().state().registry().template(&id).is_some();
    let command = RegistryCommand::PutTemplate { id: id.clone(), template: value };
    put(&ask, command, &bytes, existed, |registry| template(registry, &id)).await
}

/// Shows a template.
#[utoipa::path(get, path = "/v1/templates/{name}/{language}", tag = "registry",
    params(("name" = String, Path), ("language" = String, Path)),
    responses((status = 200, body = PutBody<TemplateShown>)))]
pub(crate) async fn get_template(ask: Ask) -> Result<HttpResponse, Problem> {
    let id = template_ref(&ask)?;
    show(template(ask.edge.views().state().registry(), &id))
}

/// Lists all templates.
#[utoipa::path(get, path = "/v1/templates", tag = "registry", params(
    ("limit" = Option<usize>, Query, description = "1 to 200; 50, if left out"),
    ("cursor" = Option<String>, Query, description = "next_cursor of the page before")),
    responses((status = 200, body = ListBody<PutBody<TemplateShown>>)))]
pub(crate) async fn list_templates(ask: Ask) -> Result<HttpResponse, Problem> {
    let page = Page::read(&ask.req, "templates")?;
    let state = ask.edge.views().state();
    let registry = state.registry();
    list(&page, registry.templates().filter_map(|(id, _)| template(registry, id)))
}
