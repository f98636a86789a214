//! `check`: judges messages from files as the milter would.

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::SystemTime;

use auth::lookup::{Answer, Lookup, Question, Zones};
use clap::{Args, ValueEnum};
use dmarc::evaluation::DmarcResult;
use dns::resolver::{MessageLookup, Resolver};
use dns::zone_file;
use mail::message::{self, HeaderSection};
use mail::{Envelope, ReversePath};
use receiver::judge::{Head, Judgement, Ledgers, Transaction, check_spf, judge};
use receiver::local::{ArcUse, Mode, Rules};
use receiver::story::story;
use settings::Settings;

use crate::exit::Exit;
use crate::mailbox::{self, Stored};
use crate::{json, rules};

/// Arguments of `check`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Message files, mbox files, Maildir directories; `-` or none is standard input
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Address of the client that delivered the message
    #[arg(long, value_name = "ADDRESS")]
    ip: Option<IpAddr>,
    /// Name the client gave in HELO or EHLO
    #[arg(long, value_name = "NAME", default_value = "")]
    helo: String,
    /// Reverse-path of MAIL FROM; empty is the null reverse-path [default: the Return-Path field]
    #[arg(long, value_name = "ADDRESS")]
    mail_from: Option<String>,
    /// Recipients
    #[arg(long, value_name = "ADDRESS")]
    rcpt: Vec<String>,
    /// Answer all DNS questions from this zone file (JSON) instead of the network
    #[arg(long, value_name = "FILE")]
    dns: Option<PathBuf>,
    /// Judge as if it were this time, in seconds since 1970
    #[arg(long, value_name = "SECONDS")]
    now: Option<u64>,
    /// Tell the whole story: DNS answers, steps, verdict, what to do
    #[arg(long)]
    explain: bool,
    /// One JSON object a message
    #[arg(long, conflicts_with = "explain")]
    json: bool,
    /// Read settings from this file
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Judge as in this mode, whatever the settings say
    #[arg(long)]
    mode: Option<ModeName>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ModeName {
    /// Say what would be done
    Observe,
    /// Do it
    Enforce,
}

/// Judges and prints.
pub(crate) fn run(arguments: &Arguments) -> Exit {
    let settings = match rules::load(arguments.config.as_deref()) {
        Ok(settings) => settings,
        Err(exit) => return exit,
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return complain(Exit::Unavailable, &format!("cannot start the runtime: {error}")),
    };
    runtime.block_on(check_all(arguments, &settings))
}

async fn check_all(arguments: &Arguments, settings: &Settings) -> Exit {
    let rules = match rules_for(arguments, settings) {
        Ok(rules) => rules,
        Err(exit) => return exit,
    };
    let source = match source(arguments, settings) {
        Ok(source) => source,
        Err(exit) => return exit,
    };
    let standard_input = [PathBuf::from("-")];
    let files = if arguments.files.is_empty() {
        &standard_input[..]
    } else {
        &arguments.files
    };
    let mut worst = Exit::Fine;
    for file in files {
        let stored = match mailbox::read(file) {
            Ok(stored) => stored,
            Err(error) => {
                worst = worst.max(complain(Exit::BadInput, &error.to_string()));
                continue;
            }
        };
        let several = files.len() > 1 || stored.len() > 1;
        for message in &stored {
            worst = worst.max(check_one(message, several, arguments, &rules, settings, &source).await);
        }
    }
    worst
}

fn rules_for(arguments: &Arguments, settings: &Settings) -> Result<Rules, Exit> {
    let mut rules = rules::rules(settings).map_err(|error| complain(Exit::Config, &error.to_string()))?;
    // A person who asks wants to know of the chain whether or not it would matter.
    if rules.arc == ArcUse::Trusted {
        rules.arc = ArcUse::Always;
    }
    match arguments.mode {
        Some(ModeName::Observe) => rules.mode = Mode::Observe,
        Some(ModeName::Enforce) => rules.mode = Mode::Enforce,
        None => {}
    }
    Ok(rules)
}

/// Where answers come from.
enum Source {
    Zones(Zones),
    Resolver(Resolver),
}

/// Where the answers for one message come from.
enum MessageSource<'a> {
    Zones(&'a Zones),
    Resolver(MessageLookup),
}

impl Lookup for MessageSource<'_> {
    async fn ask(&self, question: &Question) -> Answer {
        match self {
            Self::Zones(zones) => zones.ask(question).await,
            Self::Resolver(lookup) => lookup.ask(question).await,
        }
    }
}

