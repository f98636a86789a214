//! What an interface is told, beside what is done.

use landmarc_dmarc::record::AssessmentPolicy;
use landmarc_interfaces::{ActionWord, Caller, Drive, DriveLimits, Powers};
use landmarc_receiver::rule::ResultWord;
use landmarc_testkit::dns_server::DnsServer;
use serde_json::Value;

use super::*;

const ZONES: &str = r#"{
    "_dmarc.example.com": {"TXT": [["v=DMARC1; p=reject; t=y"]]},
    "example.com": {"TXT": [["v=spf1 -all"]]}
}"#;

const CLEAR: Powers = Powers {
    hold: true,
    add_recipients: true,
};

async fn driven(filter: &Filter, caller: &Caller, message: &str) -> landmarc_interfaces::MessageAnswer {
    let limits = DriveLimits::default();
    let mut drive = Drive::begin(filter, Interface::Http, caller, CLEAR, limits).await;
    drive.push(message.as_bytes()).await.unwrap();
    drive.finish().await
}

fn caller() -> Caller {
    Caller {
        client: PeerAddress::Ip("192.0.2.1".parse().unwrap(), 4711),
        mail_from: b"a@example.com".to_vec(),
        rcpt_to: vec![b"b@ours.example".to_vec()],
        queue_id: Some("4Fb1".to_owned()),
        ..Caller::default()
    }
}

fn keys(json: &Value) -> Vec<String> {
    json.as_object().unwrap().keys().cloned().collect()
}

#[tokio::test]
async fn what_was_found_is_told_once_in_plain_words() {
    let dns = DnsServer::start(landmarc_dns::zone_file::parse(ZONES).unwrap());
    let directory = std::env::temp_dir().join(format!("landmarc-findings-{}", std::process::id()));
    let fixture = service_with(directory.join("landmarc.db"), &dns.addr().to_string(), "");
    let answer = driven(&fixture.filter, &caller(), "From: a@example.com\n\ntext\n").await;
    let found = answer.findings.unwrap();
    assert_eq!(found.queue_id, "4Fb1");
    assert_eq!(found.json["id"], found.id.as_str());
    assert_eq!(found.author_domain.as_deref(), Some("example.com"));
    assert_eq!(found.policy_domain.as_deref(), Some("example.com"));
    assert_eq!(
        (found.policy_published, found.policy),
        (Some(AssessmentPolicy::Reject), Some(AssessmentPolicy::Quarantine))
    );
    assert_eq!(
        (found.dmarc, found.spf.result.as_str()),
        (ResultWord::Fail, "fail")
    );
    assert_eq!(
        (found.spf_aligned, found.dkim_aligned),
        (Some(false), Some(false))
    );
    assert_eq!(
        (found.action, found.enforced_action),
        (ActionWord::Accept, ActionWord::Quarantine)
    );
    assert!(found.authentication_results.starts_with("ours.example;"));
    assert!(found.cause.contains("192.0.2.1"), "{}", found.cause);
}

/// The contract: no key is ever missing, whatever became of the message.
#[tokio::test]
async fn a_message_that_is_not_judged_has_the_same_keys() {
    let dns = DnsServer::start(landmarc_dns::zone_file::parse("{}").unwrap());
    let directory = std::env::temp_dir().join(format!("landmarc-findings-keys-{}", std::process::id()));
    let fixture = service_with(directory.join("landmarc.db"), &dns.addr().to_string(), "");
    let filter = &fixture.filter;
    let judged = driven(filter, &caller(), "From: a@example.com\n\n")
        .await
        .findings
        .unwrap();
    let user = Caller {
        authenticated: Some("user".to_owned()),
        ..caller()
    };
    let skipped = driven(filter, &user, "From: a@example.com\n\n")
        .await
        .findings
        .unwrap();
    assert_eq!(skipped.skipped, Some("authenticated"));
    assert_eq!(skipped.json["skipped"], "authenticated");
    assert_eq!(skipped.id, "");
    bug::put_into(&[Step::EndOfHeaders]);
    let unjudged = driven(filter, &caller(), "From: a@example.com\n\n")
        .await
        .findings
        .unwrap();
    assert_eq!(unjudged.unjudged, Some("internal error"));
    assert_eq!(unjudged.json["unjudged"], "internal");
    assert_eq!(unjudged.json["id"], unjudged.id.as_str());
    for other in [&skipped, &unjudged] {
        assert_eq!(keys(&other.json), keys(&judged.json));
    }
}

/// What a milter has no use for is not made.
#[tokio::test]
async fn a_milter_keeps_no_findings() {
    use landmarc_interfaces::Judged;

    let fixture = service("findings-milter", "");
    let mut session = fixture.filter.connect(&Peer::Unix);
    let macros: Macros = [("i", "4Fb1")].into_iter().collect();
    session.mail(b"<>", Arguments::default(), &macros).await;
    session.header(b"Subject", b" none").await;
    session.end_of_headers(&macros).await;
    session.end_of_message(&macros).await;
    assert_eq!(session.take_findings(), None);
}
