//! Several servers, and servers that come and go.

use std::time::Duration;

use landmarc_auth::lookup::{Answer, Fault, Lookup, LookupError, Zones};
use landmarc_dns::resolver::{Resolver, ResolverOptions};
use landmarc_testkit::dns_server::DnsServer;

use crate::support::{
    failures, faulty, numbered, numbered_answer, numbered_zones, options, resolver, see_questions, texts, txt,
};

#[tokio::test]
async fn a_lost_packet_is_sent_again() {
    let server = DnsServer::start(numbered_zones(1));
    server.set_silent(true);
    let resolver = with_timeout(&[&server], 600);
    let asker = tokio::spawn(async move { resolver.ask(&numbered(0)).await });
    see_questions(&server, 1).await;
    server.set_silent(false);
    assert_eq!(asker.await.unwrap(), numbered_answer(0));
    assert!(server.log().len() >= 2);
}

#[tokio::test]
async fn a_late_answer_to_an_earlier_packet_counts() {
    let server = DnsServer::start(numbered_zones(1));
    // Later than the second packet goes out, earlier than the time is over.
    server.set_delay(Duration::from_millis(600));
    assert_eq!(
        with_timeout(&[&server], 1500).ask(&numbered(0)).await,
        numbered_answer(0)
    );
    assert_eq!(server.log().len(), 2);
}

#[tokio::test]
async fn where_the_first_server_is_silent_the_next_answers_and_is_first_from_then_on() {
    let (silent, good) = (
        DnsServer::start(Zones::new()),
        DnsServer::start(numbered_zones(5)),
    );
    silent.set_silent(true);
    let resolver = with_timeout(&[&silent, &good], 1_200);
    assert_eq!(resolver.ask(&numbered(0)).await, numbered_answer(0));
    let asked_before = silent.log().len();
    for number in 1..5 {
        assert_eq!(resolver.ask(&numbered(number)).await, numbered_answer(number));
    }
    assert_eq!(silent.log().len(), asked_before);
    assert_eq!(good.log().len(), 5);
}

#[tokio::test]
async fn behind_seven_silent_servers_the_eighth_has_its_turn() {
    let silent: Vec<DnsServer> = (0..7).map(|_| DnsServer::start(Zones::new())).collect();
    silent.iter().for_each(|server| server.set_silent(true));
    let good = DnsServer::start(numbered_zones(1));
    let all: Vec<&DnsServer> = silent.iter().chain([&good]).collect();
    assert_eq!(
        with_timeout(&all, 2_400).ask(&numbered(0)).await,
        numbered_answer(0)
    );
}

#[tokio::test]
async fn where_one_server_fails_the_next_is_asked_at_once_and_the_order_stays() {
    let failing = DnsServer::start(faulty("example.com", Fault::ServFail));
    let good = DnsServer::start(landmarc_testkit::txt_zones(&[
        ("example.com", "found"),
        ("example.net", "good"),
    ]));
    let resolver = with_timeout(&[&failing, &good], 60_000);
    assert_eq!(at_once(&resolver, "example.com").await, texts(&["found"]));
    failing.set_zones(landmarc_testkit::txt_zones(&[("example.net", "first")]));
    assert_eq!(resolver.ask(&txt("example.net")).await, texts(&["first"]));
}

#[tokio::test]
async fn what_a_server_said_goes_before_silence() {
    for (fault, error) in [
        (Fault::ServFail, LookupError::ServFail),
        (Fault::Refused, LookupError::Refused),
    ] {
        let (silent, failing) = (
            DnsServer::start(Zones::new()),
            DnsServer::start(faulty("example.com", fault)),
        );
        silent.set_silent(true);
        for servers in [[&silent, &failing], [&failing, &silent]] {
            let answer = with_timeout(&servers, 150).ask(&txt("example.com")).await;
            assert_eq!(answer, Answer::Failed(error));
        }
    }
}

