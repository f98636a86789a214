//! The syntax of the file, as the Perl module Config::Tiny reads it: `[section]`, `key = value`, comments in
//! lines of their own after `#` or `;`, and in a line after ` ; `.

use super::keys::{known_name, known_section};
use super::limits::{MAX_FILE, MAX_LINE, MAX_LINES};
use super::mistake::{IniError, IniMistake};

/// Stands in place of the name of a section that is broken; no file with one gets any further.
const BROKEN_SECTION: &str = "?";

/// One `key = value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Counted from 1.
    pub(super) line: usize,
    /// As written; empty before the first section.
    pub(super) section: String,
    pub(super) key: String,
    pub(super) value: String,
}

/// The entries of a file, in its order, and the lines that are none. Of an entry that is there twice both are
/// given; Config::Tiny takes the last one.
pub(super) fn read(file: &[u8]) -> (Vec<Entry>, Vec<IniMistake>) {
    if file.len() > MAX_FILE {
        let octets = file.len();
        return (
            Vec::new(),
            vec![IniMistake::new(0, IniError::FileTooLong { octets })],
        );
    }
    let mut reader = Reader::default();
    for (at, line) in lines(file).enumerate() {
        if at == MAX_LINES {
            reader.refuse(IniError::TooManyLines);
            break;
        }
        reader.line = at + 1;
        reader.read_line(line);
    }
    (reader.entries, reader.mistakes)
}

/// Lines end as Config::Tiny ends them: with LF, CR LF, CR CR LF, or CR.
fn lines(file: &[u8]) -> impl Iterator<Item = &[u8]> {
    file.split(|octet| *octet == b'\n').flat_map(|line| {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        line.split(|octet| *octet == b'\r')
    })
}

#[derive(Default)]
struct Reader {
    line: usize,
    section: String,
    entries: Vec<Entry>,
    mistakes: Vec<IniMistake>,
}

impl Reader {
    fn read_line(&mut self, octets: &[u8]) {
        if octets.len() > MAX_LINE {
            return self.refuse(IniError::LineTooLong { octets: octets.len() });
        }
        let Ok(text) = str::from_utf8(octets) else {
            return self.refuse(IniError::NotUtf8);
        };
        // An editor's mark at the start of the file is no part of its first line.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let text = text.trim();
        if text.is_empty() || text.starts_with(['#', ';']) {
            return;
        }
        if text.contains(char::is_control) {
            return self.refuse(IniError::Control);
        }
        self.read_text(without_comment(text));
    }

    fn read_text(&mut self, text: &str) {
        if let Some(name) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            name.trim().clone_into(&mut self.section);
            if self.section.is_empty() {
                self.break_off(IniError::NoSectionName);
            }
            return;
        }
        match key_and_value(text) {
            Some((key, value)) => self.entries.push(Entry {
                line: self.line,
                section: self.section.clone(),
                key: key.to_owned(),
                value: value.to_owned(),
            }),
            None => match text.strip_prefix('[') {
                Some(rest) => self.break_off(IniError::OpenSection {
                    name: known_section(first_word(rest)),
                }),
                None => self.refuse(IniError::Syntax {
                    key: known_name(first_word(text)),
                }),
            },
        }
    }

    /// A broken head of a section: the lines below it belong to a section all the same.
    fn break_off(&mut self, wrong: IniError) {
        BROKEN_SECTION.clone_into(&mut self.section);
        self.refuse(wrong);
    }

    fn refuse(&mut self, wrong: IniError) {
        self.mistakes.push(IniMistake::new(self.line, wrong));
    }
}

/// Config::Tiny takes whatever stands before the first `=` for a key. What cannot be one is none here, since
/// keys are shown and values are not: `smartpass: se=cret` has the half of a password there, and the last line
/// of a password in base64, `c2VjcmV0==`, all of it.
fn key_and_value(text: &str) -> Option<(&str, &str)> {
    let (key, value) = text.split_once('=')?;
    let (key, value) = (key.trim(), value.trim());
    let is_key = !key.is_empty() && key == first_word(key);
    let is_padding = value == "=" && known_name(key).is_none();
    (is_key && !is_padding).then_some((key, value))
}

/// What a key ends with at the latest. Of a broken line no more is shown than this, and only if it is a name
/// that Mail::DMARC knows: a message of ours goes to the log of cron, or into a mail that asks for help.
fn first_word(text: &str) -> &str {
    let ends = |character: char| character.is_whitespace() || matches!(character, ':' | '=' | '[' | ']');
    text.split(ends).next().unwrap_or_default()
}

