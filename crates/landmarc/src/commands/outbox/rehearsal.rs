//! `outbox send` without a trace in the store: letters are told of, written into files, or sent.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use post::Outcome;
use report::Address;
use serde_json::json;
use store::{Delivery, DeliveryState, NewReport, OutboxFilter, Reader};

use super::opened::Opened;
use super::send::{sent_in_words, sent_object};
use crate::exit::Exit;
use crate::figures::grouped;
use crate::output::{complain, print};
use crate::records::refuse;
use crate::reporter::{
    Assembly, Clock, Facts, Known, Means, Request, Selection, SendCounts, Settlement, Sheet, Stop,
};
use crate::time::date;

/// Letters of the outbox that are looked at; of more, the newest.
const MAX_LETTERS: usize = 100_000;

/// Without the store there is no secret for return paths; they have no token then.
const NO_SECRET: [u8; 32] = [0; 32];

/// Octets of the name of a file.
const MAX_NAME_OCTETS: usize = 200;
/// Reports tell who sends mail to whom: they are not for everybody on this host.
const MODE: u32 = 0o640;

/// What is done with each letter.
#[derive(Clone, Debug)]
pub(super) enum Mode {
    Tell,
    Write(PathBuf),
    Send,
}

impl Mode {
    fn word(&self) -> &'static str {
        match self {
            Self::Tell | Self::Write(_) => "dry_run",
            Self::Send => "no_update",
        }
    }
}

/// Makes the letters and does it.
///
/// # Errors
/// With how the command is to end, when it has said why.
pub(super) async fn run(
    opened: &Opened,
    days: Vec<Request>,
    selection: Selection,
    clock: Clock,
    mode: Mode,
    as_json: bool,
    stop: Stop,
) -> Result<Exit, Exit> {
    if let Mode::Write(directory) = &mode {
        fs::create_dir_all(directory).map_err(|error| unwritable(directory, &error))?;
    }
    let mut rehearsal = Rehearsal {
        means: opened.means(&NO_SECRET)?,
        mode,
        as_json,
        stop,
        letters: 0,
        unanswered: 0,
        sent: SendCounts::default(),
        lines: Vec::new(),
    };
    for request in days {
        rehearsal.of_day(opened, request).await?;
    }
    let reader = opened.found().read()?;
    rehearsal.of_outbox(&reader, &selection, clock.now_ms()).await?;
    rehearsal.means.courier.close().await;
    print(&rehearsal.told())?;
    Ok(rehearsal.exit())
}

struct Rehearsal {
    means: Means,
    mode: Mode,
    as_json: bool,
    stop: Stop,
    letters: u64,
    /// Destinations that DNS did not answer about.
    unanswered: u64,
    sent: SendCounts,
    /// What is told of each domain and letter.
    lines: Vec<String>,
}

impl Rehearsal {
    async fn of_day(&mut self, opened: &Opened, request: Request) -> Result<(), Exit> {
        let (database, terms) = (opened.database.clone(), Arc::clone(&opened.terms));
        let day = date(request.day);
        let mut assembly = Assembly::begin(database, Known::Store, terms, request, opened.resolver()?);
        while let Some(settled) = assembly.next().await {
            let settled = settled.map_err(|error| refuse(&error))?;
            let domain = &settled.policy_domain;
            match settled.settlement {
                Settlement::Before => {}
                Settlement::Skipped(why) => self.lines.push(format!("{day} {domain}: no report: {why}")),
                Settlement::Reports { reports, addressees } => {
                    self.unanswered += u64::try_from(addressees.unanswered.len()).unwrap_or(u64::MAX);
                    for (address, why) in &addressees.unanswered {
                        self.lines
                            .push(format!("{day} {domain}: not yet to {address}: {why}"));
                    }
                    for (uri, why) in &addressees.refused {
                        self.lines.push(format!("{day} {domain}: not to {uri}: {why}"));
                    }
                    for report in &reports {
                        self.new_report(report).await?;
                    }
                }
            }
            if self.stop.is_set() {
                break;
            }
        }
        Ok(())
    }

    async fn new_report(&mut self, report: &NewReport) -> Result<(), Exit> {
        if let Mode::Write(directory) = &self.mode {
            write(directory, &report.file_name, &report.body)?;
        }
        let unverified = Facts::read(&report.facts).unverified;
        let sheet = Sheet::from(report);
        for delivery in &report.deliveries {
            let host = delivery.destination.rsplit_once('@').map(|(_, host)| host);
            if !unverified
                .iter()
                .any(|unverified| Some(unverified.as_str()) == host)
            {
                self.letter(&sheet, &report.body, &delivery.destination).await?;
            }
        }
        Ok(())
    }

    /// What waits in the outbox, as far as it is due.
    async fn of_outbox(&mut self, reader: &Reader, selection: &Selection, now_ms: u64) -> Result<(), Exit> {
        for state in [DeliveryState::Queued, DeliveryState::Deferred] {
            let filter = OutboxFilter {
                state: Some(state),
                limit: MAX_LETTERS,
                ..OutboxFilter::default()
            };
            let waiting = reader.deliveries(&filter).map_err(|error| refuse(&error))?;
            let is_due =
                |letter: &&Delivery| letter.state == DeliveryState::Queued || letter.next_ms <= now_ms;
            let chosen = |letter: &&Delivery| selection.has(&letter.report.policy_domain);
            for letter in waiting.iter().filter(is_due).filter(chosen) {
                self.stored(reader, letter).await?;
            }
        }
        Ok(())
    }

