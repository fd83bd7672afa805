//! Webhooks without a time, about one number of several, from strangers, and about people who stay.

use std::{io::Write as _, net::TcpStream};

use serde_json::{Value, json};

use crate::{
    api::webhooks::{
        ANA, NOON_S, PATH, SECRET, SENDER, effect, hear, reasons, sample, signature, start,
    },
    app::TestApp,
};

fn update(field: &str, time: Option<i64>, value: &Value) -> Vec<u8> {
    let mut entry = json!({"id": "900100200300401", "changes": [{"field": field, "value": value}]});
    if let Some(time) = time {
        entry["time"] = time.into();
    }
    json!({"object": "whatsapp_business_account", "entry": [entry]}).to_string().into_bytes()
}

/// A service with a second sender whose number is another one.
async fn start_with_two() -> TestApp {
    let app = start().await;
    let other = json!({"portfolio": "p1", "number": "+12025550109", "status": "CONNECTED",
        "quality": "GREEN", "account": "900100200300401"});
    app.put("/v1/senders/1001").json(&other).expect(200).await;
    app.opt_in(ANA, "orders").await;
    app.clock.advance_ms(60_000);
    app
}

fn sending(sender: &str) -> String {
    format!("template=shipped&language=en&sender={sender}")
}

#[tokio::test]
async fn an_error_without_a_time_holds_once_and_ends_by_itself() {
    let app = start_with_two().await;
    let metadata = json!({"display_phone_number": "12025550100", "phone_number_id": SENDER});
    let locked = json!({"messaging_product": "whatsapp", "metadata": metadata,
        "errors": [{"code": 131_031, "title": "x"}]});
    for body in [sample("value_errors_130429"), update("messages", None, &locked)] {
        let told = hear(&app, &body).await;
        assert_eq!(told["outcome"], "recorded", "{told}");
        assert!(!reasons(&app, &sending(SENDER)).await.is_empty());
        app.wait_hours(2);
        assert!(reasons(&app, &sending(SENDER)).await.is_empty());
        assert_eq!(hear(&app, &body).await["outcome"], "nothing_new");
        assert!(reasons(&app, &sending(SENDER)).await.is_empty());
    }
}

#[tokio::test]
async fn a_restriction_of_one_number_holds_that_number() {
    let app = start_with_two().await;
    let value = json!({"event": "ACCOUNT_RESTRICTION", "phone_number": "12025550100",
        "restriction_info": [{"restriction_type": "RESTRICTED_BIZ_INITIATED_MESSAGING",
            "expiration": NOON_S + 7_200}]});
    let told = hear(&app, &update("account_update", Some(NOON_S + 10), &value)).await;
    assert_eq!(effect(&told, "account_restriction", "sender_halted"), 1, "{told}");
    assert_eq!(reasons(&app, &sending(SENDER)).await, ["sender_halted"]);
    assert!(reasons(&app, &sending("1001")).await.is_empty());
    app.wait_hours(3);
    assert!(reasons(&app, &sending(SENDER)).await.is_empty());
}

#[tokio::test]
async fn a_restriction_of_a_number_of_two_accounts_holds_the_one_of_its_account() {
    let app = start_with_two().await;
    let put = |account: &'static str| {
        json!({"portfolio": "p1", "number": "+12025550131", "status": "CONNECTED",
            "quality": "GREEN", "account": account})
    };
    // The other account's comes first by its id.
    for (id, account) in [("731", "900100200300402"), ("732", "900100200300401")] {
        app.put(&format!("/v1/senders/{id}")).json(&put(account)).expect(201).await;
    }
    let value = json!({"event": "ACCOUNT_RESTRICTION", "phone_number": "12025550131",
        "restriction_info": [{"restriction_type": "RESTRICTED_BIZ_INITIATED_MESSAGING",
            "expiration": NOON_S + 7_200}]});
    let told = hear(&app, &update("account_update", Some(NOON_S + 100), &value)).await;
    assert_eq!(effect(&told, "account_restriction", "sender_halted"), 1, "{told}");
    assert_eq!(effect(&told, "account_restriction", "sender_learned"), 0, "{told}");
    assert!(reasons(&app, &sending("731")).await.is_empty());
    assert_eq!(reasons(&app, &sending("732")).await, ["sender_halted"]);
    let account = app.get("/v1/senders/731").expect(200).await["account"].clone();
    assert_eq!(account, "900100200300402");
}

