//! Opt-ins and opt-outs: what is recorded, with which date, and what is refused.

use serde_json::{Value, json};

use crate::app::{TestApp, text};

const ANN: &str = "+12025550101";

fn opt_in(number: &str) -> Value {
    json!({"number": number, "topics": ["orders"], "source": {"type": "web_form"}})
}

fn with(mut body: Value, member: &str, value: Value) -> Value {
    body[member] = value;
    body
}

fn pointer(problem: &Value) -> &str {
    problem["errors"][0]["pointer"].as_str().unwrap()
}

#[tokio::test]
async fn an_opt_in_answers_with_the_contact_the_consents_and_a_receipt() {
    let app = TestApp::with_registry().await;
    let body = json!({
        "number": "+1 (202) 555-0101", "topics": ["orders", "promotions"],
        "source": {"type": "qr", "entry_point": "counter-3", "url": "https://toko.example/q"},
        "statement": "signup", "language": "en", "evidence": {"ip": "192.0.2.1", "version": 3},
    });
    let reply = app.post("/v1/opt-ins").json(&body).send().await;
    assert_eq!(reply.status, 201, "{}", reply.text());
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    let made = reply.json();
    assert_eq!(made["contact"]["number"], ANN);
    assert!(made["contact"]["id"].is_string());
    let now = app.moment(0);
    for (place, topic) in ["orders", "promotions"].into_iter().enumerate() {
        let consent = &made["consents"][place];
        assert_eq!(consent["topic"], topic);
        assert_eq!(consent["status"], "granted");
        assert_eq!(consent["granted_at"], now.as_str());
        assert_eq!(consent["expires_at"], Value::Null);
        assert_eq!(consent["seq"], made["receipt"]["seq"]);
    }
    assert_eq!(text(&made["receipt"]["leaf_hash"]).len(), 64);
    assert_eq!(app.ask(ANN, "orders").await["eligible"], true);
}

#[tokio::test]
async fn only_what_has_to_be_confirmed_waits_and_each_topic_is_confirmed_by_itself() {
    let mut app = TestApp::with_registry().await;
    let news = json!({"name": "News", "category": "marketing"});
    app.put("/v1/topics/news").json(&news).expect(201).await;
    let twice = json!({"packs": {"europe-practice": {"on": true}}});
    app.put("/v1/policy").json(&twice).expect(200).await;
    let berlin = "+491713920001";
    let claim = async |topics: Value, evidence: Value| {
        let body = with(with(opt_in(berlin), "topics", topics), "evidence", evidence);
        let made = app.post("/v1/opt-ins").json(&body).expect(201).await;
        let consents = made["consents"].as_array().unwrap().iter();
        consents.map(|one| (text(&one["topic"]), text(&one["status"]))).collect::<Vec<_>>()
    };
    let is = |topic: &str, status: &str| (topic.to_owned(), status.to_owned());
    let made = claim(json!(["promotions", "orders"]), json!({})).await;
    assert_eq!(made, [is("orders", "granted"), is("promotions", "pending")]);
    let made = claim(json!(["news", "promotions"]), json!({"mail": "the link was followed"})).await;
    assert_eq!(made, [is("promotions", "granted"), is("news", "pending")]);
    app.restart();
    assert_eq!(app.ask(berlin, "orders").await["eligible"], true);
    assert_eq!(app.ask(berlin, "news").await["reasons"][0]["code"], "pending");
}

#[tokio::test]
async fn whoever_is_known_by_a_user_id_alone_is_at_home_where_it_says() {
    let mut app = TestApp::with_registry().await;
    let packs = json!({"packs": {"us": {"on": true}, "whatsapp": {"on": true}}});
    app.put("/v1/policy").json(&packs).expect(200).await;
    for user in ["US.9000000001", "ID.9000000001"] {
        let mut body = with(opt_in(ANN), "user_id", json!(user));
        body["topics"] = json!(["promotions"]);
        body.as_object_mut().unwrap().remove("number");
        app.post("/v1/opt-ins").json(&body).expect(201).await;
    }
    app.restart();
    for (user, is_blocked) in [("US.9000000001", true), ("ID.9000000001", false)] {
        let path = format!("/v1/eligibility?user_id={user}&topic=promotions");
        let decision = app.get(&path).expect(200).await;
        let reasons = decision["reasons"].to_string();
        assert_eq!(reasons.contains("country_blocked"), is_blocked, "{decision}");
    }
}

