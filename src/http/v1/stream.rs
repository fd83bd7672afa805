//! The NDJSON form of `POST /v1/eligibility`: any number of recipients in constant memory.
//!
//! The first line is the question. Every further line is one recipient and gets one line back, in
//! order; a line that cannot be read gets its number and a problem back, and the stream goes on. The
//! last line has the totals.

use std::{borrow::Cow, sync::Arc};

use actix_web::{
    HttpResponse,
    web::{Bytes, BytesMut, Payload},
};
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};

use crate::{
    domain::{eligibility::Question, entry::Seq},
    http::{
        body,
        download::{self, DownloadError, ToBody},
        edge::{Ask, Edge, internal},
        person,
        problem::{BODY_INVALID, BODY_MALFORMED, Code, FieldError, Problem, REQUEST_TIMEOUT},
        v1::batch::{Batch, Detail, MessageKindBody, Recipient, Tally, question},
    },
    limits::{DECISIONS_AT_ONCE, LINE_BYTES_MAX, LINES_BYTES_MAX, REFERENCE_BYTES_MAX},
    numbers::Region,
};

/// Chunks of the answer that may wait for a slow reader.
const CHUNKS_WAITING: usize = 4;

/// The first line of a stream.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct QuestionLine<'a> {
    #[serde(borrow)]
    region: Option<Cow<'a, str>>,
    #[serde(borrow)]
    template: Option<Cow<'a, str>>,
    #[serde(borrow)]
    language: Option<Cow<'a, str>>,
    #[serde(borrow)]
    topic: Option<Cow<'a, str>>,
    #[serde(borrow)]
    sender: Option<Cow<'a, str>>,
    kind: Option<MessageKindBody>,
    #[serde(default)]
    detail: Detail,
}

/// A question that has been read.
#[derive(Debug)]
struct Asked {
    question: Question,
    region: Option<Region>,
    detail: Detail,
    as_of: Seq,
}

/// A line that is no recipient, as the answer shows it.
#[derive(Debug, Serialize)]
struct UnreadableBody<'a> {
    line: u64,
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    reference: Option<&'a str>,
    eligible: bool,
    problem: LineProblem<'a>,
}

/// What is wrong with a line, or why the stream ends early.
#[derive(Debug, Serialize)]
struct LineProblem<'a> {
    code: &'a str,
    title: &'a str,
    detail: &'a str,
    #[serde(skip_serializing_if = "<[FieldError]>::is_empty")]
    errors: &'a [FieldError],
}

impl<'a> LineProblem<'a> {
    fn of(problem: &'a Problem) -> Self {
        let Code { name: code, title, .. } = problem.code();
        Self { code, title, detail: problem.detail(), errors: problem.errors() }
    }
}

/// The one member of a line that may be readable where the rest is not.
#[derive(Deserialize)]
struct ReferenceAlone {
    #[serde(rename = "ref")]
    reference: String,
}

/// Why a stream ends before its last line.
enum Ending {
    /// The rest of it could not be read or judged, which its reader is told.
    Problem(Problem),
    /// Nobody takes the answer.
    Reader(DownloadError),
}

