//! What observations and rows had in common with others, and nobody names any more: marked, then swept.

use rusqlite::Connection;

use super::limits::LOOK;
use crate::engine::JobProgress;
use crate::model::ExpiredRecords;
use crate::sqlite::remove::ROWS;

/// What is swept: whoever refers, and to what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Graph {
    Observations,
    Rows,
}

impl Graph {
    fn by(self) -> &'static str {
        match self {
            Self::Observations => "observation",
            Self::Rows => "reporting_row",
        }
    }

    /// The columns that refer to each of the two tables.
    fn marks(self) -> &'static str {
        match self {
            Self::Observations => {
                "SELECT id, trace, outcome FROM observation WHERE id > ?1 ORDER BY id LIMIT ?2"
            }
            Self::Rows => {
                "SELECT id, published, policy_domain, disposition, reasons, header_from, envelope_from, \
                 envelope_to, dkim, spf FROM reporting_row WHERE id > ?1 ORDER BY id LIMIT ?2"
            }
        }
    }

    fn tables(self) -> [&'static str; 2] {
        match self {
            Self::Observations => ["trace", "outcome"],
            Self::Rows => ["published", "text"],
        }
    }
}

/// Marks what is used, and then removes what is not.
#[derive(Debug)]
pub(super) struct Sweep {
    graph: Graph,
    /// What all to this one refer to is marked.
    marked: i64,
    used: [Marks; 2],
    /// The table that is swept, and to which number it is.
    place: usize,
    cursor: i64,
}

impl Sweep {
    pub(super) fn begin(connection: &Connection, graph: Graph) -> rusqlite::Result<Self> {
        let mut used = [Marks::default(), Marks::default()];
        for (table, marks) in graph.tables().into_iter().zip(&mut used) {
            let sql = format!("SELECT coalesce(min(id), 0) FROM {table}");
            marks.first = connection.query_row(&sql, [], |row| row.get(0))?;
        }
        Ok(Self {
            graph,
            marked: i64::MIN,
            used,
            place: 0,
            cursor: i64::MIN,
        })
    }

    pub(super) fn graph(&self) -> Graph {
        self.graph
    }

    /// Some of it. A step that removes marks everything before: nobody writes meanwhile.
    pub(super) fn step(
        &mut self,
        connection: &Connection,
        done: &mut ExpiredRecords,
    ) -> rusqlite::Result<JobProgress> {
        if !self.mark(connection)? {
            return Ok(JobProgress::More);
        }
        let tables = self.graph.tables();
        let (Some(table), Some(used)) = (tables.get(self.place), self.used.get(self.place)) else {
            return Ok(JobProgress::Done);
        };
        // The last trace says which numbers were given out.
        let except = if *table == "trace" {
            "AND id < (SELECT max(id) FROM trace)"
        } else {
            ""
        };
        let sql = format!("SELECT id FROM {table} WHERE id > ?1 {except} ORDER BY id LIMIT ?2");
        let mut statement = connection.prepare_cached(&sql)?;
        let found = statement.query_map((self.cursor, LOOK), |row| row.get(0))?;
        let found: Vec<i64> = found.collect::<rusqlite::Result<_>>()?;
        let mut remove = connection.prepare_cached(&format!("DELETE FROM {table} WHERE id = ?1"))?;
        let mut removed = 0;
        for id in &found {
            if !used.has(*id) {
                remove.execute([id])?;
                removed += 1;
            }
            self.cursor = *id;
            if removed >= ROWS {
                break;
            }
        }
        if *table == "trace" {
            done.traces += removed.unsigned_abs();
        }
        if removed < ROWS && found.len() < usize::try_from(LOOK).unwrap_or(usize::MAX) {
            self.place += 1;
            self.cursor = i64::MIN;
        }
        Ok(JobProgress::More)
    }

    /// Marks some; whether that was all.
    fn mark(&mut self, connection: &Connection) -> rusqlite::Result<bool> {
        let mut statement = connection.prepare_cached(self.graph.marks())?;
        let columns = statement.column_count();
        let mut rows = statement.query((self.marked, LOOK))?;
        let mut count = 0;
        let [first, second] = &mut self.used;
        while let Some(row) = rows.next()? {
            self.marked = row.get(0)?;
            if let Some(id) = row.get::<_, Option<i64>>(1)? {
                first.add(id);
            }
            for column in 2..columns {
                if let Some(id) = row.get::<_, Option<i64>>(column)? {
                    second.add(id);
                }
            }
            count += 1;
        }
        Ok(count < LOOK)
    }

    /// Numbers past the last one may be given out again.
    pub(super) fn hold_back(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let sql = format!("SELECT coalesce(max(id), ?1) FROM {}", self.graph.by());
        let last: i64 = connection.query_row(&sql, [i64::MIN], |row| row.get(0))?;
        self.marked = self.marked.min(last);
        Ok(())
    }
}

/// A set of numbers, a bit each: the rows of a table are numbered without large gaps.
#[derive(Debug, Default)]
struct Marks {
    first: i64,
    bits: Vec<u64>,
}

impl Marks {
    fn place(&self, id: i64) -> Option<(usize, u64)> {
        let place = usize::try_from(id.checked_sub(self.first)?).ok()?;
        Some((place / 64, 1 << (place % 64)))
    }

    fn add(&mut self, id: i64) {
        let Some((word, bit)) = self.place(id) else { return };
        if word >= self.bits.len() {
            self.bits.resize(word + 1, 0);
        }
        if let Some(bits) = self.bits.get_mut(word) {
            *bits |= bit;
        }
    }

    /// One before the first is not known: it stays.
    fn has(&self, id: i64) -> bool {
        self.place(id)
            .is_none_or(|(word, bit)| self.bits.get(word).is_some_and(|bits| bits & bit != 0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_a_set_of_numbers_from_the_first_on() {
        let mut marks = Marks {
            first: 10,
            bits: Vec::new(),
        };
        for id in [10, 73, 74, 500] {
            marks.add(id);
        }
        marks.add(9);
        let found: Vec<i64> = (10..600).filter(|id| marks.has(*id)).collect();
        assert_eq!(found, [10, 73, 74, 500]);
        assert!(marks.has(9), "what is before the first is left alone");
    }
}
