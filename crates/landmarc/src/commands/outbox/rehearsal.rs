//! `outbox send` without a trace in the store: messages are told of, written into files, or sent.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use landmarc_delivery::DeliveryOutcome;
use landmarc_report::Address;
use landmarc_store::{Day, Delivery, DeliveryState, NewReport, OutboxFilter, Reader};
use serde_json::{Value, json};

use super::common::{NO_SECRET, OutputOptions, announce_shutdown};
use super::rows::counted;
use super::setup::OutboxSetup;
use super::summary::Summary;
use crate::exit::Exit;
use crate::failure::{CommandResult, Failure, failure};
use crate::output::print;
use landmarc_mail::text::visible;
use landmarc_reporter::{
    Addressees, Assembly, DayMade, DayRequest, Facts, MailDraft, ReportSetup, RunClock, Selection,
    SettledSource, Settlement, last_moment,
};
use landmarc_runtime::stop::Stop;
use landmarc_runtime::time::date;

/// Deliveries of the outbox that are looked at; of more, the newest.
const MAX_DELIVERIES: usize = 100_000;

/// Octets of the name of a file.
const MAX_NAME_OCTETS: usize = 200;
/// Reports tell who sends mail to whom: they are not for everybody on this host.
const MODE: u32 = 0o640;

/// What is done with each delivery.
#[derive(Clone, Debug)]
pub(super) enum Mode {
    Print,
    Write(PathBuf),
    Send,
}

impl Mode {
    fn word(&self) -> &'static str {
        match self {
            Self::Print | Self::Write(_) => "dry_run",
            Self::Send => "no_update",
        }
    }
}

/// What is rehearsed.
pub(super) struct Orders {
    pub(super) days: Vec<DayRequest>,
    pub(super) selection: Selection,
    pub(super) clock: RunClock,
    pub(super) mode: Mode,
    pub(super) output: OutputOptions,
}

/// Makes the messages and does it.
///
/// # Errors
/// With what is printed, and the exit code.
pub(super) async fn run(setup: &OutboxSetup, orders: Orders, stop: Stop) -> CommandResult {
    if let Mode::Write(directory) = &orders.mode {
        fs::create_dir_all(directory).map_err(|error| unwritable(directory, &error))?;
    }
    let mut rehearsal = Rehearsal {
        means: setup.means(&NO_SECRET)?,
        mode: orders.mode,
        stop,
        deliveries: 0,
        unanswered: 0,
        summary: Summary::default(),
        lines: Vec::new(),
        reports: BTreeMap::new(),
    };
    if let Mode::Send = rehearsal.mode {
        tokio::spawn(announce_shutdown(rehearsal.stop.clone()));
    }
    for request in orders.days {
        rehearsal.of_day(setup, request).await?;
    }
    let (reader, now_ms) = (setup.found().read()?, orders.clock.now_ms());
    rehearsal.of_outbox(&reader, &orders.selection, now_ms).await?;
    rehearsal.means.mailer.close().await;
    let waiting = reader.outbox_counts(now_ms)?;
    rehearsal.summary.waiting += waiting.queued + waiting.deferred;
    rehearsal.summary.was_stopped = rehearsal.stop.is_set();
    let exit = rehearsal.exit();
    if !orders.output.quiet || exit != Exit::Fine {
        print(&rehearsal.printed(orders.output.as_json))?;
    }
    Ok(exit)
}

struct Rehearsal {
    means: ReportSetup,
    mode: Mode,
    stop: Stop,
    deliveries: u64,
    /// Destinations that DNS did not answer about.
    unanswered: u64,
    summary: Summary,
    /// What is told of each domain and delivery; it begins with day and domain.
    lines: Vec<String>,
    /// In the order they are told of.
    reports: BTreeMap<Key, Rehearsed>,
}

/// Day, policy domain, Report-ID.
type Key = (Day, String, String);

/// One report, and whom it would go to.
#[derive(Debug, Default)]
struct Rehearsed {
    messages: u64,
    rows: u64,
    /// With what was said about each: why nothing goes there, or how the delivery was taken.
    destinations: Vec<(String, Option<String>)>,
}

