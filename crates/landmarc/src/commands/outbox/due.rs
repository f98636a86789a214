//! `outbox due`: about whom a report would be made, and to whom it would go; of a day that is done with,
//! what was made, and why some got none.

use std::collections::BTreeMap;
use std::sync::Arc;

use clap::Args;
use landmarc_store::{Day, NewReport, Reader, StoreError};
use serde_json::{Map, Value, json};

use super::rows::counted;
use super::setup::{self, OutboxSetup};
use super::{DayArgument, NowArgument};
use crate::exit::Exit;
use crate::failure::{CommandResult, Failure, failure};
use crate::listing::{self, Field, field};
use crate::notes::{note, print_note};
use crate::output::{print, terminal_width};
use crate::records::StoreArguments;
use crate::table::{self, Column, Cut, column};
use landmarc_reporter::{
    self, Addressees, Assembly, DayRequest, Selection, SettledDay, SettledDomain, SettledSource, Settlement,
    days_done, days_due,
};
use landmarc_runtime::fleet_settings::FleetMode;
use landmarc_runtime::stop::Stop;
use landmarc_runtime::time::date;

/// What the help says below the options.
const AFTER_HELP: &str = "\
Nothing is written and nothing is sent; DNS is asked about destinations. What is done with stays known \
for report.keep_days: with --day it is told which domains got a report, and why the others did not.\n\n\
Exit code: 0 when it was told, 2 when DNS did not answer about a destination, 64 for a wrong command \
line, 65 for a file that is no store of this version, 69 when the store cannot be read, 78 for wrong \
settings or without report.email.";

/// Arguments of `outbox due`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct OutboxDueArguments {
    /// This UTC day, whether or not it is over, and also when its reports are made: 2026-06-01,
    /// yesterday, today [default: those that are due]
    #[arg(long, value_name = "DAY")]
    day: Option<DayArgument>,
    /// Take this time for the present: seconds since 1970, or as 2026-06-01T14:30:00Z
    #[arg(long, value_name = "TIME")]
    now: Option<NowArgument>,
    #[command(flatten)]
    store: StoreArguments,
    /// Print one JSON object for each DMARC Policy Domain, on a line of its own
    #[arg(long)]
    json: bool,
}

/// What is said where reports about days are not made at all.
const SWITCHED_OFF: &str =
    "landmarc: aggregate reports are switched off (report.aggregate = false): none are made";

/// And where those who get all that is counted make them: made here, too, they would count it twice.
const MADE_ELSEWHERE: &str =
    "landmarc: aggregate reports are made where the records of this host go to: none are made here";

/// One policy domain and day.
#[derive(Clone, Debug)]
struct Row {
    day: Day,
    policy_domain: String,
    outcome: DomainOutcome,
}

/// What a policy domain and day come to.
#[derive(Clone, Debug, Default)]
struct DomainOutcome {
    state: State,
    rows: u64,
    messages: u64,
    reports: u64,
    deliveries: u64,
    destinations: Vec<String>,
    unanswered: Vec<String>,
    refused: Vec<String>,
    skipped: Option<String>,
}

/// How far the report about a policy domain is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// It would be made.
    #[default]
    Due,
    /// Its deliveries are in the outbox.
    Made,
    /// There is none.
    Skipped,
}

impl State {
    fn word(self) -> &'static str {
        match self {
            Self::Due => "due",
            Self::Made => "made",
            Self::Skipped => "skipped",
        }
    }
}

/// Looks and prints.
pub(super) fn run(arguments: &OutboxDueArguments) -> CommandResult {
    let setup = OutboxSetup::read(&arguments.store, false)?;
    let now_ms = NowArgument::or_present(arguments.now);
    if let Some(why) = why_none(&setup) {
        print_note(why);
        if arguments.day.is_none() {
            return Ok(Exit::Fine);
        }
    }
    let reader = setup.found().read()?;
    let named = arguments.day.map(|day| day.day(now_ms));
    let days = days(&reader, &setup, arguments.day, now_ms)?;
    let found = setup::run(|stop| rows(&setup, &reader, &days, named.is_some(), now_ms, stop))??;
    let remark = match named {
        Some(day) => about_day(&reader, day, found.is_empty(), now_ms),
        None if found.is_empty() => about_nothing(&reader).map(Some),
        None => Ok(None),
    };
    if let Some(remark) = remark? {
        print_note(&remark);
    }
    print(&match arguments.json {
        true => listing::as_json(&found, object),
        false => as_table(&found, terminal_width()),
    })?;
    let is_open = found.iter().any(|row| !row.outcome.unanswered.is_empty());
    Ok(if is_open { Exit::Unknown } else { Exit::Fine })
}

