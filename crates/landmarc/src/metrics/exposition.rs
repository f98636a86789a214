//! The text that Prometheus reads: every name, its help and its unit.
//!
//! Names follow the habits of Prometheus: base units, `_total` for what only grows. Where a metric
//! is added, it is added to `docs/monitoring.md` too.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use landmarc_dns::resolver;
use landmarc_interfaces::Door;
use landmarc_receiver::seen::{Seen, Table};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, text};
use prometheus_client::registry::Registry;

use super::Metrics;
use super::counts::{OTHER, places, words};
use super::process::Process;
use super::reloads::Reloads;
use super::sheet::{BYTES, SECONDS, Sheet};
use crate::seen::SeenStatus;

/// What is read elsewhere at the moment of asking. What is not there is left out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sources {
    pub(crate) milter: Option<landmarc_milter::Statistics>,
    pub(crate) dns: Option<resolver::Statistics>,
    /// Each name server, and whether it answers.
    pub(crate) name_servers: Vec<(SocketAddr, bool)>,
    pub(crate) store: Option<landmarc_store::Statistics>,
    /// Octets of long header sections that are held, and how many may be.
    pub(crate) header_memory: Option<(u64, u64)>,
    /// What the records of the last days show.
    pub(crate) seen: Option<SeenStatus>,
    pub(crate) process: Process,
}

impl Sources {
    /// With what the system knows of us.
    pub(crate) fn of_process() -> Self {
        Self {
            process: Process::read(),
            ..Self::default()
        }
    }
}

pub(super) fn encode(metrics: &Arc<Metrics>, sources: Sources) -> String {
    let page = Page {
        metrics: Arc::clone(metrics),
        sources,
    };
    let mut registry = Registry::default();
    registry.register_collector(Box::new(page));
    let mut encoded = String::new();
    // Writing to a string does not fail; should an encoder of the crate, the page is cut short, has
    // no `# EOF`, and so is refused by its reader.
    if text::encode(&mut encoded, &registry).is_err() {
        tracing::error!("a bug: the metrics cannot be written");
    }
    encoded
}

/// All that is told, at one moment.
#[derive(Debug)]
struct Page {
    metrics: Arc<Metrics>,
    sources: Sources,
}

impl Collector for Page {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut sheet = Sheet(encoder);
        self.messages(&mut sheet)?;
        self.mechanisms(&mut sheet)?;
        self.distributions(&mut sheet)?;
        self.metrics.reporting.write(&mut sheet)?;
        self.metrics.rspamd.write(&mut sheet)?;
        self.metrics.fleet.write(&mut sheet)?;
        let Sources {
            milter,
            dns,
            name_servers,
            store,
            header_memory,
            seen,
            process,
        } = &self.sources;
        milter
            .as_ref()
            .map_or(Ok(()), |milter| sessions(&mut sheet, milter))?;
        header_memory.map_or(Ok(()), |(used, limit)| memory(&mut sheet, used, limit))?;
        dns.as_ref().map_or(Ok(()), |dns| questions(&mut sheet, dns))?;
        answering(&mut sheet, name_servers)?;
        store
            .as_ref()
            .map_or(Ok(()), |store| records(&mut sheet, store))?;
        seen.as_ref()
            .map_or(Ok(()), |status| of_seen(&mut sheet, status))?;
        settings(&mut sheet, self.metrics.reloads())?;
        sheet.info(
            "landmarc_build",
            "The version that runs.",
            [("version", env!("CARGO_PKG_VERSION"))],
        )?;
        of_process(&mut sheet, process, self.metrics.started)
    }
}

impl Page {
    fn messages(&self, sheet: &mut Sheet<'_>) -> fmt::Result {
        let Metrics {
            messages,
            would,
            held,
            skipped,
            doors,
            failures,
            rfc7489_differences,
            failure_candidates,
            rule_hits,
            ..
        } = &*self.metrics;
        sheet.counters(
            "landmarc_messages",
            "Messages that were judged, by what DMARC found, what was done and what the mail server was told.",
            kinds_of_messages(&messages.read()),
        )?;
        let [_, would @ ..] = labelled("action", words::STEP, would.read());
        sheet.counters(
            "landmarc_would",
            "Messages that were accepted because mode is observe, by what enforcing would have done.",
            would,
        )?;
        sheet.gauge(
            "landmarc_held_messages",
            "Messages that were sent to the hold queue of the mail server within the last 24 hours.",
            None,
            &held.within_a_day(Instant::now()),
        )?;
        sheet.counters(
            "landmarc_messages_skipped",
            "Messages that were not to be judged, by why.",
            without_other(labelled("reason", words::SKIPPED, skipped.read())),
        )?;
        sheet.counters(
            "landmarc_door_messages",
            "Messages that came to their end, judged or not, by the door they came by.",
            labelled("door", Door::ALL.map(Door::as_str), doors.read()),
        )?;
        sheet.counters(
            "landmarc_failures",
            "Messages that could not be judged, by why: see the table failures of the settings.",
            without_other(labelled("cause", words::FAILURE, failures.read())),
        )?;
        let [differences] = rfc7489_differences.read();
        sheet.counter(
            "landmarc_rfc7489_differences",
            "Messages of which RFC 7489 and RFC 9989 say different things.",
            differences,
        )?;
        sheet.counters(
            "landmarc_failure_candidates",
            "Messages that a failure report may be made of, by whether the reporter had room for them.",
            labelled("outcome", ["taken", "dropped"], failure_candidates.read()),
        )?;
        let hits = rule_hits.read();
        sheet.counters(
            "landmarc_rule_hits",
            "Messages that a rule of the operator decided, by its name.",
            hits.iter().map(|(name, hits)| ([("rule", name.as_str())], *hits)),
        )
    }

