//! Answering whether numbers are on WhatsApp, for every call that asks: what is known already, then
//! what a provider says, and only within the budget.
//!
//! Knows no request and no reply; the calls do, each in its own shape.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    domain::{
        command::{Command, Envelope, NumberIdentifier, Once, RequestLookups},
        contact::LookupState,
        decide::{LookupPlan, plan_lookup},
        event::Event,
        governor::{Budget, Levels},
        ids::LookupId,
        refusal::Refusal,
        time::Timestamp,
    },
    effects::lookups::Concluded,
    http::{
        edge::{Ask, Edge},
        problem::{LOOKUP_BUDGET_SPENT, Problem},
        quota::Quota,
        wire::Moment,
    },
    ledger::handle::{Outcome, SubmitError},
    providers::BreakerState,
};

/// Nobody is there to be asked.
const NO_PROVIDER: &str = "no_provider";

/// The provider is given a pause.
const BREAKER_OPEN: &str = "breaker_open";

/// The look-up under this idempotency key brought nothing, and a repeat does not ask again.
const ASKED_BEFORE: &str = "asked_before";

/// The rule, in words.
const POLICY: &str = "look-ups <= messages sent to people looked up + starting allowance";

/// The look-up budget.
#[derive(Debug, Serialize, ToSchema)]
pub struct BudgetBody {
    /// The rule, in words.
    policy: &'static str,
    /// The window in seconds.
    window_s: i64,
    /// Look-ups that need no message.
    starting_allowance: u32,
    /// Look-ups in the window.
    used: u64,
    /// Look-ups the window allows.
    earned: u64,
    /// Look-ups that may be made now.
    left: u64,
    /// Those of them that may be made by asking for several numbers at once; the rest is kept for
    /// single look-ups.
    left_for_several: u64,
    /// `green`, `amber` or `red`: how much of what is allowed is used. At red nothing is left for
    /// several numbers at once.
    level: &'static str,
    /// The share in percent at which amber begins.
    amber_percent: u8,
    /// The share in percent at which red begins.
    red_percent: u8,
    /// People found on WhatsApp and never written to since: what gets accounts banned.
    verified_not_contacted: u64,
    /// When the next look-up is free, if none is left and waiting is enough.
    next_free_at: Option<Moment>,
    /// The shape of the provider that is asked.
    provider: Option<&'static str>,
    /// Whether the provider may be asked: `closed` is yes.
    breaker: Option<&'static str>,
}

impl BudgetBody {
    /// Reads what is left at `now`.
    pub(crate) fn read(edge: &Edge, now: Timestamp) -> Self {
        let policy = &edge.rules.lookup;
        let (budget, frees_at) = {
            let state = edge.views().state();
            let budget = state.governor().budget(policy, now);
            (budget, state.governor().frees_at(policy, 1, now))
        };
        let Budget { used, earned, left, left_for_several, level, uncontacted } = budget;
        let levels: Levels = policy.levels;
        Self {
            policy: POLICY,
            window_s: policy.window_ms / 1_000,
            starting_allowance: policy.starting_allowance,
            used,
            earned,
            left,
            left_for_several,
            level: level.as_str(),
            amber_percent: levels.amber_percent(),
            red_percent: levels.red_percent(),
            verified_not_contacted: uncontacted,
            next_free_at: frees_at.filter(|_| left == 0).map(Moment),
            provider: edge.lookups.provider_name(),
            breaker: edge.lookups.breaker().map(BreakerState::as_str),
        }
    }

    /// Returns it as the quota that headers tell.
    pub(crate) fn quota(&self, now: Timestamp) -> Quota {
        Quota {
            name: "lookups",
            quota: self.earned,
            window_s: u64::try_from(self.window_s).unwrap_or(0),
            left: self.left,
            reset_s: self.next_free_at.map(|Moment(at)| seconds_until(at, now)),
        }
    }
}

/// Whether a call waits for the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    /// Until every look-up has ended.
    ForAnswers,
    /// Not at all: whoever wants to know asks again.
    ForNothing,
}

