//! `opendmarc-importstats` (T5): takes the history file away, imports it, and removes it when all of it is in
//! the tally. Otherwise it stays and is listed, so that cron tells somebody.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use migrate::opendmarc::settings::{MAX_FILE_OCTETS, Parameter, read};

use super::getopt::{Known, text};
use super::import::import_file;
use super::tool::Tool;
use crate::exit::Exit;
use crate::opendmarc_conf::{DEFAULT_FILE, read_file};
use crate::output::{complain, print};

const OWN: [Known; 2] = [
    text("history-file", "the history file [HistoryFile in opendmarc.conf]"),
    text("config", "the settings file of OpenDMARC [/etc/opendmarc.conf]"),
];

/// How often a file is read again that grew meanwhile: whoever had it open when it was renamed writes one
/// record more, and no other.
const MAX_ROUNDS: u32 = 5;

/// Runs it.
pub(super) fn run(arguments: &[OsString]) -> Exit {
    import(arguments).unwrap_or_else(|exit| exit)
}

fn import(arguments: &[OsString]) -> Result<Exit, Exit> {
    let tool = Tool::read("opendmarc-importstats", "", &OWN, arguments)?;
    let Some(history) = history_file(&tool)? else {
        tool.say("opendmarc.conf names no HistoryFile");
        return Ok(Exit::Fine);
    };
    // As the old one: no file, or an empty one, is no work.
    if length(&history) == 0 {
        return Ok(Exit::Fine);
    }
    let mut old = history.clone().into_os_string();
    old.push(format!(".OLD.{}", std::process::id()));
    let old = PathBuf::from(old);
    fs::rename(&history, &old).map_err(|error| {
        complain(
            Exit::Unavailable,
            &format!("cannot rename {}: {error}", history.display()),
        )
    })?;
    match import_all(&tool, &old) {
        Ok(Exit::Fine) => {
            fs::remove_file(&old).map_err(|error| {
                complain(
                    Exit::Unavailable,
                    &format!("cannot remove {}: {error}", old.display()),
                )
            })?;
            Ok(Exit::Fine)
        }
        Ok(exit) | Err(exit) => {
            print(&format!("{} {}\n", length(&old), old.display()))?;
            Ok(exit)
        }
    }
}

/// Imports it until it has stopped growing. Fine is only what is in the tally to its last record.
fn import_all(tool: &Tool, path: &Path) -> Result<Exit, Exit> {
    for _ in 0..MAX_ROUNDS {
        let before = length(path);
        let (exit, besides) = import_file(tool, path)?;
        if length(path) != before {
            continue;
        }
        return Ok(match besides.unfinished {
            0 => exit,
            _ => exit.max(Exit::BadInput),
        });
    }
    Ok(complain(
        Exit::Unavailable,
        &format!("{} is still being written", path.display()),
    ))
}

fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |found| found.len())
}

fn history_file(tool: &Tool) -> Result<Option<PathBuf>, Exit> {
    if let Some(named) = tool.given.text("history-file") {
        return Ok(Some(PathBuf::from(named)));
    }
    let file = Path::new(tool.given.text("config").unwrap_or(DEFAULT_FILE));
    let octets = read_file(file, MAX_FILE_OCTETS)
        .map_err(|error| complain(Exit::NoInput, &format!("{}: {error}", file.display())))?;
    Ok(read(&octets).text(Parameter::HistoryFile).map(PathBuf::from))
}
