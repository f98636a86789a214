//! What was written down, for the commands that read it: finding the store, saying what is wrong
//! with it, and the words of one message.

use std::path::{Path, PathBuf};

use clap::Args;
use landmarc_observation::Observation;
use landmarc_settings::Settings;
use landmarc_store::{Reader, StoreLocation};
use nix::errno::Errno;
use nix::unistd::{AccessFlags, access};
use serde_json::{Map, Value, json};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::listing::{self, Field, field, present};
use crate::loading::load_store;
use landmarc_runtime::database;
use landmarc_runtime::load::Need;
use landmarc_runtime::time::to_the_millisecond;

/// Which store is meant.
#[derive(Debug, Args)]
pub(crate) struct StoreArguments {
    /// Read settings from this file [default: /etc/landmarc/landmarc.toml, if it exists]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Use this database file instead of the service's: a backup, say
    #[arg(long, value_name = "FILE")]
    pub(crate) store: Option<PathBuf>,
    /// In a fleet, use the database of this host alone, not the one that all hosts share
    #[arg(long, conflicts_with = "store")]
    pub(crate) local: bool,
}

/// A database, and the settings of the service that writes it.
pub(crate) struct SelectedStore {
    pub(crate) place: StoreLocation,
    /// None when a file was named and the settings were not.
    pub(crate) settings: Option<Settings>,
}

impl StoreArguments {
    /// Where the store is. Settings that nobody asked for are not read when the file is named: a backup can be
    /// looked into without the right to read them.
    ///
    /// # Errors
    /// With what is printed, and the exit code.
    pub(crate) fn find(&self) -> Result<SelectedStore, Failure> {
        match (&self.store, &self.config) {
            (Some(path), None) => Ok(SelectedStore::at(path.into())),
            (_, config) => {
                let settings = load_store(config.as_deref(), Need::Directory)?;
                Ok(SelectedStore {
                    place: self.of(&settings)?,
                    settings: Some(settings),
                })
            }
        }
    }

    /// Where the store is by these settings: the file that was named, the one of this host, or the database that
    /// the fleet shares.
    ///
    /// # Errors
    /// With what is printed, and the exit code.
    pub(crate) fn of(&self, settings: &Settings) -> Result<StoreLocation, Failure> {
        match &self.store {
            Some(path) => Ok(path.into()),
            None if self.local => Ok(database::path(settings).into()),
            None => database::place(settings).map_err(Failure::from),
        }
    }
}

impl SelectedStore {
    /// The one at this place, whatever the settings are.
    pub(crate) fn at(place: StoreLocation) -> Self {
        Self {
            place,
            settings: None,
        }
    }

    /// Opens it for reading, also while the service writes it.
    ///
    /// # Errors
    /// With what is printed, and the exit code.
    pub(crate) fn read(&self) -> Result<Reader, Failure> {
        self.reachable(AccessFlags::R_OK)?;
        Reader::open(&self.place).map_err(Failure::from)
    }

    /// Its file; none where the fleet's is meant, of which there is none here.
    pub(crate) fn file(&self) -> Option<&Path> {
        match &self.place {
            StoreLocation::File(path) => Some(path),
            StoreLocation::Server(_) => None,
        }
    }

    /// The database of this host, where the fleet's is meant and there is one.
    pub(crate) fn own(&self) -> Option<Self> {
        let settings = self.settings.as_ref().filter(|_| self.file().is_none())?;
        let path = database::path(settings);
        path.exists().then(|| Self {
            place: path.into(),
            settings: Some(settings.clone()),
        })
    }

    /// Says what is wrong when the file is not there, or not for us. SQLite would only say that
    /// it cannot be opened.
    ///
    /// # Errors
    /// With what is printed, and the exit code.
    pub(crate) fn reachable(&self, how: AccessFlags) -> Result<(), Failure> {
        // A server tells by itself.
        let Some(path) = self.file() else {
            return Ok(());
        };
        match access(path, how) {
            Ok(()) => Ok(()),
            Err(Errno::ENOENT | Errno::ENOTDIR) => Err(Failure::nothing_recorded(path)),
            Err(errno) => {
                let doing = if how.contains(AccessFlags::W_OK) {
                    "write"
                } else {
                    "read"
                };
                let message = format!("cannot {doing} {}: {}", path.display(), errno.desc());
                Err(Failure::new(Exit::Unavailable, &message)
                    .with_remedy("run it as root, as the user of the service, or as a member of its group"))
            }
        }
    }
}

