//! Messages read by programs that are not ours: Python's e-mail package, dkimpy, xmllint.

use std::path::PathBuf;
use std::process::Command;

use landmarc_testkit::cases;
use landmarc_testkit::needs::Need;
use landmarc_testkit::tools::Folder;
use serde_json::Value;

/// Debian's own: a newer Python beside it has none of Debian's packages.
const PYTHON: &str = "/usr/bin/python3";
const SCRIPT: &str = include_str!("read_messages.py");
/// Files that one call is given: the system limits the length of a command line.
const FILES_A_CALL: usize = 500;

/// Whether the programs are there; a run may do without tools.
pub(super) fn can_read() -> bool {
    let python = Command::new(PYTHON).args(["-c", "import dkim, nacl"]).output();
    let xmllint = Command::new("xmllint").arg("--version").output();
    let are_there = python.is_ok_and(|ended| ended.status.success()) && xmllint.is_ok();
    if !are_there {
        Need::Tools.is_missing("python3-dkim, python3-nacl or xmllint is not installed");
    }
    are_there
}

/// What is in the mails, one object each. Every report among them is valid by the schema.
pub(super) fn read(folder: &Folder, keys: &Value, mails: &[PathBuf]) -> Vec<Value> {
    let script = folder.write("read_messages.py", SCRIPT);
    let keys = folder.write("keys.json", keys.to_string());
    let mut messages = Vec::new();
    for (number, mails) in mails.chunks(FILES_A_CALL).enumerate() {
        let reports = folder.path().join(format!("reports-{number}"));
        std::fs::create_dir_all(&reports).expect("a directory is made");
        let mut python = Command::new(PYTHON);
        let printed = run(python.arg(&script).arg(&keys).arg(&reports).args(mails));
        let objects = printed
            .lines()
            .map(|line| serde_json::from_str(line).expect("an object a line"));
        let objects: Vec<Value> = objects.collect();
        validate(objects.iter().filter_map(|message| message["xml"].as_str()));
        messages.extend(objects);
    }
    messages
}

/// Asserts that each of these files is a report by the schema of RFC 9990.
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

/// The schema; none where the run does without conformance data.
fn schema() -> Option<PathBuf> {
    Some(cases::folder()?.join("xsd/rfc9990.xsd"))
}

#[track_caller]
fn run(command: &mut Command) -> String {
    let ended = command.output().expect("it is installed");
    let stderr = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{command:?}: {stderr}");
    String::from_utf8_lossy(&ended.stdout).into_owned()
}
