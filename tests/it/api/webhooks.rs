//! What WhatsApp says, end to end: signed bytes in, and where people stand afterwards.

use std::{fs, path::PathBuf};

use izin::whatsapp::AppSecrets;
use serde_json::{Value, json};

use crate::app::{Reply, TestApp};

pub(super) const SECRET: &str = "test-app-secret-0001";
const TOKEN: &str = "verify-token-1";
pub(super) const PATH: &str = "/webhooks/whatsapp";

/// The person and the sender of the samples.
pub(super) const ANA: &str = "+12025550123";
pub(super) const SENDER: &str = "700100200300501";

/// 2026-11-20T09:00:00Z: when the service starts, and when most samples happened.
pub(super) const NOON_S: i64 = 1_795_165_200;

pub(super) fn sample(name: &str) -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/whatsapp");
    fs::read(folder.join(format!("{name}.json"))).unwrap()
}

pub(super) fn signature(secret: &str, body: &[u8]) -> String {
    AppSecrets::new([secret.as_bytes()]).sign(body).unwrap()
}

pub(super) async fn post_signed(app: &TestApp, secret: &str, body: &[u8]) -> Reply {
    let call = app.post(PATH).anonymous();
    let call = call.header("x-hub-signature-256", &signature(secret, body));
    call.body("application/json", body.to_vec()).send().await
}

/// Sends a webhook that must be taken, and returns what followed.
pub(super) async fn hear(app: &TestApp, body: &[u8]) -> Value {
    let reply = post_signed(app, SECRET, body).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()
}

/// Returns how often what followed from facts of one kind.
pub(super) fn effect(told: &Value, kind: &str, name: &str) -> u64 {
    let facts = told["facts"].as_array().unwrap();
    let of_kind = facts.iter().find(|facts| facts["kind"] == kind);
    of_kind.and_then(|facts| facts["effects"][name].as_u64()).unwrap_or_default()
}

pub(super) async fn start() -> TestApp {
    start_with(SECRET).await
}

/// A service with the registry of the tests and the sender of the samples.
async fn start_with(secrets: &str) -> TestApp {
    let app = TestApp::with_registry_and(&[
        ("IZIN_WHATSAPP_APP_SECRET", secrets),
        ("IZIN_WHATSAPP_VERIFY_TOKEN", TOKEN),
    ])
    .await;
    let sender = json!({"portfolio": "p1", "number": "+12025550100", "status": "CONNECTED",
        "quality": "GREEN", "account": "900100200300401"});
    app.put(&format!("/v1/senders/{SENDER}")).json(&sender).expect(201).await;
    app
}

/// One message of the person of the samples.
pub(super) fn message(id: &str, at_s: i64, content: &Value) -> Value {
    let mut message = json!({"from": "12025550123", "from_user_id": "US.90000000000000000123",
        "id": format!("wamid.{id}"), "timestamp": at_s.to_string()});
    message.as_object_mut().unwrap().extend(content.as_object().unwrap().clone());
    message
}

pub(super) fn webhook(messages: &[Value]) -> Vec<u8> {
    let changes: Vec<_> = messages
        .iter()
        .map(|message| {
            json!({"field": "messages", "value": {"messaging_product": "whatsapp",
                "metadata": {"display_phone_number": "12025550100", "phone_number_id": SENDER},
                "contacts": [{"wa_id": "12025550123", "user_id": "US.90000000000000000123"}],
                "messages": [message]}})
        })
        .collect();
    let body = json!({"object": "whatsapp_business_account",
        "entry": [{"id": "900100200300401", "changes": changes}]});
    body.to_string().into_bytes()
}

pub(super) fn text(id: &str, at_s: i64, body: &str) -> Vec<u8> {
    webhook(&[message(id, at_s, &json!({"type": "text", "text": {"body": body}}))])
}

async fn last_seq(app: &TestApp) -> u64 {
    app.ask(ANA, "orders").await["as_of"].as_u64().unwrap()
}

