//! `log`: the messages that were recorded, newest last, as a log reads.

use std::io::{self, IsTerminal};

use clap::Args;
use landmarc_observation::Observation;
use landmarc_settings::IpNetwork;
use landmarc_store::LogFilter;

use crate::exit::Exit;
use crate::failure::{CommandResult, Failure, failure};
use crate::listing;
use crate::notes::note;
use crate::options::domain;
use crate::output::{print, terminal_width};
use crate::records::{FIELDS, StoreArguments, object, word};
use crate::table::{self, Column, Cut, column};
use landmarc_runtime::clock::now_ms;
use landmarc_runtime::time::{When, to_the_second};

/// Most messages of one answer: they are in memory together, at half a kilobyte each. More can
/// be had in several times with --since and --until.
const MAX_MESSAGES: u32 = 100_000;

/// What the help says below the options.
const AFTER_HELP: &str = "\
Times are in UTC. A date, today, yesterday, a time of today such as 14:30, a time such as \
2026-06-01T14:30:00+02:00, or a span before now (30m, 2h, 3d, 1w) will do; --until with a day \
includes that day.\n\n\
A terminal that is narrow gets fewer columns, with long values shortened; a pipe, --csv and --json \
get all. In --csv a cell that a spreadsheet would take for a formula begins with an apostrophe. \
`landmarc explain ID` tells why.\n\n\
Exit code: 0, also when no message fits; 64 for a wrong command line, 65 for a file that is no \
store of this version, 69 when the store cannot be read, 78 for wrong settings.";

/// What DMARC found, as it is stored.
const RESULTS: [&str; 5] = ["none", "pass", "fail", "temperror", "permerror"];
/// What was done because of it.
const DISPOSITIONS: [&str; 4] = ["none", "pass", "quarantine", "reject"];
/// What the mail server was answered, or would have been.
const ACTIONS: [&str; 4] = ["accept", "quarantine", "reject", "tempfail"];

/// Arguments of `log`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct LogArguments {
    /// Only messages of this Author Domain, or of one below it
    #[arg(long, value_name = "DOMAIN", value_parser = domain)]
    domain: Option<String>,
    /// Only those with this DMARC result
    #[arg(long, value_parser = RESULTS)]
    result: Option<String>,
    /// Only those of which this was done because of DMARC
    #[arg(long, value_parser = DISPOSITIONS)]
    disposition: Option<String>,
    /// Only those of which the mail server was told this
    #[arg(long, value_parser = ACTIONS)]
    action: Option<String>,
    /// Only those of which it would be told this, were the mode "enforce"
    #[arg(long, value_parser = ACTIONS)]
    enforced_action: Option<String>,
    /// Only those that the operator's rule of this name decided about
    #[arg(long, value_name = "NAME")]
    rule: Option<String>,
    /// Only those from the client with this address, or from this network: 192.0.2.0/24
    #[arg(long, value_name = "ADDRESS")]
    client: Option<IpNetwork>,
    /// Only those judged at this time or later
    #[arg(long, value_name = "TIME")]
    since: Option<When>,
    /// Only those judged before this time
    #[arg(long, value_name = "TIME")]
    until: Option<When>,
    /// So many at most, the newest of those that fit
    #[arg(long, value_name = "N", default_value_t = 100,
          value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_MESSAGES)))]
    limit: u32,
    #[command(flatten)]
    store: StoreArguments,
    /// Print one JSON object for each message, on a line of its own
    #[arg(long, conflicts_with = "csv")]
    json: bool,
    /// Print comma-separated values with a line of names on top (RFC 4180)
    #[arg(long)]
    csv: bool,
}

