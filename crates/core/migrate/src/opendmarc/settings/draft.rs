//! A settings file of ours under construction: each setting with the line it comes from and why.

use landmarc_mail::text::quoted;
use std::collections::BTreeMap;

use super::conf::{Conf, ConfEntry};
use super::parameter::Parameter;
use super::{ConfLine, OpenDmarcSite};
use crate::file::{self, accepted, comment, place_of, toml_list};
use landmarc_settings::toml_string;

/// One setting of ours.
struct Setting {
    key: &'static str,
    /// As TOML has it.
    value: String,
    /// The parameter whose line it comes from; none for what OpenDMARC does without being told.
    source: Option<Parameter>,
    why: String,
}

/// What is said of a line beside its settings.
#[derive(Clone, Default)]
struct Remarks {
    why: Vec<String>,
    needs_a_look: bool,
}

/// The file under construction.
pub(super) struct Draft<'a> {
    pub(super) conf: &'a Conf,
    pub(super) site: &'a OpenDmarcSite,
    settings: Vec<Setting>,
    remarks: BTreeMap<Parameter, Remarks>,
    /// What is different although no line says so.
    unasked: Vec<String>,
}

impl<'a> Draft<'a> {
    pub(super) fn new(conf: &'a Conf, site: &'a OpenDmarcSite) -> Self {
        Self {
            conf,
            site,
            settings: Vec::new(),
            remarks: BTreeMap::new(),
            unasked: Vec::new(),
        }
    }

    /// The line of this parameter becomes this setting with this text; whether our settings take it.
    pub(super) fn set(&mut self, source: Parameter, key: &'static str, text: &str, why: &str) -> bool {
        self.set_toml(source, key, toml_string(text), why)
    }

    /// As [`set`](Self::set) with the truth value of the line.
    pub(super) fn flag(&mut self, source: Parameter, key: &'static str, why: &str) {
        if let Some(flag) = self.conf.flag(source) {
            self.set_toml(source, key, flag.to_string(), why);
        }
    }

    /// As [`set`](Self::set) for a list, of which only the parts that are refused are left out.
    pub(super) fn set_list(
        &mut self,
        source: Parameter,
        key: &'static str,
        parts: impl IntoIterator<Item = String>,
        why: &str,
    ) {
        let mut taken: Vec<String> = Vec::new();
        let mut parts = parts.into_iter().peekable();
        if parts.peek().is_none() {
            self.warn(source, "It names nobody.");
        }
        for part in parts {
            if taken.contains(&part) {
                continue;
            }
            match self.takes(key, &toml_list(&[&part])) {
                Ok(()) => taken.push(part),
                Err(refused) => {
                    let part = quoted(&part);
                    self.warn(source, &format!("{part} is left out of {key}: {refused}"));
                }
            }
        }
        if !taken.is_empty() {
            self.set_toml(source, key, toml_list(&taken), why);
        }
    }

    /// As [`set`](Self::set) with a value as TOML has it. What our settings would not take is not written: the line
    /// has a note.
    pub(super) fn set_toml(
        &mut self,
        source: Parameter,
        key: &'static str,
        value: String,
        why: &str,
    ) -> bool {
        match self.takes(key, &value) {
            Ok(()) => {
                self.add(Some(source), key, value, why);
                true
            }
            Err(refused) => {
                self.warn(source, &format!("not taken over: {refused}. Set {key} yourself"));
                false
            }
        }
    }

    /// What OpenDMARC does without being asked, written out as TOML, because ours would do otherwise.
    pub(super) fn set_unasked(&mut self, key: &'static str, value: impl Into<String>, why: &str) {
        let value = value.into();
        if self.takes(key, &value).is_ok() {
            self.add(None, key, value, why);
        }
    }

    fn add(&mut self, source: Option<Parameter>, key: &'static str, value: String, why: &str) {
        let why = why.to_owned();
        self.settings.push(Setting {
            key,
            value,
            source,
            why,
        });
    }

    /// No setting comes of this line, and why, or what to know about it.
    pub(super) fn note(&mut self, source: Parameter, why: &str) {
        self.remarks.entry(source).or_default().why.push(why.to_owned());
    }

    /// The same, and the operator should look at it.
    pub(super) fn warn(&mut self, source: Parameter, why: &str) {
        self.note(source, why);
        self.remarks.entry(source).or_default().needs_a_look = true;
    }

    /// What is different although no line says so.
    pub(super) fn unasked(&mut self, what: &str) {
        self.unasked.push(what.to_owned());
    }

