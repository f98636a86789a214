//! `docs/compatibility.md`: what the programs we stand in for do, item by item, and what became of it here.
//! Each item has a row, and a row that says *done* or *better* names a test that is there.

use std::collections::{BTreeMap, BTreeSet};

use crate::Finding;
use crate::source::SourceFile;

const PAGE: &str = "docs/compatibility.md";

/// The groups of items, and how many each has.
const GROUPS: [(&str, usize); 19] = [
    ("D", 14), // the record in DNS
    ("C", 9),  // syntax of opendmarc.conf
    ("P", 42), // its parameters
    ("F", 10), // flags, exit codes, signals
    ("M", 18), // behaviour as a milter
    ("A", 7),  // Authentication-Results coming in
    ("H", 6),  // header fields going out
    ("L", 7),  // log lines
    ("HF", 6), // history files
    ("S", 1),  // tables of the database
    ("T", 8),  // tools
    ("G", 11), // aggregate reports
    ("X", 5),  // failure reports
    ("O", 13), // operation
    ("Q", 18), // qpsmtpd, Mail::DMARC
    ("E", 14), // Exim
    ("R", 11), // rspamd
    ("W", 6),  // tools on the web and by mail
    ("Z", 10), // where what is written about them contradicts itself
];

/// What can have become of an item.
const OUTCOMES: [&str; 3] = ["done", "better", "left out"];

/// One row of the page.
#[derive(Debug, PartialEq, Eq)]
struct Row<'a> {
    line: usize,
    id: &'a str,
    outcome: &'a str,
    how: &'a str,
}

/// What is missing on the page, or names what is not there.
pub(crate) fn check(files: &[SourceFile]) -> Vec<Finding> {
    let Some(page) = files.iter().find(|file| file.path == PAGE) else {
        return vec![Finding::new(PAGE, 0, "the page is missing")];
    };
    let tests = tests(files);
    let rows = rows(&page.text);
    let mut findings: Vec<Finding> = rows.iter().flat_map(|row| check_row(row, &tests)).collect();
    findings.extend(check_ids(&rows));
    findings
}

fn rows(page: &str) -> Vec<Row<'_>> {
    let numbered = (1..).zip(page.lines());
    numbered.filter_map(|(line, text)| row(line, text)).collect()
}

/// A line of four cells, the first of which is an id.
fn row(line: usize, text: &str) -> Option<Row<'_>> {
    let mut cells = text.strip_prefix("| ")?.strip_suffix(" |")?.splitn(4, " | ");
    let (id, _what, outcome, how) = (cells.next()?, cells.next()?, cells.next()?, cells.next()?);
    let is_id =
        id.starts_with(|c: char| c.is_ascii_uppercase()) && id.ends_with(|c: char| c.is_ascii_digit());
    is_id.then_some(Row {
        line,
        id,
        outcome,
        how,
    })
}

fn check_row(row: &Row<'_>, tests: &BTreeSet<String>) -> Vec<Finding> {
    let finding = |problem: String| Finding::new(PAGE, row.line, problem);
    if !OUTCOMES.contains(&row.outcome) {
        let known = OUTCOMES.join(", ");
        return vec![finding(format!(
            "{}: {:?} is none of {known}",
            row.id, row.outcome
        ))];
    }
    if row.how.trim().is_empty() {
        return vec![finding(format!("{}: say how, or why not", row.id))];
    }
    if row.outcome == "left out" {
        return Vec::new();
    }
    let named: Vec<&str> = row.how.split('`').skip(1).step_by(2).collect();
    let known = |name: &str| tests.contains(name.rsplit("::").next().unwrap_or(name));
    if named.iter().any(|name| known(name)) {
        return Vec::new();
    }
    vec![finding(format!("{}: no test that is named here exists", row.id))]
}

