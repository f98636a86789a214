//! A segment: the octets in which entries of one host travel, whether in a file or over a connection.
//!
//! Numbers are little-endian.
//!
//! | octets | |
//! |---|---|
//! | 8 | [`MAGIC`] |
//! | 2 | version of all that follows |
//! | 16 | id of the host |
//! | 1 and so many | its name |
//! | 8, 8 | the first number, the last |
//! | 4 | how many entries follow |
//! | 7 × 8 | of each entry: its first number, its last, when it was closed; messages, hits of rules, observations, traces that it holds or held |
//! | 3 × 4 | how long its frames are: counts, observations, traces; 0 for one that had to go |
//! | so many | the frames |
//! | 32 | SHA-256 over everything before |

use std::iter;

use super::counts::EntryCounts;
use super::entry::{Closed, Misread, Sealed};
use super::error::SegmentError;
use super::frame::MAX_FRAME;
use super::octets::{Cursor, Fault};
use crate::digest::Digests;
use crate::limits::{MAX_SUM, MAX_WORD};
use crate::model::{HostId, RecordLosses};

/// What a segment begins with.
const MAGIC: [u8; 8] = *b"lmrc-seg";
/// The version that is written, and the last one that is read.
const VERSION: u16 = 1;
/// Octets of the checksum.
const CHECKSUM: usize = 32;
/// Octets before the entries, but for the name.
const HEAD: usize = 8 + 2 + 16 + 1 + 8 + 8 + 4;
/// Octets of an entry, but for its frames.
pub(crate) const ENTRY: usize = 7 * 8 + 3 * 4;

/// Most octets of a segment.
pub const MAX_SEGMENT: usize = 32 << 20;
/// Most octets of all its frames when they are unpacked.
pub const MAX_UNPACKED: usize = 64 << 20;
/// Most entries of a segment.
pub const MAX_ENTRIES: usize = 65_536;

/// Entries of one host on their way to others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    host: HostId,
    name: String,
    entries: Vec<Sealed>,
}

impl Segment {
    /// `entries` are in the order of their numbers, and there is one at least.
    pub(crate) fn new(host: HostId, name: &str, entries: Vec<Sealed>) -> Self {
        let name = name.get(..name.floor_char_boundary(MAX_WORD)).unwrap_or(name);
        Self {
            host,
            name: name.replace(char::is_control, "_"),
            entries,
        }
    }

    /// Reads a segment, and makes sure that all of it can be applied.
    ///
    /// # Errors
    /// When the octets are not those of a whole segment as a version up to this one wrote it, or past a limit.
    pub fn read(octets: &[u8]) -> Result<Self, SegmentError> {
        let content = checked(octets)?;
        let segment = read_all(content)?;
        segment.closed().try_for_each(|entry| entry.map(drop))?;
        Ok(segment)
    }

    /// The octets that [`Segment::read`] reads.
    pub fn to_octets(&self) -> Vec<u8> {
        let mut octets = Vec::with_capacity(self.octets());
        octets.extend(MAGIC);
        octets.extend(VERSION.to_le_bytes());
        octets.extend(self.host.octets());
        octets.push(u8::try_from(self.name.len()).unwrap_or(u8::MAX));
        octets.extend(self.name.as_bytes());
        octets.extend(self.first().to_le_bytes());
        octets.extend(self.last().to_le_bytes());
        octets.extend(length(self.entries.len()));
        for entry in &self.entries {
            write_entry(&mut octets, entry);
        }
        let checksum = ring::digest::digest(&ring::digest::SHA256, &octets);
        octets.extend(checksum.as_ref());
        octets
    }

    /// The id of the host whose entries these are.
    pub fn host(&self) -> HostId {
        self.host
    }

    /// The name of that host.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The first number.
    pub fn first(&self) -> u64 {
        self.entries.first().map_or(0, |entry| entry.first)
    }

    /// The last number.
    pub fn last(&self) -> u64 {
        self.entries.last().map_or(0, |entry| entry.last)
    }

    /// How many entries there are.
    pub fn entries(&self) -> usize {
        self.entries.len()
    }

    /// How many messages they count.
    pub fn messages(&self) -> u64 {
        self.entries
            .iter()
            .map(Sealed::messages)
            .fold(0, u64::saturating_add)
    }

