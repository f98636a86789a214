//! A relay over a stream in memory, on a clock that is set forward by hand: waits of
//! minutes take no time, and end when they should.

use std::sync::Arc;

use landmarc_testkit::relay::{
    At, Certificate, Fault, Login as Account, Script, State, Tls as Offered, What, serve,
};
use proptest::prelude::*;
use tokio::io::{AsyncWriteExt, duplex};

use super::*;
use crate::Secret;

/// Longer than all steps together, so that each ends by its own limit.
const LONG: Duration = Duration::from_secs(24 * 3_600);
/// Octets that the stream holds: a text that is longer must be read by the relay.
const STREAM_OCTETS: usize = 64 * 1024;

fn terms(login: Option<&str>) -> SessionTerms {
    SessionTerms {
        hello: "mail.example".to_owned(),
        mode: TlsMode::None,
        encryption: None,
        login: login.map(|password| RelayLogin {
            user: "landmarc".to_owned(),
            password: Secret::new(password.to_owned()),
        }),
    }
}

/// A message to a relay with this script: how it ended, after how long, and what the relay saw.
async fn deliver(
    script: Script,
    message: &[&[u8]],
    timeout: Duration,
) -> (DeliveryOutcome, Duration, Arc<State>) {
    let state = Arc::new(State::new(script));
    let (near, far) = duplex(STREAM_OCTETS);
    let of_relay = Arc::clone(&state);
    tokio::spawn(async move { serve(far, &of_relay).await });
    let started = Instant::now();
    let clock = Deadline {
        deadline: started + timeout,
    };
    let outcome = match SmtpSession::open(Box::new(near), true, &terms(None), clock).await {
        Ok(mut session) => match session.send(&submission(message), clock, timeout).await {
            Sent::Over(outcome) => outcome,
            Sent::Stale => panic!("a new connection is not stale"),
        },
        Err(failure) => DeliveryOutcome::RelayUnusable(failure),
    };
    (outcome, started.elapsed(), state)
}

