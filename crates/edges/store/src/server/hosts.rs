//! The hosts of a fleet: which entries of each are in, and what it said of itself last.

use std::collections::BTreeMap;

use super::DatabaseServer;
use super::engine::ServerEngine;
use super::numbers::Numbers;
use super::session::ServerSession;
use crate::error::StoreError;
use crate::model::{Heartbeat, HostId, HostProgress, HostStatus, as_integer};
use crate::sql::{Sql, SqlError, SqlRow, values};

use super::fold::integer;

/// The row of a host, which is locked until the transaction ends.
#[derive(Debug)]
pub(super) struct HostRow {
    id: HostId,
    /// A small number of its own.
    pub(super) ordinal: i64,
    /// How many of its observations ever came.
    pub(super) observations: i64,
    pub(super) numbers: Numbers,
    /// Those ranges that are noted in rows of their own.
    noted: Vec<(u64, u64)>,
}

impl HostRow {
    /// Makes it when there is none.
    pub(super) fn locked(session: &ServerSession, id: HostId, name: &str) -> Result<Self, SqlError> {
        if let Some(found) = Self::find(session, id)? {
            return Ok(found);
        }
        let now = now(session.engine());
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
        let sql: &dyn Sql = session;
        let text = "SELECT ordinal, observations, through FROM host WHERE id = ?1 FOR UPDATE";
        let found = sql.row(text, values![id.octets().as_slice()], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?;
        let Some((ordinal, observations, through)) = found else {
            return Ok(None);
        };
        let text = "SELECT first, last FROM batch WHERE host = ?1 ORDER BY first";
        let noted = sql.rows(text, values![id.octets().as_slice()], range)?;
        Ok(Some(Self {
            id,
            ordinal,
            observations,
            numbers: Numbers::new(through, noted.clone()),
            noted,
        }))
    }

    /// Notes which entries are in.
    pub(super) fn write(&self, session: &ServerSession, name: &str) -> Result<(), SqlError> {
        let id = self.id.octets();
        let is_in = |all: &[(u64, u64)], one: &(u64, u64)| all.binary_search(one).is_ok();
        for (first, _) in self.noted.iter().filter(|one| !is_in(&self.numbers.ahead, one)) {
            let sql = "DELETE FROM batch WHERE host = ?1 AND first = ?2";
            session.execute(sql, values![id.as_slice(), integer(*first)])?;
        }
        for (first, last) in self.numbers.ahead.iter().filter(|one| !is_in(&self.noted, one)) {
            let sql = "INSERT INTO batch (host, first, last) VALUES (?1, ?2, ?3)";
            session.execute(sql, values![id.as_slice(), integer(*first), integer(*last)])?;
        }
        let now = now(session.engine());
        let sql = format!(
            "UPDATE host SET name = ?2, through = ?3, observations = ?4, seen_ms = {now} WHERE id = ?1"
        );
        let through = integer(self.numbers.through);
        session.execute(&sql, values![id.as_slice(), name, through, self.observations])?;
        Ok(())
    }
}

/// The highest number of a host that is in; 0 when it is not known.
pub(super) fn highest(session: &ServerSession, id: HostId) -> Result<u64, SqlError> {
    let sql: &dyn Sql = session;
    let text =
        "SELECT coalesce((SELECT max(last) FROM batch WHERE host = ?1), through) FROM host WHERE id = ?1";
    let found = sql.row(text, values![id.octets().as_slice()], |row| row.get(0))?;
    Ok(found.unwrap_or(0))
}

/// Notes what a host says of itself; the numbers of it that are there. It is not made known by this.
pub(super) fn beat(session: &ServerSession, beat: &Heartbeat) -> Result<HostProgress, SqlError> {
    let host = HostRow::locked(session, beat.host, &beat.name)?;
    let now = now(session.engine());
    // An answer that is on the way counts as an offset: it is small beside what matters. Of one that does not say how far
    // it is, what it said before holds: else it would pass for one that never says, and nobody would wait for it.
    let sql = format!(
        "UPDATE host SET name = ?2, seen_ms = {now}, clock_offset_ms = ?3 - {now}, \
         caught_up_ms = CASE WHEN ?4 > 0 THEN ?4 ELSE caught_up_ms END, pending = ?5 WHERE id = ?1"
    );
    let id = beat.host.octets();
    let (clock, caught_up) = (as_integer(beat.clock_ms), as_integer(beat.caught_up_ms));
    let pending = integer(beat.pending);
    session.execute(
        &sql,
        values![id.as_slice(), &beat.name, clock, caught_up, pending],
    )?;
    Ok(HostProgress {
        through: host.numbers.through,
        highest: host.numbers.highest(),
    })
}

/// All hosts, by name.
pub(crate) fn hosts(server: &DatabaseServer) -> Result<Vec<HostStatus>, StoreError> {
    server.read("read the hosts", |session| {
        let sql: &dyn Sql = session;
        let mut ahead: BTreeMap<Vec<u8>, Vec<(u64, u64)>> = BTreeMap::new();
        let text = "SELECT first, last, host FROM batch ORDER BY host, first";
        for (host, range) in sql.rows(text, &[], |row| Ok((row.get::<Vec<u8>>(2)?, range(row)?)))? {
            ahead.entry(host).or_default().push(range);
        }
        let text = "SELECT id, name, through, seen_ms, clock_offset_ms, caught_up_ms, pending FROM host \
                    ORDER BY name, ordinal";
        sql.rows(text, &[], |row| status(row, &ahead))
    })
}

fn status(row: &SqlRow, ahead: &BTreeMap<Vec<u8>, Vec<(u64, u64)>>) -> Result<HostStatus, SqlError> {
    let id = row.octets(0)?;
    let numbers = Numbers::new(row.get(2)?, ahead.get(id).cloned().unwrap_or_default());
    Ok(HostStatus {
        id: HostId::from(<[u8; 16]>::try_from(id).map_err(|_| SqlError::Damaged(0))?),
        name: row.get(1)?,
        through: numbers.through,
        missing: numbers.missing(),
        seen_ms: row.get(3)?,
        clock_offset_ms: row.get(4)?,
        caught_up_ms: row.get(5)?,
        pending: row.get(6)?,
    })
}

fn range(row: &SqlRow) -> Result<(u64, u64), SqlError> {
    Ok((row.get(0)?, row.get(1)?))
}

/// The server's clock, in milliseconds since the epoch.
fn now(engine: ServerEngine) -> &'static str {
    match engine {
        ServerEngine::PostgreSql => "CAST(floor(extract(epoch FROM clock_timestamp()) * 1000) AS BIGINT)",
        ServerEngine::MariaDb => "CAST(floor(unix_timestamp(now(3)) * 1000) AS SIGNED)",
    }
}
