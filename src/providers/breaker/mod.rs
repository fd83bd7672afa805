//! Stops asking a provider that does not answer, and notices when it answers again.
//!
//! Decides from what it is told: it asks nobody and reads no clock. Times are monotonic
//! milliseconds of the caller's clock.

mod machine;
mod settings;
mod shared;

pub use machine::{Breaker, BreakerState, OpenUntil, Outcome, Permit};
pub use settings::{BreakerSettings, BreakerSettingsError};
pub use shared::{HeldPermit, SharedBreaker};
