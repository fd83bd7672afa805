//! `/v1/verifications/bulk` and `/v1/jobs`: many numbers looked up one after the other, as fast as
//! the budget lets it.
//!
//! A job keeps no number: it names people by keyed hashes, and what is shown of them comes from
//! their documents.

use std::{borrow::Cow, collections::BTreeMap, io::Write as _, sync::Arc};

use actix_web::{HttpResponse, http::header};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    documents::ContactDocument,
    domain::{
        command::Command,
        contact::LookupState,
        decide::{JobRow, judge_row},
        entry::Subject,
        event::Event,
        ids::JobId,
        key::ContactKey,
        lookup_job::{JobEnd, LookupJob},
        time::Timestamp,
    },
    export::{ExportError, Sink},
    http::{
        body::{self, Body},
        edge::{Ask, Edge},
        person,
        problem::{BODY_INVALID, CONTENT_TYPE, JOB_RUNNING, JOB_UNKNOWN, Problem},
        v1::contacts::caught_up,
        wire::Moment,
    },
    limits::{DECISIONS_AT_ONCE, JOB_NUMBERS_MAX},
    providers::BreakerState,
};

/// Which numbers to look up, one after the other.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BulkBody<'a> {
    /// Numbers, in any written form; at most 10,000.
    #[serde(borrow)]
    numbers: Vec<Cow<'a, str>>,
    /// The region of numbers without `+`.
    region: Option<Cow<'a, str>>,
}

/// One line of the same as NDJSON.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct BulkLine<'a> {
    #[serde(borrow)]
    number: Cow<'a, str>,
    region: Option<Cow<'a, str>>,
}

/// A job that was taken.
#[derive(Debug, Serialize, ToSchema)]
pub struct TakenBody {
    /// The job.
    job: JobBody,
}

/// A job.
#[derive(Debug, Serialize, ToSchema)]
pub struct JobBody {
    /// Its id.
    #[schema(value_type = String, format = Uuid)]
    id: JobId,
    /// `running`, `finished` or `cancelled`.
    status: &'static str,
    /// When it was asked for.
    started_at: Moment,
    /// When it ended.
    ended_at: Option<Moment>,
    /// Numbers in all.
    total: u64,
    /// Numbers that are answered for.
    done: u64,
    /// Those of them by state: `registered`, `not_registered`, `in_progress`, `unknown`.
    by_state: BTreeMap<&'static str, u64>,
    /// Numbers a provider was asked about for it; the others were known, or may not be asked about.
    asked: u64,
    /// What it waits for, if it does: `budget`, `provider`, or `another_job`.
    waiting_for: Option<&'static str>,
    /// When it goes on if nothing else happens, where waiting gets there and that is known.
    waiting_until: Option<Moment>,
    /// The level of the look-up budget: at amber it goes slowly, at red it waits.
    level: &'static str,
}

/// One row of a result.
#[derive(Debug, Serialize, ToSchema)]
pub struct JobRowBody {
    /// The place of the number in the request, from 1.
    row: u64,
    /// The number, in E.164; `null` where it is none, or of nobody known.
    number: Option<Box<str>>,
    /// The contact's id, if it is one.
    #[schema(value_type = Option<String>, format = Uuid)]
    contact: Option<crate::domain::ids::ContactId>,
    /// `registered`, `not_registered`, `in_progress` or `unknown`.
    #[schema(value_type = String)]
    state: LookupState,
    /// How it is known: `traffic`, `cache`, `provider`, or `none`.
    source: &'static str,
    /// Why nothing is known, where nothing is: as with `POST /v1/verifications`, or `not_asked`
    /// where the job ended before.
    reason: Option<Box<str>>,
    /// The number as WhatsApp writes it, if it is on WhatsApp and it ever did.
    wa_id: Option<Box<str>>,
    /// When it was found out.
    checked_at: Option<Moment>,
}

