//! How long it may take: with the clock stopped, which goes on by itself to the next
//! event while the server says nothing.

use std::sync::Arc;
use std::time::Duration;

use landmarc_auth::lookup::{Answer, Lookup, LookupError};
use landmarc_dns::resolver::{Asker, MessageLookup, Resolver, ResolverOptions};
use landmarc_testkit::dns_server::DnsServer;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::support::{numbered, numbered_answer, numbered_zones, options, resolver, wait_for_questions};

const TIMEOUT: Answer = Answer::Failed(LookupError::Timeout);
const BUDGET: Answer = Answer::Failed(LookupError::Budget);

#[tokio::test(start_paused = true)]
async fn one_question_takes_five_seconds_and_three_packets_at_most() {
    let server = silent_server();
    let resolver = resolver(&server);
    let start = Instant::now();
    assert_eq!(resolver.ask(&numbered(0)).await, TIMEOUT);
    assert_eq!(whole_seconds(start), 5);
    wait_for_questions(&server, 3);
    assert_eq!(server.log().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn several_silent_servers_take_no_longer_than_one() {
    let servers = [silent_server(), silent_server(), silent_server(), silent_server()];
    let options = ResolverOptions {
        name_servers: servers.iter().map(DnsServer::addr).collect(),
        ..ResolverOptions::default()
    };
    let start = Instant::now();
    assert_eq!(Resolver::new(options).unwrap().ask(&numbered(0)).await, TIMEOUT);
    assert_eq!(whole_seconds(start), 5);
}

/// Decision D11: "dead DNS is answered within 10 s".
#[tokio::test(start_paused = true)]
async fn d11_a_message_waits_nine_seconds_for_dead_dns_however_much_it_asks() {
    let server = silent_server();
    let message = resolver(&server).for_message(Asker::default());
    let start = Instant::now();
    for number in 0..100 {
        assert_eq!(message.ask(&numbered(number)).await, TIMEOUT, "question {number}");
    }
    assert_eq!(whole_seconds(start), 9);
}

#[tokio::test(start_paused = true)]
async fn d11_questions_at_the_same_time_wait_together() {
    let server = silent_server();
    let message = resolver(&server).for_message(Asker::default());
    let start = Instant::now();
    ask_four(&message, 0).await;
    assert_eq!(whole_seconds(start), 5);
    ask_four(&message, 4).await;
    assert_eq!(whole_seconds(start), 9);
    ask_four(&message, 8).await;
    assert_eq!(whole_seconds(start), 9);
}

/// Each begins while another one still waits, so that none of them ends a wait for all.
#[tokio::test(start_paused = true)]
async fn d11_questions_one_after_another_that_overlap_are_over_after_nine_seconds_too() {
    let server = silent_server();
    let message = Arc::new(resolver(&server).for_message(Asker::default()));
    let start = Instant::now();
    let mut askers = JoinSet::new();
    for second in 0..15 {
        let message = Arc::clone(&message);
        askers.spawn(async move {
            tokio::time::sleep(Duration::from_secs(second)).await;
            assert_eq!(
                message.ask(&numbered(usize::try_from(second).unwrap())).await,
                TIMEOUT
            );
            assert!(
                whole_seconds(start) <= second.max(9),
                "the one of second {second}"
            );
        });
    }
    askers.join_all().await;
    assert_eq!(whole_seconds(start), 14);
}

#[tokio::test(start_paused = true)]
async fn a_name_that_failed_once_is_not_waited_for_again() {
    let server = silent_server();
    let resolver = resolver(&server);
    assert_eq!(
        resolver.for_message(Asker::default()).ask(&numbered(0)).await,
        TIMEOUT
    );
    let start = Instant::now();
    let message = resolver.for_message(Asker::default());
    assert_eq!(message.ask(&numbered(0)).await, TIMEOUT);
    assert_eq!(whole_seconds(start), 0);
    assert_eq!(resolver.statistics().questions, 1);
}

#[tokio::test]
async fn dead_names_of_one_message_do_no_harm_to_another() {
    let server = silent_server();
    let resolver = resolver(&server);
    tokio::time::pause();
    let unlucky = resolver.for_message(Asker::default());
    for number in 0..3 {
        assert_eq!(unlucky.ask(&numbered(number)).await, TIMEOUT);
    }
    tokio::time::resume();
    server.set_silent(false);
    assert_eq!(
        resolver.for_message(Asker::default()).ask(&numbered(5)).await,
        numbered_answer(5)
    );
    // What others found out is at the disposal of the unlucky one too, nothing else is.
    assert_eq!(unlucky.ask(&numbered(5)).await, numbered_answer(5));
    assert_eq!(unlucky.ask(&numbered(6)).await, TIMEOUT);
}

/// How long the message itself takes to arrive is not DNS's fault.
#[tokio::test(start_paused = true)]
async fn past_its_time_of_waiting_a_message_is_answered_so_at_once() {
    let server = silent_server();
    let resolver = Resolver::new(ResolverOptions {
        message_timeout: Duration::from_secs(3),
        ..options(&server)
    })
    .unwrap();
    let message = resolver.for_message(Asker::default());
    tokio::time::advance(Duration::from_secs(600)).await;
    let start = Instant::now();
    assert_eq!(message.ask(&numbered(0)).await, BUDGET);
    assert_eq!(whole_seconds(start), 3, "a question under way ends then");
    let start = Instant::now();
    assert_eq!(message.ask(&numbered(1)).await, BUDGET);
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert_eq!(resolver.statistics().questions, 1);
}

#[tokio::test]
async fn past_its_time_not_even_what_is_known_is_answered() {
    let server = DnsServer::start(numbered_zones(1));
    let resolver = Resolver::new(ResolverOptions {
        message_timeout: Duration::ZERO,
        ..options(&server)
    })
    .unwrap();
    assert_eq!(resolver.ask(&numbered(0)).await, numbered_answer(0));
    assert_eq!(
        resolver.for_message(Asker::default()).ask(&numbered(0)).await,
        BUDGET
    );
}

async fn ask_four(message: &MessageLookup, first: usize) {
    let questions = [first, first + 1, first + 2, first + 3].map(numbered);
    let [a, b, c, d] = &questions;
    let answers = tokio::join!(message.ask(a), message.ask(b), message.ask(c), message.ask(d));
    assert_eq!(answers, (TIMEOUT, TIMEOUT, TIMEOUT, TIMEOUT));
}

fn silent_server() -> DnsServer {
    let server = DnsServer::start(numbered_zones(10));
    server.set_silent(true);
    server
}

/// Timers go by milliseconds, and a few of them add up.
fn whole_seconds(start: Instant) -> u64 {
    (start.elapsed() + Duration::from_millis(100)).as_secs()
}