#[tokio::test]
async fn a_restriction_of_a_number_says_nothing_of_the_account_its_sender_belongs_to() {
    let app = start_with_two().await;
    let other = json!({"portfolio": "p1", "number": "+12025550131", "status": "CONNECTED",
        "quality": "GREEN", "account": "900100200300402"});
    app.put("/v1/senders/731").json(&other).expect(201).await;
    let value = json!({"event": "ACCOUNT_RESTRICTION", "phone_number": "12025550131",
        "restriction_info": [{"restriction_type": "RESTRICTED_BIZ_INITIATED_MESSAGING"}]});
    let told = hear(&app, &update("account_update", Some(NOON_S + 100), &value)).await;
    assert_eq!(effect(&told, "account_restriction", "sender_learned"), 0, "{told}");
    assert_eq!(reasons(&app, &sending("731")).await, ["sender_halted"]);
    let account = app.get("/v1/senders/731").expect(200).await["account"].clone();
    assert_eq!(account, "900100200300402");
}

/// Something about the template of the tests.
fn about_shipped(field: &str, time: Option<i64>, more: &Value) -> Vec<u8> {
    let mut value = json!({"message_template_id": 1, "message_template_name": "shipped",
        "message_template_language": "en"});
    value.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    update(field, time, &value)
}

#[tokio::test]
async fn the_category_in_a_status_of_a_template_counts_and_without_a_time_only_as_marketing() {
    let field = "message_template_status_update";
    for (event, time, category, stands) in [
        ("APPROVED", Some(NOON_S + 55), "MARKETING", &["never_asked"][..]),
        ("APPROVED", None, "MARKETING", &["never_asked"]),
        ("FLAGGED", Some(NOON_S + 55), "MARKETING", &["never_asked"]),
        ("PAUSED", None, "MARKETING", &["never_asked", "template_paused"]),
        ("APPROVED", None, "UTILITY", &[]),
        ("FLAGGED", None, "UTILITY", &[]),
    ] {
        let app = start_with_two().await;
        let told = json!({"event": event, "message_template_category": category});
        hear(&app, &about_shipped(field, time, &told)).await;
        assert_eq!(reasons(&app, &sending(SENDER)).await, stands, "{event} {time:?} {category}");
        // What has no time takes nothing back that was said of it.
        let untimed = json!({"event": "PENDING", "message_template_category": "UTILITY"});
        hear(&app, &about_shipped(field, None, &untimed)).await;
        let still = reasons(&app, &sending(SENDER)).await;
        assert_eq!(still.contains(&"never_asked".to_owned()), category == "MARKETING");
    }
}

#[tokio::test]
async fn a_ticket_whose_template_is_stopped_says_so() {
    let app = start_with_two().await;
    let body = json!({"number": ANA, "kind": "template", "template": "shipped", "language": "en",
        "sender": SENDER, "ttl_s": 80_000});
    let disabled = json!({"event": "DISABLED"});
    let turned = json!({"previous_category": "UTILITY", "new_category": "MARKETING"});
    for (field, more) in
        [("template_category_update", turned), ("message_template_status_update", disabled)]
    {
        let ticket = app.post("/v1/sends").json(&body).expect(201).await;
        app.clock.advance_ms(60_000);
        let now_s = NOON_S + 60 * if field.starts_with("template") { 2 } else { 4 };
        let told = hear(&app, &about_shipped(field, Some(now_s), &more)).await;
        assert_eq!(told["outcome"], "recorded", "{told}");
        let path = format!("/v1/sends/{}/commit", ticket["id"].as_str().unwrap());
        let message_id = format!("wamid.{field}");
        let commit = app.post(&path).json(&json!({"message_id": message_id}));
        let problem = commit.problem(409, "ticket_voided").await;
        assert_eq!(problem["cause"], "template_stopped", "{problem}");
        app.clock.advance_ms(60_000);
        let put = json!({"topic": "orders", "category": "utility", "status": "APPROVED"});
        app.put("/v1/templates/shipped/en").json(&put).expect(200).await;
    }
}

