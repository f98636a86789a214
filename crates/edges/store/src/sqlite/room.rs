//! What goes before its time when the file is too large, and in which order.
//!
//! 1. The tally, as far as it takes more than its share: days before yesterday, then the others.
//! 2. The oldest traces, so that no flood of traces costs an observation.
//! 3. The bodies of reports that have ended, which were read by whom they are for.
//! 4. The oldest hour of observations, up to the day before yesterday.
//! 5. The rest of the tally before yesterday.
//! 6. Observations of the last two days: of the Organizational Domain that has most of them, so that a flood goes for itself.
//! 7. Rows of the tally of the last two days: of the Organizational Domain that has most of them.
//!
//! Of the tally goes what is old and much first: rows times days. What observations and rows had in common with no other goes with them,
//! before anything else does: a sweep marks what is used and removes the rest. It runs in short steps, and whoever
//! records in between adds behind the place to which it has marked.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use rusqlite::{Connection, OptionalExtension};

use super::blocks::{block_of, number_at, seal_again, unsealed_from};
use super::remove::{ROWS, octets_over, oldest_day, oldest_hour, remove_hour, remove_traces_for_room};
use super::reporting;
use super::statements::Statements;
use crate::columns::unreversed;
use crate::engine::JobProgress;
use crate::groups::Groups;
use crate::model::{Day, ExpiredRecords, Retention, hour_of};
use crate::outbox::upkeep;

/// The tally may take up one part in so many of the file: the rest is for what explains single messages.
const SHARE_OF_TALLY: u64 = 2;
/// Where it takes more, one part in so many goes beyond that.
const SPARE_OF_TALLY: u64 = 16;
/// Most rows looked at in one step: about 10 ms.
const LOOK: i64 = 20_000;
/// Observations looked at to find out who has most of them: one domain in a hundred is found for sure.
const SAMPLE: i64 = 4_096;
/// Texts looked at to find out how long they are.
const SAMPLED_TEXTS: i64 = 256;
/// Octets of a reporting row with its entries in indexes, of a row of the tally, and of a text beside its own.
const ROW_OCTETS: u64 = 120;
const TALLY_OCTETS: u64 = 16;
const TEXT_OCTETS: u64 = 56;
/// Days and Organizational Domains that are remembered to go next, or those of one row of the tally in [`MOST_OF_ROWS`] where that
/// is more; then they are looked for again.
const NEXT: usize = 256;
/// Before a sweep, which looks at all rows, at least one row of the tally in so many goes, and at most one in so many: many sweeps
/// cost too much time, few ones remove more than has to go.
const LEAST_OF_ROWS: u64 = 64;
const MOST_OF_ROWS: u64 = 16;

/// What is under way. It holds as long as nobody else removes anything.
#[derive(Debug, Default)]
pub(super) struct Room {
    /// Steps of expiry when it was last used, in whatever process.
    steps: u64,
    /// What something was removed of, and nothing swept since.
    unswept: Unswept,
    sweep: Option<Sweep>,
    walk: Option<Walk>,
    round: Option<Round>,
    /// Rows that the tally is to lose, for it takes more than its share, and the hour in which that was looked at.
    excess: Option<(u64, i64)>,
    /// Policy domains of a day whose rows go next, the next one last.
    next: Vec<Next>,
}

#[derive(Debug, Default)]
struct Unswept {
    observations: bool,
    rows: bool,
}

/// Rows of the tally that go before the next sweep frees what only they named.
#[derive(Clone, Copy, Debug)]
struct Round {
    /// They are of days before this one.
    before: Day,
    left: u64,
    /// After so many, rows of the next day or Organizational Domain wait for what the sweep frees.
    least: u64,
}

/// A policy domain of a day, and which place its day and Organizational Domain have among those that go next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Next {
    place: usize,
    day: Day,
    policy_domain: i64,
}

impl Round {
    /// As many rows as free what the file has past its limit, about: no more than these, unless one step removes more.
    fn begin(connection: &Connection, keep: &Retention, before: Day, most: u64) -> rusqlite::Result<Self> {
        let (rows, octets) = tally_size(connection)?;
        let needed = octets_over(connection, keep)?
            .saturating_mul(rows)
            .div_ceil(octets.max(1));
        let largest = (rows / MOST_OF_ROWS).max(ROWS.unsigned_abs());
        let most = most.max(ROWS.unsigned_abs()).min(largest);
        let least = rows / LEAST_OF_ROWS;
        let left = needed.max(least).min(most).max(1);
        Ok(Self { before, left, least })
    }
}

impl Room {
    /// Called at the beginning of each step.
    pub(super) fn begin(&mut self, steps: u64) {
        if steps != self.steps {
            *self = Self::default();
        }
        self.steps = steps + 1;
    }

    /// Called at the end of each step.
    pub(super) fn end(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        if let Some(sweep) = &mut self.sweep {
            sweep.hold_back(connection)?;
        }
        Ok(())
    }

