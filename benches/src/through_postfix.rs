//! Messages through a real Postfix: what it and the filter take together, above Postfix alone,
//! and how long one message takes when there is nothing else to do.

use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use landmarc_e2e::{Envelope, Postfix, PostfixConfig, Smtp};

use crate::corpus::{Done, Message};
use crate::filters::Running;
use crate::load::Bench;
use crate::options::Options;
use crate::process::{Cpu, cpu_of, family, wait_for};

/// SMTP connections at once when load is measured.
const CONNECTIONS: usize = 16;

/// Longer than Postfix takes to deliver what it has accepted to nowhere.
const DELIVERY: Duration = Duration::from_millis(500);

/// What messages through Postfix came to.
#[derive(Debug, Default)]
struct Outcome {
    messages: usize,
    /// Messages refused that should have been taken, or the other way round.
    wrong: usize,
    filter: Cpu,
    postfix: Cpu,
    wall: Duration,
    /// From MAIL FROM to the reply at the end, in milliseconds, sorted.
    latencies: Vec<f64>,
}

impl Outcome {
    fn percentile(&self, share: f64) -> f64 {
        let place = (self.latencies.len() as f64 * share) as usize;
        let place = place.min(self.latencies.len().saturating_sub(1));
        self.latencies.get(place).copied().unwrap_or(0.0)
    }

    fn per_thousand(&self, cpu: Cpu) -> f64 {
        cpu.total() * 1000.0 / self.messages.max(1) as f64
    }

    fn together(&self) -> f64 {
        self.per_thousand(self.filter) + self.per_thousand(self.postfix)
    }
}

/// Runs everything and prints the tables.
pub(crate) fn run(options: &Options) -> io::Result<()> {
    let bench = Bench::new(options, 1_000)?;
    if let Some(outcome) = through(&bench, None, false, CONNECTIONS, 20)? {
        drop(outcome);
        load(&bench)?;
        alone(&bench)?;
    } else {
        println!("Postfix was not run: it takes root and the package (`--postfix`).\n");
    }
    Ok(())
}

fn load(bench: &Bench<'_>) -> io::Result<()> {
    println!(
        "| filter | filter CPU s / 1000 | Postfix CPU s / 1000 | both, above Postfix alone | msg/s | p50 ms | p99 ms \
         | wrongly refused or taken |\n|---|---|---|---|---|---|---|---|"
    );
    let mut bare = 0.0;
    let filters = bench
        .filters
        .iter()
        .map(String::as_str)
        .filter(|name| *name != "null-raw");
    for name in std::iter::once("none").chain(filters) {
        let filter = (name != "none").then_some(name);
        let all = bench.corpus.messages.len();
        let Some(outcome) = through(bench, filter, false, CONNECTIONS, all)? else {
            return Ok(());
        };
        if filter.is_none() {
            bare = outcome.together();
        }
        let wrong = match name {
            "none" | "null-crate" => "-".to_owned(),
            _ => format!("{} of {}", outcome.wrong, outcome.messages),
        };
        println!(
            "| {name} | {:.2} | {:.2} | **{:.2}** | {:.0} | {:.1} | {:.1} | {wrong} |",
            outcome.per_thousand(outcome.filter),
            outcome.per_thousand(outcome.postfix),
            outcome.together() - bare,
            outcome.messages as f64 / outcome.wall.as_secs_f64(),
            outcome.percentile(0.5),
            outcome.percentile(0.99),
        );
    }
    println!();
    Ok(())
}

/// One message at a time.
fn alone(bench: &Bench<'_>) -> io::Result<()> {
    println!("| filter | socket | p50 ms | p99 ms |\n|---|---|---|---|");
    for (filter, inet) in [(None, false), (Some("landmarc"), false), (Some("landmarc"), true)] {
        let Some(outcome) = through(bench, filter, inet, 1, 300)? else {
            return Ok(());
        };
        println!(
            "| {} | {} | **{:.2}** | {:.2} |",
            filter.unwrap_or("none"),
            match (filter, inet) {
                (None, _) => "-",
                (_, true) => "inet",
                (_, false) => "unix",
            },
            outcome.percentile(0.5),
            outcome.percentile(0.99),
        );
    }
    println!();
    Ok(())
}

