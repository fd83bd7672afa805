//! The same request again: one effect, the same answer, across restarts.

use serde_json::json;

use crate::app::TestApp;

const ANN: &str = "+12025550101";

#[tokio::test]
async fn a_repeated_request_has_one_effect_and_the_same_answer() {
    let mut app = TestApp::with_registry().await;
    let body = json!({"number": ANN, "topics": ["orders"], "source": {"type": "web_form"}});
    let again = |app: &TestApp, key: &str| {
        app.post("/v1/opt-ins").header("idempotency-key", key).json(&body).send()
    };
    let first = again(&app, "order-17").await;
    assert_eq!(first.status, 201);
    assert_eq!(first.header("idempotent-replayed"), None);
    app.clock.advance_ms(5_000);
    for key in ["order-17", "\"order-17\""] {
        let second = again(&app, key).await;
        assert_eq!(second.status, 201);
        assert_eq!(second.header("idempotent-replayed"), Some("true"), "{key}");
        assert_eq!(second.json(), first.json());
    }
    app.restart();
    app.wait_hours(24);
    let late = again(&app, "order-17").await;
    assert_eq!(late.header("idempotent-replayed"), Some("true"));
    assert_eq!(late.json(), first.json());
    let other = again(&app, "order-18").await;
    assert_eq!(other.header("idempotent-replayed"), None);
    assert_ne!(other.json()["receipt"], first.json()["receipt"]);
}

#[tokio::test]
async fn requests_are_recognised_for_as_long_as_the_operator_says() {
    for (hours, is_replayed) in [("25", None), ("30", Some("true"))] {
        let settings = [("IZIN_IDEMPOTENCY__KEEP_HOURS", hours)];
        let mut app = TestApp::with_registry_and(&settings).await;
        let body = json!({"number": ANN, "topics": ["orders"], "source": {"type": "web_form"}});
        let call = |app: &TestApp| {
            app.post("/v1/opt-ins").header("idempotency-key", "order-17").json(&body).send()
        };
        assert_eq!(call(&app).await.status, 201);
        app.wait_hours(26);
        // Forgetting goes by the ledger's time, which moves with its entries.
        app.opt_in("+12025550102", "orders").await;
        app.restart();
        assert_eq!(call(&app).await.header("idempotent-replayed"), is_replayed, "{hours} hours");
    }
}

#[tokio::test]
async fn a_key_used_for_another_body_is_refused_and_does_nothing() {
    let app = TestApp::with_registry().await;
    let body = |number: &str| json!({"number": number, "topics": ["orders"], "source": {"type": "web_form"}});
    let call =
        |number: &str| app.post("/v1/opt-ins").header("idempotency-key", "k").json(&body(number));
    call(ANN).expect(201).await;
    call("+12025550102").problem(422, "idempotency_key_reused").await;
    app.get("/v1/contacts/+12025550102").problem(404, "contact_unknown").await;
    // Another call and another caller have keys of their own.
    let out = json!({"number": ANN, "source": {"type": "keyword"}});
    app.post("/v1/opt-outs").header("idempotency-key", "k").json(&out).expect(201).await;
    let (key, _) = app.key(&["optins:write"]).await;
    call("+12025550102").key(&key).expect(201).await;
}

#[tokio::test]
async fn a_malformed_key_is_refused() {
    let app = TestApp::with_registry().await;
    let body = json!({"number": ANN, "topics": ["orders"], "source": {"type": "web_form"}});
    for key in ["\"open", "\"\"", &"x".repeat(256)] {
        let call = app.post("/v1/opt-ins").header("idempotency-key", key).json(&body);
        call.problem(400, "idempotency_key_invalid").await;
    }
}

#[tokio::test]
async fn every_call_that_writes_knows_repeated_requests() {
    let app = TestApp::with_registry().await;
    app.opt_in(ANN, "orders").await;
    let send = json!({"number": ANN, "kind": "template", "template": "shipped", "sender": "1001"});
    let contact = format!("/v1/contacts/{ANN}");
    for (path, body) in [
        ("/v1/sends".to_owned(), send),
        (format!("{contact}/block"), json!({"reason": "asked by phone"})),
        (format!("{contact}/traffic"), json!({"kind": "inbound", "sender": "1001"})),
    ] {
        let call = || app.post(&path).header("idempotency-key", "k").json(&body);
        let first = call().send().await;
        assert!(first.status.is_success(), "{path}: {}", first.text());
        let second = call().send().await;
        assert_eq!(second.header("idempotent-replayed"), Some("true"), "{path}");
        assert_eq!(second.status, first.status);
        assert_eq!(second.json()["receipt"], first.json()["receipt"], "{path}");
    }
}
