//! One person under several spellings: a stop reaches them all, a merge joins them for good.

use serde_json::{Value, json};

use crate::{
    app::{Call, TestApp, text},
    fake_provider::{FakeProvider, Reply},
};

/// Argentina's numbers in a range nobody has, with and without the 9 of mobiles: the first can be
/// a landline of somebody else.
const FIXED: &str = "+541120000001";
const MOBILE: &str = "+5491120000001";

const ANN: &str = "+12025550101";
const BEN: &str = "+12025550102";

fn merge(app: &TestApp, from: &str, into: &str) -> Call {
    let body = json!({"from": from, "into": into, "reason": "told us so",
        "evidence": {"by": "the counter"}});
    app.post("/v1/contacts/merge").json(&body)
}

async fn status(app: &TestApp, number: &str, topic: &str) -> String {
    text(&app.ask(number, topic).await["consent"]["status"])
}

async fn shown(app: &TestApp, reference: &str) -> Value {
    app.get(&format!("/v1/contacts/{reference}")).expect(200).await
}

async fn dated(app: &TestApp, number: &str, topic: &str, ago_s: i64) -> Value {
    let body = json!({"number": number, "topics": [topic], "source": {"type": "web_form"},
        "captured_at": app.moment(-ago_s)});
    app.post("/v1/opt-ins").json(&body).expect(201).await
}

