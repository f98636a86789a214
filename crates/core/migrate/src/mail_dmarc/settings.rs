//! From `mail-dmarc.ini` to our settings file.

mod plan;

use std::fmt::Write as _;

use landmarc_mail::text::visible;

use self::plan::Plan;
use super::database::{Database, UnknownDatabase};
use super::ini::{self, Entry};
use super::keys::{KeyMapping, is_sample, key, known_name};
use super::mistake::{IniError, IniMistake, in_order};
use crate::file::{self, Setting};

/// What a settings file of Mail::DMARC comes to.
#[derive(Clone, Debug)]
pub struct MailDmarcTranslation {
    /// A settings file of ours, in TOML, with a comment at each key that says where it comes from.
    pub settings: String,
    /// What an operator should know: what is left out and why, what is to be done by hand.
    pub notes: Vec<Note>,
    /// Where the records are.
    pub database: Option<Result<Database, UnknownDatabase>>,
    /// The file that `[smtp] whitelist` names, for [`rules`](super::rules).
    pub whitelist: Option<String>,
}

/// Something that an operator should know about a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Counted from 1.
    pub line: usize,
    /// `[section] key`, as written.
    pub key: String,
    /// What there is to know.
    pub text: String,
}

impl Note {
    fn about(entry: &Entry, text: impl Into<String>) -> Self {
        Self {
            line: entry.line,
            key: format!("[{}] {}", entry.section, entry.key),
            text: text.into(),
        }
    }
}

/// Translates `mail-dmarc.ini`.
///
/// # Errors
/// Every mistake of the file with its line. A key that Mail::DMARC does not know is none, since
/// Mail::DMARC ignores it: there is a note about it.
pub fn translate(file: &[u8]) -> Result<MailDmarcTranslation, Vec<IniMistake>> {
    let (entries, mut mistakes) = ini::read(file);
    let mut notes = Vec::new();
    let entries = in_force(entries, &mut notes, &mut mistakes);
    let mut plan = Plan::new(&entries);
    plan.make();
    mistakes.append(&mut plan.mistakes);
    if !mistakes.is_empty() {
        return Err(in_order(mistakes));
    }
    notes.append(&mut plan.notes);
    notes.sort_by_key(|note| note.line);
    Ok(MailDmarcTranslation {
        settings: file_of(plan.settings, &notes),
        notes,
        database: plan.database,
        whitelist: plan.whitelist,
    })
}

/// The file, with what is left out as comments at its end.
fn file_of(settings: Vec<Setting>, notes: &[Note]) -> String {
    let mut file = "# Made from mail-dmarc.ini. Whatever is not mentioned is at its default.\n".to_owned();
    file += &file::print(settings);
    if !notes.is_empty() {
        file.push_str("\n# What there is to know about the other file:\n");
    }
    for note in notes {
        // The key is foreign text, and must not end its comment.
        let key = visible(&note.key);
        let _ = writeln!(file, "# line {}: {key}: {}", note.line, note.text);
    }
    file
}

/// The entries that say something: each key once, none that is empty, unknown, left out or a sample.
fn in_force(entries: Vec<Entry>, notes: &mut Vec<Note>, mistakes: &mut Vec<IniMistake>) -> Vec<Entry> {
    let mut kept: Vec<Entry> = Vec::new();
    for entry in entries {
        if entry.section.is_empty() {
            let key = known_name(&entry.key);
            mistakes.push(IniMistake::new(entry.line, IniError::NoSection { key }));
            continue;
        }
        if let Some(at) = kept.iter().position(|other| is_same_key(other, &entry)) {
            let earlier = kept.remove(at);
            let text = format!("line {} says it again, and the last one counts", entry.line);
            notes.push(Note::about(&earlier, text));
        }
        kept.push(entry);
    }
    kept.retain(|entry| match left_out(entry) {
        Some(text) => {
            if !entry.value.is_empty() {
                notes.push(Note::about(entry, text));
            }
            false
        }
        None => !entry.value.is_empty(),
    });
    kept
}

fn is_same_key(one: &Entry, other: &Entry) -> bool {
    one.section == other.section && one.key == other.key
}

/// Why this entry is not taken over, if it is not.
fn left_out(entry: &Entry) -> Option<String> {
    match key(&entry.section, &entry.key).map(|key| key.mapping) {
        None => Some("left out: Mail::DMARC has no such key, and ignores it".to_owned()),
        Some(KeyMapping::LeftOut(why)) => Some(format!("left out: {why}")),
        Some(_) if is_sample(&entry.section, &entry.key, &entry.value) => {
            Some("left out: this is what the sample file says".to_owned())
        }
        Some(KeyMapping::Becomes(..) | KeyMapping::Together) => None,
    }
}

#[cfg(test)]
mod tests;
