//! What the rules read and the business keeps up to date: topics, statements, templates, senders,
//! portfolios, entry points,
//! API keys.
//!
//! Small, held whole in memory, and itself a fold of the ledger.

mod entry_points;
mod items;
mod keys;
mod reported;
mod store;
mod template_report;

pub use entry_points::{AnswerAct, EntryCode, EntryPoint, NotACode, TemplateAnswer};
pub use items::{
    Category, Portfolio, Quality, Sender, Statement, THROUGHPUT_DEFAULT, Template, TemplateState,
    Topic,
};
pub use keys::{KeyRecord, LiveHash};
pub use reported::{
    Hold, HoldCause, HoldKey, HoldScope, Holds, Reported, SenderChange, SenderReport,
};
pub use store::{PolicyInForce, Put, Registry, StatementVersion, TemplateRef};
pub use template_report::{StatusReport, TemplateChange, TemplateReport, TemplateView};
