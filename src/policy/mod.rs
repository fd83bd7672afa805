//! What countries and the platform ask for, as data, and what follows from it for one message.
//!
//! A **pack** is a versioned file of rules by country and category, each with its reason and its
//! source. An operator's **overrides** choose packs, switch single rules off with a reason, and
//! add rules of their own. [`Policy::effective`] makes one **policy** of both: a value that is
//! stored in the ledger, so that what was decided under it can be decided again.
//!
//! Where rules overlap, the stricter wins: any pause pauses, quiet hours add up, the shortest
//! expiry and deadline count, every cap holds. Only an override makes anything looser.
//!
//! Knows no contact, no clock and no message. Decides nothing; is no legal advice.

mod action;
mod basis;
mod category;
mod country;
mod effective;
mod name;
mod overrides;
mod pack;
mod page;
mod rule;
mod settings;
mod shipped;
#[cfg(test)]
mod tests;

pub use action::{Action, Cap, Expiry, StopWithin};
pub use basis::{Basis, ConsentBasis};
pub use category::Category;
pub use country::{Country, NotACountry};
pub use effective::{CapRule, Limit, Policy, QuietRule, RuleRef, Rules};
pub use name::{NotAPolicyName, PolicyName};
pub use overrides::{Off, OverrideError, Overrides, PackChoice};
pub use pack::{Date, Kind, LookedAt, NotADate, Pack, PackError};
pub use page::page;
pub use rule::{Countries, NotARule, Rule};
pub use settings::{CategoryCap, NotSettings, Settings};
pub use shipped::packs;
