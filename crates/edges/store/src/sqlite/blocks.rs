//! Finding observations without an index that each message has to be put into.
//!
//! Observations are numbered in the order of recording; 65,536 numbers are a block. When a block
//! is full, its queue ids, short ids and outcomes are read once more, sorted, and appended to two
//! tables: a lookup then asks each block once, and reads the unfinished block whole.
//!
//! An index in a tree would cost each message three writes in random pages, four kilobytes each,
//! and would be a third empty. Figures of both: docs of the crate.

use std::collections::{BTreeMap, HashMap};

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};

/// Numbers of a block: a place in it is two octets.
pub(super) const BLOCK: i64 = 1 << PLACE_BITS;
const PLACE_BITS: u32 = 16;
/// Slices of the names of a block, by the first bits of the hash: about 128 names each, so that
/// several slices fill a page of the database and a lookup reads one.
const SLICE_BITS: u32 = 10;
/// Octets of an entry: three of the hash and two of the place.
const ENTRY: usize = 5;

/// The block of an observation.
pub(super) fn block_of(number: i64) -> i64 {
    number >> PLACE_BITS
}

/// The number of the observation at a place of a block.
pub(super) fn number_at(block: i64, place: u16) -> i64 {
    (block << PLACE_BITS) | i64::from(place)
}

/// The first number that no block index covers.
pub(super) fn unsealed_from(connection: &Connection) -> rusqlite::Result<i64> {
    let sql = "SELECT coalesce(max(block) + 1, 0) FROM name";
    let block: i64 = connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
    Ok(block << PLACE_BITS)
}

/// The number the next observation gets: behind all there are, and never in a finished block.
pub(super) fn next_number(connection: &Connection) -> rusqlite::Result<i64> {
    let sql = "SELECT coalesce(max(id) + 1, 0) FROM observation";
    let next: i64 = connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
    Ok(next.max(unsealed_from(connection)?))
}

/// Indexes the oldest block that is full and has no index yet; whether there was one.
pub(super) fn seal_one(connection: &Connection, next: i64) -> rusqlite::Result<bool> {
    let from = unsealed_from(connection)?;
    let sql = "SELECT min(id) FROM observation WHERE id >= ?1";
    let first: Option<i64> = connection
        .prepare_cached(sql)?
        .query_row([from], |row| row.get(0))
        .optional()?
        .flatten();
    match first.map(block_of) {
        Some(block) if block < block_of(next) => seal(connection, block).map(|()| true),
        _ => Ok(false),
    }
}

fn seal(connection: &Connection, block: i64) -> rusqlite::Result<()> {
    let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    write_index(&transaction, block)?;
    transaction.commit()
}

/// Makes the index of a finished block anew, after observations in the middle of it went.
pub(super) fn seal_again(connection: &Connection, block: i64) -> rusqlite::Result<()> {
    let sql = "DELETE FROM name WHERE block = ?1 AND slice > (SELECT min(slice) FROM name WHERE block = ?1)";
    // One slice stays where the block is empty: it says which numbers were given out.
    connection.execute(sql, [block])?;
    connection.execute("UPDATE name SET entries = x'' WHERE block = ?1", [block])?;
    connection.execute("DELETE FROM posting WHERE block = ?1", [block])?;
    write_index(connection, block)
}

fn write_index(connection: &Connection, block: i64) -> rusqlite::Result<()> {
    let (names, postings) = contents(connection, block)?;
    let mut insert = connection
        .prepare_cached("INSERT OR REPLACE INTO name (block, slice, entries) VALUES (?1, ?2, ?3)")?;
    for (slice, entries) in names {
        insert.execute((block, slice, entries))?;
    }
    drop(insert);
    let mut insert = connection
        .prepare_cached("INSERT OR REPLACE INTO posting (block, outcome, places) VALUES (?1, ?2, ?3)")?;
    for (outcome, places) in postings {
        insert.execute((block, outcome, places))?;
    }
    Ok(())
}

/// Entries by slice, and places by outcome.
type Contents = (BTreeMap<u32, Vec<u8>>, BTreeMap<i64, Vec<u8>>);

