//! A message that failed, for tests.

use landmarc_auth::dkim::DkimResult;
use landmarc_auth::spf::SpfResult;
use landmarc_dmarc::evaluation::DmarcResult;
use landmarc_dmarc::record::{AssessmentPolicy, PolicyRecord, Psd};
use landmarc_mail::message::HeaderLimits;
use landmarc_mail::{DomainName, HeaderField, HeaderSection, ReversePath};

use super::facts::{
    Agreement, FailureFacts, HeaderCopy, MtaFacts, ReportedDelivery, SignatureFacts, SpfFacts,
};

pub(super) fn name(text: &str) -> DomainName {
    DomainName::parse(text).unwrap()
}

pub(super) fn header(fields: &[(&str, &str)]) -> HeaderCopy {
    let mut section = HeaderSection::default();
    for (name, value) in fields {
        let field = HeaderField::new(name.as_bytes(), value.as_bytes());
        section.push(field, &HeaderLimits::default());
    }
    HeaderCopy::of(&section)
}

pub(super) fn signature(domain: &str, result: DkimResult, agreement: Agreement) -> SignatureFacts {
    SignatureFacts {
        domain: name(domain),
        selector: Some("epsilon".to_owned()),
        identity: None,
        result,
        body_only_broken: false,
        agreement,
        key_record: None,
    }
}

/// RFC 9991's own kind of example: a list broke two signatures of consumer.example.
pub(super) fn list_message(record: &str) -> FailureFacts {
    let record = PolicyRecord::parse(record.as_bytes()).unwrap();
    FailureFacts {
        moment: MtaFacts {
            arrived: 1_780_272_000,
            queue_id: "65E1A3F0A0".to_owned(),
            authserv_id: "gen.example".to_owned(),
            ..MtaFacts::default()
        },
        source_ip: Some("192.0.2.2".parse().unwrap()),
        mail_from: ReversePath::new(b"list-bounces@forwarder.example"),
        author_domain: name("consumer.example"),
        policy_domain: name("consumer.example"),
        failure_options: record.failure_options,
        failure_uris: record.failure_uris,
        psd: record.psd,
        policy_published: record.policy,
        dmarc: DmarcResult::Fail,
        dkim_aligned: false,
        spf_aligned: false,
        signatures: vec![
            signature("consumer.example", DkimResult::Fail, Agreement::Same),
            signature("consumer.example", DkimResult::Fail, Agreement::Same),
        ],
        spf: SpfFacts {
            domain: Some(name("forwarder.example")),
            result: SpfResult::Pass,
            agreement: Agreement::None,
            records: vec![("forwarder.example".to_owned(), "v=spf1 +all".to_owned())],
        },
        delivery: ReportedDelivery::Policy,
        header: header(&[
            ("From", " The Author <author@consumer.example>"),
            ("To", " James.Smith@receiver.example"),
            ("Subject", " Your lab results"),
        ]),
    }
}

pub(super) const RECORD: &str = "v=DMARC1; p=reject; ruf=mailto:dmarcfail@consumer.example; fo=1";

#[test]
fn the_sample_is_under_a_policy() {
    let facts = list_message(RECORD);
    assert_eq!(facts.policy_published, Some(AssessmentPolicy::Reject));
    assert_eq!(facts.psd, Psd::Undeclared);
}
