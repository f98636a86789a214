//! The tools of OpenDMARC by their names (checklist T1 to T6), beside the real ones where these can run.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;

use landmarc_auth::lookup::Zones;
use landmarc_testkit::dns_name;
use landmarc_testkit::dns_server::DnsServer;
use landmarc_testkit::relay::{Relay, Script};
use landmarc_testkit::tools::package;

use super::collector::yesterday_noon;
use super::{Ours, shown};
use crate::binary::{executable, landmarc, landmarc_reading};

/// One record, whose time is filled in.
pub(super) const HISTORY: &str = "job 4ZQ0000001\nreporter mx01.here.example\nreceived {received}\nipaddr 192.0.2.7\n\
    from watch.example\nmfrom watch.example\nspf 7\npdomain watch.example\npolicy 18\nrua mailto:dmarc@watch.example\n\
    pct 100\nadkim 114\naspf 114\np 110\nsp 0\nalign_dkim 5\nalign_spf 5\narc 7\narc_policy 2 json:[]\naction 2\n";

pub(super) fn record() -> String {
    HISTORY.replace("{received}", &yesterday_noon().to_string())
}

/// T1: standard input or `--input`; a broken record is told, and the exit code says so.
#[test]
fn t1_opendmarc_import_takes_its_flags() {
    let ours = Ours::new();
    let line = [
        "opendmarc-import",
        "--settings",
        ours.settings(),
        "--verbose",
        "--dbhost=x",
        "--dbpasswd=wr0ng",
    ];
    let ran = landmarc_reading(&line, record().as_bytes());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("messages: 1 new"), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("name no database") && !ran.stderr.contains("wr0ng"),
        "{}",
        ran.stderr
    );
    let file = ours.folder().write("history", record().replace("spf 7", "spf x"));
    let ran = landmarc([
        "opendmarc-import",
        "--settings",
        ours.settings(),
        "--input",
        shown(&file),
    ]);
    assert_eq!(ran.code, 65);
    assert!(ran.stderr.contains("line 7: spf: \"x\""), "{}", ran.stderr);
    let again = landmarc_reading(&line, record().as_bytes());
    assert!(
        again.stderr.contains("messages: 0 new, 1 counted before"),
        "{}",
        again.stderr
    );
    let version = landmarc(["opendmarc-import", "--version"]);
    assert!(
        version.stdout.starts_with("opendmarc-import v"),
        "{}",
        version.stdout
    );
    assert_eq!(
        (
            landmarc(["opendmarc-import", "--help"]).code,
            landmarc(["opendmarc-import", "--frob"]).code
        ),
        (0, 1)
    );
}

/// T4: what is set lasts, and decides where reports go; `--unlock` ends it.
#[test]
fn t4_opendmarc_params_says_where_reports_go() {
    let ours = Ours::new();
    let relay = Relay::start(Script::default());
    let file = ours.folder().write("history", record());
    ours.migrated(&["--history", shown(&file)]);
    let params =
        |options: &[&str]| landmarc([&["opendmarc-params", "--settings", ours.settings()], options].concat());
    assert_eq!(
        params(&["--rua=mailto:instead@elsewhere.example", "watch.example"]).code,
        0
    );
    let shown = params(&["watch.example"]);
    assert!(
        shown.stdout.contains("mailto:instead@elsewhere.example"),
        "{}",
        shown.stdout
    );
    let port = format!("--smtp-port={}", relay.address().port());
    let reports = landmarc([
        "opendmarc-reports",
        "--settings",
        ours.settings(),
        "--day",
        "--smtp-host=127.0.0.1",
        &port,
    ]);
    assert_eq!(reports.code, 0, "{}", reports.stderr);
    let letters = relay.messages();
    let recipients: Vec<_> = letters.iter().flat_map(|letter| letter.rcpt_to.clone()).collect();
    assert_eq!(recipients, ["instead@elsewhere.example"], "{}", reports.stderr);
    assert_eq!(params(&["--unlock", "watch.example"]).code, 0);
    assert_eq!(params(&["--unlock", "watch.example"]).code, 1);
    assert!(
        params(&["watch.example"])
            .stderr
            .contains("no reports about watch.example are redirected")
    );
    assert_eq!(
        (
            params(&[]).code,
            params(&["--rua=nonsense", "watch.example"]).code
        ),
        (1, 64)
    );
}

