//! The binary itself: starting, stopping, being killed, and being given damaged files.
#![expect(clippy::expect_used, reason = "helpers of tests say what went wrong by failing")]

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
    thread::{self, JoinHandle},
};

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use futures_util::future::join_all;
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::{Mutex, Notify};

const BINARY: &str = env!("CARGO_BIN_EXE_izin");

/// How often the binary is killed, by how many clients it is loaded then, and with what.
const ROUNDS: usize = 5;
const CLIENTS: usize = 16;
const OPT_INS_EACH: usize = 12;
const KILLED_AFTER: usize = 96;

/// The binary, serving.
pub(crate) struct Izin {
    child: Child,
    pub(crate) addr: String,
    pub(crate) key: String,
    client: Client,
    log: Option<JoinHandle<String>>,
}

/// Returns the binary with an environment of its own.
pub(crate) fn izin(data: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(BINARY);
    command.env_clear().env("IZIN_DATA_DIR", data).env("IZIN_LISTEN", "127.0.0.1:0");
    command.args(arguments);
    command
}

/// Runs the binary to its end and returns what it printed on success.
pub(crate) fn run(data: &Path, arguments: &[&str]) -> String {
    let output = izin(data, arguments).output().expect("the binary");
    assert!(output.status.success(), "{arguments:?}: {}", said(&output));
    String::from_utf8(output.stdout).expect("text")
}

pub(crate) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

impl Izin {
    pub(crate) fn start(data: &Path) -> Self {
        Self::start_with(data, &[])
    }

    pub(crate) fn start_with(data: &Path, variables: &[(&str, &str)]) -> Self {
        let mut command = izin(data, &["serve"]);
        command.envs(variables.iter().copied());
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary");
        let mut log = BufReader::new(child.stderr.take().expect("a pipe"));
        let mut before = String::new();
        let addr = loop {
            let mut line = String::new();
            let len = log.read_line(&mut line).expect("a line");
            assert!(len > 0, "the binary ended early: {before}");
            before.push_str(&line);
            let entry: Value = serde_json::from_str(&line).unwrap_or_default();
            if entry["message"] == "listening" {
                break entry["http.addr"].as_str().expect("an address").to_owned();
            }
        };
        let log = thread::spawn(move || {
            log.read_to_string(&mut before).expect("text to the end");
            before
        });
        let key = fs::read_to_string(data.join("admin.key")).expect("the admin key");
        drop(rustls::crypto::ring::default_provider().install_default());
        let client = Client::builder().no_proxy().build().expect("a client");
        Self { child, addr, key: key.trim().to_owned(), client, log: Some(log) }
    }

    fn post(&self, path: &str, body: &Value) -> RequestBuilder {
        let url = format!("http://{}{path}", self.addr);
        self.client.post(url).bearer_auth(&self.key).json(body)
    }

    async fn put_topic(&self) {
        let body = json!({"name": "Orders", "category": "utility"});
        let url = format!("http://{}/v1/topics/orders", self.addr);
        let call = self.client.put(url).bearer_auth(&self.key).json(&body);
        assert_eq!(call.send().await.expect("a reply").status(), 201);
    }

    /// Puts the same topic once more, which needs a key that works.
    async fn put_topic_again(&self) {
        let body = json!({"name": "Orders", "category": "utility"});
        let url = format!("http://{}/v1/topics/orders", self.addr);
        let call = self.client.put(url).bearer_auth(&self.key).json(&body);
        assert_eq!(call.send().await.expect("a reply").status(), 200);
    }

    /// Records an opt-in; returns whether it was acknowledged.
    async fn opt_in(&self, number: &str) -> bool {
        let body = json!({"number": number, "topics": ["orders"], "source": {"type": "web_form"},
            "evidence": {"note": "a secret remark"}});
        let reply = self.post("/v1/opt-ins", &body).send().await;
        reply.is_ok_and(|reply| reply.status() == 201)
    }