    /// Whether the settings so far would take this one as well.
    fn takes(&self, key: &'static str, value: &str) -> Result<(), String> {
        let others = self.settings.iter().filter(|other| other.key != key);
        let others: String = others
            .map(|other| format!("{} = {}\n", other.key, other.value))
            .collect();
        accepted(&format!("{others}{key} = {value}\n"))
    }

    /// What became of each line, in the order of the file; the command line last.
    pub(super) fn lines(&self) -> Vec<ConfLine> {
        let lines = self.conf.entries.iter().map(|entry| {
            let counts = self.conf.entry(entry.parameter);
            match counts.filter(|counts| !std::ptr::eq(*counts, entry)) {
                Some(counts) => without_effect(entry, counts),
                None => self.effective(entry),
            }
        });
        let mut lines: Vec<_> = lines.collect();
        lines.sort_by_key(|line| line.line.unwrap_or(usize::MAX));
        lines
    }

    fn effective(&self, entry: &ConfEntry) -> ConfLine {
        let Remarks { why, needs_a_look } = self.remarks.get(&entry.parameter).cloned().unwrap_or_default();
        let of_settings = self.of_line(entry.parameter).map(|setting| setting.why.clone());
        let all = of_settings.filter(|why| !why.is_empty()).chain(why);
        ConfLine {
            keys: self
                .of_line(entry.parameter)
                .map(|setting| setting.key.to_owned())
                .collect(),
            needs_a_look,
            ..line(entry, all.collect())
        }
    }

    /// The settings that come from one line.
    fn of_line(&self, source: Parameter) -> impl Iterator<Item = &Setting> {
        self.settings
            .iter()
            .filter(move |setting| setting.source == Some(source))
    }

    /// The file: a word about it, the settings, and the lines that no setting came of.
    pub(super) fn finish(&self) -> String {
        let lines = self.lines();
        let mut file = self.preamble();
        file += &file::print(self.settings.iter().map(|setting| file::Setting {
            key: setting.key,
            value: setting.value.clone(),
            comment: self.comment_of(setting, &lines),
        }));
        let left: Vec<_> = lines.iter().filter(|line| line.keys.is_empty()).collect();
        if !left.is_empty() {
            file += "\n# Of these lines nothing is left to set:\n";
        }
        for line in left {
            file += &comment(&format!("{line}: {}", line.notes()));
        }
        file
    }

    fn preamble(&self) -> String {
        let mut text = comment(&format!(
            "Settings of landmarc, translated from {} of OpenDMARC. Each stands below the line that it comes \
             from. docs/from-opendmarc.md tells the rest; \"landmarc config check\" reads this file.",
            quoted(&self.site.file)
        ));
        for what in &self.unasked {
            text += "#\n";
            text += &comment(what);
        }
        text
    }

    /// The line that a setting comes from, where no setting before has told it, and why.
    fn comment_of(&self, setting: &Setting, lines: &[ConfLine]) -> String {
        let Some(source) = setting.source else {
            return comment(&setting.why);
        };
        let first = self.of_line(source).min_by_key(|setting| place_of(setting.key));
        let is_first = first.is_some_and(|first| std::ptr::eq(first, setting));
        let line = lines
            .iter()
            .find(|line| line.parameter == source && !line.keys.is_empty());
        let remarks = self.remarks.get(&source);
        let told = remarks.map_or_else(String::new, |remarks| remarks.why.join(" "));
        let text = match line {
            Some(line) if is_first => format!("{line}: {} {told}", setting.why),
            Some(line) => format!("{}: {}", line.place(), setting.why),
            None => setting.why.clone(),
        };
        comment(text.trim_end().trim_end_matches(':'))
    }
}

/// A line that another one takes the effect from.
fn without_effect(entry: &ConfEntry, counts: &ConfEntry) -> ConfLine {
    let by = counts
        .line
        .map_or_else(|| "the command line".to_owned(), |line| format!("line {line}"));
    let why = format!("without effect: {by} says it again, and the last one counts");
    ConfLine {
        needs_a_look: counts.line.is_some() && counts.value != entry.value,
        ..line(entry, vec![why])
    }
}

fn line(entry: &ConfEntry, mut why: Vec<String>) -> ConfLine {
    if let Some(now) = entry.now {
        why.push(format!("OpenDMARC calls it {now} since 1.3."));
    }
    ConfLine {
        line: entry.line,
        parameter: entry.parameter,
        name: entry.name,
        value: entry.value.clone(),
        keys: Vec::new(),
        why,
        needs_a_look: false,
    }
}
