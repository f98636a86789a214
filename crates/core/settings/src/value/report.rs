//! Values that say how reports leave: the relay, the keys of messages, the delimiter of bounces.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use landmarc_mail::DomainName;

use super::TextValue;
use super::host::{RelayHost, host_and_port};

/// A mail server that takes messages: a name or an address, and a port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Relay {
    host: RelayHost,
    port: u16,
}

impl Relay {
    /// Its name or address.
    #[must_use]
    pub const fn host(&self) -> &RelayHost {
        &self.host
    }

    /// Its port, never 0.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Whether it is this host itself, so that what is said to it leaves no wire.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        match &self.host {
            RelayHost::Address(address) => address.to_canonical().is_loopback(),
            // RFC 6761 §6.3: resolves to a loopback address, always.
            RelayHost::Name(name) => name.as_str() == "localhost",
        }
    }
}

impl fmt::Display for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            RelayHost::Name(name) => write!(f, "{name}:{}", self.port),
            RelayHost::Address(address) => SocketAddr::new(*address, self.port).fmt(f),
        }
    }
}

printed_value!(
    Relay,
    "relay",
    "a host and port such as \"mail.example.com:587\", \"127.0.0.1:25\" or \"[::1]:25\"",
    relay
);

fn relay(text: &str) -> Result<Relay, String> {
    host_and_port(text, None).map(|(host, port)| Relay { host, port })
}

/// A key that messages are signed with: under which selector its public half is published, and
/// which file has its private half.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DkimKeyFile {
    selector: DomainName,
    file: PathBuf,
}

impl DkimKeyFile {
    /// The selector (RFC 6376 §3.1).
    #[must_use]
    pub const fn selector(&self) -> &DomainName {
        &self.selector
    }

    /// The file, from the root.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }
}

impl TextValue for DkimKeyFile {
    const KIND: &'static str = "DKIM key";
    const ALLOWED: &'static str = "a selector and a file such as \"reports1:/etc/landmarc/reports1.pem\"";

    fn parse(text: &str) -> Result<Self, String> {
        let (selector, file) = text
            .split_once(':')
            .ok_or("there is no \":\" between selector and file")?;
        let selector = DomainName::parse(selector).map_err(|error| format!("its selector: {error}"))?;
        let file = <PathBuf as TextValue>::parse(file).map_err(|why| format!("its file: {why}"))?;
        Ok(Self { selector, file })
    }

    fn text(&self) -> String {
        format!("{}:{}", self.selector, self.file.display())
    }
}

/// The one character between the local part of an address and an extension of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Delimiter(char);

/// What mail servers take for a delimiter, and needs no quotes in an address (RFC 5321 §4.1.2).
const DELIMITERS: &str = "+-=_#";

impl Delimiter {
    /// The character: ASCII, and an atom character.
    #[must_use]
    pub const fn as_char(self) -> char {
        self.0
    }
}

impl TextValue for Delimiter {
    const KIND: &'static str = "delimiter";
    const ALLOWED: &'static str = "one of the characters + - = _ #";

    fn parse(text: &str) -> Result<Self, String> {
        let mut characters = text.chars();
        match (characters.next(), characters.next()) {
            (Some(c), None) if DELIMITERS.contains(c) => Ok(Self(c)),
            (Some(_), Some(_)) => Err("it is more than one character".to_owned()),
            _ => Err(String::new()),
        }
    }

    fn text(&self) -> String {
        self.0.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why<T: TextValue>(text: &str) -> String {
        T::parse(text).err().unwrap_or_default()
    }

    #[test]
    fn a_relay_is_a_name_or_an_address_with_a_port() {
        for (written, text, is_loopback) in [
            ("127.0.0.1:25", "127.0.0.1:25", true),
            ("[::1]:25", "[::1]:25", true),
            ("[::ffff:127.0.0.1]:25", "[::ffff:127.0.0.1]:25", true),
            ("localhost:2525", "localhost:2525", true),
            ("192.0.2.1:587", "192.0.2.1:587", false),
            ("Mail.Example.COM:587", "mail.example.com:587", false),
            ("bücher.example:25", "xn--bcher-kva.example:25", false),
        ] {
            let relay = Relay::parse(written).unwrap();
            assert_eq!((relay.text().as_str(), relay.is_loopback()), (text, is_loopback));
        }
    }

    #[test]
    fn what_is_no_relay_says_why() {
        for (written, expected) in [
            ("", "the port is missing"),
            ("127.0.0.1", "the port is missing"),
            ("::1", "the port is missing"),
            ("mail.example.com", "the port is missing"),
            ("mail.example.com:", "the port is not a number from 1 to 65535"),
            (
                "mail.example.com:smtp",
                "the port is not a number from 1 to 65535",
            ),
            ("mail.example.com:+25", "the port is not a number from 1 to 65535"),
            (
                "mail.example.com:65536",
                "the port is not a number from 1 to 65535",
            ),
            ("127.0.0.1:99999", "the port is not a number from 1 to 65535"),
            ("[::1]:99999", "the port is not a number from 1 to 65535"),
            ("mail.example.com:0", "there is no port 0"),
            ("127.0.0.1:0", "there is no port 0"),
            ("127.0.0:25", "it is not an address, and no name ends in a number"),
            ("::1:25:x", "the character ':' cannot be in a domain name"),
            (":25", "the name is empty"),
        ] {
            assert_eq!(why::<Relay>(written), expected, "{written}");
        }
    }

    #[test]
    fn a_key_has_a_selector_and_a_file() {
        let key = DkimKeyFile::parse("Reports1.mail:/etc/landmarc/a:b.pem").unwrap();
        assert_eq!(key.selector().as_str(), "reports1.mail");
        assert_eq!(key.file(), Path::new("/etc/landmarc/a:b.pem"));
        assert_eq!(key.text(), "reports1.mail:/etc/landmarc/a:b.pem");
        for (written, expected) in [
            (
                "/etc/landmarc/key.pem",
                "there is no \":\" between selector and file",
            ),
            (":/key.pem", "its selector: the name is empty"),
            (
                "a b:/key.pem",
                "its selector: the character ' ' cannot be in a domain name",
            ),
            ("s:key.pem", "its file: it does not start with \"/\""),
        ] {
            assert_eq!(why::<DkimKeyFile>(written), expected, "{written}");
        }
    }

    #[test]
    fn a_delimiter_is_one_character_of_an_address() {
        assert_eq!(Delimiter::parse("+").unwrap().as_char(), '+');
        insta::assert_snapshot!(why::<Delimiter>("++"), @"it is more than one character");
        for written in ["@", ".", " ", "\"", "ü", "\n"] {
            assert!(Delimiter::parse(written).is_err(), "{written:?}");
        }
    }
}
