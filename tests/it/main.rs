//! What the outside sees, in one binary.
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on should stop"
)]

mod api;
mod app;
mod business;
mod config;
mod directory;
mod documents;
mod export;
mod fake_provider;
mod fault_disk;
mod journal_faults;
mod log_conformance;
mod lookups;
mod numbers;
mod numbers_fuzz;
mod past;
mod policy;
mod polls;
mod process;
mod provider_shapes;
mod providers;
mod recorded;
mod replay;
mod sample;
mod simulate;
mod store;
mod tamper;
mod tidy;
mod vault_faults;
mod whatsapp;
mod words;
mod writer;
mod writer_faults;
