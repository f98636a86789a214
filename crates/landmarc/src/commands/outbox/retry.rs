//! `outbox retry`: letters are tried again as if they had never been.

use clap::Args;
use serde_json::json;
use store::{DeliveryNumber, DeliveryState, OutboxFilter, Resend};

use super::{AFTER_HELP, Clock, opened};
use crate::exit::Exit;
use crate::figures::grouped;
use crate::output::{complain, print};
use crate::records::{Place, refuse};

/// Letters of one call; of more, the newest.
const MAX_LETTERS: usize = 100_000;

/// Arguments of `outbox retry`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
#[group(id = "which", required = true, multiple = true)]
pub(crate) struct Arguments {
    /// Letters by their id in `outbox list`, or reports by their Report-ID
    #[arg(value_name = "ID", group = "which")]
    ids: Vec<String>,
    /// All letters that were given up
    #[arg(long, group = "which", conflicts_with = "ids")]
    all_given_up: bool,
    /// Letters to this address that wait or were given up, or to all addresses of a host: @example.com
    #[arg(long, value_name = "ADDRESS", group = "which", conflicts_with = "ids")]
    destination: Option<String>,
    /// Also those that were delivered: the same letters again
    #[arg(long)]
    delivered: bool,
    /// Take this time for the present: seconds since 1970, or as 2026-06-01T14:30:00Z
    #[arg(long, value_name = "TIME")]
    now: Option<Clock>,
    #[command(flatten)]
    place: Place,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Queues them.
pub(super) fn run(arguments: &Arguments) -> Result<Exit, Exit> {
    let found = arguments.place.find()?;
    let mut outbox = opened::outbox(&found)?;
    let now_ms = Clock::or_present(arguments.now);
    let resend = match arguments.delivered {
        true => Resend::Everything,
        false => Resend::Unfinished,
    };
    let mut queued = 0;
    for filter in filters(arguments) {
        let done = outbox
            .retry(&filter, resend, now_ms)
            .map_err(|error| refuse(&error))?;
        if done == 0 && !arguments.ids.is_empty() {
            return Err(complain(Exit::Findings, &nothing(&filter)));
        }
        queued += done;
    }
    print(&match arguments.json {
        true => format!("{}\n", json!({"queued": queued})),
        false => format!("queued again: {}\n", grouped(queued)),
    })?;
    Ok(Exit::Fine)
}

fn nothing(filter: &OutboxFilter) -> String {
    let id = filter.report_id.clone();
    let id = id.or_else(|| filter.delivery.map(|number| number.to_string()));
    format!(
        "{}: no letter that can be sent again: it is not there, being sent, delivered (--delivered), or its \
         report has expired",
        id.unwrap_or_default()
    )
}

fn filters(arguments: &Arguments) -> Vec<OutboxFilter> {
    let all = OutboxFilter {
        limit: MAX_LETTERS,
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

/// A number is that of a letter; all else is a Report-ID.
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

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        arguments: Arguments,
    }

    fn read(options: &[&str]) -> Option<Vec<OutboxFilter>> {
        let line = Line::try_parse_from([&["retry"], options].concat()).ok()?;
        Some(filters(&line.arguments))
    }

    #[test]
    fn letters_are_named_by_number_report_state_or_destination() {
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
