//! What a fleet costs: messages a second into a server from two hosts at once, what they take up there, and what it
//! takes to read a day of ten million rows for its reports. The servers are started here, with their files on the disk
//! of the temporary directory, synced.
//!
//! `cargo bench -p landmarc-store --bench fleet -- [MESSAGES] [ROWS]`

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "figures are rounded"
)]
#![allow(dead_code, reason = "not every bench uses all that they share")]

mod common;
#[path = "common/sender.rs"]
mod sender;

use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use landmarc_store::{
    COMMAND_BUSY_TIMEOUT, Collector, DatabaseOptions, DatabaseServer, Day, Reader, Recorder, RecorderOptions,
    Spool, SpoolLimits,
};
use landmarc_testkit::databases::{MariaDb, PASSWORD, PostgreSql, Setup};

use crate::common::{MIDNIGHT, cpu_seconds, remove};
use crate::sender::message;

/// Messages of the day, and rows of the tally that is read, where nothing else is said.
const MESSAGES: u64 = 1_000_000;
const ROWS: u64 = 10_000_000;
/// Messages made at a time.
const CHUNK: u64 = 20_000;
/// Octets of a segment.
const SEGMENT: usize = 4 << 20;
/// Hosts that hand over at the same time.
const HOSTS: [&str; 2] = ["mx1", "mx2"];
/// Policy domains of the tally that is read.
const DOMAINS: u64 = 1_000_000;

/// Tables of each kind of record.
const KINDS: [(&str, &[&str]); 2] = [
    ("tally", &["tally", "reporting_row", "published", "tally_day"]),
    ("observations", &["observation", "outcome", "trace"]),
];

fn main() {
    let mut numbers = std::env::args().filter_map(|argument| argument.parse::<u64>().ok());
    let messages = numbers.next().unwrap_or(MESSAGES);
    let rows = numbers.next().unwrap_or(ROWS);
    let setup = |settings: &[&str]| Setup {
        durable: true,
        settings: settings.iter().map(|&one| one.to_owned()).collect(),
        ..Setup::default()
    };
    let stores = recorded(messages);
    if let Some(host) = PostgreSql::with(setup(&[
        "shared_buffers=1GB",
        "max_wal_size=4GB",
        "autovacuum_naptime=10s",
    ])) {
        host.create_database("fleet");
        let sizes = "SELECT coalesce(p.relname, c.relname), sum(pg_table_size(c.oid)), sum(pg_indexes_size(c.oid)) \
                     FROM pg_class AS c LEFT JOIN pg_inherits AS i ON i.inhrelid = c.oid \
                     LEFT JOIN pg_class AS p ON p.oid = i.inhparent \
                     WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace GROUP BY 1";
        println!("PostgreSQL");
        let copies = copies(&stores);
        shipped(&server(&host.url("fleet")), &copies, messages);
        told_sizes(&host.sql("fleet", sizes), messages);
        host.create_database("day");
        read_day(&host, rows);
    }
    if let Some(host) = MariaDb::with(setup(&["innodb-buffer-pool-size=1G", "innodb-log-file-size=1G"])) {
        host.create_database("fleet");
        let sizes = "SELECT table_name, CAST(data_length AS SIGNED), CAST(index_length AS SIGNED) \
                     FROM information_schema.tables WHERE table_schema = 'fleet'";
        println!("MariaDB");
        let copies = copies(&stores);
        shipped(&server(&host.url("fleet")), &copies, messages);
        host.sql(
            "fleet",
            "ANALYZE TABLE tally, reporting_row, published, outcome, trace, observation",
        );
        told_sizes(&host.sql("fleet", sizes), messages);
    }
    stores.iter().for_each(|path| remove(path));
}

fn server(url: &str) -> DatabaseServer {
    let mut options = DatabaseOptions::new(url.parse().expect("an address"));
    options.password = Some(PASSWORD.to_owned());
    options.statement_timeout = Duration::from_mins(30);
    let server = DatabaseServer::new(options).expect("a server");
    server.migrate().expect("tables");
    server
}

