//! What other hosts have exported, taken in.

use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use clap::Args;
use landmarc_store::{Applied, COMMAND_BUSY_TIMEOUT, Collector, MAX_SEGMENT, Segment};
use nix::fcntl::OFlag;
use nix::unistd::AccessFlags;
use serde_json::{Value, json};

use crate::exit::Exit;
use crate::failure::{CommandResult, Failure, failure};
use crate::figures::grouped;
use crate::output::print;
use crate::records::StoreArguments;
use landmarc_runtime::clock::now_ms;
use landmarc_runtime::fleet_settings::host;
use landmarc_runtime::visible::visible_path;

/// Arguments of `store import`.
#[derive(Debug, Args)]
pub(crate) struct StoreImportArguments {
    /// Files that `landmarc spool export` wrote; - for standard input
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    store: StoreArguments,
    /// Print one JSON object for each file, on a line of its own
    #[arg(long)]
    json: bool,
}

/// Takes in one file after the other. One that cannot be read costs nothing but itself.
pub(super) fn run(arguments: &StoreImportArguments) -> CommandResult {
    let store = arguments.store.find()?;
    store.reachable(AccessFlags::R_OK | AccessFlags::W_OK)?;
    let mut collector = Collector::open(&store.place, COMMAND_BUSY_TIMEOUT)?;
    let own_name = store.file().and(store.settings.as_ref()).map(host);
    let mut exit = Exit::Fine;
    for file in &arguments.files {
        let segment = match segment(file, own_name.as_deref()) {
            Ok(segment) => segment,
            Err(failure) => {
                exit = failure.print();
                continue;
            }
        };
        // A store that takes nothing would not take the next file either.
        let applied = collector.apply(&segment, now_ms())?;
        print(&match arguments.json {
            true => format!("{}\n", object(file, &segment, applied)),
            false => format!("{}: {}\n", visible_path(file), in_words(&segment, applied)),
        })?;
    }
    Ok(exit)
}

/// What a file holds. Into the file of a host nothing goes that this host has handed out.
fn segment(file: &Path, own_name: Option<&str>) -> Result<Segment, Failure> {
    let path = visible_path(file);
    let octets = read(file).map_err(|error| failure!(Exit::NoInput, "cannot read {path}: {error}"))?;
    let segment = Segment::read(&octets)
        .map_err(|error| failure!(Exit::BadInput, "{path}: {error}").with_remedy(error.remedy()))?;
    if own_name == Some(segment.name()) {
        let host = segment.name();
        return Err(failure!(
            Exit::BadInput,
            "{path}: these are records of {host} itself, which has counted them"
        )
        .with_remedy(
            "import them elsewhere; where this is another host, give each a name of its own (fleet.host)",
        ));
    }
    Ok(segment)
}

/// One octet more than a segment can have is enough to know that it is none.
fn read(file: &Path) -> io::Result<Vec<u8>> {
    let limit = u64::try_from(MAX_SEGMENT).unwrap_or(u64::MAX).saturating_add(1);
    let mut octets = Vec::new();
    if file == Path::new("-") {
        io::stdin().take(limit).read_to_end(&mut octets)?;
        return Ok(octets);
    }
    // What lies in a directory that others write to may be a FIFO, which is not waited for.
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(OFlag::O_NONBLOCK.bits())
        .open(file)?;
    if !opened.metadata()?.is_file() {
        return Err(io::Error::new(ErrorKind::InvalidInput, "it is no plain file"));
    }
    opened.take(limit).read_to_end(&mut octets)?;
    Ok(octets)
}

fn in_words(segment: &Segment, applied: Applied) -> String {
    let late = match applied.of_reported_days {
        0 => String::new(),
        late => format!(", {} of them of days whose reports were made", grouped(late)),
    };
    format!(
        "batches {} to {} of {} ({}): {} new, {} known; messages: {} new{late}",
        segment.first(),
        segment.last(),
        segment.name(),
        segment.host().short(),
        grouped(applied.new_batches),
        grouped(applied.known_batches),
        grouped(applied.messages),
    )
}

fn object(file: &Path, segment: &Segment, applied: Applied) -> Value {
    json!({
        "file": file.to_string_lossy(),
        "host": segment.name(),
        "host_id": segment.host().to_string(),
        "first": segment.first(),
        "last": segment.last(),
        "new_batches": applied.new_batches,
        "known_batches": applied.known_batches,
        "messages": applied.messages,
        "of_reported_days": applied.of_reported_days,
    })
}