impl Rehearsal {
    async fn of_day(&mut self, setup: &OutboxSetup, request: DayRequest) -> Result<(), Failure> {
        let (place, terms) = (setup.place.clone(), Arc::clone(&setup.terms));
        let day = request.day;
        let mut made = DayMade::default();
        let mut assembly = Assembly::begin(place, SettledSource::Store, terms, request, setup.resolver()?);
        while let Some(settled) = assembly.next().await {
            let settled = settled?;
            let head = format!("{} {}", date(day), settled.policy_domain);
            made.counts.domains += 1;
            if let Some(limit) = settled.limited {
                made.limited.count(limit);
            }
            match settled.settlement {
                Settlement::Before => made.before += 1,
                Settlement::Skipped(why) => {
                    made.counts.skipped += 1;
                    self.lines.push(format!("{head}: no report: {why}"));
                }
                Settlement::Reports { reports, addressees } => {
                    self.list_unreached(&head, &addressees);
                    for report in &reports {
                        made.counts.reports += 1;
                        made.counts.messages = made.counts.messages.saturating_add(report.messages);
                        made.deliveries += u64::try_from(report.deliveries.len()).unwrap_or(u64::MAX);
                        self.new_report(report, &addressees).await?;
                    }
                }
            }
            if self.stop.is_set() {
                break;
            }
        }
        self.summary.waiting += made.deliveries;
        self.summary.days.push((day, made));
        Ok(())
    }

    /// Destinations that get nothing, now or ever.
    fn list_unreached(&mut self, head: &str, addressees: &Addressees) {
        self.unanswered += u64::try_from(addressees.unanswered.len()).unwrap_or(u64::MAX);
        for (address, why) in &addressees.unanswered {
            self.lines.push(format!("{head}: not yet to {address}: {why}"));
        }
        for (uri, why) in &addressees.refused {
            self.lines.push(format!("{head}: not to {uri}: {why}"));
        }
    }

    async fn new_report(&mut self, report: &NewReport, addressees: &Addressees) -> Result<(), Failure> {
        if let Mode::Write(directory) = &self.mode {
            write(directory, &report.file_name, &report.body)?;
        }
        let unanswered = addressees.unanswered.iter();
        let unanswered = unanswered.map(|(address, why)| (address.to_string(), Some(why.clone())));
        let refused = addressees.refused.iter();
        let refused = refused.map(|(uri, why)| (uri.clone(), Some(why.clone())));
        let rehearsed = Rehearsed {
            messages: report.messages,
            rows: report.rows,
            destinations: unanswered.chain(refused).collect(),
        };
        let sheet = MailDraft::from(report);
        let key = key(report.day, &sheet);
        self.reports.insert(key.clone(), rehearsed);
        for address in &addressees.open {
            self.delivery(&key, &sheet, &report.body, &address.to_string())
                .await?;
        }
        Ok(())
    }

    /// What waits in the outbox, as far as it is due.
    async fn of_outbox(
        &mut self,
        reader: &Reader,
        selection: &Selection,
        now_ms: u64,
    ) -> Result<(), Failure> {
        for state in [DeliveryState::Queued, DeliveryState::Deferred] {
            let filter = OutboxFilter {
                state: Some(state),
                limit: MAX_DELIVERIES,
                ..OutboxFilter::default()
            };
            let waiting = reader.deliveries(&filter)?;
            let is_due =
                |delivery: &&Delivery| delivery.state == DeliveryState::Queued || delivery.next_ms <= now_ms;
            let chosen = |delivery: &&Delivery| selection.has(&delivery.report.policy_domain);
            for delivery in waiting.iter().filter(is_due).filter(chosen) {
                self.stored(reader, delivery).await?;
            }
        }
        Ok(())
    }

    async fn stored(&mut self, reader: &Reader, delivery: &Delivery) -> Result<(), Failure> {
        let report = &delivery.report;
        let body = reader.report_body(report.number)?;
        let Some(body) = body.filter(|_| Facts::read(&report.facts).unverified.is_empty()) else {
            return Ok(());
        };
        if let Mode::Write(directory) = &self.mode
            && !report.file_name.is_empty()
        {
            write(directory, &report.file_name, &body)?;
        }
        let sheet = MailDraft::from(report);
        let key = key(report.day, &sheet);
        let rehearsed = self.reports.entry(key.clone()).or_default();
        (rehearsed.messages, rehearsed.rows) = (report.messages, report.rows);
        self.delivery(&key, &sheet, &body, &delivery.destination).await
    }