impl From<Problem> for Ending {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<DownloadError> for Ending {
    fn from(error: DownloadError) -> Self {
        Self::Reader(error)
    }
}

/// Answers a stream. The question is checked before the first byte of the answer.
///
/// # Errors
///
/// A problem with the question.
pub(super) async fn answer(mut ask: Ask) -> Result<HttpResponse, Problem> {
    let payload = ask.stream();
    let payload = payload.ok_or_else(|| Problem::new(BODY_INVALID, "the body was read already"))?;
    let mut lines = Lines::of(payload);
    let deadline = ask.edge.settings.request_deadline;
    let first = tokio::time::timeout(deadline, lines.next()).await;
    let first = match first {
        Ok(line) => match line?.map(|line| line.content) {
            Some(content) => content?,
            None => Bytes::new(),
        },
        Err(tokio::time::error::Elapsed { .. }) => {
            return Err(Problem::new(REQUEST_TIMEOUT, "the question did not arrive in time"));
        }
    };
    let asked = Arc::new(read_question(&ask.edge, &first)?);
    let (to_body, body) = download::long_body(CHUNKS_WAITING);
    let edge = Arc::clone(&ask.edge);
    actix_web::rt::spawn(async move {
        let mut tally = Tally::default();
        let how = match pump(&edge, &asked, lines, &to_body, &mut tally).await {
            Ok(()) => Ok(()),
            Err(Ending::Problem(problem)) => {
                let body = serde_json::json!({ "problem": LineProblem::of(&problem) });
                send(&edge, &to_body, format!("{body}\n").into_bytes()).await
            }
            Err(Ending::Reader(error)) => Err(error),
        };
        if let Err(error) = &how {
            tracing::debug!(%error, "a stream ended early");
        }
        download::end(&to_body, how, edge.settings.stall).await;
    });
    Ok(HttpResponse::Ok().content_type("application/x-ndjson").streaming(body))
}

fn read_question(edge: &Edge, line: &[u8]) -> Result<Asked, Problem> {
    let line: QuestionLine<'_> = body::parse(line)?;
    let region = person::region(edge, line.region.as_deref(), "/region")?;
    let question = question(
        line.kind,
        line.template.as_deref(),
        line.language.as_deref(),
        line.topic.as_deref(),
        line.sender.as_deref(),
    )?;
    let state = edge.views().state();
    question.resolve(&*state, edge.clock.now())?;
    Ok(Asked { question, region, detail: line.detail, as_of: state.last() })
}

/// Reads recipients, decides about many at a time, and waits when the reader is slow.
async fn pump(
    edge: &Arc<Edge>,
    asked: &Arc<Asked>,
    mut lines: Lines,
    to_body: &ToBody,
    tally: &mut Tally,
) -> Result<(), Ending> {
    let deadline = edge.settings.request_deadline;
    loop {
        let mut group = Vec::with_capacity(DECISIONS_AT_ONCE);
        let (mut bytes_held, mut is_last) = (0, false);
        while !is_last && group.len() < DECISIONS_AT_ONCE && bytes_held < LINES_BYTES_MAX {
            match tokio::time::timeout(deadline, lines.next()).await {
                Ok(line) => match line? {
                    Some(line) => {
                        bytes_held += line.content.as_ref().map_or(0, Bytes::len);
                        group.push(line);
                    }
                    None => is_last = true,
                },
                Err(tokio::time::error::Elapsed { .. }) => return Err(late().into()),
            }
        }
        if !group.is_empty() {
            let (edge_there, asked_there) = (Arc::clone(edge), Arc::clone(asked));
            let taken = std::mem::take(tally);
            let work = move || decide(&edge_there, &asked_there, &group, taken);
            let (bytes, counted) = edge.blocking.run(work).await.map_err(Problem::from)??;
            *tally = counted;
            send(edge, to_body, bytes).await?;
        }
        if is_last {
            let totals = serde_json::to_string(&tally.totals()).map_err(|e| internal(&e))?;
            let last = format!("{{\"as_of\":{},\"totals\":{totals}}}\n", asked.as_of.0);
            return Ok(send(edge, to_body, last.into_bytes()).await?);
        }
    }
}

fn late() -> Problem {
    Problem::new(REQUEST_TIMEOUT, "the next line did not arrive")
}

fn decide(
    edge: &Edge,
    asked: &Asked,
    lines: &[Line],
    mut tally: Tally,
) -> Result<(Vec<u8>, Tally), Problem> {
    let Asked { question, region, detail, as_of: _ } = asked;
    let (region, detail, then) = (*region, *detail, None);
    let batch = Batch { edge, question, region, detail, then };
    let mut bytes = Vec::with_capacity(lines.len() * 256);
    let mut run: Vec<Recipient<'_>> = Vec::with_capacity(lines.len());
    for line in lines {
        let recipient = match &line.content {
            Ok(content) => body::parse_line(content),
            Err(_) => None,
        };
        if let Some(recipient) = recipient {
            run.push(recipient);
            continue;
        }
        batch.decide(&run, b'\n', &mut tally, &mut bytes)?;
        run.clear();
        tally.count_unreadable();
        if detail != Detail::Totals {
            line.write_problem(&mut bytes)?;
        }
    }
    batch.decide(&run, b'\n', &mut tally, &mut bytes)?;
    Ok((bytes, tally))
}

async fn send(edge: &Edge, to_body: &ToBody, bytes: Vec<u8>) -> Result<(), DownloadError> {
    download::hand_on(to_body, Bytes::from(bytes), edge.settings.stall).await
}

/// A line, counted from 1, blank ones included.
#[derive(Debug)]
pub(super) struct Line {
    number: u64,
    pub(super) content: Result<Bytes, Problem>,
}

impl Line {
    /// Says why the line is no recipient.
    fn write_problem(&self, bytes: &mut Vec<u8>) -> Result<(), Problem> {
        let content = self.content.as_deref().unwrap_or_default();
        let parsed = match &self.content {
            // The first reading is quick and says little; this one tells where the fault is.
            Ok(content) => body::parse::<Recipient<'_>>(content).err(),
            Err(_) => None,
        };
        let known = parsed.as_ref().or(self.content.as_ref().err());
        let unknown = Problem::new(BODY_MALFORMED, "the line is no recipient");
        let alone = body::parse_line::<ReferenceAlone>(content);
        let reference = alone.as_ref().map(|alone| &*alone.reference);
        let body = UnreadableBody {
            line: self.number,
            reference: reference.filter(|reference| reference.len() <= REFERENCE_BYTES_MAX),
            eligible: false,
            problem: LineProblem::of(known.unwrap_or(&unknown)),
        };
        serde_json::to_writer(&mut *bytes, &body).map_err(|error| internal(&error))?;
        bytes.push(b'\n');
        Ok(())
    }
}

/// Lines of a body, without their ends; blank ones are passed over, and of those that are too
/// long nothing is kept.
pub(super) struct Lines {
    payload: Payload,
    waiting: BytesMut,
    /// How much of what waits is known to hold no end of a line.
    scanned: usize,
    number: u64,
    is_skipping: bool,
    is_done: bool,
}

impl Lines {
    pub(super) fn of(payload: Payload) -> Self {
        let waiting = BytesMut::new();
        Self { payload, waiting, scanned: 0, number: 0, is_skipping: false, is_done: false }
    }