    /// What was begun comes to its end when there is room, too: words that nothing refers to do not wait for the next time. Whether
    /// there is more to do.
    pub(super) fn finish(
        &mut self,
        connection: &Connection,
        done: &mut ExpiredRecords,
    ) -> rusqlite::Result<JobProgress> {
        self.walk = None;
        self.round = None;
        self.next.clear();
        if self.sweep(connection, done)? {
            return Ok(JobProgress::More);
        }
        Ok(JobProgress::Done)
    }

    /// Makes some.
    pub(super) fn make(
        &mut self,
        connection: &Connection,
        keep: &Retention,
        groups: Option<&dyn Groups>,
        done: &mut ExpiredRecords,
    ) -> rusqlite::Result<JobProgress> {
        if self.go_on(connection, keep, groups, done)? {
            return Ok(JobProgress::More);
        }
        let recent = recent(connection, keep)?;
        let excess = self.excess(connection, keep)?;
        if excess > 0
            && (self.begin_round(connection, keep, groups, recent, excess, done)?
                || self.begin_round(connection, keep, groups, Day(u32::MAX), excess, done)?)
        {
            return Ok(JobProgress::More);
        }
        let removed = remove_traces_for_room(connection)?;
        if removed > 0 {
            done.traces += removed;
            done.traces_for_size += removed;
            return Ok(JobProgress::More);
        }
        let removed = upkeep::make_room(&Statements(connection))?;
        if removed > 0 {
            done.bodies_for_size += removed;
            return Ok(JobProgress::More);
        }
        if let Some(hour) = oldest_hour(connection)?.filter(|hour| *hour < hour_of(recent.begins_ms())) {
            // What only these had goes with their day (`last_day`): nobody has to look at all others for it.
            let removed = remove_hour(connection, hour)?;
            done.observations += removed;
            done.observations_for_size += removed;
            return Ok(JobProgress::More);
        }
        if self.begin_round(connection, keep, groups, recent, u64::MAX, done)? {
            return Ok(JobProgress::More);
        }
        self.walk = Walk::begin(connection, groups)?;
        if self.walk.is_some() || self.begin_round(connection, keep, groups, Day(u32::MAX), u64::MAX, done)? {
            return Ok(JobProgress::More);
        }
        Ok(JobProgress::Done)
    }

    /// Goes on with what is under way; whether there was anything.
    fn go_on(
        &mut self,
        connection: &Connection,
        keep: &Retention,
        groups: Option<&dyn Groups>,
        done: &mut ExpiredRecords,
    ) -> rusqlite::Result<bool> {
        if let Some(walk) = &mut self.walk {
            self.unswept.observations = true;
            let removed = walk.step(connection, groups)?;
            done.observations += removed;
            done.observations_for_size += removed;
            if walk.is_over() {
                self.walk = None;
                let sql = "DELETE FROM hour WHERE NOT EXISTS (SELECT 1 FROM observation WHERE id BETWEEN first AND last)";
                connection.execute(sql, [])?;
            }
            return Ok(true);
        }
        Ok(self.go_round(connection, keep, groups, done)? || self.sweep(connection, done)?)
    }

    /// Goes on sweeping; whether there was anything to sweep.
    fn sweep(&mut self, connection: &Connection, done: &mut ExpiredRecords) -> rusqlite::Result<bool> {
        if self.sweep.is_none() {
            self.sweep = match self.unswept {
                Unswept {
                    observations: true, ..
                } => Some(Sweep::begin(connection, Graph::Observations)?),
                Unswept { rows: true, .. } => Some(Sweep::begin(connection, Graph::Rows)?),
                Unswept { .. } => None,
            };
        }
        let Some(sweep) = &mut self.sweep else {
            return Ok(false);
        };
        if sweep.step(connection, done)? == JobProgress::Done {
            match sweep.graph {
                Graph::Observations => self.unswept.observations = false,
                Graph::Rows => self.unswept.rows = false,
            }
            self.sweep = None;
        }
        Ok(true)
    }

    /// How many rows the tally is to lose, about. That is looked at once an hour, for all rows are counted for it; and then some
    /// more go than have to, so that it is not so each hour.
    fn excess(&mut self, connection: &Connection, keep: &Retention) -> rusqlite::Result<u64> {
        let hour = hour_of(keep.now_ms);
        if let Some((excess, looked_at)) = self.excess
            && looked_at == hour
        {
            return Ok(excess);
        }
        let share = keep.max_bytes.unwrap_or(u64::MAX) / SHARE_OF_TALLY;
        let (rows, octets) = tally_size(connection)?;
        let beyond = if octets > share {
            octets - share + share / SPARE_OF_TALLY
        } else {
            0
        };
        let excess = beyond.saturating_mul(rows).div_ceil(octets.max(1));
        self.excess = Some((excess, hour));
        Ok(excess)
    }

    /// Begins to remove rows of the tally of days before this one, and no more than so many; whether there were any.
    fn begin_round(
        &mut self,
        connection: &Connection,
        keep: &Retention,
        groups: Option<&dyn Groups>,
        before: Day,
        most: u64,
        done: &mut ExpiredRecords,
    ) -> rusqlite::Result<bool> {
        if oldest_day(connection)?.is_none_or(|day| day >= before) {
            return Ok(false);
        }
        self.round = Some(Round::begin(connection, keep, before, most)?);
        self.go_round(connection, keep, groups, done)
    }

