//! Look-ups over real sockets: what is asked on the wire, and what each way to fail is called.
//!
//! Does not test how replies are read in detail; the adapters do that without a network.
#![expect(clippy::expect_used, reason = "helpers of tests say what went wrong by failing")]

use std::{
    io::{self, Write},
    process::Command,
    sync::{Arc, Mutex},
    time::Duration,
};

use izin::{
    domain::phone::PhoneNumber,
    limits::PROVIDER_BODY_BYTES_MAX,
    providers::{
        BreakerSettings, BreakerState, LookupAnswer, LookupTimeout, NumberState, Provider,
        ProviderKind, ProviderUrl, SessionName, Settings, SharedBreaker, Token, UnknownCause, WaId,
    },
};

use crate::fake_provider::{FakeProvider, Reply};

const NUMBER: &str = "+12025550123";
pub(crate) const TOKEN: &str = "t0ken-s3cret";
/// A port nobody listens on: one just freed could be another test's by now.
const NOBODY: &str = "http://127.0.0.1:1";
pub(crate) const AMPLE_MS: u32 = 20_000;
const SHORT_MS: u32 = 150;
const KINDS: [ProviderKind; 6] = ProviderKind::ALL;

const CONTACTS_QUESTION: &str = include_str!("../data/providers/contacts_question.json");
const CONTACTS_VALID: &str = include_str!("../data/providers/contacts_valid.json");
const CONTACTS_INVALID: &str = include_str!("../data/providers/contacts_invalid.json");
const CONTACTS_PROCESSING: &str = include_str!("../data/providers/contacts_processing.json");
const CONTACTS_FAILED: &str = include_str!("../data/providers/contacts_failed.json");
const CONTACTS_THREE_NUMBERS: &str = include_str!("../data/providers/contacts_three_numbers.json");
const WAHA_EXISTS: &str = include_str!("../data/providers/waha_exists.json");
const WAHA_EXISTS_LID: &str = include_str!("../data/providers/waha_exists_lid.json");
const WAHA_ABSENT: &str = include_str!("../data/providers/waha_absent.json");
const WAHA_ABSENT_NULLS: &str = include_str!("../data/providers/waha_absent_nulls.json");

const EVOLUTION_ABSENT: &str = include_str!("../data/providers/evolution_absent.json");
const WPPCONNECT_ABSENT: &str = include_str!("../data/providers/wppconnect_absent.json");
const GREEN_API_ABSENT: &str = include_str!("../data/providers/green_api_absent.json");

pub(crate) fn settings(kind: ProviderKind, url: &str, timeout_ms: u32) -> Settings {
    Settings {
        kind,
        url: ProviderUrl::parse(url).expect("a plain address"),
        token: Some(Token::parse(TOKEN).expect("a plain token")),
        timeout: LookupTimeout::from_ms(timeout_ms).expect("a time-out within bounds"),
        session: SessionName::parse("shop-1").expect("a plain name"),
    }
}

pub(crate) async fn look_up_at(kind: ProviderKind, url: &str, timeout_ms: u32) -> LookupAnswer {
    let provider = Provider::build(settings(kind, url, timeout_ms)).expect("a client");
    provider.look_up(&number()).await
}

pub(crate) async fn look_up(kind: ProviderKind, fake: &FakeProvider) -> LookupAnswer {
    look_up_at(kind, &fake.url(), AMPLE_MS).await
}

pub(crate) async fn answer_to(kind: ProviderKind, reply: Reply) -> LookupAnswer {
    let fake = FakeProvider::start();
    fake.then(reply);
    let answer = look_up(kind, &fake).await;
    assert_eq!(fake.received().len(), 1, "one look-up is one request");
    answer
}

pub(crate) fn number() -> PhoneNumber {
    PhoneNumber::parse(NUMBER).expect("a number in E.164 form")
}

pub(crate) fn unknown(cause: UnknownCause) -> LookupAnswer {
    LookupAnswer { state: NumberState::Unknown { cause }, retry_after: None }
}

fn a_no(kind: ProviderKind) -> &'static str {
    match kind {
        ProviderKind::ContactsApi | ProviderKind::Whapi => CONTACTS_INVALID,
        ProviderKind::Waha => WAHA_ABSENT,
        ProviderKind::Evolution => EVOLUTION_ABSENT,
        ProviderKind::Wppconnect => WPPCONNECT_ABSENT,
        ProviderKind::GreenApi => GREEN_API_ABSENT,
    }
}

