//! Written numbers: doubts are said and not resolved, old spellings find the same person, and one
//! number is explained without telling whether anybody is known by it.

use reqwest::Method;
use serde_json::{Value, json};

use super::{SHOP, publishable};
use crate::app::{Call, TestApp, text};

const ANN: &str = "+12025550101";

/// An old spelling of every country whose numbers changed for good, and the one of today.
const RENUMBERED: &[(&str, &str)] = &[
    ("+5215500000000", "+525500000000"),
    ("+551188887777", "+5511988887777"),
    ("+553168887777", "+5531968887777"),
    ("+553198887777", "+5531998887777"),
    ("+841201234567", "+84701234567"),
    ("+841231234567", "+84831234567"),
    ("+841211234567", "+84791234567"),
    ("+841221234567", "+84771234567"),
    ("+841271234567", "+84811234567"),
    ("+841291234567", "+84821234567"),
    ("+841621234567", "+84321234567"),
    ("+841861234567", "+84561234567"),
    ("+841991234567", "+84591234567"),
    ("+22501123456", "+2250101123456"),
    ("+22505123456", "+2250505123456"),
    ("+22507123456", "+2250707123456"),
    ("+22990000000", "+2290190000000"),
    ("+96611234567", "+966111234567"),
];

/// Spellings that may be two people's.
const LOOK_ALIKE: &[(&str, &str)] = &[
    ("+553171234567", "+5531971234567"),
    ("+541123456789", "+5491123456789"),
    ("+24106031234", "+24111031234"),
];

fn opt_in(app: &TestApp, number: &str) -> Call {
    let body = json!({"number": number, "topics": ["orders"], "source": {"type": "web_form"}});
    app.post("/v1/opt-ins").json(&body)
}

fn explain(app: &TestApp, input: &str, region: &str) -> Call {
    let input: Vec<_> = input.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let input = input.concat();
    app.get(&format!("/v1/numbers?input={input}&region={region}"))
}

#[tokio::test]
async fn a_number_without_plus_or_region_is_refused_with_what_would_make_it_one() {
    let app = TestApp::with_registry().await;
    let problem = opt_in(&app, "0812 3456 7890").problem(422, "number_ambiguous").await;
    assert_eq!(problem["error"], "INVALID_COUNTRY_CODE");
    assert_eq!(problem["errors"][0]["pointer"], "/number");
    let regions = problem["valid_in"].as_array().unwrap();
    assert!((1..=12).contains(&regions.len()) && regions[0] == "ID", "{regions:?}");
    assert!(problem.get("suggestion").is_none(), "no country is guessed");

    let problem = opt_in(&app, "12025550101").problem(422, "number_ambiguous").await;
    let meant = json!({"e164": ANN, "assumption": "missing_plus"});
    assert_eq!(problem["suggestion"], meant);
    let by_path = app.get("/v1/contacts/0812-3456-7890").problem(422, "number_ambiguous").await;
    assert_eq!(by_path["errors"][0]["pointer"], "/ref");
    assert_eq!(by_path["valid_in"][0], "ID");
    let decision = app.ask(ANN, "orders").await;
    assert_eq!(decision["contact"]["id"], Value::Null, "a suggestion is not taken");
}

#[tokio::test]
async fn with_a_default_region_the_same_text_is_a_number() {
    let app = TestApp::with_registry_and(&[("IZIN_NUMBERS__DEFAULT_REGION", "ID")]).await;
    let made = opt_in(&app, "0812 3456 7890").expect(201).await;
    assert_eq!(made["contact"]["number"], "+6281234567890");
}

#[tokio::test]
async fn a_number_that_cannot_be_used_comes_with_its_reason_and_what_was_probably_meant() {
    let app = TestApp::with_registry().await;
    for (written, error, meant) in [
        ("hello", "NOT_A_NUMBER", None),
        ("+1 202", "TOO_SHORT", None),
        ("+999 12345678", "INVALID_COUNTRY_CODE", None),
        ("+1 202 555 0101 0101", "TOO_LONG", None),
        ("+54 9 11 15 2345 6789", "TOO_LONG", Some(("+5491123456789", "mobile_prefix_15"))),
    ] {
        let problem = opt_in(&app, written).problem(422, "number_invalid").await;
        assert_eq!(problem["error"], error, "{written}");
        assert!(problem.get("valid_in").is_none(), "{written}: no region would help");
        let expected = meant
            .map(|(number, why)| json!({"e164": number, "assumption": why}))
            .unwrap_or_default();
        assert_eq!(*problem.get("suggestion").unwrap_or(&Value::Null), expected, "{written}");
    }
}

#[tokio::test]
async fn lists_take_no_suggestion_and_explain_nothing() {
    let app = TestApp::with_registry().await;
    opt_in(&app, ANN).expect(201).await;
    let body = json!({"topic": "orders", "detail": "full",
        "recipients": ["12025550101", "0812 3456 7890", ANN]});
    let reply = app.post("/v1/eligibility").json(&body).send().await;
    let answer = reply.json();
    assert_eq!(answer["totals"]["eligible"], 1, "{answer}");
    assert_eq!(answer["totals"]["by_reason"]["invalid_number"], 2);
    assert!(!reply.text().contains("suggestion") && !reply.text().contains("valid_in"));
}

