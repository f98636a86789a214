//! Networks of addresses (RFC 7208 §5.6).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// How many leading bits of an address have to agree, for each family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefixes {
    /// 0 to 32.
    pub v4: u8,
    /// 0 to 128.
    pub v6: u8,
}

impl Prefixes {
    /// The network of that size around an address.
    #[must_use]
    pub fn around(self, address: IpAddr) -> SpfNetwork {
        let prefix = match address {
            IpAddr::V4(_) => self.v4,
            IpAddr::V6(_) => self.v6,
        };
        SpfNetwork::new(address, prefix)
    }
}

/// All addresses that agree with one in the leading bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpfNetwork {
    address: IpAddr,
    prefix: u8,
}

impl SpfNetwork {
    /// A prefix past the bits of the address counts as all of them.
    pub(super) fn new(address: IpAddr, prefix: u8) -> Self {
        Self { address, prefix }
    }

    /// Whether the address is in it; one of the other family never is.
    #[must_use]
    pub fn contains(self, address: IpAddr) -> bool {
        let prefix = u32::from(self.prefix);
        match (self.address, address) {
            (IpAddr::V4(a), IpAddr::V4(b)) => {
                let differing = a.to_bits() ^ b.to_bits();
                differing.leading_zeros() >= prefix.min(Ipv4Addr::BITS)
            }
            (IpAddr::V6(a), IpAddr::V6(b)) => {
                let differing = a.to_bits() ^ b.to_bits();
                differing.leading_zeros() >= prefix.min(Ipv6Addr::BITS)
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inside(network: &str, address: &str) -> bool {
        let (base, prefix) = network.split_once('/').unwrap();
        SpfNetwork::new(base.parse().unwrap(), prefix.parse().unwrap()).contains(address.parse().unwrap())
    }

    #[test]
    fn networks_hold_their_addresses_and_no_others() {
        assert!(inside("192.0.2.0/24", "192.0.2.255"));
        assert!(!inside("192.0.2.0/24", "192.0.3.0"));
        assert!(inside("192.0.2.7/0", "203.0.113.1"));
        assert!(inside("192.0.2.3/32", "192.0.2.3"));
        assert!(!inside("192.0.2.3/32", "192.0.2.2"));
        assert!(inside("cafe:babe:8000::/33", "cafe:babe:8000::1"));
        assert!(!inside("cafe:babe:8000::/33", "cafe:babe::1"));
        assert!(inside("2001:db8::1/128", "2001:db8::1"));
        assert!(!inside("::/0", "192.0.2.3"));
        assert!(!inside("0.0.0.0/0", "2001:db8::1"));
    }
}
