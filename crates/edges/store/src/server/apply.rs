//! Entries of hosts, each written once (decision D15).
//!
//! Each transaction locks the row of its host, leaves out what is known by its numbers, writes the rest and notes the
//! numbers with it: so entries may come in any order, several times, and by several ways at once. Hosts do
//! not wait for each other but where they count the same row, and there in one order, so that they never wait
//! in a circle.

use std::collections::BTreeSet;

use super::engine::ServerEngine;
use super::fold::{Learnt, Work};
use super::hosts::{self, HostRow};
use super::known::KnownRows;
use super::session::ServerSession;
use super::{DatabaseServer, late, lock};
use crate::error::StoreError;
use crate::hosts::progress;
use crate::model::{Applied, Day, Heartbeat, HostId, HostProgress};
use crate::spool::{Closed, Segment};
use crate::sql::{SqlError, SqlQueries, values};

/// Messages of one transaction, about: half a second of work for the server.
const MESSAGES: usize = 20_000;
/// Octets of the texts of one transaction, about.
const OCTETS: usize = 8 << 20;

/// Tables with a partition for each day.
pub(super) const TALLY: &str = "tally";
const OBSERVATION: &str = "observation";

/// Writes entries to a server, and remembers what is stored there already.
#[derive(Debug)]
pub(crate) struct Applier {
    server: DatabaseServer,
    known: KnownRows,
}

impl Applier {
    /// Asks nothing yet.
    pub(crate) fn new(server: DatabaseServer) -> Self {
        let known = KnownRows::new();
        Self { server, known }
    }

    /// Writes those entries of a segment that are not there yet.
    pub(crate) fn apply(&mut self, segment: &Segment) -> Result<Applied, StoreError> {
        let mut applied = Applied::default();
        let mut group = Group::default();
        for entry in segment.closed() {
            let entry = entry.map_err(|source| StoreError::Segment { source })?;
            if group.is_full() {
                self.apply_group(segment, &group, &mut applied)?;
                group = Group::default();
            }
            group.push(entry);
        }
        self.apply_group(segment, &group, &mut applied)?;
        Ok(applied)
    }

    /// The highest number of a host that is in; 0 when it is not known.
    pub(crate) fn highest(&self, host: HostId) -> Result<u64, StoreError> {
        self.server.read("read the numbers of a host", |session| {
            Ok(progress(session, host)?.highest)
        })
    }

    /// Notes what a host says of itself; the numbers of it that are there.
    pub(crate) fn beat(&mut self, beat: &Heartbeat) -> Result<HostProgress, StoreError> {
        self.server
            .transact("note how a host is", |session| hosts::beat(session, beat))
    }

    fn apply_group(
        &mut self,
        segment: &Segment,
        group: &Group,
        applied: &mut Applied,
    ) -> Result<(), StoreError> {
        if group.entries.is_empty() {
            return Ok(());
        }
        self.make_days(group)?;
        let known = &mut self.known;
        let mut attempts = 0;
        let done = self.server.transact("write entries of a host", |session| {
            // What went wrong may be that the server is not the one it was.
            if attempts > 0 {
                known.forget();
            }
            attempts += 1;
            write(session, segment.host(), segment.name(), &group.entries, known)
        });
        let (more, learnt) = done.inspect_err(|_| self.known.forget())?;
        learnt.remember_in(&mut self.known);
        applied.add(more);
        Ok(())
    }

    /// Sees to it that there are partitions for the days of these entries. It is done before, each in a
    /// transaction of its own: making one waits for those who write beside it.
    fn make_days(&mut self, group: &Group) -> Result<(), StoreError> {
        for (parent, days) in [(TALLY, &group.counted), (OBSERVATION, &group.kept)] {
            for day in days {
                make_day(&self.server, &mut self.known, parent, *day)?;
            }
        }
        Ok(())
    }
}

/// Makes the partition of a day, where there shall be one and is none.
pub(super) fn make_day(
    server: &DatabaseServer,
    known: &mut KnownRows,
    parent: &'static str,
    day: Day,
) -> Result<(), StoreError> {
    if server.engine() == ServerEngine::PostgreSql && !known.has_day(parent, day) {
        server.transact("make room for a day", |session| {
            session.exists(
                "SELECT landmarc_add_day(?1, CAST(?2 AS INTEGER))",
                values![parent, day.0],
            )
        })?;
        known.learn_day(parent, day);
    }
    Ok(())
}

/// Entries of one transaction.
#[derive(Debug, Default)]
struct Group {
    entries: Vec<Closed>,
    counted: BTreeSet<Day>,
    kept: BTreeSet<Day>,
    messages: usize,
    octets: usize,
}

impl Group {
    fn is_full(&self) -> bool {
        self.messages >= MESSAGES || self.octets >= OCTETS
    }

    fn push(&mut self, entry: Closed) {
        let counted = entry.counts.tallies.keys().map(|(day, _)| *day);
        self.counted.extend(counted);
        self.kept
            .extend(entry.kept.iter().map(crate::prepared::KeptObservation::day));
        self.messages += entry.kept.len().max(entry.counts.len());
        let traces = entry.kept.iter().filter_map(|kept| kept.trace.as_ref());
        self.octets += entry.counts.bytes() + traces.map(|trace| trace.text.len()).sum::<usize>();
        self.entries.push(entry);
    }
}

/// Writes those entries that are not there yet, in one transaction.
fn write(
    session: &ServerSession,
    id: HostId,
    name: &str,
    entries: &[Closed],
    known: &mut KnownRows,
) -> Result<(Applied, Learnt), SqlError> {
    known.check(lock::beside_others(session)?);
    let mut host = HostRow::locked(session, id, name)?;
    let mut applied = Applied::default();
    let mut work = Work::new(session.engine());
    for entry in entries {
        if host.known.numbers.has_any(entry.first, entry.last) {
            applied.known_batches += 1;
            continue;
        }
        host.known.numbers.note(entry.first, entry.last);
        applied.new_batches += 1;
        applied.messages = applied.messages.saturating_add(entry.messages);
        work.add(entry, known);
    }
    if applied.new_batches > 0 {
        applied.of_reported_days = late::of_reported_days(session, &work.messages())?;
        // What is this host's alone goes first: it is the most, and over a slow network nobody waits for it.
        work.write_kept(session, host.ordinal, host.observations)?;
        work.write_rows(session)?;
        work.write_counts(session)?;
        host.observations += i64::try_from(work.observations()).unwrap_or(i64::MAX);
        host.write(session, name)?;
    }
    Ok((applied, work.learnt()))
}
