//! What attempts and calls are counted by: the network they come from, and the key they name.

use std::net::IpAddr;

use crate::domain::access::KeyId;

/// One thing that is counted. The last two stand for all those there was no room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Source {
    /// The upper 24 bits of an IPv4 address.
    V4Network([u8; 3]),
    /// The upper 56 bits of an IPv6 address.
    V6Network(u64),
    /// A key.
    Key(KeyId),
    /// Networks for which there was no room.
    OtherNetworks,
    /// Keys for which there was no room.
    OtherKeys,
}

impl Source {
    /// Returns the network an address is in: what one subscriber usually has to itself.
    pub(super) fn network(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => {
                let [a, b, c, _] = address.octets();
                Self::V4Network([a, b, c])
            }
            IpAddr::V6(address) => {
                Self::V6Network(u64::try_from(address.to_bits() >> 72).unwrap_or_default())
            }
        }
    }

    /// Returns what stands for this source when there is no room for it.
    pub(super) const fn others(self) -> Self {
        match self {
            Self::V4Network(_) | Self::V6Network(_) | Self::OtherNetworks => Self::OtherNetworks,
            Self::Key(_) | Self::OtherKeys => Self::OtherKeys,
        }
    }
}
