//! API keys: their text, the keyed hash that is stored of them, a brake on guessing, and a limit on
//! what publishable ones may ask for.
//!
//! It does not know which keys exist or what they may do: that is registry state, made of the
//! plain types in `crate::domain::access`.

pub mod guard;
pub mod hash;
mod source;
pub mod text;
pub mod throttle;
