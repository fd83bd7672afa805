//! Look-ups: nobody is asked without need, never more than the budget, and "unknown" is no "no".

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::{
    app::{Call, TestApp},
    fake_provider::{FakeProvider, Received, Reply},
};

const ANN: &str = "+12025550123";
const BEN: &str = "+12025550124";
const VALID: &str = include_str!("../../data/providers/contacts_valid.json");
const INVALID: &str = include_str!("../../data/providers/contacts_invalid.json");

pub(crate) fn verify(app: &TestApp, numbers: &[&str]) -> Call {
    app.post("/v1/verifications").json(&json!({"numbers": numbers}))
}

async fn first(app: &TestApp, number: &str) -> Value {
    let answer = verify(app, &[number]).expect(200).await;
    answer["results"][0].clone()
}

/// A service that asks this provider, with an allowance, about two people who agreed.
pub(crate) async fn asking(provider: &FakeProvider, allowance: &str) -> TestApp {
    asking_within(provider, allowance, "300").await
}

/// As [`asking`], with another time-out in milliseconds.
pub(crate) async fn asking_within(
    provider: &FakeProvider,
    allowance: &str,
    timeout_ms: &str,
) -> TestApp {
    let url = provider.url();
    let app = TestApp::with_registry_and(&[
        ("IZIN_VERIFY_PROVIDER", "contacts_api"),
        ("IZIN_VERIFY_URL", &url),
        ("IZIN_VERIFY_TOKEN", "t0ken-s3cret"),
        ("IZIN_VERIFICATION__STARTING_ALLOWANCE", allowance),
        ("IZIN_VERIFICATION__TIMEOUT_MS", timeout_ms),
    ])
    .await;
    for number in [ANN, BEN] {
        app.opt_in(number, "orders").await;
    }
    app
}

#[tokio::test]
async fn without_a_provider_the_answer_says_so() {
    let app = TestApp::with_registry().await;
    app.opt_in(ANN, "orders").await;
    let answer = verify(&app, &[ANN, "+12025550109", "hello"]).expect(200).await;
    let results = answer["results"].as_array().unwrap().iter();
    let seen: Vec<_> = results.map(|one| (&one["state"], &one["reason"])).collect();
    let (unknown, because) = (json!("unknown"), |reason: &str| json!(reason));
    let reasons = [because("no_provider"), because("not_opted_in"), because("invalid_number")];
    assert_eq!(seen, reasons.iter().map(|reason| (&unknown, reason)).collect::<Vec<_>>());
    assert_eq!(answer["budget"]["used"], 0);
    assert_eq!(answer["budget"]["provider"], Value::Null);
}

#[tokio::test]
async fn a_look_up_is_answered_by_the_provider_once_and_then_from_memory() {
    let provider = FakeProvider::start();
    provider.then(Reply::json(VALID));
    let mut app = asking(&provider, "5").await;
    let reply = verify(&app, &[ANN]).send().await;
    assert_eq!(reply.header("ratelimit"), Some("\"lookups\";r=4"));
    let found = reply.json()["results"][0].clone();
    assert_eq!((&found["state"], &found["source"]), (&json!("registered"), &json!("provider")));
    assert_eq!(found["wa_id"], "12025550123");
    app.restart();
    for hours in [0, 24 * 6] {
        app.wait_hours(hours);
        let again = first(&app, "+1 202 555 0123").await;
        assert_eq!((&again["state"], &again["source"]), (&json!("registered"), &json!("cache")));
        assert_eq!(again["checked_at"], found["checked_at"]);
    }
    assert_eq!(provider.received().len(), 1);
    let budget = app.get("/v1/verifications/budget").send().await;
    assert_eq!(budget.json()["used"], 1);
    assert_eq!(budget.json()["verified_not_contacted"], 1);
    assert_eq!(budget.header("ratelimit"), Some("\"lookups\";r=4"));
    app.wait_hours(24 + 1);
    provider.then(Reply::json(INVALID));
    let later = first(&app, ANN).await;
    assert_eq!((&later["state"], &later["source"]), (&json!("not_registered"), &json!("provider")));
    let shown = app.get(&format!("/v1/contacts/{ANN}")).expect(200).await;
    assert_eq!(shown["reachability"]["lookup"], "not_registered");
}

