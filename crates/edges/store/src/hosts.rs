//! The hosts of a fleet as every engine keeps them: which entries of each are in, and what it said of itself last.

use std::collections::BTreeMap;

use crate::model::{HostId, HostProgress, HostStatus};
use crate::numbers::Numbers;
use crate::sql::{Sql, SqlError, SqlQueries, SqlRow, integer, values};

/// The numbers of a host, and how they are noted: its own row has those through, each range ahead has another.
#[derive(Debug)]
pub(crate) struct NotedNumbers {
    host: HostId,
    pub(crate) numbers: Numbers,
    noted: Vec<(u64, u64)>,
}

impl NotedNumbers {
    /// Those of a host whose row says that all entries up to this number are in.
    pub(crate) fn read(sql: &dyn Sql, host: HostId, through: u64) -> Result<Self, SqlError> {
        let text = "SELECT first, last FROM batch WHERE host = ?1 ORDER BY first";
        let noted = sql.rows(text, values![host.octets().as_slice()], range)?;
        let numbers = Numbers::new(through, noted.clone());
        Ok(Self { host, numbers, noted })
    }

    /// Notes the ranges ahead.
    pub(crate) fn write_ahead(&self, sql: &dyn Sql) -> Result<(), SqlError> {
        let host = self.host.octets();
        let is_in = |all: &[(u64, u64)], one: &(u64, u64)| all.binary_search(one).is_ok();
        for (first, _) in self.noted.iter().filter(|one| !is_in(&self.numbers.ahead, one)) {
            let text = "DELETE FROM batch WHERE host = ?1 AND first = ?2";
            sql.execute(text, values![host.as_slice(), integer(*first)])?;
        }
        for (first, last) in self.numbers.ahead.iter().filter(|one| !is_in(&self.noted, one)) {
            let text = "INSERT INTO batch (host, first, last) VALUES (?1, ?2, ?3)";
            sql.execute(text, values![host.as_slice(), integer(*first), integer(*last)])?;
        }
        Ok(())
    }
}

/// Which numbers of a host are in; none of one that is not known.
pub(crate) fn progress(sql: &dyn Sql, host: HostId) -> Result<HostProgress, SqlError> {
    let text = "SELECT through, coalesce((SELECT max(last) FROM batch WHERE host = ?1), through) \
                FROM host WHERE id = ?1";
    let found = sql.row(text, values![host.octets().as_slice()], |row| {
        Ok(HostProgress {
            through: row.get(0)?,
            highest: row.get(1)?,
        })
    })?;
    Ok(found.unwrap_or_default())
}

/// All hosts, under each of their ids.
pub(crate) fn all(sql: &dyn Sql) -> Result<Vec<HostStatus>, SqlError> {
    let mut ahead: BTreeMap<Vec<u8>, Vec<(u64, u64)>> = BTreeMap::new();
    let text = "SELECT first, last, host FROM batch ORDER BY host, first";
    for (host, range) in sql.rows(text, &[], |row| Ok((row.get::<Vec<u8>>(2)?, range(row)?)))? {
        ahead.entry(host).or_default().push(range);
    }
    let text =
        "SELECT id, name, through, seen_ms, clock_offset_ms, caught_up_ms, pending FROM host ORDER BY name";
    sql.rows(text, &[], |row| status(row, &ahead))
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
