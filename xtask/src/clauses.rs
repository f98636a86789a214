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
//! test: s01_strings_of_one_record_are_joined
//! ```
//!
//! `code` and `test` name items and test functions by the end of their path, as far as needed to be unique:
//! `organizational_domain`, `discovery::organizational_domain`. In place of `code`, `others` says whom the clause
//! binds, and `not done` says why; in place of `test`, `untested` says why. `note` adds what a reader has to know.
//! The page has no line numbers, else each change of code would change the page: `cargo xtask clauses` prints them.

use std::fmt::Write;

use crate::Finding;
use crate::source::SourceFile;

const FOLDER: &str = "xtask/clauses/";
const SCENARIOS: &str = "crates/core/receiver/tests/scenarios/";

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
Clauses that bind others (domain owners, senders, consumers of reports) say so; what is not done gives the reason.
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

/// An item or a test function of the workspace.
#[derive(Debug)]
struct Item<'a> {
    file: &'a str,
    line: usize,
    /// `dmarc::discovery::Walk::new`.
    path: String,
}

/// All that a clause can name.
struct Names<'a> {
    items: Vec<Item<'a>>,
    tests: Vec<Item<'a>>,
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
        let keys = ["code", "test", "others", "not done", "untested", "note"];
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
            findings.push(finding(format!("the sentence does not say {:?}", self.keyword)));
        }
        let says = |key| self.fact(key).is_some();
        let is_done = says("code") && (says("test") || says("untested"));
        if [is_done, says("others"), says("not done")]
            .iter()
            .filter(|is| **is)
            .count()
            != 1
        {
            findings.push(finding("say code and test, or others, or not done".to_owned()));
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
            let untested = self.fact("untested").map(|why| format!("none: {}", cell(why)));
            let tests = links(&self.named("test", &names.tests));
            (
                links(&self.named("code", &names.items)),
                untested.unwrap_or(tests),
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

/// The one item whose path ends in a name.
fn unique<'n, 'a>(name: &str, items: &'n [Item<'a>]) -> Result<&'n Item<'a>, String> {
    let is_meant = |item: &&Item<'_>| {
        let before = item.path.strip_suffix(name);
        before.is_some_and(|before| before.is_empty() || before.ends_with("::"))
    };
    let meant: Vec<_> = items.iter().filter(is_meant).collect();
    match *meant.as_slice() {
        [item] => Ok(item),
        [] => Err(format!("nothing is called {name}")),
        [one, other, ..] => Err(format!("{name} is {} as well as {}", one.path, other.path)),
    }
}

impl<'a> Names<'a> {
    fn of(files: &'a [SourceFile]) -> Self {
        let mut names = Self {
            items: Vec::new(),
            tests: Vec::new(),
        };
        let is_ours =
            |file: &&SourceFile| file.path.starts_with("crates/") || file.path.starts_with("tests/");
        for file in files.iter().filter(is_ours).filter(|file| file.is_rust()) {
            names.add(file);
        }
        for file in files.iter().filter(|file| file.path.starts_with(SCENARIOS)) {
            names.add_scenarios(file);
        }
        names
    }

    /// `scenario::G06` for the first scenario that begins with `G06: ` or `G05, G06: `.
    fn add_scenarios(&mut self, file: &'a SourceFile) {
        for (line, title) in (1..)
            .zip(file.text.lines())
            .filter(|(_, text)| !text.starts_with('#'))
        {
            let ids = title.split_once(": ").map_or("", |(ids, _)| ids).split(", ");
            let is_id = |id: &&str| id.len() < 6 && id.starts_with(|c: char| c.is_ascii_uppercase());
            for id in ids.filter(is_id) {
                let path = format!("scenario::{id}");
                if !self.tests.iter().any(|known| known.path == path) {
                    self.tests.push(Item {
                        file: &file.path,
                        line,
                        path,
                    });
                }
            }
        }
    }

    fn add(&mut self, file: &'a SourceFile) {
        let module = module(&file.path);
        let first_test_line = file.first_test_line();
        let mut owner = None;
        let mut is_test = false;
        for (line, text) in (1..).zip(file.text.lines()) {
            let code = text.trim_start();
            let depth = text.len() - code.len();
            if depth == 0 && code.starts_with('}') {
                owner = None;
            }
            if code.starts_with("#[test]") || code.starts_with("#[tokio::test") {
                is_test = true;
                continue;
            }
            let Some((kind, name)) = definition(code) else {
                continue;
            };
            let item = |path| Item {
                file: &file.path,
                line,
                path,
            };
            if std::mem::take(&mut is_test) && kind == "fn" {
                self.tests.push(item(format!("{module}::{name}")));
                continue;
            }
            if depth == 0 {
                owner = Some(name).filter(|_| matches!(kind, "impl" | "trait"));
            }
            let path = match owner {
                _ if line >= first_test_line || kind == "impl" => continue,
                Some(owner) if depth == 4 => format!("{module}::{owner}::{name}"),
                _ if depth == 0 => format!("{module}::{name}"),
                _ => continue,
            };
            self.items.push(item(path));
        }
    }
}