    /// Goes on removing rows of the tally; whether any had to go.
    fn go_round(
        &mut self,
        connection: &Connection,
        keep: &Retention,
        groups: Option<&dyn Groups>,
        done: &mut ExpiredRecords,
    ) -> rusqlite::Result<bool> {
        let Some(mut round) = self.round.take() else {
            return Ok(false);
        };
        self.next.retain(|next| next.day < round.before);
        if self.next.is_empty() {
            self.next = heaviest(connection, round.before, Day::at(keep.now_ms), groups)?;
        }
        if self.next.is_empty() {
            return Ok(false);
        }
        let is_more = self.remove_rows(connection, &mut round, done)?;
        self.round = is_more.then_some(round);
        Ok(true)
    }

    /// Removes those of the tally that go next, about as many as a step may; whether more of the round are left.
    fn remove_rows(
        &mut self,
        connection: &Connection,
        round: &mut Round,
        done: &mut ExpiredRecords,
    ) -> rusqlite::Result<bool> {
        let days = reporting::days(connection)?;
        let (mut most, mut looked) = (round.left.min(ROWS.unsigned_abs()), 0);
        while most > 0
            && looked < LOOK.unsigned_abs()
            && let Some(next) = self.next.last().copied()
        {
            let some = remove_rows(connection, &days, next, most)?;
            most -= some.removed;
            looked += some.looked;
            round.left -= some.removed;
            round.least = round.least.saturating_sub(some.removed);
            if some.distinct > 0 {
                self.unswept.rows = true;
            }
            self.excess = self
                .excess
                .map(|(excess, hour)| (excess.saturating_sub(some.removed), hour));
            done.tally_rows += some.removed;
            done.tally_rows_for_size += some.removed;
            done.distinct_rows += some.distinct;
            if most > 0 {
                self.next.pop();
                let is_another = self.next.last().is_none_or(|one| one.place != next.place);
                if is_another && round.least == 0 {
                    return Ok(false);
                }
            }
        }
        Ok(round.left > 0)
    }
}

/// The day before which nothing is recent: yesterday, or by what is stored where the clock is ahead of it.
fn recent(connection: &Connection, keep: &Retention) -> rusqlite::Result<Day> {
    let today = Day::at(keep.now_ms);
    let sql = "SELECT max(coalesce((SELECT max(hour) / 24 FROM hour WHERE hour / 24 <= ?1), 0), \
               coalesce((SELECT max(day) FROM tally WHERE day <= ?1), 0))";
    let newest: u32 = connection.query_row(sql, [today.0], |row| row.get(0))?;
    Ok(Day(newest).min(today).back(1))
}

/// Rows of the tally, and the octets that they and all they name take up, about.
fn tally_size(connection: &Connection) -> rusqlite::Result<(u64, u64)> {
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
fn heaviest(
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
struct Removed {
    /// Rows of the tally.
    removed: u64,
    /// Reporting rows that no other day has.
    distinct: u64,
    /// Entries and days looked at for it.
    looked: u64,
}

/// Removes the newest rows of a policy domain and day, at most so many, with the reporting rows that none of the days has.
fn remove_rows(connection: &Connection, days: &[Day], next: Next, most: u64) -> rusqlite::Result<Removed> {
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

/// On the way through the observations, to remove those of one group.
#[derive(Debug)]
struct Walk {
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
    fn begin(connection: &Connection, groups: Option<&dyn Groups>) -> rusqlite::Result<Option<Self>> {
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

    fn is_over(&self) -> bool {
        self.cursor >= self.last
    }

    /// Removes some; how many.
    fn step(&mut self, connection: &Connection, groups: Option<&dyn Groups>) -> rusqlite::Result<u64> {
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

/// Of an author as it is stored.
fn group_of(groups: Option<&dyn Groups>, author: Option<&str>) -> String {
    author.map_or_else(String::new, |author| group(groups, &unreversed(author)))
}

fn group(groups: Option<&dyn Groups>, name: &str) -> String {
    // Those of all names of an Organizational Domain are its own, too.
    let name = name.strip_prefix("*.").unwrap_or(name);
    groups.map_or_else(|| name.to_owned(), |groups| groups.organizational_domain(name))
}

fn hash(name: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    hasher.finish()
}

/// What is swept: whoever refers, and to what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Graph {
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
struct Sweep {
    graph: Graph,
    /// What all to this one refer to is marked.
    marked: i64,
    used: [Marks; 2],
    /// The table that is swept, and to which number it is.
    place: usize,
    cursor: i64,
}

impl Sweep {
    fn begin(connection: &Connection, graph: Graph) -> rusqlite::Result<Self> {
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

    /// Some of it. A step that removes marks everything before: nobody writes meanwhile.
    fn step(&mut self, connection: &Connection, done: &mut ExpiredRecords) -> rusqlite::Result<JobProgress> {
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
    fn hold_back(&mut self, connection: &Connection) -> rusqlite::Result<()> {
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
