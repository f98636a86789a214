//! What waits to be handed over: appended by the recorder, taken and removed by whoever hands it over.

pub(super) mod account;
mod append;
mod evict;

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Row};

use super::connection::inode_of;
use super::reading::FileReader;
use super::secondary::SecondaryConnection;
use super::statements::Statements;
use crate::error::StoreError;
use crate::model::{HostId, SpoolAgreement, SpoolStatus};
use crate::spool::{ENTRY, EntryCounts, MAX_ENTRIES, MAX_SEGMENT, MAX_UNPACKED, Sealed, Segment};
use account::Account;
pub(super) use append::Appender;

/// Most entries removed in one transaction: about 5 ms.
const ROWS: usize = 256;

/// Hands over what waits, beside the recorder: on a connection of its own and in short transactions, after each
/// of which the recorder may be first.
pub struct Spool {
    secondary: SecondaryConnection,
    host_name: String,
}

impl std::fmt::Debug for Spool {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_tuple("Spool")
            .field(&self.secondary.path())
            .finish()
    }
}

impl Spool {
    /// Opens the spool in the store at this path, brings its schema up to date, and waits so long at most for
    /// others who write. Segments tell the name of the host, and are found by its id.
    ///
    /// # Errors
    /// When the store is of a newer version or another program's, or cannot be opened.
    pub fn open(
        path: impl AsRef<Path>,
        host_name: impl Into<String>,
        busy_timeout: Duration,
    ) -> Result<Self, StoreError> {
        Ok(Self {
            secondary: SecondaryConnection::open(path.as_ref(), busy_timeout)?,
            host_name: host_name.into(),
        })
    }

    /// What waits.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn status(&mut self) -> Result<SpoolStatus, StoreError> {
        self.secondary.read("look what waits", |&Statements(connection)| {
            Ok(status(connection)?)
        })
    }

    /// The oldest entries, all of one host id: as many as fit into so many octets, and one at least. They stay
    /// until they are removed, and come again until then; what was handed out is never folded into others.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn take(&mut self, max_octets: usize) -> Result<Option<Segment>, StoreError> {
        let inode = inode_of(self.secondary.path());
        // Marked first, which is brief; then read, while the recorder may go on.
        let marked = self
            .secondary
            .write("hand over entries", |&Statements(connection)| {
                let mut account = Account::read(connection)?;
                if !account.is_of_file(inode) {
                    account.claim_file(connection, inode)?;
                    account.save(connection)?;
                }
                Ok(mark(connection, max_octets)?)
            })?;
        let Some((host, from, to)) = marked else {
            return Ok(None);
        };
        let entries = self.secondary.read("read entries", |&Statements(connection)| {
            Ok(read(connection, host, from, to)?)
        })?;
        Ok((!entries.is_empty()).then(|| Segment::new(host, &self.host_name, entries)))
    }

    /// Removes what was handed out, up to this number of this host: a collector or a file has it. How many
    /// entries those were.
    ///
    /// # Errors
    /// When the store cannot be written. Some may have been removed.
    pub fn remove(&mut self, host: HostId, last: u64) -> Result<u64, StoreError> {
        let mut removed = 0;
        loop {
            let some = self
                .secondary
                .write("remove entries", |&Statements(connection)| {
                    Ok(remove(connection, host, last)?)
                })?;
            removed += some as u64;
            if some < ROWS {
                return Ok(removed);
            }
        }
    }

    /// Compares numbers with a collector, which knows so much of this host ([`HostProgress::highest`](crate::HostProgress)).
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn agree(&mut self, host: HostId, highest: u64) -> Result<SpoolAgreement, StoreError> {
        self.secondary
            .write("compare numbers", |&Statements(connection)| {
                let mut account = Account::read(connection)?;
                if account.host != Some(host) || highest < account.next {
                    return Ok(SpoolAgreement::Yes);
                }
                account.become_another()?;
                account.save(connection)?;
                Ok(SpoolAgreement::AnotherHost)
            })
    }
}

impl FileReader {
    pub(crate) fn spool(&self) -> Result<SpoolStatus, StoreError> {
        if !self.has_fleet() {
            return Ok(SpoolStatus::default());
        }
        self.snapshot("look what waits", status)
    }
}

/// How much waits.
fn status(connection: &Connection) -> rusqlite::Result<SpoolStatus> {
    let account = Account::read(connection)?;
    let sql = "SELECT closed_ms FROM spool ORDER BY id LIMIT 1";
    let oldest = connection.query_row(sql, [], |row| row.get(0)).optional()?;
    Ok(SpoolStatus {
        host: account.host,
        entries: account.entries,
        octets: account.octets,
        messages: account.messages,
        oldest_ms: oldest,
        lost: account.lost,
    })
}