    pub(super) async fn next(&mut self) -> Result<Option<Line>, Problem> {
        loop {
            let unread = self.waiting.get(self.scanned..).unwrap_or_default();
            let end = unread.iter().position(|byte| *byte == b'\n');
            let end = end.map(|offset| self.scanned + offset);
            if end.is_some() || self.is_done {
                let had_end = end.is_some();
                let mut line = match end {
                    Some(end) => self.waiting.split_to(end + 1),
                    None => self.waiting.split(),
                };
                line.truncate(end.unwrap_or(line.len()));
                self.scanned = 0;
                self.number += 1;
                if std::mem::take(&mut self.is_skipping) || line.len() > LINE_BYTES_MAX {
                    return Ok(Some(Line { number: self.number, content: Err(too_long()) }));
                }
                if line.iter().any(|byte| !byte.is_ascii_whitespace()) {
                    let content = Ok(line.freeze());
                    return Ok(Some(Line { number: self.number, content }));
                }
                if !had_end {
                    return Ok(None);
                }
                continue;
            }
            self.scanned = self.waiting.len();
            if self.scanned > LINE_BYTES_MAX {
                self.is_skipping = true;
                self.waiting.clear();
                self.scanned = 0;
            }
            match self.payload.next().await {
                Some(Ok(chunk)) => self.waiting.extend_from_slice(&chunk),
                Some(Err(error)) => {
                    tracing::debug!(%error, "a stream broke off");
                    return Err(Problem::new(BODY_MALFORMED, "the stream broke off"));
                }
                None => self.is_done = true,
            }
        }
    }
}

fn too_long() -> Problem {
    Problem::new(BODY_MALFORMED, format!("a line is longer than {LINE_BYTES_MAX} bytes"))
}
