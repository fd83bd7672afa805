//! Izin keeps the proof that people agreed to be messaged on WhatsApp, and answers before every
//! send: may this sender send this message to this person now, and if not, why not?

pub mod domain;
pub mod limits;
