//! The vocabulary of consent and the pure rules over it.
//!
//! Nothing here performs I/O, reads a clock, draws randomness or awaits: given the same
//! arguments, every function returns the same value on every machine. Replay depends on it.

pub mod absorbed;
pub mod access;
pub mod command;
pub mod consent;
pub mod contact;
pub mod decide;
pub mod eligibility;
pub mod entry;
pub mod event;
mod former;
pub mod governor;
pub mod hearing;
pub mod home;
pub mod identity;
pub mod ids;
pub mod incident;
pub mod key;
pub mod lookup_job;
pub mod named;
pub mod names;
pub mod pace;
pub mod pair;
pub mod phone;
pub mod questions;
pub mod reason;
pub mod refusal;
pub mod registry;
pub mod spans;
pub mod state;
mod stored_event;
pub mod ticket;
pub mod time;
