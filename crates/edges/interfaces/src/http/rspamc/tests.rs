//! Requests as Exim writes them, and such as it does not.

use landmarc_milter::{PeerAddress, Response, Verdict};
use tokio::io::{AsyncReadExt, duplex};

use super::*;
use crate::drive::DriveLimits;
use crate::findings::{ActionWord, Findings};
use crate::scripted::Scripted;
use landmarc_dmarc::record::AssessmentPolicy;
use landmarc_receiver::rule::ResultWord;

/// What Exim 4.96 sends.
const EXIM: &str = "CHECK RSPAMC/1.3\r\nContent-length: 20\r\nQueue-Id: 1abcde-000123-4F\r\n\
    From: <a@example.com>\r\nRecipient-Number: 2\r\nRcpt: <b@example.net>\r\nRcpt: <c@example.net>\r\n\
    Helo: helo.example\r\nHostname: mx.example\r\nIP: 192.0.2.7\r\nUser: user\r\n\r\n";

/// The lines before the empty one.
fn read(text: &str) -> Result<Head, HeadError> {
    let mut lines = text.lines().map(str::as_bytes);
    let mut head = Head::begin(lines.next().unwrap_or_default(), Peer::Unix)?;
    for (line, number) in lines.take_while(|line| !line.is_empty()).zip(2..) {
        head.take(number, line)?;
    }
    Ok(head)
}

#[test]
fn the_envelope_of_exim() {
    let head = read(EXIM).unwrap();
    assert_eq!((head.command, head.length), (Command::Check, Some(20)));
    let caller = head.envelope.into_caller();
    assert_eq!(caller.client, PeerAddress::Ip("192.0.2.7".parse().unwrap(), 0));
    assert_eq!(caller.queue_id.as_deref(), Some("1abcde-000123-4F"));
    assert_eq!(caller.mail_from, b"<a@example.com>");
    assert_eq!(caller.rcpt_to, [b"<b@example.net>", b"<c@example.net>"]);
    assert_eq!(caller.helo, b"helo.example");
    assert_eq!(caller.client_name.as_deref(), Some("mx.example"));
    assert_eq!(caller.authenticated.as_deref(), Some("user"));
}

#[test]
fn what_is_no_request_is_refused_with_its_line() {
    let error = |text: &str| read(text).unwrap_err().to_string();
    let no_command = "the first line is no command of CHECK, SYMBOLS and PING";
    for text in ["", "PROCESS RSPAMC/1.3\r\n\r\n", "check RSPAMC/1.3\r\n\r\n"] {
        assert_eq!(error(text), no_command, "{text}");
    }
    insta::assert_snapshot!(error("CHECK RSPAMC/1.3\r\nIP: x\r\nodd\r\n\r\n"), @"line 3 is no header field");
    for length in ["", "x", "-1", "+1", "18446744073709551616"] {
        let text = format!("CHECK RSPAMC/1.3\r\nContent-Length: {length}\r\n\r\n");
        assert_eq!(error(&text), "Content-Length is no number", "{length}");
    }
}

/// What a client reads that sends this in pieces, and then waits or is gone.
async fn asked(scripted: &Scripted, secret: Option<&[u8]>, request: &[u8], ends: bool) -> String {
    let (mut ours, mut theirs) = duplex(64 * 1024);
    let limits = DriveLimits {
        message_octets: 100,
        ..DriveLimits::default()
    };
    let site = CheckApiService::new(scripted.clone(), limits, secret.map(<[u8]>::to_vec), []);
    let progress = Progress::new(landmarc_net::ConnectionSlot::default());
    let request = request.to_vec();
    let client = async move {
        for part in request.chunks(7) {
            theirs.write_all(part).await.unwrap();
        }
        if ends {
            theirs.shutdown().await.unwrap();
        }
        let mut answer = String::new();
        theirs.read_to_string(&mut answer).await.unwrap();
        answer
    };
    let server = async move {
        // Whoever is gone is told nothing.
        let _ = serve(&mut ours, Peer::Unix, &site, &progress).await;
        drop(ours);
    };
    tokio::join!(client, server).0
}

const MESSAGE: &str = "From: a@b\n\n0123456\nx";

fn refusing() -> Scripted {
    Scripted {
        response: Response {
            edits: Vec::new(),
            verdict: Verdict::Reply {
                code: 550,
                enhanced: "5.7.1".to_owned(),
                text: "no".to_owned(),
            },
        },
        findings: Findings {
            author_domain: Some("example.com".to_owned()),
            dmarc: ResultWord::Fail,
            policy: Some(AssessmentPolicy::Reject),
            action: ActionWord::Reject,
            ..Findings::default()
        },
        ..Scripted::default()
    }
}