/// Why no reports about days are made by these settings; none where they are.
pub(super) fn why_none(setup: &OutboxSetup) -> Option<&'static str> {
    let leaves_them = FleetMode::of(&setup.settings).leaves_reports_to_another();
    match (setup.terms.keys.aggregate, leaves_them) {
        (false, _) => Some(SWITCHED_OFF),
        (true, true) => Some(MADE_ELSEWHERE),
        (true, false) => None,
    }
}

/// The days that are looked at: the one that is named, or those that are due and not done.
pub(super) fn days(
    reader: &Reader,
    setup: &OutboxSetup,
    named: Option<DayArgument>,
    now_ms: u64,
) -> Result<Vec<Day>, StoreError> {
    if let Some(named) = named {
        return Ok(vec![named.day(now_ms)]);
    }
    let mut due = days_due(&reader.reporting_days()?, now_ms, setup.terms.keys.settle);
    let done = days_done(reader)?;
    due.retain(|day| !done.contains(day));
    Ok(due)
}

/// What there is to say of a day that was named, beside its domains.
fn about_day(reader: &Reader, day: Day, is_empty: bool, now_ms: u64) -> Result<Option<String>, StoreError> {
    if day > Day::at(now_ms) {
        return Ok(Some(format!("landmarc: {} is still to come", date(day))));
    }
    if days_done(reader)?.contains(&day) {
        let settled = SettledDay::read(reader, day)?;
        return Ok(Some(format!("landmarc: {}", settled_in_words(&settled, day))));
    }
    Ok(is_empty.then(|| format!("landmarc: {} has no mail to report about", date(day))))
}

/// What there is to say when nothing is due: what the day before came to.
fn about_nothing(reader: &Reader) -> Result<String, StoreError> {
    let mut text = "landmarc: no report is due".to_owned();
    if let Some(day) = days_done(reader)?.first() {
        let settled = SettledDay::read(reader, *day)?;
        text.push_str(&format!(
            "\nlandmarc: {} (landmarc outbox due --day {})",
            settled_in_words(&settled, *day),
            date(*day)
        ));
    }
    Ok(text)
}

/// What the day came to: `2026-06-01 is reported: 12 reports, 6 domains without`.
fn settled_in_words(settled: &SettledDay, day: Day) -> String {
    let is_skipped = |domain: &&SettledDomain| matches!(domain, SettledDomain::Skipped(_));
    let without = count(settled.domains.values().filter(is_skipped).count());
    let mut text = format!(
        "{} is reported: {}",
        date(day),
        counted(settled.reports(), "report")
    );
    if without > 0 {
        text.push_str(&format!(", {} without", counted(without, "domain")));
    }
    text
}

async fn rows(
    setup: &OutboxSetup,
    reader: &Reader,
    days: &[Day],
    is_named: bool,
    now_ms: u64,
    stop: Stop,
) -> Result<Vec<Row>, Failure> {
    let mut rows = Vec::new();
    for day in days {
        let settled = match is_named {
            true => SettledDay::read(reader, *day)?,
            false => SettledDay::default(),
        };
        let of_day = tokio::select! {
            of_day = rows_of_day(setup, *day, settled, now_ms) => of_day?,
            () = stop.wait() => return Err(failure!(Exit::Findings, "stopped before the end")),
        };
        rows.extend(of_day);
    }
    Ok(rows)
}

