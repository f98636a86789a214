//! A settings file of ours under construction: each setting with the line it comes from and why.

use landmarc_mail::text::quoted;
use std::collections::BTreeMap;

use super::conf::{Conf, ConfEntry};
use super::parameter::Parameter;
use super::toml::{Setting, Value, comment, place_of, print};
use super::{ConfLine, OpenDmarcSite};

/// What became of a line.
#[derive(Default)]
struct ParameterMapping {
    keys: Vec<String>,
    why: Vec<String>,
    needs_a_look: bool,
}

/// The file under construction.
pub(super) struct Draft<'a> {
    pub(super) conf: &'a Conf,
    pub(super) site: &'a OpenDmarcSite,
    accepts: &'a dyn Fn(&str) -> Result<(), String>,
    settings: Vec<Setting>,
    mappings: BTreeMap<Parameter, ParameterMapping>,
    /// What is different although no line says so.
    unasked: Vec<String>,
}

impl<'a> Draft<'a> {
    pub(super) fn new(
        conf: &'a Conf,
        site: &'a OpenDmarcSite,
        accepts: &'a dyn Fn(&str) -> Result<(), String>,
    ) -> Self {
        Self {
            conf,
            site,
            accepts,
            settings: Vec::new(),
            mappings: BTreeMap::new(),
            unasked: Vec::new(),
        }
    }

    /// The line of this parameter becomes this setting. What our settings would not take is not
    /// written, but told; whether it was written.
    pub(super) fn set(
        &mut self,
        source: Parameter,
        (table, name): (&'static str, &'static str),
        value: impl Into<Value>,
        why: &str,
    ) -> bool {
        let key = key(table, name);
        let value = value.into();
        match self.takes(table, name, &value) {
            Ok(()) => {
                self.mappings.entry(source).or_default().keys.push(key);
                self.settings.push(Setting {
                    table,
                    name,
                    value,
                    source: Some(source),
                    why: why.to_owned(),
                });
                true
            }
            Err(refused) => {
                self.warn(source, &format!("not taken over: {refused}. Set {key} yourself"));
                false
            }
        }
    }

    /// As [`set`](Self::set) with the truth value of the line.
    pub(super) fn flag(&mut self, source: Parameter, key: (&'static str, &'static str), why: &str) {
        if let Some(flag) = self.conf.flag(source) {
            self.set(source, key, flag, why);
        }
    }

    /// As [`set`](Self::set) for a list, of which only the parts that are refused are left out.
    pub(super) fn set_list(
        &mut self,
        source: Parameter,
        (table, name): (&'static str, &'static str),
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
            match self.takes(table, name, &Value::List(vec![part.clone()])) {
                Ok(()) => taken.push(part),
                Err(refused) => {
                    let key = key(table, name);
                    self.warn(
                        source,
                        &format!("{} is left out of {key}: {refused}", quoted(&part)),
                    );
                }
            }
        }
        if !taken.is_empty() {
            self.set(source, (table, name), taken, why);
        }
    }

    /// What OpenDMARC does without being told, written out, because ours would do otherwise.
    pub(super) fn set_unasked(
        &mut self,
        (table, name): (&'static str, &'static str),
        value: impl Into<Value>,
        why: &str,
    ) {
        let value = value.into();
        if self.takes(table, name, &value).is_ok() {
            self.settings.push(Setting {
                table,
                name,
                value,
                source: None,
                why: why.to_owned(),
            });
        }
    }

    /// No setting comes of this line, and why, or what to know about it.
    pub(super) fn note(&mut self, source: Parameter, why: &str) {
        self.mappings.entry(source).or_default().why.push(why.to_owned());
    }

    /// The same, and the operator should look at it.
    pub(super) fn warn(&mut self, source: Parameter, why: &str) {
        self.note(source, why);
        self.mappings.entry(source).or_default().needs_a_look = true;
    }

    /// What is different although no line says so.
    pub(super) fn unasked(&mut self, what: &str) {
        self.unasked.push(what.to_owned());
    }

    /// Whether the settings so far would take this one as well.
    fn takes(&self, table: &'static str, name: &'static str, value: &Value) -> Result<(), String> {
        let candidate = Setting {
            table,
            name,
            value: value.clone(),
            source: None,
            why: String::new(),
        };
        let others = self
            .settings
            .iter()
            .filter(|other| (other.table, other.name) != (table, name));
        (self.accepts)(&print(others.chain([&candidate]), |_| String::new()))
    }

    /// What became of each line, in the order of the file; the command line last.
    pub(super) fn lines(&self) -> Vec<ConfLine> {
        let counting = self
            .conf
            .entries
            .iter()
            .filter(|entry| self.counts(entry))
            .map(|entry| {
                let mapping = self.mappings.get(&entry.parameter);
                let mut why = mapping.map(|mapping| mapping.why.clone()).unwrap_or_default();
                let of_settings = self
                    .settings
                    .iter()
                    .filter(|setting| setting.source == Some(entry.parameter));
                why.splice(
                    0..0,
                    of_settings
                        .map(|setting| setting.why.clone())
                        .filter(|why| !why.is_empty()),
                );
                ConfLine {
                    keys: mapping.map(|mapping| mapping.keys.clone()).unwrap_or_default(),
                    needs_a_look: mapping.is_some_and(|mapping| mapping.needs_a_look),
                    ..line(entry, why)
                }
            });
        let overridden = self.conf.overridden().map(|(entry, counts)| {
            let by = counts.line.map_or_else(
                || "the command line says it again".to_owned(),
                |line| format!("line {line} says it again"),
            );
            ConfLine {
                needs_a_look: counts.line.is_some() && counts.value != entry.value,
                ..line(
                    entry,
                    vec![format!("without effect: {by}, and the last one counts")],
                )
            }
        });
        let mut lines: Vec<_> = counting.chain(overridden).collect();
        lines.sort_by_key(|line| line.line.unwrap_or(usize::MAX));
        lines
    }

    fn counts(&self, entry: &ConfEntry) -> bool {
        self.conf
            .entry(entry.parameter)
            .is_some_and(|counts| std::ptr::eq(counts, entry))
    }

    /// The file: a word about it, the settings, and the lines that no setting came of.
    pub(super) fn finish(&self) -> String {
        let lines = self.lines();
        let mut file = self.preamble();
        let settings = print(self.settings.iter(), |setting| self.comment_of(setting, &lines));
        file += &settings;
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
        let is_first = self
            .first_of(source)
            .is_some_and(|first| std::ptr::eq(first, setting));
        let line = lines
            .iter()
            .find(|line| line.parameter == source && !line.keys.is_empty());
        let told = self
            .mappings
            .get(&source)
            .map(|mapping| mapping.why.join(" "))
            .unwrap_or_default();
        let text = match line {
            Some(line) if is_first => format!("{line}: {} {told}", setting.why),
            Some(line) => format!("{}: {}", line.place(), setting.why),
            None => setting.why.clone(),
        };
        comment(text.trim_end().trim_end_matches(':'))
    }

    /// Of the settings that come from one line, the one that is printed first.
    fn first_of(&self, source: Parameter) -> Option<&Setting> {
        let of_line = self
            .settings
            .iter()
            .filter(|setting| setting.source == Some(source));
        of_line.min_by_key(|setting| place_of(setting.table))
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

fn key(table: &str, name: &str) -> String {
    if table.is_empty() {
        name.to_owned()
    } else {
        format!("{table}.{name}")
    }
}
