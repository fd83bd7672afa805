//! A number may belong to somebody else now: what suspends consents, and what lifts it.

use serde_json::{Value, json};

use crate::app::TestApp;

const ANN: &str = "+12025550101";

/// Reports a hash as seen some seconds from now; returns whether anything changed.
async fn report(app: &TestApp, hash: &str, seconds: i64) -> bool {
    let body = json!({"hash": hash, "observed_at": app.moment(seconds)});
    let reply = app.put(&format!("/v1/contacts/{ANN}/identity")).json(&body).expect(200).await;
    assert_eq!(reply["changed"], !reply["receipt"].is_null());
    reply["changed"] == true
}

async fn codes(app: &TestApp, topic: &str) -> Vec<Value> {
    let decision = app.ask(ANN, topic).await;
    decision["reasons"].as_array().unwrap().iter().map(|hit| hit["code"].clone()).collect()
}

/// Somebody who agreed to two topics and is somebody else an hour later.
async fn changed() -> TestApp {
    let app = TestApp::with_registry().await;
    app.opt_in(ANN, "orders").await;
    app.opt_in(ANN, "promotions").await;
    assert!(report(&app, "hash-1", 0).await);
    app.wait_hours(1);
    assert!(report(&app, "hash-2", 0).await);
    app
}

#[tokio::test]
async fn another_hash_suspends_every_consent_at_once() {
    let app = changed().await;
    for topic in ["orders", "promotions"] {
        let decision = app.ask(ANN, topic).await;
        assert_eq!(decision["eligible"], false);
        let reason = &decision["reasons"][0];
        assert_eq!(reason["code"], "identity_changed");
        assert_eq!(reason["since"], app.moment(0));
        assert!(reason["seq"].is_u64());
        assert_eq!(decision["consent"]["status"], "granted");
    }
    let shown = app.get(&format!("/v1/contacts/{ANN}")).expect(200).await;
    assert_eq!(shown["identity"]["status"], "changed");
    assert_eq!(shown["identity"]["hash"], "hash-2");
    assert!(shown["consents"].as_array().unwrap().iter().all(|one| one["suspended"] == true));
}

#[tokio::test]
async fn two_hashes_at_one_moment_suspend_whichever_is_reported_first() {
    for [first, second] in [["hash-1", "hash-2"], ["hash-2", "hash-1"]] {
        let app = TestApp::with_registry().await;
        app.opt_in(ANN, "orders").await;
        app.wait_hours(1);
        assert!(report(&app, first, 0).await);
        let ticket = json!({"number": ANN, "kind": "template", "template": "shipped",
            "sender": "1001"});
        let ticket = app.post("/v1/sends").json(&ticket).expect(201).await;
        assert!(report(&app, second, 0).await, "{second} after {first}");
        assert!(!report(&app, second, 0).await, "a repeat");
        assert_eq!(codes(&app, "orders").await, ["identity_changed"]);
        let commit = format!("/v1/sends/{}/commit", ticket["id"].as_str().unwrap());
        let commit = app.post(&commit).json(&json!({"message_id": "wamid.1"}));
        commit.problem(409, "ticket_voided").await;
    }
}

#[tokio::test]
async fn the_first_hash_and_late_or_repeated_ones_suspend_nothing() {
    let app = TestApp::with_registry().await;
    app.opt_in(ANN, "orders").await;
    app.wait_hours(1);
    assert!(report(&app, "hash-1", 0).await);
    assert!(!report(&app, "hash-1", 60).await);
    assert!(!report(&app, "hash-0", -60).await);
    assert_eq!(codes(&app, "orders").await, [""; 0]);
    app.put(&format!("/v1/contacts/{ANN}/identity"))
        .json(&json!({"hash": "hash-2", "observed_at": app.moment(301)}))
        .problem(422, "captured_in_future")
        .await;
    let stranger = app.put("/v1/contacts/+12025550109/identity").json(&json!({"hash": "h"}));
    stranger.problem(404, "contact_unknown").await;
}

#[tokio::test]
async fn a_later_opt_in_lifts_the_suspension_topic_by_topic() {
    let app = changed().await;
    let old = json!({"number": ANN, "topics": ["orders"], "source": {"type": "import"},
        "captured_at": app.moment(-60)});
    app.post("/v1/opt-ins").json(&old).expect(201).await;
    assert_eq!(codes(&app, "orders").await, ["identity_changed"]);
    app.clock.advance_ms(1_000);
    app.opt_in(ANN, "orders").await;
    assert_eq!(codes(&app, "orders").await, [""; 0]);
    assert_eq!(codes(&app, "promotions").await, ["identity_changed"]);
}

#[tokio::test]
async fn only_the_latest_hash_can_be_confirmed_and_only_with_evidence() {
    let app = changed().await;
    let path = format!("/v1/contacts/{ANN}/identity/confirm");
    let confirm = |hash: &str, evidence: Value| {
        app.post(&path).json(&json!({"hash": hash, "evidence": evidence}))
    };
    let call = confirm("hash-1", json!({"call": "2026-11-20"}));
    call.problem(409, "identity_hash_mismatch").await;
    confirm("hash-2", json!({})).problem(422, "body_invalid").await;
    assert_eq!(codes(&app, "orders").await, ["identity_changed"]);
    let done = confirm("hash-2", json!({"call": "2026-11-20"})).expect(200).await;
    assert_eq!(done["changed"], true);
    assert_eq!(done["identity"]["status"], "current");
    for topic in ["orders", "promotions"] {
        let decision = app.ask(ANN, topic).await;
        assert_eq!(decision["eligible"], true);
        assert_eq!(decision["recipient_identity_key_hash"], "hash-2");
    }
    let again = confirm("hash-2", json!({"call": "2026-11-20"})).expect(200).await;
    assert_eq!(again["changed"], false);
}
