//! What messages say about consent, where it is easily taken for more or for less.

use serde_json::{Value, json};

use crate::{
    api::webhooks::{
        ANA, NOON_S, SECRET, effect, hear, message, reasons, reviews, sent, start, text, webhook,
    },
    app::TestApp,
    words::{GLUED, LOOK_ALIKES, SPELT_OUT, STYLED},
};

/// A service on which a code agrees to orders.
async fn start_with_code() -> TestApp {
    let app = start().await;
    let entry = json!({"name": "Counter", "topics": ["orders"], "code": "K7WX2M0A"});
    app.put("/v1/entry-points/counter").json(&entry).expect(201).await;
    app
}

async fn last_review(app: &TestApp) -> Value {
    reviews(app).await.pop().unwrap_or_default()
}

fn tap(id: &str, label: &str) -> Vec<u8> {
    let button = json!({"type": "button", "button": {"payload": label, "text": label}});
    webhook(&[message(id, NOON_S + 30, &button)])
}

fn row(id: &str, label: &str) -> Vec<u8> {
    let list = json!({"type": "list_reply", "list_reply": {"id": "row-1", "title": label}});
    let list = json!({"type": "interactive", "interactive": list});
    webhook(&[message(id, NOON_S + 30, &list)])
}

#[tokio::test]
async fn a_refusal_beside_a_code_is_no_agreement() {
    let app = start_with_code().await;
    for (at, refusal) in [
        "BAJA K7WX2M0A",
        "SAIR K7WX2M0A",
        "END k7wx2m0a",
        "หยุด K7WX2M0A",
        "停 K7WX2M0A",
        "No K7WX2M0A",
        "I do NOT want news (K7WX2M0A)",
        "No quiero noticias K7WX2M0A",
    ]
    .into_iter()
    .enumerate()
    {
        let told = hear(&app, &text(&format!("no-{at}"), NOON_S, refusal)).await;
        assert_eq!(effect(&told, "inbound", "opted_in"), 0, "{refusal}: {told}");
        assert_eq!(effect(&told, "inbound", "review_opened"), 1, "{refusal}: {told}");
        assert_eq!(last_review(&app).await["why"], "code_and_refusal", "{refusal}");
    }
    assert_eq!(reasons(&app, "topic=orders").await, ["never_asked"]);
    let link = "Hi! My name is Ana and I would like news on WhatsApp. Code: (k7wx2moa)";
    let told = hear(&app, &text("yes", NOON_S, link)).await;
    assert_eq!(effect(&told, "inbound", "opted_in"), 1, "{told}");
    let history = app.get(&format!("/v1/contacts/{ANA}/history")).expect(200).await.to_string();
    assert!(history.contains(r#""text":"k7wx2moa""#), "{history}");
    assert!(!history.contains("My name"), "only the code is evidence: {history}");
}

#[tokio::test]
async fn a_refusal_beside_a_code_is_one_however_it_is_written() {
    let app = start_with_code().await;
    let mut agreed = Vec::new();
    let refusals = GLUED.iter().chain(LOOK_ALIKES).chain(SPELT_OUT).chain(STYLED);
    let refusals = refusals.chain(&["K7WX2M0A", "dontありがとう", "ありがとうNO"]);
    for (at, refusal) in refusals.enumerate() {
        for (side, words) in
            [format!("K7WX2M0A {refusal}"), format!("{refusal} K7WX2M0A")].into_iter().enumerate()
        {
            let told = hear(&app, &text(&format!("no-{at}-{side}"), NOON_S, &words)).await;
            if effect(&told, "inbound", "opted_in") > 0 {
                agreed.push(*refusal);
            }
        }
    }
    assert_eq!(agreed, ["K7WX2M0A"], "only the code alone agrees");
}

#[tokio::test]
async fn a_code_is_known_whatever_its_width_and_whatever_invisible_is_in_it() {
    let app = start_with_code().await;
    let wide: String =
        "K7WX2M0A".chars().filter_map(|c| char::from_u32(u32::from(c) + 0xFEE0)).collect();
    for (at, code) in [
        "\u{200B}K7WX2M0A\u{200B}",
        "K7W\u{200B}X2M0A",
        "\u{202A}k7wx2m0a\u{202C}",
        "K7WX\u{AD}2M0A",
        wide.as_str(),
    ]
    .into_iter()
    .enumerate()
    {
        let told = hear(&app, &text(&format!("no-{at}"), NOON_S, &format!("BAJA {code}"))).await;
        assert_eq!(effect(&told, "inbound", "opted_in"), 0, "{code:?}: {told}");
        assert_eq!(last_review(&app).await["why"], "code_and_refusal", "{code:?}");
        let at_s = NOON_S - 100 + i64::try_from(at).unwrap();
        let told = hear(&app, &text(&format!("yes-{at}"), at_s, &format!("Hi {code}!"))).await;
        assert_eq!(effect(&told, "inbound", "opted_in"), 1, "{code:?}: {told}");
    }
    for other in ["K7WX2M 0A", "K7WX\u{200B} 2M0A", "K7WXэ2M0A"] {
        let told = hear(&app, &text(&format!("not {other}"), NOON_S, other)).await;
        assert_eq!(effect(&told, "inbound", "opted_in"), 0, "{other:?}: {told}");
    }
}

#[tokio::test]
async fn a_word_is_not_taken_for_a_code() {
    let app = start().await;
    for word in ["DISKON", "FOLLOW", "COFFEE", "SIGNIN", "LOYALTY", "D1SK0N"] {
        let entry = json!({"name": "Counter", "topics": ["orders"], "code": word});
        app.put("/v1/entry-points/counter").json(&entry).problem(422, "body_invalid").await;
    }
}

#[tokio::test]
async fn a_button_nobody_registered_stops_by_plain_words_alone_and_agrees_to_nothing() {
    let app = start().await;
    app.opt_in(ANA, "orders").await;
    let asked = json!({"number": ANA, "topics": ["promotions"], "source": {"type": "web_form"},
        "double_opt_in": true});
    app.post("/v1/opt-ins").json(&asked).expect(201).await;
    app.clock.advance_ms(60_000);
    let labels =
        ["Cancel", "Confirm", "Yes", "Salir", "Sair", "Batal", "İptal", "取消", "Stops", "shop"];
    for (at, label) in labels.into_iter().enumerate() {
        for body in [tap(&format!("b-{at}"), label), row(&format!("r-{at}"), label)] {
            let told = hear(&app, &body).await;
            for act in ["opted_out", "opted_in"] {
                assert_eq!(effect(&told, "inbound", act), 0, "{label}: {told}");
            }
            let is_word = ["Cancel", "Salir", "Sair", "Batal", "İptal"].contains(&label);
            let opened = effect(&told, "inbound", "review_opened");
            assert_eq!(opened, u64::from(is_word), "{label}: {told}");
        }
    }
    assert_eq!(last_review(&app).await["why"], "unregistered");
    assert_eq!(reasons(&app, "topic=promotions").await, ["pending"]);
    assert!(reasons(&app, "topic=orders").await.is_empty());
    let told = hear(&app, &row("stop", "Berhenti langganan")).await;
    assert_eq!(effect(&told, "inbound", "opted_out"), 1, "{told}");
}

/// Labels of buttons that say more than an opt-out word.
const LABELS: &[&str] = &[
    "Unsubscribe from Promos",
    "Unsubscribe from All",
    "Stop these messages",
    "Stop receiving messages",
    "Opt out of offers",
    "Yes, unsubscribe",
    "退订所有消息",
    "配信を停止する",
    "수신거부하기",
    "Tüm mesajları durdur",
    "Ya, berhenti langganan",
    "Отписаться от всех рассылок",
    "ЅТОР",
    "STOPする",
];

#[tokio::test]
async fn a_button_that_may_say_stop_is_looked_at_as_if_it_were_typed() {
    let app = start().await;
    app.opt_in(ANA, "orders").await;
    app.clock.advance_ms(60_000);
    let mut silent = Vec::new();
    for (at, label) in LABELS.iter().enumerate() {
        for (kind, body) in [
            ("tap", tap(&format!("b-{at}"), label)),
            ("row", row(&format!("r-{at}"), label)),
            ("typed", text(&format!("t-{at}"), NOON_S + 30, label)),
        ] {
            let told = hear(&app, &body).await;
            assert_eq!(effect(&told, "inbound", "opted_in"), 0, "{label}: {told}");
            let seen = ["review_opened", "review_repeated", "opted_out"];
            if seen.iter().all(|seen| effect(&told, "inbound", seen) == 0) {
                silent.push(format!("{kind}: {label}"));
            }
        }
        for review in reviews(&app).await {
            let decision = json!({"decision": "nothing"});
            app.post(&format!("/v1/reviews/{}", review["id"])).json(&decision).expect(200).await;
        }
    }
    assert!(silent.is_empty(), "{silent:#?}");
    // What may only be a yes, is a letter away or has no one meaning stays talk on a button.
    for label in ["Subscribe?", "取消", "Shop now", "Yes please"] {
        let told = hear(&app, &tap(label, label)).await;
        assert_eq!(effect(&told, "inbound", "review_opened"), 0, "{label}: {told}");
    }
    let button = json!({"type": "button", "button": {"payload": "STOP", "text": "Stop all of it"}});
    let told = hear(&app, &webhook(&[message("sure", NOON_S + 30, &button)])).await;
    assert_eq!(effect(&told, "inbound", "opted_out"), 1, "the payload is certain: {told}");
}

#[tokio::test]
async fn a_registered_button_whose_label_refuses_agrees_to_nothing() {
    let app = start().await;
    let body = json!({"topic": "promotions", "category": "marketing", "status": "APPROVED",
        "answers": {"OK-2": {"act": "opt_in", "topics": ["promotions"]}}});
    app.put("/v1/templates/sale/en").json(&body).expect(201).await;
    let tap = |id: &str, label: Value, at_s: i64| {
        let button = json!({"type": "button", "button": {"payload": "OK-2", "text": label}});
        webhook(&[message(id, at_s, &button)])
    };
    for label in
        ["STOP", "Stop these messages", "No thanks", "I don't want this", "いりません STOPして"]
    {
        let told = hear(&app, &tap(label, label.into(), NOON_S + 30)).await;
        assert_eq!(effect(&told, "inbound", "opted_in"), 0, "{label}: {told}");
        assert_eq!(effect(&told, "inbound", "review_opened"), 1, "{label}: {told}");
        assert_eq!(last_review(&app).await["why"], "payload_and_refusal", "{label}");
    }
    let stop = reviews(&app).await.into_iter().find(|review| review["word"] == "stop").unwrap();
    assert_eq!(stop["scope"], "everything");
    assert_eq!(reasons(&app, "topic=promotions").await, ["never_asked"]);
    app.clock.advance_ms(60_000);
    for (at_s, label) in [(40, json!("Yes, please")), (41, json!("OK")), (42, Value::Null)] {
        let told = hear(&app, &tap(&format!("yes {label}"), label, NOON_S + at_s)).await;
        assert_eq!(effect(&told, "inbound", "opted_in"), 1, "{told}");
    }
}

#[tokio::test]
async fn a_stop_in_a_group_or_put_in_place_of_other_words_is_looked_at() {
    let app = start().await;
    app.opt_in(ANA, "orders").await;
    app.clock.advance_ms(60_000);
    let words = json!({"type": "text", "text": {"body": "STOP"}});
    let mut grouped = words.clone();
    grouped["group_id"] = "group-1".into();
    let told = hear(&app, &webhook(&[message("group", NOON_S + 20, &grouped)])).await;
    assert_eq!(effect(&told, "inbound", "review_opened"), 1, "{told}");
    assert_eq!(last_review(&app).await["why"], "in_group");
    let yes = json!({"type": "text", "text": {"body": "START"}, "group_id": "group-1"});
    let told = hear(&app, &webhook(&[message("group-2", NOON_S + 20, &yes)])).await;
    assert_eq!(effect(&told, "inbound", "review_opened"), 0, "{told}");
    let edit = json!({"type": "edit",
        "edit": {"original_message_id": "wamid.before", "message": words}});
    let told = hear(&app, &webhook(&[message("edit", NOON_S + 40, &edit)])).await;
    assert_eq!(effect(&told, "inbound", "review_opened"), 1, "{told}");
    let review = last_review(&app).await;
    assert_eq!((&review["why"], &review["word"]), (&"edited".into(), &"stop".into()));
    assert!(reasons(&app, "topic=orders").await.is_empty());
}

#[tokio::test]
async fn a_word_of_one_language_is_a_doubt_where_another_is_spoken() {
    let app = start().await;
    let from_indonesia = json!({"from": "6289012345678", "from_user_id": "ID.1", "type": "text",
        "text": {"body": "baja"}});
    let told = hear(&app, &webhook(&[message("steel", NOON_S, &from_indonesia)])).await;
    assert_eq!(effect(&told, "inbound", "review_opened"), 1, "{told}");
    assert_eq!(effect(&told, "inbound", "opted_out"), 0, "{told}");
    let told = hear(&app, &text("baja", NOON_S, "Baja")).await;
    assert_eq!(effect(&told, "inbound", "opted_out"), 1, "{told}");
}

#[tokio::test]
async fn a_review_says_what_was_ambiguous() {
    let app = start_with_code().await;
    let door = json!({"name": "Door", "topics": ["orders"], "code": "D7WX2M0B"});
    app.put("/v1/entry-points/door").json(&door).expect(201).await;
    hear(&app, &text("two", NOON_S, "K7WX2M0A D7WX2M0B")).await;
    let review = last_review(&app).await;
    assert_eq!(
        (&review["why"], &review["word"]),
        (&"codes_ambiguous".into(), &"counter door".into())
    );
    assert_eq!(review["message_id"], "wamid.two");
    for (language, act) in [("en", "opt_in"), ("id", "opt_out")] {
        let body = json!({"topic": "promotions", "category": "marketing", "status": "APPROVED",
            "answers": {"OUT-7": {"act": act, "topics": ["orders"]}}});
        app.put(&format!("/v1/templates/sale/{language}")).json(&body).expect(201).await;
    }
    hear(&app, &tap("tap", "OUT-7")).await;
    let review = last_review(&app).await;
    assert_eq!((&review["why"], &review["word"]), (&"payload_ambiguous".into(), &"OUT-7".into()));
    assert_eq!(review["scope"], "everything", "it may be a stop");
}

#[tokio::test]
async fn a_tap_below_one_template_is_no_agreement_to_what_another_registered() {
    let app = start().await;
    app.opt_in(ANA, "orders").await;
    let plain = json!({"topic": "orders", "category": "utility", "status": "APPROVED"});
    app.put("/v1/templates/visit/en").json(&plain).expect(201).await;
    let registered = json!({"topic": "promotions", "category": "marketing", "status": "APPROVED",
        "answers": {"Y-1": {"act": "opt_in", "topics": ["promotions"]},
            "N-1": {"act": "opt_out", "topics": ["orders"]}}});
    app.put("/v1/templates/sale/en").json(&registered).expect(201).await;
    sent(&app, "visit", "en", "wamid.question").await;
    app.clock.advance_ms(60_000);
    let mut tapped = Vec::new();
    for payload in ["Y-1", "N-1"] {
        let tap = json!({"type": "button", "button": {"payload": payload, "text": "Weekly"},
            "context": {"from": "12025550100", "id": "wamid.question"}});
        let told = hear(&app, &webhook(&[message(payload, NOON_S + 30, &tap)])).await;
        tapped.push(["opted_in", "opted_out"].map(|act| effect(&told, "inbound", act)));
    }
    assert_eq!(tapped, [[0, 0], [0, 1]], "a stop counts wherever it is tapped");
    assert_eq!(reasons(&app, "topic=promotions").await, ["never_asked"]);
}

#[tokio::test]
async fn a_tap_is_understood_by_the_status_that_comes_with_it() {
    let app = start().await;
    app.opt_in(ANA, "promotions").await;
    app.opt_in(ANA, "orders").await;
    for (language, topic) in [("en", "promotions"), ("id", "orders")] {
        let body = json!({"topic": "promotions", "category": "marketing", "status": "APPROVED",
            "answers": {"OUT": {"act": "opt_out", "topics": [topic]}}});
        app.put(&format!("/v1/templates/sale/{language}")).json(&body).expect(201).await;
    }
    let ticket = sent(&app, "sale", "id", "").await;
    app.clock.advance_ms(60_000);
    let tap = json!({"type": "button", "button": {"payload": "OUT", "text": "Weekly"},
        "context": {"from": "12025550100", "id": "wamid.question"}});
    let tapped = webhook(&[message("answer", NOON_S + 30, &tap)]);
    let mut both: Value = serde_json::from_slice(&tapped).unwrap();
    both["entry"][0]["changes"][0]["value"]["statuses"] = json!([{"id": "wamid.question",
        "status": "sent", "timestamp": (NOON_S + 10).to_string(), "recipient_id": "12025550123",
        "biz_opaque_callback_data": ticket["biz_opaque_callback_data"]}]);
    let told = hear(&app, both.to_string().as_bytes()).await;
    assert_eq!(effect(&told, "status", "ticket_committed"), 1, "{told}");
    assert_eq!(effect(&told, "inbound", "opted_out"), 1, "{told}");
    assert_eq!(reasons(&app, "topic=orders").await, ["withdrawn"]);
    assert!(!reasons(&app, "topic=promotions").await.contains(&"withdrawn".to_owned()));
}

#[tokio::test]
async fn an_operator_adds_and_removes_words() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("words.toml");
    let changes = "remove = ['stop it']\n[[add]]\nword = 'T'\nmeans = 'opt_out_everything'\n\
        language = 'zh'\ninside = 'nowhere'\n";
    std::fs::write(&file, changes).unwrap();
    let file = file.display().to_string();
    let settings = [("IZIN_WHATSAPP_APP_SECRET", SECRET), ("IZIN_WORDS__FILE", &file)];
    let app = TestApp::with_registry_and(&settings).await;
    let told = hear(&app, &text("removed", NOON_S, "Stop it")).await;
    assert_eq!(effect(&told, "inbound", "opted_out"), 0, "{told}");
    let told = hear(&app, &text("added", NOON_S, "t")).await;
    assert_eq!(effect(&told, "inbound", "opted_out"), 1, "{told}");
}
