//! Sentences that tests quote: wording is asserted in golden files (`insta`), so that a better sentence changes those
//! and no test. A golden text may stand inline: `insta::assert_snapshot!(error, @"…")`, which `cargo insta` rewrites.

use crate::Finding;
use crate::rust::{tokens, trees};
use crate::source::SourceFile;

/// So many words of small letters in a row are a sentence, and no value, code or id.
const WORDS_OF_A_SENTENCE: usize = 4;

/// Files whose sentences are values, and why.
const REASONS: &[(&str, &str)] = &[
    (
        "crates/core/mail/tests/it/authres.rs",
        "comments of others, as they stand in a field",
    ),
    (
        "crates/landmarc/src/commands/rules/test.rs",
        "a list of names that are one letter long",
    ),
    (
        "crates/roles/runtime/src/error_chain.rs",
        "errors that the test makes up",
    ),
    ("tests/e2e/interfaces/third.rs", "the words of another filter"),
];

/// Files of tests that quote sentences and are not listed, and entries of the list without such a file.
pub(crate) fn check(files: &[SourceFile]) -> Vec<Finding> {
    let listed: Vec<&str> = REASONS.iter().map(|(path, _)| *path).collect();
    let is_ours = |file: &&SourceFile| {
        file.is_rust() && (file.path.starts_with("crates/") || file.path.starts_with("tests/"))
    };
    let mut findings = Vec::new();
    let mut with_sentences = Vec::new();
    for file in files.iter().filter(is_ours) {
        let lines = lines_of_sentences(file);
        if listed.contains(&file.path.as_str()) {
            with_sentences.extend((!lines.is_empty()).then_some(file.path.as_str()));
            continue;
        }
        let problem =
            "a test quotes a sentence: assert its value, or the sentence by insta::assert_snapshot!";
        findings.extend(
            lines
                .into_iter()
                .map(|line| Finding::new(&file.path, line, problem)),
        );
    }
    let stale = listed.iter().filter(|path| !with_sentences.contains(path));
    findings.extend(stale.map(|path| {
        let problem = format!("{path} quotes no sentence: take it out");
        Finding::new("xtask/src/wording.rs", 0, problem)
    }));
    findings
}

/// Where a test compares with a sentence, or looks for one.
fn lines_of_sentences(file: &SourceFile) -> Vec<usize> {
    let first_test_line = file.first_test_line();
    let tokens = tokens(&file.text);
    let mut lines = Vec::new();
    for at in 0..tokens.len() {
        let text = |offset: usize| tokens.get(at + offset).map_or("", |token| token.text);
        let start = match (text(0), text(1), text(2)) {
            ("assert_eq", "!", "(") | (".", "contains" | "starts_with" | "ends_with", "(") => at + 3,
            _ => continue,
        };
        let arguments: Vec<_> = trees(&tokens[start..]).collect();
        let is_quoted = arguments
            .split(|tree| tree[0].text == ",")
            .take(2)
            .any(|argument| matches!(argument, [[token]] if is_sentence(token.text)));
        let line = tokens[start - 1].first_line;
        if is_quoted && line >= first_test_line {
            lines.push(line);
        }
    }
    lines
}

/// Whether it is a text with so many words of small letters in a row.
fn is_sentence(literal: &str) -> bool {
    let Some((_, text)) = literal.split_once('"') else {
        return false;
    };
    let mut row = 0;
    text.trim_end_matches(['"', '#'])
        .split_whitespace()
        .filter(|word| *word != "\\")
        .any(|word| {
            let word = word.trim_end_matches([',', ';', ':', '.']);
            let is_word = !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c == '\'');
            row = if is_word { row + 1 } else { 0 };
            row >= WORDS_OF_A_SENTENCE
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_are_found_in_tests_and_values_are_not() {
        assert!(is_sentence("\"the name, as written, is empty\""));
        assert!(is_sentence("r#\"line 2: \"x\" \\\n  is no name at all\"#"));
        assert!(!is_sentence("\"v=DMARC1; p=none; rua=mailto:a@example.com\""));
        assert!(!is_sentence("\"GRANT SELECT ON one TO two\""));
        assert!(!is_sentence("it_is_no_literal_at_all"));
        let text = "fn f(e: &str) { e.contains(\"of no test at all\"); }\n#[cfg(test)]\nmod tests {\n\
            assert_eq!(a, \"that is no name\");\nassert_eq!(a, [1, 2], \"that is no message\");\n\
            assert!(a.contains(\"that is no name\"));\n\
            insta::assert_snapshot!(a, @\"that is no name\");\n}\n";
        let file = SourceFile::new("crates/core/mail/src/lib.rs", text);
        assert_eq!(lines_of_sentences(&file), [4, 6]);
        let findings = check(&[file]);
        let of_file = findings
            .iter()
            .filter(|finding| finding.path.starts_with("crates/core/mail/src"));
        assert_eq!(of_file.count(), 2);
    }
}
