//! `opendmarc-importstats` (T5): takes the history file away, imports it, and removes it when all of it is in
//! the tally. Otherwise it stays and is listed, so that cron tells somebody.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use landmarc_migrate::opendmarc::settings::{MAX_FILE_OCTETS, Parameter, read};

use super::getopt::{ToolOption, text};
use super::import::import_file;
use super::tool::Tool;
use crate::exit::Exit;
use crate::failure::{CommandResult, Failure, failure};
use crate::output::print;
use landmarc_runtime::files::read_file;
use landmarc_runtime::opendmarc_conf::DEFAULT_FILE;
use landmarc_runtime::visible::visible_path;

const OWN: [ToolOption; 2] = [
    text("history-file", "the history file [HistoryFile in opendmarc.conf]"),
    text("config", "the settings file of OpenDMARC [/etc/opendmarc.conf]"),
];

/// How often a file is read again that grew meanwhile: whoever had it open when it was renamed writes one
/// record more, and no other.
const MAX_ROUNDS: u32 = 5;
/// So many files that could not be imported may lie there under the number of one process, which a container
/// gives again and again. Somebody has to look at them by then.
const MAX_KEPT: usize = 1_000;

/// Runs it.
pub(super) fn run(arguments: &[OsString]) -> CommandResult {
    let tool = Tool::read("opendmarc-importstats", "", &OWN, arguments)?;
    let Some(history) = history_file(&tool)? else {
        tool.say("opendmarc.conf names no HistoryFile");
        return Ok(Exit::Fine);
    };
    // As the old one: no file, or an empty one, is no work.
    if length(&history)? == 0 {
        return Ok(Exit::Fine);
    }
    let old = set_aside(&history, std::process::id())
        .map_err(|error| troubled("rename", &history, Exit::Unavailable, &error))?;
    let exit = import_all(&tool, &old).unwrap_or_else(Failure::print);
    if exit != Exit::Fine {
        let octets = fs::metadata(&old).map_or(0, |found| found.len());
        print(&format!("{octets} {}\n", visible_path(&old)))?;
    }
    Ok(exit)
}

/// Gives the file a name that no other has: what lies there from a run that failed is not in the tally. The name
/// is taken by an empty file first, which the rename then replaces.
fn set_aside(history: &Path, process: u32) -> io::Result<PathBuf> {
    for number in 0..MAX_KEPT {
        let mut name = history.to_owned().into_os_string();
        name.push(format!(".OLD.{process}"));
        if number > 0 {
            name.push(format!(".{number}"));
        }
        let old = PathBuf::from(name);
        match OpenOptions::new().write(true).create_new(true).open(&old) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
            Err(error) => return Err(error),
        }
        return match fs::rename(history, &old) {
            Ok(()) => Ok(old),
            Err(error) => {
                // Empty, and nobody else's; one that stays is no more than a name less.
                let _ = fs::remove_file(&old);
                Err(error)
            }
        };
    }
    Err(io::Error::other(format!(
        "{MAX_KEPT} files that were not imported lie beside it: import and remove them"
    )))
}

/// Imports it until it has stopped growing, and removes it. Fine is only what is in the tally to its last record.
fn import_all(tool: &Tool, path: &Path) -> CommandResult {
    for _ in 0..MAX_ROUNDS {
        let before = length(path)?;
        let (exit, besides) = import_file(tool, path)?;
        if length(path)? != before {
            continue;
        }
        if besides.unfinished > 0 || exit != Exit::Fine {
            return Ok(exit.max(Exit::BadInput));
        }
        let removed = remove_if_imported(path, before);
        if removed.map_err(|error| troubled("remove", path, Exit::Unavailable, &error))? {
            return Ok(Exit::Fine);
        }
    }
    Err(failure!(
        Exit::Unavailable,
        "{} is still being written",
        visible_path(path)
    ))
}

/// Removes the file, unless somebody writes to it or it has more than these octets; whether it did. Whoever opened
/// it before it was renamed locks it for the time of one record: having the lock, we see that record or nobody
/// writes it. (Left over is who has opened it and not yet asked for the lock, a moment without any work in it.)
fn remove_if_imported(path: &Path, imported: u64) -> io::Result<bool> {
    let file = File::open(path)?;
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => return Ok(false),
        // File systems of other hosts may have no locks: then its length alone tells.
        Ok(()) | Err(TryLockError::Error(_)) => {}
    }
    if file.metadata()?.len() != imported {
        return Ok(false);
    }
    fs::remove_file(path)?;
    Ok(true)
}

