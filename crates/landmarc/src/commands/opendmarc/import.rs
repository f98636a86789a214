//! `opendmarc-import` (T1): a history file into the tally.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::getopt::{ToolOption, text};
use super::tool::Tool;
use crate::commands::migrate::opendmarc::{exit_of, others};
use crate::exit::Exit;
use crate::failure::{CommandResult, Failure};
use crate::figures::grouped;
use crate::notes::print_note;
use crate::places;
use landmarc_import::opendmarc::{OpenDmarcImport, UncountedMessages};
use landmarc_import::{ImportMode, ImportSummary};

const OWN: [ToolOption; 1] = [text("input", "input file [standard input]")];

/// Runs it. It ends with 65 where a record was broken: the old one says so and ends well, and a script that
/// removes the file then loses it.
pub(super) fn run(arguments: &[OsString]) -> CommandResult {
    let tool = Tool::read("opendmarc-import", "", &OWN, arguments)?;
    let input = tool.given.text("input").unwrap_or("-");
    let (exit, _) = import_file(&tool, &PathBuf::from(input))?;
    Ok(exit)
}

/// Imports one file; how the tool is to end, and what there was besides.
///
/// # Errors
/// With how the tool is to end, when it has said why.
pub(super) fn import_file(tool: &Tool, path: &Path) -> Result<(Exit, UncountedMessages), Failure> {
    let (_, settings) = tool.store()?;
    let place = places::counts_into(tool.place().store.as_ref(), &settings)?;
    let intake = OpenDmarcImport::open(&place, &settings, ImportMode::Write, 0, print_note);
    let mut intake = intake?;
    let read = exit_of(intake.file(path));
    let (summary, besides) = intake.finish()?;
    tool.say(&in_words(&summary, &besides));
    let is_whole = besides.broken == 0 && summary.refused_rows == 0;
    let exit = if is_whole { read } else { read.max(Exit::BadInput) };
    Ok((exit, besides))
}

fn in_words(summary: &ImportSummary, besides: &UncountedMessages) -> String {
    let messages = &summary.messages;
    let known = [
        ("new", messages.new),
        ("counted before", messages.known),
        ("too old to be kept", messages.too_old),
    ];
    let all = known.iter().copied().chain(others(besides));
    let counts = all.filter(|(what, count)| *count > 0 || *what == "new");
    let counts: Vec<_> = counts
        .map(|(what, count)| format!("{} {what}", grouped(count)))
        .collect();
    format!("messages: {}", counts.join(", "))
}
