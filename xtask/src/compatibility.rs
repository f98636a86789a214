//! `docs/compatibility.md`: what the programs we stand in for do, item by item, and what became of it here.
//! Each item has a row, and a row that says *done* or *better* names a test that is there.

use std::collections::{BTreeMap, BTreeSet};

use crate::Finding;
use crate::names::Names;
use crate::source::SourceFile;

const PAGE: &str = "docs/compatibility.md";

/// The groups of items, and how many each has.
pub(crate) const GROUPS: [(&str, usize); 19] = [
    ("DN", 14), // the record in DNS
    ("C", 9),   // syntax of opendmarc.conf
    ("P", 42),  // its parameters
    ("F", 10),  // flags, exit codes, signals
    ("M", 18),  // behaviour as a milter
    ("A", 7),   // Authentication-Results coming in
    ("H", 6),   // header fields going out
    ("L", 7),   // log lines
    ("HF", 6),  // history files
    ("TB", 1),  // tables of the database
    ("T", 8),   // tools
    ("G", 11),  // aggregate reports
    ("X", 5),   // failure reports
    ("O", 13),  // operation
    ("Q", 18),  // qpsmtpd, Mail::DMARC
    ("E", 14),  // Exim
    ("R", 11),  // rspamd
    ("W", 6),   // tools on the web and by mail
    ("Z", 10),  // where what is written about them contradicts itself
];

/// What can have become of an item.
const OUTCOMES: [&str; 3] = ["done", "better", "left out"];

/// The test that runs all scenarios. Which of them belong to an item, their titles say.
const SCENARIO_TEST: &str = "every_scenario_ends_as_its_text_says";

/// What there is to show that an item is done.
#[derive(Debug, Default)]
struct Shown {
    /// The names of all test functions.
    tests: BTreeSet<String>,
    /// The items that have a scenario.
    in_scenarios: BTreeSet<String>,
}

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
    let shown = Shown::by(files);
    let rows = rows(&page.text);
    let mut findings: Vec<Finding> = rows.iter().flat_map(|row| check_row(row, &shown)).collect();
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

fn check_row(row: &Row<'_>, shown: &Shown) -> Vec<Finding> {
    let finding = |problem: String| Finding::new(PAGE, row.line, format!("{}: {problem}", row.id));
    if !OUTCOMES.contains(&row.outcome) {
        let known = OUTCOMES.join(", ");
        return vec![finding(format!("{:?} is none of {known}", row.outcome))];
    }
    if row.how.trim().is_empty() {
        return vec![finding("say how, or why not".to_owned())];
    }
    let named = || row.how.split('`').skip(1).step_by(2).map(last_part);
    let mut findings: Vec<Finding> = named()
        .filter(|name| claims_to_be_a_test(name) && !shown.tests.contains(*name))
        .map(|name| finding(format!("there is no test {name}")))
        .collect();
    if named().any(|name| name == SCENARIO_TEST) && !shown.in_scenarios.contains(row.id) {
        findings.push(finding("no scenario has that in its title".to_owned()));
    }
    if row.outcome != "left out" && !named().any(|name| shown.tests.contains(name)) {
        findings.push(finding("no test that is named here exists".to_owned()));
    }
    findings
}

/// The function in `module::function`.
fn last_part(name: &str) -> &str {
    name.rsplit("::").next().unwrap_or(name)
}

/// Tests are named by sentences; settings that stand without their table are shorter.
fn claims_to_be_a_test(name: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    name.bytes().all(is_plain) && name.bytes().filter(|b| *b == b'_').count() > 3
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

impl Shown {
    fn by(files: &[SourceFile]) -> Self {
        let names = Names::of(files);
        let mut shown = Self::default();
        for test in &names.tests {
            match test.path.strip_prefix("scenario::") {
                Some(id) => shown.in_scenarios.insert(id.to_owned()),
                None => shown.tests.insert(last_part(&test.path).to_owned()),
            };
        }
        shown
    }
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
        let shown = Shown {
            tests: BTreeSet::from(["it_works".to_owned(), SCENARIO_TEST.to_owned()]),
            in_scenarios: BTreeSet::from(["P13".to_owned()]),
        };
        check_row(row, &shown)
            .into_iter()
            .map(|finding| finding.problem)
            .collect()
    }

    #[test]
    fn a_row_names_a_test_that_is_there_or_a_reason() {
        for (outcome, how) in [
            ("done", "`interfaces::it_works`"),
            (
                "better",
                "faster: `it_works`, by `skip_it` and `dmarc.do_it_as_it_was_done`",
            ),
            ("left out", "nobody asks for it"),
        ] {
            assert_eq!(problems(&row(outcome, how)), Vec::<String>::new(), "{how}");
        }
        for (outcome, how, problem) in [
            ("done", "`it_does_not`", "no test that is named here exists"),
            ("better", "much", "no test that is named here exists"),
            ("left out", " ", "say how, or why not"),
            ("soon", "`it_works`", "\"soon\" is none of done, better, left out"),
            (
                "done",
                "`it_works`, `x::it_is_not_there_yet`",
                "there is no test it_is_not_there_yet",
            ),
        ] {
            assert_eq!(problems(&row(outcome, how)), [format!("P12: {problem}")], "{how}");
        }
    }

    #[test]
    fn a_row_that_names_the_scenarios_has_one_of_its_own() {
        let how = format!("`{SCENARIO_TEST}`");
        let mut row = row("done", &how);
        assert_eq!(problems(&row), ["P12: no scenario has that in its title"]);
        row.id = "P13";
        assert_eq!(problems(&row), Vec::<String>::new());
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
            ["DN1 is missing", "C1 stands twice", "there is no item P43"]
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
}
