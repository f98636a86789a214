//! What repeats is stored once and named by a number. Here are the numbers of what was used last,
//! and the statements that find or make the others.

use rusqlite::{Connection, OptionalExtension, params, params_from_iter};

use super::trace_budget::TraceBudget;
use crate::columns::{self, Compressor, address, aligned, list, outcome_values, published_values};
use crate::digest::Digest;
use crate::model::{Day, as_integer, hour_of};
use crate::prepared::{CountedRow, KeptObservation, Trace, published_digest};
use crate::recent::Recent;
use crate::sql::{SqlValue, insert_into, row};

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
            outcomes: Numbers::of("outcome"),
            traces: Numbers::of("trace"),
            texts: Numbers::of("text"),
            published: Numbers::of("published"),
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
        if let Some(id) = self.outcomes.find(connection, digest, day)? {
            return Ok(id);
        }
        let mut values = outcome_values(&kept.outcome);
        values.push(kept.outcome.policy_domain.as_deref().into());
        let columns = format!("{}, policy_domain", columns::OUTCOME);
        self.outcomes.make(connection, &columns, values, digest, day)
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
        let known = self.traces.find(connection, trace.digest, day)?;
        if known.is_some() || trace.is_reference() || !budget.has_room(hour) {
            return Ok(known);
        }
        let text = self.compressor.compressed(&trace.text).map_err(conversion)?;
        budget.add(hour, text.len() as u64);
        let values = row![as_integer(trace.text.len() as u64), text];
        let made = self
            .traces
            .make(connection, "size, text", values, trace.digest, day);
        made.map(Some)
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
        if let Some(id) = self.published.find(connection, digest, day)? {
            return Ok(id);
        }
        let values = published_values(&counted.row.published);
        self.published
            .make(connection, columns::PUBLISHED, values, digest, day)
    }
}

fn text(texts: &mut Numbers, connection: &Connection, day: Day, value: &str) -> rusqlite::Result<i64> {
    let digest = Digest::of(value.as_bytes());
    if let Some(id) = texts.find(connection, digest, day)? {
        return Ok(id);
    }
    texts.make(connection, "value", row![value], digest, day)
}

fn conversion(error: std::io::Error) -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure(Box::new(error))
}

/// The numbers of a table that were used last, and the day that each is known to be marked with. A mark is written when
/// it changes, once a day at most: an update changes pages of the table and of its index even where it says what is
/// there.
#[derive(Debug)]
struct Numbers {
    table: &'static str,
    recent: Recent<Digest, (i64, Day)>,
}

impl Numbers {
    fn of(table: &'static str) -> Self {
        let recent = Recent::new(REMEMBERED);
        Self { table, recent }
    }

    /// The number of what is stored, which is then marked with this day or a later one.
    fn find(&mut self, connection: &Connection, digest: Digest, day: Day) -> rusqlite::Result<Option<i64>> {
        if let Some((id, marked)) = self.recent.find(digest)
            && marked >= day
        {
            return Ok(Some(id));
        }
        let find = format!("SELECT id, last_day FROM {} WHERE digest = ?1", self.table);
        let mut statement = connection.prepare_cached(&find)?;
        let known = statement.query_row([digest.0], |row| Ok((row.get(0)?, row.get(1)?)));
        let Some((id, marked)) = known.optional()? else {
            return Ok(None);
        };
        if marked < day.0 {
            let mark = format!("UPDATE {} SET last_day = ?2 WHERE id = ?1", self.table);
            connection.prepare_cached(&mark)?.execute((id, day.0))?;
        }
        self.recent.remember(digest, (id, day.max(Day(marked))));
        Ok(Some(id))
    }

    /// Stores it, marked with this day. These are its further columns.
    fn make(
        &mut self,
        connection: &Connection,
        columns: &str,
        values: Vec<SqlValue<'_>>,
        digest: Digest,
        day: Day,
    ) -> rusqlite::Result<i64> {
        let mut row = row![&digest.0[..], day.0];
        row.extend(values);
        let insert = insert_into(self.table, &format!("digest, last_day, {columns}"), row.len());
        let mut statement = connection.prepare_cached(&insert)?;
        let id = statement.insert(params_from_iter(row))?;
        self.recent.remember(digest, (id, day));
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
        let mut texts = Numbers::of("text");
        for (day, mark) in [(5, 5), (5, 5), (4, 5), (6, 6)] {
            assert_eq!(text(&mut texts, &connection, Day(day), "a"), Ok(1));
            assert_eq!(marked(), mark, "used on {day}");
            // As after a restart.
            assert_eq!(text(&mut Numbers::of("text"), &connection, Day(day), "a"), Ok(1));
            assert_eq!(marked(), mark, "found again on {day}");
        }
        assert_eq!(text(&mut texts, &connection, Day(6), "b"), Ok(2));
    }
}
