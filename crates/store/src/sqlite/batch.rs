//! One batch, inside its transaction: everything that changes with each message is appended.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};

use super::blocks::{self, BLOCK};
use super::interned::{Interned, address};
use super::journal::Entries;
use crate::day::{as_integer, hour_of};
use crate::folded::Folded;
use crate::prepared::Kept;
use crate::queue::Batch;

/// An hour gets room for so many further observations at a time, so that few batches have to
/// write it again. That room reaches into the next hour does no harm.
const ROOM: i64 = 4_096;

/// What is known from earlier batches. It holds as long as every transaction was committed and
/// nobody else has written.
#[derive(Debug, Default)]
pub(super) struct Remembered {
    interned: Interned,
    /// The number of the next observation; none when it has to be looked up.
    pub(super) next: Option<i64>,
    /// The hour written last, and the last number it has room for.
    hour: Option<(i64, i64)>,
    /// Entries in the journal of the tally; none when that is not known.
    pub(super) journalled: Option<u64>,
}

impl Remembered {
    /// Nothing is certain any more.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    pub(super) fn write(&mut self, connection: &Connection, batch: &Batch) -> rusqlite::Result<()> {
        self.write_observations(connection, batch)?;
        self.write_counts(connection, batch.counts())
    }

    fn write_observations(&mut self, connection: &Connection, batch: &Batch) -> rusqlite::Result<()> {
        let first = match self.next {
            Some(next) => next,
            None => blocks::next_number(connection)?,
        };
        let sql = "INSERT INTO observation (id, at_ms, queue_id, short_id, client, outcome, trace, questions, ms) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
        let mut insert = connection.prepare_cached(sql)?;
        let mut hours = BTreeMap::new();
        let mut number = first;
        for kept in batch.records.iter().filter_map(|one| one.prepared.kept.as_ref()) {
            let outcome = self.interned.outcome(connection, kept)?;
            let trace = self.trace_of(connection, kept)?;
            insert.execute(params![
                number,
                as_integer(kept.at_ms),
                kept.queue_id,
                kept.short_id,
                kept.client.map(address),
                outcome,
                trace,
                kept.questions,
                kept.ms
            ])?;
            hours.entry(hour_of(kept.at_ms)).or_insert((number, number)).1 = number;
            number += 1;
        }
        debug_assert!(number - first <= BLOCK, "a batch is shorter than a block");
        self.next = Some(number);
        self.write_hours(connection, hours)
    }

    fn trace_of(&mut self, connection: &Connection, kept: &Kept) -> rusqlite::Result<Option<i64>> {
        let trace = kept.trace.as_ref();
        trace
            .map(|trace| self.interned.trace(connection, kept.day(), trace))
            .transpose()
    }

    fn write_hours(
        &mut self,
        connection: &Connection,
        hours: BTreeMap<i64, (i64, i64)>,
    ) -> rusqlite::Result<()> {
        let sql = "INSERT INTO hour (hour, first, last) VALUES (?1, ?2, ?3) ON CONFLICT (hour) DO UPDATE \
                   SET first = min(first, excluded.first), last = max(last, excluded.last)";
        let mut upsert = connection.prepare_cached(sql)?;
        for (hour, (first, last)) in hours {
            if self.hour.is_none_or(|(known, room)| known != hour || room < last) {
                upsert.execute((hour, first, last + ROOM))?;
                self.hour = Some((hour, last + ROOM));
            }
        }
        Ok(())
    }

    fn write_counts(&mut self, connection: &Connection, counts: Folded) -> rusqlite::Result<()> {
        let mut entries = Entries::default();
        for (counted, count) in counts.tallies.into_values() {
            let (row, policy_domain) = self.interned.row(connection, &counted)?;
            entries.add(counted.day, policy_domain, row, count);
        }
        entries.append(connection)?;
        self.journalled = self.journalled.map(|known| known + entries.count);
        let sql = "INSERT INTO rule_hit (name, hits, first_ms, last_ms) VALUES (?1, ?2, ?3, ?4) \
                   ON CONFLICT (name) DO UPDATE SET hits = hits + excluded.hits, \
                   first_ms = min(first_ms, excluded.first_ms), last_ms = max(last_ms, excluded.last_ms)";
        let mut upsert = connection.prepare_cached(sql)?;
        for (name, hits) in counts.rules {
            let (first, last) = (as_integer(hits.first_ms), as_integer(hits.last_ms));
            upsert.execute((&*name, as_integer(hits.count), first, last))?;
        }
        Ok(())
    }
}
