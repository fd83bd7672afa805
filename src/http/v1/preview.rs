//! `POST /v1/eligibility/preview`: a campaign before it is one. Who could be written to, over how
//! many days the limit lets it go out, and who could be written to later. Nothing is recorded.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use actix_web::{HttpResponse, web::Bytes};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    domain::{
        contact::Contact,
        eligibility::{Question, Resolved, SessionPolicy, Verdict},
        entry::Seq,
        key::ContactKey,
        time::{DAY_MS, Timestamp},
    },
    http::{
        body,
        edge::{Ask, Edge},
        person,
        problem::{BODY_INVALID, Problem, REQUEST_TIMEOUT},
        v1::{
            audience::{Audience, AudienceBody},
            batch::{MessageKindBody, Recipient, Tally, Totals, question},
            eligibility::{Whom, judge, read},
            plan::{PlanBody, Queue, Rooms, is_planned},
            stream::Lines,
        },
        wire::Moment,
    },
    limits::{DECISIONS_AT_ONCE, PREVIEW_PEOPLE_MAX, RECIPIENTS_MAX},
    numbers::Region,
};

/// A campaign.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PreviewBody<'a> {
    /// Whom: numbers, or objects with a `number`. At most 10,000; stream NDJSON for more.
    #[serde(borrow, default)]
    #[schema(value_type = Option<Vec<Object>>)]
    recipients: Option<Vec<Recipient<'a>>>,
    /// Whom: everybody whose consent to a topic stands like this.
    audience: Option<AudienceBody<'a>>,
    /// The region of numbers without `+`.
    region: Option<Cow<'a, str>>,
    /// The template's name.
    template: Option<Cow<'a, str>>,
    /// Its language, if it has several.
    language: Option<Cow<'a, str>>,
    /// The topic, where no template says it.
    topic: Option<Cow<'a, str>>,
    /// The sender's `phone_number_id`; without one there is no limit to plan by.
    sender: Option<Cow<'a, str>>,
    /// The form of the message: `template`, the default, or `session`.
    kind: Option<MessageKindBody>,
}

/// What would come of it.
#[derive(Debug, Serialize, ToSchema)]
pub struct PreviewAnswer {
    /// The ledger's last entry when counting began.
    #[schema(value_type = u64)]
    as_of: Seq,
    /// How many could be written to, how many not, and why. The messaging limit and the share of a
    /// yellow sender are no reasons here: the plan says how long they take.
    totals: Totals,
    /// How many recipients named somebody who had been named before, by whatever spelling: each
    /// person is counted once. With the totals they add up to the recipients.
    duplicates: u64,
    /// Whether that is all of them. `false` beyond 2,000,000 different people: somebody who was
    /// named first after those may then be counted more than once.
    duplicates_exact: bool,
    /// Of those who could, how many take room of the messaging limit by being written to now.
    new_recipients: u64,
    /// How the rest of the limit, and of a yellow sender's share, is used; `null` without either.
    plan: Option<PlanBody>,
    /// Those who could not now and could later by waiting alone, by the day (UTC) on which they
    /// first could, as `next_eligible_at` says of each. The messaging limit and the share of a
    /// yellow sender are no reasons here either.
    later: Vec<LaterBody>,
}

/// People who could be written to later.
#[derive(Debug, Serialize, ToSchema)]
pub struct LaterBody {
    /// The first moment of the day.
    day: Moment,
    /// How many.
    count: u64,
}

/// What was counted so far.
#[derive(Debug, Default)]
struct Preview {
    tally: Tally,
    queue: Queue,
    later: BTreeMap<i64, u64>,
    duplicates: u64,
    /// Who was counted, as far as there is room.
    seen: BTreeSet<u64>,
    has_forgotten: bool,
}

/// A question, ready to be asked about many.
struct Asked {
    question: Question,
    region: Option<Region>,
}

/// Counts whom a campaign would reach, and when.
#[utoipa::path(post, path = "/v1/eligibility/preview", tag = "eligibility",
    request_body(content((PreviewBody<'static> = "application/json"),
    (String = "application/x-ndjson")), description = "JSON with recipients or an audience. With \
    Content-Type application/x-ndjson: the question as the first line, then one recipient per \
    line, any number of them."),
    responses((status = 200, body = PreviewAnswer)))]
