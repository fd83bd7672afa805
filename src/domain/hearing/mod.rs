//! What WhatsApp says: facts to be decided about, and what they leave behind of one contact.
//!
//! Every fact carries its own moment, and that moment rules: what is kept is the latest, the
//! earliest or the highest of what was said, so that facts may come late, twice and in any order.

mod barred;
mod command;
mod early;
mod hold;
mod told;

pub use barred::{Barred, BarredBy};
pub use command::{
    About, AccountFact, AnswerHow, ConsentAnswer, DecideReview, Delivery, Failure, FailureEffect,
    Heard, HeardFact, RestrictionKind, ReviewDecision, SenderFact, Step, TemplateFact, Wrote,
};
pub use hold::HeldBack;
pub use told::{Closed, Followed, More, Preference, Rest, Review, Spared, Told, WindowEnd};
