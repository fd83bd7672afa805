//! `/v1/keys`: make, list, rotate and revoke API keys. A key's text is shown once.

use actix_web::{HttpResponse, HttpResponseBuilder};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    domain::{
        access::{KeyEnv, KeyId, KeyKind, Scope, ScopeSet},
        command::{Command, KeyCommand},
        event::{Actor, Event},
        registry::{KeyRecord, LiveHash},
        time::{SECOND_MS, Timestamp},
    },
    http::{
        edge::{Ask, Submitted, internal},
        page::Page,
        problem::{BODY_INVALID, INTERNAL, KEY_UNKNOWN, Problem, SCOPE_MISSING},
        wire::{self, Moment, ReceiptBody},
    },
    keys::text::ApiKey,
    runtime::random,
};

/// Longest overlap of two secrets in seconds: a week.
const OVERLAP_S_MAX: u32 = 7 * 24 * 3_600;

/// A key to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyBody {
    /// For people.
    name: String,
    /// `secret`, the default, or `publishable`.
    #[serde(default = "secret")]
    #[schema(value_type = String)]
    kind: KeyKind,
    /// What it may do; at most what your own key may.
    #[schema(example = json!(["eligibility:read", "sends:write"]))]
    scopes: Vec<String>,
    /// The origins a publishable key works from, such as `https://shop.example`.
    #[serde(default)]
    origins: Vec<String>,
    /// When it ends; never, if left out.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
}

const fn secret() -> KeyKind {
    KeyKind::Secret
}

/// How to rotate.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RotateBody {
    /// How long the old text still works, in seconds; a day, if left out; at most a week.
    overlap_s: Option<u32>,
}

/// A key, without its text.
#[derive(Debug, Serialize, ToSchema)]
pub struct KeyShown {
    /// Its id: the public part of its text.
    #[schema(value_type = String)]
    id: KeyId,
    /// For people.
    name: Box<str>,
    /// `secret` or `publishable`.
    #[schema(value_type = String)]
    kind: KeyKind,
    /// What it may do.
    #[schema(value_type = Vec<String>)]
    scopes: ScopeSet,
    /// The origins it works from.
    origins: Vec<Box<str>>,
    /// When it was made.
    created_at: Moment,
    /// When it ends.
    expires_at: Option<Moment>,
    /// When it was revoked.
    revoked_at: Option<Moment>,
    /// Until when the text before the last rotation works.
    old_until: Option<Moment>,
}

/// A key with its text: the only time it is shown.
#[derive(Debug, Serialize, ToSchema)]
pub struct KeyMade {
    /// The key's text. It cannot be shown again: a repeat under the same idempotency key goes
    /// without. If the first answer got lost, rotate the key under another idempotency key.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    /// The key.
    #[serde(flatten)]
    shown: KeyShown,
    /// Proof that it is in the ledger.
    receipt: Option<ReceiptBody>,
}

/// All keys.
#[derive(Debug, Serialize, ToSchema)]
pub struct KeysBody {
    /// In the order of their ids.
    data: Vec<KeyShown>,
    /// Where the next page begins; `null` on the last.
    next_cursor: Option<String>,
}

impl KeyShown {
    fn of(record: &KeyRecord, now: Timestamp) -> Self {
        let old = record.live.iter().filter_map(|live| live.until).find(|until| now < *until);
        Self {
            id: record.id,
            name: record.name.clone(),
            kind: record.kind,
            scopes: record.scopes,
            origins: record.origins.clone(),
            created_at: Moment(record.created_at),
            expires_at: record.expires_at.map(Moment),
            revoked_at: record.revoked_at.map(Moment),
            old_until: old.map(Moment),
        }
    }
}

fn scopes(ask: &Ask, kind: KeyKind, given: &[String]) -> Result<ScopeSet, Problem> {
    let mut scopes = ScopeSet::EMPTY;
    for (place, text) in given.iter().enumerate() {
        let pointer = format!("/scopes/{place}");
        let scope = wire::name(text, pointer.clone(), Scope::parse)?;
        if !kind.may_hold().contains(scope) {
            let detail = "a publishable key may only capture and have numbers explained";
            return Err(Problem::at(BODY_INVALID, pointer, detail));
        }
        if !ask.caller.scopes.contains(scope) {
            return Err(Problem::at(SCOPE_MISSING, pointer, "your own key may not do this"));
        }
        scopes = scopes.with(scope);
    }
    if scopes.is_empty() {
        return Err(Problem::at(BODY_INVALID, "/scopes", "at least one scope"));
    }
    Ok(scopes)
}

