//! `outbox suppress`: who gets no messages, for a time.

use clap::Args;
use landmarc_report::Address;
use landmarc_store::{Origin, Suppression};
use serde_json::json;

use super::{AFTER_HELP, NowArgument, setup};
use crate::exit::Exit;
use crate::failure::{CommandResult, Failure, failure};
use crate::listing::{self, Field, field};
use crate::notes::note;
use crate::output::{print, terminal_width};
use crate::records::StoreArguments;
use crate::table::{self, Column, Cut, column};
use landmarc_runtime::time::to_the_second;

const DAY_MS: u64 = 24 * 3600 * 1_000;

/// Why somebody is suppressed whose operator gave no reason.
const BY_HAND: &str = "by hand";

/// Arguments of `outbox suppress`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct OutboxSuppressArguments {
    /// The address that gets no messages, or a host and all its addresses: @example.com
    #[arg(value_name = "ADDRESS", required_unless_present = "list")]
    destination: Option<String>,
    /// For so many days [default: until it is lifted]
    #[arg(long, value_name = "N", conflicts_with_all = ["list", "remove"],
          value_parser = clap::value_parser!(u32).range(1..))]
    days: Option<u32>,
    /// Why, for those who look at the list later
    #[arg(long, value_name = "TEXT", default_value = BY_HAND, conflicts_with_all = ["list", "remove"])]
    reason: String,
    /// List who is suppressed, by hand or because of bounces
    #[arg(long, conflicts_with_all = ["destination", "remove"])]
    list: bool,
    /// Lift it: messages go out again
    #[arg(long)]
    remove: bool,
    /// Take this time for the present: seconds since 1970, or as 2026-06-01T14:30:00Z
    #[arg(long, value_name = "TIME")]
    now: Option<NowArgument>,
    #[command(flatten)]
    store: StoreArguments,
    /// Print one JSON object for each line of the list
    #[arg(long, requires = "list")]
    json: bool,
}

/// Does it.
pub(super) fn run(arguments: &OutboxSuppressArguments) -> CommandResult {
    let found = arguments.store.find()?;
    let Some(destination) = &arguments.destination else {
        let all = found.read()?.suppressions()?;
        if all.is_empty() {
            note!("landmarc: nobody is suppressed in {}", found.place);
        }
        return print(&if arguments.json {
            as_json(&all)
        } else {
            as_table(&all, terminal_width())
        });
    };
    let destination = checked(destination)?;
    let mut outbox = setup::outbox(&found)?;
    if arguments.remove {
        let was_there = outbox.unsuppress(&destination)?;
        if !was_there {
            return Err(failure!(Exit::Findings, "{destination} is not suppressed"));
        }
        return print(&format!("messages to {destination} go out again\n"));
    }
    let now_ms = NowArgument::or_present(arguments.now);
    let until_ms = arguments
        .days
        .map(|days| now_ms.saturating_add(u64::from(days).saturating_mul(DAY_MS)));
    outbox.suppress(&destination, &arguments.reason, until_ms, now_ms)?;
    print(&format!("no messages to {destination} until {}\n", end(until_ms)))
}

/// The address or host as deliveries have it.
fn checked(text: &str) -> Result<String, Failure> {
    let checked = match text.strip_prefix('@') {
        Some(host) => crate::options::domain(host)
            .map(|host| format!("@{host}"))
            .map_err(|error| error.to_string()),
        None => Address::parse(text)
            .map(|address| address.to_string())
            .map_err(|error| error.to_string()),
    };
    checked.map_err(|why| failure!(Exit::Usage, "{text:?} is neither an address nor @host: {why}"))
}

fn end(until_ms: Option<u64>) -> String {
    until_ms.map_or_else(|| "it is lifted".to_owned(), to_the_second)
}

const FIELDS: [Field<Suppression>; 6] = [
    field("destination", |one| json!(one.destination)),
    field("origin", |one| one.origin.word().into()),
    field("since", |one| to_the_second(one.since_ms).into()),
    field("until", |one| json!(one.until_ms.map(to_the_second))),
    field("bounces", |one| one.strikes.into()),
    field("reason", |one| json!(one.reason)),
];

const COLUMNS: [Column; 6] = [
    column("destination", 0, 20, Cut::Start),
    column("origin", 3, 6, Cut::End),
    column("since", 2, 20, Cut::End),
    column("until", 0, 20, Cut::End),
    column("bounces", 4, 7, Cut::End),
    column("reason", 1, 20, Cut::End),
];

fn as_table(all: &[Suppression], width: Option<usize>) -> String {
    let cell = |one: &Suppression, name: &str| match (name, one.origin) {
        ("until", Origin::Manual) => end(one.until_ms),
        _ => listing::word(&FIELDS, one, name),
    };
    table::of_rows(&COLUMNS, all, cell, width)
}

fn as_json(all: &[Suppression]) -> String {
    listing::as_json(all, |one| listing::object(&FIELDS, one))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        arguments: OutboxSuppressArguments,
    }

    #[test]
    fn nobody_is_suppressed_for_no_time() {
        let read = |days| Line::try_parse_from(["suppress", "a@example.com", "--days", days]);
        assert!(read("0").is_err());
        assert_eq!(read("1").unwrap().arguments.days, Some(1));
    }

    #[test]
    fn an_address_or_a_host_and_nothing_else() {
        assert_eq!(checked("@Example.COM"), Ok("@example.com".to_owned()));
        assert_eq!(checked("dmarc@Example.COM"), Ok("dmarc@example.com".to_owned()));
        for wrong in ["", "example.com", "@", "@a b", "a b@example.com", "a@b\r\nc"] {
            assert_eq!(checked(wrong).unwrap_err().exit, Exit::Usage, "{wrong:?}");
        }
    }

    #[test]
    fn the_list_says_who_said_so_and_until_when() {
        let by_hand = Suppression {
            destination: "@example.net".to_owned(),
            reason: "asked by phone".to_owned(),
            origin: Origin::Manual,
            since_ms: 1_780_272_000_000,
            until_ms: None,
            strikes: 0,
        };
        let bounced = Suppression {
            destination: "gone@example.com".to_owned(),
            reason: "550 5.1.1 unknown".to_owned(),
            origin: Origin::Bounce,
            until_ms: Some(1_780_358_400_000),
            strikes: 1,
            ..by_hand.clone()
        };
        insta::assert_snapshot!(as_table(&[by_hand.clone(), bounced], None), @r#"
        destination       origin  since                 until                 bounces  reason
        @example.net      manual  2026-06-01T00:00:00Z  it is lifted          0        asked by phone
        gone@example.com  bounce  2026-06-01T00:00:00Z  2026-06-02T00:00:00Z  1        550 5.1.1 unknown
        "#);
        assert_eq!(as_json(&[by_hand]).lines().count(), 1);
        assert_eq!(as_table(&[], None), "");
    }
}
