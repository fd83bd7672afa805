//! What the database keeps of each contact: a document folded from the contact's entries.
//!
//! Pure: knows no disk, no clock and no key. A document is a view; the ledger is the record, and
//! a document can always be folded again from it.

mod consents;
mod contact;
mod entries;
mod merged;

pub use consents::{Agreement, ConsentRecord, FullStopRecord};
pub use contact::{BlockRecord, ContactDocument};
pub use entries::{CHUNK_LEN, EntryList, NEWEST_MAX};
pub use merged::{FormerIdentity, MergeRecord, PartRecord};
