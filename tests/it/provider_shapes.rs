//! Look-ups at the providers with shapes of their own: what each is asked on the wire, and what
//! its documented answers, errors and limits are taken for.
//!
//! What goes wrong below that, with any provider, is tested in `providers`.
#![expect(clippy::expect_used, reason = "helpers of tests say what went wrong by failing")]

use izin::{
    domain::phone::PhoneNumber,
    providers::{LookupAnswer, NumberState, Provider, ProviderKind, UnknownCause},
};

use crate::{
    fake_provider::{FakeProvider, Received, Reply},
    providers::{AMPLE_MS, TOKEN, answer_to, look_up, settings, unknown, wa_id_of},
};

const CONTACTS_VALID: &str = include_str!("../data/providers/contacts_valid.json");
const CONTACTS_QUESTION: &str = include_str!("../data/providers/contacts_question.json");
const EVOLUTION_EXISTS: &str = include_str!("../data/providers/evolution_exists.json");
const EVOLUTION_EXISTS_LID: &str = include_str!("../data/providers/evolution_exists_lid.json");
const WPPCONNECT_EXISTS: &str = include_str!("../data/providers/wppconnect_exists.json");
const WPPCONNECT_SOCKET: &str = include_str!("../data/providers/wppconnect_exists_socket.json");
const GREEN_API_EXISTS: &str = include_str!("../data/providers/green_api_exists.json");
const GREEN_API_EXISTS_CHAT: &str = include_str!("../data/providers/green_api_exists_chat.json");
const GREEN_API_QUOTA: &str = include_str!("../data/providers/green_api_quota.json");

/// Asks once and returns the one request that came of it, with the answer.
async fn asked(kind: ProviderKind, reply: &str) -> (Received, LookupAnswer) {
    let fake = FakeProvider::start();
    fake.then(Reply::json(reply));
    let answer = look_up(kind, &fake).await;
    let [request] = fake.received().try_into().expect("one request");
    (request, answer)
}

fn told(request: &Received) -> (&str, &str, &str) {
    let body = std::str::from_utf8(&request.body).expect("a body of text");
    (&request.method, &request.target, body)
}

/// What a provider says with a status other than success.
fn refusal(status: u16, body: &str) -> Reply {
    Reply::Http { status, headers: Vec::new(), body: body.into() }
}

#[tokio::test]
async fn evolution_is_asked_as_documented() {
    let (request, answer) = asked(ProviderKind::Evolution, EVOLUTION_EXISTS).await;
    assert_eq!(wa_id_of(&answer), Some("12025550123"));
    let question = r#"{"numbers":["12025550123"]}"#;
    assert_eq!(told(&request), ("POST", "/chat/whatsappNumbers/shop-1", question));
    assert_eq!(request.header("apikey"), Some(TOKEN));
    assert_eq!(request.header("authorization"), None);
    assert_eq!(request.header("content-type"), Some("application/json"));
}

#[tokio::test]
async fn wppconnect_is_asked_as_documented() {
    let (request, answer) = asked(ProviderKind::Wppconnect, WPPCONNECT_EXISTS).await;
    assert_eq!(wa_id_of(&answer), Some("12025550123"));
    let target = "/api/shop-1/check-number-status/12025550123";
    assert_eq!(told(&request), ("GET", target, ""));
    assert_eq!(request.header("authorization"), Some("Bearer t0ken-s3cret"));
}

#[tokio::test]
async fn whapi_is_asked_as_documented() {
    let (request, answer) = asked(ProviderKind::Whapi, CONTACTS_VALID).await;
    assert_eq!(wa_id_of(&answer), Some("12025550123"));
    assert_eq!(told(&request), ("POST", "/contacts", CONTACTS_QUESTION.trim()));
    assert_eq!(request.header("authorization"), Some("Bearer t0ken-s3cret"));
}

