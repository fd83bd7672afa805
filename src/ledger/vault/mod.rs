//! The key vault: one encryption key per contact, in a file of slots that really forgets.
//!
//! Slots are made, wrapped and synced ahead of need, so that giving a new contact its key costs
//! the commit path no sync. Destroying a key overwrites its slot in place. Knows no contacts: a
//! slot is a number.

mod fresh;
mod layout;
mod store;

pub use store::{Kek, RESERVE, Vault, VaultError};
