//! Where a Redis server listens.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use super::TextValue;
use super::host::host_and_port;

/// The port of Redis where none is written.
const REDIS_PORT: u16 = 6379;

/// A Redis server, as rspamd names it in its own settings.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RedisServer {
    /// A name or an address, and a port that is never 0.
    Tcp {
        /// The name or the address, without brackets.
        host: String,
        /// The port.
        port: u16,
    },
    /// A socket in the file system.
    Unix(PathBuf),
}

printed_value!(
    RedisServer,
    "Redis server",
    "\"HOST\", \"HOST:PORT\", \"[::1]:PORT\" or \"unix:/PATH\"",
    redis_server
);

fn redis_server(text: &str) -> Result<RedisServer, String> {
    // rspamd takes a path alone for a socket too.
    if let Some(path) = text
        .strip_prefix("unix:")
        .or_else(|| text.starts_with('/').then_some(text))
    {
        let path = <PathBuf as TextValue>::parse(path)?;
        return Ok(RedisServer::Unix(path));
    }
    let (host, port) = host_and_port(text, Some(REDIS_PORT))?;
    Ok(RedisServer::Tcp {
        host: host.to_string(),
        port,
    })
}

impl FromStr for RedisServer {
    type Err = String;

    /// As the settings file has it, for the command line.
    fn from_str(text: &str) -> Result<Self, String> {
        TextValue::parse(text)
    }
}

impl fmt::Display for RedisServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_written_as_rspamd_writes_them() {
        for (written, printed) in [
            ("127.0.0.1", "127.0.0.1:6379"),
            ("127.0.0.1:6390", "127.0.0.1:6390"),
            ("localhost", "localhost:6379"),
            ("Redis.example.com:7000", "redis.example.com:7000"),
            ("::1", "[::1]:6379"),
            ("[::1]", "[::1]:6379"),
            ("[::1]:6390", "[::1]:6390"),
            ("/run/redis/redis.sock", "unix:/run/redis/redis.sock"),
            ("unix:/run/redis/redis.sock", "unix:/run/redis/redis.sock"),
        ] {
            let server: RedisServer = written.parse().unwrap();
            assert_eq!(server.to_string(), printed, "{written}");
            assert_eq!(printed.parse(), Ok(server), "{printed}");
        }
    }

    #[test]
    fn what_is_no_server_is_told_why() {
        for (written, why) in [
            ("", "the name is empty"),
            ("localhost:", "the port is not a number from 1 to 65535"),
            ("localhost:0", "there is no port 0"),
            ("localhost:65536", "the port is not a number from 1 to 65535"),
            ("127.0.0.1:0", "there is no port 0"),
            (
                "127.0.0.256:6379",
                "it is not an address, and no name ends in a number",
            ),
            ("redis host", "the character ' ' cannot be in a domain name"),
            ("redis://localhost", "the port is not a number from 1 to 65535"),
            ("unix:redis.sock", "it does not start with \"/\""),
        ] {
            assert_eq!(written.parse::<RedisServer>(), Err(why.to_owned()), "{written}");
        }
    }
}