/// What Exim reads by `RSPAMD/%7s 0 EX_OK\r\nMetric: default; %7s %lf / %lf / %lf\r\nAction: ...`.
#[tokio::test]
async fn the_answer_is_what_exim_reads() {
    let scripted = refusing();
    let answer = asked(&scripted, None, format!("{EXIM}{MESSAGE}").as_bytes(), false).await;
    let mut lines = answer.split("\r\n");
    assert_eq!(lines.next(), Some("RSPAMD/1.3 0 EX_OK"));
    assert_eq!(lines.next(), Some("Metric: default; True; 15.00 / 15.00 / 0.0"));
    assert_eq!(lines.next(), Some("Action: reject"));
    assert!(
        answer.contains("\r\nSymbol: DMARC_POLICY_REJECT(2.00)\r\n"),
        "{answer}"
    );
    assert!(answer.contains("\r\nMessage: 550 5.7.1 no\r\n"), "{answer}");
    assert!(answer.contains("\r\nlandmarc: status=reject "), "{answer}");
    let notes = scripted.notes();
    assert!(notes.contains(&r"body 0123456\r\nx".to_owned()), "{notes:?}");
    assert!(notes.contains(&"interface rspamd".to_owned()));
}

#[tokio::test]
async fn a_message_without_a_length_ends_with_the_connection() {
    let scripted = Scripted::default();
    let request = format!("SYMBOLS RSPAMC/1.1\n\n{MESSAGE}");
    let answer = asked(&scripted, None, request.as_bytes(), true).await;
    assert!(answer.contains("Action: no action\r\n"), "{answer}");
}

#[tokio::test]
async fn half_a_message_is_not_judged() {
    let scripted = Scripted::default();
    let request = format!("{EXIM}{MESSAGE}");
    let half = request.len() - 1;
    let answer = asked(&scripted, None, &request.as_bytes()[..half], true).await;
    assert_eq!(answer, "");
    assert!(!scripted.notes().contains(&"end_of_message".to_owned()));
}

#[tokio::test]
async fn a_message_past_the_limit_is_to_come_again() {
    let of = |octets: usize| {
        let body = "x".repeat(octets - 8);
        format!("CHECK RSPAMC/1.3\r\nContent-Length: {octets}\r\n\r\nA: 1\r\n\r\n{body}")
    };
    let at = asked(&Scripted::default(), None, of(100).as_bytes(), false).await;
    assert!(at.starts_with("RSPAMD/1.3 0 EX_OK"), "{at}");
    // Far past it, and it is all taken: who cannot send on does not read the answer.
    for octets in [101, 400_000] {
        let past = asked(&Scripted::default(), None, of(octets).as_bytes(), false).await;
        assert!(
            past.starts_with(
                "RSPAMD/1.3 0 EX_OK\r\nMetric: default; False; 0.00 / 15.00 / 0.0\r\nAction: soft reject\r\n"
            ),
            "{past}"
        );
        assert!(
            past.contains("\r\nlandmarc: status=temperror ") && past.contains("more than 100 octets"),
            "{past}"
        );
    }
}

/// Nothing is concluded from half of an envelope, and the message is taken before that is said: Exim would not read it.
#[tokio::test]
async fn a_head_past_its_limit_is_to_come_again() {
    let of = |octets: usize| {
        let first = "CHECK RSPAMC/1.3";
        let line = format!("X: {}\r\n", "x".repeat(50_000 - 3));
        let whole = (octets - first.len()) / 50_000;
        let rest = "x".repeat((octets - first.len()) % 50_000 - 3);
        format!(
            "{first}\r\n{}X: {rest}\r\nContent-Length: 20\r\n\r\n{MESSAGE}",
            line.repeat(whole)
        )
    };
    let scripted = Scripted::default();
    let at = asked(&scripted, None, of(MAX_HEAD_OCTETS).as_bytes(), false).await;
    assert!(at.contains("Action: no action\r\n"), "{at}");
    assert!(scripted.notes().contains(&"end_of_message".to_owned()));
    let line = |octets: usize| {
        let line = "x".repeat(octets - 3);
        format!("CHECK RSPAMC/1.3\nX: {line}\nContent-Length: 20\n\n{MESSAGE}")
    };
    let at = asked(
        &Scripted::default(),
        None,
        line(MAX_LINE_OCTETS).as_bytes(),
        false,
    )
    .await;
    assert!(at.contains("Action: no action\r\n"), "{at}");
    for past in [
        of(MAX_HEAD_OCTETS + 1),
        of(MAX_HEAD_OCTETS * 3),
        line(MAX_LINE_OCTETS + 1),
        line(MAX_LINE_OCTETS * 30),
    ] {
        let scripted = Scripted::default();
        let past = asked(&scripted, None, past.as_bytes(), false).await;
        assert!(past.starts_with("RSPAMD/1.3 0 EX_OK\r\n"), "{past}");
        assert!(
            past.contains("\r\nlandmarc: status=temperror ") && past.contains("before the message"),
            "{past}"
        );
        assert!(scripted.notes().is_empty());
    }
}