    /// Sends the binary a signal, by its name.
    fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        let told = Command::new("/bin/sh").args(["-c", &kill]).status().expect("a shell");
        assert!(told.success());
    }

    /// Waits for the end and returns how it came, and the log.
    fn ended(mut self) -> (ExitStatus, String) {
        let ended = self.child.wait().expect("an end");
        (ended, self.log())
    }

    /// Tells the binary to stop and returns how it ended, and its log.
    pub(crate) fn stop(self) -> (ExitStatus, String) {
        self.signal("TERM");
        self.ended()
    }

    /// Ends the binary as a power cut does, as far as the binary can tell.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("a process to kill");
        self.child.wait().expect("an end");
    }

    fn log(&mut self) -> String {
        self.log.take().map(|log| log.join().expect("a log")).unwrap_or_default()
    }
}

impl Drop for Izin {
    fn drop(&mut self) {
        // It has ended unless the test failed on the way.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Makes a data directory that a stopped service left behind, with opt-ins in it.
pub(crate) async fn left_behind(numbers: &[&str]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let izin = Izin::start(&data);
    izin.put_topic().await;
    for number in numbers {
        assert!(izin.opt_in(number).await, "{number}");
    }
    let (ended, _) = izin.stop();
    assert_eq!(ended.code(), Some(0));
    (folder, data)
}

fn segments(data: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(data.join("journal")).expect("a journal");
    let paths = files.map(|file| file.expect("a file").path());
    paths.filter(|path| path.extension().is_some_and(|ending| ending == "seg")).collect()
}

pub(crate) fn refused(data: &Path, arguments: &[&str], code: i32) -> String {
    let output = izin(data, arguments).output().expect("the binary");
    let said = said(&output);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
    assert!(!said.contains("panicked"), "{said}");
    said
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("a file").permissions().mode() & 0o777
}

#[tokio::test]
async fn the_binary_says_where_it_listens_keeps_its_key_and_stops_when_told() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let izin = Izin::start(&data);
    let written = fs::read_to_string(data.join("listen.addr")).unwrap();
    assert_eq!(written.trim(), izin.addr);
    assert_eq!(mode(&data.join("admin.key")), 0o600);
    assert_eq!(mode(&data), 0o700);
    assert_eq!(mode(&data.join("secrets")), 0o700);
    assert!(izin.key.starts_with("izin_sk_live_"));
    izin.put_topic().await;
    let url = format!("http://{}/livez", izin.addr);
    let live = izin.client.get(url).send().await.unwrap();
    assert_eq!(live.text().await.unwrap(), "ok\n");
    let key = izin.key.clone();
    let (ended, log) = izin.stop();
    assert_eq!(ended.code(), Some(0), "{log}");
    assert!(!log.contains(&key));
    assert!(!data.join("listen.addr").exists());
    let again = Izin::start(&data);
    assert_eq!(again.key, key);
    assert_eq!(again.stop().0.code(), Some(0));
}

#[tokio::test]
async fn a_key_made_before_the_first_start_does_not_stand_in_for_the_admin_key() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let made = run(&data, &["keys", "create", "--name", "crm", "--scope", "registry:read"]);
    assert!(made.contains("izin_sk_live_"), "{made}");
    let izin = Izin::start(&data);
    izin.put_topic().await;
    // It is the only way in, so it stays.
    let id = izin.key.split('_').nth(3).unwrap().to_owned();
    let url = format!("http://{}/v1/keys/{id}", izin.addr);
    let reply = izin.client.delete(url).bearer_auth(&izin.key).send().await.unwrap();
    let problem: Value = reply.json().await.unwrap();
    assert_eq!(problem["code"], "key_last", "{problem}");
    izin.stop();
    // Revoked with nobody serving: the next start makes another one.
    run(&data, &["keys", "revoke", &id]);
    let again = Izin::start(&data);
    assert!(!again.key.contains(&id));
    again.put_topic_again().await;
    again.stop();
}

