//! The disk fails: nothing more is promised, and nobody who withdrew is written to.

use std::fs;

use serde_json::{Value, json};

use super::webhooks::{NOON_S, SECRET, SENDER, post_signed, text};
use crate::app::TestApp;

const ANN: &str = "+12025550101";
const BEN: &str = "+12025550102";

/// Who writes in webhooks.
const ANA: &str = "+12025550123";

/// Records opt-ins until the next entry needs another file of the journal.
async fn fill_a_segment(app: &TestApp) {
    let evidence: serde_json::Map<_, _> =
        (0..24).map(|place| (format!("page {place}"), "x".repeat(2_000).into())).collect();
    let body = json!({"number": "+12025550109", "topics": ["orders"],
        "source": {"type": "web_form"}, "evidence": evidence});
    // Some 49 kB each: 22 of them are more than a MiB, and 21 are not.
    for _ in 0..22 {
        app.post("/v1/opt-ins").json(&body).expect(201).await;
    }
}

fn is_withdrawn(decision: &Value) -> bool {
    assert_eq!(decision["eligible"], decision["reasons"].as_array().unwrap().is_empty());
    decision["reasons"][0]["code"] == "withdrawn" && decision["consent"]["status"] == "withdrawn"
}

#[tokio::test]
async fn after_a_storage_failure_nothing_is_recorded_and_a_stop_counts_all_the_same() {
    let settings = [("IZIN_LEDGER__SEGMENT_BYTES", "1048576")];
    let mut app = TestApp::with_registry_and(&settings).await;
    app.opt_in(ANN, "orders").await;
    app.opt_in(BEN, "orders").await;
    let joined = json!({"number": ANN, "user_id": "US.ann", "topics": ["orders"],
        "source": {"type": "web_form"}});
    app.post("/v1/opt-ins").json(&joined).expect(201).await;
    fill_a_segment(&app).await;
    let (there, gone) = (app.data().join("journal"), app.data().join("journal.gone"));
    fs::rename(&there, &gone).unwrap();
    let out = |number: &str| {
        let body = json!({"number": number, "source": {"type": "keyword"}});
        app.post("/v1/opt-outs").header("idempotency-key", "stop").json(&body)
    };
    let reply = out(ANN).send().await;
    let problem = reply.problem(503, "ledger_read_only");
    assert_eq!(problem["outcome"], "unknown");
    assert_eq!(problem["retryable"], true);
    assert!(reply.header("retry-after").is_some());
    assert!(is_withdrawn(&app.ask(ANN, "orders").await));
    let by_user = "/v1/eligibility?user_id=US.ann&topic=orders";
    assert!(is_withdrawn(&app.get(by_user).expect(200).await), "the same person");
    assert_eq!(app.ask(BEN, "orders").await["eligible"], true);
    let problem = out(BEN).problem(503, "ledger_read_only").await;
    assert_eq!(problem["outcome"], "not_recorded");
    assert!(is_withdrawn(&app.ask(BEN, "orders").await));
    let send = json!({"number": BEN, "kind": "template", "template": "shipped", "sender": "1001"});
    app.post("/v1/sends").json(&send).problem(503, "ledger_read_only").await;
    let ready = app.get("/readyz").anonymous().send().await;
    assert_eq!(ready.status, 503);
    assert_eq!(ready.json()["ledger"], "read_only");
    app.get("/livez").anonymous().send().await;
    // The disk is back: what was acknowledged is there, and the callers repeat the rest.
    fs::rename(&gone, &there).unwrap();
    app.restart();
    assert_eq!(app.get("/readyz").anonymous().send().await.status, 200);
    assert_eq!(app.ask(BEN, "orders").await["eligible"], true);
    for number in [ANN, BEN] {
        let body = json!({"number": number, "source": {"type": "keyword"}});
        app.post("/v1/opt-outs").header("idempotency-key", number).json(&body).expect(201).await;
        assert!(is_withdrawn(&app.ask(number, "orders").await));
    }
}

#[tokio::test]
async fn a_stop_by_webhook_counts_at_once_and_is_recorded_when_whatsapp_repeats_it() {
    let settings =
        [("IZIN_LEDGER__SEGMENT_BYTES", "1048576"), ("IZIN_WHATSAPP_APP_SECRET", SECRET)];
    let mut app = TestApp::with_registry_and(&settings).await;
    let sender = json!({"portfolio": "p1", "number": "+12025550100", "status": "CONNECTED",
        "quality": "GREEN"});
    app.put(&format!("/v1/senders/{SENDER}")).json(&sender).expect(201).await;
    app.opt_in(ANA, "orders").await;
    fill_a_segment(&app).await;
    app.clock.advance_ms(60_000);
    let (there, gone) = (app.data().join("journal"), app.data().join("journal.gone"));
    fs::rename(&there, &gone).unwrap();
    let out = json!({"number": BEN, "source": {"type": "keyword"}});
    app.post("/v1/opt-outs").json(&out).problem(503, "ledger_read_only").await;
    assert_eq!(app.ask(ANA, "orders").await["eligible"], true);
    let hello = post_signed(&app, SECRET, &text("hello", NOON_S + 10, "Halo")).await;
    hello.problem(503, "ledger_read_only");
    assert_eq!(app.ask(ANA, "orders").await["eligible"], true, "a greeting stops nothing");
    let stop = text("stop", NOON_S + 20, "stop");
    for _ in 0..2 {
        let refused = post_signed(&app, SECRET, &stop).await;
        assert_eq!(refused.problem(503, "ledger_read_only")["retryable"], true);
        assert!(is_withdrawn(&app.ask(ANA, "orders").await));
    }
    let by_user = "/v1/eligibility?user_id=US.90000000000000000123&topic=orders";
    let decision = app.get(by_user).expect(200).await;
    // Nobody is known by it yet, which is one reason more.
    let codes: Vec<_> =
        decision["reasons"].as_array().unwrap().iter().map(|reason| &reason["code"]).collect();
    assert_eq!(codes, ["never_asked", "withdrawn"], "by whatever the webhook names");
    let log = app.get("/v1/webhooks/log").expect(200).await;
    assert_eq!(log["data"][0]["outcome"], "not_recorded", "{log}");
    fs::rename(&gone, &there).unwrap();
    app.restart();
    assert_eq!(app.ask(ANA, "orders").await["eligible"], true, "it was never promised");
    let told = post_signed(&app, SECRET, &stop).await;
    assert_eq!((told.status.as_u16(), &told.json()["outcome"]), (200, &json!("recorded")));
    assert!(is_withdrawn(&app.ask(ANA, "orders").await));
}
