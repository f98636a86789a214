//! A relay that goes wrong, at every stage in every way: each has its outcome and its reason.

use landmarc_delivery::{DeliveryOutcome, DeliveryStage};
use landmarc_testkit::relay::{At, Fault, Relay, Script, What};

use crate::support::{RECIPIENT, delivered, post, submission, told, transport_to};

const STAGES: [(At, DeliveryStage); 6] = [
    (At::Greeting, DeliveryStage::Greeting),
    (At::Hello, DeliveryStage::Hello),
    (At::Mail, DeliveryStage::Mail),
    (At::Rcpt, DeliveryStage::Rcpt),
    (At::Data, DeliveryStage::Data),
    (At::EndOfData, DeliveryStage::EndOfData),
];

/// What a relay says or does, what comes of a message then, and the reason that is given.
fn faults() -> [(What, &'static str, &'static str); 10] {
    let say = |words: &str| What::Say(words.to_owned());
    [
        (say("451 4.3.0 later"), "deferred", "451 4.3.0 later"),
        (say("550 5.7.1 never"), "refused", "550 5.7.1 never"),
        (say("554-no\r\n554 and no"), "refused", "554 no and no"),
        (say("421 4.3.2 closing"), "relay unusable", "421 4.3.2 closing"),
        (
            What::SayAndDrop("450 4.2.0 a".to_owned()),
            "deferred",
            "450 4.2.0 a",
        ),
        (
            say("530 5.7.0 STARTTLS first"),
            "relay unusable",
            "530 5.7.0 STARTTLS first",
        ),
        (What::Drop, "broken", "the connection was closed"),
        (
            What::Garbage,
            "broken",
            r#"this is no SMTP reply: "\x07what is this?""#,
        ),
        (What::EndlessLines, "broken", "a reply without end"),
        (What::EndlessLine, "broken", "a reply line without end"),
    ]
}

#[tokio::test]
async fn every_fault_at_every_stage_has_its_outcome_and_its_reason() {
    for pipelining in [true, false] {
        for (at, stage) in STAGES {
            for (what, kind, words) in faults() {
                let case = format!("{what:?} at {at:?}, pipelining {pipelining}");
                let relay = Relay::start(Script {
                    pipelining,
                    ..Script::with(Fault::new(at, what.clone()))
                });
                let outcome = post(transport_to(&relay), 1).deliver(submission(RECIPIENT)).await;
                let expected = match (stage, kind) {
                    // Nothing was said yet of any message.
                    (DeliveryStage::Greeting | DeliveryStage::Hello, _) => "relay unusable",
                    (DeliveryStage::EndOfData, "broken") => "unanswered",
                    (_, "broken") => "deferred",
                    (_, kind) => kind,
                };
                let (kind, reason) = told(&outcome);
                assert_eq!(kind, expected, "{case}: {reason}");
                assert_eq!(reason, format!("{stage}: {words}"), "{case}");
                let taken = relay.messages().iter().filter(|message| message.taken).count();
                assert_eq!(taken, 0, "{case}");
            }
        }
    }
}

#[tokio::test]
async fn what_follows_a_fault_is_delivered() {
    for (at, _) in STAGES {
        for (what, ..) in faults() {
            let relay = Relay::start(Script::with(Fault::new(at, what.clone()).times(1)));
            let post = post(transport_to(&relay), 1);
            let first = post.deliver(submission(RECIPIENT)).await;
            assert!(first.failure().is_some());
            delivered(post.deliver(submission(RECIPIENT)).await);
            let taken = relay.messages().iter().filter(|message| message.taken).count();
            assert_eq!(taken, 1, "{what:?} at {at:?}");
        }
    }
}

#[tokio::test]
async fn codes_are_told_apart_from_words() {
    let relay = Relay::start(Script::with(Fault::say(
        At::Rcpt,
        "550-5.1.1 <dmarc@author.example>:\r\n550 5.1.1 User unknown",
    )));
    let outcome = post(transport_to(&relay), 1).deliver(submission(RECIPIENT)).await;
    let DeliveryOutcome::Refused(failure) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(
        (failure.code, failure.enhanced.as_deref()),
        (Some(550), Some("5.1.1"))
    );
    assert!(!failure.is_size);
    assert_eq!(
        failure.to_string(),
        "RCPT: 550 5.1.1 <dmarc@author.example>: User unknown"
    );
}

