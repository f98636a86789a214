//! The SMTP envelope, as the MTA tells it (RFC 5321).

use std::net::IpAddr;

use crate::name::DomainName;

/// Who delivers, and for whom, before any content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Envelope {
    /// The client's address; none for a local socket, or when the MTA did not say.
    pub client: Option<IpAddr>,
    /// The client's host name as the MTA verified it, if it has one.
    pub client_name: Option<String>,
    /// The argument of HELO or EHLO, as sent.
    pub helo: Vec<u8>,
    /// The reverse-path of MAIL FROM.
    pub mail_from: ReversePath,
    /// The forward-paths of RCPT TO that the MTA accepted, without angle brackets.
    pub rcpt_to: Vec<Vec<u8>>,
}

/// The reverse-path, taken apart: the null one, or a local part and a domain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReversePath {
    /// Octets between the angle brackets after the source route; empty for `<>`.
    mailbox: Vec<u8>,
}

impl ReversePath {
    /// Reads what stood in `MAIL FROM:<...>`, with or without the angle brackets.
    /// A source route is dropped (RFC 7208 §2.2, RFC 5321 §4.1.1.3); `%` hacks and
    /// bang paths are not looked into.
    #[must_use]
    pub fn new(octets: &[u8]) -> Self {
        let trimmed = octets.trim_ascii();
        let inner = trimmed
            .strip_prefix(b"<")
            .map_or(trimmed, |rest| rest.strip_suffix(b">").unwrap_or(rest));
        let mailbox = match inner {
            [b'@', ..] => inner
                .iter()
                .position(|&b| b == b':')
                .map_or(inner, |colon| &inner[colon + 1..]),
            _ => inner,
        };
        Self {
            mailbox: mailbox.to_vec(),
        }
    }

    /// Whether it is the null reverse-path of bounces.
    #[must_use]
    pub fn is_null(&self) -> bool {
        self.mailbox.is_empty()
    }

    /// The mailbox as octets, without brackets and route; empty for the null path.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.mailbox
    }

    /// The local part; `None` when there is none (RFC 7208 §4.3 takes `postmaster` then).
    #[must_use]
    pub fn local_part(&self) -> Option<&[u8]> {
        let at = self.at_sign()?;
        Some(&self.mailbox[..at]).filter(|local| !local.is_empty())
    }

    /// The octets after the last `@`, or all of them where there is no `@`.
    #[must_use]
    pub fn domain_octets(&self) -> &[u8] {
        self.at_sign().map_or(&self.mailbox, |at| &self.mailbox[at + 1..])
    }

    /// The domain, when it is a name DNS could answer for.
    #[must_use]
    pub fn domain(&self) -> Option<DomainName> {
        DomainName::from_bytes(self.domain_octets()).ok()
    }

    fn at_sign(&self) -> Option<usize> {
        self.mailbox.iter().rposition(|&b| b == b'@')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_path_apart() {
        let path = ReversePath::new(b"<@relay.example:a@Example.COM>");
        assert_eq!(path.local_part(), Some(&b"a"[..]));
        assert_eq!(path.domain().unwrap().as_str(), "example.com");
    }

    #[test]
    fn the_null_path_is_null_however_it_is_written() {
        assert!(ReversePath::new(b"<>").is_null());
        assert!(ReversePath::new(b"").is_null());
        assert_eq!(ReversePath::new(b"<>").domain(), None);
    }

    #[test]
    fn a_quoted_at_sign_belongs_to_the_local_part() {
        let path = ReversePath::new(br#""a@b.test"@example.net"#);
        assert_eq!(path.domain().unwrap().as_str(), "example.net");
    }

    #[test]
    fn at04_an_odd_domain_is_no_domain() {
        assert_eq!(ReversePath::new(b"<x@bank.test(.evil.test>").domain(), None);
    }
}
