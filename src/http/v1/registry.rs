//! `/v1/topics`, `/v1/statements`, `/v1/templates`, `/v1/senders`, `/v1/portfolios`: what the
//! rules read. PUT creates (201) or replaces (200); putting the same again changes nothing.

use std::{collections::BTreeMap, num::NonZeroU32};

use actix_web::HttpResponse;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use crate::{
    domain::{
        command::{Command, RegistryCommand},
        entry::Seq,
        event::Event,
        names::{AccountId, Language, PortfolioId, SenderId, StatementId, TemplateName, TopicId},
        registry::{
            AnswerAct, Category, Portfolio, Quality, Registry, Sender, Statement, Template,
            TemplateAnswer, TemplateRef, Topic,
        },
    },
    http::{
        edge::{Ask, Submitted},
        members::Members,
        page::Page,
        person,
        problem::{BODY_INVALID, Problem, THING_UNKNOWN},
        query::refuse,
        v1::shown::{PortfolioShown, SenderShown, StatementShown, TemplateShown, TopicShown},
        wire::{self, ReceiptBody},
    },
    limits::{
        ANSWERS_MAX, EXPIRES_AFTER_DAYS_MAX, STATEMENT_BYTES_MAX, THROUGHPUT_MAX, TOPICS_MAX,
    },
};

/// What payloads stand for.
type Answers = BTreeMap<Box<str>, TemplateAnswer>;

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
    let canonical =
        serde_json::to_vec(&value).map_err(|error| crate::http::edge::internal(&error))?;
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

fn template(registry: &Registry, id: &TemplateRef) -> Option<(String, TemplateShown, Seq)> {
    let (put, report) = (registry.template(id)?, registry.reported().template(id)?);
    let (shown, seq) = TemplateShown::of(&put.value, report);
    Some((format!("{}/{}", id.name, id.language), shown, seq))
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
