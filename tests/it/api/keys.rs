//! API keys: made, listed, rotated, revoked; what each may do, and how wrong ones are met.

use izin::{
    domain::access::{KeyKind, Scope},
    http::{door::Access, routes::TABLE},
};
use reqwest::Method;
use serde_json::{Value, json};

use super::{SHOP, publishable};
use crate::app::{Call, Reply, TestApp, text};

const ANN: &str = "+12025550101";

fn whole_path(path: &str) -> String {
    path.replace("{ref}", ANN)
        .replace("{id}", "1001")
        .replace("{name}", "shipped")
        .replace("{language}", "en")
        .replace("{slug}", "counter")
        .replace("{file}", "start.js")
}

fn topics(app: &TestApp, key: &str) -> Call {
    app.get("/v1/topics").key(key)
}

fn capture(app: &TestApp, key: &str) -> Call {
    let body = json!({"number": ANN, "topics": ["orders"], "source": {"type": "web_form"}});
    app.post("/v1/opt-ins").key(key).json(&body)
}

#[tokio::test]
async fn every_call_needs_a_key_with_its_scope_and_only_that() {
    let app = TestApp::with_registry().await;
    let needed = |access| match access {
        Access::Scope(scope) => Some(scope),
        // Without settings WhatsApp's calls are off, whatever key is shown.
        Access::Open | Access::Signed => None,
    };
    for row in TABLE {
        let path = whole_path(row.path);
        let call = || app.call(Method::from_bytes(row.method.as_bytes()).unwrap(), &path);
        let Some(scope) = needed(row.access) else {
            let expected = match (row.access, row.path) {
                (Access::Open, "/") => 303,
                (Access::Open, _) => 200,
                _ => 503,
            };
            assert_eq!(call().anonymous().send().await.status, expected, "{path}");
            continue;
        };
        let reply = call().anonymous().send().await;
        reply.problem(401, "key_missing");
        assert_eq!(reply.header("www-authenticate"), Some("Bearer"));
        let others: Vec<_> =
            Scope::ALL.iter().filter(|one| **one != scope).map(|one| one.text()).collect();
        let (without, _) = app.key(&others).await;
        let problem = call().key(&without).problem(403, "scope_missing").await;
        assert_eq!(problem["scope"], scope.text(), "{} {path}", row.method);
        let (with, _) = app.key(&[scope.text()]).await;
        let reply = call().key(&with).send().await;
        assert!(!matches!(reply.status.as_u16(), 401 | 403 | 500), "{path}: {}", reply.text());
    }
}

#[tokio::test]
async fn a_key_is_shown_once_and_listed_without_its_text() {
    let app = TestApp::with_registry().await;
    let (key, id) = app.key(&["registry:read"]).await;
    assert!(key.starts_with("izin_sk_") && key.contains(&id));
    topics(&app, &key).expect(200).await;
    let list = app.get("/v1/keys").send().await;
    assert!(!list.text().contains(&key));
    let shown = &list.json()["data"][0];
    assert_eq!(shown["id"], id.as_str());
    assert_eq!(shown["scopes"], json!(["registry:read"]));
    for bad in [
        json!({"name": "n", "scopes": []}),
        json!({"name": "n", "scopes": ["everything"]}),
        json!({"name": "", "scopes": ["registry:read"]}),
        json!({"name": "n", "scopes": ["registry:read"], "origins": [SHOP]}),
        json!({"name": "n", "scopes": ["registry:read"], "kind": "publishable",
            "origins": [SHOP]}),
        json!({"name": "n", "scopes": ["optins:write"], "kind": "publishable"}),
        json!({"name": "n", "scopes": ["registry:read"], "expires_at": app.moment(-1)}),
    ] {
        app.post("/v1/keys").json(&bad).problem(422, "body_invalid").await;
    }
}

#[tokio::test]
async fn a_key_makes_no_key_that_may_do_more_than_itself() {
    let app = TestApp::with_registry().await;
    let (manager, _) = app.key(&["keys:manage", "registry:read"]).await;
    let (strong, strong_id) = app.key(&["exports:read"]).await;
    let make = |scope: &str| {
        let body = json!({"name": "n", "scopes": [scope]});
        app.post("/v1/keys").key(&manager).json(&body)
    };
    make("registry:read").expect(201).await;
    make("exports:read").problem(403, "scope_missing").await;
    let rotate = app.post(&format!("/v1/keys/{strong_id}/rotate")).key(&manager);
    rotate.problem(403, "scope_missing").await;
    topics(&app, &strong).problem(403, "scope_missing").await;
}

