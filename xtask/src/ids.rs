//! Ids that tests, scenarios and comments quote: each is one thing, and can be looked up.
//!
//! Cases of tests are defined by the tests themselves; `docs/catalogue.md` is printed from them. Items of the
//! checklist, attacks and decisions are defined by pages of their own.

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::Finding;
use crate::compatibility::GROUPS;
use crate::names::Names;
use crate::source::SourceFile;

const DECISIONS: &str = "docs/decisions.md";
const THREATS: &str = "docs/threat-model.md";
const CHECKLIST: &str = "docs/compatibility.md";

/// The letters of cases, and what they are about.
const CASES: [(&str, &str); 22] = [
    (
        "RC",
        "DMARC Policy Records, as the grammar has them (RFC 9989 §4.8)",
    ),
    ("RS", "Several TXT records at one name (RFC 9989 §4.10)"),
    ("TW", "The DNS Tree Walk (RFC 9989 §4.10)"),
    ("AL", "Identifier Alignment (RFC 9989 §4.4)"),
    (
        "PS",
        "The policy that is selected, and what test mode leaves of it (RFC 9989 §4.10.1)",
    ),
    ("DE", "DNS that fails during the evaluation (RFC 9989 §5.3.6)"),
    ("AU", "The From field and its Author Domain (RFC 9989 §5.3.1)"),
    ("SP", "SPF (RFC 7208)"),
    ("DK", "DKIM signatures and keys (RFC 6376, 8301, 8463)"),
    ("AR", "ARC chains (RFC 8617)"),
    (
        "AT",
        "Attacks on whoever reads a header section, a signature or a record",
    ),
    ("RZ", "Authentication-Results, written and removed (RFC 8601)"),
    (
        "GR",
        "Rows of aggregate reports, from judged messages (RFC 9990 §3.1)",
    ),
    ("N", "Names of report files (RFC 9990 §3.5.2)"),
    ("J", "Subjects of report mail (RFC 9990 §3.5.2)"),
    ("RI", "Report identifiers (RFC 9990 §3.5.1)"),
    ("XD", "External destinations (RFC 9990 §4)"),
    ("RR", "Aggregate reports of others, read"),
    ("FR", "Which failure reports are requested (RFC 9991 §3)"),
    ("I", "Identity-Alignment (RFC 9991 §4)"),
    ("RD", "Redaction (RFC 6590)"),
    ("B", "Failure reports of others, read"),
];

/// Longest text of a case on the page, in characters.
const MAX_TEXT: usize = 100;

/// `AT10`; its number has no width, so that `P9` and `p09` are one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Id {
    letters: String,
    number: u32,
}

impl Id {
    /// Reads `AT10`, or `at10`: one or two letters and one or two digits.
    fn read(text: &str) -> Option<Self> {
        let digits = text.find(|c: char| !c.is_ascii_alphabetic())?;
        let (letters, number) = text.split_at(digits);
        let is_id = (1..=2).contains(&letters.len()) && (1..=2).contains(&number.len());
        Some(Self {
            letters: letters.to_ascii_uppercase(),
            number: number.parse().ok().filter(|_| is_id)?,
        })
    }

    fn is_case(&self) -> bool {
        CASES.iter().any(|(letters, _)| *letters == self.letters)
    }

    /// Whether its letters are those of a catalogue.
    fn is_known(&self) -> bool {
        let of_checklist = GROUPS.iter().any(|(letters, _)| *letters == self.letters);
        self.is_case() || of_checklist || matches!(&*self.letters, "D" | "S")
    }
}

/// The ids that a text begins with, `tw01_to_tw30_and_rs02`, and what follows them.
fn leading<'t>(words: impl IntoIterator<Item = &'t str>) -> (Vec<Id>, String) {
    let (mut ids, mut rest): (Vec<Id>, Vec<&str>) = (Vec::new(), Vec::new());
    let (mut is_range, mut link) = (false, None);
    for word in words {
        match Id::read(word.trim_end_matches(',')).filter(Id::is_known) {
            Some(id) if rest.is_empty() => {
                let first = ids
                    .last()
                    .filter(|_| is_range)
                    .map_or(id.number, |last| last.number + 1);
                ids.extend((first..=id.number).map(|number| Id { number, ..id.clone() }));
                (is_range, link) = (false, None);
            }
            _ if rest.is_empty() && !ids.is_empty() && link.is_none() && matches!(word, "to" | "and") => {
                (is_range, link) = (word == "to", Some(word));
            }
            _ => {
                rest.extend(link.take());
                rest.push(word);
            }
        }
    }
    (ids, rest.join(" "))
}

