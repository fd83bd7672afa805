//! Many numbers looked up one after the other: paced, durable, and nobody asked about twice.

use std::{collections::BTreeSet, fs, path::Path, time::Duration};

use serde_json::{Value, json};

use crate::{
    api::verifications::{people, registered, verify},
    app::{Call, TestApp, text},
    fake_provider::{FakeProvider, Reply},
};

const DAY_H: u32 = 24;

/// A service that asks this provider, in a hurry.
async fn hurried(provider: &FakeProvider, allowance: &str, timeout_ms: &str) -> TestApp {
    let url = provider.url();
    TestApp::with_registry_and(&[
        ("IZIN_VERIFY_PROVIDER", "contacts_api"),
        ("IZIN_VERIFY_URL", &url),
        ("IZIN_VERIFICATION__STARTING_ALLOWANCE", allowance),
        ("IZIN_VERIFICATION__TIMEOUT_MS", timeout_ms),
        ("IZIN_VERIFICATION__BULK_PER_MINUTE", "600"),
    ])
    .await
}

fn bulk(app: &TestApp, numbers: &[String]) -> Call {
    app.post("/v1/verifications/bulk").json(&json!({"numbers": numbers}))
}

async fn start(app: &TestApp, numbers: &[String]) -> String {
    text(&bulk(app, numbers).expect(202).await["job"]["id"])
}

async fn job(app: &TestApp, id: &str) -> Value {
    app.get(&format!("/v1/jobs/{id}")).expect(200).await
}

