//! Messages that fail, judged as the filter judges them, and the reports about them.

use std::sync::Arc;

use landmarc_auth::lookup::Zones;
use landmarc_dmarc::evaluation::DiscoveryMethod;
use landmarc_dmarc::suffixes::Suffixes;
use landmarc_mail::message::{HeaderLimits, split};
use landmarc_mail::{DomainName, Envelope, ReversePath};
use landmarc_receiver::{Arrival, Head, Judgement, Ledgers, Transaction, check_spf, judge, policy};
use landmarc_report::Address;
use landmarc_report::failure::{
    FailureFacts, FailureMailHead, FailureReport, HeaderCopy, MtaFacts, Redactor, RequestRules, Requested,
    failure_mail, gate,
};
use landmarc_testkit::block_on;

/// 1 June 2026.
pub(crate) const NOW: u64 = 1_780_272_000;
pub(crate) const KEY: &[u8] = b"potatoes";

/// What is given: the text of a message, and who sent it.
pub(crate) struct Given<'a> {
    pub(crate) zones: Zones,
    pub(crate) client: &'a str,
    pub(crate) mail_from: &'a str,
    pub(crate) message: &'a str,
}

/// A message that failed, as the filter hands it on.
pub(crate) fn facts(given: &Given<'_>) -> FailureFacts {
    let moment = MtaFacts {
        arrived: NOW,
        queue_id: "65E1A3F0A0".to_owned(),
        authserv_id: "gen.example".to_owned(),
        source_port: Some(12_345),
        ..MtaFacts::default()
    };
    facts_at(given, moment).expect("a record applies")
}

/// The same at another moment; none where no record applies.
pub(crate) fn facts_at(given: &Given<'_>, moment: MtaFacts) -> Option<FailureFacts> {
    let (judgement, header) = judged(given);
    FailureFacts::of(&judgement, header, moment)
}

fn judged(given: &Given<'_>) -> (Judgement, HeaderCopy) {
    let octets = given.message.replace('\n', "\r\n");
    let message = split(octets.as_bytes(), &HeaderLimits::default()).unwrap();
    let envelope = Envelope {
        client: Some(given.client.parse().unwrap()),
        helo: b"mx.forwarder.example".to_vec(),
        mail_from: ReversePath::new(given.mail_from.as_bytes()),
        ..Envelope::default()
    };
    let (rules, ledgers) = (rules(), Ledgers::new(100, |_| &given.zones));
    let copy = HeaderCopy::of(&message.header);
    let mut head = Head::new(&message.header, &rules, &Arrival::of(&envelope, NOW));
    head.body(&message.body);
    let judgement = block_on(async {
        let spf = check_spf(&ledgers, &envelope, &rules, NOW).await;
        let transaction = Transaction {
            envelope,
            client: policy::ClientFacts::default(),
            id: "abc",
            queue_id: None,
            seen: &landmarc_receiver::seen::Seen::Off,
        };
        judge(head, transaction, spf, &ledgers, &rules).await
    });
    (judgement, copy)
}

/// The report about it, if one may be made, with all that passes included.
pub(crate) fn report(facts: &FailureFacts, redaction: &Redactor, incidents: u32) -> FailureReport {
    let rules = RequestRules {
        on_pass: true,
        ..RequestRules::default()
    };
    let wanted = gate(facts, rules).unwrap();
    FailureReport::assemble(facts, wanted.requested, redaction, incidents)
}

/// The report about DMARC, whatever the record asks for.
pub(crate) fn dmarc_report(facts: &FailureFacts, redaction: &Redactor) -> FailureReport {
    let requested = Requested {
        dmarc: true,
        ..Requested::default()
    };
    FailureReport::assemble(facts, requested, redaction, 1)
}

/// The octets of the message.
pub(crate) fn octets(report: &FailureReport) -> String {
    let head = FailureMailHead {
        from: &Address::parse("dmarc-noreply@reports.gen.example").unwrap(),
        display_name: "DMARC Filter",
        to: &Address::parse("dmarcfail@consumer.example").unwrap(),
        submitter: &DomainName::parse("gen.example").unwrap(),
        date: NOW + 60,
    };
    String::from_utf8(failure_mail(report, &head).to_bytes()).expect("messages are ASCII")
}

fn rules() -> policy::Rules {
    let wording = || policy::ReplyTemplate::new(|_| "refused".to_owned());
    policy::Rules {
        authserv_id_with_job_id: false,
        upstream: landmarc_receiver::policy::Upstream::default(),
        required_header_fields: false,
        mode: policy::EnforcementMode::Enforce,
        authserv_id: "gen.example".to_owned(),
        header_limits: HeaderLimits::default(),
        check_helo: true,
        fetch_explanation: false,
        dkim: landmarc_auth::dkim::DkimOptions::default(),
        arc: policy::ArcUse::Trusted,
        trusted_sealers: Vec::new(),
        discovery: DiscoveryMethod::TreeWalk,
        compare_rfc7489: false,
        dmarc: landmarc_dmarc::evaluation::EvaluationOptions::default(),
        suffixes: Arc::new(Suffixes::built_in()),
        operator: Arc::from([]),
        reject: policy::RejectRule::Evidence,
        reject_text: wording(),
        reject_codes: policy::ReplyCodes {
            basic: 550,
            enhanced: "5.7.1".to_owned(),
        },
        quarantine: policy::QuarantineBy::Hold,
        quarantine_text: wording(),
        unusable_author: policy::UnusableAuthor::Refuse,
        unusable_author_text: wording(),
        local_domains: Vec::new(),
        recognise_lists: true,
        failures: policy::FailureTable::default(),
        remove_all_results: false,
    }
}
