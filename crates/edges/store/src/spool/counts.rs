//! What an entry counts, packed and unpacked.

use std::sync::Arc;

use super::frame::{self, Packer};
use super::octets::{Cursor, Fault, Writer};
use super::rows::{read_row, write_row};
use crate::digest::Digests;
use crate::folded::{FoldedCounts, Hits};
use crate::limits::{MAX_SUM, MAX_WORD};
use crate::model::Day;
use crate::prepared::CountedRow;

/// Most reporting rows of an entry, and most rules.
pub(crate) const MAX_ROWS: usize = 65_536;
/// Octets of counts after which another entry is begun.
pub(crate) const LONG_COUNTS: usize = 4 << 20;

/// How much an entry holds of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct EntryCounts {
    pub(crate) messages: u64,
    pub(crate) rule_hits: u64,
    pub(crate) observations: u64,
    pub(crate) traces: u64,
}

/// A packed frame of counts.
#[derive(Debug)]
pub(crate) struct PackedCounts {
    pub(crate) messages: u64,
    pub(crate) rule_hits: u64,
    /// Rows and rules.
    pub(crate) rows: usize,
    pub(crate) octets: Vec<u8>,
}

/// Packs counts: into one frame, even where there are none, or into several where they are long.
pub(crate) fn pack_counts(counts: &FoldedCounts, packer: &mut Packer) -> Vec<PackedCounts> {
    let mut packed = Vec::new();
    let mut part = Part::default();
    for (counted, count) in counts.tallies.values() {
        part.add_row(counted, *count);
        part = part.or_begin_anew(&mut packed, packer);
    }
    for (name, hits) in &counts.rules {
        part.add_rule(name, *hits);
        part = part.or_begin_anew(&mut packed, packer);
    }
    if part.rows + part.rules > 0 || packed.is_empty() {
        packed.push(part.pack(packer));
    }
    packed
}

/// A frame of counts in the making.
#[derive(Default)]
struct Part {
    rows: usize,
    rules: usize,
    messages: u64,
    rule_hits: u64,
    row_octets: Writer,
    rule_octets: Writer,
}

impl Part {
    fn add_row(&mut self, counted: &CountedRow, count: u64) {
        let writer = &mut self.row_octets;
        writer.number(u64::from(counted.day.0));
        writer.number(count);
        write_row(writer, &counted.row);
        self.rows += 1;
        self.messages += count;
    }

    fn add_rule(&mut self, name: &str, hits: Hits) {
        let writer = &mut self.rule_octets;
        writer.text(name);
        writer.number(hits.count);
        writer.number(hits.first_ms);
        writer.number(hits.last_ms);
        self.rules += 1;
        self.rule_hits += hits.count;
    }

    fn or_begin_anew(self, packed: &mut Vec<PackedCounts>, packer: &mut Packer) -> Self {
        let octets = self.row_octets.0.len() + self.rule_octets.0.len();
        if octets < LONG_COUNTS && self.rows < MAX_ROWS && self.rules < MAX_ROWS {
            return self;
        }
        packed.push(self.pack(packer));
        Self::default()
    }

    fn pack(&self, packer: &mut Packer) -> PackedCounts {
        let mut writer = Writer::default();
        writer.length(self.rows);
        writer.0.extend(&self.row_octets.0);
        writer.length(self.rules);
        writer.0.extend(&self.rule_octets.0);
        PackedCounts {
            messages: self.messages,
            rule_hits: self.rule_hits,
            rows: self.rows + self.rules,
            octets: packer.pack(&writer.0),
        }
    }
}

