//! What holds for the text of every file, whatever it says.

use crate::Finding;
use crate::source::SourceFile;

/// A source file that is longer is two.
const MAX_LINES: usize = 800;

/// Texts that belong to the machine of whoever wrote them, or name one host of a package
/// registry, where another may be configured. Put together here, lest this file has them.
const NEVER: [(&str, &str); 6] = [
    (concat!("/wo", "rk/"), "a path of one machine"),
    (concat!("/ro", "ot/"), "a path of one machine"),
    (concat!("/ho", "me/"), "a path of one machine"),
    (concat!("/tmp/", "target"), "a path of one machine"),
    (concat!("crates", ".io"), "the host of a registry"),
    (concat!("registry", "+http"), "the host of a registry"),
];

/// What cargo writes is not ours to judge.
const GENERATED: &str = "Cargo.lock";

/// What is wrong with the texts.
pub(crate) fn check(files: &[SourceFile]) -> Vec<Finding> {
    let ours = files.iter().filter(|file| !file.path.ends_with(GENERATED));
    let mut findings: Vec<_> = ours.flat_map(check_file).collect();
    findings.extend(check_readme(files));
    findings
}

fn check_file(file: &SourceFile) -> Vec<Finding> {
    let mut findings = Vec::new();
    let exact = is_data(file);
    for (line, number) in file.text.lines().zip(1..) {
        if !exact && line.ends_with([' ', '\t']) {
            findings.push(Finding::new(
                &file.path,
                number,
                "white space at the end of the line",
            ));
        }
        for (text, meaning) in NEVER.iter().filter(|(text, _)| line.contains(text)) {
            findings.push(Finding::new(&file.path, number, format!("{text:?} is {meaning}")));
        }
    }
    if !exact && !file.text.is_empty() && !file.text.ends_with('\n') {
        findings.push(Finding::new(&file.path, 0, "no line end at the end"));
    }
    if file.is_rust() {
        findings.extend(check_source(file));
    }
    findings
}

/// Files whose every octet is meant: messages, snapshots of what was printed, and the
/// seeds of property tests.
fn is_data(file: &SourceFile) -> bool {
    [".eml", ".snap", ".txt", ".jsonl", ".xml"]
        .iter()
        .any(|ending| file.path.ends_with(ending))
}

fn check_source(file: &SourceFile) -> Vec<Finding> {
    let mut findings = Vec::new();
    let lines = file.text.lines().count();
    if lines > MAX_LINES {
        findings.push(Finding::new(
            &file.path,
            0,
            format!("{lines} lines; more than {MAX_LINES} are two files"),
        ));
    }
    let says_what_it_is = file.text.starts_with("//!") || file.text.starts_with("#![");
    if file.source_of().is_some() && !says_what_it_is {
        findings.push(Finding::new(
            &file.path,
            1,
            "does not begin with `//!`: what it knows",
        ));
    }
    findings
}

fn check_readme(files: &[SourceFile]) -> Option<Finding> {
    let readme = files.iter().find(|file| file.path == "README.md");
    let names_it = readme.is_some_and(|file| file.text.contains("scripts/test"));
    (!names_it).then(|| Finding::new("README.md", 0, "does not say how to run the tests: scripts/test"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(path: &str, text: &str) -> Vec<String> {
        let readme = SourceFile::new("README.md", "Run scripts/test.\n");
        let findings = check(&[readme, SourceFile::new(path, text)]);
        findings.into_iter().map(|finding| finding.to_string()).collect()
    }

    #[test]
    fn white_space_at_the_end_is_found_but_not_in_data() {
        assert_eq!(
            problems("docs/a.md", "a \nb\n"),
            ["docs/a.md:1: white space at the end of the line"]
        );
        assert_eq!(problems("docs/a.md", "a"), ["docs/a.md: no line end at the end"]);
        assert_eq!(problems("tests/a.eml", "a \r\nb"), [""; 0]);
    }

    #[test]
    fn paths_and_hosts_are_found_but_not_in_lock_files() {
        for (text, meaning) in NEVER {
            let line = format!("see {text}x\n");
            assert_eq!(
                problems("docs/a.md", &line),
                [format!("docs/a.md:1: {text:?} is {meaning}")]
            );
            assert_eq!(problems("fuzz/Cargo.lock", &line), [""; 0]);
        }
    }

    #[test]
    fn a_source_file_says_what_it_knows() {
        assert_eq!(problems("crates/core/mail/src/a.rs", "//! Names.\n"), [""; 0]);
        assert_eq!(
            problems("crates/core/mail/src/a.rs", "fn a() {}\n"),
            ["crates/core/mail/src/a.rs:1: does not begin with `//!`: what it knows"]
        );
    }

    #[test]
    fn the_limit_of_lines_holds_at_the_line() {
        let text = format!("//! x\n{}", "\n".repeat(MAX_LINES - 1));
        assert_eq!(problems("crates/core/mail/src/a.rs", &text), [""; 0]);
        assert_eq!(
            problems("crates/core/mail/src/a.rs", &(text + "\n")),
            ["crates/core/mail/src/a.rs: 801 lines; more than 800 are two files"]
        );
    }

    #[test]
    fn the_readme_says_how_to_run_the_tests() {
        assert_eq!(check(&[SourceFile::new("README.md", "hello\n")]).len(), 1);
        assert_eq!(check(&[]).len(), 1);
    }
}