/// Nothing, where there is no file. One that cannot be seen is trouble, and so is a name that no file could have:
/// its records would never be reported, and nobody would hear of it.
fn length(path: &Path) -> Result<u64, Failure> {
    let missing = |what: &str| Err(failure!(Exit::NoInput, "{}: {what}", visible_path(path)));
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => missing("this is a directory, and no history file"),
        Ok(found) => Ok(found.len()),
        Err(error) if error.kind() == ErrorKind::NotFound && has_directory(path) => Ok(0),
        Err(error) if error.kind() == ErrorKind::NotFound => missing("there is no such directory"),
        Err(error) => Err(troubled("read", path, Exit::NoInput, &error)),
    }
}

/// Whether a file could come to be there.
fn has_directory(path: &Path) -> bool {
    match path.parent() {
        Some(parent) if *parent != *"" => parent.is_dir(),
        _ => true,
    }
}

fn troubled(doing: &str, path: &Path, exit: Exit, error: &io::Error) -> Failure {
    failure!(exit, "cannot {doing} {}: {error}", visible_path(path))
}

fn history_file(tool: &Tool) -> Result<Option<PathBuf>, Failure> {
    if let Some(named) = tool.given.text("history-file") {
        return Ok(Some(PathBuf::from(named)));
    }
    let file = Path::new(tool.given.text("config").unwrap_or(DEFAULT_FILE));
    let octets = read_file(file, MAX_FILE_OCTETS)
        .map_err(|error| failure!(Exit::NoInput, "{}: {error}", visible_path(file)))?;
    // P7: where the service writes it, below its BaseDirectory.
    Ok(read(&octets).path(Parameter::HistoryFile).map(PathBuf::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory with a history file, which is gone afterwards.
    struct Place(PathBuf);

    impl Place {
        fn new(test: &str) -> Self {
            let name = format!("landmarc-importstats-{}-{test}", std::process::id());
            let path = std::env::temp_dir().join(name);
            fs::create_dir(&path).unwrap();
            fs::write(path.join("h.dat"), "new").unwrap();
            Self(path)
        }

        fn history(&self) -> PathBuf {
            self.0.join("h.dat")
        }

        fn text(&self, name: &str) -> String {
            fs::read_to_string(self.0.join(name)).unwrap()
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            // A leftover in the temporary directory is all it can come to.
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn t5_what_a_failed_run_has_kept_is_never_replaced() {
        let place = Place::new("kept");
        fs::write(place.0.join("h.dat.OLD.7"), "kept").unwrap();
        fs::write(place.0.join("h.dat.OLD.7.1"), "kept").unwrap();
        let old = set_aside(&place.history(), 7).unwrap();
        assert_eq!(old, place.0.join("h.dat.OLD.7.2"));
        let texts = ["h.dat.OLD.7", "h.dat.OLD.7.1", "h.dat.OLD.7.2"].map(|name| place.text(name));
        assert_eq!(texts, ["kept", "kept", "new"]);
        assert!(!place.history().exists());
        let error = set_aside(&place.history(), 7).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(!place.0.join("h.dat.OLD.7.3").exists(), "the name is free again");
    }

    #[test]
    fn t5_so_many_are_kept_and_then_somebody_has_to_look() {
        let place = Place::new("many");
        fs::write(place.0.join("h.dat.OLD.7"), "kept").unwrap();
        for number in 1..MAX_KEPT - 1 {
            fs::write(place.0.join(format!("h.dat.OLD.7.{number}")), "kept").unwrap();
        }
        let last = set_aside(&place.history(), 7).unwrap();
        assert_eq!(last, place.0.join("h.dat.OLD.7.999"));
        fs::write(place.history(), "newer").unwrap();
        let error = set_aside(&place.history(), 7).unwrap_err();
        assert!(error.to_string().contains("1000 files"), "{error}");
        assert_eq!(
            (place.text("h.dat"), place.text("h.dat.OLD.7.999")),
            ("newer".to_owned(), "new".to_owned())
        );
    }

    #[test]
    fn t5_only_what_was_imported_to_its_end_is_removed() {
        let place = Place::new("removed");
        let path = place.history();
        assert!(!remove_if_imported(&path, 2).unwrap(), "it has grown");
        let writer = OpenOptions::new().append(true).open(&path).unwrap();
        writer.lock().unwrap();
        assert!(!remove_if_imported(&path, 3).unwrap(), "somebody is writing");
        drop(writer);
        assert!(remove_if_imported(&path, 3).unwrap());
        assert!(!path.exists());
    }
}
