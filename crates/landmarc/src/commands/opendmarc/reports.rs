//! `opendmarc-reports` (T2): makes the reports that are due and sends them; `outbox send` by another name.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use clap::Parser;
use landmarc_mail::DomainName;
use landmarc_settings::Settings;

use super::getopt::{ToolOption, switch, text};
use super::tool::Tool;
use crate::commands::outbox::send;
use crate::exit::Exit;
use crate::failure::{CommandResult, Failure, failure};
use crate::loading::load_unless_quiet;
use crate::notes::{note, print_note};

const OWN: [ToolOption; 31] = [
    switch("day", "send yesterday's data"),
    text("domain", "only the report about this domain"),
    text("interval", "taken: reports are about whole UTC days"),
    switch("keepfiles", "taken: what is sent stays in the store"),
    switch("n", "synonym for --test"),
    text(
        "nodomain",
        "omit the report about this domain; may be given several times",
    ),
    text("report-email", "reporting contact, where our settings name none"),
    text(
        "report-org",
        "reporting organization, where our settings name none",
    ),
    text("smtp-port", "SMTP server port"),
    text("smtp-server", "SMTP server"),
    text("smtp-host", "synonym for --smtp-server"),
    switch("test", "send no reports, but write them into --workdir"),
    switch("update", "--noupdate: send, and write nothing down"),
    switch("utc", "taken: days are UTC days"),
    text("workdir", "where --test writes [.]"),
    text(
        "report-contact",
        "extra contact information, where our settings have none",
    ),
    text("no-reports-list", "omit reports about the domains in this file"),
    text("skipdomains", "synonym for --no-reports-list"),
    text("smtp-username", "user to sign in as at the SMTP server"),
    text(
        "smtp-password",
        "not taken: write it into report.delivery.password_file",
    ),
    switch("smtp-ssl", "speak TLS from the first octet on"),
    text("smtp-ssl-ca-file", "certificates that vouch for the SMTP server"),
    text("config", "taken: our settings are in a file of their own"),
    text("report-bcc", "taken: what is sent stays in the store"),
    text("archive-dir", "taken: what is sent stays in the store"),
    switch("verp", "taken: each message has a return path of its own"),
    switch("stale-check", "taken: reports are made of what was applied"),
    switch("stale-def-deny", "taken: reports are made of what was applied"),
    text("stale-server", "taken: reports are made of what was applied"),
    text("stale-days", "taken: reports are made of what was applied"),
    switch("forensic", "not taken: the service sends failure reports itself"),
];

/// Why an option has no meaning here.
const REASONS: [(&[&str], &str); 5] = [
    (
        &["interval"],
        "reports are about whole UTC days (RFC 9990), each once",
    ),
    (&["utc"], "days are UTC days in any case"),
    (
        &["keepfiles", "report-bcc", "archive-dir"],
        "what is sent stays in the store: landmarc outbox show",
    ),
    (
        &["verp"],
        "each message has a return path of its own: report.return_path",
    ),
    (
        &["stale-check", "stale-def-deny", "stale-server", "stale-days"],
        "reports are made of the records that were applied",
    ),
];

/// Domains of a list that are read.
const MAX_LISTED: usize = 100_000;

/// Our own command line, as `outbox send` reads it.
#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    arguments: send::OutboxSendArguments,
}

/// Runs it: 1 when a message failed, as ever.
pub(super) fn run(arguments: &[OsString]) -> CommandResult {
    let tool = Tool::read("opendmarc-reports", "", &OWN, arguments)?;
    refuse_what_cannot_be(&tool)?;
    let file = tool.settings_file();
    let loaded = load_unless_quiet(file.as_deref(), !tool.given.is_on("verbose"))?;
    let (suffixes, settings) = (loaded.suffixes(), loaded.settings);
    let place = tool.place();
    tool.note_database(&place.of(&settings)?);
    tool.explain(&REASONS);
    refuse_missing_directory(&tool)?;
    if let Some(config) = tool.given.text("config") {
        note!(
            "{}: {config} is not read: our settings are in /etc/landmarc/landmarc.toml",
            tool.name
        );
    }
    let settings = overlaid(&tool, settings)?;
    let line = Line::try_parse_from(our_line(&tool)?);
    let line = line.map_err(|error| Failure::new(Exit::Findings, error.to_string().trim_end()))?;
    send::run_with(&line.arguments, settings, suffixes)
}

fn refuse_what_cannot_be(tool: &Tool) -> Result<(), Failure> {
    if tool.given.is_on("forensic") {
        return Err(failure!(
            Exit::Unavailable,
            "--forensic: the service makes and sends failure reports itself"
        )
        .with_remedy("set report.failure in its settings, and take ReportCommand out of opendmarc.conf"));
    }
    if tool.given.has("smtp-password") {
        return Err(failure!(
            Exit::Config,
            "--smtp-password: no password is taken from a command line, where all can see it"
        )
        .with_remedy("write it into a file, and name that in report.delivery.password_file"));
    }
    Ok(())
}