#[test]
fn a_region_that_is_none_is_refused_with_the_one_that_was_meant() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    for (region, told) in [("UK", "did you mean GB?"), ("ZZ", "such as ID")] {
        for command in ["serve", "check-config"] {
            let mut izin = izin(&data, &[command]);
            let output = izin.env("IZIN_NUMBERS__DEFAULT_REGION", region).output().unwrap();
            let said = said(&output);
            assert_eq!(output.status.code(), Some(64), "{said}");
            assert!(said.contains(told) && said.contains("numbers.default_region"), "{said}");
        }
    }
    assert!(!data.exists(), "nothing is begun before the settings are right");
}

/// Writers that are under way when the binary is told to stop.
const WRITERS: usize = 200;

#[tokio::test]
async fn what_was_acknowledged_while_stopping_is_there_after_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let izin = Izin::start(&data);
    izin.put_topic().await;
    let (count, enough) = (AtomicUsize::new(0), Notify::new());
    let acknowledged = Mutex::new(Vec::new());
    let writers = (0..WRITERS).map(|writer| {
        let (izin, count, enough, acknowledged) = (&izin, &count, &enough, &acknowledged);
        async move {
            for turn in 0..5 {
                let number = format!("+447700900{:03}", writer * 5 + turn);
                if !izin.opt_in(&number).await {
                    return;
                }
                acknowledged.lock().await.push(number);
                if count.fetch_add(1, Ordering::SeqCst) + 1 == WRITERS {
                    enough.notify_one();
                }
            }
        }
    });
    let stopper = async {
        enough.notified().await;
        izin.signal("TERM");
    };
    futures_util::future::join(join_all(writers), stopper).await;
    let (ended, log) = izin.ended();
    assert_eq!(ended.code(), Some(0), "{log}");
    let acknowledged = acknowledged.into_inner();
    assert!(acknowledged.len() >= WRITERS);
    let izin = Izin::start(&data);
    let body = json!({"recipients": acknowledged, "topic": "orders", "detail": "totals"});
    let reply = izin.post("/v1/eligibility", &body).send().await.unwrap();
    let answer: Value = reply.json().await.unwrap();
    assert_eq!(answer["totals"]["eligible"], acknowledged.len(), "{answer}");
    izin.stop();
}

#[tokio::test]
async fn whoever_waits_for_a_change_is_answered_when_the_service_stops() {
    let folder = tempfile::tempdir().unwrap();
    let izin = Izin::start(folder.path());
    izin.put_topic().await;
    let url = |query: &str| format!("http://{}/v1/changes?{query}", izin.addr);
    let get = |query: &str| izin.client.get(url(query)).bearer_auth(&izin.key).send();
    let known: Value = get("limit=1000").await.unwrap().json().await.unwrap();
    let query = format!("after={}&wait=60", known["next"]);
    let stopper = async {
        for _ in 0..3 {
            izin.put_topic_again().await;
        }
        izin.signal("TERM");
    };
    let (waited, ()) = futures_util::future::join(get(&query), stopper).await;
    let waited: Value = waited.unwrap().json().await.unwrap();
    assert_eq!(waited, json!({"changes": [], "next": known["next"], "has_more": false}));
    let (ended, log) = izin.ended();
    assert_eq!(ended.code(), Some(0), "{log}");
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once_while_the_first_still_waits() {
    let folder = tempfile::tempdir().unwrap();
    let izin = Izin::start(&folder.path().join("data"));
    // A request whose body never comes holds the first stop up.
    let mut slow = std::net::TcpStream::connect(&izin.addr).unwrap();
    let head = format!(
        "POST /v1/opt-ins HTTP/1.1\r\nhost: izin\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\ncontent-length: 100\r\n\r\n{{",
        izin.key
    );
    slow.write_all(head.as_bytes()).unwrap();
    let url = format!("http://{}/livez", izin.addr);
    izin.client.get(url).send().await.unwrap();
    izin.signal("TERM");
    izin.signal("INT");
    let (ended, log) = izin.ended();
    assert!([Some(130), Some(143)].contains(&ended.code()), "{ended}: {log}");
    drop(slow);
}

#[tokio::test]
async fn a_second_process_on_the_same_data_is_turned_away() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let izin = Izin::start(&data);
    for arguments in [&["serve"][..], &["check"], &["rebuild"]] {
        let said = refused(&data, arguments, 75);
        assert!(said.contains("in use by another process"), "{said}");
        assert!(said.contains(&data.display().to_string()), "{said}");
    }
    izin.put_topic().await;
}