/// Takes many numbers to be looked up one after the other, as fast as the budget lets it.
///
/// As NDJSON, a line is a number as a string, or `{"number", "region"?}`. People who have not opted
/// in are not asked about, and nobody is asked about twice. The job waits while the budget is red.
#[utoipa::path(post, path = "/v1/verifications/bulk", tag = "verification",
    request_body(content((BulkBody<'static> = "application/json"), (String = "application/x-ndjson"))),
    responses((status = 202, body = TakenBody)))]
pub(crate) async fn create(mut ask: Ask) -> Result<HttpResponse, Problem> {
    let is_lines = body::is_media(&ask.req, "application/x-ndjson");
    if !is_lines && !body::is_media(&ask.req, "application/json") {
        let detail = "the body must be application/json or application/x-ndjson";
        return Err(Problem::new(CONTENT_TYPE, detail));
    }
    body::expect_plain(&ask.req)?;
    let bytes = Arc::new(ask.body(ask.edge.settings.batch_bytes_max).await?);
    let once = ask.once(&bytes)?;
    let edge = Arc::clone(&ask.edge);
    let reading = Arc::clone(&bytes);
    let read = move || if is_lines { lines(&edge, &reading) } else { numbers(&edge, &reading) };
    let rows = ask.edge.blocking.run(read).await??;
    let job = JobId::from_uuid(ask.edge.ids.next());
    let submitted = ask.submit(Command::StartLookupJob { job, rows: rows.into() }, once).await?;
    let started = submitted.entries.iter().find_map(|entry| {
        let Event::LookupJobStarted { job, .. } = &entry.record.event else { return None };
        Some(*job)
    });
    let id = started.ok_or_else(|| Problem::new(JOB_UNKNOWN, "the job is forgotten"))?;
    ask.edge.job_bell.ring();
    let job = show(&ask.edge, id).await?;
    let mut response = HttpResponse::Accepted()
        .insert_header((header::LOCATION, format!("/v1/jobs/{}", id.as_uuid())))
        .json(TakenBody { job });
    submitted.mark(&mut response);
    Ok(response)
}

/// Shows how far a job is.
#[utoipa::path(get, path = "/v1/jobs/{id}", tag = "verification",
    params(("id" = String, Path, format = Uuid)), responses((status = 200, body = JobBody)))]
pub(crate) async fn get(ask: Ask) -> Result<HttpResponse, Problem> {
    let body = show(&ask.edge, id_of(&ask)?).await?;
    Ok(HttpResponse::Ok().json(body))
}

/// Calls a job off: nobody is asked any more. One that has ended stays as it is.
#[utoipa::path(delete, path = "/v1/jobs/{id}", tag = "verification",
    params(("id" = String, Path, format = Uuid)), responses((status = 200, body = JobBody)))]
pub(crate) async fn cancel(ask: Ask) -> Result<HttpResponse, Problem> {
    let job = id_of(&ask)?;
    ask.submit(Command::EndLookupJob { job, how: JobEnd::Cancelled }, None).await?;
    let body = show(&ask.edge, job).await?;
    Ok(HttpResponse::Ok().json(body))
}

/// Hands out what a job that ended found, a row per number, in the order of the request. It is what
/// was known when it ended, whatever came to be known since: only a look-up that was under way when
/// the job was called off still adds its answer.
#[utoipa::path(get, path = "/v1/jobs/{id}/result", tag = "verification",
    params(("id" = String, Path, format = Uuid)),
    responses((status = 200, body = String, content_type = "application/x-ndjson")))]
pub(crate) async fn result(ask: Ask) -> Result<HttpResponse, Problem> {
    let job = find(&ask.edge, id_of(&ask)?)?;
    let Some((_, ended_at)) = job.ended else {
        let detail = "the job goes on; its result is there when it has ended";
        return Err(Problem::new(JOB_RUNNING, detail).retry_after_s(60));
    };
    caught_up(&ask.edge).await?;
    let edge = Arc::clone(&ask.edge);
    let run = move |sink: Sink| sink.produce(|sink| write(&edge, &job, ended_at, sink));
    let body = ask.edge.downloads.begin(&ask.edge.blocking, run)?;
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_DISPOSITION, "attachment; filename=\"result.ndjson\""))
        .content_type("application/x-ndjson")
        .streaming(body))
}

fn id_of(ask: &Ask) -> Result<JobId, Problem> {
    let id = ask.segment("id").parse::<uuid::Uuid>();
    id.map(JobId::from_uuid).map_err(|_shape| unknown())
}

