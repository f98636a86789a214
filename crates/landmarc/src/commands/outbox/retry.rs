//! `outbox retry`: deliveries are tried again as if they had never been.

use std::collections::{BTreeMap, BTreeSet};

use clap::Args;
use landmarc_store::{
    Delivery, DeliveryNumber, DeliveryState, OutboxFilter, Reader, Resend, StoreError, Suppression,
};
use serde_json::json;

use super::{AFTER_HELP, NowArgument, setup};
use crate::exit::Exit;
use crate::failure::{CommandResult, Failure};
use crate::figures::grouped;
use crate::notes::print_note;
use crate::output::print;
use crate::records::StoreArguments;
use landmarc_mail::text::visible;
use landmarc_runtime::time::to_the_second;

/// Deliveries of one call; of more, the newest.
const MAX_DELIVERIES: usize = 100_000;
/// Deliveries that are looked at for suppressions, the newest.
const MAX_LOOKED_AT: usize = 1_000;
/// Suppressed destinations that are told of, each in a line.
const MAX_WARNINGS: usize = 5;

/// Arguments of `outbox retry`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
#[group(id = "which", required = true, multiple = true)]
pub(crate) struct OutboxRetryArguments {
    /// Deliveries by their id in `outbox list`, or reports by their Report-ID
    #[arg(value_name = "ID", group = "which")]
    ids: Vec<String>,
    /// All deliveries that were given up
    #[arg(long, group = "which", conflicts_with = "ids")]
    all_given_up: bool,
    /// Deliveries to this address that wait or were given up, or to all addresses of a host: @example.com
    #[arg(long, value_name = "ADDRESS", group = "which", conflicts_with = "ids",
          value_parser = super::destination)]
    destination: Option<String>,
    /// Also those that were delivered: the same deliveries again
    #[arg(long)]
    delivered: bool,
    /// Take this time for the present: seconds since 1970, or as 2026-06-01T14:30:00Z
    #[arg(long, value_name = "TIME")]
    now: Option<NowArgument>,
    #[command(flatten)]
    store: StoreArguments,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Queues them.
pub(super) fn run(arguments: &OutboxRetryArguments) -> CommandResult {
    let found = arguments.store.find()?;
    let mut outbox = setup::outbox(&found)?;
    let now_ms = NowArgument::or_present(arguments.now);
    let resend = match arguments.delivered {
        true => Resend::Everything,
        false => Resend::Unfinished,
    };
    let reader = found.read()?;
    let (mut queued, mut suppressed) = (0, BTreeMap::new());
    for filter in filters(arguments) {
        let done = outbox.retry(&filter, resend, now_ms)?;
        if done == 0 && !arguments.ids.is_empty() {
            let deliveries = reader.deliveries(&filter)?;
            let message = nothing(&filter, &deliveries, resend, now_ms);
            return Err(Failure::new(Exit::Findings, &message));
        }
        queued += done;
        find_suppressed(&reader, &filter, now_ms, &mut suppressed)?;
    }
    print(&match arguments.json {
        true => {
            let suppressed: Vec<_> = suppressed.keys().collect();
            format!("{}\n", json!({"queued": queued, "suppressed": suppressed}))
        }
        false => format!("queued again: {}\n", grouped(queued)),
    })?;
    for line in warnings(&suppressed) {
        print_note(&line);
    }
    Ok(Exit::Fine)
}

/// What deliveries that were queued are suppressed by: they are given up before they are sent.
fn find_suppressed(
    reader: &Reader,
    filter: &OutboxFilter,
    now_ms: u64,
    suppressed: &mut BTreeMap<String, Suppression>,
) -> Result<(), StoreError> {
    let queued = OutboxFilter {
        state: Some(DeliveryState::Queued),
        limit: MAX_LOOKED_AT,
        ..filter.clone()
    };
    let deliveries = reader.deliveries(&queued)?;
    let destinations: BTreeSet<_> = deliveries.iter().map(|delivery| &delivery.destination).collect();
    for destination in destinations {
        if let Some(found) = reader.is_suppressed(destination, now_ms)? {
            suppressed.insert(found.destination.clone(), found);
        }
    }
    Ok(())
}

fn warnings(suppressed: &BTreeMap<String, Suppression>) -> Vec<String> {
    let line = |one: &Suppression| {
        let until = one
            .until_ms
            .map_or_else(|| "it is lifted".to_owned(), to_the_second);
        visible(&format!(
            "landmarc: warning: {name} is suppressed until {until} ({}): deliveries to it will be given up again; \
             \"landmarc outbox suppress {name} --remove\" lifts that",
            one.reason,
            name = one.destination
        ))
        .into_owned()
    };
    let mut lines: Vec<_> = suppressed.values().take(MAX_WARNINGS).map(line).collect();
    let more = suppressed.len().saturating_sub(MAX_WARNINGS);
    if more > 0 {
        lines.push(format!(
            "landmarc: warning: and {more} more are suppressed: see \"landmarc outbox suppress --list\""
        ));
    }
    lines
}

