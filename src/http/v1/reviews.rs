//! `/v1/reviews`: what may be an answer about consent and is not certain, for people to decide.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use actix_web::HttpResponse;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    domain::{
        command::Command,
        eligibility::stop_due,
        entry::Seq,
        event::Event,
        hearing::{DecideReview, More, Review, ReviewDecision},
        ids::ContactId,
        names::SenderId,
        state::State,
        time::Timestamp,
    },
    http::{
        edge::{Ask, Edge},
        problem::{BODY_INVALID, CURSOR_INVALID, INTERNAL, Problem},
        query::{Query, refuse},
        v1::opt_ins,
        webhooks::effects,
        wire::{self, Moment, ReceiptBody},
    },
    ledger::sealer::Content,
    limits::{PAGE_DEFAULT, PAGE_MAX},
    policy::RuleRef,
};

/// Time for a page of reviews to be read from the ledger.
const READ_WITHIN: Duration = Duration::from_secs(5);

/// Open reviews.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReviewsBody {
    /// Some of them.
    data: Vec<ReviewBody>,
    /// Asks for the next ones; `null` when there are none.
    next_cursor: Option<String>,
}

/// Something that people have to look at.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReviewBody {
    /// Its id: the position of the entry that opened it.
    #[schema(value_type = u64)]
    id: Seq,
    /// Whom it is about. `GET /v1/contacts/{ref}` shows the person.
    #[schema(value_type = Option<String>, format = Uuid)]
    contact: Option<ContactId>,
    /// Why it is not certain, such as `typo`, `in_sentence`, `forwarded` or `yes_late`: an open
    /// set, listed in `docs/reviews.md`.
    #[schema(example = "typo")]
    why: Box<str>,
    /// The listed word it may be; the payload, or the entry points, that are ambiguous. What the
    /// person wrote is not kept.
    word: Option<Box<str>>,
    /// What that word would mean: `everything` or `marketing`.
    scope: Option<Box<str>>,
    /// When the person wrote.
    happened_at: Moment,
    /// The message, as WhatsApp names it: your inbox has it under this id.
    message_id: Option<Box<str>>,
    /// The sender it was written to.
    #[schema(value_type = Option<String>)]
    sender: Option<SenderId>,
    /// Messages of this person that came while they had 20 reviews open: only the newest of these
    /// has it. Absent if there were none.
    #[serde(skip_serializing_if = "Option::is_none")]
    more: Option<MoreBody>,
    /// By when it has to be decided, if it may be a STOP: what counts is the shortest deadline of
    /// the policy in force for the person's country.
    due_at: Option<Moment>,
    /// The rule that sets that, as `pack@version/rule`.
    due_by: Option<String>,
    /// Whether that is over. Unless policy says otherwise, marketing to the person waits until
    /// somebody decides.
    overdue: bool,
}

/// What came up without a review of its own.
#[derive(Debug, Serialize, ToSchema)]
pub struct MoreBody {
    /// How many messages. Each is an entry of its own in the person's history.
    count: u32,
    /// When the last of them was written.
    last_at: Moment,
}

/// Where a review stands in the order that is asked for.
type Place = (i64, Seq);

/// Which open reviews are asked for.
struct Wanted {
    /// Whether what is due first comes first; else what was opened first.
    by_due: bool,
    /// Whether only what is overdue, or only what is not.
    overdue: Option<bool>,
    /// The first one.
    from: Place,
    limit: usize,
}

/// What an answer means.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReviewDecisionBody {
    /// `opt_out`, `opt_in` or `nothing`.
    #[schema(value_type = String, example = "opt_out")]
    decision: ReviewDecision,
    /// About what. Left out, an opt-out is from everything; an opt-in needs at least one.
    topics: Option<Vec<String>>,
    /// Why, for whoever reads the ledger.
    note: Option<String>,
}

/// What a decision led to.
#[derive(Debug, Serialize, ToSchema)]
pub struct DecidedBody {
    /// The review.
    #[schema(value_type = u64)]
    id: Seq,
    /// What was decided.
    #[schema(value_type = String)]
    decision: ReviewDecision,
    /// The types of the entries made, in their order.
    effects: Vec<&'static str>,
    /// Proof that the decision is in the ledger; `null` when it had been made before.
    receipt: Option<ReceiptBody>,
}