/// Looks for them and prints.
pub(crate) fn run(arguments: &LogArguments) -> CommandResult {
    let filter = filter(arguments, now_ms())?;
    let store = arguments.store.find()?;
    let found = store.read()?.log(&filter);
    let mut rows = found?;
    rows.reverse();
    if rows.is_empty() {
        let everything = LogFilter {
            limit: filter.limit,
            ..LogFilter::default()
        };
        let which = if filter == everything {
            "is recorded"
        } else {
            "that fits is recorded"
        };
        note!("landmarc: no message {which} in {}", store.place);
    }
    print(&match arguments {
        LogArguments { json: true, .. } => listing::as_json(&rows, object),
        LogArguments { csv: true, .. } => listing::as_csv(&FIELDS, &rows),
        _ => as_table(&rows, terminal_width()),
    })?;
    if rows.len() == filter.limit && io::stdout().is_terminal() {
        note!("the last {} messages; --limit N shows more", rows.len());
    }
    Ok(Exit::Fine)
}

fn filter(arguments: &LogArguments, now_ms: u64) -> Result<LogFilter, Failure> {
    let since_ms = arguments.since.map(|since| since.begins_ms(now_ms));
    let until_ms = arguments.until.map(|until| until.ends_ms(now_ms));
    if let (Some(since), Some(until)) = (since_ms, until_ms)
        && since >= until
    {
        let (since, until) = (to_the_second(since), to_the_second(until));
        return Err(failure!(
            Exit::Usage,
            "--since {since} is not before --until {until}: no message can fit"
        ));
    }
    Ok(LogFilter {
        domain: arguments.domain.clone(),
        result: arguments.result.clone(),
        disposition: arguments.disposition.clone(),
        action: arguments.action.clone(),
        enforced_action: arguments.enforced_action.clone(),
        rule: arguments.rule.clone(),
        client: arguments.client.as_ref().map(IpNetwork::addresses),
        since_ms,
        until_ms,
        limit: usize::try_from(arguments.limit).unwrap_or(usize::MAX),
    })
}

/// In the order of the log line, the cause last because it has blanks. The five that are always
/// there fit 80 characters.
const COLUMNS: [Column; 13] = [
    column("at", 0, 20, Cut::End),
    column("queue_id", 4, 10, Cut::End),
    column("id", 0, 12, Cut::End),
    column("client", 1, 15, Cut::End),
    column("author_domain", 0, 16, Cut::Start),
    column("spf", 5, 9, Cut::End),
    column("dkim", 5, 9, Cut::End),
    column("dmarc", 0, 9, Cut::End),
    column("policy", 6, 10, Cut::End),
    column("disposition", 0, 11, Cut::End),
    column("enforced_action", 3, 10, Cut::End),
    column("rule", 7, 8, Cut::End),
    column("cause", 2, 24, Cut::End),
];

