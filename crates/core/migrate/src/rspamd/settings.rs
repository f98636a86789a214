//! From rspamd's DMARC and Redis sections to our settings file: each option becomes settings of ours, or there
//! is a reason why it does not (checklist R1, R4, R10).

mod options;

use std::collections::{BTreeMap, BTreeSet};

use landmarc_mail::text::excerpt;

use super::ucl::{self, UclEntry};
use crate::file::{self, Setting, accepted, comment};
use landmarc_settings::{key, toml_string};
use options::{Outcome, Rank, outcome};

/// Where the parts of a relay are kept until both are known: they are one setting of ours.
const RELAY_HOST: &str = "report.delivery.relay host";
const RELAY_PORT: &str = "report.delivery.relay port";
const RELAY: &str = key!(report.delivery.relay);

/// A file of rspamd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConfigFile<'f> {
    /// Its path. What is called `dmarc.conf` or `redis.conf` is the inside of that section, as in `local.d`,
    /// unless it has the section itself; and so is what has the options of the DMARC module and no others.
    pub path: &'f str,
    /// What is in it.
    pub octets: &'f [u8],
}

/// What the files come to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RspamdTranslation {
    /// A settings file of ours; comments say where each line comes from.
    pub toml: String,
    /// What became of each option, in the order of the files.
    pub lines: Vec<OptionLine>,
    /// What could not be understood, in the order of the files.
    pub broken: Vec<OptionMistake>,
}

/// An option, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionLine {
    /// The path of the file.
    pub file: String,
    /// The line in it, from 1.
    pub line: usize,
    /// The option with its sections: `dmarc.reporting.email`.
    pub option: String,
    /// The settings of ours that say it; none where none does.
    pub keys: Vec<&'static str>,
    /// In words: why not, or what to look at.
    pub note: &'static str,
}

/// A line that could not be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {what}")]
pub struct OptionMistake {
    /// The path of the file.
    pub file: String,
    /// The line in it, from 1.
    pub line: usize,
    /// What is wrong; foreign text in it is quoted.
    pub what: String,
    /// What can be done.
    pub remedy: &'static str,
}

