//! `POST /compat/v1/contacts`: the contacts call of WhatsApp's On-Premises API, request and reply, in
//! front of the look-up budget, for programs that were written for it.
//!
//! Not a line of how look-ups are made: that is [`crate::http::v1::lookups`]. Problems are those of
//! all other calls: for this one the old API documented no errors of its own.
//!
//! Source: WhatsApp On-Premises API, reference "contacts", archived copy read November 2026.

use std::{collections::BTreeMap, sync::Arc};

use actix_web::HttpResponse;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    domain::{command::NumberIdentifier, contact::LookupState, entry::Subject, key::ContactKey},
    http::{
        edge::{Ask, Edge, Submitted, internal},
        person::{self, NotANumber},
        problem::{BODY_INVALID, Problem},
        quota,
        v1::{
            contacts::{READ_WITHIN, caught_up},
            lookups::{self, BudgetBody, Known, Told, Wait},
        },
    },
    limits::LOOKUPS_MAX,
};

/// Which numbers to check.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ContactsQuestion {
    /// Numbers, in any written form; digits alone begin with a country code. At most 100.
    contacts: Vec<String>,
    /// `no_wait`, which is the default, answers `processing` where a provider has to be asked;
    /// `wait` waits for it.
    #[serde(default)]
    blocking: Blocking,
    /// Taken, and changes nothing: an answer that is still good is not asked for again.
    #[serde(default)]
    force_check: bool,
}

/// Whether to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Blocking {
    /// For nothing: ask again later.
    #[default]
    NoWait,
    /// For every answer.
    Wait,
}

/// What is known of each number, in the order asked.
#[derive(Debug, Serialize, ToSchema)]
pub struct ContactsAnswer<'a> {
    /// One per number.
    contacts: Vec<ContactRow<'a>>,
}

/// What is known of one number.
#[derive(Debug, Serialize, ToSchema)]
pub struct ContactRow<'a> {
    /// As it was written.
    input: &'a str,
    /// Whether it is on WhatsApp.
    status: ContactStatus,
    /// The number as WhatsApp writes it, with `valid` alone: the number's own digits where WhatsApp
    /// never wrote it.
    #[serde(skip_serializing_if = "Option::is_none")]
    wa_id: Option<Box<str>>,
}

/// Whether a number is on WhatsApp.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ContactStatus {
    /// It is.
    Valid,
    /// It is not, or is no number at all.
    Invalid,
    /// A provider is being asked: ask again.
    Processing,
    /// Nobody knows. Nothing follows from it for the number.
    Failed,
}

