//! What the process borrows from the machine: time, identifiers, chance, threads, signals, logs.
//!
//! Knows nothing of consent. Whatever the rest of the program needs of the machine is handed to
//! it from here as an argument, so that tests can hand it something else.

pub mod blocking;
pub mod clock;
pub mod ids;
pub mod random;
pub mod shutdown;
pub mod telemetry;
