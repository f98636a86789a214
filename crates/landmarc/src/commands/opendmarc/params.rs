//! `opendmarc-params` (T4): where the reports about a domain go, whatever its record says.

use std::ffi::OsString;

use landmarc_mail::DomainName;

use super::getopt::{ToolOption, switch, text};
use super::tool::Tool;
use crate::commands::outbox::redirect;
use crate::exit::Exit;
use crate::failure::{CommandResult, failure};

const OWN: [ToolOption; 2] = [
    text("rua", "aggregate report URI(s), by commas"),
    switch("unlock", "let the reports go where the record says"),
];

/// Runs it. Without `--rua` and `--unlock` it shows what is set; the old one then set nothing and locked
/// that.
pub(super) fn run(arguments: &[OsString]) -> CommandResult {
    let tool = Tool::read("opendmarc-params", " domain", &OWN, arguments)?;
    let [domain] = tool.given.operands.as_slice() else {
        return Err(failure!(Exit::Findings, "name one domain"));
    };
    let domain = DomainName::parse(domain)
        .map_err(|error| failure!(Exit::Usage, "{domain:?} is no domain: {error}"))?;
    let found = tool.found()?;
    if tool.given.is_on("unlock") {
        return redirect::remove(&found, domain.as_str());
    }
    match tool.given.text("rua") {
        Some(uris) => {
            let uris: Vec<_> = uris.split(',').map(|uri| uri.trim().to_owned()).collect();
            let uris: Vec<_> = uris.into_iter().filter(|uri| !uri.is_empty()).collect();
            redirect::redirect(&found, domain.as_str(), &uris)
        }
        None => redirect::list(&found, Some(domain.as_str()), false),
    }
}
