//! `[idempotency]`: how long a repeated request is recognised.
//!
//! Recognising it is the ledger's business.

use crate::config::reader::Reader;

/// How long a repeated request is recognised.
#[derive(Debug, Clone)]
pub struct Idempotency {
    /// Hours for which a request is answered as before. Callers are promised 24.
    pub keep_hours: u16,
}

impl Idempotency {
    pub(super) fn read(from: &mut Reader) -> Self {
        Self { keep_hours: from.whole("idempotency.keep_hours", 48, 24..=8_760) }
    }
}
