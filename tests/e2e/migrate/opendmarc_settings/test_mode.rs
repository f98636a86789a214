//! `-t`: messages from files, beside the real program.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use landmarc_testkit::tools::Folder;

use super::{Said, both, program, said};
use crate::binary::executable;

/// A site for -t: its settings and three messages.
struct TestSite {
    folder: Folder,
    conf: PathBuf,
}

impl TestSite {
    fn new() -> Self {
        let folder = Folder::new("opendmarc-t");
        let zone = folder.write(
            "zone",
            "_dmarc.example.com v=DMARC1; p=reject; rua=mailto:a@example.com\n_dmarc.example.net v=DMARC1; p=quarantine\n",
        );
        let letter = |author: &str, results: &str| {
            format!(
                "{results}From: a@{author}\r\nTo: b@example.org\r\nDate: Thu, 1 Jan 2026 00:00:00 +0000\r\n\r\nhello\r\n"
            )
        };
        folder.write("refused.eml", letter("example.com", ""));
        folder.write(
            "passed.eml",
            letter(
                "example.com",
                "Authentication-Results: mx; spf=pass smtp.mailfrom=example.com\r\n",
            ),
        );
        folder.write("held.eml", letter("example.net", ""));
        fs::create_dir(folder.join("kept")).unwrap();
        let conf = folder.write(
            "opendmarc.conf",
            format!(
                "AuthservID mx\nAuthservIDWithJobID true\nTestDNSData {}\nRejectFailures true\nSoftwareHeader true\n\
                 HoldQuarantinedMessages true\nCopyFailuresTo copy@example.org\nHistoryFile {}\n",
                zone.display(),
                folder.join("kept/history.dat").display()
            ),
        );
        Self { folder, conf }
    }

    fn run(&self, which: &(PathBuf, &str)) -> Said {
        let files = "refused.eml,passed.eml,held.eml";
        said(
            program(which)
                .current_dir(self.folder.path())
                .arg("-c")
                .arg(&self.conf)
                .args(["-v", "-v", "-v", "-t", files])
                .env("OPENDMARC_TEST_CLIENTHOST", "mail.example.com")
                .env("OPENDMARC_TEST_CLIENTIP", "192.0.2.1")
                .env("OPENDMARC_TEST_HELOHOST", "mail.example.com")
                .env("OPENDMARC_TEST_ENVFROM", "<s@example.com>"),
        )
    }
}

/// F4, F5: step for step the same; what is said in the edits is each program's own.
#[test]
fn f4_test_mode_tells_the_same_as_the_real_program() {
    let Some(both) = both() else { return };
    let site = TestSite::new();
    let [real, ours] = both.each_ref().map(|which| site.run(which));
    assert_eq!((real.code, ours.code), (Some(0), Some(0)), "{}", ours.stderr);
    assert_eq!(ours.stderr, real.stderr);
    let kinds = |said: &Said| -> BTreeSet<String> {
        said.stdout
            .lines()
            .filter_map(|line| line.split(['=', ':']).next())
            .map(str::to_owned)
            .collect()
    };
    assert!(
        kinds(&real).is_subset(&kinds(&ours)),
        "{}\n{}",
        real.stdout,
        ours.stdout
    );
    for line in [
        "### SETREPLY: rcode='550' xcode='5.7.1' replytxt='",
        "### INSHEADER: idx=0 hname='DMARC-Filter' hvalue='",
        "### INSHEADER: idx=0 hname='Authentication-Results' hvalue='mx/DEBUG-i; ",
        "### ADDRCPT: 'copy@example.org'",
    ] {
        for said in [&real, &ours] {
            assert!(
                said.stdout.lines().any(|printed| printed.starts_with(line)),
                "{line}\n{}",
                said.stdout
            );
        }
    }
    for words in [
        "dmarc=pass",
        "dmarc=fail",
        "header.from=example.com",
        "header.from=example.net",
    ] {
        for said in [&real, &ours] {
            assert!(said.stdout.contains(words), "{words}\n{}", said.stdout);
        }
    }
    // Better than 1.4.2, which tells of no quarantine here, and of recipients of mail that it refuses.
    assert!(
        ours.stdout
            .contains("### QUARANTINE: reason='quarantined by DMARC policy for example.net")
    );
}

/// F6: the real program appends to the history even so.
#[test]
fn f6_test_mode_writes_nothing_down() {
    let Some(both) = both() else { return };
    for (which, expected) in both.iter().zip([1, 0]) {
        let site = TestSite::new();
        assert_eq!(site.run(which).code, Some(0));
        assert_eq!(
            fs::read_dir(site.folder.join("kept")).unwrap().count(),
            expected,
            "{}",
            which.1
        );
        // Beside it the settings, the zone, three messages and the folder itself.
        assert_eq!(
            fs::read_dir(site.folder.path()).unwrap().count(),
            6,
            "{}",
            which.1
        );
    }
}

/// F5: the trap of the seed, whose hosts file has localhost.
#[test]
fn f5_a_client_that_is_ignored_is_told_of() {
    let site = TestSite::new();
    let hosts = site.folder.write("ignore.hosts", "localhost\nmail.example.com\n");
    let conf = fs::read_to_string(&site.conf).unwrap() + &format!("IgnoreHosts {}\n", hosts.display());
    fs::write(&site.conf, conf).unwrap();
    let ours = (executable().to_owned(), "ours");
    let named = site.run(&ours);
    assert_eq!(
        (named.code, named.stdout.as_str()),
        (Some(70), ""),
        "{}",
        named.stderr
    );
    assert!(
        named.stderr.contains("mlfi_connect() returned SMFIS_ACCEPT"),
        "{}",
        named.stderr
    );
    let unnamed = said(
        program(&ours)
            .arg("-c")
            .arg(&site.conf)
            .arg("-t")
            .arg(site.folder.join("refused.eml")),
    );
    assert!(
        unnamed.stdout.contains("### SETREPLY: rcode='550'"),
        "{}",
        unnamed.stdout
    );
    assert!(
        unnamed.stderr.contains("OPENDMARC_TEST_CLIENTIP"),
        "{}",
        unnamed.stderr
    );
}