    async fn delivery(
        &mut self,
        key: &Key,
        sheet: &MailDraft<'_>,
        body: &[u8],
        destination: &str,
    ) -> Result<(), Failure> {
        if self.stop.is_set() || self.summary.sent.relay.is_some() {
            return Ok(());
        }
        let bad = |why: String| failure!(Exit::BadInput, "{}: {why}", sheet.report_id);
        let address = Address::parse(destination).map_err(|error| bad(error.to_string()))?;
        let mail = sheet
            .report_mail(body, &address)
            .map_err(|error| bad(error.to_string()))?;
        let name = name(&mail.message_id);
        self.deliveries += 1;
        let said = match &self.mode {
            Mode::Print => None,
            Mode::Write(directory) => {
                let octets = self.means.mailer.signed(&mail, sheet.date_s());
                write(directory, &format!("{name}.eml"), &octets)?;
                None
            }
            Mode::Send => {
                let (mailer, date) = (&self.means.mailer, sheet.date_s());
                let outcome = tokio::select! {
                    outcome = mailer.deliver(&mail, destination, &name, date, None) => outcome,
                    () = last_moment(&self.stop) => return Ok(()),
                };
                Some(self.count(&outcome))
            }
        };
        self.note(key, destination, said);
        Ok(())
    }

    /// Notes a delivery, and what was said to it.
    fn note(&mut self, key: &Key, destination: &str, said: Option<String>) {
        let (day, policy_domain, report_id) = key;
        let line = format!("{} {policy_domain}: {report_id} to {destination}", date(*day));
        self.lines.push(match &said {
            Some(said) => format!("{line}: {said}"),
            None => line,
        });
        if let Some(rehearsed) = self.reports.get_mut(key) {
            rehearsed.destinations.push((destination.to_owned(), said));
        }
    }

    /// Counts what came of a delivery, and says it in words.
    fn count(&mut self, outcome: &DeliveryOutcome) -> String {
        let sent = &mut self.summary.sent;
        match outcome {
            DeliveryOutcome::Delivered { reply } => {
                sent.delivered += 1;
                return reply.clone();
            }
            DeliveryOutcome::Deferred(_) | DeliveryOutcome::Unanswered(_) => sent.deferred += 1,
            DeliveryOutcome::Refused(failure) => {
                sent.given_up += 1;
                sent.why_given_up.get_or_insert_with(|| failure.to_string());
            }
            DeliveryOutcome::RelayUnusable(failure) => sent.relay = Some(failure.to_string()),
        }
        outcome.failure().map(ToString::to_string).unwrap_or_default()
    }

    fn printed(&mut self, as_json: bool) -> String {
        if as_json {
            return format!("{}\n", self.object());
        }
        // Domains are settled as DNS answers.
        self.lines.sort();
        let lines = self.lines.iter();
        let mut text: String = lines.map(|line| format!("{}\n", visible(line))).collect();
        let deliveries = counted(self.deliveries, "delivery");
        text.push_str(&match &self.mode {
            Mode::Send => self.summary.deliveries_in_words(),
            Mode::Print => format!("would be sent: {deliveries}\n"),
            Mode::Write(directory) => format!("written into {}: {deliveries}\n", directory.display()),
        });
        text
    }

    fn object(&self) -> Value {
        let report = |((day, policy_domain, report_id), report): (&Key, &Rehearsed)| {
            let destinations = report.destinations.iter();
            let destinations = destinations
                .map(|(destination, reason)| json!({"destination": destination, "reason": reason}));
            json!({
                "report_id": report_id,
                "policy_domain": policy_domain,
                "day": date(*day),
                "destinations": destinations.collect::<Vec<_>>(),
                "messages": report.messages,
                "rows": report.rows,
            })
        };
        let mut object = self.summary.object(self.mode.word());
        object.insert("reports".to_owned(), self.reports.iter().map(report).collect());
        Value::Object(object)
    }

    fn exit(&self) -> Exit {
        match self.summary.exit() {
            Exit::Fine if self.unanswered > 0 => Exit::Unknown,
            exit => exit,
        }
    }
}

fn key(day: Day, sheet: &MailDraft<'_>) -> Key {
    (day, sheet.policy_domain.to_owned(), sheet.report_id.to_owned())
}

/// The name of a delivery: what stands before the `@` of its Message-ID.
fn name(message_id: &str) -> String {
    let id = message_id.trim_start_matches('<');
    id.split('@').next().unwrap_or(id).to_owned()
}

fn write(directory: &Path, name: &str, octets: &[u8]) -> Result<(), Failure> {
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

fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    failure!(Exit::Unavailable, "cannot write {}: {error}", path.display())
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
