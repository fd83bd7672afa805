//! `[store]`: the embedded database that is applied behind the journal.
//!
//! Nothing here can lose data: the database is rebuilt from the journal when it must be.

use crate::config::reader::Reader;

/// The embedded database that is applied behind the journal.
#[derive(Debug, Clone)]
pub struct Store {
    /// Bytes of pages kept in memory.
    pub cache_bytes: u64,
    /// Entries applied in one batch at most; fewer when they are about people far apart.
    pub batch_len: usize,
    /// Entries the database may be behind the journal before opt-ins have to wait. At least
    /// `batch_len`. A long way is no danger: the database reads what it missed from the journal,
    /// so being behind costs stale reads, and no memory.
    pub lag_max: u64,
}

impl Store {
    pub(super) fn read(from: &mut Reader) -> Self {
        let read = Self {
            cache_bytes: from.whole("store.cache_bytes", 16 << 20, 1 << 20..=64 << 30),
            batch_len: from.whole("store.batch_len", 2_000, 1..=10_000),
            lag_max: from.whole("store.lag_max", 5_000_000, 1..=100_000_000),
        };
        if u64::try_from(read.batch_len).is_ok_and(|batch_len| read.lag_max < batch_len) {
            from.rule("store.lag_max", "must be at least store.batch_len");
        }
        read
    }
}
