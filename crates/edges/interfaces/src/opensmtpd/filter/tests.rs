//! Sessions as OpenSMTPD tells of them, in and out of order.

use std::sync::Mutex;
use std::time::Duration;

use landmarc_milter::PeerAddress;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader, DuplexStream, duplex};

use super::super::held::as_judged;
use super::super::session::MAX_RECIPIENTS;
use super::*;

/// The name of a client whose messages are too large to be judged.
const TOO_LARGE: &[u8] = b"large.example";

/// What it was asked, and what it says.
#[derive(Default)]
struct Scripted {
    asked: Mutex<Vec<(Caller, String)>>,
    ruling: Option<Ruling>,
}

impl Judge for Scripted {
    async fn judge(&self, caller: &Caller, message: &mut BufferedMessage) -> Result<Ruling, NoRuling> {
        let mut octets = Vec::new();
        let mut lines = message.lines().unwrap();
        while let Some(piece) = lines.next_piece().unwrap() {
            octets.extend(as_judged(&piece));
        }
        let text = String::from_utf8(octets).unwrap();
        self.asked.lock().unwrap().push((caller.clone(), text));
        let none = match caller.helo == TOO_LARGE {
            true => NoRuling::TooLarge("it is too long".to_owned()),
            false => NoRuling::Away("nobody is there".to_owned()),
        };
        self.ruling.clone().ok_or(none)
    }
}

/// smtpd, with the filter at the other end.
struct Smtpd {
    judge: Arc<Scripted>,
    to: DuplexStream,
    from: BufReader<DuplexStream>,
    filter: tokio::task::JoinHandle<io::Result<()>>,
}

impl Smtpd {
    fn start(ruling: Option<Ruling>, unjudged: Unjudged) -> Self {
        let judge = Arc::new(Scripted {
            ruling,
            ..Scripted::default()
        });
        let (to, input) = duplex(1 << 20);
        let (output, from) = duplex(1 << 20);
        let terms = OpenSmtpdOptions {
            unjudged,
            message_octets: 100_000,
            folder: std::env::temp_dir(),
        };
        let filter = tokio::spawn(run(BufReader::new(input), output, Arc::clone(&judge), terms));
        Self {
            judge,
            to,
            from: BufReader::new(from),
            filter,
        }
    }

    async fn says(&mut self, lines: &str) {
        for line in lines.lines() {
            self.to.write_all(line.trim_start().as_bytes()).await.unwrap();
            self.to.write_all(b"\n").await.unwrap();
        }
    }

    /// The next line.
    async fn hears(&mut self) -> String {
        let mut line = String::new();
        let heard = tokio::time::timeout(Duration::from_secs(30), self.from.read_line(&mut line));
        heard.await.expect("the filter answers").unwrap();
        line.trim_end_matches('\n').to_owned()
    }

    /// So many lines.
    async fn hears_lines(&mut self, count: usize) -> Vec<String> {
        let mut lines = Vec::new();
        for _ in 0..count {
            lines.push(self.hears().await);
        }
        lines
    }

    async fn ends(self) -> io::Result<()> {
        drop(self.to);
        self.filter.await.unwrap()
    }
}

/// A session with the envelope of a message; the message is to come.
const ENVELOPE: &str = "\
    report|0.6|1.0|smtp-in|link-connect|1|mx.example|pass|192.0.2.7:4711|192.0.2.1:25
    report|0.6|1.0|smtp-in|link-greeting|1|mail.example.net
    report|0.6|1.0|smtp-in|link-identify|1|EHLO|helo.example
    report|0.6|1.0|smtp-in|tx-begin|1|46f8a9b2
    report|0.6|1.0|smtp-in|tx-mail|1|46f8a9b2|ok|a@example.com
    report|0.6|1.0|smtp-in|tx-rcpt|1|46f8a9b2|ok|b@example.net
    report|0.6|1.0|smtp-in|tx-rcpt|1|46f8a9b2|permfail|c@example.net
    report|0.6|1.0|smtp-in|tx-rcpt|1|46f8a9b2|ok|d@example.net";

