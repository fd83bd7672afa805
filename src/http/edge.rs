//! What handlers may hold, and how a request is let in.
//!
//! Every request passes the one door in [`crate::http::door`]; here is what it is handed.

use std::{borrow::Cow, net::IpAddr, sync::Arc, time::Duration};

use actix_web::{HttpRequest, HttpResponse, http::header, web::Payload};
use serde::de::DeserializeOwned;

use crate::{
    config::IpBlock,
    domain::{
        access::{KeyKind, Scope, ScopeSet},
        command::{Command, Envelope, Once},
        decide::Rules,
        entry::Seq,
        event::{Actor, Event, MarkKept},
    },
    effects::{lookup_jobs::JobBell, lookups::Lookups, polls::PollLog},
    http::{
        auth::Gate,
        body::{self, Body, BodyBudget},
        counters::AllCounters,
        download::Downloads,
        idempotency,
        problem::{BODY_INVALID, LEDGER_BUSY, Problem, SCOPE_MISSING},
        query,
        webhooks::Webhooks,
    },
    keys::throttle::Throttle,
    ledger::{
        handle::{Ledger, Outcome, Recorded},
        index::Indexer,
        log::LogReader,
        past::Past,
        sealer::{Content, Sealer},
        views::Views,
    },
    numbers::Region,
    runtime::{
        blocking::BlockingPool,
        clock::{Clock, Monotonic},
        ids::IdSource,
        shutdown::Shutdown,
    },
    store::{Lag, StoreReader},
};

/// What the operator set that the edge needs.
#[derive(Debug, Clone)]
pub struct EdgeSettings {
    /// Largest JSON body in bytes.
    pub body_bytes_max: usize,
    /// Largest body of a batch in bytes.
    pub batch_bytes_max: usize,
    /// How long a body may take to arrive.
    pub request_deadline: Duration,
    /// How long whoever reads an answer may take nothing.
    pub stall: Duration,
    /// The region of numbers written without one.
    pub default_region: Option<Region>,
    /// How long a ticket is good for when the caller does not say, in milliseconds.
    pub ticket_ttl_ms: i64,
    /// The longest a ticket may be good for, in milliseconds.
    pub ticket_ttl_ms_max: i64,
    /// How long an old secret lives on after a rotation, in milliseconds.
    pub key_overlap_ms: i64,
    /// Who may say for whom they speak.
    pub trusted_proxies: Vec<IpBlock>,
    /// Entries the database may be behind before opt-ins have to wait.
    pub lag_max: u64,
}

/// What handlers may hold.
#[derive(Debug)]
pub struct Edge {
    /// Takes commands.
    pub ledger: Ledger,
    /// The durable log.
    pub log: Arc<dyn LogReader>,
    /// Opens entries.
    pub sealer: Sealer,
    /// Brings up what was known at a moment.
    pub past: Past,
    /// What sled keeps.
    pub store: StoreReader,
    /// How far sled is behind.
    pub lag: Lag,
    /// Hashes identifiers.
    pub indexer: Indexer,
    /// Checks keys.
    pub gate: Gate,
    /// The rules the writer decides by.
    pub rules: Rules,
    /// Performs look-ups.
    pub lookups: Lookups,
    /// Tells of new jobs.
    pub job_bell: JobBell,
    /// How the asking of WhatsApp goes, if it is asked.
    pub polls: Option<PollLog>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// New ids.
    pub ids: Arc<dyn IdSource>,
    /// The one door to blocking work.
    pub blocking: BlockingPool,
    /// Bytes of bodies being held.
    pub bodies: BodyBudget,
    /// What WhatsApp's webhooks are checked against, and the last of them.
    pub webhooks: Webhooks,
    /// Limits publishable keys.
    pub throttle: Throttle,
    /// What was answered.
    pub requests: AllCounters,
    /// When the service started.
    pub started: Monotonic,
    /// Exports under way.
    pub downloads: Downloads,
    /// Tells whoever waits that the service stops.
    pub stopping: Shutdown,
    /// What the operator set.
    pub settings: EdgeSettings,
}

