//! What goes over the wire when all goes well.

use landmarc_delivery::{
    DeliveryAgent, DeliveryOutcome, DeliveryStage, MAX_LINE_OCTETS, RelayLogin, Secret, Submission, Transport,
};
use landmarc_testkit::relay::{Login as Account, Relay, Script};

use crate::support::{MESSAGE, RECIPIENT, RETURN_PATH, delivered, post, submission, told, transport_to};

#[tokio::test]
async fn a_message_arrives_with_its_envelope() {
    let relay = Relay::start(Script::default());
    let reply = delivered(post(transport_to(&relay), 1).deliver(submission(RECIPIENT)).await);
    assert_eq!(reply, "250 2.0.0 Ok: queued as 1");
    let messages = relay.messages();
    let [message] = &messages[..] else {
        panic!("{messages:?}")
    };
    assert_eq!(
        (&*message.mail_from, &message.rcpt_to[..]),
        (RETURN_PATH, &[RECIPIENT.to_owned()][..])
    );
    assert_eq!(message.text, MESSAGE.concat());
    assert!(message.answered && !message.tls && message.user.is_none());
}

#[tokio::test]
async fn commands_are_pipelined_when_that_is_offered() {
    for pipelining in [true, false] {
        let relay = Relay::start(Script {
            pipelining,
            ..Script::default()
        });
        delivered(post(transport_to(&relay), 1).deliver(submission(RECIPIENT)).await);
        let commands = relay.commands();
        let seen: Vec<_> = commands
            .iter()
            .map(|command| (&*command.line, command.pipelined))
            .collect();
        let octets = MESSAGE.concat().len();
        assert_eq!(
            seen,
            [
                ("EHLO mail.receiver.example", false),
                (&*format!("MAIL FROM:<{RETURN_PATH}> SIZE={octets}"), pipelining),
                (&*format!("RCPT TO:<{RECIPIENT}>"), pipelining),
                // RFC 2920 §3.1: nothing follows DATA but what it asks for.
                ("DATA", false),
            ]
        );
    }
}

#[tokio::test]
async fn the_null_path_and_quoted_local_parts_are_sent_as_they_are() {
    let relay = Relay::start(Script::default());
    let submission = Submission {
        return_path: "",
        ..submission("\"d, x\"@author.example")
    };
    delivered(post(transport_to(&relay), 1).deliver(submission).await);
    let messages = relay.messages();
    assert_eq!(messages[0].mail_from, "");
    assert_eq!(messages[0].rcpt_to, ["\"d, x\"@author.example"]);
}

#[tokio::test]
async fn dots_and_long_lines_arrive_as_they_were() {
    let relay = Relay::start(Script::default());
    let longest = [&[b'y'; MAX_LINE_OCTETS][..], b"\r\n"].concat();
    let dots = [&b"."[..], &[b'.'; MAX_LINE_OCTETS - 1], b"\r\n"].concat();
    let message: [&[u8]; 6] = [
        b".Subject: a\r\n\r\n",
        &longest,
        &dots,
        b".\r\n..\r\nMAIL FROM:<>\r\n",
        b"",
        b".\r\n",
    ];
    let submission = Submission {
        message: &message,
        ..submission(RECIPIENT)
    };
    delivered(post(transport_to(&relay), 1).deliver(submission).await);
    assert_eq!(relay.messages()[0].text, message.concat());
}

#[tokio::test]
async fn a_message_of_ten_megabytes_arrives_whole() {
    let relay = Relay::start(Script::default());
    let line = [&[b'z'; 76][..], b"\r\n"].concat().repeat(1_000);
    let message: Vec<&[u8]> = std::iter::once(&b"Subject: a\r\n\r\n"[..])
        .chain(std::iter::repeat_n(&*line, 130))
        .collect();
    let submission = Submission {
        message: &message,
        ..submission(RECIPIENT)
    };
    delivered(post(transport_to(&relay), 1).deliver(submission).await);
    assert!(relay.messages()[0].text == message.concat());
}

