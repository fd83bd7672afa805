//! Hears what WhatsApp says: the bytes of a webhook in, typed facts out, each with its own moment.
//!
//! Knows no ledger, no contact and no HTTP, decides nothing and keeps nothing. Whether a fact is
//! new, late or a repeat is for whoever knows the state; [`Fact::key`] tells them.
//!
//! Written for the Cloud API's Graph versions 23 to 26 and for the bare bodies of the On-Premises
//! API, from Meta's pages "Webhooks", "messages", "Status messages", "Business-scoped user IDs",
//! "Business phone numbers", "Error codes" and those of the other fields, as they were between
//! October 2025 and September 2026; read November 2026. Where two pages disagree, both are taken.

mod errors;
mod facts;
mod graph;
mod payload;
mod signature;

pub use errors::{Action, Codes, Lasts, RULES, Rule, Subject, UNKNOWN_CODE, document, rule};
pub use facts::{
    AccountAlert, AccountRestriction, Answer, Conclusion, Context, Conversation, DedupeKey,
    DeliveryState, DisplayName, Fact, Fault, Forwarded, IdentityChanged, IdentityMismatch, Inbound,
    LimitScope, MessageKind, MessagingLimit, NumberChanged, NumberEvent, NumberQuality,
    PartnerRemoved, PauseKind, Person, PortfolioLimit, Preference, PreferenceChoice, Pricing,
    Private, Referral, Restriction, RestrictionKind, SharedNumber, Spoken, Status,
    TemplateCategory, TemplateEvent, TemplateKey, TemplateQuality, TemplateStatus, UserIdChanged,
    UsernameUpdate, WindowProof,
};
pub use graph::{
    CanSend, GraphFault, Health, HealthEntity, HealthFault, NotAnAnswer, NumberRead, TemplateRead,
    TemplatesRead,
};
pub use payload::{Part, ReadError, Reading, read};
pub use signature::AppSecrets;
