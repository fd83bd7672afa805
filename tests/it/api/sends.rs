//! Reserving, committing and releasing; windows, and what takes a ticket back.

use serde_json::{Value, json};

use crate::app::{Call, TestApp, text};

const ANN: &str = "+12025550101";

fn template() -> Value {
    json!({"number": ANN, "kind": "template", "template": "shipped", "sender": "1001"})
}

fn session() -> Value {
    json!({"number": ANN, "kind": "session", "sender": "1001"})
}

fn close(app: &TestApp, ticket: &Value, how: &str) -> Call {
    app.post(&format!("/v1/sends/{}/{how}", text(&ticket["id"])))
}

fn commit(app: &TestApp, ticket: &Value, message: &str) -> Call {
    close(app, ticket, "commit").json(&json!({"message_id": message}))
}

fn codes(problem: &Value) -> Vec<&str> {
    let reasons = problem["reasons"].as_array().unwrap().iter();
    reasons.map(|reason| reason["code"].as_str().unwrap()).collect()
}

async fn opted_in() -> TestApp {
    let app = TestApp::with_registry().await;
    app.opt_in(ANN, "orders").await;
    app
}

#[tokio::test]
async fn a_refused_send_gives_every_reason_in_the_order_of_the_contract() {
    let app = TestApp::with_registry().await;
    app.opt_out(ANN).await;
    app.post(&format!("/v1/contacts/{ANN}/block")).expect(200).await;
    let sender = json!({"portfolio": "p1", "number": "+12025550100", "status": "OFFLINE",
        "quality": "RED", "halted": true});
    app.put("/v1/senders/1001").json(&sender).expect(200).await;
    let paused = json!({"topic": "orders", "category": "utility", "status": "PAUSED"});
    app.put("/v1/templates/shipped/en").json(&paused).expect(200).await;
    let problem = app.post("/v1/sends").json(&template()).problem(409, "send_refused").await;
    let expected =
        ["sender_not_connected", "sender_halted", "blocked", "withdrawn", "template_paused"];
    assert_eq!(codes(&problem), expected);
    assert!(problem["reasons"].as_array().unwrap().iter().all(|hit| hit["fix"].is_string()));
    assert_eq!(problem["contact"]["number"], ANN);
    assert_eq!(problem["eligible"], false);
    assert!(problem["as_of"].is_u64());
    let nobody = json!({"number": "+12025550109", "kind": "session", "sender": "9"});
    let problem = app.post("/v1/sends").json(&nobody).problem(409, "send_refused").await;
    assert_eq!(codes(&problem), ["sender_unknown", "session_window_closed"]);
}

#[tokio::test]
async fn a_ticket_is_used_once_and_repeating_the_report_changes_nothing() {
    let app = opted_in().await;
    let reply = app.post("/v1/sends").json(&template()).send().await;
    let ticket = reply.json();
    assert_eq!(reply.status, 201, "{ticket}");
    assert_eq!(ticket["recipient"], ANN);
    let data = format!("izin:{}", text(&ticket["id"]));
    assert_eq!(ticket["biz_opaque_callback_data"], data);
    assert!(text(&ticket["expires_at"]) > app.moment(0));
    let done = commit(&app, &ticket, "wamid.1").expect(200).await;
    assert_eq!(done["status"], "committed");
    assert!(done["receipt"]["seq"].is_u64());
    let again = commit(&app, &ticket, "wamid.1").expect(200).await;
    assert_eq!(again["receipt"], Value::Null);
    commit(&app, &ticket, "wamid.2").problem(409, "ticket_committed").await;
    close(&app, &ticket, "release").problem(409, "ticket_committed").await;
}

#[tokio::test]
async fn a_released_ticket_cannot_be_used_and_an_unknown_one_is_unknown() {
    let app = opted_in().await;
    let ticket = app.post("/v1/sends").json(&template()).expect(201).await;
    let released = close(&app, &ticket, "release").expect(200).await;
    assert_eq!(released["status"], "released");
    close(&app, &ticket, "release").expect(200).await;
    commit(&app, &ticket, "wamid.1").problem(409, "ticket_released").await;
    for id in ["0190a3c4-0000-7000-8000-000000000000", "nonsense"] {
        let body = json!({"message_id": "wamid.1"});
        let call = app.post(&format!("/v1/sends/{id}/commit")).json(&body);
        call.problem(404, "ticket_unknown").await;
    }
}

