//! What fuzzing starts from: the conformance cases, taken apart for each target.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value;

use crate::Finding;
use crate::source::{SourceError, Workspace};

/// Our own sets with messages, zones and fields that a target can use.
const OWN_SETS: [&str; 3] = ["authres/cases.jsonl", "dkim/cases.jsonl", "dmarc/cases.jsonl"];
/// Those of other projects.
const SETS: [&str; 4] = [
    "arc/validation.jsonl",
    "dkim/cases.jsonl",
    "reports/cases.jsonl",
    "spf/cases.jsonl",
];

/// The seeds of one target; the same octets twice are one seed.
type Seeds = BTreeSet<Vec<u8>>;

/// Fills `fuzz/corpus/TARGET` for each target that can be given seeds.
pub(crate) fn write() -> Result<Vec<Finding>, SourceError> {
    let workspace = Workspace::read()?;
    let conformance = conformance_folder(&workspace.root);
    let mut cases = Vec::new();
    for set in OWN_SETS {
        cases.extend(read_set(&workspace.root.join("tests/conformance").join(set))?);
    }
    for set in SETS {
        cases.extend(read_set(&conformance.join(set))?);
    }
    for (target, seeds_of) in TARGETS {
        let seeds: Seeds = cases.iter().flat_map(seeds_of).collect();
        plant(&workspace, target, &seeds)?;
    }
    plant(&workspace, "segment", &segments(&workspace)?)?;
    Ok(Vec::new())
}

fn plant(workspace: &Workspace, target: &str, seeds: &Seeds) -> Result<(), SourceError> {
    let folder = workspace.root.join("fuzz/corpus").join(target);
    fs::create_dir_all(&folder).map_err(|error| SourceError::Io(folder.clone(), error))?;
    for (number, seed) in seeds.iter().enumerate() {
        let path = folder.join(format!("seed-{number:04}"));
        fs::write(&path, seed).map_err(|error| SourceError::Io(path, error))?;
    }
    println!("{target}: {} seeds", seeds.len());
    Ok(())
}

/// The segment that each build must read, as it is and with its checksum made anew: the first octet says which.
fn segments(workspace: &Workspace) -> Result<Seeds, SourceError> {
    let path = workspace.root.join("crates/edges/store/tests/it/segment_1.bin");
    let segment = fs::read(&path).map_err(|error| SourceError::Io(path, error))?;
    Ok([0, 1].map(|choice| [&[choice][..], &segment].concat()).into())
}

/// How a case is made into seeds of a target.
type SeedsOf = fn(&Case) -> Seeds;

/// The targets that conformance cases can be seeds of.
const TARGETS: [(&str, SeedsOf); 12] = [
    ("record", |case| case.texts("v=DMARC1")),
    // The target reads a local part, a HELO name, and then records.
    ("spf", |case| {
        let with_session = |record: Vec<u8>| [&b"user\nmx.example\n"[..], &record].concat();
        case.texts("v=spf1").into_iter().map(with_session).collect()
    }),
    ("dkim", |case| {
        let mut values = case.field_values("DKIM-Signature");
        values.extend(case.field_values("ARC-Message-Signature"));
        values.extend(case.texts("v=DKIM1"));
        values
    }),
    ("milter", |case| {
        case.message.iter().map(|message| conversation(message)).collect()
    }),
    ("header_fields", |case| case.messages()),
    ("redaction", |case| case.messages()),
    ("failure_report", |case| case.report_mails()),
    ("report_mail", |case| case.report_mails()),
    ("aggregate_report", |case| case.report_files(&[".xml"])),
    ("archive", |case| case.report_files(&[".gz", ".zip"])),
    ("author", |case| case.field_values("From")),
    ("authres", |case| {
        let mut values = case.field_values("Authentication-Results");
        values.extend(
            case.json["input"]["header"]
                .as_str()
                .map(|value| value.as_bytes().to_vec()),
        );
        values
    }),
];

/// The folder of the conformance data: `LANDMARC_CONFORMANCE`, or beside the workspace.
pub(crate) fn conformance_folder(root: &Path) -> PathBuf {
    let default = || root.join("../shared/conformance");
    std::env::var_os("LANDMARC_CONFORMANCE").map_or_else(default, PathBuf::from)
}

/// The cases of one set, in their order.
pub(crate) fn read_set(path: &Path) -> Result<Vec<Case>, SourceError> {
    let failed = |error| SourceError::Io(path.to_owned(), error);
    let text = fs::read_to_string(path).map_err(failed)?;
    let folder = path.parent().unwrap_or(path);
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    lines
        .map(|line| Case::parse(line, folder).map_err(|error| failed(error.into())))
        .collect()
}

/// One conformance case.
pub(crate) struct Case {
    pub(crate) json: Value,
    pub(crate) message: Option<Vec<u8>>,
    /// The report file, whatever its form.
    pub(crate) report: Option<Vec<u8>>,
}

impl Case {
    fn parse(line: &str, folder: &Path) -> serde_json::Result<Self> {
        let json: Value = serde_json::from_str(line)?;
        let input = &json["input"];
        let file = |key: &str| {
            let file = input[key].as_str()?;
            fs::read(folder.join(file)).ok()
        };
        let from_text = || BASE64.decode(input["message_b64"].as_str()?).ok();
        let message = file("message").or_else(from_text);
        let report = file("file");
        Ok(Self {
            json,
            message,
            report,
        })
    }

