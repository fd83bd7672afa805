//! The embedded database behind the ledger: documents of contacts, for every read beyond memory.
//!
//! It is a view. It follows the ledger in batches, never stands in the way of a decision, holds
//! nothing readable, and is thrown away and folded again whenever anything about it is doubtful.
//! Nothing outside this folder names the database.

mod aside;
mod batch;
mod check;
mod database;
mod error;
mod follow;
mod keys;
mod meta;
mod open;
mod page;
mod progress;
mod read;
mod rebuild;
mod seals;

pub use check::{CheckReport, Difference, check};
pub use error::StoreError;
pub use follow::{Applier, Following};
pub use open::{MovedAside, Opened, Store, Why};
pub use progress::{Lag, Progress, WaitError};
pub use read::StoreReader;
pub use rebuild::rebuild;
