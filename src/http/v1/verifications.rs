//! `/v1/verifications`: is a number on WhatsApp? Traffic answers first, then the cache, and a
//! provider only within the budget.

use std::sync::Arc;

use actix_web::HttpResponse;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    domain::contact::LookupState,
    http::{
        edge::{Ask, Submitted},
        person,
        problem::{BODY_INVALID, Problem},
        quota,
        v1::lookups::{self, BudgetBody, Known, Wait},
        wire::Moment,
    },
    limits::LOOKUPS_MAX,
};

/// Which numbers to look up.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VerificationsBody {
    /// Numbers, in any written form; at most 100.
    numbers: Vec<String>,
    /// The region of numbers without `+`.
    region: Option<String>,
}

/// What is known of each number, in the order asked.
#[derive(Debug, Serialize, ToSchema)]
pub struct VerificationsAnswer<'a> {
    /// One per number.
    results: Vec<ResultBody<'a>>,
    /// What is left.
    budget: BudgetBody,
}

/// What is known of one number.
#[derive(Debug, Serialize, ToSchema)]
pub struct ResultBody<'a> {
    /// As it was written.
    input: &'a str,
    /// The number, in E.164; `null` if it is none.
    number: Option<Box<str>>,
    /// `registered`, `not_registered`, `in_progress` or `unknown`.
    #[schema(value_type = String)]
    state: LookupState,
    /// How it is known: `traffic`, `cache`, `provider`, or `none`.
    source: &'static str,
    /// Why nothing is known, where nothing is: `invalid_number`, `not_opted_in`, `undeliverable`,
    /// `no_provider`, `breaker_open`, `asked_before`, `unsupported_number` (the provider takes no
    /// such number), or what went wrong at the provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    /// The number as WhatsApp writes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    wa_id: Option<Box<str>>,
    /// When it was found out.
    checked_at: Option<Moment>,
}

/// Looks numbers up: from traffic, from the cache, and only then from the provider, all or none.
/// A repeat under the same idempotency key asks nobody again and tells what is known by then.
#[utoipa::path(post, path = "/v1/verifications", tag = "verification",
    request_body = VerificationsBody, responses((status = 200, body = VerificationsAnswer<'static>)))]
pub(crate) async fn create(mut ask: Ask) -> Result<HttpResponse, Problem> {
    let (body, bytes) = ask.json::<VerificationsBody>().await?;
    if body.numbers.is_empty() || body.numbers.len() > LOOKUPS_MAX {
        let detail = format!("1 to {LOOKUPS_MAX} numbers");
        return Err(Problem::at(BODY_INVALID, "/numbers", detail));
    }
    let edge = Arc::clone(&ask.edge);
    let region = person::region(&edge, body.region.as_deref(), "/region")?;
    let found: Vec<_> =
        body.numbers.iter().map(|text| person::number(&edge, text, region).ok()).collect();
    let once = ask.once(&bytes)?;
    let told = lookups::look_up(&ask, &found, once, Wait::ForAnswers).await?;
    let now = edge.clock.now();
    let numbers = found.iter().map(|number| number.as_ref().map(|found| found.number.as_e164()));
    let results = body.numbers.iter().zip(numbers).zip(told.known(&found, now));
    let results = results.map(|((input, number), known)| {
        let Known { state, source, reason, wa_id, checked_at } = known;
        let (number, checked_at) = (number.map(Box::from), checked_at.map(Moment));
        ResultBody { input, number, state, source, reason, wa_id, checked_at }
    });
    let results = results.collect();
    let budget = BudgetBody::read(&edge, now);
    let quota = budget.quota(now);
    let mut response = HttpResponse::Ok().json(VerificationsAnswer { results, budget });
    quota::show(&[quota], response.headers_mut());
    Submitted { entries: Vec::new(), is_replay: told.is_replay }.mark(&mut response);
    Ok(response)
}

/// Shows the look-up budget.
#[utoipa::path(get, path = "/v1/verifications/budget", tag = "verification",
    responses((status = 200, body = BudgetBody)))]
pub(crate) async fn budget(ask: Ask) -> Result<HttpResponse, Problem> {
    let now = ask.edge.clock.now();
    let body = BudgetBody::read(&ask.edge, now);
    let quota = body.quota(now);
    let mut response = HttpResponse::Ok().json(body);
    quota::show(&[quota], response.headers_mut());
    Ok(response)
}
