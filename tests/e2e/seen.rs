//! Evidence from what the service has recorded: a spoof is refused because the records show that its domain
//! signs everything.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use landmarc_observation::{Observation, TallyRow};
use landmarc_testkit::dns_server::DnsServer;
use landmarc_testkit::mta::{Mail, Mta, Verdict};

use crate::binary::landmarc;
use crate::http::{ANY_PORT, metrics};
use crate::outbox::{message, record, row};
use crate::serve::for_mta;
use crate::service::{Service, Socket};
use crate::world::{ALLOWED, RECIPIENT, STRANGER, zones};

const DAY: Duration = Duration::from_hours(24);
/// What the service logs when it has read its records.
const READ: &str = "evidence from what was seen was read";

/// Twelve messages a day of reject.example that its own host sent and signed, on so many days up to yesterday.
fn days_of_signed_mail(days: u32) -> Vec<Observation> {
    let domain = "reject.example";
    let own = TallyRow {
        spf_aligned: true,
        dkim_aligned: true,
        dkim: vec![(domain.to_owned(), "s1".to_owned(), "pass".to_owned())],
        spf: Some((domain.to_owned(), "mfrom".to_owned(), "pass".to_owned())),
        ..row(domain, &[], ALLOWED.parse().unwrap())
    };
    let day_back = |back: u32| {
        let at = SystemTime::now() - DAY * back;
        let at = at.duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let at_ms = u64::try_from(at.as_millis()).unwrap();
        Observation {
            row: Some(own.clone()),
            ..message(at_ms, domain, &[])
        }
    };
    (1..=days)
        .flat_map(|back| std::iter::repeat_n(day_back(back), 12))
        .collect()
}

/// A spoof with an envelope of its own, and fields that anybody can write.
fn spoof() -> Mail {
    let text = "From: a@reject.example\r\nSubject: hello\r\nList-Id: News <news.lists.example>\r\n\
                DKIM-Signature: foo\r\n\r\nhello\r\n";
    Mail {
        client: Some(STRANGER.parse().unwrap()),
        mail_from: "<a@spammer.example>".to_owned(),
        rcpt_to: vec![format!("<{RECIPIENT}>")],
        ..Mail::plain().with_text(text.as_bytes())
    }
}

fn deliver(service: &Service, mail: &Mail) -> Verdict {
    let mut mta = Mta::connect(&for_mta(service.milter())).unwrap();
    let verdict = mta.deliver(mail).unwrap().verdict;
    mta.quit().unwrap();
    verdict
}

/// A service whose records begin so many days ago.
fn service_with(name: &str, dns: &DnsServer, days: u32) -> Service {
    let settings = format!("mode = \"enforce\"\naction.quarantine = \"header\"\n{ANY_PORT}");
    let mut service = Service::start(name, Socket::Inet, dns.addr(), &settings);
    service.terminate();
    assert_eq!(service.wait_for_end().code(), Some(0));
    record(service.database(), days_of_signed_mail(days));
    service.start_again();
    service
}

/// The port of its present life.
fn last_port(service: &Service) -> SocketAddr {
    let log = service.log();
    let ports = log
        .iter()
        .rev()
        .filter_map(|line| line.split_once("http port http://"));
    let (_, rest) = ports.into_iter().next().expect("it tells of its port");
    rest.split('/').next().unwrap().parse().unwrap()
}

#[test]
fn a_spoof_of_a_domain_that_signs_everything_is_refused_with_the_cause() {
    let dns = DnsServer::start(zones());
    let service = service_with("seen-refused", &dns, 15);
    let read = service.wait_for_line(READ);
    assert!(read.contains("signing=1"), "{read}");
    let Verdict::Reply(reply) = deliver(&service, &spoof()) else {
        panic!("the spoof is not refused");
    };
    assert!(
        reply.starts_with("550 ") && reply.contains("reject.example signs all"),
        "{reply}"
    );
    let line = service.messages(1).remove(0);
    line.says("evidence=signs_everything spared_by=- disposition=reject action=reject");
    let text = landmarc([
        "explain",
        line.get("id"),
        "--config",
        &service.settings_file().display().to_string(),
    ]);
    let figures = "of 180 messages of reject.example in 30 days all carried its signature";
    let explanation = text.stdout.replace("\n    ", " ");
    assert!(explanation.contains(figures), "{}", text.stdout);
    let metrics = metrics(last_port(&service));
    assert!((metrics["landmarc_seen_entries{kind=\"signing_domain\"}"] - 1.0).abs() < 1e-9);
    assert!(metrics["landmarc_seen_failures_total"] < 0.5);
}

#[test]
fn young_records_refuse_nothing() {
    let dns = DnsServer::start(zones());
    let service = service_with("seen-young", &dns, 13);
    service.wait_for_line("the store is too young to give evidence days=13");
    assert_eq!(deliver(&service, &spoof()), Verdict::Accept);
    let line = service.messages(1).remove(0);
    line.says("evidence=- disposition=quarantine action=quarantine");
}