/// Source: RFC 6454: scheme, host and port, and nothing behind.
fn origins(kind: KeyKind, given: Vec<String>) -> Result<Vec<Box<str>>, Problem> {
    let is_origin = |text: &str| {
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        rest.is_some_and(|host| {
            !host.is_empty()
                && host.len() <= 255
                && host
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b".-:[]".contains(&b))
        })
    };
    match kind {
        KeyKind::Secret if !given.is_empty() => {
            Err(Problem::at(BODY_INVALID, "/origins", "only a publishable key is bound to origins"))
        }
        KeyKind::Publishable if given.is_empty() => Err(Problem::at(
            BODY_INVALID,
            "/origins",
            "a publishable key needs the origins it works from",
        )),
        KeyKind::Secret | KeyKind::Publishable => {
            if let Some(place) = given.iter().position(|text| !is_origin(text)) {
                let detail = "an origin is https:// and a host in lower case, without a path";
                return Err(Problem::at(BODY_INVALID, format!("/origins/{place}"), detail));
            }
            Ok(given.into_iter().map(Into::into).collect())
        }
    }
}

/// Makes a key and shows its text once.
#[utoipa::path(post, path = "/v1/keys", tag = "keys", request_body = KeyBody,
    responses((status = 201, body = KeyMade)))]
pub(crate) async fn create(mut ask: Ask) -> Result<HttpResponse, Problem> {
    let (body, bytes) = ask.json::<KeyBody>().await?;
    let once = ask.once(&bytes)?;
    let expires_at = wire::moment(body.expires_at.as_deref(), "/expires_at")?;
    let now = ask.edge.clock.now();
    if expires_at.is_some_and(|at| at <= now) {
        return Err(Problem::at(BODY_INVALID, "/expires_at", "the key would end before it began"));
    }
    if outlives_caller(&ask, expires_at) {
        let detail = "your own key ends, and this one would outlive it";
        return Err(Problem::at(SCOPE_MISSING, "/expires_at", detail));
    }
    let kind = body.kind;
    let mut chance = random::from_os().map_err(|error| internal(&error))?;
    let text = ApiKey::generate(kind, KeyEnv::Live, &mut chance);
    let record = KeyRecord {
        id: text.id(),
        name: wire::text(body.name, "/name")?,
        kind,
        scopes: scopes(&ask, kind, &body.scopes)?,
        origins: origins(kind, body.origins)?,
        live: vec![LiveHash { hash: ask.edge.gate.hasher().hash(&text), until: None }],
        created_at: now,
        expires_at,
        revoked_at: None,
    };
    let command = Command::Keys(Box::new(KeyCommand::Create { key: record }));
    let submitted = ask.submit(command, once).await?;
    made(&ask, &text, &submitted, HttpResponse::Created())
}

/// A key that ends must not make itself a successor that does not.
fn outlives_caller(ask: &Ask, expires_at: Option<Timestamp>) -> bool {
    let Actor::Key(id) = &ask.caller.actor else { return false };
    let state = ask.edge.views().state();
    let own = state.registry().key(id).and_then(|record| record.expires_at);
    own.is_some_and(|own| expires_at.is_none_or(|at| own < at))
}

/// Renders a key with its text; a repeat, whose text is kept nowhere, without one.
fn made(
    ask: &Ask,
    text: &ApiKey,
    submitted: &Submitted,
    mut response: HttpResponseBuilder,
) -> Result<HttpResponse, Problem> {
    let gone = || Problem::new(INTERNAL, "the key is gone");
    let entry = submitted.entries.first().ok_or_else(gone)?;
    let id = if let Event::KeyCreated { key } = &entry.record.event {
        key.id
    } else if let Event::KeyRotated { id, .. } = &entry.record.event {
        *id
    } else {
        return Err(gone());
    };
    let shown = {
        let state = ask.edge.views().state();
        KeyShown::of(state.registry().key(&id).ok_or_else(gone)?, ask.edge.clock.now())
    };
    let key = (!submitted.is_replay).then(|| text.expose().to_owned());
    let receipt = Some(ReceiptBody::of(entry));
    let mut response = response.json(KeyMade { key, shown, receipt });
    submitted.mark(&mut response);
    Ok(response)
}

