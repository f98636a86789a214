//! Answers as clients of rspamd read them.

use landmarc_milter::{Edit, Response, Verdict};

use super::*;
use landmarc_dmarc::record::AssessmentPolicy;
use landmarc_receiver::rule::ResultWord;

fn read(fields: &[(&str, &str)]) -> Caller {
    let mut envelope = Envelope::new(Peer::Unix);
    for (name, value) in fields {
        envelope.take(name, value.as_bytes());
    }
    envelope.into_caller()
}

#[test]
fn the_envelope_of_rspamc() {
    let caller = read(&[
        ("Ip", "192.0.2.1"),
        ("Helo", "mx"),
        ("From", "a@example.com"),
        ("Hostname", "h.example"),
        ("Rcpt", "b@x"),
        ("Rcpt", " <c@y> "),
        ("User", "user"),
        ("Queue-Id", "4Fb1"),
        ("MTA-Name", "mail.example.net"),
        ("Deliver-To", "d@z"),
        ("Flags", "pass_all,body_block"),
        ("Pass", "all"),
    ]);
    let expected = Caller {
        peer: Peer::Unix,
        client: PeerAddress::Ip("192.0.2.1".parse().unwrap(), 0),
        client_name: Some("h.example".to_owned()),
        client_name_is_verified: false,
        helo: b"mx".to_vec(),
        mail_from: b"a@example.com".to_vec(),
        rcpt_to: vec![b"b@x".to_vec(), b"<c@y>".to_vec()],
        authenticated: Some("user".to_owned()),
        queue_id: Some("4Fb1".to_owned()),
        mta_name: Some("mail.example.net".to_owned()),
        ..Caller::default()
    };
    assert_eq!(caller, expected);
}

#[test]
fn an_address_that_is_none_is_not_known() {
    for ip in ["", "unknown", "192.0.2.256"] {
        assert_eq!(read(&[("IP", ip)]).client, PeerAddress::Unknown);
    }
}

#[test]
fn recipients_may_come_in_one_list() {
    for (list, expected) in [
        ("a@x", &["a@x"][..]),
        ("a@x, <b@y>,,c@z,", &["a@x", "<b@y>", "c@z"]),
        (r#""a,b"@x, c@y"#, &[r#""a,b"@x"#, "c@y"]),
        (r#""a\",b"@x,c@y"#, &[r#""a\",b"@x"#, "c@y"]),
        ("", &[]),
        (r#""a,b@x"#, &[r#""a,b@x"#]),
    ] {
        assert_eq!(
            read(&[("Rcpt", list)]).rcpt_to,
            expected.iter().map(|path| path.as_bytes()).collect::<Vec<_>>()
        );
    }
}

fn insert(name: &str, value: &str) -> Edit {
    Edit::InsertHeader {
        index: 0,
        name: name.to_owned(),
        value: value.to_owned(),
    }
}

fn delete(nth: u32) -> Edit {
    Edit::DeleteHeader {
        name: "Authentication-Results".to_owned(),
        nth,
    }
}

fn failed(action: ActionWord) -> Findings {
    Findings {
        author_domain: Some("example.com".to_owned()),
        dmarc: ResultWord::Fail,
        policy: Some(AssessmentPolicy::Reject),
        action,
        cause: "SPF fail".to_owned(),
        json: json!({"id": "x"}),
        ..Findings::default()
    }
}

#[test]
fn an_answer_that_marks() {
    let answer = MessageAnswer {
        response: Response {
            edits: vec![
                delete(1),
                delete(3),
                insert("DMARC-Quarantine", "why"),
                insert("Authentication-Results", "mx; dmarc=fail"),
            ],
            verdict: Verdict::Accept,
        },
        findings: Some(failed(ActionWord::Quarantine)),
    };
    let object = object(&answer, Duration::from_millis(250));
    insta::assert_snapshot!(serde_json::to_string_pretty(&object).unwrap());
}

#[test]
fn an_answer_that_refuses_says_what_to_say() {
    let answer = MessageAnswer {
        response: Response {
            edits: vec![delete(1)],
            verdict: Verdict::Reply {
                code: 550,
                enhanced: "5.7.1".to_owned(),
                text: "no".to_owned(),
            },
        },
        findings: Some(failed(ActionWord::Reject)),
    };
    let object = object(&answer, Duration::ZERO);
    assert_eq!(object["action"], "reject");
    assert_eq!(object["score"], 15.0);
    assert_eq!(object["messages"]["smtp_message"], "550 5.7.1 no");
    assert_eq!(object["milter"], json!({}));
}

#[test]
fn after_a_bug_it_is_a_soft_reject() {
    let object = object(&MessageAnswer::tempfail(), Duration::ZERO);
    assert_eq!(object["action"], "soft reject");
    assert_eq!(object["landmarc"], Value::Null);
    assert_eq!(object["messages"]["smtp_message"], "451 4.7.1 try again later");
}
