//! What the service answers is what its document says it answers.

use std::collections::BTreeSet;

use izin::http::openapi;
use serde_json::{Value, json};

use crate::{
    api::{
        incidents,
        webhooks::{self, NOON_S},
    },
    app::{Call, TestApp, text},
};

const ANN: &str = "+12025550101";

/// The document, and which of its answers were held against it.
struct Contract {
    document: Value,
    seen: BTreeSet<String>,
}

impl Contract {
    fn new() -> Self {
        let document = serde_json::from_str(&openapi::document()).unwrap();
        Self { document, seen: BTreeSet::new() }
    }

    /// Sends a call of this row and holds the answer against the document.
    async fn hold(&mut self, row: &str, call: Call) -> Value {
        let (method, path) = row.split_once(' ').unwrap();
        let reply = call.send().await;
        let responses = &self.document["paths"][path][method.to_lowercase()]["responses"];
        let status = reply.status.as_str().to_owned();
        let of_status = &responses[&status];
        let documented = if of_status.is_object() || reply.status.is_success() {
            of_status
        } else {
            &responses["default"]
        };
        assert!(documented.is_object(), "{row} does not document {status}: {}", reply.text());
        let media = reply.header("content-type").unwrap().split(';').next().unwrap();
        let schema = &documented["content"][media]["schema"];
        assert!(schema.is_object(), "{row} {status} does not document {media}");
        self.seen.insert(format!("{row} {status}"));
        if !media.ends_with("json") || media.ends_with("x-ndjson") {
            return Value::Null;
        }
        let body = reply.json();
        if let Err(fault) = fits(&self.document, schema, &body, "") {
            panic!("{row} {status}: {fault}\n{body:#}");
        }
        body
    }
}

/// Checks the parts of JSON Schema that the document uses: references, types, members and which of
/// them must be there, items, and choices. What is sent and not documented is a fault as well.
fn fits(document: &Value, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    fits_in_part(document, schema, value, at)?;
    let mut known = BTreeSet::new();
    if members(document, schema, &mut known) && !known.is_empty() {
        let mut names = value.as_object().into_iter().flat_map(|value| value.keys());
        if let Some(name) = names.find(|name| !known.contains(name.as_str())) {
            return Err(format!("{at}/{name} is not documented"));
        }
    }
    Ok(())
}

/// Collects the members that a schema names. Returns whether these are all there may be.
fn members<'d>(document: &'d Value, schema: &'d Value, known: &mut BTreeSet<&'d str>) -> bool {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = document.pointer(reference.trim_start_matches('#'));
        return target.is_none_or(|target| members(document, target, known));
    }
    known.extend(
        schema["properties"].as_object().into_iter().flatten().map(|(name, _)| name.as_str()),
    );
    let parts = schema["allOf"].as_array().into_iter().flatten();
    let parts: Vec<_> = parts.map(|part| members(document, part, known)).collect();
    let has_choices = schema["oneOf"].is_array() || schema["anyOf"].is_array();
    parts.iter().all(|is_all| *is_all) && schema["additionalProperties"].is_null() && !has_choices
}

fn fits_in_part(document: &Value, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = document.pointer(reference.trim_start_matches('#')).ok_or(reference)?;
        return fits_in_part(document, target, value, at);
    }
    for part in schema["allOf"].as_array().into_iter().flatten() {
        fits_in_part(document, part, value, at)?;
    }
    if let Some(choices) = schema["oneOf"].as_array().or(schema["anyOf"].as_array()) {
        let faults = choices.iter().map(|choice| fits(document, choice, value, at));
        if !faults.clone().any(|fault| fault.is_ok()) {
            return Err(format!("{at} is none of the choices: {:?}", faults.collect::<Vec<_>>()));
        }
    }
    let types: Vec<_> = match &schema["type"] {
        Value::String(one) => vec![one.as_str()],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => return Ok(()),
    };
    if !types.iter().any(|name| is_a(name, value)) {
        return Err(format!("{at} should be {types:?}"));
    }
    let known = schema["properties"].as_object();
    for name in schema["required"].as_array().into_iter().flatten() {
        let name = name.as_str().unwrap_or_default();
        if value.is_object() && value.get(name).is_none() {
            return Err(format!("{at}/{name} is missing"));
        }
    }
    for (name, member) in value.as_object().into_iter().flatten() {
        if let Some(schema) = known.and_then(|known| known.get(name)) {
            fits(document, schema, member, &format!("{at}/{name}"))?;
        } else if schema["additionalProperties"] == false {
            return Err(format!("{at}/{name} is not documented"));
        } else if let more @ Value::Object(_) = &schema["additionalProperties"] {
            fits(document, more, member, &format!("{at}/{name}"))?;
        }
    }
    for (place, item) in value.as_array().into_iter().flatten().enumerate() {
        fits(document, &schema["items"], item, &format!("{at}/{place}"))?;
    }
    Ok(())
}