/// Asks until the job is as wanted.
async fn until(app: &TestApp, id: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    for _ in 0..2_000 {
        let seen = job(app, id).await;
        if is_so(&seen) {
            return seen;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("it never came to that: {}", job(app, id).await);
}

async fn ended(app: &TestApp, id: &str) -> Value {
    until(app, id, |job| job["status"] != "running").await
}

async fn rows(app: &TestApp, id: &str) -> Vec<Value> {
    let reply = app.get(&format!("/v1/jobs/{id}/result")).send().await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.header("content-type"), Some("application/x-ndjson"));
    reply.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Returns which numbers the provider was asked about, each of which it must have been once.
fn asked(provider: &FakeProvider) -> BTreeSet<String> {
    let received = provider.received();
    let number = |body: &[u8]| {
        let question: Value = serde_json::from_slice(body).unwrap();
        text(&question["contacts"][0])
    };
    let asked: BTreeSet<_> = received.iter().map(|received| number(&received.body)).collect();
    assert_eq!(asked.len(), received.len(), "nobody is asked about twice");
    asked
}

#[tokio::test]
async fn every_number_gets_a_row_in_its_place_and_nobody_is_asked_about_without_need() {
    let provider = FakeProvider::start();
    provider.then(Reply::status(500)).answer_by(registered);
    let app = hurried(&provider, "50", "2000").await;
    let known = people(&app, 4).await;
    let delivered = json!({"kind": "delivered"});
    app.post(&format!("/v1/contacts/{}/traffic", known[3])).json(&delivered).expect(200).await;
    let mut numbers = known.clone();
    numbers.extend(["hello".into(), "+12025550109".into(), "+44 7700 900000".into()]);
    let reply = bulk(&app, &numbers).send().await;
    assert_eq!(reply.status, 202);
    let taken = reply.json()["job"].clone();
    let id = text(&taken["id"]);
    assert_eq!(reply.header("location"), Some(format!("/v1/jobs/{id}").as_str()));
    assert_eq!((&taken["status"], &taken["total"]), (&json!("running"), &json!(7)));
    let end = ended(&app, &id).await;
    assert_eq!(end["status"], "finished");
    assert_eq!((&end["done"], &end["asked"]), (&json!(7), &json!(3)));
    let by_state = json!({"registered": 3, "not_registered": 0, "in_progress": 0, "unknown": 4});
    assert_eq!(end["by_state"], by_state);
    assert_eq!((&end["waiting_for"], &end["level"]), (&Value::Null, &json!("green")));
    let rows = rows(&app, &id).await;
    let told: Vec<_> = rows
        .iter()
        .map(|row| {
            let member = |name: &str| row[name].as_str().unwrap_or("-").to_owned();
            assert_eq!(
                row["wa_id"].is_string(),
                row["source"] == "provider" && row["state"] == "registered"
            );
            [member("number"), member("state"), member("source"), member("reason")]
        })
        .collect();
    let row = |number: &str, rest: [&str; 3]| {
        [number.to_owned(), rest[0].into(), rest[1].into(), rest[2].into()]
    };
    assert_eq!(
        told,
        [
            row(&known[0], ["unknown", "provider", "provider_fault"]),
            row(&known[1], ["registered", "provider", "-"]),
            row(&known[2], ["registered", "provider", "-"]),
            row(&known[3], ["registered", "traffic", "-"]),
            row("-", ["unknown", "none", "invalid_number"]),
            row("-", ["unknown", "none", "not_opted_in"]),
            row(&known[0], ["unknown", "provider", "provider_fault"]),
        ]
    );
    let places: Vec<_> = rows.iter().map(|row| row["row"].as_u64().unwrap()).collect();
    assert_eq!(places, [1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(asked(&provider), known[..3].iter().cloned().collect());
    let budget = app.get("/v1/verifications/budget").expect(200).await;
    assert_eq!(budget["used"], 3);
}

#[tokio::test]
async fn a_job_waits_for_the_budget_leaves_the_last_to_others_and_survives_a_restart() {
    let provider = FakeProvider::start();
    provider.answer_by(registered);
    let mut app = hurried(&provider, "10", "2000").await;
    let known = people(&app, 12).await;
    let id = start(&app, &known[..11]).await;
    let waiting = until(&app, &id, |job| job["waiting_for"] == "budget").await;
    assert_eq!((&waiting["done"], &waiting["level"]), (&json!(9), &json!("red")));
    assert_eq!(waiting["waiting_until"], app.moment(7 * 24 * 3_600));
    // Somebody who waits for an answer gets it.
    verify(&app, &[&known[11]]).expect(200).await;
    app.restart();
    let again = job(&app, &id).await;
    assert_eq!((&again["status"], &again["done"]), (&json!("running"), &json!(9)));
    assert_eq!((&again["waiting_for"], &again["asked"]), (&json!("budget"), &json!(9)));
    assert_eq!(provider.received().len(), 10);
    app.wait_hours(7 * DAY_H);
    let end = ended(&app, &id).await;
    assert_eq!((&end["asked"], &end["by_state"]["registered"]), (&json!(11), &json!(11)));
    assert_eq!(asked(&provider), known.iter().cloned().collect());
    // The result is that of the end, after a restart too.
    let found = rows(&app, &id).await;
    app.restart();
    assert_eq!(rows(&app, &id).await, found);
}

#[tokio::test]
async fn a_number_whose_look_up_a_restart_cut_short_is_not_asked_about_again() {
    let provider = FakeProvider::start();
    provider.then(Reply::Silence);
    let mut app = hurried(&provider, "50", "60000").await;
    let known = people(&app, 3).await;
    let id = start(&app, &known).await;
    while provider.received().is_empty() {
        tokio::task::yield_now().await;
    }
    provider.answer_by(registered);
    app.restart();
    let end = ended(&app, &id).await;
    assert_eq!((&end["status"], &end["asked"]), (&json!("finished"), &json!(3)));
    let found = rows(&app, &id).await;
    assert_eq!(
        (&found[0]["state"], &found[0]["reason"]),
        (&json!("unknown"), &json!("interrupted"))
    );
    assert_eq!(found[2]["state"], "registered");
    assert_eq!(asked(&provider).len(), 3);
}

#[tokio::test]
async fn a_look_up_that_somebody_else_waits_for_is_waited_for_and_not_repeated() {
    let provider = FakeProvider::start();
    let app = hurried(&provider, "50", "60000").await;
    let known = people(&app, 1).await;
    let row = json!({"input": known[0], "status": "valid"});
    let body = json!({"contacts": [row]}).to_string().into_bytes();
    provider.then(Reply::Drip { body, every: Duration::from_millis(20) });
    let other = tokio::spawn(verify(&app, &[&known[0]]).try_send());
    while provider.received().is_empty() {
        tokio::task::yield_now().await;
    }
    let id = start(&app, &known).await;
    let end = ended(&app, &id).await;
    assert_eq!((&end["status"], &end["asked"]), (&json!("finished"), &json!(0)));
    let row = &rows(&app, &id).await[0];
    assert_eq!((&row["state"], &row["source"]), (&json!("registered"), &json!("cache")));
    assert_eq!(other.await.unwrap().unwrap().status, 200);
    assert_eq!(asked(&provider).len(), 1);
}

#[tokio::test]
async fn a_provider_that_wants_a_pause_gets_it_and_the_job_goes_on_after() {
    let provider = FakeProvider::start();
    provider.then(Reply::status(429)).answer_by(registered);
    let app = hurried(&provider, "50", "2000").await;
    let known = people(&app, 2).await;
    let id = start(&app, &known).await;
    let is_waiting = |job: &Value| job["waiting_for"] == "provider" && job["done"] == 1;
    let waiting = until(&app, &id, is_waiting).await;
    assert_eq!(waiting["waiting_until"], app.moment(30));
    assert_eq!(provider.received().len(), 1);
    app.clock.advance_ms(30_001);
    let end = ended(&app, &id).await;
    assert_eq!(end["by_state"]["registered"], 1);
    assert_eq!(rows(&app, &id).await[0]["reason"], "rate_limited");
    assert_eq!(asked(&provider).len(), 2);
}

#[tokio::test]
async fn a_job_called_off_asks_nobody_any_more() {
    let provider = FakeProvider::start();
    provider.answer_by(registered);
    let app = hurried(&provider, "2", "2000").await;
    let known = people(&app, 4).await;
    let id = start(&app, &known).await;
    until(&app, &id, |job| job["waiting_for"] == "budget").await;
    let path = format!("/v1/jobs/{id}");
    let reply = app.get(&format!("{path}/result")).send().await;
    reply.problem(409, "job_running");
    assert_eq!(reply.header("retry-after"), Some("60"));
    for _ in 0..2 {
        let off = app.delete(&path).expect(200).await;
        assert_eq!(
            (&off["status"], &off["ended_at"]),
            (&json!("cancelled"), &json!(app.moment(0)))
        );
        assert_eq!((&off["done"], &off["waiting_for"]), (&json!(4), &Value::Null));
    }
    app.wait_hours(8 * DAY_H);
    let reasons: Vec<_> = rows(&app, &id).await.iter().map(|row| row["reason"].clone()).collect();
    let (none, not_asked) = (Value::Null, json!("not_asked"));
    assert_eq!(reasons, [none.clone(), none, not_asked.clone(), not_asked]);
    assert_eq!(provider.received().len(), 2);
}

#[tokio::test]
async fn without_a_provider_a_job_ends_with_what_is_known() {
    let app = TestApp::with_registry().await;
    let known = people(&app, 2).await;
    let id = start(&app, &known).await;
    let end = ended(&app, &id).await;
    assert_eq!((&end["status"], &end["asked"]), (&json!("finished"), &json!(0)));
    assert_eq!(rows(&app, &id).await[1]["reason"], "not_asked");
}

#[tokio::test]
async fn what_a_job_found_stays_what_it_was_when_it_ended() {
    let mut app = TestApp::with_registry().await;
    let known = people(&app, 3).await;
    let traffic = async |app: &TestApp, number: &str, kind: &str| {
        let path = format!("/v1/contacts/{number}/traffic");
        app.post(&path).json(&json!({"kind": kind})).expect(200).await;
    };
    traffic(&app, &known[0], "delivered").await;
    traffic(&app, &known[1], "undeliverable").await;
    app.clock.advance_ms(1_000);
    let mut numbers = known.clone();
    numbers.extend(["hello".into(), "+447700900999".into()]);
    let id = start(&app, &numbers).await;
    let (end, found) = (ended(&app, &id).await, rows(&app, &id).await);
    let told: Vec<_> = found.iter().map(|row| (&row["state"], &row["source"])).collect();
    let none = (&json!("unknown"), &json!("none"));
    assert_eq!(told, [(&json!("registered"), &json!("traffic")), none, none, none, none]);
    app.clock.advance_ms(1_000);
    traffic(&app, &known[0], "undeliverable").await;
    traffic(&app, &known[1], "delivered").await;
    traffic(&app, &known[2], "delivered").await;
    for restarts in [false, true] {
        if restarts {
            app.restart();
        }
        assert_eq!(job(&app, &id).await["by_state"], end["by_state"], "restarts: {restarts}");
        let now = rows(&app, &id).await;
        for (row, was) in now.iter().zip(&found) {
            for member in ["state", "source", "reason", "checked_at"] {
                assert_eq!(row[member], was[member], "{member} of {was}, restarts: {restarts}");
            }
        }
    }
}

#[tokio::test]
async fn numbers_come_as_json_or_as_lines_and_what_is_neither_is_refused() {
    let app = TestApp::with_registry().await;
    let known = people(&app, 2).await;
    let lines = format!(
        "\"{}\"\n\n{{\"number\":\"07700 900001\",\"region\":\"GB\"}}\n\"0812\"\n",
        known[0]
    );
    let call = || app.post("/v1/verifications/bulk");
    let taken = call().body("application/x-ndjson", lines).expect(202).await;
    let id = text(&taken["job"]["id"]);
    ended(&app, &id).await;
    let found = rows(&app, &id).await;
    assert_eq!((&found[0]["number"], &found[1]["number"]), (&json!(known[0]), &json!(known[1])));
    assert_eq!((found.len(), &found[2]["reason"]), (3, &json!("invalid_number")));
    let many = vec!["+12025550123".to_owned(); 10_001];
    bulk(&app, &many).problem(422, "body_invalid").await;
    bulk(&app, &[]).problem(422, "body_invalid").await;
    for (line, status, code) in [
        ("{\"number\":", 400, "body_malformed"),
        ("{\"nummer\":\"1\"}", 422, "body_invalid"),
        ("7", 422, "body_invalid"),
        ("{\"number\":\"1\",\"region\":\"ZZZ\"}", 422, "body_invalid"),
    ] {
        let lines = format!("\"{}\"\n{line}\n", known[0]);
        let problem = call().body("application/x-ndjson", lines).problem(status, code).await;
        assert_eq!(problem["line"], 2, "{line}");
    }
    call().body("application/x-ndjson", "\n").problem(422, "body_invalid").await;
    call().body("text/plain", "x").problem(415, "content_type").await;
    for path in ["/v1/jobs/7", "/v1/jobs/00000000-0000-7000-8000-000000000001"] {
        app.get(path).problem(404, "job_unknown").await;
        app.delete(path).problem(404, "job_unknown").await;
        app.get(&format!("{path}/result")).problem(404, "job_unknown").await;
    }
}

#[tokio::test]
async fn a_few_jobs_wait_for_each_other_and_no_more_are_taken() {
    let provider = FakeProvider::start();
    let app = hurried(&provider, "0", "2000").await;
    let known = people(&app, 1).await;
    let once = || bulk(&app, &known).header("idempotency-key", "k");
    let first = once().send().await;
    let id = text(&first.json()["job"]["id"]);
    let again = once().send().await;
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!((again.status.as_u16(), text(&again.json()["job"]["id"])), (202, id.clone()));
    until(&app, &id, |job| job["waiting_for"] == "budget").await;
    for _ in 0..3 {
        let other = start(&app, &known).await;
        assert_eq!(job(&app, &other).await["waiting_for"], "another_job");
    }
    let reply = bulk(&app, &known).send().await;
    reply.problem(429, "jobs_open");
    assert!(reply.header("retry-after").is_some());
    app.delete(&format!("/v1/jobs/{id}")).expect(200).await;
    bulk(&app, &known).expect(202).await;
    assert_eq!(provider.received().len(), 0);
}

fn files(folder: &Path, found: &mut Vec<Vec<u8>>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if !path.ends_with("ballast") {
            found.push(fs::read(path).unwrap());
        }
    }
}

#[tokio::test]
async fn no_number_of_a_job_is_readable_on_the_disk() {
    let provider = FakeProvider::start();
    provider.answer_by(registered);
    let app = hurried(&provider, "1", "2000").await;
    let mut numbers = people(&app, 2).await;
    numbers.push("+12025550177".into());
    let id = start(&app, &numbers).await;
    until(&app, &id, |job| job["waiting_for"] == "budget").await;
    let mut found = Vec::new();
    files(&app.data(), &mut found);
    assert!(found.len() > 5 && found.iter().any(|bytes| bytes.len() > 1_000));
    for number in &numbers {
        let digits = number.trim_start_matches('+').as_bytes();
        let is_in = |bytes: &Vec<u8>| bytes.windows(digits.len()).any(|part| part == digits);
        assert!(!found.iter().any(is_in), "{number}");
    }
}
