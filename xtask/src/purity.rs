//! What the core does not do: touch the world, look at the clock, throw dice.
//!
//! Read from the text of the sources, tests left out. That is no proof, but nobody does
//! one of these by accident without writing its name.

use crate::Finding;
use crate::source::SourceFile;

/// The crates that decide, and touch nothing.
const CORE: &str = "crates/core/";

/// A word that has no place in the core, and what it stands for. Words match from the
/// start of an identifier or path; with `::`, `!` or `()` at the end, that has to follow.
const ABSENT: [(&str, &str); 27] = [
    ("fs::", "files"),
    ("File::", "files"),
    ("TcpStream", "sockets"),
    ("TcpListener", "sockets"),
    ("UdpSocket", "sockets"),
    ("UnixStream", "sockets"),
    ("UnixListener", "sockets"),
    ("ToSocketAddrs", "name lookups"),
    ("SystemTime", "the clock"),
    ("Instant", "the clock"),
    ("env::", "the environment"),
    ("process::", "processes"),
    ("thread::", "threads"),
    ("thread_local!", "threads"),
    ("stdin()", "standard input"),
    ("stdout()", "standard output"),
    ("stderr()", "standard error"),
    ("print!", "standard output"),
    ("println!", "standard output"),
    ("eprint!", "standard error"),
    ("eprintln!", "standard error"),
    ("dbg!", "standard error"),
    ("tokio", "an async runtime"),
    ("async_std", "an async runtime"),
    ("SystemRandom", "random numbers"),
    ("getrandom", "random numbers"),
    ("RandomState::new", "random numbers"),
];

/// What is wrong in the sources of the core.
pub(crate) fn check(files: &[SourceFile]) -> Vec<Finding> {
    files
        .iter()
        .filter(|file| is_core(file))
        .flat_map(check_file)
        .collect()
}

fn is_core(file: &SourceFile) -> bool {
    file.source_of().is_some_and(|folder| folder.starts_with(CORE))
}

fn check_file(file: &SourceFile) -> Vec<Finding> {
    let code = file
        .text
        .lines()
        .zip(1..)
        .take_while(|&(_, number)| number < file.first_test_line());
    let mut findings = Vec::new();
    for (line, number) in code {
        let line = without_comment(line);
        for (word, meaning) in ABSENT.iter().filter(|(word, _)| names(line, word)) {
            findings.push(Finding::new(
                &file.path,
                number,
                format!("{word:?}: the core has no {meaning}"),
            ));
        }
    }
    findings
}

fn without_comment(line: &str) -> &str {
    line.split_once("//").map_or(line, |(code, _)| code)
}

/// Whether the word stands in the line as an identifier of its own.
fn names(line: &str, word: &str) -> bool {
    let is_identifier = |character: char| character.is_alphanumeric() || character == '_';
    let whole_identifier = word.ends_with(is_identifier);
    line.match_indices(word).any(|(at, _)| {
        let starts = !line[..at].ends_with(is_identifier);
        let ends = !whole_identifier || !line[at + word.len()..].starts_with(is_identifier);
        starts && ends
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(path: &str, text: &str) -> Vec<(usize, String)> {
        let findings = check(&[SourceFile::new(path, text)]);
        findings
            .into_iter()
            .map(|finding| (finding.line, finding.problem))
            .collect()
    }

    #[test]
    fn every_word_is_found_in_the_core() {
        for (word, meaning) in ABSENT {
            let text = format!("//! x\nlet a = std::{word}(b);\n");
            let problem = format!("{word:?}: the core has no {meaning}");
            assert!(
                problems("crates/core/auth/src/spf.rs", &text).contains(&(2, problem)),
                "{word}"
            );
        }
    }

    #[test]
    fn edges_may_do_what_the_core_may_not() {
        assert_eq!(
            problems("crates/edges/dns/src/lib.rs", "use tokio::net::UdpSocket;\n"),
            []
        );
    }

    #[test]
    fn comments_tests_and_longer_names_do_not_count() {
        let text = "//! Knows no tokio.\nlet instantaneous = Instantly; // no Instant\nmy_env::of(refs::one);\n\
            #[cfg(test)]\nmod tests {\n    use std::fs::read;\n}\n";
        assert_eq!(problems("crates/core/mail/src/lib.rs", text), []);
        assert_eq!(
            problems("crates/core/mail/tests/it/main.rs", "use std::fs::read;\n"),
            []
        );
    }
}
