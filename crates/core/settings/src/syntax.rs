//! Mistakes that are those of no key: of the grammar of TOML, and of the whole file.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use crate::limits::MAX_FILE_OCTETS;
use crate::mistake::{Mistake, MistakeKind, Mistakes};
use crate::place::{FilePosition, LineIndex};
use landmarc_mail::text::quoted;
use toml::Spanned;
use toml::de::DeTable;

/// Reads the grammar of a file: what could be read of it, which goes on after a mistake and bounds the depth of nesting,
/// and its mistakes.
///
/// # Errors
/// Where the file is too long.
pub(crate) fn parse<'t>(
    text: &'t str,
    lines: &LineIndex<'_>,
) -> Result<(Spanned<DeTable<'t>>, Vec<Mistake>), Mistakes> {
    if text.len() > MAX_FILE_OCTETS {
        let wrong = MistakeKind::FileTooLong { octets: text.len() };
        return Err(Mistake {
            place: Some(FilePosition { line: 1, column: 1 }),
            key: String::new(),
            wrong,
        }
        .into());
    }
    let (table, errors) = DeTable::parse_recoverable(text);
    let mistakes = errors.iter().map(|error| syntax_mistake(error, lines)).collect();
    Ok((table, mistakes))
}

/// The one mistake of octets that are no UTF-8 after the first `valid`.
pub(crate) fn not_utf8(octets: &[u8], valid: usize) -> Mistakes {
    let text = octets
        .get(..valid)
        .and_then(|start| str::from_utf8(start).ok())
        .unwrap_or_default();
    let place = Some(LineIndex::new(text).place(valid));
    Mistake {
        place,
        key: String::new(),
        wrong: MistakeKind::NotUtf8,
    }
    .into()
}

/// Puts the two kinds together. One line, one broken rule: what a line with broken syntax
/// seemed to say is a guess of the parser, so nothing else is reported for it. In turn the
/// syntax mistake is reported with the key of that line.
pub(crate) fn with_syntax(
    mistakes: Vec<Mistake>,
    syntax: Vec<Mistake>,
    keys: &BTreeMap<usize, &str>,
) -> Vec<Mistake> {
    let mut by_line: BTreeMap<usize, Mistake> = BTreeMap::new();
    for mut mistake in syntax {
        let Some(FilePosition { line, .. }) = mistake.place else {
            continue;
        };
        mistake.key = keys.get(&line).map_or_else(String::new, |&key| key.to_owned());
        match by_line.entry(line) {
            Entry::Vacant(entry) => drop(entry.insert(mistake)),
            Entry::Occupied(mut first) if mistake.place < first.get().place => drop(first.insert(mistake)),
            Entry::Occupied(_) => {}
        }
    }
    let undisturbed = |mistake: &Mistake| {
        mistake
            .place
            .is_none_or(|place| !by_line.contains_key(&place.line))
    };
    let others: Vec<_> = mistakes.into_iter().filter(undisturbed).collect();
    by_line.into_values().chain(others).collect()
}

fn syntax_mistake(error: &toml::de::Error, lines: &LineIndex<'_>) -> Mistake {
    let start = error.span().map_or(0, |span| span.start);
    let place = lines.place(start);
    let line = quoted(lines.line(place.line).trim());
    let message = syntax_in_words(error.message(), lines.text.get(start..).unwrap_or_default());
    Mistake {
        place: Some(place),
        key: String::new(),
        wrong: MistakeKind::Syntax { message, line },
    }
}

/// What the parser says, but for the two slips it says too little of.
fn syntax_in_words(message: &str, rest: &str) -> String {
    let unquoted = message.starts_with("string values must be quoted");
    let nothing_left = rest
        .lines()
        .next()
        .is_none_or(|line| line.trim().is_empty() || line.starts_with('#'));
    match (unquoted, nothing_left) {
        (true, true) => "there is no value".to_owned(),
        (true, false) => "a value that is no number, true or false must be in quotes".to_owned(),
        (false, _) => message.to_owned(),
    }
}
