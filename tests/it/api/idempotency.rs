//! The same request again: one effect, the same answer, across restarts.

use izin::http::routes::TABLE;
use serde_json::{Value, json};

use crate::app::{Call, TestApp, text};

const ANN: &str = "+12025550101";
const BEN: &str = "+12025550102";

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

/// Calls that only ask.
const ASKS: &[&str] = &["/v1/eligibility", "/v1/eligibility/preview", "/v1/policy/simulate"];

/// Calls whose answers hold secrets or outcomes that their own tests look at.
const ELSEWHERE: &[&str] = &[
    "/compat/v1/contacts",
    "/v1/keys",
    "/v1/keys/{id}/rotate",
    "/v1/reviews/{id}",
    "/v1/sends/batch",
    "/v1/verifications",
    "/v1/verifications/bulk",
    "/webhooks/whatsapp",
];

/// Returns a request for a call that writes, and a body that makes it another request. `None` is
/// no body at all.
async fn request(app: &TestApp, path: &str) -> (String, Value, Option<Value>) {
    let act = |topic: &str| json!({"number": ANN, "topics": [topic], "source": {"type": "qr"}});
    let send = |ttl: u32| {
        json!({"number": ANN, "kind": "template", "template": "shipped", "sender": "1001",
            "ttl_s": ttl})
    };
    let contact = |call: &str| format!("/v1/contacts/{ANN}/{call}");
    match path {
        "/v1/opt-ins" | "/v1/opt-outs" => (path.to_owned(), act("orders"), Some(act("promotions"))),
        "/v1/contacts/merge" => {
            let body = |reason: &str| json!({"from": BEN, "into": ANN, "reason": reason});
            (path.to_owned(), body("a"), Some(body("b")))
        }
        "/v1/contacts/{ref}/identity/confirm" => {
            let body = |call: &str| json!({"hash": "hash-2", "evidence": {"call": call}});
            (contact("identity/confirm"), body("a"), Some(body("b")))
        }
        "/v1/contacts/{ref}/block" => {
            (contact("block"), json!({"reason": "a"}), Some(json!({"reason": "b"})))
        }
        "/v1/contacts/{ref}/unblock" => (contact("unblock"), json!({}), None),
        "/v1/contacts/{ref}/traffic" => {
            let body = |kind: &str| json!({"kind": kind, "sender": "1001"});
            (contact("traffic"), body("inbound"), Some(body("delivered")))
        }
        "/v1/sends" => (path.to_owned(), send(60), Some(send(61))),
        "/v1/sends/{id}/commit" | "/v1/sends/{id}/release" => {
            let ticket = app.post("/v1/sends").json(&send(60)).expect(201).await;
            let path = path.replace("{id}", &text(&ticket["id"]));
            if path.ends_with("release") {
                return (path, json!({}), None);
            }
            let body = |message: &str| json!({"message_id": message});
            (path, body("wamid.1"), Some(body("wamid.2")))
        }
        other => panic!("nobody says how {other} is asked for"),
    }
}

/// Somebody to whom all of it can happen: known, and somebody else since.
async fn somebody() -> TestApp {
    let app = TestApp::with_registry().await;
    app.opt_in(BEN, "orders").await;
    let hash = |hash: &str| json!({"hash": hash});
    for hash in [hash("hash-1"), hash("hash-2")] {
        app.opt_in(ANN, "orders").await;
        app.put(&format!("/v1/contacts/{ANN}/identity")).json(&hash).expect(200).await;
        app.clock.advance_ms(1_000);
    }
    app
}

#[tokio::test]
async fn every_call_that_writes_knows_repeated_requests_whether_or_not_they_changed_anything() {
    for row in TABLE.iter().filter(|row| row.method == "POST") {
        if ASKS.contains(&row.path) || ELSEWHERE.contains(&row.path) {
            continue;
        }
        let app = somebody().await;
        if !row.path.contains("confirm") {
            app.opt_in(ANN, "orders").await;
        }
        let (path, body, other) = request(&app, row.path).await;
        let call = |key: &str| app.post(&path).header("idempotency-key", key);
        for key in ["first", "nothing-to-change"] {
            let first = call(key).json(&body).send().await;
            assert!(first.status.is_success(), "{path}: {}", first.text());
            assert_eq!(first.header("idempotent-replayed"), None, "{path}, {key}");
            app.clock.advance_ms(1_000);
            let second = call(key).json(&body).send().await;
            assert_eq!(second.header("idempotent-replayed"), Some("true"), "{path}, {key}");
            assert_eq!(second.status, first.status);
            assert_eq!(second.json(), first.json(), "{path}, {key}");
            let changed = match &other {
                Some(other) => call(key).json(other),
                None => call(key),
            };
            changed.problem(422, "idempotency_key_reused").await;
        }
    }
}

