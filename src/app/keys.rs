//! `izin keys` and `izin health`: asks the running service, or starts one for the question.

use std::{fs, time::Duration};

use rand::{Rng, distr::Alphanumeric};
use reqwest::Method;

use crate::{
    app::{
        AppError, first,
        open::lock,
        service::{Service, start, system_clock},
    },
    config::{Config, Secret},
    ledger::lock::LockError,
    providers::install_tls,
    runtime::random,
};

/// A question to the service.
#[derive(Debug, Clone)]
pub struct Ask {
    /// The method.
    pub method: &'static str,
    /// The path.
    pub path: String,
    /// The body, if there is one.
    pub body: Option<serde_json::Value>,
}

/// Asks the service of this data directory; one is started for the question if none runs.
///
/// # Errors
///
/// [`AppError`].
pub async fn ask(config: &Config, question: Ask) -> Result<String, AppError> {
    match lock(&config.data_dir) {
        Ok(free) => {
            drop(free);
            ask_own(config, question).await
        }
        Err(AppError::Lock { source: LockError::Held, .. }) => {
            let key = admin_key(config)?;
            send(&running(config)?, &key, question).await
        }
        Err(error) => Err(error),
    }
}

/// Asks whether the running service lives.
///
/// # Errors
///
/// [`AppError`].
pub async fn health(config: &Config) -> Result<String, AppError> {
    let question = Ask { method: "GET", path: "/livez".into(), body: None };
    send(&running(config)?, "", question).await
}

/// Starts a service that only this question knows the key of, on any free port.
async fn ask_own(config: &Config, question: Ask) -> Result<String, AppError> {
    let mut config = config.clone();
    config.http.listen = ([127, 0, 0, 1], 0).into();
    let chance = random::from_os()?;
    let key: String = chance.sample_iter(Alphanumeric).take(43).map(char::from).collect();
    config.keys.admin_key = Some(Secret::new(key.clone()));
    let Service { addr, handle, run, behind } = start(&config, system_clock(), false).await?;
    let served = actix_web::rt::spawn(run.serve());
    let answer = send(&addr.to_string(), &key, question).await;
    handle.stop(true).await;
    if let Ok(Err(error)) = served.await {
        tracing::warn!(%error, "the service for this question ended badly");
    }
    behind.finish();
    answer
}

fn running(config: &Config) -> Result<String, AppError> {
    let file = fs::read_to_string(config.data_dir.join("listen.addr"));
    let addr = file.map_err(AppError::io("read listen.addr of the running service"))?;
    // A service that listens everywhere is asked on this machine.
    Ok(addr.trim().replace("0.0.0.0:", "127.0.0.1:").replace("[::]:", "[::1]:"))
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