/// Who asks, as far as the door knows.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Whom the ledger names.
    pub actor: Actor,
    /// What they may do.
    pub scopes: ScopeSet,
    /// With which kind of key.
    pub kind: KeyKind,
}

/// A request that was let in.
pub struct Ask {
    /// The request.
    pub req: HttpRequest,
    /// What handlers may hold.
    pub edge: Arc<Edge>,
    /// Who asks.
    pub caller: Caller,
    /// From where, as far as trusted proxies say.
    pub client: IpAddr,
    payload: Option<Payload>,
}

impl Edge {
    /// Returns the durable state's owner.
    pub fn views(&self) -> &Views {
        self.ledger.views()
    }

    /// Refuses what can wait while the database is further behind than it may be. One that has
    /// failed does not catch up, and nobody waits for it.
    ///
    /// # Errors
    ///
    /// [`LEDGER_BUSY`].
    pub fn keep_pace(&self) -> Result<(), Problem> {
        if self.lag.is_failed() || self.lag.entries() <= self.settings.lag_max {
            return Ok(());
        }
        Err(Problem::new(LEDGER_BUSY, "the database is too far behind").retry_after_s(2))
    }
}

impl std::fmt::Debug for Ask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ask").field("caller", &self.caller).finish_non_exhaustive()
    }
}

impl Ask {
    /// Lets a request in.
    pub fn new(
        req: HttpRequest,
        payload: Payload,
        edge: Arc<Edge>,
        caller: Caller,
        client: IpAddr,
    ) -> Self {
        Self { req, edge, caller, client, payload: Some(payload) }
    }

    /// Returns a segment of the path. The router leaves `%2B` as it is, which is how most clients
    /// write the plus of a number.
    pub fn segment(&self, name: &str) -> Cow<'_, str> {
        let raw = self.req.match_info().get(name).unwrap_or_default();
        query::decode(raw).unwrap_or(Cow::Borrowed(raw))
    }

    /// Reads the body as it came.
    ///
    /// # Errors
    ///
    /// As [`body::read`].
    pub async fn body(&mut self, max: usize) -> Result<Body, Problem> {
        let edge = Arc::clone(&self.edge);
        self.body_within(max, &edge.bodies).await
    }

    /// As [`Self::body`], on a budget of its own.
    ///
    /// # Errors
    ///
    /// As [`body::read`].
    pub async fn body_within(&mut self, max: usize, budget: &BodyBudget) -> Result<Body, Problem> {
        let payload = self.payload.take();
        let payload =
            payload.ok_or_else(|| Problem::new(BODY_INVALID, "the body was read already"))?;
        let deadline = self.edge.settings.request_deadline;
        body::read(&self.req, payload, max, deadline, budget).await
    }

    /// Hands the body out as a stream.
    pub fn stream(&mut self) -> Option<Payload> {
        self.payload.take()
    }

    /// Reads a JSON body of the usual size.
    ///
    /// # Errors
    ///
    /// As [`body::read`] and [`body::parse`].
    pub async fn json<T: DeserializeOwned>(&mut self) -> Result<(T, Body), Problem> {
        body::expect_media(&self.req, "application/json")?;
        let bytes = self.body(self.edge.settings.body_bytes_max).await?;
        Ok((body::parse(&bytes)?, bytes))
    }

    /// As [`Self::json`], for a call whose body may be left out: its content, and the caller's
    /// wish to do this only once.
    ///
    /// # Errors
    ///
    /// As [`Self::json`] and [`Self::once`].
    pub async fn optional_json<T: DeserializeOwned + Default>(
        &mut self,
    ) -> Result<(T, Option<Once>), Problem> {
        let bytes = self.body(self.edge.settings.body_bytes_max).await?;
        if bytes.is_empty() {
            return Ok((T::default(), self.once(&bytes)?));
        }
        body::expect_media(&self.req, "application/json")?;
        Ok((body::parse(&bytes)?, self.once(&bytes)?))
    }

    /// Returns the caller's wish to do this only once, if there is one.
    ///
    /// # Errors
    ///
    /// [`crate::http::problem::IDEMPOTENCY_KEY_INVALID`].
    pub fn once(&self, body: &[u8]) -> Result<Option<Once>, Problem> {
        let Some(key) = idempotency::key(&self.req)? else { return Ok(None) };
        let call = format!("{} {}", self.req.method(), self.req.path());
        Ok(Some(Once {
            id: self.edge.indexer.command(&self.caller.actor, &call, &key),
            fingerprint: self.edge.indexer.fingerprint(body),
            kept: MarkKept::Usual,
        }))
    }

    /// Submits a command and returns its entries, whether they are new or of an earlier, equal
    /// request.
    ///
    /// # Errors
    ///
    /// The refusal as a problem.
    pub async fn submit(&self, command: Command, once: Option<Once>) -> Result<Submitted, Problem> {
        let envelope = Envelope { actor: self.caller.actor.clone(), once, command };
        match self.edge.ledger.submit(envelope).await? {
            Outcome::Done(entries) => Ok(Submitted::of(entries, false)),
            Outcome::DoneBefore { first, entries } => self.reread(first, entries).await,
        }
    }

    /// Reads the entries of an earlier, equal request.
    ///
    /// # Errors
    ///
    /// A failure of ours.
    pub async fn reread(&self, first: Seq, count: u32) -> Result<Submitted, Problem> {
        let edge = Arc::clone(&self.edge);
        let read = move || read_entries(&edge, first, count);
        let entries = self.edge.blocking.run(read).await??;
        Ok(Submitted::of(entries, true))
    }

    /// Refuses unless the caller may also do this.
    ///
    /// # Errors
    ///
    /// [`SCOPE_MISSING`].
    pub fn require(&self, scope: Scope) -> Result<(), Problem> {
        require(self.caller.scopes, scope)
    }
}

