//! Whole exchanges over a connected stream.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use landmarc_milter::{Arguments, ConnectInfo, Macros, Response, Session};
use tokio::io::{DuplexStream, duplex};

use super::*;
use crate::findings::{ActionWord, Findings};

/// A judge that writes down what it is told.
#[derive(Clone, Default)]
struct Scribe(Arc<Mutex<String>>);

impl Scribe {
    fn note(&self, text: &str) {
        let mut notes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        notes.push_str(text);
    }

    fn notes(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Service for Scribe {
    type Session = Self;

    fn connect(&self, _: &Peer) -> Self {
        self.clone()
    }
}

impl Session for Scribe {
    async fn connected(&mut self, info: ConnectInfo, _: &Macros) {
        self.note(&format!("connect {:?}\n", info.address));
    }

    async fn mail(&mut self, path: &[u8], _: Arguments<'_>, macros: &Macros) {
        let id = macros.text("i").unwrap_or_default();
        self.note(&format!("mail {} {id}\n", path.escape_ascii()));
    }

    async fn header(&mut self, name: &[u8], value: &[u8]) {
        self.note(&format!("{}:{}\n", name.escape_ascii(), value.escape_ascii()));
    }

    async fn body(&mut self, chunk: &[u8]) {
        self.note(&chunk.escape_ascii().to_string());
    }

    async fn end_of_message(&mut self, _: &Macros) -> Response {
        self.note("\nend\n");
        Response::default()
    }
}

impl Judged for Scribe {
    fn comes_by(&mut self, interface: Interface) {
        self.note(&format!("{interface} "));
    }

    fn stay_out_of_reports(&mut self) {}

    fn ends_at_no_field(&mut self) {}

    fn take_findings(&mut self) -> Option<Findings> {
        Some(Findings {
            action: ActionWord::Reject,
            ..Findings::default()
        })
    }
}

/// A spool with one message, `hello`; gone when the test is.
struct Home(PathBuf);

impl Home {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!(
            "landmarc-interfaces-service-{}-{name}",
            std::process::id()
        ));
        std::fs::create_dir_all(path.join("input")).unwrap();
        std::fs::write(
            path.join("input/1pDJ4z-0007Kd-2B-D"),
            "1pDJ4z-0007Kd-2B-D\nhello\n",
        )
        .unwrap();
        Self(path)
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        // It lies in the system's temporary folder.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn request(header: &str, rest: &str) -> String {
    format!(
        "landmarc exim 1\nid 1pDJ4z-0007Kd-2B\nclient {}\nport 4711\nmail_from {}\nbody_size 6\nheader {}\n{rest}",
        BASE64.encode("192.0.2.7"),
        BASE64.encode("a@example.com"),
        BASE64.encode(header),
    )
}

/// What a service answers, and what its judge was told.
async fn ask(spool: &Path, question: &[u8]) -> (String, String) {
    let scribe = Scribe::default();
    let (ours, theirs) = duplex(CHUNK_OCTETS);
    let answer = tokio::join!(serve(&scribe, spool, theirs), converse(ours, question)).1;
    (answer, scribe.notes())
}

async fn serve(scribe: &Scribe, spool: &Path, stream: DuplexStream) {
    let service = EximService::new(scribe.clone(), EximSpool::new(spool), DriveLimits::default());
    let (_stop, stopped) = watch::channel(false);
    service
        .serve(stream, Peer::Unix, stopped, &ConnectionSlot::default())
        .await;
}

async fn converse(mut stream: DuplexStream, question: &[u8]) -> String {
    // Whoever answers early may not read on.
    let _ = stream.write_all(question).await;
    let _ = stream.shutdown().await;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

const HEADER: &str = "Received: from x\n\tid 1pDJ4z-0007Kd-2B;\n\tSat, 21 Nov 2026\nFrom: a@example.com\n";

#[tokio::test]
async fn header_section_from_the_request_and_body_from_the_spool() {
    let home = Home::new("spool");
    let (answer, notes) = ask(&home.0, request(HEADER, "end\n").as_bytes()).await;
    assert!(
        answer.starts_with("status=reject text=Reject ") && answer.ends_with('\n'),
        "{answer}"
    );
    assert_eq!(
        notes,
        "exim connect Ip(192.0.2.7, 4711)\nmail a@example.com 1pDJ4z-0007Kd-2B\n\
         From: a@example.com\nhello\\r\\n\nend\n"
    );
}

/// What was sent along serves where the spool cannot be read, and only there.
#[tokio::test]
async fn a_body_that_is_sent_along_is_the_second_choice() {
    let home = Home::new("second");
    let along = |body: &str| request(HEADER, &format!("body {}\nend\n", BASE64.encode(body)));
    let (_, notes) = ask(&home.0, along("other\n").as_bytes()).await;
    assert!(notes.ends_with("hello\\r\\n\nend\n"), "{notes}");
    let nowhere = Path::new("/nonexistent");
    let (_, notes) = ask(nowhere, along("other\n").as_bytes()).await;
    assert!(notes.ends_with("other\\r\\n\nend\n"), "{notes}");
    for cut in ["othe\n", "other ", "", "others\n"] {
        let (answer, notes) = ask(nowhere, along(cut).as_bytes()).await;
        assert!(answer.starts_with("status=temperror "), "{answer}");
        assert!(!notes.contains("end"), "{notes}");
    }
}

/// Without a spool that can be read no mail at all is judged, and the site has chosen what becomes of that.
#[tokio::test]
async fn what_is_wrong_with_this_host_is_as_if_nobody_were_there() {
    let question = request(HEADER, "end\n");
    for (spool, error) in [
        ("", "the spool of Exim is not read"),
        ("/nonexistent", "there is no 1pDJ4z-0007Kd-2B-D"),
    ] {
        let (answer, notes) = ask(Path::new(spool), question.as_bytes()).await;
        assert!(
            answer.starts_with(&format!("status=down text=\"Not checked\" error=\"{error}")),
            "{answer}"
        );
        assert_eq!(notes, "");
    }
    // A sender may have to do with the size.
    let home = Home::new("size");
    let question = question.replace("body_size 6", "body_size 7");
    let (answer, _) = ask(&home.0, question.as_bytes()).await;
    assert!(answer.starts_with("status=temperror "), "{answer}");
}

#[test]
fn who_can_mend_it_decides_between_down_and_temperror() {
    let denied = SpoolError::Denied { path: PathBuf::new() };
    let broken = SpoolError::Io {
        path: PathBuf::new(),
        source: io::Error::other("x"),
    };
    for error in [
        NoVerdict::Spool(denied),
        NoVerdict::Spool(broken),
        NoVerdict::Spool(SpoolError::NoId),
        NoVerdict::Io(io::Error::other("x")),
    ] {
        assert!(error.line().starts_with("status=down "), "{error}");
    }
    let strange = SpoolError::Strange {
        path: PathBuf::new(),
        why: "x",
    };
    for error in [
        NoVerdict::Spool(strange),
        NoVerdict::HeaderCut,
        NoVerdict::BodyCut {
            found: 0,
            expected: 1,
        },
        NoVerdict::Drive(DriveError::TooLarge { limit: 1 }),
        NoVerdict::Request(RequestError::Cut),
    ] {
        assert!(error.line().starts_with("status=temperror "), "{error}");
    }
}

/// What Exim has of an answer: nothing, where it comes while the question is still going out.
async fn ask_as_exim(limits: DriveLimits, question: &[u8]) -> String {
    let (mut ours, theirs) = duplex(1024);
    let served = async move {
        let service = EximService::new(Scribe::default(), EximSpool::new(""), limits);
        let (_stop, stopped) = watch::channel(false);
        service
            .serve(theirs, Peer::Unix, stopped, &ConnectionSlot::default())
            .await;
    };
    let asked = async move {
        ours.write_all(question).await.ok()?;
        ours.shutdown().await.ok()?;
        let mut answer = String::new();
        ours.read_to_string(&mut answer).await.ok()?;
        Some(answer)
    };
    tokio::join!(served, asked).1.unwrap_or_default()
}

/// Whatever is wrong with a request, and however early it is seen: else a sender could make us seem away.
#[tokio::test]
async fn a_request_is_read_to_its_end_before_it_is_refused() {
    let much = "x".repeat(request::HEAD_LIMIT * 2);
    let body = BASE64.encode(&much);
    let small = DriveLimits {
        message_octets: 1_000,
        ..DriveLimits::default()
    };
    for (limits, question, words) in [
        (
            DriveLimits::default(),
            request(HEADER, &format!("later {much}\nend\n")),
            "more than 524288 octets before the body",
        ),
        (
            DriveLimits::default(),
            request(HEADER, &format!("port y\n{much}\nend\n")),
            "is not followed by a port",
        ),
        (
            DriveLimits::default(),
            request(HEADER, &format!("body ????{body}\nend\n")),
            "is not followed by base64",
        ),
        (
            small,
            request(HEADER, &format!("body {body}\nend\n")),
            "the message has more than 1000 octets",
        ),
        (
            DriveLimits::default(),
            request(&much[..100_000], &format!("body {body}\nend\n")),
            "only the first 65536 octets",
        ),
    ] {
        let answer = ask_as_exim(limits, question.as_bytes()).await;
        assert!(
            answer.starts_with("status=temperror ") && answer.contains(words),
            "{words}: {answer:?}"
        );
    }
}

/// Nor does a body that is sent along make a header section whole.
#[tokio::test]
async fn a_header_section_that_may_be_cut_is_not_judged_with_the_body_sent_along() {
    let header = format!("{HEADER}X: {}\n", "x".repeat(HEADER_LIMIT));
    let question = request(&header, &format!("body {}\nend\n", BASE64.encode("other\n")));
    let (answer, notes) = ask(Path::new(""), question.as_bytes()).await;
    assert!(answer.starts_with("status=temperror "), "{answer}");
    assert!(answer.contains("only the first 65536 octets"), "{answer}");
    assert_eq!(notes, "");
}

/// A message is judged when all of the question is there, not before.
#[tokio::test]
async fn half_a_question_is_not_judged() {
    let home = Home::new("half");
    let whole = request(HEADER, "end\n");
    for cut in 1..whole.len() {
        let (answer, notes) = ask(&home.0, &whole.as_bytes()[..cut]).await;
        assert!(answer.starts_with("status=temperror "), "{cut}: {answer}");
        assert!(!notes.contains("\nend\n"), "{cut}: {notes}");
    }
    assert_eq!(ask(&home.0, b"").await, (String::new(), String::new()));
}

#[tokio::test]
async fn a_header_section_that_may_be_cut_is_read_from_the_spool_or_not_judged() {
    let home = Home::new("cut");
    let header = |octets: usize| {
        format!(
            "{HEADER}X: {}\n",
            "x".repeat(octets - HEADER.len() - "X: \n".len())
        )
    };
    let (_, notes) = ask(&home.0, request(&header(HEADER_LIMIT - 1), "end\n").as_bytes()).await;
    assert!(notes.ends_with("end\n"));
    let question = request(&header(HEADER_LIMIT), "end\n");
    let (answer, notes) = ask(&home.0, question.as_bytes()).await;
    assert!(answer.contains("only the first 65536 octets"), "{answer}");
    assert_eq!(notes, "");

    std::fs::create_dir_all(home.0.join("scan/1pDJ4z-0007Kd-2B")).unwrap();
    let preamble = "From a\nX-Envelope-From: <a@b>\nX-Envelope-To: c@d\n";
    std::fs::write(
        home.0.join("scan/1pDJ4z-0007Kd-2B/1pDJ4z-0007Kd-2B.eml"),
        format!("{preamble}{HEADER}To: b@example.com\n\nscanned\n"),
    )
    .unwrap();
    let (_, notes) = ask(&home.0, question.as_bytes()).await;
    assert!(
        notes.ends_with("From: a@example.com\nTo: b@example.com\nscanned\\r\\n\nend\n"),
        "{notes}"
    );
}

/// How long a client is waited for that says no more than this, and what it is answered.
async fn time_limit_after(beginning: &[u8]) -> (Duration, String) {
    let scribe = Scribe::default();
    let (mut ours, theirs) = duplex(1024);
    let served = tokio::spawn(async move {
        serve(&scribe, Path::new("/nonexistent"), theirs).await;
    });
    ours.write_all(beginning).await.unwrap();
    let before = Instant::now();
    let mut answer = String::new();
    ours.read_to_string(&mut answer).await.unwrap();
    served.await.unwrap();
    (before.elapsed(), answer)
}

#[tokio::test(start_paused = true)]
async fn who_says_nothing_is_let_go() {
    let (waited, answer) = time_limit_after(b"").await;
    assert_eq!(answer, "");
    assert!((SILENCE_TIMEOUT..REQUEST_TIMEOUT).contains(&waited), "{waited:?}");
    let (waited, answer) = time_limit_after(b"landmarc exim 1\n").await;
    insta::assert_snapshot!(
        answer,
        @r#"status=temperror text="Internal Policy Error" error="it ends before its line \"end\"""#
    );
    assert!(waited >= REQUEST_TIMEOUT, "{waited:?}");
}

/// Who is stopped does not wait for those that say nothing.
#[tokio::test]
async fn the_silent_do_not_hold_up_the_end() {
    let service = EximService::new(Scribe::default(), EximSpool::new(""), DriveLimits::default());
    let (_ours, theirs) = duplex(1024);
    let (stop, stopped) = watch::channel(false);
    let served = tokio::spawn(async move {
        service
            .serve(theirs, Peer::Unix, stopped, &ConnectionSlot::default())
            .await;
    });
    stop.send(true).unwrap();
    served.await.unwrap();
}

#[test]
fn only_exims_own_trace_is_left_out() {
    let id = MessageId::parse("1pDJ4z-0007Kd-2B");
    let rest = |header: &str| header[own_trace(header.as_bytes(), id.as_ref())..].to_owned();
    assert_eq!(rest(HEADER), "From: a@example.com\n");
    for kept in [
        "",
        "\n",
        "Received: from x\n\tid 1pDJ4z-0007Kd-2C;\n\tx\nFrom: a\n",
        "Received: from x\nSubject: id 1pDJ4z-0007Kd-2B\n",
        "Subject: id 1pDJ4z-0007Kd-2B\nReceived: from x\n",
        "Received: x1pDJ4z-0007Kd-2B\n",
    ] {
        assert_eq!(rest(kept), kept);
    }
    assert_eq!(rest("received: id 1pDJ4z-0007Kd-2B"), "");
    assert_eq!(own_trace(HEADER.as_bytes(), None), 0);
}
