//! A look-up provider of our own on a real socket, which answers as told and remembers who asked.
//!
//! Runs on threads, so that it serves any test, with or without an async runtime. Does not check
//! what it is asked: tests read [`FakeProvider::received`] for that.
#![expect(clippy::expect_used, reason = "a test that cannot talk to itself has nothing to say")]

use std::{
    collections::VecDeque,
    fmt::Write as _,
    io::{self, BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};

/// A provider that listens until it is dropped.
pub(crate) struct FakeProvider {
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

/// One request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// What to do with one request.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// A reply with its length; the connection stays open.
    Http { status: u16, headers: Vec<(String, String)>, body: Vec<u8> },
    /// These bytes and nothing else, then the end of the connection.
    Raw(Vec<u8>),
    /// Nothing, until the other side gives up.
    Silence,
    /// A reply announced with its whole length, whose body then comes byte by byte.
    Drip { body: Vec<u8>, every: Duration },
}

type Rule = dyn Fn(&Received) -> Reply + Send + Sync;

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    stopped: Condvar,
}

#[derive(Default)]
struct State {
    is_stopped: bool,
    connections: usize,
    received: Vec<Received>,
    next: VecDeque<Reply>,
    rule: Option<Arc<Rule>>,
    open: Vec<(TcpStream, JoinHandle<()>)>,
}

impl Reply {
    pub(crate) fn json(body: &str) -> Self {
        let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        Self::Http { status: 200, headers, body: body.into() }
    }

    pub(crate) fn status(status: u16) -> Self {
        Self::Http { status, headers: Vec::new(), body: b"{}".to_vec() }
    }

    /// Adds a header to a reply that has headers.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        if let Self::Http { headers, .. } = &mut self {
            headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    /// Ends the connection without a word.
    pub(crate) fn hang_up() -> Self {
        Self::Raw(Vec::new())
    }

    /// Promises the whole of `body` and ends the connection in the middle of it.
    pub(crate) fn cut_in_half(body: &str) -> Self {
        let mut bytes = head(200, &[], body.len());
        bytes.extend(body.bytes().take(body.len() / 2));
        Self::Raw(bytes)
    }
}

impl Received {
    /// Returns the value of a header, whose name is compared without case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

impl FakeProvider {
    /// Listens on a free port of this machine. Answers 500 until told otherwise.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("a bound port");
        let shared = Arc::new(Shared::default());
        let acceptor = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || shared.accept(&listener))
        };
        Self { address, shared, acceptor: Some(acceptor) }
    }

    /// Returns `http://127.0.0.1:port`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Answers the next request that has no answer yet; call again for the one after it.
    pub(crate) fn then(&self, reply: Reply) -> &Self {
        self.shared.lock().next.push_back(reply);
        self
    }

    /// Answers by rule all requests for which no answer was queued.
    pub(crate) fn answer_by(
        &self,
        rule: impl Fn(&Received) -> Reply + Send + Sync + 'static,
    ) -> &Self {
        self.shared.lock().rule = Some(Arc::new(rule));
        self
    }

    /// Returns all requests so far. A request is there before its answer leaves.
    pub(crate) fn received(&self) -> Vec<Received> {
        self.shared.lock().received.clone()
    }

    /// Returns how many connections were opened so far.
    pub(crate) fn connections(&self) -> usize {
        self.shared.lock().connections
    }
}

impl Drop for FakeProvider {
    fn drop(&mut self) {
        let open = {
            let mut state = self.shared.lock();
            state.is_stopped = true;
            std::mem::take(&mut state.open)
        };
        self.shared.stopped.notify_all();
        for (stream, _) in &open {
            // It may be closed already, which is what is wanted.
            drop(stream.shutdown(Shutdown::Both));
        }
        // Wakes the acceptor, which then sees that it is over.
        drop(TcpStream::connect(self.address));
        let threads = open.into_iter().map(|(_, thread)| thread).chain(self.acceptor.take());
        for thread in threads {
            let is_fine = thread.join().is_ok() || thread::panicking();
            assert!(is_fine, "the fake provider itself failed");
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn accept(self: &Arc<Self>, listener: &TcpListener) {
        for stream in listener.incoming() {
            let Ok(stream) = stream else { continue };
            let mut state = self.lock();
            if state.is_stopped {
                return;
            }
            state.connections += 1;
            let kept = stream.try_clone().expect("a second handle on a socket");
            let shared = Arc::clone(self);
            // The other side may leave at any moment: that ends the thread and is no failure.
            let thread = thread::spawn(move || drop(shared.serve(&stream)));
            state.open.push((kept, thread));
        }
    }

    fn serve(&self, stream: &TcpStream) -> io::Result<()> {
        let result = self.serve_requests(stream);
        drop(stream.shutdown(Shutdown::Both));
        result
    }

    fn serve_requests(&self, mut stream: &TcpStream) -> io::Result<()> {
        let mut reader = BufReader::new(stream);
        while let Some(received) = read_request(&mut reader)? {
            match self.reply_to(&received) {
                Reply::Http { status, headers, body } => {
                    stream.write_all(&head(status, &headers, body.len()))?;
                    stream.write_all(&body)?;
                }
                Reply::Raw(bytes) => return stream.write_all(&bytes),
                Reply::Silence => return reader.read_to_end(&mut Vec::new()).map(drop),
                Reply::Drip { body, every } => {
                    stream.write_all(&head(200, &[], body.len()))?;
                    for byte in body {
                        self.pause(every);
                        stream.write_all(&[byte])?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Notes the request and chooses its reply.
    fn reply_to(&self, received: &Received) -> Reply {
        let mut state = self.lock();
        state.received.push(received.clone());
        let queued = state.next.pop_front();
        let rule = state.rule.clone();
        drop(state);
        queued.or_else(|| rule.map(|rule| rule(received))).unwrap_or_else(|| Reply::status(500))
    }

    /// Waits a while, or until the test is over.
    fn pause(&self, wait: Duration) {
        let state = self.lock();
        drop(self.stopped.wait_timeout_while(state, wait, |state| !state.is_stopped));
    }
}

/// Returns the next request, or nothing when the other side has left.
fn read_request(reader: &mut impl BufRead) -> io::Result<Option<Received>> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split_whitespace().map(str::to_owned);
    let (Some(method), Some(target)) = (words.next(), words.next()) else { return Ok(None) };
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim().split_once(':') else { break };
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
    let mut received = Received { method, target, headers, body: Vec::new() };
    let length = received.header("content-length").and_then(|value| value.parse().ok());
    received.body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut received.body)?;
    Ok(Some(received))
}

fn head(status: u16, headers: &[(String, String)], length: usize) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {status} Told\r\ncontent-length: {length}\r\n");
    for (name, value) in headers {
        write!(head, "{name}: {value}\r\n").expect("a string takes all text");
    }
    head.push_str("\r\n");
    head.into_bytes()
}