#[tokio::test]
async fn of_two_messages_the_one_that_is_rejected_is_no_harm_to_the_other() {
    for pipelining in [true, false] {
        let relay = Relay::start(Script {
            pipelining,
            ..Script::with(Fault::say(At::Rcpt, "550 5.1.1 no such user").to("nobody@"))
        });
        let post = post(transport_to(&relay), 1);
        for round in 1..=3 {
            let rejected = post.deliver(submission("nobody@author.example")).await;
            assert_eq!(
                told(&rejected),
                ("refused", "RCPT: 550 5.1.1 no such user".to_owned())
            );
            delivered(post.deliver(submission(RECIPIENT)).await);
            assert_eq!(relay.messages().len(), round);
        }
        // All over one connection: what was begun in vain was ended by RSET.
        assert_eq!(relay.connections(), 1);
        for message in relay.messages() {
            assert_eq!(message.rcpt_to, [RECIPIENT]);
        }
    }
}

#[tokio::test]
async fn a_relay_that_accepts_data_for_nobody_gets_an_empty_message_and_no_more() {
    let relay = Relay::start(Script {
        faults: vec![
            Fault::say(At::Rcpt, "550 5.1.1 no such user").to("nobody@"),
            // RFC 2920 §3.1 warns of such servers.
            Fault::say(At::Data, "354 go on").to("nobody@"),
            Fault::say(At::Data, "354 go on").times(2),
            Fault::say(At::EndOfData, "554 5.5.1 no recipients").times(1),
        ],
        ..Script::default()
    });
    let post = post(transport_to(&relay), 1);
    let rejected = post.deliver(submission("nobody@author.example")).await;
    assert_eq!(
        told(&rejected),
        ("refused", "RCPT: 550 5.1.1 no such user".to_owned())
    );
    let messages = relay.messages();
    assert_eq!(messages.len(), 1);
    assert!(
        messages
            .iter()
            .all(|message| message.text.is_empty() && message.rcpt_to.is_empty())
    );
    delivered(post.deliver(submission(RECIPIENT)).await);
    assert_eq!(relay.connections(), 1);
}

#[tokio::test]
async fn a_message_whose_250_was_lost_may_have_arrived() {
    let relay = Relay::start(Script::with(
        Fault::new(At::EndOfData, What::TakeAndDrop).times(1),
    ));
    let post = post(transport_to(&relay), 1);
    let outcome = post.deliver(submission(RECIPIENT)).await;
    let reason = "end of data: the connection was closed".to_owned();
    assert_eq!(told(&outcome), ("unanswered", reason));
    delivered(post.deliver(submission(RECIPIENT)).await);
    // The duplicate is the same to the octet, so its Message-ID tells that it is one.
    let messages = relay.messages();
    assert_eq!(
        messages.iter().map(|message| message.taken).collect::<Vec<_>>(),
        [true, true]
    );
    assert_eq!(messages[0].text, messages[1].text);
}

#[tokio::test]
async fn a_relay_that_is_not_there_is_no_fault_of_the_message() {
    let relay = Relay::start(Script::default());
    let transport = transport_to(&relay);
    let address = relay.address();
    drop(relay);
    let (kind, reason) = told(&post(transport, 1).deliver(submission(RECIPIENT)).await);
    assert_eq!(kind, "relay unusable");
    assert!(
        reason.starts_with(&format!("connect: {address}: Connection refused")),
        "{reason}"
    );
}

#[tokio::test]
async fn a_relay_that_leaves_in_the_text_has_not_got_the_message() {
    let line = [&[b'x'; 76][..], b"\r\n"].concat().repeat(1_000);
    // Sixteen megabytes and more: the sockets cannot hold them.
    let message: Vec<&[u8]> = std::iter::once(&b"Subject: a\r\n\r\n"[..])
        .chain(std::iter::repeat_n(&*line, 220))
        .collect();
    let relay = Relay::start(Script::with(Fault::new(At::Text(10_000), What::Drop).times(1)));
    let post = post(transport_to(&relay), 1);
    let submission = landmarc_delivery::Submission {
        message: &message,
        ..submission(RECIPIENT)
    };
    let (kind, reason) = told(&post.deliver(submission).await);
    assert_eq!(kind, "deferred", "{reason}");
    let (what, _cause) = reason.rsplit_once(": ").unwrap();
    insta::assert_snapshot!(what, @"text: the connection failed");
    assert_eq!(relay.messages(), []);
}
