//! Files of settings, whole and broken.

use proptest::prelude::*;

use super::*;
use crate::mail_dmarc::MAX_FILE;

/// What an operator has who has filled in the sample file.
const SITE: &str = include_str!("tests/site.ini");

fn read(file: &str) -> MailDmarcTranslation {
    translate(file.as_bytes()).unwrap_or_else(|mistakes| panic!("{mistakes:?}"))
}

/// Each mistake with its remedy, as a command prints them.
fn refused(file: &[u8]) -> String {
    let mistakes = translate(file).expect_err("it is broken");
    let lines = mistakes
        .iter()
        .map(|mistake| format!("{mistake}\n  {}\n", mistake.remedy()));
    lines.collect()
}

/// Q16: every key that is in force is a setting of ours, in a file that our own reader takes.
#[test]
fn a_site_is_translated() {
    let translation = read(SITE);
    let (settings, warnings) = landmarc_settings::read(&translation.settings)
        .unwrap_or_else(|error| panic!("{}", error.render("made")));
    assert_eq!(warnings, []);
    assert_eq!(
        settings.report.organization.as_deref(),
        Some("Example \"Post\" Organization")
    );
    insta::assert_snapshot!(translation.settings);
    assert_eq!(
        translation.database.unwrap().unwrap().to_string(),
        "mysql://dmarc@db.example.org:3306/dmarc_report"
    );
    assert_eq!(translation.whitelist.as_deref(), Some("/etc/dmarc_whitelist"));
}

#[test]
fn no_password_is_in_the_settings_or_in_what_is_told() {
    let translation = read(SITE);
    let told = format!("{translation:?}");
    assert!(
        !told.contains("hunter2") && !told.contains("opensesame"),
        "{told}"
    );
}

/// Nobody has decided on these values: least of all on mail that strangers get from example.com.
#[test]
fn the_sample_file_as_it_comes_switches_nothing_on() {
    let file = include_str!("tests/sample.ini");
    let (settings, _) = landmarc_settings::read(&read(file).settings).unwrap();
    assert_eq!(settings.report, landmarc_settings::Settings::default().report);
}

/// Q16: each key of the list has a line, as a setting or with the reason why it has none.
#[test]
fn every_key_is_answered_for() {
    for key in crate::mail_dmarc::keys::KEYS {
        let file = format!("[{}]\n{} = x\n", key.section, key.name);
        let told = match translate(file.as_bytes()) {
            Ok(translation) => !translation.notes.is_empty() || translation.settings.contains(" = \"x"),
            Err(mistakes) => mistakes.iter().all(|mistake| mistake.line == 2),
        };
        // User and password of a database say nothing without its name, a signer's domain nothing without a key.
        let is_part = matches!(
            (key.section, key.name),
            ("report_store", "user" | "pass") | ("report_sign", "domain" | "selector")
        );
        assert!(told || is_part, "[{}] {}", key.section, key.name);
    }
}

#[test]
fn a_key_that_mail_dmarc_ignores_is_no_mistake() {
    let translation = read("[smtp]\nsmarthsot = mail.example.org\n[own]\nkey = 1\n");
    let told: Vec<_> = translation
        .notes
        .iter()
        .map(|note| (note.line, &*note.key))
        .collect();
    assert_eq!(told, [(2, "[smtp] smarthsot"), (4, "[own] key")]);
}

#[test]
fn of_two_lines_the_last_one_counts() {
    let translation = read("[organization]\norg_name = One\n[dns]\n[organization]\norg_name = Two\n");
    assert!(
        translation
            .settings
            .contains("# line 5: [organization] org_name\norganization = \"Two\"\n")
    );
    assert_eq!(translation.notes.len(), 1);
    assert_eq!(translation.notes.first().map(|note| note.line), Some(2));
}

