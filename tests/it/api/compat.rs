//! The contacts call of the On-Premises API: its shape outside, the one budget inside.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    api::verifications::{asking, asking_within, registered},
    app::{Call, TestApp},
    fake_provider::{FakeProvider, Reply},
};

const ANN: &str = "+12025550123";
const BEN: &str = "+12025550124";
const VALID: &str = include_str!("../../data/providers/contacts_valid.json");
const INVALID: &str = include_str!("../../data/providers/contacts_invalid.json");

fn check(app: &TestApp, blocking: &str, contacts: &[&str]) -> Call {
    let body = json!({"blocking": blocking, "contacts": contacts, "force_check": false});
    app.post("/compat/v1/contacts").json(&body)
}

async fn statuses(app: &TestApp, contacts: &[&str]) -> Vec<Value> {
    let answer = check(app, "wait", contacts).expect(200).await;
    let rows = answer["contacts"].as_array().unwrap();
    rows.iter().map(|row| row["status"].clone()).collect()
}

#[tokio::test]
async fn the_reply_has_the_old_shape_and_nothing_else() {
    let provider = FakeProvider::start();
    provider.answer_by(|received| {
        let question = String::from_utf8_lossy(&received.body).into_owned();
        if question.contains(BEN) {
            return Reply::json(&INVALID.replace(ANN, BEN));
        }
        registered(received)
    });
    let app = asking(&provider, "20").await;
    let reply = check(&app, "wait", &["+1 (202) 555-0123", "12025550124", "hello"]).send().await;
    assert_eq!(
        reply.json(),
        json!({"contacts": [
            {"input": "+1 (202) 555-0123", "status": "valid", "wa_id": "12025550123"},
            {"input": "12025550124", "status": "invalid"},
            {"input": "hello", "status": "invalid"},
        ]})
    );
    assert_eq!(reply.header("ratelimit"), Some("\"lookups\";r=18"));
    // Left out, both options are what they were: nobody waits and nothing is forced.
    let body = json!({"contacts": [ANN]});
    let answer = app.post("/compat/v1/contacts").json(&body).expect(200).await;
    assert_eq!(answer["contacts"][0]["status"], "valid");
    // What is known is not asked for again, and costs the one budget nothing.
    let body = json!({"contacts": [ANN, BEN], "blocking": "wait", "force_check": true});
    app.post("/compat/v1/contacts").json(&body).expect(200).await;
    assert_eq!(provider.received().len(), 2);
    let budget = app.get("/v1/verifications/budget").expect(200).await;
    assert_eq!(budget["used"], 2);
}

#[tokio::test]
async fn without_waiting_the_answer_is_processing_until_there_is_one() {
    let provider = FakeProvider::start();
    provider.then(Reply::Drip { body: VALID.into(), every: Duration::from_millis(2) });
    let app = asking_within(&provider, "20", "60000").await;
    let answer = check(&app, "no_wait", &[ANN]).expect(200).await;
    assert_eq!(answer["contacts"], json!([{"input": ANN, "status": "processing"}]));
    let answer = loop {
        let answer = check(&app, "no_wait", &[ANN]).expect(200).await;
        if answer["contacts"][0]["status"] != "processing" {
            break answer;
        }
    };
    let row = json!({"input": ANN, "status": "valid", "wa_id": "12025550123"});
    assert_eq!(answer["contacts"], json!([row]));
    assert_eq!(provider.received().len(), 1);
}

#[tokio::test]
async fn a_doubt_is_failed_and_never_invalid() {
    let app = TestApp::with_registry().await;
    app.opt_in(ANN, "orders").await;
    // Nobody to ask; nobody who may be asked about; a number of nobody knows which country.
    assert_eq!(statuses(&app, &[ANN, BEN, "0812 9999 8888"]).await, ["failed"; 3]);
    for reply in [Reply::status(500), Reply::status(429), Reply::json("{}"), Reply::Silence] {
        let provider = FakeProvider::start();
        provider.then(reply.clone());
        let app = asking(&provider, "20").await;
        assert_eq!(statuses(&app, &[ANN]).await, ["failed"], "{reply:?}");
        assert_eq!(provider.received().len(), 1);
    }
    let undeliverable = json!({"kind": "undeliverable"});
    app.post(&format!("/v1/contacts/{ANN}/traffic")).json(&undeliverable).expect(200).await;
    assert_eq!(statuses(&app, &[ANN]).await, ["failed"]);
}

