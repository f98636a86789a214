//! Where a database is, and who asks it.

use std::fmt;
use std::str::FromStr;

use landmarc_guard::{GuardTarget, GuardedTls, Protocol, ServerSocket};
use sqlx::ConnectOptions;
use sqlx::mysql::{MySqlConnectOptions, MySqlSslMode};

/// A database: `mysql://USER@HOST:PORT/NAME`, with `?socket=/path` for one on this host, and
/// `?ssl-mode=VERIFY_IDENTITY&ssl-ca=/path` for one that is far away. Shown without its password.
#[derive(Clone)]
pub struct MysqlAddress {
    options: MySqlConnectOptions,
    password: Option<String>,
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
    /// It names a certificate of a client.
    #[error(
        "the database address names a certificate of this host (ssl-cert, ssl-key): log in by a password"
    )]
    Certificate,
}

impl MysqlAddress {
    /// The database of this name, user and host, as `opendmarc-import` is told them.
    #[must_use]
    pub fn of(host: &str, port: u16, user: &str, name: &str) -> Self {
        let options = MySqlConnectOptions::new().host(host).port(port);
        Self {
            options: careful(options.username(user).database(name)),
            password: None,
        }
    }

    /// The same, with this password.
    #[must_use]
    pub fn with_password(mut self, password: &str) -> Self {
        self.options = self.options.password(password);
        self.password = Some(password.to_owned());
        self
    }

    /// Whether a password is known.
    #[must_use]
    pub fn has_password(&self) -> bool {
        self.password.is_some()
    }

    pub(super) fn options(&self) -> &MySqlConnectOptions {
        &self.options
    }

    /// Where it is, as the guard reaches it.
    pub(super) fn target(&self) -> Result<GuardTarget, sqlx::Error> {
        let options = &self.options;
        let place = match options.get_socket() {
            Some(path) => ServerSocket::Unix(path.clone()),
            None => ServerSocket::Tcp(options.get_host().to_owned(), options.get_port()),
        };
        let tls = match options.get_ssl_mode() {
            MySqlSslMode::Disabled => GuardedTls::Off,
            MySqlSslMode::Preferred => GuardedTls::Offered,
            MySqlSslMode::Required => GuardedTls::Encrypted,
            MySqlSslMode::VerifyCa | MySqlSslMode::VerifyIdentity => GuardedTls::Verified { ca: self.ca()? },
        };
        Ok(GuardTarget {
            protocol: Protocol::MariaDb,
            place,
            tls,
            password: self.password.clone(),
        })
    }

    /// What is in the file of `ssl-ca`.
    fn ca(&self) -> Result<Option<Vec<u8>>, sqlx::Error> {
        let url = self.options.to_url_lossy();
        let Some((_, path)) = url.query_pairs().find(|(key, _)| key == "ssl-ca") else {
            return Ok(None);
        };
        let refused = |error| sqlx::Error::Tls(format!("cannot read {path:?}: {error}").into());
        std::fs::read(&*path).map(Some).map_err(refused)
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

/// The password of an address, which the library read and shows in an address alone, escaped.
fn password_of(options: &MySqlConnectOptions) -> Option<String> {
    let mut url = options.to_url_lossy();
    let escaped = format!("password={}", url.password()?);
    url.set_query(Some(&escaped));
    let (_, password) = url.query_pairs().next()?;
    Some(password.into_owned())
}

impl FromStr for MysqlAddress {
    type Err = NoAddress;

    fn from_str(text: &str) -> Result<Self, NoAddress> {
        let rest = ["mysql://", "mariadb://"]
            .iter()
            .find_map(|scheme| text.strip_prefix(scheme));
        let rest = rest.ok_or(NoAddress::Scheme)?;
        let user = rest.split_once('@').map(|(user, _)| user);
        let has_password = user.is_some_and(|user| user.contains(':'));
        let names = |key: &str| text.contains(&format!("{key}="));
        if ["sslcert", "ssl-cert", "sslkey", "ssl-key"]
            .into_iter()
            .any(names)
        {
            return Err(NoAddress::Certificate);
        }
        let options = MySqlConnectOptions::from_str(text).map_err(|_| NoAddress::Form)?;
        if options.get_database().is_none() {
            return Err(NoAddress::Name);
        }
        Ok(Self {
            password: has_password.then(|| password_of(&options)).flatten(),
            options: careful(options),
        })
    }
}

impl fmt::Display for MysqlAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (user, host) = (self.options.get_username(), self.options.get_host());
        let name = self.options.get_database().unwrap_or_default();
        write!(f, "mysql://{user}@{host}:{}/{name}", self.options.get_port())
    }
}

impl fmt::Debug for MysqlAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}
