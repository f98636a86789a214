//! What some entries write, folded together: each row of a table once, in the order of its key.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use landmarc_observation::{PublishedPolicy, TallyRow};

use super::engine::ServerEngine;
use super::known::{Kind, KnownRows};
use super::session::ServerSession;
use super::tables::{DAYS, IMPORTED, OBSERVATIONS, OUTCOMES, PUBLISHED, ROWS, RULES, TALLY, TRACES};
use super::upsert::Table;
use crate::columns::{Compressor, address, aligned, list, outcome_values, published_values};
use crate::digest::Digest;
use crate::folded::Hits;
use crate::model::{Day, as_integer};
use crate::prepared::{CountedRow, KeptObservation, PreparedOutcome, published_digest};
use crate::spool::Closed;
use crate::sql::{Sql as _, SqlError, integer, row, values};

/// Parts of a millisecond in `published.first`.
const SHIFT: i64 = 1_024;
/// What is known of days in `tally_day`.
const COUNTED: &str = "tally_day";
/// So many observations of one host have places of their own; the ordinal of the host stands above them.
const PLACES: i64 = 1 << 40;

/// A policy domain, or what stands in its place, and the digest of what is about it.
type Key<'a> = (Cow<'a, str>, [u8; 16]);

/// What is to be written.
pub(super) struct Work<'a> {
    engine: ServerEngine,
    published: BTreeMap<Key<'a>, Published<'a>>,
    rows: BTreeMap<Key<'a>, (Day, &'a TallyRow, Digest)>,
    tally: BTreeMap<(Cow<'a, str>, Day, [u8; 16]), u64>,
    outcomes: BTreeMap<Key<'a>, (Day, &'a PreparedOutcome)>,
    /// None: the text was told before.
    traces: BTreeMap<Key<'a>, (Day, Option<&'a str>)>,
    observations: Vec<(Cow<'a, str>, &'a KeptObservation)>,
    rules: BTreeMap<Cow<'a, str>, Hits>,
    /// Days of the tally that may be new.
    new_days: BTreeSet<Day>,
    /// What is stored when all of this is.
    learnt: Vec<(Kind, Digest, Day)>,
}

/// What is stored when it is written.
pub(super) struct Learnt {
    digests: Vec<(Kind, Digest, Day)>,
    days: BTreeSet<Day>,
}

impl Learnt {
    /// Notes it, now that it is.
    pub(super) fn remember_in(&self, known: &mut KnownRows) {
        known.learn(&self.digests);
        self.days.iter().for_each(|day| known.learn_day(COUNTED, *day));
    }
}

struct Published<'a> {
    first: i64,
    last_day: Day,
    policy: &'a PublishedPolicy,
}

impl<'a> Work<'a> {
    pub(super) fn new(engine: ServerEngine) -> Self {
        Self {
            engine,
            published: BTreeMap::new(),
            rows: BTreeMap::new(),
            tally: BTreeMap::new(),
            outcomes: BTreeMap::new(),
            traces: BTreeMap::new(),
            observations: Vec::new(),
            rules: BTreeMap::new(),
            new_days: BTreeSet::new(),
            learnt: Vec::new(),
        }
    }

    /// Adds what an entry holds, but for what is stored already.
    pub(super) fn add(&mut self, entry: &'a Closed, known: &mut KnownRows) {
        let first = seen_first(entry.closed_ms, entry.first);
        for (counted, count) in entry.counts.tallies.values() {
            self.add_counted(counted, *count, first, known);
        }
        for (name, hits) in &entry.counts.rules {
            let name = self.word(name);
            let known = self.rules.entry(name);
            known
                .and_modify(|known| *known = known.and(*hits))
                .or_insert(*hits);
        }
        for kept in &entry.kept {
            self.add_kept(kept, known);
        }
    }

    /// Adds messages of a row. `first` is when its policy configuration was seen, as it is now.
    pub(super) fn add_counted(
        &mut self,
        counted: &'a CountedRow,
        count: u64,
        first: i64,
        known: &mut KnownRows,
    ) {
        if !known.has(Kind::Row, counted.digest, counted.day) {
            self.add_row(counted, first);
        }
        if !known.has_day(COUNTED, counted.day) {
            self.new_days.insert(counted.day);
        }
        let domain = self.word(&counted.row.policy_domain);
        let sum = self
            .tally
            .entry((domain, counted.day, counted.digest.0))
            .or_default();
        *sum = sum.saturating_add(count);
    }

