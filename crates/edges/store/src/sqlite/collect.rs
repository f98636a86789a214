//! Entries of other hosts in a store of ours: written as the recorder writes its batches, on a connection beside
//! its own.

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OptionalExtension};

use super::Sqlite;
use super::batch::Remembered;
use super::reading::FileReader;
use super::secondary::{LEAST_WAY, MOST_WAY};
use super::statements::Statements;
use crate::engine::Engine as _;
use crate::error::StoreError;
use crate::folded::FoldedCounts;
use crate::model::{Applied, Day, Heartbeat, HostId, HostProgress, HostStatus, as_integer};
use crate::outbox::days::is_reported;
use crate::queue::Batch;
use crate::spool::{Closed, Segment};

/// Observations and reporting rows after which a transaction takes no further entry: about 50 ms of work.
const MUCH: usize = 4_096;
/// Entries after which it takes no further one.
const MANY: usize = 1_024;

/// Adds entries beside a recorder.
#[derive(Debug)]
pub(crate) struct FileCollector {
    path: std::path::PathBuf,
    busy_timeout: Duration,
    /// None after trouble: the next call opens the store anew.
    engine: Option<Sqlite>,
    /// Before this the recorder may be first.
    gives_way_until: Option<Instant>,
}

impl FileCollector {
    pub(crate) fn open(path: &Path, busy_timeout: Duration) -> Result<Self, StoreError> {
        let mut collector = Self {
            path: path.to_owned(),
            busy_timeout,
            engine: None,
            gives_way_until: None,
        };
        collector.opened()?;
        Ok(collector)
    }

    pub(crate) fn apply(&mut self, segment: &Segment, now_ms: u64) -> Result<Applied, StoreError> {
        let mut applied = Applied::default();
        let mut entries = segment.closed().peekable();
        while entries.peek().is_some() {
            let mut some = Vec::new();
            let mut much = 0;
            while some.len() < MANY
                && much < MUCH
                && let Some(entry) = entries.next()
            {
                let entry = entry?;
                much += entry.kept.len() + entry.counts.len();
                some.push(entry);
            }
            let (host, name) = (segment.host(), segment.name());
            applied.add(self.within("apply entries", |connection, remembered| {
                apply(connection, remembered, host, name, some, now_ms)
            })?);
        }
        Ok(applied)
    }

    pub(crate) fn highest(&mut self, host: HostId) -> Result<u64, StoreError> {
        let known = self.within("read the numbers of a host", |connection, _| {
            known(connection, host)
        })?;
        Ok(known.highest)
    }

    pub(crate) fn beat(&mut self, beat: &Heartbeat, now_ms: u64) -> Result<HostProgress, StoreError> {
        self.within("hear of a host", |connection, _| {
            note_beat(connection, beat, now_ms)?;
            known(connection, beat.host)
        })
    }

    /// Does it in one durable transaction, after the recorder had its turn.
    fn within<T>(
        &mut self,
        doing: &'static str,
        work: impl FnOnce(&Connection, &mut Remembered) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        if let Some(until) = self.gives_way_until {
            std::thread::sleep(until.saturating_duration_since(Instant::now()));
        }
        let engine = self.opened()?;
        let began = Instant::now();
        let done = engine.within(doing, work);
        let held = began.elapsed();
        if done.is_ok() && !engine.in_place() && !engine.migrate_deleted_file() {
            self.engine = None;
            let path = self.path.clone();
            return Err(StoreError::Vanished { path });
        }
        match &done {
            // What fails here is done after the next one.
            Ok(_) => drop(engine.tidy()),
            Err(_) => self.engine = None,
        }
        self.gives_way_until = Some(Instant::now() + held.clamp(LEAST_WAY, MOST_WAY));
        done
    }

    fn opened(&mut self) -> Result<&mut Sqlite, StoreError> {
        if self.engine.as_ref().is_some_and(|engine| !engine.in_place()) {
            self.engine = None;
        }
        match &mut self.engine {
            Some(engine) => Ok(engine),
            none => Ok(none.insert(Sqlite::open(&self.path, self.busy_timeout)?)),
        }
    }
}

fn apply(
    connection: &Connection,
    remembered: &mut Remembered,
    host: HostId,
    name: &str,
    entries: Vec<Closed>,
    now_ms: u64,
) -> rusqlite::Result<Applied> {
    let mut applied = Applied::default();
    note_seen(connection, host, name, now_ms)?;
    for entry in entries {
        if is_known(connection, host, entry.first, entry.last)? {
            applied.known_batches += 1;
            continue;
        }
        applied.new_batches += 1;
        applied.messages += entry.messages;
        applied.of_reported_days += of_reported_days(connection, &entry.counts)?;
        remembered.write(connection, &Batch::of_another(entry.counts, entry.kept))?;
        note(connection, host, entry.first, entry.last)?;
    }
    Ok(applied)
}

fn of_reported_days(connection: &Connection, counts: &FoldedCounts) -> rusqlite::Result<u64> {
    let mut reported = 0;
    let mut days: HashMap<Day, bool> = HashMap::new();
    for (counted, count) in counts.tallies.values() {
        let day = counted.day;
        let is_past = match days.get(&day) {
            Some(known) => *known,
            None => {
                let sql = "SELECT 1 FROM reported_day WHERE day = ?1";
                let found = connection.prepare_cached(sql)?.exists([day.0])?;
                days.insert(day, found);
                found
            }
        };
        if is_past && is_reported(&Statements(connection), day, &counted.row.policy_domain)? {
            reported += count;
        }
    }
    Ok(reported)
}