#[tokio::test]
async fn every_old_spelling_is_the_person_of_the_new_one() {
    let app = TestApp::with_registry().await;
    for (old, new) in RENUMBERED {
        let made = opt_in(&app, old).expect(201).await;
        assert_eq!(made["contact"]["number"], *new, "{old}");
        let again = opt_in(&app, new).expect(201).await;
        assert_eq!(again["contact"]["id"], made["contact"]["id"], "{old}");
        assert_eq!(app.ask(old, "orders").await["eligible"], true, "{old}");
        for name in [old, new, &old.trim_start_matches('+')] {
            let shown = app.get(&format!("/v1/contacts/{name}")).expect(200).await;
            assert_eq!(shown["id"], made["contact"]["id"], "{name}");
            assert_eq!(shown["number"], *new);
        }
        let history = app.get(&format!("/v1/contacts/{old}/history")).expect(200).await;
        assert!(history["entries"].to_string().contains(&format!("\"{old}\"")), "as written");
        let explained = explain(&app, old, "").expect(200).await;
        assert_eq!((&explained["usable"], &explained["canonical"]), (&json!(true), &json!(new)));
        assert_eq!(explained["suggestion"], json!({"e164": new, "assumption": "renumbered"}));
    }
}

#[tokio::test]
async fn a_spelling_that_may_be_somebody_else_is_never_rewritten() {
    let app = TestApp::with_registry().await;
    for (one, other) in LOOK_ALIKE {
        let first = opt_in(&app, one).expect(201).await;
        let second = opt_in(&app, other).expect(201).await;
        assert_eq!(first["contact"]["number"], *one);
        assert_eq!(second["contact"]["number"], *other);
        assert_ne!(first["contact"]["id"], second["contact"]["id"], "{one}");
    }
}

#[tokio::test]
async fn the_digits_whatsapp_writes_name_a_contact_whatever_their_length() {
    let app = TestApp::with_registry().await;
    for id in ["5215500000099", "22990000099", "551188887799", "1202555"] {
        app.get(&format!("/v1/contacts/{id}")).problem(404, "contact_unknown").await;
    }
    for none in ["0", "0812", "123456789012345678901"] {
        app.get(&format!("/v1/contacts/{none}")).problem(422, "number_invalid").await;
    }
}

#[tokio::test]
async fn a_number_is_explained_from_its_text_alone() {
    let app = TestApp::with_registry().await;
    let found = explain(&app, "(202) 555-0101 ext. 7", "US").expect(200).await;
    for (member, value) in [
        ("input", json!("(202) 555-0101 ext. 7")),
        ("read_in", json!("US")),
        ("usable", json!(true)),
        ("code", Value::Null),
        ("e164", json!(ANN)),
        ("canonical", json!(ANN)),
        ("possible", json!(true)),
        ("length", json!("IS_POSSIBLE")),
        ("valid", json!(true)),
        ("type", json!("FIXED_LINE_OR_MOBILE")),
        ("region", json!("US")),
        ("match_key", json!("1:2025550101")),
        ("has_extension", json!(true)),
        ("error", Value::Null),
        ("suggestion", Value::Null),
        ("valid_in", json!([])),
        ("spellings", json!({"strong": 0, "weak": 0})),
    ] {
        assert_eq!(found[member], value, "{member}");
    }
    let found = explain(&app, "0812 3456 7890", "").expect(200).await;
    assert_eq!((&found["usable"], &found["code"]), (&json!(false), &json!("number_ambiguous")));
    assert_eq!((&found["valid_in"][0], &found["e164"]), (&json!("ID"), &Value::Null));
    assert!(text(&found["detail"]).contains("region"));
    let found = explain(&app, "+553171234567", "").expect(200).await;
    assert_eq!(found["spellings"], json!({"strong": 0, "weak": 1}));
    let found = explain(&app, "+5215500000000", "").expect(200).await;
    assert_eq!((&found["valid"], &found["length"]), (&json!(false), &json!("TOO_LONG")));

    app.get("/v1/numbers").problem(400, "query_invalid").await;
    app.get("/v1/numbers?input=1&number=2").problem(400, "query_invalid").await;
    let problem = explain(&app, "0812", "Indonesia").problem(422, "body_invalid").await;
    assert_eq!(problem["errors"][0]["pointer"], "?region");
}

#[tokio::test]
async fn an_explanation_does_not_tell_whether_anybody_is_known() {
    let app = TestApp::with_registry().await;
    let (key, _) = publishable(&app, &["optins:write", "numbers:read"], SHOP).await;
    let ask = || explain(&app, ANN, "").key(&key).header("origin", SHOP).send();
    let stranger = ask().await;
    opt_in(&app, ANN).expect(201).await;
    let known = ask().await;
    app.opt_out(ANN).await;
    let withdrawn = ask().await;
    assert_eq!(stranger.status, 200);
    assert_eq!(stranger.body, known.body);
    assert_eq!(stranger.body, withdrawn.body);
}

