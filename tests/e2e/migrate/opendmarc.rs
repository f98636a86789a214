//! A site with OpenDMARC: real opendmarc 1.4.2 judges mail and writes its history, its scripts import it into a
//! real MariaDB and report; then landmarc takes over what was counted, and reports the same.

mod again;
mod collector;
mod database;
mod faults;
mod own_export;
pub(super) mod site;
mod sums;
mod tools;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use landmarc_auth::lookup::{DnsRecord, RecordType, ZoneData, Zones};
use landmarc_intake::aggregate::ReportReading;
use landmarc_testkit::dns_name;
use landmarc_testkit::dns_server::DnsServer;
use landmarc_testkit::mta::Verdict;
use landmarc_testkit::tools::Folder;
use serde_json::Value;
use site::{Arriving, Site};

use crate::binary::{Ran, landmarc};

/// The domains, with what their owners ask for.
pub(super) const RECORDS: [(&str, &str); 6] = [
    (
        "watch.example",
        "v=DMARC1; p=none; rua=mailto:dmarc@watch.example",
    ),
    (
        "aside.example",
        "v=DMARC1; p=quarantine; rua=mailto:dmarc@aside.example!10m,mailto:second@aside.example",
    ),
    (
        "refuse.example",
        "v=DMARC1; p=reject; adkim=s; aspf=s; rua=mailto:dmarc@refuse.example",
    ),
    (
        "below.example",
        "v=DMARC1; p=reject; sp=none; rua=mailto:dmarc@below.example",
    ),
    ("silent.example", "v=DMARC1; p=quarantine"),
    (
        "sampled.example",
        "v=DMARC1; p=reject; pct=0; rua=mailto:dmarc@sampled.example",
    ),
];

/// Two hundred messages: each Author Domain with each outcome, from several clients, by two hosts.
fn arriving() -> Vec<Arriving> {
    let authors = [
        "a@watch.example",
        "a@aside.example",
        "a@refuse.example",
        "a@below.example",
        "a@mail.below.example",
        "a@Mail.Aside.Example",
        "a@silent.example",
        "a@sampled.example",
        "a@nobody.example",
        "a@watch.example",
    ];
    let clients = ["192.0.2.7", "198.51.100.66", "2001:db8::7"];
    let spf = [
        "pass",
        "fail",
        "softfail",
        "none",
        "neutral",
        "temperror",
        "permerror",
        "pass",
    ];
    let message = |number: usize| {
        let author = authors[number % authors.len()];
        let domain = author.split_once('@').unwrap().1.to_ascii_lowercase();
        let round = number / authors.len();
        let mail_from = match round % 5 {
            0 | 1 => format!("bounce@{domain}"),
            2 => format!("bounce@news.{domain}"),
            3 => "someone@elsewhere.example".to_owned(),
            _ => String::new(),
        };
        let esp = ("esp.example".to_owned(), "k2", "pass");
        let dkim = match round % 4 {
            0 => vec![(domain.clone(), "s1", "pass")],
            1 => vec![(domain.clone(), "s1", "fail"), esp],
            2 => Vec::new(),
            _ => vec![
                (format!("sign.{domain}"), "s2", "pass"),
                (domain.clone(), "s1", "permerror"),
            ],
        };
        Arriving {
            job: format!("4ZQ{number:07}"),
            host: ["mx01.here.example", "mx02.here.example"][number % 2],
            client: clients[(number / 7) % clients.len()].parse().unwrap(),
            author: author.to_owned(),
            mail_from,
            spf: spf[(number / 3) % spf.len()],
            dkim,
        }
    };
    (0..200).map(message).collect()
}

/// A site of ours: settings, a store, and DNS that knows where the domains receive mail.
pub(super) struct Ours {
    folder: Folder,
    settings: String,
    _dns: DnsServer,
}

impl Ours {
    pub(super) fn new() -> Self {
        let mut zones = Zones::new();
        for (domain, text) in RECORDS {
            zones.add_txt(dns_name(&format!("_dmarc.{domain}")), text.as_bytes());
            let address = DnsRecord::A([127, 0, 0, 1].into());
            zones.set(dns_name(domain), RecordType::A, ZoneData::Records(vec![address]));
        }
        let dns = DnsServer::start(zones);
        let folder = Folder::new("moved");
        let text = format!(
            "store.directory = \"{}\"\ndns.name_servers = [\"{}\"]\nreport.email = \"dmarc@here.example\"\n\
             log.target = \"stderr\"\nreport.delivery.tls = \"none\"\n",
            folder.path().display(),
            dns.addr()
        );
        let settings = folder.write("landmarc.toml", text).display().to_string();
        Self {
            folder,
            settings,
            _dns: dns,
        }
    }

    pub(super) fn settings(&self) -> &str {
        &self.settings
    }

    pub(super) fn folder(&self) -> &Folder {
        &self.folder
    }