const MESSAGE: &str = "\
    filter|0.6|1.0|smtp-in|data-line|1|2|From: a@example.com
    filter|0.6|1.0|smtp-in|data-line|1|2|A-R: forged
    filter|0.6|1.0|smtp-in|data-line|1|2|
    filter|0.6|1.0|smtp-in|data-line|1|2|..a dot
    filter|0.6|1.0|smtp-in|data-line|1|2|.";

const COMMIT: &str = "filter|0.6|1.0|smtp-in|commit|1|3";

fn line(text: &str) -> String {
    format!("filter-dataline|0000000000000001|0000000000000002|{text}")
}

fn result(text: &str) -> String {
    format!("filter-result|0000000000000001|0000000000000003|{text}")
}

fn taken() -> Option<Ruling> {
    Some(Ruling {
        removed: vec![Removed {
            name: "a-r".to_owned(),
            nth: 1,
        }],
        added: vec![Added {
            name: "A-R".to_owned(),
            value: "mx;\n\tdmarc=fail".to_owned(),
        }],
        is_junk: true,
        refusal: None,
    })
}

fn refused(text: &str) -> Option<Ruling> {
    let refusal = SmtpRefusal {
        code: 550,
        enhanced: "5.7.1".to_owned(),
        text: text.to_owned(),
    };
    Some(Ruling {
        refusal: Some(refusal),
        ..taken().unwrap()
    })
}

#[tokio::test]
async fn a_message_goes_back_with_its_edits_when_it_is_judged() {
    let mut smtpd = Smtpd::start(taken(), Unjudged::TempFail);
    smtpd
        .says("config|smtpd-version|6.8.0p2\nconfig|protocol|0.6\nconfig|ready")
        .await;
    while smtpd.hears().await != "register|ready" {}
    smtpd.says(ENVELOPE).await;
    smtpd.says(MESSAGE).await;
    assert_eq!(
        smtpd.hears_lines(7).await,
        [
            "A-R: mx;",
            "\tdmarc=fail",
            "X-Spam: yes",
            "From: a@example.com",
            "",
            "..a dot",
            "."
        ]
        .map(line)
    );
    smtpd.says(COMMIT).await;
    assert_eq!(smtpd.hears().await, result("proceed"));

    let (caller, message) = smtpd.judge.asked.lock().unwrap().remove(0);
    assert_eq!(message, "From: a@example.com\r\nA-R: forged\r\n\r\n.a dot\r\n");
    let expected = Caller {
        client: PeerAddress::Ip("192.0.2.7".parse().unwrap(), 4711),
        client_name: Some("mx.example".to_owned()),
        client_name_is_verified: true,
        helo: b"helo.example".to_vec(),
        mail_from: b"a@example.com".to_vec(),
        rcpt_to: vec![b"b@example.net".to_vec(), b"d@example.net".to_vec()],
        queue_id: Some("46f8a9b2".to_owned()),
        mta_name: Some("mail.example.net".to_owned()),
        ..Caller::default()
    };
    assert_eq!(caller, expected);
    smtpd.ends().await.unwrap();
}

#[tokio::test]
async fn a_refusal_is_said_when_smtpd_asks_and_nothing_goes_back() {
    let text = format!("no\u{fc}\r\nfilter-result|1|2|proceed {}", "x".repeat(600));
    let mut smtpd = Smtpd::start(refused(&text), Unjudged::Accept);
    smtpd.says(ENVELOPE).await;
    smtpd.says(MESSAGE).await;
    assert_eq!(smtpd.hears().await, line("."));
    smtpd.says(COMMIT).await;
    let said = smtpd.hears().await;
    let reply = said.strip_prefix(&result("reject|")).unwrap();
    assert!(
        reply.starts_with("550 5.7.1 no?  filter-result|1|2|proceed xxx"),
        "{reply}"
    );
    assert_eq!(reply.len(), MAX_REPLY_OCTETS);
}

#[tokio::test]
async fn what_cannot_be_judged_is_treated_as_told() {
    for (unjudged, count, answer) in [
        (Unjudged::Accept, 5, "proceed"),
        (
            Unjudged::TempFail,
            1,
            "reject|451 4.7.1 the message could not be judged, try again later",
        ),
    ] {
        let mut smtpd = Smtpd::start(None, unjudged);
        smtpd.says(ENVELOPE).await;
        smtpd.says(MESSAGE).await;
        let lines = smtpd.hears_lines(count).await;
        assert_eq!(lines.last(), Some(&line(".")));
        smtpd.says(COMMIT).await;
        assert_eq!(smtpd.hears().await, result(answer));
        // There was no message of this transaction.
        smtpd.says("report|0.6|1.0|smtp-in|tx-reset|1|46f8a9b2").await;
        smtpd.says(COMMIT).await;
        assert_eq!(smtpd.hears().await, result(answer));
    }
}

