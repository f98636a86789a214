//! opendmarc.conf, translated into our settings.
//!
//! Two steps: [`read`] understands the lines, [`translate`] says in our words what they come to. Every
//! parameter of every version (checklist P1 to P42) becomes a setting, or has a note with the reason why
//! there is nothing to set; no line is passed over in silence.
//!
//! Knows no file: what other files say that a line names (IgnoreHosts, DomainWhitelistFile) is handed in by
//! [`OpenDmarcSite`].

mod action;
mod broken;
mod clients;
mod conf;
mod draft;
mod identity;
mod parameter;
mod rate;
mod reports;
mod service;
mod simple;
mod socket;
mod test_dns;

use landmarc_mail::text::{QUOTED_CHARS, excerpt};
use std::collections::BTreeMap;
use std::fmt;

pub use broken::{ConfError, ConfMistake, MAX_FILE_OCTETS, MAX_LINE_OCTETS};
pub use conf::{Conf, ConfEntry, read};
pub use parameter::{Kind, Parameter, SPELLINGS, Spelling, spelling};
pub use rate::Rate;
pub use test_dns::{MAX_TEST_RECORDS, test_records};

use draft::Draft;

/// The site that a settings file belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenDmarcSite {
    /// What the file is called, for comments.
    pub file: String,
    /// The name of the host, which takes the place of the word HOSTNAME.
    pub host_name: String,
    /// What the files say that [`Conf::files`] names; those that cannot be read are not here.
    pub files: BTreeMap<String, Vec<u8>>,
    /// Those of [`Conf::account`] that the host has none of.
    pub unknown_accounts: Vec<String>,
}

/// Our settings, and how they came about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenDmarcTranslation {
    /// The settings file: TOML, with a comment for each line of the old one.
    pub toml: String,
    /// What became of each line, in the order of the old file.
    pub lines: Vec<ConfLine>,
}

impl OpenDmarcTranslation {
    /// The line of the old file that a setting of ours comes from.
    #[must_use]
    pub fn origin(&self, key: &str) -> Option<&ConfLine> {
        self.lines
            .iter()
            .find(|line| line.keys.iter().any(|known| known == key))
    }
}

/// What became of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfLine {
    /// Its number, from 1; none where the command line says it.
    pub line: Option<usize>,
    /// What it sets.
    pub parameter: Parameter,
    /// By which name.
    pub name: &'static str,
    /// To what.
    pub value: String,
    /// The settings of ours that came of it, by their full names.
    pub keys: Vec<String>,
    /// Why, what is better now, and what to know about it; in whole sentences.
    pub why: Vec<String>,
    /// Whether the operator should look at it.
    pub needs_a_look: bool,
}

impl ConfLine {
    /// `line 7`, or `command line`.
    #[must_use]
    pub fn place(&self) -> String {
        self.line
            .map_or_else(|| "command line".to_owned(), |line| format!("line {line}"))
    }

    /// All that is said about it.
    #[must_use]
    pub fn notes(&self) -> String {
        self.why.join(" ")
    }
}

/// `line 7, Syslog true`, the value cut short.
impl fmt::Display for ConfLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = excerpt(&self.value, QUOTED_CHARS);
        write!(f, "{}, {} {shown}", self.place(), self.name)
    }
}

/// Says in our settings what the file comes to. What they would not take is not written: its line has a note.
#[must_use]
pub fn translate(conf: &Conf, site: &OpenDmarcSite) -> OpenDmarcTranslation {
    let mut draft = Draft::new(conf, site);
    identity::translate(&mut draft);
    simple::translate(&mut draft);
    service::translate(&mut draft);
    action::translate(&mut draft);
    clients::translate(&mut draft);
    reports::translate(&mut draft);
    OpenDmarcTranslation {
        toml: draft.finish(),
        lines: draft.lines(),
    }
}
