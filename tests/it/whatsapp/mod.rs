//! What webhooks say: every sample against its facts, and what holds for any webhook.

mod errors;
mod generated;
mod properties;
pub(crate) mod samples;
mod show;
