//! Where a database of a server is, and who asks it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::engine::ServerEngine;

/// A database of a server: `postgres://USER@HOST:PORT/NAME` or `mysql://USER@HOST:PORT/NAME`, with
/// `?socket=/path` for one on this host. It has no password: that is kept in a file of its own.
///
/// A name may have any character in it, `@` as `%40` and so on. Without a port it is the engine's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerAddress {
    engine: ServerEngine,
    user: String,
    host: String,
    port: u16,
    name: String,
    socket: Option<PathBuf>,
}

/// A text that is no address of a database. It is not quoted: it may have a password in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoServerAddress {
    /// It begins with something else.
    #[error("write the database as postgres://USER@HOST:PORT/NAME or mysql://USER@HOST:PORT/NAME")]
    Scheme,
    /// What is behind the `@` is no host with a port.
    #[error("the address of the database has no host in it, or no port from 1 to 65535 behind the host")]
    Host,
    /// Nobody is named before the `@`.
    #[error("the address of the database names no user: write USER@ before the host")]
    User,
    /// No database is named.
    #[error("the address of the database names no database: write /NAME behind the host")]
    Name,
    /// It has a password, which whoever sees the settings or the list of processes could read.
    #[error(
        "the address of the database has a password in it: write the password into a file of its own, and name that file"
    )]
    Password,
    /// Something else than `socket` is behind the `?`, or its path does not begin with `/`.
    #[error("behind the ? of a database address there is only socket=/path/of/the/socket")]
    Option,
    /// A `%` is not followed by two digits, or what they stand for is no text.
    #[error("a % in the address of the database is not followed by the two digits of a character")]
    Escape,
}

impl ServerAddress {
    /// Whose server it is.
    #[must_use]
    pub fn engine(&self) -> ServerEngine {
        self.engine
    }

    /// Who asks.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The host; `localhost` where there is a socket.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The name of the database.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The socket on this host, in place of host and port.
    #[must_use]
    pub fn socket(&self) -> Option<&Path> {
        self.socket.as_deref()
    }
}

impl FromStr for ServerAddress {
    type Err = NoServerAddress;

    fn from_str(text: &str) -> Result<Self, NoServerAddress> {
        let (engine, rest) = engine_of(text).ok_or(NoServerAddress::Scheme)?;
        let (rest, options) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, name) = rest.split_once('/').unwrap_or((rest, ""));
        // The last one: a password may have an @ in it that nobody has escaped.
        let (user, place) = authority.rsplit_once('@').ok_or(NoServerAddress::User)?;
        if user.contains(':') {
            return Err(NoServerAddress::Password);
        }
        let socket = socket_of(options)?;
        let (host, port) = host_and_port(place, engine, socket.is_some())?;
        Ok(Self {
            engine,
            user: named(user).and_then(|user| user.ok_or(NoServerAddress::User))?,
            host,
            port,
            name: named(name).and_then(|name| name.ok_or(NoServerAddress::Name))?,
            socket,
        })
    }
}

fn engine_of(text: &str) -> Option<(ServerEngine, &str)> {
    let schemes = [
        ("postgres://", ServerEngine::PostgreSql),
        ("postgresql://", ServerEngine::PostgreSql),
        ("mysql://", ServerEngine::MariaDb),
        ("mariadb://", ServerEngine::MariaDb),
    ];
    schemes
        .into_iter()
        .find_map(|(scheme, engine)| Some((engine, text.strip_prefix(scheme)?)))
}

fn socket_of(options: &str) -> Result<Option<PathBuf>, NoServerAddress> {
    if options.is_empty() {
        return Ok(None);
    }
    let path = options.strip_prefix("socket=").ok_or(NoServerAddress::Option)?;
    if !path.starts_with('/') || path.contains('&') {
        return Err(NoServerAddress::Option);
    }
    Ok(Some(unescaped(path)?.into()))
}

/// Host and port; an IPv6 address stands in brackets, as in every URL.
fn host_and_port(
    place: &str,
    engine: ServerEngine,
    has_socket: bool,
) -> Result<(String, u16), NoServerAddress> {
    let (host, port) = match place.strip_prefix('[') {
        Some(rest) => rest.split_once(']').ok_or(NoServerAddress::Host)?,
        None => place.split_at(place.find(':').unwrap_or(place.len())),
    };
    let port = match port.strip_prefix(':') {
        Some(port) => port.parse().ok().filter(|port| *port != 0),
        None if port.is_empty() => Some(engine.port()),
        None => None,
    };
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
    match (host, port) {
        ("", Some(port)) if has_socket => Ok(("localhost".to_owned(), port)),
        (host, Some(port)) if !host.is_empty() && host.chars().all(allowed) => Ok((host.to_owned(), port)),
        _ => Err(NoServerAddress::Host),
    }
}

/// A name of the address; none when it is empty.
fn named(text: &str) -> Result<Option<String>, NoServerAddress> {
    let name = unescaped(text)?;
    Ok(Some(name).filter(|name| !name.is_empty() && !name.contains('\0')))
}