pub(super) async fn reasons(app: &TestApp, question: &str) -> Vec<String> {
    let path = format!("/v1/eligibility?number={ANA}&{question}");
    let decision = app.get(&path).expect(200).await;
    let reasons = decision["reasons"].as_array().unwrap();
    reasons.iter().map(|reason| reason["code"].as_str().unwrap().to_owned()).collect()
}

pub(super) async fn reviews(app: &TestApp) -> Vec<Value> {
    app.get("/v1/reviews").expect(200).await["data"].as_array().unwrap().clone()
}

#[tokio::test]
async fn the_handshake_gives_the_challenge_back_to_whoever_knows_the_token() {
    let app = start().await;
    let ask = |query: &str| app.get(&format!("{PATH}?{query}")).anonymous();
    let good = format!("hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token={TOKEN}");
    for query in [good.clone(), format!("{good}&hub.new=1")] {
        let reply = ask(&query).send().await;
        assert_eq!((reply.status.as_u16(), reply.text().as_str()), (200, "1158201444"), "{query}");
        assert_eq!(reply.header("content-type"), Some("text/plain"));
    }
    for query in [
        good.replace(TOKEN, "verify-token-2"),
        good.replace(TOKEN, ""),
        good.replace("subscribe", "unsubscribe"),
        good.replace("1158201444", "%3Cb%3E%20x"),
        String::new(),
    ] {
        ask(&query).problem(403, "handshake_refused").await;
    }
    let off = TestApp::start();
    let reply = off.get(&format!("{PATH}?{good}")).anonymous().send().await;
    reply.problem(503, "webhooks_off");
}

#[tokio::test]
async fn only_what_is_signed_is_read() {
    let app = start_with("app-secret-of-before,test-app-secret-0001").await;
    let body = sample("inbound_text_stop_keyword");
    app.opt_in(ANA, "orders").await;
    let before = last_seq(&app).await;
    for secret in ["another-app-secret", ""] {
        post_signed(&app, secret, &body).await.problem(401, "signature_invalid");
    }
    app.post(PATH).body("application/json", body.clone()).problem(401, "signature_invalid").await;
    let cut = post_signed(&app, SECRET, &body[1..]).await;
    assert_eq!(cut.status, 400, "signed, and no JSON any more");
    let other = app.post(PATH).anonymous().body("application/json", body[1..].to_vec());
    let other = other.header("x-hub-signature-256", &signature(SECRET, &body));
    other.problem(401, "signature_invalid").await;
    assert_eq!(last_seq(&app).await, before);
    for (secret, place) in [("app-secret-of-before", 0), (SECRET, 1)] {
        let told = post_signed(&app, secret, &body).await.json();
        assert_eq!(told["secret"], place, "{told}");
    }
    let log = app.get("/v1/webhooks/log").expect(200).await;
    let signatures: Vec<_> =
        log["data"].as_array().unwrap().iter().map(|row| &row["signature"]).collect();
    assert_eq!(signatures, ["valid", "valid", "wrong", "valid", "missing", "wrong"], "{log}");
    let off = TestApp::start();
    post_signed(&off, SECRET, &body).await.problem(503, "webhooks_off");
}

#[tokio::test]
async fn a_stop_stops_everything_however_often_it_comes() {
    let mut app = start().await;
    app.opt_in(ANA, "orders").await;
    app.clock.advance_ms(60_000);
    let body = text("stop-1", NOON_S + 30, " stop. ");
    let told = hear(&app, &body).await;
    assert_eq!(told["outcome"], "recorded");
    assert_eq!(effect(&told, "inbound", "opted_out"), 1, "{told}");
    assert!(reasons(&app, "topic=orders").await.contains(&"withdrawn".to_owned()));
    let contact = app.get(&format!("/v1/contacts/{ANA}")).expect(200).await;
    assert_eq!(contact["opted_out_of_all_at"], "2026-11-20T09:00:30Z");
    assert_eq!(contact["user_id"], "US.90000000000000000123");
    let after = last_seq(&app).await;
    assert_eq!(hear(&app, &body).await["outcome"], "nothing_new");
    app.restart();
    let again = hear(&app, &body).await;
    assert_eq!(again["outcome"], "nothing_new");
    assert_eq!(last_seq(&app).await, after);
    let history = app.get(&format!("/v1/contacts/{ANA}/history")).expect(200).await;
    assert!(history.to_string().contains("wamid.stop-1"), "the proof names the message");
}

