//! The spellings of a socket that operators of mail filters know.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

/// Where to listen.
///
/// Read from `unix:/path`, `local:/path`, a bare `/path`, `inet:port`,
/// `inet:port@host`, `inet:host:port`, and the same with `inet6:`. An IP address may
/// stand in brackets, and an IPv6 address before `:port` must. Without a host it is
/// every address of this machine, of IPv4 with `inet:`, of IPv6 with `inet6:`.
///
/// ```
/// # use landmarc_net::SocketAddress;
/// let address: SocketAddress = "inet:8893@localhost".parse().unwrap();
/// assert_eq!(address, "inet:localhost:8893".parse().unwrap());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SocketAddress {
    /// A UNIX domain socket at this absolute path.
    Unix(PathBuf),
    /// A TCP socket.
    Inet {
        /// A host name, or an IP address without brackets; `None` is every address.
        host: Option<String>,
        /// The TCP port; 0 lets the system choose one.
        port: u16,
        /// Whether it is to be an IPv6 socket.
        v6: bool,
    },
}

impl From<SocketAddr> for SocketAddress {
    fn from(address: SocketAddr) -> Self {
        Self::Inet {
            host: Some(address.ip().to_string()),
            port: address.port(),
            v6: address.is_ipv6(),
        }
    }
}

impl SocketAddress {
    /// Whether the socket can be reached from other hosts.
    #[must_use]
    pub fn is_exposed(&self) -> bool {
        match self {
            Self::Inet { host: Some(host), .. } => !is_loopback(host),
            Self::Inet { host: None, .. } => true,
            Self::Unix(_) => false,
        }
    }
}

/// Whether a host, by name or by address, is this one and reached without a network.
#[must_use]
pub fn is_loopback(host: &str) -> bool {
    let address = host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    address || host.eq_ignore_ascii_case("localhost")
}

/// What is wrong with the spelling of a socket.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SocketAddressError {
    /// Neither a path nor a known scheme.
    #[error(
        "\"{0}\" is no socket: write unix:/path, local:/path, /path, inet:port, inet:port@host, \
         inet:host:port, inet6:port or inet6:port@host"
    )]
    Scheme(String),
    /// A path that depends on where the program was started, or could not be one.
    #[error("\"{0}\" is no absolute path of a UNIX socket: write unix:/run/name.sock")]
    Path(String),
    /// The port is missing, or no number up to 65535.
    #[error("\"{0}\" has no port from 0 to 65535: write inet:host:port, as in inet:127.0.0.1:8894")]
    Port(String),
    /// The host is empty, or is no host.
    #[error("\"{0}\" has no usable host: write a name, an IPv4 address, or an IPv6 address in brackets")]
    Host(String),
}

impl FromStr for SocketAddress {
    type Err = SocketAddressError;

    fn from_str(text: &str) -> Result<Self, SocketAddressError> {
        if text.starts_with('/') {
            return unix(text, text);
        }
        match text.split_once(':') {
            Some(("unix" | "local", path)) => unix(path, text),
            Some(("inet", rest)) => inet(rest, false, text),
            Some(("inet6", rest)) => inet(rest, true, text),
            _ => Err(SocketAddressError::Scheme(text.to_owned())),
        }
    }
}

fn unix(path: &str, text: &str) -> Result<SocketAddress, SocketAddressError> {
    if !path.starts_with('/') || path.ends_with('/') || path.contains('\0') {
        return Err(SocketAddressError::Path(text.to_owned()));
    }
    Ok(SocketAddress::Unix(PathBuf::from(path)))
}

/// `port`, `port@host`, `host:port`.
fn inet(rest: &str, v6: bool, text: &str) -> Result<SocketAddress, SocketAddressError> {
    let (port, host) = match rest.split_once('@') {
        Some((port, host)) => (port, Some(host)),
        None => match rest.rsplit_once(':') {
            Some((host, port)) => (port, Some(host)),
            None => (rest, None),
        },
    };
    let digits = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    let port = port
        .parse()
        .ok()
        .filter(|_| digits)
        .ok_or_else(|| SocketAddressError::Port(text.to_owned()))?;
    let host = host
        .map(|host| {
            read_host(host, rest.contains('@')).ok_or_else(|| SocketAddressError::Host(text.to_owned()))
        })
        .transpose()?;
    let v6 = v6 || host.as_ref().is_some_and(|host| host.contains(':'));
    Ok(SocketAddress::Inet { host, port, v6 })
}

