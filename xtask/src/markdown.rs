//! What holds for every page in Markdown: it fits a terminal, and its links lead somewhere.

use std::collections::BTreeSet;

use crate::Finding;
use crate::source::SourceFile;

/// Pages are read with `less` on a server: a line has at most so many characters.
const MAX_COLUMNS: usize = 120;

/// Pages that have wider lines.
const WIDE: &[&str] = &[
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "docs/catalogue.md",
    "docs/compatibility.md",
    "docs/conformance.md",
    "docs/decisions.md",
    "docs/exim.md",
    "docs/install.md",
    "docs/opendmarc-data.md",
    "docs/operating.md",
    "docs/performance-store.md",
    "docs/performance.md",
    "docs/reporting.md",
    "docs/settings.md",
    "docs/threat-model.md",
];

/// What is wrong with the pages.
pub(crate) fn check(files: &[SourceFile]) -> Vec<Finding> {
    let pages: Vec<&SourceFile> = files.iter().filter(|file| file.path.ends_with(".md")).collect();
    let mut findings = Vec::new();
    for page in &pages {
        let wide = wide_lines(page);
        match (WIDE.contains(&page.path.as_str()), &wide[..]) {
            (true, []) => {
                let problem = format!("{} has no wide line: take it out", page.path);
                findings.push(Finding::new("xtask/src/markdown.rs", 0, problem));
            }
            (true, _) => {}
            (false, _) => findings.extend(wide.iter().map(|(line, columns)| {
                let problem = format!("{columns} columns; at most {MAX_COLUMNS} fit a terminal");
                Finding::new(&page.path, *line, problem)
            })),
        }
        findings.extend(broken_links(page, files));
    }
    findings
}

/// The lines that are too wide, and their columns.
fn wide_lines(page: &SourceFile) -> Vec<(usize, usize)> {
    let lines = (1..).zip(page.text.lines());
    let columns = lines.map(|(number, line)| (number, line.chars().count()));
    columns.filter(|(_, columns)| *columns > MAX_COLUMNS).collect()
}

/// Links to pages and headings that are not there.
fn broken_links(page: &SourceFile, files: &[SourceFile]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut is_code = false;
    for (line, number) in page.text.lines().zip(1..) {
        is_code ^= line.trim_start().starts_with("```");
        if is_code {
            continue;
        }
        let targets = line.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for target in targets.filter(|target| !target.contains(':')) {
            let (path, heading) = target.split_once('#').unwrap_or((target, ""));
            let path = if path.is_empty() {
                page.path.clone()
            } else {
                resolved(&page.path, path)
            };
            let problem = match files.iter().find(|file| file.path == path) {
                Some(file) if heading.is_empty() || anchors(&file.text).contains(heading) => continue,
                Some(_) => format!("{path} has no heading #{heading}"),
                None if files
                    .iter()
                    .any(|file| file.path.starts_with(&format!("{path}/"))) =>
                {
                    continue;
                }
                None => format!("there is no {path}"),
            };
            findings.push(Finding::new(&page.path, number, problem));
        }
    }
    findings
}

/// The path of a link, from that of the page it stands in.
fn resolved(page: &str, link: &str) -> String {
    let mut parts: Vec<&str> = page.split('/').collect();
    parts.pop();
    for part in link.trim_end_matches('/').split('/') {
        if part == ".." {
            parts.pop();
        } else {
            parts.push(part);
        }
    }
    parts.join("/")
}

/// What the headings of a page are called in links.
fn anchors(page: &str) -> BTreeSet<String> {
    let headings = page.lines().filter(|line| line.starts_with('#'));
    let anchor = |heading: &str| -> String {
        let text = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = text
            .chars()
            .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(anchor).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(path: &str, text: &str) -> Vec<String> {
        let mut files = vec![SourceFile::new("docs/b.md", "# One two\n\n## `a.b`: c\n")];
        files.push(SourceFile::new(path, text));
        let findings = check(&files);
        let of_page = findings.iter().filter(|finding| finding.path == path);
        of_page.map(ToString::to_string).collect()
    }

    #[test]
    fn a_line_fits_a_terminal() {
        let line = "ü".repeat(MAX_COLUMNS);
        assert_eq!(problems("docs/a.md", &line), [""; 0]);
        assert_eq!(
            problems("docs/a.md", &format!("\n{line}x\n")),
            ["docs/a.md:2: 121 columns; at most 120 fit a terminal"]
        );
        assert_eq!(problems("docs/a.txt", &format!("{line}x\n")), [""; 0]);
    }

    #[test]
    fn links_lead_to_pages_and_headings() {
        let good = "# A b\n[x](b.md) [x](b.md#one-two) [x](b.md#ab-c) [x](#a-b) [x](../docs/b.md) [x](https://a.example)\n";
        assert_eq!(problems("docs/a.md", good), [""; 0]);
        assert_eq!(problems("docs/a.md", "```text\n[x](c.md)\n```\n"), [""; 0]);
        assert_eq!(
            problems("docs/a.md", "[x](c.md) [x](b.md#two)\n"),
            [
                "docs/a.md:1: there is no docs/c.md",
                "docs/a.md:1: docs/b.md has no heading #two"
            ]
        );
    }
}
