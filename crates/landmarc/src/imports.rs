//! From rows that another program counted to the store.

pub(crate) mod opendmarc;

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mail::DomainName;
use migrate::{Counted, Published};
use nix::unistd::geteuid;
use settings::Settings;
use store::{Day, Import, Imported, Importer, MAX_IMPORTS, PublishedPolicy, StoreError, TallyRow};

use crate::account::Account;
use crate::database;

/// Rows that could not be taken and are told one by one; the others are counted.
pub(crate) const MAX_REFUSED: usize = 100;
/// Octets of a key; the store keeps a digest of it. The longest are those of rspamd: a key of Redis, which has
/// all addresses of a record in it, and a record with the domains of all signatures.
const MAX_KEY: usize = 32 * 1_024;

/// What is done with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// They are added to the tally.
    Write,
    /// It is only seen what would be added.
    Rehearse,
}

/// What an import came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    /// Rows that were handed over and could be taken.
    pub(crate) rows: u64,
    /// Messages in them.
    pub(crate) messages: Imported,
    /// Messages that are new, by the UTC day they count in.
    pub(crate) days: BTreeMap<Day, u64>,
    /// Rows that could not be taken, up to [`MAX_REFUSED`].
    pub(crate) refused: Vec<Refused>,
    /// How many those were.
    pub(crate) refused_rows: u64,
}

/// A row that could not be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    /// Its key.
    pub(crate) key: String,
    /// What is wrong with it.
    pub(crate) why: String,
}

/// An import under way: rows are handed over one by one, and written in batches.
pub(crate) struct Imports {
    importer: Importer,
    how: How,
    kept_from: Day,
    waiting: Vec<Import>,
    summary: Summary,
}

impl Imports {
    /// Opens the store at `database`, which is made where there is none, for the account that the service runs as.
    /// `now_ms` says which days are too old to be kept; `patience` is how long others who write are waited for.
    ///
    /// # Errors
    /// When the store cannot be opened.
    pub(crate) fn open(
        database: &Path,
        settings: &Settings,
        how: How,
        now_ms: u64,
        patience: Duration,
    ) -> Result<Self, StoreError> {
        let importer = open(database, settings, patience)?;
        Ok(Self {
            importer,
            how,
            kept_from: Day::at(now_ms).back(settings.store.tally_days),
            waiting: Vec::with_capacity(MAX_IMPORTS),
            summary: Summary::default(),
        })
    }