/// As many as are kept, and far more than any buffer holds: then an empty one says that there were more.
#[tokio::test]
async fn any_number_of_recipients_is_judged() {
    let long = "x".repeat(243);
    let told = async |recipients: usize| {
        let list = format!("Rcpt: <{long}@example>\r\n").repeat(recipients);
        let scripted = Scripted::default();
        let request =
            format!("CHECK RSPAMC/1.3\r\nContent-Length: 20\r\n{list}IP: 192.0.2.7\r\n\r\n{MESSAGE}");
        let answer = asked(&scripted, None, request.as_bytes(), false).await;
        assert!(answer.contains("Action: no action\r\n"), "{answer}");
        let notes = scripted.notes();
        assert!(
            notes.iter().any(|note| note.starts_with("connected 192.0.2.7 ")),
            "{notes:?}"
        );
        let told = notes.into_iter().filter(|note| note.starts_with("rcpt"));
        told.collect::<Vec<_>>()
    };
    let one = format!("rcpt <{long}@example>");
    assert_eq!(told(1_000).await, vec![one.clone(); 1_000]);
    for recipients in [1_001, 10_000] {
        let told = told(recipients).await;
        let (last, others) = told.split_last().unwrap();
        assert_eq!((last.as_str(), others.len()), ("rcpt", 1_000));
    }
}

#[tokio::test]
async fn ping_and_secret() {
    let secret = Some(&b"s3cret"[..]);
    let ping = asked(&Scripted::default(), secret, b"PING RSPAMC/1.3\r\n\r\n", false).await;
    assert_eq!(ping, "RSPAMD/1.3 0 PONG\r\n\r\n");
    let request = format!("CHECK RSPAMC/1.3\r\nContent-Length: 20\r\n\r\n{MESSAGE}");
    let refused = asked(&Scripted::default(), secret, request.as_bytes(), false).await;
    assert!(refused.starts_with("RSPAMD/1.3 77 EX_NOPERM\r\n"), "{refused}");
    let request = request.replace("Content-Length", "Password: s3cret\r\nContent-Length");
    let served = asked(&Scripted::default(), secret, request.as_bytes(), false).await;
    assert!(served.starts_with("RSPAMD/1.3 0 EX_OK"), "{served}");
}

/// A sender who makes our field long must not make us seem down: what is done is told all the same.
#[test]
fn an_answer_that_exim_has_no_room_for_goes_without_the_added_fields() {
    let of = |octets: usize| MessageAnswer {
        response: Response {
            edits: vec![
                landmarc_milter::Edit::DeleteHeader {
                    name: "Authentication-Results".to_owned(),
                    nth: 1,
                },
                landmarc_milter::Edit::InsertHeader {
                    index: 0,
                    name: "X-Long".to_owned(),
                    value: "x".repeat(octets),
                },
            ],
            verdict: Verdict::Accept,
        },
        findings: Some(Findings {
            action: ActionWord::Quarantine,
            ..Findings::default()
        }),
    };
    let around = "landmarc: \r\n\r\n".len();
    let room = MAX_REPORT_OCTETS + around - in_lines(&of(1)).len() + 1;
    let at = in_lines(&of(room));
    assert!(
        at.len() == MAX_REPORT_OCTETS + around && at.contains("X-Long: x"),
        "{}",
        at.len()
    );
    let past = in_lines(&of(room + 1));
    assert!(past.contains("\r\nlandmarc: status=quarantine "), "{past}");
    assert!(past.contains(" remove=Authentication-Results "), "{past}");
    assert!(past.ends_with("\r\n\r\n") && !past.contains("X-Long"), "{past}");
}
