//! The text that Prometheus reads: every name, its help and its unit.
//!
//! Names follow the habits of Prometheus: base units, `_total` for what only grows. Where a metric
//! is added, it is added to `docs/monitoring.md` too.

use std::fmt;
use std::net::SocketAddr;

use landmarc_dns::resolver;
use landmarc_runtime::metrics::{BYTES, MetricWriter, SECONDS};

use super::process::Process;
use landmarc_filter::seen::SeenStatus;

/// What is read elsewhere at the moment of asking. What is not there is left out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sources {
    pub(crate) milter: Option<landmarc_milter::MilterStatistics>,
    pub(crate) dns: Option<resolver::ResolverStatistics>,
    /// Each name server, and whether it answers.
    pub(crate) name_servers: Vec<(SocketAddr, bool)>,
    pub(crate) store: Option<landmarc_store::RecorderStatistics>,
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

/// Writes what was read.
pub(super) fn write(writer: &mut MetricWriter<'_>, sources: &Sources) -> fmt::Result {
    let Sources {
        milter,
        dns,
        name_servers,
        store,
        header_memory,
        seen,
        process,
    } = sources;
    milter
        .as_ref()
        .map_or(Ok(()), |milter| sessions(writer, milter))?;
    header_memory.map_or(Ok(()), |(used, limit)| memory(writer, used, limit))?;
    dns.as_ref().map_or(Ok(()), |dns| questions(writer, dns))?;
    answering(writer, name_servers)?;
    store.as_ref().map_or(Ok(()), |store| records(writer, store))?;
    seen.as_ref().map_or(Ok(()), |status| status.write(writer))?;
    of_process(writer, process)
}