#[tokio::test]
async fn an_acknowledged_opt_in_survives_being_killed_under_load() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut acknowledged = Vec::new();
    for round in 0..ROUNDS {
        let mut izin = Izin::start(&data);
        if round == 0 {
            izin.put_topic().await;
        }
        acknowledged.extend(load_and_kill(&mut izin, round).await);
        assert!(acknowledged.len() >= KILLED_AFTER * (round + 1));
        let izin = Izin::start(&data);
        let body = json!({"recipients": acknowledged, "topic": "orders", "detail": "totals"});
        let reply = izin.post("/v1/eligibility", &body).send().await.unwrap();
        let answer: Value = reply.json().await.unwrap();
        assert_eq!(answer["totals"]["eligible"], acknowledged.len(), "round {round}: {answer}");
        assert_eq!(izin.stop().0.code(), Some(0));
    }
    assert!(run(&data, &["check"]).starts_with("OK entries="));
}

/// Loads the binary, kills it in the middle and returns the numbers it acknowledged.
async fn load_and_kill(izin: &mut Izin, round: usize) -> Vec<String> {
    let (count, enough) = (AtomicUsize::new(0), Notify::new());
    let acknowledged = Mutex::new(Vec::new());
    {
        let izin = &*izin;
        let clients = (0..CLIENTS).map(|client| {
            let (count, enough, acknowledged) = (&count, &enough, &acknowledged);
            async move {
                for turn in 0..OPT_INS_EACH {
                    let place = (round * CLIENTS + client) * OPT_INS_EACH + turn;
                    // Source: Ofcom keeps these for drama.
                    let number = format!("+447700900{place:03}");
                    if !izin.opt_in(&number).await {
                        return;
                    }
                    acknowledged.lock().await.push(number);
                    if count.fetch_add(1, Ordering::SeqCst) + 1 == KILLED_AFTER {
                        enough.notify_one();
                    }
                }
            }
        });
        let killer = async {
            enough.notified().await;
            let kill = format!("kill -KILL {}", izin.child.id());
            let killed = Command::new("/bin/sh").args(["-c", &kill]).status();
            assert!(killed.is_ok_and(|status| status.success()));
        };
        futures_util::future::join(join_all(clients), killer).await;
    }
    izin.kill();
    acknowledged.into_inner()
}

#[tokio::test]
async fn a_flipped_bit_in_the_journal_is_refused_and_its_file_is_named() {
    let (_folder, data) = left_behind(&["+12025550141", "+12025550142"]).await;
    let [segment] = segments(&data).try_into().unwrap();
    let good = fs::read(&segment).unwrap();
    let used = good.iter().rposition(|byte| *byte != 0).unwrap();
    for place in [used / 3, used / 2, used - 8] {
        let mut bad = good.clone();
        bad[place] ^= 0x10;
        fs::write(&segment, &bad).unwrap();
        for arguments in [&["serve"][..], &["check"]] {
            let said = refused(&data, arguments, 65);
            let name = segment.file_name().unwrap().to_str().unwrap();
            assert!(said.contains(name), "{said}");
        }
        assert_eq!(fs::read(&segment).unwrap(), bad, "a refusal changes nothing");
    }
    fs::write(&segment, &good).unwrap();
    assert!(run(&data, &["check"]).starts_with("OK "));
}

#[tokio::test]
async fn a_journal_whose_end_is_missing_is_refused() {
    let (_folder, data) = left_behind(&["+12025550141", "+12025550142"]).await;
    let [segment] = segments(&data).try_into().unwrap();
    let good = fs::read(&segment).unwrap();
    let used = good.iter().rposition(|byte| *byte != 0).unwrap();
    for len in [used * 2 / 3, used / 2, 100] {
        fs::write(&segment, &good[..len]).unwrap();
        let said = refused(&data, &["check"], 65);
        assert!(said.contains("acknowledged") || said.contains("damaged"), "{said}");
    }
    fs::remove_file(&segment).unwrap();
    refused(&data, &["serve"], 65);
    fs::write(&segment, &good).unwrap();
    fs::remove_file(data.join("vault")).unwrap();
    let said = refused(&data, &["serve"], 65);
    assert!(said.contains("vault"), "{said}");
}

