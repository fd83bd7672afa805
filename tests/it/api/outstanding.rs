//! People found on WhatsApp and never written to since.

use serde_json::{Value, json};

use crate::{
    api::verifications::{asking, people, registered, verify},
    app::{TestApp, text},
    fake_provider::{FakeProvider, Reply},
};

async fn list(app: &TestApp, query: &str) -> Value {
    app.get(&format!("/v1/verifications/outstanding{query}")).expect(200).await
}

fn numbers(page: &Value) -> Vec<String> {
    page["contacts"].as_array().unwrap().iter().map(|one| text(&one["number"])).collect()
}

async fn write_to(app: &TestApp, number: &str) {
    let send = json!({"number": number, "kind": "template", "template": "shipped",
        "sender": "1001"});
    let ticket = app.post("/v1/sends").json(&send).expect(201).await;
    let path = format!("/v1/sends/{}/commit", text(&ticket["id"]));
    app.post(&path).json(&json!({"message_id": "wamid.1"})).expect(200).await;
}

#[tokio::test]
async fn whoever_was_found_is_listed_until_a_message_went_to_them() {
    let provider = FakeProvider::start();
    provider.answer_by(registered);
    let mut app = asking(&provider, "50").await;
    let known = people(&app, 6).await;
    assert_eq!(list(&app, "").await, json!({"contacts": [], "total": 0, "next_cursor": null}));
    let verified_at = app.moment(0);
    let asked: Vec<_> = known.iter().take(4).map(String::as_str).collect();
    verify(&app, &asked).expect(200).await;
    // Not on WhatsApp, and nobody knows: neither waits for a message.
    let no = json!({"contacts": [{"input": known[4], "status": "invalid"}]});
    provider.then(Reply::json(&no.to_string())).then(Reply::status(500));
    verify(&app, &[&known[4]]).expect(200).await;
    verify(&app, &[&known[5]]).expect(200).await;
    write_to(&app, &known[1]).await;
    let left = [0, 2, 3].map(|place| known[place].clone());
    for _ in 0..2 {
        let page = list(&app, "").await;
        assert_eq!(numbers(&page), left);
        assert_eq!((&page["total"], &page["next_cursor"]), (&json!(3), &Value::Null));
        app.restart();
    }
    let contact = app.get(&format!("/v1/contacts/{}", known[0])).expect(200).await;
    let first = &list(&app, "").await["contacts"][0];
    assert_eq!(
        *first,
        json!({"contact": contact["id"], "number": known[0], "verified_at": verified_at,
            "window_ends_at": app.moment(7 * 24 * 3_600), "days_left": 7})
    );
    for (hours, days) in [(1, 7), (23, 6), (6 * 24, 0), (24, 0)] {
        app.wait_hours(hours);
        assert_eq!(list(&app, "").await["contacts"][0]["days_left"], days);
    }
    // The window forgets the look-up; that nobody wrote to them stays so.
    let budget = app.get("/v1/verifications/budget").expect(200).await;
    assert_eq!((&budget["used"], &budget["verified_not_contacted"]), (&json!(0), &json!(3)));
    assert_eq!(numbers(&list(&app, "").await), left);
}

#[tokio::test]
async fn pages_together_are_the_whole_list() {
    let provider = FakeProvider::start();
    provider.answer_by(registered);
    let app = asking(&provider, "50").await;
    let known = people(&app, 7).await;
    let asked: Vec<_> = [0, 1, 2, 4, 6].map(|place| known[place].as_str()).into();
    verify(&app, &asked).expect(200).await;
    for limit in 1..=5 {
        let (mut found, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = list(&app, &format!("?limit={limit}{cursor}")).await;
            assert!(page["contacts"].as_array().unwrap().len() <= limit);
            found.extend(numbers(&page));
            let Some(next) = page["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(found, asked, "{limit}");
    }
    for query in ["cursor=5-0", "cursor=outstanding-0", "cursor=zz"] {
        let path = format!("/v1/verifications/outstanding?{query}");
        app.get(&path).problem(400, "cursor_invalid").await;
    }
    for query in ["limit=0", "limit=201", "topic=orders"] {
        let path = format!("/v1/verifications/outstanding?{query}");
        app.get(&path).problem(400, "query_invalid").await;
    }
}

#[tokio::test]
async fn of_two_contacts_that_became_one_the_one_that_stays_is_listed() {
    let provider = FakeProvider::start();
    provider.answer_by(registered);
    let app = asking(&provider, "50").await;
    let known = people(&app, 2).await;
    verify(&app, &[&known[0], &known[1]]).expect(200).await;
    let body = json!({"from": known[0], "into": known[1], "reason": "told us so"});
    app.post("/v1/contacts/merge").json(&body).expect(200).await;
    let page = list(&app, "").await;
    assert_eq!((numbers(&page), &page["total"]), (vec![known[1].clone()], &json!(1)));
}