    fn mechanisms(&self, sheet: &mut Sheet<'_>) -> fmt::Result {
        let Metrics { spf, dkim, arc, .. } = &*self.metrics;
        sheet.counters(
            "landmarc_spf_results",
            "SPF results of judged messages, for the MAIL FROM identity.",
            labelled("result", words::SPF, spf.read()),
        )?;
        sheet.counters(
            "landmarc_dkim_results",
            "DKIM results of judged messages, one for each signature.",
            labelled("result", words::DKIM, dkim.read()),
        )?;
        sheet.counters(
            "landmarc_arc_results",
            "ARC results of judged messages.",
            labelled("result", words::ARC, arc.read()),
        )
    }

    fn distributions(&self, sheet: &mut Sheet<'_>) -> fmt::Result {
        sheet.distribution(
            "landmarc_message",
            "Time from the end of a message to its verdict.",
            SECONDS,
            self.metrics.seconds.read(),
            1e6,
        )?;
        sheet.distribution(
            "landmarc_message_dns_questions",
            "DNS questions of a message, answered from the cache or not.",
            None,
            self.metrics.questions.read(),
            1.0,
        )
    }
}

/// A row for each kind of message that is usual, and for every other that has come.
fn kinds_of_messages(counts: &[u64]) -> impl Iterator<Item = ([(&'static str, &'static str); 3], u64)> {
    let mut rows = Vec::new();
    for (dmarc, found) in words::DMARC.iter().enumerate() {
        for (disposition, done) in words::DISPOSITION.iter().enumerate() {
            for (step, told) in words::STEP.iter().enumerate() {
                let place = places::message(dmarc, disposition, step);
                let count = counts.get(place).copied().unwrap_or(0);
                if count > 0 || is_usual(found, done, told) {
                    let labels = [("dmarc", *found), ("disposition", *done), ("action", *told)];
                    rows.push((labels, count));
                }
            }
        }
    }
    rows.into_iter()
}

/// What happens to messages out of the box. Told from the start, so that the first message is seen
/// as one more than none.
fn is_usual(dmarc: &str, disposition: &str, action: &str) -> bool {
    match dmarc {
        "pass" => matches!((disposition, action), ("none" | "pass", "accept")),
        "fail" => matches!(
            (disposition, action),
            ("none", "accept") | ("quarantine", "quarantine") | ("reject", "reject")
        ),
        "permerror" => matches!((disposition, action), ("none", "accept") | ("reject", "reject")),
        _ => (disposition, action) == ("none", "accept"),
    }
}

