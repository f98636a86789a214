//! What can go wrong with Redis, and what an operator can do about it.

use landmarc_mail::text::excerpt;
use redis::{ErrorKind, ServerErrorKind};

use super::RedisAddress;
use super::bounded::{Allowance, Excess};

/// Characters of what a server says that are kept: its own errors have less than a hundred.
pub(super) const MAX_SAID: usize = 200;

/// Why a server gave no records. Display names the server; the cause is the source.
#[derive(Debug, thiserror::Error)]
#[error("redis {server}: {what}")]
pub struct RedisError {
    /// The server.
    pub server: RedisAddress,
    what: What,
    #[source]
    source: Said,
}

/// What the library or the server said: bounded, and without characters that steer a terminal.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Said(String);

impl From<&redis::RedisError> for Said {
    fn from(error: &redis::RedisError) -> Self {
        Self(excerpt(&error.to_string(), MAX_SAID))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum What {
    #[error("cannot connect")]
    Unreachable,
    #[error("no answer in time")]
    Slow,
    #[error("the connection broke")]
    Broken,
    #[error("it does not let us in")]
    Refused,
    #[error("the account may not do this")]
    Forbidden,
    #[error("the account may not ask INFO, which tells replicas from servers with records of their own")]
    Hidden,
    #[error("it is not ready")]
    NotReady,
    #[error("it did not answer as expected")]
    Answer,
    #[error("its answer has {0}, and is not read")]
    Excess(Excess),
}

impl RedisError {
    pub(super) fn connecting(
        server: &RedisAddress,
        source: &redis::RedisError,
        allowance: &Allowance,
    ) -> Self {
        let what = match what(source, allowance) {
            // Before there is a connection, none can break, and no answer comes.
            What::Broken | What::Slow => What::Unreachable,
            other => other,
        };
        Self::new(server, what, source)
    }

    pub(super) fn reading(server: &RedisAddress, source: &redis::RedisError, allowance: &Allowance) -> Self {
        Self::new(server, what(source, allowance), source)
    }

    /// It does not say whose data it has.
    pub(super) fn hidden(server: &RedisAddress, source: &redis::RedisError) -> Self {
        Self::new(server, What::Hidden, source)
    }

    fn new(server: &RedisAddress, what: What, source: &redis::RedisError) -> Self {
        Self {
            server: server.clone(),
            what,
            source: source.into(),
        }
    }

    /// Whether another attempt may go well without anybody doing anything.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        !matches!(self.what, What::Refused | What::Forbidden | What::Hidden)
    }

    /// What can be done.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self.what {
            What::Unreachable => {
                "see whether redis-server runs and listens there; redis-cli -h HOST -p PORT ping"
            }
            What::Slow | What::Broken | What::NotReady => {
                "see the log of redis-server; nothing is lost, read again"
            }
            What::Refused => {
                "set username and password as in rspamd (local.d/redis.conf), the password in a file"
            }
            What::Forbidden => {
                "give the account the rights to read: ACL SETUSER NAME +@read +@connection +info ~*"
            }
            What::Hidden => {
                "give the account the right to ask, on each server: ACL SETUSER NAME +info; or name one server only"
            }
            What::Excess(_) => {
                "see whether this is a Redis server, and whether another host can answer in its place"
            }
            What::Answer => "see whether this is a Redis server, and the database the right one",
        }
    }
}

fn what(error: &redis::RedisError, allowance: &Allowance) -> What {
    if let Some(excess) = allowance.excess() {
        return What::Excess(excess);
    }
    if error.is_timeout() {
        return What::Slow;
    }
    if error.is_connection_refusal() {
        return What::Unreachable;
    }
    if error.is_io_error() || error.is_connection_dropped() {
        return What::Broken;
    }
    match (error.kind(), error.code()) {
        (ErrorKind::AuthenticationFailed, _) | (_, Some("NOAUTH" | "WRONGPASS")) => What::Refused,
        (ErrorKind::Server(ServerErrorKind::NoPerm), _) => What::Forbidden,
        (ErrorKind::Server(ServerErrorKind::BusyLoading | ServerErrorKind::MasterDown), _) => What::NotReady,
        _ => What::Answer,
    }
}
