//! `outbox due`: about whom a report would be made, and to whom it would go.

use std::sync::Arc;

use clap::Args;
use serde_json::json;
use store::{Day, Reader, StoreError};

use super::list::column;
use super::opened::{self, Opened};
use super::{Clock, OneDay};
use crate::exit::Exit;
use crate::output::{complain, print, tell, terminal_width};
use crate::records::{Place, refuse};
use crate::reporter::{self, Assembly, Known, Request, Selection, Settlement, days_due};
use crate::table::{self, Column, Cut};
use crate::time::date;

/// What the help says below the options.
const AFTER_HELP: &str = "\
Nothing is written and nothing is sent; DNS is asked about destinations.\n\n\
Exit code: 0 when it was told, 2 when DNS did not answer about a destination, 64 for a wrong command\n\
line, 65 for a file that is no store of this version, 69 when the store cannot be read, 78 for wrong\n\
settings or without report.email.";

/// Arguments of `outbox due`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Arguments {
    /// This UTC day, whether or not it is over: 2026-06-01, yesterday, today [default: those that are due]
    #[arg(long, value_name = "DAY")]
    day: Option<OneDay>,
    /// Take this time for the present: seconds since 1970, or as 2026-06-01T14:30:00Z
    #[arg(long, value_name = "TIME")]
    now: Option<Clock>,
    #[command(flatten)]
    place: Place,
    /// Print one JSON object for each DMARC Policy Domain, on a line of its own
    #[arg(long)]
    json: bool,
}

/// One policy domain and day.
struct Row {
    day: Day,
    policy_domain: String,
    rows: u64,
    messages: u64,
    reports: u64,
    destinations: Vec<String>,
    unanswered: Vec<String>,
    refused: Vec<String>,
    skipped: Option<String>,
}

/// Looks and prints.
pub(super) fn run(arguments: &Arguments) -> Result<Exit, Exit> {
    let opened = Opened::read(&arguments.place)?;
    let now_ms = Clock::or_present(arguments.now);
    let reader = opened.found().read()?;
    let days = days(&reader, &opened, arguments.day, now_ms).map_err(|error| refuse(&error))?;
    drop(reader);
    let found = opened::run(|_| rows(&opened, &days, now_ms))??;
    if found.is_empty() {
        tell("landmarc: no report is due");
    }
    let text = match arguments.json {
        true => found.iter().map(|row| format!("{}\n", object(row))).collect(),
        false => as_table(&found, terminal_width()),
    };
    print(&text)?;
    let is_open = found.iter().any(|row| !row.unanswered.is_empty());
    Ok(if is_open { Exit::Unknown } else { Exit::Fine })
}

/// The days that are looked at: the one that is named, or those that are due and not done.
pub(super) fn days(
    reader: &Reader,
    opened: &Opened,
    named: Option<OneDay>,
    now_ms: u64,
) -> Result<Vec<Day>, StoreError> {
    if let Some(named) = named {
        return Ok(vec![named.day(now_ms)]);
    }
    let due = days_due(&reader.reporting_days()?, now_ms, opened.terms.settings.settle);
    let known = reader.reported_days(LOOK_BACK)?;
    let is_done = |day: &Day| {
        let state = known.iter().find(|(known, _)| known == day);
        state.is_some_and(|(_, state)| matches!(state, store::DayState::Done { .. }))
    };
    Ok(due.into_iter().filter(|day| !is_done(day)).collect())
}

/// Days that were reported which are looked at: more than are ever due.
const LOOK_BACK: usize = 31;

async fn rows(opened: &Opened, days: &[Day], now_ms: u64) -> Result<Vec<Row>, Exit> {
    let mut rows = Vec::new();
    for day in days {
        let request = Request {
            day: *day,
            selection: Selection::default(),
            clock: reporter::Clock::at(now_ms),
            spread: false,
        };
        let (database, terms) = (opened.database.clone(), Arc::clone(&opened.terms));
        let mut assembly = Assembly::begin(database, Known::Store, terms, request, opened.resolver()?);
        let from = rows.len();
        while let Some(settled) = assembly.next().await {
            let settled = settled.map_err(|error| refuse(&error))?;
            let row = Row {
                day: *day,
                policy_domain: settled.policy_domain,
                rows: settled.rows,
                messages: settled.messages,
                reports: 0,
                destinations: Vec::new(),
                unanswered: Vec::new(),
                refused: Vec::new(),
                skipped: None,
            };
            rows.extend(with_settlement(row, settled.settlement));
        }
        if let Some(of_day) = rows.get_mut(from..) {
            of_day.sort_by(|one: &Row, other| one.policy_domain.cmp(&other.policy_domain));
        }
    }
    Ok(rows)
}

