//! `ARCHITECTURE.md` names each crate that exists, in bold, and no other.

use std::collections::BTreeSet;

use crate::Finding;
use crate::source::{Package, SourceFile};

const PAGE: &str = "ARCHITECTURE.md";

/// What is missing on the page, or names what is not there.
pub(crate) fn check(files: &[SourceFile], packages: &[Package]) -> Vec<Finding> {
    let page = files.iter().find(|file| file.path == PAGE);
    let named = bold_words(page.map_or("", |page| &page.text));
    // A name is that of a folder, whole or its last part: packages outside the workspace have one, too.
    let crates = packages
        .iter()
        .map(|package| package.manifest.trim_end_matches("/Cargo.toml"));
    let missing = crates.filter(|folder| !named.iter().any(|name| is_named(folder, name)));
    let missing = missing.map(|folder| format!("does not name the crate in {folder} in bold"));
    let folders: BTreeSet<&str> = files
        .iter()
        .filter_map(|file| Some(file.path.rsplit_once('/')?.0))
        .collect();
    let strange = named
        .iter()
        .filter(|name| !folders.iter().any(|folder| is_named(folder, name)));
    let strange = strange.map(|name| format!("names {name:?} in bold, which is not there"));
    missing
        .chain(strange)
        .map(|problem| Finding::new(PAGE, 0, problem))
        .collect()
}

fn is_named(folder: &str, name: &str) -> bool {
    folder
        .strip_suffix(name)
        .is_some_and(|rest| rest.is_empty() || rest.ends_with('/'))
}

/// What stands in bold and is written as names of crates are.
fn bold_words(page: &str) -> BTreeSet<&str> {
    let is_name = |word: &&str| {
        let is_part = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"/-_".contains(&byte);
        !word.is_empty() && word.bytes().all(is_part)
    };
    page.lines()
        .flat_map(|line| line.split("**").skip(1).step_by(2))
        .filter(is_name)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_names_the_crates_that_exist() {
        let page = "- **mail**: names.\n- **tests/e2e**: all. **fuzz**: more.\n- **Time**: no crate.\n- **door**: gone.\n";
        let mut files = vec![SourceFile::new(PAGE, page)];
        let manifests = ["crates/core/mail", "tests/e2e", "fuzz", "crates/edges/net"]
            .map(|folder| format!("{folder}/Cargo.toml"));
        files.extend(manifests.iter().map(|manifest| SourceFile::new(manifest, "")));
        let package = |manifest: &String| Package {
            name: String::new(),
            manifest: manifest.clone(),
            dependencies: Vec::new(),
        };
        let packages: Vec<_> = manifests
            .iter()
            .filter(|manifest| !manifest.starts_with("fuzz"))
            .map(package)
            .collect();
        let problems: Vec<_> = check(&files, &packages)
            .into_iter()
            .map(|finding| finding.problem)
            .collect();
        assert_eq!(
            problems,
            [
                "does not name the crate in crates/edges/net in bold",
                "names \"door\" in bold, which is not there"
            ]
        );
    }
}