/// Returns JSON with blanks behind it, which change nothing but its length.
fn padded(json: &str, bytes: usize) -> String {
    let mut padded = json.to_owned();
    padded.extend(std::iter::repeat_n(' ', bytes.saturating_sub(json.len())));
    padded
}

pub(crate) fn wa_id_of(answer: &LookupAnswer) -> Option<&str> {
    match &answer.state {
        NumberState::Registered { wa_id } => wa_id.as_ref().map(WaId::as_digits),
        NumberState::NotRegistered | NumberState::InProgress | NumberState::Unknown { .. } => None,
    }
}

#[tokio::test]
async fn the_contacts_api_is_asked_as_documented() {
    let fake = FakeProvider::start();
    fake.then(Reply::json(CONTACTS_VALID));
    let answer = look_up(ProviderKind::ContactsApi, &fake).await;
    assert_eq!(wa_id_of(&answer), Some("12025550123"));

    let received = fake.received();
    let [request] = received.as_slice() else { panic!("{} requests", received.len()) };
    assert_eq!((request.method.as_str(), request.target.as_str()), ("POST", "/v1/contacts"));
    assert_eq!(request.header("authorization"), Some("Bearer t0ken-s3cret"));
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!(request.header("accept"), Some("application/json"));
    let agent = concat!("izin/", env!("CARGO_PKG_VERSION"));
    assert_eq!(request.header("user-agent"), Some(agent));
    assert_eq!(request.header("accept-encoding"), None);
    assert_eq!(request.body, CONTACTS_QUESTION.trim().as_bytes());
}

#[tokio::test]
async fn an_address_that_names_the_contacts_endpoint_is_asked_there() {
    let fake = FakeProvider::start();
    fake.answer_by(|_| Reply::json(CONTACTS_INVALID));
    for path in ["/contacts", "/v1/contacts", "/tenant"] {
        let url = format!("{}{path}", fake.url());
        let answer = look_up_at(ProviderKind::ContactsApi, &url, AMPLE_MS).await;
        assert_eq!(answer.state, NumberState::NotRegistered);
    }
    let targets: Vec<_> = fake.received().into_iter().map(|request| request.target).collect();
    assert_eq!(targets, ["/contacts", "/v1/contacts", "/tenant/v1/contacts"]);
}

#[tokio::test]
async fn waha_is_asked_as_documented() {
    let fake = FakeProvider::start();
    fake.then(Reply::json(WAHA_EXISTS));
    let answer = look_up(ProviderKind::Waha, &fake).await;
    assert_eq!(wa_id_of(&answer), Some("12025550123"));

    let received = fake.received();
    let [request] = received.as_slice() else { panic!("{} requests", received.len()) };
    assert_eq!(request.method, "GET");
    let target = "/api/contacts/check-exists?phone=12025550123&session=shop-1";
    assert_eq!(request.target, target);
    assert_eq!(request.header("x-api-key"), Some(TOKEN));
    assert_eq!(request.header("authorization"), None);
    assert_eq!(request.body, b"");
}

#[tokio::test]
async fn without_a_token_none_is_sent() {
    // Where the token is a part of the address, there is nobody to ask without one.
    for kind in KINDS.into_iter().filter(|kind| *kind != ProviderKind::GreenApi) {
        let fake = FakeProvider::start();
        fake.then(Reply::json(a_no(kind)));
        let settings = Settings { token: None, ..settings(kind, &fake.url(), AMPLE_MS) };
        let answer = Provider::build(settings).expect("a client").look_up(&number()).await;
        assert_eq!(answer.state, NumberState::NotRegistered);
        let request = fake.received().pop().expect("a request");
        for header in ["authorization", "x-api-key", "apikey"] {
            assert_eq!(request.header(header), None, "{kind:?}");
        }
    }
}

