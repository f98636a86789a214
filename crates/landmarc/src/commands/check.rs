//! `check`: judges messages from files as the milter would.

use std::fs;
use std::io::{self, IsTerminal};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use auth::lookup::{Answer, Lookup, Question, Zones};
use clap::{Args, ValueEnum};
use dmarc::evaluation::DmarcResult;
use dns::resolver::{MessageLookup, Resolver};
use dns::zone_file;
use mail::message::{self, HeaderSection, MessageError};
use mail::{Envelope, ReversePath};
use receiver::judge::{Head, Judgement, Ledgers, Transaction, check_spf, judge};
use receiver::local::{ArcUse, Mode, Rules};
use receiver::story::story;
use settings::Settings;

use crate::exit::Exit;
use crate::load::{Loaded, load_or_complain};
use crate::mailbox::{self, MailFile, STANDARD_INPUT};
use crate::output::{complain, in_full, print};
use crate::{json, log, rules};

/// What the help says below the options.
const AFTER_HELP: &str = "\
Exit code: 0 when no message fails, 1 when one fails DMARC or cannot be evaluated, 2 when DNS\n\
did not answer, 64 for a wrong command line, 65 for a file that is no message, 78 for wrong\n\
settings; the largest of those that apply.";

/// Arguments of `check`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Arguments {
    /// Message files, mbox files or Maildirs [default: -, which is standard input]
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Address of the client that delivered the message; without it SPF cannot be checked
    #[arg(long, value_name = "ADDRESS")]
    ip: Option<IpAddr>,
    /// Name the client gave in HELO or EHLO
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    helo: String,
    /// Address in MAIL FROM; "" is the null reverse-path [default: that of the Return-Path field]
    #[arg(long, value_name = "ADDRESS")]
    mail_from: Option<String>,
    /// Address in RCPT TO; may be given several times
    #[arg(long, value_name = "ADDRESS")]
    rcpt: Vec<String>,
    /// Answer all DNS questions from this zone file instead of the network: JSON such as
    /// {"example.com": {"TXT": [["v=spf1 -all"]], "A": ["192.0.2.1"]}, "x.example": {"*": "TIMEOUT"}}
    #[arg(long, value_name = "FILE")]
    dns: Option<PathBuf>,
    /// Judge as if it were this time, in seconds since 1970 [default: now]
    #[arg(long, value_name = "SECONDS")]
    now: Option<u64>,
    /// Tell the whole story of each message: DNS answers, steps, verdict, what to do
    #[arg(long)]
    explain: bool,
    /// Print one JSON object for each message, on a line of its own
    #[arg(long, conflicts_with = "explain")]
    json: bool,
    /// Read settings from this file [default: /etc/landmarc/landmarc.toml, if it exists]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Judge in this mode, whatever the settings say
    #[arg(long)]
    mode: Option<ModeName>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ModeName {
    /// Accept every message, and tell what would be done
    Observe,
    /// Do what the policy and the settings ask for
    Enforce,
}

/// Judges and prints.
pub(crate) fn run(arguments: &Arguments) -> Exit {
    check(arguments).unwrap_or_else(|exit| exit)
}

fn check(arguments: &Arguments) -> Result<Exit, Exit> {
    let loaded = load_or_complain(arguments.config.as_deref())?;
    let unavailable =
        |error: io::Error| complain(Exit::Unavailable, &format!("cannot start the runtime: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(unavailable)?;
    runtime.block_on(async {
        let bench = Bench {
            rules: rules_for(arguments, &loaded),
            source: source(arguments, &loaded.settings)?,
            settings: &loaded.settings,
            arguments,
        };
        Ok(bench.judge_all().await)
    })
}

fn rules_for(arguments: &Arguments, loaded: &Loaded) -> Rules {
    let mut rules = loaded.rules();
    // A person who asks wants to know of the chain whether or not it would matter.
    if rules.arc == ArcUse::Trusted {
        rules.arc = ArcUse::Always;
    }
    match arguments.mode {
        Some(ModeName::Observe) => rules.mode = Mode::Observe,
        Some(ModeName::Enforce) => rules.mode = Mode::Enforce,
        None => {}
    }
    rules
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
            .map_err(|error| complain(Exit::Unavailable, &in_full(&error)))?;
        return Ok(Source::Resolver(resolver));
    };
    let bad = |error: &dyn std::error::Error| {
        complain(Exit::BadInput, &format!("{}: {}", path.display(), in_full(error)))
    };
    let text = fs::read_to_string(path).map_err(|error| bad(&error))?;
    let zones = zone_file::parse(&text).map_err(|error| bad(&error))?;
    Ok(Source::Zones(zones))
}

/// What all messages are judged with.
struct Bench<'a> {
    arguments: &'a Arguments,
    settings: &'a Settings,
    rules: Rules,
    source: Source,
}