/// The policy domains of a day in alphabetical order. Of those that are done with, those that are given.
async fn rows_of_day(
    setup: &OutboxSetup,
    day: Day,
    settled: SettledDay,
    now_ms: u64,
) -> Result<Vec<Row>, Failure> {
    let request = DayRequest {
        day,
        selection: Selection::default(),
        clock: landmarc_reporter::RunClock::at(now_ms),
        spread: false,
    };
    let (place, terms) = (setup.place.clone(), Arc::clone(&setup.terms));
    let mut assembly = Assembly::begin(place, SettledSource::Store, terms, request, setup.resolver()?);
    // Tallies may be gone before what was made of them is.
    let before = settled.domains.into_iter();
    let mut outcomes: BTreeMap<String, DomainOutcome> = before
        .map(|(policy_domain, settled)| (policy_domain, done(settled)))
        .collect();
    while let Some(found) = assembly.next().await {
        let found = found?;
        let outcome = match found.settlement {
            Settlement::Before => outcomes.remove(&found.policy_domain),
            Settlement::Skipped(why) => Some(without(why)),
            Settlement::Reports { reports, addressees } => Some(open(&reports, &addressees)),
        };
        if let Some(outcome) = outcome {
            let (rows, messages) = (found.rows, found.messages);
            let outcome = DomainOutcome {
                rows,
                messages,
                ..outcome
            };
            outcomes.insert(found.policy_domain, outcome);
        }
    }
    let row = |(policy_domain, outcome)| Row {
        day,
        policy_domain,
        outcome,
    };
    Ok(outcomes.into_iter().map(row).collect())
}

/// A domain that is done with.
fn done(settled: SettledDomain) -> DomainOutcome {
    match settled {
        SettledDomain::Skipped(why) => without(why),
        SettledDomain::Made(made) => DomainOutcome {
            state: State::Made,
            rows: made.rows,
            messages: made.messages,
            reports: made.reports(),
            deliveries: made.deliveries,
            destinations: made.destinations.into_iter().collect(),
            ..DomainOutcome::default()
        },
    }
}

fn without(why: String) -> DomainOutcome {
    DomainOutcome {
        state: State::Skipped,
        skipped: Some(why),
        ..DomainOutcome::default()
    }
}

