//! `landmarc explain`: one message, by either of its ids.

use landmarc_observation::Observation;

use super::{Book, DAY, ID_MARK, JUNE, failed, skipped};

#[test]
fn a_message_is_explained_by_either_id() {
    let book = Book::new("explain", [failed(), skipped()]);
    let text = book.said(&["explain", "4ZQ0000001"]);
    insta::assert_snapshot!(text, @r#"
    at               2026-06-01T00:00:00.005Z
    queue_id         4ZQ0000001
    id               0n2v5x8k4q1m
    client           192.0.2.7
    author_domain    mail.example.com
    spf              fail
    dkim             none
    arc              none
    dmarc            fail
    policy_domain    example.com
    policy           reject
    disposition      none
    action           accept
    enforced_action  reject
    override         local_policy: observing
    cause            SPF forbids 192.0.2.7, and nothing is signed
    questions        6
    ms               38

    dmarc=fail for mail.example.com
      results: id=0n2v5x8k4q1m; dmarc=fail
    "#);
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

#[test]
fn a_message_is_explained_as_json() {
    let book = Book::new("explain-json", [failed(), skipped()]);
    let object = |id: &str| book.run(&["explain", "--json", id]).json();
    insta::assert_snapshot!(serde_json::to_string_pretty(&object("4ZQ0000001")).unwrap(), @r#"
    {
      "at": "2026-06-01T00:00:00.005Z",
      "queue_id": "4ZQ0000001",
      "id": "0n2v5x8k4q1m",
      "client": "192.0.2.7",
      "author_domain": "mail.example.com",
      "spf": "fail",
      "dkim": "none",
      "arc": "none",
      "dmarc": "fail",
      "policy_domain": "example.com",
      "policy": "reject",
      "disposition": "none",
      "overrides": [
        {
          "type": "local_policy",
          "comment": "observing"
        }
      ],
      "rule": null,
      "questions": 6,
      "ms": 38,
      "action": "accept",
      "enforced_action": "reject",
      "cause": "SPF forbids 192.0.2.7, and nothing is signed",
      "trace": "dmarc=fail for mail.example.com\n  results: id=0n2v5x8k4q1m; dmarc=fail\n"
    }
    "#);
    let full = object("4ZQ0000001");
    let bare = object("0n2v5x8k4q1n");
    let keys = |value: &serde_json::Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&full), keys(&bare));
    for key in [
        "queue_id",
        "client",
        "author_domain",
        "policy_domain",
        "policy",
        "rule",
        "cause",
        "trace",
    ] {
        assert!(bare[key].is_null(), "{key}: {bare}");
    }
}

#[test]
fn a_message_without_a_story_says_so() {
    let book = Book::new("explain-bare", [skipped()]);
    insta::assert_snapshot!(book.said(&["explain", "0n2v5x8k4q1n"]), @r#"
    at               2026-06-03T00:00:00.000Z
    queue_id         -
    id               0n2v5x8k4q1n
    client           -
    author_domain    -
    spf              none
    dkim             none
    arc              none
    dmarc            none
    policy_domain    -
    policy           -
    disposition      none
    action           accept
    questions        0
    ms               0

    There is no explanation of this message: it was recorded without one, or that was given up when the
    store could not be written and memory ran short. What is above was kept.
    "#);
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
    let text = book.said(&["explain", "4ZQ0000001"]);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.first(), Some(&"message 1 of 2"));
    assert!(lines.contains(&"message 2 of 2"), "{text}");
    assert!(
        text.contains("id=0n2v5x8k4q1m; dmarc=fail")
            && text.ends_with("another explanation, of 0n3v5x8k4q1m\n")
    );
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
    assert!(
        printed.starts_with("landmarc: nothing is recorded under \"4ZQ9999999\" or \"4ZQ8888888\" in "),
        "{printed}"
    );
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
    assert!(
        ran.stderr.contains("messages are kept for 3 days"),
        "{}",
        ran.stderr
    );

    for nothing in ["", "<>", "id="] {
        let ran = book.run(&["explain", nothing]);
        assert_eq!((ran.code, ran.stdout.as_str()), (64, ""), "{nothing:?}");
        assert!(ran.stderr.contains("is no id"), "{}", ran.stderr);
    }
}
