//! Messages from files, judged as the service would judge them: what `check` and `rules test`
//! have in common.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use landmarc_mail::message::{self, HeaderSection, MessageError};
use landmarc_mail::{Envelope, ReversePath};
use landmarc_receiver::Judgement;
use landmarc_receiver::policy::{ArcUse, EnforcementMode, Rules};
use landmarc_receiver::seen::Seen;
use landmarc_settings::Settings;

use crate::answers::DnsAnswers;
use crate::exit::Exit;
use crate::failure::{CommandResult, Failure, failure};
use crate::loading::load_with_rules;
use crate::notes::note;
use crate::runtime;
use landmarc_filter::mailbox::{self, MailFile, STANDARD_INPUT};
use landmarc_filter::seen;
use landmarc_filter::{Lists, MessageContext, Skipped, judge_parsed};
use landmarc_runtime::clock::now_ms;
use landmarc_runtime::load::Loaded;
use landmarc_runtime::visible::visible_path;

/// Which messages are judged, and what of them is not in the message.
#[derive(Debug, Args)]
pub(crate) struct FileCheckArguments {
    /// Message files, mbox files or Maildirs [default: -, which is standard input]
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Address of the client that delivered the message; without it SPF cannot be checked
    #[arg(long, value_name = "ADDRESS")]
    ip: Option<IpAddr>,
    /// Host name of that client, as a mail server has verified it
    #[arg(long, value_name = "NAME")]
    client_name: Option<String>,
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
    /// Read settings from this file [default: /etc/landmarc/landmarc.toml, if it exists]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Go by the rules in this file, in place of those of action.rules_file
    #[arg(long, value_name = "FILE")]
    rules: Option<PathBuf>,
    /// Judge in this mode, whatever the settings say
    #[arg(long)]
    mode: Option<ModeName>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ModeName {
    /// Accept every message, and report what would be done
    Observe,
    /// Do what the policy and the settings ask for
    Enforce,
}

/// One message that was judged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct JudgedFile<'a> {
    /// Where it is stored; nothing where it is the only one.
    pub(crate) place: Option<&'a str>,
    pub(crate) judgement: &'a Judgement,
    /// What it was judged by.
    pub(crate) rules: &'a Rules,
    /// When, in Unix time.
    pub(crate) now: u64,
}

/// Judges every message that the options name, in order, and has each told of. What cannot be
/// read is told of here, and does not stop the others.
///
/// `report` says how the command is to end as far as this message goes; the largest counts. Its
/// error ends the command at once: nobody reads on, or can.
pub(crate) fn judge_each(
    options: &FileCheckArguments,
    report: impl FnMut(JudgedFile<'_>) -> CommandResult,
) -> CommandResult {
    let loaded = load_with_rules(options.config.as_deref(), options.rules.as_deref())?;
    runtime::one_thread()?.block_on(async {
        let rules = rules_for(options, &loaded);
        let mut check = FileCheck {
            seen: seen_for(options, &loaded, &rules),
            rules,
            answers: DnsAnswers::open(options.dns.as_deref(), &loaded.settings)?,
            lists: Lists::new(&loaded.settings.clients, loaded.hosts.clone()),
            settings: &loaded.settings,
            options,
            report,
        };
        check.note_skipped_client();
        Ok(check.judge_all().await)
    })
}

fn rules_for(options: &FileCheckArguments, loaded: &Loaded) -> Rules {
    let mut rules = loaded.rules();
    // A person who asks wants to know of the chain whether or not it would matter.
    if rules.arc == ArcUse::Trusted {
        rules.arc = ArcUse::Always;
    }
    match options.mode {
        Some(ModeName::Observe) => rules.mode = EnforcementMode::Observe,
        Some(ModeName::Enforce) => rules.mode = EnforcementMode::Enforce,
        None => {}
    }
    rules
}

/// What the mail of the last days shows. With DNS from a file all else is given as well, and a store is not.
fn seen_for(options: &FileCheckArguments, loaded: &Loaded, rules: &Rules) -> Seen {
    if options.dns.is_some() {
        return Seen::Off;
    }
    let now_ms = options.now.map(|now| now.saturating_mul(1_000));
    let now_ms = now_ms.unwrap_or_else(landmarc_runtime::clock::now_ms);
    seen::for_command(&loaded.settings, &rules.suffixes, now_ms)
}

/// What all messages are judged with.
struct FileCheck<'a, T> {
    options: &'a FileCheckArguments,
    settings: &'a Settings,
    rules: Rules,
    seen: Seen,
    /// Of what the service does not judge; here all is judged, and it is said.
    lists: Lists,
    answers: DnsAnswers,
    report: T,
}

