//! Expiry against those who write: while one removes what nothing uses, nobody begins to use it.

use super::engine::ServerEngine;
use super::session::ServerSession;
use crate::sql::{Sql, SqlError, SqlQueries, values};

/// The lock on PostgreSQL. Whoever waits for it has a turn: those who come later wait behind.
const LOCK: i64 = 7_812;

/// Held until the transaction ends by any number of writers: nothing is removed meanwhile. The steps of expiry so far.
pub(super) fn beside_others(session: &ServerSession) -> Result<i64, SqlError> {
    let steps = match session.engine() {
        ServerEngine::PostgreSql => {
            session.execute("SELECT pg_advisory_xact_lock_shared(?1)", values![LOCK])?;
            session.row("SELECT steps FROM expiry WHERE id = 1", &[], |row| row.get(0))?
        }
        ServerEngine::MariaDb => session.row(
            "SELECT steps FROM expiry WHERE id = 1 LOCK IN SHARE MODE",
            &[],
            |row| row.get(0),
        )?,
    };
    steps.ok_or(SqlError::Damaged(0))
}

/// Held until the transaction ends by one who removes: nobody writes meanwhile. It counts as a step.
pub(super) fn alone(session: &ServerSession) -> Result<(), SqlError> {
    if session.engine() == ServerEngine::PostgreSql {
        session.execute("SELECT pg_advisory_xact_lock(?1)", values![LOCK])?;
    }
    session.execute("UPDATE expiry SET steps = steps + 1 WHERE id = 1", &[])?;
    Ok(())
}
