//! `/v1/policy`: which packs of rules count, what is added and switched off, and what a change
//! would do before it is one.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use actix_web::HttpResponse;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    domain::{
        command::{Command, RegistryCommand},
        contact::Contact,
        eligibility::{Question, Resolved},
        entry::{Seq, Subject},
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
    policy::{self, Category, Country, Overrides, Policy, Settings},
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
    /// Whether any of its rules counts.
    on: bool,
}

/// What a change of policy would do: at once, and to whom it would apply from then on.
#[derive(Debug, Serialize, ToSchema)]
pub struct SimulatedBody {
    /// The ledger's last entry when counting began.
    #[schema(value_type = u64)]
    as_of: Seq,
    /// People for whom an answer would change at this moment, each counted once.
    contacts_affected: u64,
    /// People to whom other rules would apply than now, about any topic, about messages within the
    /// window or about what may be their STOP, each counted once: whether or not an answer changes
    /// at this moment. Rules that ask for the same by other names are the same.
    contacts_under_other_rules: u64,
    /// Whether what people agreed to would go along to the number they move to. That changes
    /// nothing for anybody now, only what follows when WhatsApp tells of the next move.
    consent_follows_number: Switch,
    /// Whether an agreement to the topic `general` would cover every topic, also those that are put
    /// later.
    general_topic: Switch,
    /// Whether marketing would wait while what may be somebody's STOP is undecided beyond its
    /// deadline: now or whenever one comes to that.
    overdue_stop_holds: Switch,
    /// With how much of its limit a sender would go on with marketing, in percent, when its quality
    /// is yellow.
    yellow_marketing_percent: Amount,
    /// Within how many hours what may be somebody's STOP would have to be decided, where no rule
    /// names a deadline.
    stop_within_hours: Amount,
    /// The same by topic.
    topics: Vec<TopicEffect>,
    /// The same for messages within the window.
    sessions: SessionEffect,
}

/// A switch under both policies.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct Switch {
    /// Under the policy that counts.
    now: bool,
    /// Under the other one.
    then: bool,
}

/// An amount under both policies.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct Amount {
    /// Under the policy that counts.
    now: u32,
    /// Under the other one.
    then: u32,
}

/// What would change about messages within the window, of whatever sender.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct SessionEffect {
    /// Of all people, those to whom other rules about them would apply.
    contacts_under_other_rules: u64,
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
    /// Of all people, those to whom other rules about messages of its category would apply, whether
    /// or not an answer changes at this moment.
    contacts_under_other_rules: u64,
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
    let of: BTreeSet<_> =
        in_force.policy.iter().map(|(from, _)| (&from.pack, from.version)).collect();
    let packs = policy::packs().iter().map(|pack| PackBody {
        id: pack.id.to_string(),
        version: pack.version,
        title: pack.title.clone(),
        rules: pack.rules.len(),
        on: of.contains(&(&pack.id, pack.version)),
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

/// Both policies, and what is asked under them.
struct Compared {
    now: Arc<Policy>,
    then: Arc<Policy>,
    asked: Vec<Asked>,
}

/// One topic under both policies.
struct Asked {
    category: Category,
    now: Resolved,
    then: Resolved,
    effect: TopicEffect,
}

/// Counts in runs, so that nobody who writes waits long.
fn count(edge: &Edge, then: &Arc<Policy>) -> Result<SimulatedBody, Problem> {
    let now = edge.clock.now();
    let mut compared = Compared::of(edge, then, now)?;
    let (mut next, mut contacts_affected) = (Subject(0), 0_u64);
    let (mut contacts_under_other_rules, mut sessions) = (0_u64, SessionEffect::default());
    let as_of = edge.views().state().last();
    loop {
        let state = edge.views().state();
        let mut last = None;
        for (subject, contact) in state.contacts().from(next).take(DECISIONS_AT_ONCE) {
            last = Some(subject);
            // Whoever became part of another is counted there.
            if contact.details().merged_into.is_some() {
                continue;
            }
            contacts_affected += u64::from(compared.count_answers(edge, contact, now));
            let is_about = compared.count_rules(contact.home.country, &mut sessions);
            contacts_under_other_rules += u64::from(is_about);
        }
        let Some(last) = last else { break };
        next = Subject(last.0.saturating_add(1));
    }
    let [old, new] = [&compared.now, &compared.then].map(|policy| policy.settings());
    let switch = |of: fn(&Settings) -> bool| Switch { now: of(old), then: of(new) };
    let amount = |of: fn(&Settings) -> u32| Amount { now: of(old), then: of(new) };
    Ok(SimulatedBody {
        as_of,
        contacts_affected,
        contacts_under_other_rules,
        consent_follows_number: switch(|settings| settings.consent_follows_number),
        general_topic: switch(|settings| settings.general_topic),
        overdue_stop_holds: switch(|settings| settings.overdue_stop_holds),
        yellow_marketing_percent: amount(|settings| settings.yellow_marketing_percent.into()),
        stop_within_hours: amount(|settings| settings.stop_within_hours.get()),
        topics: compared.asked.into_iter().map(|one| one.effect).collect(),
        sessions,
    })
}

impl Compared {
    fn of(edge: &Edge, then: &Arc<Policy>, now: Timestamp) -> Result<Self, Problem> {
        let state = edge.views().state();
        let counts = Arc::clone(&state.registry().policy().policy);
        let mut asked = Vec::new();
        for (topic, put) in state.registry().topics() {
            let question = Question {
                kind: MessageKind::Template,
                template: None,
                language: None,
                topic: Some(topic.clone()),
                sender: None,
            };
            let effect = TopicEffect {
                topic: topic.to_string(),
                agreed: 0,
                newly_refused: 0,
                newly_eligible: 0,
                contacts_under_other_rules: 0,
                by_reason: BTreeMap::new(),
            };
            asked.push(Asked {
                category: put.value.category.into(),
                now: question.resolve_under(&counts, &*state, now)?,
                then: question.resolve_under(then, &*state, now)?,
                effect,
            });
        }
        Ok(Self { now: counts, then: Arc::clone(then), asked })
    }

    /// Judges one contact under both policies, and returns whether any answer differs.
    fn count_answers(&mut self, edge: &Edge, contact: &Contact, now: Timestamp) -> bool {
        let asked = self.asked.iter_mut();
        asked.fold(false, |is_affected, one| compare(edge, contact, one, now) | is_affected)
    }

    /// Looks the rules about people of a country up in both policies, and returns whether any about
    /// them differs.
    fn count_rules(&mut self, country: Option<Country>, sessions: &mut SessionEffect) -> bool {
        let differs = |category| {
            let [now, then] = [&self.now, &self.then].map(|one| one.rules(country, category));
            !now.asks_the_same(then)
        };
        let [now, then] =
            [&self.now, &self.then].map(|policy| policy.stop_within_hours(country).amount);
        let mut is_about = now != then;
        for one in &mut self.asked {
            let is_other = differs(one.category);
            one.effect.contacts_under_other_rules += u64::from(is_other);
            is_about |= is_other;
        }
        let is_other = differs(Category::Session);
        sessions.contacts_under_other_rules += u64::from(is_other);
        is_about | is_other
    }
}

/// Judges one contact under both policies, and returns whether they differ.
fn compare(edge: &Edge, contact: &Contact, asked: &mut Asked, now: Timestamp) -> bool {
    let Asked { now: before, then, effect, .. } = asked;
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
