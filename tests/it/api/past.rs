//! What would have been decided then, from the ledger.

use serde_json::{Value, json};

use crate::app::TestApp;

const ANN: &str = "+12025550101";
const BEN: &str = "+12025550102";

const QUERIES: [&str; 4] = [
    "template=shipped&sender=1001",
    "topic=orders",
    "kind=session&sender=1001",
    "template=sale&sender=1001",
];

/// What was answered at a moment: to single questions, and to one about several people.
struct Answered {
    at: String,
    single: Vec<Value>,
    batch: Value,
}

async fn ask(app: &TestApp, at: Option<&str>) -> Vec<Value> {
    let mut answers = Vec::new();
    for number in [ANN, BEN, "+12025550109", "hello"] {
        for query in QUERIES {
            let at = at.map(|at| format!("&at={at}")).unwrap_or_default();
            let path = format!("/v1/eligibility?number={number}&{query}{at}");
            answers.push(app.get(&path).expect(200).await);
        }
    }
    answers
}

async fn ask_many(app: &TestApp, at: Option<&str>) -> Value {
    let mut body = json!({"recipients": [ANN, {"number": BEN, "ref": "b"}, "hello"],
        "template": "shipped", "sender": "1001"});
    if let Some(at) = at {
        body["at"] = json!(at);
    }
    app.post("/v1/eligibility").json(&body).expect(200).await
}

/// Takes down what is answered now, then lets an hour pass.
async fn take_down(app: &TestApp, answered: &mut Vec<Answered>) {
    app.clock.advance_ms(1);
    let (single, batch) = (ask(app, None).await, ask_many(app, None).await);
    answered.push(Answered { at: app.moment(0), single, batch });
    app.wait_hours(1);
}

fn codes(decision: &Value) -> Vec<&str> {
    let reasons = decision["reasons"].as_array().unwrap().iter();
    reasons.map(|reason| reason["code"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn the_past_is_answered_as_it_was_with_consents_registry_policy_and_caps_of_then() {
    let mut app = TestApp::with_registry().await;
    let general = json!({"name": "Everything", "category": "marketing"});
    app.put("/v1/topics/general").json(&general).expect(201).await;
    app.opt_in(BEN, "general").await;
    let sale = json!({"topic": "promotions", "category": "marketing", "status": "APPROVED"});
    app.put("/v1/templates/sale/en").json(&sale).expect(201).await;
    let mut answered = Vec::new();
    app.opt_in(ANN, "orders").await;
    take_down(&app, &mut answered).await;
    app.opt_in(BEN, "promotions").await;
    let send = json!({"number": BEN, "kind": "template", "template": "sale", "sender": "1001"});
    app.post("/v1/sends").json(&send).expect(201).await;
    take_down(&app, &mut answered).await;
    app.opt_out(ANN).await;
    take_down(&app, &mut answered).await;
    let paused = json!({"topic": "orders", "category": "utility", "status": "PAUSED"});
    app.put("/v1/templates/shipped/en").json(&paused).expect(200).await;
    take_down(&app, &mut answered).await;
    let policy = json!({"settings": {"general_topic": true}});
    app.put("/v1/policy").json(&policy).expect(200).await;
    take_down(&app, &mut answered).await;

    let paused: &[&str] = &["withdrawn", "template_paused"];
    let to_ann = [&[][..], &[], &["withdrawn"], paused, paused];
    let again = &["frequency_cap"][..];
    let to_ben = [&["never_asked"][..], again, again, again, again];
    // What Ben agreed to covers orders only under the last policy.
    let covered = [false, false, false, false, true];
    for (place, answered) in answered.iter().enumerate() {
        let of_ben = &answered.single[QUERIES.len()..];
        assert_eq!(codes(&answered.single[0]), to_ann[place], "{}", answered.at);
        assert_eq!(codes(&of_ben[3]), to_ben[place], "{}", answered.at);
        assert_eq!(of_ben[1]["eligible"], covered[place], "{}", answered.at);
    }
    // Forwards each goes on from the one before; backwards each begins anew.
    for order in [[0, 1, 2, 3, 4], [4, 3, 2, 1, 0]] {
        for place in order {
            let Answered { at, single, batch } = &answered[place];
            assert_eq!(ask(&app, Some(at)).await, *single, "{at}");
            assert_eq!(ask_many(&app, Some(at)).await, *batch, "{at}");
        }
        app.restart();
    }
}

#[tokio::test]
async fn a_moment_the_ledger_does_not_know_is_a_clear_problem() {
    let app = TestApp::with_registry().await;
    let path = |at: &str| format!("/v1/eligibility?number={ANN}&topic=orders&at={at}");
    for at in [app.moment(1), app.moment(-1), "2020-01-01T00:00:00Z".into()] {
        let problem = app.get(&path(&at)).problem(422, "moment_unknown").await;
        assert_eq!(problem["errors"][0]["pointer"], "?at", "{at}");
        let body = json!({"recipients": [ANN], "topic": "orders", "at": at});
        let problem = app.post("/v1/eligibility").json(&body).problem(422, "moment_unknown").await;
        assert_eq!(problem["errors"][0]["pointer"], "/at", "{at}");
    }
    assert_eq!(app.get(&path(&app.moment(0))).expect(200).await["eligible"], false);
    // A moment that was left blank by mistake is not now.
    app.get(&path("")).problem(400, "query_invalid").await;
    for at in ["yesterday", "2026-11-20"] {
        app.get(&path(at)).problem(400, "query_invalid").await;
        let body = json!({"recipients": [ANN], "topic": "orders", "at": at});
        app.post("/v1/eligibility").json(&body).problem(422, "body_invalid").await;
    }
    let unknown = format!("/v1/eligibility?number={ANN}&topic=nonsense&at={}", app.moment(0));
    app.get(&unknown).problem(422, "topic_unknown").await;
    let stream = format!("{{\"topic\": \"orders\", \"at\": \"{}\"}}\n\"{ANN}\"\n", app.moment(0));
    let stream = app.post("/v1/eligibility").body("application/x-ndjson", stream);
    stream.problem(422, "body_invalid").await;
}
