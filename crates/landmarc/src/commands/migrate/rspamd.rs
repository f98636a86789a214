//! `migrate rspamd`: its settings translated, its records brought in.

mod conf;
mod records;

use crate::failure::CommandResult;
use std::path::PathBuf;

use clap::Args;

/// What the help says below the options.
const AFTER_HELP: &str = "\
With --config, settings are printed for landmarc.toml, and what became of each option goes to \
standard error. Otherwise records are imported. They are read and nothing else: none is changed or \
deleted in Redis, and none counts twice, however often it is read. What they lack, the policy of each \
domain, is asked from DNS. The service reads them by itself while rspamd goes on counting: set \
rspamd.servers.\n\n\
Exit code: 0 when all was read, 2 when records wait since DNS did not answer about their domains, 65 \
when some were broken; each is told, and all others are imported; 66 when there is no such file, 69 \
when Redis or the store does not answer, 78 for wrong settings, here or there.";

/// Arguments of `migrate rspamd`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct MigrateRspamdArguments {
    #[command(flatten)]
    conf: conf::Conf,
    /// Read our settings from this file [default: /etc/landmarc/landmarc.toml, if it exists]
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    records: records::Records,
}

/// Does it.
pub(crate) fn run(arguments: &MigrateRspamdArguments) -> CommandResult {
    let settings = arguments.settings.as_deref();
    match arguments.conf.is_asked_for() {
        true => arguments.conf.translate(arguments.json),
        false => arguments.records.import(settings, arguments.json),
    }
}
