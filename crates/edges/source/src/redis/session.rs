//! Connections to all servers, one for each set of data.

use std::io;

use futures_util::future::join_all;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Cmd, ErrorKind, FromRedisValue};
use redis::{Pipeline, RedisConnectionInfo, ServerErrorKind};
use tokio::io::{AsyncRead, AsyncWrite, join, split};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use super::bounded::{Allowance, Bounded};
use super::{ANSWER_TIME, CONNECT_TIME, RedisAddress, RedisError, RedisOptions};

/// A reading, from its first question to its last. What fails in the middle is begun anew.
pub struct RedisSession {
    pub(super) connections: Vec<Connection>,
    missing: Vec<RedisError>,
}

pub(super) struct Connection {
    server: RedisAddress,
    inner: MultiplexedConnection,
    /// How much of an answer has come.
    allowance: Allowance,
    /// What all replicas of the same data have in common; none where it may not be asked for.
    replication_id: Option<String>,
}

impl RedisSession {
    /// Connects to all servers at once, and keeps one connection for each set of data.
    ///
    /// # Errors
    /// When no server can be read from, the first one's; and where one does not let us in, since that does not
    /// pass by itself.
    pub async fn open(options: &RedisOptions) -> Result<Self, RedisError> {
        let attempts = options
            .servers
            .iter()
            .map(|server| Connection::open(server, options));
        let mut session = Self {
            connections: Vec::new(),
            missing: Vec::new(),
        };
        for attempt in join_all(attempts).await {
            match attempt {
                Ok(connection) if session.has_data_of(&connection) => {}
                Ok(connection) => session.connections.push(connection),
                Err(error) if error.may_pass() => session.missing.push(error),
                Err(error) => return Err(error),
            }
        }
        if session.connections.is_empty() && !session.missing.is_empty() {
            return Err(session.missing.swap_remove(0));
        }
        Ok(session)
    }

    /// Ends the reading. What it gives are the servers that could not be reached, and whose records were not
    /// read, unless one is a replica of another that was.
    #[must_use]
    pub fn into_missing(self) -> Vec<RedisError> {
        self.missing
    }

    fn has_data_of(&self, other: &Connection) -> bool {
        let id = other.replication_id.as_ref();
        let mut ids = self.connections.iter().map(|known| known.replication_id.as_ref());
        id.is_some() && ids.any(|known| known == id)
    }
}

impl Connection {
    async fn open(server: &RedisAddress, options: &RedisOptions) -> Result<Self, RedisError> {
        let allowance = Allowance::default();
        let account = account(options);
        let connected = timeout(CONNECT_TIME, connect(server, &account, &allowance)).await;
        let connected = connected.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut).into()));
        let inner = connected.map_err(|error| RedisError::connecting(server, &error, &allowance))?;
        let mut connection = Self {
            server: server.clone(),
            inner,
            allowance,
            replication_id: None,
        };
        connection.replication_id = connection.ask_replication_id(options.servers.len()).await?;
        Ok(connection)
    }

    /// Redis 4 and later know it. An account that may not ask does no harm where there is one server; of several,
    /// a master and its replica would be added up, and every message would count twice.
    async fn ask_replication_id(&mut self, servers: usize) -> Result<Option<String>, RedisError> {
        self.allowance.renew();
        let told: Result<String, _> = redis::cmd("INFO")
            .arg("replication")
            .query_async(&mut self.inner)
            .await;
        match told {
            Ok(told) => Ok(replication_id(&told)),
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoPerm) => match servers {
                0 | 1 => Ok(None),
                _ => Err(RedisError::hidden(&self.server, &error)),
            },
            Err(error) => Err(RedisError::connecting(&self.server, &error, &self.allowance)),
        }
    }

    pub(super) async fn ask<T: FromRedisValue>(&mut self, command: &Cmd) -> Result<T, RedisError> {
        self.allowance.renew();
        let answer = command.query_async(&mut self.inner).await;
        answer.map_err(|error| RedisError::reading(&self.server, &error, &self.allowance))
    }

    pub(super) async fn ask_all<T: FromRedisValue>(
        &mut self,
        commands: &Pipeline,
    ) -> Result<Vec<T>, RedisError> {
        self.allowance.renew();
        let answers = commands.query_async(&mut self.inner).await;
        answers.map_err(|error| RedisError::reading(&self.server, &error, &self.allowance))
    }
}

/// Who asks, and of which database.
fn account(options: &RedisOptions) -> RedisConnectionInfo {
    let mut account = RedisConnectionInfo::default()
        .set_db(i64::from(options.database))
        .set_skip_set_lib_name();
    if let Some(username) = &options.username {
        account = account.set_username(username);
    }
    if let Some(password) = &options.password {
        account = account.set_password(password);
    }
    account
}

async fn connect(
    server: &RedisAddress,
    account: &RedisConnectionInfo,
    allowance: &Allowance,
) -> Result<MultiplexedConnection, redis::RedisError> {
    match server {
        RedisAddress::Tcp(host, port) => {
            let stream = TcpStream::connect((host.as_str(), *port)).await?;
            stream.set_nodelay(true)?;
            converse(stream, account, allowance).await
        }
        RedisAddress::Unix(path) => converse(UnixStream::connect(path).await?, account, allowance).await,
    }
}

async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    account: &RedisConnectionInfo,
    allowance: &Allowance,
) -> Result<MultiplexedConnection, redis::RedisError> {
    let config = AsyncConnectionConfig::new().set_response_timeout(Some(ANSWER_TIME));
    let (input, output) = split(stream);
    let stream = join(Bounded::new(input, allowance.clone()), output);
    let (connection, driver) = MultiplexedConnection::new_with_config(account, stream, config).await?;
    // It ends when the connection is dropped.
    tokio::spawn(driver);
    Ok(connection)
}

/// From the text that INFO gives: a line for each fact.
fn replication_id(told: &str) -> Option<String> {
    let mut facts = told.lines().filter_map(|line| line.trim().split_once(':'));
    let (_, id) = facts.find(|(name, _)| *name == "master_replid")?;
    Some(id.to_owned()).filter(|id| !id.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_replication_id_is_one_line_of_what_info_tells() {
        let told = "# Replication\r\nrole:master\r\nmaster_replid:8c1f\r\nmaster_replid2:0000\r\n";
        assert_eq!(replication_id(told).as_deref(), Some("8c1f"));
        assert_eq!(replication_id("role:master\r\n"), None);
        assert_eq!(replication_id("master_replid:\r\n"), None);
    }
}
