//! `migrate`: moves in what other programs left behind: their settings, histories and databases.

mod file;
mod mail_dmarc;
pub(crate) mod opendmarc;
mod rspamd;
pub(crate) mod summary;
mod target;

use std::path::Path;

use crate::exit::Exit;
use crate::failure::{CommandResult, Failure, failure};
use clap::Subcommand;
use landmarc_runtime::password::first_line;
use landmarc_runtime::visible::visible_path;

/// Move in from another program: its settings, its history, its database
#[derive(Debug, Subcommand)]
pub(crate) enum MigrateCommand {
    /// From OpenDMARC: translate opendmarc.conf, bring in its history or its database
    Opendmarc(opendmarc::MigrateOpenDmarcArguments),
    /// From Mail::DMARC, as qpsmtpd has it: translate mail-dmarc.ini, bring in its database
    MailDmarc(mail_dmarc::MigrateMailDmarcArguments),
    /// From rspamd: translate its DMARC settings, bring in the records that it keeps in Redis
    Rspamd(rspamd::MigrateRspamdArguments),
}

/// Does it.
pub(crate) fn run(command: &MigrateCommand) -> CommandResult {
    match command {
        MigrateCommand::Opendmarc(arguments) => opendmarc::run(arguments),
        MigrateCommand::MailDmarc(arguments) => mail_dmarc::run(arguments),
        MigrateCommand::Rspamd(arguments) => rspamd::run(arguments),
    }
}

/// The password of a database, in the first line of a file.
fn password(file: &Path) -> Result<String, Failure> {
    let path = visible_path(file);
    let first = first_line(file).map_err(|error| failure!(Exit::NoInput, "cannot read {path}: {error}"))?;
    match first.is_empty() {
        true => Err(failure!(Exit::NoInput, "the first line of {path} is no password")),
        false => Ok(first),
    }
}