    fn messages(&self) -> Seeds {
        self.message.iter().cloned().collect()
    }

    /// The report files that are mails.
    fn report_mails(&self) -> Seeds {
        self.report_files(&[".eml"])
    }

    /// The report files whose names end so.
    fn report_files(&self, endings: &[&str]) -> Seeds {
        let name = self.json["input"]["file"].as_str().unwrap_or_default();
        let is_wanted = endings.iter().any(|ending| name.ends_with(ending));
        self.report.iter().filter(|_| is_wanted).cloned().collect()
    }

    /// The values of a header field, folds left in.
    fn field_values(&self, name: &str) -> Seeds {
        let text = self
            .message
            .as_deref()
            .map(String::from_utf8_lossy)
            .unwrap_or_default();
        let header = text.split_once("\r\n\r\n").map_or(&*text, |(header, _)| header);
        let mut values = Seeds::new();
        let mut current: Option<String> = None;
        for line in header.split("\r\n") {
            if let (true, Some(value)) = (line.starts_with([' ', '\t']), &mut current) {
                value.push_str("\r\n");
                value.push_str(line);
                continue;
            }
            values.extend(current.take().map(String::into_bytes));
            let field = line
                .split_once(':')
                .filter(|(its_name, _)| its_name.trim().eq_ignore_ascii_case(name));
            current = field.map(|(_, value)| value.to_owned());
        }
        values.extend(current.map(String::into_bytes));
        values
    }

    /// The TXT records that start so, without regard to case.
    fn texts(&self, start: &str) -> Seeds {
        let zones = self.json["dns"].as_object().into_iter().flatten();
        let records = zones.filter_map(|(_, types)| types["TXT"].as_array()).flatten();
        let texts = records.map(joined);
        texts
            .filter(|text| {
                text.get(..start.len())
                    .is_some_and(|head| head.eq_ignore_ascii_case(start.as_bytes()))
            })
            .collect()
    }
}

/// What an MTA says of a message after the negotiation, behind four octets of protocol
/// flags: each packet is its length, a letter, and its arguments.
fn conversation(message: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(message);
    let (header, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let mut octets = vec![0; 4];
    packet(&mut octets, b'C', b"mail.example\x004\x00\x19192.0.2.1\0");
    packet(&mut octets, b'H', b"mail.example\0");
    packet(&mut octets, b'D', b"Mi\x004Fb1\0");
    packet(&mut octets, b'M', b"<a@example.com>\0SIZE=100\0");
    packet(&mut octets, b'R', b"<b@example.net>\0");
    for line in header.split("\r\n") {
        packet(
            &mut octets,
            b'L',
            [&line.replacen(':', "\0", 1), "\0"].concat().as_bytes(),
        );
    }
    packet(&mut octets, b'N', b"");
    packet(&mut octets, b'B', body.as_bytes());
    packet(&mut octets, b'E', b"");
    packet(&mut octets, b'Q', b"");
    octets
}

fn packet(octets: &mut Vec<u8>, letter: u8, arguments: &[u8]) {
    let length = u32::try_from(1 + arguments.len()).unwrap_or(u32::MAX);
    octets.extend(length.to_be_bytes());
    octets.push(letter);
    octets.extend_from_slice(arguments);
}

/// The character-strings of a TXT record; each character up to U+00FF is one octet.
fn joined(record: &Value) -> Vec<u8> {
    let strings = record.as_array().into_iter().flatten().filter_map(Value::as_str);
    strings
        .flat_map(str::chars)
        .map(|character| u8::try_from(u32::from(character)).unwrap_or(b'?'))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = r#"{"input": {"message_b64": "RnJvbTogYQ0KIGINCkZyb206IGMNClg6IGQNCg0KRnJvbTogZQ=="},
        "dns": {"x.test": {"TXT": [["V=SPF1 ", "-all\u00ff"], ["other"]], "A": ["192.0.2.1"]}, "y.test": {"TXT": "TIMEOUT"}}}"#;

    fn case() -> Case {
        Case::parse(LINE, Path::new("")).unwrap()
    }

    #[test]
    fn records_are_found_by_how_they_start() {
        assert_eq!(case().texts("v=spf1"), Seeds::from([b"V=SPF1 -all\xff".to_vec()]));
        assert_eq!(case().texts("v=DMARC1"), Seeds::new());
    }

    #[test]
    fn fields_are_found_in_the_header_only() {
        assert_eq!(
            case().field_values("from"),
            Seeds::from([b" a\r\n b".to_vec(), b" c".to_vec()])
        );
    }

    #[test]
    fn a_conversation_is_whole_packets() {
        let mut rest = &conversation(b"From: a\r\nTo: b\r\n\r\nhello\r\n")[4..];
        let mut letters = Vec::new();
        while let Some((length, packet)) = rest.split_first_chunk() {
            let (packet, next) = packet.split_at(u32::from_be_bytes(*length).try_into().unwrap());
            letters.push(packet[0]);
            rest = next;
        }
        assert_eq!(letters, b"CHDMRLLNBEQ");
        assert_eq!(rest, b"");
    }
}
