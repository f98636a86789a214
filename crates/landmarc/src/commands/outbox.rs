//! `outbox`: what this server reports to others, and what became of it.

mod bounce;
mod common;
mod due;
mod list;
pub(crate) mod redirect;
mod rehearsal;
mod retry;
mod rows;
pub(crate) mod send;
pub(crate) mod setup;
mod show;
mod summary;
mod suppress;
mod trial;

use std::str::FromStr;

use crate::failure::CommandResult;
use crate::options::domain;
use clap::Subcommand;
use landmarc_mail::name::NameError;
use landmarc_store::Day;

use landmarc_runtime::clock::now_ms;
use landmarc_runtime::time::When;

/// What the help says below the options of those that only read or mark.
pub(crate) const AFTER_HELP: &str = "\
Exit code: 0 when it was done, 1 when what was named is not there, 64 for a wrong command line, 65 \
for a file that is no store of this version, 69 when the store cannot be read or written, 78 for \
wrong settings.";

/// See and steer what this server reports to others
#[derive(Debug, Subcommand)]
pub(crate) enum OutboxCommand {
    /// Tell about which domains a report is due, to whom it would go, and why it would not
    Due(due::OutboxDueArguments),
    /// List the deliveries: their states, attempts and reasons
    List(list::OutboxListArguments),
    /// Show one report: its facts, its deliveries, its XML, or the message as it goes out
    Show(show::OutboxShowArguments),
    /// Make the reports that are due and send what is queued, now
    Send(send::OutboxSendArguments),
    /// Try deliveries again that wait or were given up
    Retry(retry::OutboxRetryArguments),
    /// Send nothing to an address or domain for a time; list or lift that
    Suppress(suppress::OutboxSuppressArguments),
    /// Send the reports about a domain elsewhere than its record says; list or end that
    Redirect(redirect::OutboxRedirectArguments),
    /// Read a bounce of report mail from standard input: for the pipe of a mail server
    Bounce(bounce::OutboxBounceArguments),
}

/// Does it.
pub(crate) fn run(command: &OutboxCommand) -> CommandResult {
    match command {
        OutboxCommand::Due(arguments) => due::run(arguments),
        OutboxCommand::List(arguments) => list::run(arguments),
        OutboxCommand::Show(arguments) => show::run(arguments),
        OutboxCommand::Send(arguments) => send::run(arguments),
        OutboxCommand::Retry(arguments) => retry::run(arguments),
        OutboxCommand::Suppress(arguments) => suppress::run(arguments),
        OutboxCommand::Redirect(arguments) => redirect::run(arguments),
        OutboxCommand::Bounce(arguments) => bounce::run(arguments),
    }
}

/// The time that a command takes for the present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NowArgument {
    /// Seconds since 1970, as `check --now` takes them.
    Seconds(u64),
    /// A time as people write it.
    When(When),
}

impl NowArgument {
    /// Milliseconds since the epoch.
    pub(crate) fn ms(self) -> u64 {
        match self {
            Self::Seconds(seconds) => seconds.saturating_mul(1_000),
            Self::When(when) => when.begins_ms(now_ms()),
        }
    }

    /// That of the command line, else the system's.
    pub(crate) fn or_present(given: Option<Self>) -> u64 {
        given.map_or_else(now_ms, Self::ms)
    }
}

impl FromStr for NowArgument {
    type Err = landmarc_runtime::time::NoTime;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let seconds = text
            .bytes()
            .all(|octet| octet.is_ascii_digit())
            .then(|| text.parse().ok());
        match seconds.flatten() {
            Some(seconds) => Ok(Self::Seconds(seconds)),
            None => text.parse().map(Self::When),
        }
    }
}

/// A day as it stands on the command line: `2026-06-01`, `yesterday`, `today`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DayArgument(When);

impl DayArgument {
    /// The UTC day, when it is now this time.
    pub(crate) fn day(self, now_ms: u64) -> Day {
        Day::at(self.0.begins_ms(now_ms))
    }
}

/// A text that is no day.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("write a day: 2026-06-01, yesterday or today")]
pub(crate) struct DayError;

impl FromStr for DayArgument {
    type Err = DayError;

    fn from_str(text: &str) -> Result<Self, DayError> {
        match text.parse() {
            Ok(when @ (When::Date(_) | When::DaysAgo(_))) => Ok(Self(when)),
            _ => Err(DayError),
        }
    }
}

/// An address, or a host and all its addresses: with or without the `@` before it.
fn destination(text: &str) -> Result<String, NameError> {
    match text.rsplit_once('@') {
        Some(("", host)) => domain(host).map(|host| format!("@{host}")),
        Some(_) => Ok(text.to_owned()),
        None => domain(text).map(|host| format!("@{host}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-06-01T00:00:00Z, by GR19.
    const JUNE: u64 = 1_780_272_000_000;

    #[test]
    fn the_clock_is_set_in_seconds_or_as_people_write_it() {
        let ms = |text: &str| text.parse::<NowArgument>().map(NowArgument::ms);
        assert_eq!(ms("1780272000"), Ok(JUNE));
        assert_eq!(ms("2026-06-01T00:00:00Z"), Ok(JUNE));
        assert_eq!(ms("2026-06-01"), Ok(JUNE));
        assert_eq!(ms("18446744073709551615"), Ok(u64::MAX));
        for text in ["", "18446744073709551616", "soon", "-1"] {
            assert!(ms(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_host_means_all_its_addresses() {
        for (text, meant) in [
            ("dmarc@example.net", "dmarc@example.net"),
            ("@Example.NET", "@example.net"),
            ("example.net", "@example.net"),
        ] {
            assert_eq!(destination(text).as_deref(), Ok(meant));
        }
        for text in ["", "@", "a b", "@a b"] {
            assert!(destination(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_day_has_a_date_or_a_name() {
        let day = |text: &str| text.parse::<DayArgument>().map(|day| day.day(JUNE));
        assert_eq!(day("2026-05-31"), Ok(Day(20_604)));
        assert_eq!(day("yesterday"), Ok(Day(20_604)));
        assert_eq!(day("today"), Ok(Day(20_605)));
        for text in ["", "2d", "14:30", "2026-06-01T00:00:00Z", "1780272000"] {
            assert_eq!(day(text), Err(DayError), "{text}");
        }
    }
}
