//! Networks of IP addresses, as operators list them.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;
use std::str::FromStr;

use landmarc_mail::text::quoted;

/// An address, or a range of addresses with a common prefix: `192.0.2.1`,
/// `192.0.2.0/24`, `2001:db8::/32`.
///
/// An IPv4-mapped IPv6 address (`::ffff:192.0.2.1`, RFC 4291 §2.5.5.2) is the IPv4
/// address it stands for, here and in [`IpNetwork::contains`]: a socket that listens on
/// IPv6 shows an IPv4 client so. Hence no IPv6 network holds an IPv4 client, not even `::/0`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct IpNetwork {
    /// The lowest address.
    address: IpAddr,
    /// How many of the first bits are common: at most 32, or 128.
    prefix: u8,
}

/// Why a text is no network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// Left of the slash, or all of it.
    #[error("it is not an IP address")]
    Address,
    /// Right of the slash.
    #[error("the prefix length {} is not a number from 0 to {}", quoted(.0), .1)]
    Prefix(String, u8),
    /// Bits are set beyond the prefix: a slip in the one or in the other.
    #[error("the address has bits set beyond the prefix, did you mean \"{0}\"?")]
    HostBits(IpNetwork),
}

impl IpNetwork {
    /// Whether the address is in this network.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.address.is_ipv4() && masked(address, self.prefix) == self.address
    }

    /// The lowest address.
    #[must_use]
    pub const fn address(&self) -> IpAddr {
        self.address
    }

    /// How many of the first bits are common: at most 32, or 128.
    #[must_use]
    pub const fn prefix(&self) -> u8 {
        self.prefix
    }

    /// The addresses in it, in order. No range of one family holds an address of the other.
    #[must_use]
    pub fn addresses(&self) -> RangeInclusive<IpAddr> {
        let highest = match self.address {
            IpAddr::V4(v4) => {
                let host = u32::MAX.checked_shr(self.prefix.into()).unwrap_or(0);
                Ipv4Addr::from_bits(v4.to_bits() | host).into()
            }
            IpAddr::V6(v6) => {
                let host = u128::MAX.checked_shr(self.prefix.into()).unwrap_or(0);
                Ipv6Addr::from_bits(v6.to_bits() | host).into()
            }
        };
        self.address..=highest
    }

    /// Whether it holds every address of its family.
    #[must_use]
    pub const fn is_everything(&self) -> bool {
        self.prefix == 0
    }

    const fn is_one_address(&self) -> bool {
        self.prefix == longest_prefix(self.address)
    }
}

impl FromStr for IpNetwork {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| NetworkError::Address)?;
        let longest = longest_prefix(address);
        let prefix = match prefix {
            None => longest,
            Some(digits) => prefix_length(digits, longest)
                .ok_or_else(|| NetworkError::Prefix(digits.to_owned(), longest))?,
        };
        let lowest = masked(address, prefix);
        let network = canonical(lowest, prefix);
        if lowest != address {
            return Err(NetworkError::HostBits(network));
        }
        Ok(network)
    }
}

fn prefix_length(digits: &str, longest: u8) -> Option<u8> {
    // `parse` alone would take "+24".
    let only_digits = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    let length = digits.parse().ok().filter(|_| only_digits)?;
    (length <= longest).then_some(length)
}

/// Turns a network of IPv4-mapped addresses into the IPv4 network it stands for.
fn canonical(address: IpAddr, prefix: u8) -> IpNetwork {
    match (address.to_canonical(), prefix.checked_sub(96)) {
        (IpAddr::V4(v4), Some(prefix)) if address.is_ipv6() => IpNetwork {
            address: IpAddr::V4(v4),
            prefix,
        },
        _ => IpNetwork { address, prefix },
    }
}

const fn longest_prefix(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

/// The address with all bits after the prefix cleared.
fn masked(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX
                .checked_shl(32_u32.saturating_sub(prefix.into()))
                .unwrap_or(0);
            Ipv4Addr::from_bits(v4.to_bits() & mask).into()
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX
                .checked_shl(128_u32.saturating_sub(prefix.into()))
                .unwrap_or(0);
            Ipv6Addr::from_bits(v6.to_bits() & mask).into()
        }
    }
}