#[tokio::test]
async fn over_the_budget_nobody_is_asked_and_the_answer_says_when() {
    let provider = FakeProvider::start();
    provider.answer_by(|_| Reply::json(VALID));
    let app = asking(&provider, "1").await;
    let reply = verify(&app, &[ANN, BEN]).send().await;
    let problem = reply.problem(429, "lookup_budget_spent");
    assert_eq!(problem["violated-policies"], json!(["lookups"]));
    assert_eq!((&problem["wanted"], &problem["budget"]["left"]), (&json!(2), &json!(1)));
    assert_eq!(problem["frees_at"], Value::Null);
    assert_eq!(provider.received().len(), 0);
    first(&app, ANN).await;
    app.wait_hours(1);
    let reply = verify(&app, &[BEN]).send().await;
    let problem = reply.problem(429, "lookup_budget_spent");
    assert_eq!(problem["frees_at"], app.moment((7 * 24 - 1) * 3_600));
    let wait_s = (7 * 24 - 1) * 3_600;
    assert_eq!(reply.header("retry-after"), Some(wait_s.to_string().as_str()));
    let quota = format!("\"lookups\";r=0;t={wait_s}");
    assert_eq!(reply.header("ratelimit"), Some(quota.as_str()));
    assert_eq!(reply.header("ratelimit-policy"), Some("\"lookups\";q=1;w=604800"));
    // A message to the person who was looked up earns the next look-up.
    let send = json!({"number": ANN, "kind": "template", "template": "shipped", "sender": "1001"});
    let ticket = app.post("/v1/sends").json(&send).expect(201).await;
    let path = format!("/v1/sends/{}/commit", ticket["id"].as_str().unwrap());
    app.post(&path).json(&json!({"message_id": "wamid.1"})).expect(200).await;
    assert_eq!(first(&app, BEN).await["source"], "provider");
    assert_eq!(provider.received().len(), 2);
}

#[tokio::test]
async fn the_budget_warns_before_it_is_spent_and_keeps_the_last_for_single_look_ups() {
    let provider = FakeProvider::start();
    provider.answer_by(registered);
    let app = asking(&provider, "10").await;
    let numbers = people(&app, 11).await;
    let mut levels = Vec::new();
    for number in &numbers[..9] {
        let budget = app.get("/v1/verifications/budget").expect(200).await;
        levels.push((budget["level"].clone(), budget["left_for_several"].clone()));
        first(&app, number).await;
    }
    let expected = [9, 8, 7, 6, 5, 4, 3].map(|left| (json!("green"), json!(left)));
    assert_eq!(levels[..7], expected);
    assert_eq!(levels[7..], [2, 1].map(|left| (json!("amber"), json!(left))));
    let reply = verify(&app, &[&numbers[9], &numbers[10]]).send().await;
    let problem = reply.problem(429, "lookup_budget_spent");
    assert_eq!(problem["detail"], "2 needed, 0 left for several at once");
    let budget = &problem["budget"];
    assert_eq!((&budget["level"], &budget["left"]), (&json!("red"), &json!(1)));
    assert_eq!((&budget["amber_percent"], &budget["red_percent"]), (&json!(70), &json!(90)));
    assert_eq!(provider.received().len(), 9);
    assert_eq!(first(&app, &numbers[9]).await["source"], "provider");
    verify(&app, &[&numbers[10]]).problem(429, "lookup_budget_spent").await;
    let metrics = app.get("/metrics").send().await.text();
    assert!(metrics.contains("izin_lookup_budget_level{level=\"red\"} 1"), "{metrics}");
    assert!(metrics.contains("izin_lookup_verified_not_contacted 10"), "{metrics}");
}

