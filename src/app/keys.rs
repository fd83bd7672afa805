//! `izin keys`, `contacts` and `health`: asks the running service, or starts one for the question.

use std::{
    fs,
    io::{self, Write},
    path::Path,
    time::Duration,
};

use rand::{Rng, distr::Alphanumeric};
use reqwest::Method;

use crate::{
    app::{
        AppError, first, listen,
        open::expect_ledger,
        service::{Service, start, system_clock},
    },
    config::{Config, Secret},
    ledger::lock::DirLock,
    limits::PAGE_MAX,
    providers::install_tls,
    runtime::random,
};

/// How often a service that is about to listen is looked for, and how long after each time.
const LOOKS: usize = 50;
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);

/// A question to the service.
#[derive(Debug, Clone)]
pub struct Ask {
    /// The method.
    pub method: &'static str,
    /// The path.
    pub path: String,
    /// The body, if there is one.
    pub body: Option<serde_json::Value>,
    /// Whether a ledger is begun for it where there is none.
    pub begins: bool,
}

impl Ask {
    /// A question that changes nothing.
    const fn read(path: String) -> Self {
        Self { method: "GET", path, body: None, begins: false }
    }
}

/// Asks the service of this data directory; one is started for the question if none runs.
///
/// # Errors
///
/// [`AppError`].
pub async fn ask(config: &Config, question: Ask) -> Result<String, AppError> {
    let begins = question.begins;
    with_service(config, begins, async |service: &Asked| service.send(question).await).await
}

/// Prints every pair of contacts that may be one person, as one JSON object a line.
///
/// # Errors
///
/// [`AppError`].
pub async fn print_duplicates(config: &Config) -> Result<(), AppError> {
    with_service(config, false, async |service: &Asked| {
        let mut cursor = String::new();
        loop {
            let path = format!("/v1/contacts/duplicates?limit={PAGE_MAX}&cursor={cursor}");
            let answer = service.send(Ask::read(path)).await?;
            let page: DuplicatesPage<'_> =
                serde_json::from_str(&answer).map_err(AppError::Unreadable)?;
            let mut out = io::stdout().lock();
            for pair in page.pairs {
                writeln!(out, "{pair}").map_err(AppError::io("print a pair"))?;
            }
            match page.next_cursor {
                Some(next) => cursor = next,
                None => return Ok(()),
            }
        }
    })
    .await
}

/// A page of `GET /v1/contacts/duplicates`, as far as it has to be understood to print it.
#[derive(serde::Deserialize)]
struct DuplicatesPage<'a> {
    #[serde(borrow)]
    pairs: Vec<&'a serde_json::value::RawValue>,
    next_cursor: Option<String>,
}

/// Talks to the service of this data directory; one is started if none runs.
async fn with_service<T>(
    config: &Config,
    begins: bool,
    talk: impl AsyncFnOnce(&Asked) -> Result<T, AppError>,
) -> Result<T, AppError> {
    if let Some(addr) = running(config).await? {
        return talk(&Asked { addr, key: admin_key(config)? }).await;
    }
    if !begins {
        expect_ledger(&config.data_dir)?;
    }
    with_own(config, talk).await
}

/// Returns where the service of this data directory listens; `None` if none runs. Waits for one
/// that is about to listen.
pub(super) async fn running(config: &Config) -> Result<Option<String>, AppError> {
    let dir = &config.data_dir;
    for _ in 0..LOOKS {
        if let Some(addr) = address(dir)? {
            return Ok(Some(addr));
        }
        if !is_held(dir)? {
            return Ok(None);
        }
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
    Err(AppError::NotListening { dir: dir.clone() })
}

fn address(dir: &Path) -> Result<Option<String>, AppError> {
    listen::address(dir).map_err(AppError::io("read listen.addr of the running service"))
}

fn is_held(dir: &Path) -> Result<bool, AppError> {
    DirLock::is_held(dir).map_err(|source| AppError::Lock { dir: dir.to_owned(), source })
}

/// Asks whether the running service lives.
///
/// # Errors
///
/// [`AppError`].
pub async fn health(config: &Config) -> Result<String, AppError> {
    let dir = &config.data_dir;
    match address(dir)? {
        Some(addr) => Asked { addr, key: String::new() }.send(Ask::read("/livez".into())).await,
        None if is_held(dir)? => Err(AppError::NotListening { dir: dir.clone() }),
        None => Err(AppError::NoService { dir: dir.clone() }),
    }
}

/// Starts a service that only this process knows the key of, on any free port.
pub(super) async fn with_own<T>(
    config: &Config,
    talk: impl AsyncFnOnce(&Asked) -> Result<T, AppError>,
) -> Result<T, AppError> {
    let mut config = config.clone();
    config.http.listen = ([127, 0, 0, 1], 0).into();
    // It is there for a moment and for one question, and WhatsApp's answers would be others'.
    config.whatsapp.graph = None;
    let chance = random::from_os()?;
    let key: String = chance.sample_iter(Alphanumeric).take(43).map(char::from).collect();
    config.keys.admin_key = Some(Secret::new(key.clone()));
    let Service { addr, handle, run, behind } = start(&config, system_clock(), false).await?;
    let served = actix_web::rt::spawn(run.serve());
    let answer = talk(&Asked { addr: addr.to_string(), key }).await;
    handle.stop(true).await;
    if let Ok(Err(error)) = served.await {
        tracing::warn!(%error, "the service for this question ended badly");
    }
    behind.finish();
    answer
}

fn admin_key(config: &Config) -> Result<String, AppError> {
    if let Some(key) = &config.keys.admin_key {
        return Ok(key.expose().clone());
    }
    let path = config.data_dir.join(first::ADMIN_KEY_FILE);
    match fs::read_to_string(&path) {
        Ok(key) => Ok(key.trim().to_owned()),
        Err(_) => Err(AppError::NoAdminKey { path }),
    }
}

/// A service to be asked.
pub(super) struct Asked {
    addr: String,
    key: String,
}

impl Asked {
    /// Returns where it listens.
    pub(super) fn addr(&self) -> &str {
        &self.addr
    }

    async fn send(&self, question: Ask) -> Result<String, AppError> {
        send(&self.addr, &self.key, question).await
    }
}

async fn send(addr: &str, key: &str, question: Ask) -> Result<String, AppError> {
    let failed = |source| AppError::Ask { addr: addr.to_owned(), source };
    install_tls();
    let client = reqwest::Client::builder()
        .no_proxy()
        .timeout(Duration::from_secs(10))
        .build()
        .map_err(failed)?;
    let method = Method::from_bytes(question.method.as_bytes()).unwrap_or(Method::GET);
    let mut request =
        client.request(method, format!("http://{addr}{}", question.path)).bearer_auth(key);
    if let Some(body) = question.body {
        request = request.json(&body);
    }
    let response = request.send().await.map_err(failed)?;
    let status = response.status();
    let body = response.text().await.map_err(failed)?;
    if status.is_success() {
        Ok(body)
    } else {
        Err(AppError::Answer { status: status.as_u16(), body })
    }
}
