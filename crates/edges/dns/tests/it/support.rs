//! What these tests share.

use std::thread;
use std::time::{Duration, Instant};

use landmarc_auth::lookup::{Answer, DnsRecord, Fault, Question, RecordType, ZoneData, Zones};
use landmarc_dns::resolver::{QueryEnd, Resolver, ResolverOptions};
use landmarc_testkit::dns_name;
use landmarc_testkit::dns_server::DnsServer;

/// Asks this server alone, with the options of real life. Tests in which nobody answers
/// set the clock forward or the time lower.
pub(crate) fn options(server: &DnsServer) -> ResolverOptions {
    ResolverOptions {
        name_servers: vec![server.addr()],
        ..ResolverOptions::default()
    }
}

pub(crate) fn resolver(server: &DnsServer) -> Resolver {
    Resolver::new(options(server)).unwrap()
}

/// `n0.example`, `n1.example` and so on, with a TXT record each.
pub(crate) fn numbered_zones(names: usize) -> Zones {
    let mut zones = Zones::new();
    for number in 0..names {
        zones.add_txt(numbered(number).name, number.to_string().as_bytes());
    }
    zones
}

pub(crate) fn numbered(number: usize) -> Question {
    txt(&format!("n{number}.example"))
}

pub(crate) fn numbered_answer(number: usize) -> Answer {
    texts(&[&number.to_string()])
}

pub(crate) fn faulty(name: &str, fault: Fault) -> Zones {
    let mut zones = Zones::new();
    zones.set(dns_name(name), RecordType::Txt, ZoneData::Fault(fault));
    zones
}

pub(crate) fn txt(name: &str) -> Question {
    Question::txt(dns_name(name))
}

pub(crate) fn texts(texts: &[&str]) -> Answer {
    let records = texts.iter().map(|text| DnsRecord::Txt(text.as_bytes().into()));
    Answer::from_records(records.collect())
}

/// Waits until the server has received so many questions; its thread runs beside ours.
pub(crate) fn wait_for_questions(server: &DnsServer, questions: usize) {
    let start = Instant::now();
    while !have_come(server, questions, start) {
        thread::sleep(Duration::from_millis(1));
    }
}

/// The same where our own runtime must go on in the meantime.
pub(crate) async fn see_questions(server: &DnsServer, questions: usize) {
    let start = Instant::now();
    while !have_come(server, questions, start) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

fn have_come(server: &DnsServer, questions: usize, start: Instant) -> bool {
    let log = server.log();
    assert!(start.elapsed() < Duration::from_secs(20), "only {log:?}");
    log.len() >= questions
}

/// How many queries ended without an answer.
pub(crate) fn failures(resolver: &Resolver) -> u64 {
    let has_answer = |end| matches!(end, QueryEnd::Records | QueryEnd::NoData | QueryEnd::NxDomain);
    let ends = resolver.statistics().ends.into_iter();
    ends.filter(|(end, _)| !has_answer(*end))
        .map(|(_, count)| count)
        .sum()
}