fn submission<'a>(message: &'a [&'a [u8]]) -> Submission<'a> {
    Submission {
        return_path: "reports@receiver.example",
        recipient: "dmarc@author.example",
        message,
        file_name: "",
    }
}

const SHORT_MESSAGE: &[&[u8]] = &[b"Subject: a\r\n\r\n", b"text\r\n"];

/// More than the stream holds, in two pieces.
fn long_message() -> Vec<Vec<u8>> {
    let line = [&[b'x'; 76][..], b"\r\n"].concat();
    vec![b"Subject: a\r\n\r\n".to_vec(), line.repeat(STREAM_OCTETS / 16)]
}

#[tokio::test(start_paused = true)]
async fn each_step_is_waited_for_as_long_as_rfc_5321_says() {
    use limits::{DATA, END_OF_DATA, GREETING, MAIL, RCPT};
    for (at, stage, limit) in [
        (At::Greeting, DeliveryStage::Greeting, GREETING),
        (At::Hello, DeliveryStage::Hello, GREETING),
        (At::Mail, DeliveryStage::Mail, MAIL),
        (At::Rcpt, DeliveryStage::Rcpt, RCPT),
        (At::Data, DeliveryStage::Data, DATA),
        (At::EndOfData, DeliveryStage::EndOfData, END_OF_DATA),
    ] {
        for pipelining in [true, false] {
            let script = |what| Script {
                pipelining,
                ..Script::with(Fault::new(at, what))
            };
            let (outcome, elapsed, _) = deliver(script(What::Hang), SHORT_MESSAGE, LONG).await;
            let words = format!("{stage}: no answer within {} s", limit.as_secs());
            let failure = outcome.failure().expect("nothing was said");
            assert_eq!(failure.to_string(), words);
            assert_eq!((failure.stage, failure.code), (stage, None));
            assert!(
                elapsed >= limit && elapsed < limit + Duration::from_secs(1),
                "{elapsed:?}"
            );
            let is_right = match stage {
                DeliveryStage::Greeting | DeliveryStage::Hello => {
                    matches!(outcome, DeliveryOutcome::RelayUnusable(_))
                }
                DeliveryStage::EndOfData => matches!(outcome, DeliveryOutcome::Unanswered(_)),
                _ => matches!(outcome, DeliveryOutcome::Deferred(_)),
            };
            assert!(is_right, "{outcome:?}");
            // A moment before its time an answer is an answer.
            let slow = What::Slow(limit - Duration::from_secs(1));
            let (outcome, _, state) = deliver(script(slow), SHORT_MESSAGE, LONG).await;
            assert!(
                matches!(outcome, DeliveryOutcome::Delivered { .. }),
                "{outcome:?}"
            );
            assert_eq!(state.log().messages.len(), 1);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_relay_that_stops_reading_is_not_written_to_for_ever() {
    let message = long_message();
    let pieces: Vec<&[u8]> = message.iter().map(Vec::as_slice).collect();
    let script = Script::with(Fault::new(At::Text(1_000), What::Hang));
    let (outcome, elapsed, state) = deliver(script, &pieces, LONG).await;
    let DeliveryOutcome::Deferred(failure) = &outcome else {
        panic!("{outcome:?}")
    };
    insta::assert_snapshot!(failure.to_string(), @"text: no answer within 180 s");
    // The relay may still have taken a piece or two; each piece has its own time. Then
    // there is a last word to be waited for.
    let waited = limits::TEXT + limits::LAST_WORD;
    assert!(
        elapsed >= waited && elapsed < waited + Duration::from_secs(1),
        "{elapsed:?}"
    );
    assert_eq!(state.log().messages, []);
}

#[tokio::test(start_paused = true)]
async fn the_time_of_the_message_shortens_every_step_but_the_answer_to_its_dot() {
    let timeout = Duration::from_secs(60);
    for (at, stage) in [
        (At::Greeting, DeliveryStage::Greeting),
        (At::Rcpt, DeliveryStage::Rcpt),
    ] {
        let script = Script::with(Fault::new(at, What::Hang));
        let (outcome, elapsed, _) = deliver(script, SHORT_MESSAGE, timeout).await;
        assert_eq!(outcome.failure().map(|failure| failure.stage), Some(stage));
        assert!(elapsed < timeout + Duration::from_secs(1), "{elapsed:?}");
    }
    // 50 s are gone at DATA: the dot is answered in time 50 s later.
    let slow = |at| Fault::new(at, What::Slow(Duration::from_secs(50)));
    let script = Script {
        faults: vec![slow(At::Data), slow(At::EndOfData)],
        ..Script::default()
    };
    let (outcome, elapsed, _) = deliver(script, SHORT_MESSAGE, timeout).await;
    assert!(
        matches!(outcome, DeliveryOutcome::Delivered { .. }),
        "{outcome:?}"
    );
    assert_eq!(elapsed.as_secs(), 100);
}

#[tokio::test(start_paused = true)]
async fn a_relay_that_hangs_up_in_the_text_is_asked_for_its_reason() {
    let message = long_message();
    let pieces: Vec<&[u8]> = message.iter().map(Vec::as_slice).collect();
    let at = At::Text(1_000);
    let script = |what| Script::with(Fault::new(at, what));
    let (outcome, _, _) = deliver(script(What::Drop), &pieces, LONG).await;
    let DeliveryOutcome::Deferred(failure) = &outcome else {
        panic!("{outcome:?}")
    };
    let words = failure.to_string();
    let (what, _cause) = words.rsplit_once(": ").unwrap();
    insta::assert_snapshot!(what, @"text: the connection failed");

    let said = What::SayAndDrop("552 5.3.4 too big for us".to_owned());
    let (outcome, _, _) = deliver(script(said), &pieces, LONG).await;
    let DeliveryOutcome::Refused(failure) = &outcome else {
        panic!("{outcome:?}")
    };
    insta::assert_snapshot!(failure.to_string(), @"text: 552 5.3.4 too big for us");
    assert!(failure.is_size);

    let said = What::SayAndDrop("421 4.3.2 going down".to_owned());
    let (outcome, _, _) = deliver(script(said), &pieces, LONG).await;
    assert!(
        matches!(outcome, DeliveryOutcome::RelayUnusable(_)),
        "{outcome:?}"
    );
}

/// What a relay with AUTH says to this password, and the commands it has seen.
async fn sign_in(
    fault: Option<Fault>,
    mechanisms: &'static str,
    password: &str,
    is_loopback: bool,
) -> (Option<String>, Vec<String>) {
    let script = Script {
        login: Some(Account {
            user: "landmarc".to_owned(),
            password: "correct horse".to_owned(),
            mechanisms,
        }),
        faults: fault.into_iter().collect(),
        tls: Offered::None,
        ..Script::default()
    };
    let state = Arc::new(State::new(script));
    let (near, far) = duplex(STREAM_OCTETS);
    let of_relay = Arc::clone(&state);
    tokio::spawn(async move { serve(far, &of_relay).await });
    let clock = Deadline {
        deadline: Instant::now() + LONG,
    };
    let opened = SmtpSession::open(Box::new(near), is_loopback, &terms(Some(password)), clock).await;
    let commands = state.log().commands.into_iter().map(|command| command.line);
    (
        opened.err().map(|failure| failure.to_string()),
        commands.collect(),
    )
}

#[tokio::test(start_paused = true)]
async fn a_password_does_not_travel_in_the_clear() {
    let (failure, commands) = sign_in(None, "PLAIN LOGIN", "correct horse", false).await;
    let words = "AUTH: the connection is not encrypted, so the password is not sent";
    assert_eq!(failure.as_deref(), Some(words));
    assert_eq!(commands, ["EHLO mail.example"]);
    // Nobody listens on loopback but who may read the password anyway.
    let (failure, commands) = sign_in(None, "PLAIN LOGIN", "correct horse", true).await;
    assert_eq!(failure, None);
    assert_eq!(commands.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_password_is_not_repeated_though_the_relay_does() {
    for repeated in [
        "correct horse",
        "Y29ycmVjdCBob3JzZQ==",
        "AGxhbmRtYXJjAGNvcnJlY3QgaG9yc2U=",
    ] {
        let fault = Fault::say(At::Auth, &format!("535 5.7.8 {repeated} is wrong"));
        let (failure, _) = sign_in(Some(fault), "PLAIN", "correct horse", true).await;
        insta::allow_duplicates! {
            insta::assert_snapshot!(failure.unwrap(), @"AUTH: an answer with the password in it");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_auth_that_hangs_or_breaks_is_told() {
    for (what, words) in [
        (What::Hang, "AUTH: no answer within 180 s"),
        (What::Drop, "AUTH: the connection was closed"),
        (
            What::Garbage,
            "AUTH: this is no SMTP reply: \"\\x07what is this?\"",
        ),
        (What::Say("454 4.7.0 later".to_owned()), "AUTH: 454 4.7.0 later"),
    ] {
        let fault = Some(Fault::new(At::Auth, what));
        let (failure, _) = sign_in(fault, "PLAIN", "correct horse", true).await;
        assert_eq!(failure.as_deref(), Some(words));
    }
}

/// How the opening of a connection in this mode ends, and after how long.
async fn open(mode: TlsMode, script: Script) -> (Option<String>, Duration) {
    let state = Arc::new(State::new(script));
    let (near, far) = duplex(STREAM_OCTETS);
    tokio::spawn(async move { serve(far, &state).await });
    let started = Instant::now();
    let clock = Deadline {
        deadline: started + LONG,
    };
    let terms = SessionTerms {
        mode,
        encryption: tls::Encryption::new("relay.example", TlsMode::Opportunistic, None).unwrap(),
        ..terms(None)
    };
    let opened = SmtpSession::open(Box::new(near), true, &terms, clock).await;
    (opened.err().map(|failure| failure.to_string()), started.elapsed())
}

#[tokio::test(start_paused = true)]
async fn a_handshake_that_hangs_is_given_up() {
    let hangs = |at| Script {
        tls: Offered::StartTls(Certificate::Good),
        ..Script::with(Fault::new(at, What::Hang))
    };
    for (mode, at, stage) in [
        (TlsMode::Opportunistic, At::StartTls, "STARTTLS"),
        // It says nothing, and so shakes no hands.
        (TlsMode::Implicit, At::Greeting, "greeting"),
    ] {
        let (failure, elapsed) = open(mode, hangs(at)).await;
        assert_eq!(failure, Some(format!("{stage}: no answer within 120 s")));
        let limit = limits::HANDSHAKE;
        assert!(
            elapsed >= limit && elapsed < limit + Duration::from_secs(1),
            "{elapsed:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_long_for_a_farewell() {
    let state = State::new(Script::with(Fault::new(At::Quit, What::Hang)));
    let (near, far) = duplex(STREAM_OCTETS);
    tokio::spawn(async move { serve(far, &state).await });
    let started = Instant::now();
    let clock = Deadline {
        deadline: started + LONG,
    };
    let opened = SmtpSession::open(Box::new(near), true, &terms(None), clock).await;
    opened.unwrap_or_else(|failure| panic!("{failure}")).quit().await;
    assert_eq!(started.elapsed().as_secs(), limits::LAST_WORD.as_secs());
}

#[tokio::test]
async fn so_many_addresses_are_tried_and_no_more() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let open = listener.local_addr().unwrap();
    // A port that was just free: nobody listens there.
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    for (before, is_reached) in [(limits::ADDRESSES - 1, true), (limits::ADDRESSES, false)] {
        let clock = Deadline {
            deadline: Instant::now() + LONG,
        };
        let addresses = std::iter::repeat_n(closed, before).chain([open]);
        assert_eq!(connect_first(addresses, clock).await.is_ok(), is_reached);
    }
}

/// What relays say, in pieces, and what none says.
fn words() -> impl Strategy<Value = Vec<u8>> {
    const PIECES: [&str; 20] = [
        "220 ",
        "250-",
        "250 ",
        "250",
        "354 ",
        "421 ",
        "550 5.1.1 ",
        "5.1.1",
        "5.999.0 ",
        "\r\n",
        "\n",
        "\r",
        " ",
        "SIZE ",
        "99999999999999999999999",
        "AUTH PLAIN LOGIN",
        "PIPELINING",
        "STARTTLS",
        "220 a\r\n250-b\r\n250 SIZE 9999\r\n",
        "220 a\r\n250 PIPELINING\r\n250 b\r\n250 c\r\n354 d\r\n",
    ];
    let known = proptest::sample::select(&PIECES[..]).prop_map(|piece| piece.as_bytes().to_vec());
    let piece = prop_oneof![9 => known, 1 => proptest::collection::vec(any::<u8>(), 0..9)];
    proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn whatever_a_relay_says_there_is_an_outcome(words in words()) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        let outcome = runtime.block_on(async {
            let (near, mut far) = duplex(STREAM_OCTETS);
            far.write_all(&words).await.unwrap();
            let clock = Deadline { deadline: Instant::now() + LONG };
            let mut session = match SmtpSession::open(Box::new(near), true, &terms(None), clock).await {
                Ok(session) => session,
                Err(failure) => return DeliveryOutcome::RelayUnusable(failure),
            };
            match session.send(&submission(SHORT_MESSAGE), clock, LONG).await {
                Sent::Over(outcome) => outcome,
                Sent::Stale => panic!("a new connection is not stale"),
            }
        });
        if let Some(failure) = outcome.failure() {
            prop_assert!(failure.words.len() <= crate::MAX_WORDS);
            prop_assert!(failure.words.bytes().all(|b| matches!(b, b' '..=b'~')));
        }
    }
}

#[test]
fn hosts_are_names_or_addresses() {
    for host in ["mail.example", "localhost", "192.0.2.1", "2001:db8::1"] {
        assert!(is_host(host), "{host}");
    }
    for host in ["", "a b", "a\r\nb", "ü.example", "[192.0.2.1]", "a..b"] {
        assert!(!is_host(host), "{host:?}");
    }
    assert_eq!(hello_argument("192.0.2.1".to_owned()), "[192.0.2.1]");
    assert_eq!(hello_argument("2001:db8::1".to_owned()), "[IPv6:2001:db8::1]");
    let relay = |host: &str| {
        RelayAddress {
            host: host.to_owned(),
            port: 25,
        }
        .to_string()
    };
    assert_eq!(relay("2001:db8::1"), "[2001:db8::1]:25");
    assert_eq!(relay("mail.example"), "mail.example:25");
}
