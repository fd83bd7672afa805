//! `/v1/policy`: which packs of rules count, what is added and switched off, and what a change
//! would do before it is one.

use std::{collections::BTreeMap, sync::Arc};

use actix_web::HttpResponse;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    domain::{
        command::{Command, RegistryCommand},
        contact::Contact,
        eligibility::{Question, Resolved},
        entry::{Seq, Subject},
        names::TopicId,
        reason::Reason,
        registry::PolicyInForce,
        ticket::MessageKind,
        time::Timestamp,
    },
    http::{
        edge::{Ask, Edge},
        problem::{BODY_INVALID, Problem},
        wire::ReceiptBody,
    },
    limits::DECISIONS_AT_ONCE,
    policy::{self, Overrides, Policy},
};

/// The policy that counts.
#[derive(Debug, Serialize, ToSchema)]
pub struct PolicyBody {
    /// What was chosen: packs by name, rules switched `off`, `rules` of your own, `settings`.
    #[schema(value_type = Object)]
    policy: Overrides,
    /// Every rule that counts, as `pack@version/rule`, with what it asks for and why.
    rules: Vec<RuleBody>,
    /// The packs there are.
    packs: Vec<PackBody>,
    /// The entry that recorded it; `null` while nobody put one.
    #[schema(value_type = Option<u64>)]
    seq: Option<Seq>,
    /// Proof that this change is in the ledger; absent when nothing changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    receipt: Option<ReceiptBody>,
}

/// A rule that counts.
#[derive(Debug, Serialize, ToSchema)]
pub struct RuleBody {
    /// `pack@version/rule`: what a refusal names.
    rule: String,
    /// What it asks for.
    asks: String,
    /// Why, for people.
    why: String,
    /// Where that is written.
    source: Option<String>,
}

/// A pack that is shipped.
#[derive(Debug, Serialize, ToSchema)]
pub struct PackBody {
    /// Its name.
    id: String,
    /// Its version.
    version: u32,
    /// For people.
    title: String,
    /// How many rules it has.
    rules: usize,
    /// Whether it counts.
    on: bool,
}

/// What a change of policy would do, for people and topics agreed to now.
#[derive(Debug, Serialize, ToSchema)]
pub struct SimulatedBody {
    /// The ledger's last entry when counting began.
    #[schema(value_type = u64)]
    as_of: Seq,
    /// People for whom something would change, each counted once.
    contacts_affected: u64,
    /// Whether what people agreed to would go along to the number they move to. That changes
    /// nothing for anybody now, only what follows when WhatsApp tells of the next move.
    consent_follows_number: Switch,
    /// The same by topic.
    topics: Vec<TopicEffect>,
}

/// A switch under both policies.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct Switch {
    /// Under the policy that counts.
    now: bool,
    /// Under the other one.
    then: bool,
}

/// What would change about one topic.
#[derive(Debug, Serialize, ToSchema)]
pub struct TopicEffect {
    /// Which.
    topic: String,
    /// People whose agreement to it is in force under the policy that counts.
    agreed: u64,
    /// Of all people, those a template of the topic could go to now and no more then.
    newly_refused: u64,
    /// Those it could go to then and not now.
    newly_eligible: u64,
    /// Why not any more; one person may have several reasons.
    by_reason: BTreeMap<&'static str, u64>,
}

fn shown(in_force: &PolicyInForce, receipt: Option<ReceiptBody>) -> PolicyBody {
    let rules = in_force.policy.iter().map(|(from, rule)| RuleBody {
        rule: from.to_string(),
        asks: rule.action().to_string(),
        why: rule.why().to_owned(),
        source: rule.source().map(ToOwned::to_owned),
    });
    let chosen = &in_force.overrides.packs;
    let packs = policy::packs().iter().map(|pack| {
        let choice = chosen.get(&pack.id).filter(|choice| choice.on);
        let on = choice.is_some_and(|choice| choice.version.is_none_or(|v| v == pack.version));
        PackBody {
            id: pack.id.to_string(),
            version: pack.version,
            title: pack.title.clone(),
            rules: pack.rules.len(),
            on,
        }
    });
    PolicyBody {
        policy: (*in_force.overrides).clone(),
        rules: rules.collect(),
        packs: packs.collect(),
        seq: in_force.seq,
        receipt,
    }
}

fn compiled(overrides: &Overrides) -> Result<Policy, Problem> {
    Policy::effective(policy::packs(), overrides)
        .map_err(|error| Problem::new(BODY_INVALID, error.to_string()))
}

/// Shows the policy that counts.
#[utoipa::path(get, path = "/v1/policy", tag = "policy",
    responses((status = 200, body = PolicyBody)))]
pub(crate) async fn get(ask: Ask) -> Result<HttpResponse, Problem> {
    let in_force = ask.edge.views().state().registry().policy().clone();
    Ok(HttpResponse::Ok().json(shown(&in_force, None)))
}

