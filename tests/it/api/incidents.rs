//! Many messages fail alike: that is the sender's trouble, and nobody's mark.

use serde_json::{Value, json};

use super::webhooks::{self, NOON_S, SENDER, hear};
use crate::app::TestApp;

/// More than are needed to tell them from a few people.
const PEOPLE: usize = 25;

/// The failure of each that makes an incident of them.
const FAILED_MIN: usize = 20;

fn number(person: usize) -> String {
    format!("+12025550{}", 101 + person)
}

/// A webhook that says what became of a message to each of these people.
fn statuses(people: impl Iterator<Item = usize>, word: &str, at_s: i64) -> Vec<u8> {
    statuses_with(people, (word, 131_026), at_s)
}

fn statuses_with(
    people: impl Iterator<Item = usize>,
    (word, code): (&str, i64),
    at_s: i64,
) -> Vec<u8> {
    let status = |person: usize| {
        let mut status = json!({"id": format!("wamid.{word}-{person}"), "status": word,
            "timestamp": at_s.to_string(), "recipient_id": number(person).trim_start_matches('+')});
        if word == "failed" {
            status["errors"] = json!([{"code": code, "title": "Message undeliverable"}]);
        }
        json!({"field": "messages", "value": {"messaging_product": "whatsapp",
            "metadata": {"display_phone_number": "12025550100", "phone_number_id": SENDER},
            "statuses": [status]}})
    };
    let changes: Vec<_> = people.map(status).collect();
    let body = json!({"object": "whatsapp_business_account",
        "entry": [{"id": "900100200300401", "changes": changes}]});
    body.to_string().into_bytes()
}

/// Lets the messages to many people fail at the same moment, after they agreed to them.
pub(super) async fn many_fail(app: &TestApp) {
    for person in 0..PEOPLE {
        app.opt_in(&number(person), "orders").await;
    }
    app.clock.advance_ms(60_000);
    hear(app, &statuses(0..PEOPLE, "failed", NOON_S + 30)).await;
}

async fn incidents(app: &TestApp) -> Vec<Value> {
    app.get("/v1/incidents").expect(200).await["data"].as_array().unwrap().clone()
}

async fn unreachable_since(app: &TestApp, person: usize) -> Value {
    let contact = app.get(&format!("/v1/contacts/{}", number(person))).expect(200).await;
    contact["reachability"]["unreachable_since"].clone()
}

async fn open(app: &TestApp) -> String {
    let page = app.get("/metrics").send().await.text();
    let line = page.lines().find_map(|line| line.strip_prefix("izin_incidents_open "));
    line.unwrap().to_owned()
}

#[tokio::test]
async fn an_incident_is_shown_while_it_goes_on_and_nobody_is_unreachable_for_it() {
    let mut app = webhooks::start().await;
    assert!(incidents(&app).await.is_empty());
    assert_eq!(open(&app).await, "0");
    many_fail(&app).await;
    let going_on = incidents(&app).await;
    let [incident] = going_on.as_slice() else { panic!("{going_on:?}") };
    assert_eq!((&incident["sender"], &incident["kind"]), (&json!(SENDER), &json!("unreachable")));
    assert_eq!(incident["found_at"], "2026-11-20T09:00:30Z");
    assert_eq!(
        (&incident["failed"], &incident["outcomes"]),
        (&json!(FAILED_MIN), &json!(FAILED_MIN))
    );
    assert!(incident["seq"].is_u64() && incident.get("code").is_none());
    assert_eq!(open(&app).await, "1");
    for person in [0, FAILED_MIN - 2, FAILED_MIN - 1, PEOPLE - 1] {
        assert_eq!(unreachable_since(&app, person).await, Value::Null, "{person}");
        let decision = app.ask(&number(person), "orders").await;
        assert_eq!(decision["eligible"], true, "{decision}");
    }
    app.restart();
    assert_eq!(incidents(&app).await, going_on);
    app.wait_hours(2);
    assert!(incidents(&app).await.is_empty(), "the last hour shows none");
    assert_eq!(open(&app).await, "0");
}

#[tokio::test]
async fn whatever_many_fail_with_is_an_incident_by_its_code_and_what_it_says_of_people_stays() {
    for (code, is_eligible) in
        [(131_000, true), (999_999, true), (132_000, true), (131_050, false), (137_000, false)]
    {
        let mut app = webhooks::start().await;
        for person in 0..PEOPLE {
            app.opt_in(&number(person), "promotions").await;
        }
        app.clock.advance_ms(60_000);
        let body = statuses_with(0..PEOPLE, ("failed", code), NOON_S + 30);
        hear(&app, &body).await;
        hear(&app, &body).await;
        let going_on = incidents(&app).await;
        let [incident] = going_on.as_slice() else { panic!("{code}: {going_on:?}") };
        assert_eq!(incident["sender"], SENDER);
        assert_eq!(incident["kind"], format!("code_{code}"));
        assert_eq!(
            (&incident["code"], &incident["failed"], &incident["outcomes"]),
            (&json!(code), &json!(FAILED_MIN), &json!(FAILED_MIN))
        );
        assert_eq!(open(&app).await, "1", "{code}");
        let seq = incident["seq"].as_u64().unwrap();
        let entries = app.get(&format!("/v1/changes?after={}", seq - 1)).expect(200).await;
        let entry = entries["changes"][0].to_string();
        assert!(entry.contains("incident_opened"), "{code}: {entry}");
        assert!(entry.contains(&format!("\"code_{code}\"")), "{code}: {entry}");
        for person in [0, FAILED_MIN - 1, PEOPLE - 1] {
            let decision = app.ask(&number(person), "promotions").await;
            assert_eq!(decision["eligible"], is_eligible, "{code}: {decision}");
        }
        app.restart();
        assert_eq!(incidents(&app).await, going_on, "{code}");
    }
}

#[tokio::test]
async fn a_usual_share_of_failures_is_about_the_people() {
    let app = webhooks::start().await;
    for person in 0..PEOPLE {
        app.opt_in(&number(person), "orders").await;
    }
    app.clock.advance_ms(60_000);
    hear(&app, &statuses(5..PEOPLE, "delivered", NOON_S + 20)).await;
    hear(&app, &statuses(0..5, "failed", NOON_S + 30)).await;
    assert!(incidents(&app).await.is_empty());
    assert_eq!(unreachable_since(&app, 0).await, "2026-11-20T09:00:30Z");
}

#[tokio::test]
async fn only_who_may_read_the_registry_is_told() {
    let app = webhooks::start().await;
    let (other, _) = app.key(&["webhooks:read"]).await;
    app.get("/v1/incidents").key(&other).problem(403, "scope_missing").await;
    let (reader, _) = app.key(&["registry:read"]).await;
    app.get("/v1/incidents").key(&reader).expect(200).await;
    app.get("/v1/incidents?sender=1").problem(400, "query_invalid").await;
}
