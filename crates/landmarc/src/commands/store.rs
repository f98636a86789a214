//! `store`: how the database is, what expires, and a copy of it.

mod hosts;
mod import;
mod schema;
mod status;

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand};
use landmarc_dmarc::suffixes::Suffixes;
use landmarc_store::{ExpiredRecords, Reader, Recorder, RecorderOptions, Retention, StoreLocation};
use nix::unistd::AccessFlags;
use serde_json::{Value, json};

use crate::exit::Exit;
use crate::failure::{CommandResult, Failure, failure};
use crate::figures::{grouped, size};
use crate::loading::load_store;
use crate::output::print;
use crate::progress::Bar;
use crate::records::{SelectedStore, StoreArguments};
use crate::runtime;
use landmarc_runtime::groups::BySuffix;
use landmarc_runtime::load::Need;
use landmarc_runtime::retention::keep;
use landmarc_runtime::visible::visible_path;
use landmarc_runtime::wall_clock::has_recent;

/// What the help says below the options of each.
const AFTER_HELP: &str = "\
Exit code: 0 when it was done, 64 for a wrong command line, 65 for a file that is no store of this \
version, 69 when the store cannot be read or written, 78 for wrong settings.";

/// The same below those of `store expire`.
const EXPIRE_HELP: &str = "\
Exit code: 0 when it was done, 64 for a wrong command line, 65 for a file that is no store of this \
version, 69 when the store cannot be read or written, 75 when the store does not agree with the clock and --force is not given, \
78 for wrong settings.";

/// The same below those of `store import`.
const IMPORT_HELP: &str = "\
A file that cannot be taken is told of, and the others are taken.

Exit code: 0 when all were taken or are known, 64 for a wrong command line, 65 for a file that was cut off, \
changed on the way, or never was one of these, 66 when one cannot be read, 69 when the store cannot be read or \
written, 78 for wrong settings; the last of 65 and 66 that applies.";

