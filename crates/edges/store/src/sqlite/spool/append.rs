//! The recorder's side: an entry in the transaction of each batch.

use std::collections::HashSet;
use std::sync::Arc;

use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use super::account::Account;
use super::evict::evict;
use crate::clock::now_ms;
use crate::digest::Digest;
use crate::folded::FoldedCounts;
use crate::model::{Day, HostId, RecordLosses, as_integer};
use crate::prepared::KeptObservation;
use crate::queue::Batch;
use crate::recent::Recent;
use crate::spool::{ENTRY, EntryCounts, Packer, Share, pack_counts, pack_observations, pack_traces};

/// Traces remembered as told: about 4 MB.
const REMEMBERED: usize = 50_000;

/// Appends entries.
#[derive(Debug)]
pub(in crate::sqlite) struct Appender {
    share: Arc<Share>,
    packer: Packer,
    /// What was told, with the outcome it was told with, and for which day. An outcome has one policy domain:
    /// where traces are kept by domain, the text is there.
    packed: Recent<(Digest, Digest), Day>,
    /// What the transaction under way had no room for.
    lost: RecordLosses,
}

impl Appender {
    /// Finds out who we are: at the first opening of a recorder, another host than before. For then the file may
    /// have been set back to an earlier state, whose next numbers were given out already.
    pub(in crate::sqlite) fn begin(
        connection: &Connection,
        inode: i64,
        share: &Arc<Share>,
    ) -> rusqlite::Result<Self> {
        let account = Account::read(connection)?;
        if !share.has_begun() || account.host.is_none() || !account.is_of_file(inode) {
            let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
            let mut account = Account::read(&transaction)?;
            account.claim_file(&transaction, inode)?;
            account.become_another()?;
            account.save(&transaction)?;
            transaction.commit()?;
            share.begins();
        }
        Ok(Self {
            share: Arc::clone(share),
            packer: Packer::new(),
            packed: Recent::new(REMEMBERED),
            lost: RecordLosses::default(),
        })
    }

    /// Appends what the batch has, as one entry, or as several where it counts very much.
    pub(in crate::sqlite) fn append(
        &mut self,
        connection: &Connection,
        batch: &Batch,
        counts: &FoldedCounts,
    ) -> rusqlite::Result<()> {
        let limits = self.share.limits;
        let mut kept: Vec<&KeptObservation> = Vec::new();
        if limits.observations {
            kept.extend(batch.records.iter().filter_map(|one| one.prepared.kept.as_ref()));
        }
        if counts.is_empty() && kept.is_empty() {
            return Ok(());
        }
        let mut account = Account::read(connection)?;
        let before = account.lost;
        self.append_entries(connection, &mut account, counts, &kept)?;
        evict(connection, &mut account, limits.bytes, &mut self.packer)?;
        account.save(connection)?;
        self.lost = since(account.lost, before);
        if self.lost.traces > 0 {
            // What refers to them is without, so they are told again.
            self.packed = Recent::new(REMEMBERED);
        }
        Ok(())
    }

    /// What was appended is on disk.
    pub(in crate::sqlite) fn committed(&mut self) {
        self.share.add_lost(std::mem::take(&mut self.lost));
    }

    /// Nothing was appended.
    pub(in crate::sqlite) fn rolled_back(&mut self) {
        self.packed = Recent::new(REMEMBERED);
        self.lost = RecordLosses::default();
    }

    fn append_entries(
        &mut self,
        connection: &Connection,
        account: &mut Account,
        counts: &FoldedCounts,
        kept: &[&KeptObservation],
    ) -> rusqlite::Result<()> {
        let host = account.identity()?;
        let closed_ms = as_integer(now_ms());
        let (observations, traces, held) = self.pack_messages(kept);
        for (place, part) in pack_counts(counts, &mut self.packer).into_iter().enumerate() {
            // Messages go with the first.
            let messages = if place == 0 { held } else { EntryCounts::default() };
            let entry = Entry {
                host,
                closed_ms,
                rows: part.rows,
                counts: &part.octets,
                observations: observations.as_deref().filter(|_| place == 0),
                traces: traces.as_deref().filter(|_| place == 0),
                held: EntryCounts {
                    messages: part.messages,
                    rule_hits: part.rule_hits,
                    ..messages
                },
            };
            entry.insert(connection, account)?;
        }
        Ok(())
    }

    /// The observations, and the texts that were not told before.
    fn pack_messages(
        &mut self,
        kept: &[&KeptObservation],
    ) -> (Option<Vec<u8>>, Option<Vec<u8>>, EntryCounts) {
        if kept.is_empty() {
            return (None, None, EntryCounts::default());
        }
        let mut texts = Vec::new();
        let mut here = HashSet::new();
        for one in kept {
            let Some(trace) = &one.trace else { continue };
            let (key, day) = ((trace.digest, one.outcome_digest), one.day());
            if self.packed.find(key).is_some_and(|packed_on| packed_on >= day) {
                continue;
            }
            self.packed.remember(key, day);
            if here.insert(trace.digest) {
                texts.push(&*trace.text);
            }
        }
        let traces = (!texts.is_empty()).then(|| pack_traces(&texts, &mut self.packer));
        let held = EntryCounts {
            observations: kept.len() as u64,
            traces: texts.len() as u64,
            ..EntryCounts::default()
        };
        (Some(pack_observations(kept, &mut self.packer)), traces, held)
    }
}

/// An entry on its way into the spool.
struct Entry<'a> {
    host: HostId,
    closed_ms: i64,
    rows: usize,
    counts: &'a [u8],
    observations: Option<&'a [u8]>,
    traces: Option<&'a [u8]>,
    held: EntryCounts,
}

impl Entry<'_> {
    fn insert(&self, connection: &Connection, account: &mut Account) -> rusqlite::Result<()> {
        let (id, number, held) = (account.next_id, account.next, self.held);
        let sql = "INSERT INTO spool (id, host, first, number, closed_ms, handed_out, messages, rule_hits, \
                   observation_count, trace_count, row_count, counts) \
                   VALUES (?1, ?2, ?3, ?3, ?4, 0, ?5, ?6, ?7, ?8, ?9, ?10)";
        connection.prepare_cached(sql)?.execute(params![
            id,
            self.host.octets(),
            number,
            self.closed_ms,
            held.messages,
            held.rule_hits,
            held.observations,
            held.traces,
            self.rows,
            self.counts
        ])?;
        if let Some(octets) = self.observations {
            let sql = "INSERT INTO spool_observations (id, octets) VALUES (?1, ?2)";
            connection.prepare_cached(sql)?.execute((id, octets))?;
        }
        if let Some(octets) = self.traces {
            let sql = "INSERT INTO spool_traces (id, octets) VALUES (?1, ?2)";
            connection.prepare_cached(sql)?.execute((id, octets))?;
        }
        let length = |frame: Option<&[u8]>| frame.map_or(0, <[u8]>::len);
        let octets = ENTRY + self.counts.len() + length(self.observations) + length(self.traces);
        account.next_id += 1;
        account.next += 1;
        account.entries += 1;
        account.octets += octets as u64;
        account.messages += held.messages;
        Ok(())
    }
}

fn since(now: RecordLosses, before: RecordLosses) -> RecordLosses {
    RecordLosses {
        traces: now.traces - before.traces,
        observations: now.observations - before.observations,
        tallies: now.tallies - before.tallies,
        rule_hits: now.rule_hits - before.rule_hits,
    }
}