fn unescaped(text: &str) -> Result<String, NoServerAddress> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(octet) = rest.next() {
        if octet != b'%' {
            octets.push(octet);
            continue;
        }
        let mut digit = || {
            let digit = rest.next().map(char::from).and_then(|digit| digit.to_digit(16));
            digit.and_then(|digit| u8::try_from(digit).ok())
        };
        let (high, low) = (digit(), digit());
        let (Some(high), Some(low)) = (high, low) else {
            return Err(NoServerAddress::Escape);
        };
        octets.push(high * 16 + low);
    }
    String::from_utf8(octets).map_err(|_| NoServerAddress::Escape)
}

/// What stands in an address as it is; everything else is escaped.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for octet in self.0.bytes() {
            match octet {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                    write!(f, "{}", char::from(octet))?;
                }
                octet => write!(f, "%{octet:02X}")?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.engine {
            ServerEngine::PostgreSql => "postgres",
            ServerEngine::MariaDb => "mysql",
        };
        let user = Escaped(&self.user);
        match self.host.contains(':') {
            true => write!(f, "{scheme}://{user}@[{}]:{}/", self.host, self.port)?,
            false => write!(f, "{scheme}://{user}@{}:{}/", self.host, self.port)?,
        }
        write!(
            f,
            "{}",
            self.name
                .split('/')
                .map(|part| Escaped(part).to_string())
                .collect::<Vec<_>>()
                .join("%2F")
        )?;
        match self.socket.as_deref().and_then(Path::to_str) {
            Some(socket) => write!(f, "?socket={}", Escaped(socket)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> ServerAddress {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_is_shown_as_it_was_written() {
        for text in [
            "postgres://landmarc@db.example:5433/landmarc",
            "mysql://landmarc@192.0.2.1:3307/landmarc",
            "postgres://landmarc@[2001:db8::1]:5432/landmarc",
            "postgres://a%40b%3Ac@db.example:5432/my%20mail%2Fx",
            "mysql://landmarc@localhost:3306/landmarc?socket=/run/mysqld/mysqld.sock",
            "postgres://m%C3%BCller@db.example:5432/landmarc",
        ] {
            assert_eq!(address(text).to_string(), text);
        }
    }

    #[test]
    fn what_is_left_out_is_the_engines_own() {
        assert_eq!(
            address("postgresql://me@db/x").to_string(),
            "postgres://me@db:5432/x"
        );
        assert_eq!(address("mariadb://me@db/x").to_string(), "mysql://me@db:3306/x");
        let local = address("postgres://me@/x?socket=/run/postgresql/.s.PGSQL.5432");
        assert_eq!(
            (local.host(), local.port(), local.user()),
            ("localhost", 5432, "me")
        );
        assert_eq!(local.socket(), Some(Path::new("/run/postgresql/.s.PGSQL.5432")));
        assert_eq!(
            address("postgres://a%40b@db/x%2Fy").user(),
            "a@b",
            "escapes are undone"
        );
    }

    #[test]
    fn a_password_is_refused_and_shown_to_nobody() {
        for text in [
            "postgres://me:s3cret@db/x",
            "mysql://me:s3c@ret@db/x",
            "postgres://me:@db/x",
        ] {
            let refused = ServerAddress::from_str(text).unwrap_err();
            assert_eq!(refused, NoServerAddress::Password);
            assert!(!refused.to_string().contains("s3c"), "{refused}");
        }
    }

    #[test]
    fn what_is_no_address_is_told_by_the_part_that_is_wrong() {
        for (text, wrong) in [
            ("", NoServerAddress::Scheme),
            ("sqlite:///x", NoServerAddress::Scheme),
            ("/var/lib/landmarc", NoServerAddress::Scheme),
            ("postgres://db/x", NoServerAddress::User),
            ("postgres://@db/x", NoServerAddress::User),
            ("postgres://me@/x", NoServerAddress::Host),
            ("postgres://me@db:0/x", NoServerAddress::Host),
            ("postgres://me@db:65536/x", NoServerAddress::Host),
            ("postgres://me@[2001:db8::1/x", NoServerAddress::Host),
            ("postgres://me@d b/x", NoServerAddress::Host),
            ("postgres://me@db", NoServerAddress::Name),
            ("postgres://me@db/", NoServerAddress::Name),
            ("postgres://me@db/x?sslmode=disable", NoServerAddress::Option),
            ("postgres://me@db/x?socket=here", NoServerAddress::Option),
            ("postgres://me@db/x?socket=/a&b=c", NoServerAddress::Option),
            ("postgres://m%4@db/x", NoServerAddress::Escape),
            ("postgres://me@db/%ff", NoServerAddress::Escape),
            ("postgres://me@db/a%00b", NoServerAddress::Name),
        ] {
            assert_eq!(ServerAddress::from_str(text), Err(wrong), "{text}");
        }
    }
}
