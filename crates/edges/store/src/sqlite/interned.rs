//! What repeats is stored once and named by a number. Here are the numbers of what was used last,
//! and the statements that find or make the others.

use rusqlite::{Connection, OptionalExtension, Params, params};

use super::trace_budget::TraceBudget;
use crate::columns::{Compressor, address, aligned, list, reversed};
use crate::digest::Digest;
use crate::model::{Day, as_integer, hour_of};
use crate::prepared::{CountedRow, KeptObservation, Trace, published_digest};
use crate::recent::Recent;

/// Numbers remembered of each kind: about 10 MB for all of them together, when all are there.
const REMEMBERED: usize = 40_000;

/// The numbers of what was used last.
#[derive(Debug)]
pub(super) struct Interned {
    outcomes: Numbers,
    traces: Numbers,
    texts: Numbers,
    published: Numbers,
    /// A row, its policy domain, and the day both are marked with.
    rows: Recent<Digest, (i64, i64, Day)>,
    compressor: Compressor,
}

impl Default for Interned {
    fn default() -> Self {
        Self {
            outcomes: Numbers::new(),
            traces: Numbers::new(),
            texts: Numbers::new(),
            published: Numbers::new(),
            rows: Recent::new(REMEMBERED),
            compressor: Compressor::new(),
        }
    }
}

impl Interned {
    pub(super) fn outcome(
        &mut self,
        connection: &Connection,
        kept: &KeptObservation,
    ) -> rusqlite::Result<i64> {
        let (digest, day) = (kept.outcome_digest, kept.day());
        if let Some(id) = self.outcomes.find(connection, &OUTCOME, digest, day)? {
            return Ok(id);
        }
        let outcome = &kept.outcome;
        let sql = "INSERT INTO outcome (digest, last_day, author_domain, spf, dkim, arc, dmarc, policy_domain, \
                   policy, disposition, action, enforced_action, overrides, rule, cause) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)";
        let author = outcome.author_domain.as_deref().map(reversed);
        let values = params![
            digest.0,
            day.0,
            author,
            outcome.spf,
            outcome.dkim,
            outcome.arc,
            outcome.dmarc,
            outcome.policy_domain,
            outcome.policy,
            outcome.disposition,
            outcome.action,
            outcome.enforced_action,
            list(&outcome.overrides),
            outcome.rule.as_deref(),
            outcome.cause
        ];
        self.outcomes.make(connection, sql, values, digest, day)
    }

    /// The number of a trace; none when it is new and this hour had its share of new ones.
    pub(super) fn trace(
        &mut self,
        connection: &Connection,
        at_ms: u64,
        trace: &Trace,
        budget: &mut TraceBudget,
    ) -> rusqlite::Result<Option<i64>> {
        let (day, hour) = (Day::at(at_ms), hour_of(at_ms));
        let known = self.traces.find(connection, &TRACE, trace.digest, day)?;
        if known.is_some() || trace.is_reference() || !budget.has_room(hour) {
            return Ok(known);
        }
        let sql = "INSERT INTO trace (digest, last_day, size, text) VALUES (?1, ?2, ?3, ?4)";
        let text = self.compressor.compressed(&trace.text).map_err(conversion)?;
        budget.add(hour, text.len() as u64);
        let size = as_integer(trace.text.len() as u64);
        let values = (trace.digest.0, day.0, size, text);
        self.traces
            .make(connection, sql, values, trace.digest, day)
            .map(Some)
    }

    /// Whether a reporting row is stored, of whatever day.
    pub(super) fn has_row(
        &mut self,
        connection: &Connection,
        counted: &CountedRow,
    ) -> rusqlite::Result<bool> {
        if self.rows.find(counted.digest).is_some() {
            return Ok(true);
        }
        let sql = "SELECT 1 FROM reporting_row WHERE digest = ?1";
        connection.prepare_cached(sql)?.exists([counted.digest.0])
    }

