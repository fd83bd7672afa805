//! `GET /v1/eligibility`: one question, answered straight from memory; about a moment in the past,
//! from the ledger.

use std::sync::Arc;

use actix_web::{HttpResponse, http::header, web::Bytes};
use serde::Serialize;

use crate::{
    domain::{
        consent::ConsentStatus,
        contact::Contact,
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
            laid, past,
        },
    },
    ledger::past::Turn,
    numbers::Region,
};

const PARAMETERS: &[&str] =
    &["number", "user_id", "region", "template", "language", "topic", "sender", "kind", "at"];

/// Whom a question turned out to be about.
#[derive(Debug)]
pub enum Whom {
    /// Somebody with this key; whether anything is known of them is for the state to say.
    Key(ContactKey),
    /// Nobody: the text is not a number.
    Nobody,
}

impl Whom {
    /// Returns by which key it is asked about somebody.
    pub const fn key(&self) -> Option<ContactKey> {
        match self {
            Self::Key(key) => Some(*key),
            Self::Nobody => None,
        }
    }
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

/// Answers whether one message may be sent to one person now, or might have been at a moment.
///
/// With `at` the answer is the one of that moment: by the consents, the registry, the policy and
/// what was sent as the ledger had them then. `as_of` is its last entry of then. What the ledger
/// could not record, and people who were erased since, are unknown to it.
#[utoipa::path(get, path = "/v1/eligibility", tag = "eligibility", params(
    ("number" = Option<String>, Query, description = "The number, in any written form"),
    ("user_id" = Option<String>, Query, description = "The business-scoped user id instead"),
    ("region" = Option<String>, Query, description = "The region of a number without +"),
    ("template" = Option<String>, Query, description = "The template's name"),
    ("language" = Option<String>, Query, description = "Its language, if it has several"),
    ("topic" = Option<String>, Query, description = "The topic, where no template says it"),
    ("sender" = Option<String>, Query, description = "The sender's phone_number_id"),
    ("kind" = Option<String>, Query, description = "template (the default) or session"),
    ("at" = Option<String>, Query, description = "A moment in the past, in RFC 3339. \
    Consents, registry, policy and what was sent are those of then; the margin before a window closes \
    (`sends.session_margin_s`) is a setting of the service and always today's, as is `fix`")),
    responses((status = 200, body = DecisionBody)))]
pub(crate) async fn ask(ask: Ask) -> Result<HttpResponse, Problem> {
    let edge = &ask.edge;
    let query = Query::read(&ask.req, PARAMETERS)?;
    if query.is_blank("at") {
        return Err(refuse("at", "has no value; leave it out to ask about now"));
    }
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
    let bytes = if let Some(at) = query.parse("at", Timestamp::parse_rfc3339)? {
        decide_then(edge, question, (number, whom), at).await?
    } else {
        let mut bytes = Vec::with_capacity(768);
        let state = edge.views().state();
        let now = edge.clock.now();
        let resolved = question.resolve(&*state, now);
        let resolved = resolved.map_err(|error| Problem::question(error, '?'))?;
        let judged = judge(edge, &state, &resolved, &whom, now);
        judged.write(edge, &resolved, (number.as_deref(), None), &mut bytes)?;
        bytes
    };
    let mut response = HttpResponse::Ok();
    response.insert_header((
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("application/json"),
    ));
    Ok(response.body(Bytes::from(bytes)))
}

/// Decides as it would have been decided at a moment in the past.
async fn decide_then(
    edge: &Arc<Edge>,
    question: Question,
    (number, whom): (Option<Box<str>>, Whom),
    at: Timestamp,
) -> Result<Vec<u8>, Problem> {
    let mut turn = past::turn(edge, at, "?at").await?;
    let there = Arc::clone(edge);
    let work = move || {
        let then = Then::bring_up(&there, &mut turn, at, "?at")?;
        let resolved = question.resolve(then.state, at);
        let resolved = resolved.map_err(|error| Problem::question(error, '?'))?;
        let mut bytes = Vec::with_capacity(768);
        let judged = then.judge(&there, &resolved, &whom)?;
        judged.write(&there, &resolved, (number.as_deref(), None), &mut bytes)?;
        Ok(bytes)
    };
    let bytes = edge.blocking.run_within(past::WITHIN, work).await;
    past::let_go_later(edge);
    bytes?
}

