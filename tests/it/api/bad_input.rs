//! Whatever is wrong with a request: one clear problem, and nothing half done.

use serde_json::{Value, json};

use crate::app::TestApp;

const ANN: &str = "+12025550101";
const JSON: &str = "application/json";

fn good() -> String {
    json!({"number": ANN, "topics": ["orders"], "source": {"type": "web_form"}}).to_string()
}

#[tokio::test]
async fn each_malformed_body_has_its_problem_and_leaves_no_trace() {
    let app = TestApp::with_registry().await;
    let deep = format!("{}{}", "[".repeat(400), "]".repeat(400));
    let large = format!("{{\"number\":\"{}\"}}", "1".repeat(70_000));
    let twice = good().replacen('{', "{\"number\":\"+12025550102\",", 1);
    let unknown = good().replacen('{', "{\"numbr\":\"x\",", 1);
    let mut bad_utf8 = good().into_bytes();
    bad_utf8.insert(12, 0xff);
    let cases: [(Vec<u8>, u16, &str); 10] = [
        (Vec::new(), 400, "body_malformed"),
        (b"{".to_vec(), 400, "body_malformed"),
        (b"null".to_vec(), 422, "body_invalid"),
        (format!("{} x", good()).into(), 400, "body_malformed"),
        (deep.into(), 400, "body_malformed"),
        (large.into(), 413, "body_too_large"),
        (twice.into(), 422, "body_invalid"),
        (unknown.into(), 422, "body_invalid"),
        (bad_utf8, 400, "body_malformed"),
        (good().replace("[\"orders\"]", "\"orders\"").into(), 422, "body_invalid"),
    ];
    for (place, (body, status, code)) in cases.into_iter().enumerate() {
        let reply = app.post("/v1/opt-ins").body(JSON, body).send().await;
        assert_eq!(reply.status.as_u16(), status, "case {place}: {}", reply.text());
        reply.problem(status, code);
    }
    app.get(&format!("/v1/contacts/{ANN}")).problem(404, "contact_unknown").await;
}

#[tokio::test]
async fn a_problem_points_at_the_member_and_does_not_repeat_its_value() {
    let app = TestApp::with_registry().await;
    let call = |body: Value| app.post("/v1/opt-ins").json(&body);
    let wrong =
        json!({"number": ANN, "topics": ["orders"], "source": {"type": 12_025_550_101_u64}});
    let problem = call(wrong).problem(422, "body_invalid").await;
    assert_eq!(problem["errors"][0]["pointer"], "/source/type");
    assert!(!problem.to_string().contains("12025550101"));
    let unknown = json!({"number": ANN, "topics": ["orders"],
        "source": {"type": "web_form", "kind": "x"}});
    let problem = call(unknown).problem(422, "body_invalid").await;
    assert_eq!(problem["errors"][0]["pointer"], "/source/kind");
    let large = app.post("/v1/opt-ins").body(JSON, "1".repeat(70_000));
    assert_eq!(large.problem(413, "body_too_large").await["limit"], 65_536);
}

#[tokio::test]
async fn another_content_type_is_refused() {
    let app = TestApp::with_registry().await;
    for media in ["text/plain", "application/x-www-form-urlencoded", "application/jsonx"] {
        let call = app.post("/v1/opt-ins").body(media, good());
        call.problem(415, "content_type").await;
    }
    for media in [JSON, "Application/JSON; charset=utf-8", "application/json;CHARSET=\"UTF-8\""] {
        app.post("/v1/opt-ins").body(media, good()).expect(201).await;
    }
}

#[tokio::test]
async fn a_body_in_another_coding_is_refused_and_not_taken_as_it_is() {
    let app = TestApp::with_registry().await;
    let lines = "{\"topic\":\"orders\"}\n\"+12025550101\"\n";
    for (path, media, body) in [
        ("opt-ins", JSON, good()),
        ("eligibility", JSON, json!({"topic": "orders", "recipients": [ANN]}).to_string()),
        ("eligibility", "application/x-ndjson", lines.to_owned()),
        ("eligibility/preview", "application/x-ndjson", lines.to_owned()),
        ("verifications/bulk", "application/x-ndjson", format!("\"{ANN}\"\n")),
        ("sends/00000000-0000-0000-0000-000000000000/release", JSON, "{}".to_owned()),
    ] {
        let path = format!("/v1/{path}");
        for coding in ["gzip", "identity, br"] {
            let call = app.post(&path).header("content-encoding", coding);
            call.body(media, body.clone()).problem(415, "content_type").await;
        }
        let media = format!("{media}; charset=utf-16");
        app.post(&path).body(&media, body.clone()).problem(415, "content_type").await;
    }
    let plain = app.post("/v1/opt-ins").header("content-encoding", "identity");
    plain.body(JSON, good()).expect(201).await;
}

