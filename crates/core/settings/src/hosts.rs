//! The file of hosts whose mail is not judged, in the form that OpenDMARC has for IgnoreHosts, so
//! that a site can go on with the one it has (`clients.trusted_hosts_file`).
//!
//! One host on a line, `#` before a remark, blank lines anywhere: an address, a network as
//! `192.0.2.0/24` or `192.0.2.0/255.255.255.0`, a host name, or `.example.com` for all names below
//! that. `!` before it means: not this one. What a client's name says and what its address says are
//! looked at apart, and in each the most exact entry counts; either is enough.
//!
//! ```
//! # use landmarc_settings::hosts::Hosts;
//! let hosts = Hosts::read(b"# ours\nlocalhost\n192.0.2.0/24\n!192.0.2.9\n").unwrap();
//! assert!(hosts.have_address("192.0.2.1".parse().unwrap()));
//! assert!(!hosts.have_address("192.0.2.9".parse().unwrap()));
//! ```

use std::net::{IpAddr, Ipv4Addr};

use landmarc_mail::DomainName;
use landmarc_mail::text::quoted;
use landmarc_receiver::rule::NamePattern;

use crate::limits::MAX_FILE_OCTETS;
use crate::mistake::MAX_MISTAKES;
use crate::{IpNetwork, NetworkError};

/// The most hosts one file may name: each is compared with each client.
pub const MAX_HOSTS: usize = 10_000;

/// The hosts of one file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hosts {
    networks: Vec<(IpNetwork, Sign)>,
    names: Vec<(NamePattern, Sign)>,
}

/// Whether a host is meant, or excepted. Of two that are as exact the exception counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Sign {
    Meant,
    Excepted,
}

/// All that is wrong with a file, in its order, each with its line; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostsMistakes(Vec<(usize, String)>);

impl Hosts {
    /// Reads a file.
    ///
    /// # Errors
    /// Every line that is no host.
    pub fn read(octets: &[u8]) -> Result<Self, HostsMistakes> {
        if octets.len() > MAX_FILE_OCTETS {
            let why = format!("the file has more than {MAX_FILE_OCTETS} octets");
            return Err(HostsMistakes(vec![(1, why)]));
        }
        let (mut hosts, mut mistakes) = (Self::default(), Vec::new());
        for (line, octets) in (1..).zip(octets.split(|&octet| octet == b'\n')) {
            if let Err(why) = hosts.take(octets) {
                mistakes.push((line, why));
            }
            // A file of another kind is one mistake, not thousands.
            if mistakes.len() == MAX_MISTAKES {
                break;
            }
        }
        match mistakes.is_empty() {
            true => Ok(hosts),
            false => Err(HostsMistakes(mistakes)),
        }
    }

    /// Whether a client with this address is meant.
    #[must_use]
    pub fn have_address(&self, client: IpAddr) -> bool {
        let fitting = self
            .networks
            .iter()
            .filter(|(network, _)| network.contains(client));
        let exactest = fitting.max_by_key(|(network, sign)| (network.prefix(), *sign));
        exactest.is_some_and(|(_, sign)| *sign == Sign::Meant)
    }

    /// Whether any entry is a name.
    #[must_use]
    pub fn have_names(&self) -> bool {
        !self.names.is_empty()
    }

    /// Whether a client with this name is meant, which must have been verified.
    #[must_use]
    pub fn have_name(&self, name: &DomainName) -> bool {
        let fitting = self.names.iter().filter(|(pattern, _)| pattern.matches(name));
        let exactest = fitting.max_by_key(|(pattern, sign)| (exactness(pattern), *sign));
        exactest.is_some_and(|(_, sign)| *sign == Sign::Meant)
    }

    fn take(&mut self, line: &[u8]) -> Result<(), String> {
        let line = line.split(|&octet| octet == b'#').next().unwrap_or_default();
        let text = str::from_utf8(line)
            .map_err(|_| "the text is not UTF-8".to_owned())?
            .trim();
        if text.is_empty() {
            return Ok(());
        }
        if self.networks.len() + self.names.len() == MAX_HOSTS {
            return Err(format!("there are more than {MAX_HOSTS} hosts"));
        }
        let (text, sign) = match text.strip_prefix('!') {
            Some(rest) => (rest.trim_start(), Sign::Excepted),
            None => (text, Sign::Meant),
        };
        if looks_like_address(text) {
            self.networks.push((network(text)?, sign));
        } else {
            self.names.push((name(text)?, sign));
        }
        Ok(())
    }
}

/// More for what fewer names fit.
fn exactness(pattern: &NamePattern) -> (bool, usize) {
    match pattern {
        NamePattern::Exactly(name) => (true, name.label_count()),
        NamePattern::Below(base) => (false, base.label_count()),
    }
}

/// No host name has a colon or a slash, and no top-level domain is a number (RFC 3696 §2).
fn looks_like_address(text: &str) -> bool {
    let last = text.rsplit('.').next().unwrap_or_default();
    text.contains([':', '/']) || (!last.is_empty() && last.bytes().all(|octet| octet.is_ascii_digit()))
}

fn network(text: &str) -> Result<IpNetwork, String> {
    let with_prefix = text.split_once('/').and_then(|(address, mask)| {
        let bits = prefix_of(mask.parse().ok()?)?;
        Some(format!("{address}/{bits}"))
    });
    let network = with_prefix.as_deref().unwrap_or(text).parse();
    network.map_err(|error: NetworkError| format!("{} is no host: {error}", quoted(text)))
}