pub(crate) async fn preview(mut ask: Ask) -> Result<HttpResponse, Problem> {
    let as_of = ask.edge.views().state().last();
    let edge = Arc::clone(&ask.edge);
    let (asked, counted) = if body::is_media(&ask.req, "application/x-ndjson") {
        body::expect_plain(&ask.req)?;
        stream(&mut ask).await?
    } else {
        body::expect_media(&ask.req, "application/json")?;
        let bytes = ask.body(ask.edge.settings.batch_bytes_max).await?;
        // Only a filter by source reads what follows the ledger at a distance.
        super::contacts::caught_up(&ask.edge).await?;
        ask.edge.blocking.run(move || whole(&edge, &bytes)).await??
    };
    let edge = Arc::clone(&ask.edge);
    let answer = ask.edge.blocking.run(move || answer(&edge, &asked, &counted, as_of)).await??;
    Ok(HttpResponse::Ok().json(answer))
}

fn whole(edge: &Edge, bytes: &[u8]) -> Result<(Asked, Preview), Problem> {
    let body: PreviewBody<'_> = body::parse(bytes)?;
    let asked = asked(edge, &body)?;
    let mut preview = Preview::default();
    match (&body.recipients, &body.audience) {
        (Some(recipients), None) => {
            if recipients.len() > RECIPIENTS_MAX {
                let detail = format!("at most {RECIPIENTS_MAX} recipients; stream NDJSON for more");
                return Err(Problem::at(BODY_INVALID, "/recipients", detail));
            }
            for run in recipients.chunks(DECISIONS_AT_ONCE) {
                preview.count_named(edge, &asked, run)?;
            }
        }
        (None, Some(audience)) => preview.count_audience(edge, &asked, &audience.read()?)?,
        (Some(_), Some(_)) | (None, None) => {
            let detail = "name recipients or an audience, and not both";
            return Err(Problem::at(BODY_INVALID, "/recipients", detail));
        }
    }
    Ok((asked, preview))
}

fn asked(edge: &Edge, body: &PreviewBody<'_>) -> Result<Asked, Problem> {
    let region = person::region(edge, body.region.as_deref(), "/region")?;
    let question = question(
        body.kind,
        body.template.as_deref(),
        body.language.as_deref(),
        body.topic.as_deref(),
        body.sender.as_deref(),
    )?;
    question.resolve(&*edge.views().state(), edge.clock.now())?;
    Ok(Asked { question, region })
}

/// Reads lines, as many at a time as one run decides.
async fn stream(ask: &mut Ask) -> Result<(Asked, Preview), Problem> {
    let payload = ask.stream();
    let payload = payload.ok_or_else(|| Problem::new(BODY_INVALID, "the body was read already"))?;
    let deadline = ask.edge.settings.request_deadline;
    let late = |_| Problem::new(REQUEST_TIMEOUT, "the next line did not arrive");
    let mut lines = Lines::of(payload);
    let first = tokio::time::timeout(deadline, lines.next()).await.map_err(late)??;
    let first = first.map_or(Ok(Bytes::new()), |line| line.content)?;
    let body: PreviewBody<'_> = body::parse(&first)?;
    if body.recipients.is_some() || body.audience.is_some() {
        let detail = "the lines after the first are the recipients of a stream";
        return Err(Problem::at(BODY_INVALID, "/recipients", detail));
    }
    let mut asked = asked(&ask.edge, &body)?;
    let mut preview = Preview::default();
    loop {
        let mut run = Vec::with_capacity(DECISIONS_AT_ONCE);
        let mut is_last = false;
        while !is_last && run.len() < DECISIONS_AT_ONCE {
            match tokio::time::timeout(deadline, lines.next()).await.map_err(late)?? {
                Some(line) => run.push(line.content.unwrap_or_default()),
                None => is_last = true,
            }
        }
        let edge = Arc::clone(&ask.edge);
        let work = move || {
            let recipients: Vec<Option<Recipient<'_>>> =
                run.iter().map(|line| body::parse_line(line)).collect();
            let unreadable = recipients.iter().filter(|recipient| recipient.is_none()).count();
            (0..unreadable).for_each(|_| preview.tally.count_unreadable());
            let named: Vec<_> = recipients.into_iter().flatten().collect();
            preview.count_named(&edge, &asked, &named)?;
            Ok::<_, Problem>((asked, preview))
        };
        (asked, preview) = ask.edge.blocking.run(work).await??;
        if is_last {
            return Ok((asked, preview));
        }
    }
}

