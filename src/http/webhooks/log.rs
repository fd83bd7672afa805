//! `GET /v1/webhooks/log`: the last webhooks, and what followed from each. Never what they said.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

use actix_web::HttpResponse;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    domain::{entry::Seq, time::Timestamp},
    http::{edge::Ask, problem::Problem, query::Query, wire::Moment},
    limits::{PAGE_DEFAULT, WEBHOOK_LOG_MAX},
};

/// What became of a webhook as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WebhookOutcome {
    /// Entries were made; all of them are on disk.
    Recorded,
    /// Nothing in it had to be recorded.
    NothingNew,
    /// Something of it could not be recorded; WhatsApp will send it again.
    NotRecorded,
    /// It is signed and cannot be read.
    Unreadable,
    /// It is not signed by WhatsApp. Nothing of it was read.
    Unsigned,
    /// It is larger than any of WhatsApp's. Its signature was not looked at.
    TooLarge,
    /// It did not arrive whole, or too much was under way. Its signature was not looked at.
    Unread,
}

/// What the signature turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signature {
    /// Made with the secret at this place of the settings, from 0.
    Valid(usize),
    /// Made with none of them.
    Wrong,
    /// There was none.
    Missing,
    /// It was not looked at.
    Unchecked,
}

/// What followed from the facts of one kind: how many there were, and the entries made, by name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Effects {
    /// Facts of this kind.
    pub facts: u32,
    /// How often what followed. Other than names of entries: `nothing_new`, `not_recorded`,
    /// `refused`.
    pub effects: BTreeMap<&'static str, u32>,
}

/// One webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// When it came.
    pub received_at: Timestamp,
    /// Whether it is WhatsApp's.
    pub signature: Signature,
    /// What became of it.
    pub outcome: WebhookOutcome,
    /// What followed, by kind of fact.
    pub kinds: BTreeMap<&'static str, Effects>,
    /// Members that could not be read.
    pub unread: u32,
    /// Its first and its last entry.
    pub entries: Option<(Seq, Seq)>,
}

impl Row {
    /// One that was not read.
    pub const fn unread(
        received_at: Timestamp,
        signature: Signature,
        outcome: WebhookOutcome,
    ) -> Self {
        let kinds = BTreeMap::new();
        Self { received_at, signature, outcome, kinds, unread: 0, entries: None }
    }

    /// Counts a fact.
    pub fn count(&mut self, kind: &'static str) {
        let counted = self.kinds.entry(kind).or_default();
        counted.facts = counted.facts.saturating_add(1);
    }

    /// Takes in the position of an entry that was made.
    pub fn made(&mut self, seq: Seq) {
        self.entries = Some(match self.entries {
            Some((first, last)) => (first.min(seq), last.max(seq)),
            None => (seq, seq),
        });
    }

    /// Counts one thing that followed from a fact of this kind.
    pub fn note(&mut self, kind: &'static str, effect: &'static str) {
        let counted = self.kinds.entry(kind).or_default();
        let count = counted.effects.entry(effect).or_default();
        *count = count.saturating_add(1);
    }
}

/// The last webhooks, and counts of all since the start.
#[derive(Debug, Default)]
pub struct Log(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    rows: VecDeque<(Row, u32)>,
    totals: Totals,
}

/// Counts since the start.
#[derive(Debug, Clone, Default)]
pub struct Totals {
    /// Webhooks, by what became of them.
    pub webhooks: BTreeMap<WebhookOutcome, u64>,
    /// Facts, by kind.
    pub facts: BTreeMap<&'static str, u64>,
    /// Members that could not be read.
    pub unread: u64,
}