/// Look after the database: how it is, what expires, a backup
#[derive(Debug, Subcommand)]
pub(crate) enum StoreCommand {
    /// Show where the database is, how large, from when to when, what is kept for how long, and which
    /// hosts of a fleet are behind
    #[command(after_help = AFTER_HELP)]
    Status {
        #[command(flatten)]
        store: StoreArguments,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Remove what the settings no longer keep; the service does it by itself
    #[command(after_help = EXPIRE_HELP)]
    Expire {
        #[command(flatten)]
        store: StoreArguments,
        /// Also when the store has no records of the last days, by which the clock can be believed
        #[arg(long)]
        force: bool,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Make the tables of the database that a fleet shares, or bring them up to date
    #[command(after_help = AFTER_HELP)]
    Migrate(schema::StoreMigrateArguments),
    /// Print the rights that the two users of that database need, as SQL
    #[command(after_help = AFTER_HELP)]
    Grants(schema::StoreGrantsArguments),
    /// Take in what other hosts have exported, any number of times and in any order
    #[command(after_help = IMPORT_HELP)]
    Import(import::StoreImportArguments),
    /// Copy the database to a file, while the service goes on recording
    #[command(after_help = AFTER_HELP)]
    Backup(StoreBackupArguments),
}

/// Arguments of `store backup`.
#[derive(Debug, Args)]
pub(crate) struct StoreBackupArguments {
    /// Where to copy it; an earlier backup of that name is replaced when the new one is complete
    #[arg(value_name = "FILE")]
    to: PathBuf,
    #[command(flatten)]
    store: StoreArguments,
}

/// Does it.
pub(crate) fn run(command: &StoreCommand) -> CommandResult {
    match command {
        StoreCommand::Status { store, json } => status::run(store, *json),
        StoreCommand::Expire { store, force, json } => expire(store, *force, *json),
        StoreCommand::Migrate(arguments) => schema::migrate(arguments),
        StoreCommand::Grants(arguments) => schema::print_grants(arguments),
        StoreCommand::Import(arguments) => import::run(arguments),
        StoreCommand::Backup(arguments) => backup(arguments),
    }
}

/// Retention is the settings' business: they are read even when the file is named.
fn expire(arguments: &StoreArguments, force: bool, as_json: bool) -> CommandResult {
    let settings = load_store(arguments.config.as_deref(), Need::Retention)?;
    let store = SelectedStore::at(arguments.of(&settings)?);
    // A recorder would make what is not there.
    store.reachable(AccessFlags::R_OK | AccessFlags::W_OK)?;
    let keep = keep(&settings);
    if !force && !has_recent(&store.place, keep.now_ms)? {
        return Err(failure!(
            Exit::Later,
            "{} has no records of the last three days, and nothing was removed; if the clock is right, use --force",
            store.place
        ));
    }
    let done = remove_expired(&store.place, keep)?;
    let text = if as_json {
        expired_object(&done).to_string()
    } else {
        expired_text(&done)
    };
    print(&format!("{text}\n"))
}

pub(crate) fn remove_expired(place: &StoreLocation, keep: Retention) -> Result<ExpiredRecords, Failure> {
    let path = match place {
        StoreLocation::File(path) => path,
        StoreLocation::Server(server) => return Ok(server.expire(&keep)?),
    };
    let runtime = runtime::one_thread()?;
    let recorder = Recorder::open(RecorderOptions {
        // The service may be recording at this moment, and mail waits for it.
        gives_way: true,
        groups: Some(BySuffix::new(&Arc::new(Suffixes::built_in()))),
        ..RecorderOptions::at(path)
    })?;
    Ok(runtime.block_on(recorder.expire(keep))?)
}

fn expired_text(done: &ExpiredRecords) -> String {
    let early = |count: u64| match count {
        0 => String::new(),
        count => format!(", {} of them early, because of the size", grouped(count)),
    };
    let over = match done.over_bytes {
        0 => String::new(),
        bytes => format!("\nstill too large by: {}, and nothing is left to go", size(bytes)),
    };
    format!(
        "removed observations: {}{}\nremoved traces: {}{}\nremoved tally rows: {}{}\n\
         removed distinct rows: {}\npages given back: {}{over}",
        grouped(done.observations),
        early(done.observations_for_size),
        grouped(done.traces),
        early(done.traces_for_size),
        grouped(done.tally_rows),
        early(done.tally_rows_for_size),
        grouped(done.distinct_rows),
        grouped(done.pages),
    )
}

fn expired_object(done: &ExpiredRecords) -> Value {
    json!({
        "observations": done.observations,
        "observations_for_size": done.observations_for_size,
        "traces": done.traces,
        "traces_for_size": done.traces_for_size,
        "tally_rows": done.tally_rows,
        "tally_rows_for_size": done.tally_rows_for_size,
        "distinct_rows": done.distinct_rows,
        "pages": done.pages,
        "over_bytes": done.over_bytes,
    })
}

fn backup(arguments: &StoreBackupArguments) -> CommandResult {
    let to = arguments.to.as_path();
    if to == Path::new("-") {
        return Err(failure!(
            Exit::Usage,
            "a backup is a database and goes to a file, not to standard output: name one"
        ));
    }
    let store = arguments.store.find()?;
    let reader = store.read()?;
    if let Some(file) = store.file() {
        may_be_replaced(file, to)?;
    }
    let bar = Bar::new();
    let mut shown = None;
    let copied = reader.backup(to, |done, whole| {
        let percent = done.saturating_mul(100).checked_div(whole).unwrap_or(100);
        if shown.replace(percent) != Some(percent) {
            bar.show(&format!("{percent:3} %"));
        }
    });
    bar.end();
    copied?;
    // A copy that cannot be read is no backup: better to know now.
    let copy = Reader::open(to).and_then(|copy| copy.status());
    let copy = copy?;
    print(&format!(
        "{}: {}, observations: {}, tally rows: {}\n",
        visible_path(to),
        size(copy.file_bytes),
        grouped(copy.observations),
        grouped(copy.tally_rows)
    ))
}

/// A slip of the keyboard must cost neither the store nor a file that is no backup.
fn may_be_replaced(store: &Path, to: &Path) -> Result<(), Failure> {
    if is_same(store, to) {
        return Err(failure!(
            Exit::Usage,
            "{} is the store itself: name another file",
            visible_path(to)
        ));
    }
    match fs::metadata(to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Ok(_) if Reader::open(to).is_ok() => Ok(()),
        _ => Err(failure!(
            Exit::BadInput,
            "{} exists and is no backup: it is not replaced",
            visible_path(to)
        )),
    }
}

/// Whether two names are of one file, or of one that belongs to it.
fn is_same(store: &Path, to: &Path) -> bool {
    let inode = |path: &Path| fs::metadata(path).ok().map(|found| (found.dev(), found.ino()));
    let beside = ["", "-wal", "-shm", "-journal"].map(|ending| {
        let mut name = store.as_os_str().to_owned();
        name.push(ending);
        PathBuf::from(name)
    });
    let is_one = |path: &PathBuf| path == to || inode(path).is_some_and(|found| inode(to) == Some(found));
    beside.iter().any(is_one)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_went_is_counted_and_what_went_early_is_said() {
        let done = ExpiredRecords {
            observations: 2_000,
            traces: 3,
            traces_for_size: 2,
            tally_rows: 40,
            tally_rows_for_size: 4,
            over_bytes: 4_096,
            ..ExpiredRecords::default()
        };
        insta::assert_snapshot!(expired_text(&done), @r#"
        removed observations: 2,000
        removed traces: 3, 2 of them early, because of the size
        removed tally rows: 40, 4 of them early, because of the size
        removed distinct rows: 0
        pages given back: 0
        still too large by: 4.0 KiB, and nothing is left to go
        "#);
    }

    #[test]
    fn a_name_beside_the_store_belongs_to_it() {
        let store = Path::new("/nonexistent/landmarc.db");
        assert!(is_same(store, store) && is_same(store, Path::new("/nonexistent/landmarc.db-wal")));
        assert!(!is_same(store, Path::new("/nonexistent/backup.db")));
    }
}