#[tokio::test]
async fn green_api_is_asked_as_documented() {
    let (request, answer) = asked(ProviderKind::GreenApi, GREEN_API_EXISTS_CHAT).await;
    assert_eq!(wa_id_of(&answer), Some("12025550123"));
    let target = "/waInstanceshop-1/checkWhatsapp/t0ken-s3cret";
    assert_eq!(told(&request), ("POST", target, r#"{"phoneNumber":12025550123}"#));
    assert_eq!(request.header("authorization"), None);
}

#[tokio::test]
async fn a_yes_without_a_number_is_a_yes() {
    for (kind, body) in [
        (ProviderKind::Evolution, EVOLUTION_EXISTS_LID),
        (ProviderKind::GreenApi, GREEN_API_EXISTS),
    ] {
        let answer = answer_to(kind, Reply::json(body)).await;
        assert_eq!(answer.state, NumberState::Registered { wa_id: None }, "{kind:?}");
    }
    let answer = answer_to(ProviderKind::Wppconnect, Reply::json(WPPCONNECT_SOCKET)).await;
    assert_eq!(wa_id_of(&answer), Some("12025550123"));
}

#[tokio::test]
async fn an_instance_that_is_not_there_or_not_connected_says_nothing_of_the_number() {
    for (kind, status, body, cause) in [
        (
            ProviderKind::Evolution,
            404,
            r#"{"status":404,"error":"Not Found","response":{"message":["no such instance"]}}"#,
            UnknownCause::Rejected,
        ),
        (
            ProviderKind::Evolution,
            500,
            r#"{"status":500,"error":"Internal Server Error","response":{"message":"closed"}}"#,
            UnknownCause::ProviderFault,
        ),
        // An instance on the Cloud API, which has no such question.
        (
            ProviderKind::Evolution,
            400,
            r#"{"status":400,"error":"Bad Request","response":{"message":["not available"]}}"#,
            UnknownCause::Rejected,
        ),
        (
            ProviderKind::Wppconnect,
            404,
            r#"{"response":null,"status":"Disconnected","message":"the session is not active"}"#,
            UnknownCause::Rejected,
        ),
        (
            ProviderKind::Wppconnect,
            500,
            r#"{"status":"error","message":"Error on check number status","error":{}}"#,
            UnknownCause::ProviderFault,
        ),
        (
            ProviderKind::Whapi,
            404,
            r#"{"error":{"code":404,"message":"channel not found"}}"#,
            UnknownCause::Rejected,
        ),
        (
            ProviderKind::GreenApi,
            400,
            r#"{"statusCode":400,"message":"instance is starting or not authorized"}"#,
            UnknownCause::Rejected,
        ),
        (
            ProviderKind::GreenApi,
            400,
            r#"{"statusCode":400,"message":"check phone number timeout limit exceeded"}"#,
            UnknownCause::Rejected,
        ),
        (ProviderKind::GreenApi, 499, "", UnknownCause::Rejected),
        (ProviderKind::GreenApi, 502, "<html></html>", UnknownCause::ProviderFault),
    ] {
        let answer = answer_to(kind, refusal(status, body)).await;
        assert_eq!(answer, unknown(cause), "{kind:?} {status} {body}");
    }
    // With success as well, for one whose middleware goes on after it has refused.
    let body = r#"{"response":null,"status":"Disconnected","message":"not active"}"#;
    let answer = answer_to(ProviderKind::Wppconnect, Reply::json(body)).await;
    assert_eq!(answer, unknown(UnknownCause::Undecided));
}

#[tokio::test]
async fn a_refused_token_and_a_spent_quota_say_nothing_of_the_number() {
    for (kind, status, body, cause) in [
        (
            ProviderKind::Evolution,
            401,
            r#"{"status":401,"error":"Unauthorized","response":{"message":"Unauthorized"}}"#,
            UnknownCause::Unauthorized,
        ),
        (
            ProviderKind::Wppconnect,
            401,
            r#"{"error":"Check that the Session and Token are correct"}"#,
            UnknownCause::Unauthorized,
        ),
        (
            ProviderKind::Whapi,
            401,
            r#"{"error":{"code":401,"message":"need channel authorization"}}"#,
            UnknownCause::Unauthorized,
        ),
        (
            ProviderKind::Whapi,
            402,
            r#"{"error":{"code":402,"message":"trial version limit exceeded"}}"#,
            UnknownCause::QuotaExceeded,
        ),
        (ProviderKind::GreenApi, 401, "", UnknownCause::Unauthorized),
        (ProviderKind::GreenApi, 403, "", UnknownCause::Unauthorized),
        (ProviderKind::GreenApi, 466, GREEN_API_QUOTA, UnknownCause::QuotaExceeded),
        (ProviderKind::GreenApi, 429, "", UnknownCause::RateLimited),
    ] {
        let answer = answer_to(kind, refusal(status, body)).await;
        assert_eq!(answer, unknown(cause), "{kind:?} {status}");
    }
    // The same text under success is no answer either.
    let answer = answer_to(ProviderKind::GreenApi, Reply::json(GREEN_API_QUOTA)).await;
    assert_eq!(answer, unknown(UnknownCause::WrongShape));
}

#[tokio::test]
async fn a_no_about_a_number_that_whatsapp_rewrites_is_a_doubt_where_both_forms_are_not_tried() {
    let brazil = PhoneNumber::parse("+5531970000000").expect("a number in E.164 form");
    for (kind, body) in [
        (
            ProviderKind::Evolution,
            r#"[{"jid":"553170000000@s.whatsapp.net","exists":false,"number":"5531970000000"}]"#,
        ),
        (ProviderKind::GreenApi, r#"{"existsWhatsapp":false}"#),
    ] {
        let fake = FakeProvider::start();
        fake.then(Reply::json(body));
        let provider = Provider::build(settings(kind, &fake.url(), AMPLE_MS)).expect("a client");
        assert_eq!(provider.look_up(&brazil).await, unknown(UnknownCause::Undecided), "{kind:?}");
    }
}
