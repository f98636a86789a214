//! Values that name something of the system: a file mode, a name server, a port.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use super::TextValue;

/// The port of a name server that is written without one (RFC 1035 §4.2).
const DNS_PORT: u16 = 53;

/// The permission bits of a file, written in octal: `"0660"`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct FileMode(u32);

impl FileMode {
    /// The bits: at most 0o777.
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// Whether users who are neither the owner nor in the group may write; on a socket
    /// that is what it takes to connect.
    #[must_use]
    pub const fn is_world_writable(self) -> bool {
        self.0 & 0o002 != 0
    }
}

impl TextValue for FileMode {
    const KIND: &'static str = "file mode";
    const ALLOWED: &'static str = "\"0000\" to \"0777\", in octal";

    fn parse(text: &str) -> Result<Self, String> {
        // `from_str_radix` alone would take "+660".
        if text.is_empty() || !text.bytes().all(|b| (b'0'..=b'7').contains(&b)) {
            return Err("it is not in octal digits".to_owned());
        }
        match u32::from_str_radix(text, 8) {
            Ok(bits @ 0..=0o777) => Ok(Self(bits)),
            // The set-user-ID, set-group-ID and sticky bits mean nothing on a socket.
            Ok(_) | Err(_) => Err("it is more than 0777".to_owned()),
        }
    }

    fn text(&self) -> String {
        format!("{:04o}", self.0)
    }
}

impl fmt::Debug for FileMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

/// The address of a name server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NameServer(pub SocketAddr);

impl TextValue for NameServer {
    const KIND: &'static str = "name server";
    const ALLOWED: &'static str =
        "an address such as \"192.0.2.53\", \"192.0.2.53:5353\", \"2001:db8::53\" or \"[2001:db8::53]:5353\"";

    fn parse(text: &str) -> Result<Self, String> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self(SocketAddr::new(address, DNS_PORT)));
        }
        match text.parse::<SocketAddr>() {
            Ok(address) if address.port() == 0 => Err("there is no port 0".to_owned()),
            Ok(address) => Ok(Self(address)),
            Err(_) => Err("it is not an IP address, with or without a port".to_owned()),
        }
    }

    fn text(&self) -> String {
        match self.0.port() {
            DNS_PORT => self.0.ip().to_string(),
            _ => self.0.to_string(),
        }
    }
}

/// An address and port to serve HTTP on. Port 0 is one that the system chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WebAddress(pub SocketAddr);

impl TextValue for WebAddress {
    const KIND: &'static str = "HTTP port";
    const ALLOWED: &'static str = "an address and port such as \"127.0.0.1:8895\" or \"[::1]:8895\"";

    fn parse(text: &str) -> Result<Self, String> {
        match text.parse::<SocketAddr>() {
            Ok(address) => Ok(Self(address)),
            Err(_) if text.parse::<IpAddr>().is_ok() => Err("the port is missing".to_owned()),
            Err(_) => Err("it is not an IP address with a port".to_owned()),
        }
    }

    fn text(&self) -> String {
        self.0.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_modes_are_octal() {
        for (written, bits, world) in [
            ("0660", 0o660, false),
            ("660", 0o660, false),
            ("0666", 0o666, true),
            ("0777", 0o777, true),
        ] {
            let mode = FileMode::parse(written).unwrap();
            assert_eq!(
                (mode.bits(), mode.is_world_writable()),
                (bits, world),
                "{written}"
            );
        }
        for (written, why) in [
            ("", "it is not in octal digits"),
            ("rw-rw----", "it is not in octal digits"),
            ("+660", "it is not in octal digits"),
            ("0680", "it is not in octal digits"),
            ("1000", "it is more than 0777"),
            ("77777777777777777", "it is more than 0777"),
        ] {
            assert_eq!(FileMode::parse(written), Err(why.to_owned()), "{written}");
        }
    }

    #[test]
    fn name_servers_with_and_without_a_port() {
        for (written, address, printed) in [
            ("192.0.2.53", "192.0.2.53:53", "192.0.2.53"),
            ("192.0.2.53:53", "192.0.2.53:53", "192.0.2.53"),
            ("192.0.2.53:5353", "192.0.2.53:5353", "192.0.2.53:5353"),
            ("2001:db8::53", "[2001:db8::53]:53", "2001:db8::53"),
            (
                "[2001:db8::53]:5353",
                "[2001:db8::53]:5353",
                "[2001:db8::53]:5353",
            ),
        ] {
            let server = NameServer::parse(written).unwrap();
            assert_eq!(
                (server.0.to_string().as_str(), server.text().as_str()),
                (address, printed)
            );
        }
        assert!(NameServer::parse("localhost").is_err());
        assert!(NameServer::parse("[2001:db8::53]").is_err());
        assert_eq!(
            NameServer::parse("192.0.2.53:0"),
            Err("there is no port 0".to_owned())
        );
    }

    #[test]
    fn web_addresses_have_a_port() {
        for written in ["127.0.0.1:8895", "[::1]:8895", "0.0.0.0:0"] {
            assert_eq!(WebAddress::parse(written).unwrap().text(), written);
        }
        for (written, why) in [
            ("127.0.0.1", "the port is missing"),
            ("::1", "the port is missing"),
            ("localhost:8895", "it is not an IP address with a port"),
            ("127.0.0.1:65536", "it is not an IP address with a port"),
            ("inet:127.0.0.1:8895", "it is not an IP address with a port"),
            ("", "it is not an IP address with a port"),
        ] {
            assert_eq!(WebAddress::parse(written), Err(why.to_owned()), "{written}");
        }
    }
}
