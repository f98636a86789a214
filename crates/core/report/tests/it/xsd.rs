//! What we write, by the schemas of the RFCs, as `xmllint` reads them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};

use landmarc_report::aggregate::Form;
use landmarc_testkit::needs::Need;

/// Checks the documents against the schema of their form, all in one run of `xmllint`. Nothing is checked where
/// the run does without tools, or without conformance data.
///
/// # Panics
/// When one is not valid.
pub(crate) fn assert_valid(documents: &[String], form: Form) {
    let Some(schema) = schema(form) else {
        return;
    };
    let folder = scratch();
    let schema_file = folder.join("schema.xsd");
    fs::write(&schema_file, schema).unwrap();
    let files = documents.iter().enumerate().map(|(number, document)| {
        let file = folder.join(format!("{number}.xml"));
        fs::write(&file, document).unwrap();
        file
    });
    match xmllint(&schema_file, files.collect()) {
        Err(e) => {
            Need::Tools.is_missing(&format!("xmllint cannot be run: {e}"));
        }
        Ok(output) => assert!(
            output.status.success(),
            "{} document(s), kept in {}: {}",
            documents.len(),
            folder.display(),
            String::from_utf8_lossy(&output.stderr)
        ),
    }
    fs::remove_dir_all(folder).unwrap();
}

/// RFC 9990's as it is.
///
/// RFC 7489's needs two repairs before anything can be valid by it. It has a target namespace that
/// nobody wrote and that its own references to types forget. And its pattern for addresses matches
/// next to no address (errata 5221 and 7865).
fn schema(form: Form) -> Option<String> {
    let folder = landmarc_testkit::cases::folder()?.join("xsd");
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
    match form {
        Form::Rfc9990 => Some(read("rfc9990.xsd")),
        Form::Rfc7489 => {
            let older = read("rfc7489-era-dmarc.xsd")
                .replace("targetNamespace=\"http://dmarc.org/dmarc-xml/0.1\"", "");
            let (before, from_pattern) = older.split_once("<xs:pattern").unwrap();
            let (_, after) = from_pattern.split_once("/>").unwrap();
            Some(format!("{before}{after}"))
        }
    }
}

fn xmllint(schema: &Path, files: Vec<PathBuf>) -> std::io::Result<Output> {
    Command::new("xmllint")
        .args(["--nonet", "--noout", "--schema"])
        .arg(schema)
        .args(files)
        .output()
}

/// A folder of this call's own.
fn scratch() -> PathBuf {
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    let call = CALLS.fetch_add(1, Ordering::Relaxed);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("xsd-{}-{call}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// The helper itself: it finds what is wrong, in both forms.
#[test]
fn a_document_that_is_not_valid_is_found() {
    let is_available =
        schema(Form::Rfc9990).is_some() && Command::new("xmllint").arg("--version").output().is_ok();
    for form in [Form::Rfc9990, Form::Rfc7489] {
        let invalid = vec!["<feedback/>".to_owned()];
        let found = std::panic::catch_unwind(|| assert_valid(&invalid, form));
        assert_eq!(found.is_err(), is_available);
    }
}
