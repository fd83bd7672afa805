//! The service as it runs, on a free port over a data directory of its own.
//!
//! A test that ends well also shows that the ledger it leaves behind opens and verifies again.
#![expect(clippy::expect_used, reason = "helpers of tests say what went wrong by failing")]

use std::{
    ffi::OsString,
    net::SocketAddr,
    sync::{Arc, mpsc},
    thread::{self, JoinHandle},
};

use izin::{
    app::{self, Service},
    config::{Config, Overrides},
    domain::time::Timestamp,
    runtime::clock::{Clock as _, ManualClock},
};
use reqwest::{Client, Method, RequestBuilder, StatusCode, header::HeaderMap, redirect::Policy};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::oneshot;

/// The key the environment gives the operator.
pub(crate) const OPERATOR: &str = "operator-key-of-the-tests";

/// 2026-11-20T09:00:00Z, when every test begins.
const START_MS: i64 = 1_795_165_200_000;

/// A running service and a client for it.
pub(crate) struct TestApp {
    pub(crate) clock: Arc<ManualClock>,
    client: Client,
    config: Config,
    folder: TempDir,
    running: Option<Running>,
}

struct Running {
    addr: SocketAddr,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

/// A request that has not been sent yet.
pub(crate) struct Call {
    builder: RequestBuilder,
    has_key: bool,
}

/// A whole reply.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Running {
    fn start(config: &Config, clock: &Arc<ManualClock>) -> Self {
        let (config, clock) = (config.clone(), Arc::clone(clock));
        let (tell, told) = mpsc::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let started = app::start(&config, clock, false).await;
                let Service { addr, handle, run, behind } = started.expect("a service");
                tell.send(addr).expect("the test waits for the address");
                actix_web::rt::spawn(async move {
                    // The test gone is as good as the test done.
                    drop(stopped.await);
                    handle.stop(false).await;
                });
                run.serve().await.expect("a listener that does not fail");
                behind.finish();
            });
        });
        let addr = told.recv().expect("a service that starts");
        Self { addr, stop, thread }
    }

    fn stop(self) -> thread::Result<()> {
        drop(self.stop);
        self.thread.join()
    }
}

impl TestApp {
    /// Starts a service with nothing in it.
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts a service with settings of its own, given as variables.
    pub(crate) fn start_with(settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().join("data").display().to_string();
        let fixed = [
            ("IZIN_DATA_DIR", data.as_str()),
            ("IZIN_LISTEN", "127.0.0.1:0"),
            ("IZIN_ADMIN_KEY", OPERATOR),
            ("IZIN_HTTP__WORKERS", "1"),
        ];
        let variables = fixed.iter().chain(settings);
        let variables: Vec<(OsString, OsString)> =
            variables.map(|(name, value)| (name.into(), value.into())).collect();
        let config = Config::load(&Overrides::default(), variables).expect("good settings");
        let clock = Arc::new(ManualClock::at(START_MS));
        let running = Some(Running::start(&config, &clock));
        // Another test of this process may have installed one before.
        drop(rustls::crypto::ring::default_provider().install_default());
        let client =
            Client::builder().no_proxy().redirect(Policy::none()).build().expect("a client");
        Self { clock, client, config, folder, running }
    }

    /// Starts a service with a topic of each kind, a statement, a sender and a template.
    pub(crate) async fn with_registry() -> Self {
        Self::with_registry_and(&[]).await
    }

    /// As [`Self::with_registry`], with settings of its own.
    pub(crate) async fn with_registry_and(settings: &[(&str, &str)]) -> Self {
        let app = Self::start_with(settings);
        for (path, body) in [
            ("topics/orders", json!({"name": "Orders", "category": "utility"})),
            ("topics/promotions", json!({"name": "Promotions", "category": "marketing"})),
            (
                "statements/signup",
                json!({"business_name": "Toko Contoh", "texts": {"en": "I agree."},
                    "topics": ["orders", "promotions"]}),
            ),
            ("portfolios/p1", json!({"name": "Toko", "messaging_limit": 250})),
            (
                "senders/1001",
                json!({"portfolio": "p1", "number": "+12025550100", "status": "CONNECTED",
                    "quality": "GREEN"}),
            ),
            (
                "templates/shipped/en",
                json!({"topic": "orders", "category": "utility", "status": "APPROVED"}),
            ),
        ] {
            app.put(&format!("/v1/{path}")).json(&body).expect(201).await;
        }
        app
    }

    /// Stops the service and starts it again on the same data.
    pub(crate) fn restart(&mut self) {
        let ended = self.running.take().map(Running::stop);
        assert!(matches!(ended, Some(Ok(()))), "the service failed");
        self.running = Some(Running::start(&self.config, &self.clock));
    }

