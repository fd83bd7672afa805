//! The composition root: opens what there is, wires it together, starts and stops it in order.
//!
//! No rules live here; every line connects two layers that do not know each other.

mod check;
mod error;
mod first;
mod keys;
mod listen;
mod open;
mod polling;
mod replay;
mod serve;
mod service;
mod words;

pub use check::{check, rebuild};
pub use error::AppError;
pub use keys::{Ask, ask, health, print_duplicates};
pub use replay::{Replay, replay};
pub use serve::{block_on, serve};
pub use service::{Service, check_settings, start};
