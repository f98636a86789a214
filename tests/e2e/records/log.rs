//! `landmarc log`: tables, JSON and CSV, and what the filters let through.

use landmarc_observation::Observation;

use super::{Book, HOUR, failed, now_ms, skipped, varied};

#[test]
fn the_log_is_a_table_newest_last() {
    let book = Book::new("log-table", varied().into_iter().chain([skipped()]));
    insta::assert_snapshot!(book.said(&["log"]), @r#"
    at                    queue_id    id            client        author_domain          spf   dkim  dmarc      policy  disposition  enforced_action  rule      cause
    2026-06-01T00:00:00Z  4ZQ0000000  message0      192.0.2.7     example.com            fail  none  pass       reject  pass         reject           -         SPF forbids 192.0.2.7, and nothing is signed
    2026-06-01T01:00:00Z  4ZQ0000001  message1      192.0.2.8     a.example.com          fail  none  fail       reject  quarantine   reject           partners  SPF forbids 192.0.2.7, and nothing is signed
    2026-06-01T02:00:00Z  4ZQ0000002  message2      198.51.100.1  notexample.com         fail  none  fail       reject  reject       reject           -         SPF forbids 192.0.2.7, and nothing is signed
    2026-06-01T03:00:00Z  4ZQ0000003  message3      192.0.2.7     xn--bcher-kva.example  fail  none  temperror  reject  none         reject           partners  SPF forbids 192.0.2.7, and nothing is signed
    2026-06-03T00:00:00Z  -           0n2v5x8k4q1n  -             -                      none  none  none       -       none         accept           -         -
    "#);
}

#[test]
fn the_log_is_json_a_line_for_each_message() {
    let book = Book::new("log-json", [failed(), skipped()]);
    insta::assert_snapshot!(book.said(&["log", "--json"]), @r#"
    {"at":"2026-06-01T00:00:00.005Z","queue_id":"4ZQ0000001","id":"0n2v5x8k4q1m","client":"192.0.2.7","author_domain":"mail.example.com","spf":"fail","dkim":"none","arc":"none","dmarc":"fail","policy_domain":"example.com","policy":"reject","disposition":"none","overrides":[{"type":"local_policy","comment":"observing"}],"rule":null,"questions":6,"ms":38,"action":"accept","enforced_action":"reject","cause":"SPF forbids 192.0.2.7, and nothing is signed"}
    {"at":"2026-06-03T00:00:00.000Z","queue_id":null,"id":"0n2v5x8k4q1n","client":null,"author_domain":null,"spf":"none","dkim":"none","arc":"none","dmarc":"none","policy_domain":null,"policy":null,"disposition":"none","overrides":[],"rule":null,"questions":0,"ms":0,"action":"accept","enforced_action":"accept","cause":null}
    "#);
}

#[test]
fn the_log_is_csv_and_no_cell_is_a_formula() {
    let hostile = Observation {
        queue_id: "=HYPERLINK(\"http://attacker.example\")".to_owned(),
        rule: Some("+rule, with a comma".to_owned()),
        cause: "-2+3\nsecond line".to_owned(),
        overrides: vec![("@other".to_owned(), "say \"so\"".to_owned())],
        ..failed()
    };
    let book = Book::new("log-csv", [failed(), hostile, skipped()]);
    let csv = book.said(&["log", "--csv"]);
    assert!(csv.ends_with("\r\n"));
    insta::assert_snapshot!(csv.replace("\r\n", "⏎\n"), @r#"
    at,queue_id,id,client,author_domain,spf,dkim,arc,dmarc,policy_domain,policy,disposition,override,rule,questions,ms,action,enforced_action,cause⏎
    2026-06-01T00:00:00.005Z,4ZQ0000001,0n2v5x8k4q1m,192.0.2.7,mail.example.com,fail,none,none,fail,example.com,reject,none,local_policy: observing,,6,38,accept,reject,"SPF forbids 192.0.2.7, and nothing is signed"⏎
    2026-06-01T00:00:00.005Z,"'=HYPERLINK(""http://attacker.example"")",0n2v5x8k4q1m,192.0.2.7,mail.example.com,fail,none,none,fail,example.com,reject,none,"'@other: say ""so""","'+rule, with a comma",6,38,accept,reject,"'-2+3
    second line"⏎
    2026-06-03T00:00:00.000Z,,0n2v5x8k4q1n,,,none,none,none,none,,,none,,,0,0,accept,accept,⏎
    "#);
}

#[test]
fn what_a_stranger_wrote_does_not_steer_the_terminal() {
    let hostile = Observation {
        queue_id: "\u{1b}]0;owned\u{7}".to_owned(),
        cause: "two\nlines \u{202e}and back".to_owned(),
        trace: "an explanation\u{1b}[2J\n".into(),
        ..failed()
    };
    let book = Book::new("log-hostile", [hostile]);
    let table = book.said(&["log"]);
    assert_eq!(table.lines().count(), 2, "{table}");
    let explanation = book.said(&["explain", "0n2v5x8k4q1m"]);
    assert!(
        explanation.ends_with("an explanation\\u{1b}[2J\n"),
        "{explanation}"
    );
    for text in [table, explanation] {
        assert!(!text.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{text:?}");
    }
}

#[test]
fn each_filter_lets_through_what_it_says() {
    let book = Book::new("log-filters", varied());
    let numbers = |options: &[&str]| {
        // That nothing fits is said on standard error.
        let found = book.run(&[&["log", "--json"], options].concat()).stdout;
        let id = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["id"].clone();
        let ids: Vec<_> = found
            .lines()
            .map(|line| id(line).as_str().unwrap().to_owned())
            .collect();
        ids.iter()
            .map(|id| id.trim_start_matches("message").to_owned())
            .collect::<String>()
    };
    for (options, expected) in [
        (&[][..], "0123"),
        (&["--domain", "example.com"], "01"),
        (&["--domain", "Example.COM."], "01"),
        (&["--domain", "a.example.com"], "1"),
        (&["--domain", "com"], "012"),
        (&["--domain", "bücher.example"], "3"),
        (&["--result", "fail"], "12"),
        (&["--result", "temperror"], "3"),
        (&["--disposition", "pass"], "0"),
        (&["--disposition", "none"], "3"),
        (&["--result", "fail", "--disposition", "reject"], "2"),
        (&["--enforced-action", "reject"], "0123"),
        (&["--enforced-action", "quarantine"], ""),
        (&["--enforced-action", "reject", "--limit", "2"], "23"),
        (&["--action", "accept", "--result", "fail"], "12"),
        (&["--action", "tempfail"], ""),
        (&["--rule", "partners"], "13"),
        (&["--rule", "partners", "--limit", "1"], "3"),
        (&["--rule", "partner"], ""),
        (&["--client", "192.0.2.7"], "03"),
        (&["--client", "::ffff:192.0.2.7"], "03"),
        (&["--client", "192.0.2.0/24"], "013"),
        (&["--client", "192.0.2.0/29"], "03"),
        (&["--client", "0.0.0.0/0"], "0123"),
        (&["--since", "2026-06-01T01:00:00Z"], "123"),
        (&["--since", "2026-06-01T01:00:00.001Z"], "23"),
        (&["--since", "2026-06-01T04:00+02:00"], "23"),
        (&["--since", "2026-06-01"], "0123"),
        (&["--until", "2026-06-01T02:00:00Z"], "01"),
        (&["--until", "2026-06-01"], "0123"),
        (
            &["--since", "2026-06-01 01:00", "--until", "2026-06-01 03:00"],
            "12",
        ),
        (&["--limit", "1"], "3"),
        (&["--limit", "3"], "123"),
        (&["--limit", "100000"], "0123"),
        (&["--domain", "com", "--limit", "2"], "12"),
    ] {
        assert_eq!(numbers(options), expected, "{options:?}");
    }
}

#[test]
fn a_span_is_counted_back_from_now() {
    let now = now_ms();
    let at = |hours: u64, id: &str| Observation {
        at_ms: now - hours * HOUR,
        id: id.to_owned(),
        ..failed()
    };
    let book = Book::new("log-spans", [at(50, "old"), at(5, "today"), at(0, "new")]);
    assert_eq!(book.ids(&["--since", "2d"]), ["today", "new"]);
    assert_eq!(book.ids(&["--since", "30m"]), ["new"]);
    assert_eq!(book.ids(&["--since", "1w", "--until", "2h"]), ["old", "today"]);
    // Wherever in the day this is: what was 50 hours ago was before yesterday.
    assert_eq!(book.ids(&["--since", "yesterday"]), ["today", "new"]);
    assert_eq!(book.ids(&["--until", "today"]), ["old", "today", "new"]);
}

#[test]
fn no_message_that_fits_is_no_error() {
    let book = Book::new("log-empty", varied());
    let (table, json, csv) = (
        book.run(&["log", "--domain", "absent.example"]),
        book.run(&["log", "--domain", "absent.example", "--json"]),
        book.run(&["log", "--domain", "absent.example", "--csv"]),
    );
    let said = format!("landmarc: no message that fits is recorded in {}\n", book.store());
    for ran in [&table, &json, &csv] {
        assert_eq!((ran.code, &ran.stderr), (0, &said));
    }
    assert_eq!((table.stdout.as_str(), json.stdout.as_str()), ("", ""));
    assert_eq!(csv.stdout.lines().count(), 1);
    let fresh = Book::new("log-fresh", []);
    let ran = fresh.run(&["log"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""));
    assert_eq!(
        ran.stderr,
        format!("landmarc: no message is recorded in {}\n", fresh.store())
    );
}

#[test]
fn wrong_words_are_refused_with_a_suggestion() {
    let book = Book::new("log-wrong", []);
    for (options, reason) in [
        (&["--result", "fial"][..], "a similar value exists: 'fail'"),
        (
            &["--disposition", "quarantined"],
            "a similar value exists: 'quarantine'",
        ),
        (&["--domain", "a..b"], "a label is empty"),
        (&["--client", "192.0.2.7/24"], "did you mean \"192.0.2.0/24\"?"),
        (&["--since", "tomorrow"], "a span before now (30m, 2h, 3d)"),
        (&["--since", "1h", "--until", "2h"], "no message can fit"),
        (&["--limit", "0"], "0 is not in 1..=100000"),
        (&["--limit", "100001"], "100001 is not in 1..=100000"),
        (&["--json", "--csv"], "cannot be used with"),
    ] {
        let ran = book.run(&[&["log"], options].concat());
        assert_eq!((ran.code, ran.stdout.as_str()), (64, ""), "{options:?}");
        assert!(ran.stderr.contains(reason), "{}", ran.stderr);
    }
}