#[tokio::test]
async fn a_window_opens_at_the_moment_of_the_message_and_never_by_a_late_one() {
    let app = start().await;
    app.wait_hours(30);
    let session = format!("kind=session&sender={SENDER}");
    let late = text("late", NOON_S, "Halo, pesanan saya?");
    assert_eq!(effect(&hear(&app, &late).await, "inbound", "traffic_seen"), 1);
    assert_eq!(reasons(&app, &session).await, ["session_window_closed"]);
    let now = NOON_S + 30 * 3_600;
    hear(&app, &text("now", now - 60, "Halo lagi")).await;
    assert!(reasons(&app, &session).await.is_empty());
    let told = hear(&app, &text("late-2", NOON_S + 60, "Halo")).await;
    assert_eq!(told["outcome"], "nothing_new", "older than what is known");
    assert!(reasons(&app, &session).await.is_empty());
}

#[tokio::test]
async fn a_payload_means_what_its_templates_say_it_means() {
    let app = start().await;
    app.opt_in(ANA, "promotions").await;
    app.opt_in(ANA, "orders").await;
    app.clock.advance_ms(60_000);
    let answers = |topic: &str| {
        json!({"topic": "promotions", "category": "marketing", "status": "APPROVED",
            "answers": {"OPT_OUT_MARKETING": {"act": "opt_out", "topics": [topic]},
                "YES_ORDERS": {"act": "opt_in", "topics": ["orders"]}}})
    };
    app.put("/v1/templates/sale/en").json(&answers("promotions")).expect(201).await;
    let tap = |id: &str, payload: &str| {
        let button = json!({"type": "button", "button": {"payload": payload, "text": "Weekly"}});
        webhook(&[message(id, NOON_S + 30, &button)])
    };
    let told = hear(&app, &tap("tap-1", "OPT_OUT_MARKETING")).await;
    assert_eq!(effect(&told, "inbound", "opted_out"), 1, "{told}");
    assert_eq!(reasons(&app, "topic=promotions").await, ["withdrawn"]);
    assert!(reasons(&app, "topic=orders").await.is_empty());
    app.put("/v1/templates/sale/id").json(&answers("orders")).expect(201).await;
    let told = hear(&app, &tap("tap-2", "OPT_OUT_MARKETING")).await;
    assert_eq!(effect(&told, "inbound", "opted_out"), 1, "from whatever it may be: {told}");
    assert_eq!(reasons(&app, "topic=orders").await, ["withdrawn"]);
    let mut agrees = answers("orders");
    agrees["answers"]["OPT_OUT_MARKETING"]["act"] = "opt_in".into();
    app.put("/v1/templates/sale/id").json(&agrees).expect(200).await;
    let told = hear(&app, &tap("tap-5", "OPT_OUT_MARKETING")).await;
    assert_eq!(effect(&told, "inbound", "review_opened"), 1, "two meanings: {told}");
    assert_eq!(effect(&hear(&app, &tap("tap-3", "NOTHING")).await, "inbound", "opted_out"), 0);
    let label = json!({"type": "button", "button": {"payload": "x", "text": "Unsubscribe"}});
    let told = hear(&app, &webhook(&[message("tap-4", NOON_S + 40, &label)])).await;
    assert_eq!(effect(&told, "inbound", "opted_out"), 1, "unregistered and clear: {told}");
    let unknown = json!({"topic": "promotions", "category": "marketing", "status": "APPROVED",
        "answers": {"X": {"act": "opt_out", "topics": ["nothing"]}}});
    app.put("/v1/templates/sale/en").json(&unknown).problem(422, "topic_unknown").await;
}

