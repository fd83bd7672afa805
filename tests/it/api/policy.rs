//! `/v1/policy`: packs that are switched on count, say so, and can be tried before.

use serde_json::{Value, json};

use crate::app::TestApp;

const US: &str = "+12025550144";

/// Somebody in the United States who agreed to marketing.
async fn agreed() -> TestApp {
    let app = TestApp::with_registry().await;
    app.opt_in(US, "promotions").await;
    app
}

#[tokio::test]
async fn a_pack_counts_once_it_is_put_and_each_refusal_names_its_rule() {
    let app = agreed().await;
    let before = app.get("/v1/policy").expect(200).await;
    assert_eq!((before["rules"].as_array().unwrap().len(), &before["seq"]), (0, &json!(null)));
    assert!(before["packs"].as_array().unwrap().iter().all(|pack| pack["on"] == false));
    assert_eq!(app.ask(US, "promotions").await["eligible"], true);
    let whatsapp = json!({"packs": {"whatsapp": {"on": true}}});
    let tried = app.post("/v1/policy/simulate").json(&whatsapp).expect(200).await;
    assert_eq!(tried["contacts_affected"], 1, "{tried}");
    let topics = tried["topics"].as_array().unwrap();
    let promotions = topics.iter().find(|topic| topic["topic"] == "promotions").unwrap();
    assert_eq!(promotions["newly_refused"], 1);
    assert_eq!(promotions["by_reason"]["country_blocked"], 1);
    assert_eq!(app.ask(US, "promotions").await["eligible"], true, "trying changes nothing");
    let put = app.put("/v1/policy").json(&whatsapp).expect(200).await;
    assert!(put["receipt"]["seq"].is_u64(), "a change is an entry: {put}");
    let decision = app.ask(US, "promotions").await;
    let reason = &decision["reasons"][0];
    assert_eq!(reason["code"], "country_blocked");
    assert_eq!(reason["rules"], json!(["whatsapp@1/us-marketing-pause"]));
    assert_eq!(app.ask(US, "orders").await["reasons"][0]["code"], "never_asked");
    let again = app.put("/v1/policy").json(&whatsapp).expect(200).await;
    assert_eq!(again.get("receipt"), None, "the same again changes nothing");
}

#[tokio::test]
async fn a_policy_survives_a_restart() {
    let mut app = agreed().await;
    let whatsapp = json!({"packs": {"whatsapp": {"on": true}}});
    let put = app.put("/v1/policy").json(&whatsapp).expect(200).await;
    app.restart();
    let kept = app.get("/v1/policy").expect(200).await;
    assert_eq!((&kept["rules"], &kept["seq"]), (&put["rules"], &put["seq"]));
    assert_eq!(app.ask(US, "promotions").await["eligible"], false);
}

#[tokio::test]
async fn a_policy_that_names_what_there_is_not_is_refused_whole() {
    let app = agreed().await;
    for wrong in [
        json!({"packs": {"nowhere": {"on": true}}}),
        json!({"packs": {"us": {"on": true, "version": 99}}}),
        json!({"off": [{"pack": "us", "rule": "none", "reason": "x"}]}),
        json!({"settings": {"yellow_marketing_percent": 101}}),
        json!({"settings": {"nights": true}}),
    ] {
        app.put("/v1/policy").json(&wrong).problem(422, "body_invalid").await;
        app.post("/v1/policy/simulate").json(&wrong).problem(422, "body_invalid").await;
    }
    assert_eq!(app.get("/v1/policy").expect(200).await["seq"], json!(null));
}

#[tokio::test]
async fn a_preview_adds_up_and_plans_under_the_limit() {
    let app = agreed().await;
    for number in ["+12025550145", "+12025550146", "+12025550147", "+12025550148"] {
        app.opt_in(number, "orders").await;
    }
    let recipients = ["+12025550145", "+12025550146", "+12025550147", "+12025550148", US, "hello"];
    let question = json!({"template": "shipped", "sender": "1001"});
    let mut body = question.clone();
    body["recipients"] = json!(recipients);
    let preview = app.post("/v1/eligibility/preview").json(&body).expect(200).await;
    assert_eq!(preview["totals"]["eligible"], 4, "{preview}");
    assert_eq!(preview["totals"]["refused"], 2);
    assert_eq!(preview["totals"]["by_reason"], json!({"invalid_number": 1, "never_asked": 1}));
    let days = preview["plan"]["days"].as_array().unwrap();
    let planned: Vec<_> = days.iter().map(|day| day["recipients"].as_u64().unwrap()).collect();
    assert_eq!(planned, [4]);
    let mut by_topic = question.clone();
    by_topic["audience"] = json!({"topic": "orders"});
    let audience = app.post("/v1/eligibility/preview").json(&by_topic).expect(200).await;
    assert_eq!((&audience["totals"]["eligible"], &audience["plan"]), (&json!(4), &preview["plan"]));
    let lines = recipients.map(|number| format!("\"{number}\"")).join("\n");
    let stream = format!("{question}\n{lines}\nbroken\n");
    let call = app.post("/v1/eligibility/preview").body("application/x-ndjson", stream);
    let streamed = call.expect(200).await;
    assert_eq!(streamed["totals"]["by_reason"]["unreadable_line"], 1, "{streamed}");
    assert_eq!(streamed["plan"], preview["plan"]);
    let both = format!("{by_topic}\n{lines}\n");
    let call = app.post("/v1/eligibility/preview").body("application/x-ndjson", both);
    call.problem(422, "body_invalid").await;
    app.post("/v1/eligibility/preview").json(&question).problem(422, "body_invalid").await;
}