#[tokio::test]
async fn whatever_goes_wrong_at_the_provider_is_unknown_and_not_a_no() {
    for reply in [
        Reply::Silence,
        Reply::json("not json"),
        Reply::json("{}"),
        Reply::status(500),
        Reply::status(429),
        Reply::hang_up(),
    ] {
        let provider = FakeProvider::start();
        provider.then(reply.clone());
        let app = asking(&provider, "5").await;
        let found = first(&app, ANN).await;
        assert_eq!(found["state"], "unknown", "{reply:?}");
        assert!(found["reason"].is_string(), "{reply:?}");
        assert_eq!(app.ask(ANN, "orders").await["eligible"], true, "{reply:?}");
        // It cost one look-up, and a later one may ask again.
        let budget = app.get("/v1/verifications/budget").expect(200).await;
        assert_eq!(budget["used"], 1);
    }
}

#[tokio::test]
async fn a_provider_that_keeps_failing_is_left_alone_for_a_while() {
    let provider = FakeProvider::start();
    let app = asking(&provider, "20").await;
    for _ in 0..3 {
        assert_eq!(first(&app, ANN).await["source"], "provider");
    }
    let asked = provider.received().len();
    let left = first(&app, ANN).await;
    assert_eq!((&left["source"], &left["reason"]), (&json!("none"), &json!("breaker_open")));
    assert_eq!(provider.received().len(), asked);
    let budget = app.get("/v1/verifications/budget").expect(200).await;
    assert_eq!((&budget["used"], &budget["breaker"]), (&json!(3), &json!("open")));
    app.clock.advance_ms(30_001);
    provider.then(Reply::json(VALID));
    assert_eq!(first(&app, ANN).await["state"], "registered");
}

#[tokio::test]
async fn traffic_spares_the_look_up() {
    let provider = FakeProvider::start();
    let app = asking(&provider, "5").await;
    let delivered = json!({"kind": "delivered"});
    app.post(&format!("/v1/contacts/{ANN}/traffic")).json(&delivered).expect(200).await;
    let found = first(&app, ANN).await;
    assert_eq!((&found["state"], &found["source"]), (&json!("registered"), &json!("traffic")));
    assert_eq!(provider.received().len(), 0);
    let many = vec![ANN; 101];
    verify(&app, &many).problem(422, "body_invalid").await;
    verify(&app, &[]).problem(422, "body_invalid").await;
}

/// Says of whichever number is asked about that it is on WhatsApp.
pub(crate) fn registered(received: &Received) -> Reply {
    let question: Value = serde_json::from_slice(&received.body).unwrap();
    let number = question["contacts"][0].as_str().unwrap();
    let answer = json!({"contacts": [{"input": number, "status": "valid",
        "wa_id": number.trim_start_matches('+')}]});
    Reply::json(&answer.to_string())
}

/// Opts so many people in and returns their numbers.
pub(crate) async fn people(app: &TestApp, count: usize) -> Vec<String> {
    let numbers: Vec<_> = (0..count).map(|place| format!("+447700900{place:03}")).collect();
    for number in &numbers {
        app.opt_in(number, "orders").await;
    }
    numbers
}

fn count(results: &Value, source: &str, reason: &Value) -> usize {
    let results = results["results"].as_array().unwrap().iter();
    results.filter(|one| one["source"] == source && one["reason"] == *reason).count()
}

#[tokio::test]
async fn a_batch_that_meets_a_refusal_costs_only_the_calls_that_were_made() {
    let provider = FakeProvider::start();
    provider.answer_by(|_| Reply::status(429));
    let app = asking(&provider, "50").await;
    let numbers = people(&app, 30).await;
    let numbers: Vec<_> = numbers.iter().map(String::as_str).collect();
    let answer = verify(&app, &numbers).expect(200).await;
    let made = provider.received().len();
    assert!((1..=4).contains(&made), "{made} calls at once");
    assert_eq!(answer["budget"]["used"], made);
    assert_eq!(count(&answer, "provider", &json!("rate_limited")), made);
    assert_eq!(count(&answer, "none", &json!("breaker_open")), 30 - made);
    // After the pause one question decides what comes next, and only one is reserved.
    app.clock.advance_ms(30_001);
    provider.answer_by(registered);
    let answer = verify(&app, &numbers).expect(200).await;
    assert_eq!(provider.received().len(), made + 1);
    assert_eq!(answer["budget"]["used"], made + 1);
    assert_eq!(count(&answer, "provider", &Value::Null), 1);
    assert_eq!(count(&answer, "none", &json!("breaker_open")), 29);
    let answer = verify(&app, &numbers).expect(200).await;
    assert_eq!(answer["budget"]["used"], made + 30);
    assert_eq!(provider.received().len(), made + 30);
}