fn sessions(writer: &mut MetricWriter<'_>, milter: &landmarc_milter::MilterStatistics) -> fmt::Result {
    let landmarc_milter::MilterStatistics {
        connections,
        protocol_errors,
        interrupted,
        panics,
    } = *milter;
    writer.gauge(
        "landmarc_milter_sessions",
        "Connections of mail servers that are open.",
        None,
        &connections.open,
    )?;
    writer.gauge(
        "landmarc_milter_sessions_limit",
        "How many of them there may be (milter.max_sessions).",
        None,
        &connections.limit,
    )?;
    let counters = [
        (
            "landmarc_milter_connections",
            "Connections of mail servers that were accepted.",
            connections.accepted,
        ),
        (
            "landmarc_milter_full",
            "Times that all sessions were taken (milter.max_sessions).",
            connections.full,
        ),
        (
            "landmarc_milter_dropped",
            "Connections dropped for others because all sessions were taken; none had a message under way.",
            connections.dropped,
        ),
        (
            "landmarc_milter_accept_failures",
            "Attempts to accept a connection that failed, as for want of file descriptors.",
            connections.accept_failures,
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
        writer.counter(name, help, value)?;
    }
    writer.gauge(
        "landmarc_milter_accepting",
        "1 while connections of mail servers can be accepted.",
        None,
        &u64::from(connections.accepting),
    )
}

fn memory(writer: &mut MetricWriter<'_>, used: u64, limit: u64) -> fmt::Result {
    writer.gauge(
        "landmarc_header_memory",
        "Memory set aside for long header sections.",
        BYTES,
        &used,
    )?;
    let help = "Memory that all sessions together may set aside for them (limits.memory).";
    writer.gauge("landmarc_header_memory_limit", help, BYTES, &limit)
}

fn questions(writer: &mut MetricWriter<'_>, dns: &resolver::ResolverStatistics) -> fmt::Result {
    let resolver::ResolverStatistics {
        questions,
        cache_hits,
        joined,
        ends,
        in_flight,
    } = *dns;
    writer.counter(
        "landmarc_dns_questions",
        "Questions put to name servers.",
        questions,
    )?;
    writer.counter(
        "landmarc_dns_cache_hits",
        "Questions that were answered from the cache.",
        cache_hits,
    )?;
    writer.counter(
        "landmarc_dns_joined",
        "Questions that waited for the answer to the same question under way.",
        joined,
    )?;
    writer.counters(
        "landmarc_dns_answers",
        "Answers to questions put to name servers, or why there was none.",
        ends.map(|(end, count)| ([("answer", end.as_str())], count)),
    )?;
    writer.gauge(
        "landmarc_dns_in_flight",
        "Questions that are under way, or wait for a slot.",
        None,
        &in_flight,
    )
}

fn answering(writer: &mut MetricWriter<'_>, name_servers: &[(SocketAddr, bool)]) -> fmt::Result {
    if name_servers.is_empty() {
        return Ok(());
    }
    let words: Vec<_> = name_servers
        .iter()
        .map(|(address, answers)| (address.to_string(), u64::from(*answers)))
        .collect();
    writer.gauges(
        "landmarc_dns_server_answers",
        "Whether the name server answered when it was last probed.",
        words
            .iter()
            .map(|(address, answers)| ([("server", address.as_str())], *answers)),
    )
}

fn records(writer: &mut MetricWriter<'_>, store: &landmarc_store::RecorderStatistics) -> fmt::Result {
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
        writer.counter(name, help, value)?;
    }
    let dropped = [
        ("trace", store.dropped_traces),
        ("observation", store.dropped_observations),
        ("tally", store.dropped_tallies),
        ("rule_hit", store.dropped_rule_hits),
    ];
    writer.counters(
        "landmarc_store_dropped",
        "What was given up because the store could not be written for too long.",
        dropped.map(|(kind, count)| ([("kind", kind)], count)),
    )?;
    let evicted = [
        ("trace", store.evicted_traces),
        ("observation", store.evicted_observations),
        ("tally_row", store.evicted_tally_rows),
    ];
    writer.counters(
        "landmarc_store_evicted",
        "What was removed before its time to keep the database at store.max_size.",
        evicted.map(|(kind, count)| ([("kind", kind)], count)),
    )?;
    if let Some(bytes) = store.file_bytes {
        writer.gauge("landmarc_store_file", "Size of the database.", BYTES, &bytes)?;
    }
    if let Some(bytes) = store.max_bytes {
        writer.gauge(
            "landmarc_store_file_limit",
            "What it may have at most.",
            BYTES,
            &bytes,
        )?;
    }
    writer.counter(
        "landmarc_store_folded_messages",
        "Messages counted in a row with less detail, because one sender made too many distinct rows.",
        store.folded_messages,
    )?;
    writer.gauge(
        "landmarc_store_queue_length",
        "Records that wait in memory.",
        None,
        &store.queue_length,
    )?;
    writer.gauge(
        "landmarc_store_queue",
        "Memory of the records that wait.",
        BYTES,
        &store.queue_bytes,
    )?;
    writer.gauge(
        "landmarc_store_up",
        "1 while the store takes what it is given.",
        None,
        &u64::from(store.state == landmarc_store::RecorderState::Ok),
    )
}

/// The names that client libraries of Prometheus agree on.
fn of_process(writer: &mut MetricWriter<'_>, process: &Process) -> fmt::Result {
    let Process {
        cpu_seconds,
        resident_bytes,
        open_files,
        max_open_files,
    } = *process;
    if let Some(seconds) = cpu_seconds {
        let help = "Processor time that was used.";
        writer.number("process_cpu", help, SECONDS, seconds)?;
    }
    if let Some(bytes) = resident_bytes {
        let help = "Memory that is in the machine's.";
        writer.gauge("process_resident_memory", help, BYTES, &bytes)?;
    }
    if let Some(files) = open_files {
        writer.gauge("process_open_fds", "Open file descriptors.", None, &files)?;
    }
    if let Some(files) = max_open_files {
        writer.gauge(
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
