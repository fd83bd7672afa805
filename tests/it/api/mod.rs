//! What a client sees: status, body and headers of every call, over a real connection.

mod bad_input;
mod consents;
mod contacts;
mod document;
mod eligibility;
mod exports;
mod idempotency;
mod identity;
mod keys;
mod sends;
mod verifications;
