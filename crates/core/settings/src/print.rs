//! What is printed from the declarations: the sample file, the page, the effective settings.

use std::fmt::Write as _;

use crate::Settings;
use crate::key::{Item, Key};
use crate::text::{paragraphs, toml_string};

/// How wide the prose of the sample file is, in characters.
const COLUMNS: usize = 78;

/// The sample file: every key, commented out at its default, with its explanation. As it
/// is, it reads as [`Settings::default`].
#[must_use]
pub fn default_file() -> String {
    let mut file = comment(
        "Settings of landmarc. Every key is here, commented out at its default: to change one, take away \
         the # in front of it. `landmarc config check` reads the file and tells every mistake with its line; \
         `landmarc config show` prints what is in force.",
    );
    for item in Settings::default().items() {
        match item {
            Item::Table { name, intro } => {
                let rule = "#".repeat(COLUMNS);
                let _ = write!(file, "\n{rule}\n{}[{name}]\n", comment(&intro));
            }
            Item::Key { key, .. } => {
                let _ = write!(
                    file,
                    "\n{}#{} = {}\n",
                    explanation(&key),
                    key.last_name(),
                    key.default
                );
            }
        }
    }
    file
}

/// What stands above a key in the sample file.
fn explanation(key: &Key) -> String {
    let mut text = comment(&key.help);
    for choice in key.choices {
        let line = format!("{} - {}", toml_string(choice.word), paragraphs(choice.help));
        text += &wrapped(&line, "#   ", "#     ");
    }
    let takes_effect = if key.reloads {
        "at a reload"
    } else {
        "at a restart"
    };
    text + &comment(&format!(
        "({}; changed {takes_effect}; since {})",
        kind_and_range(key),
        key.since
    ))
}

/// What the key takes, in one phrase: `duration, "1s" to "1h", in ms, s, m, h or d`.
fn kind_and_range(key: &Key) -> String {
    let mut phrase = key.kind.clone();
    // The words of a choice are listed with what they mean.
    if key.choices.is_empty() {
        let _ = write!(phrase, ", {}", key.allowed);
        // A plain number counts its unit; other values are written with theirs.
        let joint = if key.allowed.ends_with(|c: char| c.is_ascii_digit()) {
            " "
        } else {
            ", in "
        };
        if let Some(unit) = key.unit {
            let _ = write!(phrase, "{joint}{unit}");
        }
    }
    phrase
}

/// The reference of all keys, in Markdown: the text of `docs/settings.md`.
#[must_use]
pub fn manual() -> String {
    let mut page = String::from(
        "# Settings\n\n\
         <!-- Printed from the declarations in crates/core/settings; edit them, not this page. -->\n\n\
         The settings file is TOML. What it does not mention is at its default; without a file, everything is.\n\
         `landmarc config check` reads it and tells every mistake with its line, `landmarc config show` prints\n\
         what is in force. A reload that finds a mistake keeps the settings that are running.\n\n\
         Durations are a whole number and its unit: `ms`, `s`, `m`, `h` or `d`. Sizes are a number of octets, or\n\
         text with `KiB`, `MiB` or `GiB`. Networks are an address, or an address and a prefix length.\n\n\
         ## Outside any table\n",
    );
    for item in Settings::default().items() {
        match item {
            Item::Table { name, intro } => {
                let _ = write!(page, "\n## `[{name}]`\n\n{intro}\n");
            }
            Item::Key { key, .. } => page += &manual_entry(&key),
        }
    }
    page
}

fn manual_entry(key: &Key) -> String {
    let mut entry = format!("\n### `{}`\n\n{}\n\n", key.name, key.help);
    for choice in key.choices {
        let _ = writeln!(
            entry,
            "* `{}`: {}",
            toml_string(choice.word),
            paragraphs(choice.help)
        );
    }
    if !key.choices.is_empty() {
        entry.push('\n');
    }
    let takes_effect = if key.reloads { "a reload" } else { "a restart" };
    let _ = write!(
        entry,
        "| | |\n|---|---|\n| Takes | {} |\n| Default | `{}` |\n| Changed by | {takes_effect} |\n| Since | {} |\n",
        kind_and_range(key),
        key.default,
        key.since,
    );
    entry
}

/// The full names of the keys that have another value in `new` than in `old`, and that a
/// reload does not take up.
#[must_use]
pub fn restarts(old: &Settings, new: &Settings) -> Vec<String> {
    let pairs = old.items().into_iter().zip(new.items());
    let changed = pairs.filter_map(|pair| match pair {
        (Item::Key { value: before, .. }, Item::Key { key, value }) if value != before && !key.reloads => {
            Some(key.name)
        }
        _ => None,
    });
    changed.collect()
}

/// The settings in force, as a file that reads back to them. What is not at its default
/// is marked with a comment that tells the default.
#[must_use]
pub fn show(settings: &Settings) -> String {
    let mut file = String::new();
    for item in settings.items() {
        match item {
            Item::Table { name, .. } => {
                let _ = write!(file, "\n[{name}]\n");
            }
            Item::Key { key, value } if value == key.default => {
                let _ = writeln!(file, "{} = {value}", key.last_name());
            }
            Item::Key { key, value } => {
                let _ = writeln!(file, "{} = {value}  # default: {}", key.last_name(), key.default);
            }
        }
    }
    file
}

/// The paragraphs as comment lines.
fn comment(text: &str) -> String {
    let paragraphs: Vec<_> = text.split("\n\n").map(|part| wrapped(part, "# ", "# ")).collect();
    paragraphs.join("#\n")
}

/// The words in lines of at most [`COLUMNS`], where no word is longer than that.
fn wrapped(text: &str, first: &str, others: &str) -> String {
    let mut lines = String::new();
    let mut line = first.trim_end().to_owned();
    let mut indent = first;
    for word in text.split_whitespace() {
        let blank = line == indent.trim_end();
        if !blank && line.chars().count() + 1 + word.chars().count() > COLUMNS {
            lines += &line;
            lines.push('\n');
            indent = others;
            line = indent.to_owned() + word;
        } else if blank {
            line = indent.to_owned() + word;
        } else {
            line.push(' ');
            line += word;
        }
    }
    lines + &line + "\n"
}
