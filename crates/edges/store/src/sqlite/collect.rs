//! Entries of other hosts in a store of ours: written as the recorder writes its batches, on a connection beside
//! its own.

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::Sqlite;
use super::batch::Remembered;
use super::secondary::{LEAST_WAY, MOST_WAY};
use super::statements::Statements;
use crate::engine::Engine as _;
use crate::error::StoreError;
use crate::folded::FoldedCounts;
use crate::hosts::{NotedNumbers, progress};
use crate::model::{Applied, Day, Heartbeat, HostId, HostProgress, as_integer};
use crate::outbox::days::is_reported;
use crate::queue::Batch;
use crate::spool::{Closed, Segment};
use crate::sql::{Sql as _, integer, values};

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
        self.within("read the numbers of a host", |connection, _| {
            Ok(progress(&Statements(connection), host)?.highest)
        })
    }

    pub(crate) fn beat(&mut self, beat: &Heartbeat, now_ms: u64) -> Result<HostProgress, StoreError> {
        self.within("hear of a host", |connection, _| {
            note_beat(connection, beat, now_ms)?;
            Ok(progress(&Statements(connection), beat.host)?)
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
    let sql = Statements(connection);
    note_seen(connection, host, name, now_ms)?;
    let mut known = NotedNumbers::read(&sql, host, progress(&sql, host)?.through)?;
    for entry in entries {
        // Of an entry that holds what several did, some may have come alone, from a copy of that host's file: then nobody
        // can tell what in it is new.
        if known.numbers.has_any(entry.first, entry.last) {
            applied.known_batches += 1;
            continue;
        }
        known.numbers.note(entry.first, entry.last);
        applied.new_batches += 1;
        applied.messages += entry.messages;
        applied.of_reported_days += of_reported_days(connection, &entry.counts)?;
        remembered.write(connection, &Batch::of_another(entry.counts, entry.kept))?;
    }
    known.write_ahead(&sql)?;
    let through = integer(known.numbers.through);
    let note = "UPDATE host SET through = ?2 WHERE id = ?1";
    sql.execute(note, values![host.octets().as_slice(), through])?;
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
        integer(beat.pending),
    );
    connection.prepare_cached(sql)?.execute(values)?;
    Ok(())
}