#[tokio::test]
async fn the_code_of_an_entry_point_agrees_to_its_topics_and_to_nothing_when_passed_on() {
    let app = start().await;
    let entry = json!({"name": "Counter", "topics": ["orders"], "statement": "signup",
        "language": "en", "code": "K7WX2M0A"});
    let put = app.put("/v1/entry-points/counter").json(&entry).expect(201).await;
    assert_eq!(put["code"], "K7WX2M0A");
    app.put("/v1/entry-points/door").json(&entry).problem(409, "entry_code_taken").await;
    let own = json!({"name": "Door", "topics": ["orders"]});
    let made = app.put("/v1/entry-points/door").json(&own).expect(201).await;
    assert_eq!(made["code"].as_str().unwrap().len(), 8, "{made}");
    let again = app.put("/v1/entry-points/door").json(&own).expect(200).await;
    assert_eq!(again["code"], made["code"]);

    let passed_on = json!({"type": "text", "text": {"body": "Hi! k7wx2moa"},
        "context": {"forwarded": true}});
    hear(&app, &webhook(&[message("f", NOON_S, &passed_on)])).await;
    assert_eq!(reasons(&app, "topic=orders").await, ["never_asked"]);
    let told = hear(&app, &text("code", NOON_S, "Hi! Please send me news (k7wx2moa)")).await;
    assert_eq!(effect(&told, "inbound", "opted_in"), 1, "{told}");
    assert!(reasons(&app, "topic=orders").await.is_empty());
    let history = app.get(&format!("/v1/contacts/{ANA}/history")).expect(200).await.to_string();
    assert!(history.contains("counter") && history.contains("signup"), "{history}");
    assert_eq!(hear(&app, &text("code", NOON_S, "Hi! k7wx2moa")).await["outcome"], "nothing_new");
}

#[tokio::test]
async fn marketing_stopped_inside_whatsapp_stops_marketing_until_it_is_resumed() {
    let app = start().await;
    app.opt_in(ANA, "promotions").await;
    app.opt_in(ANA, "orders").await;
    app.wait_hours(2);
    let told = hear(&app, &sample("user_preferences_stop")).await;
    assert_eq!(effect(&told, "preference", "marketing_preference_seen"), 1, "{told}");
    assert_eq!(reasons(&app, "topic=promotions").await, ["marketing_stopped"]);
    assert!(reasons(&app, "topic=orders").await.is_empty());
    hear(&app, &sample("user_preferences_resume")).await;
    assert!(reasons(&app, "topic=promotions").await.is_empty());
    let late = hear(&app, &sample("user_preferences_stop")).await;
    assert_eq!(late["outcome"], "nothing_new", "older than the resume");
    assert!(reasons(&app, "topic=promotions").await.is_empty());
}

/// Reserves a send of a template and reports it as sent under this message id, if there is one.
pub(super) async fn sent(app: &TestApp, template: &str, language: &str, message_id: &str) -> Value {
    let body = json!({"number": ANA, "kind": "template", "template": template,
        "language": language, "sender": SENDER});
    let ticket = app.post("/v1/sends").json(&body).expect(201).await;
    if !message_id.is_empty() {
        let path = format!("/v1/sends/{}/commit", ticket["id"].as_str().unwrap());
        app.post(&path).json(&json!({"message_id": message_id})).expect(200).await;
    }
    ticket
}

/// What became of a message to the person of the samples.
pub(super) fn status(id: &str, word: &str, at_s: i64, more: &Value) -> Vec<u8> {
    let mut status = json!({"id": id, "status": word, "timestamp": at_s.to_string(),
        "recipient_id": "12025550123"});
    status.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let body = json!({"object": "whatsapp_business_account", "entry": [{"id": "900100200300401",
        "changes": [{"field": "messages", "value": {"messaging_product": "whatsapp",
            "metadata": {"display_phone_number": "12025550100", "phone_number_id": SENDER},
            "statuses": [status]}}]}]});
    body.to_string().into_bytes()
}

