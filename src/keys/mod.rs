//! API keys: their text, the keyed hash that is stored of them, and a brake on guessing.
//!
//! It does not know which keys exist or what they may do: that is registry state, made of the
//! plain types in `crate::domain::access`.

pub mod guard;
pub mod hash;
pub mod text;
