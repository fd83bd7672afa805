//! From the bytes of a webhook to facts.
//!
//! WhatsApp adds, moves and misnames things without notice, so nothing here is strict: every
//! update, message, status and preference is read on its own; members nobody knows are passed
//! over; a member of the wrong type counts as missing and is counted. What a part looks like decides
//! where its name is missing or contradicts it.

mod account;
mod calls;
mod defects;
mod envelope;
mod inbound;
mod json;
mod mend;
mod people;
mod preference;
mod shape;
mod sink;
mod status;
mod system;
mod template;
mod view;

pub use defects::Part;
pub use envelope::{ReadError, Reading, read};

pub(in crate::whatsapp) use account::limit;
pub(in crate::whatsapp) use defects::Defects;
pub(in crate::whatsapp) use json::parse;
pub(in crate::whatsapp) use status::fault;
pub(in crate::whatsapp) use template::{category_of, quality_of};
pub(in crate::whatsapp) use view::View;
