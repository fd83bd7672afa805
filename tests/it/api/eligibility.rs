//! One question, many at once, and streams of any length.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::app::{Reply, TestApp};

const ANN: &str = "+12025550101";
const BEN: &str = "+12025550102";
const CAT: &str = "+12025550103";

/// One person who agreed, one who withdrew, and nobody else.
async fn two_people() -> TestApp {
    let app = TestApp::with_registry().await;
    app.opt_in(ANN, "orders").await;
    app.opt_out(BEN).await;
    app
}

fn recipients() -> Value {
    json!([ANN, {"number": BEN, "ref": "order-2"}, CAT, "hello", {"number": "+1 202 555 0101"}])
}

fn sums(totals: &Value) -> (u64, u64) {
    (totals["eligible"].as_u64().unwrap(), totals["refused"].as_u64().unwrap())
}

fn lines(reply: &Reply) -> Vec<Value> {
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.header("content-type"), Some("application/x-ndjson"));
    reply.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn a_decision_has_every_member_of_the_contract() {
    let app = two_people().await;
    let path = format!("/v1/eligibility?number={ANN}&template=shipped&sender=1001");
    let decision = app.get(&path).expect(200).await;
    let members: Vec<_> = decision.as_object().unwrap().keys().map(String::as_str).collect();
    let expected = [
        "as_of",
        "consent",
        "contact",
        "eligible",
        "kind",
        "next_eligible_at",
        "reasons",
        "recipient_identity_key_hash",
        "session_window",
    ];
    let mut sorted = members.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, expected);
    assert_eq!(decision["eligible"], true);
    assert_eq!(decision["contact"]["number"], ANN);
    assert_eq!(decision["consent"]["topic"], "orders");
    assert_eq!(decision["kind"], "template");
}

#[tokio::test]
async fn a_decision_names_the_last_entry_it_takes_into_account() {
    let app = two_people().await;
    let made = app.opt_in(CAT, "orders").await;
    assert_eq!(app.ask(CAT, "orders").await["as_of"], made["receipt"]["seq"]);
    let out = app.opt_out(CAT).await;
    let decision = app.ask(CAT, "orders").await;
    assert_eq!(decision["as_of"], out["receipt"]["seq"]);
    assert_eq!(decision["reasons"][0]["seq"], out["receipt"]["seq"]);
    let body = json!({"recipients": [], "topic": "orders"});
    let batch = app.post("/v1/eligibility").json(&body).expect(200).await;
    assert_eq!(batch["as_of"], out["receipt"]["seq"]);
}

#[tokio::test]
async fn a_text_that_is_no_number_is_a_refused_recipient_and_no_error() {
    let app = two_people().await;
    for number in ["hello", "0812", "+999123", "%2B1202"] {
        let decision = app.ask(number, "orders").await;
        assert_eq!(decision["reasons"][0]["code"], "invalid_number", "{number}");
        assert_eq!(decision["contact"], json!({"id": null, "number": null}));
    }
    let path = "/v1/eligibility?number=202-555-0101&region=US&topic=orders";
    assert_eq!(app.get(path).expect(200).await["eligible"], true);
}

#[tokio::test]
async fn a_question_that_makes_no_sense_is_refused() {
    let app = two_people().await;
    for (query, code) in [
        ("", "question_incomplete"),
        ("&kind=session", "question_incomplete"),
        ("&topic=nonsense", "topic_unknown"),
        ("&topic=promotions&template=shipped", "body_invalid"),
    ] {
        let path = format!("/v1/eligibility?number={ANN}{query}");
        app.get(&path).problem(422, code).await;
    }
    let other = json!({"topic": "orders", "category": "utility", "status": "APPROVED"});
    app.put("/v1/templates/shipped/id").json(&other).expect(201).await;
    let path = format!("/v1/eligibility?number={ANN}&template=shipped");
    app.get(&path).problem(422, "question_incomplete").await;
    assert_eq!(app.get(&format!("{path}&language=id")).expect(200).await["eligible"], true);
    for query in ["topic=orders", "number=1&user_id=US.1&topic=orders", "number=1&kind=fax"] {
        app.get(&format!("/v1/eligibility?{query}")).problem(400, "query_invalid").await;
    }
}