/// Translates these files; of two that say the same, the later one counts.
#[must_use]
pub fn translate(files: &[ConfigFile<'_>]) -> RspamdTranslation {
    let mut work = Work::default();
    for file in files {
        work.take(file);
    }
    work.end()
}

#[derive(Default)]
struct Work {
    /// The settings so far: how much the option counts, the value, and where it stands.
    chosen: BTreeMap<&'static str, Chosen>,
    /// The sections of other modules that were told.
    others: BTreeSet<(String, String)>,
    /// What remains to be done by hand: comments at the top of the file.
    remarks: Vec<String>,
    translation: RspamdTranslation,
}

struct Chosen {
    rank: Rank,
    value: String,
    /// The line it comes from; none where it follows from others.
    from: Option<(String, usize, String)>,
}

impl Work {
    fn take(&mut self, file: &ConfigFile<'_>) {
        let (said, faults) = ucl::read(file.octets);
        let implied = implied_section(file.path).or_else(|| section_of(&said));
        let before = self.translation.lines.len();
        for said in said {
            self.take_one(file.path, implied, said);
        }
        self.refuse_unused(file.path, before);
        for fault in faults {
            self.refuse(file.path, fault.line, fault.wrong.to_string(), fault.remedy());
        }
    }

    /// A file that has the options of other modules alone is a mistake: nobody would hear that nothing was done.
    fn refuse_unused(&mut self, file: &str, before: usize) {
        let lines = self.translation.lines.get(before..).unwrap_or_default();
        let Some(first) = lines
            .first()
            .filter(|_| lines.iter().all(|line| line.note == OF_ANOTHER))
        else {
            return;
        };
        let line = first.line;
        if self.translation.broken.iter().any(|broken| broken.file == file) {
            return;
        }
        let what = "nothing in this file is of the DMARC or Redis module".to_owned();
        let remedy = "if it is the inside of such a section, as in local.d, call it dmarc.conf or redis.conf, or put \
                     dmarc { } around it; else leave it out";
        self.refuse(file, line, what, remedy);
    }

    fn refuse(&mut self, file: &str, line: usize, what: String, remedy: &'static str) {
        let file = file.to_owned();
        let broken = OptionMistake {
            file,
            line,
            what,
            remedy,
        };
        self.translation.broken.push(broken);
    }

    fn take_one(&mut self, file: &str, implied: Option<&str>, mut said: UclEntry) {
        let is_implied = |section: &&str| said.path.first().is_none_or(|first| first != section);
        if let Some(section) = implied.filter(is_implied) {
            said.path.insert(0, section.to_owned());
        }
        let option = one_line(&said.path.join("."));
        let path: Vec<&str> = said.path.iter().map(String::as_str).collect();
        let mut line = OptionLine {
            file: file.to_owned(),
            line: said.line,
            option,
            keys: Vec::new(),
            note: "",
        };
        match outcome(&path, &said.value) {
            Outcome::Nothing => return,
            Outcome::OfAnother => {
                let section = path.first().copied().unwrap_or_default().to_owned();
                if !self.others.insert((file.to_owned(), section.clone())) {
                    return;
                }
                line.option = section;
                line.note = OF_ANOTHER;
            }
            Outcome::Left(why) => line.note = why,
            Outcome::Include { what, why } => {
                line.option = one_line(&[line.option.as_str(), what].join(" "))
                    .trim_start()
                    .to_owned();
                line.note = why;
            }
            Outcome::ByHand(why) => {
                line.note = why;
                let remark = format!("{}:{}: {}: {why}", line.file, line.line, line.option);
                self.remarks.push(one_line(&remark));
            }
            Outcome::Wrong { what, remedy } => {
                return self.refuse(file, line.line, format!("{}: {what}", line.option), remedy);
            }
            Outcome::Set { rank, settings, note } => {
                line.note = note;
                for (key, value) in settings {
                    line.keys.push(
                        key.strip_suffix(" host")
                            .or(key.strip_suffix(" port"))
                            .unwrap_or(key),
                    );
                    if let Err(why) = self.set(key, value, rank, &line) {
                        let remedy = "correct the value, or take the line out and set ours by hand";
                        return self.refuse(file, line.line, format!("{}: {why}", line.option), remedy);
                    }
                }
            }
        }
        self.translation.lines.push(line);
    }

    /// Sets one of ours, unless an option that counts more has set it.
    fn set(&mut self, key: &'static str, value: String, rank: Rank, line: &OptionLine) -> Result<(), String> {
        if key != RELAY_HOST && key != RELAY_PORT {
            accepted(&format!("{key} = {value}\n"))?;
        }
        if self.chosen.get(key).is_none_or(|chosen| chosen.rank <= rank) {
            let from = Some((line.file.clone(), line.line, line.option.clone()));
            self.chosen.insert(key, Chosen { rank, value, from });
        }
        Ok(())
    }

    /// The settings file, below what is to be done by hand.
    fn end(mut self) -> RspamdTranslation {
        self.join_relay();
        self.spare_others();
        let remarks: String = self
            .remarks
            .iter()
            .map(|remark| format!("# {remark}\n"))
            .collect();
        let settings = self.chosen.into_iter().map(|(key, chosen)| {
            let from = match chosen.from {
                Some((file, line, option)) => format!("{file}:{line}: {option}"),
                None => "rspamd does nothing to these: they are marked, and no more".to_owned(),
            };
            Setting {
                key,
                value: chosen.value,
                comment: comment(&one_line(&from)),
            }
        });
        let toml = remarks + &file::print(settings);
        self.translation.toml = toml.trim_start().to_owned();
        self.translation
    }

    /// Mode "enforce" does more than one thing; what rspamd was not told to do is not done here either.
    fn spare_others(&mut self) {
        if !self.chosen.contains_key(key!(mode)) {
            return;
        }
        for (key, word) in [
            (key!(action.reject), "never"),
            (key!(action.quarantine), "header"),
        ] {
            self.chosen.entry(key).or_insert_with(|| Chosen {
                rank: 0,
                value: toml_string(word),
                from: None,
            });
        }
    }

    /// A relay is a host and a port; rspamd's own are at hand where one of them is not given.
    fn join_relay(&mut self) {
        let (host, port) = (self.chosen.remove(RELAY_HOST), self.chosen.remove(RELAY_PORT));
        let Some(first) = host.as_ref().or(port.as_ref()) else {
            return;
        };
        let (from, rank) = (first.from.clone(), first.rank);
        let part = |chosen: &Option<Chosen>, usual: &str| {
            let value = chosen.as_ref().map(|chosen| chosen.value.clone());
            value.unwrap_or_else(|| usual.to_owned())
        };
        let host = part(&host, "127.0.0.1");
        let host = if host.contains(':') {
            format!("[{host}]")
        } else {
            host
        };
        let value = toml_string(&format!("{host}:{}", part(&port, "25")));
        if let Err(why) = accepted(&format!("{RELAY} = {value}\n")) {
            let (file, line, option) = from.unwrap_or_default();
            let remedy = "correct the value, or take the line out and set report.delivery.relay by hand";
            return self.refuse(&file, line, format!("{option}: {why}"), remedy);
        }
        self.chosen.insert(RELAY, Chosen { rank, value, from });
    }
}

/// A foreign text as it can stand in a comment or a message.
fn one_line(text: &str) -> String {
    const MAX_CHARS: usize = 400;
    excerpt(text, MAX_CHARS)
}

/// What is said of sections that are of no use here.
const OF_ANOTHER: &str = "of another module; nothing of it is about DMARC";

/// Options that only the DMARC module has, and those that others have as well: they lie at the top of files that
/// are the inside of its section, of all releases.
const ONLY_OF_DMARC: &str =
    "reporting report_settings send_reports no_sampling_domains no_reporting_domains munging";
const OF_DMARC_TOO: &str = "actions symbols key_prefix auth_and_local_conf check_local check_authed enabled redis \
                            servers server read_servers write_servers username password db dbname database \
                            timeout sentinels prefix";

/// The section that a file is the inside of by what it says, where its name tells nothing: a copy, say.
fn section_of(said: &[UclEntry]) -> Option<&'static str> {
    let names: BTreeSet<_> = said
        .iter()
        .filter_map(|said| said.path.first().map(String::as_str))
        .collect();
    let is_in = |words: &str, name: &str| words.split_whitespace().any(|word| word == name);
    let is_known = |name: &&str| is_in(ONLY_OF_DMARC, name) || is_in(OF_DMARC_TOO, name);
    let is_dmarc = names.iter().any(|name| is_in(ONLY_OF_DMARC, name)) && names.iter().all(is_known);
    is_dmarc.then_some("dmarc")
}

/// The section that a file is the inside of by its name.
fn implied_section(path: &str) -> Option<&'static str> {
    let name = path.rsplit('/').next().unwrap_or(path);
    match name {
        "dmarc.conf" => Some("dmarc"),
        "redis.conf" => Some("redis"),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