    /// What is stored when all of this is.
    pub(super) fn learnt(self) -> Learnt {
        Learnt {
            digests: self.learnt,
            days: self.new_days,
        }
    }

    /// Adds a reporting row and its policy configuration, marked with its day.
    fn add_row(&mut self, counted: &'a CountedRow, first: i64) {
        let (day, row) = (counted.day, &*counted.row);
        let domain = self.word(&row.policy_domain);
        let published = published_digest(row);
        let known = self.published.entry((domain.clone(), published.0));
        let known = known.or_insert_with(|| Published {
            first,
            last_day: day,
            policy: &row.published,
        });
        known.first = known.first.min(first);
        known.last_day = known.last_day.max(day);
        let known = self.rows.entry((domain, counted.digest.0));
        let known = known.or_insert((day, row, published));
        known.0 = known.0.max(day);
        self.learnt.push((Kind::Row, counted.digest, day));
    }

    fn add_kept(&mut self, kept: &'a KeptObservation, known: &mut KnownRows) {
        let (key, day) = (self.word(place_of(&kept.outcome)), kept.day());
        if !known.has(Kind::Outcome, kept.outcome_digest, day) {
            let one = self.outcomes.entry((key.clone(), kept.outcome_digest.0));
            let one = one.or_insert((day, &kept.outcome));
            one.0 = one.0.max(day);
            self.learnt.push((Kind::Outcome, kept.outcome_digest, day));
        }
        if let Some(trace) = &kept.trace {
            let digest = trace_digest(&key, trace.digest);
            if !known.has(Kind::Trace, digest, day) {
                let one = self.traces.entry((key.clone(), trace.digest.0));
                let one = one.or_insert((day, None));
                one.0 = one.0.max(day);
                if !trace.is_reference() {
                    one.1 = Some(&trace.text);
                    self.learnt.push((Kind::Trace, digest, day));
                }
            }
        }
        self.observations.push((key, kept));
    }

    /// Messages by day and policy domain.
    pub(super) fn messages(&self) -> BTreeMap<(Day, &str), u64> {
        let mut messages = BTreeMap::new();
        for ((domain, day, _), count) in &self.tally {
            let sum: &mut u64 = messages.entry((*day, &**domain)).or_default();
            *sum = sum.saturating_add(*count);
        }
        messages
    }

    pub(super) fn observations(&self) -> usize {
        self.observations.len()
    }

    /// Writes what counts refer to.
    pub(super) fn write_rows(&self, session: &ServerSession) -> Result<(), SqlError> {
        let published = self.published.iter().map(|((domain, digest), published)| {
            let mut row = row![&**domain, &digest[..], published.first, published.last_day.0];
            row.extend(published_values(published.policy));
            row
        });
        PUBLISHED.add(session, published)?;
        self.write_reporting_rows(session)?;
        DAYS.add(session, self.new_days.iter().map(|day| row![day.0]))
    }

    /// Writes the counts. They come last: others who count the same rows wait until this transaction has ended.
    pub(super) fn write_counts(&self, session: &ServerSession) -> Result<(), SqlError> {
        self.write_tally(session, &TALLY)?;
        let rules = self.rules.iter().map(|(name, hits)| {
            let (first, last) = (as_integer(hits.first_ms), as_integer(hits.last_ms));
            row![&**name, integer(hits.count), first, last]
        });
        RULES.add(session, rules)
    }

    /// Writes counts that come by way of imports: their sums have a limit of their own.
    pub(super) fn write_imported(&self, session: &ServerSession) -> Result<(), SqlError> {
        self.write_tally(session, &IMPORTED)
    }

    fn write_tally(&self, session: &ServerSession, table: &Table) -> Result<(), SqlError> {
        let tally = self.tally.iter();
        let tally =
            tally.map(|((domain, day, digest), count)| row![&**domain, day.0, &digest[..], integer(*count)]);
        table.add(session, tally)
    }