/// Lists all keys.
#[utoipa::path(get, path = "/v1/keys", tag = "keys", params(
    ("limit" = Option<usize>, Query, description = "1 to 200; 50, if left out"),
    ("cursor" = Option<String>, Query, description = "next_cursor of the page before")),
    responses((status = 200, body = KeysBody)))]
pub(crate) async fn list(ask: Ask) -> Result<HttpResponse, Problem> {
    let page = Page::read(&ask.req, "keys")?;
    let now = ask.edge.clock.now();
    let (data, next_cursor) = {
        let state = ask.edge.views().state();
        let keys = state.registry().keys();
        page.cut(keys.map(|record| (record.id.to_string(), KeyShown::of(record, now))))?
    };
    Ok(HttpResponse::Ok().json(KeysBody { data, next_cursor }))
}

fn key_id(ask: &Ask) -> Result<KeyId, Problem> {
    KeyId::parse(&ask.segment("id"))
        .map_err(|_shape| Problem::new(KEY_UNKNOWN, "a key's id is the part before its secret"))
}

/// Gives a key another text; the old one works on for a while.
///
/// Two texts work at most. While one before the newest still has its time, another rotation takes
/// the newest one's place at once and leaves the older one its time; with `overlap_s` 0 only the
/// new text works.
#[utoipa::path(post, path = "/v1/keys/{id}/rotate", tag = "keys", request_body = Option<RotateBody>,
    params(("id" = String, Path)), responses((status = 200, body = KeyMade)))]
pub(crate) async fn rotate(mut ask: Ask) -> Result<HttpResponse, Problem> {
    let id = key_id(&ask)?;
    let (body, once) = ask.optional_json::<RotateBody>().await?;
    let overlap_ms = match body.overlap_s {
        Some(seconds) if seconds > OVERLAP_S_MAX => {
            let detail = format!("at most {OVERLAP_S_MAX} seconds");
            return Err(Problem::at(BODY_INVALID, "/overlap_s", detail));
        }
        Some(seconds) => i64::from(seconds) * SECOND_MS,
        None => ask.edge.settings.key_overlap_ms,
    };
    let record = weaker(&ask, &id)?;
    if outlives_caller(&ask, record.expires_at) {
        return Err(Problem::new(SCOPE_MISSING, "the key outlives your own"));
    }
    let kind = record.kind;
    let mut chance = random::from_os().map_err(|error| internal(&error))?;
    let text = ApiKey::generate_for(id, kind, KeyEnv::Live, &mut chance);
    let live = LiveHash { hash: ask.edge.gate.hasher().hash(&text), until: None };
    let command = Command::Keys(Box::new(KeyCommand::Rotate { id, live, overlap_ms }));
    let submitted = ask.submit(command, once).await?;
    made(&ask, &text, &submitted, HttpResponse::Ok())
}

/// Returns a key that may do no more than the caller's own: nobody touches one that may.
fn weaker(ask: &Ask, id: &KeyId) -> Result<KeyRecord, Problem> {
    let state = ask.edge.views().state();
    let record = state.registry().key(id);
    let record = record.ok_or_else(|| Problem::new(KEY_UNKNOWN, "there is no such key"))?;
    if !record.scopes.is_subset_of(ask.caller.scopes) {
        return Err(Problem::new(SCOPE_MISSING, "the key may do more than your own"));
    }
    Ok(record.clone())
}

/// Ends a key at once. The last key that may make others stays while no `IZIN_ADMIN_KEY` is set.
#[utoipa::path(delete, path = "/v1/keys/{id}", tag = "keys", params(("id" = String, Path)),
    responses((status = 200, body = KeyShown)))]
pub(crate) async fn revoke(ask: Ask) -> Result<HttpResponse, Problem> {
    let id = key_id(&ask)?;
    weaker(&ask, &id)?;
    let keeps_a_manager = !ask.edge.gate.has_operator();
    let command = KeyCommand::Revoke { id, keeps_a_manager };
    ask.submit(Command::Keys(Box::new(command)), None).await?;
    let state = ask.edge.views().state();
    let record = state.registry().key(&id);
    let record = record.ok_or_else(|| Problem::new(KEY_UNKNOWN, "there is no such key"))?;
    Ok(HttpResponse::Ok().json(KeyShown::of(record, ask.edge.clock.now())))
}
