//! What the rules read and the business keeps up to date: topics, statements, templates, senders,
//! portfolios, API keys.
//!
//! Small, held whole in memory, and itself a fold of the ledger.

mod items;
mod keys;
mod store;

pub use items::{Category, Portfolio, Quality, Sender, Statement, Template, TemplateState, Topic};
pub use keys::{KeyRecord, LiveHash};
pub use store::{Put, Registry, StatementVersion, TemplateRef};