fn is_a(name: &str, value: &Value) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "object" => value.is_object(),
        "array" => value.is_array(),
        _ => false,
    }
}

#[test]
fn what_does_not_fit_is_found() {
    let document = json!({"s": {"type": "object", "required": ["a"],
        "properties": {"a": {"type": ["integer", "null"]}, "b": {"type": "array",
        "items": {"oneOf": [{"type": "string"}, {"$ref": "#/s"}]}}}}});
    let schema = json!({"$ref": "#/s"});
    for good in [json!({"a": 1}), json!({"a": null}), json!({"a": 1, "b": ["x", {"a": 2}]})] {
        assert_eq!(fits(&document, &schema, &good, ""), Ok(()), "{good}");
    }
    for bad in [
        json!([]),
        json!({}),
        json!({"a": "1"}),
        json!({"a": 1, "b": [1]}),
        json!({"a": 1, "b": [{}]}),
        json!({"a": 1, "c": 1}),
        json!({"a": 1, "b": [{"a": 2, "c": 1}]}),
    ] {
        assert!(fits(&document, &schema, &bad, "").is_err(), "{bad}");
    }
}

#[tokio::test]
async fn every_answer_is_the_documented_one() {
    let app = TestApp::with_registry().await;
    let mut contract = Contract::new();
    registry(&app, &mut contract).await;
    people(&app, &mut contract).await;
    one_person(&app, &mut contract).await;
    sends(&app, &mut contract).await;
    keys(&app, &mut contract).await;
    heard(&mut contract).await;
    // Whatever is documented as a success was seen.
    let mut missing = BTreeSet::new();
    for (path, item) in contract.document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            for status in operation["responses"].as_object().unwrap().keys() {
                let row = format!("{} {path} {status}", method.to_uppercase());
                if status.starts_with('2')
                    && (path.starts_with("/v1/") || path.starts_with("/compat/"))
                    && !contract.seen.contains(&row)
                {
                    missing.insert(row);
                }
            }
        }
    }
    assert!(missing.is_empty(), "never seen: {missing:#?}");
}

async fn registry(app: &TestApp, contract: &mut Contract) {
    for (row, path, body) in [
        (
            "topics/{id}",
            "topics/news",
            json!({"name": "News", "category": "marketing",
            "description": "What is new", "expires_after_days": 30}),
        ),
        (
            "statements/{id}",
            "statements/s2",
            json!({"business_name": "Toko", "texts": {"en": "Yes"},
            "topics": ["news"]}),
        ),
        ("portfolios/{id}", "portfolios/p2", json!({"name": "Two", "messaging_limit": null})),
        (
            "senders/{id}",
            "senders/1002",
            json!({"portfolio": "p2", "number": "+12025550111",
            "status": "CONNECTED", "quality": "UNKNOWN"}),
        ),
        (
            "templates/{name}/{language}",
            "templates/news/en",
            json!({"topic": "news",
            "category": "marketing", "status": "PAUSED"}),
        ),
    ] {
        let put = format!("PUT /v1/{row}");
        for _ in 0..2 {
            contract.hold(&put, app.put(&format!("/v1/{path}")).json(&body)).await;
        }
        contract.hold(&format!("GET /v1/{row}"), app.get(&format!("/v1/{path}"))).await;
        let list = path.split('/').next().unwrap();
        contract.hold(&format!("GET /v1/{list}"), app.get(&format!("/v1/{list}?limit=1"))).await;
    }
    contract.hold("GET /v1/topics/{id}", app.get("/v1/topics/nothing")).await;
}

