//! `/v1/verifications`: is a number on WhatsApp? Traffic answers first, then the cache, and a
//! provider only within the budget.

use std::{collections::BTreeMap, sync::Arc};

use actix_web::HttpResponse;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    domain::{
        command::{Command, Envelope, NumberIdentifier, Once, RequestLookups},
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
        edge::{Ask, Edge, Submitted},
        person,
        problem::{BODY_INVALID, LOOKUP_BUDGET_SPENT, Problem},
        quota::{self, Quota},
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

impl BudgetBody {
    fn quota(&self, now: Timestamp) -> Quota {
        Quota {
            name: "lookups",
            quota: self.earned,
            window_s: u64::try_from(self.window_s).unwrap_or(0),
            left: self.left,
            reset_s: self.next_free_at.map(|Moment(at)| seconds_until(at, now)),
        }
    }
}

/// Nobody is there to be asked.
const NO_PROVIDER: &str = "no_provider";

/// The provider is given a pause.
const BREAKER_OPEN: &str = "breaker_open";

/// The look-up under this idempotency key brought nothing, and a repeat does not ask again.
const ASKED_BEFORE: &str = "asked_before";

/// The rule, in words.
const POLICY: &str = "look-ups <= messages sent to people looked up + starting allowance";

/// What became of the numbers of one request.
struct Told {
    /// How each can be answered for now.
    plans: Vec<Option<LookupPlan>>,
    /// How the look-ups made for it ended, by number.
    concluded: BTreeMap<Box<str>, Concluded>,
    /// Why nobody is asked about those that have neither.
    held_back: &'static str,
    /// Whether it repeats an earlier, equal request.
    is_replay: bool,
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
    let told = look_up(&ask, &found, once).await?;
    let results =
        body.numbers.iter().zip(found.iter().zip(&told.plans)).map(|(input, (number, plan))| {
            let number = number.as_ref();
            let concluded = number.and_then(|number| told.concluded.get(number.number.as_e164()));
            result(&edge, input, number, *plan, concluded, told.held_back)
        });
    let results = results.collect();
    let budget = budget_body(&edge, edge.clock.now());
    let quota = budget.quota(edge.clock.now());
    let mut response = HttpResponse::Ok().json(VerificationsAnswer { results, budget });
    quota::show(&[quota], response.headers_mut());
    Submitted { entries: Vec::new(), is_replay: told.is_replay }.mark(&mut response);
    Ok(response)
}

/// Shows the look-up budget.
#[utoipa::path(get, path = "/v1/verifications/budget", tag = "verification",
    responses((status = 200, body = BudgetBody)))]
pub(crate) async fn budget(ask: Ask) -> Result<HttpResponse, Problem> {
    let body = budget_body(&ask.edge, ask.edge.clock.now());
    let quota = body.quota(ask.edge.clock.now());
    let mut response = HttpResponse::Ok().json(body);
    quota::show(&[quota], response.headers_mut());
    Ok(response)
}

fn plan(edge: &Edge, number: Option<&NumberIdentifier>, now: Timestamp) -> Option<LookupPlan> {
    let number = number?;
    let state = edge.views().state();
    let subject = state.contacts().find(number.key);
    let contact = subject.and_then(|subject| state.contacts().get(subject));
    Some(plan_lookup(contact, &edge.rules.lookup, now))
}

/// Returns how many of the numbers that need it the provider may be asked about now, and why no
/// more.
fn room(edge: &Edge) -> (usize, &'static str) {
    match edge.lookups.breaker() {
        None => (0, NO_PROVIDER),
        Some(BreakerState::Open { .. }) => (0, BREAKER_OPEN),
        // One question decides what comes next; the others would only be turned away.
        Some(BreakerState::HalfOpen) => (1, BREAKER_OPEN),
        Some(BreakerState::Closed) => (usize::MAX, BREAKER_OPEN),
    }
}