/// The stores of the hosts, each with its share of the day in its spool.
fn recorded(messages: u64) -> Vec<PathBuf> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let paths =
        HOSTS.map(|name| std::env::temp_dir().join(format!("fleet-{name}-{}.db", std::process::id())));
    for (path, host) in paths.iter().zip(0..) {
        remove(path);
        let recorder = Recorder::open(RecorderOptions {
            answer_timeout: Duration::from_mins(5),
            spool: Some(SpoolLimits {
                bytes: 16 << 30,
                observations: true,
            }),
            ..RecorderOptions::at(path)
        });
        let recorder = recorder.expect("a store");
        let cpu = cpu_seconds();
        for first in (0..messages).step_by(CHUNK as usize) {
            let numbers =
                (first..messages.min(first + CHUNK)).filter(|number| number % HOSTS.len() as u64 == host);
            let answers: Vec<_> = numbers
                .map(|number| recorder.record(message(number, messages)))
                .collect();
            runtime.block_on(async {
                for answer in answers {
                    answer.await;
                }
            });
        }
        let each = (cpu_seconds() - cpu) / (messages / 2) as f64 * 1e6;
        let lost = recorder.close(Duration::from_mins(5)).spool_lost;
        let waits = Reader::open(path)
            .and_then(|reader| reader.spool())
            .expect("a spool");
        println!(
            "{}: {} messages in {} entries of {:.1} MB wait, {each:.1} us of CPU time each with making them; lost: {lost:?}",
            HOSTS[host as usize],
            waits.messages,
            waits.entries,
            waits.octets as f64 / 1e6
        );
    }
    paths.to_vec()
}

/// Copies of stores, which are handed over in their place: their entries keep the ids of their hosts.
fn copies(stores: &[PathBuf]) -> Vec<PathBuf> {
    let copied = stores.iter().map(|path| {
        let to = path.with_extension("copy");
        remove(&to);
        Reader::open(path)
            .and_then(|reader| reader.backup(&to, |_, _| ()))
            .expect("a copy");
        to
    });
    copied.collect()
}

