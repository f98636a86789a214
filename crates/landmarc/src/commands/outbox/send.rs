//! `outbox send`: what the service does on the clock, once and now.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use landmarc_dmarc::Suffixes;
use landmarc_dns::resolver::Resolver;
use landmarc_report::Address;
use landmarc_settings::Settings;
use landmarc_store::{Day, Reader, StoreError};
use serde_json::Value;

use super::common::{OutputOptions, announce_shutdown};
use super::due::{days, warn_of_today, why_none};
use super::rehearsal::{self, Mode};
use super::setup::{self, OutboxSetup};
use super::summary::Summary;
use super::trial;
use super::{DayArgument, NowArgument};
use crate::exit::Exit;
use crate::failure::{CommandResult, Failure};
use crate::notes::{note, print_note};
use crate::output::print;
use crate::progress::Bar;
use crate::records::StoreArguments;
use landmarc_reporter::{
    self, DayRequest, Orders, Progress, ReportSetup, ReporterContext, Selection, SendCounts, Turns, hasten,
    make_and_send, release_of_gone, send,
};
use landmarc_runtime::stop::Stop;
use landmarc_runtime::time::date;

/// What the help says below the options.
const AFTER_HELP: &str = "\
The service does this by itself; both may run at the same time, and no message is sent twice. For \
cron, where the service does not report: 33 * * * * landmarc outbox send --quiet\n\n\
Exit code: 0 when all went well, 1 when a delivery failed, was given up, the relay takes none, or it \
was stopped before the end (SIGINT, SIGTERM), 2 in a rehearsal when DNS did not answer about a destination, 64 for a wrong command line, 65 for a file \
that is no store of this version, 69 when the store cannot be read or written, 78 for wrong settings \
or without report.email.";

/// Arguments of `outbox send`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct OutboxSendArguments {
    /// Make the reports of this UTC day: 2026-06-01, yesterday; today, for trials: mail that comes
    /// later that day is in no report [default: of the days that are due]
    #[arg(long, value_name = "DAY")]
    day: Option<DayArgument>,
    /// Take this time for the present: seconds since 1970, or as 2026-06-01T14:30:00Z
    #[arg(long, value_name = "TIME")]
    now: Option<NowArgument>,
    /// Only reports about this DMARC Policy Domain; may be given several times
    #[arg(long, value_name = "DOMAIN", value_parser = crate::options::domain)]
    domain: Vec<String>,
    /// No reports about this DMARC Policy Domain; may be given several times
    #[arg(long, value_name = "DOMAIN", value_parser = crate::options::domain)]
    exclude_domain: Vec<String>,
    /// Give each domain its own moment within report.spread, as the service does, instead of now
    #[arg(long)]
    respect_spread: bool,
    /// Write nothing down and send nothing, but print what would be sent
    #[arg(long)]
    dry_run: bool,
    /// Write the messages and reports of a --dry-run into this directory
    #[arg(long, value_name = "DIR", requires = "dry_run")]
    output_dir: Option<PathBuf>,
    /// Send, but write nothing down: the same messages are due again afterwards
    #[arg(long, conflicts_with = "dry_run")]
    no_update: bool,
    /// Send one small message to this address, marked as a test, by the way that reports go, and print
    /// the relay's answer; nothing else is sent, and nothing written down
    #[arg(long, value_name = "ADDRESS", value_parser = Address::parse, conflicts_with_all = NOT_IN_A_TEST)]
    test: Option<Address>,
    #[command(flatten)]
    store: StoreArguments,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Print nothing when all went well: for cron
    #[arg(long)]
    quiet: bool,
}

/// What says about which days and domains, where there are none.
const NOT_IN_A_TEST: [&str; 7] = [
    "day",
    "domain",
    "exclude_domain",
    "respect_spread",
    "dry_run",
    "output_dir",
    "no_update",
];

impl OutboxSendArguments {
    fn selection(&self) -> Selection {
        let set = |domains: &[String]| domains.iter().cloned().collect::<HashSet<_>>();
        Selection {
            only: set(&self.domain),
            except: set(&self.exclude_domain),
        }
    }

    fn output(&self) -> OutputOptions {
        OutputOptions {
            as_json: self.json,
            quiet: self.quiet,
        }
    }

    fn clock(&self) -> landmarc_reporter::RunClock {
        self.now
            .map_or_else(landmarc_reporter::RunClock::of_system, |now| {
                landmarc_reporter::RunClock::at(now.ms())
            })
    }
}

/// Makes and sends.
pub(super) fn run(arguments: &OutboxSendArguments) -> CommandResult {
    go_with(arguments, &OutboxSetup::read(&arguments.store, arguments.quiet)?)
}

