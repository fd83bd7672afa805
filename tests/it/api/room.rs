//! How much room is left: what a portfolio's capacity and a campaign's plan say is what sends get.

use serde_json::{Value, json};

use crate::{
    api::webhooks::{NOON_S, SENDER, hear, start, status},
    app::TestApp,
};

const SALE: &str = "/v1/templates/sale/en";

fn sender(quality: &str) -> Value {
    json!({"portfolio": "p1", "number": "+12025550100", "status": "CONNECTED", "quality": quality,
        "account": "900100200300401"})
}

async fn capacity(app: &TestApp) -> Value {
    app.get("/v1/portfolios/p1/capacity").expect(200).await
}

async fn safe(app: &TestApp) -> Value {
    capacity(app).await["safe_new_recipients"].clone()
}

async fn put(app: &TestApp, path: &str, body: &Value) {
    let reply = app.put(path).json(body).send().await;
    assert!(matches!(reply.status.as_u16(), 200 | 201), "{path}: {}", reply.text());
}

/// A yellow sender of a portfolio with this limit that goes on with a tenth of it, a marketing
/// template, and so many people who agreed to it.
async fn yellow(limit: Option<u32>, people: u32) -> (TestApp, Vec<String>) {
    let app = TestApp::with_registry().await;
    let numbers: Vec<_> = (0..people).map(|n| format!("+1202555{:04}", 110 + n)).collect();
    for number in &numbers {
        app.opt_in(number, "promotions").await;
    }
    let sale = json!({"topic": "promotions", "category": "marketing", "status": "APPROVED"});
    put(&app, SALE, &sale).await;
    put(&app, "/v1/policy", &json!({"settings": {"yellow_marketing_percent": 10}})).await;
    let portfolio = json!({"name": "Toko", "messaging_limit": limit});
    put(&app, "/v1/portfolios/p1", &portfolio).await;
    put(&app, "/v1/senders/1001", &sender("YELLOW")).await;
    (app, numbers)
}

async fn send(app: &TestApp, numbers: &[String]) -> Value {
    let one = |number: &String| json!({"number": number, "kind": "template", "template": "sale", "sender": "1001"});
    let sends: Vec<_> = numbers.iter().map(one).collect();
    app.post("/v1/sends/batch").json(&json!({"sends": sends})).expect(200).await
}

async fn preview(app: &TestApp, template: &str, numbers: &[String]) -> Value {
    let body = json!({"template": template, "sender": "1001", "recipients": numbers});
    app.post("/v1/eligibility/preview").json(&body).expect(200).await
}

