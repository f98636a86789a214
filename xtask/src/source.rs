//! The workspace as the checks see it: packages, and files of text.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use serde_json::Value;

/// Folders that hold nothing of ours, by the end of their paths.
const FOREIGN: [&str; 6] = [
    ".git",
    "target",
    "fuzz/corpus",
    "fuzz/artifacts",
    "fuzz/coverage",
    "node_modules",
];

/// Why the workspace cannot be looked at.
#[derive(Debug)]
pub(crate) enum SourceError {
    /// A file or folder, and what happened.
    Io(PathBuf, io::Error),
    /// `cargo metadata` did not answer as it should.
    Metadata(String),
}

impl std::fmt::Display for SourceError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Io(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Metadata(problem) => write!(f, "cargo metadata: {problem}"),
        }
    }
}

/// Everything that is looked at.
pub(crate) struct Workspace {
    /// Its folder.
    pub(crate) root: PathBuf,
    /// The packages of the workspace.
    pub(crate) packages: Vec<Package>,
    /// All files of text, in the order of their paths.
    pub(crate) files: Vec<SourceFile>,
}

/// One package and what it depends on.
#[derive(Clone, Debug)]
pub(crate) struct Package {
    pub(crate) name: String,
    /// Its manifest, relative to the workspace.
    pub(crate) manifest: String,
    pub(crate) dependencies: Vec<Dependency>,
}

/// One line of a manifest.
#[derive(Clone, Debug)]
pub(crate) struct Dependency {
    /// The name of the package, not what it is called here.
    pub(crate) name: String,
    /// Whether it is there for tests only.
    pub(crate) dev: bool,
}

/// One file of text.
#[derive(Clone, Debug)]
pub(crate) struct SourceFile {
    /// Relative to the workspace, parted by `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl SourceFile {
    #[cfg(test)]
    pub(crate) fn new(path: &str, text: &str) -> Self {
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }

    pub(crate) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// The folder of the crate, such as `crates/core/mail`, when this is a source file of a crate.
    pub(crate) fn source_of(&self) -> Option<&str> {
        let (folder, _) = self.path.split_once("/src/")?;
        (folder.starts_with("crates/") && self.is_rust()).then_some(folder)
    }

    /// Whether it is a source file of the product.
    pub(crate) fn is_product(&self) -> bool {
        self.source_of().is_some_and(|folder| folder != "crates/testkit")
    }

    /// The number of the first line that is test code: 1 in a file of tests, and past the
    /// end where there is none. Unit tests are the last thing in a file.
    pub(crate) fn first_test_line(&self) -> usize {
        let of_tests = self
            .path
            .split('/')
            .any(|part| matches!(part, "tests" | "tests.rs" | "testkit"));
        if of_tests {
            return 1;
        }
        let mut lines = self.text.lines().zip(1..).peekable();
        while let Some((line, number)) = lines.next() {
            let module_follows = lines
                .peek()
                .is_some_and(|(next, _)| next.trim_start().starts_with("mod "));
            if line.trim() == "#[cfg(test)]" && module_follows && !next_is_a_file(lines.peek()) {
                return number;
            }
        }
        usize::MAX
    }
}

/// Whether the line is `mod tests;`, after which code may follow.
fn next_is_a_file(line: Option<&(&str, usize)>) -> bool {
    line.is_some_and(|(line, _)| line.trim_end().ends_with(';'))
}

impl Workspace {
    /// Reads all of it.
    pub(crate) fn read() -> Result<Self, SourceError> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let root = root
            .canonicalize()
            .map_err(|error| SourceError::Io(root, error))?;
        Ok(Self {
            packages: packages(&root)?,
            files: read_files(&root)?,
            root,
        })
    }
}

/// All files of text below a folder, in the order of their paths.
pub(crate) fn read_files(root: &Path) -> Result<Vec<SourceFile>, SourceError> {
    let mut files = Vec::new();
    collect(root, root, &mut files)?;
    files.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(files)
}

