//! What is tried on both programs.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{Case, scenario};
use crate::seeds;
use crate::source::SourceError;

/// The sets that judge something: `check` judges a message over each.
const SETS: [&str; 6] = [
    "arc/validation.jsonl",
    "authres/cases.jsonl",
    "dkim/cases.jsonl",
    "dmarc/cases.jsonl",
    "reports/cases.jsonl",
    "spf/cases.jsonl",
];
const PUZZLES: &str = "crates/core/receiver/tests/it/puzzles";
const SCENARIOS: &str = "crates/core/receiver/tests/scenarios";
const OPENDMARC_CONF: &str = "crates/core/migrate/tests/it/opendmarc_settings";
const MAIL_DMARC_INI: &str = "crates/core/migrate/src/mail_dmarc/settings/tests";
const RSPAMD_CONF: &str = "tests/e2e/migrate/rspamd";

/// What a case is judged over when it brings no message.
const ANY_MESSAGE: &[u8] = b"From: a@author.invalid\r\n\r\n";
/// The name that judges, in place of that of this machine.
const AUTHSERV_ID: &str = "authserv_id = \"mx.receiver.example\"\n";
/// When a case does not say when it is.
const NOW: u64 = 1_700_000_000;

/// The programs that the binary is when it is called so.
const OTHER_PROGRAMS: [&str; 7] = [
    "opendmarc",
    "opendmarc-import",
    "opendmarc-reports",
    "opendmarc-expire",
    "opendmarc-params",
    "opendmarc-importstats",
    "opendmarc-check",
];

/// The settings of the host that reports.
const REPORTING: &str = "mode = \"enforce\"\nauthserv_id = \"mx.here.example\"\nstore.directory = \"{dir}\"\n\
    web.listen = []\nreport.email = \"dmarc@here.example\"\nreport.organization = \"Here & There\"\n\
    report.delivery.by = \"directory\"\nreport.delivery.directory = \"{dir}\"\n\
    report.return_path_delimiter = \"\"\n";

/// What is done with the day that the history file tells of.
const REPORTED: [&str; 10] = [
    "migrate opendmarc --history day.dat --settings landmarc.toml",
    "migrate opendmarc --history day.dat --settings landmarc.toml",
    "outbox due --config landmarc.toml --now 2026-06-02T12:00:00Z --json",
    "outbox due --config landmarc.toml --now 2026-06-02T12:00:00Z",
    "outbox send --config landmarc.toml --now 2026-06-02T12:00:00Z --dry-run --output-dir rehearsal --json",
    "outbox due --config landmarc.toml --now 2026-06-02T12:00:00Z --day 2026-06-01",
    "history export --config landmarc.toml --reporter mx.here.example",
    "log --config landmarc.toml --json",
    "explain --config landmarc.toml 4ZQ0000001",
    "outbox show --config landmarc.toml nothing",
];

/// What is done besides with one report: several get their ids in the outbox in any order.
const SHOWN: [&str; 7] = [
    "outbox send --config landmarc.toml --now 2026-06-02T12:00:00Z --json",
    "outbox send --config landmarc.toml --now 2026-06-02T12:00:00Z",
    "outbox list --config landmarc.toml --json",
    "outbox show --config landmarc.toml 1",
    "outbox show --config landmarc.toml 1 --json",
    "outbox show --config landmarc.toml 1 --xml",
    "outbox show --config landmarc.toml 1 --letter",
];

/// Settings that `config check` and `config show` read: right ones, and one of each kind of mistake.
const SETTINGS: [(&str, &str); 6] = [
    ("none", ""),
    (
        "few",
        "mode = \"enforce\"\n[action]\nreject = \"always\"\nlocal_domains = [\"b.example\", \"a.example\"]\n",
    ),
    ("reporting", REPORTING),
    (
        "unknown key",
        "mood = \"enforce\"\n[actoin]\nreject = \"always\"\n",
    ),
    (
        "wrong values",
        "mode = \"enforced\"\ndns.question_timeout = \"5x\"\ndns.questions_per_message = 3\nspf.helo_check = 1\n",
    ),
    ("no TOML", "mode = \n[\n"),
];

