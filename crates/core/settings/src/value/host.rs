//! A host and a port, as relays and servers of Redis are named.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use landmarc_mail::DomainName;

/// Where a server is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RelayHost {
    /// A name, whose addresses are looked up; a certificate is for it.
    Name(DomainName),
    /// An address; a certificate is for it.
    Address(IpAddr),
}

impl fmt::Display for RelayHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => name.fmt(f),
            Self::Address(address) => address.fmt(f),
        }
    }
}

const MISSING_PORT: &str = "the port is missing";
const NO_PORT: &str = "the port is not a number from 1 to 65535";

/// Reads `HOST:PORT`, an IPv6 address with a port in brackets. `usual` is the port of a text that has none; without it
/// that is a mistake.
pub(super) fn host_and_port(text: &str, usual: Option<u16>) -> Result<(RelayHost, u16), String> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    if let Ok(address) = bare.unwrap_or(text).parse() {
        return Ok((RelayHost::Address(address), usual.ok_or(MISSING_PORT)?));
    }
    if let Ok(address) = text.parse::<SocketAddr>() {
        return with_port(RelayHost::Address(address.ip()), address.port());
    }
    let (name, port) = match (text.rsplit_once(':'), usual) {
        (Some((name, digits)), _) if is_number(digits) => (name, Some(digits.parse().map_err(|_| NO_PORT)?)),
        (Some((name, _)), _) => (name, None),
        (None, Some(usual)) => (text, Some(usual)),
        (None, None) => return Err(MISSING_PORT.to_owned()),
    };
    let name = DomainName::parse(name).map_err(|error| error.to_string())?;
    // The last label of a name is never a number (RFC 3696 §2): this was meant to be an address.
    if name.labels().next_back().is_some_and(is_number) {
        return Err("it is not an address, and no name ends in a number".to_owned());
    }
    with_port(RelayHost::Name(name), port.ok_or(NO_PORT)?)
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_digit())
}

fn with_port(host: RelayHost, port: u16) -> Result<(RelayHost, u16), String> {
    match port {
        0 => Err("there is no port 0".to_owned()),
        _ => Ok((host, port)),
    }
}
