//! `POST /v1/eligibility`: one question about many people, with totals that add up.
//!
//! As JSON up to a bound, also about a moment in the past; as NDJSON any number, a line in and a line out, in constant memory.

use std::{borrow::Cow, collections::BTreeMap, fmt, sync::Arc};

use actix_web::HttpResponse;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error as _, MapAccess, Visitor, value::MapAccessDeserializer},
};
use utoipa::ToSchema;

use crate::{
    domain::{
        eligibility::Question,
        entry::Seq,
        names::{Language, SenderId, TemplateName, TopicId},
        reason::{Reason, TABLE},
        ticket::MessageKind,
        time::Timestamp,
    },
    http::{
        body,
        edge::{Ask, Edge, internal},
        person,
        problem::{BODY_INVALID, INTERNAL, Problem},
        v1::{
            eligibility::{ShortBody, Then, judge, read},
            past, stream,
        },
        wire,
    },
    limits::{DECISIONS_AT_ONCE, RECIPIENTS_MAX, REFERENCE_BYTES_MAX},
    numbers::Region,
};

/// A question about many people.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BatchBody<'a> {
    /// Whom: numbers, or objects with a `number` and your own `ref`.
    #[serde(borrow)]
    #[schema(value_type = Vec<Object>)]
    recipients: Vec<Recipient<'a>>,
    /// The region of numbers without `+`.
    region: Option<Cow<'a, str>>,
    /// The template's name.
    template: Option<Cow<'a, str>>,
    /// Its language, if it has several.
    language: Option<Cow<'a, str>>,
    /// The topic, where no template says it.
    topic: Option<Cow<'a, str>>,
    /// The sender's `phone_number_id`.
    sender: Option<Cow<'a, str>>,
    /// The form of the message: `template`, the default, or `session`.
    kind: Option<MessageKindBody>,
    /// How much to say about each: `full`, the default, `reasons`, or `totals` for none.
    #[serde(default)]
    detail: Detail,
    /// A moment in the past, as it was then; the margin before a window closes, a setting of the
    /// service, is today's. Not for streams.
    #[schema(format = DateTime)]
    at: Option<Cow<'a, str>>,
}

/// The form of a message.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MessageKindBody {
    /// A registered template.
    Template,
    /// Anything, inside an open window.
    Session,
}

/// How much to say about each recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Detail {
    /// Whole decisions.
    #[default]
    Full,
    /// Yes or no, and the codes.
    Reasons,
    /// Nothing; only totals.
    Totals,
}

/// One recipient: a number, or a number with the caller's own name for it.
#[derive(Debug)]
pub struct Recipient<'a> {
    /// The number, in any written form.
    pub number: Cow<'a, str>,
    /// The caller's own name.
    pub reference: Option<Cow<'a, str>>,
}

/// What a stream's totals call the lines that could not be read.
const UNREADABLE_LINE: &str = "unreadable_line";

/// How many were eligible, how many not, and why.
#[derive(Debug, Default, Clone, Serialize, ToSchema)]
pub struct Totals {
    /// How many may be written to.
    pub eligible: u64,
    /// How many may not. The two add up to the number of recipients.
    pub refused: u64,
    /// How many recipients each reason stands against; one may have several. Lines of a stream
    /// that could not be read are `unreadable_line`.
    pub by_reason: BTreeMap<&'static str, u64>,
}

/// Counts without a map: one place per reason.
#[derive(Debug, Default)]
pub struct Tally {
    eligible: u64,
    refused: u64,
    unreadable: u64,
    by_reason: [u64; TABLE.len()],
}

impl Tally {
    /// Counts one decision.
    pub fn count(&mut self, reasons: impl Iterator<Item = Reason>) {
        let mut is_refused = false;
        for reason in reasons {
            is_refused = true;
            let place = TABLE.iter().position(|row| row.reason == reason);
            if let Some(count) = place.and_then(|place| self.by_reason.get_mut(place)) {
                *count += 1;
            }
        }
        if is_refused { self.refused += 1 } else { self.eligible += 1 }
    }

    /// Counts a line that names nobody: refused, for a reason that is none of a person's.
    pub fn count_unreadable(&mut self) {
        self.refused += 1;
        self.unreadable += 1;
    }

    /// Returns what was counted.
    pub fn totals(&self) -> Totals {
        let counted = TABLE.iter().zip(self.by_reason).filter(|(_, count)| *count > 0);
        let unreadable = (self.unreadable > 0).then_some((UNREADABLE_LINE, self.unreadable));
        Totals {
            eligible: self.eligible,
            refused: self.refused,
            by_reason: counted.map(|(row, count)| (row.code, count)).chain(unreadable).collect(),
        }
    }
}

