//! The vocabulary of consent and the pure rules over it.
//!
//! Nothing here performs I/O, reads a clock, draws randomness or awaits: given the same
//! arguments, every function returns the same value on every machine. Replay depends on it.

pub mod ids;
pub mod time;
