//! The header edits of an answer, made on lines as they go back to smtpd.

use crate::answer::{Added, Removed};
use crate::incoming::{colon_of_field, is_mbox_separator};

/// Says of each line of a message whether it stays.
///
/// A field counts as [`Incoming`](crate::incoming::Incoming) counts it: the header section ends at an empty
/// line, and at one that is no field, but for the separator of an mbox above it all.
#[derive(Debug)]
pub(super) struct Removal {
    /// Fields to be removed, and how many of that name have gone by.
    fields: Vec<(Removed, u32)>,
    is_in_header: bool,
    is_first_line: bool,
    /// Whether the field of the line before is one of them.
    is_removing: bool,
}

impl Removal {
    pub(super) fn of(fields: Vec<Removed>) -> Self {
        let counted = fields.into_iter().map(|field| (field, 0));
        Self {
            fields: counted.collect(),
            is_in_header: true,
            is_first_line: true,
            is_removing: false,
        }
    }

    /// Whether this line, its dot unstuffed, stays.
    pub(super) fn keeps(&mut self, line: &[u8]) -> bool {
        let is_first = std::mem::replace(&mut self.is_first_line, false);
        if !self.is_in_header || is_first && is_mbox_separator(line) {
            return true;
        }
        let is_fold = matches!(line.first(), Some(b' ' | b'\t'));
        if !is_fold {
            let name = colon_of_field(line).and_then(|colon| line.get(..colon));
            self.is_in_header = name.is_some();
            self.is_removing = name.is_some_and(|name| self.is_listed(name.trim_ascii_end()));
        }
        !self.is_removing
    }

    fn is_listed(&mut self, name: &[u8]) -> bool {
        let mut is_listed = false;
        for (field, count) in &mut self.fields {
            // Forged names may have octets that no text has: those stand for one another.
            if field.name.eq_ignore_ascii_case(&String::from_utf8_lossy(name)) {
                *count = count.saturating_add(1);
                is_listed |= *count == field.nth || field.nth == Removed::ALL;
            }
        }
        is_listed
    }
}

/// The lines of a field that is added, without line ends.
pub(super) fn lines_of(field: &Added) -> impl Iterator<Item = String> {
    let text = format!("{}: {}", field.name, field.value);
    let lines: Vec<String> = text
        .split('\n')
        .map(|line| line.trim_end_matches('\r').to_owned())
        .collect();
    lines.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn removed(name: &str, nth: u32) -> Removed {
        Removed {
            name: name.to_owned(),
            nth,
        }
    }

    fn kept(message: &str, fields: Vec<Removed>) -> Vec<&str> {
        let mut removal = Removal::of(fields);
        message
            .lines()
            .filter(|line| removal.keeps(line.as_bytes()))
            .collect()
    }

    const MESSAGE: &str = "A-R: 1\nFrom: a\na-r : 2\n\tfold of 2\nA-R: 3\n fold of 3\n\nA-R: 2\n b\n";

    #[test]
    fn fields_are_counted_from_the_top_and_go_with_their_folds() {
        assert_eq!(kept(MESSAGE, Vec::new()), MESSAGE.lines().collect::<Vec<_>>());
        assert_eq!(
            kept(MESSAGE, vec![removed("A-R", 2)]),
            ["A-R: 1", "From: a", "A-R: 3", " fold of 3", "", "A-R: 2", " b"]
        );
        assert_eq!(
            kept(MESSAGE, vec![removed("a-r", 3), removed("A-R", 1)]),
            ["From: a", "a-r : 2", "\tfold of 2", "", "A-R: 2", " b"]
        );
    }

    #[test]
    fn fields_with_odd_octets_in_their_name_go_too() {
        let mut removal = Removal::of(vec![removed("A-R\0", 1), removed("A-R\u{fffd}", 2)]);
        let kept = [
            &b"A-R: 1"[..],
            b"A-R\0: 1",
            b" fold",
            b"A-R\xff: 1",
            b"A-R\xfe: 2",
            b"A-R\0: 2",
        ]
        .map(|line| removal.keeps(line));
        assert_eq!(kept, [true, false, false, true, false, true]);
    }

    #[test]
    fn all_fields_of_a_name_may_go() {
        assert_eq!(
            kept(MESSAGE, vec![removed("a-R", Removed::ALL)]),
            ["From: a", "", "A-R: 2", " b"]
        );
    }

    #[test]
    fn the_header_ends_before_what_is_no_field() {
        assert_eq!(
            kept(
                "A-R: 1\nno field\nA-R: 1\n",
                vec![removed("A-R", 1), removed("A-R", 2)]
            ),
            ["no field", "A-R: 1"]
        );
        assert_eq!(
            kept("From a\nA-R: 1\nFrom a\nA-R: 1\n", vec![removed("A-R", 1)]),
            ["From a", "From a", "A-R: 1"]
        );
        assert_eq!(kept(" fold\nA-R: 1\n", vec![removed("A-R", 1)]), [" fold"]);
    }

    #[test]
    fn a_field_is_added_line_by_line() {
        let field = Added {
            name: "A-R".to_owned(),
            value: "mx;\n\tdmarc=pass".to_owned(),
        };
        assert_eq!(lines_of(&field).collect::<Vec<_>>(), ["A-R: mx;", "\tdmarc=pass"]);
    }
}
