//! The tally of a day, policy domain by policy domain, for a million messages or ten.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use landmarc_observation::{DayRow, DomainDay, TallyRow};

use super::DatabaseServer;
use super::session::ServerSession;
use super::tally::{self, Configurations, Line, ROWS};
use crate::assembly::ReportingDay;
use crate::error::StoreError;
use crate::limits::{MAX_DOMAIN_ROWS, MAX_DOMAINS};
use crate::model::Day;
use crate::sql::{SqlError, SqlQueries, limit, values};

/// Policy domains that are asked about at a time. What is read is one transaction's, and short: nothing on
/// the server waits for reports to be made.
const DOMAINS: usize = 2_048;

impl DatabaseServer {
    /// The rows of one day, policy domain by policy domain.
    pub(crate) fn reporting_day(&self, day: Day) -> Result<ReportingDay<'_>, StoreError> {
        let (names, left_out) = self.read("read the tally", |session| names(session, day, MAX_DOMAINS))?;
        let (domains, mut next) = (names.len(), 0);
        let read_some = move || {
            let ahead = names.get(next..).unwrap_or_default();
            let some = ahead.get(..DOMAINS).unwrap_or(ahead);
            let read = self.read("read the tally", |session| {
                read(session, day, some, MAX_DOMAIN_ROWS)
            })?;
            next += read.len();
            Ok(read)
        };
        Ok(ReportingDay::new(day, domains, left_out, Box::new(read_some)))
    }
}

/// The policy domains of a day, so many at most, and how many are left out: those that count fewest messages,
/// for a flood of invented ones has a message each.
fn names(session: &ServerSession, day: Day, most: usize) -> Result<(Vec<String>, u64), SqlError> {
    let names = tally::policy_domains(session, day, most)?;
    if names.len() <= most {
        return Ok((names, 0));
    }
    let text = "SELECT policy_domain FROM tally WHERE day = ?1 GROUP BY policy_domain \
                ORDER BY sum(count) DESC, policy_domain LIMIT ?2";
    let mut names = session.rows(text, values![day.0, limit(most)], |row| row.get::<String>(0))?;
    names.sort_unstable();
    let all = session.count(
        "SELECT count(DISTINCT policy_domain) FROM tally WHERE day = ?1",
        values![day.0],
    )?;
    Ok((names, all.saturating_sub(most as u64)))
}

/// The first of these policy domains, as many as make some thousand rows; the last of them with all it has. Each has
/// so many rows at most.
fn read(
    session: &ServerSession,
    day: Day,
    names: &[String],
    most: usize,
) -> Result<VecDeque<DomainDay>, SqlError> {
    let (Some(first), Some(last)) = (names.first(), names.last()) else {
        return Ok(VecDeque::new());
    };
    let lines = tally::of_domains(session, day, first, last)?;
    with_the_rest(session, day, names, lines, most)
}

/// Completes the last policy domain of an answer that was full.
fn with_the_rest(
    session: &ServerSession,
    day: Day,
    names: &[String],
    lines: Vec<Line>,
    most: usize,
) -> Result<VecDeque<DomainDay>, SqlError> {
    let is_all = lines.len() < ROWS;
    let mut domains = grouped(lines);
    let read = match domains.back() {
        Some(last) if !is_all => names.partition_point(|name| *name <= last.policy_domain),
        _ => names.len(),
    };
    if !is_all && let Some(last) = domains.back_mut() {
        last.read_rest(session, day, most)?;
    }
    let mut days = VecDeque::with_capacity(read);
    let names = names.get(..read).unwrap_or_default();
    let (Some(first), Some(last)) = (names.first(), names.last()) else {
        return Ok(days);
    };
    let configurations = {
        let lines = domains.iter().flat_map(|domain| &domain.lines);
        tally::configurations(session, day, first, last, lines)?
    };
    for name in names {
        // One that came up since is not among them; of one that is, nothing may be left.
        while domains.front().is_some_and(|domain| domain.policy_domain < *name) {
            domains.pop_front();
        }
        let found = domains.pop_front_if(|domain| domain.policy_domain == *name);
        let domain = found.unwrap_or_else(|| Domain::new(name.clone()));
        days.push_back(domain.into_day(&configurations, most)?);
    }
    Ok(days)
}

/// The rows of one policy domain.
struct Domain {
    policy_domain: String,
    lines: Vec<Line>,
    left_out_rows: u64,
    left_out_messages: u64,
}

fn grouped(lines: Vec<Line>) -> VecDeque<Domain> {
    let mut domains: VecDeque<Domain> = VecDeque::new();
    for line in lines {
        match domains.back_mut() {
            Some(last) if last.policy_domain == line.row.policy_domain => last.lines.push(line),
            _ => {
                let mut domain = Domain::new(line.row.policy_domain.clone());
                domain.lines.push(line);
                domains.push_back(domain);
            }
        }
    }
    domains
}

impl Domain {
    fn new(policy_domain: String) -> Self {
        Self {
            policy_domain,
            lines: Vec::new(),
            left_out_rows: 0,
            left_out_messages: 0,
        }
    }

    /// Reads what is behind its last row. There is never much more in memory than is told.
    fn read_rest(&mut self, session: &ServerSession, day: Day, most: usize) -> Result<(), SqlError> {
        let last = self.lines.last().map(|line| line.digest.clone());
        let mut after = last.unwrap_or_default();
        loop {
            let more = tally::of_domain(session, day, &self.policy_domain, &after)?;
            let is_all = more.len() < ROWS;
            if let Some(last) = more.last() {
                after.clone_from(&last.digest);
            }
            self.lines.extend(more);
            self.cut(most);
            if is_all {
                return Ok(());
            }
        }
    }

