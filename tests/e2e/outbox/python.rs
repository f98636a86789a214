//! Letters read by programs that are not ours: Python's e-mail package, dkimpy, xmllint.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::binary::Folder;

/// Debian's own: a newer Python beside it has none of Debian's packages.
const PYTHON: &str = "/usr/bin/python3";
const SCRIPT: &str = include_str!("read_letters.py");
/// Files that one call is given: the system limits the length of a command line.
const FILES_A_CALL: usize = 500;

/// Whether the programs are there; where they must be, their absence is an error.
pub(super) fn can_read() -> bool {
    let python = Command::new(PYTHON).args(["-c", "import dkim, nacl"]).output();
    let xmllint = Command::new("xmllint").arg("--version").output();
    let are_there = python.is_ok_and(|ended| ended.status.success()) && xmllint.is_ok();
    let required = std::env::var_os("LANDMARC_E2E").is_some_and(|value| value == "required");
    assert!(
        are_there || !required,
        "python3-dkim, python3-nacl or xmllint is missing; scripts/test gets them"
    );
    if !are_there {
        eprintln!("SKIPPED: python3-dkim, python3-nacl or xmllint is missing; scripts/test gets them");
    }
    are_there
}

/// What is in the mails, one object each. Every report among them is valid by the schema.
pub(super) fn read(folder: &Folder, keys: &Value, mails: &[PathBuf]) -> Vec<Value> {
    let script = folder.write("read_letters.py", SCRIPT);
    let keys = folder.write("keys.json", keys.to_string());
    let mut letters = Vec::new();
    for (number, mails) in mails.chunks(FILES_A_CALL).enumerate() {
        let reports = folder.path().join(format!("reports-{number}"));
        std::fs::create_dir_all(&reports).expect("a directory is made");
        let mut python = Command::new(PYTHON);
        let told = run(python.arg(&script).arg(&keys).arg(&reports).args(mails));
        let objects = told
            .lines()
            .map(|line| serde_json::from_str(line).expect("an object a line"));
        let objects: Vec<Value> = objects.collect();
        validate(objects.iter().filter_map(|letter| letter["xml"].as_str()));
        letters.extend(objects);
    }
    letters
}

/// Asserts that each of these files is a report by the schema of RFC 9990. Says so loudly where that cannot
/// be looked at.
pub(crate) fn validate<'a>(files: impl Iterator<Item = &'a str>) {
    let files: Vec<&str> = files.collect();
    if files.is_empty() {
        return;
    }
    let Some(schema) = schema() else {
        return;
    };
    let mut xmllint = Command::new("xmllint");
    run(xmllint.args(["--noout", "--schema"]).arg(schema).args(files));
}

/// The schema, when the conformance data is there.
fn schema() -> Option<PathBuf> {
    let folder = std::env::var_os("LANDMARC_CONFORMANCE").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance"),
        PathBuf::from,
    );
    let schema = folder.join("xsd/rfc9990.xsd");
    if !schema.is_file() {
        eprintln!("SKIPPED the schema: there is no {}", schema.display());
    }
    schema.is_file().then_some(schema)
}

#[track_caller]
fn run(command: &mut Command) -> String {
    let ended = command.output().expect("it is installed");
    let stderr = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{command:?}: {stderr}");
    String::from_utf8_lossy(&ended.stdout).into_owned()
}
