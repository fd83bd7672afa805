//! The first start: the ledger begins, and somebody can come in.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use crate::{
    app::AppError,
    config::Config,
    domain::{
        access::{KeyEnv, KeyKind},
        command::{Command, Envelope, KeyCommand, RegistryCommand},
        entry::Seq,
        event::Actor,
        registry::{KeyRecord, LiveHash},
        time::Timestamp,
    },
    keys::{hash::KeyHasher, text::ApiKey},
    ledger::handle::Ledger,
    runtime::{ids::IdSource, random},
};

/// Name of the file that holds the first admin key.
pub(super) const ADMIN_KEY_FILE: &str = "admin.key";

/// Begins the ledger if it is empty, and makes the admin key if no key could make others.
pub(super) async fn begin(
    config: &Config,
    ledger: &Ledger,
    hasher: &KeyHasher,
    ids: &dyn IdSource,
    now: Timestamp,
) -> Result<(), AppError> {
    if ledger.views().state().next() == Seq(0) {
        let command = RegistryCommand::OpenLedger { ledger: ids.next() };
        submit(ledger, Command::Registry(Box::new(command))).await?;
    }
    let has_manager = ledger.views().state().registry().has_manager_beside(None, now);
    if config.keys.admin_key.is_some() || has_manager {
        return Ok(());
    }
    let path = config.data_dir.join(ADMIN_KEY_FILE);
    // A start that was cut short may have left the file without its entry: take that key. One that
    // has an entry is a key that ended.
    let is_new = |text: &ApiKey| ledger.views().state().registry().key(&text.id()).is_none();
    let text = match known(&path).filter(is_new) {
        Some(text) => text,
        None => make(&path)?,
    };
    let record = KeyRecord {
        id: text.id(),
        name: "first admin key".into(),
        kind: KeyKind::Secret,
        scopes: KeyKind::Secret.may_hold(),
        origins: Vec::new(),
        live: vec![LiveHash { hash: hasher.hash(&text), until: None }],
        created_at: Timestamp::default(),
        expires_at: None,
        revoked_at: None,
    };
    submit(ledger, Command::Keys(Box::new(KeyCommand::Create { key: record }))).await?;
    let shown = writeln!(
        io::stdout(),
        "Admin key, shown this once and kept in {}:\n\n  {}\n",
        path.display(),
        text.expose()
    );
    shown.map_err(AppError::io("show the admin key"))
}

fn known(path: &Path) -> Option<ApiKey> {
    ApiKey::parse(fs::read_to_string(path).ok()?.trim()).ok()
}

/// Makes a key and keeps it before anybody relies on it.
fn make(path: &Path) -> Result<ApiKey, AppError> {
    let text = ApiKey::generate(KeyKind::Secret, KeyEnv::Live, &mut random::from_os()?);
    let keep = || -> io::Result<()> {
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(path)?;
        writeln!(file, "{}", text.expose())?;
        file.sync_all()
    };
    keep().map_err(AppError::io("keep the admin key"))?;
    Ok(text)
}

async fn submit(ledger: &Ledger, command: Command) -> Result<(), AppError> {
    ledger.submit(Envelope { actor: Actor::System, once: None, command }).await?;
    Ok(())
}