#[tokio::test]
async fn what_cannot_be_sent_opens_no_connection() {
    let relay = Relay::start(Script::default());
    let post = post(transport_to(&relay), 1);
    for (submission, words) in [
        (
            submission("a@b.example\r\nDATA"),
            r#"the recipient "a@b.example\r\nDATA" is no address"#,
        ),
        (
            Submission {
                message: &[b"Subject: a\r\n\r\nb\n.\nMAIL FROM:<>\r\n"],
                ..submission(RECIPIENT)
            },
            "line 3 of the message cannot be sent: lines have at most 998 octets of ASCII without NUL and \
             end with CRLF",
        ),
    ] {
        let outcome = post.deliver(submission).await;
        assert_eq!(told(&outcome), ("refused", format!("message: {words}")));
    }
    assert_eq!(relay.connections(), 0);
}

#[tokio::test]
async fn a_message_over_the_limit_of_the_relay_is_not_even_begun() {
    let octets = MESSAGE.concat().len();
    for (limit, is_taken) in [(octets, true), (octets - 1, false)] {
        let relay = Relay::start(Script {
            size: Some(limit),
            ..Script::default()
        });
        let post = post(transport_to(&relay), 1);
        let outcome = post.deliver(submission(RECIPIENT)).await;
        if is_taken {
            delivered(outcome);
            continue;
        }
        let DeliveryOutcome::Refused(failure) = outcome else {
            panic!("{outcome:?}")
        };
        assert!(failure.is_size);
        assert_eq!(failure.stage, DeliveryStage::Mail);
        assert_eq!(
            failure.words,
            format!("the relay takes messages of at most {limit} octets, this one has {octets}")
        );
        assert_eq!(relay.commands().len(), 1, "EHLO alone");
        // A smaller one goes over the same connection.
        let smaller = Submission {
            message: &[b"A: b\r\n"],
            ..submission(RECIPIENT)
        };
        delivered(post.deliver(smaller).await);
        assert_eq!(relay.connections(), 1);
    }
}

#[tokio::test]
async fn a_relay_without_size_is_told_none() {
    let relay = Relay::start(Script {
        size: None,
        ..Script::default()
    });
    delivered(post(transport_to(&relay), 1).deliver(submission(RECIPIENT)).await);
    assert_eq!(relay.messages()[0].parameters, "");
}

fn with_login(relay: &Relay, password: Option<&str>) -> DeliveryAgent {
    let Transport::Smtp {
        host,
        port,
        tls,
        ca_file,
        hello,
        ..
    } = transport_to(relay)
    else {
        unreachable!("it goes to a relay")
    };
    let login = password.map(|password| RelayLogin {
        user: "landmarc".to_owned(),
        password: Secret::new(password.to_owned()),
    });
    post(
        Transport::Smtp {
            host,
            port,
            tls,
            ca_file,
            login,
            hello,
        },
        1,
    )
}

#[tokio::test]
async fn auth_is_done_by_plain_or_login() {
    for (mechanisms, used) in [("LOGIN PLAIN", "AUTH PLAIN"), ("CRAM-MD5 LOGIN", "AUTH LOGIN")] {
        let relay = auth_relay(mechanisms);
        delivered(
            with_login(&relay, Some("correct horse"))
                .deliver(submission(RECIPIENT))
                .await,
        );
        assert_eq!(relay.messages()[0].user.as_deref(), Some("landmarc"));
        assert!(relay.commands()[1].line.starts_with(used));
    }
}

#[tokio::test]
async fn auth_that_fails_is_of_the_relay_and_not_of_the_message() {
    for (mechanisms, password, reason) in [
        (
            "PLAIN LOGIN",
            Some("battery staple"),
            "AUTH: 535 5.7.8 Error: authentication failed",
        ),
        (
            "GSSAPI",
            Some("correct horse"),
            "AUTH: the relay offers neither AUTH PLAIN nor AUTH LOGIN",
        ),
        ("PLAIN", None, "MAIL: 530 5.7.0 Authentication required"),
    ] {
        let relay = auth_relay(mechanisms);
        let outcome = with_login(&relay, password).deliver(submission(RECIPIENT)).await;
        assert_eq!(told(&outcome), ("relay unusable", reason.to_owned()));
    }
}

fn auth_relay(mechanisms: &'static str) -> Relay {
    Relay::start(Script {
        login: Some(Account {
            user: "landmarc".to_owned(),
            password: "correct horse".to_owned(),
            mechanisms,
        }),
        ..Script::default()
    })
}
