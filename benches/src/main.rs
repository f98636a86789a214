//! Measures landmarc beside its peers and beside the floor, by the CPU time that the kernel accounts.
//!
//! `landmarc-benches COMMAND [--key value]...` prints tables in Markdown; `docs/performance.md`
//! tells what to run. Nothing here is part of the product, and no test depends on a figure.

// All numbers here are our own and small; none comes from a stranger.
#![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]

mod corpus;
mod dns;
mod drive;
mod filters;
mod floor;
mod load;
mod namespace;
mod null;
mod options;
mod peers;
mod probes;
mod process;
mod reports;
mod table;
mod through_postfix;
mod verdict;
mod wire;

use std::io;
use std::path::Path;
use std::process::ExitCode;

use options::Options;

const USAGE: &str = "\
landmarc-benches COMMAND [--key value]...
  all       the tables of docs/performance.md: load, postfix, probes
  load      CPU, latency, memory, DNS questions and verdicts of every filter
              --connections 1,8,32,128  --messages 3000  --repeat 3 (the median counts)  --per-connection 1
              --delay 20,100 (ms of a DNS answer, at 32 connections)  --delay-messages 3000
              --filters null-raw,null-crate,landmarc,opendkim+opendmarc,rspamd
              --mode enforce|observe  --settings 'key = value'  --socket unix|inet
  postfix   the same messages through a Postfix, unpacked in the folder --postfix
  reports   a day written down, and reports about it made and sent, beside rspamd and OpenDMARC
              --report-messages 10000,100000,1000000  --opendmarc-messages 10000 (more take it hours)
  probes    hostile and heavy input on landmarc: --only PART OF A NAME
  corpus    what the corpus is made of: --seed 1
For all: --binary FILE of landmarc, --tools FOLDER where the packages of the peers are unpacked,
--folder FOLDER for sockets, settings and logs. As root, peers are run too.";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let ended = match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve-null", "raw", path] => null::serve_raw(Path::new(path)),
        ["serve-null", "crate", path] => null::serve_crate(Path::new(path)),
        [command, ..] => Options::read(&words[1..]).and_then(|options| run(command, &options)),
        [] => Err(io::Error::other(USAGE)),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: &str, options: &Options) -> io::Result<()> {
    match command {
        "all" | "load" | "postfix" | "probes" | "reports" => {
            if namespace::enter(options)? {
                return Ok(());
            }
        }
        "corpus" => {
            println!("{}.", options.corpus(10_000)?.summary());
            return Ok(());
        }
        other => return Err(io::Error::other(format!("no command {other:?}\n{USAGE}"))),
    }
    let all = command == "all";
    if all || command == "load" {
        heading("Load");
        load::run(options)?;
    }
    if all || command == "postfix" {
        heading("Through Postfix");
        through_postfix::run(options)?;
    }
    if command == "reports" {
        heading("Reports");
        reports::run(options)?;
    }
    if all || command == "probes" {
        heading("Hostile and heavy input");
        probes::run(options)?;
    }
    Ok(())
}

fn heading(text: &str) {
    println!("## {text}\n");
}