fn unknown() -> Problem {
    Problem::new(JOB_UNKNOWN, "there is no such job, or no more")
}

fn find(edge: &Edge, id: JobId) -> Result<Arc<LookupJob>, Problem> {
    edge.views().state().governor().jobs().get(id).cloned().ok_or_else(unknown)
}

fn numbers(edge: &Edge, bytes: &Body) -> Result<Vec<Option<ContactKey>>, Problem> {
    let body: BulkBody<'_> = body::parse(bytes)?;
    bounded(body.numbers.len(), "/numbers")?;
    let region = person::region(edge, body.region.as_deref(), "/region")?;
    let key = |text: &Cow<'_, str>| person::number(edge, text, region).ok().map(|found| found.key);
    Ok(body.numbers.iter().map(key).collect())
}

fn lines(edge: &Edge, bytes: &Body) -> Result<Vec<Option<ContactKey>>, Problem> {
    let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
    let lines: Vec<_> = lines.take(JOB_NUMBERS_MAX + 1).collect();
    bounded(lines.len(), "")?;
    let mut rows = Vec::with_capacity(lines.len());
    for (place, line) in lines.into_iter().enumerate() {
        let at = |problem: Problem| problem.with("line", place + 1);
        let BulkLine { number, region } = if line.trim_ascii_start().starts_with(b"\"") {
            BulkLine { number: body::parse::<Text<'_>>(line).map_err(at)?.0, region: None }
        } else {
            body::parse(line).map_err(at)?
        };
        let region = person::region(edge, region.as_deref(), "/region").map_err(at)?;
        rows.push(person::number(edge, &number, region).ok().map(|found| found.key));
    }
    Ok(rows)
}

/// A text that is not copied where that can be.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

fn bounded(count: usize, pointer: &'static str) -> Result<(), Problem> {
    if (1..=JOB_NUMBERS_MAX).contains(&count) {
        return Ok(());
    }
    Err(Problem::at(BODY_INVALID, pointer, format!("1 to {JOB_NUMBERS_MAX} numbers")))
}

/// Reads how far a job is.
async fn show(edge: &Arc<Edge>, id: JobId) -> Result<JobBody, Problem> {
    let reading = Arc::clone(edge);
    edge.blocking.run(move || describe(&reading, id)).await?
}

fn describe(edge: &Edge, id: JobId) -> Result<JobBody, Problem> {
    let now = edge.clock.now();
    // First of all: what is counted after it can only be more, so whoever is told that the job
    // waits is told all it did until then.
    let (waiting_for, waiting_until) = waits(edge, id, now);
    let job = &*find(edge, id)?;
    let mut by_state: BTreeMap<_, _> = STATES.map(|state| (name(state), 0)).into();
    let mut done = 0;
    let judged_at = job.ended.map_or(now, |(_, at)| at);
    judge(edge, job, judged_at, |_, row| {
        if let JobRow::Done { state, .. } = row {
            done += 1;
            *by_state.entry(name(state)).or_default() += 1;
        }
    });
    let level = edge.views().state().governor().budget(&edge.rules.lookup, now).level;
    Ok(JobBody {
        id,
        status: job.ended.map_or("running", |(how, _)| how.as_str()),
        started_at: Moment(job.started_at),
        ended_at: job.ended.map(|(_, at)| Moment(at)),
        total: u64::try_from(job.rows.len()).unwrap_or(u64::MAX),
        done,
        by_state,
        asked: u64::try_from(job.asked()).unwrap_or(u64::MAX),
        waiting_for,
        waiting_until: waiting_until.map(Moment),
        level: level.as_str(),
    })
}

const STATES: [LookupState; 4] = [
    LookupState::Registered,
    LookupState::NotRegistered,
    LookupState::InProgress,
    LookupState::Unknown,
];

const fn name(state: LookupState) -> &'static str {
    match state {
        LookupState::Registered => "registered",
        LookupState::NotRegistered => "not_registered",
        LookupState::InProgress => "in_progress",
        LookupState::Unknown => "unknown",
    }
}

