//! The tally as rows of the database, and back.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use landmarc_observation::{PublishedPolicy, TallyRow};
use rusqlite::{Connection, OptionalExtension, Row};

use super::error::damaged;
use super::journal::{self, Counts};
use super::statements::Statements;
use crate::columns::{PUBLISHED, read_address, read_aligned, read_list, read_published};
use crate::model::Day;
use crate::sql::{SqlError, SqlQueries, values};

/// The rows of one day for one policy domain.
pub(super) fn read(
    connection: &Connection,
    has_reports: bool,
    day: Day,
    policy_domain: &str,
) -> rusqlite::Result<Vec<(TallyRow, u64)>> {
    let sql = "SELECT id FROM text WHERE digest = ?1";
    let digest = crate::digest::Digest::of(policy_domain.as_bytes());
    let mut statement = connection.prepare_cached(sql)?;
    let Some(domain) = statement.query_row([digest.0], |row| row.get(0)).optional()? else {
        return Ok(Vec::new());
    };
    let mut texts = Texts::new(connection, has_reports);
    let journal = journal::counted(connection, day)?;
    let counts = counts(connection, day, domain, &journal)?.into_iter();
    counts
        .map(|(row, count)| {
            let (_, row) = texts.row(row, policy_domain)?;
            Ok((row, count))
        })
        .collect()
}

/// Messages by reporting row.
pub(super) type RowCounts = BTreeMap<i64, u64>;

/// Those in the tally, and those that are still in its journal.
pub(super) fn counts(
    connection: &Connection,
    day: Day,
    domain: i64,
    journal: &Counts,
) -> rusqlite::Result<RowCounts> {
    let sql = "SELECT reporting_row, count FROM tally WHERE day = ?1 AND policy_domain = ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map((day.0, domain), |row| Ok((row.get(0)?, row.get(1)?)))?;
    let mut counts: RowCounts = rows.collect::<rusqlite::Result<_>>()?;
    for ((_, row), count) in journal.range((domain, i64::MIN)..=(domain, i64::MAX)) {
        let sum = counts.entry(*row).or_default();
        *sum = sum.saturating_add(*count);
    }
    Ok(counts)
}

/// The policy domains of one day, in alphabetical order.
pub(super) fn policy_domains(connection: &Connection, day: Day) -> rusqlite::Result<Vec<String>> {
    let named = names(connection, domains(connection, day)?)?;
    Ok(named.into_iter().map(|(name, _)| name).collect())
}

/// The numbers of the policy domains of one day.
pub(super) fn domains(connection: &Connection, day: Day) -> rusqlite::Result<BTreeSet<i64>> {
    // Each step jumps to the next domain: the cost goes with the domains, not with the rows.
    let sql = "WITH RECURSIVE domain (id) AS ( \
                 SELECT min(policy_domain) FROM tally WHERE day = ?1 \
                 UNION ALL \
                 SELECT (SELECT min(policy_domain) FROM tally WHERE day = ?1 AND policy_domain > domain.id) \
                 FROM domain WHERE domain.id IS NOT NULL) \
               SELECT id FROM domain WHERE id IS NOT NULL";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([day.0], |row| row.get(0))?;
    let mut ids: BTreeSet<i64> = rows.collect::<rusqlite::Result<_>>()?;
    ids.extend(
        journal::counted(connection, day)?
            .into_keys()
            .map(|(domain, _)| domain),
    );
    Ok(ids)
}

/// Domains with their names, in alphabetical order.
pub(super) fn names(
    connection: &Connection,
    ids: impl IntoIterator<Item = i64>,
) -> rusqlite::Result<Vec<(String, i64)>> {
    let mut statement = connection.prepare_cached("SELECT value FROM text WHERE id = ?1")?;
    let names = ids
        .into_iter()
        .map(|id| Ok((statement.query_row([id], |row| row.get(0))?, id)));
    let mut names = names.collect::<rusqlite::Result<Vec<_>>>()?;
    names.sort_unstable();
    Ok(names)
}

