//! `[http]`: where the server listens and how much a caller may ask of it.
//!
//! Does not know the requests themselves.

use std::net::{IpAddr, SocketAddr};

use crate::{
    config::{
        network::IpBlock,
        reader::{Name, Reader},
    },
    limits::{STALL_S, STALL_S_MAX},
};

const KIB: usize = 1_024;
const MIB: usize = 1_024 * KIB;

/// Where the server listens and how much a caller may ask of it.
#[derive(Debug, Clone)]
pub struct Http {
    /// Address and port; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Worker threads; `None` for one per core.
    pub workers: Option<usize>,
    /// How long an idle connection is kept, in seconds.
    pub keep_alive_s: u32,
    /// How long the body of a request may take to arrive, in seconds.
    pub request_deadline_s: u32,
    /// How long whoever reads an answer may take nothing, in seconds.
    pub stall_s: u32,
    /// Bytes in the body of an ordinary request.
    pub body_bytes_max: usize,
    /// Bytes in the body of a request about many contacts. At least `body_bytes_max`.
    pub batch_body_bytes_max: usize,
    /// Bytes of all bodies being read at once. At least `batch_body_bytes_max`.
    pub in_flight_bytes_max: usize,
    /// Open connections, over all workers.
    pub connections_max: usize,
    /// Who may say, in `X-Forwarded-For`, for whom they speak.
    pub trusted_proxies: Vec<IpBlock>,
    /// Listening beyond this machine without TLS was asked for in so many words.
    pub insecure_http: bool,
}

impl Http {
    pub(super) fn read(from: &mut Reader) -> Self {
        let read = Self {
            listen: listen(from),
            workers: from.whole_or_none("http.workers", 1..=256),
            keep_alive_s: from.whole("http.keep_alive_s", 75, 1..=3_600),
            request_deadline_s: from.whole("http.request_deadline_s", 30, 1..=600),
            stall_s: from.whole("http.stall_s", STALL_S, 1..=STALL_S_MAX),
            body_bytes_max: from.whole("http.body_bytes_max", 64 * KIB, KIB..=MIB),
            batch_body_bytes_max: from.whole("http.batch_body_bytes_max", 8 * MIB, KIB..=256 * MIB),
            in_flight_bytes_max: from.whole(
                "http.in_flight_bytes_max",
                64 * MIB,
                KIB..=16 * KIB * MIB,
            ),
            connections_max: from.whole("http.connections_max", 10_000, 16..=1_000_000),
            trusted_proxies: from.list(
                "http.trusted_proxies",
                "a list of IP addresses and blocks such as 10.0.0.0/8",
                IpBlock::parse,
            ),
            insecure_http: from.flag("http.insecure_http", false),
        };
        read.check(from);
        read
    }

    fn check(&self, from: &mut Reader) {
        if !self.listen.ip().to_canonical().is_loopback() && !self.insecure_http {
            from.rule(
                "http.listen",
                "reaches beyond this machine, where keys and numbers would travel unencrypted; put \
                 a proxy with TLS in front, then set http.insecure_http = true",
            );
        }
        if self.batch_body_bytes_max < self.body_bytes_max {
            from.rule("http.batch_body_bytes_max", "must be at least http.body_bytes_max");
        }
        if self.in_flight_bytes_max < self.batch_body_bytes_max {
            from.rule("http.in_flight_bytes_max", "must be at least http.batch_body_bytes_max");
        }
    }
}

fn listen(from: &mut Reader) -> SocketAddr {
    let default = SocketAddr::new(IpAddr::from([127, 0, 0, 1]), 8_080);
    from.text(
        Name::fixed("http.listen", "IZIN_LISTEN"),
        Some(default),
        "an IP address and a port, such as 127.0.0.1:8080 or [::1]:8080",
        SocketAddr::to_string,
        |text| text.parse().ok(),
    )
    .unwrap_or(default)
}
