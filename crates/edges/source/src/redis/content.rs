//! What is in a key.

use std::collections::BTreeMap;

use landmarc_migrate::rspamd::{RspamdEntry, RspamdRecordError, Shape, Unread, UnreadPart};
use redis::cmd;

use super::RedisError;
use super::keys::FoundKey;
use super::session::{Connection, RedisSession};

/// The most entries of a hash or a sorted set. rspamd keeps `max_entries` of them, 1000 by default.
pub const MAX_ENTRIES: usize = 50_000;
/// The most lines of a list, which nobody ever shortens.
pub const MAX_LINES: usize = 500_000;
/// Octets of the entries of a key that are kept. An entry has some hundred.
pub const MAX_CONTENT_OCTETS: usize = 64 * 1024 * 1024;
/// How many entries a page of HSCAN or ZSCAN is to have.
const PAGE: usize = 1_000;
/// The lines of a page: a list of no more is read in one command, so that what is added meanwhile shifts nothing.
const PAGE_OF_LINES: usize = 50_000;
/// The most entries of one key that are told as broken.
const MAX_BROKEN: usize = 20;

/// What a key holds now, on all servers together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Content {
    /// Its entries, in the order of their octets.
    pub entries: Vec<RspamdEntry>,
    /// What could not be read, as far as it is told.
    pub unread: Vec<Unread>,
    /// How many entries could not be read.
    pub unread_count: u64,
}

/// What stands there, and how many messages each stands for, or why that cannot be told.
type Written = BTreeMap<Vec<u8>, Result<u64, RspamdRecordError>>;

impl RedisSession {
    /// Reads a key. One that is gone by now is empty.
    ///
    /// # Errors
    /// When a server does not answer.
    pub async fn content(&mut self, found: &FoundKey) -> Result<Content, RedisError> {
        let mut all = Written::new();
        let mut is_cut = false;
        for (server, name) in &found.parts {
            let Some(connection) = self.connections.get_mut(*server) else {
                continue;
            };
            let (written, cut) = match found.key.shape {
                Shape::Lines => connection.lines(name).await?,
                Shape::Counters => connection.counts("HSCAN", name).await?,
                Shape::Scores => connection.counts("ZSCAN", name).await?,
            };
            is_cut |= cut;
            add(&mut all, written);
        }
        Ok(content(found, all, is_cut))
    }
}

impl Connection {
    /// A list: equal lines are counted. rspamd adds at the head, so it is read from the tail, where nothing shifts.
    async fn lines(&mut self, name: &[u8]) -> Result<(Written, bool), RedisError> {
        let length: usize = self.ask(cmd("LLEN").arg(name)).await?;
        let (mut counts, mut read, mut octets) = (BTreeMap::<Vec<u8>, u64>::new(), 0, 0_usize);
        while read < length.min(MAX_LINES) && octets < MAX_CONTENT_OCTETS {
            let page = PAGE_OF_LINES.min(MAX_LINES - read);
            // Counted from the tail, the last one being -1; a start before the head is the head.
            let mut command = cmd("LRANGE");
            command
                .arg(name)
                .arg(negative(read + page))
                .arg(negative(read + 1));
            let lines: Vec<Vec<u8>> = self.ask(&command).await?;
            if lines.is_empty() {
                break;
            }
            read += lines.len();
            for line in lines {
                octets = octets.saturating_add(line.len());
                *counts.entry(line).or_default() += 1;
            }
        }
        let written = counts.into_iter().map(|(line, count)| (line, Ok(count)));
        Ok((written.collect(), read < length))
    }

    /// A hash or a sorted set, which may name an entry twice while it changes: the larger count is the later one.
    async fn counts(&mut self, scan: &str, name: &[u8]) -> Result<(Written, bool), RedisError> {
        let (mut written, mut cursor, mut octets) = (Written::new(), 0_u64, 0_usize);
        loop {
            let mut command = cmd(scan);
            command.arg(name).arg(cursor).arg("COUNT").arg(PAGE);
            let (next, page): (u64, Vec<Vec<u8>>) = self.ask(&command).await?;
            let mut words = page.into_iter();
            while let (Some(entry), Some(count)) = (words.next(), words.next()) {
                octets = octets.saturating_add(entry.len());
                let count = RspamdEntry::count(&count);
                let known = written.entry(entry).or_insert_with(|| count.clone());
                *known = larger(known, count);
            }
            if next == 0 {
                return Ok((written, false));
            }
            if written.len() >= MAX_ENTRIES || octets >= MAX_CONTENT_OCTETS {
                return Ok((written, true));
            }
            cursor = next;
        }
    }
}

fn negative(position: usize) -> i64 {
    i64::try_from(position).map_or(i64::MIN, |position| -position)
}

fn larger(
    a: &Result<u64, RspamdRecordError>,
    b: Result<u64, RspamdRecordError>,
) -> Result<u64, RspamdRecordError> {
    match (a, b) {
        (Ok(a), Ok(b)) => Ok(b.max(*a)),
        (Ok(a), Err(_)) => Ok(*a),
        (Err(_), b) => b,
    }
}

/// Adds what another server, or the other half of a key that is being reported, has of the same entries.
fn add(all: &mut Written, written: Written) {
    for (entry, count) in written {
        let sum = match (all.get(&entry), count) {
            (Some(Ok(a)), Ok(b)) => Ok(a.saturating_add(b)),
            (Some(Ok(a)), Err(_)) => Ok(*a),
            (_, count) => count,
        };
        all.insert(entry, sum);
    }
}

fn content(found: &FoundKey, all: Written, is_cut: bool) -> Content {
    let mut content = Content::default();
    let unread = |what| Unread {
        key: found.key.name.as_bytes().to_owned(),
        what,
    };
    for (octets, count) in all {
        match count.and_then(|count| RspamdEntry::read(&octets, count, found.key.shape)) {
            Ok(entry) => content.entries.push(entry),
            Err(error) => {
                content.unread_count += 1;
                if content.unread.len() < MAX_BROKEN {
                    content.unread.push(unread(UnreadPart::Entry { octets, error }));
                }
            }
        }
    }
    if is_cut {
        let read = match found.key.shape {
            Shape::Lines => MAX_LINES,
            Shape::Counters | Shape::Scores => MAX_ENTRIES,
        };
        content.unread_count += 1;
        content.unread.push(unread(UnreadPart::TooMany { read }));
    }
    content
}