#[tokio::test]
async fn a_preview_counts_each_person_once_by_whatever_spelling() {
    let app = agreed().await;
    app.opt_in("+5215512345678", "orders").await;
    // Mexico's old and new spelling are one person; strangers are known by their number.
    let people = ["+525512345678", "+52 1 55 1234 5678", US, US];
    let strangers = ["+12025550177", "+1 202 555 0177", "hello", "hello"];
    let recipients = [&people[..], &strangers[..]].concat();
    let body = json!({"topic": "orders", "recipients": recipients});
    let preview = app.post("/v1/eligibility/preview").json(&body).expect(200).await;
    assert_eq!((&preview["totals"]["eligible"], &preview["duplicates"]), (&json!(1), &json!(3)));
    assert_eq!(preview["totals"]["by_reason"], json!({"never_asked": 2, "invalid_number": 2}));
    assert_eq!(
        (&preview["totals"]["refused"], &preview["duplicates_exact"]),
        (&json!(4), &json!(true))
    );
    let lines: Vec<_> = recipients.iter().map(|number| format!("\"{number}\"")).collect();
    let stream = format!("{{\"topic\": \"orders\"}}\n{}\n", lines.join("\n"));
    let call = app.post("/v1/eligibility/preview").body("application/x-ndjson", stream);
    let streamed = call.expect(200).await;
    assert_eq!((&streamed["totals"], &streamed["duplicates"]), (&preview["totals"], &json!(3)));
}

#[tokio::test]
async fn an_audience_is_filtered_as_the_export_is() {
    let app = TestApp::with_registry().await;
    for (number, kind, at) in [
        ("+12025550151", "web_form", "2026-10-01T00:00:00Z"),
        ("+12025550152", "qr", "2026-10-02T00:00:00Z"),
        ("+6289012345653", "qr", "2026-10-03T00:00:00Z"),
    ] {
        let body = json!({"number": number, "topics": ["orders"], "source": {"type": kind},
            "captured_at": at});
        app.post("/v1/opt-ins").json(&body).expect(201).await;
    }
    app.opt_out("+12025550152").await;
    for (filter, export, expected) in [
        (json!({}), "status=granted", 2),
        (json!({"source": "qr"}), "status=granted&source=qr", 1),
        (json!({"source": "keyword", "status": "withdrawn"}), "status=withdrawn&source=keyword", 1),
        (
            json!({"granted_from": "2026-10-03T00:00:00Z"}),
            "status=granted&from=2026-10-03T00:00:00Z",
            1,
        ),
        (
            json!({"granted_to": "2026-10-03T00:00:00Z"}),
            "status=granted&to=2026-10-03T00:00:00Z",
            1,
        ),
        (
            json!({"source": "qr", "granted_to": "2026-10-03T00:00:00Z"}),
            "status=granted&source=qr&to=2026-10-03T00:00:00Z",
            0,
        ),
    ] {
        let mut audience = filter.clone();
        audience["topic"] = json!("orders");
        let body = json!({"topic": "orders", "audience": audience});
        let preview = app.post("/v1/eligibility/preview").json(&body).expect(200).await;
        let totals = &preview["totals"];
        let count = totals["eligible"].as_u64().unwrap() + totals["refused"].as_u64().unwrap();
        assert_eq!(count, expected, "{filter}");
        let path = format!("/v1/exports/consents?format=ndjson&topic=orders&{export}");
        let rows = app.get(&path).send().await.text().lines().count();
        assert_eq!(u64::try_from(rows).unwrap(), expected, "{export}");
    }
    let of = |country: &str| json!({"topic": "orders", "audience": {"topic": "orders", "country": country}});
    for (country, expected) in [("ID", 1), ("US", 1), ("DE", 0)] {
        let preview = app.post("/v1/eligibility/preview").json(&of(country)).expect(200).await;
        assert_eq!(preview["totals"]["eligible"], expected, "{country}");
    }
    for (member, wrong) in [("country", "UK"), ("granted_from", "yesterday"), ("topic", "none")] {
        let mut body = of("US");
        body["audience"][member] = json!(wrong);
        let code = if member == "topic" { "topic_unknown" } else { "body_invalid" };
        app.post("/v1/eligibility/preview").json(&body).problem(422, code).await;
    }
}