/// What a frame of counts holds, when it is as much as is said of it.
pub(super) fn read_counts(frame: &[u8], held: EntryCounts, digests: &Digests) -> Result<FoldedCounts, Fault> {
    let octets = frame::unpack(frame)?;
    let cursor = &mut Cursor::new(&octets);
    let mut folded = FoldedCounts::default();
    let mut messages = 0;
    for _ in 0..cursor.length(MAX_ROWS, "too many rows")? {
        let day = cursor.small()?;
        let count = cursor.number()?;
        messages = count.saturating_add(messages);
        if Day(day) > Day::at(u64::MAX) || count == 0 || messages > MAX_SUM {
            return Err(cursor.fault("a day or a count that cannot be"));
        }
        let row = read_row(cursor)?;
        folded.add_tally(CountedRow::new(Day(day), row, digests), count);
    }
    let mut rule_hits = 0;
    for _ in 0..cursor.length(MAX_ROWS, "too many rules")? {
        let name = Arc::from(cursor.text(MAX_WORD)?);
        let hits = Hits {
            count: cursor.number()?,
            first_ms: cursor.number()?,
            last_ms: cursor.number()?,
        };
        rule_hits = hits.count.saturating_add(rule_hits);
        if rule_hits > MAX_SUM {
            return Err(cursor.fault("a count that cannot be"));
        }
        folded.add_hits(name, hits);
    }
    cursor.end()?;
    if (messages, rule_hits) != (held.messages, held.rule_hits) {
        return Err(cursor.fault("another number of messages than it says"));
    }
    Ok(folded)
}

/// The same, for those who fold what they have packed; none when it is damaged.
pub(crate) fn counts_in(frame: &[u8], held: EntryCounts, digests: &Digests) -> Option<FoldedCounts> {
    read_counts(frame, held, digests).ok()
}

/// How many octets a frame unpacks to; none when it is damaged.
pub(crate) fn unpacked_length(frame: &[u8]) -> Option<usize> {
    frame::unpacked_length(frame).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prepared::tests::row;

    #[test]
    fn counts_that_are_long_go_into_several_frames() {
        let digests = Digests::new();
        let mut counts = FoldedCounts::default();
        for number in 0..60 {
            let mut row = row(&format!("{number}.example"));
            row.published.rua = vec![format!("{number:01000}"); crate::MAX_LIST];
            counts.add_tally(CountedRow::new(Day(7), row, &digests), number + 1);
        }
        let parts = pack_counts(&counts, &mut Packer::new());
        assert_eq!(parts.len(), 2, "six million octets");
        let mut back = FoldedCounts::default();
        for part in &parts {
            let held = EntryCounts {
                messages: part.messages,
                rule_hits: part.rule_hits,
                ..EntryCounts::default()
            };
            back.merge(read_counts(&part.octets, held, &digests).unwrap());
            assert!(unpacked_length(&part.octets).unwrap() < 2 * LONG_COUNTS);
        }
        assert_eq!((back.lost(), back.len()), (counts.lost(), 60));
    }

    #[test]
    fn rows_are_read_to_the_limit_and_not_past_it() {
        let digests = Digests::new();
        let frame = |rules: usize| {
            let mut part = Part::default();
            let hits = Hits {
                count: 1,
                first_ms: 1,
                last_ms: 1,
            };
            (0..rules).for_each(|number| part.add_rule(&number.to_string(), hits));
            part.pack(&mut Packer::new())
        };
        for (rules, is_read) in [(MAX_ROWS, true), (MAX_ROWS + 1, false)] {
            let held = EntryCounts {
                rule_hits: rules as u64,
                ..EntryCounts::default()
            };
            let found = read_counts(&frame(rules).octets, held, &digests);
            assert_eq!(found.is_ok(), is_read, "{rules}");
        }
    }

    #[test]
    fn no_count_goes_past_what_a_database_sums() {
        let digests = Digests::new();
        let read = |counts: [u64; 2]| {
            let mut part = Part::default();
            for (place, count) in counts.into_iter().enumerate() {
                let row = row(&format!("{place}.example"));
                part.add_row(&CountedRow::new(Day(7), row, &digests), count);
            }
            let packed = part.pack(&mut Packer::new());
            let held = EntryCounts {
                messages: packed.messages,
                ..EntryCounts::default()
            };
            read_counts(&packed.octets, held, &digests).is_ok()
        };
        assert!(read([1, MAX_SUM - 1]));
        for wrong in [[1, MAX_SUM], [MAX_SUM + 1, 1], [0, 1]] {
            assert!(!read(wrong), "{wrong:?}");
        }
    }
}