/// The row, unless the domain was settled before.
fn with_settlement(row: Row, settlement: Settlement) -> Option<Row> {
    match settlement {
        Settlement::Before => None,
        Settlement::Skipped(why) => Some(Row {
            skipped: Some(why),
            ..row
        }),
        Settlement::Reports { reports, addressees } => Some(Row {
            reports: u64::try_from(reports.len()).unwrap_or(u64::MAX),
            destinations: addressees.open.iter().map(ToString::to_string).collect(),
            unanswered: told(&addressees.unanswered),
            refused: told(&addressees.refused),
            ..row
        }),
    }
}

fn told<A: std::fmt::Display>(all: &[(A, String)]) -> Vec<String> {
    all.iter().map(|(what, why)| format!("{what}: {why}")).collect()
}

fn object(row: &Row) -> serde_json::Value {
    json!({
        "day": date(row.day),
        "policy_domain": row.policy_domain,
        "rows": row.rows,
        "messages": row.messages,
        "reports": row.reports,
        "destinations": row.destinations,
        "unanswered": row.unanswered,
        "refused": row.refused,
        "skipped": row.skipped,
    })
}

const COLUMNS: [Column; 6] = [
    column("day", 2, 10, Cut::End),
    column("policy_domain", 0, 16, Cut::Start),
    column("messages", 0, 8, Cut::End),
    column("rows", 3, 4, Cut::End),
    column("reports", 4, 7, Cut::End),
    column("to", 1, 24, Cut::End),
];

fn as_table(rows: &[Row], width: Option<usize>) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let cells = |row: &Row| {
        vec![
            date(row.day),
            row.policy_domain.clone(),
            row.messages.to_string(),
            row.rows.to_string(),
            row.reports.to_string(),
            destinations(row),
        ]
    };
    table::render(&COLUMNS, &rows.iter().map(cells).collect::<Vec<_>>(), width)
}

/// Where it would go, and where not; or why there is no report.
fn destinations(row: &Row) -> String {
    if let Some(why) = &row.skipped {
        return format!("nobody: {why}");
    }
    let later = row.unanswered.iter().map(|one| format!("later {one}"));
    let never = row.refused.iter().map(|one| format!("not {one}"));
    let all: Vec<_> = row
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
        complain(
            Exit::Fine,
            &format!(
                "{} is not over: mail that comes later that day is in no report",
                date(day)
            ),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> Row {
        Row {
            day: Day(20_605),
            policy_domain: "example.com".to_owned(),
            rows: 2,
            messages: 5,
            reports: 1,
            destinations: vec!["dmarc@example.com".to_owned()],
            unanswered: vec!["a@example.net: nobody answered".to_owned()],
            refused: vec!["mailto:b@example.org: not authorised".to_owned()],
            skipped: None,
        }
    }

    #[test]
    fn each_domain_has_its_destinations_or_the_reason_for_none() {
        let skipped = Row {
            policy_domain: "example.net".to_owned(),
            reports: 0,
            destinations: Vec::new(),
            unanswered: Vec::new(),
            refused: Vec::new(),
            skipped: Some("the record has no rua".to_owned()),
            ..row()
        };
        insta::assert_snapshot!(as_table(&[row(), skipped], None), @r#"
        day         policy_domain  messages  rows  reports  to
        2026-06-01  example.com    5         2     1        dmarc@example.com; later a@example.net: nobody answered; not mailto:b@example.org: not authorised
        2026-06-01  example.net    5         2     0        nobody: the record has no rua
        "#);
        let keys = |row: &Row| {
            object(row)
                .as_object()
                .unwrap()
                .keys()
                .cloned()
                .collect::<Vec<_>>()
        };
        assert_eq!(keys(&row()).len(), 9);
    }
}
