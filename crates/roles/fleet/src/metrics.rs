//! What is counted of handing on, and of taking in.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use landmarc_store::{Applied, SpoolStatus};

use landmarc_runtime::clock::now_ms;
use landmarc_runtime::metrics::{BYTES, MetricWriter, SECONDS, collect};
use prometheus_client::registry::Registry;

/// The counters. There are none of what this host does not do.
#[derive(Debug, Default)]
pub struct FleetMetrics {
    hands_on: AtomicBool,
    shipped: AtomicU64,
    failed: AtomicU64,
    late: AtomicU64,
    /// How the spool was when it was looked at last.
    waiting_messages: AtomicU64,
    waiting_octets: AtomicU64,
    oldest_ms: AtomicU64,
    lost: [AtomicU64; 4],
    takes_in: AtomicBool,
    taken: AtomicU64,
    taken_late: AtomicU64,
    refused: AtomicU64,
}

impl FleetMetrics {
    /// What waited was handed on, and so much was new where it went.
    pub fn shipped(&self, applied: &Applied) {
        self.hands_on.store(true, Relaxed);
        self.shipped.fetch_add(applied.messages, Relaxed);
        self.late.fetch_add(applied.of_reported_days, Relaxed);
    }

    /// It could not be handed on.
    pub fn failed(&self) {
        self.hands_on.store(true, Relaxed);
        self.failed.fetch_add(1, Relaxed);
    }

    /// How the spool is now.
    pub fn spool(&self, status: &SpoolStatus) {
        self.hands_on.store(true, Relaxed);
        self.waiting_messages.store(status.messages, Relaxed);
        self.waiting_octets.store(status.octets, Relaxed);
        self.oldest_ms.store(status.oldest_ms.unwrap_or(0), Relaxed);
        let lost = &status.lost;
        let counts = [lost.traces, lost.observations, lost.tallies, lost.rule_hits];
        for (place, count) in self.lost.iter().zip(counts) {
            place.store(count, Relaxed);
        }
    }

    /// Records of another host were taken in.
    pub fn taken(&self, applied: &Applied) {
        self.takes_in.store(true, Relaxed);
        self.taken.fetch_add(applied.messages, Relaxed);
        self.taken_late.fetch_add(applied.of_reported_days, Relaxed);
    }

    /// They were not.
    pub fn refused(&self) {
        self.takes_in.store(true, Relaxed);
        self.refused.fetch_add(1, Relaxed);
    }

    /// Adds all of it to what is printed.
    pub fn register(self: &Arc<Self>, registry: &mut Registry) {
        let metrics = Arc::clone(self);
        collect(registry, move |writer| metrics.write(writer));
    }

    fn write(&self, writer: &mut MetricWriter<'_>) -> fmt::Result {
        if self.hands_on.load(Relaxed) {
            self.write_handing_on(writer)?;
        }
        if !self.takes_in.load(Relaxed) {
            return Ok(());
        }
        writer.counter(
            "landmarc_collector_messages",
            "Messages of other hosts that were taken in.",
            self.taken.load(Relaxed),
        )?;
        writer.counter(
            "landmarc_collector_messages_late",
            "Those among them that came after the reports of their day were made.",
            self.taken_late.load(Relaxed),
        )?;
        writer.counter(
            "landmarc_collector_refusals",
            "Segments of other hosts that could not be taken in.",
            self.refused.load(Relaxed),
        )
    }

    fn write_handing_on(&self, writer: &mut MetricWriter<'_>) -> fmt::Result {
        writer.counter(
            "landmarc_fleet_messages",
            "Messages of this host that the fleet counts.",
            self.shipped.load(Relaxed),
        )?;
        writer.counter(
            "landmarc_fleet_messages_late",
            "Those among them that came after the reports of their day were made.",
            self.late.load(Relaxed),
        )?;
        writer.counter(
            "landmarc_fleet_failures",
            "Attempts to hand on what waits that failed.",
            self.failed.load(Relaxed),
        )?;
        writer.gauge(
            "landmarc_spool_messages",
            "Messages that wait to be handed on.",
            None,
            &self.waiting_messages.load(Relaxed),
        )?;
        writer.gauge(
            "landmarc_spool",
            "What waits to be handed on takes up so much on disk.",
            BYTES,
            &self.waiting_octets.load(Relaxed),
        )?;
        let age_ms = match self.oldest_ms.load(Relaxed) {
            0 => 0,
            since_ms => now_ms().saturating_sub(since_ms),
        };
        writer.gauge(
            "landmarc_spool_oldest",
            "For how long the oldest of them waits.",
            SECONDS,
            &(age_ms / 1_000),
        )?;
        let kinds = ["trace", "observation", "tally", "rule_hit"];
        let lost = kinds.iter().zip(&self.lost);
        writer.counters(
            "landmarc_spool_lost",
            "What was given up since there was no more room for it to wait, by kind.",
            lost.map(|(kind, count)| ([("kind", *kind)], count.load(Relaxed))),
        )
    }
}