/// Messages of a trial have to go somewhere: a mistyped directory would otherwise look like a day without any.
fn refuse_missing_directory(tool: &Tool) -> Result<(), Failure> {
    let Some(directory) = tool.given.text("workdir").filter(|_| is_test(tool)) else {
        return Ok(());
    };
    match Path::new(directory).is_dir() {
        true => Ok(()),
        false => Err(failure!(
            Exit::Unavailable,
            "--workdir: there is no directory {directory}"
        )),
    }
}

fn is_test(tool: &Tool) -> bool {
    tool.given.is_on("test") || tool.given.is_on("n")
}

/// The same in the words of `outbox send`.
fn our_line(tool: &Tool) -> Result<Vec<String>, Failure> {
    let given = &tool.given;
    let mut line = vec!["send".to_owned()];
    let mut add = |option: &str, value: &str| line.push(format!("--{option}={value}"));
    if given.is_on("day") {
        add("day", "yesterday");
    }
    given.all("domain").for_each(|domain| add("domain", domain));
    given
        .all("nodomain")
        .for_each(|domain| add("exclude-domain", domain));
    for domain in listed(tool)? {
        add("exclude-domain", &domain);
    }
    let place = tool.place();
    if let Some(store) = place.store.as_ref().and_then(|path| path.to_str()) {
        add("store", store);
    }
    let is_test = is_test(tool);
    if is_test {
        add("output-dir", given.text("workdir").unwrap_or("."));
        line.push("--dry-run".to_owned());
    } else if given.switch("update") == Some(false) {
        line.push("--no-update".to_owned());
    }
    if !is_test && !given.is_on("verbose") {
        line.push("--quiet".to_owned());
    }
    Ok(line)
}

/// The domains in the lists of those that get no reports: bare names. Addresses in it are suppressed by a
/// command of their own, once.
fn listed(tool: &Tool) -> Result<Vec<String>, Failure> {
    let given = &tool.given;
    let mut domains = Vec::new();
    for file in given.all("no-reports-list").chain(given.all("skipdomains")) {
        let text = fs::read_to_string(file)
            .map_err(|error| failure!(Exit::NoInput, "cannot read {file}: {error}"))?;
        let lines = text
            .lines()
            .map(|line| line.split('#').next().unwrap_or_default().trim());
        for entry in lines.filter(|line| !line.is_empty()).take(MAX_LISTED) {
            if entry.contains('@') {
                note!("{}: {file}: {entry}: landmarc outbox suppress {entry}", tool.name);
            } else if DomainName::parse(entry).is_ok() {
                domains.push(entry.to_owned());
            } else {
                note!("{}: {file}: {entry:?} is no domain", tool.name);
            }
        }
    }
    Ok(domains)
}

/// The settings, with what the flags say of the SMTP server, and with who reports where they do not say it.
fn overlaid(tool: &Tool, mut settings: Settings) -> Result<Settings, Failure> {
    let given = &tool.given;
    let text = |name: &str| given.text(name);
    let server = text("smtp-server").or_else(|| text("smtp-host"));
    let mut of_report = String::new();
    let mut of_delivery = String::new();
    let mut set = |key: &str, value: Option<&str>| {
        if let Some(value) = value {
            of_report.push_str(&format!("{key} = {}\n", quoted(value)));
        }
    };
    set("email", text("report-email"));
    set("organization", text("report-org"));
    set("domain", text("report-org").filter(|name| is_host(name)));
    set("contact", text("report-contact"));
    let port = text("smtp-port").unwrap_or("25");
    if server.is_some() || text("smtp-port").is_some() {
        let host = server.unwrap_or("127.0.0.1");
        let host = if host.contains(':') {
            format!("[{host}]")
        } else {
            host.to_owned()
        };
        of_delivery.push_str(&format!("relay = {}\n", quoted(&format!("{host}:{port}"))));
    }
    if let Some(file) = text("smtp-ssl-ca-file") {
        of_delivery.push_str(&format!("ca_file = {}\n", quoted(file)));
    }
    let flags = format!("[report]\n{of_report}[report.delivery]\n{of_delivery}");
    let (flags, _) = landmarc_settings::read(&flags).map_err(|mistakes| {
        print_note(mistakes.render(tool.name).trim_end());
        Exit::Findings
    })?;
    fill(
        tool,
        &mut settings,
        flags.report,
        server.is_some() || text("smtp-port").is_some(),
    );
    if let Some(user) = text("smtp-username") {
        settings.report.delivery.user = Some(user.to_owned());
    }
    if given.is_on("smtp-ssl") {
        settings.report.delivery.tls = landmarc_settings::RelayTls::Implicit;
    }
    Ok(settings)
}

/// Who reports is what the service says, so that both say the same; the flags say it where it does not.
fn fill(tool: &Tool, settings: &mut Settings, flags: landmarc_settings::keys::ReportTable, has_server: bool) {
    let ours = &mut settings.report;
    if ours.email.is_none() {
        ours.email = flags.email;
        ours.domain = ours.domain.take().or(flags.domain);
    } else if flags.email.is_some() && flags.email != ours.email {
        tool.say("--report-email: report.email in our settings says who reports");
    }
    if ours.organization.is_none() {
        ours.organization = flags.organization;
    } else if flags.organization.is_some() && flags.organization != ours.organization {
        tool.say("--report-org: report.organization in our settings says who reports");
    }
    ours.contact = ours.contact.take().or(flags.contact);
    if has_server {
        ours.delivery.relay = flags.delivery.relay;
        ours.delivery.by = landmarc_settings::DeliveryBy::Smtp;
    }
    if flags.delivery.ca_file.is_some() {
        ours.delivery.ca_file = flags.delivery.ca_file;
    }
}