#[tokio::test]
async fn a_repeated_request_that_changed_nothing_does_not_change_anything_later() {
    let app = TestApp::with_registry().await;
    app.opt_in(ANN, "orders").await;
    let contact = format!("/v1/contacts/{ANN}");
    let block = || app.post(&format!("{contact}/block")).header("idempotency-key", "k");
    app.post(&format!("{contact}/block")).expect(200).await;
    assert_eq!(block().expect(200).await["changed"], false);
    app.post(&format!("{contact}/unblock")).expect(200).await;
    let again = block().send().await;
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(again.json()["changed"], false);
    assert_eq!(app.get(&contact).expect(200).await["blocked_since"], Value::Null);
    assert_eq!(app.ask(ANN, "orders").await["eligible"], true);
}

#[tokio::test]
async fn a_body_where_none_is_needed_is_read_all_the_same() {
    let app = TestApp::with_registry().await;
    app.opt_in(ANN, "orders").await;
    let path = format!("/v1/contacts/{ANN}/unblock");
    app.post(&path).json(&json!({"reason": "x"})).problem(422, "body_invalid").await;
    app.post(&path).body("application/json", "{").problem(400, "body_malformed").await;
    app.post(&path).body("text/plain", "x").problem(415, "content_type").await;
    app.post(&path).json(&json!({})).expect(200).await;
    app.post(&path).expect(200).await;
}

/// A batch of messages to these people under one key.
fn batch(app: &TestApp, people: &[&str]) -> Call {
    let one = |number: &&str| json!({"number": number, "kind": "template", "template": "shipped", "sender": "1001"});
    let sends: Vec<_> = people.iter().map(one).collect();
    app.post("/v1/sends/batch").header("idempotency-key", "k1").json(&json!({"sends": sends}))
}

async fn used(app: &TestApp) -> Value {
    app.get("/v1/portfolios/p1/capacity").expect(200).await["used"].clone()
}

#[tokio::test]
async fn a_batch_under_a_used_key_with_another_body_reserves_nothing() {
    let people = ["+12025550111", "+12025550112", "+12025550113", "+12025550114"];
    let mut app = TestApp::with_registry().await;
    for number in people {
        app.opt_in(number, "orders").await;
    }
    let first = batch(&app, &people[..2]).expect(200).await;
    assert_eq!((&first["reserved"], used(&app).await), (&json!(2), json!(2)));
    for restarts in [false, true] {
        if restarts {
            app.restart();
        }
        batch(&app, &people).problem(422, "idempotency_key_reused").await;
        batch(&app, &people[2..]).problem(422, "idempotency_key_reused").await;
        batch(&app, &[]).problem(422, "idempotency_key_reused").await;
        assert_eq!(used(&app).await, 2, "nothing was reserved that nobody was told of");
        let again = batch(&app, &people[..2]).expect(200).await;
        assert_eq!((&again["results"], &again["replayed"]), (&first["results"], &json!(2)));
    }
}

#[tokio::test]
async fn a_batch_of_which_all_was_refused_keeps_its_key() {
    let app = TestApp::with_registry().await;
    let (stranger, known) = ("+12025550111", "+12025550112");
    app.opt_in(known, "orders").await;
    let refused = batch(&app, &[stranger]).send().await;
    assert_eq!(refused.status, 200);
    assert_eq!(refused.json()["refused"], 1);
    batch(&app, &[stranger, known]).problem(422, "idempotency_key_reused").await;
    assert_eq!(used(&app).await, 0);
    app.opt_in(stranger, "orders").await;
    assert_eq!(batch(&app, &[stranger]).expect(200).await["reserved"], 1, "judged anew");
}

#[tokio::test]
async fn of_two_batches_at_once_under_one_key_one_is_done() {
    let people: Vec<_> = (0..40).map(|n| format!("+1202555{:04}", 110 + n)).collect();
    let people: Vec<&str> = people.iter().map(String::as_str).collect();
    let app = TestApp::with_registry().await;
    for number in &people {
        app.opt_in(number, "orders").await;
    }
    let (one, other) =
        tokio::join!(batch(&app, &people[..20]).send(), batch(&app, &people).send(),);
    let (done, refused) = if one.status == 200 { (one, other) } else { (other, one) };
    assert_eq!((done.status.as_u16(), refused.status.as_u16()), (200, 422));
    assert_eq!(used(&app).await, done.json()["reserved"]);
}
