//! opendmarc.conf beside the real program: what it accepts, what it says of test messages, and a site that
//! moves.

mod daemon;
mod test_mode;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use landmarc_testkit::dns_server::DnsServer;
use landmarc_testkit::mta::{Edit, Mail, Mta, Verdict};
use landmarc_testkit::tools::{Daemon, Folder, free_port, package};
use landmarc_testkit::txt_zones;

use crate::binary::{executable, landmarc};

/// The lines in force at the site of the seed, as its `egrep` shows them.
const SEED: &str = include_str!("../../../crates/core/migrate/tests/it/opendmarc_settings/seed_active.conf");

/// What a program said.
struct Said {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

fn said(command: &mut Command) -> Said {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    Said {
        code: output.status.code(),
        stdout: text(&output.stdout),
        stderr: text(&output.stderr),
    }
}

/// The real program, and ours under its name.
fn both() -> Option<[(PathBuf, &'static str); 2]> {
    let real = package("opendmarc")?.join("usr/sbin/opendmarc");
    Some([(real, "real"), (executable().to_owned(), "ours")])
}

/// The program; ours takes the old name as its first argument.
fn program((path, which): &(PathBuf, &str)) -> Command {
    let mut command = Command::new(path);
    if *which == "ours" {
        command.arg("opendmarc");
    }
    command
}

/// F2, C4, C6, and with -p on the command line; the third is what ours says where it differs on purpose.
#[test]
fn f2_both_programs_agree_about_files() {
    let Some(both) = both() else { return };
    let folder = Folder::new("opendmarc-n");
    let long = format!("AuthservID {}\n", "x".repeat(1_100));
    let table = [
        ("", 0, 0),
        ("# nothing\n\n", 0, 0),
        ("Syslog TRUE\nRejectFailures n\n", 0, 0),
        ("  syslog \t true # yes\n", 0, 0),
        ("UMask 0002\nDNSTimeout 5\nMilterDebug 0x1\n", 0, 0),
        ("Syslog true garbage\n", 0, 0),
        ("IgnoreMailTo rua@example.net\nRejectString no %s\n", 0, 0),
        ("Foo bar\n", 78, 78),
        ("Syslog true\nSyslog maybe\n", 78, 78),
        ("Syslog\n", 78, 78),
        ("AutoRestartCount 3x\n", 78, 78),
        ("Include /etc/other.conf\n", 78, 78),
        // Better (C9): what an older version knew is understood.
        (
            "ForensicReports true\nForensicReportsSentBy a@example.net\n",
            78,
            0,
        ),
        ("TemporaryDirectory /var/tmp\n", 78, 0),
        // Better: what it would not start with, or not do what is meant, is told of before.
        ("AutoRestartRate often\n", 0, 78),
        ("Socket inet:localhost:8893\n", 0, 78),
        ("IgnoreHosts /nonexistent/ignore.hosts\n", 0, 78),
        ("UserID nobody-of-that-name\n", 0, 78),
        // C7: it cuts the line, and takes the rest for another.
        (long.as_str(), 78, 78),
    ];
    for (text, real, ours) in table {
        let conf = folder.write("opendmarc.conf", text);
        for (which, expected) in both.iter().zip([real, ours]) {
            let said = said(
                program(which)
                    .arg("-n")
                    .arg("-c")
                    .arg(&conf)
                    .args(["-p", "inet:8893@localhost"]),
            );
            assert_eq!(
                said.code,
                Some(expected),
                "{}: {text:?}: {}",
                which.1,
                said.stderr
            );
            assert_eq!(
                said.stderr.is_empty() && said.stdout.is_empty(),
                expected == 0,
                "{}: {text:?}",
                which.1
            );
        }
    }
}

/// C6: the real program tells of the first line, ours of each, and in the same words.
#[test]
fn c6_all_bad_lines_are_told_in_the_old_words() {
    let Some(both) = both() else { return };
    let folder = Folder::new("opendmarc-bad");
    let conf = folder.write("opendmarc.conf", "Foo bar\nSyslog maybe\nHistoryFile\n");
    let printed = both
        .each_ref()
        .map(|which| said(program(which).arg("-n").arg("-c").arg(&conf)).stderr);
    let lines = [
        "line 1: unrecognized parameter",
        "line 2: illegal value",
        "line 3: required value missing",
    ];
    let counts = printed
        .each_ref()
        .map(|printed| lines.iter().filter(|line| printed.contains(**line)).count());
    assert_eq!(counts, [1, 3], "{printed:?}");
    let begins = format!("opendmarc: {}: configuration error at line 1: ", conf.display());
    assert!(
        printed.iter().all(|printed| printed.starts_with(&begins)),
        "{printed:?}"
    );
}

/// F1, F3, F10.
#[test]
fn f3_version_and_usage_have_the_old_shape() {
    let Some(both) = both() else { return };
    for which in &both {
        let version = said(program(which).arg("-V"));
        assert_eq!(
            (version.code, version.stderr.as_str()),
            (Some(0), ""),
            "{}",
            which.1
        );
        let lines: Vec<_> = version.stdout.lines().collect();
        assert!(
            lines.first().is_some_and(|line| line.starts_with("opendmarc: ")),
            "{lines:?}"
        );
        assert!(
            lines.contains(&"\tActive code options:") && lines.contains(&"\t\tWITH_SPF"),
            "{lines:?}"
        );
        for wrong in [&["-x"][..], &["extra"], &["-T", "5"]] {
            assert_eq!(
                said(program(which).args(wrong)).code,
                Some(64),
                "{} {wrong:?}",
                which.1
            );
        }
        // The real one prints its usage, and the seed tells of a -T that it has not.
        let printed = said(program(which).args(["-T", "5"])).stderr;
        assert_eq!(
            printed.contains("write DNSTimeout"),
            which.1 == "ours",
            "{printed}"
        );
    }
}

/// Debian's own file, as its package brings it: translated, and read by our settings but for its user.
#[test]
fn the_file_of_debians_package_is_translated() {
    let Some(package) = package("opendmarc") else {
        return;
    };
    let folder = Folder::new("opendmarc-debian");
    let text = fs::read_to_string(package.join("etc/opendmarc.conf")).unwrap();
    let conf = folder.write(
        "opendmarc.conf",
        text.replace("\nUserID opendmarc", "\nUserID nobody"),
    );
    let file = folder.join("landmarc.toml");
    let paths = [&conf, &file].map(|path| path.display().to_string());
    let ran = landmarc([
        "migrate",
        "opendmarc",
        "--config",
        &paths[0],
        "--output",
        &paths[1],
    ]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let ran = landmarc(["config", "check", &paths[1]]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let toml = fs::read_to_string(&file).unwrap();
    assert!(
        toml.contains("listen = [\"unix:/run/opendmarc/opendmarc.sock\"]"),
        "{toml}"
    );
    assert!(toml.contains("socket_mode = \"0664\""), "{toml}");
}

#[test]
fn what_is_there_is_not_overwritten_and_broken_lines_are_told() {
    let folder = Folder::new("opendmarc-output");
    let conf = folder
        .write("opendmarc.conf", "Socket inet:8893@localhost\n")
        .display()
        .to_string();
    let file = folder
        .write("landmarc.toml", "mode = \"enforce\"\n")
        .display()
        .to_string();
    let migrate = ["migrate", "opendmarc", "--config", &conf];
    let ran = landmarc(migrate.iter().chain(&["--output", &file]));
    assert_eq!(ran.code, 69);
    assert!(ran.stderr.contains("--force"), "{}", ran.stderr);
    assert_eq!(fs::read_to_string(&file).unwrap(), "mode = \"enforce\"\n");
    let ran = landmarc(migrate.iter().chain(&["--output", &file, "--force"]));
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""), "{}", ran.stderr);
    assert!(fs::read_to_string(&file).unwrap().contains("inet:127.0.0.1:8893"));

    fs::write(&conf, "Sylog true\nSocket inet:8893@localhost\nSyslog on\n").unwrap();
    let ran = landmarc(migrate);
    assert_eq!((ran.code, ran.stdout.as_str()), (78, ""));
    for printed in [
        ":1: unrecognized parameter",
        "did you mean Syslog",
        ":3: illegal value",
    ] {
        assert!(ran.stderr.contains(printed), "{}", ran.stderr);
    }
    let ran = landmarc(migrate.iter().chain(&["--keep-going"]));
    assert_eq!(ran.code, 78);
    assert!(
        ran.stdout.contains("listen = [\"inet:127.0.0.1:8893\"]"),
        "{}",
        ran.stdout
    );
    let ran = landmarc(migrate.iter().chain(&["--json"]));
    assert_eq!(ran.code, 78);
    assert_eq!(ran.json()["broken"][1]["line"], 3);
    assert_eq!(
        landmarc(["migrate", "opendmarc", "--config", "/nonexistent/opendmarc.conf"]).code,
        66
    );
}

/// Lines with one fault each, what is told of it, and a word of the remedy.
const BROKEN: [(&[u8], &str, &str); 12] = [
    (b"Sylog true", "unrecognized parameter: \"Sylog\"", "Syslog?"),
    (
        b"RejectFailure true",
        "unrecognized parameter: \"RejectFailure\"",
        "RejectFailures?",
    ),
    (b"Syslog on", "illegal value: Syslog is \"on\"", "true or false"),
    (
        b"AutoRestartCount many",
        "illegal value: AutoRestartCount is \"many\"",
        "whole number",
    ),
    (b"UMask 08", "illegal value: UMask is \"08\"", "octal"),
    (
        b"HistoryFile",
        "required value missing: HistoryFile",
        "write a value",
    ),
    (
        b"RejectString # %s",
        "required value missing: RejectString",
        "write a value",
    ),
    (
        b"Socket inet:localhost:8893",
        "illegal value: Socket is",
        "inet:port@host",
    ),
    (
        b"AutoRestartRate 10",
        "illegal value: AutoRestartRate is \"10\"",
        "10/1h",
    ),
    (
        b"Include /etc/opendmarc/more.conf",
        "unrecognized parameter: \"Include\"",
        "one file",
    ),
    (b"HistoryFile /var/spool/\xfcber.dat", "not UTF-8", "UTF-8"),
    (&[b'x'; 1025], "1025 octets, and OpenDMARC reads 1024", "shorten"),
];

/// Twelve files with one broken line each, and one with all of them: told with file, line and remedy, and what is
/// good in them is understood.
#[test]
fn twelve_broken_files_are_refused_with_line_and_remedy() {
    let folder = Folder::new("opendmarc-twelve");
    let file = |lines: &[&[u8]]| {
        let good: [&[u8]; 2] = [b"# of the seed", b"UserID nobody"];
        let lines = [&good, lines, &[b"AuthservID mx.here.example"]].concat();
        let path = folder.write("opendmarc.conf", lines.join(&b'\n'));
        path.display().to_string()
    };
    let printed = |path: &str| {
        let ran = landmarc(["migrate", "opendmarc", "--config", path]);
        assert_eq!((ran.code, ran.stdout.as_str()), (78, ""), "{}", ran.stderr);
        let lines: Vec<_> = ran.stderr.lines().map(str::to_owned).collect();
        assert_eq!(lines.len() % 2, 0, "a fault and its remedy: {lines:?}");
        lines
    };
    let check = |path: &str, line: usize, printed: &[String], (_, fault, remedy): (&[u8], &str, &str)| {
        let begins = format!("{path}:{line}: ");
        assert!(
            printed[0].starts_with(&begins) && printed[0].contains(fault),
            "{fault}: {printed:?}"
        );
        assert!(
            printed[1].starts_with("  ") && printed[1].contains(remedy),
            "{remedy}: {printed:?}"
        );
    };
    for broken in BROKEN {
        let path = file(&[broken.0]);
        let printed = printed(&path);
        assert_eq!(printed.len(), 2, "{printed:?}");
        check(&path, 3, &printed, broken);
        let kept = landmarc(["migrate", "opendmarc", "--keep-going", "--config", &path]);
        let is_there = kept.stdout.contains("authserv_id = \"mx.here.example\"");
        assert!(kept.code == 78 && is_there, "{}", kept.stdout);
    }
    let path = file(&BROKEN.map(|broken| broken.0));
    let printed = printed(&path);
    assert_eq!(printed.len(), 2 * BROKEN.len(), "{printed:?}");
    for (at, (printed, broken)) in printed.chunks(2).zip(BROKEN).enumerate() {
        check(&path, at + 3, printed, broken);
    }
}

/// The lines in force at the site of the seed, on a port that is free and with a user of this machine.
fn seed(folder: &Folder, port: u16) -> String {
    let hosts = folder.write("ignore.hosts", "# left alone\nlocalhost\namavis.dmz.nausch.org\n");
    SEED.replace("inet:10012@localhost", &format!("inet:{port}@localhost"))
        .replace("/etc/opendmarc/ignore.hosts", &hosts.display().to_string())
        .replace("opendmarc:dmarc", "nobody:nogroup")
        .replace("Syslog true\n", "")
}

/// O10: the third milter of the seed. The results of the two ahead of it are believed, and those that
/// others wrote are not.
#[test]
fn the_site_of_the_seed_moves_and_judges_mail() {
    let folder = Folder::new("opendmarc-seed");
    let port = free_port();
    let conf = folder.write("opendmarc.conf", seed(&folder, port));
    let ran = landmarc(["migrate", "opendmarc", "--config", &conf.display().to_string()]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let dns = DnsServer::start(txt_zones(&[("_dmarc.gmail.com", "v=DMARC1; p=reject")]));
    let more = format!("dns.name_servers = [\"{}\"]\n", dns.addr());
    let file = folder.write("landmarc.toml", more + &ran.stdout);
    let service = serve(&folder, &file).listens_on(port);

    let mut mta = Mta::connect(&format!("inet:{port}@127.0.0.1")).unwrap();
    // SPF as the milter ahead of it tells it; gmail.com has no record here, so only that can pass.
    let results = |teller: &str| {
        let text = format!(
            "Authentication-Results: {teller}; spf=pass smtp.mailfrom=a@gmail.com\r\nFrom: a@gmail.com\r\n\r\nHello\r\n"
        );
        let mail_from = "<a@gmail.com>".to_owned();
        Mail {
            mail_from,
            ..Mail::plain().with_text(text.as_bytes())
        }
    };
    let field = |mail: &Mail, mta: &mut Mta, name: &str| {
        let outcome = mta.deliver(mail).unwrap();
        assert_eq!(outcome.verdict, Verdict::Accept);
        outcome
            .edits
            .iter()
            .find_map(|edit| value_of(edit, name))
            .unwrap_or_default()
    };
    let believed = field(&results("mx01.nausch.org"), &mut mta, "Authentication-Results");
    assert!(
        believed.starts_with("mx01.nausch.org/4Fb1;"),
        "{believed}\n{}",
        service.log()
    );
    assert!(believed.contains("dmarc=pass"), "{believed}");
    let foreign = field(&results("elsewhere.example"), &mut mta, "Authentication-Results");
    assert!(foreign.contains("dmarc=fail"), "{foreign}");
    let software = field(&results("mx01.nausch.org"), &mut mta, "DMARC-Filter");
    assert!(software.contains("mx01.nausch.org 4Fb1"), "{software}");
}

fn value_of(edit: &Edit, wanted: &str) -> Option<String> {
    match edit {
        Edit::Insert { name, value, .. } if name.eq_ignore_ascii_case(wanted.as_bytes()) => {
            let value = String::from_utf8_lossy(value);
            Some(value.split_whitespace().collect::<Vec<_>>().join(" "))
        }
        _ => None,
    }
}

fn serve(folder: &Folder, file: &Path) -> Daemon {
    let mut command = Command::new(executable());
    command
        .arg("serve")
        .arg("--config")
        .arg(file)
        .env("STATE_DIRECTORY", folder.join("store"));
    Daemon::start(&mut command, folder.join("log"))
}