/// A comment at the end of a line has white space on both sides of its semicolon, so that a DSN or a password
/// can have semicolons.
fn without_comment(text: &str) -> &str {
    let mut from = 0;
    while let Some(at) = text.get(from..).and_then(|rest| rest.find(';')) {
        let at = from + at;
        let before = text.get(..at).unwrap_or(text);
        let after = text.get(at + 1..).unwrap_or_default();
        if before.ends_with(char::is_whitespace) && after.starts_with(char::is_whitespace) {
            return before.trim_end();
        }
        from = at + 1;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(file: &str) -> Vec<(usize, String, String, String)> {
        let (entries, mistakes) = read(file.as_bytes());
        assert_eq!(mistakes, []);
        let all = entries
            .into_iter()
            .map(|one| (one.line, one.section, one.key, one.value));
        all.collect()
    }

    fn entry(line: usize, section: &str, key: &str, value: &str) -> (usize, String, String, String) {
        (line, section.to_owned(), key.to_owned(), value.to_owned())
    }

    fn wrong(file: &[u8]) -> Vec<(usize, IniError)> {
        let (_, mistakes) = read(file);
        mistakes.into_iter().map(|one| (one.line, one.wrong)).collect()
    }

    #[test]
    fn sections_keys_and_comments() {
        let file = "; one\n\n[ dns ]\r\n timeout = 5 ; seconds\n# two\n[smtp]\rhostname=mail.example.org\n";
        assert_eq!(
            entries(file),
            [
                entry(4, "dns", "timeout", "5"),
                entry(7, "smtp", "hostname", "mail.example.org")
            ]
        );
    }

    #[test]
    fn a_semicolon_within_a_value_stays() {
        let file = "dsn = dbi:mysql:database=d;host=db ; the old one\nb = a; b;c\nc = d ;";
        assert_eq!(
            entries(file),
            [
                entry(1, "", "dsn", "dbi:mysql:database=d;host=db"),
                entry(2, "", "b", "a; b;c"),
                entry(3, "", "c", "d ;")
            ]
        );
    }

    #[test]
    fn the_value_is_what_follows_the_first_equals_sign() {
        assert_eq!(
            entries("dsn = dbi:SQLite:dbname=a=b\nempty ="),
            [
                entry(1, "", "dsn", "dbi:SQLite:dbname=a=b"),
                entry(2, "", "empty", "")
            ]
        );
    }

    #[test]
    fn no_password_is_shown_of_a_line_that_is_broken() {
        let lines = [
            "smartpass: secret",
            "smartpass:secret",
            "smartpass secret",
            "smartpass\u{a0}secret",
            "= secret",
            "[smtp smartpass: secret",
            "[smtp] smartpass:secret",
            "[smtp:secret",
            "[secret",
            "smartpass: se=cret",
            "smartpass se = cret",
            "[smtp: se=cret",
            // "secret" in base64, as the line that a long password goes on with.
            "c2VjcmV0",
            "c2VjcmV0==",
        ];
        for line in lines {
            let (_, mistakes) = read(line.as_bytes());
            let [mistake] = <[IniMistake; 1]>::try_from(mistakes).unwrap();
            let told = format!("{mistake}\n{}\n{mistake:?}", mistake.remedy());
            for part in ["cret", "smartpass: se", "smartpass se", "c2VjcmV0"] {
                assert!(!told.contains(part), "{part}: {told}");
            }
        }
        let key = Some("smartpass");
        assert_eq!(wrong(b"smartpass: secret"), [(1, IniError::Syntax { key })]);
        assert_eq!(wrong(b"smartpass: se=cret"), [(1, IniError::Syntax { key })]);
        assert_eq!(wrong(b"c2VjcmV0"), [(1, IniError::Syntax { key: None })]);
        let name = Some("smtp");
        assert_eq!(wrong(b"[smtp: secret"), [(1, IniError::OpenSection { name })]);
    }

    #[test]
    fn a_key_is_one_word_and_what_it_is_set_to_may_be_anything() {
        assert_eq!(
            entries("new_key.of-later = a: b=c\npass = ="),
            [
                entry(1, "", "new_key.of-later", "a: b=c"),
                entry(2, "", "pass", "=")
            ]
        );
    }

    #[test]
    fn limits_hold_at_the_last_octet_and_not_past_it() {
        let line = |octets: usize| format!("a = {}", "b".repeat(octets - 4));
        assert_eq!(wrong(line(MAX_LINE).as_bytes()), []);
        let octets = MAX_LINE + 1;
        assert_eq!(
            wrong(line(octets).as_bytes()),
            [(1, IniError::LineTooLong { octets })]
        );

        assert_eq!(wrong("\n".repeat(MAX_LINES - 1).as_bytes()), []);
        assert_eq!(
            wrong("\n".repeat(MAX_LINES).as_bytes()),
            [(MAX_LINES, IniError::TooManyLines)]
        );

        let file = |octets: usize| format!("{}\n", ";".repeat(63)).repeat(octets / 64);
        assert_eq!(wrong(file(MAX_FILE).as_bytes()), []);
        let long = format!("{}\n", file(MAX_FILE));
        assert_eq!(
            wrong(long.as_bytes()),
            [(0, IniError::FileTooLong { octets: MAX_FILE + 1 })]
        );
    }
}
