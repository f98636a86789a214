//! `outbox send`: what the service does on the clock, once and now.

use std::collections::HashSet;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use dns::resolver::Resolver;
use serde_json::{Value, json};
use store::{Day, DeliveryState, OutboxFilter, Resend, StoreError};

use super::due::{days, warn_of_today};
use super::opened::{self, Opened};
use super::rehearsal::{self, Mode};
use super::{Clock, OneDay};
use crate::exit::Exit;
use crate::figures::grouped;
use crate::output::{print, tell};
use crate::records::{Place, refuse};
use crate::reporter::{
    self, DayMade, Desk, Means, Orders, Request, Selection, SendCounts, Stop, make_day, release_of_gone, send,
};
use crate::time::date;

/// What the help says below the options.
const AFTER_HELP: &str = "\
The service does this by itself; both may run at the same time, and no letter is sent twice. For\n\
cron, where the service does not report: 33 3 * * * landmarc outbox send\n\n\
Exit code: 0 when all went well, 1 when a letter failed, was given up, or the relay takes none, 2 in\n\
a rehearsal when DNS did not answer about a destination, 64 for a wrong command line, 65 for a file\n\
that is no store of this version, 69 when the store cannot be read or written, 78 for wrong settings\n\
or without report.email.";

/// Letters that are made due at once; of more, the newest.
const MAX_HASTENED: usize = 100_000;

/// Arguments of `outbox send`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Arguments {
    /// Make the reports of this UTC day: 2026-06-01, yesterday; today, for trials: mail that comes
    /// later that day is in no report [default: of the days that are due]
    #[arg(long, value_name = "DAY")]
    day: Option<OneDay>,
    /// Take this time for the present: seconds since 1970, or as 2026-06-01T14:30:00Z
    #[arg(long, value_name = "TIME")]
    now: Option<Clock>,
    /// Only reports about this DMARC Policy Domain; may be given several times
    #[arg(long, value_name = "DOMAIN", value_parser = super::domain)]
    domain: Vec<String>,
    /// No reports about this DMARC Policy Domain; may be given several times
    #[arg(long, value_name = "DOMAIN", value_parser = super::domain)]
    exclude_domain: Vec<String>,
    /// Give each domain its own moment within report.spread, as the service does, instead of now
    #[arg(long)]
    respect_spread: bool,
    /// Write nothing down and send nothing, but tell what would be sent
    #[arg(long)]
    dry_run: bool,
    /// Write the letters and reports of a --dry-run into this directory
    #[arg(long, value_name = "DIR", requires = "dry_run")]
    output_dir: Option<PathBuf>,
    /// Send, but write nothing down: the same letters are due again afterwards
    #[arg(long, conflicts_with = "dry_run")]
    no_update: bool,
    #[command(flatten)]
    place: Place,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Arguments {
    fn selection(&self) -> Selection {
        let set = |domains: &[String]| domains.iter().cloned().collect::<HashSet<_>>();
        Selection {
            only: set(&self.domain),
            except: set(&self.exclude_domain),
        }
    }

    fn clock(&self) -> reporter::Clock {
        self.now
            .map_or_else(reporter::Clock::of_system, |now| reporter::Clock::at(now.ms()))
    }
}

/// Makes and sends.
pub(super) fn run(arguments: &Arguments) -> Result<Exit, Exit> {
    let opened = Opened::read(&arguments.place)?;
    let clock = arguments.clock();
    let days = of_days(&opened, arguments, clock.now_ms())?;
    if arguments.dry_run || arguments.no_update {
        let mode = match (&arguments.output_dir, arguments.no_update) {
            (_, true) => Mode::Send,
            (Some(directory), _) => Mode::Write(directory.clone()),
            (None, _) => Mode::Tell,
        };
        let request = |day| Request {
            day,
            selection: arguments.selection(),
            clock,
            spread: false,
        };
        let days: Vec<_> = days.into_iter().map(request).collect();
        let selection = arguments.selection();
        return opened::run(|stop| {
            rehearsal::run(&opened, days, selection, clock, mode, arguments.json, stop)
        })?;
    }
    let (desk, means) = opened.desk(clock)?;
    let done = opened::run(|stop| async move { go(arguments, &desk, &means, &days, &stop).await })?;
    let summary = done.map_err(|error| refuse(&error))?;
    print(&if arguments.json {
        format!("{}\n", summary.object())
    } else {
        summary.in_words()
    })?;
    Ok(summary.exit())
}

