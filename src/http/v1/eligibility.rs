//! `GET /v1/eligibility`: one question, answered straight from memory.

use actix_web::{HttpResponse, http::header, web::Bytes};
use serde::Serialize;

use crate::{
    domain::{
        consent::ConsentStatus,
        eligibility::{Hit, Question, Resolved, Verdict},
        entry::Subject,
        key::ContactKey,
        names::{Language, SenderId, TemplateName, TopicId},
        reason::Reason,
        state::State,
        ticket::MessageKind,
        time::Timestamp,
    },
    http::{
        edge::{Ask, Edge, internal},
        person,
        problem::Problem,
        query::{Query, refuse},
        v1::{
            decision::{DecisionBody, Rendered},
            laid,
        },
    },
    numbers::Region,
};

const PARAMETERS: &[&str] =
    &["number", "user_id", "region", "template", "language", "topic", "sender", "kind"];

/// Whom a question turned out to be about.
#[derive(Debug)]
pub enum Whom {
    /// Somebody with this key; whether anything is known of them is for the state to say.
    Key(ContactKey),
    /// Nobody: the text is not a number.
    Nobody,
}

/// Reads the form of a message.
///
/// # Errors
///
/// What to tell people.
pub fn kind(text: &str) -> Result<MessageKind, &'static str> {
    match text {
        "template" => Ok(MessageKind::Template),
        "session" => Ok(MessageKind::Session),
        _ => Err("template or session"),
    }
}

/// Answers whether one message may be sent to one person now.
#[utoipa::path(get, path = "/v1/eligibility", tag = "eligibility", params(
    ("number" = Option<String>, Query, description = "The number, in any written form"),
    ("user_id" = Option<String>, Query, description = "The business-scoped user id instead"),
    ("region" = Option<String>, Query, description = "The region of a number without +"),
    ("template" = Option<String>, Query, description = "The template's name"),
    ("language" = Option<String>, Query, description = "Its language, if it has several"),
    ("topic" = Option<String>, Query, description = "The topic, where no template says it"),
    ("sender" = Option<String>, Query, description = "The sender's phone_number_id"),
    ("kind" = Option<String>, Query, description = "template (the default) or session")),
    responses((status = 200, body = DecisionBody)))]
pub(crate) async fn ask(ask: Ask) -> Result<HttpResponse, Problem> {
    let edge = &*ask.edge;
    let query = Query::read(&ask.req, PARAMETERS)?;
    let question = Question {
        kind: query.parse("kind", kind)?.unwrap_or(MessageKind::Template),
        template: query.parse("template", TemplateName::parse)?,
        language: query.parse("language", Language::parse)?,
        topic: query.parse("topic", TopicId::parse)?,
        sender: query.parse("sender", SenderId::parse)?,
    };
    let (number, whom) = match (query.get("number"), query.get("user_id")) {
        (Some(text), None) => {
            let region = person::region(edge, query.get("region"), "?region")?;
            read(edge, text, region)
        }
        (None, Some(id)) => (None, Whom::Key(edge.indexer.user(id))),
        (None, None) => return Err(refuse("number", "name a number or a user_id")),
        (Some(_), Some(_)) => return Err(refuse("user_id", "name one of number and user_id")),
    };
    let mut bytes = Vec::with_capacity(768);
    {
        let state = edge.views().state();
        let resolved = question.resolve(state.registry());
        let resolved = resolved.map_err(|error| Problem::question(error, '?'))?;
        let judged = judge(edge, &state, &resolved, &whom, edge.clock.now());
        judged.write(&resolved, number.as_deref(), None, &mut bytes)?;
    }
    let mut response = HttpResponse::Ok();
    response.insert_header((
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("application/json"),
    ));
    Ok(response.body(Bytes::from(bytes)))
}

/// Reads a recipient: its canonical number for the answer, and whom that is.
pub fn read(edge: &Edge, text: &str, region: Option<Region>) -> (Option<Box<str>>, Whom) {
    if let Some(key) = person::canonical_key(edge, text)
        && edge.views().state().contacts().find(key).is_some()
    {
        return (Some(text.into()), Whom::Key(key));
    }
    match person::number(edge, text, region) {
        Ok(number) => (Some(number.number.as_e164().into()), Whom::Key(number.key)),
        Err(_) => (None, Whom::Nobody),
    }
}

/// A decision about one recipient, as of one state.
#[derive(Debug)]
pub struct Judged<'a> {
    /// The answer.
    pub verdict: Verdict,
    subject: Option<Subject>,
    state: &'a State,
}

/// Judges one recipient.
pub fn judge<'a>(
    edge: &Edge,
    state: &'a State,
    resolved: &Resolved,
    whom: &Whom,
    now: Timestamp,
) -> Judged<'a> {
    let Whom::Key(key) = whom else {
        return Judged { verdict: resolved.judge_invalid(), subject: None, state };
    };
    let subject = state.contacts().find(*key);
    let contact = subject.and_then(|subject| state.contacts().get(subject));
    let mut verdict = resolved.judge(contact, edge.rules.session, now);
    if edge.views().has_unrecorded_stop(*key, subject) {
        refuse_unrecorded(&mut verdict);
    }
    Judged { verdict, subject, state }
}

/// The person withdrew and the disk failed: the answer is no all the same.
fn refuse_unrecorded(verdict: &mut Verdict) {
    if verdict.hits.iter().all(|hit| hit.reason != Reason::Withdrawn) {
        verdict.hits.push(Hit::bare(Reason::Withdrawn));
        verdict.hits.sort_by_key(|hit| hit.reason);
    }
    if let Some(standing) = &mut verdict.standing {
        standing.status = ConsentStatus::Withdrawn;
    }
}

impl Judged<'_> {
    /// Writes the decision.
    ///
    /// # Errors
    ///
    /// A failure of ours; plain data does not cause one.
    pub fn write(
        &self,
        resolved: &Resolved,
        number: Option<&str>,
        reference: Option<&str>,
        bytes: &mut Vec<u8>,
    ) -> Result<(), Problem> {
        let contact = self.subject.and_then(|subject| self.state.contacts().get(subject));
        let identity = contact.and_then(|contact| contact.details().identity.as_ref());
        let rendered = Rendered {
            resolved,
            verdict: &self.verdict,
            id: contact.map(|contact| contact.id),
            number,
            reference,
            hash: identity.map(crate::domain::identity::Identity::hash),
            as_of: self.state.last(),
        };
        laid::lay(&rendered.body(), bytes).map_err(|error| internal(&error))
    }
}

/// The short form of a decision in a batch.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ShortBody<'a> {
    /// Whether the message may be sent.
    pub eligible: bool,
    /// Your own name for the recipient, if you gave one.
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<&'a str>,
    /// The number, in E.164; `null` if it is none.
    pub number: Option<&'a str>,
    /// The codes of all reasons against.
    #[schema(value_type = Vec<String>)]
    pub reasons: smallvec::SmallVec<[&'static str; 4]>,
}