fn note_seen(connection: &Connection, host: HostId, name: &str, now_ms: u64) -> rusqlite::Result<()> {
    let sql = "INSERT INTO host (id, name, through, seen_ms, clock_offset_ms, caught_up_ms, pending) \
               VALUES (?1, ?2, 0, ?3, 0, 0, 0) ON CONFLICT (id) DO UPDATE \
               SET name = excluded.name, seen_ms = max(seen_ms, excluded.seen_ms)";
    let values = (host.octets(), name, as_integer(now_ms));
    connection.prepare_cached(sql)?.execute(values)?;
    Ok(())
}

fn note_beat(connection: &Connection, beat: &Heartbeat, now_ms: u64) -> rusqlite::Result<()> {
    note_seen(connection, beat.host, &beat.name, now_ms)?;
    let sql = "UPDATE host SET clock_offset_ms = ?2, caught_up_ms = CASE WHEN ?3 > 0 THEN ?3 ELSE caught_up_ms END, pending = ?4 WHERE id = ?1";
    let values = (
        beat.host.octets(),
        as_integer(beat.clock_ms) - as_integer(now_ms),
        as_integer(beat.caught_up_ms),
        i64::try_from(beat.pending).unwrap_or(i64::MAX),
    );
    connection.prepare_cached(sql)?.execute(values)?;
    Ok(())
}

fn through(connection: &Connection, host: HostId) -> rusqlite::Result<u64> {
    let sql = "SELECT through FROM host WHERE id = ?1";
    let found = connection
        .prepare_cached(sql)?
        .query_row([host.octets()], |row| row.get(0));
    Ok(found.optional()?.unwrap_or(0))
}

fn known(connection: &Connection, host: HostId) -> rusqlite::Result<HostProgress> {
    let through = through(connection, host)?;
    let sql = "SELECT last FROM batch WHERE host = ?1 ORDER BY first DESC LIMIT 1";
    let beyond = connection
        .query_row(sql, [host.octets()], |row| row.get(0))
        .optional()?;
    Ok(HostProgress {
        through,
        highest: beyond.unwrap_or(through),
    })
}

/// Whether any of these numbers is here. Of an entry that holds what several did, some may have come alone, from
/// a copy of that host's file: then nobody can tell what in it is new.
fn is_known(connection: &Connection, host: HostId, first: u64, last: u64) -> rusqlite::Result<bool> {
    if first <= through(connection, host)? {
        return Ok(true);
    }
    // Ranges do not overlap: the last that begins before the end is the only one that can reach into it.
    let sql = "SELECT last FROM batch WHERE host = ?1 AND first <= ?2 ORDER BY first DESC LIMIT 1";
    let found = connection
        .prepare_cached(sql)?
        .query_row((host.octets(), last), |row| row.get::<_, u64>(0));
    Ok(found.optional()?.is_some_and(|reaches| reaches >= first))
}

/// Notes numbers that are here now, and puts together what has no gap any more.
fn note(connection: &Connection, host: HostId, first: u64, last: u64) -> rusqlite::Result<()> {
    let octets = host.octets();
    let sql = "DELETE FROM batch WHERE host = ?1 AND first = ?2 RETURNING last";
    let next = connection
        .prepare_cached(sql)?
        .query_row((octets, last + 1), |row| row.get::<_, u64>(0));
    let last = next.optional()?.unwrap_or(last);
    if first == through(connection, host)? + 1 {
        let sql = "UPDATE host SET through = ?2 WHERE id = ?1";
        connection.prepare_cached(sql)?.execute((octets, last))?;
        return Ok(());
    }
    let sql = "SELECT first, last FROM batch WHERE host = ?1 AND first < ?2 ORDER BY first DESC LIMIT 1";
    let before = connection
        .prepare_cached(sql)?
        .query_row((octets, first), |row| {
            Ok((row.get::<_, u64>(0)?, row.get::<_, u64>(1)?))
        })
        .optional()?;
    let begins = match before {
        Some((begins, ends)) if ends + 1 == first => begins,
        _ => first,
    };
    let sql = "INSERT INTO batch (host, first, last) VALUES (?1, ?2, ?3) \
               ON CONFLICT (host, first) DO UPDATE SET last = excluded.last";
    connection.prepare_cached(sql)?.execute((octets, begins, last))?;
    Ok(())
}

impl FileReader {
    pub(crate) fn hosts(&self) -> Result<Vec<HostStatus>, StoreError> {
        if !self.has_fleet() {
            return Ok(Vec::new());
        }
        self.snapshot("read what hosts there are", hosts)
    }
}

/// All hosts, by their ids.
fn hosts(connection: &Connection) -> rusqlite::Result<Vec<HostStatus>> {
    let sql = "SELECT id, name, through, seen_ms, clock_offset_ms, caught_up_ms, pending, \
               (SELECT max(last) FROM batch WHERE host = id), \
               (SELECT sum(last - first + 1) FROM batch WHERE host = id) FROM host ORDER BY name, seen_ms";
    let mut statement = connection.prepare(sql)?;
    let rows = statement.query_map([], |row| {
        let through: u64 = row.get(2)?;
        let highest: u64 = row.get::<_, Option<u64>>(7)?.unwrap_or(through);
        let beyond: u64 = row.get::<_, Option<u64>>(8)?.unwrap_or(0);
        Ok(HostStatus {
            id: row.get::<_, [u8; 16]>(0)?.into(),
            name: row.get(1)?,
            through,
            missing: highest.saturating_sub(through).saturating_sub(beyond),
            seen_ms: row.get(3)?,
            clock_offset_ms: row.get(4)?,
            caught_up_ms: row.get(5)?,
            pending: row.get(6)?,
        })
    })?;
    rows.collect()
}