fn is_host(name: &str) -> bool {
    name.contains('.') && DomainName::parse(name).is_ok()
}

/// A TOML string.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tool(words: &[&str]) -> Tool {
        let words: Vec<_> = words.iter().map(OsString::from).collect();
        Tool::read("opendmarc-reports", "", &OWN, &words).unwrap()
    }

    fn line(words: &[&str]) -> Vec<String> {
        our_line(&tool(words)).unwrap().split_off(1)
    }

    /// T2: what a crontab says, in our words.
    #[test]
    fn what_a_crontab_says_is_said_to_outbox_send() {
        let of_seed = [
            "--dbhost=db.example",
            "--verbose",
            "--interval=86400",
            "--report-email",
            "postmaster@example.org",
            "--report-org",
            "example.org",
        ];
        assert_eq!(line(&of_seed), [""; 0]);
        assert_eq!(line(&[]), ["--quiet"]);
        assert_eq!(
            line(&[
                "--day",
                "--utc",
                "--domain=a.example",
                "--nodomain",
                "b.example",
                "--noupdate"
            ]),
            [
                "--day=yesterday",
                "--domain=a.example",
                "--exclude-domain=b.example",
                "--no-update",
                "--quiet"
            ]
        );
        for test in ["--test", "-n"] {
            assert_eq!(line(&[test, "--workdir=/w"]), ["--output-dir=/w", "--dry-run"]);
        }
    }

    #[test]
    fn each_line_that_is_made_is_one_that_outbox_send_reads() {
        for words in [
            &["--day", "--domain=a.example", "--nodomain=b.example"][..],
            &["--noupdate"],
            &["--test", "--store=/s"],
        ] {
            let line = our_line(&tool(words)).unwrap();
            assert!(Line::try_parse_from(&line).is_ok(), "{line:?}");
        }
    }

    #[test]
    fn the_flags_say_who_reports_where_the_settings_do_not() {
        let flags = [
            "--report-email=postmaster@example.org",
            "--report-org=example.org",
        ];
        let empty = overlaid(&tool(&flags), Settings::default()).unwrap().report;
        assert_eq!(
            empty.email.map(|email| email.to_string()).as_deref(),
            Some("postmaster@example.org")
        );
        assert_eq!(empty.organization.as_deref(), Some("example.org"));
        let (ours, _) = landmarc_settings::read("[report]\nemail = \"dmarc@example.net\"\n").unwrap();
        let ours = overlaid(&tool(&flags), ours).unwrap().report;
        assert_eq!(
            ours.email.map(|email| email.to_string()).as_deref(),
            Some("dmarc@example.net")
        );
        assert_eq!(ours.organization.as_deref(), Some("example.org"));
    }

    #[test]
    fn the_server_of_the_flags_takes_the_messages() {
        let relay = |words: &[&str]| {
            let settings = overlaid(&tool(words), Settings::default()).unwrap();
            settings.report.delivery.relay.to_string()
        };
        assert_eq!(relay(&[]), "127.0.0.1:25");
        assert_eq!(relay(&["--smtp-port=2525"]), "127.0.0.1:2525");
        assert_eq!(relay(&["--smtp-server=mail.example.org"]), "mail.example.org:25");
        assert_eq!(relay(&["--smtp-host", "::1", "--smtp-port", "26"]), "[::1]:26");
        let wrong = overlaid(&tool(&["--smtp-port=smtp"]), Settings::default());
        assert_eq!(wrong.unwrap_err().exit, Exit::Findings);
    }

    #[test]
    fn what_cannot_be_is_refused_with_a_remedy() {
        let refused = |word: &str| refuse_what_cannot_be(&tool(&[word])).unwrap_err().exit;
        assert_eq!(refused("--forensic"), Exit::Unavailable);
        assert_eq!(refused("--smtp-password=x"), Exit::Config);
    }

    #[test]
    fn a_trial_needs_a_directory_to_write_into() {
        let refused = |words: &[&str]| refuse_missing_directory(&tool(words)).map_err(|failure| failure.exit);
        assert_eq!(
            refused(&["--test", "--workdir=/dev/null/messages"]),
            Err(Exit::Unavailable)
        );
        assert_eq!(refused(&["--test", "--workdir=/"]), Ok(()));
        assert_eq!(
            refused(&["--workdir=/dev/null/messages"]),
            Ok(()),
            "nothing is written"
        );
    }

    #[test]
    fn every_reason_is_about_an_option_that_is_taken() {
        for option in REASONS.iter().flat_map(|(options, _)| *options) {
            assert!(OWN.iter().any(|known| known.name == *option), "{option}");
        }
    }
}