/// How many octets each frame of an entry has; nothing for one that is gone.
const LENGTHS: &str = "coalesce(length(s.counts), 0) + \
    coalesce((SELECT length(o.octets) FROM spool_observations AS o WHERE o.id = s.id), 0) + \
    coalesce((SELECT length(t.octets) FROM spool_traces AS t WHERE t.id = s.id), 0)";

/// Notes that the oldest entries are handed out, as many as fit; whose they are, the first and the last.
fn mark(connection: &Connection, most: usize) -> rusqlite::Result<Option<(HostId, i64, i64)>> {
    let sql = format!("SELECT s.id, s.host, {LENGTHS} FROM spool AS s ORDER BY s.id LIMIT ?1");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([MAX_ENTRIES])?;
    let mut chosen: Option<(HostId, i64, i64)> = None;
    let mut octets = 0;
    // Room for the name and the checksum.
    let most = most.min(MAX_SEGMENT - 1_024);
    while let Some(row) = rows.next()? {
        let (id, host): (i64, [u8; 16]) = (row.get(0)?, row.get(1)?);
        let host = HostId::from(host);
        octets += ENTRY + row.get::<_, usize>(2)?;
        chosen = match chosen {
            None => Some((host, id, id)),
            Some((of, from, _)) if of == host && octets <= most => Some((of, from, id)),
            Some(_) => break,
        };
    }
    if let Some((_, from, to)) = chosen {
        let sql = "UPDATE spool SET handed_out = 1 WHERE id BETWEEN ?1 AND ?2 AND handed_out = 0";
        connection.prepare_cached(sql)?.execute((from, to))?;
    }
    Ok(chosen)
}

/// Those that were marked, but not more than a segment holds when it is unpacked.
fn read(connection: &Connection, host: HostId, from: i64, to: i64) -> rusqlite::Result<Vec<Sealed>> {
    let sql = "SELECT s.first, s.number, s.closed_ms, s.messages, s.rule_hits, s.observation_count, s.trace_count, \
               s.counts, o.octets, t.octets FROM spool AS s \
               LEFT JOIN spool_observations AS o ON o.id = s.id LEFT JOIN spool_traces AS t ON t.id = s.id \
               WHERE s.id BETWEEN ?1 AND ?2 AND s.host = ?3 AND s.handed_out = 1 ORDER BY s.id";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query((from, to, host.octets()))?;
    let mut entries: Vec<Sealed> = Vec::new();
    let mut unpacked = 0;
    while let Some(row) = rows.next()? {
        let entry = sealed(row)?;
        unpacked += entry.unpacked_or_none();
        if unpacked > MAX_UNPACKED && !entries.is_empty() {
            break;
        }
        entries.push(entry);
    }
    Ok(entries)
}

fn sealed(row: &Row<'_>) -> rusqlite::Result<Sealed> {
    Ok(Sealed {
        first: row.get(0)?,
        last: row.get(1)?,
        closed_ms: row.get(2)?,
        held: EntryCounts {
            messages: row.get(3)?,
            rule_hits: row.get(4)?,
            observations: row.get(5)?,
            traces: row.get(6)?,
        },
        counts: row.get(7)?,
        observations: row.get(8)?,
        traces: row.get(9)?,
    })
}

/// Removes some of the oldest entries, when they are those of this host up to this number and were handed out;
/// how many.
fn remove(connection: &Connection, host: HostId, last: u64) -> rusqlite::Result<usize> {
    let sql = format!(
        "SELECT s.id, s.host = ?1 AND s.number <= ?2 AND s.handed_out = 1, {LENGTHS}, \
         CASE WHEN s.counts IS NULL THEN 0 ELSE s.messages END FROM spool AS s ORDER BY s.id LIMIT ?3"
    );
    let last = i64::try_from(last).unwrap_or(i64::MAX);
    let mut account = Account::read(connection)?;
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query((host.octets(), last, ROWS))?;
    let mut removed = Vec::new();
    while let Some(row) = rows.next()? {
        if !row.get::<_, bool>(1)? {
            break;
        }
        removed.push(row.get::<_, i64>(0)?);
        account.shrink(ENTRY as u64 + row.get::<_, u64>(2)?);
        account.messages = account.messages.saturating_sub(row.get(3)?);
    }
    drop(rows);
    for id in &removed {
        for sql in [
            "DELETE FROM spool WHERE id = ?1",
            "DELETE FROM spool_observations WHERE id = ?1",
            "DELETE FROM spool_traces WHERE id = ?1",
        ] {
            connection.prepare_cached(sql)?.execute([id])?;
        }
    }
    account.entries = account.entries.saturating_sub(removed.len() as u64);
    if !removed.is_empty() {
        account.save(connection)?;
    }
    Ok(removed.len())
}
