//! From a file, the environment and the command line to one checked [`Config`].
//!
//! The environment is an argument, so that tests need not change their own.

use std::{
    ffi::OsString,
    fmt::Write,
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use crate::config::{
    ConfigError, Http, Idempotency, Keys, Ledger, Numbers, Origin, Sends, Setting, Store,
    Telemetry, Verification, WhatsApp, Words,
    reader::{FILE_VARIABLE, Name, PREFIX, Reader},
};

/// What the command line says; wins over everything else.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// `--config`: the settings file.
    pub config: Option<PathBuf>,
    /// `--data-dir`.
    pub data_dir: Option<String>,
    /// `--listen`.
    pub listen: Option<String>,
}

/// Every setting, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the ledger, the vault and the database live.
    pub data_dir: PathBuf,
    /// Where the server's own secrets live; apart from the data if it shall be of use against
    /// whoever steals that.
    pub secrets_dir: PathBuf,
    /// Where the server listens and how much a caller may ask of it.
    pub http: Http,
    /// The record and its one writer.
    pub ledger: Ledger,
    /// The embedded database.
    pub store: Store,
    /// How written phone numbers are understood.
    pub numbers: Numbers,
    /// Look-ups at a provider.
    pub verification: Verification,
    /// What WhatsApp and this server know each other by.
    pub whatsapp: WhatsApp,
    /// What is changed of the consent words.
    pub words: Words,
    /// Reserved rights to send.
    pub sends: Sends,
    /// How long a repeated request is recognised.
    pub idempotency: Idempotency,
    /// What is logged and how it looks.
    pub telemetry: Telemetry,
    /// The first key, and the brake on guessing keys.
    pub keys: Keys,
    settings: Vec<Setting>,
}

/// Returns the environment of this process.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
pub fn environment() -> impl Iterator<Item = (OsString, OsString)> {
    std::env::vars_os()
}

impl Config {
    /// Reads, checks and joins all settings.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Faults`] with everything that is wrong; [`ConfigError::Read`] and
    /// [`ConfigError::Toml`] when the settings file is not there or makes no sense at all.
    pub fn load(
        overrides: &Overrides,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Self, ConfigError> {
        let mut reader = Reader::default();
        let mut file = None;
        for (name, value) in environment {
            // A name that is not Unicode is not one of ours.
            let Ok(name) = name.into_string() else { continue };
            if name == FILE_VARIABLE && !value.is_empty() {
                file = Some(PathBuf::from(value));
            } else if name.starts_with(PREFIX) {
                // Replacement characters are good enough for a path in an error and fail every
                // check that a value has to pass.
                reader.variable(name, value.to_string_lossy().into_owned());
            }
        }
        let file = overrides.config.clone().or(file);
        if let Some(path) = &file {
            reader.file(parse_file(path)?);
        }
        if let Some(data_dir) = &overrides.data_dir {
            reader.option("data_dir", "--data-dir", data_dir.clone());
        }
        if let Some(listen) = &overrides.listen {
            reader.option("http.listen", "--listen", listen.clone());
        }
        Self::read(reader, file.as_deref())
    }

    fn read(mut reader: Reader, file: Option<&Path>) -> Result<Self, ConfigError> {
        let from = &mut reader;
        let data_dir = path(from, "data_dir", "IZIN_DATA_DIR", PathBuf::from("./izin-data"));
        let secrets_dir = path(from, "secrets_dir", "IZIN_SECRETS_DIR", data_dir.join("secrets"));
        let mut config = Self {
            data_dir,
            secrets_dir,
            http: Http::read(from),
            ledger: Ledger::read(from),
            store: Store::read(from),
            numbers: Numbers::read(from),
            verification: Verification::read(from),
            whatsapp: WhatsApp::read(from),
            words: Words::read(from),
            sends: Sends::read(from),
            idempotency: Idempotency::read(from),
            telemetry: Telemetry::read(from),
            keys: Keys::read(from),
            settings: Vec::new(),
        };
        if let Some(file) = file {
            refuse_readable_secrets(from, file)?;
        }
        config.settings = reader.finish().map_err(ConfigError::Faults)?;
        Ok(config)
    }

    /// Returns every setting in the order of the documentation, fit to be shown.
    pub fn settings(&self) -> &[Setting] {
        &self.settings
    }

    /// Returns all settings as a settings file with their origins, secrets hidden.
    pub fn redacted(&self) -> String {
        let mut text = String::new();
        let mut section = "";
        for setting in &self.settings {
            let (its_section, key) = setting.name().split_once('.').unwrap_or(("", setting.name()));
            if its_section != section {
                section = its_section;
                push(&mut text, format_args!("\n[{section}]"));
            }
            match (setting.value(), setting.origin()) {
                (None, _) => push(&mut text, format_args!("# {key} is not set")),
                (Some(value), Origin::Default) => push(&mut text, format_args!("{key} = {value}")),
                (Some(value), origin) => {
                    push(&mut text, format_args!("{key} = {value}  # {origin}"));
                }
            }
        }
        text
    }
}

fn push(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    if writeln!(text, "{line}").is_err() {
        text.push('\n');
    }
}

fn path(
    from: &mut Reader,
    name: &'static str,
    variable: &'static str,
    default: PathBuf,
) -> PathBuf {
    let show = |path: &PathBuf| path.display().to_string();
    let parse = |text: &str| {
        let good = !text.is_empty() && !text.contains(['\0', '\u{fffd}']);
        good.then(|| PathBuf::from(text))
    };
    let name = Name::fixed(name, variable);
    from.text(name, Some(default.clone()), "the path of a directory, in UTF-8", show, parse)
        .unwrap_or(default)
}

fn parse_file(path: &Path) -> Result<toml::Table, ConfigError> {
    let text = fs::read_to_string(path)
        .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
    text.parse().map_err(|error: toml::de::Error| {
        // The error's own text quotes the line, which may hold a secret.
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        ConfigError::Toml {
            path: path.to_owned(),
            line: before.matches('\n').count() + 1,
            message: error.message().to_owned(),
        }
    })
}

/// A secret in a file that everybody on the machine may read is none.
fn refuse_readable_secrets(from: &mut Reader, file: &Path) -> Result<(), ConfigError> {
    let [first, ..] = from.secrets_in_file() else { return Ok(()) };
    let first = *first;
    let read = |source: io::Error| ConfigError::Read { path: file.to_owned(), source };
    let mode = fs::metadata(file).map_err(read)?.permissions().mode();
    if mode & 0o007 != 0 {
        let file = file.display();
        from.rule(
            first,
            format!("stands in {file}, which everybody may read; chmod 640 it or use the variable"),
        );
    }
    Ok(())
}