/// Judges every row of a job, in order, with the contact it leads to.
fn judge(
    edge: &Edge,
    job: &LookupJob,
    now: Timestamp,
    mut each: impl FnMut(Option<Subject>, JobRow),
) {
    for run in job.rows.chunks(DECISIONS_AT_ONCE) {
        // Others want the state too: it is held for one run at a time.
        let state = edge.views().state();
        for number in run {
            let subject = number.and_then(|number| state.contacts().find(number));
            let contact = subject.and_then(|subject| state.contacts().get(subject));
            each(
                subject,
                judge_row(job, *number, contact, (state.registry(), &edge.rules.lookup), now),
            );
        }
    }
}

/// Returns what a job waits for, and until when.
fn waits(edge: &Edge, id: JobId, now: Timestamp) -> (Option<&'static str>, Option<Timestamp>) {
    let policy = &edge.rules.lookup;
    let state = edge.views().state();
    let governor = state.governor();
    if governor.jobs().get(id).is_none_or(|job| !job.is_open() || job.is_busy()) {
        return (None, None);
    }
    if governor.jobs().open().next().is_some_and(|(first, _)| first != id) {
        return (Some("another_job"), None);
    }
    if governor.budget(policy, now).left_for_several == 0 {
        return (Some("budget"), governor.frees_for_job_at(policy, now));
    }
    if let Some(BreakerState::Open { until_ms }) = edge.lookups.breaker() {
        let left_ms = until_ms.saturating_sub(edge.clock.monotonic().ms());
        return (Some("provider"), Some(now.plus_ms(i64::try_from(left_ms).unwrap_or(0))));
    }
    (None, None)
}

/// Writes the rows of a job that ended, and returns how many.
fn write(
    edge: &Edge,
    job: &LookupJob,
    ended_at: Timestamp,
    sink: &mut Sink,
) -> Result<u64, ExportError> {
    let mut rows = Vec::with_capacity(job.rows.len());
    judge(edge, job, ended_at, |subject, row| rows.push((subject, row)));
    let mut count = 0;
    for ((subject, row), number) in rows.into_iter().zip(job.rows.iter()) {
        count += 1;
        let body = row_body(edge, count, subject, *number, row)?;
        serde_json::to_writer(&mut *sink, &body).map_err(std::io::Error::from)?;
        sink.write_all(b"\n")?;
    }
    Ok(count)
}

fn row_body(
    edge: &Edge,
    row: u64,
    subject: Option<Subject>,
    number: Option<ContactKey>,
    judged: JobRow,
) -> Result<JobRowBody, ExportError> {
    let document = subject.map(|subject| edge.store.person(subject)).transpose()?.flatten();
    let (state, source, reason, at) = match judged {
        JobRow::Done { state, source, reason, at } => (state, source, reason, at),
        JobRow::UnderWay | JobRow::Ask => (LookupState::Unknown, "none", None, None),
    };
    let wa_id = document.as_ref().and_then(|document| document.wa_id.clone());
    let named = document.as_ref().and_then(|document| named(edge, document, number));
    // What WhatsApp wrote is the contact's own number, and none that came to it by a merge.
    let (contact, is_own) = subject
        .filter(|_| document.is_some())
        .and_then(|subject| {
            let state = edge.views().state();
            let contact = state.contacts().get(subject)?;
            Some((contact.id, contact.other(number).is_none()))
        })
        .unzip();
    Ok(JobRowBody {
        row,
        number: named,
        contact,
        state,
        source,
        reason,
        wa_id: wa_id.filter(|_| is_own == Some(true) && state == LookupState::Registered),
        checked_at: at.map(Moment),
    })
}

/// Returns the number of a contact that was asked about: it may have had several.
fn named(edge: &Edge, document: &ContactDocument, number: Option<ContactKey>) -> Option<Box<str>> {
    let former = document.former.iter().filter_map(|former| former.number.as_ref());
    let mut numbers = document.number.iter().chain(former);
    let is_meant = |known: &&crate::domain::phone::PhoneNumber| {
        Some(edge.indexer.number(known.as_e164())) == number
    };
    let found = numbers.find(is_meant).or(document.number.as_ref());
    found.map(|number| number.as_e164().into())
}