impl Preview {
    /// Counts people named by their numbers.
    fn count_named(
        &mut self,
        edge: &Edge,
        asked: &Asked,
        recipients: &[Recipient<'_>],
    ) -> Result<(), Problem> {
        let read = |one: &Recipient<'_>| read(edge, &one.number, asked.region).1;
        let whom: Vec<_> = recipients.iter().map(read).collect();
        let now = edge.clock.now();
        let state = edge.views().state();
        let resolved = asked.question.resolve(&*state, now)?;
        for whom in &whom {
            let judged = judge(edge, &state, &resolved, whom, now);
            if self.is_repeated(judged.contact(), whom) {
                self.duplicates += 1;
                continue;
            }
            let who = (judged.contact(), whom.key());
            self.count(&resolved, who, edge.rules.session, (&judged.verdict, now));
        }
        Ok(())
    }

    /// Counts everybody whom a filter means.
    fn count_audience(
        &mut self,
        edge: &Edge,
        asked: &Asked,
        audience: &Audience,
    ) -> Result<(), Problem> {
        audience.visit(edge, |state, now, contacts| {
            let resolved = asked.question.resolve(state, now)?;
            for contact in contacts {
                let whom = (Some(*contact), contact.number_key);
                let verdict = resolved.judge(whom, edge.rules.session, now);
                self.count(&resolved, whom, edge.rules.session, (&verdict, now));
            }
            Ok(())
        })
    }

    /// Returns whether this person was counted before, by whatever spelling of their number. An
    /// error in 64 bits of a random name is less likely than one of the disk.
    fn is_repeated(&mut self, contact: Option<&Contact>, whom: &Whom) -> bool {
        let bits = match (contact, whom) {
            (Some(contact), _) => contact.id.as_uuid().as_u128(),
            (None, Whom::Key(key)) => key.bits(),
            (None, Whom::Nobody) => return false,
        };
        let name = u64::try_from(bits & u128::from(u64::MAX)).unwrap_or_default();
        if self.seen.contains(&name) {
            return true;
        }
        if self.seen.len() < PREVIEW_PEOPLE_MAX {
            self.seen.insert(name);
        } else {
            self.has_forgotten = true;
        }
        false
    }

    fn count(
        &mut self,
        resolved: &Resolved,
        whom: (Option<&Contact>, Option<ContactKey>),
        policy: SessionPolicy,
        (verdict, now): (&Verdict, Timestamp),
    ) {
        let others = || verdict.hits.iter().filter(|hit| !is_planned(hit));
        self.tally.count(others().map(|hit| hit.reason));
        if others().next().is_none() {
            self.queue.add(resolved.spared(whom, (verdict, policy), now));
        } else if let Some(at) =
            resolved.eligible_from(whom, policy, (verdict, now), |hit| !is_planned(hit))
        {
            *self.later.entry(at.unix_ms().div_euclid(DAY_MS)).or_default() += 1;
        }
    }
}

fn answer(
    edge: &Edge,
    asked: &Asked,
    counted: &Preview,
    as_of: Seq,
) -> Result<PreviewAnswer, Problem> {
    let now = edge.clock.now();
    let state = edge.views().state();
    let resolved = asked.question.resolve(&*state, now)?;
    let later = counted.later.iter().map(|(day, count)| LaterBody {
        day: Moment(Timestamp::from_unix_ms(day.saturating_mul(DAY_MS))),
        count: *count,
    });
    Ok(PreviewAnswer {
        as_of,
        totals: counted.tally.totals(),
        duplicates: counted.duplicates,
        duplicates_exact: !counted.has_forgotten,
        new_recipients: counted.queue.new_recipients(),
        plan: Rooms::of(&state, &resolved, now).map(|rooms| rooms.plan(&counted.queue, now)),
        later: later.collect(),
    })
}
