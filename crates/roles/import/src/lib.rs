//! The history of other programs, brought into the store: once by a command (OpenDMARC, Mail::DMARC), or again and again
//! beside the service (rspamd).
//!
//! Knows which rows a report can bear, that nothing is counted twice, and whose the store is that an import makes. Knows
//! nothing of how other programs keep what they counted (`landmarc_source`) and of what it means (`landmarc_migrate`).
//! Not implemented: days that are older than `store.tally_days`, since they would be removed at once; observations, since
//! other programs keep counts.

pub mod export;
pub mod mail_dmarc;
pub mod opendmarc;
pub mod rspamd;

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use landmarc_mail::DomainName;
use landmarc_migrate::{Counted, MAX_COUNT};
use landmarc_settings::Settings;
use landmarc_store::{Day, Import, Imported, Importer, MAX_IMPORTS, Rehearsal, StoreError, StoreLocation};
use nix::fcntl::{AtFlags, OFlag};
use nix::unistd::{Gid, Uid, fchownat, geteuid};

use landmarc_runtime::account::Account;
use landmarc_runtime::database;

/// Rows that could not be taken and are told one by one; the others are counted.
pub const MAX_REFUSED: usize = 100;
/// Octets of a key; the store keeps a digest of it. The longest are those of rspamd: a key of Redis, which has
/// all addresses of a record in it, and a record with the domains of all signatures.
const MAX_KEY: usize = 32 * 1_024;

/// What is done with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportMode {
    /// They are added to the tally.
    Write,
    /// It is only seen what would be added: no store is made, and none is changed.
    Rehearse,
}

/// What an import came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImportSummary {
    /// Rows that were handed over and could be taken.
    pub rows: u64,
    /// Messages in them.
    pub messages: Imported,
    /// Messages that are new, by the UTC day they count in.
    pub days: BTreeMap<Day, u64>,
    /// Rows that could not be taken, up to [`MAX_REFUSED`].
    pub refused: Vec<Refused>,
    /// How many those were.
    pub refused_rows: u64,
}

/// A row that could not be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Its key.
    pub key: String,
    /// What is wrong with it.
    pub why: String,
}

/// An import under way: rows are handed over one by one, and written in batches.
pub struct Imports {
    to: To,
    kept_from: Day,
    waiting: Vec<Import>,
    summary: ImportSummary,
}

/// Where the rows go.
enum To {
    Store(Importer),
    Nowhere(Rehearsal),
}

impl To {
    fn take(&mut self, imports: &[Import], kept_from: Day) -> Result<Imported, StoreError> {
        match self {
            Self::Store(importer) => importer.import(imports, kept_from),
            Self::Nowhere(rehearsal) => rehearsal.import(imports, kept_from),
        }
    }
}

impl Imports {
    /// Opens the store. A file to be written to is made where there is none, for the account that the service runs
    /// as, and brought up to date.
    /// `now_ms` says which days are too old to be kept; `busy_timeout` is how long others who write are waited for.
    ///
    /// # Errors
    /// When the store cannot be opened.
    pub fn open(
        place: &StoreLocation,
        settings: &Settings,
        how: ImportMode,
        now_ms: u64,
        busy_timeout: Duration,
    ) -> Result<Self, StoreError> {
        let to = match how {
            ImportMode::Write => To::Store(open(place, settings, busy_timeout)?),
            ImportMode::Rehearse => To::Nowhere(Rehearsal::open(place)?),
        };
        Ok(Self {
            to,
            kept_from: Day::at(now_ms).back(settings.store.tally_days),
            waiting: Vec::with_capacity(MAX_IMPORTS),
            summary: ImportSummary::default(),
        })
    }

    /// Takes a row. One that cannot be is noted in the summary, and costs nothing but itself.
    ///
    /// # Errors
    /// When the store cannot be written: the rows of earlier batches are in it, those of this batch are not.
    pub fn take(&mut self, counted: Counted) -> Result<(), StoreError> {
        match checked(&counted) {
            Ok(()) => self.waiting.push(import(counted)),
            Err(why) => self.refuse(counted.key, why),
        }
        if self.waiting.len() == MAX_IMPORTS {
            self.flush()?;
        }
        Ok(())
    }