    /// The numbers of a reporting row and of its policy domain.
    pub(super) fn row(
        &mut self,
        connection: &Connection,
        counted: &CountedRow,
    ) -> rusqlite::Result<(i64, i64)> {
        if let Some((id, policy_domain, marked)) = self.rows.find(counted.digest)
            && marked >= counted.day
        {
            return Ok((id, policy_domain));
        }
        let sql = "SELECT id, policy_domain, last_day FROM reporting_row WHERE digest = ?1";
        let known: Option<(i64, i64, u32)> = connection
            .prepare_cached(sql)?
            .query_row([counted.digest.0], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .optional()?;
        let (id, policy_domain) = match known {
            Some((id, policy_domain, marked)) if marked >= counted.day.0 => (id, policy_domain),
            _ => self.marked_row(connection, counted)?,
        };
        let day = counted.day.max(Day(known.map_or(0, |(_, _, marked)| marked)));
        self.rows.remember(counted.digest, (id, policy_domain, day));
        Ok((id, policy_domain))
    }

    /// Makes the row, or marks it as used on this day. Whatever it refers to is marked before the
    /// row is: so that never expires before the row does.
    fn marked_row(&mut self, connection: &Connection, counted: &CountedRow) -> rusqlite::Result<(i64, i64)> {
        let (day, row) = (counted.day, &counted.row);
        let texts = &mut self.texts;
        let mut text = |value: &str| text(texts, connection, day, value);
        let policy_domain = text(&row.policy_domain)?;
        let optional = |text: &mut dyn FnMut(&str) -> rusqlite::Result<i64>, value: Option<&str>| {
            value.map(text).transpose()
        };
        let disposition = text(&row.disposition)?;
        let reasons = text(&list(&row.reasons))?;
        let header_from = text(&row.header_from)?;
        let envelope_from = optional(&mut text, row.envelope_from.as_deref())?;
        let envelope_to = optional(&mut text, row.envelope_to.as_deref())?;
        let dkim = text(&list(&row.dkim))?;
        let spf = text(&list(&row.spf))?;
        let published = self.published(connection, counted)?;
        let source_ip = address(row.source_ip);
        let sql = "INSERT INTO reporting_row (digest, last_day, policy_domain, published, source_ip, aligned, \
                   disposition, reasons, header_from, envelope_from, envelope_to, dkim, spf) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13) \
                   ON CONFLICT (digest) DO UPDATE SET last_day = excluded.last_day RETURNING id";
        let values = params![
            counted.digest.0,
            day.0,
            policy_domain,
            published,
            source_ip,
            aligned(row),
            disposition,
            reasons,
            header_from,
            envelope_from,
            envelope_to,
            dkim,
            spf
        ];
        let mut statement = connection.prepare_cached(sql)?;
        let id = statement.query_row(values, |row| row.get(0))?;
        Ok((id, policy_domain))
    }

    fn published(&mut self, connection: &Connection, counted: &CountedRow) -> rusqlite::Result<i64> {
        let (digest, day) = (published_digest(&counted.row), counted.day);
        if let Some(id) = self.published.find(connection, &PUBLISHED, digest, day)? {
            return Ok(id);
        }
        let published = &counted.row.published;
        let sql = "INSERT INTO published (digest, last_day, p, sp, np, adkim, aspf, fo, testing, \
                   discovery_method, rua, ruf, problems, psd) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)";
        let values = params![
            digest.0,
            day.0,
            published.p,
            published.sp,
            published.np,
            published.adkim,
            published.aspf,
            published.fo,
            published.testing,
            published.discovery_method,
            list(&published.rua),
            list(&published.ruf),
            list(&published.problems),
            published.psd
        ];
        self.published.make(connection, sql, values, digest, day)
    }
}

fn text(texts: &mut Numbers, connection: &Connection, day: Day, value: &str) -> rusqlite::Result<i64> {
    let digest = Digest::of(value.as_bytes());
    if let Some(id) = texts.find(connection, &TEXT, digest, day)? {
        return Ok(id);
    }
    let sql = "INSERT INTO text (digest, last_day, value) VALUES (?1, ?2, ?3)";
    texts.make(connection, sql, (digest.0, day.0, value), digest, day)
}

fn conversion(error: std::io::Error) -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure(Box::new(error))
}

/// How what is stored already is found and marked as used on a day. A mark is written when it
/// changes, once a day at most: an update changes pages of the table and of its index even where it
/// says what is there.
struct Table {
    find: &'static str,
    mark: &'static str,
}

macro_rules! table {
    ($name:literal) => {
        Table {
            find: concat!("SELECT id, last_day FROM ", $name, " WHERE digest = ?1"),
            mark: concat!("UPDATE ", $name, " SET last_day = ?2 WHERE id = ?1"),
        }
    };
}

const OUTCOME: Table = table!("outcome");
const TRACE: Table = table!("trace");
const TEXT: Table = table!("text");
const PUBLISHED: Table = table!("published");

/// The numbers used last, and the day that each is known to be marked with.
#[derive(Debug)]
struct Numbers(Recent<Digest, (i64, Day)>);

impl Numbers {
    fn new() -> Self {
        Self(Recent::new(REMEMBERED))
    }

    /// The number of what is stored, which is then marked with this day or a later one.
    fn find(
        &mut self,
        connection: &Connection,
        table: &Table,
        digest: Digest,
        day: Day,
    ) -> rusqlite::Result<Option<i64>> {
        if let Some((id, marked)) = self.0.find(digest)
            && marked >= day
        {
            return Ok(Some(id));
        }
        let mut statement = connection.prepare_cached(table.find)?;
        let known = statement.query_row([digest.0], |row| Ok((row.get(0)?, row.get(1)?)));
        let Some((id, marked)) = known.optional()? else {
            return Ok(None);
        };
        if marked < day.0 {
            connection.prepare_cached(table.mark)?.execute((id, day.0))?;
        }
        self.0.remember(digest, (id, day.max(Day(marked))));
        Ok(Some(id))
    }

    /// Stores it, marked with this day.
    fn make(
        &mut self,
        connection: &Connection,
        insert: &'static str,
        values: impl Params,
        digest: Digest,
        day: Day,
    ) -> rusqlite::Result<i64> {
        let id = connection.prepare_cached(insert)?.insert(values)?;
        self.0.remember(digest, (id, day));
        Ok(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_day_marks_it_again_and_an_earlier_one_does_not() {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch("CREATE TABLE text (id INTEGER PRIMARY KEY, digest UNIQUE, last_day, value)")
            .unwrap();
        let marked = || -> u32 {
            let sql = "SELECT last_day FROM text WHERE id = 1";
            connection.query_row(sql, [], |row| row.get(0)).unwrap()
        };
        let mut texts = Numbers::new();
        for (day, mark) in [(5, 5), (5, 5), (4, 5), (6, 6)] {
            assert_eq!(text(&mut texts, &connection, Day(day), "a"), Ok(1));
            assert_eq!(marked(), mark, "used on {day}");
            // As after a restart.
            assert_eq!(text(&mut Numbers::new(), &connection, Day(day), "a"), Ok(1));
            assert_eq!(marked(), mark, "found again on {day}");
        }
        assert_eq!(text(&mut texts, &connection, Day(6), "b"), Ok(2));
    }
}
