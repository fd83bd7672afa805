//! One question, many at once, and streams of any length.

use std::{
    fmt::Write as _,
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use serde_json::{Value, json};

use crate::app::{OPERATOR, Reply, TestApp};

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
        ("&kind=session&sender=1001&template=shipped", "body_invalid"),
    ] {
        let path = format!("/v1/eligibility?number={ANN}{query}");
        let problem = app.get(&path).problem(422, code).await;
        let pointer = problem["errors"][0]["pointer"].as_str().unwrap();
        assert!(pointer.starts_with('?'), "{query}: {pointer}");
    }
    let session = json!({"kind": "session", "sender": "1001", "template": "shipped"});
    let mut batch = session.clone();
    batch["recipients"] = json!([ANN]);
    let refused = app.post("/v1/eligibility").json(&batch).problem(422, "body_invalid").await;
    assert_eq!(refused["errors"][0]["pointer"], "/template");
    let stream = format!("{session}\n\"{ANN}\"\n");
    let stream = app.post("/v1/eligibility").body("application/x-ndjson", stream);
    stream.problem(422, "body_invalid").await;
    let mut send = session;
    send["number"] = json!(ANN);
    app.post("/v1/sends").json(&send).problem(422, "body_invalid").await;
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
        "{}\n\"{ANN}\"\n{}\nno json\n\n{{\"number\":7}}\n{}\n{}\n\"{}\"\n\"{CAT}\"",
        json!({"topic": "orders", "detail": "reasons"}),
        json!({"number": BEN, "ref": "b"}),
        json!({"number": ANN, "reff": "x", "ref": "c"}),
        json!({"number": ANN, "ref": "x".repeat(257)}),
        "1".repeat(70_000),
    );
    let reply = app.post("/v1/eligibility").body("application/x-ndjson", body).send().await;
    let lines = lines(&reply);
    let (last, answers) = lines.split_last().unwrap();
    let reasons: Vec<_> = answers.iter().map(|line| &line["reasons"]).collect();
    let (unread, long) = (Value::Null, "x".repeat(257));
    let expected = [
        &json!([]),
        &json!(["withdrawn"]),
        &unread,
        &unread,
        &unread,
        &unread,
        &unread,
        &json!(["never_asked"]),
    ];
    assert_eq!(reasons, expected);
    assert_eq!(answers[1]["ref"], "b");
    let unread = [
        (4, "body_malformed", Value::Null, Value::Null),
        (6, "body_invalid", json!("/number"), Value::Null),
        (7, "body_invalid", json!("/reff"), json!("c")),
        (8, "body_invalid", json!("/ref"), Value::Null),
        (9, "body_malformed", Value::Null, Value::Null),
    ];
    for (answer, (line, code, pointer, reference)) in answers[2..].iter().zip(unread) {
        assert_eq!(answer["line"], line, "{answer}");
        assert_eq!(answer["eligible"], false);
        assert_eq!(answer["problem"]["code"], code, "{answer}");
        assert!(answer["problem"]["detail"].is_string());
        let given = answer["problem"]["errors"][0]["pointer"].clone();
        assert_eq!(given, if pointer.is_null() { given.clone() } else { pointer }, "{answer}");
        assert_eq!(answer.get("ref").cloned().unwrap_or_default(), reference, "{answer}");
        assert!(!answer.to_string().contains(&long));
    }
    assert_eq!(sums(&last["totals"]), (1, 7));
    let by_reason = json!({"withdrawn": 1, "never_asked": 1, "unreadable_line": 5});
    assert_eq!(last["totals"]["by_reason"], by_reason);
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

/// A stream whose lines are sent while its answers are read.
struct Dialogue {
    socket: TcpStream,
    read: String,
}

impl Dialogue {
    fn begin(app: &TestApp, question: &Value) -> Self {
        let mut socket = TcpStream::connect(app.addr()).unwrap();
        socket.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
        let head = format!(
            "POST /v1/eligibility HTTP/1.1\r\nhost: izin\r\nauthorization: Bearer {OPERATOR}\r\n\
             content-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n"
        );
        socket.write_all(head.as_bytes()).unwrap();
        let mut dialogue = Self { socket, read: String::new() };
        dialogue.say(&format!("{question}\n"));
        dialogue
    }

    /// Sends a chunk; an empty one ends the request.
    fn say(&mut self, lines: &str) {
        write!(self.socket, "{:x}\r\n{lines}\r\n", lines.len()).unwrap();
    }

    /// Reads until so many of these words have come, and forgets what was read.
    fn hear(&mut self, words: &str, times: usize) -> String {
        let mut buffer = vec![0; 65_536];
        while self.read.matches(words).count() < times {
            let len = self.socket.read(&mut buffer).unwrap();
            assert!(len > 0, "the answer ended early: {}", self.read);
            self.read.push_str(std::str::from_utf8(&buffer[..len]).unwrap());
        }
        std::mem::take(&mut self.read)
    }
}

#[tokio::test]
async fn a_stream_knows_of_what_changes_while_it_runs_and_ends_when_its_question_is_void() {
    let app = two_people().await;
    let mut dialogue = Dialogue::begin(&app, &json!({"template": "shipped", "detail": "reasons"}));
    let line = format!("\"{ANN}\"\n");
    dialogue.say(&line.repeat(512));
    dialogue.hear("\"eligible\":true", 512);
    let paused = json!({"topic": "orders", "category": "utility", "status": "PAUSED"});
    app.put("/v1/templates/shipped/en").json(&paused).expect(200).await;
    dialogue.say(&line.repeat(512));
    let answers = dialogue.hear("\"eligible\":", 512);
    assert_eq!(answers.matches("template_paused").count(), 512, "{answers}");
    app.put("/v1/templates/shipped/id").json(&paused).expect(201).await;
    dialogue.say(&line);
    dialogue.say("");
    let last = dialogue.hear("0\r\n\r\n", 1);
    assert!(last.contains("\"code\":\"question_incomplete\""), "{last}");
    assert!(!last.contains("totals"), "{last}");
}

#[tokio::test]
async fn a_group_of_long_lines_is_answered_before_it_is_complete() {
    let app = two_people().await;
    let mut dialogue = Dialogue::begin(&app, &json!({"topic": "orders", "detail": "reasons"}));
    let line = format!("{{\"number\":\"{ANN}\"{}}}\n", " ".repeat(60_000));
    for _ in 0..6 {
        dialogue.say(&line);
    }
    dialogue.hear("\"eligible\":true", 5);
    dialogue.say("");
    dialogue.hear("totals", 1);
}
