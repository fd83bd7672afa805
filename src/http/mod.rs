//! The edge: bytes in, bytes out. Reads requests, submits commands or reads views, and replies.
//!
//! Knows neither how entries are stored nor which database stands behind the views.

pub mod auth;
pub mod body;
pub mod client;
pub mod compat;
mod contract;
pub mod cors;
pub mod counters;
pub mod docs;
pub mod door;
pub mod download;
pub mod edge;
pub mod explain;
pub mod extras;
pub mod health;
pub mod idempotency;
pub mod members;
pub mod metrics;
pub mod openapi;
pub mod page;
pub mod person;
pub mod problem;
pub mod query;
pub mod quota;
pub mod routes;
pub mod server;
mod strict;
pub mod v1;
pub mod webhooks;
pub mod wire;
