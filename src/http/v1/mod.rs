//! Version 1 of the API: one file per resource, body types and handlers together.

pub mod batch;
pub mod contacts;
pub mod decision;
pub mod duplicates;
pub mod eligibility;
pub mod exports;
mod history;
pub mod jobs;
pub mod keys;
mod laid;
pub mod lookups;
pub mod merge;
pub mod numbers;
pub mod opt_ins;
pub mod opt_outs;
pub mod outstanding;
pub mod registry;
pub mod sends;
pub mod shown;
mod stream;
pub mod verifications;
