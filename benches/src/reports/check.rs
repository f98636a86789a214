//! What came out, looked at with programs that made none of it: gzip and xmllint.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// How a gzip file begins in base64, and a zip file, of which gzip reads the one member.
const MAGIC: [&str; 2] = ["H4sI", "UEsD"];
/// Files that one call of xmllint is given.
const FILES_A_CALL: usize = 400;

/// Counts over all mails.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Checked {
    pub(super) mails: usize,
    /// Distinct documents.
    pub(super) reports: usize,
    pub(super) rows: usize,
    pub(super) messages: usize,
    /// Those that are valid by the schema of RFC 9990.
    pub(super) valid: usize,
}

/// Takes the mails apart, counts, and validates.
pub(super) fn check(mails: &[Vec<u8>], folder: &Path) -> io::Result<Checked> {
    let mut reports: HashMap<Vec<u8>, PathBuf> = HashMap::new();
    let mut checked = Checked {
        mails: mails.len(),
        ..Checked::default()
    };
    for mail in mails {
        let xml = gunzip(&attachment(mail))?;
        let place = folder.join(format!("{}.xml", reports.len()));
        if let Entry::Vacant(vacant) = reports.entry(xml) {
            checked.rows += count(vacant.key(), b"<record>");
            checked.messages += sum_of_counts(vacant.key());
            std::fs::write(&place, vacant.key())?;
            vacant.insert(place);
        }
    }
    checked.reports = reports.len();
    let files: Vec<PathBuf> = reports.into_values().collect();
    checked.valid = valid(&files)?;
    Ok(checked)
}

/// The octets of the part in base64 that has a gzip file in it.
fn attachment(mail: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(mail).replace("\r\n", "\n");
    let parts = text
        .split("\n\n")
        .skip_while(|part| !MAGIC.iter().any(|magic| part.starts_with(magic)));
    let lines = parts
        .flat_map(str::lines)
        .take_while(|line| !line.starts_with("--"));
    let base64: String = lines.filter(|line| !line.is_empty()).collect();
    STANDARD.decode(base64).unwrap_or_default()
}

fn gunzip(octets: &[u8]) -> io::Result<Vec<u8>> {
    let mut gzip = Command::new("gzip")
        .arg("-dc")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut stdin = gzip.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
    std::thread::scope(|scope| {
        // What it does not read it says by its exit code.
        scope.spawn(move || stdin.write_all(octets));
        Ok(gzip.wait_with_output()?.stdout)
    })
}

fn count(xml: &[u8], tag: &[u8]) -> usize {
    xml.windows(tag.len()).filter(|window| *window == tag).count()
}

fn sum_of_counts(xml: &[u8]) -> usize {
    let text = String::from_utf8_lossy(xml);
    let counts = text.split("<count>").skip(1);
    counts
        .filter_map(|rest| rest.split('<').next()?.trim().parse::<usize>().ok())
        .sum()
}

/// How many of these are valid by the schema; none when it is not there.
fn valid(files: &[PathBuf]) -> io::Result<usize> {
    let data = std::env::var_os("LANDMARC_CONFORMANCE").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/conformance"),
        PathBuf::from,
    );
    let schema = data.join("xsd/rfc9990.xsd");
    let mut valid = 0;
    for files in files.chunks(FILES_A_CALL) {
        let mut xmllint = Command::new("xmllint");
        let ended = xmllint
            .args(["--noout", "--schema"])
            .arg(&schema)
            .args(files)
            .output()?;
        let told = String::from_utf8_lossy(&ended.stderr);
        valid += told.lines().filter(|line| line.ends_with(" validates")).count();
    }
    Ok(valid)
}
