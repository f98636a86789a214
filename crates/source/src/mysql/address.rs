//! Where a database is, and who asks it.

use std::fmt;
use std::str::FromStr;

use sqlx::mysql::MySqlConnectOptions;

/// A database: `mysql://USER@HOST:PORT/NAME`, with `?socket=/path` for one on this host, and
/// `?ssl-mode=VERIFY_IDENTITY&ssl-ca=/path` for one that is far away. Shown without its password.
#[derive(Clone)]
pub struct Address {
    options: MySqlConnectOptions,
    has_password: bool,
}

/// A text that is no address of a database. It is not quoted: it may have a password in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAddress {
    /// It begins with something else.
    #[error("write the database as mysql://USER@HOST:PORT/NAME")]
    Scheme,
    /// What follows is no such thing.
    #[error(
        "the database address cannot be read: write mysql://USER@HOST:PORT/NAME, with %40 for an @ in a name"
    )]
    Form,
    /// There is no name behind the host.
    #[error("the database address names no database: write mysql://USER@HOST:PORT/NAME")]
    Name,
}

impl Address {
    /// The database of this name, user and host, as `opendmarc-import` is told them.
    #[must_use]
    pub fn of(host: &str, port: u16, user: &str, name: &str) -> Self {
        let options = MySqlConnectOptions::new().host(host).port(port);
        Self {
            options: careful(options.username(user).database(name)),
            has_password: false,
        }
    }

    /// The same, with this password.
    #[must_use]
    pub fn with_password(mut self, password: &str) -> Self {
        self.options = self.options.password(password);
        self.has_password = true;
        self
    }

    /// Whether a password is known.
    #[must_use]
    pub fn has_password(&self) -> bool {
        self.has_password
    }

    pub(super) fn options(&self) -> &MySqlConnectOptions {
        &self.options
    }
}

/// What every connection has: `utf8` also where a server is too old for more (the names are ASCII), times
/// in UTC, and no mode of the server changed.
fn careful(options: MySqlConnectOptions) -> MySqlConnectOptions {
    options
        .charset("utf8")
        .pipes_as_concat(false)
        .no_engine_substitution(false)
        .statement_cache_capacity(8)
}

impl FromStr for Address {
    type Err = NoAddress;

    fn from_str(text: &str) -> Result<Self, NoAddress> {
        let rest = ["mysql://", "mariadb://"]
            .iter()
            .find_map(|scheme| text.strip_prefix(scheme));
        let rest = rest.ok_or(NoAddress::Scheme)?;
        let user = rest.split_once('@').map(|(user, _)| user);
        let has_password = user.is_some_and(|user| user.contains(':'));
        let options = MySqlConnectOptions::from_str(text).map_err(|_| NoAddress::Form)?;
        if options.get_database().is_none() {
            return Err(NoAddress::Name);
        }
        Ok(Self {
            options: careful(options),
            has_password,
        })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (user, host) = (self.options.get_username(), self.options.get_host());
        let name = self.options.get_database().unwrap_or_default();
        write!(f, "mysql://{user}@{host}:{}/{name}", self.options.get_port())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}