fn labelled<const N: usize>(
    label: &'static str,
    words: [&'static str; N],
    counts: [u64; N],
) -> [([(&'static str, &'static str); 1], u64); N] {
    std::array::from_fn(|place| {
        let word = words.get(place).copied().unwrap_or(OTHER);
        ([(label, word)], counts.get(place).copied().unwrap_or(0))
    })
}

/// The last row is for words that are in no table: told only when there are some.
fn without_other<T>(rows: impl IntoIterator<Item = (T, u64)>) -> Vec<(T, u64)> {
    let mut rows: Vec<_> = rows.into_iter().collect();
    if rows.last().is_some_and(|(_, count)| *count == 0) {
        rows.pop();
    }
    rows
}

fn sessions(sheet: &mut Sheet<'_>, milter: &landmarc_milter::Statistics) -> fmt::Result {
    let landmarc_milter::Statistics {
        sessions,
        sessions_limit,
        accepted,
        full,
        dropped,
        accept_failures,
        protocol_errors,
        interrupted,
        panics,
        accepting,
    } = *milter;
    sheet.gauge(
        "landmarc_milter_sessions",
        "Connections of mail servers that are open.",
        None,
        &sessions,
    )?;
    sheet.gauge(
        "landmarc_milter_sessions_limit",
        "How many of them there may be (milter.max_sessions).",
        None,
        &sessions_limit,
    )?;
    let counters = [
        (
            "landmarc_milter_connections",
            "Connections of mail servers that were accepted.",
            accepted,
        ),
        (
            "landmarc_milter_full",
            "Times that all sessions were taken (milter.max_sessions).",
            full,
        ),
        (
            "landmarc_milter_dropped",
            "Connections dropped for others because all sessions were taken; none had a message under way.",
            dropped,
        ),
        (
            "landmarc_milter_accept_failures",
            "Attempts to accept a connection that failed, as for want of file descriptors.",
            accept_failures,
        ),
        (
            "landmarc_milter_protocol_errors",
            "Sessions ended by packets that are not of the milter protocol.",
            protocol_errors,
        ),
        (
            "landmarc_milter_interrupted",
            "Sessions that ended within a message, by silence or a cut connection.",
            interrupted,
        ),
        (
            "landmarc_milter_panics",
            "Sessions ended by a bug of landmarc.",
            panics,
        ),
    ];
    for (name, help, value) in counters {
        sheet.counter(name, help, value)?;
    }
    sheet.gauge(
        "landmarc_milter_accepting",
        "1 while connections of mail servers can be accepted.",
        None,
        &u64::from(accepting),
    )
}

fn of_seen(sheet: &mut Sheet<'_>, status: &SeenStatus) -> fmt::Result {
    let none = Table::default();
    let table = match &status.seen {
        Seen::Known(table) => table,
        Seen::Off | Seen::Away | Seen::Young(_) => &none,
    };
    let kinds = [
        ("domain", table.domains()),
        ("signing_domain", table.signing_domains()),
        ("network", table.networks()),
        ("spoofer", table.spoofers()),
    ];
    let rows = kinds.map(|(kind, count)| ([("kind", kind)], u64::try_from(count).unwrap_or(u64::MAX)));
    sheet.gauges(
        "landmarc_seen_entries",
        "Domains and networks of which the records of the last days show something; 0 while they are no evidence.",
        rows,
    )?;
    sheet.counter(
        "landmarc_seen_failures",
        "Attempts to read the records for evidence that failed.",
        status.failures,
    )?;
    let seconds = status.read_ms / 1_000;
    let help = "When the records were read for evidence last; 0 for never.";
    sheet.gauge("landmarc_seen_timestamp", help, SECONDS, &seconds)
}

fn memory(sheet: &mut Sheet<'_>, used: u64, limit: u64) -> fmt::Result {
    sheet.gauge(
        "landmarc_header_memory",
        "Memory set aside for long header sections.",
        BYTES,
        &used,
    )?;
    let help = "Memory that all sessions together may set aside for them (limits.memory).";
    sheet.gauge("landmarc_header_memory_limit", help, BYTES, &limit)
}

fn questions(sheet: &mut Sheet<'_>, dns: &resolver::Statistics) -> fmt::Result {
    let resolver::Statistics {
        questions,
        cache_hits,
        joined,
        failures: _,
        endings,
        in_flight,
    } = *dns;
    sheet.counter(
        "landmarc_dns_questions",
        "Questions put to name servers.",
        questions,
    )?;
    sheet.counter(
        "landmarc_dns_cache_hits",
        "Questions that were answered from the cache.",
        cache_hits,
    )?;
    sheet.counter(
        "landmarc_dns_joined",
        "Questions that waited for the answer to the same question under way.",
        joined,
    )?;
    let resolver::Endings {
        records,
        no_data,
        nx_domain,
        timeout,
        serv_fail,
        refused,
        bad_answer,
        unreachable,
        overload,
    } = endings;
    let endings = [
        ("records", records),
        ("no_data", no_data),
        ("nx_domain", nx_domain),
        ("timeout", timeout),
        ("serv_fail", serv_fail),
        ("refused", refused),
        ("bad_answer", bad_answer),
        ("unreachable", unreachable),
        ("overload", overload),
    ];
    sheet.counters(
        "landmarc_dns_answers",
        "Answers to questions put to name servers, or why there was none.",
        endings.map(|(word, count)| ([("answer", word)], count)),
    )?;
    sheet.gauge(
        "landmarc_dns_in_flight",
        "Questions that are under way, or wait for a slot.",
        None,
        &in_flight,
    )
}

fn answering(sheet: &mut Sheet<'_>, name_servers: &[(SocketAddr, bool)]) -> fmt::Result {
    if name_servers.is_empty() {
        return Ok(());
    }
    let words: Vec<_> = name_servers
        .iter()
        .map(|(address, answers)| (address.to_string(), u64::from(*answers)))
        .collect();
    sheet.gauges(
        "landmarc_dns_server_answers",
        "Whether the name server answered when it was last probed.",
        words
            .iter()
            .map(|(address, answers)| ([("server", address.as_str())], *answers)),
    )
}

fn records(sheet: &mut Sheet<'_>, store: &landmarc_store::Statistics) -> fmt::Result {
    let counters = [
        (
            "landmarc_store_recorded",
            "Records handed to the store.",
            store.recorded,
        ),
        ("landmarc_store_committed", "Records on disk.", store.committed),
        (
            "landmarc_store_later",
            "Messages answered before their record was on disk.",
            store.later,
        ),
        ("landmarc_store_commits", "Transactions.", store.commits),
        (
            "landmarc_store_failures",
            "Attempts to write that failed.",
            store.failures,
        ),
    ];
    for (name, help, value) in counters {
        sheet.counter(name, help, value)?;
    }
    let dropped = [
        ("trace", store.dropped_traces),
        ("observation", store.dropped_observations),
        ("tally", store.dropped_tallies),
        ("rule_hit", store.dropped_rule_hits),
    ];
    sheet.counters(
        "landmarc_store_dropped",
        "What was given up because the store could not be written for too long.",
        dropped.map(|(kind, count)| ([("kind", kind)], count)),
    )?;
    let evicted = [
        ("trace", store.evicted_traces),
        ("observation", store.evicted_observations),
        ("tally_row", store.evicted_tally_rows),
    ];
    sheet.counters(
        "landmarc_store_evicted",
        "What was removed before its time to keep the database at store.max_size.",
        evicted.map(|(kind, count)| ([("kind", kind)], count)),
    )?;
    if let Some(bytes) = store.file_bytes {
        sheet.gauge("landmarc_store_file", "Size of the database.", BYTES, &bytes)?;
    }
    if let Some(bytes) = store.max_bytes {
        sheet.gauge(
            "landmarc_store_file_limit",
            "What it may have at most.",
            BYTES,
            &bytes,
        )?;
    }
    sheet.counter(
        "landmarc_store_folded_messages",
        "Messages counted in a row with less detail, because one sender made too many distinct rows.",
        store.folded_messages,
    )?;
    sheet.gauge(
        "landmarc_store_queue_length",
        "Records that wait in memory.",
        None,
        &store.queue_length,
    )?;
    sheet.gauge(
        "landmarc_store_queue",
        "Memory of the records that wait.",
        BYTES,
        &store.queue_bytes,
    )?;
    sheet.gauge(
        "landmarc_store_up",
        "1 while the store takes what it is given.",
        None,
        &u64::from(store.state == landmarc_store::State::Ok),
    )
}

/// Whether what somebody wrote into the settings is in force.
fn settings(sheet: &mut Sheet<'_>, reloads: &Reloads) -> fmt::Result {
    sheet.counters(
        "landmarc_config_reloads",
        "Reloads of the settings, by whether the new ones were taken up.",
        labelled("result", ["ok", "failed"], reloads.counts()),
    )?;
    sheet.gauge(
        "landmarc_config_last_reload_successful",
        "0 after a reload that failed: the settings are older than their file.",
        None,
        &u64::from(reloads.is_current()),
    )?;
    sheet.gauge(
        "landmarc_config_loaded_timestamp",
        "When the settings in force were read, in Unix time.",
        SECONDS,
        &reloads.loaded_seconds(),
    )
}

/// The names that client libraries of Prometheus agree on.
fn of_process(sheet: &mut Sheet<'_>, process: &Process, started: SystemTime) -> fmt::Result {
    let Process {
        cpu_seconds,
        resident_bytes,
        open_files,
        max_open_files,
    } = *process;
    let since = started.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    sheet.gauge(
        "process_start_time",
        "When the service was started, in Unix time.",
        SECONDS,
        &since.as_secs_f64(),
    )?;
    if let Some(seconds) = cpu_seconds {
        let help = "Processor time that was used.";
        sheet.number("process_cpu", help, SECONDS, seconds)?;
    }
    if let Some(bytes) = resident_bytes {
        let help = "Memory that is in the machine's.";
        sheet.gauge("process_resident_memory", help, BYTES, &bytes)?;
    }
    if let Some(files) = open_files {
        sheet.gauge("process_open_fds", "Open file descriptors.", None, &files)?;
    }
    if let Some(files) = max_open_files {
        sheet.gauge(
            "process_max_fds",
            "File descriptors that may be open.",
            None,
            &files,
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