#[tokio::test]
async fn a_publishable_key_that_may_explain_numbers_may_do_nothing_else() {
    let app = TestApp::with_registry().await;
    let (key, _) = publishable(&app, &["numbers:read"], SHOP).await;
    opt_in(&app, ANN).expect(201).await;
    let pk = |call: Call| call.key(&key).header("origin", SHOP);
    pk(explain(&app, ANN, "")).expect(200).await;
    explain(&app, ANN, "").key(&key).problem(403, "origin_refused").await;
    pk(opt_in(&app, ANN)).problem(403, "scope_missing").await;
    for path in [
        "/v1/contacts/+12025550101",
        "/v1/eligibility?number=+12025550101&topic=orders",
        "/v1/topics",
        "/v1/keys",
        "/v1/exports/consents",
        "/v1/verifications/budget",
        "/metrics",
    ] {
        pk(app.get(path)).problem(403, "scope_missing").await;
    }
}

#[tokio::test]
async fn explanations_for_one_network_are_limited_and_come_back_with_time() {
    let limit = ("IZIN_KEYS__PUBLIC_READS_PER_MINUTE_IP", "3");
    let app = TestApp::with_registry_and(&[limit]).await;
    let (key, _) = publishable(&app, &["numbers:read"], SHOP).await;
    let (secret, _) = app.key(&["numbers:read"]).await;
    let ask = |place: u32| {
        // Whoever is not a trusted proxy may claim to speak for anybody; nobody listens.
        let call = explain(&app, ANN, "").key(&key).header("origin", SHOP);
        call.header("x-forwarded-for", &format!("198.51.{place}.7")).send()
    };
    for left in (0..3).rev() {
        let reply = ask(left).await;
        assert_eq!(reply.status, 200);
        let policy = "\"network\";q=3;w=60, \"key\";q=1200;w=60";
        assert_eq!(reply.header("ratelimit-policy"), Some(policy));
        let shown = reply.header("ratelimit").unwrap();
        assert!(shown.starts_with(&format!("\"network\";r={left};t=")), "{shown}");
    }
    let refused = ask(9).await;
    let problem = refused.problem(429, "rate_limited");
    assert_eq!(problem["violated-policies"], json!(["network"]));
    assert_eq!(problem["retryable"], true);
    assert_eq!(refused.header("retry-after"), Some("20"));
    assert!(refused.header("ratelimit").unwrap().starts_with("\"network\";r=0;t=60"));
    let unlimited = explain(&app, ANN, "").key(&secret).send().await;
    assert_eq!((unlimited.status.as_u16(), unlimited.header("ratelimit")), (200, None));
    app.clock.advance_ms(19_999);
    ask(10).await.problem(429, "rate_limited");
    app.clock.advance_ms(1);
    assert_eq!(ask(11).await.status, 200);
    ask(12).await.problem(429, "rate_limited");
}

#[tokio::test]
async fn opt_ins_with_one_publishable_key_are_limited_wherever_they_come_from() {
    let app = TestApp::with_registry_and(&[
        ("IZIN_KEYS__PUBLIC_WRITES_PER_MINUTE_KEY", "2"),
        ("IZIN_HTTP__TRUSTED_PROXIES", "127.0.0.1"),
    ])
    .await;
    let (key, _) = publishable(&app, &["optins:write"], SHOP).await;
    let (other, _) = publishable(&app, &["optins:write"], SHOP).await;
    let capture = |key: &str, from: &str| {
        let call = opt_in(&app, ANN).key(key).header("origin", SHOP);
        call.header("x-forwarded-for", from)
    };
    capture(&key, "198.51.1.7").expect(202).await;
    capture(&key, "198.51.2.7").expect(202).await;
    let problem = capture(&key, "198.51.3.7").problem(429, "rate_limited").await;
    assert_eq!(problem["violated-policies"], json!(["key"]));
    capture(&other, "198.51.3.7").expect(202).await;
    opt_in(&app, ANN).expect(201).await;
}

#[tokio::test]
async fn behind_a_trusted_proxy_each_client_has_its_own_limit_and_cannot_claim_anothers() {
    let app = TestApp::with_registry_and(&[
        ("IZIN_KEYS__PUBLIC_WRITES_PER_MINUTE_IP", "1"),
        ("IZIN_HTTP__TRUSTED_PROXIES", "127.0.0.1,10.0.0.0/8"),
    ])
    .await;
    let (key, _) = publishable(&app, &["optins:write"], SHOP).await;
    let capture = |from: &str| {
        let call = opt_in(&app, ANN).key(&key).header("origin", SHOP);
        call.header("x-forwarded-for", from)
    };
    capture("198.51.100.7").expect(202).await;
    capture("203.0.113.9").expect(202).await;
    for spoofed in ["192.0.2.1, 198.51.100.7", "192.0.2.2, 198.51.100.99, 10.1.1.1"] {
        capture(spoofed).problem(429, "rate_limited").await;
    }
    let malformed = app.call(Method::POST, "/v1/opt-ins").key(&key).header("origin", SHOP);
    let call = malformed.header("x-forwarded-for", "198.51.100.8").body("text/plain", "x");
    call.problem(429, "rate_limited").await;
}
