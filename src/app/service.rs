//! Everything that runs, wired together: writer, database, effects and server.

use std::{
    net::SocketAddr,
    num::{NonZeroU32, NonZeroUsize},
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use crate::{
    app::{
        AppError, first,
        listen::Told,
        open::{OpenedLedger, open, open_store},
        polling::Polling,
        words,
    },
    config::{self, Config},
    domain::{
        decide::Rules,
        eligibility::SessionPolicy,
        governor::LookupPolicy,
        time::{DAY_MS, MINUTE_MS, SECOND_MS},
    },
    effects::{
        lookup_jobs::{JobBell, JobParts, JobWorker},
        lookups::Lookups,
        polls::PollLog,
    },
    http::{
        auth::{Gate, OperatorKey},
        body::BodyBudget,
        counters::AllCounters,
        download::Downloads,
        edge::{Edge, EdgeSettings},
        server::{self, Bound, BoundRun, ServerSettings, Stop},
        webhooks::Webhooks,
    },
    keys::{
        guard::{GuessGuard, GuessLimits},
        hash::KeyHasher,
        throttle::{Quota, Throttle, ThrottleLimits},
    },
    ledger::{
        index::Indexer,
        lock::DirLock,
        log::EventLog,
        past::Past,
        views::Views,
        writer::{Parts, Writer},
    },
    limits::{LOOKUP_CALLS_AT_ONCE, LOOKUP_RECORD_MS, LOOKUPS_MAX, RECENT_BYTES_MAX},
    numbers::Region,
    providers::{
        BreakerSettings, LookupTimeout, Provider, ProviderKind, ProviderUrl, SessionName, Settings,
        SharedBreaker, Token,
    },
    runtime::{
        blocking::BlockingPool,
        clock::{Clock, SystemClock},
        ids::{IdSource, RequestIds, UuidV7Source},
        random,
        shutdown::Shutdown,
    },
    store::{Applier, Following},
    whatsapp::AppSecrets,
};

/// Blocking work that may be under way at once.
const BLOCKING_MAX: usize = 256;

/// How long requests under way may take to finish when the service stops.
const DRAIN: Duration = Duration::from_secs(10);

/// A running service.
#[derive(Debug)]
pub struct Service {
    /// Where it listens.
    pub addr: SocketAddr,
    /// Stops the server.
    pub handle: Stop,
    /// Runs the server until it is stopped.
    pub run: BoundRun,
    /// What has to be stopped after it.
    pub behind: Behind,
}

/// What stands behind the server, in the order it is stopped.
#[derive(Debug)]
pub struct Behind {
    polling: Option<Polling>,
    writer: JoinHandle<()>,
    following: Following,
    jobs: JobWorker,
    told: Told,
    _lock: DirLock,
}

impl Behind {
    /// Waits for the writer's last group and the database's last batch. Call it when nobody holds
    /// the ledger any more.
    pub fn finish(self) {
        let Self { polling, writer, following, jobs, told, _lock } = self;
        jobs.stop();
        if let Some(polling) = polling {
            polling.stop();
        }
        if writer.join().is_err() {
            tracing::error!("the writer ended in a panic; what was acknowledged is on disk");
        }
        following.stop();
        drop(told);
    }
}

/// Starts everything. The server is bound and answers once [`BoundRun::serve`] runs.
///
/// # Errors
///
/// [`AppError`]; nothing is left running.
#[expect(clippy::too_many_lines, reason = "puts everything together once, in order")]
pub async fn start(
    config: &Config,
    clock: Arc<dyn Clock>,
    recovers: bool,
) -> Result<Service, AppError> {
    let settings = edge_settings(config)?;
    let OpenedLedger { lock, secrets, sealer, journal, state } = open(config, recovers)?;
    let mut chance = random::from_os()?;
    let (store, _) = open_store(config, &journal)?;
    let log = journal.reader();
    let views = Arc::new(Views::new(state));
    let ids: Arc<dyn IdSource> = Arc::new(UuidV7Source::new(Arc::clone(&clock)));
    let (ledger, writer) = Writer::new(Parts {
        log: journal,
        views,
        sealer: sealer.clone(),
        rules: rules(config),
        clock: Arc::clone(&clock),
        random: random::from_os()?,
        group_len_max: config.ledger.group_len_max,
        queue_len: config.ledger.queue_len,
    });
    let writer = thread::Builder::new().name("writer".into()).spawn(move || writer.run());
    let writer = writer.map_err(AppError::io("start the writer"))?;
    let lag = store.lag(&*log);
    let applier = Applier::new(
        store.clone(),
        Arc::clone(&log),
        sealer.clone(),
        random::from_os()?,
        config.store.batch_len,
    )?
    .beside(ledger.follow(RECENT_BYTES_MAX));
    let following = applier.spawn().map_err(AppError::io("start the database's follower"))?;
    let hasher = KeyHasher::new(secrets.pepper().expose());
    first::begin(config, &ledger, &hasher, &*ids, clock.now()).await?;
    let indexer = Indexer::from_bytes(*secrets.index().expose());
    let lookups =
        Lookups::new(ledger.clone(), indexer.clone(), Arc::clone(&clock), provider(config)?);
    lookups.conclude_interrupted().await;
    let polls = config.whatsapp.graph.as_ref().map(|graph| (graph, PollLog::default()));
    let edge = Edge {
        past: Past::new(Arc::clone(&log), sealer.clone()),
        log,
        store: store.reader(sealer.clone()),
        sealer,
        lag,
        indexer,
        gate: gate(config, hasher),
        rules: rules(config),
        lookups,
        job_bell: JobBell::default(),
        polls: polls.as_ref().map(|(_, log)| log.clone()),
        started: clock.monotonic(),
        clock: Arc::clone(&clock),
        ids,
        blocking: BlockingPool::new(BLOCKING_MAX),
        bodies: BodyBudget::new(config.http.in_flight_bytes_max),
        webhooks: webhooks(config)?,
        throttle: throttle(config),
        requests: AllCounters::default(),
        downloads: Downloads::new(settings.stall),
        stopping: Shutdown::default(),
        settings,
        ledger: ledger.clone(),
    };
    let (parts, bell) = (job_parts(config, &edge), edge.job_bell.clone());
    let request_ids = Arc::new(RequestIds::start(&mut chance));
    let bound = server::bind(&server_settings(config), Arc::new(edge), request_ids);
    let Bound { addr, handle, run } = bound.map_err(AppError::io("listen"))?;
    let told = Told::write(&config.data_dir, addr).map_err(AppError::io("write listen.addr"))?;
    let start = |(graph, log)| Polling::start(graph, ledger, clock, log);
    let polling = polls.map(start).transpose()?;
    let jobs = JobWorker::start(parts, bell).map_err(AppError::io("start the jobs"))?;
    let behind = Behind { polling, writer, following, jobs, told, _lock: lock };
    Ok(Service { addr, handle, run, behind })
}

fn job_parts(config: &Config, edge: &Edge) -> JobParts {
    JobParts {
        ledger: edge.ledger.clone(),
        lookups: edge.lookups.clone(),
        store: edge.store.clone(),
        indexer: edge.indexer.clone(),
        clock: Arc::clone(&edge.clock),
        ids: Arc::clone(&edge.ids),
        policy: edge.rules.lookup,
        per_minute: config.verification.bulk_per_minute,
    }
}

fn rules(config: &Config) -> Rules {
    let verification = &config.verification;
    Rules {
        session: SessionPolicy { margin_ms: i64::from(config.sends.session_margin_s) * SECOND_MS },
        lookup: LookupPolicy {
            window_ms: i64::from(verification.window_days) * DAY_MS,
            starting_allowance: verification.starting_allowance,
            cache_ms: i64::from(verification.cache_days) * DAY_MS,
            requires_opt_in: true,
            lapse_ms: lapse_ms(verification.timeout_ms),
            levels: verification.levels,
        },
        skew_ms: 5 * MINUTE_MS,
    }
}

/// Longer than a full request of look-ups takes when each call takes as long as it may, and its
/// last answer has to wait for the ledger.
fn lapse_ms(timeout_ms: u32) -> i64 {
    let rounds = u64::try_from(LOOKUPS_MAX.div_ceil(LOOKUP_CALLS_AT_ONCE)).unwrap_or(u64::MAX);
    let calls_ms = rounds.saturating_mul(u64::from(timeout_ms));
    let lapse_ms = calls_ms.saturating_add(2 * LOOKUP_RECORD_MS);
    i64::try_from(lapse_ms).unwrap_or(i64::MAX)
}

fn gate(config: &Config, hasher: KeyHasher) -> Gate {
    let guard = GuessGuard::new(GuessLimits {
        per_network: config.keys.failures_per_minute_ip,
        per_key: config.keys.failures_per_minute_key,
    });
    let operator = config.keys.admin_key.as_ref().map(|key| OperatorKey::new(key.expose()));
    Gate::new(hasher, guard, operator)
}

fn webhooks(config: &Config) -> Result<Webhooks, AppError> {
    let secrets = config.whatsapp.app_secrets.iter().map(|secret| secret.expose().as_bytes());
    let verify_token = config.whatsapp.verify_token.clone();
    Ok(Webhooks::new(AppSecrets::new(secrets), verify_token, words::in_force(config)?))
}

fn throttle(config: &Config) -> Throttle {
    let keys = &config.keys;
    Throttle::new(ThrottleLimits {
        reads: Quota {
            per_network: keys.public_reads_per_minute_ip,
            per_key: keys.public_reads_per_minute_key,
        },
        writes: Quota {
            per_network: keys.public_writes_per_minute_ip,
            per_key: keys.public_writes_per_minute_key,
        },
    })
}

/// Refuses settings that only the layers they are for can judge.
///
/// # Errors
///
/// [`AppError::Region`], or what is wrong with the file of consent words.
pub fn check_settings(config: &Config) -> Result<(), AppError> {
    default_region(config)?;
    words::in_force(config).map(drop)
}

/// The settings know two letters; whether they name a country is for the numbers to say.
fn default_region(config: &Config) -> Result<Option<Region>, AppError> {
    let Some(region) = config.numbers.default_region.as_ref() else { return Ok(None) };
    let code = region.as_str();
    // Codes that people and cars know and ISO 3166 does not.
    let hint = match code {
        "UK" => "did you mean GB?",
        "EL" => "did you mean GR?",
        _ => "name one by the two letters of its ISO 3166 code, such as ID",
    };
    let refuse = |_unknown| AppError::Region { code: code.to_owned(), hint };
    Region::parse(code).map(Some).map_err(refuse)
}

fn edge_settings(config: &Config) -> Result<EdgeSettings, AppError> {
    Ok(EdgeSettings {
        body_bytes_max: config.http.body_bytes_max,
        batch_bytes_max: config.http.batch_body_bytes_max,
        stall: Duration::from_secs(u64::from(config.http.stall_s)),
        request_deadline: Duration::from_secs(u64::from(config.http.request_deadline_s)),
        default_region: default_region(config)?,
        ticket_ttl_ms: i64::from(config.sends.ticket_ttl_s) * SECOND_MS,
        ticket_ttl_ms_max: i64::from(config.sends.ticket_ttl_s_max) * SECOND_MS,
        key_overlap_ms: DAY_MS,
        trusted_proxies: config.http.trusted_proxies.clone(),
        lag_max: config.store.lag_max,
    })
}

fn server_settings(config: &Config) -> ServerSettings {
    let cores = || thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let workers = config.http.workers.unwrap_or_else(cores).max(1);
    ServerSettings {
        listen: config.http.listen,
        workers,
        stall: Duration::from_secs(u64::from(config.http.stall_s)),
        keep_alive: Duration::from_secs(u64::from(config.http.keep_alive_s)),
        header_deadline: Duration::from_secs(5),
        connections_max: config.http.connections_max.div_ceil(workers),
        drain: DRAIN,
    }
}

fn provider(config: &Config) -> Result<Option<(Provider, SharedBreaker)>, AppError> {
    let verification = &config.verification;
    let Some(provider) = &verification.provider else { return Ok(None) };
    let token = provider.token.as_ref().map(|token| Token::parse(token.expose())).transpose()?;
    let built = Provider::build(Settings {
        kind: match provider.kind {
            config::ProviderKind::ContactsApi => ProviderKind::ContactsApi,
            config::ProviderKind::Waha => ProviderKind::Waha,
            config::ProviderKind::Evolution => ProviderKind::Evolution,
            config::ProviderKind::Wppconnect => ProviderKind::Wppconnect,
            config::ProviderKind::Whapi => ProviderKind::Whapi,
            config::ProviderKind::GreenApi => ProviderKind::GreenApi,
        },
        url: ProviderUrl::parse(provider.url.as_str())?,
        token,
        timeout: LookupTimeout::from_ms(verification.timeout_ms)?,
        session: SessionName::parse(&provider.session)?,
    })?;
    let breaker = BreakerSettings::new(
        NonZeroU32::new(verification.breaker_failures).unwrap_or(NonZeroU32::MIN),
        verification.breaker_open_s.saturating_mul(1_000),
        verification.breaker_open_s_max.saturating_mul(1_000),
    )?;
    Ok(Some((built, SharedBreaker::new(breaker))))
}

/// Returns the clock a service runs by.
pub(super) fn system_clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock::start())
}