/// Something that is said of ids.
struct Entry<'a> {
    ids: Vec<Id>,
    what: String,
    file: &'a str,
    line: usize,
}

/// What tests and scenarios say in their names, and tables of cases in their rows.
fn entries(files: &[SourceFile]) -> Vec<Entry<'_>> {
    let mut entries = Vec::new();
    for test in Names::of(files).tests {
        let text = |file: &SourceFile| file.text.lines().nth(test.line - 1).map(str::to_owned);
        let (ids, what) = match test.path.strip_prefix("scenario::") {
            Some(ids) => {
                let (ids, _) = leading(ids.split(' '));
                let file = files.iter().find(|file| file.path == test.file);
                let title = file.and_then(text).unwrap_or_default();
                (
                    ids,
                    title.split_once(": ").map_or("", |(_, what)| what).to_owned(),
                )
            }
            None => leading(test.path.rsplit("::").next().unwrap_or_default().split('_')),
        };
        entries.push(Entry {
            ids,
            what,
            file: test.file,
            line: test.line,
        });
    }
    let in_crates = files
        .iter()
        .filter(|file| file.is_rust() && file.path.starts_with("crates/"));
    for file in in_crates {
        let lines: Vec<&str> = file.text.lines().collect();
        for (number, text) in (1..).zip(&lines) {
            let is_row = number >= file.first_test_line() || text.contains("id: ");
            // A row may go on in the next line.
            let next = lines.get(number).copied().unwrap_or_default();
            let row = row(text, next).filter(|_| is_row);
            entries.extend(row.map(|(id, what)| Entry {
                ids: vec![id],
                what,
                file: &file.path,
                line: number,
            }));
        }
    }
    entries.retain(|entry| !entry.ids.is_empty());
    entries
}

/// The case that a line of a table begins with: its id, and what follows, here or in the next line.
fn row(text: &str, next: &str) -> Option<(Id, String)> {
    let (id, after) = text.split_once('"')?.1.split_once('"')?;
    let id = Id::read(id.split(' ').next()?).filter(Id::is_case)?;
    let of = |text: &str| text.trim_matches(|c: char| " ,(){}".contains(c)).to_owned();
    let here = Some(of(after)).filter(|here| !here.is_empty());
    Some((id, format!("`{}`", here.unwrap_or_else(|| of(next)))))
}

/// `docs/catalogue.md`.
pub(crate) fn page(files: &[SourceFile]) -> String {
    let entries = entries(files);
    let mut page = "# Ids that tests quote\n\nPrinted by `cargo xtask docs` from the names of tests, the titles of \
        scenarios and the rows of tables in tests; edit those.\nOther ids are defined where they are explained: \
        decisions (D1 …) in [decisions.md](decisions.md), attacks (S1 …) in\n[threat-model.md](threat-model.md), \
        what other programs do (A, C, DN, E, F, G, H, HF, L, M, O, P, Q, R, T, TB, W, X, Z) in\n\
        [compatibility.md](compatibility.md).\n"
        .to_owned();
    for (letters, title) in CASES {
        let of_letters = |entry: &&Entry<'_>| entry.ids[0].letters == letters;
        let mut entries: Vec<_> = entries.iter().filter(of_letters).collect();
        entries.sort_by_key(|entry| (entry.ids[0].number, entry.file, entry.line));
        let _ = write!(
            page,
            "\n## {letters}: {title}\n\n| id | case | test |\n|---|---|---|\n"
        );
        for entry in entries {
            let name = |id: &Id| format!("{letters}{:02}", id.number);
            let id = match &*entry.ids {
                [first, .., last] if first.letters == last.letters => {
                    format!("{} to {}", name(first), name(last))
                }
                [first, ..] => name(first),
                [] => continue,
            };
            let mut what: String = entry.what.chars().take(MAX_TEXT).collect();
            if what.len() < entry.what.len() {
                what.push_str(if what.starts_with('`') { "…`" } else { "…" });
            }
            let what = what.replace('|', "\\|");
            let _ = writeln!(page, "| {id} | {what} | [{0}](../{0}) |", entry.file);
        }
    }
    page
}

