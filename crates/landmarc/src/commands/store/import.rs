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
use crate::figures::grouped;
use crate::output::{complain, print, tell};
use crate::records::{Place, refuse};
use landmarc_runtime::clock::now_ms;
use landmarc_runtime::fleet_settings::host;
use landmarc_runtime::visible::visible_path;

/// Arguments of `store import`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Files that `landmarc spool export` wrote; - for standard input
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    place: Place,
    /// Print one JSON object for each file, on a line of its own
    #[arg(long)]
    json: bool,
}

/// Takes in one file after the other. One that cannot be read costs nothing but itself.
pub(super) fn run(arguments: &Arguments) -> Result<Exit, Exit> {
    let store = arguments.place.find()?;
    store.reachable(AccessFlags::R_OK | AccessFlags::W_OK)?;
    let mut collector =
        Collector::open(&store.place, COMMAND_BUSY_TIMEOUT).map_err(|error| refuse(&error))?;
    let own_name = store.file().and(store.settings.as_ref()).map(host);
    let mut exit = Exit::Fine;
    for file in &arguments.files {
        match take(&mut collector, file, own_name.as_deref()) {
            Ok((segment, applied)) => print(&match arguments.json {
                true => format!("{}\n", object(file, &segment, applied)),
                false => format!("{}: {}\n", visible_path(file), in_words(&segment, applied)),
            })?,
            // The store takes nothing: the next file would fare no better.
            Err(Failed::Store(failed)) => return Err(failed),
            Err(Failed::File(failed)) => exit = failed,
        }
    }
    Ok(exit)
}

enum Failed {
    File(Exit),
    Store(Exit),
}

/// Into the file of a host nothing goes that this host has handed out.
fn take(
    collector: &mut Collector,
    file: &Path,
    own_name: Option<&str>,
) -> Result<(Segment, Applied), Failed> {
    let octets = read(file).map_err(|error| {
        let message = format!("cannot read {}: {error}", visible_path(file));
        Failed::File(complain(Exit::NoInput, &message))
    })?;
    let segment = Segment::read(&octets).map_err(|error| {
        let exit = complain(Exit::BadInput, &format!("{}: {error}", visible_path(file)));
        tell(&format!("  {}", error.remedy()));
        Failed::File(exit)
    })?;
    if own_name == Some(segment.name()) {
        let message = format!(
            "{}: these are records of {} itself, which has counted them",
            visible_path(file),
            segment.name()
        );
        let exit = complain(Exit::BadInput, &message);
        tell("  import them elsewhere; where this is another host, give each a name of its own (fleet.host)");
        return Err(Failed::File(exit));
    }
    let applied = collector.apply(&segment, now_ms());
    let applied = applied.map_err(|error| Failed::Store(refuse(&error)))?;
    Ok((segment, applied))
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