/// Checks numbers as WhatsApp's On-Premises API did, within the look-up budget.
///
/// The answer comes from traffic, from the cache, and only then from a provider, as with
/// `POST /v1/verifications`: who has not opted in is not asked about and is `failed`, and so is
/// whatever is in doubt. Over the budget it is 429, and nobody is asked about any of them.
#[utoipa::path(post, path = "/compat/v1/contacts", tag = "verification",
    request_body = ContactsQuestion, responses((status = 200, body = ContactsAnswer<'static>)))]
pub(crate) async fn contacts(mut ask: Ask) -> Result<HttpResponse, Problem> {
    let (body, bytes) = ask.json::<ContactsQuestion>().await?;
    let ContactsQuestion { contacts, blocking, force_check } = body;
    tracing::debug!(contacts.len = contacts.len(), ?blocking, force_check, "numbers to check");
    if contacts.is_empty() || contacts.len() > LOOKUPS_MAX {
        let detail = format!("1 to {LOOKUPS_MAX} numbers");
        return Err(Problem::at(BODY_INVALID, "/contacts", detail));
    }
    let edge = Arc::clone(&ask.edge);
    let read: Vec<_> = contacts.iter().map(|text| number(&edge, text)).collect();
    let doubts: Vec<_> =
        read.iter().map(|read| matches!(read, Err(NotANumber::Ambiguous))).collect();
    let found: Vec<_> = read.into_iter().map(Result::ok).collect();
    let once = ask.once(&bytes)?;
    let wait = match blocking {
        Blocking::Wait => Wait::ForAnswers,
        Blocking::NoWait => Wait::ForNothing,
    };
    let told = lookups::look_up(&ask, &found, once, wait).await?;
    let rows = rows(&edge, &told, &contacts, &found, &doubts).await?;
    let mut response = HttpResponse::Ok().json(ContactsAnswer { contacts: rows });
    let now = edge.clock.now();
    quota::show(&[BudgetBody::read(&edge, now).quota(now)], response.headers_mut());
    Submitted { entries: Vec::new(), is_replay: told.is_replay }.mark(&mut response);
    Ok(response)
}

/// Reads a number as the old API did: digits alone begin with a country code.
fn number(edge: &Edge, text: &str) -> Result<NumberIdentifier, NotANumber> {
    let is_bare = !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_bare && !text.is_empty() {
        return person::number(edge, &format!("+{text}"), None);
    }
    person::number(edge, text, edge.settings.default_region)
}

async fn rows<'a>(
    edge: &Arc<Edge>,
    told: &Told,
    inputs: &'a [String],
    found: &[Option<NumberIdentifier>],
    doubts: &[bool],
) -> Result<Vec<ContactRow<'a>>, Problem> {
    let known: Vec<_> = told.known(found, edge.clock.now()).collect();
    let lacks_id = |known: &Known| known.state == LookupState::Registered && known.wa_id.is_none();
    let keys = found.iter().zip(&known).filter(|(_, known)| lacks_id(known));
    let keys = keys.filter_map(|(number, _)| Some(number.as_ref()?.key)).collect();
    let wa_ids = wa_ids(edge, keys).await?;
    let rows = inputs.iter().zip(found).zip(doubts.iter().zip(known));
    let rows = rows.map(|((input, number), (is_doubt, known))| {
        let status = status(&known, *is_doubt);
        let wa_id = number.as_ref().filter(|_| status == ContactStatus::Valid).map(|number| {
            let digits = || number.number.as_e164().trim_start_matches('+').into();
            known.wa_id.clone().or_else(|| wa_ids.get(&number.key).cloned()).unwrap_or_else(digits)
        });
        ContactRow { input, status, wa_id }
    });
    Ok(rows.collect())
}

fn status(known: &Known, is_doubt: bool) -> ContactStatus {
    match known.state {
        LookupState::Registered => ContactStatus::Valid,
        LookupState::NotRegistered => ContactStatus::Invalid,
        LookupState::InProgress => ContactStatus::Processing,
        LookupState::Unknown if known.reason == Some("invalid_number") && !is_doubt => {
            ContactStatus::Invalid
        }
        LookupState::Unknown => ContactStatus::Failed,
    }
}

/// Returns whose own number this is.
fn whose(edge: &Edge, key: ContactKey) -> Option<Subject> {
    let state = edge.views().state();
    let subject = state.contacts().find(key)?;
    let contact = state.contacts().get(subject)?;
    contact.other(Some(key)).is_none().then_some(subject)
}

/// Returns how WhatsApp writes the numbers of these people, where it ever did: only a contact's own,
/// since what came to it by a merge is another number.
async fn wa_ids(
    edge: &Arc<Edge>,
    keys: Vec<ContactKey>,
) -> Result<BTreeMap<ContactKey, Box<str>>, Problem> {
    if keys.is_empty() {
        return Ok(BTreeMap::new());
    }
    caught_up(edge).await?;
    let reading = Arc::clone(edge);
    let read = move || {
        let mut found = BTreeMap::new();
        for key in keys {
            let Some(subject) = whose(&reading, key) else { continue };
            let document = reading.store.document(subject).map_err(|error| internal(&error))?;
            if let Some(wa_id) = document.and_then(|document| document.wa_id) {
                found.insert(key, wa_id);
            }
        }
        Ok(found)
    };
    edge.blocking.run_within(READ_WITHIN, read).await?
}
