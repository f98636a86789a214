//! Settings as a file.

use std::fmt::Write as _;

use landmarc_mail::text::visible;

use super::model::{Note, Setting};

/// The order of the tables; that of the settings within one is the order they were made in.
const TABLES: [&str; 4] = ["dns", "dmarc", "report", "report.delivery"];

/// The file, with what is left out as comments at its end.
pub(super) fn file(settings: &[Setting], notes: &[Note]) -> String {
    let mut file = "# Made from mail-dmarc.ini. Whatever is not mentioned is at its default.\n".to_owned();
    for table in TABLES {
        let mut of_table = settings.iter().filter(|one| one.table == table).peekable();
        if of_table.peek().is_some() {
            let _ = write!(file, "\n[{table}]\n");
        }
        for one in of_table {
            let _ = writeln!(file, "{} = {} # {}", one.name, one.value, one.from);
        }
    }
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
