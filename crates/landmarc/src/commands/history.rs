//! `history`: what was counted, as other programs write it down.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use landmarc_import::export::write_domain;
use landmarc_observation::DomainDay;
use landmarc_store::{Day, Reader};

use crate::exit::Exit;
use crate::failure::{CommandResult, Failure, failure};
use crate::figures::grouped;
use crate::notes::note;
use crate::records::StoreArguments;
use landmarc_runtime::clock::now_ms;
use landmarc_runtime::time::{When, date};

/// What the help says below the options.
const AFTER_HELP: &str = "\
One record for each message, as opendmarc 1.4 writes them; opendmarc-import reads them, and so does \
landmarc migrate opendmarc --history. A tally has neither times nor queue ids: each record has noon of \
its UTC day, and an id made of the day, of what its row says and of a number: the same each time, also \
when more was counted since.\n\n\
Exit code: 0 when it was written, 64 for a wrong command line, 65 for a file that is no store of this \
version, 69 when the store cannot be read or the file not written, 78 for wrong settings.";

/// Write what was counted for other programs: the history file of OpenDMARC
#[derive(Debug, Subcommand)]
pub(crate) enum HistoryCommand {
    /// Write the tally of some days as a history file of OpenDMARC
    Export(HistoryExportArguments),
}

/// Arguments of `history export`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct HistoryExportArguments {
    /// Only this UTC day: 2026-06-01, yesterday, today
    #[arg(long, value_name = "DAY", conflicts_with_all = ["since", "until"])]
    day: Option<When>,
    /// Only this UTC day and later
    #[arg(long, value_name = "DAY")]
    since: Option<When>,
    /// Only until this UTC day, which is included
    #[arg(long, value_name = "DAY")]
    until: Option<When>,
    /// Write into this file, which must not be there yet [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The name of the host that received the mail, as records have it [default: this host's]
    #[arg(long, value_name = "NAME")]
    reporter: Option<String>,
    #[command(flatten)]
    store: StoreArguments,
}

/// Does it.
pub(crate) fn run(command: &HistoryCommand) -> CommandResult {
    let HistoryCommand::Export(arguments) = command;
    export(arguments)
}

fn export(arguments: &HistoryExportArguments) -> CommandResult {
    if arguments.ends_before_it_begins(now_ms()) {
        return Err(failure!(
            Exit::Usage,
            "--since is after --until: there is no day between them"
        ));
    }
    let store = arguments.store.find()?;
    let reader = store.read()?;
    let reporter = arguments
        .reporter
        .clone()
        .unwrap_or_else(landmarc_runtime::rules::system_name);
    let days = reader.reporting_days()?;
    let days: Vec<_> = days
        .into_iter()
        .filter(|day| arguments.has(*day, now_ms()))
        .collect();
    let count = match &arguments.output {
        None => write_days(
            &mut BufWriter::new(io::stdout().lock()),
            &reader,
            &days,
            &reporter,
        ),
        Some(path) => {
            let file = create(path)?;
            let count = write_days(&mut BufWriter::new(&file), &reader, &days, &reporter);
            count.and_then(|count| file.sync_all().map(|()| count).map_err(|error| unwritten(&error)))
        }
    }?;
    note!("landmarc: {} records of {} days", grouped(count), days.len());
    Ok(Exit::Fine)
}

/// A reader of a pipe who has closed it has seen enough.
fn unwritten(error: &io::Error) -> Failure {
    match error.kind() {
        ErrorKind::BrokenPipe => Exit::Fine.into(),
        _ => failure!(Exit::Unavailable, "cannot write the history: {error}"),
    }
}

impl HistoryExportArguments {
    fn ends_before_it_begins(&self, now_ms: u64) -> bool {
        let of = |when: When| Day::at(when.begins_ms(now_ms));
        matches!((self.since, self.until), (Some(since), Some(until)) if of(since) > of(until))
    }

    fn has(&self, day: Day, now_ms: u64) -> bool {
        let of = |when: When| Day::at(when.begins_ms(now_ms));
        let is_it = self.day.is_none_or(|when| of(when) == day);
        let is_late = self.since.is_none_or(|when| of(when) <= day);
        is_it && is_late && self.until.is_none_or(|when| day <= of(when))
    }
}

/// One domain is in memory at a time, and none of the records.
fn write_days(out: &mut impl Write, reader: &Reader, days: &[Day], reporter: &str) -> Result<u64, Failure> {
    let mut count = 0;
    for day in days {
        for domain in reader.reporting_day(*day)? {
            let domain = domain?;
            note_left_out(*day, &domain);
            count += write_domain(out, *day, domain, reporter).map_err(|error| unwritten(&error))?;
        }
    }
    out.flush().map_err(|error| unwritten(&error))?;
    Ok(count)
}

/// Rows past what is read of one domain and day: nothing is left out in silence.
fn note_left_out(day: Day, domain: &DomainDay) {
    if domain.left_out_messages > 0 {
        note!(
            "landmarc: {}: {} messages of {} are left out, in rows past the {}th",
            date(day),
            grouped(domain.left_out_messages),
            domain.policy_domain,
            grouped(u64::try_from(domain.rows.len()).unwrap_or(u64::MAX))
        );
    }
}

fn create(path: &Path) -> Result<File, Failure> {
    let file = OpenOptions::new().write(true).create_new(true).open(path);
    file.map_err(|error| {
        let remedy = match error.kind() {
            ErrorKind::AlreadyExists => "; name another one",
            _ => "",
        };
        failure!(
            Exit::Unavailable,
            "cannot write {}: {error}{remedy}",
            path.display()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn export(days: [Option<&str>; 3]) -> HistoryExportArguments {
        let when = |text: Option<&str>| text.map(|text| text.parse().unwrap());
        let [day, since, until] = days.map(when);
        HistoryExportArguments {
            day,
            since,
            until,
            output: None,
            reporter: None,
            store: StoreArguments {
                local: false,
                config: None,
                store: None,
            },
        }
    }

    #[test]
    fn days_are_chosen_one_or_from_and_to() {
        // 2026-06-01 to 2026-06-04.
        let chosen = |days| {
            let export = export(days);
            (20_605..20_609)
                .filter(|day| export.has(Day(*day), 0))
                .collect::<Vec<_>>()
        };
        assert_eq!(chosen([None, None, None]).len(), 4);
        assert_eq!(chosen([Some("2026-06-02"), None, None]), [20_606]);
        assert_eq!(
            chosen([None, Some("2026-06-02"), Some("2026-06-03")]),
            [20_606, 20_607]
        );
    }

    #[test]
    fn days_that_end_before_they_begin_are_a_wrong_command_line() {
        let is_wrong = |since, until| export([None, since, until]).ends_before_it_begins(0);
        let (first, second) = (Some("2026-06-01"), Some("2026-06-02"));
        assert!(is_wrong(second, first));
        assert!(!is_wrong(first, second) && !is_wrong(first, first));
        assert!(!is_wrong(second, None) && !is_wrong(None, first));
    }
}