    async fn stored(&mut self, reader: &Reader, delivery: &Delivery) -> Result<(), Exit> {
        let report = &delivery.report;
        let body = reader
            .report_body(report.number)
            .map_err(|error| refuse(&error))?;
        let Some(body) = body.filter(|_| Facts::read(&report.facts).unverified.is_empty()) else {
            return Ok(());
        };
        if let Mode::Write(directory) = &self.mode
            && !report.file_name.is_empty()
        {
            write(directory, &report.file_name, &body)?;
        }
        self.letter(&Sheet::from(report), &body, &delivery.destination)
            .await
    }

    async fn letter(&mut self, sheet: &Sheet<'_>, body: &[u8], destination: &str) -> Result<(), Exit> {
        if self.stop.is_set() || self.sent.relay.is_some() {
            return Ok(());
        }
        let bad = |why: String| complain(Exit::BadInput, &format!("{}: {why}", sheet.report_id));
        let address = Address::parse(destination).map_err(|error| bad(error.to_string()))?;
        let letter = sheet
            .letter(body, &address)
            .map_err(|error| bad(error.to_string()))?;
        let name = name(&letter.message_id);
        self.letters += 1;
        let line = format!(
            "{} about {} to {destination}",
            sheet.report_id, sheet.policy_domain
        );
        match &self.mode {
            Mode::Tell => self.lines.push(line),
            Mode::Write(directory) => {
                let octets = self.means.courier.signed(&letter, sheet.date_s());
                write(directory, &format!("{name}.eml"), &octets)?;
                self.lines.push(line);
            }
            Mode::Send => {
                let courier = &self.means.courier;
                let outcome = courier
                    .deliver(&letter, destination, &name, sheet.date_s(), None)
                    .await;
                self.count(&line, &outcome);
            }
        }
        Ok(())
    }

    fn count(&mut self, line: &str, outcome: &Outcome) {
        match outcome {
            Outcome::Delivered { reply } => {
                self.sent.delivered += 1;
                self.lines.push(format!("{line}: {reply}"));
            }
            Outcome::Deferred(failure) | Outcome::Unanswered(failure) => {
                self.sent.deferred += 1;
                self.lines.push(format!("{line}: {failure}"));
            }
            Outcome::Refused(failure) => {
                self.sent.given_up += 1;
                self.lines.push(format!("{line}: {failure}"));
            }
            Outcome::RelayUnusable(failure) => self.sent.relay = Some(failure.to_string()),
        }
    }

    fn told(&self) -> String {
        if self.as_json {
            let object = json!({
                "mode": self.mode.word(),
                "letters": self.letters,
                "unanswered": self.unanswered,
                "sent": matches!(self.mode, Mode::Send).then(|| sent_object(&self.sent)),
                "relay": self.sent.relay,
                "lines": self.lines,
            });
            return format!("{object}\n");
        }
        let mut text: String = self
            .lines
            .iter()
            .map(|line| format!("{}\n", crate::visible::visible(line)))
            .collect();
        match (&self.mode, &self.sent.relay) {
            (Mode::Send, None) => text.push_str(&sent_in_words(&self.sent)),
            (Mode::Send, Some(why)) => text.push_str(&format!("the relay takes no letters: {why}\n")),
            (Mode::Tell, _) => text.push_str(&format!("would be sent: {} letters\n", grouped(self.letters))),
            (Mode::Write(directory), _) => text.push_str(&format!(
                "written into {}: {} letters\n",
                directory.display(),
                grouped(self.letters)
            )),
        }
        text
    }

    fn exit(&self) -> Exit {
        if self.sent.deferred + self.sent.given_up > 0 || self.sent.relay.is_some() {
            Exit::Findings
        } else if self.unanswered > 0 {
            Exit::Unknown
        } else {
            Exit::Fine
        }
    }
}

/// The name of a letter: what stands before the `@` of its Message-ID.
fn name(message_id: &str) -> String {
    let id = message_id.trim_start_matches('<');
    id.split('@').next().unwrap_or(id).to_owned()
}

fn write(directory: &Path, name: &str, octets: &[u8]) -> Result<(), Exit> {
    let path = directory.join(file_name(name));
    let written = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(MODE)
        .open(&path)
        .and_then(|mut file| file.write_all(octets));
    written.map_err(|error| unwritable(&path, &error))
}

/// Domain names stand in it, and nothing keeps a slash out of these; and file systems take no name that is as
/// long as two of them. The end is kept, where the Report-ID is.
fn file_name(name: &str) -> String {
    let name = name.replace('/', "_");
    let start = name.len().saturating_sub(MAX_NAME_OCTETS);
    name.get(start..)
        .unwrap_or_default()
        .trim_start_matches('.')
        .to_owned()
}

fn unwritable(path: &Path, error: &std::io::Error) -> Exit {
    complain(
        Exit::Unavailable,
        &format!("cannot write {}: {error}", path.display()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_in_the_directory_and_fits_the_file_system() {
        assert_eq!(file_name("../../etc/x"), "_.._etc_x");
        assert_eq!(file_name(".."), "");
        let longest = "x".repeat(MAX_NAME_OCTETS);
        assert_eq!(file_name(&longest), longest);
        assert_eq!(file_name(&format!("y{longest}")), longest);
        let two_names = format!("{}!{}!1!2!id.xml.gz", "a".repeat(253), "b".repeat(253));
        assert!(file_name(&two_names).ends_with("!1!2!id.xml.gz"));
    }
}
