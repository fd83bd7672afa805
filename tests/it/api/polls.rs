//! The service asks WhatsApp how its senders stand, from the token in its settings to what callers
//! are shown.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    app::TestApp,
    fake_provider::{FakeProvider, Reply},
};

const TOKEN: &str = "t0ken-of-a-system-user";
const SENDER: &str = "700100200300501";
const NUMBER: &str = include_str!("../../data/whatsapp/phone_number_read.json");

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(30);

/// A service that has been stopped and started with a sender to ask about.
async fn start(fake: &FakeProvider) -> TestApp {
    let url = format!("{}/v25.0", fake.url());
    let settings = [("IZIN_WHATSAPP_TOKEN", TOKEN), ("IZIN_WHATSAPP_GRAPH_URL", url.as_str())];
    let mut app = TestApp::start_with(&settings);
    let portfolio = json!({"name": "Toko", "messaging_limit": 250});
    app.put("/v1/portfolios/p1").json(&portfolio).expect(201).await;
    let sender = json!({"portfolio": "p1", "number": "+12025550100", "status": "CONNECTED",
        "quality": "GREEN"});
    app.put(&format!("/v1/senders/{SENDER}")).json(&sender).expect(201).await;
    app.clock.advance_ms(60_000);
    app.restart();
    app
}

async fn until(holds: impl AsyncFn() -> bool) {
    let wait = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(LONG, wait).await.unwrap();
}

async fn sender(app: &TestApp) -> Value {
    app.get(&format!("/v1/senders/{SENDER}")).expect(200).await
}

async fn metrics(app: &TestApp) -> String {
    app.get("/metrics").send().await.text()
}

async fn measures(app: &TestApp, line: &str) -> bool {
    metrics(app).await.lines().any(|shown| shown == line)
}

#[tokio::test]
async fn how_a_sender_stands_at_whatsapp_is_shown_and_survives_a_restart() {
    let fake = FakeProvider::start();
    fake.answer_by(|_| Reply::json(&NUMBER.replace("GREEN", "RED")));
    let mut app = start(&fake).await;
    until(async || sender(&app).await["quality"] == "RED").await;
    until(async || {
        let portfolio = app.get("/v1/portfolios/p1").expect(200).await;
        portfolio["messaging_limit"] == 2_000
    })
    .await;
    app.clock.advance_ms(61_000);
    for line in [
        "izin_graph_stopped 0",
        "izin_graph_last_answer_age_seconds 61",
        "izin_graph_questions_total{outcome=\"answered\"} 1",
        "izin_graph_questions_total{outcome=\"token\"} 0",
    ] {
        assert!(measures(&app, line).await, "{line}");
    }
    let page = metrics(&app).await;
    assert!(!page.contains(TOKEN) && !page.contains(SENDER));
    let seq = sender(&app).await["seq"].clone();
    app.restart();
    until(async || measures(&app, "izin_graph_questions_total{outcome=\"answered\"} 1").await)
        .await;
    assert_eq!(sender(&app).await["seq"], seq, "asked again, and nothing new");
    assert_eq!(fake.received().len(), 2);
    let by_hand = json!({"portfolio": "p1", "number": "+12025550100", "status": "CONNECTED",
        "quality": "GREEN"});
    app.put(&format!("/v1/senders/{SENDER}")).json(&by_hand).expect(200).await;
    app.clock.advance_ms(1_000);
    app.restart();
    until(async || sender(&app).await["quality"] == "RED").await;
}

#[tokio::test]
async fn a_refused_token_is_seen_in_the_measurements_and_the_service_goes_on() {
    let fake = FakeProvider::start();
    let expired = include_bytes!("../../data/whatsapp/graph_error_190_token.json");
    fake.answer_by(|_| Reply::Http { status: 401, headers: Vec::new(), body: expired.to_vec() });
    let app = start(&fake).await;
    until(async || measures(&app, "izin_graph_stopped 1").await).await;
    assert!(measures(&app, "izin_graph_questions_total{outcome=\"token\"} 1").await);
    assert!(!metrics(&app).await.contains("last_answer_age"), "there was none");
    assert_eq!(sender(&app).await["quality"], "GREEN");
    app.opt_out("+12025550101").await;
}

#[tokio::test]
async fn without_a_token_nobody_is_asked_and_nothing_is_measured() {
    let fake = FakeProvider::start();
    let app = TestApp::with_registry_and(&[("IZIN_WHATSAPP_GRAPH_URL", &fake.url())]).await;
    assert!(!metrics(&app).await.contains("izin_graph"));
    assert!(fake.received().is_empty());
}

#[tokio::test]
async fn the_stop_of_the_service_does_not_wait_for_whatsapp() {
    let fake = FakeProvider::start();
    fake.answer_by(|_| Reply::Silence);
    let app = start(&fake).await;
    until(async || !fake.received().is_empty()).await;
    let (tell, told) = tokio::sync::oneshot::channel();
    let stopping = std::thread::spawn(move || {
        drop(app);
        tell.send(()).unwrap();
    });
    // Far below the time an answer may take.
    tokio::time::timeout(Duration::from_secs(15), told).await.unwrap().unwrap();
    stopping.join().unwrap();
}
