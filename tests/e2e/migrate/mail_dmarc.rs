//! A site with the real Mail::DMARC (checklist Q16, Q18): what it has not reported yet is imported, and the
//! reports of landmarc carry the same sums as its own would have.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use landmarc_auth::lookup::{DnsRecord, RecordType, ZoneData, Zones};
use landmarc_intake::aggregate::{ReadLimits, read};
use landmarc_testkit::dns_name;
use landmarc_testkit::dns_server::DnsServer;
use landmarc_testkit::tools::{Folder, free_port, output_of, package};
use serde_json::{Value, json};

use super::opendmarc::site::{USER, start_mariadb};
use crate::binary::{Ran, landmarc};

/// Makes the site.
const SITE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/migrate/mail_dmarc/site.pl");
/// The two days of its messages.
const DAYS: [&str; 2] = ["2026-06-01", "2026-06-02"];
/// What both know alike of a row: day, policy domain, client, disposition, whether DKIM and SPF passed in
/// alignment. Mail::DMARC merges rows that differ in anything else, such as the Author Domain.
type Sums = BTreeMap<(u64, String, String, String, String, String), u64>;

/// A site with Mail::DMARC, and landmarc beside it.
struct Site {
    _dns: DnsServer,
    tools: PathBuf,
    folder: Folder,
    settings: PathBuf,
}

impl Site {
    fn new(name: &str, dsn: impl Fn(&Folder) -> String) -> Option<Self> {
        let tools = package("mail-dmarc")?;
        let folder = Folder::new(&format!("mail-dmarc-{name}"));
        let ini = format!(
            "[organization]\ndomain = reports.example.org\norg_name = Example Post\n\
             email = dmarc@reports.example.org\n[report_store]\nbackend = SQL\n{}\n",
            dsn(&folder)
        );
        folder.write("mail-dmarc.ini", ini);
        // Who is reported to receives mail.
        let mut zones = Zones::new();
        for domain in ["example.com", "example.net", "example.org"] {
            let address = DnsRecord::A([127, 0, 0, 1].into());
            zones.set(dns_name(domain), RecordType::A, ZoneData::Records(vec![address]));
        }
        let dns = DnsServer::start(zones);
        let settings = format!(
            "store.directory = {:?}\ndns.name_servers = [\"{}\"]\nreport.email = \"dmarc@reports.example.org\"\n",
            folder.join("store"),
            dns.addr()
        );
        let settings = folder.write("landmarc.toml", settings);
        Some(Self {
            _dns: dns,
            tools,
            folder,
            settings,
        })
    }

    /// With a store in a file.
    fn with_sqlite(name: &str) -> Option<Self> {
        Self::new(name, |folder| {
            format!(
                "dsn = dbi:SQLite:dbname={}",
                folder.join("store.sqlite").display()
            )
        })
    }

    fn perl(&self, arguments: &[&str]) {
        let modules = self.tools.join("usr/share/perl5");
        let mut perl = Command::new("perl");
        perl.arg(format!("-I{}", modules.display()))
            .arg(SITE)
            .args(arguments)
            .env("MAIL_DMARC_CONFIG_FILE", self.folder.join("mail-dmarc.ini"));
        output_of(&mut perl);
    }

    fn migrate(&self, arguments: &[&str]) -> Ran {
        let ini = self.folder.join("mail-dmarc.ini");
        let first = [
            "migrate",
            "mail-dmarc",
            "--config",
            ini.to_str().unwrap(),
            "--json",
        ];
        let settings = ["--settings", self.settings.to_str().unwrap()];
        landmarc([&first, arguments, &settings].concat())
    }

    /// Imports from where its settings say.
    #[track_caller]
    fn import(&self) -> Value {
        let ran = self.migrate(&["--database"]);
        assert_eq!((ran.code, &*ran.stderr), (0, ""), "{}", ran.stdout);
        ran.json()
    }

    /// What Mail::DMARC would report.
    fn theirs(&self) -> Sums {
        let directory = self.folder.join("theirs");
        fs::create_dir_all(&directory).unwrap();
        self.perl(&["report", directory.to_str().unwrap()]);
        sums(&directory)
    }

    /// What landmarc would report.
    fn ours(&self) -> Sums {
        let mut all = Sums::new();
        for day in DAYS {
            let directory = self.folder.join("ours").join(day);
            let ran = landmarc([
                "outbox",
                "send",
                "--day",
                day,
                "--dry-run",
                "--output-dir",
                directory.to_str().unwrap(),
                "--config",
                self.settings.to_str().unwrap(),
            ]);
            assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
            all.extend(sums(&directory));
        }
        all
    }
}