#[tokio::test]
async fn another_user_id_on_the_same_number_is_no_change_of_number() {
    let app = start().await;
    app.opt_in(ANA, "orders").await;
    app.clock.advance_ms(60_000);
    let change = json!({"wa_id": "12025550123", "timestamp": (NOON_S + 20).to_string(),
        "user_id": {"previous": "US.1", "current": "US.2"}});
    let value = json!({"messaging_product": "whatsapp", "user_id_update": [change]});
    let told = hear(&app, &update("user_id_update", None, &value)).await;
    assert_eq!(effect(&told, "user_id_changed", "number_moved"), 0, "{told}");
    assert!(reasons(&app, "topic=orders").await.is_empty());
    for system in [
        json!({"type": "user_changed_number", "wa_id": "12025550123", "body": "x"}),
        json!({"type": "user_changed_number", "wa_id": "12025550123", "body": "x",
            "previous_user_id": "US.1", "user_id": "US.2"}),
    ] {
        let message = json!({"from": "12025550123", "id": "wamid.s", "type": "system",
            "timestamp": (NOON_S + 30).to_string(), "system": system});
        let value = json!({"messaging_product": "whatsapp", "messages": [message]});
        let told = hear(&app, &update("messages", None, &value)).await;
        assert_eq!(effect(&told, "number_changed", "number_moved"), 0, "{told}");
        assert!(reasons(&app, "topic=orders").await.is_empty());
    }
}

/// Returns what a gauge stands at.
async fn gauge(app: &TestApp, name: &str) -> usize {
    let page = app.get("/metrics").send().await.text();
    let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap().parse().unwrap()
}

#[tokio::test]
async fn strangers_take_no_room_from_those_who_have_a_key() {
    const SENT: usize = 2_000_000;
    let app = start().await;
    let head = |signature: &str| {
        format!(
            "POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
             X-Hub-Signature-256: {signature}\r\nContent-Length: 3000000\r\n\r\n"
        )
    };
    let forged = signature("another-app-secret", b"");
    let mut stranger = TcpStream::connect(app.addr()).unwrap();
    stranger.write_all(head(&forged).as_bytes()).unwrap();
    stranger.write_all(&vec![b' '; SENT]).unwrap();
    while gauge(&app, "izin_webhook_bytes_held").await < SENT {}
    assert_eq!(gauge(&app, "izin_body_bytes_held").await, 0);
    drop(stranger);
    while gauge(&app, "izin_webhook_bytes_held").await > 0 {}
    let log = app.get("/v1/webhooks/log?limit=1").expect(200).await;
    assert_eq!(log["data"][0]["outcome"], "unread", "{log}");
    for malformed in
        ["sha256=", "sha1=00", forged.get(1..).unwrap(), &format!("{forged}0"), "sha256=zz"]
    {
        let call = app.post(PATH).anonymous().header("x-hub-signature-256", malformed);
        call.body("application/json", b"{".to_vec()).problem(401, "signature_invalid").await;
    }
    let good = signature(SECRET, b"{}");
    let call = app.post(PATH).anonymous().header("x-hub-signature-256", &good);
    assert_eq!(call.body("application/json", b"{}".to_vec()).send().await.status, 200);
}

