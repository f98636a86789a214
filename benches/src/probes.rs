//! Hostile and heavy input: each gets a defined verdict, in bounded memory, while others are served.

use std::io;
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::corpus::{Corpus, Message};
use crate::dns::Server;
use crate::drive;
use crate::filters::{self, Running};
use crate::options::Options;
use crate::verdict::{Check, differences};
use crate::wire::{Answer, Mta};

/// Octets of a write: probes are not about the number of writes.
const WRITE: usize = 65_536;

/// How long it is left alone before its memory is looked at again.
const REST: Duration = Duration::from_millis(500);

/// Good messages that are sent while something else goes on.
const GOOD: usize = 100;

/// Puts one question to a running service and tells what came of it.
type Probe = fn(&Running, &Corpus) -> io::Result<String>;

/// The probes with the names that the table gives them.
const PROBES: [(&str, Probe); 9] = [
    ("10,000 idle connections", idle),
    ("2,000 stalled, 100 good ones go on", stalled),
    ("one header field of 1 MB", long_field),
    ("100,000 header fields", many_fields),
    ("1,000 signatures", many_signatures),
    ("From of 160 KB", long_from),
    ("50 MB of body, one", |running, corpus| large(running, corpus, 1)),
    ("50 MB of body on 4 connections at once", |running, corpus| {
        large(running, corpus, 4)
    }),
    ("50 MB of body on 50 connections at once", |running, corpus| {
        large(running, corpus, 50)
    }),
];

/// Runs all probes, or those whose names have what is asked for, and prints the table.
pub(crate) fn run(options: &Options) -> io::Result<()> {
    // Each of ten thousand connections is an open file.
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, most, most)?;
    let corpus = options.corpus(500)?;
    println!(
        "| probe | answer | seconds | CPU s | RSS before | RSS after | peak RSS (MiB) | DNS questions |\n\
         |---|---|---|---|---|---|---|---|"
    );
    let wanted = options.text("only", "");
    for (name, probe) in PROBES.iter().filter(|(name, _)| name.contains(wanted)) {
        eprintln!("{name}");
        println!("| {name} | {} |", put(options, &corpus, *probe)?);
    }
    println!();
    Ok(())
}

/// Puts one probe to a service of its own, so that memory is that of this probe.
fn put(options: &Options, corpus: &Corpus, probe: Probe) -> io::Result<String> {
    let dns = Server::start(corpus.zone.clone(), Duration::ZERO, 0)?;
    let (binary, folder) = (options.binary()?, options.folder()?);
    let mut running = filters::landmarc(&binary, &folder, dns.address(), false, "mode = \"enforce\"")?;
    let (memory, cpu, begun) = (running.filter.memory(), running.filter.cpu(), Instant::now());
    let answer = probe(&running, corpus).unwrap_or_else(|error| format!("error: {error}"));
    let seconds = begun.elapsed().as_secs_f64();
    let cpu = running.filter.cpu().since(cpu).total();
    std::thread::sleep(REST);
    let after = running.filter.memory();
    let alive = if running.filter.is_running() {
        ""
    } else {
        "; IT HAS ENDED"
    };
    Ok(format!(
        "{answer}{alive} | {seconds:.2} | {cpu:.2} | {:.1} | {:.1} | {:.1} | {}",
        memory.rss,
        after.rss,
        after.peak_rss,
        dns.asked()
    ))
}

/// What an answer is, and whether it is the expected one.
fn told(answer: &Answer) -> String {
    let done = match answer.code {
        b'a' | b'c' if answer.held => "accepted and held".to_owned(),
        b'a' | b'c' => "accepted".to_owned(),
        b'y' => format!(
            "reply \"{}\"",
            String::from_utf8_lossy(&answer.reply).trim_end_matches('\0')
        ),
        b't' => "tempfail".to_owned(),
        code => format!("\"{}\"", char::from(code)),
    };
    let results = answer
        .added
        .iter()
        .find(|(name, _)| name == b"Authentication-Results");
    let results = results.map_or(String::new(), |(_, value)| {
        let text: String = String::from_utf8_lossy(value)
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        format!(", {}", text.chars().take(160).collect::<String>())
    });
    format!("{done}{results}")
}

fn good_ones(running: &Running, corpus: &Corpus) -> io::Result<String> {
    let some = corpus
        .messages
        .iter()
        .filter(|message| message.body.len() < 100_000);
    let some: Vec<Message> = some.take(GOOD).cloned().collect();
    let load = drive::Load {
        address: &running.address,
        connections: 8,
        per_connection: 20,
        check: Check::Enforcing,
    };
    let outcome = drive::run(load, &some)?;
    Ok(format!(
        "{} good ones answered, {} wrong, p50 {:.1} ms, p99 {:.1} ms",
        outcome.messages,
        outcome.wrong_messages,
        outcome.percentile(0.5),
        outcome.percentile(0.99)
    ))
}