/// The answer about many people. `results` has one entry per recipient, in their order.
#[derive(Debug, Serialize, ToSchema)]
pub struct BatchAnswer {
    /// The ledger's last entry when the first decision was made; later ones may know more.
    #[schema(value_type = u64)]
    as_of: Seq,
    /// How many were eligible, how many not, and why.
    totals: Totals,
    /// The decisions: whole ones, or short ones with `detail: reasons`; absent with `detail:
    /// totals`.
    #[schema(value_type = Vec<Object>, required = false)]
    results: Box<serde_json::value::RawValue>,
}

impl BatchBody<'_> {
    fn question(&self) -> Result<Question, Problem> {
        question(
            self.kind,
            self.template.as_deref(),
            self.language.as_deref(),
            self.topic.as_deref(),
            self.sender.as_deref(),
        )
    }
}

/// Reads the members of a question.
///
/// # Errors
///
/// [`BODY_INVALID`].
pub fn question(
    kind: Option<MessageKindBody>,
    template: Option<&str>,
    language: Option<&str>,
    topic: Option<&str>,
    sender: Option<&str>,
) -> Result<Question, Problem> {
    let kind = match kind {
        None | Some(MessageKindBody::Template) => MessageKind::Template,
        Some(MessageKindBody::Session) => MessageKind::Session,
    };
    Ok(Question {
        kind,
        template: template
            .map(|text| wire::name(text, "/template", TemplateName::parse))
            .transpose()?,
        language: language
            .map(|text| wire::name(text, "/language", Language::parse))
            .transpose()?,
        topic: topic.map(|text| wire::name(text, "/topic", TopicId::parse)).transpose()?,
        sender: sender.map(|text| wire::name(text, "/sender", SenderId::parse)).transpose()?,
    })
}

/// Answers one question about many people.
#[utoipa::path(post, path = "/v1/eligibility", tag = "eligibility",
    request_body(content((BatchBody<'static> = "application/json"),
    (String = "application/x-ndjson")), description = "JSON, up to 10,000 recipients. \
    With Content-Type application/x-ndjson: the question as the first line, then one recipient \
    per line, any number of them; the answer is one decision per line and a last line with \
    totals. A line that cannot be read is answered by its number and a problem. A last line \
    with a problem and no line number says that the stream ended early."),
    responses((status = 200, content((BatchAnswer = "application/json"),
    (String = "application/x-ndjson")))))]
pub(crate) async fn ask_many(mut ask: Ask) -> Result<HttpResponse, Problem> {
    if body::is_media(&ask.req, "application/x-ndjson") {
        body::expect_plain(&ask.req)?;
        return stream::answer(ask).await;
    }
    body::expect_media(&ask.req, "application/json")?;
    let bytes = ask.body(ask.edge.settings.batch_bytes_max).await?;
    let (edge, bytes) = (Arc::clone(&ask.edge), Arc::new(bytes));
    let there = Arc::clone(&bytes);
    let answer = ask.edge.blocking.run(move || decide_all(&edge, &there, None)).await??;
    let answer = match answer {
        Answer::Now(answer) => answer,
        Answer::AsOf(at) => {
            let mut turn = past::turn(&ask.edge, at, "/at").await?;
            let edge = Arc::clone(&ask.edge);
            let work = move || {
                let then = Then::bring_up(&edge, &mut turn, at, "/at")?;
                decide_all(&edge, &bytes, Some(then))
            };
            let answer = ask.edge.blocking.run_within(past::WITHIN, work).await;
            past::let_go_later(&ask.edge);
            match answer?? {
                Answer::Now(answer) => answer,
                Answer::AsOf(_) => return Err(Problem::new(INTERNAL, "no moment was reached")),
            }
        }
    };
    Ok(HttpResponse::Ok().content_type("application/json").body(answer))
}

/// What is to be said about a batch.
enum Answer {
    /// The whole answer.
    Now(Vec<u8>),
    /// It asks about this moment in the past, which must be brought up first.
    AsOf(Timestamp),
}

fn decide_all(edge: &Edge, bytes: &[u8], then: Option<Then<'_>>) -> Result<Answer, Problem> {
    let body: BatchBody<'_> = body::parse(bytes)?;
    if body.recipients.len() > RECIPIENTS_MAX {
        let detail = format!("at most {RECIPIENTS_MAX} recipients; stream NDJSON for more");
        return Err(Problem::at(BODY_INVALID, "/recipients", detail));
    }
    let region = person::region(edge, body.region.as_deref(), "/region")?;
    let question = body.question()?;
    if let Some(at) = wire::moment(body.at.as_deref(), "/at")?
        && then.is_none()
    {
        return Ok(Answer::AsOf(at));
    }
    let as_of = then.map_or_else(|| edge.views().state().last(), |then| then.state.last());
    let batch = Batch { edge, question: &question, region, detail: body.detail, then };
    let mut tally = Tally::default();
    let mut results = Vec::with_capacity(body.recipients.len() * batch.bytes_each() + 2);
    results.push(b'[');
    for chunk in body.recipients.chunks(DECISIONS_AT_ONCE) {
        batch.decide(chunk, b',', &mut tally, &mut results)?;
    }
    if results.last() == Some(&b',') {
        results.pop();
    }
    results.push(b']');
    render(as_of, &tally, &results, body.detail).map(Answer::Now)
}

