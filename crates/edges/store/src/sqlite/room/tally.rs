//! The tally as it makes room: how large it is, whose rows go next, and how they go.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use rusqlite::{Connection, OptionalExtension};

use super::group::group;
use super::limits::MOST_OF_ROWS;
use crate::groups::Groups;
use crate::model::Day;

/// Texts looked at to find out how long they are.
const SAMPLED_TEXTS: i64 = 256;
/// Octets of a reporting row with its entries in indexes, of a row of the tally, and of a text beside its own.
const ROW_OCTETS: u64 = 120;
const TALLY_OCTETS: u64 = 16;
const TEXT_OCTETS: u64 = 56;
/// Days and Organizational Domains that are remembered to go next, or those of one row of the tally in [`MOST_OF_ROWS`] where that
/// is more; then they are looked for again.
const NEXT: usize = 256;

/// A policy domain of a day, and which place its day and Organizational Domain have among those that go next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Next {
    pub(super) place: usize,
    pub(super) day: Day,
    pub(super) policy_domain: i64,
}

/// Rows of the tally, and the octets that they and all they name take up, about.
pub(super) fn tally_size(connection: &Connection) -> rusqlite::Result<(u64, u64)> {
    let count = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, u64>(0));
    let rows = count("SELECT count(*) FROM tally")?;
    let distinct = count("SELECT count(*) FROM reporting_row")?;
    let texts = count("SELECT count(*) FROM text")?;
    let sql = "WITH RECURSIVE ends (first, last) AS (SELECT min(id), max(id) FROM text), \
               place (number) AS (VALUES (0) UNION ALL SELECT number + 1 FROM place WHERE number + 1 < ?1) \
               SELECT coalesce(sum(length), 0) / ?1 FROM (SELECT (SELECT length(value) FROM text \
               WHERE id >= ends.first + (ends.last - ends.first) * number / ?1 ORDER BY id LIMIT 1) AS length \
               FROM place, ends)";
    let length: u64 = connection.query_row(sql, [SAMPLED_TEXTS], |row| row.get(0))?;
    let octets = rows * TALLY_OCTETS + distinct * ROW_OCTETS + texts * (TEXT_OCTETS + length);
    Ok((rows, octets))
}

/// The policy domains whose rows go next, the next one last: of the days and Organizational Domains with the most rows times
/// days of age.
pub(super) fn heaviest(
    connection: &Connection,
    before: Day,
    today: Day,
    groups: Option<&dyn Groups>,
) -> rusqlite::Result<Vec<Next>> {
    let mut owners: HashMap<i64, u64> = HashMap::new();
    let mut rows_of: HashMap<(u32, u64), u64> = HashMap::new();
    let mut name = connection.prepare_cached("SELECT value FROM text WHERE id = ?1")?;
    let sql = "SELECT day, policy_domain, count(*) FROM tally WHERE day < ?1 GROUP BY day, policy_domain";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([before.0])?;
    while let Some(row) = rows.next()? {
        let (day, policy_domain): (u32, i64) = (row.get(0)?, row.get(1)?);
        let owner = match owners.get(&policy_domain) {
            Some(owner) => *owner,
            None => {
                let name: Option<String> = name.query_row([policy_domain], |row| row.get(0)).optional()?;
                let owner = hash(&group(groups, name.as_deref().unwrap_or_default()));
                owners.insert(policy_domain, owner);
                owner
            }
        };
        *rows_of.entry((day, owner)).or_default() += row.get::<_, u64>(2)?;
    }
    let weight = |day: u32, rows: u64| rows.saturating_mul(u64::from(today.0.saturating_sub(day).max(1)));
    let mut all: Vec<_> = rows_of
        .into_iter()
        .map(|((day, owner), rows)| (weight(day, rows), day, owner, rows))
        .collect();
    all.sort_unstable_by(|one, other| other.cmp(one));
    let total: u64 = all.iter().map(|(.., rows)| rows).sum();
    let (mut places, mut taken) = (HashMap::new(), 0);
    for (_, day, owner, rows) in all {
        if places.len() >= NEXT && taken >= total / MOST_OF_ROWS {
            break;
        }
        places.insert((day, owner), places.len());
        taken += rows;
    }
    let days: BTreeSet<u32> = places.keys().map(|(day, _)| *day).collect();
    let mut next = Vec::new();
    let mut domains = connection.prepare_cached("SELECT DISTINCT policy_domain FROM tally WHERE day = ?1")?;
    for day in days {
        let mut found = domains.query([day])?;
        while let Some(row) = found.next()? {
            let policy_domain: i64 = row.get(0)?;
            let owner = owners.get(&policy_domain).copied();
            if let Some(place) = owner.and_then(|owner| places.get(&(day, owner)).copied()) {
                let day = Day(day);
                next.push(Next {
                    place,
                    day,
                    policy_domain,
                });
            }
        }
    }
    next.sort_unstable_by(|one, other| other.cmp(one));
    Ok(next)
}

/// What one policy domain and day lost.
pub(super) struct Removed {
    /// Rows of the tally.
    pub(super) removed: u64,
    /// Reporting rows that no other day has.
    pub(super) distinct: u64,
    /// Entries and days looked at for it.
    pub(super) looked: u64,
}

/// Removes the newest rows of a policy domain and day, at most so many, with the reporting rows that none of the days has.
pub(super) fn remove_rows(
    connection: &Connection,
    days: &[Day],
    next: Next,
    most: u64,
) -> rusqlite::Result<Removed> {
    let Next {
        day, policy_domain, ..
    } = next;
    let sql = "SELECT reporting_row FROM tally WHERE day = ?1 AND policy_domain = ?2 \
               ORDER BY reporting_row DESC LIMIT ?3";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map((day.0, policy_domain, most), |row| row.get(0))?;
    let rows: Vec<i64> = rows.collect::<rusqlite::Result<_>>()?;
    let mut done = Removed {
        removed: rows.len() as u64,
        distinct: 0,
        looked: (1 + rows.len() + days.len()) as u64,
    };
    let (Some(last), Some(first)) = (rows.first(), rows.last()) else {
        return Ok(done);
    };
    let sql = "DELETE FROM tally WHERE day = ?1 AND policy_domain = ?2 AND reporting_row BETWEEN ?3 AND ?4";
    connection
        .prepare_cached(sql)?
        .execute((day.0, policy_domain, first, last))?;
    let mut used = HashSet::new();
    let sql = "SELECT reporting_row FROM tally WHERE day = ?1 AND policy_domain = ?2 AND reporting_row BETWEEN ?3 AND ?4";
    let mut statement = connection.prepare_cached(sql)?;
    for day in days {
        let found = statement.query_map((day.0, policy_domain, first, last), |row| row.get::<_, i64>(0))?;
        for row in found {
            used.insert(row?);
            done.looked += 1;
        }
    }
    let mut remove = connection.prepare_cached("DELETE FROM reporting_row WHERE id = ?1")?;
    for row in rows.iter().filter(|row| !used.contains(row)) {
        done.distinct += remove.execute([row])? as u64;
    }
    Ok(done)
}

fn hash(name: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    hasher.finish()
}
