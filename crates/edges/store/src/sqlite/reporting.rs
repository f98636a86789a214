//! The tally of a day, policy domain by policy domain, for a million messages or ten.

use std::cmp::Reverse;
use std::collections::{BTreeSet, VecDeque};
use std::vec::IntoIter;

use landmarc_observation::{DayRow, DomainDay};
use rusqlite::Connection;

use super::journal;
use super::reading::FileReader;
use super::tally::{self, Texts};
use crate::assembly::ReportingDay;
use crate::error::StoreError;
use crate::limits::{MAX_DOMAIN_ROWS, MAX_DOMAINS};
use crate::model::Day;

/// So much is read at a time, in one short transaction: the journal is then looked through once for many
/// domains, and no reader holds the write-ahead log while reports are being made.
const DOMAINS: usize = 2_048;
const ROWS: usize = 4_096;

/// The UTC days that have rows.
pub(super) fn days(connection: &Connection) -> rusqlite::Result<Vec<Day>> {
    // Each step jumps to the next day: the cost goes with the days, not with the rows.
    let sql = "WITH RECURSIVE one (day) AS ( \
                 SELECT min(day) FROM tally \
                 UNION ALL SELECT (SELECT min(day) FROM tally WHERE day > one.day) FROM one WHERE one.day IS NOT NULL) \
               SELECT day FROM one WHERE day IS NOT NULL UNION SELECT day FROM tally_journal ORDER BY 1";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([], |row| row.get(0).map(Day))?;
    rows.collect()
}

impl FileReader {
    pub(crate) fn reporting_days(&self) -> Result<Vec<Day>, StoreError> {
        self.snapshot("read the tally", days)
    }

    pub(crate) fn reporting_day(&self, day: Day) -> Result<ReportingDay<'_>, StoreError> {
        let (names, left_out) = self.snapshot("read the tally", |connection| {
            let mut ids = tally::domains(connection, day)?;
            let left_out = cut(&mut ids, MAX_DOMAINS);
            Ok((tally::names(connection, ids)?, left_out))
        })?;
        let (domains, mut ahead) = (names.len(), names.into_iter());
        let read_some = move || self.read_some(day, &mut ahead);
        Ok(ReportingDay::new(day, domains, left_out, Box::new(read_some)))
    }

    /// The rows of the next of these policy domains, which are names and numbers.
    fn read_some(
        &self,
        day: Day,
        ahead: &mut IntoIter<(String, i64)>,
    ) -> Result<VecDeque<DomainDay>, StoreError> {
        self.snapshot("read the tally", |connection| {
            let journal = journal::counted(connection, day)?;
            let mut texts = Texts::new(connection, self.has_reports());
            let (mut read, mut rows) = (VecDeque::new(), 0);
            for (name, number) in ahead.by_ref().take(DOMAINS) {
                let counts = tally::counts(connection, day, number, &journal)?;
                let one = domain_day(&mut texts, name, counts, MAX_DOMAIN_ROWS)?;
                rows += one.rows.len();
                read.push_back(one);
                if rows >= ROWS {
                    break;
                }
            }
            Ok(read)
        })
    }
}

/// Keeps those with the lowest numbers, known for the longest; how many are left out.
fn cut(ids: &mut BTreeSet<i64>, most: usize) -> u64 {
    let mut left_out = 0;
    while ids.len() > most {
        ids.pop_last();
        left_out += 1;
    }
    left_out
}

fn domain_day(
    texts: &mut Texts<'_>,
    policy_domain: String,
    counts: tally::RowCounts,
    most: usize,
) -> rusqlite::Result<DomainDay> {
    let mut counts: Vec<(i64, u64)> = counts.into_iter().collect();
    let mut left_out = Vec::new();
    if counts.len() > most {
        // A flood of rows with a message each pushes out none that says more.
        counts.sort_by_key(|(row, count)| (Reverse(*count), *row));
        left_out = counts.split_off(most);
        counts.sort_unstable();
    }
    let rows = counts.into_iter().map(|(number, count)| {
        let (published, row) = texts.row(number, &policy_domain)?;
        let published = published.cast_unsigned();
        Ok(DayRow {
            published,
            row,
            count,
        })
    });
    Ok(DomainDay {
        rows: rows.collect::<rusqlite::Result<_>>()?,
        policy_domain,
        left_out_rows: left_out.len() as u64,
        left_out_messages: left_out
            .iter()
            .fold(0, |sum, (_, count)| sum.saturating_add(*count)),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::Reader;
    use crate::engine::Engine as _;
    use crate::prepared::tests::{observation, prepared, row};
    use crate::queue::{Batch, Waiting};
    use crate::sqlite::Sqlite;

    #[test]
    fn past_the_limit_the_domains_known_for_the_longest_are_read() {
        let ids = |most| {
            let mut ids = BTreeSet::from([7, 3, 9, 5]);
            (cut(&mut ids, most), ids.into_iter().collect::<Vec<_>>())
        };
        assert_eq!(ids(4), (0, vec![3, 5, 7, 9]), "at the limit");
        assert_eq!(ids(3), (1, vec![3, 5, 7]), "one past it");
    }

    #[test]
    fn past_the_limit_the_rows_that_count_most_are_read_and_the_rest_is_counted() {
        const ROWS: u64 = 5_000;
        let directory = std::env::temp_dir().join(format!("landmarc-store-rows-{}", std::process::id()));
        let path = directory.join("landmarc.db");
        let mut engine = Sqlite::open(&path, Duration::ZERO).unwrap();
        let mut batch = Batch::default();
        // The last three rows come twice; there is another domain behind them.
        let numbers = (0..ROWS).chain(ROWS - 3..ROWS).chain([ROWS]);
        batch.records = numbers
            .map(|number| {
                let mut one = observation(number);
                let domain = if number == ROWS { "z.example" } else { "a.example" };
                one.row = Some(row(domain));
                if let Some(row) = &mut one.row {
                    row.header_from = format!("{number}.a.example");
                }
                let prepared = prepared(one);
                Waiting {
                    prepared,
                    waiter: None,
                }
            })
            .collect();
        engine.write(&batch).unwrap();
        let reader = Reader::open(&path).unwrap();
        let day = Day::at(observation(0).at_ms);
        let all: Vec<_> = reader.reporting_day(day).unwrap().map(Result::unwrap).collect();
        let counts: Vec<_> = all.iter().map(|one| one.rows.len()).collect();
        assert_eq!(counts, [5_000, 1], "more rows than are read at a time");

        let reading = FileReader::open(&path).unwrap();
        let read = |most| {
            let read = reading.snapshot("read", |connection| {
                let mut texts = Texts::new(connection, true);
                let journal = journal::counted(connection, day)?;
                let first = tally::names(connection, tally::domains(connection, day)?)?.remove(0);
                let counts = tally::counts(connection, day, first.1, &journal)?;
                domain_day(&mut texts, first.0, counts, most)
            });
            read.unwrap()
        };
        assert_eq!(read(5_000), all[0], "at the limit");
        let cut = read(4);
        let named: Vec<_> = cut.rows.iter().map(|row| row.count).collect();
        let mut sorted = named.clone();
        sorted.sort_unstable();
        assert_eq!(
            (sorted, cut.left_out_rows, cut.left_out_messages),
            (vec![1, 2, 2, 2], 4_996, 4_996)
        );
        drop(reading);
        std::fs::remove_dir_all(directory).unwrap();
    }
}