/// Hands over all that waits, each host by itself.
fn shipped(server: &DatabaseServer, stores: &[PathBuf], messages: u64) {
    let (wall, cpu) = (Instant::now(), cpu_seconds());
    thread::scope(|scope| {
        for (path, name) in stores.iter().zip(HOSTS) {
            scope.spawn(move || ship(path, name, server));
        }
    });
    let (wall, cpu) = (wall.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    let reader = Reader::open(server.clone()).expect("the store");
    let days = reader.reporting_days().expect("days");
    let counted = days
        .into_iter()
        .flat_map(|day| reader.reporting_day(day).expect("a day"));
    let counted = counted.flat_map(|domain| domain.expect("a domain").rows);
    let (rows, sum) = counted.fold((0_u64, 0_u64), |(rows, sum), row| (rows + 1, sum + row.count));
    println!(
        "  {messages} messages from {} hosts in {wall:.1} s: {:.0} a second, {:.1} us of client CPU time each; \
         {rows} rows count {sum} of them",
        stores.len(),
        messages as f64 / wall,
        cpu / messages as f64 * 1e6,
    );
    stores.iter().for_each(|path| remove(path));
}

fn ship(path: &Path, name: &str, server: &DatabaseServer) {
    let mut spool = Spool::open(path, name, COMMAND_BUSY_TIMEOUT).expect("a spool");
    let mut collector = Collector::open(server.clone(), COMMAND_BUSY_TIMEOUT).expect("a collector");
    while let Some(segment) = spool.take(SEGMENT).expect("entries") {
        collector.apply(&segment, MIDNIGHT).expect("applied");
        spool.remove(segment.host(), segment.last()).expect("removed");
    }
}

/// What the tables take up: `sizes` has their names, octets of rows and octets of indexes.
fn told_sizes(sizes: &str, messages: u64) {
    let of = |table: &str| {
        let line = sizes
            .lines()
            .find_map(|line| line.strip_prefix(table)?.strip_prefix('\t'));
        let (rows, indexes) = line.and_then(|line| line.split_once('\t')).unwrap_or(("0", "0"));
        [rows, indexes].map(|octets| octets.parse::<f64>().unwrap_or(0.0) / messages as f64 * 1e6)
    };
    for (kind, tables) in KINDS {
        let sum: f64 = tables.iter().flat_map(|table| of(table)).sum();
        println!("  {kind}: {:.1} MB a million messages", sum / 1e6);
        for table in tables {
            let [rows, indexes] = of(table);
            println!(
                "    {table}: {:.1} MB, indexes {:.1} MB",
                rows / 1e6,
                indexes / 1e6
            );
        }
    }
}

/// Reads a day of so many rows, as reports are made from it.
fn read_day(host: &PostgreSql, rows: u64) {
    let server = server(&host.url("day"));
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let day = Day::at(now.map_or(0, |now| now.as_millis() as u64)).back(1);
    let began = Instant::now();
    for statement in made(day, rows) {
        host.sql("day", &statement);
    }
    host.sql("day", "VACUUM ANALYZE");
    println!(
        "  a tally of {rows} rows, {DOMAINS} policy domains, made in {:.0} s",
        began.elapsed().as_secs_f64()
    );
    let reader = Reader::open(server).expect("the store");
    let before = memory("VmRSS:");
    let (wall, cpu) = (Instant::now(), cpu_seconds());
    let (mut domains, mut read) = (0_u64, 0_u64);
    for one in reader.reporting_day(day).expect("a day") {
        domains += 1;
        read += one.expect("a domain").rows.len() as u64;
    }
    let (wall, cpu) = (wall.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    println!(
        "  read {domains} policy domains, {read} rows in {wall:.1} s: {:.0} rows a second, {:.1} us of client CPU time each; \
         memory {} MB at most, {before} MB before",
        read as f64 / wall,
        cpu / read as f64 * 1e6,
        memory("VmHWM:"),
    );
}

/// Statements that make a day of so many rows, the same number for each policy domain.
fn made(day: Day, rows: u64) -> Vec<String> {
    let domain = format!("'sender-' || n % {DOMAINS} || '.example'");
    let digest = "decode(md5(CAST(n AS TEXT)), 'hex')";
    let of_domain = format!("decode(md5(CAST(n % {DOMAINS} AS TEXT)), 'hex')");
    let series = format!("generate_series(0::BIGINT, {}) AS n", rows.saturating_sub(1));
    let day = day.0;
    vec![
        format!("SELECT landmarc_add_day('tally', {day})"),
        format!("INSERT INTO tally_day (day) VALUES ({day})"),
        format!(
            "INSERT INTO published (policy_domain, digest, first, last_day, p, sp, adkim, aspf, fo, testing, \
             discovery_method, rua, ruf, problems, psd) SELECT {domain}, {of_domain}, n, {day}, 'none', 'none', 'r', \
             'r', '0', 0, 'treewalk', '[\"mailto:dmarc@' || {domain} || '\"]', '[]', '[]', 0 FROM {series} \
             WHERE n < {DOMAINS}"
        ),
        format!(
            "INSERT INTO reporting_row (policy_domain, digest, last_day, published, source_ip, aligned, disposition, \
             reasons, header_from, envelope_from, dkim, spf) SELECT {domain}, {digest}, {day}, {of_domain}, \
             substr({digest}, 1, 4), 3, 'pass', '[]', {domain}, 'bounce.' || {domain}, \
             '[[\"' || {domain} || '\",\"s1\",\"pass\"]]', '[\"bounce.' || {domain} || '\",\"mfrom\",\"pass\"]' FROM {series}"
        ),
        format!(
            "INSERT INTO tally (policy_domain, day, reporting_row, count) SELECT {domain}, {day}, {digest}, 1 + n % 9 \
             FROM {series}"
        ),
    ]
}

/// Memory of this process in megabytes.
fn memory(which: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux has this file");
    let line = status.lines().find_map(|line| line.strip_prefix(which));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.expect("a number of kilobytes") / 1_000
}
