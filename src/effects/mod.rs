//! Does what events ask for, outside the writer, and brings the outcome back as a command.

pub mod lookup_jobs;
pub mod lookups;
mod news;
pub mod polls;
