//! The sessions that a filter carries to the service.

use std::path::PathBuf;
use std::sync::Arc;

use landmarc_milter::{ConnectInfo, Edit, Macros, Response as Judgement, Service, Session, Verdict};
use landmarc_net::Peer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixListener;
use tokio::sync::watch;

use super::*;
use crate::caller::Interface;
use crate::drive::DriveLimits;
use crate::findings::{Findings, Judged};
use crate::http::{CheckApiService, serve};

/// A service that says what it was told of the client.
#[derive(Clone)]
struct Scripted(Verdict);

impl Service for Scripted {
    type Session = Told;

    fn connect(&self, _: &Peer) -> Told {
        Told {
            verdict: self.0.clone(),
            words: String::new(),
        }
    }
}

struct Told {
    verdict: Verdict,
    words: String,
}

impl Session for Told {
    async fn connected(&mut self, info: ConnectInfo, _: &Macros) {
        self.words = format!("{:?} {:?}", info.address, info.hostname);
    }

    async fn mail(&mut self, path: &[u8], _: landmarc_milter::Arguments<'_>, macros: &Macros) {
        self.words += &format!(" {} {:?}", String::from_utf8_lossy(path), macros.text("i"));
    }

    async fn body(&mut self, chunk: &[u8]) {
        self.words += &String::from_utf8_lossy(chunk).replace("\r\n", "/");
    }

    async fn end_of_message(&mut self, _: &Macros) -> Judgement {
        let value = self.words.clone();
        Judgement {
            edits: vec![
                Edit::DeleteHeader {
                    name: "A-R".to_owned(),
                    nth: 2,
                },
                Edit::InsertHeader {
                    index: 0,
                    name: "X-Told".to_owned(),
                    value,
                },
            ],
            verdict: self.verdict.clone(),
        }
    }
}

impl Judged for Told {
    fn comes_by(&mut self, interface: Interface) {
        assert_eq!(interface, Interface::OpenSmtpd);
    }

    fn stay_out_of_reports(&mut self) {}

    fn ends_at_no_field(&mut self) {}

    fn take_findings(&mut self) -> Option<Findings> {
        Some(Findings {
            json: serde_json::json!({"action": "quarantine"}),
            ..Findings::default()
        })
    }
}

/// The check API of such a service, on a socket of its own.
async fn check_api(name: &str, verdict: Verdict, secret: Option<&str>) -> (SocketAddress, PathBuf) {
    let path = std::env::temp_dir().join(format!("landmarc-interfaces-{}-{name}.sock", std::process::id()));
    // A leftover of an earlier process with our number.
    let _ = std::fs::remove_file(&path);
    let listener = UnixListener::bind(&path).unwrap();
    let secret = secret.map(|secret| secret.as_bytes().to_vec());
    let site = Arc::new(CheckApiService::new(
        Scripted(verdict),
        DriveLimits::default(),
        secret,
        [],
    ));
    tokio::spawn(async move {
        let (_stop, stopped) = watch::channel(false);
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(
                stream,
                Peer::Unix,
                Arc::clone(&site),
                stopped.clone(),
                landmarc_net::ConnectionSlot::default(),
            ));
        }
    });
    (SocketAddress::Unix(path.clone()), path)
}

fn held(lines: &[&str]) -> BufferedMessage {
    let mut held = BufferedMessage::default();
    for line in lines {
        held.push(line.as_bytes(), &std::env::temp_dir()).unwrap();
    }
    held
}

fn caller() -> Caller {
    Caller {
        client: PeerAddress::Ip("192.0.2.7".parse().unwrap(), 4711),
        client_name: Some("mx.example".to_owned()),
        client_name_is_verified: true,
        helo: b"helo\x07.example".to_vec(),
        mail_from: b"a@example.com".to_vec(),
        rcpt_to: vec![b"b@example.net".to_vec()],
        queue_id: Some("46f8a9b2".to_owned()),
        ..Caller::default()
    }
}

#[tokio::test]
async fn the_service_hears_of_envelope_and_message_and_its_edits_come_back() {
    let (socket, path) = check_api("edits", Verdict::Accept, Some("s3cret")).await;
    let api = CheckApiClient::new(socket, Some(b"s3cret".to_vec()));
    let ruling = api
        .judge(&caller(), &mut held(&["A: b", "", "..x", "y"]))
        .await
        .unwrap();
    assert_eq!(ruling.removed.len(), 1);
    assert_eq!(
        (ruling.removed[0].name.as_str(), ruling.removed[0].nth),
        ("A-R", 2)
    );
    assert_eq!(ruling.added.len(), 1);
    assert_eq!(
        ruling.added[0].value,
        "Ip(192.0.2.7, 4711) b\"mx.example\" a@example.com Some(\"46f8a9b2\").x/y/"
    );
    assert!(ruling.is_junk);
    assert_eq!(ruling.refusal, None);
    std::fs::remove_file(path).unwrap();
}

