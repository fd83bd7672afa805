//! What a client sees: status, body and headers of every call, over a real connection.

mod bad_input;
mod changes;
mod compat;
mod consents;
mod contacts;
mod contract;
mod cors;
mod deadlines;
mod document;
mod eligibility;
mod exports;
mod idempotency;
mod identity;
mod implied;
mod incidents;
mod jobs;
mod keys;
mod lists;
mod metrics;
mod numbers;
mod outstanding;
mod overload;
mod past;
mod policy;
mod polls;
mod room;
mod same_person;
mod sends;
mod storage;
mod verifications;
mod waiting;
mod webhook_words;
mod webhooks;
mod webhooks_late;

use serde_json::json;

use crate::app::{TestApp, text};

/// The origin publishable keys of the tests work from.
const SHOP: &str = "https://shop.example";

/// Makes a publishable key and returns its text and its id.
async fn publishable(app: &TestApp, scopes: &[&str], origin: &str) -> (String, String) {
    let body = json!({"name": "form", "kind": "publishable", "scopes": scopes,
        "origins": [origin]});
    let made = app.post("/v1/keys").json(&body).expect(201).await;
    (text(&made["key"]), text(&made["id"]))
}