async fn people(app: &TestApp, contract: &mut Contract) {
    let source = json!({"type": "web_form"});
    let opt_in = json!({"number": ANN, "topics": ["orders"], "source": source, "statement": "signup",
        "evidence": {"ip": "192.0.2.1"}});
    contract.hold("POST /v1/opt-ins", app.post("/v1/opt-ins").json(&opt_in)).await;
    let form = json!({"name": "form", "kind": "publishable", "scopes": ["optins:write"],
        "origins": ["https://shop.example"]});
    let form = text(&app.post("/v1/keys").json(&form).expect(201).await["key"]);
    let opt_in = json!({"number": ANN, "topics": ["orders"], "source": source});
    let call = app.post("/v1/opt-ins").key(&form).header("origin", "https://shop.example");
    contract.hold("POST /v1/opt-ins", call.json(&opt_in)).await;
    let opt_out = json!({"number": "+12025550102", "source": source, "reason": "asked"});
    contract.hold("POST /v1/opt-outs", app.post("/v1/opt-outs").json(&opt_out)).await;
    contract.hold("POST /v1/opt-outs", app.post("/v1/opt-outs").json(&json!({}))).await;
    contract.hold("GET /v1/changes", app.get("/v1/changes?limit=1000")).await;
    let ann = |path: &str| format!("/v1/contacts/{ANN}{path}");
    for (row, call) in [
        (
            "PUT /v1/contacts/{ref}/identity",
            app.put(&ann("/identity")).json(&json!({"hash": "h1"})),
        ),
        (
            "POST /v1/contacts/{ref}/identity/confirm",
            app.post(&ann("/identity/confirm"))
                .json(&json!({"hash": "h1", "evidence": {"note": "by phone"}})),
        ),
        ("POST /v1/contacts/{ref}/block", app.post(&ann("/block")).json(&json!({"reason": "r"}))),
        ("POST /v1/contacts/{ref}/unblock", app.post(&ann("/unblock"))),
        (
            "POST /v1/contacts/{ref}/traffic",
            app.post(&ann("/traffic")).json(&json!({"kind": "inbound", "sender": "1001"})),
        ),
        ("GET /v1/contacts/{ref}", app.get(&ann(""))),
        ("GET /v1/contacts/{ref}/history", app.get(&ann("/history?limit=2"))),
    ] {
        contract.hold(row, call).await;
    }
    questions(app, contract).await;
}

async fn questions(app: &TestApp, contract: &mut Contract) {
    for query in [
        format!("number={ANN}&topic=orders"),
        "number=%2B12025550102&topic=orders".into(),
        format!("number={ANN}&template=shipped&sender=1001"),
        "number=hello&topic=orders".into(),
    ] {
        contract.hold("GET /v1/eligibility", app.get(&format!("/v1/eligibility?{query}"))).await;
    }
    for detail in ["full", "reasons", "totals"] {
        let body = json!({"recipients": [ANN, "+12025550102", {"number": "x", "ref": "r"}],
            "topic": "orders", "detail": detail});
        contract.hold("POST /v1/eligibility", app.post("/v1/eligibility").json(&body)).await;
    }
    let lines = format!("{{\"topic\":\"orders\"}}\n\"{ANN}\"\n");
    let call = app.post("/v1/eligibility").body("application/x-ndjson", lines);
    contract.hold("POST /v1/eligibility", call).await;
    let body = json!({"numbers": [ANN, "+12025550103", "hello"]});
    contract.hold("POST /v1/verifications", app.post("/v1/verifications").json(&body)).await;
    contract.hold("GET /v1/verifications/budget", app.get("/v1/verifications/budget")).await;
    let call = app.get("/v1/verifications/outstanding");
    contract.hold("GET /v1/verifications/outstanding", call).await;
    bulk(app, contract).await;
    let body = json!({"contacts": [ANN, "+12025550103", "hello"]});
    let call = app.post("/compat/v1/contacts").json(&body);
    contract.hold("POST /compat/v1/contacts", call).await;
    let call = app.get("/v1/numbers?input=0812-9999-8888&region=ID");
    contract.hold("GET /v1/numbers", call).await;
    contract.hold("GET /v1/numbers", app.get("/v1/numbers?input=hello")).await;
    for format in ["csv", "ndjson"] {
        let call = app.get(&format!("/v1/exports/consents?format={format}"));
        contract.hold("GET /v1/exports/consents", call).await;
    }
    contract.hold("GET /v1/exports/ledger", app.get("/v1/exports/ledger")).await;
}

async fn bulk(app: &TestApp, contract: &mut Contract) {
    let body = json!({"numbers": [ANN, "hello"]});
    let call = app.post("/v1/verifications/bulk").json(&body);
    let taken = contract.hold("POST /v1/verifications/bulk", call).await;
    let path = format!("/v1/jobs/{}", text(&taken["job"]["id"]));
    contract.hold("DELETE /v1/jobs/{id}", app.delete(&path)).await;
    contract.hold("GET /v1/jobs/{id}", app.get(&path)).await;
    let call = app.get(&format!("{path}/result"));
    contract.hold("GET /v1/jobs/{id}/result", call).await;
    contract.hold("GET /v1/jobs/{id}", app.get("/v1/jobs/nothing")).await;
}

async fn one_person(app: &TestApp, contract: &mut Contract) {
    // With and without the 9 of mobiles: they may be one person.
    for number in ["+541120000001", "+5491120000001"] {
        app.opt_in(number, "orders").await;
    }
    let call = app.get("/v1/contacts/duplicates");
    let found = contract.hold("GET /v1/contacts/duplicates", call).await;
    assert_eq!(found["pairs"].as_array().unwrap().len(), 1);
    let body = json!({"from": "+541120000001", "into": "+5491120000001", "reason": "told us so"});
    for _ in 0..2 {
        let call = app.post("/v1/contacts/merge").json(&body);
        contract.hold("POST /v1/contacts/merge", call).await;
    }
}

