//! One settings file and the environment, read once and checked as a whole.
//!
//! Nothing else reads the environment, and nothing here reads the clock, the network or the data.
//! Order of precedence: command line, environment, file, built-in default. Every setting has one
//! variable; a variable or key that is no setting is an error, so that a misspelt one cannot be
//! ignored for a year.

mod error;
mod http;
mod idempotency;
mod keys;
mod ledger;
mod load;
mod network;
mod numbers;
mod reader;
mod secret;
mod sends;
mod store;
mod telemetry;
mod verification;
mod whatsapp;
mod words;

pub use self::{
    error::{ConfigError, Fault, Origin},
    http::Http,
    idempotency::Idempotency,
    keys::Keys,
    ledger::Ledger,
    load::{Config, Overrides, environment},
    network::{BaseUrl, IpBlock},
    numbers::{Numbers, Region},
    reader::Setting,
    secret::Secret,
    sends::Sends,
    store::Store,
    telemetry::{LogFormat, Telemetry},
    verification::{Provider, ProviderKind, Verification},
    whatsapp::{Graph, WhatsApp},
    words::Words,
};
