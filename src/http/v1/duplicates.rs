//! `GET /v1/contacts/duplicates`: contacts that may be one person.
//!
//! Nothing is joined here: what is listed is for people to judge, and to merge where it is so.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use actix_web::HttpResponse;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    documents::ContactDocument,
    domain::{entry::Subject, key::ContactKey, phone::PhoneNumber},
    http::{
        edge::{Ask, Edge, internal},
        person,
        problem::{CURSOR_INVALID, Problem},
        query::Query,
        v1::{
            contact_body::{ContactBody, show},
            contacts::{READ_WITHIN, caught_up},
        },
    },
    limits::{DUPLICATES_PAGES_MAX, PAGE_DEFAULT, PAGE_MAX},
    numbers::{self, E164},
};

/// Why two contacts may be one person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// Their numbers are spellings that reach one person: left over from before that was known.
    StrongSpelling,
    /// Their numbers are spellings that may reach one person, and may reach two.
    WeakSpelling,
    /// Asked about one's number, WhatsApp answered with the other's.
    WhatsappId,
}

/// Two contacts that may be one person.
#[derive(Debug, Serialize, ToSchema)]
pub struct PairBody {
    /// Why they may be.
    why: Vec<Why>,
    /// The two, the one that was known first in front.
    contacts: [ContactBody; 2],
}

/// Possible duplicates. A page may be short or empty; the list ends where `next_cursor` is `null`.
#[derive(Debug, Serialize, ToSchema)]
pub struct DuplicatesBody {
    /// The pairs, in the order their first contacts became known.
    pairs: Vec<PairBody>,
    /// Where the next page begins; `null` on the last one.
    next_cursor: Option<String>,
}

/// A place in the list: behind the pair of two contacts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cursor {
    one: Subject,
    other: Subject,
}

/// Lists contacts that may be one person, for you to judge. Merge those that are.
#[utoipa::path(get, path = "/v1/contacts/duplicates", tag = "contacts", params(
    ("limit" = Option<usize>, Query, description = "1 to 200, 50 if left out"),
    ("cursor" = Option<String>, Query, description = "next_cursor of the page before")),
    responses((status = 200, body = DuplicatesBody)))]
pub(crate) async fn list(ask: Ask) -> Result<HttpResponse, Problem> {
    let query = Query::read(&ask.req, &["limit", "cursor"])?;
    let limit = query.limit("limit", PAGE_DEFAULT, PAGE_MAX)?;
    let from = match query.get("cursor") {
        Some(text) => Cursor::parse(text)?,
        None => Cursor::before(Subject(1)),
    };
    caught_up(&ask.edge).await?;
    let edge = Arc::clone(&ask.edge);
    let read = move || Search { edge: &edge }.page(from, limit);
    let body = ask.edge.blocking.run_within(READ_WITHIN, read).await??;
    Ok(HttpResponse::Ok().json(body))
}

impl Cursor {
    /// Stands before every pair of a contact.
    const fn before(one: Subject) -> Self {
        Self { one, other: Subject::SYSTEM }
    }

    fn parse(text: &str) -> Result<Self, Problem> {
        let (one, other) = text.split_once('-').unwrap_or_default();
        let place = |text: &str| text.parse().ok().map(Subject);
        match (place(one), place(other)) {
            (Some(one), Some(other)) if one.is_contact() => Ok(Self { one, other }),
            _ => Err(Problem::new(CURSOR_INVALID, "the cursor belongs to another list")),
        }
    }

    fn text(self) -> String {
        format!("{}-{}", self.one.0, self.other.0)
    }
}

struct Search<'a> {
    edge: &'a Edge,
}

