//! Observations by what happened to them, newest first.

use std::collections::HashSet;
use std::net::IpAddr;
use std::ops::RangeInclusive;

use landmarc_observation::Observation;
use rusqlite::{Connection, params};

use super::blocks::{block_of, number_at, places, unsealed_from};
use super::statements::Statements;
use crate::columns::{AFTER_OBSERVATION, OBSERVATION, address, read_observation};
use crate::log_conditions::LogConditions;
use crate::model::{LogFilter, as_integer, hour_of};
use crate::sql::{SqlQueries, values};

/// Up to so many outcomes are looked up one by one in each block; more are picked out of all
/// outcomes of the block.
const FEW_OUTCOMES: usize = 64;

/// The observations that the filter lets through, those recorded last first.
pub(super) fn read(connection: &Connection, filter: &LogFilter) -> rusqlite::Result<Vec<Observation>> {
    let Some((first, last)) = range(connection, filter)? else {
        return Ok(Vec::new());
    };
    let mut found = Candidates {
        connection,
        filter,
        rows: Vec::new(),
    };
    match outcomes(connection, filter)? {
        None => found.scan(first, last, None)?,
        Some(outcomes) if outcomes.is_empty() => {}
        Some(outcomes) => found.by_outcome(first, last, &outcomes)?,
    }
    Ok(found.rows)
}

/// The observation with this number, and the number of its trace.
pub(super) fn observation(
    connection: &Connection,
    number: i64,
) -> rusqlite::Result<Option<(Observation, Option<i64>)>> {
    let sql = format!(
        "SELECT {OBSERVATION}, c.policy_domain, o.trace \
         FROM observation AS o JOIN outcome AS c ON c.id = o.outcome WHERE o.id = ?1"
    );
    let found = Statements(connection).row(&sql, values![number], |row| {
        Ok((read_observation(row)?, row.get(AFTER_OBSERVATION)?))
    });
    Ok(found?)
}

/// The first and last number among which the observations of the time asked for are.
fn range(connection: &Connection, filter: &LogFilter) -> rusqlite::Result<Option<(i64, i64)>> {
    let since = filter.since_ms.map_or(0, hour_of);
    let until = filter.until_ms.map_or(i64::MAX, hour_of);
    let sql = "SELECT min(first), max(last) FROM hour WHERE hour BETWEEN ?1 AND ?2";
    let ends: (Option<i64>, Option<i64>) = connection
        .prepare_cached(sql)?
        .query_row((since, until), |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(ends.0.zip(ends.1))
}

/// The outcomes that the filter lets through; none when it lets all of them.
fn outcomes(connection: &Connection, filter: &LogFilter) -> rusqlite::Result<Option<Vec<i64>>> {
    let mut conditions = LogConditions::default();
    conditions.of_outcome(filter);
    if conditions.texts.is_empty() {
        return Ok(None);
    }
    let sql = format!("SELECT c.id FROM outcome AS c WHERE {}", conditions.text());
    let ids = Statements(connection).rows(&sql, &conditions.values, |row| row.get(0));
    Ok(Some(ids?))
}

struct Candidates<'a> {
    connection: &'a Connection,
    filter: &'a LogFilter,
    rows: Vec<Observation>,
}

impl Candidates<'_> {
    fn full(&self) -> bool {
        self.rows.len() >= self.filter.limit
    }

    /// Block by block from the newest; the unfinished one has no index and is read whole.
    fn by_outcome(&mut self, first: i64, last: i64, outcomes: &[i64]) -> rusqlite::Result<()> {
        let wanted: HashSet<i64> = outcomes.iter().copied().collect();
        let unsealed = unsealed_from(self.connection)?;
        self.scan(first.max(unsealed), last, Some(&wanted))?;
        let mut block = block_of(last.min(unsealed - 1));
        while block >= block_of(first) && !self.full() {
            let mut numbers = self.in_block(block, outcomes, &wanted)?;
            numbers.retain(|number| (first..=last).contains(number));
            numbers.sort_unstable_by(|a, b| b.cmp(a));
            for number in numbers {
                self.take(number)?;
            }
            block -= 1;
        }
        Ok(())
    }

    fn in_block(&self, block: i64, outcomes: &[i64], wanted: &HashSet<i64>) -> rusqlite::Result<Vec<i64>> {
        let mut numbers = Vec::new();
        let mut add = |blob: &[u8]| numbers.extend(places(blob).map(|place| number_at(block, place)));
        if outcomes.len() <= FEW_OUTCOMES {
            let sql = "SELECT places FROM posting WHERE block = ?1 AND outcome = ?2";
            let mut statement = self.connection.prepare_cached(sql)?;
            for outcome in outcomes {
                let mut rows = statement.query((block, outcome))?;
                if let Some(row) = rows.next()? {
                    add(row.get_ref(0)?.as_blob()?);
                }
            }
        } else {
            let sql = "SELECT outcome, places FROM posting WHERE block = ?1";
            let mut statement = self.connection.prepare_cached(sql)?;
            let mut rows = statement.query([block])?;
            while let Some(row) = rows.next()? {
                if wanted.contains(&row.get(0)?) {
                    add(row.get_ref(1)?.as_blob()?);
                }
            }
        }
        Ok(numbers)
    }

    /// Reads every observation between two numbers, from the last.
    fn scan(&mut self, first: i64, last: i64, wanted: Option<&HashSet<i64>>) -> rusqlite::Result<()> {
        let sql = "SELECT id, outcome FROM observation WHERE id BETWEEN ?1 AND ?2 \
                   AND (?3 IS NULL OR client BETWEEN ?3 AND ?4 AND length(client) = length(?3)) ORDER BY id DESC";
        let clients = self.filter.client.as_ref();
        let [from, to] = [RangeInclusive::start, RangeInclusive::end]
            .map(|end| clients.map(|clients| address(*end(clients))));
        let connection = self.connection;
        let mut statement = connection.prepare_cached(sql)?;
        let mut rows = statement.query(params![first, last, from, to])?;
        while !self.full()
            && let Some(row) = rows.next()?
        {
            let outcome = row.get(1)?;
            if wanted.is_none_or(|wanted| wanted.contains(&outcome)) {
                self.take(row.get(0)?)?;
            }
        }
        Ok(())
    }

    /// Adds the observation, when time and client are those asked for.
    fn take(&mut self, number: i64) -> rusqlite::Result<()> {
        if self.full() {
            return Ok(());
        }
        let Some((row, _)) = observation(self.connection, number)? else {
            return Ok(());
        };
        let filter = self.filter;
        let fits = filter.since_ms.is_none_or(|since| row.at_ms >= since)
            && filter.until_ms.is_none_or(|until| row.at_ms < until)
            && filter
                .client
                .as_ref()
                .is_none_or(|clients| row.client.is_some_and(|client| within(clients, client)));
        debug_assert!(as_integer(row.at_ms) >= 0);
        if fits {
            self.rows.push(row);
        }
        Ok(())
    }
}

/// Whether the range holds this address. Any IPv4 address is less than any IPv6 address, so that
/// a range of one family holds none of the other.
fn within(clients: &RangeInclusive<IpAddr>, client: IpAddr) -> bool {
    (clients.start().to_canonical()..=clients.end().to_canonical()).contains(&client)
}