fn shown(state: &State, (id, review): (Seq, &Review), now: Timestamp) -> ReviewBody {
    let Review { contact, why, word, scope, under: _, at, stop_at: _, more } = review;
    let contact = state.contacts().get(state.contacts().resolve(*contact));
    let due = due(state, review);
    ReviewBody {
        id,
        contact: contact.map(|contact| contact.id),
        why: why.clone(),
        word: word.clone(),
        scope: scope.clone(),
        happened_at: Moment(*at),
        message_id: None,
        sender: None,
        more: more.map(|More { count, last_at }| MoreBody { count, last_at: Moment(last_at) }),
        due_at: due.as_ref().map(|(at, _)| Moment(*at)),
        overdue: due.as_ref().is_some_and(|(at, _)| *at <= now),
        due_by: due.map(|(_, rule)| rule.to_string()),
    }
}

/// Returns by when a review has to be decided, if it may be a STOP, and the rule that says so.
fn due(state: &State, review: &Review) -> Option<(Timestamp, RuleRef)> {
    let wrote_at = review.stop_at?;
    let contact = state.contacts().get(state.contacts().resolve(review.contact));
    let home = contact.map(|contact| contact.home).unwrap_or_default();
    Some(stop_due(&state.registry().policy().policy, home, wrote_at))
}

/// Returns how many reviews are open, and how many of them overdue.
pub(crate) fn count(state: &State, now: Timestamp) -> (usize, usize) {
    state.reviews_from(Seq(0)).fold((0, 0), |(open, overdue), (_, review)| {
        let is_overdue = due(state, review).is_some_and(|(at, _)| at <= now);
        (open + 1, overdue + usize::from(is_overdue))
    })
}

/// Returns so many open reviews from one on, and what asks for the next ones.
fn open_from(edge: &Edge, wanted: &Wanted) -> (Vec<ReviewBody>, Option<String>) {
    let now = edge.clock.now();
    let state = edge.views().state();
    let first = if wanted.by_due { Seq(0) } else { wanted.from.1 };
    let placed = state.reviews_from(first).filter_map(|(id, review)| {
        let due_ms = due(&state, review).map(|(at, _)| at.unix_ms());
        let is_overdue = due_ms.is_some_and(|at| at <= now.unix_ms());
        let place = (if wanted.by_due { due_ms.unwrap_or(i64::MAX) } else { 0 }, id);
        let is_asked_for = wanted.overdue.is_none_or(|overdue| overdue == is_overdue);
        (is_asked_for && place >= wanted.from).then_some((place, review))
    });
    let page = first_of(placed, wanted.limit.saturating_add(1), wanted.by_due);
    let data = page.iter().take(wanted.limit);
    let data = data.map(|((_, id), review)| shown(&state, (*id, review), now)).collect();
    let next = page.get(wanted.limit).map(|((due_ms, id), _)| {
        if wanted.by_due { format!("{due_ms}.{}", id.0) } else { id.0.to_string() }
    });
    (data, next)
}

/// Returns the first so many, in order; those that come in order are not looked through.
fn first_of<'a>(
    placed: impl Iterator<Item = (Place, &'a Review)>,
    count: usize,
    by_due: bool,
) -> Vec<(Place, &'a Review)> {
    if !by_due {
        return placed.take(count).collect();
    }
    let mut first = BTreeMap::new();
    for (place, review) in placed {
        first.insert(place, review);
        if first.len() > count {
            first.pop_last();
        }
    }
    first.into_iter().collect()
}

fn cursor(text: &str, by_due: bool) -> Option<Place> {
    match (by_due, text.split_once('.')) {
        (true, Some((due_ms, id))) => Some((due_ms.parse().ok()?, Seq(id.parse().ok()?))),
        (false, None) => Some((0, Seq(text.parse().ok()?))),
        (true, None) | (false, Some(_)) => None,
    }
}

fn order(text: &str) -> Result<bool, &'static str> {
    match text {
        "due" => Ok(true),
        "opened" => Ok(false),
        _ => Err("opened or due"),
    }
}

fn truth(text: &str) -> Result<bool, &'static str> {
    text.parse().map_err(|_not_a_truth| "true or false")
}

