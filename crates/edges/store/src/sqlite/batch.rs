//! One batch, inside its transaction: everything that changes with each message is appended.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};

use super::blocks::{self, BLOCK};
use super::expire;
use super::interned::Interned;
use super::journal::Entries;
use super::trace_budget::TraceBudget;
use crate::columns::address;
use crate::distinct::Folding;
use crate::folded::FoldedCounts;
use crate::model::{RecordLosses, as_integer, hour_of};
use crate::prepared::KeptObservation;
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
    trace_budget: TraceBudget,
    /// Steps of expiry so far; what they removed is not remembered.
    expiries: u64,
}

impl Remembered {
    /// Asked when another connection has written. The outbox does so for each delivery, and costs nothing that is
    /// known; another recorder gives numbers out, and `store expire` may have removed what we remember.
    pub(super) fn check(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let expiries = expire::steps(connection)?;
        let next = blocks::next_number(connection)?;
        if expiries != self.expiries || self.next.is_some_and(|known| known != next) {
            self.forget();
        }
        self.expiries = expiries;
        Ok(())
    }

    /// Nothing is certain any more, but for what this hour has had.
    pub(super) fn forget(&mut self) {
        *self = Self {
            trace_budget: self.trace_budget,
            expiries: self.expiries,
            ..Self::default()
        };
    }

    /// Writes all of it but new traces for which this hour has no room; how many those were.
    pub(super) fn write(&mut self, connection: &Connection, batch: &Batch) -> rusqlite::Result<RecordLosses> {
        self.write_with(connection, batch, batch.counts())
    }

    /// What the batch counts, within the limits on distinct rows, and how many messages count in a folded row.
    pub(super) fn fold(
        &mut self,
        connection: &Connection,
        counts: FoldedCounts,
        folding: &Folding,
    ) -> rusqlite::Result<(FoldedCounts, u64)> {
        folding.fold(counts, |counted| self.interned.has_row(connection, counted))
    }

    /// The same, for those who know already what the batch counts.
    pub(super) fn write_with(
        &mut self,
        connection: &Connection,
        batch: &Batch,
        counts: FoldedCounts,
    ) -> rusqlite::Result<RecordLosses> {
        let traces = self.write_observations(connection, batch)?;
        self.write_counts(connection, counts)?;
        Ok(RecordLosses {
            traces,
            ..RecordLosses::default()
        })
    }

    fn write_observations(&mut self, connection: &Connection, batch: &Batch) -> rusqlite::Result<u64> {
        let first = match self.next {
            Some(next) => next,
            None => blocks::next_number(connection)?,
        };
        let sql = "INSERT INTO observation (id, at_ms, queue_id, short_id, client, outcome, trace, questions, ms) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
        let mut insert = connection.prepare_cached(sql)?;
        let mut hours = BTreeMap::new();
        let mut number = first;
        let mut without_trace = 0;
        for kept in batch.records.iter().filter_map(|one| one.prepared.kept.as_ref()) {
            let outcome = self.interned.outcome(connection, kept)?;
            let trace = self.trace_of(connection, kept)?;
            without_trace += u64::from(trace.is_none() && kept.trace.is_some());
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
        self.write_hours(connection, hours)?;
        Ok(without_trace)
    }

    fn trace_of(&mut self, connection: &Connection, kept: &KeptObservation) -> rusqlite::Result<Option<i64>> {
        let Some(trace) = &kept.trace else {
            return Ok(None);
        };
        self.interned
            .trace(connection, kept.at_ms, trace, &mut self.trace_budget)
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

    fn write_counts(&mut self, connection: &Connection, counts: FoldedCounts) -> rusqlite::Result<()> {
        let mut entries = Entries::default();
        for (counted, count) in counts.tallies.into_values() {
            let (row, policy_domain) = self.interned.row(connection, &counted)?;
            entries.add(counted.day, policy_domain, row, count);
        }
        entries.append(connection)?;
        self.journalled = self.journalled.map(|known| known + entries.count);
        let sql = "INSERT INTO rule_hit (name, hits, first_ms, last_ms) VALUES (?1, ?2, ?3, ?4) \
                   ON CONFLICT (name) DO UPDATE \
                   SET hits = hits + min(excluded.hits, 9223372036854775807 - hits), \
                   first_ms = min(first_ms, excluded.first_ms), last_ms = max(last_ms, excluded.last_ms)";
        let mut upsert = connection.prepare_cached(sql)?;
        for (name, hits) in counts.rules {
            let (first, last) = (as_integer(hits.first_ms), as_integer(hits.last_ms));
            upsert.execute((&*name, as_integer(hits.count), first, last))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::Reader;
    use crate::prepared::tests::{observation, prepared};
    use crate::queue::Waiting;
    use crate::sqlite::Sqlite;
    use crate::sqlite::trace_budget::MAX_NEW_TRACES;
    use landmarc_observation::Observation;

    fn batch(observations: impl IntoIterator<Item = Observation>) -> Batch {
        let mut batch = Batch::default();
        batch.records = observations
            .into_iter()
            .map(|one| Waiting {
                prepared: prepared(one),
                waiter: None,
            })
            .collect();
        batch
    }

    #[test]
    fn past_the_share_of_an_hour_only_traces_that_are_there_are_recorded() {
        let directory = std::env::temp_dir().join(format!("landmarc-store-traces-{}", std::process::id()));
        let path = directory.join("landmarc.db");
        drop(Sqlite::open(&path, Duration::ZERO).unwrap());
        let connection = Connection::open(&path).unwrap();
        let mut remembered = Remembered::default();
        let write = |remembered: &mut Remembered, one: Observation| {
            remembered.write(&connection, &batch([one])).unwrap().traces
        };
        let told = |number: u64, trace: &str| Observation {
            trace: trace.into(),
            ..observation(number)
        };
        assert_eq!(write(&mut remembered, told(1, "first")), 0);
        remembered
            .trace_budget
            .add(hour_of(observation(1).at_ms), MAX_NEW_TRACES);
        // An expiry in between does not give the hour another share.
        remembered.forget();
        assert_eq!(write(&mut remembered, told(2, "first")), 0);
        assert_eq!(write(&mut remembered, told(3, "second")), 1);
        assert_eq!(write(&mut remembered, told(4, "")), 0, "it has none to lose");
        let next_hour = Observation {
            at_ms: observation(5).at_ms + 3_600_000,
            ..told(5, "second")
        };
        assert_eq!(write(&mut remembered, next_hour), 0);

        let reader = Reader::open(&path).unwrap();
        let trace = |number: u64| reader.explain(&format!("id-{number}")).unwrap().remove(0).trace;
        let traces = [1, 2, 3, 4, 5].map(trace);
        assert_eq!(
            traces.each_ref().map(|trace| &**trace),
            ["first", "first", "", "", "second"]
        );
        std::fs::remove_dir_all(directory).unwrap();
    }
}
