//! A session that notes what it is told stands in for the judge.

use super::*;
use crate::answer::MessageOutcome;
use crate::findings::Findings;
use crate::scripted::Scripted;

const ALL: Powers = Powers {
    hold: true,
    add_recipients: true,
};

fn caller() -> Caller {
    Caller {
        helo: b"helo.example".to_vec(),
        mail_from: b"<a@example.com>".to_vec(),
        rcpt_to: vec![b"b@example.net".to_vec(), b"c@example.net".to_vec()],
        queue_id: Some("4Fb1".to_owned()),
        ..Caller::default()
    }
}

async fn driven(scripted: &Scripted, octets: &[u8], piece: usize) -> MessageAnswer {
    let limits = DriveLimits::default();
    let mut drive = Drive::begin(scripted, Interface::Http, &caller(), ALL, limits).await;
    for part in octets.chunks(piece) {
        drive.push(part).await.unwrap();
    }
    drive.finish().await
}

#[tokio::test]
async fn a_session_hears_that_the_header_section_ends_at_a_line_that_is_no_field() {
    let octets = b"To: a@example.com\n: x\nFrom: b@example.com\n\n";
    for piece in [1, 5, 100] {
        let scripted = Scripted::default();
        driven(&scripted, octets, piece).await;
        let notes = scripted.notes();
        let heard: Vec<_> = notes.iter().skip(8).map(String::as_str).collect();
        assert_eq!(
            heard,
            [
                "header To: a@example.com",
                "ends_at_no_field",
                "end_of_headers",
                r"body : x\r\nFrom: b@example.com\r\n\r\n",
                "end_of_message",
            ]
        );
    }
}

#[tokio::test]
async fn a_session_hears_what_a_milter_would() {
    let octets = b"From: a@example.com\nSubject: x\n y\n\nbody\nmore\n";
    for piece in [1, 5, 100] {
        let scripted = Scripted::default();
        let answer = driven(&scripted, octets, piece).await;
        assert_eq!(answer.outcome(), MessageOutcome::Accept);
        assert_eq!(answer.findings, Some(Findings::default()));
        assert_eq!(
            scripted.notes(),
            [
                "connect",
                "interface http",
                "negotiated hold=true add=true",
                r#"connected unknown unknown {\"i\": \"4Fb1\", \"{client_resolve}\": \"FAIL\"}"#,
                "helo helo.example",
                "mail <a@example.com>",
                "rcpt b@example.net",
                "rcpt c@example.net",
                "header From: a@example.com",
                r"header Subject: x\r\n y",
                "end_of_headers",
                r"body body\r\nmore\r\n",
                "end_of_message",
            ]
        );
    }
}

#[tokio::test]
async fn a_server_that_cannot_hold_says_so() {
    let scripted = Scripted::default();
    let powers = Powers {
        hold: false,
        add_recipients: false,
    };
    drop(
        Drive::begin(
            &scripted,
            Interface::Exim,
            &caller(),
            powers,
            DriveLimits::default(),
        )
        .await,
    );
    assert_eq!(scripted.notes()[2], "negotiated hold=false add=false");
}

#[tokio::test]
async fn a_message_at_the_limit_and_one_past_it() {
    let limits = DriveLimits {
        message_octets: 10,
        ..DriveLimits::default()
    };
    for (pieces, expected) in [
        (&[&b"A: 1\n\n"[..], b"body"][..], Ok(())),
        (&[&b"A: 1\n\n"[..], b"body", b""], Ok(())),
        (
            &[&b"A: 1\n\n"[..], b"body", b"x"],
            Err(DriveError::TooLarge { limit: 10 }),
        ),
        (&[&b"A: 1\n\nbodyx"[..]], Err(DriveError::TooLarge { limit: 10 })),
    ] {
        let scripted = Scripted::default();
        let mut drive = Drive::begin(&scripted, Interface::Http, &caller(), ALL, limits).await;
        let mut last = Ok(());
        for piece in pieces {
            last = drive.push(piece).await;
        }
        assert_eq!(last, expected);
        drop(drive);
        assert!(!scripted.notes().contains(&"end_of_message".to_owned()));
    }
}

#[tokio::test]
async fn a_field_past_its_limit_is_told_by_name() {
    let limits = DriveLimits {
        field_octets: 10,
        ..DriveLimits::default()
    };
    let scripted = Scripted::default();
    let mut drive = Drive::begin(&scripted, Interface::Http, &caller(), ALL, limits).await;
    drive.push(b"A: 12345\r\nB: 123456\r\n\r\n").await.unwrap();
    drive.finish().await;
    let notes = scripted.notes();
    assert!(notes.contains(&"header A: 12345".to_owned()), "{notes:?}");
    assert!(notes.contains(&"too_long B 11".to_owned()), "{notes:?}");
}

/// Decision D6: never a reject, and never an end of the connection.
#[tokio::test]
async fn a_bug_at_any_step_is_a_tempfail() {
    for bug in [
        "connect",
        "interface",
        "negotiated",
        "connected",
        "helo",
        "mail",
        "rcpt",
        "header",
        "end_of_headers",
        "body",
        "end_of_message",
    ] {
        let scripted = Scripted {
            bug: Some(bug),
            ..Scripted::default()
        };
        let answer = driven(&scripted, b"A: 1\n\nbody", 100).await;
        assert!(matches!(answer.outcome(), MessageOutcome::TempFail(_)), "{bug}");
        assert_eq!(answer.findings, None);
        let after = scripted
            .notes()
            .into_iter()
            .skip_while(|note| !note.starts_with(bug));
        assert_eq!(
            after.count(),
            1,
            "{bug}: nothing is told to a session that panicked"
        );
    }
}
