//! The binary: reads the arguments and the settings, starts the log, and calls [`izin::app`].

use std::{
    error::Error,
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
    sync::LazyLock,
};

use clap::{Args, Parser, Subcommand};
use izin::{
    app::{self, AppError},
    config::{Config, ConfigError, LogFormat, Overrides, environment},
    http::{openapi, problem},
    numbers::{self, Region},
    policy,
    runtime::{
        clock::SystemClock,
        telemetry::{self, Format},
    },
    simulate, whatsapp, words,
};

/// The program's version, and that of what it knows of numbers: answers change with both.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let (program, numbering) = (env!("CARGO_PKG_VERSION"), numbers::metadata_version());
    format!("{program} (numbering metadata {numbering})")
});

/// Keeps the proof that people agreed to WhatsApp messages, and answers before every send.
#[derive(Debug, Parser)]
#[command(version = VERSION.as_str(), max_term_width = 100)]
struct Arguments {
    #[command(flatten)]
    overrides: Flags,
    #[command(subcommand)]
    command: Option<Action>,
}

#[derive(Debug, Args)]
struct Flags {
    /// Settings file (`IZIN_CONFIG`)
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where the data is (`IZIN_DATA_DIR`; `./izin-data`)
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<String>,
    /// Where to listen (`IZIN_LISTEN`; 127.0.0.1:8080; port 0 takes a free one)
    #[arg(long, global = true, value_name = "ADDR")]
    listen: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Serve the API (what happens without a command)
    Serve {
        /// Cut the ledger at its first damage, whatever is lost by it, and serve the rest
        #[arg(long)]
        recover_to_verified_prefix: bool,
    },
    /// Verify the whole ledger, and hold the database against it
    Check,
    /// Throw the database away and make it again from the ledger
    Rebuild,
    /// Make, list, rotate and revoke API keys
    #[command(subcommand)]
    Keys(KeyAction),
    /// Look into the contacts
    #[command(subcommand)]
    Contacts(ContactAction),
    /// Deal with WhatsApp's webhooks
    #[command(subcommand)]
    Webhooks(WebhookAction),
    /// Read numbers, one a line or as NDJSON, and print what they are, one JSON object a line
    Normalize {
        /// Region of numbers without a calling code, such as ID
        #[arg(long)]
        region: Option<String>,
    },
    /// Print the settings in force, without secrets
    CheckConfig,
    /// Play a made-up month through the rules, and look whether any was broken
    Simulate {
        /// What chance follows from
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// How many days
        #[arg(long, default_value_t = 30)]
        days: u32,
        /// How many people
        #[arg(long, default_value_t = 1_000)]
        contacts: u32,
        /// Print all that happens to one of them, counted from 0
        #[arg(long)]
        trace: Option<u32>,
    },
    /// Ask the running service whether it lives
    Health,
    /// Print the API document
    Openapi,
    /// Print the catalogue of problems
    Problems,
    /// Print the words by which people opt out and in
    Words,
    /// Print what is made of each of WhatsApp's error codes
    WhatsappErrors,
    /// Print the rules of countries and of the platform, with their sources
    PolicyPacks,
}

#[derive(Debug, Subcommand)]
enum ContactAction {
    /// List contacts that may be one person, one JSON object a line; merge those that are
    Duplicates,
}

