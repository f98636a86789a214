//! Questions under way: shared, abandoned, and no more of them than allowed.

use std::time::{Duration, Instant};

use landmarc_auth::lookup::{Answer, Fault, Lookup, LookupError, RecordType, ZoneData, Zones};
use landmarc_dns::resolver::{Resolver, ResolverOptions};
use landmarc_testkit::dns_server::DnsServer;
use tokio::task::JoinSet;

use crate::support::{numbered, numbered_answer, numbered_zones, options, resolver, see_questions};

#[tokio::test]
async fn fifty_equal_questions_at_once_are_one() {
    let server = DnsServer::start(numbered_zones(1));
    server.set_delay(Duration::from_millis(50));
    // Nothing is kept, so that it is not the cache that answers.
    server.set_ttl(0);
    let resolver = resolver(&server);
    let mut askers = JoinSet::new();
    for _ in 0..50 {
        let resolver = resolver.clone();
        askers.spawn(async move { resolver.ask(&numbered(0)).await });
    }
    for answer in askers.join_all().await {
        assert_eq!(answer, numbered_answer(0));
    }
    assert_eq!(server.log(), [numbered(0)]);
    let statistics = resolver.statistics();
    assert_eq!((statistics.questions, statistics.joined), (1, 49));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_threads_share_questions_too() {
    let server = DnsServer::start(numbered_zones(20));
    let resolver = resolver(&server);
    let mut askers = JoinSet::new();
    for asker in 0..400 {
        let resolver = resolver.clone();
        askers.spawn(async move { (asker % 20, resolver.ask(&numbered(asker % 20)).await) });
    }
    for (number, answer) in askers.join_all().await {
        assert_eq!(answer, numbered_answer(number));
    }
    assert_eq!(server.log().len(), 20);
}

#[tokio::test]
async fn who_asked_first_may_go_away() {
    let server = DnsServer::start(numbered_zones(1));
    server.set_delay(Duration::from_millis(100));
    let resolver = resolver(&server);
    let asker = |resolver: Resolver| tokio::spawn(async move { resolver.ask(&numbered(0)).await });
    let first = asker(resolver.clone());
    see_questions(&server, 1).await;
    let second = asker(resolver.clone());
    tokio::task::yield_now().await;
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    assert_eq!(second.await.unwrap(), numbered_answer(0));
    assert_eq!(server.log().len(), 1);
    assert_eq!(resolver.statistics().joined, 1);
}

#[tokio::test]
async fn what_nobody_waits_for_any_more_is_known_afterwards() {
    let server = DnsServer::start(numbered_zones(1));
    server.set_delay(Duration::from_millis(20));
    let resolver = resolver(&server);
    let only = tokio::spawn({
        let resolver = resolver.clone();
        async move { resolver.ask(&numbered(0)).await }
    });
    see_questions(&server, 1).await;
    only.abort();
    assert_eq!(resolver.ask(&numbered(0)).await, numbered_answer(0));
    assert_eq!(server.log().len(), 1);
}

#[tokio::test]
async fn no_more_questions_are_in_flight_than_allowed() {
    let server = DnsServer::start(numbered_zones(6));
    let delay = Duration::from_millis(60);
    server.set_delay(delay);
    let resolver = Resolver::new(ResolverOptions {
        // Two for what is neither policy nor SPF nor key.
        questions_in_flight: 16,
        ..options(&server)
    })
    .unwrap();
    let start = Instant::now();
    let mut askers = JoinSet::new();
    for number in 0..6 {
        let resolver = resolver.clone();
        askers.spawn(async move { (number, resolver.ask(&numbered(number)).await) });
    }
    for (number, answer) in askers.join_all().await {
        assert_eq!(answer, numbered_answer(number));
    }
    assert!(start.elapsed() >= delay * 3, "two at a time take three rounds");
}

#[tokio::test]
async fn a_failure_of_our_own_making_is_not_remembered() {
    let server = DnsServer::start(numbered_zones(80));
    server.set_silent(true);
    let resolver = few_slots(&server, 1, 200);
    let mut askers = ask_all(&resolver, 0..80);
    let mut timeouts = 0;
    while let Some(answer) = askers.join_next().await {
        let answer = answer.unwrap().1;
        timeouts += usize::from(answer == TIMEOUT);
        assert!(answer == TIMEOUT || answer == OVERLOAD, "{answer:?}");
    }
    assert!(timeouts <= 1, "one at most had all its time");
    server.set_silent(false);
    assert_eq!(
        resolver.ask(&numbered(0)).await,
        numbered_answer(0),
        "ended early"
    );
    assert_eq!(
        resolver.ask(&numbered(78)).await,
        numbered_answer(78),
        "never asked"
    );
}

/// Decision D6: that is no flood, and `failures.dns` decides about the mail.
#[tokio::test]
async fn with_all_name_servers_away_a_query_without_a_slot_times_out() {
    let server = DnsServer::start(numbered_zones(1));
    let resolver = few_slots(&server, 1, 200);
    assert!(resolver.silent_servers().await.is_empty());
    server.set_silent(true);
    let silent = resolver.silent_servers().await;
    assert_eq!(silent.len(), 1);
    assert_eq!(
        (silent[0].address, silent[0].error),
        (server.addr(), LookupError::Timeout)
    );
    for answer in ask_all(&resolver, 0..20).join_all().await {
        assert_eq!(answer.1, TIMEOUT);
    }
    server.set_silent(false);
    assert!(resolver.silent_servers().await.is_empty());
    server.set_silent(true);
    let answers = ask_all(&resolver, 20..40).join_all().await;
    assert!(
        answers.iter().any(|(_, answer)| *answer == OVERLOAD),
        "{answers:?}"
    );
}

/// One sender with many names that nobody answers for must not keep others waiting.
#[tokio::test]
async fn silent_names_make_room_for_others() {
    let mut zones = numbered_zones(4);
    for number in 100..160 {
        zones.set(
            numbered(number).name,
            RecordType::Txt,
            ZoneData::Fault(Fault::Timeout),
        );
    }
    let server = DnsServer::start(zones);
    let resolver = few_slots(&server, 4, 4_000);
    let mut silent = ask_all(&resolver, 100..160);
    see_questions(&server, 4).await;
    let mut others = ask_all(&resolver, 0..4);
    while let Some(answer) = others.join_next().await {
        let (number, answer) = answer.unwrap();
        assert_eq!(answer, numbered_answer(number));
    }
    while let Some(answer) = silent.join_next().await {
        let answer = answer.unwrap().1;
        assert!(answer == TIMEOUT || answer == OVERLOAD, "{answer:?}");
    }
}

#[tokio::test]
async fn a_slow_name_has_all_its_time_where_nobody_waits() {
    let server = DnsServer::start(numbered_zones(4));
    server.set_delay(Duration::from_millis(1_000));
    let resolver = few_slots(&server, 4, 4_000);
    let answers = ask_all(&resolver, 0..4).join_all().await;
    assert!(
        answers
            .iter()
            .all(|(number, answer)| *answer == numbered_answer(*number))
    );
}

/// A query asks the other servers before it loses its slot.
#[tokio::test]
async fn under_pressure_the_next_server_is_still_asked() {
    let (silent, good) = (
        DnsServer::start(Zones::new()),
        DnsServer::start(numbered_zones(40)),
    );
    silent.set_silent(true);
    let resolver = Resolver::new(ResolverOptions {
        name_servers: vec![silent.addr(), good.addr()],
        questions_in_flight: 16,
        ..options(&good)
    })
    .unwrap();
    for (number, answer) in ask_all(&resolver, 0..40).join_all().await {
        assert_eq!(answer, numbered_answer(number));
    }
}

const TIMEOUT: Answer = Answer::Failed(LookupError::Timeout);
const OVERLOAD: Answer = Answer::Failed(LookupError::Overload);

/// So many slots for what is neither policy nor SPF nor key.
fn few_slots(server: &DnsServer, slots: usize, milliseconds: u64) -> Resolver {
    Resolver::new(ResolverOptions {
        questions_in_flight: 8 * slots,
        question_timeout: Duration::from_millis(milliseconds),
        ..options(server)
    })
    .unwrap()
}

/// Asks at once, in this order.
fn ask_all(resolver: &Resolver, numbers: std::ops::Range<usize>) -> JoinSet<(usize, Answer)> {
    numbers
        .map(|number| {
            let resolver = resolver.clone();
            async move { (number, resolver.ask(&numbered(number)).await) }
        })
        .collect()
}
