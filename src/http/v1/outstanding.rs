//! `GET /v1/verifications/outstanding`: people found on WhatsApp and never written to since, which
//! is what gets accounts banned.
//!
//! Who they are is known in memory; their numbers come from the database.

use std::sync::Arc;

use actix_web::HttpResponse;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    domain::{
        contact::{Contact, Lookup},
        entry::Subject,
        ids::ContactId,
        time::{DAY_MS, Timestamp},
    },
    http::{
        edge::{Ask, Edge, internal},
        problem::{CURSOR_INVALID, Problem},
        query::Query,
        v1::contacts::{READ_WITHIN, caught_up},
        wire::Moment,
    },
    limits::{CONTACTS_AT_ONCE, OUTSTANDING_CONTACTS_MAX, PAGE_DEFAULT, PAGE_MAX},
};

/// What a cursor of this list begins with.
const LIST: &str = "outstanding-";

/// People found on WhatsApp and never written to since. A page may be short or empty; the list ends
/// where `next_cursor` is `null`.
#[derive(Debug, Serialize, ToSchema)]
pub struct OutstandingBody {
    /// The people, in the order they became known.
    contacts: Vec<WaitingBody>,
    /// How many there are in all.
    total: u64,
    /// Where the next page begins; `null` on the last one.
    next_cursor: Option<String>,
}

/// One person who was found and not written to.
#[derive(Debug, Serialize, ToSchema)]
pub struct WaitingBody {
    /// The contact's id.
    #[schema(value_type = String, format = Uuid)]
    contact: ContactId,
    /// The number, in E.164.
    number: Option<Box<str>>,
    /// When the number was found on WhatsApp.
    verified_at: Moment,
    /// When the look-up leaves the window: a message until then earns it back.
    window_ends_at: Moment,
    /// Days until then, begun ones counted; 0 when it has left.
    days_left: u32,
}

/// A person as memory knows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Waiting {
    subject: Subject,
    id: ContactId,
    verified_at: Timestamp,
}

/// Lists people found on WhatsApp and never written to since. A message to one takes them off it.
#[utoipa::path(get, path = "/v1/verifications/outstanding", tag = "verification", params(
    ("limit" = Option<usize>, Query, description = "1 to 200, 50 if left out"),
    ("cursor" = Option<String>, Query, description = "next_cursor of the page before")),
    responses((status = 200, body = OutstandingBody)))]
pub(crate) async fn list(ask: Ask) -> Result<HttpResponse, Problem> {
    let query = Query::read(&ask.req, &["limit", "cursor"])?;
    let limit = query.limit("limit", PAGE_DEFAULT, PAGE_MAX)?;
    let from = query.get("cursor").map_or(Ok(Subject(1)), parse)?;
    caught_up(&ask.edge).await?;
    let edge = Arc::clone(&ask.edge);
    let read = move || page(&edge, from, limit);
    let body = ask.edge.blocking.run_within(READ_WITHIN, read).await??;
    Ok(HttpResponse::Ok().json(body))
}

fn parse(cursor: &str) -> Result<Subject, Problem> {
    let place = cursor.strip_prefix(LIST).and_then(|place| place.parse().ok()).map(Subject);
    place
        .filter(|place| place.is_contact())
        .ok_or_else(|| Problem::new(CURSOR_INVALID, "the cursor belongs to another list"))
}

fn page(edge: &Edge, from: Subject, limit: usize) -> Result<OutstandingBody, Problem> {
    let (found, next) = search(edge, from, limit);
    let now = edge.clock.now();
    let policy = &edge.rules.lookup;
    let mut contacts = Vec::with_capacity(found.len());
    for Waiting { subject, id, verified_at } in found {
        // Whoever was erased meanwhile is nobody's to show.
        let person = edge.store.person(subject).map_err(|error| internal(&error))?;
        let Some(person) = person else { continue };
        let window_ends_at = verified_at.plus_ms(policy.window_ms);
        contacts.push(WaitingBody {
            contact: id,
            number: person.number.map(|number| number.as_e164().into()),
            verified_at: Moment(verified_at),
            window_ends_at: Moment(window_ends_at),
            days_left: days_until(window_ends_at, now),
        });
    }
    let total = edge.views().state().governor().budget(policy, now).uncontacted;
    let next_cursor = next.map(|next| format!("{LIST}{}", next.0));
    Ok(OutstandingBody { contacts, total, next_cursor })
}

/// Looks through contacts from a place on until there are enough, or enough were looked at.
/// Returns where to go on, if there is more to look at.
fn search(edge: &Edge, from: Subject, limit: usize) -> (Vec<Waiting>, Option<Subject>) {
    let stop = from.0.saturating_add(OUTSTANDING_CONTACTS_MAX);
    let mut found = Vec::new();
    let mut at = from.0;
    loop {
        // Others want the state too: it is held for one run at a time.
        let state = edge.views().state();
        let end = state.contacts().next().0;
        let run = stop.min(end).min(at.saturating_add(CONTACTS_AT_ONCE));
        while at < run && found.len() < limit {
            let subject = Subject(at);
            found.extend(state.contacts().get(subject).and_then(|contact| of(subject, contact)));
            at += 1;
        }
        if at >= end {
            return (found, None);
        }
        if at >= stop || found.len() == limit {
            return (found, Some(Subject(at)));
        }
    }
}

/// Returns a contact if it was found and not written to.
fn of(subject: Subject, contact: &Contact) -> Option<Waiting> {
    let lookup =
        contact.details().lookup.as_ref().filter(|lookup| Lookup::is_uncontacted(lookup))?;
    let verified_at = lookup.found_at()?;
    Some(Waiting { subject, id: contact.id, verified_at })
}

fn days_until(then: Timestamp, now: Timestamp) -> u32 {
    let left_ms = then.ms_since(now).max(0);
    u32::try_from(left_ms.saturating_add(DAY_MS - 1) / DAY_MS).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_begun_count_and_a_window_that_closed_has_none() {
        let now = Timestamp::from_unix_ms(10 * DAY_MS);
        for (ms, days) in [(7 * DAY_MS, 7), (1, 1), (DAY_MS, 1), (DAY_MS + 1, 2), (0, 0), (-1, 0)] {
            assert_eq!(days_until(now.plus_ms(ms), now), days, "{ms}");
        }
    }

    #[test]
    fn cursors_of_other_lists_and_of_nobody_are_refused() {
        assert_eq!(parse("outstanding-7").unwrap(), Subject(7));
        for cursor in ["", "7", "outstanding-", "outstanding-0", "outstanding-x", "7-1"] {
            assert!(parse(cursor).is_err(), "{cursor}");
        }
    }
}
