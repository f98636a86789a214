//! `dkim show`: what to publish for a key file.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::exit::Exit;
use crate::failure::{CommandResult, Failure};
use crate::output::print;
use clap::Args;
use landmarc_delivery::sign::MAX_KEY_OCTETS;
use landmarc_mail::DomainName;

use super::record::DnsKeyRecord;
use landmarc_runtime::error_chain::error_chain;

/// What the help says below the options.
const AFTER_HELP: &str = "\
Exit code: 0, 64 for a wrong command line, 65 for a file that is no key to sign with.";

/// Arguments of `dkim show`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct DkimShowArguments {
    /// The key file, in PEM
    file: PathBuf,
    /// The domain that reports are signed for
    #[arg(long)]
    domain: DomainName,
    /// The selector: the key is published at SELECTOR._domainkey.DOMAIN
    #[arg(long)]
    selector: DomainName,
}

pub(super) fn run(arguments: &DkimShowArguments) -> CommandResult {
    let DkimShowArguments {
        file,
        domain,
        selector,
    } = arguments;
    let record = record_of_file(file, selector, domain).map_err(|why| Failure::new(Exit::BadInput, &why))?;
    print(&record.in_words())
}

/// What to publish for a key file; otherwise why that cannot be told.
pub(super) fn record_of_file(
    file: &Path,
    selector: &DomainName,
    domain: &DomainName,
) -> Result<DnsKeyRecord, String> {
    let pem = read_bounded(file).map_err(|error| format!("{}: {error}", file.display()))?;
    DnsKeyRecord::of(&pem, file, selector, domain)
        .map_err(|error| format!("{}; {}", error_chain(&error), error.remedy()))
}

/// A longer file is no key; its beginning will be refused as one.
fn read_bounded(file: &Path) -> std::io::Result<Vec<u8>> {
    let mut octets = Vec::new();
    File::open(file)?.take(MAX_KEY_OCTETS).read_to_end(&mut octets)?;
    Ok(octets)
}