    /// `landmarc migrate opendmarc` with these options; what it came to.
    pub(super) fn migrate(&self, options: &[&str]) -> Ran {
        let words = ["migrate", "opendmarc", "--json", "--settings", &self.settings];
        landmarc(words.iter().chain(options))
    }

    /// The same, where all of it can be used.
    #[track_caller]
    pub(super) fn migrated(&self, options: &[&str]) -> Value {
        let ran = self.migrate(options);
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{}", ran.stdout);
        ran.json()
    }

    /// The reports about all days of the tally, each as a letter.
    pub(super) fn letters(&self) -> Vec<Vec<u8>> {
        let status = landmarc(["store", "status", "--json", "--config", &self.settings]).json();
        let days: BTreeSet<_> = ["first", "last"]
            .map(|end| text(&status["tally_days"][end]))
            .into();
        let directory = self.folder.join("letters");
        for day in &days {
            let into = directory.join(day);
            let ran = landmarc([
                "outbox",
                "send",
                "--day",
                day,
                // Whatever day it is: that one is over.
                "--now=2100-01-01",
                "--dry-run",
                "--output-dir",
                into.to_str().unwrap(),
                "--config",
                &self.settings,
            ]);
            assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
        }
        let of_day = |day: &String| sums::letters_in(&directory.join(day));
        days.iter().flat_map(of_day).collect()
    }