async fn rows(app: &TestApp) -> Vec<Value> {
    let reply = app.get("/v1/exports/consents?format=ndjson").send().await;
    reply.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn a_stop_reaches_the_weak_spelling_and_an_opt_in_does_not() {
    let mut app = TestApp::with_registry().await;
    app.opt_in(MOBILE, "orders").await;
    assert_eq!(app.ask(FIXED, "orders").await["eligible"], false);
    app.opt_in(FIXED, "orders").await;
    let stopped = app.opt_out(MOBILE).await;
    assert_eq!(stopped["contact"]["number"], MOBILE, "the answer is about the number given");
    let reached = app.ask(FIXED, "orders").await;
    assert_eq!(reached["reasons"][0]["code"], "withdrawn");
    let history = app.get(&format!("/v1/contacts/{FIXED}/history")).expect(200).await;
    let event = &history["entries"][0]["event"];
    assert_eq!(event["source"], json!({"type": "other_spelling"}));
    assert_eq!(event["derived_from"], stopped["receipt"]["seq"]);
    app.restart();
    app.clock.advance_ms(1_000);
    app.opt_in(FIXED, "orders").await;
    assert_eq!(status(&app, FIXED, "orders").await, "granted");
    assert_eq!(status(&app, MOBILE, "orders").await, "withdrawn");
}

#[tokio::test]
async fn a_stop_waits_for_a_spelling_nobody_was_known_by_also_over_a_restart() {
    let mut app = TestApp::with_registry().await;
    app.opt_out(MOBILE).await;
    app.restart();
    let claimed = dated(&app, FIXED, "orders", 60).await;
    assert_eq!(claimed["consents"][0]["status"], "withdrawn");
    assert_ne!(claimed["consents"][0]["seq"], claimed["receipt"]["seq"]);
    app.clock.advance_ms(1_000);
    let later = app.opt_in(FIXED, "orders").await;
    assert_eq!(later["consents"][0]["status"], "granted");
    assert_eq!(app.ask(FIXED, "orders").await["eligible"], true);
}

#[tokio::test]
async fn what_was_written_what_it_means_and_what_whatsapp_says_are_all_kept() {
    let provider = FakeProvider::start();
    let answer = json!({"contacts": [{"input": FIXED, "status": "valid",
        "wa_id": MOBILE.trim_start_matches('+')}]});
    provider.then(Reply::json(&answer.to_string()));
    let url = provider.url();
    let mut app = TestApp::with_registry_and(&[
        ("IZIN_VERIFY_PROVIDER", "contacts_api"),
        ("IZIN_VERIFY_URL", &url),
        ("IZIN_VERIFY_TOKEN", "t0ken-s3cret"),
    ])
    .await;
    let body = json!({"number": "011 2000-0001", "region": "AR", "topics": ["orders"],
        "source": {"type": "web_form"}});
    app.post("/v1/opt-ins").json(&body).expect(201).await;
    app.post("/v1/verifications").json(&json!({"numbers": [FIXED]})).expect(200).await;
    app.restart();
    let contact = shown(&app, FIXED).await;
    assert_eq!(contact["number"], FIXED);
    assert_eq!(contact["written"], "011 2000-0001");
    assert_eq!(contact["wa_id"], "5491120000001");
    for reference in ["5491120000001", MOBILE] {
        assert_eq!(shown(&app, reference).await["id"], contact["id"], "{reference}");
    }
    assert_eq!(app.ask(MOBILE, "orders").await["eligible"], true, "WhatsApp said who that is");
}

#[tokio::test]
async fn everything_leads_to_the_contact_that_stays_and_both_histories_are_its_own() {
    let mut app = TestApp::with_registry().await;
    let body = json!({"number": ANN, "user_id": "US.a1B2", "topics": ["orders"],
        "source": {"type": "qr"}, "statement": "signup"});
    let former = text(&app.post("/v1/opt-ins").json(&body).expect(201).await["contact"]["id"]);
    let stays = text(&app.opt_in(BEN, "promotions").await["contact"]["id"]);
    app.opt_in(ANN, "promotions").await;
    let merged = merge(&app, ANN, BEN).expect(200).await;
    assert_eq!(
        (text(&merged["contact"]), text(&merged["merged"])),
        (stays.clone(), former.clone())
    );
    let statuses: Vec<_> = merged["consents"].as_array().unwrap().iter().collect();
    assert_eq!(statuses.len(), 2);
    assert!(statuses.iter().all(|consent| consent["status"] == "granted"));
    for _ in 0..2 {
        for reference in [ANN, BEN, "12025550101", "user:US.a1B2", &former, &stays] {
            let contact = shown(&app, reference).await;
            assert_eq!(text(&contact["id"]), stays, "{reference}");
            assert_eq!((&contact["number"], &contact["user_id"]), (&json!(BEN), &json!("US.a1B2")));
            assert_eq!(contact["merged"][0]["number"], ANN);
            assert_eq!(text(&contact["merged"][0]["id"]), former);
            let path = format!("/v1/contacts/{reference}/history");
            let history = app.get(&path).expect(200).await;
            assert_eq!(text(&history["contact"]), stays);
            let types: Vec<_> = history["entries"]
                .as_array()
                .unwrap()
                .iter()
                .map(|entry| text(&entry["event"]["type"]))
                .collect();
            let expected = [
                "contact_absorbed",
                "contact_merged",
                "opted_in",
                "opted_in",
                "contact_added",
                "opted_in",
                "contact_added",
            ];
            assert_eq!(types, expected);
        }
        app.restart();
    }
    let (mut paged, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/v1/contacts/{ANN}/history?limit=2&cursor={cursor}");
        let page = app.get(&path).expect(200).await;
        paged.extend(page["entries"].as_array().unwrap().iter().map(|e| e["seq"].as_u64()));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(paged.len(), 7);
    assert!(paged.is_sorted_by(|newer, older| newer > older));
    let exported = rows(&app).await;
    assert_eq!(exported.len(), 2, "{exported:?}");
    for row in &exported {
        assert_eq!((text(&row["contact_id"]), &row["number"]), (stays.clone(), &json!(BEN)));
    }
    let orders = exported.iter().find(|row| row["topic"] == "orders").unwrap();
    assert_eq!(orders["granted_at"], app.moment(0));
    assert_eq!(orders["source_type"], "qr");
    assert_eq!(orders["statement_id"], "signup");
}

#[tokio::test]
async fn the_more_restrictive_side_counts_whichever_it_is() {
    for (from, into) in [(ANN, BEN), (BEN, ANN)] {
        let app = TestApp::with_registry().await;
        app.opt_out(ANN).await;
        app.clock.advance_ms(1_000);
        app.opt_in(BEN, "orders").await;
        let merged = merge(&app, from, into).expect(200).await;
        assert_eq!(merged["consents"][0]["status"], "withdrawn");
        assert!(merged["opted_out_of_all_at"].is_string());
        for number in [ANN, BEN] {
            for topic in ["orders", "promotions"] {
                assert_eq!(status(&app, number, topic).await, "withdrawn", "{number} {topic}");
            }
        }
        let exported = rows(&app).await;
        assert!(exported.iter().all(|row| row["status"] == "withdrawn"));
        let orders = exported.iter().find(|row| row["topic"] == "orders").unwrap();
        assert_eq!(orders["source_type"], "keyword", "what proves it is the stop");
        assert_eq!(orders["granted_at"], app.moment(0), "and the agreement is not forgotten");
        app.clock.advance_ms(1_000);
        app.opt_in(from, "orders").await;
        assert_eq!(app.ask(into, "orders").await["eligible"], true);
    }
}

#[tokio::test]
async fn every_question_and_every_send_follows_a_merge() {
    let app = TestApp::with_registry().await;
    for number in [ANN, BEN] {
        app.opt_in(number, "orders").await;
    }
    let send = |number: &str| {
        let body = json!({"number": number, "kind": "template", "template": "shipped",
            "sender": "1001"});
        app.post("/v1/sends").json(&body)
    };
    let ticket = text(&send(ANN).expect(201).await["id"]);
    merge(&app, ANN, BEN).expect(200).await;
    let commit = app.post(&format!("/v1/sends/{ticket}/commit"));
    let voided = commit.json(&json!({"message_id": "wamid.1"})).problem(409, "ticket_voided").await;
    assert_eq!(voided["cause"], "merged");
    send(ANN).expect(201).await;
    app.opt_out(BEN).await;
    send(ANN).problem(409, "send_refused").await;
    let body = json!({"recipients": [ANN, BEN, "+12025550109"], "topic": "orders",
        "detail": "reasons"});
    let batch = app.post("/v1/eligibility").json(&body).expect(200).await;
    assert_eq!(batch["totals"]["by_reason"], json!({"withdrawn": 2, "never_asked": 1}));
    let lines = format!("{{\"topic\":\"orders\",\"detail\":\"reasons\"}}\n\"{ANN}\"\n\"{BEN}\"\n");
    let call = app.post("/v1/eligibility").body("application/x-ndjson", lines);
    let streamed = call.send().await.text();
    assert_eq!(streamed.matches("\"withdrawn\"").count(), 3, "{streamed}");
    let looked = app.post("/v1/verifications").json(&json!({"numbers": [ANN]})).expect(200).await;
    assert_eq!(looked["results"][0]["reason"], "not_opted_in");
}

#[tokio::test]
async fn a_merge_that_is_already_so_answers_the_same_and_nonsense_is_refused() {
    let app = TestApp::with_registry().await;
    for number in [ANN, BEN] {
        app.opt_in(number, "orders").await;
    }
    let first = merge(&app, ANN, BEN).header("idempotency-key", "m-1").expect(200).await;
    let repeated = merge(&app, ANN, BEN).header("idempotency-key", "m-1").send().await;
    assert_eq!(repeated.header("idempotent-replayed"), Some("true"));
    assert_eq!(repeated.json(), first);
    let before = app.ask(ANN, "orders").await["as_of"].clone();
    for (from, into) in [(ANN, BEN), (text(&first["merged"]).as_str(), BEN), (BEN, ANN)] {
        let again = merge(&app, from, into).send().await;
        assert_eq!(again.header("idempotent-replayed"), None);
        assert_eq!(again.json(), first);
    }
    assert_eq!(app.ask(ANN, "orders").await["as_of"], before, "nothing was recorded");
    merge(&app, BEN, "12025550102").problem(409, "merge_into_itself").await;
    let unknown = merge(&app, "+12025550108", BEN).problem(404, "contact_unknown").await;
    assert_eq!(unknown["errors"][0]["pointer"], "/from");
    let unknown = merge(&app, BEN, "user:US.nobody").problem(404, "contact_unknown").await;
    assert_eq!(unknown["errors"][0]["pointer"], "/into");
    let invalid = merge(&app, BEN, "hello").problem(422, "number_invalid").await;
    assert_eq!(invalid["errors"][0]["pointer"], "/into");
    for (number, user) in [(ANN, "US.one"), ("+12025550107", "US.two")] {
        let body = json!({"number": number, "user_id": user, "topics": ["orders"],
            "source": {"type": "web_form"}});
        app.post("/v1/opt-ins").json(&body).expect(201).await;
    }
    merge(&app, "+12025550107", BEN).problem(409, "identifiers_conflict").await;
    let (key, _) = app.key(&["contacts:read"]).await;
    merge(&app, ANN, BEN).key(&key).problem(403, "scope_missing").await;
}

#[tokio::test]
async fn possible_duplicates_are_listed_page_by_page_until_they_are_merged() {
    let app = TestApp::with_registry().await;
    for number in [MOBILE, ANN, BEN, FIXED, "+541120000002"] {
        app.opt_in(number, "orders").await;
    }
    // Two pairs among people who are nobody's duplicate.
    app.opt_in("+5491120000002", "orders").await;
    app.opt_out("+5491120000002").await;
    let (mut pairs, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/v1/contacts/duplicates?limit=1&cursor={cursor}");
        let page = app.get(&path).expect(200).await;
        assert!(page["pairs"].as_array().unwrap().len() <= 1);
        pairs.extend(page["pairs"].as_array().unwrap().clone());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => break,
        }
    }
    let numbers = |pair: &Value| [0, 1].map(|at| text(&pair["contacts"][at]["number"]));
    assert_eq!(pairs.len(), 2, "{pairs:?}");
    assert_eq!(numbers(&pairs[0]), [MOBILE, FIXED]);
    assert_eq!(numbers(&pairs[1]), ["+541120000002", "+5491120000002"]);
    assert!(pairs.iter().all(|pair| pair["why"] == json!(["weak_spelling"])));
    assert_eq!(pairs[1]["contacts"][0]["consents"][0]["status"], "withdrawn");
    merge(&app, MOBILE, FIXED).expect(200).await;
    let left = app.get("/v1/contacts/duplicates").expect(200).await;
    assert_eq!(left["pairs"].as_array().unwrap().len(), 1);
    assert_eq!(left["next_cursor"], Value::Null);
    app.get("/v1/contacts/duplicates?cursor=x").problem(400, "cursor_invalid").await;
}

#[tokio::test]
async fn a_whatsapp_id_that_is_anothers_number_joins_nobody_and_is_listed() {
    let provider = FakeProvider::start();
    let answer = json!({"contacts": [{"input": FIXED, "status": "valid",
        "wa_id": MOBILE.trim_start_matches('+')}]});
    provider.then(Reply::json(&answer.to_string()));
    let url = provider.url();
    let app = TestApp::with_registry_and(&[
        ("IZIN_VERIFY_PROVIDER", "contacts_api"),
        ("IZIN_VERIFY_URL", &url),
        ("IZIN_VERIFY_TOKEN", "t0ken-s3cret"),
    ])
    .await;
    for number in [MOBILE, FIXED] {
        app.opt_in(number, "orders").await;
    }
    app.post("/v1/verifications").json(&json!({"numbers": [FIXED]})).expect(200).await;
    let found = app.get("/v1/contacts/duplicates").expect(200).await;
    assert_eq!(found["pairs"].as_array().unwrap().len(), 1, "{found}");
    assert_eq!(found["pairs"][0]["why"], json!(["weak_spelling", "whatsapp_id"]));
    assert_eq!(found["pairs"][0]["contacts"][1]["wa_id"], "5491120000001");
    assert_ne!(shown(&app, FIXED).await["id"], shown(&app, MOBILE).await["id"]);
}
