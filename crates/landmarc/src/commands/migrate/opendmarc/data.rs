//! `migrate opendmarc --history`, `--database`: what OpenDMARC has counted, into the tally.

use std::fmt;
use std::path::PathBuf;

use clap::{ArgGroup, Args};
use landmarc_mail::DomainName;
use landmarc_settings::Settings;
use landmarc_source::mysql::{MysqlAddress, MysqlError};
use landmarc_store::{
    COMMAND_BUSY_TIMEOUT, Day, MAX_URIS, Outbox, Reader, Redirection, StoreError, StoreLocation,
};

use crate::commands::migrate::summary::print_summary;
use crate::commands::migrate::target::{COUNTED, ImportTarget};
use crate::exit::Exit;
use crate::failure::{CommandResult, Failure, failure};
use crate::figures::grouped;
use crate::notes::{note, print_note};
use crate::output::print;
use landmarc_import::ImportMode;
use landmarc_import::opendmarc::{ImportFailure, OpenDmarcImport, UncountedMessages};
use landmarc_mail::text::visible;
use landmarc_reporter::address_of;
use landmarc_runtime::clock::now_ms;
use landmarc_runtime::time::When;

/// Where the tools of OpenDMARC look for the password of its database.
const PASSWORD: &str = "OPENDMARC_PASSWORD";

/// What was counted, and where it goes.
#[derive(Debug, Args)]
#[command(
    next_help_heading = "What was counted",
    group = ArgGroup::new(COUNTED).args(["history", "database"]).multiple(true),
)]
pub(crate) struct Data {
    /// Import this history file, of OpenDMARC 1.2 or later, or of Exim; - is standard input; may be given several
    /// times
    #[arg(long, value_name = "FILE", num_args = 1..)]
    history: Vec<PathBuf>,
    /// Import what opendmarc-import has put into this database: mysql://USER@HOST:PORT/NAME. The password is
    /// taken from --password-file or the variable OPENDMARC_PASSWORD
    #[arg(long, value_name = "ADDRESS")]
    database: Option<Hidden>,
    /// The file whose first line is the password of the database
    #[arg(long, value_name = "FILE", requires = "database")]
    password_file: Option<PathBuf>,
    /// Import only messages of this UTC day and later: 2026-06-01, yesterday, 30d
    #[arg(long, value_name = "DAY", requires = COUNTED)]
    since: Option<When>,
    #[command(flatten)]
    target: ImportTarget,
}

/// An address that may have a password in it: read later, for clap would quote it where it is wrong.
#[derive(Clone)]
struct Hidden(String);

impl From<String> for Hidden {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hidden")
    }
}

impl Data {
    /// Whether something that was counted is to be imported.
    pub(super) fn is_asked_for(&self) -> bool {
        !self.history.is_empty() || self.database.is_some()
    }

    /// Imports, and prints what came of it.
    pub(super) fn run(&self, as_json: bool) -> CommandResult {
        let address = self.address()?;
        let settings = self.target.settings()?;
        let (how, place) = (self.target.mode(), self.target.place(&settings)?);
        let mut intake = self.intake(&settings, &place, how)?;
        let mut exit = Exit::Fine;
        for path in &self.history {
            exit = exit.max(exit_of(intake.file(path)));
        }
        if let Some(address) = &address {
            exit = exit.max(exit_of(intake.tables(address)));
        }
        let (summary, besides) = intake.finish()?;
        let redirected = redirect(&intake.locked, &place, how)?;
        let is_whole = besides.broken == 0 && summary.refused_rows == 0;
        let exit = if is_whole { exit } else { exit.max(Exit::BadInput) };
        let others: Vec<_> = others(&besides)
            .into_iter()
            .chain([("redirected domains", redirected)])
            .collect();
        print_summary(&summary, how, &others, as_json)?;
        if besides.own > 0 && !as_json {
            let count = grouped(besides.own);
            print(&format!(
                "{count} are in the store already: this host exported them\n"
            ))?;
        }
        Ok(exit)
    }

    fn intake(
        &self,
        settings: &Settings,
        place: &StoreLocation,
        how: ImportMode,
    ) -> Result<OpenDmarcImport, Failure> {
        // A day is imported whole or not at all: its report counts all of its mail.
        let since = self
            .since
            .map(|when| Day::at(when.begins_ms(now_ms())).begins_s());
        OpenDmarcImport::open(place, settings, how, since.unwrap_or(0), print_note).map_err(Failure::from)
    }

    fn address(&self) -> Result<Option<MysqlAddress>, Failure> {
        let Some(Hidden(text)) = &self.database else {
            return Ok(None);
        };
        let address = text.parse::<MysqlAddress>();
        let address = address.map_err(|error| failure!(Exit::Usage, "--database: {error}"))?;
        if let Some(file) = &self.password_file {
            return Ok(Some(address.with_password(&super::super::password(file)?)));
        }
        let given = std::env::var(PASSWORD).ok().filter(|_| !address.has_password());
        Ok(Some(match given {
            Some(password) => address.with_password(&password),
            None => address,
        }))
    }
}