    fn write_reporting_rows(&self, session: &ServerSession) -> Result<(), SqlError> {
        let rows = self.rows.iter().map(|((domain, digest), (day, row, published))| {
            row![
                &**domain,
                &digest[..],
                day.0,
                &published.0[..],
                address(row.source_ip),
                aligned(row),
                &row.disposition,
                list(&row.reasons),
                &row.header_from,
                row.envelope_from.as_deref(),
                row.envelope_to.as_deref(),
                list(&row.dkim),
                list(&row.spf),
            ]
        });
        ROWS.add(session, rows)
    }

    /// Writes what is kept of the messages. `ordinal` is the host's, and so many of its observations came before.
    pub(super) fn write_kept(
        &self,
        session: &ServerSession,
        ordinal: i64,
        before: i64,
    ) -> Result<(), SqlError> {
        self.write_observations(session, ordinal, before)?;
        self.write_traces(session)?;
        let outcomes = self.outcomes.iter().map(|((key, digest), (day, outcome))| {
            let mut row = row![&**key, &digest[..], day.0, outcome.policy_domain.is_some()];
            row.extend(outcome_values(outcome));
            row
        });
        OUTCOMES.add(session, outcomes)
    }

    /// No other host writes these rows: they come first.
    fn write_observations(&self, session: &ServerSession, ordinal: i64, before: i64) -> Result<(), SqlError> {
        let origins = (before..).map(|count| ordinal * PLACES + count % PLACES);
        let mut all: Vec<_> = self.observations.iter().zip(origins).collect();
        all.sort_by(|((a, one), at), ((b, other), to)| (a, one.at_ms, at).cmp(&(b, other.at_ms, to)));
        let rows = all.into_iter().map(|((key, kept), origin)| {
            row![
                &**key,
                as_integer(kept.at_ms),
                origin,
                &kept.queue_id,
                &kept.short_id,
                kept.client.map(address),
                &kept.outcome_digest.0[..],
                kept.trace.as_ref().map(|trace| &trace.digest.0[..]),
                kept.questions,
                kept.ms,
            ]
        });
        OBSERVATIONS.add(session, rows)
    }

    /// A text that was told before is marked, where it is still there.
    fn write_traces(&self, session: &ServerSession) -> Result<(), SqlError> {
        let mut compressor = Compressor::new();
        let mut rows = Vec::new();
        for ((key, digest), (day, text)) in &self.traces {
            if let Some(text) = text {
                let packed = compressor
                    .compressed(text)
                    .map_err(|error| SqlError::Other(error.into()))?;
                let size = integer(text.len() as u64);
                rows.push(row![&**key, &digest[..], day.0, size, packed]);
            } else {
                let sql = "UPDATE trace SET last_day = ?3 WHERE policy_domain = ?1 AND digest = ?2 AND last_day < ?3";
                session.execute(sql, values![&**key, &digest[..], day.0])?;
            }
        }
        TRACES.add(session, rows.into_iter())
    }

    /// A word as it will be in a key: PostgreSQL has no NUL, and what would be one there has to be one here.
    fn word(&self, word: &'a str) -> Cow<'a, str> {
        match self.engine {
            ServerEngine::PostgreSql if word.contains('\0') => word.replace('\0', "\u{fffd}").into(),
            _ => word.into(),
        }
    }
}

/// When something was seen: entries of one host within one millisecond keep their order.
pub(super) fn seen_first(at_ms: u64, number: u64) -> i64 {
    let number = i64::try_from(number % SHIFT.unsigned_abs()).unwrap_or(0);
    as_integer(at_ms) * SHIFT + number
}

/// What stands first in the keys of what is kept of a message: the DMARC Policy Domain, or else the Author Domain.
fn place_of(outcome: &PreparedOutcome) -> &str {
    let domain = outcome.policy_domain.as_deref();
    domain.or(outcome.author_domain.as_deref()).unwrap_or_default()
}

/// A trace is stored once for each of those.
fn trace_digest(key: &str, digest: Digest) -> Digest {
    Digest::of(&[key.as_bytes(), &digest.0].concat())
}
