//! Connections that serve for more than one message, and those that do not.

use landmarc_delivery::limits::{IDLE, MESSAGES_PER_CONNECTION};
use landmarc_testkit::relay::{At, Fault, Relay, Script, What};

use crate::support::{RECIPIENT, delivered, post, submission, told, transport_to};

fn verbs(relay: &Relay) -> Vec<String> {
    let first_word = |line: String| line.split(' ').next().unwrap_or_default().to_owned();
    relay
        .commands()
        .into_iter()
        .map(|command| first_word(command.line))
        .collect()
}

#[tokio::test]
async fn messages_follow_each_other_over_one_connection() {
    let relay = Relay::start(Script::default());
    let post = post(transport_to(&relay), 1);
    for _ in 0..3 {
        delivered(post.deliver(submission(RECIPIENT)).await);
    }
    post.close().await;
    let message = ["MAIL", "RCPT", "DATA"];
    assert_eq!(
        verbs(&relay),
        [&["EHLO"][..], &message, &message, &message, &["QUIT"]].concat()
    );
    assert_eq!((relay.connections(), relay.messages().len()), (1, 3));
    // After that a new one is made.
    delivered(post.deliver(submission(RECIPIENT)).await);
    assert_eq!(relay.connections(), 2);
}

#[tokio::test]
async fn a_connection_serves_for_so_many_messages_and_no_more() {
    let relay = Relay::start(Script::default());
    let post = post(transport_to(&relay), 1);
    for _ in 0..MESSAGES_PER_CONNECTION {
        delivered(post.deliver(submission(RECIPIENT)).await);
    }
    assert_eq!(relay.connections(), 1);
    assert_eq!(verbs(&relay).last().map(String::as_str), Some("QUIT"));
    delivered(post.deliver(submission(RECIPIENT)).await);
    assert_eq!(relay.connections(), 2);
}

#[tokio::test]
async fn a_connection_that_waited_too_long_is_left() {
    let relay = Relay::start(Script::default());
    let post = post(transport_to(&relay), 1);
    let pass = async |time| {
        tokio::time::pause();
        tokio::time::advance(time).await;
        tokio::time::resume();
    };
    delivered(post.deliver(submission(RECIPIENT)).await);
    pass(IDLE / 2).await;
    delivered(post.deliver(submission(RECIPIENT)).await);
    assert_eq!(relay.connections(), 1);
    pass(IDLE).await;
    delivered(post.deliver(submission(RECIPIENT)).await);
    assert_eq!(relay.connections(), 2);
    assert!(verbs(&relay).contains(&"QUIT".to_owned()));
}

#[tokio::test]
async fn a_connection_that_the_relay_left_is_made_again() {
    let farewell = || "421 4.4.2 timeout exceeded".to_owned();
    for fault in [
        Fault::new(At::EndOfData, What::AnswerAndDrop).times(1),
        Fault::new(At::Mail, What::Drop).skipping(1).times(1),
        Fault::new(At::Mail, What::SayAndDrop(farewell()))
            .skipping(1)
            .times(1),
    ] {
        for pipelining in [true, false] {
            let relay = Relay::start(Script {
                pipelining,
                ..Script::with(fault.clone())
            });
            let post = post(transport_to(&relay), 1);
            for _ in 0..2 {
                delivered(post.deliver(submission(RECIPIENT)).await);
            }
            let messages = relay.messages().iter().filter(|message| message.taken).count();
            assert_eq!((relay.connections(), messages), (2, 2), "{fault:?}");
        }
    }
}

#[tokio::test]
async fn a_relay_that_wants_no_second_try_is_not_asked_for_ever() {
    // Kept, left by the relay, made again, refused there.
    let relay = Relay::start(Script::default());
    let post = post(transport_to(&relay), 1);
    delivered(post.deliver(submission(RECIPIENT)).await);
    relay.set(Script::with(Fault::new(
        At::Mail,
        What::SayAndDrop("421 4.3.2 overloaded".to_owned()),
    )));
    let outcome = post.deliver(submission(RECIPIENT)).await;
    let reason = "MAIL: 421 4.3.2 overloaded".to_owned();
    assert_eq!(told(&outcome), ("relay unusable", reason));
    assert_eq!(relay.connections(), 2);
}

#[tokio::test]
async fn a_reset_that_is_refused_costs_the_connection_and_no_message() {
    let relay = Relay::start(Script {
        faults: vec![
            Fault::say(At::Rcpt, "450 4.2.1 busy").times(1),
            Fault::say(At::Reset, "502 5.5.1 no such command"),
        ],
        ..Script::default()
    });
    let post = post(transport_to(&relay), 1);
    let busy = post.deliver(submission(RECIPIENT)).await;
    assert_eq!(told(&busy), ("deferred", "RCPT: 450 4.2.1 busy".to_owned()));
    delivered(post.deliver(submission(RECIPIENT)).await);
    assert_eq!(relay.connections(), 2);
}

#[tokio::test]
async fn no_more_messages_are_on_their_way_than_there_may_be() {
    let relay = Relay::start(Script::default());
    let post = post(transport_to(&relay), 2);
    let message = || post.deliver(submission(RECIPIENT));
    let outcomes: [_; 6] =
        tokio::join!(message(), message(), message(), message(), message(), message()).into();
    for outcome in outcomes {
        delivered(outcome);
    }
    assert_eq!((relay.connections(), relay.messages().len()), (2, 6));
}