#[tokio::test]
async fn an_opt_out_a_block_and_a_changed_identity_take_tickets_back() {
    let app = opted_in().await;
    let contact = format!("/v1/contacts/{ANN}");
    let hash = |hash: &str| json!({"hash": hash});
    app.put(&format!("{contact}/identity")).json(&hash("hash-1")).expect(200).await;
    app.clock.advance_ms(1_000);
    for (cause, again) in [("identity_changed", true), ("blocked", true), ("withdrawn", false)] {
        let ticket = app.post("/v1/sends").json(&template()).expect(201).await;
        match cause {
            "identity_changed" => {
                assert_eq!(ticket["recipient_identity_key_hash"], "hash-1");
                app.put(&format!("{contact}/identity")).json(&hash("hash-2")).expect(200).await;
            }
            "blocked" => drop(app.post(&format!("{contact}/block")).expect(200).await),
            _ => drop(app.opt_out(ANN).await),
        }
        let problem = commit(&app, &ticket, "wamid.1").problem(409, "ticket_voided").await;
        assert_eq!(problem["cause"], cause);
        app.post("/v1/sends").json(&template()).problem(409, "send_refused").await;
        app.clock.advance_ms(1_000);
        if again {
            app.post(&format!("{contact}/unblock")).expect(200).await;
            app.opt_in(ANN, "orders").await;
        }
    }
}

#[tokio::test]
async fn a_repeated_send_hands_out_no_ticket_that_is_over() {
    for (over, code) in
        [("stop", "ticket_voided"), ("release", "ticket_released"), ("commit", "ticket_committed")]
    {
        let app = opted_in().await;
        let body = json!({"sends": [template()]});
        let single = || app.post("/v1/sends").header("idempotency-key", "s").json(&template());
        let batch = || app.post("/v1/sends/batch").header("idempotency-key", "b").json(&body);
        let ticket = single().expect(201).await;
        let many = batch().expect(200).await;
        assert_eq!(single().expect(201).await["id"], ticket["id"], "as long as it is good");
        for (place, ticket) in [&ticket, &many["results"][0]["ticket"]].into_iter().enumerate() {
            match over {
                "stop" => drop(app.opt_out(ANN).await),
                "release" => drop(close(&app, ticket, "release").expect(200).await),
                _ => drop(commit(&app, ticket, &format!("wamid.{place}")).expect(200).await),
            }
        }
        single().problem(409, code).await;
        let again = batch().expect(200).await;
        let result = &again["results"][0];
        assert_eq!((&result["status"], &result["problem"]["code"]), (&json!(409), &json!(code)));
        assert_eq!((&again["reserved"], &again["replayed"]), (&json!(0), &json!(0)));
    }
}

#[tokio::test]
async fn a_repeated_send_hands_out_no_ticket_that_ran_out_and_its_message_is_noted_all_the_same() {
    let mut app = opted_in().await;
    let good_for = |ttl_s: u32| {
        let mut send = template();
        send["ttl_s"] = json!(ttl_s);
        send
    };
    let (one, long) = (good_for(60), good_for(600));
    let body = json!({"sends": [one, long]});
    let single = |app: &TestApp| app.post("/v1/sends").header("idempotency-key", "s").json(&one);
    let batch =
        |app: &TestApp| app.post("/v1/sends/batch").header("idempotency-key", "b").json(&body);
    let ticket = single(&app).expect(201).await;
    let many = batch(&app).expect(200).await;
    app.clock.advance_ms(59_000);
    assert_eq!(single(&app).expect(201).await["id"], ticket["id"], "as long as it is good");
    app.clock.advance_ms(1_000);
    single(&app).problem(409, "ticket_expired").await;
    let again = batch(&app).expect(200).await;
    let codes = [&again["results"][0]["problem"]["code"], &again["results"][1]["status"]];
    assert_eq!(codes, [&json!("ticket_expired"), &json!(201)]);
    assert_eq!(again["results"][1]["ticket"]["id"], many["results"][1]["ticket"]["id"]);
    let counts = ["reserved", "refused", "replayed"].map(|count| again[count].as_u64().unwrap());
    assert_eq!(counts, [1, 1, 1]);
    // What ran out is taken back by nothing, and found by nobody once it is forgotten.
    app.opt_out(ANN).await;
    single(&app).problem(409, "ticket_expired").await;
    app.restart();
    single(&app).problem(409, "ticket_expired").await;
    let done = commit(&app, &ticket, "wamid.late").expect(200).await;
    assert_eq!(done["status"], "committed");
    single(&app).problem(409, "ticket_committed").await;
    app.wait_hours(40);
    let forgotten = batch(&app).expect(200).await;
    assert_eq!(forgotten["results"][0]["problem"]["code"], "ticket_expired");
}

