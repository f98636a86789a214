//! Connections to one database: made when they are needed, kept for the next who asks.
//!
//! The pool of `sqlx` tries a server that refuses until its time is over, and says then that the time is over.
//! Here whoever asks is told at once what the server said: waiting is the business of those who can do
//! something else meanwhile.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::engine::ServerEngine;
use super::errors::Failure;
use super::migrations;
use super::options::DatabaseOptions;
use super::trouble::Trouble;
use super::wire::Wire;
use crate::sync::lock_ignoring_poison;

/// A connection that lay unused for longer is asked whether it is still there.
const FRESH: Duration = Duration::from_secs(1);
/// How long it may take to say so.
const PING_TIMEOUT: Duration = Duration::from_secs(5);
/// A connection is not used for longer: what it has kept in memory on the server is given back, and a server that took
/// over its address is found.
const MAX_AGE: Duration = Duration::from_mins(30);
/// What is too long for a column is refused, "…" is a name, and `\` is a character, as on the other engines.
const SQL_MODE: &str = "STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION,ANSI_QUOTES,\
                        PIPES_AS_CONCAT,NO_BACKSLASH_ESCAPES";
/// The server ends a transaction whose host is gone when the network says nothing for so long.
const KEEPALIVE_S: u32 = 60;

/// Connections of one database.
pub(super) struct Pool {
    options: DatabaseOptions,
    free: Arc<Semaphore>,
    idle: Mutex<Vec<IdleConnection>>,
}

struct IdleConnection {
    wire: Wire,
    made: Instant,
    used: Instant,
}

/// A connection in use. Dropped, it is closed; what it was doing is undone by the server.
pub(super) struct Lent {
    pub(super) wire: Wire,
    made: Instant,
    _permit: OwnedSemaphorePermit,
}

impl Pool {
    pub(super) fn new(options: DatabaseOptions) -> Self {
        let most = usize::try_from(options.connections.max(1)).unwrap_or(1);
        Self {
            free: Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS))),
            idle: Mutex::new(Vec::new()),
            options,
        }
    }

    pub(super) fn options(&self) -> &DatabaseOptions {
        &self.options
    }

    /// A connection whose tables are ours and of this version.
    pub(super) async fn take(&self) -> Result<Lent, Failure> {
        let permit = self.permit().await?;
        while let Some(mut kept) = self.kept() {
            if kept.made.elapsed() > MAX_AGE {
                continue;
            }
            let is_fresh = kept.used.elapsed() < FRESH;
            if is_fresh || matches!(within(PING_TIMEOUT, kept.wire.ping()).await, Ok(Ok(()))) {
                return Ok(Lent {
                    wire: kept.wire,
                    made: kept.made,
                    _permit: permit,
                });
            }
        }
        let mut lent = self.connect(permit).await?;
        self.patiently(migrations::check(&mut lent.wire)).await?;
        Ok(lent)
    }

    /// Waits for what is part of connecting no longer than for the rest of it.
    pub(super) async fn patiently<T>(
        &self,
        asked: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        within(self.options.connect_timeout, asked)
            .await
            .map_err(Failure::late)?
    }

    /// A new connection, whatever tables are there.
    pub(super) async fn take_unchecked(&self) -> Result<Lent, Failure> {
        let permit = self.permit().await?;
        self.connect(permit).await
    }

    /// Keeps a connection that is in no transaction.
    pub(super) fn give_back(&self, lent: Lent) {
        let kept = IdleConnection {
            wire: lent.wire,
            made: lent.made,
            used: Instant::now(),
        };
        lock_ignoring_poison(&self.idle).push(kept);
    }

    /// Forgets the connections that nobody uses: where one was lost, the others may be.
    pub(super) fn forget(&self) {
        lock_ignoring_poison(&self.idle).clear();
    }

    fn kept(&self) -> Option<IdleConnection> {
        lock_ignoring_poison(&self.idle).pop()
    }

    async fn permit(&self) -> Result<OwnedSemaphorePermit, Failure> {
        // Whoever has a connection gives it back when his statements are over or given up.
        let longest = self.options.statement_timeout + self.options.connect_timeout;
        match within(longest, self.free.clone().acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) | Err(_) => Err(Trouble::Busy.into()),
        }
    }

    async fn connect(&self, permit: OwnedSemaphorePermit) -> Result<Lent, Failure> {
        let connecting = async {
            let mut wire = Wire::connect(&self.options)
                .await
                .map_err(Failure::of_connecting)?;
            check_kind(&mut wire).await?;
            wire.plain(&settings(&self.options))
                .await
                .map_err(Failure::of_connecting)?;
            Ok::<_, Failure>(wire)
        };
        Ok(Lent {
            wire: self.patiently(connecting).await?,
            made: Instant::now(),
            _permit: permit,
        })
    }
}