#[tokio::test]
async fn every_status_is_told_apart() {
    let app = TestApp::with_registry().await;
    let news = json!({"name": "News", "category": "marketing", "expires_after_days": 30});
    app.put("/v1/topics/news").json(&news).expect(201).await;
    let expires = with(opt_in("+12025550102"), "topics", json!(["news"]));
    app.post("/v1/opt-ins").json(&expires).expect(201).await;
    app.wait_hours(30 * 24 + 1);
    let doubt = with(opt_in("+12025550103"), "double_opt_in", json!(true));
    let pending = app.post("/v1/opt-ins").json(&doubt).expect(201).await;
    assert_eq!(pending["consents"][0]["status"], "pending");
    app.opt_in("+12025550104", "orders").await;
    app.opt_out("+12025550104").await;
    app.opt_in("+12025550105", "orders").await;
    for (number, topic, status) in [
        ("+12025550101", "orders", "never_asked"),
        ("+12025550102", "news", "expired"),
        ("+12025550103", "orders", "pending"),
        ("+12025550104", "orders", "withdrawn"),
        ("+12025550105", "orders", "granted"),
    ] {
        let decision = app.ask(number, topic).await;
        assert_eq!(decision["consent"]["status"], status, "{number}");
        let reasons: &[&str] = if status == "granted" { &[] } else { &[status] };
        let codes: Vec<_> =
            decision["reasons"].as_array().unwrap().iter().map(|hit| &hit["code"]).collect();
        assert_eq!(codes, reasons, "{number}");
    }
}

#[tokio::test]
async fn an_act_of_the_past_keeps_its_date_and_does_not_beat_a_later_one() {
    let app = TestApp::with_registry().await;
    let (first, second) = ("2024-05-01T10:00:00Z", "2025-05-01T12:00:00+02:00");
    let old = with(opt_in(ANN), "captured_at", json!(first));
    let made = app.post("/v1/opt-ins").json(&old).expect(201).await;
    assert_eq!(made["consents"][0]["granted_at"], first);
    let out = json!({"number": ANN, "source": {"type": "letter"}, "captured_at": second});
    app.post("/v1/opt-outs").json(&out).expect(201).await;
    let between = with(opt_in(ANN), "captured_at", json!("2024-12-01T00:00:00Z"));
    let made = app.post("/v1/opt-ins").json(&between).expect(201).await;
    assert_eq!(made["consents"][0]["status"], "withdrawn");
    assert_eq!(made["consents"][0]["decided_at"], "2025-05-01T10:00:00Z");
    let contact = app.get(&format!("/v1/contacts/{ANN}")).expect(200).await;
    assert_eq!(contact["opted_out_of_all_at"], "2025-05-01T10:00:00Z");
}

#[tokio::test]
async fn spellings_of_one_number_are_one_contact() {
    let app = TestApp::with_registry().await;
    let written = [
        ("+1 202-555-0101", None),
        ("(202) 555-0101", Some("US")),
        ("2025550101", Some("US")),
        ("\u{ff0b}\u{ff11} 202 555 0101", None),
        ("tel:+1-202-555-0101", None),
    ];
    let mut ids = Vec::new();
    for (number, region) in written {
        let body = with(opt_in(number), "region", json!(region));
        let made = app.post("/v1/opt-ins").json(&body).expect(201).await;
        assert_eq!(made["contact"]["number"], ANN, "{number}");
        ids.push(made["contact"]["id"].clone());
    }
    ids.dedup();
    assert_eq!(ids.len(), 1);
    for name in [ANN, "12025550101", &text(&ids[0])] {
        let contact = app.get(&format!("/v1/contacts/{name}")).expect(200).await;
        assert_eq!(contact["id"], ids[0], "{name}");
        assert_eq!(contact["number"], ANN);
    }
}