#[tokio::test]
async fn each_documented_reply_has_its_state() {
    let registered_without_id = NumberState::Registered { wa_id: None };
    let undecided = NumberState::Unknown { cause: UnknownCause::Undecided };
    let lid_alone = r#"{"numberExists":true,"chatId":"98765432109876@lid"}"#;
    for (kind, body, expected) in [
        (ProviderKind::ContactsApi, CONTACTS_INVALID, NumberState::NotRegistered),
        (ProviderKind::ContactsApi, CONTACTS_PROCESSING, NumberState::InProgress),
        (ProviderKind::ContactsApi, CONTACTS_FAILED, undecided),
        (ProviderKind::Waha, WAHA_ABSENT, NumberState::NotRegistered),
        (ProviderKind::Waha, WAHA_ABSENT_NULLS, NumberState::NotRegistered),
        (ProviderKind::Waha, lid_alone, registered_without_id),
    ] {
        let answer = answer_to(kind, Reply::json(body)).await;
        assert_eq!(answer, LookupAnswer { state: expected, retry_after: None }, "{body}");
    }
    let answer = answer_to(ProviderKind::Waha, Reply::json(WAHA_EXISTS_LID)).await;
    assert_eq!(wa_id_of(&answer), Some("12025550123"));
}

#[tokio::test]
async fn an_answer_about_other_numbers_is_unknown() {
    let other = CONTACTS_INVALID.replace(NUMBER, "+12025550199");
    for body in [other.as_str(), CONTACTS_THREE_NUMBERS] {
        let answer = answer_to(ProviderKind::ContactsApi, Reply::json(body)).await;
        assert_eq!(answer, unknown(UnknownCause::AnotherNumber), "{body}");
    }
    let other = r#"{"numberExists":false,"chatId":"447700900456@c.us"}"#;
    let answer = answer_to(ProviderKind::Waha, Reply::json(other)).await;
    assert_eq!(answer, unknown(UnknownCause::AnotherNumber));
}

