//! Decides what a short text from a person means for consent: out, in, an answer, or a doubt.
//!
//! Knows nothing of contacts, topics, storage or HTTP: text in, typed answer out, the same on
//! every machine. Only a text that *is* a listed word counts; one that merely holds a word is a
//! doubt for a person to settle. Does not understand sentences, and keeps no text.

mod changes;
mod data;
mod fold;
mod inside;
mod language;
mod lists;
mod look_alike;
mod page;
mod reading;
mod scripts;
mod signs;
mod styled;
#[cfg(test)]
mod tests;
mod typo;
mod word;

pub use fold::{fold, visible};
pub use language::{Language, NotALanguage};
pub use lists::{Addition, WordError, Words};
pub use page::page;
pub use reading::{Doubt, Reading};
pub use word::{Inside, Meaning, Scope};
