//! What is marked as report traffic, and what is offered to whoever makes failure reports.

use landmarc_store::Reader;
use landmarc_testkit::dns_server::DnsServer;

use super::*;
use landmarc_runtime::failure_reports::{self, Candidates, FailureCandidate, MAX_WAITING};

/// `example.com` asks for failure reports and lets nobody send, `good.example` lets everybody.
const ZONES: &str = r#"{
    "_dmarc.example.com": {"TXT": [["v=DMARC1; p=reject; rua=mailto:d@example.com; ruf=mailto:f@example.com"]]},
    "example.com": {"TXT": [["v=spf1 -all"]]},
    "_dmarc.good.example": {"TXT": [["v=DMARC1; p=reject; rua=mailto:d@good.example; ruf=mailto:f@good.example"]]},
    "good.example": {"TXT": [["v=spf1 +all"]]}
}"#;

const REPORTING: &str =
    "report.email = \"dmarc@ours.example\"\nreport.own_addresses = [\"rua@ours.example\"]\n";
const FAILURES: &str = "report.email = \"dmarc@ours.example\"\nreport.failure.enabled = true\n";

/// A service that resolves.
struct ReportingFixture {
    fixture: Fixture,
    _dns: DnsServer,
}

impl ReportingFixture {
    fn new(name: &str, settings: &str) -> Self {
        let dns = DnsServer::start(landmarc_dns::zone_file::parse(ZONES).unwrap());
        let directory =
            std::env::temp_dir().join(format!("landmarc-reporting-{}-{name}", std::process::id()));
        let fixture = service_with(directory.join("landmarc.db"), &dns.addr().to_string(), settings);
        Self { fixture, _dns: dns }
    }

    /// Takes a message, and waits until it is written down.
    async fn take(&self, message: &ReportTestMessage<'_>) {
        message.deliver(&self.fixture.filter).await;
        settled(&self.fixture.filter).await;
    }

    /// Of all rows so far, in the order of their domains: the domain, and whether it is report traffic.
    fn rows(&self) -> Vec<(String, bool)> {
        let reader = Reader::open(&self.fixture.database).unwrap();
        let mut rows = Vec::new();
        for day in reader.reporting_days().unwrap() {
            for domain in reader.reporting_day(day).unwrap() {
                let of_domain = domain.unwrap().rows;
                rows.extend(
                    of_domain
                        .into_iter()
                        .map(|row| (row.row.policy_domain, row.row.incidental)),
                );
            }
        }
        rows
    }
}

/// A service that offers, and what it offers to.
fn with_failure_reports(name: &str, settings: &str) -> (ReportingFixture, Candidates) {
    let reporting = ReportingFixture::new(name, settings);
    let (offers, candidates) = failure_reports::channel();
    assert!(reporting.fixture.filter.common.offers.set(offers).is_ok());
    (reporting, candidates)
}

#[derive(Clone, Copy)]
struct ReportTestMessage<'a> {
    mail_from: &'a str,
    rcpt_to: &'a [&'a str],
    fields: &'a [(&'a str, &'a str)],
}

/// Forged, for one who reads mail.
const FORGED: ReportTestMessage<'static> = ReportTestMessage {
    mail_from: "<boss@example.com>",
    rcpt_to: &["<reader@ours.example>"],
    fields: &[("From", " boss@example.com"), ("To", " reader@ours.example")],
};

impl ReportTestMessage<'_> {
    async fn deliver(&self, filter: &Filter) {
        let mut session = filter.connect(&Peer::Unix);
        let client = ConnectInfo {
            hostname: b"mx.example".to_vec().into(),
            address: PeerAddress::Ip("192.0.2.1".parse().unwrap(), 4711),
        };
        let macros: Macros = [("i", "4Fb1")].into_iter().collect();
        session.connected(client, &macros).await;
        session
            .mail(self.mail_from.as_bytes(), Arguments::default(), &macros)
            .await;
        for path in self.rcpt_to {
            session.rcpt(path.as_bytes(), &macros).await;
        }
        for (name, value) in self.fields {
            session.header(name.as_bytes(), value.as_bytes()).await;
        }
        session.end_of_headers(&macros).await;
        session.body(b"text\r\n").await;
        session.end_of_message(&macros).await;
    }
}

#[tokio::test]
async fn d18_mail_to_our_report_addresses_alone_is_report_traffic() {
    for (name, rcpt_to, incidental) in [
        (
            "own",
            &[
                "<dmarc@ours.example>",
                "<DMARC+r1abc@ours.example>",
                "<rua@ours.example>",
            ][..],
            true,
        ),
        ("other", &["<dmarc@ours.example>", "<reader@ours.example>"], false),
    ] {
        let reporting = ReportingFixture::new(&format!("to-{name}"), REPORTING);
        reporting.take(&ReportTestMessage { rcpt_to, ..FORGED }).await;
        assert_eq!(
            reporting.rows(),
            [("example.com".to_owned(), incidental)],
            "{name}"
        );
    }
}

