//! The conformance cases: one JSON object a line, with zones and expectations.
//!
//! Our own are in `tests/conformance`. The sets of other projects are outside the source tree, in the
//! folder that `LANDMARC_CONFORMANCE` names; by default `../shared/conformance` beside the workspace.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use landmarc_auth::lookup::Zones;
use serde_json::Value;

use crate::needs::Need;

/// The folder of the sets of other projects; none where the run does without them.
///
/// # Panics
/// When there is none and the run does not do without.
#[must_use]
pub fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("LANDMARC_CONFORMANCE").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance"),
        PathBuf::from,
    );
    if !folder.is_dir() {
        Need::Conformance.is_missing(&format!(
            "LANDMARC_CONFORMANCE: there is no folder {}",
            folder.display()
        ));
        return None;
    }
    Some(folder)
}

/// The cases in a file of other projects' sets, such as `spf/cases.jsonl`; empty where the run does without.
///
/// # Panics
/// When the file, or the folder, is not there, or is not JSON.
#[must_use]
pub fn load(file: &str) -> Vec<Case> {
    folder().map_or_else(Vec::new, |folder| read(&folder.join(file)))
}

/// Our own cases in a file below `tests/conformance`.
///
/// # Panics
/// When it is not there, or is not JSON.
#[must_use]
pub fn own(file: &str) -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/conformance");
    read(&folder.join(file))
}

/// Our own cases, and those of other projects of which ours are none.
///
/// # Panics
/// As [`own`] and [`load`] do.
#[must_use]
pub fn all(file: &str) -> Vec<Case> {
    let mut cases = own(file);
    let ours: BTreeSet<String> = cases.iter().map(|case| case.id().to_owned()).collect();
    cases.extend(load(file).into_iter().filter(|case| !ours.contains(case.id())));
    cases
}

/// The cases of a file of the same form, wherever it is.
///
/// # Panics
/// When it is not there, or is not JSON.
#[must_use]
pub fn read(path: &Path) -> Vec<Case> {
    let text = fs::read_to_string(path).unwrap_or_else(|e| unreachable!("{}: {e}", path.display()));
    let base = path.parent().map(Path::to_owned).unwrap_or_default();
    text.lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| {
            let json = serde_json::from_str(line).unwrap_or_else(|e| unreachable!("{}: {e}", path.display()));
            Case {
                json,
                base: base.clone(),
            }
        })
        .collect()
}

/// One case.
#[derive(Clone, Debug)]
pub struct Case {
    /// The whole object.
    pub json: Value,
    base: PathBuf,
}

impl Case {
    /// Its name in all sets.
    #[must_use]
    pub fn id(&self) -> &str {
        self.json["id"].as_str().unwrap_or("(no id)")
    }

    /// A text under `input`; none when absent or null.
    #[must_use]
    pub fn input(&self, key: &str) -> Option<&str> {
        self.json["input"][key].as_str()
    }

    /// The time to evaluate at; a fixed one where the case names none.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.json["input"]["now"].as_u64().unwrap_or(1_700_000_000)
    }

    /// Whether the case needs switches for legacy cryptography, which we do not have.
    #[must_use]
    pub fn needs_legacy_options(&self) -> bool {
        !self.json["input"]["options"].is_null()
    }

    /// The zones.
    ///
    /// # Panics
    /// When they are not in the form of a zone file.
    #[must_use]
    pub fn zones(&self) -> Zones {
        match &self.json["dns"] {
            Value::Null => Zones::new(),
            value => landmarc_dns::zone_file::from_value(value)
                .unwrap_or_else(|e| unreachable!("{}: {e}", self.id())),
        }
    }

    /// The octets of the message, from its file or from base64; none when the case has no message.
    ///
    /// # Panics
    /// When the file cannot be read or the base64 is none.
    #[must_use]
    pub fn message(&self) -> Option<Vec<u8>> {
        if let Some(file) = self.input("message") {
            let path = self.base.join(file);
            return Some(fs::read(&path).unwrap_or_else(|e| unreachable!("{}: {e}", path.display())));
        }
        let text = self.input("message_b64")?;
        Some(
            BASE64
                .decode(text)
                .unwrap_or_else(|e| unreachable!("{}: {e}", self.id())),
        )
    }

    /// Accepted values at `expect.SET.KEY`, preferred one first; none when not expected.
    #[must_use]
    pub fn accepted(&self, set: &str, key: &str) -> Option<Vec<String>> {
        let value = &self.json["expect"][set][key];
        match value {
            Value::Null => None,
            Value::Array(items) => Some(items.iter().map(plain).collect()),
            other => Some(vec![plain(other)]),
        }
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