#[tokio::test]
async fn a_rotated_key_works_with_both_texts_until_the_overlap_ends() {
    let mut app = TestApp::with_registry().await;
    let (old, id) = app.key(&["registry:read"]).await;
    let path = format!("/v1/keys/{id}/rotate");
    let made = app.post(&path).json(&json!({"overlap_s": 3_600})).expect(200).await;
    let new = text(&made["key"]);
    assert_eq!(made["id"], id.as_str());
    assert_eq!(made["old_until"], app.moment(3_600));
    app.restart();
    for key in [&old, &new] {
        topics(&app, key).expect(200).await;
    }
    app.wait_hours(1);
    topics(&app, &old).problem(401, "key_invalid").await;
    topics(&app, &new).expect(200).await;
    let long = json!({"overlap_s": 7 * 24 * 3_600 + 1});
    app.post(&path).json(&long).problem(422, "body_invalid").await;
    app.post("/v1/keys/nonsense/rotate").problem(404, "key_unknown").await;
}

#[tokio::test]
async fn a_rotation_takes_no_body_for_none() {
    let app = TestApp::with_registry().await;
    let (old, id) = app.key(&["registry:read"]).await;
    let path = format!("/v1/keys/{id}/rotate");
    for body in ["{\"overlap_s\":0}", "{nope"] {
        let builder = app.post(&path).body("text/plain", body);
        builder.problem(415, "content_type").await;
        app.post(&path).bare_body(body).problem(415, "content_type").await;
    }
    topics(&app, &old).expect(200).await;
    app.post(&path).json(&json!({"overlap_s": 0})).expect(200).await;
    topics(&app, &old).problem(401, "key_invalid").await;
}

#[tokio::test]
async fn a_revoked_or_expired_key_ends_at_once_and_for_good() {
    let app = TestApp::with_registry().await;
    let (key, id) = app.key(&["registry:read"]).await;
    topics(&app, &key).expect(200).await;
    let revoked = app.delete(&format!("/v1/keys/{id}")).expect(200).await;
    assert_eq!(revoked["revoked_at"], app.moment(0));
    topics(&app, &key).problem(401, "key_invalid").await;
    app.post(&format!("/v1/keys/{id}/rotate")).problem(409, "key_revoked").await;
    let short = json!({"name": "n", "scopes": ["registry:read"], "expires_at": app.moment(60)});
    let short = text(&app.post("/v1/keys").json(&short).expect(201).await["key"]);
    topics(&app, &short).expect(200).await;
    app.clock.advance_ms(60_000);
    topics(&app, &short).problem(401, "key_invalid").await;
}

#[tokio::test]
async fn a_publishable_key_captures_from_its_origin_and_learns_nothing() {
    let app = TestApp::with_registry().await;
    let (key, _) = publishable(&app, &["optins:write", "numbers:read"], SHOP).await;
    assert!(key.starts_with("izin_pk_"));
    app.opt_out("+12025550102").await;
    for origin in ["https://evil.example", "https://shop.example.evil.example", "null"] {
        let call = capture(&app, &key).header("origin", origin);
        call.problem(403, "origin_refused").await;
    }
    capture(&app, &key).problem(403, "origin_refused").await;
    let mut bodies = Vec::new();
    for number in [ANN, ANN, "+12025550102"] {
        let body = json!({"number": number, "topics": ["orders"], "source": {"type": "web_form"}});
        let call = app.post("/v1/opt-ins").key(&key).header("origin", SHOP).json(&body);
        bodies.push(call.expect(202).await);
    }
    assert!(bodies.iter().all(|body| *body == json!({"status": "accepted"})));
    for replayed in [None, Some("true")] {
        let call = capture(&app, &key).header("origin", SHOP).header("idempotency-key", "k");
        let reply = call.send().await;
        assert_eq!((reply.status.as_u16(), reply.header("idempotent-replayed")), (202, replayed));
    }
    let decision = app.ask(ANN, "orders").await;
    assert_eq!(decision["reasons"][0]["code"], "pending");
    for row in TABLE {
        let Access::Scope(scope) = row.access else { continue };
        if KeyKind::Publishable.may_hold().contains(scope) {
            continue;
        }
        let method = Method::from_bytes(row.method.as_bytes()).unwrap();
        let call = app.call(method, &whole_path(row.path)).key(&key).header("origin", SHOP);
        call.problem(403, "scope_missing").await;
    }
}

