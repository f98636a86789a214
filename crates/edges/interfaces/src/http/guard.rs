//! What each request has to pass before its message is read.

use hyper::Request;
use hyper::header::{self, HeaderMap, HeaderName};
use landmarc_net::{HostGuard, HostProblem, Peer};

use super::problem::Problem;

/// The field of rspamd's clients for the secret.
const PASSWORD: HeaderName = HeaderName::from_static("password");

/// What makes a request a welcome one.
#[derive(Clone, Debug, Default)]
pub(super) struct Guard {
    secret: Option<Vec<u8>>,
    hosts: HostGuard,
}

impl Guard {
    pub(super) fn new(secret: Option<Vec<u8>>, host_names: impl IntoIterator<Item = String>) -> Self {
        Self {
            secret,
            hosts: HostGuard::new(host_names),
        }
    }

    /// Whether the request may be served; the secret is another question.
    pub(super) fn check<B>(&self, request: &Request<B>, peer: &Peer) -> Result<(), Problem> {
        // A page of some web site that a browser on this host shows can send a request here, and a
        // message that nobody sent would be written down. Browsers say so of themselves.
        if request.headers().contains_key(header::ORIGIN) {
            return Err(Problem::FromBrowser);
        }
        match (self.hosts.check(request), peer) {
            (Err(HostProblem::Invalid), _) => Err(Problem::NoHost),
            (Err(HostProblem::Foreign), Peer::Tcp(_)) => Err(Problem::OtherHost),
            // A browser cannot be led to a file.
            (Err(HostProblem::Foreign), Peer::Unix) | (Ok(()), _) => Ok(()),
        }
    }

    /// Whether the request names the secret, where there is one.
    pub(super) fn check_secret(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let bearer = headers.get(header::AUTHORIZATION).and_then(|field| {
            let (scheme, token) = field.as_bytes().split_at_checked(7)?;
            scheme.eq_ignore_ascii_case(b"bearer ").then_some(token)
        });
        let password = headers.get(PASSWORD).map(header::HeaderValue::as_bytes);
        self.check_token(bearer.or(password))
    }

    /// The same of a secret that was named in another way.
    pub(super) fn check_token(&self, token: Option<&[u8]>) -> Result<(), Problem> {
        let Some(secret) = &self.secret else {
            return Ok(());
        };
        match token {
            Some(token) if are_equal(token.trim_ascii(), secret) => Ok(()),
            _ => Err(Problem::NoSecret),
        }
    }
}

/// Compares in a time that depends on the lengths alone, so that nobody finds a secret octet by octet.
fn are_equal(one: &[u8], other: &[u8]) -> bool {
    let differences = one.iter().zip(other).fold(0, |found, (a, b)| found | (a ^ b));
    // Lest the compiler ends it early.
    one.len() == other.len() && std::hint::black_box(differences) == 0
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr, SocketAddr};

    use hyper::Version;

    use super::*;

    const TCP: Peer = Peer::Tcp(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 1));

    fn request(version: Version, fields: &[(&str, &str)]) -> Request<()> {
        let mut request = Request::builder().uri("/v1/check").version(version);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap()
    }

    #[test]
    fn a_name_that_is_not_ours_is_refused_where_browsers_come() {
        let guard = Guard::new(None, ["MX1.example.org".to_owned()]);
        let other = Err(Problem::OtherHost);
        for (host, expected) in [
            ("localhost", Ok(())),
            ("127.0.0.1:8896", Ok(())),
            ("[::1]:8896", Ok(())),
            ("mx1.Example.org", Ok(())),
            ("mx1.example.org.evil.example", other.clone()),
            ("evil.example:8896", other.clone()),
            ("0x7f.1", other),
            ("", Err(Problem::NoHost)),
            ("user@localhost", Err(Problem::NoHost)),
        ] {
            let request = request(Version::HTTP_11, &[("host", host)]);
            assert_eq!(guard.check(&request, &TCP), expected, "{host:?}");
        }
        let evil = request(Version::HTTP_11, &[("host", "evil.example")]);
        assert_eq!(guard.check(&evil, &Peer::Unix), Ok(()));
        assert_eq!(guard.check(&request(Version::HTTP_10, &[]), &TCP), Ok(()));
        let none = request(Version::HTTP_11, &[]);
        assert_eq!(guard.check(&none, &TCP), Err(Problem::NoHost));
        let two = request(Version::HTTP_11, &[("host", "localhost"), ("host", "localhost")]);
        assert_eq!(guard.check(&two, &TCP), Err(Problem::NoHost));
    }

    #[test]
    fn a_web_page_is_refused_everywhere() {
        let guard = Guard::default();
        for origin in ["https://evil.example", "null", "http://127.0.0.1:8896"] {
            let fields = [("host", "127.0.0.1"), ("origin", origin)];
            let request = request(Version::HTTP_11, &fields);
            assert_eq!(guard.check(&request, &TCP), Err(Problem::FromBrowser));
        }
    }

    #[test]
    fn a_secret_is_named_in_one_of_two_ways() {
        let guard = Guard::new(Some(b"s3cret".to_vec()), []);
        for (name, value, expected) in [
            ("authorization", "Bearer s3cret", Ok(())),
            ("authorization", "bearer  s3cret ", Ok(())),
            ("password", "s3cret", Ok(())),
            ("authorization", "Bearer s3cre", Err(Problem::NoSecret)),
            ("authorization", "Bearer s3crets", Err(Problem::NoSecret)),
            ("authorization", "Bearer", Err(Problem::NoSecret)),
            ("authorization", "Basic s3cret", Err(Problem::NoSecret)),
            ("password", "", Err(Problem::NoSecret)),
            ("x-other", "s3cret", Err(Problem::NoSecret)),
        ] {
            let request = request(Version::HTTP_11, &[(name, value)]);
            assert_eq!(guard.check_secret(request.headers()), expected, "{name}: {value}");
        }
        assert_eq!(Guard::default().check_secret(&HeaderMap::new()), Ok(()));
    }
}