#[tokio::test]
async fn a_tap_means_what_the_template_of_the_question_says() {
    let app = start().await;
    app.opt_in(ANA, "promotions").await;
    app.opt_in(ANA, "orders").await;
    for (language, topic) in [("en", "promotions"), ("id", "orders")] {
        let body = json!({"topic": "promotions", "category": "marketing", "status": "APPROVED",
            "answers": {"OUT": {"act": "opt_out", "topics": [topic]}}});
        app.put(&format!("/v1/templates/sale/{language}")).json(&body).expect(201).await;
    }
    let uncapped = json!({"settings": {"frequency_caps": []}});
    app.put("/v1/policy").json(&uncapped).expect(200).await;
    sent(&app, "sale", "id", "wamid.question").await;
    app.clock.advance_ms(60_000);
    let tap = json!({"type": "button", "button": {"payload": "OUT", "text": "Weekly"},
        "context": {"from": "12025550100", "id": "wamid.question"}});
    let told = hear(&app, &webhook(&[message("answer", NOON_S + 30, &tap)])).await;
    assert_eq!(effect(&told, "inbound", "opted_out"), 1, "{told}");
    assert_eq!(reasons(&app, "topic=orders").await, ["withdrawn"]);
    assert!(reasons(&app, "topic=promotions").await.is_empty());
}

#[tokio::test]
async fn a_status_finds_its_ticket_and_says_whether_the_person_is_there() {
    let app = start().await;
    app.opt_in(ANA, "orders").await;
    let ticket = sent(&app, "shipped", "en", "wamid.out-1").await;
    app.clock.advance_ms(60_000);
    let callback = json!({"biz_opaque_callback_data": ticket["biz_opaque_callback_data"]});
    let fault = json!({"errors": [{"code": 131_026, "title": "x"}]});
    let failed = status("wamid.out-2", "failed", NOON_S + 10, &fault);
    hear(&app, &failed).await;
    let contact = app.get(&format!("/v1/contacts/{ANA}")).expect(200).await;
    let unreachable = &contact["reachability"]["unreachable_since"];
    assert_eq!(unreachable, "2026-11-20T09:00:10Z");
    let told = hear(&app, &status("wamid.out-1", "delivered", NOON_S + 20, &callback)).await;
    assert_eq!(effect(&told, "status", "ticket_stepped"), 1, "{told}");
    let contact = app.get(&format!("/v1/contacts/{ANA}")).expect(200).await;
    assert_eq!(contact["reachability"]["unreachable_since"], Value::Null);
    assert_eq!(contact["reachability"]["last_reached_at"], "2026-11-20T09:00:20Z");
    // When it was sent is news however late it is told: it counts from then.
    let told = hear(&app, &status("wamid.out-1", "sent", NOON_S + 5, &callback)).await;
    assert_eq!(effect(&told, "status", "ticket_stepped"), 1, "{told}");
    for (id, word, at_s, more) in [
        ("wamid.out-2", "failed", NOON_S + 10, &fault),
        ("wamid.out-1", "delivered", NOON_S + 20, &callback),
        ("wamid.out-1", "sent", NOON_S + 5, &callback),
    ] {
        let told = hear(&app, &status(id, word, at_s, more)).await;
        assert_eq!(told["outcome"], "nothing_new", "{word}: {told}");
    }
}

#[tokio::test]
async fn an_error_about_the_person_holds_for_what_it_is_about() {
    let app = start().await;
    app.opt_in(ANA, "promotions").await;
    app.opt_in(ANA, "orders").await;
    app.clock.advance_ms(60_000);
    let failed = |id: &str, code: i64| {
        status(id, "failed", NOON_S + 30, &json!({"errors": [{"code": code, "title": "x"}]}))
    };
    hear(&app, &failed("wamid.a", 131_050)).await;
    assert_eq!(reasons(&app, "topic=promotions").await, ["marketing_stopped"]);
    assert!(reasons(&app, "topic=orders").await.is_empty());
    hear(&app, &failed("wamid.b", 137_000)).await;
    assert!(reasons(&app, "topic=orders").await.contains(&"identity_changed".to_owned()));
}