/// Ids that are quoted and are nowhere defined.
pub(crate) fn check(files: &[SourceFile]) -> Vec<Finding> {
    let entries = entries(files);
    let mut defined: BTreeSet<Id> = defined_by_pages(files);
    let of_cases = entries
        .iter()
        .flat_map(|entry| &entry.ids)
        .filter(|id| id.is_case());
    defined.extend(of_cases.cloned());
    let mut quoted: Vec<(&str, usize, Id)> = Vec::new();
    for entry in &entries {
        quoted.extend(entry.ids.iter().map(|id| (entry.file, entry.line, id.clone())));
    }
    for file in files
        .iter()
        .filter(|file| file.is_rust() && !file.path.starts_with("xtask/"))
    {
        for (line, text) in (1..).zip(file.text.lines()) {
            let comment = text.split_once("//").map_or("", |(_, comment)| comment);
            let words = comment.split(|c: char| c.is_whitespace() || "(),;:–".contains(c));
            // C0 is a set of control characters.
            let ids =
                words.filter(|word| word.starts_with(|c: char| c.is_ascii_uppercase()) && *word != "C0");
            let ids = ids
                .filter_map(|word| Id::read(word.trim_end_matches('.')))
                .filter(Id::is_known);
            quoted.extend(ids.map(|id| (&*file.path, line, id)));
        }
    }
    let unknown = quoted.into_iter().filter(|(_, _, id)| !defined.contains(id));
    unknown
        .map(|(path, line, id)| {
            let problem = format!(
                "{}{} is in no catalogue (docs/catalogue.md)",
                id.letters, id.number
            );
            Finding::new(path, line, problem)
        })
        .collect()
}

/// Decisions, attacks, and the items of the checklist.
fn defined_by_pages(files: &[SourceFile]) -> BTreeSet<Id> {
    let mut ids = BTreeSet::new();
    for (page, prefix) in [(DECISIONS, "- **"), (THREATS, "| "), (CHECKLIST, "| ")] {
        let text = files
            .iter()
            .find(|file| file.path == page)
            .map_or("", |file| &file.text);
        let lines = text.lines().filter_map(|line| line.strip_prefix(prefix));
        ids.extend(lines.filter_map(|line| Id::read(line.split(' ').next()?)));
    }
    ids
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(test: &str) -> Vec<SourceFile> {
        vec![
            SourceFile::new(DECISIONS, "- **D6 Failures of ours.** x\n"),
            SourceFile::new(CHECKLIST, "| P9 | CopyFailuresTo | done | `x` |\n"),
            SourceFile::new("crates/core/auth/tests/it/spf.rs", test),
        ]
    }

    #[test]
    fn names_of_tests_begin_with_their_ids() {
        let numbers = |name: &str| {
            let (ids, rest) = leading(name.split('_'));
            let ids: Vec<_> = ids
                .iter()
                .map(|id| format!("{}{}", id.letters, id.number))
                .collect();
            (ids.join(" "), rest)
        };
        assert_eq!(numbers("sp20_a_void"), ("SP20".to_owned(), "a void".to_owned()));
        assert_eq!(numbers("rs03_rs04_x_to_rs05").0, "RS3 RS4");
        assert_eq!(numbers("de01_to_de03_de13_walks_that_fail").0, "DE1 DE2 DE3 DE13");
        assert_eq!(
            numbers("j01_to_j02_and_ri07_ours"),
            ("J1 J2 RI7".to_owned(), "ours".to_owned())
        );
        assert_eq!(numbers("p09_and_then"), ("P9".to_owned(), "and then".to_owned()));
        assert_eq!(numbers("ipv6_and_utf8").0, "");
    }

    #[test]
    fn an_id_that_nothing_defines_is_found() {
        let test = "// P09, D6, SP20, UTF8 and C3PO.\n#[test]\nfn sp20_a_void() {}\n";
        assert_eq!(check(&files(test)), []);
        for (quoted, problem) in [
            ("// (P10)", "P10 is in no catalogue (docs/catalogue.md)"),
            ("/// D7: x", "D7 is in no catalogue (docs/catalogue.md)"),
            ("// SP21 to SP20", "SP21 is in no catalogue (docs/catalogue.md)"),
        ] {
            let found = check(&files(&format!("{quoted}\n{test}")));
            assert_eq!(found.len(), 1, "{quoted}");
            assert_eq!(found[0].problem, problem);
        }
        assert_eq!(check(&files("#[test]\nfn p10_a_limit() {}\n")).len(), 1);
    }

    #[test]
    fn the_page_has_names_and_rows() {
        let test = "const CASES: [&str; 1] = [\n    (\"SP21\", \"v=spf1 | -all\"),\n];\n#[test]\nfn sp20_a_void() {}\n";
        let page = page(&files(test));
        let file = "[crates/core/auth/tests/it/spf.rs](../crates/core/auth/tests/it/spf.rs)";
        assert!(page.contains(&format!(
            "| SP20 | a void | {file} |\n| SP21 | `\"v=spf1 \\| -all\"` | {file} |\n"
        )));
    }
}
