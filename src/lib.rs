//! Izin keeps the proof that people agreed to be messaged on WhatsApp, and answers before every
//! send: may this sender send this message to this person now, and if not, why not?

pub mod app;
pub mod config;
pub mod documents;
pub mod domain;
pub mod effects;
pub mod export;
pub mod http;
pub mod keys;
pub mod ledger;
pub mod limits;
pub mod numbers;
pub mod policy;
pub mod providers;
pub mod runtime;
pub mod secrets;
pub mod simulate;
pub mod store;
pub mod whatsapp;
pub mod words;
pub mod zones;