/// Each item once, none that is not known.
fn check_ids(rows: &[Row<'_>]) -> Vec<Finding> {
    let mut seen = BTreeMap::new();
    for row in rows {
        seen.entry(row.id).or_insert_with(Vec::new).push(row.line);
    }
    let mut findings = Vec::new();
    for id in ids() {
        match seen.remove(id.as_str()).as_deref() {
            None => findings.push(Finding::new(PAGE, 0, format!("{id} is missing"))),
            Some([_]) => {}
            Some(lines) => findings.push(Finding::new(
                PAGE,
                lines[lines.len() - 1],
                format!("{id} stands twice"),
            )),
        }
    }
    findings.extend(seen.into_iter().map(|(id, lines)| {
        let line = lines.first().copied().unwrap_or_default();
        Finding::new(PAGE, line, format!("there is no item {id}"))
    }));
    findings
}

fn ids() -> impl Iterator<Item = String> {
    let groups = GROUPS.into_iter();
    groups.flat_map(|(group, count)| (1..=count).map(move |number| format!("{group}{number}")))
}

/// The names of all test functions.
fn tests(files: &[SourceFile]) -> BTreeSet<String> {
    let rust = files.iter().filter(|file| file.is_rust());
    rust.flat_map(|file| tests_of(&file.text)).collect()
}

/// Functions after a line `#[test]` or `#[tokio::test…]`, and those within `proptest!`, which have the first of
/// these lines as well.
fn tests_of(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut is_test = false;
    for line in text.lines().map(str::trim_start) {
        if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            is_test = true;
        } else if let Some(name) = function(line) {
            if is_test {
                names.push(name.to_owned());
            }
            is_test = false;
        }
    }
    names
}

fn function(line: &str) -> Option<&str> {
    let line = line.strip_prefix("async ").unwrap_or(line);
    let rest = line.strip_prefix("fn ")?;
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_')?;
    rest.get(..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row<'a>(outcome: &'a str, how: &'a str) -> Row<'a> {
        Row {
            line: 7,
            id: "P12",
            outcome,
            how,
        }
    }

    fn problems(row: &Row<'_>) -> Vec<String> {
        let tests = BTreeSet::from(["it_works".to_owned()]);
        check_row(row, &tests)
            .into_iter()
            .map(|finding| finding.problem)
            .collect()
    }

    #[test]
    fn a_row_names_a_test_that_is_there_or_a_reason() {
        assert_eq!(problems(&row("done", "`doors::it_works`")), Vec::<String>::new());
        assert_eq!(
            problems(&row("better", "faster: `it_works`")),
            Vec::<String>::new()
        );
        assert_eq!(
            problems(&row("left out", "nobody asks for it")),
            Vec::<String>::new()
        );
        assert_eq!(
            problems(&row("done", "`it_does_not`")),
            ["P12: no test that is named here exists"]
        );
        assert_eq!(
            problems(&row("better", "much")),
            ["P12: no test that is named here exists"]
        );
        assert_eq!(problems(&row("left out", " ")), ["P12: say how, or why not"]);
        assert_eq!(
            problems(&row("soon", "`it_works`")),
            ["P12: \"soon\" is none of done, better, left out"]
        );
    }

    #[test]
    fn each_item_stands_once_and_none_is_missing() {
        let all: Vec<String> = ids().collect();
        assert_eq!(all.len(), 216);
        let row = |id| Row {
            line: 1,
            id,
            outcome: "done",
            how: "x",
        };
        let mut rows: Vec<_> = all.iter().map(|id| row(id.as_str())).collect();
        assert_eq!(check_ids(&rows), []);
        rows.remove(0);
        rows.push(row("C1"));
        rows.push(row("P43"));
        let problems: Vec<String> = check_ids(&rows)
            .into_iter()
            .map(|finding| finding.problem)
            .collect();
        assert_eq!(
            problems,
            ["D1 is missing", "C1 stands twice", "there is no item P43"]
        );
    }

    #[test]
    fn rows_are_told_from_other_tables() {
        let page = "| id | what | outcome | how |\n|---|---|---|---|\n| HF3 | new | lines | done | `a` |\n| HF4 | x | done | `a` or b |\n";
        let found = rows(page);
        assert_eq!(found.len(), 2);
        assert_eq!(
            found[1],
            Row {
                line: 4,
                id: "HF4",
                outcome: "done",
                how: "`a` or b"
            }
        );
    }

    #[test]
    fn tests_are_functions_with_the_attribute() {
        let text = "#[test]\nfn one() {\n#[tokio::test(flavor = \"x\")]\nasync fn two() {}\nfn three() {}\n";
        assert_eq!(tests_of(text), ["one", "two"]);
    }
}
