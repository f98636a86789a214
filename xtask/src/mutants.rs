//! Mutation testing of one crate of the core by `cargo-mutants`: the changes of its code that none of its own tests
//! notices. It takes hours for a large crate, so no check runs it.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use crate::Finding;
use crate::source::{SourceError, Workspace};

/// The share of the viable changes, in percent, that tests of a core crate are to notice.
const LEAST_CAUGHT_PERCENT: usize = 95;

/// What became of the changes, one line for each, as `cargo-mutants` writes them.
struct Outcomes {
    caught: String,
    /// The tests did not end: noticed, too.
    timeout: String,
    missed: String,
}

impl Outcomes {
    fn read(folder: &Path) -> Result<Self, SourceError> {
        let read = |name: &str| {
            let path = folder.join("mutants.out").join(name);
            fs::read_to_string(&path).map_err(|error| SourceError::Io(path, error))
        };
        Ok(Self {
            caught: read("caught.txt")?,
            timeout: read("timeout.txt")?,
            missed: read("missed.txt")?,
        })
    }

    /// How many were noticed, of how many that compile.
    fn caught_of_viable(&self) -> (usize, usize) {
        let caught = self.caught.lines().count() + self.timeout.lines().count();
        (caught, caught + self.missed.lines().count())
    }

    fn are_enough(&self) -> bool {
        let (caught, viable) = self.caught_of_viable();
        caught * 100 >= viable * LEAST_CAUGHT_PERCENT
    }
}

/// Runs it for `crates/core/CRATE` with more options of `cargo mutants`, such as `--shard 0/12` or `--re NAME`.
pub(crate) fn run(name: &str, options: &[&str]) -> Result<Vec<Finding>, SourceError> {
    let root = Workspace::read()?.root;
    let manifest = root.join("crates/core").join(name).join("Cargo.toml");
    if !manifest.is_file() {
        let error = io::Error::from(io::ErrorKind::NotFound);
        return Err(SourceError::Io(manifest, error));
    }
    let folder = root.join("target/mutants").join(name);
    fs::create_dir_all(&folder).map_err(|error| SourceError::Io(folder.clone(), error))?;
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .args(["mutants", "--test-tool", "nextest", "--package"])
        .arg(format!("landmarc-{name}"))
        .arg("--output")
        .arg(&folder)
        .args(options)
        .current_dir(&root);
    if env::var_os("LANDMARC_CONFORMANCE").is_none() {
        command.env("LANDMARC_WITHOUT", "conformance");
    }
    // It ends with an error where changes live; its files say more.
    let status = command
        .status()
        .map_err(|error| SourceError::Io(PathBuf::from("cargo mutants"), error))?;
    let outcomes = Outcomes::read(&folder)?;
    let (caught, viable) = outcomes.caught_of_viable();
    println!("{name}: {caught} of {viable} viable changes are caught ({status})");
    for missed in outcomes.missed.lines() {
        println!("  lives: {missed}");
    }
    let problem = format!("tests of its own catch less than {LEAST_CAUGHT_PERCENT} % of its changes");
    let finding = Finding::new(&format!("crates/core/{name}"), 0, problem);
    Ok(Vec::from_iter((!outcomes.are_enough()).then_some(finding)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_without_an_end_are_caught_and_nineteen_of_twenty_are_enough() {
        let outcomes = |caught: usize| Outcomes {
            caught: "a.rs:1:1: x\n".repeat(caught),
            timeout: "a.rs:2:1: y\n".to_owned(),
            missed: "a.rs:7:5: replace is_top -> bool with true\n".to_owned(),
        };
        assert_eq!(outcomes(17).caught_of_viable(), (18, 19));
        assert!(!outcomes(17).are_enough());
        assert!(outcomes(18).are_enough());
    }
}
