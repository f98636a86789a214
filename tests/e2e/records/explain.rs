//! `landmarc explain`: one message, by either of its ids.

use landmarc_observation::Observation;

use super::{Book, DAY, ID_MARK, JUNE, failed, skipped};

#[test]
fn a_message_is_explained_by_either_id() {
    let book = Book::new("explain", [failed(), skipped()]);
    let text = book.said(&["explain", "4ZQ0000001"]);
    assert!(text.ends_with("id=0n2v5x8k4q1m; dmarc=fail\n"), "{text}");
    assert_eq!(book.said(&["explain", "0n2v5x8k4q1m"]), text);

    // As it is pasted from a log, a reply, a header field, or typed from a screen.
    for pasted in [
        "<4ZQ0000001>",
        "4ZQ0000001:",
        "queue_id=4ZQ0000001",
        "(id=0n2v5x8k4q1m).",
        "ON2V5X8K4QIM",
        "550 5.7.1 refused by the policy of example.com (id=0n2v5x8k4q1m)",
        "550 5.7.1 Email rejected per DMARC policy for example.com: no signature (0n2v5x8k4q1m)",
        "Nov 20 18:59:35 mx postfix/cleanup[19237]: 4ZQ0000001: milter-hold: END-OF-MESSAGE from mx[192.0.2.7]",
        "Nov 20 18:59:36 mx postfix/smtp[19240]: 4ZQ0000001: to=<b@example.net>, dsn=2.0.0, status=sent",
        "250 2.0.0 Ok: queued as 4ZQ0000001",
        "Nov 20 18:59:36 other postfix/smtp[7]: 2DB0EC92349: to=<b@mail.example.com>, status=sent (250 2.0.0 Ok: \
         queued as 4ZQ0000001)",
        "4zq0000001",
    ] {
        assert_eq!(book.said(&["explain", pasted]), text, "{pasted}");
    }
}

/// MTAs use their queue ids again.
#[test]
fn messages_with_one_queue_id_are_all_told_oldest_first() {
    let later = Observation {
        at_ms: JUNE + DAY,
        id: "0n3v5x8k4q1m".to_owned(),
        trace: format!("another explanation, of {ID_MARK}\n").into(),
        ..failed()
    };
    let book = Book::new("explain-several", [failed(), later]);
    let json = book.said(&["explain", "--json", "4ZQ0000001"]);
    let times: Vec<_> = json.lines().map(|line| line.split(',').next().unwrap()).collect();
    assert_eq!(
        times,
        [
            "{\"at\":\"2026-06-01T00:00:00.005Z\"",
            "{\"at\":\"2026-06-02T00:00:00.000Z\""
        ]
    );
}

#[test]
fn an_id_that_nobody_has_could_not_be_found_out() {
    let book = Book::new("explain-unknown", [failed()]);
    let ran = book.run(&["explain", "4ZQ9999999"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""));
    insta::assert_snapshot!(ran.stderr.replace(&book.store(), "FILE"), @r#"
    landmarc: nothing is recorded under "4ZQ9999999" in FILE
      ids look like 0n2v5x8k4q1m (12 characters, in SMTP replies and logs), or as the mail server writes them
      messages are kept for the days of store.observation_days
      each host records its own messages: ask the one that took this one, or read a backup with --store
      what is not judged is not recorded: its line in the log has skipped= with the reason
      nor is mail that came while the filter was down, or past it: then the log has no line of it at all
      a record may still wait in memory for a store that cannot be written: /readyz tells (web.listen)
    "#);
    // Of a whole line, all that was tried.
    let line = "Nov 20 18:59:35 mx postfix/qmgr[7]: 4ZQ9999999: removed after 4ZQ8888888";
    let printed = book.run(&["explain", line]).stderr;
    assert!(printed.contains("\"4ZQ9999999\" or \"4ZQ8888888\""), "{printed}");
    let json = book.run(&["explain", "--json", "4ZQ9999999"]);
    assert_eq!(
        (json.code, json.stdout.as_str(), &json.stderr),
        (2, "", &ran.stderr)
    );

    // With settings it is said how long messages are kept here.
    let config = book
        .folder
        .write("landmarc.toml", "[store]\nobservation_days = 3\n");
    let ran = book.run(&["explain", "4ZQ9999999", "--config", &config.display().to_string()]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("for 3 days"), "{}", ran.stderr);

    for nothing in ["", "<>", "id="] {
        let ran = book.run(&["explain", nothing]);
        assert_eq!((ran.code, ran.stdout.as_str()), (64, ""), "{nothing:?}");
        assert!(ran.stderr.contains("is no id"), "{}", ran.stderr);
    }
}