fn of_days(opened: &Opened, arguments: &Arguments, now_ms: u64) -> Result<Vec<Day>, Exit> {
    if !opened.terms.settings.aggregate {
        tell("landmarc: report.aggregate is false: no aggregate reports are made");
        return Ok(Vec::new());
    }
    let reader = opened.found().read()?;
    let days = days(&reader, opened, arguments.day, now_ms).map_err(|error| refuse(&error))?;
    days.iter().for_each(|day| warn_of_today(*day, now_ms));
    Ok(days)
}

/// What a run came to.
#[derive(Debug, Default)]
struct Summary {
    days: Vec<(Day, DayMade)>,
    sent: SendCounts,
    /// Letters that are still to be sent.
    waiting: u64,
    was_stopped: bool,
}

async fn go(
    arguments: &Arguments,
    desk: &Arc<Desk<Resolver>>,
    means: &Arc<Means>,
    days: &[Day],
    stop: &Stop,
) -> Result<Summary, StoreError> {
    let mut summary = Summary::default();
    let bar = Bar::new();
    release_of_gone(desk).await?;
    for day in days {
        let request = Request {
            day: *day,
            selection: arguments.selection(),
            clock: desk.clock,
            spread: arguments.respect_spread,
        };
        let seen = |made: &DayMade| bar.show(&format!("{}: {} domains", date(*day), made.counts.domains));
        summary
            .days
            .push((*day, make_day(desk, &means.terms, &request, stop, seen).await?));
    }
    let orders = Orders {
        selection: arguments.selection(),
        waits: true,
    };
    if !arguments.respect_spread && !stop.is_set() {
        hasten(desk, &orders.selection).await?;
    }
    let now_ms = desk.clock.now_ms();
    let before = desk.outbox.with(move |outbox| outbox.counts(now_ms)).await?;
    let seen = |sent: &SendCounts| bar.show(&format!("{} of {} letters", sent.letters(), before.due));
    summary.sent = send(desk, means, &orders, stop, seen).await?;
    let now_ms = desk.clock.now_ms();
    let after = desk.outbox.with(move |outbox| outbox.counts(now_ms)).await?;
    summary.waiting = after.queued + after.deferred;
    summary.was_stopped = stop.is_set();
    bar.end();
    Ok(summary)
}

/// Makes the letters due now that wait for their moment in the spread. Those that were tried wait on.
async fn hasten(desk: &Desk<Resolver>, selection: &Selection) -> Result<(), StoreError> {
    let queued = OutboxFilter {
        state: Some(DeliveryState::Queued),
        limit: MAX_HASTENED,
        ..OutboxFilter::default()
    };
    let mut filters = vec![queued.clone()];
    if !selection.is_all() {
        let all = desk.read({
            let queued = queued.clone();
            move |reader| reader.deliveries(&queued)
        });
        let domains: HashSet<_> = all
            .await?
            .into_iter()
            .map(|letter| letter.report.policy_domain)
            .collect();
        let chosen = domains.into_iter().filter(|domain| selection.has(domain));
        let of_domain = |domain| OutboxFilter {
            policy_domain: Some(domain),
            ..queued.clone()
        };
        filters = chosen.map(of_domain).collect();
    }
    let now_ms = desk.clock.now_ms();
    desk.outbox
        .with(move |outbox| {
            for filter in &filters {
                outbox.retry(filter, Resend::Unfinished, now_ms)?;
            }
            Ok(())
        })
        .await
}

impl Summary {
    /// One for scripts: whether somebody should look.
    fn exit(&self) -> Exit {
        let failed = self.sent.deferred + self.sent.given_up > 0 || self.sent.relay.is_some();
        if failed { Exit::Findings } else { Exit::Fine }
    }

    fn in_words(&self) -> String {
        let mut text = String::new();
        for (day, made) in &self.days {
            text.push_str(&format!(
                "{}: domains {}, reports {} about {} messages, letters {}, skipped {}, settled before {}\n",
                date(*day),
                grouped(made.counts.domains),
                grouped(made.counts.reports),
                grouped(made.counts.messages),
                grouped(made.letters),
                grouped(made.counts.skipped),
                grouped(made.before),
            ));
        }
        text.push_str(&sent_in_words(&self.sent));
        if let Some(why) = &self.sent.relay {
            text.push_str(&format!("the relay takes no letters: {why}\n"));
        }
        if self.waiting > 0 {
            text.push_str(&format!(
                "still to be sent: {} (landmarc outbox list)\n",
                grouped(self.waiting)
            ));
        }
        if self.was_stopped {
            text.push_str("stopped before the end; nothing is lost\n");
        }
        text
    }