/// The same by these settings, whatever the file says.
pub(crate) fn run_with(
    arguments: &OutboxSendArguments,
    settings: Settings,
    suffixes: Arc<Suffixes>,
) -> CommandResult {
    go_with(
        arguments,
        &OutboxSetup::of(settings, suffixes, &arguments.store, arguments.quiet)?,
    )
}

fn go_with(arguments: &OutboxSendArguments, setup: &OutboxSetup) -> CommandResult {
    let clock = arguments.clock();
    if let Some(address) = &arguments.test {
        return trial::run(setup, address, clock, arguments.output());
    }
    let request = |day| DayRequest {
        day,
        selection: arguments.selection(),
        clock,
        spread: arguments.respect_spread,
    };
    let days = of_days(setup, arguments, clock.now_ms())?;
    let days: Vec<_> = days.into_iter().map(request).collect();
    if arguments.dry_run || arguments.no_update {
        let mode = match (&arguments.output_dir, arguments.no_update) {
            (_, true) => Mode::Send,
            (Some(directory), _) => Mode::Write(directory.clone()),
            (None, _) => Mode::Print,
        };
        let orders = rehearsal::Orders {
            days,
            selection: arguments.selection(),
            clock,
            mode,
            output: arguments.output(),
        };
        return setup::run(|stop| rehearsal::run(setup, orders, stop))?;
    }
    let (context, means) = setup.context(clock)?;
    let done = setup::run(|stop| async move { go(arguments, &context, &means, &days, &stop).await })?;
    let summary = done?;
    if !arguments.quiet || summary.exit() != Exit::Fine {
        print(&if arguments.json {
            format!("{}\n", Value::Object(summary.object("send")))
        } else {
            summary.in_words()
        })?;
    }
    Ok(summary.exit())
}

fn of_days(setup: &OutboxSetup, arguments: &OutboxSendArguments, now_ms: u64) -> Result<Vec<Day>, Failure> {
    if let Some(why) = why_none(setup) {
        if !arguments.quiet {
            print_note(why);
        }
        return Ok(Vec::new());
    }
    let reader = setup.found().read()?;
    let days = days(&reader, setup, arguments.day, now_ms)?;
    days.iter().for_each(|day| warn_of_today(*day, now_ms));
    if !arguments.quiet {
        warn_of_absent(&reader, &days, &arguments.domain)?;
    }
    Ok(days)
}

/// Says about which of the domains that were named there is nothing to report. A subdomain is in the report
/// of the domain whose record applied, which not everybody expects.
fn warn_of_absent(reader: &Reader, days: &[Day], domains: &[String]) -> Result<(), StoreError> {
    if domains.is_empty() {
        return Ok(());
    }
    for day in days {
        let known: HashSet<_> = reader.policy_domains(*day)?.into_iter().collect();
        for domain in domains.iter().filter(|domain| !known.contains(*domain)) {
            note!(
                "landmarc: {}: no mail was counted for the DMARC Policy Domain {domain}",
                date(*day)
            );
        }
    }
    Ok(())
}

async fn go(
    arguments: &OutboxSendArguments,
    context: &Arc<ReporterContext<Resolver>>,
    means: &Arc<ReportSetup>,
    days: &[DayRequest],
    stop: &Stop,
) -> Result<Summary, StoreError> {
    let mut summary = Summary::default();
    let bar = Bar::new();
    tokio::spawn(announce_shutdown(stop.clone()));
    release_of_gone(context).await?;
    let orders = Orders {
        selection: arguments.selection(),
        waits: true,
        ..Orders::default()
    };
    if !arguments.respect_spread {
        hasten(context, &orders.selection).await?;
    }
    let seen = |progress: Progress<'_>| match progress {
        Progress::Made(day, made) => bar.show(&format!("{}: {} domains", date(day), made.counts.domains)),
        Progress::Sent(sent) => bar.show(&format!("{} deliveries", sent.deliveries())),
    };
    let by = (&orders, Turns::default());
    (summary.days, summary.sent) = make_and_send(context, means, days, by, stop, seen).await?;
    let is_cut = stop.is_set();
    let now_ms = context.clock.now_ms();
    let before = context.outbox.with(move |outbox| outbox.counts(now_ms)).await?;
    let seen = |sent: &SendCounts| bar.show(&format!("{} of {} deliveries", sent.deliveries(), before.due));
    summary.sent.add(send(context, means, &orders, stop, seen).await?);
    let now_ms = context.clock.now_ms();
    let after = context.outbox.with(move |outbox| outbox.counts(now_ms)).await?;
    summary.waiting = after.queued + after.deferred;
    summary.was_stopped = is_cut || (stop.is_set() && summary.waiting > 0);
    bar.end();
    Ok(summary)
}
