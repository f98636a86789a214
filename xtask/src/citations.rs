//! Which clause of which RFC is where: collected from the citations in the sources.
//!
//! A citation is `RFC 9989 §4.10.2`. A section without an RFC belongs to the RFC named
//! last in the same comment, or else to the one that the file names first.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use crate::source::SourceFile;

/// A section of an RFC, in the order of the text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Clause {
    rfc: u32,
    section: Section,
}

/// `4.10.2`, `A.1`: numbers before letters, 4.9 before 4.10.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Section(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Number(u32),
    Appendix(char),
}

/// Where a clause is cited.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Places {
    code: BTreeSet<String>,
    tests: BTreeSet<String>,
}

/// All clauses that are cited, with the files that do.
pub(crate) type Citations = BTreeMap<Clause, Places>;

/// Collects the citations of crates and of their tests, end to end ones included.
pub(crate) fn collect(files: &[SourceFile]) -> Citations {
    let mut citations = Citations::new();
    for file in files.iter().filter(|file| is_cited_from(file)) {
        let first_test_line = file.first_test_line();
        for (clause, line) in clauses(&file.text) {
            let places = citations.entry(clause).or_default();
            let side = if line < first_test_line {
                &mut places.code
            } else {
                &mut places.tests
            };
            side.insert(file.path.clone());
        }
    }
    citations
}

fn is_cited_from(file: &SourceFile) -> bool {
    file.is_rust() && (file.path.starts_with("crates/") || file.path.starts_with("tests/"))
}

/// The page: a table for each RFC.
pub(crate) fn page(citations: &Citations) -> String {
    let mut page = String::from(HEAD);
    let mut rfc = 0;
    for (clause, places) in citations {
        if clause.rfc != rfc {
            rfc = clause.rfc;
            let _ = write!(
                page,
                "\n## RFC {rfc}\n\n| section | code | tests |\n|---|---|---|\n"
            );
        }
        let (code, tests) = (links(&places.code), links(&places.tests));
        let _ = writeln!(page, "| {} | {code} | {tests} |", clause.section);
    }
    page
}

const HEAD: &str = "\n# Sections that the sources cite\n";

fn links(paths: &BTreeSet<String>) -> String {
    let links: Vec<_> = paths
        .iter()
        .map(|path| format!("[{}](../{path})", short(path)))
        .collect();
    links.join(", ")
}

/// `auth/spf/record.rs` for `crates/core/auth/src/spf/record.rs`.
fn short(path: &str) -> String {
    let layers = ["crates/core/", "crates/edges/", "crates/roles/", "crates/"];
    let below = layers.iter().find_map(|layer| path.strip_prefix(layer));
    below.unwrap_or(path).replacen("/src/", "/", 1)
}

/// Every clause in a text, with the number of the line that cites it.
fn clauses(text: &str) -> Vec<(Clause, usize)> {
    let of_the_file = text.lines().flat_map(marks).find_map(|mark| match mark {
        Mark::Rfc(number) => Some(number),
        Mark::Section(_) => None,
    });
    let mut clauses = Vec::new();
    let mut current = of_the_file;
    for (line, number) in text.lines().zip(1..) {
        if !is_comment(line) {
            current = of_the_file;
        }
        for mark in marks(line) {
            match (mark, current) {
                (Mark::Rfc(number), _) => current = Some(number),
                (Mark::Section(section), Some(rfc)) => clauses.push((Clause { rfc, section }, number)),
                (Mark::Section(_), None) => {}
            }
        }
    }
    clauses
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with("//")
}

enum Mark {
    Rfc(u32),
    Section(Section),
}

/// The RFC numbers and section signs of a line, from left to right.
fn marks(line: &str) -> Vec<Mark> {
    let mut marks = Vec::new();
    let mut rest = line;
    while let Some(at) = rest.find(['R', '§']) {
        let here = &rest[at..];
        rest = &here[here.chars().next().map_or(1, char::len_utf8)..];
        if let Some(number) = here.strip_prefix("RFC ").and_then(leading_number) {
            marks.push(Mark::Rfc(number));
        } else if let Some(section) = here.strip_prefix('§').and_then(Section::parse) {
            marks.push(Mark::Section(section));
        }
    }
    marks
}