#[tokio::test]
async fn duplicate_answers_count_when_they_agree() {
    let row = r#"{"input":"+12025550123","status":"invalid"}"#;
    let agreeing = format!(r#"{{"contacts":[{row},{row}]}}"#);
    let answer = answer_to(ProviderKind::ContactsApi, Reply::json(&agreeing)).await;
    assert_eq!(answer.state, NumberState::NotRegistered);
    let disagreeing = format!(r#"{{"contacts":[{row},{}]}}"#, row.replace("invalid", "processing"));
    let answer = answer_to(ProviderKind::ContactsApi, Reply::json(&disagreeing)).await;
    assert_eq!(answer, unknown(UnknownCause::Contradictory));
}

#[tokio::test]
async fn every_refusing_status_is_unknown_with_its_cause_whatever_the_body_says() {
    for kind in KINDS {
        for (status, cause) in [
            (401, UnknownCause::Unauthorized),
            (403, UnknownCause::Unauthorized),
            (400, UnknownCause::Rejected),
            (402, UnknownCause::QuotaExceeded),
            (404, UnknownCause::Rejected),
            (422, UnknownCause::Rejected),
            (429, UnknownCause::RateLimited),
            (466, UnknownCause::QuotaExceeded),
            (500, UnknownCause::ProviderFault),
            (503, UnknownCause::ProviderFault),
            (599, UnknownCause::ProviderFault),
        ] {
            let headers = Vec::new();
            let reply = Reply::Http { status, headers, body: a_no(kind).into() };
            assert_eq!(answer_to(kind, reply).await, unknown(cause), "{kind:?} {status}");
        }
    }
}

#[tokio::test]
async fn a_named_pause_is_passed_on() {
    let date = "Sat, 21 Nov 2026 07:00:00 GMT";
    let until = "Sat, 21 Nov 2026 07:01:30 GMT";
    for (status, cause) in [
        (429, UnknownCause::RateLimited),
        (466, UnknownCause::QuotaExceeded),
        (503, UnknownCause::ProviderFault),
    ] {
        for retry_after in ["90", until] {
            let reply =
                Reply::status(status).header("date", date).header("retry-after", retry_after);
            let answer = answer_to(ProviderKind::ContactsApi, reply).await;
            let expected =
                LookupAnswer { retry_after: Some(Duration::from_secs(90)), ..unknown(cause) };
            assert_eq!(answer, expected, "{status} {retry_after}");
        }
    }
    let elsewhere = Reply::status(500).header("retry-after", "90");
    let answer = answer_to(ProviderKind::ContactsApi, elsewhere).await;
    assert_eq!(answer, unknown(UnknownCause::ProviderFault));
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    for kind in KINDS {
        for status in [301, 302, 307, 308] {
            let elsewhere = FakeProvider::start();
            elsewhere.answer_by(move |_| Reply::json(a_no(kind)));
            let reply = Reply::status(status).header("location", &elsewhere.url());
            assert_eq!(answer_to(kind, reply).await, unknown(UnknownCause::Redirected));
            assert_eq!(elsewhere.connections(), 0, "{kind:?} {status}");
        }
    }
}

#[tokio::test]
async fn replies_that_are_not_what_was_documented_are_unknown() {
    for kind in KINDS {
        let no = a_no(kind);
        let half: String = no.chars().take(no.len() / 2).collect();
        for (body, cause) in [
            ("\u{0}\u{1}garbage", UnknownCause::NotJson),
            ("", UnknownCause::NotJson),
            (half.as_str(), UnknownCause::NotJson),
            ("null", UnknownCause::WrongShape),
            (r#"{"error":"busy"}"#, UnknownCause::WrongShape),
        ] {
            let answer = answer_to(kind, Reply::json(body)).await;
            assert_eq!(answer, unknown(cause), "{kind:?} {body:?}");
        }
        // Whose answer is a list has said nothing of any number with an empty one.
        let cause = if kind == ProviderKind::Evolution {
            UnknownCause::NoAnswer
        } else {
            UnknownCause::WrongShape
        };
        assert_eq!(answer_to(kind, Reply::json("[]")).await, unknown(cause), "{kind:?}");
    }
    let nothing = answer_to(ProviderKind::ContactsApi, Reply::json(r#"{"contacts":[]}"#)).await;
    assert_eq!(nothing, unknown(UnknownCause::NoAnswer));
}

#[tokio::test]
async fn the_right_json_counts_under_a_wrong_content_type() {
    for kind in KINDS {
        let headers = vec![("content-type".to_owned(), "text/html".to_owned())];
        let reply = Reply::Http { status: 200, headers, body: a_no(kind).into() };
        assert_eq!(answer_to(kind, reply).await.state, NumberState::NotRegistered);
    }
}

#[tokio::test]
async fn a_body_over_the_bound_is_not_read_whether_announced_or_not() {
    for kind in KINDS {
        let fitting = padded(a_no(kind), PROVIDER_BODY_BYTES_MAX);
        let answer = answer_to(kind, Reply::json(&fitting)).await;
        assert_eq!(answer.state, NumberState::NotRegistered, "all of the bound may be used");

        let long = padded(a_no(kind), PROVIDER_BODY_BYTES_MAX + 1);
        let announced = answer_to(kind, Reply::json(&long)).await;
        assert_eq!(announced, unknown(UnknownCause::TooLarge));

        let huge = padded(a_no(kind), 1_000_000);
        let unannounced = format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{huge}");
        let answer = answer_to(kind, Reply::Raw(unannounced.into_bytes())).await;
        assert_eq!(answer, unknown(UnknownCause::TooLarge));
    }
}

#[tokio::test]
async fn a_connection_that_breaks_off_is_unknown() {
    for kind in KINDS {
        for reply in [
            Reply::hang_up(),
            Reply::cut_in_half(a_no(kind)),
            Reply::Raw(b"\x16\x03\x01 this is not HTTP at all \xff\xfe\r\n\r\n".to_vec()),
        ] {
            let answer = answer_to(kind, reply.clone()).await;
            assert_eq!(answer, unknown(UnknownCause::Interrupted), "{kind:?} {reply:?}");
        }
    }
}

#[tokio::test]
async fn nobody_listening_is_unreachable() {
    for kind in KINDS {
        let answer = look_up_at(kind, NOBODY, AMPLE_MS).await;
        assert_eq!(answer, unknown(UnknownCause::Unreachable));
    }
}

#[tokio::test]
async fn tls_with_one_who_does_not_speak_it_is_unreachable() {
    let fake = FakeProvider::start();
    fake.answer_by(|_| Reply::Raw(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()));
    let url = fake.url().replace("http://", "https://");
    let answer = look_up_at(ProviderKind::Waha, &url, SHORT_MS * 10).await;
    // Which of the two depends on whether the other side hangs up first.
    assert!(
        [unknown(UnknownCause::Unreachable), unknown(UnknownCause::Timeout)].contains(&answer),
        "{answer:?}"
    );
}

#[tokio::test]
async fn silence_and_a_slow_drip_end_at_the_time_out() {
    for kind in KINDS {
        let fake = FakeProvider::start();
        fake.then(Reply::Silence);
        let answer = look_up_at(kind, &fake.url(), SHORT_MS).await;
        assert_eq!(answer, unknown(UnknownCause::Timeout));

        // Each byte comes long before the time-out, but the last would come long after it.
        let body = padded(a_no(kind), 2_000).into_bytes();
        fake.then(Reply::Drip { body, every: Duration::from_millis(20) });
        let answer = look_up_at(kind, &fake.url(), SHORT_MS).await;
        assert_eq!(answer, unknown(UnknownCause::Timeout));
        assert_eq!(fake.received().len(), 2, "a look-up that timed out is not repeated");
    }
}

#[tokio::test]
async fn a_connection_serves_several_look_ups() {
    let fake = FakeProvider::start();
    fake.answer_by(|_| Reply::json(WAHA_ABSENT));
    let settings = settings(ProviderKind::Waha, &fake.url(), AMPLE_MS);
    let provider = Provider::build(settings).expect("a client");
    for _ in 0..5 {
        assert_eq!(provider.look_up(&number()).await.state, NumberState::NotRegistered);
    }
    assert_eq!((fake.received().len(), fake.connections()), (5, 1));
}

#[test]
fn a_proxy_named_in_the_environment_is_not_used() {
    let output = Command::new(std::env::current_exe().expect("this test binary"))
        .args(["--exact", "providers::waha_is_asked_as_documented"])
        .envs([("HTTP_PROXY", NOBODY), ("http_proxy", NOBODY), ("ALL_PROXY", NOBODY)])
        .output()
        .expect("this test binary runs again");
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && shown.contains("1 passed"), "{shown}");
}

#[tokio::test]
async fn a_breaker_follows_what_the_provider_says() {
    let fake = FakeProvider::start();
    fake.then(Reply::status(429).header("retry-after", "45")).then(Reply::json(WAHA_ABSENT));
    let settings = settings(ProviderKind::Waha, &fake.url(), AMPLE_MS);
    let provider = Provider::build(settings).expect("a client");
    let breaker = SharedBreaker::new(BreakerSettings::default());

    let permit = breaker.allows(0).expect("closed");
    permit.report(provider.look_up(&number()).await.outcome(), 0);
    assert_eq!(breaker.state(0), BreakerState::Open { until_ms: 45_000 });
    assert!(breaker.allows(44_999).is_err());

    let probe = breaker.allows(45_000).expect("half open");
    probe.report(provider.look_up(&number()).await.outcome(), 45_000);
    assert_eq!(breaker.state(45_000), BreakerState::Closed);
}

/// Log lines, kept for reading.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no writer panicked").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_log_line_holds_the_number_the_token_or_the_path() {
    // With a single subscriber in the process, tracing asks the thread that meets a log line first
    // whether anybody listens, and another test's thread says no for all. A second one avoids that.
    let second = tracing::Dispatch::new(tracing_subscriber::registry());
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let guard = tracing::subscriber::set_default(subscriber);
    for kind in KINDS {
        for reply in [
            Reply::json(CONTACTS_VALID),
            Reply::json(WAHA_EXISTS),
            Reply::json(a_no(kind)),
            Reply::json(r#"{"input":"+12025550123"}"#),
            Reply::status(401),
            Reply::status(429).header("retry-after", "9"),
            Reply::status(302).header("location", "http://127.0.0.1:9/?phone=12025550123"),
            Reply::hang_up(),
            Reply::cut_in_half(CONTACTS_VALID),
        ] {
            answer_to(kind, reply).await;
        }
        look_up_at(kind, &format!("{NOBODY}/instance-s3cret"), AMPLE_MS).await;
    }
    drop((guard, second));
    let shown = lines.0.lock().expect("no writer panicked").clone();
    let shown = String::from_utf8(shown).expect("log lines are text");
    for expected in ["refuses our token", "rate_limited", "interrupted", "unreachable"] {
        assert!(shown.contains(expected), "{expected} is missing in\n{shown}");
    }
    for secret in ["2025550123", "s3cret", "/api/contacts", "check-exists", "checkWhatsapp"] {
        assert!(!shown.contains(secret), "{secret} is in\n{shown}");
    }
}
