//! The record: an append-only, hash-chained log of sealed entries with one writer.
//!
//! A success is answered only after the group it belongs to is durable. Whatever the disk does to
//! the bytes afterwards is noticed when the ledger is opened.

pub mod ballast;
mod cipher;
pub mod codec;
pub mod entry;
pub mod handle;
pub mod index;
pub mod journal;
pub mod lock;
pub mod log;
pub mod memory;
pub mod past;
pub mod recent;
pub mod replay;
pub mod seal;
pub mod sealer;
pub mod vault;
pub mod views;
pub mod writer;