/// As many as are told on, each as long as smtpd lets it be.
#[tokio::test]
async fn a_thousand_long_recipients_are_told_on() {
    let (socket, path) = check_api("recipients", Verdict::Accept, None).await;
    let caller = Caller {
        rcpt_to: vec![vec![b'x'; 511]; super::super::MAX_RECIPIENTS],
        ..caller()
    };
    let ruling = CheckApiClient::new(socket, None)
        .judge(&caller, &mut held(&["A: b", "", "y"]))
        .await;
    assert_eq!(ruling.unwrap().refusal, None);
    std::fs::remove_file(path).unwrap();
}

#[tokio::test]
async fn a_large_message_streams_through_and_a_refusal_comes_back() {
    let no = Verdict::Reply {
        code: 550,
        enhanced: "5.7.1".to_owned(),
        text: "no".to_owned(),
    };
    let (socket, path) = check_api("refusal", no, None).await;
    let api = CheckApiClient::new(socket, None);
    let line = "x".repeat(500);
    let ruling = api
        .judge(&caller(), &mut held(&vec![line.as_str(); 2_000]))
        .await
        .unwrap();
    assert_eq!(
        ruling.refusal.map(|reply| reply.in_one_line()).as_deref(),
        Some("550 5.7.1 no")
    );
    std::fs::remove_file(path).unwrap();
}

#[tokio::test]
async fn without_an_answer_it_says_why() {
    let nowhere = CheckApiClient::new(SocketAddress::Unix("/no/such/socket".into()), None);
    let error = nowhere.judge(&caller(), &mut held(&["x"])).await.unwrap_err();
    let NoRuling::Away(error) = error else {
        panic!("{error:?}");
    };
    insta::assert_snapshot!(
        error,
        @"the check API of the service cannot be reached at unix:/no/such/socket: No such file or directory (os error 2)"
    );

    let (socket, path) = check_api("secret", Verdict::Accept, Some("s3cret")).await;
    let stranger = CheckApiClient::new(socket, Some(b"guessed".to_vec()));
    let error = stranger.judge(&caller(), &mut held(&["x"])).await.unwrap_err();
    let NoRuling::Away(error) = error else {
        panic!("{error:?}");
    };
    assert!(error.starts_with("the check API refuses to judge: 40"), "{error}");
    std::fs::remove_file(path).unwrap();
}

/// Answers each question with these octets.
fn answering(name: &str, answer: String) -> (CheckApiClient, PathBuf) {
    let path = std::env::temp_dir().join(format!("landmarc-interfaces-{}-{name}.sock", std::process::id()));
    // A leftover of an earlier process with our number.
    let _ = std::fs::remove_file(&path);
    let listener = UnixListener::bind(&path).unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut asked = Vec::new();
        while !asked.ends_with(b"x\r\n") {
            stream.read_buf(&mut asked).await.unwrap();
        }
        // Who has had enough hangs up.
        let _ = stream.write_all(answer.as_bytes()).await;
    });
    (CheckApiClient::new(SocketAddress::Unix(path.clone()), None), path)
}

/// A sender has a hand in how much there is to say, so more than is read of it is no trouble of the service.
#[tokio::test]
async fn an_answer_past_its_limit_is_the_doing_of_the_message() {
    let of = |octets: usize| {
        let body = r#"{"verdict":"accept","remove_header":[],"add_header":[]}"#;
        let blanks = " ".repeat(octets - body.len());
        format!("HTTP/1.1 200 OK\r\nContent-Length: {octets}\r\n\r\n{body}{blanks}")
    };
    let (api, path) = answering("answer-at", of(MAX_ANSWER_OCTETS));
    assert_eq!(
        api.judge(&caller(), &mut held(&["x"])).await,
        Ok(Ruling::default())
    );
    std::fs::remove_file(path).unwrap();
    let refused = |status: &str| format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
    for (name, answer, is_too_large) in [
        ("answer-past", of(MAX_ANSWER_OCTETS + 1), true),
        ("answer-413", refused("413 Content Too Large"), true),
        ("answer-431", refused("431 Request Header Fields Too Large"), true),
        ("answer-503", refused("503 Service Unavailable"), false),
        ("answer-cut", of(MAX_ANSWER_OCTETS)[..1_000].to_owned(), false),
    ] {
        let (api, path) = answering(name, answer);
        let error = api.judge(&caller(), &mut held(&["x"])).await.unwrap_err();
        assert_eq!(
            matches!(error, NoRuling::TooLarge(_)),
            is_too_large,
            "{name}: {error}"
        );
        std::fs::remove_file(path).unwrap();
    }
}

#[test]
fn an_answer_that_is_none_is_no_ruling() {
    for (body, words) in [
        ("", "no JSON"),
        ("[]", "verdict"),
        (r#"{"verdict":"discard"}"#, "verdict"),
        (r#"{"verdict":"reject"}"#, "reply"),
        (
            r#"{"verdict":"reject","smtp":{"code":250,"enhanced":"","text":""}}"#,
            "reply",
        ),
        (r#"{"verdict":"accept"}"#, "edits"),
        (
            r#"{"verdict":"accept","remove_header":[{"name":"A","nth":-1}],"add_header":[]}"#,
            "edits",
        ),
        (
            r#"{"verdict":"accept","remove_header":[],"add_header":[["A"]]}"#,
            "edits",
        ),
    ] {
        let error = ruling(body.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(words), "{body}: {error}");
    }
}
