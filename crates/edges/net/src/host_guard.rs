//! Under which names a server is asked over HTTP.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv6Addr};

use hyper::http::uri::Authority;
use hyper::{Request, Version, header};

/// Refuses requests for other hosts.
///
/// A web site can make a browser on this host ask us under a name of its own that leads to a loopback address (DNS
/// rebinding). IP addresses and `localhost` are always right, since nobody can rebind those.
#[derive(Clone, Debug, Default)]
pub struct HostGuard {
    /// In lower case.
    names: BTreeSet<String>,
}

/// Why a request is refused for its host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostProblem {
    /// There is no Host field, or more than one, or one with no host in it: 400.
    Invalid,
    /// It names another host: 421.
    Foreign,
}

impl HostGuard {
    /// `names`: those that this host is asked under, besides `localhost` and its addresses.
    #[must_use]
    pub fn new(names: impl IntoIterator<Item = String>) -> Self {
        let lower = |name: String| name.to_ascii_lowercase();
        Self {
            names: names.into_iter().map(lower).collect(),
        }
    }

    /// Whether the request is for this host.
    ///
    /// # Errors
    /// When it is not, or does not say. HTTP/1.0 needs no Host field: health checks of load balancers and clients of
    /// rspamd speak it, and no browser does.
    pub fn check<B>(&self, request: &Request<B>) -> Result<(), HostProblem> {
        match host(request)? {
            Some(name) if !self.knows(&name) => Err(HostProblem::Foreign),
            Some(_) | None => Ok(()),
        }
    }

    fn knows(&self, name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        name == "localhost" || is_address(&name) || self.names.contains(&name)
    }
}

/// The host that a request says it is for; nothing where HTTP/1.0 does not say.
fn host<B>(request: &Request<B>) -> Result<Option<String>, HostProblem> {
    // RFC 9112 §3.2.2: the host of an absolute target counts in place of the field.
    if let Some(authority) = request.uri().authority() {
        return Ok(Some(authority.host().to_owned()));
    }
    let mut fields = request.headers().get_all(header::HOST).iter();
    match (fields.next(), fields.next()) {
        (None, _) if request.version() == Version::HTTP_10 => Ok(None),
        (Some(field), None) => match Authority::try_from(field.as_bytes()) {
            Ok(authority) if !authority.as_str().contains('@') => Ok(Some(authority.host().to_owned())),
            Ok(_) | Err(_) => Err(HostProblem::Invalid),
        },
        // RFC 9112 §3.2: "A server MUST respond with a 400 (Bad Request) status code" to
        // HTTP/1.1 without a Host field, with more than one, or with an invalid one.
        _ => Err(HostProblem::Invalid),
    }
}

fn is_address(name: &str) -> bool {
    let bare = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    match bare {
        Some(bare) => bare.parse::<Ipv6Addr>().is_ok(),
        None => name.parse::<IpAddr>().is_ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(target: &str, version: Version, hosts: &[&str]) -> Result<(), HostProblem> {
        let mut request = Request::builder().uri(target).version(version);
        for host in hosts {
            request = request.header(header::HOST, *host);
        }
        HostGuard::new(["MX1.example.org".to_owned()]).check(&request.body(()).unwrap())
    }

    #[test]
    fn addresses_and_our_names_are_right_and_all_other_names_are_not() {
        for (host, expected) in [
            ("localhost", Ok(())),
            ("LocalHost:8895", Ok(())),
            ("127.0.0.1:8895", Ok(())),
            ("192.0.2.7", Ok(())),
            ("[::1]:8895", Ok(())),
            ("mx1.Example.org:8895", Ok(())),
            ("mx1.example.org.evil.example", Err(HostProblem::Foreign)),
            ("evil.example:8895", Err(HostProblem::Foreign)),
            ("localhost.evil.example", Err(HostProblem::Foreign)),
            // Browsers take these for addresses and write them as such.
            ("0x7f.1", Err(HostProblem::Foreign)),
            ("", Err(HostProblem::Invalid)),
            ("user@localhost", Err(HostProblem::Invalid)),
            ("local host", Err(HostProblem::Invalid)),
        ] {
            assert_eq!(check("/metrics", Version::HTTP_11, &[host]), expected, "{host:?}");
        }
    }

    #[test]
    fn a_request_says_once_which_host_it_is_for() {
        let invalid = Err(HostProblem::Invalid);
        assert_eq!(check("/", Version::HTTP_11, &[]), invalid);
        assert_eq!(check("/", Version::HTTP_11, &["localhost", "localhost"]), invalid);
        assert_eq!(check("/", Version::HTTP_10, &[]), Ok(()));
        let foreign = Err(HostProblem::Foreign);
        assert_eq!(check("/", Version::HTTP_10, &["evil.example"]), foreign);
        let absolute = "http://evil.example/metrics";
        assert_eq!(check(absolute, Version::HTTP_11, &["localhost"]), foreign);
    }
}