/// Adds what only the ledger keeps: by which message it came, and to whom.
fn complete(edge: &Edge, reviews: &mut [ReviewBody]) -> Result<(), Problem> {
    let internal = |error: &dyn std::fmt::Display| Problem::new(INTERNAL, error.to_string());
    for review in reviews {
        let entry = edge.log.entry(review.id).map_err(|error| internal(&error))?;
        let Some(entry) = entry else { continue };
        let content = edge.sealer.read(&entry).map_err(|error| internal(&error))?;
        if let Content::Open { record, .. } = content
            && let Event::ReviewOpened(opened) = record.event
        {
            (review.message_id, review.sender) = (opened.message_id, opened.sender);
        }
    }
    Ok(())
}

/// Lists what is open.
#[utoipa::path(get, path = "/v1/reviews", tag = "reviews",
    params(("limit" = Option<usize>, Query), ("cursor" = Option<String>, Query),
    ("order" = Option<String>, Query, description = "opened, the default: the oldest first; or \
    due: what has to be decided first, and last what may be no STOP"),
    ("overdue" = Option<bool>, Query, description = "Only what is overdue, or only what is not")),
    responses((status = 200, body = ReviewsBody)))]
pub(crate) async fn list(ask: Ask) -> Result<HttpResponse, Problem> {
    let query = Query::read(&ask.req, &["limit", "cursor", "order", "overdue"])?;
    let limit = query.limit("limit", PAGE_DEFAULT, PAGE_MAX)?;
    let by_due = query.parse("order", order)?.unwrap_or(false);
    let overdue = query.parse("overdue", truth)?;
    let from = match query.get("cursor").map(|text| cursor(text, by_due)) {
        None => (i64::MIN, Seq(0)),
        Some(Some(from)) => from,
        Some(None) => return Err(Problem::at(CURSOR_INVALID, "?cursor", "no cursor of ours")),
    };
    let edge = Arc::clone(&ask.edge);
    let read = move || {
        let (mut data, next_cursor) = open_from(&edge, &Wanted { by_due, overdue, from, limit });
        complete(&edge, &mut data).map(|()| ReviewsBody { data, next_cursor })
    };
    let body = ask.edge.blocking.run_within(READ_WITHIN, read).await??;
    Ok(HttpResponse::Ok().json(body))
}

/// Decides what an answer means. A withdrawal counts from the moment the person wrote.
#[utoipa::path(post, path = "/v1/reviews/{id}", tag = "reviews", request_body = ReviewDecisionBody,
    params(("id" = u64, Path)), responses((status = 200, body = DecidedBody)))]
pub(crate) async fn decide(mut ask: Ask) -> Result<HttpResponse, Problem> {
    let id = ask.segment("id").parse::<u64>();
    let id = id.map_err(|error| refuse("id", error.to_string()))?;
    let (body, bytes) = ask.json::<ReviewDecisionBody>().await?;
    let topics = body.topics.as_deref().map(opt_ins::topics).transpose()?;
    match (body.decision, &topics) {
        (ReviewDecision::OptIn, None) => {
            return Err(Problem::at(BODY_INVALID, "/topics", "an opt-in is to at least one topic"));
        }
        (ReviewDecision::Nothing, Some(_)) => {
            let detail = "nothing is about no topic; leave it out";
            return Err(Problem::at(BODY_INVALID, "/topics", detail));
        }
        (ReviewDecision::OptIn, Some(_))
        | (ReviewDecision::OptOut, _)
        | (ReviewDecision::Nothing, None) => {}
    }
    let command = DecideReview {
        review: Seq(id),
        decision: body.decision,
        topics,
        note: wire::optional_text(body.note, "/note")?,
    };
    let once = ask.once(&bytes)?;
    let submitted = ask.submit(Command::DecideReview(Box::new(command)), once).await?;
    let effects = submitted.entries.iter().map(|entry| effects::name(&entry.record.event));
    let mut response = HttpResponse::Ok().json(DecidedBody {
        id: Seq(id),
        decision: body.decision,
        effects: effects.collect(),
        receipt: submitted.entries.first().map(ReceiptBody::of),
    });
    submitted.mark(&mut response);
    Ok(response)
}
