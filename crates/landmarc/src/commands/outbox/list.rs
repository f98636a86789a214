//! `outbox list`: the deliveries, their states and reasons.

use std::io::{self, IsTerminal};

use clap::Args;
use landmarc_store::{Delivery, DeliveryState, OutboxFilter, ReportKind};

use super::rows::{FIELDS, object, word};
use super::{AFTER_HELP, DayArgument};
use crate::exit::Exit;
use crate::failure::CommandResult;
use crate::listing;
use crate::notes::note;
use crate::options::one_of;
use crate::output::{print, terminal_width};
use crate::records::StoreArguments;
use crate::table::{self, Column, Cut, column};
use landmarc_runtime::clock::now_ms;

/// Most deliveries of one answer: they are in memory together, at a kilobyte each.
const MAX_DELIVERIES: u32 = 100_000;

/// Arguments of `outbox list`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct OutboxListArguments {
    /// Only deliveries in this state
    #[arg(long, value_parser = one_of(DeliveryState::ALL, DeliveryState::word))]
    state: Option<DeliveryState>,
    /// Only deliveries with this kind of report
    #[arg(long, value_parser = one_of([ReportKind::Aggregate, ReportKind::Failure], ReportKind::word))]
    kind: Option<ReportKind>,
    /// Only deliveries with reports about this UTC day: 2026-06-01, yesterday, today
    #[arg(long, value_name = "DAY")]
    day: Option<DayArgument>,
    /// Only deliveries with reports about this DMARC Policy Domain
    #[arg(long, value_name = "DOMAIN", value_parser = crate::options::domain)]
    domain: Option<String>,
    /// Only deliveries to this address, or to all addresses of a host: @example.com
    #[arg(long, value_name = "ADDRESS", value_parser = super::destination)]
    destination: Option<String>,
    /// So many at most, the newest of those that fit
    #[arg(long, value_name = "N", default_value_t = 100,
          value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_DELIVERIES)))]
    limit: u32,
    #[command(flatten)]
    store: StoreArguments,
    /// Print one JSON object for each delivery, on a line of its own
    #[arg(long, conflicts_with = "csv")]
    json: bool,
    /// Print comma-separated values with a line of names on top (RFC 4180)
    #[arg(long)]
    csv: bool,
}

/// Looks for them and prints.
pub(super) fn run(arguments: &OutboxListArguments) -> CommandResult {
    let filter = filter(arguments, now_ms());
    let store = arguments.store.find()?;
    let found = store.read()?.deliveries(&filter);
    let mut rows = found?;
    rows.reverse();
    if rows.is_empty() {
        note!("landmarc: no delivery in {}", store.place);
    }
    print(&match arguments {
        OutboxListArguments { json: true, .. } => listing::as_json(&rows, object),
        OutboxListArguments { csv: true, .. } => listing::as_csv(&FIELDS, &rows),
        _ => as_table(&rows, terminal_width()),
    })?;
    if rows.len() == filter.limit && io::stdout().is_terminal() {
        note!("the last {} deliveries; --limit N shows more", rows.len());
    }
    Ok(Exit::Fine)
}

fn filter(arguments: &OutboxListArguments, now_ms: u64) -> OutboxFilter {
    OutboxFilter {
        state: arguments.state,
        kind: arguments.kind,
        day: arguments.day.map(|day| day.day(now_ms)),
        policy_domain: arguments.domain.clone(),
        destination: arguments.destination.clone(),
        limit: usize::try_from(arguments.limit).unwrap_or(usize::MAX),
        ..OutboxFilter::default()
    }
}

/// The reason last because it has blanks.
const COLUMNS: [Column; 10] = [
    column("id", 0, 4, Cut::End),
    column("kind", 4, 9, Cut::End),
    column("day", 3, 10, Cut::End),
    column("policy_domain", 0, 14, Cut::Start),
    column("destination", 0, 18, Cut::Start),
    column("state", 0, 9, Cut::End),
    column("attempts", 5, 8, Cut::End),
    column("next", 2, 20, Cut::End),
    column("report_id", 6, 26, Cut::End),
    column("reason", 1, 20, Cut::End),
];

fn as_table(rows: &[Delivery], width: Option<usize>) -> String {
    table::of_rows(&COLUMNS, rows, word, width)
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use landmarc_store::Day;

    use super::super::rows::tests::row;
    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        arguments: OutboxListArguments,
    }

    fn read(options: &[&str]) -> OutboxFilter {
        let line = Line::try_parse_from([&["list"], options].concat()).unwrap();
        filter(&line.arguments, 1_780_272_000_000)
    }

    #[test]
    fn each_option_narrows_the_filter() {
        assert_eq!(read(&[]), OutboxFilter::default());
        let options = [
            "--state",
            "given_up",
            "--kind",
            "failure",
            "--day",
            "yesterday",
            "--domain",
            "Bücher.Example.",
            "--destination",
            "@example.net",
            "--limit",
            "7",
        ];
        assert_eq!(
            read(&options),
            OutboxFilter {
                state: Some(DeliveryState::GivenUp),
                kind: Some(ReportKind::Failure),
                day: Some(Day(20_604)),
                policy_domain: Some("xn--bcher-kva.example".to_owned()),
                destination: Some("@example.net".to_owned()),
                limit: 7,
                ..OutboxFilter::default()
            }
        );
    }

    #[test]
    fn the_table_says_where_each_delivery_is_and_why() {
        insta::assert_snapshot!(as_table(&[row()], None), @r#"
        id  kind       day         policy_domain  destination        state     attempts  next                  report_id                   reason
        7   aggregate  2026-06-01  example.com    dmarc@example.com  deferred  2         2026-06-02T00:30:00Z  abcdefghijklmnopqrstuvwxyz  RCPT: 451 4.3.0 later
        "#);
        let narrow = as_table(&[row()], Some(80));
        assert!(narrow.lines().all(|line| line.chars().count() <= 80), "{narrow}");
        assert!(narrow.contains("reason"), "{narrow}");
    }

    #[test]
    fn every_format_has_all_fields() {
        let csv = listing::as_csv(&FIELDS, &[row()]);
        assert_eq!(csv.lines().count(), 2);
        assert!(
            csv.starts_with("id,kind,day,policy_domain,destination,state,"),
            "{csv}"
        );
        let json: serde_json::Value = serde_json::from_str(&listing::as_json(&[row()], object)).unwrap();
        assert_eq!(json["reason"], "RCPT: 451 4.3.0 later");
    }
}
