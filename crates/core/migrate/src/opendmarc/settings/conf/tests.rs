//! Lines of opendmarc.conf, good and broken (C1 to C9).

use super::*;

fn values(text: &str) -> Vec<(&'static str, String)> {
    let conf = read(text.as_bytes());
    assert_eq!(conf.broken(), [], "{text:?}");
    conf.entries
        .into_iter()
        .map(|entry| (entry.name, entry.value))
        .collect()
}

fn wrong(line: &str) -> ConfError {
    let conf = read(line.as_bytes());
    assert!(conf.entries.is_empty(), "{line:?}");
    conf.broken().first().map(|broken| broken.wrong.clone()).unwrap()
}

#[test]
fn c1_a_file_that_says_nothing_is_all_defaults() {
    assert!(read(b"").is_empty());
    assert!(read(b"\n \t\n# a comment\n#\n").is_empty());
}

#[test]
fn c2_a_hash_cuts_the_line_wherever_it_stands() {
    let text = "Socket inet:8893@localhost # the mail server\nAuthservID mx#01\n  #Syslog true\n";
    assert_eq!(
        values(text),
        [
            ("Socket", "inet:8893@localhost".to_owned()),
            ("AuthservID", "mx".to_owned())
        ]
    );
}

#[test]
fn c3_name_blanks_value() {
    for line in [
        "Syslog true",
        "\tsyslog \t true ",
        "SYSLOG  true\r",
        "Syslog true\r\n",
    ] {
        assert_eq!(values(line), [("Syslog", "true".to_owned())], "{line:?}");
    }
    assert_eq!(
        values("RejectString no %s  here"),
        [("RejectString", "no %s  here".to_owned())]
    );
}

#[test]
fn c4_the_first_octet_of_a_truth_value_decides() {
    for (value, flag) in [
        ("TRUE", true),
        ("t", true),
        ("Yes", true),
        ("y", true),
        ("1", true),
        ("1 of many", true),
        ("tomorrow", true),
        ("False", false),
        ("f", false),
        ("No", false),
        ("n", false),
        ("0", false),
        ("none", false),
    ] {
        let conf = read(format!("Syslog {value}").as_bytes());
        assert_eq!(conf.flag(Parameter::Syslog), Some(flag), "{value}");
    }
    for value in ["on", "off", "enabled", "2", "+1"] {
        assert!(
            matches!(wrong(&format!("Syslog {value}")), ConfError::Illegal { .. }),
            "{value}"
        );
    }
}

#[test]
fn c5_numbers_are_read_as_strtol_reads_them() {
    for (value, number) in [
        ("0", 0),
        ("5", 5),
        ("-5", -5),
        ("+7", 7),
        ("007", 7),
        ("0022", 18),
        ("0x1f", 31),
        ("0X1F", 31),
    ] {
        let conf = read(format!("UMask {value}").as_bytes());
        assert_eq!(conf.number(Parameter::UMask), Some(number), "{value}");
    }
    for value in [
        "x",
        "3x",
        "0x",
        "08",
        "--1",
        "0x-1",
        "1 2",
        "99999999999999999999",
    ] {
        assert!(
            matches!(wrong(&format!("UMask {value}")), ConfError::Illegal { .. }),
            "{value}"
        );
    }
}

#[test]
fn c6_all_bad_lines_are_told_and_the_good_ones_are_read() {
    let conf = read(b"Sylog true\nSyslog maybe\nAuthservID mx\nSocket\n\nSyslog yes\n");
    let lines: Vec<_> = conf.broken().iter().map(|broken| broken.line).collect();
    assert_eq!(lines, [1, 2, 4]);
    assert_eq!(conf.flag(Parameter::Syslog), Some(true));
    assert_eq!(conf.text(Parameter::AuthservId), Some("mx"));
}