    /// Takes a row. One that cannot be is noted in the summary, and costs nothing but itself.
    ///
    /// # Errors
    /// When the store cannot be written: the rows of earlier batches are in it, those of this batch are not.
    pub(crate) fn take(&mut self, counted: Counted) -> Result<(), StoreError> {
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
    pub(crate) fn finish(&mut self) -> Result<Summary, StoreError> {
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
            let done = match self.how {
                How::Write => self.importer.import(&imports, self.kept_from)?,
                How::Rehearse => self.importer.rehearse(&imports, self.kept_from)?,
            };
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
fn open(database: &Path, settings: &Settings, patience: Duration) -> Result<Importer, StoreError> {
    if database.exists() {
        return Importer::open(database, patience);
    }
    let account = Account::find(settings).unwrap_or_default();
    if let Err(error) = database::prepare(database, &account) {
        tracing::debug!(%error, "the directory of the store could not be made; opening it tells why");
    }
    let importer = Importer::open(database, patience)?;
    if geteuid().is_root()
        && let Err(error) = give_to(&account, database)
    {
        let file = database.display();
        tracing::warn!(%error, "{file} stays root's; the service may not be able to write it");
    }
    Ok(importer)
}

/// Gives the database to the service, with the two files that SQLite keeps beside it.
fn give_to(account: &Account, database: &Path) -> io::Result<()> {
    for suffix in ["", "-wal", "-shm"] {
        let mut file = database.as_os_str().to_owned();
        file.push(suffix);
        let file = PathBuf::from(file);
        if file.exists() {
            chown(&file, account.user_id(), account.group_id())?;
        }
    }
    Ok(())
}

/// Whether a row can stand in a report.
fn checked(counted: &Counted) -> Result<(), String> {
    if counted.key.len() > MAX_KEY {
        return Err(format!("its key is longer than {MAX_KEY} octets"));
    }
    if counted.count == 0 {
        return Err("it counts no message".to_owned());
    }
    name("policy domain", &counted.policy_domain)?;
    name("author domain", &counted.header_from)?;
    let published = &counted.published;
    for (tag, policy) in [("p", &published.p), ("sp", &published.sp)] {
        word(tag, policy, &["none", "quarantine", "reject"])?;
    }
    for (tag, mode) in [("adkim", &published.adkim), ("aspf", &published.aspf)] {
        word(tag, mode, &["r", "s"])?;
    }
    word(
        "disposition",
        &counted.disposition,
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
    Import {
        at_ms: counted.at_s.saturating_mul(1_000),
        count: counted.count,
        row: TallyRow {
            // As mail is tallied: in lower case.
            policy_domain: counted.policy_domain.to_ascii_lowercase(),
            published: published(counted.published),
            source_ip: counted.source_ip,
            disposition: counted.disposition,
            dkim_aligned: counted.dkim_aligned,
            spf_aligned: counted.spf_aligned,
            reasons: counted.reasons,
            header_from: counted.header_from.to_ascii_lowercase(),
            envelope_from: counted.envelope_from,
            envelope_to: None,
            dkim: counted.dkim,
            spf: counted.spf,
            incidental: false,
        },
        key: counted.key,
    }
}

/// Other programs know the policy of RFC 7489 and no test mode; they find records by a public suffix list.
fn published(published: Published) -> PublishedPolicy {
    PublishedPolicy {
        p: published.p,
        sp: published.sp,
        np: None,
        adkim: published.adkim,
        aspf: published.aspf,
        fo: published.fo,
        testing: false,
        discovery_method: "psl".to_owned(),
        rua: published.rua,
        ruf: Vec::new(),
        problems: Vec::new(),
        psd: false,
    }
}

#[cfg(test)]
mod tests {
    use store::Reader;

    use super::*;

    /// 2026-06-01 00:00:00 UTC.
    const MIDNIGHT_S: u64 = 1_780_272_000;

    fn counted(key: &str) -> Counted {
        Counted {
            key: key.to_owned(),
            at_s: MIDNIGHT_S,
            count: 1,
            policy_domain: "Example.com".to_owned(),
            published: Published::default(),
            source_ip: [192, 0, 2, 1].into(),
            disposition: "none".to_owned(),
            dkim_aligned: true,
            spf_aligned: false,
            reasons: Vec::new(),
            header_from: "mail.Example.com".to_owned(),
            envelope_from: None,
            dkim: Vec::new(),
            spf: None,
        }
    }

    /// A store for a test, which is gone afterwards.
    struct Place(PathBuf);

    impl Place {
        fn new(test: &str) -> Self {
            let name = format!("landmarc-imports-{}-{test}", std::process::id());
            Self(std::env::temp_dir().join(name))
        }

        fn imports(&self, how: How) -> Imports {
            let now_ms = (MIDNIGHT_S + 86_400) * 1_000;
            let patience = Duration::from_mins(1);
            Imports::open(&self.database(), &Settings::default(), how, now_ms, patience).unwrap()
        }

        fn database(&self) -> PathBuf {
            self.0.join("landmarc.db")
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            // A leftover in the temporary directory is all it can come to.
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn rows_are_written_in_batches_and_once_only() {
        let place = Place::new("batches");
        for round in 0..2 {
            let mut imports = place.imports(How::Write);
            for number in 0..=MAX_IMPORTS {
                imports.take(counted(&number.to_string())).unwrap();
            }
            let summary = imports.finish().unwrap();
            let all = MAX_IMPORTS as u64 + 1;
            let (new, known) = if round == 0 { (all, 0) } else { (0, all) };
            assert_eq!(summary.rows, all);
            assert_eq!((summary.messages.new, summary.messages.known), (new, known));
            assert_eq!(summary.days.values().sum::<u64>(), new);
        }
        let reader = Reader::open(place.database()).unwrap();
        let rows = reader.tally(Day::at(MIDNIGHT_S * 1_000), "example.com").unwrap();
        assert_eq!(rows.iter().map(|(_, count)| count).sum::<u64>(), 1_001);
        assert_eq!(rows[0].0.header_from, "mail.example.com");
    }

    #[test]
    fn a_rehearsal_leaves_the_tally_as_it_is() {
        let place = Place::new("rehearsal");
        let mut imports = place.imports(How::Rehearse);
        imports.take(counted("a")).unwrap();
        assert_eq!(imports.finish().unwrap().messages.new, 1);
        let reader = Reader::open(place.database()).unwrap();
        assert!(
            reader
                .policy_domains(Day::at(MIDNIGHT_S * 1_000))
                .unwrap()
                .is_empty()
        );
    }

    #[test]
    fn a_row_that_no_report_could_have_is_refused_alone() {
        let place = Place::new("refused");
        let mut imports = place.imports(How::Write);
        type Change = fn(&mut Counted);
        let broken: [(Change, &str); 6] = [
            (
                |row| row.policy_domain = "a..b".to_owned(),
                "\"a..b\" is no policy domain",
            ),
            (|row| row.header_from = String::new(), "is no author domain"),
            (|row| row.count = 0, "it counts no message"),
            (
                |row| row.disposition = "discard".to_owned(),
                "\"discard\" is no disposition",
            ),
            (|row| row.published.sp = "x".to_owned(), "\"x\" is no sp"),
            (|row| row.key = "k".repeat(MAX_KEY + 1), "longer than"),
        ];
        for (change, _) in &broken {
            let mut row = counted("broken");
            change(&mut row);
            imports.take(row).unwrap();
        }
        let mut longest = counted("");
        longest.key = "k".repeat(MAX_KEY);
        imports.take(longest).unwrap();
        let summary = imports.finish().unwrap();
        assert_eq!((summary.rows, summary.refused_rows), (1, 6));
        for ((_, why), refused) in broken.iter().zip(&summary.refused) {
            assert!(refused.why.contains(why), "{} for {why}", refused.why);
        }
    }

    #[test]
    fn so_many_refused_rows_are_told_and_all_are_counted() {
        let place = Place::new("many");
        let mut imports = place.imports(How::Write);
        for _ in 0..=MAX_REFUSED {
            let mut row = counted("broken");
            row.count = 0;
            imports.take(row).unwrap();
        }
        let summary = imports.finish().unwrap();
        assert_eq!(summary.refused.len(), MAX_REFUSED);
        assert_eq!(summary.refused_rows, MAX_REFUSED as u64 + 1);
    }
}
