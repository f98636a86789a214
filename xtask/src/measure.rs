//! How large the product is, and what in it is out of proportion: `cargo xtask measure [REVISION]`.
//!
//! A line of code holds a token outside comments; what is compiled for tests alone does not count.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs, io, process};

use crate::rust::{Token, code_lines, sources, trees};
use crate::source::{SourceError, SourceFile, read_files};
use crate::{Finding, modules, types};

/// A file with more lines of code is named.
const LONG_FILE: usize = 400;
/// How many functions are named.
const LONGEST: usize = 10;

/// Prints the measures of the work tree, or of a revision.
pub(crate) fn run(revision: Option<&str>) -> Result<Vec<Finding>, SourceError> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let files = match revision {
        None => read_files(&root)?,
        Some(revision) => {
            let folder = env::temp_dir().join(format!("landmarc-measure-{}", process::id()));
            let files = unpack(&root, revision, &folder).and_then(|()| read_files(&folder));
            let _ = fs::remove_dir_all(&folder);
            files?
        }
    };
    print!("{}", page(&files));
    Ok(Vec::new())
}

fn unpack(root: &Path, revision: &str, folder: &Path) -> Result<(), SourceError> {
    let failed = |error| SourceError::Io(PathBuf::from(revision), error);
    fs::create_dir_all(folder).map_err(failed)?;
    let mut archive = Command::new("git")
        .args(["archive", "--end-of-options", revision])
        .current_dir(root)
        .stdout(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let tar = archive.stdout.take().map_or_else(Stdio::null, Stdio::from);
    let unpacked = Command::new("tar")
        .arg("-x")
        .current_dir(folder)
        .stdin(tar)
        .status();
    let ended = [archive.wait(), unpacked];
    match ended
        .into_iter()
        .all(|ended| ended.is_ok_and(|status| status.success()))
    {
        true => Ok(()),
        false => Err(failed(io::Error::other("git archive cannot give it"))),
    }
}

fn page(files: &[SourceFile]) -> String {
    let mut crates = BTreeMap::<&str, usize>::new();
    let mut long_files = Vec::new();
    let mut functions = Vec::new();
    let sources = sources(files);
    for source in &sources {
        let lines = code_lines(&source.tokens);
        *crates.entry(source.folder).or_default() += lines;
        if source.file.is_product() {
            let path = source.file.path.as_str();
            long_files.extend((lines > LONG_FILE).then_some((lines, path)));
            functions.extend(functions_of(path, &source.tokens));
        }
    }
    let product: usize = crates
        .iter()
        .filter(|(name, _)| !name.ends_with("/testkit"))
        .map(|(_, lines)| lines)
        .sum();
    let mut page = format!("code lines of the product: {product}\n");
    for (name, lines) in crates {
        page += &format!("{lines:>7}  {name}\n");
    }
    let circles = modules::circles(files);
    page += &format!("circles of modules: {}\n", circles.len());
    for circle in circles {
        let files: Vec<_> = circle.files.iter().map(String::as_str).collect();
        page += &format!("{:>7}  {}: {}\n", files.len(), circle.folder, files.join(" "));
    }
    let types = types::public_types(files);
    let double: Vec<_> = types.iter().filter(|(_, places)| places.len() > 1).collect();
    page += &format!("type names that occur more than once: {}\n", double.len());
    for (name, places) in double {
        page += &format!("{:>7}  {name}\n", places.len());
    }
    page += &format!(
        "files with more than {LONG_FILE} lines of code: {}\n",
        long_files.len()
    );
    long_files.sort_by(|one, other| other.cmp(one));
    for (lines, path) in long_files {
        page += &format!("{lines:>7}  {path}\n");
    }
    functions.sort_by(|one, other| other.cmp(one));
    page += "longest functions, in lines\n";
    for (lines, name) in functions.iter().take(LONGEST) {
        page += &format!("{lines:>7}  {name}\n");
    }
    page
}

/// The functions with a body: their lines, and where they are.
fn functions_of(path: &str, tokens: &[Token<'_>]) -> Vec<(usize, String)> {
    let mut functions = Vec::new();
    // What has no name is the type of a pointer.
    let is_function = |(at, token): &(usize, &Token<'_>)| {
        token.text == "fn" && tokens.get(at + 1).is_some_and(Token::is_name)
    };
    for (at, token) in tokens.iter().enumerate().filter(is_function) {
        let body = trees(&tokens[at..]).find(|tree| matches!(tree[0].text, "{" | ";"));
        if let Some([_, .., end]) = body {
            let lines = end.last_line + 1 - token.first_line;
            functions.push((
                lines,
                format!("{path}:{} {}", token.first_line, tokens[at + 1].text),
            ));
        }
    }
    functions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_product_is_measured_without_tests_and_comments() {
        let text = "//! Knows.\nfn long(x: fn(u8)) {\n    // why\n    y();\n}\n\nfn short() {}\ntrait T { fn none(&self); }\n\
                    #[cfg(test)]\nmod tests {\n}\n";
        let files = [
            SourceFile::new("crates/core/mail/src/lib.rs", text),
            SourceFile::new("crates/testkit/src/lib.rs", "fn a() {}\n"),
            SourceFile::new("xtask/src/main.rs", "fn main() {}\n"),
        ];
        let page = page(&files);
        assert!(
            page.starts_with(
                "code lines of the product: 5\n      5  crates/core/mail\n      1  crates/testkit\n"
            ),
            "{page}"
        );
        assert!(
            page.ends_with(
                "      4  crates/core/mail/src/lib.rs:2 long\n      1  crates/core/mail/src/lib.rs:7 short\n"
            ),
            "{page}"
        );
    }
}