/// Why nothing was sent again of what an id names.
fn nothing(filter: &OutboxFilter, deliveries: &[Delivery], resend: Resend, now_ms: u64) -> String {
    let id = filter.report_id.clone();
    let id = id.or_else(|| filter.delivery.map(|number| number.to_string()));
    let cause = |delivery: &Delivery| {
        let lease = delivery.lease.as_ref();
        if lease.is_some_and(|lease| lease.until_ms > now_ms) {
            "it is being sent at this moment"
        } else if delivery.state == DeliveryState::Delivered && resend == Resend::Unfinished {
            "it was delivered; with --delivered it is sent again"
        } else {
            "the report has expired (report.keep_days), and there is nothing left to send"
        }
    };
    let causes: BTreeSet<_> = deliveries.iter().map(cause).collect();
    let causes: Vec<_> = causes.into_iter().collect();
    let why = match causes.as_slice() {
        [] => "there is no such delivery or report".to_owned(),
        causes => causes.join("; or "),
    };
    format!("{}: {why}", id.unwrap_or_default())
}

fn filters(arguments: &OutboxRetryArguments) -> Vec<OutboxFilter> {
    let all = OutboxFilter {
        limit: MAX_DELIVERIES,
        ..OutboxFilter::default()
    };
    if arguments.ids.is_empty() {
        let state = arguments.all_given_up.then_some(DeliveryState::GivenUp);
        let destination = arguments.destination.clone();
        return vec![OutboxFilter {
            state,
            destination,
            ..all
        }];
    }
    let of_id = |id: &String| of_id(id, &all);
    arguments.ids.iter().map(of_id).collect()
}

/// A number is that of a delivery; all else is a Report-ID.
pub(super) fn of_id(id: &str, all: &OutboxFilter) -> OutboxFilter {
    match id.parse() {
        Ok(number) => OutboxFilter {
            delivery: Some(DeliveryNumber(number)),
            ..all.clone()
        },
        Err(_) => OutboxFilter {
            report_id: Some(id.to_owned()),
            ..all.clone()
        },
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::rows::tests::row;
    use super::*;

    #[test]
    fn what_cannot_be_sent_again_has_one_clear_cause() {
        let filter = OutboxFilter {
            delivery: Some(DeliveryNumber(7)),
            ..OutboxFilter::default()
        };
        let leased_until_ms = row().lease.map_or(0, |lease| lease.until_ms);
        let why = |deliveries: &[Delivery], resend| nothing(&filter, deliveries, resend, leased_until_ms - 1);
        insta::assert_snapshot!(why(&[], Resend::Unfinished), @"7: there is no such delivery or report");
        insta::assert_snapshot!(why(&[row()], Resend::Unfinished), @"7: it is being sent at this moment");
        let delivered = Delivery {
            state: DeliveryState::Delivered,
            lease: None,
            ..row()
        };
        insta::assert_snapshot!(
            why(std::slice::from_ref(&delivered), Resend::Unfinished),
            @"7: it was delivered; with --delivered it is sent again"
        );
        let expired = "the report has expired (report.keep_days), and there is nothing left to send";
        assert_eq!(why(&[delivered], Resend::Everything), format!("7: {expired}"));
        let late = nothing(&filter, &[row()], Resend::Unfinished, leased_until_ms);
        assert_eq!(late, format!("7: {expired}"), "the lease has run out");
    }

    #[test]
    fn suppressed_destinations_are_printed_with_how_to_lift_it() {
        let one = |number: usize| Suppression {
            destination: format!("{number}@example.com"),
            reason: "550 5.1.1 unknown".to_owned(),
            origin: landmarc_store::Origin::Bounce,
            since_ms: 0,
            until_ms: Some(1_780_358_400_000),
            strikes: 1,
        };
        let some = |count: usize| {
            (0..count)
                .map(|number| (one(number).destination, one(number)))
                .collect()
        };
        let lines = warnings(&some(MAX_WARNINGS));
        insta::assert_snapshot!(
            lines[0],
            @r#"landmarc: warning: 0@example.com is suppressed until 2026-06-02T00:00:00Z (550 5.1.1 unknown): deliveries to it will be given up again; "landmarc outbox suppress 0@example.com --remove" lifts that"#
        );
        assert_eq!(lines.len(), MAX_WARNINGS);
        let lines = warnings(&some(MAX_WARNINGS + 1));
        assert!(
            lines.last().is_some_and(|line| line.contains("and 1 more")),
            "{lines:?}"
        );
    }

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        arguments: OutboxRetryArguments,
    }

    fn read(options: &[&str]) -> Option<Vec<OutboxFilter>> {
        let line = Line::try_parse_from([&["retry"], options].concat()).ok()?;
        Some(filters(&line.arguments))
    }

    #[test]
    fn deliveries_are_named_by_number_report_state_or_destination() {
        let by_id = read(&["17", "abcdefghijklmnopqrstuvwxyz"]).unwrap();
        assert_eq!(by_id[0].delivery, Some(DeliveryNumber(17)));
        assert_eq!(by_id[1].report_id.as_deref(), Some("abcdefghijklmnopqrstuvwxyz"));
        let given_up = read(&["--all-given-up", "--destination", "@example.net"]).unwrap();
        assert_eq!(given_up[0].state, Some(DeliveryState::GivenUp));
        assert_eq!(given_up[0].destination.as_deref(), Some("@example.net"));
    }

    #[test]
    fn without_a_choice_nothing_is_sent_again() {
        assert_eq!(read(&[]), None);
        assert_eq!(read(&["--delivered"]), None);
        assert_eq!(read(&["17", "--all-given-up"]), None);
    }
}