    /// What had to go from them at the host for want of room.
    pub fn lost(&self) -> RecordLosses {
        let entries = self.entries.iter().map(Sealed::lost);
        entries.fold(RecordLosses::default(), RecordLosses::and)
    }

    /// How many octets it takes.
    pub fn octets(&self) -> usize {
        let entries = self.entries.iter().map(|entry| ENTRY + entry.packed());
        HEAD + self.name.len() + entries.sum::<usize>() + CHECKSUM
    }

    /// The entries, unpacked one by one.
    pub(crate) fn closed(&self) -> impl Iterator<Item = Result<Closed, SegmentError>> {
        let digests = Digests::new();
        let entries = self.entries.iter();
        entries.map(move |entry| entry.open(&digests).map_err(|misread| misread.named(entry.first)))
    }
}

/// What is before the checksum, when that holds.
fn checked(octets: &[u8]) -> Result<&[u8], SegmentError> {
    let (magic, rest) = octets.split_first_chunk().ok_or_else(|| beginning(octets))?;
    if *magic != MAGIC {
        return Err(SegmentError::Foreign);
    }
    let (version, rest) = rest.split_first_chunk().ok_or_else(|| beginning(octets))?;
    let found = u16::from_le_bytes(*version);
    if found > VERSION {
        let known = VERSION;
        return Err(SegmentError::Newer { found, known });
    }
    if octets.len() > MAX_SEGMENT {
        return Err(SegmentError::TooLarge {
            what: "octets",
            found: octets.len(),
            limit: MAX_SEGMENT,
        });
    }
    let end = end_of(rest).map_err(|place| SegmentError::CutOff {
        at: octets.len(),
        place,
    })?;
    let end = octets.len() - rest.len() + end;
    let (content, behind) = octets.split_at_checked(end).ok_or(SegmentError::Changed)?;
    match behind.len() {
        CHECKSUM => {}
        0..CHECKSUM => {
            return Err(SegmentError::CutOff {
                at: octets.len(),
                place: "in its checksum".to_owned(),
            });
        }
        more => {
            return Err(SegmentError::Trailing {
                at: end + CHECKSUM,
                octets: more - CHECKSUM,
            });
        }
    }
    if ring::digest::digest(&ring::digest::SHA256, content).as_ref() != behind || found == 0 {
        return Err(SegmentError::Changed);
    }
    Ok(rest.get(..rest.len() - CHECKSUM).unwrap_or_default())
}

/// Fewer octets than the version takes.
fn beginning(octets: &[u8]) -> SegmentError {
    if !octets.is_empty() && iter::zip(octets, MAGIC).all(|(found, wanted)| *found == wanted) {
        return SegmentError::CutOff {
            at: octets.len(),
            place: "before its entries".to_owned(),
        };
    }
    SegmentError::Foreign
}

/// Where the checksum begins, by the lengths in it; or where it is that something is missing.
fn end_of(octets: &[u8]) -> Result<usize, String> {
    let cursor = &mut Cursor::new(octets);
    let head = |_: Fault| "before its entries".to_owned();
    let count = read_head(cursor).map_err(head)?.entries;
    for number in 1..=count {
        let entry = |_: Fault| format!("in entry {number} of {count}");
        cursor.octets(7 * 8).map_err(entry)?;
        let lengths = frame_lengths(cursor).map_err(entry)?;
        for length in lengths {
            cursor.octets(length).map_err(entry)?;
        }
    }
    Ok(cursor.at())
}

struct Head {
    host: HostId,
    name: Vec<u8>,
    first: u64,
    last: u64,
    entries: usize,
}

fn read_head(cursor: &mut Cursor<'_>) -> Result<Head, Fault> {
    let host = HostId::from(cursor.array()?);
    let [name] = cursor.array()?;
    Ok(Head {
        host,
        name: cursor.octets(name.into())?.to_vec(),
        first: u64::from_le_bytes(cursor.array()?),
        last: u64::from_le_bytes(cursor.array()?),
        entries: read_length(cursor)?,
    })
}

fn frame_lengths(cursor: &mut Cursor<'_>) -> Result<[usize; 3], Fault> {
    Ok([read_length(cursor)?, read_length(cursor)?, read_length(cursor)?])
}