impl Log {
    /// Takes one more in. Unsigned ones that follow each other take one place together, so that
    /// strangers cannot push WhatsApp's out.
    pub fn take(&self, row: Row) {
        let mut kept = self.lock();
        *kept.totals.webhooks.entry(row.outcome).or_default() += 1;
        kept.totals.unread += u64::from(row.unread);
        for (kind, counted) in &row.kinds {
            *kept.totals.facts.entry(kind).or_default() += u64::from(counted.facts);
        }
        let mut times = 1_u32;
        if row.outcome.is_anybodys() {
            // Of those that came since the last of WhatsApp's, one row for each outcome and what its
            // signature was: a few at most.
            let of_strangers =
                kept.rows.iter().rev().take_while(|(row, _)| row.outcome.is_anybodys());
            let places = (0..kept.rows.len()).rev();
            let is_same =
                |known: &Row| (known.outcome, known.signature) == (row.outcome, row.signature);
            let same = places.zip(of_strangers).find(|(_, (known, _))| is_same(known));
            let place = same.map(|(place, _)| place);
            if let Some((_, before)) = place.and_then(|place| kept.rows.remove(place)) {
                times = before.saturating_add(1);
            }
        }
        if kept.rows.len() >= WEBHOOK_LOG_MAX {
            kept.rows.pop_front();
        }
        kept.rows.push_back((row, times));
    }

    /// Returns the last ones, the latest first, and how often each came.
    pub fn last(&self, count: usize) -> Vec<(Row, u32)> {
        self.lock().rows.iter().rev().take(count).cloned().collect()
    }

    /// Returns the counts since the start.
    pub fn totals(&self) -> Totals {
        self.lock().totals.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl WebhookOutcome {
    /// Every outcome.
    pub const ALL: [Self; 7] = [
        Self::Recorded,
        Self::NothingNew,
        Self::NotRecorded,
        Self::Unreadable,
        Self::Unsigned,
        Self::TooLarge,
        Self::Unread,
    ];

    /// Returns whether anybody can make the service say so, without a secret.
    const fn is_anybodys(self) -> bool {
        match self {
            Self::Unsigned | Self::TooLarge | Self::Unread => true,
            Self::Recorded | Self::NothingNew | Self::NotRecorded | Self::Unreadable => false,
        }
    }

    /// Returns the stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Recorded => "recorded",
            Self::NothingNew => "nothing_new",
            Self::NotRecorded => "not_recorded",
            Self::Unreadable => "unreadable",
            Self::Unsigned => "unsigned",
            Self::TooLarge => "too_large",
            Self::Unread => "unread",
        }
    }
}

/// The last webhooks, the latest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct WebhooksBody {
    /// Each of them.
    data: Vec<WebhookBody>,
}

/// One webhook.
#[derive(Debug, Serialize, ToSchema)]
pub struct WebhookBody {
    /// When it came; the latest of several that were not read.
    received_at: Moment,
    /// `valid`, `wrong`, `missing`, or `unchecked` where its bytes did not all come in.
    #[schema(example = "valid")]
    signature: &'static str,
    /// With which of the app secrets in the settings it was signed, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<usize>,
    /// What became of it.
    outcome: WebhookOutcome,
    /// How many such, with such a signature, came since the last one that was signed, where it was
    /// not read; 1 for all others.
    times: u32,
    /// What it said, by kind, and what followed.
    facts: Vec<FactsBody>,
    /// Members that could not be read and were passed over.
    unread: u32,
    /// The first entry made of it.
    #[schema(value_type = Option<u64>)]
    first_seq: Option<Seq>,
    /// The last entry made of it. Others' entries may lie between the two.
    #[schema(value_type = Option<u64>)]
    last_seq: Option<Seq>,
}

/// Facts of one kind in a webhook.
#[derive(Debug, Serialize, ToSchema)]
pub struct FactsBody {
    /// The kind, such as `inbound` or `status`.
    kind: &'static str,
    /// How many there were.
    count: u32,
    /// How many entries of which type were made of them; `nothing_new` counts facts that were
    /// known or decide nothing, `not_recorded` those that WhatsApp has to send again.
    #[schema(value_type = Object)]
    effects: BTreeMap<&'static str, u32>,
}