impl Bench<'_> {
    async fn judge_all(&self) -> Exit {
        let standard_input = [PathBuf::from(STANDARD_INPUT)];
        let paths = match self.arguments.files.as_slice() {
            [] => &standard_input[..],
            paths => paths,
        };
        let mut worst = Exit::Fine;
        for path in paths {
            // One message of one file needs no name beside it.
            let named = paths.len() > 1 || path.is_dir();
            match self.judge_path(path, named).await {
                Ok(exit) => worst = worst.max(exit),
                // Nobody reads on, or can.
                Err(exit) => return worst.max(exit),
            }
        }
        worst
    }

    async fn judge_path(&self, path: &Path, named: bool) -> Result<Exit, Exit> {
        let files = match mailbox::files(path) {
            Ok(files) => files,
            Err(error) => return Ok(complain(Exit::BadInput, &in_full(&error))),
        };
        if files.is_empty() {
            return Ok(complain(Exit::Fine, &format!("{}: no messages", path.display())));
        }
        let mut worst = Exit::Fine;
        for file in &files {
            worst = worst.max(self.judge_file(file, named).await?);
        }
        Ok(worst)
    }

    async fn judge_file(&self, path: &Path, named: bool) -> Result<Exit, Exit> {
        let file = match MailFile::read(path) {
            Ok(file) => file,
            Err(error) => return Ok(complain(Exit::BadInput, &in_full(&error))),
        };
        let named = named || file.is_mbox();
        let mut worst = Exit::Fine;
        for stored in file.messages() {
            let exit = match self.judge(&stored.octets).await {
                Ok(judgement) => {
                    self.print(&judgement, named.then_some(stored.place.as_str()))?;
                    exit_of(&judgement)
                }
                Err(error) => complain(Exit::BadInput, &format!("{}: {error}", stored.place)),
            };
            worst = worst.max(exit);
        }
        Ok(worst)
    }

    async fn judge(&self, octets: &[u8]) -> Result<Judgement, MessageError> {
        let rules = &self.rules;
        let parsed = message::split(octets, &rules.header_limits)?;
        let ledgers = Ledgers::new(self.settings.dns.questions_per_message, || match &self.source {
            Source::Zones(zones) => MessageSource::Zones(zones),
            Source::Resolver(resolver) => MessageSource::Resolver(resolver.for_message()),
        });
        let envelope = envelope(self.arguments, &parsed.header);
        let client = rules::client_facts(self.settings, envelope.client);
        let now = self.arguments.now.unwrap_or_else(unix_now);

        let spf = check_spf(&ledgers, &envelope, rules, now).await;
        let mut head = Head::new(&parsed.header, rules, client, now);
        head.plan().ask(&ledgers).await;
        head.body(&parsed.body);
        let transaction = Transaction {
            envelope,
            client,
            id: "check",
        };
        Ok(judge(head, transaction, spf, &ledgers, rules).await)
    }

    fn print(&self, judgement: &Judgement, place: Option<&str>) -> Result<(), Exit> {
        let text = match (self.arguments.json, self.arguments.explain, place) {
            (true, _, Some(place)) => json::object_of_file(place, judgement).to_string(),
            (true, _, None) => json::object(judgement).to_string(),
            (false, true, Some(place)) => format!("{place}\n{}", story(judgement)),
            (false, true, None) => story(judgement),
            (false, false, _) => summary(judgement, place),
        };
        print(&format!("{text}\n"))
    }
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
    let recipients = arguments.rcpt.iter();
    Envelope {
        client: arguments.ip,
        client_name: None,
        helo: arguments.helo.clone().into_bytes(),
        mail_from,
        rcpt_to: recipients
            .map(|rcpt| ReversePath::new(rcpt.as_bytes()).as_bytes().to_vec())
            .collect(),
    }
}

fn unix_now() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |elapsed| elapsed.as_secs())
}

/// A line for a message, a second one for the cause of its failure, and the way to more.
fn summary(judgement: &Judgement, place: Option<&str>) -> String {
    let place = place.map_or_else(String::new, |place| format!("{place}: "));
    let author = judgement
        .author_domain()
        .map_or("(no author domain)", |domain| domain.as_str());
    let cause = match judgement.cause.as_str() {
        "" => String::new(),
        cause => format!("\n  {cause}"),
    };
    let hint = if io::stdout().is_terminal() {
        "\n  --explain tells why"
    } else {
        ""
    };
    format!(
        "{place}{author}: dmarc={} spf={} dkim={} disposition={} action={} would={}{cause}{hint}",
        judgement.dmarc.as_str(),
        judgement.spf.mail_from.result,
        log::dkim_word(judgement),
        judgement.action.disposition,
        judgement.action.step.as_str(),
        judgement.decision.step.as_str(),
    )
}

fn exit_of(judgement: &Judgement) -> Exit {
    match &judgement.dmarc {
        DmarcResult::TempError => Exit::Unknown,
        DmarcResult::Fail | DmarcResult::PermError => Exit::Findings,
        DmarcResult::None | DmarcResult::Pass(_) => Exit::Fine,
    }
}