/// Lays the answer around the results, which are JSON already.
fn render(as_of: Seq, tally: &Tally, results: &[u8], detail: Detail) -> Result<Vec<u8>, Problem> {
    let totals = serde_json::to_string(&tally.totals()).map_err(|error| internal(&error))?;
    let mut answer = format!("{{\"as_of\":{},\"totals\":{totals}", as_of.0).into_bytes();
    if detail != Detail::Totals {
        answer.extend_from_slice(b",\"results\":");
        answer.extend_from_slice(results);
    }
    answer.push(b'}');
    Ok(answer)
}

/// One question and how to answer it.
#[derive(Debug)]
pub struct Batch<'a> {
    /// What answers.
    pub edge: &'a Edge,
    /// The question. Looked up anew for each run of recipients: what the registry says may change
    /// in between.
    pub question: &'a Question,
    /// The region of numbers without `+`.
    pub region: Option<Region>,
    /// How much to say.
    pub detail: Detail,
    /// What was known at a moment in the past, if it is about one.
    pub then: Option<Then<'a>>,
}

impl Batch<'_> {
    const fn bytes_each(&self) -> usize {
        match self.detail {
            Detail::Full => 480,
            Detail::Reasons => 96,
            Detail::Totals => 0,
        }
    }

    /// Decides about some recipients under one hold of the state.
    ///
    /// # Errors
    ///
    /// When the question makes no sense any more; a failure of ours.
    pub fn decide(
        &self,
        recipients: &[Recipient<'_>],
        separator: u8,
        tally: &mut Tally,
        bytes: &mut Vec<u8>,
    ) -> Result<(), Problem> {
        let whom: Vec<_> = recipients
            .iter()
            .map(|recipient| read(self.edge, &recipient.number, self.region))
            .collect();
        let live;
        let (state, now) = if let Some(then) = self.then {
            (then.state, then.at)
        } else {
            let now = self.edge.clock.now();
            live = self.edge.views().state();
            (&*live, now)
        };
        let resolved = &self.question.resolve(state, now)?;
        for (recipient, (number, whom)) in recipients.iter().zip(&whom) {
            let judged = match self.then {
                Some(then) => then.judge(self.edge, resolved, whom)?,
                None => judge(self.edge, state, resolved, whom, now),
            };
            tally.count(judged.verdict.hits.iter().map(|hit| hit.reason));
            let reference = recipient.reference.as_deref();
            match self.detail {
                Detail::Totals => continue,
                Detail::Full => {
                    judged.write(self.edge, resolved, (number.as_deref(), reference), bytes)?;
                }
                Detail::Reasons => {
                    let hits = judged.verdict.hits.iter();
                    let short = ShortBody {
                        eligible: judged.verdict.is_eligible(),
                        reference,
                        number: number.as_deref(),
                        reasons: hits.map(|hit| hit.reason.code()).collect(),
                    };
                    serde_json::to_writer(&mut *bytes, &short).map_err(|error| internal(&error))?;
                }
            }
            bytes.push(separator);
        }
        Ok(())
    }
}

/// The long form of a recipient.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RecipientObject<'a> {
    #[serde(borrow)]
    number: Cow<'a, str>,
    #[serde(borrow, default, rename = "ref", deserialize_with = "reference")]
    reference: Option<Cow<'a, str>>,
}

/// A text that borrows where it can.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// Reads a caller's own name for a recipient. It is given back, so it has a bound.
fn reference<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Cow<'de, str>>, D::Error> {
    let text = Option::<Text<'de>>::deserialize(deserializer)?;
    match text {
        Some(Text(text)) if text.len() > REFERENCE_BYTES_MAX => {
            Err(D::Error::custom(format_args!("at most {REFERENCE_BYTES_MAX} bytes")))
        }
        text => Ok(text.map(|Text(text)| text)),
    }
}

struct RecipientVisitor;

impl<'de> Visitor<'de> for RecipientVisitor {
    type Value = Recipient<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, or an object with a number and a ref")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Recipient { number: Cow::Borrowed(text), reference: None })
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Recipient { number: Cow::Owned(text.to_owned()), reference: None })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        let object = RecipientObject::deserialize(MapAccessDeserializer::new(map))?;
        Ok(Recipient { number: object.number, reference: object.reference })
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Recipient<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RecipientVisitor)
    }
}