#[tokio::test]
async fn a_publishable_key_can_neither_tie_people_together_nor_choose_the_moment() {
    let app = TestApp::with_registry().await;
    let (key, _) = publishable(&app, &["optins:write"], SHOP).await;
    let known = json!({"user_id": "ID.known", "topics": ["orders"], "source": {"type": "app"}});
    app.post("/v1/opt-ins").json(&known).expect(201).await;
    app.opt_in(ANN, "orders").await;
    let refused = |member: &'static str, value: String| {
        let (app, key) = (&app, key.clone());
        async move {
            let mut body =
                json!({"number": ANN, "topics": ["orders"], "source": {"type": "web_form"}});
            body[member] = value.into();
            let call = app.post("/v1/opt-ins").key(&key).header("origin", SHOP).json(&body);
            let mut problem = call.problem(422, "body_invalid").await;
            assert_eq!(problem["errors"][0]["pointer"], format!("/{member}"));
            problem["request_id"].take();
            problem
        }
    };
    let about_known = refused("user_id", "ID.known".into()).await;
    assert_eq!(about_known, refused("user_id", "ID.stranger".into()).await);
    for moment in [app.moment(0), app.moment(-3_600), app.moment(240)] {
        refused("captured_at", moment).await;
    }
}

#[tokio::test]
async fn a_form_that_sends_twice_hears_so_and_nothing_else() {
    let app = TestApp::with_registry().await;
    let (key, _) = publishable(&app, &["optins:write"], SHOP).await;
    let send = || capture(&app, &key).header("origin", SHOP).header("idempotency-key", "k").send();
    let (first, second) = (send().await, send().await);
    assert_eq!((first.status.as_u16(), second.status.as_u16()), (202, 202));
    assert_eq!(first.header("idempotent-replayed"), None);
    assert_eq!(second.header("idempotent-replayed"), Some("true"));
    assert_eq!(first.json(), second.json());
}

#[tokio::test]
async fn wrong_keys_are_refused_and_too_many_of_them_must_wait() {
    let app = TestApp::with_registry_and(&[("IZIN_KEYS__FAILURES_PER_MINUTE_IP", "5")]).await;
    let (key, _) = app.key(&["registry:read"]).await;
    let (last, rest) = key.split_at(key.len() - 1);
    let mistyped = format!("{last}{}", if rest == "a" { "b" } else { "a" });
    let wrong = [mistyped.as_str(), "nonsense", "izin_sk_live_", "", &key.to_uppercase()];
    for guess in wrong {
        let reply = topics(&app, guess).send().await;
        assert_eq!(reply.status, 401, "{guess}: {}", reply.text());
    }
    let reply: Reply = guess_until_refused(&app).await;
    let problem: Value = reply.problem(429, "too_many_guesses");
    assert_eq!(problem["retryable"], true);
    let wait_s: u32 = reply.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait_s));
    assert_eq!(reply.header("ratelimit-policy"), Some("\"wrong-keys\";q=5;w=60"));
    let quota = format!("\"wrong-keys\";r=0;t={wait_s}");
    assert_eq!(reply.header("ratelimit"), Some(quota.as_str()));
    // The operator's key was chosen by people: whoever guesses must not learn that it is right.
    app.get("/v1/topics").problem(429, "too_many_guesses").await;
    // Whoever has a key is not kept out by somebody who guesses.
    topics(&app, &key).expect(200).await;
    app.clock.advance_ms(wait_s * 1_000);
    app.get("/v1/topics").expect(200).await;
    topics(&app, "nonsense").problem(401, "key_invalid").await;
}

#[tokio::test]
async fn guesses_are_counted_by_the_client_a_trusted_proxy_names() {
    for (proxies, later) in [("127.0.0.1", 401), ("192.0.2.0/24", 429)] {
        let app = TestApp::start_with(&[
            ("IZIN_KEYS__FAILURES_PER_MINUTE_IP", "3"),
            ("IZIN_HTTP__TRUSTED_PROXIES", proxies),
        ]);
        let guess = |hops: &str| topics(&app, "nonsense").header("x-forwarded-for", hops).send();
        for _ in 0..3 {
            assert_eq!(guess("203.0.113.7, 198.51.100.7").await.status, 401);
        }
        assert_eq!(guess("203.0.113.8, 198.51.100.7").await.status, 429);
        assert_eq!(guess("198.51.100.7, 203.0.113.7").await.status, later, "{proxies}");
        app.clock.advance_ms(60_000);
    }
}