#[tokio::test]
async fn an_array_is_no_object_and_an_object_no_word() {
    let app = TestApp::with_registry().await;
    let source = json!(["web_form", null, null, null]);
    let send = json!({"number": ANN, "kind": {"template": null}, "template": "shipped",
        "sender": "1001"});
    for (path, body, pointer, expected) in [
        ("opt-outs", json!([ANN, null, null, null, source]), "", "an object is expected"),
        ("keys", json!(["n", "secret", ["optins:write"], [], null]), "", "an object is expected"),
        ("sends", send, "/kind", "a text is expected"),
        (
            "opt-ins",
            json!({"number": ANN, "topics": ["orders"], "source": source}),
            "/source",
            "an object is expected",
        ),
        (
            "eligibility",
            json!({"topic": "orders", "recipients": [ANN], "detail": {"totals": null}}),
            "/detail",
            "a text is expected",
        ),
    ] {
        let problem =
            app.post(&format!("/v1/{path}")).json(&body).problem(422, "body_invalid").await;
        let error = &problem["errors"][0];
        assert_eq!((&error["pointer"], &error["detail"]), (&json!(pointer), &json!(expected)));
    }
    app.get(&format!("/v1/contacts/{ANN}")).problem(404, "contact_unknown").await;
    let lines = format!("{{\"topic\":\"orders\"}}\n[\"{ANN}\"]\n");
    let call = app.post("/v1/eligibility").body("application/x-ndjson", lines.clone());
    let reply = call.send().await.text();
    assert!(reply.lines().next().unwrap().contains("\"code\":\"body_invalid\""), "{reply}");
    let question = lines.replace("{\"topic\":\"orders\"}", "[null,null,null,\"orders\"]");
    let call = app.post("/v1/eligibility").body("application/x-ndjson", question);
    call.problem(422, "body_invalid").await;
}

#[tokio::test]
async fn unknown_and_repeated_parameters_are_refused() {
    let app = TestApp::with_registry().await;
    for (query, pointer) in [
        ("number=1&topic=orders&tpoic=x", "?"),
        ("number=1&number=2&topic=orders", "?number"),
        ("number=%ff&topic=orders", "?"),
        ("number=%zz&topic=orders", "?"),
    ] {
        let path = format!("/v1/eligibility?{query}");
        let problem = app.get(&path).problem(400, "query_invalid").await;
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{query}");
    }
}

#[tokio::test]
async fn unknown_addresses_and_methods_are_problems_too() {
    let app = TestApp::with_registry().await;
    for path in ["/v1", "/v1/nothing", "/v1/opt-ins/", "/v2/opt-ins", "/v1/../etc/passwd"] {
        app.get(path).anonymous().problem(404, "not_found").await;
    }
    for (path, allow) in [
        ("/v1/opt-ins", "POST"),
        ("/v1/eligibility", "GET, HEAD, POST"),
        ("/v1/topics/orders", "GET, HEAD, PUT"),
        ("/livez", "GET, HEAD"),
    ] {
        let reply = app.delete(path).send().await;
        reply.problem(405, "method_not_allowed");
        assert_eq!(reply.header("allow"), Some(allow), "{path}");
    }
}

#[tokio::test]
async fn what_no_row_takes_is_named_as_the_caller_named_it() {
    let app = TestApp::start();
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    for (call, status, code) in
        [(app.get("/nothing"), 404, "not_found"), (app.delete("/livez"), 405, "method_not_allowed")]
    {
        let call = call.header("x-request-id", "order-17").header("traceparent", trace);
        let reply = call.send().await;
        assert_eq!(reply.problem(status, code)["request_id"], "order-17");
        assert_eq!(reply.header("traceparent"), Some(trace));
    }
}

#[tokio::test]
async fn what_can_be_got_can_be_asked_about_without_its_body() {
    let app = TestApp::with_registry().await;
    for (path, status) in [("/livez", 200), ("/v1/topics", 200), ("/v1/topics/nothing", 404)] {
        let got = app.get(path).send().await;
        let asked = app.call(reqwest::Method::HEAD, path).send().await;
        assert_eq!((asked.status.as_u16(), asked.body.len()), (status, 0), "{path}");
        for name in ["content-type", "content-length", "cache-control"] {
            assert_eq!(asked.header(name), got.header(name), "{path}: {name}");
        }
    }
    let nobody = app.call(reqwest::Method::HEAD, "/v1/topics").anonymous().send().await;
    assert_eq!(nobody.status, 401);
}

#[tokio::test]
async fn a_request_id_is_taken_over_if_it_is_plain_and_made_otherwise() {
    let app = TestApp::with_registry().await;
    let ask = |id: &str| app.get("/livez").header("x-request-id", id).send();
    assert_eq!(ask("order-17.a_B").await.header("x-request-id"), Some("order-17.a_B"));
    let long = "x".repeat(65);
    for bad in ["", "a b", "<script>", long.as_str()] {
        let reply = ask(bad).await;
        let id = reply.header("x-request-id").unwrap();
        assert!(!id.is_empty() && id != bad, "{bad}");
    }
    let first = app.get("/livez").send().await;
    let second = app.get("/livez").send().await;
    assert_ne!(first.header("x-request-id"), second.header("x-request-id"));
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let traced = app.get("/livez").header("traceparent", trace).send().await;
    assert_eq!(traced.header("traceparent"), Some(trace));
    let problem = app.get("/v1/nothing").send().await;
    problem.problem(404, "not_found");
    assert_eq!(problem.header("x-content-type-options"), Some("nosniff"));
}