fn source(arguments: &Arguments, settings: &Settings) -> Result<Source, Exit> {
    let Some(path) = &arguments.dns else {
        let resolver = Resolver::new(rules::resolver_options(settings))
            .map_err(|error| complain(Exit::Unavailable, &error.to_string()))?;
        return Ok(Source::Resolver(resolver));
    };
    let text = fs::read_to_string(path)
        .map_err(|error| complain(Exit::BadInput, &format!("{}: {error}", path.display())))?;
    let zones = zone_file::parse(&text).map_err(|error| {
        let cause = std::error::Error::source(&error).map_or_else(String::new, |cause| format!(": {cause}"));
        complain(Exit::BadInput, &format!("{}: {error}{cause}", path.display()))
    })?;
    Ok(Source::Zones(zones))
}

async fn check_one(
    stored: &Stored,
    several: bool,
    arguments: &Arguments,
    rules: &Rules,
    settings: &Settings,
    source: &Source,
) -> Exit {
    let parsed = match message::split(&stored.octets, &rules.header_limits) {
        Ok(parsed) => parsed,
        Err(error) => return complain(Exit::BadInput, &format!("{}: {error}", stored.place)),
    };
    let ledgers = Ledgers::new(settings.dns.questions_per_message, || match source {
        Source::Zones(zones) => MessageSource::Zones(zones),
        Source::Resolver(resolver) => MessageSource::Resolver(resolver.for_message()),
    });
    let envelope = envelope(arguments, &parsed.header);
    let client = rules::client_facts(settings, envelope.client);
    let now = arguments.now.unwrap_or_else(unix_now);

    let spf = check_spf(&ledgers, &envelope, rules, now).await;
    let mut head = Head::new(&parsed.header, rules, client, now);
    head.plan().ask(&ledgers.content).await;
    head.body(&parsed.body);
    let transaction = Transaction {
        envelope,
        client,
        id: "check",
    };
    let judgement = judge(head, transaction, spf, &ledgers, rules).await;
    print(&judgement, several.then_some(&stored.place), arguments);
    exit_of(&judgement)
}

fn envelope(arguments: &Arguments, headers: &HeaderSection) -> Envelope {
    let mail_from = match &arguments.mail_from {
        Some(path) => ReversePath::new(path.as_bytes()),
        // What the delivering MTA kept of the envelope (RFC 5321 §4.4).
        None => headers
            .named("Return-Path")
            .next()
            .map_or_else(ReversePath::default, |(_, field)| ReversePath::new(field.value())),
    };
    Envelope {
        client: arguments.ip,
        client_name: None,
        helo: arguments.helo.clone().into_bytes(),
        mail_from,
        rcpt_to: arguments
            .rcpt
            .iter()
            .map(|rcpt| rcpt.clone().into_bytes())
            .collect(),
    }
}

fn unix_now() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |elapsed| elapsed.as_secs())
}

fn print(judgement: &Judgement, place: Option<&String>, arguments: &Arguments) {
    let text = match (arguments.json, arguments.explain) {
        (true, _) => match place {
            Some(place) => json::object_of_file(place, judgement).to_string(),
            None => json::object(judgement).to_string(),
        },
        (false, true) => match place {
            Some(place) => format!("{place}\n{}", story(judgement)),
            None => story(judgement),
        },
        (false, false) => summary(judgement, place),
    };
    // A closed pipe is the reader's way to say that it has enough.
    let _ = writeln!(io::stdout(), "{text}");
}

/// A line a message, and the way to more.
fn summary(judgement: &Judgement, place: Option<&String>) -> String {
    let place = place.map_or_else(String::new, |place| format!("{place}: "));
    let author = judgement
        .author_domain()
        .map_or("(none)", |domain| domain.as_str());
    let cause = if judgement.cause.is_empty() {
        String::new()
    } else {
        format!("\n  {}", judgement.cause)
    };
    let hint = if io::stdout().is_terminal() {
        "\n  --explain tells why."
    } else {
        ""
    };
    format!(
        "{place}{author}: dmarc={} spf={} dkim={} disposition={} action={}{cause}{hint}",
        judgement.dmarc.as_str(),
        judgement.spf.mail_from.result,
        crate::log::dkim_word(judgement),
        judgement.action.disposition,
        judgement.action.step.as_str(),
    )
}

fn exit_of(judgement: &Judgement) -> Exit {
    match &judgement.dmarc {
        DmarcResult::TempError => Exit::Unknown,
        DmarcResult::Fail | DmarcResult::PermError => Exit::Findings,
        _ => Exit::Fine,
    }
}

fn complain(exit: Exit, message: &str) -> Exit {
    eprintln!("landmarc: {message}");
    exit
}
