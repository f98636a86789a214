//! The table: every filter, at every number of connections, on the same messages.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::corpus::Corpus;
use crate::dns::Server;
use crate::drive;
use crate::filters::{self, Running};
use crate::floor::Floor;
use crate::namespace;
use crate::options::Options;
use crate::peers::{self, PEERS};
use crate::process::Cpu;
use crate::table::{self, Row, Scale, Wrong};
use crate::verdict::Check;

/// What runs in the first round only: it takes long to start, and ten times the time of the others.
const ONCE: &str = "rspamd";

/// All that one run of the table needs.
pub(crate) struct Bench<'a> {
    pub(crate) options: &'a Options,
    pub(crate) corpus: Corpus,
    pub(crate) folder: PathBuf,
    pub(crate) binary: PathBuf,
    /// Names of what is measured, in this order.
    pub(crate) filters: Vec<String>,
}

impl<'a> Bench<'a> {
    /// With the filters that are asked for, or all that are there.
    pub(crate) fn new(options: &'a Options, messages: usize) -> io::Result<Self> {
        let tools = options.tools();
        let there =
            |name: &str| !PEERS.contains(&name) || namespace::is_inside() && peers::is_there(name, tools);
        let asked = options.text(
            "filters",
            "null-raw,null-crate,landmarc,opendkim+opendmarc,rspamd",
        );
        let (filters, missing): (Vec<&str>, Vec<&str>) = asked.split(',').partition(|name| there(name));
        if !missing.is_empty() {
            println!(
                "Not run, for it takes root and the packages (`--tools`): {}.\n",
                missing.join(", ")
            );
        }
        Ok(Self {
            options,
            corpus: options.corpus(messages)?,
            folder: options.folder()?,
            binary: options.binary()?,
            filters: filters.into_iter().map(str::to_owned).collect(),
        })
    }

    /// A name server whose answers take so many milliseconds, on the port that peers ask.
    pub(crate) fn dns(&self, delay: usize) -> io::Result<Server> {
        let port = if namespace::is_inside() { 53 } else { 0 };
        Server::start(
            self.corpus.zone.clone(),
            Duration::from_millis(delay as u64),
            port,
        )
    }

    /// Starts the filter of this name.
    pub(crate) fn start(&self, name: &str, dns: &Server, inet: bool) -> io::Result<Running> {
        match name {
            "null-raw" => filters::null("raw", &self.folder),
            "null-crate" => filters::null("crate", &self.folder),
            "landmarc" => {
                let mode = self.options.text("mode", "enforce");
                let settings = format!("mode = \"{mode}\"\n{}", self.options.text("settings", ""));
                filters::landmarc(&self.binary, &self.folder, dns.address(), inet, &settings)
            }
            peer if PEERS.contains(&peer) => peers::start(peer, self.options.tools(), &self.folder),
            other => Err(io::Error::other(format!("no filter is called {other:?}"))),
        }
    }

    fn check(&self, name: &str) -> io::Result<Check> {
        match name {
            "landmarc" => self.options.check(),
            peer if PEERS.contains(&peer) => Ok(Check::Peer),
            _ => Ok(Check::Nothing),
        }
    }

    /// Sends the first messages of the corpus once, to a filter that was just started.
    fn row(
        &self,
        name: &str,
        delay: usize,
        connections: usize,
        messages: usize,
        wrong: &mut Wrong,
    ) -> io::Result<Row> {
        eprintln!("{name}, {connections} connections, {delay} ms DNS delay");
        let dns = self.dns(delay)?;
        let mut running = self.start(name, &dns, self.options.text("socket", "unix") == "inet")?;
        let address = running.address.clone();
        let load = self.options.load(&address, connections, self.check(name)?)?;
        let (cpu, questions) = (running.filter.cpu(), dns.asked());
        let messages = self
            .corpus
            .messages
            .get(..messages)
            .unwrap_or(&self.corpus.messages);
        let outcome = drive::run(load, messages)?;
        let recorded = match name {
            "landmarc" => {
                let answered = u64::try_from(outcome.messages).unwrap_or(u64::MAX);
                Some(filters::recorded(&self.binary, &running, answered)?)
            }
            _ => None,
        };
        // After the count: what is written later is part of the work.
        let used: Cpu = running.filter.cpu().since(cpu);
        let memory = running.filter.memory();
        if !running.filter.is_running() {
            return Err(io::Error::other(format!("{name} has ended")));
        }
        let row = Row {
            filter: name.to_owned(),
            delay,
            connections,
            messages: outcome.messages,
            cpu: used,
            rate: outcome.rate(),
            p50: outcome.percentile(0.5),
            p99: outcome.percentile(0.99),
            mean: outcome.mean(),
            memory,
            questions: dns.asked() - questions,
            wrong: outcome.wrong_messages,
            recorded,
        };
        if connections == 8 && !name.starts_with("null") {
            wrong.entry(name.to_owned()).or_insert(outcome.wrong);
        }
        Ok(row)
    }
}

/// Runs everything and prints the tables.
pub(crate) fn run(options: &Options) -> io::Result<()> {
    let bench = Bench::new(options, 3_000)?;
    let floor = Floor::measure(&bench.corpus)?;
    println!("{}.\n\n{}\n", bench.corpus.summary(), floor.summary());
    let connections = options.numbers("connections", "1,8,32,128")?;
    let mut wrong = Wrong::new();
    let mut rows = without_delay(&bench, &connections, &mut wrong)?;
    let scale = Scale::new(floor.per_thousand, &rows);
    rows.extend(with_delay(&bench, &mut wrong)?);
    println!("{}", table::table(&rows, scale));
    println!("{}", table::wrong(&wrong));
    Ok(())
}

/// Rounds over all filters and connections, so that a slow minute of the machine slows all of them.
fn without_delay(bench: &Bench<'_>, connections: &[usize], wrong: &mut Wrong) -> io::Result<Vec<Row>> {
    let all = bench.corpus.messages.len();
    let mut runs: Vec<Vec<Row>> = Vec::new();
    for round in 0..bench.options.number("repeat", 3)? {
        for name in bench.filters.iter().filter(|name| round == 0 || *name != ONCE) {
            for &connections in connections {
                let row = bench.row(name, 0, connections, all, wrong)?;
                let same = runs.iter_mut().find(|runs| {
                    let first = runs.first();
                    first.is_some_and(|first| first.filter == *name && first.connections == connections)
                });
                match same {
                    Some(same) => same.push(row),
                    None => runs.push(vec![row]),
                }
            }
        }
    }
    Ok(runs.into_iter().filter_map(table::median).collect())
}

/// Once each, at 32 connections.
fn with_delay(bench: &Bench<'_>, wrong: &mut Wrong) -> io::Result<Vec<Row>> {
    let messages = bench.options.number("delay-messages", 3_000)?;
    let mut rows = Vec::new();
    for delay in bench.options.numbers("delay", "20,100")? {
        for name in bench.filters.iter().filter(|name| !name.starts_with("null")) {
            rows.push(bench.row(name, delay, 32, messages, wrong)?);
        }
    }
    Ok(rows)
}