#[tokio::test]
async fn what_is_put_into_the_registry_is_checked() {
    let app = TestApp::with_registry().await;
    let sender = json!({"portfolio": "p9", "number": "+12025550100", "status": "CONNECTED",
        "quality": "GREEN"});
    for (path, body, code) in [
        ("topics/x", json!({"name": "X", "category": "spam"}), "body_invalid"),
        (
            "topics/x",
            json!({"name": "X", "category": "utility", "expires_after_days": 0}),
            "body_invalid",
        ),
        (
            "topics/x",
            json!({"name": "X", "category": "utility", "expires_after_days": 36_501}),
            "body_invalid",
        ),
        ("portfolios/x", json!({"name": "X", "messaging_limit": 7}), "body_invalid"),
        ("portfolios/x", json!({"name": "X"}), "body_invalid"),
        ("senders/1002", sender, "portfolio_unknown"),
        (
            "templates/x/en",
            json!({"topic": "nonsense", "category": "utility", "status": "APPROVED"}),
            "topic_unknown",
        ),
        ("statements/x", json!({"business_name": "X", "texts": {}, "topics": []}), "body_invalid"),
    ] {
        app.put(&format!("/v1/{path}")).json(&body).problem(422, code).await;
        app.get(&format!("/v1/{path}")).problem(404, "thing_unknown").await;
    }
    let topic = json!({"name": "Orders", "category": "utility"});
    let same = app.put("/v1/topics/orders").json(&topic).expect(200).await;
    assert_eq!(same.get("receipt"), None);
}

#[tokio::test]
async fn names_given_twice_and_numbers_that_would_change_are_refused_inside_objects_too() {
    let app = TestApp::with_registry().await;
    for evidence in [
        r#"{"ip":"192.0.2.1","ip":"192.0.2.2"}"#,
        r#"{"order":184467440737095516160}"#,
        r#"{"order":[1]}"#,
    ] {
        let body = good().replacen('{', &format!("{{\"evidence\":{evidence},"), 1);
        let problem = app.post("/v1/opt-ins").body(JSON, body).problem(422, "body_invalid").await;
        let pointer = problem["errors"][0]["pointer"].as_str().unwrap();
        assert!(pointer.starts_with("/evidence"), "{pointer}");
    }
    let body = r#"{"business_name":"Toko","texts":{"en":"I agree.","en":"No."},"topics":[]}"#;
    app.put("/v1/statements/twice").body(JSON, body).problem(422, "body_invalid").await;
    let kept = good().replacen('{', "{\"evidence\":{\"order\":18446744073709551615},", 1);
    app.post("/v1/opt-ins").body(JSON, kept).expect(201).await;
    let page = app.get(&format!("/v1/contacts/{ANN}/history")).expect(200).await;
    assert_eq!(page["entries"][0]["event"]["evidence"]["order"], "18446744073709551615");
}

#[tokio::test]
async fn a_statement_that_proves_something_else_is_refused() {
    let app = TestApp::with_registry().await;
    let news = json!({"name": "News", "category": "marketing"});
    app.put("/v1/topics/news").json(&news).expect(201).await;
    let opt_in = |topics: Value, more: Value| {
        let mut body = json!({"number": ANN, "topics": topics, "source": {"type": "web_form"}});
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        app.post("/v1/opt-ins").json(&body)
    };
    let shown = json!({"statement": "signup", "language": "en"});
    let untold = json!({"statement": "signup", "language": "id"});
    let words = json!({"language": "en"});
    for (call, code, pointer) in [
        (opt_in(json!(["orders", "news"]), shown.clone()), "statement_mismatch", "/topics/1"),
        (opt_in(json!(["orders"]), untold), "statement_mismatch", "/language"),
        (opt_in(json!(["orders"]), words), "body_invalid", "/language"),
    ] {
        let problem = call.problem(422, code).await;
        assert_eq!(problem["errors"][0]["pointer"], pointer);
    }
    opt_in(json!(["orders"]), shown).expect(201).await;
}

#[tokio::test]
async fn each_moment_in_the_future_is_pointed_at_by_its_own_name() {
    let app = TestApp::with_registry().await;
    app.post("/v1/opt-ins").body(JSON, good()).expect(201).await;
    let late = app.moment(301);
    let identity = app.put(&format!("/v1/contacts/{ANN}/identity"));
    let traffic = app.post(&format!("/v1/contacts/{ANN}/traffic"));
    let mut opt_in: Value = serde_json::from_str(&good()).unwrap();
    opt_in["captured_at"] = json!(late);
    for (call, pointer) in [
        (app.post("/v1/opt-ins").json(&opt_in), "/captured_at"),
        (identity.json(&json!({"hash": "h", "observed_at": late})), "/observed_at"),
        (traffic.json(&json!({"kind": "delivered", "happened_at": late})), "/happened_at"),
    ] {
        let problem = call.problem(422, "captured_in_future").await;
        assert_eq!(problem["errors"][0]["pointer"], pointer);
    }
}
