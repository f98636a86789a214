//! What goes when the spool is past its limit: traces, then observations, the oldest first; then counts are folded
//! together, and in the end they are lost.
//!
//! Counts move only between entries that nobody was handed: else a collector that has one of them, and whose
//! answer was lost, would count again what has moved into another. An entry into which others were folded has
//! all their numbers, and is skipped whole by whoever knows any of them.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::account::Account;
use crate::digest::Digests;
use crate::folded::FoldedCounts;
use crate::model::HostId;
use crate::spool::{
    ENTRY, EntryCounts, LONG_COUNTS, MAX_ROWS, PackedCounts, Packer, counts_in, pack_counts, unpacked_length,
};

/// Entries that are folded into one at a time.
const FOLD: usize = 64;
/// Fewer at the end of the spool wait until there are more.
const FOLD_LEAST: usize = 8;
/// A round of folding was worth it when it saved one octet in so many: then there is another.
const WORTH: u64 = 8;
/// Where counts cannot be folded fast enough, they are lost when the spool is past its limit by one octet in so many.
const HEADROOM: u64 = 8;
/// How much is done in one batch, in traces or observations of an entry,
const WORK: u32 = 512;
/// of which folding is worth so many.
const FOLDING: u32 = 64;

/// Makes room, as far as that can be done while mail waits; the next batch goes on with it.
pub(super) fn evict(
    connection: &Connection,
    account: &mut Account,
    most: u64,
    packer: &mut Packer,
) -> rusqlite::Result<()> {
    let mut work = WORK;
    while account.octets > most && work > 0 {
        let past_headroom = account.octets > most.saturating_add(most / HEADROOM);
        if drop_traces(connection, account)? || drop_observations(connection, account)? {
            work -= 1;
        } else if work >= FOLDING && fold(connection, account, packer)? {
            work -= FOLDING;
        } else if (work >= FOLDING || past_headroom) && lose_counts(connection, account)? {
            work -= 1;
        } else {
            break;
        }
    }
    Ok(())
}

/// Drops the oldest frame of a table; how many of its kind were in it.
fn drop_oldest(
    connection: &Connection,
    account: &mut Account,
    table: &str,
    count: &str,
) -> rusqlite::Result<Option<u64>> {
    let sql =
        format!("DELETE FROM {table} WHERE id = (SELECT min(id) FROM {table}) RETURNING id, length(octets)");
    let Some((id, octets)) = dropped(connection, &sql)? else {
        return Ok(None);
    };
    account.shrink(octets);
    counted(
        connection,
        &format!("SELECT {count} FROM spool WHERE id = ?1"),
        id,
    )
    .map(Some)
}

fn drop_traces(connection: &Connection, account: &mut Account) -> rusqlite::Result<bool> {
    let lost = drop_oldest(connection, account, "spool_traces", "trace_count")?;
    account.lost.traces += lost.unwrap_or(0);
    Ok(lost.is_some())
}

fn drop_observations(connection: &Connection, account: &mut Account) -> rusqlite::Result<bool> {
    let lost = drop_oldest(connection, account, "spool_observations", "observation_count")?;
    account.lost.observations += lost.unwrap_or(0);
    Ok(lost.is_some())
}

fn dropped(connection: &Connection, sql: &str) -> rusqlite::Result<Option<(i64, u64)>> {
    let mut statement = connection.prepare_cached(sql)?;
    statement
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()
}

fn counted(connection: &Connection, sql: &str, id: i64) -> rusqlite::Result<u64> {
    let count = connection.prepare_cached(sql)?.query_row([id], |row| row.get(0));
    Ok(count.optional()?.unwrap_or(0))
}

/// An entry without its frames.
#[derive(Clone, Copy)]
struct Outline {
    id: i64,
    host: HostId,
    first: u64,
    number: u64,
    held: EntryCounts,
    rows: usize,
    /// Octets of its counts; none when they are lost.
    octets: Option<u64>,
}

const OUTLINE: &str = "SELECT id, host, first, number, messages, rule_hits, observation_count, trace_count, \
                       row_count, length(counts) FROM spool";

impl Outline {
    fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            host: row.get::<_, [u8; 16]>(1)?.into(),
            first: row.get(2)?,
            number: row.get(3)?,
            held: EntryCounts {
                messages: row.get(4)?,
                rule_hits: row.get(5)?,
                observations: row.get(6)?,
                traces: row.get(7)?,
            },
            rows: row.get(8)?,
            octets: row.get(9)?,
        })
    }

    /// Whether the other one comes right behind it, and both have their counts or neither has.
    fn is_before(&self, other: &Self) -> bool {
        self.host == other.host
            && self.number.checked_add(1) == Some(other.first)
            && self.octets.is_some() == other.octets.is_some()
    }

    /// Takes in what the other one holds.
    fn take_in(&mut self, other: &Self) {
        self.number = other.number;
        self.held.messages += other.held.messages;
        self.held.rule_hits += other.held.rule_hits;
        self.held.observations += other.held.observations;
        self.held.traces += other.held.traces;
    }
}

/// Folds some entries into one; false when there are none that are worth it.
fn fold(connection: &Connection, account: &mut Account, packer: &mut Packer) -> rusqlite::Result<bool> {
    let candidates = candidates(connection, account.fold_from)?;
    if candidates.len() < FOLD_LEAST {
        if account.fold_saved < (account.octets / WORTH).max(1) {
            return Ok(false);
        }
        // Once more, from the beginning: what was folded may be folded again.
        account.fold_from = 0;
        account.fold_saved = 0;
        return Ok(true);
    }
    let run = run(connection, &candidates)?.max(1);
    let (folded, next) = candidates.split_at(run);
    account.fold_from = next.first().or(folded.last()).map_or(0, |one| one.id);
    if next.is_empty() {
        account.fold_from += 1;
    }
    if let [into, others @ ..] = folded
        && !others.is_empty()
    {
        fold_into(connection, account, packer, *into, others)?;
    }
    Ok(true)
}

