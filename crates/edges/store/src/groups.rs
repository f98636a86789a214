//! Whose names and clients belong together, as far as limits go by it.

use std::fmt::Debug;
use std::net::IpAddr;

/// Groups names and clients for the limits on what one sender may make the store keep. Asked for what is new only.
///
/// The answers must not depend on DNS: whoever is limited would choose them.
pub trait Groups: Debug + Send + Sync {
    /// The Organizational Domain of a name by the Public Suffix List, or the name itself. A record with `psd=n` under a
    /// wildcard makes every name its own Organizational Domain by the DNS Tree Walk, so that one counts for nothing here.
    fn organizational_domain(&self, name: &str) -> String;

    /// The first address of the network of a client.
    fn client_network(&self, client: IpAddr) -> IpAddr;
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The last two labels, IPv4 /24; an IPv6 address is its own network.
    #[derive(Debug)]
    pub(crate) struct TwoLabels;

    impl Groups for TwoLabels {
        fn organizational_domain(&self, name: &str) -> String {
            let mut labels: Vec<_> = name.rsplit('.').take(2).collect();
            labels.reverse();
            labels.join(".")
        }

        fn client_network(&self, client: IpAddr) -> IpAddr {
            match client {
                IpAddr::V4(address) => {
                    let [a, b, c, _] = address.octets();
                    [a, b, c, 0].into()
                }
                address @ IpAddr::V6(_) => address,
            }
        }
    }
}
