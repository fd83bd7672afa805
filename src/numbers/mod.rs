//! Reading what people type into phone numbers, and deciding which spellings are one person.
//!
//! Knows nothing of contacts, consents, storage or HTTP: text in, typed answers out, the same on
//! every machine. Only `google` and `plans` name the parser that does the reading, so it can be
//! replaced; whether a number is valid, of which kind and where, the automaton says.

mod automaton;
mod e164;
mod google;
mod layout;
mod normalize;
mod number;
mod parse;
mod plain;
mod plans;
mod region;
mod regionless;
mod renumbering;
mod spelling;
mod suggest;
mod whatsapp_form;

pub use e164::{E164, NotE164};
pub use normalize::{NormalizeRow, normalize_line, normalize_stream};
pub use number::{LengthCheck, Number, NumberError, NumberType};
pub use parse::{classify, metadata_version, parse, prepare};
pub use region::{Region, UnknownRegion};
pub use regionless::{needs_region, valid_in};
pub use spelling::{MatchKey, Spellings, WaContact, WaIdError, from_wa_id, spellings};
pub use suggest::{Assumption, Suggestion, suggest};
