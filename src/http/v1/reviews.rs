//! `/v1/reviews`: what may be an answer about consent and is not certain, for people to decide.

use std::{sync::Arc, time::Duration};

use actix_web::HttpResponse;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    domain::{
        command::Command,
        entry::Seq,
        event::Event,
        hearing::{DecideReview, More, Review, ReviewDecision},
        ids::ContactId,
        names::SenderId,
        state::State,
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
};

/// Time for a page of reviews to be read from the ledger.
const READ_WITHIN: Duration = Duration::from_secs(5);

/// Open reviews, the oldest first.
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
}

/// What came up without a review of its own.
#[derive(Debug, Serialize, ToSchema)]
pub struct MoreBody {
    /// How many messages. Each is an entry of its own in the person's history.
    count: u32,
    /// When the last of them was written.
    last_at: Moment,
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

fn shown(state: &State, id: Seq, review: &Review) -> ReviewBody {
    let Review { contact, why, word, scope, at, more } = review;
    let place = state.contacts().resolve(*contact);
    ReviewBody {
        id,
        contact: state.contacts().get(place).map(|contact| contact.id),
        why: why.clone(),
        word: word.clone(),
        scope: scope.clone(),
        happened_at: Moment(*at),
        message_id: None,
        sender: None,
        more: more.map(|More { count, last_at }| MoreBody { count, last_at: Moment(last_at) }),
    }
}

/// Returns so many open reviews from one on, and what asks for the next ones.
fn open_from(edge: &Edge, from: Seq, limit: usize) -> (Vec<ReviewBody>, Option<String>) {
    let state = edge.views().state();
    let mut reviews = state.reviews_from(from);
    let data = reviews.by_ref().take(limit).map(|(id, review)| shown(&state, id, review)).collect();
    (data, reviews.next().map(|(next, _)| next.0.to_string()))
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

/// Lists what is open, the oldest first.
#[utoipa::path(get, path = "/v1/reviews", tag = "reviews",
    params(("limit" = Option<usize>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = ReviewsBody)))]
pub(crate) async fn list(ask: Ask) -> Result<HttpResponse, Problem> {
    let query = Query::read(&ask.req, &["limit", "cursor"])?;
    let limit = query.limit("limit", PAGE_DEFAULT, PAGE_MAX)?;
    let from = match query.get("cursor").map(str::parse::<u64>) {
        None => 0,
        Some(Ok(from)) => from,
        Some(Err(_)) => return Err(Problem::at(CURSOR_INVALID, "?cursor", "no cursor of ours")),
    };
    let edge = Arc::clone(&ask.edge);
    let read = move || {
        let (mut data, next_cursor) = open_from(&edge, Seq(from), limit);
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