const SUBJECT: (&str, &str) = (
    "Subject",
    " Report Domain: ours.example Submitter: good.example Report-ID: <1@good.example>",
);
const FEEDBACK: (&str, &str) = (
    "Content-Type",
    " multipart/report; report-type=feedback-report; boundary=b",
);

/// Whoever forges a domain cannot hide that from the reports about it.
#[tokio::test]
async fn d18_a_report_is_report_traffic_where_its_domain_stands_behind_it() {
    for (name, field, domain, incidental) in [
        ("aggregate", SUBJECT, "good.example", true),
        ("aggregate-forged", SUBJECT, "example.com", false),
        ("feedback", FEEDBACK, "good.example", true),
        ("feedback-forged", FEEDBACK, "example.com", false),
        ("message", ("Subject", " hello"), "good.example", false),
    ] {
        let reporting = ReportingFixture::new(name, "");
        let (author, mail_from) = (format!(" a@{domain}"), format!("<a@{domain}>"));
        let fields = [("From", author.as_str()), field];
        reporting
            .take(&ReportTestMessage {
                mail_from: &mail_from,
                fields: &fields,
                ..FORGED
            })
            .await;
        assert_eq!(reporting.rows(), [(domain.to_owned(), incidental)], "{name}");
    }
}

#[tokio::test]
async fn d20_a_failing_message_is_offered_with_its_header_and_without_its_body() {
    let (reporting, mut candidates) = with_failure_reports("offered", FAILURES);
    reporting.take(&FORGED).await;
    let FailureCandidate { facts, wanted } = candidates.try_recv().unwrap();
    assert_eq!(wanted.uris, ["mailto:f@example.com"]);
    assert!(wanted.requested.dmarc);
    assert_eq!(facts.policy_domain.as_str(), "example.com");
    assert_eq!(facts.moment.queue_id, "4Fb1");
    assert_eq!(facts.moment.authserv_id, "ours.example");
    assert_eq!(facts.moment.source_port, Some(4711));
    // So that they are hidden wherever they stand.
    assert_eq!(facts.moment.recipients, [b"reader@ours.example".to_vec()]);
    assert!(!facts.header.is_cut && !facts.moment.is_to_us);
    assert!(candidates.try_recv().is_err());
    let page = printed(&reporting.fixture.filter);
    assert!(
        page.contains("landmarc_failure_candidates_total{outcome=\"taken\"} 1\n"),
        "{page}"
    );
}

#[tokio::test]
async fn d20_what_must_not_be_reported_is_not_offered() {
    let to_us: &[&str] = &["<reader@ours.example>", "<dmarc@ours.example>"];
    let automatic = [FORGED.fields[0], ("Auto-Submitted", " auto-replied")];
    let feedback = [FORGED.fields[0], FEEDBACK];
    let good = [("From", " a@good.example")];
    for (name, settings, message) in [
        ("off", REPORTING, FORGED),
        ("nobody", "report.failure.enabled = true\n", FORGED),
        (
            "l26",
            FAILURES,
            ReportTestMessage {
                fields: &feedback,
                ..FORGED
            },
        ),
        (
            "l27-null",
            FAILURES,
            ReportTestMessage {
                mail_from: "<>",
                ..FORGED
            },
        ),
        (
            "l27-auto",
            FAILURES,
            ReportTestMessage {
                fields: &automatic,
                ..FORGED
            },
        ),
        (
            "l28",
            FAILURES,
            ReportTestMessage {
                rcpt_to: to_us,
                ..FORGED
            },
        ),
        (
            "l04",
            FAILURES,
            ReportTestMessage {
                mail_from: "<a@good.example>",
                fields: &good,
                ..FORGED
            },
        ),
    ] {
        let (reporting, mut candidates) = with_failure_reports(name, settings);
        reporting.take(&message).await;
        assert!(candidates.try_recv().is_err(), "{name}");
    }
}

#[tokio::test]
async fn d20_mail_never_waits_for_the_reporter() {
    let (reporting, candidates) = with_failure_reports("full", FAILURES);
    let filter = &reporting.fixture.filter;
    for _ in 0..=MAX_WAITING {
        FORGED.deliver(filter).await;
    }
    assert_eq!(candidates.len(), MAX_WAITING);
    drop(candidates);
    FORGED.deliver(filter).await;
    let page = printed(filter);
    for line in [
        format!("landmarc_failure_candidates_total{{outcome=\"taken\"}} {MAX_WAITING}\n"),
        "landmarc_failure_candidates_total{outcome=\"dropped\"} 2\n".to_owned(),
    ] {
        assert!(page.contains(&line), "{page}");
    }
}
