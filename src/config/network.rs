//! Addresses as settings name them: a block of IP addresses, and where something listens for HTTP.
//!
//! Nothing here resolves a name or opens a connection.

use std::{
    fmt::{Display, Formatter},
    net::IpAddr,
};

/// A block of IP addresses, such as `10.0.0.0/8`, or a single one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IpBlock {
    first: IpAddr,
    prefix_bits: u8,
}

impl IpBlock {
    /// Parses an address, or an address, `/` and how many leading bits count. The other bits must
    /// be zero: a block written otherwise is probably a slip.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, bits) = text.split_once('/').map_or((text, None), |(a, b)| (a, Some(b)));
        let first: IpAddr = address.parse().ok()?;
        let bits_max = if first.is_ipv4() { 32 } else { 128 };
        let prefix_bits: u8 = bits.map_or(Some(bits_max), |bits| bits.parse().ok())?;
        let block = Self { first, prefix_bits };
        (prefix_bits <= bits_max && block.masked(first) == bits_of(first)).then_some(block)
    }

    /// Returns whether the address is in the block. An IPv4 address wrapped in IPv6 counts as
    /// IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.first.is_ipv4() && self.masked(address) == bits_of(self.first)
    }

    fn masked(&self, address: IpAddr) -> u128 {
        let unmasked = if address.is_ipv4() { 32 } else { 128 } - u32::from(self.prefix_bits);
        let mask = u128::MAX.checked_shl(unmasked).unwrap_or(0);
        bits_of(address) & mask
    }
}

fn bits_of(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    }
}

impl Display for IpBlock {
    fn fmt(&self, out: &mut Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}/{}", self.first, self.prefix_bits)
    }
}

/// An `http` or `https` URL to put paths behind: no user, query or fragment, no `/` at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl(String);

impl BaseUrl {
    /// What a text must be for [`Self::parse`].
    pub(super) const MUST_BE: &'static str =
        "a URL that begins with http:// or https:// and has no user, query or fragment";

    /// Parses a URL; slashes at its end are dropped.
    pub fn parse(text: &str) -> Option<Self> {
        let after_scheme =
            text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"))?;
        let authority = after_scheme.split('/').next()?;
        let visible = text.bytes().all(|byte| byte.is_ascii_graphic());
        let plain = !text.contains(['@', '?', '#', '\\', '"', '<', '>']);
        (visible && plain && is_authority(authority))
            .then(|| Self(text.trim_end_matches('/').to_owned()))
    }

    /// Returns the text, without a slash at its end.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether nobody on the way can read what is sent there: by TLS, or on this machine.
    pub fn is_confidential(&self) -> bool {
        let Some(rest) = self.0.strip_prefix("http://") else { return true };
        let authority = rest.split('/').next().unwrap_or_default();
        let host = match authority.strip_prefix('[') {
            Some(rest) => rest.split(']').next().unwrap_or_default(),
            None => authority.split(':').next().unwrap_or_default(),
        };
        host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

/// Returns whether the text is a host name or an address, with or without a port.
fn is_authority(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((host, port)) if host.parse::<std::net::Ipv6Addr>().is_ok() => ("v6", port),
            Some(_) | None => return false,
        },
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    let host_is_good = !host.is_empty()
        && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
    let port_is_good = port.is_empty()
        || port
            .strip_prefix(':')
            .is_some_and(|port| port.parse::<u16>().is_ok_and(|port| port != 0));
    host_is_good && port_is_good
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn contains(block: &str, address: &str) -> bool {
        IpBlock::parse(block).unwrap().contains(address.parse().unwrap())
    }

    #[test]
    fn only_tls_and_this_machine_are_confidential() {
        let is_confidential = |text| BaseUrl::parse(text).unwrap().is_confidential();
        for good in [
            "https://graph.example/v25.0",
            "http://127.0.0.1:9/v25.0",
            "http://127.9.9.9",
            "http://[::1]:9",
            "http://localhost/x",
        ] {
            assert!(is_confidential(good), "{good}");
        }
        for bad in ["http://graph.example", "http://10.0.0.1", "http://127.0.0.1.example/localhost"]
        {
            assert!(!is_confidential(bad), "{bad}");
        }
    }

    #[test]
    fn a_block_holds_its_ends_and_nothing_beyond() {
        assert!(contains("10.0.0.0/8", "10.0.0.0") && contains("10.0.0.0/8", "10.255.255.255"));
        assert!(!contains("10.0.0.0/8", "11.0.0.0") && !contains("10.0.0.0/8", "9.255.255.255"));
        assert!(contains("192.0.2.7", "192.0.2.7") && !contains("192.0.2.7", "192.0.2.6"));
        assert!(contains("0.0.0.0/0", "255.1.2.3") && !contains("0.0.0.0/0", "::1"));
        assert!(contains("::/0", "2001:db8::1") && !contains("::/0", "192.0.2.7"));
        assert!(contains("2001:db8::/32", "2001:db8:ffff::1"));
        assert!(contains("10.0.0.0/8", "::ffff:10.1.2.3"));
    }

    #[test]
    fn a_block_with_stray_bits_or_too_many_is_no_block() {
        for bad in ["10.0.0.1/8", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0/8", "proxy", ""] {
            assert!(IpBlock::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_url_is_kept_without_its_last_slash() {
        for (written, kept) in [
            ("https://izin.example.com/", "https://izin.example.com"),
            ("http://127.0.0.1:3000", "http://127.0.0.1:3000"),
            ("http://[::1]:3000/waha//", "http://[::1]:3000/waha"),
            ("https://my_waha/api", "https://my_waha/api"),
        ] {
            assert_eq!(BaseUrl::parse(written).unwrap().as_str(), kept);
        }
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_no_url() {
        for bad in [
            "",
            "izin.example.com",
            "ftp://izin.example.com",
            "HTTPS://izin.example.com",
            "https://",
            "https:///path",
            "https://user@izin.example.com",
            "https://izin.example.com?token=1",
            "https://izin.example.com/#top",
            "https://izin.example.com:0",
            "https://izin.example.com:99999",
            "https://izin.example.com:",
            "https://[::1",
            "https://[izin]",
            "https://izin example.com",
            "https://izin.example.com\\@elsewhere",
            "https://bücher.example",
        ] {
            assert!(BaseUrl::parse(bad).is_none(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_block_is_read_back_as_it_is_shown(bits: u32, prefix_bits in 0_u8..=32) {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix_bits)).unwrap_or(0);
            let first = IpAddr::V4((bits & mask).into());
            let block = IpBlock::parse(&format!("{first}/{prefix_bits}")).unwrap();
            prop_assert!(block.contains(IpAddr::V4(bits.into())));
            prop_assert_eq!(IpBlock::parse(&block.to_string()), Some(block));
        }

        #[test]
        fn no_text_panics(text in "(https?://)?.{0,40}") {
            let read = (BaseUrl::parse(&text), IpBlock::parse(&text));
            drop(read);
        }
    }
}
