//! What a machine can hold us to, and the pages that are printed from the source.
//!
//! `cargo xtask tidy` is part of every check; `cargo xtask docs` writes the printed pages
//! anew.

mod architecture;
mod clauses;
mod compare;
mod compatibility;
mod ids;
mod layers;
mod markdown;
mod measure;
mod modules;
mod mutants;
mod names;
mod pages;
mod purity;
mod rust;
mod seeds;
mod source;
mod text;
mod types;
mod wording;

use std::fmt;
use std::process::ExitCode;

use source::Workspace;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  tidy                   says what does not hold to the house style
  docs [--check]         writes all printed pages, or says which are out of date
  clauses                prints the line of each name that docs/conformance.md links to
  seeds                  fills fuzz/corpus from the conformance cases
  measure [REVISION]     prints how large the product is, its circles, names and longest functions
  mutants CRATE [OPTION...]
                         changes a crate of the core in all ways that cargo-mutants knows, and prints what no test notices
  compare OLD NEW        runs two builds of the program over the same cases, and prints where they differ";

/// One thing that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    /// The file, relative to the workspace.
    path: String,
    /// Counted from one; 0 where the whole file is meant.
    line: usize,
    /// What is wrong and what to do, in words.
    problem: String,
}

impl Finding {
    fn new(path: &str, line: usize, problem: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            line,
            problem: problem.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.problem),
            line => write!(f, "{}:{line}: {}", self.path, self.problem),
        }
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match *arguments {
        ["tidy"] => tidy(),
        ["docs"] => pages::write(),
        ["docs", "--check"] => pages::check(),
        ["clauses"] => clause_lines(),
        ["seeds"] => seeds::write(),
        ["measure"] => measure::run(None),
        ["measure", revision] => measure::run(Some(revision)),
        ["mutants", name, ref options @ ..] => mutants::run(name, options),
        ["compare", old, new] => compare::run(old, new),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(64);
        }
    };
    match outcome {
        Ok(findings) if findings.is_empty() => ExitCode::SUCCESS,
        Ok(findings) => {
            for finding in &findings {
                println!("{finding}");
            }
            ExitCode::FAILURE
        }
        Err(problem) => {
            eprintln!("error: {problem}");
            ExitCode::from(2)
        }
    }
}

fn clause_lines() -> Result<Vec<Finding>, source::SourceError> {
    print!("{}", clauses::lines(&Workspace::read()?.files));
    Ok(Vec::new())
}

/// All checks, in the order of the files.
fn tidy() -> Result<Vec<Finding>, source::SourceError> {
    let workspace = Workspace::read()?;
    let mut findings = layers::check(&workspace.packages);
    findings.extend(layers::empty_places(&workspace.packages));
    findings.extend(purity::check(&workspace.files));
    findings.extend(modules::check(&workspace.files));
    findings.extend(architecture::check(&workspace.files, &workspace.packages));
    findings.extend(types::check(&workspace.files));
    findings.extend(wording::check(&workspace.files));
    findings.extend(text::check(&workspace.files));
    findings.extend(markdown::check(&workspace.files));
    findings.extend(compatibility::check(&workspace.files));
    findings.extend(ids::check(&workspace.files));
    findings.extend(clauses::check(&workspace.files));
    findings.extend(pages::stale(&workspace, pages::ALL));
    findings.sort();
    Ok(findings)
}
