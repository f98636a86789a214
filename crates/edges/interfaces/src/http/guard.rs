//! What each request has to pass before its message is read.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv6Addr};

use hyper::header::{self, HeaderMap, HeaderName};
use hyper::http::uri::Authority;
use hyper::{Request, Version};
use landmarc_milter::Peer;

use super::problem::Problem;

/// The field of rspamd's clients for the secret.
const PASSWORD: HeaderName = HeaderName::from_static("password");

/// What makes a request a welcome one.
#[derive(Clone, Debug, Default)]
pub(super) struct Guard {
    secret: Option<Vec<u8>>,
    /// In lower case.
    host_names: BTreeSet<String>,
}

impl Guard {
    pub(super) fn new(secret: Option<Vec<u8>>, host_names: impl IntoIterator<Item = String>) -> Self {
        let lower = |name: String| name.to_ascii_lowercase();
        Self {
            secret,
            host_names: host_names.into_iter().map(lower).collect(),
        }
    }

    /// Whether the request may be served; the secret is another question.
    pub(super) fn check<B>(&self, request: &Request<B>, peer: &Peer) -> Result<(), Problem> {
        // A page of some web site that a browser on this host shows can send a request here, and a
        // message that nobody sent would be written down. Browsers say so of themselves.
        if request.headers().contains_key(header::ORIGIN) {
            return Err(Problem::FromBrowser);
        }
        match (host(request)?, peer) {
            // A browser cannot be led to a file.
            (_, Peer::Unix) | (None, Peer::Tcp(_)) => Ok(()),
            (Some(name), Peer::Tcp(_)) if self.knows(&name) => Ok(()),
            (Some(_), Peer::Tcp(_)) => Err(Problem::OtherHost),
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

    /// Whether the host is an address, or one of our names: a name that leads here may be anybody's (DNS
    /// rebinding).
    fn knows(&self, name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        name == "localhost" || is_address(&name) || self.host_names.contains(&name)
    }
}

/// Compares in a time that depends on the lengths alone, so that nobody finds a secret octet by octet.
fn are_equal(one: &[u8], other: &[u8]) -> bool {
    let differences = one.iter().zip(other).fold(0, |found, (a, b)| found | (a ^ b));
    // Lest the compiler ends it early.
    one.len() == other.len() && std::hint::black_box(differences) == 0
}

/// The host that a request says it is for; nothing in HTTP/1.0, which no browser speaks, and rspamd's
/// clients do.
fn host<B>(request: &Request<B>) -> Result<Option<String>, Problem> {
    // RFC 9112 §3.2.2: the host of an absolute target counts in place of the field.
    if let Some(authority) = request.uri().authority() {
        return Ok(Some(authority.host().to_owned()));
    }
    let mut fields = request.headers().get_all(header::HOST).iter();
    match (fields.next(), fields.next()) {
        (None, _) if request.version() == Version::HTTP_10 => Ok(None),
        (Some(field), None) => match Authority::try_from(field.as_bytes()) {
            Ok(authority) if !authority.as_str().contains('@') => Ok(Some(authority.host().to_owned())),
            Ok(_) | Err(_) => Err(Problem::NoHost),
        },
        // RFC 9112 §3.2: "A server MUST respond with a 400 (Bad Request) status code".
        _ => Err(Problem::NoHost),
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

    const TCP: Peer = Peer::Tcp(std::net::SocketAddr::new(
        IpAddr::V4(std::net::Ipv4Addr::LOCALHOST),
        1,
    ));

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