fn candidates(connection: &Connection, from: i64) -> rusqlite::Result<Vec<Outline>> {
    let sql = format!("{OUTLINE} WHERE id >= ?1 AND handed_out = 0 ORDER BY id LIMIT ?2");
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map((from, FOLD), Outline::of)?;
    rows.collect()
}

/// How many of them, from the first on, go into one entry.
fn run(connection: &Connection, candidates: &[Outline]) -> rusqlite::Result<usize> {
    let (mut rows, mut unpacked) = (0, 0);
    for (place, one) in candidates.iter().enumerate() {
        let before = place.checked_sub(1).and_then(|place| candidates.get(place));
        rows += one.rows;
        if let Some(frame) = counts_of(connection, one.id)? {
            // One that is damaged stays as it is: whoever takes it is told, and mail is recorded meanwhile.
            let Some(octets) = unpacked_length(&frame) else {
                return Ok(place);
            };
            unpacked += octets;
        }
        if rows > MAX_ROWS || unpacked > LONG_COUNTS || before.is_some_and(|before| !before.is_before(one)) {
            return Ok(place);
        }
    }
    Ok(candidates.len())
}

fn counts_of(connection: &Connection, id: i64) -> rusqlite::Result<Option<Vec<u8>>> {
    let mut statement = connection.prepare_cached("SELECT counts FROM spool WHERE id = ?1")?;
    statement.query_row([id], |row| row.get(0))
}

fn fold_into(
    connection: &Connection,
    account: &mut Account,
    packer: &mut Packer,
    mut into: Outline,
    others: &[Outline],
) -> rusqlite::Result<()> {
    let digests = Digests::new();
    let mut all = FoldedCounts::default();
    for one in std::iter::once(&into).chain(others) {
        if let Some(frame) = counts_of(connection, one.id)? {
            let Some(counts) = counts_in(&frame, one.held, &digests) else {
                return Ok(());
            };
            all.merge(counts);
        }
    }
    let before: u64 = std::iter::once(&into)
        .chain(others)
        .filter_map(|one| one.octets)
        .sum();
    let packed = match into.octets {
        None => None,
        Some(_) => match <[PackedCounts; 1]>::try_from(pack_counts(&all, packer)) {
            Ok([packed]) => Some(packed),
            // Too long for one, however that came about.
            Err(_) => return Ok(()),
        },
    };
    others.iter().for_each(|one| into.take_in(one));
    for one in others {
        remove(connection, one.id)?;
    }
    let octets = packed.as_ref().map(|packed| packed.octets.as_slice());
    save(
        connection,
        &into,
        packed.as_ref().map_or(0, |packed| packed.rows),
        octets,
    )?;
    let after = octets.map_or(0, <[u8]>::len) as u64;
    let saved = (before + (ENTRY * others.len()) as u64).saturating_sub(after);
    account.octets = (account.octets + after).saturating_sub(before + (ENTRY * others.len()) as u64);
    account.entries = account.entries.saturating_sub(others.len() as u64);
    account.fold_saved += saved;
    Ok(())
}

fn remove(connection: &Connection, id: i64) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM spool WHERE id = ?1")?
        .execute([id])?;
    Ok(())
}

fn save(connection: &Connection, one: &Outline, rows: usize, counts: Option<&[u8]>) -> rusqlite::Result<()> {
    let sql = "UPDATE spool SET number = ?2, messages = ?3, rule_hits = ?4, observation_count = ?5, \
               trace_count = ?6, row_count = ?7, counts = ?8 WHERE id = ?1";
    let held = one.held;
    connection.prepare_cached(sql)?.execute(params![
        one.id,
        one.number,
        held.messages,
        held.rule_hits,
        held.observations,
        held.traces,
        rows,
        counts
    ])?;
    Ok(())
}

/// The counts of the oldest entry that has any are lost. Its number stays, together with those of the one
/// before it where that is empty as well.
fn lose_counts(connection: &Connection, account: &mut Account) -> rusqlite::Result<bool> {
    let sql = format!("{OUTLINE} WHERE counts IS NOT NULL ORDER BY id LIMIT 1");
    let found = connection
        .prepare_cached(&sql)?
        .query_row([], Outline::of)
        .optional()?;
    let Some(mut one) = found else {
        return Ok(false);
    };
    account.lost.tallies += one.held.messages;
    account.lost.rule_hits += one.held.rule_hits;
    account.messages = account.messages.saturating_sub(one.held.messages);
    account.shrink(one.octets.unwrap_or(0));
    one.octets = None;
    let sql = format!("{OUTLINE} WHERE id < ?1 AND handed_out = 0 ORDER BY id DESC LIMIT 1");
    let before = connection
        .prepare_cached(&sql)?
        .query_row([one.id], Outline::of)
        .optional()?;
    match before.filter(|before| before.is_before(&one) && !is_handed_out(connection, one.id)) {
        Some(mut before) => {
            before.take_in(&one);
            remove(connection, one.id)?;
            account.entries = account.entries.saturating_sub(1);
            account.shrink(ENTRY as u64);
            save(connection, &before, 0, None)?;
        }
        None => save(connection, &one, 0, None)?,
    }
    Ok(true)
}

fn is_handed_out(connection: &Connection, id: i64) -> bool {
    let sql = "SELECT handed_out FROM spool WHERE id = ?1";
    let handed_out = connection.query_row(sql, [id], |row| row.get(0));
    // When in doubt it was.
    handed_out.unwrap_or(true)
}
