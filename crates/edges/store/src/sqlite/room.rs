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

mod group;
mod limits;
mod sweep;
mod tally;
mod walk;

use rusqlite::Connection;

use super::remove::{ROWS, octets_over, oldest_day, oldest_hour, remove_hour, remove_traces_for_room};
use super::reporting;
use super::statements::Statements;
use crate::engine::JobProgress;
use crate::groups::Groups;
use crate::model::{Day, ExpiredRecords, Retention, hour_of};
use crate::outbox::upkeep;
use limits::{LEAST_OF_ROWS, LOOK, MOST_OF_ROWS};
use sweep::{Graph, Sweep};
use tally::{Next, heaviest, remove_rows, tally_size};
use walk::Walk;

/// The tally may take up one part in so many of the file: the rest is for what explains single messages.
const SHARE_OF_TALLY: u64 = 2;
/// Where it takes more, one part in so many goes beyond that.
const SPARE_OF_TALLY: u64 = 16;

/// What a step of expiry works with.
#[derive(Clone, Copy)]
pub(super) struct ExpiryContext<'a> {
    pub(super) connection: &'a Connection,
    pub(super) keep: &'a Retention,
    /// By what the limits on distinct rows go.
    pub(super) groups: Option<&'a dyn Groups>,
}

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
        context: ExpiryContext<'_>,
        done: &mut ExpiredRecords,
    ) -> rusqlite::Result<JobProgress> {
        if self.go_on(context, done)? {
            return Ok(JobProgress::More);
        }
        let recent = recent(context.connection, context.keep)?;
        let excess = self.excess(context.connection, context.keep)?;
        if excess > 0
            && (self.begin_round(context, recent, excess, done)?
                || self.begin_round(context, Day(u32::MAX), excess, done)?)
        {
            return Ok(JobProgress::More);
        }
        let removed = remove_traces_for_room(context.connection)?;
        if removed > 0 {
            done.traces += removed;
            done.traces_for_size += removed;
            return Ok(JobProgress::More);
        }
        let removed = upkeep::make_room(&Statements(context.connection))?;
        if removed > 0 {
            done.bodies_for_size += removed;
            return Ok(JobProgress::More);
        }
        if let Some(hour) =
            oldest_hour(context.connection)?.filter(|hour| *hour < hour_of(recent.begins_ms()))
        {
            // What only these had goes with their day (`last_day`): nobody has to look at all others for it.
            let removed = remove_hour(context.connection, hour)?;
            done.observations += removed;
            done.observations_for_size += removed;
            return Ok(JobProgress::More);
        }
        if self.begin_round(context, recent, u64::MAX, done)? {
            return Ok(JobProgress::More);
        }
        self.walk = Walk::begin(context.connection, context.groups)?;
        if self.walk.is_some() || self.begin_round(context, Day(u32::MAX), u64::MAX, done)? {
            return Ok(JobProgress::More);
        }
        Ok(JobProgress::Done)
    }

    /// Goes on with what is under way; whether there was anything.
    fn go_on(&mut self, context: ExpiryContext<'_>, done: &mut ExpiredRecords) -> rusqlite::Result<bool> {
        if let Some(walk) = &mut self.walk {
            self.unswept.observations = true;
            let removed = walk.step(context.connection, context.groups)?;
            done.observations += removed;
            done.observations_for_size += removed;
            if walk.is_over() {
                self.walk = None;
                let sql = "DELETE FROM hour WHERE NOT EXISTS (SELECT 1 FROM observation WHERE id BETWEEN first AND last)";
                context.connection.execute(sql, [])?;
            }
            return Ok(true);
        }
        Ok(self.go_round(context, done)? || self.sweep(context.connection, done)?)
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
            match sweep.graph() {
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
        context: ExpiryContext<'_>,
        before: Day,
        most: u64,
        done: &mut ExpiredRecords,
    ) -> rusqlite::Result<bool> {
        if oldest_day(context.connection)?.is_none_or(|day| day >= before) {
            return Ok(false);
        }
        self.round = Some(Round::begin(context.connection, context.keep, before, most)?);
        self.go_round(context, done)
    }

    /// Goes on removing rows of the tally; whether any had to go.
    fn go_round(&mut self, context: ExpiryContext<'_>, done: &mut ExpiredRecords) -> rusqlite::Result<bool> {
        let Some(mut round) = self.round.take() else {
            return Ok(false);
        };
        self.next.retain(|next| next.day < round.before);
        if self.next.is_empty() {
            self.next = heaviest(
                context.connection,
                round.before,
                Day::at(context.keep.now_ms),
                context.groups,
            )?;
        }
        if self.next.is_empty() {
            return Ok(false);
        }
        let is_more = self.remove_rows(context.connection, &mut round, done)?;
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