#[tokio::test]
async fn what_whatsapp_says_of_the_business_holds_until_it_or_the_business_says_otherwise() {
    let app = start().await;
    app.opt_in(ANA, "orders").await;
    app.clock.advance_ms(60_000);
    let template = json!({"topic": "orders", "category": "utility", "status": "APPROVED"});
    app.put("/v1/templates/order_update/id").json(&template).expect(201).await;
    app.clock.advance_ms(60_000);
    let later = |name: &str, seconds: i64| {
        let moment = (NOON_S + seconds).to_string();
        String::from_utf8(sample(name)).unwrap().replace(&NOON_S.to_string(), &moment).into_bytes()
    };
    let paused = later("message_template_status_update_paused", 100);
    let question = format!("template=order_update&sender={SENDER}");
    assert!(reasons(&app, &question).await.is_empty());
    let told = hear(&app, &paused).await;
    // The status, and the category that comes along.
    assert_eq!(effect(&told, "template_status", "template_reported"), 2, "{told}");
    assert_eq!(reasons(&app, &question).await, ["template_paused"]);
    let again = hear(&app, &paused).await;
    assert_eq!(again["outcome"], "nothing_new", "{again}");
    let shown = app.get("/v1/templates/order_update/id").expect(200).await;
    assert_eq!(shown["status"], "PAUSED", "{shown}");
    let in_account = json!({"900100200300401": {"category": "utility", "status": "PAUSED",
        "until": "2026-11-20T12:01:40Z"}});
    assert_eq!(shown["accounts"], in_account, "{shown}");
    // Another account's template of that name is another one.
    let approved = String::from_utf8(later("message_template_status_update_paused", 105)).unwrap();
    let approved = approved.replace("900100200300401", "900100200300402");
    let approved = approved.replace("\"PAUSED\"", "\"APPROVED\"").into_bytes();
    let told = hear(&app, &approved).await;
    assert_eq!(effect(&told, "template_status", "template_reported"), 2, "{told}");
    assert_eq!(reasons(&app, &question).await, ["template_paused"]);
    let shown = app.get("/v1/templates/order_update/id").expect(200).await;
    assert_eq!(shown["status"], "PAUSED", "{shown}");
    assert_eq!(shown["accounts"]["900100200300402"]["status"], "APPROVED", "{shown}");
    let put = app.put("/v1/templates/order_update/id").json(&template).expect(200).await;
    assert_eq!((&put["status"], &put["accounts"]), (&"APPROVED".into(), &Value::Null), "{put}");
    assert!(reasons(&app, &question).await.is_empty());
    let told = hear(&app, &later("account_update_disable", 110)).await;
    assert_eq!(effect(&told, "account_disabled", "account_held"), 1, "{told}");
    assert_eq!(reasons(&app, &question).await, ["account_restricted"]);
    let other = "template=order_update&sender=1001";
    assert_eq!(reasons(&app, other).await, ["account_restricted"], "its account is not known");
}

#[tokio::test]
async fn what_is_not_certain_is_decided_by_people() {
    let app = start().await;
    app.opt_in(ANA, "orders").await;
    app.clock.advance_ms(60_000);
    let doubt = text("doubt", NOON_S + 20, "please can you stop sending me these");
    let told = hear(&app, &doubt).await;
    assert_eq!(effect(&told, "inbound", "review_opened"), 1, "{told}");
    assert_eq!(hear(&app, &doubt).await["outcome"], "nothing_new");
    let open = reviews(&app).await;
    assert_eq!(open.len(), 1);
    assert_eq!(open[0]["happened_at"], "2026-11-20T09:00:20Z");
    assert_eq!(
        (&open[0]["message_id"], &open[0]["sender"]),
        (&"wamid.doubt".into(), &SENDER.into())
    );
    assert!(!open[0].to_string().contains("sending"), "what was written is not kept");
    let path = format!("/v1/reviews/{}", open[0]["id"]);
    let (reader, _) = app.key(&["reviews:read"]).await;
    let decision = json!({"decision": "opt_out", "note": "asked by phone"});
    app.post(&path).key(&reader).json(&decision).problem(403, "scope_missing").await;
    let without = json!({"decision": "opt_in"});
    app.post(&path).json(&without).problem(422, "body_invalid").await;
    let decide = || app.post(&path).header("idempotency-key", "decided").json(&decision);
    let decided = decide().expect(200).await;
    assert!(decided["effects"].as_array().unwrap().contains(&json!("opted_out")), "{decided}");
    let again = decide().send().await;
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(again.json(), decided);
    assert!(reviews(&app).await.is_empty());
    assert_eq!(reasons(&app, "topic=orders").await, ["withdrawn"]);
    let contact = app.get(&format!("/v1/contacts/{ANA}")).expect(200).await;
    assert_eq!(contact["opted_out_of_all_at"], "2026-11-20T09:00:20Z", "when it was written");
    app.post(&path).json(&decision).problem(404, "review_unknown").await;
}

