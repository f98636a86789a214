//! Where segments are pushed to.

use hyper::Uri;
use rustls::pki_types::ServerName;

use crate::error::PushError;

/// Of HTTPS, where the URL names none.
const PORT: u16 = 443;

/// Another host, taken from a URL of the form `https://host[:port][/]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PushUrl {
    /// As written, for messages.
    pub(crate) url: String,
    /// A name or an address, without the brackets of IPv6.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// What the certificate has to name.
    pub(crate) server: ServerName<'static>,
    /// What goes into the Host field.
    pub(crate) authority: String,
}

/// Whether segments can be pushed to this URL: `https://host[:port][/]`.
///
/// # Errors
/// [`PushError::Url`].
pub fn check_url(url: &str) -> Result<(), PushError> {
    PushUrl::parse(url).map(|_| ())
}

impl PushUrl {
    pub(crate) fn parse(url: &str) -> Result<Self, PushError> {
        let wrong = |why| PushError::Url {
            url: url.to_owned(),
            why,
        };
        let uri: Uri = url.parse().map_err(|_| wrong("it cannot be read"))?;
        if uri.scheme_str() != Some("https") {
            return Err(wrong("it does not begin with https://"));
        }
        if uri.path_and_query().is_some_and(|path| path.as_str() != "/") {
            return Err(wrong("it has a path; the path is always the same"));
        }
        let authority = uri.authority().ok_or_else(|| wrong("it has no host"))?;
        if authority.as_str().contains('@') {
            return Err(wrong("it has a user; hosts are known by their certificates"));
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        let server = ServerName::try_from(host.to_owned()).map_err(|_| wrong("its host is no name"))?;
        // `host:` and `host:99999` have an authority, and no port.
        let port = match authority.as_str().strip_prefix(authority.host()) {
            Some("") => PORT,
            _ => authority
                .port_u16()
                .filter(|port| *port != 0)
                .ok_or_else(|| wrong("its port is none"))?,
        };
        Ok(Self {
            url: url.to_owned(),
            host: host.to_owned(),
            port,
            server,
            authority: authority.as_str().to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_a_host_and_perhaps_a_port() {
        for (url, host, port) in [
            ("https://collector.example.org", "collector.example.org", 443),
            ("https://collector.example.org/", "collector.example.org", 443),
            (
                "https://collector.example.org:8443",
                "collector.example.org",
                8443,
            ),
            ("https://192.0.2.1:8443/", "192.0.2.1", 8443),
            ("https://[2001:db8::1]:8443", "2001:db8::1", 8443),
            ("https://[2001:db8::1]", "2001:db8::1", 443),
        ] {
            let target = PushUrl::parse(url).unwrap();
            assert_eq!((&*target.host, target.port), (host, port), "{url}");
        }
    }

    #[test]
    fn anything_else_is_refused_with_the_reason() {
        for (url, why) in [
            ("", "it cannot be read"),
            ("collector.example.org", "it does not begin with https://"),
            ("http://collector.example.org", "it does not begin with https://"),
            ("https://", "it cannot be read"),
            (
                "https://collector.example.org/spool",
                "it has a path; the path is always the same",
            ),
            (
                "https://collector.example.org/?a",
                "it has a path; the path is always the same",
            ),
            (
                "https://user:secret@collector.example.org",
                "it has a user; hosts are known by their certificates",
            ),
            ("https://collector.example.org:0", "its port is none"),
            ("https://collector.example.org:99999", "its port is none"),
            ("https://collector.example.org:", "its port is none"),
            ("https://under score_.-", "it cannot be read"),
            ("https://-", "its host is no name"),
        ] {
            let told = PushUrl::parse(url).map(|target| target.host);
            match told {
                Err(PushError::Url { why: found, .. }) => assert_eq!(found, why, "{url}"),
                other => panic!("{url}: {other:?}"),
            }
        }
    }
}
