//! `[ledger]`: the record and its one writer.
//!
//! What makes an acknowledgement durable is not a setting.

use crate::config::reader::Reader;

/// The record and its one writer.
#[derive(Debug, Clone)]
pub struct Ledger {
    /// Commands made durable by one sync, at most.
    pub group_len_max: usize,
    /// Commands waiting for the writer before further ones are turned away.
    pub queue_len: usize,
    /// Bytes in a journal file before the next one is begun.
    pub segment_bytes: u64,
}

impl Ledger {
    pub(super) fn read(from: &mut Reader) -> Self {
        Self {
            group_len_max: from.whole("ledger.group_len_max", 1_024, 1..=65_536),
            queue_len: from.whole("ledger.queue_len", 4_096, 1..=1_048_576),
            segment_bytes: from.whole("ledger.segment_bytes", 64 << 20, 1 << 20..=1 << 30),
        }
    }
}