#[tokio::test]
async fn a_call_the_person_makes_opens_the_window_by_its_own_time_and_ours_does_not() {
    let app = start().await;
    app.opt_in(ANA, "orders").await;
    app.clock.advance_ms(60_000);
    let session = format!("kind=session&sender={SENDER}");
    for ours in ["calls_business_initiated", "calls_without_direction", "calls_status_of_ours"] {
        let told = hear(&app, &sample(&format!("written/{ours}"))).await;
        assert_eq!(told["outcome"], "nothing_new", "{ours}: {told}");
    }
    assert_eq!(reasons(&app, &session).await, ["session_window_closed"]);
    let told = hear(&app, &sample("written/calls_user_initiated")).await;
    assert_eq!(effect(&told, "inbound", "traffic_seen"), 2, "{told}");
    assert!(reasons(&app, &session).await.is_empty());
    let again = hear(&app, &sample("written/calls_user_initiated")).await;
    assert_eq!(again["outcome"], "nothing_new", "{again}");
    // The call ended a minute after noon, the service started at noon.
    app.wait_hours(24);
    assert_eq!(reasons(&app, &session).await, ["session_window_closed"]);
}

/// Returns by which of these the person of the samples may be sent what the template says, and
/// whether their consent is shown as suspended there.
async fn by_each(app: &TestApp, user: &str) -> Vec<(Vec<String>, u16, bool)> {
    let mut found = Vec::new();
    for (member, value, reference) in
        [("number", ANA, ANA.to_owned()), ("user_id", user, format!("user:{user}"))]
    {
        let path = format!("/v1/eligibility?{member}={value}&template=shipped&language=en");
        let decision = app.get(&path).expect(200).await;
        let codes = decision["reasons"].as_array().unwrap().iter();
        let codes = codes.map(|reason| reason["code"].as_str().unwrap().to_owned()).collect();
        let body = json!({member: value, "kind": "template", "template": "shipped",
            "language": "en", "sender": SENDER});
        let reply = app.post("/v1/sends").json(&body).send().await;
        let shown = app.get(&format!("/v1/contacts/{reference}")).expect(200).await;
        let is_suspended = shown["consents"][0]["suspended"].as_bool().unwrap();
        found.push((codes, reply.status.as_u16(), is_suspended));
    }
    found
}

#[tokio::test]
async fn a_number_that_was_given_up_is_not_lifted_by_who_agrees_under_the_user_id_alone() {
    const USER: &str = "US.90000000000000000123";
    let app = start().await;
    app.clock.advance_ms(60_000);
    let body = json!({"number": ANA, "user_id": USER, "topics": ["orders"],
        "source": {"type": "web_form"}});
    app.post("/v1/opt-ins").json(&body).expect(201).await;
    let refused = || (vec!["number_changed".to_owned()], 409, true);
    let good = || (Vec::new(), 201, false);
    assert_eq!(by_each(&app, USER).await, [good(), good()]);
    app.clock.advance_ms(60_000);
    let message = json!({"from": "12025550123", "id": "wamid.s", "type": "system",
        "timestamp": (NOON_S + 90).to_string(),
        "system": {"type": "user_changed_number", "wa_id": "12025550124", "body": "x"}});
    let value = json!({"messaging_product": "whatsapp", "messages": [message]});
    let told = hear(&app, &update("messages", None, &value)).await;
    assert_eq!(effect(&told, "number_changed", "number_moved"), 1, "{told}");
    assert_eq!(by_each(&app, USER).await, [refused(), refused()]);
    let body = json!({"user_id": USER, "topics": ["orders"], "source": {"type": "web_form"}});
    app.post("/v1/opt-ins").json(&body).expect(201).await;
    assert_eq!(by_each(&app, USER).await, [refused(), good()]);
    app.clock.advance_ms(1_000);
    app.opt_in(ANA, "orders").await;
    assert_eq!(by_each(&app, USER).await, [good(), refused()]);
}
