//! Long reads, streamed: consents for people and tools, the ledger for whoever verifies it.
//!
//! Constant memory whatever the size: rows are made page by page into chunks of about 64 KiB that
//! wait in a short queue. Knows nothing of HTTP; whoever holds the other end of the queue turns
//! it into a body, and ends the work by dropping it.

mod consents;
mod csv;
mod ledger;
mod ndjson;
mod row;
mod sink;

pub use consents::{ConsentFilter, Consents, Format, Seen};
pub use ledger::LedgerEntries;
pub use sink::{Chunk, ExportError, Sink, channel};