/// All that is known of a message but its explanation: the keys of the log line, in its order, behind
/// the time.
pub(crate) const FIELDS: [Field<Observation>; 19] = [
    field("at", |row| to_the_millisecond(row.at_ms).into()),
    field("queue_id", |row| present(&row.queue_id)),
    field("id", |row| present(&row.id)),
    field("client", |row| json!(row.client)),
    field("author_domain", |row| json!(row.author_domain)),
    field("spf", |row| present(&row.spf)),
    field("dkim", |row| present(&row.dkim)),
    field("arc", |row| present(&row.arc)),
    field("dmarc", |row| present(&row.dmarc)),
    field("policy_domain", |row| json!(row.policy_domain)),
    field("policy", |row| json!(row.policy)),
    field("disposition", |row| present(&row.disposition)),
    field("override", |row| present(&overrides(row))),
    field("rule", |row| json!(row.rule)),
    field("questions", |row| row.questions.into()),
    field("ms", |row| row.ms.into()),
    field("action", |row| present(&row.action)),
    field("enforced_action", |row| present(&row.enforced_action)),
    field("cause", |row| present(&row.cause)),
];

/// The field with this name, in words; a hyphen where it is absent, as in the log.
pub(crate) fn word(row: &Observation, name: &str) -> String {
    listing::word(&FIELDS, row, name)
}

/// Override reasons, each with its comment.
fn overrides(row: &Observation) -> String {
    let reasons = row
        .overrides
        .iter()
        .map(|(kind, comment)| match comment.as_str() {
            "" => kind.clone(),
            comment => format!("{kind}: {comment}"),
        });
    reasons.collect::<Vec<_>>().join("; ")
}

/// The object for one message: `check --json` has the override reasons apart, too, and calls them by the plural.
pub(crate) fn object(row: &Observation) -> Map<String, Value> {
    let reason = |(kind, comment): &(String, String)| json!({"type": kind, "comment": comment});
    let entry = |(name, value): (String, Value)| match name.as_str() {
        "override" => ("overrides".to_owned(), row.overrides.iter().map(reason).collect()),
        _ => (name, value),
    };
    listing::object(&FIELDS, row).into_iter().map(entry).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// 2026-06-01T00:00:00.005Z.
    const AT: u64 = 1_780_272_000_005;

    /// A message that failed, with something in each field.
    pub(crate) fn row() -> Observation {
        Observation {
            at_ms: AT,
            queue_id: "4ZQ0000001".to_owned(),
            id: "0n2v5x8k4q1m".to_owned(),
            client: Some([192, 0, 2, 7].into()),
            author_domain: Some("mail.example.com".to_owned()),
            spf: "fail".to_owned(),
            dkim: "none".to_owned(),
            arc: "none".to_owned(),
            dmarc: "fail".to_owned(),
            policy_domain: Some("example.com".to_owned()),
            policy: Some("reject".to_owned()),
            disposition: "none".to_owned(),
            action: "accept".to_owned(),
            enforced_action: "reject".to_owned(),
            overrides: vec![
                ("local_policy".to_owned(), "observing".to_owned()),
                ("other".to_owned(), String::new()),
            ],
            rule: Some("partners".to_owned()),
            cause: "nobody vouches for mail.example.com".to_owned(),
            questions: 6,
            ms: 38,
            trace: "".into(),
            row: None,
        }
    }

    #[test]
    fn each_field_has_its_words_and_a_hyphen_when_absent() {
        let row = row();
        assert_eq!(word(&row, "at"), "2026-06-01T00:00:00.005Z");
        assert_eq!(word(&row, "override"), "local_policy: observing; other");
        assert_eq!(word(&row, "rule"), "partners");
        let bare = Observation {
            client: None,
            rule: None,
            overrides: Vec::new(),
            queue_id: String::new(),
            ..row
        };
        for name in ["client", "rule", "override", "queue_id"] {
            assert_eq!(word(&bare, name), "-", "{name}");
        }
    }

    #[test]
    fn the_object_has_every_key_whatever_is_absent() {
        let full = object(&row());
        let bare = object(&Observation {
            client: None,
            author_domain: None,
            policy_domain: None,
            policy: None,
            rule: None,
            overrides: Vec::new(),
            queue_id: String::new(),
            cause: String::new(),
            ..row()
        });
        assert!(full.keys().eq(bare.keys()));
        assert_eq!(bare["queue_id"], Value::Null);
        assert_eq!(bare["overrides"], json!([]));
        assert_eq!(full["overrides"][1], json!({"type": "other", "comment": ""}));
        assert_eq!((&full["questions"], &full["ms"]), (&json!(6), &json!(38)));
    }
}