/// What `opendmarc-params` set stays as it was set (T4); what was set here counts more. How many there are.
fn redirect(locked: &[(String, String)], place: &StoreLocation, how: ImportMode) -> Result<u64, Failure> {
    if locked.is_empty() {
        return Ok(0);
    }
    // A rehearsal makes no store: where there is none, nothing is redirected.
    let reader = match Reader::open(place) {
        Err(StoreError::Missing { .. }) => None,
        opened => Some(opened?),
    };
    let mut new = Vec::new();
    for (name, repuri) in locked {
        let Some(redirection) = redirection(name, repuri) else {
            note!(
                "landmarc: reports about {} are to go to {}, which is no address: landmarc outbox redirect",
                visible(name),
                visible(repuri)
            );
            continue;
        };
        let ask = |reader: &Reader| reader.redirection(&redirection.policy_domain);
        let known = reader.as_ref().map_or(Ok(None), ask);
        if known?.is_none() {
            new.push(redirection);
        }
    }
    if how == ImportMode::Write {
        write_down(&new, place)?;
    }
    Ok(u64::try_from(new.len()).unwrap_or(u64::MAX))
}

fn write_down(redirections: &[Redirection], place: &StoreLocation) -> Result<(), StoreError> {
    let mut outbox = Outbox::open(place, COMMAND_BUSY_TIMEOUT)?;
    redirections.iter().try_for_each(|one| outbox.redirect(one))
}

fn redirection(name: &str, repuri: &str) -> Option<Redirection> {
    let uris = repuri.split(',').map(str::trim).filter(|uri| !uri.is_empty());
    let rua: Vec<_> = uris.map(str::to_owned).collect();
    let is_usable = rua.len() <= MAX_URIS && rua.iter().all(|uri| address_of(uri).is_some());
    let policy_domain = DomainName::parse(name).ok().filter(|_| is_usable)?.to_string();
    Some(Redirection {
        policy_domain,
        rua,
        since_ms: now_ms(),
    })
}

/// What came besides, in the words of the summary.
pub(crate) fn others(besides: &UncountedMessages) -> [(&'static str, u64); 6] {
    [
        ("without a policy", besides.without_policy),
        ("deferred", besides.deferred),
        ("before that day", besides.earlier),
        ("exported by this host", besides.own),
        ("broken", besides.broken),
        ("unfinished", besides.unfinished),
    ]
}

/// Prints why a source could not be imported, and how the command ends because of it; the others are imported all the
/// same.
pub(crate) fn exit_of(done: Result<(), ImportFailure>) -> Exit {
    let Err(failed) = done else {
        return Exit::Fine;
    };
    let exit = match &failed {
        ImportFailure::Database(MysqlError::NotOpenDmarc { .. }) => Exit::BadInput,
        ImportFailure::File { .. } => Exit::NoInput,
        ImportFailure::Database(_) | ImportFailure::Runtime(_) | ImportFailure::Store(_) => Exit::Unavailable,
    };
    let failure = Failure::of(exit, &failed);
    let failure = match failed {
        ImportFailure::Store(error) => error.into(),
        ImportFailure::Database(error) => failure.with_remedy(error.remedy()),
        ImportFailure::File { .. } | ImportFailure::Runtime(_) => failure,
    };
    failure.print()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        data: Data,
    }

    fn read(options: &[&str]) -> Result<Data, clap::Error> {
        Line::try_parse_from([&["migrate"], options].concat()).map(|line| line.data)
    }

    #[test]
    fn what_was_locked_is_redirected_where_it_is_an_address() {
        let rua = |repuri| redirection("Example.COM", repuri).map(|one| one.rua);
        let two = "mailto:a@example.net, mailto:b@example.net!10m";
        assert_eq!(rua(two).map(|rua| rua.len()), Some(2));
        assert_eq!(rua(""), Some(Vec::new()), "nowhere");
        assert_eq!(rua("a@example.net"), None);
        assert_eq!(redirection("a b", two), None);
    }

    #[test]
    fn several_files_and_a_database_may_be_named() {
        assert!(!read(&[]).unwrap().is_asked_for());
        let data = read(&["--history", "a.dat", "b.dat", "--history", "-"]).unwrap();
        assert!(data.is_asked_for());
        assert_eq!(data.history, ["a.dat", "b.dat", "-"].map(PathBuf::from));
        assert!(
            read(&["--database", "mysql://u@h/opendmarc"])
                .unwrap()
                .is_asked_for()
        );
        assert!(read(&["--password-file", "x"]).is_err());
    }

    /// Whoever reads the terminal over a shoulder, or the log of cron, does not see it.
    #[test]
    fn no_password_is_shown_whatever_is_wrong() {
        let data = read(&["--database", "mysql://u:secret@h:x/opendmarc"]).unwrap();
        assert!(!format!("{data:?}").contains("secret"));
        assert_eq!(data.address().unwrap_err().exit, Exit::Usage);
    }
}