fn contents(connection: &Connection, block: i64) -> rusqlite::Result<Contents> {
    let sql =
        "SELECT id, queue_id, short_id, outcome FROM observation WHERE id BETWEEN ?1 AND ?2 ORDER BY id";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query((number_at(block, 0), number_at(block, u16::MAX)))?;
    let mut hashes: Vec<(u32, [u8; 2])> = Vec::new();
    let mut postings: HashMap<i64, Vec<u8>> = HashMap::new();
    while let Some(row) = rows.next()? {
        let place = place_of(row.get(0)?).to_be_bytes();
        for column in [1, 2] {
            let name = row.get_ref(column)?.as_str()?;
            if !name.is_empty() {
                hashes.push((hash(name), place));
            }
        }
        postings.entry(row.get(3)?).or_default().extend(place);
    }
    hashes.sort_unstable();
    let mut names: BTreeMap<u32, Vec<u8>> = BTreeMap::new();
    for (hash, place) in hashes {
        let entries = names.entry(slice_of(hash)).or_default();
        entries.extend(tail_of(hash));
        entries.extend(place);
    }
    Ok((names, postings.into_iter().collect()))
}

fn place_of(number: i64) -> u16 {
    u16::try_from(number & (BLOCK - 1)).unwrap_or(u16::MAX)
}

/// The numbers that may have this name, oldest first: those with its hash in finished blocks.
/// The caller compares the names, and reads the unfinished block.
pub(super) fn with_name(connection: &Connection, name: &str) -> rusqlite::Result<Vec<i64>> {
    let hash = hash(name);
    let sql = "SELECT min(block), max(block) FROM name";
    let ends: (Option<i64>, Option<i64>) = connection
        .prepare_cached(sql)?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let (Some(first), Some(last)) = ends else {
        return Ok(Vec::new());
    };
    let mut statement =
        connection.prepare_cached("SELECT entries FROM name WHERE block = ?1 AND slice = ?2")?;
    let mut found = Vec::new();
    for block in first..=last {
        let mut rows = statement.query((block, slice_of(hash)))?;
        if let Some(row) = rows.next()? {
            let entries = row.get_ref(0)?.as_blob()?;
            found.extend(places_with(entries, tail_of(hash)).map(|place| number_at(block, place)));
        }
    }
    found.dedup();
    Ok(found)
}

fn places_with(entries: &[u8], tail: [u8; 3]) -> impl Iterator<Item = u16> {
    entries
        .chunks_exact(ENTRY)
        .filter(move |entry| entry.starts_with(&tail))
        .filter_map(|entry| entry.last_chunk())
        .map(|place| u16::from_be_bytes(*place))
}

/// The places in a blob of `posting`.
pub(super) fn places(blob: &[u8]) -> impl Iterator<Item = u16> {
    blob.chunks_exact(2)
        .filter_map(|place| place.first_chunk())
        .map(|place| u16::from_be_bytes(*place))
}

fn slice_of(hash: u32) -> u32 {
    hash >> (u32::BITS - SLICE_BITS)
}

fn tail_of(hash: u32) -> [u8; 3] {
    let [_, a, b, c] = hash.to_be_bytes();
    [a, b, c]
}

/// FNV-1a of 64 bits, folded: it is on disk, so it must never change. Names are our own ids and
/// those of our MTA; who could choose them would only make a lookup slower.
fn hash(name: &str) -> u32 {
    let wide = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let [a, b, c, d, e, f, g, h] = wide.to_be_bytes();
    u32::from_be_bytes([a ^ e, b ^ f, c ^ g, d ^ h])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_a_block_and_a_place() {
        assert_eq!(number_at(3, 7), 3 * 65_536 + 7);
        assert_eq!(block_of(number_at(3, u16::MAX)), 3);
        assert_eq!(block_of(number_at(4, 0)), 4);
        assert_eq!(place_of(number_at(4, 9)), 9);
    }

    #[test]
    fn the_hash_on_disk_stays_the_same() {
        assert_eq!(hash(""), 0xcbf2_9ce4 ^ 0x8422_2325);
        // FNV-1a of "a" is af63dc4c8601ec8c.
        assert_eq!(hash("a"), 0xaf63_dc4c ^ 0x8601_ec8c);
    }

    #[test]
    fn entries_are_found_by_their_tail() {
        let entries = [1, 2, 3, 0, 9, 1, 2, 3, 1, 0, 1, 2, 4, 0, 7, 99];
        let found: Vec<_> = places_with(&entries, [1, 2, 3]).collect();
        assert_eq!(found, [9, 256]);
        assert_eq!(places(&[0, 1, 2, 0, 5]).collect::<Vec<_>>(), [1, 512]);
    }
}