#[tokio::test]
async fn every_sample_is_taken_and_a_second_time_changes_nothing() {
    let app = start().await;
    app.opt_in(ANA, "orders").await;
    app.wait_hours(24);
    let all = crate::whatsapp::samples::all();
    for (name, body) in &all {
        let told = hear(&app, body).await;
        assert_ne!(told["outcome"], "not_recorded", "{name}");
    }
    let after = last_seq(&app).await;
    for (name, body) in all.iter().rev() {
        let told = hear(&app, body).await;
        assert_eq!(told["outcome"], "nothing_new", "{name}: {told}");
    }
    assert_eq!(last_seq(&app).await, after);
    let log = app.get("/v1/webhooks/log?limit=1000").expect(200).await.to_string();
    for private in ["12025550123", "wamid", "US.9", "stop.", "Ana"] {
        assert!(!log.contains(private), "{private}");
    }
    let metrics = app.get("/metrics").send().await.text();
    assert!(metrics.contains("izin_webhook_facts_total{kind=\"inbound\"}"), "{metrics}");
    assert!(metrics.contains("izin_webhooks_total{outcome=\"not_recorded\"} 0"), "{metrics}");
}

#[tokio::test]
async fn a_full_webhook_is_taken_and_more_is_not() {
    let app = start().await;
    let many = |count: usize| {
        let each = |at: usize| {
            let text = json!({"type": "text", "text": {"body": "Halo"}});
            message(&format!("m-{at}"), NOON_S - 3_600 + i64::try_from(at).unwrap(), &text)
        };
        (0..count).map(each).collect::<Vec<_>>()
    };
    let told = hear(&app, &webhook(&many(1_000))).await;
    assert_eq!(told["facts"][0]["count"], 1_000, "{told}");
    let too_many = post_signed(&app, SECRET, &webhook(&many(1_001))).await;
    too_many.problem(413, "body_too_large");
    let mut padded = text("padded", NOON_S, "Halo");
    padded.resize(3 * 1024 * 1024, b' ');
    hear(&app, &padded).await;
    padded.push(b' ');
    post_signed(&app, SECRET, &padded).await.problem(413, "body_too_large");
    let log = app.get("/v1/webhooks/log?limit=1").expect(200).await;
    assert_eq!(log["data"][0]["outcome"], "too_large", "{log}");
    assert_eq!(log["data"][0]["signature"], "unchecked");
    for garbage in [&b""[..], b"null", b"[]", b"\xff\xfe", b"{\"entry\":", b"42"] {
        let reply = post_signed(&app, SECRET, garbage).await;
        reply.problem(400, "body_malformed");
    }
    for strange in
        [&b"{}"[..], b"{\"object\":\"page\",\"entry\":[1]}", b"{\"entry\":{\"changes\":7}}"]
    {
        assert_eq!(hear(&app, strange).await["outcome"], "nothing_new");
    }
}

#[tokio::test]
async fn the_log_keeps_the_last_ones_and_asks_for_its_scope() {
    let app = start().await;
    for at in 0..3 {
        hear(&app, &text(&format!("m-{at}"), NOON_S - at, "Halo")).await;
    }
    let (reader, _) = app.key(&["webhooks:read"]).await;
    let two = app.get("/v1/webhooks/log?limit=2").key(&reader).expect(200).await;
    assert_eq!(two["data"].as_array().unwrap().len(), 2, "{two}");
    assert_eq!(two["data"][0]["received_at"], "2026-11-20T09:00:00Z");
    app.get("/v1/webhooks/log?limit=1001").problem(400, "query_invalid").await;
}