/// Sends the first messages of the corpus through a Postfix that was just started; nothing when
/// there is none to start.
fn through(
    bench: &Bench<'_>,
    filter: Option<&str>,
    inet: bool,
    connections: usize,
    messages: usize,
) -> io::Result<Option<Outcome>> {
    eprintln!("Postfix with {}", filter.unwrap_or("no filter"));
    let dns = bench.dns(0)?;
    let running = filter.map(|name| bench.start(name, &dns, inet)).transpose()?;
    let milters = running.as_ref().map(Running::milters).unwrap_or_default();
    let before = family(vec![std::process::id()]);
    let config = PostfixConfig::with_milters(milters).set("relay_transport", "discard:");
    let Some(postfix) = Postfix::start(&config)? else {
        return Ok(None);
    };
    let masters: Vec<u32> = family(vec![std::process::id()])
        .into_iter()
        .filter(|id| !before.contains(id))
        .filter(|id| name_of(*id) == "master")
        .collect();
    let used = || {
        (
            cpu_of(&family(masters.clone())),
            running.as_ref().map(|r| r.filter.cpu()),
        )
    };
    let (postfix_before, filter_before) = used();
    let messages = bench
        .corpus
        .messages
        .get(..messages)
        .unwrap_or(&bench.corpus.messages);
    let mut outcome = send(&postfix, messages, connections)?;
    delivered(&postfix, &outcome)?;
    let (postfix_after, filter_after) = used();
    outcome.postfix = postfix_after.since(postfix_before);
    outcome.filter = filter_after
        .unwrap_or_default()
        .since(filter_before.unwrap_or_default());
    Ok(Some(outcome))
}

/// Waits until nothing happens in the log any more: what was accepted has been delivered.
fn delivered(postfix: &Postfix, outcome: &Outcome) -> io::Result<()> {
    let mut length = 0;
    wait_for(|| {
        let now = postfix.log().len();
        let still = now == length;
        length = now;
        if !still {
            thread::sleep(DELIVERY);
        }
        still.then_some(())
    })
    .ok_or_else(|| {
        io::Error::other(format!(
            "Postfix goes on delivering {} messages",
            outcome.messages
        ))
    })
}

fn name_of(id: u32) -> String {
    let name = std::fs::read_to_string(format!("/proc/{id}/comm")).unwrap_or_default();
    name.trim_end().to_owned()
}

fn send(postfix: &Postfix, messages: &[Message], connections: usize) -> io::Result<Outcome> {
    let next = AtomicUsize::new(0);
    let total = Mutex::new((Outcome::default(), None));
    let begun = Instant::now();
    thread::scope(|scope| {
        for _ in 0..connections {
            scope.spawn(|| {
                while let Some(message) = messages.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let sent = send_one(postfix, message);
                    let mut total = total.lock().expect("no thread panics with the lock");
                    match sent {
                        Ok((millis, right)) => {
                            total.0.messages += 1;
                            total.0.wrong += usize::from(!right);
                            total.0.latencies.push(millis);
                        }
                        Err(error) => total.1 = Some(error),
                    }
                }
            });
        }
    });
    let (mut outcome, error) = total.into_inner().expect("no thread panics with the lock");
    outcome.wall = begun.elapsed();
    outcome.latencies.sort_by(f64::total_cmp);
    error.map_or(Ok(outcome), Err)
}

/// Sends one message as its client would; how long it took, and whether it was taken as it should be.
fn send_one(postfix: &Postfix, message: &Message) -> io::Result<(f64, bool)> {
    let mut smtp: Smtp = postfix.connect()?;
    smtp.as_client(message.client, Some(&message.helo), &message.helo)?;
    let content = content(message);
    let envelope = Envelope {
        mail_from: message.mail_from.trim_matches(['<', '>']),
        parameters: "",
        rcpt_to: &[message.rcpt_to.trim_matches(['<', '>'])],
    };
    let begun = Instant::now();
    let outcome = smtp.send(&envelope, &content)?;
    let millis = begun.elapsed().as_secs_f64() * 1e3;
    smtp.quit()?;
    let reply = outcome.last();
    let right = match message.expected.done {
        Done::Reject => (500..600).contains(&reply.code),
        Done::Accept | Done::Quarantine => (200..300).contains(&reply.code),
    };
    Ok((millis, right))
}

/// The message as DATA has it, lines with CRLF.
fn content(message: &Message) -> Vec<u8> {
    let mut content = Vec::with_capacity(message.body.len() + 4096);
    for (name, value) in &message.fields {
        content.extend_from_slice(name.as_bytes());
        content.push(b':');
        for line in value.split_inclusive(|&octet| octet == b'\n') {
            content.extend_from_slice(line.strip_suffix(b"\n").unwrap_or(line));
            if line.ends_with(b"\n") {
                content.extend_from_slice(b"\r\n");
            }
        }
        content.extend_from_slice(b"\r\n");
    }
    content.extend_from_slice(b"\r\n");
    content.extend_from_slice(&message.body);
    content
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corpus::{Corpus, Keys};

    #[test]
    fn the_content_has_no_bare_line_ends() {
        let corpus = Corpus::generate(1, 4, &Keys::read().unwrap());
        for message in &corpus.messages {
            let content = content(message);
            let bare = content
                .windows(2)
                .filter(|pair| (pair[0] == b'\r') != (pair[1] == b'\n'))
                .count();
            assert_eq!(bare, 0, "{}", message.made);
            assert!(content.ends_with(b"\r\n"));
        }
    }
}