#[derive(Debug, Subcommand)]
enum WebhookAction {
    /// Sign recorded webhooks and send them again; prints what followed, one JSON object a file
    Replay {
        /// Files with one webhook each; those ending in .ndjson or .jsonl have one a line
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// Where to send them, such as <http://127.0.0.1:8080>; the server of the data directory,
        /// or one started for it, if left out
        #[arg(long)]
        url: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
enum KeyAction {
    /// Make a key; its text is printed this once
    Create {
        /// For people
        #[arg(long)]
        name: String,
        /// What it may do, such as eligibility:read; repeat it for more
        #[arg(long = "scope", required = true)]
        scopes: Vec<String>,
        /// Make a publishable key
        #[arg(long)]
        publishable: bool,
        /// An origin a publishable key works from; repeat it for more
        #[arg(long = "origin")]
        origins: Vec<String>,
        /// When it ends, in RFC 3339
        #[arg(long)]
        expires_at: Option<String>,
    },
    /// List all keys
    List,
    /// Give a key another text; the old one works on for a day
    Rotate {
        /// The key's id
        id: String,
    },
    /// End a key at once
    Revoke {
        /// The key's id
        id: String,
    },
}

/// Why the program ends early.
#[derive(Debug, thiserror::Error)]
enum MainError {
    #[error("failed to read the settings")]
    Config(#[from] ConfigError),
    #[error("failed to start the log")]
    Telemetry(#[from] telemetry::TelemetryError),
    #[error("there is no region {0}; name one by the two letters of its ISO 3166 code")]
    Region(String),
    #[error("failed to read or print")]
    Io(#[from] io::Error),
    #[error(transparent)]
    App(#[from] AppError),
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(code) => code,
        // Whoever read what is printed has read enough.
        Err(MainError::Io(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            let mut text = format!("izin: {error}");
            let mut cause = error.source();
            while let Some(source) = cause {
                text.push_str("\n  because: ");
                text.push_str(&source.to_string());
                cause = source.source();
            }
            // If standard error is gone as well, nobody is left to tell.
            drop(writeln!(io::stderr(), "{text}"));
            match error {
                MainError::App(error) => ExitCode::from(error.exit_code()),
                MainError::Config(_) | MainError::Region(_) => ExitCode::from(64),
                MainError::Telemetry(_) | MainError::Io(_) => ExitCode::FAILURE,
            }
        }
    }
}

fn run(arguments: Arguments) -> Result<ExitCode, MainError> {
    let Arguments { overrides: Flags { config, data_dir, listen }, command } = arguments;
    let command = command.unwrap_or(Action::Serve { recover_to_verified_prefix: false });
    let load = || Config::load(&Overrides { config, data_dir, listen }, environment());
    match command {
        Action::Openapi => print(&openapi::document()),
        Action::Problems => print(&problem::document()),
        Action::Words => print(&words::page()),
        Action::WhatsappErrors => print(&whatsapp::document()),
        Action::PolicyPacks => print(&policy::page()),
        Action::Normalize { region } => normalize(region.as_deref()),
        Action::Simulate { seed, days, contacts, trace } => {
            let plan = simulate::Plan { seed, days, contacts, sabotage: None, trace };
            let mut out = io::BufWriter::new(io::stdout().lock());
            let report = simulate::run(plan, &SystemClock::start(), &mut out)?;
            out.flush()?;
            let is_kept = report.violations.is_empty();
            Ok(if is_kept { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Action::CheckConfig => {
            let config = load()?;
            app::check_settings(&config)?;
            print(&config.redacted())
        }
        Action::Serve { recover_to_verified_prefix } => {
            let config = with_log(load()?)?;
            let code = app::block_on(app::serve(&config, recover_to_verified_prefix))?;
            Ok(ExitCode::from(u8::try_from(code).unwrap_or(1)))
        }
        Action::Check => Ok(app::check(&with_log(load()?)?).map(|()| ExitCode::SUCCESS)?),
        Action::Rebuild => Ok(app::rebuild(&with_log(load()?)?).map(|()| ExitCode::SUCCESS)?),
        Action::Keys(action) => {
            let config = with_log(load()?)?;
            let answer = app::block_on(app::ask(&config, question(action)))?;
            print(&format!("{answer}\n"))
        }
        Action::Contacts(ContactAction::Duplicates) => {
            let config = with_log(load()?)?;
            Ok(app::block_on(app::print_duplicates(&config)).map(|()| ExitCode::SUCCESS)?)
        }
        Action::Webhooks(WebhookAction::Replay { files, url }) => {
            let config = with_log(load()?)?;
            let replay = app::Replay { files, url };
            Ok(app::block_on(app::replay(&config, &replay)).map(|()| ExitCode::SUCCESS)?)
        }
        Action::Health => print(&app::block_on(app::health(&with_log(load()?)?))?),
    }
}

/// Starts the log as the settings say.
fn with_log(config: Config) -> Result<Config, MainError> {
    let format = match config.telemetry.format {
        LogFormat::Auto => Format::Auto,
        LogFormat::Pretty => Format::Pretty,
        LogFormat::Json => Format::Json,
    };
    telemetry::start(config.telemetry.level, format)?;
    Ok(config)
}

fn question(action: KeyAction) -> app::Ask {
    // A key may be made before the first start; all others are of a ledger that is there.
    let begins = matches!(action, KeyAction::Create { .. });
    let ask = |method, path: String, body| app::Ask { method, path, body, begins };
    match action {
        KeyAction::Create { name, scopes, publishable, origins, expires_at } => {
            let kind = if publishable { "publishable" } else { "secret" };
            let body = serde_json::json!({
                "name": name, "kind": kind, "scopes": scopes, "origins": origins,
                "expires_at": expires_at,
            });
            ask("POST", "/v1/keys".into(), Some(body))
        }
        KeyAction::List => ask("GET", "/v1/keys?limit=200".into(), None),
        KeyAction::Rotate { id } => ask("POST", format!("/v1/keys/{id}/rotate"), None),
        KeyAction::Revoke { id } => ask("DELETE", format!("/v1/keys/{id}"), None),
    }
}

fn normalize(region: Option<&str>) -> Result<ExitCode, MainError> {
    let region = match region {
        Some(code) => {
            Some(Region::parse(code).map_err(|_unknown| MainError::Region(code.to_owned()))?)
        }
        None => None,
    };
    let (input, output) = (io::stdin().lock(), io::BufWriter::new(io::stdout().lock()));
    numbers::normalize_stream(input, output, region)?;
    Ok(ExitCode::SUCCESS)
}

fn print(text: &str) -> Result<ExitCode, MainError> {
    io::stdout().write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}
