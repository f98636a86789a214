//! What one batch recorded, packed and unpacked: what it counts, its observations, and the traces that were not
//! told before, each in a frame of its own, so that the later ones can go before the first does.

use std::collections::HashMap;

use super::counts::EntryCounts;
use super::counts::read_counts;
use super::frame;
use super::messages::{read_kept, read_traces};
use super::octets::Fault;
use crate::digest::Digests;
use crate::folded::FoldedCounts;
use crate::model::RecordLosses;
use crate::prepared::KeptObservation;

/// An entry, unpacked.
#[derive(Debug, Default)]
pub(crate) struct Closed {
    /// The first of its numbers. There are several where the counts of several entries were folded together.
    pub(crate) first: u64,
    /// The last of its numbers.
    pub(crate) last: u64,
    /// When it was written, by the clock of the host.
    pub(crate) closed_ms: u64,
    /// What it counts.
    pub(crate) counts: FoldedCounts,
    /// Its observations.
    pub(crate) kept: Vec<KeptObservation>,
    /// Messages that it counts.
    pub(crate) messages: u64,
}

/// An entry, packed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sealed {
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) closed_ms: u64,
    /// What there is in its frames, or was.
    pub(crate) held: EntryCounts,
    pub(crate) counts: Option<Vec<u8>>,
    pub(crate) observations: Option<Vec<u8>>,
    pub(crate) traces: Option<Vec<u8>>,
}

/// Where in an entry something is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Misread {
    pub(super) part: &'static str,
    pub(super) fault: Fault,
}

impl Sealed {
    /// What is not there any more.
    pub(crate) fn lost(&self) -> RecordLosses {
        let gone = |frame: &Option<Vec<u8>>, held: u64| if frame.is_none() { held } else { 0 };
        RecordLosses {
            traces: gone(&self.traces, self.held.traces),
            observations: gone(&self.observations, self.held.observations),
            tallies: gone(&self.counts, self.held.messages),
            rule_hits: gone(&self.counts, self.held.rule_hits),
        }
    }

    /// Messages that it still counts.
    pub(crate) fn messages(&self) -> u64 {
        self.held.messages - self.lost().tallies
    }

    /// Its frames, one after the other.
    pub(super) fn frames(&self) -> [&Option<Vec<u8>>; 3] {
        [&self.counts, &self.observations, &self.traces]
    }

    /// Octets of its frames, packed.
    pub(crate) fn packed(&self) -> usize {
        self.frames().into_iter().flatten().map(Vec::len).sum()
    }

    /// Octets of its frames when they are unpacked, as they say.
    pub(super) fn unpacked(&self) -> Result<usize, Misread> {
        let frames = self.frames().into_iter().flatten();
        let lengths = frames.map(|frame| frame::unpacked_length(frame));
        let sum: Result<usize, Fault> = lengths.sum();
        sum.map_err(of("frames"))
    }

    /// The same; nothing where they say what cannot be, which is told when it is unpacked.
    pub(crate) fn unpacked_or_none(&self) -> usize {
        self.unpacked().unwrap_or(0)
    }

    /// Unpacks it. Digests are made anew.
    pub(super) fn open(&self, digests: &Digests) -> Result<Closed, Misread> {
        let counts = match &self.counts {
            Some(frame) => read_counts(frame, self.held, digests).map_err(of("counts"))?,
            None => FoldedCounts::default(),
        };
        let traces = match &self.traces {
            Some(frame) => read_traces(frame, self.held.traces).map_err(of("traces"))?,
            None => HashMap::new(),
        };
        let kept = match &self.observations {
            Some(frame) => read_kept(frame, self.held.observations, &traces).map_err(of("observations"))?,
            None => Vec::new(),
        };
        Ok(Closed {
            first: self.first,
            last: self.last,
            closed_ms: self.closed_ms,
            counts,
            kept,
            messages: self.messages(),
        })
    }
}