/// All cases. `help` prints what the old program says to `--help`, after these words.
pub(super) fn all(root: &Path, help: &dyn Fn(&[&str]) -> String) -> Result<Vec<Case>, SourceError> {
    let conformance = seeds::conformance_folder(root);
    let mut cases = Vec::new();
    for set in SETS {
        let judged = seeds::read_set(&conformance.join(set))?;
        cases.extend(judged.iter().map(|case| judged_case("conformance", case)));
    }
    let puzzles = seeds::read_set(&root.join(PUZZLES).join("puzzles.jsonl"))?;
    cases.extend(puzzles.iter().map(|case| judged_case("puzzles", case)));
    for (file, octets) in files(&root.join(SCENARIOS), &[".txt"])? {
        let text = String::from_utf8_lossy(&octets).into_owned();
        let scenarios = text.split("\n====\n");
        cases.extend(scenarios.map(|text| scenario::case(&file, text)));
    }
    cases.extend(help_and_manual(help));
    cases.extend(settings());
    cases.extend(moved_in(root)?);
    cases.push(reported("a day of seven domains", 7, &REPORTED));
    cases.push(reported(
        "a day of one domain",
        1,
        &[&REPORTED[..], &SHOWN].concat(),
    ));
    Ok(cases)
}

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

/// A case of the conformance sets, in their common form.
fn judged_case(kind: &'static str, case: &seeds::Case) -> Case {
    let input = &case.json["input"];
    let text = |key: &str| input[key].as_str().unwrap_or_default().to_owned();
    let mut session = words("--now");
    session.push(input["now"].as_u64().unwrap_or(NOW).to_string());
    session.extend([
        "--helo".to_owned(),
        text("helo"),
        "--mail-from".to_owned(),
        text("mailfrom"),
    ]);
    if let Some(ip) = input["ip"].as_str() {
        session.extend(["--ip".to_owned(), ip.to_owned()]);
    }
    let from_header = || {
        let header = input["header"].as_str()?;
        Some(format!("Authentication-Results: {header}\r\nFrom: a@author.invalid\r\n\r\n").into_bytes())
    };
    let message = case
        .message
        .clone()
        .or_else(|| case.report.clone())
        .or_else(from_header);
    let name = case.json["id"].as_str().unwrap_or_default().to_owned();
    let settings = case.json["settings"].as_str().unwrap_or_default();
    let message = message.unwrap_or_else(|| ANY_MESSAGE.to_vec());
    let settings = format!("{AUTHSERV_ID}{settings}");
    judged(kind, name, message, &case.json["dns"], &settings, "", &session)
}

/// `check` over one message, for programs and for people.
pub(super) fn judged(
    kind: &'static str,
    name: String,
    message: Vec<u8>,
    zones: &Value,
    settings: &str,
    rules: &str,
    session: &[String],
) -> Case {
    let zones = zones.as_object().cloned().unwrap_or_default();
    let step = |form: &str| {
        let common = words("check --dns zones.json --config landmarc.toml --rules rules.toml");
        let message = [form.to_owned(), "message.eml".to_owned()];
        common
            .into_iter()
            .chain(session.iter().cloned())
            .chain(message)
            .collect()
    };
    // No list of public suffixes: reading one takes longer than all else.
    let mut given = "dmarc.public_suffix_list = \"\"\n".to_owned();
    if !settings.contains("[action]") {
        given += "action.evidence_from_records = false\n";
    }
    given += settings;
    Case {
        kind,
        name,
        files: vec![
            ("message.eml".to_owned(), message),
            (
                "zones.json".to_owned(),
                Value::from(zones).to_string().into_bytes(),
            ),
            ("landmarc.toml".to_owned(), given.into_bytes()),
            ("rules.toml".to_owned(), rules.as_bytes().to_vec()),
        ],
        steps: vec![step("--json"), step("--explain")],
        is_judged: true,
    }
}

/// `--help` of each command, found from the top, and the manual pages.
fn help_and_manual(help: &dyn Fn(&[&str]) -> String) -> Vec<Case> {
    let mut waiting: Vec<Vec<String>> = vec![Vec::new()];
    waiting.extend(OTHER_PROGRAMS.map(words));
    let mut cases = Vec::new();
    while let Some(command) = waiting.pop() {
        let borrowed: Vec<_> = command.iter().map(String::as_str).collect();
        for below in commands_in(&help(&borrowed)) {
            waiting.push(command.iter().cloned().chain([below]).collect());
        }
        let name = command.join(" ");
        let line = |option: &str| command.iter().cloned().chain([option.to_owned()]).collect();
        cases.push(case(
            "help",
            &name,
            &[],
            vec![line("--help"), line("-h"), line("--no-such-option")],
        ));
    }
    cases.push(case(
        "man",
        "man",
        &[],
        vec![words("man --output-dir pages"), words("man")],
    ));
    let shells = ["bash", "fish", "zsh"].map(|shell| words(&format!("completions {shell}")));
    cases.push(case("completions", "completions", &[], shells.to_vec()));
    cases
}