#[test]
fn the_ways_to_a_smart_host() {
    let relay = |lines: &str| {
        let (settings, _) = landmarc_settings::read(&read(&format!("[smtp]\n{lines}")).settings).unwrap();
        let delivery = settings.report.delivery;
        format!("{} {:?}", delivery.relay, delivery.tls)
    };
    assert_eq!(relay("smarthost = mx.example.org"), "mx.example.org:587 Required");
    assert_eq!(
        relay("smarthost = 2001:db8::1\nsmartport = 465\nsmartssl = ssl"),
        "[2001:db8::1]:465 Implicit"
    );
    assert_eq!(
        relay("smarthost = 192.0.2.1\nsmartport = 25\nsmartssl = maybestarttls"),
        "192.0.2.1:25 Opportunistic"
    );
    assert_eq!(
        relay("smarthost = localhost\nsmartport = 25\nsmartssl = 0"),
        "localhost:25 None"
    );
}

#[test]
fn a_timeout_past_the_longest_is_cut() {
    for (seconds, taken) in [("60", "60s"), ("61", "60s"), ("1", "1s")] {
        let settings = read(&format!("[dns]\ntimeout = {seconds}\n")).settings;
        assert!(
            settings.contains(&format!("question_timeout = \"{taken}\"")),
            "{settings}"
        );
    }
    assert!(!read("[dns]\ntimeout = 0\n").settings.contains("question_timeout"));
}

/// Ten broken files, each with its line and a remedy.
#[test]
fn broken_files() {
    let long = format!("[smtp]\ncc = {}\n", "a".repeat(9000));
    let files: [(&str, &[u8]); 12] = [
        ("no equals sign", b"[smtp]\nhostname mail.example.org\n"),
        ("an open section", b"[organization\nemail = a@example.org\n"),
        ("a section without a name", b"[ ]\nemail = a@example.org\n"),
        (
            "a key before the first section",
            b"email = a@example.org\n[dns]\n",
        ),
        ("Latin-1", b"[organization]\norg_name = Gro\xdfe Firma\n"),
        ("a NUL", b"[organization]\norg_name = A\0B\n"),
        (
            "no address",
            b"[organization]\n; who we are\nemail = reports at example.org\n",
        ),
        ("no domain name", b"[organization]\ndomain = example..org\n"),
        ("a timeout in words", b"[dns]\ntimeout = five\n"),
        (
            "ports, and a way that is none",
            b"[smtp]\nsmarthost = a.example\nsmartport = 70000\n",
        ),
        (
            "halves",
            b"[smtp]\nsmartuser = a\nsmartpass = b\n[report_sign]\nkeyfile = /etc/key.pem\n",
        ),
        ("a long line", long.as_bytes()),
    ];
    let told = files.map(|(name, file)| format!("{name}:\n{}", refused(file)));
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn a_file_of_another_kind_is_refused_shortly() {
    let told = refused("<html>\n".repeat(5000).as_bytes());
    assert!(
        told.lines().count() <= 2 * 101 && told.contains("4900 more"),
        "{told}"
    );
    assert!(refused(&vec![b'#'; MAX_FILE + 1]).starts_with("the file has 262145 octets"));
}

proptest! {
    #[test]
    fn whatever_the_file_says_what_comes_out_is_read(octets in prop::collection::vec(any::<u8>(), 0..200)) {
        check(&octets);
    }

    #[test]
    fn whatever_a_value_says_what_comes_out_is_read(
        key in prop::sample::select(crate::mail_dmarc::keys::KEYS),
        value in "[ -~é]{0,40}",
    ) {
        check(format!("[{}]\n{} = {value}\n", key.section, key.name).as_bytes());
    }
}

fn check(file: &[u8]) {
    match translate(file) {
        // Our own reader may refuse a value that Mail::DMARC takes; it never fails to understand the file.
        Ok(translation) => {
            if let Err(mistakes) = landmarc_settings::read(&translation.settings) {
                let broken = mistakes
                    .0
                    .iter()
                    .any(|one| matches!(one.wrong, landmarc_settings::MistakeKind::Syntax { .. }));
                assert!(!broken, "{}", mistakes.render("made"));
            }
        }
        Err(mistakes) => assert!(!mistakes.is_empty()),
    }
}
