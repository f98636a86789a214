//! The rows of hosts on a server: locked while their entries are written.

use super::engine::ServerEngine;
use super::session::ServerSession;
use crate::hosts::{NotedNumbers, progress};
use crate::model::{Heartbeat, HostId, HostProgress, as_integer};
use crate::sql::{Sql, SqlError, SqlQueries, integer, values};

/// The row of a host, which is locked until the transaction ends.
#[derive(Debug)]
pub(super) struct HostRow {
    id: HostId,
    /// A small number of its own.
    pub(super) ordinal: i64,
    /// How many of its observations ever came.
    pub(super) observations: i64,
    pub(super) known: NotedNumbers,
}

impl HostRow {
    /// Makes it when there is none.
    pub(super) fn locked(session: &ServerSession, id: HostId, name: &str) -> Result<Self, SqlError> {
        if let Some(found) = Self::find(session, id)? {
            return Ok(found);
        }
        let now = session.engine().clock();
        let made = format!(
            "INSERT INTO host (id, name, through, observations, seen_ms, clock_offset_ms, caught_up_ms, pending) \
             VALUES (?1, ?2, 0, 0, {now}, 0, 0, 0) {}",
            match session.engine() {
                ServerEngine::PostgreSql => "ON CONFLICT (id) DO NOTHING",
                ServerEngine::MariaDb => "ON DUPLICATE KEY UPDATE id = id",
            }
        );
        session.execute(&made, values![id.octets().as_slice(), name])?;
        Self::find(session, id)?.ok_or(SqlError::Damaged(0))
    }

    fn find(session: &ServerSession, id: HostId) -> Result<Option<Self>, SqlError> {
        let text = "SELECT ordinal, observations, through FROM host WHERE id = ?1 FOR UPDATE";
        let found = session.row(text, values![id.octets().as_slice()], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?;
        let Some((ordinal, observations, through)) = found else {
            return Ok(None);
        };
        Ok(Some(Self {
            id,
            ordinal,
            observations,
            known: NotedNumbers::read(session, id, through)?,
        }))
    }

    /// Notes which entries are in.
    pub(super) fn write(&self, session: &ServerSession, name: &str) -> Result<(), SqlError> {
        self.known.write_ahead(session)?;
        let sql = format!(
            "UPDATE host SET name = ?2, through = ?3, observations = ?4, seen_ms = {} WHERE id = ?1",
            session.engine().clock()
        );
        let (id, through) = (self.id.octets(), integer(self.known.numbers.through));
        session.execute(&sql, values![id.as_slice(), name, through, self.observations])?;
        Ok(())
    }
}

/// Notes what a host says of itself; the numbers of it that are there. It is not made known by this.
pub(super) fn beat(session: &ServerSession, beat: &Heartbeat) -> Result<HostProgress, SqlError> {
    HostRow::locked(session, beat.host, &beat.name)?;
    let now = session.engine().clock();
    // An answer that is on the way counts as an offset: it is small beside what matters. Of one that does not say how far
    // it is, what it said before holds: else it would pass for one that never says, and nobody would wait for it.
    let sql = format!(
        "UPDATE host SET name = ?2, seen_ms = {now}, clock_offset_ms = ?3 - {now}, \
         caught_up_ms = CASE WHEN ?4 > 0 THEN ?4 ELSE caught_up_ms END, pending = ?5 WHERE id = ?1"
    );
    let id = beat.host.octets();
    let (clock, caught_up) = (as_integer(beat.clock_ms), as_integer(beat.caught_up_ms));
    let values = values![id.as_slice(), &beat.name, clock, caught_up, integer(beat.pending)];
    session.execute(&sql, values)?;
    progress(session, beat.host)
}
