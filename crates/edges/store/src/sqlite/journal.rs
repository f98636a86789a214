//! The journal of the tally: what each batch counts is appended here, in the transaction of its
//! observations, and folded into the tally many batches at a time.
//!
//! Counting straight into the tally, each message would change a page somewhere in the middle of
//! it, four kilobytes to be logged, checksummed and written back for two octets. Who reads the
//! tally adds what the journal holds ([`counted`]).

use std::collections::BTreeMap;

use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::error::damaged;
use crate::model::{Day, as_integer};

/// The journal is folded when it has this many entries: about 20 ms of work.
pub(super) const LONG: u64 = 16_384;

/// What one batch counts, in the form of the journal: entries by day.
#[derive(Default)]
pub(super) struct Entries {
    days: BTreeMap<Day, Vec<u8>>,
    pub(super) count: u64,
}

impl Entries {
    /// Adds that so many messages count in this row of this policy domain.
    pub(super) fn add(&mut self, day: Day, policy_domain: i64, row: i64, count: u64) {
        let entries = self.days.entry(day).or_default();
        for number in [policy_domain.cast_unsigned(), row.cast_unsigned(), count] {
            write_number(entries, number);
        }
        self.count += 1;
    }

    pub(super) fn append(&self, connection: &Connection) -> rusqlite::Result<()> {
        let mut insert =
            connection.prepare_cached("INSERT INTO tally_journal (day, entries) VALUES (?1, ?2)")?;
        for (day, entries) in &self.days {
            insert.execute((day.0, entries))?;
        }
        Ok(())
    }
}

/// Messages by policy domain and reporting row.
pub(super) type Counts = BTreeMap<(i64, i64), u64>;

/// What the journal holds of one day.
pub(super) fn counted(connection: &Connection, day: Day) -> rusqlite::Result<Counts> {
    let mut statement = connection.prepare_cached("SELECT entries FROM tally_journal WHERE day = ?1")?;
    let mut rows = statement.query([day.0])?;
    let mut counts = Counts::new();
    while let Some(row) = rows.next()? {
        add_all(&mut counts, row.get_ref(0)?.as_blob()?).ok_or_else(|| damaged(0))?;
    }
    Ok(counts)
}

/// How many rows the tally is going to have more when the journal is folded.
pub(super) fn new_rows(connection: &Connection) -> rusqlite::Result<u64> {
    let sql = "SELECT 1 FROM tally WHERE day = ?1 AND policy_domain = ?2 AND reporting_row = ?3";
    let mut known = connection.prepare_cached(sql)?;
    let mut new = 0;
    for day in days(connection)? {
        for (policy_domain, row) in counted(connection, Day(day))?.into_keys() {
            new += u64::from(!known.exists((day, policy_domain, row))?);
        }
    }
    Ok(new)
}

fn days(connection: &Connection) -> rusqlite::Result<Vec<u32>> {
    let mut statement = connection.prepare_cached("SELECT DISTINCT day FROM tally_journal")?;
    let days = statement.query_map([], |row| row.get(0))?;
    days.collect()
}

/// Folds all of it into the tally, in a transaction of its own.
pub(super) fn fold_alone(connection: &Connection) -> rusqlite::Result<()> {
    let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    fold(&transaction)?;
    transaction.commit()
}

/// Folds all of it into the tally.
pub(super) fn fold(connection: &Connection) -> rusqlite::Result<()> {
    let sql = "INSERT INTO tally (day, policy_domain, reporting_row, count) VALUES (?1, ?2, ?3, ?4) \
               ON CONFLICT (day, policy_domain, reporting_row) DO UPDATE \
               SET count = count + min(excluded.count, 9223372036854775807 - count)";
    let mut upsert = connection.prepare_cached(sql)?;
    for day in days(connection)? {
        // In the order of the tally: each of its pages is changed once.
        for ((policy_domain, row), count) in counted(connection, Day(day))? {
            upsert.execute((day, policy_domain, row, as_integer(count)))?;
        }
    }
    connection
        .prepare_cached("DELETE FROM tally_journal")?
        .execute([])?;
    Ok(())
}

fn add_all(counts: &mut Counts, mut entries: &[u8]) -> Option<()> {
    while !entries.is_empty() {
        let policy_domain = read_number(&mut entries)?.cast_signed();
        let row = read_number(&mut entries)?.cast_signed();
        let sum = counts.entry((policy_domain, row)).or_default();
        *sum = sum.saturating_add(read_number(&mut entries)?);
    }
    Some(())
}

/// Seven bits an octet, the lowest first; the top bit says that more follow (LEB128).
fn write_number(entries: &mut Vec<u8>, mut number: u64) {
    while number > 0x7f {
        entries.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    entries.push(number.to_le_bytes()[0]);
}

fn read_number(entries: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let (octet, rest) = entries.split_first()?;
        *entries = rest;
        number |= u64::from(octet & 0x7f) << shift;
        if octet & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_come_back_summed() {
        let mut entries = Entries::default();
        let large = i64::MAX;
        for (policy_domain, row, count) in [
            (1, 2, 3),
            (1, 2, 127),
            (300, 70_000, 128),
            (large, large, u64::MAX),
        ] {
            entries.add(Day(5), policy_domain, row, count);
        }
        let mut counts = Counts::new();
        let blob = entries.days.get(&Day(5)).unwrap();
        add_all(&mut counts, blob).unwrap();
        let expected = [((1, 2), 130), ((300, 70_000), 128), ((large, large), u64::MAX)];
        assert_eq!(
            (counts.into_iter().collect::<Vec<_>>(), entries.count),
            (expected.to_vec(), 4)
        );
    }

    #[test]
    fn a_sum_stays_within_its_number() {
        let connection = Connection::open_in_memory().unwrap();
        let tables = "CREATE TABLE tally_journal (day INTEGER NOT NULL, entries BLOB NOT NULL) STRICT; \
                      CREATE TABLE tally (day INTEGER, policy_domain INTEGER, reporting_row INTEGER, \
                      count INTEGER NOT NULL, PRIMARY KEY (day, policy_domain, reporting_row)) STRICT; \
                      INSERT INTO tally VALUES (5, 1, 2, 9223372036854775805)";
        connection.execute_batch(tables).unwrap();
        for (count, sum) in [(2, i64::MAX), (3, i64::MAX)] {
            let mut entries = Entries::default();
            entries.add(Day(5), 1, 2, count);
            entries.append(&connection).unwrap();
            fold(&connection).unwrap();
            let found = connection.query_row("SELECT count FROM tally", [], |row| row.get::<_, i64>(0));
            assert_eq!(found, Ok(sum), "{count}");
        }
    }

    #[test]
    fn what_is_cut_off_or_endless_is_damaged() {
        let mut entries = Entries::default();
        entries.add(Day(5), 200, 70_000, 300);
        let blob = entries.days.get(&Day(5)).unwrap();
        for length in 1..blob.len() {
            assert_eq!(
                add_all(&mut Counts::new(), blob.get(..length).unwrap()),
                None,
                "{length}"
            );
        }
        assert_eq!(add_all(&mut Counts::new(), &[0xff; 40]), None);
    }
}
