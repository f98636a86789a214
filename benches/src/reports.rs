//! What reports cost: a day of many messages is written down, and reports about 500 domains are
//! made from that and handed to a relay. The cost must follow the distinct rows, not the messages.

mod check;
mod day;
mod landmarc;
mod opendmarc;
mod rspamd;
mod sink;

use std::io;
use std::path::Path;

use crate::options::Options;
use crate::process::Cpu;
use day::DOMAINS;

/// What one program came to with so many messages.
#[derive(Debug, Default)]
struct Outcome {
    program: &'static str,
    messages: usize,
    /// Distinct rows among them: the least that reports can have.
    least_rows: usize,
    /// CPU of writing them down, in the program and in its server.
    recording: (Cpu, Cpu),
    /// CPU of making and sending the reports, likewise.
    sending: (Cpu, Cpu),
    /// Seconds of the clock for that.
    wall: f64,
    /// MiB at its peak, of the program that makes the reports.
    memory: f64,
    checked: check::Checked,
}

/// Runs everything and prints the table.
pub(crate) fn run(options: &Options) -> io::Result<()> {
    let mut outcomes = Vec::new();
    for messages in options.numbers("report-messages", "10000,100000,1000000")? {
        let day = day::Day::new(messages);
        outcomes.push(landmarc::run(options, &day)?);
        outcomes.extend(unless_it_fails("rspamd", rspamd::run(options, &day)));
        if messages <= options.number("opendmarc-messages", 10_000)? {
            outcomes.extend(unless_it_fails("OpenDMARC", opendmarc::run(options, &day)));
        }
    }
    print!("{}", table(&outcomes));
    Ok(())
}

/// A peer that does not run here costs the table its own rows only.
fn unless_it_fails(program: &str, outcome: io::Result<Option<Outcome>>) -> Option<Outcome> {
    outcome.unwrap_or_else(|error| {
        println!("{program} failed: {error}\n");
        None
    })
}

fn table(outcomes: &[Outcome]) -> String {
    let mut text = "\
| program | messages | recording, CPU s (program + server) | **making and sending, CPU s** (program + server) | wall s | peak MiB \
| reports | report mails | rows (least possible) | messages counted | valid by RFC 9990 |
|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n"
        .to_owned();
    for outcome in outcomes {
        let Outcome { checked, .. } = outcome;
        let both = |(program, server): (Cpu, Cpu)| format!("{:.2} + {:.2}", program.total(), server.total());
        text += &format!(
            "| {} | {} | {} | **{:.2}** ({}) | {:.1} | {:.0} | {} | {} | {} ({}) | {} | {} |\n",
            outcome.program,
            outcome.messages,
            both(outcome.recording),
            outcome.sending.0.total() + outcome.sending.1.total(),
            both(outcome.sending),
            outcome.wall,
            outcome.memory,
            checked.reports,
            checked.mails,
            checked.rows,
            outcome.least_rows,
            checked.messages,
            checked.valid,
        );
    }
    text + &format!("\nDomains that ask for reports: {DOMAINS}.\n")
}

/// A folder of its own for one program, empty.
fn fresh(folder: &Path) -> io::Result<()> {
    // That of a run before.
    let _ = std::fs::remove_dir_all(folder);
    std::fs::create_dir_all(folder)
}
