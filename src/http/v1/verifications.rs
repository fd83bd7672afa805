//! `/v1/verifications`: is a number on WhatsApp? Traffic answers first, then the cache, and a
//! provider only within the budget.

use std::{collections::BTreeMap, sync::Arc};

use actix_web::HttpResponse;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    domain::{
        command::{Command, NumberIdentifier, RequestLookups},
        contact::LookupState,
        decide::{LookupPlan, plan_lookup},
        event::Event,
        governor::Budget,
        ids::LookupId,
        refusal::Refusal,
        time::Timestamp,
    },
    effects::lookups::Concluded,
    http::{
        edge::{Ask, Edge},
        person,
        problem::{BODY_INVALID, LOOKUP_BUDGET_SPENT, Problem},
        wire::Moment,
    },
    ledger::handle::{Outcome, SubmitError},
    limits::LOOKUPS_MAX,
    providers::BreakerState,
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
    /// Why nothing is known, where nothing is.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    /// The number as WhatsApp writes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    wa_id: Option<Box<str>>,
    /// When it was found out.
    checked_at: Option<Moment>,
}

/// The look-up budget.
#[derive(Debug, Serialize, ToSchema)]
pub struct BudgetBody {
    /// The rule, in words.
    policy: &'static str,
    /// Length of the moving window in seconds.
    window_s: i64,
    /// Look-ups that need no message.
    starting_allowance: u32,
    /// Look-ups in the window.
    used: u64,
    /// Look-ups the window allows: messages to people looked up, and the starting allowance.
    earned: u64,
    /// Look-ups that may be made now.
    left: u64,
    /// People found on WhatsApp and not written to since.
    verified_not_contacted: u64,
    /// When one more look-up is left, if waiting alone gets there and none is left now.
    next_free_at: Option<Moment>,
    /// The provider's shape; `null` if none is configured and only traffic and cache answer.
    provider: Option<&'static str>,
    /// Whether the provider may be asked: `closed` is yes.
    breaker: Option<&'static str>,
}

/// The rule, in words.
const POLICY: &str = "look-ups <= messages sent to people looked up + starting allowance";

/// Looks numbers up: from traffic, from the cache, and only then from the provider, all or none.
#[utoipa::path(post, path = "/v1/verifications", tag = "verification",
    request_body = VerificationsBody, responses((status = 200, body = VerificationsAnswer<'static>)))]
pub(crate) async fn create(mut ask: Ask) -> Result<HttpResponse, Problem> {
    let (body, _) = ask.json::<VerificationsBody>().await?;
    if body.numbers.is_empty() || body.numbers.len() > LOOKUPS_MAX {
        let detail = format!("1 to {LOOKUPS_MAX} numbers");
        return Err(Problem::at(BODY_INVALID, "/numbers", detail));
    }
    let edge = Arc::clone(&ask.edge);
    let region = person::region(&edge, body.region.as_deref(), "/region")?;
    let found: Vec<_> =
        body.numbers.iter().map(|text| person::number(&edge, text, region).ok()).collect();
    let planned_at = edge.clock.now();
    let before: Vec<_> =
        found.iter().map(|number| plan(&edge, number.as_ref(), planned_at)).collect();
    let concluded = look_up(&ask, &found, &before).await?;
    let results =
        body.numbers.iter().zip(found.iter().zip(&before)).map(|(input, (number, plan))| {
            let number = number.as_ref();
            let concluded = number.and_then(|number| concluded.get(number.number.as_e164()));
            result(&edge, input, number, *plan, concluded)
        });
    let results = results.collect();
    let budget = budget_body(&edge, edge.clock.now());
    Ok(HttpResponse::Ok().json(VerificationsAnswer { results, budget }))
}

/// Shows the look-up budget.
#[utoipa::path(get, path = "/v1/verifications/budget", tag = "verification",
    responses((status = 200, body = BudgetBody)))]
pub(crate) async fn budget(ask: Ask) -> Result<HttpResponse, Problem> {
    let body = budget_body(&ask.edge, ask.edge.clock.now());
    let mut response = HttpResponse::Ok();
    let quota = format!("\"lookups\";q={};w={}", body.earned, body.window_s);
    response.insert_header(("RateLimit-Policy", quota));
    response.insert_header(("RateLimit", format!("\"lookups\";r={}", body.left)));
    Ok(response.json(body))
}

fn plan(edge: &Edge, number: Option<&NumberIdentifier>, now: Timestamp) -> Option<LookupPlan> {
    let number = number?;
    let state = edge.views().state();
    let subject = state.contacts().find(number.key);
    let contact = subject.and_then(|subject| state.contacts().get(subject));
    Some(plan_lookup(contact, &edge.rules.lookup, now))
}