    /// The same, read.
    pub(super) fn reports(&self) -> Vec<ReportReading> {
        let letters = self.letters();
        sums::each_once(sums::in_letters(letters.iter().map(Vec::as_slice)))
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn shown(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The whole way in: the same messages by the history file, by the database, and by both.
#[test]
fn opendmarc_is_moved_from_with_its_history_and_its_database() {
    let Some(site) = Site::start() else { return };
    let arriving = arriving();
    let mails: Vec<_> = arriving.iter().map(Arriving::mail).collect();
    let verdicts = site.judge(&RECORDS, &mails);
    let refused = verdicts
        .iter()
        .filter(|verdict| matches!(verdict, Verdict::Reply(_)));
    assert!(refused.count() > 10, "the filter enforces: {verdicts:?}");
    let history = site.history();
    let imported = site.import(&history);
    assert_eq!(String::from_utf8_lossy(&imported.stderr), "");
    let letters = site.reports();
    let theirs = sums::in_letters(letters.iter().map(|letter| letter.text.as_slice()));
    let theirs = sums::each_once(theirs);
    // Of two hundred messages, those whose domain asks for reports: twenty of silent.example do not, nor do the forty
    // below.
    assert_eq!(sums::sums(&theirs).values().sum::<u64>(), 140);

    let by_file = Ours::new();
    let done = by_file.migrated(&["--history", shown(&history)]);
    // Twenty of nobody.example, and twenty whose author was written in capitals: 1.4.2 then finds no record.
    assert_eq!(
        (&done["new"], &done["without_a_policy"]),
        (&160.into(), &40.into()),
        "{done}"
    );
    let by_database = Ours::new();
    let with_password = site.address().replace("@127", ":opendmarc@127");
    let done = by_database.migrated(&["--database", &with_password]);
    assert_eq!(
        (&done["new"], &done["without_a_policy"]),
        (&160.into(), &40.into()),
        "{done}"
    );
    let by_both = Ours::new();
    by_both.migrated(&["--history", shown(&history), "--database", &with_password]);
    let again = by_both.migrated(&["--database", &with_password, "--history", shown(&history)]);
    assert_eq!(
        (&again["new"], &again["known"]),
        (&0.into(), &320.into()),
        "{again}"
    );

    for ours in [&by_file, &by_database, &by_both] {
        let reports = ours.reports();
        assert_eq!(sums::sums(&reports), sums::sums(&theirs));
        assert_eq!(sums::found(&reports), sums::found(&theirs));
    }
    faults_of_theirs_are_not_ours(&theirs, &letters, &by_file);
}

/// What 1.4.2 does otherwise, with the difference in the same data (checklist 2.11).
fn faults_of_theirs_are_not_ours(
    theirs: &[ReportReading],
    letters: &[landmarc_testkit::relay::RelayedMessage],
    site: &Ours,
) {
    let ours = site.reports();
    let our_letters = site.letters();
    let header = |letter: &[u8]| String::from_utf8_lossy(letter).into_owned();
    let first = |letters: &[u8], name: &str| {
        let text = header(letters);
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(name).map(str::to_owned));
        line.unwrap_or_else(|| panic!("no {name} in {text}"))
    };
    let letter_of = |reading: &ReportReading| {
        let id = reading.report.metadata.report_id.clone();
        our_letters
            .iter()
            .find(|letter| header(letter).contains(&id))
            .unwrap()
    };
    // G1, G8: one id, in the subject and in the XML, between angle brackets.
    let subject_of_theirs = first(&letters[0].text, "Subject: ");
    assert!(
        subject_of_theirs.contains("Report-ID: watch.example-"),
        "{subject_of_theirs}"
    );
    assert!(
        theirs
            .iter()
            .all(|reading| reading.report.metadata.report_id.contains(':'))
    );
    for reading in &ours {
        let id = &reading.report.metadata.report_id;
        let text = header(letter_of(reading)).replace("\r\n ", " ");
        assert!(text.contains(&format!("Report-ID: <{id}>")), "{text}");
    }
    // G2: sent by a program, and each letter with an id of its own.
    let ids: BTreeSet<_> = our_letters
        .iter()
        .map(|letter| first(letter, "Message-ID: "))
        .collect();
    assert_eq!(ids.len(), our_letters.len());
    assert!(
        our_letters
            .iter()
            .all(|letter| header(letter).contains("Auto-Submitted: auto-generated"))
    );
    // G3
    assert!(header(&letters[0].text).contains(".zip"));
    assert!(
        our_letters
            .iter()
            .all(|letter| header(letter).contains(".xml.gz"))
    );
    // G4: theirs is strict by no RFC, ours is.
    assert!(theirs.iter().all(|reading| !reading.is_strict()));
    for reading in &ours {
        assert!(reading.is_strict(), "{:?}", reading.deviations);
    }
    // G5: a record for each message there.
    let rows = |all: &[ReportReading]| all.iter().map(|reading| reading.report.rows.len()).sum::<usize>();
    let messages = |all: &[ReportReading]| {
        all.iter()
            .map(|reading| reading.about.messages.unwrap())
            .sum::<u64>()
    };
    assert_eq!(messages(&ours), messages(theirs));
    assert_eq!(u64::try_from(rows(theirs)).unwrap(), messages(theirs));
    assert!(rows(&ours) < rows(theirs), "{} < {}", rows(&ours), rows(theirs));
    // G6: a reason with each record there, whatever was done.
    let with_reason = |all: &[ReportReading]| {
        let all = all.iter().flat_map(|reading| &reading.report.rows);
        all.filter(|row| !row.key.reasons.is_empty())
            .map(|row| row.count)
            .sum::<u64>()
    };
    assert_eq!(with_reason(theirs), messages(theirs));
    let overridden = ours.iter().flat_map(|reading| &reading.report.rows);
    let overridden = overridden.filter(|row| !row.key.reasons.is_empty());
    let authors: BTreeSet<_> = overridden.map(|row| row.key.header_from.as_str()).collect();
    assert_eq!(
        authors,
        ["sampled.example"].into(),
        "pct=0: asked for reject, and not done"
    );
    // G7: a report for each From domain there, for each DMARC Policy Domain here.
    let domains = |all: &[ReportReading]| {
        let domains = all.iter().map(|reading| reading.report.policy.domain.clone());
        domains.collect::<BTreeSet<_>>()
    };
    let (of_theirs, of_ours) = (domains(theirs), domains(&ours));
    let only_theirs: Vec<_> = of_theirs.difference(&of_ours).cloned().collect();
    assert_eq!(only_theirs, ["mail.below.example"]);
    assert_eq!(of_ours.difference(&of_theirs).count(), 0);
}

/// `landmarc history export`: what is in the tally, as the real importer reads it and as we do.
#[test]
fn what_is_exported_is_imported_by_the_real_importer_and_by_us() {
    let Some(site) = Site::start() else { return };
    let mails: Vec<_> = arriving().iter().map(Arriving::mail).collect();
    site.judge(&RECORDS, &mails);
    let from = Ours::new();
    from.migrated(&["--history", shown(&site.history())]);
    let exported: PathBuf = from.folder().join("exported.dat");
    let export = |path: &Path| {
        landmarc([
            "history",
            "export",
            "--reporter=lm.here.example",
            "--config",
            from.settings(),
            "--output",
            shown(path),
        ])
    };
    assert_eq!(export(&exported).code, 0);
    let again = from.folder().join("again.dat");
    assert_eq!(export(&again).code, 0);
    assert_eq!(std::fs::read(&exported).unwrap(), std::fs::read(&again).unwrap());
    assert_eq!(export(&again).code, 69, "what is there is not replaced");

    let imported = site.import(&exported);
    assert_eq!(String::from_utf8_lossy(&imported.stderr), "");
    assert_eq!(site.ask("SELECT COUNT(*) FROM messages"), "160\n");
    assert_eq!(
        site.ask("SELECT COUNT(DISTINCT jobid) FROM messages WHERE jobid LIKE 'lm%'"),
        "160\n"
    );
    let to = Ours::new();
    assert_eq!(to.migrated(&["--history", shown(&exported)])["new"], 160);
    assert_eq!(sums::sums(&to.reports()), sums::sums(&from.reports()));
    assert_eq!(sums::found(&to.reports()), sums::found(&from.reports()));
}