#[tokio::test]
async fn of_requests_for_one_number_at_once_one_asks_and_the_others_say_it_is_under_way() {
    let provider = FakeProvider::start();
    provider.answer_by(registered);
    let app = asking(&provider, "50").await;
    let answers = join_all((0..12).map(|_| verify(&app, &[ANN]).send())).await;
    let results: Vec<_> =
        answers.iter().map(|answer| answer.json()["results"][0].clone()).collect();
    assert_eq!(provider.received().len(), 1);
    for result in &results {
        let told = (result["state"].as_str().unwrap(), result["source"].as_str().unwrap());
        let expected =
            [("registered", "provider"), ("in_progress", "none"), ("registered", "cache")];
        assert!(expected.contains(&told) && result["reason"].is_null(), "{result}");
    }
    assert!(results.iter().any(|result| result["state"] == "in_progress"), "{results:?}");
}

#[tokio::test]
async fn requests_at_once_share_one_budget() {
    let provider = FakeProvider::start();
    provider.answer_by(registered);
    let app = asking(&provider, "5").await;
    let numbers = people(&app, 12).await;
    let answers = join_all(numbers.iter().map(|number| verify(&app, &[number]).send())).await;
    let answered = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!((answered, provider.received().len()), (5, 5));
    for refused in answers.iter().filter(|answer| answer.status != 200) {
        refused.problem(429, "lookup_budget_spent");
    }
    let budget = app.get("/v1/verifications/budget").expect(200).await;
    assert_eq!((&budget["used"], &budget["left"]), (&json!(5), &json!(0)));
}

#[tokio::test]
async fn a_look_up_cut_short_by_a_stop_is_ended_and_stays_paid_for() {
    let provider = FakeProvider::start();
    provider.then(Reply::Silence);
    let mut app = asking_within(&provider, "5", "60000").await;
    let call = tokio::spawn(verify(&app, &[ANN]).try_send());
    while provider.received().is_empty() {
        tokio::task::yield_now().await;
    }
    let seen = first(&app, ANN).await;
    assert_eq!((&seen["state"], &seen["source"]), (&json!("in_progress"), &json!("none")));
    app.restart();
    assert!(call.await.unwrap().is_none(), "the connection ended with the service");
    let budget = app.get("/v1/verifications/budget").expect(200).await;
    assert_eq!(budget["used"], 1);
    provider.answer_by(registered);
    assert_eq!(first(&app, ANN).await["source"], "provider");
    assert_eq!(provider.received().len(), 2);
}

#[tokio::test]
async fn a_repeated_request_asks_nobody_again() {
    let provider = FakeProvider::start();
    provider.then(Reply::status(500));
    let mut app = asking(&provider, "5").await;
    let ask = |app: &TestApp, numbers: &[&str]| verify(app, numbers).header("idempotency-key", "k");
    let reply = ask(&app, &[ANN]).send().await;
    assert_eq!(reply.header("idempotent-replayed"), None);
    assert_eq!(reply.json()["results"][0]["reason"], "provider_fault");
    app.restart();
    let reply = ask(&app, &[ANN]).send().await;
    assert_eq!(reply.header("idempotent-replayed"), Some("true"));
    let result = reply.json()["results"][0].clone();
    assert_eq!((&result["state"], &result["reason"]), (&json!("unknown"), &json!("asked_before")));
    assert_eq!((provider.received().len(), &reply.json()["budget"]["used"]), (1, &json!(1)));
    ask(&app, &[BEN]).problem(422, "idempotency_key_reused").await;
    provider.answer_by(registered);
    assert_eq!(first(&app, ANN).await["source"], "provider");
    let reply = ask(&app, &[ANN]).send().await;
    assert_eq!(reply.header("idempotent-replayed"), Some("true"));
    assert_eq!(reply.json()["results"][0]["source"], "cache");
}