fn of(part: &'static str) -> impl Fn(Fault) -> Misread {
    move |fault| Misread { part, fault }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::digest::Digest;
    use crate::prepared::Prepared;
    use crate::prepared::tests::{observation, prepared, row};
    use crate::spool::counts::pack_counts;
    use crate::spool::frame::Packer;
    use crate::spool::messages::{pack_observations, pack_traces};
    use landmarc_observation::Observation;

    fn counts_of(all: &[Prepared]) -> FoldedCounts {
        let mut folded = FoldedCounts::default();
        all.iter().for_each(|one| folded.add(one));
        folded
    }

    fn sealed(all: &[Prepared], texts: &[&str]) -> Sealed {
        let packer = &mut Packer::new();
        let counts = pack_counts(&counts_of(all), packer).remove(0);
        let kept: Vec<&KeptObservation> = all.iter().filter_map(|one| one.kept.as_ref()).collect();
        Sealed {
            first: 1,
            last: 1,
            closed_ms: 5,
            held: EntryCounts {
                messages: counts.messages,
                rule_hits: counts.rule_hits,
                observations: kept.len() as u64,
                traces: texts.len() as u64,
            },
            counts: Some(counts.octets),
            observations: Some(pack_observations(&kept, packer)),
            traces: Some(pack_traces(texts, packer)),
        }
    }

    /// A row and an outcome with something in each field.
    fn full(number: u64) -> Observation {
        let mut one = observation(number);
        let triple = |name: &str| ("d.example".to_owned(), name.to_owned(), "pass".to_owned());
        let mut row = row("example.com");
        row.published.np = Some("none".to_owned());
        row.published.testing = true;
        row.published.psd = true;
        row.published.rua = vec!["mailto:a@example.com".to_owned(); 2];
        row.published.ruf = vec!["mailto:f@example.com".to_owned()];
        row.published.problems = vec!["a tag twice".to_owned()];
        row.source_ip = "2001:db8::7".parse().unwrap();
        row.spf_aligned = true;
        row.incidental = true;
        row.reasons = vec![("other".to_owned(), "é".to_owned())];
        row.envelope_from = Some(String::new());
        row.envelope_to = Some("example.org".to_owned());
        row.dkim = vec![triple("s1"), triple("s2")];
        row.spf = Some(triple("mfrom"));
        one.row = Some(row);
        one.client = Some("2001:db8::7".parse().unwrap());
        one.overrides = vec![("other".to_owned(), "why".to_owned())];
        one.rule = Some("rule".to_owned());
        one
    }

    #[test]
    fn what_is_packed_comes_back_field_for_field() {
        let mut bare = observation(3);
        (bare.client, bare.author_domain, bare.policy_domain, bare.policy) = (None, None, None, None);
        (bare.trace, bare.row) = (Arc::from(""), None);
        let all: Vec<_> = [full(1), observation(2), bare, full(9)].map(prepared).into();
        let text = &*observation(0).trace;
        let entry = sealed(&all, &[text]);
        let closed = entry.open(&Digests::new()).unwrap();
        let expected: Vec<_> = all.iter().filter_map(|one| one.kept.as_ref()).collect();
        for (found, expected) in closed.kept.iter().zip(&expected) {
            let plain = |kept: &KeptObservation| {
                let digest = kept.outcome_digest;
                let trace = kept
                    .trace
                    .as_ref()
                    .map(|trace| (trace.text.to_string(), trace.digest));
                let numbers = (kept.at_ms, kept.questions, kept.ms);
                let ids = (kept.queue_id.clone(), kept.short_id.clone(), kept.client);
                (digest, format!("{:?}", kept.outcome), trace, numbers, ids)
            };
            assert_eq!(plain(found), plain(expected));
        }
        let counts = counts_of(&all);
        let plain = |folded: &FoldedCounts| {
            let rows = folded.tallies.iter();
            let mut rows: Vec<_> = rows
                .map(|(key, (one, count))| format!("{key:?} {:?} {count}", one.row))
                .collect();
            rows.sort();
            (rows, folded.rules.clone())
        };
        assert_eq!((closed.kept.len(), plain(&closed.counts)), (4, plain(&counts)));
        assert_eq!((closed.messages, closed.closed_ms), (3, 5));
    }

    #[test]
    fn a_trace_that_is_not_there_is_named() {
        let all = [prepared(observation(1))];
        let entry = Sealed {
            traces: None,
            ..sealed(&all, &["x"])
        };
        assert_eq!(entry.lost().traces, 1);
        let closed = entry.open(&Digests::new()).unwrap();
        let trace = closed.kept[0].trace.as_ref().unwrap();
        assert!(trace.is_reference());
        assert_eq!(trace.digest, Digest::of(observation(1).trace.as_bytes()));
    }
}