fn leading_number(text: &str) -> Option<u32> {
    let digits = text
        .find(|character: char| !character.is_ascii_digit())
        .unwrap_or(text.len());
    text[..digits].parse().ok()
}

impl Section {
    /// Reads `4.10.2` or `A.1` from the start of a text; none when it starts otherwise.
    fn parse(text: &str) -> Option<Self> {
        let end = text
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '.'))
            .unwrap_or(text.len());
        let parts = text[..end].split('.').map_while(Part::parse);
        let section: Vec<_> = parts.collect();
        (!section.is_empty()).then_some(Self(section))
    }
}

impl Part {
    fn parse(text: &str) -> Option<Self> {
        let mut characters = text.chars();
        match (characters.next(), characters.next()) {
            (Some(letter @ 'A'..='Z'), None) => Some(Self::Appendix(letter)),
            _ => text.parse().ok().map(Self::Number),
        }
    }
}

impl std::fmt::Display for Section {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (place, part) in self.0.iter().enumerate() {
            if place > 0 {
                f.write_char('.')?;
            }
            match part {
                Part::Number(number) => write!(f, "{number}")?,
                Part::Appendix(letter) => f.write_char(*letter)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cited(text: &str) -> Vec<String> {
        let clauses = clauses(text);
        clauses
            .iter()
            .map(|(clause, line)| format!("{line}: {} {}", clause.rfc, clause.section))
            .collect()
    }

    #[test]
    fn a_section_belongs_to_the_rfc_before_it() {
        assert_eq!(
            cited("/// (RFC 7208 §2.3, §2.4; RFC 5321 §4.1.1.3).\n"),
            ["1: 7208 2.3", "1: 7208 2.4", "1: 5321 4.1.1.3"]
        );
        assert_eq!(cited("/// As RFC 8601\n/// §2.7.1 says.\n"), ["2: 8601 2.7.1"]);
    }

    #[test]
    fn a_section_alone_belongs_to_the_rfc_of_the_file() {
        let text = "//! DMARC (RFC 9989), beside RFC 7489.\nfn a() {}\n// §4.10: longest first.\n";
        assert_eq!(cited(text), ["3: 9989 4.10"]);
        assert_eq!(cited("// §4.10\n"), [""; 0]);
    }

    #[test]
    fn the_end_of_a_sentence_is_no_part_of_a_section() {
        assert_eq!(
            cited("// RFC 6376 §3.5. And RFC 7489 §A.4.\n"),
            ["1: 6376 3.5", "1: 7489 A.4"]
        );
        assert_eq!(
            cited("// RFC 9989 §4.10 step 3, RFC §, RFC 1 §x\n"),
            ["1: 9989 4.10"]
        );
    }

    #[test]
    fn the_page_sorts_by_number_and_parts_code_from_tests() {
        let code = "//! RFC 9989 §4.10 and RFC 9989 §4.9.\n#[cfg(test)]\nmod tests {\n// RFC 9989 §4.9\n}\n";
        let files = [
            SourceFile::new("crates/core/dmarc/src/discovery.rs", code),
            SourceFile::new("tests/e2e/main.rs", "//! RFC 5321 §4.5.2\n"),
            SourceFile::new("xtask/src/main.rs", "//! RFC 1 §1\n"),
        ];
        let page = page(&collect(&files));
        let tables = page.strip_prefix(HEAD).unwrap();
        assert_eq!(
            tables,
            "\n## RFC 5321\n\n| section | code | tests |\n|---|---|---|\n\
             | 4.5.2 |  | [tests/e2e/main.rs](../tests/e2e/main.rs) |\n\
             \n## RFC 9989\n\n| section | code | tests |\n|---|---|---|\n\
             | 4.9 | [dmarc/discovery.rs](../crates/core/dmarc/src/discovery.rs) \
             | [dmarc/discovery.rs](../crates/core/dmarc/src/discovery.rs) |\n\
             | 4.10 | [dmarc/discovery.rs](../crates/core/dmarc/src/discovery.rs) |  |\n"
        );
    }
}