/// What became of the numbers of one request.
#[derive(Debug)]
pub(crate) struct Told {
    /// How each can be answered for now.
    plans: Vec<Option<LookupPlan>>,
    /// How the look-ups made for it ended, by number.
    concluded: BTreeMap<Box<str>, Concluded>,
    /// Why nobody is asked about those that have neither.
    held_back: &'static str,
    /// Whether it repeats an earlier, equal request.
    pub(crate) is_replay: bool,
}

/// What is known of one number.
#[derive(Debug)]
pub(crate) struct Known {
    /// Whether it is on WhatsApp.
    pub(crate) state: LookupState,
    /// How that is known.
    pub(crate) source: &'static str,
    /// Why nothing is known, where nothing is.
    pub(crate) reason: Option<&'static str>,
    /// The number as WhatsApp wrote it just now.
    pub(crate) wa_id: Option<Box<str>>,
    /// When it was found out.
    pub(crate) checked_at: Option<Timestamp>,
}

impl Told {
    /// Returns what is known at `now` of each number of the request, in its order.
    pub(crate) fn known<'a>(
        &'a self,
        found: &'a [Option<NumberIdentifier>],
        now: Timestamp,
    ) -> impl Iterator<Item = Known> + 'a {
        found.iter().zip(&self.plans).map(move |(number, plan)| {
            let concluded =
                number.as_ref().and_then(|number| self.concluded.get(number.number.as_e164()));
            self.one(*plan, concluded, now)
        })
    }

    fn one(
        &self,
        plan: Option<LookupPlan>,
        concluded: Option<&Concluded>,
        now: Timestamp,
    ) -> Known {
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
            (Some(LookupPlan::Ask), None) => {
                (LookupState::Unknown, "none", Some(self.held_back), None)
            }
        };
        let wa_id = concluded.and_then(|concluded| concluded.wa_id.clone());
        Known { state, source, reason, wa_id, checked_at }
    }
}

fn plan(edge: &Edge, number: Option<&NumberIdentifier>, now: Timestamp) -> Option<LookupPlan> {
    let number = number?;
    let state = edge.views().state();
    let subject = state.contacts().find(number.key);
    let contact = subject.and_then(|subject| state.contacts().get(subject));
    Some(plan_lookup((contact, number.key), state.registry(), &edge.rules.lookup, now))
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

/// Reserves the look-ups that are needed, all or none, and performs them.
///
/// # Errors
///
/// [`LOOKUP_BUDGET_SPENT`], or what kept the ledger from taking them.
pub(crate) async fn look_up(
    ask: &Ask,
    found: &[Option<NumberIdentifier>],
    once: Option<Once>,
    wait: Wait,
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
    let request = RequestLookups { numbers, has_provider: edge.lookups.has_provider(), job: None };
    let envelope = Envelope {
        actor: ask.caller.actor.clone(),
        once,
        command: Command::RequestLookups(request),
    };
    match edge.ledger.submit(envelope).await {
        Ok(Outcome::Done(entries)) => {
            let reserved = entries.iter().filter_map(|entry| {
                let Event::LookupRequested(made) = &entry.record.event else {
                    return None;
                };
                Some((made.lookup, ids.get(&made.lookup)?.clone()))
            });
            let reserved = reserved.collect();
            let concluded = match wait {
                Wait::ForAnswers => edge.lookups.perform(reserved).await,
                Wait::ForNothing => {
                    drop(edge.lookups.start(reserved));
                    Vec::new()
                }
            };
            for concluded in concluded {
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
    let budget = BudgetBody::read(edge, now);
    let wait_s = |at: Timestamp| seconds_until(at, now).max(1);
    let quota = Quota { reset_s: frees_at.map(wait_s), ..budget.quota(now) };
    let body = serde_json::to_value(budget).unwrap_or_default();
    let several = if wanted > 1 { " for several at once" } else { "" };
    let detail = format!("{wanted} needed, {left} left{several}");
    let problem = Problem::new(LOOKUP_BUDGET_SPENT, detail)
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