fn read_length(cursor: &mut Cursor<'_>) -> Result<usize, Fault> {
    let number = u32::from_le_bytes(cursor.array()?);
    Ok(usize::try_from(number).unwrap_or(usize::MAX))
}

fn read_all(content: &[u8]) -> Result<Segment, SegmentError> {
    let cursor = &mut Cursor::new(content);
    let place = |fault: Fault| impossible(fault, "its head".to_owned());
    let head = read_head(cursor).map_err(place)?;
    let name = String::from_utf8(head.name);
    let name = name.map_err(|_| place(cursor.fault("a name that is not UTF-8")))?;
    // It is shown on terminals.
    if name.contains(char::is_control) {
        return Err(place(cursor.fault("a name with what cannot be shown")));
    }
    limit("entries", head.entries, MAX_ENTRIES)?;
    let mut entries = Vec::new();
    let mut unpacked = 0;
    for number in 1..=head.entries {
        let place = |fault: Fault| impossible(fault, format!("entry {number} of {}", head.entries));
        let entry = read_entry(cursor).map_err(place)?;
        let before = entries.last().map_or(0, |entry: &Sealed| entry.last);
        if entry.first <= before || entry.last < entry.first || entry.last > MAX_SUM {
            return Err(place(cursor.fault("a number that cannot be")));
        }
        unpacked += entry.unpacked().map_err(|misread| misread.named(entry.first))?;
        limit("octets when it is unpacked", unpacked, MAX_UNPACKED)?;
        entries.push(entry);
    }
    let segment = Segment {
        host: head.host,
        name,
        entries,
    };
    if (head.first, head.last) != (segment.first(), segment.last()) || head.first == 0 {
        return Err(place(cursor.fault("numbers that are not those of its entries")));
    }
    cursor.end().map_err(place)?;
    Ok(segment)
}

fn limit(what: &'static str, found: usize, limit: usize) -> Result<(), SegmentError> {
    if found > limit {
        return Err(SegmentError::TooLarge { what, found, limit });
    }
    Ok(())
}

fn impossible(fault: Fault, place: String) -> SegmentError {
    SegmentError::Impossible {
        what: fault.what,
        at: fault.at,
        place,
    }
}

impl Misread {
    /// As the error of the entry that begins with this number.
    fn named(self, first: u64) -> SegmentError {
        impossible(self.fault, format!("the {} of entry {first}", self.part))
    }
}

fn write_entry(octets: &mut Vec<u8>, entry: &Sealed) {
    let held = entry.held;
    for number in [entry.first, entry.last, entry.closed_ms] {
        octets.extend(number.to_le_bytes());
    }
    for count in [held.messages, held.rule_hits, held.observations, held.traces] {
        octets.extend(count.to_le_bytes());
    }
    for frame in entry.frames() {
        octets.extend(length(frame.as_ref().map_or(0, Vec::len)));
    }
    for frame in entry.frames().into_iter().flatten() {
        octets.extend(frame);
    }
}

fn read_entry(cursor: &mut Cursor<'_>) -> Result<Sealed, Fault> {
    let mut number = || cursor.array().map(u64::from_le_bytes);
    let (first, last, closed_ms) = (number()?, number()?, number()?);
    let held = EntryCounts {
        messages: number()?,
        rule_hits: number()?,
        observations: number()?,
        traces: number()?,
    };
    let counts = [held.messages, held.rule_hits, held.observations, held.traces];
    if counts.iter().any(|count| *count > MAX_SUM) {
        return Err(cursor.fault("a count that cannot be"));
    }
    let [counts, observations, traces] = frame_lengths(cursor)?;
    let mut frame = |length: usize| -> Result<Option<Vec<u8>>, Fault> {
        match length {
            0 => Ok(None),
            length => cursor.octets(length).map(|octets| Some(octets.to_vec())),
        }
    };
    Ok(Sealed {
        first,
        last,
        closed_ms,
        held,
        counts: frame(counts)?,
        observations: frame(observations)?,
        traces: frame(traces)?,
    })
}

/// A frame is a few octets longer than what it unpacks to, at most; and entries are counted.
fn length(length: usize) -> [u8; 4] {
    debug_assert!(length <= 2 * MAX_FRAME, "a frame is bounded");
    u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes()
}

#[cfg(test)]
mod tests;