fn days(preview: &Value) -> Vec<u64> {
    let days = preview["plan"]["days"].as_array().unwrap();
    days.iter().map(|day| day["recipients"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn nobody_new_is_safe_where_every_send_is_refused() {
    let app = start().await;
    let unlimited = json!({"name": "Toko", "messaging_limit": null});
    let limited = json!({"name": "Toko", "messaging_limit": 250});
    assert_eq!(safe(&app).await, 250);
    put(&app, "/v1/senders/1001", &sender("RED")).await;
    assert_eq!(safe(&app).await, 250, "the other one is good");
    app.clock.advance_ms(60_000);
    let spam = json!({"errors": [{"code": 131_048, "title": "x"}]});
    hear(&app, &status("wamid.a", "failed", NOON_S + 30, &spam)).await;
    assert_eq!(safe(&app).await, 0, "WhatsApp holds the templates of the good one");
    put(&app, "/v1/portfolios/p1", &unlimited).await;
    assert_eq!((&capacity(&app).await["left"], safe(&app).await), (&Value::Null, json!(0)));
    put(&app, "/v1/senders/1001", &sender("GREEN")).await;
    assert_eq!(safe(&app).await, Value::Null, "unlimited");
    put(&app, "/v1/senders/1001", &sender("YELLOW")).await;
    assert_eq!(safe(&app).await, 50_000, "half of what nothing bounds");
    put(&app, "/v1/senders/1001", &sender("GREEN")).await;
    put(&app, "/v1/portfolios/p1", &limited).await;
    assert_eq!(safe(&app).await, 250);
    let restricted = json!({"name": "Toko", "messaging_limit": 250, "restricted": true});
    put(&app, "/v1/portfolios/p1", &restricted).await;
    assert_eq!(safe(&app).await, 0);
    put(&app, "/v1/portfolios/p1", &limited).await;
    let mut halted = sender("GREEN");
    halted["halted"] = json!(true);
    put(&app, "/v1/senders/1001", &halted).await;
    put(&app, &format!("/v1/senders/{SENDER}"), &halted).await;
    assert_eq!(safe(&app).await, 0);
}

#[tokio::test]
async fn an_account_that_whatsapp_stopped_has_nobody_new() {
    let app = start().await;
    app.clock.advance_ms(60_000);
    let disabled = crate::api::webhooks::sample("account_update_disable");
    hear(&app, &disabled).await;
    let question = format!("template=shipped&sender={SENDER}");
    assert_eq!(crate::api::webhooks::reasons(&app, &question).await[0], "account_restricted");
    assert_eq!(safe(&app).await, 0);
}

#[tokio::test]
async fn the_series_and_the_next_level_add_up() {
    let (app, numbers) = yellow(Some(250), 30).await;
    put(&app, "/v1/senders/1001", &sender("GREEN")).await;
    for run in numbers.chunks(10) {
        assert_eq!(send(&app, run).await["reserved"], 10);
        app.wait_hours(3);
    }
    let capacity = capacity(&app).await;
    assert_eq!((&capacity["used"], &capacity["left"]), (&json!(30), &json!(220)));
    let frees = capacity["frees"].as_array().unwrap();
    let mut left = 30;
    for step in frees {
        left -= step["count"].as_u64().unwrap();
        assert_eq!(step["used"], left, "{capacity}");
    }
    assert_eq!((frees.len(), left), (24, 0), "all of them leave within a day");
    let first = frees.iter().find(|step| step["count"] != 0).unwrap();
    let frees_at = capacity["frees_at"].as_str().unwrap();
    assert!(frees_at <= first["until"].as_str().unwrap(), "{capacity}");
    let next = &capacity["next_level"];
    assert_eq!((&next["reached"], &next["missing"]), (&json!(30), &json!(1_970)));
    assert_eq!(capacity["safe_new_recipients"], 220);
    put(&app, "/v1/senders/1001", &sender("YELLOW")).await;
    assert_eq!(safe(&app).await, 0, "more than a tenth went out already");
}

#[tokio::test]
async fn a_plan_of_marketing_keeps_to_the_share_of_a_yellow_sender() {
    let (app, numbers) = yellow(Some(250), 62).await;
    let (first, rest) = numbers.split_at(2);
    assert_eq!(send(&app, first).await["reserved"], 2);
    assert_eq!(safe(&app).await, 23);
    let planned = preview(&app, "sale", rest).await;
    assert_eq!(
        (&planned["totals"]["eligible"], &planned["plan"]["share"]),
        (&json!(60), &json!(25))
    );
    assert_eq!(days(&planned), [23, 25, 12]);
    assert_eq!(send(&app, rest).await["reserved"], 23, "as planned");
    let (gone, rest) = rest.split_at(23);
    assert_eq!(gone.len(), 23);
    // A share that is used up is a matter of days, as a limit is.
    let planned = preview(&app, "sale", rest).await;
    assert_eq!((&planned["totals"]["eligible"], days(&planned)), (&json!(37), vec![0, 25, 12]));
    // Nobody said that those went out, so they count until a day after their tickets' end.
    app.wait_hours(25);
    assert_eq!(send(&app, rest).await["reserved"], 25, "as planned");
    // Other messages are not braked.
    for number in &numbers {
        app.opt_in(number, "orders").await;
    }
    let planned = preview(&app, "shipped", &numbers).await;
    assert_eq!((days(&planned), &planned["plan"]["share"]), (vec![62], &Value::Null));
}

#[tokio::test]
async fn who_takes_no_room_of_the_limit_takes_some_of_the_share() {
    let (app, numbers) = yellow(None, 3).await;
    let planned = preview(&app, "sale", &numbers).await;
    assert_eq!(
        (&planned["plan"]["limit"], &planned["plan"]["share"]),
        (&Value::Null, &json!(10_000))
    );
    assert_eq!(days(&planned), [3]);
    let portfolio = json!({"name": "Toko", "messaging_limit": 250});
    put(&app, "/v1/portfolios/p1", &portfolio).await;
    put(&app, "/v1/policy", &json!({"settings": {"yellow_marketing_percent": 1}})).await;
    for number in &numbers {
        let inbound = json!({"kind": "inbound", "sender": "1001"});
        app.post(&format!("/v1/contacts/{number}/traffic")).json(&inbound).expect(200).await;
    }
    let planned = preview(&app, "sale", &numbers).await;
    assert_eq!(planned["new_recipients"], 0, "their windows are open: {planned}");
    assert_eq!(days(&planned), [2, 1]);
    assert_eq!(send(&app, &numbers).await["reserved"], 2, "as planned");
    put(&app, "/v1/senders/1001", &sender("RED")).await;
    let planned = preview(&app, "sale", &numbers).await;
    assert_eq!(planned["totals"]["by_reason"]["quality_brake"], 3, "{planned}");
}

/// Sends what may be sent at the start of each hour, and returns how much went out on each day.
async fn sent_by_day(app: &TestApp, numbers: &[String]) -> Vec<u64> {
    let mut left = numbers.to_vec();
    let mut days = Vec::new();
    for hour in 0..96 {
        if hour % 24 == 0 {
            days.push(0);
        }
        let answer = shipped(app, &left).await;
        *days.last_mut().unwrap() += answer["reserved"].as_u64().unwrap();
        let results = answer["results"].as_array().unwrap().iter();
        let refused = left.into_iter().zip(results).filter(|(_, result)| result["status"] != 201);
        left = refused.map(|(number, _)| number).collect();
        if left.is_empty() {
            return days;
        }
        app.wait_hours(1);
    }
    panic!("{left:?}")
}

async fn shipped(app: &TestApp, numbers: &[String]) -> Value {
    let one = |number: &String| json!({"number": number, "kind": "template", "template": "shipped", "sender": "1001"});
    let sends: Vec<_> = numbers.iter().map(one).collect();
    app.post("/v1/sends/batch").json(&json!({"sends": sends})).expect(200).await
}

#[tokio::test]
async fn a_plan_is_what_goes_out_also_to_people_who_are_counted_already() {
    let app = TestApp::with_registry().await;
    let numbers: Vec<_> = (0..256).map(|n| format!("+1202555{:04}", 110 + n)).collect();
    for number in &numbers {
        app.opt_in(number, "orders").await;
    }
    assert_eq!(shipped(&app, &numbers[..250]).await["reserved"], 250);
    app.wait_hours(22);
    let inbound = json!({"kind": "inbound", "sender": "1001"});
    app.post(&format!("/v1/contacts/{}/traffic", numbers[250])).json(&inbound).expect(200).await;
    let planned = preview(&app, "shipped", &numbers).await;
    assert_eq!(planned["new_recipients"], 5, "{planned}");
    // Those who are counted, and the one who wrote; the others when those leave again.
    assert_eq!(days(&planned), [251, 5]);
    assert_eq!(sent_by_day(&app, &numbers).await, [251, 5], "as planned");
}