/// The sums of all reports in a directory; letters beside them are passed over.
fn sums(directory: &Path) -> Sums {
    let mut sums = Sums::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "eml") {
            continue;
        }
        let report = read(&fs::read(&path).unwrap(), &ReadLimits::default())
            .unwrap()
            .report;
        let day = report.metadata.period.begin / 86_400;
        for row in &report.rows {
            let key = &row.key;
            let disposition = match key.disposition.to_string() {
                // The word of RFC 9990 for what was "none" before it.
                pass if pass == "pass" => "none".to_owned(),
                other => other,
            };
            let key = (
                day,
                report.policy.domain.clone(),
                key.source_ip.to_string(),
                disposition,
                key.dkim_alignment.to_string(),
                key.spf_alignment.to_string(),
            );
            *sums.entry(key).or_default() += row.count;
        }
    }
    sums
}

/// Q18: the whole way, with two days, three domains, clients of both kinds, overrides and null senders.
#[test]
fn what_is_not_reported_yet_is_reported_with_the_same_sums() {
    let Some(site) = Site::with_sqlite("sums") else {
        return;
    };
    site.perl(&["judge", "0", "1", "75"]);
    site.perl(&["judge", "1", "76", "150"]);
    let summary = site.import();
    assert_eq!(summary["new"], 150);
    assert_eq!(summary["reports_received"], 0);
    assert_eq!(summary["days"], json!({DAYS[0]: 75, DAYS[1]: 75}));
    let (ours, theirs) = (site.ours(), site.theirs());
    assert_eq!(theirs.values().sum::<u64>(), 150);
    assert_eq!(ours, theirs);
}

/// Q18: the same out of MariaDB, by the settings of Mail::DMARC and by an address with a password from elsewhere.
#[test]
fn what_is_in_mariadb_is_reported_with_the_same_sums() {
    let Some(mariadb) = package("mariadb") else {
        return;
    };
    let port = free_port();
    let dsn =
        format!("dsn = dbi:mysql:database={USER};host=127.0.0.1;port={port}\nuser = {USER}\npass = {USER}");
    let Some(site) = Site::new("mariadb", |_| dsn.clone()) else {
        return;
    };
    let schema = site
        .tools
        .join("usr/share/perl5/auto/share/dist/Mail-DMARC/mail_dmarc_schema.mysql");
    // What a server takes that has only just been born: no locks, no settings of a session.
    let schema = fs::read_to_string(schema).unwrap();
    let lines = schema.lines().filter(|line| {
        let is_other = ["LOCK", "UNLOCK", "/*!", "#", "--"].iter();
        !is_other.clone().any(|start| line.starts_with(start))
    });
    let tables: String = lines.map(|line| format!("{line}\n")).collect();
    let tables = format!("CREATE DATABASE {USER};\nUSE {USER};\nSET FOREIGN_KEY_CHECKS=0;\n{tables}");
    let _server = start_mariadb(&mariadb, &site.folder, port, &tables);
    site.perl(&["judge", "0", "1", "60"]);
    site.perl(&["receive"]);
    let summary = site.import();
    assert_eq!(
        (&summary["new"], &summary["reports_received"]),
        (&json!(60), &json!(1))
    );
    assert_eq!(site.ours(), site.theirs());
    let address = format!("mysql://{USER}@127.0.0.1:{port}/{USER}");
    let password = site.folder.write("password", format!("{USER}\n"));
    // The file that is named goes before what the address says.
    for address in [&address, &address.replace('@', ":wr0ng@")] {
        let ran = site.migrate(&[
            "--database",
            address,
            "--password-file",
            password.to_str().unwrap(),
        ]);
        assert_eq!(
            (ran.code, &ran.json()["known"]),
            (0, &json!(60)),
            "{}",
            ran.stderr
        );
    }
    let ran = site.migrate(&["--database", &address]);
    assert_eq!(ran.code, 69, "{}", ran.stderr);
    assert!(ran.stderr.contains("MAIL_DMARC_PASSWORD"), "{}", ran.stderr);
    site.perl(&["damage", "DROP TABLE report_record_spf"]);
    let ran = site.migrate(&["--database"]);
    assert_eq!(ran.code, 65, "{}", ran.stderr);
    assert!(ran.stderr.contains("is none of Mail::DMARC"), "{}", ran.stderr);
}

/// Nothing is imported twice, and reports of others are told and left alone.
#[test]
fn importing_again_adds_what_came_in_since() {
    let Some(site) = Site::with_sqlite("again") else {
        return;
    };
    site.perl(&["judge", "0", "1", "20"]);
    let rehearsed = site.migrate(&["--database", "--dry-run"]).json();
    assert_eq!(
        (&rehearsed["new"], &rehearsed["dry_run"]),
        (&json!(20), &json!(true))
    );
    assert_eq!(site.import()["new"], 20);
    site.perl(&["receive"]);
    site.perl(&["judge", "0", "21", "30"]);
    let summary = site.import();
    assert_eq!((&summary["new"], &summary["known"]), (&json!(10), &json!(20)));
    assert_eq!(summary["reports_received"], 1);
    assert_eq!(site.ours(), site.theirs());
    // By file, and under the name of another store, the same rows are others.
    let store = site.folder.join("store.sqlite");
    let named = site.migrate(&[
        "--database",
        store.to_str().unwrap(),
        "--source",
        "mx2",
        "--dry-run",
    ]);
    assert_eq!(named.json()["new"], 30);
    let people = landmarc([
        "migrate",
        "mail-dmarc",
        "--database",
        store.to_str().unwrap(),
        "--settings",
        site.settings.to_str().unwrap(),
    ]);
    assert_eq!(
        people.stdout,
        "imported 0 messages, 30 counted before, 1 reports received\n"
    );
    assert!(people.stderr.contains("not imported yet"), "{}", people.stderr);
}