#[tokio::test]
async fn what_could_be_sent_later_is_said_by_its_day() {
    let app = agreed().await;
    let sale = json!({"topic": "promotions", "category": "marketing", "status": "APPROVED"});
    app.put("/v1/templates/sale/en").json(&sale).expect(201).await;
    let send = json!({"number": US, "kind": "template", "template": "sale", "sender": "1001"});
    app.post("/v1/sends").json(&send).expect(201).await;
    let refused = app.post("/v1/sends").json(&send).send().await;
    assert_eq!(refused.problem(409, "send_refused")["reasons"][0]["code"], "frequency_cap");
    assert!(refused.header("retry-after").is_some(), "time alone cures it");
    let body = json!({"template": "sale", "sender": "1001", "recipients": [US]});
    let preview = app.post("/v1/eligibility/preview").json(&body).expect(200).await;
    assert_eq!(preview["later"], json!([{"day": "2026-12-04T00:00:00Z", "count": 1}]));
}

/// A rule of one's own about marketing to a country.
fn own(country: &str, action: &str, value: &Value) -> Value {
    let mut rule = json!({"id": "own-one", "countries": [country], "categories": ["marketing"],
        "why": "Because we say so."});
    rule[action] = value.clone();
    json!({"rules": [rule]})
}

#[tokio::test]
async fn a_change_says_whom_it_is_about_also_where_nothing_is_refused_yet() {
    let app = agreed().await;
    app.opt_in("+6289012345653", "promotions").await;
    app.opt_in("+6289012345654", "orders").await;
    let simulated = async |change: Value| {
        let told = app.post("/v1/policy/simulate").json(&change).expect(200).await;
        let topics = told["topics"].as_array().unwrap();
        let of = |name: &str| {
            let topic = topics.iter().find(|topic| topic["topic"] == name).unwrap();
            topic["contacts_under_other_rules"].as_u64().unwrap()
        };
        let figures = [of("promotions"), of("orders")];
        let sessions = told["sessions"]["contacts_under_other_rules"].as_u64().unwrap();
        let all = told["contacts_under_other_rules"].as_u64().unwrap();
        assert_eq!(told["contacts_affected"], 0, "nobody's answer changes now: {told}");
        (all, figures, sessions)
    };
    // It is four in the afternoon in Jakarta.
    let night = json!({"windows": [{"from": "20:00", "to": "08:00"}]});
    assert_eq!(simulated(own("ID", "quiet_hours", &night)).await, (2, [2, 0], 0));
    assert_eq!(simulated(own("US", "double_opt_in", &json!(true))).await, (1, [1, 0], 0));
    assert_eq!(simulated(own("*", "stop_within", &json!({"hours": 24}))).await, (3, [3, 0], 0));
    let mut session = own("ID", "quiet_hours", &night);
    session["rules"][0]["categories"] = json!(["session"]);
    assert_eq!(simulated(session).await, (2, [0, 0], 2));
    assert_eq!(simulated(json!({})).await, (0, [0, 0], 0));
    // The same rules by other names are the same rules.
    app.put("/v1/policy").json(&own("ID", "quiet_hours", &night)).expect(200).await;
    let mut renamed = own("ID", "quiet_hours", &night);
    renamed["rules"][0]["id"] = json!("another-name");
    assert_eq!(simulated(renamed).await, (0, [0, 0], 0));
    assert_eq!(simulated(json!({})).await, (2, [2, 0], 0), "switching off is a change too");
    let later = json!({"settings": {"stop_within_hours": 24}, "rules": []});
    assert_eq!(simulated(later).await.0, 3, "everybody's doubts are due earlier");
}

#[tokio::test]
async fn switches_that_matter_later_are_named() {
    let app = agreed().await;
    let settings = json!({"settings": {"yellow_marketing_percent": 10, "stop_within_hours": 24,
        "overdue_stop_holds": false, "general_topic": true, "consent_follows_number": true}});
    let told = app.post("/v1/policy/simulate").json(&settings).expect(200).await;
    for (name, now, then) in [
        ("yellow_marketing_percent", json!(50), json!(10)),
        ("stop_within_hours", json!(72), json!(24)),
        ("overdue_stop_holds", json!(true), json!(false)),
        ("general_topic", json!(false), json!(true)),
        ("consent_follows_number", json!(false), json!(true)),
    ] {
        assert_eq!(told[name], json!({"now": now, "then": then}), "{name}");
    }
}

#[tokio::test]
async fn of_the_versions_of_a_pack_the_one_that_counts_is_on() {
    let app = agreed().await;
    let on = |told: &Value| -> Vec<u64> {
        let packs = told["packs"].as_array().unwrap().iter();
        let europe = packs.filter(|pack| pack["id"] == "europe" && pack["on"] == true);
        europe.map(|pack| pack["version"].as_u64().unwrap()).collect()
    };
    for (choice, versions) in [
        (json!({"on": true}), vec![2]),
        (json!({"on": true, "version": 1}), vec![1]),
        (json!({"on": false}), vec![]),
    ] {
        let put = app.put("/v1/policy").json(&json!({"packs": {"europe": choice}}));
        assert_eq!(on(&put.expect(200).await), versions);
        assert_eq!(on(&app.get("/v1/policy").expect(200).await), versions);
    }
}
