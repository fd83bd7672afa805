//! Lists: page by page without a gap, and nothing asked for is ignored.

use std::collections::BTreeSet;

use izin::http::{door::Access, routes::TABLE};
use reqwest::Method;
use serde_json::json;

use crate::app::{TestApp, text};

#[tokio::test]
async fn pages_of_a_list_are_the_list() {
    let app = TestApp::with_registry().await;
    for place in 0..5 {
        let body = json!({"topic": "orders", "category": "utility", "status": "APPROVED"});
        for language in ["id", "en_US", "en"] {
            let path = format!("/v1/templates/t-{place}/{language}");
            app.put(&path).json(&body).expect(201).await;
        }
        app.key(&["registry:read"]).await;
    }
    for (list, count) in [("topics", 2), ("templates", 16), ("senders", 1), ("keys", 5)] {
        let whole = app.get(&format!("/v1/{list}")).expect(200).await;
        assert!(whole["next_cursor"].is_null());
        let whole = whole["data"].as_array().unwrap().clone();
        let ids: BTreeSet<_> = whole.iter().map(|item| item["id"].to_string()).collect();
        assert_eq!((whole.len(), ids.len()), (count, count), "{list}");
        for limit in [1, 3, 5] {
            let (mut found, mut path) = (Vec::new(), format!("/v1/{list}?limit={limit}"));
            loop {
                let page = app.get(&path).expect(200).await;
                let data = page["data"].as_array().unwrap();
                assert!((1..=limit).contains(&data.len()));
                found.extend(data.iter().cloned());
                if page["next_cursor"].is_null() {
                    break;
                }
                path = format!("/v1/{list}?limit={limit}&cursor={}", text(&page["next_cursor"]));
            }
            assert_eq!(found, whole, "{list} by {limit}");
        }
    }
    let first = app.get("/v1/templates?limit=1").expect(200).await;
    let foreign = text(&first["next_cursor"]);
    for cursor in [foreign.as_str(), "zz", "00"] {
        let path = format!("/v1/topics?cursor={cursor}");
        app.get(&path).problem(400, "cursor_invalid").await;
    }
    for query in ["limit=0", "limit=201", "limit=x", "page=2"] {
        app.get(&format!("/v1/topics?{query}")).problem(400, "query_invalid").await;
    }
}

#[tokio::test]
async fn no_call_ignores_a_parameter_it_does_not_know() {
    let app = TestApp::with_registry().await;
    for row in TABLE.iter().filter(|row| matches!(row.access, Access::Scope(_))) {
        let path = row.path.replace("{ref}", "+12025550101").replace(['{', '}'], "");
        let method = Method::from_bytes(row.method.as_bytes()).unwrap();
        let call = app.call(method, &format!("{path}?nonsense=1"));
        call.problem(400, "query_invalid").await;
    }
}
