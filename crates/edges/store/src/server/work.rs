//! Work on a server: in a transaction, on a thread that may wait, and again where that may help.
//!
//! # When an answer is lost
//!
//! A connection that is lost before COMMIT was sent has done nothing: the work is done again, on another one. Of a COMMIT
//! without an answer nobody knows whether it was done.
//!
//! * Work without the lock ([`DatabaseServer::transact`]) is such that doing it again is right: entries are applied by their numbers, and
//!   what has expired is removed once. So it is done again.
//! * Work of the outbox ([`DatabaseServer::write`]) is not: claiming again would claim other deliveries, and a delivery that is marked
//!   as delivered a second time looks as if somebody else had sent it. So each such transaction notes its number in the
//!   row that this `DatabaseServer` has in the table `writer`. Afterwards that row says whether it was done, and what the work
//!   came to is still known. Only where the server cannot be asked any more, it is an error that says so
//!   ([`Trouble::Unknown`]): then the outbox is as after a crash at that moment, which leaves nothing lost.

use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use ring::rand::{SecureRandom, SystemRandom};
use tokio::runtime::{Builder, Handle, Runtime};

use super::address::ServerAddress;
use super::engine::ServerEngine;
use super::errors::Failure;
use super::migrations;
use super::migrations::Migrated;
use super::options::DatabaseOptions;
use super::pool::{Pool, within};
use super::session::{ServerSession, State};
use super::trouble::Trouble;
use crate::clock::now_ms;
use crate::error::StoreError;
use crate::model::as_integer;
use crate::sql::{Sql, SqlError, SqlQueries, values};

/// How often work is done that others were in the way of, or that lost its connection.
const ATTEMPTS: u32 = 5;
/// The wait before the second attempt; each further one is twice as long. With [`ATTEMPTS`], 1.5 s in all: the restart of a
/// server on the same host is shorter.
const FIRST_WAIT: Duration = Duration::from_millis(100);
/// The longest that bringing the tables up to date may take.
const MIGRATION_TIMEOUT: Duration = Duration::from_hours(6);
/// Clocks that differ by no more are taken to be the same: asking for the time takes time.
const SAME_TIME_MS: i64 = 2_000;
/// In place of a difference of clocks before the first one is learnt.
const NOT_LEARNT: i64 = i64::MIN;
/// The rows of a process that has ended are removed from `writer` after so long.
const WRITER_KEPT_MS: i64 = 7 * 86_400_000;

/// What clones of a [`DatabaseServer`] share.
pub(super) struct Inner {
    pool: Pool,
    /// None when it is being dropped.
    runtime: Option<Runtime>,
    /// How far the server's clock is ahead of this host's, as it was learnt last.
    ahead_ms: AtomicI64,
    /// Under which this process notes its transactions in `writer`.
    writer: [u8; 16],
    number: AtomicU64,
    /// One of this process at a time writes to the outbox: the lock on the server lets through one anyway, and the row in
    /// `writer` is one.
    pub(super) writing: Mutex<()>,
}

/// What a transaction is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Read,
    Write,
    Transact,
}

impl Inner {
    pub(super) fn new(options: DatabaseOptions) -> Result<Self, StoreError> {
        let name = options.address.to_string();
        let refused = |source: crate::error::BoxedSource| {
            let failure = Failure {
                trouble: Trouble::Refused,
                source: Some(source),
            };
            failure.into_store_error(name.clone(), "prepare the way to")
        };
        let mut writer = [0; 16];
        let filled = SystemRandom::new().fill(&mut writer);
        filled.map_err(|_| refused("the system has no randomness".into()))?;
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("store-server")
            .enable_all()
            .build();
        Ok(Self {
            pool: Pool::new(options),
            runtime: Some(runtime.map_err(|error| refused(error.into()))?),
            ahead_ms: AtomicI64::new(NOT_LEARNT),
            writer,
            number: AtomicU64::new(0),
            writing: Mutex::new(()),
        })
    }

    pub(super) fn address(&self) -> &ServerAddress {
        &self.pool.options().address
    }

    pub(super) fn check(&self) -> Result<u32, StoreError> {
        self.beside("reach the tables", |handle| {
            let mut lent = handle.block_on(self.pool.take_unchecked())?;
            let checked = handle.block_on(self.pool.patiently(migrations::check(&mut lent.wire)))?;
            self.pool.give_back(lent);
            Ok(checked)
        })
    }

    pub(super) fn migrate(&self) -> Result<Migrated, StoreError> {
        let doing = "bring the tables up to date";
        self.beside(doing, |handle| {
            let mut lent = handle.block_on(self.pool.take_unchecked())?;
            let migrated = within(MIGRATION_TIMEOUT, migrations::migrate(&mut lent.wire));
            handle.block_on(migrated).map_err(Failure::late)?
        })
    }

