//! The feed of everything that happens, to keep a copy by.

use std::time::Duration;

use serde_json::{Value, json};

use crate::app::{TestApp, text};

const ANN: &str = "+12025550101";

/// Reads the feed from an entry to its end, so many entries at a time.
async fn read_all(app: &TestApp, after: Option<u64>, limit: usize) -> Vec<Value> {
    let (mut after, mut all) = (after, Vec::new());
    loop {
        let after_text = after.map(|after| format!("&after={after}")).unwrap_or_default();
        let path = format!("/v1/changes?limit={limit}{after_text}");
        let page = app.get(&path).expect(200).await;
        let changes = page["changes"].as_array().unwrap();
        assert!(changes.len() <= limit);
        all.extend(changes.iter().cloned());
        after = page["next"].as_u64();
        if page["has_more"] == false {
            return all;
        }
        assert_eq!(changes.len(), limit, "a page with more behind it is full");
    }
}

#[tokio::test]
async fn the_feed_has_every_entry_once_and_shows_what_a_history_shows() {
    let app = TestApp::with_registry().await;
    app.opt_in(ANN, "orders").await;
    app.key(&["ledger:read"]).await;
    let send = json!({"number": ANN, "kind": "template", "template": "shipped", "sender": "1001"});
    let ticket = app.post("/v1/sends").json(&send).expect(201).await;
    let last = app.opt_out(ANN).await["receipt"]["seq"].as_u64().unwrap();
    let all = read_all(&app, None, 3).await;
    let seqs: Vec<u64> = all.iter().map(|change| change["seq"].as_u64().unwrap()).collect();
    assert!(last < *seqs.last().unwrap(), "what a withdrawal takes back follows it");
    assert_eq!(seqs, (0..=*seqs.last().unwrap()).collect::<Vec<_>>());
    assert_eq!(read_all(&app, None, 1_000).await, all);
    assert_eq!(read_all(&app, Some(last - 1), 1).await, all[usize::try_from(last).unwrap()..]);

    let voided = all.last().unwrap();
    let expected = json!({"type": "ticket_voided", "ticket": ticket["id"], "cause": "withdrawn"});
    assert_eq!(voided["event"], expected);
    let contact = app.get(&format!("/v1/contacts/{ANN}")).expect(200).await;
    assert_eq!(voided["contact"], contact["id"]);
    assert_eq!(all[0]["contact"], Value::Null);
    let history = app.get(&format!("/v1/contacts/{ANN}/history")).expect(200).await;
    let own = all.iter().rev().filter(|change| change["contact"] == contact["id"]);
    let without_contact = |change: &Value| {
        let mut change = change.clone();
        change.as_object_mut().unwrap().remove("contact");
        change
    };
    let own: Vec<Value> = own.map(without_contact).collect();
    assert_eq!(json!(own), history["entries"]);
    let shown = serde_json::to_string(&all).unwrap();
    for inside in ["number_key", "weak_keys", "sender_paced_us", "\"live\""] {
        assert!(!shown.contains(inside), "{inside}");
    }
}

#[tokio::test]
async fn whoever_has_read_all_waits_for_the_next_entry() {
    let app = TestApp::with_registry().await;
    let known = read_all(&app, None, 1_000).await.last().unwrap()["seq"].as_u64().unwrap();
    let nothing = app.get(&format!("/v1/changes?after={known}")).expect(200).await;
    assert_eq!(nothing, json!({"changes": [], "next": known, "has_more": false}));
    let path = format!("/v1/changes?after={known}&wait=60");
    let (change, made) = tokio::join!(
        tokio::time::timeout(Duration::from_secs(30), app.get(&path).expect(200)),
        app.opt_in(ANN, "orders"),
    );
    let change = change.expect("an answer as soon as something happened");
    assert_eq!(change["changes"][0]["event"]["type"], "contact_added");
    assert!(change["next"].as_u64() <= made["receipt"]["seq"].as_u64());
}

#[tokio::test]
async fn a_place_beyond_the_ledger_and_other_slips_are_refused_and_the_feed_needs_its_scope() {
    let app = TestApp::with_registry().await;
    let problem = app.get("/v1/changes?after=1000000").problem(400, "cursor_invalid").await;
    assert_eq!(problem["errors"][0]["pointer"], "?after");
    for query in ["after=-1", "after=18446744073709551615", "wait=61", "limit=0", "limit=1001"] {
        app.get(&format!("/v1/changes?{query}")).problem(400, "query_invalid").await;
    }
    let (other, _) = app.key(&["contacts:read"]).await;
    app.get("/v1/changes").key(&other).problem(403, "scope_missing").await;
    let (reader, _) = app.key(&["ledger:read"]).await;
    let page = app.get("/v1/changes?limit=1").key(&reader).expect(200).await;
    assert_eq!(text(&page["changes"][0]["event"]["type"]), "ledger_opened");
}
