//! docs/conformance.md: each MUST and SHOULD of the RFCs that we implement, the code that follows it and the test
//! that shows it, or why it is not done.
//!
//! The clauses are in `xtask/clauses/rfcNNNN.txt`. A file begins with the title of its RFC; then each paragraph is a
//! clause: section and keyword, the sentence of the RFC, and lines that begin with a key:
//!
//! ```text
//! 4.5 MUST
//! the module performing DMARC evaluation MUST concatenate these strings
//! code: Record::parse
//! test: rs01_strings_of_one_record_are_joined
//! ```
//!
//! `code` and `test` name items and test functions by the end of their path, as far as needed to be unique:
//! `organizational_domain`, `discovery::organizational_domain`. In place of `code`, `others` says whom the clause
//! binds, and `not done` why. `note` adds what a reader has to know.
//! The page has no line numbers, else each change of code would change the page: `cargo xtask clauses` prints them.

use std::fmt::Write;

use crate::Finding;
use crate::names::{Item, Names, unique};
use crate::source::SourceFile;

const FOLDER: &str = "xtask/clauses/";

const KEYWORDS: [&str; 9] = [
    "MUST NOT",
    "MUST",
    "SHALL NOT",
    "SHALL",
    "SHOULD NOT",
    "SHOULD",
    "NOT RECOMMENDED",
    "RECOMMENDED",
    "REQUIRED",
];

const HEAD: &str = "\
# Conformance

Each MUST and SHOULD of the RFCs that landmarc implements, with the code that follows it and the test that shows it.
Clauses that bind others (domain owners, senders, report consumers) name them; what is not done has a reason.
Printed from `xtask/clauses` by `cargo xtask docs`; `cargo xtask tidy` refuses a name that no longer exists, and
`cargo xtask clauses` prints the lines.
";

/// One requirement of an RFC.
#[derive(Debug)]
struct Clause<'a> {
    path: &'a str,
    line: usize,
    section: &'a str,
    keyword: &'a str,
    sentence: String,
    /// Key, value, number of the line.
    facts: Vec<(&'a str, String, usize)>,
}

impl<'a> Clause<'a> {
    fn of_file(file: &'a SourceFile) -> Vec<Self> {
        let mut clauses: Vec<Self> = Vec::new();
        let mut is_first_line = true;
        // The title comes first, and is no clause.
        for (line, text) in (1..).zip(file.text.lines()).skip(1) {
            if text.is_empty() {
                is_first_line = true;
            } else if is_first_line {
                is_first_line = false;
                let (section, keyword) = text.split_once(' ').unwrap_or((text, ""));
                clauses.push(Self {
                    path: &file.path,
                    line,
                    section,
                    keyword,
                    sentence: String::new(),
                    facts: Vec::new(),
                });
            } else if let Some(clause) = clauses.last_mut() {
                clause.add(text, line);
            }
        }
        clauses
    }

    fn add(&mut self, text: &'a str, line: usize) {
        let keys = ["code", "test", "others", "not done", "note"];
        let fact = text.split_once(": ").filter(|(key, _)| keys.contains(key));
        if let Some((key, value)) = fact {
            self.facts.push((key, value.to_owned(), line));
            return;
        }
        let started = self.facts.last_mut().map(|(_, value, _)| value);
        let place = started.unwrap_or(&mut self.sentence);
        if !place.is_empty() {
            place.push(' ');
        }
        place.push_str(text.trim());
    }

    fn fact(&self, key: &str) -> Option<&str> {
        let found = self.facts.iter().find(|(known, ..)| *known == key);
        found.map(|(_, value, _)| value.as_str())
    }

    /// The names that a key holds, each with what it is found to be.
    fn named<'n>(&self, key: &str, items: &'n [Item<'a>]) -> Vec<(&str, Result<&'n Item<'a>, String>)> {
        let names = self.fact(key).into_iter().flat_map(|value| value.split(", "));
        names.map(|name| (name, unique(name, items))).collect()
    }

    fn check(&self, names: &Names<'a>) -> Vec<Finding> {
        let finding = |problem: String| Finding::new(self.path, self.line, problem);
        let mut findings = Vec::new();
        if !KEYWORDS.contains(&self.keyword) || !self.sentence.contains(self.keyword) {
            findings.push(finding(format!("the sentence lacks {:?}", self.keyword)));
        }
        let has = |key| self.fact(key).is_some();
        let kinds = [has("code") && has("test"), has("others"), has("not done")];
        if kinds.iter().filter(|is| **is).count() != 1 {
            findings.push(finding("wants code and test, or others, or not done".to_owned()));
        }
        for (key, items) in [("code", &names.items), ("test", &names.tests)] {
            let problems = self
                .named(key, items)
                .into_iter()
                .filter_map(|(_, found)| found.err());
            findings.extend(problems.map(&finding));
        }
        findings
    }

