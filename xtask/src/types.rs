//! The names of types: each stands for one thing, so that a search for it answers.

use std::collections::BTreeMap;

use crate::Finding;
use crate::rust::sources;
use crate::source::SourceFile;

/// Names that several crates define on purpose, and why.
const REASONS: &[(&str, &str)] = &[];

/// The places of the types that other modules may name, `pub` or `pub(crate)`, by name: file and line.
pub(crate) fn public_types(files: &[SourceFile]) -> BTreeMap<String, Vec<(String, usize)>> {
    let mut types = BTreeMap::<String, Vec<_>>::new();
    let sources = sources(files)
        .into_iter()
        .filter(|source| source.file.is_product());
    for source in sources {
        let tokens = &source.tokens;
        for (at, token) in tokens.iter().enumerate() {
            let text = |back: usize| at.checked_sub(back).map_or("", |at| tokens[at].text);
            let is_type = matches!(token.text, "struct" | "enum" | "union" | "trait" | "type");
            let is_public = text(1) == "pub" || text(1) == ")" && text(2) == "crate" && text(4) == "pub";
            if let (true, true, Some(name)) = (
                is_type,
                is_public,
                tokens.get(at + 1).filter(|name| name.is_name()),
            ) {
                let place = (source.file.path.clone(), name.first_line);
                types.entry(name.text.to_owned()).or_default().push(place);
            }
        }
    }
    types
}

/// Names that occur twice and are not listed, and lines of the lists without such a name.
pub(crate) fn check(files: &[SourceFile]) -> Vec<Finding> {
    let types = public_types(files);
    let is_double = |name: &str| types.get(name).is_some_and(|places| places.len() > 1);
    let listed: Vec<&str> = REASONS.iter().map(|(name, _)| *name).collect();
    let mut findings = Vec::new();
    for (name, places) in types
        .iter()
        .filter(|(name, _)| is_double(name) && !listed.contains(&name.as_str()))
    {
        let (path, line) = &places[0];
        let others: Vec<_> = places[1..]
            .iter()
            .map(|(path, line)| format!("{path}:{line}"))
            .collect();
        let problem = format!("the type name {name} occurs again at {}", others.join(", "));
        findings.push(Finding::new(path, *line, problem));
    }
    let stale = listed.iter().filter(|name| !is_double(name));
    findings.extend(stale.map(|name| {
        let problem = format!("the type name {name} does not occur twice: take it out");
        Finding::new("xtask/src/types.rs", 0, problem)
    }));
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_types_are_found_that_others_can_see() {
        let text = "pub struct A;\npub(crate) enum B {}\nstruct C;\npub(super) struct D;\nimpl I for A { type F = u8; }\n";
        let files = [
            SourceFile::new("crates/core/mail/src/lib.rs", text),
            SourceFile::new("crates/roles/web/src/lib.rs", "pub trait A {}\n"),
            SourceFile::new("crates/testkit/src/lib.rs", "pub struct B;\n"),
        ];
        let types = public_types(&files);
        assert_eq!(types.keys().collect::<Vec<_>>(), ["A", "B"]);
        let problems: Vec<_> = check(&files).iter().map(ToString::to_string).collect();
        assert_eq!(
            problems[0],
            "crates/core/mail/src/lib.rs:1: the type name A occurs again at crates/roles/web/src/lib.rs:1"
        );
    }
}