    fn object(&self) -> Value {
        let day = |(day, made): &(Day, DayMade)| {
            json!({
                "day": date(*day),
                "domains": made.counts.domains,
                "reports": made.counts.reports,
                "messages": made.counts.messages,
                "letters": made.letters,
                "skipped": made.counts.skipped,
                "settled_before": made.before,
                "done": made.is_done,
            })
        };
        json!({
            "mode": "send",
            "days": self.days.iter().map(day).collect::<Vec<_>>(),
            "letters": sent_object(&self.sent),
            "relay": self.sent.relay,
            "waiting": self.waiting,
            "stopped": self.was_stopped,
        })
    }
}

/// What became of letters, on one line.
pub(super) fn sent_in_words(sent: &SendCounts) -> String {
    format!(
        "letters: delivered {}, to be tried again {}, given up {}, suppressed {}, sent in parts {}\n",
        grouped(sent.delivered),
        grouped(sent.deferred),
        grouped(sent.given_up),
        grouped(sent.suppressed),
        grouped(sent.split),
    )
}

/// The same for programs.
pub(super) fn sent_object(sent: &SendCounts) -> Value {
    json!({
        "delivered": sent.delivered,
        "deferred": sent.deferred,
        "given_up": sent.given_up,
        "suppressed": sent.suppressed,
        "split": sent.split,
    })
}

/// How far it is, where somebody looks.
struct Bar {
    is_seen: bool,
}

/// What a line of progress is filled up to, so that nothing stays of a longer one.
const BAR_WIDTH: usize = 60;

impl Bar {
    fn new() -> Self {
        Self {
            is_seen: io::stderr().is_terminal(),
        }
    }

    fn show(&self, text: &str) {
        if self.is_seen {
            // When the terminal is gone nobody looks any more; here and below.
            let _ = write!(io::stderr(), "\r{text:<BAR_WIDTH$}");
        }
    }

    fn end(&self) {
        if self.is_seen {
            let _ = write!(io::stderr(), "\r{:BAR_WIDTH$}\r", "");
        }
    }
}

#[cfg(test)]
mod tests {
    use store::DayCounts;

    use super::*;

    fn summary(sent: SendCounts) -> Summary {
        let made = DayMade {
            counts: DayCounts {
                domains: 3,
                reports: 2,
                messages: 1_234,
                skipped: 1,
            },
            letters: 2,
            before: 0,
            is_done: true,
        };
        Summary {
            days: vec![(Day(20_605), made)],
            waiting: sent.deferred,
            sent,
            was_stopped: false,
        }
    }

    #[test]
    fn it_is_told_what_was_made_and_what_became_of_letters() {
        let sent = SendCounts {
            delivered: 1,
            deferred: 1,
            ..SendCounts::default()
        };
        insta::assert_snapshot!(summary(sent).in_words(), @r#"
        2026-06-01: domains 3, reports 2 about 1,234 messages, letters 2, skipped 1, settled before 0
        letters: delivered 1, to be tried again 1, given up 0, suppressed 0, sent in parts 0
        still to be sent: 1 (landmarc outbox list)
        "#);
    }

    /// Checklist T2: exit 1 on any failure.
    #[test]
    fn any_letter_that_failed_is_a_finding() {
        let exit = |sent: SendCounts| summary(sent).exit();
        let none = SendCounts::default;
        assert_eq!(exit(none()), Exit::Fine);
        assert_eq!(
            exit(SendCounts {
                delivered: 9,
                suppressed: 1,
                split: 1,
                ..none()
            }),
            Exit::Fine
        );
        assert_eq!(
            exit(SendCounts {
                deferred: 1,
                ..none()
            }),
            Exit::Findings
        );
        assert_eq!(
            exit(SendCounts {
                given_up: 1,
                ..none()
            }),
            Exit::Findings
        );
        assert_eq!(
            exit(SendCounts {
                relay: Some("no".to_owned()),
                ..none()
            }),
            Exit::Findings
        );
    }
}
