//! `izin webhooks replay`: recorded webhooks are signed, sent again, and what followed is printed.

use std::{
    fs::{self, File},
    io::{self, BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

use actix_web::web::Bytes;
use rand::{Rng, distr::Alphanumeric};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::{
    app::{
        AppError,
        keys::{Asked, running, with_own},
        open::expect_ledger,
    },
    config::{Config, Secret},
    providers::install_tls,
    runtime::random,
    whatsapp::AppSecrets,
};

/// How long one webhook may take: a full one over a slow disk.
const WITHIN: Duration = Duration::from_mins(1);

/// How long a service without room is given before it is asked again, each time.
const PAUSES: [Duration; 5] = [
    Duration::from_millis(200),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
];

/// What to send again, and where.
#[derive(Debug, Clone)]
pub struct Replay {
    /// Files with one webhook each; those called `.ndjson` or `.jsonl` have one a line.
    pub files: Vec<PathBuf>,
    /// The address of a server, such as `http://127.0.0.1:8080`; the one of the data directory if
    /// left out.
    pub url: Option<String>,
}

/// What became of one webhook.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Answer {
    /// What followed, as the service tells it.
    Heard(Box<RawValue>),
    /// Why the service did not take it.
    Refused { status: u16, problem: String },
    /// Why nobody knows whether the service took it.
    Unknown { error: String },
}

/// What was left out of what was to be sent.
#[derive(Debug, Default)]
struct Left {
    /// Webhooks that were not taken.
    webhooks: usize,
    /// Files that could not be read, or not to their end.
    files: usize,
}

/// Sends every file and prints one JSON object for each.
///
/// # Errors
///
/// [`AppError`]. [`AppError::NotReplayed`] when the service did not take everything, or could not be
/// reached, or a file could not be read; all the rest was sent and printed all the same.
/// [`AppError::NoLedger`] where nothing runs and there is none to record into.
pub async fn replay(config: &Config, replay: &Replay) -> Result<(), AppError> {
    let left = if let Some(url) = &replay.url {
        send_all(url, &secret(config)?, &replay.files).await?
    } else if let Some(addr) = running(config).await? {
        let url = format!("http://{addr}");
        send_all(&url, &secret(config)?, &replay.files).await?
    } else {
        expect_ledger(&config.data_dir)?;
        let mut config = config.clone();
        if config.whatsapp.app_secrets.is_empty() {
            // Nobody else talks to this service, so any secret does.
            let chance = random::from_os()?;
            let secret: String =
                chance.sample_iter(Alphanumeric).take(32).map(char::from).collect();
            config.whatsapp.app_secrets.push(Secret::new(secret));
        }
        let secret = secret(&config)?;
        let send = async |service: &Asked| {
            send_all(&format!("http://{}", service.addr()), &secret, &replay.files).await
        };
        with_own(&config, send).await?
    };
    match left {
        Left { webhooks: 0, files: 0 } => Ok(()),
        Left { webhooks, files } => Err(AppError::NotReplayed { webhooks, files }),
    }
}

fn secret(config: &Config) -> Result<AppSecrets, AppError> {
    let secrets = AppSecrets::new(
        config.whatsapp.app_secrets.iter().map(|secret| secret.expose().as_bytes()),
    );
    if secrets.is_empty() { Err(AppError::NoAppSecret) } else { Ok(secrets) }
}

/// Returns what was not taken or not read.
async fn send_all(url: &str, secrets: &AppSecrets, files: &[PathBuf]) -> Result<Left, AppError> {
    let failed = |source| AppError::Ask { addr: url.to_owned(), source };
    install_tls();
    let client = reqwest::Client::builder().no_proxy().timeout(WITHIN).build().map_err(failed)?;
    let address = format!("{}/webhooks/whatsapp", url.trim_end_matches('/'));
    let mut left = Left::default();
    for file in files {
        let name = json(&file.display().to_string())?;
        print(&format!("{{\"file\":{name},\"webhooks\":["))?;
        let mut webhooks = Webhooks::of(file);
        let mut separator = "";
        let unread = loop {
            let body = match webhooks.as_mut().map(Webhooks::next) {
                Ok(Ok(Some(body))) => body,
                Ok(Ok(None)) => break None,
                Ok(Err(error)) => break Some(error.to_string()),
                Err(error) => break Some(error.to_string()),
            };
            let signature = secrets.sign(&body).unwrap_or_default();
            let answer = send(&client, &address, &signature, body).await?;
            left.webhooks += usize::from(!matches!(answer, Answer::Heard(_)));
            print(&format!("{separator}{}", json(&answer)?))?;
            separator = ",";
        };
        match unread {
            Some(error) => {
                left.files += 1;
                print(&format!("],\"error\":{}}}\n", json(&error)?))?;
            }
            None => print("]}\n")?,
        }
    }
    Ok(left)
}

fn json(value: &impl Serialize) -> Result<String, AppError> {
    serde_json::to_string(value).map_err(AppError::Unreadable)
}

/// Sends one webhook, again while the service has no room for it.
async fn send(
    client: &reqwest::Client,
    address: &str,
    signature: &str,
    body: Vec<u8>,
) -> Result<Answer, AppError> {
    let body = Bytes::from(body);
    let mut pauses = PAUSES.iter();
    loop {
        let request = client
            .post(address)
            .header("content-type", "application/json")
            .header("x-hub-signature-256", signature)
            .body(body.clone());
        let answered = async {
            let response = request.send().await?;
            Ok::<_, reqwest::Error>((response.status(), response.text().await?))
        };
        let (status, text) = match answered.await {
            Ok(answered) => answered,
            Err(error) => return Ok(Answer::Unknown { error: in_full(&error) }),
        };
        if status.is_success() {
            return RawValue::from_string(text).map(Answer::Heard).map_err(AppError::Unreadable);
        }
        match pauses.next() {
            Some(pause) if status == reqwest::StatusCode::SERVICE_UNAVAILABLE => {
                tokio::time::sleep(*pause).await;
            }
            Some(_) | None => {
                return Ok(Answer::Refused { status: status.as_u16(), problem: text });
            }
        }
    }
}

/// Returns an error with what caused it.
fn in_full(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

fn print(text: &str) -> Result<(), AppError> {
    let mut out = io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    written.map_err(AppError::io("print a summary"))
}

/// The webhooks of a file, byte for byte, one after the other.
enum Webhooks {
    /// The file is one.
    Whole(Option<Vec<u8>>),
    /// Each line is one.
    Lines(BufReader<File>),
}

impl Webhooks {
    fn of(file: &Path) -> io::Result<Self> {
        let has_lines =
            file.extension().is_some_and(|ending| ending == "ndjson" || ending == "jsonl");
        if has_lines {
            return Ok(Self::Lines(BufReader::new(File::open(file)?)));
        }
        Ok(Self::Whole(Some(fs::read(file)?)))
    }

    /// Returns the next one. Empty lines are none, and neither ending of a line is part of it.
    fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        let lines = match self {
            Self::Whole(bytes) => return Ok(bytes.take()),
            Self::Lines(lines) => lines,
        };
        loop {
            let mut line = Vec::new();
            if lines.read_until(b'\n', &mut line)? == 0 {
                return Ok(None);
            }
            for ending in [b'\n', b'\r'] {
                if line.last() == Some(&ending) {
                    line.pop();
                }
            }
            if !line.is_empty() {
                return Ok(Some(line));
            }
        }
    }
}