#[tokio::test]
async fn over_the_budget_nobody_is_asked_and_the_answer_says_when() {
    let provider = FakeProvider::start();
    provider.answer_by(registered);
    let app = asking(&provider, "1").await;
    for blocking in ["wait", "no_wait"] {
        let reply = check(&app, blocking, &[ANN, BEN]).send().await;
        let problem = reply.problem(429, "lookup_budget_spent");
        assert_eq!((&problem["wanted"], &problem["budget"]["left"]), (&json!(2), &json!(1)));
    }
    assert_eq!(provider.received().len(), 0);
    assert_eq!(statuses(&app, &[ANN]).await, ["valid"]);
    let reply = check(&app, "no_wait", &[BEN]).send().await;
    reply.problem(429, "lookup_budget_spent");
    let wait_s = (7 * 24 * 3_600).to_string();
    assert_eq!(reply.header("retry-after"), Some(wait_s.as_str()));
    let numbers = json!({"numbers": [BEN]});
    app.post("/v1/verifications").json(&numbers).problem(429, "lookup_budget_spent").await;
    assert_eq!(provider.received().len(), 1);
}

#[tokio::test]
async fn what_is_known_already_comes_with_the_id_whatsapp_gave() {
    let brazil = "+5531970000000";
    let provider = FakeProvider::start();
    let row = json!({"input": brazil, "status": "valid", "wa_id": "553170000000"});
    provider.then(Reply::json(&json!({"contacts": [row]}).to_string()));
    let app = asking(&provider, "20").await;
    app.opt_in(brazil, "orders").await;
    for _ in 0..2 {
        let answer = check(&app, "wait", &[brazil]).expect(200).await;
        assert_eq!(answer["contacts"], json!([row]));
    }
    // Somebody who was written to and never looked up has the digits of the number.
    let delivered = json!({"kind": "delivered"});
    app.post(&format!("/v1/contacts/{BEN}/traffic")).json(&delivered).expect(200).await;
    let answer = check(&app, "wait", &[BEN]).expect(200).await;
    let row = json!({"input": BEN, "status": "valid", "wa_id": "12025550124"});
    assert_eq!(answer["contacts"], json!([row]));
    assert_eq!(provider.received().len(), 1);
}

#[tokio::test]
async fn each_number_of_a_merged_contact_is_answered_by_itself() {
    let provider = FakeProvider::start();
    provider.answer_by(registered);
    let app = asking(&provider, "20").await;
    app.opt_in(BEN, "orders").await;
    statuses(&app, &[ANN]).await;
    let merge = json!({"from": BEN, "into": ANN, "reason": "one customer, two phones"});
    app.post("/v1/contacts/merge").json(&merge).expect(200).await;
    for times in ["asked", "known"] {
        let answer = check(&app, "wait", &[ANN, BEN]).expect(200).await;
        let ids = [0, 1].map(|place| answer["contacts"][place]["wa_id"].clone());
        assert_eq!(ids, ["12025550123", "12025550124"], "{times}");
    }
    assert_eq!(provider.received().len(), 2, "each once");
}

#[tokio::test]
async fn a_repeated_request_asks_nobody_again() {
    let provider = FakeProvider::start();
    provider.then(Reply::status(500));
    let app = asking(&provider, "20").await;
    let ask = |contacts: &[&str]| check(&app, "wait", contacts).header("idempotency-key", "k");
    for replayed in [None, Some("true")] {
        let reply = ask(&[ANN]).send().await;
        assert_eq!(reply.header("idempotent-replayed"), replayed);
        assert_eq!(reply.json()["contacts"], json!([{"input": ANN, "status": "failed"}]));
    }
    ask(&[BEN]).problem(422, "idempotency_key_reused").await;
    assert_eq!(provider.received().len(), 1);
}

#[tokio::test]
async fn a_request_that_is_not_the_old_one_is_refused() {
    let app = TestApp::start();
    for (body, pointer) in [
        (json!({"contacts": []}), "/contacts"),
        (json!({"contacts": vec![ANN; 101]}), "/contacts"),
        (json!({"contacts": [ANN], "blocking": "maybe"}), "/blocking"),
        (json!({"contacts": [ANN], "forced": true}), ""),
        (json!({"contacts": ANN}), "/contacts"),
        (json!({"blocking": "wait"}), ""),
    ] {
        let problem =
            app.post("/compat/v1/contacts").json(&body).problem(422, "body_invalid").await;
        let told = problem["errors"][0]["pointer"].as_str().unwrap_or_default();
        assert!(told.starts_with(pointer), "{body} {problem}");
    }
    let (key, _) = app.key(&["verifications:read"]).await;
    check(&app, "wait", &[ANN]).key(&key).problem(403, "scope_missing").await;
}