#[tokio::test]
async fn an_opt_out_of_another_topic_leaves_a_ticket_alone() {
    let app = opted_in().await;
    app.opt_in(ANN, "promotions").await;
    let ticket = app.post("/v1/sends").json(&template()).expect(201).await;
    let out = json!({"number": ANN, "topics": ["promotions"], "source": {"type": "keyword"}});
    app.post("/v1/opt-outs").json(&out).expect(201).await;
    commit(&app, &ticket, "wamid.1").expect(200).await;
}

#[tokio::test]
async fn a_message_of_the_person_opens_a_window_with_its_sender_for_a_day() {
    let app = opted_in().await;
    let refused = app.post("/v1/sends").json(&session()).problem(409, "send_refused").await;
    assert_eq!(codes(&refused), ["session_window_closed"]);
    assert_eq!(refused["session_window"], json!({"open": false, "closes_at": null}));
    let traffic = format!("/v1/contacts/{ANN}/traffic");
    let inbound = json!({"kind": "inbound", "sender": "1001", "happened_at": app.moment(-3_600)});
    app.post(&traffic).json(&inbound).expect(200).await;
    let path = format!("/v1/eligibility?number={ANN}&kind=session&sender=1001");
    let open = app.get(&path).expect(200).await;
    assert_eq!(open["eligible"], true);
    let window = json!({"open": true, "closes_at": app.moment(23 * 3_600)});
    assert_eq!(open["session_window"], window);
    app.post("/v1/sends").json(&session()).expect(201).await;
    app.wait_hours(23);
    let closed = app.get(&path).expect(200).await;
    assert_eq!(codes(&closed), ["session_window_closed"]);
    let bare = json!({"kind": "inbound"});
    let problem = app.post(&traffic).json(&bare).problem(422, "body_invalid").await;
    assert_eq!(problem["errors"][0]["pointer"], "/sender");
}

#[tokio::test]
async fn leaving_everything_closes_an_open_window_too() {
    let app = opted_in().await;
    let inbound = json!({"kind": "inbound", "sender": "1001"});
    app.post(&format!("/v1/contacts/{ANN}/traffic")).json(&inbound).expect(200).await;
    app.post("/v1/sends").json(&session()).expect(201).await;
    app.clock.advance_ms(1_000);
    app.opt_out(ANN).await;
    let refused = app.post("/v1/sends").json(&session()).problem(409, "send_refused").await;
    assert_eq!(codes(&refused), ["withdrawn"]);
}

#[tokio::test]
async fn a_number_whatsapp_could_not_reach_is_unreachable_and_not_withdrawn() {
    let app = opted_in().await;
    let traffic = format!("/v1/contacts/{ANN}/traffic");
    app.post(&traffic).json(&json!({"kind": "undeliverable"})).expect(200).await;
    let decision = app.ask(ANN, "orders").await;
    assert_eq!(codes(&decision), ["unreachable"]);
    assert_eq!(decision["consent"]["status"], "granted");
    app.clock.advance_ms(1_000);
    app.post(&traffic).json(&json!({"kind": "delivered"})).expect(200).await;
    assert_eq!(app.ask(ANN, "orders").await["eligible"], true);
}

#[tokio::test]
async fn a_send_names_one_recipient_and_its_ticket_names_the_same() {
    let app = opted_in().await;
    let joined = json!({"number": ANN, "user_id": "US.ann", "topics": ["orders"],
        "source": {"type": "web_form"}});
    app.post("/v1/opt-ins").json(&joined).expect(201).await;
    let mut both = template();
    both["user_id"] = json!("US.ann");
    let problem = app.post("/v1/sends").json(&both).problem(422, "body_invalid").await;
    assert_eq!(problem["errors"][0]["pointer"], "/user_id");
    both.as_object_mut().unwrap().remove("number");
    let ticket = app.post("/v1/sends").json(&both).expect(201).await;
    assert_eq!(ticket["recipient"], Value::Null);
    assert_eq!(ticket["recipient_user_id"], "US.ann");
    assert!(
        app.post("/v1/sends")
            .json(&template())
            .expect(201)
            .await
            .get("recipient_user_id")
            .is_none()
    );
}