impl Search<'_> {
    /// Reads on from a place until there are enough pairs, or enough was read.
    fn page(&self, from: Cursor, limit: usize) -> Result<DuplicatesBody, Problem> {
        let store = &self.edge.store;
        let pages = store.pages().map_err(|error| internal(&error))?;
        let first = store.page_of(from.one).unwrap_or(0);
        let end = pages.min(first.saturating_add(DUPLICATES_PAGES_MAX));
        let mut body = DuplicatesBody { pairs: Vec::new(), next_cursor: None };
        for number in first..end {
            for (one, document) in store.page(number).map_err(|error| internal(&error))? {
                if one < from.one || document.merged_into.is_some() {
                    continue;
                }
                let others = self.others(one, document)?;
                for (other, why) in others {
                    if one == from.one && other <= from.other {
                        continue;
                    }
                    body.pairs.extend(self.pair(one, other, why)?);
                    if body.pairs.len() == limit {
                        body.next_cursor = Some(Cursor { one, other }.text());
                        return Ok(body);
                    }
                }
            }
        }
        let next = store.first_of(end).filter(|_| end < pages);
        body.next_cursor = next.map(|next| Cursor::before(next).text());
        Ok(body)
    }

    /// Returns whom a contact may be a duplicate of, and why, as far as it is this contact that
    /// names the pair: each pair is named by one of its two.
    fn others(
        &self,
        one: Subject,
        document: ContactDocument,
    ) -> Result<BTreeMap<Subject, BTreeSet<Why>>, Problem> {
        let mut found = self.related(one, &self.complete(one, document)?);
        let places: Vec<_> = found.keys().copied().collect();
        for other in places {
            let Some(document) = self.edge.store.document(other).map_err(|e| internal(&e))? else {
                found.remove(&other);
                continue;
            };
            let theirs = self.related(other, &self.complete(other, document)?);
            match theirs.get(&one) {
                // The one that was known first names what both say.
                Some(_) if other < one => drop(found.remove(&other)),
                Some(why) => found.entry(other).or_default().extend(why),
                None => {}
            }
        }
        Ok(found)
    }

    fn complete(
        &self,
        subject: Subject,
        document: ContactDocument,
    ) -> Result<ContactDocument, Problem> {
        self.edge.store.complete(subject, document).map_err(|error| internal(&error))
    }

    /// Returns whom the spellings and the WhatsApp ids of a contact lead to beside itself.
    fn related(
        &self,
        subject: Subject,
        document: &ContactDocument,
    ) -> BTreeMap<Subject, BTreeSet<Why>> {
        let mut keys: Vec<(ContactKey, Why)> = Vec::new();
        let former = document.former.iter();
        for number in document.number.iter().chain(former.clone().filter_map(|f| f.number.as_ref()))
        {
            self.spellings(number, &mut keys);
        }
        for wa_id in document.wa_id.iter().chain(former.filter_map(|f| f.wa_id.as_ref())) {
            if let Ok(person) = numbers::from_wa_id(wa_id) {
                let canonical = person.spellings().canonical();
                keys.push((self.edge.indexer.number(canonical.as_str()), Why::WhatsappId));
            }
        }
        let state = self.edge.views().state();
        let mut found: BTreeMap<Subject, BTreeSet<Why>> = BTreeMap::new();
        for (key, why) in keys {
            if let Some(other) = state.contacts().find(key).filter(|other| *other != subject) {
                found.entry(other).or_default().insert(why);
            }
        }
        found
    }

    fn spellings(&self, number: &PhoneNumber, keys: &mut Vec<(ContactKey, Why)>) {
        let Ok(number) = E164::parse(number.as_e164()) else { return };
        let spellings = numbers::spellings(number);
        for certain in spellings.certain() {
            keys.push((self.edge.indexer.number(certain.as_str()), Why::StrongSpelling));
        }
        let weak = person::weak_keys(&self.edge.indexer, &spellings);
        keys.extend(weak.into_iter().map(|key| (key, Why::WeakSpelling)));
    }

    /// Shows a pair; `None` if one of the two was merged meanwhile.
    fn pair(
        &self,
        one: Subject,
        other: Subject,
        why: BTreeSet<Why>,
    ) -> Result<Option<PairBody>, Problem> {
        let (first, second) = (one.min(other), one.max(other));
        let read = |subject| self.edge.store.person(subject).map_err(|error| internal(&error));
        let (ours, theirs) = (read(first)?, read(second)?);
        let state = self.edge.views().state();
        let now = self.edge.clock.now();
        let is_one = |subject| state.contacts().resolve(subject) == subject;
        if !is_one(first) || !is_one(second) {
            return Ok(None);
        }
        let shown =
            show(&state, first, (None, ours), now).zip(show(&state, second, (None, theirs), now));
        Ok(shown.map(|(first, second)| PairBody {
            why: why.into_iter().collect(),
            contacts: [first, second],
        }))
    }
}
