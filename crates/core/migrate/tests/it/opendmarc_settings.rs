//! opendmarc.conf of four sites, translated into files that our settings read.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use landmarc_migrate::opendmarc::settings::{
    OpenDmarcSite, OpenDmarcTranslation, Parameter, SPELLINGS, read, translate,
};
use landmarc_settings::Settings;
use proptest::prelude::*;

/// The hosts file of the seed.
const HOSTS: &[u8] = b"# hosts that are left alone\nlocalhost\namavis.dmz.nausch.org\n";

fn site(files: &[(&str, &[u8])]) -> OpenDmarcSite {
    let files = files
        .iter()
        .map(|(name, octets)| ((*name).to_owned(), octets.to_vec()));
    OpenDmarcSite {
        file: "/etc/opendmarc.conf".to_owned(),
        host_name: "mx01.example.net".to_owned(),
        files: files.collect::<BTreeMap<_, _>>(),
        unknown_accounts: Vec::new(),
    }
}

/// P35: the service would not start as somebody whom the system does not know.
#[test]
fn p35_a_user_that_is_not_there_is_to_be_looked_at() {
    let told = |unknown: &[&str]| {
        let site = OpenDmarcSite {
            unknown_accounts: unknown.iter().map(|name| (*name).to_owned()).collect(),
            ..site(&[])
        };
        let translation = translated("UserID dmarc:mail\n", &site);
        let line = translation.lines.into_iter().find(|line| line.name == "UserID");
        let line = line.expect("the line is told of");
        (line.needs_a_look, line.notes())
    };
    assert!(!told(&[]).0);
    for name in ["dmarc", "mail"] {
        let (needs_a_look, notes) = told(&[name]);
        assert!(
            needs_a_look && notes.contains(&format!("no \"{name}\"")),
            "{notes}"
        );
    }
}

fn translated(conf: &str, site: &OpenDmarcSite) -> OpenDmarcTranslation {
    let conf = read(conf.as_bytes());
    assert_eq!(conf.broken(), []);
    translate(&conf, site)
}

fn settings_of(translation: &OpenDmarcTranslation) -> Settings {
    match landmarc_settings::read(&translation.toml) {
        Ok((settings, _)) => settings,
        Err(mistakes) => panic!("{}\n{}", mistakes.render("translated"), translation.toml),
    }
}

/// The file, and what is said of each line.
fn golden(translation: &OpenDmarcTranslation) -> String {
    let mut text = translation.toml.clone();
    text.push_str("\n----\n");
    for line in &translation.lines {
        let look = if line.needs_a_look { " (look)" } else { "" };
        let _ = writeln!(text, "{line} -> {}{look}", line.keys.join(", "));
    }
    text
}

#[test]
fn the_full_file_of_the_seed() {
    let site = site(&[("/etc/opendmarc/ignore.hosts", HOSTS)]);
    let translation = translated(include_str!("opendmarc_settings/seed_full.conf"), &site);
    let settings = settings_of(&translation);
    assert_eq!(settings.mode, landmarc_settings::EnforcementMode::Enforce);
    assert_eq!(settings.milter.listen, ["inet:127.0.0.1:10012"]);
    insta::assert_snapshot!(golden(&translation));
}

/// Z2: the listing of what is in force lacks RejectFailures, UMask and SPFSelfValidate.
#[test]
fn the_lines_in_force_of_the_seed() {
    let site = site(&[("/etc/opendmarc/ignore.hosts", HOSTS)]);
    let translation = translated(include_str!("opendmarc_settings/seed_active.conf"), &site);
    assert_eq!(
        settings_of(&translation).mode,
        landmarc_settings::EnforcementMode::Observe
    );
    insta::assert_snapshot!(golden(&translation));
}

#[test]
fn the_file_of_debian() {
    let translation = translated(include_str!("opendmarc_settings/debian.conf"), &site(&[]));
    settings_of(&translation);
    insta::assert_snapshot!(golden(&translation));
}

#[test]
fn a_file_with_every_parameter() {
    let conf = include_str!("opendmarc_settings/everything.conf");
    for spelling in SPELLINGS.iter().filter(|spelling| spelling.now.is_none()) {
        let is_there = conf.lines().any(|line| {
            let name = line.split_ascii_whitespace().next().unwrap_or_default();
            name.eq_ignore_ascii_case(spelling.name)
        });
        assert!(is_there, "{}", spelling.name);
    }
    let site = site(&[
        ("/var/lib/opendmarc/ignore.hosts", b"192.0.2.0/24\n"),
        (
            "/etc/opendmarc/sealers",
            b"arc.example.com # a forwarder\n\nexample.edu\n",
        ),
    ]);
    let translation = translated(conf, &site);
    settings_of(&translation);
    insta::assert_snapshot!(golden(&translation));
}