/// A domain that is not done with.
fn open(reports: &[NewReport], addressees: &Addressees) -> DomainOutcome {
    DomainOutcome {
        reports: count(reports.len()),
        deliveries: reports.iter().map(|report| count(report.deliveries.len())).sum(),
        destinations: addressees.open.iter().map(ToString::to_string).collect(),
        unanswered: with_reasons(&addressees.unanswered),
        refused: with_reasons(&addressees.refused),
        ..DomainOutcome::default()
    }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

fn with_reasons<A: std::fmt::Display>(all: &[(A, String)]) -> Vec<String> {
    all.iter().map(|(what, why)| format!("{what}: {why}")).collect()
}

const FIELDS: [Field<Row>; 11] = [
    field("day", |row| date(row.day).into()),
    field("policy_domain", |row| json!(row.policy_domain)),
    field("state", |row| row.outcome.state.word().into()),
    field("rows", |row| row.outcome.rows.into()),
    field("messages", |row| row.outcome.messages.into()),
    field("reports", |row| row.outcome.reports.into()),
    field("deliveries", |row| row.outcome.deliveries.into()),
    field("destinations", |row| json!(row.outcome.destinations)),
    field("unanswered", |row| json!(row.outcome.unanswered)),
    field("refused", |row| json!(row.outcome.refused)),
    field("skipped", |row| json!(row.outcome.skipped)),
];

fn object(row: &Row) -> Map<String, Value> {
    listing::object(&FIELDS, row)
}

/// The day may go where all rows have the same. Of a reason nothing goes.
fn columns(rows: &[Row]) -> [Column; 6] {
    let first = rows.first().map(|row| row.day);
    let is_one_day = rows.iter().all(|row| Some(row.day) == first);
    [
        column("day", if is_one_day { 4 } else { 0 }, 10, Cut::End),
        column("policy_domain", 0, 16, Cut::Start),
        column("messages", 1, 8, Cut::End),
        column("rows", 3, 4, Cut::End),
        column("reports", 2, 7, Cut::End),
        column("to", 0, 40, Cut::Wrap),
    ]
}

fn as_table(rows: &[Row], width: Option<usize>) -> String {
    let cell = |row: &Row, name: &str| match name {
        "to" => destinations(&row.outcome),
        name => listing::word(&FIELDS, row, name),
    };
    table::of_rows(&columns(rows), rows, cell, width)
}

/// Where it would go, and where not; or why there is no report.
fn destinations(outcome: &DomainOutcome) -> String {
    if let Some(why) = &outcome.skipped {
        return format!("nobody: {why}");
    }
    if outcome.state == State::Made {
        return format!(
            "made: {}, {}",
            counted(outcome.reports, "report"),
            counted(outcome.deliveries, "delivery")
        );
    }
    let later = outcome.unanswered.iter().map(|one| format!("later {one}"));
    let never = outcome.refused.iter().map(|one| format!("not {one}"));
    let all: Vec<_> = outcome
        .destinations
        .iter()
        .cloned()
        .chain(later)
        .chain(never)
        .collect();
    all.join("; ")
}

/// A word about a day that is not over: what comes after is in no report.
pub(super) fn warn_of_today(day: Day, now_ms: u64) {
    if day >= Day::at(now_ms) {
        note!(
            "landmarc: {} is not over: mail that comes later that day is in no report",
            date(day)
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due() -> DomainOutcome {
        DomainOutcome {
            rows: 2,
            messages: 5,
            reports: 1,
            deliveries: 2,
            destinations: vec!["dmarc@example.com".to_owned()],
            unanswered: vec!["a@example.net: nobody answered".to_owned()],
            refused: vec!["mailto:b@example.org: not authorised".to_owned()],
            ..DomainOutcome::default()
        }
    }

    fn row(day: u32, policy_domain: &str, outcome: DomainOutcome) -> Row {
        Row {
            day: Day(day),
            policy_domain: policy_domain.to_owned(),
            outcome,
        }
    }

    fn all() -> [Row; 3] {
        let made = DomainOutcome {
            state: State::Made,
            ..due()
        };
        [
            row(20_605, "example.com", due()),
            row(20_605, "example.net", without("the record has no rua".to_owned())),
            row(20_605, "example.org", made),
        ]
    }

    #[test]
    fn each_domain_has_its_destinations_or_the_reason_for_none() {
        insta::assert_snapshot!(as_table(&all(), None), @r"
        day         policy_domain  messages  rows  reports  to
        2026-06-01  example.com    5         2     1        dmarc@example.com; later a@example.net: nobody answered; not mailto:b@example.org: not authorised
        2026-06-01  example.net    0         0     0        nobody: the record has no rua
        2026-06-01  example.org    5         2     1        made: 1 report, 2 deliveries
        ");
        for row in all() {
            assert_eq!(object(&row).len(), 11);
        }
        assert_eq!(
            all().map(|row| object(&row)["state"].clone()),
            ["due", "skipped", "made"]
        );
    }

    #[test]
    fn on_a_narrow_terminal_the_reason_is_whole_and_the_day_goes_first() {
        insta::assert_snapshot!(as_table(&all(), Some(80)), @r"
        policy_domain  messages  rows  reports  to
        example.com    5         2     1        dmarc@example.com; later a@example.net:
                                                nobody answered; not
                                                mailto:b@example.org: not authorised
        example.net    0         0     0        nobody: the record has no rua
        example.org    5         2     1        made: 1 report, 2 deliveries
        ");
        for width in 58..120 {
            let text = as_table(&all(), Some(width));
            assert!(text.lines().all(|line| line.chars().count() <= width), "{width}");
            assert!(!text.contains('…'), "{text}");
        }
        let two_days = [20_605, 20_606].map(|day| row(day, "example.com", due()));
        let text = as_table(&two_days, Some(80));
        assert!(text.contains("2026-06-02"), "{text}");
    }

    #[test]
    fn deliveries_and_reasons_come_to_one_line_a_domain() {
        let delivery = super::super::rows::tests::row();
        let other = landmarc_store::Delivery {
            destination: "too@example.com".to_owned(),
            ..super::super::rows::tests::row()
        };
        let name = delivery.report.policy_domain.clone();
        let lines = [
            (name.as_str(), "of an attempt before"),
            ("none.example", "no rua"),
        ];
        let lines = lines.map(|(name, why)| (name.to_owned(), why.to_owned()));
        let settled = SettledDay::of(lines.to_vec(), &[delivery, other]);
        assert_eq!(
            settled_in_words(&settled, Day(20_605)),
            "2026-06-01 is reported: 1 report, 1 domain without"
        );
        let Some(SettledDomain::Made(made)) = settled.domains.get(&name) else {
            panic!("{settled:?}");
        };
        assert_eq!(
            (made.reports(), made.deliveries, made.rows, made.messages),
            (1, 2, 2, 5)
        );
        assert_eq!(
            settled.domains.get("none.example"),
            Some(&SettledDomain::Skipped("no rua".to_owned()))
        );
        assert_eq!(
            settled_in_words(&SettledDay::default(), Day(20_605)),
            "2026-06-01 is reported: 0 reports"
        );
    }
}
