//! What may be a STOP and waits for people: by when, in which order, and what waits with it.

use serde_json::{Value, json};

use crate::{
    api::webhooks::{ANA, NOON_S, SECRET, hear, post_signed, reasons, reviews, start, text},
    app::TestApp,
};

const DOUBT: &str = "please can you stop sending me these";

/// Somebody in Indonesia, where the deadline is three days.
const SITI: &str = "+6289012345678";

async fn doubted() -> TestApp {
    let app = start().await;
    let packs = json!({"us": {"on": true}, "asia-pacific": {"on": true}});
    app.put("/v1/policy").json(&json!({"packs": packs})).expect(200).await;
    for number in [ANA, SITI] {
        app.opt_in(number, "promotions").await;
        app.opt_in(number, "orders").await;
    }
    app.clock.advance_ms(60_000);
    hear(&app, &text("ana", NOON_S + 10, DOUBT)).await;
    let by_siti = String::from_utf8(text("siti", NOON_S + 40, DOUBT)).unwrap();
    let by_siti = by_siti.replace("12025550123", SITI.trim_start_matches('+'));
    let by_siti = by_siti.replace("US.90000000000000000123", "ID.90000000000000000124");
    assert_eq!(post_signed(&app, SECRET, by_siti.as_bytes()).await.status, 200);
    app
}

fn dues(reviews: &[Value]) -> Vec<(&str, &str, bool)> {
    fn due(review: &Value) -> (&str, &str, bool) {
        let text = |name: &str| review[name].as_str().unwrap();
        (text("due_at"), text("due_by"), review["overdue"].as_bool().unwrap())
    }
    reviews.iter().map(due).collect()
}

async fn listed(app: &TestApp, query: &str) -> (Vec<Value>, Option<String>) {
    let page = app.get(&format!("/v1/reviews?{query}")).expect(200).await;
    let next = page["next_cursor"].as_str().map(str::to_owned);
    (page["data"].as_array().unwrap().clone(), next)
}

async fn gauge(app: &TestApp, name: &str) -> String {
    let page = app.get("/metrics").send().await.text();
    let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name}")).to_owned()
}

fn wait_days(app: &TestApp, days: u32) {
    (0..days).for_each(|_| app.wait_hours(24));
}

#[tokio::test]
async fn the_shortest_deadline_of_the_persons_country_counts_and_what_is_due_first_comes_first() {
    let app = doubted().await;
    let open = reviews(&app).await;
    let (ana, siti) = ("2026-11-30T09:00:10Z", "2026-11-23T09:00:40Z");
    let (us, id) = ("us@1/revocation", "asia-pacific@2/id-withdrawal");
    assert_eq!(dues(&open), [(ana, us, false), (siti, id, false)]);
    let (first, next) = listed(&app, "order=due&limit=1").await;
    assert_eq!(dues(&first), [(siti, id, false)]);
    let cursor = next.unwrap();
    let (second, end) = listed(&app, &format!("order=due&limit=1&cursor={cursor}")).await;
    assert_eq!((dues(&second), end), (vec![(ana, us, false)], None));
    app.get(&format!("/v1/reviews?cursor={cursor}")).problem(400, "cursor_invalid").await;
    app.get("/v1/reviews?order=age").problem(400, "query_invalid").await;
    wait_days(&app, 3);
    assert_eq!(dues(&listed(&app, "overdue=true").await.0), [(siti, id, true)]);
    assert_eq!(dues(&listed(&app, "overdue=false").await.0), [(ana, us, false)]);
    assert_eq!(gauge(&app, "izin_reviews_open").await, "2");
    assert_eq!(gauge(&app, "izin_reviews_overdue").await, "1");
    // Without a rule that of the settings counts.
    let policy = json!({"settings": {"stop_within_hours": 24}});
    app.put("/v1/policy").json(&policy).expect(200).await;
    let of_settings = "settings@0/stop-within-hours";
    let all =
        [("2026-11-21T09:00:10Z", of_settings, true), ("2026-11-21T09:00:40Z", of_settings, true)];
    assert_eq!(dues(&reviews(&app).await), all);
}

#[tokio::test]
async fn beyond_its_deadline_marketing_waits_until_somebody_decides() {
    let mut app = doubted().await;
    // Afternoon in Washington and night in Indonesia, where no rule says that it is quiet.
    app.wait_hours(8);
    wait_days(&app, 9);
    assert!(reasons(&app, "topic=promotions").await.is_empty(), "in doubt and not yet due");
    app.clock.advance_ms(1);
    let then = app.moment(0);
    wait_days(&app, 1);
    let decision = app.ask(ANA, "promotions").await;
    let reason = &decision["reasons"][0];
    assert_eq!(reason["code"], "marketing_cooldown", "{decision}");
    assert_eq!(reason["rules"], json!(["us@1/revocation"]));
    assert_eq!(reason["since"], "2026-11-30T09:00:10Z");
    assert_eq!((&reason["retry_at"], &decision["next_eligible_at"]), (&json!(null), &json!(null)));
    assert!(reason["fix"].as_str().unwrap().contains("review"), "{reason}");
    let review = reviews(&app).await.remove(0);
    assert_eq!(reason["seq"], review["id"]);
    assert!(reasons(&app, "topic=orders").await.is_empty(), "it is no withdrawal");
    assert!(reasons(&app, &format!("topic=promotions&at={then}")).await.is_empty());
    app.restart();
    assert_eq!(app.ask(ANA, "promotions").await, decision);
    let tried = json!({"packs": {"us": {"on": true}}, "settings": {"overdue_stop_holds": false}});
    let simulated = app.post("/v1/policy/simulate").json(&tried).expect(200).await;
    assert_eq!(simulated["contacts_affected"], 2, "{simulated}");
    let nothing = json!({"decision": "nothing"});
    let path = format!("/v1/reviews/{}", review["id"]);
    app.post(&path).json(&nothing).expect(200).await;
    assert!(reasons(&app, "topic=promotions").await.is_empty());
    assert_eq!(app.ask(SITI, "promotions").await["reasons"][0]["code"], "marketing_cooldown");
    app.put("/v1/policy").json(&tried).expect(200).await;
    assert_eq!(app.ask(SITI, "promotions").await["eligible"], true, "switched off");
}