fn as_table(rows: &[Observation], width: Option<usize>) -> String {
    let cell = |row: &Observation, name: &str| match name {
        "at" => to_the_second(row.at_ms),
        name => word(row, name),
    };
    table::of_rows(&COLUMNS, rows, cell, width)
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::ops::RangeInclusive;

    use clap::Parser;

    use super::*;
    use crate::records::tests::row;

    /// 2026-06-01T00:00:00Z.
    const JUNE: u64 = 1_780_272_000_000;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        arguments: LogArguments,
    }

    fn read(options: &[&str]) -> Result<LogFilter, String> {
        let line = Line::try_parse_from([&["log"], options].concat()).map_err(|error| error.to_string())?;
        filter(&line.arguments, JUNE).map_err(|exit| format!("{exit:?}"))
    }

    #[test]
    fn without_options_it_is_the_last_hundred() {
        assert_eq!(read(&[]), Ok(LogFilter::default()));
    }

    #[test]
    fn each_option_narrows_the_filter() {
        let options = [
            "--domain",
            "Bücher.Example.",
            "--result",
            "temperror",
            "--disposition",
            "quarantine",
            "--action",
            "tempfail",
            "--enforced-action",
            "reject",
            "--rule",
            "partners",
            "--client",
            "2001:db8::1",
            "--since",
            "2d",
            "--until",
            "2026-05-31",
            "--limit",
            "7",
        ];
        let day = 86_400_000;
        assert_eq!(
            read(&options),
            Ok(LogFilter {
                domain: Some("xn--bcher-kva.example".to_owned()),
                result: Some("temperror".to_owned()),
                disposition: Some("quarantine".to_owned()),
                action: Some("tempfail".to_owned()),
                enforced_action: Some("reject".to_owned()),
                rule: Some("partners".to_owned()),
                client: Some(range("2001:db8::1", "2001:db8::1")),
                since_ms: Some(JUNE - 2 * day),
                until_ms: Some(JUNE),
                limit: 7,
            })
        );
    }

    fn range(first: &str, last: &str) -> RangeInclusive<IpAddr> {
        first.parse().unwrap()..=last.parse().unwrap()
    }

    #[test]
    fn wrong_values_are_refused_with_a_reason() {
        let refused = |options: &[&str]| read(options).unwrap_err();
        let reason = |options: &[&str]| {
            let error = refused(options);
            let tip = error.lines().find_map(|line| line.trim().strip_prefix("tip: "));
            let line = tip.or(error.lines().next()).unwrap_or_default();
            line.rsplit_once("': ")
                .map_or(line, |(_, reason)| reason)
                .to_owned()
        };
        insta::assert_snapshot!(reason(&["--result", "fial"]), @"a similar value exists: 'fail'");
        insta::assert_snapshot!(reason(&["--disposition", "rejected"]), @"a similar value exists: 'reject'");
        insta::assert_snapshot!(reason(&["--domain", "a..b"]), @"a label is empty");
        insta::assert_snapshot!(
            reason(&["--client", "192.0.2.1/24"]),
            @r#"the address has bits set beyond the prefix, did you mean "192.0.2.0/24"?"#
        );
        insta::assert_snapshot!(
            reason(&["--since", "tomorrow"]),
            @"write a date (2026-06-01, today, yesterday), a time (2026-06-01T14:30:00Z, 14:30), or a span before now (30m, 2h, 3d)"
        );
        insta::assert_snapshot!(
            reason(&["--json", "--csv"]),
            @"error: the argument '--json' cannot be used with '--csv'"
        );
        assert!(refused(&["--since", "1h", "--until", "2h"]).starts_with("Failure { exit: Usage"));
        assert!(refused(&["--since", "1h", "--until", "1h"]).starts_with("Failure { exit: Usage"));
    }

    #[test]
    fn the_number_of_messages_has_its_limit() {
        let limit = |number: &str| read(&["--limit", number]).map(|filter| filter.limit);
        assert_eq!(limit("1"), Ok(1));
        assert_eq!(limit(&MAX_MESSAGES.to_string()), Ok(100_000));
        assert!(limit("0").is_err() && limit("100001").is_err());
    }

    #[test]
    fn five_columns_fit_a_terminal_of_eighty_and_all_a_wide_one() {
        let mut long = row();
        long.author_domain = Some(format!("{}.example.com", "a".repeat(60)));
        let rows = [row(), long];
        insta::assert_snapshot!(as_table(&rows, Some(80)), @r#"
        at                    id            author_domain             dmarc  disposition
        2026-06-01T00:00:00Z  0n2v5x8k4q1m  mail.example.com          fail   none
        2026-06-01T00:00:00Z  0n2v5x8k4q1m  …aaaaaaaaaaa.example.com  fail   none
        "#);
        let widest = |width| {
            let table = as_table(&rows, Some(width));
            table.lines().map(|line| line.chars().count()).max().unwrap_or(0)
        };
        for width in 80..300 {
            assert!(widest(width) <= width, "{width}");
        }
        assert_eq!(as_table(&rows, Some(1_000)), as_table(&rows, None));
        for column in COLUMNS {
            assert!(
                FIELDS.iter().any(|field| field.name == column.name),
                "{}",
                column.name
            );
        }
    }

    #[test]
    fn nothing_is_an_empty_table_and_the_names_of_csv() {
        assert_eq!(
            (as_table(&[], None), listing::as_json(&[], object)),
            (String::new(), String::new())
        );
        assert_eq!(listing::as_csv(&FIELDS, &[]).lines().count(), 1);
    }
}
