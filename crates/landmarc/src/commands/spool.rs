//! `spool`: what waits to be handed on to the fleet.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use landmarc_store::{COMMAND_BUSY_TIMEOUT, Exported, Spool, SpoolStatus, StoreError};
use serde_json::{Value, json};

use crate::exit::Exit;
use crate::failure::{CommandResult, Failure, failure};
use crate::figures::{grouped, size};
use crate::loading::load_store;
use crate::output::print;
use landmarc_runtime::clock::now_ms;
use landmarc_runtime::database;
use landmarc_runtime::fleet_settings::FleetMode;
use landmarc_runtime::fleet_settings::host;
use landmarc_runtime::load::Need;
use landmarc_runtime::time::to_the_second;
use landmarc_runtime::visible::visible_path;

/// What the help says below the options of each.
const AFTER_HELP: &str = "\
Exit code: 0 when it was done, 64 for a wrong command line, 65 for a file that is no store of this \
version, 69 when the store cannot be read, or the directory not be written, 78 for wrong settings.";

/// See and export what waits to be handed on
#[derive(Debug, Subcommand)]
pub(crate) enum SpoolCommand {
    /// Write what waits into files that `landmarc store import` takes in elsewhere, and let go of it here
    #[command(after_help = AFTER_HELP)]
    Export(SpoolExportArguments),
    /// Show what waits, since when, and what was given up for want of room
    #[command(after_help = AFTER_HELP)]
    Status(SpoolArguments),
}

/// Arguments of `spool export`.
#[derive(Debug, Args)]
pub(crate) struct SpoolExportArguments {
    /// Where to write the files; it is made when it is not there
    #[arg(value_name = "DIRECTORY")]
    to: PathBuf,
    #[command(flatten)]
    spool: SpoolArguments,
}

/// Whose spool, and how it is printed.
#[derive(Debug, Args)]
pub(crate) struct SpoolArguments {
    /// Read settings from this file [default: /etc/landmarc/landmarc.toml, if it exists]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Use this database file instead of the service's
    #[arg(long, value_name = "FILE")]
    store: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Does it.
pub(crate) fn run(command: &SpoolCommand) -> CommandResult {
    match command {
        SpoolCommand::Export(arguments) => export(arguments),
        SpoolCommand::Status(arguments) => status(arguments),
    }
}

fn export(arguments: &SpoolExportArguments) -> CommandResult {
    let mut spool = open(&arguments.spool)?;
    let exported = spool.export(&arguments.to)?;
    print(&match arguments.spool.json {
        true => format!("{}\n", exported_object(&exported)),
        false => exported_text(&exported),
    })
}

fn exported_text(exported: &Exported) -> String {
    let files = exported
        .files
        .iter()
        .map(|file| format!("{}\n", visible_path(file)));
    let files: String = files.collect();
    let (batches, messages) = (grouped(exported.entries), grouped(exported.messages));
    format!("{files}batches: {batches}, messages: {messages}\n")
}

fn exported_object(exported: &Exported) -> Value {
    let files = exported.files.iter().map(|file| file.to_string_lossy());
    json!({
        "files": files.collect::<Vec<_>>(),
        "batches": exported.entries,
        "messages": exported.messages,
    })
}

fn status(arguments: &SpoolArguments) -> CommandResult {
    let found = open(arguments)?.status()?;
    print(&match arguments.json {
        true => format!("{}\n", object(&found)),
        false => in_words(&found, now_ms()),
    })
}

/// The spool of this host. One that is not there is not made.
fn open(arguments: &SpoolArguments) -> Result<Spool, Failure> {
    let settings = load_store(arguments.config.as_deref(), Need::Directory)?;
    let path = arguments
        .store
        .clone()
        .unwrap_or_else(|| database::path(&settings));
    if !path.exists() {
        return Err(StoreError::Missing { path }.into());
    }
    if FleetMode::of(&settings) == FleetMode::Alone && arguments.store.is_none() {
        return Err(failure!(Exit::Config, "nothing is kept here to be handed on")
            .with_remedy("set fleet.export = true, or fleet.database or fleet.push_to"));
    }
    Spool::open(path, host(&settings), COMMAND_BUSY_TIMEOUT).map_err(Failure::from)
}

/// As `store status` tells it, too.
pub(crate) fn in_words(status: &SpoolStatus, now_ms: u64) -> String {
    let since = status.oldest_ms.map_or_else(String::new, |oldest_ms| {
        let seconds = now_ms.saturating_sub(oldest_ms) / 1_000;
        format!(", the oldest since {} ({seconds} s)", to_the_second(oldest_ms))
    });
    let lost = &status.lost;
    let mut text = format!(
        "waiting         {} messages in {} batches, {}{since}\n",
        grouped(status.messages),
        grouped(status.entries),
        size(status.octets),
    );
    if *lost != landmarc_store::RecordLosses::default() {
        text.push_str(&format!(
            "given up        {} traces, {} observations, {} messages of the tally, {} hits of rules, for want of room\n",
            grouped(lost.traces),
            grouped(lost.observations),
            grouped(lost.tallies),
            grouped(lost.rule_hits),
        ));
    }
    text
}

/// As `store status` tells it, too.
pub(crate) fn object(status: &SpoolStatus) -> Value {
    json!({
        "host_id": status.host.map(|host| host.to_string()),
        "batches": status.entries,
        "bytes": status.octets,
        "messages": status.messages,
        "oldest_ms": status.oldest_ms,
        "lost": {
            "traces": status.lost.traces,
            "observations": status.lost.observations,
            "tallies": status.lost.tallies,
            "rule_hits": status.lost.rule_hits,
        },
    })
}
