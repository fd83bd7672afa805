//! The embedded log: append-only segment files, one sync per group, verified when opened.
//!
//! The only code that touches segment files. Knows frames and hashes, not what entries mean.

mod anchor;
mod append;
pub mod disk;
mod frame;
mod open;
mod read;
mod scan;
mod window;

pub use append::Journal;
pub use disk::{Disk, DiskFile, Folder};
pub use open::{Cut, Found, OpenError, Options, Verified, Visit, is_in, open, verify};