/// `dmarc::evaluation::policy` for `crates/core/dmarc/src/evaluation/policy.rs`.
fn module(path: &str) -> String {
    let roots = ["crates/core/", "crates/edges/", "crates/roles/", "crates/"];
    let below = roots
        .iter()
        .find_map(|root| path.strip_prefix(root))
        .unwrap_or(path);
    let parts = below.trim_end_matches(".rs").split('/');
    let parts = parts.filter(|part| !matches!(*part, "src" | "lib" | "main" | "mod"));
    parts.collect::<Vec<_>>().join("::")
}

/// What a line defines: `fn` and a name; of an `impl` the name of its type.
fn definition(code: &str) -> Option<(&'static str, &str)> {
    let mut rest = code;
    if let Some(after) = rest.strip_prefix("pub") {
        rest = after.trim_start_matches(|c| c != ' ').trim_start();
    }
    for word in ["default ", "async ", "unsafe "] {
        rest = rest.strip_prefix(word).unwrap_or(rest);
    }
    rest = rest
        .strip_prefix("const ")
        .filter(|rest| rest.starts_with("fn "))
        .unwrap_or(rest);
    if rest.starts_with("impl") {
        let of = rest
            .split_once(" for ")
            .or_else(|| rest.split_once("> ").filter(|_| rest.starts_with("impl<")));
        let of = of.map_or_else(|| rest.trim_start_matches("impl "), |(_, of)| of);
        return identifier(of).map(|name| ("impl", name));
    }
    let kinds = ["fn", "struct", "enum", "trait", "type", "const", "static"];
    let defined = |kind: &'static str| {
        rest.strip_prefix(kind)?
            .strip_prefix(' ')
            .map(|name| (kind, name))
    };
    let (kind, name) = kinds.into_iter().find_map(defined)?;
    identifier(name).map(|name| (kind, name))
}

/// The identifier at the end of the path that a text begins with.
fn identifier(text: &str) -> Option<&str> {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':');
    let path = text.get(..end.unwrap_or(text.len()))?.trim_end_matches(':');
    path.rsplit(':').next().filter(|name| !name.is_empty())
}

fn clause_files(files: &[SourceFile]) -> impl Iterator<Item = &SourceFile> {
    files
        .iter()
        .filter(|file| file.path.starts_with(FOLDER) && file.path.ends_with(".txt"))
}

/// The names that clauses use and that are not there, and clauses that do not say enough.
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

    const CODE: &str = "\
pub(crate) fn walk() {}
const fn walk_on() {}
impl<'a> fmt::Display for Walk<'a> {
    fn fmt(&self) {}
}
impl<'a> Walk<'a> {
    pub const fn new() -> Self {
        const INNER: u8 = 0;
    }
}
struct Walk<'a>;
#[cfg(test)]
mod tests {
    fn helper() {}
    #[test]
    fn it_walks() {}
}
";

    fn files(clauses: &str) -> Vec<SourceFile> {
        vec![
            SourceFile::new("crates/core/dmarc/src/discovery.rs", CODE),
            SourceFile::new("crates/core/dmarc/src/lib.rs", "pub fn walk() {}\n"),
            SourceFile::new(
                "crates/core/receiver/tests/scenarios/a.txt",
                "G05, G06: one\nzone x: y\n",
            ),
            SourceFile::new("xtask/clauses/rfc1.txt", clauses),
        ]
    }

    #[test]
    fn items_have_the_path_of_their_module_and_type() {
        let files = files("");
        let names = Names::of(&files);
        let paths = |items: &[Item<'_>]| items.iter().map(|item| item.path.clone()).collect::<Vec<_>>();
        assert_eq!(
            paths(&names.items),
            [
                "dmarc::discovery::walk",
                "dmarc::discovery::walk_on",
                "dmarc::discovery::Walk::fmt",
                "dmarc::discovery::Walk::new",
                "dmarc::discovery::Walk",
                "dmarc::walk",
            ]
        );
        assert_eq!(
            paths(&names.tests),
            ["dmarc::discovery::it_walks", "scenario::G05", "scenario::G06"]
        );
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
        assert_eq!(
            problems("code: Walk::new, discovery::walk\ntest: it_walks, scenario::G06\n"),
            [""; 0]
        );
        assert_eq!(problems("others: domain owner\n"), [""; 0]);
        assert_eq!(problems("not done: it\nis late\n"), [""; 0]);
        assert_eq!(problems("code: alk\ntest: it_walks\n"), ["nothing is called alk"]);
        assert_eq!(
            problems("code: walk\nuntested: hard\n"),
            ["walk is dmarc::discovery::walk as well as dmarc::walk"]
        );
        let too_little = "say code and test, or others, or not done";
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