    /// Does it on a thread that may wait, which one of a runtime may not.
    fn beside<T: Send>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&Handle) -> Result<T, Failure> + Send,
    ) -> Result<T, StoreError> {
        let Some(runtime) = &self.runtime else {
            return Err(StoreError::Ended);
        };
        let handle = runtime.handle();
        let store_error = |failure: Failure| failure.into_store_error(self.address().to_string(), doing);
        thread::scope(|scope| {
            let thread = thread::Builder::new().name("store-call".to_owned());
            let spawned = thread.spawn_scoped(scope, || {
                // What sqlx leaves to others when it is dropped.
                let _entered = handle.enter();
                work(handle)
            });
            let refused = |error: std::io::Error| Failure::from(SqlError::Other(error.into()));
            match spawned.map_err(|error| store_error(refused(error)))?.join() {
                Ok(done) => done.map_err(store_error),
                Err(panic) => Err(StoreError::panicked(doing, &*panic)),
            }
        })
    }

    pub(super) fn run<T: Send>(
        &self,
        doing: &'static str,
        kind: Kind,
        mut work: impl FnMut(&ServerSession) -> Result<T, SqlError> + Send,
    ) -> Result<T, StoreError> {
        self.beside(doing, |handle| {
            let mut wait = FIRST_WAIT;
            let mut was_there = false;
            for _ in 1..ATTEMPTS {
                match self.attempt(handle, kind, &mut work) {
                    Err(failure) if failure.passes(was_there) => {
                        was_there |= failure.trouble == Trouble::Lost;
                        tracing::debug!(doing, cause = ?failure.source, "done again: {}", failure.trouble);
                    }
                    done => return done,
                }
                thread::sleep(wait);
                wait *= 2;
            }
            self.attempt(handle, kind, &mut work)
        })
    }

    /// Once, from the beginning to the end of a transaction.
    fn attempt<T>(
        &self,
        handle: &Handle,
        kind: Kind,
        work: &mut impl FnMut(&ServerSession) -> Result<T, SqlError>,
    ) -> Result<T, Failure> {
        let mut session = self.begun(handle, kind)?;
        let number = match kind {
            Kind::Write => Some(self.number(&mut session)?),
            Kind::Read | Kind::Transact => None,
        };
        let done = match (work(&session), session.state.get()) {
            (Ok(done), State::Sound) => done,
            (Err(error), _) => {
                self.undo(session);
                return Err(self.refused(handle, error));
            }
            // Whoever went on after an error went on in nothing: PostgreSQL would answer COMMIT with ROLLBACK.
            (Ok(_), State::Failed | State::Lost) => {
                self.undo(session);
                return Err(SqlError::Other("an error was passed over".into()).into());
            }
        };
        match (session.plain("COMMIT"), number) {
            (Ok(()), _) => {
                self.pool.give_back(session.lent.into_inner());
                Ok(done)
            }
            (Err(error), None) => {
                self.undo(session);
                Err(error.into())
            }
            (Err(error), Some(number)) => {
                let lost = session.state.get() == State::Lost;
                self.undo(session);
                match lost && self.was_done(handle, number)? {
                    true => Ok(done),
                    false => Err(error.into()),
                }
            }
        }
    }

    /// What is wrong with a statement, or with the version of the tables that it is for: a host of a later build may have
    /// brought them up to date while this one held its connections.
    fn refused(&self, handle: &Handle, error: SqlError) -> Failure {
        if migrations::may_be_of_another_version(&error) {
            self.pool.forget();
            // This one is checked.
            if let Err(failure) = handle.block_on(self.pool.take())
                && failure.trouble.is_about_tables()
            {
                return failure;
            }
        }
        error.into()
    }

    fn begun(&self, handle: &Handle, kind: Kind) -> Result<ServerSession, Failure> {
        let lent = handle.block_on(self.pool.take())?;
        let options = self.pool.options();
        let mut session = ServerSession::new(lent, handle.clone(), options);
        session.plain(beginning(session.engine(), kind))?;
        match self.ahead_ms.load(Ordering::Relaxed) {
            NOT_LEARNT => {
                self.learn_time(&mut session)?;
            }
            ahead_ms => session.ahead_ms = ahead_ms,
        }
        Ok(session)
    }

    /// Takes the lock of the outbox and notes the number of this transaction, which is told.
    fn number(&self, session: &mut ServerSession) -> Result<i64, SqlError> {
        lock_outbox(session)?;
        // Not before: waiting for the lock is no difference of clocks.
        let at_ms = self.learn_time(session)?;
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let number = i64::try_from(number).unwrap_or(i64::MAX);
        let noted = session.execute(
            "UPDATE writer SET number = ?1, at_ms = ?2 WHERE id = ?3",
            values![number, at_ms, &self.writer[..]],
        )?;
        if noted == 0 {
            session.execute(
                "DELETE FROM writer WHERE at_ms < ?1",
                values![at_ms - WRITER_KEPT_MS],
            )?;
            session.execute(
                "INSERT INTO writer (id, number, at_ms) VALUES (?1, ?2, ?3)",
                values![&self.writer[..], number, at_ms],
            )?;
        }
        Ok(number)
    }

    /// Whether the transaction of this number was done, after the answer to its COMMIT was lost. The lock is free when
    /// the server has done it or given it up.
    fn was_done(&self, handle: &Handle, number: i64) -> Result<bool, Failure> {
        let asked = || {
            let session = self.begun(handle, Kind::Transact)?;
            lock_outbox(&session)?;
            let noted = session.row(
                "SELECT number FROM writer WHERE id = ?1",
                values![&self.writer[..]],
                |row| row.get::<i64>(0),
            )?;
            self.undo(session);
            Ok::<_, Failure>(noted == Some(number))
        };
        let mut wait = FIRST_WAIT;
        let mut answer = asked();
        for _ in 1..ATTEMPTS {
            if answer.is_ok() {
                break;
            }
            thread::sleep(wait);
            wait *= 2;
            answer = asked();
        }
        answer.map_err(|failure| Failure {
            trouble: Trouble::Unknown,
            ..failure
        })
    }

    /// What the server's clock says, and from now on how far it is ahead of this host's.
    fn learn_time(&self, session: &mut ServerSession) -> Result<i64, SqlError> {
        let before_ms = as_integer(now_ms());
        let server_ms = session.row(&format!("SELECT {}", session.engine().clock()), &[], |row| {
            row.get::<i64>(0)
        })?;
        let server_ms = server_ms.ok_or(SqlError::Damaged(0))?;
        let here_ms = before_ms + (as_integer(now_ms()) - before_ms) / 2;
        session.ahead_ms = ahead_of(server_ms, here_ms);
        self.ahead_ms.store(session.ahead_ms, Ordering::Relaxed);
        Ok(server_ms)
    }

    /// Ends a transaction in which nothing is to be done. Where that cannot be said, the connection is closed, which says it.
    fn undo(&self, session: ServerSession) {
        let is_lost = session.state.get() == State::Lost;
        session.state.set(State::Sound);
        match is_lost || session.plain("ROLLBACK").is_err() {
            true => self.pool.forget(),
            false => self.pool.give_back(session.lent.into_inner()),
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Whoever drops the last clone may be on a thread of a runtime, which must not wait.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Failure {
    /// Whether the same may do at once what it did not do now; a server that was there may be back in a moment.
    fn passes(&self, was_there: bool) -> bool {
        match self.trouble {
            Trouble::Clash | Trouble::Lost => true,
            Trouble::Unreachable => was_there,
            _ => false,
        }
    }
}

/// The statement that begins a transaction. What reads sees one state; what writes sees what others have written
/// before each statement, which is what a look before writing is for.
fn beginning(engine: ServerEngine, kind: Kind) -> &'static str {
    match (engine, kind) {
        (ServerEngine::PostgreSql, Kind::Read) => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        (ServerEngine::PostgreSql, _) => "BEGIN ISOLATION LEVEL READ COMMITTED",
        (ServerEngine::MariaDb, Kind::Read) => {
            "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ;              START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"
        }
        (ServerEngine::MariaDb, _) => "SET TRANSACTION ISOLATION LEVEL READ COMMITTED; START TRANSACTION",
    }
}

/// Waits until nobody else writes to the outbox.
fn lock_outbox(session: &ServerSession) -> Result<(), SqlError> {
    match session.exists("SELECT id FROM outbox_lock WHERE id = 1 FOR UPDATE", &[])? {
        true => Ok(()),
        // Without the row there would be no lock, and all that is built on it.
        false => Err(SqlError::Damaged(0)),
    }
}

/// How far one clock is ahead of another: nothing where that may be the way between them.
fn ahead_of(server_ms: i64, here_ms: i64) -> i64 {
    let ahead_ms = server_ms.saturating_sub(here_ms).max(NOT_LEARNT + 1);
    if ahead_ms.saturating_abs() > SAME_TIME_MS {
        ahead_ms
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_that_differ_by_little_are_the_same() {
        for (server_ms, ahead_ms) in [
            (10_000 + SAME_TIME_MS, 0),
            (10_000 + SAME_TIME_MS + 1, SAME_TIME_MS + 1),
            (10_000 - SAME_TIME_MS, 0),
            (10_000 - SAME_TIME_MS - 1, -SAME_TIME_MS - 1),
            (i64::MIN, i64::MIN),
        ] {
            assert_eq!(
                ahead_of(server_ms, 10_000),
                ahead_ms.max(i64::MIN + 1),
                "{server_ms}"
            );
        }
    }
}
