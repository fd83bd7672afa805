//! Answers of the Graph API, for whoever asks it: numbers, templates, and errors.
//!
//! Only reads. As tolerant as webhooks: a member that cannot be read is missing.

mod answer;
mod number;
mod templates;

pub use answer::{GraphFault, NotAnAnswer};
pub use number::{CanSend, Health, HealthEntity, HealthFault, NumberRead};
pub use templates::{TemplateRead, TemplatesRead};
