//! One person: what is shown, their history page by page, and blocks.

use serde_json::{Value, json};

use crate::app::{TestApp, text};

const ANN: &str = "+12025550101";
const BEN: &str = "+12025550102";

fn seqs(page: &Value) -> Vec<u64> {
    let entries = page["entries"].as_array().unwrap().iter();
    entries.map(|entry| entry["seq"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn a_history_is_read_page_by_page_without_gap_or_repetition() {
    let app = TestApp::with_registry().await;
    for _ in 0..6 {
        app.opt_in(ANN, "orders").await;
        app.opt_in(BEN, "orders").await;
        app.clock.advance_ms(1_000);
    }
    let path = format!("/v1/contacts/{ANN}/history");
    let whole = seqs(&app.get(&path).expect(200).await);
    assert_eq!(whole.len(), 7);
    assert!(whole.is_sorted_by(|newer, older| newer > older));
    let (mut paged, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = app.get(&format!("{path}?limit=3&cursor={cursor}")).expect(200).await;
        paged.extend(seqs(&page));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => break,
        }
        // What is added meanwhile does not move the pages.
        app.opt_in(ANN, "orders").await;
    }
    assert_eq!(paged, whole);
}

#[tokio::test]
async fn a_cursor_of_another_list_is_refused() {
    let app = TestApp::with_registry().await;
    for number in [ANN, ANN, BEN] {
        app.opt_in(number, "orders").await;
    }
    let page = app.get(&format!("/v1/contacts/{ANN}/history?limit=1")).expect(200).await;
    let cursor = text(&page["next_cursor"]);
    for cursor in [cursor.as_str(), "nonsense", "1-x", "-"] {
        let path = format!("/v1/contacts/{BEN}/history?cursor={cursor}");
        app.get(&path).problem(400, "cursor_invalid").await;
    }
    for limit in ["0", "201", "many"] {
        let path = format!("/v1/contacts/{ANN}/history?limit={limit}");
        let problem = app.get(&path).problem(400, "query_invalid").await;
        assert_eq!(problem["errors"][0]["pointer"], "?limit");
    }
}

#[tokio::test]
async fn a_history_says_who_what_and_when() {
    let app = TestApp::with_registry().await;
    let (key, id) = app.key(&["optins:write"]).await;
    let body = json!({"number": ANN, "topics": ["orders"], "source": {"type": "qr"},
        "statement": "signup", "evidence": {"ip": "192.0.2.1"}});
    let made = app.post("/v1/opt-ins").key(&key).json(&body).expect(201).await;
    let shown = app.get("/v1/statements/signup").expect(200).await;
    let page = app.get(&format!("/v1/contacts/{ANN}/history")).expect(200).await;
    let entry = &page["entries"][0];
    assert_eq!(entry["seq"], made["receipt"]["seq"]);
    assert_eq!(entry["leaf_hash"], made["receipt"]["leaf_hash"]);
    assert_eq!(entry["recorded_at"], app.moment(0));
    assert_eq!(entry["by"], json!({"type": "key", "id": id}));
    assert_eq!(entry["event"]["evidence"]["ip"], "192.0.2.1");
    assert_eq!(entry["event"]["captured_at"], app.moment(0));
    assert_eq!(page["entries"][1]["event"]["type"], "contact_added");
    assert!(!page.to_string().contains("number_key"), "{page}");
    assert_eq!(entry["event"]["statement"]["digest"], shown["digest"]);
}

#[tokio::test]
async fn a_user_id_names_the_same_person_and_two_people_are_not_joined() {
    let app = TestApp::with_registry().await;
    let mut body = json!({"number": ANN, "user_id": "US.a1B2", "topics": ["orders"],
        "source": {"type": "web_form"}});
    let made = app.post("/v1/opt-ins").json(&body).expect(201).await;
    let found = app.get("/v1/contacts/user:US.a1B2").expect(200).await;
    assert_eq!(found["id"], made["contact"]["id"]);
    assert_eq!(found["user_id"], "US.a1B2");
    app.get("/v1/contacts/user:US.A1B2").problem(404, "contact_unknown").await;
    app.opt_in(BEN, "orders").await;
    body["number"] = json!(BEN);
    app.post("/v1/opt-ins").json(&body).problem(409, "identifiers_conflict").await;
    body["user_id"] = json!("no id");
    app.post("/v1/opt-ins").json(&body).problem(422, "body_invalid").await;
}

#[tokio::test]
async fn an_opt_out_that_names_two_contacts_counts_for_both_and_takes_back_their_tickets() {
    let mut app = TestApp::with_registry().await;
    let body = json!({"number": ANN, "user_id": "US.a1B2", "topics": ["orders"],
        "source": {"type": "web_form"}});
    let ann = app.post("/v1/opt-ins").json(&body).expect(201).await;
    app.opt_in(BEN, "orders").await;
    let mut tickets = Vec::new();
    for number in [ANN, BEN] {
        let send = json!({"number": number, "kind": "template", "template": "shipped",
            "sender": "1001"});
        let ticket = app.post("/v1/sends").json(&send).expect(201).await;
        tickets.push(ticket["id"].as_str().unwrap().to_owned());
    }
    let body = json!({"number": BEN, "user_id": "US.a1B2", "source": {"type": "keyword"}});
    let out = || app.post("/v1/opt-outs").header("idempotency-key", "stop").json(&body);
    let stopped = out().expect(201).await;
    assert_eq!(stopped["contact"]["id"], ann["contact"]["id"], "the one with the user id");
    assert_eq!(stopped["consents"][0]["status"], "withdrawn");
    assert_eq!(out().expect(201).await, stopped);
    for ticket in tickets {
        let sent = json!({"message_id": format!("wamid.{ticket}")});
        app.post(&format!("/v1/sends/{ticket}/commit"))
            .json(&sent)
            .problem(409, "ticket_voided")
            .await;
    }
    app.restart();
    for number in [ANN, BEN] {
        assert_eq!(app.ask(number, "orders").await["reasons"][0]["code"], "withdrawn");
    }
    let ben = app.get(&format!("/v1/contacts/{BEN}")).expect(200).await;
    assert_eq!(ben["user_id"], Value::Null, "nobody was joined");
}

#[tokio::test]
async fn a_block_refuses_everything_until_it_is_lifted() {
    let app = TestApp::with_registry().await;
    app.opt_in(ANN, "orders").await;
    let path = format!("/v1/contacts/{ANN}");
    let blocked = app.post(&format!("{path}/block")).expect(200).await;
    assert_eq!(blocked["changed"], true);
    let again = app.post(&format!("{path}/block")).expect(200).await;
    assert_eq!((&again["changed"], &again["receipt"]), (&json!(false), &Value::Null));
    let decision = app.ask(ANN, "orders").await;
    assert_eq!(decision["reasons"][0]["code"], "blocked");
    assert_eq!(decision["reasons"][0]["seq"], blocked["receipt"]["seq"]);
    assert_eq!(decision["consent"]["status"], "granted");
    let shown = app.get(&path).expect(200).await;
    assert_eq!(shown["blocked_since"], app.moment(0));
    app.post(&format!("{path}/unblock")).expect(200).await;
    assert_eq!(app.ask(ANN, "orders").await["eligible"], true);
    app.post(&format!("/v1/contacts/{BEN}/block")).problem(404, "contact_unknown").await;
}

#[tokio::test]
async fn a_plus_in_a_path_may_be_written_as_itself_or_percent_encoded() {
    let app = TestApp::with_registry().await;
    app.opt_in(ANN, "orders").await;
    let digits = ANN.trim_start_matches('+');
    let mut ids = Vec::new();
    for spelling in [ANN.to_owned(), format!("%2B{digits}"), digits.to_owned()] {
        let contact = app.get(&format!("/v1/contacts/{spelling}")).expect(200).await;
        ids.push(text(&contact["id"]));
    }
    ids.dedup();
    assert_eq!(ids.len(), 1, "{ids:?}");
}
