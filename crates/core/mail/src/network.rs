//! The network that a client belongs to, as far as its address shows.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Bits of an IPv4 address that name the network: the smallest prefix that is routed.
const IPV4_BITS: u32 = 24;
/// Bits of an IPv6 address that name the network. A site has 2^80 addresses for the asking, from a
/// free tunnel too; a longer prefix would count one client as many.
const IPV6_BITS: u32 = 48;

/// The network of a client: its IPv4 /24 or IPv6 /48. Whoever has one address of it can easily have
/// the others, so limits and evidence go by it. An IPv4-mapped address counts as the IPv4 address in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientNetwork(IpAddr);

impl ClientNetwork {
    /// The network of this address.
    #[must_use]
    pub fn of(client: IpAddr) -> Self {
        Self(prefix(client.to_canonical(), IPV4_BITS, IPV6_BITS))
    }

    /// Its first address.
    #[must_use]
    pub fn address(self) -> IpAddr {
        self.0
    }
}

/// The first address that has so many leading bits in common with this one: 1 to 32 of IPv4, 1 to 128 of IPv6.
#[must_use]
pub fn prefix(address: IpAddr, ipv4_bits: u32, ipv6_bits: u32) -> IpAddr {
    match address {
        IpAddr::V4(address) => Ipv4Addr::from(u32::from(address) & (u32::MAX << (32 - ipv4_bits))).into(),
        IpAddr::V6(address) => Ipv6Addr::from(u128::from(address) & (u128::MAX << (128 - ipv6_bits))).into(),
    }
}

/// As `192.0.2.0/24` or `2001:db8::/48`.
impl fmt::Display for ClientNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = if self.0.is_ipv4() { IPV4_BITS } else { IPV6_BITS };
        write!(f, "{}/{bits}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(address: &str) -> String {
        ClientNetwork::of(address.parse().unwrap()).to_string()
    }

    #[test]
    fn neighbours_are_of_one_network() {
        for (address, expected) in [
            ("192.0.2.0", "192.0.2.0/24"),
            ("192.0.2.255", "192.0.2.0/24"),
            ("192.0.3.0", "192.0.3.0/24"),
            ("::ffff:192.0.2.7", "192.0.2.0/24"),
            ("2001:db8:1:ffff:ffff:ffff:ffff:ffff", "2001:db8:1::/48"),
            ("2001:db8:2::", "2001:db8:2::/48"),
        ] {
            assert_eq!(network(address), expected);
        }
    }
}