/// What the ledger knew at a moment in the past.
#[derive(Debug, Clone, Copy)]
pub struct Then<'a> {
    /// The state of then.
    pub state: &'a State,
    /// When that was.
    pub at: Timestamp,
}

impl<'a> Then<'a> {
    /// Replays the ledger up to a moment. Blocks.
    ///
    /// # Errors
    ///
    /// When the ledger had not begun, or cannot be read.
    pub fn bring_up(
        edge: &Edge,
        turn: &'a mut Turn,
        at: Timestamp,
        pointer: &'static str,
    ) -> Result<Self, Problem> {
        let state = turn.state_at(at, || edge.stopping.has_begun());
        let state = state.map_err(|error| past::problem(&error, pointer))?;
        Ok(Self { state, at })
    }

    /// Judges one recipient. Of somebody who was erased since nothing is known, whatever the state
    /// still holds. Blocks.
    ///
    /// # Errors
    ///
    /// A failure of ours.
    pub fn judge(
        &self,
        edge: &Edge,
        resolved: &Resolved,
        whom: &Whom,
    ) -> Result<Judged<'a>, Problem> {
        let Self { state, at } = *self;
        let Whom::Key(key) = whom else {
            return Ok(Judged::nobody(resolved, state, at));
        };
        let mut subject = state.contacts().find(*key);
        if let Some(place) = subject
            && edge.sealer.vault().dek(place).map_err(|error| internal(&error))?.is_none()
        {
            subject = None;
        }
        let contact = subject.and_then(|subject| state.contacts().get(subject));
        let verdict = resolved.judge((contact, Some(*key)), edge.rules.session, at);
        Ok(Judged { verdict, subject, key: Some(*key), state, now: at })
    }
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
    /// Asked about by which key.
    key: Option<ContactKey>,
    state: &'a State,
    /// As of which moment.
    now: Timestamp,
}

impl<'a> Judged<'a> {
    /// A text that is not a number.
    fn nobody(resolved: &Resolved, state: &'a State, now: Timestamp) -> Self {
        Self { verdict: resolved.judge_invalid(), subject: None, key: None, state, now }
    }

    /// Returns whom it is about, if anything is known of them.
    pub fn contact(&self) -> Option<&'a Contact> {
        self.subject.and_then(|subject| self.state.contacts().get(subject))
    }

    /// Returns when waiting alone makes it eligible.
    fn next_eligible_at(&self, edge: &Edge, resolved: &Resolved) -> Option<Timestamp> {
        let whom = (self.contact(), self.key);
        resolved.eligible_from(whom, edge.rules.session, (&self.verdict, self.now), |_| true)
    }
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
        return Judged::nobody(resolved, state, now);
    };
    let subject = state.contacts().find(*key);
    let contact = subject.and_then(|subject| state.contacts().get(subject));
    let mut verdict = resolved.judge((contact, Some(*key)), edge.rules.session, now);
    if edge.views().has_unrecorded_stop(*key, subject) {
        refuse_unrecorded(&mut verdict);
    }
    Judged { verdict, subject, key: Some(*key), state, now }
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
        edge: &Edge,
        resolved: &Resolved,
        (number, reference): (Option<&str>, Option<&str>),
        bytes: &mut Vec<u8>,
    ) -> Result<(), Problem> {
        let contact = self.contact();
        let rendered = Rendered {
            resolved,
            verdict: &self.verdict,
            next_eligible_at: self.next_eligible_at(edge, resolved),
            id: contact.map(|contact| contact.id),
            number,
            reference,
            hash: contact.and_then(Contact::identity_hash),
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
