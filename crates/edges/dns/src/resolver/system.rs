//! The name servers of the system, from `/etc/resolv.conf`.
//!
//! Only `nameserver` lines are read. `search` and `ndots` are for names that people
//! type; names in mail are complete. Nor is the hosts file consulted: DMARC, SPF and
//! DKIM speak of what is published.

use std::io::{self, Read};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

use tracing::warn;

/// Where the system keeps its name servers.
pub(super) const RESOLV_CONF: &str = "/etc/resolv.conf";

/// As many as the C library takes (resolv.conf(5), MAXNS).
const MAX_NAME_SERVERS: usize = 3;

/// A file larger than this is no list of three servers.
const MAX_FILE_OCTETS: u64 = 64 << 10;

const DNS_PORT: u16 = 53;

/// The name servers the file lists. Without a file, or without any in it, the one on
/// this host: "the default is to use the name server on the local machine"
/// (resolv.conf(5)).
pub(super) fn name_servers(file: &Path) -> io::Result<Vec<SocketAddr>> {
    let mut text = Vec::new();
    match std::fs::File::open(file) {
        Ok(file) => file.take(MAX_FILE_OCTETS).read_to_end(&mut text).map(drop)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let listed = parse(&String::from_utf8_lossy(&text));
    Ok(if listed.is_empty() {
        vec![(Ipv4Addr::LOCALHOST, DNS_PORT).into()]
    } else {
        listed
    })
}

fn parse(text: &str) -> Vec<SocketAddr> {
    let addresses = text.lines().filter_map(|line| {
        let mut words = line.split_ascii_whitespace();
        let address = words
            .next()
            .filter(|&word| word == "nameserver")
            .and(words.next())?;
        let parsed = socket_address(address);
        if parsed.is_none() {
            warn!(
                address,
                "a name server in {RESOLV_CONF} is not an address we can use"
            );
        }
        parsed
    });
    addresses.take(MAX_NAME_SERVERS).collect()
}

/// An address, for IPv6 with the number of its interface where it has one
/// (`fe80::1%2`); names of interfaces are not understood.
fn socket_address(text: &str) -> Option<SocketAddr> {
    match text.parse::<IpAddr>() {
        Ok(address) => Some((address, DNS_PORT).into()),
        Err(_) => format!("[{text}]:{DNS_PORT}").parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_servers_are_taken_and_a_fourth_is_not() {
        let text = "# made by hand\nsearch example.com\noptions ndots:5\nnameserver 192.0.2.1\n\
                    nameserver\t2001:db8::1 ; comment\n nameserver fe80::1%2\nnameserver 192.0.2.4\n";
        let expected = ["192.0.2.1:53", "[2001:db8::1]:53", "[fe80::1%2]:53"];
        assert_eq!(parse(text), expected.map(|address| address.parse().unwrap()));
    }

    #[test]
    fn what_is_no_address_is_passed_over() {
        assert_eq!(
            parse("nameserver localhost\nnameserver\nnameservers 192.0.2.1\n;nameserver 192.0.2.2"),
            []
        );
        assert_eq!(parse("nameserver fe80::1%eth0\nnameserver 192.0.2.1").len(), 1);
    }

    #[test]
    fn without_a_file_the_server_of_this_host_is_asked() {
        let servers = name_servers(Path::new("/nonexistent/resolv.conf")).unwrap();
        assert_eq!(servers, ["127.0.0.1:53".parse().unwrap()]);
    }

    #[test]
    fn a_list_beyond_64_kilobytes_is_not_looked_at() {
        let file = std::env::temp_dir().join(format!("landmarc-resolv-{}.conf", std::process::id()));
        let line = "\nnameserver 192.0.2.1";
        let limit = usize::try_from(MAX_FILE_OCTETS).unwrap();
        for (comment, expected) in [(limit - line.len(), "192.0.2.1:53"), (limit, "127.0.0.1:53")] {
            std::fs::write(&file, "#".repeat(comment) + line).unwrap();
            assert_eq!(name_servers(&file).unwrap(), [expected.parse().unwrap()]);
        }
        std::fs::remove_file(&file).unwrap();
    }

    #[test]
    fn a_file_that_cannot_be_read_is_an_error() {
        assert!(name_servers(Path::new("/")).is_err());
    }
}
