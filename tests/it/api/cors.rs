//! What browsers ask before a page calls with a publishable key, and what they let it see.

use reqwest::Method;
use serde_json::json;

use super::{SHOP, publishable};
use crate::app::{Call, Reply, TestApp};

const ANN: &str = "+12025550101";
const ALLOW_ORIGIN: &str = "access-control-allow-origin";

fn preflight(app: &TestApp, path: &str, origin: &str, method: &str) -> Call {
    let call = app.call(Method::OPTIONS, path).anonymous().header("origin", origin);
    let headers = "authorization,content-type,idempotency-key";
    call.header("access-control-request-method", method)
        .header("access-control-request-headers", headers)
}

fn capture(app: &TestApp, number: &str) -> Call {
    let body = json!({"number": number, "topics": ["orders"], "source": {"type": "web_form"}});
    app.post("/v1/opt-ins").json(&body)
}

fn assert_closed(reply: &Reply) {
    assert_eq!(reply.header(ALLOW_ORIGIN), None, "{}", reply.text());
    assert_eq!(reply.header("access-control-allow-credentials"), None);
}

#[tokio::test]
async fn a_preflight_is_answered_for_the_origins_of_keys_that_work() {
    let app = TestApp::with_registry().await;
    preflight(&app, "/v1/opt-ins", SHOP, "POST").problem(403, "origin_refused").await;
    let (_, id) = publishable(&app, &["optins:write"], SHOP).await;
    let reply = preflight(&app, "/v1/opt-ins", SHOP, "POST").send().await;
    assert_eq!((reply.status.as_u16(), reply.body.len()), (204, 0));
    for (name, value) in [
        (ALLOW_ORIGIN, SHOP),
        ("access-control-allow-methods", "POST"),
        (
            "access-control-allow-headers",
            "authorization, content-type, idempotency-key, traceparent, x-request-id",
        ),
        ("access-control-max-age", "600"),
        ("vary", "Origin"),
    ] {
        assert_eq!(reply.header(name), Some(value), "{name}");
    }
    assert_eq!(reply.header("access-control-allow-credentials"), None);
    assert!(reply.header("x-request-id").is_some());

    for origin in ["https://shop.example.evil.example", "http://shop.example", "null", "*"] {
        let refused = preflight(&app, "/v1/opt-ins", origin, "POST").send().await;
        refused.problem(403, "origin_refused");
        assert_closed(&refused);
        assert_eq!(refused.header("vary"), Some("Origin"));
    }
    app.delete(&format!("/v1/keys/{id}")).expect(200).await;
    preflight(&app, "/v1/opt-ins", SHOP, "POST").problem(403, "origin_refused").await;
}

#[tokio::test]
async fn a_preflight_goes_by_the_scopes_and_the_end_of_the_keys() {
    let app = TestApp::with_registry().await;
    let body = json!({"name": "form", "kind": "publishable", "scopes": ["numbers:read"],
        "origins": [SHOP], "expires_at": app.moment(60)});
    app.post("/v1/keys").json(&body).expect(201).await;
    let reply = preflight(&app, "/v1/numbers", SHOP, "GET").send().await;
    assert_eq!(reply.header("access-control-allow-methods"), Some("GET"));
    preflight(&app, "/v1/opt-ins", SHOP, "POST").problem(403, "origin_refused").await;
    app.clock.advance_ms(60_000);
    preflight(&app, "/v1/numbers", SHOP, "GET").problem(403, "origin_refused").await;
}

#[tokio::test]
async fn what_no_publishable_key_may_call_is_not_opened_to_browsers() {
    let app = TestApp::with_registry().await;
    publishable(&app, &["optins:write", "numbers:read"], SHOP).await;
    for path in ["/v1/eligibility", "/v1/contacts/+12025550101", "/v1/keys", "/livez", "/metrics"] {
        let reply = preflight(&app, path, SHOP, "GET").send().await;
        reply.problem(405, "method_not_allowed");
        assert_closed(&reply);
    }
    for (path, allow) in
        [("/v1/opt-ins", "POST"), ("/v1/numbers", "GET, HEAD"), ("/livez", "GET, HEAD")]
    {
        let reply = app.call(Method::OPTIONS, path).anonymous().send().await;
        reply.problem(405, "method_not_allowed");
        assert_eq!(reply.header("allow"), Some(allow), "{path}");
    }
    let reply = app.call(Method::OPTIONS, "/v1/nothing").anonymous().send().await;
    reply.problem(404, "not_found");
}

#[tokio::test]
async fn every_reply_to_a_publishable_key_is_open_to_its_own_origin() {
    let limit = ("IZIN_KEYS__PUBLIC_WRITES_PER_MINUTE_IP", "2");
    let app = TestApp::with_registry_and(&[limit]).await;
    let (key, _) = publishable(&app, &["optins:write"], SHOP).await;
    publishable(&app, &["optins:write"], "https://other.example").await;
    let page = |call: Call, origin: &str| call.key(&key).header("origin", origin).send();
    for (number, status) in [(ANN, 202), ("hello", 422), (ANN, 429)] {
        let reply = page(capture(&app, number), SHOP).await;
        assert_eq!(reply.status.as_u16(), status, "{}", reply.text());
        assert_eq!(reply.header(ALLOW_ORIGIN), Some(SHOP));
        assert_eq!(reply.header("vary"), Some("Origin"));
        assert_eq!(reply.header("access-control-allow-credentials"), None);
        let exposed = reply.header("access-control-expose-headers").unwrap();
        for name in ["RateLimit", "RateLimit-Policy", "Retry-After", "X-Request-Id"] {
            assert!(exposed.split(", ").any(|shown| shown == name), "{name}");
        }
    }
    let denied = page(app.get("/v1/topics"), SHOP).await;
    denied.problem(403, "scope_missing");
    assert_eq!(denied.header(ALLOW_ORIGIN), Some(SHOP));
    for elsewhere in ["https://other.example", "https://evil.example"] {
        let reply = page(capture(&app, ANN), elsewhere).await;
        reply.problem(403, "origin_refused");
        assert_closed(&reply);
    }
}

#[tokio::test]
async fn nothing_else_is_opened_to_pages() {
    let app = TestApp::with_registry().await;
    publishable(&app, &["optins:write"], SHOP).await;
    for call in [
        capture(&app, ANN),
        capture(&app, ANN).key("izin_pk_nonsense"),
        app.get("/v1/topics"),
        app.get("/livez").anonymous(),
        app.get("/openapi.json").anonymous(),
    ] {
        assert_closed(&call.header("origin", SHOP).send().await);
    }
}
