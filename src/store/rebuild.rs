//! Rebuilding: everything is folded again from the ledger beside the database there is.
//!
//! It is also how space is given back: the database reclaims little by itself.

use std::{path::Path, sync::Arc};

use rand::rngs::StdRng;

use crate::{
    ledger::{entry::Head, log::LogReader, sealer::Sealer},
    store::{Applier, Store, StoreError, aside},
};

/// Folds the whole ledger into a fresh database, holds it against the head, puts it in the place
/// of the one at `path` and deletes that. Returns the head it reached.
///
/// The database must not be open. A crash at any moment leaves the old one or the new one.
///
/// # Errors
///
/// [`StoreError`]; the database at `path` is then as it was.
pub fn rebuild(
    path: &Path,
    cache_bytes: u64,
    log: &Arc<dyn LogReader>,
    sealer: &Sealer,
    random: StdRng,
    batch_len: usize,
) -> Result<Head, StoreError> {
    aside::settle(path).map_err(StoreError::Folder)?;
    let fresh = aside::fresh(path);
    let head = log.head();
    let reached = {
        let (store, _) = Store::open_as_is(&fresh, cache_bytes, log.as_ref())?;
        let (log, sealer) = (Arc::clone(log), sealer.clone());
        Applier::new(store.clone(), log, sealer, random, batch_len)?.catch_up(|| false)?;
        store.applied()?
    };
    // The fresh one is opened again: what counts is what its files hold.
    let (store, stored) = Store::open_as_is(&fresh, cache_bytes, log.as_ref())?;
    drop(store);
    if stored != reached || stored.next < head.next {
        return Err(StoreError::Unfinished);
    }
    aside::swap_in_fresh(path).map_err(StoreError::Folder)?;
    Ok(stored)
}
