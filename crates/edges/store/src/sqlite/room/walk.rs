//! The way through the observations, to remove those of one Organizational Domain.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension};

use super::group::group_of;
use super::limits::LOOK;
use crate::groups::Groups;
use crate::sqlite::blocks::{block_of, number_at, seal_again, unsealed_from};
use crate::sqlite::remove::ROWS;

/// Observations looked at to find out who has most of them: one domain in a hundred is found for sure.
const SAMPLE: i64 = 4_096;

/// On the way through the observations, to remove those of one group.
#[derive(Debug)]
pub(super) struct Walk {
    group: String,
    /// All to this one were looked at.
    cursor: i64,
    last: i64,
    /// Whether an outcome is one of the group.
    outcomes: HashMap<i64, bool>,
    /// Whether anything went from the block of the cursor.
    has_removed: bool,
}

impl Walk {
    /// Finds the group that has most observations, and goes for the older half of them; none when there are no observations.
    pub(super) fn begin(
        connection: &Connection,
        groups: Option<&dyn Groups>,
    ) -> rusqlite::Result<Option<Self>> {
        let sql = "SELECT min(id), max(id) FROM observation";
        let ends: (Option<i64>, Option<i64>) =
            connection.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let (Some(first), Some(last)) = ends else {
            return Ok(None);
        };
        let sql = "SELECT o.id, c.author_domain FROM observation AS o LEFT JOIN outcome AS c ON c.id = o.outcome \
                   WHERE o.id >= ?1 ORDER BY o.id LIMIT 1";
        let mut statement = connection.prepare_cached(sql)?;
        let mut found: HashMap<String, Vec<i64>> = HashMap::new();
        let step = ((last - first) / SAMPLE).max(1);
        let mut number = first;
        while number <= last {
            let one = statement.query_row([number], |row| Ok((row.get(0)?, row.get(1)?)));
            let Some((id, author)): Option<(i64, Option<String>)> = one.optional()? else {
                break;
            };
            found
                .entry(group_of(groups, author.as_deref()))
                .or_default()
                .push(id);
            number = (number + step).max(id + 1);
        }
        // Of two that have as many the one that came later goes.
        let most = found
            .into_iter()
            .max_by_key(|(_, numbers)| (numbers.len(), numbers.first().copied()));
        Ok(most.and_then(|(group, numbers)| {
            Some(Self {
                group,
                cursor: first - 1,
                last: *numbers.get(numbers.len() / 2)?,
                outcomes: HashMap::new(),
                has_removed: false,
            })
        }))
    }

    pub(super) fn is_over(&self) -> bool {
        self.cursor >= self.last
    }

    /// Removes some; how many.
    pub(super) fn step(
        &mut self,
        connection: &Connection,
        groups: Option<&dyn Groups>,
    ) -> rusqlite::Result<u64> {
        let block = block_of(self.cursor + 1);
        let end = self.last.min(number_at(block, u16::MAX));
        let sql = "SELECT id, outcome FROM observation WHERE id > ?1 AND id <= ?2 ORDER BY id LIMIT ?3";
        let mut statement = connection.prepare_cached(sql)?;
        let found = statement.query_map((self.cursor, end, LOOK), |row| Ok((row.get(0)?, row.get(1)?)))?;
        let found: Vec<(i64, i64)> = found.collect::<rusqlite::Result<_>>()?;
        let is_all = found.len() < usize::try_from(LOOK).unwrap_or(usize::MAX);
        let mut remove = connection.prepare_cached("DELETE FROM observation WHERE id = ?1")?;
        let mut removed = 0;
        for (id, outcome) in found {
            if removed >= ROWS {
                self.has_removed = true;
                return Ok(removed.unsigned_abs());
            }
            if self.has(connection, groups, outcome)? {
                remove.execute([id])?;
                removed += 1;
            }
            self.cursor = id;
        }
        self.has_removed |= removed > 0;
        if is_all {
            self.cursor = end;
            if self.has_removed && number_at(block, 0) < unsealed_from(connection)? {
                seal_again(connection, block)?;
            }
            self.has_removed = false;
        }
        Ok(removed.unsigned_abs())
    }

    fn has(
        &mut self,
        connection: &Connection,
        groups: Option<&dyn Groups>,
        outcome: i64,
    ) -> rusqlite::Result<bool> {
        if let Some(known) = self.outcomes.get(&outcome) {
            return Ok(*known);
        }
        let sql = "SELECT author_domain FROM outcome WHERE id = ?1";
        let author: Option<String> = connection
            .prepare_cached(sql)?
            .query_row([outcome], |row| row.get(0))
            .optional()?
            .flatten();
        let is_one = group_of(groups, author.as_deref()) == self.group;
        if self.outcomes.len() >= usize::try_from(LOOK).unwrap_or(usize::MAX) {
            self.outcomes.clear();
        }
        self.outcomes.insert(outcome, is_one);
        Ok(is_one)
    }
}