/// Reserves the look-ups that are needed, performs them, and returns how each ended, by number.
async fn look_up(
    ask: &Ask,
    found: &[Option<NumberIdentifier>],
    plans: &[Option<LookupPlan>],
) -> Result<BTreeMap<Box<str>, Concluded>, Problem> {
    let edge = &ask.edge;
    let open = matches!(edge.lookups.breaker(), Some(BreakerState::Open { .. }));
    let needed = found.iter().zip(plans).filter(|(_, plan)| **plan == Some(LookupPlan::Ask));
    let needed: Vec<_> = needed.filter_map(|(number, _)| number.as_ref()).collect();
    if needed.is_empty() || open || !edge.lookups.has_provider() {
        return Ok(BTreeMap::new());
    }
    let mut ids = BTreeMap::new();
    let mut numbers = Vec::with_capacity(needed.len());
    for number in needed {
        let lookup = LookupId::from_uuid(edge.ids.next());
        ids.insert(lookup, number.number.clone());
        numbers.push((number.key, lookup));
    }
    let request = RequestLookups { numbers, has_provider: true };
    let envelope = crate::domain::command::Envelope {
        actor: ask.caller.actor.clone(),
        once: None,
        command: Command::RequestLookups(request),
    };
    let entries = match edge.ledger.submit(envelope).await {
        Ok(Outcome::Done(entries)) => entries,
        Ok(Outcome::DoneBefore { .. }) => Vec::new(),
        Err(SubmitError::Refused(refusal)) => return Err(over_budget(edge, *refusal)),
        Err(error) => return Err(error.into()),
    };
    let reserved = entries.iter().filter_map(|entry| {
        let Event::LookupRequested { lookup } = &entry.record.event else { return None };
        Some((*lookup, ids.get(lookup)?.clone()))
    });
    let concluded = edge.lookups.perform(reserved.collect()).await;
    let by_number = concluded.into_iter().filter_map(|concluded| {
        let number = ids.get(&concluded.lookup)?;
        Some((Box::from(number.as_e164()), concluded))
    });
    Ok(by_number.collect())
}

fn over_budget(edge: &Edge, refusal: Refusal) -> Problem {
    let Refusal::LookupBudget { wanted, left, frees_at } = refusal else {
        return Problem::from(refusal);
    };
    let now = edge.clock.now();
    let body = serde_json::to_value(budget_body(edge, now)).unwrap_or_default();
    let problem = Problem::new(LOOKUP_BUDGET_SPENT, format!("{wanted} needed, {left} left"))
        .with("violated-policies", vec!["lookups"])
        .with("wanted", wanted)
        .with("budget", body);
    match frees_at {
        Some(at) => {
            let wait_s = u64::try_from(at.ms_since(now).max(0)).unwrap_or(0).div_ceil(1_000);
            problem.with("frees_at", at.to_rfc3339()).retry_after_s(wait_s.max(1))
        }
        None => problem.with("frees_at", serde_json::Value::Null),
    }
}

fn result<'a>(
    edge: &Edge,
    input: &'a str,
    number: Option<&NumberIdentifier>,
    plan: Option<LookupPlan>,
    concluded: Option<&Concluded>,
) -> ResultBody<'a> {
    let now = edge.clock.now();
    let (state, source, reason, checked_at) = match (plan, concluded) {
        (_, Some(concluded)) => (concluded.state, "provider", concluded.cause, Some(now)),
        (None, None) => (LookupState::Unknown, "none", Some("invalid_number"), None),
        (Some(LookupPlan::Traffic { state, at }), None) => {
            let is_known = state != LookupState::Unknown;
            (state, "traffic", (!is_known).then_some("undeliverable"), Some(at))
        }
        (Some(LookupPlan::Cached { state, at }), None) => (state, "cache", None, Some(at)),
        (Some(LookupPlan::UnderWay), None) => (LookupState::InProgress, "none", None, None),
        (Some(LookupPlan::NotOptedIn), None) => {
            (LookupState::Unknown, "none", Some("not_opted_in"), None)
        }
        (Some(LookupPlan::Ask), None) => {
            let has_provider = edge.lookups.has_provider();
            let reason = if has_provider { "breaker_open" } else { "no_provider" };
            (LookupState::Unknown, "none", Some(reason), None)
        }
    };
    ResultBody {
        input,
        number: number.map(|number| number.number.as_e164().into()),
        state,
        source,
        reason,
        wa_id: concluded.and_then(|concluded| concluded.wa_id.clone()),
        checked_at: checked_at.map(Moment),
    }
}

fn budget_body(edge: &Edge, now: Timestamp) -> BudgetBody {
    let policy = &edge.rules.lookup;
    let (budget, frees_at) = {
        let state = edge.views().state();
        let budget = state.governor().budget(policy, now);
        (budget, state.governor().frees_at(policy, 1, now))
    };
    let Budget { used, earned, left, uncontacted } = budget;
    BudgetBody {
        policy: POLICY,
        window_s: policy.window_ms / 1_000,
        starting_allowance: policy.starting_allowance,
        used,
        earned,
        left,
        verified_not_contacted: uncontacted,
        next_free_at: frees_at.filter(|_| left == 0).map(Moment),
        provider: edge.lookups.provider_name(),
        breaker: edge.lookups.breaker().map(BreakerState::as_str),
    }
}