async fn heard(contract: &mut Contract) {
    let app = webhooks::start().await;
    let point = json!({"name": "Counter", "topics": ["orders"],
        "language": "en", "sender": "1001"});
    for _ in 0..2 {
        let call = app.put("/v1/entry-points/counter").json(&point);
        contract.hold("PUT /v1/entry-points/{slug}", call).await;
    }
    let call = app.get("/v1/entry-points/counter");
    contract.hold("GET /v1/entry-points/{slug}", call).await;
    let call = app.get("/v1/entry-points?limit=1");
    contract.hold("GET /v1/entry-points", call).await;
    let doubt = webhooks::text("doubt", NOON_S, "please can you stop sending me these");
    webhooks::hear(&app, &doubt).await;
    let open = contract.hold("GET /v1/reviews", app.get("/v1/reviews")).await;
    let call = app.post(&format!("/v1/reviews/{}", open["data"][0]["id"]));
    let decision = json!({"decision": "opt_out", "note": "asked by phone"});
    contract.hold("POST /v1/reviews/{id}", call.json(&decision)).await;
    incidents::many_fail(&app).await;
    let going_on = contract.hold("GET /v1/incidents", app.get("/v1/incidents")).await;
    assert_eq!(going_on["data"].as_array().unwrap().len(), 1, "an item is held as well");
    contract.hold("GET /v1/webhooks/log", app.get("/v1/webhooks/log")).await;
    let call = app.get("/v1/contacts/%2B12025550123");
    contract.hold("GET /v1/contacts/{ref}", call).await;
}

/// Policy, limits, campaigns, and many messages at once.
async fn paces(app: &TestApp, contract: &mut Contract) {
    let policy = json!({"packs": {"us": {"on": true}}, "settings": {"frequency_caps": []}});
    let call = app.post("/v1/policy/simulate").json(&policy);
    contract.hold("POST /v1/policy/simulate", call).await;
    contract.hold("PUT /v1/policy", app.put("/v1/policy").json(&policy)).await;
    contract.hold("GET /v1/policy", app.get("/v1/policy")).await;
    let call = app.get("/v1/portfolios/p1/capacity");
    contract.hold("GET /v1/portfolios/{id}/capacity", call).await;
    let preview = json!({"template": "shipped", "sender": "1001", "recipients": [ANN, "hello"]});
    let call = app.post("/v1/eligibility/preview").json(&preview);
    contract.hold("POST /v1/eligibility/preview", call).await;
    let one = json!({"number": ANN, "kind": "template", "template": "shipped", "sender": "1001"});
    let batch = json!({"sends": [one, {"number": "hello", "kind": "template", "sender": "1001"}]});
    contract.hold("POST /v1/sends/batch", app.post("/v1/sends/batch").json(&batch)).await;
}

async fn sends(app: &TestApp, contract: &mut Contract) {
    paces(app, contract).await;
    let send = json!({"number": ANN, "kind": "template", "template": "shipped", "sender": "1001"});
    let mut tickets = Vec::new();
    for _ in 0..2 {
        let ticket = contract.hold("POST /v1/sends", app.post("/v1/sends").json(&send)).await;
        tickets.push(text(&ticket["id"]));
    }
    let commit = app.post(&format!("/v1/sends/{}/commit", tickets[0]));
    contract
        .hold("POST /v1/sends/{id}/commit", commit.json(&json!({"message_id": "wamid.1"})))
        .await;
    let release = app.post(&format!("/v1/sends/{}/release", tickets[1]));
    contract.hold("POST /v1/sends/{id}/release", release).await;
    let send = json!({"number": "+12025550102", "kind": "template", "template": "shipped",
        "sender": "1001"});
    contract.hold("POST /v1/sends", app.post("/v1/sends").json(&send)).await;
}

async fn keys(app: &TestApp, contract: &mut Contract) {
    let body = json!({"name": "n", "scopes": ["registry:read"], "expires_at": app.moment(60)});
    for _ in 0..2 {
        let call = app.post("/v1/keys").header("idempotency-key", "k").json(&body);
        contract.hold("POST /v1/keys", call).await;
    }
    let list = contract.hold("GET /v1/keys", app.get("/v1/keys")).await;
    let path = format!("/v1/keys/{}", text(&list["data"][0]["id"]));
    contract.hold("POST /v1/keys/{id}/rotate", app.post(&format!("{path}/rotate"))).await;
    contract.hold("DELETE /v1/keys/{id}", app.delete(&path)).await;
    contract.hold("GET /v1/keys", app.get("/v1/keys").anonymous()).await;
}