    /// Writes what waits, and gives what it came to so far. The import can go on.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn finish(&mut self) -> Result<ImportSummary, StoreError> {
        self.flush()?;
        Ok(std::mem::take(&mut self.summary))
    }

    fn flush(&mut self) -> Result<(), StoreError> {
        let waiting = std::mem::take(&mut self.waiting);
        // Batches of one day each: so it is known how many messages of each day are new.
        let mut by_day = BTreeMap::<Day, Vec<Import>>::new();
        for import in waiting {
            by_day.entry(Day::at(import.at_ms)).or_default().push(import);
        }
        for (day, imports) in by_day {
            let done = self.to.take(&imports, self.kept_from)?;
            self.summary.rows += imports.len() as u64;
            self.summary.messages.add(done);
            if done.new > 0 {
                *self.summary.days.entry(day).or_default() += done.new;
            }
        }
        Ok(())
    }

    fn refuse(&mut self, key: String, why: String) {
        self.summary.refused_rows += 1;
        if self.summary.refused.len() < MAX_REFUSED {
            self.summary.refused.push(Refused { key, why });
        }
    }
}

/// Opens the store. Who moves in does so as root and before the service has run: what is made then shall be
/// the service's.
fn open(place: &StoreLocation, settings: &Settings, busy_timeout: Duration) -> Result<Importer, StoreError> {
    let database = match place {
        StoreLocation::File(path) if !path.exists() => path,
        _ => return Importer::open(place, busy_timeout),
    };
    let account = Account::find(settings).unwrap_or_default();
    if let Err(error) = database::prepare(database, &account) {
        tracing::debug!(%error, "the directory of the store could not be made; opening it tells why");
    }
    let importer = Importer::open(place, busy_timeout)?;
    if geteuid().is_root()
        && let Err(error) = give_to(&account, database)
    {
        let file = database.display();
        tracing::warn!(%error, "{file} stays root's; the service may not be able to write it");
    }
    Ok(importer)
}

/// Gives the database to the service, with the two files that SQLite keeps beside it. The directory may be the
/// service's already, and whoever has taken it over could have put a link there, symbolic or hard: root would give
/// away what that leads to. Each is given away by its handle, and only if it has this one name.
fn give_to(account: &Account, database: &Path) -> io::Result<()> {
    for suffix in ["", "-wal", "-shm"] {
        let mut file = database.as_os_str().to_owned();
        file.push(suffix);
        let file = PathBuf::from(file);
        let no_link = OFlag::O_PATH | OFlag::O_NOFOLLOW;
        let opened = OpenOptions::new()
            .read(true)
            .custom_flags(no_link.bits())
            .open(&file);
        let opened = match opened {
            Ok(opened) => opened,
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        let found = opened.metadata()?;
        if found.is_file() && found.nlink() == 1 {
            let (user, group) = (account.user_id(), account.group_id());
            let (user, group) = (user.map(Uid::from_raw), group.map(Gid::from_raw));
            fchownat(&opened, "", user, group, AtFlags::AT_EMPTY_PATH)?;
        }
    }
    Ok(())
}

/// Whether a row can stand in a report.
fn checked(counted: &Counted) -> Result<(), String> {
    if counted.key.len() > MAX_KEY {
        return Err(format!("its key is longer than {MAX_KEY} octets"));
    }
    match counted.count {
        0 => return Err("it counts no message".to_owned()),
        count if count > MAX_COUNT => {
            return Err(format!("it counts {count} messages, more than {MAX_COUNT}"));
        }
        _ => {}
    }
    name("policy domain", &counted.row.policy_domain)?;
    name("author domain", &counted.row.header_from)?;
    let published = &counted.row.published;
    for (tag, policy) in [("p", &published.p), ("sp", &published.sp)] {
        word(tag, policy, &["none", "quarantine", "reject"])?;
    }
    for (tag, mode) in [("adkim", &published.adkim), ("aspf", &published.aspf)] {
        word(tag, mode, &["r", "s"])?;
    }
    word(
        "disposition",
        &counted.row.disposition,
        &["none", "pass", "quarantine", "reject"],
    )
}

fn name(what: &str, domain: &str) -> Result<(), String> {
    match DomainName::parse(domain) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("{:?} is no {what}: {error}", shown(domain))),
    }
}

fn word(what: &str, found: &str, known: &[&str]) -> Result<(), String> {
    if known.contains(&found) {
        return Ok(());
    }
    Err(format!(
        "{:?} is no {what}; known are {}",
        shown(found),
        known.join(", ")
    ))
}

/// So much of a foreign word is shown.
fn shown(text: &str) -> &str {
    const SHOWN: usize = 80;
    text.get(..text.floor_char_boundary(SHOWN)).unwrap_or_default()
}

fn import(counted: Counted) -> Import {
    let Counted {
        key,
        at_s,
        count,
        mut row,
    } = counted;
    // As mail is tallied: in lower case.
    row.policy_domain.make_ascii_lowercase();
    row.header_from.make_ascii_lowercase();
    Import {
        key,
        at_ms: at_s.saturating_mul(1_000),
        count,
        row,
    }
}

#[cfg(test)]
mod tests;