/// A row that no report can say costs itself, and the exit code tells.
#[test]
fn a_broken_row_is_told_and_the_others_are_imported() {
    let Some(site) = Site::with_sqlite("broken") else {
        return;
    };
    site.perl(&["judge", "0", "1", "9"]);
    site.perl(&[
        "damage",
        "UPDATE report_record SET disposition = 'discard' WHERE id = 3",
    ]);
    site.perl(&[
        "damage",
        "UPDATE report_record SET source_ip = x'00' WHERE id = 4",
    ]);
    let ran = site.migrate(&["--database"]);
    assert_eq!(ran.code, 65, "{}", ran.stderr);
    assert_eq!(
        (&ran.json()["new"], &ran.json()["broken"]),
        (&json!(7), &json!(2))
    );
    for printed in [
        "report_record 3: disposition is \"discard\", which is none of its words",
        "report_record 4: source_ip has 1 octets, not 4 or 16",
        "WHERE id=4",
    ] {
        assert!(ran.stderr.contains(printed), "{}", ran.stderr);
    }
}

/// What is no store of Mail::DMARC is told as what it is.
#[test]
fn what_is_no_store_is_told() {
    let Some(site) = Site::with_sqlite("none") else {
        return;
    };
    let ran = site.migrate(&["--database"]);
    assert_eq!(ran.code, 66, "{}", ran.stderr);
    let text = site.folder.write("text", "no database\n".repeat(100));
    let ran = site.migrate(&["--database", text.to_str().unwrap()]);
    assert_eq!(ran.code, 65, "{}", ran.stderr);
    assert!(ran.stderr.contains("is no SQLite database"), "{}", ran.stderr);
    let ran = site.migrate(&["--database", "mysql://u@127.0.0.1:1/mail_dmarc"]);
    assert_eq!(ran.code, 69, "{}", ran.stderr);
}

/// Q16: the sample file as it is shipped, and its whitelist, become files that are read.
#[test]
fn the_files_of_the_package_are_translated() {
    let Some(site) = Site::with_sqlite("files") else {
        return;
    };
    let shared = site.tools.join("usr/share/perl5/auto/share/dist/Mail-DMARC");
    let (made, rules) = (site.folder.join("made.toml"), site.folder.join("rules.toml"));
    let ran = landmarc([
        "migrate",
        "mail-dmarc",
        "--config",
        shared.join("mail-dmarc.ini").to_str().unwrap(),
        "--output",
        made.to_str().unwrap(),
        "--whitelist",
        shared.join("dmarc_whitelist").to_str().unwrap(),
        "--rules-output",
        rules.to_str().unwrap(),
    ]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let printed = "[organization] domain: left out: this is what the sample file says";
    assert!(ran.stderr.contains(printed), "{}", ran.stderr);
    let settings = fs::read_to_string(&made).unwrap();
    fs::write(&made, format!("{settings}[action]\nrules_file = {rules:?}\n")).unwrap();
    let ran = landmarc(["config", "check", made.to_str().unwrap()]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let ran = landmarc(["rules", "list", "--config", made.to_str().unwrap()]);
    assert!(
        ran.stdout.contains("mail-dmarc-1"),
        "{}{}",
        ran.stdout,
        ran.stderr
    );
}

/// A mistake is told with its line and a remedy, and nothing is written.
#[test]
fn a_broken_file_is_told_and_nothing_is_made_of_it() {
    let folder = Folder::new("mail-dmarc-mistake");
    let ini = folder.write(
        "mail-dmarc.ini",
        "[smtp]\nsmarthost = mx.example.org\nsmartport = none\n",
    );
    let made = folder.join("made.toml");
    let arguments = ["migrate", "mail-dmarc", "--config", ini.to_str().unwrap()];
    let ran = landmarc([&arguments[..], &["--output", made.to_str().unwrap()]].concat());
    assert_eq!((ran.code, &*ran.stdout), (78, ""));
    let expected = format!("{}:3: [smtp] smartport = \"none\" is no port", ini.display());
    assert!(ran.stderr.starts_with(&expected), "{}", ran.stderr);
    assert!(!made.exists());
}