/// Reserves the look-ups that are needed and performs them.
async fn look_up(
    ask: &Ask,
    found: &[Option<NumberIdentifier>],
    once: Option<Once>,
) -> Result<Told, Problem> {
    let edge = &ask.edge;
    let now = edge.clock.now();
    let mut plans: Vec<_> = found.iter().map(|number| plan(edge, number.as_ref(), now)).collect();
    let (room, held_back) = room(edge);
    let mut told =
        Told { plans: Vec::new(), concluded: BTreeMap::new(), held_back, is_replay: false };
    let (mut ids, mut numbers) = (BTreeMap::new(), Vec::new());
    let mut asked = vec![false; found.len()];
    for ((number, plan), is_asked) in found.iter().zip(&plans).zip(&mut asked) {
        let Some(number) = number.as_ref().filter(|_| *plan == Some(LookupPlan::Ask)) else {
            continue;
        };
        if numbers.len() < room {
            let lookup = LookupId::from_uuid(edge.ids.next());
            ids.insert(lookup, number.number.clone());
            numbers.push((number.key, lookup));
            *is_asked = true;
        }
    }
    // A repeated request needs nothing any more, and must be known as such.
    if numbers.is_empty() && once.is_none() {
        return Ok(Told { plans, ..told });
    }
    let request = RequestLookups { numbers, has_provider: edge.lookups.has_provider() };
    let envelope = Envelope {
        actor: ask.caller.actor.clone(),
        once,
        command: Command::RequestLookups(request),
    };
    match edge.ledger.submit(envelope).await {
        Ok(Outcome::Done(entries)) => {
            let reserved = entries.iter().filter_map(|entry| {
                let Event::LookupRequested { lookup } = &entry.record.event else { return None };
                Some((*lookup, ids.get(lookup)?.clone()))
            });
            for concluded in edge.lookups.perform(reserved.collect()).await {
                if let Some(number) = ids.get(&concluded.lookup) {
                    told.concluded.insert(number.as_e164().into(), concluded);
                }
            }
        }
        Ok(Outcome::DoneBefore { .. }) => {
            (told.is_replay, told.held_back) = (true, ASKED_BEFORE);
        }
        Err(SubmitError::Refused(refusal)) => return Err(over_budget(edge, *refusal)),
        Err(error) => return Err(error.into()),
    }
    // What got no look-up of this request was another one's when it was decided.
    let now = edge.clock.now();
    for ((number, plan), is_asked) in found.iter().zip(&mut plans).zip(asked) {
        if is_asked || told.is_replay {
            let again = self::plan(edge, number.as_ref(), now);
            let is_lost = again == Some(LookupPlan::Ask) && !told.is_replay;
            *plan = if is_lost { Some(LookupPlan::UnderWay) } else { again };
        }
    }
    Ok(Told { plans, ..told })
}

fn over_budget(edge: &Edge, refusal: Refusal) -> Problem {
    let Refusal::LookupBudget { wanted, left, frees_at } = refusal else {
        return Problem::from(refusal);
    };
    let now = edge.clock.now();
    let budget = budget_body(edge, now);
    let wait_s = |at: Timestamp| seconds_until(at, now).max(1);
    let quota = Quota { reset_s: frees_at.map(wait_s), ..budget.quota(now) };
    let body = serde_json::to_value(budget).unwrap_or_default();
    let problem = Problem::new(LOOKUP_BUDGET_SPENT, format!("{wanted} needed, {left} left"))
        .limited_by(quota)
        .with("violated-policies", vec!["lookups"])
        .with("wanted", wanted)
        .with("budget", body);
    match frees_at {
        Some(at) => problem.with("frees_at", at.to_rfc3339()).retry_after_s(wait_s(at)),
        None => problem.with("frees_at", serde_json::Value::Null),
    }
}

fn seconds_until(at: Timestamp, now: Timestamp) -> u64 {
    u64::try_from(at.ms_since(now).max(0)).unwrap_or(0).div_ceil(1_000)
}

fn result<'a>(
    edge: &Edge,
    input: &'a str,
    number: Option<&NumberIdentifier>,
    plan: Option<LookupPlan>,
    concluded: Option<&Concluded>,
    held_back: &'static str,
) -> ResultBody<'a> {
    let now = edge.clock.now();
    let (state, source, reason, checked_at) = match (plan, concluded) {
        (_, Some(concluded)) if concluded.was_asked => {
            (concluded.state, "provider", concluded.cause, Some(now))
        }
        (_, Some(concluded)) => (concluded.state, "none", concluded.cause, None),
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
        (Some(LookupPlan::Ask), None) => (LookupState::Unknown, "none", Some(held_back), None),
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
