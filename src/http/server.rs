//! The server: bind, run, stop.

use std::{any::Any, io, net::SocketAddr, rc::Rc, sync::Arc, time::Duration};

use actix_web::{App, HttpServer, dev::ServerHandle, rt::net::TcpStream};
use rustix::net::sockopt;

use crate::{
    http::{door::Worker, edge::Edge, routes},
    runtime::{ids::RequestIds, shutdown::Shutdown},
};

/// How to serve.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// Where to listen; port 0 takes any free one.
    pub listen: SocketAddr,
    /// Worker threads.
    pub workers: usize,
    /// How long an idle connection is kept.
    pub keep_alive: Duration,
    /// How long headers may take to arrive.
    pub header_deadline: Duration,
    /// Most connections per worker.
    pub connections_max: usize,
    /// How long whoever reads an answer may take nothing.
    pub stall: Duration,
    /// How long requests under way may take to finish when the service stops.
    pub drain: Duration,
}

/// A bound server that has not started yet.
#[derive(Debug)]
pub struct Bound {
    /// Where it listens.
    pub addr: SocketAddr,
    /// Stops it.
    pub handle: Stop,
    /// Runs until it is stopped.
    pub run: BoundRun,
}

/// Stops a server.
#[derive(Debug, Clone)]
pub struct Stop {
    server: ServerHandle,
    stopping: Shutdown,
}

impl Stop {
    /// Tells whoever waits that the service stops, then stops the server; with `is_graceful` once
    /// requests under way are answered.
    pub async fn stop(&self, is_graceful: bool) {
        self.stopping.begin();
        self.server.stop(is_graceful).await;
    }
}

/// The running of a server.
pub struct BoundRun(actix_web::dev::Server);

impl std::fmt::Debug for BoundRun {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BoundRun")
    }
}

impl BoundRun {
    /// Serves until stopped.
    ///
    /// # Errors
    ///
    /// When the listener fails.
    pub async fn serve(self) -> io::Result<()> {
        self.0.await
    }
}

/// Binds the server.
///
/// # Errors
///
/// When the address cannot be bound.
pub fn bind(
    settings: &ServerSettings,
    edge: Arc<Edge>,
    request_ids: Arc<RequestIds>,
) -> io::Result<Bound> {
    let stopping = edge.stopping.clone();
    let stall = settings.stall;
    let server = HttpServer::new(move || {
        let worker = Rc::new(Worker {
            edge: Arc::clone(&edge),
            request_ids: Arc::clone(&request_ids),
            counters: edge.requests.for_worker(routes::COUNTED),
        });
        App::new().configure(|app| routes::configure(app, &worker))
    })
    .on_connect(move |connection, _data| bound(connection, stall))
    .keep_alive(settings.keep_alive)
    .client_request_timeout(settings.header_deadline)
    .max_connections(settings.connections_max)
    .shutdown_timeout(settings.drain.as_secs())
    .workers(settings.workers)
    .disable_signals();
    let server = server.bind(settings.listen)?;
    let addr = server.addrs().first().copied().unwrap_or(settings.listen);
    let server = server.run();
    let handle = Stop { server: server.handle(), stopping };
    Ok(Bound { addr, handle, run: BoundRun(server) })
}

/// Has the system end a connection whose other end takes nothing of what is sent for so long: the
/// server only waits for room, and would for ever. Source: tcp(7), `TCP_USER_TIMEOUT`, which
/// counts while the other end's window is closed, too.
fn bound(connection: &dyn Any, stall: Duration) {
    let Some(stream) = connection.downcast_ref::<TcpStream>() else { return };
    let stall_ms = u32::try_from(stall.as_millis()).unwrap_or(u32::MAX);
    if let Err(error) = sockopt::set_tcp_user_timeout(stream, stall_ms) {
        tracing::debug!(%error, "a connection is not bounded");
    }
}