#[tokio::test]
async fn a_database_that_is_gone_is_made_again_from_the_ledger() {
    let (_folder, data) = left_behind(&["+12025550141", "+12025550142"]).await;
    let before = run(&data, &["check"]);
    assert!(before.contains("contacts=2"), "{before}");
    fs::remove_dir_all(data.join("sled")).unwrap();
    assert!(run(&data, &["rebuild"]).starts_with("OK rebuilt from "));
    let head =
        |text: &str| text.split("head=").nth(1).and_then(|rest| rest.get(..64).map(str::to_owned));
    assert_eq!(head(&run(&data, &["check"])), head(&before));
}

#[tokio::test]
async fn possible_duplicates_are_printed_with_and_without_a_running_service() {
    let numbers = ["+5491120000001", "+12025550141", "+541120000001"];
    let (_folder, data) = left_behind(&numbers).await;
    let printed = run(&data, &["contacts", "duplicates"]);
    let pairs: Vec<Value> =
        printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(pairs.len(), 1, "{printed}");
    assert_eq!(pairs[0]["why"], json!(["weak_spelling"]));
    let shown = [0, 1].map(|at| pairs[0]["contacts"][at]["number"].clone());
    assert_eq!(shown, [json!(numbers[0]), json!(numbers[2])]);
    let izin = Izin::start(&data);
    let again = run(&data, &["contacts", "duplicates"]);
    assert_eq!(again.lines().count(), 1);
    assert_eq!(izin.stop().0.code(), Some(0));
}

pub(crate) fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}

/// The ways in which a text could lie in a file.
fn forms(text: &str) -> Vec<String> {
    let mut forms = vec![text.to_owned(), hex::encode(text), hex::encode_upper(text)];
    for lead in ["", "x", "xx"] {
        // Base64 of a text depends on where in a group of three bytes it starts; what is shared
        // with its neighbours is left out.
        let encoded = STANDARD_NO_PAD.encode(format!("{lead}{text}"));
        let skipped = if lead.is_empty() { 0 } else { lead.len() + 1 };
        forms.push(encoded.get(skipped..encoded.len() - 2).unwrap().to_owned());
    }
    forms
}

#[tokio::test]
async fn no_file_and_no_log_holds_a_number_or_evidence_in_the_clear() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let izin = Izin::start(&data);
    izin.put_topic().await;
    assert!(izin.opt_in("+1 (202) 555-0143").await);
    assert!(!izin.opt_in("+1 202 555 0143 9999 9999").await);
    let url = format!("http://{}/v1/contacts/12025550143", izin.addr);
    let shown = izin.client.get(url).bearer_auth(&izin.key).send().await.unwrap();
    assert!(shown.text().await.unwrap().contains("+12025550143"));
    let (ended, log) = izin.stop();
    assert_eq!(ended.code(), Some(0));
    let secrets: Vec<_> =
        ["2025550143", "555-0143", "a secret remark"].into_iter().flat_map(forms).collect();
    let mut found = Vec::new();
    files(&data, &mut found);
    // Room set aside for a full disk: zeroes.
    found.retain(|path| !path.ends_with("ballast"));
    assert!(found.iter().any(|path| path.starts_with(data.join("sled"))));
    assert!(found.iter().any(|path| path.starts_with(data.join("journal"))));
    for path in found {
        let bytes = fs::read(&path).unwrap();
        let ascii = bytes.into_iter().map(|byte| if byte.is_ascii() { byte } else { b'?' });
        let text = String::from_utf8(ascii.collect()).unwrap();
        for secret in &secrets {
            assert!(!text.contains(secret), "{secret} is in {}", path.display());
        }
    }
    for secret in secrets {
        assert!(!log.contains(&secret), "{secret} is in the log");
    }
}
