//! The server's own secrets: made at first start, kept in files that only it may read.
//!
//! It neither uses them nor knows what for; and it never makes one again once there is data that
//! needs the old one.

mod file;
mod open;

pub use self::{
    file::{SECRET_BYTES, SecretFileError, SecretKey},
    open::{ExistingData, Secrets, SecretsError},
};
