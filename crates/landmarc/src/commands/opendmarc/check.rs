//! `opendmarc-check` (T6): the DMARC Policy Record of a domain, in plain words.

use std::ffi::OsString;
use std::fmt::Write;
use std::path::Path;

use landmarc_dmarc::discovery::{Discovery, PolicyAt, discover};
use landmarc_dmarc::record::{AssessmentPolicy, Mode, ReportUri};
use landmarc_dns::resolver::Asker;
use landmarc_mail::DomainName;

use super::getopt::{ToolOption, switch, text};
use super::tool::Tool;
use crate::answers::DnsAnswers;
use crate::exit::Exit;
use crate::failure::{CommandResult, Failure, failure};
use crate::loading::load_quietly;
use crate::output::print;
use crate::runtime;
use landmarc_mail::text::visible;

const NAME: &str = "opendmarc-check";

const OWN: [ToolOption; 2] = [
    switch(
        "f",
        "taken: names above the domain are looked at in any case (RFC 9989 s. 4.10)",
    ),
    text("dns", "answer DNS questions from this zone file"),
];

/// Runs it: 64 without a domain, 70 when one has no record, as ever.
pub(super) fn run(arguments: &[OsString]) -> CommandResult {
    let tool = Tool::read(NAME, " domain [...]", &OWN, arguments)?;
    if tool.given.operands.is_empty() {
        return Err(failure!(Exit::Usage, "usage: {NAME} [-f] domain [...]"));
    }
    let settings = load_quietly(tool.settings_file().as_deref())?.settings;
    let answers = DnsAnswers::open(tool.given.text("dns").map(Path::new), &settings)?;
    let runtime = runtime::one_thread()?;
    for (number, operand) in tool.given.operands.iter().enumerate() {
        let found = match DomainName::parse(operand) {
            Ok(domain) => {
                runtime
                    .block_on(discover(&answers.for_message(Asker::default()), &domain))
                    .1
            }
            Err(error) => return Err(lacking(operand, &error.to_string())),
        };
        let at = match found {
            Discovery::Applies(at) => at,
            Discovery::Absent => return Err(lacking(operand, "Looked up domain lacked a DMARC record")),
            Discovery::Unanswered(error) => return Err(lacking(operand, &error.to_string())),
        };
        let apart = if number == 0 { "" } else { "\n" };
        print(&format!("{apart}{}", in_words(operand, &at)))?;
        for problem in &at.record.problems {
            tool.say(&format!(
                "{}: {}",
                visible(operand),
                visible(&problem.to_string())
            ));
        }
    }
    Ok(Exit::Fine)
}

/// The old one ends with `EX_SOFTWARE` where there is no record, and scripts know it.
fn lacking(domain: &str, why: &str) -> Failure {
    failure!(Exit::Bug, "{domain}: {why}")
}

/// The lines of the old one, in their order; where the record is another name's, that is said in the first.
fn in_words(asked: &str, at: &PolicyAt) -> String {
    let record = &at.record;
    let is_above = !at
        .domain
        .as_str()
        .eq_ignore_ascii_case(asked.trim_end_matches('.'));
    let above = if is_above {
        format!(" (of {})", at.domain)
    } else {
        String::new()
    };
    let mut text = format!("DMARC record for {}{above}:\n", visible(asked));
    // Writing to a text does not fail, here and below.
    let _ = write!(
        text,
        "\tSample percentage: {}\n\tDKIM alignment: {}\n\tSPF alignment: {}\n\tDomain policy: {}\n\tSubdomain policy: {}\n",
        record.percent.unwrap_or(100),
        mode(record.dkim_mode),
        mode(record.spf_mode),
        policy(record.policy),
        policy(record.subdomain_policy)
    );
    uris(&mut text, "Aggregate", &record.aggregate_uris);
    uris(&mut text, "Failure", &record.failure_uris);
    text
}

fn uris(text: &mut String, what: &str, uris: &[ReportUri]) {
    let _ = writeln!(text, "\t{what} report URIs:");
    for uri in uris {
        let _ = writeln!(text, "\t\t{}", visible(&uri.raw));
    }
    if uris.is_empty() {
        let _ = writeln!(text, "\t\t(none)");
    }
}

fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Strict => "strict",
        Mode::Relaxed => "relaxed",
    }
}

fn policy(policy: Option<AssessmentPolicy>) -> &'static str {
    policy.map_or("unspecified", AssessmentPolicy::as_str)
}