/// What is taken unjudged is for the site to choose, not for the sender: who is too large is put off.
#[tokio::test]
async fn what_is_too_large_to_be_judged_is_put_off_whatever_was_told() {
    let mut smtpd = Smtpd::start(None, Unjudged::Accept);
    smtpd
        .says(&ENVELOPE.replace("helo.example", "large.example"))
        .await;
    smtpd.says(MESSAGE).await;
    assert_eq!(smtpd.hears().await, line("."));
    smtpd.says(COMMIT).await;
    let reply = "reject|451 4.7.1 the message could not be judged, try again later";
    assert_eq!(smtpd.hears().await, result(reply));
}

/// A second message of a session has its own envelope.
#[tokio::test]
async fn nothing_is_left_of_the_message_before() {
    let mut smtpd = Smtpd::start(Some(Ruling::default()), Unjudged::TempFail);
    smtpd.says(ENVELOPE).await;
    smtpd
        .says("filter|0.6|1.0|smtp-in|data-line|1|2|Subject: given up")
        .await;
    smtpd.says("report|0.6|1.0|smtp-in|tx-reset|1|46f8a9b2").await;
    smtpd.says("report|0.6|1.0|smtp-in|tx-begin|1|00000002").await;
    smtpd.says("report|0.6|1.0|smtp-in|tx-mail|1|00000002|ok|").await;
    smtpd
        .says("filter|0.6|1.0|smtp-in|data-line|1|2|Subject: x")
        .await;
    smtpd.says("filter|0.6|1.0|smtp-in|data-line|1|2|.").await;
    assert_eq!(smtpd.hears_lines(2).await, ["Subject: x", "."].map(line));
    let (caller, message) = smtpd.judge.asked.lock().unwrap().remove(0);
    assert_eq!(message, "Subject: x\r\n");
    assert_eq!(
        (caller.queue_id.as_deref(), caller.rcpt_to.len()),
        (Some("00000002"), 0)
    );
    assert_eq!(
        (caller.mail_from.as_slice(), caller.helo.as_slice()),
        (&b""[..], &b"helo.example"[..])
    );
}

#[tokio::test]
async fn lines_that_are_not_understood_end_nothing() {
    let mut smtpd = Smtpd::start(Some(Ruling::default()), Unjudged::TempFail);
    smtpd
        .says("hello\nreport|x\nfilter|0.6|1.0|smtp-in|data-line|1\n\n")
        .await;
    smtpd
        .says("filter|0.6|1.0|smtp-in|rcpt-to|1|3|c@example.net")
        .await;
    assert_eq!(smtpd.hears().await, result("proceed"));
    smtpd.ends().await.unwrap();
}

/// At each limit, and one past it.
#[tokio::test]
async fn what_is_past_a_limit_is_put_off_whatever_was_told() {
    let tempfail = result("reject|451 4.7.1 the message could not be judged, try again later");
    let head = "filter|0.6|1.0|smtp-in|data-line|1|2|";
    let of_line = "x".repeat(MAX_LINE_OCTETS - head.len());
    // A line counts two octets more as it is judged.
    let of_message = "x".repeat(99_998);
    for (text, recipients, is_taken) in [
        (of_message.clone(), 2, true),
        (format!("{of_message}x"), 2, false),
        (of_line.clone(), 2, false),
        (format!("{of_line}x"), 2, false),
        ("x".to_owned(), MAX_RECIPIENTS, true),
        ("x".to_owned(), MAX_RECIPIENTS + 1, false),
    ] {
        let mut smtpd = Smtpd::start(Some(Ruling::default()), Unjudged::Accept);
        smtpd.says(ENVELOPE).await;
        for _ in 2..recipients {
            smtpd
                .says("report|0.6|1.0|smtp-in|tx-rcpt|1|46f8a9b2|ok|e@example.net")
                .await;
        }
        smtpd.says(&format!("{head}{text}\n{head}.")).await;
        if is_taken {
            assert_eq!(smtpd.hears().await, line(&text));
        }
        assert_eq!(smtpd.hears().await, line("."));
        smtpd.says(COMMIT).await;
        let expected = if is_taken {
            result("proceed")
        } else {
            tempfail.clone()
        };
        assert_eq!(smtpd.hears().await, expected);
    }
}