fn collect(root: &Path, folder: &Path, files: &mut Vec<SourceFile>) -> Result<(), SourceError> {
    let failed = |error| SourceError::Io(folder.to_owned(), error);
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let path = entry.path();
        let kind = entry.file_type().map_err(failed)?;
        if kind.is_dir() {
            if !FOREIGN.iter().any(|end| path.ends_with(end)) {
                collect(root, &path, files)?;
            }
        } else if kind.is_file() {
            let octets = fs::read(&path).map_err(|error| SourceError::Io(path.clone(), error))?;
            // Files of test data that are no text are not looked at.
            if let (Ok(text), Ok(below)) = (String::from_utf8(octets), path.strip_prefix(root)) {
                files.push(SourceFile {
                    path: below.display().to_string(),
                    text,
                });
            }
        }
    }
    Ok(())
}

fn packages(root: &Path) -> Result<Vec<Package>, SourceError> {
    let output = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(root)
        .output()
        .map_err(|error| SourceError::Metadata(error.to_string()))?;
    if !output.status.success() {
        return Err(SourceError::Metadata(
            String::from_utf8_lossy(&output.stderr).into_owned(),
        ));
    }
    let metadata: Value =
        serde_json::from_slice(&output.stdout).map_err(|error| SourceError::Metadata(error.to_string()))?;
    let package = |json| package(root, json);
    Ok(list(&metadata["packages"]).map(package).collect())
}

fn package(root: &Path, json: &Value) -> Package {
    let manifest = PathBuf::from(text(&json["manifest_path"]));
    let dependencies = list(&json["dependencies"]).map(|dependency| Dependency {
        name: text(&dependency["name"]),
        dev: dependency["kind"] == "dev",
    });
    Package {
        name: text(&json["name"]),
        manifest: manifest
            .strip_prefix(root)
            .unwrap_or(&manifest)
            .display()
            .to_string(),
        dependencies: dependencies.collect(),
    }
}

fn list(json: &Value) -> impl Iterator<Item = &Value> {
    json.as_array().into_iter().flatten()
}

fn text(json: &Value) -> String {
    json.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_code_starts_at_the_test_module() {
        let file = SourceFile::new(
            "crates/core/mail/src/name.rs",
            "//! x\nfn a() {}\n#[cfg(test)]\nmod tests {\n}\n",
        );
        assert_eq!(file.first_test_line(), 3);
    }

    #[test]
    fn a_test_module_in_a_file_of_its_own_ends_nothing() {
        let file = SourceFile::new(
            "crates/core/mail/src/name.rs",
            "#[cfg(test)]\nmod tests;\nfn a() {}\n",
        );
        assert_eq!(file.first_test_line(), usize::MAX);
        assert_eq!(
            SourceFile::new("crates/core/mail/src/name/tests.rs", "").first_test_line(),
            1
        );
        assert_eq!(
            SourceFile::new("crates/core/mail/tests/it/main.rs", "").first_test_line(),
            1
        );
    }

    #[test]
    fn a_helper_for_tests_alone_ends_nothing() {
        let file = SourceFile::new(
            "crates/core/mail/src/name.rs",
            "#[cfg(test)]\nfn helper() {}\nfn a() {}\n",
        );
        assert_eq!(file.first_test_line(), usize::MAX);
    }

    #[test]
    fn only_sources_of_crates_are_sources_of_crates() {
        assert_eq!(
            SourceFile::new("crates/core/mail/src/a/b.rs", "").source_of(),
            Some("crates/core/mail")
        );
        assert_eq!(
            SourceFile::new("crates/core/mail/tests/it/main.rs", "").source_of(),
            None
        );
        assert_eq!(SourceFile::new("xtask/src/main.rs", "").source_of(), None);
    }

    #[test]
    fn this_workspace_can_be_read() {
        let workspace = Workspace::read().unwrap();
        assert!(workspace.packages.iter().any(|package| package.name == "xtask"));
        assert!(
            workspace
                .files
                .iter()
                .any(|file| file.path == "xtask/src/source.rs")
        );
        assert!(
            !workspace
                .files
                .iter()
                .any(|file| file.path.starts_with("target/"))
        );
    }
}