#[tokio::test]
async fn releasing_what_was_taken_back_says_so() {
    let app = opted_in().await;
    let ticket = app.post("/v1/sends").json(&template()).expect(201).await;
    app.opt_out(ANN).await;
    let released = close(&app, &ticket, "release").expect(200).await;
    assert_eq!((&released["status"], &released["cause"]), (&json!("voided"), &json!("withdrawn")));
    assert!(released["receipt"]["seq"].is_u64(), "that nothing was sent on it is news");
    let released = close(&app, &ticket, "release").expect(200).await;
    assert_eq!((&released["status"], &released["cause"]), (&json!("voided"), &json!("withdrawn")));
    assert_eq!(released["receipt"], Value::Null);
}

#[tokio::test]
async fn a_message_that_went_out_on_what_was_taken_back_counts_and_is_refused_every_time() {
    let app = opted_in().await;
    let ticket = app.post("/v1/sends").json(&template()).expect(201).await;
    let used = async || app.get("/v1/portfolios/p1/capacity").expect(200).await["used"].clone();
    app.post(&format!("/v1/contacts/{ANN}/block")).expect(200).await;
    assert_eq!(used().await, 1, "it may be on its way");
    let call = || commit(&app, &ticket, "wamid.1").header("idempotency-key", "c1");
    for _ in 0..2 {
        let problem = call().problem(409, "ticket_voided").await;
        assert_eq!(problem["cause"], "blocked");
    }
    commit(&app, &ticket, "wamid.1").problem(409, "ticket_voided").await;
    let released = close(&app, &ticket, "release").expect(200).await;
    assert_eq!((&released["status"], &released["receipt"]), (&json!("voided"), &Value::Null));
    assert_eq!(used().await, 1, "what was sent is not given back");
}

#[tokio::test]
async fn a_ticket_ends_before_the_window_it_relies_on_and_with_a_restricted_portfolio() {
    let app = opted_in().await;
    let inbound = json!({"kind": "inbound", "sender": "1001"});
    app.post(&format!("/v1/contacts/{ANN}/traffic")).json(&inbound).expect(200).await;
    let mut send = session();
    send["ttl_s"] = json!(86_400);
    let ticket = app.post("/v1/sends").json(&send).expect(201).await;
    let closes_at = app.get(&format!("/v1/eligibility?number={ANN}&kind=session&sender=1001"));
    let closes_at = closes_at.expect(200).await["session_window"]["closes_at"].clone();
    assert!(text(&ticket["expires_at"]) < text(&closes_at), "{ticket} {closes_at}");
    assert!(text(&ticket["expires_at"]) > app.moment(23 * 3_600), "{ticket}");
    let restricted = json!({"name": "Toko", "messaging_limit": 250, "restricted": true});
    app.put("/v1/portfolios/p1").json(&restricted).expect(200).await;
    let problem = commit(&app, &ticket, "wamid.1").problem(409, "ticket_voided").await;
    assert_eq!(problem["cause"], "sender_halted");
}

#[tokio::test]
async fn one_contact_can_be_reserved_for_only_so_often_at_a_time() {
    let app = opted_in().await;
    for _ in 0..64 {
        app.post("/v1/sends").json(&template()).expect(201).await;
        // The pace of a pair lets no more than a burst out at once.
        app.clock.advance_ms(3_000);
    }
    let reply = app.post("/v1/sends").json(&template()).send().await;
    let problem = reply.problem(409, "tickets_open");
    assert_eq!(problem["retryable"], true);
    let wait_s: u32 = reply.header("retry-after").unwrap().parse().unwrap();
    app.clock.advance_ms(wait_s * 1_000);
    app.post("/v1/sends").json(&template()).expect(201).await;
}

#[tokio::test]
async fn a_window_is_not_open_in_the_margin_before_it_closes() {
    let app = opted_in().await;
    let inbound = json!({"kind": "inbound", "sender": "1001"});
    let stranger = "+12025550108";
    app.post(&format!("/v1/contacts/{stranger}/traffic")).json(&inbound).expect(200).await;
    app.post(&format!("/v1/contacts/{ANN}/traffic")).json(&inbound).expect(200).await;
    app.clock.advance_ms(24 * 3_600_000 - 2_000);
    let path = format!("/v1/eligibility?number={stranger}&kind=session&sender=1001");
    let decision = app.get(&path).expect(200).await;
    assert_eq!(codes(&decision), ["session_window_closed"]);
    assert_eq!(decision["session_window"]["open"], false);
    assert_eq!(decision["session_window"]["closes_at"], app.moment(2));
}