    /// Leaves out those that count fewest messages: a flood of rows with a message each pushes out none that
    /// says more.
    fn cut(&mut self, most: usize) {
        if self.lines.len() <= most {
            return;
        }
        self.lines
            .sort_by(|a, b| (Reverse(a.count), &a.digest).cmp(&(Reverse(b.count), &b.digest)));
        for line in self.lines.drain(most..) {
            self.left_out_rows += 1;
            self.left_out_messages = self.left_out_messages.saturating_add(line.count);
        }
    }

    fn into_day(mut self, configurations: &Configurations, most: usize) -> Result<DomainDay, SqlError> {
        self.cut(most);
        self.lines.sort_by(|a, b| a.digest.cmp(&b.digest));
        let mut seen = BTreeSet::new();
        for line in &self.lines {
            seen.insert((tally::find(configurations, line)?.0, line.published.clone()));
        }
        // In the order in which they were seen first: 1, 2, …
        let numbers: BTreeMap<_, u64> = seen.into_iter().map(|(_, digest)| digest).zip(1..).collect();
        let rows = self.lines.into_iter().map(|line| {
            let (_, published) = tally::find(configurations, &line)?;
            Ok(DayRow {
                published: numbers.get(&line.published).copied().unwrap_or_default(),
                count: line.count,
                row: TallyRow {
                    published: published.clone(),
                    ..line.row
                },
            })
        });
        Ok(DomainDay {
            rows: rows.collect::<Result<_, SqlError>>()?,
            policy_domain: self.policy_domain,
            left_out_rows: self.left_out_rows,
            left_out_messages: self.left_out_messages,
        })
    }
}

#[cfg(test)]
mod tests {
    use landmarc_testkit::databases::{MariaDb, PASSWORD, PostgreSql};

    use super::*;
    use crate::model::Import;
    use crate::prepared::tests::row;
    use crate::server::import::import;
    use crate::server::options::DatabaseOptions;

    /// More rows of one policy domain than one answer has.
    const MANY: usize = ROWS + 4;

    fn server(url: &str) -> DatabaseServer {
        let mut options = DatabaseOptions::new(url.parse().unwrap());
        options.password = Some(PASSWORD.to_owned());
        let server = DatabaseServer::new(options).unwrap();
        server.migrate().unwrap();
        server
    }

    fn counted(number: usize, domain: &str, count: u64) -> Import {
        let mut row = row(domain);
        row.header_from = format!("{number}.{domain}");
        Import {
            key: format!("{number} of {domain}"),
            at_ms: 1_780_272_000_000,
            count,
            row,
        }
    }

    fn limits_hold(server: &DatabaseServer) {
        let count = |number| if number < 3 { 7 } else { 1 };
        let mut all: Vec<_> = (0..MANY)
            .map(|number| counted(number, "b.example", count(number)))
            .collect();
        all.extend([counted(0, "a.example", 2), counted(0, "c.example", 3)]);
        for some in all.chunks(1_000) {
            import(server, some, Day(0)).unwrap();
        }
        let day = all[0].day();
        let names = |most| server.read("read", |session| names(session, day, most)).unwrap();
        let [a, b, c] = ["a.example", "b.example", "c.example"].map(str::to_owned);
        let three = [a, b.clone(), c.clone()];
        assert_eq!(names(3), (three.to_vec(), 0), "at the limit");
        assert_eq!(names(2), (vec![b, c], 1), "one past it: that which counts least");

        let read = |names: &[String], most| {
            let read = server
                .read("read", |session| read(session, day, names, most))
                .unwrap();
            let told = read
                .iter()
                .map(|one| (one.rows.len(), one.left_out_rows, one.left_out_messages));
            (told.collect::<Vec<_>>(), read)
        };
        let whole = [(1, 0, 0), (MANY, 0, 0)];
        assert_eq!(
            read(&three, MANY).0,
            whole,
            "at the limit, and no further than that answer went"
        );
        assert_eq!(
            read(&three, MANY - 1).0,
            [(1, 0, 0), (MANY - 1, 1, 1)],
            "one past it"
        );
        assert_eq!(read(&three[2..], MANY).0, [(1, 0, 0)]);
        let (told, days) = read(&three[1..2], 4);
        assert_eq!(told, [(4, MANY as u64 - 4, MANY as u64 - 4)]);
        let mut counts: Vec<_> = days[0].rows.iter().map(|row| row.count).collect();
        counts.sort_unstable();
        assert_eq!(counts, [1, 7, 7, 7]);
        let sum: u64 = server
            .tally(day, "b.example")
            .unwrap()
            .iter()
            .map(|(_, count)| count)
            .sum();
        assert_eq!(sum, MANY as u64 + 18);
    }

    #[test]
    fn past_a_limit_what_counts_most_is_read_on_postgresql() {
        let Some(host) = PostgreSql::start() else { return };
        host.create_database("x");
        limits_hold(&server(&host.url("x")));
    }

    #[test]
    fn past_a_limit_what_counts_most_is_read_on_mariadb() {
        let Some(host) = MariaDb::start() else { return };
        host.create_database("x");
        limits_hold(&server(&host.url("x")));
    }
}
