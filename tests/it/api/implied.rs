//! Agreements that follow from something else: how long they last, and what counts in their place.

use serde_json::{Value, json};

use crate::app::TestApp;

const ANN: &str = "+16045550101";

fn wait_days(app: &TestApp, days: u32) {
    (0..days).for_each(|_| app.wait_hours(24));
}

async fn inquired() -> TestApp {
    let app = TestApp::with_registry().await;
    let canada = json!({"packs": {"americas": {"on": true}}});
    app.put("/v1/policy").json(&canada).expect(200).await;
    app.post("/v1/opt-ins").json(&agreed("implied_inquiry")).expect(201).await;
    app
}

fn agreed(basis: &str) -> Value {
    json!({"number": ANN, "topics": ["promotions"], "source": {"type": "crm"}, "basis": basis})
}

/// Where the consent stands, asked in each way there is.
async fn standing(app: &TestApp) -> [Value; 3] {
    let decision = app.ask(ANN, "promotions").await["consent"].clone();
    let contact = app.get(&format!("/v1/contacts/{ANN}")).expect(200).await["consents"][0].clone();
    let export = app.get("/v1/exports/consents?format=ndjson").send().await;
    let export: Value = serde_json::from_str(export.text().lines().next().unwrap()).unwrap();
    [decision, contact, export]
}

#[tokio::test]
async fn an_inquiry_ends_after_six_months_by_a_named_rule_until_the_person_says_yes() {
    let mut app = inquired().await;
    let before = app.ask(ANN, "promotions").await;
    assert_eq!(before["eligible"], true, "{before}");
    for seen in standing(&app).await {
        assert_eq!(
            (&seen["status"], &seen["basis"]),
            (&json!("granted"), &json!("implied_inquiry"))
        );
        assert!(seen["expires_at"].is_string(), "its end is known from the start: {seen}");
    }
    app.clock.advance_ms(1);
    let then = app.moment(0);
    wait_days(&app, 181);
    let after = app.ask(ANN, "promotions").await;
    let reason = &after["reasons"][0];
    assert_eq!(
        (&reason["code"], &reason["rules"]),
        (&json!("expired"), &json!(["americas@2/ca-implied-by-inquiry"]))
    );
    assert_eq!(reason["since"], before["consent"]["expires_at"]);
    for seen in standing(&app).await {
        assert_eq!((&seen["status"], &seen["expires_at"]), (&json!("expired"), &reason["since"]));
    }
    let audience =
        json!({"topic": "promotions", "audience": {"topic": "promotions", "status": "expired"}});
    let preview = app.post("/v1/eligibility/preview").json(&audience).expect(200).await;
    assert_eq!(preview["totals"]["by_reason"], json!({"expired": 1}));
    // The past stays what it was, and so does the present after a restart.
    let path = format!("/v1/eligibility?number={ANN}&topic=promotions&at={then}");
    assert_eq!(app.get(&path).expect(200).await["consent"], before["consent"]);
    app.restart();
    assert_eq!(app.ask(ANN, "promotions").await, after);

    app.post("/v1/opt-ins").json(&agreed("express")).expect(201).await;
    let said = app.ask(ANN, "promotions").await;
    assert_eq!((&said["eligible"], &said["consent"]["expires_at"]), (&json!(true), &json!(null)));
    assert_eq!(said["consent"].get("basis"), None);
    // A purchase gives what was said no end.
    let bought = app.post("/v1/opt-ins").json(&agreed("implied_purchase")).expect(201).await;
    assert_eq!(bought["consents"][0]["seq"], said["consent"]["seq"], "{bought}");
    wait_days(&app, 4 * 181);
    assert_eq!(app.ask(ANN, "promotions").await["consent"], said["consent"]);
}

#[tokio::test]
async fn a_basis_that_makes_no_sense_is_refused() {
    let app = TestApp::with_registry().await;
    let mut body = agreed("implied_purchase");
    body["double_opt_in"] = json!(true);
    let problem = app.post("/v1/opt-ins").json(&body).problem(422, "body_invalid").await;
    assert_eq!(problem["errors"][0]["pointer"], "/basis");
    app.post("/v1/opt-ins").json(&agreed("guessed")).problem(422, "body_invalid").await;
    let contact = format!("/v1/contacts/{ANN}");
    app.get(&contact).problem(404, "contact_unknown").await;
}

#[tokio::test]
async fn of_a_purchase_and_an_inquiry_the_one_that_lasts_longer_counts_in_any_order() {
    let (bought, inquired) = (("implied_purchase", 100), ("implied_inquiry", 1));
    let mut seen = Vec::new();
    for order in [[bought, inquired], [inquired, bought]] {
        let mut app = TestApp::with_registry().await;
        let canada = json!({"packs": {"americas": {"on": true}}});
        app.put("/v1/policy").json(&canada).expect(200).await;
        for (basis, days) in order {
            let mut body = agreed(basis);
            body["captured_at"] = app.moment(-days * 86_400).into();
            app.post("/v1/opt-ins").json(&body).expect(201).await;
        }
        let consent = app.ask(ANN, "promotions").await["consent"].clone();
        app.restart();
        assert_eq!(app.ask(ANN, "promotions").await["consent"], consent);
        seen.push((consent["basis"].clone(), consent["expires_at"].clone()));
    }
    assert_eq!(seen[0], seen[1]);
    assert_eq!(seen[0].0, "implied_purchase");
}

#[tokio::test]
async fn whose_implied_agreement_has_run_out_is_not_looked_up() {
    let app = inquired().await;
    let looked_up = async || {
        let body = json!({"numbers": [ANN]});
        let answer = app.post("/v1/verifications").json(&body).expect(200).await;
        answer["results"][0]["reason"].clone()
    };
    assert_eq!(looked_up().await, "no_provider");
    wait_days(&app, 181);
    assert_eq!(looked_up().await, "not_opted_in");
}