/// Refuses unless `held` contains `scope`.
///
/// # Errors
///
/// [`SCOPE_MISSING`].
pub fn require(held: ScopeSet, scope: Scope) -> Result<(), Problem> {
    if held.contains(scope) {
        return Ok(());
    }
    let detail = format!("the key would need the scope {}", scope.text());
    Err(Problem::new(SCOPE_MISSING, detail).with("scope", scope.text()))
}

/// The entries of a command.
#[derive(Debug)]
pub struct Submitted {
    /// In their order; none when nothing had to change.
    pub entries: Vec<Recorded>,
    /// Whether they are those of an earlier, equal request.
    pub is_replay: bool,
}

impl Submitted {
    /// Leaves out what only says that there was nothing to record.
    fn of(mut entries: Vec<Recorded>, is_replay: bool) -> Self {
        entries.retain(|entry| !matches!(entry.record.event, Event::NothingChanged));
        Self { entries, is_replay }
    }

    /// Marks a response to a repeated request as such.
    pub fn mark(&self, response: &mut HttpResponse) {
        if self.is_replay {
            let name = header::HeaderName::from_static("idempotent-replayed");
            response.headers_mut().insert(name, header::HeaderValue::from_static("true"));
        }
    }
}

/// Reads the entries of an earlier command back.
fn read_entries(edge: &Edge, first: Seq, count: u32) -> Result<Vec<Recorded>, Problem> {
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let mut entries = Vec::new();
    for entry in edge.log.read(first).take(count) {
        let entry = entry.map_err(|error| internal(&error))?;
        let leaf_hash = entry.header.leaf_hash();
        match edge.sealer.read(&entry).map_err(|error| internal(&error))? {
            Content::Open { subject, record } => entries.push(Recorded {
                seq: entry.header.seq,
                leaf_hash,
                subject,
                record: Arc::from(record),
            }),
            Content::Erased { .. } => {}
        }
    }
    Ok(entries)
}

/// A failure of ours: logged when it is answered, told as little as possible.
pub fn internal(error: &dyn std::error::Error) -> Problem {
    let problem =
        Problem::new(crate::http::problem::INTERNAL, "the service met a failure of its own");
    problem.caused_by(Chain(error).to_string())
}

/// An error and its causes, in one line.
struct Chain<'a>(&'a dyn std::error::Error);

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}
