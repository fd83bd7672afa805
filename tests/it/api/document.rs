//! The published contract is the one the code keeps.

use std::{collections::BTreeSet, fs, path::Path};

use izin::http::{openapi, problem, routes::TABLE};
use serde_json::Value;

use crate::app::TestApp;

fn published(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("api").join(name);
    fs::read_to_string(path).unwrap()
}

fn same(name: &str, made: &str, command: &str) {
    assert!(
        published(name) == made,
        "api/{name} is not what the code says; run `cargo run -- {command} > api/{name}`"
    );
}

#[tokio::test]
async fn the_served_document_is_the_published_one() {
    same("openapi.json", &openapi::document(), "openapi");
    let app = TestApp::start();
    let served = app.get("/openapi.json").anonymous().send().await;
    assert_eq!(served.header("content-type"), Some("application/json"));
    assert_eq!(served.text(), published("openapi.json"));
    assert!(served.json()["openapi"].as_str().unwrap().starts_with("3.1"));
}

#[test]
fn the_published_problems_are_those_of_the_code() {
    same("problems.md", &problem::document(), "problems");
}

#[test]
fn the_document_lists_exactly_the_calls_there_are() {
    let document: Value = serde_json::from_str(&openapi::document()).unwrap();
    let mut listed = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let methods = item.as_object().unwrap().keys();
        listed.extend(methods.map(|method| (path.clone(), method.to_uppercase())));
    }
    let is_documented = |path: &str| path.starts_with("/v1/") || path.starts_with("/compat/");
    listed.retain(|(path, _)| is_documented(path));
    let rows = TABLE.iter().filter(|row| is_documented(row.path));
    let served: BTreeSet<_> =
        rows.map(|row| (row.path.to_owned(), row.method.to_owned())).collect();
    assert_eq!(listed, served);
}

#[test]
fn every_call_is_under_a_heading_that_says_what_it_is_for() {
    let document: Value = serde_json::from_str(&openapi::document()).unwrap();
    let headings = document["tags"].as_array().unwrap();
    let named: BTreeSet<_> = headings.iter().filter_map(|tag| tag["name"].as_str()).collect();
    let calls = document["paths"].as_object().unwrap().values();
    let calls = calls.flat_map(|item| item.as_object().unwrap().values());
    let used: BTreeSet<_> = calls.filter_map(|call| call["tags"][0].as_str()).collect();
    assert_eq!(named, used);
    assert!(headings.iter().all(|tag| !tag["description"].as_str().unwrap().is_empty()));
}

/// Returns each call of the document with its method and path.
fn calls(document: &Value) -> impl Iterator<Item = (String, &Value)> {
    let items = document["paths"].as_object().unwrap().iter();
    items.flat_map(|(path, item)| {
        let calls = item.as_object().unwrap().iter();
        calls.map(move |(method, call)| (format!("{} {path}", method.to_uppercase()), call))
    })
}

#[test]
fn every_call_has_a_name_of_its_own_and_every_answer_says_what_it_is() {
    let document: Value = serde_json::from_str(&openapi::document()).unwrap();
    let mut names = BTreeSet::new();
    for (call, operation) in calls(&document) {
        let name = operation["operationId"].as_str().unwrap();
        let is_plain = name.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric());
        assert!(is_plain && names.insert(name), "{call}: {name}");
        // A body may be left out; none of the calls takes `null` for one.
        assert!(!operation["requestBody"].to_string().contains("\"null\""), "{call}");
        for (status, response) in operation["responses"].as_object().unwrap() {
            let description = response["description"].as_str();
            assert!(description.is_some_and(|text| text.len() > 5), "{call} {status}");
            let is_described = response["content"].is_object();
            assert!(is_described, "{call} {status} has no body");
        }
    }
    assert!(names.len() > 60, "{names:?}");
}

#[test]
fn an_idempotency_key_is_documented_where_something_is_written() {
    let document: Value = serde_json::from_str(&openapi::document()).unwrap();
    for (call, operation) in calls(&document) {
        let mut parameters = operation["parameters"].as_array().into_iter().flatten();
        let has_key = parameters.any(|one| one["name"] == "Idempotency-Key");
        let is_question = [
            "/v1/eligibility",
            "/v1/eligibility/preview",
            "/v1/policy/simulate",
            "/webhooks/whatsapp",
        ];
        let (method, path) = call.split_once(' ').unwrap();
        let writes = matches!(method, "POST" | "PUT") && !is_question.contains(&path);
        assert_eq!(has_key, writes, "{call}");
    }
}

#[test]
fn every_reference_of_the_document_leads_somewhere() {
    fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::Object(members) => {
                found.extend(members.get("$ref").and_then(Value::as_str));
                members.values().for_each(|member| references(member, found));
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let document: Value = serde_json::from_str(&openapi::document()).unwrap();
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(!found.is_empty());
    for reference in found {
        let target = document.pointer(reference.trim_start_matches('#'));
        assert!(target.is_some(), "{reference}");
    }
}

#[tokio::test]
async fn the_pages_need_nothing_from_elsewhere() {
    let app = TestApp::start();
    let home = app.get("/").anonymous().send().await;
    assert_eq!((home.status.as_u16(), home.header("location")), (303, Some("/docs")));
    for path in ["/docs", "/docs/problems"] {
        let page = app.get(path).anonymous().send().await;
        assert_eq!(page.status, 200);
        let policy = page.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'"), "{policy}");
        assert!(!page.text().contains("src=\"http"), "{path}");
    }
    let problems = app.get("/docs/problems").anonymous().send().await.text();
    for code in problem::CODES {
        assert!(problems.contains(&format!("id=\"{}\"", code.name)), "{}", code.name);
    }
    assert!(problems.contains("<code>Authorization: Bearer &lt;key&gt;</code>"), "{problems}");
    app.get("/docs/../Cargo.toml").anonymous().problem(404, "not_found").await;
    app.get("/docs/nothing.js").anonymous().problem(404, "not_found").await;
    let ready = app.get("/readyz").anonymous().expect(200).await;
    assert_eq!(ready["ready"], true);
}