/// Tells one webhook. WhatsApp looks at no answer; whoever replays reads it.
pub fn told(row: Row) -> WebhookBody {
    shown((row, 1))
}

fn shown((row, times): (Row, u32)) -> WebhookBody {
    let (signature, secret) = match row.signature {
        Signature::Valid(place) => ("valid", Some(place)),
        Signature::Wrong => ("wrong", None),
        Signature::Missing => ("missing", None),
        Signature::Unchecked => ("unchecked", None),
    };
    let facts = row.kinds.into_iter().map(|(kind, Effects { facts, effects })| FactsBody {
        kind,
        count: facts,
        effects,
    });
    WebhookBody {
        received_at: Moment(row.received_at),
        signature,
        secret,
        outcome: row.outcome,
        times,
        facts: facts.collect(),
        unread: row.unread,
        first_seq: row.entries.map(|(first, _)| first),
        last_seq: row.entries.map(|(_, last)| last),
    }
}

/// Lists the last webhooks since the start, the latest first.
#[utoipa::path(get, path = "/v1/webhooks/log", tag = "webhooks",
    params(("limit" = Option<usize>, Query)),
    responses((status = 200, body = WebhooksBody)))]
pub(crate) async fn list(ask: Ask) -> Result<HttpResponse, Problem> {
    let query = Query::read(&ask.req, &["limit"])?;
    let limit = query.limit("limit", PAGE_DEFAULT, WEBHOOK_LOG_MAX)?;
    let data = ask.edge.webhooks.log().last(limit).into_iter().map(shown).collect();
    Ok(HttpResponse::Ok().json(WebhooksBody { data }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(at_ms: i64, outcome: WebhookOutcome) -> Row {
        Row::unread(Timestamp::from_unix_ms(at_ms), Signature::Wrong, outcome)
    }

    #[test]
    fn strangers_cannot_push_out_what_whatsapp_sent() {
        let log = Log::default();
        log.take(row(0, WebhookOutcome::Recorded));
        let theirs = [WebhookOutcome::Unsigned, WebhookOutcome::TooLarge, WebhookOutcome::Unread];
        for (at, outcome) in (1..=9_000).zip(theirs.into_iter().cycle()) {
            log.take(row(at, outcome));
        }
        let last = log.last(10);
        assert_eq!(last.len(), 4);
        assert_eq!((last[0].0.received_at.unix_ms(), last[0].1), (9_000, 3_000));
        assert_eq!((last[2].0.outcome, last[2].1), (WebhookOutcome::Unsigned, 3_000));
        assert_eq!(last[3].0.outcome, WebhookOutcome::Recorded);
        assert_eq!(log.totals().webhooks[&WebhookOutcome::Unsigned], 3_000);
    }

    #[test]
    fn a_signature_that_was_missing_is_not_one_that_was_wrong() {
        let log = Log::default();
        for (at, signature) in
            [Signature::Missing, Signature::Wrong, Signature::Missing].into_iter().enumerate()
        {
            let at = Timestamp::from_unix_ms(i64::try_from(at).unwrap());
            log.take(Row::unread(at, signature, WebhookOutcome::Unsigned));
        }
        let told: Vec<_> =
            log.last(10).into_iter().map(|(row, times)| (row.signature, times)).collect();
        assert_eq!(told, [(Signature::Missing, 2), (Signature::Wrong, 1)]);
    }

    #[test]
    fn the_oldest_goes_first() {
        let log = Log::default();
        for at in 0..=i64::try_from(WEBHOOK_LOG_MAX).unwrap() {
            log.take(row(at, WebhookOutcome::NothingNew));
        }
        let all = log.last(usize::MAX);
        assert_eq!(all.len(), WEBHOOK_LOG_MAX);
        assert_eq!(all.last().unwrap().0.received_at.unix_ms(), 1);
    }

    #[test]
    fn names_are_those_of_the_answers() {
        for outcome in WebhookOutcome::ALL {
            assert_eq!(serde_json::to_value(outcome).unwrap(), outcome.name());
        }
    }
}
