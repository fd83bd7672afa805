//! A month of a business that never was: does any rule break when everything happens at once?
//!
//! A generator with a seed makes up what people, CRMs and WhatsApp do. Every command goes through
//! the rules and the fold as in a service, on a ledger in memory and a clock that is only a number. A
//! witness notes what it saw by itself, in the plainest way, and looks at every ticket again. Knows
//! no disk, no network and no thread.

mod business;
mod commands;
mod desk;
mod more;
mod plan;
mod report;
mod run;
mod schedule;
mod tally;
mod watch;
mod witness;
mod world;

pub use plan::{Plan, Sabotage};
pub use report::Report;
pub use run::run;
pub use witness::Violation;