/// The host without its brackets. Where `@` sets it apart, an IPv6 address needs none.
fn read_host(host: &str, set_apart: bool) -> Option<String> {
    let (inner, bracketed) = match host.strip_prefix('[') {
        Some(rest) => (rest.strip_suffix(']')?, true),
        None => (host, false),
    };
    let numeric = inner.parse::<IpAddr>().ok();
    let usable = match numeric {
        Some(address) => address.is_ipv4() || bracketed || set_apart,
        None => !bracketed && is_host_name(inner),
    };
    usable.then(|| inner.to_owned())
}

fn is_host_name(host: &str) -> bool {
    !host.is_empty()
        && host.len() <= 253
        && host
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
}

/// The form that reads back as the same address, as Postfix and our settings spell it: `unix:/path`,
/// `inet:host:port`.
impl fmt::Display for SocketAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Inet { host, port, v6 } => {
                let scheme = if *v6 { "inet6" } else { "inet" };
                match host {
                    Some(host) if host.contains(':') => write!(f, "inet:[{host}]:{port}"),
                    Some(host) => write!(f, "{scheme}:{host}:{port}"),
                    None => write!(f, "{scheme}:{port}"),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inet(host: Option<&str>, port: u16, v6: bool) -> SocketAddress {
        SocketAddress::Inet {
            host: host.map(str::to_owned),
            port,
            v6,
        }
    }

    #[test]
    fn p26_every_spelling_is_read_and_printed() {
        let cases = [
            ("unix:/run/a.sock", SocketAddress::Unix("/run/a.sock".into())),
            ("local:/run/a.sock", SocketAddress::Unix("/run/a.sock".into())),
            ("/run/a.sock", SocketAddress::Unix("/run/a.sock".into())),
            ("inet:8893", inet(None, 8893, false)),
            ("inet6:8893", inet(None, 8893, true)),
            ("inet:8893@mx.example", inet(Some("mx.example"), 8893, false)),
            ("inet:8893@[127.0.0.1]", inet(Some("127.0.0.1"), 8893, false)),
            ("inet:127.0.0.1:8893", inet(Some("127.0.0.1"), 8893, false)),
            ("inet:localhost:8893", inet(Some("localhost"), 8893, false)),
            ("inet:[::1]:8893", inet(Some("::1"), 8893, true)),
            ("inet:8893@::1", inet(Some("::1"), 8893, true)),
            ("inet6:8893@[::1]", inet(Some("::1"), 8893, true)),
            ("inet6:8893@localhost", inet(Some("localhost"), 8893, true)),
            ("inet:0@127.0.0.1", inet(Some("127.0.0.1"), 0, false)),
        ];
        for (text, address) in cases {
            assert_eq!(text.parse::<SocketAddress>().as_ref(), Ok(&address), "{text}");
            assert_eq!(address.to_string().parse(), Ok(address), "{text}");
        }
    }

    #[test]
    fn what_is_printed_is_what_the_settings_say() {
        for text in [
            "inet:127.0.0.1:8894",
            "inet:[::1]:8894",
            "inet6:localhost:8894",
            "inet:8894",
            "unix:/run/a",
        ] {
            assert_eq!(text.parse::<SocketAddress>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_socket_is_named_with_what_would_be() {
        for (text, hint) in [
            ("", "inet:port@host"),
            ("8893", "inet:port@host"),
            ("tcp:8893", "inet:port@host"),
            ("run/a.sock", "unix:/path"),
            ("unix:run/a.sock", "no absolute path"),
            ("unix:", "no absolute path"),
            ("/run/", "no absolute path"),
            ("inet:", "no port"),
            ("inet:65536", "no port"),
            ("inet:+25@localhost", "no port"),
            ("inet:localhost", "no port"),
            ("inet:8893@", "no usable host"),
            ("inet::8893", "no usable host"),
            ("inet:::1:8893", "no usable host"),
            ("inet:[::1:8893", "no usable host"),
            ("inet:8893@[host.example]", "no usable host"),
            ("inet:8893@a b", "no usable host"),
        ] {
            let error = text.parse::<SocketAddress>().unwrap_err().to_string();
            assert!(error.contains(hint) && error.contains(text), "{text}: {error}");
        }
    }

    #[test]
    fn a_socket_is_exposed_unless_it_is_of_this_host_alone() {
        for (text, is_exposed) in [
            ("unix:/run/a.sock", false),
            ("inet:127.0.0.1:8893", false),
            ("inet:[::1]:8893", false),
            ("inet:LocalHost:8893", false),
            ("inet:8893", true),
            ("inet:0.0.0.0:8893", true),
            ("inet:192.0.2.1:8893", true),
            ("inet:mx.example:8893", true),
        ] {
            let socket: SocketAddress = text.parse().unwrap();
            assert_eq!(socket.is_exposed(), is_exposed, "{text}");
        }
    }
}
