//! Asks services outside, and says honestly what it learnt: a provider whether a number is on
//! WhatsApp, and WhatsApp itself how senders and templates stand.
//!
//! Knows neither budgets nor the ledger: whether a number may be asked about is decided before,
//! and what an answer means is decided after. Whatever the network does, the outcome is an
//! answer; a doubt is always [`NumberState::Unknown`], never "not on WhatsApp". No phone number,
//! token or URL reaches a log line or an error from here.

mod answer;
mod breaker;
mod contacts_api;
mod evolution;
mod graph;
mod green_api;
mod http;
mod provider;
mod reply;
mod retry_after;
mod settings;
mod usage;
mod waha;
mod wppconnect;

pub use answer::{LookupAnswer, NumberState, UnknownCause, WaId};
pub use breaker::{
    Breaker, BreakerSettings, BreakerSettingsError, BreakerState, HeldPermit, OpenUntil, Outcome,
    Permit, SharedBreaker,
};
pub use graph::{Graph, GraphFailure, GraphSettings, Told};
pub use http::install_tls;
pub use provider::{BuildError, Provider};
pub use settings::{
    LookupTimeout, ProviderKind, ProviderUrl, SessionName, Settings, SettingsError, Token,
};