#[tokio::test]
async fn a_number_that_is_none_is_refused_with_the_reason_and_nothing_is_recorded() {
    let app = TestApp::with_registry().await;
    let before = app.ask(ANN, "orders").await["as_of"].clone();
    let long = "1".repeat(1_001);
    for (number, code, word) in [
        ("hello", "number_invalid", "no phone number"),
        ("+1 202", "number_invalid", "short"),
        ("+1 202 555 0101 0101 0101", "number_invalid", "long"),
        ("+999 12345678", "number_invalid", "calling code"),
        (long.as_str(), "number_invalid", "too long"),
        ("0812 345 6789", "number_ambiguous", "region"),
    ] {
        let problem = app.post("/v1/opt-ins").json(&opt_in(number)).problem(422, code).await;
        assert_eq!(pointer(&problem), "/number");
        assert!(text(&problem["detail"]).contains(word), "{problem}");
    }
    let body = with(opt_in("0812"), "region", json!("Indonesia"));
    let problem = app.post("/v1/opt-ins").json(&body).problem(422, "body_invalid").await;
    assert_eq!(pointer(&problem), "/region");
    assert_eq!(app.ask(ANN, "orders").await["as_of"], before);
}

#[tokio::test]
async fn what_an_opt_in_names_must_be_known() {
    let app = TestApp::with_registry().await;
    let call = |body: Value| app.post("/v1/opt-ins").json(&body);
    let topics = with(opt_in(ANN), "topics", json!(["orders", "nonsense"]));
    let problem = call(topics).problem(422, "topic_unknown").await;
    assert_eq!(pointer(&problem), "/topics/1");
    let statement = with(opt_in(ANN), "statement", json!("nonsense"));
    let problem = call(statement).problem(422, "statement_unknown").await;
    assert_eq!(pointer(&problem), "/statement");
    let future = with(opt_in(ANN), "captured_at", json!(app.moment(301)));
    let problem = call(future).problem(422, "captured_in_future").await;
    assert_eq!(pointer(&problem), "/captured_at");
    let bare = with(opt_in(ANN), "captured_at", json!("2024-05-01"));
    assert_eq!(pointer(&call(bare).problem(422, "body_invalid").await), "/captured_at");
    let none = with(opt_in(ANN), "topics", json!([]));
    assert_eq!(pointer(&call(none).problem(422, "body_invalid").await), "/topics");
    app.get(&format!("/v1/contacts/{ANN}")).problem(404, "contact_unknown").await;
    let skewed = with(opt_in(ANN), "captured_at", json!(app.moment(299)));
    call(skewed).expect(201).await;
}

#[tokio::test]
async fn an_opt_out_of_a_person_nobody_knew_is_recorded_and_holds() {
    let app = TestApp::with_registry().await;
    let made = app.opt_out(ANN).await;
    assert!(made["receipt"]["seq"].is_u64());
    let decision = app.ask(ANN, "promotions").await;
    assert_eq!(decision["reasons"][0]["code"], "withdrawn");
    assert_eq!(decision["reasons"][0]["seq"], made["receipt"]["seq"]);
    app.clock.advance_ms(1_000);
    app.opt_in(ANN, "orders").await;
    assert_eq!(app.ask(ANN, "orders").await["eligible"], true);
    assert_eq!(app.ask(ANN, "promotions").await["eligible"], false);
}

#[tokio::test]
async fn an_opt_out_of_one_topic_leaves_the_others_and_the_evidence() {
    let app = TestApp::with_registry().await;
    app.opt_in(ANN, "orders").await;
    app.opt_in(ANN, "promotions").await;
    app.clock.advance_ms(1_000);
    let body = json!({"number": ANN, "topics": ["promotions"], "source": {"type": "keyword"},
        "reason": "too many"});
    let made = app.post("/v1/opt-outs").json(&body).expect(201).await;
    assert_eq!(made["consents"].as_array().unwrap().len(), 1);
    assert_eq!(made["consents"][0]["status"], "withdrawn");
    assert_eq!(app.ask(ANN, "orders").await["eligible"], true);
    assert_eq!(app.ask(ANN, "promotions").await["eligible"], false);
    let history = app.get(&format!("/v1/contacts/{ANN}/history")).expect(200).await;
    let entries = history["entries"].as_array().unwrap().iter();
    let types: Vec<_> = entries.map(|entry| text(&entry["event"]["type"])).collect();
    assert_eq!(types, ["opted_out", "opted_in", "opted_in", "contact_added"]);
}