    /// Returns where the service listens.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.running.as_ref().expect("a running service").addr
    }

    pub(crate) fn get(&self, path: &str) -> Call {
        self.call(Method::GET, path)
    }

    pub(crate) fn post(&self, path: &str) -> Call {
        self.call(Method::POST, path)
    }

    pub(crate) fn put(&self, path: &str) -> Call {
        self.call(Method::PUT, path)
    }

    pub(crate) fn delete(&self, path: &str) -> Call {
        self.call(Method::DELETE, path)
    }

    pub(crate) fn call(&self, method: Method, path: &str) -> Call {
        let addr = self.addr();
        Call {
            builder: self.client.request(method, format!("http://{addr}{path}")),
            has_key: false,
        }
    }

    /// Records an opt-in on the web form and returns the reply.
    pub(crate) async fn opt_in(&self, number: &str, topic: &str) -> Value {
        let body = json!({"number": number, "topics": [topic], "source": {"type": "web_form"}});
        self.post("/v1/opt-ins").json(&body).expect(201).await
    }

    /// Records an opt-out from everything and returns the reply.
    pub(crate) async fn opt_out(&self, number: &str) -> Value {
        let body = json!({"number": number, "source": {"type": "keyword"}});
        self.post("/v1/opt-outs").json(&body).expect(201).await
    }

    /// Asks about a topic and returns the decision.
    pub(crate) async fn ask(&self, number: &str, topic: &str) -> Value {
        let path = format!("/v1/eligibility?number={number}&topic={topic}");
        self.get(&path).expect(200).await
    }

    /// Makes a secret key and returns its text and its id.
    pub(crate) async fn key(&self, scopes: &[&str]) -> (String, String) {
        let body = json!({"name": "a test's", "scopes": scopes});
        let made = self.post("/v1/keys").json(&body).expect(201).await;
        (text(&made["key"]), text(&made["id"]))
    }

    /// Returns where the service keeps its data.
    pub(crate) fn data(&self) -> std::path::PathBuf {
        self.folder.path().join("data")
    }

    /// Returns the moment the clock shows, moved by seconds.
    pub(crate) fn moment(&self, plus_s: i64) -> String {
        let now: Timestamp = self.clock.now();
        now.plus_ms(plus_s * 1_000).to_rfc3339()
    }

    /// Lets hours pass.
    pub(crate) fn wait_hours(&self, hours: u32) {
        self.clock.advance_ms(hours * 3_600_000);
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        let ended = self.running.take().map(Running::stop);
        if thread::panicking() {
            return;
        }
        assert!(matches!(ended, Some(Ok(()))), "the service failed");
        app::check(&self.config).expect("a ledger and a database that agree");
        assert!(self.folder.path().exists());
    }
}

impl Call {
    /// Sends another key than the operator's.
    pub(crate) fn key(mut self, key: &str) -> Self {
        self.builder = self.builder.bearer_auth(key);
        self.has_key = true;
        self
    }

    /// Sends no key.
    pub(crate) fn anonymous(mut self) -> Self {
        self.has_key = true;
        self
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.builder = self.builder.header(name, value);
        self
    }

    pub(crate) fn json(mut self, body: &Value) -> Self {
        self.builder = self.builder.json(body);
        self
    }

    pub(crate) fn body(mut self, media: &str, body: impl Into<reqwest::Body>) -> Self {
        self.builder = self.builder.header("content-type", media).body(body);
        self
    }

    /// Sends a body without saying what it is.
    pub(crate) fn bare_body(mut self, body: impl Into<reqwest::Body>) -> Self {
        self.builder = self.builder.body(body);
        self
    }

    pub(crate) async fn send(self) -> Reply {
        self.try_send().await.expect("a whole reply")
    }

    /// Sends and returns the reply, or nothing when the connection ends without one.
    pub(crate) async fn try_send(self) -> Option<Reply> {
        let builder = if self.has_key { self.builder } else { self.builder.bearer_auth(OPERATOR) };
        let response = builder.send().await.ok()?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.bytes().await.ok()?.to_vec();
        Some(Reply { status, headers, body })
    }

    /// Sends and returns the body of a reply that has this status.
    pub(crate) async fn expect(self, status: u16) -> Value {
        let reply = self.send().await;
        assert_eq!(reply.status, status, "{}", reply.text());
        reply.json()
    }

    /// Sends and returns the problem that must come, by status and code.
    pub(crate) async fn problem(self, status: u16, code: &str) -> Value {
        self.send().await.problem(status, code)
    }
}

impl Reply {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Returns the body, which must be a problem with all that problems have.
    pub(crate) fn problem(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        let problem = self.json();
        assert_eq!(problem["code"], code, "{problem}");
        assert_eq!(problem["status"], status);
        assert_eq!(problem["type"], format!("/docs/problems#{code}"));
        assert_eq!(problem["request_id"].as_str(), self.header("x-request-id"));
        assert!(problem["retryable"].is_boolean() && problem["title"].is_string());
        assert_eq!(self.header("cache-control"), Some("no-store"));
        problem
    }
}

/// Returns a string of a reply.
pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}