#[tokio::test]
async fn a_line_is_cut_at_its_limit_and_the_next_one_is_whole() {
    let long = [
        &vec![b'x'; MAX_LINE_OCTETS][..],
        b"\n",
        &vec![b'y'; MAX_LINE_OCTETS + 1],
        b"\nz\nno end",
    ]
    .concat();
    let mut input = BufReader::with_capacity(1_000, &long[..]);
    let mut line = Vec::new();
    assert_eq!(
        read_line(&mut input, &mut line, MAX_LINE_OCTETS).await.unwrap(),
        Some(true)
    );
    assert_eq!(line, vec![b'x'; MAX_LINE_OCTETS]);
    assert_eq!(
        read_line(&mut input, &mut line, MAX_LINE_OCTETS).await.unwrap(),
        Some(false)
    );
    assert_eq!(line, vec![b'y'; MAX_LINE_OCTETS]);
    assert_eq!(
        read_line(&mut input, &mut line, MAX_LINE_OCTETS).await.unwrap(),
        Some(true)
    );
    assert_eq!(line, b"z");
    assert_eq!(
        read_line(&mut input, &mut line, MAX_LINE_OCTETS).await.unwrap(),
        None
    );
}

/// The messages of sessions that are not followed go back as they come, and are not judged.
#[tokio::test]
async fn sessions_past_the_limit_are_not_judged() {
    let mut smtpd = Smtpd::start(refused("no"), Unjudged::Accept);
    for number in 0..=MAX_SESSIONS {
        smtpd
            .says(&format!(
                "report|0.6|1.0|smtp-in|link-connect|{number:x}||fail|192.0.2.7:1|192.0.2.1:25"
            ))
            .await;
    }
    let commit = |number: usize| format!("filter|0.6|1.0|smtp-in|commit|{number:x}|3");
    for (number, is_judged) in [(MAX_SESSIONS - 1, true), (MAX_SESSIONS, false)] {
        let line = |text: &str| format!("filter|0.6|1.0|smtp-in|data-line|{number:x}|2|{text}");
        let back = |text: &str| format!("filter-dataline|{number:016x}|0000000000000002|{text}");
        smtpd
            .says(&format!("{}\n{}", line("Subject: x"), line(".")))
            .await;
        if !is_judged {
            assert_eq!(smtpd.hears().await, back("Subject: x"));
        }
        assert_eq!(smtpd.hears().await, back("."));
        smtpd.says(&commit(number)).await;
        let said = smtpd.hears().await;
        assert_eq!(said.ends_with("|reject|550 5.7.1 no"), is_judged, "{said}");
    }
    // One that has ended makes room.
    smtpd.says("report|0.6|1.0|smtp-in|link-disconnect|1").await;
    smtpd
        .says(&format!(
            "report|0.6|1.0|smtp-in|link-connect|{MAX_SESSIONS:x}||fail|192.0.2.7:1|192.0.2.1:25"
        ))
        .await;
    smtpd
        .says(&format!("filter|0.6|1.0|smtp-in|data-line|{MAX_SESSIONS:x}|2|."))
        .await;
    smtpd.hears().await;
    smtpd.says(&commit(MAX_SESSIONS)).await;
    assert!(smtpd.hears().await.ends_with("|reject|550 5.7.1 no"));
}

/// It ends with smtpd, and says nothing more.
#[tokio::test]
async fn it_ends_when_smtpd_does() {
    let mut smtpd = Smtpd::start(taken(), Unjudged::TempFail);
    smtpd.says("config|ready").await;
    while smtpd.hears().await != "register|ready" {}
    let Smtpd {
        to, mut from, filter, ..
    } = smtpd;
    drop(to);
    filter.await.unwrap().unwrap();
    let mut rest = Vec::new();
    from.read_to_end(&mut rest).await.unwrap();
    assert_eq!(rest, b"");
}