#[tokio::test]
async fn a_batch_gives_each_message_its_own_answer_and_a_repeat_gives_the_same() {
    let app = opted_in().await;
    let stranger = json!({"number": "+12025550177", "kind": "template", "template": "shipped",
        "sender": "1001"});
    let unreadable = json!({"number": "hello", "kind": "template", "template": "shipped",
        "sender": "1001"});
    let body = json!({"sends": [template(), stranger, unreadable, template()]});
    let call = || app.post("/v1/sends/batch").header("idempotency-key", "b1").json(&body);
    let answer = call().expect(200).await;
    assert_eq!((&answer["reserved"], &answer["refused"]), (&json!(2), &json!(2)), "{answer}");
    let results = answer["results"].as_array().unwrap();
    let statuses: Vec<_> = results.iter().map(|result| result["status"].clone()).collect();
    assert_eq!(statuses, [201, 409, 422, 201]);
    assert_eq!(results[1]["problem"]["code"], "send_refused");
    assert_eq!(results[1]["problem"]["reasons"][0]["code"], "never_asked");
    assert_eq!(answer["replayed"], 0);
    let reply = call().send().await;
    assert_eq!(reply.header("idempotent-replayed"), None, "refusals are judged anew");
    let again = reply.json();
    assert_eq!(again["replayed"], 2);
    for place in [0, 3] {
        assert_eq!(again["results"][place], results[place], "the same ticket");
    }
    app.opt_in("+12025550177", "orders").await;
    let cured = call().expect(200).await;
    assert_eq!((&cured["reserved"], &cured["replayed"]), (&json!(3), &json!(2)), "{cured}");
    assert_eq!(call().expect(200).await["replayed"], 3);
    let other = json!({"sends": [template()]});
    let reused = app.post("/v1/sends/batch").header("idempotency-key", "b1").json(&other);
    reused.problem(422, "idempotency_key_reused").await;
    let many: Vec<_> = (0..1_001).map(|_| template()).collect();
    let call = app.post("/v1/sends/batch").json(&json!({"sends": many}));
    call.problem(422, "body_invalid").await;
}

#[tokio::test]
async fn two_systems_on_one_portfolio_never_exceed_its_limit_together() {
    let app = opted_in().await;
    let limit = 250_u32;
    let portfolio = json!({"name": "Toko", "messaging_limit": limit});
    app.put("/v1/portfolios/p1").json(&portfolio).expect(200).await;
    let second = json!({"portfolio": "p1", "number": "+12025550111", "status": "CONNECTED",
        "quality": "GREEN"});
    app.put("/v1/senders/1002").json(&second).expect(201).await;
    let numbers: Vec<String> = (0..300).map(|n| format!("+1202555{:04}", 200 + n)).collect();
    for number in &numbers {
        app.opt_in(number, "orders").await;
    }
    let batch = |sender: &str| {
        let one = |number: &String| {
            json!({"number": number, "kind": "template",
            "template": "shipped", "sender": sender})
        };
        json!({"sends": numbers.iter().map(one).collect::<Vec<_>>()})
    };
    let (one, other) = (batch("1001"), batch("1002"));
    let (one, other) = tokio::join!(
        app.post("/v1/sends/batch").json(&one).expect(200),
        app.post("/v1/sends/batch").json(&other).expect(200),
    );
    let people: std::collections::BTreeSet<String> = [&one, &other]
        .into_iter()
        .flat_map(|answer| answer["results"].as_array().unwrap())
        .filter(|result| result["status"] == 201)
        .map(|result| text(&result["ticket"]["recipient"]))
        .collect();
    assert_eq!(
        people.len(),
        usize::try_from(limit).unwrap(),
        "each person once, and every place is used"
    );
    let capacity = app.get("/v1/portfolios/p1/capacity").expect(200).await;
    assert_eq!((&capacity["used"], &capacity["left"]), (&json!(limit), &json!(0)), "{capacity}");
    assert_eq!(capacity["frees"].as_array().unwrap().len(), 24);
    // Nobody said that they went out: until their tickets end they may.
    app.clock.advance_ms(24 * 60 * 60 * 1_000);
    let capacity = app.get("/v1/portfolios/p1/capacity").expect(200).await;
    assert_eq!(capacity["left"], 0);
    app.clock.advance_ms(60 * 60 * 1_000);
    let capacity = app.get("/v1/portfolios/p1/capacity").expect(200).await;
    assert_eq!(capacity["left"], limit);
    app.get("/v1/portfolios/p9/capacity").problem(404, "thing_unknown").await;
}