/// T5: the file goes when all of it is in the tally, and stays, listed, when it is not.
#[test]
fn t5_opendmarc_importstats_removes_only_what_is_in_the_tally() {
    let ours = Ours::new();
    let history = ours.folder().write("spool/opendmarc.dat", record());
    let conf = ours
        .folder()
        .write("opendmarc.conf", format!("HistoryFile {}\n", history.display()));
    let import = || {
        landmarc([
            "opendmarc-importstats",
            "--settings",
            ours.settings(),
            "--config",
            shown(&conf),
        ])
    };
    let files = || {
        let files = fs::read_dir(ours.folder().join("spool")).unwrap();
        let mut names: Vec<_> = files
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };
    let done = import();
    assert_eq!(
        (done.code, done.stdout.as_str(), files().len()),
        (0, "", 0),
        "{}",
        done.stderr
    );
    assert_eq!(import().code, 0, "without a file there is nothing to do");
    // HF6: a record that is being written.
    let text = record();
    let (half, _) = text.split_at(text.len() - 3);
    fs::write(
        &history,
        format!("{}{half}", record().replace("4ZQ0000001", "4ZQ0000002")),
    )
    .unwrap();
    let done = import();
    assert_eq!(done.code, 65, "{}", done.stderr);
    assert!(done.stderr.contains("is not whole"), "{}", done.stderr);
    let [kept] = <[String; 1]>::try_from(files()).unwrap();
    assert!(
        kept.starts_with("opendmarc.dat.OLD.") && done.stdout.contains(&kept),
        "{}",
        done.stdout
    );
    // Once it is whole it counts, and nothing counts twice.
    fs::write(
        ours.folder().join("spool").join(&kept),
        record().replace("4ZQ0000001", "4ZQ0000003"),
    )
    .unwrap();
    let path = ours.folder().join("spool").join(&kept);
    assert_eq!(ours.migrated(&["--history", shown(&path)])["new"], 1);
}

/// T5: whoever opened the file before it was renamed may have a record to write.
#[test]
fn t5_a_history_file_that_somebody_has_locked_stays_and_is_listed() {
    let ours = Ours::new();
    let history = ours.folder().write("spool/opendmarc.dat", record());
    let busy = fs::File::open(&history).unwrap();
    busy.lock_shared().unwrap();
    let option = format!("--history-file={}", history.display());
    let done = landmarc(["opendmarc-importstats", "--settings", ours.settings(), &option]);
    assert_eq!(done.code, 69, "{}", done.stderr);
    assert!(done.stderr.contains("still being written"), "{}", done.stderr);
    let kept = fs::read_dir(ours.folder().join("spool")).unwrap().next().unwrap();
    let kept = kept.unwrap().path();
    assert_eq!(fs::read_to_string(&kept).unwrap(), record());
    assert_eq!(done.stdout, format!("{} {}\n", record().len(), kept.display()));
    drop(busy);
    let known = &ours.migrated(&["--history", shown(&kept)])["known"];
    assert_eq!(known, 1, "it is imported, and may be again");
}

/// P7: the file that the service writes is that below its BaseDirectory; T5: one that cannot be seen is not "none".
#[test]
fn p7_and_t5_opendmarc_importstats_finds_the_history_file_below_the_base_directory() {
    let ours = Ours::new();
    let history = ours.folder().write("spool/opendmarc.dat", record());
    let spool = history.parent().unwrap();
    let import = |text: String| {
        let conf = ours.folder().write("opendmarc.conf", text);
        landmarc([
            "opendmarc-importstats",
            "--settings",
            ours.settings(),
            "--verbose",
            "--config",
            shown(&conf),
        ])
    };
    let done = import(format!(
        "BaseDirectory {}\nHistoryFile opendmarc.dat\n",
        spool.display()
    ));
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert!(done.stderr.contains("messages: 1 new"), "{}", done.stderr);
    assert!(!history.exists());
    fs::write(&history, "").unwrap();
    let done = import(format!("HistoryFile {}/below\n", history.display()));
    assert_eq!(done.code, 66, "{}", done.stderr);
    assert!(done.stderr.contains("cannot read"), "{}", done.stderr);
}