    /// Its row of the page.
    fn row(&self, names: &Names<'a>) -> String {
        let Self { section, keyword, .. } = self;
        let sentence = cell(&self.sentence).replacen(keyword, &format!("**{keyword}**"), 1);
        let note = self
            .fact("note")
            .map(|note| format!("<br>{}", cell(note)))
            .unwrap_or_default();
        let (code, test) = if let Some(whom) = self.fact("others") {
            (format!("binds the {}", cell(whom)), String::new())
        } else if let Some(why) = self.fact("not done") {
            (format!("not done, because {}", cell(why)), String::new())
        } else {
            (
                links(&self.named("code", &names.items)),
                links(&self.named("test", &names.tests)),
            )
        };
        format!("| {section} | {sentence} | {code}{note} | {test} |\n")
    }
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "\\<").replace('*', "\\*")
}

fn links(named: &[(&str, Result<&Item<'_>, String>)]) -> String {
    let link = |(name, found): &(&str, Result<&Item<'_>, String>)| match found {
        Ok(item) => format!("[`{name}`](../{})", item.file),
        Err(_) => format!("`{name}`"),
    };
    named.iter().map(link).collect::<Vec<_>>().join(", ")
}

fn clause_files(files: &[SourceFile]) -> impl Iterator<Item = &SourceFile> {
    files
        .iter()
        .filter(|file| file.path.starts_with(FOLDER) && file.path.ends_with(".txt"))
}

/// The names that clauses use and that do not exist, and clauses that lack a line.
pub(crate) fn check(files: &[SourceFile]) -> Vec<Finding> {
    let names = Names::of(files);
    let clauses = clause_files(files).flat_map(Clause::of_file);
    clauses.flat_map(|clause| clause.check(&names)).collect()
}

/// The page: a table for each RFC.
pub(crate) fn page(files: &[SourceFile]) -> String {
    let names = Names::of(files);
    let mut page = HEAD.to_owned();
    for file in clause_files(files) {
        let clauses = Clause::of_file(file);
        let has = |key: &str| clauses.iter().filter(|clause| clause.fact(key).is_some()).count();
        let title = file.text.lines().next().unwrap_or_default();
        let (done, not_done, others) = (has("code"), has("not done"), has("others"));
        let _ = write!(
            page,
            "\n## {title}\n\n{} clauses: {done} done, {not_done} not done, {others} bind others.\n\n\
             | § | clause | code | test |\n|---|---|---|---|\n",
            clauses.len()
        );
        page.extend(clauses.iter().map(|clause| clause.row(&names)));
    }
    page
}

/// Each name that clauses use, with the line where it is defined.
pub(crate) fn lines(files: &[SourceFile]) -> String {
    let names = Names::of(files);
    let mut lines = String::new();
    for clause in clause_files(files).flat_map(Clause::of_file) {
        let _ = writeln!(
            lines,
            "{}:{}: {} {}",
            clause.path, clause.line, clause.section, clause.keyword
        );
        for (key, items) in [("code", &names.items), ("test", &names.tests)] {
            for (name, found) in clause.named(key, items) {
                let place =
                    found.map_or_else(|problem| problem, |item| format!("{}:{}", item.file, item.line));
                let _ = writeln!(lines, "  {key} {name}: {place}");
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(clauses: &str) -> Vec<SourceFile> {
        vec![
            SourceFile::new(
                "crates/core/dmarc/src/discovery.rs",
                "impl Walk {\n    fn new() {}\n}\n#[test]\nfn it_walks() {}\n",
            ),
            SourceFile::new("xtask/clauses/rfc1.txt", clauses),
        ]
    }

    #[test]
    fn a_clause_names_what_is_there_once() {
        let problems = |clause: &str| {
            let findings = check(&files(&format!("RFC 1\n\n2.1 MUST\nA MUST\n{clause}")));
            findings
                .into_iter()
                .map(|finding| finding.problem)
                .collect::<Vec<_>>()
        };
        assert_eq!(problems("code: Walk::new\ntest: it_walks\n"), [""; 0]);
        assert_eq!(problems("others: domain owner\n"), [""; 0]);
        assert_eq!(problems("not done: it\nis late\n"), [""; 0]);
        assert_eq!(problems("code: alk\ntest: it_walks\n"), ["nothing is called alk"]);
        let too_little = "wants code and test, or others, or not done";
        assert_eq!(problems("code: Walk::new\n"), [too_little]);
        assert_eq!(problems("others: owner\nnot done: late\n"), [too_little]);
    }

    #[test]
    fn the_page_links_names_to_files() {
        let page = page(&files(
            "RFC 1: One\n\n2.1 MUST\nAll MUST\nwalk.\ncode: Walk::new\ntest: it_walks\nnote: Soon.\n\n\
             2.2 SHOULD NOT\nOne SHOULD NOT.\nnot done: it is\nlate\n",
        ));
        assert_eq!(
            page.strip_prefix(HEAD).unwrap(),
            "\n## RFC 1: One\n\n2 clauses: 1 done, 1 not done, 0 bind others.\n\n\
             | § | clause | code | test |\n|---|---|---|---|\n\
             | 2.1 | All **MUST** walk. \
             | [`Walk::new`](../crates/core/dmarc/src/discovery.rs)<br>Soon. \
             | [`it_walks`](../crates/core/dmarc/src/discovery.rs) |\n\
             | 2.2 | One **SHOULD NOT**. | not done, because it is late |  |\n"
        );
    }
}
