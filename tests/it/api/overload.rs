//! Too much at once, and what comes too slowly: an answer at once, and when to try again.
#![expect(clippy::expect_used, reason = "a socket of this machine that fails ends the test")]

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use futures_util::future::join_all;
use serde_json::json;
use tokio::net::TcpSocket;

use crate::app::{OPERATOR, TestApp};

/// Sends the head of an opt-in and the beginning of its body.
fn half_an_opt_in(app: &TestApp) -> TcpStream {
    let mut stream = TcpStream::connect(app.addr()).expect("a connection");
    let head = format!(
        "POST /v1/opt-ins HTTP/1.1\r\nhost: izin\r\nauthorization: Bearer {OPERATOR}\r\n\
         content-type: application/json\r\ncontent-length: 1000\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).expect("a connection");
    stream.write_all(&[b' '; 900]).expect("a connection");
    stream
}

#[tokio::test]
async fn more_bodies_than_fit_are_turned_away_until_there_is_room() {
    let app = TestApp::with_registry_and(&[
        ("IZIN_HTTP__BODY_BYTES_MAX", "1024"),
        ("IZIN_HTTP__BATCH_BODY_BYTES_MAX", "1024"),
        ("IZIN_HTTP__IN_FLIGHT_BYTES_MAX", "1024"),
    ])
    .await;
    let body = json!({"number": "+12025550101", "topics": ["orders"],
        "source": {"type": "web_form", "reference": "r".repeat(200)}});
    let opt_in = || app.post("/v1/opt-ins").json(&body).send();
    // Whichever of the two comes second is turned away; it has to be this one.
    let (half, refused) = loop {
        let half = half_an_opt_in(&app);
        let reply = opt_in().await;
        if reply.status != 201 {
            break (half, reply);
        }
    };
    refused.problem(503, "overloaded");
    assert_eq!(refused.header("retry-after"), Some("1"));
    drop(half);
    while opt_in().await.status != 201 {}
}

#[tokio::test]
async fn a_body_that_does_not_arrive_in_time_is_given_up() {
    let app = TestApp::with_registry_and(&[("IZIN_HTTP__REQUEST_DEADLINE_S", "1")]).await;
    let mut stream = half_an_opt_in(&app);
    // The service has threads of its own.
    let mut reply = [0; 2_000];
    let len = stream.read(&mut reply).expect("a reply");
    let reply = String::from_utf8_lossy(&reply[..len]);
    assert!(reply.starts_with("HTTP/1.1 408 "), "{reply}");
    assert!(reply.contains("\"code\":\"request_timeout\""), "{reply}");
}

#[tokio::test]
async fn a_reader_that_takes_nothing_is_cut_off() {
    let app = TestApp::with_registry_and(&[("IZIN_HTTP__STALL_S", "1")]).await;
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4_096).expect("a socket");
    let stream = socket.connect(app.addr()).await.and_then(tokio::net::TcpStream::into_std);
    let mut stream = stream.expect("a connection");
    stream.set_nonblocking(false).expect("a socket");
    stream.set_write_timeout(Some(Duration::from_mins(1))).expect("a socket");
    let head = format!(
        "POST /v1/eligibility HTTP/1.1\r\nhost: izin\r\nauthorization: Bearer {OPERATOR}\r\n\
         content-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n\
         13\r\n{{\"topic\":\"orders\"}}\n\r\n"
    );
    stream.write_all(head.as_bytes()).expect("a connection");
    let lines = "\"+12025550101\"\n".repeat(4_000);
    let chunk = format!("{:x}\r\n{lines}\r\n", lines.len());
    // The service has threads of its own; it takes lines until its answers have nowhere to go.
    let ended = loop {
        if let Err(error) = stream.write_all(chunk.as_bytes()) {
            break error.kind();
        }
    };
    assert!(matches!(ended, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{ended}");
    app.ask("+12025550101", "orders").await;
}

#[tokio::test]
async fn opt_ins_wait_for_a_database_far_behind_and_nothing_else_does() {
    let app =
        TestApp::with_registry_and(&[("IZIN_STORE__LAG_MAX", "1"), ("IZIN_STORE__BATCH_LEN", "1")])
            .await;
    let opt_in = |place: usize| {
        let body = json!({"number": format!("+447700900{place:03}"), "topics": ["orders"],
            "source": {"type": "web_form"}});
        app.post("/v1/opt-ins").json(&body).send()
    };
    let opt_out = |place: usize| {
        let body =
            json!({"number": format!("+447700900{place:03}"), "source": {"type": "keyword"}});
        app.post("/v1/opt-outs").json(&body).send()
    };
    let mut refused = Vec::new();
    let mut round = 0;
    while refused.is_empty() {
        let places = (0..40).map(|place| (round * 40 + place) % 1_000);
        let opt_outs = join_all(places.clone().map(opt_out));
        let (ins, outs) = futures_util::future::join(join_all(places.map(opt_in)), opt_outs).await;
        assert!(outs.iter().all(|reply| reply.status == 201), "an opt-out never waits");
        refused.extend(ins.into_iter().filter(|reply| reply.status != 201));
        round += 1;
    }
    for reply in &refused {
        let problem = reply.problem(503, "ledger_busy");
        assert_eq!((&problem["retryable"], reply.header("retry-after")), (&json!(true), Some("2")));
    }
    // It catches up, and then takes them again.
    while opt_in(1).await.status != 201 {}
}