/// T2: a rehearsal writes the letters into the directory it is started in.
#[test]
fn t2_opendmarc_reports_in_test_mode_sends_nothing() {
    let ours = Ours::new();
    let file = ours.folder().write("history", record());
    ours.migrated(&["--history", shown(&file)]);
    let workdir = ours.folder().join("letters");
    fs::create_dir(&workdir).unwrap();
    let mut command = Command::new(executable());
    command.args([
        "opendmarc-reports",
        "--settings",
        ours.settings(),
        "--day",
        "-n",
        "--smtp-port=1",
    ]);
    let done = command.current_dir(&workdir).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert!(fs::read_dir(&workdir).unwrap().next().is_some());
    let forensic = landmarc(["opendmarc-reports", "--settings", ours.settings(), "--forensic"]);
    assert_eq!(forensic.code, 69);
}

/// T6: to the letter what the real one prints, where that finds the record.
#[test]
fn t6_opendmarc_check_prints_what_the_real_one_does() {
    let Some(real) = package("opendmarc") else { return };
    let mut zones = Zones::new();
    for (domain, text) in [
        (
            "full.example",
            "v=DMARC1; p=quarantine; sp=reject; adkim=s; pct=50; \
             rua=mailto:a@full.example,mailto:b@full.example!10m; ruf=mailto:f@full.example",
        ),
        ("bare.example", "v=DMARC1; p=none"),
    ] {
        zones.add_txt(dns_name(&format!("_dmarc.{domain}")), text.as_bytes());
    }
    // The real one asks the name servers of the system, on port 53: it gets a resolv.conf of its own.
    let dns = DnsServer::start_at(SocketAddr::from((Ipv4Addr::new(127, 153, 53, 1), 53)), zones);
    let ours = Ours::new();
    let resolv = ours.folder().write("resolv.conf", "nameserver 127.153.53.1\n");
    let program = real.join("usr/sbin/opendmarc-check");
    let settings = ours
        .folder()
        .write("check.toml", format!("dns.name_servers = [\"{}\"]\n", dns.addr()));
    for domains in [
        &["full.example"][..],
        &["bare.example", "full.example"],
        &["bare.example", "gone.example"],
        &[],
    ] {
        let theirs = real_check(&program, &resolv, domains);
        let line = [&["opendmarc-check", "--settings", shown(&settings)], domains].concat();
        let ours = landmarc(line);
        assert_eq!(
            (ours.code, ours.stdout.as_str()),
            (theirs.0, theirs.1.as_str()),
            "{domains:?} {}",
            ours.stderr
        );
        assert_eq!(
            ours.stderr.is_empty(),
            theirs.2.is_empty(),
            "{} {}",
            ours.stderr,
            theirs.2
        );
    }
    // What the real one does not find: a record above, without a list of public suffixes.
    let below = landmarc([
        "opendmarc-check",
        "-f",
        "--settings",
        shown(&settings),
        "mail.full.example",
    ]);
    assert!(
        below
            .stdout
            .starts_with("DMARC record for mail.full.example (of full.example):"),
        "{}",
        below.stdout
    );
    assert_eq!(real_check(&program, &resolv, &["mail.full.example"]).0, 70);
}

fn real_check(program: &Path, resolv: &Path, domains: &[&str]) -> (i32, String, String) {
    let mut command = Command::new("unshare");
    command.args([
        "--mount",
        "sh",
        "-c",
        "mount --bind \"$0\" /etc/resolv.conf && exec \"$@\"",
    ]);
    let done = command.arg(resolv).arg(program).args(domains).output().unwrap();
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    (
        done.status.code().unwrap(),
        text(&done.stdout),
        text(&done.stderr),
    )
}
