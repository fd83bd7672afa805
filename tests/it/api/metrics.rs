//! `/metrics`: what a monitor reads, and that nobody else does.

use serde_json::json;

use super::{SHOP, publishable};
use crate::app::TestApp;

const ANN: &str = "+12025550101";

/// Returns the value of one line.
fn value<'a>(page: &'a str, line: &str) -> &'a str {
    let found = page.lines().find_map(|shown| shown.strip_prefix(line)?.strip_prefix(' '));
    found.unwrap_or_else(|| panic!("no {line} in {page}"))
}

/// Returns a value in thousandths, which leaves no fraction.
fn thousandths(page: &str, line: &str) -> u64 {
    let (whole, rest) = value(page, line).split_once('.').unwrap();
    assert_eq!(rest.len(), 3);
    format!("{whole}{rest}").parse().unwrap()
}

async fn page(app: &TestApp) -> String {
    let reply = app.get("/metrics").send().await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let media = "text/plain; version=0.0.4; charset=utf-8";
    assert_eq!(reply.header("content-type"), Some(media));
    reply.text()
}

fn requests<'a>(page: &'a str, method: &str, route: &str, status: &str) -> &'a str {
    let labels = format!("{{method=\"{method}\",route=\"{route}\",status=\"{status}\"}}");
    value(page, &format!("izin_http_requests_total{labels}"))
}

#[tokio::test]
async fn measurements_need_a_key_with_their_scope_wherever_the_caller_is() {
    let app = TestApp::with_registry().await;
    app.get("/metrics").anonymous().problem(401, "key_missing").await;
    let forwarded = app.get("/metrics").anonymous().header("x-forwarded-for", "127.0.0.1");
    forwarded.problem(401, "key_missing").await;
    let (others, _) = app.key(&["exports:read", "ledger:read"]).await;
    app.get("/metrics").key(&others).problem(403, "scope_missing").await;
    let (public, _) = publishable(&app, &["numbers:read"], SHOP).await;
    let call = app.get("/metrics").key(&public).header("origin", SHOP);
    call.problem(403, "scope_missing").await;
    let (monitor, _) = app.key(&["metrics:read"]).await;
    assert_eq!(app.get("/metrics").key(&monitor).send().await.status, 200);
    let body = json!({"name": "n", "kind": "publishable", "scopes": ["metrics:read"],
        "origins": [SHOP]});
    app.post("/v1/keys").json(&body).problem(422, "body_invalid").await;
}

#[tokio::test]
async fn measurements_follow_what_happens() {
    let app = TestApp::with_registry().await;
    let before = page(&app).await;
    let (version, numbering) = (env!("CARGO_PKG_VERSION"), izin::numbers::metadata_version());
    let labels = format!("{{version=\"{version}\",numbering=\"{numbering}\"}}");
    assert_eq!(value(&before, &format!("izin_build_info{labels}")), "1");
    app.opt_in(ANN, "orders").await;
    let made = app.opt_in("+12025550102", "orders").await;
    app.ask(ANN, "orders").await;
    app.get("/v1/contacts/+12025550199").problem(404, "contact_unknown").await;
    app.get("/v1/nothing").problem(404, "not_found").await;
    app.delete("/v1/opt-ins").problem(405, "method_not_allowed").await;
    app.clock.advance_ms(61_250);
    let after = page(&app).await;
    let contacts = |page: &str| value(page, "izin_contacts").parse::<u64>().unwrap();
    assert_eq!(contacts(&after), contacts(&before) + 2);
    assert_eq!(value(&after, "izin_ledger_seq"), made["receipt"]["seq"].to_string());
    let uptime = |page: &str| thousandths(page, "izin_uptime_seconds");
    assert_eq!(uptime(&after), uptime(&before) + 61_250);
    assert_eq!(value(&after, "izin_ledger_read_only"), "0");
    assert_eq!(value(&after, "izin_store_failed"), "0");
    assert_eq!(value(&after, "izin_ledger_queue_room"), "4096");
    assert_eq!(value(&after, "izin_lookup_budget_left"), "20");
    assert!(!after.contains("breaker_state"), "nobody is asked");
    for (method, route, status, count) in [
        ("POST", "/v1/opt-ins", "2xx", "2"),
        ("POST", "/v1/opt-ins", "4xx", "0"),
        ("GET", "/v1/eligibility", "2xx", "1"),
        ("GET", "/v1/contacts/{ref}", "4xx", "1"),
        ("any", "unmatched", "4xx", "2"),
        ("GET", "/metrics", "2xx", "1"),
        ("OPTIONS", "preflight", "4xx", "0"),
    ] {
        let shown = requests(&after, method, route, status);
        assert_eq!(shown, count, "{method} {route} {status}");
    }
}

#[tokio::test]
async fn every_line_is_one_prometheus_reads_and_names_nobody() {
    let provider = [("IZIN_VERIFY_PROVIDER", "waha"), ("IZIN_VERIFY_URL", "http://127.0.0.1:9")];
    let app = TestApp::with_registry_and(&provider).await;
    let (key, id) = app.key(&["contacts:read"]).await;
    app.opt_in(ANN, "orders").await;
    app.get(&format!("/v1/contacts/{ANN}")).key(&key).expect(200).await;
    let page = page(&app).await;
    assert!(page.ends_with('\n') && !page.contains("\n\n"));
    let mut typed = Vec::new();
    for line in page.lines() {
        if let Some(about) = line.strip_prefix("# TYPE ") {
            let (name, kind) = about.split_once(' ').unwrap();
            assert!(matches!(kind, "gauge" | "counter") && !typed.contains(&name), "{line}");
            typed.push(name);
        } else if !line.starts_with("# HELP ") {
            let (series, value) = line.rsplit_once(' ').unwrap();
            let name = series.split('{').next().unwrap();
            assert_eq!(typed.last(), Some(&name), "{line}");
            assert!(value.bytes().all(|b| b.is_ascii_digit() || b == b'.'), "{line}");
            assert_eq!(series.contains('{'), series.ends_with('}'), "{line}");
        }
    }
    assert_eq!(value(&page, "izin_provider_breaker_state{state=\"closed\"}"), "1");
    assert_eq!(value(&page, "izin_provider_breaker_state{state=\"open\"}"), "0");
    for secret in [ANN.trim_start_matches('+'), "5550101", key.as_str(), id.as_str()] {
        assert!(!page.contains(secret), "{secret}");
    }
}