/// Texts remembered while rows are read: past it those read so far are forgotten.
const REMEMBERED: usize = 20_000;

/// Texts by number: those of one domain repeat in most of its rows, and some in those of all.
pub(super) struct Texts<'a> {
    connection: &'a Connection,
    /// Whether there is more to a policy configuration than in version 1 of the schema.
    has_reports: bool,
    texts: HashMap<i64, String>,
    published: HashMap<i64, PublishedPolicy>,
}

impl<'a> Texts<'a> {
    pub(super) fn new(connection: &'a Connection, has_reports: bool) -> Self {
        Self {
            connection,
            has_reports,
            texts: HashMap::new(),
            published: HashMap::new(),
        }
    }

    /// The number of its policy configuration, and the reporting row with this number.
    pub(super) fn row(&mut self, number: i64, policy_domain: &str) -> rusqlite::Result<(i64, TallyRow)> {
        let sql = "SELECT published, source_ip, aligned, disposition, reasons, header_from, envelope_from, \
                   envelope_to, dkim, spf FROM reporting_row WHERE id = ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        statement.query_row([number], |row| {
            Ok((row.get(0)?, self.row_of(policy_domain, row)?))
        })
    }

    fn row_of(&mut self, policy_domain: &str, row: &Row<'_>) -> rusqlite::Result<TallyRow> {
        let [dkim_aligned, spf_aligned, incidental] = read_aligned(row.get(2)?);
        Ok(TallyRow {
            policy_domain: policy_domain.to_owned(),
            published: self.published(row.get(0)?)?,
            source_ip: read_address(row.get_ref(1)?.as_blob()?).ok_or_else(|| damaged(1))?,
            dkim_aligned,
            spf_aligned,
            disposition: self.text(row.get(3)?)?,
            reasons: read_list(&self.text(row.get(4)?)?).ok_or_else(|| damaged(4))?,
            header_from: self.text(row.get(5)?)?,
            envelope_from: self.optional(row.get(6)?)?,
            envelope_to: self.optional(row.get(7)?)?,
            dkim: read_list(&self.text(row.get(8)?)?).ok_or_else(|| damaged(8))?,
            spf: read_list(&self.text(row.get(9)?)?).ok_or_else(|| damaged(9))?,
            incidental,
        })
    }

    fn optional(&mut self, id: Option<i64>) -> rusqlite::Result<Option<String>> {
        id.map(|id| self.text(id)).transpose()
    }

    fn text(&mut self, id: i64) -> rusqlite::Result<String> {
        if let Some(text) = self.texts.get(&id) {
            return Ok(text.clone());
        }
        let sql = "SELECT value FROM text WHERE id = ?1";
        let text: String = self
            .connection
            .prepare_cached(sql)?
            .query_row([id], |row| row.get(0))?;
        forget_if_many(&mut self.texts);
        self.texts.insert(id, text.clone());
        Ok(text)
    }

    fn published(&mut self, id: i64) -> rusqlite::Result<PublishedPolicy> {
        if let Some(published) = self.published.get(&id) {
            return Ok(published.clone());
        }
        let columns = match self.has_reports {
            true => PUBLISHED.to_owned(),
            false => PUBLISHED.replace("problems, psd", "'[]', 0"),
        };
        let sql = format!("SELECT {columns} FROM published WHERE id = ?1");
        let found = Statements(self.connection).row(&sql, values![id], |row| read_published(row, 0))?;
        let published = found.ok_or(SqlError::Damaged(0))?;
        forget_if_many(&mut self.published);
        self.published.insert(id, published.clone());
        Ok(published)
    }
}

/// Keeps what is remembered within its limit.
fn forget_if_many<T>(remembered: &mut HashMap<i64, T>) {
    if remembered.len() >= REMEMBERED {
        remembered.clear();
    }
}
