//! From `mail-dmarc.ini` to our settings file.

mod model;
mod plan;
mod render;

pub use self::model::Note;
use self::plan::Plan;
use super::database::{Database, UnknownDatabase};
use super::ini::{self, Entry};
use super::keys::{KeyMapping, is_sample, key, known_name};
use super::mistake::{IniError, IniMistake, in_order};

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
        settings: render::file(&plan.settings, &notes),
        notes,
        database: plan.database,
        whitelist: plan.whitelist,
    })
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
        Some(KeyMapping::Becomes(_) | KeyMapping::Store) => None,
    }
}

#[cfg(test)]
mod tests;
