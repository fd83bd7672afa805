//! Where a request comes from: the other end of the connection, or whom a trusted proxy names.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use actix_web::HttpRequest;

use crate::config::IpBlock;

/// Proxies named in a row that are looked behind; nobody has more.
const HOPS_MAX: usize = 16;

/// Returns the address of the client.
///
/// `X-Forwarded-For` counts only when the other end of the connection is a trusted proxy, and is
/// then read from its end: each trusted proxy adds whom it talked to, so the last address that is
/// not a trusted proxy's is the client's. Whatever stands before it was written by the client.
pub fn address(req: &HttpRequest, trusted: &[IpBlock]) -> IpAddr {
    let peer = req.peer_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |addr| addr.ip());
    if trusted.is_empty() || !is_trusted(peer, trusted) {
        return peer;
    }
    let lines: Vec<_> = req.headers().get_all("x-forwarded-for").collect();
    let hops = lines.iter().rev().flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
    let mut client = peer;
    for hop in hops.take(HOPS_MAX) {
        // What cannot be read was not written by the proxy: the one before it is the client.
        let Some(named) = str::from_utf8(hop).ok().and_then(parse) else { return client };
        client = named;
        if !is_trusted(client, trusted) {
            return client;
        }
    }
    client
}

fn is_trusted(address: IpAddr, trusted: &[IpBlock]) -> bool {
    trusted.iter().any(|block| block.contains(address))
}

/// Reads an address, which some proxies write with the port.
fn parse(hop: &str) -> Option<IpAddr> {
    let hop = hop.trim();
    let with_port = || hop.parse::<SocketAddr>().ok().map(|address| address.ip());
    let bracketed = || hop.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    hop.parse().ok().or_else(with_port).or_else(bracketed)
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn seen(peer: &str, lines: &[&str], trusted: &[&str]) -> String {
        let mut req = TestRequest::get().peer_addr(format!("{peer}:4000").parse().unwrap());
        for line in lines {
            req = req.append_header(("x-forwarded-for", *line));
        }
        let trusted: Vec<_> = trusted.iter().map(|block| IpBlock::parse(block).unwrap()).collect();
        address(&req.to_http_request(), &trusted).to_string()
    }

    #[test]
    fn nobody_is_believed_who_is_not_trusted() {
        assert_eq!(seen("192.0.2.1", &["198.51.100.7"], &[]), "192.0.2.1");
        assert_eq!(seen("192.0.2.1", &["198.51.100.7"], &["10.0.0.0/8"]), "192.0.2.1");
    }

    #[test]
    fn a_trusted_proxy_names_its_client_whatever_the_client_wrote_before() {
        let trusted = &["10.0.0.0/8"];
        assert_eq!(seen("10.0.0.1", &["198.51.100.7"], trusted), "198.51.100.7");
        assert_eq!(seen("10.0.0.1", &["1.1.1.1, 198.51.100.7"], trusted), "198.51.100.7");
        assert_eq!(seen("10.0.0.1", &["1.1.1.1", "198.51.100.7"], trusted), "198.51.100.7");
        assert_eq!(seen("10.0.0.1", &["10.9.9.9, 198.51.100.7"], trusted), "198.51.100.7");
    }

    #[test]
    fn a_row_of_trusted_proxies_is_looked_behind() {
        let trusted = &["10.0.0.0/8", "2001:db8::/32"];
        let hops = "9.9.9.9, 198.51.100.7, 10.1.1.1, 2001:db8::5";
        assert_eq!(seen("10.0.0.1", &[hops], trusted), "198.51.100.7");
        assert_eq!(seen("10.0.0.1", &["10.1.1.1,10.1.1.2"], trusted), "10.1.1.1");
        assert_eq!(seen("[::ffff:10.0.0.1]", &["198.51.100.7"], trusted), "198.51.100.7");
    }

    #[test]
    fn addresses_are_read_with_and_without_ports_and_nonsense_ends_the_row() {
        let trusted = &["10.0.0.0/8"];
        assert_eq!(seen("10.0.0.1", &["198.51.100.7:1234"], trusted), "198.51.100.7");
        assert_eq!(seen("10.0.0.1", &["[2001:db8::5]:80"], trusted), "2001:db8::5");
        assert_eq!(seen("10.0.0.1", &["[2001:db8::5]"], trusted), "2001:db8::5");
        assert_eq!(seen("10.0.0.1", &["198.51.100.7, unknown"], trusted), "10.0.0.1");
        assert_eq!(seen("10.0.0.1", &["unknown, 10.1.1.1"], trusted), "10.1.1.1");
        assert_eq!(seen("10.0.0.1", &["198.51.100.7, unknown, 10.1.1.1"], trusted), "10.1.1.1");
        assert_eq!(seen("10.0.0.1", &[""], trusted), "10.0.0.1");
        assert_eq!(seen("10.0.0.1", &[], trusted), "10.0.0.1");
    }
}