#[tokio::test]
async fn when_all_servers_fail_nobody_waits_for_the_end_of_the_time() {
    let servers =
        [Fault::Refused, Fault::ServFail].map(|fault| DnsServer::start(faulty("example.com", fault)));
    let resolver = with_timeout(&[&servers[0], &servers[1]], 60_000);
    let expected = Answer::Failed(LookupError::ServFail);
    assert_eq!(at_once(&resolver, "example.com").await, expected);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unreachable_and_found_again_on_its_port() {
    let server = DnsServer::start(numbered_zones(3));
    let resolver = with_timeout(&[&server], 1200);
    assert_eq!(resolver.ask(&numbered(0)).await, numbered_answer(0));
    let address = server.addr();
    drop(server);
    assert_eq!(
        resolver.ask(&numbered(1)).await,
        Answer::Failed(LookupError::Unreachable)
    );
    assert_eq!(
        resolver.ask(&numbered(0)).await,
        numbered_answer(0),
        "what is known is known"
    );
    let _again = DnsServer::start_at(address, numbered_zones(3));
    assert_eq!(resolver.ask(&numbered(2)).await, numbered_answer(2));
}

#[tokio::test]
async fn a_server_that_is_being_restarted_is_waited_for() {
    let server = DnsServer::start(Zones::new());
    let resolver = with_timeout(&[&server], 6_000);
    let address = server.addr();
    drop(server);
    let asker = tokio::spawn(async move { resolver.ask(&numbered(0)).await });
    tokio::time::sleep(Duration::from_millis(100)).await;
    let _again = DnsServer::start_at(address, numbered_zones(1));
    assert_eq!(asker.await.unwrap(), numbered_answer(0));
}

#[tokio::test]
async fn of_a_long_list_eight_servers_are_asked() {
    let servers: Vec<DnsServer> = (0..9)
        .map(|_| DnsServer::start(faulty("example.com", Fault::ServFail)))
        .collect();
    let all: Vec<&DnsServer> = servers.iter().collect();
    let answer = with_timeout(&all, 5_000).ask(&txt("example.com")).await;
    assert_eq!(answer, Answer::Failed(LookupError::ServFail));
    let asked: Vec<usize> = servers.iter().map(|server| server.log().len()).collect();
    assert_eq!(asked, [1, 1, 1, 1, 1, 1, 1, 1, 0]);
}

/// Fifteen guesses are passed over. The sixteenth makes us ask over TCP, where there is
/// nothing to guess; here nobody answers there.
#[tokio::test]
async fn answers_of_a_stranger_are_not_taken_and_many_of_them_end_the_guessing() {
    for (guesses, error) in [
        (1, LookupError::ServFail),
        (15, LookupError::ServFail),
        (16, LookupError::Unreachable),
    ] {
        let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let server = tokio::spawn(async move {
            let mut buffer = [0; 512];
            let (length, client) = socket.recv_from(&mut buffer).await.unwrap();
            let answer = &mut buffer[..length];
            answer[2] |= 0x80; // a response
            answer[3] = 3; // NXDOMAIN
            answer[0] ^= 1;
            for _ in 0..guesses {
                socket.send_to(answer, client).await.unwrap();
            }
            answer[0] ^= 1;
            answer[3] = 2; // SERVFAIL
            socket.send_to(answer, client).await.unwrap();
        });
        let options = ResolverOptions {
            name_servers: vec![address],
            ..ResolverOptions::default()
        };
        let answer = Resolver::new(options).unwrap().ask(&numbered(0)).await;
        assert_eq!(answer, Answer::Failed(error), "{guesses} guesses");
        server.await.unwrap();
    }
}

#[tokio::test]
async fn a_server_without_tcp_cannot_give_a_long_answer() {
    let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let mut buffer = [0; 512];
        loop {
            let (length, client) = socket.recv_from(&mut buffer).await.unwrap();
            let answer = &mut buffer[..length];
            answer[2] |= 0x82; // a response, truncated
            socket.send_to(answer, client).await.unwrap();
        }
    });
    let options = ResolverOptions {
        name_servers: vec![address],
        question_timeout: Duration::from_millis(600),
        ..ResolverOptions::default()
    };
    let answer = Resolver::new(options).unwrap().ask(&numbered(0)).await;
    assert_eq!(answer, Answer::Failed(LookupError::Unreachable));
    server.abort();
}

#[tokio::test]
async fn statistics_count_questions_and_not_packets() {
    let server = DnsServer::start(numbered_zones(2));
    let resolver = resolver(&server);
    for number in [0, 1, 0, 0] {
        resolver.ask(&numbered(number)).await;
    }
    let statistics = resolver.statistics();
    assert_eq!((statistics.questions, statistics.cache_hits), (2, 2));
    assert_eq!((statistics.joined, failures(&resolver)), (0, 0));
}

/// With a minute for the question, an answer within ten seconds is one that did not wait
/// for the next packet.
async fn at_once(resolver: &Resolver, name: &str) -> Answer {
    let question = txt(name);
    let answer = tokio::time::timeout(Duration::from_secs(10), resolver.ask(&question));
    answer.await.unwrap()
}

fn with_timeout(servers: &[&DnsServer], milliseconds: u64) -> Resolver {
    let options = ResolverOptions {
        name_servers: servers.iter().map(|server| server.addr()).collect(),
        question_timeout: Duration::from_millis(milliseconds),
        ..options(servers[0])
    };
    Resolver::new(options).unwrap()
}
