//! The list of differences that are meant, each with its reason.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use super::lines::Hunk;
use crate::Finding;
use crate::source::Workspace;

/// Where it is.
pub(super) const LIST: &str = "xtask/intended-differences.txt";
/// The kind by which settings are translated before the new program reads them.
pub(super) const SETTINGS: &str = "settings given";
/// The kind by which arguments are translated.
pub(super) const ARGUMENTS: &str = "arguments given";

/// All of them.
pub(super) struct Intended(Vec<Entry>);

/// One difference that is meant, for some kinds of cases; its reason is for those who read the list.
#[derive(Debug)]
struct Entry {
    line: usize,
    kinds: String,
    change: Change,
    used: AtomicBool,
}

#[derive(Debug, PartialEq, Eq)]
enum Change {
    /// `old => new`: a name that is called otherwise.
    Renamed(String, String),
    /// `- line`, `*` for any text: a line that is there no more.
    Gone(String),
    /// `+ line`: a line that is new.
    New(String),
}

impl Intended {
    pub(super) fn read(workspace: &Workspace) -> io::Result<Self> {
        let file = workspace.files.iter().find(|file| file.path == LIST);
        let text = file.ok_or(io::ErrorKind::NotFound)?;
        Self::parse(&text.text).map_err(io::Error::other)
    }

    /// Reads `[kind, kind]` lines, entries below them, and below each entry its reason, indented.
    fn parse(text: &str) -> Result<Self, String> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut kinds = "";
        let mut reasoned = true;
        for (line, number) in text.lines().zip(1..) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if line.starts_with(' ') {
                reasoned = true;
                continue;
            }
            if !reasoned {
                return Err(format!("line {number}: the entry above has no reason"));
            }
            if let Some(inner) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
                kinds = inner;
                continue;
            }
            let change = match line.split_once(" => ") {
                Some((old, new)) => Change::Renamed(old.to_owned(), new.to_owned()),
                None => match (line.strip_prefix("- "), line.strip_prefix("+ ")) {
                    (Some(gone), _) => Change::Gone(gone.to_owned()),
                    (_, Some(new)) => Change::New(new.to_owned()),
                    _ => {
                        return Err(format!(
                            "line {number}: neither `old => new` nor `- line` nor `+ line`"
                        ));
                    }
                },
            };
            reasoned = false;
            entries.push(Entry {
                line: number,
                kinds: kinds.to_owned(),
                change,
                used: AtomicBool::new(false),
            });
        }
        match reasoned {
            true => Ok(Self(entries)),
            false => Err("the last entry has no reason".to_owned()),
        }
    }

    fn of<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Entry> {
        self.0
            .iter()
            .filter(move |entry| entry.kinds.split(", ").any(|one| matches(one, kind)))
    }

    /// What a text of before is expected to be after.
    pub(super) fn expected(&self, kind: &str, text: &str) -> String {
        let mut text = text.to_owned();
        for entry in self.of(kind) {
            if let Change::Renamed(old, new) = &entry.change
                && let Some(changed) = replace_words(&text, old, new)
            {
                entry.used.store(true, Ordering::Relaxed);
                text = changed;
            }
        }
        text
    }

    /// What of a difference is not meant.
    pub(super) fn rest(&self, kind: &str, mut hunk: Hunk) -> Option<Hunk> {
        for entry in self.of(kind) {
            let (lines, pattern) = match &entry.change {
                Change::Gone(pattern) => (&mut hunk.old, pattern),
                Change::New(pattern) => (&mut hunk.new, pattern),
                Change::Renamed(..) => continue,
            };
            let count = lines.len();
            lines.retain(|line| !matches(pattern, line));
            entry.used.fetch_or(lines.len() < count, Ordering::Relaxed);
        }
        (hunk != Hunk::default()).then_some(hunk)
    }

    /// Entries that met nothing.
    pub(super) fn unused(&self) -> impl Iterator<Item = Finding> {
        let unused = self.0.iter().filter(|entry| !entry.used.load(Ordering::Relaxed));
        unused.map(|entry| Finding::new(LIST, entry.line, "there is no such difference: remove the entry"))
    }
}

/// The text with the words replaced, where they are no parts of longer words; none when they are not in it.
fn replace_words(text: &str, old: &str, new: &str) -> Option<String> {
    let is_word = |character: char| character.is_alphanumeric() || character == '_';
    let mut replaced = String::new();
    let mut done = 0;
    for (at, _) in text.match_indices(old) {
        let end = at + old.len();
        let begins_within = old.starts_with(is_word) && text[..at].ends_with(is_word);
        let ends_within = old.ends_with(is_word) && text[end..].starts_with(is_word);
        if !begins_within && !ends_within {
            replaced += &text[done..at];
            replaced += new;
            done = end;
        }
    }
    (done > 0).then(|| replaced + &text[done..])
}

/// Whether a text is the pattern, in which `*` stands for any text.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, rest)) => text.strip_prefix(start).is_some_and(|text| {
            let ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
            ends.into_iter().any(|at| matches(rest, &text[at..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        "# list\n[check, help*]\ndoor => interface\n  The word.\n- gone *\n  Needless.\n+ new\n  Needed.\n";

    fn hunk(old: &[&str], new: &[&str]) -> Hunk {
        let lines = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect();
        Hunk {
            old: lines(old),
            new: lines(new),
        }
    }

    #[test]
    fn names_are_expected_to_change_as_whole_words_and_by_kind() {
        let list = Intended::parse(TEXT).unwrap();
        assert_eq!(
            list.expected("check", "door=x doors door"),
            "interface=x doors interface"
        );
        assert_eq!(list.expected("help of serve", "door"), "interface");
        assert_eq!(list.expected("man", "door"), "door");
    }

    #[test]
    fn what_nobody_meant_is_left() {
        let list = Intended::parse(TEXT).unwrap();
        assert_eq!(list.rest("check", hunk(&["gone with it"], &["new"])), None);
        assert_eq!(
            list.rest("check", hunk(&["gone"], &["new"])),
            Some(hunk(&["gone"], &[]))
        );
        assert_eq!(list.unused().count(), 1);
    }

    #[test]
    fn an_entry_has_a_reason() {
        assert!(Intended::parse("[a]\na => b\n").is_err());
        assert!(Intended::parse("[a]\na => b\n- c\n  Why.\n").is_err());
        assert!(Intended::parse("[a]\na\n  Why.\n").is_err());
    }
}
