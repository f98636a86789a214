//! Whose names and clients belong together, for the limits of the store.

use std::net::IpAddr;
use std::sync::Arc;

use landmarc_dmarc::suffixes::Suffixes;
use landmarc_mail::{ClientNetwork, DomainName};
use landmarc_store::Groups;

/// Names by the Public Suffix List, clients by [`ClientNetwork`].
#[derive(Debug)]
pub struct BySuffix(Arc<Suffixes>);

impl BySuffix {
    /// By this list.
    pub fn new(suffixes: &Arc<Suffixes>) -> Arc<Self> {
        Arc::new(Self(Arc::clone(suffixes)))
    }
}

impl Groups for BySuffix {
    fn organizational_domain(&self, name: &str) -> String {
        let registrable = |name: &DomainName| self.0.registrable(name);
        let known = DomainName::parse(name).ok().as_ref().and_then(registrable);
        known.map_or_else(|| name.to_owned(), |name| name.to_string())
    }

    fn client_network(&self, client: IpAddr) -> IpAddr {
        ClientNetwork::of(client).address()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_by_the_suffix_list_and_clients_by_network() {
        let groups = BySuffix::new(&Arc::new(Suffixes::built_in()));
        for (name, expected) in [
            ("a.b.example.com", "example.com"),
            ("example.com", "example.com"),
            ("a.b.example.co.uk", "example.co.uk"),
            ("co.uk", "co.uk"),
            ("no name", "no name"),
        ] {
            assert_eq!(groups.organizational_domain(name), expected);
        }
        for (client, expected) in [("192.0.2.7", "192.0.2.0"), ("2001:db8:1:2::7", "2001:db8:1::")] {
            assert_eq!(
                groups.client_network(client.parse().unwrap()).to_string(),
                expected
            );
        }
    }
}
