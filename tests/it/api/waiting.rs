//! How long to wait: the moment an answer names is one at which the answer is yes.

use serde_json::{Value, json};

use crate::app::TestApp;

/// Somebody in Singapore.
const LIM: &str = "+6591234567";

/// Somebody who agreed to marketing for as long as told, in a country with a night, and was sent
/// some.
async fn sent_some(expires_after_days: Option<u32>) -> TestApp {
    let app = TestApp::with_registry().await;
    let topic = json!({"name": "Promotions", "category": "marketing",
        "expires_after_days": expires_after_days});
    app.put("/v1/topics/promotions").json(&topic).send().await;
    let sale = json!({"topic": "promotions", "category": "marketing", "status": "APPROVED"});
    app.put("/v1/templates/sale/en").json(&sale).expect(201).await;
    app.opt_in(LIM, "promotions").await;
    let mut send = send();
    send["ttl_s"] = json!(86_400);
    app.post("/v1/sends").json(&send).expect(201).await;
    let night = json!({"id": "night", "countries": ["SG"], "categories": ["marketing"],
        "why": "People sleep.", "quiet_hours": {"windows": [{"from": "15:00", "to": "13:00"}]}});
    let cap = json!({"category": "marketing", "cap": {"count": 1, "days": 14}});
    let policy = json!({"rules": [night], "settings": {"frequency_caps": [cap]}});
    app.put("/v1/policy").json(&policy).expect(200).await;
    app
}

fn send() -> Value {
    json!({"number": LIM, "kind": "template", "template": "sale", "sender": "1001"})
}

async fn decision(app: &TestApp) -> Value {
    let path = "/v1/eligibility?number=%2B6591234567&template=sale&sender=1001";
    app.get(path).expect(200).await
}

async fn later(app: &TestApp) -> Value {
    let body = json!({"template": "sale", "sender": "1001", "recipients": [LIM]});
    app.post("/v1/eligibility/preview").json(&body).expect(200).await["later"].clone()
}

#[tokio::test]
async fn every_answer_names_the_first_moment_at_which_no_reason_is_left() {
    let app = sent_some(None).await;
    let asked = decision(&app).await;
    let cap =
        asked["reasons"].as_array().unwrap().iter().find(|hit| hit["code"] == "frequency_cap");
    let (cap, next) = (&cap.unwrap()["retry_at"], asked["next_eligible_at"].as_str().unwrap());
    // One in the afternoon in Singapore, and after the cap has ended.
    assert!(next.ends_with("T05:00:00Z") && cap.as_str().unwrap() < next, "{asked}");
    let day = next.replace("T05:", "T00:");
    assert_eq!(later(&app).await, json!([{"day": day, "count": 1}]));
    let batch = json!({"template": "sale", "sender": "1001", "recipients": [LIM]});
    let batch = app.post("/v1/eligibility").json(&batch).expect(200).await;
    assert_eq!(batch["results"][0]["next_eligible_at"], next);
    let reply = app.post("/v1/sends").json(&send()).send().await;
    let wait_s: u32 = reply.header("retry-after").unwrap().parse().unwrap();
    let problem = reply.problem(409, "send_refused");
    assert_eq!(problem["next_eligible_at"], next, "{problem}");
    let many = app.post("/v1/sends/batch").json(&json!({"sends": [send()]})).expect(200).await;
    let one = &many["results"][0]["problem"];
    assert_eq!((&one["next_eligible_at"], &one["retry_after_s"]), (&json!(next), &json!(wait_s)));
    // The clock moves a little with every call, and the wait is rounded up.
    app.clock.advance_ms((wait_s - 30) * 1_000);
    app.post("/v1/sends").json(&send()).problem(409, "send_refused").await;
    app.clock.advance_ms(30_000);
    app.post("/v1/sends").json(&send()).expect(201).await;
}

#[tokio::test]
async fn an_agreement_that_runs_out_meanwhile_is_not_worth_waiting_for() {
    let app = sent_some(Some(10)).await;
    let asked = decision(&app).await;
    let reasons = asked["reasons"].as_array().unwrap();
    assert!(reasons.iter().all(|reason| reason["retry_at"].is_string()), "{asked}");
    assert_eq!((&asked["next_eligible_at"], later(&app).await), (&Value::Null, json!([])));
    let reply = app.post("/v1/sends").json(&send()).send().await;
    assert_eq!(reply.header("retry-after"), None);
    reply.problem(409, "send_refused");
}