/// The names below `Commands:`.
fn commands_in(help: &str) -> Vec<String> {
    let list = help.split_once("Commands:\n").map_or("", |(_, list)| list);
    let list = list.split("\n\n").next().unwrap_or_default();
    let entries = list
        .lines()
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let names = entries.filter_map(|line| line.split_whitespace().next());
    names.filter(|name| *name != "help").map(str::to_owned).collect()
}

fn case(kind: &'static str, name: &str, files: &[(&str, &[u8])], steps: Vec<Vec<String>>) -> Case {
    let files = files
        .iter()
        .map(|(name, octets)| ((*name).to_owned(), octets.to_vec()));
    Case {
        kind,
        name: name.to_owned(),
        files: files.collect(),
        steps,
        is_judged: false,
    }
}

fn settings() -> Vec<Case> {
    let steps = ["config check", "config show"].map(|step| words(&format!("{step} --config landmarc.toml")));
    let mut cases = vec![case("settings", "default", &[], vec![words("config default")])];
    cases.extend(SETTINGS.map(|(name, text)| {
        let file = ("landmarc.toml", text.as_bytes());
        case("settings", name, &[file], steps.to_vec())
    }));
    cases
}

/// The settings of other programs, translated, read again; a history is in [`reported`].
fn moved_in(root: &Path) -> Result<Vec<Case>, SourceError> {
    let programs: [(&str, &str, &[&str]); 3] = [
        ("opendmarc", OPENDMARC_CONF, &[".conf"]),
        ("mail-dmarc", MAIL_DMARC_INI, &[".ini"]),
        ("rspamd", RSPAMD_CONF, &[".conf"]),
    ];
    let mut cases = Vec::new();
    for (program, folder, endings) in programs {
        for (file, octets) in files(&root.join(folder), endings)? {
            let steps = [
                format!("migrate {program} --config {file}"),
                format!("migrate {program} --config {file} --json"),
                format!("migrate {program} --config {file} --output new.toml"),
                "config check --config new.toml".to_owned(),
                "config show --config new.toml".to_owned(),
            ];
            let steps = steps.iter().map(|step| words(step)).collect();
            cases.push(case(
                "migration",
                &format!("{program} {file}"),
                &[(&file, &octets)],
                steps,
            ));
        }
    }
    Ok(cases)
}

/// A day from a history file: counted, reported, delivered into a folder.
fn reported(name: &str, domains: u32, steps: &[&str]) -> Case {
    let mut history = String::from("stray\n");
    for number in 0..60_u32 {
        let domain = format!("d{}.example", number % domains);
        let (spf, dkim) = ([0, 2, 6][number as usize % 3], [0, 2, 7][number as usize % 5 % 3]);
        let aligned = |result: u32| if result == 0 { 4 } else { 5 };
        let verdict = if spf == 0 || dkim == 0 { 15 } else { 18 };
        history += &format!(
            "job 4ZQ{number:07}\nreporter mx01.example.net\nreceived {}\nipaddr 192.0.2.{}\nfrom {}{domain}\n\
             mfrom bounce.{domain}\nspf {spf}\ndkim {domain} s1 {dkim}\npdomain {domain}\npolicy {verdict}\n\
             rua mailto:dmarc@{domain}\npct 100\nadkim 114\naspf {}\np {}\nsp {}\nalign_dkim {}\nalign_spf {}\naction 2\n",
            1_780_272_000 + 1_000 * number,
            number % 5,
            if number % 4 == 0 { "news." } else { "" },
            if number % 7 == 3 { 115 } else { 114 },
            [110, 113, 114][number as usize % 7 % 3],
            [0, 113, 114][number as usize % 7 % 3],
            aligned(dkim),
            aligned(spf),
        );
    }
    let files: [(&str, &[u8]); 2] = [
        ("day.dat", history.as_bytes()),
        ("landmarc.toml", REPORTING.as_bytes()),
    ];
    case(
        "reports",
        name,
        &files,
        steps.iter().map(|step| words(step)).collect(),
    )
}

/// The files of a folder whose names end so, in the order of their names.
fn files(folder: &Path, endings: &[&str]) -> Result<Vec<(String, Vec<u8>)>, SourceError> {
    let failed = |path: &Path| {
        let path = PathBuf::from(path);
        move |error| SourceError::Io(path, error)
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed(folder))? {
        let path = entry.map_err(failed(folder))?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        if let Some(name) = name.filter(|name| endings.iter().any(|ending| name.ends_with(ending))) {
            files.push((name, fs::read(&path).map_err(failed(&path))?));
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_found_in_the_help() {
        let help = "Usage\n\nCommands:\n  serve        Run\n               on\n  help         Help\n  log    List\n\nOptions:\n  -h  x\n";
        assert_eq!(commands_in(help), ["serve", "log"]);
    }
}
