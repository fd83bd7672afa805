//! The NDJSON form of `POST /v1/eligibility`: any number of recipients in constant memory.
//!
//! The first line is the question. Every further line is one recipient and gets one line back, in
//! order; a line that cannot be read gets a line that says so, and the stream goes on. The last
//! line has the totals.

use std::{borrow::Cow, sync::Arc};

use actix_web::{
    HttpResponse,
    web::{Bytes, BytesMut, Payload},
};
use futures_util::StreamExt;
use serde::Deserialize;
use tokio::sync::mpsc;

use crate::{
    domain::{eligibility::Resolved, entry::Seq},
    http::{
        body,
        edge::{Ask, Edge, internal},
        person,
        problem::{BODY_INVALID, BODY_MALFORMED, Problem, REQUEST_TIMEOUT},
        v1::batch::{Batch, Detail, MessageKindBody, Recipient, Tally, question},
    },
    limits::{DECISIONS_AT_ONCE, LINE_BYTES_MAX},
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

/// A question that has been read and looked up.
#[derive(Debug)]
struct Asked {
    resolved: Resolved,
    region: Option<Region>,
    detail: Detail,
    as_of: Seq,
}

/// Answers a stream. The question is checked before the first byte of the answer.
///
/// # Errors
///
/// A problem with the question.
pub(super) async fn answer(mut ask: Ask) -> Result<HttpResponse, Problem> {
    let payload = ask.stream();
    let payload = payload.ok_or_else(|| Problem::new(BODY_INVALID, "the body was read already"))?;
    let mut lines = Lines { payload, waiting: BytesMut::new(), is_done: false };
    let deadline = ask.edge.settings.request_deadline;
    let first = tokio::time::timeout(deadline, lines.next()).await;
    let first = match first {
        Ok(line) => line?.unwrap_or_default(),
        Err(tokio::time::error::Elapsed { .. }) => {
            return Err(Problem::new(REQUEST_TIMEOUT, "the question did not arrive in time"));
        }
    };
    let asked = Arc::new(read_question(&ask.edge, &first)?);
    let (sender, receiver) = mpsc::channel(CHUNKS_WAITING);
    let edge = Arc::clone(&ask.edge);
    actix_web::rt::spawn(async move {
        let mut tally = Tally::default();
        if let Err(problem) = pump(&edge, &asked, lines, &sender, &mut tally).await {
            let body = serde_json::json!({ "problem": {
                "code": problem.code().name, "title": problem.code().title } });
            send(&sender, format!("{body}\n").into_bytes()).await;
        }
    });
    let chunks = futures_util::stream::unfold(receiver, |mut receiver| async move {
        let chunk = receiver.recv().await?;
        Some((Ok::<_, std::io::Error>(chunk), receiver))
    });
    Ok(HttpResponse::Ok().content_type("application/x-ndjson").streaming(chunks))
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
    let resolved = question.resolve(state.registry())?;
    Ok(Asked { resolved, region, detail: line.detail, as_of: state.last() })
}

/// Reads recipients, decides about many at a time, and waits when the reader is slow.
async fn pump(
    edge: &Arc<Edge>,
    asked: &Arc<Asked>,
    mut lines: Lines,
    sender: &mpsc::Sender<Bytes>,
    tally: &mut Tally,
) -> Result<(), Problem> {
    let deadline = edge.settings.request_deadline;
    loop {
        let mut group = Vec::with_capacity(DECISIONS_AT_ONCE);
        while group.len() < DECISIONS_AT_ONCE {
            match tokio::time::timeout(deadline, lines.next()).await {
                Ok(line) => match line? {
                    Some(line) => group.push(line),
                    None => break,
                },
                Err(tokio::time::error::Elapsed { .. }) => {
                    return Err(Problem::new(REQUEST_TIMEOUT, "the next line did not arrive"));
                }
            }
        }
        let is_last = group.len() < DECISIONS_AT_ONCE;
        if !group.is_empty() {
            let (edge_there, asked_there) = (Arc::clone(edge), Arc::clone(asked));
            let taken = std::mem::take(tally);
            let work = move || decide(&edge_there, &asked_there, &group, taken);
            let (bytes, counted) = edge.blocking.run(work).await??;
            *tally = counted;
            if !send(sender, bytes).await {
                return Ok(());
            }
        }
        if is_last {
            let totals = serde_json::to_string(&tally.totals()).map_err(|e| internal(&e))?;
            let last = format!("{{\"as_of\":{},\"totals\":{totals}}}\n", asked.as_of.0);
            send(sender, last.into_bytes()).await;
            return Ok(());
        }
    }
}

fn decide(
    edge: &Edge,
    asked: &Asked,
    lines: &[Bytes],
    mut tally: Tally,
) -> Result<(Vec<u8>, Tally), Problem> {
    let batch =
        Batch { edge, resolved: &asked.resolved, region: asked.region, detail: asked.detail };
    let mut bytes = Vec::with_capacity(lines.len() * 256);
    let mut run: Vec<Recipient<'_>> = Vec::with_capacity(lines.len());
    for line in lines {
        // A line that is no JSON is an answer of its own: not a number.
        let recipient = serde_json::from_slice(line)
            .unwrap_or(Recipient { number: Cow::Borrowed(""), reference: None });
        run.push(recipient);
    }
    batch.decide(&run, b'\n', &mut tally, &mut bytes)?;
    Ok((bytes, tally))
}

async fn send(sender: &mpsc::Sender<Bytes>, bytes: Vec<u8>) -> bool {
    sender.send(Bytes::from(bytes)).await.is_ok()
}

/// Lines of a body, without their ends; blank ones are passed over.
struct Lines {
    payload: Payload,
    waiting: BytesMut,
    is_done: bool,
}

impl Lines {
    async fn next(&mut self) -> Result<Option<Bytes>, Problem> {
        loop {
            if let Some(end) = self.waiting.iter().position(|byte| *byte == b'\n') {
                let mut line = self.waiting.split_to(end + 1);
                line.truncate(end);
                if line.iter().any(|byte| !byte.is_ascii_whitespace()) {
                    return Ok(Some(line.freeze()));
                }
                continue;
            }
            if self.waiting.len() > LINE_BYTES_MAX {
                let detail = format!("a line is longer than {LINE_BYTES_MAX} bytes");
                return Err(Problem::new(BODY_MALFORMED, detail));
            }
            if self.is_done {
                let line = self.waiting.split();
                let is_blank = line.iter().all(u8::is_ascii_whitespace);
                return Ok((!is_blank).then(|| line.freeze()));
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