fn idle(running: &Running, corpus: &Corpus) -> io::Result<String> {
    let mut held = Vec::new();
    for _ in 0..10_000 {
        held.push(Mta::connect(&running.address, WRITE)?);
    }
    let rss = running.filter.memory().rss;
    let good = good_ones(running, corpus)?;
    Ok(format!(
        "{} connections, RSS {rss:.1} MiB with them; {good}",
        held.len()
    ))
}

/// A thousand stop after the header section, a thousand within a packet.
fn stalled(running: &Running, corpus: &Corpus) -> io::Result<String> {
    let mut held = Vec::new();
    for (number, message) in corpus.messages.iter().cycle().take(2_000).enumerate() {
        let mut mta = Mta::connect(&running.address, WRITE)?;
        if mta.tell_up_to_body(message)?.is_some() {
            continue;
        }
        if number % 2 == 0 {
            mta.body(message.body.get(..1_000).unwrap_or(&message.body))?;
        }
        mta.packet(b'B', &[&message.body]);
        mta.flush_all_but(100)?;
        held.push(mta);
    }
    let rss = running.filter.memory().rss;
    let good = good_ones(running, corpus)?;
    Ok(format!(
        "{} stalled, RSS {rss:.1} MiB with them; {good}",
        held.len()
    ))
}

fn long_field(running: &Running, corpus: &Corpus) -> io::Result<String> {
    let mut message = corpus.messages[1].clone();
    let value = [b" ", &b"x".repeat(1 << 20)[..]].concat();
    message.fields.push(("X-Long".to_owned(), value));
    with_verdict(running, &message)
}

fn many_fields(running: &Running, corpus: &Corpus) -> io::Result<String> {
    let mut message = corpus.messages[1].clone();
    for number in 0..100_000 {
        message
            .fields
            .push((format!("X-Field-{number}"), b" value".to_vec()));
    }
    with_verdict(running, &message)
}

fn many_signatures(running: &Running, corpus: &Corpus) -> io::Result<String> {
    let signed = |message: &&Message| message.fields.iter().any(|(name, _)| name == "DKIM-Signature");
    let mut message = corpus
        .messages
        .iter()
        .find(signed)
        .unwrap_or(&corpus.messages[0])
        .clone();
    let field = message
        .fields
        .iter()
        .find(|(name, _)| name == "DKIM-Signature")
        .cloned();
    let (name, value) = field.unwrap_or_default();
    let text = String::from_utf8_lossy(&value).into_owned();
    for number in 0..1_000 {
        let other = text.replace("s=r1", &format!("s=x{number}"));
        message.fields.insert(0, (name.clone(), other.into_bytes()));
    }
    with_verdict(running, &message)
}

fn long_from(running: &Running, corpus: &Corpus) -> io::Result<String> {
    let mut message = corpus.messages[1].clone();
    for (name, value) in &mut message.fields {
        if name == "From" {
            let comments = "(a comment) ".repeat(160 * 1024 / 12);
            *value = [b" ", comments.as_bytes(), value].concat();
        }
    }
    with_verdict(running, &message)
}

fn with_verdict(running: &Running, message: &Message) -> io::Result<String> {
    let mut mta = Mta::connect(&running.address, WRITE)?;
    let answer = mta.deliver(message)?;
    let wrong = differences(message, &answer, Check::Enforcing);
    let wrong = if wrong.is_empty() {
        "as for the message without it".to_owned()
    } else {
        wrong.join(", ")
    };
    Ok(format!("{} ({wrong})", told(&answer)))
}

/// A body of 50 MB, told in chunks, on some connections at once; good ones go on beside.
fn large(running: &Running, corpus: &Corpus, connections: usize) -> io::Result<String> {
    let signed = |message: &&Message| message.expected.dkim == crate::corpus::Dkim::Pass;
    let message = corpus.messages.iter().find(signed).unwrap_or(&corpus.messages[0]);
    let chunk = corpus.messages[0]
        .body
        .iter()
        .copied()
        .cycle()
        .take(65_535)
        .collect::<Vec<u8>>();
    let one = || -> io::Result<u8> {
        let mut mta = Mta::connect(&running.address, WRITE)?;
        if let Some(early) = mta.tell_up_to_body(message)? {
            return Ok(early.code);
        }
        for _ in 0..800 {
            if let Some(early) = mta.body(&chunk)? {
                return Ok(early.code);
            }
        }
        Ok(mta.finish(message)?.code)
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..connections).map(|_| scope.spawn(one)).collect();
        let good = if connections > 1 {
            format!("; {}", good_ones(running, corpus)?)
        } else {
            String::new()
        };
        let mut answered = 0;
        for thread in threads {
            let code = thread
                .join()
                .map_err(|_| io::Error::other("a thread panicked"))??;
            answered += usize::from(matches!(code, b'a' | b'c' | b'y'));
        }
        Ok(format!("{answered} of {connections} answered{good}"))
    })
}