/// No parameter is passed over in silence, whatever it says: P1 to P42.
#[test]
fn every_parameter_becomes_a_setting_or_is_told_of() {
    for spelling in SPELLINGS {
        for value in [
            "true",
            "false",
            "0",
            "7",
            "-3",
            "HOSTNAME",
            "a@example.net",
            "/a/b",
            "x{y}%s",
            "é\u{7f}",
        ] {
            let line = match spelling.parameter {
                Parameter::Socket => "Socket inet:1@localhost".to_owned(),
                _ => format!("{} {value}", spelling.name),
            };
            let conf = read(line.as_bytes());
            if !conf.broken().is_empty() {
                continue;
            }
            let translation = translate(&conf, &site(&[]));
            settings_of(&translation);
            let told = translation
                .lines
                .iter()
                .all(|line| !line.keys.is_empty() || !line.why.is_empty());
            assert!(
                told && translation.lines.len() == 1,
                "{line}:\n{}",
                translation.toml
            );
            assert!(
                translation.toml.contains("line 1, "),
                "{line}:\n{}",
                translation.toml
            );
        }
    }
}

/// Z6, Z3, P19, P34.
#[test]
fn what_an_operator_should_look_at_is_marked() {
    const NONE: [usize; 0] = [];
    let looks = |conf: &str, files: &[(&str, &[u8])]| {
        let translation = translated(conf, &site(files));
        translation
            .lines
            .iter()
            .filter(|line| line.needs_a_look)
            .map(|line| line.line.unwrap())
            .collect::<Vec<_>>()
    };
    let hosts = "IgnoreHosts /h\n";
    assert_eq!(looks(hosts, &[("/h", b"# localhost\n192.0.2.1\n")]), [1]);
    assert_eq!(looks(hosts, &[("/h", b"192.0.2.1\nLocalhost\n")]), NONE);
    assert_eq!(looks(hosts, &[]), [1]);
    assert_eq!(looks("HistoryFile /var/run/opendmarc/x.dat\n", &[]), [1]);
    assert_eq!(looks("HistoryFile /var/spool/opendmarc/x.dat\n", &[]), NONE);
    assert_eq!(looks("Socket local:/s\nUMask 22\n", &[]), [2]);
    assert_eq!(looks("Socket local:/s\nUMask 022\n", &[]), NONE);
    assert_eq!(looks("Socket inet:8893\n", &[]), [1]);
    assert_eq!(looks("Syslog yes\nSyslog yes\nSyslog no\n", &[]), [1, 2]);
}

/// Each with its line and what can be done.
#[test]
fn twelve_broken_files() {
    let long = format!("Syslog true\nIgnoreMailFrom {}\n", "example.com,".repeat(100));
    let files: [&[u8]; 12] = [
        b"AuthservID mx\nSylog true\n",
        b"Syslog true\nRejectFailure true\n",
        b"# switched on\nSyslog on\n",
        b"AutoRestartCount many\n",
        b"UMask 08\n",
        b"\n\nHistoryFile\n",
        b"RejectString # %s\n",
        b"Socket inet:localhost:8893\n",
        b"AutoRestartRate 10\n",
        b"Include /etc/opendmarc/more.conf\n",
        b"HistoryFile /var/spool/\xfcber.dat\n",
        long.as_bytes(),
    ];
    let mut told = String::new();
    for file in files {
        let conf = read(file);
        assert_eq!(conf.broken().len(), 1);
        for broken in conf.broken() {
            let _ = writeln!(told, "{}: {broken}\n  {}", broken.line, broken.remedy());
        }
    }
    insta::assert_snapshot!(told);
}

/// A line of opendmarc.conf, mostly of known names and odd values.
fn line() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        4 => (0..SPELLINGS.len()).prop_map(|index| SPELLINGS.get(index).map_or("", |known| known.name).to_owned()),
        1 => "\\PC{0,12}",
    ];
    let value = prop_oneof![
        "true",
        "no",
        "-?[0-9]{1,6}",
        "[a-z.,@/:% ]{0,24}",
        "\\PC{0,24}",
        "inet:[0-9]{1,5}(@[a-z\\[\\]:.]{0,9})?"
    ];
    (name, value).prop_map(|(name, value)| format!("{name} {value}"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// What the fuzz target holds to: whatever a file says, what is written is read by our settings, and each
    /// line that counts is told of in it.
    #[test]
    fn whatever_a_file_says_what_is_written_is_read(lines in proptest::collection::vec(line(), 0..8)) {
        let text = lines.join("\n");
        let conf = read(text.as_bytes());
        for broken in conf.broken() {
            prop_assert!(!broken.remedy().is_empty() && !broken.to_string().contains(char::is_control));
        }
        let files: Vec<_> = conf.files().into_iter().map(|path| (path, text.clone().into_bytes())).collect();
        let named: Vec<_> = files.iter().map(|(path, octets)| (path.as_str(), octets.as_slice())).collect();
        let translation = translate(&conf, &site(&named));
        settings_of(&translation);
        for line in &translation.lines {
            prop_assert!(translation.toml.contains(&line.place()), "{:?}\n{}", line, translation.toml);
        }
    }
}