#[tokio::test]
async fn a_repeated_creation_makes_one_key_and_shows_its_text_once() {
    let mut app = TestApp::with_registry().await;
    let body = json!({"name": "crm", "scopes": ["registry:read"]});
    let create =
        |app: &TestApp| app.post("/v1/keys").header("idempotency-key", "k").json(&body).send();
    let first = create(&app).await;
    assert_eq!((first.status.as_u16(), first.header("idempotent-replayed")), (201, None));
    app.restart();
    let second = create(&app).await;
    assert_eq!(second.status, 201);
    assert_eq!(second.header("idempotent-replayed"), Some("true"));
    let mut without = first.json();
    let key = text(&without.as_object_mut().unwrap().remove("key").unwrap());
    assert_eq!(second.json(), without);
    topics(&app, &key).expect(200).await;
    assert_eq!(app.get("/v1/keys").expect(200).await["data"].as_array().unwrap().len(), 1);
    let other = json!({"name": "other", "scopes": ["registry:read"]});
    let call = app.post("/v1/keys").header("idempotency-key", "k").json(&other);
    call.problem(422, "idempotency_key_reused").await;
}

#[tokio::test]
async fn a_repeated_rotation_changes_nothing_and_a_second_one_keeps_the_first_promise() {
    let app = TestApp::with_registry().await;
    let (in_use, id) = app.key(&["registry:read"]).await;
    let path = format!("/v1/keys/{id}/rotate");
    let rotate = |key: &str| {
        app.post(&path).header("idempotency-key", key).json(&json!({"overlap_s": 3_600})).send()
    };
    let first = rotate("a").await;
    let second_text = text(&first.json()["key"]);
    let repeated = rotate("a").await;
    assert_eq!(repeated.header("idempotent-replayed"), Some("true"));
    assert_eq!((repeated.status.as_u16(), &repeated.json()["key"]), (200, &Value::Null));
    for key in [&in_use, &second_text] {
        topics(&app, key).expect(200).await;
    }
    // The answer got lost and somebody rotates again: what is in use keeps the time it was told.
    app.clock.advance_ms(60_000);
    let again = rotate("b").await.json();
    assert_eq!(again["old_until"], first.json()["old_until"]);
    let third_text = text(&again["key"]);
    topics(&app, &in_use).expect(200).await;
    topics(&app, &third_text).expect(200).await;
    topics(&app, &second_text).problem(401, "key_invalid").await;
    app.wait_hours(1);
    topics(&app, &in_use).problem(401, "key_invalid").await;
    topics(&app, &third_text).expect(200).await;
    // A leaked key is ended at once, whatever still has its time.
    app.post(&path).expect(200).await;
    let now = text(&app.post(&path).json(&json!({"overlap_s": 0})).expect(200).await["key"]);
    topics(&app, &third_text).problem(401, "key_invalid").await;
    topics(&app, &now).expect(200).await;
}

#[tokio::test]
async fn nobody_revokes_a_stronger_key_and_no_key_outlives_its_maker_by_itself() {
    let app = TestApp::with_registry().await;
    let (weak, _) = app.key(&["keys:manage"]).await;
    let (_, strong) = app.key(&["keys:manage", "exports:read"]).await;
    let revoke = || app.delete(&format!("/v1/keys/{strong}"));
    revoke().key(&weak).problem(403, "scope_missing").await;
    let short = json!({"name": "n", "scopes": ["keys:manage"], "expires_at": app.moment(60)});
    let short = text(&app.post("/v1/keys").json(&short).expect(201).await["key"]);
    for (expires_at, status) in
        [(None, 403), (Some(app.moment(61)), 403), (Some(app.moment(60)), 201)]
    {
        let body = json!({"name": "n", "scopes": ["keys:manage"], "expires_at": expires_at});
        let reply = app.post("/v1/keys").key(&short).json(&body).send().await;
        assert_eq!(reply.status, status, "{}", reply.text());
    }
    let (_, lasting) = app.key(&["keys:manage"]).await;
    let rotate = app.post(&format!("/v1/keys/{lasting}/rotate")).key(&short);
    rotate.problem(403, "scope_missing").await;
    // With the operator's key there is always a way in.
    revoke().expect(200).await;
}

async fn guess_until_refused(app: &TestApp) -> Reply {
    for _ in 0..10 {
        let reply = topics(app, "nonsense").send().await;
        if reply.status != 401 {
            return reply;
        }
    }
    panic!("guesses are never stopped")
}