/// Puts a policy. What is left out is not chosen: no pack, and the settings that are safe.
#[utoipa::path(put, path = "/v1/policy", tag = "policy", request_body(content = Object,
    description = "packs {name: {on, version?}}, off [{pack, rule, reason}], rules […], settings {…}"),
    responses((status = 200, body = PolicyBody)))]
pub(crate) async fn put(mut ask: Ask) -> Result<HttpResponse, Problem> {
    let (overrides, bytes) = ask.json::<Overrides>().await?;
    let policy = compiled(&overrides)?;
    let once = ask.once(&bytes)?;
    let command =
        RegistryCommand::PutPolicy { overrides: Box::new(overrides), policy: Box::new(policy) };
    let submitted = ask.submit(Command::Registry(Box::new(command)), once).await?;
    let in_force = ask.edge.views().state().registry().policy().clone();
    let receipt = submitted.entries.first().map(ReceiptBody::of);
    let mut response = HttpResponse::Ok().json(shown(&in_force, receipt));
    submitted.mark(&mut response);
    Ok(response)
}

/// Counts whom a policy would affect if it were put now. Nothing is recorded.
#[utoipa::path(post, path = "/v1/policy/simulate", tag = "policy",
    request_body(content = Object, description = "As for PUT /v1/policy"),
    responses((status = 200, body = SimulatedBody)))]
pub(crate) async fn simulate(mut ask: Ask) -> Result<HttpResponse, Problem> {
    let (overrides, _) = ask.json::<Overrides>().await?;
    let policy = Arc::new(compiled(&overrides)?);
    let edge = Arc::clone(&ask.edge);
    let body = ask.edge.blocking.run(move || count(&edge, &policy)).await??;
    Ok(HttpResponse::Ok().json(body))
}

/// One topic under both policies.
struct Asked {
    now: Resolved,
    then: Resolved,
    effect: TopicEffect,
}

/// Counts in runs, so that nobody who writes waits long.
fn count(edge: &Edge, policy: &Arc<Policy>) -> Result<SimulatedBody, Problem> {
    let now = edge.clock.now();
    let mut asked = asked(edge, policy, now)?;
    let (mut next, mut contacts_affected) = (Subject(0), 0_u64);
    let as_of = edge.views().state().last();
    loop {
        let state = edge.views().state();
        let mut last = None;
        for (subject, contact) in state.contacts().from(next).take(DECISIONS_AT_ONCE) {
            last = Some(subject);
            let mut is_affected = false;
            for one in &mut asked {
                is_affected |= compare(edge, contact, one, now);
            }
            contacts_affected += u64::from(is_affected);
        }
        let Some(last) = last else { break };
        next = Subject(last.0.saturating_add(1));
    }
    let topics = asked.into_iter().map(|one| one.effect).collect();
    let counts = Arc::clone(&edge.views().state().registry().policy().policy);
    let [now, then] = [&counts, policy].map(|policy| policy.settings().consent_follows_number);
    let consent_follows_number = Switch { now, then };
    Ok(SimulatedBody { as_of, contacts_affected, consent_follows_number, topics })
}

fn asked(edge: &Edge, policy: &Arc<Policy>, now: Timestamp) -> Result<Vec<Asked>, Problem> {
    let state = edge.views().state();
    let topics: Vec<TopicId> = state.registry().topics().map(|(id, _)| id.clone()).collect();
    let mut asked = Vec::with_capacity(topics.len());
    for topic in topics {
        let name = topic.to_string();
        let question = Question {
            kind: MessageKind::Template,
            template: None,
            language: None,
            topic: Some(topic),
            sender: None,
        };
        let effect = TopicEffect {
            topic: name,
            agreed: 0,
            newly_refused: 0,
            newly_eligible: 0,
            by_reason: BTreeMap::new(),
        };
        asked.push(Asked {
            now: question.resolve(&*state, now)?,
            then: question.resolve_under(policy, &*state, now)?,
            effect,
        });
    }
    Ok(asked)
}

/// Judges one contact under both policies, and returns whether they differ.
fn compare(edge: &Edge, contact: &Contact, asked: &mut Asked, now: Timestamp) -> bool {
    let Asked { now: before, then, effect } = asked;
    let session = edge.rules.session;
    let before = before.judge((Some(contact), contact.number_key), session, now);
    let after = then.judge((Some(contact), contact.number_key), session, now);
    effect.agreed += u64::from(before.standing.is_some_and(|standing| standing.is_granted()));
    match (before.is_eligible(), after.is_eligible()) {
        (true, false) => {
            effect.newly_refused += 1;
            let reasons = after.hits.iter().map(|hit| hit.reason);
            for code in reasons.map(Reason::code) {
                *effect.by_reason.entry(code).or_default() += 1;
            }
            true
        }
        (false, true) => {
            effect.newly_eligible += 1;
            true
        }
        (true, true) | (false, false) => false,
    }
}
