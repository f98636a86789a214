//! `check`: judges messages from files as the milter would.

use std::io::{self, IsTerminal};

use clap::Args;
use landmarc_dmarc::evaluation::DmarcResult;
use landmarc_receiver::Judgement;
use landmarc_receiver::explanation::explain;

use crate::exit::Exit;
use crate::failure::CommandResult;
use crate::file_check::{FileCheckArguments, JudgedFile, judge_each};
use crate::output::print;
use landmarc_filter::json;
use landmarc_filter::log_line;

/// What the help says below the options.
const AFTER_HELP: &str = "\
Exit code: 0 when no message fails, 1 when one fails DMARC or cannot be evaluated, 2 when DNS \
did not answer, 64 for a wrong command line, 65 for a file that is no message, 78 for wrong \
settings; the largest of those that apply.";

/// Arguments of `check`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct CheckArguments {
    #[command(flatten)]
    options: FileCheckArguments,
    /// Explain each message: DNS answers, steps, verdict, what to do
    #[arg(long)]
    explain: bool,
    /// Print one JSON object for each message, on a line of its own
    #[arg(long, conflicts_with = "explain")]
    json: bool,
}

/// Judges and prints.
pub(crate) fn run(arguments: &CheckArguments) -> CommandResult {
    judge_each(&arguments.options, |judged| {
        print(&format!("{}\n", text(arguments, &judged)))?;
        Ok(exit_of(judged.judgement))
    })
}

fn text(arguments: &CheckArguments, judged: &JudgedFile<'_>) -> String {
    let judgement = judged.judgement;
    match (arguments.json, arguments.explain, judged.place) {
        (true, _, Some(place)) => json::object_of_file(place, judgement).to_string(),
        (true, _, None) => json::object(judgement).to_string(),
        (false, true, Some(place)) => format!("{place}\n{}", explain(judgement)),
        (false, true, None) => explain(judgement),
        (false, false, place) => summary(judgement, place),
    }
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
        "{place}{author}: dmarc={} spf={} dkim={} disposition={} action={} enforced_action={}{cause}{hint}",
        judgement.dmarc.as_str(),
        judgement.spf.mail_from.result,
        log_line::dkim_word(judgement),
        judgement.action.disposition,
        judgement.action.smtp.as_str(),
        judgement.decision.smtp.as_str(),
    )
}

fn exit_of(judgement: &Judgement) -> Exit {
    match &judgement.dmarc {
        DmarcResult::TempError => Exit::Unknown,
        DmarcResult::Fail | DmarcResult::PermError => Exit::Findings,
        DmarcResult::None | DmarcResult::Pass(_) => Exit::Fine,
    }
}