#[tokio::test]
async fn a_batch_answers_in_order_and_its_totals_sum_to_the_input() {
    let app = two_people().await;
    let body = json!({"recipients": recipients(), "topic": "orders"});
    let answer = app.post("/v1/eligibility").json(&body).expect(200).await;
    assert_eq!(sums(&answer["totals"]), (2, 3));
    let by_reason = json!({"invalid_number": 1, "never_asked": 1, "withdrawn": 1});
    assert_eq!(answer["totals"]["by_reason"], by_reason);
    let results = answer["results"].as_array().unwrap();
    let eligible: Vec<_> = results.iter().map(|one| one["eligible"] == true).collect();
    assert_eq!(eligible, [true, false, false, false, true]);
    assert_eq!(results[1]["ref"], "order-2");
    assert_eq!(results[4]["contact"], results[0]["contact"]);
    for (one, number) in results.iter().zip([ANN, BEN, CAT]) {
        let alone = app.ask(number, "orders").await;
        assert_eq!(one["reasons"], alone["reasons"], "{number}");
    }
}

#[tokio::test]
async fn a_batch_says_as_much_as_asked_for() {
    let app = two_people().await;
    let ask = |detail: &str| {
        let body = json!({"recipients": recipients(), "topic": "orders", "detail": detail});
        app.post("/v1/eligibility").json(&body).expect(200)
    };
    let short = ask("reasons").await;
    let expected = json!({"eligible": false, "ref": "order-2", "number": BEN,
        "reasons": ["withdrawn"]});
    assert_eq!(short["results"][1], expected);
    let totals = ask("totals").await;
    assert_eq!(totals.get("results"), None);
    assert_eq!(totals["totals"], short["totals"]);
}

#[tokio::test]
async fn a_batch_over_its_bound_is_refused_and_one_at_it_is_answered() {
    let app = two_people().await;
    let ask = |len: usize| {
        let body = json!({"recipients": vec![ANN; len], "topic": "orders", "detail": "totals"});
        app.post("/v1/eligibility").json(&body)
    };
    let answer = ask(10_000).expect(200).await;
    assert_eq!(sums(&answer["totals"]), (10_000, 0));
    let problem = ask(10_001).problem(422, "body_invalid").await;
    assert_eq!(problem["errors"][0]["pointer"], "/recipients");
}

#[tokio::test]
async fn a_stream_answers_line_by_line_past_lines_it_cannot_read() {
    let app = two_people().await;
    let body = format!(
        "{}\n\"{ANN}\"\n{}\nno json\n\n{{\"number\":7}}\n\"{CAT}\"",
        json!({"topic": "orders", "detail": "reasons"}),
        json!({"number": BEN, "ref": "b"}),
    );
    let reply = app.post("/v1/eligibility").body("application/x-ndjson", body).send().await;
    let lines = lines(&reply);
    let (last, answers) = lines.split_last().unwrap();
    let reasons: Vec<_> = answers.iter().map(|line| &line["reasons"]).collect();
    let expected = [
        json!([]),
        json!(["withdrawn"]),
        json!(["invalid_number"]),
        json!(["invalid_number"]),
        json!(["never_asked"]),
    ];
    assert_eq!(reasons, expected.iter().collect::<Vec<_>>());
    assert_eq!(answers[1]["ref"], "b");
    assert_eq!(sums(&last["totals"]), (1, 4));
    assert!(last["as_of"].is_u64());
}

#[tokio::test]
async fn a_long_stream_loses_no_line() {
    let app = two_people().await;
    let mut body = json!({"topic": "orders"}).to_string();
    for place in 0..3_000 {
        let number = [ANN, BEN, CAT][place % 3];
        write!(body, "\n{}", json!({"number": number, "ref": place.to_string()})).unwrap();
    }
    let reply = app.post("/v1/eligibility").body("application/x-ndjson", body).send().await;
    let lines = lines(&reply);
    let (last, answers) = lines.split_last().unwrap();
    assert_eq!(answers.len(), 3_000);
    for (place, line) in answers.iter().enumerate() {
        assert_eq!(line["ref"], place.to_string());
    }
    assert_eq!(sums(&last["totals"]), (1_000, 2_000));
}

#[tokio::test]
async fn a_bad_question_refuses_a_stream_before_its_first_answer() {
    let app = two_people().await;
    let ask = |body: String| app.post("/v1/eligibility").body("application/x-ndjson", body);
    ask(String::new()).problem(400, "body_malformed").await;
    ask("{\"topic\":\"nonsense\"}\n\"+1\"".into()).problem(422, "topic_unknown").await;
    ask("{\"subject\":\"orders\"}\n".into()).problem(422, "body_invalid").await;
    ask("x".repeat(70_000)).problem(400, "body_malformed").await;
}
