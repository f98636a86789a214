//! The tally as rows of the database, and back.

use std::collections::{BTreeMap, BTreeSet};

use landmarc_observation::{PublishedPolicy, TallyRow};

use super::DatabaseServer;
use super::session::ServerSession;
use crate::columns::{PUBLISHED, read_address, read_aligned, read_list, read_published};
use crate::error::StoreError;
use crate::model::Day;
use crate::sql::{Sql, SqlError, SqlQueries, SqlRow, limit, values};

/// Rows of one answer: a server sends all of them before the first is read.
pub(super) const ROWS: usize = 4_096;
/// Policy domains of one answer.
const NAMES: usize = 20_000;

/// Rows of the tally, and what they count. They are chosen before anything is joined to them: a server that
/// has to guess how many are left by a join may read all of the day for each answer. A row without what it
/// counts is damaged.
fn select(which: &str) -> String {
    format!(
        "SELECT t.policy_domain, t.reporting_row, t.count, r.published, r.source_ip, r.aligned, r.disposition, \
         r.reasons, r.header_from, r.envelope_from, r.envelope_to, r.dkim, r.spf \
         FROM (SELECT policy_domain, reporting_row, count FROM tally WHERE day = ?1 AND {which}) AS t \
         LEFT JOIN reporting_row AS r ON r.policy_domain = t.policy_domain AND r.digest = t.reporting_row \
         ORDER BY t.policy_domain, t.reporting_row"
    )
}

/// One row of the tally. Its policy configuration is named, and not in its row yet.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) digest: Vec<u8>,
    pub(super) count: u64,
    pub(super) published: Vec<u8>,
    pub(super) row: TallyRow,
}

/// A policy configuration of a domain, and when it was seen first, among others of the domain.
pub(super) type Configurations = BTreeMap<(String, Vec<u8>), (i64, PublishedPolicy)>;

impl DatabaseServer {
    /// The rows of one day for one policy domain.
    pub(crate) fn tally(&self, day: Day, policy_domain: &str) -> Result<Vec<(TallyRow, u64)>, StoreError> {
        self.read("read the tally", |session| {
            let mut lines = Vec::new();
            loop {
                let after = lines.last().map_or(&[][..], |line: &Line| &line.digest);
                let more = of_domain(session, day, policy_domain, after)?;
                let is_all = more.len() < ROWS;
                lines.extend(more);
                if is_all {
                    break;
                }
            }
            let configurations = configurations(session, day, policy_domain, policy_domain, lines.iter())?;
            let counted = lines.into_iter().map(|line| {
                let (_, published) = find(&configurations, &line)?;
                let row = TallyRow {
                    published: published.clone(),
                    ..line.row
                };
                Ok((row, line.count))
            });
            counted.collect()
        })
    }

    /// The policy domains of one day, in alphabetical order.
    pub(crate) fn policy_domains(&self, day: Day) -> Result<Vec<String>, StoreError> {
        self.read("read the tally", |session| {
            policy_domains(session, day, usize::MAX)
        })
    }

    /// The days that have rows.
    pub(crate) fn reporting_days(&self) -> Result<Vec<Day>, StoreError> {
        self.read("read the tally", |session| {
            session.rows("SELECT day FROM tally_day ORDER BY day", &[], |row| {
                row.get(0).map(Day)
            })
        })
    }
}

/// The policy domains of one day, in alphabetical order; so many at most, and one more when there are more.
pub(super) fn policy_domains(
    session: &ServerSession,
    day: Day,
    most: usize,
) -> Result<Vec<String>, SqlError> {
    let first = "SELECT DISTINCT policy_domain FROM tally WHERE day = ?1 ORDER BY policy_domain LIMIT ?2";
    let further = "SELECT DISTINCT policy_domain FROM tally WHERE day = ?1 AND policy_domain > ?3 \
                   ORDER BY policy_domain LIMIT ?2";
    let limit = limit(NAMES);
    let mut names = session.rows(first, values![day.0, limit], |row| row.get::<String>(0))?;
    let mut is_all = names.len() < NAMES;
    while !is_all && names.len() <= most {
        let Some(last) = names.last().cloned() else {
            break;
        };
        let more = session.rows(further, values![day.0, limit, &last], |row| row.get::<String>(0))?;
        is_all = more.len() < NAMES;
        names.extend(more);
    }
    names.truncate(most.saturating_add(1));
    Ok(names)
}