impl<T: FnMut(JudgedFile<'_>) -> CommandResult> FileCheck<'_, T> {
    async fn judge_all(&mut self) -> Exit {
        let standard_input = [PathBuf::from(STANDARD_INPUT)];
        let paths = match self.options.files.as_slice() {
            [] => &standard_input[..],
            paths => paths,
        };
        let mut worst = Exit::Fine;
        for path in paths {
            // One message of one file needs no name context it.
            let named = paths.len() > 1 || path.is_dir();
            match self.judge_path(path, named).await {
                Ok(exit) => worst = worst.max(exit),
                // Nobody reads on, or can.
                Err(failure) => return worst.max(failure.print()),
            }
        }
        worst
    }

    /// Says it where the service would take the mail of this client as it comes.
    fn note_skipped_client(&self) {
        if let Some(skipped) = self.client_is_skipped() {
            note!(
                "landmarc: the service would not judge this client: {} (clients.*)",
                skipped.as_str()
            );
        }
    }

    fn client_is_skipped(&self) -> Option<Skipped> {
        let name = self.options.client_name.as_deref();
        self.options.ip.and_then(|ip| self.lists.of_client(ip, name))
    }

    /// The same of one message, for its recipients or its author.
    fn note_skipped_message(&self, judgement: &Judgement, place: Option<&str>) {
        if self.client_is_skipped().is_some() {
            return;
        }
        let is_listed = |rcpt: &String| self.lists.have_recipient(&ReversePath::new(rcpt.as_bytes()));
        let recipients = &self.options.rcpt;
        let by_recipients = !recipients.is_empty() && recipients.iter().all(is_listed);
        let skipped = match by_recipients {
            true => Some(Skipped::Recipient),
            false => self.lists.of_author(&judgement.author),
        };
        if let Some(skipped) = skipped {
            let place = place.map_or_else(String::new, |place| format!("{place}: "));
            note!(
                "landmarc: {place}the service would not judge this message: {} (clients.*)",
                skipped.as_str()
            );
        }
    }

    async fn judge_path(&mut self, path: &Path, named: bool) -> CommandResult {
        let files = match mailbox::files(path) {
            Ok(files) => files,
            Err(error) => return Ok(Failure::of(Exit::BadInput, &error).print()),
        };
        if files.is_empty() {
            note!("landmarc: {}: no messages", visible_path(path));
            return Ok(Exit::Fine);
        }
        let mut worst = Exit::Fine;
        for file in &files {
            worst = worst.max(self.judge_file(file, named).await?);
        }
        Ok(worst)
    }

    async fn judge_file(&mut self, path: &Path, named: bool) -> CommandResult {
        let file = match MailFile::read(path) {
            Ok(file) => file,
            Err(error) => return Ok(Failure::of(Exit::BadInput, &error).print()),
        };
        let named = named || file.is_mbox();
        let mut worst = Exit::Fine;
        for stored in file.messages() {
            let now = self.options.now.unwrap_or_else(|| now_ms() / 1_000);
            let exit = match self.judge(&stored.octets, now).await {
                Ok(judgement) => {
                    let place = named.then_some(stored.place.as_str());
                    self.note_skipped_message(&judgement, place);
                    (self.report)(JudgedFile {
                        place,
                        judgement: &judgement,
                        rules: &self.rules,
                        now,
                    })?
                }
                Err(error) => failure!(Exit::BadInput, "{}: {error}", stored.place).print(),
            };
            worst = worst.max(exit);
        }
        Ok(worst)
    }

    async fn judge(&self, octets: &[u8], now: u64) -> Result<Judgement, MessageError> {
        let rules = &self.rules;
        let parsed = message::split(octets, &rules.header_limits)?;
        let context = MessageContext {
            envelope: envelope(self.options, &parsed.header),
            id: "check",
            queue_id: None,
            now,
            seen: &self.seen,
        };
        let lookup = |asker| self.answers.for_message(asker);
        Ok(judge_parsed(&parsed, context, rules, self.settings, lookup).await)
    }
}

fn envelope(options: &FileCheckArguments, headers: &HeaderSection) -> Envelope {
    let mail_from = match &options.mail_from {
        Some(path) => ReversePath::new(path.as_bytes()),
        // What the delivering MTA kept of the envelope (RFC 5321 §4.4).
        None => headers
            .named("Return-Path")
            .next()
            .map_or_else(ReversePath::default, |(_, field)| ReversePath::new(field.value())),
    };
    let recipients = options.rcpt.iter();
    Envelope {
        client: options.ip,
        client_name: options.client_name.clone(),
        helo: options.helo.clone().into_bytes(),
        mail_from,
        rcpt_to: recipients
            .map(|rcpt| ReversePath::new(rcpt.as_bytes()).as_bytes().to_vec())
            .collect(),
    }
}