/// Waits no longer.
pub(super) async fn within<T>(longest: Duration, work: impl Future<Output = T>) -> Result<T, std::io::Error> {
    let late = |_| {
        let words = format!("no answer within {longest:?}");
        std::io::Error::new(std::io::ErrorKind::TimedOut, words)
    };
    tokio::time::timeout(longest, work).await.map_err(late)
}

/// MySQL speaks as MariaDB does, and means other things by some of it.
async fn check_kind(wire: &mut Wire) -> Result<(), Failure> {
    if wire.engine() == ServerEngine::PostgreSql {
        return Ok(());
    }
    let rows = wire.rows("SELECT version()", &[]).await?;
    let found = rows.first().and_then(|row| row.text(0).ok()).unwrap_or_default();
    match found.contains("MariaDB") {
        true => Ok(()),
        false => Err(Trouble::Unsupported {
            found: format!("MySQL {found}"),
        }
        .into()),
    }
}

/// What makes a session behave in the same way whatever the server's own settings are.
///
/// Whoever waits for others is told so, and not that his statement was slow: the wait for a lock ends first. A transaction in
/// which nothing is said for long is one whose host is gone: the server ends it, and gives free what it held.
fn settings(options: &DatabaseOptions) -> String {
    let statement = options.statement_timeout.max(Duration::from_secs(1));
    let lock = statement.mul_f64(0.9);
    let idle = statement * 2;
    match options.address.engine() {
        ServerEngine::PostgreSql => format!(
            "SET statement_timeout = {}; SET lock_timeout = {}; SET idle_in_transaction_session_timeout = {}; \
             SET tcp_keepalives_idle = {KEEPALIVE_S}; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 6; \
             SET standard_conforming_strings = on; SET client_min_messages = warning; \
             SELECT set_config('synchronous_commit', 'on', false) \
             WHERE current_setting('synchronous_commit') IN ('off', 'local', 'remote_write')",
            statement.as_millis(),
            lock.as_millis(),
            idle.as_millis(),
        ),
        ServerEngine::MariaDb => {
            // It counts locks in whole seconds.
            let lock = lock.as_secs().max(1);
            format!(
                "SET SESSION sql_mode = '{SQL_MODE}', time_zone = '+00:00', autocommit = 1, \
                 innodb_lock_wait_timeout = {lock}, max_statement_time = {}, idle_transaction_timeout = {}",
                statement.as_secs().max(lock + 1),
                idle.as_secs(),
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_waits_for_others_is_told_so_before_his_statement_is_given_up() {
        let mut options = DatabaseOptions::new("postgres://me@db/x".parse().unwrap());
        options.statement_timeout = Duration::from_secs(10);
        let postgresql = settings(&options);
        assert!(
            postgresql.contains("statement_timeout = 10000; SET lock_timeout = 9000;"),
            "{postgresql}"
        );
        options.address = "mysql://me@db/x".parse().unwrap();
        // Nothing is no limit at all for a server.
        options.statement_timeout = Duration::ZERO;
        let mariadb = settings(&options);
        assert!(
            mariadb.contains("innodb_lock_wait_timeout = 1, max_statement_time = 2"),
            "{mariadb}"
        );
    }
}