#[test]
fn c7_a_line_that_opendmarc_would_cut_is_an_error() {
    let name = "AuthservID ";
    let at_limit = format!("{name}{}", "x".repeat(MAX_LINE_OCTETS - name.len()));
    assert_eq!(values(&at_limit).len(), 1);
    assert_eq!(
        wrong(&format!("{at_limit}x")),
        ConfError::TooLong {
            octets: MAX_LINE_OCTETS + 1
        }
    );
    // Its tail would be taken for a line of its own.
    let comment = format!("#{}", "x".repeat(MAX_LINE_OCTETS));
    assert_eq!(
        wrong(&comment),
        ConfError::TooLong {
            octets: MAX_LINE_OCTETS + 1
        }
    );
}

#[test]
fn a_file_that_is_none_is_not_read() {
    let at_limit = vec![b'\n'; MAX_FILE_OCTETS];
    assert!(read(&at_limit).is_empty());
    let past = vec![b'\n'; MAX_FILE_OCTETS + 1];
    assert_eq!(
        read(&past).broken(),
        [ConfMistake {
            line: 0,
            wrong: ConfError::FileTooLong
        }]
    );
}

#[test]
fn c8_the_command_line_counts_more_than_the_file() {
    let mut conf = read(b"Socket inet:1@localhost\nSocket inet:2@localhost\n");
    assert_eq!(conf.text(Parameter::Socket), Some("inet:2@localhost"));
    conf.set(Parameter::Socket, "inet:3@localhost").unwrap();
    assert_eq!(conf.text(Parameter::Socket), Some("inet:3@localhost"));
    let without_effect: Vec<_> = crate::opendmarc::settings::translate(&conf, &Default::default())
        .lines
        .into_iter()
        .filter(|line| line.keys.is_empty())
        .map(|line| (line.line, line.needs_a_look))
        .collect();
    assert_eq!(without_effect, [(Some(1), false), (Some(2), false)]);
}

#[test]
fn p26_what_is_no_socket_is_told_at_its_line() {
    let conf = read(b"Syslog x\nSocket run/a.sock\nAuthservID\n");
    let lines: Vec<_> = conf.broken().iter().map(|broken| broken.line).collect();
    assert_eq!(lines, [1, 2, 3]);
    // It is told of once.
    assert_eq!(conf.missing(), None);
    // Another line that is broken does not stand for it.
    for text in [&b"Syslog yes\n"[..], b"Syslog on\n", b"Odd yes\n"] {
        assert_eq!(
            read(text).missing().map(|broken| (broken.line, broken.wrong)),
            Some((0, ConfError::NoSocket))
        );
    }
    let mut conf = read(b"Socket run/a.sock\nBaseDirectory /var\n");
    assert_eq!((conf.broken(), conf.missing()), (&[][..], None));
    assert!(conf.set(Parameter::Socket, "inet:x").is_err());
    assert!(conf.set(Parameter::Syslog, "on").is_err());
    assert_eq!(conf.text(Parameter::Socket), Some("run/a.sock"));
}

#[test]
fn comments_may_be_in_any_encoding_values_may_not() {
    assert!(read(b"# f\xfcr alle\n").is_empty());
    assert!(read(b"Syslog true # f\xfcr alle\n").broken().is_empty());
    assert_eq!(
        read(b"HistoryFile /\xfcber\n")
            .broken()
            .first()
            .map(|broken| broken.wrong.clone()),
        Some(ConfError::NotUtf8 {
            start: "HistoryFile /".to_owned()
        })
    );
}

#[test]
fn p7_paths_are_relative_to_the_base_directory() {
    let conf = read(b"BaseDirectory /var/lib/x/\nHistoryFile h.dat\nPidFile /run/p\n");
    assert_eq!(
        conf.path(Parameter::HistoryFile).as_deref(),
        Some("/var/lib/x/h.dat")
    );
    assert_eq!(conf.path(Parameter::PidFile).as_deref(), Some("/run/p"));
}