/// How many bits a mask such as 255.255.255.0 has; nothing where they are not the first ones.
fn prefix_of(mask: Ipv4Addr) -> Option<u32> {
    let bits = mask.to_bits();
    (bits.leading_ones() == bits.count_ones()).then(|| bits.leading_ones())
}

fn name(text: &str) -> Result<NamePattern, String> {
    let (name, pattern): (_, fn(DomainName) -> NamePattern) = match text.strip_prefix('.') {
        Some(base) => (base, NamePattern::Below),
        None => (text, NamePattern::Exactly),
    };
    let name = DomainName::parse(name);
    name.map(pattern)
        .map_err(|error| format!("{} is no host: {error}", quoted(text)))
}

impl HostsMistakes {
    /// A line for each, with the name of the file and the number of the line in front.
    #[must_use]
    pub fn render(&self, file: &str) -> String {
        let lines = self.0.iter().map(|(line, why)| format!("{file}:{line}: {why}"));
        let lines: Vec<_> = lines.collect();
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(text: &str) -> Hosts {
        Hosts::read(text.as_bytes()).unwrap_or_else(|mistakes| panic!("{}", mistakes.render("f")))
    }

    fn wrong(text: &str) -> String {
        Hosts::read(text.as_bytes()).unwrap_err().render("f")
    }

    /// The file of the seed.
    #[test]
    fn o6_remarks_blank_lines_and_names() {
        let hosts = hosts(
            "# Generic list of hosts that are ignored\n\n  localhost  # this one\r\n\nvml000080.dmz.nausch.org\n#x\n",
        );
        let has = |name: &str| hosts.have_name(&DomainName::parse(name).unwrap());
        assert!(has("localhost") && has("VML000080.dmz.nausch.org"));
        assert!(!has("nausch.org") && !has("a.localhost"));
        assert!(
            !hosts.have_address("127.0.0.1".parse().unwrap()),
            "localhost is a name"
        );
    }

    #[test]
    fn p17_addresses_networks_and_masks_and_what_is_excepted() {
        let hosts = hosts(
            "192.0.2.0/24\n!192.0.2.64/26\n192.0.2.65\n198.51.100.0/255.255.254.0\n2001:DB8::/32\n!2001:db8::1\n::1\n\
             ! 203.0.113.9\n203.0.113.9\n",
        );
        for (client, is_meant) in [
            ("192.0.2.1", true),
            ("192.0.2.64", false),
            ("192.0.2.65", true),
            ("::ffff:192.0.2.1", true),
            ("198.51.101.255", true),
            ("198.51.102.0", false),
            ("2001:db8::2", true),
            ("2001:db8::1", false),
            ("::1", true),
            ("203.0.113.9", false),
            ("127.0.0.1", false),
        ] {
            assert_eq!(hosts.have_address(client.parse().unwrap()), is_meant, "{client}");
        }
    }

    #[test]
    fn p17_names_and_names_below_and_what_is_excepted() {
        let hosts = hosts(".example.com\n!.out.example.com\nmx.out.example.com\n!bad.example.com\n");
        for (name, is_meant) in [
            ("a.example.com", true),
            ("example.com", false),
            ("a.out.example.com", false),
            ("out.example.com", true),
            ("mx.out.example.com", true),
            ("bad.example.com", false),
            ("a.bad.example.com", true),
            ("example.net", false),
        ] {
            assert_eq!(
                hosts.have_name(&DomainName::parse(name).unwrap()),
                is_meant,
                "{name}"
            );
        }
    }

    #[test]
    fn p17_each_bad_line_is_told_with_its_number() {
        insta::assert_snapshot!(wrong("localhost\n192.0.2.256\n10.0.0.1/8\n10.0.0.0/255.0.255.0\na b\n!\n.\n"), @r#"
            f:2: "192.0.2.256" is no host: it is not an IP address
            f:3: "10.0.0.1/8" is no host: the address has bits set beyond the prefix, did you mean "10.0.0.0/8"?
            f:4: "10.0.0.0/255.0.255.0" is no host: the prefix length "255.0.255.0" is not a number from 0 to 32
            f:5: "a b" is no host: the character ' ' cannot be in a domain name
            f:6: "" is no host: the name is empty
            f:7: "." is no host: the name is empty
            "#);
        let octets = Hosts::read(b"ok.example\n\xff\n").unwrap_err();
        insta::assert_snapshot!(octets.render("f"), @"f:2: the text is not UTF-8");
    }

    #[test]
    fn a_file_is_read_up_to_its_limits() {
        let lines = |count: usize| "192.0.2.1\n".repeat(count);
        assert!(Hosts::read(lines(MAX_HOSTS).as_bytes()).is_ok());
        insta::assert_snapshot!(wrong(&lines(MAX_HOSTS + 1)), @"f:10001: there are more than 10000 hosts");
        let octets = |count: usize| Hosts::read(&vec![b' '; count]);
        assert!(octets(MAX_FILE_OCTETS).is_ok());
        assert!(octets(MAX_FILE_OCTETS + 1).is_err());
        assert_eq!(
            wrong(&"!\n".repeat(2 * MAX_MISTAKES)).lines().count(),
            MAX_MISTAKES
        );
    }
}
