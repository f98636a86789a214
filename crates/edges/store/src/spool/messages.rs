//! The observations of an entry and the texts of their traces, packed and unpacked.

use std::collections::HashMap;
use std::sync::Arc;

use super::frame::{self, Packer};
use super::octets::{Cursor, Fault, Writer};
use super::rows::{read_outcome, word, write_outcome};
use crate::digest::Digest;
use crate::limits::{MAX_BATCH, MAX_TRACE};
use crate::model::as_integer;
use crate::prepared::{KeptObservation, PreparedOutcome, Trace};

/// Packs observations, which there are some of.
pub(crate) fn pack_observations(kept: &[&KeptObservation], packer: &mut Packer) -> Vec<u8> {
    let mut outcomes = Table::default();
    let mut traces = Table::default();
    let base = kept.iter().map(|one| one.at_ms).min().unwrap_or_default();
    let mut writer = Writer::default();
    for one in kept {
        writer.number(one.at_ms - base);
        writer.text(&one.queue_id);
        writer.text(&one.short_id);
        writer.flag(one.client.is_some());
        one.client.into_iter().for_each(|client| writer.address(client));
        writer.number(outcomes.place(one.outcome_digest, &one.outcome));
        writer.number(
            one.trace
                .as_ref()
                .map_or(0, |trace| 1 + traces.place(trace.digest, trace)),
        );
        writer.number(one.questions.into());
        writer.number(one.ms.into());
    }
    let mut whole = Writer::default();
    whole.length(outcomes.all.len());
    outcomes.all.iter().for_each(|one| write_outcome(&mut whole, one));
    whole.length(traces.all.len());
    traces.all.iter().for_each(|trace| whole.0.extend(trace.digest.0));
    whole.number(as_integer(base).cast_unsigned());
    whole.length(kept.len());
    whole.0.extend(writer.0);
    packer.pack(&whole.0)
}

/// Different things, each with its place.
struct Table<'a, T> {
    places: HashMap<Digest, u64>,
    all: Vec<&'a T>,
}

impl<T> Default for Table<'_, T> {
    fn default() -> Self {
        Self {
            places: HashMap::new(),
            all: Vec::new(),
        }
    }
}

impl<'a, T> Table<'a, T> {
    fn place(&mut self, digest: Digest, one: &'a T) -> u64 {
        let next = self.all.len() as u64;
        let place = *self.places.entry(digest).or_insert(next);
        if place == next {
            self.all.push(one);
        }
        place
    }
}

pub(super) fn read_kept(
    frame: &[u8],
    held: u64,
    traces: &HashMap<Digest, Arc<str>>,
) -> Result<Vec<KeptObservation>, Fault> {
    let octets = frame::unpack(frame)?;
    let cursor = &mut Cursor::new(&octets);
    let outcomes = cursor.list(MAX_BATCH, |cursor| {
        read_outcome(cursor).map(|outcome| (outcome.digest(), outcome))
    })?;
    let digests = cursor.list(MAX_BATCH, |cursor| cursor.array().map(Digest))?;
    let base = cursor.number()?;
    let shared = SharedTrace {
        base,
        outcomes,
        traces: digests
            .into_iter()
            .map(|digest| trace_of(digest, traces))
            .collect(),
    };
    let kept = cursor.list(MAX_BATCH, |cursor| shared.read_one(cursor))?;
    cursor.end()?;
    if kept.len() as u64 != held {
        return Err(cursor.fault("another number of observations than it says"));
    }
    Ok(kept)
}

/// A trace whose text is not here was told in an earlier entry: its digest names it.
fn trace_of(digest: Digest, traces: &HashMap<Digest, Arc<str>>) -> (Digest, Arc<str>) {
    (
        digest,
        traces.get(&digest).map_or_else(|| Arc::from(""), Arc::clone),
    )
}

/// What observations of an entry have in common.
struct SharedTrace {
    base: u64,
    outcomes: Vec<(Digest, PreparedOutcome)>,
    traces: Vec<(Digest, Arc<str>)>,
}

impl SharedTrace {
    fn read_one(&self, cursor: &mut Cursor<'_>) -> Result<KeptObservation, Fault> {
        let at_ms = self.base.saturating_add(cursor.number()?);
        let (queue_id, short_id) = (word(cursor)?, word(cursor)?);
        let client = match cursor.flag()? {
            true => Some(cursor.address()?.to_canonical()),
            false => None,
        };
        let outcome = self.outcomes.get(place(cursor.number()?));
        let (outcome_digest, outcome) = outcome.ok_or(cursor.fault("an outcome that is not there"))?;
        let trace = match cursor.number()? {
            0 => None,
            number => {
                let trace = self.traces.get(place(number - 1));
                let (digest, text) = trace.ok_or(cursor.fault("a trace that is not there"))?;
                Some(Trace {
                    text: Arc::clone(text),
                    digest: *digest,
                })
            }
        };
        Ok(KeptObservation {
            at_ms: as_integer(at_ms).cast_unsigned(),
            queue_id,
            short_id,
            client,
            outcome: outcome.clone(),
            outcome_digest: *outcome_digest,
            trace,
            questions: cursor.small()?,
            ms: cursor.small()?,
            bytes: 0,
        })
    }
}

fn place(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// Packs the texts of traces, which there are some of.
pub(crate) fn pack_traces(texts: &[&str], packer: &mut Packer) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.length(texts.len());
    texts.iter().for_each(|text| writer.text(text));
    packer.pack(&writer.0)
}

pub(super) fn read_traces(frame: &[u8], held: u64) -> Result<HashMap<Digest, Arc<str>>, Fault> {
    let octets = frame::unpack(frame)?;
    let cursor = &mut Cursor::new(&octets);
    let texts = cursor.list(MAX_BATCH, |cursor| cursor.text(MAX_TRACE))?;
    cursor.end()?;
    if texts.len() as u64 != held || texts.contains(&"") {
        return Err(cursor.fault("another number of traces than it says"));
    }
    let texts = texts.into_iter();
    Ok(texts
        .map(|text| (Digest::of(text.as_bytes()), Arc::from(text)))
        .collect())
}
