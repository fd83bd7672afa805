//! Holds what one crate cannot hold by itself: layers, file sizes, module docs, dead files, words.
//!
//! It reads the sources as text; whether they compile, and what they do, is for other tests.

mod files;
mod layers;
mod lexer;
mod words;
