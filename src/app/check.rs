//! `izin check` and `izin rebuild`: is what is on disk what was recorded?

use std::{
    io::{self, Write},
    sync::Arc,
};

use crate::{
    app::{
        AppError,
        open::{OpenedLedger, expect_ledger, open, open_store, store_path},
    },
    config::Config,
    ledger::log::EventLog,
    runtime::random,
    store::{self, Applier},
};

/// Verifies the whole ledger and holds the database against it. Prints what was found.
///
/// # Errors
///
/// [`AppError`] for the first thing that is wrong.
pub fn check(config: &Config) -> Result<(), AppError> {
    expect_ledger(&config.data_dir)?;
    let OpenedLedger { lock, sealer, journal, state, .. } = open(config, false)?;
    let (store, opened) = open_store(config, &journal)?;
    let log = journal.reader();
    let head = log.head();
    let mut applier = Applier::new(
        store.clone(),
        Arc::clone(&log),
        sealer.clone(),
        random::from_os()?,
        config.store.batch_len,
    )?;
    applier.catch_up(|| false)?;
    let report = store::check(&store.reader(sealer), &*log)?;
    let contacts = state.contacts().len();
    let mut out = io::stdout();
    let printed = writeln!(
        out,
        "OK entries={} head={} contacts={contacts} documents={} database_was_at={}",
        head.next.0,
        hex::encode(head.hash.0),
        report.compared,
        opened.applied.next.0,
    );
    if report.different > 0 {
        return Err(AppError::Differs { different: report.different, compared: report.compared });
    }
    drop(lock);
    printed.map_err(AppError::io("print what was found"))
}

/// Throws the database away and makes it again from the ledger.
///
/// # Errors
///
/// [`AppError`].
pub fn rebuild(config: &Config) -> Result<(), AppError> {
    expect_ledger(&config.data_dir)?;
    let OpenedLedger { lock, sealer, journal, .. } = open(config, false)?;
    let log = journal.reader();
    let path = store_path(config);
    let random = random::from_os()?;
    store::rebuild(&path, config.store.cache_bytes, &log, &sealer, random, config.store.batch_len)?;
    drop(lock);
    let entries = log.head().next.0;
    writeln!(io::stdout(), "OK rebuilt from {entries} entries")
        .map_err(AppError::io("print what was done"))
}