/// Rows of the policy domains from one to another, in their order, so many as one answer has.
pub(super) fn of_domains(
    session: &ServerSession,
    day: Day,
    first: &str,
    last: &str,
) -> Result<Vec<Line>, SqlError> {
    let which = "policy_domain >= ?2 AND policy_domain <= ?3 ORDER BY policy_domain, reporting_row LIMIT ?4";
    session.rows(&select(which), values![day.0, first, last, limit(ROWS)], line)
}

/// Rows of one policy domain behind this one, so many as one answer has.
pub(super) fn of_domain(
    session: &ServerSession,
    day: Day,
    policy_domain: &str,
    after: &[u8],
) -> Result<Vec<Line>, SqlError> {
    let which = "policy_domain = ?2 AND reporting_row > ?3 ORDER BY reporting_row LIMIT ?4";
    session.rows(
        &select(which),
        values![day.0, policy_domain, after, limit(ROWS)],
        line,
    )
}

/// The policy configurations that these rows name, of the policy domains from one to another.
pub(super) fn configurations<'a>(
    session: &ServerSession,
    day: Day,
    first: &str,
    last: &str,
    lines: impl Iterator<Item = &'a Line>,
) -> Result<Configurations, SqlError> {
    let named = |line: &'a Line| (line.row.policy_domain.as_str(), line.published.as_slice());
    let wanted: BTreeSet<_> = lines.map(named).collect();
    // Those that were not used since that day are not asked for: what is used is marked with its day.
    let text = format!(
        "SELECT policy_domain, digest, first, {PUBLISHED} FROM published \
         WHERE policy_domain >= ?1 AND policy_domain <= ?2 AND (policy_domain, digest) > (?1, ?3) AND last_day >= ?4 \
         ORDER BY policy_domain, digest LIMIT ?5"
    );
    let mut found = Configurations::new();
    let mut last_read = (first.to_owned(), Vec::new());
    loop {
        let mut count = 0;
        let from = last_read.clone();
        let values = values![&from.0, last, from.1.as_slice(), day.0, limit(ROWS)];
        session.each(&text, values, &mut |row| {
            count += 1;
            last_read = (row.get(0)?, row.get(1)?);
            if wanted.contains(&(last_read.0.as_str(), last_read.1.as_slice())) {
                found.insert(last_read.clone(), (row.get(2)?, read_published(row, 3)?));
            }
            Ok(true)
        })?;
        if count < ROWS {
            return Ok(found);
        }
    }
}

/// The policy configuration of a row.
pub(super) fn find<'a>(
    configurations: &'a Configurations,
    line: &Line,
) -> Result<&'a (i64, PublishedPolicy), SqlError> {
    let key = (line.row.policy_domain.clone(), line.published.clone());
    configurations.get(&key).ok_or(SqlError::Damaged(3))
}

fn line(row: &SqlRow) -> Result<Line, SqlError> {
    let [dkim_aligned, spf_aligned, incidental] = read_aligned(row.get(5)?);
    let damaged = |place| move || SqlError::Damaged(place);
    Ok(Line {
        digest: row.get(1)?,
        count: row.get(2)?,
        published: row.get(3)?,
        row: TallyRow {
            policy_domain: row.get(0)?,
            published: PublishedPolicy::default(),
            source_ip: read_address(row.octets(4)?).ok_or_else(damaged(4))?,
            dkim_aligned,
            spf_aligned,
            disposition: row.get(6)?,
            reasons: read_list(row.text(7)?).ok_or_else(damaged(7))?,
            header_from: row.get(8)?,
            envelope_from: row.get(9)?,
            envelope_to: row.get(10)?,
            dkim: read_list(row.text(11)?).ok_or_else(damaged(11))?,
            spf: read_list(row.text(12)?).ok_or_else(damaged(12))?,
            incidental,
        },
    })
}