impl fmt::Display for IpNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.is_one_address() {
            true => write!(f, "{}", self.address),
            false => write!(f, "{}/{}", self.address, self.prefix),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> IpNetwork {
        text.parse().unwrap()
    }

    #[test]
    fn contains_by_prefix_and_family() {
        for (net, address, expected) in [
            ("192.0.2.0/24", "192.0.2.0", true),
            ("192.0.2.0/24", "192.0.2.255", true),
            ("192.0.2.0/24", "192.0.3.0", false),
            ("192.0.2.0/24", "::ffff:192.0.2.7", true),
            ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("::/0", "2001:db8::1", true),
            ("::/0", "192.0.2.1", false),
            ("::/0", "::ffff:192.0.2.1", false),
            ("2001:db8::/32", "2001:db8:ffff::1", true),
            ("2001:db8::/32", "2001:db9::", false),
            ("::1", "::1", true),
            ("::1/128", "::2", false),
            ("::ffff:192.0.2.0/120", "192.0.2.9", true),
            ("::ffff:192.0.2.0/120", "::ffff:192.0.2.9", true),
            ("::ffff:0:0/96", "203.0.113.9", true),
        ] {
            assert_eq!(
                network(net).contains(address.parse().unwrap()),
                expected,
                "{net} {address}"
            );
        }
    }

    #[test]
    fn addresses_are_those_it_contains() {
        for (net, lowest, highest) in [
            ("192.0.2.7", "192.0.2.7", "192.0.2.7"),
            ("192.0.2.0/25", "192.0.2.0", "192.0.2.127"),
            ("0.0.0.0/0", "0.0.0.0", "255.255.255.255"),
            ("2001:db8::/127", "2001:db8::", "2001:db8::1"),
            ("::/0", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("::ffff:192.0.2.0/120", "192.0.2.0", "192.0.2.255"),
        ] {
            let address = |text: &str| text.parse::<IpAddr>().unwrap();
            let range = network(net).addresses();
            assert_eq!(range, address(lowest)..=address(highest), "{net}");
            for other in ["::", "0.0.0.0", "192.0.2.7", "2001:db8::1"].map(address) {
                assert_eq!(
                    range.contains(&other),
                    network(net).contains(other),
                    "{net} {other}"
                );
            }
        }
    }

    #[test]
    fn printed_in_one_spelling() {
        for (written, printed) in [
            ("192.0.2.1/32", "192.0.2.1"),
            ("192.0.2.0/24", "192.0.2.0/24"),
            ("2001:DB8:0::/32", "2001:db8::/32"),
            ("::ffff:192.0.2.0/120", "192.0.2.0/24"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("::/0", "::/0"),
        ] {
            assert_eq!(network(written).to_string(), printed);
            assert_eq!(network(printed), network(written));
        }
    }

    #[test]
    fn what_is_no_network_says_why() {
        for (written, why) in [
            ("", "it is not an IP address"),
            ("192.0.2", "it is not an IP address"),
            (
                "192.0.2.0/",
                "the prefix length \"\" is not a number from 0 to 32",
            ),
            (
                "192.0.2.0/33",
                "the prefix length \"33\" is not a number from 0 to 32",
            ),
            (
                "192.0.2.0/+24",
                "the prefix length \"+24\" is not a number from 0 to 32",
            ),
            (
                "192.0.2.0/255.255.255.0",
                "the prefix length \"255.255.255.0\" is not a number from 0 to 32",
            ),
            (
                "::/129",
                "the prefix length \"129\" is not a number from 0 to 128",
            ),
            (
                "192.0.2.1/24",
                "the address has bits set beyond the prefix, did you mean \"192.0.2.0/24\"?",
            ),
            (
                "::ffff:192.0.2.1/120",
                "the address has bits set beyond the prefix, did you mean \"192.0.2.0/24\"?",
            ),
        ] {
            assert_eq!(
                written.parse::<IpNetwork>().unwrap_err().to_string(),
                why,
                "{written}"
            );
        }
    }
}
